//! The key of a reason in the tables of names: status code, domain, cause, next hop and reason in one name.
//!
//! The parts are separated by NUL, which none of them holds, and are cut so that a key stays below the limit of a
//! name. Here they are put together and taken apart.

use crate::cause::classify::Judgement;
use crate::cause::parts::unsuspended;
use crate::cause::{Acts, Cause};
use crate::postfix::delay_reason::normalise;

/// Bytes of a domain in a key; with a code and a reason it stays below the limit of a name.
const MAX_DOMAIN: usize = 512;
/// Bytes of a status code; RFC 3463 needs 9.
const MAX_CODE: usize = 16;

/// Bytes of a reason that is kept as it is; with the rest of a key it stays below the limit of a name.
const MAX_RAW: usize = 340;

/// What a key says of the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) cause: Cause,
    pub(crate) acts: Acts,
    /// Whether a server elsewhere answered.
    pub(crate) answered: bool,
    /// Whether the next hop is one that this side chose.
    pub(crate) own_hop: bool,
}

impl Mark {
    const ACTS: [Acts; 5] = [
        Acts::Us,
        Acts::Them,
        Acts::Nobody,
        Acts::Both,
        Acts::Unknown,
    ];

    /// The mark of a `judgement`.
    pub(crate) fn of(judgement: &Judgement<'_>) -> Mark {
        Mark {
            cause: judgement.cause,
            acts: judgement.acts,
            answered: judgement.is_answered_from_outside(),
            own_hop: judgement.own_hop,
        }
    }

    fn write(self, key: &mut Vec<u8>) {
        let acts = Mark::ACTS.iter().position(|acts| *acts == self.acts);
        let acts = acts.unwrap_or(0) as u8;
        let acts = acts | u8::from(self.answered) << 3 | u8::from(self.own_hop) << 4;
        key.push(b'A' + self.cause.index() as u8);
        key.push(b'A' + acts);
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Mark> {
        let (cause, acts) = (bytes.first()?, bytes.get(1)?.checked_sub(b'A')?);
        Some(Mark {
            cause: *Cause::ALL.get(usize::from(cause.checked_sub(b'A')?))?,
            acts: *Mark::ACTS.get(usize::from(acts & 7))?,
            answered: acts & 8 != 0,
            own_hop: acts & 16 != 0,
        })
    }

    /// The mark in a key of the table of reasons.
    pub(crate) fn of_key(key: &[u8]) -> Option<Mark> {
        Mark::read(Parts::of(key).mark)
    }
}

/// How a reason is spelt in a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// With its changing parts replaced.
    Normal,
    /// As it is, cut.
    Raw,
}

/// Puts the key of `domain`, `code` and `reason` (raw) together in `key`, which is cleared first.
pub(crate) fn make_key(
    domain: &[u8],
    code: &[u8],
    judgement: &Judgement<'_>,
    reason: &[u8],
    key: &mut Vec<u8>,
) {
    make_key_as(Spelling::Normal, domain, code, judgement, reason, key);
}

/// The same with the reason as `spelling` says.
pub(crate) fn make_key_as(
    spelling: Spelling,
    domain: &[u8],
    code: &[u8],
    judgement: &Judgement<'_>,
    reason: &[u8],
    key: &mut Vec<u8>,
) {
    match spelling {
        Spelling::Normal => normalise(unsuspended(reason), key),
        Spelling::Raw => {
            key.clear();
            let bytes = reason.iter().filter(|byte| **byte != 0);
            key.extend(bytes.take(MAX_RAW));
        }
    }
    let mut head = Vec::with_capacity(code.len() + domain.len() + 64);
    head.extend(code.iter().take(MAX_CODE).filter(|byte| **byte != 0));
    head.push(0);
    head.extend(domain.iter().take(MAX_DOMAIN).filter(|byte| **byte != 0));
    head.push(0);
    Mark::of(judgement).write(&mut head);
    if let Some(hop) = judgement.next_hop {
        let mut name = Vec::new();
        hop.name(&mut name);
        head.append(&mut name);
    }
    head.push(0);
    key.splice(..0, head);
}

/// The parts of a key, as they stand in it.
pub(super) struct Parts<'k> {
    pub(super) code: &'k [u8],
    pub(super) domain: &'k [u8],
    /// The two bytes of its [`Mark`].
    pub(super) mark: &'k [u8],
    pub(super) next_hop: &'k [u8],
    pub(super) reason: &'k [u8],
}

impl<'k> Parts<'k> {
    /// Takes `key` apart.
    pub(super) fn of(key: &'k [u8]) -> Parts<'k> {
        let mut parts = key.splitn(4, |byte| *byte == 0);
        let mut part = || parts.next().unwrap_or_default();
        let (code, domain, marked, reason) = (part(), part(), part(), part());
        let (mark, next_hop) = marked.split_at(marked.len().min(2));
        Parts {
            code,
            domain,
            mark,
            next_hop,
            reason,
        }
    }

    /// Puts them together.
    pub(super) fn key(&self) -> Vec<u8> {
        let marked = [self.mark, self.next_hop].concat();
        [self.code, self.domain, &marked, self.reason].join(&0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::next_hop::NextHop;
    use crate::snapshot::reasons::{Reason, Why};

    #[test]
    fn the_parts_of_a_key_are_those_that_made_it() {
        let mut key = Vec::new();
        let judgement = Judgement {
            cause: Cause::Mailbox,
            acts: Acts::Them,
            own_hop: false,
            session: true,
            next_hop: Some(NextHop::Name(b"mx.x.example")),
        };
        let text = b"<a@x.example>: full";
        make_key(b"x.example", b"4.2.2", &judgement, text, &mut key);
        let why = Why::of(3, Some(7), false, Some(9));
        let reason = Reason::of(&key, &why);
        assert_eq!(reason.domain, b"x.example");
        assert_eq!(reason.code, b"4.2.2");
        assert_eq!(reason.reason, b"ADDRESS: full");
        assert_eq!((reason.recipients, reason.oldest), (3, Some(7)));
        assert_eq!((reason.newest, reason.tried), (Some(7), Some(9)));
        assert_eq!((reason.cause, reason.acts), (Cause::Mailbox, Acts::Them));
        assert_eq!(reason.next_hop, b"mx.x.example");
    }

    #[test]
    fn a_hostile_name_cannot_shift_the_parts() {
        let mut key = Vec::new();
        let judgement = Judgement {
            cause: Cause::Other,
            acts: Acts::Unknown,
            own_hop: false,
            session: false,
            next_hop: Some(NextHop::Name(&[0; 200])),
        };
        let domain = [b'd'; 5000];
        make_key(&domain, b"4\x00.4", &judgement, &[0; 9000], &mut key);
        assert!(key.len() <= crate::snapshot::name_counts::MAX_NAME);
        let reason = Reason::of(&key, &Why::default());
        assert_eq!(reason.code, b"4.4");
        assert_eq!(reason.domain, [b'd'; MAX_DOMAIN]);
        assert_eq!(reason.oldest, None);
    }
}
