//! Addresses as queue files hold them: raw bytes, unquoted, in the case in which they arrived.
//!
//! It extracts the destination domain exactly as qshape(1) does, so that our figures agree with its table
//! (postfix.md, "How qshape counts"). Renderings quote addresses for display.
#![deny(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

use crate::escape;

/// The domain that qshape and the delivery reports show for the empty address.
pub const MAILER_DAEMON: &[u8] = b"MAILER-DAEMON";

/// Writes `address` to `folded`, in lower case as qshape folds it: ASCII letters only. The empty address
/// becomes [`MAILER_DAEMON`].
///
/// `folded` is cleared first, so that a scan needs one buffer for all addresses.
pub fn fold(address: &[u8], folded: &mut Vec<u8>) {
    folded.clear();
    if address.is_empty() {
        folded.extend_from_slice(MAILER_DAEMON);
    } else {
        folded.extend(address.iter().map(u8::to_ascii_lowercase));
    }
}

/// Writes the destination domain of `address` to `domain`, by the rules of qshape. The address is folded,
/// then
///
/// 1. everything up to the last `@` of the first line with an `@` is dropped;
/// 2. each `..` becomes `.`, once;
/// 3. one leading and one trailing dot are dropped, but not a lone dot. A final newline does not hide the
///    trailing dot, and only the last line is looked at.
///
/// `domain` is cleared first.
pub fn destination_domain(address: &[u8], domain: &mut Vec<u8>) {
    if memchr::memchr(b'\n', address).is_none() {
        match memchr::memrchr(b'@', address).and_then(|at| address.get(at.saturating_add(1)..)) {
            Some(b"") => domain.clear(),
            Some(after) => fold(after, domain),
            None => fold(address, domain),
        }
    } else {
        fold(address, domain);
        drop_local_part_of_lines(domain);
    }
    let dots = |pair: (&u8, &u8)| *pair.0 == b'.' && *pair.1 == b'.';
    if domain.iter().zip(domain.iter().skip(1)).any(dots) {
        merge_double_dots(domain);
    }
    drop_outer_dots(domain);
}

/// Writes the destination domain of `address` to `domain` as DNS spells it: as [`destination_domain`], with
/// A-labels. qshape takes each spelling for a domain of its own.
pub fn destination(address: &[u8], domain: &mut Vec<u8>) {
    destination_domain(address, domain);
    if !domain.is_ascii() {
        let canonical = escape::domain::canonical(domain).into_owned();
        *domain = canonical;
    }
}

/// Step 1 for an address with newlines, which Perl's `.` does not cross.
fn drop_local_part_of_lines(domain: &mut Vec<u8>) {
    let Some(first_at) = memchr::memchr(b'@', domain) else {
        return;
    };
    let start = domain
        .get(..first_at)
        .and_then(|before| memchr::memrchr(b'\n', before))
        .map_or(0, |newline| newline.saturating_add(1));
    let line_end = domain
        .get(first_at..)
        .and_then(|rest| memchr::memchr(b'\n', rest))
        .map_or(domain.len(), |length| first_at.saturating_add(length));
    let last_at = domain
        .get(..line_end)
        .and_then(|line| memchr::memrchr(b'@', line))
        .unwrap_or(first_at);
    domain.drain(start..=last_at);
}

/// Step 2: `...` becomes `..`, as in a substitution that does not rescan its result.
fn merge_double_dots(domain: &mut Vec<u8>) {
    let mut kept_dot = false;
    domain.retain(|&byte| {
        let drop = byte == b'.' && kept_dot;
        kept_dot = byte == b'.' && !drop;
        !drop
    });
}

/// Step 3.
fn drop_outer_dots(domain: &mut Vec<u8>) {
    let end = match domain.last() {
        Some(b'\n') => domain.len().saturating_sub(1),
        _ => domain.len(),
    };
    let line = domain.get(..end).unwrap_or_default();
    let start = memchr::memrchr(b'\n', line).map_or(0, |newline| newline.saturating_add(1));
    let mut last_line = line.get(start..).unwrap_or_default();
    let leading = matches!(last_line, [b'.', _, ..]);
    if leading {
        last_line = last_line.get(1..).unwrap_or_default();
    }
    if matches!(last_line, [_, .., b'.']) {
        domain.remove(end.saturating_sub(1));
    }
    if leading {
        domain.remove(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domain_of(address: &[u8]) -> Vec<u8> {
        let mut domain = b"left over".to_vec();
        destination_domain(address, &mut domain);
        domain
    }

    /// Rows from the real qshape's table for `corpus/odd` A00022ODDRCPT, and from its source.
    #[test]
    fn one_destination_has_one_spelling() {
        let mut domain = Vec::new();
        for address in [
            "a@b\u{fc}cher.example",
            "a@B\u{dc}CHER.Example.",
            "a@xn--bcher-kva.example",
            "a@XN--BCHER-KVA.example",
        ] {
            destination(address.as_bytes(), &mut domain);
            assert_eq!(domain, b"xn--bcher-kva.example", "{address}");
        }
        destination(b"a@b\xfccher.example", &mut domain);
        assert_eq!(domain, b"b\xfccher.example", "no UTF-8");
    }

    #[test]
    fn domains_are_qshapes() {
        for (address, domain) in [
            (&b"User@Example.COM"[..], &b"example.com"[..]),
            (b"", b"MAILER-DAEMON"),
            (b"MAILER-DAEMON", b"mailer-daemon"),
            (b"localonly", b"localonly"),
            (b"user@", b""),
            (b"a@b@x.y", b"x.y"),
            (b"u@[1.2.3.4]", b"[1.2.3.4]"),
            (b"u@[IPv6:::1]", b"[ipv6:::1]"),
            (b"u@trailing.example.", b"trailing.example"),
            (b"u@.leading.example", b"leading.example"),
            (b"u@b..c", b"b.c"),
            (b"u@b...c", b"b..c"),
            (b"u@b....c", b"b..c"),
            (b"u@.", b"."),
            (b"u@..", b"."),
            (b"u@...b", b".b"),
            (
                "u@\u{dc}PPER.example".as_bytes(),
                "\u{dc}pper.example".as_bytes(),
            ),
            (b"u@nl.example\n", b"nl.example\n"),
            (b"u@nl.example.\n", b"nl.example\n"),
            (b"u@nl\nexample", b"nl\nexample"),
            (b"new\nx@nl.example", b"new\nnl.example"),
            (b"a@b\nc@d", b"b\nc@d"),
            (b"@a,@b:u@route.example", b"route.example"),
        ] {
            assert_eq!(
                domain_of(address).escape_ascii().to_string(),
                domain.escape_ascii().to_string(),
                "{}",
                address.escape_ascii()
            );
        }
    }

    /// The three steps in order, on the whole address.
    fn plain_domain(address: &[u8]) -> Vec<u8> {
        let mut domain = Vec::new();
        fold(address, &mut domain);
        drop_local_part_of_lines(&mut domain);
        merge_double_dots(&mut domain);
        drop_outer_dots(&mut domain);
        domain
    }

    proptest! {
        #[test]
        fn the_short_way_leads_to_the_same_domain(address in "[aB.@\n]{0,9}") {
            prop_assert_eq!(domain_of(address.as_bytes()), plain_domain(address.as_bytes()));
        }

        #[test]
        fn a_domain_is_never_longer_than_its_address(address in proptest::collection::vec(any::<u8>(), 1..80)) {
            prop_assert!(domain_of(&address).len() <= address.len());
        }
    }
}
