//! The tables of one queue: names and seconds, with what is counted for each.

use std::ops::{AddAssign, Index, IndexMut};

use super::Snapshot;
use super::ages::Ages;
use super::contribution::Sign;
use super::histogram::Seconds;
use super::name_counts::{Count, Names};
use super::reasons::{Mark, Why};
use super::spread::Spread;
use crate::cause::{Acts, CAUSES, Cause};
use crate::postfix::queue::{Queue, QueueSet};

/// Which tables of a queue are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSet {
    /// Recipients by destination domain and age.
    pub domains: bool,
    /// Messages by sender address.
    pub senders: bool,
    /// Messages by SASL login and client address.
    pub origins: bool,
    /// Messages by arrival second.
    pub arrivals: bool,
    /// Messages by the second in which they expire.
    pub expiries: bool,
    /// Recipients by the status code of their delay reason.
    pub codes: bool,
    /// Recipients by destination domain, status code, cause and delay reason.
    pub reasons: bool,
    /// Recipients by cause.
    pub causes: bool,
    /// The oldest message by destination domain.
    pub oldest: bool,
}

impl TableSet {
    /// No table.
    pub const NONE: TableSet = TableSet {
        domains: false,
        senders: false,
        origins: false,
        arrivals: false,
        expiries: false,
        codes: false,
        reasons: false,
        causes: false,
        oldest: false,
    };

    /// All tables.
    pub const ALL: TableSet = TableSet {
        domains: true,
        senders: true,
        origins: true,
        arrivals: true,
        expiries: true,
        codes: true,
        reasons: true,
        causes: true,
        oldest: true,
    };

    /// The tables that a JSON document of a snapshot lists.
    pub const DOCUMENT: TableSet = TableSet {
        arrivals: false,
        expiries: false,
        ..TableSet::ALL
    };

    /// The tables that OpenMetrics of a scan need beside what rules do: ages, and the counts of what has most.
    /// Causes come from a sample.
    pub const METRICS: TableSet = TableSet {
        domains: true,
        senders: true,
        origins: true,
        arrivals: true,
        expiries: true,
        ..TableSet::NONE
    };

    /// Those of a watch, which knows the causes of all mail.
    pub const LIVE_METRICS: TableSet = TableSet {
        causes: true,
        ..TableSet::METRICS
    };

    /// The tables of both.
    #[must_use]
    pub fn or(self, other: TableSet) -> TableSet {
        TableSet {
            domains: self.domains || other.domains,
            senders: self.senders || other.senders,
            origins: self.origins || other.origins,
            arrivals: self.arrivals || other.arrivals,
            expiries: self.expiries || other.expiries,
            codes: self.codes || other.codes,
            reasons: self.reasons || other.reasons,
            causes: self.causes || other.causes,
            oldest: self.oldest || other.oldest,
        }
    }
}

/// The tables of one queue. A table that is not in the [`TableSet`] is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueTables {
    /// Recipients still to be delivered, by destination domain (as qshape cuts and folds it).
    pub domains: Names<Ages>,
    /// Messages by sender address, folded to lower case; `MAILER-DAEMON` is the null sender.
    pub senders: Names<u64>,
    /// Messages by SASL login and client address: see `origins`.
    pub origins: Names<u64>,
    /// Messages by arrival second.
    pub arrivals: Seconds,
    /// Messages by the second in which they reach their lifetime; none on hold.
    pub expiries: Seconds,
    /// Recipients by the enhanced status code of their last delay reason.
    pub codes: Names<u64>,
    /// Recipients by destination domain, status code, cause, next hop and normalised reason: see
    /// [`Reason`](super::Reason).
    pub reasons: Names<Why>,
    /// When the oldest message to a destination domain arrived.
    pub oldest: Names<Earliest>,
    /// Recipients by the cause of their delay reason, before any promotion by spread.
    pub causes: CauseCounts,
    /// Recipients without a delay reason on record: not tried yet, being tried now, or on hold.
    pub unexplained: u64,
}

impl QueueTables {
    /// Counts recipients by the status code and the cause of their delay reason; `None` if none is on record.
    pub(crate) fn change_why(
        &mut self,
        why: Option<(&[u8], Option<Mark>)>,
        recipients: u64,
        wanted: TableSet,
        sign: Sign,
    ) {
        match why {
            Some((code, mark)) => {
                if wanted.codes {
                    self.codes.change(Some(code), &recipients, sign);
                }
                if let (true, Some(mark)) = (wanted.causes, mark) {
                    self.causes.change(mark, recipients, sign);
                }
            }
            None => {
                self.unexplained = match sign {
                    Sign::Add => self.unexplained.saturating_add(recipients),
                    Sign::Remove => self.unexplained.saturating_sub(recipients),
                }
            }
        }
    }
}

