//! The sample: why the mail waits that was tried last.
//!
//! A check of a million messages cannot read a million logs each minute. Default rules on causes, and the
//! words that explain a breach, look at the [`MOST`] deferred messages that were tried last. That proves
//! trouble of now; what it counts is "at least". A rule that names a cause reads all.

use std::sync::{Arc, Mutex};

use super::contribution::Bounds;
use super::counter::{Common, Counter, Examples, keep_example};
use super::logins::Logins;
use super::tables::{CauseCounts, TableSet, Tables};
use super::{InstanceSnapshot, Names, ScanRequest, Snapshot, Why};
use crate::clock::Deadline;
use crate::instance::Instance;
use crate::postfix::queue::Queue;
use crate::scan::latest::Latest;
use crate::scan::{Depth, Plan, Spool};

/// The most messages of one instance whose logs are read for the sample. Two thousand logs take some
/// hundredths of a second warm, and half a second on a disk with 4,000 reads a second.
pub const MOST: usize = 2000;

/// What a sample looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Messages whose logs were looked at.
    pub messages: u64,
    /// Messages in deferred.
    pub of: u64,
}

/// How far the causes of a queue are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CausesKnown {
    /// All logs were read.
    All,
    /// Those of a sample.
    Sample(Sample),
}

impl CausesKnown {
    /// Of `queue` in `taken`; `None` if no log was read.
    pub fn of(taken: &InstanceSnapshot, queue: Queue) -> Option<CausesKnown> {
        if taken.wanted.causes && taken.plan.depth(queue) == Some(Depth::Reasons) {
            return Some(CausesKnown::All);
        }
        let sample = taken.sample.filter(|_| queue == Queue::Deferred)?;
        Some(CausesKnown::Sample(sample))
    }
}

impl InstanceSnapshot {
    /// Returns true if the reasons of all deferred mail were read.
    pub(crate) fn reads_all_reasons(&self) -> bool {
        self.wanted.reasons && self.plan.depth(Queue::Deferred) == Some(Depth::Reasons)
    }

    /// Returns true if `queue` has the exact sums of its causes, from all of its logs.
    fn knows_all_causes(&self, queue: Queue) -> bool {
        CausesKnown::of(self, queue) == Some(CausesKnown::All)
    }

    /// Reads the sample, unless all reasons are known, one was read already, or only names were counted.
    pub(crate) fn take_sample(&mut self, now: i64, deadline: Deadline) {
        let only_names = self.plan.depth(Queue::Deferred) == Some(Depth::Names);
        if only_names || self.sample.is_some() || self.reads_all_reasons() {
            return;
        }
        if self.latest.len() == 0 {
            // No deferred mail, or none that was looked at.
            self.sample = Some(Sample {
                messages: 0,
                of: self.tally(Queue::Deferred).messages,
            });
            return;
        }
        let Ok(spool) = Spool::of(&self.instance) else {
            return;
        };
        let sampled = Sampled::read(&self.instance, &spool, &self.latest, now, deadline);
        self.put_sample(&sampled);
    }

    /// Takes in what `sampled` says, except for what is known of all deferred mail.
    pub(crate) fn put_sample(&mut self, sampled: &Sampled) {
        let all_reasons = self.reads_all_reasons();
        let all_causes = self.knows_all_causes(Queue::Deferred);
        let looked = sampled.messages;
        let of = self.tally(Queue::Deferred).messages.max(looked);
        if !all_reasons {
            let tables: &mut Tables = Arc::make_mut(&mut self.tables);
            let to = &mut tables[Queue::Deferred];
            to.reasons = sampled.reasons.clone();
            if !all_causes {
                to.causes = sampled.causes;
                to.unexplained = sampled.unexplained;
            }
        }
        self.impatient_senders = sampled.senders.clone();
        self.logins = sampled.logins.clone();
        for (cause, id) in &sampled.examples {
            keep_example(&mut self.examples, *cause, id);
        }
        // With all reasons read, only a part that is missing is worth a word.
        if !all_reasons || looked < of {
            self.sample = Some(Sample {
                messages: looked,
                of,
            });
        }
    }
}

/// What the messages say that were tried last.
#[derive(Clone, Debug)]
pub(crate) struct Sampled {
    reasons: Names<Why>,
    causes: CauseCounts,
    unexplained: u64,
    senders: Names<u64>,
    logins: Logins,
    examples: Examples,
    /// How many of them there still were.
    messages: u64,
}

impl Sampled {
    /// Reads the messages of `latest` in the `spool` of `instance` with their logs, until `deadline`.
    pub(crate) fn read(
        instance: &Instance,
        spool: &Spool,
        latest: &Latest,
        now: i64,
        deadline: Deadline,
    ) -> Sampled {
        let wanted = TableSet {
            reasons: true,
            causes: true,
            ..TableSet::default()
        };
        let common = Common {
            now,
            bounds: Bounds::new(now, None, &instance.settings),
            settings: &instance.settings,
            classifier: Arc::clone(&instance.classifier),
            left_out: Arc::clone(&instance.left_out),
            wanted,
            plan: Plan::new(Queue::Deferred.into(), Depth::Reasons),
            tables: Mutex::default(),
            latest: 0,
        };
        let mut counter = Counter::new(&common);
        latest.read(spool, Queue::Deferred, deadline, &mut counter);
        counter.hand_over();
        let senders = std::mem::take(&mut counter.impatient_senders);
        let logins = std::mem::take(&mut counter.logins);
        let examples = std::mem::take(&mut counter.examples);
        let messages = counter.tallies[Queue::Deferred.index()].messages;
        drop(counter);
        let mut tables = common
            .tables
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let table = &mut tables[Queue::Deferred];
        Sampled {
            reasons: std::mem::take(&mut table.reasons),
            causes: table.causes,
            unexplained: table.unexplained,
            senders,
            logins,
            examples,
            messages,
        }
    }
}

impl Snapshot {
    /// Reads the sample of each instance that has no reasons yet, until `deadline`: for the words that
    /// explain a breach.
    pub fn take_samples(&mut self, deadline: Deadline) {
        let now = self.now;
        for taken in &mut self.instances {
            taken.take_sample(now, deadline);
        }
    }
}

impl ScanRequest {
    /// How many messages a scan keeps in mind for a sample.
    pub(crate) fn latest(&self) -> usize {
        match self.sample {
            Sampling::Never => 0,
            Sampling::OnBreach | Sampling::Always => MOST,
        }
    }
}

/// When a sample is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Not at all: nobody asks, or all reasons are read.
    Never,
    /// If a rule alerts.
    OnBreach,
    /// With the scan: default rules ask for it.
    Always,
}
