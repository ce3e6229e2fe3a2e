//! When Postfix tries a message and when it gives it up, as far as the settings of its instance tell.

use crate::instance::Settings;
use crate::postfix::queue::Queue;

/// When a message of `queue` that was made at `born` expires, in seconds of the epoch. On hold nothing
/// expires: qmgr(8) does not look there.
pub(crate) fn expiry(
    queue: Queue,
    born: Option<i64>,
    null_sender: bool,
    settings: &Settings,
) -> Option<i64> {
    if matches!(queue, Queue::Hold | Queue::Corrupt) {
        return None;
    }
    let lifetime = match null_sender {
        true => settings.bounce_queue_lifetime,
        false => settings.maximal_queue_lifetime,
    };
    Some(born?.saturating_add(lifetime))
}

/// When a message of `queue` was last tried, if that is known. Only of deferred mail the time of modification is
/// a next retry.
pub(crate) fn tried_at(
    queue: Queue,
    mtime: i64,
    arrival: Option<i64>,
    settings: &Settings,
) -> Option<i64> {
    match queue {
        Queue::Deferred => last_try(mtime, arrival, settings),
        _ => None,
    }
}

/// When a message that arrived at `arrival` was last tried, if its next retry is `next`. qmgr(8) sets the
/// next retry to the age of the message after the try, within `minimal_backoff_time` and
/// `maximal_backoff_time` (qmgr_active.c).
fn last_try(next: i64, arrival: Option<i64>, settings: &Settings) -> Option<i64> {
    let least = settings.minimal_backoff_time;
    let most = settings.maximal_backoff_time;
    let arrival = arrival?;
    let span = next.checked_sub(arrival)?;
    // Waited as long as it was old: it was tried in the middle.
    let waited = (span / 2).min(most).max(least).min(span.max(0));
    next.checked_sub(waited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_try_follows_from_the_next() {
        let settings = Settings::default();
        for (next, arrival, tried) in [
            (400, 100, Some(100)),
            (1000, 0, Some(500)),
            (100_000, 0, Some(96_000)),
            (0, 100, Some(0)),
        ] {
            assert_eq!(last_try(next, Some(arrival), &settings), tried, "{next}");
        }
        assert_eq!(last_try(5, None, &settings), None);
        assert_eq!(last_try(i64::MIN, Some(i64::MAX), &settings), None);
    }

    #[test]
    fn nothing_expires_on_hold_or_without_a_time() {
        let settings = Settings::default();
        assert_eq!(expiry(Queue::Hold, Some(5), false, &settings), None);
        assert_eq!(expiry(Queue::Active, None, false, &settings), None);
        assert_eq!(
            expiry(Queue::Active, Some(5), true, &settings),
            Some(5 + settings.bounce_queue_lifetime)
        );
        assert_eq!(
            expiry(Queue::Active, Some(i64::MAX), false, &settings),
            Some(i64::MAX)
        );
    }
}
