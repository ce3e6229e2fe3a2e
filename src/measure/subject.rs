//! What a measure is about: a queue, several queues, the spool, its disk, or a daemon.

use super::spelling::quoted;
use crate::error::{Error, ErrorKind, Result};
use crate::postfix::queue::{Queue, QueueSet};

/// What a measure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One queue.
    Queue(Queue),
    /// maildrop, incoming, active and deferred.
    Backlog,
    /// The backlog and hold.
    Total,
    /// The spool as a whole.
    Spool,
    /// The file system that holds it.
    Disk,
    /// The master daemon.
    Master,
    /// The queue manager.
    Qmgr,
}

impl Subject {
    /// The deferred queue, which has additional measures.
    pub(crate) const DEFERRED: Subject = Subject::Queue(Queue::Deferred);

    /// The queues that it includes.
    pub(crate) fn queues(self) -> QueueSet {
        match self {
            Subject::Queue(queue) => queue.into(),
            Subject::Backlog => QueueSet::BACKLOG,
            Subject::Total => QueueSet::TOTAL,
            Subject::Spool => QueueSet::ALL,
            Subject::Disk | Subject::Master | Subject::Qmgr => QueueSet::NONE,
        }
    }

    /// The queues of `name`, which is a queue, backlog or total.
    ///
    /// # Errors
    /// Of kind `NotFound`, with a list of the valid names.
    pub fn queues_named(name: &str) -> Result<QueueSet> {
        let queues = Subject::from_name(name).map(Subject::queues);
        match queues {
            Some(queues) if name != "spool" && !queues.is_empty() => Ok(queues),
            _ => Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "no queue is called {}; there are maildrop, incoming, active, deferred, hold, \
                     corrupt, backlog, total",
                    quoted(name)
                ),
            )),
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Subject> {
        Some(match name {
            "backlog" => Subject::Backlog,
            "total" => Subject::Total,
            "spool" => Subject::Spool,
            "disk" => Subject::Disk,
            "master" => Subject::Master,
            "qmgr" => Subject::Qmgr,
            _ => Subject::Queue(Queue::from_name(name)?),
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Subject::Queue(queue) => queue.name(),
            Subject::Backlog => "backlog",
            Subject::Total => "total",
            Subject::Spool => "spool",
            Subject::Disk => "disk",
            Subject::Master => "master",
            Subject::Qmgr => "qmgr",
        }
    }
}
