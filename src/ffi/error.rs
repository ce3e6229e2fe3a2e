//! The error object.

use std::ffi::{CString, c_char};

use super::bytes::qw_bytes;
use super::handle;
use super::{
    QW_ERR_DENIED, QW_ERR_INVALID, QW_ERR_IO, QW_ERR_NOT_A_SPOOL, QW_ERR_NOT_FOUND, QW_ERR_PANIC,
    QW_ERR_STATE, QW_ERR_SYNTAX, QW_ERR_TIMEOUT, QW_ERR_UNSUPPORTED, QW_NUL, QW_OK, qw_status,
};
use crate::error::{Error, ErrorKind};

/// What failed, why, and what to do about it. Owned by whoever received it.
pub struct qw_error {
    code: qw_status,
    errno: i32,
    message: CString,
    remedy: Option<CString>,
    path: Option<Vec<u8>>,
    offset: usize,
}

pub(super) fn status_of(kind: ErrorKind) -> qw_status {
    match kind {
        ErrorKind::Invalid => QW_ERR_INVALID,
        ErrorKind::Syntax => QW_ERR_SYNTAX,
        ErrorKind::NotFound => QW_ERR_NOT_FOUND,
        ErrorKind::Denied => QW_ERR_DENIED,
        ErrorKind::Io => QW_ERR_IO,
        ErrorKind::NotASpool => QW_ERR_NOT_A_SPOOL,
        ErrorKind::Timeout => QW_ERR_TIMEOUT,
        ErrorKind::State => QW_ERR_STATE,
        ErrorKind::Unsupported => QW_ERR_UNSUPPORTED,
        ErrorKind::Panic => QW_ERR_PANIC,
    }
}

impl qw_error {
    pub(super) fn new(error: &Error) -> Self {
        use std::os::unix::ffi::OsStrExt;
        let text = |text: &str| {
            let shown = crate::escape::printable(text.as_bytes(), 4096);
            CString::new(shown).unwrap_or_default()
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

/// The status that came with the error; QW_OK for NULL. Since 0.1.
///
/// # Safety
/// `error` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_code(error: *const qw_error) -> qw_status {
    // SAFETY: the caller's promise.
    unsafe { handle::shared(error) }.map_or(QW_OK, |error| error.code)
}

/// The errno of the system; 0 if it gave none, or for NULL. Since 0.1.
///
/// # Safety
/// `error` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_errno(error: *const qw_error) -> i32 {
    // SAFETY: the caller's promise.
    unsafe { handle::shared(error) }.map_or(0, |error| error.errno)
}

/// The whole text with cause and remedy, printable ASCII, NUL-terminated; lives as long as the error;
/// never NULL. Since 0.1.
///
/// # Safety
/// `error` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_message(error: *const qw_error) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { handle::shared(error) }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// What to do about it, printable ASCII, NUL-terminated; NULL if we know nothing. Lives as long as the
/// error. Since 0.1.
///
/// # Safety
/// `error` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_remedy(error: *const qw_error) -> *const c_char {
    // SAFETY: the caller's promise.
    let error = unsafe { handle::shared(error) }.ok();
    error
        .and_then(|error| error.remedy.as_ref())
        .map_or(std::ptr::null(), |remedy| remedy.as_ptr())
}

/// The raw path that the error is about; absent if it is about none. Lives as long as the error.
/// Since 0.1.
///
/// # Safety
/// `error` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_path(error: *const qw_error) -> qw_bytes {
    // SAFETY: the caller's promise.
    let error = unsafe { handle::shared(error) }.ok();
    qw_bytes::of_option(error.and_then(|error| error.path.as_deref()))
}

/// The offset of the first wrong byte in the text given, counted from 0; QW_NUL if it is about no text.
/// Since 0.1.
///
/// # Safety
/// `error` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_offset(error: *const qw_error) -> usize {
    // SAFETY: the caller's promise.
    unsafe { handle::shared(error) }.map_or(QW_NUL, |error| error.offset)
}

/// Frees an error. NULL is a no-op. Since 0.1.
///
/// # Safety
/// `error` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_free(error: *mut qw_error) {
    // SAFETY: the caller's promise.
    unsafe { handle::free(error) }
}
