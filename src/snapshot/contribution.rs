//! What one queue file adds to the sums of its queue.
//!
//! This is the only definition. A scan adds each file once. A watch adds a file, and takes the same
//! contribution out again when the file changes or goes. So the state of a watch equals a fresh scan.
//!
//! A contribution does not depend on the present time: it holds the seconds at which a message arrived
//! and at which it is due. [`Sums::tally`] compares these with the [`Bounds`] of a moment. The sums of one
//! file and those of a whole queue have the same type, and one function judges both.

use super::histogram::Seconds;
use super::{RETRY_EDGES, TableSet, Tally};
use crate::instance::Settings;
use crate::postfix::queue::Queue;
use crate::scan::{Depth, Plan};

/// An arrival time later than this many seconds from now says nothing: clocks of hosts differ by seconds.
const DAY: i64 = 86_400;

/// Whether a contribution is added or taken out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The file is there.
    Add,
    /// The file is not there any more.
    Remove,
}

/// What was found of one queue file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FileFacts {
    /// It lies where Postfix does not look.
    Stray,
    /// It could not be read.
    Unreadable,
    /// It is not a message yet, or not any more.
    NotReady {
        /// The mode bits of its inode.
        mode: u32,
    },
    /// It is a message.
    Message {
        /// The mode bits of its inode.
        mode: u32,
        /// Its time of modification: of deferred mail the next retry (qmgr(8) sets it).
        mtime: i64,
        /// Whether its log of delay reasons could not be read. A scan counts that as a gap.
        unread_log: bool,
        /// Whether Postfix looks for it in another directory.
        misplaced: bool,
        /// Whether its owner stops Postfix.
        misowned: bool,
        /// What its envelope says, if that was read.
        envelope: Option<EnvelopeFacts>,
    },
}

/// What the envelope of a message adds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnvelopeFacts {
    /// Recipients still to be delivered.
    pub(crate) recipients: u64,
    /// The size that mailq prints, in bytes.
    pub(crate) size: u64,
    /// When it arrived, in seconds of the epoch.
    pub(crate) arrival: Option<i64>,
    /// True if it is not a valid queue file.
    pub(crate) damaged: bool,
    /// Whether there may be more recipients.
    pub(crate) torn: bool,
    /// Whether there may be a sender that was not read.
    pub(crate) senderless: bool,
    /// Whether the message is left out of the sums.
    pub(crate) left_out: bool,
}

impl EnvelopeFacts {
    /// Returns true if there may be a client that was not read. cleanup(8) writes where a message comes from
    /// before its recipients.
    pub(crate) fn is_clientless(&self) -> bool {
        self.torn && self.recipients == 0
    }
}

/// Sums over queue files. `T` holds seconds of the epoch: of one file at most one, of a queue all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums<T> {
    messages: u64,
    recipients: u64,
    /// Hostile sizes may add up to more than 64 bits.
    bytes: u128,
    /// Messages whose envelope has no arrival time.
    undated: u64,
    damaged: u64,
    altered: u64,
    torn: u64,
    senderless: u64,
    clientless: u64,
    not_ready: u64,
    strays: u64,
    unreadable: u64,
    unread_logs: u64,
    misplaced: u64,
    misowned: u64,
    left_out: u64,
    /// The arrival times of messages.
    arrivals: T,
    /// The next retries of deferred messages.
    retries: T,
}

/// What one file adds.
pub(crate) type Contribution = Sums<Option<i64>>;

