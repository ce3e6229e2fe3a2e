//! What a scan adds up to: sums, ages, names and gaps, for each queue of each instance.
//!
//! A [`Snapshot`] is immutable and says of everything whether it is whole. Merging what several
//! threads counted gives the same values in any order, as long as no table of names is full.

pub mod ages;
pub(crate) mod baseline;
pub(crate) mod contribution;
pub(crate) mod counter;
mod daemons;
pub(crate) mod delayed_mail;
pub(crate) mod destination;
mod examples;
pub mod filtered_reasons;
pub(crate) mod histogram;
pub(crate) mod lifetime;
pub(crate) mod logins;
mod messages;
pub(crate) mod name_counts;
pub mod named_domains;
pub mod oldest;
pub mod origins;
mod problem;
mod reason_cache;
mod reason_key;
pub mod reasons;
pub(crate) mod sample;
pub(crate) mod spread;
mod tables;
mod tally;

use std::sync::{Arc, Mutex, PoisonError};

pub use baseline::Previous;
pub(crate) use baseline::{Earlier, Traffic};
pub(crate) use daemons::Daemons;
use daemons::daemons_meanwhile;
pub(crate) use examples::{
    Damaged, Hidden, MAX_EXAMPLES, Misdated, Misplaced, fold_damaged, fold_misdated, fold_misowned,
    fold_misplaced,
};
pub use histogram::Seconds;
pub(crate) use messages::SnapshotMessages;
pub(crate) use name_counts::Names;
pub use problem::{Problem, ProblemKind};
pub(crate) use reasons::{Reason, Why};
use sample::Sampled;
pub(crate) use sample::{Sample, Sampling};
pub use tables::TableSet;
pub(crate) use tables::{CauseCounts, QueueTables, Recipients, Room, Tables};
pub(crate) use tally::RETRY_EDGES;
pub use tally::Tally;

use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::instance::{Instance, Master, QueueManager, Starts};
use crate::listing::Pick;
use crate::postfix::queue::{Queue, QueueSet};
use crate::scan::latest::Latest;
use crate::scan::oldest::Oldest;
use crate::scan::{Gap, Misowned, Plan, Spool, fold_gaps};
use crate::sys::{Disk, SinceBoot};
use crate::threads::{Readers, spawn};
use contribution::Bounds;
use counter::{Common, Counter};
use delayed_mail::DelayedMail;

/// One instance's queues at one moment.
#[derive(Debug)]
pub struct InstanceSnapshot {
    /// Which instance.
    pub instance: Instance,
    /// What was read of which queue.
    #[doc(hidden)]
    pub plan: Plan,
    /// Which tables were made.
    #[doc(hidden)]
    pub wanted: TableSet,
    pub(crate) tallies: [Tally; Queue::ALL.len()],
    /// The tables.
    #[doc(hidden)]
    pub tables: Arc<Tables>,
    /// The first `MAX_EXAMPLES` gaps, by queue and path.
    pub gaps: Vec<Gap>,
    /// The first `MAX_EXAMPLES` damaged files, by queue and path.
    pub damaged: Vec<Damaged>,
    /// Free space of the file system that holds the spool, if it is known.
    #[doc(hidden)]
    pub disk: Option<Disk>,
    /// Whether master(8) runs.
    pub(crate) master: Master,
    /// Whether the queue manager lives.
    #[doc(hidden)]
    pub qmgr: QueueManager,
    /// The different queue managers that were seen lately.
    pub(crate) qmgr_starts: Starts,
    /// The first `MAX_EXAMPLES` files and directories whose owner or mode stops Postfix, by path.
    #[doc(hidden)]
    pub misowned: Vec<Misowned>,
    /// How many directories of queues, logs and sockets are among them.
    pub(crate) misowned_directories: u64,
    /// The first `MAX_EXAMPLES` messages where Postfix does not look for them, by path.
    pub(crate) misplaced: Vec<Misplaced>,
    /// The first `MAX_EXAMPLES` messages whose arrival time is in the future, by queue and path.
    pub(crate) misdated: Vec<Misdated>,
    /// Whether Postfix was never started on its spool.
    pub never_started: bool,
    /// The deferred messages that were tried last, if a sample may be asked for.
    pub(crate) latest: Latest,
    /// The places of the oldest messages, if they are asked for.
    pub(crate) oldest: Oldest,
    /// What the scan itself read of the delay reasons of deferred mail; a sample stands in for it.
    pub(crate) delayed_mail: DelayedMail,
    /// The sample of deferred mail: see [`InstanceSnapshot::sample`].
    pub(crate) sampled: Option<Arc<Sampled>>,
}

