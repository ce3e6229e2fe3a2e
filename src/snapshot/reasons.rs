//! Why mail waits: recipients by destination domain, status code and reason.
//!
//! The table of a queue is keyed by those three, the cause and the next hop in one name (`reason_key`). Reasons are
//! normalised, so that what changes from message to message makes no new row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::AddAssign;

use super::name_counts::{Count, Names};
pub(crate) use super::reason_key::Mark;
use super::reason_key::Parts;
use super::spread::{Spread, acts, promote, spreads};
use super::{InstanceSnapshot, Snapshot};
use crate::cause::{Acts, Cause};
use crate::error::{Error, ErrorKind, Result};
use crate::postfix::queue::{Queue, QueueSet};
use crate::spelling::option;

/// How many wait for one reason, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// Recipients.
    pub(crate) recipients: u64,
    /// The earliest arrival among their messages, in seconds of the epoch; `i64::MAX` if none is known.
    pub(crate) oldest: i64,
    /// The latest arrival among their messages that have a sender; `i64::MIN` if none is known.
    pub(crate) newest: i64,
    /// When one of them was last tried; `i64::MIN` if that is not known.
    pub(crate) tried: i64,
}

impl Default for Why {
    fn default() -> Self {
        Why {
            recipients: 0,
            oldest: i64::MAX,
            newest: i64::MIN,
            tried: i64::MIN,
        }
    }
}

impl Why {
    /// `recipients` of a message that arrived and was last tried then. A bounce has the null sender.
    pub(crate) fn of(
        recipients: u64,
        arrival: Option<i64>,
        null_sender: bool,
        tried: Option<i64>,
    ) -> Why {
        let newest = arrival.filter(|_| !null_sender);
        Why {
            recipients,
            oldest: arrival.unwrap_or(i64::MAX),
            newest: newest.unwrap_or(i64::MIN),
            tried: tried.unwrap_or(i64::MIN),
        }
    }
}

impl AddAssign<&Why> for Why {
    fn add_assign(&mut self, other: &Why) {
        self.recipients += other.recipients;
        self.oldest = self.oldest.min(other.oldest);
        self.newest = self.newest.max(other.newest);
        self.tried = self.tried.max(other.tried);
    }
}

impl Count for Why {
    fn total(&self) -> u64 {
        self.recipients
    }
}

/// The key of which `rename` has changed domain, code, reason or next hop.
pub(crate) fn renamed(key: &[u8], rename: impl Fn(&mut Reason)) -> Vec<u8> {
    let mut row = Reason::of(key, &Why::default());
    rename(&mut row);
    Parts {
        code: &row.code,
        domain: &row.domain,
        next_hop: &row.next_hop,
        reason: &row.reason,
        ..Parts::of(key)
    }
    .key()
}

/// One row of why mail waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The destination domain, as qshape cuts and folds it.
    pub domain: Vec<u8>,
    /// The enhanced status code that the log gives, such as `4.4.1`.
    pub code: Vec<u8>,
    /// The reason, with its changing parts replaced (see [`crate::postfix::delay_reason`]) and without
    /// `delivery temporarily suspended:`.
    pub reason: Vec<u8>,
    /// Its cause.
    pub cause: Cause,
    /// Who acts.
    pub acts: Acts,
    /// The server, socket or name that it is about; empty if it names none. Of several the one that most
    /// recipients wait for.
    pub next_hop: Vec<u8>,
    /// Whether a server elsewhere answered.
    pub(crate) answered: bool,
    /// Whether the next hop is one that this side chose: a configured one, or one on this host.
    pub(crate) own_hop: bool,
    /// Recipients that wait for it.
    pub recipients: u64,
    /// The earliest arrival among their messages, in seconds of the epoch, if any is known.
    pub oldest: Option<i64>,
    /// The latest arrival among them.
    pub(crate) newest: Option<i64>,
    /// When one of them was last tried.
    pub(crate) tried: Option<i64>,
}

impl Default for Reason {
    fn default() -> Self {
        Reason::of(b"", &Why::default())
    }
}

