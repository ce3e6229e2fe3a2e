//! Reports a new state once it has lasted, so that a flapping state makes no noise.

use std::time::{Duration, Instant};

use crate::rules::State;

/// Follows a state; see [`HoldDown::follow`].
#[derive(Debug)]
pub struct HoldDown {
    lasting: Duration,
    reported: Option<State>,
    /// The state that differs from the reported one, and since when.
    other: Option<(State, Instant)>,
}

impl HoldDown {
    /// Reports a new state once it has lasted for `lasting`. The first state is reported at once.
    pub fn new(lasting: Duration) -> Self {
        HoldDown {
            lasting,
            reported: None,
            other: None,
        }
    }

    /// The state is `state` at `now`. Returns the state before if this is a change to report; for the very first
    /// state, that state itself.
    pub fn follow(&mut self, state: State, now: Instant) -> Option<State> {
        let Some(reported) = self.reported else {
            self.reported = Some(state);
            return Some(state);
        };
        if state == reported {
            self.other = None;
            return None;
        }
        let since = match self.other {
            // A third state: the state has differed from the reported one since the second.
            Some((_, since)) => since,
            None => now,
        };
        self.other = Some((state, since));
        if now.saturating_duration_since(since) < self.lasting {
            return None;
        }
        self.reported = Some(state);
        self.other = None;
        Some(reported)
    }

    /// Returns when a change that has not lasted long enough will be reported.
    pub fn due(&self) -> Option<Instant> {
        let (_, since) = self.other?;
        since.checked_add(self.lasting)
    }

    /// Returns the state that was reported last.
    #[cfg(test)]
    pub(crate) fn reported(&self) -> Option<State> {
        self.reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flicker_is_not_a_change() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut changes = HoldDown::new(Duration::from_secs(60));
        for (second, state, reported) in [
            (0, State::Ok, Some(State::Ok)),
            (10, State::Warning, None),
            (20, State::Ok, None),
            (30, State::Warning, None),
            (80, State::Critical, None),
            (90, State::Critical, Some(State::Ok)),
            (91, State::Critical, None),
            (92, State::Ok, None),
            (151, State::Ok, None),
            (152, State::Ok, Some(State::Critical)),
        ] {
            assert_eq!(
                changes.follow(state, at(second)),
                reported,
                "second {second}"
            );
        }
        assert_eq!(changes.reported(), Some(State::Ok));
        changes.follow(State::Warning, at(200));
        assert_eq!(changes.due(), Some(at(260)));
        changes.follow(State::Ok, at(210));
        assert_eq!(changes.due(), None);
        let mut at_once = HoldDown::new(Duration::ZERO);
        at_once.follow(State::Ok, begun);
        assert_eq!(at_once.follow(State::Warning, begun), Some(State::Ok));
    }
}
