//! OpenMetrics text of a snapshot, for the textfile directory of node_exporter.
//!
//! Families begin with `postfix_spool_`, which collides with no other exporter (contract.md,
//! "OpenMetrics"). A figure that is not known whole is left out, and `postfix_spool_complete` is
//! then 0.

use std::fmt::Write as _;

use crate::instance::Master;
use crate::postfix::queue::Queue;
use crate::scan::Depth;
use crate::snapshot::{InstanceSnapshot, Snapshot, Tally};

type OfQueue = fn(&Tally, i64) -> Option<u64>;

/// Families with one sample a queue: name, unit, help, depth that it needs, figure.
#[rustfmt::skip]
const OF_QUEUES: [(&str, &str, &str, Depth, OfQueue); 4] = [
    ("postfix_spool_messages", "", "Messages in the queue.", Depth::Names,
        |tally, _| Some(tally.messages)),
    ("postfix_spool_recipients", "", "Recipients still to be delivered.", Depth::Envelopes,
        |tally, _| (tally.torn == 0).then_some(tally.recipients)),
    ("postfix_spool_size_bytes", "bytes", "Sum of the message sizes that mailq prints.", Depth::Envelopes,
        |tally, _| Some(tally.bytes)),
    ("postfix_spool_oldest_message_age_seconds", "seconds", "Age of the oldest message since it arrived.", Depth::Envelopes,
        |tally, now| (tally.ageless == 0)
            .then(|| tally.oldest.map_or(0, |at| now.saturating_sub(at).max(0) as u64))),
];

type OfInstance = fn(&InstanceSnapshot) -> Option<u64>;

/// Over all queues, if all were read that deep.
fn sum(taken: &InstanceSnapshot, depth: Depth, of: fn(&Tally) -> u64) -> Option<u64> {
    let queues = taken.plan.queues();
    let deep = queues
        .iter()
        .all(|queue| taken.plan.depth(queue) >= Some(depth));
    (taken.is_counted() && deep).then(|| {
        Queue::ALL
            .into_iter()
            .map(|queue| of(taken.tally(queue)))
            .sum()
    })
}

/// Families with one sample an instance: name, unit, help, figure.
#[rustfmt::skip]
const OF_INSTANCES: [(&str, &str, &str, OfInstance); 8] = [
    ("postfix_spool_complete", "", "1 if all of the spool could be read.",
        |taken| Some(u64::from(taken.is_counted()))),
    ("postfix_spool_unreadable", "", "Directories and files that could not be read.",
        |taken| Some(taken.unreadable())),
    ("postfix_spool_damaged", "", "Ready files that are no valid queue files.",
        |taken| sum(taken, Depth::Envelopes, |tally| tally.damaged)),
    ("postfix_spool_altered", "", "Queue files whose group or other mode bits are set.",
        |taken| sum(taken, Depth::Inodes, |tally| tally.altered)),
    ("postfix_spool_overdue", "", "Deferred messages whose next retry is past by more than a queue run.",
        |taken| sum(taken, Depth::Inodes, |tally| tally.overdue)),
    ("postfix_spool_disk_free_bytes", "bytes", "Free bytes of the file system of the spool.",
        |taken| Some(taken.disk?.free_bytes)),
    ("postfix_spool_disk_free_inodes", "", "Free inodes of the file system of the spool.",
        |taken| taken.disk?.free_inodes),
    ("postfix_spool_master_running", "", "1 if the master daemon runs.",
        |taken| match taken.master {
            Master::Running { .. } => Some(1),
            Master::Stopped => Some(0),
            Master::Unknown(_) => None,
        }),
];

/// The exposition of `snapshot`, ending in `# EOF`.
pub fn exposition(snapshot: &Snapshot) -> String {
    let mut text = String::new();
    for (name, unit, help, depth, of) in OF_QUEUES {
        head(&mut text, name, unit, help);
        for taken in &snapshot.instances {
            for queue in taken.plan.queues().iter() {
                let tally = taken.tally(queue);
                let known = tally.is_whole() && taken.plan.depth(queue) >= Some(depth);
                if let (true, Some(value)) = (known, of(tally, snapshot.now)) {
                    let instance = label_value(&taken.instance.name);
                    let _ = writeln!(
                        text,
                        "{name}{{postfix_instance=\"{instance}\",queue=\"{queue}\"}} {value}"
                    );
                }
            }
        }
    }
    for (name, unit, help, of) in OF_INSTANCES {
        head(&mut text, name, unit, help);
        for taken in &snapshot.instances {
            if let Some(value) = of(taken) {
                let instance = label_value(&taken.instance.name);
                let _ = writeln!(text, "{name}{{postfix_instance=\"{instance}\"}} {value}");
            }
        }
    }
    let name = "postfix_spool_scan_time_seconds";
    let help = "When this was, in seconds of the epoch: alert when it is old.";
    head(&mut text, name, "seconds", help);
    let _ = writeln!(text, "{name} {}", snapshot.now);
    broken(&mut text, snapshot.broken.len());
    text
}

/// The exposition of a scan that failed before it could tell anything.
pub fn failure() -> String {
    let mut text = String::new();
    broken(&mut text, 1);
    text
}

fn broken(text: &mut String, instances: usize) {
    let name = "postfix_spool_broken_instances";
    let help = "Instances that could not be scanned at all.";
    head(text, name, "", help);
    let _ = writeln!(text, "{name} {instances}");
    text.push_str("# EOF\n");
}

fn head(text: &mut String, name: &str, unit: &str, help: &str) {
    let _ = writeln!(text, "# TYPE {name} gauge");
    if !unit.is_empty() {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    let _ = writeln!(text, "# HELP {name} {help}");
}

fn label_value(text: &str) -> String {
    crate::escape::printable(text.as_bytes(), 64)
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}
