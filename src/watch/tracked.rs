//! The state of a watch: its spools, entries and directories, and the operations that keep the sums right.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use inotify::Inotify;

use super::about::About;
use super::ledger::{DirectoryId, EntryId, Ledger};
use super::observer::{Facts, FileCapture};
use super::sample::KeptSample;
use super::totals::Totals;
use super::watch_set::{self, Blindness, DirectoryKind, WatchSet};
use crate::instance::Instance;
use crate::postfix::queue::{Queue, QueueSet};
use crate::scan::{Depth, Directory, FileReader, Gap, Plan, Spool};
use crate::snapshot::TableSet;
use crate::snapshot::contribution::Sign;
use crate::sys::{self, Noatime};

/// One watched instance.
#[derive(Debug)]
pub(super) struct TrackedSpool {
    pub(super) instance: Instance,
    pub(super) spool: Spool,
    pub(super) totals: Totals,
    pub(super) files: FileReader,
    pub(super) capture: FileCapture,
    /// What reads the messages of events, once there is one.
    describing: Option<FileReader>,
    /// Device and inode of its queue directory when it was opened.
    pub(super) identity: Option<(u64, u64)>,
    /// Gaps from directories that could not be opened.
    pub(super) gaps: Vec<Gap>,
    /// What the deferred messages that were tried last say, if that was asked for.
    pub(super) sample: Option<KeptSample>,
    /// The time at which it was first opened.
    pub(super) clock: Instant,
}

impl TrackedSpool {
    /// Makes the empty state for the spool of `instance`.
    pub(super) fn new(instance: Instance, spool: Spool, plan: Plan, wanted: TableSet) -> Self {
        TrackedSpool {
            identity: identity(&instance.queue_directory),
            capture: FileCapture::new(plan, wanted, &instance),
            describing: None,
            totals: Totals::new(plan, wanted),
            instance,
            spool,
            files: FileReader::default(),
            gaps: Vec::new(),
            sample: None,
            clock: Instant::now(),
        }
    }

    /// Returns true if there is another directory at its path now.
    pub(super) fn is_replaced(&self) -> bool {
        identity(&self.instance.queue_directory) != self.identity
    }

    /// Opens its delay logs and queue directories. Records what cannot be opened.
    pub(super) fn open(&mut self) -> Vec<Arc<Directory>> {
        let plan = self.totals.plan;
        self.describing = None;
        let (files, mut gaps) = self.spool.reader(&plan);
        let mut noatime = Noatime::default();
        let directories = self
            .spool
            .queue_directories(plan.queues(), &mut noatime, |gap| gaps.push(gap));
        self.files = files;
        self.gaps = gaps;
        directories
    }

    /// Returns what the message `name` of `directory` says; `None` if it is gone or is none yet.
    pub(super) fn about(&mut self, directory: &Directory, name: &CStr) -> Option<About> {
        let files = self.describing.get_or_insert_with(|| {
            let plan = Plan::new(QueueSet::ALL, Depth::Reasons);
            self.spool.reader(&plan).0
        });
        let row = files.row(directory, name)?;
        Some(About::of(&row, &self.instance.classifier))
    }
}

/// Returns device and inode of the directory at `path`, following links.
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// The entries of all spools, and their directories.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) ledger: Ledger,
    pub(super) directories: WatchSet,
    /// Directories below a queue that could not be opened.
    pub(super) lost: Vec<(usize, Gap)>,
    /// Why there are no events, if there are none.
    pub(super) blind: Option<String>,
    /// How many known files had not changed at the last rescan, and were not read.
    pub(super) kept: u64,
}

impl Tracked {
    /// Makes an empty state. Directories are watched through `inotify`.
    pub(super) fn new(inotify: Option<&Inotify>, blind: Option<String>) -> Self {
        Tracked {
            ledger: Ledger::default(),
            directories: WatchSet::new(inotify),
            lost: Vec::new(),
            blind,
            kept: 0,
        }
    }

    /// Records that a watch could not be set.
    pub(super) fn note(&mut self, outcome: Result<(), Blindness>) {
        if let Err(Blindness(why)) = outcome {
            self.blind.get_or_insert(why);
        }
    }

