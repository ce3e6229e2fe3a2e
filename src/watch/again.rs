//! What a watch without events does from time to time: it looks at all files again, and reads those that
//! have changed.
//!
//! A file need not be read again if it, and its log of delay reasons where that is read, has the inode
//! number, the size and the time of change that it had just before it was read
//! ([`crate::sys::Identity`]), and if that time was past when it was taken, so that no later change can have
//! the same. One statx(2) for each of the two takes the place of open, fstat, pread and close, and of the
//! reading. It costs 48 bytes for each message. All directories are opened and listed anew each time.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Watched;
use super::book::Book;
use super::capture::{Facts, File};
use super::event::{Event, EventKind, Events};
use super::ledger::{EntryId, Place};
use super::look::Outline;
use crate::postfix::queue::Queue;
use crate::scan::Identities;
use crate::sys::Identity;

/// One look at all files of an instance.
pub(super) struct Round<'w> {
    instance: usize,
    /// The places that are there still.
    places: HashSet<Place>,
    /// A bit for each entry that is there still.
    seen: Vec<u64>,
    /// Messages that are new in their place.
    arrived: HashSet<EntryId>,
    events: &'w mut Events,
}

impl<'w> Round<'w> {
    /// Begins to look at `instance`; what has happened to single messages is told to `events`.
    pub(super) fn new(instance: usize, events: &'w mut Events) -> Self {
        Round {
            instance,
            places: HashSet::new(),
            seen: Vec::new(),
            arrived: HashSet::new(),
            events,
        }
    }

    /// A directory is there.
    pub(super) fn see_place(&mut self, place: Place) {
        self.places.insert(place);
    }

    /// A file is there.
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

    /// Takes in what a file says that was not known, or is another than it was.
    pub(super) fn put(
        &mut self,
        book: &mut Book,
        watched: &mut Watched,
        (place, queue): (Place, Queue),
        name: &[u8],
        facts: Facts,
    ) -> EntryId {
        let of_message = |kind, book: &Book, watched: &Watched, id| {
            let instance = &watched.instance.name;
            Event::of_message(kind, instance, (queue, None), &book.ledger, id)
        };
        let before = book.ledger.find(place, name);
        let before = before
            .filter(|id| book.ledger.entry(*id).is_message())
            .map(|id| {
                let left = of_message(EventKind::Left, book, watched, id);
                (left, Outline::of(&book.ledger, id))
            });
        let id = book.put(watched, place, queue, name, facts);
        self.see(id);
        let is_message = book.ledger.entry(id).is_message();
        match before {
            Some((left, _)) if !is_message => self.events.push(left),
            Some((_, outline)) if outline != Outline::of(&book.ledger, id) => {
                let changed = of_message(EventKind::Changed, book, watched, id);
                self.events.push(changed);
            }
            None if is_message => {
                self.arrived.insert(id);
            }
            _ => {}
        }
        id
    }

    /// Takes out what is not there any more.
    pub(super) fn finish(mut self, book: &mut Book, watched: &mut Watched) {
        let gone: Vec<Place> = book
            .places
            .iter()
            .filter(|(place, row)| {
                let of_queue = row.instance == self.instance && row.queue().is_some();
                of_queue && !self.places.contains(place)
            })
            .map(|(place, _)| place)
            .collect();
        for place in gone {
            book.places.forget(place);
        }
        let here = |book: &Book, id: EntryId| {
            let row = book.places.row(book.ledger.entry(id).place);
            row.queue().filter(|_| row.instance == self.instance)
        };
        let unseen: Vec<(EntryId, Queue)> = book
            .ledger
            .ids()
            .filter(|id| !self.has_seen(*id))
            .filter_map(|id| Some((id, here(book, id)?)))
            .collect();
        let name = watched.instance.name.clone();
        for (id, queue) in unseen {
            if book.ledger.entry(id).is_message() {
                let same_name = book.ledger.named(book.ledger.name(id));
                let found = same_name
                    .into_iter()
                    .find(|other| self.arrived.remove(other));
                let to = found.and_then(|found| Some((found, here(book, found)?)));
                let told = match to {
                    Some((found, to)) if to != queue => Some((EventKind::Moved, to, found)),
                    // To another directory of the same queue.
                    Some(_) => None,
                    None => Some((EventKind::Left, queue, id)),
                };
                if let Some((kind, there, id)) = told {
                    let from = (kind == EventKind::Moved).then_some(queue);
                    self.events.push(Event::of_message(
                        kind,
                        &name,
                        (there, from),
                        &book.ledger,
                        id,
                    ));
                }
            }
            book.drop_entry(watched, queue, id);
        }
        for id in std::mem::take(&mut self.arrived) {
            if let Some(queue) = here(book, id) {
                let event =
                    Event::of_message(EventKind::Arrived, &name, (queue, None), &book.ledger, id);
                self.events.push(event);
            }
        }
    }
}

