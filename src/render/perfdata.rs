//! Performance data: `'label'=value[UOM];warn;crit;min;max`, in the order of contract.md,
//! "Performance data".

use std::fmt::Write as _;

use crate::measure::{Argument, Figure, Kind, Measure, Subject, Unit, quantity};
use crate::postfix::queue::Queue;
use crate::rules::{self, Level, Rule, Verdict};
use crate::snapshot::Snapshot;

/// The queues whose oldest age is always included.
const OLDEST: [Queue; 5] = [
    Queue::Active,
    Queue::Deferred,
    Queue::Incoming,
    Queue::Hold,
    Queue::Maildrop,
];

/// The performance data of a check, item by item; unknown figures are omitted. `counts_only` is true for
/// a scan that read only names.
pub(super) fn items(snapshot: &Snapshot, verdict: &Verdict, counts_only: bool) -> Vec<String> {
    let several = snapshot.instances.len() + snapshot.broken.len() > 1;
    // With one instance, a rule that names it is the same as a rule over all.
    let alone = match snapshot.instances.as_slice() {
        [alone] if !several => Some(alone.instance.name.as_str()),
        _ => None,
    };
    let rules: Vec<Shown<'_>> = verdict
        .rules
        .iter()
        .flat_map(|rule| rule.measures().map(move |measure| (measure, rule)))
        .map(|(measure, rule)| {
            let mut measure = measure.clone();
            if measure.instance.as_deref() == alone {
                measure.instance = None;
            }
            Shown { measure, rule }
        })
        .collect();
    let mut items = Vec::new();
    for (label, measure) in measures(&rules, None, counts_only) {
        items.extend(item(&label, &measure, snapshot, &rules));
    }
    if several {
        for taken in &snapshot.instances {
            let name = &taken.instance.name;
            let prefix = unambiguous(name, |character| matches!(character, '.' | '_'));
            for (label, measure) in measures(&rules, Some(name), counts_only) {
                let label = format!("{prefix}.{label}");
                items.extend(item(&label, &measure, snapshot, &rules));
            }
        }
    }
    items
}

/// A rule and the measure that its performance data shows.
struct Shown<'v> {
    measure: Measure,
    rule: &'v Rule,
}

/// Labels and measures, over all instances or of one.
fn measures(
    rules: &[Shown<'_>],
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
    for shown in rules {
        let mut measure = shown.measure.clone();
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

/// Maximum bytes of a name in a label. Monitoring systems use labels as database keys.
const MAX_NAME: usize = 48;

/// The label of a measure: `.` and `(` become `_`, `)` is dropped.
///
/// An argument that could produce the same label as another one gets a hash suffix. This depends only on
/// the argument, so that a label does not change when other rules are added.
fn label(measure: &Measure) -> String {
    let plain = |text: &str| text.replace(['.', '('], "_").replace(')', "");
    match &measure.argument {
        Argument::Name(name) => {
            let spelt = measure.to_string();
            let head = spelt.split('(').next().unwrap_or_default();
            let name = unambiguous(name, |character| character == '.');
            format!("{}_{}", plain(head), plain(&name))
        }
        _ => plain(&measure.to_string()),
    }
}

/// `name` as a part of a label. Every character except letters, digits, `-`, `@`, `/`, `+`, `:` and
/// those in `kept` becomes `_`. A hash suffix follows if another name could give the same text: a
/// character was replaced, the name was cut, or it contains a `_` where the caller writes `_` for a dot.
fn unambiguous(name: &str, kept: impl Fn(char) -> bool) -> String {
    let stays = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '-' | '@' | '/' | '+' | ':')
    };
    let mut text: String = name
        .chars()
        .map(|character| match stays(character) || kept(character) {
            true => character,
            false => '_',
        })
        .collect();
    let ambiguous = text.contains('_') && !kept('_');
    if text != name || ambiguous || text.len() > MAX_NAME {
        text.truncate(MAX_NAME);
        let _ = write!(text, "_{:08x}", hash(name.as_bytes()));
    }
    text
}

/// FNV-1a folded to 32 bits. A label must be the same on every host and in every release.
pub(super) fn hash(bytes: &[u8]) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    (hash >> 32) as u32 ^ hash as u32
}

