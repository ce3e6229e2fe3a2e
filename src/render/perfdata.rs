//! Performance data: `'label'=value[UOM];warn;crit;min;max`, in the order of contract.md,
//! "Performance data".

use std::fmt::Write as _;

use crate::measure::{Argument, Kind, Measure, Subject, Unit, quantity};
use crate::postfix::queue::Queue;
use crate::rules::{Level, Verdict};
use crate::snapshot::Snapshot;

/// The queues whose oldest message is always told.
const OLDEST: [Queue; 5] = [
    Queue::Active,
    Queue::Deferred,
    Queue::Incoming,
    Queue::Hold,
    Queue::Maildrop,
];

/// The performance data of a check, one item after the other; what is not known is left out.
/// `counts_only`: of a scan that only counted.
pub(super) fn items(snapshot: &Snapshot, verdict: &Verdict, counts_only: bool) -> Vec<String> {
    // Of one instance alone a rule that names it is one about all.
    let mut verdict = verdict.clone();
    if let ([alone], true) = (snapshot.instances.as_slice(), snapshot.broken.is_empty()) {
        for rule in &mut verdict.rules {
            let measure = &mut rule.measure;
            if measure.instance.as_ref() == Some(&alone.instance.name) {
                measure.instance = None;
            }
        }
    }
    let verdict = &verdict;
    let mut items = Vec::new();
    for (label, measure) in measures(verdict, None, counts_only) {
        items.extend(item(&label, &measure, snapshot, verdict));
    }
    if snapshot.instances.len() + snapshot.broken.len() > 1 {
        for taken in &snapshot.instances {
            let name = &taken.instance.name;
            for (label, measure) in measures(verdict, Some(name), counts_only) {
                items.extend(item(
                    &format!("{name}.{label}"),
                    &measure,
                    snapshot,
                    verdict,
                ));
            }
        }
    }
    items
}

/// Labels and measures, of all instances or of one.
fn measures(
    verdict: &Verdict,
    instance: Option<&str>,
    counts_only: bool,
) -> Vec<(String, Measure)> {
    let of = |subject, kind| Measure {
        instance: instance.map(str::to_owned),
        ..Measure::new(subject, kind)
    };
    let mut all = Vec::new();
    for queue in Queue::ALL {
        let measure = of(Subject::Queue(queue), Kind::Messages);
        all.push((queue.name().to_owned(), measure));
    }
    all.push(("total".to_owned(), of(Subject::Total, Kind::Messages)));
    if !counts_only {
        for queue in OLDEST {
            let measure = of(Subject::Queue(queue), Kind::Oldest);
            all.push((format!("{queue}_oldest"), measure));
        }
    }
    for rule in &verdict.rules {
        let mut measure = rule.measure.clone();
        match (instance, &measure.instance) {
            (Some(name), None) => measure.instance = Some(name.to_owned()),
            (None, None) => {}
            (Some(name), Some(own)) if name == own => {}
            _ => continue,
        }
        if all.iter().all(|(_, one)| *one != measure) {
            let global = Measure {
                instance: None,
                ..measure.clone()
            };
            all.push((label(&global), measure));
        }
    }
    all
}

/// A measure as a label: `.` and `(` made `_`, `)` dropped, and what no label may have made `_`.
fn label(measure: &Measure) -> String {
    let spelt = measure.to_string();
    let shown = match &measure.argument {
        // Bounded: a label is a name in a database.
        Argument::Name(_) => spelt.get(..64).unwrap_or(&spelt),
        _ => &spelt,
    };
    shown
        .chars()
        .filter(|character| *character != ')')
        .map(|character| match character {
            '.' | '(' | '\'' | '=' | ' ' | '%' | ';' | '"' | '?' => '_',
            other => other,
        })
        .collect()
}

fn item(label: &str, measure: &Measure, snapshot: &Snapshot, verdict: &Verdict) -> Option<String> {
    let value = measure.take(snapshot).known()?;
    let unit = measure.unit();
    let mut text = String::new();
    let plain = label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let quote = if plain { "" } else { "'" };
    let label: String = label
        .chars()
        .map(|c| {
            if c == '\'' || c == '=' || !c.is_ascii_graphic() || c == '|' {
                '_'
            } else {
                c
            }
        })
        .collect();
    let _ = write!(
        text,
        "{quote}{label}{quote}={}{}",
        quantity::plain(value),
        unit.uom()
    );
    let range = |level| {
        let range = verdict.range(measure, level);
        range.map(ToString::to_string).unwrap_or_default()
    };
    let (warning, critical) = (range(Level::Warning), range(Level::Critical));
    let maximum = if unit == Unit::Percent { ";100" } else { "" };
    // What changes can fall as well as rise.
    let minimum = if unit == Unit::PerMinute { "" } else { "0" };
    let _ = write!(text, ";{warning};{critical};{minimum}{maximum}");
    Some(text)
}
