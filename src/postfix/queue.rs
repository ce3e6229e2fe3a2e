//! The six queues that hold messages, and sets of them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

/// A queue directory that holds messages (postfix.md, "Queue directories"), in the order in which
/// perfdata names them.
///
/// ```
/// use queuewatch::Queue;
///
/// assert_eq!("hold".parse::<Queue>()?, Queue::Hold);
/// # Ok::<(), queuewatch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Queue {
    /// Being delivered: read by qmgr, bounded by `qmgr_message_active_limit`.
    Active,
    /// Tried, and waiting for its next retry.
    Deferred,
    /// Received, and not yet seen by qmgr.
    Incoming,
    /// Kept back by an administrator or a policy until it is released.
    Hold,
    /// Submitted on this host, and not yet picked up.
    Maildrop,
    /// Moved here by Postfix because the file is damaged.
    Corrupt,
}

impl Queue {
    /// Every queue, in the order of perfdata (contract.md, "Performance data").
    pub const ALL: [Queue; 6] = [
        Queue::Active,
        Queue::Deferred,
        Queue::Incoming,
        Queue::Hold,
        Queue::Maildrop,
        Queue::Corrupt,
    ];

    /// The name of the directory below `queue_directory`.
    pub const fn name(self) -> &'static str {
        match self {
            Queue::Active => "active",
            Queue::Deferred => "deferred",
            Queue::Incoming => "incoming",
            Queue::Hold => "hold",
            Queue::Maildrop => "maildrop",
            Queue::Corrupt => "corrupt",
        }
    }

    /// Returns the queue of that name, in Postfix's spelling.
    pub fn from_name(name: &str) -> Option<Queue> {
        Queue::ALL.into_iter().find(|queue| queue.name() == name)
    }

    /// Returns its index in [`Queue::ALL`], for tables with one row a queue.
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl FromStr for Queue {
    type Err = Error;

    fn from_str(name: &str) -> Result<Queue> {
        Queue::from_name(name).ok_or_else(|| {
            let shown = crate::escape::printable(name.as_bytes(), 64);
            let names = Queue::ALL.map(Queue::name).join(", ");
            Error::new(ErrorKind::Syntax, format!("there is no queue {shown}"))
                .with_remedy(format!("queues are {names}"))
        })
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of queues.
///
/// ```
/// use queuewatch::{Queue, QueueSet};
///
/// let deferred: Queue = "deferred".parse()?;
/// let both = QueueSet::from(deferred).with(Queue::Hold);
/// let names: Vec<&str> = both.iter().map(Queue::name).collect();
/// assert_eq!(names, ["deferred", "hold"]);
/// # Ok::<(), queuewatch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct QueueSet(u8);

impl QueueSet {
    /// No queue.
    pub const NONE: QueueSet = QueueSet(0);
    /// maildrop, incoming, active and deferred: mail that Postfix moves by itself.
    pub(crate) const BACKLOG: QueueSet = QueueSet::NONE
        .with(Queue::Maildrop)
        .with(Queue::Incoming)
        .with(Queue::Active)
        .with(Queue::Deferred);
    /// The backlog and hold: mail that is still to be delivered.
    pub const TOTAL: QueueSet = QueueSet::BACKLOG.with(Queue::Hold);
    /// Every queue.
    pub const ALL: QueueSet = QueueSet::TOTAL.with(Queue::Corrupt);

    /// Returns this set and `queue`.
    #[must_use]
    pub const fn with(self, queue: Queue) -> QueueSet {
        QueueSet(self.0 | 1 << queue as u8)
    }

    /// Returns this set without `queue`.
    #[must_use]
    pub const fn without(self, queue: Queue) -> QueueSet {
        QueueSet(self.0 & !(1 << queue as u8))
    }

    /// Returns the queues that are in both sets.
    #[must_use]
    pub const fn and(self, other: QueueSet) -> QueueSet {
        QueueSet(self.0 & other.0)
    }

    /// Returns the queues that are in either set.
    #[must_use]
    pub const fn or(self, other: QueueSet) -> QueueSet {
        QueueSet(self.0 | other.0)
    }

    /// Returns true if `queue` is in the set.
    pub const fn contains(self, queue: Queue) -> bool {
        self.0 & 1 << queue as u8 != 0
    }

    /// Returns true if the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the queues of the set, in the order of [`Queue::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Queue> {
        Queue::ALL
            .into_iter()
            .filter(move |queue| self.contains(*queue))
    }
}

impl From<Queue> for QueueSet {
    fn from(queue: Queue) -> QueueSet {
        QueueSet::NONE.with(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_queue_has_one_name_and_one_place() {
        for (place, queue) in Queue::ALL.into_iter().enumerate() {
            assert_eq!(Queue::from_name(queue.name()), Some(queue));
            assert_eq!(queue.index(), place);
        }
        assert_eq!(Queue::from_name("Deferred"), None);
        assert_eq!(Queue::from_name("bounce"), None);
        assert_eq!("hold".parse::<Queue>().unwrap(), Queue::Hold);
        let error = "bounce".parse::<Queue>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert!(error.to_string().starts_with("there is no queue bounce"));
    }

    #[test]
    fn backlog_and_total_are_what_the_contract_says() {
        let names = |set: QueueSet| set.iter().map(Queue::name).collect::<Vec<_>>().join(" ");
        assert_eq!(
            names(QueueSet::BACKLOG),
            "active deferred incoming maildrop"
        );
        assert_eq!(
            names(QueueSet::TOTAL),
            "active deferred incoming hold maildrop"
        );
        assert_eq!(
            names(QueueSet::ALL.without(Queue::Hold)),
            "active deferred incoming maildrop corrupt"
        );
        assert!(QueueSet::NONE.is_empty());
    }
}
