//! Bytes over the boundary: borrowed ones in and out, and owned text.

use std::ffi::{CStr, c_char};

use super::QW_NUL;
use super::error::qw_error;
use super::guard::guard;
use super::handle;
use crate::error::{Error, ErrorKind, Result};

/// Bytes that belong to somebody else, each function says to whom and until when. `data` is NULL where
/// there are none at all; an empty text has data and a length of 0. They are not NUL-terminated unless
/// a function says so.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct qw_bytes {
    /// The first byte, or NULL.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

impl qw_bytes {
    pub(super) const ABSENT: qw_bytes = qw_bytes {
        data: std::ptr::null(),
        len: 0,
    };

    pub(super) fn of(bytes: &[u8]) -> Self {
        qw_bytes {
            data: bytes.as_ptr(),
            len: bytes.len(),
        }
    }

    pub(super) fn of_option(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(qw_bytes::ABSENT, qw_bytes::of)
    }
}

/// The bytes that a caller gave.
///
/// # Safety
/// `data` is NULL or points to `len` readable bytes, or, if that is [`QW_NUL`], to a NUL-terminated
/// text; they stay as they are during the call.
pub(super) unsafe fn input<'a>(what: &str, data: *const c_char, len: usize) -> Result<&'a [u8]> {
    if data.is_null() {
        return Err(Error::new(ErrorKind::Invalid, format!("{what} is NULL")));
    }
    if len == QW_NUL {
        // SAFETY: not NULL, checked; NUL-terminated by this function's contract.
        return Ok(unsafe { CStr::from_ptr(data) }.to_bytes());
    }
    if isize::try_from(len).is_err() {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("the length of {what} is no length"),
        ));
    }
    // SAFETY: not NULL and not too long, checked; readable by this function's contract.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// As [`input`], for what must be UTF-8.
///
/// # Safety
/// As for [`input`].
pub(super) unsafe fn input_text<'a>(
    what: &str,
    data: *const c_char,
    len: usize,
) -> Result<&'a str> {
    // SAFETY: the same contract.
    let bytes = unsafe { input(what, data, len) }?;
    std::str::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::Syntax, format!("{what} is not valid UTF-8")))
}

/// An owned text.
pub struct qw_text {
    /// With a NUL at the end, as a courtesy.
    bytes: Vec<u8>,
}

/// Makes a text by `make` and stores it in `out`.
///
/// # Safety
/// `out` and `err` are NULL or may be written.
pub(super) unsafe fn give_text(
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
    make: impl FnOnce() -> Result<String>,
) -> super::qw_status {
    // SAFETY: the same contract.
    unsafe { give_bytes(out, err, || make().map(String::into_bytes)) }
}

/// As [`give_text`], for a text that may hold raw bytes of the spool.
///
/// # Safety
/// As for [`give_text`].
pub(super) unsafe fn give_bytes(
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
    make: impl FnOnce() -> Result<Vec<u8>>,
) -> super::qw_status {
    // SAFETY: the same contract.
    let out = unsafe { handle::out(out) };
    // SAFETY: the same contract.
    unsafe {
        guard(err, None, || {
            let out = out?;
            let mut bytes = make()?;
            bytes.push(0);
            *out = handle::give(qw_text { bytes });
            Ok(super::QW_OK)
        })
    }
}

/// The bytes of a text, and a NUL behind them that is not counted. They live as long as the text. NULL
/// gives absent bytes. Since 0.1.
///
/// # Safety
/// `text` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_text_bytes(text: *const qw_text) -> qw_bytes {
    // SAFETY: the caller's promise.
    match unsafe { handle::shared(text) } {
        Ok(text) => qw_bytes::of(&text.bytes[..text.bytes.len().saturating_sub(1)]),
        Err(_) => qw_bytes::ABSENT,
    }
}

/// Frees a text. NULL is a no-op. Since 0.1.
///
/// # Safety
/// `text` is NULL or from this library and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_text_free(text: *mut qw_text) {
    // SAFETY: the caller's promise.
    unsafe { handle::free(text) }
}
