//! Functions that read an error object.

use std::ffi::c_char;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::{freed, infallible};
use super::{QW_NUL, QW_OK, qw_status};

/// Returns the status that came with the error; QW_OK for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_code(error: *const qw_error) -> qw_status {
    infallible!(QW_OK, [shared(error)], error.code)
}

/// Returns the errno of the system; 0 without one, or for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_errno(error: *const qw_error) -> i32 {
    infallible!(0, [shared(error)], error.errno)
}

/// Returns the whole text with cause and remedy: printable ASCII, NUL-terminated, never NULL. It lives as long
/// as the error. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_message(error: *const qw_error) -> *const c_char {
    infallible!(c"".as_ptr(), [shared(error)], error.message.as_ptr())
}

/// Returns the remedy: printable ASCII, NUL-terminated; NULL if there is none. It lives as long as the error.
/// Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_remedy(error: *const qw_error) -> *const c_char {
    infallible!(std::ptr::null(), [shared(error)], {
        let remedy = error.remedy.as_ref();
        remedy.map_or(std::ptr::null(), |remedy| remedy.as_ptr())
    })
}

/// Returns the raw path that the error is about; absent if there is none. It lives as long as the error.
/// Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_path(error: *const qw_error) -> qw_bytes {
    infallible!(
        qw_bytes::ABSENT,
        [shared(error)],
        qw_bytes::of_option(error.path.as_deref())
    )
}

/// Returns the offset of the first wrong byte in the given text, from 0; QW_NUL if the error is not about a
/// text. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_offset(error: *const qw_error) -> usize {
    infallible!(QW_NUL, [shared(error)], error.offset)
}

/// Frees an error. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_error_free(error: *mut qw_error) {
    freed!(error);
}
