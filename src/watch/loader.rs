//! Reading all queues into the ledger, on several threads: at the start, whenever events were lost, and, but
//! for what has not changed, from time to time where there are none.
//!
//! Each directory is watched before it is listed, so that what happens meanwhile is told by events; these
//! are handled afterwards and win.

use std::ffi::{CStr, CString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Watched;
use super::event::Events;
use super::ledger::Place;
use super::observer::{Capture, Facts};
use super::rescan::{self, Round};
use super::tracked::Book;
use crate::postfix::queue::Queue;
use crate::scan::walker::{self, Finder};
use crate::scan::{Bundle, Depth, Directory, FileReader, Identities, Plan, Work};
use crate::sys::{self, Noatime};
use crate::threads::Readers;
use crate::threads::pool::{self, Asked, Share, Worker};

/// A piece of work: [`Work`] in a place.
enum Job {
    Open(Place, Arc<Directory>, CString),
    List(Place, Arc<Directory>),
    Files(Place, Arc<Directory>, Bundle),
}

/// Reads the queues of `watched`, whose number is `instance`, with the threads that `readers` says.
pub(super) fn load(
    book: &mut Book,
    instance: usize,
    watched: &mut Watched,
    directories: Vec<Arc<Directory>>,
    readers: Readers,
) {
    read(book, instance, watched, directories, readers, None);
}

/// Looks at the queues of `watched` again, which were read before without events, and reads what has
/// changed. What has become of single messages is told to `events`.
pub(super) fn look_again(
    book: &mut Book,
    instance: usize,
    watched: &mut Watched,
    directories: Vec<Arc<Directory>>,
    readers: Readers,
    events: &mut Events,
) {
    book.lost.retain(|(of, _)| *of != instance);
    let round = Round::new(instance, events);
    let round = read(book, instance, watched, directories, readers, Some(round));
    if let Some(round) = round {
        round.finish(book, watched);
    }
}

fn read<'e>(
    book: &mut Book,
    instance: usize,
    watched: &mut Watched,
    directories: Vec<Arc<Directory>>,
    readers: Readers,
    round: Option<Round<'e>>,
) -> Option<Round<'e>> {
    let (plan, wanted) = (watched.totals.plan, watched.totals.wanted);
    let notes = book.blind.is_some();
    let clock = watched.clock;
    let files = watched.files.another();
    let mut shared = Shared {
        book,
        watched,
        round,
    };
    let mut first = Vec::new();
    for directory in directories {
        let place = shared.enter(instance, &directory, None);
        first.push(Job::List(place, directory));
    }
    let shared = Mutex::new(shared);
    pool::run(readers, first, || Loader {
        shared: &shared,
        instance,
        plan,
        capture: Capture::new(plan, wanted),
        files: files.another(),
        listing: Vec::new(),
        notes,
        clock,
    });
    let shared = shared.into_inner();
    shared.unwrap_or_else(PoisonError::into_inner).round
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
                    match walker::list(&directory, false, &mut listing, &mut found) {
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
struct Shared<'w, 'e> {
    book: &'w mut Book,
    watched: &'w mut Watched,
    /// If all was read before.
    round: Option<Round<'e>>,
}

impl Shared<'_, '_> {
    /// Takes in a directory, which is about to be listed.
    fn enter(
        &mut self,
        instance: usize,
        directory: &Arc<Directory>,
        inside: Option<(Place, Box<CStr>)>,
    ) -> Place {
        let Some(round) = &mut self.round else {
            return self.book.add_directory(instance, directory, inside);
        };
        let places = &mut self.book.places;
        let place = places
            .renew(instance, directory, inside.as_ref())
            .unwrap_or_else(|| self.book.add_directory(instance, directory, inside));
        round.see_place(place);
        place
    }

    /// Whether the file `name` of `place` is known and has not changed; then it is there still.
    fn is_known(&mut self, place: Place, name: &CStr, now: Identities) -> bool {
        let Some(round) = &mut self.round else {
            return false;
        };
        let ledger = &self.book.ledger;
        let known = ledger.find(place, name.to_bytes());
        let known = known.filter(|id| ledger.noted(*id, now).is_some_and(|noted| noted.proven));
        if let Some(id) = known {
            round.see(id);
            self.book.kept += 1;
        }
        known.is_some()
    }

    fn put(&mut self, place: Place, queue: Queue, read: Read<'_>) {
        let (book, watched) = (&mut *self.book, &mut *self.watched);
        let name = read.name.to_bytes();
        let noted = read.identities.and_then(|identities| {
            let before = book.ledger.find(place, name);
            let before = before.and_then(|id| book.ledger.noted(id, identities));
            rescan::note(identities, &read.facts, before, read.now)
        });
        let id = match &mut self.round {
            Some(round) => round.put(book, watched, (place, queue), name, read.facts),
            None => book.put(watched, place, queue, name, read.facts),
        };
        if let Some(noted) = noted {
            book.ledger.note(id, noted);
        }
    }

    fn put_stray(&mut self, place: Place, queue: Queue, name: &CStr) {
        let watched = &mut *self.watched;
        let id = self.book.put_stray(watched, place, queue, name.to_bytes());
        if let Some(round) = &mut self.round {
            round.see(id);
        }
    }
}

/// One thread's part.
struct Loader<'s, 'w, 'e> {
    shared: &'s Mutex<Shared<'w, 'e>>,
    instance: usize,
    plan: Plan,
    capture: Capture,
    files: FileReader,
    listing: Vec<u8>,
    /// Whether to note what files are.
    notes: bool,
    /// Since when time is counted for that.
    clock: Instant,
}

