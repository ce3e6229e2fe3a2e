//! The fire drill: spools of generated mail for rehearsals, tests and benchmarks.
//!
//! [`make`] creates a queue directory from a [`Plan`] and returns [`GeneratedSpool`], a record of its content.
//! Postfix's own tools accept the directory. This is the only module that writes queue files. It writes
//! only to a directory that is absent or empty and lies outside every real spool.
//!
//! ```
//! use queuewatch::drill::{make, Plan};
//! use queuewatch::postfix::queue::Queue;
//!
//! # let parent = tempfile::tempdir().unwrap();
//! # let directory = parent.path().join("spool");
//! let plan = Plan { messages: 50, ..Plan::at(1_700_000_000) };
//! let made = make(&directory, &plan, &mut |_done, _of| {})?;
//! assert_eq!(made.total().messages, 50);
//! assert_eq!(made.queue(Queue::Deferred).oldest, Some(1_700_000_000 - plan.oldest));
//! # Ok::<(), queuewatch::error::Error>(())
//! ```
//!
//! [`QueueFile`] builds the bytes of a single queue file, including malformed ones.

mod defer_log;
mod mail;
mod people;
mod queue_file;
mod random;
mod spool;
mod target;

pub use defer_log::{Delay, push_entry};
pub(crate) use mail::Mail;
pub use mail::Message;
pub use queue_file::{QueueFile, RecipientState, push_record};
pub use spool::make;

use crate::error::{Error, ErrorKind, Result};
use crate::postfix::queue::Queue;
use std::path::PathBuf;

/// The largest `hash_queue_depth` of a drill: more than the five characters of microseconds in a queue
/// ID.
const MAX_HASH_DEPTH: usize = 8;

/// Later times do not fit the six characters for seconds in a long queue ID (year 2596).
const MAX_NOW: i64 = 52i64.pow(6) - 1;

/// The largest typical body, in bytes. The largest message is sixteen times as long.
const MAX_BODY_BYTES: u32 = 64 << 20;

/// Which mail to generate. The same plan gives the same mail in every version and on every machine. Only
/// queue IDs differ, because they contain inode numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many messages.
    pub messages: u64,
    /// The maximum number of destination domains, 1 or more. A few of them receive most of the mail; the
    /// biggest one, two or three have an outage.
    pub domains: u64,
    /// The age of the oldest message, seconds.
    pub oldest: i64,
    /// The seed of the random numbers.
    pub seed: u64,
    /// Whether to use long queue IDs, as with `enable_long_queue_ids = yes`.
    pub long_ids: bool,
    /// The time from which ages are counted, in seconds since the epoch.
    pub now: i64,
    /// `hash_queue_depth` for deferred and defer: 0 to 8; Postfix's default is 1.
    pub hash_depth: usize,
    /// The relative share of messages in each queue, in the order of [`Queue::ALL`].
    pub shares: [u32; Queue::ALL.len()],
    /// The typical size of a message body, in bytes. Some bodies are a quarter of it, a few up to
    /// sixteen times as long.
    pub body_bytes: u32,
}

impl Plan {
    /// A mail host with outages at `now`, in seconds since the epoch: 1,000 messages up to three days
    /// old. Most are deferred, mainly for three big destinations, and many come from one sender.
    pub fn at(now: i64) -> Plan {
        Plan {
            messages: 1000,
            domains: 200,
            oldest: 3 * 86400,
            seed: 1,
            long_ids: false,
            now,
            hash_depth: 1,
            shares: [60, 850, 20, 40, 30, 0],
            body_bytes: 1500,
        }
    }

    /// The messages of this plan, in the order in which [`make`] writes them.
    pub fn mail(&self) -> Mail {
        Mail::new(self)
    }

    /// The number of messages in each queue. Shares are rounded so that the sum is exact.
    fn messages_per_queue(&self) -> [u64; Queue::ALL.len()] {
        let whole: u128 = self.shares.iter().map(|&share| u128::from(share)).sum();
        let (mut sum, mut given) = (0, 0);
        self.shares.map(|share| {
            sum += u128::from(share);
            let up_to = (u128::from(self.messages) * sum)
                .checked_div(whole)
                .map_or(0, |share| share as u64);
            let of_queue = up_to - given;
            given = up_to;
            of_queue
        })
    }

