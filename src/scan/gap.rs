//! What a scan could not read, and why. A gap is data that reaches the verdict.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, errno_name, errno_text, remedy_for};
use crate::escape;
use crate::postfix::queue::Queue;
use crate::spelling::is_offered;

/// The kind of thing that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum GapKind {
    /// The list of a directory.
    Directory,
    /// A queue directory that does not exist. Postfix creates all of them when it starts (postfix-files).
    Absent,
    /// A queue file.
    File,
    /// A message's log of delay reasons.
    Log,
    /// The directory of those logs; one gap for each queue.
    LogDirectory,
}

impl GapKind {
    /// Returns true if only delay reasons are missing.
    pub(crate) const fn is_of_logs(self) -> bool {
        matches!(self, GapKind::Log | GapKind::LogDirectory)
    }

    const fn action(self) -> &'static str {
        match self {
            GapKind::Absent => "find",
            GapKind::Directory | GapKind::LogDirectory => "list",
            GapKind::File | GapKind::Log => "read",
        }
    }
}

/// One directory or file that could not be read. A file that vanished is not a gap: mail moves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Gap {
    /// The queue that is therefore incomplete.
    pub queue: Queue,
    /// The kind.
    pub kind: GapKind,
    /// Its full path.
    pub path: PathBuf,
    /// The errno of the system.
    pub errno: i32,
}

impl Gap {
    /// Returns the remedy, if there is one.
    pub fn remedy(&self) -> Option<&'static str> {
        match (self.kind, self.errno) {
            (GapKind::Absent, _) if is_offered("exclude") => Some(
                "find what removed it, then run postfix check, which makes it again; if it is meant to be \
                 absent, exclude that queue",
            ),
            (GapKind::Absent, _) => {
                Some("find what removed it, then run postfix check, which makes it again")
            }
            (GapKind::Directory, libc::ENOENT) => {
                Some("the link leads nowhere: mount the file system that it leads to")
            }
            (GapKind::LogDirectory, libc::ENOENT) => Some(
                "if it is a link, mount the file system that it leads to; else find what removed it, then run \
                 postfix check, which makes it again",
            ),
            (GapKind::Directory | GapKind::LogDirectory, libc::ELOOP | libc::ENOTDIR) => {
                Some("a link or file is in the place of a directory of Postfix: move the mail back")
            }
            (GapKind::Log, libc::EFBIG) => {
                Some("find out what wrote it: Postfix writes a few lines a recipient")
            }
            _ => remedy_for(self.errno),
        }
    }
}

impl From<&Gap> for Error {
    fn from(gap: &Gap) -> Error {
        let text = format!("cannot {} {}", gap.kind.action(), escape::path(&gap.path));
        let error = Error::new(ErrorKind::Io, text)
            .with_path(&gap.path)
            .with_errno(gap.errno);
        match gap.remedy() {
            Some(remedy) => error.with_remedy(remedy),
            None => error,
        }
    }
}

/// Returns true if `gap` is a directory of logs that `known` has already: each queue reports it once.
pub(crate) fn is_repeated(known: &[Gap], gap: &Gap) -> bool {
    gap.kind == GapKind::LogDirectory
        && known
            .iter()
            .any(|one| one.kind == gap.kind && one.path == gap.path)
}

/// Sorts gaps by queue and path, and keeps the first `most`, each directory of logs once.
pub(crate) fn fold_gaps(gaps: &mut Vec<Gap>, most: usize) {
    gaps.sort();
    let mut folded = Vec::with_capacity(gaps.len().min(most));
    for gap in gaps.drain(..) {
        if folded.len() >= most {
            break;
        }
        if !is_repeated(&folded, &gap) {
            folded.push(gap);
        }
    }
    *gaps = folded;
}

/// `cannot list PATH: CAUSE (ERRNO)`, without the remedy, which many gaps share.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot {} {}: {} ({})",
            self.kind.action(),
            escape::path(&self.path),
            errno_text(self.errno),
            errno_name(self.errno)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_logs_is_kept_once_whatever_stands_between() {
        let gap = |queue, kind, path: &str| Gap {
            queue,
            kind,
            path: path.into(),
            errno: libc::EACCES,
        };
        let mut gaps = vec![
            gap(Queue::Hold, GapKind::LogDirectory, "/q/defer"),
            gap(Queue::Deferred, GapKind::LogDirectory, "/q/defer"),
            gap(Queue::Hold, GapKind::File, "/q/hold/A"),
            gap(Queue::Deferred, GapKind::LogDirectory, "/q/bounce"),
        ];
        let mut first = gaps.clone();
        fold_gaps(&mut gaps, 9);
        assert_eq!(
            gaps,
            [
                gap(Queue::Deferred, GapKind::LogDirectory, "/q/bounce"),
                gap(Queue::Deferred, GapKind::LogDirectory, "/q/defer"),
                gap(Queue::Hold, GapKind::File, "/q/hold/A"),
            ]
        );
        fold_gaps(&mut first, 1);
        assert_eq!(first, gaps[..1]);
    }
}
