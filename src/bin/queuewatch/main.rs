//! queuewatch: the operator's tool. It turns a command line into options, prints text on standard output, and
//! exits with a code. Each command has one file.

mod anonymize;
#[path = "../args.rs"]
mod args;
#[path = "../confinement/mod.rs"]
mod confinement;
mod doctor;
mod drill;
mod explain;
mod generate;
mod journal;
mod kept_page;
mod list;
mod notify;
mod origins;
mod outputs;
#[path = "../check_postfix_queue/flags.rs"]
mod plugin_flags;
mod printed;
mod reasons;
mod report;
mod shape;
mod show;
mod status;
mod summary;
mod top;
mod watch;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use args::{Flag, Word};
use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::measure::Subject;
use queuewatch::options::{OPTIONS, Takes, is_filter};
use queuewatch::postfix::queue::QueueSet;
use queuewatch::render::json;
use queuewatch::rights;
use queuewatch::snapshot::{InstanceSnapshot, Snapshot};
use queuewatch::spelling::{self, Spelling};

/// Exit codes (contract.md, "Exit codes").
const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// The command succeeded, but something could not be read.
const INCOMPLETE: u8 = 4;

const HELP: &str = "\
queuewatch: what is in a Postfix queue?

Usage: queuewatch COMMAND [OPTIONS] [QUEUE ...]

  status    every instance at a glance: queues, ages, sizes, settings, what is wrong
  shape     destination domains by age, as qshape prints them
  list      the messages, as postqueue -j and -p print them, without a daemon
  reasons   why mail waits: destination, status code and reason
  origins   where mail comes from: login, client, local user
  show      all about single messages, by queue ID
  explain   what a measure, a cause or a rule means, and what to do
  report    one HTML page to look at or to send
  top       the queues live on the whole screen
  watch     the queues live: what comes and goes, and every change of the state
  doctor    what keeps us from reading a spool, and the least that mends it
  drill     rehearse an alert on made-up mail

queuewatch COMMAND --help lists the options of each. Exit codes: 0 done, 1 failed, 2 wrong usage,
4 done, but something could not be read.
";

/// One command.
struct Command {
    name: &'static str,
    help: &'static str,
    flags: fn() -> Vec<Flag>,
    run: fn(Vec<Word>) -> Result<ExitCode>,
}

const COMMANDS: [Command; 12] = [
    Command {
        name: "status",
        help: status::HELP,
        flags: status::flags,
        run: status::run,
    },
    Command {
        name: "shape",
        help: shape::HELP,
        flags: shape::flags,
        run: shape::run,
    },
    Command {
        name: "list",
        help: list::HELP,
        flags: list::flags,
        run: list::run,
    },
    Command {
        name: "reasons",
        help: reasons::HELP,
        flags: reasons::flags,
        run: reasons::run,
    },
    Command {
        name: "origins",
        help: origins::HELP,
        flags: origins::flags,
        run: origins::run,
    },
    Command {
        name: "show",
        help: show::HELP,
        flags: show::flags,
        run: show::run,
    },
    Command {
        name: "explain",
        help: explain::HELP,
        flags: Vec::new,
        run: explain::run,
    },
    Command {
        name: "report",
        help: report::HELP,
        flags: report::flags,
        run: report::run,
    },
    Command {
        name: "top",
        help: top::HELP,
        flags: top::flags,
        run: top::run,
    },
    Command {
        name: "watch",
        help: watch::HELP,
        flags: watch::flags,
        run: watch::run,
    },
    Command {
        name: "doctor",
        help: doctor::HELP,
        flags: doctor::flags,
        run: doctor::run,
    },
    Command {
        name: "drill",
        help: drill::HELP,
        flags: || drill::FLAGS.to_vec(),
        run: drill::run,
    },
];

/// The flags of every command.
const COMMON: [Flag; 2] = [
    Flag {
        short: Some('h'),
        name: "help",
        takes: Takes::Nothing,
        help: "print this",
    },
    Flag {
        short: Some('V'),
        name: "version",
        takes: Takes::Nothing,
        help: "print the version",
    },
];

/// Makes flags from the library's options `names`. `-c` selects the instance, as in postqueue.
fn of_library(names: &[&str]) -> Vec<Flag> {
    let row_of = |name: &&str| OPTIONS.iter().find(|row| row.name == *name);
    names
        .iter()
        .filter_map(row_of)
        .map(|row| Flag {
            short: (row.name == "config-directory").then_some('c'),
            name: row.name,
            takes: row.takes,
            help: row.help,
        })
        .collect()
}

/// Returns the flags that pick messages.
fn filters() -> Vec<Flag> {
    let names: Vec<&str> = OPTIONS
        .iter()
        .map(|row| row.name)
        .filter(|name| is_filter(name))
        .collect();
    of_library(&names)
}

/// The options that a verdict depends on.
const VERDICT: [&str; 6] = [
    "warning",
    "critical",
    "defaults",
    "exclude",
    "exclude-domain",
    "exclude-sender",
];

/// Those of them that leave mail out, which also hold for lists.
const EXCLUDES: [&str; 3] = ["exclude", "exclude-domain", "exclude-sender"];

