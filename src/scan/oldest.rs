//! The oldest messages of a scan: their places, a bounded number, so that they can be read again without another walk.

use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

use crate::postfix::queue::Queue;

/// The place of a message, in the order of age; equal ones by queue ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OldPlace {
    /// When it arrived, in seconds of the epoch.
    pub(crate) arrival: i64,
    /// Its queue ID.
    pub(crate) queue_id: Box<[u8]>,
    /// Its directory.
    pub(crate) directory: PathBuf,
    /// The place of its queue in `Queue::ALL`.
    queue: usize,
}

impl OldPlace {
    /// Its queue.
    pub(crate) fn queue(&self) -> Option<Queue> {
        Queue::ALL.get(self.queue).copied()
    }
}

/// The oldest of the messages that it has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oldest {
    most: usize,
    /// The youngest of them is on top.
    heap: BinaryHeap<OldPlace>,
}

impl Oldest {
    /// Keeps at most `most`.
    pub(crate) fn new(most: usize) -> Self {
        Oldest {
            most,
            heap: BinaryHeap::new(),
        }
    }

    /// Takes in the message `queue_id` in `directory` of `queue` if it is among the oldest.
    pub(crate) fn see(&mut self, arrival: i64, queue_id: &[u8], queue: Queue, directory: &Path) {
        if self.heap.len() >= self.most {
            let youngest = self.heap.peek();
            let is_older =
                |youngest: &OldPlace| (arrival, queue_id) < (youngest.arrival, &*youngest.queue_id);
            if !youngest.is_some_and(is_older) {
                return;
            }
        }
        self.put(OldPlace {
            arrival,
            queue_id: queue_id.into(),
            directory: directory.to_owned(),
            queue: queue.index(),
        });
    }

    fn put(&mut self, place: OldPlace) {
        self.heap.push(place);
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }

    /// Takes in those of `other`.
    pub(crate) fn merge(&mut self, other: Oldest) {
        for place in other.heap {
            self.put(place);
        }
    }

    /// Returns them in any order.
    pub(crate) fn places(&self) -> impl Iterator<Item = &OldPlace> {
        self.heap.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(oldest: &Oldest) -> Vec<String> {
        let mut places: Vec<&OldPlace> = oldest.places().collect();
        places.sort();
        let shown = |place: &&OldPlace| String::from_utf8_lossy(&place.queue_id).into_owned();
        places.iter().map(shown).collect()
    }

    #[test]
    fn the_oldest_are_kept_whatever_the_order() {
        let messages = [(5, "A"), (1, "B"), (9, "C"), (1, "D"), (2, "E"), (2, "F")];
        for turn in 0..messages.len() {
            let (mut one, mut two) = (Oldest::new(4), Oldest::new(4));
            let turned = messages.iter().cycle().skip(turn).take(messages.len());
            for (place, (arrival, id)) in turned.enumerate() {
                let part = if place % 3 == 0 { &mut one } else { &mut two };
                part.see(*arrival, id.as_bytes(), Queue::Hold, Path::new("/q/hold"));
            }
            one.merge(two);
            assert_eq!(ids(&one), ["B", "D", "E", "F"], "{turn}");
        }
    }

    #[test]
    fn none_is_kept_unless_asked_for() {
        let mut none = Oldest::new(0);
        none.see(1, b"A", Queue::Hold, Path::new("/q/hold"));
        assert_eq!(none.places().count(), 0);
    }
}
