//! The observer that counts: one per reader thread, merged at the end.
//!
//! Sums stay with the thread. Tables of names would be kept once per thread, so a thread hands its
//! own over to the common ones whenever it has added [`LOCAL_NAMES`] names.

use std::sync::{Mutex, PoisonError};

use super::ages::Ages;
use super::reasons::make_key;
use super::{Damaged, MAX_EXAMPLES, RETRY_EDGES, Tables, Tally, Wanted, Why};
use crate::instance::Settings;
use crate::postfix::address;
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::queue::Queue;
use crate::postfix::quote::quote_local;
use crate::scan::{Depth, Gap, GapKind, LogEntries, Message, Observer, Plan};
use crate::sys::Inode;

/// Names that a thread adds before it hands them over.
const LOCAL_NAMES: usize = 4096;

pub(crate) const DAY: i64 = 86_400;

/// Whether group or other mode bits are set, which Postfix reads as commands. Maildrop's files are
/// readable to all by design.
fn is_altered(queue: Queue, inode: Inode) -> bool {
    mode_is_altered(queue, inode.mode)
}

/// The same of the mode alone.
pub(crate) fn mode_is_altered(queue: Queue, mode: u32) -> bool {
    mode & 0o077 != 0 && queue != Queue::Maildrop
}

/// What all observers of one scan share.
#[derive(Debug)]
pub(super) struct Common<'a> {
    pub(super) now: i64,
    /// When the earlier check was, if arrivals since are counted.
    pub(super) since: Option<i64>,
    pub(super) settings: &'a Settings,
    pub(super) wanted: Wanted,
    pub(super) plan: Plan,
    pub(super) tables: Mutex<Tables>,
}

/// One thread's counts.
#[derive(Debug)]
pub(super) struct Counter<'a> {
    common: &'a Common<'a>,
    pub(super) tallies: [Tally; Queue::ALL.len()],
    pub(super) gaps: Vec<Gap>,
    pub(super) damaged: Vec<Damaged>,
    tables: Tables,
    added: usize,
    /// Of the message that is being read.
    queue: Queue,
    one: Ages,
    arrival: i64,
    logged: LogEntries,
    name: Vec<u8>,
    key: Vec<u8>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(common: &'a Common<'a>) -> Self {
        Counter {
            common,
            tallies: Default::default(),
            gaps: Vec::new(),
            damaged: Vec::new(),
            tables: Tables::default(),
            added: 0,
            queue: Queue::Active,
            one: Ages::default(),
            arrival: i64::MAX,
            logged: LogEntries::default(),
            name: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Hands the tables over.
    pub(super) fn hand_over(&mut self) {
        self.added = 0;
        let mut common = self
            .common
            .tables
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        common.take_in(&mut self.tables);
    }

    /// A name was added; long ones weigh more, so that hostile ones cannot fill the memory of each
    /// thread.
    fn added_one(&mut self) {
        self.added += 1 + self.name.len() / 64;
        if self.added >= LOCAL_NAMES {
            self.hand_over();
        }
    }

    /// Whether delay reasons are wanted of the queue of the message that is being read.
    fn explains(&self) -> bool {
        let common = self.common;
        (common.wanted.codes || common.wanted.reasons)
            && common.plan.depth(self.queue) == Some(Depth::Reasons)
    }

    /// Counts why a recipient waits.
    fn explain(&mut self, address: &[u8], offset: u64) {
        self.logged.seal();
        let found = self.logged.find(offset, || {
            let mut quoted = Vec::new();
            quote_local(address, &mut quoted);
            quoted
        });
        let table = &mut self.tables[self.queue];
        let Some(entry) = found else {
            table.unexplained += 1;
            return;
        };
        if self.common.wanted.codes {
            table.codes.add(entry.status, &1);
        }
        if self.common.wanted.reasons {
            address::destination_domain(address, &mut self.name);
            make_key(&self.name, entry.status, entry.reason, &mut self.key);
            let why = Why {
                recipients: 1,
                oldest: self.arrival,
            };
            table.reasons.add(&self.key, &why);
        }
        self.added_one();
    }

    fn times(&mut self, queue: Queue, envelope: &Envelope) {
        let wanted = self.common.wanted;
        if let (true, Some(arrival)) = (wanted.arrivals, envelope.arrival) {
            self.tables[queue].arrivals.add(arrival, 1);
            self.added_one();
        }
        // On hold nothing expires (POSTFIX.md 7.4).
        let born = envelope.created.or(envelope.arrival);
        if wanted.expiries && !matches!(queue, Queue::Hold | Queue::Corrupt) {
            if let Some(born) = born {
                let settings = self.common.settings;
                let lifetime = match envelope.null_sender {
                    true => settings.bounce_queue_lifetime,
                    false => settings.maximal_queue_lifetime,
                };
                self.tables[queue]
                    .expiries
                    .add(born.saturating_add(lifetime), 1);
                self.added_one();
            }
        }
    }
}

impl Visitor for Counter<'_> {
    fn arrival(&mut self, seconds: i64) {
        self.one = Ages::one(self.common.now.saturating_sub(seconds));
        self.arrival = seconds;
    }

    fn sender(&mut self, address: &[u8]) {
        if self.common.wanted.senders {
            address::fold(address, &mut self.name);
            self.tables[self.queue].senders.add(&self.name, &1);
            self.added_one();
        }
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        if self.explains() {
            self.explain(address, offset);
        }
        if self.common.wanted.domains {
            address::destination_domain(address, &mut self.name);
            self.tables[self.queue].domains.add(&self.name, &self.one);
            self.added_one();
        }
    }
}

