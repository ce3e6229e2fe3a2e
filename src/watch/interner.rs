//! Texts that many messages share, each kept once and counted: names of domains and senders, delay reasons,
//! and combinations of them.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// The number of a text in its pool.
pub(super) type Id = u32;
/// A text that the full pool did not accept: it is counted without its name.
pub(super) const UNNAMED: Id = Id::MAX;
/// No text.
pub(super) const NONE: Id = Id::MAX - 1;

/// The largest number of texts in a pool.
const MAX_TEXTS: usize = 1 << 21;
/// The largest number of bytes of texts in a pool.
const MAX_BYTES: usize = 256 << 20;

/// Texts by number. The hash is keyed at random, because strangers choose the texts.
#[derive(Debug, Default)]
pub(super) struct Interner {
    numbers: HashTable<Id>,
    hasher: RandomState,
    texts: Vec<(Box<[u8]>, u32)>,
    free: Vec<Id>,
    bytes: usize,
}

impl Interner {
    /// Adds a reference to `text`. Returns its number, and true if it is new.
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

    /// Drops a reference to a text. Returns the text if that was the last one.
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

    /// Returns the text of `id`; empty if it has no name.
    pub(super) fn text(&self, id: Id) -> &[u8] {
        self.texts.get(id as usize).map_or(b"", |(text, _)| text)
    }

    /// Returns the number of texts.
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
