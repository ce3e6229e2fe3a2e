//! OpenMetrics text of a snapshot, for the textfile directory of node_exporter.
//!
//! Names of senders and logins are never labels: they are private, and strangers can make up as many as they
//! like. Domains are labels only if somebody asks for them ([`NamedDomains`]).
//!
//! All families start with `postfix_spool_`, a prefix that no other exporter uses (contract.md,
//! "OpenMetrics"). A lower bound is exported as its value; an unknown figure is omitted.
//! `postfix_spool_complete` is then 0, and the shipped alerts check it.

mod ages;

use std::fmt::Write as _;

use crate::cause::Cause;
use crate::measure::{Figure, Kind, Measure, Quality, Subject, quantity};
use crate::postfix::queue::Queue;
use crate::snapshot::named_domains::NamedDomains;
use crate::snapshot::sample::CausesKnown;
use crate::snapshot::{InstanceSnapshot, Snapshot};

/// Families with one sample per queue: name, unit, help, figure.
#[rustfmt::skip]
const OF_QUEUES: [(&str, &str, &str, Kind); 8] = [
    ("postfix_spool_messages", "", "Messages in the queue.", Kind::Messages),
    ("postfix_spool_recipients", "", "Recipients still to be delivered.", Kind::Recipients),
    ("postfix_spool_size_bytes", "bytes", "Sum of the message sizes that mailq prints.", Kind::Bytes),
    ("postfix_spool_oldest_message_age_seconds", "seconds", "Age of the oldest message since it arrived.", Kind::Oldest),
    ("postfix_spool_top_domain_recipients", "", "Recipients of the destination domain that has most, without its name.", Kind::TopDomain),
    ("postfix_spool_top_sender_messages", "", "Messages of the sender that has most, without its address.", Kind::TopSender),
    ("postfix_spool_top_login_messages", "", "Messages of the SASL login that has most, without its name.", Kind::TopLogin),
    ("postfix_spool_top_client_messages", "", "Messages of the client that has most, without its address.", Kind::TopClient),
];

/// Families with one sample per instance: name, unit, help, figure.
#[rustfmt::skip]
const OF_SPOOLS: [(&str, &str, &str, Subject, Kind); 6] = [
    ("postfix_spool_unreadable", "", "Directories and files that could not be read.",
        Subject::Spool, Kind::Unreadable),
    ("postfix_spool_damaged", "", "Ready files that are not valid queue files.",
        Subject::Spool, Kind::Damaged),
    ("postfix_spool_altered", "", "Queue files whose group or other mode bits are set.",
        Subject::Spool, Kind::Altered),
    ("postfix_spool_misowned", "", "Queue files and directories whose owner or mode stops Postfix.",
        Subject::Spool, Kind::Misowned),
    ("postfix_spool_misplaced", "", "Messages in a hash directory where Postfix does not look.",
        Subject::Spool, Kind::Misplaced),
    ("postfix_spool_overdue", "", "Deferred messages whose next retry is past by more than a queue run.",
        Subject::DEFERRED, Kind::Overdue),
];

type OfHost = fn(&InstanceSnapshot, &Snapshot) -> Option<f64>;

/// Families about the host of a spool: name, unit, help, value. `NaN` stands for an unknown value.
#[rustfmt::skip]
const OF_HOSTS: [(&str, &str, &str, OfHost); 6] = [
    ("postfix_spool_disk_free_bytes", "bytes", "Free bytes of the file system of the spool.",
        |taken, _| Some(taken.disk.map_or(f64::NAN, |disk| disk.free_bytes as f64))),
    ("postfix_spool_disk_size_bytes", "bytes", "Size of the file system of the spool.",
        |taken, _| Some(taken.disk.map_or(f64::NAN, |disk| disk.size_bytes as f64))),
    // Some file systems have no fixed number of inodes.
    ("postfix_spool_disk_free_inodes", "", "Free inodes of the file system of the spool.",
        |taken, _| taken.disk.map_or(Some(f64::NAN), |disk| disk.free_inodes.map(|free| free as f64))),
    ("postfix_spool_master_running", "", "1 if the master daemon runs, 0 if not, NaN if that is not known.",
        |taken, snapshot| daemon(taken, snapshot, Subject::Master, Kind::Running)),
    ("postfix_spool_qmgr_running", "", "1 if the queue manager lives, 0 if it is gone, stopped or starts again and again, NaN if that is not known.",
        |taken, snapshot| daemon(taken, snapshot, Subject::Qmgr, Kind::QmgrRunning)),
    ("postfix_spool_expected_running", "", "1 if the daemons are expected to run, 0 if multi_instance_enable is no.",
        |taken, _| Some(f64::from(u8::from(taken.instance.expected)))),
];

