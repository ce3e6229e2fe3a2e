//! What a watch without events keeps from one reading of all queues to the next.
//!
//! Where nothing tells what has changed, all is read anew from time to time; but a message in order need
//! not be read again if its file, and its log of delay reasons where that is read, has the inode number,
//! the size and the time of change that it had just before it was read ([`crate::sys::Identity`]), and if
//! that time was past when it was taken, so that no later change can have the same. One statx(2) for each
//! of the two takes the place of open, fstat, pread and close, and of the reading. It costs 48 bytes a
//! message, of the messages that are known anyhow, and twice the memory of a watch while it reads.

use std::time::{SystemTime, UNIX_EPOCH};

use super::capture::{Facts, File};
use super::ledger::{Ledger, Place};
use super::places::Places;
use crate::postfix::queue::Queue;
use crate::scan::Identities;
use crate::sys::Identity;

/// A spool: device and inode of its directory.
pub(super) type SpoolIdentity = Option<(u64, u64)>;

/// All that was known before.
#[derive(Debug)]
pub(super) struct Kept {
    ledger: Ledger,
    /// The instance and queue of each place; no descriptor stays open for it.
    places: Vec<Option<(usize, Queue)>>,
    spools: Vec<SpoolIdentity>,
}

impl Kept {
    /// What `ledger` knows of files in `places`, of instances in the order of `spools`.
    pub(super) fn new(ledger: Ledger, places: &Places, spools: Vec<SpoolIdentity>) -> Self {
        let mut kept = Kept {
            ledger,
            places: Vec::new(),
            spools,
        };
        for (place, row) in places.iter() {
            let place = place as usize;
            if kept.places.len() <= place {
                kept.places.resize(place + 1, None);
            }
            kept.places[place] = row.queue().map(|queue| (row.instance, queue));
        }
        kept
    }

    /// The number that the instance of that spool had.
    pub(super) fn instance(&self, spool: SpoolIdentity) -> Option<usize> {
        spool?;
        self.spools.iter().position(|one| *one == spool)
    }

    fn queue(&self, place: Place) -> Option<(usize, Queue)> {
        self.places.get(place as usize).copied().flatten()
    }

    /// What the file `name` in `queue` said, if it is the same still.
    pub(super) fn facts(
        &self,
        instance: usize,
        queue: Queue,
        name: &[u8],
        identities: Identities,
    ) -> Option<Facts> {
        let same = |id: &u32| {
            self.ledger.has_identities(*id, identities)
                && self.queue(self.ledger.entry(*id).place) == Some((instance, queue))
        };
        let id = self.ledger.named(name).into_iter().find(same)?;
        let file = self.ledger.file(id)?;
        Some(Facts::File(Box::new(file)))
    }
}

/// Whether what was read of a file that was `identities` just before, at `now` in nanoseconds of the
/// epoch, may stand for it as long as it is that.
pub(super) fn may_stand(identities: Identities, facts: &Facts, now: i64) -> bool {
    let Facts::File(file) = facts else {
        return false;
    };
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
    use crate::postfix::record::{Damage, DamageKind};
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
    fn what_was_known_of_an_unchanged_file_is_the_same_again() {
        let same = Identities {
            file: young(),
            log: young(),
        };
        let other = Identities {
            log: young(),
            ..same
        };
        let mut ledger = Ledger::default();
        let because = Some((b"4.4.1".to_vec(), b"no".to_vec()));
        let id = ledger.insert(0, b"ABC", message(because));
        ledger.set_identities(id, same);
        let unnoted = ledger.insert(0, b"DEF", message(None));
        let kept = Kept {
            ledger,
            places: vec![Some((3, Queue::Hold)), None],
            spools: vec![None, Some((1, 2))],
        };
        assert_eq!(kept.instance(Some((1, 2))), Some(1));
        assert_eq!(kept.instance(None), None);
        assert!(kept.facts(3, Queue::Hold, b"ABC", other).is_none());
        assert!(kept.facts(3, Queue::Active, b"ABC", same).is_none());
        assert!(kept.facts(0, Queue::Hold, b"ABC", same).is_none());
        assert!(kept.facts(3, Queue::Hold, b"DEF", same).is_none());
        let nothing = Identities::default();
        assert!(kept.facts(3, Queue::Hold, b"DEF", nothing).is_none());
        let facts = kept.facts(3, Queue::Hold, b"ABC", same).unwrap();

        let mut again = Ledger::default();
        let copy = again.insert(0, b"ABC", facts);
        assert_eq!(again.entry(copy), kept.ledger.entry(id));
        assert_eq!(again.born(copy), Some(9));
        assert_eq!(again.recipients(copy), 2);
        assert_ne!(again.entry(copy), kept.ledger.entry(unnoted));
    }

    #[test]
    fn what_is_not_in_order_is_read_again() {
        for change in [
            |file: &mut File| file.ready = false,
            |file: &mut File| file.envelope = None,
            |file: &mut File| file.envelope.as_mut().unwrap().torn = true,
            |file: &mut File| file.parts[0].domain = None,
            |file: &mut File| {
                file.envelope.as_mut().unwrap().damage = Some(Damage {
                    kind: DamageKind::Empty,
                    offset: 0,
                });
            },
        ] {
            let Facts::File(mut file) = message(None) else {
                unreachable!()
            };
            change(&mut file);
            let mut ledger = Ledger::default();
            let id = ledger.insert(0, b"ABC", Facts::File(file));
            assert!(ledger.file(id).is_none());
        }
    }
}
