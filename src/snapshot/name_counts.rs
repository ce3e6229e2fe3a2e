//! Counts by name: destination domains, sender addresses, status codes.
//!
//! Strangers choose the names, so the tables are bounded. Beyond [`MAX_NAMES`] names, [`MAX_NAME_BYTES`] bytes
//! of names or the memory that the caller allows, a new name counts in [`Names::others`], and every figure from
//! the table is a lower bound. Hashing is keyed at random.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::AddAssign;

use super::contribution::Sign;

/// How many names one table holds.
pub(crate) const MAX_NAMES: usize = 200_000;
/// How many bytes of names one table holds.
pub(crate) const MAX_NAME_BYTES: usize = 16 << 20;
/// The longest name, in bytes. A longer one is cut. SMTP accepts no domain or address of this length.
pub(crate) const MAX_NAME: usize = 1024;
/// What the allocator adds to a name, in bytes: a header, and rounding.
const PER_NAME: usize = 24;
/// An emptied table keeps its memory up to this number of names.
const KEPT: usize = 8192;

/// The count of a name.
pub trait Count: Clone + Default + for<'a> AddAssign<&'a Self> {
    /// Returns the number by which names are sorted.
    fn total(&self) -> u64;
}

/// A count that can be subtracted again.
pub(crate) trait Uncount: Count {
    /// Subtracts `other`, which was added before. The result is never negative.
    fn take_away(&mut self, other: &Self);
}

impl Uncount for u64 {
    fn take_away(&mut self, other: &u64) {
        *self = self.saturating_sub(*other);
    }
}

impl Count for u64 {
    fn total(&self) -> u64 {
        *self
    }
}

/// The part of `name` that a table keeps.
fn cut(name: &[u8]) -> &[u8] {
    name.get(..MAX_NAME).unwrap_or(name)
}

/// Counts by name; see the module's documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names<C> {
    counts: HashMap<Box<[u8]>, C>,
    bytes: usize,
    /// The counts of names that did not fit.
    pub(crate) others: C,
}

impl<C: Count> Names<C> {
    /// Adds `count` to `name`.
    pub(crate) fn add(&mut self, name: &[u8], count: &C) {
        self.put(cut(name), count, usize::MAX);
    }

    /// Adds `count` to `name`. A new name is taken only if the table grows by `room` bytes of memory at most.
    pub(crate) fn add_within(&mut self, name: &[u8], count: &C, room: usize) {
        self.put(cut(name), count, self.memory().saturating_add(room));
    }

    /// Adds `count` to `name`, which is cut already. A new name is taken only if the table takes `most` bytes of memory
    /// at most.
    fn put<N: AsRef<[u8]> + Into<Box<[u8]>>>(&mut self, name: N, count: &C, most: usize) {
        let length = name.as_ref().len();
        if let Some(sum) = self.counts.get_mut(name.as_ref()) {
            *sum += count;
        } else if self.fits(length, most) {
            self.bytes += length;
            self.counts.insert(name.into(), count.clone());
        } else {
            self.others += count;
        }
    }

    /// Returns true if there is room for a new name of `length` bytes, with at most `most` bytes of memory.
    fn fits(&self, length: usize, most: usize) -> bool {
        let names = self.counts.len();
        if names >= MAX_NAMES || self.bytes + length > MAX_NAME_BYTES {
            return false;
        }
        // A full hash table doubles.
        let room = match self.counts.capacity() {
            capacity if capacity > names => capacity,
            capacity => capacity * 2 + 1,
        };
        Self::memory_of(room, names + 1, self.bytes + length) <= most
    }

    /// Returns the bytes of memory that the table takes, nearly.
    pub(crate) fn memory(&self) -> usize {
        Self::memory_of(self.counts.capacity(), self.counts.len(), self.bytes)
    }

    /// The standard hash table fills seven of eight slots, whose number is a power of two, and has one byte
    /// more for each.
    fn memory_of(capacity: usize, names: usize, bytes: usize) -> usize {
        let slots = match capacity {
            0 => 0,
            _ => (capacity * 8 / 7).next_power_of_two(),
        };
        slots * (size_of::<(Box<[u8]>, C)>() + 1) + names * PER_NAME + bytes
    }

    /// Subtracts `count` from `name`, to which it was added. A name without any count is removed. A name that is
    /// not in the table was counted in the others.
    pub(crate) fn remove(&mut self, name: &[u8], count: &C)
    where
        C: Uncount,
    {
        let name = cut(name);
        let Some(sum) = self.counts.get_mut(name) else {
            self.others.take_away(count);
            return;
        };
        sum.take_away(count);
        if sum.total() == 0 {
            self.bytes -= name.len();
            self.counts.remove(name);
        }
    }

