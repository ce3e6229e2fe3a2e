//! The one door through which bytes of a spool become text.
//!
//! Strangers control queue IDs, addresses, file names and delay reasons. This module has two outputs:
//! [`printable`] for people, safe in a terminal, a Nagios command and HTML; and [`json_text`] for
//! programs, reversible. No other code prints bytes.

pub mod domain;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The maximum length of an address, domain or reason in text for people, in bytes; `...` replaces the
/// rest.
pub(crate) const MAX_SHOWN: usize = 128;
/// The maximum length of a path in text for people, in bytes: a path of PATH_MAX bytes would push cause
/// and remedy out of a notification.
pub(crate) const MAX_SHOWN_PATH: usize = 160;

/// `bytes` as printable ASCII of at most `max` bytes. Controls, bytes above 126, and `|`, `<`, `>`, `$`
/// and the backtick become `?`, as in Postfix's printable(); a text that was cut ends in `...`.
///
/// The bar separates performance data and the brackets are HTML (Monitoring Plugins guidelines). A
/// monitoring system expands macros such as `$HOSTNAME$` in service output, and a shell runs text
/// between backticks if a notification command contains the output.
pub fn printable(bytes: &[u8], max: usize) -> String {
    configured(bytes, max).replace(['$', '`'], "?")
}

/// [`printable`] for text of a main.cf or about one, which keeps `$` because it starts a parameter name.
/// Text for a monitoring system also passes through [`printable`].
pub(crate) fn configured(bytes: &[u8], max: usize) -> String {
    let (head, tail) = if bytes.len() > max {
        (&bytes[..max.saturating_sub(3)], "...")
    } else {
        (bytes, "")
    };
    let mut text = String::with_capacity(head.len() + tail.len());
    for &byte in head {
        text.push(match byte {
            b'|' | b'<' | b'>' => '?',
            b' '..=b'~' => byte as char,
            _ => '?',
        });
    }
    text.push_str(tail);
    text
}

/// User input for a terminal, at most `max` bytes: text stays unchanged except that characters a
/// terminal could interpret become `?`. Use [`printable`] for monitoring systems.
pub fn shown(text: &[u8], max: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let plain = |character| match obeyed(character) {
        true => '?',
        false => character,
    };
    let mut shown: String = text[..end].chars().map(plain).collect();
    if end < text.len() {
        shown.push_str("...");
    }
    shown
}

/// A count with its noun: `1 file`, `2 files`.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// [`printable`] for a path. A long path keeps its start and its end.
pub fn path(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() <= MAX_SHOWN_PATH {
        return printable(bytes, MAX_SHOWN_PATH);
    }
    let half = (MAX_SHOWN_PATH - 3) / 2;
    let (head, tail) = (&bytes[..half], &bytes[bytes.len() - half..]);
    format!("{}...{}", printable(head, half), printable(tail, half))
}

/// `bytes` as reversible text: valid UTF-8 stays; every byte of a backslash, a control character or
/// invalid UTF-8 becomes `\xNN` (two lower case hexadecimal digits). JSON documents contain addresses,
/// domains and paths in this form, which is safe on a terminal.
pub fn json_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if !text.contains(needs_escape) {
            return Cow::Borrowed(text);
        }
    }
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if needs_escape(character) {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(text, "\\x{byte:02x}");
                }
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Cow::Owned(text)
}

/// Appends `text` to `out` as showq(8) and postqueue(1) print it: each byte that is not printable ASCII
/// becomes `?`; with `utf8` (smtputf8_enable) valid UTF-8 stays. The text ends at a NUL, as C strings
/// do.
pub fn mailq_text(text: &[u8], utf8: bool, out: &mut Vec<u8>) {
    let end = text.iter().position(|byte| *byte == 0);
    let text = &text[..end.unwrap_or(text.len())];
    if every(text, |byte| (b' '..=b'~').contains(&byte)) {
        return out.extend_from_slice(text);
    }
    let ascii = |byte: u8| {
        if (b' '..=b'~').contains(&byte) {
            byte
        } else {
            b'?'
        }
    };
    for chunk in text.utf8_chunks() {
        for &byte in chunk.valid().as_bytes() {
            out.push(if utf8 && byte > 127 {
                byte
            } else {
                ascii(byte)
            });
        }
        out.extend(chunk.invalid().iter().map(|_| b'?'));
    }
}

