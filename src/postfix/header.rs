//! Unfolds message headers and decodes them for people (RFC 2047). What it cannot decode stays unchanged.
//!
//! Headers come from strangers. The caller limits how much it reads; a decoded header has at most three times
//! the length of its source. The caller escapes it for output.
#![deny(clippy::arithmetic_side_effects)]

use std::ops::Range;

use super::charset;

/// The longest unfolded header that is held, in bytes. The rest of a longer one is dropped.
pub const MAX_HEADER: usize = 4096;
/// How many bytes of headers are read of one message. Headers behind them are ignored.
pub const MAX_HEADERS: usize = 65_536;

/// Joins the lines of a header and reports each header as a whole.
#[derive(Clone, Debug, Default)]
pub struct Unfold {
    header: Vec<u8>,
}

impl Unfold {
    /// Adds a line of the header section; with `begins` false, the next part of the same line. If the line
    /// begins another header, it reports the one before.
    pub fn line(&mut self, line: &[u8], begins: bool, mut each: impl FnMut(&[u8])) {
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        if begins && !folded {
            self.end(&mut each);
        } else if self.header.is_empty() {
            return;
        }
        let room = MAX_HEADER.saturating_sub(self.header.len());
        let line = line.get(..room).unwrap_or(line);
        self.header.extend_from_slice(line);
    }

    /// Drops the header that has begun.
    pub(crate) fn forget(&mut self) {
        self.header.clear();
    }

    /// Reports the last header.
    pub fn end(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.header.is_empty() {
            each(&self.header);
            self.header.clear();
        }
    }
}

/// Returns the value of the header `line` if its name is `name`.
pub fn value<'h>(line: &'h [u8], name: &str) -> Option<&'h [u8]> {
    let head = line.get(..name.len())?;
    if !head.eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    let rest = line.get(name.len()..)?.trim_ascii_start();
    Some(rest.strip_prefix(b":")?.trim_ascii())
}

/// Returns `value` with its encoded words decoded, if their charset is known (see `charset`). Blanks between
/// two encoded words are dropped. Words of one charset that follow each other are decoded together: many
/// programs cut in the middle of a character.
pub fn decoded(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    // The words that wait to be decoded.
    let mut words: Option<Words<'_>> = None;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        let (before, from) = rest.split_at(at);
        let Some((charset, bytes, length)) = encoded_word(from) else {
            let (mark, behind) = from.split_at(2.min(from.len()));
            Words::end(&mut words, value, &mut out);
            out.extend_from_slice(before);
            out.extend_from_slice(mark);
            rest = behind;
            continue;
        };
        let behind = from.get(length..).unwrap_or_default();
        let begin = value.len().saturating_sub(from.len());
        let end = value.len().saturating_sub(behind.len());
        let follows = words.is_some() && before.trim_ascii().is_empty();
        match &mut words {
            Some(words) if follows && words.charset.eq_ignore_ascii_case(charset) => {
                words.bytes.extend_from_slice(&bytes);
                words.place.end = end;
            }
            _ => {
                Words::end(&mut words, value, &mut out);
                if !follows {
                    out.extend_from_slice(before);
                }
                words = Some(Words {
                    charset,
                    bytes,
                    place: begin..end,
                });
            }
        }
        rest = behind;
    }
    Words::end(&mut words, value, &mut out);
    out.extend_from_slice(rest);
    out
}

/// Encoded words of one charset that follow each other.
struct Words<'h> {
    charset: &'h [u8],
    bytes: Vec<u8>,
    /// Where they stand in the header.
    place: Range<usize>,
}

impl Words<'_> {
    /// Adds the words to `out`: decoded, or as they stand in `value` if their charset is not known.
    fn end(words: &mut Option<Self>, value: &[u8], out: &mut Vec<u8>) {
        if let Some(words) = words.take() {
            match charset::to_utf8(words.charset, words.bytes) {
                Some(text) => out.extend_from_slice(&text),
                None => out.extend_from_slice(value.get(words.place).unwrap_or_default()),
            }
        }
    }
}

/// Reads the encoded word at the start of `text`. Returns its charset, its bytes, and its length in `text`.
fn encoded_word(text: &[u8]) -> Option<(&[u8], Vec<u8>, usize)> {
    let inner = text.get(2..)?;
    let charset_end = memchr::memchr(b'?', inner)?;
    let charset = inner.get(..charset_end)?;
    let rest = inner.get(charset_end.checked_add(1)?..)?;
    let (encoding, rest) = rest.split_first()?;
    let rest = rest.strip_prefix(b"?")?;
    let end = memchr::memmem::find(rest, b"?=")?;
    let data = rest.get(..end)?;
    if data.contains(&b' ') {
        return None;
    }
    let bytes = match encoding {
        b'q' | b'Q' => quoted_printable(data)?,
        b'b' | b'B' => base64(data)?,
        _ => return None,
    };
    // `=?` CHARSET `?` ENCODING `?` DATA `?=`
    let length = charset_end.checked_add(end)?.checked_add(7)?;
    // A language may follow the charset (RFC 2231).
    let charset = charset.split(|byte| *byte == b'*').next()?;
    Some((charset, bytes, length))
}

