//! Where the library may write: only outside of real mail directories.
//!
//! Drills, state files and reports must lie outside every queue directory and every configuration
//! directory, after links and dots are resolved. Nothing here writes.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::escape;

/// Postfix's default queue directory (postfix.md, "main.cf").
const DEFAULT_QUEUE_DIRECTORY: &str = "/var/spool/postfix";

/// Subdirectories of a queue directory. One alone may be a coincidence, two identify a spool.
const TELLTALES: [&str; 9] = [
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop",
];

/// The longest existing prefix of `path` with links resolved, followed by the rest unchanged.
///
/// # Errors
/// If it leads through a file or through `..` of a missing directory, or cannot be examined.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf> {
    let refused = |why: &str| {
        Error::new(ErrorKind::Invalid, format!("{} {why}", escape::path(path))).with_path(path)
    };
    let whole = std::path::absolute(path).map_err(|cause| Error::io("resolve", path, &cause))?;
    let mut existing = whole.as_path();
    loop {
        match existing.symlink_metadata() {
            Ok(_) => break,
            // A directory that this process may not search is judged by its parents; the process could
            // not create anything there.
            Err(cause)
                if matches!(
                    cause.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {
                return Err(refused("leads through a file"));
            }
            Err(cause) => return Err(Error::io("stat", existing, &cause)),
        }
        match existing.parent() {
            Some(parent) => existing = parent,
            None => break,
        }
    }
    let rest = whole.strip_prefix(existing).unwrap_or(Path::new(""));
    if rest.components().any(|part| part == Component::ParentDir) {
        // `..` below a missing directory cannot be resolved.
        return Err(refused(
            "leads through .. of a directory that does not exist",
        ));
    }
    let found =
        fs::canonicalize(existing).map_err(|cause| Error::io("resolve", existing, &cause))?;
    Ok(found.join(rest))
}

/// The queue directory that contains `place`, a path without links.
pub(crate) fn queue_directory_of(place: &Path) -> Option<PathBuf> {
    let default = Path::new(DEFAULT_QUEUE_DIRECTORY);
    let canonical = default
        .canonicalize()
        .unwrap_or_else(|_| default.to_owned());
    let inside_default = place.starts_with(default) || place.starts_with(canonical);
    place
        .ancestors()
        .find(|ancestor| is_queue_directory(ancestor))
        .or(inside_default.then_some(default))
        .map(Path::to_owned)
}

/// The configuration directory that contains `place`, a path without links.
pub(crate) fn config_directory_of(place: &Path) -> Option<PathBuf> {
    let mut above = place.ancestors().skip(1);
    above
        .find(|ancestor| ancestor.join("main.cf").is_file())
        .map(Path::to_owned)
}

fn is_queue_directory(directory: &Path) -> bool {
    let queues = TELLTALES
        .iter()
        .filter(|name| directory.join(name).is_dir());
    queues.take(2).count() == 2
}
