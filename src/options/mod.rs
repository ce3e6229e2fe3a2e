//! The options of a scan and a check, set by the long names of the programs.
//!
//! One grammar and one set of error texts serve the C ABI, Python, Perl and both programs, and a new
//! option changes no ABI. An [`Options`] says which spools ([`Options::instances`]), what to read of
//! them ([`Options::scan`]), and how to judge it ([`Options::check`]).

mod parse;
mod plan;
mod shape;
mod table;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use log::Level;

use crate::cause::user_table::UserTable;
use crate::clock::{self, Deadline};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::instance::{self, Instance, LeftOut, Selection};
use crate::listing::Pick;
use crate::measure::Measure;
use crate::postfix::queue::QueueSet;
use crate::rights;
use crate::rules::{Rule, Verdict};
use crate::scan::{Depth, Headers, Messages, Spool};
use crate::shape::Buckets;
use crate::snapshot::named_domains::NamedDomains;
use crate::snapshot::{Previous, Snapshot};
use crate::spelling::option;
use crate::threads::{MAX_READERS, Readers, record};

pub use plan::Purpose;
pub use shape::ShapeTables;
pub use table::{HOST_OPTIONS, OPTIONS, OptionRow, SHAPE_OPTIONS, Takes, is_filter};

/// Threads of a gentle scan: few reads in flight, for a disk that mail waits for.
const GENTLE_READERS: usize = 2;

/// Options of a scan and a check, by the long names that the programs have for them.
///
/// ```
/// use queuewatch::Options;
///
/// let mut options = Options::default();
/// options.set("queue-directory", b"/var/spool/postfix")?;
/// options.set("warning", b"deferred.oldest=4h")?;
/// let error = options.set("warning", b"deferred.oldest=4x").unwrap_err();
/// assert!(error.to_string().contains("deferred.oldest=4x"), "{error}");
/// # Ok::<(), queuewatch::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    config_directory: Option<PathBuf>,
    queue_directory: Option<PathBuf>,
    all_instances: bool,
    instances: Vec<String>,
    rules: Vec<Rule>,
    /// Whether the default rules are kept in addition to those given.
    keep_defaults: bool,
    excluded: QueueSet,
    left_out: LeftOut,
    causes: Option<UserTable>,
    counts: bool,
    measures: Vec<Measure>,
    timeout: Option<Duration>,
    now: Option<i64>,
    previous: Previous,
    readers: Option<usize>,
    gentle: bool,
    poll: Option<Duration>,
    buckets: Buckets,
    pick: Pick,
    named_domains: NamedDomains,
}

impl Options {
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

    /// Which messages the filters pick, for lists and cursors.
    ///
    /// # Errors
    /// If `not` stands before no filter, or a filter reads what the caller may not learn.
    pub fn pick(&self) -> Result<&Pick> {
        if self.pick.needs_headers() == Headers::All {
            instance::refuse_content("the subject")?;
        }
        self.pick.checked()
    }

    /// The destination domains that OpenMetrics name.
    pub fn named_domains(&self) -> &NamedDomains {
        &self.named_domains
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
        let several = self.all_instances || !self.instances.is_empty();
        let config = self.config_directory.clone();
        let selection = match (&self.queue_directory, several) {
            (Some(_), true) => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    format!(
                        "{} is one spool: {} and {} exclude it",
                        option("queue-directory"),
                        option("all-instances"),
                        option("instance")
                    ),
                ));
            }
            (Some(directory), false) => Selection::QueueDirectory {
                queue_directory: directory.clone(),
                config_directory: config,
            },
            (None, true) if self.instances.is_empty() => Selection::All(config),
            (None, true) => Selection::Named(config, self.instances.clone()),
            (None, false) => config.map_or(Selection::Default, Selection::ConfigDirectory),
        };
        let mail_config = std::env::var_os("MAIL_CONFIG").filter(|_| rights::trusts_environment());
        let mut found = instance::find(&selection, mail_config.as_deref())?;
        if !self.left_out.is_empty() {
            let left_out = Arc::new(self.left_out.clone());
            for instance in found.iter_mut().flatten() {
                instance.left_out = Arc::clone(&left_out);
            }
        }
        if let Some(table) = &self.causes {
            for instance in found.iter_mut().flatten() {
                instance.classifier = Arc::new(instance.classifier.with_user(table.clone()));
            }
        }
        for instance in found.iter().flatten() {
            record(Level::Trace, "queuewatch::instance", || {
                let spool = escape::path(&instance.queue_directory);
                match &instance.config_directory {
                    Some(config) => {
                        let config = escape::path(config);
                        format!("{}: main.cf in {config}, queues in {spool}", instance.name)
                    }
                    None => format!("{}: queues in {spool}, no main.cf", instance.name),
                }
            });
        }
        Ok(found)
    }

    /// Scans the instances.
    ///
    /// # Errors
    /// If the options contradict each other, or not one instance could be scanned: then the reason
    /// of the first.
    pub fn scan(&self, purpose: Purpose) -> Result<Snapshot> {
        self.scan_with(Options::instances, purpose)
    }

    /// As [`Options::scan`]. `find` finds the instances in place of [`Options::instances`]: a program that confines
    /// itself does that there, when its directories are known and no thread is started yet.
    ///
    /// # Errors
    /// As [`Options::scan`], and those of `find`.
    pub fn scan_with(
        &self,
        find: impl FnOnce(&Options) -> Result<Vec<Result<Instance>>>,
        purpose: Purpose,
    ) -> Result<Snapshot> {
        let request = self.request(purpose)?;
        let mut snapshot =
            Snapshot::take(find(self)?, self.excluded, self.previous.clone(), &request);
        snapshot.pick = self.pick()?.clone();
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
        Ok(self.judge(snapshot, self.rules(snapshot)?))
    }

    /// Judges `snapshot` by `rules`, which [`Options::rules`] gave for it.
    pub(crate) fn judge(&self, snapshot: &Snapshot, rules: Vec<Rule>) -> Verdict {
        let mut verdict = Verdict::new(snapshot, rules);
        if let Some(note) = self.left_out_note(snapshot) {
            verdict.note(note, false);
        }
        verdict
    }

    /// What rules leave out of `snapshot`, as a sentence. It has no names: they may be private.
    fn left_out_note(&self, snapshot: &Snapshot) -> Option<String> {
        let whose = match (self.left_out.has_domains(), self.left_out.has_senders()) {
            (false, false) => return None,
            (true, false) => "excluded domains",
            (false, true) => "excluded senders",
            (true, true) => "excluded domains and senders",
        };
        let tallies = snapshot.instances.iter().flat_map(|taken| {
            let queues = self.queues().iter();
            queues.map(|queue| taken.tally(queue).left_out)
        });
        let messages: u64 = tallies.sum();
        let verb = if messages == 1 { "is" } else { "are" };
        let messages = escape::counted(messages, "message");
        Some(format!("{messages} of {whose} {verb} left out"))
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

    /// When to stop, counted from now.
    pub fn deadline(&self) -> Deadline {
        self.timeout.map_or(Deadline::NEVER, Deadline::after)
    }
}
