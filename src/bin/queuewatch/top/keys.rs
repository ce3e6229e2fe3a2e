//! Bytes that a terminal sends to keys.
//!
//! A key is a character, a control character or an escape sequence (ECMA-48). A slow line delivers a sequence
//! in pieces, so the start of one waits for its end; [`Keys::timed_out`] says that none came, and the start
//! was the Escape key. Sequences that mean no key here are dropped as a whole.

/// A key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    /// A letter with Ctrl.
    Control(char),
    Enter,
    Escape,
    Backspace,
    Delete,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// The longest sequence that is kept while its end is missing; terminals send less than 20 bytes for a key.
const MAX_SEQUENCE: usize = 64;

/// Turns bytes to keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The start of a sequence or of a character.
    kept: Vec<u8>,
}

/// The start of the bytes, understood.
enum Step {
    /// This key, and the number of its bytes.
    Key(Key, usize),
    /// This number of bytes, which mean no key.
    Nothing(usize),
    /// The end is missing.
    More,
}

impl Keys {
    /// Takes in `bytes`, and returns the keys that are complete.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Vec<Key> {
        self.kept.extend_from_slice(bytes);
        let mut keys = Vec::new();
        loop {
            let (key, length) = match step(&self.kept) {
                Step::Key(key, length) => (Some(key), length),
                Step::Nothing(length) => (None, length),
                Step::More if self.kept.len() > MAX_SEQUENCE => (None, self.kept.len()),
                Step::More => return keys,
            };
            self.kept.drain(..length.min(self.kept.len()));
            keys.extend(key);
        }
    }

    /// Whether the start of a sequence waits for its end.
    pub(super) fn waits(&self) -> bool {
        !self.kept.is_empty()
    }

    /// The end of a sequence did not come: a single escape character is the key, anything else is dropped.
    pub(super) fn timed_out(&mut self) -> Option<Key> {
        let kept = std::mem::take(&mut self.kept);
        (kept == b"\x1b").then_some(Key::Escape)
    }
}

fn step(bytes: &[u8]) -> Step {
    let Some(first) = bytes.first() else {
        return Step::More;
    };
    match first {
        b'\x1b' => escape(bytes),
        b'\r' | b'\n' => Step::Key(Key::Enter, 1),
        b'\t' => Step::Key(Key::Tab, 1),
        0x08 | 0x7f => Step::Key(Key::Backspace, 1),
        0 | 0x1c..=0x1f => Step::Nothing(1),
        1..=26 => Step::Key(Key::Control((b'a' + first - 1) as char), 1),
        _ => character(bytes),
    }
}

/// A character in UTF-8. Bytes that are none are dropped.
fn character(bytes: &[u8]) -> Step {
    let chunk = bytes.utf8_chunks().next();
    let Some(chunk) = chunk else {
        return Step::More;
    };
    if let Some(character) = chunk.valid().chars().next() {
        return match character.is_control() {
            true => Step::Nothing(character.len_utf8()),
            false => Step::Key(Key::Char(character), character.len_utf8()),
        };
    }
    // At the end of what has come so far it may be the start of a character.
    let invalid = chunk.invalid();
    let begins = matches!(invalid.first(), Some(0xc2..=0xf4));
    match begins && invalid.len() == bytes.len() && bytes.len() < 4 {
        true => Step::More,
        false => Step::Nothing(invalid.len()),
    }
}

fn escape(bytes: &[u8]) -> Step {
    match bytes.get(1) {
        None => Step::More,
        Some(b'[') => control_sequence(bytes),
        // A key of the keypad in application mode.
        Some(b'O') => match bytes.get(2) {
            None => Step::More,
            Some(last) => match by_letter(*last) {
                Some(key) => Step::Key(key, 3),
                None => Step::Nothing(3),
            },
        },
        // Two escape characters: the first was the key.
        Some(b'\x1b') => Step::Key(Key::Escape, 1),
        // A letter with Alt.
        Some(_) => Step::Nothing(2),
    }
}

