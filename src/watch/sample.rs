//! The sample of a watch: why the deferred mail waits that was tried last.
//!
//! Default rules on causes, senders and logins, and the words of a breach, need delay reasons. A watch that
//! was opened for rules reads no logs, so that it costs little. It reads a sample instead, as a check does
//! ([`crate::snapshot::sample`]): only on request, only after deferred mail has changed, and so
//! rarely that it takes at most one part in [`SHARE`] of the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Watch;
use super::tracked::{Tracked, TrackedSpool};
use super::watch_set::DirectoryKind;
use crate::clock::Deadline;
use crate::postfix::queue::Queue;
use crate::scan::latest::Latest;
use crate::snapshot::Snapshot;
use crate::snapshot::sample::{MOST, Sampled};

/// Between two samples passes this many times as long as the first one took.
const SHARE: u32 = 100;
/// The longest time between two samples of mail that changes.
const LONGEST: Duration = Duration::from_secs(60);
/// A sample ends after this time, with what was read until then.
const ENOUGH: Duration = Duration::from_secs(5);

/// A sample, and when the next one is due.
#[derive(Debug)]
pub(super) struct KeptSample {
    sampled: Arc<Sampled>,
    /// [`super::totals::Totals::deferrals`] when it was taken.
    deferrals: u64,
    due: Instant,
}

impl Watch {
    /// Adds to `snapshot`, which this watch took, what the sample of each spool says.
    pub(super) fn put_samples(&mut self, snapshot: &mut Snapshot) {
        let begin = Instant::now();
        let mut latest: Vec<Option<Latest>> = self
            .spools
            .iter()
            .zip(&snapshot.instances)
            .map(|(spool, taken)| {
                let due = taken.may_sample() && !spool.has_good_sample(begin);
                due.then(|| Latest::new(MOST))
            })
            .collect();
        if latest.iter().any(Option::is_some) {
            find_latest(&self.tracked, &mut latest);
        }
        let walk = begin.elapsed();
        let instances = snapshot.instances.iter_mut();
        for ((spool, taken), latest) in self.spools.iter_mut().zip(instances).zip(&latest) {
            if let Some(latest) = latest {
                let begin = Instant::now();
                let deadline = Deadline::after(ENOUGH);
                let (instance, spool_of) = (&spool.instance, &spool.spool);
                let sampled = Sampled::read(instance, spool_of, latest, snapshot.now, deadline);
                let took = walk + begin.elapsed();
                spool.sample = Some(KeptSample {
                    sampled: Arc::new(sampled),
                    deferrals: spool.totals.deferrals,
                    due: Instant::now() + took.saturating_mul(SHARE).min(LONGEST),
                });
            }
            if let (true, Some(kept)) = (taken.may_sample(), &spool.sample) {
                taken.put_sample(Arc::clone(&kept.sampled));
            }
        }
    }
}

impl TrackedSpool {
    /// Returns true if deferred mail has not changed since its sample, or none is due yet. One with logs that
    /// could not be read is looked at again when it is due, and at once if the directory of the logs goes or
    /// comes.
    fn has_good_sample(&self, now: Instant) -> bool {
        let is_same =
            |kept: &KeptSample| kept.deferrals == self.totals.deferrals && !kept.sampled.has_gaps();
        let is_good =
            |kept: &KeptSample| (is_same(kept) || kept.due > now) && kept.sampled.fits(&self.spool);
        self.sample.as_ref().is_some_and(is_good)
    }
}

/// Finds the deferred messages that were tried last, of each spool that has an entry in `latest`. Walks the
/// ledger once for all of them.
fn find_latest(tracked: &Tracked, latest: &mut [Option<Latest>]) {
    let ledger = &tracked.ledger;
    for id in ledger.ids() {
        let entry = ledger.entry(id);
        if !entry.counts() {
            continue;
        }
        let row = tracked.directories.row(entry.directory_id);
        let DirectoryKind::Queue(directory) = &row.what else {
            continue;
        };
        if directory.queue != Queue::Deferred {
            continue;
        }
        if let Some(Some(latest)) = latest.get_mut(row.instance) {
            let changed = i64::from(entry.changed);
            latest.add(changed, ledger.name(id), &directory.path);
        }
    }
}
