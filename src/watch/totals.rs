//! The sums of a watched instance: what its entries add up to, kept with every change.
//!
//! What a rule asks for is there at once, whatever the number of messages: sums, arrival times, names.
//! What depends on the present or on a minimum (the ages of a domain's recipients, the oldest message
//! of a reason) is made from the ledger when a whole snapshot is wanted.

use std::sync::Arc;

use super::ledger::{Entry, EntryId, Ledger, Sender};
use crate::instance::Settings;
use crate::postfix::queue::Queue;
use crate::scan::{Depth, Plan};
use crate::snapshot::ages::Ages;
use crate::snapshot::counter::{DAY, mode_is_altered};
use crate::snapshot::name_counts::Uncount;
use crate::snapshot::{QueueTables, RETRY_EDGES, Seconds, Tables, Tally, Wanted, Why};

/// What one queue adds up to.
#[derive(Debug, Default)]
struct Sums {
    messages: u64,
    recipients: u64,
    /// Hostile sizes may add up to more than 64 bits.
    bytes: u128,
    undated: u64,
    damaged: u64,
    altered: u64,
    torn: u64,
    not_ready: u64,
    strays: u64,
    unreadable: u64,
    unread_logs: u64,
    arrivals: Seconds,
    /// Deferred mail by its next retry.
    retries: Seconds,
}

/// What the queues of an instance add up to.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) plan: Plan,
    pub(super) wanted: Wanted,
    queues: [Sums; Queue::ALL.len()],
    tables: Arc<Tables>,
}

/// Whether an entry comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Add,
    Remove,
}

fn change(sum: &mut u64, sign: Sign) {
    match sign {
        Sign::Add => *sum += 1,
        Sign::Remove => *sum = sum.saturating_sub(1),
    }
}

fn seconds(table: &mut Seconds, second: i64, sign: Sign) {
    match sign {
        Sign::Add => table.add(second, 1),
        Sign::Remove => table.remove(second),
    }
}

/// The total alone: ages are told of a whole snapshot only.
fn recipients(total: u64) -> Ages {
    Ages {
        total,
        ..Ages::default()
    }
}

impl Live {
    pub(super) fn new(plan: Plan, wanted: Wanted) -> Self {
        Live {
            plan,
            wanted,
            queues: Default::default(),
            tables: Arc::default(),
        }
    }

    /// When the message expires, in seconds of the epoch; on hold nothing does.
    fn expiry(ledger: &Ledger, id: EntryId, queue: Queue, settings: &Settings) -> Option<i64> {
        if matches!(queue, Queue::Hold | Queue::Corrupt) {
            return None;
        }
        let lifetime = match ledger.entry(id).is_from_null_sender() {
            true => settings.bounce_queue_lifetime,
            false => settings.maximal_queue_lifetime,
        };
        Some(ledger.born(id)?.saturating_add(lifetime))
    }

    /// Takes an entry of `queue` in or out.
    pub(super) fn apply(
        &mut self,
        ledger: &Ledger,
        id: EntryId,
        queue: Queue,
        settings: &Settings,
        sign: Sign,
    ) {
        let sums = &mut self.queues[queue.index()];
        let entry = ledger.entry(id);
        if entry.is_stray() {
            change(&mut sums.strays, sign);
            return;
        }
        if entry.is_unreadable() {
            change(&mut sums.unreadable, sign);
            return;
        }
        if mode_is_altered(queue, u32::from(entry.mode)) {
            change(&mut sums.altered, sign);
        }
        if !entry.is_message() {
            change(&mut sums.not_ready, sign);
            return;
        }
        change(&mut sums.messages, sign);
        if queue == Queue::Deferred {
            seconds(&mut sums.retries, i64::from(entry.mtime), sign);
        }
        if entry.lacks_log() {
            change(&mut sums.unread_logs, sign);
        }
        if !entry.has_envelope() {
            return;
        }
        let own = ledger.recipients(id);
        match sign {
            Sign::Add => {
                sums.recipients += own;
                sums.bytes += u128::from(entry.size);
            }
            Sign::Remove => {
                sums.recipients = sums.recipients.saturating_sub(own);
                sums.bytes = sums.bytes.saturating_sub(u128::from(entry.size));
            }
        }
        if entry.is_torn() {
            change(&mut sums.torn, sign);
        }
        if entry.is_damaged() && queue != Queue::Corrupt {
            change(&mut sums.damaged, sign);
        }
        match entry.arrival() {
            Some(arrival) => seconds(&mut sums.arrivals, arrival, sign),
            None => change(&mut sums.undated, sign),
        }
        self.apply_to_tables(ledger, id, queue, settings, sign);
    }

