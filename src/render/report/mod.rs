//! The report: a snapshot and its verdict as one HTML page that needs nothing else.
//!
//! The page loads nothing and runs only its own script, which a content security policy permits by its
//! hash. Without the script it is complete; the script sorts and filters tables. What a queue file or a log
//! says is text and never markup.

mod ages;
mod anonymous;
mod causes;
mod chart;
mod host;
mod html;
mod messages;
mod origins;
mod queues;
mod since;

use std::fmt::Write as _;

pub use anonymous::anonymized;
use html::text;
pub use messages::{OldMessage, oldest_message};

use super::{moment, next_step, plugin, status};
use crate::escape;
use crate::postfix::queue::QueueSet;
use crate::rules::{State, Verdict};
use crate::snapshot::{InstanceSnapshot, Snapshot};
use crate::sys;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The SHA-256 of [`SCRIPT`] in base64, for the content security policy; a test computes it.
const SCRIPT_HASH: &str = "ocq/LPdd8f4zUeBXf64RY9W+ISIXqR7EkuMd+s8pLLs=";
/// Rows of a table of names.
const ROWS: usize = 30;
/// The longest text of a cell, in bytes.
const MAX_CELL: usize = 400;

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
    let mut sections = vec![("verdict", "What is wrong", verdict_body(snapshot, verdict))];
    if let Some(earlier) = snapshot.previous.earlier() {
        sections.push((
            "since",
            "What changed",
            since::body(earlier, snapshot, verdict),
        ));
    }
    sections.extend([
        ("queues", "Queues", queues::queues(snapshot)),
        ("ages", "Destinations by age", ages::heatmap(snapshot)),
        ("causes", "Why mail waits", causes::causes(snapshot)),
        ("origins", "Where it comes from", origins::from(snapshot)),
        ("times", "What comes next", queues::times(snapshot)),
        (
            "messages",
            "Oldest messages",
            messages::messages(snapshot, oldest),
        ),
        ("settings", "Settings", host::settings(snapshot)),
        ("gaps", "What could not be read", host::gaps(snapshot)),
    ]);
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
    for finding in &verdict.findings {
        let mut item = format!("<li>{}: {}", finding.state, text(&cut(&finding.text())));
        if finding.state != State::Unknown {
            let step = next_step::line(snapshot, finding);
            // What is above it names the measure; this is to be copied.
            let measure = &finding.rule.parts.first().measure;
            let command = step.strip_prefix(&format!("do: {measure}: "));
            let command = cut(command.unwrap_or(&step));
            let _ = write!(item, "<br><code>{}</code>", text(&command));
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

fn has_several(snapshot: &Snapshot) -> bool {
    snapshot.instances.len() + snapshot.broken.len() > 1
}

/// The caption of a table about `taken`. No two tables have the same one: a screen reader lists them.
fn caption(snapshot: &Snapshot, taken: &InstanceSnapshot, title: &str) -> String {
    match has_several(snapshot) {
        true => format!("{title}, {}", cut(&taken.instance.name)),
        false => title.to_owned(),
    }
}

/// A heading for each instance where there are several.
fn of_each(snapshot: &Snapshot, body: impl Fn(&InstanceSnapshot) -> String) -> String {
    let mut out = String::new();
    for taken in &snapshot.instances {
        if has_several(snapshot) {
            let _ = writeln!(out, "<h3>{}</h3>", text(&cut(&taken.instance.name)));
        }
        out.push_str(&body(taken));
    }
    out
}
