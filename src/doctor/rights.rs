//! What this process may do according to the kernel (/proc/self/status, capabilities(7)), and what would let
//! it read a spool.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;

use super::Report;
use crate::error::{Error, ErrorKind};
use crate::escape;
use crate::rights;

/// Bits of capability sets (capability.h).
const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const CAP_DAC_READ_SEARCH: u64 = 1 << 2;
const CAP_FOWNER: u64 = 1 << 3;

/// Where a package installs the tool.
const PACKAGED_TOOL: &str = "/usr/bin/queuewatch";

/// Where a package installs the plugin, a file that the package alone has, and what runs its script again. The database
/// of dpkg is not for programs to read (lintian, uses-dpkg-database-directly).
const PACKAGES: [(&str, &str, &str); 2] = [
    (
        "/usr/lib/nagios/plugins/check_postfix_queue",
        "/usr/share/doc/queuewatch/copyright",
        "dpkg-reconfigure queuewatch",
    ),
    (
        "/usr/lib64/nagios/plugins/check_postfix_queue",
        "/usr/share/licenses/queuewatch/LICENSE-MIT",
        "rpm -U --replacepkgs queuewatch-*.rpm",
    ),
];

/// The plugin of the package that this program is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packaged {
    plugin: &'static str,
    /// What runs the script of the package again.
    again: &'static str,
    /// Whether the plugin has a capability.
    capable: bool,
}

impl Packaged {
    fn of(program: &Path) -> Option<Packaged> {
        let mut packages = PACKAGES.into_iter();
        let (plugin, _, again) = packages.find(|(plugin, shows, _)| {
            let ours = program == Path::new(PACKAGED_TOOL) || program == Path::new(plugin);
            ours && Path::new(plugin).exists() && Path::new(shows).exists()
        })?;
        let mut value = [0; 64];
        Some(Packaged {
            plugin,
            again,
            capable: rustix::fs::getxattr(plugin, "security.capability", &mut value)
                .is_ok_and(|length| length > 0),
        })
    }

    /// Returns how the plugin of a package gets a right that outlives upgrades (install.md, "The right to read"). The tool
    /// gets none: everybody may run it.
    fn remedy(self) -> String {
        let Packaged { plugin, again, .. } = self;
        if self.capable {
            return format!(
                "{plugin} has a capability and may read it; this program is another one: run it as root"
            );
        }
        format!(
            "mkdir -p /etc/queuewatch && echo GROUP >/etc/queuewatch/setcap && {again}   \
             (GROUP may then read the queues through {plugin}; or run this program as root)"
        )
    }
}

/// The rights of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rights {
    /// The effective user.
    pub(super) user: u32,
    effective: u64,
    bounding: u64,
    no_new_privileges: bool,
    program: Option<PathBuf>,
    packaged: Option<Packaged>,
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
            packaged: program.as_deref().and_then(Packaged::of),
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
        match self.packaged {
            Some(packaged) => packaged.remedy(),
            None => format!("setcap cap_dac_read_search+ep {program}   (or run it as root)"),
        }
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
        let packaged = Packaged {
            plugin: PACKAGES[0].0,
            again: PACKAGES[0].2,
            capable: false,
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
            (
                Rights {
                    packaged: Some(packaged),
                    ..with("", "")
                },
                "mkdir -p /etc/queuewatch && echo GROUP >/etc/queuewatch/setcap && dpkg-reconfigure queuewatch",
            ),
            (
                Rights {
                    packaged: Some(Packaged {
                        capable: true,
                        ..packaged
                    }),
                    ..with("", "")
                },
                "check_postfix_queue has a capability and may read it",
            ),
        ] {
            let remedy = rights.remedy();
            assert!(remedy.contains(part), "{remedy}");
        }
    }
}
