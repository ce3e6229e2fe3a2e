//! A snapshot and its verdict without the names of people, for a report that goes to a public ticket.
//!
//! The tables get tokens for names before anything is written, so every part of the page has them: findings,
//! commands to run, tables. What stays is what [`crate::anonymize`] says: domains, queue IDs, figures; and the
//! paths of this host, which name no person.

use std::sync::Arc;

use crate::anonymize::Anonymizer;
use crate::measure::{Argument, Kind, Measure, Quality};
use crate::postfix::queue::Queue;
use crate::rules::{Rule, Verdict, figure};
use crate::snapshot::{PinnedFigure, Snapshot, Tables, origins, reasons};

/// Replaces the names in `snapshot`, and in `verdict`, which judged it before.
pub fn anonymized(anonymizer: &Anonymizer, snapshot: &mut Snapshot, verdict: &mut Verdict) {
    snapshot.pinned = pinned(anonymizer, snapshot, verdict);
    for taken in &mut snapshot.instances {
        let mut tables = Tables::default();
        for queue in Queue::ALL {
            let table = &mut tables[queue];
            *table = taken.tables[queue].clone();
            table.senders = table.senders.renamed(|name| anonymizer.address(name));
            table.domains = table.domains.renamed(|name| anonymizer.destination(name));
            table.oldest = table.oldest.renamed(|name| anonymizer.destination(name));
            table.codes = table.codes.renamed(|code| anonymizer.code(code));
            table.origins = table.origins.renamed(|key| origin(anonymizer, key));
            table.reasons = table.reasons.renamed(|key| reason(anonymizer, key));
        }
        taken.tables = Arc::new(tables);
        for one in &mut taken.misowned {
            one.fault = anonymizer.owner_fault(one.fault);
        }
        let sender = |name: &[u8]| anonymizer.address(name);
        let login = |login: &[u8]| token(anonymizer, Kind::Login, login);
        taken.delayed_mail = taken.delayed_mail.renamed(sender, login);
        if let Some(sampled) = &mut taken.sampled {
            let reason = |key: &[u8]| reason(anonymizer, key);
            *sampled = Arc::new(sampled.renamed(reason, sender, login));
        }
    }
    for finding in &mut verdict.findings {
        let condition = finding.rule.condition;
        let parts = finding.rule.parts.iter().zip(finding.figures.iter_mut());
        for (part, of) in parts.filter(|(part, _)| names_top(part.measure.kind)) {
            // The same figure; its detail names a token now.
            of.detail = figure(&part.measure, condition, snapshot).detail;
        }
        rename_all(anonymizer, &mut finding.rule);
    }
    for rule in &mut verdict.rules {
        rename_all(anonymizer, rule);
    }
}

/// The figures of rules on clients, of all instances and of each. A token matches no network.
fn pinned(anonymizer: &Anonymizer, snapshot: &Snapshot, verdict: &Verdict) -> Vec<PinnedFigure> {
    let parts = verdict.rules.iter().flat_map(|rule| rule.parts.iter());
    let of_clients = parts.filter(|part| part.measure.kind == Kind::Client);
    let mut pinned = Vec::new();
    for part in of_clients {
        let instances = snapshot.instances.iter().map(|taken| &taken.instance.name);
        let own = part.measure.instance.clone();
        for instance in std::iter::once(own).chain(instances.cloned().map(Some)) {
            let mut measure = Measure {
                instance,
                ..part.measure.clone()
            };
            let figure = measure.evaluate(snapshot);
            if figure.quality == Quality::Unknown {
                continue;
            }
            rename(anonymizer, &mut measure);
            pinned.push(PinnedFigure {
                measure: measure.to_string(),
                value: figure.value,
                whole: figure.quality == Quality::Exact,
            });
        }
    }
    pinned
}

/// Returns true if the detail of such a figure has a name.
fn names_top(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::TopSender | Kind::TopLogin | Kind::TopClient | Kind::TopDomain | Kind::Misowned
    )
}

fn rename_all(anonymizer: &Anonymizer, rule: &mut Rule) {
    for part in rule.parts.iter_mut() {
        rename(anonymizer, &mut part.measure);
    }
}

/// Replaces the name that a measure is about.
fn rename(anonymizer: &Anonymizer, measure: &mut Measure) {
    if let Argument::Name(name) = &mut measure.argument {
        let kind = measure.kind;
        if matches!(
            kind,
            Kind::Sender | Kind::Login | Kind::Client | Kind::Domain
        ) {
            let renamed = token(anonymizer, kind, name.as_bytes());
            *name = String::from_utf8_lossy(&renamed).into_owned();
        }
    }
}

fn token(anonymizer: &Anonymizer, kind: Kind, name: &[u8]) -> Vec<u8> {
    use crate::origins::Grouping;
    match kind {
        Kind::Sender if name.contains(&b'@') => anonymizer.address(name),
        Kind::Sender | Kind::Domain => anonymizer.destination(name),
        Kind::Client => anonymizer.origin(Grouping::Client, 0, name),
        _ => anonymizer.origin(Grouping::Login, 0, name),
    }
}

/// A key of the table of origins.
fn origin(anonymizer: &Anonymizer, key: &[u8]) -> Vec<u8> {
    origins::renamed(
        key,
        |login| token(anonymizer, Kind::Login, login),
        |client| token(anonymizer, Kind::Client, client),
    )
}

/// A key of the table of reasons.
fn reason(anonymizer: &Anonymizer, key: &[u8]) -> Vec<u8> {
    reasons::renamed(key, |row| {
        row.domain = anonymizer.destination(&row.domain);
        row.code = anonymizer.code(&row.code);
        row.reason = anonymizer.text(&row.reason);
        row.next_hop = anonymizer.text(&row.next_hop);
    })
}
