//! Finds a message by its queue ID, in every queue, without listing a directory.
//!
//! Postfix computes the path of a queue file from its ID (postfix.md, "Hash directories"), and so does this:
//! one open for each queue, six in all. Where main.cf is not known, or a file lies in the wrong hash
//! directory, each other number of levels is tried, too. A walk over all directories is made only if it is
//! asked for.
//!
//! Mail moves on while it is looked for. Queues are tried in the order of its life, so that a message that
//! moves forward is met; one that goes back from deferred to active is met in the next of a few passes.
//! What is open stays readable wherever it goes.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::io::Errno;

use super::directory::Directory;
use super::expected::Expected;
use super::found_message::{EnvelopeCollector, FoundMessage};
use super::gap::{Gap, GapKind};
use super::log_dir::{LogReader, Logs, MAX_LEVELS};
use super::owner_fault::owner_fault;
use super::row::RowBuilder;
use super::walker::{self, SerialWalk, Work};
use super::{Message, Observer, Spool, is_ready};
use crate::clock::Deadline;
use crate::postfix::body;
use crate::postfix::defer_log::Log;
use crate::postfix::envelope::{self, Writer};
use crate::postfix::header::MAX_HEADERS;
use crate::postfix::queue::{Queue, QueueSet};
use crate::postfix::queue_id;
use crate::postfix::record::{Buffer, RecordReader};
use crate::source::Until;
use crate::sys::{self, EntryKind, Inode, Noatime, OpenFile};

/// Looks at all queues before a message is not there: it may move between two of them.
const PASSES: usize = 5;
/// Queues in the order of a message's life.
const LIFE: [Queue; 6] = [
    Queue::Maildrop,
    Queue::Incoming,
    Queue::Active,
    Queue::Deferred,
    Queue::Hold,
    Queue::Corrupt,
];
/// Finds messages of one spool.
#[derive(Debug)]
pub(crate) struct Finder<'s> {
    spool: &'s Spool,
    queues: Vec<Arc<Directory>>,
    logs: Vec<Logs>,
    /// Bytes of text to read of each message.
    body: Option<usize>,
    deadline: Deadline,
    noatime: Noatime,
    buffer: Buffer,
    log_reader: LogReader,
    gaps: Vec<Gap>,
    cut: bool,
}

/// An open queue file and where it was found.
struct FoundFile {
    queue: Queue,
    directory: PathBuf,
    misplaced: bool,
    file: OwnedFd,
    inode: Inode,
}

/// What came of opening a name.
struct Opened {
    queue: Queue,
    directory: PathBuf,
    misplaced: bool,
    file: Result<OwnedFd, Errno>,
}

impl<'s> Finder<'s> {
    /// Opens the queues and logs of `spool`; `body` bytes are read of the text of each message.
    pub(crate) fn new(spool: &'s Spool, body: Option<usize>, deadline: Deadline) -> Self {
        let mut noatime = Noatime::default();
        let mut gaps = Vec::new();
        let mut queues = spool.queue_directories(QueueSet::ALL, &mut noatime, |gap| gaps.push(gap));
        queues.sort_by_key(|directory| LIFE.iter().position(|queue| *queue == directory.queue));
        let mut logs = Vec::new();
        for log in [Log::Defer, Log::Bounce, Log::Trace] {
            let levels = spool.log_levels.map(|levels| levels[log as usize]);
            // To try each number of levels costs less than to list the directory.
            let seen = OnceLock::from(MAX_LEVELS);
            match Logs::open(spool.fd(), &spool.path, log, levels, &seen, &mut noatime) {
                Ok(open) => logs.push(open),
                Err(errno) => gaps.push(Gap {
                    queue: Queue::Deferred,
                    kind: GapKind::LogDirectory,
                    path: spool.path.join(log.directory()),
                    errno: errno.raw_os_error(),
                }),
            }
        }
        Finder {
            spool,
            queues,
            logs,
            body,
            deadline,
            noatime,
            buffer: Buffer::default(),
            log_reader: LogReader::default(),
            gaps,
            cut: false,
        }
    }

