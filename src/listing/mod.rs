//! The messages of some spools, one by one: those that somebody picks, in the order of the directories
//! or sorted.
//!
//! [`pick`] says which messages, `stream` and [`sort`] in which order, [`told`] which of their recipients.
//! What the text of a message is, is the caller's business.

pub mod pick;
pub mod sort;
mod stream;
pub mod told;

use std::io;

use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::postfix::queue::{Queue, QueueSet};
use crate::scan::{Depth, Gap, GapKind, MessageRow, Plan, Spool};
use crate::threads::Readers;

pub use pick::Pick;
pub use sort::Sort;

/// The order of queues in showq(8).
pub const ORDER: [Queue; 6] = [
    Queue::Maildrop,
    Queue::Active,
    Queue::Incoming,
    Queue::Deferred,
    Queue::Hold,
    Queue::Corrupt,
];
/// Bytes of output that a thread gathers before it hands them over.
const PIECE: usize = 32_768;
/// What could not be read, of which the place is kept; all is counted.
const MAX_EXAMPLES: usize = 32;

/// What to list.
#[derive(Clone, Debug)]
pub struct Request {
    /// The queues.
    pub queues: QueueSet,
    /// Which messages.
    pub pick: Pick,
    /// In which order; `None` is by queue, and as directories list them.
    pub sort: Option<Sort>,
    /// At most how many.
    pub limit: Option<u64>,
    /// Whether to read delay reasons, and with `bounces` those of recipients given up.
    pub reasons: bool,
    /// See `reasons`.
    pub bounces: bool,
    /// The second of the epoch that ages count from.
    pub now: i64,
    /// How many threads may read at once.
    pub readers: Readers,
    /// When to stop.
    pub deadline: Deadline,
}

impl Request {
    pub(crate) fn plan(&self, queues: QueueSet) -> Plan {
        let depth = if self.reasons || self.pick.needs_reasons() {
            Depth::Reasons
        } else {
            Depth::Envelopes
        };
        let mut plan = Plan::new(queues, depth);
        plan.bounces = self.bounces;
        plan.headers = self.pick.needs_headers();
        plan.as_showq = true;
        plan
    }
}

/// How a listing went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Messages told.
    pub messages: u64,
    /// The sum of the sizes that mailq prints, in bytes.
    pub bytes: u64,
    /// Messages without a sender, which are not listed, as in postqueue.
    pub senderless: u64,
    /// Messages that left the queues between the two passes of a sorted listing.
    pub vanished: u64,
    /// The first of what could not be read.
    pub gaps: Vec<Error>,
    /// Directories and files that could not be read.
    pub unreadable: u64,
    /// Whether the deadline came before the end.
    pub cut: bool,
}

impl Outcome {
    pub(crate) fn take_in(&mut self, gaps: Vec<Gap>, unreadable: u64, cut: bool) {
        self.unreadable += unreadable;
        self.cut |= cut;
        for gap in gaps {
            let error = Error::from(&gap);
            // Each queue reports the directory of the logs.
            let told = gap.kind == GapKind::LogDirectory
                && self.gaps.iter().any(|one| one.path() == error.path());
            if told {
                self.unreadable -= 1;
            } else if self.gaps.len() < MAX_EXAMPLES {
                self.gaps.push(error);
            }
        }
    }
}

/// Makes the text of a message; what it appends is handed to the output in one piece.
pub type Format<'f> = &'f (dyn Fn(&Instance, &MessageRow, &mut Vec<u8>) + Sync);

/// Where the text goes: whole messages, one after the other.
pub type Out<'o> = &'o mut (dyn FnMut(&[u8]) -> io::Result<()> + Send);

/// Lists the messages of `instances` as `request` says.
///
/// # Errors
/// Those of `out`, with the output so far told; the outer one if no spool can be entered. A broken
/// instance beside others is in the outcome.
pub fn list(
    instances: Vec<Result<Instance>>,
    request: &Request,
    format: Format<'_>,
    out: Out<'_>,
) -> Result<io::Result<Outcome>> {
    let mut outcome = Outcome::default();
    let spools = opened(instances, &mut outcome)?;
    Ok(match request.sort {
        None => stream::in_order(&spools, request, format, out, &mut outcome),
        Some(sort) => sort::sorted(&spools, request, sort, format, out, &mut outcome),
    }
    .map(|()| outcome))
}

/// The spools of `instances`; one that cannot be entered is a gap in `outcome`.
///
/// # Errors
/// If none can be entered.
pub(crate) fn opened(
    instances: Vec<Result<Instance>>,
    outcome: &mut Outcome,
) -> Result<Vec<(Spool, Instance)>> {
    let mut spools = Vec::new();
    for instance in instances {
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
