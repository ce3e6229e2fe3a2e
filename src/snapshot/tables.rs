//! The tables of one queue: names and seconds, with what is counted for each.

use std::borrow::Cow;
use std::ops::{AddAssign, Index, IndexMut};

use super::Snapshot;
use super::ages::Ages;
use super::contribution::Sign;
use super::destination::WhyKey;
use super::histogram::Seconds;
use super::name_counts::{Count, Names};
use super::reason_key::Mark;
use super::reasons::Why;
use super::spread::{Spread, acts};
use crate::cause::{CAUSES, Cause};
use crate::postfix::queue::{Queue, QueueSet};

/// How much memory the names in the tables of one instance take, in bytes. Beyond it new names count among the
/// others.
pub(crate) const MAX_MEMORY: usize = 32 << 20;
/// How much memory a sum over queues and instances takes, in bytes, with the same consequence.
pub(crate) const MAX_SUM_MEMORY: usize = MAX_MEMORY / 2;

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
    pub(crate) origins: Names<u64>,
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
    pub(crate) oldest: Names<Earliest>,
    /// Recipients by the cause of their delay reason, before any promotion by spread.
    pub(crate) causes: CauseCounts,
    /// Recipients without a delay reason on record: not tried yet, being tried now, or on hold.
    pub unexplained: u64,
}

/// Recipients of one message that the tables count alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipients<'r> {
    /// Their destination domain; `None` counts among the others.
    pub(crate) domain: Option<&'r [u8]>,
    /// How many they are, by age.
    pub(crate) ages: Ages,
    /// When the message arrived.
    pub(crate) arrival: Option<i64>,
    /// Whether the message has the null sender, as a bounce has.
    pub(crate) null_sender: bool,
    /// Why they wait; `None` if no delay reason is on record.
    pub(crate) why: Option<WhyKey<'r>>,
    /// When they were tried last.
    pub(crate) tried: Option<i64>,
}

impl QueueTables {
    /// Returns the bytes of memory that the names take.
    fn memory(&self) -> usize {
        self.domains.memory()
            + self.senders.memory()
            + self.origins.memory()
            + self.codes.memory()
            + self.reasons.memory()
            + self.oldest.memory()
    }

    /// Counts recipients in those of the `wanted` tables that have a row for them. `explains` says whether their
    /// delay reasons are counted. `room` is the limit of [`Names::change`].
    pub(crate) fn change_recipients(
        &mut self,
        one: &Recipients<'_>,
        wanted: TableSet,
        explains: bool,
        sign: Sign,
        room: usize,
    ) {
        let total = one.ages.total;
        if wanted.domains {
            self.domains.change(one.domain, &one.ages, sign, room);
        }
        // A minimum cannot be taken out again.
        let adds = sign == Sign::Add;
        if let (true, Some(domain)) = (wanted.oldest && adds, one.domain) {
            let arrival = Earliest(one.arrival.unwrap_or(i64::MAX));
            self.oldest.add_within(domain, &arrival, room);
        }
        match (explains, one.why) {
            (false, _) => {}
            (true, None) => {
                self.unexplained = match sign {
                    Sign::Add => self.unexplained.saturating_add(total),
                    Sign::Remove => self.unexplained.saturating_sub(total),
                }
            }
            (true, Some(why)) => {
                if wanted.codes {
                    self.codes.change(Some(why.code), &total, sign, room);
                }
                if let (true, Some(mark)) = (wanted.causes, why.mark) {
                    self.causes.change(mark, total, sign);
                }
                if wanted.reasons && adds {
                    let count = Why::of(total, one.arrival, one.null_sender, one.tried);
                    self.reasons.add_within(why.reason, &count, room);
                }
            }
        }
    }
}

/// The earliest second of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Earliest(pub i64);

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
pub(crate) struct CauseCounts {
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
    pub(crate) fn of(&self, cause: Cause) -> u64 {
        self.own[cause.index()] + self.plain[cause.index()]
    }

