//! The JSON document of a snapshot, with or without a verdict: schema `queuewatch/1`.
//!
//! A figure that was not read is null. A queue that was read only in part has `"complete": false`, and
//! its figures are lower bounds. Names and paths are reversible text (`escape::json_text`).

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::moment::moment;
use crate::cause::Cause;
use crate::error::{Error, errno_name};
use crate::escape::json_text;
use crate::instance::{Master, QueueManager, Settings};
use crate::measure::{Figure, Kind, Measure, Quality, Subject};
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::{Finding, State, Verdict};
use crate::scan::{Depth, Gap, GapKind};
use crate::snapshot::name_counts::{Count, Names};
use crate::snapshot::origins;
use crate::snapshot::reasons::Reasons;
use crate::snapshot::sample::CausesKnown;
use crate::snapshot::spread::Spread;
use crate::snapshot::{
    CauseCounts, Earlier, InstanceSnapshot, QueueTables, RETRY_EDGES, Reason, Snapshot, Tally,
    Traffic,
};

/// The name and version of the schema, the first member of every document.
pub use crate::snapshot::baseline::SCHEMA;
/// The maximum length of the lists of top domains, senders and reasons.
const MOST: usize = 20;

/// The document of `snapshot`, with its `verdict` if there is one and the requested `measures`.
pub fn document(snapshot: &Snapshot, verdict: Option<&Verdict>, measures: &[Measure]) -> Value {
    let mut document = Map::new();
    document.insert("schema".into(), SCHEMA.into());
    document.insert("now".into(), snapshot.now.into());
    document.insert("complete".into(), snapshot.is_whole().into());
    if let Some(verdict) = verdict {
        document.insert("state".into(), verdict.state.to_string().into());
        document.insert("state_code".into(), verdict.state.code().into());
        let findings = verdict.findings.iter().map(finding).collect();
        document.insert("findings".into(), Value::Array(findings));
        document.insert("notes".into(), verdict.notes.clone().into());
    }
    if !measures.is_empty() {
        let figures = measures
            .iter()
            .map(|measure| figure(measure, &measure.evaluate(snapshot)))
            .collect();
        document.insert("measures".into(), Value::Array(figures));
    }
    if let Some(earlier) = snapshot.previous.earlier() {
        document.insert("growth".into(), growth(snapshot, earlier));
    }
    let instances = snapshot
        .instances
        .iter()
        .map(|taken| {
            let mut value = instance(taken, snapshot);
            if let Some(verdict) = verdict {
                value["state"] = verdict.state_of(snapshot, taken).to_string().into();
            }
            value
        })
        .collect();
    document.insert("instances".into(), Value::Array(instances));
    let broken = snapshot.broken.iter().map(broken).collect();
    document.insert("broken".into(), Value::Array(broken));
    Value::Object(document)
}

/// Changes since the previous check, over all instances; null if unknown.
fn growth(snapshot: &Snapshot, earlier: &Earlier) -> Value {
    let of = |subject: Subject| {
        let figure = Measure::new(subject, Kind::Growth).evaluate(snapshot);
        let instances: Vec<&InstanceSnapshot> = snapshot.instances.iter().collect();
        let queues = snapshot
            .excluded
            .iter()
            .fold(subject.queues(), QueueSet::without);
        let change = snapshot.change(&instances, queues).ok();
        figure.known().zip(change).map(|(per_minute, change)| {
            json!({
                "before": change.before,
                "now": change.now,
                "per_minute": number(per_minute),
                "empty_in": change.seconds_to(0.0).filter(|_| change.now > 0).map(f64::round).map(number),
            })
        })
    };
    let mut growth = Map::new();
    growth.insert("since".into(), earlier.now.into());
    for queue in Queue::ALL {
        growth.insert(queue.name().into(), of(Subject::Queue(queue)).into());
    }
    growth.insert("total".into(), of(Subject::Total).into());
    let instances: Vec<&InstanceSnapshot> = snapshot.instances.iter().collect();
    let why = snapshot.change(&instances, QueueSet::NONE).err();
    growth.insert("why_unknown".into(), why.into());
    let traffic = snapshot.traffic();
    let came = |count: fn(Traffic) -> u64| Value::from(traffic.map(count));
    growth.insert("arrived_at_least".into(), came(|traffic| traffic.arrived));
    growth.insert("left_at_least".into(), came(|traffic| traffic.left));
    Value::Object(growth)
}

