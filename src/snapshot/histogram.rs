//! Counts by second of the epoch, exact to the second, hour by hour.
//!
//! A watch asks at every tick how many messages are older than a second, and which is the first. So neither
//! question may read more than the list of hours and the seconds of one hour. An hour with few different
//! seconds is a sorted list; one with many is an array with one element for each second.

use std::collections::BTreeMap;

use super::contribution::Sign;

/// How many different seconds one table holds: more than ten days of a message each second.
pub(crate) const MAX_SECONDS: usize = 1 << 20;

const HOUR: i64 = 3600;
/// An hour with this many different seconds becomes an array.
const MANY: usize = 512;

/// Counts by second; see the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Seconds {
    hours: BTreeMap<i64, Hour>,
    distinct: usize,
    /// The number of messages whose second did not fit.
    pub(crate) others: u64,
}

#[derive(Clone, Debug, Default)]
struct Hour {
    total: u64,
    counts: Counts,
}

#[derive(Clone, Debug)]
enum Counts {
    /// By second within the hour, sorted. No count is 0.
    Few(Vec<(u16, u32)>),
    /// One count for each second of the hour.
    Many(Box<[u32]>),
}

impl Default for Counts {
    fn default() -> Self {
        Counts::Few(Vec::new())
    }
}

impl Hour {
    /// Adds to a second. Returns false if the second is new and `may_grow` is false.
    fn add(&mut self, second: u16, count: u32, may_grow: bool) -> Option<bool> {
        let is_new = match &mut self.counts {
            Counts::Few(few) => match few.binary_search_by_key(&second, |(at, _)| *at) {
                Ok(place) => {
                    few[place].1 = few[place].1.saturating_add(count);
                    false
                }
                Err(_) if !may_grow => return None,
                Err(place) => {
                    few.insert(place, (second, count));
                    if few.len() > MANY {
                        let mut many = vec![0; HOUR as usize].into_boxed_slice();
                        for (at, count) in few.iter() {
                            many[usize::from(*at)] = *count;
                        }
                        self.counts = Counts::Many(many);
                    }
                    true
                }
            },
            Counts::Many(many) => {
                let sum = &mut many[usize::from(second)];
                let is_new = *sum == 0;
                if is_new && !may_grow {
                    return None;
                }
                *sum = sum.saturating_add(count);
                is_new
            }
        };
        self.total += u64::from(count);
        Some(is_new)
    }

    /// Removes one message. Returns whether it was there, and whether it was the last of its second.
    fn remove(&mut self, second: u16) -> Option<bool> {
        let was_last = match &mut self.counts {
            Counts::Few(few) => {
                let place = few.binary_search_by_key(&second, |(at, _)| *at).ok()?;
                few[place].1 -= 1;
                let was_last = few[place].1 == 0;
                if was_last {
                    few.remove(place);
                }
                was_last
            }
            Counts::Many(many) => {
                let sum = &mut many[usize::from(second)];
                *sum = sum.checked_sub(1)?;
                *sum == 0
            }
        };
        self.total -= 1;
        Some(was_last)
    }

    fn iter(&self) -> Box<dyn Iterator<Item = (i64, u64)> + '_> {
        match &self.counts {
            Counts::Few(few) => Box::new(
                few.iter()
                    .map(|(at, count)| (i64::from(*at), u64::from(*count))),
            ),
            Counts::Many(many) => Box::new(
                many.iter()
                    .enumerate()
                    .filter(|(_, count)| **count > 0)
                    .map(|(at, count)| (at as i64, u64::from(*count))),
            ),
        }
    }
}

fn place(second: i64) -> (i64, u16) {
    (second.div_euclid(HOUR), second.rem_euclid(HOUR) as u16)
}

impl Seconds {
    /// Adds `count` messages at `second`.
    pub(crate) fn add(&mut self, second: i64, count: u64) {
        let (hour, at) = place(second);
        let may_grow = self.distinct < MAX_SECONDS;
        if !may_grow && !self.hours.contains_key(&hour) {
            self.others += count;
            return;
        }
        let few = u32::try_from(count).unwrap_or(u32::MAX);
        match self.hours.entry(hour).or_default().add(at, few, may_grow) {
            Some(is_new) => self.distinct += usize::from(is_new),
            None => self.others += count,
        }
    }

