//! The error object, and the status of each kind of error.

use std::ffi::CString;

use super::handle::Opaque;
use super::{
    QW_ERR_CANCELLED, QW_ERR_DENIED, QW_ERR_INVALID, QW_ERR_IO, QW_ERR_NOT_A_SPOOL,
    QW_ERR_NOT_FOUND, QW_ERR_PANIC, QW_ERR_STATE, QW_ERR_SYNTAX, QW_ERR_TIMEOUT,
    QW_ERR_UNSUPPORTED, QW_NUL, qw_status,
};
use crate::error::{Error, ErrorKind};

/// The text after the name of an option in Perl.
const ARROW: &str = " =>";

/// An error: what failed, why, and the remedy. Whoever receives it owns it.
pub struct qw_error {
    pub(super) code: qw_status,
    pub(super) errno: i32,
    pub(super) message: CString,
    pub(super) remedy: Option<CString>,
    pub(super) path: Option<Vec<u8>>,
    pub(super) offset: usize,
}

impl Opaque for qw_error {}

pub(super) fn status_of(kind: ErrorKind) -> qw_status {
    match kind {
        ErrorKind::Invalid => QW_ERR_INVALID,
        ErrorKind::Syntax => QW_ERR_SYNTAX,
        ErrorKind::NotFound => QW_ERR_NOT_FOUND,
        ErrorKind::Denied => QW_ERR_DENIED,
        ErrorKind::Io => QW_ERR_IO,
        ErrorKind::NotASpool => QW_ERR_NOT_A_SPOOL,
        ErrorKind::Timeout => QW_ERR_TIMEOUT,
        ErrorKind::Cancelled => QW_ERR_CANCELLED,
        ErrorKind::State => QW_ERR_STATE,
        ErrorKind::Unsupported => QW_ERR_UNSUPPORTED,
        ErrorKind::Internal => QW_ERR_PANIC,
    }
}

impl qw_error {
    pub(super) fn new(error: &Error) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let text = |text: &str| {
            // The arrow that follows an option in Perl stays. Any other `>` could be HTML to a monitor.
            let parts: Vec<String> = text
                .split(ARROW)
                .map(|part| crate::escape::printable(part.as_bytes(), 4096))
                .collect();
            CString::new(parts.join(ARROW)).unwrap_or_default()
        };
        qw_error {
            code: status_of(error.kind()),
            errno: error.errno().unwrap_or(0),
            message: text(&error.to_string()),
            remedy: error.remedy().map(text),
            path: error.path().map(|path| path.as_os_str().as_bytes().into()),
            offset: error.offset().unwrap_or(QW_NUL),
        }
    }
}
