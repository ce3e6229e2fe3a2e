//! Applies qshape's rules to each file that the walker finds below a place.

use std::ffi::{CStr, CString};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use rustix::io::Errno;

use super::{Cause, MAX_EXAMPLES, Part, ShapeRoot, Shared};
use crate::control;
use crate::error::Error;
use crate::postfix::envelope::{self, Envelope, Visitor, Writer};
use crate::postfix::qshape::{self, Addresses, Outcome};
use crate::postfix::queue::Queue;
use crate::postfix::record::{Buffer, RecordReader};
use crate::postfix::{address, queue_id};
use crate::scan::{Bundle, Directory, Gap, Policy, Spool, Work, is_ready, walker};
use crate::source::{Source, Until};
use crate::sys::{self, EntryKind, Inode, Noatime, OpenFile};

/// The maximum number of rows that a thread counts before it merges them; otherwise every thread could
/// hold all domains.
const LOCAL_ROWS: usize = 4096;

/// The state of one thread.
pub(super) struct ShapeReader<'c> {
    shared: &'c Shared<'c>,
    parts: Vec<Part>,
    pub(super) gaps: Vec<Error>,
    pub(super) unreadable: u64,
    pub(super) cut: bool,
    noatime: Noatime,
    buffer: Buffer,
    addresses: Addresses,
    name: Vec<u8>,
}

impl<'c> ShapeReader<'c> {
    pub(super) fn new(shared: &'c Shared<'c>) -> Self {
        let width = shared.request.buckets.cells();
        let parts = shared
            .parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        ShapeReader {
            shared,
            parts: (0..parts).map(|_| Part::new(width)).collect(),
            gaps: Vec::new(),
            unreadable: 0,
            cut: false,
            noatime: Noatime::default(),
            buffer: Buffer::default(),
            addresses: Addresses::default(),
            name: Vec::new(),
        }
    }

    fn is_late(&mut self) -> bool {
        let late = &self.shared.late;
        control::step();
        if !late.load(Ordering::Relaxed) && self.shared.request.deadline.passed() {
            late.store(true, Ordering::Relaxed);
        }
        self.cut |= late.load(Ordering::Relaxed);
        late.load(Ordering::Relaxed)
    }

    fn put_gap(&mut self, action: &str, path: &Path, errno: Errno) {
        self.unreadable += 1;
        if self.gaps.len() < MAX_EXAMPLES {
            let error = Error::system(action, path, errno.raw_os_error());
            self.gaps.push(error);
        }
    }

