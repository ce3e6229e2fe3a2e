//! Rescans an instance without events: it looks at all files from time to time, and reads those that have
//! changed.
//!
//! A file counts as unchanged if it, and its log of delay reasons where that is read, has the inode number,
//! size and time of change that it had just before it was read ([`crate::sys::Identity`]). It must also have
//! been read long enough after these values were first seen: then no change before the reading can have left
//! them the same ([`SETTLED`]). One statx(2) for each of the two replaces open, fstat, pread, close, and the
//! parsing. This costs 56 bytes of memory for each message. All directories are opened and listed each time.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::event::{Event, EventKind, Events};
use super::ledger::{DirectoryId, EntryId, Noted};
use super::observer::{Facts, File};
use super::reconcile::Outline;
use super::tracked::{Tracked, TrackedSpool};
use super::watch_set::DirectoryKind;
use crate::postfix::queue::Queue;
use crate::scan::Identities;
use crate::sys::Identity;

/// How long a file must be unchanged until a further change gives it another time of change, in tenths of a
/// second. The clock of a file system ticks every few milliseconds, on old ones every second. It is counted
/// on this host's clock, because the clock of a file server may be wrong.
const SETTLED: u32 = 21;

/// One rescan of an instance.
pub(super) struct Rescan<'w> {
    instance: usize,
    /// The directories that still exist.
    directories: HashSet<DirectoryId>,
    /// A bit for each entry that still exists.
    seen: Vec<u64>,
    /// The messages that are new in their directory.
    arrived: HashSet<EntryId>,
    events: &'w mut Events,
}

impl<'w> Rescan<'w> {
    /// Begins a rescan of `instance`. It reports changes of single messages to `events`.
    pub(super) fn new(instance: usize, events: &'w mut Events) -> Self {
        Rescan {
            instance,
            directories: HashSet::new(),
            seen: Vec::new(),
            arrived: HashSet::new(),
            events,
        }
    }

    /// Marks a directory as existing.
    pub(super) fn see_place(&mut self, directory_id: DirectoryId) {
        self.directories.insert(directory_id);
    }

    /// Marks a file as existing.
    pub(super) fn see(&mut self, id: EntryId) {
        let word = id as usize / 64;
        if self.seen.len() <= word {
            self.seen.resize(word + 1, 0);
        }
        self.seen[word] |= 1 << (id % 64);
    }

    fn has_seen(&self, id: EntryId) -> bool {
        let word = self.seen.get(id as usize / 64);
        word.is_some_and(|word| word & (1 << (id % 64)) != 0)
    }

    /// Stores what a new or changed file says.
    pub(super) fn put(
        &mut self,
        tracked: &mut Tracked,
        spool: &mut TrackedSpool,
        (directory_id, queue): (DirectoryId, Queue),
        name: &[u8],
        facts: Facts,
    ) -> EntryId {
        let ledger = &tracked.ledger;
        let before = ledger.find(directory_id, name);
        let before = before.filter(|id| ledger.entry(*id).is_message());
        if let (Some(id), true) = (before, facts.is_not_ready()) {
            let (kind, instance) = (EventKind::Left, &spool.instance.name);
            let event = Event::of_message(kind, instance, (queue, None), ledger, id);
            self.events.push(event);
        }
        let before = before.map(|id| Outline::of(ledger, id));
        let id = tracked.put(spool, directory_id, queue, name, facts);
        self.see(id);
        // A message that exists but cannot be read has not left.
        if tracked.ledger.entry(id).is_message() {
            let instance = &spool.instance.name;
            match before {
                None => {
                    self.arrived.insert(id);
                }
                Some(before) if before != Outline::of(&tracked.ledger, id) => {
                    let ledger = &tracked.ledger;
                    let kind = EventKind::Changed;
                    let event = Event::of_message(kind, instance, (queue, None), ledger, id);
                    self.events.push(event);
                }
                Some(_) => {}
            }
        }
        id
    }

    /// Removes the entries that no longer exist.
    pub(super) fn finish(mut self, tracked: &mut Tracked, spool: &mut TrackedSpool) {
        let hidden = self.hidden(tracked, spool);
        let gone: Vec<DirectoryId> = tracked
            .directories
            .iter()
            .filter(|(directory_id, row)| {
                let of_queue = row.instance == self.instance && row.queue().is_some();
                of_queue && !self.directories.contains(directory_id)
            })
            .map(|(directory_id, _)| directory_id)
            .collect();
        for directory_id in gone {
            tracked.directories.forget(directory_id);
        }
        let here = |tracked: &Tracked, id: EntryId| {
            let row = tracked
                .directories
                .row(tracked.ledger.entry(id).directory_id);
            row.queue().filter(|_| row.instance == self.instance)
        };
        let unseen: Vec<(EntryId, Queue)> = tracked
            .ledger
            .ids()
            .filter(|id| !self.has_seen(*id))
            .filter_map(|id| Some((id, here(tracked, id)?)))
            .collect();
        let name = spool.instance.name.clone();
        for (id, queue) in unseen {
            let directory_id = tracked.ledger.entry(id).directory_id;
            if tracked.ledger.entry(id).is_message() && !hidden.contains(&directory_id) {
                let same_name = tracked.ledger.named(tracked.ledger.name(id));
                let found = same_name
                    .into_iter()
                    .find(|other| self.arrived.remove(other));
                let to = found.and_then(|found| Some((found, here(tracked, found)?)));
                let change = match to {
                    Some((found, to)) if to != queue => Some((EventKind::Moved, to, found)),
                    // It moved to another directory of the same queue.
                    Some(_) => None,
                    None => Some((EventKind::Left, queue, id)),
                };
                if let Some((kind, there, id)) = change {
                    let from = (kind == EventKind::Moved).then_some(queue);
                    self.events.push(Event::of_message(
                        kind,
                        &name,
                        (there, from),
                        &tracked.ledger,
                        id,
                    ));
                }
            }
            tracked.drop_entry(spool, queue, id);
        }
        for id in std::mem::take(&mut self.arrived) {
            if let Some(queue) = here(tracked, id) {
                let event = Event::of_message(
                    EventKind::Arrived,
                    &name,
                    (queue, None),
                    &tracked.ledger,
                    id,
                );
                self.events.push(event);
            }
        }
    }
}

