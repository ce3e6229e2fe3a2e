//! The message cursor.

use std::ffi::c_char;
use std::sync::Arc;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::{fallible, freed, infallible};
use super::handle::{self, Life, Opaque};
use super::input::first_release_ends;
use super::options::controlled;
use super::snapshot::qw_snapshot;
use super::{QW_END, QW_OK, QW_QUEUE_NONE, qw_queue, qw_status};
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::postfix::queue::Queue;
use crate::scan::Depth;
use crate::snapshot::SnapshotMessages;

/// A cursor over messages. One thread at a time.
pub struct qw_messages {
    cursor: SnapshotMessages,
    /// That of the options of its snapshot.
    control: Arc<Control>,
    life: Life,
}

impl Opaque for qw_messages {
    fn life(&self) -> Option<&Life> {
        Some(&self.life)
    }
}

/// One message. The bytes are raw. They live until the cursor moves or is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_message {
    /// The name of its instance.
    pub instance: qw_bytes,
    /// Its queue ID.
    pub queue_id: qw_bytes,
    /// The envelope sender; empty for the null sender.
    pub sender: qw_bytes,
    /// The arrival time, in seconds of the epoch; 0 if the file does not say.
    pub arrival: i64,
    /// The time of its next retry, in seconds of the epoch; 0 unless it is deferred.
    pub next_retry: i64,
    /// The size that mailq prints, in bytes.
    pub size: u64,
    /// The number of recipients still to be delivered; see qw_messages_recipient.
    pub recipients: u64,
    /// The number of recipients that were delivered or bounced.
    pub done: u64,
    /// QW_QUEUE_.
    pub queue: qw_queue,
    /// The permission bits of the file.
    pub mode: u32,
    /// 1 if the file is damaged. The row has what could be read.
    pub damaged: i32,
    /// 1 if it is marked for expiry (`postsuper -e`, or an altered mode).
    pub forced_expire: i32,
    /// What its origin is known by: login, client, user or unknown.
    pub origin_by: qw_bytes,
    /// The SASL login; absent if there is none.
    pub login: qw_bytes,
    /// The address of the client; absent if none is on record.
    pub client: qw_bytes,
    /// The name of the client; absent if none is on record.
    pub client_name: qw_bytes,
    /// What the client said in HELO or EHLO; absent if nothing is on record.
    pub helo: qw_bytes,
    /// The local user who submitted it; -1 if none is on record.
    pub user: i64,
}

first_release_ends!(qw_message, forced_expire: i32);

/// Why a recipient waits, as Postfix logged it. The bytes are raw. They live until the cursor moves or is
/// freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_delay {
    /// The enhanced status code, such as 4.4.1.
    pub status: qw_bytes,
    /// The delay reason that mailq prints.
    pub reason: qw_bytes,
    /// The address that was tried, quoted. It differs from the recipient where mail is redirected.
    pub address: qw_bytes,
}

first_release_ends!(qw_delay, address: qw_bytes);

/// Opens a cursor over the messages of `queue` (a queue's name, backlog or total; NULL: all six) in the
/// instances of `snapshot`. It reads the spool again, on the calling thread. Free it with qw_messages_free.
/// Filters among the options of qw_scan (recipient, sender, login and so on) select messages here; they do not
/// change the sums of the snapshot. Errors: QW_ERR_INVALID, QW_ERR_NOT_FOUND (no such queue). Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_messages_open(
    snapshot: *const qw_snapshot,
    queue: *const c_char,
    queue_len: usize,
    out: *mut *mut qw_messages,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(
        err,
        [out(out), shared(snapshot), queues(queue, queue_len)],
        {
            let control = Arc::clone(&snapshot.control);
            let snapshot = Arc::clone(&snapshot.snapshot);
            *out = handle::give(qw_messages {
                cursor: SnapshotMessages::new(snapshot, queue, Depth::Reasons),
                control,
                life: Life::of_descriptors(),
            });
            Ok(QW_OK)
        }
    )
}

