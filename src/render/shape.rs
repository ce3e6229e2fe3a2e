//! A shape as qshape(1) prints it, byte for byte (postfix.md, "How qshape prints"), and as JSON.

use serde_json::{Value, json};

use super::json::SCHEMA;
use crate::escape::{counted, json_text};
use crate::shape::{Buckets, Cause, Part, Row, Shape, Table};

/// The layout of a table. The defaults are qshape's.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Messages by sender domain, not recipients by destination domain.
    pub senders: bool,
    /// The minimum number of subdomains for a parent domain to be shown; `None` shows none.
    pub parents: Option<f64>,
    /// Columns of the terminal; qshape accepts 80 or more, also fractions.
    pub width: f64,
    /// Number of rows including the total; 0 shows all.
    pub rows: u64,
    /// Whether to colour cells: from green (young) to red (old), grey for 0.
    pub color: bool,
    /// Whether to replace bytes that a terminal could interpret by `?`; otherwise they are raw, as in
    /// qshape.
    pub harmless: bool,
}

impl Default for Layout {
    fn default() -> Self {
        Layout {
            senders: false,
            parents: None,
            width: 80.0,
            rows: 0,
            color: false,
            harmless: false,
        }
    }
}

/// The minimum width of the domain field, in columns.
const MIN_DOMAIN: f64 = 18.0;

/// The table of `part`.
pub fn table(buckets: &Buckets, part: &Part, layout: &Layout) -> Vec<u8> {
    let counts = counts_of(part, layout.senders);
    let headings = buckets.headings();
    let total = counts.total();
    let mut room = layout.width;
    let mut widths = Vec::new();
    for (head, cell) in headings.iter().zip(total.cells) {
        let longest = cell.to_string().len().max(head.len());
        let width = if longest > 2 { longest + 1 } else { 3 };
        widths.push(width);
        room -= width as f64;
    }
    let printer = Printer {
        room: room.max(MIN_DOMAIN),
        widths,
        layout,
    };
    let mut out = Vec::new();
    let headings: Vec<Cell> = headings.into_iter().map(Cell::Head).collect();
    printer.line(b"", &headings, &mut out);
    let mut lines = 0;
    counts.each_printed(layout.parents, |row| {
        if layout.rows > 0 && lines >= layout.rows {
            return;
        }
        lines += 1;
        let cells: Vec<Cell> = row.cells.iter().map(|cell| Cell::Count(*cell)).collect();
        printer.line(row.name, &cells, &mut out);
    });
    out
}

fn counts_of(part: &Part, senders: bool) -> &Table {
    if senders {
        &part.senders
    } else {
        &part.recipients
    }
}

enum Cell {
    Head(String),
    Count(u64),
}

struct Printer<'l> {
    room: f64,
    widths: Vec<usize>,
    layout: &'l Layout,
}

impl Printer<'_> {
    fn line(&self, domain: &[u8], cells: &[Cell], out: &mut Vec<u8>) {
        let start = out.len();
        let length = domain.len() as f64;
        if length > self.room {
            // Perl's substr truncates a fraction.
            let (mark, kept): (&[u8], f64) = match domain.first() {
                Some(b'.') => (b".+", 2.0),
                _ => (b"+", 1.0),
            };
            let from = (length - self.room + kept) as usize;
            let many = (self.room - kept) as usize;
            out.extend_from_slice(mark);
            let tail = domain.get(from..).unwrap_or_default();
            out.extend_from_slice(tail.get(..many).unwrap_or(tail));
        } else {
            out.resize(start + (self.room - length) as usize, b' ');
            out.extend_from_slice(domain);
        }
        if self.layout.harmless {
            let shown = harmless(&out[start..]);
            out.truncate(start);
            out.extend_from_slice(&shown);
        }
        for (place, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            let text = match cell {
                Cell::Head(head) => head.clone(),
                Cell::Count(count) => count.to_string(),
            };
            out.resize(out.len() + width.saturating_sub(text.len()), b' ');
            match (self.layout.color, cell) {
                (true, Cell::Count(count)) => {
                    out.extend_from_slice(self.heat(place, *count).as_bytes());
                    out.extend_from_slice(text.as_bytes());
                    out.extend_from_slice(b"\x1b[0m");
                }
                _ => out.extend_from_slice(text.as_bytes()),
            }
        }
        out.push(b'\n');
    }

    /// The colour of a cell, from the 256-colour palette.
    fn heat(&self, place: usize, count: u64) -> String {
        // Green, yellow, orange, red.
        const SCALE: [u8; 6] = [34, 76, 178, 208, 202, 196];
        if count == 0 {
            return "\x1b[38;5;240m".to_owned();
        }
        if place == 0 {
            return "\x1b[1m".to_owned();
        }
        let last = self.widths.len().saturating_sub(2).max(1);
        let step = (place - 1) * (SCALE.len() - 1) / last;
        format!("\x1b[38;5;{}m", SCALE[step.min(SCALE.len() - 1)])
    }
}

/// Replaces bytes that a terminal could interpret; the text does not get longer.
fn harmless(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if crate::escape::obeyed(character) {
                out.push(b'?');
            } else {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        out.extend(chunk.invalid().iter().map(|_| b'?'));
    }
    out
}

/// What qshape omits from `part`, one sentence each; with `all`, says that it is counted here.
pub fn hidden(part: &Part, all: bool) -> Vec<String> {
    let what = if all { "counted here" } else { "not counted" };
    Cause::ALL
        .into_iter()
        .map(|cause| (part.hidden(cause), cause.words()))
        .filter(|(hidden, _)| hidden.messages > 0)
        .map(|(hidden, words)| {
            format!(
                "{what}, for qshape leaves them out: {} with {} {words}",
                counted(hidden.messages, "message"),
                counted(hidden.recipients, "recipient")
            )
        })
        .collect()
}

/// The document of `part` of `shape`; rows are in the order of the table.
pub fn document(shape: &Shape, part: &Part, layout: &Layout) -> Value {
    let counts = counts_of(part, layout.senders);
    let headings = shape.buckets.headings();
    let columns: Vec<Value> = shape
        .buckets
        .edges()
        .into_iter()
        .zip(headings.iter().skip(1))
        .map(|((from, to), head)| json!({"head": head, "from": from, "to": to}))
        .collect();
    let mut rows = Vec::new();
    let mut total = Value::Null;
    counts.each_printed(layout.parents, |row: Row<'_>| {
        let value = json!({
            "domain": json_text(row.name),
            "total": row.cells.first(),
            "counts": row.cells.get(1..),
        });
        if row == counts.total() {
            total = value;
        } else if layout.rows == 0 || (rows.len() as u64) < layout.rows {
            rows.push(value);
        }
    });
    let hidden: Vec<Value> = Cause::ALL
        .into_iter()
        .map(|cause| {
            let hidden = part.hidden(cause);
            json!({
                "why": cause.words(),
                "messages": hidden.messages,
                "recipients": hidden.recipients,
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "now": shape.now,
        "complete": shape.is_whole() && counts.unlisted == 0,
        "of": if layout.senders { "senders" } else { "recipients" },
        "columns": columns,
        "total": total["total"],
        "counts": total["counts"],
        "rows": rows,
        "unlisted": counts.unlisted,
        "left_out_by_qshape": hidden,
        "unreadable": shape.unreadable,
    })
}
