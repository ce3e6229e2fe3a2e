//! The destination domains that metrics name: those that somebody asks for, and the few with the most recipients.
//!
//! Each name is a series for each column of age and each queue, and strangers choose the names of domains.
//! So the numbers of names are bounded, and all other domains share one row, `OTHER`.

use std::collections::{BTreeMap, BTreeSet};

use super::InstanceSnapshot;
use super::ages::Ages;
use super::name_counts::Names;
use crate::escape::{self, domain};
use crate::postfix::queue::{Queue, QueueSet};

/// The most domains that may be asked for by name.
pub(crate) const MAX_NAMED: usize = 100;
/// The most domains that may be named because they have most.
pub(crate) const MAX_TOP: usize = 100;
/// The row of all other domains. A domain of that very name is counted there too, and one without a name, since
/// an empty label is none.
pub(crate) const OTHER: &str = "other";
/// Bytes of a domain name that are shown; DNS allows no more.
const MAX_SHOWN: usize = 255;

/// Which destination domains are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedDomains {
    /// As they are shown.
    names: BTreeSet<String>,
    top: usize,
}

/// A domain as it is shown: in lower case, with A-labels, without a dot at the end.
fn shown(name: &[u8]) -> String {
    let name = name.strip_suffix(b".").unwrap_or(name);
    escape::printable(&domain::canonical(name), MAX_SHOWN)
}

impl NamedDomains {
    /// Names the domain `name`. Returns false if there are [`MAX_NAMED`] already.
    pub(crate) fn name(&mut self, name: &str) -> bool {
        self.names.insert(shown(name.as_bytes()));
        self.names.len() <= MAX_NAMED
    }

    /// Names the `most` domains that have most recipients in the queues of `total`, at most [`MAX_TOP`].
    pub(crate) fn name_top(&mut self, most: usize) {
        self.top = most.min(MAX_TOP);
    }

    /// Returns true if no domain is named.
    pub fn is_none(&self) -> bool {
        self.names.is_empty() && self.top == 0
    }

    /// The rows of each queue of `taken`: every named domain, with zeros, and [`OTHER`].
    pub(crate) fn rows(&self, taken: &InstanceSnapshot) -> Vec<(Queue, BTreeMap<String, Ages>)> {
        let queues = QueueSet::TOTAL.iter();
        let queues: Vec<Queue> = queues
            .filter(|queue| taken.plan.depth(*queue).is_some())
            .collect();
        let mut names = self.names.clone();
        if self.top > 0 {
            let tables = queues.iter().map(|queue| &taken.tables[*queue].domains);
            let all = Names::together(tables, usize::MAX);
            // Different names may be shown alike: then they are one row, and there are fewer.
            names.extend(all.top(self.top).iter().map(|(name, _)| shown(name)));
        }
        for none in [OTHER, ""] {
            names.remove(none);
        }
        let rows_of = |queue: &Queue| {
            let table = &taken.tables[*queue].domains;
            let mut rows: BTreeMap<String, Ages> = names
                .iter()
                .map(|name| (name.clone(), Ages::default()))
                .collect();
            let mut other = table.others;
            for (name, ages) in table.iter() {
                *rows.get_mut(&shown(name)).unwrap_or(&mut other) += ages;
            }
            rows.insert(OTHER.to_owned(), other);
            (*queue, rows)
        };
        queues.iter().map(rows_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_dns_spells_it() {
        for (name, wanted) in [
            (&b"B.Example."[..], "b.example"),
            ("b\u{fc}cher.example".as_bytes(), "xn--bcher-kva.example"),
            (b"XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            (b"a\"b$\n", "a\"b??"),
        ] {
            assert_eq!(shown(name), wanted);
        }
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let mut named = NamedDomains::default();
        assert!(named.is_none());
        for number in 0..MAX_NAMED {
            assert!(named.name(&format!("d{number}.example")));
        }
        assert!(named.name("D1.example"), "one that is there");
        assert!(!named.name("more.example"));
        named.name_top(MAX_TOP + 1);
        assert_eq!(named.top, MAX_TOP);
    }
}
