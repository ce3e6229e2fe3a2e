//! The ledger: what each queue file added to the sums, so that it can be subtracted again.
//!
//! An entry is small (see [`super::entry`]). What messages share is in [`super::texts`]. Rare properties (damage,
//! gaps, long names, a creation time) are in separate maps.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::entry::{
    COUNTED, DAMAGED, DATED, ENVELOPE, Entry, LEFT_OUT, LOG_UNREAD, MISOWNED, MISPLACED,
    NULL_SENDER, READY, REMADE, SENDERLESS, STRAY, TORN, UNREADABLE,
};
use super::interner::UNNAMED;
use super::observer::{Facts, File};
use super::texts::{Destination, Sender, SharedTexts};
use crate::postfix::damage::Damage;
use crate::scan::{Gap, Identities, OwnerFault};
use crate::snapshot::contribution::{EnvelopeFacts, FileFacts};
use crate::sys::Inode;

/// The number of a watched directory.
pub(super) type DirectoryId = u32;
/// The number of an entry.
pub(super) type EntryId = u32;

/// The number of entries in a block. Memory grows by blocks, and an entry never moves.
const BLOCK: usize = 4096;

/// All entries; see the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    blocks: Vec<Vec<Entry>>,
    free: Vec<EntryId>,
    /// By name alone, so that the message of a log is found in any queue.
    by_name: HashTable<EntryId>,
    hasher: RandomState,
    long_names: HashMap<EntryId, Box<[u8]>>,
    recipients: HashMap<EntryId, u64>,
    created: HashMap<EntryId, i64>,
    pub(super) gaps: HashMap<EntryId, Gap>,
    pub(super) log_gaps: HashMap<EntryId, Gap>,
    pub(super) damage: HashMap<EntryId, Damage>,
    pub(super) faults: HashMap<EntryId, OwnerFault>,
    /// Messages where Postfix does not look for them.
    pub(super) misplaced: HashSet<EntryId>,
    texts: SharedTexts,
    /// The identities of the files when they were read, by entry, if rescans need them.
    noted: Vec<Noted>,
}

/// The identities of a file just before it was read, and the time since which it had them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) identities: Identities,
    /// In tenths of a second of the watch's clock.
    pub(super) since: u32,
    /// True if it was read when no change could leave the identities the same any more.
    pub(super) proven: bool,
}

impl Ledger {
    /// Returns the entry of `id`.
    pub(super) fn entry(&self, id: EntryId) -> &Entry {
        &self.blocks[id as usize / BLOCK][id as usize % BLOCK]
    }

    fn entry_mut(&mut self, id: EntryId) -> &mut Entry {
        &mut self.blocks[id as usize / BLOCK][id as usize % BLOCK]
    }

    /// Returns the number of entries.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Returns the name of an entry.
    pub(super) fn name(&self, id: EntryId) -> &[u8] {
        let long = || self.long_names.get(&id).map_or(&b""[..], |name| name);
        self.entry(id).name().unwrap_or_else(long)
    }

    /// Returns the entry of `name` in `directory_id`.
    pub(super) fn find(&self, directory_id: DirectoryId, name: &[u8]) -> Option<EntryId> {
        let hash = self.hasher.hash_one(name);
        self.by_name
            .find(hash, |id| {
                self.entry(*id).directory_id == directory_id && self.name(*id) == name
            })
            .copied()
    }

    /// Returns the entries of that name in all directories.
    pub(super) fn named(&self, name: &[u8]) -> Vec<EntryId> {
        let hash = self.hasher.hash_one(name);
        self.by_name
            .iter_hash(hash)
            .copied()
            .filter(|id| self.name(*id) == name)
            .collect()
    }

