//! Names of codes, and the lists of options, measures and causes.

use std::ffi::{CStr, c_char};

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::fallible;
use super::input::first_release_ends;
use super::snapshot::{
    QW_PROBLEM_DAMAGED, QW_PROBLEM_DIRECTORY, QW_PROBLEM_FILE, QW_PROBLEM_INSTANCE,
    QW_PROBLEM_MISOWNED, QW_PROBLEM_MISPLACED,
};
use super::watch::{
    QW_EVENT_ARRIVED, QW_EVENT_BLIND, QW_EVENT_CHANGED, QW_EVENT_DROPPED, QW_EVENT_LEFT,
    QW_EVENT_MOVED, QW_EVENT_RESCANNED,
};
use super::{
    QW_END, QW_ERR_CANCELLED, QW_ERR_DENIED, QW_ERR_INVALID, QW_ERR_IO, QW_ERR_NOT_A_SPOOL,
    QW_ERR_NOT_FOUND, QW_ERR_PANIC, QW_ERR_STATE, QW_ERR_SYNTAX, QW_ERR_TIMEOUT,
    QW_ERR_UNSUPPORTED, QW_OK, QW_QUALITY_AT_LEAST, QW_QUALITY_EXACT, QW_QUALITY_UNKNOWN,
    QW_QUEUE_ACTIVE, QW_QUEUE_CORRUPT, QW_QUEUE_DEFERRED, QW_QUEUE_HOLD, QW_QUEUE_INCOMING,
    QW_QUEUE_MAILDROP, QW_QUEUE_NONE, QW_STATE_CRITICAL, QW_STATE_OK, QW_STATE_UNKNOWN,
    QW_STATE_WARNING, qw_quality, qw_queue, qw_state, qw_status,
};
use crate::cause::Cause;
use crate::error::{Error, ErrorKind, Result};
use crate::measure::{CATALOGUE, Unit};
use crate::options::{OPTIONS, Takes};

/// The name of a code that this library does not know.
const NO_NAME: &CStr = c"?";

macro_rules! name {
    ($code:expr, $($known:ident => $name:literal),* $(,)?) => {
        match $code {
            $($known => $name,)*
            _ => NO_NAME,
        }
        .as_ptr()
    };
}

/// Returns the name of a status, such as `QW_ERR_NOT_FOUND`; `?` for an unknown number. It is NUL-terminated
/// and static, as all names. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_status_name(status: qw_status) -> *const c_char {
    name!(status,
        QW_OK => c"QW_OK",
        QW_END => c"QW_END",
        QW_ERR_INVALID => c"QW_ERR_INVALID",
        QW_ERR_SYNTAX => c"QW_ERR_SYNTAX",
        QW_ERR_NOT_FOUND => c"QW_ERR_NOT_FOUND",
        QW_ERR_DENIED => c"QW_ERR_DENIED",
        QW_ERR_IO => c"QW_ERR_IO",
        QW_ERR_NOT_A_SPOOL => c"QW_ERR_NOT_A_SPOOL",
        QW_ERR_TIMEOUT => c"QW_ERR_TIMEOUT",
        QW_ERR_CANCELLED => c"QW_ERR_CANCELLED",
        QW_ERR_STATE => c"QW_ERR_STATE",
        QW_ERR_UNSUPPORTED => c"QW_ERR_UNSUPPORTED",
        QW_ERR_PANIC => c"QW_ERR_PANIC",
    )
}

/// Returns the word of a service state: OK, WARNING, CRITICAL or UNKNOWN; `?` for an unknown number.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_state_name(state: qw_state) -> *const c_char {
    name!(state,
        QW_STATE_OK => c"OK",
        QW_STATE_WARNING => c"WARNING",
        QW_STATE_CRITICAL => c"CRITICAL",
        QW_STATE_UNKNOWN => c"UNKNOWN",
    )
}

