//! Threads of one call: a pool that shares work, and the throttle of a gentle scan.
//!
//! What the work is, is the business of the rooms that use them.

pub(crate) mod pool;
pub(crate) mod throttle;

pub use pool::{MAX_READERS, Readers};
