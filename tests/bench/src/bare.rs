//! The least that must be done to a spool: its directories listed, its files opened and read. Nothing
//! is looked at, so with warm caches and idle cores no reader can be much faster. Where a disk is waited
//! for, or others want the cores, a reader with more threads can.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use io_uring::opcode;
use io_uring::squeue::Entry;
use io_uring::types::Fd;
use queuewatch::postfix::queue::Queue;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, StatxFlags, fstat, open, openat, statx,
};
use rustix::io::{Errno, pread, read};

/// Bytes of directory entries asked for at a time: those of `ls` and `find`.
const ENTRIES: usize = 32_768;
/// Bytes of a file that are read.
const PAGE: usize = 4096;
/// Threads that read.
const THREADS: usize = 2;
/// Files that are on their way at once in one ring of io_uring.
const IN_FLIGHT: usize = 64;

/// How it is done: one of the ways that were tried.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub(crate) struct Way {
    /// Threads that read.
    pub(crate) threads: usize,
    /// Whether defer logs are read, too.
    pub(crate) logs: bool,
    /// Whether the inode is asked for.
    pub(crate) fstat: bool,
    /// Whether for that no more is asked than a scan needs.
    pub(crate) statx: bool,
    /// Whether times of access are left alone.
    pub(crate) noatime: bool,
    /// Whether files are read in the order of their inodes, not in that of the directory.
    pub(crate) by_inode: bool,
    /// Whether opening, reading and closing goes through io_uring.
    pub(crate) ring: bool,
    /// Bytes that are read of each file.
    pub(crate) bytes: usize,
    /// Whether of a file that is longer its end is read, too: there may be recipients behind the content.
    pub(crate) ends: bool,
}

impl Default for Way {
    fn default() -> Self {
        Way {
            threads: THREADS,
            logs: false,
            fstat: true,
            statx: false,
            noatime: true,
            by_inode: false,
            ring: false,
            bytes: PAGE,
            ends: false,
        }
    }
}

impl Way {
    /// Words such as `threads=8`, `no-fstat`, `statx`, `atime`, `by-inode`, `ring`, `bytes=1024`, `logs`, `ends`.
    pub(crate) fn parse<'w>(words: impl Iterator<Item = &'w str>) -> Option<Way> {
        let mut way = Way::default();
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("threads", count) => way.threads = count.parse().ok()?,
                ("bytes", bytes) => {
                    way.bytes = bytes.parse().ok().filter(|bytes| *bytes <= PAGE)?;
                }
                ("no-fstat", _) => way.fstat = false,
                ("statx", _) => way.statx = true,
                ("atime", _) => way.noatime = false,
                ("by-inode", _) => way.by_inode = true,
                ("ring", _) => way.ring = true,
                ("logs", _) => way.logs = true,
                ("ends", _) => way.ends = true,
                _ => return None,
            }
        }
        Some(way)
    }

    fn flags(self) -> OFlags {
        match self.noatime {
            true => FILE,
            false => FILE.difference(OFlags::NOATIME),
        }
    }
}

type Result<T> = std::result::Result<T, Errno>;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOATIME);

/// The queues of the spool, opened; the one with most messages last.
fn queues(spool: &Path) -> Result<Vec<OwnedFd>> {
    let root = open(spool, DIRECTORY, Mode::empty())?;
    let mut queues = Queue::ALL;
    queues.sort_by_key(|queue| match queue {
        Queue::Deferred => 2,
        Queue::Active => 1,
        _ => 0,
    });
    queues
        .iter()
        .map(|queue| openat(&root, queue.name(), DIRECTORY, Mode::empty()))
        .collect()
}

/// Lists one directory.
fn list(
    directory: &OwnedFd,
    buffer: &mut [MaybeUninit<u8>],
    mut each: impl FnMut(FileType, &CStr, u64) -> Result<()>,
) -> Result<()> {
    let mut entries = RawDir::new(directory, buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if !entry.file_name().to_bytes().starts_with(b".") {
            each(entry.file_type(), entry.file_name(), entry.ino())?;
        }
    }
    Ok(())
}

