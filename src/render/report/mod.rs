//! The report: a snapshot and its verdict as one HTML page that needs nothing else.
//!
//! The page loads nothing and runs only its own script, which a content security policy permits by its
//! hash. Without the script it is complete; the script sorts and filters tables. What a queue file or a log
//! says is text and never markup.

mod anonymous;
mod chart;
mod html;

use std::fmt::Write as _;

pub use anonymous::anonymized;
use html::{Cell, Column, text};

use super::{moment, next_step, plugin, status};
use crate::anonymize::Anonymizer;
use crate::cause::Cause;
use crate::clock::Age;
use crate::escape;
use crate::instance::{Instance, Master};
use crate::measure::{Argument, Kind, Measure, Subject, Unit};
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::{State, Verdict};
use crate::scan::MessageRow;
use crate::snapshot::ages::{self, Ages};
use crate::snapshot::reasons::ReasonGrouping;
use crate::snapshot::sample::CausesKnown;
use crate::snapshot::{InstanceSnapshot, RETRY_EDGES, Snapshot, Tally, origins};
use crate::sys;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The SHA-256 of [`SCRIPT`] in base64, for the content security policy; a test computes it.
const SCRIPT_HASH: &str = "L+sGJ+RnY7LOS/mMnYKyBIfW/9VRzVezmaY9xAPEtwY=";
/// Rows of a table of names.
const ROWS: usize = 30;
/// The oldest messages that a report has.
pub const OLDEST: usize = 50;
/// Recipients of a message that are named.
const RECIPIENTS: usize = 5;
/// The longest text of a cell, in bytes.
const MAX_CELL: usize = 400;
/// The ages for which the page says how much mail expires within them, in seconds.
const EXPIRY_EDGES: [i64; 5] = [3_600, 6 * 3_600, 86_400, 2 * 86_400, 5 * 86_400];

/// One of the oldest messages; see [`oldest_message`].
#[derive(Clone, Debug)]
pub struct OldMessage {
    arrival: i64,
    cells: [String; 6],
    bytes: u64,
}

impl OldMessage {
    /// When it arrived, in seconds of the epoch.
    pub fn arrival(&self) -> i64 {
        self.arrival
    }
}

/// What the report says about `row`, a message of `instance` that was read with its delay reasons; its names
/// are tokens of `anonymizer`, if there is one.
pub fn oldest_message(
    instance: &Instance,
    row: &MessageRow,
    anonymizer: Option<&Anonymizer>,
) -> OldMessage {
    let delay_of =
        |row: &MessageRow| (0..row.recipient_count()).find(|at| row.delay(*at).is_some());
    // Tokens would hide from the judgement which server speaks.
    let judged = delay_of(row).and_then(|at| row.delay(at)).map(|delay| {
        let judged = instance.classifier.judge(delay.status, delay.reason);
        format!("{}, {}", judged.cause.name(), judged.acts.name())
    });
    let renamed = anonymizer.map(|anonymizer| anonymizer.row(row));
    let row = renamed.as_ref().unwrap_or(row);
    let address = |address: &[u8]| match address {
        b"" => "MAILER-DAEMON".to_owned(),
        address => cut(&escape::json_text(address)),
    };
    let mut to: Vec<String> = row.recipients().take(RECIPIENTS).map(address).collect();
    let more = row.recipient_count().saturating_sub(RECIPIENTS);
    if more > 0 {
        to.push(format!("and {more} more"));
    }
    let delay = delay_of(row).and_then(|at| row.delay(at));
    let why = delay.map_or_else(
        || "no delay reason on record".to_owned(),
        |delay| cut(&escape::json_text(delay.reason)),
    );
    OldMessage {
        arrival: row.arrival(),
        cells: [
            escape::json_text(&row.queue_id).into_owned(),
            row.queue.map_or(String::new(), |queue| queue.to_string()),
            address(&row.sender),
            to.join(", "),
            judged.unwrap_or_default(),
            why,
        ],
        bytes: row.size,
    }
}

fn cut(text: &str) -> String {
    escape::shown(text.as_bytes(), MAX_CELL)
}

