//! Service output, performance data and long output, as the Monitoring Plugins define them and
//! within the limits of contract.md, "Output and its limits".

use std::borrow::Cow;
use std::fmt::Write as _;

use super::perfdata;
use crate::clock::Age;
use crate::error::Error;
use crate::escape;
use crate::measure::{Kind, Measure, Quality, Subject, Unit, quantity};
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::{Finding, Level, Range, State, Verdict};
use crate::snapshot::ages::{self, Ages};
use crate::snapshot::name_counts::Names;
use crate::snapshot::{InstanceSnapshot, Snapshot, Traffic, origins};
use crate::spelling::{is_offered, option};

/// Maximum bytes of first line and performance data with one instance: the limit of NRPE 2.
pub(crate) const MAX_FIRST: usize = 999;
/// Maximum bytes of the whole output: Nagios Core keeps 8192.
pub(crate) const MAX_ALL: usize = 6999;
/// Bytes of text that are kept before the performance data, however long the latter is.
const MAX_TEXT: usize = 420;
/// Rows of the age by domain table, and of other lists in long output.
const ROWS: usize = 10;
/// Marks the text before the bar when performance data items were omitted.
const PERFORMANCE_CUT: &str = " [performance data cut]";
/// Replaces omitted lines.
const CUT: &str = "[output cut]";

/// The whole output of a check, ending in a newline. `verbosity` is the number of `-v`.
pub fn output(snapshot: &Snapshot, verdict: &Verdict, verbosity: u8, counts_only: bool) -> String {
    let mut text = service_output(snapshot, verdict);
    let (performance, cut) = kept_performance_data(snapshot, verdict, counts_only);
    if cut {
        text.push_str(PERFORMANCE_CUT);
    }
    if !performance.is_empty() {
        let _ = write!(text, " | {performance}");
    }
    text.push('\n');
    if verbosity > 0 {
        append_lines(
            &mut text,
            &long_output(snapshot, verdict, verbosity, &snapshot.ages_by_domain()),
        );
    }
    text
}

/// The first line of [`output`] up to the bar.
pub fn service_output(snapshot: &Snapshot, verdict: &Verdict) -> String {
    bounded(&summary(snapshot, verdict), MAX_TEXT)
}

/// The same without the words at its start that name the service and its state.
pub fn service_text(snapshot: &Snapshot, verdict: &Verdict) -> String {
    let output = service_output(snapshot, verdict);
    let text = output.strip_prefix(&head(verdict.state));
    text.unwrap_or(&output).to_owned()
}

/// The words that name the service and its state.
fn head(state: State) -> String {
    format!("POSTFIX QUEUE {state}: ")
}

/// The performance data of [`output`]: complete items, as many as its limits allow.
pub(crate) fn performance_data(
    snapshot: &Snapshot,
    verdict: &Verdict,
    counts_only: bool,
) -> String {
    kept_performance_data(snapshot, verdict, counts_only).0
}

/// [`performance_data`], and whether items were omitted.
fn kept_performance_data(
    snapshot: &Snapshot,
    verdict: &Verdict,
    counts_only: bool,
) -> (String, bool) {
    let items = perfdata::items(snapshot, verdict, counts_only);
    let several = snapshot.instances.len() + snapshot.broken.len() > 1;
    let limit = if several { MAX_ALL - 200 } else { MAX_FIRST };
    let mut length = service_output(snapshot, verdict).len() + PERFORMANCE_CUT.len() + 3;
    let kept: Vec<&str> = items
        .iter()
        .take_while(|item| {
            length += item.len() + 1;
            length <= limit
        })
        .map(String::as_str)
        .collect();
    (kept.join(" "), kept.len() < items.len())
}

/// The whole output of a check that failed before it had a verdict.
pub fn failure(error: &Error) -> String {
    format!(
        "{}\n",
        bounded(
            &format!("{}{}", head(State::Unknown), line(&error.to_string())),
            MAX_FIRST
        )
    )
}

/// One line that is safe in service output: messages may quote user input.
fn line(text: &str) -> String {
    escape::printable(text.as_bytes(), MAX_FIRST)
}

fn bounded(text: &str, limit: usize) -> String {
    escape::printable(text.as_bytes(), limit)
}

fn append_lines(text: &mut String, lines: &[String]) {
    for one in lines {
        let one = escape::printable(one.as_bytes(), 400);
        if text.len() + one.len() + 1 + CUT.len() + 1 > MAX_ALL {
            text.push_str(CUT);
            text.push('\n');
            return;
        }
        text.push_str(&one);
        text.push('\n');
    }
}

