//! Thresholds: ranges, rules, and the verdict that they lead to.

mod condition;
mod defaults;
mod joined;
pub(crate) mod range;
mod rule;
mod state;
mod verdict;

#[cfg(test)]
pub(crate) use defaults::DEFAULTS;
pub use defaults::{Known, defaults};
pub(crate) use defaults::{defaults_with_rules, figure};
pub use range::Range;
pub use rule::{Level, Part, Rule};
pub use state::State;
pub(crate) use verdict::has_reasons;
pub use verdict::{Finding, Verdict};
