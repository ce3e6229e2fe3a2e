//! The book: all entries, all places, and the changes of both that keep the sums right.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use inotify::Inotify;

use super::Watched;
use super::ledger::{EntryId, Ledger, Place};
use super::observer::Facts;
use super::watch_set::{self, Blindness, Places, What};
use crate::postfix::queue::Queue;
use crate::scan::{Directory, Gap};
use crate::snapshot::contribution::Sign;
use crate::sys::{self, Noatime};

/// What is known of all instances: entries, and the places that they lie in.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) ledger: Ledger,
    pub(super) places: Places,
    /// Directories below a queue that could not be opened.
    pub(super) lost: Vec<(usize, Gap)>,
    /// Why there are no events.
    pub(super) blind: Option<String>,
    /// Files that were not read when all was looked at last, for they were known and had not changed.
    pub(super) kept: u64,
}

impl Book {
    /// An empty book; places are watched by way of `inotify`.
    pub(super) fn new(inotify: Option<&Inotify>, blind: Option<String>) -> Self {
        Book {
            ledger: Ledger::default(),
            places: Places::new(inotify),
            lost: Vec::new(),
            blind,
            kept: 0,
        }
    }

    /// Notes that a watch could not be set.
    pub(super) fn note(&mut self, outcome: Result<(), Blindness>) {
        if let Err(Blindness(why)) = outcome {
            self.blind.get_or_insert(why);
        }
    }

    pub(super) fn add_directory(
        &mut self,
        instance: usize,
        directory: &Arc<Directory>,
        inside: Option<(Place, Box<CStr>)>,
    ) -> Place {
        let what = What::Queue(Arc::clone(directory));
        let (place, outcome) =
            self.places
                .add(instance, what, inside, &directory.path, directory.fd());
        self.note(outcome);
        place
    }

    pub(super) fn add_logs(
        &mut self,
        instance: usize,
        fd: OwnedFd,
        path: &Path,
        inside: Option<(Place, Box<CStr>)>,
    ) -> Place {
        let Ok(watched_by) = fd.try_clone() else {
            self.blind
                .get_or_insert_with(|| "too many files are open".to_owned());
            let what = What::Logs(fd, path.to_owned());
            return self.places.add_unwatched(instance, what, inside);
        };
        let what = What::Logs(fd, path.to_owned());
        let (place, outcome) = self
            .places
            .add(instance, what, inside, path, watched_by.as_fd());
        self.note(outcome);
        place
    }

    /// Watches the directory `name` in one of logs; `None` if it is none.
    pub(super) fn add_logs_below(
        &mut self,
        instance: usize,
        place: Place,
        name: &CString,
    ) -> Option<Place> {
        let (fd, path) = watch_set::logs_fd(self.places.row(place))?;
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        let below = Noatime::default().open_directory(fd, name, false).ok()?;
        let inside = Some((place, name.clone().into_boxed_c_str()));
        Some(self.add_logs(instance, below, &path, inside))
    }

    /// Takes a file in, in the place of what was known under its name.
    pub(super) fn put(
        &mut self,
        watched: &mut Watched,
        place: Place,
        queue: Queue,
        name: &[u8],
        facts: Facts,
    ) -> EntryId {
        if let Some(before) = self.ledger.find(place, name) {
            self.drop_entry(watched, queue, before);
        }
        let id = self.ledger.insert(place, name, facts);
        if self.ledger.entry(id).is_unreadable() {
            self.places.row_mut(place).all_read = false;
        }
        let settings = &watched.instance.settings;
        watched
            .totals
            .apply(&self.ledger, id, queue, settings, Sign::Add);
        id
    }

    pub(super) fn put_stray(
        &mut self,
        watched: &mut Watched,
        place: Place,
        queue: Queue,
        name: &[u8],
    ) -> EntryId {
        if let Some(id) = self.ledger.find(place, name) {
            return id;
        }
        let id = self.ledger.insert_stray(place, name);
        let settings = &watched.instance.settings;
        watched
            .totals
            .apply(&self.ledger, id, queue, settings, Sign::Add);
        id
    }

    pub(super) fn drop_entry(&mut self, watched: &mut Watched, queue: Queue, id: EntryId) {
        let settings = &watched.instance.settings;
        watched
            .totals
            .apply(&self.ledger, id, queue, settings, Sign::Remove);
        self.ledger.remove(id);
    }

    /// Carries an entry from one queue to another.
    pub(super) fn carry(
        &mut self,
        watched: &mut Watched,
        id: EntryId,
        (from, to): (Queue, Queue),
        place: Place,
    ) {
        let settings = &watched.instance.settings;
        let totals = &mut watched.totals;
        totals.apply(&self.ledger, id, from, settings, Sign::Remove);
        self.ledger.set_place(id, place);
        totals.apply(&self.ledger, id, to, settings, Sign::Add);
    }

    /// Takes in what the inode of an entry says now; false if the file must be read.
    pub(super) fn look_at_inode(
        &mut self,
        watched: &mut Watched,
        id: EntryId,
        directory: &Directory,
        name: &CString,
    ) -> bool {
        let Ok(inode) = sys::inode_at(directory.fd(), name) else {
            return false;
        };
        let queue = directory.queue;
        let entry = self.ledger.entry(id);
        let alike = inode.regular
            && !entry.is_unreadable()
            && crate::scan::is_ready(queue, inode) == entry.is_message();
        if !alike {
            return false;
        }
        watched
            .totals
            .apply_inode(self.ledger.entry(id), queue, Sign::Remove);
        self.ledger.set_inode(id, inode.mode, inode.mtime);
        watched
            .totals
            .apply_inode(self.ledger.entry(id), queue, Sign::Add);
        true
    }
}
