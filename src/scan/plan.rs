//! What a scan reads of which queue.

use crate::postfix::queue::{Queue, QueueSet};

/// How much of a queue is read. No more is read than a rule or an output needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// Names, from directories alone.
    Names,
    /// Also modes and times.
    Inodes,
    /// Also envelopes.
    Envelopes,
    /// Also delay reasons: a second file for each message.
    Reasons,
}

/// The messages whose header section is read. It is in the first bytes of the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Headers {
    /// No messages.
    #[default]
    None,
    /// Messages without a recorded client: their headers name the local user who submitted them.
    Local,
    /// All messages.
    All,
}

/// What to read of each queue. `None` leaves a queue out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    depths: [Option<Depth>; Queue::ALL.len()],
    /// True if [`Depth::Reasons`] includes the reasons of recipients that were given up.
    pub(crate) bounces: bool,
    /// True if delay reasons are optional: they get half of the time, so that the rest is complete when the
    /// time is up.
    pub(crate) reasons_last: bool,
    /// The messages whose headers are read.
    pub(crate) headers: Headers,
    /// True if listings read the origins of messages.
    pub(crate) origins: bool,
    /// True if envelopes are read as showq(8) reads them, damaged ones to their end.
    pub(crate) as_showq: bool,
}

impl Plan {
    /// Reads all of `queues` at the same depth.
    pub(crate) fn new(queues: QueueSet, depth: Depth) -> Self {
        let mut plan = Plan {
            depths: [None; Queue::ALL.len()],
            bounces: false,
            reasons_last: false,
            headers: Headers::None,
            origins: false,
            as_showq: false,
        };
        for queue in queues.iter() {
            plan.depths[queue.index()] = Some(depth);
        }
        plan
    }

    /// Reads `queue` at least as deep as `depth`.
    pub(crate) fn deepen(&mut self, queue: Queue, depth: Depth) {
        let old = &mut self.depths[queue.index()];
        *old = Some(old.map_or(depth, |old| old.max(depth)));
    }

    /// Returns how deep `queue` is read.
    pub(crate) fn depth(&self, queue: Queue) -> Option<Depth> {
        self.depths[queue.index()]
    }

    /// Returns true if the delay reasons of any queue are read.
    pub(super) fn reads_logs(self) -> bool {
        self.depths.contains(&Some(Depth::Reasons))
    }

    /// Returns the queues that are read.
    pub fn queues(&self) -> QueueSet {
        Queue::ALL
            .into_iter()
            .filter(|queue| self.depth(*queue).is_some())
            .fold(QueueSet::NONE, QueueSet::with)
    }
}
