//! An open directory of a walk, and bundles of file names in it.
//!
//! A directory is opened relative to its parent. The [`Policy`] of the walk decides which links are followed
//! and which failures count.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use super::gap::{Gap, GapKind};
use crate::postfix::queue::Queue;
use crate::postfix::{qshape, queue_id};
use crate::sys::{self, Noatime};

/// How many files are one piece of work: enough to be worth a lock, few enough to share evenly.
const BUNDLE: usize = 256;

/// Which program's way through the directories a walk follows: names, links and depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// As Postfix's daemons. They enter subdirectories with a name of one character, but none of maildrop.
    /// They follow links; here a link is a gap, because a program that may read everything must not follow
    /// what the mail owner can create. Other subdirectories are walked, too: their files are strays.
    Daemons,
    /// As qshape(1). It enters every subdirectory, of any name, and follows no links (postfix.md, "How
    /// qshape walks").
    Qshape,
}

impl Policy {
    /// Returns true if a file called `name` is reported.
    pub(crate) fn takes(self, name: &[u8]) -> bool {
        match self {
            Policy::Daemons => queue_id::is_valid(name),
            Policy::Qshape => qshape::is_file_name(name) || queue_id::is_valid(name),
        }
    }

    /// Returns how many levels of subdirectories are walked. Postfix does not limit `hash_queue_depth`, but the
    /// path of that many directories must fit PATH_MAX. qshape has no limit either.
    fn depth(self) -> u32 {
        match self {
            Policy::Daemons => 64,
            Policy::Qshape => 256,
        }
    }
}

/// An open directory of a queue.
#[derive(Debug)]
pub(crate) struct Directory {
    /// The queue that it belongs to.
    pub(crate) queue: Queue,
    /// Its full path, for texts.
    pub(crate) path: PathBuf,
    /// True if the program whose way the walk follows looks at its files. The daemons list the queue directory
    /// and, except in maildrop, one-character subdirectories at any depth. They never deliver mail anywhere
    /// else (postfix.md, "Misplaced files").
    pub(crate) listed: bool,
    level: u32,
    /// The names of the hash directories above it, one character each.
    levels: Vec<u8>,
    policy: Policy,
    fd: OwnedFd,
}

impl Directory {
    /// Wraps the open directory where a walk starts.
    pub(crate) fn root(fd: OwnedFd, path: PathBuf, queue: Queue, policy: Policy) -> Self {
        Directory {
            queue,
            path,
            listed: true,
            level: 0,
            levels: Vec::new(),
            policy,
            fd,
        }
    }

    /// Opens the directory of `queue` in the spool. An absent one is a gap of its own kind.
    pub(crate) fn of_queue(
        spool: BorrowedFd<'_>,
        spool_path: &Path,
        queue: Queue,
        noatime: &mut Noatime,
    ) -> Result<Arc<Directory>, Gap> {
        let path = spool_path.join(queue.name());
        // Queue names contain no NUL.
        let name = CString::new(queue.name()).unwrap_or_default();
        match noatime.open_directory(spool, &name, true) {
            Ok(fd) => {
                let root = Directory::root(fd, path, queue, Policy::Daemons);
                Ok(Arc::new(root))
            }
            Err(errno) => {
                let mut gap = Gap::of_directory(queue, path, errno);
                // A dangling link is present: its file system is not mounted.
                if errno == Errno::NOENT && !sys::exists_at(spool, queue.name()) {
                    gap.kind = GapKind::Absent;
                }
                Err(gap)
            }
        }
    }

    /// Returns the descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Returns the names of the hash directories above it, one character each, if it is listed.
    pub(super) fn levels(&self) -> &[u8] {
        &self.levels
    }

    /// Returns the policy of its walk.
    pub(super) fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns the path of `name` in it.
    pub(crate) fn path_of(&self, name: &CStr) -> PathBuf {
        self.path.join(OsStr::from_bytes(name.to_bytes()))
    }

    /// Returns true if the files of a subdirectory called `name` are looked at.
    fn lists(&self, name: &CStr) -> bool {
        match self.policy {
            Policy::Daemons => {
                self.listed && self.queue != Queue::Maildrop && name.to_bytes().len() == 1
            }
            Policy::Qshape => true,
        }
    }

    /// Returns true if an entry called `name`, which is neither file nor directory, is to be opened. That
    /// fails and so becomes a gap. Only mail behind such a name is delivered, also where qshape enters others.
    pub(super) fn is_gap(&self, name: &CStr) -> bool {
        self.listed && self.queue != Queue::Maildrop && name.to_bytes().len() == 1
    }

    /// Opens the subdirectory `name`. `None` if it has vanished, or if no program looks at it and it cannot
    /// be opened.
    pub(crate) fn open(
        &self,
        name: &CStr,
        noatime: &mut Noatime,
    ) -> Result<Option<Arc<Directory>>, Gap> {
        let gap = |errno| Gap::of_directory(self.queue, self.path_of(name), errno);
        if self.level >= self.policy.depth() {
            return Err(gap(Errno::NAMETOOLONG));
        }
        match noatime.open_directory(self.fd(), name, false) {
            Ok(fd) => Ok(Some(Arc::new(Directory {
                queue: self.queue,
                path: self.path_of(name),
                listed: self.lists(name),
                level: self.level + 1,
                levels: [&self.levels, name.to_bytes()].concat(),
                policy: self.policy,
                fd,
            }))),
            Err(Errno::NOENT) => Ok(None),
            Err(_) if !self.lists(name) => Ok(None),
            Err(errno) => Err(gap(errno)),
        }
    }
}

impl Gap {
    /// Makes the gap of a directory of `queue` that cannot be opened or listed.
    pub(super) fn of_directory(queue: Queue, path: PathBuf, errno: Errno) -> Gap {
        Gap {
            queue,
            kind: GapKind::Directory,
            path,
            errno: errno.raw_os_error(),
        }
    }
}

/// Names of files in one directory, packed.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    names: Vec<u8>,
    ends: Vec<u32>,
}

impl Bundle {
    /// Adds a name.
    pub(crate) fn push(&mut self, name: &CStr) {
        self.names.extend_from_slice(name.to_bytes_with_nul());
        self.ends.push(self.names.len() as u32);
    }

    /// Returns how many names there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns true if it is enough for one piece of work.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= BUNDLE
    }

    /// Returns the name at `index`, if there is one.
    pub(crate) fn name(&self, index: usize) -> Option<&CStr> {
        let end = *self.ends.get(index)? as usize;
        let start = match index.checked_sub(1) {
            Some(before) => self.ends[before] as usize,
            None => 0,
        };
        CStr::from_bytes_with_nul(&self.names[start..end]).ok()
    }

    /// Returns all names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &CStr> {
        (0..self.len()).filter_map(|index| self.name(index))
    }
}
