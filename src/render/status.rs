//! The state of every instance for people: queues, sizes, ages, important settings, and problems.

use std::fmt::Write as _;

use crate::cause::Cause;
use crate::clock::Age;
use crate::escape;
use crate::instance::{Master, QueueManager};
use crate::measure::Unit;
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::Verdict;
use crate::snapshot::reasons::Reasons;
use crate::snapshot::sample::CausesKnown;
use crate::snapshot::{InstanceSnapshot, RETRY_EDGES, Snapshot, Tally};

/// Shown for an unknown figure.
const UNKNOWN: &str = "?";

/// The text of `snapshot`, judged by `verdict`.
pub fn text(snapshot: &Snapshot, verdict: &Verdict) -> String {
    let mut text = String::new();
    // As the verdict says it: a cause that many destinations have is ours.
    let whose = snapshot.sampled_reasons(QueueSet::TOTAL);
    for taken in &snapshot.instances {
        instance(taken, &whose, snapshot.now, &mut text);
        if snapshot.instances.len() + snapshot.broken.len() > 1 {
            let _ = writeln!(text, "state: {}", verdict.state_of(snapshot, taken));
        }
        text.push('\n');
    }
    for error in &snapshot.broken {
        let _ = writeln!(
            text,
            "{}\n",
            escape::shown(error.to_string().as_bytes(), 999)
        );
    }
    let _ = writeln!(text, "{}", verdict.state);
    for finding in &verdict.findings {
        let _ = writeln!(
            text,
            "  {}: {}",
            finding.state,
            escape::shown(finding.text().as_bytes(), 400)
        );
    }
    for note in &verdict.notes {
        let _ = writeln!(text, "  {}", escape::shown(note.as_bytes(), 400));
    }
    text
}

fn instance(taken: &InstanceSnapshot, whose: &Reasons, now: i64, text: &mut String) {
    let instance = &taken.instance;
    let _ = write!(
        text,
        "instance {}",
        escape::printable(instance.name.as_bytes(), 64)
    );
    if !instance.settings.multi_instance_group.is_empty() {
        let group = instance.settings.multi_instance_group.as_bytes();
        let _ = write!(text, ", group {}", escape::printable(group, 64));
    }
    if let Some(directory) = &instance.config_directory {
        let _ = write!(text, ", {}", escape::path(directory));
    }
    let _ = write!(
        text,
        ", spool {}, ",
        escape::path(&instance.queue_directory)
    );
    let _ = writeln!(text, "{}", daemons(taken));
    let _ = writeln!(
        text,
        "{:<10} {:>10} {:>11} {:>11}  oldest",
        "queue", "messages", "recipients", "size"
    );
    for queue in taken.plan.queues().iter() {
        row(queue.name(), taken.tally(queue), now, text);
    }
    row("total", &total(taken), now, text);
    causes(taken, whose, text);
    settings(taken, text);
    for warning in &instance.warnings {
        let _ = writeln!(text, "{}", escape::shown(warning.as_bytes(), 400));
    }
    for gap in &taken.gaps {
        let _ = writeln!(text, "{gap}");
    }
    for misdated in &taken.misdated {
        let _ = writeln!(text, "misdated: {misdated}");
    }
    for damaged in &taken.damaged {
        let _ = writeln!(text, "damaged: {damaged}");
    }
    for misowned in &taken.misowned {
        let path = escape::path(&misowned.path);
        let _ = writeln!(text, "misowned: {path}: {}", misowned.fault);
    }
    for misplaced in &taken.misplaced {
        let _ = writeln!(text, "misplaced: {misplaced}");
    }
}

/// Whether master and the queue manager run, in words.
pub(super) fn daemons(taken: &InstanceSnapshot) -> String {
    let said = match &taken.master {
        Master::Running { pid: Some(pid) } => {
            return format!("master runs (process {pid}){}", qmgr(taken));
        }
        Master::Running { pid: None } => return format!("master runs{}", qmgr(taken)),
        Master::Stopped if taken.instance.may_be_a_copy() => {
            "no master runs on this spool, which may be a copy"
        }
        Master::Stopped if !taken.instance.expected => {
            "master is stopped, as multi_instance_enable = no says"
        }
        Master::Stopped => "master is stopped",
        Master::Unknown(_) => "master unknown",
    };
    said.to_owned()
}

/// The queue manager of a master that runs.
fn qmgr(taken: &InstanceSnapshot) -> &'static str {
    match &taken.qmgr {
        QueueManager::Running(_) if taken.qmgr_starts.restless().is_some() => {
            ", qmgr starts again and again"
        }
        QueueManager::Running(_) => ", qmgr runs",
        QueueManager::Gone(_) => ", qmgr does not run",
        QueueManager::Missing(_) | QueueManager::Unknown(_) => ", qmgr unknown",
    }
}

/// The sums of the queues of `total`.
pub(super) fn total(taken: &InstanceSnapshot) -> Tally {
    let queues = taken.plan.queues().and(QueueSet::TOTAL);
    let mut total = Tally::default();
    for queue in queues.iter() {
        total += taken.tally(queue);
    }
    total
}

