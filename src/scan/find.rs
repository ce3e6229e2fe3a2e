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
use super::expected::{Expected, OwnerFault, owner_fault};
use super::gap::{Gap, GapKind};
use super::log_dir::{LogReader, Logs, MAX_LEVELS};
use super::row::{MessageRow, RowBuilder};
use super::walker::{self, SerialWalk, Work};
use super::{Message, Observer, Spool, is_ready};
use crate::clock::Deadline;
use crate::postfix::body::{self, Body};
use crate::postfix::defer_log::Log;
use crate::postfix::envelope::{self, Visitor, Writer};
use crate::postfix::header::MAX_HEADERS;
use crate::postfix::queue::{Queue, QueueSet};
use crate::postfix::queue_id;
use crate::postfix::record::{Buffer, RecordReader};
use crate::source::Until;
use crate::sys::{self, Inode, Noatime, OpenFile};

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
/// How many records of one message are held in addition to those of waiting recipients; the rest are counted.
pub(crate) const MAX_OTHERS: usize = 10_000;
/// Bytes that those may have.
const MAX_OTHER_BYTES: usize = 1 << 20;

/// A record of the envelope that is not one of a waiting recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// The type of the record.
    pub(crate) kind: u8,
    /// Its data.
    pub(crate) data: Vec<u8>,
    /// Where it stands in the file, in bytes.
    pub(crate) offset: u64,
    /// The address before expansion, where it is a recipient and has one.
    pub(crate) original: Option<Vec<u8>>,
}

/// A message that was found.
#[derive(Clone, Debug)]
pub(crate) struct FoundMessage {
    /// What its queue file and its logs say.
    pub(crate) row: MessageRow,
    /// True if it is a message. A file that Postfix still writes is not a message yet.
    pub(crate) ready: bool,
    /// Whether Postfix looks for it in another directory.
    pub(crate) misplaced: bool,
    /// Why its owner stops Postfix, if it does.
    pub(crate) fault: Option<OwnerFault>,
    /// The first `MAX_OTHERS` other records of its envelope.
    pub(crate) others: Vec<Other>,
    /// The address that a REDIRECT action sends it to.
    pub(crate) redirect: Option<Vec<u8>>,
    /// When its defer log was written last, in seconds of the epoch.
    pub(crate) logged_at: Option<i64>,
    /// Whether there are more headers than were read.
    pub(crate) headers_cut: bool,
    /// A piece of its text, if it was asked for.
    pub(crate) body: Option<Body>,
}

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
struct Place {
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
        let mut places = Vec::new();
        for _ in 0..PASSES {
            places = self.pass(queue_id, |expected| expected..=expected);
            if !places.is_empty() {
                break;
            }
        }
        if places.is_empty() {
            places = self.pass(queue_id, |_| 0..=MAX_LEVELS);
        }
        if places.is_empty() && walk {
            places = self.walk(queue_id);
        }
        let mut found = Vec::new();
        for place in places {
            match self.read(queue_id, &place) {
                Ok(message) => found.push(message),
                Err(Errno::TIMEDOUT) => self.cut = true,
                Err(errno) => self.gaps.push(Gap {
                    queue: place.queue,
                    kind: GapKind::File,
                    path: place.directory.join(name_of(queue_id)),
                    errno: errno.raw_os_error(),
                }),
            }
        }
        found
    }

    /// What could not be looked at, and whether the time was up.
    pub(crate) fn finish(self) -> (Vec<Gap>, bool) {
        (self.gaps, self.cut)
    }

    /// Opens `queue_id` in each queue, at the levels that `levels` makes of the expected ones.
    fn pass(
        &mut self,
        queue_id: &[u8],
        levels: impl Fn(usize) -> std::ops::RangeInclusive<usize>,
    ) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for at in 0..self.queues.len() {
            let directory = Arc::clone(&self.queues[at]);
            let expected = self.spool.expected.levels(directory.queue);
            for level in levels(expected) {
                let below = queue_id::hash_path(queue_id, level);
                let Ok(path) = CString::new([below.as_bytes(), queue_id].concat()) else {
                    return places;
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
                self.take(queue_id, opened, &mut places);
            }
        }
        places
    }

    fn take(&mut self, queue_id: &[u8], opened: Opened, places: &mut Vec<Place>) {
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
                places.retain(|place| place.inode.number != inode.number);
                places.push(Place {
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
                let gap = Gap {
                    queue,
                    kind: GapKind::File,
                    path: directory.join(name_of(queue_id)),
                    errno: errno.raw_os_error(),
                };
                if !self.gaps.contains(&gap) {
                    self.gaps.push(gap);
                }
            }
        }
    }

    /// Lists every directory of every queue.
    fn walk(&mut self, queue_id: &[u8]) -> Vec<Place> {
        let first = self.queues.iter().rev().map(Arc::clone);
        let mut walk = SerialWalk::new(first.map(|queue| Work::List(queue, ())).collect());
        let mut looking = Looking {
            queue_id,
            expected: &self.spool.expected,
            noatime: Noatime::default(),
            opened: Vec::new(),
            gaps: Vec::new(),
        };
        while let Some((directory, (), bundle)) = walk.next_files(&mut looking) {
            if self.deadline.passed() {
                self.cut = true;
                break;
            }
            for name in bundle.names() {
                looking.open(&directory, name);
            }
        }
        self.gaps.append(&mut looking.gaps);
        let mut places = Vec::new();
        for opened in looking.opened {
            self.take(queue_id, opened, &mut places);
        }
        places
    }

    fn read(&mut self, queue_id: &[u8], place: &Place) -> Result<FoundMessage, Errno> {
        let Place {
            queue, inode, file, ..
        } = place;
        let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let mut hearing = Hearing {
            heard: RowBuilder::of_all_headers(),
            others: Vec::new(),
            other_bytes: 0,
            header_bytes: 0,
            redirect: None,
        };
        let mut logged_at = None;
        for logs in &self.logs {
            let heard = &mut hearing.heard;
            let each = |log, entry: &_| heard.logged(log, entry);
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
        let writer = match queue {
            Queue::Maildrop => Writer::Postdrop,
            _ => Writer::Cleanup,
        };
        let source = || Until::new(OpenFile(file.as_fd()), self.deadline);
        let mut records = RecordReader::new(source(), inode.size, &mut self.buffer);
        let envelope = envelope::read(&mut records, writer, &mut hearing).map_err(errno)?;
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
            directory: &place.directory,
            queue_id,
            inode: *inode,
            envelope: Some(envelope),
            misplaced: place.misplaced,
            fault: owner_fault(owner, *inode),
        };
        hearing.heard.message(&message);
        Ok(FoundMessage {
            ready: is_ready(*queue, *inode),
            misplaced: message.misplaced,
            fault: message.fault,
            others: hearing.others,
            redirect: hearing.redirect,
            logged_at,
            headers_cut: hearing.header_bytes >= MAX_HEADERS,
            body,
            row: hearing.heard.into_row(),
        })
    }
}

