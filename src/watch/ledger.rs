//! The ledger: what each queue file added to the sums, so that it can be subtracted again.
//!
//! An entry is small (see [`Entry`]). What messages share is in pools, each item once: names, combinations of
//! domain, code and reason, and lists of those. Rare properties (damage, gaps, long names, a creation time)
//! are in separate maps.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::interner::{Id, Interner, NONE, UNNAMED};
use super::observer::{Facts, File, Part};
use crate::postfix::record::Damage;
use crate::scan::{Gap, Identities, OwnerFault};
use crate::snapshot::contribution::{EnvelopeFacts, FileFacts};
use crate::sys::Inode;

/// The number of a watched directory.
pub(super) type DirectoryId = u32;
/// The number of an entry.
pub(super) type EntryId = u32;

/// How many bytes of a queue ID an entry holds itself. Postfix makes no longer ones today.
const SHORT_NAME: usize = 19;
/// The number of entries in a block. Memory grows by blocks, and an entry never moves.
const BLOCK: usize = 4096;

/// The file is a message. Without this flag it is not ready, or one of the two below.
const READY: u16 = 1;
/// The file could not be read.
const UNREADABLE: u16 = 2;
/// The file is in a directory where Postfix does not look.
const STRAY: u16 = 4;
/// The envelope was read.
const ENVELOPE: u16 = 8;
/// The message has an arrival time.
const DATED: u16 = 16;
/// The file is damaged.
const DAMAGED: u16 = 32;
/// There may be more recipients.
const TORN: u16 = 64;
/// The sender is the null sender.
const NULL_SENDER: u16 = 128;
/// The log of delay reasons could not be read.
const LOG_UNREAD: u16 = 256;
/// The creation time differs from the arrival time.
const REMADE: u16 = 512;
/// The number of recipients does not follow from the list.
const COUNTED: u16 = 1024;
/// Postfix looks for the file in another directory.
const MISPLACED: u16 = 2048;
/// The owner of the file stops Postfix.
const MISOWNED: u16 = 4096;
/// The message is left out of all sums of messages.
const LEFT_OUT: u16 = 8192;

/// What is kept of one queue file: 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The size that mailq prints.
    pub(super) size: u64,
    /// The arrival time, if [`Entry::arrival`] gives it.
    arrival: i64,
    sender: Id,
    /// Its login or client.
    origin: Id,
    /// The list of its recipients' destinations and reasons.
    list: Id,
    pub(super) directory_id: DirectoryId,
    /// The modification time: for a deferred file the next retry. Times beyond 32 bits are clamped.
    pub(super) mtime: u32,
    /// The time of the last change of the inode, clamped as well: of a deferred file the last try.
    pub(super) changed: u32,
    flags: u16,
    pub(super) mode: u16,
    name: [u8; SHORT_NAME],
    name_length: u8,
}

/// As `name_length`: the name is in a separate map.
const LONG: u8 = u8::MAX;

impl Entry {
    fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_message(&self) -> bool {
        self.is(READY)
    }

    pub(super) fn is_left_out(&self) -> bool {
        self.is(LEFT_OUT)
    }

    /// Whether it is a message that is not left out.
    pub(super) fn counts(&self) -> bool {
        self.is_message() && !self.is_left_out()
    }

    pub(super) fn is_unreadable(&self) -> bool {
        self.is(UNREADABLE)
    }

    pub(super) fn is_misplaced(&self) -> bool {
        self.is(MISPLACED)
    }

    pub(super) fn is_misowned(&self) -> bool {
        self.is(MISOWNED)
    }

    pub(super) fn is_stray(&self) -> bool {
        self.is(STRAY)
    }

    pub(super) fn has_envelope(&self) -> bool {
        self.is(ENVELOPE)
    }

    pub(super) fn is_from_null_sender(&self) -> bool {
        self.is(NULL_SENDER)
    }

    pub(super) fn arrival(&self) -> Option<i64> {
        self.is(DATED).then_some(self.arrival)
    }
}

/// The sender of a message.
pub(super) enum Sender<'l> {
    /// There is none, or senders are not counted.
    None,
    /// A sender whose name is not kept.
    Unnamed,
    Named(&'l [u8]),
}

