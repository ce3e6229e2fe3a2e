//! Reads one queue file as qmgr(8) does: from records to the envelope, which is arrival time, sender,
//! recipients and message size (postfix.md, "Queue files").
//!
//! [`read`] goes from the first record to the end record. It jumps over the content where the size record
//! allows that. It reports sender and recipients to a [`Visitor`] one by one, so that a million recipients
//! need no memory. Recipients may come before the content, after it, or both.
//!
//! A damaged file still gives all that could be read, with the first damage and its offset. qmgr(8) moves
//! such a file to the corrupt queue and postqueue(1) lists it; a monitor must report it.
#![deny(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

use std::io;

use super::damage::{Damage, DamageKind};
use super::header::MAX_HEADERS;
use super::queue::Queue;
use super::record::{Fault, Record, RecordReader, decimal};
use crate::source::Source;

/// Receives the parts of an envelope while it is read. Addresses are raw bytes, valid during the call.
pub trait Visitor {
    /// The arrival time, in seconds of the epoch. In a good file it comes before any recipient.
    fn arrival(&mut self, seconds: i64) {
        let _ = seconds;
    }

    /// The envelope sender; empty for the null sender. It is reported once, in a good file before any
    /// recipient.
    fn sender(&mut self, address: &[u8]) {
        let _ = address;
    }

    /// The original address of the next recipient, before expansion.
    fn original_recipient(&mut self, address: &[u8]) {
        let _ = address;
    }

    /// A recipient that is still to be delivered, and the offset of its record in bytes. The defer log refers
    /// to a recipient by this offset.
    fn recipient(&mut self, address: &[u8], offset: u64) {
        let _ = (address, offset);
    }

    /// The address that a REDIRECT action sends the message to, in place of all its recipients. It comes
    /// after the recipients before the content.
    fn redirect(&mut self, address: &[u8]) {
        let _ = address;
    }

    /// A named attribute, `name=value`.
    fn attribute(&mut self, record: &[u8]) {
        let _ = record;
    }

    /// A record that adds no recipient: one done with (`D`) or deleted by a milter (`/`), a content filter
    /// (`L`), the time of the delay warning (`W`), and so on, with the offset of the record in bytes.
    fn other(&mut self, kind: u8, data: &[u8], offset: u64) {
        let _ = (kind, data, offset);
    }

    /// Returns true if [`Visitor::header`] is to receive the header section, which is part of the content.
    fn wants_headers(&self) -> bool {
        false
    }

    /// A line of the header section; with `begins` false, the next part of the same line.
    fn header(&mut self, line: &[u8], begins: bool) {
        let _ = (line, begins);
    }
}

/// Reports the header section that begins at the present record, up to an empty line or [`MAX_HEADERS`]
/// bytes, and returns to its beginning. It does not report damage in the content.
///
/// # Errors
/// Fails if the source fails.
pub(super) fn headers<S: Source>(
    records: &mut RecordReader<'_, S>,
    visitor: &mut impl Visitor,
) -> Result<(), Fault> {
    let start = records.position();
    let mut left = MAX_HEADERS;
    let mut begins = true;
    loop {
        match records.next_record() {
            Ok(Some(record)) if matches!(record.kind, b'N' | b'L') => {
                if begins && record.kind == b'N' && record.data.is_empty() {
                    break;
                }
                visitor.header(record.data, begins);
                begins = record.kind == b'N';
                // The header of a record counts, too.
                left = left.saturating_sub(record.data.len().saturating_add(2));
                if left == 0 {
                    break;
                }
            }
            Ok(_) | Err(Fault::Damage(_)) => break,
            Err(error) => return Err(error),
        }
    }
    records.go_to(start);
    Ok(())
}

/// Ignores everything.
impl Visitor for () {}

/// The program that wrote the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// cleanup(8): the first record is a size record. All queues but maildrop.
    Cleanup,
    /// postdrop(1), or cleanup after `postsuper -r`: the size record may be missing.
    Postdrop,
}

impl Writer {
    /// The program that wrote the files of `queue`.
    pub fn of(queue: Queue) -> Self {
        match queue {
            Queue::Maildrop => Writer::Postdrop,
            _ => Writer::Cleanup,
        }
    }
}

/// How many misplaced records are skipped before the reader gives up. Postfix gives up at the first,
/// mailq never.
const MAX_UNEXPECTED: u32 = 16;

