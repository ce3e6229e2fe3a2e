//! The messages of every instance of a snapshot, one by one.
//!
//! A snapshot holds sums and no messages, so this reads the spools again: mail that moved since is
//! where it is now.

use std::sync::Arc;

use super::{InstanceSnapshot, Snapshot};
use crate::error::Result;
use crate::listing::pick::Context;
use crate::postfix::queue::QueueSet;
use crate::scan::{Depth, Headers, MessageRow, Messages, Spool};

/// A cursor over messages; uses the caller's thread alone, and memory for one message.
#[derive(Debug)]
pub struct SnapshotMessages {
    snapshot: Arc<Snapshot>,
    queues: QueueSet,
    depth: Depth,
    /// The instance after the present one.
    next: usize,
    present: Option<(Messages, Context)>,
    unreadable: u64,
}

impl SnapshotMessages {
    /// A cursor over the messages of `queues` in the instances of `snapshot`, but for the queues that
    /// it left out and those that its filters do not pick; at [`Depth::Reasons`] with delay reasons.
    pub fn new(snapshot: Arc<Snapshot>, queues: QueueSet, depth: Depth) -> Self {
        let excluded = snapshot.excluded;
        SnapshotMessages {
            snapshot,
            queues: excluded.iter().fold(queues, QueueSet::without),
            depth,
            next: 0,
            present: None,
            unreadable: 0,
        }
    }

    /// Goes to the next message; false after the last.
    ///
    /// # Errors
    /// If the queue directory of the next instance cannot be entered; the call after that goes on
    /// with the one behind it.
    pub fn advance(&mut self) -> Result<bool> {
        loop {
            if let Some((present, context)) = &mut self.present {
                while present.advance() {
                    if self.snapshot.pick.takes(present.row(), context) {
                        return Ok(true);
                    }
                }
                self.unreadable += present.unreadable();
                self.present = None;
            }
            let Some(taken) = self.snapshot.instances.get(self.next) else {
                return Ok(false);
            };
            self.next += 1;
            let spool = Spool::of(&taken.instance)?;
            let messages = Messages::new(&spool, self.queues, self.depth)
                .with_headers(self.snapshot.pick.needs_headers().max(Headers::Local));
            let context = Context::of(&taken.instance, self.snapshot.now);
            self.present = Some((messages, context));
        }
    }

    /// The message gone to, and its instance.
    pub fn row(&self) -> Option<(&InstanceSnapshot, &MessageRow)> {
        let taken = self.snapshot.instances.get(self.next.checked_sub(1)?)?;
        Some((taken, self.present.as_ref()?.0.row()))
    }

    /// Directories and files that could not be read up to here.
    pub fn unreadable(&self) -> u64 {
        let present = self.present.as_ref();
        self.unreadable + present.map_or(0, |(messages, _)| messages.unreadable())
    }
}