    fn apply_to_tables(
        &mut self,
        ledger: &Ledger,
        id: EntryId,
        queue: Queue,
        settings: &Settings,
        sign: Sign,
    ) {
        let wanted = self.wanted;
        let entry = ledger.entry(id);
        // In place, unless a snapshot that somebody still holds shares it.
        let table = &mut Arc::make_mut(&mut self.tables)[queue];
        if let (true, Some(arrival)) = (wanted.arrivals, entry.arrival()) {
            seconds(&mut table.arrivals, arrival, sign);
        }
        if wanted.expiries {
            if let Some(at) = Live::expiry(ledger, id, queue, settings) {
                seconds(&mut table.expiries, at, sign);
            }
        }
        match (ledger.sender(id), sign) {
            (Sender::None, _) => {}
            (Sender::Named(sender), Sign::Add) => table.senders.add(sender, &1),
            (Sender::Named(sender), Sign::Remove) => table.senders.remove(sender, &1),
            (Sender::Unnamed, Sign::Add) => table.senders.others += 1,
            (Sender::Unnamed, Sign::Remove) => table.senders.others.take_away(&1),
        }
        let explains =
            self.plan.depth(queue) == Some(Depth::Reasons) && (wanted.codes || wanted.reasons);
        if !explains && !wanted.domains {
            return;
        }
        ledger.destinations(id, |one| {
            if wanted.domains {
                let count = recipients(one.recipients);
                match (one.domain, sign) {
                    (Some(domain), Sign::Add) => table.domains.add(domain, &count),
                    (Some(domain), Sign::Remove) => table.domains.remove(domain, &count),
                    (None, Sign::Add) => table.domains.others += &count,
                    (None, Sign::Remove) => table.domains.others.take_away(&count),
                }
            }
            if !explains {
                return;
            }
            match (one.why, sign) {
                (Some(_), _) if !wanted.codes => {}
                (Some((code, _)), Sign::Add) => table.codes.add(code, &one.recipients),
                (Some((code, _)), Sign::Remove) => table.codes.remove(code, &one.recipients),
                (None, Sign::Add) => table.unexplained += one.recipients,
                (None, Sign::Remove) => {
                    table.unexplained = table.unexplained.saturating_sub(one.recipients);
                }
            }
        });
    }

    /// A next retry or a mode that changed: the same message, without its names.
    pub(super) fn apply_inode(&mut self, entry: &Entry, queue: Queue, sign: Sign) {
        let sums = &mut self.queues[queue.index()];
        if mode_is_altered(queue, u32::from(entry.mode)) {
            change(&mut sums.altered, sign);
        }
        if queue == Queue::Deferred && entry.is_message() {
            seconds(&mut sums.retries, i64::from(entry.mtime), sign);
        }
    }

    /// The tally of `queue` as of `now`; `gaps` of its directories could not be read.
    pub(super) fn tally(
        &self,
        queue: Queue,
        now: i64,
        since: Option<i64>,
        settings: &Settings,
        gaps: u64,
    ) -> Tally {
        let sums = &self.queues[queue.index()];
        // What is from after tomorrow has no arrival time that says anything.
        let tomorrow = now.saturating_add(DAY).saturating_add(1);
        let dated = sums.arrivals.before(tomorrow);
        let mut retries = [0; RETRY_EDGES.len() + 1];
        let mut before = 0;
        for (edge, column) in RETRY_EDGES.iter().zip(&mut retries) {
            let due = sums
                .retries
                .before(now.saturating_add(*edge).saturating_add(1));
            *column = due - before;
            before = due;
        }
        retries[RETRY_EDGES.len()] = sums.retries.total() - before;
        Tally {
            messages: sums.messages,
            recipients: sums.recipients,
            bytes: u64::try_from(sums.bytes).unwrap_or(u64::MAX),
            oldest: sums.arrivals.first().filter(|first| *first < tomorrow),
            overdue: sums
                .retries
                .before(now.saturating_sub(settings.queue_run_delay)),
            retries,
            damaged: sums.damaged,
            altered: sums.altered,
            ageless: sums.undated + sums.arrivals.total() - dated,
            torn: sums.torn,
            not_ready: sums.not_ready,
            strays: sums.strays,
            unreadable: sums.unreadable + gaps,
            unread_logs: sums.unread_logs,
            arrived: since.map_or(0, |since| {
                dated.saturating_sub(sums.arrivals.before(since.saturating_add(1)))
            }),
            ..Tally::default()
        }
    }

    /// The tables that rules ask for: shared, and with totals alone.
    pub(super) fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables)
    }

    /// All tables as of `now`, each entry counted anew; `queue_of` gives the queue of those that are
    /// this instance's.
    pub(super) fn whole_tables(
        &self,
        ledger: &Ledger,
        now: i64,
        queue_of: impl Fn(&Entry) -> Option<Queue>,
    ) -> Arc<Tables> {
        let mut tables = Tables::default();
        for queue in Queue::ALL {
            let (from, to) = (&self.tables[queue], &mut tables[queue]);
            *to = QueueTables {
                senders: from.senders.clone(),
                arrivals: from.arrivals.clone(),
                expiries: from.expiries.clone(),
                codes: from.codes.clone(),
                unexplained: from.unexplained,
                ..QueueTables::default()
            };
        }
        let wanted = self.wanted;
        if !wanted.domains && !wanted.reasons {
            return Arc::new(tables);
        }
        for id in ledger.ids() {
            let entry = ledger.entry(id);
            let Some(queue) = queue_of(entry).filter(|_| entry.is_message()) else {
                continue;
            };
            let explains = wanted.reasons && self.plan.depth(queue) == Some(Depth::Reasons);
            let arrival = entry.arrival();
            let one = Ages::one(arrival.map_or(0, |at| now.saturating_sub(at)));
            let table = &mut tables[queue];
            ledger.destinations(id, |destination| {
                if wanted.domains {
                    let count = one.times(destination.recipients);
                    match destination.domain {
                        Some(domain) => table.domains.add(domain, &count),
                        None => table.domains.others += &count,
                    }
                }
                if let (true, Some((_, reason))) = (explains, destination.why) {
                    let why = Why {
                        recipients: destination.recipients,
                        oldest: arrival.unwrap_or(i64::MAX),
                    };
                    table.reasons.add(reason, &why);
                }
            });
        }
        Arc::new(tables)
    }
}