    /// All messages called `queue_id`, in the order of queues; with `walk` every directory is listed if it
    /// is not where Postfix looks for it. A short queue ID may name more than one.
    pub(crate) fn find(&mut self, queue_id: &[u8], walk: bool) -> Vec<FoundMessage> {
        let mut found = Vec::new();
        for _ in 0..PASSES {
            found = self.pass(queue_id, |expected| expected..=expected);
            if !found.is_empty() {
                break;
            }
        }
        if found.is_empty() {
            found = self.pass(queue_id, |_| 0..=MAX_LEVELS);
        }
        if found.is_empty() && walk {
            found = self.walk(queue_id);
        }
        let mut messages = Vec::new();
        for file in found {
            match self.read(queue_id, &file) {
                Ok(message) => messages.push(message),
                Err(Errno::TIMEDOUT) => self.cut = true,
                Err(errno) => self.gaps.push(Gap {
                    queue: file.queue,
                    kind: GapKind::File,
                    path: file.directory.join(name_of(queue_id)),
                    errno: errno.raw_os_error(),
                }),
            }
        }
        messages
    }

    /// What could not be read, and whether the deadline passed.
    pub(crate) fn finish(self) -> (Vec<Gap>, bool) {
        (self.gaps, self.cut)
    }

    /// Opens `queue_id` in each queue, at the levels that `levels` makes of the expected ones.
    fn pass(
        &mut self,
        queue_id: &[u8],
        levels: impl Fn(usize) -> std::ops::RangeInclusive<usize>,
    ) -> Vec<FoundFile> {
        let mut found: Vec<FoundFile> = Vec::new();
        for at in 0..self.queues.len() {
            let directory = Arc::clone(&self.queues[at]);
            let expected = self.spool.expected.levels(directory.queue);
            for level in levels(expected) {
                let below = queue_id::hash_path(queue_id, level);
                let Ok(path) = CString::new([below.as_bytes(), queue_id].concat()) else {
                    return found;
                };
                let folder = match below.strip_suffix('/') {
                    Some(below) => directory.path.join(below),
                    None => directory.path.clone(),
                };
                let opened = Opened {
                    queue: directory.queue,
                    directory: folder,
                    misplaced: level != expected && directory.queue != Queue::Corrupt,
                    file: self.noatime.open_below(directory.fd(), &path),
                };
                if let Err(Errno::NOTDIR | Errno::LOOP) = opened.file {
                    self.note_link(&directory, &below);
                }
                self.take(queue_id, opened, &mut found);
            }
        }
        found
    }

    /// Notes the first hash directory on the way `below` the queue that is a link, or otherwise neither a
    /// directory nor a file: mail behind it cannot be read.
    fn note_link(&mut self, queue: &Directory, below: &str) {
        let ends = below.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
        for (end, _) in ends {
            let Ok(path) = CString::new(&below[..end]) else {
                return;
            };
            match sys::kind_at(queue.fd(), &path) {
                Ok(EntryKind::Directory) => {}
                Ok(EntryKind::Other | EntryKind::Unknown) => {
                    // As a walk says it.
                    let gap = Gap::of_directory(queue.queue, queue.path_of(&path), Errno::NOTDIR);
                    self.put_gap(gap);
                    return;
                }
                Ok(EntryKind::File) | Err(_) => return,
            }
        }
    }

    fn put_gap(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    fn take(&mut self, queue_id: &[u8], opened: Opened, found: &mut Vec<FoundFile>) {
        let Opened {
            queue,
            directory,
            misplaced,
            file,
        } = opened;
        let opened = file.and_then(|file| Ok((sys::inode(file.as_fd())?, file)));
        match opened {
            Ok((inode, file)) if inode.regular => {
                // It moved on to this queue while it was looked for.
                found.retain(|file| file.inode.number != inode.number);
                found.push(FoundFile {
                    queue,
                    directory,
                    misplaced,
                    file,
                    inode,
                });
            }
            // A directory, a FIFO or a link of that name is not mail.
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) => {}
            Err(errno) => {
                self.put_gap(Gap {
                    queue,
                    kind: GapKind::File,
                    path: directory.join(name_of(queue_id)),
                    errno: errno.raw_os_error(),
                });
            }
        }
    }

