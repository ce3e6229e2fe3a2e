//! THE catalogue of measures: name, unit, what must be read for it, and how it is taken.
//!
//! Rules, help texts, JSON, OpenMetrics and README's table are made from [`CATALOGUE`]. A measure is
//! spelt `[INSTANCE/]SUBJECT.NAME[(ARGUMENT)]` (contract.md, "Measures"). From the measures that
//! somebody asks for follows how deep a scan goes.
//!
//! Every [`Figure`] has a [`Quality`]: what could not be read makes a figure a lower bound or
//! unknown, never a smaller number that looks exact.

mod evaluate;
pub mod quantity;

use std::fmt;

use crate::clock::Age;
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::postfix::queue::{Queue, QueueSet};
use crate::scan::Depth;
use crate::snapshot::Wanted;

pub(crate) use evaluate::is_retired;
pub use evaluate::{Figure, Quality};

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A plain number.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Percent.
    Percent,
    /// A number a minute.
    PerMinute,
}

impl Unit {
    /// The unit of measurement that perfdata carries (Monitoring Plugins guidelines).
    pub const fn uom(self) -> &'static str {
        match self {
            Unit::Count | Unit::PerMinute => "",
            Unit::Bytes => "B",
            Unit::Seconds => "s",
            Unit::Percent => "%",
        }
    }

    /// `value` for a person: `6h 2m`, `5200`, `97%`, `1.5 GiB`.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds => Age(value as i64).to_string(),
            Unit::Percent => format!("{}%", quantity::plain(value)),
            Unit::Count => quantity::plain(value),
            Unit::PerMinute => format!("{}/min", quantity::plain(value)),
            Unit::Bytes => {
                let mut scaled = value;
                let mut unit = "B";
                for next in ["KiB", "MiB", "GiB", "TiB"] {
                    if scaled < 1024.0 {
                        break;
                    }
                    scaled /= 1024.0;
                    unit = next;
                }
                format!("{} {unit}", quantity::plain((scaled * 10.0).round() / 10.0))
            }
        }
    }
}

/// What a measure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One queue.
    Queue(Queue),
    /// maildrop, incoming, active and deferred.
    Backlog,
    /// The backlog and hold.
    Total,
    /// The spool as a whole.
    Spool,
    /// The file system that holds it.
    Disk,
    /// The master daemon.
    Master,
}

impl Subject {
    /// The queues that it takes in.
    pub fn queues(self) -> QueueSet {
        match self {
            Subject::Queue(queue) => queue.into(),
            Subject::Backlog => QueueSet::BACKLOG,
            Subject::Total => QueueSet::TOTAL,
            Subject::Spool => QueueSet::ALL,
            Subject::Disk | Subject::Master => QueueSet::NONE,
        }
    }

    /// The queues that `name` stands for: those of a queue, of backlog or of total.
    ///
    /// # Errors
    /// Of kind `NotFound`, naming all that there are.
    pub fn queues_named(name: &str) -> Result<QueueSet> {
        let queues = Subject::from_name(name).map(Subject::queues);
        match queues {
            Some(queues) if name != "spool" && !queues.is_empty() => Ok(queues),
            _ => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "no queue is called {}; there are maildrop, incoming, active, deferred, hold, \
                     corrupt, backlog, total",
                    quoted(name)
                ),
            )),
        }
    }

    fn from_name(name: &str) -> Option<Subject> {
        Some(match name {
            "backlog" => Subject::Backlog,
            "total" => Subject::Total,
            "spool" => Subject::Spool,
            "disk" => Subject::Disk,
            "master" => Subject::Master,
            _ => Subject::Queue(Queue::from_name(name)?),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Subject::Queue(queue) => queue.name(),
            Subject::Backlog => "backlog",
            Subject::Total => "total",
            Subject::Spool => "spool",
            Subject::Disk => "disk",
            Subject::Master => "master",
        }
    }
}

/// Which figure of its subject a measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The rows of CATALOGUE tell.
pub enum Kind {
    Messages,
    Recipients,
    Bytes,
    Oldest,
    Older,
    TopDomain,
    Domain,
    TopSender,
    Sender,
    Reason,
    Overdue,
    Expiring,
    Growth,
    Fill,
    Unreadable,
    Damaged,
    Altered,
    FreeBytes,
    FreeInodes,
    Running,
}

/// What stands in the brackets of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// No brackets.
    None,
    /// An age such as `4h`.
    Age,
    /// A domain or an address.
    Name,
    /// An enhanced status code or the beginning of one.
    Code,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The spelling, with `QUEUE` for any queue, `backlog` or `total`.
    pub spelling: &'static str,
    /// Which figure.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// What it is, for help and README.
    pub help: &'static str,
    /// How deep its queues must be read.
    pub depth: Depth,
    /// Which tables it needs.
    pub wanted: Wanted,
    /// What stands in its brackets.
    pub argument: ArgumentKind,
}

