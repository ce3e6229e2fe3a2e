//! The examples that a snapshot keeps of what is wrong with single files. All are counted; the first ones are named.

use std::fmt;
use std::path::PathBuf;

use super::contribution::EnvelopeFacts;
use crate::postfix::damage::Damage;
use crate::postfix::queue::Queue;
use crate::scan::Misowned;

/// Gaps and damaged files of which a snapshot keeps the place; all are counted.
pub(crate) const MAX_EXAMPLES: usize = 32;

/// A ready file in a live queue that is not a valid queue file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its queue.
    pub(crate) queue: Queue,
    /// Its full path.
    pub(crate) path: PathBuf,
    /// The first thing wrong with it.
    pub(crate) damage: Damage,
    /// What its damage hides.
    pub(crate) hidden: Hidden,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", crate::escape::path(&self.path), self.damage)
    }
}

/// What the damage of a file hides from figures. What is left out of all figures hides nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// Its age.
    pub(crate) age: bool,
    /// Recipients.
    pub(crate) recipients: bool,
    /// Its sender and login.
    pub(crate) sender: bool,
    /// Its client.
    pub(crate) client: bool,
}

impl Hidden {
    /// What the damage of a message hides of which an envelope says `facts`.
    pub(crate) fn of(facts: &EnvelopeFacts) -> Hidden {
        if facts.left_out {
            return Hidden::default();
        }
        Hidden {
            age: facts.arrival.is_none(),
            recipients: facts.torn,
            sender: facts.senderless,
            client: facts.is_clientless(),
        }
    }
}

/// A message whose arrival time is so far in the future that it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misdated {
    /// Its queue.
    pub(crate) queue: Queue,
    /// Its full path.
    pub(crate) path: PathBuf,
}

impl Misdated {
    /// What is wrong with it.
    pub(crate) const WHAT: &str = "its arrival time is in the future";
    /// The remedy.
    pub(crate) const REMEDY: &str = "check the clock of this host: it was set back, or was wrong when the message \
        arrived; until that time the age of the message is not known";
}

impl fmt::Display for Misdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", crate::escape::path(&self.path), Self::WHAT)
    }
}

/// A message where Postfix does not look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// Its queue.
    pub(crate) queue: Queue,
    /// Its full path.
    pub(crate) path: PathBuf,
}

impl Misplaced {
    /// The remedy.
    pub(crate) const REMEDY: &str = "postsuper -s moves it to where Postfix looks";
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = crate::escape::path(&self.path);
        write!(f, "{path} lies where Postfix does not look")
    }
}

/// Sorts what is misowned by path and keeps the first [`MAX_EXAMPLES`].
pub(crate) fn fold_misowned(misowned: &mut Vec<Misowned>) {
    misowned.sort_by(|a, b| a.path.cmp(&b.path));
    misowned.truncate(MAX_EXAMPLES);
}

/// Sorts what is misplaced by path and keeps the first [`MAX_EXAMPLES`].
pub(crate) fn fold_misplaced(misplaced: &mut Vec<Misplaced>) {
    misplaced.sort_by(|a, b| a.path.cmp(&b.path));
    misplaced.truncate(MAX_EXAMPLES);
}

/// Sorts what is misdated by queue and path and keeps the first [`MAX_EXAMPLES`].
pub(crate) fn fold_misdated(misdated: &mut Vec<Misdated>) {
    misdated.sort_by(|a, b| (a.queue, &a.path).cmp(&(b.queue, &b.path)));
    misdated.truncate(MAX_EXAMPLES);
}

/// Sorts damaged files and keeps the first [`MAX_EXAMPLES`].
pub(crate) fn fold_damaged(damaged: &mut Vec<Damaged>) {
    damaged.sort_by(|a, b| (a.queue, &a.path).cmp(&(b.queue, &b.path)));
    damaged.truncate(MAX_EXAMPLES);
}