/// `ESC [`, parameters (0x30 to 0x3f), intermediate bytes (0x20 to 0x2f), and a last byte.
fn control_sequence(bytes: &[u8]) -> Step {
    let rest = bytes.get(2..).unwrap_or_default();
    let Some(place) = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte)) else {
        return Step::More;
    };
    let length = place + 3;
    let key = match rest.get(place) {
        // Reports of a mouse, and answers to queries that were not sent.
        _ if matches!(rest.first(), Some(b'<'..=b'?')) => None,
        Some(b'~') => {
            let number = rest.split(|byte| !byte.is_ascii_digit()).next();
            by_number(number.unwrap_or_default())
        }
        Some(b'Z') => Some(Key::BackTab),
        Some(last) => by_letter(*last),
        None => None,
    };
    match key {
        Some(key) => Step::Key(key, length),
        None => Step::Nothing(length),
    }
}

fn by_letter(letter: u8) -> Option<Key> {
    Some(match letter {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'M' => Key::Enter,
        _ => return None,
    })
}

fn by_number(number: &[u8]) -> Option<Key> {
    Some(match number {
        b"1" | b"7" => Key::Home,
        b"4" | b"8" => Key::End,
        b"3" => Key::Delete,
        b"5" => Key::PageUp,
        b"6" => Key::PageDown,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_keys_in_one_piece_or_in_many() {
        use Key::{BackTab, Backspace, Char, Control, Down, End, Enter, Home, PageUp, Tab, Up};
        let table: [(&[u8], &[Key]); 12] = [
            (b"jk/", &[Char('j'), Char('k'), Char('/')]),
            (b"\x1b[A\x1b[B\x1bOA", &[Up, Down, Up]),
            (b"\x1b[1;5A\x1b[5~\x1b[4~\x1b[H", &[Up, PageUp, End, Home]),
            (b"\r\n\t\x1b[Z", &[Enter, Enter, Tab, BackTab]),
            (b"\x7f\x08", &[Backspace, Backspace]),
            (b"\x03\x1a\x15", &[Control('c'), Control('z'), Control('u')]),
            (b"\x1b[200~x\x1b[<0;1;2M", &[Char('x')]),
            (b"\x1b[?62;c\x1bx\x00\x1ca", &[Char('a')]),
            (
                "\u{fc}\u{4f8b}".as_bytes(),
                &[Char('\u{fc}'), Char('\u{4f8b}')],
            ),
            (b"\xff\xfea\x80b", &[Char('a'), Char('b')]),
            (b"\xc2\x9b", &[]),
            (b"\x1b\x1b[A", &[Key::Escape, Up]),
        ];
        for (bytes, expected) in table {
            let mut keys = Keys::default();
            assert_eq!(keys.read(bytes), expected, "{}", bytes.escape_ascii());
            assert!(!keys.waits(), "{}", bytes.escape_ascii());
            let mut keys = Keys::default();
            let piecewise: Vec<Key> = bytes.iter().flat_map(|byte| keys.read(&[*byte])).collect();
            assert_eq!(piecewise, expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn an_escape_without_an_end_is_the_key() {
        let mut keys = Keys::default();
        assert_eq!(keys.read(b"\x1b"), []);
        assert!(keys.waits());
        assert_eq!(keys.timed_out(), Some(Key::Escape));
        assert_eq!(keys.read(b"\x1b[1;"), []);
        assert_eq!(keys.timed_out(), None);
        assert!(!keys.waits());
        assert_eq!(keys.read(b"q"), [Key::Char('q')]);
    }

    #[test]
    fn an_endless_sequence_is_dropped() {
        let mut keys = Keys::default();
        let endless = [b"\x1b[".as_slice(), &[b'1'; 500]].concat();
        for piece in endless.chunks(7) {
            for key in keys.read(piece) {
                assert_eq!(key, Key::Char('1'));
            }
            assert!(keys.kept.len() <= MAX_SEQUENCE);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_stay_for_ever(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let mut keys = Keys::default();
            let read = keys.read(&bytes);
            proptest::prop_assert!(read.len() <= bytes.len());
            proptest::prop_assert!(keys.kept.len() <= MAX_SEQUENCE);
            keys.timed_out();
            proptest::prop_assert_eq!(keys.read(b"q"), [Key::Char('q')]);
        }
    }
}
