//! Splits a delay reason: who speaks, about which peer, and the significant words.
//!
//! The forms are those of Postfix 3.x: smtp_connect.c (`connect to NAME[ADDR]:PORT: ERROR`), smtp_trouble.c
//! (`lost connection with`, `conversation with ... timed out`), smtp_proto.c (`host ... said:`,
//! `host ... refused to talk to me:`), smtp_sasl_glue.c (`server ... said:`), qmgr_deliver.c and
//! qmgr_queue.c (`delivery temporarily suspended:` before the reason of the last attempt).

use super::next_hop::{NextHop, Peer};

/// Who speaks in a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Postfix itself, about this host or about a name.
    Postfix,
    /// The system, about a connection that was tried.
    Connect,
    /// Postfix, about a session that broke off.
    Session,
    /// The peer, in an SMTP or LMTP reply.
    Reply,
}

/// The parts of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    /// Who speaks.
    pub(crate) said: Said,
    /// The peer, if the reason has one.
    pub(crate) peer: Option<Peer<'a>>,
    /// The significant words: of a reply the peer's own, else the reason without its prefix.
    pub(crate) text: &'a [u8],
    /// The whole reason without `delivery temporarily suspended:`.
    pub(crate) whole: &'a [u8],
    /// How far the session was when the peer replied.
    pub(crate) stage: Stage,
}

/// How far a session was when the peer replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The peer did not know the sender yet.
    Greeting,
    /// The peer knew the sender and no recipient.
    Sender,
    /// Later, or the reason does not say.
    Later,
}

/// What stands before the name in Postfix's own texts (dns_lookup.c, smtp_addr.c, smtp_proto.c).
const BEFORE: [&[u8]; 7] = [
    b"Name service error for name=",
    b"Error looking up name=",
    b"unable to look up host ",
    b"unable to find primary relay for ",
    b"TLS is required, but was not offered by host ",
    b"cannot authenticate to server ",
    b"SASL authentication failed: server ",
];

impl<'a> Parts<'a> {
    /// Returns true if the reason shows that a mail server answered, or took a command before it broke off.
    pub(crate) fn shows_session(&self) -> bool {
        match self.said {
            Said::Reply => true,
            // Behind a port that only takes connections no command is sent.
            Said::Session => memchr::memmem::find(self.whole, b" while sending ").is_some(),
            Said::Postfix | Said::Connect => false,
        }
    }

    /// Returns true if it is about TLS with a server that Postfix does not name (smtp_proto.c).
    pub(crate) fn is_about_unnamed_tls(&self) -> bool {
        let starts = [&b"Server certificate not "[..], b"Cannot start TLS: "];
        self.said == Said::Postfix && starts.iter().any(|start| self.whole.starts_with(start))
    }

    /// The next hop that the reason is about.
    pub(crate) fn next_hop(&self) -> Option<NextHop<'a>> {
        if let Some(peer) = self.peer {
            return Some(NextHop::Peer(peer));
        }
        if self.said != Said::Postfix {
            return None;
        }
        BEFORE.into_iter().find_map(|before| {
            let start = memchr::memmem::find(self.whole, before)?;
            let rest = self.whole.get(start + before.len()..)?;
            if let Some((peer, _)) = Peer::read(rest) {
                return Some(NextHop::Peer(peer));
            }
            let end = rest
                .iter()
                .position(|byte| matches!(byte, b' ' | b':' | b','))
                .unwrap_or(rest.len());
            let name = rest.get(..end)?;
            (!name.is_empty()).then_some(NextHop::Name(name))
        })
    }
}

const SUSPENDED: &[u8] = b"delivery temporarily suspended: ";

/// Returns the reason without `delivery temporarily suspended:` before it. qmgr adds that once for each time
/// that a reason passes through a suspended queue.
pub(crate) fn unsuspended(reason: &[u8]) -> &[u8] {
    let mut rest = reason.trim_ascii();
    // Each pass removes the prefix, so the text gets shorter.
    while let Some(inner) = rest.strip_prefix(SUSPENDED) {
        rest = inner.trim_ascii_start();
    }
    rest
}

/// Splits `reason`.
pub(crate) fn split(reason: &[u8]) -> Parts<'_> {
    let whole = unsuspended(reason);
    let (said, peer, text) = connection(whole)
        .or_else(|| session(whole))
        .or_else(|| reply(whole))
        .unwrap_or((Said::Postfix, None, whole));
    Parts {
        said,
        peer,
        text,
        whole,
        stage: match said {
            Said::Reply => stage(whole),
            _ => Stage::Later,
        },
    }
}

