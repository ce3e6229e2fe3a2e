//! Whether master(8) runs on a spool. Takes no lock, sends no signal and opens no connection.
//!
//! master holds `flock(LOCK_EX)` on `pid/master.pid` while it runs; the file remains after a stop or a
//! crash (postfix.md, "Whether Postfix runs"). /proc/locks is world-readable and lists device and inode
//! of every lock. If that cannot decide, the answer is [`Master::Unknown`] with the reason, so that
//! there is neither a false alarm nor a false OK.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::Error;

/// Maximum bytes to read from /proc/locks: some 100,000 locks. A host with more locks gives `Unknown`
/// unless the lock is among the first.
const MAX_LOCKS: usize = 8 << 20;
/// How often /proc/locks is read until a lock that is not in it does not exist. A list that came in several
/// reads can omit a lock: the kernel goes on by the number of the entry, and one that ends meanwhile moves all
/// others up (seq_hlist_start_percpu() in its fs/seq_file.c). With 900 locks, of which four processes take and
/// give back 800, one of 73 reads omits it.
const MAX_READS: u32 = 10;
/// The first pid namespace of a host (PROC_PID_INIT_INO in the kernel's proc_ns.h).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";
/// The command name of master(8), as the kernel writes it in /proc/PID/comm.
const COMMAND: &[u8] = b"master\n";

/// Whether master(8) runs on a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Master {
    /// Its lock is held.
    Running {
        /// The process that holds the lock; `None` if the kernel does not say (a lock from another pid
        /// namespace or host).
        pid: Option<u32>,
    },
    /// No master runs on this spool.
    Stopped,
    /// Unknown, with the reason.
    Unknown(String),
}

/// Whether master(8) runs on the spool in `queue_directory`.
///
/// Costs one stat and one pass over /proc/locks, or [`MAX_READS`] if the lock is not held and there are more
/// locks than the kernel gives in one read. Needs no privilege if `queue_directory` and `pid` are
/// searchable, as Postfix creates them.
pub(crate) fn master(queue_directory: &Path) -> Master {
    decide(queue_directory, Path::new("/proc")).unwrap_or_else(Master::Unknown)
}

/// The decision, with `proc` instead of /proc in tests. `Err` is the reason for [`Master::Unknown`].
fn decide(queue_directory: &Path, proc: &Path) -> Result<Master, String> {
    let pid_file = queue_directory.join("pid/master.pid");
    let file = match fs::metadata(&pid_file) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            // If only the pid file is missing, master was never started on this spool.
            return match fs::metadata(queue_directory) {
                Ok(_) => Ok(Master::Stopped),
                Err(cause) => Err(why("stat", queue_directory, &cause)),
            };
        }
        Err(cause) => return Err(why("stat", &pid_file, &cause)),
    };
    let device = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));

    let path = proc.join("locks");
    for _ in 0..MAX_READS {
        let locks = Text::read(&path, MAX_LOCKS).map_err(|cause| why("read", &path, &cause))?;
        let holders = holders(&locks.bytes, device, file.ino());
        if let Some(holder) = holders.iter().find(|holder| holder.same_device) {
            return Ok(Master::Running { pid: holder.pid });
        }
        // On btrfs and overlay, stat(2) and /proc/locks give different device numbers. The inode number
        // alone could belong to another file, so check that the holder is a master of this spool.
        for pid in holders.iter().filter_map(|holder| holder.pid) {
            if is_master(proc, pid) && works_in(proc, pid, queue_directory, device)? {
                return Ok(Master::Running { pid: Some(pid) });
            }
        }
        if !locks.whole {
            return Err(format!(
                "more than {MAX_LOCKS} bytes of locks in /proc/locks"
            ));
        }
        if locks.reads <= 1 {
            break;
        }
    }
    let path = proc.join("self/ns/pid");
    let namespace = fs::read_link(&path).map_err(|cause| why("read", &path, &cause))?;
    if namespace.as_os_str() != OsStr::new(INITIAL_PID_NAMESPACE) {
        // locks_show() leaves out holders that have no pid in the reader's namespace.
        return Err("the kernel does not show this container the locks of other ones".into());
    }
    Ok(Master::Stopped)
}

