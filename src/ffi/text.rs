//! Owned text.

use super::bytes::qw_bytes;
use super::guard::{freed, infallible};
use super::handle::{self, Opaque};
use super::{QW_OK, qw_status};

/// An owned text.
pub struct qw_text {
    /// The text, with a NUL at its end.
    bytes: Vec<u8>,
}

impl Opaque for qw_text {}

/// Stores a text in `out`.
pub(super) fn give(out: &mut *mut qw_text, text: impl Into<Vec<u8>>) -> qw_status {
    let mut bytes = text.into();
    bytes.push(0);
    *out = handle::give(qw_text { bytes });
    QW_OK
}

/// Returns the bytes of a text; a NUL follows them that does not count. They live as long as the text. NULL
/// gives absent bytes. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_text_bytes(text: *const qw_text) -> qw_bytes {
    infallible!(
        qw_bytes::ABSENT,
        [shared(text)],
        qw_bytes::of(&text.bytes[..text.bytes.len().saturating_sub(1)])
    )
}

/// Frees a text. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_text_free(text: *mut qw_text) {
    freed!(text);
}
