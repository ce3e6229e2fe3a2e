//! What changed since an earlier check: the state, the messages of each queue, and the causes of delays.

use std::fmt::Write as _;

use super::html::{self, Cell, Column, text};
use super::{caption, moment, of_each};
use crate::cause::Cause;
use crate::clock::Age;
use crate::escape::counted;
use crate::measure::Unit;
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::{State, Verdict};
use crate::snapshot::reasons::Reasons;
use crate::snapshot::sample::CausesKnown;
use crate::snapshot::{Earlier, InstanceSnapshot, Snapshot};

pub(super) fn body(earlier: &Earlier, snapshot: &Snapshot, verdict: &Verdict) -> String {
    let mut out = format!("<p>{}</p>\n", text(&state(earlier, snapshot, verdict)));
    if let Some(traffic) = snapshot.traffic() {
        let mut sentence = format!(
            "At least {} arrived since and still wait",
            counted(traffic.arrived, "message")
        );
        if traffic.left > 0 {
            let left = counted(traffic.left, "message");
            let _ = write!(sentence, "; at least {left} left");
        }
        sentence.push('.');
        let _ = writeln!(out, "<p>{}</p>", text(&sentence));
    }
    let whose = snapshot.sampled_reasons(QueueSet::TOTAL);
    out + &of_each(snapshot, |taken| {
        if !earlier.knows(taken) {
            return "<p>The earlier check did not look at this spool.</p>\n".to_owned();
        }
        queues(earlier, snapshot, taken) + &html::list(&causes(earlier, taken, &whose))
    })
}

/// The state then and now, in a sentence.
fn state(earlier: &Earlier, snapshot: &Snapshot, verdict: &Verdict) -> String {
    let ago = Age(snapshot.now.saturating_sub(earlier.now).max(0));
    let when = format!("{}, {ago} ago", moment(earlier.now, snapshot.now));
    let now = verdict.state;
    match earlier.state_code().and_then(State::from_code) {
        Some(then) if then == now => format!("The state was {then} at {when}, and is {now} still."),
        Some(then) => format!("The state was {then} at {when}, and is {now} now."),
        None => format!("The earlier check was at {when}; its state is not on record."),
    }
}

/// The messages of each queue of `taken`, then and now.
fn queues(earlier: &Earlier, snapshot: &Snapshot, taken: &InstanceSnapshot) -> String {
    use Column::{Number, Text};
    let columns = [
        Text("Queue"),
        Number("Messages then"),
        Number("Messages now"),
        Number("Change"),
        Number("Growth"),
    ];
    let read = taken.plan.queues();
    let mut rows: Vec<Vec<Cell>> = read
        .iter()
        .map(|queue| {
            row(
                queue.name(),
                earlier,
                snapshot,
                taken,
                QueueSet::NONE.with(queue),
            )
        })
        .collect();
    rows.push(row(
        "total",
        earlier,
        snapshot,
        taken,
        read.and(QueueSet::TOTAL),
    ));
    let caption = caption(snapshot, taken, "Messages then and now");
    let mut out = html::table(&caption, &columns, &rows);
    if let Err(why) = snapshot.change(&[taken], QueueSet::NONE) {
        out.push_str(&html::list(&[format!("Growth is not known: {why}.")]));
    }
    out
}

fn row(
    name: &str,
    earlier: &Earlier,
    snapshot: &Snapshot,
    taken: &InstanceSnapshot,
    queues: QueueSet,
) -> Vec<Cell> {
    let unknown = || Cell::sorted("-", i64::MIN);
    let now: u64 = queues.iter().map(|queue| taken.tally(queue).messages).sum();
    let exact = queues.iter().all(|queue| taken.tally(queue).is_whole());
    let then = earlier.messages(taken, queues);
    let change = then.filter(|_| exact).map(|then| now as i64 - then as i64);
    let growth = snapshot.change(&[taken], queues).ok().filter(|_| exact);
    vec![
        Cell::text(name),
        then.map_or_else(unknown, Cell::number),
        match exact {
            true => Cell::number(now),
            false => Cell::sorted(&format!("at least {now}"), now as i64),
        },
        change.map_or_else(unknown, |change| {
            let shown = match change {
                0 => "0".to_owned(),
                change => format!("{change:+}"),
            };
            Cell::sorted(&shown, change)
        }),
        growth.map_or_else(unknown, |growth| {
            let rate = growth.per_minute();
            Cell::sorted(&Unit::PerMinute.show(rate), (rate * 100.0) as i64)
        }),
    ]
}

/// What is new among the causes of deferred mail of `taken`, and what has gone. `whose` says who acts.
fn causes(earlier: &Earlier, taken: &InstanceSnapshot, whose: &Reasons) -> Vec<String> {
    let Some(known) = CausesKnown::of(taken, Queue::Deferred) else {
        return Vec::new();
    };
    let Some(then) = earlier.causes(taken) else {
        return vec!["The earlier check did not read why deferred mail waits.".to_owned()];
    };
    let now = taken.causes(Queue::Deferred);
    let mut lines = Vec::new();
    for cause in Cause::ALL {
        let (name, acts) = (cause.name(), whose.acts(cause).name());
        match (then.of(name), now.of(cause)) {
            (0, count) if count > 0 => lines.push(format!(
                "New cause: {name}, {} in deferred (who acts: {acts}).",
                counted(count, "recipient")
            )),
            (count, 0) if count > 0 => lines.push(format!(
                "Gone: {name}, which {} had.",
                counted(count, "recipient")
            )),
            _ => {}
        }
    }
    if lines.is_empty() {
        lines.push("The causes of deferred mail are the same.".to_owned());
    }
    let samples = [then.is_sample(), matches!(known, CausesKnown::Sample(_))];
    for (is_sample, when) in samples.into_iter().zip(["earlier", "present"]) {
        if is_sample {
            lines.push(format!(
                "The {when} check read a sample of the delay reasons: it may have missed a rare cause."
            ));
        }
    }
    lines
}
