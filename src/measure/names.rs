//! Figures from the tables of names: the name that has most, and the messages of one sender.

use std::collections::HashMap;

use super::Figure;
use crate::escape;
use crate::postfix::address;
use crate::snapshot::QueueTables;
use crate::snapshot::name_counts::{Count, Names};

/// The number of messages from a sender address, or from all addresses of a domain.
pub(super) fn from_sender(table: &QueueTables, name: &str) -> u64 {
    if name.contains('@') {
        let folded = name.to_ascii_lowercase();
        return table.senders.get(folded.as_bytes()).copied().unwrap_or(0);
    }
    let (mut folded, mut domain) = (Vec::new(), Vec::new());
    address::destination_domain(name.as_bytes(), &mut folded);
    table
        .senders
        .iter()
        .filter(|(sender, _)| {
            address::destination_domain(sender, &mut domain);
            escape::domain::is_same(&folded, &domain)
        })
        .map(|(_, count)| count)
        .sum()
}

/// The most frequent name over several tables, and its count.
pub(super) fn top<'a, C: Count + 'a>(tables: impl Iterator<Item = &'a Names<C>>) -> Figure {
    let mut sums: HashMap<&[u8], u64> = HashMap::new();
    let mut complete = true;
    for table in tables {
        complete &= table.is_complete();
        for (name, count) in table.iter() {
            *sums.entry(name).or_default() += count.total();
        }
    }
    let best = sums
        .into_iter()
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)));
    let mut figure = Figure::count(best.map_or(0, |(_, count)| count), complete);
    figure.detail = best.map(|(name, _)| shown_address(name));
    figure
}

/// The login or client that has most, and its count.
pub(super) fn top_origin(sums: &HashMap<&[u8], u64>, complete: bool) -> Figure {
    let best = sums
        .iter()
        .max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
    let mut figure = Figure::count(best.map_or(0, |(_, count)| *count), complete);
    figure.detail = best.map(|(name, _)| shown_login(name));
    figure
}

/// An address or a domain in a figure.
pub(super) fn shown_address(name: &[u8]) -> String {
    escape::domain::printable_address(name, escape::MAX_SHOWN)
}

/// A login or a client in a figure.
pub(super) fn shown_login(name: &[u8]) -> String {
    escape::printable(name, escape::MAX_SHOWN)
}

/// The name that has most, as `shown` prints it, and its count.
pub(super) fn most(sums: HashMap<&[u8], u64>, shown: fn(&[u8]) -> String) -> Figure {
    let best = sums
        .into_iter()
        .max_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(a.0)));
    Figure {
        detail: best.map(|(name, _)| shown(name)),
        ..Figure::exact(best.map_or(0.0, |(_, count)| count as f64))
    }
}
