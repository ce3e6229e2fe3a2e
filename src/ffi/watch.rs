//! The watch: one descriptor, dispatch, events, snapshots and verdicts of the live state.

use std::os::fd::AsRawFd as _;
use std::time::Duration;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::{fallible, freed, infallible};
use super::handle::{self, Life, Opaque};
use super::input::first_release_ends;
use super::options::qw_options;
use super::snapshot::{give_snapshot, qw_snapshot};
use super::verdict::{give_verdict, qw_verdict};
use super::{QW_END, QW_OK, QW_QUEUE_NONE, qw_queue, qw_status};
use crate::options::Purpose;
use crate::postfix::queue::Queue;
use crate::spelling::Spelling;
use crate::watch::{About, Event, EventKind, Watch};

/// The live state of the queues. One thread at a time.
pub struct qw_watch {
    watch: Watch,
    /// The last event that was returned.
    event: Option<Event>,
    spelling: Spelling,
    life: Life,
}

impl Opaque for qw_watch {
    fn life(&self) -> Option<&Life> {
        Some(&self.life)
    }

    fn spelling(&self) -> Option<Spelling> {
        Some(self.spelling)
    }
}

/// Kind of an event: a message is new.
pub const QW_EVENT_ARRIVED: i32 = 0;
/// Kind of an event: a message moved from one queue to another.
pub const QW_EVENT_MOVED: i32 = 1;
/// Kind of an event: a message is gone: delivered, bounced, expired or deleted.
pub const QW_EVENT_LEFT: i32 = 2;
/// Kind of an event: a message changed in place: a recipient done, a new delay reason, another mode.
pub const QW_EVENT_CHANGED: i32 = 3;
/// Kind of an event: everything was rescanned, for the given reason. Changes may be without events.
pub const QW_EVENT_RESCANNED: i32 = 4;
/// Kind of an event: there are no events, for the given reason. The watch looks at all files twice a minute.
pub const QW_EVENT_BLIND: i32 = 5;
/// Kind of an event: events were dropped because the queue of events was full.
pub const QW_EVENT_DROPPED: i32 = 6;

/// One event. The bytes live until the next call of qw_watch_next, or until the watch is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_event {
    /// The name of the instance; empty if the event is about no instance.
    pub instance: qw_bytes,
    /// The queue ID; empty if the event is about no message.
    pub queue_id: qw_bytes,
    /// The reason of an event that is about no message: printable ASCII.
    pub reason: qw_bytes,
    /// The arrival time of the message, in seconds of the epoch; 0 if it is not known.
    pub arrival: i64,
    /// Its size as mailq prints it, in bytes.
    pub size: u64,
    /// The number of its recipients still to be delivered.
    pub recipients: u64,
    /// QW_EVENT_.
    pub kind: i32,
    /// The queue of the message, or the one that it left; QW_QUEUE_.
    pub queue: qw_queue,
    /// The queue that a moved message came from; QW_QUEUE_.
    pub from_queue: qw_queue,
    /// 0.
    pub reserved: i32,
    /// The envelope sender; empty for the null sender. Absent, as the fields below, if the message could not
    /// be read.
    pub sender: qw_bytes,
    /// The first recipient that waits; absent if none does.
    pub recipient: qw_bytes,
    /// What its origin is known by: login, client, user or unknown.
    pub origin_by: qw_bytes,
    /// That login, client address or user ID; empty if nothing is on record.
    pub origin: qw_bytes,
    /// Why its first recipient waits, by the name of the cause; absent unless it is deferred with a reason.
    pub cause: qw_bytes,
}

first_release_ends!(qw_event, reserved: i32);

/// Begins to watch the instances in `options` by inotify, and reads all of them once, as qw_scan does. The
/// options `timeout` and `previous` have no effect here. With the option `poll`, or if inotify is not
/// available, it looks at all files from time to time and reads those that have changed (by inode number, size
/// and ctime, of the file and of its log of delay reasons); its state is then as old as the last look. It holds
/// file descriptors, and no thread. Free it with qw_watch_free. Errors: as qw_scan. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_open(
    options: *const qw_options,
    out: *mut *mut qw_watch,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(options)], {
        let open = || Watch::open(&options.options, Purpose::Everything);
        *out = handle::give(qw_watch {
            watch: options.controlled(open)?,
            event: None,
            spelling: options.spelling,
            life: Life::of_descriptors(),
        });
        Ok(QW_OK)
    })
}

/// Returns the descriptor to wait for with poll, select or epoll. It is readable whenever qw_watch_dispatch
/// has work, and at least every ten seconds, because ages grow. It belongs to the watch: do not read or close
/// it. -1 for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_fd(watch: *const qw_watch) -> i32 {
    infallible!(-1, [shared(watch)], watch.watch.fd().as_raw_fd())
}

