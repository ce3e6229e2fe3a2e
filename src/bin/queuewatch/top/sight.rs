//! What one look at the queues shows: a snapshot and its verdict as rows of a screen.
//!
//! Everything is judged, counted and explained elsewhere; here it is put into rows, of a kind at most [`ROWS`] with the
//! highest counts and as many of the oldest, and text of the spool becomes printable. A value shares nothing with the snapshot, which is dropped at once.
//!
//! A watch counts cheaply; the tables by name cost time in proportion to the number of messages. So a look
//! is [`Sums`], and from time to time also [`Tables`].

use std::cmp::Ordering;

use queuewatch::cause::{Acts, Cause};
use queuewatch::clock::Age;
use queuewatch::escape::domain::printable as printable_domain;
use queuewatch::escape::{counted, path, printable};
use queuewatch::instance::Instance;
use queuewatch::postfix::queue::{Queue, QueueSet};
use queuewatch::render::{plugin, status};
use queuewatch::rules::{State, Verdict};
use queuewatch::snapshot::ages::{Ages, COLUMNS};
use queuewatch::snapshot::origins::{by_client, by_login};
use queuewatch::snapshot::reasons::{Reason, ReasonGrouping};
use queuewatch::snapshot::{InstanceSnapshot, Snapshot, Tally};

use super::history::{History, MINUTES, Point};

/// The most rows of a table that are kept for one order.
pub(super) const ROWS: usize = 500;
/// The longest name, in bytes.
const NAME: usize = 128;
/// The longest reason, in bytes.
const REASON: usize = 240;

/// The verdict and the sums of the queues.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    /// When, in seconds of the epoch.
    pub(super) at: i64,
    /// Which instances.
    pub(super) spool: String,
    pub(super) state: State,
    /// Why it is in that state, in one line.
    pub(super) reason: String,
    /// Whether something could not be read.
    pub(super) incomplete: bool,
    /// The queues, and last the total.
    pub(super) queues: Vec<QueueRow>,
}

/// A queue.
#[derive(Clone, Debug)]
pub(super) struct QueueRow {
    /// `None` is the total.
    pub(super) queue: Option<Queue>,
    pub(super) messages: u64,
    /// Messages, recipients, size, age of the oldest message; a lower bound ends in `+`.
    pub(super) cells: [String; 4],
    /// What is unusual.
    pub(super) remarks: String,
    pub(super) hour: [Point; MINUTES],
}

impl QueueRow {
    pub(super) fn name(&self) -> &'static str {
        self.queue.map_or("total", Queue::name)
    }
}

/// The tables by name.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// When, in seconds of the epoch.
    pub(super) at: i64,
    /// Recipients by age, of all domains.
    pub(super) all: [u64; COLUMNS + 1],
    pub(super) domains: Vec<DomainRow>,
    pub(super) causes: Vec<CauseRow>,
    pub(super) origins: Vec<OriginRow>,
    /// What is beyond the rows of each of the three, if anything: `and 12 more domains`.
    pub(super) beyond: [String; 3],
    /// What is wrong and what to do, in lines.
    pub(super) advice: Vec<String>,
}

/// A destination domain.
#[derive(Clone, Debug)]
pub(super) struct DomainRow {
    pub(super) name: Vec<u8>,
    pub(super) text: String,
    /// Recipients, then those by age, as `shape` has them.
    pub(super) cells: [u64; COLUMNS + 1],
}

/// A cause and the next hop that it is about.
#[derive(Clone, Debug)]
pub(super) struct CauseRow {
    pub(super) cause: Cause,
    pub(super) acts: Acts,
    /// Empty if the reason names none.
    pub(super) next_hop: Vec<u8>,
    pub(super) hop: String,
    pub(super) recipients: u64,
    /// The arrival of the oldest message.
    pub(super) oldest: Option<i64>,
    pub(super) age: String,
    pub(super) reason: String,
}

/// A login or a client.
#[derive(Clone, Debug)]
pub(super) struct OriginRow {
    /// The filter of a list that picks its messages: `login` or `client`.
    pub(super) filter: &'static str,
    pub(super) name: Vec<u8>,
    pub(super) text: String,
    pub(super) messages: u64,
}

