//! Reading all queues into the ledger, on several threads: at the start, and whenever events were lost.
//!
//! Each directory is watched before it is listed, so that what happens meanwhile is told by events; these
//! are handled afterwards and win.

use std::ffi::{CStr, CString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Watched;
use super::book::Book;
use super::capture::{Capture, Facts};
use super::kept::{self, Kept};
use super::ledger::Place;
use crate::postfix::queue::Queue;
use crate::scan::crew::{self, Share, Worker};
use crate::scan::walk::{self, Finder};
use crate::scan::{Bundle, Depth, Directory, FileReader, Identities, Plan, Readers, Work};
use crate::sys::{self, Noatime};

/// A piece of work: [`Work`] in a place.
enum Job {
    Open(Place, Arc<Directory>, CString),
    List(Place, Arc<Directory>),
    Files(Place, Arc<Directory>, Bundle),
}

/// Reads the queues of `watched`, whose number is `instance`, with the threads that `readers` says. What
/// `before` knows of unchanged files is taken over, and what files are now is noted for the next time,
/// if there is a `before` or there are no events.
pub(super) fn load(
    book: &mut Book,
    instance: usize,
    watched: &mut Watched,
    directories: Vec<Arc<Directory>>,
    readers: Readers,
    before: Option<&Kept>,
) {
    let (plan, wanted) = (watched.live.plan, watched.live.wanted);
    let mut first = Vec::new();
    for directory in directories {
        let place = book.add_directory(instance, &directory, None);
        first.push(Job::List(place, directory));
    }
    let known = before.and_then(|kept| Some((kept, kept.instance(watched.identity)?)));
    let notes = before.is_some() || book.blind.is_some();
    let files = watched.files.another();
    let shared = Mutex::new(Shared { book, watched });
    crew::run(readers, first, || Loader {
        shared: &shared,
        instance,
        plan,
        capture: Capture::new(plan, wanted),
        files: files.another(),
        listing: Vec::new(),
        known,
        notes,
    });
}

/// Takes in the directory `name` of `parent`, which has turned up, and all below it: watched, then listed.
/// Returns the files found, to be looked at as events would have it.
pub(super) fn adopt(
    book: &mut Book,
    instance: usize,
    place: Place,
    parent: &Arc<Directory>,
    name: CString,
) -> Vec<(Place, Box<[u8]>)> {
    let mut noatime = Noatime::default();
    let mut listing = Vec::new();
    let mut found = Found::default();
    found.directories.push((place, Arc::clone(parent), name));
    while let Some((place, parent, name)) = found.directories.pop() {
        match parent.open(&name, &mut noatime) {
            Ok(Some(directory)) => {
                let inside = Some((place, name.into_boxed_c_str()));
                found.place = book.add_directory(instance, &directory, inside);
                loop {
                    match walk::list(&directory, false, &mut listing, &mut found) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(gap) => {
                            book.places.row_mut(found.place).gap = Some(gap);
                            break;
                        }
                    }
                }
            }
            Ok(None) => {}
            Err(gap) => book.lost.push((instance, gap)),
        }
    }
    found.files
}

/// What a listing finds, by name alone.
#[derive(Default)]
struct Found {
    place: Place,
    directories: Vec<(Place, Arc<Directory>, CString)>,
    files: Vec<(Place, Box<[u8]>)>,
}

impl Finder for Found {
    fn work(&mut self, work: Work) {
        match work {
            Work::Files(_, bundle) => {
                let names = (0..bundle.len()).filter_map(|index| bundle.name(index));
                let place = self.place;
                self.files
                    .extend(names.map(|name| (place, Box::from(name.to_bytes()))));
            }
            Work::Open(parent, name) => self.directories.push((self.place, parent, name)),
            Work::List(_) => {}
        }
    }

    fn name(&mut self, _directory: &Directory) {}

    fn stray(&mut self, _directory: &Directory, name: &CStr) {
        self.files.push((self.place, Box::from(name.to_bytes())));
    }
}

/// What the threads share.
struct Shared<'w> {
    book: &'w mut Book,
    watched: &'w mut Watched,
}

/// One thread's part.
struct Loader<'s, 'w> {
    shared: &'s Mutex<Shared<'w>>,
    instance: usize,
    plan: Plan,
    capture: Capture,
    files: FileReader,
    listing: Vec<u8>,
    /// What was known before, and which instance this was there.
    known: Option<(&'s Kept, usize)>,
    /// Whether to note what files are.
    notes: bool,
}

/// What a file says, what it was just before it was read, and whether it was not read but known.
struct Read<'n> {
    name: &'n CStr,
    facts: Facts,
    identities: Option<Identities>,
    known: bool,
}

impl Worker for Loader<'_, '_> {
    type Job = Job;

    fn perform(&mut self, job: Job, hands: &mut dyn Share<Job>) {
        match job {
            Job::Open(place, parent, name) => match parent.open(&name, &mut self.files.noatime) {
                Ok(Some(directory)) => {
                    let inside = Some((place, name.into_boxed_c_str()));
                    let place = self
                        .shared()
                        .book
                        .add_directory(self.instance, &directory, inside);
                    self.list(place, &directory, hands);
                }
                Ok(None) => {}
                Err(gap) => self.shared().book.lost.push((self.instance, gap)),
            },
            Job::List(place, directory) => self.list(place, &directory, hands),
            Job::Files(place, directory, bundle) => self.files(place, &directory, &bundle),
        }
    }
}

