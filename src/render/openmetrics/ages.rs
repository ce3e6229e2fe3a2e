//! The families by age. Each is a plain gauge with a label `le`, cumulative and with zeros, so that sums over
//! instances and hosts stay true; node_exporter's textfile collector takes no gauge histograms.

use super::{Page, exported, figure_for, of_queue, quoted};
use crate::measure::{Argument, Figure, Kind, Subject};
use crate::postfix::queue::Queue;
use crate::snapshot::ages::EDGES;
use crate::snapshot::named_domains::{NamedDomains, OTHER};
use crate::snapshot::{InstanceSnapshot, Snapshot};

/// Edges of `postfix_spool_messages_by_age` after those of qshape, in seconds.
const DAYS: [i64; 2] = [2 * 86_400, 4 * 86_400];

/// Times before the end of their lifetime, in seconds, with the spelling of rules.
const WITHIN: [(i64, &str); 2] = [(3600, "1h"), (86_400, "1d")];

/// The figure of a measure of `queue` in `taken` that takes an age, if the scan included it.
fn with_age(
    taken: &InstanceSnapshot,
    snapshot: &Snapshot,
    queue: Queue,
    kind: Kind,
    seconds: i64,
) -> Option<Figure> {
    let age = Argument::Age(seconds, format!("{seconds}s"));
    figure_for(taken, snapshot, Subject::Queue(queue), kind, age)
}

/// Writes the cumulative `counts`, each with its edge in seconds, and the sum of all.
fn cumulative(
    page: &mut Page,
    name: &str,
    labels: &str,
    counts: impl Iterator<Item = (i64, u64)>,
    all: u64,
) {
    for (edge, count) in counts {
        page.line(name, &format!("{labels},le=\"{edge}\""), count as f64);
    }
    page.line(name, &format!("{labels},le=\"+Inf\""), all as f64);
}

/// Messages by age. `le` is the opposite of the measure `older`: at most so old.
pub(super) fn messages(snapshot: &Snapshot, page: &mut Page) {
    let name = "postfix_spool_messages_by_age";
    let help = "Messages that arrived at most le seconds ago.";
    page.head(name, "", help);
    for (place, taken) in snapshot.instances.iter().enumerate() {
        for queue in taken.plan.queues().iter() {
            let Some(older) = with_age(taken, snapshot, queue, Kind::Older, 0) else {
                continue;
            };
            page.note(place, older.quality);
            let arrivals = &taken.tables[queue].arrivals;
            let all = arrivals.total();
            if exported(older.quality, all as f64).is_none() {
                continue;
            }
            let counts = EDGES.iter().chain(&DAYS).map(|edge| {
                let older = arrivals.before(snapshot.now.saturating_sub(*edge));
                (*edge, all - older)
            });
            cumulative(page, name, &of_queue(taken, queue), counts, all);
        }
    }
}

/// Messages that reach the end of their lifetime soon. Nothing expires on hold and in corrupt.
pub(super) fn expiring(snapshot: &Snapshot, page: &mut Page) {
    let name = "postfix_spool_expiring_messages";
    let help = "Messages that reach the end of their lifetime within that time.";
    page.head(name, "", help);
    for (place, taken) in snapshot.instances.iter().enumerate() {
        for queue in taken.plan.queues().iter() {
            if matches!(queue, Queue::Hold | Queue::Corrupt) {
                continue;
            }
            for (seconds, within) in WITHIN {
                let figure = with_age(taken, snapshot, queue, Kind::Expiring, seconds);
                if let Some(figure) = figure {
                    let labels = format!("{},within=\"{within}\"", of_queue(taken, queue));
                    page.sample(place, name, &labels, &figure);
                }
            }
        }
    }
}

/// Recipients by age of the domains that are named, in the columns of qshape. Without names there is no such
/// family. `label` is what stands for a domain.
pub(super) fn recipients(
    snapshot: &Snapshot,
    named: &NamedDomains,
    label: &dyn Fn(String) -> String,
    page: &mut Page,
) {
    if named.is_none() {
        return;
    }
    let name = "postfix_spool_recipients_by_age";
    let help = "Recipients of messages that arrived at most le seconds ago, by destination domain.";
    page.head(name, "", help);
    for taken in &snapshot.instances {
        for (queue, rows) in named.rows(taken) {
            // Every row is as good as the figure of any domain; that of one is found without a pass over the table.
            let one = Argument::Name(OTHER.to_owned());
            let one = figure_for(taken, snapshot, Subject::Queue(queue), Kind::Domain, one);
            let Some(one) = one else {
                continue;
            };
            let all: u64 = rows.values().map(|ages| ages.total).sum();
            if exported(one.quality, all as f64).is_none() {
                continue;
            }
            for (domain, ages) in rows {
                let domain = label(domain);
                let labels = format!("{},domain=\"{}\"", of_queue(taken, queue), quoted(&domain));
                let mut sum = 0_u64;
                let counts = ages.columns.iter().zip(EDGES).map(|(count, edge)| {
                    sum += u64::from(*count);
                    (edge, sum)
                });
                cumulative(page, name, &labels, counts, ages.total);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_double_from_five_minutes_and_end_in_days() {
        let wanted = [
            300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 76_800, 172_800, 345_600,
        ];
        let edges: Vec<i64> = EDGES.into_iter().chain(DAYS).collect();
        assert_eq!(edges, wanted);
    }
}
