//! Output without names, to be pasted into a public ticket: local parts, logins, clients, HELO names,
//! subjects and other headers, and what names somebody in a delay reason become tokens.
//!
//! A token is a keyed hash: the same name gives the same token within one run, or with one key file, and
//! without the key nobody learns anything from it. SipHash-2-4 with 128 bits of key and output is a
//! pseudorandom function made for short texts, and its crate needs no other.
//!
//! What stays: domains of senders and recipients, queue IDs, times, sizes, status codes, the words of
//! reasons that name nobody. Loopback addresses and users below `FIRST_PERSON` stay, too.

mod key;
mod reason;

use std::net::IpAddr;
use std::path::Path;

use crate::error::Result;
use crate::origins::Grouping;
use crate::postfix::address;
use crate::postfix::defer_log::NO_ADDRESS;
use crate::postfix::origin::{Kind, Origin, address_of};
use crate::postfix::status_code::is_status_code;
use crate::scan::{MessageRow, OwnerFault, Rewrite};
use crate::show::{Header, Story};

use key::Key;
use reason::{Names, SHORTEST_NAME};

/// The first number of users who are persons; those below are services (Debian Policy, 9.2.2).
pub(crate) const FIRST_PERSON: u32 = 1000;

/// Headers whose names say nothing about a site.
const HEADERS: [&str; 33] = [
    "arc-authentication-results",
    "arc-message-signature",
    "arc-seal",
    "auto-submitted",
    "bcc",
    "cc",
    "content-transfer-encoding",
    "content-type",
    "date",
    "delivered-to",
    "dkim-signature",
    "errors-to",
    "feedback-id",
    "from",
    "in-reply-to",
    "list-id",
    "list-unsubscribe",
    "message-id",
    "mime-version",
    "organization",
    "precedence",
    "received",
    "references",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "user-agent",
    "x-mailer",
    "x-originating-ip",
    "x-php-originating-script",
    "x-priority",
];
/// SASL mechanisms and protocols, which are not names.
const MECHANISMS: [&str; 20] = [
    "ANONYMOUS",
    "CRAM-MD5",
    "DIGEST-MD5",
    "ESMTP",
    "ESMTPA",
    "ESMTPS",
    "ESMTPSA",
    "EXTERNAL",
    "GSSAPI",
    "LOGIN",
    "NTLM",
    "OAUTHBEARER",
    "PLAIN",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SMTP",
    "UTF8SMTP",
    "UTF8SMTPS",
    "UTF8SMTPSA",
    "XOAUTH2",
];

/// What stands for the null sender in queue files, logs and tables.
const NO_PERSON: [&[u8]; 3] = [NO_ADDRESS, b"(MAILER-DAEMON)", b"MAILER-DAEMON"];

/// Makes tokens.
#[derive(Clone)]
pub struct Anonymizer {
    key: Key,
}

impl Anonymizer {
    /// One with a random key: its tokens cannot be made again.
    ///
    /// # Errors
    /// If the system has no random bytes.
    pub fn random() -> Result<Self> {
        Ok(Anonymizer {
            key: Key::random()?,
        })
    }

    /// One whose tokens are the same with the same file.
    ///
    /// # Errors
    /// If the file cannot be read, is too short or too long, or others may read it.
    pub fn of_file(path: &Path) -> Result<Self> {
        Ok(Anonymizer {
            key: Key::of_file(path)?,
        })
    }

