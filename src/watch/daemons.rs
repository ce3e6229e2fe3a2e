//! The daemons of the watched spools. Each snapshot checks them. The check of an earlier snapshot is the first of the
//! two that prove a queue manager gone, so that no snapshot waits for the second.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::instance::{Instance, Master, Missing, QueueManager, Starts};
use crate::snapshot::Daemons;
use crate::sys::SinceBoot;

/// What is known of the daemons of each queue directory. A rescan of the queues leaves it as it is.
#[derive(Debug, Default)]
pub(super) struct DaemonWatch(BTreeMap<PathBuf, Known>);

#[derive(Debug, Default)]
struct Known {
    /// The first check at which the queue manager was missing, if it is missing now.
    missing: Option<Missing>,
    starts: Starts,
}

/// The daemons of one spool at one moment.
#[derive(Debug)]
pub(super) struct DaemonStates {
    pub(super) master: Master,
    pub(super) qmgr: QueueManager,
    pub(super) qmgr_starts: Starts,
}

impl DaemonWatch {
    /// Checks the daemons of `instance`.
    pub(super) fn check(&mut self, instance: &Instance, now: Option<SinceBoot>) -> DaemonStates {
        let known = self.0.entry(instance.queue_directory.clone()).or_default();
        let Daemons { master, qmgr } = Daemons::of(instance);
        let qmgr = known.judge(qmgr);
        if let (QueueManager::Running(process), Some(now)) = (&qmgr, now) {
            known.starts.note(now.seconds, *process);
        }
        DaemonStates {
            master,
            qmgr,
            qmgr_starts: known.starts.clone(),
        }
    }
}

impl Known {
    fn judge(&mut self, found: QueueManager) -> QueueManager {
        let QueueManager::Missing(now) = &found else {
            self.missing = None;
            return found;
        };
        match &self.missing {
            Some(first) if now.is_of_same_master(first) => found.after(first),
            _ => {
                self.missing = Some(now.clone());
                found
            }
        }
    }
}