impl InstanceSnapshot {
    /// Scans the spool of `instance`.
    ///
    /// # Errors
    /// If its queue directory cannot be entered or is no spool.
    pub(crate) fn take(instance: Instance, request: &ScanRequest) -> Result<Self> {
        let spool = Spool::of(&instance)?;
        let common = Common {
            now: request.now,
            bounds: Bounds::new(request.now, request.since, &instance.settings),
            settings: &instance.settings,
            classifier: Arc::clone(&instance.classifier),
            left_out: Arc::clone(&instance.left_out),
            wanted: request.wanted,
            plan: request.plan,
            tables: Mutex::default(),
            latest: request.latest(),
            oldest: request.oldest,
        };
        let scan = || {
            spool.scan(&request.plan, request.readers, request.deadline, || {
                Counter::new(&common)
            })
        };
        let (daemons, counters) = match request.master {
            true => daemons_meanwhile(&instance, request.readers.most > 1, scan),
            false => (Daemons::not_asked(), scan()),
        };
        let mut tallies: [Tally; Queue::ALL.len()] = Default::default();
        let mut gaps = Vec::new();
        let mut damaged = Vec::new();
        let mut misowned = spool.misowned(request.plan.queues());
        let misowned_directories = misowned.len() as u64;
        let mut latest = Latest::new(request.latest());
        let mut oldest = Oldest::new(request.oldest);
        let mut delayed_mail = DelayedMail::default();
        let mut misplaced = Vec::new();
        let mut misdated = Vec::new();
        for mut counter in counters {
            counter.hand_over();
            for (sum, own) in tallies.iter_mut().zip(&counter.tallies) {
                *sum += own;
            }
            gaps.append(&mut counter.gaps);
            damaged.append(&mut counter.damaged);
            misowned.append(&mut counter.misowned);
            latest.merge(counter.latest);
            oldest.merge(counter.oldest);
            delayed_mail.merge(std::mem::take(&mut counter.delayed_mail));
            misplaced.append(&mut counter.misplaced);
            misdated.append(&mut counter.misdated);
        }
        fold_gaps(&mut gaps, MAX_EXAMPLES);
        fold_damaged(&mut damaged);
        fold_misowned(&mut misowned);
        fold_misplaced(&mut misplaced);
        fold_misdated(&mut misdated);
        let tables = common
            .tables
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let mut taken = InstanceSnapshot {
            plan: request.plan,
            wanted: request.wanted,
            tallies,
            tables: Arc::new(tables),
            gaps,
            damaged,
            disk: spool.disk(),
            misowned,
            misowned_directories,
            misplaced,
            misdated,
            never_started: spool.never_started(),
            master: daemons.master,
            qmgr: daemons.qmgr,
            qmgr_starts: Starts::default(),
            instance,
            latest,
            oldest,
            delayed_mail,
            sampled: None,
        };
        if request.sample == Sampling::Always {
            taken.take_sample(request.now, request.deadline);
        }
        Ok(taken)
    }

    /// The sums of `queue`.
    pub fn tally(&self, queue: Queue) -> &Tally {
        &self.tallies[queue.index()]
    }

    /// Directories and files of queues that could not be read.
    pub fn unreadable(&self) -> u64 {
        self.tallies.iter().map(|tally| tally.unreadable).sum()
    }

