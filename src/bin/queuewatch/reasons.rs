//! `queuewatch reasons`: why mail waits.

use std::fmt::Write as _;
use std::process::ExitCode;

use queuewatch::clock::Age;
use queuewatch::error::Result;
use queuewatch::escape;
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::postfix::queue::{Queue, QueueSet};
use queuewatch::render::json;
use queuewatch::rights;
use queuewatch::snapshot::reasons::Reasons;
use queuewatch::snapshot::{Snapshot, Wanted};

use crate::args::{Flag, Word};
use crate::{WHICH, of_library, print, queues_named, tell_unread_of};

pub(crate) const HELP: &str = "\
Usage: queuewatch reasons [OPTIONS] [QUEUE ...]

Prints for whom mail waits and why: recipients by destination domain, enhanced status code and the
last delay reason, in which ADDRESS, HOST, IP, URL, ID, TIME and N stand for what changes; most
recipients first, with the age of the oldest message. Without QUEUE: deferred, active, incoming, hold.
";

const JSON: Flag = Flag {
    short: Some('j'),
    name: "json",
    takes: Takes::Nothing,
    help: "print JSON",
};

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = vec![JSON];
    flags.extend(of_library(&WHICH));
    flags
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut json = false;
    let mut queues = QueueSet::NONE;
    for word in words {
        match word {
            Word::Flag("json", _) => json = true,
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => {
                queues = queues.or(queues_named(&word)?);
            }
        }
    }
    if queues.is_empty() {
        queues = QueueSet::TOTAL.without(Queue::Maildrop);
    }
    for queue in QueueSet::ALL
        .iter()
        .filter(|queue| !queues.contains(*queue))
    {
        options.set("exclude", queue.name().as_bytes())?;
    }
    let tables = Wanted {
        reasons: true,
        ..Wanted::default()
    };
    let snapshot = rights::raised(|| options.scan(Purpose::Check(tables)))?;
    let reasons = snapshot.reasons(queues);
    if json {
        print(&format!("{}\n", json::reasons(&snapshot, &reasons)))?;
    } else {
        let text = table(&snapshot, &reasons);
        // What could not be read is no empty queue.
        match text.is_empty() && snapshot.is_whole() {
            true => print("no mail waits\n")?,
            false => print(&text)?,
        };
    }
    Ok(tell_unread_of(&snapshot))
}

fn table(snapshot: &Snapshot, reasons: &Reasons) -> String {
    let mut text = String::new();
    let domain = |bytes: &[u8]| escape::domain::printable(bytes, 64);
    let width = |of: usize, head: &str| of.max(head.len());
    let domains = reasons.rows.iter().map(|row| domain(&row.domain).len());
    let domain_width = width(domains.max().unwrap_or(0), "domain");
    if !reasons.rows.is_empty() {
        let _ = writeln!(
            text,
            "recipients  oldest   {:<domain_width$}  code     reason",
            "domain"
        );
    }
    for row in &reasons.rows {
        let age = row.oldest.map_or_else(
            || "-".to_owned(),
            |at| Age(snapshot.now.saturating_sub(at).max(0)).to_string(),
        );
        let _ = writeln!(
            text,
            "{:>10}  {age:<7}  {:<domain_width$}  {:<7}  {}",
            row.recipients,
            domain(&row.domain),
            escape::printable(&row.code, 16),
            escape::printable(&row.reason, 240),
        );
    }
    if reasons.unlisted > 0 {
        let _ = writeln!(
            text,
            "{:>10}  wait for reasons beyond the most that are held",
            reasons.unlisted
        );
    }
    if reasons.unexplained > 0 {
        let _ = writeln!(
            text,
            "{:>10}  have no delay reason on record: not tried yet, being tried now, or on hold",
            reasons.unexplained
        );
    }
    text
}
