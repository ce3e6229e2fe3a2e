//! The daemons of the watched spools, looked at for each snapshot. An earlier look is the first of the two
//! that prove a queue manager gone, so that no snapshot waits for the second.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::instance::{Instance, Master, Missing, QueueManager, Starts};
use crate::snapshot::Daemons;
use crate::sys::SinceBoot;

/// What is known of the daemons of each queue directory. A rescan of the queues leaves it as it is.
#[derive(Debug, Default)]
pub(super) struct Lookout(BTreeMap<PathBuf, Known>);

#[derive(Debug, Default)]
struct Known {
    /// The first look at which the queue manager was missing, if it is missing now.
    missing: Option<Missing>,
    starts: Starts,
}

/// The daemons of one spool at one moment.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) master: Master,
    pub(super) qmgr: QueueManager,
    pub(super) qmgr_starts: Starts,
}

impl Lookout {
    /// Looks at the daemons of `instance`.
    pub(super) fn look(&mut self, instance: &Instance, now: Option<SinceBoot>) -> Seen {
        let known = self.0.entry(instance.queue_directory.clone()).or_default();
        let Daemons { master, qmgr } = Daemons::of(instance);
        let qmgr = known.judge(qmgr);
        if let (QueueManager::Running(process), Some(now)) = (&qmgr, now) {
            known.starts.note(now.seconds, *process);
        }
        Seen {
            master,
            qmgr,
            qmgr_starts: known.starts.clone(),
        }
    }
}

impl Known {
    fn judge(&mut self, look: QueueManager) -> QueueManager {
        let QueueManager::Missing(now) = &look else {
            self.missing = None;
            return look;
        };
        match &self.missing {
            Some(first) if now.is_of_same_master(first) => look.after(first),
            _ => {
                self.missing = Some(now.clone());
                look
            }
        }
    }
}
