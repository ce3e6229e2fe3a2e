//! Reads all queues into the ledger, on several threads: at the start and whenever events were lost. Without
//! events it does so from time to time, and skips what has not changed.
//!
//! Each directory is watched before it is listed, so that events report what happens meanwhile. They are
//! processed afterwards and win.

use std::ffi::{CStr, CString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::event::Events;
use super::ledger::DirectoryId;
use super::observer::{Facts, FileCapture};
use super::rescan::{self, Rescan};
use super::tracked::{Tracked, TrackedSpool};
use crate::control;
use crate::postfix::queue::Queue;
use crate::scan::walker::{self, SerialWalk};
use crate::scan::{Bundle, Depth, Directory, FileReader, Gap, Identities, Plan, Work};
use crate::sys;
use crate::threads::Readers;

/// Reads the queues of `spool`, whose number is `instance`, on the threads that `readers` says.
pub(super) fn load(
    tracked: &mut Tracked,
    instance: usize,
    spool: &mut TrackedSpool,
    directories: Vec<Arc<Directory>>,
    readers: Readers,
) {
    read(tracked, instance, spool, directories, readers, None);
}

/// Looks at the queues of `spool` again, which were read before without events, and reads what has changed.
/// It reports changes of single messages to `events`.
pub(super) fn look_again(
    tracked: &mut Tracked,
    instance: usize,
    spool: &mut TrackedSpool,
    directories: Vec<Arc<Directory>>,
    readers: Readers,
    events: &mut Events,
) {
    tracked.lost.retain(|(of, _)| *of != instance);
    let rescan = Rescan::new(instance, events);
    let rescan = read(tracked, instance, spool, directories, readers, Some(rescan));
    if let Some(rescan) = rescan {
        rescan.finish(tracked, spool);
    }
}

fn read<'e>(
    tracked: &mut Tracked,
    instance: usize,
    spool: &mut TrackedSpool,
    directories: Vec<Arc<Directory>>,
    readers: Readers,
    rescan: Option<Rescan<'e>>,
) -> Option<Rescan<'e>> {
    let (plan, wanted) = (spool.totals.plan, spool.totals.wanted);
    let notes = tracked.blind.is_some();
    let clock = spool.clock;
    let files = spool.files.another();
    let owner = spool.instance.clone();
    let mut shared = Shared {
        tracked,
        spool,
        rescan,
    };
    let mut first = Vec::new();
    for directory in directories {
        let directory_id = shared.enter(instance, &directory, None);
        first.push(Work::List(directory, directory_id));
    }
    let shared = Mutex::new(shared);
    walker::walk(readers, first, || Loader {
        shared: &shared,
        instance,
        plan,
        capture: FileCapture::new(plan, wanted, &owner),
        files: files.another(),
        notes,
        clock,
    });
    let shared = shared.into_inner();
    shared.unwrap_or_else(PoisonError::into_inner).rescan
}

/// Adds the new directory `name` of `parent` and its subdirectories: watches each, then lists it. Returns
/// the files in them, to be checked as after an event.
pub(super) fn adopt(
    tracked: &mut Tracked,
    instance: usize,
    directory_id: DirectoryId,
    parent: &Arc<Directory>,
    name: CString,
) -> Vec<(DirectoryId, Box<[u8]>)> {
    let mut found = NewContent {
        tracked,
        instance,
        files: Vec::new(),
    };
    let mut walk = SerialWalk::new(vec![Work::Open(Arc::clone(parent), directory_id, name)]);
    while let Some((_, directory_id, bundle)) = walk.next_files(&mut found) {
        let names = bundle.names();
        let files = names.map(|name| (directory_id, Box::from(name.to_bytes())));
        found.files.extend(files);
    }
    found.files
}

/// What a new directory contains: its directories are tracked, its files are returned by name.
struct NewContent<'b> {
    tracked: &'b mut Tracked,
    instance: usize,
    files: Vec<(DirectoryId, Box<[u8]>)>,
}

impl walker::Visitor for NewContent<'_> {
    type Tag = DirectoryId;

    fn enter(
        &mut self,
        directory: &Arc<Directory>,
        parent: DirectoryId,
        name: CString,
    ) -> DirectoryId {
        let inside = Some((parent, name.into_boxed_c_str()));
        self.tracked.add_directory(self.instance, directory, inside)
    }

    fn stray(&mut self, _directory: &Directory, directory_id: DirectoryId, name: &CStr) {
        self.files.push((directory_id, Box::from(name.to_bytes())));
    }

    fn gap(&mut self, gap: Gap, listed: Option<DirectoryId>) {
        self.tracked.put_gap(self.instance, gap, listed);
    }
}

/// What the threads share.
struct Shared<'w, 'e> {
    tracked: &'w mut Tracked,
    spool: &'w mut TrackedSpool,
    /// Present if everything was read before.
    rescan: Option<Rescan<'e>>,
}

impl Shared<'_, '_> {
    /// Adds a directory, which is about to be listed.
    fn enter(
        &mut self,
        instance: usize,
        directory: &Arc<Directory>,
        inside: Option<(DirectoryId, Box<CStr>)>,
    ) -> DirectoryId {
        let Some(rescan) = &mut self.rescan else {
            return self.tracked.add_directory(instance, directory, inside);
        };
        let directories = &mut self.tracked.directories;
        let directory_id = directories
            .renew(instance, directory, inside.as_ref())
            .unwrap_or_else(|| self.tracked.add_directory(instance, directory, inside));
        rescan.see_place(directory_id);
        directory_id
    }