impl Sums {
    /// The sums of `snapshot`.
    pub(super) fn of(snapshot: &Snapshot, verdict: &Verdict, history: &mut History) -> Sums {
        let mut rows: Vec<(Option<Queue>, Tally)> = Vec::new();
        let mut total = Tally::default();
        for queue in Queue::ALL {
            let read = |taken: &&InstanceSnapshot| taken.plan.queues().contains(queue);
            let taken: Vec<_> = snapshot.instances.iter().filter(read).collect();
            if taken.is_empty() {
                continue;
            }
            let mut sum = Tally::default();
            for taken in taken {
                sum += taken.tally(queue);
            }
            if QueueSet::TOTAL.contains(queue) {
                total += &sum;
            }
            rows.push((Some(queue), sum));
        }
        rows.push((None, total));
        history.note(snapshot, &rows);
        let queues = rows
            .iter()
            .map(|(queue, tally)| queue_row(*queue, tally, snapshot.now, history))
            .collect();
        Sums {
            at: snapshot.now,
            spool: spool_of(snapshot),
            state: verdict.state,
            reason: plugin::service_text(snapshot, verdict),
            incomplete: !snapshot.is_whole(),
            queues,
        }
    }
}

fn spool_of(snapshot: &Snapshot) -> String {
    let name = |instance: &Instance| path(&instance.queue_directory);
    match snapshot.instances.as_slice() {
        [one] => name(&one.instance),
        several => format!("{} instances", several.len()),
    }
}

fn queue_row(queue: Option<Queue>, tally: &Tally, now: i64, history: &History) -> QueueRow {
    QueueRow {
        queue,
        messages: tally.messages,
        cells: status::cells(tally, now),
        remarks: status::remarks(tally).join(", "),
        hour: history.hour(queue, now),
    }
}

impl Tables {
    /// The tables of `snapshot`, which is a whole one.
    pub(super) fn of(snapshot: &Snapshot, verdict: &Verdict) -> Tables {
        let ages = snapshot.ages_by_domain();
        let (names, all) = &ages;
        let by_count = |a: &(&[u8], &Ages), b: &(&[u8], &Ages)| {
            b.1.total.cmp(&a.1.total).then_with(|| a.0.cmp(b.0))
        };
        let by_age = |a: &(&[u8], &Ages), b: &(&[u8], &Ages)| older(&cells(a.1), &cells(b.1));
        let domains: Vec<DomainRow> = first_of_both(names.iter().collect(), by_count, by_age)
            .into_iter()
            .map(|(name, ages)| DomainRow {
                name: name.to_vec(),
                text: match name {
                    b"" => "(no domain)".to_owned(),
                    name => printable_domain(name, NAME),
                },
                cells: cells(ages),
            })
            .collect();
        let bound = if names.is_complete() { "" } else { "at least " };
        let more_domains = beyond(names.len(), domains.len(), bound, "domain");
        let (causes, more_causes) = causes(snapshot);
        let (origins, more_origins) = origins(snapshot);
        Tables {
            at: snapshot.now,
            all: cells(all),
            domains,
            causes,
            origins,
            beyond: [more_domains, more_causes, more_origins],
            advice: plugin::long_output(snapshot, verdict, 1, &ages)
                .iter()
                .map(|line| printable(line.as_bytes(), 400))
                .collect(),
        }
    }
}

fn beyond(all: usize, shown: usize, bound: &str, what: &str) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        rest => format!(
            "and {bound}{}",
            counted(rest as u64, &format!("more {what}"))
        ),
    }
}

/// Those of `rows` that are among the first [`ROWS`] by either order, by the first order.
fn first_of_both<T>(
    mut rows: Vec<T>,
    one: impl Fn(&T, &T) -> Ordering,
    other: impl Fn(&T, &T) -> Ordering,
) -> Vec<T> {
    if rows.len() > ROWS {
        rows.select_nth_unstable_by(ROWS, &one);
        let mut rest = rows.split_off(ROWS);
        if rest.len() > ROWS {
            rest.select_nth_unstable_by(ROWS, other);
            rest.truncate(ROWS);
        }
        rows.append(&mut rest);
    }
    rows.sort_by(one);
    rows
}

