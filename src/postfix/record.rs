//! Reads records from bytes: a type byte, a base-128 length, and that many bytes of data (postfix.md,
//! "Encoding of a record").
//!
//! [`RecordReader`] reads one record at a time from any [`Source`], through one reused buffer and without
//! copying the data. It follows pointer records, as every program of Postfix does (rec_get, record.c), and
//! skips padding. It does not know what a record means: `envelope`, `showq` and `qshape` do.
//!
//! Limits against a hostile file: the data of a record has at most [`MAX_RECORD`] bytes; at most
//! `MAX_REVERSE_JUMPS` pointers may lead backwards; and the reader stops after a budget of bytes that the
//! caller sets, because a file that Postfix wrote needs each record only once.
#![deny(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

use std::io;

pub use super::buffered::Buffer;

use super::buffered::Window;
use super::damage::{Damage, DamageKind};
use crate::source::Source;

/// The longest record data that is read, in bytes. Postfix writes about 2 kB (`line_length_limit`);
/// qshape(1) reads up to this length.
pub const MAX_RECORD: u32 = 2_097_151;
/// How many pointers may lead backwards. record.c of Postfix has the same limit.
pub(crate) const MAX_REVERSE_JUMPS: u32 = 10_000;

/// Why the next record cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// The system could not read the file.
    Io(io::Error),
    /// The bytes are not a record.
    Damage(Damage),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

/// One record, borrowed from the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The type byte (rec_type.h).
    pub kind: u8,
    /// The data.
    pub data: &'a [u8],
    /// The offset of the type byte, in bytes from the start of the file.
    pub offset: u64,
}

/// How the header of a record is encoded. Postfix and qshape(1) differ here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    /// The largest number of length bytes.
    pub(super) length_bytes: u32,
    /// True if the file may end within the length bytes. The bytes read so far are then the length.
    pub(super) may_end_in_length: bool,
}

/// The encoding that Postfix reads.
const POSTFIX: Framing = Framing {
    // Postfix 3.11.6 and 3.10.13 refuse a fifth byte. Older releases accept it, and no release writes it.
    length_bytes: 4,
    may_end_in_length: false,
};

/// The position of a record in the buffer. It is valid until the next record is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) kind: u8,
    offset: u64,
    start: usize,
    end: usize,
}

/// Reads the records of a file in order, pointers and padding included. All readers of queue files use
/// it.
#[derive(Debug)]
pub(super) struct RawRecords<'b, S> {
    window: Window<'b, S>,
    /// How many more bytes of records may be read.
    budget: u64,
    framing: Framing,
}

impl<'b, S: Source> RawRecords<'b, S> {
    /// Starts at the first byte of `source` and reads at most `budget` bytes of records.
    pub(super) fn new(source: S, budget: u64, framing: Framing, buffer: &'b mut Buffer) -> Self {
        RawRecords {
            window: Window::new(source, buffer),
            budget,
            framing,
        }
    }

    /// The offset of the next record, in bytes from the start of the file.
    pub(super) fn position(&self) -> u64 {
        self.window.position()
    }

    /// Moves to `target` without reading.
    pub(super) fn seek(&mut self, target: u64) {
        self.window.seek(target);
    }

    /// Returns the data of the last record.
    pub(super) fn data(&self, span: Span) -> &[u8] {
        self.window.bytes(span.start, span.end)
    }

    /// Skips the short records that are already in the buffer, up to the first one whose type makes `stops`
    /// return true.
    pub(super) fn pass_by(&mut self, stops: impl Fn(u8) -> bool) {
        let ahead = self.window.ahead();
        let mut passed = 0_usize;
        while let Some([kind, length @ 0..=0x7f, data @ ..]) = ahead.get(passed..) {
            let length = usize::from(*length);
            if stops(*kind) || length > data.len() {
                break;
            }
            passed = passed.saturating_add(length).saturating_add(2);
        }
        // Once the budget is spent, no further record is read.
        self.budget = self.budget.saturating_sub(passed as u64);
        self.window.pass(0, passed);
    }

