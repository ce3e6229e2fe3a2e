//! Messages one by one: a cursor over a spool, an observer for several threads, and a reader of messages whose
//! places are known. Each makes a [`MessageRow`].
//!
//! Listings and hosts use them. A cursor uses only the caller's thread. It holds the names in one directory
//! buffer, so that a queue of any length streams.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use super::directory::{Bundle, Directory};
use super::row::{MessageRow, RowBuilder};
use super::walker::{SerialWalk, Work};
use super::{Depth, FileReader, Gap, Headers, Message, Observer, Plan, Spool};
use crate::clock::Deadline;
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::envelope::Visitor;
use crate::postfix::queue::{Queue, QueueSet};
use crate::sys::{Inode, Noatime};

/// A cursor over the messages of one spool, in the order of its directories.
#[derive(Debug)]
pub struct Messages {
    walk: SerialWalk<()>,
    depth: Depth,
    bundle: Option<(Arc<Directory>, Bundle, usize)>,
    files: FileReader,
    builder: RowBuilder,
}

impl Messages {
    /// Opens a cursor over the messages of `queues`, queue by queue; at [`Depth::Reasons`] with delay reasons.
    pub fn new(spool: &Spool, queues: QueueSet, depth: Depth) -> Self {
        let mut noatime = Noatime::default();
        let mut builder = RowBuilder::default();
        let plan = Plan::new(queues, depth);
        let logs = spool.logs(plan, &mut noatime, |gap| builder.gap(gap));
        let open = spool.queue_directories(queues, &mut noatime, |gap| builder.gap(gap));
        let files = FileReader::new(logs, Arc::clone(&spool.expected), Deadline::NEVER, false);
        // The walk takes the last item first.
        let first = open.into_iter().rev().map(|queue| Work::List(queue, ()));
        Messages {
            walk: SerialWalk::new(first.collect()),
            depth: depth.max(Depth::Envelopes),
            bundle: None,
            files,
            builder,
        }
    }

    /// Also reads the headers of the messages in `wanted`.
    #[must_use]
    pub(crate) fn with_headers(mut self, wanted: Headers) -> Self {
        self.builder.wants_headers = wanted;
        self
    }

    /// Moves to the next message and returns it; `None` after the last.
    pub fn next_message(&mut self) -> Option<&MessageRow> {
        self.advance().then_some(&self.builder.row)
    }

    /// Moves to the next message, which [`Messages::row`] then returns. Returns false after the last.
    pub(crate) fn advance(&mut self) -> bool {
        loop {
            if let Some((directory, bundle, at)) = &mut self.bundle {
                if let Some(name) = bundle.name(*at) {
                    *at += 1;
                    self.builder.found = false;
                    self.builder.begin();
                    self.files
                        .read(directory, name, self.depth, &mut self.builder);
                    if self.builder.found {
                        return true;
                    }
                    continue;
                }
                self.bundle = None;
            }
            let Some((directory, (), bundle)) = self.walk.next_files(&mut self.builder) else {
                self.builder.begin();
                return false;
            };
            self.bundle = Some((directory, bundle, 0));
        }
    }

    /// Returns the present message.
    pub(crate) fn row(&self) -> &MessageRow {
        &self.builder.row
    }

    /// Returns the gaps so far.
    pub fn gaps(&self) -> &[Gap] {
        &self.builder.gaps
    }

    /// Returns how many directories and files could not be read so far. [`Messages::gaps`] has the first of
    /// them.
    pub fn unreadable(&self) -> u64 {
        self.builder.unreadable
    }
}

/// Receives messages one by one.
pub(crate) trait RowReceiver: Send {
    /// The messages of a piece of work follow. Pieces have numbers in the order of the directories. Only
    /// `Spool::scan_in_order` calls this.
    fn begins(&mut self, piece: u64) {
        let _ = piece;
    }

    /// The piece has no more messages.
    fn ends(&mut self) {}

    /// A message. Returns false if no more are needed.
    fn receive(&mut self, row: &MessageRow) -> bool;
}

/// Makes a row of every message and passes it on: an observer for listings on several threads.
#[derive(Debug)]
pub(crate) struct RowObserver<T> {
    pub(super) builder: RowBuilder,
    pub(super) to: T,
    enough: bool,
    cut: bool,
}

impl<T: RowReceiver> RowObserver<T> {
    /// Passes every message to `to`, until that needs no more.
    pub(crate) fn new(to: T) -> Self {
        RowObserver {
            builder: RowBuilder::default(),
            to,
            enough: false,
            cut: false,
        }
    }

    /// Reads the headers and origins that `plan` includes.
    #[must_use]
    pub(crate) fn with_plan(mut self, plan: &Plan) -> Self {
        self.builder.wants_headers = plan.headers;
        self.builder.skips_origin = !plan.origins;
        self
    }

