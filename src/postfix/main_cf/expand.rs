//! Expands `$name` and its variants as mac_parse.c and mac_expand.c do (3.7 to 3.12).
//!
//! It expands a raw value in one pass: the raw value of a name is parsed where the name occurs, so `$$`
//! becomes `$` once and is not parsed again. Tests (`${n?..}`) use the raw value. [`MAX_NESTING`],
//! [`MAX_EXPANDED`] and [`MAX_WORK`] limit depth, output and work; Postfix limits only the depth, and crashes
//! on a loop through a comparison.

use std::cmp::Ordering;

use super::value::{self, is_space};
use super::{MAX_EXPANDED, MAX_NESTING, MAX_WORK, MainCf, SHOWN};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;

/// The value of a true comparison (MAC_EXP_BVAL_TRUE).
const TRUE: &[u8] = b"true";
/// The bytes that Postfix collects for an operator before it checks whether the operator exists.
const OPERATOR_BYTES: &[u8] = b"<>!=?+-*/~&|%";

/// Returns `raw`, fully expanded.
pub(super) fn expand(main_cf: &MainCf, raw: &[u8]) -> Result<Vec<u8>> {
    let mut walk = Walk {
        main_cf,
        output: Vec::new(),
        work: 0,
    };
    walk.text(raw, 0)?;
    Ok(walk.output)
}

struct Walk<'a> {
    main_cf: &'a MainCf,
    output: Vec<u8>,
    work: usize,
}

impl<'a> Walk<'a> {
    /// mac_parse(): literal text, `$$`, `$name`, `${..}` and `$(..)`.
    fn text(&mut self, text: &[u8], level: usize) -> Result<()> {
        if level > MAX_NESTING && !text.is_empty() {
            return Err(syntax(
                format!("names are nested deeper than {MAX_NESTING} (one refers to itself?) at"),
                text,
            ));
        }
        self.spend(text)?;
        let mut rest = text;
        while let Some(dollar) = memchr::memchr(b'$', rest) {
            let (literal, tail) = rest.split_at(dollar);
            self.literal(literal)?;
            let after = tail.get(1..).unwrap_or_default();
            rest = match after.first() {
                Some(b'$') => {
                    self.literal(b"$")?;
                    after.get(1..).unwrap_or_default()
                }
                Some(open @ (b'{' | b'(')) => {
                    let close = if *open == b'{' { b'}' } else { b')' };
                    let Some((inside, tail)) = balanced(after, *open, close) else {
                        return Err(syntax("unfinished name in", text));
                    };
                    self.expression(inside, text, level)?;
                    tail
                }
                _ => {
                    let end = after.iter().take_while(|byte| is_name(**byte)).count();
                    let (name, tail) = after.split_at(end);
                    self.expression(name, text, level)?;
                    tail
                }
            };
        }
        self.literal(rest)
    }

    /// Expands the text between braces: a name or a comparison, then an optional `?` or `:`.
    fn expression(&mut self, inside: &[u8], text: &[u8], level: usize) -> Result<()> {
        if inside.is_empty() {
            return Err(syntax("expected a name after $ in", text));
        }
        self.spend(inside)?;
        let start = skip_space(inside);
        let (value, rest) = if start.first() == Some(&b'{') {
            let (truth, rest) = self.comparison(start, level)?;
            (Some(if truth { TRUE } else { b"" }), rest)
        } else {
            let (name, rest) = split_name(start)?;
            (self.lookup(name)?, rest)
        };
        let set = value.is_some_and(|value| !value.is_empty());
        match rest.split_first() {
            None => self.text(value.unwrap_or_default(), level + 1),
            Some((b'?', rest)) => {
                let (then, rest) = operand(rest)?;
                if set {
                    self.text(then, level + 1)?;
                }
                match rest.split_first() {
                    None => Ok(()),
                    Some((b':', rest)) => self.otherwise(rest, set, level),
                    Some(_) => Err(syntax("expected : at", rest)),
                }
            }
            Some((b':', rest)) => self.otherwise(rest, set, level),
            Some(_) => Err(syntax("expected ? or : at", rest)),
        }
    }

    /// Expands the text after `:`, which ends the expression.
    fn otherwise(&mut self, rest: &[u8], set: bool, level: usize) -> Result<()> {
        let (text, rest) = operand(rest)?;
        if !rest.is_empty() {
            return Err(syntax("expected the end of the expression at", rest));
        }
        if set {
            return Ok(());
        }
        self.text(text, level + 1)
    }