    /// Returns true if the file `name` of `directory_id` is known and unchanged, and marks it as existing.
    fn is_known(&mut self, directory_id: DirectoryId, name: &CStr, now: Identities) -> bool {
        let Some(rescan) = &mut self.rescan else {
            return false;
        };
        let ledger = &self.tracked.ledger;
        let known = ledger.find(directory_id, name.to_bytes());
        let known = known.filter(|id| ledger.noted(*id, now).is_some_and(|noted| noted.proven));
        if let Some(id) = known {
            rescan.see(id);
            self.tracked.kept += 1;
        }
        known.is_some()
    }

    fn put(&mut self, directory_id: DirectoryId, queue: Queue, read: ReadFile<'_>) {
        control::step();
        let (tracked, spool) = (&mut *self.tracked, &mut *self.spool);
        let name = read.name.to_bytes();
        let noted = read.identities.and_then(|identities| {
            let before = tracked.ledger.find(directory_id, name);
            let before = before.and_then(|id| tracked.ledger.noted(id, identities));
            rescan::note(identities, &read.facts, before, read.now)
        });
        let id = match &mut self.rescan {
            Some(rescan) => rescan.put(tracked, spool, (directory_id, queue), name, read.facts),
            None => tracked.put(spool, directory_id, queue, name, read.facts),
        };
        if let Some(noted) = noted {
            tracked.ledger.note(id, noted);
        }
    }

    fn put_stray(&mut self, directory_id: DirectoryId, queue: Queue, name: &CStr) {
        let spool = &mut *self.spool;
        let id = self
            .tracked
            .put_stray(spool, directory_id, queue, name.to_bytes());
        if let Some(rescan) = &mut self.rescan {
            rescan.see(id);
        }
    }
}

/// The part of one thread.
struct Loader<'s, 'w, 'e> {
    shared: &'s Mutex<Shared<'w, 'e>>,
    instance: usize,
    plan: Plan,
    capture: FileCapture,
    files: FileReader,
    /// True if the identities of files are to be noted.
    notes: bool,
    /// The start of the clock for these notes.
    clock: Instant,
}

/// What a file says, and, if noted, its identities just before it was read, and the time.
struct ReadFile<'n> {
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
    type Tag = DirectoryId;

    fn enter(
        &mut self,
        directory: &Arc<Directory>,
        parent: DirectoryId,
        name: CString,
    ) -> DirectoryId {
        let inside = Some((parent, name.into_boxed_c_str()));
        self.shared().enter(self.instance, directory, inside)
    }

    fn stray(&mut self, directory: &Directory, directory_id: DirectoryId, name: &CStr) {
        self.shared().put_stray(directory_id, directory.queue, name);
    }

    fn files(
        &mut self,
        directory: &Arc<Directory>,
        directory_id: DirectoryId,
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
            files.retain(|(name, now)| {
                !now.is_some_and(|now| shared.is_known(directory_id, name, now))
            });
        }
        let mut read = Vec::with_capacity(files.len());
        for (name, identities) in files {
            self.files.read(directory, name, depth, &mut self.capture);
            asked();
            if let Some(facts) = self.capture.take() {
                read.push(ReadFile {
                    name,
                    facts,
                    identities,
                    now,
                });
            }
        }
        let mut shared = self.shared();
        for one in read {
            shared.put(directory_id, directory.queue, one);
        }
    }

    fn gap(&mut self, gap: Gap, listed: Option<DirectoryId>) {
        self.shared().tracked.put_gap(self.instance, gap, listed);
    }
}

impl Tracked {
    /// Records a gap of the walk: of the directory `listed`, or of one that could not be opened.
    fn put_gap(&mut self, instance: usize, gap: Gap, listed: Option<DirectoryId>) {
        match listed {
            Some(directory_id) => self.directories.row_mut(directory_id).gap = Some(gap),
            None => self.lost.push((instance, gap)),
        }
    }
}

/// Returns the time since `clock`, in tenths of a second.
fn tenths(clock: Instant) -> u32 {
    u32::try_from(clock.elapsed().as_millis() / 100).unwrap_or(u32::MAX)
}

/// Watches the delay logs of an instance: `fd` is their directory; its subdirectories have names of one
/// character. Reports the names of all files at and below depth `from_here`, for logs that appear with a new
/// directory.
pub(super) fn watch_logs(
    tracked: &mut Tracked,
    instance: usize,
    directory_id: DirectoryId,
    names: &mut Vec<CString>,
) {
    let mut waiting = vec![directory_id];
    let mut memory = Vec::new();
    while let Some(directory_id) = waiting.pop() {
        let mut below = Vec::new();
        if let Some((fd, _)) = super::watch_set::logs_fd(tracked.directories.row(directory_id)) {
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
                    // Logs that cannot be listed are a gap of each message.
                    Ok(false) | Err(_) => break,
                }
            }
        }
        for name in below {
            if let Some(found) = tracked.add_logs_below(instance, directory_id, &name) {
                waiting.push(found);
            }
        }
    }
}

/// Returns true if a watch needs this name below a spool.
pub(super) fn matters(name: &[u8]) -> bool {
    name == b"defer"
        || Queue::ALL
            .iter()
            .any(|queue| queue.name().as_bytes() == name)
}
