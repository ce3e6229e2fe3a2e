//! Which daemons of an instance run, asked while its queues are scanned.

use crate::instance::{Instance, Master, QueueManager, master};
use crate::threads::{Thread, record, spawn};

/// Which daemons of an instance run, at one look.
#[derive(Debug)]
pub(crate) struct Daemons {
    pub(crate) master: Master,
    pub(crate) qmgr: QueueManager,
}

impl Daemons {
    pub(crate) fn of(instance: &Instance) -> Daemons {
        let master = master(&instance.queue_directory);
        let daemons = Daemons {
            qmgr: QueueManager::look(instance, &master),
            master,
        };
        record(log::Level::Trace, "queuewatch::snapshot", || {
            let path = crate::escape::path(&instance.queue_directory);
            format!(
                "{path}: master: {:?}; qmgr: {:?}",
                daemons.master, daemons.qmgr
            )
        });
        daemons
    }

    pub(super) fn not_asked() -> Daemons {
        let why = "only names were counted";
        Daemons {
            master: Master::Unknown(why.to_owned()),
            qmgr: QueueManager::Unknown(why.to_owned()),
        }
    }
}

/// Which daemons of the instance run, and what `scan` gives. With `another` thread allowed, one asks while
/// the other scans: to read /proc/locks the kernel waits some 10 ms for all processors (locks_start() in
/// its fs/locks.c).
pub(super) fn daemons_meanwhile<T>(
    instance: &Instance,
    another: bool,
    scan: impl FnOnce() -> T,
) -> (Daemons, T) {
    let ask = || Daemons::of(instance);
    // If master was never started, there is no lock to look for.
    if !another || !instance.queue_directory.join("pid/master.pid").exists() {
        return (ask(), scan());
    }
    std::thread::scope(|threads| {
        let asking = spawn(threads, "queuewatch-ask", ask);
        let scanned = scan();
        // Without a thread for it, it is asked here.
        (asking.and_then(Thread::join).unwrap_or_else(ask), scanned)
    })
}