/// What a file says, and, where that is noted, what it was just before it was read, and when.
struct Read<'n> {
    name: &'n CStr,
    facts: Facts,
    identities: Option<Identities>,
    now: u32,
}

impl Worker for Loader<'_, '_, '_> {
    type Job = Job;

    fn perform(&mut self, job: Job, hands: &mut dyn Share<Job>) {
        match job {
            Job::Open(place, parent, name) => match parent.open(&name, &mut self.files.noatime) {
                Ok(Some(directory)) => {
                    let inside = Some((place, name.into_boxed_c_str()));
                    let place = self.shared().enter(self.instance, &directory, inside);
                    self.list(place, &directory, hands);
                }
                Ok(None) => {}
                Err(gap) => self.shared().book.lost.push((self.instance, gap)),
            },
            Job::List(place, directory) => self.list(place, &directory, hands),
            Job::Files(place, directory, bundle) => {
                self.files(place, &directory, &bundle, hands);
            }
        }
    }
}

impl<'w, 'e> Loader<'_, 'w, 'e> {
    fn shared(&self) -> MutexGuard<'_, Shared<'w, 'e>> {
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
            let outcome = walker::list(directory, false, &mut listing, &mut lister);
            hands.asked(Asked::Names);
            match outcome {
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

    fn files(
        &mut self,
        place: Place,
        directory: &Directory,
        bundle: &Bundle,
        hands: &mut dyn Share<Job>,
    ) {
        let Some(depth) = self.plan.depth(directory.queue) else {
            return;
        };
        let depth = depth.max(Depth::Inodes);
        let names = (0..bundle.len()).filter_map(|index| bundle.name(index));
        let mut files: Vec<(&CStr, Option<Identities>)> = names.map(|name| (name, None)).collect();
        let now = tenths(self.clock);
        if self.notes && depth >= Depth::Envelopes {
            for (name, identities) in &mut files {
                *identities = self.files.identities(directory, name, depth);
                hands.asked(Asked::File);
            }
            let mut shared = self.shared();
            files.retain(|(name, now)| !now.is_some_and(|now| shared.is_known(place, name, now)));
        }
        let mut read = Vec::with_capacity(files.len());
        for (name, identities) in files {
            self.files.read(directory, name, depth, &mut self.capture);
            hands.asked(Asked::File);
            if let Some(facts) = self.capture.take() {
                read.push(Read {
                    name,
                    facts,
                    identities,
                    now,
                });
            }
        }
        let mut shared = self.shared();
        for one in read {
            shared.put(place, directory.queue, one);
        }
    }
}

/// Finds work for a thread that lists a directory.
struct Lister<'l, 's, 'w, 'e, 'h> {
    loader: &'l mut Loader<'s, 'w, 'e>,
    place: Place,
    hands: &'h mut dyn Share<Job>,
}

impl Finder for Lister<'_, '_, '_, '_, '_> {
    fn work(&mut self, work: Work) {
        let place = self.place;
        match work {
            Work::Files(directory, bundle) => {
                let job = Job::Files(place, directory, bundle);
                if let Some(Job::Files(place, directory, bundle)) = self.hands.offer(job) {
                    self.loader.files(place, &directory, &bundle, self.hands);
                }
            }
            Work::Open(parent, name) => self.hands.put(Job::Open(place, parent, name)),
            Work::List(directory) => self.hands.put(Job::List(place, directory)),
        }
    }

    fn name(&mut self, _directory: &Directory) {}

    fn stray(&mut self, directory: &Directory, name: &CStr) {
        self.loader
            .shared()
            .put_stray(self.place, directory.queue, name);
    }
}

/// How long ago `clock` was, in tenths of a second.
fn tenths(clock: Instant) -> u32 {
    u32::try_from(clock.elapsed().as_millis() / 100).unwrap_or(u32::MAX)
}

/// Watches the delay logs of an instance: `fd` is their directory, and each below it of one character.
/// Told are the names of all that is found below `from_here` on, for logs that turn up with a directory.
pub(super) fn watch_logs(book: &mut Book, instance: usize, place: Place, names: &mut Vec<CString>) {
    let mut waiting = vec![place];
    let mut memory = Vec::new();
    while let Some(place) = waiting.pop() {
        let mut below = Vec::new();
        if let Some((fd, _)) = super::watch_set::logs_fd(book.places.row(place)) {
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