fn is_master(proc: &Path, pid: u32) -> bool {
    let path = proc.join(pid.to_string()).join("comm");
    Text::read(&path, 64).is_ok_and(|comm| comm.bytes == COMMAND)
}

/// Whether the master process `pid` has its working directory in this spool, as master(8) has. Only root
/// and its owner may read this. Other callers trust the inode number if device numbers cannot agree
/// (major 0: btrfs, overlay); otherwise the result is unknown.
fn works_in(
    proc: &Path,
    pid: u32,
    queue_directory: &Path,
    device: (u32, u32),
) -> Result<bool, String> {
    let path = proc.join(pid.to_string()).join("cwd");
    match (fs::metadata(&path), fs::metadata(queue_directory)) {
        (Ok(cwd), Ok(spool)) => Ok((cwd.dev(), cwd.ino()) == (spool.dev(), spool.ino())),
        _ if device.0 == 0 => Ok(true),
        (Err(cause), _) | (_, Err(cause)) => Err(format!(
            "process {pid} is a master and locks a file of this inode number on another device: {}",
            why("stat", &path, &cause)
        )),
    }
}

/// A process that holds `flock(LOCK_EX)` on a file with the given inode.
#[derive(Debug, PartialEq, Eq)]
struct Holder {
    pid: Option<u32>,
    same_device: bool,
}

/// The holders of an exclusive flock on inode `inode`, from the text of /proc/locks.
///
/// Lines are `1: FLOCK  ADVISORY  WRITE 812 08:01:1234 0 EOF` (kernel, fs/locks.c): device numbers in
/// hexadecimal, inode in decimal. Waiters have `->` before FLOCK and are not holders. Other lines are
/// skipped.
fn holders(locks: &[u8], device: (u32, u32), inode: u64) -> Vec<Holder> {
    locks
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .filter_map(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let (kind, _mode, access) = (fields.next()?, fields.next()?, fields.next()?);
            if (kind, access) != ("FLOCK", "WRITE") {
                return None;
            }
            // 0 and -1 stand for holders without a pid in this namespace.
            let pid = fields.next()?.parse().ok().filter(|pid| *pid > 0);
            let mut place = fields.next()?.split(':');
            let major = u32::from_str_radix(place.next()?, 16).ok()?;
            let minor = u32::from_str_radix(place.next()?, 16).ok()?;
            let number: u64 = place.next()?.parse().ok()?;
            (number == inode).then_some(Holder {
                pid,
                same_device: (major, minor) == device,
            })
        })
        .collect()
}

/// What a file of /proc says.
struct Text {
    /// At most as many bytes as were asked for.
    bytes: Vec<u8>,
    /// Whether that is the whole file.
    whole: bool,
    /// The number of reads. The kernel generates the text of each read when it is made.
    reads: u32,
}

