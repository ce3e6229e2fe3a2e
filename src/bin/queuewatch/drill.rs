//! `queuewatch drill`: rehearses an alert. It generates a spool of mail and runs the check on it.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::ExitCode;

use queuewatch::clock;
use queuewatch::drill::{self, Plan};
use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::escape;
use queuewatch::instance::DEFAULT_CONFIG_DIRECTORY;
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::postfix::queue::Queue;
use queuewatch::render::plugin;
use queuewatch::rights;
use queuewatch::rules::State;
use queuewatch::snapshot::TableSet;

use crate::args::{self, Flag, Word};
use crate::{INCOMPLETE, print};

pub(crate) const HELP: &str = "\
Usage: queuewatch drill [OPTIONS] [DIR]

Makes a spool of generated mail in DIR, which must be empty or new, runs the check on it, and prints the
alert. Without DIR it uses a temporary directory, which it removes at the end. It never writes below a real
queue directory.
";

#[rustfmt::skip]
pub(crate) const FLAGS: [Flag; 8] = [
    Flag { short: None, name: "messages", takes: Takes::One("N"),
        help: "messages to generate (default 1000)" },
    Flag { short: None, name: "domains", takes: Takes::One("N"),
        help: "destination domains (default 200)" },
    Flag { short: None, name: "age", takes: Takes::One("AGE"),
        help: "age of the oldest message, with s m h d w (default 3d)" },
    Flag { short: None, name: "seed", takes: Takes::One("N"),
        help: "the same seed and --now make the same mail (default 1)" },
    Flag { short: None, name: "long-ids", takes: Takes::Nothing,
        help: "long queue IDs (enable_long_queue_ids)" },
    Flag { short: None, name: "now", takes: Takes::One("EPOCH"),
        help: "ages as of that second" },
    Flag { short: Some('w'), name: "warning", takes: Takes::Many("RULE"),
        help: "rehearse this rule, as in check_postfix_queue" },
    Flag { short: Some('c'), name: "critical", takes: Takes::Many("RULE"),
        help: "rehearse this rule, as in check_postfix_queue" },
];

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    // Its queue is made and read with the caller's rights.
    rights::give_up();
    let mut rehearsal = Rehearsal {
        directory: None,
        plan: Plan::at(clock::now()),
        options: Options::default(),
    };
    for word in words {
        match word {
            Word::Flag(name, value) => rehearsal.set(name, &value)?,
            Word::Plain(word) if rehearsal.directory.is_none() => {
                rehearsal.directory = Some(word.into());
            }
            Word::Plain(word) => {
                let word = word.to_string_lossy();
                return Err(args::usage(&format!(
                    "one DIR is enough; {word} is another"
                )));
            }
        }
    }
    rehearsal.run()
}

/// One fire drill.
struct Rehearsal {
    directory: Option<PathBuf>,
    plan: Plan,
    options: Options,
}

impl Rehearsal {
    fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        match name {
            "messages" => self.plan.messages = count(name, value)?,
            "domains" => self.plan.domains = count(name, value)?,
            "seed" => self.plan.seed = count(name, value)?,
            "long-ids" => self.plan.long_ids = true,
            "age" => {
                let age = args::time(name, value, 0.0..=f64::INFINITY)?;
                self.plan.oldest = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
            }
            "now" => {
                self.options.set(name, value)?;
                self.plan.now = self.options.now();
            }
            _ => self.options.set(name, value)?,
        }
        Ok(())
    }

    fn run(mut self) -> Result<ExitCode> {
        let (directory, temporary) = if let Some(directory) = self.directory.take() {
            (directory, None)
        } else {
            let temporary = Temporary::new()?;
            (temporary.0.join("spool"), Some(temporary))
        };
        let meter = std::io::stderr().is_terminal();
        let made = drill::make(&directory, &self.plan, &mut |done, of| {
            if meter {
                let end = if done == of { "\n" } else { "" };
                eprint!("\rmaking up mail: {done} of {of} messages{end}");
            }
        })?;
        self.options
            .set("queue-directory", directory.as_os_str().as_bytes())?;
        self.options
            .set("now", self.plan.now.to_string().as_bytes())?;
        let tables = TableSet {
            domains: true,
            senders: true,
            reasons: true,
            causes: true,
            ..TableSet::default()
        };
        let mut snapshot = self.options.scan(Purpose::Check(tables))?;
        let verdict = self.options.check(&snapshot)?;
        if temporary.is_some() {
            // The alert of a host names no spool that is removed by then.
            for taken in &mut snapshot.instances {
                taken.instance.config_directory = Some(DEFAULT_CONFIG_DIRECTORY.into());
            }
        }

        let mut text = format!(
            "A fire drill: made-up mail in {}.\n",
            escape::path(&directory)
        );
        for queue in Queue::ALL {
            let totals = made.queue(queue);
            if totals.messages > 0 {
                let messages = escape::counted(totals.messages, "message");
                let recipients = escape::counted(totals.recipients, "recipient");
                let _ = writeln!(text, "  {queue:<9} {messages:>17}, {recipients:>19}");
            }
        }
        text.push_str("\nThis is what check_postfix_queue -v says of it:\n\n");
        text.push_str(&plugin::output(&snapshot, &verdict, 1, false));
        let meaning = match verdict.state {
            State::Ok => "nobody is called.",
            _ => "your monitoring system would alert now.",
        };
        let (code, state) = (verdict.state.code(), verdict.state);
        let _ = writeln!(text, "\nIts exit code is {code} ({state}): {meaning}");
        let _ = match &temporary {
            Some(_) => writeln!(
                text,
                "The made-up spool is removed; give a DIR to keep one."
            ),
            None => writeln!(
                text,
                "Try: check_postfix_queue --queue-directory {} -v",
                escape::path(&directory)
            ),
        };
        let code = print(&text)?;
        if !snapshot.is_whole() {
            eprintln!("queuewatch: the made-up spool could not be read whole");
            return Ok(ExitCode::from(INCOMPLETE));
        }
        Ok(code)
    }
}

fn count(name: &str, value: &[u8]) -> Result<u64> {
    let text = String::from_utf8_lossy(value);
    text.parse()
        .map_err(|_| args::usage(&format!("--{name} \"{text}\": must be a whole number")))
}

/// A temporary directory that is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Result<Self> {
        let base = std::env::temp_dir();
        for attempt in 0..100_u32 {
            let path = base.join(format!("queuewatch-drill-{}-{attempt}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Temporary(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("make", &path, &error)),
            }
        }
        Err(Error::new(
            ErrorKind::Io,
            format!("no free name for a directory in {}", escape::path(&base)),
        ))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!(
                "queuewatch: cannot remove {}: {error}",
                escape::path(&self.0)
            );
        }
    }
}