/// The document of a scan that failed before it read a spool.
pub fn failure(error: &Error) -> Value {
    json!({
        "schema": SCHEMA,
        "complete": false,
        "state": State::Unknown.to_string(),
        "state_code": State::Unknown.code(),
        "findings": [],
        "notes": [],
        "instances": [],
        "broken": [broken(error)],
    })
}

fn broken(error: &Error) -> Value {
    json!({
        "message": error.to_string(),
        "path": error.path().map(path),
        "errno": error.errno().map(errno_name),
        "remedy": error.remedy(),
    })
}

fn path(path: &Path) -> String {
    json_text(path.as_os_str().as_bytes()).into_owned()
}

/// Prints a whole number without a fraction.
pub(super) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 {
        (value as i64).into()
    } else {
        value.into()
    }
}

fn figure(measure: &Measure, figure: &Figure) -> Value {
    json!({
        "measure": measure.to_string(),
        "value": (figure.quality != Quality::Unknown).then(|| number(figure.value)),
        "quality": match figure.quality {
            Quality::Exact => "exact",
            Quality::AtLeast => "at least",
            Quality::Unknown => "unknown",
        },
        "unit": measure.unit().uom(),
        "detail": figure.detail,
    })
}

fn finding(finding: &Finding) -> Value {
    let mut parts = finding.parts().map(|(part, of)| {
        let mut value = figure(&part.measure, of);
        value["range"] = part.range.spelling().into();
        value
    });
    let mut value = parts.next().unwrap_or_default();
    value["state"] = finding.state.to_string().into();
    value["level"] = finding.rule.level.name().into();
    value["text"] = finding.text().into();
    let joined: Vec<Value> = parts.collect();
    if !joined.is_empty() {
        value["and"] = joined.into();
    }
    value
}

fn instance(taken: &InstanceSnapshot, snapshot: &Snapshot) -> Value {
    let queues: Map<String, Value> = taken
        .plan
        .queues()
        .iter()
        .map(|queue| {
            (
                queue.name().to_owned(),
                queue_sums(taken, queue, snapshot.now),
            )
        })
        .collect();
    json!({
        "name": json_text(taken.instance.name.as_bytes()),
        "config_directory": taken.instance.config_directory.as_deref().map(path),
        "queue_directory": path(&taken.instance.queue_directory),
        "group": json_text(taken.instance.settings.multi_instance_group.as_bytes()),
        "settings": settings(&taken.instance.settings),
        "expected": taken.instance.expected,
        "warnings": taken.instance.warnings,
        "never_started": taken.never_started,
        "misowned": taken.misowned.iter().map(|one| json!({
            "queue": one.queue.map(Queue::name),
            "path": path(&one.path),
            "fault": one.fault.to_string(),
        })).collect::<Vec<_>>(),
        "misplaced": taken.misplaced.iter().map(|one| json!({
            "queue": one.queue.name(),
            "path": path(&one.path),
        })).collect::<Vec<_>>(),
        "complete": taken.is_whole(),
        "queues": queues,
        "unreadable": taken.unreadable(),
        "gaps": taken.gaps.iter().map(gap).collect::<Vec<_>>(),
        "damaged": taken.damaged.iter().map(|damaged| json!({
            "queue": damaged.queue.name(),
            "path": path(&damaged.path),
            "damage": damaged.damage.kind.to_string(),
            "offset": damaged.damage.offset,
        })).collect::<Vec<_>>(),
        "disk": taken.disk.map(|disk| json!({
            "free_bytes": disk.free_bytes,
            "size_bytes": disk.size_bytes,
            "free_inodes": disk.free_inodes,
        })),
        "master": match &taken.master {
            Master::Running { pid } => json!({"running": true, "pid": pid}),
            Master::Stopped => json!({"running": false}),
            Master::Unknown(why) => json!({"running": null, "why": why}),
        },
        "qmgr": qmgr(taken),
    })
}

