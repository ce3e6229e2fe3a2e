//! The problems of a snapshot as one list: what could not be read, what is damaged, which owners and modes stop
//! Postfix, which files are where it does not look, and which instances could not be scanned.

use std::os::unix::ffi::OsStrExt;

use super::{Misplaced, Snapshot};
use crate::postfix::queue::Queue;
use crate::scan::{GapKind, Misowned};

/// The kinds of [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// A directory that could not be listed.
    Directory,
    /// A file that could not be read.
    File,
    /// A damaged file.
    Damaged,
    /// An instance that could not be scanned at all.
    Instance,
    /// A queue file or directory whose owner or mode stops Postfix.
    Misowned,
    /// A message where Postfix does not look for it.
    Misplaced,
}

/// One problem, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind.
    pub kind: ProblemKind,
    /// The queue, if it concerns one.
    pub queue: Option<Queue>,
    /// The raw path, if there is one.
    pub path: Option<Vec<u8>>,
    /// The problem and its reason, safe to print.
    pub message: String,
    /// The remedy, if there is one.
    pub remedy: Option<String>,
    /// The errno of the system, if there is one.
    pub(crate) errno: Option<i32>,
}

impl Snapshot {
    /// All that is wrong of which the place was kept: broken instances, then by instance what could
    /// not be read, then what is damaged, misowned and misplaced.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for error in &self.broken {
            problems.push(Problem {
                kind: ProblemKind::Instance,
                queue: None,
                path: error.path().map(|path| path.as_os_str().as_bytes().into()),
                message: error.to_string(),
                remedy: error.remedy().map(str::to_owned),
                errno: error.errno(),
            });
        }
        for taken in &self.instances {
            for gap in &taken.gaps {
                problems.push(Problem {
                    kind: match gap.kind {
                        GapKind::Directory | GapKind::Absent | GapKind::LogDirectory => {
                            ProblemKind::Directory
                        }
                        GapKind::File | GapKind::Log => ProblemKind::File,
                    },
                    queue: Some(gap.queue),
                    path: Some(gap.path.as_os_str().as_bytes().into()),
                    message: gap.to_string(),
                    remedy: gap.remedy().map(str::to_owned),
                    errno: Some(gap.errno),
                });
            }
            for damaged in &taken.damaged {
                let shown = crate::escape::path(&damaged.path);
                problems.push(Problem {
                    kind: ProblemKind::Damaged,
                    queue: Some(damaged.queue),
                    path: Some(damaged.path.as_os_str().as_bytes().into()),
                    message: format!("{shown}: {}", damaged.damage),
                    remedy: None,
                    errno: None,
                });
            }
            for misowned in &taken.misowned {
                let shown = crate::escape::path(&misowned.path);
                problems.push(Problem {
                    kind: ProblemKind::Misowned,
                    queue: misowned.queue,
                    path: Some(misowned.path.as_os_str().as_bytes().into()),
                    message: format!("{shown}: {}", misowned.fault),
                    remedy: Some(Misowned::REMEDY.to_owned()),
                    errno: None,
                });
            }
            for misplaced in &taken.misplaced {
                problems.push(Problem {
                    kind: ProblemKind::Misplaced,
                    queue: Some(misplaced.queue),
                    path: Some(misplaced.path.as_os_str().as_bytes().into()),
                    message: misplaced.to_string(),
                    remedy: Some(Misplaced::REMEDY.to_owned()),
                    errno: None,
                });
            }
        }
        problems
    }
}
