//! `queuewatch origins`: where mail comes from.

use std::process::ExitCode;

use queuewatch::error::Result;
use queuewatch::listing::Request;
use queuewatch::options::{Options, Takes};
use queuewatch::origins::{By, take};
use queuewatch::postfix::queue::QueueSet;
use queuewatch::render::origins;

use crate::args::{self, Flag, Word};
use crate::{WHICH, filters, of_library, print, queues_named, tell_unread};

pub(crate) const HELP: &str = "\
Usage: queuewatch origins [OPTIONS] [QUEUE ...]

Prints where mail comes from, most messages first: the SASL login, else the client's address, else the
local user; with its messages, recipients, distinct senders and destination domains, its share, the age
of its oldest and newest message, and the queue ID of the oldest. Without QUEUE: maildrop, active,
incoming, deferred, hold.

Filters pick messages: any of one kind, all of the kinds that are given; --not before one turns it.
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
    flags.extend(filters());
    flags.extend(of_library(&WHICH));
    flags
}

/// Rows of the table unless it is said.
const ROWS: usize = 20;

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut json = false;
    let mut by = By::Best;
    let mut limit = None;
    let mut queues = QueueSet::NONE;
    for word in words {
        match word {
            Word::Flag("json", _) => json = true,
            Word::Flag("by", value) => {
                let named = std::str::from_utf8(&value).ok().and_then(By::from_name);
                by = named.ok_or_else(|| {
                    args::usage(&format!(
                        "--by wants {}",
                        By::NAMED.map(By::name).join(", ")
                    ))
                })?;
            }
            Word::Flag("limit", value) => limit = Some(args::positive("limit", &value)?),
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => queues = queues.or(queues_named(&word)?),
        }
    }
    if queues.is_empty() {
        queues = QueueSet::TOTAL;
    }
    let request = Request {
        queues,
        pick: options.pick()?.clone(),
        sort: None,
        limit: None,
        reasons: false,
        bounces: false,
        now: options.now(),
        readers: options.readers(),
        deadline: options.deadline(),
    };
    let (table, outcome) = take(options.instances()?, &request, by)?;
    let complete = outcome.unreadable == 0 && !outcome.cut;
    if json {
        let limit = limit.unwrap_or(usize::MAX);
        let document = origins::document(&table, by, request.now, limit, complete);
        print(&format!("{document}\n"))?;
    } else {
        print(&origins::text(
            &table,
            by,
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
