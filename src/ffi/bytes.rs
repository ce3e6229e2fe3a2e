//! Borrowed bytes, as they cross the boundary.

/// Bytes that belong to somebody else; each function says to whom and until when. `data` is NULL where
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
