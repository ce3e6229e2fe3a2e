//! Checks the files that events were about, updates the state, and reports what happened to them.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;

use rustix::io::Errno;

use super::event::{Event, EventKind, Events};
use super::ledger::{DirectoryId, EntryId, Ledger};
use super::observer::Facts;
use super::pending::{Key, Pending, Recheck};
use super::tracked::{Tracked, TrackedSpool};
use super::watch_set::DirectoryKind;
use crate::postfix::queue::Queue;
use crate::scan::{Depth, Directory};
use crate::sys::{self, EntryKind};

/// Messages that were renamed away and are not found yet: by instance and name, with the event that reports
/// them as gone.
type RenamedAway = HashMap<(usize, Box<[u8]>), Event>;

/// One check of all files that events were about.
pub(super) struct Reconciliation<'w> {
    pub(super) spools: &'w mut [TrackedSpool],
    pub(super) tracked: &'w mut Tracked,
    pub(super) events: &'w mut Events,
    renamed_away: RenamedAway,
    looks: u64,
}

impl<'w> Reconciliation<'w> {
    /// Prepares a check that updates `tracked` and reports changes to `events`.
    pub(super) fn new(
        spools: &'w mut [TrackedSpool],
        tracked: &'w mut Tracked,
        events: &'w mut Events,
    ) -> Self {
        Reconciliation {
            spools,
            tracked,
            events,
            renamed_away: RenamedAway::new(),
            looks: 0,
        }
    }

    /// Checks all files that wait. Returns how many.
    pub(super) fn run(mut self, pending: &mut Pending) -> u64 {
        let (gone, there) = pending.take();
        for (key, look) in gone {
            self.take_out(&key, look);
        }
        for (key, look) in there {
            self.look(key, look);
        }
        for (_, left) in self.renamed_away {
            self.events.push(left);
        }
        self.looks
    }

    /// Returns the instance and the directory of this number, if it still exists.
    fn queue_place(&self, directory_id: DirectoryId) -> Option<(usize, Arc<Directory>)> {
        let row = self.tracked.directories.row(directory_id);
        match &row.what {
            DirectoryKind::Queue(directory) if !row.gone => {
                Some((row.instance, Arc::clone(directory)))
            }
            _ => None,
        }
    }

    /// Handles a file that has gone.
    fn take_out(&mut self, key: &Key, look: Recheck) {
        let (directory_id, name) = key;
        let Some((instance, directory)) = self.queue_place(*directory_id) else {
            return;
        };
        let queue = directory.queue;
        let Some(id) = self.tracked.ledger.find(*directory_id, name) else {
            // Known by the name that it came from.
            let left = self.renamed_away.remove(&(instance, name.clone()));
            if let (Some(mut left), Recheck::Gone) = (left.clone(), look) {
                left.queue = Some(queue);
                self.events.push(left);
            } else if let Some(left) = left {
                self.renamed_away.insert((instance, name.clone()), left);
            }
            return;
        };
        if self.tracked.ledger.entry(id).is_message() {
            let left = self.event(EventKind::Left, instance, queue, None, id);
            match look {
                Recheck::Away => drop(self.renamed_away.insert((instance, name.clone()), left)),
                _ => self.events.push(left),
            }
        }
        self.tracked
            .drop_entry(&mut self.spools[instance], queue, id);
    }

    /// Checks a file that exists or did exist.
    fn look(&mut self, key: Key, look: Recheck) {
        let (directory_id, name) = key;
        let Some((instance, directory)) = self.queue_place(directory_id) else {
            return;
        };
        let queue = directory.queue;
        let Ok(c_name) = CString::new(&*name) else {
            return;
        };
        self.looks += 1;
        let before = self.tracked.ledger.find(directory_id, &name);
        let spool = &mut self.spools[instance];
        if !directory.listed {
            let kind = sys::kind_at(directory.fd(), &c_name);
            if kind == Err(Errno::ACCESS) {
                self.tracked.directories.row_mut(directory_id).all_read = false;
            }
            let is_file = kind == Ok(EntryKind::File);
            match (before, is_file) {
                (None, true) => {
                    self.tracked.put_stray(spool, directory_id, queue, &name);
                }
                (Some(id), false) => self.tracked.drop_entry(spool, queue, id),
                _ => {}
            }
            return;
        }
        if let (Recheck::Inode, Some(id)) = (look, before) {
            if self.tracked.look_at_inode(spool, id, &directory, &c_name) {
                return;
            }
        }
        let Some(depth) = spool.totals.plan.depth(queue) else {
            return;
        };
        let TrackedSpool { files, capture, .. } = spool;
        files.read(&directory, &c_name, depth.max(Depth::Inodes), capture);
        let facts = capture.take();
        let mut old = None;
        if let Some(id) = before {
            if self.tracked.ledger.entry(id).is_message() {
                old = Some(Outline::of(&self.tracked.ledger, id));
                // A message that cannot be read has not left.
                if facts.as_ref().is_none_or(Facts::is_not_ready) {
                    let left = self.event(EventKind::Left, instance, queue, None, id);
                    self.events.push(left);
                }
            }
            self.tracked
                .drop_entry(&mut self.spools[instance], queue, id);
        }
        let Some(facts) = facts else {
            return;
        };
        let spool = &mut self.spools[instance];
        let id = self.tracked.put(spool, directory_id, queue, &name, facts);
        if !self.tracked.ledger.entry(id).is_message() {
            return;
        }
        let from = self
            .renamed_away
            .remove(&(instance, name))
            .and_then(|left| left.queue);
        match (from, old) {
            (Some(from), _) if from != queue => {
                let event = self.event(EventKind::Moved, instance, queue, Some(from), id);
                self.events.push(event);
            }
            (None, None) => {
                let event = self.event(EventKind::Arrived, instance, queue, None, id);
                self.events.push(event);
            }
            (_, Some(old)) if old != Outline::of(&self.tracked.ledger, id) => {
                let event = self.event(EventKind::Changed, instance, queue, None, id);
                self.events.push(event);
            }
            _ => {}
        }
    }

    fn event(
        &self,
        kind: EventKind,
        instance: usize,
        queue: Queue,
        from: Option<Queue>,
        id: EntryId,
    ) -> Event {
        let name = &self.spools[instance].instance.name;
        Event::of_message(kind, name, (queue, from), &self.tracked.ledger, id)
    }
}

/// The parts of an entry whose change makes an event.
#[derive(PartialEq, Eq)]
pub(super) struct Outline {
    recipients: u64,
    mode: u16,
    size: u64,
    reasons: Vec<Vec<u8>>,
}

impl Outline {
    pub(super) fn of(ledger: &Ledger, id: EntryId) -> Outline {
        let entry = ledger.entry(id);
        let mut reasons = Vec::new();
        ledger.destinations(id, |one| {
            if let Some(why) = one.why {
                reasons.push(why.reason.to_vec());
            }
        });
        Outline {
            recipients: ledger.recipients(id),
            mode: entry.mode,
            size: entry.size,
            reasons,
        }
    }
}
