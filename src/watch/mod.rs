//! The live state of the queues: a snapshot that inotify(7) keeps current.
//!
//! ```text
//! inotify -> pending changes -> the files, read again -> ledger -> totals -> the same snapshot as a scan's
//! ```
//!
//! A [`Watch`] sets a watch on each directory of the queues, and reads all queues once. After that, an event
//! says which file to look at, never what the file contains: the state always comes from the disk. So it
//! equals a fresh scan after any events. Only a rename moves an entry without reading its file. When events
//! may be missing (the kernel's event queue overflowed, a directory was replaced, the file system was
//! unmounted), the watch rescans everything. If there can be no events (no watches left, a network file
//! system), or if [`Options::poll`] asks for none, it looks at everything from time to time. It reports both
//! as an [`Event`].
//!
//! A host waits for one descriptor ([`Watch::fd`]) and makes one call when it is readable
//! ([`Watch::dispatch`]), which never waits. A watch processes events at once if the queue was quiet, and
//! every 20 ms while it is busy: most mail is gone by then, and its files need not be read. No call
//! leaves a thread behind.

mod about;
mod access;
mod daemons;
mod entry;
mod event;
mod hold_down;
mod inotify;
mod interner;
mod ledger;
mod loader;
mod observer;
mod pending;
mod reconcile;
mod reload;
mod rescan;
mod sample;
mod snapshot;
mod texts;
mod totals;
mod tracked;
mod translate;
mod wakeup;
mod watch_set;

use std::ffi::CString;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use ::inotify::Inotify;

pub use about::About;
pub use event::{Event, EventKind};
pub use hold_down::HoldDown;
pub use wakeup::TICK;

use self::inotify::EventReader;
use crate::clock;
use crate::error::{Error, Result};
use crate::options::{Options, Purpose};
use crate::rules::{State, Verdict};
use crate::snapshot::{ScanRequest, Snapshot};
use crate::sys::{self, SinceBoot};
use daemons::DaemonWatch;
use pending::Pending;
use reconcile::Reconciliation;
use snapshot::{Extent, History};
use tracked::{Tracked, TrackedSpool};
use translate::Translator;
use wakeup::Wakeups;
use watch_set::DirectoryKind;

/// The time between two rescans without events, unless [`Options::poll`] sets it.
pub(crate) const RESCAN: Duration = Duration::from_secs(30);
/// The smallest age of the counts that [`Watch::snapshot`] compares with, for growth.
pub(crate) const GROWTH_SPAN: Duration = Duration::from_secs(60);

/// A moment, by three clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    /// Seconds of the epoch.
    now: i64,
    since_boot: Option<SinceBoot>,
}

impl Moment {
    fn now() -> Moment {
        Moment {
            at: Instant::now(),
            now: clock::now(),
            since_boot: sys::since_boot(),
        }
    }
}

/// The live state of one or several instances.
///
/// It only conducts: wakeups say when, the event reader what happened, the translator which files are
/// concerned, and the reconciliation what happened to them.
#[derive(Debug)]
pub struct Watch {
    options: Options,
    purpose: Purpose,
    request: ScanRequest,
    wakeups: Wakeups,
    inotify: Option<Inotify>,
    reader: EventReader,
    spools: Vec<TrackedSpool>,
    broken: Vec<Error>,
    tracked: Tracked,
    pending: Pending,
    events: event::Events,
    abouts: about::Abouts,
    /// The reason for a full rescan, if one is necessary.
    reload: Option<String>,
    /// The time of the last full read or rescan.
    last_full_read: Moment,
    /// True if the reason for having no events was reported.
    blindness_reported: bool,
    history: History,
    daemons: DaemonWatch,
    files_checked: u64,
}

impl Watch {
    /// Begins to watch the instances of `options`. Reads all their queues, as much of them as `purpose` says.
    ///
    /// # Errors
    /// If the options contradict each other, or if no instance can be read: then the error of the first.
    pub fn open(options: &Options, purpose: Purpose) -> Result<Watch> {
        let request = options.request(purpose)?;
        let mut watch = Watch {
            wakeups: Wakeups::new(options.poll().unwrap_or(TICK))?,
            options: options.clone(),
            purpose,
            request,
            inotify: None,
            reader: EventReader::new(),
            spools: Vec::new(),
            broken: Vec::new(),
            tracked: Tracked::new(None, None),
            pending: Pending::default(),
            events: event::Events::default(),
            abouts: about::Abouts::default(),
            reload: None,
            last_full_read: Moment::now(),
            blindness_reported: false,
            history: History::default(),
            daemons: DaemonWatch::default(),
            files_checked: 0,
        };
        watch.load()?;
        if watch.spools.is_empty() && !watch.broken.is_empty() {
            return Err(watch.broken.swap_remove(0));
        }
        watch.go_blind();
        Ok(watch)
    }

