//! A rule: a measure, a range, and the state that a breach means.

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::measure::{Kind, Measure, Subject};
use crate::spelling::with_value;

use super::defaults::Condition;
use super::range::Range;
use super::state::State;

/// The severity of a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// `-w`.
    Warning,
    /// `-c`.
    Critical,
}

impl Level {
    /// The service state of a breach.
    pub fn state(self) -> State {
        match self {
            Level::Warning => State::Warning,
            Level::Critical => State::Critical,
        }
    }

    /// Its name in service output.
    pub fn name(self) -> &'static str {
        match self {
            Level::Warning => "warning",
            Level::Critical => "critical",
        }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The severity of a breach.
    pub level: Level,
    /// The measure.
    pub measure: Measure,
    /// The range.
    pub range: Range,
    /// Whether it is a built-in default. A default rule is silent if its measure is not available on
    /// this host; a rule of the user is then UNKNOWN.
    pub default: bool,
    /// What a default leaves out, or what else must be so.
    pub condition: Condition,
}

impl Rule {
    /// Whether it judges delay reasons: a cause, or what remains without some causes.
    pub(crate) fn is_about_reasons(&self) -> bool {
        self.measure.kind == Kind::Cause || matches!(self.condition, Condition::Without(_))
    }

    /// Parses `MEASURE=RANGE`, or a bare range for `total.messages`.
    ///
    /// # Errors
    /// Of kind `Syntax`, with the rule, the character and the expected text.
    pub fn parse(level: Level, text: &str) -> Result<Self> {
        // An argument in brackets may contain an equals sign.
        let brackets = text.rfind(')').map_or(0, |at| at + 1);
        let (measure, range_at) = match text[brackets..].find('=') {
            Some(at) => {
                let measure = Measure::parse(&text[..brackets + at]).map_err(|error| {
                    let at = error.offset().unwrap_or(0);
                    error.within(&place(level, text)).with_offset(at)
                })?;
                (measure, brackets + at + 1)
            }
            None => (Measure::new(Subject::Total, Kind::Messages), 0),
        };
        let spelling = &text[range_at..];
        let range = Range::parse(spelling, measure.unit()).map_err(|(offset, what)| {
            let at = range_at + offset;
            if range_at == 0 && text.starts_with(|c: char| c.is_ascii_lowercase()) {
                return match Measure::parse(text) {
                    Ok(measure) => Error::new(
                        ErrorKind::Syntax,
                        format!(
                            "{}: the range is missing; write {measure}=RANGE",
                            place(level, text)
                        ),
                    )
                    .with_offset(text.len()),
                    Err(error) => error.within(&place(level, text)),
                };
            }
            Error::new(
                ErrorKind::Syntax,
                format!("{}: character {}: {what}", place(level, text), at + 1),
            )
            .with_offset(at)
        })?;
        Ok(Rule {
            level,
            measure,
            range,
            default: false,
            condition: Condition::None,
        })
    }
}

fn place(level: Level, text: &str) -> String {
    with_value(level.name(), &escape::shown(text.as_bytes(), 128))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read() {
        for (text, measure, range) in [
            ("10", "total.messages", "10"),
            ("@10:20", "total.messages", "@10:20"),
            ("deferred.oldest=4h", "deferred.oldest", "14400"),
            ("hold.sender(a=b@c)=5", "hold.sender(a=b@c)", "5"),
            ("out/deferred.messages=1:", "out/deferred.messages", "1:"),
        ] {
            let rule = Rule::parse(Level::Warning, text).expect(text);
            assert_eq!(
                (
                    rule.measure.to_string().as_str(),
                    rule.range.to_string().as_str()
                ),
                (measure, range)
            );
        }
    }

    #[test]
    fn errors_name_rule_character_and_remedy() {
        for (text, message) in [
            (
                "deferred.messages=10:5",
                "\"critical\" \"deferred.messages=10:5\": character 19: the start 10 is greater than the end 5",
            ),
            (
                "deferred.oldest=5k",
                "\"critical\" \"deferred.oldest=5k\": character 18: \"k\" is not a unit of age: s m h d w",
            ),
            (
                "deferred.messages",
                "\"critical\" \"deferred.messages\": the range is missing; write deferred.messages=RANGE",
            ),
            (
                "bogus",
                "\"critical\" \"bogus\": measure \"bogus\": character 1: a measure is QUEUE.NAME, for example deferred.messages",
            ),
            (
                "hold.domain(a=b)",
                "\"critical\" \"hold.domain(a=b)\": the range is missing; write hold.domain(a=b)=RANGE",
            ),
            (
                "=5",
                "\"critical\" \"=5\": measure \"\": character 1: a measure is QUEUE.NAME, for example deferred.messages",
            ),
            (
                "",
                "\"critical\" \"\": character 1: the range is empty; write for example 10, 10:, ~:10, 10:20 or @10:20",
            ),
        ] {
            let error = Rule::parse(Level::Critical, text).expect_err(text);
            assert_eq!(error.to_string(), message);
            assert_eq!(error.kind(), ErrorKind::Syntax);
        }
    }
}