/// The order of rows with these cells, the oldest first: from the oldest column on.
pub(super) fn older(a: &[u64], b: &[u64]) -> Ordering {
    b.iter().rev().cmp(a.iter().rev())
}

fn cells(ages: &Ages) -> [u64; COLUMNS + 1] {
    std::array::from_fn(|place| match place {
        0 => ages.total,
        column => ages.columns[column - 1].into(),
    })
}

/// Why mail waits: a row for each cause and next hop, most recipients first.
fn causes(snapshot: &Snapshot) -> (Vec<CauseRow>, String) {
    let mut reasons = snapshot
        .reasons_by_next_hop(QueueSet::TOTAL)
        .by(Some(ReasonGrouping::CauseAndNextHop));
    let all = reasons.rows.len();
    let by_count = |a: &Reason, b: &Reason| b.recipients.cmp(&a.recipients);
    let by_age = |a: &Reason, b: &Reason| {
        let oldest = |reason: &Reason| reason.oldest.unwrap_or(i64::MAX);
        oldest(a).cmp(&oldest(b))
    };
    reasons.rows = first_of_both(reasons.rows, by_count, by_age);
    let rest = beyond(all, reasons.rows.len(), "", "row");
    let mut more: Vec<String> = Vec::new();
    if !rest.is_empty() {
        more.push(rest);
    }
    if reasons.unexplained > 0 {
        more.push(format!(
            "{} without a reason on record",
            reasons.unexplained
        ));
    }
    let row = |reason: &Reason| CauseRow {
        cause: reason.cause,
        acts: reason.acts,
        next_hop: reason.next_hop.clone(),
        hop: match reason.next_hop.as_slice() {
            b"" => "-".to_owned(),
            hop => printable_domain(hop, NAME),
        },
        recipients: reason.recipients,
        oldest: reason.oldest,
        age: reason.oldest.map_or("-".to_owned(), |at| {
            Age(snapshot.now.saturating_sub(at).max(0)).to_string()
        }),
        reason: printable(&reason.reason, REASON),
    };
    (reasons.rows.iter().map(row).collect(), more.join(", "))
}

/// Where mail comes from: logins and clients, most messages first.
fn origins(snapshot: &Snapshot) -> (Vec<OriginRow>, String) {
    let tables = || {
        snapshot.instances.iter().flat_map(|taken| {
            QueueSet::TOTAL
                .iter()
                .map(move |queue| &taken.tables[queue])
        })
    };
    let mut rows: Vec<(&'static str, &[u8], u64)> = Vec::new();
    rows.extend(
        by_login(tables())
            .into_iter()
            .map(|(name, count)| ("login", name, count)),
    );
    rows.extend(
        by_client(tables())
            .into_iter()
            .map(|(name, count)| ("client", name, count)),
    );
    rows.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (b.0, a.1).cmp(&(a.0, b.1))));
    let rest = beyond(rows.len(), ROWS, "", "origin");
    rows.truncate(ROWS);
    let mut more: Vec<String> = Vec::new();
    // The local user is the owner of a file or stands in a header, which a watch does not read.
    let without = snapshot.without_origin();
    if without > 0 {
        more.push(format!(
            "{without} without login or client: queuewatch origins names local users"
        ));
    }
    if !rest.is_empty() {
        more.push(rest);
    }
    let row = |(filter, name, messages): (&'static str, &[u8], u64)| OriginRow {
        filter,
        name: name.to_vec(),
        text: printable(name, NAME),
        messages,
    };
    (rows.into_iter().map(row).collect(), more.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_of_either_order_are_kept() {
        let both = |count: usize| {
            // The less, the older.
            let rows: Vec<usize> = (0..count).rev().collect();
            first_of_both(rows, |a, b| b.cmp(a), Ord::cmp)
        };
        assert!(both(0).is_empty());
        assert_eq!(both(ROWS + 1).len(), ROWS + 1);
        let kept = both(3 * ROWS);
        assert_eq!(kept.len(), 2 * ROWS);
        assert!(kept.iter().rev().take(ROWS).copied().eq(0..ROWS));
        assert!(
            kept.iter()
                .take(ROWS)
                .copied()
                .eq((2 * ROWS..3 * ROWS).rev())
        );
    }
}