/// The figure of one queue or spool, if the scan included it.
fn figure(
    taken: &InstanceSnapshot,
    snapshot: &Snapshot,
    subject: Subject,
    kind: Kind,
) -> Option<Figure> {
    let measure = Measure {
        instance: Some(taken.instance.name.clone()),
        ..Measure::new(subject, kind)
    };
    measure
        .is_read(taken, snapshot)
        .then(|| measure.evaluate(snapshot))
}

/// Whether a daemon runs. A scan that reads only names does not check this.
fn daemon(
    taken: &InstanceSnapshot,
    snapshot: &Snapshot,
    subject: Subject,
    kind: Kind,
) -> Option<f64> {
    let figure = figure(taken, snapshot, subject, kind)?;
    Some(figure.known().unwrap_or(f64::NAN))
}

/// The exported value of a figure: the value itself or its lower bound. A figure that could not be
/// counted has no sample, because 0 would be wrong.
fn sample(figure: &Figure) -> Option<f64> {
    match figure.quality {
        Quality::Exact => Some(figure.value),
        Quality::AtLeast => Some(figure.value).filter(|value| *value > 0.0),
        Quality::Unknown => None,
    }
}

/// The OpenMetrics text of `snapshot`, with the domains `named`, ending in `# EOF`.
pub fn exposition(snapshot: &Snapshot, named: &NamedDomains) -> String {
    let mut text = String::new();
    let mut complete = vec![true; snapshot.instances.len()];
    for (name, unit, help, kind) in OF_QUEUES {
        head(&mut text, name, unit, help);
        for (taken, complete) in snapshot.instances.iter().zip(&mut complete) {
            for queue in taken.plan.queues().iter() {
                let Some(figure) = figure(taken, snapshot, Subject::Queue(queue), kind) else {
                    continue;
                };
                *complete &= figure.quality == Quality::Exact;
                if let Some(value) = sample(&figure) {
                    let labels = format!("{},queue=\"{queue}\"", of_instance(taken));
                    line(&mut text, name, &labels, value);
                }
            }
        }
    }
    ages::messages(snapshot, &mut text, &mut complete);
    ages::recipients(snapshot, named, &mut text, &mut complete);
    ages::expiring(snapshot, &mut text, &mut complete);
    fill(snapshot, &mut text, &mut complete);
    causes(snapshot, &mut text);
    for (name, unit, help, subject, kind) in OF_SPOOLS {
        head(&mut text, name, unit, help);
        for (taken, complete) in snapshot.instances.iter().zip(&mut complete) {
            let Some(figure) = figure(taken, snapshot, subject, kind) else {
                continue;
            };
            *complete &= figure.quality == Quality::Exact;
            if let Some(value) = sample(&figure) {
                line(&mut text, name, &of_instance(taken), value);
            }
        }
    }
    for (name, unit, help, of) in OF_HOSTS {
        head(&mut text, name, unit, help);
        for taken in &snapshot.instances {
            if let Some(value) = of(taken, snapshot) {
                line(&mut text, name, &of_instance(taken), value);
            }
        }
    }
    let name = "postfix_spool_complete";
    let help =
        "1 if all of the spool could be read; 0 if a figure is left out or is a lower bound.";
    head(&mut text, name, "", help);
    for (taken, complete) in snapshot.instances.iter().zip(complete) {
        let complete = complete && taken.is_counted();
        line(
            &mut text,
            name,
            &of_instance(taken),
            f64::from(u8::from(complete)),
        );
    }
    let name = "postfix_spool_scan_time_seconds";
    let help = "When this was, in seconds of the epoch: alert when it is old.";
    head(&mut text, name, "seconds", help);
    let _ = writeln!(text, "{name} {}", snapshot.now);
    broken(&mut text, snapshot.broken.len());
    text
}

