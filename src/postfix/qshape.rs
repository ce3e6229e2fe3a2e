//! Reads one queue file as qshape(1) does: which files it accepts (postfix.md, "Which files qshape
//! accepts"), and what it takes from them. `envelope` and `showq` read a file as Postfix does.
//!
//! Recipients count only after the end record. Until then they are kept, up to `MAX_ADDRESSES` bytes; a file with
//! more is read twice. qshape never ends on a file whose pointers form a loop; this reader refuses it after it
//! read far more than the file holds.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::io;

use super::perl_number::perl_number;
pub use super::record::Buffer;
use super::record::{Fault, Framing, RawRecords, Span};
use crate::source::Source;

/// How many bytes of addresses are kept of one file.
pub(crate) const MAX_ADDRESSES: usize = 1 << 20;

/// What qshape does with a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The file counts. [`Addresses`] holds sender and recipients.
    Accepted {
        /// The arrival time, in seconds of the epoch, as a Perl number.
        time: f64,
        /// True if the recipients did not fit. Then [`each_recipient`] reports them.
        spilt: bool,
    },
    /// qshape does not know the type of the first record. With `-s` the file counts as a message of
    /// MAILER-DAEMON from 1970, otherwise it is skipped.
    Unrecognised,
    /// The file does not count.
    Refused,
}

/// The sender and the recipients of one file.
#[derive(Debug, Default)]
pub struct Addresses {
    /// The sender.
    pub sender: Vec<u8>,
    /// The recipients, one after the other.
    text: Vec<u8>,
    /// The end of each recipient in `text`.
    ends: Vec<usize>,
}

impl Addresses {
    fn clear(&mut self) {
        self.sender.clear();
        self.text.clear();
        self.ends.clear();
    }

    /// Returns the recipients, in the order of the file.
    pub fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let address = self.text.get(start..end).unwrap_or_default();
            start = end;
            address
        })
    }
}

/// Receives each recipient while a file is read.
type OnRecipient<'h> = &'h mut dyn FnMut(&[u8]);

/// Returns true if qshape reads a file of this name: six or more letters or digits. Its pattern also
/// accepts a final newline.
pub(crate) fn is_file_name(name: &[u8]) -> bool {
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    name.len() >= 6 && name.iter().all(u8::is_ascii_alphanumeric)
}

/// Reads the file of `length` bytes in `source`. `mtime` replaces the arrival time of files that begin with
/// the sender record.
///
/// # Errors
/// Fails only if the source fails.
pub fn read<S: Source>(
    source: S,
    length: u64,
    mtime: i64,
    buffer: &mut Buffer,
    addresses: &mut Addresses,
) -> io::Result<Outcome> {
    addresses.clear();
    let mut spilt = false;
    let mut recipients = 0_u64;
    let Addresses { sender, text, ends } = addresses;
    let mut on_recipient = |address: &[u8]| {
        recipients = recipients.saturating_add(1);
        if !spilt {
            text.extend_from_slice(address);
            ends.push(text.len());
            spilt = text.len().saturating_add(ends.len().saturating_mul(8)) > MAX_ADDRESSES;
        }
    };
    let mut reading = QshapeReader::new(source, length, buffer);
    let found = reading.run(mtime, sender, &mut on_recipient)?;
    Ok(match found {
        Ending::Unrecognised => Outcome::Unrecognised,
        Ending::End(Some(time)) if recipients > 0 => {
            if spilt {
                text.clear();
                ends.clear();
            }
            Outcome::Accepted { time, spilt }
        }
        Ending::End(_) | Ending::Nothing => Outcome::Refused,
    })
}

/// Reports the recipients of a file that [`read`] accepted.
///
/// # Errors
/// As [`read`].
pub fn each_recipient<S: Source>(
    source: S,
    length: u64,
    buffer: &mut Buffer,
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut reading = QshapeReader::new(source, length, buffer);
    reading.run(0, &mut Vec::new(), &mut each)?;
    Ok(())
}

/// How the reader stopped.
enum Ending {
    /// At an end record after a sender, with the arrival time if the file has one.
    End(Option<f64>),
    Unrecognised,
    Nothing,
}

/// How qshape decodes the header of a record: up to three length bytes. If the file ends within them, the
/// bytes read so far are the length.
const QSHAPE: Framing = Framing {
    length_bytes: 3,
    may_end_in_length: true,
};

struct QshapeReader<'b, S> {
    records: RawRecords<'b, S>,
}

impl<'b, S: Source> QshapeReader<'b, S> {
    fn new(source: S, length: u64, buffer: &'b mut Buffer) -> Self {
        let budget = length.saturating_mul(4).saturating_add(262_144);
        QshapeReader {
            records: RawRecords::new(source, budget, QSHAPE, buffer),
        }
    }

