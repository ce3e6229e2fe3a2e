//! What forbids Landlock on a host, or makes it do harm.

use queuewatch::sys;

/// Returns true in a unit or container whose filter of system calls ends a process that asks for Landlock.
pub(super) fn is_filtered() -> bool {
    sys::has_system_call_filter() && !sys::may_ask_for_landlock()
}

/// Returns true if /proc shows other processes to those alone that may trace them (proc(5), "hidepid"). Root may, and
/// loses that when it is confined. Others see nothing either way.
pub(super) fn hides_processes() -> bool {
    if !rustix::process::geteuid().is_root() {
        return false;
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().any(is_proc_with_hidepid)
}

/// Lines are `22 27 0:21 / /proc rw,nosuid shared:5 - proc proc rw,hidepid=invisible` (proc(5)).
fn is_proc_with_hidepid(line: &str) -> bool {
    let mut fields = line.split(' ');
    let options = || line.rsplit(' ').next().unwrap_or_default().split(',');
    fields.nth(4) == Some("/proc")
        && options().any(|option| {
            option.starts_with("hidepid=") && !matches!(option, "hidepid=0" | "hidepid=off")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proc_that_hides_processes_is_recognized() {
        let line = "22 27 0:21 / /proc rw,nosuid shared:5 - proc proc rw";
        for (end, expected) in [
            ("", false),
            (",hidepid=0", false),
            (",hidepid=off", false),
            (",hidepid=2", true),
            (",hidepid=invisible,gid=4", true),
        ] {
            assert_eq!(
                is_proc_with_hidepid(&format!("{line}{end}")),
                expected,
                "{end}"
            );
        }
        let elsewhere = "22 27 0:21 / /srv/proc rw shared:5 - proc proc rw,hidepid=2";
        assert!(!is_proc_with_hidepid(elsewhere));
        assert!(!is_proc_with_hidepid(""));
    }
}