    /// Removes one message that was added at `second`.
    pub(crate) fn remove(&mut self, second: i64) {
        let (hour, at) = place(second);
        let removed = self.hours.get_mut(&hour).and_then(|hour| hour.remove(at));
        match removed {
            Some(was_last) => {
                self.distinct -= usize::from(was_last);
                if self.hours.get(&hour).is_some_and(|hour| hour.total == 0) {
                    self.hours.remove(&hour);
                }
            }
            // It is one of those that did not fit.
            None => self.others = self.others.saturating_sub(1),
        }
    }

    /// Adds one message at `second`, or removes it again.
    pub(crate) fn change(&mut self, second: i64, sign: Sign) {
        match sign {
            Sign::Add => self.add(second, 1),
            Sign::Remove => self.remove(second),
        }
    }

    /// Adds all counts of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (second, count) in other.iter() {
            self.add(second, count);
        }
        self.others += other.others;
    }

    /// Returns all seconds in their order, with their counts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        self.hours.iter().flat_map(|(hour, counts)| {
            let start = hour.saturating_mul(HOUR);
            counts
                .iter()
                .map(move |(at, count)| (start.saturating_add(at), count))
        })
    }

    /// Returns the number of different seconds.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.distinct
    }

    /// Returns the number of messages that fit.
    pub(crate) fn total(&self) -> u64 {
        self.hours.values().map(|hour| hour.total).sum()
    }

    /// Returns the first second.
    pub(crate) fn first(&self) -> Option<i64> {
        self.iter().next().map(|(second, _)| second)
    }

    /// Returns the number of messages before `second`.
    pub fn before(&self, second: i64) -> u64 {
        let (hour, at) = place(second);
        let whole: u64 = self.hours.range(..hour).map(|(_, hour)| hour.total).sum();
        let part = self.hours.get(&hour).map_or(0, |counts| {
            counts
                .iter()
                .take_while(|(second, _)| *second < i64::from(at))
                .map(|(_, count)| count)
                .sum()
        });
        whole + part
    }
}

/// Compares the counts, not their representation.
impl PartialEq for Seconds {
    fn eq(&self, other: &Self) -> bool {
        self.others == other.others
            && self.distinct == other.distinct
            && self.iter().eq(other.iter())
    }
}

impl Eq for Seconds {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_counted_strictly_before() {
        let mut seconds = Seconds::default();
        for (second, count) in [(10, 1), (20, 2), (20, 3), (-4000, 1), (9000, 1)] {
            seconds.add(second, count);
        }
        assert_eq!(
            [-4001, -4000, -3999, 10, 11, 20, 21, 9001].map(|at| seconds.before(at)),
            [0, 0, 1, 1, 2, 2, 7, 8]
        );
        assert_eq!(
            (seconds.first(), seconds.len(), seconds.total()),
            (Some(-4000), 4, 8)
        );
    }

    #[test]
    fn what_is_taken_away_was_never_there() {
        // A fresh table, and one that held more before.
        let (mut less, mut more) = (Seconds::default(), Seconds::default());
        for second in 0..3 * MANY as i64 {
            more.add(second, 1);
            if second % 7 == 0 {
                less.add(second, 1);
            } else {
                more.add(second, 1);
            }
        }
        for second in 0..3 * MANY as i64 {
            if second % 7 != 0 {
                more.remove(second);
                more.remove(second);
            }
        }
        assert_eq!(less, more);
        for second in (0..3 * MANY as i64).step_by(7) {
            more.remove(second);
        }
        assert!(more.len() == 0 && more.first().is_none() && more.total() == 0);
    }

    #[test]
    fn a_full_table_says_so() {
        let mut seconds = Seconds::default();
        for second in 0..MAX_SECONDS as i64 + 3 {
            seconds.add(second, 1);
        }
        assert_eq!((seconds.len(), seconds.others), (MAX_SECONDS, 3));
        seconds.add(0, 2);
        seconds.add(i64::MAX, 1);
        seconds.add(i64::MIN, 1);
        assert_eq!(seconds.others, 5);
        assert_eq!(seconds.before(1), 3);
    }
}
