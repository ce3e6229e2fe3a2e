//! Takes the snapshot of a moment: from the totals and, if it must be whole, from the ledger. Also keeps the
//! earlier snapshots that growth is computed from.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Instant;

use super::daemons::DaemonStates;
use super::ledger::{DirectoryId, EntryId};
use super::tracked::{Tracked, TrackedSpool};
use super::watch_set::DirectoryKind;
use super::{GROWTH_SPAN, Watch};
use crate::postfix::queue::Queue;
use crate::scan::latest::Latest;
use crate::scan::oldest::Oldest;
use crate::scan::{Gap, Misowned, fold_gaps};
use crate::snapshot::contribution::{Bounds, FileFacts, reports_damage};
use crate::snapshot::delayed_mail::DelayedMail;
use crate::snapshot::{
    Damaged, Earlier, Hidden, InstanceSnapshot, MAX_EXAMPLES, Misdated, Misplaced, Previous,
    Snapshot, fold_damaged, fold_misdated, fold_misowned, fold_misplaced,
};

/// How much of a snapshot is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All tables.
    Whole,
    /// Only the tables that rules ask for. It costs the same for any number of messages.
    ForRules,
}

/// The earlier snapshots that growth is computed from.
#[derive(Debug, Default)]
pub(super) struct History {
    earlier: VecDeque<(Instant, Earlier)>,
}

impl History {
    /// How many snapshots are kept. The younger of two is about to become old enough.
    const KEPT: usize = 3;

    /// Returns the youngest that is old enough, and that `is_usable`.
    fn compared(&self, is_usable: impl Fn(&Earlier) -> bool) -> Previous {
        self.earlier
            .iter()
            .rev()
            .find(|(at, earlier)| at.elapsed() >= GROWTH_SPAN && is_usable(earlier))
            .map_or(Previous::None, |(_, earlier)| Previous::At(earlier.clone()))
    }

    /// Keeps what growth needs of `snapshot`, unless the youngest is still young.
    fn keep(&mut self, snapshot: &Snapshot) {
        let youngest = self.earlier.back();
        if youngest.is_some_and(|(at, _)| at.elapsed() < GROWTH_SPAN) {
            return;
        }
        if let Ok(earlier) = Earlier::parse(snapshot.state().to_string().as_bytes()) {
            self.earlier.push_back((Instant::now(), earlier));
        }
        while self.earlier.len() > Self::KEPT {
            self.earlier.pop_front();
        }
    }
}

impl Watch {
    /// Takes the snapshot of this moment.
    pub(super) fn take(&mut self, taken: Extent) -> Snapshot {
        let request = self.options.request(self.purpose).unwrap_or(self.request);
        // Without events the state is as old as the last rescan, and the snapshot says so.
        let (now, since_boot) = match self.blind() {
            Some(_) if !self.options.is_now_given() => {
                (self.last_full_read.now, self.last_full_read.since_boot)
            }
            _ => (request.now, request.since_boot),
        };
        let is_old = |earlier: &Earlier| self.blind().is_none() || earlier.now < now;
        let previous = match self.options.previous() {
            Previous::NotAsked => self.history.compared(is_old),
            given => given.clone(),
        };
        let since = previous.earlier().map(|earlier| earlier.now);
        let daemons = &mut self.daemons;
        let seen: Vec<DaemonStates> = self
            .spools
            .iter()
            .map(|spool| daemons.check(&spool.instance, since_boot))
            .collect();
        let spools = self.spools.iter().zip(seen).enumerate();
        let instances = spools
            .map(|(number, (spool, seen))| {
                let settings = &spool.instance.settings;
                let bounds = Bounds::new(now, since, settings);
                instance(&self.tracked, number, spool, seen, now, &bounds, taken)
            })
            .collect();
        let snapshot = Snapshot {
            pick: crate::listing::Pick::default(),
            now,
            since_boot,
            previous,
            excluded: self.options.excluded(),
            instances,
            broken: self.broken.clone(),
            pinned: Vec::new(),
        };
        self.history.keep(&snapshot);
        snapshot
    }
}

