//! Where the results of `queuewatch watch` go: lines, files that it keeps, the journal, passive results, a program.
//!
//! An output that fails is reported once, and stops no other.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use queuewatch::anonymize::Anonymizer;
use queuewatch::clock;
use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::files::atomic;
use queuewatch::options::Options;
use queuewatch::render::{openmetrics, plugin, report, watch as render};
use queuewatch::rules::{State, Verdict};
use queuewatch::snapshot::Snapshot;
use queuewatch::snapshot::named_domains::NamedDomains;
use queuewatch::watch::{Event, Watch};

use crate::confinement::Confinement;
use crate::journal::Journal;
use crate::kept_page::KeptPage;
use crate::printed::{Lines, Printed};
use crate::summary::Summary;

/// The mode of files that other programs read.
const MODE: u32 = 0o644;
/// How often a passive result is repeated without a change, for freshness checks.
const REPEAT: Duration = Duration::from_secs(60);
/// The least time between two files of metrics that name domains: the ages of their recipients are counted over
/// all messages.
const PACE_OF_DOMAINS: Duration = Duration::from_secs(15);

/// Where results go.
#[derive(Default)]
pub(crate) struct Outputs {
    pub(crate) json: bool,
    pub(crate) states_only: bool,
    /// Replaces names in all that is written but errors, which name none.
    pub(crate) anonymizer: Option<Anonymizer>,
    pub(crate) summary: Option<Summary>,
    lines: Lines,
    pub(crate) status: Option<PathBuf>,
    pub(crate) openmetrics: Option<PathBuf>,
    /// The domains that it names, and when it was written with them.
    pub(crate) domains: NamedDomains,
    domains_written: Option<Instant>,
    pub(crate) page: Option<KeptPage>,
    pub(crate) nagios: Option<Nagios>,
    pub(crate) journal: Option<Journal>,
    pub(crate) exec: Option<PathBuf>,
    child: Option<Child>,
    /// A change that waits for the previous child process to end.
    waiting: Option<[String; 3]>,
    /// The last failures, so that each is reported once.
    trouble: Vec<(&'static str, String)>,
}

/// The external command file of a monitoring system.
pub(crate) struct Nagios {
    pub(crate) file: PathBuf,
    pub(crate) host: String,
    pub(crate) service: String,
    pub(crate) sent: Option<Instant>,
}

impl Outputs {
    /// What the watch may open besides the spools; `None` if it starts a program, which would be confined as well.
    pub(crate) fn confinement(&self) -> Option<Confinement> {
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

    /// Prints an event, or counts it for the line of this second. Returns false if standard output is closed.
    pub(crate) fn tell(&mut self, mut event: Event) -> bool {
        if self.states_only || self.summary.as_mut().is_some_and(|all| all.add(&event)) {
            return true;
        }
        if let (Some(anonymizer), Some(about)) = (&self.anonymizer, &mut event.about) {
            about.anonymize(anonymizer);
        }
        let now = clock::now();
        match self.json {
            true => self.print(&render::event(&event, now).to_string()),
            false => self.print(&stamped(now, &render::event_line(&event))),
        }
    }

    /// Replaces the names in what is reported next. `changed` if the state is another one.
    pub(crate) fn anonymize_verdict(
        &self,
        changed: bool,
        snapshot: &mut Snapshot,
        verdict: &mut Verdict,
    ) {
        // It costs a pass over the tables, and most verdicts go nowhere.
        let kept = self.status.is_some() || self.journal.is_some();
        let goes_out = changed || kept || self.nagios.is_some();
        if let Some(anonymizer) = self.anonymizer.as_ref().filter(|_| goes_out) {
            report::anonymized(anonymizer, snapshot, verdict);
        }
    }

    /// Metrics with the domains that were asked for.
    fn metrics(&self, snapshot: &Snapshot) -> String {
        match &self.anonymizer {
            Some(anonymizer) => openmetrics::anonymized(snapshot, &self.domains, anonymizer),
            None => openmetrics::exposition(snapshot, &self.domains),
        }
    }

    /// Prints the line of this second, if something happened. Returns false if standard output is closed.
    pub(crate) fn summarize(&mut self) -> bool {
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
    pub(crate) fn report(
        &mut self,
        change: Option<State>,
        snapshot: &Snapshot,
        verdict: &Verdict,
    ) -> bool {
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
            // The first state is reported only if it is not OK.
            if self.exec.is_some() && (before != verdict.state || before != State::Ok) {
                self.waiting = Some([
                    verdict.state.to_string(),
                    before.to_string(),
                    plugin::service_output(snapshot, verdict),
                ]);
            }
        }
        if let Some(journal) = &mut self.journal {
            match journal.follow(change, snapshot, verdict) {
                Some(Ok(())) => self.well("journal"),
                Some(Err(error)) => self.complain("journal", &error.to_string()),
                None => {}
            }
        }
        if let Some(path) = self.status.clone() {
            let text = format!("{}\n", render::status(snapshot, verdict).document());
            self.keep("status", &path, &text);
        }
        if let Some(path) = self.openmetrics.clone() {
            // Those with names of domains are made of a whole snapshot.
            if self.domains.is_none() {
                let text = self.metrics(snapshot);
                self.keep("openmetrics", &path, &text);
            }
        }
        self.send(change.is_some(), snapshot, verdict);
        true
    }

    /// Keeps the file of metrics that name domains, if it is due.
    pub(crate) fn write_domains(&mut self, take: impl FnOnce() -> Result<Snapshot>) {
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
                let text = self.metrics(&snapshot);
                self.keep("openmetrics", &path, &text);
            }
            Err(error) => self.complain("spool", &error.to_string()),
        }
    }

    /// Keeps the page, if it is due.
    pub(crate) fn write_page(&mut self, options: &Options, watch: &mut Watch) {
        let Some(page) = self.page.as_mut().filter(|page| page.is_due()) else {
            return;
        };
        match page.write(options, watch, self.anonymizer.as_ref()) {
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
    pub(crate) fn reap(&mut self) {
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
    pub(crate) fn complain(&mut self, what: &'static str, text: &str) {
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

/// Returns a line with its local time, as in a system log.
fn stamped(at: i64, text: &str) -> String {
    let time = queuewatch::sys::local_time(at).unwrap_or_default();
    let time = time.get(4..19).unwrap_or_default();
    format!("{time} {text}")
}