/// Whether the queue manager lives. `pid` is there if there is a process.
fn qmgr(taken: &InstanceSnapshot) -> Value {
    match &taken.qmgr {
        QueueManager::Running(process) => match taken.qmgr_starts.restless() {
            Some(why) => json!({"running": false, "pid": process.pid, "why": why}),
            None => json!({"running": true, "pid": process.pid}),
        },
        QueueManager::Gone(why) => json!({"running": false, "why": why}),
        QueueManager::Missing(_) => json!({"running": null, "why": "one look did not find it"}),
        QueueManager::Unknown(why) => json!({"running": null, "why": why}),
    }
}

/// The settings that influence figures; times in seconds, sizes in bytes.
fn settings(settings: &Settings) -> Value {
    json!({
        "queue_run_delay": settings.queue_run_delay,
        "minimal_backoff_time": settings.minimal_backoff_time,
        "maximal_backoff_time": settings.maximal_backoff_time,
        "maximal_queue_lifetime": settings.maximal_queue_lifetime,
        "bounce_queue_lifetime": settings.bounce_queue_lifetime,
        "qmgr_message_active_limit": settings.qmgr_message_active_limit,
        "message_size_limit": settings.message_size_limit,
        "queue_minfree": settings.queue_minfree,
        "enable_long_queue_ids": settings.enable_long_queue_ids,
        "multi_instance_enable": settings.multi_instance_enable,
    })
}

fn queue_sums(taken: &InstanceSnapshot, queue: Queue, now: i64) -> Value {
    let tally = taken.tally(queue);
    let depth = taken.plan.depth(queue).unwrap_or(Depth::Names);
    let inode = |value: u64| (depth >= Depth::Inodes).then_some(value);
    let envelope = |value: u64| (depth >= Depth::Envelopes).then_some(value);
    // Without an arrival time the age is unknown; 0 would be wrong.
    let oldest = match tally.oldest {
        None if tally.messages > 0 => None,
        at => Some(at.map_or(0, |at| now.saturating_sub(at).max(0))),
    };
    let mut sums = json!({
        "complete": tally.is_whole(),
        "messages": tally.messages,
        "recipients": envelope(tally.recipients),
        "bytes": envelope(tally.bytes),
        "oldest": oldest.filter(|_| depth >= Depth::Envelopes),
        "oldest_arrival": tally.oldest,
        "damaged": envelope(tally.damaged),
        "altered": inode(tally.altered),
        "unreadable": tally.unreadable,
        "not_ready": inode(tally.not_ready),
        "ageless": envelope(tally.ageless),
        "torn": envelope(tally.torn),
        "vanished": tally.vanished,
        "strays": tally.strays,
        "misplaced": inode(tally.misplaced),
        "misowned": inode(tally.misowned),
    });
    if queue == Queue::Deferred {
        sums["overdue"] = inode(tally.overdue).into();
        if depth >= Depth::Inodes {
            sums["retries"] = retries(tally);
        }
    }
    if depth >= Depth::Reasons {
        sums["unread_logs"] = tally.unread_logs.into();
        sums["reasons_complete"] = tally.is_explained().into();
    }
    let tables = &taken.tables[queue];
    // A file that was not read may have other names than those of a table.
    let all_names = |of_table: bool| Value::from(of_table && tally.is_whole());
    if taken.wanted.domains && depth >= Depth::Envelopes {
        sums["domains"] = tables.domains.len().into();
        sums["domains_complete"] = all_names(tables.domains.is_complete());
        sums["top_domains"] = most(&tables.domains, "domain", "recipients");
    }
    if taken.wanted.codes && depth >= Depth::Reasons {
        sums["codes"] = most(&tables.codes, "code", "recipients");
    }
    if taken.wanted.reasons && depth >= Depth::Reasons {
        sums["reasons"] = top_reasons(tables);
        sums["without_reason"] = tables.unexplained.into();
    }
    if let Some(known) = CausesKnown::of(taken, queue) {
        sums["causes"] = causes(taken.causes(queue));
        sums["causes_sample"] = match known {
            CausesKnown::All => Value::Null,
            CausesKnown::Sample(sample) => json!({"messages": sample.messages, "of": sample.of}),
        };
    }
    if taken.wanted.senders && depth >= Depth::Envelopes {
        sums["senders"] = tables.senders.len().into();
        sums["senders_complete"] = all_names(tables.senders.is_complete());
        sums["top_senders"] = most(&tables.senders, "sender", "messages");
    }
    if taken.wanted.origins && depth >= Depth::Envelopes {
        let one = || std::iter::once(tables);
        sums["origins_complete"] = all_names(tables.origins.is_complete());
        sums["top_logins"] = most_of(&origins::by_login(one()), "login");
        sums["top_clients"] = most_of(&origins::by_client(one()), "client");
    }
    sums
}

