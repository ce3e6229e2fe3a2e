//! Whether the queue manager lives: a child of master(8) that is called qmgr. Sends no signal and opens no
//! socket.
//!
//! master starts qmgr, and starts it again after `postfix reload` or when it has died. So one look at which
//! it is missing proves nothing: it is gone only if two looks, [`APART`] or more from each other, find the
//! same master without it (postfix.md, "Whether the queue manager runs"). Whatever hides processes
//! (`hidepid`, another PID namespace, a security module) gives [`QueueManager::Unknown`] with the reason.

use std::path::Path;
use std::time::{Duration, Instant};

use super::processes::{Process, Status, children, hidden, is_gone, processes, status};
use super::{Instance, Master, master_cf};
use crate::escape;

/// The least time between the two looks that prove it gone.
pub(crate) const APART: Duration = Duration::from_secs(1);
/// The names of the queue manager's program: nqmgr is one of Postfix 1.1, oqmgr the older algorithm
/// (qmgr(8), oqmgr(8)).
const PROGRAMS: [&[u8]; 3] = [b"qmgr", b"oqmgr", b"nqmgr"];
/// The name of master's program.
const MASTER: &[u8] = b"master";
/// Maximum length of a command name in /proc (TASK_COMM_LEN in the kernel, without its end).
const MAX_COMMAND: usize = 15;
/// Whether the queue manager of a spool lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueManager {
    /// It does.
    Running(Process),
    /// One look did not find it.
    Missing(Missing),
    /// It does not, and why that is certain.
    Gone(String),
    /// Unknown, with the reason.
    Unknown(String),
}

/// A look that did not find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    master: Process,
    why: String,
    at: Instant,
}

impl Missing {
    /// From when on a second look proves something.
    pub(crate) fn due(&self) -> Instant {
        self.at + APART
    }

    /// Whether this look and the `earlier` one prove that the queue manager is gone.
    fn confirms(&self, earlier: &Missing) -> bool {
        self.is_of_same_master(earlier) && self.at >= earlier.due()
    }

    /// Whether both looks were at the same process of master.
    pub(crate) fn is_of_same_master(&self, other: &Missing) -> bool {
        self.master == other.master
    }
}

impl QueueManager {
    /// Looks for the queue manager of `instance`, whose master is `master`.
    ///
    /// Costs one file of /proc for master and one for each of its children. Never waits.
    pub(crate) fn look(instance: &Instance, master: &Master) -> QueueManager {
        match master {
            Master::Running { pid: Some(pid) } => {
                let name = instance.config_directory.as_deref();
                let name = name.and_then(master_cf::queue_manager);
                find(Path::new("/proc"), *pid, name.as_deref())
                    .unwrap_or_else(QueueManager::Unknown)
            }
            Master::Running { pid: None } => {
                QueueManager::Unknown("the kernel does not report the process ID of master".into())
            }
            Master::Stopped => QueueManager::Unknown("master does not run".into()),
            Master::Unknown(why) => QueueManager::Unknown(why.clone()),
        }
    }

    /// What this look says together with the `earlier` one at which it was missing.
    #[must_use]
    pub(crate) fn after(self, earlier: &Missing) -> QueueManager {
        match self {
            QueueManager::Missing(again) if again.confirms(earlier) => {
                QueueManager::Gone(again.why)
            }
            other => other,
        }
    }
}

