//! What a scan reports of the files that it finds.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Gap, Misowned, OwnerFault};
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::queue::Queue;
use crate::sys::Inode;

/// What a scan reports of one ready queue file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    /// Its queue.
    pub queue: Queue,
    /// Its directory.
    pub(crate) directory: &'a Path,
    /// Its queue ID, which is its name.
    pub(crate) queue_id: &'a [u8],
    /// Its inode.
    pub(crate) inode: Inode,
    /// Its envelope, if the plan includes it.
    pub(crate) envelope: Option<Envelope>,
    /// True if Postfix looks for it in another directory.
    pub(crate) misplaced: bool,
    /// Why its owner stops Postfix, if it does.
    pub(crate) fault: Option<OwnerFault>,
}

impl Message<'_> {
    /// Returns its full path.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(OsStr::from_bytes(self.queue_id))
    }

    /// Returns the size that mailq prints, in bytes: from the size record, else that of the file. In maildrop
    /// it is always that of the file, because the size record there may be preliminary (postfix.md, "The size
    /// record").
    pub(crate) fn size(&self) -> u64 {
        self.envelope
            .filter(|_| self.queue != Queue::Maildrop)
            .and_then(|envelope| envelope.message_size)
            .unwrap_or(self.inode.size)
    }
}

/// Receives what a scan finds. The sender and recipients of a message come (see [`Visitor`]) between
/// [`Observer::envelope_begins`] and [`Observer::message`]; a gap may come instead of the latter.
pub(crate) trait Observer: Visitor + Send {
    /// The envelope of a file of `queue` with `inode` follows.
    fn envelope_begins(&mut self, queue: Queue, inode: &Inode) {
        let _ = (queue, inode);
    }

    /// An entry of a log about one recipient of the next message. Entries come in the order of the log, before
    /// the envelope.
    fn logged(&mut self, log: Log, entry: &Entry) {
        let _ = (log, entry);
    }

    /// Returns true if nothing more needs to be read.
    fn has_enough(&self) -> bool {
        false
    }

    /// A message.
    fn message(&mut self, message: &Message<'_>);

    /// A regular file that is not ready and so is not a message. It has no envelope.
    fn not_ready(&mut self, file: &Message<'_>) {
        let _ = file;
    }

    /// A file in `queue`, if only names are counted.
    fn name(&mut self, queue: Queue);

    /// A hash directory whose owner or mode stops Postfix.
    fn misowned(&mut self, directory: Misowned) {
        let _ = directory;
    }

    /// A file below the directory of `queue` that Postfix does not look at.
    fn stray(&mut self, queue: Queue) {
        let _ = queue;
    }

    /// A file of `queue` that vanished before it was read.
    fn vanished(&mut self, queue: Queue) {
        let _ = queue;
    }

    /// A part of a queue that could not be read.
    fn gap(&mut self, gap: Gap);

    /// The deadline passed before all of `queue` was read.
    fn cut(&mut self, queue: Queue);

    /// The time for delay reasons was up before all of `queue` had theirs.
    fn logs_cut(&mut self, queue: Queue) {
        self.cut(queue);
    }
}
