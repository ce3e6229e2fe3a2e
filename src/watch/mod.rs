//! The queues' live state: a snapshot that inotify(7) keeps.
//!
//! ```text
//! inotify -> what has changed -> the files, read anew -> ledger -> sums -> the same snapshot as a scan's
//! ```
//!
//! A [`Watch`] reads all queues once, after it has set a watch on each of their directories. From then on
//! events say which files are to be looked at, and never what is in them: the state is always made of what
//! lies on disk, so that after any events it equals a fresh scan. A rename alone carries an entry along
//! without reading it. Whenever events may lack (the kernel's queue ran over, a directory was replaced,
//! the file system went away) all is read anew; where there can be none at all (no watches left, a network
//! file system), or none are wanted ([`Options::poll`]), all is looked at anew from time to time. Both are
//! told, as an [`Event`].
//!
//! There is one descriptor to wait for ([`Watch::fd`]) and one call to make when it is readable
//! ([`Watch::dispatch`]), which never waits. News are taken in at once when the queue was quiet, and
//! [`SETTLE`] apart when it is busy: most mail is gone by then, and costs no look at its file.
//! No thread is left behind by any call.

mod event;
mod hold_down;
mod interner;
mod ledger;
mod loader;
mod observer;
mod pending;
mod reconcile;
mod rescan;
mod snapshot;
mod totals;
mod tracked;
mod watch_set;

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use inotify::Inotify;
use rustix::event::{PollFd, PollFlags, epoll, poll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

pub use event::{Event, EventKind, MAX_EVENTS};
pub use hold_down::Changes;

use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::instance::Instance;
use crate::options::{Options, Purpose};
use crate::postfix::queue::Queue;
use crate::rules::Verdict;
use crate::scan::{Depth, Directory, FileReader, Gap, Spool};
use crate::snapshot::{Earlier, Request, Snapshot};
use crate::sys::{self, Noatime, SinceBoot};
use ledger::Place;
use observer::Capture;
use totals::Totals;
use tracked::Book;
use watch_set::What;

/// How long a busy queue is left alone between two looks.
pub const SETTLE: Duration = Duration::from_millis(20);
/// How often the descriptor is readable though nothing happened: ages grow, and disks fill.
pub const TICK: Duration = Duration::from_secs(10);
/// How often all is looked at where there are no events, unless [`Options::poll`] says it.
pub const RESCAN: Duration = Duration::from_secs(30);
/// What [`Watch::snapshot`] compares counts with, for growth, is at least so old.
pub const GROWTH_SPAN: Duration = Duration::from_secs(60);

/// Memory for one read of events: some hundreds.
const EVENT_BYTES: usize = 65_536;
/// Renames of which only the first half has come.
const MAX_HALVES: usize = 32;

/// One instance that is watched.
#[derive(Debug)]
struct Watched {
    instance: Instance,
    spool: Spool,
    totals: Totals,
    files: FileReader,
    capture: Capture,
    /// Its queue directory when it was opened: device and inode.
    identity: Option<(u64, u64)>,
    /// What could not be opened at all.
    gaps: Vec<Gap>,
    /// When it was opened first.
    clock: Instant,
}

impl Watched {
    /// Opens its delay logs and the directories of its queues, and notes what stands in the way.
    fn open(&mut self) -> Vec<Arc<Directory>> {
        let plan = self.totals.plan;
        let (files, mut gaps) = self.spool.reader(&plan);
        let mut noatime = Noatime::default();
        let directories = self
            .spool
            .queue_directories(plan.queues(), &mut noatime, |gap| gaps.push(gap));
        self.files = files;
        self.gaps = gaps;
        directories
    }
}

/// A moment, by three clocks.
#[derive(Clone, Copy, Debug)]
struct Moment {
    at: Instant,
    /// In seconds of the epoch.
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

/// What was read when all was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// All, as at the beginning.
    OfAll,
    /// What had changed, and that was told event by event.
    OfChanges,
}

/// How a file is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// It was renamed to another name or directory, be it one that is not watched.
    Away,
    /// It has gone.
    Gone,
    /// Its mode or times may have changed.
    Inode,
    /// Anything may have.
    Whole,
}

