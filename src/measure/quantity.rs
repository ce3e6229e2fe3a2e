//! Units, and numbers with unit suffixes as in rules.

use crate::clock::Age;

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A plain number.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Percent.
    Percent,
    /// A number per minute.
    PerMinute,
}

impl Unit {
    /// The unit of measurement in performance data (Monitoring Plugins guidelines).
    pub const fn uom(self) -> &'static str {
        match self {
            Unit::Count | Unit::PerMinute => "",
            Unit::Bytes => "B",
            Unit::Seconds => "s",
            Unit::Percent => "%",
        }
    }

    /// `value` in text for people: `6h 2m`, `5200`, `97%`, `1.5 GiB`.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::Seconds => Age(value as i64).to_string(),
            Unit::Percent => format!("{}%", plain(value)),
            Unit::Count => plain(value),
            Unit::PerMinute => format!("{}/min", plain(value)),
            Unit::Bytes => {
                let mut scaled = value;
                let mut unit = "B";
                for next in ["KiB", "MiB", "GiB", "TiB"] {
                    if scaled < 1024.0 {
                        break;
                    }
                    scaled /= 1024.0;
                    unit = next;
                }
                format!("{} {unit}", plain((scaled * 10.0).round() / 10.0))
            }
        }
    }
}

/// A syntax error: the offset of the byte, and the expected text.
pub(crate) type SyntaxError = (usize, String);

/// Suffixes of an age, in seconds.
const AGES: [(&str, f64); 5] = [
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86_400.0),
    ("w", 604_800.0),
];
/// Suffixes of a size, in bytes. k, M and G are binary, as mail administrators use them (contract.md,
/// "Rules"); main.cf has no suffixes for sizes.
const SIZES: [(&str, f64); 9] = [
    ("k", 1024.0),
    ("M", 1_048_576.0),
    ("G", 1_073_741_824.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
];
const PERCENT: [(&str, f64); 1] = [("%", 1.0)];
/// The maximum number of digits: a double represents larger whole numbers inexactly.
const MAX_DIGITS: usize = 15;

fn suffixes(unit: Unit) -> &'static [(&'static str, f64)] {
    match unit {
        Unit::Count | Unit::PerMinute => &[],
        Unit::Bytes => &SIZES,
        Unit::Seconds => &AGES,
        Unit::Percent => &PERCENT,
    }
}

