//! Writes generated mail to disk as Postfix does: directories, owners, modes, names and times.

use super::defer_log::push_entry;
use super::mail::{Mail, Message};
use super::queue_file::BuiltFile;
use super::{GeneratedSpool, Plan, Totals, target};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::instance::numeric_field;
use crate::postfix::queue::Queue;
use crate::postfix::queue_id;
use crate::threads::spawn;
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::iter::Zip;
use std::num::NonZero;
use std::ops::RangeFrom;
use std::os::unix::fs::{
    DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Messages that a writer takes at once, and messages between two progress reports.
const BATCH: usize = 256;

/// More writers only wait for the locks of the file system.
const MOST_WRITERS: usize = 8;

/// The directories of a queue directory with their modes (postfix.md, "Queue directories").
const DIRECTORIES: [(&str, u32, DirectoryOwner); 14] = [
    ("incoming", 0o700, DirectoryOwner::Postfix),
    ("active", 0o700, DirectoryOwner::Postfix),
    ("deferred", 0o700, DirectoryOwner::Postfix),
    ("hold", 0o700, DirectoryOwner::Postfix),
    ("corrupt", 0o700, DirectoryOwner::Postfix),
    ("bounce", 0o700, DirectoryOwner::Postfix),
    ("defer", 0o700, DirectoryOwner::Postfix),
    ("flush", 0o700, DirectoryOwner::Postfix),
    ("trace", 0o700, DirectoryOwner::Postfix),
    ("saved", 0o700, DirectoryOwner::Postfix),
    ("private", 0o700, DirectoryOwner::Postfix),
    ("maildrop", 0o730, DirectoryOwner::Postdrop),
    ("public", 0o710, DirectoryOwner::Postdrop),
    ("pid", 0o755, DirectoryOwner::Root),
];

/// The owner of a directory of the spool.
#[derive(Clone, Copy)]
enum DirectoryOwner {
    /// The user postfix, with root's group.
    Postfix,
    /// The user postfix, with the group postdrop.
    Postdrop,
    /// The user that creates the spool.
    Root,
}

/// Creates a spool with the mail of `plan` in `directory` and returns its content. The directory must be
/// absent or empty, and outside every real queue directory. `progress` gets the number of finished
/// messages and the total: at the start, at intervals and at the end.
///
/// If the caller is root and the host has the user postfix and the group postdrop, owners are the same
/// as Postfix's. Otherwise the caller owns everything. A failure leaves the files that were already
/// written. All threads end before the call returns.
pub fn make(
    directory: &Path,
    plan: &Plan,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<GeneratedSpool> {
    plan.check()?;
    target::check(directory)?;
    let spool = NewSpool::create(directory, plan)?;
    let mail = Mutex::new(plan.mail().zip(0..));
    let writers = thread::available_parallelism().map_or(1, NonZero::get);
    let mut queues = [Totals::default(); Queue::ALL.len()];
    thread::scope(|scope| {
        let (report, reports) = mpsc::channel();
        let mut threads = Vec::new();
        for _ in 0..writers.min(MOST_WRITERS) {
            let (writer, mail, report) = (Writer::new(&spool), &mail, report.clone());
            threads.extend(spawn(scope, "drill", move || {
                writer.write_share(mail, &report)
            }));
        }
        drop(report);
        if threads.is_empty() {
            return Err(Error::new(
                ErrorKind::Io,
                format!(
                    "cannot start a thread that writes {}",
                    escape::path(directory)
                ),
            )
            .with_remedy("raise the limit of processes (ulimit -u, TasksMax=)"));
        }
        progress(0, plan.messages);
        let mut done = 0;
        for written in reports {
            done += written;
            progress(done, plan.messages);
        }
        for thread in threads {
            let Some(share) = thread.join() else { continue };
            let share = share?;
            for (queue, share) in queues.iter_mut().zip(&share) {
                queue.add(share);
            }
        }
        Ok(GeneratedSpool {
            directory: directory.to_owned(),
            queues,
        })
    })
}

/// A queue directory while it is filled.
struct NewSpool {
    root: PathBuf,
    long_ids: bool,
    hash_depth: usize,
    owners: Owners,
    /// Set by the first writer that fails; the other writers then stop.
    failed: AtomicBool,
}

impl NewSpool {
    fn create(root: &Path, plan: &Plan) -> Result<NewSpool> {
        if !root.is_dir() {
            let made = DirBuilder::new().recursive(true).create(root);
            made.map_err(|cause| Error::io("create", root, &cause))?;
            fs::set_permissions(root, Permissions::from_mode(0o755))
                .map_err(|cause| Error::io("chmod", root, &cause))?;
        }
        let owners = Owners::find();
        for (name, mode, keeper) in DIRECTORIES {
            let owner = match keeper {
                DirectoryOwner::Postfix => owners.user.map(|user| (Some(user), None)),
                DirectoryOwner::Postdrop => owners.user.map(|user| (Some(user), owners.drop_group)),
                DirectoryOwner::Root => None,
            };
            let path = root.join(name);
            create_directory(&path, owner, mode)
                .map_err(|cause| Error::io("create", &path, &cause))?;
        }
        Ok(NewSpool {
            root: root.to_owned(),
            long_ids: plan.long_ids,
            hash_depth: plan.hash_depth,
            owners,
            failed: AtomicBool::new(false),
        })
    }

    fn queue_id(&self, message: &Message, inode: u64) -> String {
        if self.long_ids {
            queue_id::encode_long(message.arrival as u64, message.arrival_usec, inode)
        } else {
            queue_id::encode_short(message.arrival_usec, inode)
        }
    }
}

/// One of the threads that fill a spool.
struct Writer<'a> {
    spool: &'a NewSpool,
    /// The hashed directories that exist already, `deferred/0/` for example.
    hashed: HashSet<String>,
    queues: [Totals; Queue::ALL.len()],
}

impl<'a> Writer<'a> {
    fn new(spool: &'a NewSpool) -> Self {
        Writer {
            spool,
            hashed: HashSet::new(),
            queues: [Totals::default(); Queue::ALL.len()],
        }
    }

    /// Writes messages until none is left and returns their totals.
    fn write_share(
        mut self,
        mail: &Mutex<Zip<Mail, RangeFrom<u64>>>,
        report: &Sender<u64>,
    ) -> Result<[Totals; Queue::ALL.len()]> {
        while !self.spool.failed.load(Ordering::Relaxed) {
            let batch: Vec<(Message, u64)> = {
                let mut mail = mail.lock().unwrap_or_else(PoisonError::into_inner);
                mail.by_ref().take(BATCH).collect()
            };
            if batch.is_empty() {
                break;
            }
            for (message, number) in &batch {
                let written = self.write(message, *number);
                let size =
                    written.inspect_err(|_| self.spool.failed.store(true, Ordering::Relaxed))?;
                self.queues[message.queue.index()].count(message, size);
            }
            if report.send(batch.len() as u64).is_err() {
                // The receiver is gone: the caller's progress function panicked.
                break;
            }
        }
        Ok(self.queues)
    }

    /// Writes a message and its defer log. Returns the message size in bytes as mailq prints it.
    fn write(&mut self, message: &Message, number: u64) -> Result<u64> {
        let (root, owners) = (&self.spool.root, &self.spool.owners);
        let queue = message.queue.name();
        // A queue ID contains the inode number, which is known only once the file exists. Like Postfix,
        // use a temporary name first; its dot keeps it from being a queue ID.
        let temporary = root.join(format!("{queue}/{number}.{}", std::process::id()));
        let file = create_file(&temporary)?;
        let inode = file
            .metadata()
            .map_err(|cause| Error::io("stat", &temporary, &cause))?
            .ino();
        let id = self.spool.queue_id(message, inode);
        let built = message.queue_file(&id).build();
        let (mode, owner) = match message.queue {
            // A file in maildrop belongs to its submitter, which is the caller here.
            Queue::Maildrop => (0o744, owners.drop_group.map(|group| (None, Some(group)))),
            _ => (0o700, owners.of_files()),
        };
        finish_file(file, &built.bytes, owner, mode, message.mtime)
            .map_err(|cause| Error::io("write", &temporary, &cause))?;
        let path = match message.queue {
            Queue::Deferred => self.hashed_path(queue, &id)?,
            _ => root.join(queue).join(&id),
        };
        fs::rename(&temporary, &path).map_err(|cause| Error::io("rename to", &path, &cause))?;
        self.write_defer_log(message, &id, &built)?;
        Ok(built.size)
    }

    fn write_defer_log(&mut self, message: &Message, id: &str, built: &BuiltFile) -> Result<()> {
        let mut log = Vec::new();
        for (recipient, &offset) in message.recipients.iter().zip(&built.recipient_offsets) {
            if let Some(delay) = &recipient.delay {
                let original = recipient.original.as_deref();
                push_entry(&mut log, &recipient.address, original, offset, delay);
            }
        }
        if log.is_empty() {
            return Ok(());
        }
        let path = self.hashed_path("defer", id)?;
        let (file, owner) = (create_file(&path)?, self.spool.owners.of_files());
        finish_file(file, &log, owner, 0o600, message.last_attempt)
            .map_err(|cause| Error::io("write", &path, &cause))
    }

    /// The path of `id` in a hashed queue. Creates missing hash directories.
    fn hashed_path(&mut self, queue: &str, id: &str) -> Result<PathBuf> {
        let place = queue_id::hash_path(id.as_bytes(), self.spool.hash_depth);
        let directories = format!("{queue}/{place}");
        let path = self.spool.root.join(&directories);
        if !place.is_empty() && !self.hashed.contains(&directories) {
            // Each level is one character and a slash.
            for end in (queue.len() + 3..=directories.len()).step_by(2) {
                let level = self.spool.root.join(&directories[..end]);
                match create_directory(&level, self.spool.owners.of_files(), 0o700) {
                    Ok(()) => {}
                    // Another writer created it, or it is an upper level.
                    Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(cause) => return Err(Error::io("create", &level, &cause)),
                }
            }
            self.hashed.insert(directories);
        }
        Ok(path.join(id))
    }
}

/// A user and a group for chown; `None` leaves that one unchanged.
type Owner = (Option<u32>, Option<u32>);

/// The owners of Postfix's files, if this process may change owners.
#[derive(Default)]
struct Owners {
    user: Option<u32>,
    group: Option<u32>,
    drop_group: Option<u32>,
}

impl Owners {
    /// Reads the local files only: Postfix's package creates its users there, not in a directory
    /// service.
    fn find() -> Owners {
        if !rustix::process::geteuid().is_root() {
            return Owners::default();
        }
        let users = fs::read("/etc/passwd").unwrap_or_default();
        let groups = fs::read("/etc/group").unwrap_or_default();
        Owners {
            user: numeric_field(&users, "postfix", 2),
            group: numeric_field(&users, "postfix", 3),
            drop_group: numeric_field(&groups, "postdrop", 2),
        }
    }

    /// The owner of queue files, defer logs and hashed directories.
    fn of_files(&self) -> Option<Owner> {
        self.user.map(|user| (Some(user), self.group))
    }
}

fn create_directory(path: &Path, owner: Option<Owner>, mode: u32) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    if let Some((user, group)) = owner {
        chown(path, user, group)?;
    }
    // Sets the mode again: the umask may have cleared bits.
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Creates a file that is not ready yet.
fn create_file(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|cause| Error::io("create", path, &cause))
}