type Found<'a> = (Said, Option<Peer<'a>>, &'a [u8]);

/// Parses `connect to mx.example[192.0.2.5]:25: Connection refused`.
fn connection(whole: &[u8]) -> Option<Found<'_>> {
    let rest = whole.strip_prefix(b"connect to ")?;
    let (peer, after) = Peer::read(rest)?;
    Some((
        Said::Connect,
        Some(peer),
        after.strip_prefix(b": ").unwrap_or(after),
    ))
}

/// Parses `lost connection with mx.example[192.0.2.5] while sending MAIL FROM`.
fn session(whole: &[u8]) -> Option<Found<'_>> {
    let rest = [
        &b"lost connection with "[..],
        b"conversation with ",
        b"local data error while talking to ",
    ]
    .into_iter()
    .find_map(|start| whole.strip_prefix(start))?;
    let (peer, _) = Peer::read(rest)?;
    Some((Said::Session, Some(peer), whole))
}

/// Parses `host mx.example[192.0.2.5] said: 450 ... (in reply to RCPT TO command)` and similar forms.
fn reply(whole: &[u8]) -> Option<Found<'_>> {
    /// The text before the peer, and the texts between the peer and the reply.
    const FORMS: [(&[u8], &[&[u8]]); 5] = [
        (b"host ", &[b" said: ", b" refused to talk to me: "]),
        (
            b"Protocol error: host ",
            &[b" said: ", b" refused to talk to me: "],
        ),
        (b"TLS is required, but host ", &[b" refused to start TLS: "]),
        (b"SASL authentication failed; server ", &[b" said: "]),
        (
            b"SASL [CACHED] authentication failed; server ",
            &[b" said: "],
        ),
    ];
    for (start, middles) in FORMS {
        let Some(rest) = whole.strip_prefix(start) else {
            continue;
        };
        let (peer, after) = Peer::read(rest)?;
        let words = middles
            .iter()
            .find_map(|middle| after.strip_prefix(*middle))?;
        return Some(match start {
            b"host " | b"Protocol error: host " => {
                (Said::Reply, Some(peer), without_command(words))
            }
            // Postfix's own words before the reply say what is the matter. Those of the reply would count as
            // words about this host.
            _ => {
                let own = whole.strip_suffix(words).unwrap_or(whole);
                (Said::Postfix, Some(peer), own)
            }
        });
    }
    None
}

/// How far the session was at the reply that `whole` quotes.
fn stage(whole: &[u8]) -> Stage {
    const OPENING: [&[u8]; 4] = [b"HELO", b"EHLO", b"LHLO", b"STARTTLS"];
    let Some(place) = memchr::memmem::rfind(whole, IN_REPLY) else {
        // Such a reply names no command.
        return match memchr::memmem::find(whole, b"] refused to talk to me: ") {
            Some(_) => Stage::Greeting,
            None => Stage::Later,
        };
    };
    let command = whole.get(place + IN_REPLY.len()..).unwrap_or_default();
    if OPENING.iter().any(|verb| command.starts_with(verb)) {
        return Stage::Greeting;
    }
    match command.starts_with(b"MAIL FROM") {
        true => Stage::Sender,
        false => Stage::Later,
    }
}

/// What Postfix puts between a reply and the command that it answers.
const IN_REPLY: &[u8] = b" (in reply to ";

/// Returns a reply without `(in reply to ... command)` at its end.
fn without_command(words: &[u8]) -> &[u8] {
    match memchr::memmem::rfind(words, IN_REPLY) {
        Some(end) if words.ends_with(b")") => words.get(..end).unwrap_or(words),
        _ => words,
    }
}

