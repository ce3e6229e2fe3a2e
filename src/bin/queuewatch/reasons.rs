//! `queuewatch reasons`: why mail waits.

use std::fmt::Write as _;
use std::process::ExitCode;

use queuewatch::anonymize::Anonymizer;
use queuewatch::clock::Age;
use queuewatch::error::Result;
use queuewatch::escape;
use queuewatch::listing::ListRequest;
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::postfix::queue::{Queue, QueueSet};
use queuewatch::render::{json, moment};
use queuewatch::rights;
use queuewatch::scan::MessageRow;
use queuewatch::snapshot::TableSet;
use queuewatch::snapshot::filtered_reasons::filtered_reasons;
use queuewatch::snapshot::reasons::{Reason, ReasonGrouping, Reasons};

use crate::anonymize;
use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{WHICH, filters, of_library, print, queues_named, tell_unread, tell_unread_of};

pub(crate) const HELP: &str = "\
Usage: queuewatch reasons [OPTIONS] [QUEUE ...]

Prints for whom mail waits and why: recipients by destination domain, enhanced status code and the
last delay reason, with the cause, who acts, and the age of the oldest message; most recipients first.
In a reason ADDRESS, HOST, IP, URL, ID, TIME and N stand for the parts that differ from message to
message. Without QUEUE: deferred, active, incoming, hold.

Filters pick messages: a message must match one filter of each kind that is given. Those about a delivery
(--recipient, --domain, --reason, --cause, --next-hop) must hold for one and the same recipient. --not before
a filter inverts it: no recipient of the message may match.
";

#[rustfmt::skip]
const FLAGS: [Flag; 4] = [
    Flag { short: Some('j'), name: "json", takes: Takes::Nothing,
        help: "print JSON" },
    Flag { short: None, name: "by", takes: Takes::One("WHAT"),
        help: "one row for each domain, next-hop (relay, MX host or socket) or cause" },
    Flag { short: None, name: "limit", takes: Takes::One("N"),
        help: "at most N rows; one more row has the sum of the rest" },
    Flag { short: None, name: "raw", takes: Takes::Nothing,
        help: "reasons as Postfix wrote them" },
];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(anonymize::FLAGS);
    flags.extend(of_library(&["causes"]));
    flags.extend(filters());
    flags.extend(of_library(&WHICH));
    flags
}

/// What the words of the command line ask for.
#[derive(Default)]
struct Asked {
    options: Options,
    json: bool,
    by: Option<ReasonGrouping>,
    limit: Option<usize>,
    raw: bool,
    anonymize: anonymize::Asked,
    queues: QueueSet,
}

impl Asked {
    fn set(&mut self, name: &'static str, value: &[u8]) -> Result<()> {
        match name {
            "json" => self.json = true,
            "raw" => self.raw = true,
            "by" => {
                self.by = Some(match value {
                    b"domain" => ReasonGrouping::Domain,
                    b"next-hop" => ReasonGrouping::NextHop,
                    b"cause" => ReasonGrouping::Cause,
                    _ => return Err(args::usage("--by takes domain, next-hop or cause")),
                });
            }
            "limit" => {
                let number = std::str::from_utf8(value).ok();
                let number = number.and_then(|text| text.parse().ok());
                let number = number.filter(|number| *number > 0);
                self.limit =
                    Some(number.ok_or_else(|| args::usage("--limit takes a number above 0"))?);
            }
            _ if self.anonymize.take(name, value)? => {}
            _ => self.options.set(name, value)?,
        }
        Ok(())
    }
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut asked = Asked::default();
    for word in words {
        match word {
            Word::Flag(name, value) => asked.set(name, &value)?,
            Word::Plain(word) => {
                asked.queues = asked.queues.or(queues_named(&word)?);
            }
        }
    }
    if asked.queues.is_empty() {
        asked.queues = QueueSet::TOTAL.without(Queue::Maildrop);
    }
    // The key file is opened before the program confines itself.
    let anonymizer = asked.anonymize.anonymizer()?;
    let anonymizer = anonymizer.as_ref();
    // A message says which words of its reasons are names.
    match asked.raw || anonymizer.is_some() || !asked.options.pick()?.is_empty() {
        true => picked(&asked, anonymizer),
        false => counted(asked),
    }
}

/// All of the queues, from the tables of a scan.
fn counted(asked: Asked) -> Result<ExitCode> {
    let Asked {
        mut options,
        queues,
        ..
    } = asked;
    for queue in QueueSet::ALL
        .iter()
        .filter(|queue| !queues.contains(*queue))
    {
        options.set("exclude", queue.name().as_bytes())?;
    }
    let tables = TableSet {
        reasons: true,
        causes: true,
        ..TableSet::default()
    };
    let scanned =
        rights::raised(|| Confinement::new().scan_listable(&options, Purpose::Check(tables)));
    rights::give_up();
    let snapshot = scanned?;
    let reasons = snapshot.reasons_by_next_hop(queues);
    let asked = Asked { options, ..asked };
    let whole = snapshot.is_whole();
    tell(&asked, None, reasons, (snapshot.now, whole))?;
    Ok(tell_unread_of(&snapshot))
}