    pub(super) fn add_directory(
        &mut self,
        instance: usize,
        directory: &Arc<Directory>,
        inside: Option<(DirectoryId, Box<CStr>)>,
    ) -> DirectoryId {
        let what = DirectoryKind::Queue(Arc::clone(directory));
        let (directory_id, outcome) =
            self.directories
                .add(instance, what, inside, &directory.path, directory.fd());
        self.note(outcome);
        directory_id
    }

    pub(super) fn add_logs(
        &mut self,
        instance: usize,
        fd: OwnedFd,
        path: &Path,
        inside: Option<(DirectoryId, Box<CStr>)>,
    ) -> DirectoryId {
        let Ok(for_watch) = fd.try_clone() else {
            self.blind
                .get_or_insert_with(|| "too many files are open".to_owned());
            let what = DirectoryKind::Logs(fd, path.to_owned());
            return self.directories.add_unwatched(instance, what, inside);
        };
        let what = DirectoryKind::Logs(fd, path.to_owned());
        let (directory_id, outcome) =
            self.directories
                .add(instance, what, inside, path, for_watch.as_fd());
        self.note(outcome);
        directory_id
    }

    /// Watches the directory `name` in a directory of logs. `None` if it is not a directory.
    pub(super) fn add_logs_below(
        &mut self,
        instance: usize,
        directory_id: DirectoryId,
        name: &CString,
    ) -> Option<DirectoryId> {
        let (fd, path) = watch_set::logs_fd(self.directories.row(directory_id))?;
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        let below = Noatime::default().open_directory(fd, name, false).ok()?;
        let inside = Some((directory_id, name.clone().into_boxed_c_str()));
        Some(self.add_logs(instance, below, &path, inside))
    }

    /// Stores a file in place of the entry of its name.
    pub(super) fn put(
        &mut self,
        spool: &mut TrackedSpool,
        directory_id: DirectoryId,
        queue: Queue,
        name: &[u8],
        facts: Facts,
    ) -> EntryId {
        if let Some(before) = self.ledger.find(directory_id, name) {
            self.drop_entry(spool, queue, before);
        }
        let id = self.ledger.insert(directory_id, name, facts);
        if self.ledger.entry(id).is_unreadable() {
            self.directories.row_mut(directory_id).all_read = false;
        }
        let settings = &spool.instance.settings;
        spool
            .totals
            .apply(&self.ledger, id, queue, settings, Sign::Add);
        id
    }

    pub(super) fn put_stray(
        &mut self,
        spool: &mut TrackedSpool,
        directory_id: DirectoryId,
        queue: Queue,
        name: &[u8],
    ) -> EntryId {
        if let Some(id) = self.ledger.find(directory_id, name) {
            return id;
        }
        let id = self.ledger.insert_stray(directory_id, name);
        let settings = &spool.instance.settings;
        spool
            .totals
            .apply(&self.ledger, id, queue, settings, Sign::Add);
        id
    }

    pub(super) fn drop_entry(&mut self, spool: &mut TrackedSpool, queue: Queue, id: EntryId) {
        let settings = &spool.instance.settings;
        spool
            .totals
            .apply(&self.ledger, id, queue, settings, Sign::Remove);
        self.ledger.remove(id);
    }

    /// Moves an entry from one queue to another.
    pub(super) fn carry(
        &mut self,
        spool: &mut TrackedSpool,
        id: EntryId,
        (from, to): (Queue, Queue),
        directory_id: DirectoryId,
    ) {
        let settings = &spool.instance.settings;
        let totals = &mut spool.totals;
        totals.apply(&self.ledger, id, from, settings, Sign::Remove);
        self.ledger.set_place(id, directory_id);
        totals.apply(&self.ledger, id, to, settings, Sign::Add);
    }

    /// Updates an entry from its inode. Returns false if the file must be read.
    pub(super) fn look_at_inode(
        &mut self,
        spool: &mut TrackedSpool,
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
            && crate::scan::is_ready(queue, inode) == entry.is_message()
            && spool
                .spool
                .expected()
                .file_fault(directory, inode)
                .is_some()
                == entry.is_misowned();
        if !alike {
            return false;
        }
        spool
            .totals
            .apply_inode(self.ledger.entry(id), queue, Sign::Remove);
        self.ledger.set_inode(id, inode);
        spool
            .totals
            .apply_inode(self.ledger.entry(id), queue, Sign::Add);
        true
    }
}
