//! The threads behind the screen: one keeps the watch, and one at a time reads what a person asked for.
//!
//! They send [`Report`]s and ring a bell. The thread of the screen never reads a spool, and has no borrowed rights
//! in force: each thread here puts them in force for itself.
//!
//! How often the watch is looked at follows from what a look costs, so that a quiet screen stays below 2 per cent
//! of a core whatever the number of messages: see [`Pace`].

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use queuewatch::control::{self, Control};
use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::instance::Instance;
use queuewatch::listing::{ListRequest, Sort, list};
use queuewatch::options::{Options, Purpose};
use queuewatch::render::show::text;
use queuewatch::rights;
use queuewatch::scan::MessageRow;
use queuewatch::show::{self, tell};
use queuewatch::snapshot::TableSet;
use queuewatch::spelling::{self, Spelling};
use queuewatch::sys;
use queuewatch::watch::{TICK, Watch};

use super::filter::Filter;
use super::history::History;
use super::messages::{Message, MessageLine, Messages, Source};
use super::sight::{Sums, Tables};
use super::terminal::Bell;

/// The tables that the screen shows.
pub(super) const TABLES: TableSet = TableSet {
    domains: true,
    origins: true,
    arrivals: true,
    reasons: true,
    causes: true,
    ..TableSet::NONE
};
/// The most messages of a list.
pub(super) const MOST: u64 = 1000;

/// What the threads say.
pub(super) enum Report {
    /// The sums of this moment, and the tables if they were made.
    Look(Box<(Sums, Option<Tables>)>),
    /// A look failed; the watch tries again.
    Trouble(String),
    /// The watch could not begin.
    Failed(Error),
    /// The list of this job.
    Listed(u64, Result<Messages>),
    /// The lines about a message, of this job.
    Shown(u64, Result<Vec<String>>),
}

/// Sends reports to the thread of the screen.
#[derive(Clone)]
struct Reports {
    to: Sender<Report>,
    bell: Bell,
}

impl Reports {
    /// Returns false if the screen has ended.
    fn send(&self, report: Report) -> bool {
        let sent = self.to.send(report).is_ok();
        self.bell.ring();
        sent
    }
}

/// The threads, seen from the screen.
pub(super) struct Reader {
    reports: Reports,
    news: Receiver<Report>,
    options: Options,
    /// The files that the watch has reached while it begins.
    begins: Arc<Control>,
    /// The job that runs: its number and its control.
    job: Option<(u64, Arc<Control>)>,
    jobs: u64,
}

/// Starts a thread of this program, on which no signal arrives.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(|| {
        sys::block_signals();
        spelling::set(Spelling::Dashes);
        spelling::set_lacking(vec!["previous", "counts"]);
        work();
    });
    started
        .map(drop)
        .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot start a thread: {cause}")))
}

impl Reader {
    /// Starts the watch of `options`, at most one look each `interval`.
    pub(super) fn start(options: &Options, interval: Duration, bell: Bell) -> Result<Reader> {
        let (to, news) = channel();
        let reader = Reader {
            reports: Reports { to, bell },
            news,
            options: options.clone(),
            begins: Arc::default(),
            job: None,
            jobs: 0,
        };
        let (options, reports) = (options.clone(), reader.reports.clone());
        let begins = Arc::clone(&reader.begins);
        spawn("queuewatch-top", move || {
            if let Err(error) = follow(&options, interval, &reports, begins) {
                reports.send(Report::Failed(error));
            }
        })?;
        Ok(reader)
    }

    /// The next report that has come.
    pub(super) fn next(&self) -> Option<Report> {
        self.news.try_recv().ok()
    }

    /// How many files the watch has reached while it begins.
    pub(super) fn begun(&self) -> u64 {
        self.begins.steps()
    }

    /// How many files the present job has reached.
    pub(super) fn job_steps(&self) -> u64 {
        self.job.as_ref().map_or(0, |(_, control)| control.steps())
    }

    /// Stops the present job; its report, if there is one, is of no job any more.
    pub(super) fn stop_job(&mut self) {
        if let Some((_, control)) = self.job.take() {
            control.stop();
        }
    }

    /// Whether a report of job `number` is still asked for.
    pub(super) fn is_present(&self, number: u64) -> bool {
        self.job
            .as_ref()
            .is_some_and(|(present, _)| *present == number)
    }

    /// Begins `work` as a job of the number that it is given, in place of the present one.
    fn begin(&mut self, work: impl FnOnce(u64, &Options) -> Report + Send + 'static) -> Result<()> {
        self.stop_job();
        self.jobs += 1;
        let number = self.jobs;
        let control = Arc::new(Control::default());
        self.job = Some((number, Arc::clone(&control)));
        let (options, reports) = (self.options.clone(), self.reports.clone());
        spawn("queuewatch-read", move || {
            let report =
                control::under(Some(control), || rights::raised(|| work(number, &options)));
            reports.send(report);
        })
    }

    /// Lists the messages of `filter`.
    pub(super) fn list(&mut self, filter: &Filter, sort: Sort) -> Result<()> {
        let filter = filter.clone();
        self.begin(move |number, options| Report::Listed(number, messages(options, &filter, sort)))
    }

    /// Reads all about `message`.
    pub(super) fn show(&mut self, message: Message) -> Result<()> {
        self.begin(move |number, options| Report::Shown(number, story(options, &message)))
    }
}

