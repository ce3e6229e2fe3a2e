//! What Postfix expects of a spool: the hash directory of each queue file, and the owners.
//!
//! The daemons list a file in another directory but never open it: they look for it under its hashed path
//! (postfix.md, "Misplaced files"). A file or directory of another owner, or a directory that its owner
//! cannot use, ends a daemon with a fatal error each time it gets there (tested with Postfix 3.7: `open active
//! ID: Permission denied`, `scan_dir_push: open directory deferred: Permission denied`, `remove defer ID:
//! Permission denied`). So does a queue_directory that the mail owner cannot search: `scan_dir_push: open
//! directory maildrop: Permission denied`.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::directory::Directory;
use super::owner_fault::{Misowned, OwnerFault, mode_fault, owner_fault};
use crate::instance::{Instance, local_group, local_user, local_user_group};
use crate::postfix::defer_log::Log;
use crate::postfix::queue::{Queue, QueueSet};
use crate::postfix::queue_id;
use crate::sys::{self, Inode};

/// Directories of logs and sockets that daemons use as the mail owner.
const BESIDE: [&str; 5] = ["bounce", "defer", "trace", "private", "public"];

const LOGS: [Log; 3] = [Log::Defer, Log::Bounce, Log::Trace];
/// How many levels of their hash directories are looked at: 256 directories each. `hash_queue_depth` is 1
/// unless somebody raises it.
const MAX_LOG_LEVELS: usize = 2;

/// What Postfix expects of the files and directories of one spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The number of hash levels of each queue.
    levels: [usize; Queue::ALL.len()],
    /// The number of hash levels of each log that are looked at.
    log_levels: [usize; LOGS.len()],
    /// The mail owner, if it is known.
    owner: Option<u32>,
    /// The group of its daemons, if it is known. They drop all others (set_ugid.c).
    owner_group: Option<u32>,
    /// The group of maildrop and public, if it is known.
    setgid_group: Option<u32>,
}

impl Expected {
    /// Reads the settings of `instance` about its spool, which is open as `spool`. Without a main.cf, or if its
    /// mail_owner is not a local user, the owner of most queue directories counts. It also counts for a spool
    /// that was named in place of the one in main.cf, if no queue directory is the mail owner's: in a container
    /// the same names have other numbers.
    pub(super) fn of(instance: &Instance, spool: BorrowedFd<'_>) -> Self {
        let settings = &instance.settings;
        let mut levels = [0; Queue::ALL.len()];
        for queue in Queue::ALL {
            // maildrop is never hashed: postsuper(1) refuses that.
            if queue != Queue::Maildrop && settings.is_hashed(queue.name()) {
                levels[queue.index()] = settings.hash_queue_depth;
            }
        }
        let log_levels = LOGS.map(|log| match settings.is_hashed(log.directory()) {
            true => settings.hash_queue_depth.min(MAX_LOG_LEVELS),
            false => 0,
        });
        let configured = instance.config_directory.is_some();
        let owner = configured
            .then(|| local_user(&settings.mail_owner))
            .flatten();
        let owners = owners(spool);
        let foreign = instance.relocated && !owner.is_some_and(|owner| owners.contains(&owner));
        let owner = owner.filter(|_| !foreign);
        let owner_group = owner.and_then(|_| local_user_group(&settings.mail_owner));
        let group = (configured && !foreign).then(|| local_group(&settings.setgid_group));
        Expected {
            levels,
            log_levels,
            owner: owner.or_else(|| majority(&owners)),
            owner_group,
            setgid_group: group.flatten(),
        }
    }

    /// How many levels of hash directories `queue` has.
    pub(super) fn levels(&self, queue: Queue) -> usize {
        self.levels[queue.index()]
    }

    /// Returns true if Postfix looks for the message `name` elsewhere than in `directory`. In corrupt it looks
    /// for no message.
    pub(crate) fn is_misplaced(&self, directory: &Directory, name: &[u8]) -> bool {
        let levels = self.levels[directory.queue.index()];
        let expected = queue_id::hash_characters(name, levels);
        directory.queue != Queue::Corrupt && !expected.eq(directory.levels().iter().copied())
    }

    /// Returns the expected owner of the files of `queue`. In maildrop they belong to their senders.
    pub(super) fn owner_of_files(&self, queue: Queue) -> Option<u32> {
        match queue {
            Queue::Maildrop | Queue::Corrupt => None,
            _ => self.owner,
        }
    }

    /// Returns why the owner of a queue file in `directory` stops Postfix.
    pub(crate) fn file_fault(&self, directory: &Directory, inode: Inode) -> Option<OwnerFault> {
        owner_fault(self.owner_of_files(directory.queue), inode)
    }

    /// Returns why the owner or mode of a directory of a queue stops Postfix.
    pub(crate) fn directory_fault(&self, inode: Inode) -> Option<OwnerFault> {
        owner_fault(self.owner, inode).or_else(|| mode_fault(inode, 0o700))
    }