    /// Returns the descriptor, which is readable whenever [`Watch::dispatch`] has work.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.wakeups.fd()
    }

    /// Returns why there are no events, if there are none. The watch then rescans from time to time.
    pub fn blind(&self) -> Option<&str> {
        self.tracked.blind.as_deref()
    }

    /// Adds to `verdict` that there are no events, unless the option poll asks for that.
    pub fn note_blindness(&self, verdict: &mut Verdict) {
        if let (None, Some(why)) = (self.options.poll(), self.blind()) {
            let often = RESCAN.as_secs();
            verdict.note(format!("looked at every {often} s: {why}"), false);
        }
    }

    /// Returns how many queue files are known.
    pub fn files(&self) -> usize {
        self.tracked.ledger.len()
    }

    /// Returns how many files were checked since the start, without those that rescans read.
    pub fn files_checked(&self) -> u64 {
        self.files_checked
    }

    /// Returns how many known files had not changed at the last rescan, and were not read again. A rescan
    /// compares the inode number, size and time of change of a file, and of its log of delay reasons.
    pub fn unchanged(&self) -> u64 {
        self.tracked.kept
    }

    /// Rescans all queues, whatever events said. Without events, only changed files are read.
    ///
    /// # Errors
    /// As [`Watch::open`]; the next call of [`Watch::dispatch`] tries again.
    pub fn read_again(&mut self) -> Result<()> {
        self.rescan("the caller asked for it".to_owned())
    }

    /// Waits until the descriptor is readable, at most `within`. Returns true if it is. A signal ends the wait.
    ///
    /// # Errors
    /// If the system refuses to wait.
    pub fn wait(&self, within: Option<Duration>) -> Result<bool> {
        self.wakeups.wait(within)
    }

    /// Processes what has happened. It waits for nothing but the disk.
    ///
    /// # Errors
    /// If a rescan was necessary, and failed as [`Watch::open`] does. The next call tries again.
    pub fn dispatch(&mut self) -> Result<()> {
        let woken = self.wakeups.take();
        if woken.due {
            self.catch_up()?;
        }
        if woken.ticked {
            self.check_without_events()?;
        }
        Ok(())
    }

    /// Processes all pending events, and checks the files that they are about.
    fn catch_up(&mut self) -> Result<()> {
        let busy = self.translate();
        let reconciliation =
            Reconciliation::new(&mut self.spools, &mut self.tracked, &mut self.events);
        self.files_checked += reconciliation.run(&mut self.pending);
        if let Some(reason) = self.reload.take() {
            self.rescan(reason)?;
        }
        self.go_blind();
        if let Some(inotify) = &self.inotify {
            self.wakeups.listen(inotify, busy);
        }
        Ok(())
    }

    /// Translates the pending events to pending changes. Returns true if there were any.
    fn translate(&mut self) -> bool {
        let Some(inotify) = &mut self.inotify else {
            return false;
        };
        let mut translator = Translator {
            spools: &mut self.spools,
            tracked: &mut self.tracked,
            pending: &mut self.pending,
            events: &mut self.events,
            reload: &mut self.reload,
        };
        translator.drain(&mut self.reader, inotify)
    }

    /// Returns the next event that the host has not read. Only [`Watch::dispatch`] adds events. Reads the
    /// message that the event is about.
    pub fn next_event(&mut self) -> Option<Event> {
        let mut event = self.events.pop()?;
        if !event.queue_id.is_empty() {
            event.about = self.about(&event);
        }
        Some(event)
    }

    /// Returns the next event without reading its message: [`Event::about`] is `None`.
    pub fn next_bare_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Returns what is known of the message of `event`: what its file says now, or said last.
    fn about(&mut self, event: &Event) -> Option<About> {
        let name = CString::new(event.queue_id.as_slice()).ok()?;
        for id in self.tracked.ledger.named(&event.queue_id) {
            let directory_id = self.tracked.ledger.entry(id).directory_id;
            let row = self.tracked.directories.row(directory_id);
            let DirectoryKind::Queue(directory) = &row.what else {
                continue;
            };
            let Some(spool) = self.spools.get_mut(row.instance) else {
                continue;
            };
            if spool.instance.name != event.instance {
                continue;
            }
            if let Some(about) = spool.about(directory, &name) {
                self.abouts
                    .keep(&event.instance, &event.queue_id, about.clone());
                return Some(about);
            }
        }
        self.abouts.take(&event.instance, &event.queue_id)
    }

    /// Returns the snapshot of this moment, the same that a scan with these options would take. It processes
    /// pending events first.
    ///
    /// # Errors
    /// As [`Watch::dispatch`].
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.catch_up()?;
        let mut snapshot = self.take(Extent::Whole);
        if self.options.judge_reasons(&self.options.rules(&snapshot)?) {
            self.put_samples(&mut snapshot);
        }
        Ok(snapshot)
    }

    /// Returns the verdict of this moment by the rules of `options`: those of the watch, or others that need no
    /// more data. It costs the same for any number of messages, unless a rule is about `domains`, `ours` or
    /// `theirs`. Default rules on causes, senders and logins, and the words that explain a breach, take a sample
    /// of the mail that was tried last: again when deferred mail has changed, but at most one hundredth of the
    /// time. Its long output lacks the tables by domain, which only [`Watch::snapshot`] has.
    ///
    /// # Errors
    /// As [`Watch::dispatch`], or if a rule contradicts another option.
    pub fn check(&mut self, options: &Options) -> Result<(Snapshot, Verdict)> {
        self.catch_up()?;
        let taken = match options.rules_ask_for_rows() {
            true => Extent::Whole,
            false => Extent::ForRules,
        };
        let mut snapshot = self.take(taken);
        let rules = options.rules(&snapshot)?;
        let sampled = options.judge_reasons(&rules);
        if sampled {
            self.put_samples(&mut snapshot);
        }
        let verdict = options.judge(&snapshot, rules);
        if !sampled && matches!(verdict.state, State::Warning | State::Critical) {
            self.put_samples(&mut snapshot);
        }
        Ok((snapshot, verdict))
    }

    /// Returns the options that it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }
}
