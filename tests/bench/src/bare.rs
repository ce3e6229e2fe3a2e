//! The least that must be done to a spool: its directories listed, its files opened and read. Nothing
//! is looked at, so with warm caches and idle cores no reader can be much faster. Where a disk is waited
//! for, or others want the cores, a reader with more threads can.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use queuewatch::postfix::queue::Queue;
use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, fstat, open, openat};
use rustix::io::{Errno, read};

/// Bytes of directory entries asked for at a time: those of `ls` and `find`.
const ENTRIES: usize = 32_768;
/// Bytes of a file that are read.
const PAGE: usize = 4096;
/// Threads that read.
const THREADS: usize = 2;

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
    mut each: impl FnMut(FileType, &CStr) -> Result<()>,
) -> Result<()> {
    let mut entries = RawDir::new(directory, buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if !entry.file_name().to_bytes().starts_with(b".") {
            each(entry.file_type(), entry.file_name())?;
        }
    }
    Ok(())
}

/// Lists every queue, one thread, and counts the files by their type in the directory.
pub(crate) fn count_names(spool: &Path) -> Result<u64> {
    let mut stack = queues(spool)?;
    let mut buffer = vec![MaybeUninit::uninit(); ENTRIES];
    let mut files = 0;
    while let Some(directory) = stack.pop() {
        list(&directory, &mut buffer, |file_type, name| {
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

/// Lists every queue, and opens, stats, reads a page of and closes every file, on two threads; tells
/// how many. With `logs` it does the same with the defer logs.
pub(crate) fn read_all(spool: &Path, logs: bool) -> Result<u64> {
    let mut stack = queues(spool)?;
    if logs {
        stack.insert(0, open(spool.join("defer"), DIRECTORY, Mode::empty())?);
    }
    let work = Work {
        open: AtomicUsize::new(stack.len()),
        stack: Mutex::new(stack),
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| scope.spawn(|| read_share(&work)))
            .collect();
        let shares = threads.into_iter().map(|thread| match thread.join() {
            Ok(share) => share,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        shares.sum()
    })
}

fn read_share(work: &Work) -> Result<u64> {
    let mut entries = vec![MaybeUninit::uninit(); ENTRIES];
    let mut page = [0; PAGE];
    let mut files = 0;
    loop {
        let Some(directory) = work.lock().pop() else {
            match work.open.load(Ordering::SeqCst) {
                0 => return Ok(files),
                _ => thread::yield_now(),
            }
            continue;
        };
        let listed = list(&directory, &mut entries, |file_type, name| {
            match file_type {
                FileType::RegularFile => {
                    let file = openat(&directory, name, FILE, Mode::empty())?;
                    fstat(file.as_fd())?;
                    read(file.as_fd(), &mut page)?;
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