impl Text {
    /// Up to `limit` bytes of `path`.
    fn read(path: &Path, limit: usize) -> io::Result<Text> {
        let mut file = File::open(path)?;
        let mut text = Text {
            bytes: Vec::new(),
            whole: false,
            reads: 0,
        };
        let mut part = [0; 8192];
        while text.bytes.len() <= limit {
            match file.read(&mut part) {
                Ok(0) => {
                    text.whole = true;
                    break;
                }
                Ok(length) => {
                    text.bytes.extend_from_slice(&part[..length]);
                    text.reads += 1;
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        text.bytes.truncate(limit);
        Ok(text)
    }
}

fn why(action: &str, path: &Path, cause: &io::Error) -> String {
    Error::io(action, path, cause).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tempfile::TempDir;

    #[test]
    fn lines_of_proc_locks() {
        let holder = |pid, same_device| vec![Holder { pid, same_device }];
        for (line, found) in [
            (
                "1: FLOCK  ADVISORY  WRITE 812 08:01:1234 0 EOF",
                holder(Some(812), true),
            ),
            (
                "17: FLOCK ADVISORY WRITE 812 08:01:1234 0 EOF\n",
                holder(Some(812), true),
            ),
            (
                "1: FLOCK  ADVISORY  WRITE 0 08:01:1234 0 EOF",
                holder(None, true),
            ),
            (
                "1: FLOCK  ADVISORY  WRITE -1 08:01:1234 0 EOF",
                holder(None, true),
            ),
            (
                "1: FLOCK  ADVISORY  WRITE 812 00:2a:1234 0 EOF",
                holder(Some(812), false),
            ),
            (
                "1: POSIX  ADVISORY  WRITE 5 08:01:1234 0 EOF\n\
                 2: FLOCK  ADVISORY  WRITE 6 08:01:1234 0 EOF",
                holder(Some(6), true),
            ),
            ("1: FLOCK  ADVISORY  WRITE 812 08:01:123 0 EOF", vec![]),
            ("1: FLOCK  ADVISORY  WRITE 812 08:01:12345 0 EOF", vec![]),
            ("1: FLOCK  ADVISORY  READ 812 08:01:1234 0 EOF", vec![]),
            ("1: POSIX  ADVISORY  WRITE 812 08:01:1234 0 EOF", vec![]),
            ("1: OFDLCK ADVISORY  WRITE -1 08:01:1234 0 EOF", vec![]),
            ("1: LEASE  ACTIVE    WRITE 812 08:01:1234 0 EOF", vec![]),
            ("1: -> FLOCK  ADVISORY  WRITE 812 08:01:1234 0 EOF", vec![]),
            ("1: FLOCK  ADVISORY  WRITE 812 08:01", vec![]),
            ("1: FLOCK  ADVISORY  WRITE 812 xx:01:1234 0 EOF", vec![]),
            ("1: FLOCK", vec![]),
            ("\u{fffd}\0", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(holders(line.as_bytes(), (8, 1), 1234), found, "{line}");
        }
    }

    /// A spool with a pid file, and a fake /proc.
    struct Host {
        root: TempDir,
        device: (u32, u32),
        inode: u64,
    }

    impl Host {
        fn new(namespace: &str) -> Host {
            let root = tempfile::tempdir().unwrap();
            let at = |path: &str| root.path().join(path);
            fs::create_dir_all(at("spool/pid")).unwrap();
            fs::create_dir_all(at("other")).unwrap();
            fs::create_dir_all(at("proc/self/ns")).unwrap();
            fs::create_dir_all(at("proc/812")).unwrap();
            fs::write(at("spool/pid/master.pid"), "   812\n").unwrap();
            fs::write(at("proc/locks"), "").unwrap();
            fs::write(at("proc/812/comm"), "master\n").unwrap();
            symlink(namespace, at("proc/self/ns/pid")).unwrap();
            let file = fs::metadata(at("spool/pid/master.pid")).unwrap();
            Host {
                device: (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev())),
                inode: file.ino(),
                root,
            }
        }

        fn lock(&self, pid: i32, device: (u32, u32)) -> &Host {
            let (major, minor) = device;
            let line = format!(
                "1: FLOCK  ADVISORY  WRITE {pid} {major:02x}:{minor:02x}:{} 0 EOF\n",
                self.inode
            );
            fs::write(self.root.path().join("proc/locks"), line).unwrap();
            self
        }

        fn cwd(&self, directory: &str) -> &Host {
            let link = self.root.path().join("proc/812/cwd");
            symlink(self.root.path().join(directory), link).unwrap();
            self
        }

        fn decide(&self) -> Result<Master, String> {
            decide(
                &self.root.path().join("spool"),
                &self.root.path().join("proc"),
            )
        }
    }

    const RUNNING: Master = Master::Running { pid: Some(812) };

    #[test]
    fn a_lock_on_the_file_is_a_running_master() {
        let host = Host::new(INITIAL_PID_NAMESPACE);
        assert_eq!(host.decide(), Ok(Master::Stopped));
        assert_eq!(host.lock(812, host.device).decide(), Ok(RUNNING));
        assert_eq!(
            host.lock(-1, host.device).decide(),
            Ok(Master::Running { pid: None })
        );
    }

    #[test]
    fn a_lock_on_another_device_must_be_a_master_of_this_spool() {
        let other = (0, 0xffff);
        let host = Host::new(INITIAL_PID_NAMESPACE);
        assert_eq!(host.lock(812, other).cwd("spool").decide(), Ok(RUNNING));
        fs::write(host.root.path().join("proc/812/comm"), "mysqld\n").unwrap();
        assert_eq!(host.decide(), Ok(Master::Stopped));

        let host = Host::new(INITIAL_PID_NAMESPACE);
        let decided = host.lock(812, other).cwd("other").decide();
        assert_eq!(decided, Ok(Master::Stopped));

        let host = Host::new(INITIAL_PID_NAMESPACE);
        let decided = host.lock(812, other).decide();
        if host.device.0 == 0 {
            assert_eq!(decided, Ok(RUNNING));
        } else {
            assert!(decided.unwrap_err().starts_with("process 812 is a master"));
        }
    }

    #[test]
    fn a_container_cannot_see_the_locks_of_others() {
        let host = Host::new("pid:[4026532200]");
        assert!(host.decide().unwrap_err().contains("container"));
        assert_eq!(host.lock(812, host.device).decide(), Ok(RUNNING));
    }

    #[test]
    fn a_spool_without_pid_file_has_no_master() {
        let host = Host::new(INITIAL_PID_NAMESPACE);
        fs::remove_file(host.root.path().join("spool/pid/master.pid")).unwrap();
        assert_eq!(host.decide(), Ok(Master::Stopped));
        fs::remove_dir(host.root.path().join("spool/pid")).unwrap();
        assert_eq!(host.decide(), Ok(Master::Stopped));
        fs::remove_dir(host.root.path().join("spool")).unwrap();
        assert!(host.decide().unwrap_err().starts_with("cannot stat "));
    }

    #[test]
    fn without_proc_it_is_unknown() {
        let host = Host::new(INITIAL_PID_NAMESPACE);
        fs::remove_file(host.root.path().join("proc/locks")).unwrap();
        assert!(host.decide().unwrap_err().starts_with("cannot read "));
    }

    #[test]
    fn a_lock_is_seen_while_others_come_and_go() {
        let host = Host::new(INITIAL_PID_NAMESPACE);
        if host.device.0 == 0 {
            return; // As below.
        }
        let spool = host.root.path().join("spool");
        // The list begins with the newest: the lock of this test follows whatever is taken later.
        let lock = |path: &Path| {
            let file = File::create(path).unwrap();
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
            file
        };
        let _before: Vec<File> = (0..100)
            .map(|number| lock(&host.root.path().join(number.to_string())))
            .collect();
        let _master = lock(&spool.join("pid/master.pid"));
        let over = AtomicBool::new(false);
        let ready = Barrier::new(5);
        std::thread::scope(|threads| {
            for thread in 0..4 {
                let (over, ready, root) = (&over, &ready, host.root.path());
                threads.spawn(move || {
                    let path = |number: usize| root.join(format!("{thread}-{number}"));
                    let mut held: Vec<_> =
                        (0..200).map(|number| Some(lock(&path(number)))).collect();
                    ready.wait();
                    // Any of them, and not the oldest, which is near the end of the list.
                    let mut number: usize = thread;
                    while !over.load(Ordering::Relaxed) {
                        number = number.wrapping_mul(1_103_515_245).wrapping_add(12_345) >> 3;
                        let which = number % held.len();
                        held[which] = None;
                        held[which] = Some(lock(&path(which)));
                    }
                });
            }
            ready.wait();
            let missed = (0..400)
                .filter(|_| master(&spool) == Master::Stopped)
                .count();
            over.store(true, Ordering::Relaxed);
            assert_eq!(missed, 0);
        });
    }

    #[test]
    fn the_kernel_shows_a_real_lock() {
        let host = Host::new(INITIAL_PID_NAMESPACE);
        let spool = host.root.path().join("spool");
        let file = File::open(spool.join("pid/master.pid")).unwrap();
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
        if host.device.0 == 0 {
            return; // On btrfs and overlay the holder must be called master; this test is not.
        }
        assert_eq!(
            master(&spool),
            Master::Running {
                pid: Some(std::process::id())
            }
        );
    }
}
