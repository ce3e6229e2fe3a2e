//! What the host says: time since boot, local time, and the file system of a spool.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::io::Errno;

/// Time since boot: a clock that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SinceBoot {
    /// The boot ID.
    pub(crate) id: u128,
    /// Seconds, including time in suspension.
    pub(crate) seconds: f64,
}

/// The time since boot; `None` if /proc has no boot ID.
pub(crate) fn since_boot() -> Option<SinceBoot> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = u128::from_str_radix(&id.trim().replace('-', ""), 16).ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = uptime.split(' ').next()?.parse().ok()?;
    Some(SinceBoot { id, seconds })
}

/// The type of network file system that `path` is on; `None` for a local one.
pub(crate) fn network_file_system(path: &Path) -> Option<&'static str> {
    /// File system type numbers (statfs(2)).
    const NETWORK: [(u64, &str); 7] = [
        (0x6969, "NFS"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB"),
        (0x00c3_6400, "Ceph"),
        (0x0116_1970, "GFS2"),
        (0x7461_636f, "OCFS2"),
        (0x0102_1997, "9p"),
    ];
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    // The field's width and sign differ between architectures.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
    let kind = kind as u64 & 0xffff_ffff;
    let found = NETWORK.iter().find(|(number, _)| *number == kind);
    found.map(|(_, name)| *name)
}

/// Free space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes available to Postfix (f_bavail, which its queue_minfree check uses).
    pub free_bytes: u64,
    /// The size of the file system in bytes.
    pub size_bytes: u64,
    /// Available inodes; `None` if the file system has no fixed number of them.
    pub free_inodes: Option<u64>,
}

/// Free space of the file system that holds `place`.
pub(crate) fn disk(place: impl AsFd) -> Result<Disk, Errno> {
    let stat = rustix::fs::fstatvfs(place)?;
    Ok(Disk {
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        size_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        free_inodes: (stat.f_files > 0).then_some(stat.f_favail),
    })
}

/// Local time at `seconds` since the epoch in the format of asctime(3) without the newline: `Tue Nov 24
/// 02:00:00 2026`. `None` if the year is out of range.
#[allow(unsafe_code)]
pub fn local_time(seconds: i64) -> Option<String> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut broken_down = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers point to values of the right type that live during the call.
    let filled = unsafe { libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: localtime_r has filled it, since it returned no null.
    let time = unsafe { broken_down.assume_init() };
    Some(format!(
        "{} {}{:3} {:02}:{:02}:{:02} {}",
        DAYS[time.tm_wday.rem_euclid(7) as usize],
        MONTHS[time.tm_mon.rem_euclid(12) as usize],
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec,
        1900 + i64::from(time.tm_year)
    ))
}