    fn data(&self, record: Span) -> &[u8] {
        self.records.data(record)
    }

    /// Reads the next record. Returns `None` for type `0`, at the end of the file, and for malformed bytes.
    fn record(&mut self) -> io::Result<Option<Span>> {
        match self.records.next_span() {
            Ok(span) => Ok(span.filter(|span| span.kind != b'0')),
            Err(Fault::Damage(_)) => Ok(None),
            Err(Fault::Io(error)) => Err(error),
        }
    }

    fn run(
        &mut self,
        mtime: i64,
        sender: &mut Vec<u8>,
        on_recipient: OnRecipient<'_>,
    ) -> io::Result<Ending> {
        let time;
        let mut content_length = None;
        let mut has_sender = false;
        let Some(first) = self.record()? else {
            return Ok(Ending::Unrecognised);
        };
        match first.kind {
            b'C' => {
                content_length = content_length_of(self.data(first));
                match self.record()? {
                    Some(second) if second.kind == b'T' => time = time_of(self.data(second)),
                    _ => return Ok(Ending::Nothing),
                }
            }
            b'S' | b'F' => {
                time = Some(mtime as f64);
                let record = match first.kind {
                    b'S' => first,
                    _ => match self.record()? {
                        Some(second) if second.kind == b'S' => second,
                        _ => return Ok(Ending::Nothing),
                    },
                };
                sender.clear();
                sender.extend_from_slice(self.data(record));
                has_sender = true;
            }
            _ => return Ok(Ending::Unrecognised),
        }
        loop {
            self.pass_by();
            let Some(record) = self.record()? else {
                break;
            };
            match record.kind {
                b'p' if !self.follow(record) => break,
                b'R' => on_recipient(self.data(record)),
                b'S' => {
                    sender.clear();
                    sender.extend_from_slice(self.data(record));
                    has_sender = true;
                }
                b'M' if !has_sender || !self.content(content_length)? => break,
                b'E' => {
                    return Ok(if has_sender {
                        Ending::End(time)
                    } else {
                        Ending::Nothing
                    });
                }
                _ => {}
            }
        }
        Ok(Ending::Nothing)
    }

    /// Skips the content. Returns true if its end was found.
    fn content(&mut self, length: Option<u64>) -> io::Result<bool> {
        let last = if let Some(length) = length {
            let target = self.records.position().saturating_add(length);
            // lseek(2) refuses an offset beyond off_t.
            if i64::try_from(target).is_err() {
                return Ok(false);
            }
            self.records.seek(target);
            self.record()?
        } else {
            loop {
                match self.record()? {
                    Some(record) if record.kind == b'p' => {
                        if !self.follow(record) {
                            return Ok(false);
                        }
                    }
                    Some(record) if matches!(record.kind, b'N' | b'L') => {}
                    last => break last,
                }
            }
        };
        Ok(last.is_some_and(|record| record.kind == b'X'))
    }

    /// Follows a pointer above 0. Returns false if it leads nowhere.
    // Only a number between 0 and 9e18 is cast.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn follow(&mut self, record: Span) -> bool {
        let target = perl_number(self.data(record));
        if target > 0.0 {
            // Beyond the end of any file: qshape reads nothing there and skips the file.
            if target >= 9.0e18 {
                return false;
            }
            self.records.seek(target as u64);
        }
        true
    }

    /// Skips the short records in the buffer that qshape ignores. They are most of an envelope.
    fn pass_by(&mut self) {
        self.records
            .pass_by(|kind| matches!(kind, b'p' | b'R' | b'S' | b'M' | b'E' | b'0'));
    }
}