/// Returns the reply code and the enhanced status code at the start of a reply: `450 4.2.0 ...`,
/// `421-4.7.28 ...`. Either may be absent.
pub(crate) fn codes(text: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    let Some((reply, rest)) = text.split_at_checked(3) else {
        return (None, None);
    };
    if !reply.iter().all(u8::is_ascii_digit) || !matches!(rest.first(), None | Some(b' ' | b'-')) {
        return (None, None);
    }
    let rest = rest.get(1..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|byte| !(byte.is_ascii_digit() || *byte == b'.'))
        .unwrap_or(rest.len());
    let enhanced = rest.get(..end).unwrap_or_default();
    let enhanced = crate::postfix::status_code::is_status_code(enhanced).then_some(enhanced);
    (Some(reply), enhanced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_postfix_come_apart() {
        let rows: &[(&str, Said, &str, &str)] = &[
            (
                "connect to mx.a.example[192.0.2.5]:25: Connection refused",
                Said::Connect,
                "mx.a.example",
                "Connection refused",
            ),
            (
                "connect to mail.example.org[private/dovecot-lmtp]: No such file or directory",
                Said::Connect,
                "mail.example.org",
                "No such file or directory",
            ),
            (
                "delivery temporarily suspended: delivery temporarily suspended: connect to a.example[2001:db8::1]:25: Connection timed out",
                Said::Connect,
                "a.example",
                "Connection timed out",
            ),
            (
                "host a.example[192.0.2.5] said: 450 4.7.1 <u@x.example>: no (in reply to RCPT TO command)",
                Said::Reply,
                "a.example",
                "450 4.7.1 <u@x.example>: no",
            ),
            (
                "host a.example[192.0.2.5] refused to talk to me: 421 busy",
                Said::Reply,
                "a.example",
                "421 busy",
            ),
            (
                "conversation with a.example[192.0.2.5] timed out while sending RCPT TO",
                Said::Session,
                "a.example",
                "conversation with a.example[192.0.2.5] timed out while sending RCPT TO",
            ),
            (
                "SASL authentication failed; server r.example[192.0.2.1] said: 535 5.7.8 no",
                Said::Postfix,
                "r.example",
                "SASL authentication failed; server r.example[192.0.2.1] said: ",
            ),
            (
                "TLS is required, but host r.example[192.0.2.1] refused to start TLS: 454 4.3.1 no space left on device",
                Said::Postfix,
                "r.example",
                "TLS is required, but host r.example[192.0.2.1] refused to start TLS: ",
            ),
        ];
        for (reason, said, name, text) in rows {
            let parts = split(reason.as_bytes());
            assert_eq!(parts.said, *said, "{reason}");
            assert_eq!(
                parts.peer.map(|peer| peer.name),
                Some(name.as_bytes()),
                "{reason}"
            );
            assert_eq!(parts.text, text.as_bytes(), "{reason}");
        }
    }

    #[test]
    fn what_only_looks_like_a_form_is_postfix_itself() {
        for reason in [
            "",
            "connect to ",
            "connect to nobody",
            "host ",
            "host a.example[192.0.2.5] thinks: no",
            "lost connection with",
            "temporary failure. Command output: host x[1.2.3.4] said: 450",
        ] {
            let parts = split(reason.as_bytes());
            assert_eq!((parts.said, parts.peer), (Said::Postfix, None), "{reason}");
            assert_eq!(parts.text, reason.trim().as_bytes());
        }
    }

    #[test]
    fn a_reply_tells_how_far_the_session_was() {
        for (end, stage) in [
            ("refused to talk to me: 421 no", Stage::Greeting),
            ("said: 421 no (in reply to EHLO command)", Stage::Greeting),
            (
                "said: 450 no (in reply to MAIL FROM command)",
                Stage::Sender,
            ),
            ("said: 450 no (in reply to RCPT TO command)", Stage::Later),
            (
                "said: 450 no (in reply to end of DATA command)",
                Stage::Later,
            ),
            ("said: 450 no", Stage::Later),
        ] {
            let reason = format!("host a.example[192.0.2.5] {end}");
            assert_eq!(split(reason.as_bytes()).stage, stage, "{end}");
        }
        assert_eq!(
            split(b"temporary failure (in reply to MAIL FROM").stage,
            Stage::Later
        );
    }

    #[test]
    fn codes_stand_at_the_start_of_a_reply() {
        let rows: &[(&str, Option<&str>, Option<&str>)] = &[
            ("450 4.2.0 wait", Some("450"), Some("4.2.0")),
            ("421-4.7.28 slow", Some("421"), Some("4.7.28")),
            ("451 try later", Some("451"), None),
            ("451", Some("451"), None),
            ("4.2.0 wait", None, None),
            ("", None, None),
            ("4512 x", None, None),
        ];
        for (text, reply, enhanced) in rows {
            assert_eq!(
                codes(text.as_bytes()),
                (reply.map(str::as_bytes), enhanced.map(str::as_bytes)),
                "{text}"
            );
        }
    }
}