    /// Reads one record of any type. Returns `None` at the end of the file.
    pub(super) fn next_span(&mut self) -> Result<Option<Span>, Fault> {
        let offset = self.position();
        let damage = |kind| Err(Fault::Damage(Damage { kind, offset }));
        if !self.window.load(1)? {
            return Ok(None);
        }
        // The common case: a short record that is already in the buffer.
        if let [kind, length @ 0..=0x7f, data @ ..] = self.window.ahead() {
            let (kind, length) = (*kind, usize::from(*length));
            if length <= data.len() {
                return match self.take(kind, offset, 2, length.saturating_add(2)) {
                    None => damage(DamageKind::PointerLoop),
                    span => Ok(span),
                };
            }
        }
        let kind = self.window.byte(0);
        let mut length: u64 = 0;
        let mut header: usize = 1;
        for group in 0..self.framing.length_bytes {
            if !self.window.load(header.saturating_add(1))? {
                if self.framing.may_end_in_length {
                    break;
                }
                return damage(DamageKind::Truncated);
            }
            let byte = self.window.byte(header);
            header = header.saturating_add(1);
            let shift = group.saturating_mul(7);
            length |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                break;
            }
            if group.saturating_add(1) == self.framing.length_bytes {
                return damage(DamageKind::RecordLength);
            }
        }
        let Ok(length) = u32::try_from(length).map(|length| length.min(MAX_RECORD + 1)) else {
            return damage(DamageKind::RecordLength);
        };
        if length > MAX_RECORD {
            return damage(DamageKind::RecordLength);
        }
        let whole = header.saturating_add(length as usize);
        if !self.window.load(whole)? {
            return damage(DamageKind::Truncated);
        }
        match self.take(kind, offset, header, whole) {
            None => damage(DamageKind::PointerLoop),
            span => Ok(span),
        }
    }

    /// Passes a record that is in the buffer. Returns `None` if that exceeds the budget.
    fn take(&mut self, kind: u8, offset: u64, header: usize, whole: usize) -> Option<Span> {
        self.budget = self.budget.checked_sub(whole as u64)?;
        let (start, end) = self.window.pass(header, whole);
        Some(Span {
            kind,
            offset,
            start,
            end,
        })
    }
}

/// Reads the records of a queue file one by one and follows pointers. See the module's documentation.
#[derive(Debug)]
pub struct RecordReader<'b, S> {
    raw: RawRecords<'b, S>,
    reverse_jumps: u32,
    last_target: u64,
}

impl<'b, S: Source> RecordReader<'b, S> {
    /// Starts at the first byte of `source`. `length` is the file's length in bytes when it was opened.
    pub fn new(source: S, length: u64, buffer: &'b mut Buffer) -> Self {
        // Each byte once, and the same again for a file that grew or that a milter edited.
        let budget = length.saturating_mul(2).saturating_add(65_536);
        RecordReader {
            raw: RawRecords::new(source, budget, POSTFIX, buffer),
            reverse_jumps: 0,
            last_target: 0,
        }
    }

    /// Returns the offset of the next record, in bytes from the start of the file.
    pub fn position(&self) -> u64 {
        self.raw.position()
    }

    /// Moves `count` bytes forward, without reading them where the buffer allows it.
    pub fn skip(&mut self, count: u64) {
        self.raw.seek(self.position().saturating_add(count));
    }

    /// Moves to `offset`, in bytes from the start of the file.
    pub(crate) fn go_to(&mut self, offset: u64) {
        self.raw.seek(offset);
    }

    /// Reads the next record, follows pointers and skips padding. Returns `None` at the end of the file.
    ///
    /// # Errors
    /// Fails if the source fails, or if the bytes are not a record.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Fault> {
        let span = loop {
            let Some(span) = self.raw.next_span()? else {
                return Ok(None);
            };
            match span.kind {
                b'w' => {}
                b'p' => self.follow(span)?,
                _ => break span,
            }
        };
        Ok(Some(Record {
            kind: span.kind,
            data: self.raw.data(span),
            offset: span.offset,
        }))
    }

    /// Moves to the target of a pointer record. 0 is a placeholder for a later edit and is ignored.
    fn follow(&mut self, span: Span) -> Result<(), Fault> {
        let damage = |kind| {
            Err(Fault::Damage(Damage {
                kind,
                offset: span.offset,
            }))
        };
        let data = self.raw.data(span);
        // As rec_goto() of Postfix: blanks, then only digits. Empty data is a placeholder, too.
        let digits = data.trim_ascii_start();
        let target = match digits.iter().all(u8::is_ascii_digit) {
            true if digits.is_empty() => Some(0),
            true => decimal(digits).and_then(|target| u64::try_from(target).ok()),
            false => None,
        };
        let Some(target) = target else {
            return damage(DamageKind::PointerSyntax);
        };
        if target == 0 {
            return Ok(());
        }
        if target <= self.last_target {
            self.reverse_jumps = self.reverse_jumps.saturating_add(1);
            if self.reverse_jumps > MAX_REVERSE_JUMPS {
                return damage(DamageKind::PointerLoop);
            }
        }
        self.last_target = target;
        self.raw.seek(target);
        Ok(())
    }
}

