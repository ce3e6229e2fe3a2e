//! Builds one queue file, byte for byte as cleanup(8) or postdrop(1) writes it (postfix.md, "Queue
//! files").
//!
//! Nothing here touches the disk. Single records can be added freely, so that tests can build files that
//! Postfix would reject.

use std::io::Write as _;

/// The longest piece of a content line, in bytes (`line_length_limit`); a longer line is written as
/// `L` pieces ended by `N`.
const LINE_LENGTH_LIMIT: usize = 2048;

/// The length of record `C` in a file made by cleanup, in bytes: type, length, six fields of 15 bytes
/// with five blanks.
const SIZE_RECORD: usize = 97;

/// The delivery state of a recipient, which is the type of its record (rec_type.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecipientState {
    /// `R`: not yet delivered.
    Todo,
    /// `D`: delivered or bounced; Postfix overwrites the type in place.
    Done,
    /// `/`: withdrawn by a milter.
    Canceled,
}

impl RecipientState {
    const fn record_type(self) -> u8 {
        match self {
            RecipientState::Todo => b'R',
            RecipientState::Done => b'D',
            RecipientState::Canceled => b'/',
        }
    }
}

/// The program that writes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Cleanup,
    Maildrop,
}

/// The segment that receives the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Envelope,
    Extracted,
}

/// A builder of a queue file. Records are written in the order of the calls.
///
/// ```
/// use queuewatch::drill::QueueFile;
///
/// let file = QueueFile::cleanup(1_700_000_000, 250_000)
///     .sender(b"anna@client.example")
///     .todo(b"bob@destination.example")
///     .done(b"eve@destination.example")
///     .content(b"Subject: hello\n\nworld\n")
///     .build();
/// assert!(file.bytes.starts_with(b"C\x5f"));
/// assert_eq!(file.size, 16 + 2 + 7);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct QueueFile {
    style: Style,
    segment: Segment,
    envelope: Vec<u8>,
    content: Vec<u8>,
    extracted: Vec<u8>,
    /// Where the record of each recipient starts in its segment.
    recipients: Vec<(Segment, usize)>,
    end: bool,
}

/// A finished queue file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltFile {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// The message size in bytes that mailq prints: field 1 of record `C`, or the file length if there
    /// is no such record (postfix.md, "How showq reads a file").
    pub size: u64,
    /// The file offset of each recipient record, in the order in which they were added. Defer logs refer
    /// to it.
    pub recipient_offsets: Vec<u64>,
}

impl QueueFile {
    /// Starts a file as cleanup writes it, for every queue except maildrop: records `C`, `T` (`sec` and
    /// `usec` since the epoch) and `create_time`. Add a sender, recipients and content next.
    pub fn cleanup(sec: i64, usec: u32) -> Self {
        QueueFile::new(Style::Cleanup, sec, usec).attribute("create_time", &sec.to_string())
    }

    /// Starts a file as postdrop writes it, for maildrop: no record `C`, and only the record types that
    /// postdrop accepts (postfix.md, "Files in maildrop").
    pub fn maildrop(sec: i64, usec: u32) -> Self {
        QueueFile::new(Style::Maildrop, sec, usec).attribute("rewrite_context", "local")
    }

    fn new(style: Style, sec: i64, usec: u32) -> Self {
        QueueFile {
            style,
            segment: Segment::Envelope,
            envelope: Vec::with_capacity(1024),
            content: Vec::new(),
            extracted: Vec::new(),
            recipients: Vec::new(),
            end: true,
        }
        .record(b'T', format!("{sec} {usec}").as_bytes())
    }

    /// Adds a record of any type with its data unchanged.
    pub fn record(mut self, record_type: u8, data: &[u8]) -> Self {
        push_record(self.records(), record_type, data);
        self
    }