/// Returns field 1 of a size record whose data begin with three whole numbers.
fn content_length_of(data: &[u8]) -> Option<u64> {
    let mut rest = data;
    let mut first = None;
    for field in 0..3 {
        let blanks = rest.iter().take_while(|byte| is_space(**byte)).count();
        if field > 0 && blanks == 0 {
            return None;
        }
        rest = rest.get(blanks..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let (number, after) = rest.split_at_checked(digits)?;
        if field == 0 {
            // A number that does not fit leads beyond any file.
            let text = std::str::from_utf8(number).unwrap_or_default();
            first = Some(text.parse().unwrap_or(u64::MAX));
        }
        rest = after;
    }
    first
}

/// Returns the first field of a time record: 0 if blanks come first; `None` if the record is empty.
fn time_of(data: &[u8]) -> Option<f64> {
    if data.is_empty() {
        return None;
    }
    let end = data
        .iter()
        .position(|byte| is_space(*byte))
        .unwrap_or(data.len());
    Some(perl_number(data.get(..end).unwrap_or_default()))
}

/// Returns true for what `\s` matches.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: char, data: &str) -> Vec<u8> {
        let mut bytes = vec![kind as u8, u8::try_from(data.len()).unwrap()];
        bytes.extend_from_slice(data.as_bytes());
        bytes
    }

    fn file(records: &[&str]) -> Vec<u8> {
        let split = records.iter().map(|record| record.split_at(1));
        split
            .flat_map(|(kind, data)| record(kind.chars().next().unwrap(), data))
            .collect()
    }

    fn outcome(bytes: &[u8]) -> (Outcome, String) {
        let mut addresses = Addresses::default();
        let outcome = read(
            bytes,
            bytes.len() as u64,
            7,
            &mut Buffer::default(),
            &mut addresses,
        )
        .unwrap();
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let mut recorder = text(&addresses.sender);
        for address in addresses.recipients() {
            recorder = format!("{recorder} {}", text(address));
        }
        (outcome, recorder)
    }

    #[test]
    fn names_are_those_of_qshape() {
        for (name, looked_at) in [
            (&b"A00001"[..], true),
            (b"4jYFx90B5Nz1SjH2", true),
            (b"lower1", true),
            (b"A00001\n", true),
            (b"A0000\n", false),
            (b"A0001", false),
            (b"A_00001", false),
            (b"A-00001", false),
        ] {
            assert_eq!(is_file_name(name), looked_at, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn files_are_accepted_as_qshape_accepts_them() {
        let accepted = |time| Outcome::Accepted { time, spilt: false };
        for (records, expected, recorder) in [
            (
                &["C 3 1 1", "T5 1", "Ss", "Ra", "M", "N1", "X", "Rb", "E"][..],
                accepted(5.0),
                "s a b",
            ),
            (
                &["C 3 1", "T5", "Ss", "Ra", "M", "N1", "Lx", "X", "E"],
                accepted(5.0),
                "s a",
            ),
            (
                &["C 9 1 1", "T5", "Ss", "Ra", "M", "N1", "X", "E"],
                Outcome::Refused,
                "s a",
            ),
            (&["C", "T 5", "Ss", "Ra", "E"], accepted(0.0), "s a"),
            (&["C", "T", "Ss", "Ra", "E"], Outcome::Refused, "s a"),
            (&["C", "Tx", "Ss", "St", "Ra", "E"], accepted(0.0), "t a"),
            (&["C", "T5", "Ra", "E"], Outcome::Refused, " a"),
            (&["C", "T5", "Ss", "E"], Outcome::Refused, "s"),
            (&["C", "T5", "Ss", "Da", "E"], Outcome::Refused, "s"),
            (
                &["C", "T5", "Ra", "M", "X", "Ss", "E"],
                Outcome::Refused,
                " a",
            ),
            (&["C", "A", "T5", "Ss", "Ra", "E"], Outcome::Refused, ""),
            (&["Ss", "Ra", "E"], accepted(7.0), "s a"),
            (&["Fx", "Ss", "Ra", "E"], accepted(7.0), "s a"),
            (&["Fx", "Ra", "E"], Outcome::Refused, ""),
            (&["T5", "Ss", "Ra", "E"], Outcome::Unrecognised, ""),
            (&[], Outcome::Unrecognised, ""),
            (
                &["C", "T5", "Ss", "Ra", "p18", "Rb", "E"],
                accepted(5.0),
                "s a",
            ),
            (
                &["C", "T5", "Ss", "Ra", "p0", "p-4", "E"],
                accepted(5.0),
                "s a",
            ),
            (
                &["C", "T5", "Ss", "Ra", "p99", "E"],
                Outcome::Refused,
                "s a",
            ),
        ] {
            assert_eq!(
                outcome(&file(records)),
                (expected, recorder.to_owned()),
                "{records:?}"
            );
        }
    }

    #[test]
    fn a_pointer_to_itself_ends() {
        assert_eq!(outcome(&file(&["C", "T5", "Ss", "p8"])).0, Outcome::Refused);
    }

    #[test]
    fn many_recipients_are_read_twice_and_not_held() {
        let mut bytes = file(&["C", "T5", "Ss"]);
        for number in 0..100_000 {
            bytes.extend(record('R', &format!("user{number}@x.example")));
        }
        bytes.extend(record('E', ""));
        let (outcome, recorder) = outcome(&bytes);
        assert_eq!(
            outcome,
            Outcome::Accepted {
                time: 5.0,
                spilt: true
            }
        );
        assert_eq!(recorder, "s");
        let mut count = 0;
        each_recipient(
            &bytes[..],
            bytes.len() as u64,
            &mut Buffer::default(),
            |_| count += 1,
        )
        .unwrap();
        assert_eq!(count, 100_000);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            outcome(&bytes);
        }
    }
}
