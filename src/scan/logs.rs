//! The defer or bounce logs of a spool: found by queue ID and told entry by entry.
//!
//! They lie in hash directories as queue files do (POSTFIX.md 1.3). Where main.cf is not known, how
//! many levels there are is seen from the directory itself. A message without a log is ordinary: it
//! was not tried yet, or is being tried now.

use std::ffi::CStr;
use std::io::Write as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::gap::{Gap, GapKind};
use crate::clock::Deadline;
use crate::postfix::defer_log::{self, Entry, Log, LogBuffer};
use crate::postfix::queue::Queue;
use crate::postfix::queue_id;
use crate::sys::{self, EntryKind, Noatime, OpenFile};

/// Levels of hash directories that are looked for where main.cf is not known.
const MAX_LEVELS: usize = 8;

/// One of the two log directories; closed where it is absent.
#[derive(Debug)]
pub(super) struct Logs {
    log: Log,
    fd: Option<OwnedFd>,
    path: PathBuf,
    levels: usize,
}

/// What one reader keeps from log to log.
#[derive(Debug, Default)]
pub(super) struct LogReader {
    buffer: LogBuffer,
    name: Vec<u8>,
}

impl Logs {
    /// The logs of the spool; `levels` are those of its hash directories, if known.
    pub(super) fn open(
        spool: BorrowedFd<'_>,
        spool_path: &Path,
        log: Log,
        levels: Option<usize>,
        noatime: &mut Noatime,
    ) -> Result<Logs, Errno> {
        let mut name = log.directory().as_bytes().to_vec();
        name.push(0);
        let name = CStr::from_bytes_with_nul(&name).unwrap_or_default();
        let fd = match noatime.open_directory(spool, name, true) {
            Ok(fd) => Some(fd),
            Err(Errno::NOENT) if !sys::exists_at(spool, log.directory()) => None,
            Err(errno) => return Err(errno),
        };
        let levels = match (levels, &fd) {
            (Some(levels), _) => levels,
            (None, Some(fd)) => levels_below(fd.as_fd(), noatime)?,
            (None, None) => 0,
        };
        Ok(Logs {
            log,
            fd,
            path: spool_path.join(log.directory()),
            levels,
        })
    }

    /// Reads the log of the message `queue_id`, if there is one, and tells `each` entry.
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
        let LogReader { buffer, name } = reader;
        name.clear();
        // Writing into a Vec cannot fail.
        let _ = name.write_all(queue_id::hash_path(queue_id, self.levels).as_bytes());
        name.extend_from_slice(queue_id);
        name.push(0);
        let path = CStr::from_bytes_with_nul(name).unwrap_or_default();
        let told = noatime
            .open_below(directory.as_fd(), path)
            .and_then(|file| {
                let source = OpenFile(file.as_fd());
                defer_log::read(source, self.log, buffer, deadline, |entry| {
                    each(self.log, entry);
                })
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
            });
        match told {
            // None yet, or removed as a new attempt begins.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(Gap {
                queue,
                kind: GapKind::Log,
                path: self.path.join(std::ffi::OsStr::from_bytes(path.to_bytes())),
                errno: errno.raw_os_error(),
            }),
        }
    }
}

/// How many levels of one-character directories there are.
fn levels_below(directory: BorrowedFd<'_>, noatime: &mut Noatime) -> Result<usize, Errno> {
    let mut memory = Vec::new();
    let mut below: Option<OwnedFd> = None;
    for level in 0..MAX_LEVELS {
        let here = below.as_ref().map_or(directory, AsFd::as_fd);
        let mut found = None;
        while sys::list(here, &mut memory, |name, kind| {
            if found.is_none() && name.to_bytes().len() == 1 && kind != EntryKind::File {
                found = Some(name.to_owned());
            }
        })? && found.is_none()
        {}
        let Some(name) = found else {
            return Ok(level);
        };
        below = match noatime.open_directory(here, &name, false) {
            Ok(fd) => Some(fd),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(level),
            Err(errno) => return Err(errno),
        };
    }
    Ok(MAX_LEVELS)
}
