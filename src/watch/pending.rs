//! From events to what is to be looked at. Nothing is read here but new directories.

use std::ffi::{CString, OsStr};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use inotify::EventMask;

use super::event::EventKind;
use super::ledger::{EntryId, Place};
use super::watch_set::{self, What};
use super::{Key, Look, MAX_HALVES, Pending, Watch, loader};
use crate::postfix::queue::Queue;
use crate::postfix::queue_id;
use crate::scan::GapKind;
use crate::sys::{self, Noatime};

impl Watch {
    /// Takes in the events that wait; whether there were any.
    pub(super) fn drain(&mut self) -> bool {
        let mut any = false;
        let mut memory = std::mem::take(&mut self.memory);
        while let Some(inotify) = &mut self.inotify {
            let Ok(events) = inotify.read_events(&mut memory) else {
                break;
            };
            let mut news = Vec::new();
            let read = catch_unwind(AssertUnwindSafe(|| {
                for event in events {
                    let name = event.name.map(|name| Box::from(name.as_bytes()));
                    news.push((event.wd, event.mask, event.cookie, name));
                }
            }));
            any |= read.is_err() || !news.is_empty();
            if read.is_err() {
                // The crate does not know every flag that a newer kernel may set.
                self.reload_for("there was an event of an unknown kind");
                break;
            }
            if news.is_empty() {
                break;
            }
            for (watch, mask, cookie, name) in news {
                if mask.contains(EventMask::Q_OVERFLOW) {
                    self.reload_for("more happened than the kernel keeps events of");
                    continue;
                }
                if let Some(place) = self.book.places.of_watch(&watch) {
                    self.handle(place, mask, cookie, name);
                }
            }
            if self.reload.is_some() {
                // What follows is about what will be read anew.
                break;
            }
        }
        self.memory = memory;
        any
    }

    fn reload_for(&mut self, reason: &str) {
        self.reload.get_or_insert_with(|| reason.to_owned());
    }

    fn handle(&mut self, place: Place, mask: EventMask, cookie: u32, name: Option<Box<[u8]>>) {
        let row = self.book.places.row(place);
        let is_root = row.parent.is_none();
        if mask.contains(EventMask::UNMOUNT) {
            self.reload_for("a file system was unmounted");
            return;
        }
        let Some(name) = name else {
            // About the directory itself; one below a queue is told by the one it lies in.
            if is_root && mask.intersects(EventMask::DELETE_SELF | EventMask::MOVE_SELF) {
                self.reload_for("a directory of the spool was moved or removed");
            } else if is_root && mask.contains(EventMask::ATTRIB) {
                let can_still_be_read = match &row.what {
                    What::Queue(_) => self.can_still_be_read(place),
                    What::Logs(..) => self.logs_can_still_be_read(place),
                    What::Spool | What::Gone(_) => true,
                };
                if !can_still_be_read {
                    self.reload_for("a directory of the spool got another mode");
                }
            } else if mask.contains(EventMask::IGNORED) && is_root {
                self.reload_for("a directory of the spool is not watched any more");
            }
            return;
        };
        let is_directory = mask.contains(EventMask::ISDIR);
        match (&row.what, is_directory) {
            (What::Spool, _) => {
                let entry = mask.intersects(
                    EventMask::CREATE
                        | EventMask::DELETE
                        | EventMask::MOVED_FROM
                        | EventMask::MOVED_TO,
                );
                if entry && loader::matters(&name) {
                    self.reload_for("a directory of the spool came or went");
                } else if mask.contains(EventMask::ATTRIB) && self.could_not_open(place, &name) {
                    self.reload_for("a directory of the spool got another mode");
                }
            }
            (What::Queue(_), true) => self.directory_event(place, mask, &name),
            (What::Queue(directory), false) => {
                if queue_id::is_valid(&name) {
                    let (queue, listed) = (directory.queue, directory.listed);
                    self.file_event(place, queue, listed, mask, cookie, name);
                }
            }
            (What::Logs(..), true) => self.logs_directory_event(place, mask, &name),
            (What::Logs(..), false) => self.log_event(place, &name),
            (What::Gone(_), _) => {}
        }
    }

    /// A directory below a queue came, went, or got another mode.
    fn directory_event(&mut self, place: Place, mask: EventMask, name: &[u8]) {
        let Ok(name) = CString::new(name) else {
            return;
        };
        if let Some(old) = self.book.places.child(place, &name) {
            if mask.contains(EventMask::ATTRIB) && self.can_still_be_read(old) {
                return;
            }
            self.forget(old);
        }
        let instance = self.book.places.row(place).instance;
        // It may have been one that could not be opened.
        let what = &self.book.places.row(place).what;
        let What::Queue(parent) = what else {
            return;
        };
        let parent = Arc::clone(parent);
        let path = parent.path.join(OsStr::from_bytes(name.to_bytes()));
        self.book.lost.retain(|(_, gap)| gap.path != path);
        if mask.intersects(EventMask::DELETE | EventMask::MOVED_FROM) {
            return;
        }
        for key in loader::adopt(&mut self.book, instance, place, &parent, name) {
            self.look_at(key, Look::Whole);
        }
    }

