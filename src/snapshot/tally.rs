//! The plain sums of one queue: adding, merging, and whether they are complete.

use std::ops::AddAssign;

use crate::scan::GapKind;

/// The ends, in seconds from now, of the columns of [`Tally::retries`]; 0 ends the column of due messages.
pub(crate) const RETRY_EDGES: [i64; 6] = [0, 300, 600, 1200, 2400, 4800];

/// Sums over the messages of one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages.
    pub messages: u64,
    /// Recipients still to be delivered.
    pub recipients: u64,
    /// Message sizes as mailq prints them, in bytes.
    pub bytes: u64,
    /// The earliest arrival, in seconds of the epoch.
    pub oldest: Option<i64>,
    /// Messages whose next retry is overdue by more than one `queue_run_delay` (deferred only).
    pub(crate) overdue: u64,
    /// Messages by the time to their next retry (deferred only): due, within each of `RETRY_EDGES`, and
    /// later.
    pub(crate) retries: [u64; RETRY_EDGES.len() + 1],
    /// Damaged files.
    pub(crate) damaged: u64,
    /// Queue files, ready or not, with group or other mode bits.
    pub(crate) altered: u64,
    /// Messages without a valid arrival time. They have no age.
    pub(crate) ageless: u64,
    /// Those of them whose arrival time is in the future.
    pub(crate) misdated: u64,
    /// Messages whose recipients could not all be read, because the file is damaged.
    pub(crate) torn: u64,
    /// Messages whose sender and login may not have been read, because the file is damaged before its sender.
    pub(crate) senderless: u64,
    /// Messages whose client may not have been read, because the file is damaged before its first recipient.
    pub(crate) clientless: u64,
    /// Files that are not ready (being written, or marked damaged); not in `messages`.
    pub(crate) not_ready: u64,
    /// Files in directories that Postfix does not look at; not in `messages`.
    pub strays: u64,
    /// Messages in a hash directory where Postfix does not look for them.
    pub(crate) misplaced: u64,
    /// Queue files and hash directories whose owner or mode stops Postfix.
    pub(crate) misowned: u64,
    /// Messages that [`crate::instance::LeftOut`] leaves out of all sums of messages; not in `messages`.
    pub(crate) left_out: u64,
    /// Files that vanished before they were read; not in `messages`.
    pub(crate) vanished: u64,
    /// Directories and files of the queue that could not be read.
    pub(crate) unreadable: u64,
    /// Logs of delay reasons that could not be read.
    pub(crate) unread_logs: u64,
    /// True if their directory could not be read.
    pub(crate) logs_closed: bool,
    /// True if the time for delay reasons was up before all were read.
    pub(crate) logs_cut: bool,
    /// Messages that arrived since the earlier check of the comparison.
    pub arrived: u64,
    /// True if the deadline came before the end.
    pub cut: bool,
}

impl Tally {
    /// Counts a part of the queue that could not be read.
    pub(crate) fn count_gap(&mut self, kind: GapKind) {
        match kind {
            GapKind::Log => self.unread_logs += 1,
            GapKind::LogDirectory => self.logs_closed = true,
            GapKind::Directory | GapKind::Absent | GapKind::File => self.unreadable += 1,
        }
    }

    /// Returns true if every file of the queue is in the sums.
    pub(crate) fn is_whole(&self) -> bool {
        self.unreadable == 0 && !self.cut
    }

    /// Returns true if every delay reason on record is in the tables.
    pub(crate) fn is_explained(&self) -> bool {
        self.is_whole() && self.unread_logs == 0 && !self.logs_closed && !self.logs_cut
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        self.messages += other.messages;
        self.recipients += other.recipients;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.oldest = match (self.oldest, other.oldest) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.overdue += other.overdue;
        for (sum, count) in self.retries.iter_mut().zip(other.retries) {
            *sum += count;
        }
        self.damaged += other.damaged;
        self.altered += other.altered;
        self.ageless += other.ageless;
        self.misdated += other.misdated;
        self.torn += other.torn;
        self.senderless += other.senderless;
        self.clientless += other.clientless;
        self.not_ready += other.not_ready;
        self.strays += other.strays;
        self.misplaced += other.misplaced;
        self.misowned += other.misowned;
        self.left_out += other.left_out;
        self.vanished += other.vanished;
        self.unreadable += other.unreadable;
        self.unread_logs += other.unread_logs;
        self.logs_closed |= other.logs_closed;
        self.logs_cut |= other.logs_cut;
        self.arrived += other.arrived;
        self.cut |= other.cut;
    }
}
