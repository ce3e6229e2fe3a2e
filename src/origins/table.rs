//! Sums by origin, in bounded memory.
//!
//! Strangers choose the names of logins, clients and subjects. The limits keep one table below 64 MiB: an
//! origin beyond them counts among the others, and a distinct sender or domain beyond them is not counted,
//! which makes that figure a lower bound. Hashing is keyed at random, so that nobody can choose names that
//! collide.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

/// How many origins one table holds: with rows and empty sets some 20 MiB.
pub(crate) const MAX_ORIGINS: usize = 50_000;
/// How many bytes of names and queue IDs one table holds.
pub(crate) const MAX_TEXT: usize = 12 << 20;
/// How many distinct senders and domains one table holds over all origins: some 18 bytes each.
pub(crate) const MAX_DISTINCT: usize = 600_000;

/// The sums of one origin.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Messages.
    pub messages: u64,
    /// Recipients still to be delivered.
    pub recipients: u64,
    /// The earliest arrival, in seconds of the epoch.
    pub oldest: i64,
    /// The latest arrival, in seconds of the epoch.
    pub newest: i64,
    /// The queue ID of its oldest message, as an example.
    pub queue_id: Box<[u8]>,
    senders: HashSet<u64>,
    domains: HashSet<u64>,
}

impl Row {
    /// Returns the number of distinct envelope senders.
    pub fn senders(&self) -> u64 {
        self.senders.len() as u64
    }

    /// Returns the number of distinct destination domains.
    pub fn domains(&self) -> u64 {
        self.domains.len() as u64
    }
}

/// The share of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'m> {
    /// Recipients still to be delivered.
    pub recipients: u64,
    /// Its arrival time, in seconds of the epoch.
    pub(crate) arrival: i64,
    /// Its queue ID.
    pub(crate) queue_id: &'m [u8],
    /// Its envelope sender, folded.
    pub(crate) sender: &'m [u8],
}

/// Sums by the kind and the name of an origin.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: HashMap<(u8, Box<[u8]>), Row>,
    text: usize,
    distinct: usize,
    hasher: RandomState,
    /// The number of messages of origins that do not fit into the table.
    pub unlisted: u64,
    /// The number of senders and domains that are not counted as distinct because the table is full.
    pub uncounted: u64,
    /// All messages.
    pub messages: u64,
}

impl Table {
    /// Adds a message of the origin `name` of a `kind`, and its destination domains.
    pub(crate) fn add<'d>(
        &mut self,
        kind: u8,
        name: &[u8],
        part: &Part<'_>,
        domains: impl Iterator<Item = &'d [u8]>,
    ) {
        self.messages += 1;
        let key = (kind, Box::from(name));
        if !self.rows.contains_key(&key) {
            let text = name.len() + part.queue_id.len();
            if self.rows.len() >= MAX_ORIGINS || self.text + text > MAX_TEXT {
                self.unlisted += 1;
                return;
            }
            self.text += text;
        }
        let row = self.rows.entry(key).or_insert_with(|| Row {
            oldest: part.arrival,
            newest: part.arrival,
            queue_id: part.queue_id.into(),
            ..Row::default()
        });
        row.messages += 1;
        row.recipients = row.recipients.saturating_add(part.recipients);
        row.newest = row.newest.max(part.arrival);
        let older = (part.arrival, part.queue_id) < (row.oldest, &row.queue_id);
        // Any order of messages gives the same example if there is room for it.
        let text = self.text - row.queue_id.len() + part.queue_id.len();
        if older && text <= MAX_TEXT {
            self.text = text;
            row.queue_id = part.queue_id.into();
        }
        row.oldest = row.oldest.min(part.arrival);
        let mut add_distinct = |set: &mut HashSet<u64>, name: &[u8]| {
            let hash = self.hasher.hash_one(name);
            if set.contains(&hash) {
                return;
            }
            if self.distinct >= MAX_DISTINCT {
                self.uncounted += 1;
                return;
            }
            self.distinct += 1;
            set.insert(hash);
        };
        add_distinct(&mut row.senders, part.sender);
        for domain in domains {
            add_distinct(&mut row.domains, domain);
        }
    }

    /// Returns the rows with kind and name, most messages first, then by kind and name.
    pub fn rows(&self) -> Vec<(u8, &[u8], &Row)> {
        let mut rows: Vec<(u8, &[u8], &Row)> = self
            .rows
            .iter()
            .map(|((kind, name), row)| (*kind, name.as_ref(), row))
            .collect();
        rows.sort_by(|a, b| {
            b.2.messages
                .cmp(&a.2.messages)
                .then_with(|| (a.0, a.1).cmp(&(b.0, b.1)))
        });
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part<'m>(queue_id: &'m [u8], sender: &'m [u8], arrival: i64) -> Part<'m> {
        Part {
            recipients: 2,
            arrival,
            queue_id,
            sender,
        }
    }

    #[test]
    fn messages_add_up_in_any_order() {
        let all = [
            part(b"B", b"x@a", 20),
            part(b"A", b"y@a", 10),
            part(b"C", b"x@a", 30),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut table = Table::default();
            for place in order {
                table.add(0, b"anna", &all[place], [&b"d"[..], b"e"].into_iter());
            }
            let rows = table.rows();
            let (kind, name, row) = rows[0];
            assert_eq!((rows.len(), kind, name), (1, 0, &b"anna"[..]));
            assert_eq!((row.messages, row.recipients), (3, 6));
            assert_eq!((row.senders(), row.domains()), (2, 2));
            assert_eq!(
                (row.oldest, row.newest, row.queue_id.as_ref()),
                (10, 30, &b"A"[..])
            );
        }
    }

    #[test]
    fn made_up_origins_end_at_the_limits() {
        let mut table = Table::default();
        for n in 0..(MAX_ORIGINS as u64 + 500) {
            let name = n.to_be_bytes();
            table.add(0, &name, &part(b"A", b"s", 1), std::iter::once(&name[..]));
        }
        assert_eq!(table.rows().len(), MAX_ORIGINS);
        assert_eq!(
            (table.unlisted, table.messages),
            (500, MAX_ORIGINS as u64 + 500)
        );
        for n in 0..(MAX_DISTINCT as u64) {
            let domain = [&n.to_be_bytes()[..], b"d"].concat();
            table.add(
                0,
                &0_u64.to_be_bytes(),
                &part(b"A", b"s", 1),
                std::iter::once(&domain[..]),
            );
        }
        assert_eq!(table.distinct, MAX_DISTINCT);
        assert_eq!(table.uncounted, 2 * MAX_ORIGINS as u64);
        let long = vec![b'x'; MAX_TEXT];
        let mut table = Table::default();
        table.add(0, &long, &part(b"A", b"s", 1), std::iter::empty());
        assert_eq!((table.rows().len(), table.unlisted), (0, 1));
    }
}