    /// Adds record `A`, a named attribute, e.g. `log_ident`.
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        let records = self.records();
        push_head(records, b'A', name.len() + 1 + value.len());
        records.extend_from_slice(name.as_bytes());
        records.push(b'=');
        records.extend_from_slice(value.as_bytes());
        self
    }

    /// Adds record `S`: the sender, empty for the null sender. Postfix expects one before any recipient.
    pub fn sender(self, address: &[u8]) -> Self {
        self.record(b'S', address)
    }

    /// Adds an undelivered recipient with the same original address.
    pub fn todo(self, address: &[u8]) -> Self {
        self.recipient(RecipientState::Todo, address, Some(address))
    }

    /// Adds a delivered recipient with the same original address.
    pub fn done(self, address: &[u8]) -> Self {
        self.recipient(RecipientState::Done, address, Some(address))
    }

    /// Adds a recipient, raw and unquoted. `original` is the address before alias expansion, record `O`.
    /// cleanup always writes it; a maildrop file must not contain it.
    pub fn recipient(
        mut self,
        state: RecipientState,
        address: &[u8],
        original: Option<&[u8]>,
    ) -> Self {
        if let (Some(original), Style::Cleanup) = (original, self.style) {
            push_record(self.records(), b'O', original);
        }
        let at = self.records().len();
        self.recipients.push((self.segment, at));
        self.record(state.record_type(), address)
    }

    /// Writes later records after the content, where `sendmail -t`, `always_bcc` and header checks put
    /// them.
    pub fn extracted(mut self) -> Self {
        self.segment = Segment::Extracted;
        self
    }

    /// Adds content lines. A missing last newline is added, as in Postfix.
    pub fn content(mut self, text: &[u8]) -> Self {
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let mut pieces = line.chunks(LINE_LENGTH_LIMIT).peekable();
            if pieces.peek().is_none() {
                push_record(&mut self.content, b'N', b"");
            }
            while let Some(piece) = pieces.next() {
                let record_type = if pieces.peek().is_some() { b'L' } else { b'N' };
                push_record(&mut self.content, record_type, piece);
            }
        }
        self
    }

    /// Adds `bytes` of filler text including newlines, in lines of 72 bytes.
    pub(crate) fn filler(mut self, bytes: usize) -> Self {
        const LINE: &[u8; 71] =
            b"The quick brown fox jumped over a lazy dog while the mail waits in line";
        let (lines, rest) = (bytes / (LINE.len() + 1), bytes % (LINE.len() + 1));
        self.content.reserve(bytes + 2 * lines + 2);
        for _ in 0..lines {
            push_record(&mut self.content, b'N', LINE);
        }
        if rest > 0 {
            push_record(&mut self.content, b'N', &LINE[..rest - 1]);
        }
        self
    }

    /// Omits record `E`, as in a truncated file, which Postfix considers corrupt.
    pub fn without_end(mut self) -> Self {
        self.end = false;
        self
    }

    /// Returns the finished file.
    pub fn build(self) -> BuiltFile {
        let head = match self.style {
            Style::Cleanup => SIZE_RECORD,
            Style::Maildrop => 0,
        };
        // Records M, X and E take two bytes each.
        let data_offset = head + self.envelope.len() + 2;
        let extracted_offset = data_offset + self.content.len() + 2;
        let mut bytes = Vec::with_capacity(extracted_offset + self.extracted.len() + 2);
        if self.style == Style::Cleanup {
            push_head(&mut bytes, b'C', SIZE_RECORD - 2);
            let (span, count) = (self.content.len(), self.recipients.len());
            // Writing into a Vec cannot fail.
            let _ = write!(
                bytes,
                "{span:15} {data_offset:15} {count:15} {:15} {span:15} {:15}",
                0, 0
            );
        }
        bytes.extend_from_slice(&self.envelope);
        push_record(&mut bytes, b'M', b"");
        bytes.extend_from_slice(&self.content);
        push_record(&mut bytes, b'X', b"");
        bytes.extend_from_slice(&self.extracted);
        if self.end {
            push_record(&mut bytes, b'E', b"");
        }
        let size = match self.style {
            Style::Cleanup => self.content.len(),
            Style::Maildrop => bytes.len(),
        };
        let offset = |&(segment, at): &(Segment, usize)| {
            let start = match segment {
                Segment::Envelope => head,
                Segment::Extracted => extracted_offset,
            };
            (start + at) as u64
        };
        BuiltFile {
            size: size as u64,
            recipient_offsets: self.recipients.iter().map(offset).collect(),
            bytes,
        }
    }

    fn records(&mut self) -> &mut Vec<u8> {
        match self.segment {
            Segment::Envelope => &mut self.envelope,
            Segment::Extracted => &mut self.extracted,
        }
    }
}

