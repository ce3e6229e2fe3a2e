//! The words after the breaches: who acts, why, how much, for whom, since when.
//!
//! `ours: 127.0.0.1:10024 refuses connections; 850 deferred to 164 domains since 14:02` or
//! `theirs: 4100 to bigmail.example throttled (4.7.28); oldest 6h 2m`. They are made from the delay
//! reasons that the snapshot has, all or a sample. Without any there are no words.

use std::collections::{HashMap, HashSet};

use super::moment::moment;
use crate::cause::Cause;
use crate::cause::parts::{self, Said};
use crate::clock::Age;
use crate::escape;
use crate::measure::{Argument, Kind, Subject};
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::{Finding, State};
use crate::snapshot::reasons::{Reason, Reasons};
use crate::snapshot::spread::Spread;
use crate::snapshot::{InstanceSnapshot, Sample, Snapshot};

/// Bytes of the first line that a pager shows.
const LINE: usize = 160;
/// Bytes of a name of a domain or a next hop.
const NAME: usize = 48;
/// Bytes of a reason that is quoted.
const QUOTE: usize = 60;
/// Bytes of a reply that is quoted after the name of a next hop.
const SAID: usize = 40;

/// The reason of a loop (smtp_addr.c), as the tables of reasons have it.
const LOOP: &[u8] = b"mail for HOST loops back to myself";

/// Recipients that wait for one cause and one next hop.
#[derive(Default)]
struct Group<'r> {
    rows: Vec<&'r Reason>,
    recipients: u64,
}

/// The words for `findings` after a first line that has `length` bytes already; `None` if no delay reason
/// is known.
pub(super) fn words(snapshot: &Snapshot, findings: &[Finding], length: usize) -> Option<String> {
    let worst = findings.iter().find(|one| one.state != State::Unknown)?;
    let (measure, figure) = (&worst.rule.parts.first().measure, worst.figures.first());
    // Reasons explain mail that waits, not a full disk or a daemon that does not run.
    if !matches!(
        measure.subject,
        Subject::Queue(Queue::Deferred) | Subject::Backlog | Subject::Total
    ) {
        return None;
    }
    let (reasons, sampled) = known(snapshot);
    let choice = worst.rule.condition.choice();
    let chosen =
        |row: &&Reason| choice.is_none_or(|choice| choice.takes(measure, row, &reasons.spreads));
    let about = |row: &&Reason| match (measure.kind, &measure.argument) {
        (Kind::Cause, Argument::Name(name)) if choice.is_none() => row.is_of_cause(name),
        (Kind::Domain, Argument::Name(name)) => {
            escape::domain::is_same(&row.domain, name.as_bytes())
        }
        (Kind::TopDomain, _) => figure
            .detail
            .as_ref()
            .is_none_or(|name| escape::domain::printable(&row.domain, escape::MAX_SHOWN) == *name),
        _ => true,
    };
    let rows = reasons.rows.iter().filter(chosen);
    let rows: Vec<&Reason> = rows.filter(about).collect();
    let group = commonest(&rows)?;
    let full = Text {
        snapshot,
        group: &group,
        spreads: &reasons.spreads,
        sampled,
    };
    let long = full.long();
    Some(match length + long.len() > LINE {
        true => full.short(),
        false => long,
    })
}

/// What is known of the reasons of deferred mail, and whether that is a part.
fn known(snapshot: &Snapshot) -> (Reasons, bool) {
    let reasons = snapshot.sampled_reasons(QueueSet::from(Queue::Deferred));
    let is_part = |taken: &InstanceSnapshot| taken.sample().is_some_and(Sample::is_part);
    (reasons, snapshot.instances.iter().any(is_part))
}

/// The group with most recipients. Ours come first, because we can end them.
fn commonest<'r>(rows: &[&'r Reason]) -> Option<Group<'r>> {
    let mut groups: HashMap<(bool, Cause, &[u8]), Group<'r>> = HashMap::new();
    for row in rows {
        // What is spread has as many next hops as destinations.
        let is_spread = row.cause.is_ours_when_spread() || row.cause == Cause::Blocked;
        let hop = match is_spread && !row.own_hop {
            true => &b""[..],
            false => &row.next_hop,
        };
        let ours = row.acts.is_ours();
        let group = groups.entry((ours, row.cause, hop)).or_default();
        group.recipients += row.recipients;
        group.rows.push(row);
    }
    let all: u64 = groups.values().map(|group| group.recipients).sum();
    let rank = |key: &(bool, Cause, &[u8]), group: &Group<'_>| {
        // Some of ours do not explain a queue that is mostly theirs.
        let weighs = key.0 && group.recipients * 4 >= all;
        (
            weighs,
            group.recipients,
            std::cmp::Reverse((key.1, key.2.to_vec())),
        )
    };
    let best = groups
        .into_iter()
        .max_by(|a, b| rank(&a.0, &a.1).cmp(&rank(&b.0, &b.1)))?;
    Some(best.1)
}

