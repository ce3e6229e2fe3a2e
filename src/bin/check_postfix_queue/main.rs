//! check_postfix_queue: the plugin for Nagios, Icinga, Naemon, NRPE and Checkmk's MRPE.
//!
//! It turns a command line into options, prints text on standard output, and exits with the state. In every
//! case it prints something on standard output, and the exit code is 0, 1, 2 or 3 (contract.md,
//! "check_postfix_queue").

#[path = "../args.rs"]
mod args;
mod check_mailq;
#[path = "../confinement/mod.rs"]
mod confinement;
mod flags;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use args::{Flag, Word};
use confinement::Confinement;
use flags::flags;
use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::files::state::StateFile;
use queuewatch::files::status::Status;
use queuewatch::measure::CATALOGUE;
use queuewatch::options::{Options, Purpose};
use queuewatch::render::{checkmk, json, openmetrics, plugin};
use queuewatch::rights;
use queuewatch::rules::{Known, State, defaults};
use queuewatch::snapshot::TableSet;
use queuewatch::spelling::{self, Spelling};

/// The default deadline, in seconds (contract.md, "check_postfix_queue").
const TIMEOUT: &str = "10";
/// How long after the deadline a call that hangs in the kernel is abandoned, in seconds.
const GRACE: u64 = 1;
/// The default maximum age of a status file, in seconds.
const MAX_AGE: i64 = 60;

/// The form of the output.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Plugin,
    Json,
    OpenMetrics,
    Checkmk,
}

fn main() {
    spelling::set(Spelling::Dashes);
    // The monitoring system gets our text and not a backtrace; see `outcome`.
    std::panic::set_hook(Box::new(|_| {}));
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    let words: Vec<OsString> = words.collect();
    let called_check_mailq = Path::new(&name).file_name() == Some(OsStr::new("check_mailq"));
    let format = match called_check_mailq {
        true => Format::Plugin,
        false => asked_format(&words),
    };
    let run = || {
        rights::begin()?;
        match called_check_mailq {
            true => check_mailq::run(words),
            false => run(words),
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Internal,
            "internal error: this is a bug of check_postfix_queue; please report it",
        ))
    });
    let (text, state) = outcome.unwrap_or_else(|error| (failure(format, &error), State::Unknown));
    finish(&text, state);
}

/// Returns the format of the output before the command line is parsed, so that a mistake anywhere in it is
/// told in that format. As in `run`, the last one counts; one that does not exist is such a mistake.
fn asked_format(words: &[OsString]) -> Format {
    let after = std::iter::once(None).chain(words.iter().map(Some));
    let values = after.zip(words).filter_map(|(before, word)| {
        let joined = word.as_bytes().strip_prefix(b"--format=");
        joined.or_else(|| (before? == "--format").then_some(word.as_bytes()))
    });
    let formats = values.filter_map(|value| format_of(value).ok());
    formats.last().unwrap_or(Format::Plugin)
}

/// Returns what is printed in place of the output in `format`, because the reader parses it.
fn failure(format: Format, error: &Error) -> String {
    match format {
        Format::Plugin => plugin::failure(error),
        Format::Json => format!("{}\n", json::failure(error)),
        Format::Checkmk => checkmk::failure(error),
        Format::OpenMetrics => openmetrics::failure(),
    }
}

/// Prints and exits. A reader that has gone away gets nothing.
fn finish(text: &str, state: State) -> ! {
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    // Nobody has read the result: that is not OK.
    let state = if printed.is_ok() {
        state
    } else {
        State::Unknown
    };
    std::process::exit(state.code());
}

