//! What the fuzz targets share: readers too simple to be wrong, and a look at the heap.

use queuewatch::error::Error;
use queuewatch::escape::obeyed;
use queuewatch::render::plugin;

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

/// Fails unless `error` shows what was typed as no terminal obeys it, and reaches a monitor as harmless text.
pub fn assert_harmless_error(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty(), "an empty message");
    assert!(!text.chars().any(obeyed), "a terminal obeys {text:?}");
    let output = plugin::failure(error);
    let line = output.strip_suffix('\n').expect("a line");
    assert_harmless(line);
    assert!(
        !line.contains(['|', '<', '>', '$', '`']),
        "a monitor acts on {line:?}"
    );
}