/// Fills the file, then sets its owner, its times (seconds since the epoch) and its mode. The mode comes
/// last because it marks the file as ready.
fn finish_file(
    mut file: File,
    bytes: &[u8],
    owner: Option<Owner>,
    mode: u32,
    mtime: i64,
) -> io::Result<()> {
    file.write_all(bytes)?;
    if let Some((user, group)) = owner {
        fchown(&file, user, group)?;
    }
    let time = epoch(mtime);
    file.set_times(FileTimes::new().set_modified(time).set_accessed(time))?;
    if mode != 0o600 {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// The time `seconds` after the epoch; never before the epoch.
fn epoch(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds.max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_spool_is_laid_out_as_postfix_does() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("spool");
        let plan = Plan {
            messages: 200,
            hash_depth: 2,
            shares: [1, 10, 1, 1, 1, 1],
            ..Plan::default()
        };
        let mut reported = Vec::new();
        let made = make(&root, &plan, &mut |done, of| reported.push((done, of))).unwrap();
        assert_eq!(reported, [(0, 200), (200, 200)]);
        for (name, mode, _) in DIRECTORIES {
            let found = fs::metadata(root.join(name)).unwrap().mode();
            assert_eq!(found & 0o7777, mode, "{name}");
        }
        let mut deferred = 0;
        for first in names(&root.join("deferred")) {
            for second in names(&root.join("deferred").join(&first)) {
                let place = format!("{first}/{second}/");
                for id in names(&root.join("deferred").join(&place)) {
                    deferred += 1;
                    assert_eq!(queue_id::hash_path(id.as_bytes(), 2), place);
                    let path = root.join("deferred").join(&place).join(&id);
                    let file = fs::metadata(&path).unwrap();
                    assert_eq!(file.mode() & 0o7777, 0o700);
                    assert!(file.mtime() > plan.now);
                    let decoded = queue_id::QueueId::decode(id.as_bytes()).unwrap();
                    assert_eq!(decoded.inode(), file.ino());
                    let log = fs::metadata(root.join("defer").join(&place).join(&id)).unwrap();
                    assert_eq!(log.mode() & 0o7777, 0o600);
                }
            }
        }
        assert_eq!(made.queue(Queue::Deferred).messages, deferred);
        for queue in [Queue::Active, Queue::Maildrop, Queue::Corrupt] {
            let found = names(&root.join(queue.name()));
            assert_eq!(found.len() as u64, made.queue(queue).messages);
            assert!(found.iter().all(|id| queue_id::is_valid(id.as_bytes())));
        }
    }

    #[test]
    fn the_same_plan_makes_the_same_spool() {
        let home = tempfile::tempdir().unwrap();
        let plan = Plan {
            messages: 100,
            long_ids: true,
            ..Plan::default()
        };
        let mut first = make(&home.path().join("a"), &plan, &mut |_, _| {}).unwrap();
        let short = Plan {
            long_ids: false,
            ..plan.clone()
        };
        let second = make(&home.path().join("b"), &short, &mut |_, _| {}).unwrap();
        first.directory.clone_from(&second.directory);
        assert_eq!(first, second);
        assert_eq!(first.total().messages, 100);
        let again = make(&home.path().join("a"), &plan, &mut |_, _| {}).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let users =
            b"root:x:0:0:root:/root:/bin/sh\npostfixer:x:7:8::/:\n\npostfix:x:102:105::/:\n";
        assert_eq!(numeric_field(users, "postfix", 2), Some(102));
        assert_eq!(numeric_field(users, "postfix", 3), Some(105));
        assert_eq!(numeric_field(users, "postdrop", 2), None);
        assert_eq!(numeric_field(b"postdrop:x:\n", "postdrop", 2), None);
    }
}
