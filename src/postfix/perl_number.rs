//! Reads and prints numbers as Perl does: qshape is a Perl script.
#![deny(clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::indexing_slicing))]

/// Parses the number at the start of `text`: white space, a sign, digits, a fraction, an exponent; `inf` and
/// `nan`. Returns 0 without a number.
pub fn perl_number(text: &[u8]) -> f64 {
    // The common case, such as a time: a few digits, which a double holds exactly.
    if let 1..=15 = text.len() {
        let digits = text.iter().try_fold(0_u64, |number, byte| match byte {
            b'0'..=b'9' => Some(number * 10 + u64::from(byte - b'0')),
            _ => None,
        });
        if let Some(number) = digits {
            return number as f64;
        }
    }
    let blanks = text
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b)
        .count();
    let rest = text.get(blanks..).unwrap_or_default();
    let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
    let body = rest.get(sign..).unwrap_or_default();
    let name = |name: &[u8]| {
        body.get(..name.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(name))
    };
    let value = if name(b"inf") {
        f64::INFINITY
    } else if name(b"nan") {
        f64::NAN
    } else {
        decimal(body)
    };
    if rest.first() == Some(&b'-') {
        -value
    } else {
        value
    }
}

/// Returns true if all of `text` is such a number. Perl warns otherwise.
pub fn is_perl_number(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| {
        let text = text.trim();
        !text.is_empty() && text.parse::<f64>().is_ok()
    })
}

fn decimal(body: &[u8]) -> f64 {
    let digits = |from: usize| {
        body.get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let whole = digits(0);
    let mut end = whole;
    if body.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if whole + fraction == 0 {
            return 0.0;
        }
        end += 1 + fraction;
    }
    if end == 0 {
        return 0.0;
    }
    if matches!(body.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(body.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let text = body.get(..end).unwrap_or_default();
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0)
}

/// A sum as Perl adds: whole while both sides are whole and the sum fits 64 bits. A double below 2^53 counts
/// as whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sum {
    /// A whole number.
    Whole(u64),
    /// A double.
    Double(f64),
}

impl Sum {
    /// Converts `value` to one side of an addition.
    // Only a whole number within the range of u64 is cast.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn of(value: f64) -> Self {
        if value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value) {
            Sum::Whole(value as u64)
        } else {
            Sum::Double(value)
        }
    }

    /// Converts `value`, which was parsed from text, to one side of an addition: whole up to 64 bits.
    // Only a whole number within the range of u64 is cast.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(crate) fn of_text(value: f64) -> Self {
        if value.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&value) {
            Sum::Whole(value as u64)
        } else {
            Sum::Double(value)
        }
    }

    fn double(self) -> f64 {
        match self {
            Sum::Whole(value) => value as f64,
            Sum::Double(value) => value,
        }
    }

    /// Returns the sum of both.
    #[must_use]
    pub(crate) fn plus(self, other: Sum) -> Sum {
        let side = |sum: Sum| match sum {
            Sum::Double(value) => Sum::of(value),
            whole @ Sum::Whole(_) => whole,
        };
        if let (Sum::Whole(a), Sum::Whole(b)) = (side(self), side(other)) {
            if let Some(sum) = a.checked_add(b) {
                return Sum::Whole(sum);
            }
        }
        Sum::Double(self.double() + other.double())
    }
}

/// Prints the number as Perl does.
impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sum::Whole(value) => write!(f, "{value}"),
            Sum::Double(value) => f.write_str(&perl_text(*value)),
        }
    }
}

/// Prints a double as Perl does, with 15 digits.
pub fn perl_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-Inf" } else { "Inf" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    // As %.15g: 15 significant digits, no trailing zeros, an exponent where it is shorter.
    let scientific = format!("{value:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..15).contains(&exponent) {
        let places = usize::try_from(14 - exponent).unwrap_or(0);
        trimmed(&format!("{value:.places$}"))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What perl 5.36 prints for `0 + TEXT`.
    #[test]
    fn numbers_are_perls() {
        for (text, printed) in [
            ("5", "5"),
            (" 12 3", "12"),
            ("\x0b-3x", "-3"),
            ("abc", "0"),
            ("", "0"),
            ("1e3x", "1000"),
            ("1e", "1"),
            ("0x10", "0"),
            (".5", "0.5"),
            ("5.", "5"),
            (".", "0"),
            ("+0.25", "0.25"),
            ("0.3", "0.3"),
            ("1e-5", "1e-05"),
            ("0.0001", "0.0001"),
            ("3602879701896397", "3.6028797018964e+15"),
            ("1.5e300", "1.5e+300"),
            ("inf", "Inf"),
            ("-Infinity", "-Inf"),
            ("nan", "NaN"),
            ("3.14159265358979312", "3.14159265358979"),
        ] {
            assert_eq!(perl_text(perl_number(text.as_bytes())), printed, "{text:?}");
        }
        let mut sum = Sum::of(0.1);
        let mut printed = Vec::new();
        for _ in 0..69 {
            sum = sum.plus(sum);
            printed.push(sum.to_string());
        }
        // What perl 5.36 prints: a double that is a sum of halves, then whole numbers, then doubles again.
        assert_eq!(printed[54], "3.6028797018964e+15");
        assert_eq!(printed[55], "7205759403792794");
        assert_eq!(printed[66], "14757395258967642112");
        assert_eq!(printed[67], "2.95147905179353e+19");
        assert!(is_perl_number(b"1e3") && !is_perl_number(b"3x") && !is_perl_number(b""));
    }
}
