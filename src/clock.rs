//! Time: where "now" comes from, how long a scan may last, how an age is printed.
//!
//! Nothing below the programs and the C ABI asks for the time: `now` is passed in, in seconds of the
//! epoch, so that a report can be made again (`--now`). Only a [`Deadline`] looks at the monotonic
//! clock.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::control;

/// The present second of the epoch. For the outermost callers.
pub fn now() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// The moment at which a scan stops and says what it knows, on the monotonic clock.
///
/// The clock is std's, which asks the C library: rustix reads the kernel's vDSO itself, which crashes
/// under valgrind, where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No deadline.
    pub const NEVER: Deadline = Deadline(None);

    /// A deadline this long after the present moment.
    pub fn after(duration: Duration) -> Self {
        Deadline(Instant::now().checked_add(duration))
    }

    /// The moment halfway from now to it.
    #[must_use]
    pub fn halfway(self) -> Self {
        let now = Instant::now();
        Deadline(self.0.map(|at| now + at.saturating_duration_since(now) / 2))
    }

    /// Whether it has passed, or the call was asked to stop.
    pub fn passed(self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at) || control::is_stopped()
    }
}

/// A span of whole seconds, shown in its two largest units: `6h 2m`, `45s`, `3d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub i64);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] = [(86400, "d"), (3600, "h"), (60, "m"), (1, "s")];
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let seconds = self.0.unsigned_abs();
        let first = UNITS
            .iter()
            .position(|(unit, _)| seconds >= *unit)
            .unwrap_or(UNITS.len() - 1);
        let (unit, name) = UNITS[first];
        write!(f, "{}{name}", seconds / unit)?;
        if let Some((next, next_name)) = UNITS.get(first + 1) {
            let rest = seconds % unit / next;
            if rest > 0 {
                write!(f, " {rest}{next_name}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3600, "1h"),
            (3659, "1h"),
            (21720, "6h 2m"),
            (86400, "1d"),
            (90000, "1d 1h"),
            (86400 * 400 + 59, "400d"),
            (-90, "-1m 30s"),
        ] {
            assert_eq!(Age(seconds).to_string(), text, "{seconds} s");
        }
    }

    #[test]
    fn a_deadline_passes() {
        assert!(!Deadline::NEVER.passed());
        assert!(Deadline::after(Duration::ZERO).passed());
        assert!(Deadline::after(Duration::from_nanos(1)).passed());
        assert!(!Deadline::after(Duration::from_secs(3600)).passed());
        assert!(
            !Deadline::after(Duration::from_secs(3600))
                .halfway()
                .passed()
        );
        assert!(!Deadline::NEVER.halfway().passed());
    }
}
