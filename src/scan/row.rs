//! One message as a row: its addresses, its origin, its headers and its delay reasons, and the observer that makes
//! the row while a file is read.

use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::sync::Arc;

use super::directory::Directory;
use super::log_entries::{LogEntries, Logged};
use super::walker;
use super::{Depth, FileReader, Gap, Headers, Message, Observer};
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::header::{self, Unfold};
use crate::postfix::origin::Origin;
use crate::postfix::queue::Queue;
use crate::postfix::quote::quote_local;
use crate::sys::Inode;

/// One message with its addresses and, if the plan includes them, its delay reasons.
#[derive(Clone, Debug, Default)]
pub struct MessageRow {
    /// Its queue.
    pub queue: Option<Queue>,
    /// Its directory.
    pub directory: PathBuf,
    /// Its queue ID.
    pub queue_id: Vec<u8>,
    /// Its inode.
    #[doc(hidden)]
    pub inode: Option<Inode>,
    /// Its envelope.
    #[doc(hidden)]
    pub envelope: Envelope,
    /// The size that mailq prints, in bytes.
    pub size: u64,
    /// The envelope sender, raw; empty for the null sender.
    pub sender: Vec<u8>,
    /// The [`target`](MessageRow::target); empty if there is none.
    redirect: Vec<u8>,
    /// Its origin.
    pub(crate) origin: Origin,
    /// Its headers, unfolded, one after the other.
    headers: Vec<u8>,
    /// The end of each header.
    header_ends: Vec<usize>,
    text: Vec<u8>,
    recipients: Vec<RecipientSpan>,
    logged: LogEntries,
    /// The original address of the next recipient, before expansion.
    original: Vec<u8>,
    has_original: bool,
}

/// The end of a recipient's address in the text of a row, and the offset of its record in the file.
#[derive(Clone, Copy, Debug)]
struct RecipientSpan {
    start: usize,
    end: usize,
    /// The end of the original address, which follows it, if the file has one.
    original_end: Option<usize>,
    offset: u64,
}

impl MessageRow {
    fn clear(&mut self) {
        self.sender.clear();
        self.redirect.clear();
        self.text.clear();
        self.recipients.clear();
        self.logged.clear();
        self.has_original = false;
        self.origin.clear();
        self.headers.clear();
        self.header_ends.clear();
        // The memory of one unusual message is freed.
        if self.text.capacity() > (1 << 20) {
            self.text = Vec::new();
            self.recipients = Vec::new();
        }
    }

    fn set_original(&mut self, address: &[u8]) {
        self.original.clear();
        self.original.extend_from_slice(address);
        self.has_original = true;
    }

    fn push_recipient(&mut self, address: &[u8], offset: u64) {
        let start = self.text.len();
        self.text.extend_from_slice(address);
        let end = self.text.len();
        let original_end = std::mem::take(&mut self.has_original).then(|| {
            self.text.extend_from_slice(&self.original);
            self.text.len()
        });
        self.recipients.push(RecipientSpan {
            start,
            end,
            original_end,
            offset,
        });
    }

    pub(super) fn set(&mut self, message: &Message<'_>) {
        self.queue = Some(message.queue);
        self.directory.clear();
        self.directory.push(message.directory);
        self.queue_id.clear();
        self.queue_id.extend_from_slice(message.queue_id);
        self.inode = Some(message.inode);
        self.envelope = message.envelope.unwrap_or_default();
        self.size = message.size();
        // postdrop(1) leaves the file to its caller. A requeued file belongs to Postfix and has a size record.
        let submitted = message.queue == Queue::Maildrop && !self.envelope.has_size_record;
        if submitted && self.origin.client.is_empty() {
            self.origin.user = Some(message.inode.owner);
        } else {
            self.origin.owner(message.inode.owner);
        }
    }

    /// Returns true if Postfix will expire it at the next attempt: group execute. A file in maildrop may have
    /// this bit for another reason (postfix.md, "Ready files").
    pub fn is_forced_expire(&self) -> bool {
        self.queue != Some(Queue::Maildrop)
            && self.inode.is_some_and(|inode| inode.mode & 0o010 != 0)
    }

    /// Returns its arrival time, in seconds of the epoch. Without one in the file it is the modification time,
    /// as in mailq.
    pub fn arrival(&self) -> i64 {
        let written = self.inode.map_or(0, |inode| inode.mtime);
        self.envelope.arrival.unwrap_or(written)
    }

