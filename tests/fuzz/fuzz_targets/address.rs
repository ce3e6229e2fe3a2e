//! Any bytes as an address: the destination domain is what qshape's own three substitutions make of
//! it.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use queuewatch::postfix::address::{destination_domain, fold};
use regex::bytes::Regex;

/// The substitutions of qshape 3.7 to 3.10, in order. Perl's `$` is also before a final newline,
/// which is therefore captured and put back; only the second has a `/g`.
static LOCAL_PART: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u).*@"));
static TWO_DOTS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u)\.\."));
static OUTER_DOTS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?-u)\.?(.+?)\.?(\n?)\z"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

fn by_qshape(address: &[u8]) -> Vec<u8> {
    let mut a = address.to_ascii_lowercase();
    if a.is_empty() {
        a = b"MAILER-DAEMON".to_vec();
    }
    let a = LOCAL_PART.replace(&a, &b""[..]);
    let a = TWO_DOTS.replace_all(&a, &b"."[..]);
    let a = OUTER_DOTS.replace(&a, &b"$1$2"[..]);
    a.into_owned()
}

fuzz_target!(|address: &[u8]| {
    let mut folded = b"left over".to_vec();
    fold(address, &mut folded);
    let lower = address.to_ascii_lowercase();
    assert_eq!(
        folded,
        if lower.is_empty() {
            b"MAILER-DAEMON"
        } else {
            &lower[..]
        }
    );

    let mut domain = b"left over".to_vec();
    destination_domain(address, &mut domain);
    assert_eq!(
        domain.escape_ascii().to_string(),
        by_qshape(address).escape_ascii().to_string()
    );
});