/// The totals of one envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The arrival time, in seconds of the epoch: the first `T` record. `None` without a time that qmgr
    /// accepts (above 0).
    pub arrival: Option<i64>,
    /// When this queue file was created, in seconds of the epoch (`A create_time=`). It is later than the
    /// arrival after `postsuper -r`. Expiry and backoff count from this time.
    pub created: Option<i64>,
    /// The size that mailq prints, in bytes: field 1 of the size record. `None` if the field is not a
    /// number; mailq then prints the size of the file.
    pub message_size: Option<u64>,
    /// True if there is a size record, which cleanup(8) writes and postdrop(1) does not.
    pub has_size_record: bool,
    /// True if a sender was read.
    pub has_sender: bool,
    /// True if that is the null sender of a bounce.
    pub null_sender: bool,
    /// Recipients still to be delivered (`R`).
    pub recipients: u64,
    /// True if the message is redirected (`>`): one delivery to another address serves all recipients.
    pub redirected: bool,
    /// Recipients that were delivered or bounced (`D`).
    pub done: u64,
    /// Recipients that a milter deleted (`/`).
    pub canceled: u64,
    /// The first damage of the file.
    pub damage: Option<Damage>,
    /// True if damage stopped the reader before the end record. There may be more recipients.
    pub torn: bool,
}

/// Reads one envelope, from the first record to the end record.
///
/// # Errors
/// Fails only if the source fails. A damaged file is a value (see [`Envelope::damage`]).
pub fn read<S: Source>(
    records: &mut RecordReader<'_, S>,
    writer: Writer,
    visitor: &mut impl Visitor,
) -> io::Result<Envelope> {
    let mut reader = EnvelopeReader {
        envelope: Envelope::default(),
        writer,
        seen_size: false,
        seen_time: false,
        unexpected: 0,
        content: None,
    };
    match reader.run(records, visitor) {
        Ok(()) => {}
        Err(Fault::Damage(damage)) => {
            reader.envelope.torn = true;
            reader.damaged(damage.kind, damage.offset);
        }
        Err(Fault::Io(error)) => return Err(error),
    }
    Ok(reader.envelope)
}

struct EnvelopeReader {
    envelope: Envelope,
    writer: Writer,
    seen_size: bool,
    seen_time: bool,
    unexpected: u32,
    /// The number of content bytes to skip, if a size record gives it.
    content: Option<u64>,
}

/// What follows an envelope segment.
enum SegmentEnd {
    Content,
    End,
    Nothing,
}

impl EnvelopeReader {
    /// Records the first damage. Later ones are its consequences.
    fn damaged(&mut self, kind: DamageKind, offset: u64) {
        self.envelope.damage.get_or_insert(Damage { kind, offset });
    }

    /// Handles a record that is not allowed here.
    fn unexpected(&mut self, record: Record<'_>) -> Result<(), Fault> {
        let damage = Damage {
            kind: DamageKind::Unexpected(record.kind),
            offset: record.offset,
        };
        self.damaged(damage.kind, damage.offset);
        self.unexpected = self.unexpected.saturating_add(1);
        if self.unexpected > MAX_UNEXPECTED {
            self.envelope.torn = true;
            return Err(Fault::Damage(damage));
        }
        Ok(())
    }