/// A file that is to be looked at.
#[derive(Clone, Copy, Debug)]
struct Pending(Look);

type Key = (Place, Box<[u8]>);

/// The live state of one or several instances.
#[derive(Debug)]
pub struct Watch {
    options: Options,
    purpose: Purpose,
    request: Request,
    inotify: Option<Inotify>,
    memory: Vec<u8>,
    epoll: OwnedFd,
    tick: OwnedFd,
    settle: OwnedFd,
    /// Whether news wait for [`SETTLE`] to pass.
    settling: bool,
    watched: Vec<Watched>,
    broken: Vec<Error>,
    book: Book,
    pending: HashMap<Key, Pending>,
    order: Vec<Key>,
    /// First halves of renames: cookie, place, name, and whether the entry may be carried along.
    halves: VecDeque<(u32, Place, Box<[u8]>, bool)>,
    events: event::Events,
    /// Why all is to be read anew.
    reload: Option<String>,
    /// When all was read or looked at last.
    looked: Moment,
    /// Whether it was told why there are no events.
    told_blind: bool,
    earlier: VecDeque<(Instant, Earlier)>,
    looks: u64,
}

/// The numbers of the descriptors in epoll.
const OF_INOTIFY: u64 = 0;
const OF_TICK: u64 = 1;
const OF_SETTLE: u64 = 2;

fn system(action: &str, errno: rustix::io::Errno) -> Error {
    let cause = std::io::Error::from(errno);
    Error::new(ErrorKind::Io, format!("cannot {action}: {cause}"))
}

fn timer() -> Result<OwnedFd> {
    timerfd_create(
        TimerfdClockId::Monotonic,
        TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
    )
    .map_err(|errno| system("make a timer", errno))
}

fn set_timer(timer: &OwnedFd, first: Duration, again: Duration) {
    let spec = |time: Duration| Timespec {
        tv_sec: time.as_secs() as _,
        tv_nsec: time.subsec_nanos().into(),
    };
    let value = Itimerspec {
        it_value: spec(first),
        it_interval: spec(again),
    };
    // With a timer of our own and a valid time it cannot fail.
    let _ = timerfd_settime(timer, TimerfdTimerFlags::empty(), &value);
}

/// Empties a timer; whether it had expired.
fn expired(timer: &OwnedFd) -> bool {
    let mut count = [0; 8];
    matches!(rustix::io::read(timer, &mut count), Ok(8))
}

