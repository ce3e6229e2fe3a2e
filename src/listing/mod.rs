//! Lists the messages of some spools one by one: those that the filters pick, in the order of the directories
//! or sorted.
//!
//! [`pick`] selects messages, `stream` and `sort` define their order, `recipients` selects their
//! recipients. The caller formats the text of a message.

mod delivery;
pub mod pick;
pub(crate) mod recipients;
pub(crate) mod sort;
mod spelled;
mod stream;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::instance::{self, Instance};
use crate::postfix::queue::{Queue, QueueSet};
use crate::scan::{Depth, Gap, GapKind, MessageRow, Plan, Spool};
use crate::threads::Readers;

pub use pick::Pick;
pub use sort::Sort;

/// The order of queues in showq(8).
pub(crate) const ORDER: [Queue; 6] = [
    Queue::Maildrop,
    Queue::Active,
    Queue::Incoming,
    Queue::Deferred,
    Queue::Hold,
    Queue::Corrupt,
];
/// How many bytes of output a thread gathers before it writes them.
const PIECE: usize = 32_768;
/// How many gaps are kept. All are counted.
const MAX_EXAMPLES: usize = 32;

/// What to list.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// The queues.
    pub queues: QueueSet,
    /// The filters.
    pub pick: Pick,
    /// The order. `None` is by queue, and as directories list them.
    pub sort: Option<Sort>,
    /// The largest number of messages.
    pub limit: Option<u64>,
    /// True if delay reasons are read.
    pub reasons: bool,
    /// True if origins are read, whatever the filters need.
    pub origins: bool,
    /// True if `reasons` includes those of recipients that were given up.
    pub bounces: bool,
    /// The second of the epoch from which ages count.
    pub now: i64,
    /// How many threads may read at once.
    pub readers: Readers,
    /// When to stop.
    pub deadline: Deadline,
}

impl ListRequest {
    pub(crate) fn plan(&self, queues: QueueSet) -> Plan {
        let depth = if self.reasons || self.pick.needs_reasons() {
            Depth::Reasons
        } else {
            Depth::Envelopes
        };
        let mut plan = Plan::new(queues, depth);
        plan.bounces = self.bounces;
        plan.headers = self.pick.needs_headers();
        plan.origins = self.origins || self.pick.needs_origin();
        plan.as_showq = true;
        plan
    }
}

/// Messages whose sender the reader of a list does not find.
#[derive(Debug, Default)]
pub struct Senderless {
    /// How many there are.
    pub count: u64,
    /// The first of them, by path.
    pub first: Vec<PathBuf>,
}

impl Senderless {
    fn add(&mut self, row: &MessageRow) {
        self.count += 1;
        if self.first.len() < MAX_EXAMPLES {
            self.first
                .push(row.directory.join(OsStr::from_bytes(&row.queue_id)));
        }
    }

    fn take_in(&mut self, mut other: Self) {
        self.count += other.count;
        self.first.append(&mut other.first);
        self.first.sort_unstable();
        self.first.truncate(MAX_EXAMPLES);
    }
}

/// The result of a listing, without its text.
#[derive(Debug, Default)]
pub struct ListOutcome {
    /// The number of listed messages.
    pub messages: u64,
    /// The sum of the sizes that mailq prints, in bytes.
    pub bytes: u64,
    /// Messages without a sender. They are skipped, as in postqueue.
    pub senderless: Senderless,
    /// Messages that left the queues between the two passes of a sorted listing.
    pub vanished: u64,
    /// The first gaps.
    pub gaps: Vec<Error>,
    /// How many directories and files could not be read.
    pub unreadable: u64,
    /// True if the deadline came before the end.
    pub cut: bool,
}

impl ListOutcome {
    pub(crate) fn take_in(&mut self, gaps: Vec<Gap>, unreadable: u64, cut: bool) {
        self.unreadable += unreadable;
        self.cut |= cut;
        for gap in gaps {
            let error = Error::from(&gap);
            // Each queue reports the directory of the logs.
            let repeated = gap.kind == GapKind::LogDirectory
                && self.gaps.iter().any(|one| one.path() == error.path());
            if repeated {
                self.unreadable -= 1;
            } else if self.gaps.len() < MAX_EXAMPLES {
                self.gaps.push(error);
            }
        }
    }
}

/// Appends the text of a message. It is written to the output in one piece.
pub(crate) type Format<'f> = &'f (dyn Fn(&Instance, &MessageRow, &mut Vec<u8>) + Sync);

/// Receives the text: whole messages, one after the other.
pub(crate) type Out<'o> = &'o mut (dyn FnMut(&[u8]) -> io::Result<()> + Send);

/// Lists the messages of `instances` as `request` says.
///
/// # Errors
/// The inner result is an error of `out`, with the outcome so far. The outer result is an error if no spool can
/// be opened. If only some instances fail, their errors are in the outcome.
pub fn list(
    instances: Vec<Result<Instance>>,
    request: &ListRequest,
    format: Format<'_>,
    out: Out<'_>,
) -> Result<io::Result<ListOutcome>> {
    let mut outcome = ListOutcome::default();
    let spools = opened(instances, &mut outcome)?;
    Ok(match request.sort {
        None => stream::in_order(&spools, request, format, out, &mut outcome),
        Some(sort) => sort::sorted(&spools, request, sort, format, out, &mut outcome),
    }
    .map(|()| outcome))
}

/// Opens the spools of `instances`. One that cannot be opened, or whose messages the caller may not list, is a gap in `outcome`.
///
/// # Errors
/// If none can be opened.
pub(crate) fn opened(
    instances: Vec<Result<Instance>>,
    outcome: &mut ListOutcome,
) -> Result<Vec<(Spool, Instance)>> {
    let mut spools = Vec::new();
    for instance in instance::listable(instances) {
        let opened = instance.and_then(|instance| Ok((Spool::of(&instance)?, instance)));
        match opened {
            Ok(opened) => spools.push(opened),
            Err(error) => {
                outcome.unreadable += 1;
                outcome.gaps.push(error);
            }
        }
    }
    if spools.is_empty() && !outcome.gaps.is_empty() {
        return Err(outcome.gaps.swap_remove(0));
    }
    Ok(spools)
}
