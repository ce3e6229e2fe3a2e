//! The observer that counts: one per reader thread, merged at the end.
//!
//! Sums stay with the thread. Tables of names would be kept once per thread, so a thread hands its
//! own over to the common ones whenever it has added [`LOCAL_NAMES`] names.

use std::sync::{Arc, Mutex, PoisonError};

use super::ages::Ages;
use super::contribution::{
    Bounds, Contribution, EnvelopeFacts, FileFacts, Sign, explains, reports_damage,
};
use super::delayed_mail::{DelayedMail, PATIENT};
use super::destination::{DestinationReader, Lookup};
use super::lifetime::{expiry, tried_at};
use super::origins::make_key;
use super::{
    Damaged, Hidden, MAX_EXAMPLES, Misdated, Misplaced, Recipients, TableSet, Tables, Tally,
};
use crate::cause::Cause;
use crate::cause::classify::Classifier;
use crate::instance::{LeftOut, LeftOutCount, Settings};
use crate::postfix::address;
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::origin::Origin;
use crate::postfix::queue::{Queue, QueueSet};
use crate::scan::latest::Latest;
use crate::scan::oldest::Oldest;
use crate::scan::{Gap, Message, Misowned, Observer, Plan};
use crate::sys::Inode;

/// Names that a thread adds before it hands them over.
const LOCAL_NAMES: usize = 4096;

/// What all observers of one scan share.
#[derive(Debug)]
pub(super) struct Common<'a> {
    pub(super) now: i64,
    pub(super) bounds: Bounds,
    pub(super) settings: &'a Settings,
    pub(super) classifier: Arc<Classifier>,
    pub(super) left_out: Arc<LeftOut>,
    pub(super) wanted: TableSet,
    pub(super) plan: Plan,
    pub(super) tables: Mutex<Tables>,
    /// How many of the messages tried last are kept in mind.
    pub(super) latest: usize,
    /// How many of the oldest messages are.
    pub(super) oldest: usize,
}

/// One thread's counts.
#[derive(Debug)]
pub(super) struct Counter<'a> {
    common: &'a Common<'a>,
    pub(super) tallies: [Tally; Queue::ALL.len()],
    pub(super) gaps: Vec<Gap>,
    pub(super) damaged: Vec<Damaged>,
    pub(super) misowned: Vec<Misowned>,
    pub(super) latest: Latest,
    pub(super) oldest: Oldest,
    pub(super) misplaced: Vec<Misplaced>,
    pub(super) misdated: Vec<Misdated>,
    tables: Tables,
    added: usize,
    /// Of the message that is being read.
    queue: Queue,
    one: Ages,
    arrival: i64,
    destinations: DestinationReader,
    /// The cause that the first recipient with a reason waits for.
    cause: Option<Cause>,
    left_out: LeftOutCount,
    /// Whether a recipient waits for a cause that does not end by waiting.
    impatient: bool,
    /// What delay reasons say of deferred mail; counted with the table of reasons.
    pub(super) delayed_mail: DelayedMail,
    /// The time of modification of its file: of deferred mail the next retry.
    next_retry: i64,
    sender: Vec<u8>,
    /// True if it has a sender that is counted; it may be empty.
    has_sender: bool,
    /// True if its sender is the null sender.
    null_sender: bool,
    origin: Origin,
    key: Vec<u8>,
}

impl<'a> Counter<'a> {
    pub(super) fn new(common: &'a Common<'a>) -> Self {
        Counter {
            common,
            tallies: Default::default(),
            gaps: Vec::new(),
            damaged: Vec::new(),
            misowned: Vec::new(),
            latest: Latest::new(common.latest),
            oldest: Oldest::new(common.oldest),
            misplaced: Vec::new(),
            misdated: Vec::new(),
            tables: Tables::default(),
            added: 0,
            queue: Queue::Active,
            one: Ages::default(),
            arrival: i64::MAX,
            destinations: DestinationReader::new(Arc::clone(&common.classifier)),
            cause: None,
            left_out: LeftOutCount::new(Arc::clone(&common.left_out)),
            impatient: false,
            delayed_mail: DelayedMail::default(),
            next_retry: i64::MAX,
            sender: Vec::new(),
            has_sender: false,
            null_sender: false,
            origin: Origin::default(),
            key: Vec::new(),
        }
    }

