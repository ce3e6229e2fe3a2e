//! The judgement: reason, code, peer and configured next hops in; cause, next hop and who acts out.
//!
//! The order is: a user's own table; the place of the peer (a service of this host, the configured relay);
//! the words of the table; the codes of the table.

use super::next_hop::{NextHop, NextHops, Role};
use super::parts::{self, Parts, Said, Stage};
use super::row::{CodeRow, Codes};
use super::table::BY_CODE;
use super::user_table::UserTable;
use super::words::first_row;
use super::{Acts, Cause};

/// Bytes of a reason that are looked at. A defer log's record is shorter: Postfix cuts replies at about
/// 2 kB (`smtp_chat.c` keeps whole lines of `line_length_limit`).
pub const MAX_REASON: usize = 4096;

/// The result for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// The cause.
    pub cause: Cause,
    /// Who acts, before any promotion by spread.
    pub(crate) acts: Acts,
    /// Whether the next hop is one that this side chose: a configured one, or one on this host.
    pub(crate) own_hop: bool,
    /// Whether the reason shows a session with a mail server, not just a connection that was tried.
    pub(crate) session: bool,
    /// The next hop that the reason is about, if it names one.
    pub next_hop: Option<NextHop<'a>>,
}

impl Judgement<'_> {
    /// Returns true if a host elsewhere answered: the way out of this host works. What answers on this host, in its
    /// own network or as a configured next hop says nothing of the way out.
    pub(crate) fn is_answered_from_outside(&self) -> bool {
        let is_outside = match self.next_hop {
            Some(NextHop::Peer(peer)) => peer.is_outside(),
            // Postfix writes no peer into its texts about certificates.
            _ => self.cause == Cause::Tls,
        };
        self.session && !self.own_hop && is_outside
    }
}

/// Judges reasons for one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classifier {
    next_hops: NextHops,
    user: UserTable,
}

impl Classifier {
    /// One that knows the configured `next_hops` and the table of the `user`.
    pub fn new(next_hops: NextHops, user: UserTable) -> Classifier {
        Classifier { next_hops, user }
    }

    /// The same with another table of the user.
    #[must_use]
    pub(crate) fn with_user(&self, user: UserTable) -> Classifier {
        Classifier {
            next_hops: self.next_hops.clone(),
            user,
        }
    }

    /// The judgement of a delay reason and the enhanced status code that the log gives with it.
    pub fn judge<'a>(&self, status: &[u8], reason: &'a [u8]) -> Judgement<'a> {
        let reason = reason.get(..MAX_REASON).unwrap_or(reason);
        let parts = parts::split(reason);
        let next_hop = parts.next_hop();
        let configured = match next_hop {
            // `Server certificate not verified` names no server. With a relay it is the relay's.
            None => self
                .next_hops
                .relay()
                .filter(|_| parts.is_about_unnamed_tls()),
            hop => self.configured(hop),
        };
        let role = configured.or_else(|| place(next_hop));
        let cause = self
            .user
            .cause(status, parts.whole)
            .unwrap_or_else(|| judge(status, &parts, role, configured.is_some()));
        let acts = match (cause, role) {
            // Only we can repair the name of our own next hop, or the way to it.
            (Cause::Dns | Cause::Unreachable, Some(_)) => Acts::Us,
            _ => cause.acts(),
        };
        Judgement {
            cause,
            acts,
            own_hop: role.is_some(),
            session: parts.shows_session() || cause == Cause::Tls,
            next_hop,
        }
    }

    /// What main.cf says that the next hop is for. It wins over loopback.
    fn configured(&self, next_hop: Option<NextHop<'_>>) -> Option<Role> {
        match next_hop? {
            NextHop::Peer(peer) => self.next_hops.role(&peer),
            NextHop::Name(name) => self.next_hops.role_of_name(name),
        }
    }
}

