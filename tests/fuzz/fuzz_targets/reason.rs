//! Any bytes as a delay reason: its normal form is short, and bytes that change nothing change nothing.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::postfix::delay_reason::{MAX_NORMALISED, normalise};
use queuewatch::postfix::status_code::{has_code, is_status_code};

fn normal(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"left over".to_vec();
    normalise(bytes, &mut out);
    out
}

fuzz_target!(|bytes: &[u8]| {
    let once = normal(bytes);
    assert!(once.len() <= MAX_NORMALISED);
    assert!(!once.contains(&b'<') && !once.contains(&b'>'));
    assert_eq!(once, normal(&[b"  ", bytes, b"  "].concat()));
    if is_status_code(bytes) {
        assert!(has_code(bytes, bytes) && has_code(bytes, &bytes[..1]));
        assert_eq!(once, bytes);
    }
});
