//! The system calls of a scan as safe functions.
//!
//! All files are opened read-only, close-on-exec, without locks, and without changing access times if
//! the kernel allows it. Queue files are also opened without following links and without blocking on a
//! FIFO. Calls that rustix does not provide are at the end; they are the only `unsafe` outside `ffi`.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, Timespec};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::source::Source;

/// The inode of a queue file.
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
    /// Size in bytes.
    pub size: u64,
    /// Modification time, in seconds since the epoch: for a deferred file the next retry.
    pub mtime: i64,
    /// Time of the last change of the inode (ctime), in seconds of the epoch: of deferred mail the last
    /// try, for qmgr(8) sets mtime then.
    pub changed: i64,
}

impl Inode {
    /// The inode of nothing.
    pub const NONE: Inode = Inode {
        number: 0,
        mode: 0,
        owner: 0,
        group: 0,
        regular: false,
        size: 0,
        mtime: 0,
        changed: 0,
    };
}

impl From<rustix::fs::Stat> for Inode {
    // stat's fields have different widths on different architectures.
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
            changed: stat.st_ctime as i64,
        }
    }
}

/// Whether to open with O_NOATIME. The kernel refuses it if we neither own the file nor have CAP_FOWNER;
/// after a refusal it is not tried again.
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
    pub(crate) fn open_file(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &CStr,
    ) -> Result<OwnedFd, Errno> {
        self.open(directory, name, OFlags::NOFOLLOW | OFlags::NONBLOCK)
    }

    /// Opens a directory for listing. The queue directory itself may be a link to another disk, as
    /// Postfix allows; directories below it may not.
    pub(crate) fn open_directory(
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
    /// Opens the file at the relative `path` below `directory` without following links.
    pub(crate) fn open_below(
        &mut self,
        directory: BorrowedFd<'_>,
        path: &CStr,
    ) -> Result<OwnedFd, Errno> {
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
            // Old kernel, or a sandbox that forbids openat2.
            Err(Errno::NOSYS | Errno::PERM) => self.open_stepwise(directory, path),
            result => result,
        }
    }

    /// Fallback: opens each directory of the path in turn.
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

/// Opens `path` as the base directory of later calls; needs no permission to list it.
pub(crate) fn open_base(path: &Path) -> Result<OwnedFd, Errno> {
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

/// The inode of `name`; links are not followed.
pub(crate) fn inode_at(directory: BorrowedFd<'_>, name: &CStr) -> Result<Inode, Errno> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map(Inode::from)
}

/// The inode of `name`, links followed as Postfix follows them.
pub(crate) fn target_inode_at(directory: BorrowedFd<'_>, name: &str) -> Result<Inode, Errno> {
    rustix::fs::statat(directory, name, AtFlags::empty()).map(Inode::from)
}

/// Identifies one version of a file: inode number, size, and the time of the last inode change (ctime),
/// which no program can set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    number: u64,
    size: u64,
    /// Change time, in nanoseconds since the epoch.
    changed: i64,
}

impl Identity {
    /// The identity of an absent file.
    pub const NONE: Identity = Identity {
        number: 0,
        size: 0,
        changed: 0,
    };
}

/// The identity of the file at the relative `path` below `directory`. A link at the end is not followed.
/// On a network file system, asks the server instead of the cache.
///
/// # Errors
/// The errors of statx(2); `ENOSYS` if the kernel has no such call, `EOVERFLOW` if the time is outside
/// of 1677 to 2262.
pub(crate) fn identity_at(directory: BorrowedFd<'_>, path: &CStr) -> Result<Identity, Errno> {
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

/// Whether `name` exists, whatever its type.
pub(crate) fn exists_at(directory: BorrowedFd<'_>, name: &str) -> bool {
    !matches!(
        rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW),
        Err(Errno::NOENT)
    )
}

/// The type of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A link, socket, FIFO or device.
    Other,
    /// The file system does not report types.
    Unknown,
}

/// The type of `name`; links are not followed.
pub(crate) fn kind_at(directory: BorrowedFd<'_>, name: &CStr) -> Result<EntryKind, Errno> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        _ => EntryKind::Other,
    })
}

/// Buffer size for one getdents(2), in bytes: some 2,000 names.
pub(crate) const LISTING_BYTES: usize = 65_536;

/// Reads one buffer of entries of `directory` except `.` and `..`, and passes name and type of each to
/// `each`. Returns whether there may be more; the next call continues after the last entry.
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

/// Time since boot: a clock that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SinceBoot {
    /// The boot ID.
    pub id: u128,
    /// Seconds, including time in suspension.
    pub seconds: f64,
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
pub fn disk(place: impl AsFd) -> Result<Disk, Errno> {
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
pub fn processors() -> usize {
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
            // No core file is of use to anybody.
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