impl Reason {
    /// The row of a key of [`super::QueueTables::reasons`].
    pub(crate) fn of(key: &[u8], why: &Why) -> Reason {
        let parts = Parts::of(key);
        let mark = Mark::read(parts.mark).unwrap_or(Mark {
            cause: Cause::Other,
            acts: Acts::Unknown,
            answered: false,
            own_hop: false,
        });
        Reason {
            domain: parts.domain.to_vec(),
            code: parts.code.to_vec(),
            reason: parts.reason.to_vec(),
            cause: mark.cause,
            acts: mark.acts,
            next_hop: parts.next_hop.to_vec(),
            answered: mark.answered,
            own_hop: mark.own_hop,
            recipients: why.recipients,
            oldest: (why.oldest != i64::MAX).then_some(why.oldest),
            newest: (why.newest != i64::MIN).then_some(why.newest),
            tried: (why.tried != i64::MIN).then_some(why.tried),
        }
    }

    /// Whether it has the cause `name`, as rules spell it: a cause, `ours` or `theirs`.
    pub(crate) fn is_of_cause(&self, name: &str) -> bool {
        match name {
            "ours" => self.acts.is_ours(),
            "theirs" => self.acts.is_theirs(),
            name => self.cause.name() == name,
        }
    }

    /// Adds `other`, which differs only by its next hop.
    pub(crate) fn take_in(&mut self, other: &Reason) {
        fn pick(a: Option<i64>, b: Option<i64>, of: fn(i64, i64) -> i64) -> Option<i64> {
            match (a, b) {
                (Some(a), Some(b)) => Some(of(a, b)),
                (a, b) => a.or(b),
            }
        }
        self.recipients += other.recipients;
        self.answered |= other.answered;
        self.oldest = pick(self.oldest, other.oldest, i64::min);
        self.newest = pick(self.newest, other.newest, i64::max);
        self.tried = pick(self.tried, other.tried, i64::max);
    }
}

/// Why the mail of some queues waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// Most recipients first, equal ones by name.
    pub rows: Vec<Reason>,
    /// Recipients whose reason is in no row, since the tables are bounded.
    pub unlisted: u64,
    /// Recipients without a reason on record.
    pub unexplained: u64,
    /// The causes that are ours because many destinations have them.
    pub spreads: Vec<Spread>,
}

impl Snapshot {
    /// [`Snapshot::reasons`], for a caller that did not make the scan.
    ///
    /// # Errors
    /// If this snapshot was limited to measures and no reasons were read.
    pub(crate) fn known_reasons(&self, queues: QueueSet) -> Result<Reasons> {
        let read = |taken: &InstanceSnapshot| queues.iter().any(|queue| is_read(taken, queue));
        if self.instances.iter().any(read) {
            return Ok(self.reasons(queues));
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "delay reasons were not read in this scan",
        )
        .with_remedy(format!(
            "leave out {} and {}",
            option("measure"),
            option("counts")
        )))
    }

    /// Why the mail of `queues` waits, over all instances that read it, most recipients first. Servers of
    /// one destination that gave one reason make one row.
    pub(crate) fn reasons(&self, queues: QueueSet) -> Reasons {
        let mut reasons = self.reasons_by_next_hop(queues);
        reasons.fold();
        reasons
    }

    /// Why the mail of `queues` waits as far as it was read or sampled, with a row for each next hop.
    pub(crate) fn sampled_reasons(&self, queues: QueueSet) -> Reasons {
        Reasons::sampled(&self.instances, queues, self.now)
    }

    /// The same as `reasons` with a row for each next hop.
    pub fn reasons_by_next_hop(&self, queues: QueueSet) -> Reasons {
        let tables = || {
            self.instances.iter().flat_map(|taken| {
                let read = queues.iter().filter(|queue| is_read(taken, *queue));
                read.map(|queue| &taken.tables[queue])
            })
        };
        let all = Names::together(tables().map(|table| &table.reasons), usize::MAX);
        let unexplained = tables().map(|table| table.unexplained).sum();
        Reasons::of(&all, unexplained, self.now)
    }
}

/// What rows are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonGrouping {
    /// The destination domain.
    Domain,
    /// The server, socket or name that the reason is about.
    NextHop,
    /// The cause.
    Cause,
    /// The cause and the next hop.
    CauseAndNextHop,
}

