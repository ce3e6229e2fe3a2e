//! What the ledger keeps of one queue file in 64 bytes. What messages share is in [`super::texts`]; what few of
//! them have is in maps of the ledger.

use super::interner::{Id, NONE};
use super::ledger::DirectoryId;
use crate::sys::Inode;

/// How many bytes of a queue ID an entry holds itself. Postfix makes no longer ones today.
const SHORT_NAME: usize = 19;

/// The file is a message. Without this flag it is not ready, or one of the two below.
pub(super) const READY: u16 = 1;
/// The file could not be read.
pub(super) const UNREADABLE: u16 = 2;
/// The file is in a directory where Postfix does not look.
pub(super) const STRAY: u16 = 4;
/// The envelope was read.
pub(super) const ENVELOPE: u16 = 8;
/// The message has an arrival time.
pub(super) const DATED: u16 = 16;
/// The file is damaged.
pub(super) const DAMAGED: u16 = 32;
/// There may be more recipients.
pub(super) const TORN: u16 = 64;
/// There may be a sender that was not read.
pub(super) const SENDERLESS: u16 = 16384;
/// The sender is the null sender.
pub(super) const NULL_SENDER: u16 = 128;
/// The log of delay reasons could not be read.
pub(super) const LOG_UNREAD: u16 = 256;
/// The creation time differs from the arrival time.
pub(super) const REMADE: u16 = 512;
/// The number of recipients does not follow from the list.
pub(super) const COUNTED: u16 = 1024;
/// Postfix looks for the file in another directory.
pub(super) const MISPLACED: u16 = 2048;
/// The owner of the file stops Postfix.
pub(super) const MISOWNED: u16 = 4096;
/// The message is left out of all sums of messages.
pub(super) const LEFT_OUT: u16 = 8192;

/// What is kept of one queue file: 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The size that mailq prints.
    pub(super) size: u64,
    /// The arrival time, if [`Entry::arrival`] gives it.
    pub(super) arrival: i64,
    pub(super) sender: Id,
    /// Its login or client.
    pub(super) origin: Id,
    /// The list of its recipients' destinations and reasons.
    pub(super) list: Id,
    pub(super) directory_id: DirectoryId,
    /// The modification time: for a deferred file the next retry. Times beyond 32 bits are clamped.
    pub(super) mtime: u32,
    /// The time of the last change of the inode, clamped as well: of a deferred file the last try.
    pub(super) changed: u32,
    pub(super) flags: u16,
    pub(super) mode: u16,
    name: [u8; SHORT_NAME],
    name_length: u8,
}

/// As `name_length`: the name is in a separate map.
const LONG: u8 = u8::MAX;

impl Entry {
    /// Makes the entry of a file `name` of which nothing is known.
    pub(super) fn new(directory_id: DirectoryId, name: &[u8]) -> Entry {
        let mut entry = Entry {
            size: 0,
            arrival: 0,
            sender: NONE,
            origin: NONE,
            list: NONE,
            directory_id,
            mtime: 0,
            changed: 0,
            flags: 0,
            mode: 0,
            name: [0; SHORT_NAME],
            name_length: LONG,
        };
        if let Some(own) = entry.name.get_mut(..name.len()) {
            own.copy_from_slice(name);
            entry.name_length = name.len() as u8;
        }
        entry
    }

    /// Returns its name; `None` if that is too long for it, and kept elsewhere.
    pub(super) fn name(&self) -> Option<&[u8]> {
        match self.name_length {
            LONG => None,
            length => self.name.get(..usize::from(length)),
        }
    }

    /// Takes what the inode says.
    pub(super) fn set_inode(&mut self, inode: &Inode) {
        self.mode = inode.mode as u16;
        self.mtime = seconds(inode.mtime);
        self.changed = seconds(inode.changed);
    }

    pub(super) fn is(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_message(&self) -> bool {
        self.is(READY)
    }

    pub(super) fn is_left_out(&self) -> bool {
        self.is(LEFT_OUT)
    }

    /// Whether it is a message that is not left out.
    pub(super) fn counts(&self) -> bool {
        self.is_message() && !self.is_left_out()
    }

    pub(super) fn is_unreadable(&self) -> bool {
        self.is(UNREADABLE)
    }

    pub(super) fn is_misplaced(&self) -> bool {
        self.is(MISPLACED)
    }

    pub(super) fn is_misowned(&self) -> bool {
        self.is(MISOWNED)
    }

    pub(super) fn is_stray(&self) -> bool {
        self.is(STRAY)
    }

    pub(super) fn has_envelope(&self) -> bool {
        self.is(ENVELOPE)
    }

    pub(super) fn is_from_null_sender(&self) -> bool {
        self.is(NULL_SENDER)
    }

    pub(super) fn arrival(&self) -> Option<i64> {
        self.is(DATED).then_some(self.arrival)
    }
}

/// A time in 32 bits, clamped.
fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        assert_eq!(std::mem::size_of::<Entry>(), 64);
    }
}
