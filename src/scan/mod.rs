//! Walks a spool and reads its queue files, on several threads, up to a deadline.
//!
//! A scan tells what it finds to observers, one per thread, and keeps no sums itself. Work is spread
//! by a shared stack: whoever lists a directory puts bundles of files there for the others, and
//! reads a bundle itself when enough are waiting, so that memory does not grow with the queue.
//! Readers are started only when there is work to share: an empty spool costs no thread.
//!
//! Warm, as many readers as cores would do; on a cold disk many reads in flight are several times
//! faster than one (DESIGN.md, decision 7), and having more costs little, so a scan may use up to
//! [`MAX_READERS`].
//!
//! Promises: nothing below the spool is written, locked or waited for; directories and files are
//! opened relative to directories already open; what vanishes is mail that moved on; whatever else
//! cannot be read is told as a [`Gap`]; no thread is left behind.

mod gap;
mod messages;
mod read;
mod walk;

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use rustix::io::Errno;

pub use gap::{Gap, GapKind};
pub use messages::{MessageRow, Messages};
pub use read::FileReader;
pub use walk::{Bundle, Directory, Work};

use crate::clock::Deadline;
use crate::error::{Error, ErrorKind, Result};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::queue::{Queue, QueueSet};
use crate::sys::{self, Inode, Noatime};

/// The most readers of one scan.
pub const MAX_READERS: usize = 16;
const WHICH_SPOOL: &str = "name the queue_directory, such as /var/spool/postfix";
/// Pieces of work that may wait; beyond, whoever finds more does it at once.
const MAX_WAITING: usize = 64;

/// How much is read of a queue. Nothing is read that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// Names, from directories alone.
    Names,
    /// Modes and times, too.
    Inodes,
    /// Envelopes, too.
    Envelopes,
}

/// What to read of which queue; `None` leaves a queue out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan([Option<Depth>; Queue::ALL.len()]);

impl Plan {
    /// The same depth for all of `queues`.
    pub fn new(queues: QueueSet, depth: Depth) -> Self {
        let mut plan = Plan([None; Queue::ALL.len()]);
        for queue in queues.iter() {
            plan.0[queue.index()] = Some(depth);
        }
        plan
    }

    /// Reads `queue` at least as deep as `depth`.
    pub fn deepen(&mut self, queue: Queue, depth: Depth) {
        let old = &mut self.0[queue.index()];
        *old = Some(old.map_or(depth, |old| old.max(depth)));
    }

    /// How deep `queue` is read.
    pub fn depth(&self, queue: Queue) -> Option<Depth> {
        self.0[queue.index()]
    }

    /// The queues that are read.
    pub fn queues(&self) -> QueueSet {
        Queue::ALL
            .into_iter()
            .filter(|queue| self.depth(*queue).is_some())
            .fold(QueueSet::NONE, QueueSet::with)
    }
}

/// What is told of one queue file that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it is.
    pub queue: Queue,
    /// The directory that it lies in.
    pub directory: &'a Path,
    /// Its queue ID, which is its name.
    pub queue_id: &'a [u8],
    /// What its inode says.
    pub inode: Inode,
    /// Its envelope, where the plan asks for it.
    pub envelope: Option<Envelope>,
}

impl Message<'_> {
    /// Its full path.
    pub fn path(&self) -> PathBuf {
        self.directory.join(OsStr::from_bytes(self.queue_id))
    }

    /// The size that mailq prints, in bytes: from the size record, else that of the file.
    pub fn size(&self) -> u64 {
        self.envelope
            .and_then(|envelope| envelope.message_size)
            .unwrap_or(self.inode.size)
    }
}

/// What adds up what a scan finds. Sender and recipients of a message are told (see [`Visitor`])
/// between [`Observer::envelope_begins`] and [`Observer::message`]; a gap may come instead of the
/// latter.
pub trait Observer: Visitor + Send {
    /// The envelope of a file of `queue` is read next.
    fn envelope_begins(&mut self, queue: Queue) {
        let _ = queue;
    }

