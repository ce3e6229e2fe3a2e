//! The system calls of a scan, as safe functions that know our rules.
//!
//! Everything is opened read-only, close-on-exec, without locks, and (where the kernel lets us)
//! without touching access times; queue files also without following links and without blocking on
//! a FIFO. rustix makes the calls; those that it lacks are at the end, the only `unsafe` outside
//! `ffi`.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::source::Source;

/// What the inode of a queue file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Inode number.
    pub number: u64,
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u32,
    /// User ID of its owner.
    pub owner: u32,
    /// Group ID.
    pub group: u32,
    /// Whether it is a regular file.
    pub regular: bool,
    /// Bytes.
    pub size: u64,
    /// Modification time, in seconds of the epoch: for a deferred file the next retry.
    pub mtime: i64,
}

impl From<rustix::fs::Stat> for Inode {
    // The widths of stat's fields differ from one architecture to the next.
    #[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
    fn from(stat: rustix::fs::Stat) -> Self {
        Inode {
            number: stat.st_ino as u64,
            mode: stat.st_mode as u32 & 0o7777,
            owner: stat.st_uid as u32,
            group: stat.st_gid as u32,
            regular: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: stat.st_mtime as i64,
        }
    }
}

/// Whether opens ask the kernel to leave access times alone: it refuses where we neither own the
/// file and lacks CAP_FOWNER, and is then not asked again.
#[derive(Clone, Copy, Debug)]
pub struct Noatime(bool);

impl Default for Noatime {
    fn default() -> Self {
        Noatime(true)
    }
}

impl Noatime {
    fn open(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
        if self.0 {
            match rustix::fs::openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
                Err(Errno::PERM) => self.0 = false,
                result => return result,
            }
        }
        rustix::fs::openat(directory, name, flags, Mode::empty())
    }

    /// Opens a queue file for reading.
    pub fn open_file(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
        self.open(directory, name, OFlags::NOFOLLOW | OFlags::NONBLOCK)
    }

    /// Opens a directory for listing. A queue directory itself may be a link that its administrator
    /// made to another disk, as Postfix allows; what lies below may not.
    pub fn open_directory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        follow: bool,
    ) -> Result<OwnedFd, Errno> {
        let flags = if follow {
            OFlags::DIRECTORY
        } else {
            OFlags::DIRECTORY | OFlags::NOFOLLOW
        };
        self.open(parent, name, flags)
    }
}

impl Noatime {
    /// Opens the file at the relative `path` below `directory`, following no link on the way.
    pub fn open_below(&mut self, directory: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        if self.0 {
            match openat2(
                directory,
                path,
                flags | OFlags::NOATIME,
                Mode::empty(),
                resolve,
            ) {
                Err(Errno::PERM) => self.0 = false,
                Err(Errno::NOSYS) => return self.open_stepwise(directory, path),
                result => return result,
            }
        }
        match openat2(directory, path, flags, Mode::empty(), resolve) {
            // No such call in this kernel, or none allowed in this sandbox.
            Err(Errno::NOSYS | Errno::PERM) => self.open_stepwise(directory, path),
            result => result,
        }
    }