const NO_TABLE: Wanted = Wanted {
    domains: false,
    senders: false,
    arrivals: false,
    expiries: false,
    codes: false,
    reasons: false,
};
const DOMAINS: Wanted = Wanted {
    domains: true,
    ..NO_TABLE
};
const SENDERS: Wanted = Wanted {
    senders: true,
    ..NO_TABLE
};
const ARRIVALS: Wanted = Wanted {
    arrivals: true,
    ..NO_TABLE
};
const EXPIRIES: Wanted = Wanted {
    expiries: true,
    ..NO_TABLE
};
const CODES: Wanted = Wanted {
    codes: true,
    ..NO_TABLE
};

const fn row(
    spelling: &'static str,
    kind: Kind,
    unit: Unit,
    depth: Depth,
    wanted: Wanted,
    argument: ArgumentKind,
    help: &'static str,
) -> Row {
    Row {
        spelling,
        kind,
        unit,
        help,
        depth,
        wanted,
        argument,
    }
}

/// Every measure, in the order of contract.md, "Measures".
#[rustfmt::skip]
pub const CATALOGUE: [Row; 20] = [
    row("QUEUE.messages", Kind::Messages, Unit::Count, Depth::Inodes, NO_TABLE, ArgumentKind::None,
        "messages"),
    row("QUEUE.recipients", Kind::Recipients, Unit::Count, Depth::Envelopes, NO_TABLE, ArgumentKind::None,
        "recipients still to be delivered"),
    row("QUEUE.bytes", Kind::Bytes, Unit::Bytes, Depth::Envelopes, NO_TABLE, ArgumentKind::None,
        "sum of the message sizes that mailq prints"),
    row("QUEUE.oldest", Kind::Oldest, Unit::Seconds, Depth::Envelopes, NO_TABLE, ArgumentKind::None,
        "age of the oldest message since it arrived; 0 for an empty queue"),
    row("QUEUE.older(AGE)", Kind::Older, Unit::Count, Depth::Envelopes, ARRIVALS, ArgumentKind::Age,
        "messages older than AGE"),
    row("QUEUE.top_domain", Kind::TopDomain, Unit::Count, Depth::Envelopes, DOMAINS, ArgumentKind::None,
        "recipients of the destination domain that has most"),
    row("QUEUE.domain(NAME)", Kind::Domain, Unit::Count, Depth::Envelopes, DOMAINS, ArgumentKind::Name,
        "recipients of that destination domain"),
    row("QUEUE.top_sender", Kind::TopSender, Unit::Count, Depth::Envelopes, SENDERS, ArgumentKind::None,
        "messages of the sender address that has most"),
    row("QUEUE.sender(NAME)", Kind::Sender, Unit::Count, Depth::Envelopes, SENDERS, ArgumentKind::Name,
        "messages of that sender address (with @) or sender domain (without)"),
    row("QUEUE.reason(CODE)", Kind::Reason, Unit::Count, Depth::Reasons, CODES, ArgumentKind::Code,
        "recipients whose last delay reason has that enhanced status code or prefix"),
    row("deferred.overdue", Kind::Overdue, Unit::Count, Depth::Inodes, NO_TABLE, ArgumentKind::None,
        "messages whose next retry is longer past than one queue_run_delay"),
    row("QUEUE.expiring(AGE)", Kind::Expiring, Unit::Count, Depth::Envelopes, EXPIRIES, ArgumentKind::Age,
        "messages that reach maximal_queue_lifetime (bounce_queue_lifetime for the null sender) within AGE"),
    row("QUEUE.growth", Kind::Growth, Unit::PerMinute, Depth::Inodes, NO_TABLE, ArgumentKind::None,
        "change of messages a minute since the last check that used the same state file"),
    row("active.fill", Kind::Fill, Unit::Percent, Depth::Inodes, NO_TABLE, ArgumentKind::None,
        "messages in active against qmgr_message_active_limit"),
    row("spool.unreadable", Kind::Unreadable, Unit::Count, Depth::Envelopes, NO_TABLE, ArgumentKind::None,
        "directories and files that could not be read, except those that vanished meanwhile"),
    row("spool.damaged", Kind::Damaged, Unit::Count, Depth::Envelopes, NO_TABLE, ArgumentKind::None,
        "ready files in a live queue that are no valid queue files"),
    row("spool.altered", Kind::Altered, Unit::Count, Depth::Inodes, NO_TABLE, ArgumentKind::None,
        "queue files whose group or other mode bits are set: Postfix reads them as commands"),
    row("disk.free_bytes", Kind::FreeBytes, Unit::Bytes, Depth::Names, NO_TABLE, ArgumentKind::None,
        "free bytes of the file system that holds the spool"),
    row("disk.free_inodes", Kind::FreeInodes, Unit::Count, Depth::Names, NO_TABLE, ArgumentKind::None,
        "free inodes of the file system that holds the spool"),
    row("master.running", Kind::Running, Unit::Count, Depth::Names, NO_TABLE, ArgumentKind::None,
        "1 if the master daemon runs, 0 if not"),
];