impl Rescan<'_> {
    /// Returns the directories whose files this rescan cannot judge: they, or a directory above them, could not
    /// be listed.
    fn hidden(&self, tracked: &Tracked, spool: &TrackedSpool) -> HashSet<DirectoryId> {
        let here = || {
            tracked
                .directories
                .iter()
                .filter(|(_, row)| row.instance == self.instance)
        };
        let path_of = |what: &DirectoryKind| match what {
            DirectoryKind::Queue(directory) => Some(directory.path.clone()),
            _ => None,
        };
        let lost = tracked.lost.iter().filter(|(of, _)| *of == self.instance);
        let unread: Vec<PathBuf> = lost
            .map(|(_, gap)| gap.path.clone())
            .chain(spool.gaps.iter().map(|gap| gap.path.clone()))
            .chain(here().filter_map(|(_, row)| {
                row.gap.as_ref()?;
                path_of(&row.what)
            }))
            .collect();
        let paths: HashMap<DirectoryId, PathBuf> = here()
            .filter_map(|(directory_id, row)| Some((directory_id, path_of(&row.what)?)))
            .collect();
        paths
            .into_iter()
            .filter(|(_, path)| unread.iter().any(|above| path.starts_with(above)))
            .map(|(directory_id, _)| directory_id)
            .collect()
    }
}

/// Returns the note on a file whose `identities` were taken just before it was read at `now`, in tenths
/// of a second. `before` is its earlier note if the identities were the same. `None` if what was read
/// must not be reused.
pub(super) fn note(
    identities: Identities,
    facts: &Facts,
    before: Option<Noted>,
    now: u32,
) -> Option<Noted> {
    // A file that could not be read may become readable without a change.
    let Facts::File(file) = facts else {
        return None;
    };
    // A log that appeared after the check may have gone again.
    let log_came = identities.log == Identity::NONE && is_explained(file);
    if file.log_gap.is_some() || log_came {
        return None;
    }
    let since = before.map_or(now, |before| before.since);
    Some(Noted {
        identities,
        since,
        proven: now.saturating_sub(since) >= SETTLED,
    })
}

fn is_explained(file: &File) -> bool {
    file.parts.iter().any(|part| part.why.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postfix::envelope::Envelope;
    use crate::scan::{Gap, GapKind};
    use crate::sys::{self, Inode};
    use crate::watch::observer::Part;
    use std::os::fd::AsFd as _;

    fn message(why: Option<(Vec<u8>, Vec<u8>)>) -> Facts {
        Facts::File(Box::new(File {
            inode: Inode {
                number: 1,
                mode: 0o700,
                owner: 0,
                group: 0,
                regular: true,
                size: 10,
                mtime: 5,
                changed: 0,
            },
            ready: true,
            envelope: Some(Envelope {
                arrival: Some(7),
                created: Some(9),
                recipients: 2,
                null_sender: true,
                ..Envelope::default()
            }),
            size: 10,
            sender: Some(b"a@b".to_vec()),
            origin: None,
            parts: vec![Part {
                domain: Some(b"x.example".to_vec()),
                why,
                recipients: 2,
            }],
            misplaced: false,
            fault: None,
            log_gap: None,
            left_out: false,
        }))
    }

    /// The identity of a file.
    fn identity() -> Identity {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        let folder = std::fs::File::open(folder.path()).unwrap();
        sys::identity_at(folder.as_fd(), c"file").unwrap()
    }

    #[test]
    fn what_was_read_stands_when_no_change_can_have_left_it_the_same() {
        let file = identity();
        let because = || Some((b"4.4.1".to_vec(), b"no".to_vec()));
        for (log, why) in [(Identity::NONE, None), (file, because())] {
            let found = Identities { file, log };
            let facts = message(why);
            let first = note(found, &facts, None, 100).unwrap();
            assert!(!first.proven);
            let soon = note(found, &facts, Some(first), 100 + SETTLED - 1).unwrap();
            assert!(!soon.proven && soon.since == 100);
            assert!(
                note(found, &facts, Some(soon), 100 + SETTLED)
                    .unwrap()
                    .proven
            );
        }
        // It appeared while the file was read.
        let found = Identities {
            file,
            log: Identity::NONE,
        };
        assert_eq!(note(found, &message(because()), None, 100), None);
    }

    #[test]
    fn what_could_not_be_read_does_not_stand() {
        let found = Identities {
            file: identity(),
            log: Identity::NONE,
        };
        let gap = || Gap {
            queue: Queue::Hold,
            kind: GapKind::Log,
            path: "defer/A/ABC".into(),
            errno: 13,
        };
        assert_eq!(note(found, &Facts::Gap(gap()), None, 100), None);
        let Facts::File(mut file) = message(None) else {
            unreachable!()
        };
        file.log_gap = Some(gap());
        assert_eq!(note(found, &Facts::File(file), None, 100), None);
    }
}
