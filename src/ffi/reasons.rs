//! Why mail waits, row by row.

use std::ffi::c_char;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::{fallible, freed, infallible};
use super::handle::{self, Life, Opaque};
use super::input::first_release_ends;
use super::snapshot::qw_snapshot;
use super::{QW_END, QW_OK, qw_status};
use crate::snapshot::reasons::Reasons;

/// Why mail waits: a cursor over its rows. One thread at a time.
pub struct qw_reasons {
    reasons: Reasons,
    next: usize,
    life: Life,
}

impl Opaque for qw_reasons {
    fn life(&self) -> Option<&Life> {
        Some(&self.life)
    }
}

/// Recipients of one domain that wait for one reason. The bytes live until the cursor is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_reason {
    /// The destination domain, raw.
    pub domain: qw_bytes,
    /// The enhanced status code that Postfix logged, such as 4.4.1.
    pub code: qw_bytes,
    /// The delay reason, raw, but for what changes from message to message: ADDRESS, HOST, IP, URL, ID, TIME
    /// and N stand for that.
    pub reason: qw_bytes,
    /// Recipients still to be delivered that wait for it.
    pub recipients: u64,
    /// The earliest arrival among their messages, in seconds of the epoch; 0 if none is known.
    pub oldest: i64,
    /// Its cause, such as filter or greylisted.
    pub cause: qw_bytes,
    /// Who acts: us, them, nobody, both or unknown.
    pub acts: qw_bytes,
    /// The server, socket or name that the reason is about, raw; empty if it names none. Of several the one
    /// that most recipients wait for.
    pub next_hop: qw_bytes,
}

first_release_ends!(qw_reason, oldest: i64);

/// Opens a cursor over why the mail of `queue` waits (a queue's name, backlog or total; NULL: all six), most
/// recipients first. Free it with qw_reasons_free. Errors: QW_ERR_INVALID, QW_ERR_NOT_FOUND (no such queue),
/// QW_ERR_UNSUPPORTED (the scan was limited by the option `measure` and read no reasons). Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_reasons_open(
    snapshot: *const qw_snapshot,
    queue: *const c_char,
    queue_len: usize,
    out: *mut *mut qw_reasons,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(
        err,
        [out(out), shared(snapshot), queues(queue, queue_len)],
        {
            *out = handle::give(qw_reasons {
                reasons: snapshot.snapshot.known_reasons(queue)?,
                next: 0,
                life: Life::of_memory(),
            });
            Ok(QW_OK)
        }
    )
}

/// Goes to the next row and fills `row`; QW_END after the last. `row_size` is sizeof *row.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_reasons_next(
    reasons: *mut qw_reasons,
    row: *mut qw_reason,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [exclusive(reasons), row(row, row_size)], {
        let Some(one) = reasons.reasons.rows.get(reasons.next) else {
            return Ok(QW_END);
        };
        row.give(qw_reason {
            domain: qw_bytes::of(&one.domain),
            code: qw_bytes::of(&one.code),
            reason: qw_bytes::of(&one.reason),
            recipients: one.recipients,
            oldest: one.oldest.unwrap_or(0),
            cause: qw_bytes::of(one.cause.name().as_bytes()),
            acts: qw_bytes::of(one.acts.name().as_bytes()),
            next_hop: qw_bytes::of(&one.next_hop),
        });
        reasons.next += 1;
        Ok(QW_OK)
    })
}

/// Recipients without a delay reason on record (not tried yet, being tried now, or on hold), and those of
/// reasons beyond the limit of the table; 0 for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_reasons_others(reasons: *const qw_reasons) -> u64 {
    infallible!(0, [shared(reasons)], {
        reasons.reasons.unexplained + reasons.reasons.unlisted
    })
}

/// Frees a cursor. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_reasons_free(reasons: *mut qw_reasons) {
    freed!(reasons);
}