impl Reasons {
    /// Rows that are alike in `by` as one; with `None` those that differ by the next
    /// hop alone. What the rows of one do not share is that of the one with most recipients, or empty.
    #[must_use]
    pub fn by(mut self, by: Option<ReasonGrouping>) -> Reasons {
        let Some(by) = by else {
            self.fold();
            return self;
        };
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut together: Vec<Reason> = Vec::new();
        for row in std::mem::take(&mut self.rows) {
            let name = match by {
                ReasonGrouping::Domain => row.domain.clone(),
                ReasonGrouping::NextHop => row.next_hop.clone(),
                ReasonGrouping::Cause => vec![row.cause.index() as u8],
                ReasonGrouping::CauseAndNextHop => {
                    [&[row.cause.index() as u8], row.next_hop.as_slice()].concat()
                }
            };
            match places.entry(name) {
                Entry::Occupied(place) => {
                    let sum = &mut together[*place.get()];
                    if sum.domain != row.domain {
                        sum.domain.clear();
                    }
                    if sum.next_hop != row.next_hop {
                        sum.next_hop.clear();
                    }
                    sum.take_in(&row);
                }
                Entry::Vacant(place) => {
                    place.insert(together.len());
                    together.push(row);
                }
            }
        }
        self.rows = together;
        self.sort();
        self
    }

    /// Returns who acts on `cause`: us if it is spread over many destinations.
    pub(crate) fn acts(&self, cause: Cause) -> Acts {
        acts(&self.spreads, cause)
    }

    /// Keeps the first `most` rows, and returns the recipients of the others.
    pub fn cut(&mut self, most: usize) -> u64 {
        let rest = self.rows.iter().skip(most);
        let rest = rest.map(|row| row.recipients).sum();
        self.rows.truncate(most);
        rest
    }

    /// Why the mail of `queues` in `instances` waits, as far as it was read or sampled at the second `now`,
    /// with a row for each next hop.
    pub(crate) fn sampled<'s>(
        instances: impl IntoIterator<Item = &'s InstanceSnapshot>,
        queues: QueueSet,
        now: i64,
    ) -> Reasons {
        let tables = instances
            .into_iter()
            .flat_map(|taken| queues.iter().map(|queue| taken.reasons(queue)));
        let all = Names::together(tables, usize::MAX);
        Reasons::of(&all, 0, now)
    }

    /// The rows of a table of reasons, most recipients first, at the second `now`.
    pub(crate) fn of(table: &Names<Why>, unexplained: u64, now: i64) -> Reasons {
        let mut rows: Vec<Reason> = table
            .iter()
            .map(|(key, why)| Reason::of(key, why))
            .collect();
        let spreads = spreads(&rows, now);
        promote(&mut rows, &spreads);
        let mut reasons = Reasons {
            rows,
            unlisted: table.others.recipients,
            unexplained,
            spreads,
        };
        reasons.sort();
        reasons
    }

    fn sort(&mut self) {
        self.rows.sort_by(|a, b| {
            fn name(row: &Reason) -> [&[u8]; 4] {
                [&row.domain, &row.code, &row.reason, &row.next_hop]
            }
            b.recipients
                .cmp(&a.recipients)
                .then_with(|| name(a).cmp(&name(b)))
        });
    }

    /// Joins rows that differ only by the next hop.
    fn fold(&mut self) {
        let mut places: HashMap<_, usize> = HashMap::new();
        let mut folded: Vec<Reason> = Vec::new();
        // The first of several has most recipients, and its next hop stays.
        for row in std::mem::take(&mut self.rows) {
            let alike = (
                row.domain.clone(),
                row.code.clone(),
                row.reason.clone(),
                (row.cause, row.acts),
            );
            match places.entry(alike) {
                Entry::Occupied(place) => folded[*place.get()].take_in(&row),
                Entry::Vacant(place) => {
                    place.insert(folded.len());
                    folded.push(row);
                }
            }
        }
        self.rows = folded;
        self.sort();
    }
}

fn is_read(taken: &InstanceSnapshot, queue: Queue) -> bool {
    taken.wanted.reasons && taken.plan.depth(queue) == Some(crate::scan::Depth::Reasons)
}
