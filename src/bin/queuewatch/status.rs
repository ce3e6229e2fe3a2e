//! `queuewatch status`: shows every instance, for a person, a program or the node_exporter.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use queuewatch::error::Result;
use queuewatch::files::atomic;
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::render::{json, openmetrics, status};
use queuewatch::rights;
use queuewatch::snapshot::TableSet;

use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{VERDICT, WHICH, of_library, print, tell_unread_of};

pub(crate) const HELP: &str = "\
Usage: queuewatch status [OPTIONS]

Prints the state of every given instance, or of the default instance: queues, counts, sizes, ages,
important settings, and what is wrong by the rules given, else by the defaults of check_postfix_queue. A
figure with + after it is a lower bound.
";

/// The mode of a file that other programs collect.
const MODE: u32 = 0o644;

#[rustfmt::skip]
const FLAGS: [Flag; 3] = [
    Flag { short: Some('j'), name: "json", takes: Takes::Nothing,
        help: "print JSON (schema queuewatch/1)" },
    Flag { short: None, name: "openmetrics", takes: Takes::Nothing,
        help: "print OpenMetrics text" },
    Flag { short: Some('o'), name: "output", takes: Takes::One("FILE"),
        help: "replace FILE atomically instead of writing to standard output" },
];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(of_library(&VERDICT));
    flags.extend(of_library(&["metrics-domain", "metrics-top"]));
    flags.extend(of_library(&WHICH));
    flags
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Text,
    Json,
    OpenMetrics,
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let (mut in_json, mut in_openmetrics) = (false, false);
    let mut output: Option<PathBuf> = None;
    for word in words {
        match word {
            Word::Flag("json", _) => in_json = true,
            Word::Flag("openmetrics", _) => in_openmetrics = true,
            Word::Flag("output", value) => output = Some(args::file("output", value)?),
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => {
                let text = format!("{} is not an option of status", word.to_string_lossy());
                return Err(args::usage(&text));
            }
        }
    }
    if in_json {
        let others = [("openmetrics", in_openmetrics)];
        args::alone("json", "prints JSON", &others)?;
    }
    let format = match (in_json, in_openmetrics) {
        (true, _) => Format::Json,
        (_, true) => Format::OpenMetrics,
        _ => Format::Text,
    };
    if !in_openmetrics && !options.named_domains().is_none() {
        return Err(args::usage(args::METRICS_ALONE));
    }
    let tables = match format {
        Format::Json => TableSet::DOCUMENT,
        Format::OpenMetrics => TableSet::METRICS,
        Format::Text => TableSet::default(),
    };
    let confinement = Confinement::new().replaces(&output);
    let judged = rights::raised(|| {
        let snapshot = confinement.scan(&options, Purpose::Check(tables))?;
        let verdict = options.check(&snapshot)?;
        Ok((snapshot, verdict))
    });
    rights::give_up();
    let (snapshot, verdict) = match judged {
        Ok(judged) => judged,
        Err(error) => {
            // A collector must not go on with the last good file.
            match (format, &output) {
                (Format::OpenMetrics, Some(path)) => write(path, &openmetrics::failure())?,
                (Format::OpenMetrics, None) => drop(print(&openmetrics::failure())?),
                (Format::Json, Some(path)) => write(path, &format!("{}\n", json::failure(&error)))?,
                _ => {}
            }
            return Err(error);
        }
    };
    let text = match format {
        Format::Text => status::text(&snapshot, &verdict),
        Format::Json => format!("{}\n", json::document(&snapshot, Some(&verdict), &[])),
        Format::OpenMetrics => openmetrics::exposition(&snapshot, options.named_domains()),
    };
    match output {
        Some(path) => write(&path, &text)?,
        None => {
            print(&text)?;
        }
    }
    Ok(tell_unread_of(&snapshot))
}

fn write(path: &Path, text: &str) -> Result<()> {
    atomic::replace(path, text.as_bytes(), MODE)
}
