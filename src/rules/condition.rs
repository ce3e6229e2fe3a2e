//! What a default asks for beside its range.

use crate::cause::Cause;

/// What a default leaves out of its figure, or what else must be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing more.
    None,
    /// Recipients that wait for one of these causes do not count.
    Without(&'static [Cause]),
    /// It alerts only while qmgr has room for more mail in active.
    ActiveHasRoom,
}
