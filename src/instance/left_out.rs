//! Known trouble that rules leave out: destination domains and senders that the user names.
//!
//! A recipient of such a domain does not count. A message does not count if such a sender sent it, or if it
//! waits for recipients of such domains alone. Its file still counts where files do: damaged, altered,
//! misplaced, misowned.

use std::collections::HashSet;
use std::sync::Arc;

use crate::escape::domain::canonical;
use crate::postfix::address::{self, MAILER_DAEMON};

/// Domains and senders that are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Destination domains, in the spelling of [`canonical`].
    domains: HashSet<Vec<u8>>,
    /// Addresses, folded as [`address::fold`] does.
    senders: HashSet<Vec<u8>>,
    /// Domains of senders, as `domains`.
    sender_domains: HashSet<Vec<u8>>,
}

impl LeftOut {
    /// Leaves out recipients of the destination domain `name`.
    pub(crate) fn add_domain(&mut self, name: &[u8]) {
        self.domains.insert(canonical_domain(name));
    }

    /// Leaves out the mail of `name`: an address, a domain, or `<>` for the null sender.
    pub(crate) fn add_sender(&mut self, name: &[u8]) {
        let address = match name {
            b"<>" => &b""[..],
            _ if name.eq_ignore_ascii_case(MAILER_DAEMON) => b"",
            _ if name.contains(&b'@') => name,
            _ => {
                self.sender_domains.insert(canonical_domain(name));
                return;
            }
        };
        let mut folded = Vec::new();
        address::fold(address, &mut folded);
        self.senders.insert(folded);
    }

    /// Returns true if nothing is left out.
    pub(crate) fn is_empty(&self) -> bool {
        !self.has_domains() && !self.has_senders()
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
        self.has_domains() && contains(&self.domains, recipient)
    }

    /// Returns true if a message of `sender` that waits for `recipients` is left out.
    pub(crate) fn is_message<'a>(
        &self,
        sender: &[u8],
        mut recipients: impl Iterator<Item = &'a [u8]>,
    ) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut left = recipients.by_ref().map(|one| self.is_recipient(one));
        self.is_sender(sender) || left.next() == Some(true) && left.all(|is_out| is_out)
    }

    /// Returns true if the mail of the envelope sender `sender` is left out.
    pub(crate) fn is_sender(&self, sender: &[u8]) -> bool {
        if !self.has_senders() {
            return false;
        }
        let mut folded = Vec::new();
        address::fold(sender, &mut folded);
        // The null sender has no domain.
        self.senders.contains(&folded)
            || !sender.is_empty() && contains(&self.sender_domains, sender)
    }
}

/// The domain of `address`, or the domain `address`, in the spelling of [`canonical`].
fn canonical_domain(address: &[u8]) -> Vec<u8> {
    let mut domain = Vec::new();
    address::destination_domain(address, &mut domain);
    canonical(&domain).into_owned()
}

/// Returns true if the domain of `address` is one of `domains`.
fn contains(domains: &HashSet<Vec<u8>>, address: &[u8]) -> bool {
    let mut domain = Vec::new();
    address::destination_domain(address, &mut domain);
    domains.contains(&*canonical(&domain))
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

        let (dead, live) = (&b"a@dead.example"[..], &b"b@live.example"[..]);
        for (sender, recipients, found) in [
            (&b"x@y.example"[..], &[dead, dead][..], true),
            (b"x@y.example", &[dead, live], false),
            (b"x@y.example", &[], false),
            (b"any@lists.example", &[live], true),
        ] {
            let recipients = recipients.iter().copied();
            assert_eq!(out.is_message(sender, recipients), found);
        }
    }
}
