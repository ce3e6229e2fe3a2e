//! The spelling of a measure, `[INSTANCE/]SUBJECT.NAME[(ARGUMENT)]`: parsed and printed back.

use std::fmt;

use super::catalogue::{ArgumentKind, Kind, find, rows_of};
use super::names::{shown_address, shown_login};
use super::quantity::{self, Unit};
use super::{Argument, Measure, Subject};
use crate::cause::Cause;
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::postfix::origin::Network;

/// As [`Measure::parse`].
impl std::str::FromStr for Measure {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Measure::parse(text)
    }
}

impl Measure {
    /// Parses the spelling of a measure.
    ///
    /// # Errors
    /// Of kind `Syntax`, with the offset of the first wrong byte.
    pub fn parse(text: &str) -> Result<Self> {
        // An instance name has no bracket and no dot before its slash; an argument may have both.
        let head = text.find('(').unwrap_or(text.len());
        let (instance, rest) = match text[..head].rfind('/') {
            Some(slash) => (Some(text[..slash].to_owned()), &text[slash + 1..]),
            None => (None, text),
        };
        let base = text.len() - rest.len();
        if instance.as_deref() == Some("") {
            return Err(wrong(text, 0, "the instance name before / is empty"));
        }
        let Some((subject_name, name)) = rest.split_once('.') else {
            return Err(wrong(
                text,
                base,
                "a measure is QUEUE.NAME, for example deferred.messages",
            ));
        };
        let Some(subject) = Subject::from_name(subject_name) else {
            return Err(wrong(
                text,
                base,
                &format!(
                    "no queue is called {}; there are maildrop, incoming, active, deferred, hold, \
                     corrupt, backlog, total, and spool, disk, master",
                    quoted(subject_name)
                ),
            ));
        };
        let at = base + subject_name.len() + 1;
        let (name, argument) = match name.split_once('(') {
            None => (name, None),
            Some((name, argument)) => match argument.strip_suffix(')') {
                Some(argument) => (name, Some(argument)),
                None => return Err(wrong(text, text.len(), "the closing ) is missing")),
            },
        };
        let Some(row) = find(subject, name) else {
            return Err(wrong(
                text,
                at,
                &format!(
                    "{subject_name} has no measure {}; it has {}",
                    quoted(name),
                    names_of(subject)
                ),
            ));
        };
        let argument_at = at + name.len() + 1;
        let argument = match (row.argument, argument) {
            (ArgumentKind::None, None) => Argument::None,
            (ArgumentKind::None, Some(_)) => {
                return Err(wrong(
                    text,
                    argument_at - 1,
                    &format!("{} takes nothing in brackets", row.spelling),
                ));
            }
            (_, None | Some("")) => {
                return Err(wrong(
                    text,
                    argument_at - 1,
                    &format!("it is spelt {}", row.spelling),
                ));
            }
            (ArgumentKind::Age, Some(age)) => match quantity::parse(age, Unit::Seconds) {
                Ok(seconds) if seconds >= 0.0 => Argument::Age(seconds as i64, age.to_owned()),
                Ok(_) => return Err(wrong(text, argument_at, "an age is not negative")),
                Err((offset, what)) => return Err(wrong(text, argument_at + offset, &what)),
            },
            (ArgumentKind::Code, Some(code)) => match status_code(code) {
                Ok(code) => Argument::Name(code),
                Err(error) => return Err(wrong(text, argument_at, &error.to_string())),
            },
            (ArgumentKind::Cause, Some(name)) => match cause(name) {
                Ok(name) => Argument::Name(name),
                Err(what) => return Err(wrong(text, argument_at, &what)),
            },
            (ArgumentKind::Name, Some(name)) => match named(row.kind, name) {
                Ok(name) => Argument::Name(name),
                Err(what) => return Err(wrong(text, argument_at, what)),
            },
        };
        Ok(Measure {
            instance,
            subject,
            kind: row.kind,
            argument,
        })
    }
}