    /// Returns all entries.
    pub(super) fn ids(&self) -> impl Iterator<Item = EntryId> + '_ {
        self.by_name.iter().copied()
    }

    /// Returns the number of recipients still to be delivered.
    pub(super) fn recipients(&self, id: EntryId) -> u64 {
        let entry = self.entry(id);
        if entry.is(COUNTED) {
            return self.recipients.get(&id).copied().unwrap_or(0);
        }
        self.texts.recipients(entry.list)
    }

    /// Returns the facts that the sums of a queue need.
    pub(super) fn facts(&self, id: EntryId) -> FileFacts {
        let entry = self.entry(id);
        let mode = u32::from(entry.mode);
        if entry.is(STRAY) {
            return FileFacts::Stray;
        }
        if entry.is(UNREADABLE) {
            return FileFacts::Unreadable;
        }
        if !entry.is(READY) {
            return FileFacts::NotReady { mode };
        }
        let envelope = entry.is(ENVELOPE).then(|| EnvelopeFacts {
            recipients: self.recipients(id),
            size: entry.size,
            arrival: entry.arrival(),
            damaged: entry.is(DAMAGED),
            torn: entry.is(TORN),
            senderless: entry.is(SENDERLESS),
            left_out: entry.is(LEFT_OUT),
        });
        FileFacts::Message {
            mode,
            mtime: i64::from(entry.mtime),
            unread_log: entry.is(LOG_UNREAD),
            misplaced: entry.is(MISPLACED),
            misowned: entry.is(MISOWNED),
            envelope,
        }
    }

    /// Returns the creation time of the file, which decides its expiry, if it is known.
    pub(super) fn born(&self, id: EntryId) -> Option<i64> {
        let entry = self.entry(id);
        match entry.is(REMADE) {
            true => self.created.get(&id).copied(),
            false => entry.arrival(),
        }
    }

    /// Returns the login or client as the table of origins spells it.
    pub(super) fn origin(&self, id: EntryId) -> Sender<'_> {
        self.texts.name(self.entry(id).origin)
    }

    /// Returns the sender as the table of senders spells it.
    pub(super) fn sender(&self, id: EntryId) -> Sender<'_> {
        self.texts.name(self.entry(id).sender)
    }

    /// Reports each destination of the message.
    pub(super) fn destinations(&self, id: EntryId, mut each: impl FnMut(Destination<'_>)) {
        match self.entry(id).list {
            UNNAMED => each(Destination {
                domain: None,
                why: None,
                recipients: self.recipients(id),
            }),
            list => self.texts.destinations(list, each),
        }
    }

    /// Makes an entry for `name` in `directory_id`. There must be none yet.
    pub(super) fn insert(
        &mut self,
        directory_id: DirectoryId,
        name: &[u8],
        facts: Facts,
    ) -> EntryId {
        let entry = Entry::new(directory_id, name);
        let is_long = entry.name().is_none();
        let id = self.add(entry);
        if is_long {
            self.long_names.insert(id, name.into());
        }
        let hash = self.hasher.hash_one(name);
        let (hasher, blocks, long_names) = (&self.hasher, &self.blocks, &self.long_names);
        self.by_name.insert_unique(hash, id, |id| {
            let entry: &Entry = &blocks[*id as usize / BLOCK][*id as usize % BLOCK];
            let long = || long_names.get(id).map_or(&b""[..], |name| name);
            hasher.hash_one(entry.name().unwrap_or_else(long))
        });
        match facts {
            Facts::Gap(gap) => {
                self.entry_mut(id).flags = UNREADABLE;
                self.gaps.insert(id, gap);
            }
            Facts::File(file) => self.fill(id, *file),
        }
        id
    }

    /// Makes an entry for a file in a directory where Postfix does not look.
    pub(super) fn insert_stray(&mut self, directory_id: DirectoryId, name: &[u8]) -> EntryId {
        let nothing = File {
            inode: Inode::NONE,
            ready: false,
            envelope: None,
            size: 0,
            sender: None,
            origin: None,
            parts: Vec::new(),
            misplaced: false,
            fault: None,
            log_gap: None,
            left_out: false,
        };
        let id = self.insert(directory_id, name, Facts::File(Box::new(nothing)));
        self.entry_mut(id).flags = STRAY;
        id
    }

    fn add(&mut self, entry: Entry) -> EntryId {
        if let Some(id) = self.free.pop() {
            *self.entry_mut(id) = entry;
            return id;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let block = self.blocks.len() - 1;
        let last = &mut self.blocks[block];
        last.push(entry);
        (block * BLOCK + last.len() - 1) as EntryId
    }

    fn fill(&mut self, id: EntryId, file: File) {
        let sender = self.texts.hold_name(file.sender.as_deref());
        let origin = self.texts.hold_name(file.origin.as_deref());
        let list = self.texts.hold_list(&file.parts);
        let mut flags = if file.ready { READY } else { 0 };
        let mut arrival = 0;
        if let Some(envelope) = file.envelope {
            flags |= ENVELOPE;
            if let Some(at) = envelope.arrival {
                flags |= DATED;
                arrival = at;
            }
            if envelope.torn {
                flags |= TORN;
                if !envelope.has_sender {
                    flags |= SENDERLESS;
                }
            }
            if file.left_out {
                flags |= LEFT_OUT;
            }
            if envelope.null_sender {
                flags |= NULL_SENDER;
            }
            if let Some(damage) = envelope.damage {
                flags |= DAMAGED;
                self.damage.insert(id, damage);
            }
            if let Some(created) = envelope.created.filter(|at| Some(*at) != envelope.arrival) {
                flags |= REMADE;
                self.created.insert(id, created);
            }
            let listed: u64 = file
                .parts
                .iter()
                .map(|part| u64::from(part.recipients))
                .sum();
            if envelope.recipients != listed || list == UNNAMED {
                flags |= COUNTED;
                self.recipients.insert(id, envelope.recipients);
            }
        }
        if file.ready && file.misplaced {
            flags |= MISPLACED;
            self.misplaced.insert(id);
        }
        if let Some(fault) = file.fault.filter(|_| file.ready) {
            flags |= MISOWNED;
            self.faults.insert(id, fault);
        }
        if let Some(gap) = file.log_gap {
            flags |= LOG_UNREAD;
            self.log_gaps.insert(id, gap);
        }
        let entry = self.entry_mut(id);
        entry.sender = sender;
        entry.origin = origin;
        entry.list = list;
        entry.size = file.size;
        entry.arrival = arrival;
        entry.flags = flags;
        entry.set_inode(&file.inode);
    }

    /// Stores the identities of a file just before it was read.
    pub(super) fn note(&mut self, id: EntryId, noted: Noted) {
        let directory_id = id as usize;
        if self.noted.len() <= directory_id {
            self.noted.resize(directory_id + 1, Noted::default());
        }
        self.noted[directory_id] = noted;
    }

    /// Returns the note on the file, if its identities are the same.
    pub(super) fn noted(&self, id: EntryId, identities: Identities) -> Option<Noted> {
        let noted = self.noted.get(id as usize)?;
        let same = noted.identities == identities && identities != Identities::default();
        same.then_some(*noted)
    }

    /// Frees the memory of the notes.
    pub(super) fn forget_notes(&mut self) {
        self.noted = Vec::new();
    }

    /// Removes an entry. Its number may be reused.
    pub(super) fn remove(&mut self, id: EntryId) {
        if let Some(noted) = self.noted.get_mut(id as usize) {
            *noted = Noted::default();
        }
        let hash = self.hasher.hash_one(self.name(id));
        if let Ok(found) = self.by_name.find_entry(hash, |other| *other == id) {
            found.remove();
        }
        let (sender, origin, list, flags) = {
            let entry = self.entry(id);
            (entry.sender, entry.origin, entry.list, entry.flags)
        };
        self.texts.release_name(sender);
        self.texts.release_name(origin);
        self.texts.release_list(list);
        if self.entry(id).name().is_none() {
            self.long_names.remove(&id);
        }
        if flags & COUNTED != 0 {
            self.recipients.remove(&id);
        }
        if flags & REMADE != 0 {
            self.created.remove(&id);
        }
        if flags & UNREADABLE != 0 {
            self.gaps.remove(&id);
        }
        if flags & LOG_UNREAD != 0 {
            self.log_gaps.remove(&id);
        }
        if flags & MISOWNED != 0 {
            self.faults.remove(&id);
        }
        if flags & MISPLACED != 0 {
            self.misplaced.remove(&id);
        }
        if flags & DAMAGED != 0 {
            self.damage.remove(&id);
        }
        self.free.push(id);
    }

    /// Moves an entry to another directory.
    pub(super) fn set_place(&mut self, id: EntryId, directory_id: DirectoryId) {
        self.entry_mut(id).directory_id = directory_id;
    }

    /// Updates an entry from its inode.
    pub(super) fn set_inode(&mut self, id: EntryId, inode: Inode) {
        self.entry_mut(id).set_inode(&inode);
    }

    /// Returns the number of texts in the pools. Tests check that none leaks.
    #[cfg(test)]
    pub(super) fn texts(&self) -> usize {
        self.texts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postfix::envelope::Envelope;
    use crate::watch::observer::Part;

    fn file(arrival: i64, recipients: &[(&str, u32)]) -> Facts {
        let parts = recipients
            .iter()
            .map(|(domain, recipients)| Part {
                domain: Some(domain.as_bytes().to_vec()),
                why: Some((b"4.4.1".to_vec(), b"refused".to_vec())),
                recipients: *recipients,
            })
            .collect();
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
                arrival: Some(arrival),
                recipients: recipients.iter().map(|(_, count)| u64::from(*count)).sum(),
                ..Envelope::default()
            }),
            size: 10,
            sender: Some(b"a@b".to_vec()),
            origin: Some(b"anna\0".to_vec()),
            parts,
            misplaced: false,
            fault: None,
            log_gap: None,
            left_out: false,
        }))
    }

    #[test]
    fn what_goes_leaves_nothing_behind() {
        let mut ledger = Ledger::default();
        let long = [b'L'; 200];
        let mut ids = Vec::new();
        for (directory_id, name) in [(0, &b"A1"[..]), (1, b"A1"), (0, b"B2"), (0, &long)] {
            let facts = file(7, &[("x.example", 2), ("y.example", 1)]);
            ids.push(ledger.insert(directory_id, name, facts));
        }
        assert_eq!(ledger.len(), 4);
        assert_eq!(ledger.find(0, &long), Some(ids[3]));
        assert_eq!(ledger.find(1, b"B2"), None);
        assert_eq!(ledger.named(b"A1").len(), 2);
        assert_eq!(ledger.recipients(ids[0]), 3);
        let mut reported = Vec::new();
        ledger.destinations(ids[0], |one| {
            reported.push((
                one.domain.unwrap().to_vec(),
                one.recipients,
                one.why.is_some(),
            ));
        });
        assert_eq!(
            reported,
            [
                (b"x.example".to_vec(), 2, true),
                (b"y.example".to_vec(), 1, true)
            ]
        );
        // Two domains, a code, a reason, a sender, an origin; two causes; one list.
        assert_eq!(ledger.texts(), 6 + 2 + 1);
        ledger.set_place(ids[1], 5);
        assert_eq!(ledger.find(5, b"A1"), Some(ids[1]));
        for id in ids {
            ledger.remove(id);
        }
        assert_eq!((ledger.len(), ledger.texts()), (0, 0));
        assert!(ledger.long_names.is_empty() && ledger.recipients.is_empty());
    }

    #[test]
    fn many_come_and_go() {
        let mut ledger = Ledger::default();
        for rescan in 0..3 {
            for number in 0..10_000_u32 {
                let facts = file(i64::from(number), &[("x.example", 1)]);
                ledger.insert(rescan, number.to_string().as_bytes(), facts);
            }
            for number in 0..10_000_u32 {
                let id = ledger.find(rescan, number.to_string().as_bytes()).unwrap();
                assert_eq!(ledger.born(id), Some(i64::from(number)));
                ledger.remove(id);
            }
        }
        assert_eq!(ledger.blocks.len(), 10_000 / BLOCK + 1);
    }
}
