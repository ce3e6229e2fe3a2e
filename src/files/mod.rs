//! The library's own files: where they may be, how they are read and replaced, the state file of a
//! check, and the status file of a watch.
//!
//! No function here reads or writes a queue file.

pub mod atomic;
pub(crate) mod safe_path;
pub mod state;
pub mod status;