    fn place(&self, place: usize) -> &'c ShapeRoot {
        &self.shared.request.places[place]
    }

    /// Merges the counts into the shared parts.
    pub(super) fn hand_over(&mut self) {
        let mut shared = self
            .shared
            .parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let files = |parts: &[Part]| parts.iter().map(|part| part.files).sum::<u64>();
        let before = files(&shared);
        for (sum, own) in shared.iter_mut().zip(&mut self.parts) {
            sum.take_in(own);
        }
        if let Some(interim) = self.shared.interim {
            if files(&shared) / interim.every.max(1) > before / interim.every.max(1) {
                (interim.show)(&shared);
            }
        }
    }

    fn file(&mut self, directory: &Directory, place: usize, name: &CStr) {
        match self.try_file(directory, place, name) {
            // Moved or delivered meanwhile, or a link, which is not a file.
            Ok(()) | Err(Errno::NOENT | Errno::LOOP) => {}
            Err(Errno::TIMEDOUT) => self.cut = true,
            Err(errno) => match sys::inode_at(directory.fd(), name) {
                Ok(inode) if !inode.regular => {}
                Err(Errno::NOENT) => {}
                _ => self.put_gap("read", &directory.path_of(name), errno),
            },
        }
    }

    fn try_file(&mut self, directory: &Directory, place: usize, name: &CStr) -> Result<(), Errno> {
        let file = self.noatime.open_file(directory.fd(), name)?;
        let inode = sys::inode(file.as_fd())?;
        if !inode.regular {
            return Ok(());
        }
        let place = self.place(place);
        let source = || Until::new(OpenFile(file.as_fd()), self.shared.request.deadline);
        let expected_mode = inode.mode & 0o733 == 0o700;
        let expected_name = qshape::is_file_name(name.to_bytes());
        let outcome = if expected_mode && expected_name {
            let (buffer, addresses) = (&mut self.buffer, &mut self.addresses);
            qshape::read(source(), inode.size, inode.mtime, buffer, addresses)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?
        } else {
            Outcome::Refused
        };
        if let Outcome::Accepted { time, spilt } = outcome {
            self.parts[place.part].files += 1;
            return self.accepted(place, source(), inode.size, time, spilt);
        }
        if outcome == Outcome::Unrecognised {
            self.parts[place.part].files += 1;
            if self.shared.request.senders && !self.shared.request.all {
                let cell = self.cell(0.0);
                self.parts[place.part]
                    .senders
                    .count(address::MAILER_DAEMON, cell);
            }
        }
        let queue = place.queue.unwrap_or(Queue::Active);
        if !is_ready(queue, inode) || !queue_id::is_valid(name.to_bytes()) {
            return Ok(());
        }
        let cause = match outcome {
            _ if !expected_mode => Cause::Mode,
            _ if !expected_name => Cause::Name,
            _ => Cause::Damaged,
        };
        self.hidden(place, source(), inode, cause)
    }

    fn cell(&self, time: f64) -> usize {
        let request = self.shared.request;
        request.buckets.cell(request.now as f64 - time)
    }

    /// Counts a file that qshape accepts; `addresses` holds its content.
    fn accepted(
        &mut self,
        place: &ShapeRoot,
        source: impl Source,
        size: u64,
        time: f64,
        spilt: bool,
    ) -> Result<(), Errno> {
        let cell = self.cell(time);
        let request = self.shared.request;
        let part = &mut self.parts[place.part];
        let name = &mut self.name;
        if request.senders {
            address::destination_domain(&self.addresses.sender, name);
            part.senders.count(name, cell);
        }
        if !request.recipients {
            return Ok(());
        }
        let mut count = |recipient: &[u8]| {
            address::destination_domain(recipient, name);
            part.recipients.count(name, cell);
        };
        if spilt {
            qshape::each_recipient(source, size, &mut self.buffer, count)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        } else {
            self.addresses.recipients().for_each(&mut count);
        }
        Ok(())
    }

    /// Counts a message that qshape omits, read as Postfix would read it.
    fn hidden(
        &mut self,
        place: &ShapeRoot,
        source: impl Source,
        inode: Inode,
        cause: Cause,
    ) -> Result<(), Errno> {
        let request = self.shared.request;
        let new = request.buckets.cell(0.0);
        let mut counts = EnvelopeCounts {
            part: &mut self.parts[place.part],
            name: &mut self.name,
            request,
            cell: new,
            sender: None,
        };
        let writer = match place.queue {
            Some(Queue::Maildrop) => Writer::Postdrop,
            _ => Writer::Cleanup,
        };
        let mut records = RecordReader::new(source, inode.size, &mut self.buffer);
        let read: Envelope = envelope::read(&mut records, writer, &mut counts)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let cause = match cause {
            Cause::Damaged if read.damage.is_none() && place.queue == Some(Queue::Maildrop) => {
                Cause::Maildrop
            }
            cause => cause,
        };
        // All recipients are done, so there is no mail to report.
        if read.recipients == 0 && read.damage.is_none() {
            return Ok(());
        }
        let sender = counts.sender.take();
        let cell = counts.cell;
        let part = &mut self.parts[place.part];
        let hidden = &mut part.hidden[cause as usize];
        hidden.messages += 1;
        hidden.recipients += read.recipients;
        if request.all {
            part.files += 1;
            if request.senders {
                part.senders
                    .count(sender.as_deref().unwrap_or(address::MAILER_DAEMON), cell);
            }
        }
        Ok(())
    }
}