/// The spelling; the argument is printed as the user wrote it.
impl Measure {
    /// The name that it is about, as figures show names and filters take them; empty if it has none.
    pub(crate) fn shown_name(&self) -> String {
        let name = self.name().as_bytes();
        match self.kind {
            Kind::Login | Kind::Client => shown_login(name),
            _ => shown_address(name),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(instance) = &self.instance {
            write!(f, "{}/", escape::printable(instance.as_bytes(), 64))?;
        }
        let spelling = self.row().spelling;
        let name = spelling.split_once('.').map_or(spelling, |(_, name)| name);
        let name = name.split_once('(').map_or(name, |(name, _)| name);
        write!(f, "{}.{name}", self.subject.name())?;
        match &self.argument {
            Argument::None => Ok(()),
            Argument::Age(_, text) => write!(f, "({text})"),
            Argument::Name(_) => write!(f, "({})", self.shown_name()),
        }
    }
}

/// An enhanced status code or a prefix of one: `4`, `4.7`, `4.7.1`.
///
/// # Errors
/// Of kind `Syntax` for any other text.
pub(crate) fn status_code(text: &str) -> Result<String> {
    let parts: Vec<&str> = text.split('.').collect();
    let digits =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let sound = matches!(parts.first(), Some(&("2" | "4" | "5")))
        && parts.len() <= 3
        && parts.iter().all(digits);
    if sound {
        return Ok(text.to_owned());
    }
    Err(Error::new(
        ErrorKind::Syntax,
        format!(
            "{} is not an enhanced status code such as 4, 4.7 or 4.7.1",
            quoted(text)
        ),
    ))
}

/// The name of a cause, `ours` or `theirs`.
fn cause(name: &str) -> Result<String, String> {
    if matches!(name, "ours" | "theirs") || Cause::of_name(name.as_bytes()).is_some() {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    Err(format!(
        "there is no cause {}; there are {}, and ours and theirs",
        quoted(name),
        names.join(", ")
    ))
}

/// Checks the argument of a measure; rejects a name that can match nothing.
fn named(kind: Kind, name: &str) -> Result<String, &'static str> {
    match kind {
        Kind::Domain if name.contains(['@', '<', '>']) => {
            Err("give a domain without the address before it: example.com")
        }
        // The null sender, as SMTP spells it.
        Kind::Sender if name == "<>" => Ok("MAILER-DAEMON".to_owned()),
        Kind::Sender if name.starts_with('@') || name.contains(['<', '>']) => {
            Err("a sender is an address or a domain: user@example.com or example.com")
        }
        Kind::Client if Network::parse(name.as_bytes()).is_none() => {
            Err("a client is an address or a network: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32")
        }
        _ => Ok(name.to_owned()),
    }
}

fn names_of(subject: Subject) -> String {
    rows_of(subject)
        .filter_map(|row| row.spelling.split_once('.'))
        .map(|(_, name)| name)
        .collect::<Vec<_>>()
        .join(", ")
}

pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", escape::shown(text.as_bytes(), 64))
}

fn wrong(text: &str, offset: usize, what: &str) -> Error {
    Error::new(
        ErrorKind::Syntax,
        format!("measure {}: character {}: {what}", quoted(text), offset + 1),
    )
    .with_offset(offset)
}

#[cfg(test)]
mod tests {
    use super::super::CATALOGUE;
    use super::*;

    #[test]
    fn every_row_is_spelt_as_it_is_read() {
        for row in &CATALOGUE {
            let spelling = row
                .spelling
                .replace("QUEUE", "deferred")
                .replace("AGE", "4h")
                .replace("cause(NAME)", "cause(dns)")
                .replace("NAME", "a.example")
                .replace("ADDRESS", "192.0.2.0/24")
                .replace("CODE", "4.7");
            let measure = Measure::parse(&spelling).expect(&spelling);
            assert_eq!(measure.kind, row.kind);
            assert_eq!(measure.to_string(), spelling);
        }
    }

    #[test]
    fn instances_and_odd_names_are_read() {
        let measure = Measure::parse("postfix-out/total.domain(a/b.(c).example)").unwrap();
        assert_eq!(measure.instance.as_deref(), Some("postfix-out"));
        assert_eq!(measure.argument, Argument::Name("a/b.(c).example".into()));
        assert_eq!(
            Measure::parse("hold.older(90)").unwrap().argument,
            Argument::Age(90, "90".into())
        );
    }

    #[test]
    fn an_invalid_measure_is_refused_at_the_wrong_character() {
        for (text, at, part) in [
            ("", 1, "a measure is QUEUE.NAME"),
            ("deferred", 1, "a measure is QUEUE.NAME"),
            ("deferd.messages", 1, "no queue is called \"deferd\""),
            (
                "deferred.mesages",
                10,
                "no measure \"mesages\"; it has messages, recipients",
            ),
            ("hold.overdue", 6, "no measure \"overdue\""),
            ("deferred.older", 15, "it is spelt QUEUE.older(AGE)"),
            ("deferred.older()", 15, "it is spelt QUEUE.older(AGE)"),
            ("deferred.older(4q)", 17, "unit"),
            ("deferred.older(4h", 18, "closing )"),
            ("deferred.messages(1)", 18, "takes nothing in brackets"),
            ("deferred.reason(3.7)", 17, "not an enhanced status code"),
            ("deferred.reason(4.7.)", 17, "not an enhanced status code"),
            ("/deferred.messages", 1, "instance name"),
            ("out/disk.messages", 10, "disk has no measure"),
            (
                "hold.domain(u@x.example)",
                13,
                "without the address before it",
            ),
            ("hold.sender(@x.example)", 13, "an address or a domain"),
            ("hold.sender(<u@x.example>)", 13, "an address or a domain"),
        ] {
            let error = Measure::parse(text).expect_err(text);
            let message = error.to_string();
            assert!(message.contains(part), "{message}");
            assert!(message.contains(&format!("character {at}:")), "{message}");
        }
    }
}
