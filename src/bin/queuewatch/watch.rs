//! `queuewatch watch`: follows the queues live, for a person, a program, or a monitoring system.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use queuewatch::clock;
use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::files::atomic;
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::render::{openmetrics, plugin, watch as render};
use queuewatch::rights;
use queuewatch::rules::{State, Verdict};
use queuewatch::snapshot::named_domains::NamedDomains;
use queuewatch::snapshot::{Snapshot, TableSet};
use queuewatch::watch::{HoldDown, TICK, Watch};

use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::journal::{self, Journal};
use crate::kept_page::{self, KeptPage};
use crate::notify::Supervisor;
use crate::printed::{Lines, Printed};
use crate::summary::Summary;
use crate::{VERDICT, of_library, which_live};

pub(crate) const HELP: &str = "\
Usage: queuewatch watch [OPTIONS]

Watches the queues by inotify. Prints a line for each message that arrives, moves, changes or leaves, and
for each change of the state by the rules given, else by the defaults of check_postfix_queue. It reads
the queues once. If events may be missing it reads them again and reports that. Without inotify it reads
the files that have changed. It ends at SIGTERM or SIGINT.
";

/// The mode of files that other programs read.
const MODE: u32 = 0o644;
/// The shortest time between two verdicts.
const PACE: Duration = Duration::from_secs(1);
/// How often a passive result is repeated without a change, for freshness checks.
const REPEAT: Duration = Duration::from_secs(60);
/// The least time between two files of metrics that name domains: the ages of their recipients are counted over
/// all messages.
const PACE_OF_DOMAINS: Duration = Duration::from_secs(15);

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
        help: "write changes of the state to systemd-journald, with fields" },
    Flag { short: None, name: "journal-socket", takes: Takes::One("FILE"),
        help: "where journald listens (default /run/systemd/journal/socket)" },
    Flag { short: None, name: "exec", takes: Takes::One("PROGRAM"),
        help: "run PROGRAM STATE BEFORE OUTPUT at each change of the state (never by a shell)" },
];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(of_library(&VERDICT));
    flags.extend(of_library(&["poll", "metrics-domain", "metrics-top"]));
    flags.extend(which_live());
    flags
}

