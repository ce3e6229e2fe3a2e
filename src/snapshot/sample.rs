//! The sample: why the mail waits that was tried last.
//!
//! A check of a million messages cannot read a million logs each minute. Default rules on causes, and the
//! words that explain a breach, look at the [`MOST`] deferred messages that were tried last. That proves
//! trouble of now; what it counts is "at least". A rule that names a cause reads all.

use std::sync::{Arc, Mutex};

use super::contribution::Bounds;
use super::counter::{Common, Counter};
use super::delayed_mail::DelayedMail;
use super::tables::{CauseCounts, TableSet};
use super::{InstanceSnapshot, MAX_EXAMPLES, Names, ScanRequest, Snapshot, Why};
use crate::cause::Cause;
use crate::clock::Deadline;
use crate::error::Error;
use crate::instance::Instance;
use crate::postfix::queue::Queue;
use crate::scan::latest::Latest;
use crate::scan::{Depth, Gap, GapKind, Plan, Spool, fold_gaps};

/// The most messages of one instance whose logs are read for the sample. Two thousand logs take some
/// hundredths of a second warm, and half a second on a disk with 4,000 reads a second.
pub(crate) const MOST: usize = 2000;

/// What a sample looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Messages whose logs were looked at.
    pub messages: u64,
    /// Messages in deferred.
    pub of: u64,
}

impl Sample {
    /// Returns true if there is mail that was not looked at.
    pub(crate) fn is_part(self) -> bool {
        self.messages < self.of
    }
}

/// How far the causes of a queue are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CausesKnown {
    /// All logs were read.
    All,
    /// Those of a sample.
    Sample(Sample),
}

impl CausesKnown {
    /// Of `queue` in `taken`; `None` if no log was read.
    pub(crate) fn of(taken: &InstanceSnapshot, queue: Queue) -> Option<CausesKnown> {
        if taken.reads_all_causes(queue) {
            return Some(CausesKnown::All);
        }
        let sample = taken.sample().filter(|_| queue == Queue::Deferred)?;
        Some(CausesKnown::Sample(sample))
    }
}

impl InstanceSnapshot {
    /// Returns true if the reasons of all deferred mail were read.
    pub(crate) fn reads_all_reasons(&self) -> bool {
        self.wanted.reasons && self.plan.depth(Queue::Deferred) == Some(Depth::Reasons)
    }

    /// Returns true if `queue` has the exact sums of its causes, from all of its logs.
    fn reads_all_causes(&self, queue: Queue) -> bool {
        self.wanted.causes && self.plan.depth(queue) == Some(Depth::Reasons)
    }

    /// Returns true if a sample may be taken: a scan of names alone promises to read nothing else.
    pub(crate) fn may_sample(&self) -> bool {
        self.plan.depth(Queue::Deferred) != Some(Depth::Names)
    }

    /// Returns how much of deferred mail was sampled, if not all of its delay reasons were read.
    pub fn sample(&self) -> Option<Sample> {
        let messages = self.sampled.as_ref()?.messages;
        let of = self.tally(Queue::Deferred).messages.max(messages);
        // With all reasons read, only a part that is missing is worth a word.
        let sample = Sample { messages, of };
        (!self.reads_all_reasons() || sample.is_part()).then_some(sample)
    }

    /// Returns the recipients of `queue` by delay reason: of all its mail or, for deferred, of the sample.
    pub(crate) fn reasons(&self, queue: Queue) -> &Names<Why> {
        match &self.sampled {
            Some(sampled) if queue == Queue::Deferred && !self.reads_all_reasons() => {
                &sampled.reasons
            }
            _ => &self.tables[queue].reasons,
        }
    }

    /// Returns the recipients of `queue` by cause: of all its mail or, for deferred, of the sample.
    pub(crate) fn causes(&self, queue: Queue) -> &CauseCounts {
        match &self.sampled {
            Some(sampled)
                if queue == Queue::Deferred
                    && !self.reads_all_reasons()
                    && !self.reads_all_causes(queue) =>
            {
                &sampled.causes
            }
            _ => &self.tables[queue].causes,
        }
    }

    /// Returns what delay reasons say of deferred mail: those of the sample, else those that the scan read.
    pub(crate) fn delayed_mail(&self) -> &DelayedMail {
        let of_sample = self.sampled.as_ref().map(|sampled| &sampled.delayed_mail);
        of_sample.unwrap_or(&self.delayed_mail)
    }

    /// Returns the queue ID of a message that waits for `cause`: the first in byte order of those known.
    pub(crate) fn example(&self, cause: Cause) -> Option<&[u8]> {
        let sampled = self.sampled.as_ref();
        let of_sample = sampled.and_then(|sampled| sampled.delayed_mail.example(cause));
        let own = self.delayed_mail.example(cause);
        [own, of_sample].into_iter().flatten().min()
    }