    /// Evaluates `{left} OPERATOR {right}`. Returns the result and the rest of the text.
    fn comparison<'t>(&mut self, text: &'t [u8], level: usize) -> Result<(bool, &'t [u8])> {
        let (left, rest) = payload(text)?;
        let end = rest
            .iter()
            .take_while(|byte| OPERATOR_BYTES.contains(byte))
            .count();
        let (operator, after) = rest.split_at(end);
        let holds: fn(Ordering) -> bool = match operator {
            b"==" => Ordering::is_eq,
            b"!=" => Ordering::is_ne,
            b"<" => Ordering::is_lt,
            b"<=" => Ordering::is_le,
            b">=" => Ordering::is_ge,
            b">" => Ordering::is_gt,
            _ => return Err(syntax("expected == != < <= >= or > at", rest)),
        };
        let end = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count();
        let (suffix, after) = after.split_at(end);
        let compare: fn(&[u8], &[u8]) -> Result<Ordering> = match suffix {
            b"" => compare_text,
            b"level" => compare_levels,
            _ => return Err(syntax("unknown operator", rest)),
        };
        let after = skip_space(after);
        if after.first() != Some(&b'{') {
            return Err(syntax("expected {text} at", after));
        }
        let (right, rest) = payload(after)?;
        let left = self.apart(left, level)?;
        let right = self.apart(right, level)?;
        Ok((holds(compare(&left, &right)?), rest))
    }

    /// Expands `text` into a string of its own, within the same limits.
    fn apart(&mut self, text: &[u8], level: usize) -> Result<Vec<u8>> {
        let output = std::mem::take(&mut self.output);
        let result = self.text(text, level + 1);
        let apart = std::mem::replace(&mut self.output, output);
        result.map(|()| apart)
    }

    fn lookup(&self, name: &[u8]) -> Result<Option<&'a [u8]>> {
        // Names are ASCII here: split_name() refuses all others.
        self.main_cf
            .lookup(std::str::from_utf8(name).unwrap_or_default())
    }

    fn literal(&mut self, text: &[u8]) -> Result<()> {
        if self.output.len().saturating_add(text.len()) > MAX_EXPANDED {
            return Err(syntax(
                format!("the value grows beyond {MAX_EXPANDED} bytes at"),
                text,
            ));
        }
        self.output.extend_from_slice(text);
        Ok(())
    }

    /// Counts the work of reading `text`. The added one limits empty texts.
    fn spend(&mut self, text: &[u8]) -> Result<()> {
        self.work = self.work.saturating_add(text.len()).saturating_add(1);
        if self.work > MAX_WORK {
            return Err(syntax("too many names in names at", text));
        }
        Ok(())
    }
}

/// Returns the name before `?`, `:` or the end, and the text from that operator on. Blanks may surround it.
fn split_name(text: &[u8]) -> Result<(&[u8], &[u8])> {
    let end = text.iter().take_while(|byte| is_name(**byte)).count();
    let (name, rest) = text.split_at(end);
    let rest = skip_space(rest);
    match rest.first() {
        None | Some(b'?' | b':') => Ok((name, rest)),
        // Named functions exist since 3.11, and differ between versions.
        Some(b'{') => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "cannot expand the function ${{{}{{..}}}}",
                escape::configured(name, SHOWN)
            ),
        )
        .with_remedy("write its result there")),
        Some(_) => Err(syntax("expected a name, ? or : at", text)),
    }
}

/// Returns the text after `?` or `:`: the text in braces, or else all of it, with its blanks.
fn operand(text: &[u8]) -> Result<(&[u8], &[u8])> {
    let start = skip_space(text);
    if start.first() == Some(&b'{') {
        payload(start)
    } else {
        Ok((text, b""))
    }
}

/// Returns the text in the braces at the start of `text`, and the rest without leading blanks.
fn payload(text: &[u8]) -> Result<(&[u8], &[u8])> {
    match balanced(text, b'{', b'}') {
        Some((inside, rest)) => Ok((inside, skip_space(rest))),
        None => Err(syntax("missing } in", text)),
    }
}

/// Splits `text`, which starts with `open`, at the matching `close`. Other brackets do not count.
fn balanced(text: &[u8], open: u8, close: u8) -> Option<(&[u8], &[u8])> {
    let mut level = 0usize;
    for (at, byte) in text.iter().enumerate() {
        if *byte == open {
            level += 1;
        } else if *byte == close {
            level = level.checked_sub(1)?;
            if level == 0 {
                return Some((text.get(1..at)?, text.get(at + 1..)?));
            }
        }
    }
    None
}

fn skip_space(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| is_space(**byte)).count();
    text.split_at(blanks).1
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Compares as numbers if both are all digits, else byte by byte.
fn compare_text(left: &[u8], right: &[u8]) -> Result<Ordering> {
    let all_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if !(all_digits(left) && all_digits(right)) {
        return Ok(left.cmp(right));
    }
    let number = |text| value::integer(text).ok_or_else(|| syntax("number out of range", text));
    Ok(number(left)?.cmp(&number(right)?))
}

/// Compares by compatibility level, `major[.minor[.patch]]` (compat_level.c, 3.6 and later).
fn compare_levels(left: &[u8], right: &[u8]) -> Result<Ordering> {
    Ok(level(left)?.cmp(&level(right)?))
}

fn level(text: &[u8]) -> Result<[i64; 3]> {
    // compat_level.c packs the three into one long: 10 bits each for minor and patch.
    const LIMITS: [i64; 3] = [i64::MAX >> 20, 0x3ff, 0x3ff];
    let refused = || syntax("expected a compatibility level, found", text);
    let mut parts = [0; 3];
    let mut rest = text;
    for (part, limit) in parts.iter_mut().zip(LIMITS) {
        let (number, tail) = value::leading_number(rest).ok_or_else(refused)?;
        if !(0..=limit).contains(&number) {
            return Err(refused());
        }
        *part = number;
        match tail.split_first() {
            None => return Ok(parts),
            Some((b'.', tail)) => rest = tail,
            Some(_) => return Err(refused()),
        }
    }
    Err(refused())
}

fn syntax(what: impl std::fmt::Display, text: &[u8]) -> Error {
    let shown = escape::configured(text, SHOWN);
    Error::new(ErrorKind::Syntax, format!("{what} \"{shown}\""))
}
