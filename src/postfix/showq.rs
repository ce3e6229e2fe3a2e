//! Reads one queue file as showq(8) does, for what mailq and postqueue print
//! (postfix.md, "How showq reads a file").
//!
//! showq reads to the end of a file despite most damage. It reports a malformed time, and what makes it stop:
//! a recipient or an original recipient before the sender, a second sender, a record of type 0, or bytes that
//! are not a record.
#![deny(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

use std::io;

use super::damage::{Damage, DamageKind};
use super::envelope::{Envelope, Visitor, headers};
use super::queue::Queue;
use super::record::{Fault, Record, RecordReader, decimal};
use crate::source::Source;

/// Reads one envelope of a file in `queue`, as far as showq does.
///
/// # Errors
/// Fails only if the source fails. A damaged file is a value (see [`Envelope::damage`]).
pub fn read<S: Source>(
    records: &mut RecordReader<'_, S>,
    queue: Queue,
    visitor: &mut impl Visitor,
) -> io::Result<Envelope> {
    let mut reader = ShowqReader {
        sized: queue != Queue::Maildrop,
        envelope: Envelope::default(),
        seen_time: false,
        content: None,
    };
    match reader.run(records, visitor) {
        Ok(()) => {}
        Err(Fault::Damage(damage)) => {
            reader.envelope.torn = true;
            reader.envelope.damage.get_or_insert(damage);
        }
        Err(Fault::Io(error)) => return Err(error),
    }
    Ok(reader.envelope)
}

struct ShowqReader {
    /// True if size records count. In maildrop they may be preliminary, and showq skips them.
    sized: bool,
    envelope: Envelope,
    seen_time: bool,
    /// The number of content bytes to skip, if a size record gives it.
    content: Option<u64>,
}

impl ShowqReader {
    fn run<S: Source>(
        &mut self,
        records: &mut RecordReader<'_, S>,
        visitor: &mut impl Visitor,
    ) -> Result<(), Fault> {
        while let Some(record) = records.next_record()? {
            match record.kind {
                b'M' => {
                    if visitor.wants_headers() {
                        headers(records, visitor)?;
                    }
                    records.skip(self.content.unwrap_or(0));
                }
                b'E' => break,
                _ => self.record(record, visitor)?,
            }
        }
        Ok(())
    }

    fn record(&mut self, record: Record<'_>, visitor: &mut impl Visitor) -> Result<(), Fault> {
        let envelope = &mut self.envelope;
        match record.kind {
            b'R' => {
                envelope.recipients = envelope.recipients.saturating_add(1);
                if !envelope.has_sender {
                    return Err(ended(DamageKind::RecipientBeforeSender, record));
                }
                visitor.recipient(record.data, record.offset);
            }
            b'D' => envelope.done = envelope.done.saturating_add(1),
            b'/' => envelope.canceled = envelope.canceled.saturating_add(1),
            // Since 3.11. Older releases take it as the next recipient's original address.
            b'O' if !envelope.has_sender => {
                return Err(ended(DamageKind::RecipientBeforeSender, record));
            }
            b'O' => visitor.original_recipient(record.data),
            b'S' if envelope.has_sender => {
                return Err(ended(DamageKind::Unexpected(b'S'), record));
            }
            b'S' => {
                envelope.has_sender = true;
                envelope.null_sender = record.data.is_empty();
                visitor.sender(record.data);
            }
            b'T' => self.time(record, visitor),
            b'C' => {
                envelope.has_size_record = true;
                self.size(as_c_string(record.data));
            }
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
            // rec_get() returns 0 for this type, which is not a record.
            0 => return Err(ended(DamageKind::Unexpected(0), record)),
            _ => {}
        }
        Ok(())
    }

    /// The first time record counts if it comes before the sender; showq then prints the time.
    fn time(&mut self, record: Record<'_>, visitor: &mut impl Visitor) {
        if self.seen_time || self.envelope.has_sender {
            return;
        }
        let seconds = saturating(as_c_string(record.data));
        // A time of 0 or a malformed one is ignored: the next one counts.
        self.seen_time = seconds.is_some_and(|seconds| seconds != 0);
        self.envelope.arrival = seconds.filter(|&seconds| seconds > 0);
        match self.envelope.arrival {
            Some(seconds) => visitor.arrival(seconds),
            None => {
                self.envelope.damage.get_or_insert(Damage {
                    kind: DamageKind::BadTime,
                    offset: record.offset,
                });
            }
        }
    }