/// Takes the snapshot of one spool, whose number is `number`.
#[allow(clippy::too_many_lines)] // One field after the other.
fn instance(
    tracked: &Tracked,
    number: usize,
    spool: &TrackedSpool,
    seen: DaemonStates,
    now: i64,
    bounds: &Bounds,
    taken: Extent,
) -> InstanceSnapshot {
    let of_instance = |directory_id: DirectoryId| {
        let row = tracked.directories.row(directory_id);
        (row.instance == number).then(|| row.queue()).flatten()
    };
    let mut gaps: Vec<Gap> = tracked
        .directories
        .iter()
        .filter(|(_, row)| row.instance == number)
        .filter_map(|(_, row)| row.gap.clone())
        .collect();
    let lost = tracked
        .lost
        .iter()
        .filter(|(instance, _)| *instance == number);
    gaps.extend(lost.map(|(_, gap)| gap.clone()));
    gaps.extend(spool.gaps.iter().cloned());
    let tallies = Queue::ALL.map(|queue| {
        let mut tally = spool.totals.tally(queue, bounds);
        for gap in gaps.iter().filter(|gap| gap.queue == queue) {
            tally.count_gap(gap.kind);
        }
        tally
    });
    let ledger = &tracked.ledger;
    let own = |id: &EntryId| of_instance(ledger.entry(*id).directory_id).is_some();
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
            let row = tracked.directories.row(ledger.entry(*id).directory_id);
            let DirectoryKind::Queue(directory) = &row.what else {
                return None;
            };
            (row.instance == number && reports_damage(directory.queue)).then(|| Damaged {
                queue: directory.queue,
                path: directory.path.join(OsStr::from_bytes(ledger.name(*id))),
                damage: *damage,
                hidden: match ledger.facts(*id) {
                    FileFacts::Message {
                        envelope: Some(facts),
                        ..
                    } => Hidden::of(&facts),
                    _ => Hidden::default(),
                },
            })
        })
        .collect();
    fold_damaged(&mut damaged);
    let mut misowned = spool.spool.misowned(spool.totals.plan.queues());
    let misowned_directories = misowned.len() as u64;
    let expected = spool.spool.expected();
    let mut tallies = tallies;
    for (_, row) in tracked.directories.iter() {
        // The gaps of the queue directories themselves are in the list already.
        if let (DirectoryKind::Queue(directory), true, Some(_)) =
            (&row.what, row.instance == number, &row.parent)
        {
            let found = expected.misowned_directory(directory);
            tallies[directory.queue.index()].misowned += u64::from(found.is_some());
            misowned.extend(found);
        }
    }
    misowned.extend(misowned_files(tracked, number));
    fold_misowned(&mut misowned);
    // Few hosts have any, so the ledger is walked only for those.
    let misdated = match tallies.iter().any(|tally| tally.misdated > 0) {
        true => misdated(tracked, number, bounds),
        false => Vec::new(),
    };
    let tables = match taken {
        Extent::Whole => {
            spool
                .totals
                .whole_tables(ledger, now, &spool.instance.settings, |entry| {
                    of_instance(entry.directory_id)
                })
        }
        Extent::ForRules => spool.totals.tables(),
    };
    let mut wanted = spool.totals.wanted;
    // Only a whole snapshot has the rows of these tables.
    wanted.reasons &= taken == Extent::Whole;
    wanted.oldest &= taken == Extent::Whole;
    InstanceSnapshot {
        plan: spool.totals.plan,
        wanted,
        tallies,
        tables,
        gaps,
        damaged,
        disk: spool.spool.disk(),
        misowned,
        misowned_directories,
        misplaced: misplaced(tracked, number),
        misdated,
        never_started: spool.spool.never_started(),
        master: seen.master,
        qmgr: seen.qmgr,
        qmgr_starts: seen.qmgr_starts,
        instance: spool.instance.clone(),
        latest: Latest::new(0),
        oldest: Oldest::default(),
        delayed_mail: DelayedMail::default(),
        sampled: None,
    }
}

/// The queue and the path of a queue file of the spool `number`; `None` if it is of another one.
fn place(tracked: &Tracked, number: usize, id: EntryId) -> Option<(Queue, PathBuf)> {
    let ledger = &tracked.ledger;
    let row = tracked.directories.row(ledger.entry(id).directory_id);
    match &row.what {
        DirectoryKind::Queue(directory) if row.instance == number => {
            let name = OsStr::from_bytes(ledger.name(id));
            Some((directory.queue, directory.path.join(name)))
        }
        _ => None,
    }
}

fn misowned_files(tracked: &Tracked, number: usize) -> impl Iterator<Item = Misowned> {
    tracked.ledger.faults.iter().filter_map(move |(id, fault)| {
        let (queue, path) = place(tracked, number, *id)?;
        Some(Misowned {
            queue: Some(queue),
            path,
            fault: *fault,
        })
    })
}

fn misplaced(tracked: &Tracked, number: usize) -> Vec<Misplaced> {
    let ids = tracked.ledger.misplaced.iter();
    let places = ids.filter_map(|id| place(tracked, number, *id));
    let mut misplaced = places
        .map(|(queue, path)| Misplaced { queue, path })
        .collect();
    fold_misplaced(&mut misplaced);
    misplaced
}

/// Messages whose arrival time is in the future.
fn misdated(tracked: &Tracked, number: usize, bounds: &Bounds) -> Vec<Misdated> {
    let ledger = &tracked.ledger;
    let is_misdated = |id: &EntryId| {
        let entry = ledger.entry(*id);
        entry.counts() && entry.arrival().is_some_and(|at| bounds.is_misdated(at))
    };
    let places = ledger
        .ids()
        .filter(is_misdated)
        .filter_map(|id| place(tracked, number, id));
    let mut misdated = places
        .map(|(queue, path)| Misdated { queue, path })
        .collect();
    fold_misdated(&mut misdated);
    misdated
}
