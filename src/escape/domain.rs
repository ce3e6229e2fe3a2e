//! Domains in ASCII: each label with other letters becomes its A-label (RFC 5891), so that a printed
//! domain can be used in a command, in DNS or in Postfix.
//!
//! Letters are folded to lower case first. A label without A-label (invalid UTF-8, or beyond DNS's 63
//! bytes) stays unchanged.

use std::borrow::Cow;

/// The prefix of an A-label.
const PREFIX: &[u8] = b"xn--";
/// The maximum length of a DNS label, in bytes.
const MAX_LABEL: usize = 63;

/// `domain` with A-labels instead of non-ASCII labels.
pub fn to_ascii(domain: &[u8]) -> Cow<'_, [u8]> {
    if domain.is_ascii() {
        return Cow::Borrowed(domain);
    }
    let mut ascii = Vec::with_capacity(domain.len() + 8);
    for (place, label) in domain.split(|byte| *byte == b'.').enumerate() {
        if place > 0 {
            ascii.push(b'.');
        }
        match a_label(label) {
            Some(a_label) => ascii.extend_from_slice(&a_label),
            None => ascii.extend_from_slice(label),
        }
    }
    Cow::Owned(ascii)
}

/// The spelling by which domains are compared: A-labels, and letters in lower case.
pub fn canonical(domain: &[u8]) -> Cow<'_, [u8]> {
    let ascii = to_ascii(domain);
    match ascii.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(ascii.to_ascii_lowercase()),
        false => ascii,
    }
}

/// Returns true if both are the same domain, each in any spelling.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    canonical(one) == canonical(other)
}

/// Returns true if both are the same address with a domain, which may have any spelling. The case of the local part does
/// not count.
pub(crate) fn is_same_address(one: &[u8], other: &[u8]) -> bool {
    let (one_local, one_domain) = split(one);
    let (other_local, other_domain) = split(other);
    !one_local.is_empty()
        && one_local.eq_ignore_ascii_case(other_local)
        && is_same(one_domain, other_domain)
}

/// `address` up to and with its last `@`, and its domain.
fn split(address: &[u8]) -> (&[u8], &[u8]) {
    address.split_at(memchr::memrchr(b'@', address).map_or(0, |at| at + 1))
}

/// An address or a domain with A-labels after the last `@`.
fn address_to_ascii(address: &[u8]) -> Vec<u8> {
    let (local, domain) = split(address);
    [local, &to_ascii(domain)].concat()
}

/// [`super::printable`] for a domain.
pub fn printable(domain: &[u8], max: usize) -> String {
    super::printable(&to_ascii(domain), max)
}

/// [`super::printable`] for an address or a domain; A-labels are used only after the last `@`.
pub fn printable_address(address: &[u8], max: usize) -> String {
    super::printable(&address_to_ascii(address), max)
}

/// [`super::shown`] for a domain, for the terminal of a person.
pub fn shown(domain: &[u8], max: usize) -> String {
    super::shown(&to_ascii(domain), max)
}

/// [`super::shown`] for an address or a domain; A-labels are used only after the last `@`.
pub fn shown_address(address: &[u8], max: usize) -> String {
    super::shown(&address_to_ascii(address), max)
}

/// The A-label of `label`; `None` if the label is ASCII or has no A-label.
fn a_label(label: &[u8]) -> Option<Vec<u8>> {
    // A longer label cannot have a valid A-label.
    if label.is_ascii() || label.len() > 4 * MAX_LABEL {
        return None;
    }
    let text = std::str::from_utf8(label).ok()?;
    if text.chars().any(super::obeyed) {
        return None;
    }
    let folded: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
    let mut out = PREFIX.to_vec();
    punycode(&folded, &mut out)?;
    (out.len() <= MAX_LABEL).then_some(out)
}

