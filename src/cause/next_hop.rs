//! Peers in delay reasons, and the next hops that main.cf configures.
//!
//! A reason contains its peer as `NAME[ADDRESS]`, followed by `:PORT` if a connection was tried
//! (smtp_connect.c). For a socket, its path is in the brackets. main.cf gives next hops as `[HOST]:PORT`,
//! `HOST`, `TRANSPORT:[HOST]:PORT`, `lmtp:unix:PATH` or `lmtp:inet:HOST:PORT` (transport(5), lmtp(8)).

use std::net::IpAddr;

/// Bytes of a next hop in tables.
const MAX_NAME: usize = 128;
/// The longest name or address of a peer, in bytes.
pub(crate) const MAX_PEER: usize = 512;

/// A peer in a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer<'a> {
    /// The name before the brackets.
    pub name: &'a [u8],
    /// The text in the brackets: an IP address or the path of a socket.
    pub address: &'a [u8],
    /// The port, if the reason has it.
    pub(crate) port: Option<&'a [u8]>,
}

impl<'a> Peer<'a> {
    /// Parses `NAME[ADDRESS]` or `NAME[ADDRESS]:PORT` at the start of `text`. Returns the peer and the rest.
    pub(crate) fn read(text: &'a [u8]) -> Option<(Peer<'a>, &'a [u8])> {
        let near = text.get(..MAX_PEER).unwrap_or(text);
        let open = memchr::memchr(b'[', near)?;
        let name = near.get(..open)?;
        if name.iter().any(u8::is_ascii_whitespace) {
            return None;
        }
        let close = open + memchr::memchr(b']', near.get(open..)?)?;
        let address = near.get(open + 1..close)?;
        let after = text.get(close + 1..).unwrap_or_default();
        let digits = after.strip_prefix(b":").map_or(0, |rest| {
            rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        });
        let (port, after) = match digits {
            1..=5 => (after.get(1..=digits), after.get(digits + 1..)?),
            _ => (None, after),
        };
        let peer = Peer {
            name,
            address,
            port,
        };
        Some((peer, after))
    }

    /// Returns true if the address is the path of a socket.
    pub(crate) fn is_socket(&self) -> bool {
        self.address.contains(&b'/')
    }

    /// Returns true if the peer is on this host: a socket or a loopback address.
    pub(crate) fn is_local(&self) -> bool {
        self.is_socket() || is_loopback(self.address)
    }

    /// Returns true if the peer is neither on this host nor in a private or local network (RFC 1918, 3927, 4193, 4291).
    pub(crate) fn is_outside(&self) -> bool {
        if self.is_local() {
            return false;
        }
        match address(self.address) {
            Some(IpAddr::V4(address)) => !(address.is_private() || address.is_link_local()),
            Some(IpAddr::V6(address)) => {
                !(address.is_unique_local() || address.is_unicast_link_local())
            }
            None => true,
        }
    }

    /// Writes the name of the peer in tables: its host name, or for a socket its path; with the port unless it
    /// is the SMTP port.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.is_socket() {
            out.extend_from_slice(self.address);
            return;
        }
        let unnamed = self.name.is_empty() || self.name == b"unknown";
        out.extend_from_slice(if unnamed { self.address } else { self.name });
        if let Some(port) = self.port.filter(|port| *port != b"25") {
            out.push(b':');
            out.extend_from_slice(port);
        }
    }
}

/// Parses an address as Postfix prints it, or as main.cf has it in brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = match text.get(..5) {
        Some(head) if head.eq_ignore_ascii_case(b"ipv6:") => text.get(5..).unwrap_or_default(),
        _ => text,
    };
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}

fn is_loopback(text: &[u8]) -> bool {
    match address(text) {
        Some(address) => address.is_loopback(),
        None => text.eq_ignore_ascii_case(b"localhost"),
    }
}

/// The role of a configured next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Mail leaves through it: `relayhost`, `default_transport`, a fallback relay.
    Relay,
    /// Mail passes through it or ends in it on this site: `content_filter`, an LMTP transport.
    Service,
}

