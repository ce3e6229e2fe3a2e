//! What this process may do according to the kernel (/proc/self/status, capabilities(7)), and what would let
//! it read a spool.

use std::fs;
use std::path::PathBuf;

use rustix::fs::StatVfsMountFlags;

use super::Report;
use crate::error::{Error, ErrorKind};
use crate::escape;
use crate::rights;

/// Bits of capability sets (capability.h).
const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_DAC_READ_SEARCH: u64 = 1 << 2;
const CAP_FOWNER: u64 = 1 << 3;

/// The rights of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// The effective user.
    pub(super) user: u32,
    effective: u64,
    bounding: u64,
    no_new_privileges: bool,
    program: Option<PathBuf>,
    /// True if the program's file system ignores file capabilities.
    nosuid: bool,
    /// The name of the SELinux or AppArmor domain that confines it.
    confined: Option<String>,
}

impl Rights {
    pub(super) fn of_this_process() -> Rights {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let program = std::env::current_exe().ok();
        let nosuid = program.as_ref().is_some_and(|program| {
            rustix::fs::statvfs(program)
                .is_ok_and(|disk| disk.f_flag.contains(StatVfsMountFlags::NOSUID))
        });
        Rights {
            program,
            nosuid,
            confined: confinement(),
            ..Rights::from_status(&status)
        }
    }

    fn from_status(status: &str) -> Rights {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.trim_start_matches(':').trim())
        };
        let set = |name| field(name).and_then(|text| u64::from_str_radix(text, 16).ok());
        let user = field("Uid").and_then(|text| text.split_whitespace().nth(1)?.parse().ok());
        Rights {
            user: user.unwrap_or_else(|| rustix::process::geteuid().as_raw()),
            effective: set("CapEff").unwrap_or(0),
            bounding: set("CapBnd").unwrap_or(u64::MAX),
            no_new_privileges: field("NoNewPrivs") == Some("1"),
            ..Rights::default()
        }
    }

    /// Returns true if no mode keeps it from reading.
    fn may_read_all(&self) -> bool {
        self.effective & (CAP_DAC_READ_SEARCH | CAP_DAC_OVERRIDE) != 0
    }

    pub(super) fn tell(&self, report: &mut Report) {
        let who = match self.user {
            0 => "root (user 0)".to_owned(),
            user => format!("user {user}"),
        };
        match (self.user, self.may_read_all()) {
            (_, true) if self.user != 0 => {
                report.good(format!("running as {who}, with CAP_DAC_READ_SEARCH"));
            }
            (0, true) => report.good(format!("running as {who}")),
            (0, false) => report.note(format!(
                "running as {who}, but without CAP_DAC_READ_SEARCH: modes count as for any user"
            )),
            (_, false) => report.note(format!(
                "running as {who}, without CAP_DAC_READ_SEARCH: only the mail owner reads queues so"
            )),
            (_, true) => {}
        }
        if rights::are_borrowed() {
            report.note(
                "these rights are not the caller's: only directories that Postfix or /etc/queuewatch/directories names are read",
            );
        }
        if let Some(confined) = &self.confined {
            report.note(format!("confined by {confined}"));
        }
        if self.may_read_all() && self.user != 0 && self.effective & CAP_FOWNER == 0 {
            report.note(
                "without CAP_FOWNER the kernel updates access times of what is read, as for any reader",
            );
        }
    }

    /// Returns how this process could get past `error`, or the remedy of the error itself.
    pub(super) fn remedy_for(&self, error: &Error) -> Option<String> {
        if error.kind() != ErrorKind::Denied
            && !matches!(error.errno(), Some(libc::EACCES | libc::EPERM))
        {
            return error.remedy().map(str::to_owned);
        }
        Some(self.remedy())
    }

    /// Returns the smallest right that lets this program read every spool.
    fn remedy(&self) -> String {
        let program = self.program.as_ref();
        let program = program.map_or("PROGRAM".to_owned(), |program| escape::path(program));
        if self.may_read_all() {
            return match &self.confined {
                Some(confined) => format!(
                    "it has the capability: {confined} refuses; see the audit log (ausearch -m avc, or dmesg)"
                ),
                None => {
                    "it has the capability: a network file system or a mount refuses; read it on \
                         the host that owns the spool"
                        .to_owned()
                }
            };
        }
        if self.no_new_privileges {
            return "it may gain no rights (NoNewPrivs): give its systemd unit \
                    AmbientCapabilities=CAP_DAC_READ_SEARCH"
                .to_owned();
        }
        if self.bounding & CAP_DAC_READ_SEARCH == 0 {
            return "its bounding set lacks CAP_DAC_READ_SEARCH: add it to the container \
                    (--cap-add=DAC_READ_SEARCH) or the unit (CapabilityBoundingSet=), or run on the host"
                .to_owned();
        }
        if self.nosuid {
            return format!(
                "{program} lies on a file system mounted nosuid, where capabilities of files have no \
                 effect: install it elsewhere, then setcap cap_dac_read_search+ep"
            );
        }
        format!("setcap cap_dac_read_search+ep {program}   (or run it as root)")
    }
}

/// Returns what confines this process, if anything does.
fn confinement() -> Option<String> {
    // If the kernel has both, the active one answers here.
    let label = fs::read("/proc/self/attr/current").ok()?;
    let label = escape::printable(label.trim_ascii_end().trim_ascii_end(), 96);
    let label = label.trim_end_matches('?');
    match label {
        "" | "unconfined" | "kernel" => None,
        _ if label.contains(":unconfined_t:") => None,
        _ if label.contains(':') => Some(format!("SELinux as {label}")),
        _ if label.ends_with("(complain)") => None,
        _ => Some(format!("AppArmor as {label}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &str = "Name:\tcheck\nUid:\t65534\t65534\t65534\t65534\nCapEff:\t0000000000000000\n\
                          CapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\n";

    #[test]
    fn rights_are_read_from_proc_status() {
        let rights = Rights::from_status(NOBODY);
        assert_eq!((rights.user, rights.may_read_all()), (65534, false));
        let with = NOBODY.replace("CapEff:\t0000000000000000", "CapEff:\t0000000000000004");
        assert!(Rights::from_status(&with).may_read_all());
        assert!(!Rights::from_status("").may_read_all());
    }

    #[test]
    fn the_remedy_is_the_least_that_helps() {
        let with = |from: &str, to: &str| Rights {
            program: Some("/usr/lib/nagios/plugins/check_postfix_queue".into()),
            ..Rights::from_status(&NOBODY.replace(from, to))
        };
        for (rights, part) in [
            (
                with("", ""),
                "setcap cap_dac_read_search+ep /usr/lib/nagios/plugins/check_postfix_queue",
            ),
            (
                with("NoNewPrivs:\t0", "NoNewPrivs:\t1"),
                "AmbientCapabilities",
            ),
            (
                with("CapBnd:\t000001ffffffffff", "CapBnd:\t00000000a80425fb"),
                "--cap-add=DAC_READ_SEARCH",
            ),
            (
                with("CapEff:\t0000000000000000", "CapEff:\t0000000000000004"),
                "it has the capability",
            ),
            (
                Rights {
                    nosuid: true,
                    ..with("", "")
                },
                "mounted nosuid",
            ),
        ] {
            let remedy = rights.remedy();
            assert!(remedy.contains(part), "{remedy}");
        }
    }
}
