//! From a delay reason to its cause, the next hop that it is about, and who has to act.
//!
//! In goes what a defer log says of a recipient: the enhanced status code and the delay reason. Out comes
//! a [`Cause`] out of a fixed list. The judgement is made of Postfix's own fixed texts, the address of
//! the peer, the configured next hops, the words of replies, and the codes; [`table`] is the list of
//! all of it. Pure and fuzzed: reasons hold words that strangers chose.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap
    )
)]

pub mod classify;
pub mod next_hop;
pub mod parts;
pub mod table;
pub mod user_table;

/// Why mail waits. The order is that of the documentation: what is ours comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A service of this host that mail passes does not answer or fails.
    Filter,
    /// Local delivery fails: mailbox, alias database, pipe command.
    Delivery,
    /// Postfix is set up wrongly.
    Configuration,
    /// This host has no space.
    Storage,
    /// The relay refuses our credentials.
    Authentication,
    /// The configured relay refuses or does not answer.
    Relay,
    /// A name cannot be looked up for now.
    Dns,
    /// There is no route.
    Network,
    /// They refuse us: reputation, blocklist, no reverse name, sender domain not found.
    Blocked,
    /// They limit our rate.
    Throttled,
    /// They want us to wait once.
    Greylisted,
    /// Their server does not accept a connection.
    Unreachable,
    /// Their server fails for now, hangs up, or is full.
    Busy,
    /// That mailbox is full, or receives too fast.
    Mailbox,
    /// That recipient is unknown or not verified for now.
    Recipient,
    /// Encryption cannot be had as it is required.
    Tls,
    /// Nothing of the table fits.
    Other,
}

/// Who has to act for mail to move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acts {
    /// The people of this host.
    Us,
    /// The people of the destination.
    Them,
    /// Nobody: waiting is enough.
    Nobody,
    /// One of the two sides; the reason says which.
    Both,
    /// That cannot be told.
    Unknown,
}

impl Acts {
    /// The word for it in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Acts::Us => "us",
            Acts::Them => "them",
            Acts::Nobody => "nobody",
            Acts::Both => "both",
            Acts::Unknown => "unknown",
        }
    }

    /// Returns true if `cause(ours)` counts it: somebody here has, or may have, to do something.
    pub const fn is_ours(self) -> bool {
        matches!(self, Acts::Us | Acts::Both)
    }

    /// Returns true if `cause(theirs)` counts it: the other side holds the mail, so that waiting may be
    /// enough.
    pub const fn is_theirs(self) -> bool {
        matches!(self, Acts::Them | Acts::Nobody | Acts::Both)
    }
}

/// How many causes there are.
pub const CAUSES: usize = Cause::ALL.len();

impl Cause {
    /// All of them, in the order of the documentation.
    pub const ALL: [Cause; 17] = [
        Cause::Filter,
        Cause::Delivery,
        Cause::Configuration,
        Cause::Storage,
        Cause::Authentication,
        Cause::Relay,
        Cause::Dns,
        Cause::Network,
        Cause::Blocked,
        Cause::Throttled,
        Cause::Greylisted,
        Cause::Unreachable,
        Cause::Busy,
        Cause::Mailbox,
        Cause::Recipient,
        Cause::Tls,
        Cause::Other,
    ];

    /// Its name, the same in rules, options, JSON, OpenMetrics and every binding.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Filter => "filter",
            Cause::Delivery => "delivery",
            Cause::Configuration => "configuration",
            Cause::Storage => "storage",
            Cause::Authentication => "authentication",
            Cause::Relay => "relay",
            Cause::Dns => "dns",
            Cause::Network => "network",
            Cause::Blocked => "blocked",
            Cause::Throttled => "throttled",
            Cause::Greylisted => "greylisted",
            Cause::Unreachable => "unreachable",
            Cause::Busy => "busy",
            Cause::Mailbox => "mailbox",
            Cause::Recipient => "recipient",
            Cause::Tls => "tls",
            Cause::Other => "other",
        }
    }

    /// The cause called `name`.
    pub fn of_name(name: &[u8]) -> Option<Cause> {
        let mut all = Cause::ALL.into_iter();
        all.find(|cause| cause.name().as_bytes() == name)
    }

    /// Its place in [`Cause::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Who acts, where nothing else is known. Spread over many destinations can make [`Cause::Dns`] and
    /// [`Cause::Unreachable`] ours; the cause itself stays.
    pub const fn acts(self) -> Acts {
        match self {
            Cause::Filter
            | Cause::Delivery
            | Cause::Configuration
            | Cause::Storage
            | Cause::Authentication
            | Cause::Relay
            | Cause::Network
            | Cause::Blocked => Acts::Us,
            Cause::Dns | Cause::Unreachable | Cause::Busy | Cause::Mailbox | Cause::Recipient => {
                Acts::Them
            }
            // Who sends in bulk can send slower; everybody else waits, and Postfix slows down by itself.
            Cause::Throttled | Cause::Greylisted => Acts::Nobody,
            Cause::Tls => Acts::Both,
            Cause::Other => Acts::Unknown,
        }
    }

    /// Returns true if the cause becomes ours when many unrelated destinations have it.
    pub const fn is_ours_when_spread(self) -> bool {
        matches!(self, Cause::Dns | Cause::Network | Cause::Unreachable)
    }

    /// What a reason of this cause says, in some words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Cause::Filter => "a service of this host that mail passes does not answer or fails",
            Cause::Delivery => "local delivery fails: mailbox, alias database, pipe command",
            Cause::Configuration => "Postfix is set up wrongly",
            Cause::Storage => "this host has no space",
            Cause::Authentication => "the relay refuses our credentials",
            Cause::Relay => "the configured relay refuses or does not answer",
            Cause::Dns => "a name cannot be looked up for now",
            Cause::Network => "there is no route",
            Cause::Blocked => "they refuse us: reputation, blocklist, reverse name, sender domain",
            Cause::Throttled => "they limit our rate",
            Cause::Greylisted => "they want us to wait once",
            Cause::Unreachable => "their server does not accept a connection",
            Cause::Busy => "their server fails for now, hangs up, or is full",
            Cause::Mailbox => "that mailbox is full, or receives too fast",
            Cause::Recipient => "that recipient is unknown or not verified for now",
            Cause::Tls => "encryption cannot be had as it is required",
            Cause::Other => "no known text or code says why",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_lead_back() {
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause.index(), place);
            assert_eq!(Cause::of_name(cause.name().as_bytes()), Some(cause));
        }
        assert_eq!(Cause::of_name(b"Filter"), None);
        assert_eq!(Cause::of_name(b""), None);
    }

    #[test]
    fn a_promoted_cause_is_not_left_to_nobody() {
        for cause in Cause::ALL {
            assert!(!cause.is_ours_when_spread() || cause.acts() != Acts::Nobody);
        }
    }
}
