//! A spool that is open for scanning, and the scan of its queues.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use log::Level;
use rustix::io::Errno;

use super::log_dir::Logs;
use super::{
    Bundle, Depth, Directory, Expected, FileReader, Gap, GapKind, Misowned, Observer, Plan, TARGET,
    Work, skipped, walker,
};
use crate::clock::Deadline;
use crate::control;
use crate::error::{Error, ErrorKind, Result};
use crate::instance::Instance;
use crate::postfix::defer_log::Log;
use crate::postfix::queue::{Queue, QueueSet};
use crate::sys::{self, Noatime};
use crate::threads::pool::Readers;
use crate::threads::record;

/// How many logs Postfix keeps of messages.
const LOGS: usize = 3;

const WHICH_SPOOL: &str = "name the queue_directory, such as /var/spool/postfix";

/// A spool that is open for scanning.
#[derive(Debug)]
pub struct Spool {
    fd: OwnedFd,
    pub(super) path: PathBuf,
    /// How many levels of hash directories each log has, by its place in [`Log`], if main.cf is known.
    pub(super) log_levels: Option<[usize; LOGS]>,
    /// The greatest depth of each log directory, if it had to be searched for. All scans of one opened spool
    /// use it until a new directory appears.
    levels_seen: [OnceLock<usize>; LOGS],
    pub(super) expected: Arc<Expected>,
}

impl Spool {
    /// Opens the `queue_directory` at `path`.
    ///
    /// # Errors
    /// If it is absent or cannot be entered, or has none of the queues.
    pub fn open(path: &Path) -> Result<Self> {
        let fd = sys::open_base(path).map_err(|errno| {
            let error = Error::system("open queue directory", path, errno.raw_os_error());
            match errno {
                Errno::NOENT | Errno::NOTDIR => error.with_remedy(WHICH_SPOOL),
                _ => error,
            }
        })?;
        if !Queue::ALL
            .into_iter()
            .any(|queue| sys::exists_at(fd.as_fd(), queue.name()))
        {
            return Err(Error::new(
                ErrorKind::NotASpool,
                format!(
                    "{} is not a Postfix spool: it has none of the queues",
                    crate::escape::path(path)
                ),
            )
            .with_path(path)
            .with_remedy(WHICH_SPOOL));
        }
        Ok(Spool {
            fd,
            path: path.to_owned(),
            log_levels: None,
            levels_seen: Default::default(),
            expected: Arc::default(),
        })
    }