/// Moves to the next message and fills `row`; QW_END after the last. `row_size` is sizeof *row. A message that
/// moves during the call may be listed twice or not at all, as with mailq.
/// Errors: QW_ERR_INVALID, QW_ERR_CANCELLED (by qw_cancel), and those of qw_scan for an instance whose spool has gone.
/// Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_messages_next(
    messages: *mut qw_messages,
    row: *mut qw_message,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [exclusive(messages), row(row, row_size)], {
        let messages = &mut *messages;
        let cursor = &mut messages.cursor;
        if !controlled(&messages.control, || cursor.advance())? {
            return Ok(QW_END);
        }
        let Some(filled) = filled(cursor) else {
            return Ok(QW_END);
        };
        row.give(filled);
        Ok(QW_OK)
    })
}

fn filled(cursor: &SnapshotMessages) -> Option<qw_message> {
    let (taken, row) = cursor.row()?;
    let known = |text: &[u8]| qw_bytes::of_option((!text.is_empty()).then_some(text));
    let mode = row.inode.map_or(0, |inode| inode.mode);
    let deferred = row.queue == Some(Queue::Deferred);
    Some(qw_message {
        instance: qw_bytes::of(taken.instance.name.as_bytes()),
        queue_id: qw_bytes::of(&row.queue_id),
        sender: qw_bytes::of(&row.sender),
        arrival: row.envelope.arrival.unwrap_or(0),
        next_retry: row
            .inode
            .filter(|_| deferred)
            .map_or(0, |inode| inode.mtime),
        size: row.size,
        recipients: row.recipient_count() as u64,
        done: row.envelope.done,
        queue: row.queue.map_or(QW_QUEUE_NONE, |queue| queue as qw_queue),
        mode,
        damaged: i32::from(row.envelope.damage.is_some()),
        forced_expire: i32::from(row.is_forced_expire()),
        origin_by: qw_bytes::of(row.origin.kind().name().as_bytes()),
        login: known(&row.origin.login),
        client: known(&row.origin.client),
        client_name: known(&row.origin.client_name),
        helo: known(&row.origin.helo),
        user: row.origin.user.map_or(-1, i64::from),
    })
}

/// Returns the recipient at `index` of the present message, from 0 to row.recipients - 1, raw, in the order
/// of the file. It lives until the cursor moves or is freed. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_messages_recipient(
    messages: *const qw_messages,
    index: usize,
    out: *mut qw_bytes,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [shared(messages), place(out, "the recipient")], {
        let (_, row) = messages.cursor.row().ok_or_else(no_recipient)?;
        *out = qw_bytes::of(row.recipient(index).ok_or_else(no_recipient)?);
        Ok(QW_OK)
    })
}

/// Fills `row` with the reason why the recipient at `index` of the present message waits; QW_END if none is
/// on record. `row_size` is sizeof *row. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_messages_delay(
    messages: *const qw_messages,
    index: usize,
    row: *mut qw_delay,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [shared(messages), row(row, row_size)], {
        let (_, present) = messages.cursor.row().ok_or_else(no_recipient)?;
        if present.recipient(index).is_none() {
            return Err(no_recipient());
        }
        let Some(delay) = present.delay(index) else {
            return Ok(QW_END);
        };
        row.give(qw_delay {
            status: qw_bytes::of(delay.status),
            reason: qw_bytes::of(delay.reason),
            address: qw_bytes::of(delay.address),
        });
        Ok(QW_OK)
    })
}

fn no_recipient() -> Error {
    Error::new(ErrorKind::Invalid, "there is no recipient at this index")
}

/// Returns the number of directories and files that the cursor could not read so far; 0 for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_messages_unreadable(messages: *const qw_messages) -> u64 {
    infallible!(0, [shared(messages)], messages.cursor.unreadable())
}

/// Frees a cursor. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_messages_free(messages: *mut qw_messages) {
    freed!(messages);
}
