//! What a default asks for beside its range.

use crate::cause::Cause;
use crate::measure::choice::Choice;

/// What a default leaves out of its figure, or what else must be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing more.
    None,
    /// Recipients that wait for one of these causes do not count.
    Without(&'static [Cause]),
    /// Mail counts as well that has another cause and waits for a next hop of ours: its name, the way to it, its
    /// certificate.
    OrOwnNextHop,
    /// It alerts only if several unrelated destinations have the cause, and many recipients or half of all
    /// destinations.
    Widespread,
    /// It alerts only while qmgr has room for more mail in active.
    ActiveHasRoom,
}

impl Condition {
    /// The delay reasons that it looks at, if not all of the measure.
    pub(crate) fn choice(self) -> Option<Choice> {
        match self {
            Condition::Without(causes) => Some(Choice::Without(causes)),
            Condition::OrOwnNextHop => Some(Choice::OrOwnNextHop),
            Condition::None | Condition::Widespread | Condition::ActiveHasRoom => None,
        }
    }
}
