//! The plugin under the name check_mailq: the options and output of that plugin of the Monitoring Plugins, with
//! our own rules.
//!
//! Its thresholds alert from the number on, ours above it; `@N:` is the range for the former. `-W` and `-C`
//! work for Postfix, too, as its help promises. No program is started, so `-s` has no effect.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use queuewatch::error::Result;
use queuewatch::measure::{Kind, Measure, Quality, Subject, quantity};
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::render::plugin;
use queuewatch::rights;
use queuewatch::rules::{Level, State, Verdict};
use queuewatch::snapshot::{Snapshot, TableSet};
use queuewatch::spelling;

use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;

/// The default deadline of check_mailq, in seconds.
const TIMEOUT: &str = "15";

#[rustfmt::skip]
const FLAGS: [Flag; 11] = [
    Flag { short: Some('w'), name: "warning", takes: Takes::One("N"),
        help: "WARNING from N messages on" },
    Flag { short: Some('c'), name: "critical", takes: Takes::One("N"),
        help: "CRITICAL from N messages on; more than that of -w" },
    Flag { short: Some('W'), name: "warning-domain", takes: Takes::One("N"),
        help: "WARNING from N recipients of one destination domain on" },
    Flag { short: Some('C'), name: "critical-domain", takes: Takes::One("N"),
        help: "CRITICAL from N recipients of one destination domain on; more than that of -W" },
    Flag { short: Some('M'), name: "mailserver", takes: Takes::One("MTA"),
        help: "postfix, the only one that is supported" },
    Flag { short: Some('d'), name: "configdir", takes: Takes::One("DIR"),
        help: "the directory of main.cf (default: $MAIL_CONFIG, else /etc/postfix)" },
    Flag { short: Some('t'), name: "timeout", takes: Takes::One("SECONDS"),
        help: "deadline (default 15)" },
    Flag { short: Some('s'), name: "sudo", takes: Takes::Nothing,
        help: "accepted and ignored: no program is run, so there is nothing for sudo" },
    Flag { short: Some('v'), name: "verbose", takes: Takes::Nothing,
        help: "long output: domains by age, reasons, senders, what could not be read" },
    Flag { short: Some('h'), name: "help", takes: Takes::Nothing,
        help: "print this and exit with 3" },
    Flag { short: Some('V'), name: "version", takes: Takes::Nothing,
        help: "print the version and exit with 3" },
];

/// The thresholds of one measure: it alerts from these numbers on.
#[derive(Clone, Copy, Default)]
struct Thresholds {
    warning: Option<u64>,
    critical: Option<u64>,
}

impl Thresholds {
    /// Checks the thresholds against each other, and makes rules on `measure`.
    fn rules(self, measure: &str, flags: (&str, &str), options: &mut Options) -> Result<()> {
        let (Some(warning), Some(critical)) = (self.warning, self.critical) else {
            let text = format!("both {} and {} are required", flags.0, flags.1);
            return Err(args::usage(&text));
        };
        if warning >= critical {
            let text = format!("{} must be smaller than {}", flags.0, flags.1);
            return Err(args::usage(&text));
        }
        for (name, from) in [("warning", warning), ("critical", critical)] {
            // An empty queue is OK for any threshold.
            let rule = format!("{measure}=@{}:", from.max(1));
            options.set(name, rule.as_bytes())?;
        }
        Ok(())
    }
}

pub(crate) fn run(arguments: Vec<OsString>) -> Result<(String, State)> {
    spelling::set_lacking(vec!["exclude", "previous", "counts"]);
    let mut options = Options::default();
    options.set("timeout", TIMEOUT.as_bytes())?;
    let (mut messages, mut domains) = (Thresholds::default(), Thresholds::default());
    let mut verbosity = 0;
    for word in args::parse(arguments, &FLAGS)? {
        let (name, value) = match word {
            Word::Flag(name, value) => (name, value),
            Word::Plain(word) => {
                let text = format!("{} is not an option", word.to_string_lossy());
                return Err(args::usage(&text));
            }
        };
        match name {
            "help" => return Ok((help(), State::Unknown)),
            "version" => {
                let version = env!("CARGO_PKG_VERSION");
                let text = format!("check_mailq (check_postfix_queue {version})\n");
                return Ok((text, State::Unknown));
            }
            "verbose" => verbosity = 1,
            "warning" => messages.warning = Some(threshold(name, &value)?),
            "critical" => messages.critical = Some(threshold(name, &value)?),
            "warning-domain" => domains.warning = Some(threshold(name, &value)?),
            "critical-domain" => domains.critical = Some(threshold(name, &value)?),
            "mailserver" if value == b"postfix" => {}
            "mailserver" => {
                return Err(args::usage(
                    "-M: this check_mailq reads the queues of postfix alone; use that of the \
                     Monitoring Plugins for others",
                ));
            }
            "configdir" => options.set("config-directory", &directory(value))?,
            "timeout" => options.set("timeout", &value)?,
            // For sudo.
            _ => {}
        }
    }
    messages.rules("total.messages", ("-w", "-c"), &mut options)?;
    if domains.warning.is_some() || domains.critical.is_some() {
        domains.rules("total.top_domain", ("-W", "-C"), &mut options)?;
    }
    crate::give_up_after(&options, crate::Format::Plugin);
    let tables = TableSet {
        domains: verbosity > 0,
        senders: verbosity > 0,
        codes: verbosity > 0,
        reasons: verbosity > 0,
        ..TableSet::default()
    };
    let judged: Result<_> = rights::raised(|| {
        let snapshot = Confinement::new().scan(&options, Purpose::Check(tables))?;
        let verdict = options.check(&snapshot)?;
        Ok((snapshot, verdict))
    });
    rights::give_up();
    let (snapshot, verdict) = judged?;
    let mut text = first_line(&snapshot, &verdict, messages, domains);
    if verbosity > 0 {
        let long = plugin::output(&snapshot, &verdict, verbosity, false);
        let behind_first = long.split_once('\n').map_or("", |(_, rest)| rest);
        text.push_str(behind_first);
    }
    Ok((text, verdict.state))
}

