//! The watched directories and their inotify watches.
//!
//! Each is a spool, a directory of a queue, or a directory of delay logs. A watch is set through the open
//! descriptor of the directory, so that no name below a spool is resolved twice.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inotify::{Inotify, WatchDescriptor, WatchMask, Watches};

use super::ledger::DirectoryId;
use crate::postfix::queue::Queue;
use crate::scan::{Directory, Gap};

/// The kind of a watched directory.
#[derive(Debug)]
pub(super) enum DirectoryKind {
    /// The queue directory of an instance.
    Spool,
    /// A directory of a queue, with its depth below the queue.
    Queue(Arc<Directory>),
    /// A directory of delay logs.
    Logs(OwnedFd, PathBuf),
    /// No longer watched; the queue that it belonged to.
    Gone(Option<Queue>),
}

/// A watched directory.
#[derive(Debug)]
pub(super) struct WatchedDirectory {
    /// The number of its instance.
    pub(super) instance: usize,
    pub(super) what: DirectoryKind,
    /// Its parent directory and its name there; none for the directory of a queue.
    pub(super) parent: Option<(DirectoryId, Box<CStr>)>,
    /// Why it could not be listed.
    pub(super) gap: Option<Gap>,
    /// True if all files in it that were checked could be read.
    pub(super) all_read: bool,
    watch: Option<WatchDescriptor>,
    pub(super) gone: bool,
}

impl WatchedDirectory {
    pub(super) fn queue(&self) -> Option<Queue> {
        match &self.what {
            DirectoryKind::Queue(directory) => Some(directory.queue),
            DirectoryKind::Gone(queue) => *queue,
            DirectoryKind::Spool | DirectoryKind::Logs(..) => None,
        }
    }
}

/// Why there can be no events.
#[derive(Debug)]
pub(super) struct Blindness(pub(super) String);

/// All watched directories.
#[derive(Debug)]
pub(super) struct WatchSet {
    rows: Vec<WatchedDirectory>,
    by_watch: HashMap<i32, DirectoryId>,
    watches: Option<Watches>,
}

impl WatchSet {
    /// Makes an empty set. Without an inotify no watches are set.
    pub(super) fn new(inotify: Option<&Inotify>) -> Self {
        WatchSet {
            rows: Vec::new(),
            by_watch: HashMap::new(),
            watches: inotify.map(Inotify::watches),
        }
    }

    pub(super) fn row(&self, directory_id: DirectoryId) -> &WatchedDirectory {
        &self.rows[directory_id as usize]
    }

