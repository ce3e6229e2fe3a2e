//! What a watch tells of single messages, and of itself.

use std::collections::VecDeque;

use super::ledger::{EntryId, Ledger};
use crate::postfix::queue::Queue;

/// Events that wait to be pulled; the oldest are dropped, and counted, when there are more.
pub const MAX_EVENTS: usize = 1 << 14;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A message is there that was not.
    Arrived,
    /// A message went from one queue to another.
    Moved,
    /// A message is gone: delivered, bounced, expired or deleted.
    Left,
    /// A message in its place is another than before: a recipient done with, a new delay reason, a mode.
    Changed,
    /// Everything was looked at again, for the reason told: there may have been changes without events.
    Rescanned,
    /// Events of the kernel cannot be had, for the reason told: everything is looked at from time to time.
    Blind,
    /// So many events were dropped, for nobody pulled them.
    Dropped,
}

impl EventKind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Arrived => "arrived",
            EventKind::Moved => "moved",
            EventKind::Left => "left",
            EventKind::Changed => "changed",
            EventKind::Rescanned => "rescanned",
            EventKind::Blind => "blind",
            EventKind::Dropped => "dropped",
        }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The instance; empty where it is about none.
    pub instance: String,
    /// Where the message is, or was when it left.
    pub queue: Option<Queue>,
    /// Where a moved message was before.
    pub from: Option<Queue>,
    /// Its queue ID; empty where it is about none.
    pub queue_id: Vec<u8>,
    /// Its recipients still to be delivered.
    pub recipients: u64,
    /// The size that mailq prints, in bytes.
    pub size: u64,
    /// When it arrived, in seconds of the epoch, if that is known.
    pub arrival: Option<i64>,
    /// The reason of what is about no message, harmless to print.
    pub reason: String,
}

impl Event {
    /// An event of the watch itself.
    pub(super) fn of_watch(kind: EventKind, instance: &str, reason: String) -> Event {
        Event {
            kind,
            instance: instance.to_owned(),
            queue: None,
            from: None,
            queue_id: Vec::new(),
            recipients: 0,
            size: 0,
            arrival: None,
            reason,
        }
    }

    /// An event of the message that `ledger` has as `id`, in the first queue, and before in the second.
    pub(super) fn of_message(
        kind: EventKind,
        instance: &str,
        (queue, from): (Queue, Option<Queue>),
        ledger: &Ledger,
        id: EntryId,
    ) -> Event {
        let entry = ledger.entry(id);
        Event {
            kind,
            instance: instance.to_owned(),
            queue: Some(queue),
            from,
            queue_id: ledger.name(id).to_vec(),
            recipients: ledger.recipients(id),
            size: entry.size,
            arrival: entry.arrival(),
            reason: String::new(),
        }
    }
}

/// Events that wait.
#[derive(Debug, Default)]
pub(super) struct Events {
    waiting: VecDeque<Event>,
    dropped: u64,
}

impl Events {
    pub(super) fn push(&mut self, event: Event) {
        if self.waiting.len() >= MAX_EVENTS {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(event);
    }

    /// An event of a message, as [`Event::of_message`] makes it.
    pub(super) fn tell(
        &mut self,
        kind: EventKind,
        instance: &str,
        queues: (Queue, Option<Queue>),
        ledger: &Ledger,
        id: EntryId,
    ) {
        self.push(Event::of_message(kind, instance, queues, ledger, id));
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        if self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            let reason =
                format!("{dropped} events were dropped, for nobody asked for them in time");
            return Some(Event::of_watch(EventKind::Dropped, "", reason));
        }
        self.waiting.pop_front()
    }
}