/// The options that select the spool, the time, and the effort.
const WHICH: [&str; 8] = [
    "config-directory",
    "queue-directory",
    "all-instances",
    "instance",
    "now",
    "timeout",
    "readers",
    "gentle",
];

/// [`WHICH`] for a command that runs until it is ended, so without a timeout.
fn which_live() -> impl Iterator<Item = Flag> {
    of_library(&WHICH)
        .into_iter()
        .filter(|flag| flag.name != "timeout")
}

fn main() -> ExitCode {
    spelling::set(Spelling::Dashes);
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let in_json = asks_for_json(&arguments);
    match rights::begin().and_then(|()| dispatch(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("queuewatch: {error}");
            if in_json {
                // The reader parses the output.
                let _ = print(&format!("{}\n", json::failure(&error)));
            }
            match error.kind() {
                ErrorKind::Syntax | ErrorKind::Invalid => ExitCode::from(USAGE),
                _ => ExitCode::from(FAILED),
            }
        }
    }
}

/// Returns true if JSON output is requested, before the command line is parsed.
fn asks_for_json(arguments: &[OsString]) -> bool {
    let words = || arguments.iter().take_while(|word| *word != "--");
    let to_file = |word: &OsString| {
        let word = word.to_string_lossy();
        word.starts_with("--output") || word.starts_with("-o")
    };
    // What reads bare queue IDs parses no JSON, and must not take an error for one.
    words().any(|word| word == "--json" || word == "-j")
        && !words().any(|word| word == "--ids" || to_file(word))
}

fn dispatch(mut arguments: Vec<OsString>) -> Result<ExitCode> {
    let first = arguments.first().map(|word| word.to_string_lossy());
    let name = first.as_deref().unwrap_or_default().to_owned();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return match name.as_str() {
            "-h" | "--help" | "help" => print(HELP),
            "-V" | "--version" => version(),
            // For packagers, not for operators, so no list of commands contains it.
            "generate" => generate::run(arguments.split_off(1)),
            "" => Err(args::usage(&format!(
                "the command is missing; it is one of {}",
                names()
            ))),
            _ => Err(args::usage(&format!(
                "there is no command {name}; there are {}",
                names()
            ))),
        };
    };
    arguments.remove(0);
    let mut flags = (command.flags)();
    flags.extend(COMMON);
    // Remedies of the library name options, of which this command may have none.
    let lacking = ["exclude", "previous", "counts"].into_iter();
    let has = |name: &&str| flags.iter().any(|flag| flag.name == *name);
    spelling::set_lacking(lacking.filter(|name| !has(name)).collect());
    let words = args::parse(arguments, &flags)?;
    for word in &words {
        match word {
            Word::Flag("help", _) => {
                return print(&format!("{}\n{}", command.help, args::help(&flags)));
            }
            Word::Flag("version", _) => return version(),
            _ => {}
        }
    }
    (command.run)(words)
}

/// Parses the queues in `word` of the command line.
fn queues_named(word: &OsStr) -> Result<QueueSet> {
    Subject::queues_named(&word.to_string_lossy()).map_err(|error| args::usage(&error.to_string()))
}

/// Returns the names of all commands, for texts.
fn names() -> String {
    COMMANDS.map(|command| command.name).join(", ")
}

/// Returns true unless the environment asks for no colours (<https://no-color.org>).
fn allows_color() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn version() -> Result<ExitCode> {
    print(&format!("queuewatch {}\n", env!("CARGO_PKG_VERSION")))
}

fn print(text: &str) -> Result<ExitCode> {
    print_bytes(text.as_bytes())
}

fn print_bytes(text: &[u8]) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        // The reader has closed the pipe.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Error::io("write to", Path::new("standard output"), &error)),
    }
}

/// Prints on standard error what could not be read. Returns the exit code for it.
fn tell_unread<'e>(told: impl Iterator<Item = &'e Error>, unread: u64, cut: bool) -> ExitCode {
    let mut lines = 0;
    for error in told {
        eprintln!("queuewatch: {error}");
        lines += 1;
    }
    if unread > lines {
        eprintln!("queuewatch: and {} more could not be read", unread - lines);
    }
    if cut {
        eprintln!("queuewatch: the deadline passed before all was read; raise --timeout");
    }
    if unread > 0 || cut {
        ExitCode::from(INCOMPLETE)
    } else {
        ExitCode::SUCCESS
    }
}

/// As [`tell_unread`], for all of `snapshot`.
fn tell_unread_of(snapshot: &Snapshot) -> ExitCode {
    let gaps: Vec<Error> = snapshot
        .instances
        .iter()
        .flat_map(|taken| &taken.gaps)
        .map(Error::from)
        .collect();
    let unread: u64 = snapshot
        .instances
        .iter()
        .map(|taken| taken.unreadable() + taken.unread_logs())
        .sum();
    tell_unread(
        snapshot.broken.iter().chain(&gaps),
        unread + snapshot.broken.len() as u64,
        snapshot.instances.iter().any(InstanceSnapshot::is_cut),
    )
}
