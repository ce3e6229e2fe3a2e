//! Wakes the host of a watch: one descriptor over inotify and two timers.
//!
//! The first event of a quiet queue wakes the host at once. While the queue is busy, events are collected for
//! [`SETTLE`] and processed together: most mail is gone by then, and its files need not be read.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use inotify::Inotify;
use rustix::event::{PollFd, PollFlags, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use crate::error::{Error, ErrorKind, Result};
use crate::sys::{timespec, wait_for};

/// How long events of a busy queue are collected before they are processed.
pub(crate) const SETTLE: Duration = Duration::from_millis(20);
/// How often the descriptor becomes readable without an event: ages grow, and disks fill.
pub const TICK: Duration = Duration::from_secs(10);

/// The data that epoll returns for each descriptor.
const OF_INOTIFY: u64 = 0;
const OF_TICK: u64 = 1;
const OF_SETTLE: u64 = 2;

/// Why the host was woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Woken {
    /// The regular tick has come.
    pub(super) ticked: bool,
    /// True if events may be processed now.
    pub(super) due: bool,
}

/// The descriptor that a host waits for, and the sources that make it readable.
#[derive(Debug)]
pub(super) struct Wakeups {
    epoll: OwnedFd,
    tick: OwnedFd,
    settle: OwnedFd,
    /// True while events wait for [`SETTLE`] to pass.
    settling: bool,
}

impl Wakeups {
    /// Wakes the host at each tick. Each `often`, a tick is also a poll.
    pub(super) fn new(often: Duration) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|errno| system("make an epoll", errno))?;
        let (tick, settle) = (timer()?, timer()?);
        for (timer, number) in [(&tick, OF_TICK), (&settle, OF_SETTLE)] {
            let data = epoll::EventData::new_u64(number);
            epoll::add(&epoll, timer, data, epoll::EventFlags::IN)
                .map_err(|errno| system("wait for a timer", errno))?;
        }
        // A poll coincides with a tick.
        let often = often.div_f64(often.div_duration_f64(TICK).ceil());
        set_timer(&tick, often, often);
        Ok(Wakeups {
            epoll,
            tick,
            settle,
            settling: false,
        })
    }

    /// Returns the descriptor. It is readable when there is work.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Waits until the descriptor is readable, at most `within`. Returns true if it is. A signal ends the wait.
    pub(super) fn wait(&self, within: Option<Duration>) -> Result<bool> {
        let mut fds = [PollFd::new(&self.epoll, PollFlags::IN)];
        wait_for(&mut fds, within).map_err(|errno| system("wait for the watch", errno))
    }

    /// Consumes the wakeups, so that a quiet watch is no longer readable.
    pub(super) fn take(&mut self) -> Woken {
        // Clears the events that epoll has reported.
        let mut reported = Vec::with_capacity(4);
        let now = timespec(Duration::ZERO);
        let _ = epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut reported),
            Some(&now),
        );
        let ticked = expired(&self.tick);
        if expired(&self.settle) {
            self.settling = false;
        }
        Woken {
            ticked,
            due: !self.settling || ticked,
        }
    }

    /// Adds `inotify` to the sources.
    pub(super) fn add(&self, inotify: &Inotify) -> rustix::io::Result<()> {
        let (data, flags) = of_inotify();
        epoll::add(&self.epoll, inotify, data, flags)
    }

    /// Removes `inotify` from the sources.
    pub(super) fn remove(&mut self, inotify: &Inotify) {
        let _ = epoll::delete(&self.epoll, inotify);
        self.settling = false;
    }

    /// Lets the next event of `inotify` wake the host; after [`SETTLE`] if the queue is `busy`.
    pub(super) fn listen(&mut self, inotify: &Inotify, busy: bool) {
        if busy {
            self.settling = true;
            set_timer(&self.settle, SETTLE, Duration::ZERO);
            return;
        }
        let (data, flags) = of_inotify();
        let _ = epoll::modify(&self.epoll, inotify, data, flags);
    }
}

/// One-shot: on a busy queue, each event would wake the host.
fn of_inotify() -> (epoll::EventData, epoll::EventFlags) {
    (
        epoll::EventData::new_u64(OF_INOTIFY),
        epoll::EventFlags::IN | epoll::EventFlags::ONESHOT,
    )
}

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
    let value = Itimerspec {
        it_value: timespec(first),
        it_interval: timespec(again),
    };
    // The timer is ours and the time is valid, so this cannot fail.
    let _ = timerfd_settime(timer, TimerfdTimerFlags::empty(), &value);
}

/// Empties a timer. Returns true if it had expired.
fn expired(timer: &OwnedFd) -> bool {
    let mut count = [0; 8];
    matches!(rustix::io::read(timer, &mut count), Ok(8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inotify::WatchMask;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_tick_is_taken_once() {
        let mut wakeups = Wakeups::new(Duration::from_millis(1)).unwrap();
        assert!(wakeups.wait(Some(LONG)).unwrap());
        assert!(wakeups.take().ticked);
        let mut quiet = Wakeups::new(Duration::from_secs(3600)).unwrap();
        assert!(!quiet.wait(Some(Duration::ZERO)).unwrap());
        assert_eq!(
            quiet.take(),
            Woken {
                ticked: false,
                due: true
            }
        );
    }

    #[test]
    fn a_busy_queue_settles_and_a_quiet_one_wakes_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let inotify = Inotify::init().unwrap();
        inotify
            .watches()
            .add(folder.path(), WatchMask::CREATE)
            .unwrap();
        let mut wakeups = Wakeups::new(Duration::from_secs(3600)).unwrap();
        wakeups.add(&inotify).unwrap();
        std::fs::write(folder.path().join("one"), "").unwrap();
        assert!(wakeups.wait(Some(LONG)).unwrap());
        assert!(wakeups.take().due);
        // The event was not read, and does not wake the host until the next call of listen().
        assert!(!wakeups.wait(Some(Duration::ZERO)).unwrap());
        wakeups.listen(&inotify, true);
        assert!(
            wakeups.wait(Some(LONG)).unwrap(),
            "the timer wakes the host"
        );
        assert!(wakeups.take().due);
        wakeups.listen(&inotify, false);
        assert!(
            wakeups.wait(Some(LONG)).unwrap(),
            "the event wakes the host"
        );
        wakeups.take();
        wakeups.listen(&inotify, true);
        wakeups.remove(&inotify);
        assert!(wakeups.take().due, "without inotify nothing settles");
    }
}
