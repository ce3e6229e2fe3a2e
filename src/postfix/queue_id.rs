//! Queue IDs: which file names are valid, what Postfix encodes in them, and in which directory the file
//! belongs.
//!
//! From a file name it gives the arrival time and inode in it, or the hash directory (postfix.md, "Queue IDs"
//! and postfix.md, "Hash directories"; mail_queue.h and mail_queue.c of Postfix 3.10). A name proves nothing:
//! after a restore by copying, the inode in the name is not the file's.

use std::fmt;

/// The longest queue ID, in bytes (`VALID_HOSTNAME_LEN`, used by mail_queue_id_ok).
pub const MAX_LENGTH: usize = 255;

/// The deepest hash directory that is followed: each level takes two bytes of a path, and PATH_MAX is 4096.
pub const MAX_HASH_DEPTH: usize = 2047;

/// The digits of base 52, least first. Base 51 leaves out `z`, which separates the inode.
const DIGITS: &[u8; 52] = b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/// What separates the inode in a long queue ID, at its last occurrence.
const SEPARATOR: u8 = b'z';

/// The smallest number of characters for the seconds in a long queue ID; they are padded with `0`.
const SECONDS: usize = 6;

/// The exact number of characters for the microseconds in a long queue ID.
const MICROSECONDS: usize = 4;

/// The microseconds of one second. A fraction is less.
const SECOND: u32 = 1_000_000;

/// Returns true if Postfix looks at a file of this name (mail_queue_id_ok): 1 to 255 bytes, each an ASCII
/// letter, a digit or `_`. Postfix requires no minimal length and no form.
pub fn is_valid(name: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&name.len())
        && name
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What Postfix encoded in a queue ID when it named the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueId {
    /// The default, e.g. `33221994920`. It has no seconds, so names repeat over time.
    Short {
        /// The fraction of the second of arrival, in microseconds.
        usec: u32,
        /// The inode of the file.
        inode: u64,
    },
    /// With `enable_long_queue_ids` (Postfix 2.9 on), e.g. `4jYFx90B5Nz1SjH2`.
    Long {
        /// The second of arrival, of the epoch.
        sec: u64,
        /// The fraction of that second, in microseconds.
        usec: u32,
        /// The inode of the file.
        inode: u64,
    },
}

impl QueueId {
    /// Decodes `name` if Postfix can have written it; `None` for any other valid name.
    pub fn decode(name: &[u8]) -> Option<QueueId> {
        if name.len() > MAX_LENGTH {
            return None;
        }
        let decoded = match separator(name) {
            Some(at) => {
                let (arrival, inode) = (name.get(..at)?, name.get(at + 1..)?);
                let (sec, usec) = arrival.split_at_checked(at.checked_sub(MICROSECONDS)?)?;
                QueueId::Long {
                    sec: number(sec, 52)?,
                    usec: u32::try_from(number(usec, 52)?).ok()?,
                    inode: number(inode, 51)?,
                }
            }
            None => QueueId::Short {
                usec: u32::try_from(hexadecimal(name.get(..5)?)?).ok()?,
                inode: hexadecimal(name.get(5..)?)?,
            },
        };
        // With other padding or other digits one file would have two names: Postfix writes no such name.
        (decoded.usec() < SECOND && decoded.to_string().as_bytes() == name).then_some(decoded)
    }

    /// The fraction of the second of arrival, in microseconds.
    pub const fn usec(self) -> u32 {
        match self {
            QueueId::Short { usec, .. } | QueueId::Long { usec, .. } => usec,
        }
    }

    /// The inode that the file had when it was named. A different inode means a copied or restored spool.
    pub const fn inode(self) -> u64 {
        match self {
            QueueId::Short { inode, .. } | QueueId::Long { inode, .. } => inode,
        }
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match *self {
            QueueId::Short { usec, inode } => encode_short(usec, inode),
            QueueId::Long { sec, usec, inode } => encode_long(sec, usec, inode),
        })
    }
}

/// Encodes the short queue ID of a file that arrived `usec` microseconds (below 1,000,000) after a second.
pub fn encode_short(usec: u32, inode: u64) -> String {
    format!("{usec:05X}{inode:X}")
}

/// Encodes the long queue ID of a file that arrived at `sec` of the epoch and `usec` microseconds (below
/// 1,000,000).
pub fn encode_long(sec: u64, usec: u32, inode: u64) -> String {
    let mut name = String::with_capacity(20);
    push_number(&mut name, sec, 52, SECONDS);
    push_number(&mut name, u64::from(usec), 52, MICROSECONDS);
    name.push(char::from(SEPARATOR));
    push_number(&mut name, inode, 51, 1);
    name
}