/// Whether what was read of a file that was `identities` just before, at `now` in nanoseconds of the
/// epoch, may stand for it as long as it is that.
pub(super) fn may_stand(identities: Identities, facts: &Facts, now: i64) -> bool {
    // What could not be read may be readable without having changed.
    let Facts::File(file) = facts else {
        return false;
    };
    if file.log_gap.is_some() {
        return false;
    }
    // A log that came after it was looked for may have gone again.
    let log_came = identities.log == Identity::NONE && is_explained(file);
    identities.file.is_settled(now) && identities.log.is_settled(now) && !log_came
}

fn is_explained(file: &File) -> bool {
    file.parts.iter().any(|part| part.why.is_some())
}

/// The present moment in nanoseconds of the epoch, on the clock that sets the times of files.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postfix::envelope::Envelope;
    use crate::scan::{Gap, GapKind};
    use crate::sys::{self, Inode};
    use crate::watch::capture::Part;
    use std::os::fd::AsFd as _;

    fn message(why: Option<(Vec<u8>, Vec<u8>)>) -> Facts {
        Facts::File(Box::new(File {
            inode: Inode {
                number: 1,
                mode: 0o700,
                regular: true,
                size: 10,
                mtime: 5,
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
            parts: vec![Part {
                domain: Some(b"x.example".to_vec()),
                why,
                recipients: 2,
            }],
            log_gap: None,
        }))
    }

    /// The identity of a file that was made just now.
    fn young() -> Identity {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        let folder = std::fs::File::open(folder.path()).unwrap();
        sys::identity_at(folder.as_fd(), c"file").unwrap()
    }

    #[test]
    fn what_may_change_at_the_same_tick_does_not_stand() {
        let (file, now) = (young(), now());
        let later = now + 3_000_000_000;
        let because = || Some((b"4.4.1".to_vec(), b"no".to_vec()));
        for (log, why, at, stands) in [
            (Identity::NONE, None, later, true),
            (Identity::NONE, None, now, false),
            (file, because(), later, true),
            (file, because(), now, false),
            // It came while the file was read.
            (Identity::NONE, because(), later, false),
        ] {
            let found = Identities { file, log };
            let text = format!("{found:?} {why:?} at {at}");
            assert_eq!(may_stand(found, &message(why), at), stands, "{text}");
        }
    }

    #[test]
    fn what_could_not_be_read_does_not_stand() {
        let found = Identities {
            file: young(),
            log: Identity::NONE,
        };
        let later = now() + 3_000_000_000;
        let gap = || Gap {
            queue: Queue::Hold,
            kind: GapKind::Log,
            path: "defer/A/ABC".into(),
            errno: 13,
        };
        assert!(!may_stand(found, &Facts::Gap(gap()), later));
        let Facts::File(mut file) = message(None) else {
            unreachable!()
        };
        file.log_gap = Some(gap());
        assert!(!may_stand(found, &Facts::File(file), later));
    }
}