fn threshold(name: &str, value: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| args::usage(&format!("--{name}: must be a number of messages")))
}

/// Accepts the path of main.cf itself for its directory.
fn directory(value: Vec<u8>) -> Vec<u8> {
    let path = Path::new(OsStr::from_bytes(&value));
    match (path.file_name(), path.parent()) {
        (Some(name), Some(parent)) if name == "main.cf" && path.is_file() => {
            parent.as_os_str().to_owned().into_vec()
        }
        _ => value,
    }
}

fn first_line(
    snapshot: &Snapshot,
    verdict: &Verdict,
    messages: Thresholds,
    domains: Thresholds,
) -> String {
    let count = Measure::new(Subject::Total, Kind::Messages).evaluate(snapshot);
    let shown = match count.quality {
        Quality::Exact => quantity::plain(count.value),
        _ => format!("at least {}", quantity::plain(count.value)),
    };
    let level_of = |kind| {
        let breach = |state| state == State::Warning || state == State::Critical;
        let mut findings = verdict.findings.iter().filter(|one| breach(one.state));
        findings.find(|one| one.rule.measures().any(|measure| measure.kind == kind))
    };
    let threshold = |level: Level, of: Thresholds| match level {
        Level::Warning => of.warning.unwrap_or(0),
        Level::Critical => of.critical.unwrap_or(0),
    };
    let mut text = format!("{}: postfix mailq ", verdict.state);
    let (warning, critical) = (
        messages.warning.unwrap_or(0),
        messages.critical.unwrap_or(0),
    );
    let _ = match level_of(Kind::Messages) {
        Some(breach) => {
            let level = breach.rule.level;
            let letter = if level == Level::Warning { 'w' } else { 'c' };
            let from = threshold(level, messages);
            write!(text, "is {shown} (threshold {letter} = {from})")
        }
        None if count.quality != Quality::Exact => write!(text, "is {shown}"),
        None if count.value == 0.0 => write!(text, "reports queue is empty"),
        None => write!(text, "({shown}) is below threshold ({warning}/{critical})"),
    };
    if let Some(breach) = level_of(Kind::TopDomain) {
        let (level, figure) = (breach.rule.level, breach.figures.first());
        let letter = if level == Level::Warning { 'W' } else { 'C' };
        let _ = write!(
            text,
            ", {} recipients of {} (threshold {letter} = {})",
            quantity::plain(figure.value),
            figure.detail.as_deref().unwrap_or("one domain"),
            threshold(level, domains)
        );
    }
    if !snapshot.is_counted() {
        let _ = write!(text, ", {}", plugin::why_incomplete(snapshot));
    }
    // A lower bound is left out of performance data.
    if let Some(count) = count.known() {
        let _ = write!(
            text,
            "|unsent={};{warning};{critical};0",
            quantity::plain(count)
        );
    }
    text.push('\n');
    text
}

fn help() -> String {
    format!(
        "check_mailq (check_postfix_queue {}): is mail stuck in a Postfix queue?\n\n\
         Usage: check_mailq -w N -c N [-W N -C N] [-M postfix] [-d DIR] [-t SECONDS] [-s] [-v]\n\n{}\n\
         It takes the options of the check_mailq of the Monitoring Plugins and reads the queues itself:\n\
         messages in maildrop, incoming, active, deferred and hold. Under its own name,\n\
         check_postfix_queue, which reports more.\n",
        env!("CARGO_PKG_VERSION"),
        args::help(&FLAGS)
    )
}
