//! The text of a message behind its headers: a bounded piece of it, line by line as the queue file has it.
//!
//! Nothing is decoded: what stands in the file is what the next hop would get.
#![deny(clippy::arithmetic_side_effects)]

use std::io;

use super::record::{Fault, RecordReader};
use crate::source::Source;

/// Bytes of headers that are passed over before the text is given up.
const MAX_SKIPPED: usize = 16 << 20;

/// A piece of the text of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Its bytes, each line ended by a newline.
    pub text: Vec<u8>,
    /// Whether there is more than was asked for.
    pub cut: bool,
}

/// Reads at most `limit` bytes of the text behind the headers. A damaged file gives what can be read.
///
/// # Errors
/// Those of the source.
pub fn read<S: Source>(records: &mut RecordReader<'_, S>, limit: usize) -> io::Result<Body> {
    let mut body = Body::default();
    match run(records, limit, &mut body) {
        Ok(()) | Err(Fault::Damage(_)) => Ok(body),
        Err(Fault::Io(error)) => Err(error),
    }
}

fn run<S: Source>(
    records: &mut RecordReader<'_, S>,
    limit: usize,
    body: &mut Body,
) -> Result<(), Fault> {
    while let Some(record) = records.next_record()? {
        match record.kind {
            b'M' => break,
            b'E' => return Ok(()),
            _ => {}
        }
    }
    let mut skipped = 0_usize;
    let mut begins = true;
    let mut in_headers = true;
    while let Some(record) = records.next_record()? {
        let ends_line = match record.kind {
            b'N' => true,
            b'L' => false,
            _ => return Ok(()),
        };
        if in_headers {
            in_headers = !(begins && ends_line && record.data.is_empty());
            begins = ends_line;
            skipped = skipped.saturating_add(record.data.len());
            if skipped > MAX_SKIPPED {
                body.cut = true;
                return Ok(());
            }
            continue;
        }
        let room = limit.saturating_sub(body.text.len());
        body.text
            .extend_from_slice(record.data.get(..room).unwrap_or(record.data));
        if record.data.len() > room || (ends_line && record.data.len() == room) {
            body.cut = true;
            return Ok(());
        }
        if ends_line {
            body.text.push(b'\n');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::envelope::tests::file;
    use super::super::record::Buffer;
    use super::*;
    use proptest::prelude::*;

    fn text_of(bytes: &[u8], limit: usize) -> (String, bool) {
        let mut buffer = Buffer::default();
        let mut records = RecordReader::new(bytes, bytes.len() as u64, &mut buffer);
        let body = read(&mut records, limit).unwrap();
        (String::from_utf8_lossy(&body.text).into_owned(), body.cut)
    }

    #[test]
    fn the_text_begins_behind_the_first_empty_line() {
        let bytes = file(&[
            "C 1 1 1",
            "Sa@x",
            "Rb@x",
            "M",
            "NSubject: a",
            "N",
            "None",
            "N",
            "Ltw",
            "No",
            "X",
            "Nno text",
            "E",
        ]);
        for (limit, text, cut) in [
            (100, "one\n\ntwo\n", false),
            (9, "one\n\ntwo\n", false),
            (8, "one\n\ntwo", true),
            (6, "one\n\nt", true),
            (3, "one", true),
            (0, "", true),
        ] {
            assert_eq!(text_of(&bytes, limit), (text.to_owned(), cut), "{limit}");
        }
    }

    #[test]
    fn a_message_without_text_has_none() {
        for records in [
            &["M", "NSubject: a", "X", "E"][..],
            &["M", "X", "E"],
            &["E"],
            &[],
            &["M", "Lpiece"],
        ] {
            assert_eq!(text_of(&file(records), 10), (String::new(), false));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..500), limit in 0_usize..100) {
            let (text, _) = text_of(&bytes, limit);
            prop_assert!(text.len() <= limit.saturating_mul(3));
        }
    }
}