/// One configured next hop.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hop {
    host: Box<[u8]>,
    port: Option<Box<[u8]>>,
    role: Role,
    /// True if the host is looked up as a mail domain, so that peers have other names.
    by_mx: bool,
}

/// What a reason is about: a peer, or a name that could not be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextHop<'a> {
    /// A server or a socket.
    Peer(Peer<'a>),
    /// A host or domain name.
    Name(&'a [u8]),
}

impl NextHop<'_> {
    /// Puts the name that tables have into `out`, which is cleared first: cut, and without NUL.
    pub(crate) fn name(&self, out: &mut Vec<u8>) {
        out.clear();
        self.write(out);
        out.truncate(MAX_NAME);
        out.retain(|byte| *byte != 0);
    }

    /// Writes it as tables show it, such as `127.0.0.1:10024`, `mx.example`, `private/lmtp`.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            NextHop::Peer(peer) => peer.write(out),
            NextHop::Name(name) => out.extend_from_slice(name),
        }
    }
}

/// The next hops that main.cf configures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NextHops {
    hops: Vec<Hop>,
    /// All mail to other hosts leaves through `relayhost`.
    relay_alone: bool,
}

/// The parameters that set next hops, with their roles. A `relayhost` comes first: it takes precedence over
/// loopback, because a tunnel or a local relay is a relay.
pub(crate) const PARAMETERS: [(&str, Role); 10] = [
    ("relayhost", Role::Relay),
    ("default_transport", Role::Relay),
    ("relay_transport", Role::Relay),
    ("smtp_fallback_relay", Role::Relay),
    ("content_filter", Role::Service),
    ("virtual_transport", Role::Service),
    ("local_transport", Role::Service),
    ("mailbox_transport", Role::Service),
    ("fallback_transport", Role::Service),
    ("lmtp_fallback_relay", Role::Service),
];

/// The largest number of next hops that are kept; `smtp_fallback_relay` may list several.
const MAX_HOPS: usize = 64;

impl NextHops {
    /// Adds the value of the parameter `name` of [`PARAMETERS`]. It ignores other names.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        let Some((_, role)) = PARAMETERS.iter().find(|(known, _)| *known == name) else {
            return;
        };
        let bare = matches!(
            name,
            "relayhost" | "smtp_fallback_relay" | "lmtp_fallback_relay"
        );
        let values = value.split(|byte| *byte == b',' || byte.is_ascii_whitespace());
        for value in values.filter(|value| !value.is_empty()) {
            let (role, place) = if bare {
                (*role, value)
            } else {
                let colon = memchr::memchr(b':', value).filter(|colon| *colon > 0);
                let Some(colon) = colon else {
                    continue;
                };
                let (transport, place) = value.split_at_checked(colon).unwrap_or((value, b""));
                let place = place.get(1..).unwrap_or_default();
                // Mail ends at an LMTP server, on whatever host it runs.
                let lmtp = transport.starts_with(b"lmtp");
                (if lmtp { Role::Service } else { *role }, place)
            };
            if self.hops.len() < MAX_HOPS {
                self.hops.extend(hop(place, role));
            }
        }
    }

    /// Says that no table sends mail to other hosts past `relayhost`.
    pub(crate) fn no_other_way(&mut self) {
        self.relay_alone = self.hops.iter().any(|hop| hop.role == Role::Relay);
    }

    /// The role of the server that a reason is about which names none.
    pub(crate) fn relay(&self) -> Option<Role> {
        self.relay_alone.then_some(Role::Relay)
    }

    /// Returns the role of `peer`, if it is a configured next hop.
    pub(crate) fn role(&self, peer: &Peer<'_>) -> Option<Role> {
        let configured = self.hops.iter().find(|hop| hop.is(peer));
        configured.map(|hop| hop.role).or_else(|| {
            // The MX hosts of a relay domain may have any name.
            let by_mx = |hop: &Hop| hop.by_mx && hop.role == Role::Relay;
            let at_25 = peer.port.is_none_or(|port| port == b"25");
            let is_relay = self.relay_alone && at_25 && !peer.is_local();
            (is_relay && self.hops.iter().any(by_mx)).then_some(Role::Relay)
        })
    }

    /// Returns the role of the host called `name`. A reason about a failed lookup gives only a name.
    pub(crate) fn role_of_name(&self, name: &[u8]) -> Option<Role> {
        self.hops
            .iter()
            .find(|hop| hop.host.eq_ignore_ascii_case(name))
            .map(|hop| hop.role)
    }
}

