//! Deferred mail as its delay reasons describe it, in addition to the tables of names: the senders and logins that
//! default rules judge, and a message for each cause, which the line of advice names.

use std::collections::BTreeMap;

use super::logins::Logins;
use super::name_counts::Names;
use crate::cause::Cause;

/// Causes that end by waiting, or that a mailing leaves behind: the sender or the login is not the reason.
pub(crate) const PATIENT: &[Cause] = &[Cause::Throttled, Cause::Greylisted, Cause::Mailbox];
/// How much memory the senders take, in bytes. Beyond it new ones count among the others.
const MAX_MEMORY: usize = 4 << 20;

/// What delay reasons say of deferred mail, as far as they were read.
#[derive(Clone, Debug, Default)]
pub(crate) struct DelayedMail {
    /// Messages by sender, of those that wait for a cause which does not end by waiting.
    pub(crate) senders: Names<u64>,
    /// The logins of that mail, and those of mail that only has to wait.
    pub(crate) logins: Logins,
    /// The queue ID of a message for each cause.
    examples: BTreeMap<Cause, Box<[u8]>>,
}

impl DelayedMail {
    /// Returns the queue ID of a message that waits for `cause`.
    pub(crate) fn example(&self, cause: Cause) -> Option<&[u8]> {
        self.examples.get(&cause).map(|id| &**id)
    }

    /// Counts a message of `sender`.
    pub(super) fn add_sender(&mut self, sender: &[u8]) {
        let room = self.room();
        self.senders.add_within(sender, &1, room);
    }

    /// Returns by how many bytes of memory the senders may grow.
    fn room(&self) -> usize {
        MAX_MEMORY.saturating_sub(self.senders.memory())
    }

    /// Keeps the first ID in byte order, so that the order of reading does not matter.
    pub(super) fn add_example(&mut self, cause: Cause, queue_id: &[u8]) {
        let kept = self
            .examples
            .entry(cause)
            .or_insert_with(|| queue_id.into());
        if queue_id < &**kept {
            *kept = queue_id.into();
        }
    }

    /// Adds what another thread counted.
    pub(super) fn merge(&mut self, mut other: DelayedMail) {
        let room = self.room();
        self.senders.drain(&mut other.senders, room);
        self.logins.merge(other.logins);
        for (cause, id) in other.examples {
            self.add_example(cause, &id);
        }
    }

    /// Returns the same with other names of senders and logins.
    pub(crate) fn renamed(
        &self,
        sender: impl Fn(&[u8]) -> Vec<u8>,
        login: impl Fn(&[u8]) -> Vec<u8>,
    ) -> DelayedMail {
        DelayedMail {
            senders: self.senders.renamed(sender),
            logins: self.logins.renamed(login),
            examples: self.examples.clone(),
        }
    }
}
