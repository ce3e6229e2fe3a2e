//! Renderings: service output with performance data, JSON, OpenMetrics, and the lists and tables of
//! Postfix's own tools.
//!
//! Renderings make no decisions: every figure comes from the catalogue of measures, every state from the
//! verdict. Text from a spool passes through `escape`.

mod blame;
pub mod checkmk;
pub mod json;
mod moment;
mod next_step;
pub mod openmetrics;
mod perfdata;
mod place;
pub mod plugin;
pub mod postqueue;
pub mod report;
pub mod shape;
pub mod show;
pub mod status;
mod status_figures;
pub mod watch;

pub use moment::moment;
