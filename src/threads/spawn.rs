//! The one place that starts a thread.
//!
//! A thread here has a name and a small stack, takes none of the host's signals, is under the control of
//! its call, and belongs to a scope. It is always joined, so that none outlives the call that started it: the end of a scope
//! waits only for a thread's work, and a host that forks next must find no thread that still ends. A
//! panic on it is raised again on the thread that joins it; [`is_ours`] lets the C boundary keep the
//! panic's text off the host's standard error.

use std::cell::Cell;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use crate::control;
use crate::sys;

/// Bytes of stack: some times what reading a queue file takes.
const STACK: usize = 512 * 1024;

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is one that [`spawn`] started.
pub(crate) fn is_ours() -> bool {
    OURS.get()
}

/// A thread that was started; dropping it waits for its end.
#[derive(Debug)]
pub(crate) struct Thread<'t, T>(Option<ScopedJoinHandle<'t, T>>);

impl<T> Thread<'_, T> {
    /// Waits for the end of the thread and returns what it made; its panic goes on here.
    pub(crate) fn join(mut self) -> Option<T> {
        let outcome = self.0.take()?.join();
        Some(outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

impl<T> Drop for Thread<'_, T> {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // It is only dropped when another panic is on its way already.
            let _ = thread.join();
        }
    }
}

/// Starts `work` in `threads`, under a name that tools such as top(1) show; `None` if the system has no
/// thread for it.
pub(crate) fn spawn<'t, T: Send + 't>(
    threads: &'t Scope<'t, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 't,
) -> Option<Thread<'t, T>> {
    let control = control::in_force();
    let thread = Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn_scoped(threads, || {
            OURS.set(true);
            sys::block_signals();
            control::under(control, work)
        });
    thread.ok().map(|thread| Thread(Some(thread)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn a_thread_knows_that_it_is_ours_and_its_panic_reaches_who_joins_it() {
        assert!(!is_ours());
        std::thread::scope(|threads| {
            let thread = spawn(threads, "test", is_ours).unwrap();
            assert_eq!(thread.join(), Some(true));
        });
        let fallen = std::panic::catch_unwind(|| {
            std::thread::scope(|threads| {
                spawn(threads, "test", || panic!("fell")).unwrap().join();
            });
        });
        assert!(fallen.is_err());
    }

    #[test]
    fn one_that_is_dropped_has_ended() {
        let ended = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let thread = spawn(threads, "test", || {
                std::thread::sleep(std::time::Duration::from_millis(5));
                ended.store(true, Ordering::Relaxed);
            });
            drop(thread);
            assert!(ended.load(Ordering::Relaxed));
        });
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn signals_are_blocked_on_it() {
        let blocked = || {
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
            u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
        };
        std::thread::scope(|threads| {
            let mask = spawn(threads, "test", blocked).unwrap().join().unwrap();
            // All but SIGKILL, SIGSTOP, and the two that the C library keeps for itself.
            assert!(mask.count_ones() >= 60, "{mask:x}");
        });
    }
}