    /// Logs of delay reasons that could not be read, and their directory.
    pub fn unread_logs(&self) -> u64 {
        let closed = self.tallies.iter().any(|tally| tally.logs_closed);
        let unread: u64 = self.tallies.iter().map(|tally| tally.unread_logs).sum();
        unread + u64::from(closed)
    }

    /// Returns true if all planned queues were read; delay reasons may be missing.
    pub fn is_counted(&self) -> bool {
        self.tallies.iter().all(Tally::is_whole)
    }

    /// Whether everything that was to be read was.
    pub fn is_whole(&self) -> bool {
        self.tallies.iter().all(Tally::is_explained)
    }

    /// Whether the deadline cut anything short, delay reasons among it.
    pub fn is_cut(&self) -> bool {
        let cut = |tally: &Tally| tally.cut || tally.logs_cut;
        self.tallies.iter().any(cut)
    }

    /// The queues that the deadline cut short.
    pub fn cut(&self) -> QueueSet {
        Queue::ALL
            .into_iter()
            .filter(|queue| self.tally(*queue).cut)
            .fold(QueueSet::NONE, QueueSet::with)
    }
}

/// What to take a snapshot of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanRequest {
    /// The second of the epoch that ages count from.
    pub(crate) now: i64,
    /// The same moment by the clock that cannot be set; `None` if `now` was made up.
    pub(crate) since_boot: Option<SinceBoot>,
    /// When the earlier check was, in seconds of the epoch, if arrivals since are to be counted.
    pub(crate) since: Option<i64>,
    /// Whether to ask which daemons run.
    pub(crate) master: bool,
    /// What to read of which queue.
    pub(crate) plan: Plan,
    /// Which tables to make.
    pub wanted: TableSet,
    /// How many of the oldest messages to remember.
    pub(crate) oldest: usize,
    /// When to sample delay reasons.
    pub(crate) sample: Sampling,
    /// How many threads may read at once, the caller's among them.
    pub(crate) readers: Readers,
    /// When to stop.
    pub(crate) deadline: Deadline,
}

/// The queues of one or several instances at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// The second of the epoch that ages count from.
    pub now: i64,
    /// The same moment by the clock that cannot be set; `None` if `now` was made up.
    pub(crate) since_boot: Option<SinceBoot>,
    /// What it is compared with.
    pub previous: Previous,
    /// The queues that the caller left out.
    pub(crate) excluded: QueueSet,
    /// Which messages a cursor over it returns; sums include all.
    pub(crate) pick: Pick,
    /// The instances that could be scanned, in the order in which they were named.
    pub instances: Vec<InstanceSnapshot>,
    /// Why others could not.
    pub broken: Vec<Error>,
    /// Figures that were taken before names were replaced.
    pub(crate) pinned: Vec<PinnedFigure>,
}

/// A figure about a name, which cannot be found again once a token has replaced that name.
#[derive(Clone, Debug)]
pub(crate) struct PinnedFigure {
    /// The measure as it is written, with the token.
    pub(crate) measure: String,
    /// Its value.
    pub(crate) value: f64,
    /// Whether that is the whole value, and no lower bound.
    pub(crate) whole: bool,
}

impl Snapshot {
    /// One of no instance, for tests of words.
    #[cfg(test)]
    pub(crate) fn empty(now: i64) -> Snapshot {
        Snapshot {
            now,
            since_boot: None,
            previous: Previous::NotAsked,
            excluded: QueueSet::NONE,
            pick: Pick::default(),
            instances: Vec::new(),
            broken: Vec::new(),
            pinned: Vec::new(),
        }
    }

