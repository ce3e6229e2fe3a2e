//! Threads of one call: how they start and end, a pool that shares work, the throttle of a gentle scan, and the log
//! records of all of them.
//!
//! The rooms that use them define the work.

pub(crate) mod pool;
mod records;
mod spawn;
pub(crate) mod throttle;

pub(crate) use pool::{MAX_READERS, Readers};
pub(crate) use records::record;
pub(crate) use spawn::{Thread, is_ours, spawn};