/// Appends the Punycode of `text` to `out` (RFC 3492, sections 5, 6.1 and 6.3). `None` on overflow.
fn punycode(text: &[char], out: &mut Vec<u8>) -> Option<()> {
    const BASE: u32 = 36;
    const T_MIN: u32 = 1;
    const T_MAX: u32 = 26;
    const SKEW: u32 = 38;
    const DAMP: u32 = 700;
    let basic = text.iter().filter(|letter| letter.is_ascii());
    let mut handled = 0_u32;
    for letter in basic {
        out.push(*letter as u8);
        handled += 1;
    }
    let basic = handled;
    if basic > 0 {
        out.push(b'-');
    }
    let (mut code, mut delta, mut bias) = (128_u32, 0_u32, 72_u32);
    while (handled as usize) < text.len() {
        let next = text.iter().map(|letter| *letter as u32);
        let next = next.filter(|letter| *letter >= code).min()?;
        delta = delta.checked_add((next - code).checked_mul(handled + 1)?)?;
        code = next;
        for letter in text.iter().map(|letter| *letter as u32) {
            if letter < code {
                delta = delta.checked_add(1)?;
            }
            if letter != code {
                continue;
            }
            let (mut rest, mut k) = (delta, BASE);
            loop {
                let threshold = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
                if rest < threshold {
                    break;
                }
                out.push(digit(threshold + (rest - threshold) % (BASE - threshold)));
                rest = (rest - threshold) / (BASE - threshold);
                k += BASE;
            }
            out.push(digit(rest));
            delta /= if handled == basic { DAMP } else { 2 };
            delta += delta / (handled + 1);
            k = 0;
            while delta > (BASE - T_MIN) * T_MAX / 2 {
                delta /= BASE - T_MIN;
                k += BASE;
            }
            bias = k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
            delta = 0;
            handled += 1;
        }
        delta = delta.checked_add(1)?;
        code += 1;
    }
    Some(())
}

/// The digit with this value, below 36.
fn digit(value: u32) -> u8 {
    let value = value as u8;
    if value < 26 {
        b'a' + value
    } else {
        b'0' + value - 26
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples from RFC 3492, section 7.1, and labels in use.
    #[test]
    fn labels_become_a_labels() {
        for (domain, ascii) in [
            ("plain.Example", "plain.Example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("B\u{dc}CHER.Example", "xn--bcher-kva.Example"),
            (
                "\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}.example",
                "xn--e1afmkfd.example",
            ),
            (
                "\u{4f8b}\u{5b50}.\u{5e7f}\u{544a}",
                "xn--fsqu00a.xn--4rr70v",
            ),
            (
                "\u{4ed6}\u{4eec}\u{4e3a}\u{4ec0}\u{4e48}\u{4e0d}\u{8bf4}\u{4e2d}\u{6587}",
                "xn--ihqwcrb4cv8a8dqg056pqjye",
            ),
            (
                "3\u{5e74}b\u{7d44}\u{91d1}\u{516b}\u{5148}\u{751f}",
                "xn--3b-ww4c5e180e575a65lsy2b",
            ),
            ("\u{1f600}.example", "xn--e28h.example"),
        ] {
            assert_eq!(String::from_utf8_lossy(&to_ascii(domain.as_bytes())), ascii);
        }
    }

    #[test]
    fn spellings_of_one_domain_are_the_same() {
        for (one, other, same) in [
            ("b\u{fc}cher.example", "XN--BCHER-KVA.example", true),
            ("B\u{dc}CHER.Example", "b\u{fc}cher.example", true),
            ("A.example", "a.example", true),
            ("xn--bcher-kva.example", "b\u{fc}cher.example", true),
            ("b\u{fc}cher.example", "bucher.example", false),
            ("\u{fc}\u{202e}.example", "\u{fc}\u{202e}.EXAMPLE", true),
        ] {
            let (one, other) = (one.as_bytes(), other.as_bytes());
            assert_eq!(is_same(one, other), same, "{}", one.escape_ascii());
            assert_eq!(canonical(one) == canonical(other), same);
        }
    }

    #[test]
    fn what_has_no_a_label_stays() {
        let long = "\u{fc}".repeat(64);
        for domain in [
            &b"b\xfccher.example"[..],
            long.as_bytes(),
            "a\u{202e}b.x".as_bytes(),
        ] {
            assert_eq!(to_ascii(domain), domain);
        }
        assert_eq!(printable(b"b\xfccher.example", 64), "b?cher.example");
        let address = "j\u{f6}@b\u{fc}cher.example".as_bytes();
        assert_eq!(printable_address(address, 64), "j??@xn--bcher-kva.example");
    }
}