/// Returns the quality of a figure in words: exact, at least, unknown; `?` for an unknown number. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_quality_name(quality: qw_quality) -> *const c_char {
    name!(quality,
        QW_QUALITY_EXACT => c"exact",
        QW_QUALITY_AT_LEAST => c"at least",
        QW_QUALITY_UNKNOWN => c"unknown",
    )
}

/// Returns the name of a queue's directory; `none` for QW_QUEUE_NONE, `?` for an unknown number. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_queue_name(queue: qw_queue) -> *const c_char {
    name!(queue,
        QW_QUEUE_NONE => c"none",
        QW_QUEUE_ACTIVE => c"active",
        QW_QUEUE_DEFERRED => c"deferred",
        QW_QUEUE_INCOMING => c"incoming",
        QW_QUEUE_HOLD => c"hold",
        QW_QUEUE_MAILDROP => c"maildrop",
        QW_QUEUE_CORRUPT => c"corrupt",
    )
}

/// Returns the name of an event's kind, as in `queuewatch watch --json`; `?` for an unknown number. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_event_name(kind: i32) -> *const c_char {
    name!(kind,
        QW_EVENT_ARRIVED => c"arrived",
        QW_EVENT_MOVED => c"moved",
        QW_EVENT_LEFT => c"left",
        QW_EVENT_CHANGED => c"changed",
        QW_EVENT_RESCANNED => c"rescanned",
        QW_EVENT_BLIND => c"blind",
        QW_EVENT_DROPPED => c"dropped",
    )
}

/// Returns the name of a problem's kind: directory, file, damaged, instance, misowned, misplaced; `?` for an
/// unknown number. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_problem_name(kind: i32) -> *const c_char {
    name!(kind,
        QW_PROBLEM_DIRECTORY => c"directory",
        QW_PROBLEM_FILE => c"file",
        QW_PROBLEM_DAMAGED => c"damaged",
        QW_PROBLEM_INSTANCE => c"instance",
        QW_PROBLEM_MISOWNED => c"misowned",
        QW_PROBLEM_MISPLACED => c"misplaced",
    )
}

/// Returns the name of a cause by its index in the list that qw_cause_info reads; `?` for an unknown index.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_cause_name(cause: i32) -> *const c_char {
    let cause = usize::try_from(cause).ok();
    let cause = cause.and_then(|place| Cause::ALL.get(place));
    let Some(cause) = cause else {
        return NO_NAME.as_ptr();
    };
    match cause {
        Cause::Filter => c"filter",
        Cause::Delivery => c"delivery",
        Cause::Configuration => c"configuration",
        Cause::Storage => c"storage",
        Cause::Authentication => c"authentication",
        Cause::Relay => c"relay",
        Cause::Dns => c"dns",
        Cause::Network => c"network",
        Cause::Blocked => c"blocked",
        Cause::Throttled => c"throttled",
        Cause::Greylisted => c"greylisted",
        Cause::Unreachable => c"unreachable",
        Cause::Busy => c"busy",
        Cause::Mailbox => c"mailbox",
        Cause::Recipient => c"recipient",
        Cause::Tls => c"tls",
        Cause::Other => c"other",
    }
    .as_ptr()
}

/// The option takes no value: it is on or off.
pub const QW_TAKES_NOTHING: i32 = 0;
/// The option takes one value; the last one given counts.
pub const QW_TAKES_ONE: i32 = 1;
/// The option takes a value each time it is set; the values accumulate.
pub const QW_TAKES_MANY: i32 = 2;

/// An option. The bytes are printable ASCII and static.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_option {
    /// Its name, for qw_options_set.
    pub name: qw_bytes,
    /// The placeholder for its value in help texts; absent if it takes none.
    pub value: qw_bytes,
    /// What it does.
    pub help: qw_bytes,
    /// QW_TAKES_.
    pub takes: i32,
    /// 0.
    pub reserved: i32,
}

first_release_ends!(qw_option, reserved: i32);

/// A measure. The bytes are printable ASCII and static.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_measure {
    /// Its spelling. QUEUE stands for a queue, backlog or total, a word in brackets for an argument.
    pub spelling: qw_bytes,
    /// Its unit: `s`, `B`, `%`, `1/min`; empty for a plain number.
    pub unit: qw_bytes,
    /// What it measures.
    pub help: qw_bytes,
}

