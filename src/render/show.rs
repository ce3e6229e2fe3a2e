//! All about one message, as a screen of text and as JSON.
//!
//! Everything here was written by strangers: text passes the one door ([`crate::escape`]) on its way out. The screen is
//! for the terminal of a person, where `<` and `>` are harmless; text for a monitoring system passes another door.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::clock::Age;
use crate::escape::domain::{self, shown_address};
use crate::escape::{self, json_text, shown};
use crate::show::{Fate, Next, Recipient, State, Stories, Story, Tried};
use crate::snapshot::baseline::SCHEMA;
use crate::sys;

/// The longest address in the text, in bytes.
const MAX_ADDRESS: usize = 254;
/// The longest reason and the longest header in the text, in bytes.
const MAX_TEXT: usize = 500;
/// Recipients in the text, so that it fits a screen; the rest are counted.
const MAX_RECIPIENTS: usize = 20;
/// Where the values of the text begin.
const COLUMN: usize = 12;

/// The document of `stories`; `now` is the second that ages count from.
pub fn json(stories: &Stories, now: i64) -> Value {
    let outcome = &stories.outcome;
    json!({
        "schema": SCHEMA,
        "now": now,
        "complete": outcome.unreadable == 0 && !outcome.cut,
        "messages": stories.found.iter().map(message).collect::<Vec<Value>>(),
        "missing": stories.missing.iter().map(|id| json_text(id)).collect::<Vec<_>>(),
    })
}

fn text_or_null(text: &[u8]) -> Value {
    match text {
        b"" => Value::Null,
        text => json!(json_text(text)),
    }
}

fn optional(text: Option<&[u8]>) -> Value {
    text.map_or(Value::Null, |text| json!(json_text(text)))
}

fn message(story: &Story) -> Value {
    use std::os::unix::ffi::OsStrExt as _;
    let Fate {
        now,
        next,
        last_try,
        expires,
        ..
    } = story.fate;
    let origin = &story.origin;
    let headers = story.headers.iter().map(
        |header| json!({ "name": json_text(&header.name), "value": json_text(&header.value) }),
    );
    json!({
        "instance": story.instance,
        "queue": story.queue.name(),
        "queue_id": json_text(&story.queue_id),
        "path": json_text(story.path.as_os_str().as_bytes()),
        "mode": format!("{:04o}", story.inode.mode),
        "owner": story.inode.owner,
        "ready": story.ready,
        "forced_expire": story.is_forced_expire(),
        "altered": story.is_altered(),
        "misplaced": story.misplaced,
        "fault": story.fault.map(|fault| fault.to_string()),
        "damage": story.damage.map(|damage| damage.to_string()),
        "arrival": story.arrival,
        "age": now.saturating_sub(story.arrival).max(0),
        "size": story.size,
        "sender": optional(story.sender.as_deref()),
        "origin": {
            "by": origin.kind().name(),
            "login": text_or_null(&origin.login),
            "method": text_or_null(&origin.method),
            "client": text_or_null(&origin.client),
            "client_name": text_or_null(&origin.client_name),
            "helo": text_or_null(&origin.helo),
            "protocol": text_or_null(&origin.protocol),
            "user": origin.user,
        },
        "redirect": optional(story.redirect.as_deref()),
        "filter": optional(story.filter.as_deref()),
        "waiting": story.waiting,
        "replaced": story.replaced,
        "done": story.done,
        "deleted": story.deleted,
        "recipients": story.recipients.iter().map(recipient).collect::<Vec<Value>>(),
        "tries_at_least": story.fate.tries_at_least,
        "tries_at_most": story.fate.tries_at_most,
        "last_try": last_try,
        "next": next.name(),
        "next_retry": next.at(),
        "expires": expires,
        "headers": headers.collect::<Vec<Value>>(),
        "headers_cut": story.headers_cut,
        "body": story.body.as_ref().map(|body| lines(&body.text)),
        "body_cut": story.body.as_ref().is_some_and(|body| body.cut),
    })
}

/// The text of a message: its lines stay lines, and the rest is escaped as any other text.
fn lines(text: &[u8]) -> String {
    let lines = text.split(|byte| *byte == b'\n').map(json_text);
    lines.collect::<Vec<_>>().join("\n")
}

fn recipient(recipient: &Recipient) -> Value {
    let tried = recipient.tried.as_ref();
    let judged = tried.and_then(|tried| tried.cause);
    json!({
        "address": json_text(&recipient.address),
        "original": optional(recipient.original.as_deref()),
        "state": recipient.state.name(),
        "log": tried.map(|tried| tried.log.directory()),
        "code": tried.map_or(Value::Null, |tried| text_or_null(&tried.code)),
        "reason": tried.map_or(Value::Null, |tried| text_or_null(&tried.reason)),
        "cause": judged.map(|(cause, _)| cause.name()),
        "acts": judged.map(|(_, acts)| acts.name()),
        "next_hop": tried.map_or(Value::Null, |tried| text_or_null(&tried.next_hop)),
    })
}