/// One destination of a message: domain, code and key of the table of reasons, and the number of recipients.
pub(super) struct Destination<'l> {
    /// `None`: the name is not kept.
    pub(super) domain: Option<&'l [u8]>,
    /// `None`: no delay reason on record.
    pub(super) why: Option<(&'l [u8], &'l [u8])>,
    pub(super) recipients: u64,
}

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
    names: Interner,
    /// Domain, code and reason, each an [`Id`].
    causes: Interner,
    /// Causes and numbers of recipients, each 32 bits.
    lists: Interner,
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
        let entry = self.entry(id);
        match entry.name_length {
            LONG => self.long_names.get(&id).map_or(b"", |name| name),
            length => &entry.name[..usize::from(length)],
        }
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
        pairs(self.lists.text(entry.list))
            .map(|(_, recipients)| u64::from(recipients))
            .sum()
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
        match self.entry(id).origin {
            NONE => Sender::None,
            UNNAMED => Sender::Unnamed,
            origin => Sender::Named(self.names.text(origin)),
        }
    }

    /// Returns the sender as the table of senders spells it.
    pub(super) fn sender(&self, id: EntryId) -> Sender<'_> {
        match self.entry(id).sender {
            NONE => Sender::None,
            UNNAMED => Sender::Unnamed,
            sender => Sender::Named(self.names.text(sender)),
        }
    }

    /// Reports each destination of the message.
    pub(super) fn destinations(&self, id: EntryId, mut each: impl FnMut(Destination<'_>)) {
        let list = self.entry(id).list;
        if list == UNNAMED {
            each(Destination {
                domain: None,
                why: None,
                recipients: self.recipients(id),
            });
        }
        for (cause, recipients) in pairs(self.lists.text(list)) {
            let mut ids = self.causes.text(cause).chunks_exact(4).map(number);
            let mut next = || ids.next().unwrap_or(UNNAMED);
            let (domain, code, reason) = (next(), next(), next());
            let named = |id: Id| self.names.text(id);
            each(Destination {
                domain: (domain != UNNAMED).then(|| named(domain)),
                why: (code != NONE && code != UNNAMED).then(|| (named(code), named(reason))),
                recipients: u64::from(recipients),
            });
        }
    }

    /// Makes an entry for `name` in `directory_id`. There must be none yet.
    pub(super) fn insert(
        &mut self,
        directory_id: DirectoryId,
        name: &[u8],
        facts: Facts,
    ) -> EntryId {
        let mut entry = Entry {
            size: 0,
            arrival: 0,
            sender: NONE,
            origin: NONE,
            list: NONE,
            directory_id,
            mtime: 0,
            changed: 0,
            flags: 0,
            mode: 0,
            name: [0; SHORT_NAME],
            name_length: LONG,
        };
        if let Some(own) = entry.name.get_mut(..name.len()) {
            own.copy_from_slice(name);
            entry.name_length = name.len() as u8;
        }
        let is_long = entry.name_length == LONG;
        let id = self.add(entry);
        if is_long {
            self.long_names.insert(id, name.into());
        }
        let hash = self.hasher.hash_one(name);
        let (hasher, blocks, long_names) = (&self.hasher, &self.blocks, &self.long_names);
        self.by_name.insert_unique(hash, id, |id| {
            let entry = &blocks[*id as usize / BLOCK][*id as usize % BLOCK];
            hasher.hash_one(match entry.name_length {
                LONG => long_names.get(id).map_or(&b""[..], |name| name),
                length => &entry.name[..usize::from(length)],
            })
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
            inode: Inode {
                number: 0,
                mode: 0,
                owner: 0,
                group: 0,
                regular: true,
                size: 0,
                mtime: 0,
                changed: 0,
            },
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
        let sender = file
            .sender
            .as_ref()
            .map_or(NONE, |sender| self.names.hold(sender).0);
        let origin = file
            .origin
            .as_ref()
            .map_or(NONE, |origin| self.names.hold(origin).0);
        let list = self.hold_list(&file.parts);
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
        entry.mode = file.inode.mode as u16;
        entry.mtime = seconds(file.inode.mtime);
        entry.changed = seconds(file.inode.changed);
    }

    fn hold_list(&mut self, parts: &[Part]) -> Id {
        if parts.is_empty() {
            return NONE;
        }
        let mut list = Vec::with_capacity(parts.len() * 8);
        for part in parts {
            let named = |names: &mut Interner, text: &[u8]| names.hold(text).0;
            let domain = part
                .domain
                .as_ref()
                .map_or(UNNAMED, |domain| named(&mut self.names, domain));
            let (code, reason) = part.why.as_ref().map_or((NONE, NONE), |(code, reason)| {
                (named(&mut self.names, code), named(&mut self.names, reason))
            });
            let cause: Vec<u8> = [domain, code, reason]
                .iter()
                .flat_map(|id| id.to_le_bytes())
                .collect();
            let (cause, new) = self.causes.hold(&cause);
            if !new {
                // The cause now holds its own reference to each name.
                for id in [domain, code, reason] {
                    self.names.release(id);
                }
            }
            list.extend(cause.to_le_bytes());
            list.extend(part.recipients.to_le_bytes());
        }
        let (id, new) = self.lists.hold(&list);
        if !new {
            self.release_causes(&list);
        }
        id
    }

    fn release_causes(&mut self, list: &[u8]) {
        for (cause, _) in pairs(list) {
            if let Some(ids) = self.causes.release(cause) {
                for id in ids.chunks_exact(4).map(number) {
                    self.names.release(id);
                }
            }
        }
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
        self.names.release(sender);
        self.names.release(origin);
        if let Some(list) = self.lists.release(list) {
            self.release_causes(&list);
        }
        if self.entry(id).name_length == LONG {
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
        let entry = self.entry_mut(id);
        entry.mode = inode.mode as u16;
        entry.mtime = seconds(inode.mtime);
        entry.changed = seconds(inode.changed);
    }

    /// Returns the number of texts in the pools. Tests check that none leaks.
    #[cfg(test)]
    pub(super) fn texts(&self) -> usize {
        self.names.len() + self.causes.len() + self.lists.len()
    }
}

fn seconds(mtime: i64) -> u32 {
    u32::try_from(mtime.max(0)).unwrap_or(u32::MAX)
}

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(UNNAMED, u32::from_le_bytes)
}

fn pairs(list: &[u8]) -> impl Iterator<Item = (Id, u32)> + '_ {
    list.chunks_exact(8)
        .map(|pair| (number(&pair[..4]), number(&pair[4..])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postfix::envelope::Envelope;

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
    fn an_entry_is_small() {
        assert_eq!(std::mem::size_of::<Entry>(), 64);
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
