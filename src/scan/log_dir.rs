//! The defer or bounce logs of a spool: finds a log by queue ID and reports its entries.
//!
//! Logs are in hash directories as queue files are (postfix.md, "Hash directories"). If main.cf is not known,
//! the greatest depth is taken from the directory itself, and a log is searched at that depth and at smaller
//! ones. A message without a log is normal: Postfix has not tried it yet, or is trying it now.

use std::ffi::{CStr, CString};
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::io::Errno;

use super::gap::{Gap, GapKind};
use crate::clock::Deadline;
use crate::postfix::defer_log::{self, Entry, Log, LogBuffer};
use crate::postfix::queue::Queue;
use crate::postfix::queue_id;
use crate::source::Until;
use crate::sys::{self, EntryKind, Identity, Noatime, OpenFile};

/// How many levels of hash directories are searched if main.cf is not known.
pub(super) const MAX_LEVELS: usize = 8;
/// How many entries of one message's log are reported: more recipients than Postfix accepts at once.
const MAX_ENTRIES: usize = 1 << 20;
/// How many bytes of texts of one message's log are reported.
const MAX_TEXT: usize = 64 << 20;

/// One of the two log directories; closed if it is absent.
#[derive(Debug)]
pub(super) struct Logs {
    log: Log,
    fd: Option<OwnedFd>,
    path: PathBuf,
    levels: Levels,
}

/// The depth of the hash directories.
#[derive(Clone, Copy, Debug)]
enum Levels {
    Known(usize),
    AtMost(usize),
}

impl Levels {
    /// Returns the smallest possible depth.
    fn least(self) -> usize {
        match self {
            Levels::Known(levels) => levels,
            Levels::AtMost(_) => 0,
        }
    }

    /// Returns all possible depths, the greatest first.
    fn to_try(self) -> impl Iterator<Item = usize> {
        let (Levels::Known(most) | Levels::AtMost(most)) = self;
        (self.least()..=most).rev()
    }
}

/// What one reader keeps from log to log.
#[derive(Debug, Default)]
pub(super) struct LogReader {
    buffer: LogBuffer,
    name: Vec<u8>,
}

/// Whether the directory of `log` is a link that leads nowhere, or is absent from a spool that Postfix has set up: one
/// with sockets. A spool of queues alone has no logs, and only deferred mail has one in any case.
fn is_removed(spool: BorrowedFd<'_>, log: Log) -> bool {
    let is_there = |name| sys::exists_at(spool, name);
    is_there(log.directory()) || log == Log::Defer && is_there("private") && is_there("public")
}

impl Logs {
    /// Opens the logs of the spool. `levels` is the depth of its hash directories, if known. Otherwise the
    /// greatest depth is taken from `seen`, or searched for and stored there.
    pub(super) fn open(
        spool: BorrowedFd<'_>,
        spool_path: &Path,
        log: Log,
        levels: Option<usize>,
        seen: &OnceLock<usize>,
        noatime: &mut Noatime,
    ) -> Result<Logs, Errno> {
        let mut name = log.directory().as_bytes().to_vec();
        name.push(0);
        let name = CStr::from_bytes_with_nul(&name).unwrap_or_default();
        let fd = match noatime.open_directory(spool, name, true) {
            Ok(fd) => Some(fd),
            Err(Errno::NOENT) if !is_removed(spool, log) => None,
            Err(errno) => return Err(errno),
        };
        let levels = match (levels, &fd, seen.get()) {
            (Some(levels), ..) => Levels::Known(levels),
            (None, None, _) => Levels::Known(0),
            (None, _, Some(seen)) => Levels::AtMost(*seen),
            (None, Some(fd), None) => {
                let levels = levels_below(fd.as_fd(), noatime)?;
                Levels::AtMost(*seen.get_or_init(|| levels))
            }
        };
        Ok(Logs {
            log,
            fd,
            path: spool_path.join(log.directory()),
            levels,
        })
    }

