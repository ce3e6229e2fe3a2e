//! Any text as a measure and as a rule: refused in words that may be shown, or printed back as the
//! same.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::error::Error;
use queuewatch::measure::{Argument, Measure};
use queuewatch::rules::{Level, Rule};
use queuewatch_fuzz::{assert_harmless, assert_harmless_error};

/// The longest name in brackets, and the longest name of an instance, that are shown whole, in bytes.
const SHOWN: (usize, usize) = (128, 64);

fn refused(error: &Error, text: &str) {
    assert_harmless_error(error);
    let offset = error.offset().expect("where it is wrong");
    assert!(text.is_char_boundary(offset), "{offset} in {text:?}");
}

/// Whether a stranger's bytes in it are shown as they are.
fn is_plain(measure: &Measure) -> bool {
    let plain = |name: &str, shown| {
        name.len() <= shown
            && name
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && !b"|<>$`".contains(&byte))
    };
    let argument = match &measure.argument {
        Argument::Name(name) => plain(name, SHOWN.0),
        Argument::None | Argument::Age(..) => true,
    };
    let instance = measure.instance.as_deref();
    argument && instance.is_none_or(|name| plain(name, SHOWN.1))
}

fn measure(text: &str) {
    let measure = match Measure::parse(text) {
        Ok(measure) => measure,
        Err(error) => return refused(&error, text),
    };
    let printed = measure.to_string();
    assert_harmless(&printed);
    let again = Measure::parse(&printed).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(again.to_string(), printed);
    assert_eq!((again.subject, again.kind), (measure.subject, measure.kind));
    if is_plain(&measure) {
        assert_eq!(printed, text);
        assert_eq!(again, measure);
    }
    let _ = (measure.unit(), measure.queues(), measure.row().help);
}

fn rule(text: &str) {
    for level in [Level::Warning, Level::Critical] {
        let rule = match Rule::parse(level, text) {
            Ok(rule) => rule,
            Err(error) => {
                refused(&error, text);
                continue;
            }
        };
        let printed = rule.to_string();
        assert_harmless(&printed);
        let again =
            Rule::parse(level, &printed).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let ranges = |rule: &Rule| -> Vec<_> { rule.parts.iter().map(|part| part.range.clone()).collect() };
        assert_eq!(ranges(&again), ranges(&rule));
        assert!(again == rule || !rule.measures().all(is_plain));
    }
}

fuzz_target!(|text: &str| {
    measure(text);
    rule(text);
});