    pub(super) fn row_mut(&mut self, directory_id: DirectoryId) -> &mut WatchedDirectory {
        &mut self.rows[directory_id as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (DirectoryId, &WatchedDirectory)> {
        self.rows
            .iter()
            .enumerate()
            .map(|(directory_id, row)| (directory_id as DirectoryId, row))
            .filter(|(_, row)| !row.gone)
    }

    /// Returns the directory of a watch.
    pub(super) fn of_watch(&self, watch: &WatchDescriptor) -> Option<DirectoryId> {
        let directory_id = *self.by_watch.get(&watch.get_watch_descriptor_id())?;
        (!self.row(directory_id).gone).then_some(directory_id)
    }

    /// Adds a directory and sets its watch, before it is listed. The directory is added even after an error.
    pub(super) fn add(
        &mut self,
        instance: usize,
        what: DirectoryKind,
        parent: Option<(DirectoryId, Box<CStr>)>,
        path: &Path,
        fd: BorrowedFd<'_>,
    ) -> (DirectoryId, Result<(), Blindness>) {
        let directory_id = self.rows.len() as DirectoryId;
        let mask = mask_of(&what);
        let outcome = self.watch(directory_id, mask, path, fd);
        let (watch, outcome) = match outcome {
            Ok(watch) => (watch, Ok(())),
            Err(blindness) => (None, Err(blindness)),
        };
        self.rows.push(WatchedDirectory {
            instance,
            what,
            parent,
            gap: None,
            all_read: true,
            watch,
            gone: false,
        });
        (directory_id, outcome)
    }

    /// Adds a directory without a watch.
    pub(super) fn add_unwatched(
        &mut self,
        instance: usize,
        what: DirectoryKind,
        parent: Option<(DirectoryId, Box<CStr>)>,
    ) -> DirectoryId {
        self.rows.push(WatchedDirectory {
            instance,
            what,
            parent,
            gap: None,
            all_read: true,
            watch: None,
            gone: false,
        });
        (self.rows.len() - 1) as DirectoryId
    }

    fn watch(
        &mut self,
        directory_id: DirectoryId,
        mask: WatchMask,
        path: &Path,
        fd: BorrowedFd<'_>,
    ) -> Result<Option<WatchDescriptor>, Blindness> {
        let needed = self.rows.len() + 1;
        let Some(watches) = &mut self.watches else {
            return Ok(None);
        };
        match add_watch(watches, mask, path, fd) {
            Ok(watch) => {
                let number = watch.get_watch_descriptor_id();
                if let Some(other) = self.by_watch.insert(number, directory_id) {
                    if !self.rows[other as usize].gone {
                        return Err(Blindness(format!(
                            "{} is watched already by another name",
                            crate::escape::path(path)
                        )));
                    }
                }
                Ok(Some(watch))
            }
            // Without the right to read it, it cannot be listed either, and that is a gap already.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(Blindness(why_not(&error, path, needed))),
        }
    }

    /// Returns the number of a known directory of a queue that is now open as `directory`. `inside` is its
    /// parent.
    pub(super) fn renew(
        &mut self,
        instance: usize,
        directory: &Arc<Directory>,
        inside: Option<&(DirectoryId, Box<CStr>)>,
    ) -> Option<DirectoryId> {
        let same = |row: &WatchedDirectory| {
            row.instance == instance
                && row.queue() == Some(directory.queue)
                && row.parent.as_ref() == inside
        };
        let directory_id = self.iter().find(|(_, row)| same(row))?.0;
        let row = self.row_mut(directory_id);
        row.what = DirectoryKind::Queue(Arc::clone(directory));
        row.gap = None;
        row.all_read = true;
        Some(directory_id)
    }

    /// Removes all watches.
    pub(super) fn unwatch(&mut self) {
        self.watches = None;
        self.by_watch.clear();
        for row in &mut self.rows {
            row.watch = None;
        }
    }

    /// Returns true if all directories could be watched through `inotify`.
    pub(super) fn can_be_watched(&self, inotify: &Inotify) -> bool {
        let mut watches = inotify.watches();
        self.iter().all(|(_, row)| {
            let (path, fd) = match &row.what {
                DirectoryKind::Spool | DirectoryKind::Gone(_) => return true,
                DirectoryKind::Queue(directory) => (directory.path.as_path(), directory.fd()),
                DirectoryKind::Logs(fd, path) => (path.as_path(), fd.as_fd()),
            };
            let added = add_watch(&mut watches, mask_of(&row.what), path, fd);
            added.is_ok()
        })
    }

    /// Removes `directory_id` and its subdirectories, and returns them.
    pub(super) fn forget(&mut self, directory_id: DirectoryId) -> Vec<DirectoryId> {
        let mut forgotten = vec![directory_id];
        let mut index = 0;
        while let Some(here) = forgotten.get(index).copied() {
            index += 1;
            let below = self
                .iter()
                .filter(|(_, row)| row.parent.as_ref().is_some_and(|(up, _)| *up == here));
            let below: Vec<DirectoryId> = below.map(|(directory_id, _)| directory_id).collect();
            forgotten.extend(below);
            let row = &mut self.rows[here as usize];
            row.gone = true;
            row.gap = None;
            // This closes its descriptor.
            row.what = DirectoryKind::Gone(row.queue());
            if let (Some(watch), Some(watches)) = (row.watch.take(), &mut self.watches) {
                self.by_watch.remove(&watch.get_watch_descriptor_id());
                // The kernel removes the watch together with the directory.
                let _ = watches.remove(watch);
            }
        }
        forgotten
    }

    /// Returns the directory called `name` in `parent`.
    pub(super) fn child(&self, parent: DirectoryId, name: &CStr) -> Option<DirectoryId> {
        let is = |row: &WatchedDirectory| {
            let (up, own) = row.parent.as_ref()?;
            (*up == parent && **own == *name).then_some(())
        };
        self.iter()
            .find(|(_, row)| is(row).is_some())
            .map(|(directory_id, _)| directory_id)
    }
}

/// Sets a watch on the directory that is open as `fd`.
fn add_watch(
    watches: &mut Watches,
    mask: WatchMask,
    path: &Path,
    fd: BorrowedFd<'_>,
) -> io::Result<WatchDescriptor> {
    match watches.add(format!("/proc/self/fd/{}", fd.as_raw_fd()), mask) {
        // /proc is not mounted.
        Err(error) if error.kind() == io::ErrorKind::NotFound => watches.add(path, mask),
        added => added,
    }
}

/// Returns the descriptor of a directory of logs.
pub(super) fn logs_fd(row: &WatchedDirectory) -> Option<(BorrowedFd<'_>, &Path)> {
    match &row.what {
        DirectoryKind::Logs(fd, path) => Some((fd.as_fd(), path)),
        _ => None,
    }
}

fn mask_of(what: &DirectoryKind) -> WatchMask {
    let entries = WatchMask::CREATE | WatchMask::DELETE | WatchMask::MOVE | WatchMask::ATTRIB;
    let itself = WatchMask::DELETE_SELF | WatchMask::MOVE_SELF | WatchMask::ONLYDIR;
    match what {
        DirectoryKind::Spool | DirectoryKind::Gone(_) => entries | itself,
        // In a directory where mail is written, each write would make an event.
        DirectoryKind::Queue(directory)
            if matches!(directory.queue, Queue::Incoming | Queue::Maildrop) =>
        {
            entries | itself | WatchMask::EXCL_UNLINK | WatchMask::CLOSE_WRITE
        }
        DirectoryKind::Logs(..) => {
            entries | itself | WatchMask::EXCL_UNLINK | WatchMask::CLOSE_WRITE
        }
        // Delivery agents keep a file open and mark the recipients that are done. The kernel also reports a
        // file as modified if only its modification time is set.
        DirectoryKind::Queue(_) => {
            entries | itself | WatchMask::EXCL_UNLINK | WatchMask::CLOSE_WRITE | WatchMask::MODIFY
        }
    }
}

/// Returns why a watch cannot be set, with the remedy.
pub(super) fn why_not(error: &io::Error, path: &Path, needed: usize) -> String {
    // The limit of the host, and that of this user namespace.
    let limit = |host: &str, own: &str| {
        let value = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/")));
            text.ok().and_then(|text| text.trim().parse::<u64>().ok())
        };
        match (value(host), value(own)) {
            (Some(most), Some(least)) if least < most => format!("{own} is {least}"),
            (Some(most), _) => format!("{host} is {most}"),
            (None, _) => format!("{host} is not known"),
        }
    };
    match error.raw_os_error() {
        Some(libc::ENOSPC) => format!(
            "cannot add inotify watches: {}, and {needed} or more are needed here; raise it by \
             sysctl",
            limit("fs.inotify.max_user_watches", "user.max_inotify_watches")
        ),
        Some(libc::EMFILE) => format!(
            "cannot create an inotify instance: {}, or too many files are open",
            limit(
                "fs.inotify.max_user_instances",
                "user.max_inotify_instances"
            )
        ),
        _ => format!("cannot watch {}: {error}", crate::escape::path(path)),
    }
}
