//! A rule: measures with their ranges, and the state that a breach means.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::measure::{Kind, Measure, Subject};
use crate::spelling::with_value;

use super::condition::Condition;
use super::joined::Joined;
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
    pub(crate) fn state(self) -> State {
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
    /// What it judges; it alerts only if all of its parts alert.
    pub parts: Joined<Part>,
    /// Whether it is a built-in default. A default rule is silent if its measure is not available on
    /// this host; a rule of the user is then UNKNOWN.
    pub(crate) default: bool,
    /// What a default leaves out, or what else must be so.
    pub(crate) condition: Condition,
}

/// A measure and its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The measure.
    pub measure: Measure,
    /// The range.
    pub range: Range,
}

/// The most parts of a joined rule.
pub(crate) const MAX_JOINED: usize = 8;

impl Rule {
    /// Whether it judges delay reasons: a cause, or what remains without some causes.
    pub(crate) fn is_about_reasons(&self) -> bool {
        self.measures().any(|measure| measure.kind == Kind::Cause)
            || self.condition.choice().is_some()
    }

    /// Returns its measures.
    pub fn measures(&self) -> impl Iterator<Item = &Measure> {
        self.parts.iter().map(|part| &part.measure)
    }

    /// Returns true if it judges the same measures as `other`.
    pub(crate) fn is_about_the_same(&self, other: &Rule) -> bool {
        self.measures().eq(other.measures())
    }

    /// Parses `MEASURE=RANGE`, a bare range for `total.messages`, or several of those joined by ` and `.
    ///
    /// # Errors
    /// Of kind `Syntax`, with the rule, the character and the expected text.
    pub fn parse(level: Level, text: &str) -> Result<Self> {
        let texts = split(text);
        if texts.len() > MAX_JOINED {
            return Err(Error::new(
                ErrorKind::Syntax,
                format!(
                    "{}: more than {MAX_JOINED} rules joined",
                    place(level, text)
                ),
            ));
        }
        let mut texts = texts.into_iter();
        let first = texts.next().unwrap_or(text);
        let mut parts = Joined::new(Part::parse(level, first)?);
        for text in texts {
            parts.push(Part::parse(level, text)?);
        }
        Ok(Rule {
            level,
            parts,
            default: false,
            condition: Condition::None,
        })
    }
}

impl fmt::Display for Rule {
    /// As it is written, without its level.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, part) in self.parts.iter().enumerate() {
            let and = if number > 0 { AND } else { "" };
            write!(f, "{and}{part}")?;
        }
        Ok(())
    }
}

impl Part {
    fn parse(level: Level, text: &str) -> Result<Self> {
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
        Ok(Part { measure, range })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.measure, self.range.spelling())
    }
}

/// What joins the parts of a rule.
const AND: &str = " and ";

/// The parts of `text` between ` and `, except in brackets: a name may hold it.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut open) = (Vec::new(), 0, false);
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => open = true,
            ')' => open = false,
            ' ' if !open && at >= begin && text[at..].starts_with(AND) => {
                parts.push(text[begin..at].trim());
                begin = at + AND.len();
            }
            _ => {}
        }
    }
    parts.push(if parts.is_empty() {
        text
    } else {
        text[begin..].trim()
    });
    parts
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
            let part = rule.parts.only().expect(text);
            let read = (part.measure.to_string(), part.range.to_string());
            assert_eq!((read.0.as_str(), read.1.as_str()), (measure, range));
        }
    }

    #[test]
    fn rules_are_joined() {
        let parts = |text: &str| -> Vec<String> {
            let rule = Rule::parse(Level::Warning, text).expect(text);
            let again = Rule::parse(Level::Warning, &rule.to_string()).expect(text);
            assert_eq!(again, rule);
            let parts = rule.parts.iter();
            parts
                .map(|part| format!("{}={}", part.measure, part.range))
                .collect()
        };
        for (text, wanted) in [
            (
                "deferred.oldest=2d and deferred.domains(2d)=10",
                &["deferred.oldest=172800", "deferred.domains(2d)=10"][..],
            ),
            (
                "10 and hold.messages=5:",
                &["total.messages=10", "hold.messages=5:"],
            ),
            (
                "hold.messages=1  and  2 and deferred.login(a and b)=3",
                &[
                    "hold.messages=1",
                    "total.messages=2",
                    "deferred.login(a and b)=3",
                ],
            ),
        ] {
            assert_eq!(parts(text), wanted, "{text}");
        }
        for text in [
            "hold.messages=1 and ",
            "hold.messages=1 and",
            " and hold.messages=1",
            "hold.messages=1 and hold.messages",
            "hold.messages=1 & hold.messages=2",
            "1 and 1 and 1 and 1 and 1 and 1 and 1 and 1 and 1",
        ] {
            let error = Rule::parse(Level::Warning, text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Syntax, "{text}");
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
