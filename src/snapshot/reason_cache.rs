//! The marks of the delay reasons that were judged last.
//!
//! All mail that waits for one server has one reason, and to find a reason again takes less time than to judge it.
//! A reason of its own for each message costs its comparison more, and no memory: there is a fixed number of slots.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::reasons::Mark;

/// Slots of one reader. Mail of a sick host waits for tens of servers.
const SLOTS: usize = 64;
/// Bytes of status and reason that are kept at most. A longer reason is judged each time.
const LONGEST: usize = 512;

/// One reason for each slot of a hash.
#[derive(Debug, Default)]
pub(crate) struct ReasonCache {
    hasher: RandomState,
    slots: Vec<Option<Judged>>,
}

#[derive(Debug)]
struct Judged {
    status: Vec<u8>,
    reason: Vec<u8>,
    mark: Mark,
}

impl ReasonCache {
    /// The mark of `reason` with `status`, which `judge` finds if it is not among the last.
    pub(crate) fn mark(
        &mut self,
        status: &[u8],
        reason: &[u8],
        judge: impl FnOnce() -> Mark,
    ) -> Mark {
        if status.len() + reason.len() > LONGEST {
            return judge();
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || None);
        }
        let hash = self.hasher.hash_one((status, reason));
        let slot = &mut self.slots[hash as usize % SLOTS];
        match slot {
            Some(known) if known.status == status && known.reason == reason => known.mark,
            Some(other) => {
                other.mark = judge();
                other.status.clear();
                other.status.extend_from_slice(status);
                other.reason.clear();
                other.reason.extend_from_slice(reason);
                other.mark
            }
            None => {
                let mark = judge();
                *slot = Some(Judged {
                    status: status.to_vec(),
                    reason: reason.to_vec(),
                    mark,
                });
                mark
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::classify::Classifier;

    #[test]
    fn each_reason_has_its_own_mark_whatever_was_judged_before() {
        let classifier = Classifier::default();
        let mut judged = ReasonCache::default();
        let reasons: Vec<(&[u8], Vec<u8>)> = (0..SLOTS * 3)
            .map(|number| match number % 3 {
                0 => (
                    &b"4.4.1"[..],
                    format!("connect to mx{number}.example[192.0.2.1]:25: Connection refused"),
                ),
                1 => (
                    &b"4.2.2"[..],
                    format!("host mx{number}.example[192.0.2.1] said: 452 4.2.2 mailbox full"),
                ),
                _ => (&b"4.3.0"[..], format!("{number} {}", "x".repeat(LONGEST))),
            })
            .map(|(status, reason)| (status, reason.into_bytes()))
            .collect();
        for (status, reason) in reasons.iter().chain(&reasons) {
            let judge = || Mark::of(&classifier.judge(status, reason));
            for _ in 0..2 {
                assert_eq!(judged.mark(status, reason, judge), judge());
            }
        }
    }

    #[test]
    fn a_reason_that_comes_again_is_judged_once() {
        let classifier = Classifier::default();
        let mut judged = ReasonCache::default();
        let mut times = 0;
        for status in [&b"4.4.1"[..], b"4.4.1", b"4.4.2"] {
            judged.mark(status, b"timed out", || {
                times += 1;
                Mark::of(&classifier.judge(status, b"timed out"))
            });
        }
        assert_eq!(times, 2);
    }
}
