//! Reports a new state, or what else is followed, once it has lasted, so that flapping makes no noise.

use std::time::{Duration, Instant};

/// Follows a state; see [`HoldDown::follow`].
#[derive(Debug)]
pub struct HoldDown<T> {
    lasting: Duration,
    reported: Option<T>,
    /// The state that differs from the reported one, and since when.
    other: Option<(T, Instant)>,
}

impl<T: Clone + PartialEq> HoldDown<T> {
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
    pub fn follow(&mut self, state: T, now: Instant) -> Option<T> {
        let Some(reported) = &self.reported else {
            self.reported = Some(state.clone());
            return Some(state);
        };
        if state == *reported {
            self.other = None;
            return None;
        }
        // A third state: the state has differed from the reported one since the second.
        let since = self.other.as_ref().map_or(now, |(_, since)| *since);
        if now.saturating_duration_since(since) < self.lasting {
            self.other = Some((state, since));
            return None;
        }
        self.other = None;
        self.reported.replace(state)
    }

    /// Takes `state` as reported, however long it has lasted.
    pub fn settle(&mut self, state: T) {
        self.reported = Some(state);
        self.other = None;
    }

    /// Returns when a change that has not lasted long enough will be reported.
    pub fn due(&self) -> Option<Instant> {
        let (_, since) = self.other.as_ref()?;
        since.checked_add(self.lasting)
    }

    /// Returns the state that was reported last.
    #[cfg(test)]
    pub(crate) fn reported(&self) -> Option<&T> {
        self.reported.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::State;

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
        assert_eq!(changes.reported(), Some(&State::Ok));
        changes.follow(State::Warning, at(200));
        assert_eq!(changes.due(), Some(at(260)));
        changes.follow(State::Ok, at(210));
        assert_eq!(changes.due(), None);
        let mut at_once = HoldDown::new(Duration::ZERO);
        at_once.follow(State::Ok, begun);
        assert_eq!(at_once.follow(State::Warning, begun), Some(State::Ok));
        at_once.settle(State::Critical);
        assert_eq!(at_once.follow(State::Critical, begun), None);
    }
}