/// The page: `snapshot` judged by `verdict`, and the `oldest` messages, the oldest first. `host` names the
/// machine in the title.
pub fn page(snapshot: &Snapshot, verdict: &Verdict, oldest: &[OldMessage], host: &str) -> String {
    let taken_at = sys::local_time(snapshot.now).unwrap_or_else(|| snapshot.now.to_string());
    let title = format!("Postfix queues of {host}: {}", verdict.state);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{SCRIPT_HASH}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<header>\n<h1>{}</h1>\n<p class=\"dim\">{}, queuewatch {}</p>\n<nav aria-label=\"Sections\">",
        text(&title),
        text(&title),
        text(&taken_at),
        env!("CARGO_PKG_VERSION")
    );
    let sections = [
        ("verdict", "What is wrong", verdict_body(snapshot, verdict)),
        ("queues", "Queues", queues(snapshot)),
        ("ages", "Destinations by age", heatmap(snapshot)),
        ("causes", "Why mail waits", causes(snapshot)),
        ("origins", "Where it comes from", from(snapshot)),
        ("times", "What comes next", times(snapshot)),
        ("messages", "Oldest messages", messages(snapshot, oldest)),
        ("settings", "Settings", settings(snapshot)),
        ("gaps", "What could not be read", gaps(snapshot)),
    ];
    for (id, heading, _) in &sections {
        let _ = write!(out, "<a href=\"#{id}\">{heading}</a> ");
    }
    out.push_str("</nav>\n</header>\n<main>\n");
    for (id, heading, body) in &sections {
        html::section(&mut out, id, heading, body);
    }
    let _ = writeln!(out, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>");
    out
}

fn verdict_body(snapshot: &Snapshot, verdict: &Verdict) -> String {
    let mut out = format!(
        "<p class=\"state {}\"><strong>{}</strong></p>\n",
        verdict.state,
        text(&plugin::service_output(snapshot, verdict))
    );
    let mut items = Vec::new();
    let steps = next_step::NextSteps::of(snapshot);
    for finding in &verdict.findings {
        let mut item = format!("<li>{}: {}", finding.state, text(&cut(&finding.text())));
        if finding.state != State::Unknown {
            let step = steps.line(finding);
            let _ = write!(item, "<br><code>{}</code>", text(&cut(&step)));
        }
        items.push(item + "</li>\n");
    }
    if !items.is_empty() {
        let _ = writeln!(out, "<ul>\n{}</ul>", items.concat());
    }
    let reasons = snapshot.sampled_reasons(QueueSet::TOTAL);
    let spreads = reasons.spreads.iter();
    let mut notes: Vec<String> = spreads
        .map(|spread| spread.sentence(|at| moment(at, snapshot.now)))
        .collect();
    notes.extend(verdict.notes.iter().map(|note| cut(note)));
    out.push_str(&html::list(&notes));
    out
}

/// A heading for each instance where there are several.
fn of_each(snapshot: &Snapshot, body: impl Fn(&InstanceSnapshot) -> String) -> String {
    let several = snapshot.instances.len() + snapshot.broken.len() > 1;
    let mut out = String::new();
    for taken in &snapshot.instances {
        if several {
            let _ = writeln!(out, "<h3>{}</h3>", text(&cut(&taken.instance.name)));
        }
        out.push_str(&body(taken));
    }
    out
}

fn queues(snapshot: &Snapshot) -> String {
    use Column::{Number, Text};
    let columns = [
        Text("Queue"),
        Number("Messages"),
        Number("Recipients"),
        Number("Size"),
        Number("Oldest"),
        Text("Notes"),
    ];
    of_each(snapshot, |taken| {
        let mut rows = Vec::new();
        for queue in taken.plan.queues().iter() {
            rows.push(queue_row(queue.name(), taken.tally(queue), snapshot.now));
        }
        rows.push(queue_row("total", &status::total(taken), snapshot.now));
        let state = match &taken.master {
            Master::Running { .. } => "master runs",
            Master::Stopped => "master is stopped",
            Master::Unknown(_) => "whether master runs is not known",
        };
        let directory = escape::path(&taken.instance.queue_directory);
        html::table(&format!("{directory}, {state}"), &columns, &rows)
    })
}

