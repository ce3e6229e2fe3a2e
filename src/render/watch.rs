//! Output of a watch: lines and JSON of events and states, and passive results.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{plugin, status_figures};
use crate::cause::Cause;
use crate::escape;
use crate::escape::domain::printable_address;
use crate::files::status::Status;
use crate::postfix::queue::Queue;
use crate::rules::{State, Verdict};
use crate::snapshot::Snapshot;
use crate::snapshot::baseline::SCHEMA;
use crate::watch::{About, Event};

/// Maximum bytes of one passive result: a pipe accepts this much atomically (pipe(7), PIPE_BUF).
pub(crate) const MAX_PASSIVE: usize = 4096;

/// An event in one line, without its time.
pub fn event_line(event: &Event) -> String {
    let name = event.kind.name();
    if event.queue_id.is_empty() && !event.reason.is_empty() {
        return format!("{name}: {}", event.reason);
    }
    let queue = event.queue.map_or("", |queue| queue.name());
    let place = match event.from {
        Some(from) => format!("{from} to {queue}"),
        None => queue.to_owned(),
    };
    let id = escape::printable(&event.queue_id, 64);
    let instance = escape::printable(event.instance.as_bytes(), 64);
    let about = event.about.as_ref().map_or(String::new(), about_text);
    format!(
        "{name} {instance}/{id} {place}, {}, {}{about}",
        escape::counted(event.recipients, "recipient"),
        escape::counted(event.size, "byte")
    )
}

/// What a line says of its message, behind the figures.
fn about_text(about: &About) -> String {
    let address = |address: &[u8]| printable_address(address, escape::MAX_SHOWN);
    let mut text = match about.sender.as_slice() {
        b"" => ", from the null sender".to_owned(),
        sender => format!(", from {}", address(sender)),
    };
    if let Some(recipient) = &about.recipient {
        text.push_str(" to ");
        text.push_str(&address(recipient));
    }
    if !about.origin.is_empty() {
        let origin = escape::printable(&about.origin, escape::MAX_SHOWN);
        // Writing into a String cannot fail.
        let _ = write!(text, ", {} {origin}", about.origin_by);
    }
    if let Some(cause) = about.cause {
        text.push_str(", ");
        text.push_str(cause.name());
    }
    text
}

/// An event as a JSON object; `at` is its time in seconds since the epoch.
pub fn event(event: &Event, at: i64) -> Value {
    let queue = |queue: Option<Queue>| queue.map(Queue::name);
    json!({
        "schema": SCHEMA,
        "kind": "event",
        "now": at,
        "event": event.kind.name(),
        "instance": (!event.instance.is_empty()).then_some(&event.instance),
        "queue": queue(event.queue),
        "from": queue(event.from),
        "queue_id": (!event.queue_id.is_empty()).then(|| escape::json_text(&event.queue_id)),
        "recipients": event.recipients,
        "size": event.size,
        "arrival": event.arrival,
        "reason": (!event.reason.is_empty()).then_some(&event.reason),
        "sender": event.about.as_ref().map(|about| escape::json_text(&about.sender)),
        "recipient": event.about.as_ref().and_then(|about| about.recipient.as_deref().map(escape::json_text)),
        "origin": event.about.as_ref().map(|about| {
            json!({ "by": about.origin_by, "name": escape::json_text(&about.origin) })
        }),
        "cause": event.about.as_ref().and_then(|about| about.cause).map(Cause::name),
    })
}

/// A state change in one line, without its time.
pub fn state_line(before: State, snapshot: &Snapshot, verdict: &Verdict) -> String {
    let output = plugin::service_output(snapshot, verdict);
    match before == verdict.state {
        true => format!("state {}: {output}", verdict.state),
        false => format!("state {before} to {}: {output}", verdict.state),
    }
}

/// A state change as a JSON object.
pub fn state(before: State, snapshot: &Snapshot, verdict: &Verdict) -> Value {
    json!({
        "schema": SCHEMA,
        "kind": "event",
        "now": snapshot.now,
        "event": "state",
        "state": verdict.state.to_string(),
        "state_code": verdict.state.code(),
        "before": before.to_string(),
        "output": plugin::service_output(snapshot, verdict),
    })
}

/// A passive result for the external command file of Nagios, Icinga and Naemon, newline included.
pub fn passive_result(host: &str, service: &str, snapshot: &Snapshot, verdict: &Verdict) -> String {
    let plain = |text: &str| escape::printable(text.as_bytes(), 255).replace(';', "?");
    let head = format!(
        "[{}] PROCESS_SERVICE_CHECK_RESULT;{};{};{};",
        snapshot.now,
        plain(host),
        plain(service),
        verdict.state.code()
    );
    let output = plugin::output(snapshot, verdict, 0, false);
    let mut line = head + output.trim_end().replace('\n', "\\n").as_str();
    line.truncate(MAX_PASSIVE - 1);
    line.push('\n');
    line
}

/// The status file of `queuewatch watch` for `snapshot`.
pub fn status(snapshot: &Snapshot, verdict: &Verdict) -> Status {
    Status {
        now: snapshot.now,
        complete: snapshot.is_whole(),
        state: verdict.state,
        output: plugin::output(snapshot, verdict, 0, false),
        long_output: plugin::output(snapshot, verdict, 1, false),
        figures: status_figures::figures(snapshot, verdict),
    }
}
