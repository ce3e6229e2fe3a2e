//! Where a message came from: the named attributes of its envelope, and for mail of this host the Received
//! header of pickup(8) (postfix.md, "Where a message came from").
//!
//! smtpd(8) writes the login of an authenticated client, and the client twice: as logged (`log_client_*`; a
//! content filter sets it by XFORWARD, so that it names the first hop) and as connected (`client_*`).
//! Strangers choose these values. They are limited here and escaped where they are shown.
#![deny(clippy::arithmetic_side_effects)]

use std::net::{IpAddr, Ipv6Addr};

/// The longest attribute value that is held, in bytes. A longer one is cut.
pub(crate) const MAX_VALUE: usize = 255;

/// The origin of a message according to its queue file. Unknown fields are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The SASL login.
    pub(crate) login: Vec<u8>,
    /// The SASL mechanism.
    pub(crate) method: Vec<u8>,
    /// The address of the client as logged, else as connected.
    pub(crate) client: Vec<u8>,
    /// The host name of that client in the DNS.
    pub(crate) client_name: Vec<u8>,
    /// The name that the client gave in HELO or EHLO.
    pub(crate) helo: Vec<u8>,
    /// The protocol: SMTP, ESMTP.
    pub(crate) protocol: Vec<u8>,
    /// The user of this host that submitted the message.
    pub(crate) user: Option<u32>,
    /// Which of client, name, HELO and protocol are as logged.
    logged: [bool; 4],
    /// How many Received headers were seen; more than two do not count.
    received: u8,
    /// The user of the second Received header, if the first is one of pickup, too.
    user_before: Option<u32>,
}

/// What identifies an origin, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// An authenticated login.
    Login,
    /// The address of a client.
    Client,
    /// A user of this host.
    User,
    /// The queue file does not say.
    Unknown,
}

impl Kind {
    /// Returns its name in JSON and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Login => "login",
            Kind::Client => "client",
            Kind::User => "user",
            Kind::Unknown => "unknown",
        }
    }

    /// Returns the kind of that name.
    pub(crate) fn from_name(name: &str) -> Kind {
        let known = [Kind::Login, Kind::Client, Kind::User];
        let found = known.into_iter().find(|kind| kind.name() == name);
        found.unwrap_or(Kind::Unknown)
    }
}

impl Origin {
    /// Clears all fields, for the next message.
    pub(crate) fn clear(&mut self) {
        for field in [
            &mut self.login,
            &mut self.method,
            &mut self.client,
            &mut self.client_name,
            &mut self.helo,
            &mut self.protocol,
        ] {
            field.clear();
        }
        self.user = None;
        self.logged = [false; 4];
        self.received = 0;
        self.user_before = None;
    }

    /// Reads an attribute record, `name=value`. smtpd writes `unknown` for a value that it does not know.
    pub(crate) fn attribute(&mut self, record: &[u8]) {
        // The first byte rules out most attributes.
        if !matches!(record.first(), Some(b's' | b'l' | b'c' | b'h' | b'p')) {
            return;
        }
        let Some(equal) = memchr::memchr(b'=', record) else {
            return;
        };
        let (name, value) = record.split_at(equal);
        let value = cut(value.get(1..).unwrap_or_default());
        match name {
            b"sasl_username" => put(&mut self.login, value),
            b"sasl_method" => put(&mut self.method, value),
            _ => self.of_client(name, value),
        }
    }

    /// Reads an attribute record as [`Origin::attribute`] does, the login and the address of the client alone:
    /// for the tables, which read some fifteen attributes of each message.
    pub(crate) fn identity(&mut self, record: &[u8]) {
        match record.first() {
            Some(b'c') => {
                if let Some(value) = record.strip_prefix(b"client_address=") {
                    self.set_of_client(0, cut(value), false);
                }
            }
            Some(b'l') => {
                if let Some(value) = record.strip_prefix(b"log_client_address=") {
                    self.set_of_client(0, cut(value), true);
                }
            }
            Some(b's') => {
                if let Some(value) = record.strip_prefix(b"sasl_username=") {
                    put(&mut self.login, cut(value));
                }
            }
            _ => {}
        }
    }

    fn of_client(&mut self, name: &[u8], value: &[u8]) {
        let (logged, plain) = match name.strip_prefix(b"log_") {
            Some(plain) => (true, plain),
            None => (false, name),
        };
        let place = match plain {
            b"client_address" => 0,
            b"client_name" => 1,
            b"helo_name" => 2,
            b"protocol_name" => 3,
            _ => return,
        };
        self.set_of_client(place, value, logged);
    }