    /// Adds `count` to `name`, or subtracts it again. `None` is an unknown name: its count belongs to the
    /// others. `room` is the limit of [`Names::add_within`].
    pub(crate) fn change(&mut self, name: Option<&[u8]>, count: &C, sign: Sign, room: usize)
    where
        C: Uncount,
    {
        match (name, sign) {
            (Some(name), Sign::Add) if room == usize::MAX => self.add(name, count),
            (Some(name), Sign::Add) => self.add_within(name, count, room),
            (Some(name), Sign::Remove) => self.remove(name, count),
            (None, Sign::Add) => self.others += count,
            (None, Sign::Remove) => self.others.take_away(count),
        }
    }

    /// Moves all counts of `other` here. New names are taken only as long as the table grows by `room` bytes of
    /// memory at most. `other` is empty then, and keeps some memory for the next names.
    pub(crate) fn drain(&mut self, other: &mut Self, room: usize) {
        let most = self.memory().saturating_add(room);
        for (name, count) in other.counts.drain() {
            self.put(name, &count, most);
        }
        self.others += &std::mem::take(&mut other.others);
        other.bytes = 0;
        other.counts.shrink_to(KEPT);
    }

    /// Returns the counts of all `tables` together. Where only one counts anything, it is not copied. A copy
    /// takes `room` bytes of memory at most.
    pub(crate) fn together<'t>(
        tables: impl IntoIterator<Item = &'t Self>,
        room: usize,
    ) -> Cow<'t, Self> {
        let mut sum: Cow<Self> = Cow::Owned(Names::default());
        for table in tables.into_iter().filter(|table| !table.is_nothing()) {
            if sum.is_nothing() {
                sum = Cow::Borrowed(table);
                continue;
            }
            let sum = sum.to_mut();
            for (name, count) in &table.counts {
                sum.put(&**name, count, room);
            }
            sum.others += &table.others;
        }
        sum
    }

    /// Returns true if nothing was counted.
    pub(crate) fn is_nothing(&self) -> bool {
        self.is_empty() && self.is_complete()
    }

    /// The same counts under the names that `rename` gives.
    #[must_use]
    pub(crate) fn renamed(&self, mut rename: impl FnMut(&[u8]) -> Vec<u8>) -> Self {
        let mut renamed = Names {
            others: self.others.clone(),
            ..Names::default()
        };
        for (name, count) in &self.counts {
            renamed.add(&rename(name), count);
        }
        renamed
    }

    /// Returns the number of names.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Returns true if there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Returns true if every name fitted.
    pub fn is_complete(&self) -> bool {
        self.others.total() == 0
    }

    /// Returns the count of `name`.
    pub fn get(&self, name: &[u8]) -> Option<&C> {
        self.counts.get(cut(name))
    }

    /// Returns all names and counts, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &C)> {
        self.counts.iter().map(|(name, count)| (&**name, count))
    }

    /// Returns the `most` names with the highest counts, highest first, equal ones by name.
    pub fn top(&self, most: usize) -> Vec<(&[u8], &C)> {
        let mut rows: Vec<_> = self.iter().collect();
        let order = |a: &(&[u8], &C), b: &(&[u8], &C)| {
            b.1.total().cmp(&a.1.total()).then_with(|| a.0.cmp(b.0))
        };
        if rows.len() > most && most > 0 {
            rows.select_nth_unstable_by(most - 1, order);
            rows.truncate(most);
        }
        rows.sort_unstable_by(order);
        rows.truncate(most);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_by_count_then_by_name() {
        let mut names = Names::<u64>::default();
        for (name, count) in [("b", 2), ("a", 2), ("c", 3), ("b", 1), ("d", 1)] {
            names.add(name.as_bytes(), &count);
        }
        let top = |most| {
            names
                .top(most)
                .iter()
                .map(|(name, count)| format!("{}{count}", name.escape_ascii()))
                .collect::<Vec<_>>()
                .concat()
        };
        assert_eq!(top(2), "b3c3");
        assert_eq!(top(9), "b3c3a2d1");
        assert_eq!(top(0), "");
    }

    #[test]
    fn a_full_table_says_so() {
        let mut names = Names::<u64>::default();
        for number in 0..MAX_NAMES + 5 {
            names.add(format!("d{number}").as_bytes(), &1);
        }
        assert_eq!((names.len(), names.others), (MAX_NAMES, 5));
        names.add(b"d0", &1);
        assert_eq!(names.get(b"d0"), Some(&2));
        assert!(!names.is_complete());

        let mut long = Names::<u64>::default();
        for number in 0..=MAX_NAME_BYTES / MAX_NAME {
            long.add(
                format!("{number:0width$}", width = MAX_NAME * 2).as_bytes(),
                &1,
            );
        }
        assert_eq!(long.len(), 1, "all zeros in front: one name once cut");
    }
}