/// The screen of `story`; `several` says whether the instance is named.
pub fn text(story: &Story, several: bool) -> String {
    let mut text = String::new();
    let instance = match several {
        true => format!(" of {}", shown(story.instance.as_bytes(), 64)),
        false => String::new(),
    };
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{} in {}{instance}",
        shown(&story.queue_id, 255),
        story.queue.name()
    );
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<COLUMN$}{value}");
    };
    line("file", &escape::path(&story.path));
    for state in states(story) {
        line("state", &state);
    }
    let fate = &story.fate;
    line("arrived", &moment(story.arrival, fate.now));
    for origin in origin(story) {
        line("from", &origin);
    }
    line("sender", &sender(story));
    if let Some(target) = &story.redirect {
        let target = shown_address(target, MAX_ADDRESS);
        line(
            "redirected",
            &format!("to {target}, instead of all recipients"),
        );
    }
    if let Some(filter) = &story.filter {
        line("filter", &shown(filter, MAX_ADDRESS));
    }
    line("size", &escape::counted(story.size, "byte"));
    line("tries", &tries(fate));
    line("next", &next(story));
    if let Some(end) = fate.expires {
        let what = match story.sender.as_deref() {
            Some(b"") => "bounce_queue_lifetime",
            _ => "maximal_queue_lifetime",
        };
        line("expires", &format!("{} ({what})", moment(end, fate.now)));
    }
    let _ = writeln!(text, "  {}", counts(story));
    let listed = story.recipients.iter().take(MAX_RECIPIENTS);
    let following = story.recipients.iter().take(MAX_RECIPIENTS).skip(1);
    let following = following.map(|next| next.tried.as_ref()).chain([None]);
    for (recipient, next) in listed.zip(following) {
        recipient_line(recipient, &mut text);
        // What many recipients of one message have in common stands once, behind the last.
        if let Some(tried) = recipient
            .tried
            .as_ref()
            .filter(|tried| Some(*tried) != next)
        {
            tried_lines(tried, &mut text);
        }
    }
    let shown_of = story.recipients.len().min(MAX_RECIPIENTS) as u64;
    let all = story.recipients.len() as u64 + story.unlisted();
    if all > shown_of {
        let more = escape::counted(all - shown_of, "more recipient");
        let _ = writeln!(text, "    and {more}; --json lists them");
    }
    header_lines(story, &mut text);
    body_lines(story, &mut text);
    text
}

/// What is unusual about the file, a line each.
fn states(story: &Story) -> Vec<String> {
    let mode = story.inode.mode;
    let mut states = Vec::new();
    if !story.ready {
        states.push(match mode & 0o700 {
            0o400 => "set aside as damaged (mode 0400); qmgr moves it to corrupt".to_owned(),
            _ => format!("not complete yet: Postfix is writing it (mode {mode:04o})"),
        });
    }
    if story.is_forced_expire() {
        states.push(format!(
            "forced expiry: the next try returns it (postsuper -e, mode {mode:04o})"
        ));
    }
    if story.is_altered() && mode & 0o077 != 0o010 {
        states.push(format!(
            "altered mode {mode:04o}: Postfix takes group and other bits for commands; postsuper -e and \
             postqueue -i set some"
        ));
    }
    if story.misplaced {
        states.push(
            "misplaced: Postfix does not look here; postsuper -s moves it to its place".to_owned(),
        );
    }
    if let Some(fault) = story.fault {
        states.push(format!("{fault}; that stops qmgr"));
    }
    if let Some(damage) = story.damage {
        states.push(format!("damaged: {damage}"));
    }
    states
}

/// Where it came from, a line for each thing that is on record.
fn origin(story: &Story) -> Vec<String> {
    let origin = &story.origin;
    let value = |text: &[u8]| shown(text, MAX_ADDRESS);
    let mut lines = Vec::new();
    if !origin.login.is_empty() {
        let method = match origin.method.as_slice() {
            b"" => String::new(),
            method => format!(" ({})", value(method)),
        };
        lines.push(format!("login {}{method}", value(&origin.login)));
    }
    if !origin.client.is_empty() {
        let mut client = format!("client {}", value(&origin.client));
        if !origin.client_name.is_empty() {
            let _ = write!(client, " ({})", value(&origin.client_name));
        }
        if !origin.helo.is_empty() {
            let _ = write!(client, ", HELO {}", value(&origin.helo));
        }
        if !origin.protocol.is_empty() {
            let _ = write!(client, ", {}", value(&origin.protocol));
        }
        lines.push(client);
    }
    if let Some(user) = origin.user {
        lines.push(format!("user {user} of this host"));
    }
    if lines.is_empty() {
        lines.push("nothing on record".to_owned());
    }
    lines
}