    /// Sets one of the values that have a place in `logged`.
    fn set_of_client(&mut self, place: usize, value: &[u8], logged: bool) {
        let field = match place {
            0 => &mut self.client,
            1 => &mut self.client_name,
            2 => &mut self.helo,
            _ => &mut self.protocol,
        };
        // XFORWARD writes an IPv6 address with a prefix, a connection without: both are one client.
        let value = match place {
            0 => without_prefix(value),
            _ => value,
        };
        if value.is_empty() || value == b"unknown" && place != 2 {
            return;
        }
        let Some(was_logged) = self.logged.get_mut(place) else {
            return;
        };
        // The logged value wins over the connected one, in whatever order the file has them.
        if logged || !*was_logged {
            put(field, value);
            *was_logged |= logged;
        }
    }

    /// Reads a header line. The first Received header of pickup gives the user, unless the message has a
    /// client.
    pub(crate) fn header(&mut self, line: &[u8]) {
        if self.received > 1 || super::header::value(line, "received").is_none() {
            return;
        }
        self.received = self.received.saturating_add(1);
        if self.client.is_empty() {
            match self.received {
                1 => self.user = user_of(line),
                _ if self.user.is_some() => self.user_before = user_of(line),
                _ => {}
            }
        }
    }

    /// Takes in the owner of the queue file, who is the mail owner. pickup names that user for mail which
    /// `postsuper -r` moved to maildrop; the user who submitted it stands in the Received header below.
    pub(crate) fn owner(&mut self, owner: u32) {
        if self.user == Some(owner) && self.user_before.is_some() {
            self.user = self.user_before;
        }
    }

    /// Returns what identifies the origin.
    pub(crate) fn kind(&self) -> Kind {
        if !self.login.is_empty() {
            Kind::Login
        } else if !self.client.is_empty() {
            Kind::Client
        } else if self.user.is_some() {
            Kind::User
        } else {
            Kind::Unknown
        }
    }

    /// Writes the name of that kind to `out`, which is cleared first. It stays empty if the name is unknown.
    pub(crate) fn name(&self, kind: Kind, out: &mut Vec<u8>) {
        out.clear();
        match kind {
            Kind::Login => out.extend_from_slice(&self.login),
            Kind::Client => out.extend_from_slice(&self.client),
            Kind::User => {
                if let Some(user) = self.user {
                    out.extend_from_slice(user.to_string().as_bytes());
                }
            }
            Kind::Unknown => {}
        }
    }
}

fn cut(value: &[u8]) -> &[u8] {
    value.get(..MAX_VALUE).unwrap_or(value)
}

fn put(field: &mut Vec<u8>, value: &[u8]) {
    field.clear();
    field.extend_from_slice(value);
}

/// Returns the user in `Received: by HOST (NAME, from userid UID)` (pickup.c of 3.10, line 389).
fn user_of(line: &[u8]) -> Option<u32> {
    let name = line.get(..9)?;
    if !name.eq_ignore_ascii_case(b"received:") {
        return None;
    }
    let rest = line.get(9..)?.trim_ascii_start();
    let rest = rest.strip_prefix(b"by ")?;
    let at = memchr::memmem::find(rest, b", from userid ")?;
    let rest = rest.get(at..)?.strip_prefix(b", from userid ")?;
    let end = memchr::memchr(b')', rest)?;
    std::str::from_utf8(rest.get(..end)?).ok()?.parse().ok()
}

/// Parses the address in `text` as smtpd writes it: plain, in brackets, or with the prefix `IPv6:`.
pub(crate) fn address_of(text: &[u8]) -> Option<IpAddr> {
    let text = text.strip_prefix(b"[").unwrap_or(text);
    let text = text.strip_suffix(b"]").unwrap_or(text);
    let text = without_prefix(text);
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An address without `IPv6:` (RFC 5321, 4.1.3).
fn without_prefix(text: &[u8]) -> &[u8] {
    match text.split_at_checked(5) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"ipv6:") => rest,
        _ => text,
    }
}

