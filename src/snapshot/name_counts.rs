//! Counts by name: destination domains, sender addresses, status codes.
//!
//! Names are chosen by strangers, so the tables are bounded: past [`MAX_NAMES`] names or
//! [`MAX_NAME_BYTES`] bytes of them a new name is not taken in but added to [`Names::others`], and
//! every figure that rests on the table is a lower bound. Hashing is keyed at random.

use std::collections::HashMap;
use std::ops::AddAssign;

use super::contribution::Sign;

/// Names that one table holds.
pub const MAX_NAMES: usize = 200_000;
/// Bytes of names that one table holds.
pub const MAX_NAME_BYTES: usize = 16 << 20;
/// Bytes of one name; a longer one is counted under its first so many bytes. No domain or address
/// that SMTP accepts is longer.
pub const MAX_NAME: usize = 1024;
/// What is counted for a name.
pub trait Count: Clone + Default + for<'a> AddAssign<&'a Self> {
    /// The count that says which name has most.
    fn total(&self) -> u64;
}

/// What can be taken away again.
pub trait Uncount: Count {
    /// Takes `other` away, which was added once; there is never less than none.
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

/// Counts by name; see the text of this file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names<C> {
    counts: HashMap<Box<[u8]>, C>,
    bytes: usize,
    /// What belongs to names that were not taken in.
    pub others: C,
}

impl<C: Count> Names<C> {
    /// Adds `count` to `name`.
    pub fn add(&mut self, name: &[u8], count: &C) {
        let name = name.get(..MAX_NAME).unwrap_or(name);
        if let Some(sum) = self.counts.get_mut(name) {
            *sum += count;
        } else if self.counts.len() < MAX_NAMES && self.bytes + name.len() <= MAX_NAME_BYTES {
            self.bytes += name.len();
            self.counts.insert(name.into(), count.clone());
        } else {
            self.others += count;
        }
    }

    /// Takes `count` away from `name`, which it was added to; a name without any is dropped. What is not
    /// in the table was counted among the others.
    pub fn remove(&mut self, name: &[u8], count: &C)
    where
        C: Uncount,
    {
        let name = name.get(..MAX_NAME).unwrap_or(name);
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

    /// Adds `count` to `name`, or takes it away again. `None` is a name that is not known: its count
    /// belongs to the others.
    pub(crate) fn change(&mut self, name: Option<&[u8]>, count: &C, sign: Sign)
    where
        C: Uncount,
    {
        match (name, sign) {
            (Some(name), Sign::Add) => self.add(name, count),
            (Some(name), Sign::Remove) => self.remove(name, count),
            (None, Sign::Add) => self.others += count,
            (None, Sign::Remove) => self.others.take_away(count),
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (name, count) in &other.counts {
            self.add(name, count);
        }
        self.others += &other.others;
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Whether every name was taken in.
    pub fn is_complete(&self) -> bool {
        self.others.total() == 0
    }

    /// The count of `name`.
    pub fn get(&self, name: &[u8]) -> Option<&C> {
        self.counts.get(name.get(..MAX_NAME).unwrap_or(name))
    }

    /// All names and counts, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &C)> {
        self.counts.iter().map(|(name, count)| (&**name, count))
    }

    /// The `most` names with the highest counts, highest first, equal ones by name.
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
