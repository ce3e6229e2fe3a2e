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
use crate::scan::walker::{self, SerialWalk};
use crate::scan::{Bundle, Depth, Directory, FileReader, Gap, Identities, Plan, Work};
use crate::sys;
use crate::threads::Readers;

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
        first.push(Work::List(directory, place));
    }
    let shared = Mutex::new(shared);
    walker::walk(readers, first, || Loader {
        shared: &shared,
        instance,
        plan,
        capture: Capture::new(plan, wanted),
        files: files.another(),
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
    let mut found = Found {
        book,
        instance,
        files: Vec::new(),
    };
    let mut walk = SerialWalk::new(vec![Work::Open(Arc::clone(parent), place, name)]);
    while let Some((_, place, bundle)) = walk.next_files(&mut found) {
        let names = bundle.names();
        let files = names.map(|name| (place, Box::from(name.to_bytes())));
        found.files.extend(files);
    }
    found.files
}

/// What is found in a directory that has turned up: directories enter the book, files are told by name.
struct Found<'b> {
    book: &'b mut Book,
    instance: usize,
    files: Vec<(Place, Box<[u8]>)>,
}

impl walker::Visitor for Found<'_> {
    type Tag = Place;

    fn enter(&mut self, directory: &Arc<Directory>, parent: Place, name: CString) -> Place {
        let inside = Some((parent, name.into_boxed_c_str()));
        self.book.add_directory(self.instance, directory, inside)
    }

    fn stray(&mut self, _directory: &Directory, place: Place, name: &CStr) {
        self.files.push((place, Box::from(name.to_bytes())));
    }

    fn gap(&mut self, gap: Gap, listed: Option<Place>) {
        self.book.put_gap(self.instance, gap, listed);
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

impl<'w, 'e> Loader<'_, 'w, 'e> {
    fn shared(&self) -> MutexGuard<'_, Shared<'w, 'e>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl walker::Visitor for Loader<'_, '_, '_> {
    type Tag = Place;

    fn enter(&mut self, directory: &Arc<Directory>, parent: Place, name: CString) -> Place {
        let inside = Some((parent, name.into_boxed_c_str()));
        self.shared().enter(self.instance, directory, inside)
    }

    fn stray(&mut self, directory: &Directory, place: Place, name: &CStr) {
        self.shared().put_stray(place, directory.queue, name);
    }

    fn files(
        &mut self,
        directory: &Arc<Directory>,
        place: Place,
        bundle: &Bundle,
        asked: &mut dyn FnMut(),
    ) {
        let Some(depth) = self.plan.depth(directory.queue) else {
            return;
        };
        let depth = depth.max(Depth::Inodes);
        let mut files: Vec<(&CStr, Option<Identities>)> =
            bundle.names().map(|name| (name, None)).collect();
        let now = tenths(self.clock);
        if self.notes && depth >= Depth::Envelopes {
            for (name, identities) in &mut files {
                *identities = self.files.identities(directory, name, depth);
                asked();
            }
            let mut shared = self.shared();
            files.retain(|(name, now)| !now.is_some_and(|now| shared.is_known(place, name, now)));
        }
        let mut read = Vec::with_capacity(files.len());
        for (name, identities) in files {
            self.files.read(directory, name, depth, &mut self.capture);
            asked();
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

    fn gap(&mut self, gap: Gap, listed: Option<Place>) {
        self.shared().book.put_gap(self.instance, gap, listed);
    }
}

impl Book {
    /// Keeps a gap of the walk: of the place `listed`, or of a directory that could not be opened.
    fn put_gap(&mut self, instance: usize, gap: Gap, listed: Option<Place>) {
        match listed {
            Some(place) => self.places.row_mut(place).gap = Some(gap),
            None => self.lost.push((instance, gap)),
        }
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
