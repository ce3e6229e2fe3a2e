//! Texts that many messages share, each held once and counted: names of domains and senders, delay
//! reasons, and what is made of them.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// The number of a text in its pool.
pub(super) type Id = u32;
/// The text that is in no pool, for it was full: counted, but without its name.
pub(super) const UNNAMED: Id = Id::MAX;
/// Nothing at all.
pub(super) const NONE: Id = Id::MAX - 1;

/// Texts that one pool holds.
const MAX_TEXTS: usize = 1 << 21;
/// Bytes of texts that one pool holds.
const MAX_BYTES: usize = 256 << 20;

/// Texts by number; hashing is keyed at random, for strangers choose them.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: HashTable<Id>,
    hasher: RandomState,
    texts: Vec<(Box<[u8]>, u32)>,
    free: Vec<Id>,
    bytes: usize,
}

impl Interner {
    /// The number of `text`, which is held once more; and whether it is new.
    pub(super) fn hold(&mut self, text: &[u8]) -> (Id, bool) {
        let hash = self.hasher.hash_one(text);
        let texts = &mut self.texts;
        let found = self
            .numbers
            .find(hash, |id| *texts[*id as usize].0 == *text);
        if let Some(id) = found {
            texts[*id as usize].1 += 1;
            return (*id, false);
        }
        let full = texts.len() - self.free.len() >= MAX_TEXTS;
        if full || self.bytes + text.len() > MAX_BYTES {
            return (UNNAMED, false);
        }
        self.bytes += text.len();
        let row = (Box::from(text), 1);
        let id = if let Some(id) = self.free.pop() {
            texts[id as usize] = row;
            id
        } else {
            texts.push(row);
            (texts.len() - 1) as Id
        };
        let hasher = &self.hasher;
        self.numbers
            .insert_unique(hash, id, |id| hasher.hash_one(&*texts[*id as usize].0));
        (id, true)
    }

    /// Lets go of a text; gives it back if nobody else holds it.
    pub(super) fn release(&mut self, id: Id) -> Option<Box<[u8]>> {
        let row = self.texts.get_mut(id as usize)?;
        row.1 = row.1.saturating_sub(1);
        if row.1 > 0 {
            return None;
        }
        let text = std::mem::take(&mut row.0);
        let hash = self.hasher.hash_one(&*text);
        if let Ok(found) = self.numbers.find_entry(hash, |other| *other == id) {
            found.remove();
        }
        self.bytes -= text.len();
        self.free.push(id);
        Some(text)
    }

    /// The text of `id`; empty for what has no name.
    pub(super) fn text(&self, id: Id) -> &[u8] {
        self.texts.get(id as usize).map_or(b"", |(text, _)| text)
    }

    /// How many texts.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.texts.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_held_once_and_forgotten_with_its_last_holder() {
        let mut pool = Interner::default();
        let (a, new) = pool.hold(b"a.example");
        assert!(new);
        assert_eq!(pool.hold(b"a.example"), (a, false));
        let (b, _) = pool.hold(b"b.example");
        assert_ne!(a, b);
        assert_eq!(pool.text(a), b"a.example");
        assert_eq!(pool.release(a), None);
        assert_eq!(pool.release(a).as_deref(), Some(&b"a.example"[..]));
        assert_eq!(pool.len(), 1);
        assert_eq!(pool.hold(b"c.example").0, a, "its number is used again");
        assert_eq!(pool.text(UNNAMED), b"");
        assert_eq!(pool.release(NONE), None);
    }
}
