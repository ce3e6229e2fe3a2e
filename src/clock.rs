//! Time: the current time, deadlines, and how ages are printed.
//!
//! Only the programs and the C ABI ask for the time and pass `now` down, in seconds since the epoch, so
//! that a report can be reproduced (`--now`). Only a [`Deadline`] uses the monotonic clock.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::control;

/// The current time in seconds since the epoch, for the programs and the C ABI.
pub fn now() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    }
}

/// The moment at which a scan stops and returns what it has, on the monotonic clock.
///
/// Uses std's clock, which calls the C library. rustix reads the kernel's vDSO itself and crashes under
/// valgrind, which has no vDSO.
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No deadline.
    pub const NEVER: Deadline = Deadline(None);

    /// A deadline `duration` from now.
    pub fn after(duration: Duration) -> Self {
        Deadline(Instant::now().checked_add(duration))
    }

    /// The moment halfway between now and this deadline.
    #[must_use]
    pub(crate) fn halfway(self) -> Self {
        let now = Instant::now();
        Deadline(self.0.map(|at| now + at.saturating_duration_since(now) / 2))
    }

    /// Sleeps until `moment`. Returns false if the deadline is earlier or the call is stopped during the sleep; at
    /// once, if that is known before.
    pub(crate) fn sleep_until(self, moment: Instant) -> bool {
        /// How soon a stopped call ends.
        const SLICE: Duration = Duration::from_millis(20);
        if self.0.is_some_and(|at| at <= moment) {
            return false;
        }
        loop {
            let left = moment.saturating_duration_since(Instant::now());
            if control::is_stopped() || left.is_zero() {
                return left.is_zero();
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// Whether the deadline has passed or the call was stopped.
    pub(crate) fn passed(self) -> bool {
        self.0.is_some_and(|at| Instant::now() >= at) || control::is_stopped()
    }
}

/// A duration in whole seconds, printed in its two largest units: `6h 2m`, `45s`, `3d`.
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
    fn an_age_is_written_in_its_two_largest_units() {
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
    fn a_sleep_ends_before_the_deadline_or_does_not_begin() {
        let soon = Instant::now() + Duration::from_millis(30);
        assert!(Deadline::NEVER.sleep_until(soon));
        assert!(Instant::now() >= soon);
        let late = Instant::now() + Duration::from_secs(3600);
        assert!(!Deadline::after(Duration::from_secs(60)).sleep_until(late));
        let control = std::sync::Arc::new(control::Control::default());
        control.stop();
        assert!(!control::under(Some(control), || Deadline::NEVER.sleep_until(late)));
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
