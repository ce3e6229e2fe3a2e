//! Why an owner, a group or a mode stops Postfix. `expected` says which ones Postfix needs.

use std::fmt;
use std::path::PathBuf;

use crate::postfix::queue::Queue;
use crate::sys::Inode;

/// Why the owner, group or mode of a file or directory stops Postfix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum OwnerFault {
    /// It has another owner.
    Owner {
        /// The present owner.
        found: u32,
        /// The expected owner.
        expected: u32,
    },
    /// It has another group.
    Group {
        /// The present group.
        found: u32,
        /// The expected group.
        expected: u32,
    },
    /// Its mode denies access to a daemon that needs it.
    Mode {
        /// The present mode.
        found: u32,
        /// The bits that the daemon needs.
        needed: u32,
    },
}

impl fmt::Display for OwnerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnerFault::Owner { found, expected } => {
                write!(
                    f,
                    "its owner is user {found}, not the mail owner {expected}"
                )
            }
            OwnerFault::Group { found, expected } => {
                write!(f, "its group is {found}, not the setgid_group {expected}")
            }
            OwnerFault::Mode { found, needed } => {
                write!(
                    f,
                    "its mode is {found:04o} and lacks {:04o}",
                    needed & !found
                )
            }
        }
    }
}

/// A queue file or directory whose owner or mode stops Postfix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misowned {
    /// Its queue, if it belongs to one.
    pub(crate) queue: Option<Queue>,
    /// Its full path.
    pub path: PathBuf,
    /// The fault.
    pub(crate) fault: OwnerFault,
}

impl Misowned {
    /// The remedy.
    pub(crate) const REMEDY: &str = "find what changed it, then run postfix set-permissions and postfix check; of a file, give it \
         back to the mail owner (chown)";
}

/// Returns the fault of an owner that is not the expected one.
pub(super) fn owner_fault(expected: Option<u32>, inode: Inode) -> Option<OwnerFault> {
    let expected = expected.filter(|owner| *owner != inode.owner)?;
    Some(OwnerFault::Owner {
        found: inode.owner,
        expected,
    })
}

/// Returns the fault of a mode that lacks one of the bits `needed`.
pub(super) fn mode_fault(inode: Inode, needed: u32) -> Option<OwnerFault> {
    (inode.mode & needed != needed).then_some(OwnerFault::Mode {
        found: inode.mode,
        needed,
    })
}