    /// The same, directory by directory.
    fn open_stepwise(&mut self, directory: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd, Errno> {
        let mut steps = path.to_bytes().split(|byte| *byte == b'/').peekable();
        let mut below: Option<OwnedFd> = None;
        while let Some(step) = steps.next() {
            let name = std::ffi::CString::new(step).map_err(|_| Errno::INVAL)?;
            let here = below.as_ref().map_or(directory, AsFd::as_fd);
            if steps.peek().is_none() {
                return self.open_file(here, &name);
            }
            below = Some(self.open_directory(here, &name, false)?);
        }
        Err(Errno::NOENT)
    }
}

/// Opens `path` as the place that later calls start from; needs no right to list it.
pub fn open_place(path: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(
        CWD,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// The inode of an open file.
pub fn inode(file: BorrowedFd<'_>) -> Result<Inode, Errno> {
    rustix::fs::fstat(file).map(Inode::from)
}

/// The inode of `name`, links not followed.
pub fn inode_at(directory: BorrowedFd<'_>, name: &CStr) -> Result<Inode, Errno> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Inode::from)
}

/// The inode of `name`, links followed as Postfix follows them.
pub fn target_inode_at(directory: BorrowedFd<'_>, name: &str) -> Result<Inode, Errno> {
    rustix::fs::statat(directory, name, AtFlags::empty()).map(Inode::from)
}

/// What tells an unchanged file from a changed one, whoever changed it: inode number, size, and the
/// time of the last change of the inode (ctime), which no program can set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    number: u64,
    size: u64,
    /// Nanoseconds of the epoch.
    changed: i64,
}

impl Identity {
    /// That of no file.
    pub const NONE: Identity = Identity {
        number: 0,
        size: 0,
        changed: 0,
    };
}

/// The identity of the file at the relative `path` below `directory`, the last link not followed, asked
/// of the server where a network file system would answer from memory.
///
/// # Errors
/// Those of statx(2); `ENOSYS` where there is no such call, `EOVERFLOW` if its time is beyond 1677 to 2262.
pub fn identity_at(directory: BorrowedFd<'_>, path: &CStr) -> Result<Identity, Errno> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{StatxFlags, statx};
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_FORCE_SYNC;
        let wanted = StatxFlags::INO | StatxFlags::SIZE | StatxFlags::CTIME;
        let stat = statx(directory, path, flags, wanted)?;
        let seconds = stat.stx_ctime.tv_sec;
        let changed = seconds
            .checked_mul(1_000_000_000)
            .and_then(|time| time.checked_add(i64::from(stat.stx_ctime.tv_nsec)));
        Ok(Identity {
            number: stat.stx_ino,
            size: stat.stx_size,
            changed: changed.ok_or(Errno::OVERFLOW)?,
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (directory, path);
        Err(Errno::NOSYS)
    }
}

/// Whether `name` exists, as anything.
pub fn exists_at(directory: BorrowedFd<'_>, name: &str) -> bool {
    !matches!(
        rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW),
        Err(Errno::NOENT)
    )
}

/// What a directory says an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, a socket, a FIFO, a device.
    Other,
    /// This file system does not say.
    Unknown,
}

/// What `name` is, links not followed.
pub fn kind_at(directory: BorrowedFd<'_>, name: &CStr) -> Result<EntryKind, Errno> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        _ => EntryKind::Other,
    })
}

/// Memory for one getdents(2): some 2,000 names.
pub const LISTING_BYTES: usize = 65_536;

/// Reads one buffer full of the entries of `directory`, but for `.` and `..`, and tells name and kind
/// of each. Returns whether there may be more: the next call goes on where this one ended.
pub fn list(
    directory: BorrowedFd<'_>,
    memory: &mut Vec<u8>,
    mut each: impl FnMut(&CStr, EntryKind),
) -> Result<bool, Errno> {
    memory.clear();
    memory.reserve(LISTING_BYTES);
    let spare: &mut [MaybeUninit<u8>] = memory.spare_capacity_mut();
    let mut entries = RawDir::new(directory, spare);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        let kind = match entry.file_type() {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Directory,
            FileType::Unknown => EntryKind::Unknown,
            _ => EntryKind::Other,
        };
        if !matches!(name.to_bytes(), b"." | b"..") {
            each(name, kind);
        }
        if entries.is_buffer_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An open file as a source of records.
#[derive(Debug)]
pub struct OpenFile<'fd>(pub BorrowedFd<'fd>);

impl Source for OpenFile<'_> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        rustix::io::pread(self.0, into, offset).map_err(io::Error::from)
    }
}

/// Has `out` hold more on its way to a slow reader, if it is a pipe: whoever writes waits less often.
pub fn widen_pipe(out: impl AsFd) {
    /// Bytes: all that is allowed without a privilege (pipe(7)).
    const WIDE: usize = 1 << 20;
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(out, WIDE);
    #[cfg(not(target_os = "linux"))]
    let _ = (out, WIDE);
}

