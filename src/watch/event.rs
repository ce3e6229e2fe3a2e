//! The events that a watch reports: of single messages, and of itself.

use std::collections::VecDeque;

use super::about::About;
use super::ledger::{EntryId, Ledger};
use crate::postfix::queue::Queue;

/// How many events are kept for the host. Beyond that the oldest are dropped and counted.
pub(crate) const MAX_EVENTS: usize = 1 << 14;

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A message is new.
    Arrived,
    /// A message moved from one queue to another.
    Moved,
    /// A message is gone: delivered, bounced, expired or deleted.
    Left,
    /// A message changed in place: a recipient done, a new delay reason, another mode.
    Changed,
    /// Everything was rescanned, for the given reason. Changes before it may have no events.
    Rescanned,
    /// There are no inotify events, for the given reason. The watch looks at everything from time to time.
    Blind,
    /// Events were dropped because the queue of events was full.
    Dropped,
}

impl EventKind {
    /// Returns its name.
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
    /// The kind.
    pub kind: EventKind,
    /// The instance; empty if the event is about none.
    pub instance: String,
    /// The queue of the message, or the one that it left.
    pub queue: Option<Queue>,
    /// The queue that a moved message came from.
    pub from: Option<Queue>,
    /// The queue ID; empty if the event is about no message.
    pub queue_id: Vec<u8>,
    /// The number of recipients still to be delivered.
    pub recipients: u64,
    /// The size that mailq prints, in bytes.
    pub size: u64,
    /// The arrival time, in seconds of the epoch, if it is known.
    pub arrival: Option<i64>,
    /// What the message says, if it could be read when the event was pulled.
    pub about: Option<About>,
    /// The reason of an event that is about no message. It is safe to print.
    pub reason: String,
}

impl Event {
    /// Makes an event of the watch itself.
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
            about: None,
            reason,
        }
    }

    /// Makes an event of the message `id` of `ledger`, in the first queue, and before in the second.
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
            about: None,
            reason: String::new(),
        }
    }
}

/// The events that the host has not read yet.
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

    /// Adds an event of a message, as [`Event::of_message`] makes it.
    pub(super) fn report(
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
                format!("{dropped} events were dropped because they were not read in time");
            return Some(Event::of_watch(EventKind::Dropped, "", reason));
        }
        self.waiting.pop_front()
    }
}
