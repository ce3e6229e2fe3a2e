//! Spread: whether a cause that is mostly theirs is ours this time.
//!
//! If one destination cannot be reached, that destination has the problem. If [`MANY`] unrelated destinations in a row
//! cannot be looked up or reached, the fault is on our side: the resolver, the route, port 25. Such a fault shows as
//! several causes at once, so their destinations count together. A queue shows no deliveries, so an answer of any
//! server elsewhere stands for success. Only destinations that were tried after the last such answer count, and
//! those of the same queue run only if they outnumber the destinations that answered in it ([`OUTNUMBER`]): a
//! connection that times out is always recorded after the answers. Half of them must have mail of the last day
//! (`FRESH`): the mistyped domains that lie in every queue for five days are spread over those days. Bounces count
//! for nothing, because a forged sender makes them, and so does mail to a next hop of our own.
//! Where all mail waits for a route or a name and nothing answered, [`FEW`] destinations are enough.
//! The cause stays; who acts changes.

use std::collections::{HashMap, HashSet};

use super::reasons::Reason;
use crate::cause::{Acts, Cause};
use crate::escape::counted;

/// From this number of unrelated destinations on, a cause is ours.
pub(crate) const MANY: usize = 10;
/// The same where all mail that waits says that there is no route, or that names cannot be looked up.
const FEW: usize = 5;
/// Mail that arrived within this many seconds shows that the fault still exists.
pub(crate) const FRESH: i64 = 86_400;
/// Seconds for which the connections of a queue run may take to fail: `queue_run_delay` and `smtp_connect_timeout`.
const RUN: i64 = 330;
/// So many times as many destinations as answered in a run must have failed in it.
const OUTNUMBER: usize = 3;

/// A cause that became ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The cause.
    pub(crate) cause: Cause,
    /// Unrelated destinations that have it and were tried since the last answer.
    pub(crate) destinations: usize,
    /// Unrelated destinations that have it or another such cause.
    pub(crate) together: usize,
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
        let others = match self.together > self.destinations {
            true => format!(" ({} with like causes)", self.together),
            false => String::new(),
        };
        let have = if self.destinations == 1 {
            "has"
        } else {
            "have"
        };
        format!(
            "{} is ours: {} {have} it{others}, and {answer}",
            self.cause.name(),
            counted(self.destinations as u64, "unrelated destination")
        )
    }
}

/// The causes among `rows` that are ours by spread, at the second `now`.
pub(crate) fn spreads(rows: &[Reason], now: i64) -> Vec<Spread> {
    let answers = || rows.iter().filter(|row| row.answered);
    let last_answer = answers().filter_map(|row| row.tried).max();
    // By the destinations' registered names: whether one has mail that is fresh, and the causes.
    let mut families: HashMap<&[u8], (bool, HashSet<Cause>)> = HashMap::new();
    let mut late = HashSet::new();
    for row in rows {
        let counts = row.cause.is_ours_when_spread() && !row.own_hop && row.newest.is_some();
        let after = match (row.tried, last_answer) {
            (Some(tried), Some(answer)) => tried > answer,
            (_, None) => true,
            (None, Some(_)) => false,
        };
        if !counts || !after {
            continue;
        }
        let name = family(&row.domain);
        let fresh = row.newest.is_some_and(|at| now.saturating_sub(at) <= FRESH);
        let (is_fresh, causes) = families.entry(name).or_default();
        *is_fresh |= fresh;
        causes.insert(row.cause);
        let run = last_answer.map(|answer| answer.saturating_add(RUN));
        if run.is_none_or(|end| row.tried.is_some_and(|tried| tried > end)) {
            late.insert(name);
        }
    }
    if late.len() < MANY {
        // Those of the run of the last answer prove nothing unless next to nobody answered in it.
        let run = last_answer.unwrap_or_default().saturating_sub(RUN);
        let of_run = answers().filter(|row| row.tried.is_some_and(|tried| tried > run));
        let answered: HashSet<&[u8]> = of_run.map(|row| family(&row.domain)).collect();
        if families.len() <= answered.len() * OUTNUMBER {
            return Vec::new();
        }
    }
    let fresh = families.values().filter(|(fresh, _)| *fresh).count();
    let has_network = |(_, causes): &&(bool, HashSet<Cause>)| causes.contains(&Cause::Network);
    let is_cut_off = last_answer.is_none()
        && families.values().filter(has_network).count() >= FEW
        && rows.iter().all(|row| {
            let is_without_route = matches!(row.cause, Cause::Network | Cause::Dns);
            row.own_hop || row.newest.is_none() || is_without_route
        });
    let many = if is_cut_off { FEW } else { MANY };
    if families.len() < many || fresh * 2 < families.len() {
        return Vec::new();
    }
    let causes = Cause::ALL.into_iter();
    causes
        .filter_map(|cause| {
            let own = families
                .values()
                .filter(|(_, causes)| causes.contains(&cause));
            let destinations = own.count();
            (destinations > 0).then_some(Spread {
                cause,
                destinations,
                together: families.len(),
                last_answer,
            })
        })
        .collect()
}

