//! Waits for descriptors, and for signals that arrive through one.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, Timespec};
use rustix::io::Errno;

/// Takes `signals` from their handlers on the calling thread and the threads that it starts from now on. They
/// make the returned descriptor readable instead (signalfd(2)); see [`next_signal`].
///
/// # Errors
/// If the system has no more descriptors.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn take_signals(signals: &[i32]) -> std::io::Result<OwnedFd> {
    use std::os::fd::FromRawFd as _;
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset writes the whole set that it is given.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    for signal in signals {
        // SAFETY: the set was filled above; a number that is no signal leaves it as it is.
        unsafe { libc::sigaddset(set.as_mut_ptr(), *signal) };
    }
    // SAFETY: the set was filled above. A null third argument asks for no old mask.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()) };
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set was filled above. -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, set.as_ptr(), flags) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: signalfd made this descriptor just now, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes signals as on Linux, which alone has signalfd(2).
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn take_signals(_: &[i32]) -> std::io::Result<OwnedFd> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// The number of the next signal that waits in a descriptor of [`take_signals`].
pub fn next_signal(signals: impl AsFd) -> Option<i32> {
    /// The size of `struct signalfd_siginfo`, which begins with the number (signalfd(2)).
    const INFO: usize = 128;
    let mut info = [0; INFO];
    match rustix::io::read(signals, &mut info) {
        Ok(INFO) => Some(u32::from_ne_bytes([info[0], info[1], info[2], info[3]]) as i32),
        _ => None,
    }
}

/// Waits until one of `fds` is ready, at most `within` (poll(2)). Returns true if one is; a signal ends the wait.
///
/// # Errors
/// If the system refuses to wait.
pub fn wait_for(fds: &mut [PollFd<'_>], within: Option<Duration>) -> Result<bool, Errno> {
    let within = within.map(timespec);
    match rustix::event::poll(fds, within.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// `time` as the kernel takes it.
pub(crate) fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Enlarges the pipe buffer of `out` to 1 MiB if it is a pipe, so that a slow reader blocks the writer
/// less often.
pub fn widen_pipe(out: impl AsFd) {
    /// The largest pipe buffer without privilege, in bytes (pipe(7)).
    const WIDE: usize = 1 << 20;
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(out, WIDE);
    #[cfg(not(target_os = "linux"))]
    let _ = (out, WIDE);
}
