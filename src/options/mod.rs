//! The options of a scan and a check, set by the long names of the programs.
//!
//! One grammar and one set of error texts serve the C ABI, Python, Perl and both programs, and a new
//! option changes no ABI. An [`Options`] says which spools ([`Options::instances`]), what to read of
//! them ([`Options::scan`]), and how to judge it ([`Options::check`]).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::{self, Deadline};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::instance::{self, Instance, Selection};
use crate::measure::{Kind, Measure, Unit, quantity};
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::{Level, Rule, Verdict, defaults};
use crate::scan::{Depth, Messages, Plan, Spool};
use crate::shape::{self, Buckets, Place, Shape};
use crate::snapshot::{Earlier, Previous, Request, Snapshot, Wanted};
use crate::sys;
use crate::threads::{MAX_READERS, Readers};

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is on or off.
    Nothing,
    /// One value, of this kind in help texts; the last one given counts.
    One(&'static str),
    /// A value each time it is given; they accumulate.
    Many(&'static str),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    /// The long name, without dashes.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it does.
    pub help: &'static str,
}

/// Every option that [`Options::set`] knows, in the order of help texts.
#[rustfmt::skip]
pub const OPTIONS: [OptionRow; 18] = [
    OptionRow { name: "config-directory", takes: Takes::One("DIR"),
        help: "the instance whose main.cf is in DIR (default: $MAIL_CONFIG, else /etc/postfix)" },
    OptionRow { name: "queue-directory", takes: Takes::One("DIR"),
        help: "the spool DIR as it stands, with Postfix's default settings" },
    OptionRow { name: "all-instances", takes: Takes::Nothing,
        help: "the default instance and all of its multi_instance_directories" },
    OptionRow { name: "instance", takes: Takes::Many("NAME"),
        help: "of those, the one whose multi_instance_name is NAME" },
    OptionRow { name: "warning", takes: Takes::Many("RULE"),
        help: "WARNING when RULE alerts: MEASURE=RANGE, or RANGE for total.messages" },
    OptionRow { name: "critical", takes: Takes::Many("RULE"),
        help: "CRITICAL when RULE alerts" },
    OptionRow { name: "exclude", takes: Takes::Many("QUEUE"),
        help: "leave QUEUE out of everything" },
    OptionRow { name: "counts", takes: Takes::Nothing,
        help: "count by names alone: the cheap probe for a queue of millions" },
    OptionRow { name: "measure", takes: Takes::Many("MEASURE"),
        help: "read only what these measures and the rules need" },
    OptionRow { name: "timeout", takes: Takes::One("SECONDS"),
        help: "stop then, and report what is known as at least" },
    OptionRow { name: "now", takes: Takes::One("EPOCH"),
        help: "ages as of that second" },
    OptionRow { name: "previous", takes: Takes::One("STATE"),
        help: "the state of an earlier snapshot to compare with (empty: there is none yet)" },
    OptionRow { name: "readers", takes: Takes::One("N"),
        help: "at most N threads read at once (1 to 16, default 16; 2 if gentle)" },
    OptionRow { name: "gentle", takes: Takes::Nothing,
        help: "read at the lowest priority, and rest while others want the processor" },
    OptionRow { name: "poll", takes: Takes::One("SECONDS"),
        help: "without inotify: look every SECONDS (1 to 86400) which files have changed, and read those" },
    OptionRow { name: "bucket-count", takes: Takes::One("N"),
        help: "columns of a shape (default 10)" },
    OptionRow { name: "bucket-time", takes: Takes::One("MINUTES"),
        help: "minutes of a shape's first column (default 5); each further one is twice as long" },
    OptionRow { name: "linear", takes: Takes::Nothing,
        help: "all columns of a shape are as long as the first" },
];

/// The options that are for programs which stay: what they ask for, keep between two snapshots, or watch.
pub const HOST_OPTIONS: [&str; 3] = ["measure", "previous", "poll"];

/// The options that are about shapes alone.
pub const SHAPE_OPTIONS: [&str; 3] = ["bucket-count", "bucket-time", "linear"];

/// Threads of a gentle scan: few reads in flight, for a disk that mail waits for.
const GENTLE_READERS: usize = 2;

/// Options of a scan and a check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    config_directory: Option<PathBuf>,
    queue_directory: Option<PathBuf>,
    all_instances: bool,
    instances: Vec<String>,
    rules: Vec<Rule>,
    excluded: QueueSet,
    counts: bool,
    measures: Vec<Measure>,
    timeout: Option<Duration>,
    now: Option<i64>,
    previous: Previous,
    readers: Option<usize>,
    gentle: bool,
    poll: Option<Duration>,
    buckets: Buckets,
}

