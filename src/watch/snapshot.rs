//! The snapshot of the moment, made of the sums and, when it is to be whole, of the ledger.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use super::ledger::{EntryId, Place};
use super::watch_set::What;
use super::{GROWTH_SPAN, Watch};
use crate::instance::master;
use crate::postfix::queue::Queue;
use crate::scan::{Gap, fold_gaps};
use crate::snapshot::contribution::{Bounds, fold_damaged, reports_damage};
use crate::snapshot::{Damaged, Earlier, InstanceSnapshot, MAX_EXAMPLES, Previous, Snapshot};

impl Watch {
    /// The snapshot of the moment; unless it is to be `whole`, with the tables alone that rules ask for.
    pub(super) fn taken(&mut self, whole: bool) -> Snapshot {
        let request = self.options.request(self.purpose).unwrap_or(self.request);
        // Without events what is known is as old as the last look, and does not pretend to be younger.
        let (now, since_boot) = match self.blind() {
            Some(_) if !self.options.is_now_given() => (self.looked.now, self.looked.since_boot),
            _ => (request.now, request.since_boot),
        };
        let is_old = |earlier: &Earlier| self.blind().is_none() || earlier.now < now;
        let previous = match self.options.previous() {
            Previous::NotAsked => self
                .earlier
                .iter()
                .rev()
                .find(|(at, earlier)| at.elapsed() >= GROWTH_SPAN && is_old(earlier))
                .map_or(Previous::None, |(_, earlier)| Previous::At(earlier.clone())),
            given => given.clone(),
        };
        let since = previous.earlier().map(|earlier| earlier.now);
        let instances = (0..self.watched.len())
            .map(|number| self.instance_taken(number, now, since, whole))
            .collect();
        let snapshot = Snapshot {
            now,
            since_boot,
            previous,
            excluded: self.options.excluded(),
            instances,
            broken: self.broken.clone(),
        };
        self.remember(&snapshot);
        snapshot
    }

    /// Keeps what growth is told by: the younger of two is on its way to be old enough.
    fn remember(&mut self, snapshot: &Snapshot) {
        let due = self
            .earlier
            .back()
            .is_none_or(|(at, _)| at.elapsed() >= GROWTH_SPAN);
        if !due {
            return;
        }
        if let Ok(earlier) = Earlier::parse(snapshot.state().to_string().as_bytes()) {
            self.earlier.push_back((Instant::now(), earlier));
        }
        while self.earlier.len() > 3 {
            self.earlier.pop_front();
        }
    }

    fn instance_taken(
        &self,
        number: usize,
        now: i64,
        since: Option<i64>,
        whole: bool,
    ) -> InstanceSnapshot {
        let watched = &self.watched[number];
        let book = &self.book;
        let settings = &watched.instance.settings;
        let of_instance = |place: Place| {
            let row = book.places.row(place);
            (row.instance == number).then(|| row.queue()).flatten()
        };
        let mut gaps: Vec<Gap> = book
            .places
            .iter()
            .filter(|(_, row)| row.instance == number)
            .filter_map(|(_, row)| row.gap.clone())
            .collect();
        let lost = book.lost.iter().filter(|(instance, _)| *instance == number);
        gaps.extend(lost.map(|(_, gap)| gap.clone()));
        gaps.extend(watched.gaps.iter().cloned());
        let bounds = Bounds::new(now, since, settings);
        let tallies = Queue::ALL.map(|queue| {
            let mut tally = watched.totals.tally(queue, &bounds);
            for gap in gaps.iter().filter(|gap| gap.queue == queue) {
                tally.count_gap(gap.kind);
            }
            tally
        });
        let ledger = &book.ledger;
        let own = |id: &EntryId| of_instance(ledger.entry(*id).place).is_some();
        for beside in [&ledger.gaps, &ledger.log_gaps] {
            gaps.extend(
                beside
                    .iter()
                    .filter(|(id, _)| own(id))
                    .map(|(_, gap)| gap.clone()),
            );
        }
        fold_gaps(&mut gaps, MAX_EXAMPLES);
        let mut damaged: Vec<Damaged> = ledger
            .damage
            .iter()
            .filter_map(|(id, damage)| {
                let row = book.places.row(ledger.entry(*id).place);
                let What::Queue(directory) = &row.what else {
                    return None;
                };
                (row.instance == number && reports_damage(directory.queue)).then(|| Damaged {
                    queue: directory.queue,
                    path: directory.path.join(OsStr::from_bytes(ledger.name(*id))),
                    damage: *damage,
                })
            })
            .collect();
        fold_damaged(&mut damaged);
        let tables = match whole {
            true => watched
                .totals
                .whole_tables(ledger, now, |entry| of_instance(entry.place)),
            false => watched.totals.tables(),
        };
        let mut wanted = watched.totals.wanted;
        // Their rows are of a whole snapshot only.
        wanted.reasons &= whole;
        InstanceSnapshot {
            plan: watched.totals.plan,
            wanted,
            tallies,
            tables,
            gaps,
            damaged,
            disk: watched.spool.disk(),
            master: master(&watched.instance.queue_directory),
            instance: watched.instance.clone(),
        }
    }
}