/// Parses a decimal number with optional sign, fraction and suffix of `unit`; returns it in the base
/// unit (seconds, bytes, percent).
///
/// # Errors
/// The offset of the first wrong byte, and the expected text.
pub fn parse(text: &str, unit: Unit) -> Result<f64, SyntaxError> {
    let (sign, digits_at) = match text.strip_prefix('-') {
        Some(_) => (-1.0, 1),
        None => (1.0, 0),
    };
    let rest = &text[digits_at..];
    let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
    if whole == 0 {
        return Err((digits_at, not_a_number(&text[digits_at..])));
    }
    let mut end = digits_at + whole;
    if text[end..].starts_with('.') {
        let fraction = text[end + 1..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        if fraction == 0 {
            return Err((end + 1, "expected a digit after the point".to_owned()));
        }
        end += 1 + fraction;
    }
    if end - digits_at > MAX_DIGITS {
        return Err((
            digits_at,
            format!("a number of more than {MAX_DIGITS} digits"),
        ));
    }
    let number: f64 = text[digits_at..end]
        .parse()
        .map_err(|_| (digits_at, not_a_number(&text[digits_at..])))?;
    let suffix = &text[end..];
    let factor = if suffix.is_empty() {
        1.0
    } else {
        match suffixes(unit).iter().find(|(name, _)| *name == suffix) {
            Some((_, factor)) => *factor,
            None => return Err((end, wrong_suffix(suffix, unit))),
        }
    };
    Ok(sign * number * factor)
}

fn not_a_number(rest: &str) -> String {
    match rest.chars().next() {
        None => "expected a number".to_owned(),
        Some(character) => format!(
            "expected a number, not \"{}\"",
            crate::escape::shown(character.to_string().as_bytes(), 8)
        ),
    }
}

fn wrong_suffix(suffix: &str, unit: Unit) -> String {
    if suffix.starts_with(['e', 'E']) {
        return "exponents are not read; write the number out".to_owned();
    }
    if suffix.starts_with([' ', '\t']) {
        return "blanks do not belong in a range".to_owned();
    }
    let shown = crate::escape::shown(suffix.as_bytes(), 16);
    let names: Vec<&str> = suffixes(unit).iter().map(|(name, _)| *name).collect();
    match unit {
        Unit::Count | Unit::PerMinute => {
            format!("\"{shown}\": this measure is a plain number, without a unit")
        }
        Unit::Bytes => format!("\"{shown}\" is not a unit of bytes: {}", names.join(" ")),
        Unit::Seconds => format!("\"{shown}\" is not a unit of age: {}", names.join(" ")),
        Unit::Percent => format!("\"{shown}\" is not a unit of a share: %"),
    }
}

/// `value` in plain digits: no exponent, no trailing fraction of zeros, the same in every locale.
pub fn plain(value: f64) -> String {
    // Display of f64 never writes an exponent, and writes the shortest digits that parse back.
    if value == 0.0 {
        "0".to_owned()
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_carry_the_suffix_of_their_unit() {
        for (text, unit, value) in [
            ("0", Unit::Count, 0.0),
            ("10", Unit::Count, 10.0),
            ("-1.5", Unit::Count, -1.5),
            ("007", Unit::Count, 7.0),
            ("90", Unit::Seconds, 90.0),
            ("90s", Unit::Seconds, 90.0),
            ("15m", Unit::Seconds, 900.0),
            ("1.5h", Unit::Seconds, 5400.0),
            ("2d", Unit::Seconds, 172_800.0),
            ("1w", Unit::Seconds, 604_800.0),
            ("1k", Unit::Bytes, 1024.0),
            ("2KiB", Unit::Bytes, 2048.0),
            ("2kB", Unit::Bytes, 2000.0),
            ("1M", Unit::Bytes, 1_048_576.0),
            ("1MB", Unit::Bytes, 1e6),
            ("1GiB", Unit::Bytes, 1_073_741_824.0),
            ("80%", Unit::Percent, 80.0),
            ("80", Unit::Percent, 80.0),
        ] {
            assert_eq!(parse(text, unit), Ok(value), "{text}");
        }
    }

    #[test]
    fn an_invalid_number_is_refused_at_the_wrong_character() {
        for (text, unit, at, part) in [
            ("", Unit::Count, 0, "expected a number"),
            ("-", Unit::Count, 1, "expected a number"),
            ("abc", Unit::Count, 0, "expected a number, not \"a\""),
            ("+1", Unit::Count, 0, "not \"+\""),
            (".5", Unit::Count, 0, "not \".\""),
            ("1.", Unit::Count, 2, "after the point"),
            ("1e3", Unit::Count, 1, "exponents"),
            ("1 ", Unit::Count, 1, "blanks"),
            (" 1", Unit::Count, 0, "a number"),
            ("1h", Unit::Count, 1, "plain number"),
            ("1h", Unit::Bytes, 1, "not a unit of bytes: k M G"),
            ("1M", Unit::Seconds, 1, "not a unit of age: s m h d w"),
            ("1h30m", Unit::Seconds, 1, "not a unit of age"),
            ("1%", Unit::Seconds, 1, "not a unit of age"),
            ("1kb", Unit::Bytes, 1, "not a unit of bytes"),
            ("9999999999999999", Unit::Count, 0, "more than 15 digits"),
            ("inf", Unit::Count, 0, "a number"),
            ("\u{661}", Unit::Count, 0, "a number"),
        ] {
            let (offset, what) = parse(text, unit).expect_err(text);
            assert!(what.contains(part), "{text}: {what}");
            assert_eq!(offset, at, "{text}");
        }
    }

    proptest! {
        #[test]
        fn plain_numbers_read_back(number in -1_000_000_000i64..1_000_000_000, thousandths in 0u16..1000) {
            let value = number as f64 + f64::from(thousandths) / 1000.0;
            prop_assert_eq!(parse(&plain(value), Unit::Count), Ok(value));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,20}") {
            if let Err((offset, _)) = parse(&text, Unit::Bytes) {
                prop_assert!(offset <= text.len());
            }
        }
    }
}
