//! Rights that a program borrows: whose they are, and when they are in force.
//!
//! A file capability, a set-id bit or sudo gives a program rights that its caller does not have. Then
//! the caller must learn no more than the program is for. [`begin`] detects this and suspends the borrowed
//! rights. [`raised`] puts them in force while the spool and main.cf are read. [`as_caller`] suspends them
//! where a file is the caller's, and where something is printed meanwhile. [`give_up`] ends them for good,
//! before anything else is printed.
//!
//! Only the programs call [`begin`]. In a library's host nothing here changes the rights of a thread.
//! Which directories a caller may name is in `instance`.

use std::cell::Cell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use once_cell::race::OnceBox;
use rustix::process::{DumpableBehavior, Gid, Uid};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::error::{Error, ErrorKind, Result};
use crate::sys;

/// Set once, by [`begin`], if the rights are borrowed.
static LOAN: OnceBox<Loan> = OnceBox::new();
/// Set by [`give_up`].
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether the borrowed rights are in force on this thread. The kernel gives a new thread those of the thread
    /// that starts it, so this is inherited, too.
    static RAISED: Cell<bool> = const { Cell::new(false) };
}

/// Both identities of a program with borrowed rights.
#[derive(Debug)]
struct Loan {
    lender: Identity,
    caller: Identity,
}

/// What the kernel decides access by.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    user: Uid,
    group: Gid,
    /// Supplementary groups.
    groups: Vec<Gid>,
    effective: CapabilitySet,
}

/// The variables by which sudo tells who calls (sudo(8), "ENVIRONMENT").
struct Sudo {
    user: Uid,
    group: Gid,
}

/// Detects borrowed rights and suspends them, and forbids other processes of the caller to trace this one.
/// Call it once, before there is another thread.
///
/// # Errors
/// If the kernel refuses to suspend them, to put them in force, or to end them. The program must end then.
pub fn begin() -> Result<()> {
    let refused = |cause: rustix::io::Errno| {
        Error::new(
            ErrorKind::Io,
            format!(
                "cannot suspend the rights that the caller does not have: {cause}; SELinux has to allow getcap and \
                 setcap (examples/selinux), a filter of system calls capset"
            ),
        )
    };
    let Some(loan) = Loan::of_this_process().map_err(refused)? else {
        return Ok(());
    };
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused)?;
    let loan = LOAN.get_or_init(|| Box::new(loan));
    loan.rehearse().map_err(refused)
}

/// The loan, until it is given up.
fn loan() -> Option<&'static Loan> {
    LOAN.get().filter(|_| !GIVEN_UP.load(Ordering::Acquire))
}

/// Whether this program holds rights that its caller does not have.
pub fn are_borrowed() -> bool {
    loan().is_some()
}

/// Whether the environment may be trusted, as secure_getenv(3) decides it. Where [`begin`] was called, the
/// caller's choice is examined instead of ignored.
pub(crate) fn trusts_environment() -> bool {
    are_borrowed() || !sys::at_secure()
}

/// Runs `work` with the borrowed rights in force on this thread and on those that it starts. Without a
/// loan, just runs it.
pub fn raised<T>(work: impl FnOnce() -> T) -> T {
    let _change = Change::to(true);
    work()
}

/// Runs `work` with the rights of the caller. Without a loan, just runs it.
pub fn as_caller<T>(work: impl FnOnce() -> T) -> T {
    let _change = Change::to(false);
    work()
}

/// The number of the user who calls a program with borrowed rights.
pub(crate) fn caller() -> Option<u32> {
    loan().map(|loan| loan.caller.user.as_raw())
}

/// Whether the borrowed rights are in force on this thread.
pub(crate) fn are_raised() -> bool {
    RAISED.get()
}

/// Tells a new thread what [`are_raised`] was on the thread that starts it, whose rights the kernel gave it.
pub(crate) fn inherit(raised: bool) {
    RAISED.set(raised);
}

/// Ends the borrowed rights of this thread for good, and [`raised`] for all threads. Another thread that
/// goes on must have called [`give_up_on_thread`].
pub fn give_up() {
    give_up_on_thread();
    GIVEN_UP.store(true, Ordering::Release);
}

/// Ends the borrowed rights of this thread, which needs none.
pub fn give_up_on_thread() {
    if let Some(loan) = loan() {
        if RAISED.replace(false) {
            or_abort(loan.suspend());
        }
        or_abort(loan.give_up());
    }
}

/// Changes the rights of this thread; dropping it changes them back.
struct Change {
    back: Option<bool>,
}

impl Change {
    fn to(raise: bool) -> Change {
        let Some(loan) = loan().filter(|_| RAISED.get() != raise) else {
            return Change { back: None };
        };
        or_abort(loan.put(raise));
        RAISED.set(raise);
        Change { back: Some(!raise) }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if let (Some(raise), Some(loan)) = (self.back, loan()) {
            or_abort(loan.put(raise));
            RAISED.set(raise);
        }
    }
}

/// The kernel refuses none of these changes, because [`begin`] has made each of them once. If it did, such as under
/// a policy that changed since, going on would read with the wrong rights.
fn or_abort(result: rustix::io::Result<()>) {
    if result.is_err() {
        std::process::abort();
    }
}

