//! `queuewatch origins`: where mail comes from.

use std::fmt::Write as _;
use std::process::ExitCode;

use queuewatch::clock::Age;
use queuewatch::error::Result;
use queuewatch::escape::domain::shown_address;
use queuewatch::escape::{counted, json_text, shown};
use queuewatch::listing::ListRequest;
use queuewatch::options::{Options, Takes};
use queuewatch::origins::{Grouping, Table, take};
use queuewatch::postfix::queue::QueueSet;
use queuewatch::render::json::SCHEMA;
use queuewatch::rights;
use serde_json::{Value, json};

use crate::anonymize;
use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{WHICH, filters, of_library, print, queues_named, tell_unread};

pub(crate) const HELP: &str = "\
Usage: queuewatch origins [OPTIONS] [QUEUE ...]

Prints where mail comes from, most messages first: the SASL login, else the client's address, else the
local user; with its messages, recipients, distinct senders and destination domains, its share, the age
of its oldest and newest message, and the queue ID of the oldest. Without QUEUE: maildrop, active,
incoming, deferred, hold.

Filters pick messages: a message must match one filter of each kind that is given. Those about a delivery
(--recipient, --domain, --reason, --cause, --next-hop) must hold for one and the same recipient. --not before
a filter inverts it: no recipient of the message may match.
";

#[rustfmt::skip]
const FLAGS: [Flag; 3] = [
    Flag { short: Some('j'), name: "json", takes: Takes::Nothing,
        help: "print JSON" },
    Flag { short: None, name: "by", takes: Takes::One("WHAT"),
        help: "login, client, network, user, sender, sender-domain, helo or subject" },
    Flag { short: None, name: "limit", takes: Takes::One("N"),
        help: "at most N rows (default 20; all with --json)" },
];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(anonymize::FLAGS);
    flags.extend(filters());
    flags.extend(of_library(&WHICH));
    flags
}

/// The default number of rows.
const ROWS: usize = 20;

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut as_json = false;
    let mut by = Grouping::Best;
    let mut limit = None;
    let mut anonymize = anonymize::Asked::default();
    let mut queues = QueueSet::NONE;
    for word in words {
        match word {
            Word::Flag("json", _) => as_json = true,
            Word::Flag("by", value) => {
                let named = std::str::from_utf8(&value)
                    .ok()
                    .and_then(Grouping::from_name);
                by = named.ok_or_else(|| {
                    args::usage(&format!(
                        "--by takes {}",
                        Grouping::NAMED.map(Grouping::name).join(", ")
                    ))
                })?;
            }
            Word::Flag("limit", value) => limit = Some(args::positive("limit", &value)?),
            Word::Flag(name, value) if anonymize.take(name, &value)? => {}
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => queues = queues.or(queues_named(&word)?),
        }
    }
    if queues.is_empty() {
        queues = QueueSet::TOTAL;
    }
    let anonymizer = anonymize.anonymizer()?;
    let request = ListRequest {
        queues,
        pick: options.pick()?.clone(),
        sort: None,
        limit: None,
        reasons: false,
        origins: false,
        bounces: false,
        now: options.now(),
        readers: options.readers(),
        deadline: options.deadline(),
    };
    let read = rights::raised(|| {
        let instances = Confinement::new().instances(&options)?;
        take(instances, &request, by)
    });
    rights::give_up();
    let (table, outcome) = read?;
    let name_of = |kind: u8, name: &[u8]| match &anonymizer {
        Some(anonymizer) => anonymizer.origin(by, kind, name),
        None => name.to_vec(),
    };
    let complete = outcome.unreadable == 0 && !outcome.cut;
    if as_json {
        let limit = limit.unwrap_or(usize::MAX);
        let document = document(&table, by, &name_of, (request.now, limit, complete));
        print(&format!("{document}\n"))?;
    } else {
        print(&text(
            &table,
            by,
            &name_of,
            request.now,
            limit.unwrap_or(ROWS),
        ))?;
    }
    Ok(tell_unread(
        outcome.gaps.iter(),
        outcome.unreadable,
        outcome.cut,
    ))
}

/// The longest name in the table, in bytes.
const MAX_NAME: usize = 60;

/// What is printed of a kind and a name.
type NameOf<'n> = &'n dyn Fn(u8, &[u8]) -> Vec<u8>;

/// The document as of `now`: at most `limit` rows; `complete` says whether all was read.
fn document(
    table: &Table,
    by: Grouping,
    name_of: NameOf<'_>,
    (now, limit, complete): (i64, usize, bool),
) -> Value {
    let rows: Vec<Value> = table
        .rows()
        .into_iter()
        .take(limit)
        .map(|(kind, name, row)| {
            json!({
                "by": by.kind_name(kind),
                "name": json_text(&name_of(kind, name)),
                "messages": row.messages,
                "recipients": row.recipients,
                "senders": row.senders(),
                "domains": row.domains(),
                "oldest": now.saturating_sub(row.oldest).max(0),
                "newest": now.saturating_sub(row.newest).max(0),
                "queue_id": json_text(&row.queue_id),
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "now": now,
        "complete": complete && table.unlisted == 0 && table.uncounted == 0,
        "origins": rows,
        "messages": table.messages,
        "unlisted": table.unlisted,
    })
}

/// The table: at most `limit` rows, and what it leaves out.
fn text(table: &Table, by: Grouping, name_of: NameOf<'_>, now: i64, limit: usize) -> String {
    let rows = table.rows();
    if rows.is_empty() && table.unlisted == 0 {
        return "no mail\n".to_owned();
    }
    let mut text = String::from(
        "messages  recipients  senders  domains  share  oldest   newest   queue ID          origin\n",
    );
    let age = |arrival: i64| Age(now.saturating_sub(arrival).max(0)).to_string();
    for (kind, name, row) in rows.iter().take(limit) {
        let share = row.messages as f64 * 100.0 / table.messages.max(1) as f64;
        let name = name_of(*kind, name);
        let name = match (by.kind_name(*kind), name.as_slice()) {
            ("unknown", _) => "unknown".to_owned(),
            (what, b"") => format!("no {what} on record"),
            (what @ ("sender" | "sender-domain"), name) => {
                format!("{what} {}", shown_address(name, MAX_NAME))
            }
            // No two names may look alike because they are not written in Latin letters.
            (what, name) => format!("{what} {}", shown(name, MAX_NAME)),
        };
        let _ = writeln!(
            text,
            "{:>8}  {:>10}  {:>7}  {:>7}  {share:>4.0}%  {:<7}  {:<7}  {:<16}  {name}",
            row.messages,
            row.recipients,
            row.senders(),
            row.domains(),
            age(row.oldest),
            age(row.newest),
            shown(&row.queue_id, 64),
        );
    }
    if rows.len() > limit {
        let _ = writeln!(
            text,
            "and {}",
            counted((rows.len() - limit) as u64, "more origin")
        );
    }
    if table.unlisted > 0 {
        let _ = writeln!(
            text,
            "{:>8}  come from origins beyond the limit of the table",
            table.unlisted
        );
    }
    text
}
