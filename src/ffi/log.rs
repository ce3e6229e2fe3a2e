//! The host's log function.

use std::ffi::c_void;

use log::LevelFilter;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::fallible;
use super::records::{self, QW_LOG_DEBUG, QW_LOG_ERROR, QW_LOG_INFO, QW_LOG_TRACE, QW_LOG_WARN};
use super::{QW_OK, qw_status};
use crate::error::{Error, ErrorKind};

/// A log function. It receives its `user` pointer, the level (QW_LOG_), the part of the library, and the
/// message. The bytes live during the call. It runs on the thread that called the library, at the end of that
/// call. It must not unwind and must not call the library: functions that can fail return QW_ERR_STATE there,
/// and others return what they return for NULL. It may free handles.
pub type qw_log_fn =
    Option<extern "C" fn(user: *mut c_void, level: i32, target: qw_bytes, message: qw_bytes)>;

/// Sets the log function of the process, for records up to `max_level` (QW_LOG_). A NULL function removes it.
/// By default nothing is logged. `user` is passed to it unchanged and must stay valid.
/// Fails with QW_ERR_STATE if the library was linked into a Rust program that has a logger. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_log_set(
    log: qw_log_fn,
    user: *mut c_void,
    max_level: i32,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [], {
        let level = match (log, max_level) {
            (None, _) => LevelFilter::Off,
            (_, QW_LOG_ERROR) => LevelFilter::Error,
            (_, QW_LOG_WARN) => LevelFilter::Warn,
            (_, QW_LOG_INFO) => LevelFilter::Info,
            (_, QW_LOG_DEBUG) => LevelFilter::Debug,
            (_, QW_LOG_TRACE) => LevelFilter::Trace,
            _ => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    "there is no such log level: QW_LOG_ERROR to QW_LOG_TRACE",
                ));
            }
        };
        if !records::install() {
            return Err(Error::new(
                ErrorKind::State,
                "this program has its own logger; the records go there",
            ));
        }
        records::send_to(log, user);
        ::log::set_max_level(level);
        Ok(QW_OK)
    })
}
