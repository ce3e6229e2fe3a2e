//! SASL logins of deferred mail, as the default rule on one login counts them.
//!
//! Mail that is throttled or greylisted ends its wait by itself: a newsletter is quiet. A stolen password is
//! not used like one. It sends as many senders, or from many clients, and providers throttle it first of
//! all. So the mail of such a login counts whatever its cause.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash as _, Hasher as _};

/// From this number of senders or clients on, all mail of a login counts.
pub(crate) const MANY_IDENTITIES: usize = 10;
/// The most logins that are held. A sample has fewer.
const MOST: usize = 10_000;

/// The mail of one login.
#[derive(Clone, Debug, Default)]
struct Use {
    messages: u64,
    /// Messages that wait for a cause which does not end by waiting.
    impatient: u64,
    senders: Few,
    clients: Few,
}

/// Up to [`MANY_IDENTITIES`] different names, as hashes: the smallest, so that the order does not matter.
#[derive(Clone, Debug, Default)]
struct Few(BTreeSet<u64>);

impl Few {
    fn add(&mut self, hash: u64) {
        self.0.insert(hash);
        if self.0.len() > MANY_IDENTITIES {
            self.0.pop_last();
        }
    }

    fn are_many(&self) -> bool {
        self.0.len() >= MANY_IDENTITIES
    }
}

/// The logins of one queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logins(HashMap<Box<[u8]>, Use>);

impl Logins {
    /// Counts a message of `login`. `impatient`: it waits for a cause that does not end by waiting.
    pub(crate) fn add(&mut self, login: &[u8], sender: &[u8], client: &[u8], impatient: bool) {
        if !self.0.contains_key(login) {
            if self.0.len() >= MOST {
                return;
            }
            self.0.insert(login.into(), Use::default());
        }
        if let Some(one) = self.0.get_mut(login) {
            one.messages += 1;
            one.impatient += u64::from(impatient);
            one.senders.add(hash(base(sender)));
            if !client.is_empty() {
                one.clients.add(hash(client));
            }
        }
    }

    /// Adds the logins of another thread.
    pub(crate) fn merge(&mut self, other: Logins) {
        for (login, other) in other.0 {
            if self.0.len() >= MOST && !self.0.contains_key(&login) {
                continue;
            }
            let one = self.0.entry(login).or_default();
            one.messages += other.messages;
            one.impatient += other.impatient;
            other
                .senders
                .0
                .iter()
                .for_each(|name| one.senders.add(*name));
            other
                .clients
                .0
                .iter()
                .for_each(|name| one.clients.add(*name));
        }
    }

    /// The same under the names that `rename` gives.
    #[must_use]
    pub(crate) fn renamed(&self, rename: impl Fn(&[u8]) -> Vec<u8>) -> Logins {
        let rows = self.0.iter();
        Logins(
            rows.map(|(login, one)| (rename(login).into(), one.clone()))
                .collect(),
        )
    }

    /// Each login with the messages that count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.0.iter().map(|(login, one)| {
            let all = one.senders.are_many() || one.clients.are_many();
            (&**login, if all { one.messages } else { one.impatient })
        })
    }
}

fn hash(name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The part of a sender address that is the same in each copy of a mailing: a newsletter writes the recipient
/// or a number behind the first `+`, `-` or `=` of the local part (VERP). The domain is left out for such a
/// sender, which keeps a newsletter's name.
fn base(sender: &[u8]) -> &[u8] {
    let end = sender
        .iter()
        .position(|byte| matches!(byte, b'+' | b'-' | b'='));
    match end {
        Some(end @ 1..) if sender[end..].contains(&b'@') => &sender[..end],
        _ => sender,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(logins: &Logins, name: &[u8]) -> u64 {
        logins
            .iter()
            .find(|(login, _)| *login == name)
            .map_or(0, |(_, count)| count)
    }

    #[test]
    fn mail_that_waits_for_its_time_counts_only_with_many_identities() {
        let mut logins = Logins::default();
        for number in 0..50 {
            let verp = format!("news+{number}=to@shop.example");
            logins.add(b"news", verp.as_bytes(), b"192.0.2.1", false);
            let sender = format!("user{}@corp.example", number % 10);
            logins.add(b"senders", sender.as_bytes(), b"192.0.2.2", false);
            let client = format!("198.51.100.{}", number % 10);
            logins.add(b"clients", b"me@corp.example", client.as_bytes(), false);
            let client = format!("198.51.100.{}", number % 9);
            logins.add(b"few", b"me@corp.example", client.as_bytes(), number < 3);
        }
        assert_eq!(count(&logins, b"news"), 0);
        assert_eq!(count(&logins, b"senders"), 50);
        assert_eq!(count(&logins, b"clients"), 50);
        assert_eq!(count(&logins, b"few"), 3);
    }

    #[test]
    fn the_order_of_threads_does_not_matter() {
        let (mut one, mut two) = (Logins::default(), Logins::default());
        for number in 0..30 {
            let sender = format!("user{number}@corp.example");
            let logins = if number % 2 == 0 { &mut one } else { &mut two };
            logins.add(b"x", sender.as_bytes(), b"", number == 0);
        }
        let mut turned = two.clone();
        turned.merge(one.clone());
        one.merge(two);
        assert_eq!(count(&one, b"x"), 30);
        assert_eq!(count(&turned, b"x"), 30);
    }

    #[test]
    fn no_more_logins_are_held_than_named() {
        let mut logins = Logins::default();
        for number in 0..MOST + 5 {
            logins.add(number.to_string().as_bytes(), b"", b"", true);
        }
        assert_eq!(logins.iter().count(), MOST);
    }
}
