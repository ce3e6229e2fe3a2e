//! The rights of this process: more than its caller's, or less by a filter of system calls.

#[cfg(target_os = "linux")]
use std::io;

/// Returns true if this program has rights that its caller does not have: a set-id bit or a file capability
/// (AT_SECURE in getauxval(3)).
#[allow(unsafe_code)]
pub(crate) fn at_secure() -> bool {
    // SAFETY: getauxval takes an integer and reads what the kernel gave this process at its start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Returns true if a filter of system calls is in force on this thread (seccomp(2)).
pub fn has_system_call_filter() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{SecureComputingMode, secure_computing_mode};
        !matches!(secure_computing_mode(), Ok(SecureComputingMode::Disabled))
    }
    #[cfg(not(target_os = "linux"))]
    true
}

/// Asks for the version of Landlock in a child process, and returns true if it lives on: a filter may end a process
/// for the question alone, as that of a unit with SystemCallFilter= does.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn may_ask_for_landlock() -> bool {
    /// LANDLOCK_CREATE_RULESET_VERSION in linux/landlock.h.
    const VERSION: libc::c_uint = 1;
    // SAFETY: the child calls only what is allowed after fork(2) in a process with threads, and ends.
    match unsafe { libc::fork() } {
        ..0 => false,
        0 => {
            // A core file would be of no use.
            // SAFETY: it takes integers and touches no memory.
            unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
            // SAFETY: a null pointer of length 0 goes with this flag (landlock_create_ruleset(2)).
            unsafe {
                libc::syscall(
                    libc::SYS_landlock_create_ruleset,
                    std::ptr::null::<libc::c_void>(),
                    0_usize,
                    VERSION,
                )
            };
            // SAFETY: it ends the process without any handler.
            unsafe { libc::_exit(0) }
        }
        child => {
            let mut status = 0;
            // SAFETY: the pointer leads to an integer that lives during the call.
            while unsafe { libc::waitpid(child, &raw mut status, 0) } < 0 {
                if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                    return false;
                }
            }
            libc::WIFEXITED(status)
        }
    }
}
