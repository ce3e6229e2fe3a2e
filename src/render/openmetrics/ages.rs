//! The families by age. Each is a plain gauge with a label `le`, cumulative and with zeros, so that sums over
//! instances and hosts stay true; node_exporter's textfile collector takes no gauge histograms.

use std::fmt::Write as _;

use super::{figure, head, of_instance, quoted};
use crate::measure::{Argument, Kind, Measure, Quality, Subject};
use crate::postfix::queue::Queue;
use crate::snapshot::ages::{COLUMNS, TICK};
use crate::snapshot::named_domains::NamedDomains;
use crate::snapshot::{InstanceSnapshot, Snapshot};

/// The edges of `postfix_spool_messages_by_age`, in seconds: those of qshape, then 2 and 4 days. `+Inf` follows.
const EDGES: [i64; COLUMNS + 1] = {
    let mut edges = [0; COLUMNS + 1];
    let mut column = 0;
    while column < COLUMNS - 1 {
        edges[column] = (60 * TICK) << column;
        column += 1;
    }
    edges[COLUMNS - 1] = 2 * 86_400;
    edges[COLUMNS] = 4 * 86_400;
    edges
};

/// Times before the end of their lifetime, in seconds, with the spelling of rules.
const WITHIN: [(i64, &str); 2] = [(3600, "1h"), (86_400, "1d")];

/// A measure of `queue` in `taken` that takes an age.
fn with_age(taken: &InstanceSnapshot, queue: Queue, kind: Kind, seconds: i64) -> Measure {
    Measure {
        instance: Some(taken.instance.name.clone()),
        argument: Argument::Age(seconds, format!("{seconds}s")),
        ..Measure::new(Subject::Queue(queue), kind)
    }
}

/// Messages by age. `le` is the opposite of the measure `older`: at most so old.
pub(super) fn messages(snapshot: &Snapshot, text: &mut String, complete: &mut [bool]) {
    let name = "postfix_spool_messages_by_age";
    head(
        text,
        name,
        "",
        "Messages at most so many seconds old, by age since they arrived.",
    );
    for (taken, complete) in snapshot.instances.iter().zip(complete) {
        for queue in taken.plan.queues().iter() {
            let measure = with_age(taken, queue, Kind::Older, 0);
            if !measure.is_read(taken, snapshot) {
                continue;
            }
            let quality = measure.evaluate(snapshot).quality;
            *complete &= quality == Quality::Exact;
            let arrivals = &taken.tables[queue].arrivals;
            let all = arrivals.total();
            // Nothing could be counted: zeros would be false.
            if quality == Quality::Unknown || quality == Quality::AtLeast && all == 0 {
                continue;
            }
            let labels = format!("{},queue=\"{queue}\"", of_instance(taken));
            for edge in EDGES {
                let older = arrivals.before(snapshot.now.saturating_sub(edge));
                let _ = writeln!(text, "{name}{{{labels},le=\"{edge}\"}} {}", all - older);
            }
            let _ = writeln!(text, "{name}{{{labels},le=\"+Inf\"}} {all}");
        }
    }
}

/// Messages that reach the end of their lifetime soon. Nothing expires on hold and in corrupt.
pub(super) fn expiring(snapshot: &Snapshot, text: &mut String, complete: &mut [bool]) {
    let name = "postfix_spool_expiring_messages";
    head(
        text,
        name,
        "",
        "Messages that reach the end of their lifetime within that time.",
    );
    for (taken, complete) in snapshot.instances.iter().zip(complete) {
        for queue in taken.plan.queues().iter() {
            if matches!(queue, Queue::Hold | Queue::Corrupt) {
                continue;
            }
            for (seconds, within) in WITHIN {
                let measure = with_age(taken, queue, Kind::Expiring, seconds);
                if !measure.is_read(taken, snapshot) {
                    continue;
                }
                let figure = measure.evaluate(snapshot);
                *complete &= figure.quality == Quality::Exact;
                if let Some(value) = super::sample(&figure) {
                    let labels = format!("{},queue=\"{queue}\"", of_instance(taken));
                    super::line(text, name, &format!("{labels},within=\"{within}\""), value);
                }
            }
        }
    }
}

/// Recipients by age of the domains that are named, in the columns of qshape. Without names there is no such
/// family.
pub(super) fn recipients(
    snapshot: &Snapshot,
    named: &NamedDomains,
    text: &mut String,
    complete: &mut [bool],
) {
    if named.is_none() {
        return;
    }
    let name = "postfix_spool_recipients_by_age";
    let help = "Recipients whose message is at most so many seconds old, by destination domain.";
    head(text, name, "", help);
    for (taken, complete) in snapshot.instances.iter().zip(complete) {
        for (queue, rows) in named.rows(taken) {
            let Some(all) = figure(taken, snapshot, Subject::Queue(queue), Kind::TopDomain) else {
                continue;
            };
            *complete &= all.quality == Quality::Exact;
            let total: u64 = rows.values().map(|ages| ages.total).sum();
            if all.quality == Quality::Unknown || all.quality == Quality::AtLeast && total == 0 {
                continue;
            }
            for (domain, ages) in rows {
                let labels = format!(
                    "{},queue=\"{queue}\",domain=\"{}\"",
                    of_instance(taken),
                    quoted(&domain)
                );
                let mut sum = 0_u64;
                for (count, edge) in ages.columns.iter().zip(&EDGES[..COLUMNS - 1]) {
                    sum += u64::from(*count);
                    let _ = writeln!(text, "{name}{{{labels},le=\"{edge}\"}} {sum}");
                }
                let _ = writeln!(text, "{name}{{{labels},le=\"+Inf\"}} {}", ages.total);
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
        assert_eq!(EDGES, wanted);
    }
}