/// The figure of `measure` that its thresholds are about: a default may leave some causes out.
fn judged(measure: &Measure, snapshot: &Snapshot, rules: &[Shown<'_>]) -> Figure {
    let mut own = rules.iter().filter(|shown| shown.measure == *measure);
    let first = own.next().map(|shown| shown.rule);
    let alike = first.is_some_and(|first| own.all(|shown| shown.rule.condition == first.condition));
    match first {
        Some(rule) if alike && rule.condition.choice().is_some() => {
            rules::figure(measure, rule.condition, snapshot)
        }
        _ => measure.evaluate(snapshot),
    }
}

fn item(
    label: &str,
    measure: &Measure,
    snapshot: &Snapshot,
    rules: &[Shown<'_>],
) -> Option<String> {
    let value = judged(measure, snapshot, rules).known()?;
    let unit = measure.unit();
    let mut text = String::new();
    let plain = label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let quote = if plain { "" } else { "'" };
    let _ = write!(
        text,
        "{quote}{label}{quote}={}{}",
        quantity::plain(value),
        unit.uom()
    );
    let range = |level| {
        // One range of a joined rule alone is no threshold.
        let mut own = rules
            .iter()
            .filter(|shown| shown.rule.level == level && shown.measure == *measure);
        let part = own.find_map(|shown| shown.rule.parts.only());
        part.map(|part| part.range.to_string()).unwrap_or_default()
    };
    let (warning, critical) = (range(Level::Warning), range(Level::Critical));
    let maximum = if unit == Unit::Percent { ";100" } else { "" };
    // A rate of change can be negative.
    let minimum = if unit == Unit::PerMinute { "" } else { "0" };
    let _ = write!(text, ";{warning};{critical};{minimum}{maximum}");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(spelling: &str) -> String {
        label(&Measure::parse(spelling).expect(spelling))
    }

    #[test]
    fn a_label_is_plain_where_it_can_stand_for_nothing_else() {
        for (spelling, wanted) in [
            ("deferred.messages", "deferred_messages"),
            ("deferred.top_sender", "deferred_top_sender"),
            ("deferred.older(1.5h)", "deferred_older_1_5h"),
            ("deferred.reason(4.7)", "deferred_reason_4_7"),
            ("deferred.domain(a.example)", "deferred_domain_a_example"),
            ("deferred.sender(a.b@x)", "deferred_sender_a_b@x"),
            (
                "hold.domain([192.0.2.1])",
                "hold_domain__192_0_2_1__194f1ba5",
            ),
        ] {
            assert_eq!(of(spelling), wanted);
        }
    }

    #[test]
    fn names_that_differ_have_labels_that_differ() {
        let long = "x".repeat(80);
        let labels: Vec<String> = [
            "a.b@x",
            "a_b@x",
            "a|b@x",
            "a`b@x",
            "a$b@x",
            "a=b@x",
            "a'b@x",
            "a b@x",
            "a(b@x",
            "a)b@x",
            "ab@x",
            "A.B@x",
            "b\u{fc}cher.example",
            "b\u{f6}cher.example",
            "b__cher.example",
            &format!("{long}1"),
            &format!("{long}2"),
        ]
        .iter()
        .map(|name| of(&format!("deferred.sender({name})")))
        .collect();
        for (place, label) in labels.iter().enumerate() {
            assert!(!labels[..place].contains(label), "{labels:?}");
            assert!(label.len() < 90, "{label}");
            let harmless = |byte: u8| byte.is_ascii_graphic() && !b"|$`'=<>".contains(&byte);
            assert!(label.bytes().all(harmless), "{label}");
        }
    }

    proptest! {
        #[test]
        fn no_two_names_share_a_label(one in "[a-c._@()$`-]{1,6}", other in "[a-c._@()$`-]{1,6}") {
            let of = |name: &str| Measure::parse(&format!("hold.domain({name})")).ok().map(|one| label(&one));
            if let (Some(a), Some(b)) = (of(&one), of(&other)) {
                prop_assert_eq!(a == b, one == other);
            }
        }
    }
}
