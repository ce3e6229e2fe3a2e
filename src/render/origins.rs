//! Origins of mail as a table and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::json::SCHEMA;
use crate::clock::Age;
use crate::escape::domain::printable_address;
use crate::escape::{counted, json_text, printable};
use crate::origins::{By, Table};

/// The longest name in the table, in bytes.
const MAX_NAME: usize = 60;

/// The document: at most `limit` rows; `complete` says whether all was read.
pub fn document(table: &Table, by: By, now: i64, limit: usize, complete: bool) -> Value {
    let rows: Vec<Value> = table
        .rows()
        .into_iter()
        .take(limit)
        .map(|(kind, name, row)| {
            json!({
                "by": by.kind_name(kind),
                "name": json_text(name),
                "messages": row.messages,
                "recipients": row.recipients,
                "senders": row.senders(),
                "domains": row.domains(),
                "oldest": now.saturating_sub(row.oldest).max(0),
                "newest": now.saturating_sub(row.newest).max(0),
                "queue_id": json_text(&row.queue_id),
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "now": now,
        "complete": complete && table.unlisted == 0 && table.untold == 0,
        "origins": rows,
        "messages": table.messages,
        "unlisted": table.unlisted,
    })
}

/// The table: at most `limit` rows, and what it leaves out.
pub fn text(table: &Table, by: By, now: i64, limit: usize) -> String {
    let rows = table.rows();
    if rows.is_empty() && table.unlisted == 0 {
        return "no mail\n".to_owned();
    }
    let mut text = String::from(
        "messages  recipients  senders  domains  share  oldest   newest   queue ID          origin\n",
    );
    let age = |arrival: i64| Age(now.saturating_sub(arrival).max(0)).to_string();
    for (kind, name, row) in rows.iter().take(limit) {
        let share = row.messages as f64 * 100.0 / table.messages.max(1) as f64;
        let name = match (by.kind_name(*kind), *name) {
            ("unknown", _) => "unknown".to_owned(),
            (what, b"") => format!("no {what} on record"),
            (what @ ("sender" | "sender-domain"), name) => {
                format!("{what} {}", printable_address(name, MAX_NAME))
            }
            (what, name) => format!("{what} {}", printable(name, MAX_NAME)),
        };
        let _ = writeln!(
            text,
            "{:>8}  {:>10}  {:>7}  {:>7}  {share:>4.0}%  {:<7}  {:<7}  {:<16}  {name}",
            row.messages,
            row.recipients,
            row.senders(),
            row.domains(),
            age(row.oldest),
            age(row.newest),
            printable(&row.queue_id, 64),
        );
    }
    if rows.len() > limit {
        let _ = writeln!(
            text,
            "and {}",
            counted((rows.len() - limit) as u64, "more origin")
        );
    }
    if table.unlisted > 0 {
        let _ = writeln!(
            text,
            "{:>8}  come from origins beyond the most that are held",
            table.unlisted
        );
    }
    text
}
