//! Thresholds: ranges, rules, and the verdict that they lead to.

mod defaults;
mod joined;
pub(crate) mod range;
mod rule;
mod state;
mod verdict;

#[cfg(test)]
pub(crate) use defaults::DEFAULTS;
pub(crate) use defaults::{Condition, defaults_with_rules, figure};
pub use defaults::{Known, defaults};
pub use range::Range;
pub use rule::{Level, Part, Rule};
pub use state::State;
pub use verdict::{Finding, Verdict};