/// Returns the directories below a hashed queue in which the file `id` belongs, each with its slash: `0/6/`
/// at depth 2, nothing at depth 0.
///
/// They are the first characters of the ID, or of the hexadecimal microseconds of a long one. Short names
/// are padded with `_` (mail_queue.c:145-200, dir_forest.c:62-110).
pub fn hash_path(id: &[u8], depth: usize) -> String {
    let mut path = String::with_capacity(2 * depth.min(MAX_HASH_DEPTH));
    for character in hash_characters(id, depth) {
        path.push(char::from(character));
        path.push('/');
    }
    path
}

/// The names of the directories of [`hash_path`], one character each.
pub(crate) fn hash_characters(id: &[u8], depth: usize) -> impl Iterator<Item = u8> + '_ {
    let separator = separator(id);
    let microseconds = separator.and_then(|at| id.get(at - MICROSECONDS..at));
    // Postfix files a name that it cannot decode under 0. The state is a number and a flag, not one
    // Option of a number: LLVM 19 also tests the number of a None. That is harmless, but valgrind reports it.
    let usec = microseconds.and_then(|b| number(b, 52)).unwrap_or(0);
    let is_long = separator.is_some();
    (0..depth.min(MAX_HASH_DEPTH)).map(move |level| {
        let character = match is_long {
            true => hexadecimal_digit(usec, level),
            false => id.get(level).copied(),
        };
        // A name with other bytes is not a queue ID. It must not become a path.
        character.filter(u8::is_ascii_alphanumeric).unwrap_or(b'_')
    })
}

/// Returns the digit at `index` of `%05X`.
fn hexadecimal_digit(value: u64, index: usize) -> Option<u8> {
    let digits = (u64::BITS - value.leading_zeros()).div_ceil(4).max(5);
    let shift = 4 * digits.checked_sub(u32::try_from(index).ok()?.checked_add(1)?)?;
    b"0123456789ABCDEF"
        .get(usize::try_from(value >> shift & 0xf).ok()?)
        .copied()
}

/// Returns the position of the separator in a long queue ID. At least six characters of seconds and four of
/// microseconds come before it (`MQID_FIND_LG_INUM_SEPARATOR`). Before it, `z` is a digit.
fn separator(id: &[u8]) -> Option<usize> {
    memchr::memrchr(SEPARATOR, id).filter(|&at| at >= SECONDS + MICROSECONDS)
}

