//! OpenMetrics text of a snapshot, for the textfile directory of node_exporter.
//!
//! Names of senders and logins are never labels: they are private, and strangers can make up as many as they
//! like. Domains are labels only on request ([`NamedDomains`]).
//!
//! All families start with `postfix_spool_`, a prefix that no other exporter uses (contract.md,
//! "OpenMetrics"). A lower bound is exported as its value; an unknown figure is omitted.
//! `postfix_spool_complete` is then 0, and the shipped alerts check it.

mod ages;

use std::fmt::Write as _;

use crate::anonymize::Anonymizer;
use crate::cause::Cause;
use crate::measure::{Argument, Figure, Kind, Measure, Quality, Subject, quantity};
use crate::postfix::queue::Queue;
use crate::snapshot::named_domains::{NamedDomains, OTHER};
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
    ("postfix_spool_expected_running", "", "1 if the daemons are expected to run, 0 if multi_instance_enable is no or the spool may be a copy.",
        |taken, _| Some(f64::from(u8::from(taken.instance.expected)))),
];

/// The figure of one queue or spool, if the scan included it.
fn figure(
    taken: &InstanceSnapshot,
    snapshot: &Snapshot,
    subject: Subject,
    kind: Kind,
) -> Option<Figure> {
    figure_for(taken, snapshot, subject, kind, Argument::None)
}