    #[cfg(test)]
    pub(crate) fn of_bytes(bytes: &[u8; 32]) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Anonymizer::of_file(&path).unwrap()
    }

    /// `kind-HASH` for `text`; nothing for nothing.
    fn token(&self, kind: &str, text: &[u8]) -> Vec<u8> {
        if text.is_empty() {
            return Vec::new();
        }
        let hash = self.key.hash(kind, text) & 0xffff_ffff_ffff;
        format!("{kind}-{hash:012x}").into_bytes()
    }

    /// The token of the local part of an address, in which the case of the domain does not count.
    fn user(&self, address: &[u8]) -> Vec<u8> {
        let mut folded = Vec::new();
        address::fold(&unquoted(address), &mut folded);
        self.token("user", &folded)
    }

    /// An address with its local part replaced; the domain stays.
    pub(crate) fn address(&self, address: &[u8]) -> Vec<u8> {
        if address.is_empty() || NO_PERSON.contains(&address) {
            return address.to_vec();
        }
        let mut out = self.user(address);
        if let Some(at) = memchr::memrchr(b'@', address) {
            let domain = address.get(at + 1..).unwrap_or_default();
            out.push(b'@');
            out.extend_from_slice(&self.domain(domain));
        }
        out
    }

    /// A destination domain, as [`Anonymizer::domain`]. An address without a domain is its own destination: a name
    /// without a dot becomes what [`Anonymizer::address`] makes of it.
    pub fn destination(&self, domain: &[u8]) -> Vec<u8> {
        let is_name = !domain.contains(&b'.') && !domain.starts_with(b"[");
        match is_name && !domain.eq_ignore_ascii_case(b"localhost") {
            true => self.address(domain),
            false => self.domain(domain),
        }
    }

    /// A domain stays as it is; a literal address and what cannot be a domain become tokens.
    pub fn domain(&self, domain: &[u8]) -> Vec<u8> {
        let letter = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || *byte > 127
        };
        if domain.iter().all(letter) && address_of(domain).is_none() {
            return domain.to_vec();
        }
        match address_of(domain) {
            Some(address) => [b"[", &self.ip(address)[..], b"]"].concat(),
            None => self.token("domain", domain),
        }
    }

    /// The token of a client's address.
    fn ip(&self, address: IpAddr) -> Vec<u8> {
        let address = address.to_canonical();
        match address.is_loopback() {
            true => address.to_string().into_bytes(),
            false => self.token("ip", address.to_string().as_bytes()),
        }
    }

    fn client(&self, client: &[u8]) -> Vec<u8> {
        match address_of(client) {
            Some(address) => self.ip(address),
            None => self.token("client", client),
        }
    }

    fn host(&self, name: &[u8]) -> Vec<u8> {
        match address_of(name) {
            Some(address) => self.ip(address),
            None if name.eq_ignore_ascii_case(b"localhost") => name.to_vec(),
            None => self.token("host", &name.to_ascii_lowercase()),
        }
    }

    fn mechanism(&self, name: &[u8]) -> Vec<u8> {
        let is = |known: &&str| known.as_bytes().eq_ignore_ascii_case(name);
        match MECHANISMS.iter().any(is) {
            true => name.to_vec(),
            false => self.token("word", name),
        }
    }

    /// The number of a local user: a person's becomes another one.
    fn uid(&self, user: u32) -> u32 {
        match user < FIRST_PERSON {
            true => user,
            false => 0x8000_0000 | self.key.hash("uid", &user.to_be_bytes()) as u32,
        }
    }

    /// Free text, such as a delay reason.
    pub fn text(&self, text: &[u8]) -> Vec<u8> {
        self.text_about(text, &Names::new())
    }

    /// Free text of a message in which `names` are names of persons.
    fn text_about(&self, text: &[u8], names: &Names) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 32);
        reason::write(text, self, names, &mut out);
        out
    }

    /// An enhanced status code as it is.
    pub fn code(&self, code: &[u8]) -> Vec<u8> {
        match is_status_code(code) {
            true => code.to_vec(),
            false => self.text(code),
        }
    }

    fn in_origin(&self, origin: &mut Origin) {
        origin.login = self.token("login", &origin.login);
        origin.method = self.mechanism(&origin.method);
        origin.client = self.client(&origin.client);
        origin.client_name = self.host(&origin.client_name);
        origin.helo = self.host(&origin.helo);
        origin.protocol = self.mechanism(&origin.protocol);
        origin.user = origin.user.map(|user| self.uid(user));
    }

    /// A name in the table of origins.
    pub fn origin(&self, by: Grouping, kind: u8, name: &[u8]) -> Vec<u8> {
        let is = |wanted: Kind| by == Grouping::Best && kind == wanted as u8;
        match by {
            _ if name.is_empty() => Vec::new(),
            _ if is(Kind::Login) => self.token("login", name),
            _ if is(Kind::Client) => self.client(name),
            _ if is(Kind::Unknown) => name.to_vec(),
            Grouping::Best | Grouping::User => {
                let user = std::str::from_utf8(name)
                    .ok()
                    .and_then(|name| name.parse().ok());
                user.map_or_else(
                    || self.token("user", name),
                    |user| self.uid(user).to_string().into_bytes(),
                )
            }
            Grouping::Login => self.token("login", name),
            Grouping::Client => self.client(name),
            Grouping::Network => self.token("network", name),
            Grouping::Sender => self.address(name),
            Grouping::SenderDomain => self.destination(name),
            Grouping::Helo => self.host(name),
            Grouping::Subject => self.token("subject", name),
        }
    }

    fn header(&self, header: &Header) -> Header {
        let lower = header.name.to_ascii_lowercase();
        let name = std::str::from_utf8(&lower).unwrap_or_default();
        let known = HEADERS.contains(&name);
        let value = match name {
            "date" => self.text(&header.value),
            "from" | "to" | "cc" | "bcc" | "sender" | "reply-to" => self.mailboxes(&header.value),
            _ if known => self.token(name, &header.value),
            _ => self.token("text", &header.value),
        };
        Header {
            name: match known {
                true => header.name.clone(),
                false => self.token("header", &lower),
            },
            value,
        }
    }

    /// The addresses of a list of mailboxes, without display names.
    fn mailboxes(&self, value: &[u8]) -> Vec<u8> {
        let between = |byte: &u8| {
            byte.is_ascii_whitespace()
                || matches!(byte, b'<' | b'>' | b',' | b';' | b'"' | b'(' | b')')
        };
        let words = value.split(|byte| between(byte));
        let addresses = words.filter(|word| word.contains(&b'@'));
        let tokens: Vec<Vec<u8>> = addresses.map(|word| self.address(word)).collect();
        match tokens.is_empty() {
            true => self.token("text", value),
            false => tokens.join(&b", "[..]),
        }
    }

    /// A message of a list with all of its texts replaced.
    pub fn row(&self, row: &MessageRow) -> MessageRow {
        let mut names = Names::new();
        let originals = (0..row.recipient_count()).filter_map(|place| row.original(place));
        for address in row.recipients().chain(originals) {
            add_name(address, &mut names);
        }
        add_name(&row.sender, &mut names);
        add_name(&row.origin.login, &mut names);
        row.rewritten(&Rewriting {
            anonymizer: self,
            names,
        })
    }

    /// A fault with the number of a person replaced.
    pub(crate) fn owner_fault(&self, fault: OwnerFault) -> OwnerFault {
        match fault {
            OwnerFault::Owner { found, expected } => OwnerFault::Owner {
                found: self.uid(found),
                expected,
            },
            fault => fault,
        }
    }

    /// Replaces every name of a person in `story`. Its text has no safe form and must not be asked for.
    pub fn story(&self, story: &mut Story) {
        let mut names = Names::new();
        for recipient in &story.recipients {
            add_name(&recipient.address, &mut names);
            add_name(
                recipient.original.as_deref().unwrap_or_default(),
                &mut names,
            );
        }
        add_name(story.sender.as_deref().unwrap_or_default(), &mut names);
        add_name(&story.origin.login, &mut names);
        let address = |text: &Vec<u8>| self.address(text);
        story.sender = story.sender.as_ref().map(address);
        story.redirect = story.redirect.as_ref().map(address);
        story.filter = story.filter.as_ref().map(|filter| self.text(filter));
        self.in_origin(&mut story.origin);
        story.inode.owner = self.uid(story.inode.owner);
        story.fault = story.fault.map(|fault| self.owner_fault(fault));
        story.body = None;
        for recipient in &mut story.recipients {
            recipient.address = self.address(&recipient.address);
            recipient.original = recipient.original.as_ref().map(address);
            if let Some(tried) = &mut recipient.tried {
                tried.code = self.code(&tried.code);
                tried.reason = self.text_about(&tried.reason, &names);
                tried.next_hop = self.text(&tried.next_hop);
            }
        }
        for header in &mut story.headers {
            *header = self.header(header);
        }
    }
}