impl<'w> Loader<'_, 'w> {
    fn shared(&self) -> MutexGuard<'_, Shared<'w>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list(&mut self, place: Place, directory: &Arc<Directory>, hands: &mut dyn Share<Job>) {
        let mut listing = std::mem::take(&mut self.listing);
        loop {
            let mut lister = Lister {
                loader: self,
                place,
                hands,
            };
            match walk::list(directory, false, &mut listing, &mut lister) {
                Ok(true) => {}
                Ok(false) => break,
                Err(gap) => {
                    self.shared().book.places.row_mut(place).gap = Some(gap);
                    break;
                }
            }
        }
        self.listing = listing;
    }

    fn files(&mut self, place: Place, directory: &Directory, bundle: &Bundle) {
        let Some(depth) = self.plan.depth(directory.queue) else {
            return;
        };
        let depth = depth.max(Depth::Inodes);
        let names = (0..bundle.len()).filter_map(|index| bundle.name(index));
        let read: Vec<Read<'_>> = names
            .filter_map(|name| self.file(directory, name, depth))
            .collect();
        let mut shared = self.shared();
        let Shared { book, watched } = &mut *shared;
        for one in read {
            let name = one.name.to_bytes();
            let id = book.put(watched, place, directory.queue, name, one.facts);
            if let Some(identities) = one.identities {
                book.ledger.set_identities(id, identities);
            }
            book.kept += u64::from(one.known);
        }
    }

    /// Reads a file, or takes over what is known of it.
    fn file<'n>(
        &mut self,
        directory: &Directory,
        name: &'n CStr,
        depth: Depth,
    ) -> Option<Read<'n>> {
        let mut identities = None;
        let mut now = 0;
        if self.notes && depth >= Depth::Envelopes {
            now = kept::now();
            identities = self.files.identities(directory, name, depth);
        }
        if let (Some(same), Some((kept, instance))) = (identities, self.known) {
            if let Some(facts) = kept.facts(instance, directory.queue, name.to_bytes(), same) {
                return Some(Read {
                    name,
                    facts,
                    identities,
                    known: true,
                });
            }
        }
        self.files.read(directory, name, depth, &mut self.capture);
        let facts = self.capture.take()?;
        identities = identities.filter(|found| kept::may_stand(*found, &facts, now));
        Some(Read {
            name,
            facts,
            identities,
            known: false,
        })
    }
}

/// Finds work for a thread that lists a directory.
struct Lister<'l, 's, 'w, 'h> {
    loader: &'l mut Loader<'s, 'w>,
    place: Place,
    hands: &'h mut dyn Share<Job>,
}

impl Finder for Lister<'_, '_, '_, '_> {
    fn work(&mut self, work: Work) {
        let place = self.place;
        match work {
            Work::Files(directory, bundle) => {
                let job = Job::Files(place, directory, bundle);
                if let Some(Job::Files(place, directory, bundle)) = self.hands.offer(job) {
                    self.loader.files(place, &directory, &bundle);
                }
            }
            Work::Open(parent, name) => self.hands.put(Job::Open(place, parent, name)),
            Work::List(directory) => self.hands.put(Job::List(place, directory)),
        }
    }

    fn name(&mut self, _directory: &Directory) {}

    fn stray(&mut self, directory: &Directory, name: &CStr) {
        let mut shared = self.loader.shared();
        let Shared { book, watched } = &mut *shared;
        book.put_stray(watched, self.place, directory.queue, name.to_bytes());
    }
}

/// Watches the delay logs of an instance: `fd` is their directory, and each below it of one character.
/// Told are the names of all that is found below `from_here` on, for logs that turn up with a directory.
pub(super) fn watch_logs(book: &mut Book, instance: usize, place: Place, names: &mut Vec<CString>) {
    let mut waiting = vec![place];
    let mut memory = Vec::new();
    while let Some(place) = waiting.pop() {
        let mut below = Vec::new();
        if let Some((fd, _)) = super::places::logs_fd(book.places.row(place)) {
            loop {
                let listed = sys::list(fd, &mut memory, |name, kind| {
                    match (kind, name.to_bytes().len()) {
                        (sys::EntryKind::File, _) => names.push(name.to_owned()),
                        (_, 1) => below.push(name.to_owned()),
                        _ => {}
                    }
                });
                match listed {
                    Ok(true) => {}
                    // That logs cannot be listed is told of each message.
                    Ok(false) | Err(_) => break,
                }
            }
        }
        for name in below {
            if let Some(found) = book.add_logs_below(instance, place, &name) {
                waiting.push(found);
            }
        }
    }
}

/// Whether a name below a spool is one that matters to a watch.
pub(super) fn matters(name: &[u8]) -> bool {
    name == b"defer"
        || Queue::ALL
            .iter()
            .any(|queue| queue.name().as_bytes() == name)
}
