//! Any text as a range: what is read is printed back as a range that alerts on the same values.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::error::{Error, ErrorKind};
use queuewatch::measure::Unit;
use queuewatch::rules::Range;
use queuewatch_fuzz::{assert_harmless, assert_harmless_error};

/// The longest number that a range is read from, in characters. Suffixes and fractions can make one
/// whose digits are more than that: it is printed whole, for perfdata, and not read back.
const MAX_DIGITS: usize = 15;

/// What perfdata says, by the rules of the guidelines: start, end, inside.
fn by_guidelines(text: &str) -> (f64, f64, bool) {
    let (inside, text) = match text.strip_prefix('@') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (start, end) = text.split_once(':').unwrap_or(("0", text));
    let start = match start {
        "~" => f64::NEG_INFINITY,
        start => start.parse().expect("a number"),
    };
    let end = match end {
        "" => f64::INFINITY,
        end => end.parse().expect("a number"),
    };
    (start, end, inside)
}

fn check(text: &str, unit: Unit) {
    let range = match Range::parse(text, unit) {
        Ok(range) => range,
        Err((offset, what)) => {
            assert!(text.is_char_boundary(offset), "{offset} in {text:?}");
            assert_harmless_error(&Error::new(ErrorKind::Syntax, what));
            return;
        }
    };
    assert_eq!(range.spelling(), text);
    assert_harmless(text);
    let printed = range.to_string();
    let (start, end, inside) = by_guidelines(&printed);
    assert!(start <= end);
    let mut values = vec![f64::MIN, -1.0, 0.0, 1.0, f64::MAX];
    for border in [start, end] {
        values.extend([border, border.next_up(), border.next_down()]);
    }
    values.retain(|value| value.is_finite());
    for &value in &values {
        let within = start <= value && value <= end;
        assert_eq!(range.alerts(value), within == inside, "{text} on {value}");
        // What a lower bound proves holds for every value that may be behind it.
        if range.alerts_from(value) {
            let above = values.iter().filter(|&&above| above >= value);
            assert!(
                above.copied().all(|above| range.alerts(above)),
                "{text} from {value}"
            );
        }
    }

    let numbers = printed.split([':', '@', '~']);
    let short = numbers
        .map(|number| number.trim_start_matches('-').len())
        .all(|length| length <= MAX_DIGITS);
    match Range::parse(&printed, unit) {
        Ok(again) => {
            assert_eq!(again.to_string(), printed);
            for &value in &values {
                assert_eq!(
                    again.alerts(value),
                    range.alerts(value),
                    "{text} on {value}"
                );
            }
        }
        Err((_, what)) => assert!(!short, "{text} prints as {printed}: {what}"),
    }
}

fuzz_target!(|text: &str| {
    for unit in [Unit::Count, Unit::Bytes, Unit::Seconds, Unit::Percent] {
        check(text, unit);
    }
});