    /// Returns why the owner or mode of `directory` stops Postfix, if daemons use it.
    pub(crate) fn misowned_directory(&self, directory: &Directory) -> Option<Misowned> {
        let inode = sys::inode(directory.fd()).ok();
        let inode = inode.filter(|_| directory.listed)?;
        let fault = self.directory_fault(inode)?;
        Some(Misowned {
            queue: Some(directory.queue),
            path: directory.path.clone(),
            fault,
        })
    }

    /// Returns the queue directory, the directories of `queues`, of logs with their hash directories, and of
    /// sockets whose owner, group or mode stops Postfix.
    pub(super) fn misowned(
        &self,
        spool: BorrowedFd<'_>,
        path: &Path,
        queues: QueueSet,
    ) -> Vec<Misowned> {
        let queues = queues.iter().map(|queue| (Some(queue), queue.name()));
        let beside = BESIDE.into_iter().map(|name| (None, name));
        let mut found = Vec::new();
        let fault = sys::inode(spool).ok();
        let fault = fault.and_then(|inode| self.search_fault(inode));
        // An ACL may let the mail owner in, although the mode does not.
        if let Some(fault) = fault.filter(|_| !sys::has_acl(path)) {
            found.push(Misowned {
                queue: None,
                path: path.to_owned(),
                fault,
            });
        }
        for (queue, name) in queues.chain(beside) {
            // A directory that cannot be looked at is absent, which is a gap, or belongs to others.
            let Ok(inode) = sys::target_inode_at(spool, name) else {
                continue;
            };
            // A file in its place is a gap: it cannot be listed.
            let fault = self.root_fault(name, inode).filter(|_| !inode.regular);
            found.extend(fault.map(|fault| Misowned {
                queue,
                path: path.join(name),
                fault,
            }));
        }
        for (log, levels) in LOGS.into_iter().zip(self.log_levels) {
            self.misowned_below(spool, path, log.directory(), levels, &mut found);
        }
        found
    }

    /// Adds the hash directories of a log below `parent`, `levels` deep, that stop Postfix. No scan lists
    /// them, so they are asked for by their names: those of queue IDs are hexadecimal digits.
    fn misowned_below(
        &self,
        spool: BorrowedFd<'_>,
        path: &Path,
        parent: &str,
        levels: usize,
        found: &mut Vec<Misowned>,
    ) {
        let Some(below) = levels.checked_sub(1) else {
            return;
        };
        for digit in "0123456789ABCDEF".chars() {
            let name = format!("{parent}/{digit}");
            let Ok(inode) = sys::target_inode_at(spool, &name) else {
                continue;
            };
            let fault = self.directory_fault(inode).filter(|_| !inode.regular);
            found.extend(fault.map(|fault| Misowned {
                queue: None,
                path: path.join(&name),
                fault,
            }));
            self.misowned_below(spool, path, &name, below, found);
        }
    }

    /// Returns why the mode of the queue directory keeps the mail owner from searching it, so that no daemon
    /// reaches a queue. Postfix makes it root's, mode 0755.
    fn search_fault(&self, inode: Inode) -> Option<OwnerFault> {
        let owner = self.owner.filter(|owner| *owner != 0)?;
        let needed = match self.owner_group {
            _ if owner == inode.owner => 0o100,
            Some(group) if group == inode.group => 0o010,
            // Its group may be this one.
            None if inode.mode & 0o010 != 0 => return None,
            _ => 0o001,
        };
        mode_fault(inode, needed)
    }

    fn root_fault(&self, name: &str, inode: Inode) -> Option<OwnerFault> {
        // postdrop(1) creates files in maildrop and connects to sockets in public through its group.
        let (owner_bits, group_bits) = match name {
            "maildrop" => (0o700, 0o030),
            "public" => (0o100, 0o010),
            // master(8) creates its sockets as root.
            "private" => (0o100, 0),
            _ => (0o700, 0),
        };
        let owner = owner_fault(self.owner, inode);
        owner.or_else(|| mode_fault(inode, owner_bits)).or_else(|| {
            let expected = self.setgid_group.filter(|_| group_bits != 0)?;
            match inode.group == expected {
                true => mode_fault(inode, group_bits),
                false => Some(OwnerFault::Group {
                    found: inode.group,
                    expected,
                }),
            }
        })
    }
}

/// Returns the owners of the queue directories.
fn owners(spool: BorrowedFd<'_>) -> Vec<u32> {
    let inodes = Queue::ALL.map(|queue| sys::target_inode_at(spool.as_fd(), queue.name()).ok());
    inodes.iter().flatten().map(|inode| inode.owner).collect()
}

/// Returns the user who owns most of the queue directories. Among several it is the least number that is not
/// root's.
fn majority(owners: &[u32]) -> Option<u32> {
    let count = |owner: u32| owners.iter().filter(|other| **other == owner).count();
    owners
        .iter()
        .copied()
        .max_by_key(|owner| (count(*owner), *owner != 0, std::cmp::Reverse(*owner)))
}
