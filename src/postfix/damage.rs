//! What can be wrong with a queue file, and in which words that is said.

use std::fmt;

/// What is wrong with a queue file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DamageKind {
    /// The file has no bytes.
    Empty,
    /// The file ends within a record.
    Truncated,
    /// The length of a record is malformed, or above [`MAX_RECORD`](super::record::MAX_RECORD).
    RecordLength,
    /// The data of a pointer record is not an offset.
    PointerSyntax,
    /// Pointer records form a loop.
    PointerLoop,
    /// The file has no end record.
    MissingEnd,
    /// The size record is missing or malformed (qmgr requires three fields, the first two above 0).
    BadSize,
    /// The content does not end at the offset that the size record gives.
    ContentSize,
    /// The arrival time is missing or malformed.
    BadTime,
    /// The sender record is missing.
    MissingSender,
    /// A recipient record comes before the sender record.
    RecipientBeforeSender,
    /// A record of this type is not allowed at this position.
    Unexpected(u8),
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DamageKind::Empty => f.write_str("empty file"),
            DamageKind::Truncated => f.write_str("the file ends within a record"),
            DamageKind::RecordLength => f.write_str("bad record length"),
            DamageKind::PointerSyntax => f.write_str("bad pointer record"),
            DamageKind::PointerLoop => f.write_str("pointer records lead in a circle"),
            DamageKind::MissingEnd => f.write_str("missing end record"),
            DamageKind::BadSize => f.write_str("missing or bad size record"),
            DamageKind::ContentSize => {
                f.write_str("the content does not end where the size record says")
            }
            DamageKind::BadTime => f.write_str("missing or bad arrival time"),
            DamageKind::MissingSender => f.write_str("missing sender record"),
            DamageKind::RecipientBeforeSender => f.write_str("recipient before sender"),
            DamageKind::Unexpected(byte) => {
                write!(f, "unexpected record type {}", byte.escape_ascii())
            }
        }
    }
}

/// What is wrong with a queue file, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The kind of damage.
    pub kind: DamageKind,
    /// The offset of the record that shows the damage, in bytes from the start of the file.
    pub offset: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}
