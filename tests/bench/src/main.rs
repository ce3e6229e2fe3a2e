//! Measures `check_postfix_queue` on a made-up spool, side by side with the least that any reader of
//! it must do and with what people use today; each answer is verified. `tests/bench/run` builds and
//! starts it.
//!
//! Everything measured is a process of its own. All take turns, A B C A B C, so that a disturbance
//! meets each of them; times are medians, ratios are medians of the ratios within a round. One round
//! before the first warms the caches and is not counted; the report says whether they hold the spool.
//! Nothing is asserted about time: a target that is missed is reported, and only a wrong answer is a failure.

mod bare;
mod busy;
mod contest;
mod depth;
mod live;
mod machine;
mod process;
mod rules;
mod spool;
mod suite;
mod table;

#[allow(
    clippy::pedantic,
    dead_code,
    unused_imports,
    reason = "the test suite's, which uses more of it and has its own settings"
)]
#[path = "../../support/postfix.rs"]
mod postfix;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../support/rights.rs"]
mod rights;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../support/smtp.rs"]
mod smtp;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use contest::Contest;
use lexopt::Arg::{Long, Short, Value};

const HELP: &str = "\
Usage: tests/bench/run [OPTIONS]

  --suite           all of it: 1000, 100000 and 1000000 messages, warm and cold, ten
                    million names, a real Postfix's spool, the watch, a busy Postfix; an hour.
                    Writes tests/bench/results.md (needs root, Postfix and strace)
  --messages N      messages in the spool (default 100000)
  --million         1000000 messages in 3 rounds, for the target on memory
  --rules           only what rules on causes, logins and clients cost, and the defaults
  --real            mail that a Postfix took and deferred, instead of made-up files
                    (needs root and Postfix)
  --links           names that are hard links of 160 files: more than a disk has room for
                    (a multiple of 160)
  --busy            how much mail a Postfix delivers while its host is scanned; with
                    --cold while the disk is asked for everything (needs root and Postfix)
  --live            what the watch costs: on that spool, where nothing happens, with
                    inotify and without, and on a Postfix of its own that is busy
                    (needs root and Postfix)
  --cold            then 3 rounds (--cold-rounds N) with the caches dropped before each program, too
                    (needs root)
  --calls           count system calls, too (needs strace)
  --rounds N        rounds that count (default 7)
  --save FILE       also write the report to FILE
  --directory DIR   make the spool in a new folder below DIR, which must be on a
                    real disk (default $TMPDIR or /var/tmp)

Exit code: 0 measured, whether targets are met or not; 1 an answer was wrong;
2 nothing could be measured.
";

/// The result of anything that is worth no more than its words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Where the mail of a spool comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It is made up.
    Drill,
    /// A Postfix took it and deferred it.
    Postfix,
    /// Links of some files that are made up.
    Links,
}

