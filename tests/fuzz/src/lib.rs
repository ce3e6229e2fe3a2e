//! What the fuzz targets share: readers too simple to be wrong, and a look at the heap.

pub mod heap;
pub mod naive;

/// Fails unless `text` may stand in service output and on a terminal as it is: it was made by us,
/// perhaps around bytes of a stranger.
pub fn assert_harmless(text: &str) {
    assert!(!text.is_empty(), "an empty message");
    assert!(
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        "not printable ASCII: {text:?}"
    );
}
