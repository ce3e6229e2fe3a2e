//! Reads the logs `defer/ID` and `bounce/ID`: why each recipient waits, or why it was given up
//! (postfix.md, "Delay reasons").
//!
//! An entry is a run of lines `name=value`, after an old-style line `<address>: reason`, and ends with a blank
//! line. This reader follows bounce_log_read() of Postfix: later values win, an entry without a blank line at
//! its end does not count yet, and lines without a known name are skipped. [`read`] reports the entries one by
//! one and holds one of them, whatever the length of the log.

use std::io;

use super::record::decimal;
use crate::source::Source;

/// The address of an entry that has none.
pub(crate) const NO_ADDRESS: &[u8] = b"(recipient address unavailable)";
/// The longest line that is held, in bytes. The rest of a longer line is skipped. Postfix writes replies of
/// servers and cuts them near 2 kB.
pub(crate) const MAX_LINE: usize = 1 << 20;
/// The size of the first read of a log, in bytes. Most logs hold a few recipients.
const FIRST_READ: usize = 4096;
/// The size of further reads, in bytes.
const LONGEST_READ: usize = 65_536;

/// What the log says about one recipient. Each ASCII control character of a text is replaced by `?`, as in
/// showq; other bytes are raw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The recipient's address, quoted as RFC 5321 requires; `(MAILER-DAEMON)` for the empty address.
    pub address: Vec<u8>,
    /// The address before expansion if it differs; else empty.
    pub original: Vec<u8>,
    /// The offset in the queue file of the recipient's record, in bytes; `None` in old logs. It identifies the
    /// recipient even if a redirection changed the address.
    pub offset: Option<u64>,
    /// The enhanced status code (RFC 3463), such as `4.4.1`.
    pub status: Vec<u8>,
    /// The reason.
    pub reason: Vec<u8>,
}

impl Entry {
    fn clear(&mut self) {
        self.address.clear();
        self.original.clear();
        self.offset = None;
        self.status.clear();
        self.reason.clear();
    }

    /// Returns the length of all its texts, in bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        let texts = [&self.address, &self.original, &self.status, &self.reason];
        texts.into_iter().map(Vec::len).sum()
    }

    /// Fills in the defaults of bounce_log_read().
    fn complete(&mut self, log: Log) {
        for (field, missing) in [
            (&mut self.address, NO_ADDRESS),
            (&mut self.status, log.status()),
            (&mut self.reason, b"(description unavailable)"),
        ] {
            if field.is_empty() {
                field.extend_from_slice(missing);
            }
        }
    }

    /// Reads one line.
    fn line(&mut self, line: &[u8]) {
        match line.first() {
            Some(first) if first.is_ascii_alphanumeric() => {
                if let Some((name, value)) = split(line) {
                    self.set(name, value);
                }
            }
            Some(b'<') => {
                let rest = line.get(1..).unwrap_or_default();
                if let Some(end) = memchr::memmem::find(rest, b">: ") {
                    let address = rest.get(..end).unwrap_or_default();
                    put(&mut self.address, or_null_sender(address));
                    let text = rest.get(end + 2..).unwrap_or_default();
                    put(&mut self.reason, text.trim_ascii_start());
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"recipient" => put(&mut self.address, or_null_sender(value)),
            b"original_recipient" => put(&mut self.original, or_null_sender(value)),
            b"status" => put(&mut self.status, value),
            b"reason" => put(&mut self.reason, value),
            b"offset" => {
                let offset = decimal(value).filter(|offset| *offset > 0);
                if let Some(offset) = offset.and_then(|offset| u64::try_from(offset).ok()) {
                    self.offset = Some(offset);
                }
            }
            // dsn_orig_rcpt, notify_flags, action, diag_type, diag_text, mta_type, mta_mname.
            _ => {}
        }
    }
}

fn put(field: &mut Vec<u8>, value: &[u8]) {
    field.clear();
    field.extend_from_slice(value);
}

fn or_null_sender(address: &[u8]) -> &[u8] {
    if address.is_empty() {
        b"(MAILER-DAEMON)"
    } else {
        address
    }
}

/// Splits `name = value` as split_nameval() of Postfix does.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let equal = memchr::memchr(b'=', line)?;
    let name = line.get(..equal)?.trim_ascii_end();
    if name.contains(&b' ') {
        return None;
    }
    Some((name, line.get(equal + 1..)?.trim_ascii()))
}

/// Which of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Log {
    /// `defer`: recipients that will be tried again.
    Defer,
    /// `bounce`: recipients that were given up. Postfix reports them to the sender after all others are done.
    Bounce,
    /// `trace`: deliveries of which the sender requested a report. Only `queuewatch show` reads it.
    Trace,
}

impl Log {
    /// Returns the name of the directory below `queue_directory`.
    pub const fn directory(self) -> &'static str {
        match self {
            Log::Defer => "defer",
            Log::Bounce => "bounce",
            Log::Trace => "trace",
        }
    }

    /// Returns the status code of an entry without one.
    const fn status(self) -> &'static [u8] {
        match self {
            Log::Defer => b"4.0.0",
            Log::Bounce => b"5.0.0",
            Log::Trace => b"",
        }
    }
}

/// A buffer that logs use one after the other.
#[derive(Debug, Default)]
pub struct LogBuffer {
    /// Bytes behind the present log are left over from an earlier one.
    bytes: Vec<u8>,
    entry: Entry,
}

