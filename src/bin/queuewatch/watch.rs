//! `queuewatch watch`: follows the queues live, for a person, a program, or a monitoring system.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::instance;
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::rights;
use queuewatch::snapshot::TableSet;
use queuewatch::watch::{HoldDown, TICK, Watch};

use crate::anonymize;
use crate::args::{self, Flag, Word};
use crate::journal::{self, Journal};
use crate::kept_page::{self, KeptPage};
use crate::notify::Supervisor;
use crate::outputs::{Nagios, Outputs};
use crate::summary::Summary;
use crate::{VERDICT, of_library, which_live};

pub(crate) const HELP: &str = "\
Usage: queuewatch watch [OPTIONS]

Watches the queues by inotify. Prints a line for each message that arrives, moves, changes or leaves, and
for each change of the state by the rules given, else by the defaults of check_postfix_queue. It reads
the queues once. If events may be missing it reads them again and reports that. Without inotify it reads
the files that have changed. It ends at SIGTERM or SIGINT.
";

/// The shortest time between two verdicts.
const PACE: Duration = Duration::from_secs(1);

#[rustfmt::skip]
const FLAGS: [Flag; 14] = [
    Flag { short: Some('j'), name: "json", takes: Takes::Nothing,
        help: "print one JSON object for each event (schema queuewatch/1)" },
    Flag { short: Some('s'), name: "states", takes: Takes::Nothing,
        help: "print changes of the state alone" },
    Flag { short: None, name: "summary", takes: Takes::Nothing,
        help: "one line a second for all events of messages in it" },
    Flag { short: None, name: "for", takes: Takes::One("DURATION"),
        help: "a change of the state counts after it has lasted that long, such as 5m (default 0)" },
    Flag { short: None, name: "status", takes: Takes::One("FILE"),
        help: "keep FILE, which check_postfix_queue --status answers from" },
    Flag { short: None, name: "openmetrics", takes: Takes::One("FILE"),
        help: "keep FILE as OpenMetrics text" },
    Flag { short: None, name: "report", takes: Takes::One("FILE"),
        help: "keep FILE as the page of queuewatch report, for a web server" },
    Flag { short: None, name: "report-interval", takes: Takes::One("TIME"),
        help: "at most one page each TIME, with s m h (1s to 24h, default 1m), and at most 1 per cent of a processor for pages" },
    Flag { short: None, name: "nagios-command", takes: Takes::One("FILE"),
        help: "send passive results to this external command file; needs --host and --service" },
    Flag { short: None, name: "host", takes: Takes::One("NAME"),
        help: "the host_name of passive results" },
    Flag { short: None, name: "service", takes: Takes::One("NAME"),
        help: "the service_description of passive results" },
    Flag { short: None, name: "journal", takes: Takes::Nothing,
        help: "write changes of the state and of what is breached to systemd-journald, with fields" },
    Flag { short: None, name: "journal-socket", takes: Takes::One("FILE"),
        help: "where journald listens (default /run/systemd/journal/socket)" },
    Flag { short: None, name: "exec", takes: Takes::One("PROGRAM"),
        help: "run PROGRAM STATE BEFORE OUTPUT at each change of the state (never by a shell)" },
];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(anonymize::FLAGS);
    flags.extend(of_library(&VERDICT));
    flags.extend(of_library(&["poll", "metrics-domain", "metrics-top"]));
    flags.extend(which_live());
    flags
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut outputs = Outputs::default();
    let mut lasting = Duration::ZERO;
    let (mut command, mut host, mut service) = (None, None, None);
    let (mut in_journal, mut socket) = (false, None);
    let (mut report, mut pace) = (None, None);
    let mut anonymize = anonymize::Asked::default();
    for word in words {
        match word {
            Word::Flag("json", _) => outputs.json = true,
            Word::Flag("states", _) => outputs.states_only = true,
            Word::Flag("summary", _) => outputs.summary = Some(Summary::default()),
            Word::Flag("for", value) => lasting = args::time("for", &value, 0.0..=f64::INFINITY)?,
            Word::Flag("status", value) => outputs.status = Some(args::file("status", value)?),
            Word::Flag("openmetrics", value) => {
                outputs.openmetrics = Some(args::file("openmetrics", value)?);
            }
            Word::Flag("report", value) => report = Some(args::file("report", value)?),
            Word::Flag("report-interval", value) => {
                pace = Some(args::time("report-interval", &value, 1.0..=86_400.0)?);
            }
            Word::Flag("nagios-command", value) => {
                command = Some(args::file("nagios-command", value)?);
            }
            Word::Flag("host", value) => host = Some(name("host", value)?),
            Word::Flag("service", value) => service = Some(name("service", value)?),
            Word::Flag("journal", _) => in_journal = true,
            Word::Flag("journal-socket", value) => {
                socket = Some(args::file("journal-socket", value)?);
            }
            Word::Flag("exec", value) => outputs.exec = Some(args::file("exec", value)?),
            Word::Flag(name, value) if anonymize.take(name, &value)? => {}
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => {
                let text = format!("{} is not an option of watch", word.to_string_lossy());
                return Err(args::usage(&text));
            }
        }
    }
    if outputs.exec.is_some() && rights::are_borrowed() {
        return Err(Error::new(
            ErrorKind::Denied,
            "--exec starts a program: not with rights that you do not have",
        )
        .with_remedy("run the watch as a service of the system, or as root"));
    }
    if socket.is_some() && !in_journal {
        return Err(args::usage("--journal-socket is about --journal"));
    }
    let socket = socket.unwrap_or_else(|| PathBuf::from(journal::SOCKET));
    outputs.journal = in_journal.then(|| Journal::at(socket, lasting));
    outputs.nagios = match (command, host, service) {
        (None, None, None) => None,
        (Some(file), Some(host), Some(service)) => Some(Nagios {
            file,
            host,
            service,
            sent: None,
        }),
        _ => {
            return Err(args::usage(
                "--nagios-command, --host and --service go together",
            ));
        }
    };
    if outputs.states_only {
        let others = [("summary", outputs.summary.is_some())];
        args::alone("states", "prints changes of the state alone", &others)?;
    }
    if outputs.openmetrics.is_none() && !options.named_domains().is_none() {
        return Err(args::usage(args::METRICS_ALONE));
    }
    outputs.anonymizer = anonymize.anonymizer()?;
    outputs.domains = options.named_domains().clone();
    if pace.is_some() && report.is_none() {
        return Err(args::usage("--report-interval is about --report"));
    }
    let pace = pace.unwrap_or(kept_page::PACE);
    outputs.page = report.map(|path| KeptPage::new(path, pace));
    follow(&options, outputs, lasting)
}

