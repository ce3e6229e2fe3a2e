//! Recipients by destination domain and age: a table whose cells are shaded by their counts.

use std::fmt::Write as _;

use super::ROWS;
use super::html::{self, Cell, Column};
use crate::clock::Age;
use crate::escape;
use crate::snapshot::Snapshot;
use crate::snapshot::ages::{self, Ages};

pub(super) fn heatmap(snapshot: &Snapshot) -> String {
    let (domains, all) = snapshot.ages_by_domain();
    if all.total == 0 {
        return "<p>No recipients.</p>\n".to_owned();
    }
    let ends = ages::EDGES.iter().map(|edge| format!("<{}", Age(*edge)));
    let titles: Vec<String> = ends.chain(["older".to_owned()]).collect();
    let top = domains.top(ROWS);
    let most = top
        .iter()
        .flat_map(|(_, ages)| ages.columns)
        .max()
        .unwrap_or(0);
    let row = |name: &str, ages: &Ages, shaded: bool| {
        let mut cells = vec![Cell::text(name), Cell::number(ages.total)];
        for count in ages.columns {
            let cell = Cell::number(u64::from(count));
            cells.push(match shaded {
                true => cell.class(heat(count, most)),
                false => cell,
            });
        }
        cells
    };
    let mut rows = vec![row("all", &all, false)];
    for (name, ages) in &top {
        rows.push(row(&escape::domain::printable(name, 80), ages, true));
    }
    let mut columns = vec![Column::Text("Domain"), Column::Number("Recipients")];
    columns.extend(titles.iter().map(|title| Column::Number(title)));
    let mut out = html::table("Recipients by destination domain and age", &columns, &rows);
    let rest = domains.len().saturating_sub(top.len());
    if rest > 0 {
        let bound = if domains.is_complete() {
            ""
        } else {
            "at least "
        };
        let more = escape::counted(rest as u64, "more domain");
        let _ = writeln!(out, "<p class=\"dim\">and {bound}{more}</p>");
    }
    out
}

/// The shade of a cell, by the order of magnitude, because queues are skewed.
fn heat(count: u32, most: u32) -> String {
    if count == 0 {
        return "z".to_owned();
    }
    let share = f64::from(count).ln_1p() / f64::from(most).ln_1p().max(f64::MIN_POSITIVE);
    format!("h{}", (share * 5.0).ceil().clamp(1.0, 5.0))
}
