//! Which messages: filters of several kinds, each of which may be given more than once.
//!
//! A message is picked if of every kind of filter that is given one holds.

use crate::escape::domain::to_ascii;
use crate::escape::mailq_text;
use crate::postfix::address;
use crate::postfix::defer_log::Log;
use crate::postfix::delay_reason::has_code;
use crate::postfix::quote::quote_local;
use crate::scan::MessageRow;

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// A recipient still to be delivered is of one of these destination domains (folded as qshape folds
    /// them), or the address that was tried for it: another where mail is redirected.
    pub domain: Vec<Vec<u8>>,
    /// The sender is one of these addresses (with `@`), or of one of these domains; `MAILER-DAEMON` or
    /// `<>` is the null sender.
    pub sender: Vec<Vec<u8>>,
    /// A recipient waits for a reason with one of these enhanced status codes or prefixes of one.
    pub reason: Vec<String>,
    /// It is older than one of these, in seconds.
    pub older: Vec<i64>,
}

impl Pick {
    /// Whether `row` is picked at the second `now`; `name` is memory for names.
    pub fn takes(&self, row: &MessageRow, now: i64, name: &mut Vec<u8>) -> bool {
        let age = now.saturating_sub(row.arrival());
        any(&self.older, |older| age > *older)
            && any(&self.sender, |sender| is_sender(sender, &row.sender, name))
            && any(&self.domain, |domain| {
                let redirected = row.logged().filter(|entry| entry.log == Log::Defer);
                row.recipients()
                    .chain(redirected.map(|entry| entry.address))
                    .any(|recipient| {
                        address::destination_domain(recipient, name);
                        is_domain(domain, name)
                    })
            })
            && any(&self.reason, |code| {
                row.logged()
                    .any(|entry| entry.log == Log::Defer && has_code(entry.status, code.as_bytes()))
            })
    }
}

/// Whether `holds` for one of `given`, or none is given.
fn any<T>(given: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    given.is_empty() || given.iter().any(holds)
}

fn is_sender(given: &[u8], sender: &[u8], name: &mut Vec<u8>) -> bool {
    match given {
        b"<>" => sender.is_empty(),
        _ if memchr::memchr(b'@', given).is_some() => is_address(given, sender),
        _ => {
            address::destination_domain(sender, name);
            is_domain(given, name)
        }
    }
}

/// Whether `given` names the raw `address`: as the queue file has it, or quoted and printed as a list
/// prints it.
pub fn is_address(given: &[u8], address: &[u8]) -> bool {
    if given.eq_ignore_ascii_case(address) {
        return true;
    }
    // Quotes make an address longer, and printing makes it no shorter.
    if given.len() < address.len() {
        return false;
    }
    let mut quoted = Vec::with_capacity(address.len() + 2);
    quote_local(address, &mut quoted);
    let printed = |utf8| {
        let mut text = Vec::with_capacity(quoted.len());
        mailq_text(&quoted, utf8, &mut text);
        given.eq_ignore_ascii_case(&text)
    };
    given.eq_ignore_ascii_case(&quoted) || printed(true) || printed(false)
}

/// Whether `given` names the destination domain `domain`; a domain of other letters than ASCII may be
/// given in either spelling.
pub fn is_domain(given: &[u8], domain: &[u8]) -> bool {
    if given.is_ascii() && domain.is_ascii() {
        return given.eq_ignore_ascii_case(domain);
    }
    given.eq_ignore_ascii_case(domain) || to_ascii(given).eq_ignore_ascii_case(&to_ascii(domain))
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

    #[test]
    fn a_domain_is_found_in_both_spellings() {
        for (given, domain, found) in [
            ("B\u{dc}cher.example", "b\u{fc}cher.example", true),
            ("xn--bcher-kva.example", "b\u{fc}cher.example", true),
            ("XN--BCHER-KVA.example", "b\u{fc}cher.example", true),
            ("b\u{fc}cher.example", "xn--bcher-kva.example", true),
            ("bucher.example", "b\u{fc}cher.example", false),
            ("A.example", "a.example", true),
        ] {
            assert_eq!(
                is_domain(given.as_bytes(), domain.as_bytes()),
                found,
                "{given}"
            );
        }
    }
}
