//! What a watch tells: lines and JSON of events and states, passive results, and the status file that the
//! plugin answers from.

use serde_json::{Value, json};

use super::plugin;
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::postfix::queue::Queue;
use crate::rules::{State, Verdict};
use crate::snapshot::Snapshot;
use crate::snapshot::baseline::SCHEMA;
use crate::watch::Event;

/// What kind of document a status file is.
const KIND: &str = "watch";
/// Bytes of one passive result: what a pipe takes as a whole (pipe(7), PIPE_BUF).
pub const MAX_PASSIVE: usize = 4096;

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
    let plural = if event.recipients == 1 { "" } else { "s" };
    format!(
        "{name} {instance}/{id} {place}, {} recipient{plural}, {} bytes",
        event.recipients, event.size
    )
}

/// An event as a JSON object, which `at` is the second of the epoch of.
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
    })
}

/// A change of the state in one line, without its time.
pub fn state_line(before: State, snapshot: &Snapshot, verdict: &Verdict) -> String {
    let output = plugin::service_output(snapshot, verdict);
    match before == verdict.state {
        true => format!("state {}: {output}", verdict.state),
        false => format!("state {before} to {}: {output}", verdict.state),
    }
}

/// A change of the state as a JSON object.
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

/// The document of a status file.
pub fn status(snapshot: &Snapshot, verdict: &Verdict) -> Value {
    json!({
        "schema": SCHEMA,
        "kind": KIND,
        "now": snapshot.now,
        "complete": snapshot.is_whole(),
        "state": verdict.state.to_string(),
        "state_code": verdict.state.code(),
        "output": plugin::output(snapshot, verdict, 0, false),
        "long_output": plugin::output(snapshot, verdict, 1, false),
    })
}

/// What a status file says: the text that the plugin prints, and the state. `verbosity` above 0 takes the
/// long output.
///
/// # Errors
/// If the document is no status, or older than `max_age` seconds at `now`, or from the future.
pub fn answer(document: &[u8], now: i64, max_age: i64, verbosity: u8) -> Result<(String, State)> {
    let refused = |what: &str| {
        Error::new(ErrorKind::Syntax, format!("this is no status: {what}"))
            .with_remedy("name the file that queuewatch watch --status keeps")
    };
    let value: Value = serde_json::from_slice(document)
        .map_err(|cause| refused(&escape::printable(cause.to_string().as_bytes(), 128)))?;
    if value["schema"] != SCHEMA || value["kind"] != KIND {
        return Err(refused("its schema is another"));
    }
    let written = value["now"].as_i64().ok_or_else(|| refused("no time"))?;
    let age = now.saturating_sub(written);
    if age > max_age || age < -max_age {
        let text = match age > 0 {
            true => format!("the status is {age} s old, and may be {max_age} (--max-age)"),
            false => format!(
                "the status is from {} s in the future",
                age.saturating_neg()
            ),
        };
        let error = Error::new(ErrorKind::Timeout, text);
        return Err(error.with_remedy("look whether queuewatch watch runs"));
    }
    let state = match value["state_code"].as_i64() {
        Some(0) => State::Ok,
        Some(1) => State::Warning,
        Some(2) => State::Critical,
        Some(3) => State::Unknown,
        _ => return Err(refused("no state")),
    };
    let name = match verbosity {
        0 => "output",
        _ => "long_output",
    };
    let text = value[name].as_str().ok_or_else(|| refused("no output"))?;
    Ok((text.to_owned(), state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_fresh_or_none() {
        let document = |now: i64| {
            let value = json!({
                "schema": SCHEMA, "kind": KIND, "now": now, "state_code": 1,
                "output": "POSTFIX QUEUE WARNING: x | y=1\n", "long_output": "long\n",
            });
            value.to_string().into_bytes()
        };
        let (text, state) = answer(&document(100), 160, 60, 0).unwrap();
        assert_eq!(
            (text.as_str(), state),
            ("POSTFIX QUEUE WARNING: x | y=1\n", State::Warning)
        );
        assert_eq!(answer(&document(100), 160, 60, 2).unwrap().0, "long\n");
        for (bytes, now, told) in [
            (
                document(100),
                161,
                "the status is 61 s old, and may be 60 (--max-age); look whether queuewatch watch runs",
            ),
            (document(100), 39, "from 61 s in the future"),
            (
                b"{}".to_vec(),
                0,
                "this is no status: its schema is another",
            ),
            (b"nonsense".to_vec(), 0, "this is no status: expected"),
            (Vec::new(), 0, "this is no status: EOF"),
        ] {
            let error = answer(&bytes, now, 60, 0).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
