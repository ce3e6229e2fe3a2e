//! The queues: what is in each, and when it is tried again or given up.

use super::html::{self, Cell, Column};
use super::{chart, of_each, status};
use crate::clock::Age;
use crate::escape;
use crate::measure::{Argument, Kind, Measure, Subject, Unit};
use crate::postfix::queue::Queue;
use crate::snapshot::{RETRY_EDGES, Snapshot, Tally};

/// The ages for which the page says how much mail expires within them, in seconds.
const EXPIRY_EDGES: [i64; 5] = [3_600, 6 * 3_600, 86_400, 2 * 86_400, 5 * 86_400];

pub(super) fn queues(snapshot: &Snapshot) -> String {
    use Column::{Number, Text};
    let columns = [
        Text("Queue"),
        Number("Messages"),
        Number("Recipients"),
        Number("Size"),
        Number("Oldest"),
        Text("Notes"),
    ];
    of_each(snapshot, |taken| {
        let mut rows = Vec::new();
        for queue in taken.plan.queues().iter() {
            rows.push(queue_row(queue.name(), taken.tally(queue), snapshot.now));
        }
        rows.push(queue_row("total", &status::total(taken), snapshot.now));
        let state = status::daemons(taken);
        let directory = escape::path(&taken.instance.queue_directory);
        html::table(&format!("{directory}, {state}"), &columns, &rows)
    })
}

fn queue_row(name: &str, tally: &Tally, now: i64) -> Vec<Cell> {
    let bound = |text: String, exact: bool| {
        if exact {
            text
        } else {
            format!("at least {text}")
        }
    };
    let whole = tally.is_whole();
    let age = tally.oldest.map(|at| now.saturating_sub(at).max(0));
    let size = Unit::Bytes.show(tally.bytes as f64);
    let counted = |count: u64, exact| {
        Cell::sorted(
            &bound(count.to_string(), exact),
            count.min(i64::MAX as u64) as i64,
        )
    };
    vec![
        Cell::text(name),
        counted(tally.messages, whole),
        counted(tally.recipients, whole && tally.torn == 0),
        Cell::sorted(&bound(size, whole), tally.bytes.min(i64::MAX as u64) as i64),
        Cell::sorted(
            &bound(status::oldest(tally, now), whole && tally.ageless == 0),
            age.unwrap_or(-1),
        ),
        Cell::text(&status::remarks(tally).join(", ")),
    ]
}

pub(super) fn times(snapshot: &Snapshot) -> String {
    let out = of_each(snapshot, |taken| {
        let deferred = taken.tally(Queue::Deferred);
        let parts: Vec<(String, u64)> = deferred
            .retries
            .iter()
            .enumerate()
            .map(|(place, count)| {
                let label = match RETRY_EDGES.get(place) {
                    Some(0) => "due".to_owned(),
                    Some(to) => format!("<{}", Age(*to)),
                    None => "later".to_owned(),
                };
                (label, *count)
            })
            .collect();
        let mut before = 0;
        let expiring: Vec<(String, u64)> = EXPIRY_EDGES
            .iter()
            .map(|edge| {
                let measure = Measure {
                    instance: Some(taken.instance.name.clone()),
                    argument: Argument::Age(*edge, Age(*edge).to_string()),
                    ..Measure::new(Subject::Total, Kind::Expiring)
                };
                let within = measure.evaluate(snapshot).value as u64;
                let count = within.saturating_sub(before);
                before = within;
                (format!("<{}", Age(*edge)), count)
            })
            .collect();
        chart::bars("Deferred messages by the time to their next retry", &parts)
            + &chart::bars("Messages that expire, by the time left", &expiring)
    });
    match out.contains("<svg") {
        true => out,
        false => "<p>No retry and no expiry is due.</p>\n".to_owned(),
    }
}
