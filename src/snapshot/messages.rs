//! The messages of every instance of a snapshot, one by one.
//!
//! A snapshot holds sums and no messages, so this reads the spools again. A message that moved since then is
//! reported in its present queue.

use std::sync::Arc;

use super::{InstanceSnapshot, Snapshot};
use crate::control;
use crate::error::Result;
use crate::listing::pick::Context;
use crate::postfix::queue::QueueSet;
use crate::scan::{Depth, Headers, MessageRow, Messages, Spool};

/// A cursor over messages. It uses only the caller's thread, and memory for one message.
#[derive(Debug)]
pub(crate) struct SnapshotMessages {
    snapshot: Arc<Snapshot>,
    queues: QueueSet,
    depth: Depth,
    /// The index of the instance after the present one.
    next: usize,
    present: Option<(Messages, Context)>,
    unreadable: u64,
}

impl SnapshotMessages {
    /// Opens a cursor over the messages of `queues` in the instances of `snapshot`, without excluded queues and
    /// messages that its filters do not pick; at [`Depth::Reasons`] with delay reasons.
    pub(crate) fn new(snapshot: Arc<Snapshot>, queues: QueueSet, depth: Depth) -> Self {
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

    /// Moves to the next message. Returns false after the last.
    ///
    /// # Errors
    /// If the queue directory of the next instance cannot be opened. The next call goes on with the instance
    /// after it.
    pub(crate) fn advance(&mut self) -> Result<bool> {
        loop {
            if let Some((present, context)) = &mut self.present {
                while present.advance() {
                    if self.snapshot.pick.takes(present.row(), context) {
                        return Ok(true);
                    }
                    // A filter may skip a whole queue. The caller sees that the call was stopped.
                    if control::is_stopped() {
                        return Ok(false);
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

    /// Returns the present message and its instance.
    pub(crate) fn row(&self) -> Option<(&InstanceSnapshot, &MessageRow)> {
        let taken = self.snapshot.instances.get(self.next.checked_sub(1)?)?;
        Some((taken, self.present.as_ref()?.0.row()))
    }

    /// Returns how many directories and files could not be read so far.
    pub(crate) fn unreadable(&self) -> u64 {
        let present = self.present.as_ref();
        self.unreadable + present.map_or(0, |(messages, _)| messages.unreadable())
    }
}
