//! A rule: a measure, a range, and the state that a breach means.

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::measure::{Kind, Measure, Subject};
use crate::spelling::with_value;

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
}

impl Rule {
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
        })
    }
}

fn place(level: Level, text: &str) -> String {
    with_value(level.name(), &escape::shown(text.as_bytes(), 128))
}

/// The default rules: ages, shares and states that suit any host, and no counts. `live` says that the
/// spool belongs to an instance with a main.cf, so that its master matters; `active_limit` is its
/// `qmgr_message_active_limit`.
pub fn defaults(live: bool, active_limit: u64) -> Vec<Rule> {
    const RULES: [(Level, &str); 14] = [
        (Level::Warning, "deferred.oldest=4h"),
        (Level::Critical, "deferred.oldest=2d"),
        (Level::Warning, "incoming.oldest=15m"),
        (Level::Critical, "incoming.oldest=1h"),
        (Level::Warning, "maildrop.oldest=15m"),
        (Level::Critical, "maildrop.oldest=1h"),
        (Level::Warning, "active.fill=80%"),
        (Level::Critical, "active.fill=95%"),
        (Level::Critical, "corrupt.messages=0"),
        (Level::Warning, "spool.damaged=0"),
        (Level::Warning, "spool.altered=0"),
        (Level::Critical, "spool.misowned=0"),
        (Level::Warning, "disk.free_bytes=512MiB:"),
        (Level::Critical, "disk.free_bytes=64MiB:"),
    ];
    let running = ["master.running=1:", "qmgr.running=1:"];
    let running = running.into_iter().filter(|_| live);
    let running = running.map(|rule| (Level::Critical, rule));
    // Without a main.cf nobody knows how deep the hash directories are to be.
    let misplaced = live.then_some((Level::Warning, "spool.misplaced=0"));
    // A tenth of qmgr's active limit.
    let one_sender = format!("deferred.top_sender={}", active_limit / 10);
    RULES
        .into_iter()
        .chain([(Level::Warning, one_sender.as_str())])
        .chain(misplaced)
        .chain(running)
        .filter_map(|(level, text)| {
            let mut rule = Rule::parse(level, text).ok()?;
            rule.default = true;
            Some(rule)
        })
        .collect()
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
                "\"critical\" \"deferred.oldest=5k\": character 18: \"k\" is no unit of age: s m h d w",
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

    #[test]
    fn every_default_is_a_rule() {
        assert_eq!(defaults(true, 20_000).len(), 18);
        assert_eq!(defaults(false, 20_000).len(), 15);
        assert!(defaults(true, 20_000).iter().all(|rule| rule.default));
    }
}
