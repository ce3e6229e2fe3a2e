//! HoldDown of a state that lasted: what a watch reports, and not every flicker.

use std::time::{Duration, Instant};

use crate::rules::State;

/// Follows a state; see [`HoldDown::follow`].
#[derive(Debug)]
pub struct HoldDown {
    lasting: Duration,
    told: Option<State>,
    /// Another state than the one told, and since when.
    other: Option<(State, Instant)>,
}

impl HoldDown {
    /// HoldDown count once the new state has lasted for `lasting`; the first one counts at once.
    pub fn new(lasting: Duration) -> Self {
        HoldDown {
            lasting,
            told: None,
            other: None,
        }
    }

    /// The state is `state` at `now`; returns the state before, if that is a change which counts (at the
    /// very first itself).
    pub fn follow(&mut self, state: State, now: Instant) -> Option<State> {
        let Some(told) = self.told else {
            self.told = Some(state);
            return Some(state);
        };
        if state == told {
            self.other = None;
            return None;
        }
        let since = match self.other {
            // From one other state to a third: it is not the told one since the first.
            Some((_, since)) => since,
            None => now,
        };
        self.other = Some((state, since));
        if now.saturating_duration_since(since) < self.lasting {
            return None;
        }
        self.told = Some(state);
        self.other = None;
        Some(told)
    }

    /// When a change that has not lasted long enough yet will have.
    pub fn due(&self) -> Option<Instant> {
        let (_, since) = self.other?;
        since.checked_add(self.lasting)
    }

    /// The state that was told last.
    pub fn told(&self) -> Option<State> {
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flicker_is_no_change() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut changes = HoldDown::new(Duration::from_secs(60));
        for (second, state, told) in [
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
            assert_eq!(changes.follow(state, at(second)), told, "second {second}");
        }
        assert_eq!(changes.told(), Some(State::Ok));
        changes.follow(State::Warning, at(200));
        assert_eq!(changes.due(), Some(at(260)));
        changes.follow(State::Ok, at(210));
        assert_eq!(changes.due(), None);
        let mut at_once = HoldDown::new(Duration::ZERO);
        at_once.follow(State::Ok, begun);
        assert_eq!(at_once.follow(State::Warning, begun), Some(State::Ok));
    }
}
