//! From a delay reason to its cause, the next hop concerned, and who has to act.
//!
//! The input is what a defer log says about a recipient: the enhanced status code and the delay reason. The
//! output is a [`Cause`] from a fixed list. The decision uses Postfix's own fixed texts, the address of the
//! peer, the configured next hops, the words of replies, and the codes; [`table`] lists all of them. This
//! room does no I/O and is fuzzed, because reasons contain words that strangers chose.
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
mod names;
pub mod next_hop;
pub(crate) mod parts;
pub(crate) mod row;
pub mod table;
pub mod user_table;
mod words;

/// Why mail waits. The order is that of the documentation: our own causes come first.
///
/// ```
/// use queuewatch::{Acts, Cause};
///
/// assert_eq!((Cause::Filter.name(), Cause::Filter.acts()), ("filter", Acts::Us));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A service of this host that mail passes through does not answer or fails.
    Filter,
    /// Local delivery fails: mailbox, alias database, pipe command.
    Delivery,
    /// The configuration of Postfix is wrong.
    Configuration,
    /// This host is out of space.
    Storage,
    /// The relay refuses our credentials.
    Authentication,
    /// The configured relay refuses or does not answer.
    Relay,
    /// A DNS lookup fails temporarily.
    Dns,
    /// There is no route to the peer.
    Network,
    /// The destination refuses us: reputation, blocklist, no reverse name, sender domain not found.
    Blocked,
    /// The destination limits our rate.
    Throttled,
    /// The destination requires that we wait once.
    Greylisted,
    /// The destination's server does not accept a connection.
    Unreachable,
    /// The destination's server fails temporarily, hangs up, or is full.
    Busy,
    /// The mailbox is full, or receives too fast.
    Mailbox,
    /// The recipient is unknown or not verified at the moment.
    Recipient,
    /// The required encryption is not available.
    Tls,
    /// No entry of the table fits.
    Other,
}

/// Who has to act so that mail moves on.
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
    /// The reason does not say.
    Unknown,
}

impl Acts {
    /// Returns its word in JSON and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Acts::Us => "us",
            Acts::Them => "them",
            Acts::Nobody => "nobody",
            Acts::Both => "both",
            Acts::Unknown => "unknown",
        }
    }

    /// Returns true if `cause(ours)` counts it: somebody here has to act, or may have to.
    pub const fn is_ours(self) -> bool {
        matches!(self, Acts::Us | Acts::Both)
    }

    /// Returns true if `cause(theirs)` counts it: the other side holds the mail up, so waiting may be enough.
    pub(crate) const fn is_theirs(self) -> bool {
        matches!(self, Acts::Them | Acts::Nobody | Acts::Both)
    }
}

/// The number of causes.
pub const CAUSES: usize = Cause::ALL.len();

impl Cause {
    /// All causes, in the order of the documentation.
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

    /// Returns its name, the same in rules, options, JSON, OpenMetrics and every binding.
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

    /// Returns the cause called `name`.
    pub(crate) fn of_name(name: &[u8]) -> Option<Cause> {
        let mut all = Cause::ALL.into_iter();
        all.find(|cause| cause.name().as_bytes() == name)
    }

    /// Returns its index in [`Cause::ALL`].
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Returns who acts if nothing else is known. [`Cause::Dns`] and [`Cause::Unreachable`] can become ours if
    /// many destinations have them; the cause itself stays the same.
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
            // A bulk sender can send more slowly. Everybody else waits, and Postfix slows down by itself.
            Cause::Throttled | Cause::Greylisted => Acts::Nobody,
            Cause::Tls => Acts::Both,
            Cause::Other => Acts::Unknown,
        }
    }

    /// Returns true if the cause becomes ours when many unrelated destinations have it.
    pub(crate) const fn is_ours_when_spread(self) -> bool {
        matches!(self, Cause::Dns | Cause::Network | Cause::Unreachable)
    }

    /// Returns a short description of the cause.
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
            Cause::Tls => "TLS is required and not available",
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
