//! The whole suite, one size of spool after the other; its reports and a table of them go into a file
//! that is kept, below the remarks that people wrote there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::contest::{Contest, Outcome};
use crate::table::{Row, time};
use crate::{Options, Result, Source, busy, live, machine, spool};

/// Where the results go.
#[derive(Clone)]
pub(crate) struct Paths {
    /// The day, as the report has it.
    pub(crate) date: String,
    /// The file that is kept, with the results between two comments.
    pub(crate) results: PathBuf,
}

/// One spool: how many messages, rounds, rounds with cold caches, where the mail comes from.
const SPOOLS: [(u64, usize, usize, Source); 5] = [
    (1_000, 21, 3, Source::Drill),
    (10_000, 9, 3, Source::Postfix),
    (100_000, 9, 3, Source::Drill),
    (1_000_000, 3, 1, Source::Drill),
    (10_000_000, 3, 0, Source::Links),
];
/// In results.md, around what this writes.
const BEGIN: &str = "<!-- of tests/bench/run --suite: begin -->\n";
const END: &str = "<!-- of tests/bench/run --suite: end -->\n";

/// Runs it; tells the report, and whether an answer was wrong.
pub(crate) fn run(bench: &Path, options: &Options, paths: &Paths) -> Result<(String, bool)> {
    let mut outcomes = Vec::new();
    let mut reports = Vec::new();
    let mut wrong = false;
    for (messages, rounds, cold_rounds, source) in SPOOLS {
        let options = Options {
            messages,
            rounds,
            cold_rounds,
            source,
            cold: cold_rounds > 0,
            calls: messages <= 10_000,
            directory: options.directory.join(messages.to_string()),
            ..options.clone()
        };
        fs::create_dir(&options.directory)?;
        let outcome = Contest::prepare(&options)?.run(rounds)?;
        wrong |= !outcome.wrong.is_empty();
        reports.push(outcome.report());
        if source != Source::Postfix {
            outcomes.push((messages, outcome));
        }
        if source == Source::Drill && messages >= 100_000 {
            let spool = options.directory.join("spool");
            reports.push(live::of_spool(bench, &spool, messages)?);
            reports.push(live::of_repeats(bench, &spool, messages)?);
        }
        fs::remove_dir_all(&options.directory)?;
    }
    reports.push(live::of_postfix(bench)?);
    let spool = options.directory.join("spool");
    let contents = spool::make_apart(bench, &spool, 100_000)?;
    for cold in [false, true] {
        reports.push(busy::report(options, &spool, &contents, cold)?);
    }
    let table = table(&outcomes);
    let mut text = format!(
        "By `tests/bench/run --suite` on {}: {}.\n\n{table}\n",
        paths.date,
        machine::words(&options.directory)
    );
    for report in reports {
        writeln!(text, "```text\n{}\n```\n", report.trim())?;
    }
    put_into(&paths.results, text.trim_end())?;
    Ok((text, wrong))
}

/// A row for each program, with its time, and how many times that of the first, for each size.
fn table(outcomes: &[(u64, Outcome)]) -> String {
    let mut text = String::from("| question | program |");
    for (messages, _) in outcomes {
        let _ = write!(text, " {} |", thousands(*messages));
    }
    // Caches matter where there is something to be cached.
    let is_large = |outcome: &&(u64, Outcome)| {
        outcome.0 >= 100_000 && outcome.1.fastest_of("Cold: envelopes").is_some()
    };
    let large: Vec<_> = outcomes.iter().filter(is_large).collect();
    for (messages, _) in &large {
        let _ = write!(text, " {}, cold |", thousands(*messages));
    }
    let most = large.last().map_or(0, |(messages, _)| *messages);
    let _ = write!(text, " peak at {} |\n|", thousands(most));
    text.push_str(&"---|".repeat(outcomes.len() + large.len() + 3));
    text.push('\n');
    let row_of = |messages: u64, title: &str, name: &str| {
        let outcome = outcomes.iter().find(|(size, _)| *size == messages)?;
        let group = outcome.1.groups.iter().find(|group| group.0 == title)?;
        group.1.iter().find(|row| row.name == name)
    };
    for (title, cold, question) in [
        (
            "Envelopes: how old, how many recipients, how large",
            "Cold: envelopes",
            "how old, how many recipients, how large",
        ),
        (
            "Lists: every message, for whom and why",
            "Cold: lists",
            "every message, for whom and why",
        ),
        ("Counts: how many messages", "", "how many"),
        ("Start: an empty spool", "", "is it empty"),
    ] {
        let Some((_, first)) = outcomes.first() else {
            continue;
        };
        let Some(group) = first.groups.iter().find(|group| group.0 == title) else {
            continue;
        };
        for (index, row) in group.1.iter().enumerate() {
            let question = if index == 0 { question } else { "" };
            let _ = write!(text, "| {question} | {} |", quoted(&row.name));
            for (messages, _) in outcomes {
                cell(&mut text, row_of(*messages, title, &row.name));
            }
            for (messages, outcome) in &large {
                // The fastest of the bare loops is what cold rows are compared with.
                let name = match index {
                    0 => outcome.fastest_of(cold),
                    _ => Some(row.name.as_str()),
                };
                let row = name.and_then(|name| row_of(*messages, cold, name));
                cell(&mut text, row);
            }
            match row_of(most, title, &row.name) {
                Some(row) => {
                    let _ = writeln!(text, " {:.1} MiB |", row.peak_mib());
                }
                None => text.push_str(" |\n"),
            }
        }
    }
    text
}

fn cell(text: &mut String, row: Option<&Row>) {
    let _ = match row {
        Some(row) => write!(
            text,
            " {} ({:.2}) |",
            time(row.median(|run| run.seconds)),
            row.ratio()
        ),
        None => write!(text, " |"),
    };
}

/// Programs as code, other words as they are.
fn quoted(name: &str) -> String {
    match name.split_once(" (") {
        _ if name.starts_with("bare") || name.starts_with("Python") => name.to_owned(),
        Some((program, rest)) => format!("`{}` ({rest}", program.replace('|', "\\|")),
        None => format!("`{}`", name.replace('|', "\\|")),
    }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Replaces what stands between the two comments.
fn put_into(results: &Path, written: &str) -> Result<()> {
    let text = fs::read_to_string(results)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("results.md: no begin")?;
    let (_, after) = rest.split_once(END).ok_or("results.md: no end")?;
    fs::write(results, format!("{before}{BEGIN}{written}\n{END}{after}"))?;
    Ok(())
}