/// Replaces the texts of one message.
struct Rewriting<'a> {
    anonymizer: &'a Anonymizer,
    names: Names,
}

impl Rewrite for Rewriting<'_> {
    fn address(&self, address: &[u8]) -> Vec<u8> {
        self.anonymizer.address(address)
    }

    fn text(&self, text: &[u8]) -> Vec<u8> {
        self.anonymizer.text_about(text, &self.names)
    }

    fn code(&self, code: &[u8]) -> Vec<u8> {
        self.anonymizer.code(code)
    }

    fn origin(&self, origin: &mut Origin) {
        self.anonymizer.in_origin(origin);
    }
}

/// Adds the local part of `address`, which often is a person's name.
fn add_name(address: &[u8], names: &mut Names) {
    let address = unquoted(address);
    let end = memchr::memrchr(b'@', &address).unwrap_or(address.len());
    let local = address.get(..end).unwrap_or_default();
    if local.len() >= SHORTEST_NAME {
        names.insert(local.to_ascii_lowercase());
    }
}

/// An address as in the queue file: logs put its local part into quotes where RFC 5321 wants them.
fn unquoted(address: &[u8]) -> Vec<u8> {
    let quoted = address.strip_prefix(b"\"").and_then(|rest| {
        let end = memchr::memmem::rfind(rest, b"\"@")?;
        Some((rest.get(..end)?, rest.get(end + 1..)?))
    });
    let Some((local, domain)) = quoted else {
        return address.to_vec();
    };
    let mut out = Vec::with_capacity(address.len());
    let mut bytes = local.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => out.extend(bytes.next()),
            byte => out.push(*byte),
        }
    }
    out.extend_from_slice(domain);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_domain_and_nothing_else() {
        let anonymizer = Anonymizer::of_bytes(&[9; 32]);
        let address =
            |text: &str| String::from_utf8_lossy(&anonymizer.address(text.as_bytes())).into_owned();
        let bob = address("bob@dest.example");
        assert!(
            bob.starts_with("user-") && bob.ends_with("@dest.example"),
            "{bob}"
        );
        assert_eq!(address("bob@DEST.example").to_lowercase(), bob);
        assert_ne!(address("rob@dest.example"), bob);
        assert_eq!(address("john doe@x"), address("\"john doe\"@x"));
        assert_eq!(address(""), "");
        for (text, gone) in [
            ("root", "root"),
            ("bob@[192.0.2.7]", "192.0.2.7"),
            ("bob@a b.example", "b.example"),
            ("@route,@two:bob@x", "route"),
        ] {
            let found = address(text);
            assert!(
                !found.contains(gone) && !found.contains("bob"),
                "{text}: {found}"
            );
        }
    }

    #[test]
    fn headers_keep_names_that_say_nothing() {
        let anonymizer = Anonymizer::of_bytes(&[9; 32]);
        let header = |name: &str, value: &str| {
            let header = anonymizer.header(&Header {
                name: name.into(),
                value: value.into(),
            });
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (text(&header.name), text(&header.value))
        };
        let (name, value) = header("From", "Bob Roe <bob@dest.example>, x@y.example");
        assert_eq!(name, "From");
        assert_eq!(value.matches("user-").count(), 2);
        assert!(
            !value.contains("ob") && value.contains("@dest.example, "),
            "{value}"
        );
        let (name, value) = header("X-Site-Secret", "secret");
        assert!(
            name.starts_with("header-") && value.starts_with("text-"),
            "{name}: {value}"
        );
        assert!(header("Subject", "secret").1.starts_with("subject-"));
        let date = "Mon, 23 Nov 2026 18:58:28 +0000 (UTC)";
        assert_eq!(header("Date", date).1, date);
    }
}
