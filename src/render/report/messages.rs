//! The oldest messages: from whom, for whom, and why each waits.

use super::cut;
use super::html::{self, Cell, Column, text};
use crate::anonymize::Anonymizer;
use crate::clock::Age;
use crate::escape;
use crate::instance::Instance;
use crate::measure::Unit;
use crate::scan::MessageRow;
use crate::snapshot::Snapshot;

/// The oldest messages that a report has.
pub const OLDEST: usize = 50;
/// Recipients of a message that are named.
const RECIPIENTS: usize = 5;

/// One of the oldest messages; see [`oldest_message`].
#[derive(Clone, Debug)]
pub struct OldMessage {
    arrival: i64,
    cells: [String; 6],
    bytes: u64,
}

impl OldMessage {
    /// When it arrived, in seconds of the epoch.
    pub fn arrival(&self) -> i64 {
        self.arrival
    }
}

/// What the report says about `row`, a message of `instance` that was read with its delay reasons; its names
/// are tokens of `anonymizer`, if there is one.
pub fn oldest_message(
    instance: &Instance,
    row: &MessageRow,
    anonymizer: Option<&Anonymizer>,
) -> OldMessage {
    let delay_of =
        |row: &MessageRow| (0..row.recipient_count()).find(|at| row.delay(*at).is_some());
    // Tokens would hide from the judgement which server speaks.
    let judged = delay_of(row).and_then(|at| row.delay(at)).map(|delay| {
        let judged = instance.classifier.judge(delay.status, delay.reason);
        format!("{}, {}", judged.cause.name(), judged.acts.name())
    });
    let renamed = anonymizer.map(|anonymizer| anonymizer.row(row));
    let row = renamed.as_ref().unwrap_or(row);
    let address = |address: &[u8]| match address {
        b"" => "MAILER-DAEMON".to_owned(),
        address => cut(&escape::json_text(address)),
    };
    let mut to: Vec<String> = row.recipients().take(RECIPIENTS).map(address).collect();
    let more = row.recipient_count().saturating_sub(RECIPIENTS);
    if more > 0 {
        to.push(format!("and {more} more"));
    }
    let delay = delay_of(row).and_then(|at| row.delay(at));
    let why = delay.map_or_else(
        || "no delay reason on record".to_owned(),
        |delay| cut(&escape::json_text(delay.reason)),
    );
    OldMessage {
        arrival: row.arrival(),
        cells: [
            escape::json_text(&row.queue_id).into_owned(),
            row.queue.map_or(String::new(), |queue| queue.to_string()),
            address(&row.sender),
            to.join(", "),
            judged.unwrap_or_default(),
            why,
        ],
        bytes: row.size,
    }
}

pub(super) fn messages(snapshot: &Snapshot, oldest: &[OldMessage]) -> String {
    use Column::{Long, Number, Text, Word};
    if oldest.is_empty() {
        return "<p>No messages.</p>\n".to_owned();
    }
    let columns = [
        Word("Queue ID"),
        Number("Age"),
        Word("Queue"),
        Number("Size"),
        Text("Sender"),
        Text("Recipients"),
        Word("Cause"),
        Long("Last delay reason"),
    ];
    let rows: Vec<Vec<Cell>> = oldest
        .iter()
        .map(|message| {
            let [id, queue, sender, to, cause, why] = &message.cells;
            let age = snapshot.now.saturating_sub(message.arrival).max(0);
            vec![
                Cell::html(format!("<code>{}</code>", text(id))),
                Cell::sorted(&Age(age).to_string(), age),
                Cell::text(queue),
                Cell::sorted(
                    &Unit::Bytes.show(message.bytes as f64),
                    message.bytes as i64,
                ),
                Cell::text(sender),
                Cell::text(to),
                Cell::text(cause),
                Cell::text(why),
            ]
        })
        .collect();
    html::table(&format!("The {} oldest", oldest.len()), &columns, &rows)
}
