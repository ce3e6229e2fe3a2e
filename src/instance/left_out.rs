//! Known trouble that rules leave out: destination domains and senders that somebody has named.
//!
//! A recipient of such a domain does not count. A message does not count if such a sender sent it, or if it
//! waits for recipients of such domains alone. Its file still counts where files do: damaged, altered,
//! misplaced, misowned.

use std::sync::Arc;

use crate::escape::domain::to_ascii;
use crate::postfix::address::{self, MAILER_DAEMON};

/// Domains and senders that are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// As [`address::destination_domain`] folds them, in A-labels.
    domains: Vec<Vec<u8>>,
    /// Addresses, folded; the null sender is empty.
    senders: Vec<Vec<u8>>,
    /// Domains of senders, as `domains`.
    sender_domains: Vec<Vec<u8>>,
}

impl LeftOut {
    /// Leaves out recipients of the destination domain `name`.
    pub(crate) fn add_domain(&mut self, name: &[u8]) {
        self.domains.push(folded_domain(name));
    }

    /// Leaves out the mail of `name`: an address, a domain, or `<>` for the null sender.
    pub(crate) fn add_sender(&mut self, name: &[u8]) {
        let mut folded = Vec::new();
        match name {
            b"<>" => self.senders.push(folded),
            _ if name.eq_ignore_ascii_case(MAILER_DAEMON) => self.senders.push(folded),
            _ if name.contains(&b'@') => {
                address::fold(name, &mut folded);
                self.senders.push(folded);
            }
            _ => self.sender_domains.push(folded_domain(name)),
        }
    }

    /// Returns true if nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.domains.is_empty() && !self.has_senders()
    }

    /// Returns true if domains are left out.
    pub(crate) fn has_domains(&self) -> bool {
        !self.domains.is_empty()
    }

    /// Returns true if senders are left out.
    pub(crate) fn has_senders(&self) -> bool {
        !self.senders.is_empty() || !self.sender_domains.is_empty()
    }

    /// Returns true if the domain of the address `recipient` is left out.
    pub(crate) fn is_recipient(&self, recipient: &[u8]) -> bool {
        !self.domains.is_empty() && self.domains.contains(&folded_domain(recipient))
    }

    /// Returns true if the mail of the envelope sender `sender` is left out.
    pub(crate) fn is_sender(&self, sender: &[u8]) -> bool {
        if sender.is_empty() {
            return self.senders.iter().any(Vec::is_empty);
        }
        if !self.has_senders() {
            return false;
        }
        let mut folded = Vec::new();
        address::fold(sender, &mut folded);
        self.senders.contains(&folded) || self.sender_domains.contains(&folded_domain(sender))
    }
}

/// What is left out of one message, while it is read.
#[derive(Debug)]
pub(crate) struct LeftOutCount {
    rules: Arc<LeftOut>,
    sender: bool,
    recipients: u64,
}

impl LeftOutCount {
    pub(crate) fn new(rules: Arc<LeftOut>) -> LeftOutCount {
        LeftOutCount {
            rules,
            sender: false,
            recipients: 0,
        }
    }

    /// Begins the next message.
    pub(crate) fn begin(&mut self) {
        self.sender = false;
        self.recipients = 0;
    }

    /// The envelope sender, which comes before the recipients.
    pub(crate) fn sender(&mut self, address: &[u8]) {
        self.sender = self.rules.is_sender(address);
    }

    /// A recipient. Returns true if it is left out.
    pub(crate) fn recipient(&mut self, address: &[u8]) -> bool {
        let out = self.sender || self.rules.is_recipient(address);
        self.recipients += u64::from(out);
        out
    }

    /// Returns true if the whole message is left out, which has `recipients`.
    pub(crate) fn is_message(&self, recipients: u64) -> bool {
        self.sender || self.recipients > 0 && self.recipients >= recipients
    }

    /// How many of `recipients` are not left out.
    pub(crate) fn remaining(&self, recipients: u64) -> u64 {
        recipients.saturating_sub(self.recipients)
    }
}

/// The domain of `address`, or the domain `address`, in one spelling.
fn folded_domain(address: &[u8]) -> Vec<u8> {
    let mut domain = Vec::new();
    address::destination_domain(address, &mut domain);
    to_ascii(&domain).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_spelling() {
        let mut out = LeftOut::default();
        assert!(out.is_empty() && !out.is_recipient(b"a@dead.example") && !out.is_sender(b""));
        out.add_domain(b"Dead.Example.");
        out.add_domain("b\u{fc}cher.example".as_bytes());
        for (recipient, found) in [
            (&b"a@dead.example"[..], true),
            (b"a@DEAD.example", true),
            (b"a@xn--bcher-kva.example", true),
            (b"a@sub.dead.example", false),
            (b"dead.example@other.example", false),
        ] {
            assert_eq!(
                out.is_recipient(recipient),
                found,
                "{}",
                recipient.escape_ascii()
            );
        }
        assert!(!out.has_senders() && !out.is_sender(b"a@dead.example") && !out.is_sender(b""));
        out.add_sender(b"News@Shop.example");
        out.add_sender(b"lists.example");
        for (sender, found) in [
            (&b"news@shop.example"[..], true),
            (b"other@shop.example", false),
            (b"any@LISTS.example", true),
            (b"", false),
        ] {
            assert_eq!(out.is_sender(sender), found, "{}", sender.escape_ascii());
        }
        out.add_sender(b"<>");
        assert!(out.is_sender(b""));
    }
}