first_release_ends!(qw_measure, help: qw_bytes);

/// A cause of delays. The bytes are printable ASCII and static.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_cause {
    /// Its name.
    pub name: qw_bytes,
    /// Who acts if nothing else is known: us, them, both, nobody or unknown.
    pub acts: qw_bytes,
}

first_release_ends!(qw_cause, acts: qw_bytes);

fn behind() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "the index is behind the end of the list",
    )
}

fn at<T>(list: &[T], index: usize) -> Result<&T> {
    list.get(index).ok_or_else(behind)
}

/// Returns the number of options. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_option_count() -> usize {
    OPTIONS.len()
}

/// Fills `row` with the option at `index`, from 0. `row_size` is sizeof *row. Errors: QW_ERR_INVALID.
/// Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_option_info(
    index: usize,
    row: *mut qw_option,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [row(row, row_size)], {
        let option = at(&OPTIONS, index)?;
        let (takes, value) = match option.takes {
            Takes::Nothing => (QW_TAKES_NOTHING, None),
            Takes::One(value) => (QW_TAKES_ONE, Some(value)),
            Takes::Many(value) => (QW_TAKES_MANY, Some(value)),
        };
        row.give(qw_option {
            name: qw_bytes::of(option.name.as_bytes()),
            value: qw_bytes::of_option(value.map(str::as_bytes)),
            help: qw_bytes::of(option.help.as_bytes()),
            takes,
            reserved: 0,
        });
        Ok(QW_OK)
    })
}

/// Returns the number of measures. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_measure_count() -> usize {
    CATALOGUE.len()
}

/// Fills `row` with the measure at `index`, from 0. `row_size` is sizeof *row. Errors: QW_ERR_INVALID.
/// Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_measure_info(
    index: usize,
    row: *mut qw_measure,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [row(row, row_size)], {
        let measure = at(&CATALOGUE, index)?;
        let unit = match measure.unit {
            Unit::PerMinute => "1/min",
            unit => unit.uom(),
        };
        row.give(qw_measure {
            spelling: qw_bytes::of(measure.spelling.as_bytes()),
            unit: qw_bytes::of(unit.as_bytes()),
            help: qw_bytes::of(measure.help.as_bytes()),
        });
        Ok(QW_OK)
    })
}

/// Returns the number of causes. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_cause_count() -> usize {
    Cause::ALL.len()
}

/// Fills `row` with the cause at `index`, from 0. `row_size` is sizeof *row. Errors: QW_ERR_INVALID.
/// Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_cause_info(
    index: usize,
    row: *mut qw_cause,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [row(row, row_size)], {
        let cause = at(&Cause::ALL, index)?;
        row.give(qw_cause {
            name: qw_bytes::of(cause.name().as_bytes()),
            acts: qw_bytes::of(cause.acts().name().as_bytes()),
        });
        Ok(QW_OK)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postfix::queue::Queue;
    use crate::rules::State;

    fn text(name: *const c_char) -> &'static str {
        // SAFETY: names are static and NUL-terminated.
        unsafe { CStr::from_ptr(name) }.to_str().unwrap()
    }

    #[test]
    fn names_are_those_of_the_core() {
        for queue in Queue::ALL {
            assert_eq!(text(qw_queue_name(queue as i32)), queue.name());
        }
        for (place, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(text(qw_cause_name(place as i32)), cause.name());
        }
        for state in [State::Ok, State::Warning, State::Critical, State::Unknown] {
            assert_eq!(text(qw_state_name(state.code())), state.to_string());
        }
        for name in [
            qw_status_name(99),
            qw_state_name(-1),
            qw_queue_name(6),
            qw_event_name(7),
            qw_problem_name(i32::MAX),
            qw_cause_name(-1),
            qw_cause_name(17),
            qw_quality_name(3),
        ] {
            assert_eq!(text(name), "?");
        }
    }
}
