//! The oldest messages: from whom, for whom, why each waits, and what comes next.

use super::html::{self, Cell, Column, text};
use super::{cut, has_several};
use crate::anonymize::Anonymizer;
use crate::cause::Cause;
use crate::clock::Age;
use crate::escape;
use crate::instance::Instance;
use crate::listing::pick::expires;
use crate::measure::Unit;
use crate::postfix::origin::{Kind, Origin};
use crate::postfix::queue::{Queue, QueueSet};
use crate::scan::MessageRow;
use crate::snapshot::Snapshot;

/// Recipients of a message that are named.
const RECIPIENTS: usize = 5;

/// One of the oldest messages; see [`oldest_message`].
#[derive(Clone, Debug)]
pub struct OldMessage {
    arrival: i64,
    instance: String,
    queue: Option<Queue>,
    /// Queue ID, sender, recipients, origin, reason.
    cells: [String; 5],
    cause: Option<Cause>,
    /// When it is tried again, if it is deferred, and when it is given up, in seconds of the epoch.
    retry: Option<i64>,
    expires: Option<i64>,
    bytes: u64,
}

/// What the report says about `row`, a message of `instance` that was read with its delay reasons and its origin; its
/// names are tokens of `anonymizer`, if there is one.
pub fn oldest_message(
    instance: &Instance,
    row: &MessageRow,
    anonymizer: Option<&Anonymizer>,
) -> OldMessage {
    let delay_of =
        |row: &MessageRow| (0..row.recipient_count()).find(|at| row.delay(*at).is_some());
    // Tokens would hide from the judgement which server speaks.
    let judged = delay_of(row)
        .and_then(|at| row.delay(at))
        .map(|delay| instance.classifier.judge(delay.status, delay.reason).cause);
    let inode = row.inode.filter(|_| row.queue == Some(Queue::Deferred));
    let retry = inode.map(|inode| inode.mtime);
    let expires = expires(row, &instance.settings);
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
        instance: instance.name.clone(),
        queue: row.queue,
        cells: [
            escape::json_text(&row.queue_id).into_owned(),
            address(&row.sender),
            to.join(", "),
            origin(&row.origin),
            why,
        ],
        cause: judged,
        retry,
        expires,
        bytes: row.size,
    }
}

/// Where a message comes from: the login, else the client, else the local user.
fn origin(origin: &Origin) -> String {
    let kind = origin.kind();
    let mut name = Vec::new();
    origin.name(kind, &mut name);
    match kind {
        Kind::Unknown => "-".to_owned(),
        kind => format!("{} {}", kind.name(), cut(&escape::json_text(&name))),
    }
}

pub(super) fn messages(snapshot: &Snapshot, oldest: &[OldMessage]) -> String {
    use Column::{Long, Number, Text, Word};
    if oldest.is_empty() {
        return "<p>No messages.</p>\n".to_owned();
    }
    let several = has_several(snapshot);
    let mut columns = vec![Word("Queue ID")];
    if several {
        columns.push(Text("Instance"));
    }
    columns.extend([
        Number("Age"),
        Word("Queue"),
        Number("Size"),
        Text("From"),
        Text("Sender"),
        Text("Recipients"),
        Word("Cause"),
        Long("Last delay reason"),
        Number("Next try"),
        Number("Expires"),
    ]);
    let now = snapshot.now;
    let whose = snapshot.sampled_reasons(QueueSet::TOTAL);
    let rows: Vec<Vec<Cell>> = oldest
        .iter()
        .map(|message| {
            let [id, sender, to, origin, why] = &message.cells;
            let age = now.saturating_sub(message.arrival).max(0);
            let mut row = vec![Cell::html(format!("<code>{}</code>", text(id)))];
            if several {
                row.push(Cell::text(&cut(&message.instance)));
            }
            let cause = message.cause;
            let cause =
                cause.map(|cause| format!("{}, {}", cause.name(), whose.acts(cause).name()));
            row.extend([
                Cell::sorted(&Age(age).to_string(), age),
                Cell::text(message.queue.map_or("", Queue::name)),
                Cell::sorted(
                    &Unit::Bytes.show(message.bytes as f64),
                    message.bytes as i64,
                ),
                Cell::text(origin),
                Cell::text(sender),
                Cell::text(to),
                Cell::text(&cause.unwrap_or_default()),
                Cell::text(why),
                next_try(message, now),
                expiry(message.expires, now),
            ]);
            row
        })
        .collect();
    html::table(&format!("The {} oldest", oldest.len()), &columns, &rows)
}

/// When Postfix looks at the message again.
fn next_try(message: &OldMessage, now: i64) -> Cell {
    match (message.queue, message.retry) {
        (_, Some(at)) if at > now => {
            Cell::sorted(&format!("in {}", Age(at.saturating_sub(now))), at)
        }
        (_, Some(at)) => Cell::sorted("due", at),
        (Some(Queue::Active), _) => Cell::sorted("now", i64::MIN),
        (Some(Queue::Incoming | Queue::Maildrop), _) => Cell::sorted("queued", i64::MIN + 1),
        (Some(Queue::Hold), _) => Cell::sorted("held", i64::MAX),
        _ => Cell::sorted("-", i64::MAX),
    }
}

/// When Postfix gives the message up.
fn expiry(expires: Option<i64>, now: i64) -> Cell {
    match expires {
        Some(at) if at > now => Cell::sorted(&format!("in {}", Age(at.saturating_sub(now))), at),
        // At its next try.
        Some(at) => Cell::sorted("next try", at),
        None => Cell::sorted("-", i64::MAX),
    }
}
