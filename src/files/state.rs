//! The state file of a check that is run again and again: what the last one knew, for growth.
//!
//! The program that runs a check keeps it (contract.md, "State file"); a host of the library keeps
//! the document of [`Snapshot::state`](crate::snapshot::Snapshot::state) itself.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::escape;
use crate::files::atomic;
use crate::options::Options;
use crate::rules::Verdict;
use crate::snapshot::Snapshot;
use crate::snapshot::baseline::MAX_BYTES;

/// The mode of a new state file: counts of messages are nobody else's affair.
const MODE: u32 = 0o600;

/// A state file, and what had to be said when it was read.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Why nothing could be read from it; it is then not written either.
    unreadable: Option<Error>,
    /// Why what was read is not used.
    refused: Option<Error>,
}

impl StateFile {
    /// Reads the file at `path` into the option `previous` of `options`. One that is absent, damaged or
    /// of something else counts as a first check.
    ///
    /// # Errors
    /// None of the file's own: those are told by [`StateFile::keep`].
    pub fn load(path: PathBuf, options: &mut Options) -> Result<StateFile> {
        let mut file = StateFile {
            path,
            unreadable: None,
            refused: None,
        };
        options.set("previous", b"")?;
        match atomic::read(&file.path, MAX_BYTES) {
            Ok(None) => {}
            // An empty one is that of a host that crashed.
            Ok(Some(document)) if document.is_empty() => {
                file.refused = Options::default().set("previous", b"{}").err();
            }
            Ok(Some(document)) => file.refused = options.set("previous", &document).err(),
            Err(error) => file.unreadable = Some(error),
        }
        Ok(file)
    }

    /// Keeps what a later check needs of `snapshot`, unless the file is too young for a rate, and tells `verdict` what was wrong with the file:
    /// one that cannot be kept makes it UNKNOWN, one that was started again does not.
    pub fn keep(self, snapshot: &Snapshot, verdict: &mut Verdict) {
        let shown = escape::path(&self.path);
        if let Some(error) = self.unreadable {
            verdict.note(format!("--state: {error}"), true);
            return;
        }
        if let Some(error) = self.refused {
            verdict.note(format!("--state {shown}: {error}; started again"), false);
        } else if let Some(earlier) = snapshot.previous.earlier() {
            if !earlier.knows_any(snapshot) {
                verdict.note(
                    format!("--state {shown}: it is of other spools; started again"),
                    false,
                );
            }
        }
        // A check that somebody repeats by hand does not take the rate away from the next regular one.
        let earlier = snapshot.previous.earlier();
        if earlier.is_some_and(|earlier| earlier.is_too_young(snapshot)) {
            return;
        }
        let document = format!("{}\n", snapshot.state());
        if let Err(error) = atomic::replace(&self.path, document.as_bytes(), MODE) {
            verdict.note(format!("--state: {error}"), true);
        }
    }
}