/// Appends one record to `out`: its type, its length in 7-bit groups (least significant first) and its
/// data (postfix.md, "Encoding of a record").
pub fn push_record(out: &mut Vec<u8>, record_type: u8, data: &[u8]) {
    push_head(out, record_type, data.len());
    out.extend_from_slice(data);
}

fn push_head(out: &mut Vec<u8>, record_type: u8, mut length: usize) {
    out.push(record_type);
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cleanup_file_is_that_of_postfix_byte_for_byte() {
        let built = QueueFile::cleanup(1_795_461_005, 208_256)
            .attribute("log_ident", "33221994920")
            .sender(b"a@b")
            .todo(b"c@d")
            .recipient(RecipientState::Done, b"e@f", Some(b"list@b"))
            .content(b"Subject: x\n\nbody\n")
            .extracted()
            .recipient(RecipientState::Canceled, b"g@h", None)
            .build();
        let expected = format!(
            "C\x5f{:15} {:15} {:15} {:15} {:15} {:15}",
            20, 193, 3, 0, 20, 0
        ) + "T\x111795461005 208256A\x16create_time=1795461005A\x15log_ident=33221994920\
               S\x03a@bO\x03c@dR\x03c@dO\x06list@bD\x03e@fM\0N\x0aSubject: xN\0N\x04bodyX\0\
               /\x03g@hE\0";
        assert_eq!(String::from_utf8_lossy(&built.bytes), expected);
        assert_eq!(built.size, 20);
        assert_eq!(&built.bytes[193..195], b"N\x0a");
        for (offset, record) in
            built
                .recipient_offsets
                .iter()
                .zip([b"R\x03c@d", b"D\x03e@f", b"/\x03g@h"])
        {
            let at = *offset as usize;
            assert_eq!(&built.bytes[at..at + 5], record);
        }
    }

    #[test]
    fn a_maildrop_file_has_neither_size_nor_original_recipients() {
        let built = QueueFile::maildrop(1_795_461_304, 445_446)
            .record(b'F', b"root")
            .sender(b"a@b")
            .todo(b"c@d")
            .content(b"\nx")
            .build();
        let expected = b"T\x111795461304 445446A\x15rewrite_context=localF\x04rootS\x03a@bR\x03c@d\
            M\0N\0N\x01xX\0E\0";
        assert_eq!(
            built.bytes.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        assert_eq!(built.size, expected.len() as u64);
    }

    #[test]
    fn lengths_are_seven_bits_a_byte() {
        for (length, head) in [
            (0usize, &b"N\x00"[..]),
            (127, b"N\x7f"),
            (128, b"N\x80\x01"),
            (2048, b"N\x80\x10"),
            (16384, b"N\x80\x80\x01"),
        ] {
            let mut record = Vec::new();
            push_record(&mut record, b'N', &vec![b'x'; length]);
            assert_eq!(&record[..head.len()], head);
            assert_eq!(record.len(), head.len() + length);
        }
    }

    #[test]
    fn a_long_line_is_written_in_pieces() {
        let built = QueueFile::maildrop(1, 0).content(&[b'x'; 4097]).build();
        let types: Vec<u8> = [0, 2051, 4102]
            .into_iter()
            .map(|at| built.bytes[built.bytes.len() - 4 - 4105 + at])
            .collect();
        assert_eq!(types, b"LLN");
    }

    #[test]
    fn filler_is_as_long_as_asked() {
        for bytes in [0usize, 1, 2, 71, 72, 73, 1000] {
            let records = QueueFile::cleanup(1, 0).filler(bytes).build().size as usize;
            // Each line takes two bytes of record head and gives one newline.
            assert_eq!(records, bytes + bytes.div_ceil(72));
        }
    }
}