fn number(digits: &[u8], base: u64) -> Option<u64> {
    let mut value = 0u64;
    for digit in digits {
        let digit = DIGITS.iter().position(|known| known == digit)?;
        let digit = u64::try_from(digit).ok().filter(|&digit| digit < base)?;
        value = value.checked_mul(base)?.checked_add(digit)?;
    }
    (!digits.is_empty()).then_some(value)
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    // from_str_radix accepts a sign, which is not a digit.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Appends `value` in `base` (51 or 52), padded with `0` to `width`.
fn push_number(text: &mut String, mut value: u64, base: u64, width: usize) {
    let mut digits = Vec::with_capacity(12);
    while value > 0 || digits.len() < width {
        let digit = usize::try_from(value % base).unwrap_or(0);
        digits.push(char::from(*DIGITS.get(digit).unwrap_or(&b'0')));
        value /= base;
    }
    text.extend(digits.iter().rev());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_valid_by_its_bytes_alone() {
        for name in [
            &b"33221994920"[..],
            b"4jYFx90B5Nz1SjH2",
            b"A",
            b"A_UNDER",
            b"lower",
            &[b'A'; 255],
        ] {
            assert!(is_valid(name), "{}", name.escape_ascii());
        }
        for name in [
            &b""[..],
            b"A-B",
            b"208256.1234",
            b"ABCDEF#FIX",
            b"ABCDEF\n",
            b"ABC DEF",
            b"\xc3\xbcABCDEF",
            b"..",
            &[b'A'; 256],
        ] {
            assert!(!is_valid(name), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn what_postfix_wrote_is_read() {
        let long = |sec, usec, inode| QueueId::Long { sec, usec, inode };
        let short = |usec, inode| QueueId::Short { usec, inode };
        for (name, id) in [
            ("33221994920", short(0x33221, 0x0099_4920)),
            ("6484F998004", short(0x6484F, 0x0099_8004)),
            ("000000", short(0, 0)),
            ("F423F1", short(999_999, 1)),
            ("00000FFFFFFFFFFFFFFFF", short(0, u64::MAX)),
            ("0000000000z0", long(0, 0, 0)),
            // z is a digit of the seconds and microseconds; the last one separates.
            ("00000z000zz1", long(51, 51, 1)),
        ] {
            assert_eq!(QueueId::decode(name.as_bytes()), Some(id), "{name}");
            assert_eq!(id.to_string(), name);
        }
        let example = QueueId::decode(b"4jYFx90B5Nz1SjH2").expect("the example of postfix.md");
        assert_eq!(example.usec(), 27320);
        assert_eq!(example.to_string(), "4jYFx90B5Nz1SjH2");
    }

    #[test]
    fn a_name_that_postfix_cannot_have_written_is_not_an_id() {
        for name in [
            &b""[..],
            b"SHORT",
            b"12345",
            b"A_UNDER",
            b"abcdef1",
            b"+12341",
            b"000000F",                // a leading zero in the inode
            b"F42401",                 // 1,000,000 microseconds
            b"FFFFF1",                 // more of them
            b"00000FFFFFFFFFFFFFFFFF", // an inode of more than 64 bits
            b"00000000z1",             // too short before the separator
            b"0000000000z",            // no inode
            b"0000000000z01",          // a leading zero in it
            b"00000000000z1",          // seconds padded too far
            b"000000zzzzz1",           // 7,311,615 microseconds
            b"000000000Az1",           // a vowel
            b"zzzzzzzzzzzzzzzzzzzzz1", // seconds of more than 64 bits
            &[b'0'; 256],
        ] {
            assert_eq!(QueueId::decode(name), None, "{}", name.escape_ascii());
        }
    }

    #[test]
    fn a_file_belongs_where_its_microseconds_say() {
        for (id, depth, path) in [
            ("4jYFx90B5Nz1SjH2", 1, "0/"),
            ("4jYFx90B5Nz1SjH2", 2, "0/6/"),
            ("4jYFx90B5Nz1SjH2", 7, "0/6/A/B/8/_/_/"),
            ("33221994920", 0, ""),
            ("33221994920", 1, "3/"),
            ("33221994920", 7, "3/3/2/2/1/9/9/"),
            ("A", 3, "A/_/_/"),
            ("", 1, "_/"),
            ("A_B", 3, "A/_/B/"),
            ("../..", 3, "_/_/_/"),
            // Not decodable: filed under 0. Above one second: the number has more digits.
            ("4jYFx9AAAAz1", 5, "0/0/0/0/0/"),
            ("000000zzzzz1", 6, "6/F/9/0/F/F/"),
        ] {
            assert_eq!(hash_path(id.as_bytes(), depth), path, "{id} at {depth}");
        }
        assert_eq!(hash_path(b"ABCDEF", usize::MAX).len(), 2 * MAX_HASH_DEPTH);
    }

    proptest! {
        #[test]
        fn short_ids_round_trip(usec in 0u32..SECOND, inode: u64) {
            let name = encode_short(usec, inode);
            prop_assert!(is_valid(name.as_bytes()));
            prop_assert_eq!(QueueId::decode(name.as_bytes()), Some(QueueId::Short { usec, inode }));
            prop_assert_eq!(hash_path(name.as_bytes(), 1), format!("{}/", &format!("{usec:05X}")[..1]));
        }

        #[test]
        fn long_ids_round_trip(sec: u64, usec in 0u32..SECOND, inode: u64) {
            let name = encode_long(sec, usec, inode);
            prop_assert!(is_valid(name.as_bytes()));
            prop_assert_eq!(QueueId::decode(name.as_bytes()), Some(QueueId::Long { sec, usec, inode }));
            let short = encode_short(usec, inode);
            prop_assert_eq!(hash_path(name.as_bytes(), 5), hash_path(short.as_bytes(), 5));
        }

        #[test]
        fn any_name_is_answered(
            name in proptest::collection::vec(any::<u8>(), 0..300),
            depth in 0usize..10,
        ) {
            if let Some(id) = QueueId::decode(&name) {
                let again = id.to_string();
                prop_assert_eq!(again.as_bytes(), &name[..]);
            }
            prop_assert_eq!(hash_path(&name, depth).len(), 2 * depth);
        }

        #[test]
        fn any_alphanumeric_name_is_answered(
            name in "[0-9A-Za-z_]{1,40}z?[0-9A-Za-z]{0,12}",
            depth in 0usize..10,
        ) {
            prop_assert!(is_valid(name.as_bytes()));
            if let Some(id) = QueueId::decode(name.as_bytes()) {
                prop_assert_eq!(id.to_string(), name.clone());
            }
            prop_assert_eq!(hash_path(name.as_bytes(), depth).len(), 2 * depth);
        }
    }
}