fn name_of(queue_id: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(queue_id))
}

/// Looks for one name in a walk.
struct Looking<'q> {
    queue_id: &'q [u8],
    expected: &'q Expected,
    noatime: Noatime,
    opened: Vec<Opened>,
    gaps: Vec<Gap>,
}

impl Looking<'_> {
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

impl walker::Visitor for Looking<'_> {
    type Tag = ();

    fn enter(&mut self, _directory: &Arc<Directory>, _parent: (), _name: CString) {}

    fn stray(&mut self, directory: &Directory, _tag: (), name: &CStr) {
        self.open(directory, name);
    }

    fn gap(&mut self, gap: Gap, _listed: Option<()>) {
        self.gaps.push(gap);
    }
}

/// Hears all that an envelope says.
struct Hearing {
    heard: RowBuilder,
    others: Vec<Other>,
    other_bytes: usize,
    header_bytes: usize,
    redirect: Option<Vec<u8>>,
}

impl Visitor for Hearing {
    fn attribute(&mut self, record: &[u8]) {
        self.heard.attribute(record);
    }

    fn wants_headers(&self) -> bool {
        true
    }

    fn header(&mut self, line: &[u8], begins: bool) {
        self.header_bytes = self.header_bytes.saturating_add(line.len() + 2);
        self.heard.header(line, begins);
    }

    fn sender(&mut self, address: &[u8]) {
        self.heard.sender(address);
    }

    fn original_recipient(&mut self, address: &[u8]) {
        self.heard.original_recipient(address);
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        self.heard.recipient(address, offset);
    }

    fn redirect(&mut self, address: &[u8]) {
        self.redirect = Some(address.to_vec());
    }

    fn other(&mut self, kind: u8, data: &[u8], offset: u64) {
        let original = match kind {
            b'D' | b'/' => self.heard.take_original(),
            _ => None,
        };
        let bytes = data.len() + original.as_ref().map_or(0, Vec::len);
        if self.others.len() < MAX_OTHERS && self.other_bytes + bytes <= MAX_OTHER_BYTES {
            self.other_bytes += bytes;
            self.others.push(Other {
                kind,
                data: data.to_vec(),
                offset,
                original,
            });
        }
    }
}