/// One look, with `proc` instead of /proc in tests. `Err` is the reason for [`QueueManager::Unknown`].
fn find(proc: &Path, master: u32, name: Option<&[u8]>) -> Result<QueueManager, String> {
    let parent = status(proc, master).map_err(|cause| hidden(proc, master, &cause))?;
    if !parent.is_alive() {
        return Err(format!(
            "master, process {master}, is stopped by a signal or has just ended"
        ));
    }
    // Whatever else holds master's lock has no queue manager to lose.
    if parent.command != MASTER {
        return Err(format!(
            "process {master}, which holds the lock of master, is {}",
            escape::shown(&parent.command, MAX_COMMAND)
        ));
    }
    let at = Instant::now();
    let is_manager = |found: &Status| {
        let own = |name: &[u8]| name.get(..MAX_COMMAND).unwrap_or(name) == found.command;
        PROGRAMS.into_iter().chain(name).any(own)
    };
    let mut stopped = None;
    let mut among = |found: Status| {
        if !is_manager(&found) {
            return None;
        }
        if found.is_alive() {
            return Some(QueueManager::Running(found.process));
        }
        // A dead one whose parent has not noticed yet is missing.
        if found.state == b'T' {
            stopped = Some(found.process.pid);
        }
        None
    };
    // A kernel may have no such list. It also omits a child that follows one that ends during the read
    // (get_children_pid() in fs/proc/array.c).
    let listed = children(proc, master).unwrap_or_default();
    let mut listed = listed.into_iter().filter_map(|pid| status(proc, pid).ok());
    if let Some(running) = listed.find_map(&mut among) {
        return Ok(running);
    }
    for pid in processes(proc)? {
        let found = match status(proc, pid) {
            Ok(found) => found,
            // It has ended since it was listed.
            Err(cause) if is_gone(&cause) => continue,
            Err(cause) => return Err(hidden(proc, pid, &cause)),
        };
        if found.parent == master {
            if let Some(running) = among(found) {
                return Ok(running);
            }
        }
    }
    // The children of a master that has ended meanwhile say nothing.
    let still = status(proc, master).map_err(|cause| hidden(proc, master, &cause))?;
    if still.process != parent.process {
        return Err("master was started again meanwhile".into());
    }
    Ok(QueueManager::Missing(Missing {
        master: parent.process,
        why: match stopped {
            Some(pid) => format!("process {pid} is stopped by a signal; kill -CONT {pid}"),
            None => format!("no child of master, process {master}, is qmgr"),
        },
        at,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    const PID: u32 = 812;

    /// A made-up /proc.
    struct Proc(TempDir);

    impl Proc {
        fn new() -> Proc {
            let proc = Proc(tempfile::tempdir().unwrap());
            proc.process(PID, "master", 'S', 1);
            proc
        }

        fn process(&self, pid: u32, command: &str, state: char, parent: u32) {
            let directory = self.0.path().join(pid.to_string());
            fs::create_dir_all(&directory).unwrap();
            let stat = format!(
                "{pid} ({command}) {state} {parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {} 99 7\n",
                u64::from(pid) * 10
            );
            fs::write(directory.join("stat"), stat).unwrap();
        }

        fn children(&self, pids: &str) {
            let own = PID.to_string();
            let directory = self.0.path().join(&own).join("task").join(&own);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("children"), pids).unwrap();
        }

        fn look(&self, name: Option<&[u8]>) -> Result<QueueManager, String> {
            find(self.0.path(), PID, name)
        }
    }

    fn running(pid: u32) -> QueueManager {
        let started = u64::from(pid) * 10;
        QueueManager::Running(Process { pid, started })
    }

    fn missing(look: Result<QueueManager, String>) -> Missing {
        match look {
            Ok(QueueManager::Missing(missing)) => missing,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_child_of_master_that_is_called_qmgr_is_it() {
        for (command, state, name, found) in [
            ("qmgr", 'S', None, true),
            ("qmgr", 'R', None, true),
            ("qmgr", 'D', None, true),
            // A debugger holds it for a moment.
            ("qmgr", 't', None, true),
            ("oqmgr", 'S', None, true),
            ("own-qmgr", 'S', Some(&b"own-qmgr"[..]), true),
            (
                "a-very-long-nam",
                'S',
                Some(b"a-very-long-name-of-mine"),
                true,
            ),
            ("qmgr", 'Z', None, false),
            ("qmgr", 'T', None, false),
            ("own-qmgr", 'S', None, false),
            ("pickup", 'S', None, false),
            ("qmgr) S 812 (", 'S', None, false),
        ] {
            for listed in [true, false] {
                let proc = Proc::new();
                proc.process(900, command, state, PID);
                proc.process(901, "qmgr", 'S', 4);
                if listed {
                    proc.children("899 900 ");
                }
                let look = proc.look(name);
                match found {
                    true => assert_eq!(look, Ok(running(900)), "{command} {state}"),
                    false => drop(missing(look)),
                }
            }
        }
    }

    #[test]
    fn a_child_that_the_list_leaves_out_is_found() {
        let proc = Proc::new();
        proc.children("900 ");
        proc.process(900, "pickup", 'S', PID);
        proc.process(902, "qmgr", 'S', PID);
        assert_eq!(proc.look(None), Ok(running(902)));
    }

    #[test]
    fn two_looks_apart_at_the_same_master_prove_it_gone() {
        let proc = Proc::new();
        let first = missing(proc.look(None));
        let at = |at: Instant, master: Process| {
            QueueManager::Missing(Missing {
                master,
                at,
                ..first.clone()
            })
            .after(&first)
        };
        let gone = "no child of master, process 812, is qmgr".to_owned();
        assert_eq!(at(first.due(), first.master), QueueManager::Gone(gone));
        let early = at(first.at + APART / 2, first.master);
        assert!(matches!(early, QueueManager::Missing(_)));
        let restarted = Process {
            started: 5,
            ..first.master
        };
        let other = at(first.due(), restarted);
        assert!(matches!(other, QueueManager::Missing(_)));
        proc.process(900, "qmgr", 'S', PID);
        let back = proc.look(None).unwrap().after(&first);
        assert_eq!(back, running(900));
    }

    #[test]
    fn what_is_hidden_is_unknown() {
        let proc = Proc::new();
        fs::remove_dir_all(proc.0.path().join("812")).unwrap();
        assert!(proc.look(None).unwrap_err().contains("is not shown"));

        let proc = Proc::new();
        proc.process(PID, "master", 'T', 1);
        assert!(proc.look(None).unwrap_err().contains("stopped by a signal"));

        let proc = Proc::new();
        proc.process(PID, "other", 'S', 1);
        assert!(proc.look(None).unwrap_err().ends_with(", is other"));

        let proc = Proc::new();
        proc.process(900, "pickup", 'S', PID);
        fs::remove_file(proc.0.path().join("900/stat")).unwrap();
        fs::create_dir(proc.0.path().join("900/stat")).unwrap();
        let why = proc.look(None).unwrap_err();
        assert!(why.contains("900/stat"), "{why}");
    }

    #[test]
    fn a_stopped_one_is_named() {
        let proc = Proc::new();
        proc.process(900, "qmgr", 'T', PID);
        assert!(missing(proc.look(None)).why.contains("kill -CONT 900"));
    }
}
