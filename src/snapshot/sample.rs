//! The sample: why the mail waits that was tried last.
//!
//! A check of a million messages cannot read a million logs each minute. Default rules on causes, and the
//! words that explain a breach, look at the [`MOST`] deferred messages that were tried last. That proves
//! trouble of now; what it counts is "at least". A rule that names a cause reads all.

use std::sync::{Arc, Mutex};

use super::contribution::Bounds;
use super::counter::{Common, Counter};
use super::tables::{Tables, Wanted};
use super::{InstanceSnapshot, Request, Snapshot};
use crate::clock::Deadline;
use crate::postfix::queue::Queue;
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
        let wanted = Wanted {
            reasons: true,
            causes: true,
            ..Wanted::default()
        };
        let common = Common {
            now,
            bounds: Bounds::new(now, None, &self.instance.settings),
            settings: &self.instance.settings,
            classifier: Arc::clone(&self.instance.classifier),
            wanted,
            plan: Plan::new(Queue::Deferred.into(), Depth::Reasons),
            tables: Mutex::default(),
            latest: 0,
        };
        let mut counter = Counter::new(&common);
        self.latest
            .read(&spool, Queue::Deferred, deadline, &mut counter);
        counter.hand_over();
        let senders = std::mem::take(&mut counter.impatient_senders);
        self.logins = std::mem::take(&mut counter.logins);
        self.examples = std::mem::take(&mut counter.examples);
        let looked = counter.tallies[Queue::Deferred.index()].messages;
        drop(counter);
        let read = common
            .tables
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let tables: &mut Tables = Arc::make_mut(&mut self.tables);
        let (to, from) = (&mut tables[Queue::Deferred], &read[Queue::Deferred]);
        to.reasons = from.reasons.clone();
        to.causes = from.causes;
        to.unexplained = from.unexplained;
        self.impatient_senders = senders;
        self.sample = Some(Sample {
            messages: looked,
            of: self.tally(Queue::Deferred).messages.max(looked),
        });
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

impl Request {
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