    /// A message.
    fn message(&mut self, message: &Message<'_>);

    /// A regular file of `queue` that is not ready, and so no message.
    fn not_ready(&mut self, queue: Queue, inode: Inode) {
        let _ = (queue, inode);
    }

    /// A file in `queue` that counts by its name alone.
    fn name(&mut self, queue: Queue);

    /// A file below the directory of `queue` where Postfix does not look.
    fn stray(&mut self, queue: Queue) {
        let _ = queue;
    }

    /// A file of `queue` that went away before it could be read.
    fn vanished(&mut self, queue: Queue) {
        let _ = queue;
    }

    /// Something of a queue that could not be read.
    fn gap(&mut self, gap: Gap);

    /// The deadline passed before all of `queue` was read.
    fn cut(&mut self, queue: Queue);
}

/// A spool that is open for scanning.
#[derive(Debug)]
pub struct Spool {
    fd: OwnedFd,
    path: PathBuf,
}

impl Spool {
    /// Opens the `queue_directory` at `path`.
    ///
    /// # Errors
    /// If it is absent or may not be entered, or has none of the queues.
    pub fn open(path: &Path) -> Result<Self> {
        let fd = sys::open_place(path).map_err(|errno| {
            let error = Error::system("open queue directory", path, errno.raw_os_error());
            match errno {
                Errno::NOENT | Errno::NOTDIR => error.with_remedy(WHICH_SPOOL),
                _ => error,
            }
        })?;
        if !Queue::ALL
            .into_iter()
            .any(|queue| sys::exists_at(fd.as_fd(), queue.name()))
        {
            return Err(Error::new(
                ErrorKind::NotASpool,
                format!(
                    "{} is no Postfix spool: it has none of the queues",
                    crate::escape::path(path)
                ),
            )
            .with_path(path)
            .with_remedy(WHICH_SPOOL));
        }
        Ok(Spool {
            fd,
            path: path.to_owned(),
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Free space of the file system that holds it.
    pub fn disk(&self) -> Option<sys::Disk> {
        sys::disk(&self.fd).ok()
    }

    /// Opens the directories of `queues`; what cannot be opened is a gap, what is absent is empty.
    fn queue_directories(
        &self,
        queues: QueueSet,
        noatime: &mut Noatime,
        mut gap: impl FnMut(Gap),
    ) -> Vec<Arc<Directory>> {
        let mut open = Vec::new();
        for queue in queues.iter() {
            match Directory::of_queue(self.fd.as_fd(), &self.path, queue, noatime) {
                Ok(directory) => open.extend(directory),
                Err(one) => gap(one),
            }
        }
        open
    }

    /// Scans as `plan` says, with at most `readers` threads (the caller's among them), until
    /// `deadline`; `observer` makes one observer for each thread. Returns them.
    pub fn scan<O: Observer>(
        &self,
        plan: &Plan,
        readers: usize,
        deadline: Deadline,
        observer: impl Fn() -> O + Sync,
    ) -> Vec<O> {
        let scan = Scan {
            plan,
            deadline,
            readers: readers.clamp(1, MAX_READERS),
            late: AtomicBool::new(false),
            board: Mutex::new(Board::default()),
            news: Condvar::new(),
            started: AtomicUsize::new(1),
            finished: Mutex::new(Vec::new()),
            observer: &observer,
        };
        std::thread::scope(|threads| {
            let mut reader = Reader::new(&scan);
            let open = self.queue_directories(plan.queues(), &mut reader.files.noatime, |gap| {
                reader.observer.gap(gap);
            });
            let leave = Leave(&scan);
            for directory in open {
                reader.perform(Work::List(directory), threads);
            }
            reader.run(threads);
            drop(leave);
        });
        scan.finished
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that waits, and how many readers are busy finding more.
#[derive(Default)]
struct Board {
    waiting: Vec<Work>,
    idle: usize,
    done: bool,
}

/// What the readers of one scan share.
struct Scan<'s, O, F> {
    plan: &'s Plan,
    deadline: Deadline,
    readers: usize,
    late: AtomicBool,
    board: Mutex<Board>,
    news: Condvar,
    started: AtomicUsize,
    finished: Mutex<Vec<O>>,
    observer: &'s F,
}

impl<O, F> Scan<'_, O, F> {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_late(&self) -> bool {
        if self.late.load(Ordering::Relaxed) {
            return true;
        }
        let late = self.deadline.passed();
        if late {
            self.late.store(true, Ordering::Relaxed);
        }
        late
    }
}

/// Ends the scan for all when one reader ends or panics: none may be left waiting for it.
struct Leave<'s, 'a, O, F>(&'a Scan<'s, O, F>);

impl<O, F> Drop for Leave<'_, '_, O, F> {
    fn drop(&mut self) {
        self.0.board().done = true;
        self.0.news.notify_all();
    }
}

/// One thread's part of a scan.
struct Reader<'s, 't, O, F> {
    scan: &'s Scan<'s, O, F>,
    /// The readers that this one started, to be waited for: the end of a scope waits only for their
    /// work, and a host that forks next must find no thread that is still ending.
    started: Vec<ScopedJoinHandle<'t, ()>>,
    observer: O,
    files: FileReader,
    listing: Vec<u8>,
}

impl<'s: 't, 't, O: Observer, F: Fn() -> O + Sync> Reader<'s, 't, O, F> {
    fn new(scan: &'s Scan<'s, O, F>) -> Self {
        Reader {
            scan,
            started: Vec::new(),
            observer: (scan.observer)(),
            files: FileReader::until(scan.deadline),
            listing: Vec::new(),
        }
    }

    /// Works until no reader has or finds any more, then hands in the observer.
    fn run(mut self, threads: &'t Scope<'t, '_>) {
        let leave = Leave(self.scan);
        while let Some(work) = self.next() {
            self.perform(work, threads);
        }
        drop(leave);
        for reader in self.started {
            if let Err(panic) = reader.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let mut finished = self
            .scan
            .finished
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        finished.push(self.observer);
    }

    /// The next piece of work; `None` once nobody has any.
    fn next(&self) -> Option<Work> {
        let mut board = self.scan.board();
        loop {
            if let Some(work) = board.waiting.pop() {
                return Some(work);
            }
            if board.done {
                return None;
            }
            board.idle += 1;
            if board.idle == self.scan.started.load(Ordering::Relaxed) {
                board.done = true;
                drop(board);
                self.scan.news.notify_all();
                return None;
            }
            board = self
                .scan
                .news
                .wait(board)
                .unwrap_or_else(PoisonError::into_inner);
            board.idle -= 1;
        }
    }

    fn perform(&mut self, work: Work, threads: &'t Scope<'t, '_>) {
        match work {
            Work::Files(directory, bundle) => self.read(&directory, &bundle),
            Work::List(directory) => self.list(&directory, threads),
            Work::Open(parent, name) => {
                if self.scan.is_late() {
                    self.observer.cut(parent.queue);
                    return;
                }
                match parent.open(&name, &mut self.files.noatime) {
                    Ok(Some(directory)) => self.list(&directory, threads),
                    Ok(None) => {}
                    Err(gap) => self.observer.gap(gap),
                }
            }
        }
    }

    fn read(&mut self, directory: &Directory, bundle: &Bundle) {
        let Some(depth) = self.scan.plan.depth(directory.queue) else {
            return;
        };
        // At the depth of names this is incoming or maildrop, whose files are half of the time not
        // ready: their modes are part of counting them.
        let depth = depth.max(Depth::Inodes);
        for index in 0..bundle.len() {
            if self.scan.is_late() {
                self.observer.cut(directory.queue);
                return;
            }
            if let Some(name) = bundle.name(index) {
                self.files.read(directory, name, depth, &mut self.observer);
            }
        }
    }

    fn list(&mut self, directory: &Arc<Directory>, threads: &'t Scope<'t, '_>) {
        let names_only = self.scan.plan.depth(directory.queue) == Some(Depth::Names)
            && !matches!(directory.queue, Queue::Incoming | Queue::Maildrop);
        let mut listing = std::mem::take(&mut self.listing);
        loop {
            if self.scan.is_late() {
                self.observer.cut(directory.queue);
                break;
            }
            let mut lister = Lister {
                reader: self,
                threads,
            };
            match walk::list(directory, names_only, &mut listing, &mut lister) {
                Ok(true) => {}
                Ok(false) => break,
                Err(gap) => {
                    self.observer.gap(gap);
                    break;
                }
            }
        }
        self.listing = listing;
    }

    /// Puts `work` up for anyone, and starts another reader if all are busy and more are allowed.
    /// Gives it back when enough is waiting.
    fn share(&mut self, work: Work, threads: &'t Scope<'t, '_>) -> Option<Work> {
        let mut board = self.scan.board();
        // Directories are names only; they always wait, so that a listing never nests.
        if board.waiting.len() >= MAX_WAITING && matches!(work, Work::Files(..)) {
            return Some(work);
        }
        board.waiting.push(work);
        let started = self.scan.started.load(Ordering::Relaxed);
        let start_one = board.idle == 0 && board.waiting.len() > 1 && started < self.scan.readers;
        if start_one {
            self.scan.started.store(started + 1, Ordering::Relaxed);
        }
        drop(board);
        self.scan.news.notify_one();
        if start_one {
            let scan = self.scan;
            let spawned = Builder::new()
                .name("queuewatch-scan".to_owned())
                .stack_size(256 * 1024)
                .spawn_scoped(threads, move || {
                    sys::block_signals();
                    Reader::new(scan).run(threads);
                });
            if let Ok(reader) = spawned {
                self.started.push(reader);
            } else {
                // No thread to be had: those that run do the work.
                let _board = self.scan.board();
                self.scan.started.fetch_sub(1, Ordering::Relaxed);
            }
        }
        None
    }
}

/// Finds work for a reader that lists a directory.
struct Lister<'r, 's, 't, 'e, O, F> {
    reader: &'r mut Reader<'s, 't, O, F>,
    threads: &'t Scope<'t, 'e>,
}

impl<'s: 't, 't, O: Observer, F: Fn() -> O + Sync> walk::Finder for Lister<'_, 's, 't, '_, O, F> {
    fn work(&mut self, work: Work) {
        if let Some(Work::Files(directory, bundle)) = self.reader.share(work, self.threads) {
            self.reader.read(&directory, &bundle);
        }
    }

    fn name(&mut self, directory: &Directory) {
        self.reader.observer.name(directory.queue);
    }

    fn stray(&mut self, directory: &Directory) {
        self.reader.observer.stray(directory.queue);
    }
}
