//! The C ABI: the build generates `include/queuewatch.h` from this room.
//!
//! Functions here check arguments, call the core, and store results; they decide nothing. The header states
//! these conventions:
//!
//! * Handles are opaque, made through `T **out` (set to NULL first) and freed by `qw_T_free(T *)`, for which
//!   NULL is a no-op. A child keeps what it needs of its parent, so handles may be freed in any order.
//! * Every function that can fail returns a [`qw_status`] and has `qw_error **err` last, which may be NULL.
//!   Other outputs are written on success only.
//! * Inputs are bytes with a length, or [`QW_NUL`] for NUL-terminated. Outputs are `qw_bytes`, borrowed, or
//!   `qw_text`, owned.
//! * Rows take the caller's `sizeof`, so that fields can be appended.
//! * Several threads may use a `const T *` at once, one at a time a `T *`.
//! * A handle with file descriptors belongs to the process that made it: see `handle`.
//! * Nothing unwinds into the host: see `guard`.
#![allow(unsafe_code)]
#![allow(non_camel_case_types)] // C's names.

// In the order of the header. Each module uses only those before it.
mod thread;

mod bytes;

mod handle;

mod input;

mod failure;

mod records;

mod guard;

mod error;

mod text;

mod options;

mod snapshot;

mod messages;

mod reasons;

mod shape;

mod verdict;

mod watch;

mod names;

mod log;

use std::ffi::c_char;

pub use bytes::{qw_bytes, qw_printable};
pub use error::{
    qw_error_code, qw_error_errno, qw_error_free, qw_error_message, qw_error_offset, qw_error_path,
    qw_error_remedy,
};
pub use failure::qw_error;
pub use log::{qw_log_fn, qw_log_set};
pub use messages::{
    qw_delay, qw_message, qw_messages, qw_messages_delay, qw_messages_free, qw_messages_next,
    qw_messages_open, qw_messages_recipient, qw_messages_unreadable,
};
pub use names::{
    QW_TAKES_MANY, QW_TAKES_NOTHING, QW_TAKES_ONE, qw_cause, qw_cause_count, qw_cause_info,
    qw_cause_name, qw_event_name, qw_measure, qw_measure_count, qw_measure_info, qw_option,
    qw_option_count, qw_option_info, qw_problem_name, qw_quality_name, qw_queue_name,
    qw_state_name, qw_status_name,
};
pub use options::{
    qw_cancel, qw_options, qw_options_free, qw_options_new, qw_options_set, qw_options_spell,
    qw_progress,
};
pub use reasons::{
    qw_reason, qw_reasons, qw_reasons_free, qw_reasons_next, qw_reasons_open, qw_reasons_others,
};
pub use records::{QW_LOG_DEBUG, QW_LOG_ERROR, QW_LOG_INFO, QW_LOG_TRACE, QW_LOG_WARN};
pub use shape::{
    QW_SHAPE_ALL, QW_SHAPE_PARENTS, QW_SHAPE_SENDERS, qw_shape, qw_shape_complete, qw_shape_free,
    qw_shape_json, qw_shape_row, qw_shape_rows, qw_shape_rows_free, qw_shape_rows_next,
    qw_shape_rows_open, qw_shape_scan, qw_shape_text,
};
pub use snapshot::{
    QW_PROBLEM_DAMAGED, QW_PROBLEM_DIRECTORY, QW_PROBLEM_FILE, QW_PROBLEM_INSTANCE,
    QW_PROBLEM_MISOWNED, QW_PROBLEM_MISPLACED, qw_instance, qw_problem, qw_scan, qw_snapshot,
    qw_snapshot_complete, qw_snapshot_free, qw_snapshot_instance, qw_snapshot_instance_count,
    qw_snapshot_json, qw_snapshot_measure, qw_snapshot_measure_detail, qw_snapshot_now,
    qw_snapshot_openmetrics, qw_snapshot_problem, qw_snapshot_problem_count, qw_snapshot_state,
};
pub use text::{qw_text, qw_text_bytes, qw_text_free};
pub use verdict::{
    qw_check, qw_finding, qw_verdict, qw_verdict_finding, qw_verdict_finding_count,
    qw_verdict_free, qw_verdict_json, qw_verdict_output, qw_verdict_perfdata, qw_verdict_state,
    qw_verdict_summary,
};

