//! The walker: from directories to their files, through subdirectories at any depth.
//!
//! A [`Policy`](super::directory::Policy) decides which names, links and levels count; a [`Visitor`] receives
//! what is found. [`walk`] shares the work between threads. A [`SerialWalk`] gives bundles of files to one
//! caller, on the caller's thread. Both list a directory one buffer at a time, and report its files in bundles
//! that are small enough to share. The visitor decides what is done with a file.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use log::Level;
use rustix::io::Errno;

use super::TARGET;
use super::directory::{Bundle, Directory};
use super::gap::Gap;
use crate::escape;
use crate::sys::{self, EntryKind, Noatime};
use crate::threads::pool::{self, DiskRead, JobSink, Worker};
use crate::threads::{Readers, record};

/// A piece of work. A tag is the visitor's own name for a directory.
#[derive(Debug)]
pub(crate) enum Work<T> {
    /// A place that the visitor opens (see [`Visitor::root`]).
    Root(T),
    /// A subdirectory of a tagged directory, to open and list.
    Open(Arc<Directory>, T, CString),
    /// A directory to list, or the rest of it.
    List(Arc<Directory>, T),
    /// Files to read.
    Files(Arc<Directory>, T, Bundle),
}

/// Receives the results of a walk: one visitor for each thread.
pub(crate) trait Visitor: Send {
    /// The visitor's name for a directory.
    type Tag: Copy + Send;

    /// Opens a place where a walk starts, and returns the work there.
    fn root(&mut self, tag: Self::Tag) -> Option<Work<Self::Tag>> {
        let _ = tag;
        None
    }

    /// The subdirectory `name` of the directory `parent` is open and about to be listed. Returns its tag.
    fn enter(&mut self, directory: &Arc<Directory>, parent: Self::Tag, name: CString) -> Self::Tag;

    /// Returns true if the walk ends before more of `directory` is read. The visitor records that.
    fn is_cut(&mut self, directory: &Directory) -> bool {
        let _ = directory;
        false
    }

    /// Returns true if the files of `directory` count by name only. They go to [`Visitor::name`] and not into
    /// bundles.
    fn counts_names(&self, directory: &Directory) -> bool {
        let _ = directory;
        false
    }

    /// A file that counts by name only.
    fn name(&mut self, directory: &Directory) {
        let _ = directory;
    }

    /// A file that Postfix never looks at, because it does not list this directory.
    fn stray(&mut self, directory: &Directory, tag: Self::Tag, name: &CStr) {
        let _ = (directory, tag, name);
    }

    /// Files of one directory. The visitor calls `asked` after each file: if this thread waits for the disk,
    /// the pool starts another thread.
    fn files(
        &mut self,
        directory: &Arc<Directory>,
        tag: Self::Tag,
        bundle: &Bundle,
        asked: &mut dyn FnMut(),
    ) {
        let _ = (directory, tag, bundle, asked);
    }

    /// A subdirectory that cannot be opened, or, with its tag, a directory that cannot be listed.
    fn gap(&mut self, gap: Gap, listed: Option<Self::Tag>);
}

/// Walks everything from `first` on, on the threads that `readers` says. `visitor` makes one visitor for each
/// thread. Returns the visitors.
pub(crate) fn walk<V: Visitor>(
    readers: Readers,
    first: Vec<Work<V::Tag>>,
    visitor: impl Fn() -> V + Sync,
) -> Vec<V> {
    let walkers = pool::run(readers, first, || Walker {
        visitor: visitor(),
        listing: Vec::new(),
        noatime: Noatime::default(),
    });
    walkers.into_iter().map(|walker| walker.visitor).collect()
}

/// The part of one thread.
struct Walker<V> {
    visitor: V,
    listing: Vec<u8>,
    noatime: Noatime,
}

impl<V: Visitor> Worker for Walker<V> {
    type Job = Work<V::Tag>;

    fn perform(&mut self, mut work: Work<V::Tag>, jobs: &mut dyn JobSink<Work<V::Tag>>) {
        if let Work::Root(tag) = work {
            let Some(begun) = self.visitor.root(tag) else {
                return;
            };
            work = begun;
        }
        match work {
            Work::Root(_) => {}
            Work::Files(directory, tag, bundle) => {
                let asked = &mut || jobs.disk_read(DiskRead::File);
                self.visitor.files(&directory, tag, &bundle, asked);
            }
            Work::List(directory, tag) => self.list(&directory, tag, jobs),
            Work::Open(parent, tag, name) => {
                if self.visitor.is_cut(&parent) {
                    return;
                }
                let visitor = &mut self.visitor;
                if let Some((below, tag)) = open(&parent, tag, name, visitor, &mut self.noatime) {
                    self.list(&below, tag, jobs);
                }
            }
        }
    }
}

