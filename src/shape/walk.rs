//! From places to files to counts: every directory below each place, of any name, links not followed
//! (postfix.md, "How qshape walks"), on the threads of a pool.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use rustix::io::Errno;

use super::file::{self, Buffer, Kept, Outcome};
use super::{Cause, Common, MAX_EXAMPLES, Part, Place};
use crate::error::Error;
use crate::postfix::envelope::{self, Envelope, Visitor, Writer};
use crate::postfix::queue::Queue;
use crate::postfix::record::RecordReader;
use crate::postfix::{address, queue_id};
use crate::scan::{Bundle, is_ready};
use crate::sys::{self, EntryKind, Inode, Noatime, OpenFile};
use crate::threads::pool::{Asked, Share, Worker};

/// Levels of directories below a place.
const MAX_DEPTH: u32 = 256;
/// Rows of its own that a thread counts before it hands them over: each of many threads would else
/// hold all domains.
const LOCAL_ROWS: usize = 4096;

/// An open directory.
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
    level: u32,
    place: usize,
}

/// A piece of work.
pub(super) enum Job {
    /// A place to be looked through.
    Enter(usize),
    /// A subdirectory to be opened and listed.
    Open(Arc<Directory>, CString),
    /// Files to be read.
    Files(Arc<Directory>, Bundle),
}

/// One thread's part.
pub(super) struct Reader<'c> {
    common: &'c Common<'c>,
    parts: Vec<Part>,
    pub(super) gaps: Vec<Error>,
    pub(super) unreadable: u64,
    pub(super) cut: bool,
    noatime: Noatime,
    listing: Vec<u8>,
    buffer: Buffer,
    kept: Kept,
    name: Vec<u8>,
}

impl Worker for Reader<'_> {
    type Job = Job;

    fn perform(&mut self, job: Job, hands: &mut dyn Share<Job>) {
        if self.is_late() {
            self.cut = true;
            return;
        }
        match job {
            Job::Enter(place) => self.enter(place, hands),
            Job::Open(parent, name) => {
                match self.noatime.open_directory(parent.fd.as_fd(), &name, false) {
                    Ok(fd) => self.list(
                        &Arc::new(Directory {
                            fd,
                            path: join(&parent.path, &name),
                            level: parent.level + 1,
                            place: parent.place,
                        }),
                        hands,
                    ),
                    Err(Errno::NOENT) => {}
                    Err(errno) => self.gap("list", &join(&parent.path, &name), errno),
                }
            }
            Job::Files(directory, bundle) => self.files(&directory, &bundle, hands),
        }
    }
}

impl<'c> Reader<'c> {
    pub(super) fn new(common: &'c Common<'c>) -> Self {
        let width = common.request.buckets.cells();
        let parts = common
            .parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        Reader {
            common,
            parts: (0..parts).map(|_| Part::new(width)).collect(),
            gaps: Vec::new(),
            unreadable: 0,
            cut: false,
            noatime: Noatime::default(),
            listing: Vec::new(),
            buffer: Buffer::default(),
            kept: Kept::default(),
            name: Vec::new(),
        }
    }

    fn is_late(&self) -> bool {
        let late = &self.common.late;
        if !late.load(Ordering::Relaxed) && self.common.request.deadline.passed() {
            late.store(true, Ordering::Relaxed);
        }
        late.load(Ordering::Relaxed)
    }

    fn gap(&mut self, action: &str, path: &Path, errno: Errno) {
        self.unreadable += 1;
        if self.gaps.len() < MAX_EXAMPLES {
            let error = Error::system(action, path, errno.raw_os_error());
            self.gaps.push(error);
        }
    }