    /// Opens the spool of `instance`.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub(crate) fn of(instance: &Instance) -> Result<Self> {
        let mut spool = Spool::open(&instance.queue_directory)?;
        if instance.config_directory.is_some() {
            let settings = &instance.settings;
            let levels = |log: Log| match settings.is_hashed(log.directory()) {
                true => settings.hash_queue_depth,
                false => 0,
            };
            spool.log_levels = Some([Log::Defer, Log::Bounce, Log::Trace].map(levels));
        }
        spool.expected = Arc::new(Expected::of(instance, spool.fd.as_fd()));
        Ok(spool)
    }

    /// Returns true if the directory of delay reasons cannot be read.
    pub(crate) fn are_logs_closed(&self) -> bool {
        let plan = Plan::new(Queue::Deferred.into(), Depth::Reasons);
        let mut closed = false;
        self.logs(plan, &mut Noatime::default(), |_| closed = true);
        closed
    }

    /// Opens the logs of delay reasons, and with `bounces` those of recipients that were given up. A directory
    /// that cannot be opened is a gap in each queue that needs it.
    pub(super) fn logs(
        &self,
        plan: Plan,
        noatime: &mut Noatime,
        mut gap: impl FnMut(Gap),
    ) -> Arc<Vec<Logs>> {
        let mut open = Vec::new();
        let wanted = [(Log::Defer, plan.reads_logs()), (Log::Bounce, plan.bounces)];
        for (log, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
            let levels = self.log_levels.map(|levels| levels[log as usize]);
            let seen = &self.levels_seen[log as usize];
            match Logs::open(self.fd.as_fd(), &self.path, log, levels, seen, noatime) {
                Ok(logs) => open.push(logs),
                Err(errno) => {
                    for queue in plan.queues().iter() {
                        if plan.depth(queue) == Some(Depth::Reasons) {
                            gap(Gap {
                                queue,
                                kind: GapKind::LogDirectory,
                                path: self.path.join(log.directory()),
                                errno: errno.raw_os_error(),
                            });
                        }
                    }
                }
            }
        }
        Arc::new(open)
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if Postfix was never started on the spool: it has the directories that a package creates,
    /// and none of those that only the first start creates.
    ///
    /// Debian's package leaves out `hold` and `trace`, which `postfix check` creates at each start; and
    /// master(8) leaves `pid/master.pid` behind. A spool that lacks more directories is not new, nor one with mail
    /// that the queue manager has taken: only sendmail(1) puts mail into a spool before the first start.
    pub(crate) fn never_started(&self) -> bool {
        let is_there = |name: &str| sys::exists_at(self.fd.as_fd(), name);
        let is_empty = |name: &str| {
            let (mut noatime, mut memory) = (Noatime::default(), Vec::new());
            let name = CString::new(name).unwrap_or_default();
            let mut empty = true;
            match noatime.open_directory(self.fd.as_fd(), &name, true) {
                Ok(fd) => sys::list(fd.as_fd(), &mut memory, |_, _| empty = false).is_ok() && empty,
                Err(_) => true,
            }
        };
        let made_by_start = ["hold", "trace", "pid/master.pid"];
        !made_by_start.into_iter().any(is_there)
            && ["active", "deferred", "defer"].into_iter().all(is_empty)
            && Queue::ALL
                .into_iter()
                .all(|queue| queue == Queue::Hold || is_there(queue.name()))
    }

    /// Returns what Postfix expects of its files and directories.
    pub(crate) fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Returns the directories of `queues`, and those of logs and sockets, whose owner or mode stops Postfix.
    pub(crate) fn misowned(&self, queues: QueueSet) -> Vec<Misowned> {
        self.expected.misowned(self.fd.as_fd(), &self.path, queues)
    }

    /// Returns the free space of its file system.
    pub(crate) fn disk(&self) -> Option<sys::Disk> {
        sys::disk(&self.fd).ok()
    }

    /// Forgets the depth of the log directories, because a new directory appeared.
    pub(crate) fn forget_levels(&mut self) {
        self.levels_seen = Default::default();
    }

    /// Returns the descriptor of its directory.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Returns a reader of its files as deep as `plan` says, without a deadline, and the gaps in its logs.
    pub(crate) fn reader(&self, plan: &Plan) -> (FileReader, Vec<Gap>) {
        let mut gaps = Vec::new();
        let logs = self.logs(*plan, &mut Noatime::default(), |gap| gaps.push(gap));
        let reader = FileReader::new(
            logs,
            Arc::clone(&self.expected),
            Deadline::NEVER,
            plan.as_showq,
        );
        (reader, gaps)
    }

    /// Opens the directory of `queue`.
    pub(crate) fn queue_directory(
        &self,
        queue: Queue,
        noatime: &mut Noatime,
    ) -> std::result::Result<Arc<Directory>, Gap> {
        Directory::of_queue(self.fd.as_fd(), &self.path, queue, noatime)
    }

    /// Opens the directories of `queues`. One that is absent or cannot be opened is a gap. On a spool on which
    /// Postfix was never started, an absent directory is an empty queue.
    pub(crate) fn queue_directories(
        &self,
        queues: QueueSet,
        noatime: &mut Noatime,
        mut gap: impl FnMut(Gap),
    ) -> Vec<Arc<Directory>> {
        let mut open = Vec::new();
        for queue in queues.iter() {
            match self.queue_directory(queue, noatime) {
                Ok(directory) => open.push(directory),
                Err(one) if one.kind == GapKind::Absent && self.never_started() => {}
                Err(one) => gap(one),
            }
        }
        open
    }

    /// Scans as `plan` says, on the threads that `readers` says, until `deadline`. `observer` makes one observer
    /// for each thread. Returns the observers.
    pub(crate) fn scan<O: Observer>(
        &self,
        plan: &Plan,
        readers: Readers,
        deadline: Deadline,
        observer: impl Fn() -> O + Sync,
    ) -> Vec<O> {
        let mut gaps = Vec::new();
        let mut noatime = Noatime::default();
        let open = self.queue_directories(plan.queues(), &mut noatime, |gap| gaps.push(gap));
        let logs = self.logs(*plan, &mut noatime, |gap| gaps.push(gap));
        let late = AtomicBool::new(false);
        let logs_until = match plan.reasons_last {
            true => deadline.halfway(),
            false => deadline,
        };
        let reader = || ScanReader {
            plan,
            expected: &self.expected,
            deadline,
            late: &late,
            observer: observer(),
            files: FileReader::new(
                Arc::clone(&logs),
                Arc::clone(&self.expected),
                deadline,
                plan.as_showq,
            )
            .logs_until(logs_until),
        };
        record(Level::Trace, TARGET, || {
            let path = crate::escape::path(&self.path);
            let queues: Vec<String> = open
                .iter()
                .filter_map(|one| Some((one.queue, plan.depth(one.queue)?)))
                .map(|(queue, depth)| format!("{queue} ({depth:?})"))
                .collect();
            let most = readers.most;
            format!(
                "{path}: reads {} on up to {most} threads",
                queues.join(", ")
            )
        });
        let first = open.into_iter().map(|queue| Work::List(queue, ()));
        let readers = walker::walk(readers, first.collect(), reader);
        let mut observers: Vec<O> = readers.into_iter().map(|reader| reader.observer).collect();
        if let Some(observer) = observers.first_mut() {
            for gap in gaps {
                observer.gap(gap);
            }
        }
        observers
    }
}