fn queue_row(name: &str, tally: &Tally, now: i64) -> Vec<Cell> {
    let bound = |text: String, exact: bool| {
        if exact {
            text
        } else {
            format!("at least {text}")
        }
    };
    let whole = tally.is_whole();
    let age = tally.oldest.map(|at| now.saturating_sub(at).max(0));
    let size = Unit::Bytes.show(tally.bytes as f64);
    let counted = |count: u64, exact| {
        Cell::sorted(
            &bound(count.to_string(), exact),
            count.min(i64::MAX as u64) as i64,
        )
    };
    vec![
        Cell::text(name),
        counted(tally.messages, whole),
        counted(tally.recipients, whole && tally.torn == 0),
        Cell::sorted(&bound(size, whole), tally.bytes.min(i64::MAX as u64) as i64),
        Cell::sorted(
            &bound(status::oldest(tally, now), whole && tally.ageless == 0),
            age.unwrap_or(-1),
        ),
        Cell::text(&status::remarks(tally).join(", ")),
    ]
}

fn heatmap(snapshot: &Snapshot) -> String {
    let (domains, all) = snapshot.ages_by_domain();
    if all.total == 0 {
        return "<p>No recipients.</p>\n".to_owned();
    }
    let ends = ages::EDGES.iter().map(|edge| format!("<{}", Age(*edge)));
    let titles: Vec<String> = ends.chain(["older".to_owned()]).collect();
    let top = domains.top(ROWS);
    let most = top
        .iter()
        .flat_map(|(_, ages)| ages.columns)
        .max()
        .unwrap_or(0);
    let row = |name: &str, ages: &Ages, shaded: bool| {
        let mut cells = vec![Cell::text(name), Cell::number(ages.total)];
        for count in ages.columns {
            let cell = Cell::number(u64::from(count));
            cells.push(match shaded {
                true => cell.class(heat(count, most)),
                false => cell,
            });
        }
        cells
    };
    let mut rows = vec![row("all", &all, false)];
    for (name, ages) in &top {
        rows.push(row(&escape::domain::printable(name, 80), ages, true));
    }
    let mut columns = vec![Column::Text("Domain"), Column::Number("Recipients")];
    columns.extend(titles.iter().map(|title| Column::Number(title)));
    let mut out = html::table("Recipients by destination domain and age", &columns, &rows);
    let rest = domains.len().saturating_sub(top.len());
    if rest > 0 {
        let bound = if domains.is_complete() {
            ""
        } else {
            "at least "
        };
        let _ = writeln!(out, "<p class=\"dim\">and {bound}{rest} more domains</p>");
    }
    out
}

/// The shade of a cell, by the order of magnitude, because queues are skewed.
fn heat(count: u32, most: u32) -> String {
    if count == 0 {
        return "z".to_owned();
    }
    let share = f64::from(count).ln_1p() / f64::from(most).ln_1p().max(f64::MIN_POSITIVE);
    format!("h{}", (share * 5.0).ceil().clamp(1.0, 5.0))
}