fn quoted_printable(data: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut out = Vec::with_capacity(data.len());
    let mut bytes = data.iter();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'_' => b' ',
            b'=' => {
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?
            }
            byte => *byte,
        });
    }
    Some(out)
}

fn base64(data: &[u8]) -> Option<Vec<u8>> {
    let value = |byte: u8| {
        let value = match byte {
            b'A'..=b'Z' => byte.wrapping_sub(b'A'),
            b'a'..=b'z' => byte.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => byte.wrapping_sub(b'0').wrapping_add(52),
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(u32::from(value))
    };
    let data = data.strip_suffix(b"=").unwrap_or(data);
    let data = data.strip_suffix(b"=").unwrap_or(data);
    let mut out = Vec::with_capacity(data.len());
    for group in data.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            bits = (bits << 6) | value(*byte)?;
        }
        let bytes = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        let missing = u32::try_from(4_usize.saturating_sub(group.len())).ok()?;
        bits <<= missing.checked_mul(6)?;
        let [_, first, second, third] = bits.to_be_bytes();
        out.extend([first, second, third].into_iter().take(bytes));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encoded_words_are_decoded() {
        for (value, text) in [
            ("plain", "plain"),
            ("=?utf-8?Q?caf=C3=A9_au_lait?=", "caf\u{e9} au lait"),
            ("=?UTF-8?B?w6RiYw==?=", "\u{e4}bc"),
            ("=?iso-8859-1?q?=E4?= x", "\u{e4} x"),
            ("=?utf-8*en?Q?a?=", "a"),
            ("a =?utf-8?Q?b?= =?utf-8?Q?c?= d", "a bc d"),
            (
                "=?x-own?B?8NLJ?= =?x-own?Q?a?= b",
                "=?x-own?B?8NLJ?= =?x-own?Q?a?= b",
            ),
            ("=?utf-8?Q?a=C3?= =?UTF-8?Q?=A9b?=", "a\u{e9}b"),
            ("=?utf-8?Q?a?= =?iso-8859-1?Q?=E4?=c", "a\u{e4}c"),
            ("=?utf-8?Q?a?= =?x-own?Q?b?= c", "a=?x-own?Q?b?= c"),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=?utf-8?Q?=zz?=", "=?utf-8?Q?=zz?="),
            ("=?utf-8?Q?a", "=?utf-8?Q?a"),
            ("=?=?utf-8?Q?a?=", "=?a"),
            ("", ""),
        ] {
            let found = decoded(value.as_bytes());
            assert_eq!(String::from_utf8_lossy(&found), text, "{value}");
        }
    }

    #[test]
    fn headers_are_unfolded_and_found() {
        let mut unfold = Unfold::default();
        let mut reported = Vec::new();
        for line in [" lost", "Subject: a", "\tb", "X:y"] {
            unfold.line(line.as_bytes(), true, |header| {
                reported.push(header.to_vec());
            });
        }
        unfold.end(|header| reported.push(header.to_vec()));
        assert_eq!(reported, [b"Subject: a\tb".to_vec(), b"X:y".to_vec()]);
        assert_eq!(value(&reported[0], "subject"), Some(&b"a\tb"[..]));
        assert_eq!(value(b"Subjects: a", "subject"), None);
        assert_eq!(value(b"Sub", "subject"), None);
    }

    proptest! {
        #[test]
        fn decoding_ends_and_grows_little(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decoded(&value).len() <= value.len().saturating_mul(3));
        }

        #[test]
        fn headers_are_bounded_and_lose_nothing_within_the_bound(
            lines in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..200), any::<bool>()), 0..60)
        ) {
            let mut unfold = Unfold::default();
            let mut told = Vec::new();
            for (line, begins) in &lines {
                unfold.line(line, *begins, |header| told.push(header.to_vec()));
            }
            unfold.end(|header| told.push(header.to_vec()));
            let all: usize = lines.iter().map(|(line, _)| line.len()).sum();
            prop_assert!(told.iter().all(|header| (1..=MAX_HEADER).contains(&header.len())));
            prop_assert!(told.iter().map(Vec::len).sum::<usize>() <= all);
        }

        #[test]
        fn marks_of_words_in_any_order_end(value in "[=?qQbButf8A_ -]{0,40}") {
            prop_assert!(decoded(value.as_bytes()).len() <= value.len().saturating_mul(3));
        }
    }
}
