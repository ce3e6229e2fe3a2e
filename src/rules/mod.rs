//! Thresholds: ranges, rules, and the verdict that they lead to.

pub mod range;
mod rule;
mod verdict;

pub use range::Range;
pub use rule::{Level, Rule, defaults};
pub use verdict::{Finding, State, Verdict};