impl<V: Visitor> Walker<V> {
    fn list(
        &mut self,
        directory: &Arc<Directory>,
        tag: V::Tag,
        jobs: &mut dyn JobSink<Work<V::Tag>>,
    ) {
        loop {
            if self.visitor.is_cut(directory) {
                return;
            }
            let put = |visitor: &mut V, work| match work {
                Work::Files(..) => {
                    if let Some(Work::Files(directory, tag, bundle)) = jobs.try_push(work) {
                        let asked = &mut || jobs.disk_read(DiskRead::File);
                        visitor.files(&directory, tag, &bundle, asked);
                    }
                }
                // Directories are only names. They always wait, so that listings never nest.
                work => jobs.push(work),
            };
            let more = list(directory, tag, &mut self.visitor, &mut self.listing, put);
            jobs.disk_read(DiskRead::Listing);
            if !more {
                return;
            }
        }
    }
}

/// A walk on the caller's thread, pulled bundle by bundle.
#[derive(Debug)]
pub(crate) struct SerialWalk<T> {
    waiting: Vec<Work<T>>,
    listing: Vec<u8>,
    noatime: Noatime,
}

impl<T: Copy + Send> SerialWalk<T> {
    /// Starts a walk at the last of `first`; it ends with the first.
    pub(crate) fn new(first: Vec<Work<T>>) -> Self {
        SerialWalk {
            waiting: first,
            listing: Vec::new(),
            noatime: Noatime::default(),
        }
    }

    /// Returns true if no work is left.
    pub(crate) fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the next files, or `None` at the end. `visitor` receives everything else.
    pub(crate) fn next_files(
        &mut self,
        visitor: &mut impl Visitor<Tag = T>,
    ) -> Option<(Arc<Directory>, T, Bundle)> {
        while let Some(work) = self.waiting.pop() {
            match work {
                Work::Root(tag) => self.waiting.extend(visitor.root(tag)),
                Work::Files(directory, tag, bundle) => return Some((directory, tag, bundle)),
                Work::Open(parent, tag, name) => {
                    let below = open(&parent, tag, name, visitor, &mut self.noatime);
                    self.waiting
                        .extend(below.map(|(directory, tag)| Work::List(directory, tag)));
                }
                Work::List(directory, tag) => {
                    let at = self.waiting.len();
                    let put = |_: &mut _, work| self.waiting.push(work);
                    if list(&directory, tag, visitor, &mut self.listing, put) {
                        self.waiting.push(Work::List(directory, tag));
                    }
                    // The first entries of the directory come first.
                    self.waiting[at..].reverse();
                }
            }
        }
        None
    }
}

/// Opens the subdirectory `name` of `parent`, and lets `visitor` enter it.
fn open<V: Visitor>(
    parent: &Directory,
    tag: V::Tag,
    name: CString,
    visitor: &mut V,
    noatime: &mut Noatime,
) -> Option<(Arc<Directory>, V::Tag)> {
    match parent.open(&name, noatime) {
        Ok(directory) => {
            let directory = directory?;
            let tag = visitor.enter(&directory, tag, name);
            Some((directory, tag))
        }
        Err(gap) => {
            visitor.gap(gap, None);
            None
        }
    }
}

/// Lists one buffer full of `directory`. Later work goes to `put`, the rest to `visitor`. Returns true if there
/// may be more.
fn list<V: Visitor>(
    directory: &Arc<Directory>,
    tag: V::Tag,
    visitor: &mut V,
    memory: &mut Vec<u8>,
    mut put: impl FnMut(&mut V, Work<V::Tag>),
) -> bool {
    let policy = directory.policy();
    let names_only = visitor.counts_names(directory);
    let mut bundle = Bundle::default();
    let mut entries = 0_u64;
    let result = sys::list(directory.fd(), memory, |name, kind| {
        entries += 1;
        let kind = match kind {
            // If that is refused or fails, opening it as a file will say why. If it vanished, too.
            EntryKind::Unknown => sys::kind_at(directory.fd(), name).unwrap_or(EntryKind::File),
            kind => kind,
        };
        match kind {
            EntryKind::Directory => {
                let open = Work::Open(Arc::clone(directory), tag, name.to_owned());
                put(visitor, open);
            }
            EntryKind::File if !policy.takes(name.to_bytes()) => {}
            EntryKind::File if !directory.listed => visitor.stray(directory, tag, name),
            EntryKind::File if names_only => visitor.name(directory),
            EntryKind::File => {
                bundle.push(name);
                if bundle.is_full() {
                    let files = std::mem::take(&mut bundle);
                    put(visitor, Work::Files(Arc::clone(directory), tag, files));
                }
            }
            // A link in place of a hash directory.
            EntryKind::Other if directory.is_gap(name) => {
                let open = Work::Open(Arc::clone(directory), tag, name.to_owned());
                put(visitor, open);
            }
            EntryKind::Other | EntryKind::Unknown => {}
        }
    });
    if bundle.len() > 0 {
        put(visitor, Work::Files(Arc::clone(directory), tag, bundle));
    }
    // The last buffer of a directory is empty; that of an empty directory is the first as well.
    if result.is_ok_and(|more| more || entries > 0) {
        record(Level::Trace, TARGET, || {
            format!("{}: {entries} entries", escape::path(&directory.path))
        });
    }
    match result {
        Ok(more) => more,
        // postsuper(1) removed the hash directory while it was open: it is empty.
        Err(Errno::NOENT) => false,
        Err(errno) => {
            let gap = Gap::of_directory(directory.queue, directory.path.clone(), errno);
            visitor.gap(gap, Some(tag));
            false
        }
    }
}