/// The cause by the first row of the table of codes that fits.
fn by_code(parts: &Parts<'_>, codes: &Codes<'_>) -> Option<Cause> {
    let fits = |row: &&CodeRow| row.said == parts.said && row.fits(codes);
    let cause = BY_CODE.iter().find(fits).map(|row| row.cause);
    let refused = codes.reply.is_some_and(|reply| reply.starts_with(b"5"));
    match (cause, parts.stage) {
        // A server that does not know the recipient yet means us, or itself.
        (None | Some(Cause::Recipient | Cause::Mailbox), Stage::Greeting) if refused => {
            Some(Cause::Blocked)
        }
        (Some(Cause::Recipient | Cause::Mailbox), Stage::Greeting) => Some(Cause::Busy),
        (Some(Cause::Recipient | Cause::Mailbox), Stage::Sender) => Some(Cause::Blocked),
        (cause, _) => cause,
    }
}

/// What a peer is by its address and port alone.
fn place(next_hop: Option<NextHop<'_>>) -> Option<Role> {
    let Some(NextHop::Peer(peer)) = next_hop else {
        return None;
    };
    if peer.is_local() {
        return Some(Role::Service);
    }
    match peer.port {
        // MX hosts are asked at port 25 alone; another port comes from a configuration on this side.
        None | Some(b"25") => None,
        // Ports of submission, and those that relay providers offer beside them.
        Some(
            b"465" | b"587" | b"2525" | b"26" | b"588" | b"2465" | b"2587" | b"8025" | b"8465"
            | b"443" | b"80",
        ) => Some(Role::Relay),
        Some(_) => Some(Role::Service),
    }
}

/// The cause by peer, words and codes.
fn judge(status: &[u8], parts: &Parts<'_>, role: Option<Role>, configured: bool) -> Cause {
    let (reply, enhanced) = match parts.said {
        Said::Reply => parts::codes(parts.text),
        _ => (None, None),
    };
    let codes = Codes {
        // A reply without an enhanced code gets one from Postfix that says only its class (`4.0.0`).
        status: enhanced.unwrap_or(status),
        reply,
    };
    let row = first_row(parts.text, parts.said, &codes);
    let cause = match row {
        // A code of Postfix's agents tells more than words that servers use about their own troubles.
        Some(row) if parts.said == Said::Postfix && row.cause == Cause::Busy => {
            by_code(parts, &codes).or(Some(Cause::Busy))
        }
        // Before the first recipient the server speaks of the sender: it asks for him elsewhere.
        Some(row) if row.cause == Cause::Recipient && parts.stage == Stage::Sender => {
            Some(Cause::Blocked)
        }
        // `554 5.7.1 Service unavailable`: the code says that a policy is the reason.
        Some(row) if row.cause == Cause::Busy && codes.are_a_refusal() => Some(Cause::Blocked),
        // Greylisting asks for sender and recipient. A greeting that says "later" is a server in trouble.
        Some(row) if row.is_vague_about_time() && parts.stage == Stage::Greeting => {
            Some(Cause::Busy)
        }
        Some(row) => Some(row.cause),
        None => by_code(parts, &codes),
    };
    // Words that count without a look at the codes.
    let found = row.filter(|row| row.is_plain()).map(|row| row.cause);
    match role {
        None if parts.said == Said::Reply => of_stranger(cause, &codes),
        None => cause.unwrap_or(Cause::Other),
        // A tunnel on loopback that main.cf does not name passes on what a server elsewhere says.
        Some(_) if !configured && found == Some(Cause::Throttled) => Cause::Throttled,
        Some(role) => of_own_hop(role, parts.said, found, cause),
    }
}

/// The cause when a server replies that is no next hop of ours. Its words cannot say that a part of this host
/// fails, or anybody's server could raise our alarms.
fn of_stranger(cause: Option<Cause>, codes: &Codes<'_>) -> Cause {
    match cause {
        // Its own space, its own routes, and its own delivery.
        Some(Cause::Storage | Cause::Configuration | Cause::Delivery) => Cause::Busy,
        // `Relay access denied` by an MX host: it does not know its domain. Postfix defers so by default.
        Some(Cause::Relay) => Cause::Blocked,
        // A relay that main.cf does not name says so with a code of its own.
        Some(Cause::Authentication) if !codes.are_about_logins() => Cause::Blocked,
        _ => cause.unwrap_or(Cause::Other),
    }
}

