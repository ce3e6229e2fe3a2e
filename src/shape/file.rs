//! One queue file as qshape(1) reads it (postfix.md, "Which files qshape accepts"): which files it
//! accepts, and what it takes from them. Not how Postfix reads them: that is `postfix::envelope`.
//!
//! Recipients count only once the end record has been reached, so they are kept until then, up to
//! [`MAX_KEPT`] bytes; a file with more is read twice. A file whose pointers lead in a circle, on which
//! qshape never ends, is refused when far more has been read than it holds.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::io;

use super::perl_number::perl_number;
use crate::clock::Deadline;
use crate::postfix::buffered::Window;
pub use crate::postfix::buffered::{Buffer, Source};

/// Bytes of addresses that are kept of one file.
pub const MAX_KEPT: usize = 1 << 20;

/// What qshape makes of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// It counts: sender and recipients are in [`Kept`].
    Accepted {
        /// The arrival time, in seconds of the epoch, as a Perl number.
        time: f64,
        /// Whether the recipients did not fit, and are to be told by [`each_recipient`].
        spilt: bool,
    },
    /// Its first record is of no kind that qshape knows. With `-s` it counts as a message of
    /// MAILER-DAEMON from 1970, else not at all.
    Unrecognised,
    /// It does not count.
    Refused,
}

/// Sender and recipients of one file.
#[derive(Debug, Default)]
pub struct Kept {
    /// The sender.
    pub sender: Vec<u8>,
    addresses: Vec<u8>,
    ends: Vec<usize>,
}

impl Kept {
    fn clear(&mut self) {
        self.sender.clear();
        self.addresses.clear();
        self.ends.clear();
    }

    /// The recipients, in the order of the file.
    pub fn recipients(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let address = self.addresses.get(start..end).unwrap_or_default();
            start = end;
            address
        })
    }
}

/// What hears of recipients while a file is read.
type Hear<'h> = &'h mut dyn FnMut(&[u8]);

/// Reads the file of `length` bytes in `source`; `mtime` stands in for the arrival time that files
/// beginning with their sender do not have.
///
/// # Errors
/// Only those of the source, and `TimedOut` after `deadline`.
pub fn read<S: Source>(
    source: S,
    length: u64,
    mtime: i64,
    buffer: &mut Buffer,
    deadline: Deadline,
    kept: &mut Kept,
) -> io::Result<Outcome> {
    kept.clear();
    let mut spilt = false;
    let mut recipients = 0_u64;
    let Kept {
        sender,
        addresses,
        ends,
    } = kept;
    let mut hear = |address: &[u8]| {
        recipients = recipients.saturating_add(1);
        if !spilt {
            addresses.extend_from_slice(address);
            ends.push(addresses.len());
            spilt = addresses.len().saturating_add(ends.len().saturating_mul(8)) > MAX_KEPT;
        }
    };
    let mut reading = Reading::new(source, length, buffer, deadline);
    let found = reading.run(mtime, sender, &mut hear)?;
    Ok(match found {
        Found::Unrecognised => Outcome::Unrecognised,
        Found::End(Some(time)) if recipients > 0 => {
            if spilt {
                addresses.clear();
                ends.clear();
            }
            Outcome::Accepted { time, spilt }
        }
        Found::End(_) | Found::Nothing => Outcome::Refused,
    })
}

/// Tells the recipients of a file that [`read`] accepted.
///
/// # Errors
/// As [`read`].
pub fn each_recipient<S: Source>(
    source: S,
    length: u64,
    buffer: &mut Buffer,
    deadline: Deadline,
    mut each: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut reading = Reading::new(source, length, buffer, deadline);
    reading.run(0, &mut Vec::new(), &mut each)?;
    Ok(())
}

/// How reading a file ended.
enum Found {
    /// At an end record, sender seen; with the arrival time if there is one.
    End(Option<f64>),
    Unrecognised,
    Nothing,
}

/// A record: its type, and where its data lie in the window.
#[derive(Clone, Copy)]
struct Record {
    kind: u8,
    start: usize,
    end: usize,
}

struct Reading<'b, S> {
    window: Window<'b, S>,
    /// Bytes of records that may still be read.
    budget: u64,
}

impl<'b, S: Source> Reading<'b, S> {
    fn new(source: S, length: u64, buffer: &'b mut Buffer, deadline: Deadline) -> Self {
        let mut window = Window::new(source, buffer);
        window.until(deadline);
        Reading {
            window,
            budget: length.saturating_mul(4).saturating_add(262_144),
        }
    }

    fn data(&self, record: Record) -> &[u8] {
        self.window.bytes(record.start, record.end)
    }

