//! Enhanced status codes (RFC 3463), such as `4.4.1`.

/// Returns true if `code` is an enhanced status code (RFC 3463), such as `4.4.1`.
pub fn is_status_code(code: &[u8]) -> bool {
    let mut parts = code.split(|byte| *byte == b'.');
    let class = parts.next().unwrap_or_default();
    let digits = |part: &[u8]| (1..=3).contains(&part.len()) && part.iter().all(u8::is_ascii_digit);
    matches!(class, b"2" | b"4" | b"5")
        && parts.next().is_some_and(digits)
        && parts.next().is_some_and(digits)
        && parts.next().is_none()
}

/// Returns true if an enhanced status code is `code` or begins with it, part by part: `4.7.1` belongs to
/// `4.7`, `4.70.1` does not.
pub fn has_code(status: &[u8], code: &[u8]) -> bool {
    status
        .strip_prefix(code)
        .is_some_and(|rest| rest.first().is_none_or(|next| *next == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_differ_from_other_numbers() {
        for (code, is) in [
            ("4.4.1", true),
            ("5.7.999", true),
            ("3.4.1", false),
            ("4.4", false),
            ("4.4.1.1", false),
            ("4.4444.1", false),
            ("", false),
        ] {
            assert_eq!(is_status_code(code.as_bytes()), is, "{code}");
        }
    }

    #[test]
    fn codes_are_matched_part_by_part() {
        for (status, code, is) in [
            ("4.7.1", "4", true),
            ("4.7.1", "4.7", true),
            ("4.7.1", "4.7.1", true),
            ("4.7.1", "4.7.10", false),
            ("4.70.1", "4.7", false),
            ("4.7.1", "5", false),
        ] {
            assert_eq!(
                has_code(status.as_bytes(), code.as_bytes()),
                is,
                "{status} {code}"
            );
        }
    }
}
