//! `queuewatch explain`: the runbook of a measure, a cause or a rule.

use std::process::ExitCode;

use queuewatch::error::Result;
use queuewatch::explain::explain;

use crate::args::{self, Word};
use crate::print;

pub(crate) const HELP: &str = "\
Usage: queuewatch explain NAME

Prints what a measure (deferred.oldest), a cause (filter) or a rule ('deferred.oldest=4h') means, how to
confirm it, what to do, and what never to do. It reads no spool and no file.
";

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut names = Vec::new();
    for word in words {
        if let Word::Plain(word) = word {
            names.push(word.to_string_lossy().into_owned());
        }
    }
    if names.is_empty() {
        return Err(args::usage(
            "the name of a measure, a cause or a rule is missing",
        ));
    }
    // A rule with blanks may come as several words.
    print(&explain(&names.join(" "))?)?;
    Ok(ExitCode::SUCCESS)
}