impl Loan {
    fn of_this_process() -> rustix::io::Result<Option<Loan>> {
        let user = rustix::process::geteuid();
        let sudo = match user.is_root() {
            true => Sudo::from_environment(),
            false => None,
        };
        if sudo.is_none() && !sys::at_secure() {
            return Ok(None);
        }
        let lender = Identity {
            user,
            group: rustix::process::getegid(),
            groups: rustix::process::getgroups()?,
            effective: rustix::thread::capabilities(None)?.effective,
        };
        let caller = match sudo {
            Some(Sudo { user, group }) => Identity {
                user,
                group,
                groups: vec![group],
                effective: CapabilitySet::empty(),
            },
            None => Identity {
                user: rustix::process::getuid(),
                group: rustix::process::getgid(),
                groups: lender.groups.clone(),
                effective: CapabilitySet::empty(),
            },
        };
        Ok(Some(Loan { lender, caller }))
    }

    /// Suspends the rights, after every kind of change that comes later. A security module may refuse one that the
    /// kernel itself permits to all: SELinux has getcap and setcap.
    fn rehearse(&self) -> rustix::io::Result<()> {
        self.suspend()?;
        self.resume()?;
        let present = rustix::thread::capabilities(None)?;
        rustix::thread::set_capabilities(None, present)?;
        self.suspend()
    }

    fn put(&self, raise: bool) -> rustix::io::Result<()> {
        match raise {
            true => self.resume(),
            false => self.suspend(),
        }
    }

    /// Groups before the user: changing them needs the lender's user.
    fn suspend(&self) -> rustix::io::Result<()> {
        let Loan { lender, caller } = self;
        if lender.groups != caller.groups {
            rustix::thread::set_thread_groups(&caller.groups)?;
        }
        if lender.group != caller.group {
            rustix::thread::set_thread_res_gid(None, caller.group, None)?;
        }
        if lender.user != caller.user {
            rustix::thread::set_thread_res_uid(None, caller.user, None)?;
        }
        set_effective(caller.effective)
    }

    /// The reverse order of [`Loan::suspend`]. The saved user ID is still the lender's.
    fn resume(&self) -> rustix::io::Result<()> {
        let Loan { lender, caller } = self;
        if lender.user != caller.user {
            rustix::thread::set_thread_res_uid(None, lender.user, None)?;
        }
        set_effective(lender.effective)?;
        if lender.group != caller.group {
            rustix::thread::set_thread_res_gid(None, lender.group, None)?;
        }
        if lender.groups != caller.groups {
            rustix::thread::set_thread_groups(&lender.groups)?;
        }
        Ok(())
    }

    /// For a thread whose borrowed rights are suspended.
    fn give_up(&self) -> rustix::io::Result<()> {
        let Identity { user, group, .. } = self.caller;
        rustix::thread::set_thread_res_gid(group, group, group)?;
        rustix::thread::set_thread_res_uid(user, user, user)?;
        rustix::thread::set_capabilities(
            None,
            CapabilitySets {
                effective: CapabilitySet::empty(),
                permitted: CapabilitySet::empty(),
                inheritable: CapabilitySet::empty(),
            },
        )
    }
}

fn set_effective(effective: CapabilitySet) -> rustix::io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    if sets.effective == effective {
        return Ok(());
    }
    sets.effective = effective;
    rustix::thread::set_capabilities(None, sets)
}

impl Sudo {
    /// Who called sudo. `None` without sudo, if root called it, or if sudo gave a root shell: who has that
    /// has all rights, and started this program without sudo.
    fn from_environment() -> Option<Sudo> {
        let number = |name| {
            let value = std::env::var(name).ok()?;
            value
                .parse::<u32>()
                .ok()
                .filter(|number| *number < u32::MAX)
        };
        // Without a readable number the caller counts as a user without special rights.
        let present = std::env::var_os("SUDO_UID")?;
        let user = number("SUDO_UID").unwrap_or(NOBODY);
        let group = number("SUDO_GID").unwrap_or(NOBODY);
        let command = std::env::var_os("SUDO_COMMAND").unwrap_or_default();
        let shells = std::fs::read("/etc/shells").unwrap_or_default();
        if present.is_empty() || user == 0 || is_root_shell(&command, &shells) {
            return None;
        }
        Some(Sudo {
            user: Uid::from_raw(user),
            group: Gid::from_raw(group),
        })
    }
}

/// The user and group without files (Debian's base-passwd, and user_namespaces(7)).
const NOBODY: u32 = 65_534;

/// Whether sudo ran an interactive shell of `shells` (shells(5)) or su, without a script or a command.
fn is_root_shell(command: &OsStr, shells: &[u8]) -> bool {
    let command = command.as_bytes();
    let mut lines = shells.split(|byte| *byte == b'\n');
    let shell = command.starts_with(b"/") && lines.any(|line| line.trim_ascii() == command);
    let su = [
        &b"/bin/su"[..],
        b"/usr/bin/su",
        b"/bin/su -",
        b"/usr/bin/su -",
    ];
    shell || su.contains(&command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interactive_shell_is_a_root_shell() {
        let shells = b"# /etc/shells\n/bin/sh\n/usr/bin/bash \n";
        let table = [
            ("/bin/sh", true),
            ("/usr/bin/bash", true),
            ("/usr/bin/su -", true),
            ("", false),
            ("# /etc/shells", false),
            ("/bin/sh -c queuewatch", false),
            ("/usr/bin/bash /usr/local/bin/check", false),
            ("/usr/bin/su nagios", false),
            (
                "/usr/lib/nagios/plugins/check_postfix_queue -d /root",
                false,
            ),
            ("/bin/zsh", false),
        ];
        for (command, expected) in table {
            assert_eq!(
                is_root_shell(command.as_ref(), shells),
                expected,
                "{command}"
            );
        }
    }

    #[test]
    fn without_a_loan_work_just_runs() {
        assert!(!are_borrowed());
        assert_eq!(raised(|| as_caller(|| 7)), 7);
        give_up();
    }
}