    fn run<S: Source>(
        &mut self,
        records: &mut RecordReader<'_, S>,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        loop {
            match self.segment(records, visitor)? {
                SegmentEnd::Content => {
                    if visitor.wants_headers() {
                        headers(records, visitor)?;
                    }
                    self.content(records)?;
                }
                SegmentEnd::End => break,
                SegmentEnd::Nothing => {
                    let offset = records.position();
                    let kind = match offset {
                        0 => DamageKind::Empty,
                        _ => DamageKind::MissingEnd,
                    };
                    self.envelope.torn = true;
                    self.damaged(kind, offset);
                    return Ok(());
                }
            }
        }
        let end = records.position();
        if !self.seen_size && self.writer == Writer::Cleanup {
            self.damaged(DamageKind::BadSize, 0);
        }
        if !self.seen_time {
            self.damaged(DamageKind::BadTime, end);
        }
        if !self.envelope.has_sender {
            self.damaged(DamageKind::MissingSender, end);
        }
        Ok(())
    }

    /// Reads envelope records, before the content or after it.
    fn segment<S: Source>(
        &mut self,
        records: &mut RecordReader<'_, S>,
        visitor: &mut impl Visitor,
    ) -> Result<SegmentEnd, Fault> {
        while let Some(record) = records.next_record()? {
            match record.kind {
                b'M' => return Ok(SegmentEnd::Content),
                b'E' => return Ok(SegmentEnd::End),
                _ => self.envelope_record(record, visitor)?,
            }
        }
        Ok(SegmentEnd::Nothing)
    }

    fn envelope_record(
        &mut self,
        record: Record<'_>,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        let envelope = &mut self.envelope;
        match record.kind {
            b'R' => {
                envelope.recipients = envelope.recipients.saturating_add(1);
                let early = !envelope.has_sender;
                visitor.recipient(record.data, record.offset);
                if early {
                    self.damaged(DamageKind::RecipientBeforeSender, record.offset);
                }
            }
            b'D' => {
                envelope.done = envelope.done.saturating_add(1);
                visitor.other(record.kind, record.data, record.offset);
            }
            b'/' => {
                envelope.canceled = envelope.canceled.saturating_add(1);
                visitor.other(record.kind, record.data, record.offset);
            }
            b'O' => visitor.original_recipient(record.data),
            b'S' => {
                // Only the first of several sender records counts.
                if !envelope.has_sender {
                    envelope.has_sender = true;
                    envelope.null_sender = record.data.is_empty();
                    visitor.sender(record.data);
                }
            }
            b'T' => self.time(record, visitor),
            b'C' => self.size(record),
            b'A' => {
                if let Some(value) = record.data.strip_prefix(b"create_time=") {
                    envelope.created = decimal(value);
                }
                visitor.attribute(record.data);
            }
            b'>' => {
                envelope.redirected = true;
                visitor.redirect(record.data);
            }
            // Attributes that change none of our figures: filter, full name, inspect, warning time, killed,
            // VERP, return addresses, priority, old create time.
            b'L' | b'F' | b'I' | b'W' | b'K' | b'V' | b'r' | b'e' | b'P' | b'c' | b'i' | b'o'
            | b'n' | b'<' | b'B' => visitor.other(record.kind, record.data, record.offset),
            _ => self.unexpected(record)?,
        }
        Ok(())
    }

    /// Only the first time record counts.
    fn time(&mut self, record: Record<'_>, visitor: &mut impl Visitor) {
        if self.seen_time {
            return;
        }
        let seconds = decimal(record.data);
        // A time of 0 or a malformed one is ignored: the next one counts.
        self.seen_time = seconds.is_some_and(|seconds| seconds != 0);
        self.envelope.arrival = seconds.filter(|&seconds| seconds > 0);
        match self.envelope.arrival {
            Some(seconds) => visitor.arrival(seconds),
            None => self.damaged(DamageKind::BadTime, record.offset),
        }
    }

    /// Only the first size record counts. mailq takes the size from a record that has only digits and blanks;
    /// qmgr requires three fields, the first two above 0, if cleanup wrote the file.
    fn size(&mut self, record: Record<'_>) {
        if self.seen_size {
            return;
        }
        self.seen_size = true;
        self.envelope.has_size_record = true;
        let plain = record
            .data
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b' ');
        let mut fields = record
            .data
            .split(|byte| *byte == b' ')
            .filter(|field| !field.is_empty())
            .map(|field| decimal(field).unwrap_or(-1));
        let size = fields.next();
        if plain {
            self.envelope.message_size = size.and_then(|size| u64::try_from(size).ok());
            self.content = self.envelope.message_size;
        }
        let sound = size.is_some_and(|size| size > 0)
            && fields.next().is_some_and(|offset| offset > 0)
            && fields.next().is_some();
        if !sound && self.writer == Writer::Cleanup {
            self.damaged(DamageKind::BadSize, record.offset);
        }
    }

    /// Skips the content up to the record that ends it: in one step if there is a size record, else record by
    /// record.
    fn content<S: Source>(&mut self, records: &mut RecordReader<'_, S>) -> Result<(), Fault> {
        if let Some(size) = self.content {
            let start = records.position();
            records.skip(size);
            return match records.next_record()? {
                Some(record) if record.kind == b'X' => Ok(()),
                _ => Err(Fault::Damage(Damage {
                    kind: DamageKind::ContentSize,
                    offset: start,
                })),
            };
        }
        while let Some(record) = records.next_record()? {
            match record.kind {
                b'X' => return Ok(()),
                b'N' | b'L' => {}
                _ => self.unexpected(record)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