/// Parses the decimal number at the start of `data`, as Postfix's `%15ld` writes it and atol(3) reads it:
/// white space, a sign, digits. It ignores what follows. Returns `None` without a digit or beyond 64 bits.
pub(crate) fn decimal(data: &[u8]) -> Option<i64> {
    // C counts the vertical tab as white space, Rust does not.
    let blanks = data
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b)
        .count();
    let mut rest = data.get(blanks..).unwrap_or_default();
    let negative = rest.first() == Some(&b'-');
    if matches!(rest.first(), Some(b'-' | b'+')) {
        rest = rest.get(1..).unwrap_or_default();
    }
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let mut value: Option<i64> = None;
    for digit in digits {
        let digit = i64::from(digit.wrapping_sub(b'0'));
        value = Some(
            value
                .unwrap_or_default()
                .checked_mul(10)?
                .checked_add(digit)?,
        );
    }
    if negative {
        value.and_then(i64::checked_neg)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        let mut length = data.len();
        loop {
            let group = (length & 0x7f) as u8;
            length >>= 7;
            bytes.push(if length > 0 { group | 0x80 } else { group });
            if length == 0 {
                break;
            }
        }
        bytes.extend_from_slice(data);
        bytes
    }

    fn read_all(bytes: &[u8]) -> (Vec<(u8, Vec<u8>)>, Option<DamageKind>) {
        let mut buffer = Buffer::default();
        let mut reader = RecordReader::new(bytes, bytes.len() as u64, &mut buffer);
        let mut records = Vec::new();
        loop {
            match reader.next_record() {
                Ok(Some(record)) => records.push((record.kind, record.data.to_vec())),
                Ok(None) => return (records, None),
                Err(Fault::Damage(damage)) => return (records, Some(damage.kind)),
                Err(Fault::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn records_of_every_length_come_back() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 100_000, MAX_RECORD as usize] {
            let data = vec![b'x'; length];
            let mut bytes = record(b'N', &data);
            bytes.extend(record(b'E', b""));
            assert_eq!(
                read_all(&bytes),
                (vec![(b'N', data), (b'E', vec![])], None),
                "{length}"
            );
        }
    }

    #[test]
    fn an_invalid_record_is_refused() {
        let mut long = record(b'N', &vec![b'x'; MAX_RECORD as usize + 1]);
        long.truncate(100);
        for (bytes, damage) in [
            (&b"E"[..], DamageKind::Truncated),
            (b"N\x80", DamageKind::Truncated),
            (b"N\x05abcd", DamageKind::Truncated),
            (b"N\x80\x80\x80\x80\x00", DamageKind::RecordLength),
            (b"N\x81\x80\x80\x80", DamageKind::RecordLength),
            (b"N\x81\x80\x80", DamageKind::Truncated),
            (b"N\xff\xff\xff\xff\x7f", DamageKind::RecordLength),
            (&long, DamageKind::RecordLength),
            (b"p\x03abc", DamageKind::PointerSyntax),
            (b"p\x02-1", DamageKind::PointerSyntax),
            (b"N\x00p\x012", DamageKind::PointerLoop),
        ] {
            assert_eq!(read_all(bytes).1, Some(damage), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn pointers_lead_on_and_back_and_padding_is_left_out() {
        // A at 0, a pointer to the heap at 23, B, end. The heap has C and a pointer back to B.
        let mut bytes = record(b'A', b"a");
        bytes.extend(record(b'p', b"             24"));
        bytes.extend(record(b'B', b""));
        bytes.extend(record(b'E', b""));
        assert_eq!(bytes.len(), 24);
        bytes.extend(record(b'w', b"padding"));
        bytes.extend(record(b'C', b"c"));
        bytes.extend(record(b'p', b"             20"));
        let kinds: Vec<u8> = read_all(&bytes).0.iter().map(|record| record.0).collect();
        assert!(kinds.starts_with(b"ACBE"), "{kinds:?}");
    }

    #[test]
    fn decimal_reads_what_postfix_writes() {
        for (data, value) in [
            (&b"             42"[..], Some(42)),
            (b"42 17", Some(42)),
            (b"\x0b\t+42", Some(42)),
            (b"+-1", None),
            (b"-1", Some(-1)),
            (b"9223372036854775807", Some(i64::MAX)),
            (b"9223372036854775808", None),
            (b"", None),
            (b"   ", None),
            (b"abc", None),
            (b"-", None),
        ] {
            assert_eq!(decimal(data), value, "{}", data.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            read_all(&bytes);
        }

        #[test]
        fn what_was_written_is_read(
            records in proptest::collection::vec(
                (b'A'..=b'Z', proptest::collection::vec(any::<u8>(), 0..9000)), 0..12)
        ) {
            let bytes: Vec<u8> = records.iter().flat_map(|(kind, data)| record(*kind, data)).collect();
            prop_assert_eq!(read_all(&bytes), (records, None));
        }
    }
}