/// Whether `is` holds for every byte of `text`. Has no early exit, so that the compiler can vectorise
/// it.
fn every(text: &[u8], is: impl Fn(u8) -> bool) -> bool {
    text.iter().fold(true, |all, byte| all & is(*byte))
}

/// Appends `text`, the output of [`mailq_text`], to `out` as the inside of a JSON string, as
/// postqueue(1) does, but also escapes C1 controls, which some terminals interpret.
pub fn json_mailq_text(text: &[u8], out: &mut Vec<u8>) {
    let plain = |byte| matches!(byte, b' '..=b'!' | b'#'..=b'[' | b']'..=b'~');
    if every(text, plain) {
        return out.extend_from_slice(text);
    }
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
                _ if obeyed(character) => {
                    out.extend_from_slice(format!("\\u{:04X}", character as u32).as_bytes());
                }
                _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
}

/// Whether a terminal could interpret `character` or use it to hide text: controls (C0, DEL, C1) and
/// bidirectional formatting characters (Unicode's `Bidi_Control`).
pub fn obeyed(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

fn needs_escape(character: char) -> bool {
    character == '\\' || obeyed(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_stranger_wrote_is_made_harmless() {
        for (bytes, max, text) in [
            (&b"user@example.com"[..], 64, "user@example.com"),
            (b"a|b<c>d", 64, "a?b?c?d"),
            (b"$HOSTNAME$ `id` $(id)@x", 64, "?HOSTNAME? ?id? ?(id)@x"),
            (b"\x1b[31mred\r\n\0", 64, "?[31mred???"),
            (b"b\xc3\xbccher", 64, "b??cher"),
            (b"0123456789", 10, "0123456789"),
            (b"0123456789a", 10, "0123456..."),
            (b"abc", 2, "..."),
            (b"", 5, ""),
        ] {
            assert_eq!(printable(bytes, max), text);
        }
    }

    #[test]
    fn what_a_person_typed_is_shown_as_it_is() {
        for (text, max, text_shown) in [
            ("deferred>5|<x>", 64, "deferred>5|<x>"),
            ("b\u{fc}cher", 64, "b\u{fc}cher"),
            ("b\u{fc}cher", 2, "b..."),
            ("a\u{1b}[1m\u{202e}", 64, "a?[1m?"),
        ] {
            assert_eq!(shown(text.as_bytes(), max), text_shown);
        }
        assert_eq!(counted(1, "file") + &counted(0, "file"), "1 file0 files");
    }

    #[test]
    fn json_text_is_documented_to_the_byte() {
        for (bytes, text) in [
            (&b"plain"[..], "plain"),
            ("b\u{fc}cher".as_bytes(), "b\u{fc}cher"),
            (b"lat\xfc.example", "lat\\xfc.example"),
            (b"back\\slash", "back\\x5cslash"),
            (b"\xff\\\xfe", "\\xff\\x5c\\xfe"),
            (b"\x1b[2J\xc2\x9b", "\\x1b[2J\\xc2\\x9b"),
            ("a\u{202e}b".as_bytes(), "a\\xe2\\x80\\xaeb"),
            ("a\u{61c}b".as_bytes(), "a\\xd8\\x9cb"),
        ] {
            assert_eq!(json_text(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn printable_is_printable(bytes in proptest::collection::vec(any::<u8>(), 0..300), max in 3usize..200) {
            let text = printable(&bytes, max);
            prop_assert!(text.len() <= max);
            prop_assert!(text.bytes().all(|b| (b' '..=b'~').contains(&b) && !b"|<>$`".contains(&b)));
        }

        #[test]
        fn json_text_can_be_turned_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = json_text(&bytes);
            let mut back = Vec::new();
            let mut rest = text.as_bytes();
            while let Some(&byte) = rest.first() {
                if byte == b'\\' {
                    back.push(u8::from_str_radix(std::str::from_utf8(&rest[2..4]).unwrap(), 16).unwrap());
                    rest = &rest[4..];
                } else {
                    back.push(byte);
                    rest = &rest[1..];
                }
            }
            prop_assert_eq!(back, bytes);
        }
    }
}