impl Watch {
    /// Begins to watch the instances of `options`, and reads all their queues: as much of them as
    /// `purpose` says.
    ///
    /// # Errors
    /// If the options contradict each other, or not one instance can be read: then the reason of the
    /// first.
    pub fn open(options: &Options, purpose: Purpose) -> Result<Watch> {
        let request = options.request(purpose)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|errno| system("make an epoll", errno))?;
        let (tick, settle) = (timer()?, timer()?);
        for (timer, number) in [(&tick, OF_TICK), (&settle, OF_SETTLE)] {
            let data = epoll::EventData::new_u64(number);
            epoll::add(&epoll, timer, data, epoll::EventFlags::IN)
                .map_err(|errno| system("wait for a timer", errno))?;
        }
        // Polls fall on a tick.
        let poll = options.poll().unwrap_or(TICK);
        let often = poll.div_f64(poll.div_duration_f64(TICK).ceil());
        set_timer(&tick, often, often);
        let mut watch = Watch {
            options: options.clone(),
            purpose,
            request,
            inotify: None,
            memory: vec![0; EVENT_BYTES],
            epoll,
            tick,
            settle,
            settling: false,
            watched: Vec::new(),
            broken: Vec::new(),
            book: Book::new(None, None),
            pending: HashMap::new(),
            order: Vec::new(),
            halves: VecDeque::new(),
            events: event::Events::default(),
            reload: None,
            looked: Moment::now(),
            told_blind: false,
            earlier: VecDeque::new(),
            looks: 0,
        };
        watch.load()?;
        if watch.watched.is_empty() && !watch.broken.is_empty() {
            return Err(watch.broken.swap_remove(0));
        }
        watch.go_blind();
        Ok(watch)
    }

    /// The descriptor that is readable whenever [`Watch::dispatch`] has something to do.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Why there are no events, if there are none: all is read anew from time to time.
    pub fn blind(&self) -> Option<&str> {
        self.book.blind.as_deref()
    }

    /// How many queue files are known.
    pub fn files(&self) -> usize {
        self.book.ledger.len()
    }

    /// How many files were looked at since the beginning, all those that a rescan reads aside.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// How many files were known when all was looked at last, and not read again: where there are no
    /// events, a message is known by the inode number, size and time of change of its file, and of its
    /// log of delay reasons.
    pub fn kept(&self) -> u64 {
        self.book.kept
    }

    /// Reads all queues anew now, whatever events have told or not; where there are none, what has changed.
    ///
    /// # Errors
    /// As [`Watch::open`]; the next call of [`Watch::dispatch`] tries again.
    pub fn read_again(&mut self) -> Result<()> {
        self.load_again("somebody asked for it".to_owned())
    }

    /// Waits until the descriptor is readable, at most `within`; whether it is. A signal ends it.
    ///
    /// # Errors
    /// If the system refuses to wait.
    pub fn wait(&self, within: Option<Duration>) -> Result<bool> {
        let mut fds = [PollFd::new(&self.epoll, PollFlags::IN)];
        let timeout = within.map(|within| Timespec {
            tv_sec: within.as_secs() as _,
            tv_nsec: within.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(errno) => Err(system("wait for the watch", errno)),
        }
    }

    /// Takes in what has happened. Never waits for anything but the disk.
    ///
    /// # Errors
    /// If all had to be read anew, and that failed as [`Watch::open`] does; the next call tries again.
    pub fn dispatch(&mut self) -> Result<()> {
        self.harvest();
        let ticked = expired(&self.tick);
        let settled = expired(&self.settle);
        if settled {
            self.settling = false;
        }
        if !self.settling || ticked {
            self.catch_up()?;
        }
        if ticked {
            self.look_around()?;
        }
        Ok(())
    }

    /// Makes epoll let go of what it reported, so that a quiet watch is not readable.
    fn harvest(&self) {
        let mut reported = Vec::with_capacity(4);
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let _ = epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut reported),
            Some(&now),
        );
    }

    /// Takes in all events that wait, and looks at what they are about.
    fn catch_up(&mut self) -> Result<()> {
        let busy = self.drain();
        self.resolve();
        if let Some(reason) = self.reload.take() {
            self.load_again(reason)?;
        }
        self.go_blind();
        if self.inotify.is_some() {
            if busy {
                self.settling = true;
                set_timer(&self.settle, SETTLE, Duration::ZERO);
            } else {
                self.listen();
            }
        }
        Ok(())
    }

    /// Lets epoll report the next event; once, for a busy queue would wake the host for each.
    fn listen(&self) {
        if let Some(inotify) = &self.inotify {
            let data = epoll::EventData::new_u64(OF_INOTIFY);
            let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
            let _ = epoll::modify(&self.epoll, inotify, data, flags);
        }
    }

    /// What only a clock tells: a spool that was replaced, one that is back, a rescan that is due.
    fn look_around(&mut self) -> Result<()> {
        let replaced = self
            .watched
            .iter()
            .find(|watched| identity(&watched.instance.queue_directory) != watched.identity);
        if let Some(watched) = replaced {
            let path = crate::escape::path(&watched.instance.queue_directory);
            return self.load_again(format!("{path} is another directory now"));
        }
        if !self.broken.is_empty() {
            let found = self.options.instances();
            let usable = found.is_ok_and(|found| {
                let usable = found
                    .into_iter()
                    .filter(|one| one.as_ref().is_ok_and(|one| Spool::of(one).is_ok()));
                usable.count() > self.watched.len()
            });
            if usable {
                return self.load_again("an instance can be read again".to_owned());
            }
        }
        // A timer may be a little early.
        let due = self.options.poll().unwrap_or(RESCAN).mul_f64(0.99);
        if self.book.blind.is_some() && self.looked.at.elapsed() >= due {
            return self.load_again("there are no events".to_owned());
        }
        Ok(())
    }

    fn load_again(&mut self, reason: String) -> Result<()> {
        log::info!("all queues are looked at anew: {reason}");
        let outcome = self.load();
        if outcome.is_err() {
            self.reload = Some(reason.clone());
        }
        if !matches!(outcome, Ok(Reading::OfChanges)) {
            self.events
                .push(Event::of_watch(EventKind::Rescanned, "", reason));
        }
        self.go_blind();
        outcome.map(drop)
    }

    /// Where there cannot be all events there are none, which is told to whoever has not asked for it.
    fn go_blind(&mut self) {
        let Some(why) = self.book.blind.clone() else {
            self.told_blind = false;
            return;
        };
        if let Some(inotify) = self.inotify.take() {
            let _ = epoll::delete(&self.epoll, &inotify);
            self.book.places.unwatch();
            self.settling = false;
        }
        if self.options.poll().is_none() && !std::mem::replace(&mut self.told_blind, true) {
            log::warn!("no events: {why}");
            self.events.push(Event::of_watch(EventKind::Blind, "", why));
        }
    }

    /// Forgets all, watches all directories, and reads all queues; but where there were no events and are
    /// none, what is known of unchanged files is kept.
    fn load(&mut self) -> Result<Reading> {
        let found = self.options.instances()?;
        self.pending.clear();
        self.order.clear();
        self.halves.clear();
        self.broken.clear();
        self.looked = Moment::now();
        let mut opened = Vec::new();
        for instance in found {
            match instance.and_then(|instance| Ok((Spool::of(&instance)?, instance))) {
                Ok((spool, instance)) => opened.push((instance, spool)),
                Err(error) => self.broken.push(error),
            }
        }
        if self.book.blind.is_some() && self.is_of(&opened) && !self.may_hear() {
            self.look_again(opened);
            return Ok(Reading::OfChanges);
        }
        self.watched.clear();
        self.book = Book::new(None, None);
        if let Some(old) = self.inotify.take() {
            let _ = epoll::delete(&self.epoll, &old);
        }
        let blind = self.hear().err();
        self.book = Book::new(self.inotify.as_ref(), blind);
        self.settling = false;
        for (instance, spool) in opened {
            self.load_instance(instance, spool);
        }
        if self.book.blind.is_none() {
            self.book.ledger.forget_notes();
        }
        Ok(Reading::OfAll)
    }

    /// Whether `opened` are the instances and spools that are watched.
    fn is_of(&self, opened: &[(Instance, Spool)]) -> bool {
        let same = |(watched, (instance, _)): (&Watched, &(Instance, Spool))| {
            watched.instance == *instance
                && watched.identity.is_some()
                && watched.identity == identity(&instance.queue_directory)
        };
        !self.watched.is_empty()
            && self.watched.len() == opened.len()
            && self.watched.iter().zip(opened).all(same)
    }

    /// Whether there may be events by now, where there were none.
    fn may_hear(&self) -> bool {
        let remote = |watched: &Watched| {
            sys::network_file_system(&watched.instance.queue_directory).is_some()
        };
        self.options.poll().is_none()
            && !self.watched.iter().any(remote)
            && Inotify::init().is_ok_and(|inotify| self.book.places.can_be_watched(&inotify))
    }

    /// Looks at all files without having been told of any, and reads those that have changed.
    fn look_again(&mut self, opened: Vec<(Instance, Spool)>) {
        self.book.kept = 0;
        let readers = self.request.readers;
        for (number, (watched, (_, spool))) in self.watched.iter_mut().zip(opened).enumerate() {
            watched.spool = spool;
            let directories = watched.open();
            let (book, events) = (&mut self.book, &mut self.events);
            loader::look_again(book, number, watched, directories, readers, events);
        }
        let (kept, all) = (self.kept(), self.files());
        log::info!("{kept} of {all} files have not changed and were not read");
    }

    /// Has the kernel tell events from now on; else why there are none.
    fn hear(&mut self) -> std::result::Result<(), String> {
        if self.options.poll().is_some() {
            return Err("they are not wanted (option poll)".to_owned());
        }
        let inotify = Inotify::init()
            .map_err(|error| watch_set::why_not(&error, std::path::Path::new("/"), 0))?;
        let data = epoll::EventData::new_u64(OF_INOTIFY);
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ONESHOT;
        epoll::add(&self.epoll, &inotify, data, flags)
            .map_err(|errno| format!("cannot wait for inotify: {errno}"))?;
        self.inotify = Some(inotify);
        Ok(())
    }

    fn load_instance(&mut self, instance: Instance, spool: Spool) {
        let number = self.watched.len();
        let (plan, wanted) = (self.request.plan, self.request.wanted);
        if let Some(kind) = sys::network_file_system(&instance.queue_directory) {
            let path = crate::escape::path(&instance.queue_directory);
            self.book.blind.get_or_insert(format!(
                "{path} is on {kind}, where other hosts' changes make no events"
            ));
        }
        let path = instance.queue_directory.clone();
        let (_, outcome) = self
            .book
            .places
            .add(number, What::Spool, None, &path, spool.fd());
        self.book.note(outcome);
        if Queue::ALL
            .into_iter()
            .any(|queue| plan.depth(queue) == Some(Depth::Reasons))
        {
            let mut noatime = Noatime::default();
            if let Ok(fd) = noatime.open_directory(spool.fd(), c"defer", true) {
                let logs = path.join("defer");
                let place = self.book.add_logs(number, fd, &logs, None);
                loader::watch_logs(&mut self.book, number, place, &mut Vec::new());
            }
        }
        let mut watched = Watched {
            identity: identity(&path),
            capture: Capture::new(plan, wanted),
            totals: Totals::new(plan, wanted),
            instance,
            spool,
            files: FileReader::default(),
            gaps: Vec::new(),
            clock: Instant::now(),
        };
        let directories = watched.open();
        let readers = self.request.readers;
        loader::load(&mut self.book, number, &mut watched, directories, readers);
        self.watched.push(watched);
    }

    /// The next event that nobody has pulled yet. It does not look for news: [`Watch::dispatch`] does.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// The snapshot of this moment, the same that a scan with these options would take. News that wait
    /// are taken in first.
    ///
    /// # Errors
    /// As [`Watch::dispatch`].
    pub fn snapshot(&mut self) -> Result<Snapshot> {
        self.catch_up()?;
        Ok(self.taken(true))
    }

    /// The verdict of this moment by the rules of `options`: those of the watch, or others that ask for
    /// nothing more. It costs the same for any number of messages; its long output lacks the tables by
    /// domain, which only [`Watch::snapshot`] has.
    ///
    /// # Errors
    /// As [`Watch::dispatch`], or if a rule contradicts another option.
    pub fn check(&mut self, options: &Options) -> Result<(Snapshot, Verdict)> {
        self.catch_up()?;
        let snapshot = self.taken(false);
        let verdict = options.check(&snapshot)?;
        Ok((snapshot, verdict))
    }

    /// The options that it was opened with.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

/// Device and inode of the directory at `path`, links followed.
fn identity(path: &std::path::Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}