pub use watch::{
    QW_EVENT_ARRIVED, QW_EVENT_BLIND, QW_EVENT_CHANGED, QW_EVENT_DROPPED, QW_EVENT_LEFT,
    QW_EVENT_MOVED, QW_EVENT_RESCANNED, qw_event, qw_watch, qw_watch_check, qw_watch_dispatch,
    qw_watch_fd, qw_watch_free, qw_watch_next, qw_watch_open, qw_watch_snapshot, qw_watch_wait,
};

/// Status returned by every function that can fail: QW_OK, QW_END, or one of QW_ERR_.
pub type qw_status = i32;
/// Success.
pub const QW_OK: qw_status = 0;
/// A cursor is behind its last row. There is no error object.
pub const QW_END: qw_status = 1;
/// An argument is not allowed: NULL, an index out of range, options that exclude each other.
pub const QW_ERR_INVALID: qw_status = 10;
/// A rule, a measure or the value of an option does not parse; qw_error_offset gives the position.
pub const QW_ERR_SYNTAX: qw_status = 11;
/// The option, instance, file or directory does not exist.
pub const QW_ERR_NOT_FOUND: qw_status = 12;
/// The system refused access.
pub const QW_ERR_DENIED: qw_status = 20;
/// Another failure of the system.
pub const QW_ERR_IO: qw_status = 21;
/// The directory has none of Postfix's queues.
pub const QW_ERR_NOT_A_SPOOL: qw_status = 22;
/// The time was up before there was a result.
pub const QW_ERR_TIMEOUT: qw_status = 23;
/// qw_cancel stopped the call.
pub const QW_ERR_CANCELLED: qw_status = 24;
/// The call is out of order: from within a log function, or on a handle that an earlier bug poisoned.
pub const QW_ERR_STATE: qw_status = 30;
/// Known, but not available here.
pub const QW_ERR_UNSUPPORTED: qw_status = 31;
/// A bug in queuewatch. The handle that it happened on is poisoned.
pub const QW_ERR_PANIC: qw_status = 40;

/// A service state, and the exit code of a plugin.
pub type qw_state = i32;
/// Everything was read, and no rule is broken.
pub const QW_STATE_OK: qw_state = 0;
/// A warning range is broken.
pub const QW_STATE_WARNING: qw_state = 1;
/// A critical range is broken.
pub const QW_STATE_CRITICAL: qw_state = 2;
/// Something that decides the state could not be read.
pub const QW_STATE_UNKNOWN: qw_state = 3;

/// How far a figure can be trusted.
pub type qw_quality = i32;
/// The figure is exact.
pub const QW_QUALITY_EXACT: qw_quality = 0;
/// The figure is a lower bound: something could not be read.
pub const QW_QUALITY_AT_LEAST: qw_quality = 1;
/// The figure is not known; the value is 0 and has no meaning.
pub const QW_QUALITY_UNKNOWN: qw_quality = 2;

/// A queue.
pub type qw_queue = i32;
/// No queue.
pub const QW_QUEUE_NONE: qw_queue = -1;
/// active
pub const QW_QUEUE_ACTIVE: qw_queue = 0;
/// deferred
pub const QW_QUEUE_DEFERRED: qw_queue = 1;
/// incoming
pub const QW_QUEUE_INCOMING: qw_queue = 2;
/// hold
pub const QW_QUEUE_HOLD: qw_queue = 3;
/// maildrop
pub const QW_QUEUE_MAILDROP: qw_queue = 4;
/// corrupt
pub const QW_QUEUE_CORRUPT: qw_queue = 5;

/// As a length: the text is NUL-terminated. SIZE_MAX in the header.
pub const QW_NUL: usize = usize::MAX;

/// The version of the ABI that this header describes, and of the SONAME, libqueuewatch.so.1. It rises when the
/// ABI breaks, and is independent of the version of the library.
pub const QW_ABI_VERSION: u32 = 1;

/// Returns the version of the loaded library: NUL-terminated, static. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the ABI version of the loaded library. Compare it with QW_ABI_VERSION. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn qw_abi_version() -> u32 {
    QW_ABI_VERSION
}