/// Returns the network of `address`: `/24` of IPv4, `/64` of IPv6.
pub(crate) fn network_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// An address, or a network of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Parses `ADDRESS` or `NET/BITS`.
    pub(crate) fn parse(text: &[u8]) -> Option<Network> {
        let (address, bits) = match memchr::memchr(b'/', text) {
            Some(slash) => (text.get(..slash)?, Some(text.get(slash.checked_add(1)?..)?)),
            None => (text, None),
        };
        let address = address_of(address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => std::str::from_utf8(bits).ok()?.parse().ok()?,
            None => most,
        };
        (bits <= most).then_some(Network { address, bits })
    }

    /// Returns true if `address` is in the network.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let differ = match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                u128::from(own.to_bits() ^ other.to_bits()).wrapping_shl(96)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => own.to_bits() ^ other.to_bits(),
            _ => return false,
        };
        differ.leading_zeros() >= self.bits
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(records: &[&str]) -> Origin {
        let mut origin = Origin::default();
        for record in records {
            origin.attribute(record.as_bytes());
        }
        origin
    }

    #[test]
    fn the_best_that_is_known_names_an_origin() {
        for (records, kind, name) in [
            (&[][..], Kind::Unknown, ""),
            (&["rewrite_context=local", "sasl", "=x"], Kind::Unknown, ""),
            (&["client_address=192.0.2.1"], Kind::Client, "192.0.2.1"),
            (
                &["log_client_address=192.0.2.9", "client_address=127.0.0.1"],
                Kind::Client,
                "192.0.2.9",
            ),
            (
                &["client_address=127.0.0.1", "log_client_address=2001:db8::1"],
                Kind::Client,
                "2001:db8::1",
            ),
            (
                &["log_client_address=IPv6:2001:db8::1"],
                Kind::Client,
                "2001:db8::1",
            ),
            (
                &["log_client_address=unknown", "client_address=192.0.2.1"],
                Kind::Client,
                "192.0.2.1",
            ),
            (
                &[
                    "client_address=192.0.2.1",
                    "sasl_username=bob=x",
                    "sasl_method=PLAIN",
                ],
                Kind::Login,
                "bob=x",
            ),
        ] {
            let origin = origin(records);
            let mut found = Vec::new();
            origin.name(origin.kind(), &mut found);
            assert_eq!(
                (origin.kind(), found.as_slice()),
                (kind, name.as_bytes()),
                "{records:?}"
            );
        }
        let long = origin(&[&format!("sasl_username={}", "x".repeat(5000))]);
        assert_eq!(long.login.len(), MAX_VALUE);
    }

    proptest! {
        #[test]
        fn the_identity_is_that_of_all_attributes(
            records in proptest::collection::vec(
                (
                    prop::sample::select(vec![
                        "sasl_username", "sasl_method", "sasl_username2", "client_address", "log_client_address",
                        "client_name", "log_client_name", "client", "log_helo_name", "protocol_name", "",
                    ]),
                    prop::sample::select(vec!["=", ""]),
                    prop::sample::select(vec!["", "unknown", "192.0.2.1", "anna", "=", "x=y"]),
                ),
                0..12,
            ),
        ) {
            let (mut all, mut identity) = (Origin::default(), Origin::default());
            for (name, equal, value) in records {
                let record = [name, equal, value].concat();
                all.attribute(record.as_bytes());
                identity.identity(record.as_bytes());
            }
            prop_assert_eq!((all.login, all.client), (identity.login, identity.client));
        }
    }

    #[test]
    fn requeued_mail_is_that_of_its_submitter() {
        let read = |lines: &[&str], owner| {
            let mut origin = Origin::default();
            for line in lines {
                origin.header(line.as_bytes());
            }
            origin.owner(owner);
            origin.user
        };
        let pickup = "Received: by h (Postfix, from userid 107)";
        let web = "Received: by h (Postfix, from userid 33)";
        let forged = "Received: by h (Postfix, from userid 1)";
        for (lines, user) in [
            (&[pickup, web, forged][..], Some(33)),
            (&[web, forged], Some(33)),
            (&[pickup, "Subject: x", web], Some(33)),
            (&[pickup, "Received: from x by h"], Some(107)),
            (&[pickup], Some(107)),
            (&["Received: from x by h", web], None),
        ] {
            assert_eq!(read(lines, 107), user, "{lines:?}");
        }
    }

    #[test]
    fn the_user_is_read_from_the_header_of_pickup() {
        for (line, user) in [
            (
                "Received: by mail.example (Postfix, from userid 33)",
                Some(33),
            ),
            ("received: by h (Postfix, from userid 0)", Some(0)),
            ("Received: from evil (x, from userid 7)", None),
            ("Received: by h (Postfix, from userid x)", None),
            ("Received: by h (Postfix, from userid 99999999999)", None),
            ("Subject: by h (Postfix, from userid 33)", None),
            ("Received:", None),
        ] {
            let mut origin = Origin::default();
            origin.header(line.as_bytes());
            assert_eq!(origin.user, user, "{line}");
        }
        let mut relayed = origin(&["client_address=192.0.2.1"]);
        relayed.header(b"Received: by h (Postfix, from userid 33)");
        assert_eq!(relayed.user, None, "a client may write what it likes");
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (network, address, holds) in [
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("2001:db8::/32", "2001:db8:1::5", true),
            ("[IPv6:2001:db8::1]", "2001:db8::1", true),
            ("2001:db8::/64", "2001:db8:0:1::1", false),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let network = Network::parse(network.as_bytes()).unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                holds,
                "{address}"
            );
        }
        for text in ["", "x", "1.2.3.4/33", "1.2.3.4/", "::/129", "1.2.3/8"] {
            assert_eq!(Network::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(network_of("192.0.2.77".parse().unwrap()), "192.0.2.0/24");
        assert_eq!(
            network_of("2001:db8:1:2:3::4".parse().unwrap()),
            "2001:db8:1:2::/64"
        );
    }
}
