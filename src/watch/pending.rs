//! Pending changes: the files that events were about, until somebody looks at them.
//!
//! Events of one file are put together, for a look at it finds all of them. Nothing is read here.

use std::collections::{HashMap, VecDeque};

use super::ledger::DirectoryId;

/// Renames of which only the first half has come.
const MAX_HALVES: usize = 32;

/// A file: its directory and its name.
pub(super) type Key = (DirectoryId, Box<[u8]>);

/// Files, and how each is to be looked at.
pub(super) type Changes = Vec<(Key, Look)>;

/// How a file is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// It was renamed to another name or directory, which may be one that is not watched.
    Away,
    /// It has gone.
    Gone,
    /// Its mode or times may have changed.
    Inode,
    /// Anything may have.
    Whole,
}

impl Look {
    /// The look that finds what two events said, of which `later` came after this one.
    fn and(self, later: Look) -> Look {
        match (self, later) {
            (_, Look::Gone | Look::Away) => later,
            (Look::Inode, Look::Inode) => Look::Inode,
            _ => Look::Whole,
        }
    }
}

/// The first half of a rename.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MovedFrom {
    cookie: u32,
    /// The old name.
    pub(super) key: Key,
    /// Whether the entry of that name says what the file is, so that it can be carried along.
    pub(super) is_known: bool,
}

/// Changes that nobody has looked at yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    looks: HashMap<Key, Look>,
    /// The keys in the order in which they came; one that is not in `looks` any more needs no look.
    order: Vec<Key>,
    halves: VecDeque<MovedFrom>,
}

impl Pending {
    /// An event says that a file must be looked at.
    pub(super) fn add(&mut self, key: Key, look: Look) {
        if let Some(pending) = self.looks.get_mut(&key) {
            *pending = pending.and(look);
            return;
        }
        self.order.push(key.clone());
        self.looks.insert(key, look);
    }

    /// Whether a file waits for a look.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.looks.contains_key(key)
    }

    /// A file needs no look any more.
    pub(super) fn remove(&mut self, key: &Key) {
        self.looks.remove(key);
    }

    /// The first half of a rename came; the oldest one whose second half never came is dropped.
    pub(super) fn moved_from(&mut self, cookie: u32, key: Key, is_known: bool) {
        if self.halves.len() >= MAX_HALVES {
            self.halves.pop_front();
        }
        self.halves.push_back(MovedFrom {
            cookie,
            key,
            is_known,
        });
    }

    /// The second half of a rename came; returns the first, unless the file came from elsewhere.
    pub(super) fn moved_to(&mut self, cookie: u32) -> Option<MovedFrom> {
        let index = self.halves.iter().position(|half| half.cookie == cookie)?;
        self.halves.remove(index)
    }

    /// Forgets all files in `directories`.
    pub(super) fn forget(&mut self, directories: &[DirectoryId]) {
        let stays = |key: &Key| !directories.contains(&key.0);
        self.order.retain(stays);
        self.looks.retain(|key, _| stays(key));
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Pending::default();
    }

    /// Takes all files that wait, in their order: first those that have gone, then those that may be there.
    /// So what was renamed is known when its new name is looked at.
    pub(super) fn take(&mut self) -> (Changes, Changes) {
        let order = std::mem::take(&mut self.order);
        let mut looks = std::mem::take(&mut self.looks);
        let (mut gone, mut there) = (Vec::new(), Vec::with_capacity(order.len()));
        for key in order {
            match looks.remove(&key) {
                Some(look @ (Look::Gone | Look::Away)) => gone.push((key, look)),
                Some(look) => there.push((key, look)),
                None => {}
            }
        }
        (gone, there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(directory: DirectoryId, name: &str) -> Key {
        (directory, name.as_bytes().into())
    }

    #[test]
    fn events_of_one_file_become_one_look() {
        for (looks, found) in [
            (&[Look::Inode, Look::Inode][..], Look::Inode),
            (&[Look::Inode, Look::Whole], Look::Whole),
            (&[Look::Whole, Look::Inode], Look::Whole),
            (&[Look::Gone, Look::Inode], Look::Whole),
            (&[Look::Whole, Look::Gone], Look::Gone),
            (&[Look::Gone, Look::Away], Look::Away),
        ] {
            let mut pending = Pending::default();
            for look in looks {
                pending.add(key(1, "A"), *look);
            }
            let (gone, there) = pending.take();
            let all: Vec<(Key, Look)> = gone.into_iter().chain(there).collect();
            assert_eq!(all, [(key(1, "A"), found)], "{looks:?}");
        }
    }

    #[test]
    fn what_has_gone_comes_first_and_all_else_in_its_order() {
        let mut pending = Pending::default();
        pending.add(key(1, "A"), Look::Whole);
        pending.add(key(1, "B"), Look::Gone);
        pending.add(key(2, "C"), Look::Inode);
        pending.add(key(3, "D"), Look::Whole);
        pending.remove(&key(1, "A"));
        assert!(!pending.contains(&key(1, "A")));
        pending.add(key(1, "A"), Look::Whole);
        pending.forget(&[3]);
        let (gone, there) = pending.take();
        assert_eq!(gone, [(key(1, "B"), Look::Gone)]);
        assert_eq!(
            there,
            [(key(1, "A"), Look::Whole), (key(2, "C"), Look::Inode)]
        );
        assert_eq!(pending.take(), (Vec::new(), Vec::new()));
    }

    #[test]
    fn halves_of_a_rename_find_each_other_once() {
        let mut pending = Pending::default();
        for cookie in 0..=MAX_HALVES as u32 {
            pending.moved_from(cookie, key(cookie, "A"), cookie % 2 == 0);
        }
        assert_eq!(pending.moved_to(0), None, "the oldest was dropped");
        let half = pending.moved_to(7).unwrap();
        assert_eq!((half.key, half.is_known), (key(7, "A"), false));
        assert_eq!(pending.moved_to(7), None);
    }
}
