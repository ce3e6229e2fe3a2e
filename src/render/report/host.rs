//! What the figures rest on: the settings of each instance, and what could not be read.

use super::html::{self, Cell, Column};
use super::{caption, cut, of_each};
use crate::clock::Age;
use crate::escape;
use crate::measure::Unit;
use crate::snapshot::Snapshot;

pub(super) fn settings(snapshot: &Snapshot) -> String {
    of_each(snapshot, |taken| {
        let settings = &taken.instance.settings;
        let age = |seconds: i64| Age(seconds).to_string();
        let bytes = |count: u64| Unit::Bytes.show(count as f64);
        let mut rows = vec![
            (
                "queue_directory",
                escape::path(&taken.instance.queue_directory),
            ),
            (
                "qmgr_message_active_limit",
                settings.qmgr_message_active_limit.to_string(),
            ),
            (
                "maximal_queue_lifetime",
                age(settings.maximal_queue_lifetime),
            ),
            ("bounce_queue_lifetime", age(settings.bounce_queue_lifetime)),
            ("queue_run_delay", age(settings.queue_run_delay)),
            ("minimal_backoff_time", age(settings.minimal_backoff_time)),
            ("maximal_backoff_time", age(settings.maximal_backoff_time)),
            ("message_size_limit", bytes(settings.message_size_limit)),
        ];
        if let Some(disk) = taken.disk {
            let free = format!("{} of {}", bytes(disk.free_bytes), bytes(disk.size_bytes));
            rows.push(("free disk space", free));
        }
        let rows: Vec<Vec<Cell>> = rows
            .iter()
            .map(|(name, value)| vec![Cell::text(name), Cell::text(value)])
            .collect();
        html::table(
            &caption(snapshot, taken, "What decides the figures"),
            &[Column::Text("Parameter"), Column::Text("Value")],
            &rows,
        )
    })
}

pub(super) fn gaps(snapshot: &Snapshot) -> String {
    let mut lines: Vec<String> = snapshot
        .broken
        .iter()
        .map(|error| cut(&error.to_string()))
        .collect();
    for taken in &snapshot.instances {
        lines.extend(taken.instance.warnings.iter().map(|warning| cut(warning)));
        for gap in &taken.gaps {
            let remedy = gap
                .remedy()
                .map_or(String::new(), |remedy| format!("; {remedy}"));
            lines.push(format!("{gap}{remedy}"));
        }
        let told = taken.gaps.len() as u64;
        let all = taken.unreadable() + taken.unread_logs();
        if all > told {
            lines.push(format!("and {} more", all - told));
        }
        for damaged in &taken.damaged {
            lines.push(format!("damaged: {damaged}"));
        }
        for misdated in &taken.misdated {
            lines.push(format!("misdated: {misdated}"));
        }
        if taken.is_cut() {
            lines.push("the deadline passed before all was read".to_owned());
        }
    }
    match lines.is_empty() {
        true => "<p>Everything was read.</p>\n".to_owned(),
        false => html::list(&lines),
    }
}