/// The argument of a measure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// None.
    None,
    /// Seconds, and how the user spelt them.
    Age(i64, String),
    /// A domain or address, as spelt.
    Name(String),
}

/// One measure, perhaps of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Measure {
    /// The instance that it is limited to.
    pub instance: Option<String>,
    /// What it is about.
    pub subject: Subject,
    /// Which figure.
    pub kind: Kind,
    /// What stands in its brackets.
    pub argument: Argument,
}

impl Measure {
    /// A measure without argument, over all instances.
    pub fn new(subject: Subject, kind: Kind) -> Self {
        Measure {
            instance: None,
            subject,
            kind,
            argument: Argument::None,
        }
    }

    /// Reads the spelling of a measure.
    ///
    /// # Errors
    /// Of kind `Syntax`, with the offset of the first byte that is wrong.
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

    /// Its row of the catalogue.
    pub fn row(&self) -> &'static Row {
        CATALOGUE
            .iter()
            .find(|row| row.kind == self.kind)
            .unwrap_or(&CATALOGUE[0])
    }

    /// Its unit.
    pub fn unit(&self) -> Unit {
        self.row().unit
    }

    /// The queues that must be read for it.
    pub fn queues(&self) -> QueueSet {
        self.subject.queues()
    }
}

/// The spelling, with the argument as the user spelt it.
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
            Argument::Name(name) => {
                let name = escape::printable(name.as_bytes(), escape::MAX_SHOWN);
                write!(f, "({name})")
            }
        }
    }
}

/// An enhanced status code or the beginning of one, part by part: `4`, `4.7`, `4.7.1`.
///
/// # Errors
/// Of kind `Syntax` for anything else.
pub fn status_code(text: &str) -> Result<String> {
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
            "{} is no enhanced status code; one is 4, 4.7 or 4.7.1",
            quoted(text)
        ),
    ))
}

/// The name in the brackets of a measure, refused where it could match nothing.
fn named(kind: Kind, name: &str) -> Result<String, &'static str> {
    match kind {
        Kind::Domain if name.contains(['@', '<', '>']) => {
            Err("a domain stands without the address before it: example.com")
        }
        // The null sender, as SMTP spells it.
        Kind::Sender if name == "<>" => Ok("MAILER-DAEMON".to_owned()),
        Kind::Sender if name.starts_with('@') || name.contains(['<', '>']) => {
            Err("a sender is an address or a domain: user@example.com or example.com")
        }
        _ => Ok(name.to_owned()),
    }
}

fn find(subject: Subject, name: &str) -> Option<&'static Row> {
    rows_of(subject).find(|row| {
        let (_, spelt) = row.spelling.split_once('.').unwrap_or_default();
        spelt.split_once('(').map_or(spelt, |(spelt, _)| spelt) == name
    })
}

/// The rows that a subject has.
pub fn rows_of(subject: Subject) -> impl Iterator<Item = &'static Row> {
    CATALOGUE.iter().filter(move |row| {
        let (owner, _) = row.spelling.split_once('.').unwrap_or_default();
        owner == subject.name()
            || owner == "QUEUE"
                && matches!(
                    subject,
                    Subject::Queue(_) | Subject::Backlog | Subject::Total
                )
    })
}

fn names_of(subject: Subject) -> String {
    rows_of(subject)
        .filter_map(|row| row.spelling.split_once('.'))
        .map(|(_, name)| name)
        .collect::<Vec<_>>()
        .join(", ")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escape::printable(text.as_bytes(), 64))
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
    use super::*;

    #[test]
    fn every_row_is_spelt_as_it_is_read() {
        for row in &CATALOGUE {
            let spelling = row
                .spelling
                .replace("QUEUE", "deferred")
                .replace("AGE", "4h")
                .replace("NAME", "a.example")
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
    fn what_is_no_measure_is_refused_where_it_is_wrong() {
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
            ("deferred.reason(3.7)", 17, "no enhanced status code"),
            ("deferred.reason(4.7.)", 17, "no enhanced status code"),
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
