//! How many messages each queue had in each minute of the last hour.
//!
//! What was seen is exact. Before that, a message that is here now and had arrived by a minute was in some queue
//! then, so the minutes before the start have a lower bound.

use std::collections::VecDeque;

use queuewatch::postfix::queue::{Queue, QueueSet};
use queuewatch::snapshot::{Snapshot, Tally};

/// How many minutes are kept.
pub(super) const MINUTES: usize = 60;
/// The seconds of one.
const MINUTE: i64 = 60;
/// The places of the queues and the total.
const PLACES: usize = Queue::ALL.len() + 1;

/// The messages of a queue in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) messages: u64,
    /// Whether they were counted then. Otherwise it is a lower bound.
    pub(super) seen: bool,
}

/// Counts by minute.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// The minutes since the epoch, and what was counted last in each, the oldest first.
    minutes: VecDeque<(i64, [Point; PLACES])>,
}

fn place(queue: Option<Queue>) -> usize {
    queue.map_or(PLACES - 1, Queue::index)
}

impl History {
    /// Takes in the counts of `snapshot`: `rows` has the sums of its queues and of the total.
    pub(super) fn note(&mut self, snapshot: &Snapshot, rows: &[(Option<Queue>, Tally)]) {
        let minute = snapshot.now.div_euclid(MINUTE);
        if self.minutes.is_empty() {
            self.begin(snapshot, minute);
        }
        // A clock that was set back begins no new minute.
        if self.minutes.back().is_none_or(|(last, _)| *last < minute) {
            self.minutes.push_back((minute, Default::default()));
        }
        if let Some((_, points)) = self.minutes.back_mut() {
            for (queue, tally) in rows {
                points[place(*queue)] = Point {
                    messages: tally.messages,
                    seen: true,
                };
            }
        }
        while self.minutes.len() > MINUTES {
            self.minutes.pop_front();
        }
    }

    /// Fills the minutes before the first look with what must have been there.
    fn begin(&mut self, snapshot: &Snapshot, minute: i64) {
        for before in (1..MINUTES as i64).rev() {
            let end = (minute - before + 1) * MINUTE;
            let mut points = [Point::default(); PLACES];
            for taken in &snapshot.instances {
                for queue in Queue::ALL {
                    let arrived = taken.tables[queue].arrivals.before(end);
                    points[place(Some(queue))].messages += arrived;
                    if QueueSet::TOTAL.contains(queue) {
                        points[place(None)].messages += arrived;
                    }
                }
            }
            self.minutes.push_back((minute - before, points));
        }
    }

    /// The hour that ends at `now`. A minute without a look has what the one before it had.
    pub(super) fn hour(&self, queue: Option<Queue>, now: i64) -> [Point; MINUTES] {
        let first = now.div_euclid(MINUTE) - MINUTES as i64 + 1;
        let mut points = [Point::default(); MINUTES];
        let mut known = self.minutes.iter().peekable();
        let mut last = Point::default();
        for (minute, point) in (first..).zip(&mut points) {
            while let Some((_, counted)) = known.next_if(|(at, _)| *at <= minute) {
                last = counted[place(queue)];
            }
            *point = last;
        }
        points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(counted: &[(i64, u64)]) -> History {
        let mut history = History::default();
        for (minute, messages) in counted {
            let mut points = [Point::default(); PLACES];
            points[PLACES - 1] = Point {
                messages: *messages,
                seen: true,
            };
            history.minutes.push_back((*minute, points));
        }
        history
    }

    #[test]
    fn an_hour_ends_now_and_a_minute_without_a_look_is_like_the_one_before() {
        let hour = history(&[(100, 5), (103, 7), (159, 9)]).hour(None, 160 * MINUTE + 59);
        let messages = hour.map(|point| point.messages);
        assert_eq!(messages[..3], [5, 5, 7]);
        assert_eq!(messages[56..], [7, 7, 9, 9]);
        let empty = History::default().hour(Some(Queue::Active), 1_000);
        assert_eq!(empty, [Point::default(); MINUTES]);
    }
}
