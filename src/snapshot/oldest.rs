//! The oldest messages of a snapshot, read again with all that is on record about them.

use std::collections::HashSet;

use super::{InstanceSnapshot, Snapshot};
use crate::clock::Deadline;
use crate::listing::ListOutcome;
use crate::listing::sort::elsewhere;
use crate::postfix::queue::QueueSet;
use crate::scan::oldest::OldPlace;
use crate::scan::{Depth, Headers, MessageRow, Plan, Reread, Spool};

/// How many of the oldest messages a scan remembers.
pub const OLDEST: usize = 50;

impl Snapshot {
    /// Passes the oldest messages, at most [`OLDEST`], to `take`, the oldest first, with their delay reasons and their
    /// origin, until `deadline`. A message that has moved is found in its present queue. The scan must have had
    /// `Purpose::Report` or `Purpose::Oldest`.
    pub fn oldest(
        &self,
        deadline: Deadline,
        mut take: impl FnMut(&InstanceSnapshot, &MessageRow),
    ) -> ListOutcome {
        let mut outcome = ListOutcome::default();
        let queues = self
            .excluded
            .iter()
            .fold(QueueSet::TOTAL, QueueSet::without);
        let mut plan = Plan::new(queues, Depth::Reasons);
        plan.headers = Headers::Local;
        plan.origins = true;
        plan.as_showq = true;
        let mut spools: Vec<Option<Spool>> = Vec::new();
        for taken in &self.instances {
            spools.push(match Spool::of(&taken.instance) {
                Ok(spool) => Some(spool),
                Err(error) => {
                    outcome.unreadable += 1;
                    outcome.gaps.push(error);
                    None
                }
            });
        }
        let mut rereads: Vec<Option<Reread<'_>>> = spools
            .iter()
            .map(|spool| Some(Reread::new(spool.as_ref()?, &plan, deadline)))
            .collect();
        let mut places: Vec<(&OldPlace, usize)> = Vec::new();
        for (number, taken) in self.instances.iter().enumerate() {
            places.extend(taken.oldest.places().map(|place| (place, number)));
        }
        places.sort();
        let mut seen = HashSet::new();
        for (place, number) in places {
            if outcome.messages >= OLDEST as u64 {
                break;
            }
            if deadline.passed() {
                outcome.cut = true;
                break;
            }
            // A message that moved during the scan was seen twice.
            if !seen.insert((number, &place.queue_id)) {
                continue;
            }
            let (Some(reread), Some(queue)) = (&mut rereads[number], place.queue()) else {
                continue;
            };
            let taken = &self.instances[number];
            let top = taken.instance.queue_directory.join(queue.name());
            let levels = place
                .directory
                .strip_prefix(top)
                .unwrap_or(&place.directory);
            let settings = &taken.instance.settings;
            let unreadable = reread.unreadable();
            let here = reread.message(queue, levels, &place.queue_id).is_some();
            if here || elsewhere(reread, queues, settings, levels, &place.queue_id) {
                outcome.messages += 1;
                take(taken, reread.row());
            } else if reread.unreadable() == unreadable {
                outcome.vanished += 1;
            }
        }
        for reread in rereads.into_iter().flatten() {
            let (gaps, unreadable, cut) = reread.finish();
            outcome.take_in(gaps, unreadable, cut);
        }
        outcome
    }
}