    /// The first size record of only digits and blanks counts; an empty one counts as 0. showq prints the size
    /// only if it comes before the sender.
    fn size(&mut self, data: &[u8]) {
        let plain = data
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b' ');
        if !self.sized || self.content.is_some() || !plain {
            return;
        }
        let blank = data.iter().all(|byte| *byte == b' ');
        let size = if blank { Some(0) } else { decimal(data) };
        self.content = size.and_then(|size| u64::try_from(size).ok());
        if !self.envelope.has_sender {
            self.envelope.message_size = self.content;
        }
    }
}

/// The damage at which showq stops reader.
fn ended(kind: DamageKind, record: Record<'_>) -> Fault {
    Fault::Damage(Damage {
        kind,
        offset: record.offset,
    })
}

/// Parses a number as atol(3) does: beyond 64 bits it returns the end of the range.
fn saturating(data: &[u8]) -> Option<i64> {
    decimal(data).or_else(|| {
        let text = data.trim_ascii_start();
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let number = digits.first().is_some_and(u8::is_ascii_digit);
        number.then_some(if text.len() == digits.len() {
            i64::MAX
        } else {
            i64::MIN
        })
    })
}

/// Returns `data` up to the first NUL, as C reads a string.
fn as_c_string(data: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, data).unwrap_or(data.len());
    data.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::envelope::tests::file;
    use super::super::record::Buffer;
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Recorder(Vec<String>);

    impl Visitor for Recorder {
        fn arrival(&mut self, seconds: i64) {
            self.0.push(format!("T{seconds}"));
        }
        fn sender(&mut self, address: &[u8]) {
            self.0.push(format!("S{}", address.escape_ascii()));
        }
        fn recipient(&mut self, address: &[u8], _offset: u64) {
            self.0.push(format!("R{}", address.escape_ascii()));
        }
    }

    fn read_bytes(bytes: &[u8]) -> (Envelope, String) {
        let mut buffer = Buffer::default();
        let mut recorder = Recorder::default();
        let mut records = RecordReader::new(bytes, bytes.len() as u64, &mut buffer);
        let envelope = read(&mut records, Queue::Hold, &mut recorder).unwrap();
        (envelope, recorder.0.join(" "))
    }

    #[test]
    fn a_file_is_read_as_far_as_showq_reads_it() {
        for (records, recorder, size, damage) in [
            (
                &["C 3 1", "T5", "Ss", "Ra", "M", "N1", "X", "Rb", "E", "Rc"][..],
                "T5 Ss Ra Rb",
                Some(3),
                None,
            ),
            // No end, no size and unknown records are not damage here.
            (&["T5", "#x", "Ss", "Ra"], "T5 Ss Ra", None, None),
            (&["T5", "Ss", "Ra", "Q"], "T5 Ss Ra", None, None),
            (
                &["T5", "Ra", "Ss"],
                "T5",
                None,
                Some(DamageKind::RecipientBeforeSender),
            ),
            (
                &["T5", "Ss", "Ra", "St", "Rb"],
                "T5 Ss Ra",
                None,
                Some(DamageKind::Unexpected(b'S')),
            ),
            (
                &["T5", "Ss", "Ra", "\0", "Rb"],
                "T5 Ss Ra",
                None,
                Some(DamageKind::Unexpected(0)),
            ),
            // The time and the size come too late to be printed.
            (&["Ss", "T5", "C 3", "Ra", "E"], "Ss Ra", None, None),
            (
                &["T0", "T7", "Ss", "Ra", "E"],
                "T7 Ss Ra",
                None,
                Some(DamageKind::BadTime),
            ),
            (
                &["C", "T99999999999999999999", "Ss", "E"],
                "T9223372036854775807 Ss",
                Some(0),
                None,
            ),
            (
                &["C x", "C 9\x000", "T5\x007", "Ss"],
                "T5 Ss",
                Some(9),
                None,
            ),
        ] {
            let (envelope, reported) = read_bytes(&file(records));
            let found = envelope.damage.map(|damage| damage.kind);
            assert_eq!(
                (reported.as_str(), envelope.message_size, found),
                (recorder, size, damage),
                "{records:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..1000)) {
            read_bytes(&bytes);
        }
    }
}
