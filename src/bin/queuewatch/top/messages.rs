//! The rows of a list of messages.

use std::path::PathBuf;
use std::sync::Arc;

use queuewatch::cause::Cause;
use queuewatch::clock::Age;
use queuewatch::error::Result;
use queuewatch::escape::domain::printable_address;
use queuewatch::escape::{path, printable};
use queuewatch::instance::Instance;
use queuewatch::listing::Pick;
use queuewatch::measure::Unit;
use queuewatch::postfix::address::destination_domain;
use queuewatch::postfix::queue::Queue;
use queuewatch::scan::MessageRow;

/// The longest address, in bytes.
const ADDRESS: usize = 128;
/// The longest reason, in bytes.
const REASON: usize = 240;
/// How many recipients are looked at for a delay reason.
const MAX_LOOKED: usize = 100;
/// How many columns a row has.
pub(super) const COLUMNS: usize = 8;

/// The messages that were listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Messages {
    pub(super) lines: Vec<MessageLine>,
    /// When, in seconds of the epoch.
    pub(super) at: i64,
    /// Directories and files that could not be read.
    pub(super) unread: u64,
    /// Whether the list was stopped before its end.
    pub(super) cut: bool,
}

/// A message, in printable text: queue ID, queue, age, size, sender, recipient, cause, reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageLine {
    pub(super) cells: [String; COLUMNS],
    pub(super) queue: Option<Queue>,
    /// Its instance, if there are several.
    pub(super) source: Option<Arc<Source>>,
}

/// One message, for who asks about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) queue_id: Vec<u8>,
    pub(super) queue: Option<Queue>,
    /// The configuration directory of its instance, if there are several: they may have the same queue IDs.
    pub(super) instance: Option<PathBuf>,
}

/// One of several instances.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Source {
    /// Its name; where another one has that name, too, its configuration directory.
    pub(super) label: String,
    config: Option<PathBuf>,
}

impl Source {
    /// Those of `instances`; none if there are not several.
    pub(super) fn of(instances: &[Result<Instance>]) -> Vec<Arc<Source>> {
        if instances.len() < 2 {
            return Vec::new();
        }
        let found = || instances.iter().flatten();
        let label = |instance: &Instance| {
            let named = found().filter(|other| other.name == instance.name);
            match &instance.config_directory {
                Some(directory) if named.count() > 1 => path(directory),
                _ => printable(instance.name.as_bytes(), ADDRESS),
            }
        };
        let source = |instance| {
            Arc::new(Source {
                label: label(instance),
                config: instance.config_directory.clone(),
            })
        };
        found().map(source).collect()
    }
}

impl MessageLine {
    /// The line of `row`, a message of `instance`, one of `sources` if those are several, as of `now`: with the first
    /// recipient that the filters of `pick` are about, and why it waits.
    pub(super) fn of(
        (instance, sources): (&Instance, &[Arc<Source>]),
        row: &MessageRow,
        now: i64,
        pick: &Pick,
    ) -> MessageLine {
        let address = |address: &[u8]| match address {
            b"" => "MAILER-DAEMON".to_owned(),
            address => printable_address(address, ADDRESS),
        };
        let mut name = Vec::new();
        let mut is_domain = |recipient: &[u8]| {
            destination_domain(recipient, &mut name);
            pick.is_about_domain(&name)
        };
        let classifier = &instance.classifier;
        let first = row.recipients().position(&mut is_domain).unwrap_or(0);
        let looked = first..row.recipient_count().min(first.saturating_add(MAX_LOOKED));
        let found = pick.is_about_reasons().then(|| {
            looked.clone().find(|index| {
                row.recipient(*index).is_some_and(&mut is_domain)
                    && row.delay(*index).is_some_and(|delay| {
                        pick.is_about(&classifier.judge(delay.status, delay.reason))
                    })
            })
        });
        let place = found.flatten().unwrap_or(first);
        let mut to = row.recipient(place).map_or("-".to_owned(), address);
        if row.recipient_count() > 1 {
            to = format!("{to} +{}", row.recipient_count() - 1);
        }
        let all = place..row.recipient_count();
        let delay = all.take(MAX_LOOKED).find_map(|index| row.delay(index));
        let cause = delay
            .as_ref()
            .map(|delay| classifier.judge(delay.status, delay.reason).cause);
        let known = |source: &&Arc<Source>| source.config == instance.config_directory;
        MessageLine {
            queue: row.queue,
            source: sources.iter().find(known).cloned(),
            cells: [
                printable(&row.queue_id, ADDRESS),
                row.queue.map_or(String::new(), |queue| queue.to_string()),
                Age(now.saturating_sub(row.arrival()).max(0)).to_string(),
                Unit::Bytes.show(row.size as f64),
                address(&row.sender),
                to,
                cause.map_or("-", Cause::name).to_owned(),
                delay.map_or(String::new(), |delay| printable(delay.reason, REASON)),
            ],
        }
    }

    pub(super) fn queue_id(&self) -> &str {
        &self.cells[0]
    }

    pub(super) fn message(&self) -> Message {
        let source = self.source.as_ref();
        Message {
            queue_id: self.queue_id().as_bytes().to_vec(),
            queue: self.queue,
            instance: source.and_then(|source| source.config.clone()),
        }
    }
}
