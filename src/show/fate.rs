//! What becomes of a message: tries so far, the next one, and when Postfix gives it up.
//!
//! Postfix keeps no count of tries. What the queue file and the defer log permit is said: whether there was
//! one, when the last one ended, and how many the backoff of qmgr(8) allows until then (postfix.md, "Lifecycle of a message").

use crate::listing::pick::{Context, expires};
use crate::postfix::defer_log::Log;
use crate::postfix::queue::Queue;
use crate::scan::FoundMessage;

/// Steps of the backoff that are counted: more than five days have at the shortest of Postfix's defaults.
const MAX_TRIES: u64 = 10_000;

/// What Postfix does next with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It is not complete yet.
    Writing,
    /// pickup(8) takes it in.
    Pickup,
    /// qmgr(8) takes it as soon as there is room in active.
    Queued,
    /// It is being tried.
    Now,
    /// qmgr(8) tries it at its first look at deferred from that second on.
    At(i64),
    /// Nothing, until it is released.
    Held,
    /// Nothing: it was set aside.
    Never,
}

impl Next {
    /// The word for it in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Next::Writing => "writing",
            Next::Pickup => "pickup",
            Next::Queued => "queued",
            Next::Now => "now",
            Next::At(_) => "retry",
            Next::Held => "held",
            Next::Never => "never",
        }
    }

    /// When that is due, in seconds of the epoch, if it is known.
    pub(crate) const fn at(self) -> Option<i64> {
        match self {
            Next::At(at) => Some(at),
            _ => None,
        }
    }
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// Tries that there must have been: 0 or 1, since Postfix keeps no count.
    pub(crate) tries_at_least: u64,
    /// Tries that the backoff of its settings permits until the last one; a flush adds more.
    pub(crate) tries_at_most: u64,
    /// When the last try ended, in seconds of the epoch, as far as the defer log says.
    pub(crate) last_try: Option<i64>,
    /// What comes next.
    pub(crate) next: Next,
    /// When its lifetime ends, in seconds of the epoch: the try after that returns it.
    pub(crate) expires: Option<i64>,
    /// The second of the epoch that ages count from.
    pub(crate) now: i64,
}

impl Fate {
    pub(super) fn of(found: &FoundMessage, context: &Context) -> Fate {
        let (row, settings) = (&found.row, &context.settings);
        let modified = row.inode.map_or(0, |inode| inode.mtime);
        let next = match row.queue {
            _ if !found.ready => Next::Writing,
            Some(Queue::Maildrop) => Next::Pickup,
            Some(Queue::Incoming) => Next::Queued,
            Some(Queue::Active) => Next::Now,
            Some(Queue::Hold) => Next::Held,
            Some(Queue::Corrupt) => Next::Never,
            Some(Queue::Deferred) | None => Next::At(modified),
        };
        let begun = row.envelope.created.unwrap_or_else(|| row.arrival());
        let is_logged = row.logged().any(|entry| entry.log != Log::Trace);
        // A message that is released from hold goes to deferred with the time it was written at.
        let backed_off = row.queue == Some(Queue::Deferred)
            && modified.saturating_sub(begun) >= settings.minimal_backoff_time.max(1);
        let tried = is_logged || row.envelope.done > 0 || backed_off;
        let until = match (found.logged_at, row.queue) {
            (_, Some(Queue::Active)) => context.now,
            (Some(at), _) => at,
            (None, _) => context.now.min(modified.max(begun)),
        };
        let backoff = (settings.minimal_backoff_time, settings.maximal_backoff_time);
        Fate {
            tries_at_least: u64::from(tried),
            tries_at_most: match tried || next == Next::Now {
                true => scheduled(begun, until, backoff),
                false => 0,
            },
            last_try: found.logged_at,
            next,
            expires: expires(row, settings).filter(|_| found.ready),
            now: context.now,
        }
    }
}

/// How many tries qmgr(8) makes from `begun` to `until` if the queue is not flushed and it looks at
/// deferred all the time: each comes after the age of the message, at least the first of `backoff` and at most
/// the second (qmgr_active.c).
fn scheduled(begun: i64, until: i64, backoff: (i64, i64)) -> u64 {
    let (least, most) = (backoff.0.max(1), backoff.1.max(backoff.0).max(1));
    let mut tries = 1;
    let mut age: i64 = 0;
    let until = until.saturating_sub(begun);
    while tries < MAX_TRIES {
        age = age.saturating_add(age.clamp(least, most));
        if age > until || age == i64::MAX {
            break;
        }
        tries += 1;
    }
    tries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_its_maximum() {
        // At ages 0, 300, 600, 1200, 2400, 4800, 8800, 12800.
        for (age, tries) in [
            (-5, 1),
            (0, 1),
            (299, 1),
            (300, 2),
            (600, 3),
            (1200, 4),
            (4799, 5),
            (4800, 6),
            (8800, 7),
            (12_799, 7),
            (12_800, 8),
        ] {
            assert_eq!(scheduled(1000, 1000 + age, (300, 4000)), tries, "{age}");
        }
        assert_eq!(scheduled(0, i64::MAX, (0, 0)), MAX_TRIES);
        assert_eq!(scheduled(i64::MIN, i64::MAX, (1, i64::MAX)), 64);
    }
}