    /// Scans `instances` side by side; a broken one never hides the others.
    pub(crate) fn take(
        instances: Vec<Result<Instance>>,
        excluded: QueueSet,
        previous: Previous,
        request: &ScanRequest,
    ) -> Snapshot {
        let mut snapshot = Snapshot {
            now: request.now,
            since_boot: request.since_boot,
            previous,
            excluded,
            pick: Pick::default(),
            instances: Vec::new(),
            broken: Vec::new(),
            pinned: Vec::new(),
        };
        for outcome in side_by_side(instances, request) {
            match outcome {
                Ok(taken) => {
                    // On the caller's thread: a host's logger is not to be called from any other.
                    for gap in &taken.gaps {
                        log::debug!("{gap}");
                    }
                    snapshot.instances.push(taken);
                }
                Err(error) => snapshot.broken.push(error),
            }
        }
        snapshot.look_again(request.deadline);
        snapshot.note_starts();
        snapshot
    }

    /// Looks a second time for each queue manager that one look did not find, if the deadline leaves the
    /// time. The scan usually takes a part of it.
    fn look_again(&mut self, deadline: Deadline) {
        let missing = |taken: &&mut InstanceSnapshot| match &taken.qmgr {
            QueueManager::Missing(missing) => Some(missing.clone()),
            _ => None,
        };
        let mut instances: Vec<_> = self
            .instances
            .iter_mut()
            .filter_map(|taken| missing(&taken).map(|missing| (missing, taken)))
            .collect();
        let Some(due) = instances.iter().map(|(missing, _)| missing.due()).max() else {
            return;
        };
        if !deadline.sleep_until(due) {
            return;
        }
        for (missing, taken) in &mut instances {
            taken.qmgr = QueueManager::look(&taken.instance, &taken.master).after(missing);
        }
    }

    /// Adds the queue managers that run now to those of the earlier check.
    fn note_starts(&mut self) {
        let Some(now) = self.since_boot else { return };
        let earlier = self.previous.earlier();
        for taken in &mut self.instances {
            let known = earlier.and_then(|earlier| earlier.qmgr_starts(taken, now));
            taken.qmgr_starts = known.unwrap_or_default();
            if let QueueManager::Running(process) = &taken.qmgr {
                taken.qmgr_starts.note(now.seconds, *process);
            }
        }
    }

    /// Returns true if all planned queues were read; delay reasons may be missing.
    pub fn is_counted(&self) -> bool {
        self.broken.is_empty() && self.instances.iter().all(InstanceSnapshot::is_counted)
    }

    /// Whether everything that was to be read was.
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty() && self.instances.iter().all(InstanceSnapshot::is_whole)
    }
}

/// The most instances that are scanned at once.
const SIDE_BY_SIDE: usize = 8;

/// Takes each of `instances`, several at once, so that a slow disk holds up only what lies on it. The
/// outcomes are in their order.
fn side_by_side(
    instances: Vec<Result<Instance>>,
    request: &ScanRequest,
) -> Vec<Result<InstanceSnapshot>> {
    if instances.len() < 2 {
        let take = |instance: Result<Instance>| InstanceSnapshot::take(instance?, request);
        return instances.into_iter().map(take).collect();
    }
    let threads = instances.len().min(SIDE_BY_SIDE);
    let request = ScanRequest {
        readers: Readers {
            most: (request.readers.most / threads).max(1),
            ..request.readers
        },
        ..*request
    };
    let waiting = Mutex::new(instances.into_iter().enumerate());
    let taken = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next();
            let Some((place, instance)) = next else {
                return;
            };
            let outcome = instance.and_then(|instance| InstanceSnapshot::take(instance, &request));
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.push((place, outcome));
        }
    };
    std::thread::scope(|scope| {
        // Where the system has no more threads, those that run do the work.
        let started: Vec<_> = (1..threads)
            .map_while(|_| spawn(scope, "queuewatch-scan", work))
            .collect();
        work();
        for thread in started {
            thread.join();
        }
    });
    let mut taken = taken.into_inner().unwrap_or_else(PoisonError::into_inner);
    taken.sort_by_key(|(place, _)| *place);
    taken.into_iter().map(|(_, outcome)| outcome).collect()
}