    fn place(&self, place: usize) -> &'c Place {
        &self.common.request.places[place]
    }

    /// Hands the counts over.
    pub(super) fn hand_over(&mut self) {
        let mut common = self
            .common
            .parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let files = |parts: &[Part]| parts.iter().map(|part| part.files).sum::<u64>();
        let before = files(&common);
        for (sum, own) in common.iter_mut().zip(&mut self.parts) {
            sum.take_in(own);
        }
        if let Some(interim) = self.common.interim {
            if files(&common) / interim.every.max(1) > before / interim.every.max(1) {
                (interim.show)(&common);
            }
        }
    }

    /// A place that is a directory is listed, one that is a file is read; a link is nothing.
    fn enter(&mut self, place: usize, hands: &mut dyn Share<Job>) {
        let path = &self.place(place).path;
        let Ok(name) = CString::new(path.as_os_str().as_bytes()) else {
            return self.gap("find", path, Errno::INVAL);
        };
        let inode = match sys::kind_at(rustix::fs::CWD, &name) {
            Ok(kind) => kind,
            Err(Errno::NOENT) if self.place(place).queue.is_some() => return,
            Err(errno) => return self.gap("find", path, errno),
        };
        match inode {
            EntryKind::Directory => {
                match self.noatime.open_directory(rustix::fs::CWD, &name, false) {
                    Ok(fd) => {
                        let directory = Directory {
                            fd,
                            path: path.clone(),
                            level: 0,
                            place,
                        };
                        self.list(&Arc::new(directory), hands);
                    }
                    Err(errno) => self.gap("list", path, errno),
                }
            }
            EntryKind::File => {
                let (Some(parent), Some(base)) = (path.parent(), path.file_name()) else {
                    return;
                };
                match (sys::open_place(parent), CString::new(base.as_bytes())) {
                    (Ok(fd), Ok(base)) => {
                        let directory = Directory {
                            fd,
                            path: parent.to_owned(),
                            level: 0,
                            place,
                        };
                        if is_of_interest(base.to_bytes()) {
                            self.file(&directory, &base);
                            self.hand_over();
                        }
                    }
                    (Err(errno), _) => self.gap("find", path, errno),
                    _ => {}
                }
            }
            // Where a queue is a link (to another disk), qshape sees nothing and says nothing.
            _ if self.place(place).queue.is_some() => self.gap("list", path, Errno::LOOP),
            _ => {}
        }
    }

    fn list(&mut self, directory: &Arc<Directory>, hands: &mut dyn Share<Job>) {
        let mut listing = std::mem::take(&mut self.listing);
        loop {
            if self.is_late() {
                self.cut = true;
                break;
            }
            let listed = self.list_some(directory, &mut listing, hands);
            hands.asked(Asked::Names);
            match listed {
                Ok(true) => {}
                // A directory that was removed while it was open: empty.
                Ok(false) | Err(Errno::NOENT) => break,
                Err(errno) => {
                    self.gap("list", &directory.path, errno);
                    break;
                }
            }
        }
        self.listing = listing;
    }

    fn list_some(
        &mut self,
        directory: &Arc<Directory>,
        listing: &mut Vec<u8>,
        hands: &mut dyn Share<Job>,
    ) -> Result<bool, Errno> {
        let mut bundle = Bundle::default();
        let put = |reader: &mut Self, bundle: Bundle, hands: &mut dyn Share<Job>| {
            let job = Job::Files(Arc::clone(directory), bundle);
            if let Some(Job::Files(directory, bundle)) = hands.offer(job) {
                reader.files(&directory, &bundle, hands);
            }
        };
        let more = sys::list(directory.fd.as_fd(), listing, |name, kind| {
            let kind = match kind {
                EntryKind::Unknown => {
                    sys::kind_at(directory.fd.as_fd(), name).unwrap_or(EntryKind::File)
                }
                kind => kind,
            };
            match kind {
                EntryKind::Directory if directory.level >= MAX_DEPTH => {
                    let path = join(&directory.path, name);
                    self.gap("list", &path, Errno::NAMETOOLONG);
                }
                EntryKind::Directory => {
                    hands.put(Job::Open(Arc::clone(directory), name.to_owned()));
                }
                EntryKind::File if is_of_interest(name.to_bytes()) => {
                    bundle.push(name);
                    if bundle.is_full() {
                        put(self, std::mem::take(&mut bundle), hands);
                    }
                }
                _ => {}
            }
        });
        if bundle.len() > 0 {
            put(self, bundle, hands);
        }
        more
    }

    fn files(&mut self, directory: &Directory, bundle: &Bundle, hands: &mut dyn Share<Job>) {
        for index in 0..bundle.len() {
            if self.is_late() {
                self.cut = true;
                return;
            }
            if let Some(name) = bundle.name(index) {
                self.file(directory, name);
                hands.asked(Asked::File);
            }
        }
        let part = &self.parts[self.place(directory.place).part];
        if self.common.interim.is_some() || part.recipients.len() + part.senders.len() > LOCAL_ROWS
        {
            self.hand_over();
        }
    }

    fn file(&mut self, directory: &Directory, name: &CStr) {
        match self.try_file(directory, name) {
            // Moved or delivered meanwhile; a link is no file.
            Ok(()) | Err(Errno::NOENT | Errno::LOOP) => {}
            Err(Errno::TIMEDOUT) => self.cut = true,
            Err(errno) => match sys::inode_at(directory.fd.as_fd(), name) {
                Ok(inode) if !inode.regular => {}
                Err(Errno::NOENT) => {}
                _ => self.gap("read", &join(&directory.path, name), errno),
            },
        }
    }

    fn try_file(&mut self, directory: &Directory, name: &CStr) -> Result<(), Errno> {
        let file = self.noatime.open_file(directory.fd.as_fd(), name)?;
        let inode = sys::inode(file.as_fd())?;
        if !inode.regular {
            return Ok(());
        }
        let place = self.place(directory.place);
        let expected_mode = inode.mode & 0o733 == 0o700;
        let expected_name = is_qshapes_name(name.to_bytes());
        let outcome = if expected_mode && expected_name {
            let deadline = self.common.request.deadline;
            let source = OpenFile(file.as_fd());
            let kept = &mut self.kept;
            let buffer = &mut self.buffer;
            file::read(source, inode.size, inode.mtime, buffer, deadline, kept)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?
        } else {
            Outcome::Refused
        };
        if let Outcome::Accepted { time, spilt } = outcome {
            self.parts[place.part].files += 1;
            return self.accepted(place, OpenFile(file.as_fd()), inode.size, time, spilt);
        }
        if outcome == Outcome::Unrecognised {
            self.parts[place.part].files += 1;
            if self.common.request.senders && !self.common.request.all {
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
        self.hidden(place, OpenFile(file.as_fd()), inode, cause)
    }

    fn cell(&self, time: f64) -> usize {
        let request = self.common.request;
        request.buckets.cell(request.now as f64 - time)
    }

    /// Counts a file that qshape accepts; what it read is in `kept`.
    fn accepted(
        &mut self,
        place: &Place,
        source: OpenFile<'_>,
        size: u64,
        time: f64,
        spilt: bool,
    ) -> Result<(), Errno> {
        let cell = self.cell(time);
        let request = self.common.request;
        let part = &mut self.parts[place.part];
        let name = &mut self.name;
        if request.senders {
            address::destination_domain(&self.kept.sender, name);
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
            file::each_recipient(source, size, &mut self.buffer, request.deadline, count)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        } else {
            self.kept.recipients().for_each(&mut count);
        }
        Ok(())
    }

    /// Counts a message that qshape leaves out, as Postfix would read it.
    fn hidden(
        &mut self,
        place: &Place,
        source: OpenFile<'_>,
        inode: Inode,
        cause: Cause,
    ) -> Result<(), Errno> {
        let request = self.common.request;
        let new = request.buckets.cell(0.0);
        let mut heard = Heard {
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
        let mut records =
            RecordReader::new(source, inode.size, &mut self.buffer).until(request.deadline);
        let read: Envelope = envelope::read(&mut records, writer, &mut heard)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let cause = match cause {
            Cause::Damaged if read.damage.is_none() && place.queue == Some(Queue::Maildrop) => {
                Cause::Maildrop
            }
            cause => cause,
        };
        // All recipients are done: nothing is hidden.
        if read.recipients == 0 && read.damage.is_none() {
            return Ok(());
        }
        let sender = heard.sender.take();
        let cell = heard.cell;
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

/// Counts the envelope of a message that qshape leaves out.
struct Heard<'h> {
    part: &'h mut Part,
    name: &'h mut Vec<u8>,
    request: &'h super::Request,
    cell: usize,
    sender: Option<Vec<u8>>,
}

impl Visitor for Heard<'_> {
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

/// Whether qshape looks at a file of this name: six letters or digits or more, and its pattern lets a
/// final newline pass.
fn is_qshapes_name(name: &[u8]) -> bool {
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    name.len() >= 6 && name.iter().all(u8::is_ascii_alphanumeric)
}

fn is_of_interest(name: &[u8]) -> bool {
    is_qshapes_name(name) || queue_id::is_valid(name)
}

fn join(directory: &Path, name: &CStr) -> PathBuf {
    directory.join(std::ffi::OsString::from_vec(name.to_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_qshape() {
        for (name, looked_at) in [
            (&b"A00001"[..], true),
            (b"4jYFx90B5Nz1SjH2", true),
            (b"lower1", true),
            (b"A00001\n", true),
            (b"A0000\n", false),
            (b"A0001", false),
            (b"A_00001", false),
            (b"A-00001", false),
        ] {
            assert_eq!(is_qshapes_name(name), looked_at, "{}", name.escape_ascii());
        }
    }
}