/// The earliest second of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earliest(pub i64);

impl Default for Earliest {
    fn default() -> Self {
        Earliest(i64::MAX)
    }
}

impl AddAssign<&Earliest> for Earliest {
    fn add_assign(&mut self, other: &Earliest) {
        self.0 = self.0.min(other.0);
    }
}

impl Count for Earliest {
    /// 1 if there is a second, so that what is beyond a full table is seen.
    fn total(&self) -> u64 {
        u64::from(self.0 != i64::MAX)
    }
}

/// Recipients by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CauseCounts {
    /// Those whose next hop is ours, whatever the cause says in general.
    own: [u64; CAUSES],
    /// All others.
    plain: [u64; CAUSES],
}

impl CauseCounts {
    fn change(&mut self, mark: Mark, recipients: u64, sign: Sign) {
        let counts = match mark.acts == mark.cause.acts() {
            true => &mut self.plain,
            false => &mut self.own,
        };
        if let Some(count) = counts.get_mut(mark.cause.index()) {
            *count = match sign {
                Sign::Add => count.saturating_add(recipients),
                Sign::Remove => count.saturating_sub(recipients),
            };
        }
    }

    /// Recipients that wait for `cause`.
    pub fn of(&self, cause: Cause) -> u64 {
        self.own[cause.index()] + self.plain[cause.index()]
    }

    /// Recipients for whom we act (`ours`), or who wait for the other side; with the causes that
    /// are ours by spread.
    pub fn whose(&self, ours: bool, spreads: &[Spread]) -> u64 {
        let count = |cause: Cause| {
            let promoted = spreads.iter().any(|spread| spread.cause == cause);
            let acts = match promoted {
                true => Acts::Us,
                false => cause.acts(),
            };
            let (own, plain) = (self.own[cause.index()], self.plain[cause.index()]);
            match ours {
                true => own + if acts.is_ours() { plain } else { 0 },
                false if acts.is_theirs() => plain,
                false => 0,
            }
        };
        Cause::ALL.into_iter().map(count).sum()
    }
}

impl AddAssign<&CauseCounts> for CauseCounts {
    fn add_assign(&mut self, other: &CauseCounts) {
        let own = self.own.iter_mut().zip(other.own);
        let plain = self.plain.iter_mut().zip(other.plain);
        for (sum, count) in own.chain(plain) {
            *sum = sum.saturating_add(count);
        }
    }
}

/// The tables of all queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables([QueueTables; Queue::ALL.len()]);

impl Tables {
    /// Moves all of `other` here.
    pub(super) fn take_in(&mut self, other: &mut Tables) {
        for (sum, own) in self.0.iter_mut().zip(&mut other.0) {
            sum.domains.merge(&own.domains);
            sum.senders.merge(&own.senders);
            sum.origins.merge(&own.origins);
            sum.arrivals.merge(&own.arrivals);
            sum.expiries.merge(&own.expiries);
            sum.codes.merge(&own.codes);
            sum.reasons.merge(&own.reasons);
            sum.oldest.merge(&own.oldest);
            sum.causes += &own.causes;
            sum.unexplained += own.unexplained;
            // The memory goes too: sixteen threads would each keep room for what only one needs.
            *own = QueueTables::default();
        }
    }
}

impl Index<Queue> for Tables {
    type Output = QueueTables;
    fn index(&self, queue: Queue) -> &QueueTables {
        &self.0[queue.index()]
    }
}

impl IndexMut<Queue> for Tables {
    fn index_mut(&mut self, queue: Queue) -> &mut QueueTables {
        &mut self.0[queue.index()]
    }
}
impl Snapshot {
    /// Recipients by destination domain and age over the queues of `total`, and of all domains together.
    pub fn ages_by_domain(&self) -> (Names<Ages>, Ages) {
        let mut domains = Names::<Ages>::default();
        for taken in self.instances.iter().filter(|taken| taken.wanted.domains) {
            for queue in QueueSet::TOTAL.iter() {
                domains.merge(&taken.tables[queue].domains);
            }
        }
        let mut all = domains.others;
        for (_, ages) in domains.iter() {
            all += ages;
        }
        (domains, all)
    }

    /// Messages by envelope sender over the queues of `total`.
    pub(crate) fn messages_by_sender(&self) -> Names<u64> {
        let mut senders = Names::default();
        for taken in self.instances.iter().filter(|taken| taken.wanted.senders) {
            for queue in QueueSet::TOTAL.iter() {
                senders.merge(&taken.tables[queue].senders);
            }
        }
        senders
    }
}
