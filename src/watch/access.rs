//! Whether a directory whose owner, mode or times changed can be read as before.
//!
//! If so, its files need no check: they have events of their own. The directory is opened by its name, as a
//! scan opens it, because an open descriptor stays readable whatever the mode.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

use super::ledger::DirectoryId;
use super::tracked::{Tracked, TrackedSpool};
use super::watch_set::{self, DirectoryKind};
use crate::scan::GapKind;
use crate::sys::{self, Noatime};

/// Returns true if names can be looked up in an open directory, which needs the right to search it.
fn is_searchable(directory: BorrowedFd<'_>) -> bool {
    sys::inode_at(directory, c".").is_ok()
}

/// Returns true if the directory `name` of a spool could not be opened, and so has no watch.
pub(super) fn could_not_open(
    tracked: &Tracked,
    spools: &[TrackedSpool],
    directory_id: DirectoryId,
    name: &[u8],
) -> bool {
    let instance = tracked.directories.row(directory_id).instance;
    spools.get(instance).is_some_and(|spool| {
        let path = spool.spool.path().join(OsStr::from_bytes(name));
        spool.gaps.iter().any(|gap| gap.path == path)
    })
}

/// Returns true if a directory of a queue, and all files in it that were checked, could be read and still can.
pub(super) fn is_as_before(
    tracked: &Tracked,
    spools: &[TrackedSpool],
    directory_id: DirectoryId,
) -> bool {
    let row = tracked.directories.row(directory_id);
    let DirectoryKind::Queue(directory) = &row.what else {
        return false;
    };
    let mut lost = tracked.lost.iter();
    if row.gap.is_some()
        || !row.all_read
        || lost.any(|(_, gap)| gap.path.starts_with(&directory.path))
    {
        return false;
    }
    let mut noatime = Noatime::default();
    let opened = match &row.parent {
        Some((above, name)) => match &tracked.directories.row(*above).what {
            DirectoryKind::Queue(parent) => parent.open(name, &mut noatime),
            _ => return false,
        },
        None => match spools.get(row.instance) {
            Some(spool) => spool
                .spool
                .queue_directory(directory.queue, &mut noatime)
                .map(Some),
            None => return false,
        },
    };
    opened.is_ok_and(|opened| opened.is_some_and(|opened| is_searchable(opened.fd())))
}

/// Returns true if all delay logs of the instance could be read, and those in this directory still can.
pub(super) fn logs_are_as_before(
    tracked: &Tracked,
    spools: &[TrackedSpool],
    directory_id: DirectoryId,
) -> bool {
    let row = tracked.directories.row(directory_id);
    let Some(spool) = spools.get(row.instance) else {
        return false;
    };
    let mut gaps = spool.gaps.iter();
    if !tracked.ledger.log_gaps.is_empty() || gaps.any(|gap| gap.kind == GapKind::LogDirectory) {
        return false;
    }
    let mut noatime = Noatime::default();
    let opened = match &row.parent {
        Some((above, name)) => match watch_set::logs_fd(tracked.directories.row(*above)) {
            Some((fd, _)) => noatime.open_directory(fd, name, false),
            None => return false,
        },
        None => noatime.open_directory(spool.spool.fd(), c"defer", true),
    };
    opened.is_ok_and(|opened| is_searchable(opened.as_fd()))
}
