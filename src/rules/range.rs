//! The range of the Monitoring Plugins: `[@]start:end`, parsed strictly and printed back.
//!
//! `10` is `0:10`, `10:` has no end, `~:10` no start; both ends are inside the range. A range alerts on
//! values outside, with `@` on values inside. Syntax that known implementations interpret differently is
//! rejected (contract.md, "Ranges").

use std::fmt;

use crate::measure::Unit;
use crate::measure::quantity::{self, SyntaxError};

/// A range, in the base unit of its measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    start: f64,
    end: f64,
    inside: bool,
    spelling: String,
}

impl Range {
    /// Parses a range for a measure of `unit`.
    ///
    /// # Errors
    /// The offset of the first wrong byte, and the expected text.
    pub fn parse(text: &str, unit: Unit) -> Result<Self, SyntaxError> {
        let (inside, body_at) = match text.strip_prefix('@') {
            Some(_) => (true, 1),
            None => (false, 0),
        };
        let body = &text[body_at..];
        if body.is_empty() {
            let what = "the range is empty; write for example 10, 10:, ~:10, 10:20 or @10:20";
            return Err((body_at, what.to_owned()));
        }
        let (start, end) = match body.split_once(':') {
            None if body == "~" => {
                return Err((body_at, "~ must come before a colon, as in ~:10".to_owned()));
            }
            None => (0.0, end_number(body, body_at, unit)?),
            Some(("", "")) => {
                let what = "a colon alone says nothing; write 10: or ~:10";
                return Err((body_at, what.to_owned()));
            }
            Some((start, end)) => {
                let end_at = body_at + start.len() + 1;
                let from = match start {
                    "" => 0.0,
                    "~" => f64::NEG_INFINITY,
                    _ => shift(quantity::parse(start, unit), body_at)?,
                };
                let to = match end {
                    "" => f64::INFINITY,
                    "~" => {
                        let what = "~ means no start; leave the end empty for no end";
                        return Err((end_at, what.to_owned()));
                    }
                    _ => end_number(end, end_at, unit)?,
                };
                (from, to)
            }
        };
        if start > end {
            return Err((
                body_at,
                format!(
                    "the start {} is greater than the end {}",
                    quantity::plain(start),
                    quantity::plain(end)
                ),
            ));
        }
        Ok(Range {
            start,
            end,
            inside,
            spelling: text.to_owned(),
        })
    }

    /// Whether it alerts on `value`.
    pub fn alerts(&self, value: f64) -> bool {
        (self.start <= value && value <= self.end) == self.inside
    }

    /// Whether it alerts on every value from `least` on, so that a lower bound is enough.
    pub fn alerts_from(&self, least: f64) -> bool {
        if self.inside {
            self.start <= least && self.end == f64::INFINITY
        } else {
            least > self.end
        }
    }

    /// The value above which it alerts; `None` if there is none.
    pub fn limit(&self) -> Option<f64> {
        (!self.inside && self.end.is_finite()).then_some(self.end)
    }

    /// The text that the user wrote.
    pub fn spelling(&self) -> &str {
        &self.spelling
    }
}

fn shift(number: Result<f64, SyntaxError>, by: usize) -> Result<f64, SyntaxError> {
    number.map_err(|(offset, what)| (offset + by, what))
}

fn end_number(text: &str, at: usize, unit: Unit) -> Result<f64, SyntaxError> {
    if let Some(colon) = text.find(':') {
        let what = "a range has one colon at most";
        return Err((at + colon, what.to_owned()));
    }
    shift(quantity::parse(text, unit), at)
}