/// Lists every queue, one thread, and counts the files by their type in the directory.
pub(crate) fn count_names(spool: &Path) -> Result<u64> {
    count(queues(spool)?)
}

/// The same of one directory, such as a queue's.
pub(crate) fn count_below(directory: &Path) -> Result<u64> {
    count(vec![open(directory, DIRECTORY, Mode::empty())?])
}

fn count(mut stack: Vec<OwnedFd>) -> Result<u64> {
    let mut buffer = vec![MaybeUninit::uninit(); ENTRIES];
    let mut files = 0;
    while let Some(directory) = stack.pop() {
        list(&directory, &mut buffer, |file_type, name, _| {
            match file_type {
                FileType::RegularFile => files += 1,
                FileType::Directory => {
                    stack.push(openat(&directory, name, DIRECTORY, Mode::empty())?);
                }
                _ => {}
            }
            Ok(())
        })?;
    }
    Ok(files)
}

/// Directories still to be listed, shared by the threads.
struct Work {
    stack: Mutex<Vec<OwnedFd>>,
    /// Those in the stack and those being listed.
    open: AtomicUsize,
}

impl Work {
    fn push(&self, directory: OwnedFd) {
        self.open.fetch_add(1, Ordering::SeqCst);
        self.lock().push(directory);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<OwnedFd>> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lists every queue, and opens, stats, reads a page of and closes every file, the way it is said; tells
/// how many.
pub(crate) fn read_all(spool: &Path, way: Way) -> Result<u64> {
    let mut stack = queues(spool)?;
    if way.logs {
        stack.insert(0, open(spool.join("defer"), DIRECTORY, Mode::empty())?);
    }
    let work = Work {
        open: AtomicUsize::new(stack.len()),
        stack: Mutex::new(stack),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..way.threads)
            .map(|_| scope.spawn(|| read_share(&work, way)))
            .collect();
        let shares = threads.into_iter().map(|thread| match thread.join() {
            Ok(share) => share,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        shares.sum()
    })
}

fn read_share(work: &Work, way: Way) -> Result<u64> {
    let mut entries = vec![MaybeUninit::uninit(); ENTRIES];
    let mut page = [0; PAGE];
    let page = &mut page[..way.bytes];
    let mut files = 0;
    let mut names: Vec<(u64, CString)> = Vec::new();
    let mut ring = match way.ring {
        true => Some(Ring::new(way).map_err(|_| Errno::NOSYS)?),
        false => None,
    };
    loop {
        let Some(directory) = work.lock().pop() else {
            match work.open.load(Ordering::SeqCst) {
                0 => return Ok(files),
                _ => thread::yield_now(),
            }
            continue;
        };
        let by_name = way.by_inode || way.ring;
        let listed = list(&directory, &mut entries, |file_type, name, inode| {
            match file_type {
                FileType::RegularFile if by_name => names.push((inode, name.to_owned())),
                FileType::RegularFile => {
                    read_file(&directory, name, page, way)?;
                    files += 1;
                }
                FileType::Directory => {
                    work.push(openat(&directory, name, DIRECTORY, Mode::empty())?);
                }
                _ => {}
            }
            Ok(())
        });
        work.open.fetch_sub(1, Ordering::SeqCst);
        listed?;
        if way.by_inode {
            names.sort_unstable();
        }
        files += names.len() as u64;
        if let Some(ring) = &mut ring {
            for names in names.chunks(IN_FLIGHT) {
                ring.read(&directory, names).map_err(|_| Errno::IO)?;
            }
        } else {
            for (_, name) in &names {
                read_file(&directory, name, page, way)?;
            }
        }
        names.clear();
    }
}

fn read_file(directory: &OwnedFd, name: &CStr, page: &mut [u8], way: Way) -> Result<()> {
    let file = openat(directory, name, way.flags(), Mode::empty())?;
    let length = match (way.fstat, way.statx) {
        (_, true) => {
            let wanted = StatxFlags::TYPE | StatxFlags::MODE | StatxFlags::SIZE | StatxFlags::MTIME;
            statx(file.as_fd(), c"", AtFlags::EMPTY_PATH, wanted)?.stx_size
        }
        (true, false) => fstat(file.as_fd())?.st_size as u64,
        (false, false) => 0,
    };
    read(file.as_fd(), &mut *page)?;
    if way.ends && length > page.len() as u64 {
        pread(file.as_fd(), &mut *page, length.saturating_sub(PAGE as u64))?;
    }
    Ok(())
}

/// A ring of io_uring, in which some files are opened, then read, then closed. Their inodes are asked
/// for by calls: statx in a ring always goes to a thread of the kernel's.
struct Ring {
    queues: io_uring::IoUring,
    pages: Vec<[u8; PAGE]>,
    way: Way,
}

impl Ring {
    fn new(way: Way) -> std::io::Result<Ring> {
        Ok(Ring {
            queues: io_uring::IoUring::new(IN_FLIGHT as u32)?,
            pages: vec![[0; PAGE]; IN_FLIGHT],
            way,
        })
    }

    /// Submits all of `entries`, waits for them, and tells their results in order.
    fn all(&mut self, entries: impl Iterator<Item = Entry>) -> std::io::Result<Vec<i32>> {
        let mut count = 0;
        for (number, entry) in entries.enumerate() {
            let entry = entry.user_data(number as u64);
            // SAFETY: what the entry points to (a name, a page) is held by the callers until all have
            // completed, which this function waits for.
            unsafe { self.queues.submission().push(&entry) }
                .map_err(|_| std::io::ErrorKind::QuotaExceeded)?;
            count = number + 1;
        }
        let mut results = vec![0; count];
        self.queues.submit_and_wait(count)?;
        for completion in self.queues.completion() {
            results[completion.user_data() as usize] = completion.result();
        }
        Ok(results)
    }

    fn read(&mut self, directory: &OwnedFd, names: &[(u64, CString)]) -> std::io::Result<()> {
        let (flags, at) = (self.way.flags(), Fd(directory.as_raw_fd()));
        let flags = flags.bits().cast_signed();
        let opened = self.all(
            names
                .iter()
                .map(|(_, name)| opcode::OpenAt::new(at, name.as_ptr()).flags(flags).build()),
        )?;
        if let Some(errno) = opened.iter().find(|fd| **fd < 0) {
            return Err(std::io::Error::from_raw_os_error(-errno));
        }
        if self.way.fstat {
            for fd in &opened {
                // SAFETY: the ring has just opened it, and nobody closes it before the end of this call.
                fstat(unsafe { std::os::fd::BorrowedFd::borrow_raw(*fd) })?;
            }
        }
        let bytes = self.way.bytes as u32;
        let reads: Vec<Entry> = opened
            .iter()
            .zip(&mut self.pages)
            .map(|(fd, page)| opcode::Read::new(Fd(*fd), page.as_mut_ptr(), bytes).build())
            .collect();
        self.all(reads.into_iter())?;
        self.all(opened.iter().map(|fd| opcode::Close::new(Fd(*fd)).build()))?;
        Ok(())
    }
}

/// The name of the file system of `directory` and whether it is one in memory.
pub(crate) fn file_system(directory: &Path) -> Result<(&'static str, bool)> {
    let root = openat(CWD, directory, DIRECTORY, Mode::empty())?;
    Ok(match rustix::fs::fstatfs(&root)?.f_type {
        0xef53 => ("ext4", false),
        0x5846_5342 => ("XFS", false),
        0x9123_683e => ("Btrfs", false),
        0x2fc1_2fc1 => ("ZFS", false),
        0x794c_7630 => ("overlayfs", false),
        0xf2f5_2010 => ("F2FS", false),
        0x0102_1994 => ("tmpfs", true),
        0x8584_58f6 => ("ramfs", true),
        _ => ("another file system", false),
    })
}