    /// Reads the log of the message `queue_id`, if there is one, and passes its entries to `each`.
    pub(super) fn read(
        &self,
        queue: Queue,
        queue_id: &[u8],
        reader: &mut LogReader,
        noatime: &mut Noatime,
        deadline: Deadline,
        mut each: impl FnMut(Log, &Entry),
    ) -> Result<(), Gap> {
        let Some(directory) = &self.fd else {
            return Ok(());
        };
        if deadline.passed() {
            return Err(self.gap(queue, c"", Errno::TIMEDOUT));
        }
        let LogReader { buffer, name } = reader;
        let least = self.levels.least();
        for levels in self.levels.to_try() {
            let path = path_of(queue_id, levels, name);
            let file = match noatime.open_below(directory.as_fd(), path) {
                Ok(file) => file,
                // No log yet, or removed because a new attempt begins.
                Err(Errno::NOENT) => continue,
                // If the depth is a guess, a file may be at the path of a directory.
                Err(Errno::NOTDIR) if levels > least => continue,
                Err(errno) => return Err(self.gap(queue, path, errno)),
            };
            let (mut entries, mut text) = (0, 0);
            let result = defer_log::read(
                Until::new(OpenFile(file.as_fd()), deadline),
                self.log,
                buffer,
                |entry| {
                    entries += 1;
                    text += entry.text_bytes();
                    if entries <= MAX_ENTRIES && text <= MAX_TEXT {
                        each(self.log, entry);
                    }
                },
            );
            return match result {
                Ok(()) if entries > MAX_ENTRIES || text > MAX_TEXT => {
                    Err(self.gap(queue, path, Errno::FBIG))
                }
                Ok(()) => Ok(()),
                Err(error) => {
                    let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                    Err(self.gap(queue, path, errno))
                }
            };
        }
        Ok(())
    }

    /// Returns the identity of the log of `queue_id`; [`Identity::NONE`] if there is none.
    pub(super) fn identity(
        &self,
        queue_id: &[u8],
        reader: &mut LogReader,
    ) -> Result<Identity, Errno> {
        let Some(directory) = &self.fd else {
            return Ok(Identity::NONE);
        };
        for levels in self.levels.to_try() {
            let path = path_of(queue_id, levels, &mut reader.name);
            match sys::identity_at(directory.as_fd(), path) {
                Err(Errno::NOENT) => {}
                Err(Errno::NOTDIR) if levels > self.levels.least() => {}
                found => return found,
            }
        }
        Ok(Identity::NONE)
    }

    /// Whether these are the logs called `log`.
    pub(super) fn is_of(&self, log: Log) -> bool {
        self.log == log
    }

    /// When the log of `queue_id` was written last, in seconds of the epoch, if there is one.
    pub(super) fn written(&self, queue_id: &[u8], reader: &mut LogReader) -> Option<i64> {
        let directory = self.fd.as_ref()?;
        self.levels.to_try().find_map(|levels| {
            let path = path_of(queue_id, levels, &mut reader.name);
            let inode = sys::inode_at(directory.as_fd(), path).ok()?;
            Some(inode.mtime)
        })
    }

    fn gap(&self, queue: Queue, path: &CStr, errno: Errno) -> Gap {
        Gap {
            queue,
            kind: GapKind::Log,
            path: self.path.join(std::ffi::OsStr::from_bytes(path.to_bytes())),
            errno: errno.raw_os_error(),
        }
    }
}

/// Writes the path of the log of `queue_id` below its directory to `name`.
fn path_of<'n>(queue_id: &[u8], levels: usize, name: &'n mut Vec<u8>) -> &'n CStr {
    name.clear();
    // Writing into a Vec cannot fail.
    let _ = name.write_all(queue_id::hash_path(queue_id, levels).as_bytes());
    name.extend_from_slice(queue_id);
    name.push(0);
    CStr::from_bytes_with_nul(name).unwrap_or_default()
}

/// Returns the greatest depth of one-character directories. It follows the first one at each level that has
/// subdirectories.
fn levels_below(directory: BorrowedFd<'_>, noatime: &mut Noatime) -> Result<usize, Errno> {
    let mut here: Option<OwnedFd> = None;
    let mut names = names_below(directory)?;
    for level in 0..MAX_LEVELS {
        if names.is_empty() {
            return Ok(level);
        }
        let mut deeper = None;
        for name in &names {
            let place = here.as_ref().map_or(directory, AsFd::as_fd);
            let below = match noatime.open_directory(place, name, false) {
                Ok(below) => below,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(errno),
            };
            let found = names_below(below.as_fd())?;
            if !found.is_empty() {
                deeper = Some((below, found));
                break;
            }
        }
        match deeper {
            Some((below, found)) => (here, names) = (Some(below), found),
            None => return Ok(level + 1),
        }
    }
    Ok(MAX_LEVELS)
}

/// Returns the entries of `directory` with names of one character, without files.
fn names_below(directory: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
    let (mut memory, mut names) = (Vec::new(), Vec::new());
    while sys::list(directory, &mut memory, |name, kind| {
        if name.to_bytes().len() == 1 && kind != EntryKind::File {
            names.push(name.to_owned());
        }
    })? {}
    Ok(names)
}
