//! A message that was found by its queue ID, with all that its envelope says. `find` finds it.

use super::owner_fault::OwnerFault;
use super::row::{MessageRow, RowBuilder};
use crate::postfix::body::Body;
use crate::postfix::envelope::Visitor;

/// How many records of one message are held in addition to those of waiting recipients; the rest are counted.
pub(crate) const MAX_OTHERS: usize = 10_000;
/// Bytes that those may have.
const MAX_OTHER_BYTES: usize = 1 << 20;

/// A record of the envelope that is not one of a waiting recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// The type of the record.
    pub(crate) kind: u8,
    /// Its data.
    pub(crate) data: Vec<u8>,
    /// Where it stands in the file, in bytes.
    pub(crate) offset: u64,
    /// The address before expansion, where it is a recipient and has one.
    pub(crate) original: Option<Vec<u8>>,
}

/// A message that was found.
#[derive(Clone, Debug)]
pub(crate) struct FoundMessage {
    /// What its queue file and its logs say.
    pub(crate) row: MessageRow,
    /// True if it is a message. A file that Postfix still writes is not a message yet.
    pub(crate) ready: bool,
    /// Whether Postfix looks for it in another directory.
    pub(crate) misplaced: bool,
    /// Why its owner stops Postfix, if it does.
    pub(crate) fault: Option<OwnerFault>,
    /// The first `MAX_OTHERS` other records of its envelope.
    pub(crate) others: Vec<Other>,
    /// The address that a REDIRECT action sends it to.
    pub(crate) redirect: Option<Vec<u8>>,
    /// When its defer log was written last, in seconds of the epoch.
    pub(crate) logged_at: Option<i64>,
    /// Whether there are more headers than were read.
    pub(crate) headers_cut: bool,
    /// A piece of its text, if it was asked for.
    pub(crate) body: Option<Body>,
}

/// Collects all that an envelope says.
pub(super) struct EnvelopeCollector {
    pub(super) row: RowBuilder,
    pub(super) others: Vec<Other>,
    pub(super) other_bytes: usize,
    pub(super) header_bytes: usize,
    pub(super) redirect: Option<Vec<u8>>,
}

impl Visitor for EnvelopeCollector {
    fn attribute(&mut self, record: &[u8]) {
        self.row.attribute(record);
    }

    fn wants_headers(&self) -> bool {
        true
    }

    fn header(&mut self, line: &[u8], begins: bool) {
        self.header_bytes = self.header_bytes.saturating_add(line.len() + 2);
        self.row.header(line, begins);
    }

    fn sender(&mut self, address: &[u8]) {
        self.row.sender(address);
    }

    fn original_recipient(&mut self, address: &[u8]) {
        self.row.original_recipient(address);
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        self.row.recipient(address, offset);
    }

    fn redirect(&mut self, address: &[u8]) {
        self.redirect = Some(address.to_vec());
    }

    fn other(&mut self, kind: u8, data: &[u8], offset: u64) {
        let original = match kind {
            b'D' | b'/' => self.row.take_original(),
            _ => None,
        };
        let bytes = data.len() + original.as_ref().map_or(0, Vec::len);
        if self.others.len() < MAX_OTHERS && self.other_bytes + bytes <= MAX_OTHER_BYTES {
            self.other_bytes += bytes;
            self.others.push(Other {
                kind,
                data: data.to_vec(),
                offset,
                original,
            });
        }
    }
}