/// Where results go.
#[derive(Default)]
struct Outputs {
    json: bool,
    states_only: bool,
    summary: Option<Summary>,
    lines: Lines,
    status: Option<PathBuf>,
    openmetrics: Option<PathBuf>,
    /// The domains that it names, and when it was written with them.
    domains: NamedDomains,
    domains_written: Option<Instant>,
    page: Option<KeptPage>,
    nagios: Option<Nagios>,
    journal: Option<Journal>,
    exec: Option<PathBuf>,
    child: Option<Child>,
    /// A change that waits for the previous child process to end.
    waiting: Option<[String; 3]>,
    /// The last failures, so that each is reported once.
    trouble: Vec<(&'static str, String)>,
}

struct Nagios {
    file: PathBuf,
    host: String,
    service: String,
    sent: Option<Instant>,
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut outputs = Outputs::default();
    let mut lasting = Duration::ZERO;
    let (mut command, mut host, mut service) = (None, None, None);
    let (mut in_journal, mut socket) = (false, None);
    let (mut report, mut pace) = (None, None);
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
    outputs.journal = in_journal.then(|| Journal::at(socket));
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
    let mut watch = rights::raised(|| {
        if let Some(confinement) = confinement {
            // Without instances there is nothing to confine, and the next line says why.
            let _ = confinement.instances(options);
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
        if let Err(error) = rights::raised(|| watch.dispatch()) {
            outputs.complain("spool", &error.to_string());
        }
        // With a line for each event, the line has facts about the message, which are read from its file.
        let bare = outputs.states_only || outputs.summary.is_some();
        let next = |watch: &mut Watch| match bare {
            true => watch.next_bare_event(),
            false => rights::raised(|| watch.next_event()),
        };
        while let Some(event) = next(&mut watch) {
            news = true;
            if outputs.states_only || outputs.summary.as_mut().is_some_and(|all| all.add(&event)) {
                continue;
            }
            let now = clock::now();
            let printed = match outputs.json {
                true => outputs.print(&render::event(&event, now).to_string()),
                false => outputs.print(&stamped(now, &render::event_line(&event))),
            };
            if !printed {
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
                Ok((snapshot, mut verdict)) => {
                    watch.note_blindness(&mut verdict);
                    let change = changes.follow(verdict.state, Instant::now());
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
        let paced = judged.map_or(PACE, |judged| PACE.saturating_sub(judged.elapsed()));
        let lasting = changes
            .due()
            .map_or(TICK, |due| due.saturating_duration_since(Instant::now()));
        // After a failed verdict the next one is not due sooner than any other.
        watch.wait(Some(
            if news { paced } else { TICK }.min(lasting.max(paced)),
        ))?;
    }
}

impl Outputs {
    /// What the watch may open besides the spools; `None` if it starts a program, which would be confined as well.
    fn confinement(&self) -> Option<Confinement> {
        if self.exec.is_some() {
            return None;
        }
        let mut confinement = Confinement::new()
            .live()
            .replaces(&self.status)
            .replaces(&self.openmetrics)
            .replaces(self.page.as_ref().map(KeptPage::path));
        if let Some(nagios) = &self.nagios {
            confinement = confinement.writes_to(&nagios.file);
        }
        Some(confinement)
    }

    /// Prints the line of this second, if something happened. Returns false if standard output is closed.
    fn summarize(&mut self) -> bool {
        let Some(summary) = self.summary.as_mut().filter(|summary| !summary.is_empty()) else {
            return true;
        };
        let summary = std::mem::take(summary);
        let now = clock::now();
        match self.json {
            true => self.print(&summary.document(now).to_string()),
            false => self.print(&stamped(now, &summary.line())),
        }
    }

    /// Prints a line. Returns false if the reader has gone.
    fn print(&mut self, line: &str) -> bool {
        match self.lines.print(line) {
            Printed::Whole => self.well("standard output"),
            Printed::NoReader => return false,
            Printed::Lost(error) => self.complain("standard output", &error.to_string()),
        }
        true
    }

    /// Writes the present verdict to every output that was asked for. Returns false if standard output is closed.
    fn report(&mut self, change: Option<State>, snapshot: &Snapshot, verdict: &Verdict) -> bool {
        if let Some(before) = change {
            let printed = match self.json {
                true => self.print(&render::state(before, snapshot, verdict).to_string()),
                false => self.print(&stamped(
                    snapshot.now,
                    &render::state_line(before, snapshot, verdict),
                )),
            };
            if !printed {
                return false;
            }
            if let Some(journal) = &mut self.journal {
                match journal.write(before, snapshot, verdict) {
                    Ok(()) => self.well("journal"),
                    Err(error) => self.complain("journal", &error.to_string()),
                }
            }
            // The first state is reported only if it is not OK.
            if self.exec.is_some() && (before != verdict.state || before != State::Ok) {
                self.waiting = Some([
                    verdict.state.to_string(),
                    before.to_string(),
                    plugin::service_output(snapshot, verdict),
                ]);
            }
        }
        if let Some(path) = self.status.clone() {
            let text = format!("{}\n", render::status(snapshot, verdict).document());
            self.keep("status", &path, &text);
        }
        if let Some(path) = self.openmetrics.clone() {
            // Those with names of domains are made of a whole snapshot.
            if self.domains.is_none() {
                let text = openmetrics::exposition(snapshot, &self.domains);
                self.keep("openmetrics", &path, &text);
            }
        }
        self.send(change.is_some(), snapshot, verdict);
        true
    }

    /// Keeps the file of metrics that name domains, if it is due.
    fn write_domains(&mut self, take: impl FnOnce() -> Result<Snapshot>) {
        let due = self
            .domains_written
            .is_none_or(|written| written.elapsed() >= PACE_OF_DOMAINS);
        let Some(path) = self.openmetrics.clone() else {
            return;
        };
        if self.domains.is_none() || !due {
            return;
        }
        self.domains_written = Some(Instant::now());
        match take() {
            Ok(snapshot) => {
                let text = openmetrics::exposition(&snapshot, &self.domains);
                self.keep("openmetrics", &path, &text);
            }
            Err(error) => self.complain("spool", &error.to_string()),
        }
    }

    /// Keeps the page, if it is due.
    fn write_page(&mut self, options: &Options, watch: &mut Watch) {
        let Some(page) = self.page.as_mut().filter(|page| page.is_due()) else {
            return;
        };
        match page.write(options, watch) {
            Ok(()) => self.well("report"),
            Err(error) => self.complain("report", &error.within("--report").to_string()),
        }
    }

    fn keep(&mut self, what: &'static str, path: &Path, text: &str) {
        match atomic::replace(path, text.as_bytes(), MODE) {
            Ok(()) => self.well(what),
            Err(error) => self.complain(what, &error.to_string()),
        }
    }

    fn send(&mut self, changed: bool, snapshot: &Snapshot, verdict: &Verdict) {
        let Some(nagios) = &mut self.nagios else {
            return;
        };
        if !changed && nagios.sent.is_some_and(|sent| sent.elapsed() < REPEAT) {
            return;
        }
        let line = render::passive_result(&nagios.host, &nagios.service, snapshot, verdict);
        let outcome = send(&nagios.file, line.as_bytes());
        match outcome {
            Ok(()) => {
                nagios.sent = Some(Instant::now());
                self.well("nagios-command");
            }
            Err(error) => self.complain("nagios-command", &error.to_string()),
        }
    }

    /// Waits for a program that has ended, and starts the next.
    fn reap(&mut self) {
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(None) => return,
                Ok(Some(status)) if status.success() => self.well("exec"),
                Ok(Some(status)) => self.complain("exec", &format!("--exec: {status}")),
                Err(error) => self.complain("exec", &format!("--exec: {error}")),
            }
            self.child = None;
        }
        let (Some(program), Some([state, before, output])) = (&self.exec, self.waiting.take())
        else {
            return;
        };
        let spawned = Command::new(program)
            .args([&state, &before, &output])
            .env("QUEUEWATCH_STATE", &state)
            .env("QUEUEWATCH_BEFORE", &before)
            .env("QUEUEWATCH_OUTPUT", &output)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        match spawned {
            Ok(child) => self.child = Some(child),
            Err(cause) => {
                let error = Error::io("run", program, &cause)
                    .with_remedy("give --exec the full path of a program that may be executed");
                self.complain("exec", &error.to_string());
            }
        }
    }

    /// Reports a failure on standard error, once.
    fn complain(&mut self, what: &'static str, text: &str) {
        let known = self.trouble.iter().find(|(one, _)| *one == what);
        if known.is_some_and(|(_, said)| said == text) {
            return;
        }
        eprintln!("queuewatch: {text}");
        self.trouble.retain(|(one, _)| *one != what);
        self.trouble.push((what, text.to_owned()));
    }

    fn well(&mut self, what: &'static str) {
        self.trouble.retain(|(one, _)| *one != what);
    }
}

/// Writes to a command pipe, as a whole and without waiting for its reader.
fn send(path: &Path, line: &[u8]) -> Result<()> {
    let failed = |action: &str, cause: &std::io::Error| {
        let error = Error::io(action, path, cause);
        match cause.raw_os_error() {
            Some(libc::ENXIO) => error.with_remedy("start the monitoring system that reads it"),
            Some(libc::ENOENT) => {
                error.with_remedy("name the command_file of the monitoring system")
            }
            _ => error,
        }
    };
    let mut pipe = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY)
        .open(path)
        .map_err(|cause| failed("open", &cause))?;
    let metadata = pipe.metadata().map_err(|cause| failed("stat", &cause))?;
    if !metadata.file_type().is_fifo() {
        let shown = queuewatch::escape::path(path);
        let error = Error::new(ErrorKind::Io, format!("{shown} is not a named pipe"));
        return Err(error.with_remedy("name the command_file of the monitoring system"));
    }
    pipe.write_all(line)
        .map_err(|cause| failed("write to", &cause))
}

fn name(what: &str, value: Vec<u8>) -> Result<String> {
    String::from_utf8(value)
        .ok()
        .filter(|name| !name.is_empty() && !name.contains([';', '\n']))
        .ok_or_else(|| args::usage(&format!("--{what} takes a name without ;")))
}

/// Returns a line with its local time, as in a system log.
fn stamped(at: i64, text: &str) -> String {
    let time = queuewatch::sys::local_time(at).unwrap_or_default();
    let time = time.get(4..19).unwrap_or_default();
    format!("{time} {text}")
}
