//! Translates inotify events to pending changes. It reads only new directories.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::Duration;

use inotify::{EventMask, Inotify};

use super::event::{EventKind, Events};
use super::inotify::{Batch, EventReader, KernelEvent};
use super::ledger::{DirectoryId, EntryId};
use super::pending::{Key, MovedFrom, Pending, Recheck};
use super::tracked::{Tracked, TrackedSpool};
use super::watch_set::DirectoryKind;
use super::{access, loader};
use crate::postfix::queue::Queue;
use crate::postfix::queue_id;
use crate::scan::GapKind;

/// How long to wait for the second half of a rename. The kernel queues the halves one after the other (inotify(7)), and
/// a reader may come between them.
const SECOND_HALF: Duration = Duration::from_millis(1);

/// Translates events to pending changes. It borrows what they change.
pub(super) struct Translator<'w> {
    pub(super) spools: &'w mut [TrackedSpool],
    pub(super) tracked: &'w mut Tracked,
    pub(super) pending: &'w mut Pending,
    pub(super) events: &'w mut Events,
    /// The reason for a full rescan, if one is necessary.
    pub(super) reload: &'w mut Option<String>,
}

impl Translator<'_> {
    /// Processes the pending events. Returns true if there were any.
    pub(super) fn drain(&mut self, reader: &mut EventReader, inotify: &mut Inotify) -> bool {
        let mut any = false;
        let mut ends_in_half = false;
        loop {
            match reader.read(inotify) {
                Batch::Empty if ends_in_half => {
                    ends_in_half = false;
                    std::thread::sleep(SECOND_HALF);
                    continue;
                }
                Batch::Empty => break,
                Batch::Read => any = true,
                Batch::Unknown => {
                    self.reload_for("inotify reported an event of an unknown kind");
                    return true;
                }
            }
            for event in reader.drain() {
                ends_in_half = event.mask.contains(EventMask::MOVED_FROM);
                self.handle(event);
            }
            if self.reload.is_some() {
                // The remaining events are about files that the rescan reads.
                break;
            }
        }
        any
    }

    fn reload_for(&mut self, reason: &str) {
        self.reload.get_or_insert_with(|| reason.to_owned());
    }

    fn handle(&mut self, event: KernelEvent) {
        let KernelEvent {
            watch,
            mask,
            cookie,
            name,
        } = event;
        log::trace!(
            target: "queuewatch::watch",
            "event {mask:?} {}",
            name.as_deref().unwrap_or_default().escape_ascii()
        );
        if mask.contains(EventMask::Q_OVERFLOW) {
            self.reload_for("the event queue of the kernel overflowed");
            return;
        }
        let Some(directory_id) = self.tracked.directories.of_watch(&watch) else {
            return;
        };
        let row = self.tracked.directories.row(directory_id);
        let is_root = row.parent.is_none();
        if mask.contains(EventMask::UNMOUNT) {
            self.reload_for("a file system was unmounted");
            return;
        }
        let Some(name) = name else {
            // About the directory itself. For a directory below a queue, its parent has an event, too.
            if is_root && mask.intersects(EventMask::DELETE_SELF | EventMask::MOVE_SELF) {
                self.reload_for("a directory of the spool was moved or removed");
            } else if is_root && mask.contains(EventMask::ATTRIB) {
                let can_still_be_read = match &row.what {
                    DirectoryKind::Queue(_) => {
                        access::is_as_before(self.tracked, self.spools, directory_id)
                    }
                    DirectoryKind::Logs(..) => {
                        access::logs_are_as_before(self.tracked, self.spools, directory_id)
                    }
                    DirectoryKind::Spool | DirectoryKind::Gone(_) => true,
                };
                if !can_still_be_read {
                    self.reload_for("the mode of a spool directory changed");
                }
            } else if mask.contains(EventMask::IGNORED) && is_root {
                self.reload_for("a spool directory is no longer watched");
            }
            return;
        };
        let is_directory = mask.contains(EventMask::ISDIR);
        match (&row.what, is_directory) {
            (DirectoryKind::Spool, _) => {
                let entry = mask.intersects(
                    EventMask::CREATE
                        | EventMask::DELETE
                        | EventMask::MOVED_FROM
                        | EventMask::MOVED_TO,
                );
                if entry && loader::matters(&name) {
                    self.reload_for("a spool directory was created or removed");
                } else if mask.contains(EventMask::ATTRIB)
                    && access::could_not_open(self.tracked, self.spools, directory_id, &name)
                {
                    self.reload_for("the mode of a spool directory changed");
                }
            }
            (DirectoryKind::Queue(_), true) => self.directory_event(directory_id, mask, &name),
            (DirectoryKind::Queue(directory), false) => {
                if queue_id::is_valid(&name) {
                    let (queue, listed) = (directory.queue, directory.listed);
                    self.file_event(directory_id, queue, listed, mask, cookie, name);
                }
            }
            (DirectoryKind::Logs(..), true) => self.logs_directory_event(directory_id, mask, &name),
            (DirectoryKind::Logs(..), false) => self.log_event(directory_id, &name),
            (DirectoryKind::Gone(_), _) => {}
        }
    }

    /// A directory below a queue appeared, disappeared, or got another mode.
    fn directory_event(&mut self, directory_id: DirectoryId, mask: EventMask, name: &[u8]) {
        let Ok(name) = CString::new(name) else {
            return;
        };
        if let Some(old) = self.tracked.directories.child(directory_id, &name) {
            if mask.contains(EventMask::ATTRIB)
                && access::is_as_before(self.tracked, self.spools, old)
            {
                return;
            }
            self.forget(old);
        }
        let instance = self.tracked.directories.row(directory_id).instance;
        // It may be one that could not be opened before.
        let what = &self.tracked.directories.row(directory_id).what;
        let DirectoryKind::Queue(parent) = what else {
            return;
        };
        let parent = Arc::clone(parent);
        let path = parent.path.join(OsStr::from_bytes(name.to_bytes()));
        self.tracked.lost.retain(|(_, gap)| gap.path != path);
        if mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM) {
            return;
        }
        for key in loader::adopt(self.tracked, instance, directory_id, &parent, name) {
            self.pending.add(key, Recheck::Whole);
        }
    }

    /// Forgets a directory, its subdirectories, and their files.
    fn forget(&mut self, directory_id: DirectoryId) {
        let instance = self.tracked.directories.row(directory_id).instance;
        let queue = self.tracked.directories.row(directory_id).queue();
        let forgotten = self.tracked.directories.forget(directory_id);
        let (Some(queue), Some(spool)) = (queue, self.spools.get_mut(instance)) else {
            return;
        };
        let ids: Vec<EntryId> = self
            .tracked
            .ledger
            .ids()
            .filter(|id| forgotten.contains(&self.tracked.ledger.entry(*id).directory_id))
            .collect();
        for id in ids {
            self.tracked.drop_entry(spool, queue, id);
        }
        self.pending.forget(&forgotten);
    }

    fn logs_directory_event(&mut self, directory_id: DirectoryId, mask: EventMask, name: &[u8]) {
        let Ok(name) = CString::new(name) else {
            return;
        };
        if name.to_bytes().len() != 1 {
            return;
        }
        let old = self.tracked.directories.child(directory_id, &name);
        if mask.contains(EventMask::ATTRIB) {
            // The depth of the logs is found by listing, and each message has a log.
            if !old.is_some_and(|old| access::logs_are_as_before(self.tracked, self.spools, old)) {
                self.reload_for("the mode of a log directory changed");
            }
            return;
        }
        if let Some(old) = old {
            self.tracked.directories.forget(old);
        }
        if mask.intersects(EventMask::MOVED_FROM | EventMask::DELETE) {
            if mask.contains(EventMask::MOVED_FROM) {
                self.reload_for("a directory of delay logs was moved");
            }
            return;
        }
        let instance = self.tracked.directories.row(directory_id).instance;
        if let Some(found) = self.tracked.add_logs_below(instance, directory_id, &name) {
            // If main.cf does not set the depth of the logs, the directories show it.
            if let Some(spool) = self.spools.get_mut(instance) {
                spool.spool.forget_levels();
                let (files, gaps) = spool.spool.reader(&spool.totals.plan);
                spool.files = files;
                spool.gaps.retain(|gap| gap.kind != GapKind::LogDirectory);
                spool.gaps.extend(gaps);
            }
            let mut names = Vec::new();
            loader::watch_logs(self.tracked, instance, found, &mut names);
            for name in names {
                self.log_event(found, name.to_bytes());
            }
        }
    }

    /// The delay log of a message has changed.
    fn log_event(&mut self, directory_id: DirectoryId, name: &[u8]) {
        let instance = self.tracked.directories.row(directory_id).instance;
        for id in self.tracked.ledger.named(name) {
            let at = self.tracked.ledger.entry(id).directory_id;
            let row = self.tracked.directories.row(at);
            // Postfix reads no log for a message in corrupt.
            if row.instance == instance && row.queue() != Some(Queue::Corrupt) {
                self.pending.add((at, Box::from(name)), Recheck::Whole);
            }
        }
    }

    fn file_event(
        &mut self,
        directory_id: DirectoryId,
        queue: Queue,
        listed: bool,
        mask: EventMask,
        cookie: u32,
        name: Box<[u8]>,
    ) {
        if mask.contains(EventMask::MOVED_FROM) {
            let key = (directory_id, name);
            let known = self.tracked.ledger.find(directory_id, &key.1).is_some();
            let is_known = known && !self.pending.contains(&key);
            self.pending.moved_from(cookie, key.clone(), is_known);
            self.pending.add(key, Recheck::Away);
        } else if mask.contains(EventMask::MOVED_TO) {
            match self.pending.moved_to(cookie) {
                Some(half) => self.renamed(half, (directory_id, name), queue, listed),
                None => self.pending.add((directory_id, name), Recheck::Whole),
            }
        } else if mask.contains(EventMask::DELETE) {
            self.pending.add((directory_id, name), Recheck::Gone);
        } else if mask.contains(EventMask::ATTRIB) {
            self.pending.add((directory_id, name), Recheck::Inode);
        } else if mask.intersects(EventMask::CREATE | EventMask::MODIFY | EventMask::CLOSE_WRITE) {
            self.pending.add((directory_id, name), Recheck::Whole);
        }
    }

    /// A file was renamed to `key`, which is in a directory of `queue`.
    fn renamed(&mut self, half: MovedFrom, key: Key, queue: Queue, listed: bool) {
        let row = self.tracked.directories.row(half.key.0);
        let from_queue = row.queue();
        let instance = self.tracked.directories.row(key.0).instance;
        let same_instance = row.instance == instance && !row.gone;
        let from_key = half.key;
        let carried = from_queue.filter(|from_queue| {
            half.is_known
                && same_instance
                && listed
                && from_key.1 == key.1
                && self.reads_alike(instance, *from_queue, queue)
        });
        let entry = carried.and_then(|_| self.tracked.ledger.find(from_key.0, &from_key.1));
        // A file that is or was misplaced, or whose owner stops Postfix, must be read as a whole.
        let is_misplaced = self.is_misplaced(&key);
        let entry = entry.filter(|id| {
            let entry = self.tracked.ledger.entry(*id);
            !entry.is_stray() && !entry.is_misplaced() && !entry.is_misowned() && !is_misplaced
        });
        let (Some(from_queue), Some(id)) = (carried, entry) else {
            self.pending.add(key, Recheck::Whole);
            return;
        };
        let Some(spool) = self.spools.get_mut(instance) else {
            return;
        };
        // The old name has gone. There is nothing to look at.
        self.pending.remove(&from_key);
        if let Some(before) = self.tracked.ledger.find(key.0, &key.1) {
            self.tracked.drop_entry(spool, queue, before);
        }
        self.pending.remove(&key);
        self.tracked.carry(spool, id, (from_queue, queue), key.0);
        if queue == Queue::Deferred && from_queue != queue {
            // Its modification time is now the next retry, and may have been set without an event.
            self.pending.add(key, Recheck::Inode);
        }
        if from_queue != queue && self.tracked.ledger.entry(id).is_message() {
            let (name, ledger) = (&spool.instance.name, &self.tracked.ledger);
            let queues = (queue, Some(from_queue));
            self.events
                .report(EventKind::Moved, name, queues, ledger, id);
        }
    }

    /// Returns true if Postfix looks for a file of this name in another directory.
    fn is_misplaced(&self, key: &Key) -> bool {
        let row = self.tracked.directories.row(key.0);
        let spool = self.spools.get(row.instance);
        match (&row.what, spool) {
            (DirectoryKind::Queue(directory), Some(spool)) => {
                spool.spool.expected().is_misplaced(directory, &key.1)
            }
            _ => false,
        }
    }

    /// Returns true if a file is read in the same way in both queues.
    fn reads_alike(&self, instance: usize, one: Queue, other: Queue) -> bool {
        let Some(spool) = self.spools.get(instance) else {
            return false;
        };
        let plan = &spool.totals.plan;
        let own_way = |queue| matches!(queue, Queue::Maildrop | Queue::Corrupt);
        plan.depth(one) == plan.depth(other) && (one == other || !own_way(one) && !own_way(other))
    }
}