    /// Rejects a plan from which no spool can be made; the error names the field.
    fn check(&self) -> Result<()> {
        let refuse = |field: &str, found: &dyn std::fmt::Display, remedy: String| {
            let message = format!("drill: {field} is {found}");
            Err(Error::new(ErrorKind::Invalid, message).with_remedy(remedy))
        };
        if self.domains == 0 {
            return refuse("domains", &self.domains, "give 1 or more".into());
        }
        if !(0..=MAX_NOW).contains(&self.now) {
            let remedy = format!("give seconds of the epoch, 0 to {MAX_NOW}");
            return refuse("now", &self.now, remedy);
        }
        if !(0..=self.now).contains(&self.oldest) {
            let remedy = format!("give an age of 0 to {} seconds", self.now);
            return refuse("oldest", &self.oldest, remedy);
        }
        if self.hash_depth > MAX_HASH_DEPTH {
            let remedy = format!("give 0 to {MAX_HASH_DEPTH}");
            return refuse("hash_depth", &self.hash_depth, remedy);
        }
        if self.body_bytes > MAX_BODY_BYTES {
            let remedy = format!("give at most {MAX_BODY_BYTES} bytes");
            return refuse("body_bytes", &self.body_bytes, remedy);
        }
        if self.messages > 0 && self.shares.iter().all(|&share| share == 0) {
            return refuse("every share", &0, "give one queue a share of 1".into());
        }
        Ok(())
    }
}

impl Default for Plan {
    /// [`Plan::at`] the first second of 2026 (UTC). A fixed time keeps the default reproducible.
    fn default() -> Plan {
        Plan::at(1_767_225_600)
    }
}

/// The totals of one queue of a generated spool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages.
    pub messages: u64,
    /// Recipients that are not yet delivered.
    pub recipients: u64,
    /// Recipients that have been delivered.
    pub done: u64,
    /// The sum of the message sizes that mailq prints, in bytes.
    pub bytes: u64,
    /// The arrival time of the oldest message, in seconds since the epoch.
    pub oldest: Option<i64>,
}

impl Totals {
    /// Adds a message; `size` is its size in bytes as mailq prints it.
    pub fn count(&mut self, message: &Message, size: u64) {
        let todo = message.todo().count() as u64;
        self.add(&Totals {
            messages: 1,
            recipients: todo,
            done: message.recipients.len() as u64 - todo,
            bytes: size,
            oldest: Some(message.arrival),
        });
    }

    fn add(&mut self, other: &Totals) {
        self.messages += other.messages;
        self.recipients += other.recipients;
        self.done += other.done;
        self.bytes += other.bytes;
        self.oldest = self.oldest.into_iter().chain(other.oldest).min();
    }
}

/// The content of a generated spool: the figures that a scan must report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedSpool {
    /// The queue directory.
    pub directory: PathBuf,
    /// The totals of each queue, in the order of [`Queue::ALL`]. Files in corrupt are truncated; their
    /// totals describe the mail before truncation.
    pub queues: [Totals; Queue::ALL.len()],
}

impl GeneratedSpool {
    /// The totals of `queue`.
    pub fn queue(&self, queue: Queue) -> &Totals {
        &self.queues[queue.index()]
    }

    /// The totals of all queues, including corrupt.
    pub fn total(&self) -> Totals {
        let mut total = Totals::default();
        for queue in &self.queues {
            total.add(queue);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_kept_and_add_up() {
        let counts = |messages, shares| {
            let plan = Plan {
                messages,
                shares,
                ..Plan::default()
            };
            plan.messages_per_queue()
        };
        assert_eq!(
            counts(1000, Plan::default().shares),
            [60, 850, 20, 40, 30, 0]
        );
        assert_eq!(counts(10, [1, 1, 1, 0, 0, 0]), [3, 3, 4, 0, 0, 0]);
        assert_eq!(counts(u64::MAX, [0, u32::MAX, 0, 0, 0, 0])[1], u64::MAX);
        assert_eq!(counts(0, [0; 6]), [0; 6]);
    }

    #[test]
    fn a_plan_that_makes_no_spool_is_refused_with_a_remedy() {
        let good = Plan::default();
        for (plan, text) in [
            (
                Plan {
                    domains: 0,
                    ..good.clone()
                },
                "drill: domains is 0; give 1 or more",
            ),
            (
                Plan {
                    oldest: -1,
                    ..good.clone()
                },
                "drill: oldest is -1; give an age of 0 to 1767225600 seconds",
            ),
            (
                Plan {
                    now: -5,
                    ..good.clone()
                },
                "drill: now is -5; give seconds of the epoch, 0 to 19770609663",
            ),
            (
                Plan {
                    hash_depth: 9,
                    ..good.clone()
                },
                "drill: hash_depth is 9; give 0 to 8",
            ),
            (
                Plan {
                    body_bytes: u32::MAX,
                    ..good.clone()
                },
                "drill: body_bytes is 4294967295; give at most 67108864 bytes",
            ),
            (
                Plan {
                    shares: [0; 6],
                    ..good.clone()
                },
                "drill: every share is 0; give one queue a share of 1",
            ),
        ] {
            let error = plan.check().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert_eq!(error.to_string(), text);
        }
        good.check().expect("the default plan");
    }
}
