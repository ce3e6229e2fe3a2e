//! Borrowed bytes as they cross the C boundary, and their printable form.

use std::ffi::c_char;

/// Borrowed bytes. Each function says who owns them and how long they live. `data` is NULL if the value is
/// absent; an empty text has data and a length of 0. The bytes are not NUL-terminated unless a function says
/// so.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct qw_bytes {
    /// The first byte, or NULL.
    pub data: *const u8,
    /// The number of bytes.
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

/// Writes `bytes` to `buffer` as text that is safe on a terminal, in a log and in a monitor: printable ASCII,
/// with `?` for every other byte. The text is cut at `size` - 1 bytes, and NUL-terminated if `size` is not 0.
/// Returns the length of the whole text, as snprintf does: the text was cut if that is `size` or more. Absent
/// bytes give an empty text. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_printable(bytes: qw_bytes, buffer: *mut c_char, size: usize) -> usize {
    if bytes.data.is_null() || isize::try_from(bytes.len).is_err() {
        // SAFETY: the caller keeps the header's rules for this pointer.
        return unsafe { print_to(&[], buffer, size) };
    }
    // SAFETY: the bytes are borrowed from this library and still live, or the caller's own; not NULL and
    // not too long, checked.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.data, bytes.len) };
    // SAFETY: the caller keeps the header's rules for this pointer.
    unsafe { print_to(bytes, buffer, size) }
}

/// # Safety
/// `buffer` is NULL or has `size` bytes that may be written.
unsafe fn print_to(bytes: &[u8], buffer: *mut c_char, size: usize) -> usize {
    if buffer.is_null() || size == 0 {
        return bytes.len();
    }
    let shown = bytes.iter().take(size - 1).enumerate();
    let mut end = 0;
    for (at, byte) in shown {
        let printed = match byte {
            b' '..=b'~' => *byte,
            _ => b'?',
        };
        // SAFETY: `at` is less than `size`.
        let place = unsafe { buffer.add(at) };
        // SAFETY: it is writable by this function's contract.
        unsafe { place.write(printed as c_char) };
        end = at + 1;
    }
    // SAFETY: `end` is less than `size`.
    let place = unsafe { buffer.add(end) };
    // SAFETY: it is writable by this function's contract.
    unsafe { place.write(0) };
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_is_cut_and_terminated() {
        for (bytes, size, printed) in [
            (&b"a\x1b[2J|\n\xff"[..], 32, "a?[2J|??"),
            (b"deferred", 5, "defe"),
            (b"", 1, ""),
            (b"x", 1, ""),
        ] {
            let mut buffer = vec![0x55; size];
            // SAFETY: both are locals.
            let length =
                unsafe { qw_printable(qw_bytes::of(bytes), buffer.as_mut_ptr(), buffer.len()) };
            assert_eq!(length, bytes.len());
            // SAFETY: it was terminated.
            let text = unsafe { std::ffi::CStr::from_ptr(buffer.as_ptr()) };
            assert_eq!(text.to_str(), Ok(printed));
        }
        // SAFETY: NULL is allowed.
        let length = unsafe { qw_printable(qw_bytes::of(b"abc"), std::ptr::null_mut(), 9) };
        assert_eq!(length, 3);
        // SAFETY: absent bytes and no place are allowed.
        let length = unsafe { qw_printable(qw_bytes::ABSENT, std::ptr::null_mut(), 0) };
        assert_eq!(length, 0);
    }
}