    /// Returns its headers, unfolded and raw, in the order of the message, if the plan includes them.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.header_ends.iter().copied());
        let pieces = starts.zip(&self.header_ends);
        pieces.map(|(start, end)| &self.headers[start..*end])
    }

    /// Returns the value of the first header called `name`, raw.
    pub(crate) fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers().find_map(|line| header::value(line, name))
    }

    /// Returns the subject, decoded; empty if there is none.
    pub(crate) fn subject(&self) -> Vec<u8> {
        self.header("subject").map_or(Vec::new(), header::decoded)
    }

    fn push_header(&mut self, line: &[u8]) {
        self.origin.header(line);
        self.headers.extend_from_slice(line);
        self.header_ends.push(self.headers.len());
    }

    /// Returns the number of recipients still to be delivered.
    pub fn recipient_count(&self) -> usize {
        self.recipients.len()
    }

    /// Returns the recipient at `index`, raw, in the order of the file.
    pub fn recipient(&self, index: usize) -> Option<&[u8]> {
        let span = self.recipients.get(index)?;
        Some(&self.text[span.start..span.end])
    }

    /// Returns the original address of the recipient at `index`, before expansion, raw, if the file has one.
    pub fn original(&self, index: usize) -> Option<&[u8]> {
        let span = self.recipients.get(index)?;
        Some(&self.text[span.end..span.original_end?])
    }

    /// Returns the offset in the file of the record of the recipient at `index`, in bytes.
    pub(crate) fn offset(&self, index: usize) -> Option<u64> {
        Some(self.recipients.get(index)?.offset)
    }

    /// Returns the recipients still to be delivered, raw, in the order of the file.
    pub fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.recipients.len()).filter_map(|index| self.recipient(index))
    }

    /// Returns the addresses to which qmgr(8) delivers: the recipients, or the one that replaces them all.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = &[u8]> {
        let target = self.target();
        let recipients = self.recipients().filter(move |_| target.is_none());
        target.into_iter().chain(recipients)
    }

    /// Returns where a REDIRECT action sends it, raw, unless the recipients are that already.
    pub(crate) fn target(&self) -> Option<&[u8]> {
        Some(self.redirect.as_slice()).filter(|target| !target.is_empty())
    }

    /// Returns the entries of its logs, in their order.
    pub(crate) fn logged(&self) -> impl ExactSizeIterator<Item = Logged<'_>> {
        self.logged.iter()
    }

    /// Returns why the recipient at `index` waits: the last entry about it in the defer log.
    pub fn delay(&self, index: usize) -> Option<Logged<'_>> {
        let recipient = self.recipients.get(index)?;
        self.logged.find(recipient.offset, || {
            let mut quoted = Vec::new();
            quote_local(&self.text[recipient.start..recipient.end], &mut quoted);
            quoted
        })
    }
}

impl FileReader {
    /// Returns the message `name` of `directory` with its delay reasons; `None` if it is gone, cannot be read, or
    /// is none yet.
    pub(crate) fn row(&mut self, directory: &Directory, name: &CStr) -> Option<MessageRow> {
        let mut builder = RowBuilder {
            wants_headers: Headers::Local,
            ..RowBuilder::default()
        };
        self.read(directory, name, Depth::Reasons, &mut builder);
        builder.found.then_some(builder.row)
    }
}

/// Replaces the texts of a message.
pub(crate) trait Rewrite {
    /// Returns what stands for an address.
    fn address(&self, address: &[u8]) -> Vec<u8>;

    /// Returns what stands for a delay reason.
    fn text(&self, text: &[u8]) -> Vec<u8>;

    /// Returns what stands for an enhanced status code.
    fn code(&self, code: &[u8]) -> Vec<u8>;

    /// Replaces all that an origin names.
    fn origin(&self, origin: &mut Origin);
}