impl Hop {
    fn is(&self, peer: &Peer<'_>) -> bool {
        if let (Some(wanted), Some(port)) = (&self.port, peer.port) {
            if **wanted != *port {
                return false;
            }
        }
        let same = |text: &[u8]| self.host.eq_ignore_ascii_case(text);
        if peer.is_socket() {
            return same(peer.address);
        }
        if same(peer.name) || same(peer.address) {
            return true;
        }
        // `localhost` and its addresses are the same host.
        if is_loopback(&self.host) && is_loopback(peer.address) {
            // 127.0.0.2 is not 127.0.0.1.
            return same(b"localhost") || peer.name.eq_ignore_ascii_case(b"localhost");
        }
        // The MX hosts of a relay domain usually belong to it, and all other mail goes elsewhere.
        self.by_mx
            && self.role == Role::Relay
            && !peer.is_local()
            && is_below(peer.name, &self.host)
    }
}

/// Returns true if the host `name` belongs to `domain`.
fn is_below(name: &[u8], domain: &[u8]) -> bool {
    let Some(start) = name.len().checked_sub(domain.len() + 1) else {
        return false;
    };
    name.get(start) == Some(&b'.')
        && name
            .get(start + 1..)
            .is_some_and(|end| end.eq_ignore_ascii_case(domain))
}

/// Parses `[HOST]:PORT`, `HOST:PORT`, `HOST`, `unix:PATH`, `inet:HOST:PORT`.
fn hop(place: &[u8], role: Role) -> Option<Hop> {
    if let Some(path) = place.strip_prefix(b"unix:") {
        return (!path.is_empty()).then(|| Hop {
            host: path.into(),
            port: None,
            role: Role::Service,
            by_mx: false,
        });
    }
    let place = place.strip_prefix(b"inet:").unwrap_or(place);
    let (host, after, by_mx) = match place.strip_prefix(b"[") {
        Some(inside) => {
            let close = memchr::memchr(b']', inside)?;
            (
                inside.get(..close)?,
                inside.get(close + 1..).unwrap_or_default(),
                false,
            )
        }
        None => match memchr::memrchr(b':', place) {
            Some(colon) => (place.get(..colon)?, place.get(colon..)?, true),
            None => (place, &b""[..], true),
        },
    };
    let host = match host.get(..5) {
        Some(head) if head.eq_ignore_ascii_case(b"ipv6:") => host.get(5..)?,
        _ => host,
    };
    if host.is_empty() || host.len() > MAX_PEER {
        return None;
    }
    let port = after.strip_prefix(b":").filter(|port| !port.is_empty());
    Some(Hop {
        host: host.into(),
        port: port.map(|port| port_number(port).into()),
        role,
        by_mx,
    })
}