fn sender(story: &Story) -> String {
    match story.sender.as_deref() {
        None => "none on record".to_owned(),
        Some(b"") => "the null sender: a bounce or another notification".to_owned(),
        Some(sender) => shown_address(sender, MAX_ADDRESS),
    }
}

/// A second of the epoch, in local time and from now.
fn moment(at: i64, now: i64) -> String {
    let text = sys::local_time(at).unwrap_or_else(|| at.to_string());
    let age = now.saturating_sub(at);
    match age {
        0.. => format!("{text} ({} ago)", Age(age)),
        _ => format!("{text} (in {})", Age(age.saturating_neg())),
    }
}

fn tries(fate: &Fate) -> String {
    let last = match fate.last_try {
        Some(at) => format!(", the last {}", moment(at, fate.now)),
        None => String::new(),
    };
    match (fate.tries_at_least, fate.tries_at_most) {
        (0, 0) => "none on record".to_owned(),
        (0, _) => {
            "the first, or a later one: Postfix keeps no count and no log while it tries".to_owned()
        }
        (some, most) if some >= most => format!("at least {some}{last}"),
        (some, most) => format!(
            "{some} to {most} by its backoff, more if the queue was flushed (Postfix keeps no count){last}"
        ),
    }
}

fn next(story: &Story) -> String {
    let fate = &story.fate;
    match fate.next {
        Next::Writing => "Postfix completes it, then tries".to_owned(),
        Next::Pickup => "pickup takes it in".to_owned(),
        Next::Queued => "qmgr takes it as soon as active has room".to_owned(),
        Next::Now => "it is being tried".to_owned(),
        Next::At(at) if at <= fate.now => {
            format!("due since {}: the next queue run", moment(at, fate.now))
        }
        Next::At(at) => format!("the first queue run after {}", moment(at, fate.now)),
        Next::Held => "nothing until it is released (postsuper -H)".to_owned(),
        Next::Never => "nothing: Postfix set it aside".to_owned(),
    }
}

fn counts(story: &Story) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (story.waiting, "waiting"),
        (story.replaced, "replaced"),
        (story.done, "done"),
        (story.deleted, "deleted"),
    ] {
        if count > 0 || what == "waiting" {
            parts.push(format!("{count} {what}"));
        }
    }
    format!("recipients: {}", parts.join(", "))
}

fn recipient_line(recipient: &Recipient, text: &mut String) {
    let address = match recipient.address.as_slice() {
        b"" => "the empty address".to_owned(),
        address => shown_address(address, MAX_ADDRESS),
    };
    let original = match &recipient.original {
        Some(original) => format!(" (sent to {})", shown_address(original, MAX_ADDRESS)),
        None => String::new(),
    };
    let state = match recipient.state {
        State::Waiting => "waiting",
        State::Replaced => "replaced: redirected mail is not tried for it",
        State::Bounced => "given up, the sender is not told yet",
        State::Done => "delivered or given up",
        State::Deleted => "deleted by a milter",
    };
    let _ = writeln!(text, "    {address}{original}: {state}");
}

fn tried_lines(tried: &Tried, text: &mut String) {
    let Tried {
        code,
        reason,
        next_hop,
        ..
    } = tried;
    let mut why = String::new();
    if let Some((cause, acts)) = tried.cause {
        let _ = write!(why, "{}, {}", cause.name(), acts_text(acts));
        if !next_hop.is_empty() {
            let _ = write!(why, ", next hop {}", domain::shown(next_hop, 128));
        }
        let _ = writeln!(text, "      {why}");
    }
    let _ = writeln!(
        text,
        "      {} {}",
        shown(code, 16),
        shown(reason, MAX_TEXT)
    );
}

fn acts_text(acts: crate::cause::Acts) -> &'static str {
    use crate::cause::Acts;
    match acts {
        Acts::Us => "we must act",
        Acts::Them => "they must act",
        Acts::Nobody => "nobody needs to act",
        Acts::Both => "one of the two sides must act",
        Acts::Unknown => "nobody knows who must act",
    }
}

fn header_lines(story: &Story, text: &mut String) {
    if story.headers.is_empty() {
        return;
    }
    text.push_str("  headers\n");
    for header in &story.headers {
        let name = shown(&header.name, 64);
        let _ = writeln!(text, "    {name}: {}", shown(&header.value, MAX_TEXT));
    }
    if story.headers_cut {
        text.push_str("    and more than is read\n");
    }
}

fn body_lines(story: &Story, text: &mut String) {
    let Some(body) = &story.body else {
        return;
    };
    text.push_str("  text\n");
    let lines = body.text.strip_suffix(b"\n").unwrap_or(&body.text);
    if !body.text.is_empty() {
        for line in lines.split(|byte| *byte == b'\n') {
            let _ = writeln!(text, "    {}", shown(line, usize::MAX));
        }
    }
    if body.cut {
        text.push_str("    and more\n");
    }
}
