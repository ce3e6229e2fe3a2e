//! Files of our own: where they may lie, how they are read and replaced, and the state file of a check.
//!
//! Nothing here reads or writes a queue file.

pub mod atomic;
pub mod safe_path;
pub mod state;