/// How much a scan is to read when no measure was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Everything: for a host that asks later.
    Everything,
    /// What the rules and the performance data of a check need, and these tables.
    Check(Wanted),
}

impl Options {
    /// Sets the option `name`, the long name without dashes, to `value`. An option that takes nothing
    /// is switched on by an empty value, `yes`, `true` or `1` and off by `no`, `false` or `0`.
    ///
    /// # Errors
    /// Of kind `NotFound` for an unknown name, `Syntax` for a value that does not parse.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        match name {
            "config-directory" => self.config_directory = Some(directory(name, value)?),
            "queue-directory" => self.queue_directory = Some(directory(name, value)?),
            "all-instances" => self.all_instances = switch(name, value)?,
            "instance" => self.instances.push(text(name, value)?.to_owned()),
            "warning" => self.rule(Level::Warning, text(name, value)?)?,
            "critical" => self.rule(Level::Critical, text(name, value)?)?,
            "exclude" => {
                let queue = text(name, value)?;
                let queue = Queue::from_name(queue).ok_or_else(|| {
                    bad(
                        name,
                        value,
                        "no such queue; one of active, deferred, incoming, hold, maildrop, corrupt",
                    )
                })?;
                self.excluded = self.excluded.with(queue);
            }
            "counts" => self.counts = switch(name, value)?,
            "measure" => {
                let measure = Measure::parse(text(name, value)?)?;
                self.measures.push(measure);
            }
            "timeout" => self.timeout = Some(seconds(name, value, 0.0)?),
            "now" => {
                let now = text(name, value)?.parse();
                self.now =
                    Some(now.map_err(|_| bad(name, value, "a second of the epoch is wanted"))?);
            }
            "previous" => {
                self.previous = match value {
                    b"" => Previous::None,
                    document => Previous::At(Earlier::parse(document)?),
                };
            }
            "readers" => {
                let readers = text(name, value)?.parse().ok();
                let readers = readers.filter(|readers| (1..=MAX_READERS).contains(readers));
                let what = "a number from 1 to 16 is wanted";
                self.readers = Some(readers.ok_or_else(|| bad(name, value, what))?);
            }
            "gentle" => self.gentle = switch(name, value)?,
            "poll" => self.poll = Some(seconds(name, value, 1.0)?),
            "bucket-count" => {
                let count = positive(name, value)?;
                self.buckets
                    .set_count(count)
                    .map_err(|error| bad(name, value, &error.to_string()))?;
            }
            "bucket-time" => self.buckets.set_tick(positive(name, value)?),
            "linear" => self.buckets.set_linear(switch(name, value)?),
            _ => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!(
                        "there is no option {}",
                        escape::printable(name.as_bytes(), 64)
                    ),
                )
                .with_remedy(format!(
                    "options are {}",
                    OPTIONS.map(|row| row.name).join(", ")
                )));
            }
        }
        Ok(())
    }

    fn rule(&mut self, level: Level, text: &str) -> Result<()> {
        self.rules.push(Rule::parse(level, text)?);
        Ok(())
    }

    /// The timeout, if one was set.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Who reads.
    pub fn readers(&self) -> Readers {
        let most = match self.gentle {
            true => GENTLE_READERS,
            false => MAX_READERS,
        };
        Readers {
            most: self.readers.unwrap_or(most),
            gentle: self.gentle,
        }
    }

    /// How often a watch looks for changes by itself, if it is to do without events.
    pub fn poll(&self) -> Option<Duration> {
        self.poll
    }

    /// Whether only names are to be counted.
    pub fn counts(&self) -> bool {
        self.counts
    }

    /// The second that ages count from: the one set, or the present.
    pub fn now(&self) -> i64 {
        self.now.unwrap_or_else(clock::now)
    }

    /// Whether that second was set.
    pub(crate) fn is_now_given(&self) -> bool {
        self.now.is_some()
    }

    /// The measures asked for.
    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// The instances to look at; one that is broken is an error in its place.
    ///
    /// # Errors
    /// If the options contradict each other, or nothing at all can be said.
    pub fn instances(&self) -> Result<Vec<Result<Instance>>> {
        let selections = [
            self.config_directory.is_some(),
            self.queue_directory.is_some(),
            self.all_instances || !self.instances.is_empty(),
        ];
        if selections.into_iter().filter(|given| *given).count() > 1 {
            return Err(Error::new(
                ErrorKind::Invalid,
                "--config-directory, --queue-directory and --all-instances or --instance exclude each other",
            ));
        }
        let selection = match (&self.config_directory, &self.queue_directory) {
            (Some(directory), _) => Selection::ConfigDirectory(directory.clone()),
            (None, Some(directory)) => Selection::QueueDirectory(directory.clone()),
            (None, None) if !self.instances.is_empty() => Selection::Named(self.instances.clone()),
            (None, None) if self.all_instances => Selection::All,
            (None, None) => Selection::Default,
        };
        instance::find(&selection, std::env::var_os("MAIL_CONFIG").as_deref())
    }

    /// What was given as rules, checked against the other options.
    ///
    /// # Errors
    /// If a rule is about a queue that is left out, or about more than counts where only those are
    /// read.
    fn given_rules(&self) -> Result<&[Rule]> {
        if QueueSet::ALL
            .iter()
            .all(|queue| self.excluded.contains(queue))
        {
            return Err(Error::new(
                ErrorKind::Invalid,
                "--exclude leaves nothing to look at",
            ));
        }
        for rule in &self.rules {
            let measure = &rule.measure;
            let queues = measure.queues();
            if !queues.is_empty() && queues.iter().all(|queue| self.excluded.contains(queue)) {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!("there is a rule on {measure}, and --exclude leaves it out"),
                ));
            }
            if self.counts && measure.kind != Kind::Messages {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!("--counts counts messages; a rule on {measure} needs more"),
                )
                .with_remedy("leave out --counts or that rule"));
            }
        }
        Ok(&self.rules)
    }

    /// The rules of a check of `snapshot`: those given, else the defaults.
    fn rules(&self, snapshot: &Snapshot) -> Result<Vec<Rule>> {
        let given = self.given_rules()?;
        if !given.is_empty() {
            return Ok(given.to_vec());
        }
        let live = snapshot
            .instances
            .iter()
            .all(|taken| taken.instance.config_directory.is_some());
        let limits = snapshot
            .instances
            .iter()
            .map(|taken| taken.instance.settings.qmgr_message_active_limit);
        Ok(self.defaults(live, limits.min().unwrap_or(0)))
    }

    fn defaults(&self, live: bool, active_limit: u64) -> Vec<Rule> {
        let mut rules = defaults(live, active_limit);
        rules.retain(|rule| {
            let queues = rule.measure.queues();
            let told = !self.counts || rule.measure.kind == Kind::Messages;
            told && (queues.is_empty() || queues.iter().any(|queue| !self.excluded.contains(queue)))
        });
        rules
    }

    /// What to take a snapshot of.
    ///
    /// # Errors
    /// If a rule contradicts another option.
    pub(crate) fn request(&self, purpose: Purpose) -> Result<Request> {
        let queues = self.queues();
        let given = self.given_rules()?;
        let (plan, wanted) = if self.counts {
            (Plan::new(queues, Depth::Names), Wanted::default())
        } else {
            match purpose {
                Purpose::Everything if self.measures.is_empty() => {
                    (Plan::new(queues, Depth::Reasons), Wanted::ALL)
                }
                Purpose::Everything => {
                    let measures = self.measures.iter();
                    let measures = measures.chain(given.iter().map(|rule| &rule.measure));
                    plan_for(measures, queues)
                }
                Purpose::Check(tables) => {
                    let defaults = match given {
                        [] => self.defaults(true, 0),
                        _ => Vec::new(),
                    };
                    let rules = given.iter().chain(&defaults).map(|rule| &rule.measure);
                    let (mut plan, wanted) = plan_for(rules, queues);
                    // Performance data always has the ages of all queues.
                    let depth = match tables.reasons {
                        true => Depth::Reasons,
                        false => Depth::Envelopes,
                    };
                    // Unless a rule asks for them, they are for display alone.
                    plan.reasons_last = !wanted.codes;
                    for queue in queues.iter() {
                        plan.deepen(queue, depth);
                    }
                    (plan, wanted.or(tables))
                }
            }
        };
        // A made-up present has no place in the time since boot.
        let since_boot = match self.now {
            None => sys::since_boot(),
            Some(_) => None,
        };
        Ok(Request {
            now: self.now(),
            since_boot,
            since: self.previous.earlier().map(|earlier| earlier.now),
            // It is asked of /proc/locks, for which the kernel takes longer than for many names.
            master: !self.counts,
            plan,
            wanted,
            readers: self.readers(),
            deadline: self.deadline(),
        })
    }

    /// Scans the instances.
    ///
    /// # Errors
    /// If the options contradict each other, or not one instance could be scanned: then the reason
    /// of the first.
    pub fn scan(&self, purpose: Purpose) -> Result<Snapshot> {
        let request = self.request(purpose)?;
        let mut snapshot = Snapshot::take(
            self.instances()?,
            self.excluded,
            self.previous.clone(),
            &request,
        );
        if snapshot.instances.is_empty() && !snapshot.broken.is_empty() {
            return Err(snapshot.broken.swap_remove(0));
        }
        Ok(snapshot)
    }

    /// Judges `snapshot` by the rules given, or by the defaults.
    ///
    /// # Errors
    /// If a rule contradicts another option.
    pub fn check(&self, snapshot: &Snapshot) -> Result<Verdict> {
        Ok(Verdict::new(snapshot, &self.rules(snapshot)?))
    }

    /// A cursor over the messages of `queues` in every instance, and the instances.
    ///
    /// # Errors
    /// If the options contradict each other or an instance cannot be opened.
    pub fn messages(&self, queues: QueueSet) -> Result<Vec<(Instance, Messages)>> {
        let queues = self.excluded.iter().fold(queues, QueueSet::without);
        let mut cursors = Vec::new();
        for instance in self.instances()? {
            let instance = instance?;
            let spool = Spool::of(&instance)?;
            cursors.push((instance, Messages::new(&spool, queues, Depth::Envelopes)));
        }
        Ok(cursors)
    }
}