impl walker::Visitor for ShapeReader<'_> {
    /// The index of a place.
    type Tag = usize;

    /// Lists a place that is a directory, and reads one that is a file. A link is a gap.
    fn root(&mut self, place: usize) -> Option<Work<usize>> {
        let ShapeRoot { path, queue, .. } = self.place(place);
        let root = |fd, path: &Path| {
            let queue = queue.unwrap_or(Queue::Active);
            Arc::new(Directory::root(fd, path.to_owned(), queue, Policy::Qshape))
        };
        let mut begun = || {
            let name = CString::new(path.as_os_str().as_bytes());
            let name = name.map_err(|_| ("find", Errno::INVAL))?;
            let kind = match sys::kind_at(rustix::fs::CWD, &name) {
                Err(Errno::NOENT) if queue.is_some() && is_new(path) => return Ok(None),
                kind => kind.map_err(|errno| ("find", errno))?,
            };
            match kind {
                EntryKind::Directory => {
                    let fd = self
                        .noatime
                        .open_directory(rustix::fs::CWD, &name, false)
                        .map_err(|errno| ("list", errno))?;
                    Ok(Some(Work::List(root(fd, path), place)))
                }
                // qshape reads a file in the place of a queue as one more message.
                EntryKind::File if queue.is_some() => Err(("list", Errno::NOTDIR)),
                EntryKind::File => {
                    let (Some(parent), Some(base)) = (path.parent(), path.file_name()) else {
                        return Ok(None);
                    };
                    let fd = sys::open_base(parent).map_err(|errno| ("find", errno))?;
                    let Ok(base) = CString::new(base.as_bytes()) else {
                        return Ok(None);
                    };
                    let mut bundle = Bundle::default();
                    if Policy::Qshape.takes(base.to_bytes()) {
                        bundle.push(&base);
                    }
                    Ok(Some(Work::Files(root(fd, parent), place, bundle)))
                }
                // If a place is a link (to another disk), qshape silently shows nothing.
                EntryKind::Other | EntryKind::Unknown => match path.is_symlink() {
                    true => Err(("list", Errno::LOOP)),
                    false => Err(("list", Errno::NOTDIR)),
                },
            }
        };
        match begun() {
            Ok(work) => work,
            Err((action, errno)) => {
                self.put_gap(action, path, errno);
                None
            }
        }
    }

    fn enter(&mut self, _directory: &Arc<Directory>, place: usize, _name: CString) -> usize {
        place
    }

    fn is_cut(&mut self, _directory: &Directory) -> bool {
        self.is_late()
    }

    fn files(
        &mut self,
        directory: &Arc<Directory>,
        place: usize,
        bundle: &Bundle,
        asked: &mut dyn FnMut(),
    ) {
        for name in bundle.names() {
            if self.is_late() {
                return;
            }
            self.file(directory, place, name);
            asked();
        }
        let part = &self.parts[self.place(place).part];
        if self.shared.interim.is_some() || part.recipients.len() + part.senders.len() > LOCAL_ROWS
        {
            self.hand_over();
        }
    }

    fn gap(&mut self, gap: Gap, _listed: Option<usize>) {
        let errno = Errno::from_raw_os_error(gap.errno);
        self.put_gap("list", &gap.path, errno);
    }
}

/// Whether the queue directory `path` is absent because Postfix was never started on its spool.
fn is_new(path: &Path) -> bool {
    let spool = path.parent().map(Spool::open);
    spool.is_some_and(|spool| spool.is_ok_and(|spool| spool.never_started()))
}

/// Counts the envelope of a message that qshape omits.
struct EnvelopeCounts<'h> {
    part: &'h mut Part,
    name: &'h mut Vec<u8>,
    request: &'h super::ShapeRequest,
    cell: usize,
    sender: Option<Vec<u8>>,
}

impl Visitor for EnvelopeCounts<'_> {
    fn arrival(&mut self, seconds: i64) {
        let age = self.request.now.saturating_sub(seconds);
        self.cell = self.request.buckets.cell(age as f64);
    }

    fn sender(&mut self, address: &[u8]) {
        if self.request.all && self.request.senders {
            address::destination_domain(address, self.name);
            self.sender = Some(self.name.clone());
        }
    }

    fn recipient(&mut self, address: &[u8], _offset: u64) {
        if self.request.all && self.request.recipients {
            address::destination_domain(address, self.name);
            self.part.recipients.count(self.name, self.cell);
        }
    }
}