fn causes(snapshot: &Snapshot) -> String {
    use Column::{Number, Text};
    let mut out = String::new();
    let mut rows = Vec::new();
    let mut sampled = Vec::new();
    for cause in Cause::ALL {
        let tables = snapshot.instances.iter().flat_map(|taken| {
            QueueSet::TOTAL
                .iter()
                .map(move |queue| taken.causes(queue).of(cause))
        });
        let count: u64 = tables.sum();
        if count > 0 {
            rows.push(vec![
                Cell::text(cause.name()),
                Cell::number(count),
                Cell::text(cause.acts().name()),
                Cell::text(cause.meaning()),
            ]);
        }
    }
    for taken in &snapshot.instances {
        if let Some(CausesKnown::Sample(sample)) = CausesKnown::of(taken, Queue::Deferred) {
            sampled.push(format!(
                "{}: from the {} of {} deferred messages that were tried last",
                taken.instance.name, sample.messages, sample.of
            ));
        }
    }
    if rows.is_empty() {
        return "<p>No delay reasons on record.</p>\n".to_owned();
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.get(1).and_then(Cell::key)));
    let columns = [
        Text("Cause"),
        Number("Recipients"),
        Text("Who acts"),
        Text("A reason says that"),
    ];
    out.push_str(&html::table("Recipients by cause", &columns, &rows));
    out.push_str(&html::list(&sampled));
    let mut reasons = snapshot
        .reasons_by_next_hop(QueueSet::TOTAL)
        .by(Some(ReasonGrouping::NextHop));
    let rest = reasons.cut(ROWS);
    let rows: Vec<Vec<Cell>> = reasons
        .rows
        .iter()
        .map(|row| {
            let age = row.oldest.map(|at| snapshot.now.saturating_sub(at).max(0));
            vec![
                Cell::text(
                    match row.next_hop.as_slice() {
                        b"" => "-".to_owned(),
                        name => cut(&escape::json_text(name)),
                    }
                    .as_str(),
                ),
                Cell::number(row.recipients),
                Cell::sorted(
                    &age.map_or("-".to_owned(), |age| Age(age).to_string()),
                    age.unwrap_or(-1),
                ),
                Cell::text(row.cause.name()),
                Cell::text(row.acts.name()),
                Cell::text(&escape::json_text(&row.code)),
                Cell::text(&cut(&escape::json_text(&row.reason))),
            ]
        })
        .collect();
    let columns = [
        Text("Next hop"),
        Number("Recipients"),
        Number("Oldest"),
        Text("Cause"),
        Text("Who acts"),
        Text("Code"),
        Text("Commonest reason"),
    ];
    out.push_str(&html::table("Recipients by next hop", &columns, &rows));
    if rest > 0 {
        let _ = writeln!(
            out,
            "<p class=\"dim\">and {rest} recipients of other next hops</p>"
        );
    }
    out
}

