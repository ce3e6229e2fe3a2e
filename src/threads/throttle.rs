//! The pace of a gentle scan: a thread that was pushed off its processor rests before it goes on.
//!
//! The lowest priority alone is not enough: where the kernel shares processors between groups first
//! (sched(7), "The autogroup feature": one for each session, and so for each service), it counts only
//! within the scan's own group, and a scan beside a busy Postfix takes as much as it. That somebody
//! else wants the processor shows as an involuntary context switch (getrusage(2)), wherever the
//! scan runs, and a host with nothing else to do is scanned without a rest.

use std::time::{Duration, Instant};

use crate::sys;

/// A rest in times of the work before it.
const REST: u32 = 4;
/// The longest rest: a deadline is kept, and work that was done on a slow disk is no reason to sleep.
const LONGEST: Duration = Duration::from_millis(20);

/// When a thread began its present piece of work, and how often it had been pushed aside by then.
#[derive(Debug)]
pub(crate) struct Pace(Option<(Instant, u64)>);

impl Pace {
    /// That of the calling thread; if it is not `gentle` it never rests.
    pub(crate) fn new(gentle: bool) -> Self {
        Pace(gentle.then(|| (Instant::now(), sys::pushed_aside())))
    }

    /// Between two pieces of work: rests if the thread was pushed aside during the last.
    pub(crate) fn step(&mut self) {
        if self.0.is_some() {
            std::thread::sleep(self.rest(sys::pushed_aside()));
            if let Some((begun, _)) = &mut self.0 {
                *begun = Instant::now();
            }
        }
    }

    /// How long to rest after the last piece of work, now that the thread has been pushed aside so often.
    fn rest(&mut self, pushed: u64) -> Duration {
        match &mut self.0 {
            Some((begun, before)) if pushed > *before => {
                *before = pushed;
                begun.elapsed().saturating_mul(REST).min(LONGEST)
            }
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_gentle_thread_that_was_pushed_aside_rests() {
        let ago = |milliseconds| Instant::now().checked_sub(Duration::from_millis(milliseconds));
        let mut pace = Pace(Some((ago(60_000).unwrap(), 7)));
        assert_eq!(pace.rest(7), Duration::ZERO);
        assert_eq!(pace.rest(8), LONGEST);
        assert_eq!(pace.rest(8), Duration::ZERO);
        let mut short = Pace(Some((ago(1).unwrap(), 0)));
        assert!(short.rest(3) >= Duration::from_millis(4));
        assert_eq!(Pace(None).rest(9), Duration::ZERO);
    }

    #[test]
    fn a_step_begins_the_next_piece_of_work() {
        let mut pace = Pace::new(true);
        let first = pace.0.unwrap().0;
        pace.step();
        assert!(pace.0.unwrap().0 > first);
        let mut hasty = Pace::new(false);
        hasty.step();
        assert!(hasty.0.is_none());
    }
}
