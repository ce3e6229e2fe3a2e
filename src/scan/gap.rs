//! What a scan could not read, and why: data that reaches the verdict.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, errno_name, errno_text, remedy_for};
use crate::escape;
use crate::postfix::queue::Queue;

/// What was to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapKind {
    /// The entries of a directory.
    Directory,
    /// A queue file.
    File,
    /// A message's log of delay reasons.
    Log,
}

/// One directory or file that could not be read. What vanished meanwhile is no gap: mail moves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gap {
    /// The queue that is therefore not known whole.
    pub queue: Queue,
    /// What was to be read.
    pub kind: GapKind,
    /// Its full path.
    pub path: PathBuf,
    /// The errno of the system.
    pub errno: i32,
}

impl Gap {
    /// What to do about it, if we know.
    pub fn remedy(&self) -> Option<&'static str> {
        match (self.kind, self.errno) {
            (GapKind::Directory, libc::ENOENT) => {
                Some("the link leads nowhere: mount the file system that it leads to")
            }
            (GapKind::Directory, libc::ELOOP | libc::ENOTDIR) => {
                Some("a link or file stands where Postfix has directories: move the mail back")
            }
            _ => remedy_for(self.errno),
        }
    }
}

impl From<&Gap> for Error {
    fn from(gap: &Gap) -> Error {
        let error = Error::new(ErrorKind::Io, gap.to_string())
            .with_path(&gap.path)
            .with_errno(gap.errno);
        match gap.remedy() {
            Some(remedy) => error.with_remedy(remedy),
            None => error,
        }
    }
}

/// `cannot list PATH: CAUSE (ERRNO)`, without the remedy, which many gaps share.
impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.kind {
            GapKind::Directory => "list",
            GapKind::File | GapKind::Log => "read",
        };
        write!(
            f,
            "cannot {action} {}: {} ({})",
            escape::path(&self.path),
            errno_text(self.errno),
            errno_name(self.errno)
        )
    }
}