impl Observer for Counter<'_> {
    fn envelope_begins(&mut self, queue: Queue) {
        self.queue = queue;
        // A file without an arrival time has no age; its recipients count as new.
        self.one = Ages::one(0);
        self.arrival = i64::MAX;
        self.logged.clear();
    }

    fn logged(&mut self, log: Log, entry: &Entry) {
        self.logged.push(log, entry);
    }

    fn message(&mut self, message: &Message<'_>) {
        let queue = message.queue;
        let tally = &mut self.tallies[queue.index()];
        tally.messages += 1;
        if is_altered(queue, message.inode) {
            tally.altered += 1;
        }
        let due = self.common.now.saturating_sub(message.inode.mtime);
        if queue == Queue::Deferred {
            if due > self.common.settings.queue_run_delay {
                tally.overdue += 1;
            }
            let column = RETRY_EDGES.iter().position(|edge| -due <= *edge);
            tally.retries[column.unwrap_or(RETRY_EDGES.len())] += 1;
        }
        let Some(envelope) = &message.envelope else {
            return;
        };
        tally.recipients += envelope.recipients;
        tally.bytes = tally.bytes.saturating_add(message.size());
        if envelope.torn {
            tally.torn += 1;
        }
        // Clocks differ by seconds; what is from after tomorrow has no arrival time that says anything.
        match envelope
            .arrival
            .filter(|&at| at <= self.common.now.saturating_add(DAY))
        {
            Some(arrival) => {
                tally.oldest = Some(tally.oldest.map_or(arrival, |oldest| oldest.min(arrival)));
                if self.common.since.is_some_and(|since| arrival > since) {
                    tally.arrived += 1;
                }
            }
            None => tally.ageless += 1,
        }
        if let (Some(damage), false) = (envelope.damage, queue == Queue::Corrupt) {
            tally.damaged += 1;
            if self.damaged.len() < MAX_EXAMPLES {
                self.damaged.push(Damaged {
                    queue,
                    path: message.path(),
                    damage,
                });
            }
        }
        self.times(queue, envelope);
    }

    fn not_ready(&mut self, file: &Message<'_>) {
        let tally = &mut self.tallies[file.queue.index()];
        tally.not_ready += 1;
        if is_altered(file.queue, file.inode) {
            tally.altered += 1;
        }
    }

    fn name(&mut self, queue: Queue) {
        self.tallies[queue.index()].messages += 1;
    }

    fn stray(&mut self, queue: Queue) {
        self.tallies[queue.index()].strays += 1;
    }

    fn vanished(&mut self, queue: Queue) {
        self.tallies[queue.index()].vanished += 1;
    }

    fn gap(&mut self, gap: Gap) {
        let tally = &mut self.tallies[gap.queue.index()];
        match gap.kind {
            GapKind::Log => tally.unread_logs += 1,
            GapKind::LogDirectory => tally.logs_closed = true,
            GapKind::Directory | GapKind::File => tally.unreadable += 1,
        }
        if self.gaps.len() < MAX_EXAMPLES {
            self.gaps.push(gap);
        }
    }

    fn cut(&mut self, queue: Queue) {
        self.tallies[queue.index()].cut = true;
    }

    fn logs_cut(&mut self, queue: Queue) {
        self.tallies[queue.index()].logs_cut = true;
    }
}