    /// Whether the directory `name` of a spool could not be opened, and so has no watch of its own.
    fn could_not_open(&self, spool: Place, name: &[u8]) -> bool {
        let instance = self.book.places.row(spool).instance;
        self.watched.get(instance).is_some_and(|watched| {
            let path = watched.spool.path().join(OsStr::from_bytes(name));
            watched.gaps.iter().any(|gap| gap.path == path)
        })
    }

    /// Whether a directory whose owner, mode or times have changed can be read as before. Then its files
    /// need no look: changes of theirs have events of their own.
    fn can_still_be_read(&self, place: Place) -> bool {
        let row = self.book.places.row(place);
        let What::Queue(directory) = &row.what else {
            return false;
        };
        let mut lost = self.book.lost.iter();
        if row.gap.is_some()
            || !row.all_read
            || lost.any(|(_, gap)| gap.path.starts_with(&directory.path))
        {
            return false;
        }
        // By its name, as a scan opens it: the descriptor that is open stays readable whatever the mode.
        let mut noatime = Noatime::default();
        let opened = match &row.parent {
            Some((above, name)) => match &self.book.places.row(*above).what {
                What::Queue(parent) => parent.open(name, &mut noatime),
                _ => return false,
            },
            None => match self.watched.get(row.instance) {
                Some(watched) => watched.spool.queue_directory(directory.queue, &mut noatime),
                None => return false,
            },
        };
        // To look up a name in it needs the right to search it.
        opened.is_ok_and(|opened| {
            opened.is_some_and(|opened| sys::inode_at(opened.fd(), c".").is_ok())
        })
    }

    /// Forgets a directory, all below it, and their files.
    fn forget(&mut self, place: Place) {
        let instance = self.book.places.row(place).instance;
        let queue = self.book.places.row(place).queue();
        let forgotten = self.book.places.forget(place);
        let (Some(queue), Some(watched)) = (queue, self.watched.get_mut(instance)) else {
            return;
        };
        let ids: Vec<EntryId> = self
            .book
            .ledger
            .ids()
            .filter(|id| forgotten.contains(&self.book.ledger.entry(*id).place))
            .collect();
        for id in ids {
            self.book.drop_entry(watched, queue, id);
        }
        self.order.retain(|(place, _)| !forgotten.contains(place));
        self.pending
            .retain(|(place, _), _| !forgotten.contains(place));
    }

    fn logs_directory_event(&mut self, place: Place, mask: EventMask, name: &[u8]) {
        let Ok(name) = CString::new(name) else {
            return;
        };
        if name.to_bytes().len() != 1 {
            return;
        }
        let old = self.book.places.child(place, &name);
        if mask.contains(EventMask::ATTRIB) {
            // How deep logs lie is found by looking, and each message has a log.
            if !old.is_some_and(|old| self.logs_can_still_be_read(old)) {
                self.reload_for("a directory of delay logs got another mode");
            }
            return;
        }
        if let Some(old) = old {
            self.book.places.forget(old);
        }
        if mask.intersects(EventMask::MOVED_FROM | EventMask::DELETE) {
            if mask.contains(EventMask::MOVED_FROM) {
                self.reload_for("a directory of delay logs was moved");
            }
            return;
        }
        let instance = self.book.places.row(place).instance;
        if let Some(found) = self.book.add_logs_below(instance, place, &name) {
            // Where main.cf does not say how deep logs lie, the directories do.
            if let Some(watched) = self.watched.get_mut(instance) {
                watched.spool.forget_levels();
                let (files, gaps) = watched.spool.reader(&watched.totals.plan);
                watched.files = files;
                watched.gaps.retain(|gap| gap.kind != GapKind::LogDirectory);
                watched.gaps.extend(gaps);
            }
            let mut names = Vec::new();
            loader::watch_logs(&mut self.book, instance, found, &mut names);
            for name in names {
                self.log_event(found, name.to_bytes());
            }
        }
    }

    /// Whether all delay logs of the instance could be read, and those in the directory `place`, whose owner,
    /// mode or times have changed, still can.
    fn logs_can_still_be_read(&self, place: Place) -> bool {
        let row = self.book.places.row(place);
        let Some(watched) = self.watched.get(row.instance) else {
            return false;
        };
        let mut gaps = watched.gaps.iter();
        if !self.book.ledger.log_gaps.is_empty()
            || gaps.any(|gap| gap.kind == GapKind::LogDirectory)
        {
            return false;
        }
        let mut noatime = Noatime::default();
        let opened = match &row.parent {
            Some((above, name)) => match watch_set::logs_fd(self.book.places.row(*above)) {
                Some((fd, _)) => noatime.open_directory(fd, name, false),
                None => return false,
            },
            None => noatime.open_directory(watched.spool.fd(), c"defer", true),
        };
        opened.is_ok_and(|opened| sys::inode_at(opened.as_fd(), c".").is_ok())
    }