/// Reads the messages of `filter`: at most [`MOST`], in the order of `sort`.
pub(super) fn messages(options: &Options, filter: &Filter, sort: Sort) -> Result<Messages> {
    let picked = filter.apply(options)?;
    let options = &picked.options;
    let request = ListRequest {
        queues: picked.queues.and(options.queues()),
        pick: options.pick()?.clone(),
        sort: Some(sort),
        limit: Some(MOST),
        reasons: true,
        origins: false,
        bounces: false,
        now: options.now(),
        readers: options.readers(),
        deadline: options.deadline(),
    };
    let instances = options.instances()?;
    let sources = Source::of(&instances);
    // A sorted list is put together by one thread, in order.
    let lines = Mutex::new(Vec::new());
    let take = |instance: &Instance, row: &MessageRow, _: &mut Vec<u8>| {
        let line = MessageLine::of((instance, &sources), row, request.now, &request.pick);
        lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(line);
    };
    let outcome = list(instances, &request, &take, &mut |_| Ok(()))?;
    let outcome = outcome.map_err(|cause| Error::new(ErrorKind::Io, cause.to_string()))?;
    Ok(Messages {
        lines: lines.into_inner().unwrap_or_else(PoisonError::into_inner),
        at: request.now,
        unread: outcome.unreadable,
        cut: outcome.cut,
    })
}

/// What `queuewatch show` prints of `message`, in lines.
pub(super) fn story(options: &Options, message: &Message) -> Result<Vec<String>> {
    let mut instances = options.instances()?;
    let several = instances.len() > 1;
    if message.instance.is_some() {
        instances.retain(|found| match found {
            Ok(instance) => instance.config_directory == message.instance,
            Err(_) => false,
        });
    }
    let request = show::ShowRequest {
        now: options.now(),
        deadline: options.deadline(),
        ..show::ShowRequest::default()
    };
    let stories = tell(instances, std::slice::from_ref(&message.queue_id), &request)?;
    let screens: Vec<String> = stories
        .found
        .iter()
        .map(|story| text(story, several))
        .collect();
    let mut lines: Vec<String> = screens.join("\n").lines().map(str::to_owned).collect();
    if stories.found.is_empty() {
        lines.push(
            "The message is in no queue any more: delivered, returned or deleted.".to_owned(),
        );
    }
    lines.extend(stories.outcome.gaps.iter().map(ToString::to_string));
    Ok(lines)
}

/// When the next look is due. Two kinds of looks share the budget: sums cost the same for any number of messages,
/// tables do not.
#[derive(Debug)]
struct Pace {
    sums: Due,
    tables: Due,
}

#[derive(Clone, Copy, Debug)]
struct Due {
    /// The end of the last look of this kind.
    last: Option<Instant>,
    cost: Duration,
    /// How many times its cost the pause after a look is.
    times: u32,
}

impl Due {
    /// Whether a look is due, if something is `new` or ages have grown.
    fn is_due(&self, new: bool, interval: Duration) -> bool {
        let since = self.last.map_or(Duration::MAX, |last| last.elapsed());
        (new || since >= TICK) && since >= interval.max(self.cost * self.times)
    }

    fn took(&mut self, begun: Instant) {
        self.cost = begun.elapsed();
        self.last = Some(Instant::now());
    }
}

impl Pace {
    /// Tables may take 1 per cent of a core, and sums half of one.
    fn new() -> Pace {
        let due = |times| Due {
            last: None,
            cost: Duration::ZERO,
            times,
        };
        Pace {
            sums: due(200),
            tables: due(100),
        }
    }
}

/// Keeps the watch, and reports what it shows, until the screen ends.
fn follow(
    options: &Options,
    interval: Duration,
    reports: &Reports,
    begins: Arc<Control>,
) -> Result<()> {
    let mut watch = control::under(Some(begins), || {
        rights::raised(|| Watch::open(options, Purpose::Check(TABLES)))
    })?;
    let mut history = History::default();
    let mut pace = Pace::new();
    // Whether something happened since the last look of each kind.
    let (mut new_sums, mut new_tables) = (true, true);
    loop {
        if let Err(error) = rights::raised(|| watch.dispatch()) {
            if !reports.send(Report::Trouble(error.to_string())) {
                return Ok(());
            }
        }
        while watch.next_bare_event().is_some() {
            (new_sums, new_tables) = (true, true);
        }
        let whole = pace.tables.is_due(new_tables, interval);
        if whole || pace.sums.is_due(new_sums, interval) {
            let report = match look(&mut watch, options, whole, &mut history, &mut pace) {
                Ok(look) => Report::Look(Box::new(look)),
                Err(error) => Report::Trouble(error.to_string()),
            };
            new_sums = false;
            new_tables &= !whole;
            if !reports.send(report) {
                return Ok(());
            }
        }
        let within = if new_sums || new_tables {
            interval
        } else {
            TICK
        };
        watch.wait(Some(within.min(TICK)))?;
    }
}

/// One look.
fn look(
    watch: &mut Watch,
    options: &Options,
    whole: bool,
    history: &mut History,
    pace: &mut Pace,
) -> Result<(Sums, Option<Tables>)> {
    let begun = Instant::now();
    let (snapshot, mut verdict) = rights::raised(|| match whole {
        true => {
            let snapshot = watch.snapshot()?;
            let verdict = options.check(&snapshot)?;
            Ok((snapshot, verdict))
        }
        false => watch.check(options),
    })?;
    watch.note_blindness(&mut verdict);
    let sums = Sums::of(&snapshot, &verdict, history);
    let tables = whole.then(|| Tables::of(&snapshot, &verdict));
    // While a snapshot shares the tables of the watch, a change would copy them.
    drop(snapshot);
    match whole {
        true => pace.tables.took(begun),
        false => pace.sums.took(begun),
    }
    if whole {
        pace.sums.last = Some(Instant::now());
    }
    Ok((sums, tables))
}