/// The first line without performance data: the findings, worst first; unknown figures with cause and
/// remedy; or the main figures if all is well.
fn summary(snapshot: &Snapshot, verdict: &Verdict) -> String {
    let mut text = head(verdict.state);
    let mut parts: Vec<String> = Vec::new();
    let (unknown, breaches): (Vec<_>, Vec<_>) = verdict
        .findings
        .iter()
        .partition(|finding| finding.state == State::Unknown);
    let mut room = MAX_TEXT - 120;
    for (place, finding) in breaches.iter().enumerate() {
        let part = finding.text();
        let left = breaches.len() - place;
        if part.len() + 2 > room && place > 0 {
            parts.push(format!("and {left} more"));
            break;
        }
        room = room.saturating_sub(part.len() + 2);
        parts.push(part);
    }
    let mut blamed = String::new();
    if !breaches.is_empty() {
        let length = text.len() + parts.join(", ").len() + 2;
        if let Some(words) = super::blame::words(snapshot, &verdict.findings, length) {
            blamed = format!("; {words}");
        }
    }
    if let (false, Some(last)) = (blamed.is_empty(), parts.last_mut()) {
        last.push_str(&blamed);
    }
    // Omits delay reasons that were read for display only.
    let of_reasons = |finding: &&Finding| {
        let mut measures = finding.rule.measures();
        measures.any(|measure| matches!(measure.kind, Kind::Reason | Kind::Cause))
    };
    let logs = unknown.iter().any(of_reasons) || verdict.lacks_reasons(snapshot);
    if let Some(problem) = incomplete(snapshot, logs) {
        parts.push(problem);
    }
    // Skips figures that the reported cause already explains.
    let told = !snapshot.is_counted() || logs && !snapshot.is_whole();
    for finding in unknown {
        let mut figures = finding.figures.iter();
        if !told || figures.any(|figure| figure.quality == Quality::Unknown) {
            parts.push(finding.text());
        }
    }
    if parts.is_empty() {
        parts.push(quiet(snapshot));
    }
    parts.extend_from_slice(&verdict.notes);
    text.push_str(&parts.join(", "));
    text
}

/// The service output if nothing is wrong: the figures that people ask for first.
fn quiet(snapshot: &Snapshot) -> String {
    let count = |subject| {
        Measure::new(subject, Kind::Messages)
            .evaluate(snapshot)
            .value as u64
    };
    let total = count(Subject::Total);
    let corrupt = count(Subject::Queue(Queue::Corrupt));
    let mut parts = vec![match total {
        0 => "no messages".to_owned(),
        1 => "1 message".to_owned(),
        _ => format!("{total} messages"),
    }];
    for queue in Queue::ALL {
        let messages = count(Subject::Queue(queue));
        if messages > 0 && (queue != Queue::Corrupt || corrupt > 0) {
            parts.push(format!("{messages} {queue}"));
        }
    }
    let oldest = Measure::new(Subject::Total, Kind::Oldest).evaluate(snapshot);
    if total > 0 && oldest.quality == Quality::Exact {
        parts.push(format!("oldest {}", Age(oldest.value as i64)));
    }
    parts.join(", ")
}

/// Why the scan did not read all queues of `snapshot`, and the remedy: one short, safe line. Empty if it
/// did.
pub fn why_incomplete(snapshot: &Snapshot) -> String {
    bounded(&incomplete(snapshot, false).unwrap_or_default(), MAX_TEXT)
}

/// Why the snapshot is incomplete (with `logs`, also its delay reasons): the first cause, the number of
/// others, and the remedy.
fn incomplete(snapshot: &Snapshot, logs: bool) -> Option<String> {
    if let Some(error) = snapshot.broken.first() {
        return Some(match snapshot.broken.len() {
            1 => error.to_string(),
            count => {
                let more = escape::counted(count as u64 - 1, "more instance");
                format!("{error} (and {more})")
            }
        });
    }
    let unreadable: u64 = snapshot
        .instances
        .iter()
        .map(|taken| taken.unreadable() + if logs { taken.unread_logs() } else { 0 })
        .sum();
    let first = snapshot
        .instances
        .iter()
        .flat_map(|taken| &taken.gaps)
        .find(|gap| logs || !gap.kind.is_of_logs());
    if let Some(gap) = first {
        let mut text = gap.to_string();
        if unreadable > 1 {
            let _ = write!(text, " and {} more", unreadable - 1);
        }
        if let Some(remedy) = gap.remedy() {
            let _ = write!(text, "; {remedy}");
        }
        return Some(text);
    }
    let cut: Vec<&str> = Queue::ALL
        .into_iter()
        .filter(|queue| {
            snapshot
                .instances
                .iter()
                .any(|taken| taken.cut().contains(*queue))
        })
        .map(Queue::name)
        .collect();
    (!cut.is_empty()).then(|| {
        let mut text = format!(
            "the deadline passed before all of {} was read; raise {}",
            cut.join(", "),
            option("timeout")
        );
        if is_offered("counts") {
            let _ = write!(text, " or use {}", option("counts"));
        }
        text
    })
}