    /// Recipients for whom we act (`ours`), or who wait for the other side; with the causes that
    /// are ours by spread.
    pub(crate) fn whose(&self, ours: bool, spreads: &[Spread]) -> u64 {
        let count = |cause: Cause| {
            let acts = acts(spreads, cause);
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
    /// Moves all of `other` here, within [`MAX_MEMORY`].
    pub(super) fn take_in(&mut self, other: &mut Tables) {
        for queue in Queue::ALL {
            let own = &mut other[queue];
            macro_rules! drain {
                ($($table:ident)*) => {$(
                    if !own.$table.is_nothing() {
                        let room = self.room();
                        self[queue].$table.drain(&mut own.$table, room);
                    }
                )*};
            }
            drain!(codes domains senders origins reasons oldest);
            let sum = &mut self[queue];
            sum.arrivals.merge(&std::mem::take(&mut own.arrivals));
            sum.expiries.merge(&std::mem::take(&mut own.expiries));
            sum.causes += &std::mem::take(&mut own.causes);
            sum.unexplained += std::mem::take(&mut own.unexplained);
        }
    }

    /// Returns by how many bytes of memory a table of names may grow now: half of what is left of
    /// [`MAX_MEMORY`], so that a table which takes much leaves room for the others.
    pub(crate) fn room(&self) -> usize {
        let memory: usize = self.0.iter().map(QueueTables::memory).sum();
        MAX_MEMORY.saturating_sub(memory) / 2
    }
}

/// [`Tables::room`] for who adds name by name: computed again after some names.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Room {
    bytes: usize,
    /// How often it still holds.
    times: u32,
}

impl Room {
    /// Returns the room that `tables` has.
    pub(crate) fn of(&mut self, tables: &Tables) -> usize {
        match self.times.checked_sub(1) {
            Some(times) => self.times = times,
            None => {
                *self = Room {
                    bytes: tables.room(),
                    times: 256,
                }
            }
        }
        self.bytes
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
    pub fn ages_by_domain(&self) -> (Cow<'_, Names<Ages>>, Ages) {
        let domains = Names::together(
            self.tables_of_total(|wanted| wanted.domains)
                .map(|table| &table.domains),
            MAX_SUM_MEMORY,
        );
        let mut all = domains.others;
        for (_, ages) in domains.iter() {
            all += ages;
        }
        (domains, all)
    }

    /// Messages by envelope sender over the queues of `total`.
    pub(crate) fn messages_by_sender(&self) -> Cow<'_, Names<u64>> {
        Names::together(
            self.tables_of_total(|wanted| wanted.senders)
                .map(|table| &table.senders),
            MAX_SUM_MEMORY,
        )
    }

    /// The tables of the queues of `total` in each instance that has what `has` asks for.
    pub(crate) fn tables_of_total(
        &self,
        has: fn(&TableSet) -> bool,
    ) -> impl Iterator<Item = &QueueTables> {
        let instances = self
            .instances
            .iter()
            .filter(move |taken| has(&taken.wanted));
        instances.flat_map(|taken| QueueSet::TOTAL.iter().map(|queue| &taken.tables[queue]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What 4,096 messages of made-up names add to each table of a queue, as a thread hands it over.
    fn flood(queue: Queue, round: u32) -> Tables {
        let mut tables = Tables::default();
        let table = &mut tables[queue];
        for number in 0..4096_u32 {
            let name = format!("{round}.{number}.a-name-that-somebody-made-up.example");
            let name = name.as_bytes();
            table.codes.add(&name[..16.min(name.len())], &1);
            table.domains.add(name, &Ages::one(5));
            table.senders.add(name, &1);
            table.origins.add(name, &1);
            table.reasons.add(name, &Why::of(1, Some(7), false, None));
            table.oldest.add(name, &Earliest(7));
            table.unexplained += 1;
        }
        tables
    }

    #[test]
    fn made_up_names_end_at_the_limit_and_leave_room_for_each_table() {
        let mut all = Tables::default();
        let rounds = 60;
        for round in 0..rounds {
            for queue in [Queue::Incoming, Queue::Deferred] {
                let mut one = flood(queue, round);
                all.take_in(&mut one);
                assert_eq!(one[queue].unexplained, 0);
                assert!(one[queue].senders.is_nothing());
            }
        }
        let memory: usize = all.0.iter().map(QueueTables::memory).sum();
        assert!(memory <= MAX_MEMORY, "{memory}");
        // It is used, and no table is left out.
        assert!(memory > MAX_MEMORY / 2, "{memory}");
        for queue in [Queue::Incoming, Queue::Deferred] {
            let table = &all[queue];
            let sizes = [
                table.domains.len(),
                table.senders.len(),
                table.origins.len(),
                table.reasons.len(),
                table.oldest.len(),
            ];
            assert!(
                sizes.iter().all(|names| *names >= 4096),
                "{queue:?}: {sizes:?}"
            );
            let sum: u64 = table.senders.iter().map(|(_, count)| count).sum();
            assert_eq!(sum + table.senders.others, u64::from(rounds) * 4096);
            assert!(!table.senders.is_complete());
        }
    }

    #[test]
    fn a_sum_of_one_table_is_no_copy_and_one_of_several_is_bounded() {
        let (mut one, mut two) = (Names::<u64>::default(), Names::<u64>::default());
        for number in 0..50_000 {
            one.add(format!("a{number}").as_bytes(), &1);
            two.add(format!("b{number}").as_bytes(), &2);
        }
        let none = Names::default();
        let alone = Names::together([&none, &one, &none], 0);
        assert!(matches!(alone, Cow::Borrowed(_)));
        assert_eq!(*alone, one);
        let both = Names::together([&one, &two], usize::MAX);
        assert_eq!((both.len(), both.others), (100_000, 0));
        let bounded = Names::together([&one, &two], 4 << 20);
        assert!(bounded.memory() <= 4 << 20);
        let sum: u64 = bounded.iter().map(|(_, count)| count).sum();
        assert_eq!(sum + bounded.others, 150_000);
        assert!(bounded.others > 0);
    }
}