impl Contribution {
    /// What a file of `queue` adds of which `facts` are known.
    pub(crate) fn of(queue: Queue, facts: &FileFacts) -> Self {
        match *facts {
            FileFacts::Stray => Contribution {
                strays: 1,
                ..Contribution::default()
            },
            FileFacts::Unreadable => Contribution {
                unreadable: 1,
                ..Contribution::default()
            },
            FileFacts::NotReady { mode } => Contribution {
                not_ready: 1,
                altered: u64::from(is_altered(queue, mode)),
                ..Contribution::default()
            },
            FileFacts::Message {
                mode,
                mtime,
                unread_log,
                misplaced,
                misowned,
                envelope,
            } => {
                let mut one = Contribution::of_inode(queue, mode, Some(mtime));
                one.messages = 1;
                one.unread_logs = u64::from(unread_log);
                one.misplaced = u64::from(misplaced);
                one.misowned = u64::from(misowned);
                if let Some(envelope) = envelope.filter(|envelope| envelope.left_out) {
                    // Its file counts, its mail does not.
                    return Contribution {
                        left_out: 1,
                        altered: one.altered,
                        misplaced: one.misplaced,
                        misowned: one.misowned,
                        damaged: u64::from(envelope.damaged && reports_damage(queue)),
                        ..Contribution::default()
                    };
                }
                if let Some(envelope) = envelope {
                    one.recipients = envelope.recipients;
                    one.bytes = envelope.size.into();
                    one.arrivals = envelope.arrival;
                    one.undated = u64::from(envelope.arrival.is_none());
                    one.damaged = u64::from(envelope.damaged && reports_damage(queue));
                    one.torn = u64::from(envelope.torn);
                    one.senderless = u64::from(envelope.senderless);
                    one.clientless = u64::from(envelope.is_clientless());
                }
                one
            }
        }
    }

    /// The part of a contribution that follows from the inode alone; `mtime` is that of a message.
    pub(crate) fn of_inode(queue: Queue, mode: u32, mtime: Option<i64>) -> Self {
        Contribution {
            altered: u64::from(is_altered(queue, mode)),
            retries: mtime.filter(|_| queue == Queue::Deferred),
            ..Contribution::default()
        }
    }
}

impl Sums<Seconds> {
    /// Adds a file, or takes it out again. There is never less than none.
    pub(crate) fn change(&mut self, one: &Contribution, sign: Sign) {
        let sums = [
            (&mut self.messages, one.messages),
            (&mut self.recipients, one.recipients),
            (&mut self.undated, one.undated),
            (&mut self.damaged, one.damaged),
            (&mut self.altered, one.altered),
            (&mut self.torn, one.torn),
            (&mut self.senderless, one.senderless),
            (&mut self.clientless, one.clientless),
            (&mut self.not_ready, one.not_ready),
            (&mut self.strays, one.strays),
            (&mut self.unreadable, one.unreadable),
            (&mut self.unread_logs, one.unread_logs),
            (&mut self.misplaced, one.misplaced),
            (&mut self.misowned, one.misowned),
            (&mut self.left_out, one.left_out),
        ];
        for (sum, count) in sums {
            *sum = match sign {
                Sign::Add => sum.saturating_add(count),
                Sign::Remove => sum.saturating_sub(count),
            };
        }
        self.bytes = match sign {
            Sign::Add => self.bytes.saturating_add(one.bytes),
            Sign::Remove => self.bytes.saturating_sub(one.bytes),
        };
        let times = [
            (&mut self.arrivals, one.arrivals),
            (&mut self.retries, one.retries),
        ];
        for (times, second) in times {
            if let Some(second) = second {
                times.change(second, sign);
            }
        }
    }
}

impl<T: Instants> Sums<T> {
    /// The sums as they are at the moment that has `bounds`.
    pub(crate) fn tally(&self, bounds: &Bounds) -> Tally {
        let dated = self.arrivals.before(bounds.dated);
        let mut retries = [0; RETRY_EDGES.len() + 1];
        let mut nearer = 0;
        for (bound, column) in bounds.retries.iter().zip(&mut retries) {
            let due = self.retries.before(*bound);
            *column = due - nearer;
            nearer = due;
        }
        retries[RETRY_EDGES.len()] = self.retries.total() - nearer;
        Tally {
            messages: self.messages,
            recipients: self.recipients,
            bytes: u64::try_from(self.bytes).unwrap_or(u64::MAX),
            oldest: self.arrivals.first().filter(|first| *first < bounds.dated),
            overdue: self.retries.before(bounds.overdue),
            retries,
            damaged: self.damaged,
            altered: self.altered,
            ageless: self.undated + self.arrivals.total() - dated,
            misdated: self.arrivals.total() - dated,
            torn: self.torn,
            senderless: self.senderless,
            clientless: self.clientless,
            not_ready: self.not_ready,
            strays: self.strays,
            unreadable: self.unreadable,
            unread_logs: self.unread_logs,
            misplaced: self.misplaced,
            misowned: self.misowned,
            left_out: self.left_out,
            arrived: bounds
                .arrived
                .map_or(0, |bound| dated.saturating_sub(self.arrivals.before(bound))),
            ..Tally::default()
        }
    }
}