/// How full active is: 1 is `qmgr_message_active_limit`.
fn fill(snapshot: &Snapshot, text: &mut String, complete: &mut [bool]) {
    let name = "postfix_spool_active_fill_ratio";
    let help = "Messages in active against qmgr_message_active_limit.";
    head(text, name, "ratio", help);
    for (taken, complete) in snapshot.instances.iter().zip(complete) {
        let active = Subject::Queue(Queue::Active);
        let Some(messages) = figure(taken, snapshot, active, Kind::Messages) else {
            continue;
        };
        *complete &= messages.quality == Quality::Exact;
        if let Some(messages) = sample(&messages) {
            let limit = taken.instance.settings.qmgr_message_active_limit.max(1);
            line(text, name, &of_instance(taken), messages / limit as f64);
        }
    }
}

fn of_instance(taken: &InstanceSnapshot) -> String {
    format!("postfix_instance=\"{}\"", label_value(&taken.instance.name))
}

fn line(text: &mut String, name: &str, labels: &str, value: f64) {
    let value = quantity::plain(value);
    let _ = writeln!(text, "{name}{{{labels}}} {value}");
}

type OfKnown = fn(&InstanceSnapshot, Queue, CausesKnown) -> u64;

/// Recipients by cause, with zeros. If they come from a sample, which is not a gap, the two families after it say how much of
/// the queue was looked at.
fn causes(snapshot: &Snapshot, text: &mut String) {
    let known = || {
        snapshot.instances.iter().flat_map(|taken| {
            let queues = taken.plan.queues().iter();
            queues.filter_map(move |queue| Some((taken, queue, CausesKnown::of(taken, queue)?)))
        })
    };
    let name = "postfix_spool_recipients_by_cause";
    head(
        text,
        name,
        "",
        "Recipients by the cause of their delay reason.",
    );
    for (taken, queue, _) in known() {
        let instance = label_value(&taken.instance.name);
        for cause in Cause::ALL {
            let count = taken.causes(queue).of(cause);
            let _ = writeln!(
                text,
                "{name}{{postfix_instance=\"{instance}\",queue=\"{queue}\",cause=\"{}\"}} {count}",
                cause.name()
            );
        }
    }
    let messages: [(&str, &str, OfKnown); 2] = [
        (
            "postfix_spool_cause_messages_sampled",
            "Messages whose delay reasons were read for the causes.",
            |taken, queue, known| match known {
                CausesKnown::All => taken.tally(queue).messages,
                CausesKnown::Sample(sample) => sample.messages,
            },
        ),
        (
            "postfix_spool_cause_messages",
            "Messages of the queue that the causes are about.",
            |taken, queue, _| taken.tally(queue).messages,
        ),
    ];
    for (name, help, of) in messages {
        head(text, name, "", help);
        for (taken, queue, known) in known() {
            let instance = label_value(&taken.instance.name);
            let value = of(taken, queue, known);
            let _ = writeln!(
                text,
                "{name}{{postfix_instance=\"{instance}\",queue=\"{queue}\"}} {value}"
            );
        }
    }
}

/// The OpenMetrics text of a scan that failed before it read a spool.
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
    quoted(&crate::escape::printable(text.as_bytes(), 64))
}

/// Printable text as the value of a label.
fn quoted(printable: &str) -> String {
    printable.replace('\\', "\\\\").replace('"', "\\\"")
}
