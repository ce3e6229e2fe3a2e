//! The examples that a snapshot keeps of what is wrong with single files. All are counted; the first ones are named.

use std::fmt;
use std::path::PathBuf;

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

/// Sorts damaged files and keeps the first [`MAX_EXAMPLES`].
pub(crate) fn fold_damaged(damaged: &mut Vec<Damaged>) {
    damaged.sort_by(|a, b| (a.queue, &a.path).cmp(&(b.queue, &b.path)));
    damaged.truncate(MAX_EXAMPLES);
}