/// In the base unit without suffixes, the form of performance data.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inside {
            f.write_str("@")?;
        }
        if self.start == f64::NEG_INFINITY {
            f.write_str("~:")?;
        } else if self.start != 0.0 || self.end == f64::INFINITY {
            write!(f, "{}:", quantity::plain(self.start))?;
        }
        if self.end != f64::INFINITY {
            f.write_str(&quantity::plain(self.end))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranges_alert_as_the_guidelines_say() {
        for (text, printed, quiet, loud) in [
            ("10", "10", &[0.0, 10.0][..], &[-1.0, 10.5][..]),
            ("10:", "10:", &[10.0, 1e9], &[9.0, -1.0]),
            ("~:10", "~:10", &[-1e9, 10.0], &[11.0]),
            ("10:20", "10:20", &[10.0, 20.0], &[9.0, 21.0]),
            ("@10:20", "@10:20", &[9.0, 21.0], &[10.0, 20.0]),
            (":10", "10", &[0.0, 10.0], &[-1.0, 11.0]),
            ("0", "0", &[0.0], &[1.0]),
            ("@0", "@0", &[1.0], &[0.0]),
            ("1:1", "1:1", &[1.0], &[0.0, 2.0]),
            ("-5:-1", "-5:-1", &[-3.0], &[0.0]),
            ("~:", "~:", &[-1.0, 1.0], &[]),
            ("0:", "0:", &[0.0, 1.0], &[-1.0]),
            ("@5:", "@5:", &[4.0], &[5.0, 1e9]),
        ] {
            let range = Range::parse(text, Unit::Count).expect(text);
            assert_eq!(range.to_string(), printed);
            assert_eq!(range.spelling(), text);
            for value in quiet {
                assert!(!range.alerts(*value), "{text} on {value}");
            }
            for value in loud {
                assert!(range.alerts(*value), "{text} on {value}");
            }
        }
    }

    #[test]
    fn suffixes_are_printed_in_the_base_unit() {
        for (text, unit, printed) in [
            ("4h", Unit::Seconds, "14400"),
            ("1m:1h", Unit::Seconds, "60:3600"),
            ("1GiB:", Unit::Bytes, "1073741824:"),
            ("80%", Unit::Percent, "80"),
        ] {
            assert_eq!(Range::parse(text, unit).expect(text).to_string(), printed);
        }
    }

    #[test]
    fn an_invalid_range_is_refused_at_the_wrong_character() {
        for (text, at, part) in [
            ("", 0, "the range is empty"),
            ("@", 1, "the range is empty"),
            (":", 0, "a colon alone"),
            ("@:", 1, "a colon alone"),
            ("~", 0, "~ must come before a colon"),
            ("@~", 1, "~ must come before a colon"),
            ("10:~", 3, "~ means no start"),
            ("10:5", 0, "the start 10 is greater than the end 5"),
            ("@10:5", 1, "the start 10 is greater"),
            ("1:2:3", 3, "one colon"),
            ("1 :2", 1, "blanks"),
            (" 10", 0, "expected a number"),
            ("10: 20", 3, "expected a number"),
            ("1e3", 1, "exponents"),
            ("10h", 2, "plain number"),
            ("x", 0, "expected a number, not \"x\""),
            ("@@1", 1, "not \"@\""),
            ("~5:10", 0, "not \"~\""),
            ("5,10", 1, "plain number"),
        ] {
            let (offset, what) = Range::parse(text, Unit::Count).expect_err(text);
            assert!(what.contains(part), "{text}: {what}");
            assert_eq!(offset, at, "{text}: {what}");
        }
    }

    #[test]
    fn a_lower_bound_proves_what_no_greater_value_could_undo() {
        for (text, least, proven) in [
            ("10", 11.0, true),
            ("10", 10.0, false),
            ("10:", 5.0, false),
            ("10:", 50.0, false),
            ("~:10", 11.0, true),
            ("@10:20", 15.0, false),
            ("@10:", 15.0, true),
            ("@10:", 9.0, false),
        ] {
            let range = Range::parse(text, Unit::Count).expect(text);
            assert_eq!(range.alerts_from(least), proven, "{text} from {least}");
        }
    }

    proptest! {
        #[test]
        fn printed_ranges_read_back(start in proptest::option::of(-1000i32..1000), length in proptest::option::of(0i32..1000), inside: bool) {
            let text = format!(
                "{}{}:{}",
                if inside { "@" } else { "" },
                start.map_or("~".to_owned(), |start| start.to_string()),
                length.map_or(String::new(), |length| (start.unwrap_or(0) + length).to_string()),
            );
            let range = Range::parse(&text, Unit::Count).expect(&text);
            let again = Range::parse(&range.to_string(), Unit::Count).expect("what was printed");
            for value in -2100..2100 {
                prop_assert_eq!(range.alerts(f64::from(value)), again.alerts(f64::from(value)));
            }
        }

        #[test]
        fn a_proven_alert_is_an_alert(text in "@?(~|-?[0-9]{1,3})?:(-?[0-9]{1,3})?", least in -999i32..999, more in 0i32..2000) {
            if let Ok(range) = Range::parse(&text, Unit::Count) {
                if range.alerts_from(f64::from(least)) {
                    prop_assert!(range.alerts(f64::from(least + more)));
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}") {
            if let Err((offset, _)) = Range::parse(&text, Unit::Seconds) {
                prop_assert!(offset <= text.len());
            }
        }
    }
}