/// What was asked for on the command line.
#[derive(Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own"
)]
struct Options {
    messages: u64,
    rounds: usize,
    live: bool,
    busy: bool,
    rules: bool,
    source: Source,
    suite: Option<suite::Paths>,
    cold: bool,
    cold_rounds: usize,
    calls: bool,
    save: Option<PathBuf>,
    directory: PathBuf,
    plugin: PathBuf,
    /// The same, linked statically.
    static_plugin: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode> {
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    // What is measured as a process, and what would make the measuring process big.
    match words.first().and_then(|word| word.to_str()) {
        Some("read") => {
            let way = words[2..].iter().filter_map(|word| word.to_str());
            let way = bare::Way::parse(way).ok_or("there is no such way to read")?;
            println!("{}", bare::read_all(&path(&words, 1)?, way)?);
            return Ok(ExitCode::SUCCESS);
        }
        Some("names") => {
            println!("{}", bare::count_names(&path(&words, 1)?)?);
            return Ok(ExitCode::SUCCESS);
        }
        Some(name @ ("make" | "fill" | "link")) => {
            let messages = words.get(2).and_then(|word| word.to_str());
            let messages = messages.ok_or("how many messages?")?.parse()?;
            let make = match name {
                "make" => spool::make,
                "fill" => spool::fill,
                _ => spool::link,
            };
            make(&path(&words, 1)?, messages)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(name @ ("still" | "again")) => {
            let messages = words.get(2).and_then(|word| word.to_str());
            let messages = messages.ok_or("how many messages?")?.parse()?;
            let number = words.get(3).and_then(|word| word.to_str());
            let number = number.ok_or("which purpose?")?.parse()?;
            let measure = match name {
                "still" => live::still,
                _ => live::again,
            };
            print!("{}", measure(&path(&words, 1)?, messages, number)?);
            return Ok(ExitCode::SUCCESS);
        }
        Some("at-work") => {
            let messages = words.get(1).and_then(|word| word.to_str());
            let messages = messages.ok_or("how many messages?")?.parse()?;
            print!("{}", live::at_work(messages)?);
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let Some(options) = parse(words)? else {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    };
    machine::refuse_memory(&options.directory)?;
    let bench = std::env::current_exe()?;
    let (report, wrong) = if let Some(paths) = &options.suite {
        suite::run(&bench, &options, paths)?
    } else if options.live {
        (live::report(&bench, &options)?, false)
    } else if options.busy {
        let spool = options.directory.join("spool");
        let contents = spool::make_apart(&bench, &spool, options.messages)?;
        let report = busy::report(&options, &spool, &contents, options.cold)?;
        (report, false)
    } else {
        let outcome = Contest::prepare(&options)?.run(options.rounds)?;
        (outcome.report(), !outcome.wrong.is_empty())
    };
    print!("{report}");
    if let Some(file) = &options.save {
        fs::write(file, &report)?;
    }
    Ok(ExitCode::from(u8::from(wrong)))
}

fn path(words: &[OsString], index: usize) -> Result<PathBuf> {
    Ok(words.get(index).ok_or("the path is missing")?.into())
}

/// `None`: print the help.
fn parse(words: Vec<OsString>) -> Result<Option<Options>> {
    let (mut messages, mut rounds, mut live) = (100_000, None, false);
    let (mut cold, mut calls, mut busy, mut source) = (false, false, false, Source::Drill);
    let mut rules = false;
    let (mut cold_rounds, mut suite) = (3, None);
    let (mut save, mut directory, mut plugin, mut static_plugin) = (None, None, None, None);
    let mut parser = lexopt::Parser::from_args(words);
    while let Some(word) = parser.next()? {
        match word {
            Long("messages") => messages = parser.value()?.to_string_lossy().parse()?,
            Long("million") => {
                messages = 1_000_000;
                rounds = rounds.or(Some(3));
            }
            Long("live") => live = true,
            Long("busy") => busy = true,
            Long("rules") => rules = true,
            Long("real") => source = Source::Postfix,
            Long("links") => source = Source::Links,
            Long("suite") => {
                let date = parser.value()?.to_string_lossy().into_owned();
                let results = parser.value()?.into();
                suite = Some(suite::Paths { date, results });
            }
            Long("cold") => cold = true,
            Long("cold-rounds") => cold_rounds = parser.value()?.to_string_lossy().parse()?,
            Long("calls") => calls = true,
            Long("rounds") => rounds = Some(parser.value()?.to_string_lossy().parse()?),
            Long("save") => save = Some(parser.value()?.into()),
            Long("in") => directory = Some(parser.value()?.into()),
            Long("plugin") => plugin = Some(parser.value()?.into()),
            Long("static-plugin") => static_plugin = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            Long(_) | Short(_) | Value(_) => return Err(word.unexpected().into()),
        }
    }
    let rounds = rounds.unwrap_or(7);
    if rounds == 0 {
        return Err("--rounds: 1 or more".into());
    }
    Ok(Some(Options {
        messages,
        rounds,
        live,
        busy,
        rules,
        source,
        suite,
        cold,
        cold_rounds,
        calls,
        save,
        directory: directory.ok_or("start it with tests/bench/run")?,
        plugin: plugin.ok_or("start it with tests/bench/run")?,
        static_plugin,
    }))
}