    fn keep_misowned(&mut self, one: Misowned) {
        if self.misowned.len() < MAX_EXAMPLES {
            self.misowned.push(one);
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

    /// A name of `length` bytes was added. Long ones weigh more, so that hostile ones cannot fill the
    /// memory of each thread.
    fn added(&mut self, length: usize) {
        self.added += 1 + length / 64;
        if self.added >= LOCAL_NAMES {
            self.hand_over();
        }
    }

    /// Whether senders of mail that does not end by waiting are counted: for the default rule on them.
    fn counts_impatient(&self) -> bool {
        self.common.wanted.reasons && self.queue == Queue::Deferred
    }

    /// Adds a file to the sums of its queue.
    fn add(&mut self, queue: Queue, facts: &FileFacts) {
        let one = Contribution::of(queue, facts).tally(&self.common.bounds);
        self.tallies[queue.index()] += &one;
    }

    fn add_times(&mut self, queue: Queue, envelope: &Envelope) {
        let wanted = self.common.wanted;
        if let (true, Some(arrival)) = (wanted.arrivals, envelope.arrival) {
            self.tables[queue].arrivals.add(arrival, 1);
            self.added(0);
        }
        if wanted.expiries {
            let born = envelope.created.or(envelope.arrival);
            let settings = self.common.settings;
            if let Some(at) = expiry(queue, born, envelope.null_sender, settings) {
                self.tables[queue].expiries.add(at, 1);
                self.added(0);
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
        self.left_out.sender(address);
        self.null_sender = address.is_empty();
        if self.counts_impatient() || self.common.wanted.senders {
            address::fold(address, &mut self.sender);
            self.has_sender = true;
        }
    }

    fn attribute(&mut self, record: &[u8]) {
        if self.common.wanted.origins || self.counts_impatient() {
            self.origin.identity(record);
        }
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        if self.left_out.recipient(address) {
            return;
        }
        let wanted = self.common.wanted;
        let lookup = match explains(&self.common.plan, wanted, self.queue) {
            true if wanted.reasons => Lookup::Reason,
            true if wanted.causes => Lookup::Cause,
            true => Lookup::Code,
            false => Lookup::Nothing,
        };
        if lookup == Lookup::Nothing && !wanted.domains && !wanted.oldest {
            return;
        }
        let one = self.destinations.read(address, offset, lookup);
        let length = one.domain.len();
        let arrival = (self.arrival != i64::MAX).then_some(self.arrival);
        let settings = self.common.settings;
        let recipients = Recipients {
            domain: Some(one.domain),
            ages: self.one,
            arrival,
            null_sender: self.null_sender,
            why: one.why,
            tried: match wanted.reasons {
                true => tried_at(self.queue, self.next_retry, arrival, settings),
                false => None,
            },
        };
        let explains = lookup != Lookup::Nothing;
        let table = &mut self.tables[self.queue];
        table.change_recipients(&recipients, wanted, explains, Sign::Add, usize::MAX);
        let mark = one.why.and_then(|why| why.mark);
        self.cause = self.cause.or(mark.map(|mark| mark.cause));
        if wanted.reasons && one.why.is_some() {
            self.impatient |= mark.is_none_or(|mark| !PATIENT.contains(&mark.cause));
        }
        let explained = one.why.is_some();
        if explained {
            self.added(length);
        }
        if wanted.domains || wanted.oldest {
            self.added(length);
        }
    }
}

impl Observer for Counter<'_> {
    fn envelope_begins(&mut self, queue: Queue, inode: &Inode) {
        self.queue = queue;
        self.next_retry = inode.mtime;
        self.impatient = false;
        self.left_out.begin();
        self.has_sender = false;
        self.null_sender = false;
        self.cause = None;
        self.sender.clear();
        // A file without an arrival time has no age; its recipients count as new.
        self.one = Ages::one(0);
        self.arrival = i64::MAX;
        self.destinations.begin();
        self.origin.clear();
    }

    fn logged(&mut self, log: Log, entry: &Entry) {
        self.destinations.logged(log, entry);
    }

    fn message(&mut self, message: &Message<'_>) {
        let queue = message.queue;
        let recipients = message.envelope.map_or(0, |envelope| envelope.recipients);
        let left_out = self.left_out.is_message(recipients);
        let facts_of = message.envelope.map(|envelope| EnvelopeFacts {
            recipients: self.left_out.remaining(envelope.recipients),
            size: message.size(),
            arrival: envelope.arrival,
            damaged: envelope.damage.is_some(),
            torn: envelope.torn,
            senderless: envelope.torn && !envelope.has_sender,
            left_out,
        });
        let facts = FileFacts::Message {
            mode: message.inode.mode,
            mtime: message.inode.mtime,
            // It is already a gap.
            unread_log: false,
            misplaced: message.misplaced,
            misowned: message.fault.is_some(),
            envelope: facts_of,
        };
        self.add(queue, &facts);
        if let Some(fault) = message.fault {
            self.keep_misowned(Misowned {
                queue: Some(queue),
                path: message.path(),
                fault,
            });
        }
        if let Some(cause) = self.cause.filter(|_| !left_out) {
            self.delayed_mail.add_example(cause, message.queue_id);
        }
        if self.counts_impatient() && !left_out {
            if self.impatient && self.has_sender && !self.null_sender {
                self.delayed_mail.add_sender(&self.sender);
            }
            if !self.origin.login.is_empty() && self.cause.is_some() {
                let origin = &self.origin;
                let logins = &mut self.delayed_mail.logins;
                logins.add(&origin.login, &self.sender, &origin.client, self.impatient);
            }
        }
        if queue == Queue::Deferred && !left_out {
            self.latest.see(message);
        }
        if message.misplaced && self.misplaced.len() < MAX_EXAMPLES {
            self.misplaced.push(Misplaced {
                queue,
                path: message.path(),
            });
        }
        let (Some(envelope), Some(facts)) = (&message.envelope, &facts_of) else {
            return;
        };
        if let (Some(damage), true) = (envelope.damage, reports_damage(queue)) {
            if self.damaged.len() < MAX_EXAMPLES {
                self.damaged.push(Damaged {
                    queue,
                    path: message.path(),
                    damage,
                    hidden: Hidden::of(facts),
                });
            }
        }
        if left_out {
            return;
        }
        if self.common.oldest > 0 && envelope.has_sender && QueueSet::TOTAL.contains(queue) {
            let arrival = envelope.arrival.unwrap_or(message.inode.mtime);
            let (id, directory) = (message.queue_id, message.directory);
            self.oldest.see(arrival, id, queue, directory);
        }
        let is_misdated = |arrival| self.common.bounds.is_misdated(arrival);
        if envelope.arrival.is_some_and(is_misdated) && self.misdated.len() < MAX_EXAMPLES {
            self.misdated.push(Misdated {
                queue,
                path: message.path(),
            });
        }
        if self.common.wanted.senders && self.has_sender {
            self.tables[queue].senders.add(&self.sender, &1);
            self.added(self.sender.len());
        }
        self.add_times(queue, envelope);
        if self.common.wanted.origins && make_key(&self.origin, &mut self.key) {
            self.tables[queue].origins.add(&self.key, &1);
            self.added(self.key.len());
        }
    }

    fn not_ready(&mut self, file: &Message<'_>) {
        let mode = file.inode.mode;
        self.add(file.queue, &FileFacts::NotReady { mode });
    }

    fn name(&mut self, queue: Queue) {
        self.tallies[queue.index()].messages += 1;
    }

    fn misowned(&mut self, directory: Misowned) {
        if let Some(queue) = directory.queue {
            self.tallies[queue.index()].misowned += 1;
        }
        self.keep_misowned(directory);
    }

    fn stray(&mut self, queue: Queue) {
        self.add(queue, &FileFacts::Stray);
    }

    fn vanished(&mut self, queue: Queue) {
        self.tallies[queue.index()].vanished += 1;
    }

    fn gap(&mut self, gap: Gap) {
        self.tallies[gap.queue.index()].count_gap(gap.kind);
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
