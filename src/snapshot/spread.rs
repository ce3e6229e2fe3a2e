//! Spread: whether a cause that is mostly theirs is ours this time.
//!
//! If one destination cannot be reached, that destination has the problem. If [`MANY`] unrelated destinations in a row
//! cannot be looked up or reached, the fault is on our side: the resolver, the route, port 25. A queue
//! shows no deliveries, so an answer of any server elsewhere stands for success: only destinations that
//! were tried after the last such answer count. Half of them must have mail of the last day
//! (`FRESH`): the mistyped domains that lie in every queue for five days are spread over those days.
//! The cause stays; who acts changes.

use std::collections::HashMap;

use super::reasons::Reason;
use crate::cause::{Acts, Cause};

/// From this number of unrelated destinations on, a cause is ours.
pub(crate) const MANY: usize = 10;
/// Mail that arrived within this many seconds shows that the fault still exists.
pub(crate) const FRESH: i64 = 86_400;

/// A cause that became ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The cause.
    pub(crate) cause: Cause,
    /// Unrelated destinations that have it and were tried since the last answer.
    pub(crate) destinations: usize,
    /// When a server elsewhere last answered, in seconds of the epoch, if one is on record.
    pub(crate) last_answer: Option<i64>,
}

impl Spread {
    /// Why the cause is ours, in one sentence; `clock` spells a second of the epoch.
    pub fn sentence(&self, clock: impl Fn(i64) -> String) -> String {
        let answer = match self.last_answer {
            Some(at) => format!("the last answer from elsewhere was at {}", clock(at)),
            None => "no server elsewhere has answered".to_owned(),
        };
        format!(
            "{} is ours: {} unrelated destinations have it, and {answer}",
            self.cause.name(),
            self.destinations
        )
    }
}

/// The causes among `rows` that are ours by spread, at the second `now`.
pub(crate) fn spreads(rows: &[Reason], now: i64) -> Vec<Spread> {
    let answered = rows.iter().filter(|row| row.answered);
    let last_answer = answered.filter_map(|row| row.tried).max();
    let causes = Cause::ALL.into_iter();
    let causes = causes.filter(|cause| cause.is_ours_when_spread());
    causes
        .filter_map(|cause| {
            // By the destinations' registered names: whether one has mail that is fresh.
            let mut families: HashMap<&[u8], bool> = HashMap::new();
            let after = |row: &&Reason| match (row.tried, last_answer) {
                (Some(tried), Some(answer)) => tried > answer,
                (_, None) => true,
                (None, Some(_)) => false,
            };
            for row in rows.iter().filter(|row| row.cause == cause).filter(after) {
                let fresh = row.newest.is_some_and(|at| now.saturating_sub(at) <= FRESH);
                *families.entry(family(&row.domain)).or_default() |= fresh;
            }
            let fresh = families.values().filter(|fresh| **fresh).count();
            (families.len() >= MANY && fresh * 2 >= families.len()).then_some(Spread {
                cause,
                destinations: families.len(),
                last_answer,
            })
        })
        .collect()
}

/// Makes the rows of each cause in `spreads` ours.
pub(crate) fn promote(rows: &mut [Reason], spreads: &[Spread]) {
    for row in rows {
        if spreads.iter().any(|spread| spread.cause == row.cause) {
            row.acts = Acts::Us;
        }
    }
}

/// The part of a domain that one owner registered, as far as its form tells: the last two labels, or
/// three where the second is short below a country's (`co.uk`).
fn family(domain: &[u8]) -> &[u8] {
    let mut labels = domain.rsplitn(4, |byte| *byte == b'.');
    let (top, second, third) = (labels.next(), labels.next(), labels.next());
    let (Some(top), Some(second)) = (top, second) else {
        return domain;
    };
    let mut length = top.len() + 1 + second.len();
    if let (2, ..=3, Some(third)) = (top.len(), second.len(), third) {
        length += 1 + third.len();
    }
    domain
        .get(domain.len().saturating_sub(length)..)
        .unwrap_or(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 10_000_000;

    fn row(cause: Cause, domain: &str, tried: i64, newest: i64) -> Reason {
        Reason {
            domain: domain.into(),
            cause,
            acts: cause.acts(),
            tried: Some(tried),
            newest: Some(newest),
            ..Reason::default()
        }
    }

    fn many(count: usize, age: i64) -> Vec<Reason> {
        let name = |number| format!("mail.dest{number}.example");
        (0..count)
            .map(|number| row(Cause::Dns, &name(number), NOW - 100, NOW - age))
            .collect()
    }

    fn answer(tried: i64) -> Reason {
        Reason {
            answered: true,
            ..row(Cause::Greylisted, "ok.example", tried, NOW)
        }
    }

    #[test]
    fn many_unrelated_destinations_are_ours() {
        let mut rows = many(MANY, 60);
        let found = spreads(&rows, NOW);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].cause, found[0].destinations), (Cause::Dns, MANY));
        promote(&mut rows, &found);
        assert!(rows.iter().all(|row| row.acts == Acts::Us));
        assert!(rows.iter().all(|row| row.cause == Cause::Dns));
        assert!(
            found[0]
                .sentence(|_| String::new())
                .contains("no server elsewhere has answered")
        );
    }

    #[test]
    fn one_less_is_theirs() {
        assert_eq!(spreads(&many(MANY - 1, 60), NOW), []);
    }

    #[test]
    fn an_answer_since_shows_that_the_way_out_works() {
        let mut rows = many(MANY, 60);
        rows.push(answer(NOW - 99));
        assert_eq!(spreads(&rows, NOW), []);
        rows.pop();
        rows.push(answer(NOW - 101));
        let found = spreads(&rows, NOW);
        assert_eq!(found[0].last_answer, Some(NOW - 101));
    }

    #[test]
    fn what_is_left_over_from_days_is_theirs() {
        assert_eq!(spreads(&many(MANY * 5, FRESH * 3), NOW), []);
    }

    #[test]
    fn related_names_are_one_destination() {
        let name = |number| format!("host{number}.dest.co.uk");
        let rows: Vec<Reason> = (0..50)
            .map(|number| row(Cause::Unreachable, &name(number), NOW, NOW))
            .collect();
        assert_eq!(spreads(&rows, NOW), []);
        for (domain, wanted) in [
            ("a.example.com", "example.com"),
            ("a.b.example.co.uk", "example.co.uk"),
            ("co.uk", "co.uk"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(family(domain.as_bytes()), wanted.as_bytes());
        }
    }
}
