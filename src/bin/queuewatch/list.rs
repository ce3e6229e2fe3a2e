//! x
use std::process::ExitCode;
use queuewatch::error::Result;
use crate::words::{Flag, Word};
pub(crate) const HELP: &str = "";
pub(crate) fn flags() -> Vec<Flag> { Vec::new() }
pub(crate) fn run(_: Vec<Word>) -> Result<ExitCode> { todo!() }