/// The same of a measure that takes an argument.
fn figure_for(
    taken: &InstanceSnapshot,
    snapshot: &Snapshot,
    subject: Subject,
    kind: Kind,
    argument: Argument,
) -> Option<Figure> {
    let measure = Measure {
        instance: Some(taken.instance.name.clone()),
        argument,
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

/// The exported `value` of a figure or a table: the value itself or its lower bound. What could not be
/// counted has no sample, because 0 would be wrong.
fn exported(quality: Quality, value: f64) -> Option<f64> {
    match quality {
        Quality::Exact => Some(value),
        Quality::AtLeast => Some(value).filter(|value| *value > 0.0),
        Quality::Unknown => None,
    }
}

/// The text while it is written.
struct Page {
    text: String,
    /// Whether all figures of each instance were exact so far.
    complete: Vec<bool>,
}

impl Page {
    fn new(instances: usize) -> Page {
        Page {
            text: String::new(),
            complete: vec![true; instances],
        }
    }

    /// Starts a family.
    fn head(&mut self, name: &str, unit: &str, help: &str) {
        let _ = writeln!(self.text, "# TYPE {name} gauge");
        if !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
    }

    /// Notes how far a figure of the instance number `place` can be trusted.
    fn note(&mut self, place: usize, quality: Quality) {
        if let Some(complete) = self.complete.get_mut(place) {
            *complete &= quality == Quality::Exact;
        }
    }

    /// Adds a sample of the instance number `place`, unless its figure could not be counted.
    fn sample(&mut self, place: usize, name: &str, labels: &str, figure: &Figure) {
        self.note(place, figure.quality);
        if let Some(value) = exported(figure.quality, figure.value) {
            self.line(name, labels, value);
        }
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let value = quantity::plain(value);
        let _ = writeln!(self.text, "{name}{{{labels}}} {value}");
    }

    /// The last family, and the end.
    fn finish(mut self, broken: usize) -> String {
        let name = "postfix_spool_broken_instances";
        self.head(name, "", "Instances that could not be scanned at all.");
        let _ = writeln!(self.text, "{name} {broken}");
        self.text.push_str("# EOF\n");
        self.text
    }
}

/// The OpenMetrics text of `snapshot`, with the domains `named`, ending in `# EOF`.
pub fn exposition(snapshot: &Snapshot, named: &NamedDomains) -> String {
    page(snapshot, named, &|domain| domain)
}

/// The same, with tokens for names of persons. Only labels of domains can be such names.
pub fn anonymized(snapshot: &Snapshot, named: &NamedDomains, anonymizer: &Anonymizer) -> String {
    page(snapshot, named, &|domain| {
        // The row of all others is no domain.
        if domain == OTHER {
            return domain;
        }
        let renamed = anonymizer.destination(domain.as_bytes());
        String::from_utf8_lossy(&renamed).into_owned()
    })
}

fn page(snapshot: &Snapshot, named: &NamedDomains, label: &dyn Fn(String) -> String) -> String {
    let mut page = Page::new(snapshot.instances.len());
    let instances = || snapshot.instances.iter().enumerate();
    for (name, unit, help, kind) in OF_QUEUES {
        page.head(name, unit, help);
        for (place, taken) in instances() {
            for queue in taken.plan.queues().iter() {
                let Some(figure) = figure(taken, snapshot, Subject::Queue(queue), kind) else {
                    continue;
                };
                page.sample(place, name, &of_queue(taken, queue), &figure);
            }
        }
    }
    ages::messages(snapshot, &mut page);
    ages::recipients(snapshot, named, label, &mut page);
    ages::expiring(snapshot, &mut page);
    fill(snapshot, &mut page);
    causes(snapshot, &mut page);
    for (name, unit, help, subject, kind) in OF_SPOOLS {
        page.head(name, unit, help);
        for (place, taken) in instances() {
            if let Some(figure) = figure(taken, snapshot, subject, kind) {
                page.sample(place, name, &of_instance(taken), &figure);
            }
        }
    }
    for (name, unit, help, of) in OF_HOSTS {
        page.head(name, unit, help);
        for taken in &snapshot.instances {
            if let Some(value) = of(taken, snapshot) {
                page.line(name, &of_instance(taken), value);
            }
        }
    }
    let name = "postfix_spool_complete";
    let help =
        "1 if all of the spool could be read; 0 if a figure is left out or is a lower bound.";
    page.head(name, "", help);
    for (place, taken) in instances() {
        let complete = page.complete.get(place) == Some(&true) && taken.is_counted();
        page.line(name, &of_instance(taken), f64::from(u8::from(complete)));
    }
    let name = "postfix_spool_scan_time_seconds";
    let help = "When this was, in seconds of the epoch: alert when it is old.";
    page.head(name, "seconds", help);
    let _ = writeln!(page.text, "{name} {}", snapshot.now);
    page.finish(snapshot.broken.len())
}

/// How full active is: 1 is `qmgr_message_active_limit`.
fn fill(snapshot: &Snapshot, page: &mut Page) {
    let name = "postfix_spool_active_fill_ratio";
    let help = "Messages in active against qmgr_message_active_limit.";
    page.head(name, "ratio", help);
    for (place, taken) in snapshot.instances.iter().enumerate() {
        let active = Subject::Queue(Queue::Active);
        if let Some(mut share) = figure(taken, snapshot, active, Kind::Messages) {
            share.value /= taken.instance.settings.qmgr_message_active_limit.max(1) as f64;
            page.sample(place, name, &of_instance(taken), &share);
        }
    }
}

fn of_instance(taken: &InstanceSnapshot) -> String {
    let name = crate::escape::printable(taken.instance.name.as_bytes(), 64);
    format!("postfix_instance=\"{}\"", quoted(&name))
}

fn of_queue(taken: &InstanceSnapshot, queue: Queue) -> String {
    format!("{},queue=\"{queue}\"", of_instance(taken))
}

type OfKnown = fn(&InstanceSnapshot, Queue, CausesKnown) -> u64;

/// Recipients by cause, with zeros. If they come from a sample, which is not a gap, the two families after it
/// say how much of the queue was looked at. If delay reasons could not be read, they are lower bounds, without
/// zeros.
fn causes(snapshot: &Snapshot, page: &mut Page) {
    let known: Vec<(usize, &InstanceSnapshot, Queue, String, CausesKnown)> = snapshot
        .instances
        .iter()
        .enumerate()
        .flat_map(|(place, taken)| {
            let queues = taken.plan.queues().iter();
            queues.map(move |queue| (place, taken, queue))
        })
        .filter_map(|(place, taken, queue)| {
            let known = CausesKnown::of(taken, queue)?;
            // Zeros of a queue that could not be counted would be wrong.
            let messages = figure(taken, snapshot, Subject::Queue(queue), Kind::Messages)?;
            exported(messages.quality, messages.value)?;
            Some((place, taken, queue, of_queue(taken, queue), known))
        })
        .collect();
    let name = "postfix_spool_recipients_by_cause";
    let help = "Recipients by the cause of their delay reason.";
    page.head(name, "", help);
    for (place, taken, queue, labels, _) in &known {
        let quality = match taken.tally(*queue).is_explained() {
            true => Quality::Exact,
            false => Quality::AtLeast,
        };
        page.note(*place, quality);
        for cause in Cause::ALL {
            if let Some(value) = exported(quality, taken.causes(*queue).of(cause) as f64) {
                let labels = format!("{labels},cause=\"{}\"", cause.name());
                page.line(name, &labels, value);
            }
        }
    }
    let messages: [(&str, &str, OfKnown); 2] = [
        (
            "postfix_spool_cause_messages_sampled",
            "Messages whose delay reasons were read for the causes.",
            |taken, queue, known| {
                let asked = match known {
                    CausesKnown::All => taken.tally(queue).messages,
                    CausesKnown::Sample(sample) => sample.messages,
                };
                match taken.tally(queue).logs_closed {
                    true => 0,
                    false => asked.saturating_sub(taken.tally(queue).unread_logs),
                }
            },
        ),
        (
            "postfix_spool_cause_messages",
            "Messages of the queue that the causes are about.",
            |taken, queue, _| taken.tally(queue).messages,
        ),
    ];
    for (name, help, of) in messages {
        page.head(name, "", help);
        for (_, taken, queue, labels, known) in &known {
            page.line(name, labels, of(taken, *queue, *known) as f64);
        }
    }
}

/// The OpenMetrics text of a scan that failed before it read a spool.
pub fn failure() -> String {
    Page::new(0).finish(1)
}

/// Printable text as the value of a label.
fn quoted(printable: &str) -> String {
    printable.replace('\\', "\\\\").replace('"', "\\\"")
}
