//! Lets another thread stop a running call and read its progress.
//!
//! A host passes a [`Control`] to its calls. The calling thread and each thread that the call starts keep
//! it in a thread-local, so that functions need not pass it on. Both of its values are atomic, so a
//! signal handler may use it.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The stop flag of a call and its step counter.
#[derive(Debug, Default)]
pub struct Control {
    stopped: AtomicBool,
    steps: AtomicU64,
}

impl Control {
    /// Stops all calls with this control, including those that have not started.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether [`Control::stop`] was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The number of files that the calls with this control have reached.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

thread_local! {
    static IN_FORCE: RefCell<Option<Arc<Control>>> = const { RefCell::new(None) };
}

/// Runs `body` with `control` on this thread.
pub fn under<T>(control: Option<Arc<Control>>, body: impl FnOnce() -> T) -> T {
    /// Restores the previous control, also during a panic.
    struct Before(Option<Arc<Control>>);
    impl Drop for Before {
        fn drop(&mut self) {
            IN_FORCE.set(self.0.take());
        }
    }
    let _before = Before(IN_FORCE.replace(control));
    body()
}

/// The control in force on this thread.
pub(crate) fn in_force() -> Option<Arc<Control>> {
    IN_FORCE.with_borrow(Clone::clone)
}

/// Whether the call on this thread was asked to stop.
pub(crate) fn is_stopped() -> bool {
    IN_FORCE.with_borrow(|control| control.as_ref().is_some_and(|control| control.is_stopped()))
}

/// Counts one file.
pub(crate) fn step() {
    IN_FORCE.with_borrow(|control| {
        if let Some(control) = control {
            control.steps.fetch_add(1, Ordering::Relaxed);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_is_in_force_in_its_call_alone() {
        let control = Arc::new(Control::default());
        under(Some(Arc::clone(&control)), || {
            step();
            assert!(!is_stopped());
            control.stop();
            assert!(is_stopped());
            under(None, || {
                step();
                assert!(!is_stopped());
            });
            step();
        });
        step();
        assert!(!is_stopped());
        assert_eq!(control.steps(), 2);
    }

    #[test]
    fn a_panic_takes_it_out_of_force() {
        let control = Arc::new(Control::default());
        control.stop();
        let fallen = std::panic::catch_unwind(|| under(Some(control), || panic!("fell")));
        assert!(fallen.is_err() && !is_stopped());
    }
}
