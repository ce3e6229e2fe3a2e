//! The calling thread: its priority, its context switches, its processors and its signals.

use std::mem::MaybeUninit;

/// Gives the calling thread, and the threads that it starts, the lowest processor priority and the idle
/// disk class (ioprio_set(2); honoured by the schedulers BFQ and mq-deadline). This cannot be undone
/// without privilege, so use it only on threads that the library started. A refusal by the system is
/// ignored.
#[allow(unsafe_code)]
pub(crate) fn lower_priority() {
    /// From linux/ioprio.h: the target is a thread; the class is in the upper bits.
    const WHO_PROCESS: libc::c_int = 1;
    const IDLE: libc::c_int = 3 << 13;
    // On Linux the priority is per thread, and 0 is the calling thread (setpriority(2), "C
    // library/kernel differences").
    let _ = rustix::process::setpriority_process(None, 19);
    // SAFETY: ioprio_set takes three integers and touches no memory.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE) };
}

/// How often the kernel preempted the calling thread: its involuntary context switches (getrusage(2)). 0
/// if the system does not count them per thread.
pub(crate) fn preemptions() -> u64 {
    switches().1
}

/// How often the calling thread blocked on a disk or another thread: its voluntary context switches
/// (getrusage(2)). 0 if the system does not count them per thread.
pub(crate) fn voluntary_switches() -> u64 {
    switches().0
}

/// Voluntary and involuntary context switches of the calling thread.
#[allow(unsafe_code)]
fn switches() -> (u64, u64) {
    #[cfg(target_os = "linux")]
    {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer leads to an rusage, which the kernel fills.
        unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) };
        // SAFETY: every bit pattern is an rusage, and it was zeroed.
        let usage = unsafe { usage.assume_init() };
        let count = |switches: libc::c_long| u64::try_from(switches).unwrap_or_default();
        (count(usage.ru_nvcsw), count(usage.ru_nivcsw))
    }
    #[cfg(not(target_os = "linux"))]
    (0, 0)
}

/// The number of processors that the calling thread may run on.
pub(crate) fn processors() -> usize {
    #[cfg(target_os = "linux")]
    if let Ok(set) = rustix::thread::sched_getaffinity(None) {
        return set.count().max(1) as usize;
    }
    // Fallback for hosts with more processors than the set can hold.
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Blocks all signals on the calling thread, which the library started: the signal handlers of a host
/// such as perl must not run on a thread that it did not create.
#[allow(unsafe_code)]
pub fn block_signals() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset writes the whole set that it is given.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `all` was filled above; a null third argument asks for no old mask. It changes the
    // calling thread only.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
}