/// Watches until the process is ended or the reader of standard output has gone.
fn follow(options: &Options, mut outputs: Outputs, lasting: Duration) -> Result<ExitCode> {
    let tables = match (&outputs.page, &outputs.openmetrics) {
        (Some(_), _) => TableSet::ALL,
        (None, Some(_)) => TableSet::LIVE_METRICS,
        (None, None) => TableSet::default(),
    };
    let confinement = outputs.confinement();
    // An event names sender and recipients, and a page more.
    let names = !outputs.states_only && outputs.summary.is_none() || outputs.page.is_some();
    let mut watch = rights::raised(|| {
        if let Some(confinement) = confinement {
            // Without instances there is nothing to confine, and the next line says why.
            if let (Ok(found), true) = (confinement.instances(options), names) {
                instance::check_listable(&found)?;
            }
        }
        Watch::open(options, Purpose::Check(tables))
    })?;
    let supervisor = Supervisor::from_environment();
    let mut changes = HoldDown::new(lasting);
    let mut judged: Option<Instant> = None;
    let mut first = true;
    // True if something happened since the last verdict.
    let mut news = true;
    loop {
        let checked = watch.files_checked();
        if let Err(error) = rights::raised(|| watch.dispatch()) {
            outputs.complain("spool", &error.to_string());
        }
        // A mode alone makes no event, and changes figures.
        news |= watch.files_checked() != checked;
        // With a line for each event, the line has facts about the message, which are read from its file.
        let bare = outputs.states_only || outputs.summary.is_some();
        let next = |watch: &mut Watch| match bare {
            true => watch.next_bare_event(),
            false => rights::raised(|| watch.next_event()),
        };
        while let Some(event) = next(&mut watch) {
            news = true;
            if !outputs.tell(event) {
                return Ok(ExitCode::SUCCESS);
            }
        }
        let since = judged.map_or(TICK, |judged| judged.elapsed());
        let lasted = changes.due().is_some_and(|due| due <= Instant::now());
        if (news || lasted) && since >= PACE || since >= TICK {
            judged = Some(Instant::now());
            news = false;
            if !outputs.summarize() {
                return Ok(ExitCode::SUCCESS);
            }
            match rights::raised(|| watch.check(options)) {
                Ok((mut snapshot, mut verdict)) => {
                    watch.note_blindness(&mut verdict);
                    let change = changes.follow(verdict.state, Instant::now());
                    outputs.anonymize_verdict(change.is_some(), &mut snapshot, &mut verdict);
                    if !outputs.report(change, &snapshot, &verdict) {
                        return Ok(ExitCode::SUCCESS);
                    }
                    outputs.write_domains(|| rights::raised(|| watch.snapshot()));
                    outputs.write_page(options, &mut watch);
                }
                Err(error) => outputs.complain("spool", &error.to_string()),
            }
            supervisor.alive(first);
            first = false;
        }
        outputs.reap();
        let since = judged.map_or(Duration::ZERO, |judged| judged.elapsed());
        let lasting = changes
            .due()
            .map(|due| due.saturating_duration_since(Instant::now()));
        watch.wait(Some(pause(news, since, lasting)))?;
    }
}

/// How long to wait for events: until the next verdict is due. The last one was `since` ago; `lasting` is left
/// until a change of the state has lasted. After a failed verdict the next one is not due sooner than any other.
fn pause(news: bool, since: Duration, lasting: Option<Duration>) -> Duration {
    let paced = PACE.saturating_sub(since);
    let due = match news {
        true => paced,
        false => TICK.saturating_sub(since),
    };
    lasting.map_or(due, |lasting| due.min(lasting.max(paced)))
}

fn name(what: &str, value: Vec<u8>) -> Result<String> {
    String::from_utf8(value)
        .ok()
        .filter(|name| !name.is_empty() && !name.contains([';', '\n']))
        .ok_or_else(|| args::usage(&format!("--{what} takes a name without ;")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_verdict_is_one_tick_after_the_last_whatever_woke_the_watch() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(pause(false, Duration::ZERO, None), TICK);
        assert_eq!(pause(false, TICK / 4 * 3, None), TICK / 4);
        assert_eq!(pause(false, TICK * 2, None), Duration::ZERO);
        assert_eq!(pause(true, Duration::ZERO, None), PACE);
        assert_eq!(pause(true, PACE, None), Duration::ZERO);
        let short = Some(seconds(0.1));
        assert_eq!(pause(false, Duration::ZERO, short), PACE);
        assert_eq!(pause(false, PACE, short), seconds(0.1));
    }
}
