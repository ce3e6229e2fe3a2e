//! `queuewatch top`: the live queues on the whole screen.
//!
//! ```text
//! watch -> reader (threads) -> sight (rows) -> model -> screen -> terminal
//!                                keys of the terminal -^
//! ```
//! The model is pure; the reader alone reads a spool, and the terminal alone knows the device. Nothing here judges,
//! and nothing here changes a queue.

mod canvas;
mod command;
mod device;
mod encode;
mod filter;
mod history;
mod keys;
mod messages;
mod model;
mod page;
mod pages;
mod panes;
mod press;
mod reader;
mod screen;
mod sight;
mod style;
mod terminal;
#[cfg(test)]
mod tests;

#[cfg(test)]
#[path = "../../../../tests/support/pseudo_terminal.rs"]
mod pseudo_terminal;

#[cfg(test)]
#[allow(dead_code, reason = "the tests of the other programs use the rest")]
#[path = "../../../../tests/support/terminal_svg.rs"]
mod terminal_svg;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::ExitCode;
use std::time::Duration;

use queuewatch::error::{Error, Result};
use queuewatch::instance::{self, Instance};
use queuewatch::options::{Options, Takes};
use queuewatch::rights;
use queuewatch::sys;

use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{EXCLUDES, INCOMPLETE, VERDICT, WHICH, of_library, print, which_live};
use command::{Postsuper, Target, Where};
use model::{Ask, Model};
use reader::{Reader, Report};
use style::Look;
use terminal::{Happened, Terminal};

pub(crate) const HELP: &str = "\
Usage: queuewatch top [OPTIONS]

Shows the queues live on the whole screen: the state by the rules given, else by the defaults of
check_postfix_queue, and why; the queues with the last hour; destinations by age; why mail waits; where it
comes from. Enter leads from a row to its messages and to all about one; y gives the exact command for what
is chosen; ? lists all keys. It only reads.

It needs a terminal; queuewatch status is one look at the same, and queuewatch watch a stream of lines.
NO_COLOR switches colours off.
";

/// The time between two looks at a busy queue.
const INTERVAL: Duration = Duration::from_secs(2);
/// How often progress is drawn.
const PROGRESS: Duration = Duration::from_millis(250);
/// How long nothing at all may happen.
const QUIET: Duration = Duration::from_secs(60);

const FLAGS: [Flag; 1] = [Flag {
    short: None,
    name: "interval",
    takes: Takes::One("TIME"),
    help: "at most one look at a busy queue each TIME, with s m h (default 2)",
}];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(of_library(&VERDICT));
    flags.extend(of_library(&["causes", "poll"]));
    flags.extend(which_live());
    flags
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut interval = INTERVAL;
    let mut place = Where::default();
    for word in words {
        match word {
            Word::Flag("interval", value) => {
                interval = args::time("interval", &value, 0.1..=f64::INFINITY)?;
            }
            Word::Flag(name, value) => {
                options.set(name, &value)?;
                // What list and show take, too, and what list does.
                if WHICH.contains(&name) {
                    place.flags.push((name, anywhere(name, value)));
                } else if name == "causes" || EXCLUDES.contains(&name) {
                    place.filters.push((name, anywhere(name, value)));
                }
            }
            Word::Plain(word) => {
                let text = format!("{} is not an option of top", word.to_string_lossy());
                return Err(args::usage(&text));
            }
        }
    }
    device::check()?;
    aim(&mut place, &options)?;
    let look = Look {
        color: crate::allows_color() && device::has_colors(),
        utf8: device::speaks_utf8(),
        clock,
    };
    let mut terminal = Terminal::open(look.utf8)?;
    // Without instances there is nothing to confine, and the reader says why.
    let _ = rights::raised(|| Confinement::new().live().instances(&options));
    let mut reader = Reader::start(&options, interval, terminal.bell())?;
    let mut model = Model::new(place);
    let ended = follow(&mut terminal, &mut reader, &mut model, look);
    let mut copied = String::new();
    for command in &model.copied {
        let _ = writeln!(copied, "{command}");
    }
    match ended {
        Ok(Ended::Quit) => {
            drop(terminal);
            print(&copied)?;
        }
        Ok(Ended::Signal(signal)) => {
            terminal.leave(&copied);
            // A shell says it in the same way (POSIX, "Exit Status for Commands").
            return Ok(ExitCode::from(128 + signal as u8));
        }
        Err(error) => {
            terminal.leave(&copied);
            return Err(error);
        }
    }
    Ok(match model.sums.is_some_and(|sums| sums.incomplete) {
        true => ExitCode::from(INCOMPLETE),
        false => ExitCode::SUCCESS,
    })
}

/// The value of an option that means the same in any working directory.
fn anywhere(name: &str, value: Vec<u8>) -> Vec<u8> {
    match name {
        "config-directory" | "queue-directory" | "causes" => {
            let path = std::path::absolute(OsStr::from_bytes(&value));
            path.map_or(value, |path| path.into_os_string().into_vec())
        }
        _ => value,
    }
}

