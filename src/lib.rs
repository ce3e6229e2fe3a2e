//! queuewatch.
#![deny(unsafe_code)]

pub mod clock;
pub mod error;
pub mod escape;
pub mod postfix;