fn run(arguments: Vec<OsString>) -> Result<(String, State)> {
    let flags = flags();
    let mut options = Options::default();
    options.set("timeout", TIMEOUT.as_bytes())?;
    let mut format = Format::Plugin;
    let mut verbosity = 0_u8;
    let mut state = None;
    let mut status = None;
    let mut max_age = None;
    let mut others = false;
    for word in args::parse(arguments, &flags)? {
        match word {
            Word::Flag("help", _) => return Ok((help(&flags), State::Unknown)),
            Word::Flag("version", _) => {
                let version = format!("check_postfix_queue {}\n", env!("CARGO_PKG_VERSION"));
                return Ok((version, State::Unknown));
            }
            Word::Flag("verbose", _) => verbosity = verbosity.saturating_add(1),
            Word::Flag("status", value) => status = Some(args::file("status", value)?),
            Word::Flag("max-age", value) => max_age = Some(age(&value)?),
            Word::Flag("state", value) => state = Some(args::file("state", value)?),
            Word::Flag("format", value) => {
                format = format_of(&value)?;
            }
            Word::Flag(name, value) => {
                others |= !matches!(name, "timeout" | "now");
                options.set(name, &value)?;
            }
            Word::Plain(word) => {
                return Err(args::usage(&format!(
                    "{} is not an option",
                    word.to_string_lossy()
                )));
            }
        }
    }
    give_up_after(&options, format);
    if let Some(path) = status {
        if others || state.is_some() || format != Format::Plugin {
            return Err(args::usage(
                "--status answers as queuewatch watch judged: rules and instances are given there",
            ));
        }
        let status =
            Status::read(&path, options.now(), max_age.unwrap_or(MAX_AGE)).map_err(|error| {
                match error.kind() {
                    ErrorKind::Timeout => {
                        error.with_remedy("check that queuewatch watch runs, or raise --max-age")
                    }
                    _ => error,
                }
            })?;
        let text = match verbosity {
            0 => status.output,
            _ => status.long_output,
        };
        return Ok((text, status.state));
    }
    if max_age.is_some() {
        return Err(args::usage("--max-age is about the file of --status"));
    }
    if format != Format::OpenMetrics && !options.named_domains().is_none() {
        return Err(args::usage(args::METRICS_ALONE));
    }
    let tables = match format {
        Format::Json => TableSet::DOCUMENT,
        Format::OpenMetrics => TableSet::METRICS,
        _ if verbosity > 0 => TableSet::DOCUMENT,
        Format::Plugin | Format::Checkmk => TableSet::default(),
    };
    let confinement = Confinement::new().replaces(&state);
    let state = match state {
        Some(path) => Some(StateFile::load(path, &mut options)?),
        None => None,
    };
    let deadline = options.deadline();
    let judged: Result<_> = rights::raised(|| {
        let mut snapshot = confinement.scan(&options, Purpose::Check(tables))?;
        let verdict = options.check(&snapshot)?;
        // Why, for whom, who acts: words of the first line, read only if a rule alerts.
        let breached = matches!(verdict.state, State::Warning | State::Critical);
        if breached && matches!(format, Format::Plugin | Format::Checkmk) {
            snapshot.take_samples(deadline);
        }
        Ok((snapshot, verdict))
    });
    rights::give_up();
    let (snapshot, mut verdict) = judged?;
    if let Some(state) = state {
        state.keep(&snapshot, &mut verdict);
    }
    let text = match format {
        Format::Plugin => plugin::output(&snapshot, &verdict, verbosity, options.counts()),
        Format::Json => format!(
            "{}\n",
            json::document(&snapshot, Some(&verdict), options.measures())
        ),
        Format::Checkmk => checkmk::line(&snapshot, &verdict, verbosity, options.counts()),
        Format::OpenMetrics => openmetrics::exposition(&snapshot, options.named_domains()),
    };
    Ok((text, verdict.state))
}

fn format_of(value: &[u8]) -> Result<Format> {
    match value {
        b"plugin" => Ok(Format::Plugin),
        b"json" => Ok(Format::Json),
        b"openmetrics" => Ok(Format::OpenMetrics),
        b"checkmk" => Ok(Format::Checkmk),
        _ => {
            let takes = "--format takes plugin, json, openmetrics or checkmk";
            Err(args::usage(takes))
        }
    }
}

/// Returns the maximum age of a status file, in seconds.
fn age(value: &[u8]) -> Result<i64> {
    let age = args::time("max-age", value, 1.0..=86_400.0)?;
    Ok(age.as_secs() as i64)
}

/// A disk that does not answer blocks a system call forever; the monitoring system must get a result
/// nevertheless. In all other cases the scan ends by itself at the deadline.
fn give_up_after(options: &Options, format: Format) {
    let Some(timeout) = options.timeout() else {
        return;
    };
    let wait = timeout + Duration::from_secs(GRACE);
    let watchdog = std::thread::Builder::new().stack_size(64 * 1024);
    // If no thread can be started, the deadline of the scan still holds.
    let _ = watchdog.spawn(move || {
        rights::give_up_on_thread();
        confinement::open_nothing();
        std::thread::sleep(wait);
        let error = Error::new(
            ErrorKind::Timeout,
            format!(
                "the file system of the spool has not answered for {} s",
                wait.as_secs()
            ),
        )
        .with_remedy("check the disk and the kernel log");
        finish(&failure(format, &error), State::Unknown);
    });
}

fn help(flags: &[Flag]) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "check_postfix_queue {}: is mail stuck in a Postfix queue?\n\n{}\n{}\n\
         RULE is MEASURE=RANGE, or RANGE for total.messages; RULE and RULE alerts when both do.\n\
         RANGE is that of the Monitoring Plugins: 10, 10:, ~:10, 10:20, @10:20. Ages take s m h d w,\n\
         bytes k M G KiB MiB GiB kB MB GB, shares %. QUEUE is maildrop, incoming, active, deferred, hold, corrupt, backlog\n\
         (maildrop, incoming, active, deferred) or total (backlog and hold).\n\nMeasures:\n",
        env!("CARGO_PKG_VERSION"),
        flags::USAGE,
        args::help(flags)
    );
    for row in &CATALOGUE {
        let _ = writeln!(text, "  {:<22} {}", row.spelling, row.help);
    }
    text.push_str("\nWithout rules:\n");
    for rule in defaults(Known::ALL) {
        let _ = writeln!(text, "  --{} {rule}", rule.level.name());
    }
    text
}
