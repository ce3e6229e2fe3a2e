//! The throttle of a gentle scan: a thread that was preempted rests before it continues.
//!
//! The lowest priority is not enough. If the kernel shares processors between groups first (sched(7),
//! "The autogroup feature": one group per session, so per service), priority counts only within the
//! scan's group, and a scan takes as much as a busy Postfix. An involuntary context switch
//! (getrusage(2)) shows in any group that another program wants the processor. A host that is otherwise
//! idle is scanned without a rest.

use std::time::{Duration, Instant};

use crate::sys;

/// Length of a rest, as a multiple of the work before it.
const REST: u32 = 4;
/// The longest rest. It keeps the deadline, and slow disk reads do not need a long rest.
const LONGEST: Duration = Duration::from_millis(20);

/// When the current step began, and the number of preemptions at that time.
#[derive(Debug)]
pub(crate) struct Throttle(Option<(Instant, u64)>);

impl Throttle {
    /// The throttle of the calling thread. It never rests unless `gentle`.
    pub(crate) fn new(gentle: bool) -> Self {
        Throttle(gentle.then(|| (Instant::now(), sys::preemptions())))
    }

    /// Call between two steps: rests if the thread was preempted during the last one.
    pub(crate) fn step(&mut self) {
        if self.0.is_some() {
            std::thread::sleep(self.rest(sys::preemptions()));
            if let Some((begun, _)) = &mut self.0 {
                *begun = Instant::now();
            }
        }
    }

    /// The rest due after the last step; `pushed` is the number of preemptions now.
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
    fn only_a_gentle_thread_that_was_preempted_rests() {
        let ago = |milliseconds| Instant::now().checked_sub(Duration::from_millis(milliseconds));
        let mut throttle = Throttle(Some((ago(60_000).unwrap(), 7)));
        assert_eq!(throttle.rest(7), Duration::ZERO);
        assert_eq!(throttle.rest(8), LONGEST);
        assert_eq!(throttle.rest(8), Duration::ZERO);
        let mut short = Throttle(Some((ago(1).unwrap(), 0)));
        assert!(short.rest(3) >= Duration::from_millis(4));
        assert_eq!(Throttle(None).rest(9), Duration::ZERO);
    }

    #[test]
    fn a_step_begins_the_next_piece_of_work() {
        let mut throttle = Throttle::new(true);
        let first = throttle.0.unwrap().0;
        throttle.step();
        assert!(throttle.0.unwrap().0 > first);
        let mut unthrottled = Throttle::new(false);
        unthrottled.step();
        assert!(unthrottled.0.is_none());
    }
}
