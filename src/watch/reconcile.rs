//! Looking at the files that events were about, and telling what has become of them.

use std::collections::HashMap;
use std::ffi::CString;
use std::sync::Arc;

use rustix::io::Errno;

use super::event::{Event, EventKind};
use super::ledger::{EntryId, Ledger, Place};
use super::watch_set::What;
use super::{Key, Look, Pending, Watch, Watched};
use crate::postfix::queue::Queue;
use crate::scan::{Depth, Directory};
use crate::sys::{self, EntryKind};

/// Messages that were renamed away from where they were known, until they are found again: by instance
/// and name, with the event that tells when they are not.
type Floating = HashMap<(usize, Box<[u8]>), Event>;

impl Watch {
    /// Looks at all files that events were about: first at what has gone, so that what was renamed is
    /// known when its new name is looked at.
    pub(super) fn resolve(&mut self) {
        let order = std::mem::take(&mut self.order);
        let mut pending = std::mem::take(&mut self.pending);
        let mut floating = Floating::new();
        let mut there = Vec::with_capacity(order.len());
        for key in order {
            // What a rename carried along is not to be looked at any more.
            match pending.remove(&key) {
                Some(Pending(look @ (Look::Gone | Look::Away))) => {
                    self.take_out(&key, look, &mut floating);
                }
                Some(Pending(look)) => there.push((key, look)),
                None => {}
            }
        }
        for (key, look) in there {
            self.look(key, look, &mut floating);
        }
        for (_, left) in floating {
            self.events.push(left);
        }
    }

    /// The instance and the directory of a place that is still there.
    fn queue_place(&self, place: Place) -> Option<(usize, Arc<Directory>)> {
        let row = self.book.places.row(place);
        match &row.what {
            What::Queue(directory) if !row.gone => Some((row.instance, Arc::clone(directory))),
            _ => None,
        }
    }

    /// A file is not there any more.
    fn take_out(&mut self, key: &Key, look: Look, floating: &mut Floating) {
        let (place, name) = key;
        let Some((instance, directory)) = self.queue_place(*place) else {
            return;
        };
        let queue = directory.queue;
        let Some(id) = self.book.ledger.find(*place, name) else {
            // Known under the name that it came from.
            let left = floating.remove(&(instance, name.clone()));
            if let (Some(mut left), Look::Gone) = (left.clone(), look) {
                left.queue = Some(queue);
                self.events.push(left);
            } else if let Some(left) = left {
                floating.insert((instance, name.clone()), left);
            }
            return;
        };
        if self.book.ledger.entry(id).is_message() {
            let left = self.event(EventKind::Left, instance, queue, None, id);
            match look {
                Look::Away => drop(floating.insert((instance, name.clone()), left)),
                _ => self.events.push(left),
            }
        }
        self.book.drop_entry(&mut self.watched[instance], queue, id);
    }

    /// Looks at a file that is there, or was.
    fn look(&mut self, key: Key, look: Look, floating: &mut Floating) {
        let (place, name) = key;
        let Some((instance, directory)) = self.queue_place(place) else {
            return;
        };
        let queue = directory.queue;
        let Ok(c_name) = CString::new(&*name) else {
            return;
        };
        self.looks += 1;
        let before = self.book.ledger.find(place, &name);
        let watched = &mut self.watched[instance];
        if !directory.listed {
            let kind = sys::kind_at(directory.fd(), &c_name);
            if kind == Err(Errno::ACCESS) {
                self.book.places.row_mut(place).all_read = false;
            }
            let is_file = kind == Ok(EntryKind::File);
            match (before, is_file) {
                (None, true) => {
                    self.book.put_stray(watched, place, queue, &name);
                }
                (Some(id), false) => self.book.drop_entry(watched, queue, id),
                _ => {}
            }
            return;
        }
        if let (Look::Inode, Some(id)) = (look, before) {
            if self.book.look_at_inode(watched, id, &directory, &c_name) {
                return;
            }
        }
        let Some(depth) = watched.totals.plan.depth(queue) else {
            return;
        };
        let Watched { files, capture, .. } = watched;
        files.read(&directory, &c_name, depth.max(Depth::Inodes), capture);
        let facts = capture.take();
        let mut old = None;
        if let Some(id) = before {
            if self.book.ledger.entry(id).is_message() {
                old = Some(Outline::of(&self.book.ledger, id));
                if facts.is_none() {
                    let left = self.event(EventKind::Left, instance, queue, None, id);
                    self.events.push(left);
                }
            }
            self.book.drop_entry(&mut self.watched[instance], queue, id);
        }
        let Some(facts) = facts else {
            return;
        };
        let watched = &mut self.watched[instance];
        let id = self.book.put(watched, place, queue, &name, facts);
        if !self.book.ledger.entry(id).is_message() {
            return;
        }
        let from = floating
            .remove(&(instance, name))
            .and_then(|left| left.queue);
        match (from, old) {
            (Some(from), _) if from != queue => {
                self.tell(EventKind::Moved, instance, queue, Some(from), id);
            }
            (None, None) => self.tell(EventKind::Arrived, instance, queue, None, id),
            (_, Some(old)) if old != Outline::of(&self.book.ledger, id) => {
                self.tell(EventKind::Changed, instance, queue, None, id);
            }
            _ => {}
        }
    }

    pub(super) fn tell(
        &mut self,
        kind: EventKind,
        instance: usize,
        queue: Queue,
        from: Option<Queue>,
        id: EntryId,
    ) {
        let event = self.event(kind, instance, queue, from, id);
        self.events.push(event);
    }

    fn event(
        &self,
        kind: EventKind,
        instance: usize,
        queue: Queue,
        from: Option<Queue>,
        id: EntryId,
    ) -> Event {
        let name = &self.watched[instance].instance.name;
        Event::of_message(kind, name, (queue, from), &self.book.ledger, id)
    }
}

/// What a change of an entry shows by.
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
            if let Some((_, reason)) = one.why {
                reasons.push(reason.to_vec());
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
