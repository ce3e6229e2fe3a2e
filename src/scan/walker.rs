//! From a queue directory to its files: hashed subdirectories at any depth, in pieces of work.
//!
//! Listing a directory gives pieces of [`Work`]: subdirectories, and files in bundles small enough
//! to be shared between readers. What is to be done with a file is `read`'s business.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::gap::{Gap, GapKind};
use crate::postfix::queue::Queue;
use crate::postfix::queue_id;
use crate::sys::{self, EntryKind, Noatime};

/// Files in one piece of work: enough to be worth a lock, few enough to share evenly.
const BUNDLE: usize = 256;
/// Levels of subdirectories below a queue. Postfix sets no limit to `hash_queue_depth`, but a name
/// of that many directories must still fit PATH_MAX.
const MAX_DEPTH: u32 = 64;

/// An open directory of a queue.
#[derive(Debug)]
pub struct Directory {
    /// The queue that it belongs to.
    pub queue: Queue,
    /// Its full path, for messages.
    pub path: PathBuf,
    /// Whether Postfix's daemons list it: the queue directory and, but in maildrop, one-character
    /// subdirectories at any depth (postfix.md, "Misplaced files"). Mail anywhere else is never
    /// delivered.
    pub listed: bool,
    level: u32,
    fd: OwnedFd,
}

impl Directory {
    /// The descriptor.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The directory of `queue` in the spool; `None` if it is absent, which is an empty queue.
    pub fn of_queue(
        spool: BorrowedFd<'_>,
        spool_path: &Path,
        queue: Queue,
        noatime: &mut Noatime,
    ) -> Result<Option<Arc<Directory>>, Gap> {
        let path = spool_path.join(queue.name());
        // The names of queues have no NUL.
        let name = CString::new(queue.name()).unwrap_or_default();
        match noatime.open_directory(spool, &name, true) {
            Ok(fd) => Ok(Some(Arc::new(Directory {
                queue,
                path,
                listed: true,
                level: 0,
                fd,
            }))),
            // A link that leads nowhere (its disk is not mounted) is no empty queue.
            Err(Errno::NOENT) if !sys::exists_at(spool, queue.name()) => Ok(None),
            Err(errno) => Err(gap(queue, path, errno)),
        }
    }

    /// Whether the daemons list a subdirectory called `name`.
    fn lists(&self, name: &CStr) -> bool {
        self.listed && self.queue != Queue::Maildrop && name.to_bytes().len() == 1
    }

    /// The subdirectory `name`; `None` if it has vanished, or is none of those that Postfix looks at
    /// and cannot be opened. A link among those that it does look at is a gap: the daemons follow it,
    /// and we, who may read everything, follow nothing that the mail owner can make.
    pub fn open(&self, name: &CStr, noatime: &mut Noatime) -> Result<Option<Arc<Directory>>, Gap> {
        let path = join(&self.path, name);
        if self.level >= MAX_DEPTH {
            return Err(gap(self.queue, path, Errno::NAMETOOLONG));
        }
        match noatime.open_directory(self.fd(), name, false) {
            Ok(fd) => Ok(Some(Arc::new(Directory {
                queue: self.queue,
                path,
                listed: self.lists(name),
                level: self.level + 1,
                fd,
            }))),
            Err(Errno::NOENT) => Ok(None),
            Err(_) if !self.lists(name) => Ok(None),
            Err(errno) => Err(gap(self.queue, path, errno)),
        }
    }
}

fn gap(queue: Queue, path: PathBuf, errno: Errno) -> Gap {
    Gap {
        queue,
        kind: GapKind::Directory,
        path,
        errno: errno.raw_os_error(),
    }
}

/// `directory/name`.
pub(crate) fn join(directory: &Path, name: &CStr) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    directory.join(std::ffi::OsStr::from_bytes(name.to_bytes()))
}

/// Names of files of one directory, packed.
#[derive(Debug, Default)]
pub struct Bundle {
    names: Vec<u8>,
    ends: Vec<u32>,
}

impl Bundle {
    /// Adds a name.
    pub(crate) fn push(&mut self, name: &CStr) {
        self.names.extend_from_slice(name.to_bytes_with_nul());
        self.ends.push(self.names.len() as u32);
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it is enough for one piece of work.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= BUNDLE
    }

    /// The name at `index`, if there is one.
    pub(crate) fn name(&self, index: usize) -> Option<&CStr> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => self.ends[before] as usize,
            None => 0,
        };
        CStr::from_bytes_with_nul(&self.names[start..end]).ok()
    }
}

/// A piece of work.
#[derive(Debug)]
pub enum Work {
    /// A subdirectory to be opened and listed.
    Open(Arc<Directory>, CString),
    /// The rest of a listing.
    List(Arc<Directory>),
    /// Files to be read.
    Files(Arc<Directory>, Bundle),
}

/// What a listing finds.
pub(crate) trait Finder {
    /// A piece of work for later.
    fn work(&mut self, work: Work);

    /// A name that only counts, where nothing of the file is asked for.
    fn name(&mut self, directory: &Directory);

    /// A file that Postfix never looks at, for it lies in a directory that is not listed.
    fn stray(&mut self, directory: &Directory, name: &CStr);
}

/// Lists one buffer full of `directory`, telling `finder` what is there; returns whether there may be
/// more. `names_only`: files are counted by name, not bundled for reading.
pub(crate) fn list(
    directory: &Arc<Directory>,
    names_only: bool,
    memory: &mut Vec<u8>,
    finder: &mut impl Finder,
) -> Result<bool, Gap> {
    let mut bundle = Bundle::default();
    let result = sys::list(directory.fd(), memory, |name, kind| {
        let kind = match kind {
            // Refused or failing: opening it as a file will say why. Vanished: opening it says that.
            EntryKind::Unknown => sys::kind_at(directory.fd(), name).unwrap_or(EntryKind::File),
            kind => kind,
        };
        match kind {
            EntryKind::Directory => {
                finder.work(Work::Open(Arc::clone(directory), name.to_owned()));
            }
            EntryKind::File if !queue_id::is_valid(name.to_bytes()) => {}
            EntryKind::File if !directory.listed => finder.stray(directory, name),
            EntryKind::File if names_only => finder.name(directory),
            EntryKind::File => {
                bundle.push(name);
                if bundle.is_full() {
                    let files = std::mem::take(&mut bundle);
                    finder.work(Work::Files(Arc::clone(directory), files));
                }
            }
            // A link in the place of a hash directory.
            EntryKind::Other if directory.lists(name) => {
                finder.work(Work::Open(Arc::clone(directory), name.to_owned()));
            }
            EntryKind::Other | EntryKind::Unknown => {}
        }
    });
    if bundle.len() > 0 {
        finder.work(Work::Files(Arc::clone(directory), bundle));
    }
    match result {
        Ok(more) => Ok(more),
        // A hash directory that postsuper(1) removed while it was open: empty.
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(gap(directory.queue, directory.path.clone(), errno)),
    }
}