/// The messages that are picked, one by one.
fn picked(asked: &Asked, anonymizer: Option<&Anonymizer>) -> Result<ExitCode> {
    let options = &asked.options;
    let request = ListRequest {
        queues: asked.queues,
        pick: options.pick()?.clone(),
        sort: None,
        limit: None,
        reasons: true,
        origins: false,
        bounces: false,
        now: options.now(),
        readers: options.readers(),
        deadline: options.deadline(),
    };
    let read = rights::raised(|| {
        let instances = Confinement::new().instances(options)?;
        let rename = anonymizer.map(|anonymizer| |row: &MessageRow| anonymizer.row(row));
        let renamed = rename.as_ref().map(|rename| rename as _);
        filtered_reasons(instances, &request, asked.raw, renamed)
    });
    rights::give_up();
    let (reasons, outcome) = read?;
    let whole = outcome.unreadable == 0 && !outcome.cut;
    tell(asked, anonymizer, reasons, (request.now, whole))?;
    Ok(tell_unread(
        outcome.gaps.iter(),
        outcome.unreadable,
        outcome.cut,
    ))
}

/// Prints `reasons` as of `now`; `whole` says whether all was read.
fn tell(
    asked: &Asked,
    anonymizer: Option<&Anonymizer>,
    reasons: Reasons,
    (now, whole): (i64, bool),
) -> Result<ExitCode> {
    let mut reasons = reasons.by(asked.by);
    let rest = match asked.limit {
        Some(limit) => reasons.cut(limit),
        None => 0,
    };
    if let Some(anonymizer) = anonymizer {
        // The reasons have tokens since the messages were read.
        for row in &mut reasons.rows {
            row.domain = anonymizer.destination(&row.domain);
            row.code = anonymizer.code(&row.code);
            row.next_hop = anonymizer.text(&row.next_hop);
        }
    }
    if asked.json {
        return print(&format!("{}\n", json::reasons(&reasons, rest, now, whole)));
    }
    let text = table(&reasons, rest, now);
    // A queue that could not be read is not an empty queue.
    match text.is_empty() && whole {
        true => print("no mail waits\n"),
        false => print(&text),
    }
}

const HEADS: [&str; 7] = [
    "recipients",
    "oldest",
    "cause",
    "acts",
    "domain",
    "code",
    "next hop",
];

fn table(reasons: &Reasons, rest: u64, now: i64) -> String {
    let mut text = String::new();
    let hop = |row: &Reason| match row.next_hop.as_slice() {
        b"" => "-".to_owned(),
        name => escape::domain::shown(name, 64),
    };
    let cells = |row: &Reason| {
        let oldest = row.oldest.map_or_else(
            || "-".to_owned(),
            |at| Age(now.saturating_sub(at).max(0)).to_string(),
        );
        let domain = match row.domain.as_slice() {
            b"" => "-".to_owned(),
            name => escape::domain::shown(name, 64),
        };
        [
            row.recipients.to_string(),
            oldest,
            row.cause.name().to_owned(),
            row.acts.name().to_owned(),
            domain,
            escape::shown(&row.code, 16),
            hop(row),
        ]
    };
    let rows: Vec<_> = reasons.rows.iter().map(|row| (cells(row), row)).collect();
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|(cells, _)| cells[column].chars().count());
        cells.max().unwrap_or(0).max(HEADS[column].len())
    });
    let mut line = |cells: [&str; 7], last: &str| {
        for (column, cell) in cells.iter().enumerate() {
            let width = widths[column];
            let _ = match column {
                0 => write!(text, "{cell:>width$}  "),
                _ => write!(text, "{cell:<width$}  "),
            };
        }
        text.push_str(last);
        text.truncate(text.trim_end().len());
        text.push('\n');
    };
    if !rows.is_empty() {
        line(HEADS, "reason");
    }
    for (cells, row) in &rows {
        let cells: [&str; 7] = std::array::from_fn(|column| cells[column].as_str());
        line(cells, &escape::shown(&row.reason, 240));
    }
    let total: u64 = reasons.rows.iter().map(|row| row.recipients).sum();
    if !rows.is_empty() {
        let _ = writeln!(text, "{:>10}  in all", total + rest);
    }
    for (count, what) in [
        (rest, "of these in rows beyond the limit"),
        (
            reasons.unlisted,
            "wait for reasons beyond the limit of the table",
        ),
        (
            reasons.unexplained,
            "have no delay reason on record: not tried yet, being tried now, or on hold",
        ),
    ] {
        if count > 0 {
            let _ = writeln!(text, "{count:>10}  {what}");
        }
    }
    for spread in &reasons.spreads {
        let _ = writeln!(text, "{}", spread.sentence(|at| moment(at, now)));
    }
    text
}
