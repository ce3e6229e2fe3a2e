//! Opens, lists and examines the files and directories of a spool, relative to open directories.
//!
//! Queue files are opened without following links and without blocking on a FIFO.

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

use crate::source::Source;

/// Opens a file that the caller of the program names, without waiting for a writer of a FIFO. `None` if it is not a
/// regular file. With `links`, a link to one will do; without, a link is an error of `ELOOP`.
pub(crate) fn open_regular(path: &Path, links: bool) -> io::Result<Option<File>> {
    let follow = if links { 0 } else { libc::O_NOFOLLOW };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(follow | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// The inode of a queue file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Inode number.
    pub(crate) number: u64,
    /// Permission bits with set-id and sticky bits (07777).
    pub mode: u32,
    /// User ID of its owner.
    pub(crate) owner: u32,
    /// Group ID.
    pub(crate) group: u32,
    /// Whether it is a regular file.
    pub(crate) regular: bool,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Modification time, in seconds since the epoch: for a deferred file the next retry.
    pub(crate) mtime: i64,
    /// Time of the last change of the inode (ctime), in seconds of the epoch: for deferred mail that is the last
    /// try, for qmgr(8) sets mtime then.
    pub(crate) changed: i64,
}

impl Inode {
    /// The inode of nothing.
    pub(crate) const NONE: Inode = Inode {
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
pub(crate) struct Noatime(bool);

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
pub(crate) fn inode(file: BorrowedFd<'_>) -> Result<Inode, Errno> {
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

/// Returns true if the mode of `path` is not all that permits access: it has an ACL (acl(5)).
pub(crate) fn has_acl(path: &Path) -> bool {
    let mut value = [0_u8; 256];
    match rustix::fs::getxattr(path, "system.posix_acl_access", &mut value[..]) {
        Ok(length) => length > 0,
        Err(errno) => errno == Errno::RANGE,
    }
}

/// Identifies one version of a file: inode number, size, and the time of the last inode change (ctime),
/// which no program can set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    number: u64,
    size: u64,
    /// Change time, in nanoseconds since the epoch.
    changed: i64,
}

impl Identity {
    /// The identity of an absent file.
    pub(crate) const NONE: Identity = Identity {
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
pub(crate) enum EntryKind {
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
pub(crate) fn list(
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
pub(crate) struct OpenFile<'fd>(pub BorrowedFd<'fd>);

impl Source for OpenFile<'_> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        rustix::io::pread(self.0, into, offset).map_err(io::Error::from)
    }
}
