//! `--summary`: what happened to messages in one second, in one line.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use queuewatch::postfix::queue::Queue;
use queuewatch::render::json::SCHEMA;
use queuewatch::watch::{Event, EventKind};
use serde_json::{Value, json};

/// Counts of the events since the last line.
#[derive(Default)]
pub(crate) struct Summary {
    arrived: u64,
    left: u64,
    changed: u64,
    /// By the queues from and to.
    moved: BTreeMap<(&'static str, &'static str), u64>,
}

impl Summary {
    /// Takes in an event; false if it is about the watch itself.
    pub(crate) fn add(&mut self, event: &Event) -> bool {
        match event.kind {
            EventKind::Arrived => self.arrived += 1,
            EventKind::Left => self.left += 1,
            EventKind::Changed => self.changed += 1,
            EventKind::Moved => {
                let name = |queue: Option<Queue>| queue.map_or("", Queue::name);
                let way = (name(event.from), name(event.queue));
                *self.moved.entry(way).or_default() += 1;
            }
            _ => return false,
        }
        true
    }

    /// Whether there is nothing to tell.
    pub(crate) fn is_empty(&self) -> bool {
        self.arrived + self.left + self.changed == 0 && self.moved.is_empty()
    }

    /// The line, without its time.
    pub(crate) fn line(&self) -> String {
        let mut parts = Vec::new();
        for (count, what) in [
            (self.arrived, "arrived"),
            (self.changed, "changed"),
            (self.left, "left"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {what}"));
            }
        }
        for ((from, to), count) in &self.moved {
            let mut part = String::new();
            let _ = write!(part, "{count} moved {from} to {to}");
            parts.push(part);
        }
        format!("summary: {}", parts.join(", "))
    }

    /// The document; `at` is its time in seconds of the epoch.
    pub(crate) fn document(&self, at: i64) -> Value {
        let moved = self
            .moved
            .iter()
            .map(|((from, to), count)| json!({ "from": from, "to": to, "messages": count }));
        json!({
            "schema": SCHEMA,
            "kind": "event",
            "now": at,
            "event": "summary",
            "arrived": self.arrived,
            "changed": self.changed,
            "left": self.left,
            "moved": moved.collect::<Vec<Value>>(),
        })
    }
}
