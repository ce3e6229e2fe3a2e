//! The service states of a monitoring system, and the only order of severities in the project.

use std::fmt;

/// The service state of a monitoring system; the values are exit codes.
///
/// ```
/// use queuewatch::State;
///
/// assert_eq!((State::Critical.code(), State::Critical.to_string()), (2, "CRITICAL".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum State {
    /// All is well.
    Ok = 0,
    /// A warning range alerts.
    Warning = 1,
    /// A critical range alerts.
    Critical = 2,
    /// The state is not known.
    Unknown = 3,
}

impl State {
    /// The exit code of a plugin.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The rank of the state. UNKNOWN is worse than OK but never hides a proven WARNING or CRITICAL.
    pub(super) const fn severity(self) -> u8 {
        match self {
            State::Ok => 0,
            State::Unknown => 1,
            State::Warning => 2,
            State::Critical => 3,
        }
    }

    /// The state with this exit code.
    pub(crate) fn from_code(code: i64) -> Option<State> {
        [State::Ok, State::Warning, State::Critical, State::Unknown]
            .into_iter()
            .find(|state| i64::from(state.code()) == code)
    }

    /// The worse of both states.
    #[must_use]
    pub(crate) const fn worse(self, other: State) -> State {
        if other.severity() > self.severity() {
            other
        } else {
            self
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_worse_than_ok_and_hides_nothing() {
        let order = [State::Ok, State::Unknown, State::Warning, State::Critical];
        for (place, one) in order.into_iter().enumerate() {
            for other in &order[place..] {
                assert_eq!(one.worse(*other), *other);
                assert_eq!(other.worse(one), *other);
            }
        }
    }

    #[test]
    fn a_state_is_found_by_its_exit_code() {
        for state in [State::Ok, State::Warning, State::Critical, State::Unknown] {
            assert_eq!(State::from_code(state.code().into()), Some(state));
        }
        assert_eq!(State::from_code(4), None);
    }
}