    /// Lists every directory of every queue.
    fn walk(&mut self, queue_id: &[u8]) -> Vec<FoundFile> {
        let first = self.queues.iter().rev().map(Arc::clone);
        let mut walk = SerialWalk::new(first.map(|queue| Work::List(queue, ())).collect());
        let mut search = NameSearch {
            queue_id,
            expected: &self.spool.expected,
            noatime: Noatime::default(),
            opened: Vec::new(),
            gaps: Vec::new(),
        };
        while let Some((directory, (), bundle)) = walk.next_files(&mut search) {
            if self.deadline.passed() {
                self.cut = true;
                break;
            }
            for name in bundle.names() {
                search.open(&directory, name);
            }
        }
        for gap in search.gaps {
            self.put_gap(gap);
        }
        let mut found = Vec::new();
        for opened in search.opened {
            self.take(queue_id, opened, &mut found);
        }
        found
    }

    fn read(&mut self, queue_id: &[u8], found: &FoundFile) -> Result<FoundMessage, Errno> {
        let FoundFile {
            queue, inode, file, ..
        } = found;
        let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let mut collector = EnvelopeCollector {
            row: RowBuilder::of_all_headers(),
            others: Vec::new(),
            other_bytes: 0,
            header_bytes: 0,
            redirect: None,
        };
        let mut logged_at = None;
        for logs in &self.logs {
            let row = &mut collector.row;
            let each = |log, entry: &_| row.logged(log, entry);
            let (reader, noatime) = (&mut self.log_reader, &mut self.noatime);
            if logs.is_of(Log::Defer) {
                logged_at = logs.written(queue_id, reader);
            }
            match logs.read(*queue, queue_id, reader, noatime, self.deadline, each) {
                Ok(()) => {}
                Err(gap) if gap.errno == libc::ETIMEDOUT => self.cut = true,
                Err(gap) => self.gaps.push(gap),
            }
        }
        let writer = Writer::of(*queue);
        let source = || Until::new(OpenFile(file.as_fd()), self.deadline);
        let mut records = RecordReader::new(source(), inode.size, &mut self.buffer);
        let envelope = envelope::read(&mut records, writer, &mut collector).map_err(errno)?;
        let body = match self.body {
            Some(limit) => {
                let mut records = RecordReader::new(source(), inode.size, &mut self.buffer);
                Some(body::read(&mut records, limit).map_err(errno)?)
            }
            None => None,
        };
        let owner = self.spool.expected.owner_of_files(*queue);
        let message = Message {
            queue: *queue,
            directory: &found.directory,
            queue_id,
            inode: *inode,
            envelope: Some(envelope),
            misplaced: found.misplaced,
            fault: owner_fault(owner, *inode),
        };
        collector.row.message(&message);
        Ok(FoundMessage {
            ready: is_ready(*queue, *inode),
            misplaced: message.misplaced,
            fault: message.fault,
            others: collector.others,
            redirect: collector.redirect,
            logged_at,
            headers_cut: collector.header_bytes >= MAX_HEADERS,
            body,
            row: collector.row.into_row(),
        })
    }
}

fn name_of(queue_id: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(queue_id))
}

/// Looks for one name in a walk.
struct NameSearch<'q> {
    queue_id: &'q [u8],
    expected: &'q Expected,
    noatime: Noatime,
    opened: Vec<Opened>,
    gaps: Vec<Gap>,
}

impl NameSearch<'_> {
    fn open(&mut self, directory: &Directory, name: &CStr) {
        if name.to_bytes() == self.queue_id {
            self.opened.push(Opened {
                queue: directory.queue,
                directory: directory.path.clone(),
                misplaced: self.expected.is_misplaced(directory, self.queue_id),
                file: self.noatime.open_file(directory.fd(), name),
            });
        }
    }
}

impl walker::Visitor for NameSearch<'_> {
    type Tag = ();

    fn enter(&mut self, _directory: &Arc<Directory>, _parent: (), _name: CString) {}

    fn stray(&mut self, directory: &Directory, _tag: (), name: &CStr) {
        self.open(directory, name);
    }

    fn gap(&mut self, gap: Gap, _listed: Option<()>) {
        self.gaps.push(gap);
    }
}