/// Seconds of the epoch: of one file at most one, of a queue those of all its messages.
pub(crate) trait Instants {
    /// How many.
    fn total(&self) -> u64;
    /// How many before `bound`.
    fn before(&self, bound: i64) -> u64;
    /// The first.
    fn first(&self) -> Option<i64>;
}

impl Instants for Option<i64> {
    fn total(&self) -> u64 {
        u64::from(self.is_some())
    }

    fn before(&self, bound: i64) -> u64 {
        u64::from(self.is_some_and(|second| second < bound))
    }

    fn first(&self) -> Option<i64> {
        *self
    }
}

impl Instants for Seconds {
    fn total(&self) -> u64 {
        Seconds::total(self)
    }

    fn before(&self, bound: i64) -> u64 {
        Seconds::before(self, bound)
    }

    fn first(&self) -> Option<i64> {
        Seconds::first(self)
    }
}

/// The seconds with which a moment compares those of messages; each is the first beyond its range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// A next retry before this one is longer past than one `queue_run_delay`.
    overdue: i64,
    /// The ends of the columns of [`Tally::retries`].
    retries: [i64; RETRY_EDGES.len()],
    /// An arrival time from here on is not valid.
    dated: i64,
    /// An arrival from here on came after the earlier check.
    arrived: Option<i64>,
}

impl Bounds {
    /// Returns true if a message cannot have arrived at the second `arrival`, which is in the future.
    pub(crate) fn is_misdated(&self, arrival: i64) -> bool {
        arrival >= self.dated
    }

    /// The bounds at `now`, for a snapshot that is compared with an earlier one of `since`.
    pub(crate) fn new(now: i64, since: Option<i64>, settings: &Settings) -> Self {
        let after = |second: i64| second.saturating_add(1);
        Bounds {
            overdue: now.saturating_sub(settings.queue_run_delay),
            retries: RETRY_EDGES.map(|edge| after(now.saturating_add(edge))),
            dated: after(now.saturating_add(DAY)),
            arrived: since.map(after),
        }
    }
}

/// Whether group or other mode bits are set, which Postfix reads as commands. Maildrop's files are
/// readable to all by design.
pub(crate) fn is_altered(queue: Queue, mode: u32) -> bool {
    mode & 0o077 != 0 && queue != Queue::Maildrop
}

/// Whether damaged files of `queue` are reported. Those in corrupt were found by Postfix itself.
pub(crate) fn reports_damage(queue: Queue) -> bool {
    queue != Queue::Corrupt
}

