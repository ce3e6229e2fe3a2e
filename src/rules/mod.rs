//! Thresholds: ranges, rules, and the verdict that they lead to.

pub mod range;
mod rule;
mod state;
mod verdict;

pub use range::Range;
pub use rule::{Level, Rule, defaults};
pub use state::State;
pub use verdict::{Finding, Verdict};