/// Returns the number of a port that main.cf may give by name. Reasons have numbers.
fn port_number(port: &[u8]) -> &[u8] {
    match port {
        b"smtp" => b"25",
        b"submission" => b"587",
        b"submissions" | b"smtps" | b"ssmtp" | b"urd" => b"465",
        b"lmtp" => b"24",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer<'_> {
        Peer::read(text.as_bytes()).unwrap().0
    }

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        peer(text).write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_peer_is_read_with_and_without_port() {
        let (found, rest) = Peer::read(b"a.example[2001:db8::1]:25: refused").unwrap();
        assert_eq!(found.name, b"a.example");
        assert_eq!(found.address, b"2001:db8::1");
        assert_eq!(found.port, Some(&b"25"[..]));
        assert_eq!(rest, b": refused");
        let (found, rest) = Peer::read(b"a[192.0.2.1] said: 4").unwrap();
        assert_eq!(found.port, None);
        assert_eq!(rest, b" said: 4");
        for text in ["", "a", "a[b", "a b[c]", "a]["] {
            assert_eq!(Peer::read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Peer::read(&vec![b'x'; 100_000]), None);
    }

    #[test]
    fn what_is_on_this_host() {
        for local in [
            "127.0.0.1[127.0.0.1]:10024",
            "localhost[::1]",
            "x[::ffff:127.0.0.9]",
            "x[private/dovecot-lmtp]",
            "x[/run/dovecot/lmtp]",
        ] {
            assert!(peer(local).is_local(), "{local}");
        }
        for remote in ["x[192.0.2.1]", "x[2001:db8::1]:25", "localhost[192.0.2.1]"] {
            assert!(!peer(remote).is_local(), "{remote}");
        }
    }

    #[test]
    fn a_next_hop_has_one_name() {
        assert_eq!(written("127.0.0.1[127.0.0.1]:10024"), "127.0.0.1:10024");
        assert_eq!(written("mx.example[192.0.2.1]:25"), "mx.example");
        assert_eq!(written("mx.example[private/lmtp]"), "private/lmtp");
        assert_eq!(written("unknown[192.0.2.1]:587"), "192.0.2.1:587");
    }

    #[test]
    fn configured_hops_are_known_again() {
        let mut hops = NextHops::default();
        hops.add("relayhost", b"[127.0.0.1]:2525");
        hops.add("content_filter", b"smtp-amavis:[127.0.0.1]:10024");
        hops.add("virtual_transport", b"lmtp:unix:private/dovecot-lmtp");
        hops.add("mailbox_transport", b"lmtp:inet:store.example:24");
        hops.add("default_transport", b"smtp:relay.example:submission");
        hops.add("local_transport", b"local");
        hops.add("myhostname", b"[192.0.2.9]");
        let rows = [
            ("127.0.0.1[127.0.0.1]:2525", Some(Role::Relay)),
            ("127.0.0.1[127.0.0.1]:10024", Some(Role::Service)),
            // Without a port the first match counts, which is relayhost.
            ("127.0.0.1[127.0.0.1]", Some(Role::Relay)),
            ("h.example[private/dovecot-lmtp]", Some(Role::Service)),
            ("store.example[192.0.2.3]:24", Some(Role::Service)),
            ("relay.example[192.0.2.4]:587", Some(Role::Relay)),
            ("mx1.relay.example[192.0.2.4]:587", Some(Role::Relay)),
            ("mx1.relay.example[192.0.2.4]:25", None),
            ("myrelay.example[192.0.2.4]", None),
            ("x[192.0.2.9]", None),
        ];
        for (text, role) in rows {
            assert_eq!(hops.role(&peer(text)), role, "{text}");
        }
        assert_eq!(hops.role_of_name(b"RELAY.example"), Some(Role::Relay));
        assert_eq!(hops.role_of_name(b"other.example"), None);
    }

    #[test]
    fn the_mx_hosts_of_the_only_relay_have_any_name() {
        let of = |relayhost: &[u8]| {
            let mut hops = NextHops::default();
            hops.add("relayhost", relayhost);
            let mx = peer("mx1.provider.example[192.0.2.4]:25");
            let before = hops.role(&mx);
            assert_eq!((before, hops.relay()), (None, None));
            hops.no_other_way();
            (hops.role(&mx), hops.relay())
        };
        assert_eq!(of(b"relay.example"), (Some(Role::Relay), Some(Role::Relay)));
        assert_eq!(of(b"[relay.example]"), (None, Some(Role::Relay)));
        assert_eq!(of(b""), (None, None));
    }

    #[test]
    fn odd_values_configure_nothing() {
        let mut hops = NextHops::default();
        for value in ["", "[", "[]", ":25", "unix:", ",, ,"] {
            hops.add("relayhost", value.as_bytes());
            hops.add("content_filter", value.as_bytes());
        }
        hops.add("content_filter", b"filter:dummy");
        assert_eq!(hops.hops.len(), 1);
        hops.add("relayhost", &b"[a] ".repeat(1000));
        assert_eq!(hops.hops.len(), MAX_HOPS);
    }
}