/// Returns true if `cause` is ours by spread.
pub(crate) fn is_spread(spreads: &[Spread], cause: Cause) -> bool {
    spreads.iter().any(|spread| spread.cause == cause)
}

/// Returns who acts on `cause`: us if it is ours by spread.
pub(crate) fn acts(spreads: &[Spread], cause: Cause) -> Acts {
    match is_spread(spreads, cause) {
        true => Acts::Us,
        false => cause.acts(),
    }
}

/// Makes the rows of each cause in `spreads` ours.
pub(crate) fn promote(rows: &mut [Reason], spreads: &[Spread]) {
    for row in rows {
        if is_spread(spreads, row.cause) {
            row.acts = Acts::Us;
        }
    }
}

/// Longer names below a country's, under which many owners register.
const LONG_SHARED: [&[u8]; 8] = [
    b"asso", b"firm", b"gouv", b"govt", b"info", b"muni", b"name", b"school",
];

/// The part of a domain that one owner registered, as far as its form tells: the last two labels, or
/// three where the second is short below a country's (`co.uk`) or one of [`LONG_SHARED`].
pub(crate) fn family(domain: &[u8]) -> &[u8] {
    let mut labels = domain.rsplitn(4, |byte| *byte == b'.');
    let (top, second, third) = (labels.next(), labels.next(), labels.next());
    let (Some(top), Some(second)) = (top, second) else {
        return domain;
    };
    let mut length = top.len() + 1 + second.len();
    let is_shared = second.len() <= 3 || LONG_SHARED.contains(&second);
    if let (2, true, Some(third)) = (top.len(), is_shared, third) {
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
    fn an_answer_of_the_same_run_counts_unless_next_to_nobody_answered() {
        let full = |count| {
            (0..count).map(|number| {
                let domain = format!("full{number}.example");
                Reason {
                    answered: true,
                    ..row(Cause::Mailbox, &domain, NOW - 130, NOW)
                }
            })
        };
        // 30 time out half a minute after others answered.
        for (answers, is_ours) in [(50, false), (10, false), (9, true)] {
            let mut rows = many(30, 60);
            rows.extend(full(answers));
            assert_eq!(!spreads(&rows, NOW).is_empty(), is_ours, "{answers}");
        }
        // A queue run later the same answers prove nothing.
        let mut rows = many(30, 60);
        for one in full(50) {
            rows.push(Reason {
                tried: Some(NOW - 100 - RUN - 1),
                ..one
            });
        }
        assert_eq!(spreads(&rows, NOW).len(), 1);
    }

    #[test]
    fn bounces_and_our_own_next_hop_prove_nothing() {
        let mut bounces = many(MANY * 2, 60);
        for row in &mut bounces {
            row.newest = None;
        }
        assert_eq!(spreads(&bounces, NOW), []);
        let mut relayed = many(MANY * 2, 60);
        for row in &mut relayed {
            row.own_hop = true;
        }
        assert_eq!(spreads(&relayed, NOW), []);
    }

    #[test]
    fn a_host_without_any_route_needs_few_destinations() {
        let name = |number| format!("dest{number}.example");
        let cut = |cause, count| -> Vec<Reason> {
            (0..count)
                .map(|number| row(cause, &name(number), NOW - 100, NOW))
                .collect()
        };
        assert_eq!(spreads(&cut(Cause::Network, FEW), NOW).len(), 1);
        assert_eq!(spreads(&cut(Cause::Network, FEW - 1), NOW), []);
        assert_eq!(spreads(&cut(Cause::Unreachable, FEW), NOW), []);
        let mut others = cut(Cause::Network, FEW);
        others.push(row(Cause::Busy, "busy.example", NOW - 100, NOW));
        assert_eq!(spreads(&others, NOW), []);
    }

    #[test]
    fn one_fault_shows_as_several_causes() {
        let mut rows = many(MANY - 2, 60);
        let other = |number| {
            row(
                Cause::Network,
                &format!("v6-{number}.example"),
                NOW - 100,
                NOW,
            )
        };
        rows.extend((0..4).map(other));
        let found = spreads(&rows, NOW);
        let counts: Vec<_> = found
            .iter()
            .map(|one| (one.cause, one.destinations))
            .collect();
        assert_eq!(counts, [(Cause::Dns, MANY - 2), (Cause::Network, 4)]);
        let sentence = found[0].sentence(|_| String::new());
        assert!(sentence.contains("(12 with like causes)"), "{sentence}");
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
            ("mx.finances.gouv.fr", "finances.gouv.fr"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(family(domain.as_bytes()), wanted.as_bytes());
        }
    }
}