impl MessageRow {
    /// Returns the same message with all of its texts replaced, and without headers.
    #[must_use]
    pub(crate) fn rewritten(&self, with: &impl Rewrite) -> MessageRow {
        let mut row = MessageRow {
            queue: self.queue,
            directory: self.directory.clone(),
            queue_id: self.queue_id.clone(),
            inode: self.inode,
            envelope: self.envelope,
            size: self.size,
            sender: with.address(&self.sender),
            redirect: with.address(&self.redirect),
            origin: self.origin.clone(),
            ..MessageRow::default()
        };
        with.origin(&mut row.origin);
        for (index, recipient) in self.recipients().enumerate() {
            if let Some(original) = self.original(index) {
                row.set_original(&with.address(original));
            }
            row.push_recipient(&with.address(recipient), self.recipients[index].offset);
        }
        for logged in self.logged() {
            let original = match logged.original {
                b"" => Vec::new(),
                original => with.address(original),
            };
            let entry = Entry {
                address: with.address(logged.address),
                original,
                offset: logged.offset,
                status: with.code(logged.status),
                reason: with.text(logged.reason),
            };
            row.logged.push(logged.log, &entry);
        }
        row.logged.seal();
        row
    }
}

/// How many gaps a cursor keeps. Further ones are counted.
const MAX_GAPS: usize = 64;

/// Makes a row of what is read of a file, and keeps the gaps.
#[derive(Debug, Default)]
pub(super) struct RowBuilder {
    pub(super) row: MessageRow,
    pub(super) found: bool,
    pub(super) gaps: Vec<Gap>,
    pub(super) unreadable: u64,
    pub(super) cut: bool,
    /// The messages whose headers are read.
    pub(super) wants_headers: Headers,
    /// True if the origin is not needed. Reading it is a twentieth of the work of a listing.
    pub(super) skips_origin: bool,
    pub(super) unfold: Unfold,
}

impl RowBuilder {
    /// Clears the message before.
    pub(super) fn begin(&mut self) {
        self.row.clear();
        self.unfold.forget();
    }

    /// Returns a builder that reads all headers.
    pub(super) fn of_all_headers() -> Self {
        RowBuilder {
            wants_headers: Headers::All,
            ..RowBuilder::default()
        }
    }

    /// Returns the row.
    pub(super) fn into_row(self) -> MessageRow {
        self.row
    }

    /// Takes the address before expansion that belongs to the next recipient.
    pub(super) fn take_original(&mut self) -> Option<Vec<u8>> {
        let row = &mut self.row;
        std::mem::take(&mut row.has_original).then(|| row.original.clone())
    }

    pub(super) fn headers_end(&mut self) {
        let row = &mut self.row;
        self.unfold.end(|header| row.push_header(header));
    }
}

impl Visitor for RowBuilder {
    fn attribute(&mut self, record: &[u8]) {
        if !self.skips_origin {
            self.row.origin.attribute(record);
        }
    }

    fn wants_headers(&self) -> bool {
        match self.wants_headers {
            Headers::None => false,
            Headers::Local => self.row.origin.client.is_empty(),
            Headers::All => true,
        }
    }

    fn header(&mut self, line: &[u8], begins: bool) {
        let row = &mut self.row;
        self.unfold
            .line(line, begins, |header| row.push_header(header));
    }

    fn sender(&mut self, address: &[u8]) {
        self.row.sender.extend_from_slice(address);
    }

    fn original_recipient(&mut self, address: &[u8]) {
        self.row.set_original(address);
    }

    fn redirect(&mut self, address: &[u8]) {
        self.row.redirect.clear();
        self.row.redirect.extend_from_slice(address);
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        self.row.push_recipient(address, offset);
    }
}

impl Observer for RowBuilder {
    fn logged(&mut self, log: Log, entry: &Entry) {
        self.row.logged.push(log, entry);
    }

    fn message(&mut self, message: &Message<'_>) {
        self.found = true;
        self.headers_end();
        self.row.set(message);
        // A host may ask for the delay of each recipient.
        self.row.logged.seal();
    }

    fn name(&mut self, _queue: Queue) {}

    fn gap(&mut self, gap: Gap) {
        self.unreadable += 1;
        if self.gaps.len() < MAX_GAPS {
            self.gaps.push(gap);
        }
    }

    fn cut(&mut self, _queue: Queue) {
        self.cut = true;
    }
}

/// A cursor keeps the gaps of its walk. Files arrive as bundles.
impl walker::Visitor for RowBuilder {
    type Tag = ();

    fn enter(&mut self, _directory: &Arc<Directory>, _parent: (), _name: CString) {}

    fn gap(&mut self, gap: Gap, _listed: Option<()>) {
        Observer::gap(self, gap);
    }
}
