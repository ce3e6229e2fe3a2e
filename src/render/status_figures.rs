//! The figures of a status file: lists of instances, queues and causes for low-level discovery, as in Zabbix.
//!
//! Each row names its instance, so that one list is enough to discover and to look up. Only exact figures are there: one
//! that is unknown or a lower bound is absent, so that nobody takes it for the value.

use serde_json::{Map, Value, json};

use super::json::number;
use crate::cause::Cause;
use crate::escape::json_text;
use crate::files::status::Figures;
use crate::measure::{Argument, Kind, Measure, Subject};
use crate::postfix::queue::Queue;
use crate::rules::Verdict;
use crate::snapshot::{InstanceSnapshot, Snapshot};

/// The figures of a row of `queues`.
const OF_QUEUES: [(&str, Kind); 4] = [
    ("messages", Kind::Messages),
    ("recipients", Kind::Recipients),
    ("bytes", Kind::Bytes),
    ("oldest", Kind::Oldest),
];

/// The figures of a row of `instances`.
const OF_INSTANCES: [(&str, Subject, Kind); 8] = [
    ("active_fill", Subject::Queue(Queue::Active), Kind::Fill),
    ("unreadable", Subject::Spool, Kind::Unreadable),
    ("damaged", Subject::Spool, Kind::Damaged),
    ("altered", Subject::Spool, Kind::Altered),
    ("misowned", Subject::Spool, Kind::Misowned),
    ("misplaced", Subject::Spool, Kind::Misplaced),
    ("master_running", Subject::Master, Kind::Running),
    ("qmgr_running", Subject::Qmgr, Kind::QmgrRunning),
];

/// The rows for `snapshot`.
pub(super) fn figures(snapshot: &Snapshot, verdict: &Verdict) -> Figures {
    let mut figures = Figures::default();
    for taken in &snapshot.instances {
        let name = json_text(taken.instance.name.as_bytes());
        let state = verdict.state_of(snapshot, taken);
        let mut row = Map::new();
        row.insert("instance".into(), name.as_ref().into());
        row.insert("complete".into(), taken.is_whole().into());
        row.insert("expected".into(), taken.instance.expected.into());
        row.insert("state".into(), state.to_string().into());
        row.insert("state_code".into(), state.code().into());
        for (key, subject, kind) in OF_INSTANCES {
            insert(
                &mut row,
                key,
                exact(taken, snapshot, Measure::new(subject, kind)),
            );
        }
        figures.instances.push(Value::Object(row));
        for queue in taken.plan.queues().iter() {
            let mut row = Map::new();
            row.insert("instance".into(), name.as_ref().into());
            row.insert("queue".into(), queue.name().into());
            for (key, kind) in OF_QUEUES {
                let measure = Measure::new(Subject::Queue(queue), kind);
                insert(&mut row, key, exact(taken, snapshot, measure));
            }
            figures.queues.push(Value::Object(row));
        }
        for cause in Cause::ALL {
            let measure = Measure {
                argument: Argument::Name(cause.name().to_owned()),
                ..Measure::new(Subject::DEFERRED, Kind::Cause)
            };
            if let Some(recipients) = exact(taken, snapshot, measure) {
                let cause = cause.name();
                let row = json!({"instance": name, "cause": cause, "recipients": recipients});
                figures.causes.push(row);
            }
        }
    }
    figures
}

/// The value of a measure of one instance, if it is exact.
fn exact(taken: &InstanceSnapshot, snapshot: &Snapshot, measure: Measure) -> Option<Value> {
    let measure = Measure {
        instance: Some(taken.instance.name.clone()),
        ..measure
    };
    if !measure.is_read(taken, snapshot) {
        return None;
    }
    measure.evaluate(snapshot).known().map(number)
}

fn insert(row: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        row.insert(key.to_owned(), value);
    }
}