/// How long this boot of the kernel has lasted: a clock that nobody sets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinceBoot {
    /// Which boot.
    pub id: u128,
    /// Seconds, those in suspension among them.
    pub seconds: f64,
}

/// The time since boot; `None` where /proc does not name the boot.
pub fn since_boot() -> Option<SinceBoot> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = u128::from_str_radix(&id.trim().replace('-', ""), 16).ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds = uptime.split(' ').next()?.parse().ok()?;
    Some(SinceBoot { id, seconds })
}

/// The kind of network file system that `path` is on, if it is on one.
pub fn network_file_system(path: &Path) -> Option<&'static str> {
    /// Numbers of file systems (statfs(2)).
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
    // Its width and sign differ from one architecture to the next.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss)]
    let kind = kind as u64 & 0xffff_ffff;
    let found = NETWORK.iter().find(|(number, _)| *number == kind);
    found.map(|(_, name)| *name)
}

/// Free space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that Postfix may still use (f_bavail, as its own queue_minfree test counts).
    pub free_bytes: u64,
    /// The size of the file system in bytes.
    pub size_bytes: u64,
    /// Inodes that it may still use; `None` where the file system has no fixed number of them.
    pub free_inodes: Option<u64>,
}

/// Free space of the file system that holds `place`.
pub fn disk(place: impl AsFd) -> Result<Disk, Errno> {
    let stat = rustix::fs::fstatvfs(place)?;
    Ok(Disk {
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        size_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        free_inodes: (stat.f_files > 0).then_some(stat.f_favail),
    })
}

/// `seconds` of the epoch as asctime(3) writes local time, but for the newline: `Tue Nov 24 02:00:00
/// 2026`. `None` for a year that no calendar has.
#[allow(unsafe_code)]
pub fn local_time(seconds: i64) -> Option<String> {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut broken_down = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers lead to values of the right type for the length of the call.
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

/// Lets everybody else go first: the calling thread, and those that it starts, get the lowest priority
/// for a processor and the idle class for the disk (ioprio_set(2); the schedulers BFQ and mq-deadline
/// heed it). Cannot be undone without a privilege, so it is for threads of our own. What the system
/// refuses is left as it was.
#[allow(unsafe_code)]
pub fn step_back() {
    /// Of linux/ioprio.h: the calling thread; the class in the upper bits.
    const WHO_PROCESS: libc::c_int = 1;
    const IDLE: libc::c_int = 3 << 13;
    // On Linux a priority is a thread's own, and 0 is the calling one (setpriority(2), "C
    // library/kernel differences").
    let _ = rustix::process::setpriority_process(None, 19);
    // SAFETY: ioprio_set takes three integers and touches no memory.
    unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE) };
}

/// How often the kernel has taken the processor from the calling thread for somebody else: its
/// involuntary context switches (getrusage(2)). 0 where the system does not count them by thread.
pub fn pushed_aside() -> u64 {
    switches().1
}

/// How often the calling thread had to wait, for a disk or for another thread: its voluntary context
/// switches (getrusage(2)). 0 where the system does not count them by thread.
pub fn waits() -> u64 {
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

/// How many processors the calling thread may run on.
pub fn processors() -> usize {
    #[cfg(target_os = "linux")]
    if let Ok(set) = rustix::thread::sched_getaffinity(None) {
        return set.count().max(1) as usize;
    }
    // Also where there are more of them than such a set holds.
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Keeps the host's signal handlers off the calling thread, which is one of ours: a host such as
/// perl must not be entered on a thread that it did not make.
#[allow(unsafe_code)]
pub fn block_signals() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset writes the whole set that it is given.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `all` was filled above; a null third argument asks for no old mask. It changes the
    // calling thread only.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), std::ptr::null_mut()) };
}
