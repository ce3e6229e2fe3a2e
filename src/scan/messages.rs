//! Messages one by one: a cursor that reads the spool anew, in memory for one message.
//!
//! For listings and for hosts that want rows. It uses the caller's thread alone and holds what one
//! directory buffer lists, so that a queue of any length streams.

use std::collections::VecDeque;
use std::ffi::CString;
use std::sync::Arc;

use super::walk::{self, Directory, Finder, Work};
use super::{Bundle, Depth, FileReader, Gap, Message, Observer, Spool};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::queue::{Queue, QueueSet};
use crate::sys::Inode;

/// One message, with its addresses.
#[derive(Clone, Debug, Default)]
pub struct MessageRow {
    /// Its queue.
    pub queue: Option<Queue>,
    /// Its queue ID.
    pub queue_id: Vec<u8>,
    /// What its inode says.
    pub inode: Option<Inode>,
    /// The sums of its envelope.
    pub envelope: Envelope,
    /// The size that mailq prints, in bytes.
    pub size: u64,
    /// The envelope sender, raw; empty for the null sender.
    pub sender: Vec<u8>,
    addresses: Vec<u8>,
    ends: Vec<usize>,
}

impl MessageRow {
    fn clear(&mut self) {
        self.sender.clear();
        self.addresses.clear();
        self.ends.clear();
    }

    /// Whether Postfix will expire it at its next attempt: group execute, which only maildrop's files
    /// might have for another reason (POSTFIX.md 2.3).
    pub fn is_forced_expire(&self) -> bool {
        self.queue != Some(Queue::Maildrop)
            && self.inode.is_some_and(|inode| inode.mode & 0o010 != 0)
    }

    /// How many recipients are still to be delivered.
    pub fn recipient_count(&self) -> usize {
        self.ends.len()
    }

    /// The recipient at `index`, raw, in the order of the file.
    pub fn recipient(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => self.ends[before],
            None => 0,
        };
        Some(&self.addresses[start..end])
    }

    /// The recipients still to be delivered, raw, in the order of the file.
    pub fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).filter_map(|index| self.recipient(index))
    }
}

/// A cursor over the messages of one spool.
#[derive(Debug)]
pub struct Messages {
    queues: VecDeque<Arc<Directory>>,
    waiting: Vec<Work>,
    bundle: Option<(Arc<Directory>, Bundle, usize)>,
    files: FileReader,
    listing: Vec<u8>,
    heard: Heard,
}

impl Messages {
    /// A cursor over the messages of `queues`, queue by queue.
    pub fn new(spool: &Spool, queues: QueueSet) -> Self {
        let mut files = FileReader::default();
        let mut heard = Heard::default();
        let open = spool.queue_directories(queues, &mut files.noatime, |gap| heard.gap(gap));
        Messages {
            queues: open.into(),
            waiting: Vec::new(),
            bundle: None,
            files,
            listing: Vec::new(),
            heard,
        }
    }

    /// The next message, or `None` after the last.
    pub fn next_message(&mut self) -> Option<&MessageRow> {
        self.advance().then_some(&self.heard.row)
    }

    /// Goes to the next message, which is then [`Messages::row`]; false after the last.
    pub fn advance(&mut self) -> bool {
        loop {
            if let Some((directory, bundle, at)) = &mut self.bundle {
                if let Some(name) = bundle.name(*at) {
                    *at += 1;
                    self.heard.found = false;
                    self.heard.row.clear();
                    self.files
                        .read(directory, name, Depth::Envelopes, &mut self.heard);
                    if self.heard.found {
                        return true;
                    }
                    continue;
                }
                self.bundle = None;
            }
            let next = self
                .waiting
                .pop()
                .or_else(|| self.queues.pop_front().map(Work::List));
            let Some(work) = next else {
                self.heard.row.clear();
                return false;
            };
            self.perform(work);
        }
    }

    /// The message that [`Messages::advance`] went to.
    pub fn row(&self) -> &MessageRow {
        &self.heard.row
    }

    fn perform(&mut self, work: Work) {
        match work {
            Work::Files(directory, bundle) => self.bundle = Some((directory, bundle, 0)),
            Work::Open(parent, name) => self.open(&parent, &name),
            Work::List(directory) => {
                let place = self.waiting.len();
                match walk::list(
                    &directory,
                    false,
                    &mut self.listing,
                    &mut Later(&mut self.waiting),
                ) {
                    // Below what was found: this buffer's files come first.
                    Ok(true) => self.waiting.insert(place, Work::List(directory)),
                    Ok(false) => {}
                    Err(gap) => self.heard.gap(gap),
                }
            }
        }
    }

    fn open(&mut self, parent: &Directory, name: &CString) {
        match parent.open(name, &mut self.files.noatime) {
            Ok(Some(directory)) => self.waiting.push(Work::List(directory)),
            Ok(None) => {}
            Err(gap) => self.heard.gap(gap),
        }
    }

    /// What could not be read up to here.
    pub fn gaps(&self) -> &[Gap] {
        &self.heard.gaps
    }

    /// How many directories and files could not be read up to here; [`Messages::gaps`] holds the
    /// first of them.
    pub fn unreadable(&self) -> u64 {
        self.heard.unreadable
    }
}

struct Later<'w>(&'w mut Vec<Work>);

impl Finder for Later<'_> {
    fn work(&mut self, work: Work) {
        self.0.push(work);
    }
    fn name(&mut self, _directory: &Directory) {}
    fn stray(&mut self, _directory: &Directory) {}
}

/// Gaps that a cursor holds; the rest are counted.
const MAX_GAPS: usize = 64;

#[derive(Debug, Default)]
struct Heard {
    row: MessageRow,
    found: bool,
    gaps: Vec<Gap>,
    unreadable: u64,
}

impl Visitor for Heard {
    fn sender(&mut self, address: &[u8]) {
        self.row.sender.extend_from_slice(address);
    }

    fn recipient(&mut self, address: &[u8]) {
        self.row.addresses.extend_from_slice(address);
        self.row.ends.push(self.row.addresses.len());
    }
}

impl Observer for Heard {
    fn message(&mut self, message: &Message<'_>) {
        self.found = true;
        self.row.queue = Some(message.queue);
        self.row.queue_id.clear();
        self.row.queue_id.extend_from_slice(message.queue_id);
        self.row.inode = Some(message.inode);
        self.row.envelope = message.envelope.unwrap_or_default();
        self.row.size = message.size();
    }

    fn name(&mut self, _queue: Queue) {}

    fn gap(&mut self, gap: Gap) {
        self.unreadable += 1;
        if self.gaps.len() < MAX_GAPS {
            self.gaps.push(gap);
        }
    }

    fn cut(&mut self, _queue: Queue) {}
}
