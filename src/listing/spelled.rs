//! The spellings of addresses and names: a filter takes every one that Postfix or a list has.

use crate::escape::domain;
use crate::escape::mailq_text;
use crate::instance::Settings;
use crate::postfix::address::{self, MAILER_DAEMON};
use crate::postfix::quote::quote_local;

/// Returns true if `given` is the empty address, in one of the spellings that Postfix and a list have for it.
pub(super) fn is_empty_address(given: &[u8], settings: &Settings) -> bool {
    let printed = settings.empty_address_recipient.as_bytes();
    given == b"<>"
        || given.eq_ignore_ascii_case(MAILER_DAEMON)
        || !printed.is_empty() && is_address(given, printed)
}

pub(super) fn is_sender(given: &[u8], sender: &[u8], name: &mut Vec<u8>) -> bool {
    if memchr::memchr(b'@', given).is_some() {
        return is_address(given, sender);
    }
    address::destination_domain(sender, name);
    domain::is_same(given, name)
}

/// Returns true if `given` is the raw `address`: as in the queue file, or quoted and printed as in a list.
pub fn is_address(given: &[u8], address: &[u8]) -> bool {
    if given.eq_ignore_ascii_case(address) {
        return true;
    }
    // A domain may be given by its A-labels, as figures print it.
    if domain::is_same_address(given, address) {
        return true;
    }
    // Quotes make an address longer, and printing makes it no shorter.
    if given.len() < address.len() {
        return false;
    }
    let mut quoted = Vec::with_capacity(address.len() + 2);
    quote_local(address, &mut quoted);
    is_printed(given, &quoted)
}

/// Returns true if `given` is `text`, raw or as a list prints it. The case of letters does not count.
pub(super) fn is_printed(given: &[u8], text: &[u8]) -> bool {
    is_any_spelling(given, text, <[u8]>::eq_ignore_ascii_case)
}

/// [`is_printed`] for a login, in which the case of letters counts: two logins may differ in nothing else.
pub(super) fn is_printed_exactly(given: &[u8], text: &[u8]) -> bool {
    is_any_spelling(given, text, <[u8]>::eq)
}

fn is_any_spelling(given: &[u8], text: &[u8], same: fn(&[u8], &[u8]) -> bool) -> bool {
    let printed = |utf8| {
        let mut out = Vec::with_capacity(text.len());
        mailq_text(text, utf8, &mut out);
        same(given, &out)
    };
    same(given, text) || !text.is_empty() && (printed(true) || printed(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_every_quoting() {
        for (given, address, found) in [
            ("a@x.example", "A@x.EXAMPLE", true),
            ("\"john doe\"@x", "john doe@x", true),
            ("john doe@x", "john doe@x", true),
            ("\"john  doe\"@x", "john doe@x", false),
            ("j?rg@x", "j\u{1}rg@x", false),
            ("\"j?rg\"@x", "j\u{1}rg@x", true),
            ("j??rg@x", "j\u{f6}rg@x", true),
            ("j\u{f6}rg@x", "j\u{f6}rg@x", true),
            ("\"\"@x", "@x", true),
            ("b@x", "a@x", false),
        ] {
            assert_eq!(
                is_address(given.as_bytes(), address.as_bytes()),
                found,
                "{given}"
            );
        }
    }
}