fn from(snapshot: &Snapshot) -> String {
    use Column::{Number, Text};
    let tables = || {
        snapshot.instances.iter().flat_map(|taken| {
            QueueSet::TOTAL
                .iter()
                .map(move |queue| &taken.tables[queue])
        })
    };
    let senders = snapshot.messages_by_sender();
    let mut out = String::new();
    let mut logins: Vec<_> = origins::by_login(tables()).into_iter().collect();
    let mut clients: Vec<_> = origins::by_client(tables()).into_iter().collect();
    for (caption, head, rows) in [
        ("Messages by SASL login", "Login", &mut logins),
        ("Messages by client address", "Client", &mut clients),
    ] {
        rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        rows.truncate(ROWS);
        let rows: Vec<Vec<Cell>> = rows
            .iter()
            .map(|(name, count)| {
                vec![
                    Cell::text(&cut(&escape::json_text(name))),
                    Cell::number(*count),
                ]
            })
            .collect();
        if !rows.is_empty() {
            out.push_str(&html::table(
                caption,
                &[Text(head), Number("Messages")],
                &rows,
            ));
        }
    }
    let rows: Vec<Vec<Cell>> = senders
        .top(ROWS)
        .into_iter()
        .map(|(name, count)| {
            vec![
                Cell::text(&cut(&escape::json_text(name))),
                Cell::number(*count),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => out.push_str("<p>No messages.</p>\n"),
        false => out.push_str(&html::table(
            "Messages by envelope sender",
            &[Text("Sender"), Number("Messages")],
            &rows,
        )),
    }
    out
}

fn times(snapshot: &Snapshot) -> String {
    let out = of_each(snapshot, |taken| {
        let deferred = taken.tally(Queue::Deferred);
        let mut from = 0;
        let parts: Vec<(String, u64)> = deferred
            .retries
            .iter()
            .enumerate()
            .map(|(place, count)| {
                let label = match RETRY_EDGES.get(place) {
                    Some(0) => "due".to_owned(),
                    Some(to) => format!("<{}", Age(*to)),
                    None => format!("later than {}", Age(from)),
                };
                from = RETRY_EDGES.get(place).copied().unwrap_or_default();
                (label, *count)
            })
            .collect();
        let mut before = 0;
        let expiring: Vec<(String, u64)> = EXPIRY_EDGES
            .iter()
            .map(|edge| {
                let measure = Measure {
                    instance: Some(taken.instance.name.clone()),
                    argument: Argument::Age(*edge, Age(*edge).to_string()),
                    ..Measure::new(Subject::Total, Kind::Expiring)
                };
                let within = measure.evaluate(snapshot).value as u64;
                let count = within.saturating_sub(before);
                before = within;
                (format!("<{}", Age(*edge)), count)
            })
            .collect();
        chart::bars("Deferred messages by the time to their next retry", &parts)
            + &chart::bars("Messages that expire, by the time left", &expiring)
    });
    match out.contains("<svg") {
        true => out,
        false => "<p>No retry and no expiry is due.</p>\n".to_owned(),
    }
}

fn messages(snapshot: &Snapshot, oldest: &[OldMessage]) -> String {
    use Column::{Number, Text};
    if oldest.is_empty() {
        return "<p>No messages.</p>\n".to_owned();
    }
    let columns = [
        Text("Queue ID"),
        Number("Age"),
        Text("Queue"),
        Number("Size"),
        Text("Sender"),
        Text("Recipients"),
        Text("Cause"),
        Text("Last delay reason"),
    ];
    let rows: Vec<Vec<Cell>> = oldest
        .iter()
        .map(|message| {
            let [id, queue, sender, to, cause, why] = &message.cells;
            let age = snapshot.now.saturating_sub(message.arrival).max(0);
            vec![
                Cell::html(format!("<code>{}</code>", text(id))),
                Cell::sorted(&Age(age).to_string(), age),
                Cell::text(queue),
                Cell::sorted(
                    &Unit::Bytes.show(message.bytes as f64),
                    message.bytes as i64,
                ),
                Cell::text(sender),
                Cell::text(to),
                Cell::text(cause),
                Cell::text(why),
            ]
        })
        .collect();
    html::table(&format!("The {} oldest", oldest.len()), &columns, &rows)
}

fn settings(snapshot: &Snapshot) -> String {
    of_each(snapshot, |taken| {
        let settings = &taken.instance.settings;
        let age = |seconds: i64| Age(seconds).to_string();
        let bytes = |count: u64| Unit::Bytes.show(count as f64);
        let mut rows = vec![
            (
                "queue_directory",
                escape::path(&taken.instance.queue_directory),
            ),
            (
                "qmgr_message_active_limit",
                settings.qmgr_message_active_limit.to_string(),
            ),
            (
                "maximal_queue_lifetime",
                age(settings.maximal_queue_lifetime),
            ),
            ("bounce_queue_lifetime", age(settings.bounce_queue_lifetime)),
            ("queue_run_delay", age(settings.queue_run_delay)),
            ("minimal_backoff_time", age(settings.minimal_backoff_time)),
            ("maximal_backoff_time", age(settings.maximal_backoff_time)),
            ("message_size_limit", bytes(settings.message_size_limit)),
        ];
        if let Some(disk) = taken.disk {
            let free = format!("{} of {}", bytes(disk.free_bytes), bytes(disk.size_bytes));
            rows.push(("free disk space", free));
        }
        let rows: Vec<Vec<Cell>> = rows
            .iter()
            .map(|(name, value)| vec![Cell::text(name), Cell::text(value)])
            .collect();
        html::table(
            "What decides the figures",
            &[Column::Text("Parameter"), Column::Text("Value")],
            &rows,
        )
    })
}

fn gaps(snapshot: &Snapshot) -> String {
    let mut lines: Vec<String> = snapshot
        .broken
        .iter()
        .map(|error| cut(&error.to_string()))
        .collect();
    for taken in &snapshot.instances {
        lines.extend(taken.instance.warnings.iter().map(|warning| cut(warning)));
        for gap in &taken.gaps {
            let remedy = gap
                .remedy()
                .map_or(String::new(), |remedy| format!("; {remedy}"));
            lines.push(format!("{gap}{remedy}"));
        }
        let told = taken.gaps.len() as u64;
        let all = taken.unreadable() + taken.unread_logs();
        if all > told {
            lines.push(format!("and {} more", all - told));
        }
        for damaged in &taken.damaged {
            lines.push(format!(
                "damaged: {}: {}",
                escape::path(&damaged.path),
                damaged.damage
            ));
        }
        if taken.is_cut() {
            lines.push("the time was up before all was read".to_owned());
        }
    }
    match lines.is_empty() {
        true => "<p>Everything was read.</p>\n".to_owned(),
        false => html::list(&lines),
    }
}
