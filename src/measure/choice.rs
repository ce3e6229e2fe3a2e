//! Which delay reasons a default rule looks at, where it does not look at all of its measure.
//!
//! What the figure counts and what the words of an alert explain are the same rows of the table of reasons.

use super::{Argument, Kind, Measure};
use crate::cause::Cause;
use crate::snapshot::reasons::Reason;
use crate::snapshot::spread::{Spread, is_spread};

/// Rows of the table of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Those without these causes. Of what is ours by spread only what is spread.
    Without(&'static [Cause]),
    /// Those of the measure, and those of a next hop of ours whose name, way or certificate fails.
    OrOwnNextHop,
}

impl Choice {
    /// Returns true if `row` counts for `measure`; `spreads` are the causes that are ours by spread.
    pub(crate) fn takes(self, measure: &Measure, row: &Reason, spreads: &[Spread]) -> bool {
        let is_named = match (measure.kind, &measure.argument) {
            (Kind::Cause, Argument::Name(name)) => row.is_of_cause(name),
            _ => true,
        };
        match self {
            Choice::Without(causes) => {
                // A next hop of ours has a rule of its own, and one destination proves nothing.
                let by_spread = measure.kind == Kind::Cause && row.cause.is_ours_when_spread();
                let proves = !by_spread || (!row.own_hop && is_spread(spreads, row.cause));
                is_named && !causes.contains(&row.cause) && proves
            }
            Choice::OrOwnNextHop => {
                let fails = row.cause.is_ours_when_spread() || row.cause == Cause::Tls;
                is_named || (row.own_hop && fails)
            }
        }
    }
}