/// Reads a whole log and reports each entry.
///
/// # Errors
/// Fails only if the source fails.
pub fn read<S: Source>(
    mut source: S,
    log: Log,
    buffer: &mut LogBuffer,
    mut each: impl FnMut(&Entry),
) -> io::Result<()> {
    let LogBuffer { bytes, entry } = buffer;
    entry.clear();
    let mut found = false;
    let mut line = |line: &mut [u8]| {
        // Postfix reads a line up to the first NUL.
        let end = memchr::memchr(0, line).unwrap_or(line.len());
        let line = line.get_mut(..end).unwrap_or_default();
        if line.is_empty() {
            if found {
                entry.complete(log);
                each(entry);
                entry.clear();
                found = false;
            }
            return;
        }
        found = true;
        // Every byte is written, so that the compiler can vectorise the loop.
        for byte in line.iter_mut() {
            *byte = if byte.is_ascii_control() { b'?' } else { *byte };
        }
        entry.line(line);
    };

    let mut offset: u64 = 0;
    let mut held = 0_usize;
    // True while skipping the rest of a line whose first MAX_LINE bytes are already reported.
    let mut cut = false;
    let mut wanted = FIRST_READ;
    loop {
        if bytes.len() < held + wanted {
            bytes.resize(held + wanted, 0);
        }
        let into = bytes.get_mut(held..held + wanted).unwrap_or_default();
        let got = source.read_at(offset, into)?.min(wanted);
        held += got;
        offset = offset.saturating_add(got as u64);
        let mut at = 0;
        while let Some(length) = bytes
            .get(at..held)
            .and_then(|rest| memchr::memchr(b'\n', rest))
        {
            if !std::mem::take(&mut cut) {
                let end = at + length.min(MAX_LINE);
                line(bytes.get_mut(at..end).unwrap_or_default());
            }
            at += length + 1;
        }
        bytes.copy_within(at..held, 0);
        held -= at;
        // A regular file gives less than was asked for only at its end.
        if got < wanted {
            break;
        }
        if held >= MAX_LINE {
            if !std::mem::replace(&mut cut, true) {
                line(bytes.get_mut(..MAX_LINE).unwrap_or_default());
            }
            held = 0;
        }
        wanted = (wanted * 4).min(LONGEST_READ);
    }
    if bytes.capacity() > 2 * LONGEST_READ {
        *bytes = Vec::new();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entries(log: &[u8]) -> Vec<String> {
        let mut reported = Vec::new();
        let mut buffer = LogBuffer::default();
        read(log, Log::Defer, &mut buffer, |entry| {
            let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
            reported.push(format!(
                "{} {:?} {} {}",
                text(&entry.address),
                entry.offset,
                text(&entry.status),
                text(&entry.reason)
            ));
        })
        .unwrap();
        reported
    }

    #[test]
    fn a_log_of_postfix_is_read() {
        // From the corpus: short-mixed, defer/3/3DF68994930, and a second recipient.
        let log = b"\n<dest@utf8-sender.example>: connect to 127.0.0.1[127.0.0.1]:1: Connection refused\n\
            recipient=dest@utf8-sender.example\noffset=689\n\
            dsn_orig_rcpt=rfc822;dest@utf8-sender.example\nstatus=4.4.1\naction=delayed\n\
            reason=connect to 127.0.0.1[127.0.0.1]:1: Connection refused\n\n\
            \nrecipient=b@x\nstatus=4.2.2\nreason=full\n\n";
        assert_eq!(
            entries(log),
            [
                "dest@utf8-sender.example Some(689) 4.4.1 connect to 127.0.0.1[127.0.0.1]:1: Connection refused",
                "b@x None 4.2.2 full"
            ]
        );
    }

    #[test]
    fn odd_logs_are_read_as_postfix_reads_them() {
        for (log, reported) in [
            (&b""[..], ""),
            (b"\n\n\n", ""),
            (b"<a@x>: why\n\n", "a@x None 4.0.0 why"),
            (b"<a@x>:   why  \n\n", "a@x None 4.0.0 why  "),
            (b"<>: why\n\n", "(MAILER-DAEMON) None 4.0.0 why"),
            (b"recipient=\nreason=r\n\n", "(MAILER-DAEMON) None 4.0.0 r"),
            (b"recipient=a@x\nreason=r\n", ""),
            (
                b"reason=r\n\n",
                "(recipient address unavailable) None 4.0.0 r",
            ),
            (
                b"recipient=a@x\n\n",
                "a@x None 4.0.0 (description unavailable)",
            ),
            (
                b"recipient = a@x \nreason=1\nreason =2 = 3\n\n",
                "a@x None 4.0.0 2 = 3",
            ),
            (
                b"recipient=a@x\nreason=t\tb\x01\x7f\xff\n\n",
                "a@x None 4.0.0 t?b??\\xff",
            ),
            (
                b"recipient=a@x\n?x=y\nno equal\na b=c\nreason=r\n\n",
                "a@x None 4.0.0 r",
            ),
            (b"recipient=a@x\nreason=r\n\0\n", "a@x None 4.0.0 r"),
            (
                b"recipient=a@x\noffset=-3\noffset=12x\n\n",
                "a@x Some(12) 4.0.0 (description unavailable)",
            ),
        ] {
            assert_eq!(entries(log).join(";"), reported, "{}", log.escape_ascii());
        }
    }

    #[test]
    fn a_line_without_end_costs_no_more_than_its_limit() {
        let mut log = b"recipient=a@x\nreason=".to_vec();
        log.resize(5 * MAX_LINE, b'r');
        log.extend_from_slice(b"\nstatus=4.1.1\n\n");
        let reported = entries(&log);
        assert_eq!(reported.len(), 1);
        assert!(
            reported[0].starts_with("a@x None 4.1.1 rrr"),
            "{}",
            &reported[0][..40]
        );
        assert!(reported[0].len() < MAX_LINE + 100);
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            entries(&bytes);
        }
    }
}
