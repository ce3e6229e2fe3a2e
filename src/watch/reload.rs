//! When a watch reads all queues: at the start, after events were lost, and from time to time without events.

use ::inotify::Inotify;

use super::event::{Event, EventKind};
use super::tracked::{Tracked, TrackedSpool};
use super::watch_set::{self, DirectoryKind};
use super::{Moment, RESCAN, Watch, loader};
use crate::error::Result;
use crate::instance::Instance;
use crate::postfix::queue::Queue;
use crate::scan::{Depth, Spool};
use crate::spelling::option;
use crate::sys::{self, Noatime};

/// What the last rescan read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rescanned {
    /// Everything, as at the start.
    OfAll,
    /// The files that had changed, with an event for each.
    OfChanges,
}

impl Watch {
    /// Checks what has no events: a spool that was replaced, one that is back, a rescan that is due.
    pub(super) fn check_without_events(&mut self) -> Result<()> {
        let replaced = self.spools.iter().find(|spool| spool.is_replaced());
        if let Some(spool) = replaced {
            let path = crate::escape::path(&spool.instance.queue_directory);
            return self.rescan(format!("{path} was replaced"));
        }
        if !self.broken.is_empty() {
            let found = self.options.instances();
            let usable = found.is_ok_and(|found| {
                let usable = found
                    .into_iter()
                    .filter(|one| one.as_ref().is_ok_and(|one| Spool::of(one).is_ok()));
                usable.count() > self.spools.len()
            });
            if usable {
                return self.rescan("an instance can be read again".to_owned());
            }
        }
        // A timer may fire a little early.
        let due = self.options.poll().unwrap_or(RESCAN).mul_f64(0.99);
        if self.tracked.blind.is_some() && self.last_full_read.at.elapsed() >= due {
            return self.rescan("there are no events".to_owned());
        }
        Ok(())
    }

    /// Reads everything once more because of `reason`, and reports that.
    pub(super) fn rescan(&mut self, reason: String) -> Result<()> {
        log::info!("rescanning all queues: {reason}");
        let outcome = self.load();
        if outcome.is_err() {
            self.reload = Some(reason.clone());
        }
        if !matches!(outcome, Ok(Rescanned::OfChanges)) {
            self.events
                .push(Event::of_watch(EventKind::Rescanned, "", reason));
        }
        self.go_blind();
        outcome.map(drop)
    }

    /// Drops inotify once its coverage is incomplete, and reports that unless the option poll asked for it.
    pub(super) fn go_blind(&mut self) {
        let Some(why) = self.tracked.blind.clone() else {
            self.blindness_reported = false;
            return;
        };
        if let Some(inotify) = self.inotify.take() {
            self.wakeups.remove(&inotify);
            self.tracked.directories.unwatch();
        }
        if self.options.poll().is_none() && !std::mem::replace(&mut self.blindness_reported, true) {
            log::warn!("no events: {why}");
            self.events.push(Event::of_watch(EventKind::Blind, "", why));
        }
    }

    /// Forgets everything, watches all directories, and reads all queues. If there were and are no events, it
    /// keeps what it knows about unchanged files.
    pub(super) fn load(&mut self) -> Result<Rescanned> {
        let found = self.options.instances()?;
        self.pending.clear();
        self.broken.clear();
        self.last_full_read = Moment::now();
        let mut opened = Vec::new();
        for instance in found {
            match instance.and_then(|instance| Ok((Spool::of(&instance)?, instance))) {
                Ok((spool, instance)) => opened.push((instance, spool)),
                Err(error) => self.broken.push(error),
            }
        }
        if self.tracked.blind.is_some() && self.is_of(&opened) && !self.may_have_events() {
            self.look_again(opened);
            return Ok(Rescanned::OfChanges);
        }
        self.spools.clear();
        self.tracked = Tracked::new(None, None);
        if let Some(old) = self.inotify.take() {
            self.wakeups.remove(&old);
        }
        let blind = self.start_inotify().err();
        self.tracked = Tracked::new(self.inotify.as_ref(), blind);
        for (instance, spool) in opened {
            self.load_instance(instance, spool);
        }
        if self.tracked.blind.is_none() {
            self.tracked.ledger.forget_notes();
        }
        Ok(Rescanned::OfAll)
    }

    /// Returns true if `opened` are the watched instances and spools.
    fn is_of(&self, opened: &[(Instance, Spool)]) -> bool {
        let same = |(spool, (instance, _)): (&TrackedSpool, &(Instance, Spool))| {
            spool.instance == *instance && spool.identity.is_some() && !spool.is_replaced()
        };
        !self.spools.is_empty()
            && self.spools.len() == opened.len()
            && self.spools.iter().zip(opened).all(same)
    }

    /// Returns true if inotify may work now, and did not before.
    fn may_have_events(&self) -> bool {
        let remote = |spool: &TrackedSpool| {
            sys::network_file_system(&spool.instance.queue_directory).is_some()
        };
        self.options.poll().is_none()
            && !self.spools.iter().any(remote)
            && Inotify::init()
                .is_ok_and(|inotify| self.tracked.directories.can_be_watched(&inotify))
    }

    /// Looks at all files without events, and reads those that have changed.
    fn look_again(&mut self, opened: Vec<(Instance, Spool)>) {
        self.tracked.kept = 0;
        let readers = self.request.readers;
        for (number, (spool, (_, opened))) in self.spools.iter_mut().zip(opened).enumerate() {
            spool.spool = opened;
            let directories = spool.open();
            let (tracked, events) = (&mut self.tracked, &mut self.events);
            loader::look_again(tracked, number, spool, directories, readers, events);
        }
        let (kept, all) = (self.unchanged(), self.files());
        log::info!("{kept} of {all} files have not changed and were not read");
    }

    /// Starts inotify. An error says why there can be no events.
    fn start_inotify(&mut self) -> std::result::Result<(), String> {
        if self.options.poll().is_some() {
            return Err(format!("{} turns them off", option("poll")));
        }
        let inotify = Inotify::init()
            .map_err(|error| watch_set::why_not(&error, std::path::Path::new("/"), 0))?;
        self.wakeups
            .add(&inotify)
            .map_err(|errno| format!("cannot wait for inotify: {errno}"))?;
        self.inotify = Some(inotify);
        Ok(())
    }

    fn load_instance(&mut self, instance: Instance, spool: Spool) {
        let number = self.spools.len();
        let (plan, wanted) = (self.request.plan, self.request.wanted);
        if let Some(kind) = sys::network_file_system(&instance.queue_directory) {
            let path = crate::escape::path(&instance.queue_directory);
            self.tracked.blind.get_or_insert(format!(
                "{path} is on {kind}, where other hosts' changes make no events"
            ));
        }
        let path = instance.queue_directory.clone();
        let (_, outcome) =
            self.tracked
                .directories
                .add(number, DirectoryKind::Spool, None, &path, spool.fd());
        self.tracked.note(outcome);
        if Queue::ALL
            .into_iter()
            .any(|queue| plan.depth(queue) == Some(Depth::Reasons))
        {
            let mut noatime = Noatime::default();
            if let Ok(fd) = noatime.open_directory(spool.fd(), c"defer", true) {
                let logs = path.join("defer");
                let directory_id = self.tracked.add_logs(number, fd, &logs, None);
                loader::watch_logs(&mut self.tracked, number, directory_id, &mut Vec::new());
            }
        }
        let mut spool = TrackedSpool::new(instance, spool, plan, wanted);
        let directories = spool.open();
        let readers = self.request.readers;
        loader::load(&mut self.tracked, number, &mut spool, directories, readers);
        self.spools.push(spool);
    }
}