struct Text<'t> {
    snapshot: &'t Snapshot,
    group: &'t Group<'t>,
    spreads: &'t [Spread],
    sampled: bool,
}

impl Text<'_> {
    fn first(&self) -> &Reason {
        self.group.rows[0]
    }

    fn is_ours(&self) -> bool {
        self.first().acts.is_ours()
    }

    fn long(&self) -> String {
        let short = self.short();
        if self.is_ours() {
            return format!("{short} {}", self.since());
        }
        let oldest = self.group.rows.iter().filter_map(|row| row.oldest).min();
        let age = oldest.map(|at| Age(self.snapshot.now.saturating_sub(at).max(0)));
        age.map_or_else(|| short.clone(), |age| format!("{short}; oldest {age}"))
    }

    fn short(&self) -> String {
        if self.is_ours() {
            return format!("ours: {}; {}", self.what(), self.how_much());
        }
        let row = self.first();
        let code = escape::printable(&row.code, 16);
        format!(
            "{}: {}{} to {} {} ({code})",
            whose(row),
            self.at_least(),
            self.group.recipients,
            self.domains(),
            state(row.cause),
        )
    }

    fn at_least(&self) -> &'static str {
        match self.sampled {
            true => "at least ",
            false => "",
        }
    }

    /// `850 deferred to 164 domains`
    fn how_much(&self) -> String {
        let (count, bound) = (self.group.recipients, self.at_least());
        format!("{bound}{count} deferred to {}", self.domains())
    }

    /// `since 14:02`
    fn since(&self) -> String {
        let oldest = self.group.rows.iter().filter_map(|row| row.oldest).min();
        oldest.map_or_else(String::new, |at| {
            format!("since {}", moment(at, self.snapshot.now))
        })
    }

    fn domains(&self) -> String {
        let names = self.group.rows.iter().map(|row| row.domain.as_slice());
        let names: HashSet<&[u8]> = names.collect();
        match names.len() {
            1 => escape::domain::printable(&self.first().domain, NAME),
            count => format!("{count} domains"),
        }
    }

    /// How many next hops its rows are about.
    fn hops(&self) -> usize {
        let names = self.group.rows.iter().map(|row| row.next_hop.as_slice());
        names.collect::<HashSet<_>>().len()
    }

    /// What is wrong here: `127.0.0.1:10024 refuses connections`.
    fn what(&self) -> String {
        let row = self.first();
        let hop = match row.next_hop.as_slice() {
            b"" => None,
            name => Some(escape::domain::printable(name, NAME)),
        };
        let spread = self.spreads.iter().find(|spread| spread.cause == row.cause);
        let many = spread.filter(|_| !row.own_hop);
        let many = many.map(|spread| spread.destinations);
        match (row.cause, hop, many) {
            (Cause::Dns, _, Some(1)) => "the name of a domain cannot be looked up".to_owned(),
            (Cause::Dns, _, Some(many)) => {
                format!("the names of {many} unrelated domains cannot be looked up")
            }
            (Cause::Unreachable | Cause::Network, _, Some(many)) => {
                let many = escape::counted(many as u64, "unrelated domain");
                format!("no server of {many} can be reached")
            }
            (Cause::Dns, Some(hop), None) => format!("the name {hop} cannot be looked up"),
            (Cause::Network, _, None) => "no route".to_owned(),
            (Cause::Authentication, Some(hop), _) => format!("{hop} refuses our login"),
            (Cause::Blocked, Some(hop), _) => match self.hops() {
                1 => format!("{hop} refuses us"),
                count => format!("{count} servers refuse us"),
            },
            (Cause::Storage, _, _) => "no space on this host".to_owned(),
            (Cause::Tls, Some(hop), _) => format!("no TLS as required with {hop}"),
            (Cause::Relay, Some(hop), _) => format!("relay {hop} {}", failure(&row.reason)),
            (_, Some(hop), _) => format!("{hop} {}", failure(&row.reason)),
            // The placeholder of the reason says nothing.
            (_, None, _) if row.reason == LOOP => {
                format!("mail for {} loops back to myself", self.domains())
            }
            (_, None, _) => escape::printable(&row.reason, QUOTE),
        }
    }
}

fn whose(row: &Reason) -> &'static str {
    match row.acts.is_theirs() {
        true => "theirs",
        false => "unclear",
    }
}

/// What a server or socket of ours does, by the words of the reason: `refuses connections`, or what it says.
fn failure(reason: &[u8]) -> String {
    const WORDS: [(&[u8], &str); 9] = [
        (b"Connection refused", "refuses connections"),
        (b"No such file", "does not exist"),
        (b"Permission denied", "may not be opened"),
        (b"timed out", "does not answer"),
        (b"lost connection", "hangs up"),
        (b"refused to talk", "refuses to talk"),
        (b"No route", "cannot be reached"),
        (b"unreachable", "cannot be reached"),
        (b"reset by peer", "hangs up"),
    ];
    let found = WORDS
        .iter()
        .find(|(words, _)| memchr::memmem::find(reason, words).is_some());
    match (found, saying(reason)) {
        (_, Some(text)) if !text.is_empty() => {
            format!("says \"{}\"", escape::printable(text, SAID))
        }
        (Some((_, text)), _) => (*text).to_owned(),
        _ => "fails".to_owned(),
    }
}