/// The most frequent delay reasons of one queue.
fn top_reasons(tables: &QueueTables) -> Value {
    let top = tables.reasons.top(MOST);
    top.into_iter()
        .map(|(key, why)| {
            let reason = Reason::of(key, why);
            json!({
                "domain": json_text(&reason.domain),
                "code": json_text(&reason.code),
                "reason": json_text(&reason.reason),
                "cause": reason.cause.name(),
                "acts": reason.acts.name(),
                "next_hop": next_hop(&reason),
                "recipients": reason.recipients,
                "oldest_arrival": reason.oldest,
            })
        })
        .collect()
}

/// Messages by the time until their next retry, in seconds from now; `null` is the open last interval.
fn retries(tally: &Tally) -> Value {
    let edges = RETRY_EDGES.into_iter().map(Some).chain([None]);
    edges
        .zip(tally.retries)
        .map(|(edge, messages)| json!({"within": edge, "messages": messages}))
        .collect()
}

/// The document of why mail waits at the second `now`: `rest` recipients are in rows that were cut off, and
/// `whole` says whether all could be read.
pub fn reasons(reasons: &Reasons, rest: u64, now: i64, whole: bool) -> Value {
    let rows: Vec<Value> = reasons
        .rows
        .iter()
        .map(|row| {
            json!({
                "domain": json_text(&row.domain),
                "code": json_text(&row.code),
                "reason": json_text(&row.reason),
                "cause": row.cause.name(),
                "acts": row.acts.name(),
                "next_hop": next_hop(row),
                "recipients": row.recipients,
                "oldest": row.oldest.map(|at| now.saturating_sub(at).max(0)),
                "oldest_arrival": row.oldest,
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "now": now,
        "complete": whole && reasons.unlisted == 0,
        "reasons": rows,
        "unlisted": reasons.unlisted,
        "beyond_limit": rest,
        "without_reason": reasons.unexplained,
        "spread": reasons
            .spreads
            .iter()
            .map(|one| spread(one, now))
            .collect::<Value>(),
    })
}

/// Those that have most messages.
fn most_of(sums: &HashMap<&[u8], u64>, what: &str) -> Value {
    let mut sums: Vec<(&[u8], u64)> = sums.iter().map(|(name, count)| (*name, *count)).collect();
    sums.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    sums.into_iter()
        .take(MOST)
        .map(|(name, count)| json!({ what: json_text(name), "messages": count }))
        .collect()
}

/// The next hop of a row; `null` if the reason names none.
fn next_hop(reason: &Reason) -> Value {
    match reason.next_hop.as_slice() {
        b"" => Value::Null,
        name => json_text(name).into(),
    }
}

/// A cause that is ours because many destinations have it.
fn spread(spread: &Spread, now: i64) -> Value {
    json!({
        "cause": spread.cause.name(),
        "destinations": spread.destinations,
        "last_answer": spread.last_answer,
        "why": spread.sentence(|at| moment(at, now)),
    })
}

/// Recipients by cause, with zeros.
fn causes(counts: &CauseCounts) -> Value {
    let one = |cause: Cause| (cause.name().to_owned(), counts.of(cause).into());
    Value::Object(Cause::ALL.into_iter().map(one).collect())
}

fn most<C: Count>(names: &Names<C>, what: &str, counted: &str) -> Value {
    names
        .top(MOST)
        .into_iter()
        .map(|(name, count)| json!({ what: json_text(name), counted: count.total() }))
        .collect()
}

fn gap(gap: &Gap) -> Value {
    json!({
        "queue": gap.queue.name(),
        "kind": match gap.kind {
            GapKind::Directory | GapKind::Absent => "directory",
            GapKind::File => "file",
            GapKind::Log => "log",
            GapKind::LogDirectory => "log directory",
        },
        "path": path(&gap.path),
        "errno": errno_name(gap.errno),
        "message": gap.to_string(),
        "remedy": gap.remedy(),
    })
}