/// The cause when the peer is a next hop of ours.
fn of_own_hop(role: Role, said: Said, by_words: Option<Cause>, cause: Option<Cause>) -> Cause {
    use Cause::{
        Authentication, Blocked, Busy, Configuration, Delivery, Dns, Filter, Greylisted, Mailbox,
        Network, Other, Recipient, Relay, Storage, Throttled, Tls, Unreachable,
    };
    let own = match role {
        Role::Relay => Relay,
        Role::Service => Filter,
    };
    let Some(cause) = cause else {
        return own;
    };
    match cause {
        // What concerns one recipient, and what a login or a key is needed for, stays what it is.
        Mailbox | Recipient | Greylisted | Authentication | Tls | Configuration | Storage
        | Delivery | Dns => match role {
            // Without words a code of a service says only that it fails.
            Role::Service if said == Said::Reply && by_words.is_none() => own,
            _ => cause,
        },
        Network => match role {
            Role::Relay => Network,
            Role::Service => Filter,
        },
        Throttled | Blocked => match role {
            Role::Relay => cause,
            Role::Service => Filter,
        },
        Filter | Relay | Unreachable | Busy | Other => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn configured(values: &[(&str, &str)]) -> Classifier {
        let mut next_hops = NextHops::default();
        for (name, value) in values {
            next_hops.add(name, value.as_bytes());
        }
        Classifier::new(next_hops, UserTable::default())
    }

    fn hop(judgement: &Judgement<'_>) -> String {
        let mut out = Vec::new();
        if let Some(hop) = judgement.next_hop {
            hop.write(&mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    #[allow(clippy::too_many_lines)] // A table.
    fn what_is_configured_decides_whose_a_peer_is() {
        let plain = configured(&[]);
        let tunnel = configured(&[("relayhost", "[127.0.0.1]:10025")]);
        let relay = configured(&[("relayhost", "[relay.example.net]:587")]);
        let at_25 = configured(&[("relayhost", "[relay.example.net]")]);
        let filter = configured(&[("content_filter", "scan:[192.0.2.9]:10024")]);
        let rows: &[(&Classifier, &str, &str, Cause, Acts, &str)] = &[
            (
                &plain,
                "4.4.1",
                "connect to 127.0.0.1[127.0.0.1]:10025: Connection refused",
                Cause::Filter,
                Acts::Us,
                "127.0.0.1:10025",
            ),
            (
                &tunnel,
                "4.4.1",
                "connect to 127.0.0.1[127.0.0.1]:10025: Connection refused",
                Cause::Relay,
                Acts::Us,
                "127.0.0.1:10025",
            ),
            (
                &tunnel,
                "4.4.1",
                "connect to 127.0.0.1[127.0.0.1]:10024: Connection refused",
                Cause::Filter,
                Acts::Us,
                "127.0.0.1:10024",
            ),
            (
                &at_25,
                "4.4.1",
                "connect to relay.example.net[192.0.2.1]:25: Connection timed out",
                Cause::Relay,
                Acts::Us,
                "relay.example.net",
            ),
            (
                &at_25,
                "4.4.1",
                "connect to mx.dest.example[192.0.2.1]:25: Connection timed out",
                Cause::Unreachable,
                Acts::Them,
                "mx.dest.example",
            ),
            (
                &plain,
                "4.4.1",
                "connect to relay.example.net[192.0.2.1]:587: Connection timed out",
                Cause::Relay,
                Acts::Us,
                "relay.example.net:587",
            ),
            (
                &relay,
                "4.4.1",
                "connect to relay.example.net[192.0.2.1]:587: No route to host",
                Cause::Network,
                Acts::Us,
                "relay.example.net:587",
            ),
            (
                &relay,
                "4.4.3",
                "Host or domain name not found. Name service error for name=relay.example.net type=A: Host not found, try again",
                Cause::Dns,
                Acts::Us,
                "relay.example.net",
            ),
            (
                &relay,
                "4.4.3",
                "Host or domain name not found. Name service error for name=dest.example type=MX: Host not found, try again",
                Cause::Dns,
                Acts::Them,
                "dest.example",
            ),
            (
                &relay,
                "4.3.2",
                "host relay.example.net[192.0.2.1] refused to talk to me: 421 4.3.2 Service not available",
                Cause::Relay,
                Acts::Us,
                "relay.example.net",
            ),
            (
                &relay,
                "4.2.2",
                "host relay.example.net[192.0.2.1] said: 452 4.2.2 mailbox full (in reply to RCPT TO command)",
                Cause::Mailbox,
                Acts::Them,
                "relay.example.net",
            ),
            (
                &relay,
                "4.7.28",
                "host relay.example.net[192.0.2.1] said: 450 4.7.28 rate limit (in reply to RCPT TO command)",
                Cause::Throttled,
                Acts::Nobody,
                "relay.example.net",
            ),
            (
                &filter,
                "4.4.1",
                "connect to 192.0.2.9[192.0.2.9]:10024: Connection refused",
                Cause::Filter,
                Acts::Us,
                "192.0.2.9:10024",
            ),
            (
                &filter,
                "4.5.0",
                "host 192.0.2.9[192.0.2.9] said: 451 4.5.0 Error in processing (in reply to end of DATA command)",
                Cause::Filter,
                Acts::Us,
                "192.0.2.9",
            ),
            (
                &plain,
                "4.3.0",
                "host mail.example[private/dovecot-lmtp] said: 451 4.3.0 <u@mail.example> Temporary internal error (in reply to RCPT TO command)",
                Cause::Filter,
                Acts::Us,
                "private/dovecot-lmtp",
            ),
            (
                &plain,
                "4.2.2",
                "host mail.example[private/dovecot-lmtp] said: 452 4.2.2 <u@mail.example> Quota exceeded (mailbox for user is full) (in reply to end of DATA command)",
                Cause::Mailbox,
                Acts::Them,
                "private/dovecot-lmtp",
            ),
        ];
        for (classifier, status, reason, cause, acts, next_hop) in rows {
            let judgement = classifier.judge(status.as_bytes(), reason.as_bytes());
            assert_eq!(
                (judgement.cause, judgement.acts),
                (*cause, *acts),
                "{reason}"
            );
            assert_eq!(hop(&judgement), *next_hop, "{reason}");
        }
    }

    #[test]
    fn an_answer_from_outside_is_known() {
        let classifier = configured(&[]);
        let outside = |reason: &str| {
            classifier
                .judge(b"4.0.0", reason.as_bytes())
                .is_answered_from_outside()
        };
        assert!(outside(
            "host a.example[192.0.2.1] said: 450 4.2.0 no (in reply to RCPT TO command)"
        ));
        assert!(!outside(
            "host 127.0.0.1[127.0.0.1] said: 450 4.2.0 no (in reply to RCPT TO command)"
        ));
        for own in [
            "10.0.0.5",
            "192.168.1.2",
            "172.16.3.4",
            "fd00::5",
            "169.254.1.1",
        ] {
            assert!(!outside(&format!(
                "host exch.example[{own}] said: 452 4.2.2 full (in reply to RCPT TO command)"
            )));
        }
        assert!(!outside(
            "connect to a.example[192.0.2.1]:25: Connection timed out"
        ));
        assert!(outside(
            "lost connection with a.example[192.0.2.1] while sending RCPT TO"
        ));
        assert!(!outside(
            "lost connection with a.example[192.0.2.1] while receiving the initial server greeting"
        ));
        assert!(outside("Server certificate not verified"));
        let relay = configured(&[("relayhost", "[a.example]:587")]);
        let full = b"host a.example[192.0.2.1] said: 452 4.2.2 full (in reply to RCPT TO command)";
        assert!(!relay.judge(b"4.2.2", full).is_answered_from_outside());
        let mut hops = NextHops::default();
        hops.add("relayhost", b"[a.example]:587");
        hops.no_other_way();
        let alone = Classifier::new(hops, UserTable::default());
        let certificate = alone.judge(b"4.7.5", b"Server certificate not verified");
        assert!(!certificate.is_answered_from_outside() && certificate.own_hop);
    }

    #[test]
    fn a_strangers_words_are_not_about_this_host() {
        let stranger = configured(&[]);
        let relay = configured(&[("relayhost", "[mx.dest.example]")]);
        for (reply, of_stranger, of_relay) in [
            (
                "451 4.7.1 DKIM authentication failed",
                Cause::Blocked,
                Cause::Blocked,
            ),
            (
                "451 4.7.1 Sender authentication failed (SPF softfail)",
                Cause::Blocked,
                Cause::Blocked,
            ),
            (
                "451 Authentication failed",
                Cause::Blocked,
                Cause::Authentication,
            ),
            (
                "454 4.7.8 Authentication failed",
                Cause::Authentication,
                Cause::Authentication,
            ),
            (
                "530 5.7.0 Please log in",
                Cause::Authentication,
                Cause::Authentication,
            ),
            ("535 no", Cause::Authentication, Cause::Authentication),
            (
                "451 4.4.6 too many hops, possible routing loop",
                Cause::Busy,
                Cause::Configuration,
            ),
            (
                "451 mail for dest.example loops back to myself",
                Cause::Busy,
                Cause::Configuration,
            ),
            (
                "452 4.3.1 no space left on device",
                Cause::Busy,
                Cause::Storage,
            ),
        ] {
            let reason = format!(
                "host mx.dest.example[192.0.2.5] said: {reply} (in reply to MAIL FROM command)"
            );
            let judged =
                |classifier: &Classifier| classifier.judge(b"4.0.0", reason.as_bytes()).cause;
            assert_eq!(judged(&stranger), of_stranger, "{reply}");
            assert_eq!(judged(&relay), of_relay, "{reply}");
        }
        let tls = b"TLS is required, but host mx.dest.example[192.0.2.5] refused to start TLS: 454 4.3.1 no space left on device";
        assert_eq!(stranger.judge(b"4.7.4", tls).cause, Cause::Tls);
    }

    #[test]
    fn how_far_a_session_was_decides_whom_words_mean() {
        let judged = |reply: &str, command: &str| {
            let reason = format!(
                "host mx.dest.example[192.0.2.5] said: {reply} (in reply to {command} command)"
            );
            Classifier::default()
                .judge(b"4.0.0", reason.as_bytes())
                .cause
        };
        assert_eq!(judged("450 User unknown", "RCPT TO"), Cause::Recipient);
        assert_eq!(judged("450 User unknown", "MAIL FROM"), Cause::Blocked);
        assert_eq!(judged("451 try again later", "RCPT TO"), Cause::Greylisted);
        assert_eq!(judged("451 try again later", "EHLO"), Cause::Busy);
        assert_eq!(judged("554 Service unavailable", "EHLO"), Cause::Busy);
        assert_eq!(
            judged("554 5.7.1 Service unavailable", "EHLO"),
            Cause::Blocked
        );
    }

    #[test]
    fn the_user_decides_first() {
        let user = UserTable::parse(b"throttled * come back tomorrow *\n").unwrap();
        let classifier = Classifier::new(NextHops::default(), user);
        let reason = b"host a.example[192.0.2.1] said: 450 4.1.1 Please come back tomorrow now";
        assert_eq!(classifier.judge(b"4.1.1", reason).cause, Cause::Throttled);
        assert_eq!(
            Classifier::default().judge(b"4.1.1", reason).cause,
            Cause::Recipient
        );
    }

    proptest! {
        #[test]
        fn any_reason_is_judged(status in proptest::collection::vec(any::<u8>(), 0..12),
                                reason in proptest::collection::vec(any::<u8>(), 0..600)) {
            let judgement = Classifier::default().judge(&status, &reason);
            let mut out = Vec::new();
            if let Some(hop) = judgement.next_hop {
                hop.write(&mut out);
            }
            prop_assert!(out.len() <= MAX_REASON);
        }

        #[test]
        fn a_suspended_reason_is_judged_as_the_bare_one(reason in "[ -~]{0,200}") {
            let twin = format!("delivery temporarily suspended: {reason}");
            let classifier = Classifier::default();
            let bare = classifier.judge(b"4.4.1", reason.as_bytes());
            prop_assert_eq!(classifier.judge(b"4.4.1", twin.as_bytes()), bare);
        }
    }
}
