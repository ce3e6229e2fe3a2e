//! What messages share, each text once: names of domains, senders and origins, delay reasons; combinations of
//! domain, code and reason; and lists of those with numbers of recipients.
//!
//! A list holds a reference to each of its combinations, and a combination to each of its names. What no list
//! holds any more is forgotten.

use super::interner::{Id, Interner, NONE, UNNAMED};
use super::observer::Part;
use crate::snapshot::destination::WhyKey;
use crate::snapshot::reasons::Mark;

/// The sender of a message.
pub(super) enum Sender<'l> {
    /// There is none, or senders are not counted.
    None,
    /// A sender whose name is not kept.
    Unnamed,
    Named(&'l [u8]),
}

/// One destination of a message, and the number of recipients.
pub(super) struct Destination<'l> {
    /// `None`: the name is not kept.
    pub(super) domain: Option<&'l [u8]>,
    /// `None`: no delay reason on record.
    pub(super) why: Option<WhyKey<'l>>,
    pub(super) recipients: u64,
}

/// The pools.
#[derive(Debug, Default)]
pub(super) struct SharedTexts {
    names: Interner,
    /// Domain, code and reason, each an [`Id`].
    causes: Interner,
    /// Causes and numbers of recipients, each 32 bits.
    lists: Interner,
}

impl SharedTexts {
    /// Holds the name of a sender or an origin.
    pub(super) fn hold_name(&mut self, name: Option<&[u8]>) -> Id {
        name.map_or(NONE, |name| self.names.hold(name).0)
    }

    /// Releases a name that [`SharedTexts::hold_name`] held.
    pub(super) fn release_name(&mut self, name: Id) {
        self.names.release(name);
    }

    /// Returns what a name stands for.
    pub(super) fn name(&self, name: Id) -> Sender<'_> {
        match name {
            NONE => Sender::None,
            UNNAMED => Sender::Unnamed,
            name => Sender::Named(self.names.text(name)),
        }
    }

    /// Returns the number of recipients in a list.
    pub(super) fn recipients(&self, list: Id) -> u64 {
        pairs(self.lists.text(list))
            .map(|(_, recipients)| u64::from(recipients))
            .sum()
    }

    /// Reports each destination of a list.
    pub(super) fn destinations(&self, list: Id, mut each: impl FnMut(Destination<'_>)) {
        for (cause, recipients) in pairs(self.lists.text(list)) {
            let mut ids = self.causes.text(cause).chunks_exact(4).map(number);
            let mut next = || ids.next().unwrap_or(UNNAMED);
            let (domain, code, reason) = (next(), next(), next());
            let named = |id: Id| self.names.text(id);
            each(Destination {
                domain: (domain != UNNAMED).then(|| named(domain)),
                why: (code != NONE && code != UNNAMED).then(|| WhyKey {
                    code: named(code),
                    mark: Mark::of_key(named(reason)),
                    reason: named(reason),
                }),
                recipients: u64::from(recipients),
            });
        }
    }

    /// Holds the list of `parts`.
    pub(super) fn hold_list(&mut self, parts: &[Part]) -> Id {
        if parts.is_empty() {
            return NONE;
        }
        let mut list = Vec::with_capacity(parts.len() * 8);
        for part in parts {
            let named = |names: &mut Interner, text: &[u8]| names.hold(text).0;
            let domain = part
                .domain
                .as_ref()
                .map_or(UNNAMED, |domain| named(&mut self.names, domain));
            let (code, reason) = part.why.as_ref().map_or((NONE, NONE), |(code, reason)| {
                (named(&mut self.names, code), named(&mut self.names, reason))
            });
            let cause: Vec<u8> = [domain, code, reason]
                .iter()
                .flat_map(|id| id.to_le_bytes())
                .collect();
            let (cause, new) = self.causes.hold(&cause);
            if !new {
                // The cause now holds its own reference to each name.
                for id in [domain, code, reason] {
                    self.names.release(id);
                }
            }
            list.extend(cause.to_le_bytes());
            list.extend(part.recipients.to_le_bytes());
        }
        let (id, new) = self.lists.hold(&list);
        if !new {
            self.release_causes(&list);
        }
        id
    }

    /// Releases a list that [`SharedTexts::hold_list`] held.
    pub(super) fn release_list(&mut self, list: Id) {
        if let Some(list) = self.lists.release(list) {
            self.release_causes(&list);
        }
    }

    fn release_causes(&mut self, list: &[u8]) {
        for (cause, _) in pairs(list) {
            if let Some(ids) = self.causes.release(cause) {
                for id in ids.chunks_exact(4).map(number) {
                    self.names.release(id);
                }
            }
        }
    }

    /// Returns the number of texts. Tests check that none leaks.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.names.len() + self.causes.len() + self.lists.len()
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.try_into().map_or(UNNAMED, u32::from_le_bytes)
}

fn pairs(list: &[u8]) -> impl Iterator<Item = (Id, u32)> + '_ {
    list.chunks_exact(8)
        .map(|pair| (number(&pair[..4]), number(&pair[4..])))
}
