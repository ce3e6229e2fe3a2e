//! The user's own table of causes (`--causes FILE`), which takes precedence over ours.
//!
//! A line is `CAUSE [CODE] PATTERN`. CODE is an enhanced status code or a prefix of one, such as `4.7` or
//! `4.7.1`. PATTERN is matched against the whole delay reason without `delivery temporarily suspended:`.
//! Letters match in either case, a blank matches any number of blanks, and `*` matches any text. The first
//! matching line decides. Empty lines and lines that begin with `#` are ignored.

use super::Cause;
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::postfix::status_code::has_code;

/// The largest number of rows.
pub(crate) const MAX_ROWS: usize = 1000;
/// The largest file, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The longest pattern, in bytes.
pub(crate) const MAX_PATTERN: usize = 1000;

/// The rows of a user's table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserTable {
    rows: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    cause: Cause,
    code: Box<[u8]>,
    /// The texts between the stars, in lower case.
    pieces: Vec<Box<[u8]>>,
}

impl UserTable {
    /// Parses a table.
    ///
    /// # Errors
    /// Names the line, the fault, and the correct form.
    pub fn parse(text: &[u8]) -> Result<UserTable> {
        if text.len() > MAX_BYTES {
            return Err(refuse(format!(
                "the file has {} bytes; at most {MAX_BYTES} are read",
                text.len()
            )));
        }
        let mut rows = Vec::new();
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            if rows.len() == MAX_ROWS {
                return Err(refuse(format!(
                    "line {}: more than {MAX_ROWS} rows",
                    number + 1
                )));
            }
            let row =
                row(line).map_err(|problem| refuse(format!("line {}: {problem}", number + 1)))?;
            rows.push(row);
        }
        Ok(UserTable { rows })
    }

    /// Returns the cause of the first matching row.
    pub fn cause(&self, status: &[u8], reason: &[u8]) -> Option<Cause> {
        if self.rows.is_empty() {
            return None;
        }
        let mut plain = Vec::with_capacity(reason.len());
        squeeze(reason, &mut plain);
        let fits = |row: &&Row| {
            (row.code.is_empty() || has_code(status, &row.code)) && is_match(&row.pieces, &plain)
        };
        self.rows.iter().find(fits).map(|row| row.cause)
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns true if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn refuse(text: String) -> Error {
    let names: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    Error::new(ErrorKind::Syntax, text).with_remedy(format!(
        "write CAUSE [CODE] PATTERN; the causes are {}",
        names.join(" ")
    ))
}

fn row(line: &[u8]) -> std::result::Result<Row, String> {
    let shown = |bytes: &[u8]| escape::printable(bytes, escape::MAX_SHOWN);
    let (name, rest) = first_word(line);
    let cause =
        Cause::of_name(name).ok_or_else(|| format!("\"{}\" is not a cause", shown(name)))?;
    let (word, after) = first_word(rest);
    let (code, pattern) = if is_code(word) {
        (word, after)
    } else {
        (&b""[..], rest)
    };
    if pattern.is_empty() {
        return Err("a pattern is missing; * matches every reason".into());
    }
    if pattern.len() > MAX_PATTERN {
        return Err(format!("the pattern has more than {MAX_PATTERN} bytes"));
    }
    let mut plain = Vec::new();
    squeeze(pattern, &mut plain);
    Ok(Row {
        cause,
        code: code.into(),
        pieces: plain.split(|byte| *byte == b'*').map(Into::into).collect(),
    })
}

fn first_word(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end).unwrap_or((text, b""));
    (word, rest.trim_ascii())
}

/// Recognises `4`, `4.7`, `4.7.1` and the same with 5.
fn is_code(word: &[u8]) -> bool {
    let parts = word.split(|byte| *byte == b'.');
    matches!(word.first(), Some(b'4' | b'5'))
        && matches!(word.get(1), None | Some(b'.'))
        && parts.clone().count() <= 3
        && parts
            .skip(1)
            .all(|part| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit))
}

/// Writes `text` in lower case, with one blank for each run of blanks.
fn squeeze(text: &[u8], out: &mut Vec<u8>) {
    for byte in text {
        if byte.is_ascii_whitespace() {
            if out.last() != Some(&b' ') {
                out.push(b' ');
            }
        } else {
            out.push(byte.to_ascii_lowercase());
        }
    }
}

/// Matches from left to right. Each piece is searched once, after the one before it.
fn is_match(pieces: &[Box<[u8]>], text: &[u8]) -> bool {
    let [first, middle @ .., last] = pieces else {
        return matches!(pieces, [only] if **only == *text);
    };
    let Some(mut rest) = text.strip_prefix(&**first) else {
        return false;
    };
    for piece in middle {
        let Some(found) = memchr::memmem::find(rest, piece) else {
            return false;
        };
        rest = rest.get(found + piece.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(table: &str, status: &str, reason: &str) -> Option<Cause> {
        let table = UserTable::parse(table.as_bytes()).unwrap();
        table.cause(status.as_bytes(), reason.as_bytes())
    }

    #[test]
    fn the_first_line_that_fits_decides() {
        let table = "# ours\n\nbusy 4.7.1 *try*later*\nblocked *try*\r\nother 4 *\n";
        let rows = [
            ("4.7.1", "Please TRY   again  later.", Some(Cause::Busy)),
            ("4.7.10", "please try later", Some(Cause::Blocked)),
            ("4.2.0", "no", Some(Cause::Other)),
            ("5.2.0", "no", None),
        ];
        for (status, reason, wanted) in rows {
            assert_eq!(cause(table, status, reason), wanted, "{reason}");
        }
    }

    #[test]
    fn stars_match_any_text_and_the_rest_itself() {
        let rows = [
            ("busy a", "a", true),
            ("busy a", "ab", false),
            ("busy a*", "ab", true),
            ("busy *b", "ab", true),
            ("busy *", "", true),
            ("busy a*b*c", "a1b2c", true),
            ("busy a*b*c", "a1c2b", false),
            ("busy ab*ba", "aba", false),
            ("busy a**b", "ab", true),
            ("busy 4.x", "4.x", true),
            ("busy two  words", "Two Words", true),
        ];
        for (table, reason, wanted) in rows {
            let found = cause(table, "4.0.0", reason);
            assert_eq!(found.is_some(), wanted, "{table} on {reason}");
        }
    }

    #[test]
    fn what_is_refused_is_named_with_its_line() {
        let rows = [
            ("slow *", "line 1: \"slow\" is not a cause"),
            (
                "\n# x\nbusy\n",
                "line 3: a pattern is missing; * matches every reason",
            ),
            (
                "busy 4.7\n",
                "line 1: a pattern is missing; * matches every reason",
            ),
        ];
        for (table, wanted) in rows {
            let error = UserTable::parse(table.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let long = format!("busy {}", "x".repeat(MAX_PATTERN + 1));
        assert!(UserTable::parse(long.as_bytes()).is_err());
        assert!(UserTable::parse(&b"busy *\n".repeat(MAX_ROWS + 1)).is_err());
        assert!(UserTable::parse(&vec![b'\n'; MAX_BYTES + 1]).is_err());
    }
}