    /// Reads the sample, unless all reasons are known, one was read already, or only names were counted.
    pub(crate) fn take_sample(&mut self, now: i64, deadline: Deadline) {
        if !self.may_sample() || self.sampled.is_some() || self.reads_all_reasons() {
            return;
        }
        let sampled = match (self.latest.len(), Spool::of(&self.instance)) {
            // No deferred mail, or none that was looked at.
            (0, _) => Sampled::default(),
            (_, Ok(spool)) => Sampled::read(&self.instance, &spool, &self.latest, now, deadline),
            (_, Err(error)) => Sampled::closed(&self.instance, &error),
        };
        self.put_sample(Arc::new(sampled));
    }

    /// Adds `sampled`, and what could not be read of it.
    pub(crate) fn put_sample(&mut self, sampled: Arc<Sampled>) {
        let tally = &mut self.tallies[Queue::Deferred.index()];
        // The scan itself may have read the same logs.
        tally.unread_logs = tally.unread_logs.max(sampled.unread_logs);
        tally.logs_closed |= sampled.logs_closed;
        for gap in &sampled.gaps {
            if !self.gaps.contains(gap) {
                self.gaps.push(gap.clone());
            }
        }
        if !sampled.gaps.is_empty() {
            fold_gaps(&mut self.gaps, MAX_EXAMPLES);
        }
        self.sampled = Some(sampled);
    }

    /// Returns true if delay reasons of deferred mail are on record and could not be read. Those that the
    /// deadline left out are not among them.
    pub(crate) fn lacks_reasons(&self) -> bool {
        let tally = self.tally(Queue::Deferred);
        tally.unread_logs > 0 || tally.logs_closed && tally.messages > 0
    }
}

/// What the messages say that were tried last. It lies beside the tables, which several snapshots of a watch
/// share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sampled {
    reasons: Names<Why>,
    causes: CauseCounts,
    delayed_mail: DelayedMail,
    /// How many of them there still were.
    messages: u64,
    /// Delay reasons that could not be read, the first [`MAX_EXAMPLES`].
    gaps: Vec<Gap>,
    /// The number of logs that could not be read.
    unread_logs: u64,
    /// True if their directory could not be read.
    logs_closed: bool,
}

impl Sampled {
    /// Of an `instance` whose spool could not be opened again.
    fn closed(instance: &Instance, error: &Error) -> Sampled {
        let gap = Gap {
            queue: Queue::Deferred,
            kind: GapKind::LogDirectory,
            path: instance.queue_directory.clone(),
            errno: error.errno().unwrap_or(libc::EIO),
        };
        Sampled {
            gaps: vec![gap],
            logs_closed: true,
            ..Sampled::default()
        }
    }

    /// Returns true if `spool` gives the same access to logs as when the sample was taken.
    pub(crate) fn fits(&self, spool: &Spool) -> bool {
        let asked = self.messages > 0 || self.logs_closed;
        !asked || spool.are_logs_closed() == self.logs_closed
    }

    /// Returns true if not all of its delay reasons could be read.
    pub(crate) fn has_gaps(&self) -> bool {
        self.logs_closed || self.unread_logs > 0
    }

    /// Reads the messages of `latest` in the `spool` of `instance` with their logs, until `deadline`.
    pub(crate) fn read(
        instance: &Instance,
        spool: &Spool,
        latest: &Latest,
        now: i64,
        deadline: Deadline,
    ) -> Sampled {
        if latest.len() == 0 {
            // Without mail no log is missing.
            return Sampled::default();
        }
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
            oldest: 0,
        };
        let mut counter = Counter::new(&common);
        latest.read(spool, Queue::Deferred, deadline, &mut counter);
        counter.hand_over();
        let delayed_mail = std::mem::take(&mut counter.delayed_mail);
        let gaps = std::mem::take(&mut counter.gaps);
        let tally = counter.tallies[Queue::Deferred.index()].clone();
        drop(counter);
        let mut tables = common
            .tables
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let table = &mut tables[Queue::Deferred];
        Sampled {
            reasons: std::mem::take(&mut table.reasons),
            causes: table.causes,
            delayed_mail,
            messages: tally.messages,
            // What else could not be read is a gap of the scan itself.
            gaps: gaps
                .into_iter()
                .filter(|gap| gap.kind.is_of_logs())
                .collect(),
            unread_logs: tally.unread_logs,
            logs_closed: tally.logs_closed,
        }
    }

    /// Returns the same with other keys of reasons, and other names of senders and logins.
    pub(crate) fn renamed(
        &self,
        reason: impl Fn(&[u8]) -> Vec<u8>,
        sender: impl Fn(&[u8]) -> Vec<u8>,
        login: impl Fn(&[u8]) -> Vec<u8>,
    ) -> Sampled {
        Sampled {
            reasons: self.reasons.renamed(reason),
            delayed_mail: self.delayed_mail.renamed(sender, login),
            ..self.clone()
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

    /// Returns true if delay reasons of deferred mail could not be read ([`InstanceSnapshot::lacks_reasons`]).
    pub(crate) fn lacks_reasons(&self) -> bool {
        self.instances.iter().any(InstanceSnapshot::lacks_reasons)
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
pub(crate) enum Sampling {
    /// Not at all: nobody asks, or all reasons are read.
    Never,
    /// If a rule alerts.
    OnBreach,
    /// With the scan: default rules ask for it.
    Always,
}
