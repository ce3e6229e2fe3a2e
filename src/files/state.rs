//! The state file of a periodic check: the figures of the previous check, used for growth.
//!
//! The program that runs the check writes it (contract.md, "State file"). A host of the library stores
//! the document of [`Snapshot::state`](crate::snapshot::Snapshot::state) itself.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::files::atomic;
use crate::options::Options;
use crate::rules::Verdict;
use crate::snapshot::Snapshot;
use crate::snapshot::baseline::MAX_BYTES;

/// The mode of a new state file: message counts are private.
const MODE: u32 = 0o600;

/// A state file, and the problems found when it was read.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// Why it could not be read; it is then not written either.
    unreadable: Option<Error>,
    /// Why its content is not used.
    refused: Option<Error>,
}

impl StateFile {
    /// Reads the file at `path` into the option `previous` of `options`, for one who compares and stores nothing.
    ///
    /// # Errors
    /// If the file is absent, cannot be read, or is no state.
    pub fn compare(path: &Path, options: &mut Options) -> Result<()> {
        let shown = escape::path(path);
        let remedy = "name the file that check_postfix_queue --state keeps, or a copy of it";
        let Some(document) = atomic::read(path, MAX_BYTES)? else {
            let absent = Error::new(ErrorKind::NotFound, format!("there is no {shown}"));
            return Err(absent.with_remedy(remedy));
        };
        // An empty document stands for a first check.
        let document = match document.is_empty() {
            true => b"{}".to_vec(),
            false => document,
        };
        options
            .set("previous", &document)
            .map_err(|error| error.within(&shown).with_remedy(remedy))
    }

    /// Reads the file at `path` into the option `previous` of `options`. A file that is absent, damaged
    /// or foreign counts as a first check.
    ///
    /// # Errors
    /// Never for the file's own problems: [`StateFile::keep`] reports those.
    pub fn load(path: PathBuf, options: &mut Options) -> Result<StateFile> {
        let mut file = StateFile {
            path,
            unreadable: None,
            refused: None,
        };
        options.set("previous", b"")?;
        match atomic::read(&file.path, MAX_BYTES) {
            Ok(None) => {}
            // A crash of the host leaves an empty file.
            Ok(Some(document)) if document.is_empty() => {
                file.refused = Options::default().set("previous", b"{}").err();
            }
            Ok(Some(document)) => file.refused = options.set("previous", &document).err(),
            Err(error) => file.unreadable = Some(error),
        }
        Ok(file)
    }

    /// Writes the figures of `snapshot` for the next check, unless the stored ones are too recent for a
    /// rate. Adds problems of the file to `verdict`: a file that cannot be written makes it UNKNOWN, a
    /// file that was replaced does not.
    pub fn keep(self, snapshot: &Snapshot, verdict: &mut Verdict) {
        let shown = escape::path(&self.path);
        if let Some(error) = self.unreadable {
            verdict.note(format!("state file: {error}"), true);
            return;
        }
        if let Some(error) = self.refused {
            verdict.note(format!("state file {shown}: {error}; started again"), false);
        } else if let Some(earlier) = snapshot.previous.earlier() {
            if !earlier.knows_any(snapshot) {
                verdict.note(
                    format!("state file {shown}: it belongs to other spools; started again"),
                    false,
                );
            }
        }
        // A check that is repeated by hand must not reset the rate of the next regular one.
        let earlier = snapshot.previous.earlier();
        if earlier.is_some_and(|earlier| earlier.is_too_young(snapshot)) {
            return;
        }
        let mut document = snapshot.state();
        document["state"] = verdict.state.to_string().into();
        document["state_code"] = verdict.state.code().into();
        let document = format!("{document}\n");
        if let Err(error) = atomic::replace(&self.path, document.as_bytes(), MODE) {
            verdict.note(format!("state file: {error}"), true);
        }
    }
}