/// Which tables of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeTables {
    /// Recipients by destination domain.
    pub recipients: bool,
    /// Messages by sender domain.
    pub senders: bool,
    /// Whether to take in what qshape hides.
    pub all: bool,
}

impl Options {
    /// What to take a shape of: the queues or other directories `names` of every instance, all of
    /// them in part 0; an absolute path stands for itself. Instances that are broken are told
    /// beside it.
    ///
    /// # Errors
    /// If the options contradict each other, or no instance can be looked at.
    pub fn shape_of(
        &self,
        names: &[OsString],
        tables: ShapeTables,
    ) -> Result<(shape::Request, Vec<Error>)> {
        let mut request = self.shape_request(tables);
        let mut broken = Vec::new();
        let absolute = |name: &&OsString| Path::new(name).is_absolute();
        for name in names.iter().filter(absolute) {
            request.places.push(Place {
                path: name.into(),
                queue: None,
                part: 0,
            });
        }
        if names.iter().all(|name| absolute(&name)) {
            return Ok((request, broken));
        }
        let instances = self.instances()?;
        let several = instances.len() > 1;
        for instance in instances {
            let spool = instance.and_then(|instance| {
                Spool::open(&instance.queue_directory).map(|_| instance.queue_directory)
            });
            let directory = match spool {
                Ok(directory) => std::path::absolute(&directory)
                    .map_err(|cause| Error::io("find the directory", &directory, &cause))?,
                Err(error) if several => {
                    broken.push(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            // To qshape a queue without a name is none.
            for name in names
                .iter()
                .filter(|name| !absolute(name) && !name.is_empty())
            {
                request.places.push(Place {
                    path: directory.join(name),
                    queue: name.to_str().and_then(Queue::from_name),
                    part: 0,
                });
            }
        }
        if request.places.is_empty() && !broken.is_empty() {
            return Err(broken.swap_remove(0));
        }
        Ok((request, broken))
    }

    /// The queues that are left out.
    pub(crate) fn excluded(&self) -> QueueSet {
        self.excluded
    }

    /// What a snapshot is compared with.
    pub(crate) fn previous(&self) -> &Previous {
        &self.previous
    }

    /// The queues that are not left out.
    pub fn queues(&self) -> QueueSet {
        self.excluded.iter().fold(QueueSet::ALL, QueueSet::without)
    }

    /// Takes the shape of all queues of all instances in one pass, each queue as the part with its
    /// index; queues left out are empty.
    ///
    /// # Errors
    /// If the options contradict each other or no instance can be looked at; one that is broken
    /// beside others makes the shape incomplete.
    pub fn shape(&self, tables: ShapeTables) -> Result<Shape> {
        self.given_rules()?;
        let mut names = Vec::new();
        for queue in self.queues().iter() {
            names.push(OsString::from(queue.name()));
        }
        let (mut request, mut broken) = self.shape_of(&names, tables)?;
        request.parts = Queue::ALL.len();
        for place in &mut request.places {
            place.part = place.queue.map_or(0, Queue::index);
        }
        let mut shape = Shape::take(&request, None);
        shape.unreadable += broken.len() as u64;
        shape.gaps.append(&mut broken);
        Ok(shape)
    }

    fn shape_request(&self, tables: ShapeTables) -> shape::Request {
        shape::Request {
            places: Vec::new(),
            parts: 0,
            buckets: self.buckets,
            now: self.now(),
            recipients: tables.recipients,
            senders: tables.senders,
            all: tables.all,
            readers: self.readers(),
            deadline: self.deadline(),
        }
    }

    /// When to stop, counted from now.
    pub fn deadline(&self) -> Deadline {
        self.timeout.map_or(Deadline::NEVER, Deadline::after)
    }
}

/// The least that must be read for `measures`.
fn plan_for<'a>(measures: impl Iterator<Item = &'a Measure>, allowed: QueueSet) -> (Plan, Wanted) {
    let mut plan = Plan::new(QueueSet::NONE, Depth::Names);
    let mut wanted = Wanted::default();
    for measure in measures {
        let row = measure.row();
        wanted = wanted.or(row.wanted);
        for queue in measure.queues().and(allowed).iter() {
            plan.deepen(queue, row.depth);
        }
    }
    (plan, wanted)
}

fn bad(name: &str, value: &[u8], what: &str) -> Error {
    Error::new(
        ErrorKind::Syntax,
        format!("--{name} \"{}\": {what}", escape::printable(value, 64)),
    )
}

fn text<'v>(name: &str, value: &'v [u8]) -> Result<&'v str> {
    std::str::from_utf8(value).map_err(|_| bad(name, value, "the text is not valid UTF-8"))
}

