//! Pending changes: the files that had events and have not been checked yet.
//!
//! Several events of one file become one check, which finds all changes. Nothing is read here.

use std::collections::{HashMap, VecDeque};

use super::ledger::DirectoryId;

/// How many renames may wait for their second half.
const MAX_HALVES: usize = 32;

/// A file: its directory and its name.
pub(super) type Key = (DirectoryId, Box<[u8]>);

/// Files, and how each is to be checked.
pub(super) type Changes = Vec<(Key, Recheck)>;

/// How a file is to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recheck {
    /// It was renamed to another name or directory, which may be outside the watched ones.
    Away,
    /// It has gone.
    Gone,
    /// Its mode or times may have changed.
    Inode,
    /// Anything may have changed.
    Whole,
}

impl Recheck {
    /// Combines the checks of two events; `later` came after this one.
    fn and(self, later: Recheck) -> Recheck {
        match (self, later) {
            (_, Recheck::Gone | Recheck::Away) => later,
            (Recheck::Inode, Recheck::Inode) => Recheck::Inode,
            _ => Recheck::Whole,
        }
    }
}

/// The first half of a rename.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MovedFrom {
    cookie: u32,
    /// The old name.
    pub(super) key: Key,
    /// True if the entry of that name describes the file, so that it can move along.
    pub(super) is_known: bool,
}

/// Changes that have not been processed yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    checks: HashMap<Key, Recheck>,
    /// The keys in the order of their events. A key that is no longer in `looks` needs no check.
    order: Vec<Key>,
    halves: VecDeque<MovedFrom>,
}

impl Pending {
    /// Adds a file that an event was about.
    pub(super) fn add(&mut self, key: Key, check: Recheck) {
        if let Some(pending) = self.checks.get_mut(&key) {
            *pending = pending.and(check);
            return;
        }
        self.order.push(key.clone());
        self.checks.insert(key, check);
    }

    /// Returns true if a file waits for its check.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.checks.contains_key(key)
    }

    /// Removes a file that needs no check any more.
    pub(super) fn remove(&mut self, key: &Key) {
        self.checks.remove(key);
    }

    /// Stores the first half of a rename. The oldest half without a second one is dropped.
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

    /// Takes the second half of a rename. Returns the first, unless the file came from elsewhere.
    pub(super) fn moved_to(&mut self, cookie: u32) -> Option<MovedFrom> {
        let index = self.halves.iter().position(|half| half.cookie == cookie)?;
        self.halves.remove(index)
    }

    /// Removes all files in `directories`.
    pub(super) fn forget(&mut self, directories: &[DirectoryId]) {
        let stays = |key: &Key| !directories.contains(&key.0);
        self.order.retain(stays);
        self.checks.retain(|key, _| stays(key));
    }

    /// Removes everything.
    pub(super) fn clear(&mut self) {
        *self = Pending::default();
    }

    /// Takes all files that wait, in their order: first those that have gone, then those that may exist. So the
    /// source of a rename is known when its new name is checked.
    pub(super) fn take(&mut self) -> (Changes, Changes) {
        let order = std::mem::take(&mut self.order);
        let mut looks = std::mem::take(&mut self.checks);
        let (mut gone, mut there) = (Vec::new(), Vec::with_capacity(order.len()));
        for key in order {
            match looks.remove(&key) {
                Some(check @ (Recheck::Gone | Recheck::Away)) => gone.push((key, check)),
                Some(check) => there.push((key, check)),
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
            (&[Recheck::Inode, Recheck::Inode][..], Recheck::Inode),
            (&[Recheck::Inode, Recheck::Whole], Recheck::Whole),
            (&[Recheck::Whole, Recheck::Inode], Recheck::Whole),
            (&[Recheck::Gone, Recheck::Inode], Recheck::Whole),
            (&[Recheck::Whole, Recheck::Gone], Recheck::Gone),
            (&[Recheck::Gone, Recheck::Away], Recheck::Away),
        ] {
            let mut pending = Pending::default();
            for check in looks {
                pending.add(key(1, "A"), *check);
            }
            let (gone, there) = pending.take();
            let all: Vec<(Key, Recheck)> = gone.into_iter().chain(there).collect();
            assert_eq!(all, [(key(1, "A"), found)], "{looks:?}");
        }
    }

    #[test]
    fn what_has_gone_comes_first_and_all_else_in_its_order() {
        let mut pending = Pending::default();
        pending.add(key(1, "A"), Recheck::Whole);
        pending.add(key(1, "B"), Recheck::Gone);
        pending.add(key(2, "C"), Recheck::Inode);
        pending.add(key(3, "D"), Recheck::Whole);
        pending.remove(&key(1, "A"));
        assert!(!pending.contains(&key(1, "A")));
        pending.add(key(1, "A"), Recheck::Whole);
        pending.forget(&[3]);
        let (gone, there) = pending.take();
        assert_eq!(gone, [(key(1, "B"), Recheck::Gone)]);
        assert_eq!(
            there,
            [(key(1, "A"), Recheck::Whole), (key(2, "C"), Recheck::Inode)]
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