    /// Returns the first gaps, their number, whether the time was up, and the receiver of the rows.
    pub(crate) fn finish(self) -> (Vec<Gap>, u64, bool, T) {
        (
            self.builder.gaps,
            self.builder.unreadable,
            self.cut && !self.enough,
            self.to,
        )
    }
}

impl<T: RowReceiver> Visitor for RowObserver<T> {
    fn attribute(&mut self, record: &[u8]) {
        self.builder.attribute(record);
    }

    fn wants_headers(&self) -> bool {
        self.builder.wants_headers()
    }

    fn header(&mut self, line: &[u8], begins: bool) {
        self.builder.header(line, begins);
    }

    fn sender(&mut self, address: &[u8]) {
        self.builder.sender(address);
    }

    fn original_recipient(&mut self, address: &[u8]) {
        self.builder.original_recipient(address);
    }

    fn redirect(&mut self, address: &[u8]) {
        self.builder.redirect(address);
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        self.builder.recipient(address, offset);
    }
}

impl<T: RowReceiver> Observer for RowObserver<T> {
    fn envelope_begins(&mut self, _queue: Queue, _inode: &Inode) {
        self.builder.begin();
    }

    fn logged(&mut self, log: Log, entry: &Entry) {
        self.builder.logged(log, entry);
    }

    fn has_enough(&self) -> bool {
        self.enough
    }

    fn message(&mut self, message: &Message<'_>) {
        self.builder.headers_end();
        self.builder.row.set(message);
        self.enough |= !self.to.receive(&self.builder.row);
    }

    fn name(&mut self, _queue: Queue) {}

    fn gap(&mut self, gap: Gap) {
        self.builder.gap(gap);
    }

    fn cut(&mut self, _queue: Queue) {
        self.cut = true;
    }
}

/// Reads messages of one spool whose places are known, in any order.
#[derive(Debug)]
pub(crate) struct Reread<'s> {
    spool: &'s Spool,
    depth: Depth,
    files: FileReader,
    open: Option<Arc<Directory>>,
    builder: RowBuilder,
}

impl<'s> Reread<'s> {
    /// Makes a reader of messages of `spool`, until `deadline`. `plan` says whether it reads reasons.
    pub(crate) fn new(spool: &'s Spool, plan: &Plan, deadline: Deadline) -> Self {
        let mut noatime = Noatime::default();
        let mut builder = RowBuilder {
            wants_headers: plan.headers,
            skips_origin: !plan.origins,
            ..RowBuilder::default()
        };
        let logs = spool.logs(*plan, &mut noatime, |gap| builder.gap(gap));
        let depth = match logs.is_empty() {
            true => Depth::Envelopes,
            false => Depth::Reasons,
        };
        Reread {
            spool,
            depth,
            files: FileReader::new(logs, Arc::clone(&spool.expected), deadline, plan.as_showq),
            open: None,
            builder,
        }
    }

    /// Returns the first gaps, their number, and whether the time was up.
    pub(crate) fn finish(self) -> (Vec<Gap>, u64, bool) {
        (self.builder.gaps, self.builder.unreadable, self.builder.cut)
    }

    /// Returns the last message that [`Reread::message`] found.
    pub(crate) fn row(&self) -> &MessageRow {
        &self.builder.row
    }

    /// Returns how many files could not be read so far.
    pub(crate) fn unreadable(&self) -> u64 {
        self.builder.unreadable
    }

    /// Reads the message `queue_id` of `queue`, in the directory `levels` (such as `0/A`) below it. `None` if
    /// it is not there or cannot be read; [`Reread::finish`] returns the reason.
    pub(crate) fn message(
        &mut self,
        queue: Queue,
        levels: &Path,
        queue_id: &[u8],
    ) -> Option<&MessageRow> {
        let directory = self.directory(queue, levels)?;
        let name = CString::new(queue_id).ok()?;
        self.builder.found = false;
        self.builder.begin();
        self.files
            .read(&directory, &name, self.depth, &mut self.builder);
        self.builder.found.then_some(&self.builder.row)
    }

    fn directory(&mut self, queue: Queue, levels: &Path) -> Option<Arc<Directory>> {
        let path = self.spool.path.join(queue.name()).join(levels);
        if let Some(open) = &self.open {
            if open.path == path {
                return Some(Arc::clone(open));
            }
        }
        let noatime = &mut self.files.noatime;
        let spool = self.spool;
        let mut found = spool.queue_directory(queue, noatime).map(Some);
        for level in levels {
            let name = CString::new(level.as_bytes()).ok()?;
            found = match found {
                Ok(Some(directory)) => directory.open(&name, noatime),
                other => other,
            };
        }
        let directory = match found {
            Ok(found) => found?,
            Err(gap) => {
                self.builder.gap(gap);
                return None;
            }
        };
        self.open = Some(Arc::clone(&directory));
        Some(directory)
    }
}