fn directory(name: &str, value: &[u8]) -> Result<PathBuf> {
    if value.is_empty() || value.contains(&0) {
        return Err(bad(name, value, "the path of a directory is wanted"));
    }
    Ok(PathBuf::from(OsStr::from_bytes(value)))
}

fn switch(name: &str, value: &[u8]) -> Result<bool> {
    match value {
        b"" | b"yes" | b"true" | b"1" => Ok(true),
        b"no" | b"false" | b"0" => Ok(false),
        _ => Err(bad(name, value, "yes or no is wanted")),
    }
}

fn positive(name: &str, value: &[u8]) -> Result<f64> {
    let number = text(name, value)?.trim().parse::<f64>().ok();
    number
        .filter(|number| number.is_finite() && *number > 0.0)
        .ok_or_else(|| bad(name, value, "a number above 0 is wanted"))
}

/// A time of at least so many seconds, and never of none. At most a day: nobody waits longer for a check.
fn seconds(name: &str, value: &[u8], least: f64) -> Result<Duration> {
    let seconds = quantity::parse(text(name, value)?, Unit::Seconds)
        .map_err(|(_, what)| bad(name, value, &what))?;
    if !(least..=86_400.0).contains(&seconds) || seconds == 0.0 {
        let what = match least {
            0.0 => "more than 0 and at most 86400 seconds are wanted".to_owned(),
            least => format!("{least} to 86400 seconds are wanted"),
        };
        return Err(bad(name, value, &what));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_the_table_can_be_set() {
        for row in &OPTIONS {
            let value = match row.name {
                "warning" | "critical" => "10",
                "exclude" => "hold",
                "measure" => "deferred.messages",
                "timeout" | "now" | "readers" | "poll" | "bucket-count" | "bucket-time" => "5",
                "all-instances" | "counts" | "gentle" | "linear" | "previous" => "",
                _ => "/somewhere",
            };
            Options::default()
                .set(row.name, value.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}", row.name));
        }
    }

    #[test]
    fn a_bad_value_names_option_value_and_what_is_wanted() {
        for (name, value, message) in [
            (
                "exclude",
                "held",
                "--exclude \"held\": no such queue; one of active, deferred, incoming, hold, maildrop, corrupt",
            ),
            (
                "timeout",
                "0",
                "--timeout \"0\": more than 0 and at most 86400 seconds are wanted",
            ),
            (
                "poll",
                "0.5",
                "--poll \"0.5\": 1 to 86400 seconds are wanted",
            ),
            (
                "timeout",
                "x",
                "--timeout \"x\": a number is wanted here, not \"x\"",
            ),
            (
                "now",
                "today",
                "--now \"today\": a second of the epoch is wanted",
            ),
            (
                "readers",
                "17",
                "--readers \"17\": a number from 1 to 16 is wanted",
            ),
            ("counts", "maybe", "--counts \"maybe\": yes or no is wanted"),
            (
                "queue-directory",
                "",
                "--queue-directory \"\": the path of a directory is wanted",
            ),
            (
                "warning",
                "x=",
                "--warning \"x=\": measure \"x\": character 1: a measure is QUEUE.NAME, for example deferred.messages",
            ),
        ] {
            let error = Options::default()
                .set(name, value.as_bytes())
                .expect_err(name);
            assert_eq!(error.to_string(), message);
        }
        let error = Options::default().set("colour", b"").expect_err("unknown");
        assert!(
            error
                .to_string()
                .starts_with("there is no option colour; options are config-directory, ")
        );
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        let mut options = Options::default();
        options.set("queue-directory", b"/a").unwrap();
        options.set("instance", b"out").unwrap();
        assert_eq!(options.instances().unwrap_err().kind(), ErrorKind::Invalid);

        let mut options = Options::default();
        options.set("counts", b"").unwrap();
        options.set("warning", b"deferred.oldest=4h").unwrap();
        assert!(options.scan(Purpose::Everything).is_err());

        let mut options = Options::default();
        options.set("exclude", b"hold").unwrap();
        options.set("warning", b"hold.messages=4").unwrap();
        assert!(options.scan(Purpose::Everything).is_err());
    }

    #[test]
    fn nothing_is_read_that_nobody_asked_for() {
        let plan = |set: &[(&str, &str)], purpose| {
            let mut options = Options::default();
            for (name, value) in set {
                options.set(name, value.as_bytes()).unwrap();
            }
            options.request(purpose).unwrap()
        };
        let one = plan(&[("measure", "deferred.messages")], Purpose::Everything);
        assert_eq!(one.plan.queues(), Queue::Deferred.into());
        assert_eq!(one.plan.depth(Queue::Deferred), Some(Depth::Inodes));
        assert_eq!(one.wanted, Wanted::default());
        let check = plan(
            &[("warning", "deferred.older(4h)=5")],
            Purpose::Check(Wanted::default()),
        );
        assert_eq!(check.plan.queues(), QueueSet::ALL);
        assert!(check.wanted.arrivals && !check.wanted.domains);
        let counts = plan(&[("counts", "")], Purpose::Check(Wanted::ALL));
        assert_eq!(counts.plan, Plan::new(QueueSet::ALL, Depth::Names));
    }
}
