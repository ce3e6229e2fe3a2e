//! Checks arguments that are not handles: texts with a length, and out parameters.

use std::ffi::{CStr, c_char};
use std::mem::size_of;

use super::QW_NUL;
pub(super) use super::handle::{exclusive, optional, out, shared};
use crate::error::{Error, ErrorKind, Result};
use crate::measure::Subject;
use crate::postfix::queue::QueueSet;

/// Borrows bytes of the caller.
///
/// # Safety
/// `data` is NULL or points to `len` readable bytes, or, if `len` is [`QW_NUL`], to a NUL-terminated text. The
/// bytes do not change during the call.
pub(super) unsafe fn bytes<'a>(data: *const c_char, len: usize, what: &str) -> Result<&'a [u8]> {
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
            format!("the length of {what} is larger than any memory"),
        ));
    }
    // SAFETY: not NULL and not too long, checked; readable by this function's contract.
    Ok(unsafe { std::slice::from_raw_parts(data.cast(), len) })
}

/// As [`bytes`], but the bytes must be UTF-8.
///
/// # Safety
/// As for [`bytes`].
pub(super) unsafe fn text<'a>(data: *const c_char, len: usize, what: &str) -> Result<&'a str> {
    // SAFETY: the same contract.
    let bytes = unsafe { bytes(data, len, what) }?;
    std::str::from_utf8(bytes)
        .map_err(|_| Error::new(ErrorKind::Syntax, format!("{what} is not valid UTF-8")))
}

/// Parses a queue's name, backlog or total. NULL means all six queues.
///
/// # Safety
/// As for [`bytes`].
pub(super) unsafe fn queues(data: *const c_char, len: usize) -> Result<QueueSet> {
    if data.is_null() {
        return Ok(QueueSet::ALL);
    }
    // SAFETY: the same contract.
    unsafe { text(data, len, "the queue") }.and_then(Subject::queues_named)
}

/// Checks an out parameter for a plain value.
///
/// # Safety
/// `place` is NULL or may be written during the call.
pub(super) unsafe fn place<'a, T>(place: *mut T, what: &str) -> Result<&'a mut T> {
    // SAFETY: not NULL is checked by as_mut; writable by this function's contract.
    unsafe { place.as_mut() }
        .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("the place for {what} is NULL")))
}

/// A row. Later releases add fields at its end.
pub(super) trait Row: Copy {
    /// Its size in the first release. No caller passes less.
    const FIRST: usize;
}

/// Declares that `$last`, a field of type `$type`, was the last field of a row in its first release.
macro_rules! first_release_ends {
    ($row:ident, $last:ident: $type:ty) => {
        impl $crate::ffi::input::Row for $row {
            const FIRST: usize = std::mem::offset_of!($row, $last) + size_of::<$type>();
        }
    };
}
pub(super) use first_release_ends;

/// An out parameter for a row.
pub(super) struct RowPlace<T> {
    to: *mut T,
    size: usize,
}

/// Checks the caller's row, whose size the caller passes.
///
/// # Safety
/// `row` is NULL or points to `size` bytes that may be written during the call.
pub(super) unsafe fn row<T: Row>(row: *mut T, size: usize) -> Result<RowPlace<T>> {
    if row.is_null() {
        return Err(Error::new(ErrorKind::Invalid, "the row argument is NULL"));
    }
    if size < T::FIRST || size > 65_536 {
        return Err(Error::new(
            ErrorKind::Invalid,
            format!("{size} bytes are not the size of this row"),
        )
        .with_remedy("pass sizeof *row"));
    }
    Ok(RowPlace { to: row, size })
}

impl<T: Row> RowPlace<T> {
    /// Writes `row`: as much as fits, and zeroes in fields that this library does not know.
    pub(super) fn give(self, row: T) {
        let known = size_of::<T>().min(self.size);
        let to = self.to.cast::<u8>();
        // SAFETY: `known` bytes are readable in `row` and, by the contract of the function `row`,
        // writable at `to`; a local and the caller's memory do not overlap.
        unsafe { std::ptr::copy_nonoverlapping((&raw const row).cast::<u8>(), to, known) };
        // SAFETY: `known` is at most the size.
        let rest = unsafe { to.add(known) };
        // SAFETY: the rest of the size is writable by the same contract.
        unsafe { std::ptr::write_bytes(rest, 0, self.size - known) };
    }
}