/// The age of the oldest message of `tally`; `UNKNOWN` if there are messages and none has an age.
pub(crate) fn oldest(tally: &Tally, now: i64) -> String {
    match tally.oldest {
        Some(at) => Age(now.saturating_sub(at).max(0)).to_string(),
        None if tally.messages > 0 => UNKNOWN.to_owned(),
        None => "-".to_owned(),
    }
}

/// What is unusual about the files of `tally`, one phrase for each.
pub fn remarks(tally: &Tally) -> Vec<String> {
    [
        (tally.overdue, "overdue"),
        (tally.damaged, "damaged"),
        (tally.altered, "with altered modes"),
        (tally.misowned, "with an owner or mode that stops Postfix"),
        (tally.misplaced, "in a wrong hash directory"),
        (tally.not_ready, "not ready"),
        (tally.strays, "where Postfix does not look"),
        (tally.unreadable, "unreadable"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect()
}

/// Messages, recipients, size and the oldest age of a queue; a lower bound ends in `+`.
pub fn cells(tally: &Tally, now: i64) -> [String; 4] {
    let bound = |text: String, exact: bool| if exact { text } else { text + "+" };
    let whole = tally.is_whole();
    [
        bound(tally.messages.to_string(), whole),
        bound(tally.recipients.to_string(), whole && tally.torn == 0),
        bound(Unit::Bytes.show(tally.bytes as f64), whole),
        bound(oldest(tally, now), whole && tally.ageless == 0),
    ]
}

/// One queue.
fn row(name: &str, tally: &Tally, now: i64, text: &mut String) {
    let [messages, recipients, size, oldest] = cells(tally, now);
    let line = format!(
        "{name:<10} {messages:>10} {recipients:>11} {size:>11}  {oldest:<8}  {}",
        remarks(tally).join(", "),
    );
    let _ = writeln!(text, "{}", line.trim_end());
}

/// Recipients by cause, and who acts.
fn causes(taken: &InstanceSnapshot, whose: &Reasons, text: &mut String) {
    let mut parts = Vec::new();
    let known: Vec<(Queue, CausesKnown)> = Queue::ALL
        .into_iter()
        .filter_map(|queue| Some((queue, CausesKnown::of(taken, queue)?)))
        .collect();
    for cause in Cause::ALL {
        let counts = known.iter().map(|(queue, _)| taken.causes(*queue));
        let count: u64 = counts.map(|counts| counts.of(cause)).sum();
        if count > 0 {
            let acts = whose.acts(cause).name();
            parts.push(format!("{} {count} ({acts})", cause.name()));
        }
    }
    if parts.is_empty() {
        return;
    }
    let _ = write!(text, "causes: {}", parts.join(", "));
    for (_, known) in known {
        if let CausesKnown::Sample(sample) = known {
            let _ = write!(
                text,
                "; at least, from the {} of {} deferred messages tried last",
                sample.messages, sample.of
            );
        }
    }
    text.push('\n');
}

fn settings(taken: &InstanceSnapshot, text: &mut String) {
    let settings = &taken.instance.settings;
    let deferred = taken.tally(Queue::Deferred);
    if deferred.messages > 0 {
        let mut parts = Vec::new();
        let mut from = 0;
        for (place, count) in deferred.retries.iter().enumerate() {
            let part = match RETRY_EDGES.get(place) {
                Some(0) => format!("{count} due"),
                Some(to) if from == 0 => format!("{count} within {}", Age(*to)),
                Some(to) => format!("{count} in {} to {}", Age(from), Age(*to)),
                None => format!("{count} later"),
            };
            from = RETRY_EDGES.get(place).copied().unwrap_or_default();
            if *count > 0 {
                parts.push(part);
            }
        }
        let _ = writeln!(text, "next retries: {}", parts.join(", "));
    }
    if let Some(disk) = taken.disk {
        let _ = write!(
            text,
            "disk: {} of {} free",
            Unit::Bytes.show(disk.free_bytes as f64),
            Unit::Bytes.show(disk.size_bytes as f64)
        );
        if let Some(inodes) = disk.free_inodes {
            let _ = write!(text, ", {inodes} inodes free");
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "settings: qmgr_message_active_limit {}{}, maximal_queue_lifetime {}, \
         bounce_queue_lifetime {}, queue_run_delay {}, backoff {} to {}, message_size_limit {}",
        settings.qmgr_message_active_limit,
        share(taken),
        Age(settings.maximal_queue_lifetime),
        Age(settings.bounce_queue_lifetime),
        Age(settings.queue_run_delay),
        Age(settings.minimal_backoff_time),
        Age(settings.maximal_backoff_time),
        Unit::Bytes.show(settings.message_size_limit as f64),
    );
}

/// How full active is, in brackets; nothing if it could not be counted.
fn share(taken: &InstanceSnapshot) -> String {
    let active = taken.tally(Queue::Active);
    let limit = taken.instance.settings.qmgr_message_active_limit.max(1);
    let share = active.messages as f64 * 100.0 / limit as f64;
    match (active.is_whole(), active.messages) {
        _ if !taken.plan.queues().contains(Queue::Active) => String::new(),
        (true, _) => format!(" ({share:.1}% full)"),
        (false, 0) => String::new(),
        (false, _) => format!(" (at least {share:.1}% full)"),
    }
}