/// Whether delay reasons of recipients in `queue` are counted.
pub(crate) fn explains(plan: &Plan, wanted: TableSet, queue: Queue) -> bool {
    (wanted.codes || wanted.reasons || wanted.causes) && plan.depth(queue) == Some(Depth::Reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn message(mode: u32, mtime: i64, arrival: Option<i64>) -> FileFacts {
        FileFacts::Message {
            mode,
            mtime,
            unread_log: mode == 0o755,
            misplaced: mode == 0o755,
            misowned: mode == 0o700,
            envelope: Some(EnvelopeFacts {
                recipients: 3,
                size: 100,
                arrival,
                damaged: true,
                torn: true,
                senderless: false,
                left_out: mode == 0o711,
            }),
        }
    }

    /// One file of each kind, in each queue.
    fn files() -> Vec<(Queue, FileFacts)> {
        let mut files = Vec::new();
        for queue in Queue::ALL {
            files.push((queue, FileFacts::Stray));
            files.push((queue, FileFacts::Unreadable));
            files.push((queue, FileFacts::NotReady { mode: 0o640 }));
            files.push((queue, message(0o700, NOW - 5000, None)));
            files.push((queue, message(0o755, NOW, Some(NOW - 10))));
            files.push((queue, message(0o711, NOW, Some(NOW - 10))));
            files.push((queue, message(0o700, NOW + 301, Some(NOW + DAY))));
            files.push((queue, message(0o700, NOW + 9999, Some(NOW + DAY + 1))));
            files.push((
                queue,
                FileFacts::Message {
                    mode: 0o700,
                    mtime: NOW - 1,
                    unread_log: false,
                    misplaced: false,
                    misowned: false,
                    envelope: None,
                },
            ));
        }
        files
    }

    fn bounds() -> Bounds {
        Bounds::new(NOW, Some(NOW - 10), &Settings::default())
    }

    #[test]
    fn a_queue_adds_up_to_the_tallies_of_its_files() {
        for queue in Queue::ALL {
            let (mut one_by_one, mut together) = (Tally::default(), Sums::<Seconds>::default());
            for (_, facts) in files().iter().filter(|(of, _)| *of == queue) {
                let contribution = Contribution::of(queue, facts);
                one_by_one += &contribution.tally(&bounds());
                together.change(&contribution, Sign::Add);
            }
            assert_eq!(together.tally(&bounds()), one_by_one, "{queue}");
        }
    }

    #[test]
    fn what_is_taken_out_leaves_nothing() {
        let mut sums = Sums::<Seconds>::default();
        for sign in [Sign::Add, Sign::Remove] {
            for (queue, facts) in files() {
                sums.change(&Contribution::of(queue, &facts), sign);
            }
        }
        assert_eq!(sums, Sums::default());
    }

    #[test]
    fn each_bound_stands_where_the_tally_says() {
        let tally = |queue, facts: FileFacts| Contribution::of(queue, &facts).tally(&bounds());
        let delay = Settings::default().queue_run_delay;
        for (mtime, overdue, column) in [
            (NOW - delay - 1, 1, 0),
            (NOW - delay, 0, 0),
            (NOW, 0, 0),
            (NOW + 1, 0, 1),
            (NOW + 300, 0, 1),
            (NOW + 301, 0, 2),
            (NOW + 4800, 0, 5),
            (NOW + 4801, 0, 6),
        ] {
            let tally = tally(Queue::Deferred, message(0o700, mtime, None));
            assert_eq!(tally.overdue, overdue, "{mtime}");
            assert_eq!(
                tally.retries.iter().position(|count| *count == 1),
                Some(column)
            );
            assert_eq!(tally.retries.iter().sum::<u64>(), 1);
        }
        for (arrival, oldest, ageless, arrived) in [
            (None, None, 1, 0),
            (Some(NOW - 11), Some(NOW - 11), 0, 0),
            (Some(NOW - 10), Some(NOW - 10), 0, 0),
            (Some(NOW - 9), Some(NOW - 9), 0, 1),
            (Some(NOW + DAY), Some(NOW + DAY), 0, 1),
            (Some(NOW + DAY + 1), None, 1, 0),
        ] {
            let tally = tally(Queue::Active, message(0o700, NOW, arrival));
            assert_eq!(
                (tally.oldest, tally.ageless, tally.arrived),
                (oldest, ageless, arrived),
                "{arrival:?}"
            );
            assert_eq!(
                tally.retries.iter().sum::<u64>(),
                0,
                "active is not retried"
            );
        }
    }

    #[test]
    fn corrupt_and_maildrop_have_their_own_rules() {
        let tally = |queue| Contribution::of(queue, &message(0o755, NOW, None)).tally(&bounds());
        assert_eq!(tally(Queue::Corrupt).damaged, 0);
        assert_eq!(tally(Queue::Hold).damaged, 1);
        assert_eq!(tally(Queue::Maildrop).altered, 0);
        assert_eq!(tally(Queue::Incoming).altered, 1);
    }
}
