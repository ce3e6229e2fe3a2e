//! Converts values as Postfix does: numbers, times, yes and no. A value that Postfix's daemons refuse is
//! `None`, and the caller writes the error.

/// Parses as strtol(3) in base 10. Returns the number and the rest; `None` without a digit, or if the number
/// does not fit, which Postfix refuses everywhere.
pub(super) fn leading_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let start = bytes.iter().take_while(|byte| is_space(**byte)).count();
    let mut rest = bytes.get(start..)?;
    let negative = match rest.first()? {
        b'-' => true,
        b'+' => false,
        _ => return digits(rest, false),
    };
    rest = rest.get(1..)?;
    digits(rest, negative)
}

fn digits(bytes: &[u8], negative: bool) -> Option<(i64, &[u8])> {
    let end = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = bytes.split_at_checked(end)?;
    if number.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for byte in number {
        let digit = i64::from(byte - b'0');
        let digit = if negative { -digit } else { digit };
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some((value, rest))
}

/// Parses a whole value as mail_conf_int.c and mail_conf_long.c do.
pub(super) fn integer(bytes: &[u8]) -> Option<i64> {
    match leading_number(bytes)? {
        (value, []) => Some(value),
        _ => None,
    }
}

/// Parses a time as conv_time.c does: a number and a unit, `default_unit` if it has none. Returns seconds.
///
/// Two oddities are kept: text after the letter of the unit is ignored (`5days` is five days), and a unit
/// alone is zero (`h`). Negative times are refused.
pub(super) fn seconds(bytes: &[u8], default_unit: u8) -> Option<i64> {
    let first = *bytes.first()?;
    let (number, rest) = match leading_number(bytes) {
        Some(found) => found,
        None if first.is_ascii_alphabetic() => (0, bytes),
        None => return None,
    };
    let unit = match rest.first().copied().unwrap_or(default_unit) {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        b'w' => 604_800,
        _ => return None,
    };
    // The bound of conv_time.c. It is strict, except for seconds.
    let fits = if unit == 1 {
        number <= i64::from(i32::MAX)
    } else {
        number < i64::from(i32::MAX) / unit
    };
    (number >= 0 && fits).then(|| number * unit)
}

/// Parses as mail_conf_bool.c does: `yes` or `no` in any case.
pub(super) fn boolean(bytes: &[u8]) -> Option<bool> {
    if bytes.eq_ignore_ascii_case(b"yes") {
        Some(true)
    } else if bytes.eq_ignore_ascii_case(b"no") {
        Some(false)
    } else {
        None
    }
}

/// As isspace(3) in the C locale.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_read() {
        for (text, unit, value) in [
            ("300", b's', 300),
            ("300s", b'd', 300),
            ("5", b'd', 432_000),
            ("5m", b's', 300),
            ("4h", b's', 14_400),
            ("5d", b's', 432_000),
            ("2w", b's', 1_209_600),
            ("0", b'h', 0),
            ("+7", b's', 7),
            ("5days", b's', 432_000),
            ("h", b's', 0),
            ("2147483647", b's', 2_147_483_647),
            ("3549", b'w', 2_146_435_200),
        ] {
            assert_eq!(seconds(text.as_bytes(), unit), Some(value), "{text}");
        }
    }

    #[test]
    fn times_that_are_refused() {
        for text in [
            "",
            " ",
            "-1s",
            "x",
            "5x",
            "5 d",
            "5D",
            "-",
            "2147483648",
            "3550w",
            "24855d",
            "99999999999999999999",
        ] {
            assert_eq!(seconds(text.as_bytes(), b's'), None, "{text}");
        }
    }

    #[test]
    fn integers() {
        for (text, value) in [
            ("0", Some(0)),
            ("20000", Some(20_000)),
            ("-5", Some(-5)),
            ("+5", Some(5)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("5 ", None),
            ("5k", None),
            ("0x10", None),
            ("1e3", None),
        ] {
            assert_eq!(integer(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn yes_and_no() {
        for (text, value) in [
            ("yes", Some(true)),
            ("YES", Some(true)),
            ("no", Some(false)),
            ("No", Some(false)),
            ("", None),
            ("y", None),
            ("true", None),
            ("1", None),
            ("yes ", None),
        ] {
            assert_eq!(boolean(text.as_bytes()), value, "{text}");
        }
    }
}