    fn run(&mut self, mtime: i64, sender: &mut Vec<u8>, hear: Hear<'_>) -> io::Result<Found> {
        let time;
        let mut content_length = None;
        let mut has_sender = false;
        let Some(first) = self.record()? else {
            return Ok(Found::Unrecognised);
        };
        match first.kind {
            b'C' => {
                content_length = content_length_of(self.data(first));
                match self.record()? {
                    Some(second) if second.kind == b'T' => time = time_of(self.data(second)),
                    _ => return Ok(Found::Nothing),
                }
            }
            b'S' | b'F' => {
                time = Some(mtime as f64);
                let record = match first.kind {
                    b'S' => first,
                    _ => match self.record()? {
                        Some(second) if second.kind == b'S' => second,
                        _ => return Ok(Found::Nothing),
                    },
                };
                sender.clear();
                sender.extend_from_slice(self.data(record));
                has_sender = true;
            }
            _ => return Ok(Found::Unrecognised),
        }
        loop {
            self.pass_by();
            let Some(record) = self.record()? else {
                break;
            };
            match record.kind {
                b'p' if !self.follow(record) => break,
                b'R' => hear(self.window.bytes(record.start, record.end)),
                b'S' => {
                    sender.clear();
                    sender.extend_from_slice(self.data(record));
                    has_sender = true;
                }
                b'M' if !has_sender || !self.content(content_length)? => break,
                b'E' => {
                    return Ok(if has_sender {
                        Found::End(time)
                    } else {
                        Found::Nothing
                    });
                }
                _ => {}
            }
        }
        Ok(Found::Nothing)
    }

    /// Goes over the content; whether its end was found.
    fn content(&mut self, length: Option<u64>) -> io::Result<bool> {
        let last = if let Some(length) = length {
            let target = self.window.position().saturating_add(length);
            // lseek(2) refuses what is no off_t.
            if i64::try_from(target).is_err() {
                return Ok(false);
            }
            self.window.seek(target);
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

    /// Follows a pointer above 0; false if it leads nowhere.
    fn follow(&mut self, record: Record) -> bool {
        let target = perl_number(self.data(record));
        if target > 0.0 {
            // Beyond the end of any file: qshape reads nothing there and drops the file.
            if target >= 9.0e18 {
                return false;
            }
            self.window.seek(target as u64);
        }
        true
    }

    /// Goes over the short records ahead that are read already and mean nothing here: most of an envelope.
    fn pass_by(&mut self) {
        let ahead = self.window.ahead();
        let mut passed = 0_usize;
        while let Some([kind, length @ 0..=0x7f, data @ ..]) = ahead.get(passed..) {
            let length = usize::from(*length);
            if matches!(kind, b'p' | b'R' | b'S' | b'M' | b'E' | b'0') || length > data.len() {
                break;
            }
            passed = passed.saturating_add(length).saturating_add(2);
        }
        // Without any budget left no further record is read.
        self.budget = self.budget.saturating_sub(passed as u64);
        self.window.pass(0, passed);
    }

    /// The next record: a type other than `0`, up to three length bytes, the data. A file that ends
    /// within the length has the length so far.
    fn record(&mut self) -> io::Result<Option<Record>> {
        if !self.window.load(1)? {
            return Ok(None);
        }
        // Nearly all records: short, and read already.
        if let [kind, length @ 0..=0x7f, data @ ..] = self.window.ahead() {
            let (kind, length) = (*kind, usize::from(*length));
            if kind != b'0' && length <= data.len() {
                return Ok(self.take(kind, 2, length.saturating_add(2)));
            }
        }
        let kind = self.window.byte(0);
        if kind == b'0' {
            return Ok(None);
        }
        let mut length = 0_usize;
        let mut header = 1_usize;
        for shift in [0_u32, 7, 14] {
            if !self.window.load(header.saturating_add(1))? {
                break;
            }
            let byte = self.window.byte(header);
            header = header.saturating_add(1);
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            if shift == 14 {
                return Ok(None);
            }
        }
        let whole = header.saturating_add(length);
        if length > 0 && !self.window.load(whole)? {
            return Ok(None);
        }
        Ok(self.take(kind, header, whole))
    }

    /// Goes over a record that is loaded, if the budget allows.
    fn take(&mut self, kind: u8, header: usize, whole: usize) -> Option<Record> {
        self.budget = self.budget.checked_sub(whole as u64)?;
        let (start, end) = self.window.pass(header, whole);
        Some(Record { kind, start, end })
    }
}

/// Field 1 of a size record whose data begin with three whole numbers.
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
            // One that does not fit leads beyond any file.
            let text = std::str::from_utf8(number).unwrap_or_default();
            first = Some(text.parse().unwrap_or(u64::MAX));
        }
        rest = after;
    }
    first
}

/// The first field of a time record: empty, and so 0, where blanks come first; none in an empty one.
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

/// What `\s` matches.
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
        let mut kept = Kept::default();
        let outcome = read(
            bytes,
            bytes.len() as u64,
            7,
            &mut Buffer::default(),
            Deadline::NEVER,
            &mut kept,
        )
        .unwrap();
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let mut heard = text(&kept.sender);
        for address in kept.recipients() {
            heard = format!("{heard} {}", text(address));
        }
        (outcome, heard)
    }

    #[test]
    fn files_are_accepted_as_qshape_accepts_them() {
        let accepted = |time| Outcome::Accepted { time, spilt: false };
        for (records, expected, heard) in [
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
                (expected, heard.to_owned()),
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
        let (outcome, heard) = outcome(&bytes);
        assert_eq!(
            outcome,
            Outcome::Accepted {
                time: 5.0,
                spilt: true
            }
        );
        assert_eq!(heard, "s");
        let mut count = 0;
        each_recipient(
            &bytes[..],
            bytes.len() as u64,
            &mut Buffer::default(),
            Deadline::NEVER,
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