/// The part of one thread.
struct ScanReader<'s, O> {
    plan: &'s Plan,
    expected: &'s Expected,
    deadline: Deadline,
    late: &'s AtomicBool,
    observer: O,
    files: FileReader,
}

impl<O: Observer> ScanReader<'_, O> {
    fn is_late(&self) -> bool {
        control::step();
        if self.late.load(Ordering::Relaxed) {
            return true;
        }
        let late = self.deadline.passed() || self.observer.has_enough();
        if late {
            let first = !self.late.swap(true, Ordering::Relaxed);
            if first && self.deadline.passed() {
                record(Level::Debug, TARGET, || {
                    "the deadline passed; what is not read yet is left out".to_owned()
                });
            }
        }
        late
    }
}

impl<O: Observer> walker::Visitor for ScanReader<'_, O> {
    type Tag = ();

    fn enter(&mut self, directory: &Arc<Directory>, _parent: (), _name: CString) {
        if let Some(one) = self.expected.misowned_directory(directory) {
            self.observer.misowned(one);
        }
    }

    fn is_cut(&mut self, directory: &Directory) -> bool {
        let late = self.is_late();
        if late {
            self.observer.cut(directory.queue);
        }
        late
    }

    fn counts_names(&self, directory: &Directory) -> bool {
        self.plan.depth(directory.queue) == Some(Depth::Names)
            && !matches!(directory.queue, Queue::Incoming | Queue::Maildrop)
    }

    fn name(&mut self, directory: &Directory) {
        self.observer.name(directory.queue);
    }

    fn stray(&mut self, directory: &Directory, _tag: (), name: &CStr) {
        skipped(directory, name, || "Postfix does not look there".to_owned());
        self.observer.stray(directory.queue);
    }

    fn files(
        &mut self,
        directory: &Arc<Directory>,
        _tag: (),
        bundle: &Bundle,
        asked: &mut dyn FnMut(),
    ) {
        let Some(depth) = self.plan.depth(directory.queue) else {
            return;
        };
        // Only incoming and maildrop are counted by name. Half of the time, their files are not ready, so their
        // modes must be read.
        let depth = depth.max(Depth::Inodes);
        for name in bundle.names() {
            if self.is_cut(directory) {
                return;
            }
            self.files.read(directory, name, depth, &mut self.observer);
            asked();
        }
    }

    fn gap(&mut self, gap: Gap, _listed: Option<()>) {
        self.observer.gap(gap);
    }
}
