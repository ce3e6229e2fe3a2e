//! The sample of a watch: why the deferred mail waits that was tried last.
//!
//! Default rules on causes, senders and logins, and the words of a breach, need delay reasons. A watch that
//! was opened for rules reads no logs, so that it costs little. It reads a sample instead, as a check does
//! ([`crate::snapshot::sample`]): only when somebody asks, only after deferred mail has changed, and so
//! seldom that it takes at most one part in [`SHARE`] of the time.

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
    sampled: Sampled,
    /// [`super::totals::Totals::deferrals`] when it was taken.
    deferrals: u64,
    due: Instant,
}

impl Watch {
    /// Adds to `snapshot`, which this watch took, what the sample of each spool says.
    pub(super) fn put_samples(&mut self, snapshot: &mut Snapshot) {
        for (number, spool) in self.spools.iter_mut().enumerate() {
            let Some(taken) = snapshot.instances.get_mut(number) else {
                continue;
            };
            let begin = Instant::now();
            let deferrals = spool.totals.deferrals;
            let is_good = |kept: &KeptSample| kept.deferrals == deferrals || kept.due > begin;
            if !spool.sample.as_ref().is_some_and(is_good) {
                let latest = latest(&self.tracked, number, spool);
                let deadline = Deadline::after(ENOUGH);
                let (instance, spool_of) = (&spool.instance, &spool.spool);
                let sampled = Sampled::read(instance, spool_of, &latest, snapshot.now, deadline);
                let pause = begin.elapsed().saturating_mul(SHARE).min(LONGEST);
                spool.sample = Some(KeptSample {
                    sampled,
                    deferrals,
                    due: Instant::now() + pause,
                });
            }
            if let Some(kept) = &spool.sample {
                taken.put_sample(&kept.sampled);
            }
        }
    }
}

/// The deferred messages of the spool `number` that were tried last.
fn latest(tracked: &Tracked, number: usize, spool: &TrackedSpool) -> Latest {
    let mut latest = Latest::new(MOST);
    if !spool.totals.plan.queues().contains(Queue::Deferred) {
        return latest;
    }
    let ledger = &tracked.ledger;
    for id in ledger.ids() {
        let entry = ledger.entry(id);
        if !entry.counts() {
            continue;
        }
        let row = tracked.directories.row(entry.directory_id);
        if let DirectoryKind::Queue(directory) = &row.what {
            if row.instance == number && directory.queue == Queue::Deferred {
                let changed = i64::from(entry.changed);
                latest.add(changed, ledger.name(id), &directory.path);
            }
        }
    }
    latest
}
