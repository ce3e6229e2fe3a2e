//! Lines of `NAME VALUE` set one after the other: a value is taken or refused in words that may be
//! shown, and one that is refused changes nothing.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::options::Options;
use queuewatch_fuzz::assert_harmless_error;

fuzz_target!(|script: &[u8]| {
    let mut options = Options::default();
    for line in script.split(|byte| *byte == b'\n').take(64) {
        let name_end = line.iter().position(|byte| *byte == b' ');
        let (name, value) = line.split_at(name_end.unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default();
        let Ok(name) = std::str::from_utf8(name) else {
            continue;
        };
        let before = format!("{options:?}");
        if let Err(error) = options.set(name, value) {
            assert_harmless_error(&error);
            assert_eq!(format!("{options:?}"), before, "{error}");
        }
    }
    let timeout = options.timeout();
    assert!(timeout.is_none_or(|timeout| timeout.as_secs_f64() <= 86_400.0));
    let measures = options.measures().len();
    assert_eq!(options.clone().measures().len(), measures);
    let _ = (options.counts(), options.now());
});
