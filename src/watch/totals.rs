//! The sums over the files of a watched instance, updated with every change.
//!
//! A rule finds its figure here at once, whatever the number of messages: sums, arrival times, names. What
//! depends on the present time or on a minimum (the ages of a domain's recipients, the oldest message of a
//! reason) is computed from the ledger when a whole snapshot is taken.

use std::sync::Arc;

use super::entry::Entry;
use super::ledger::{EntryId, Ledger};
use super::texts::Sender;
use crate::instance::Settings;
use crate::postfix::queue::Queue;
use crate::scan::Plan;
use crate::snapshot::ages::Ages;
use crate::snapshot::contribution::{Bounds, Contribution, Sign, Sums, explains};
use crate::snapshot::lifetime::{expiry, tried_at};
use crate::snapshot::{QueueTables, Recipients, Room, Seconds, TableSet, Tables, Tally};

/// The sums of the queues of an instance.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) plan: Plan,
    pub(super) wanted: TableSet,
    queues: [Sums<Seconds>; Queue::ALL.len()],
    tables: Arc<Tables>,
    room: Room,
    /// How often deferred mail has changed, for who read it.
    pub(super) deferrals: u64,
}

/// Recipients of any age. Only a whole snapshot counts ages.
fn of_any_age(total: u64) -> Ages {
    Ages {
        total,
        ..Ages::default()
    }
}

impl Totals {
    /// Makes empty sums for the queues of `plan` and the `wanted` tables.
    pub(super) fn new(plan: Plan, wanted: TableSet) -> Self {
        Totals {
            plan,
            wanted,
            queues: Default::default(),
            tables: Arc::default(),
            room: Room::default(),
            deferrals: 0,
        }
    }

    /// Adds an entry of `queue`, or subtracts it again.
    pub(super) fn apply(
        &mut self,
        ledger: &Ledger,
        id: EntryId,
        queue: Queue,
        settings: &Settings,
        sign: Sign,
    ) {
        self.deferrals += u64::from(queue == Queue::Deferred);
        let one = Contribution::of(queue, &ledger.facts(id));
        self.queues[queue.index()].change(&one, sign);
        if ledger.entry(id).has_envelope() && !ledger.entry(id).is_left_out() {
            self.apply_to_tables(ledger, id, queue, settings, sign);
        }
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
        // In place, unless a snapshot still shares the table.
        let tables = Arc::make_mut(&mut self.tables);
        let room = self.room.of(tables);
        let table = &mut tables[queue];
        if let (true, Some(arrival)) = (wanted.arrivals, entry.arrival()) {
            table.arrivals.change(arrival, sign);
        }
        if wanted.expiries {
            let null_sender = entry.is_from_null_sender();
            if let Some(at) = expiry(queue, ledger.born(id), null_sender, settings) {
                table.expiries.change(at, sign);
            }
        }
        match ledger.sender(id) {
            Sender::None => {}
            Sender::Named(sender) => table.senders.change(Some(sender), &1, sign, room),
            Sender::Unnamed => table.senders.change(None, &1, sign, room),
        }
        match ledger.origin(id) {
            Sender::None => {}
            Sender::Named(origin) => table.origins.change(Some(origin), &1, sign, room),
            Sender::Unnamed => table.origins.change(None, &1, sign, room),
        }
        let explains = explains(&self.plan, wanted, queue);
        if !explains && !wanted.domains {
            return;
        }
        // Ages, minima and reasons depend on the present time or cannot be taken out again.
        let wanted = TableSet {
            oldest: false,
            reasons: false,
            ..wanted
        };
        ledger.destinations(id, |one| {
            let recipients = Recipients {
                domain: one.domain,
                ages: of_any_age(one.recipients),
                arrival: None,
                null_sender: false,
                why: one.why,
                tried: None,
            };
            table.change_recipients(&recipients, wanted, explains, sign, room);
        });
    }

    /// Adds the inode of an entry, or subtracts it again: a next retry or a mode has changed.
    pub(super) fn apply_inode(&mut self, entry: &Entry, queue: Queue, sign: Sign) {
        self.deferrals += u64::from(queue == Queue::Deferred);
        let counts = entry.counts();
        let mtime = counts.then_some(i64::from(entry.mtime));
        let one = Contribution::of_inode(queue, u32::from(entry.mode), mtime);
        self.queues[queue.index()].change(&one, sign);
    }

    /// Returns the tally of `queue` at the moment that has `bounds`.
    pub(super) fn tally(&self, queue: Queue, bounds: &Bounds) -> Tally {
        self.queues[queue.index()].tally(bounds)
    }

    /// Returns the tables that rules ask for: shared, and with totals only.
    pub(super) fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables)
    }

    /// Returns all tables at `now`, computed from the ledger. `queue_of` gives the queue of an entry of this
    /// instance.
    pub(super) fn whole_tables(
        &self,
        ledger: &Ledger,
        now: i64,
        settings: &Settings,
        queue_of: impl Fn(&Entry) -> Option<Queue>,
    ) -> Arc<Tables> {
        let mut tables = Tables::default();
        let wanted = self.wanted;
        for queue in Queue::ALL {
            let (from, to) = (&self.tables[queue], &mut tables[queue]);
            *to = QueueTables {
                senders: from.senders.clone(),
                origins: from.origins.clone(),
                arrivals: from.arrivals.clone(),
                expiries: from.expiries.clone(),
                ..QueueTables::default()
            };
            // The ledger has them with the reasons.
            if !wanted.reasons {
                to.codes = from.codes.clone();
                to.causes = from.causes;
                to.unexplained = from.unexplained;
            }
        }
        if !wanted.domains && !wanted.reasons && !wanted.oldest {
            return Arc::new(tables);
        }
        let mut room_left = Room::default();
        for id in ledger.ids() {
            let entry = ledger.entry(id);
            let counts = entry.counts();
            let Some(queue) = queue_of(entry).filter(|_| counts) else {
                continue;
            };
            let explains = wanted.reasons && explains(&self.plan, wanted, queue);
            let arrival = entry.arrival();
            let one = Ages::one(arrival.map_or(0, |at| now.saturating_sub(at)));
            let room = room_left.of(&tables);
            let table = &mut tables[queue];
            let tried = tried_at(queue, i64::from(entry.mtime), arrival, settings);
            ledger.destinations(id, |destination| {
                let recipients = Recipients {
                    domain: destination.domain,
                    ages: one.times(destination.recipients),
                    arrival,
                    null_sender: entry.is_from_null_sender(),
                    why: destination.why,
                    tried,
                };
                table.change_recipients(&recipients, wanted, explains, Sign::Add, room);
            });
        }
        Arc::new(tables)
    }
}
