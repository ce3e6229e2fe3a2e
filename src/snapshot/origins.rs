//! Messages by login and client: the keys of one table, joined and split.
//!
//! One table holds both, so that it also shows from how many clients a login sent.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{InstanceSnapshot, QueueTables, Snapshot};
use crate::postfix::origin::{Network, Origin, address_of};
use crate::postfix::queue::QueueSet;

/// Writes the key of `origin` to `key`, which is cleared first. Returns false if it has neither a login nor a
/// client.
pub(crate) fn make_key(origin: &Origin, key: &mut Vec<u8>) -> bool {
    key.clear();
    match memchr::memchr(0, &origin.login) {
        None => key.extend_from_slice(&origin.login),
        Some(_) => key.extend(origin.login.iter().filter(|byte| **byte != 0)),
    }
    key.push(0);
    key.extend_from_slice(&origin.client);
    key.len() > 1
}

/// Splits a key into login and client.
fn parts(key: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(0, key).unwrap_or(key.len());
    let (login, rest) = key.split_at(end);
    (login, rest.get(1..).unwrap_or_default())
}

/// The key with another login and client.
pub(crate) fn renamed(
    key: &[u8],
    login: impl Fn(&[u8]) -> Vec<u8>,
    client: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let (old_login, old_client) = parts(key);
    let mut renamed = login(old_login);
    renamed.push(0);
    renamed.extend(client(old_client));
    renamed
}

/// Returns the messages by login over several tables.
pub fn by_login<'t>(tables: impl Iterator<Item = &'t QueueTables>) -> HashMap<&'t [u8], u64> {
    sum(tables, |key| parts(key).0)
}

/// Returns the messages by client address over several tables.
pub fn by_client<'t>(tables: impl Iterator<Item = &'t QueueTables>) -> HashMap<&'t [u8], u64> {
    sum(tables, |key| parts(key).1)
}

/// The `most` names with most messages, the first name first among equals.
pub(crate) fn top(sums: HashMap<&[u8], u64>, most: usize) -> Vec<(&[u8], u64)> {
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    rows.truncate(most);
    rows
}

fn sum<'t>(
    tables: impl Iterator<Item = &'t QueueTables>,
    part: impl Fn(&'t [u8]) -> &'t [u8],
) -> HashMap<&'t [u8], u64> {
    let mut sums = HashMap::new();
    for table in tables {
        for (key, count) in table.origins.iter() {
            let name = part(key);
            if !name.is_empty() {
                *sums.entry(name).or_default() += count;
            }
        }
    }
    sums
}

impl Snapshot {
    /// Returns the number of messages of `total` that have neither a login nor a client on record, as mail of local
    /// users. Those whose file is damaged before it says so are not among them.
    pub fn without_origin(&self) -> u64 {
        let of = |taken: &InstanceSnapshot, queue| {
            let tally = taken.tally(queue);
            let origins = &taken.tables[queue].origins;
            let known: u64 = origins.iter().map(|(_, count)| count).sum();
            let known = known + origins.others;
            let damaged = tally.senderless.max(tally.clientless);
            tally.messages.saturating_sub(known + damaged)
        };
        let instances = self.instances.iter().filter(|taken| taken.wanted.origins);
        instances
            .flat_map(|taken| QueueSet::TOTAL.iter().map(move |queue| of(taken, queue)))
            .sum()
    }
}

/// Returns the number of messages in `table` that the login `name` submitted.
pub(crate) fn of_login(table: &QueueTables, name: &[u8]) -> u64 {
    let of = table.origins.iter().filter(|(key, _)| parts(key).0 == name);
    of.map(|(_, count)| count).sum()
}

/// Returns the number of messages in `table` that came from `network`.
pub(crate) fn of_network(table: &QueueTables, network: &Network) -> u64 {
    let holds = |address: Option<IpAddr>| address.is_some_and(|address| network.contains(address));
    let of = table
        .origins
        .iter()
        .filter(|(key, _)| holds(address_of(parts(key).1)));
    of.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_clients_are_taken_apart_again() {
        let mut table = QueueTables::default();
        let mut key = Vec::new();
        for (login, client) in [
            ("anna", "192.0.2.1"),
            ("anna", "192.0.2.2"),
            ("", "192.0.2.2"),
            ("bob", ""),
            ("", ""),
        ] {
            let mut origin = Origin::default();
            for record in [
                format!("sasl_username={login}"),
                format!("client_address={client}"),
            ] {
                origin.attribute(record.as_bytes());
            }
            if make_key(&origin, &mut key) {
                table.origins.add(&key, &1);
            }
        }
        assert_eq!(table.origins.len(), 4);
        let tables = || std::iter::once(&table);
        assert_eq!(
            by_login(tables()),
            HashMap::from([(&b"anna"[..], 2), (b"bob", 1)])
        );
        assert_eq!(
            by_client(tables()),
            HashMap::from([(&b"192.0.2.1"[..], 1), (b"192.0.2.2", 2)])
        );
        assert_eq!((of_login(&table, b"anna"), of_login(&table, b"")), (2, 1));
        let network = Network::parse(b"192.0.2.0/24").unwrap();
        assert_eq!(of_network(&table, &network), 3);
    }
}