    /// The delay log of a message has changed.
    fn log_event(&mut self, place: Place, name: &[u8]) {
        let instance = self.book.places.row(place).instance;
        for id in self.book.ledger.named(name) {
            let at = self.book.ledger.entry(id).place;
            let row = self.book.places.row(at);
            // In corrupt no log is read.
            if row.instance == instance && row.queue() != Some(Queue::Corrupt) {
                self.look_at((at, Box::from(name)), Look::Whole);
            }
        }
    }

    fn look_at(&mut self, key: Key, look: Look) {
        if let Some(Pending(pending)) = self.pending.get_mut(&key) {
            *pending = match (*pending, look) {
                (_, Look::Gone | Look::Away) => look,
                (Look::Inode, Look::Inode) => Look::Inode,
                _ => Look::Whole,
            };
            return;
        }
        self.order.push(key.clone());
        self.pending.insert(key, Pending(look));
    }

    fn file_event(
        &mut self,
        place: Place,
        queue: Queue,
        listed: bool,
        mask: EventMask,
        cookie: u32,
        name: Box<[u8]>,
    ) {
        if mask.contains(EventMask::MOVED_FROM) {
            let key = (place, name);
            let known = self.book.ledger.find(place, &key.1).is_some();
            let untouched = known && !self.pending.contains_key(&key);
            if self.halves.len() >= MAX_HALVES {
                self.halves.pop_front();
            }
            self.halves
                .push_back((cookie, place, key.1.clone(), untouched));
            self.look_at(key, Look::Away);
        } else if mask.contains(EventMask::MOVED_TO) {
            let half = self.halves.iter().position(|half| half.0 == cookie);
            let half = half.and_then(|index| self.halves.remove(index));
            if let Some((_, from, old, untouched)) = half {
                self.renamed(from, old, untouched, place, queue, listed, name);
            } else {
                self.look_at((place, name), Look::Whole);
            }
        } else if mask.contains(EventMask::DELETE) {
            self.look_at((place, name), Look::Gone);
        } else if mask.contains(EventMask::ATTRIB) {
            self.look_at((place, name), Look::Inode);
        } else if mask.intersects(EventMask::CREATE | EventMask::MODIFY | EventMask::CLOSE_WRITE) {
            self.look_at((place, name), Look::Whole);
        }
    }

    /// A file was renamed: `untouched` if it is what the ledger says of its old name.
    #[allow(clippy::too_many_arguments)] // Two names, and what the rename is about.
    fn renamed(
        &mut self,
        from: Place,
        old: Box<[u8]>,
        untouched: bool,
        place: Place,
        queue: Queue,
        listed: bool,
        name: Box<[u8]>,
    ) {
        let row = self.book.places.row(from);
        let from_queue = row.queue();
        let instance = self.book.places.row(place).instance;
        let same_instance = row.instance == instance && !row.gone;
        let from_key = (from, old);
        let key = (place, name);
        let carried = from_queue.filter(|from_queue| {
            untouched
                && same_instance
                && listed
                && from_key.1 == key.1
                && self.reads_alike(instance, *from_queue, queue)
        });
        let entry = carried.and_then(|_| self.book.ledger.find(from, &from_key.1));
        let entry = entry.filter(|id| !self.book.ledger.entry(*id).is_stray());
        let (Some(from_queue), Some(id)) = (carried, entry) else {
            self.look_at(key, Look::Whole);
            return;
        };
        let Some(watched) = self.watched.get_mut(instance) else {
            return;
        };
        // Its old name has gone, and there is nothing left to look at.
        self.pending.remove(&from_key);
        if let Some(before) = self.book.ledger.find(place, &key.1) {
            self.book.drop_entry(watched, queue, before);
        }
        self.pending.remove(&key);
        self.book.carry(watched, id, (from_queue, queue), place);
        if queue == Queue::Deferred && from_queue != queue {
            // Its time of modification is the next retry now, and may have been set without an event.
            self.look_at(key, Look::Inode);
        }
        if from_queue != queue && self.book.ledger.entry(id).is_message() {
            self.tell(EventKind::Moved, instance, queue, Some(from_queue), id);
        }
    }

    /// Whether a file is read the same way in both queues.
    fn reads_alike(&self, instance: usize, one: Queue, other: Queue) -> bool {
        let Some(watched) = self.watched.get(instance) else {
            return false;
        };
        let plan = &watched.totals.plan;
        let own_way = |queue| matches!(queue, Queue::Maildrop | Queue::Corrupt);
        plan.depth(one) == plan.depth(other) && (one == other || !own_way(one) && !own_way(other))
    }
}
