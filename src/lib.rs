//! queuewatch.
#![deny(unsafe_code)]

pub mod clock;
pub mod drill;
pub mod error;
pub mod escape;
pub mod instance;
pub mod measure;
pub mod options;
pub mod postfix;
pub mod render;
pub mod rules;
pub mod scan;
pub mod snapshot;
pub mod sys;
