//! Why mail waits: recipients by cause, and by next hop.

use std::fmt::Write as _;

use super::html::{self, Cell, Column};
use super::{ROWS, cut};
use crate::cause::Cause;
use crate::clock::Age;
use crate::escape;
use crate::postfix::queue::{Queue, QueueSet};
use crate::snapshot::Snapshot;
use crate::snapshot::reasons::ReasonGrouping;
use crate::snapshot::sample::CausesKnown;

pub(super) fn causes(snapshot: &Snapshot) -> String {
    use Column::{Long, Number, Text, Word};
    let mut out = String::new();
    let mut rows = Vec::new();
    let mut sampled = Vec::new();
    // As the verdict says it: a cause that many destinations have is ours.
    let whose = snapshot.sampled_reasons(QueueSet::TOTAL);
    for cause in Cause::ALL {
        let tables = snapshot.instances.iter().flat_map(|taken| {
            QueueSet::TOTAL
                .iter()
                .map(move |queue| taken.causes(queue).of(cause))
        });
        let count: u64 = tables.sum();
        if count > 0 {
            rows.push(vec![
                Cell::text(cause.name()),
                Cell::number(count),
                Cell::text(whose.acts(cause).name()),
                Cell::text(cause.meaning()),
            ]);
        }
    }
    for taken in &snapshot.instances {
        if let Some(CausesKnown::Sample(sample)) = CausesKnown::of(taken, Queue::Deferred) {
            sampled.push(format!(
                "{}: from the {} of {} deferred messages that were tried last",
                taken.instance.name, sample.messages, sample.of
            ));
        }
    }
    if rows.is_empty() {
        return "<p>No delay reasons on record.</p>\n".to_owned();
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.get(1).and_then(Cell::key)));
    let columns = [
        Word("Cause"),
        Number("Recipients"),
        Word("Who acts"),
        Long("A reason says that"),
    ];
    out.push_str(&html::table("Recipients by cause", &columns, &rows));
    out.push_str(&html::list(&sampled));
    let mut reasons = snapshot
        .reasons_by_next_hop(QueueSet::TOTAL)
        .by(Some(ReasonGrouping::NextHop));
    let rest = reasons.cut(ROWS);
    let rows: Vec<Vec<Cell>> = reasons
        .rows
        .iter()
        .map(|row| {
            let age = row.oldest.map(|at| snapshot.now.saturating_sub(at).max(0));
            vec![
                Cell::text(
                    match row.next_hop.as_slice() {
                        b"" => "-".to_owned(),
                        name => cut(&escape::json_text(name)),
                    }
                    .as_str(),
                ),
                Cell::number(row.recipients),
                Cell::sorted(
                    &age.map_or("-".to_owned(), |age| Age(age).to_string()),
                    age.unwrap_or(-1),
                ),
                Cell::text(row.cause.name()),
                Cell::text(row.acts.name()),
                Cell::text(&escape::json_text(&row.code)),
                Cell::text(&cut(&escape::json_text(&row.reason))),
            ]
        })
        .collect();
    let columns = [
        Text("Next hop"),
        Number("Recipients"),
        Number("Oldest"),
        Word("Cause"),
        Word("Who acts"),
        Word("Code"),
        Long("Commonest reason"),
    ];
    out.push_str(&html::table("Recipients by next hop", &columns, &rows));
    if rest > 0 {
        let rest = escape::counted(rest, "recipient");
        let _ = writeln!(out, "<p class=\"dim\">and {rest} of other next hops</p>");
    }
    out
}
