//! Starts threads; no other module does.
//!
//! A thread here has a name, a small stack, blocked signals and the [`control`] of its call, knows whether borrowed
//! rights are in force, and belongs to a scope. It is always joined, so that it ends before the call that started it: the end of a scope
//! waits only for the thread's closure, and a host that forks next must not have a thread that is still
//! exiting. A panic is raised again on the joining thread. [`is_ours`] lets the C boundary keep the panic
//! message off the host's standard error.

use std::cell::Cell;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::records::{self, Kept};
use crate::control;
use crate::rights;
use crate::sys;

/// Stack size in bytes: several times what reading a queue file needs.
const STACK: usize = 512 * 1024;

thread_local! {
    static OURS: Cell<bool> = const { Cell::new(false) };
}

/// Whether [`spawn`] started the calling thread.
pub(crate) fn is_ours() -> bool {
    OURS.get()
}

/// A running thread; dropping it waits for its end.
#[derive(Debug)]
pub(crate) struct Thread<'t, T>(Option<ScopedJoinHandle<'t, (T, Kept)>>);

impl<T> Thread<'_, T> {
    /// Waits for the end of the thread and returns its result; raises its panic again.
    pub(crate) fn join(mut self) -> Option<T> {
        let outcome = self.0.take()?.join();
        let (value, kept) = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        kept.take_over();
        Some(value)
    }
}

impl<T> Drop for Thread<'_, T> {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // Dropped without a join only while another panic unwinds.
            let _ = thread.join();
        }
    }
}

/// Starts `work` in the scope `threads`, under a name that tools such as top(1) show. Returns `None` if
/// the system cannot start a thread.
pub(crate) fn spawn<'t, T: Send + 't>(
    threads: &'t Scope<'t, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 't,
) -> Option<Thread<'t, T>> {
    let control = control::in_force();
    let asked = records::asked();
    let raised = rights::are_raised();
    let thread = Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn_scoped(threads, move || {
            OURS.set(true);
            rights::inherit(raised);
            sys::block_signals();
            control::under(control, || records::keeping(asked, work))
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
    fn a_thread_knows_whether_borrowed_rights_are_in_force() {
        let on_thread = |raised| {
            rights::inherit(raised);
            std::thread::scope(|threads| {
                let thread = spawn(threads, "test", rights::are_raised).unwrap();
                thread.join()
            })
        };
        assert_eq!(on_thread(true), Some(true));
        assert_eq!(on_thread(false), Some(false));
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
            // All except SIGKILL, SIGSTOP, and the two that the C library reserves.
            assert!(mask.count_ones() >= 60, "{mask:x}");
        });
    }
}