/// The words of a reply that `reason` quotes, without the codes and the recipient before them.
fn saying(reason: &[u8]) -> Option<&[u8]> {
    let parts = parts::split(reason);
    if parts.said != Said::Reply {
        return None;
    }
    let mut text = parts.text.trim_ascii();
    while !text.is_empty() {
        let end = memchr::memchr(b' ', text).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let is_code = word
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'#'));
        if !is_code && !word.starts_with(b"ADDRESS") && !word.starts_with(b"<ADDRESS") {
            break;
        }
        text = rest.trim_ascii_start();
    }
    Some(text)
}

/// What mail of this cause is: `throttled`.
fn state(cause: Cause) -> &'static str {
    match cause {
        Cause::Throttled => "throttled",
        Cause::Greylisted => "greylisted",
        Cause::Unreachable => "unreachable",
        Cause::Busy => "refused for now",
        Cause::Mailbox => "mailbox full",
        Cause::Recipient => "recipient unknown",
        Cause::Dns => "not found in DNS",
        Cause::Tls => "without TLS",
        other => other.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Acts;

    fn row(cause: Cause, acts: Acts, domain: &str, hop: &str, recipients: u64) -> Reason {
        Reason {
            cause,
            acts,
            domain: domain.into(),
            next_hop: hop.into(),
            code: b"4.7.28".to_vec(),
            reason: b"connect to HOST[IP]:10024: Connection refused".to_vec(),
            recipients,
            oldest: Some(1_795_461_304 - 21_720),
            ..Reason::default()
        }
    }

    fn text(rows: &[Reason]) -> (String, String) {
        let snapshot = Snapshot::empty(1_795_461_304);
        let refs: Vec<&Reason> = rows.iter().collect();
        let group = commonest(&refs).unwrap();
        let text = Text {
            snapshot: &snapshot,
            group: &group,
            spreads: &[],
            sampled: false,
        };
        (text.long(), text.short())
    }

    #[test]
    fn ours_says_what_is_wrong_here() {
        let hop = "127.0.0.1:10024";
        let (long, short) = text(&[
            row(Cause::Filter, Acts::Us, "a.example", hop, 800),
            row(Cause::Filter, Acts::Us, "b.example", hop, 50),
        ]);
        let wanted = "ours: 127.0.0.1:10024 refuses connections; 850 deferred to 2 domains";
        assert_eq!(short, wanted);
        assert!(long.starts_with(&format!("{wanted} since ")), "{long}");
    }

    #[test]
    fn ours_says_what_a_next_hop_says() {
        let said = |cause, hop, reason: &str| {
            let mut row = row(cause, Acts::Us, "a.example", hop, 3);
            row.reason = reason.into();
            text(&[row]).1
        };
        for (reply, words) in [
            (
                "454 4.7.1 ADDRESS: Relay access denied",
                "says \"Relay access denied\"",
            ),
            (
                "421-4.3.0 <ADDRESS>: connection refused",
                "says \"connection refused\"",
            ),
            ("421 4.3.2 ", "fails"),
        ] {
            let reason = format!("host HOST[IP] said: {reply} (in reply to RCPT TO command)");
            assert_eq!(
                said(Cause::Relay, "relay.example.net", &reason),
                format!("ours: relay relay.example.net {words}; 3 deferred to a.example")
            );
        }
        assert_eq!(
            said(
                Cause::Tls,
                "mx.a.example",
                "TLS is required, but was not offered by host HOST[IP]"
            ),
            "ours: no TLS as required with mx.a.example; 3 deferred to a.example"
        );
        assert_eq!(
            said(
                Cause::Configuration,
                "",
                "mail for HOST loops back to myself"
            ),
            "ours: mail for a.example loops back to myself; 3 deferred to a.example"
        );
    }

    #[test]
    fn theirs_says_for_whom_and_how_old() {
        let (long, _) = text(&[row(
            Cause::Throttled,
            Acts::Nobody,
            "bigmail.example",
            "mx.bigmail.example",
            4100,
        )]);
        assert_eq!(
            long,
            "theirs: 4100 to bigmail.example throttled (4.7.28); oldest 6h 2m"
        );
    }

    #[test]
    fn a_few_of_ours_do_not_hide_thousands_of_theirs() {
        let few = row(Cause::Filter, Acts::Us, "a.example", "x", 3);
        let many = row(Cause::Busy, Acts::Them, "b.example", "y", 5000);
        assert!(text(&[few.clone(), many]).1.starts_with("theirs: 5000"));
        let some = row(Cause::Busy, Acts::Them, "b.example", "y", 9);
        assert!(text(&[few, some]).1.starts_with("ours: x"));
    }
}