/// Waits until the descriptor is readable, at most `timeout_ms` milliseconds (negative: forever), for hosts
/// without an event loop. QW_OK: it is readable; QW_END: the time is up, or a signal came. Errors:
/// QW_ERR_INVALID, QW_ERR_IO. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_wait(
    watch: *const qw_watch,
    timeout_ms: i32,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [shared(watch)], {
        let within = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
        match watch.watch.wait(within)? {
            true => Ok(QW_OK),
            false => Ok(QW_END),
        }
    })
}

/// Processes what has happened. It waits for nothing but the disk; a call without work is harmless. Errors:
/// QW_ERR_INVALID, and those of qw_scan if a rescan was necessary: the next call tries again. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_dispatch(
    watch: *mut qw_watch,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [exclusive(watch)], {
        watch.watch.dispatch()?;
        Ok(QW_OK)
    })
}

/// Fills `row` with the next event, or returns QW_END if there are no more. `row_size` is sizeof *row. The
/// watch keeps some thousands of events. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_next(
    watch: *mut qw_watch,
    row: *mut qw_event,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [exclusive(watch), row(row, row_size)], {
        let next = watch.watch.next_event();
        watch.event = next;
        let Some(event) = &watch.event else {
            return Ok(QW_END);
        };
        row.give(row_of(event));
        Ok(QW_OK)
    })
}

fn row_of(event: &Event) -> qw_event {
    let of = |field: &dyn Fn(&About) -> Option<&[u8]>| {
        qw_bytes::of_option(event.about.as_ref().and_then(field))
    };
    let number = |queue: Option<Queue>| queue.map_or(QW_QUEUE_NONE, |queue| queue as qw_queue);
    qw_event {
        instance: qw_bytes::of(event.instance.as_bytes()),
        queue_id: qw_bytes::of(&event.queue_id),
        reason: qw_bytes::of(event.reason.as_bytes()),
        arrival: event.arrival.unwrap_or(0),
        size: event.size,
        recipients: event.recipients,
        kind: match event.kind {
            EventKind::Arrived => QW_EVENT_ARRIVED,
            EventKind::Moved => QW_EVENT_MOVED,
            EventKind::Left => QW_EVENT_LEFT,
            EventKind::Changed => QW_EVENT_CHANGED,
            EventKind::Rescanned => QW_EVENT_RESCANNED,
            EventKind::Blind => QW_EVENT_BLIND,
            EventKind::Dropped => QW_EVENT_DROPPED,
        },
        queue: number(event.queue),
        from_queue: number(event.from),
        reserved: 0,
        sender: of(&|about| Some(&about.sender)),
        recipient: of(&|about| about.recipient.as_deref()),
        origin_by: of(&|about| Some(about.origin_by.as_bytes())),
        origin: of(&|about| Some(&about.origin)),
        cause: of(&|about| Some(about.cause?.name().as_bytes())),
    }
}

/// Returns the snapshot of this moment, the same that qw_scan would take; pending changes are processed first.
/// Free it with qw_snapshot_free; it stays valid without the watch. Errors: as qw_watch_dispatch. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_snapshot(
    watch: *mut qw_watch,
    out: *mut *mut qw_snapshot,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), exclusive(watch)], {
        let snapshot = watch.watch.snapshot()?;
        *out = give_snapshot(snapshot, watch.watch.options(), None, watch.spelling);
        Ok(QW_OK)
    })
}

/// Returns the verdict of this moment by the rules in `options`, or, if NULL, in those of qw_watch_open. It
/// costs the same for any number of messages, except that default rules on causes, senders and logins read a
/// sample of deferred mail after it has changed, for at most one hundredth of the time. Its long output lacks
/// the table of domains by age, which qw_check of qw_watch_snapshot has. Free it with qw_verdict_free. Errors: as qw_watch_dispatch and qw_check. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_check(
    watch: *mut qw_watch,
    options: *const qw_options,
    out: *mut *mut qw_verdict,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), exclusive(watch), optional(options)], {
        let rules = match options {
            Some(options) => options.options.clone(),
            None => watch.watch.options().clone(),
        };
        let (snapshot, verdict) = watch.watch.check(&rules)?;
        *out = give_verdict(snapshot.into(), verdict, rules.counts(), watch.spelling);
        Ok(QW_OK)
    })
}

/// Frees a watch. Snapshots and verdicts made from it stay valid. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_watch_free(watch: *mut qw_watch) {
    freed!(watch);
}