/// The lines of the long output, from each finding with what to do down to the gaps; not yet cut. `ages` is
/// [`Snapshot::ages_by_domain`], which takes time with many domains.
pub fn long_output(
    snapshot: &Snapshot,
    verdict: &Verdict,
    verbosity: u8,
    ages: &(Cow<'_, Names<Ages>>, Ages),
) -> Vec<String> {
    let mut lines = Vec::new();
    for finding in &verdict.findings {
        lines.push(format!("{}: {}", finding.state, finding.text()));
        if finding.state != State::Unknown {
            lines.push(super::next_step::line(snapshot, finding));
        }
    }
    for spread in snapshot.sampled_reasons(QueueSet::TOTAL).spreads {
        lines.push(spread.sentence(|at| super::moment::moment(at, snapshot.now)));
    }
    growth(snapshot, verdict, &mut lines);
    table(ages, &mut lines);
    reasons(snapshot, &mut lines);
    senders(snapshot, &mut lines);
    logins_and_clients(snapshot, &mut lines);
    for error in &snapshot.broken {
        lines.push(error.to_string());
    }
    for taken in &snapshot.instances {
        for warning in &taken.instance.warnings {
            lines.push(warning.clone());
        }
        for gap in &taken.gaps {
            lines.push(gap.to_string());
        }
        if let Some(remedy) = taken.gaps.first().and_then(crate::scan::Gap::remedy) {
            lines.push(format!("remedy: {remedy}"));
        }
        for damaged in &taken.damaged {
            lines.push(format!("damaged: {damaged}"));
        }
        for misdated in &taken.misdated {
            lines.push(format!("misdated: {misdated}"));
        }
        for misowned in &taken.misowned {
            let path = escape::path(&misowned.path);
            lines.push(format!("misowned: {path}: {}", misowned.fault));
        }
        for misplaced in &taken.misplaced {
            lines.push(format!("misplaced: {misplaced}"));
        }
        if verbosity > 1 {
            details(taken, snapshot.now, &mut lines);
        }
    }
    lines
}

/// Arrivals, departures and growing queues since the previous check, and when a growing queue will
/// alert.
fn growth(snapshot: &Snapshot, verdict: &Verdict, lines: &mut Vec<String>) {
    if let Some(Traffic { arrived, left }) = snapshot.traffic() {
        lines.push(format!(
            "since the last check at least {} arrived and {left} left",
            escape::counted(arrived, "message")
        ));
    }
    let instances: Vec<&InstanceSnapshot> = snapshot.instances.iter().collect();
    if let (Some(_), Err(why)) = (
        snapshot.previous.earlier(),
        snapshot.change(&instances, QueueSet::NONE),
    ) {
        lines.push(format!("growth is unknown: {why}"));
    }
    let subjects = Queue::ALL.map(Subject::Queue);
    for subject in subjects.into_iter().chain([Subject::Total]) {
        let figure = Measure::new(subject, Kind::Growth).evaluate(snapshot);
        let (Some(rate), Some(detail)) = (figure.known(), figure.detail) else {
            continue;
        };
        if rate == 0.0 {
            continue;
        }
        let messages = Measure::new(subject, Kind::Messages);
        let name = messages.to_string();
        let name = name.split('.').next().unwrap_or_default();
        let shown = Unit::PerMinute.show(rate);
        let mut text = format!("{name} grows by {shown} ({detail})");
        for level in [Level::Warning, Level::Critical] {
            let end = verdict.range(&messages, level).and_then(Range::limit);
            let change = snapshot.change(&instances, subject.queues()).ok();
            let seconds = end.and_then(|end| change?.seconds_to(end));
            if let (Some(end), Some(seconds)) = (end, seconds.filter(|_| rate > 0.0)) {
                let _ = write!(
                    text,
                    ", {} {} in {}",
                    level.name(),
                    quantity::plain(end),
                    Age(seconds as i64)
                );
            }
        }
        lines.push(text);
    }
}

/// Recipients by domain and age, over all queues except corrupt, laid out like qshape.
fn table((domains, all): &(Cow<'_, Names<Ages>>, Ages), lines: &mut Vec<String>) {
    // A watch that judges rules has the sums alone.
    let aged: u64 = all.columns.iter().map(|count| u64::from(*count)).sum();
    if aged == 0 {
        return;
    }
    let mut rows = vec![("TOTAL".to_owned(), *all)];
    for (name, ages) in domains.top(ROWS) {
        rows.push((escape::domain::printable(name, 40), *ages));
    }
    let name_width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(5);
    let heads = ages::heads();
    let width = |head: &str, value: u64| value.to_string().len().max(head.len()).max(2) + 1;
    let mut head = format!("{:>name_width$}", "");
    let _ = write!(head, "{:>1$}", "T", width("T", all.total));
    for (title, value) in heads.iter().zip(all.columns) {
        let _ = write!(head, "{title:>0$}", width(title, value.into()));
    }
    lines.push("recipients by destination domain and age in minutes:".to_owned());
    lines.push(head);
    for (name, ages) in rows {
        let mut row = format!("{name:>name_width$}");
        let _ = write!(row, "{:>1$}", ages.total, width("T", all.total));
        for ((title, value), count) in heads.iter().zip(all.columns).zip(ages.columns) {
            let _ = write!(row, "{count:>0$}", width(title, value.into()));
        }
        lines.push(row);
    }
    if domains.len() > ROWS {
        let bound = if domains.is_complete() {
            ""
        } else {
            "at least "
        };
        let more = escape::counted((domains.len() - ROWS) as u64, "more domain");
        lines.push(format!("and {bound}{more}"));
    }
}

/// The domains with the most delayed recipients, each with its most frequent reason.
fn reasons(snapshot: &Snapshot, lines: &mut Vec<String>) {
    let reasons = snapshot.reasons(QueueSet::TOTAL);
    let mut told: Vec<&[u8]> = Vec::new();
    for row in &reasons.rows {
        if told.contains(&row.domain.as_slice()) {
            continue;
        }
        if told.len() == ROWS / 2 {
            break;
        }
        if told.is_empty() {
            lines.push("why it waits (recipients, domain, commonest reason):".to_owned());
        }
        told.push(&row.domain);
        lines.push(format!(
            "{:>8} {} {} {}",
            row.recipients,
            escape::domain::printable(&row.domain, 40),
            escape::printable(&row.code, 16),
            escape::printable(&row.reason, 120),
        ));
    }
}

fn senders(snapshot: &Snapshot, lines: &mut Vec<String>) {
    let senders = snapshot.messages_by_sender();
    if senders.is_empty() {
        return;
    }
    lines.push("messages by sender:".to_owned());
    for (name, count) in senders.top(ROWS / 2) {
        lines.push(format!(
            "{count:>8} {}",
            escape::domain::printable_address(name, 64)
        ));
    }
}

/// The logins and the clients with most messages: a stolen password fills a queue.
fn logins_and_clients(snapshot: &Snapshot, lines: &mut Vec<String>) {
    let tables = || snapshot.tables_of_total(|wanted| wanted.origins);
    for (head, sums) in [
        ("messages by login:", origins::by_login(tables())),
        ("messages by client:", origins::by_client(tables())),
    ] {
        if !sums.is_empty() {
            lines.push(head.to_owned());
        }
        for (name, count) in origins::top(sums, ROWS / 2) {
            // A login may be an address.
            let name = escape::domain::printable_address(name, 64);
            lines.push(format!("{count:>8} {name}"));
        }
    }
}

fn details(taken: &InstanceSnapshot, now: i64, lines: &mut Vec<String>) {
    let instance = &taken.instance;
    lines.push(format!(
        "instance {}: queue_directory {}, qmgr_message_active_limit {}, maximal_queue_lifetime {}",
        escape::printable(instance.name.as_bytes(), 64),
        escape::path(&instance.queue_directory),
        instance.settings.qmgr_message_active_limit,
        Age(instance.settings.maximal_queue_lifetime),
    ));
    for queue in Queue::ALL {
        let tally = taken.tally(queue);
        if tally.messages == 0 && tally.strays == 0 && tally.not_ready == 0 {
            continue;
        }
        let mut text = format!(
            "{queue}: {}, {}, {}",
            escape::counted(tally.messages, "message"),
            escape::counted(tally.recipients, "recipient"),
            escape::counted(tally.bytes, "byte")
        );
        if let Some(oldest) = tally.oldest {
            let _ = write!(text, ", oldest {}", Age(now.saturating_sub(oldest).max(0)));
        }
        if tally.not_ready > 0 {
            let files = escape::counted(tally.not_ready, "file");
            let verb = if tally.not_ready == 1 { "is" } else { "are" };
            let _ = write!(text, ", and {files} that {verb} not ready");
        }
        if tally.strays > 0 {
            let _ = write!(
                text,
                ", and {} where Postfix does not look",
                escape::counted(tally.strays, "file")
            );
        }
        lines.push(text);
    }
}