/// Completes `place` so that its commands act on the spools of `options` wherever they are pasted.
fn aim(place: &mut Where, options: &Options) -> Result<()> {
    let has = |place: &Where, names: &[&str]| {
        let mut flags = place.flags.iter();
        flags.any(|(name, _)| names.contains(name))
    };
    let mail_config = std::env::var_os("MAIL_CONFIG").filter(|directory| !directory.is_empty());
    if let (Some(directory), false) = (
        mail_config,
        has(place, &["config-directory", "queue-directory"]),
    ) {
        let directory = anywhere("config-directory", directory.into_vec());
        place.flags.insert(0, ("config-directory", directory));
    }
    let found = rights::raised(|| {
        let found = options.instances()?;
        // The screen names the people of every instance.
        instance::check_listable(&found)?;
        Ok::<_, Error>(found)
    })?;
    let names_config = has(place, &["config-directory", "instance", "all-instances"]);
    let of = |instance: &Instance| {
        let mut flags = place.flags.clone();
        let config = instance.config_directory.clone();
        if let (Some(directory), true) = (&config, names_config) {
            // An instance may have no name, and several the same.
            let which = ["all-instances", "instance", "config-directory"];
            flags.retain(|(name, _)| !which.contains(name));
            let directory = directory.as_os_str().as_bytes().to_vec();
            flags.insert(0, ("config-directory", directory));
        }
        let postsuper = match (instance.may_be_a_copy(), names_config) {
            (true, _) => Postsuper::Never,
            (false, true) => Postsuper::Config,
            (false, false) => Postsuper::Plain,
        };
        Target {
            config,
            flags,
            postsuper,
        }
    };
    place.instances = found.iter().flatten().map(of).collect();
    Ok(())
}

/// The time of day of the second `at` of the epoch.
fn clock(at: i64) -> String {
    // asctime(3): `Tue Nov 24 02:00:00 2026`
    let text = sys::local_time(at).unwrap_or_default();
    text.get(11..19).unwrap_or_default().to_owned()
}

/// Why it ended.
enum Ended {
    Quit,
    Signal(i32),
}

/// Draws, waits and does what keys ask for, until the end.
fn follow(
    terminal: &mut Terminal,
    reader: &mut Reader,
    model: &mut Model,
    look: Look,
) -> Result<Ended> {
    let mut changed = true;
    loop {
        if changed && terminal.is_ready() {
            terminal.show(|buffer| screen::draw(model, look, buffer))?;
            changed = false;
        }
        let within = match model.is_reading() {
            true => PROGRESS,
            false => QUIET,
        };
        let happened = terminal.wait(within)?;
        for one in happened {
            match one {
                Happened::Resized => changed = true,
                Happened::Signal(signal) => return Ok(Ended::Signal(signal)),
                Happened::Key(key) => {
                    changed = true;
                    if let Some(ask) = model.press(key) {
                        if let Some(ended) = carry_out(ask, terminal, reader)? {
                            return Ok(ended);
                        }
                    }
                }
            }
        }
        while let Some(report) = reader.next() {
            changed = true;
            take_in(report, reader, model)?;
        }
        if model.is_reading() {
            let reached = match model.pages.is_empty() {
                true => reader.begun(),
                false => reader.job_steps(),
            };
            changed |= reached != model.reached;
            model.reached = reached;
        }
    }
}

fn carry_out(ask: Ask, terminal: &mut Terminal, reader: &mut Reader) -> Result<Option<Ended>> {
    match ask {
        Ask::Quit => return Ok(Some(Ended::Quit)),
        Ask::Suspend => {
            if let Happened::Signal(signal) = terminal.stop()? {
                return Ok(Some(Ended::Signal(signal)));
            }
        }
        Ask::Redraw => terminal.forget(),
        Ask::Forget => reader.stop_job(),
        Ask::List(filter, sort) => reader.list(&filter, sort)?,
        Ask::Show(message) => reader.show(message)?,
        Ask::Copy(command) => terminal.copy(&command)?,
    }
    Ok(None)
}

fn take_in(report: Report, reader: &mut Reader, model: &mut Model) -> Result<()> {
    match report {
        Report::Look(look) => {
            let (sums, tables) = *look;
            model.look(sums, tables);
        }
        Report::Trouble(text) => model.trouble = Some(text),
        Report::Failed(error) => return Err(error),
        Report::Listed(number, found) => {
            if reader.is_present(number) {
                model.listed(found.map_err(|error| error.to_string()));
            }
        }
        Report::Shown(number, lines) => {
            if reader.is_present(number) {
                model.lines(lines.unwrap_or_else(|error| vec![error.to_string()]));
            }
        }
    }
    Ok(())
}
