//! Examines one instance: its configuration, every directory and file, modes and ACLs, its disk, its master.

use std::path::{Path, PathBuf};

use super::Report;
use super::rights::Rights;
use crate::error::Error;
use crate::escape;
use crate::instance::{Instance, Master, QueueManager, master};
use crate::measure::Unit;
use crate::options::Options;
use crate::postfix::damage::Damage;
use crate::postfix::envelope::Visitor;
use crate::postfix::queue::Queue;
use crate::scan::{Depth, Gap, Message, Misowned, Observer, Plan, Spool, fold_gaps, is_repeated};
use crate::snapshot::Misdated;
use crate::snapshot::contribution::{Bounds, is_altered};
use crate::spelling::option;
use crate::sys;

/// How many examples of each kind are shown. All are counted.
const MAX_EXAMPLES: usize = 20;
/// The extended attributes that hold ACLs (acl(5)).
const ACLS: [(&str, &str); 2] = [
    (
        "system.posix_acl_default",
        "a default ACL, which new queue files inherit",
    ),
    ("system.posix_acl_access", "an ACL"),
];

/// Adds the results about `instance` to `report`.
pub(super) fn examine(
    instance: &Instance,
    options: &Options,
    rights: &Rights,
    report: &mut Report,
) {
    let name = escape::printable(instance.name.as_bytes(), 64);
    let queue_directory = escape::path(&instance.queue_directory);
    match &instance.config_directory {
        Some(directory) => report.good(format!(
            "instance {name}: {} names queue_directory {queue_directory}",
            escape::path(&directory.join("main.cf"))
        )),
        None => report.note(format!(
            "{queue_directory}: no main.cf is read, settings are Postfix's defaults"
        )),
    }
    for warning in &instance.warnings {
        report.wrong(
            escape::shown(warning.as_bytes(), 400),
            Some("correct main.cf; until then the default is taken".to_owned()),
        );
    }
    let spool = match Spool::of(instance) {
        Ok(spool) => spool,
        Err(error) => return report.error(&error, rights),
    };
    if spool.never_started() {
        report
            .note("Postfix was never started on this spool: its first start makes hold and trace");
    }
    files(&spool, instance, options, rights, report);
    acls(&instance.queue_directory, report);
    disk(&spool, instance, report);
    let master = master(&instance.queue_directory);
    match &master {
        Master::Running { pid: Some(pid) } => report.good(format!("master runs, process {pid}")),
        Master::Running { pid: None } => report.good("master runs"),
        Master::Stopped if instance.may_be_a_copy() => {
            report.note("no master runs on this spool: it may be a copy");
        }
        Master::Stopped if !instance.expected => {
            report.note("master does not run, as multi_instance_enable = no says");
        }
        Master::Stopped => report.wrong(
            "master does not run: nothing moves",
            instance
                .config_directory
                .as_deref()
                .map(|directory| format!("postfix -c {} start", escape::path(directory))),
        ),
        Master::Unknown(why) => report.note(format!(
            "whether master runs is not known: {}",
            escape::printable(why.as_bytes(), 300)
        )),
    }
    // Without master there is no queue manager, and one line is enough.
    if matches!(master, Master::Running { .. }) {
        qmgr(instance, &master, options, report);
    }
}

/// The queue manager of a master that runs.
fn qmgr(instance: &Instance, master: &Master, options: &Options, report: &mut Report) {
    let mut found = QueueManager::look(instance, master);
    if let QueueManager::Missing(first) = found.clone() {
        if options.deadline().sleep_until(first.due()) {
            found = QueueManager::look(instance, master).after(&first);
        }
    }
    let shown = |why: &str| escape::printable(why.as_bytes(), 300);
    match found {
        QueueManager::Running(process) => {
            report.good(format!("the queue manager runs, process {}", process.pid));
        }
        QueueManager::Gone(why) => report.wrong(
            format!(
                "the queue manager does not run, so no mail is delivered: {}",
                shown(&why)
            ),
            Some(match &instance.config_directory {
                Some(directory) => format!(
                    "read what the log says of qmgr and master, mend that, then postfix -c {} reload",
                    escape::path(directory)
                ),
                None => "read what the log says of qmgr and master".to_owned(),
            }),
        ),
        QueueManager::Unknown(why) => report.note(format!(
            "whether the queue manager runs is not known: {}",
            shown(&why)
        )),
        QueueManager::Missing(_) => report.note(
            "whether the queue manager runs is not known: one look did not find it, and there \
             was no time for a second",
        ),
    }
}

/// Reads everything, as the deepest check does.
fn files(
    spool: &Spool,
    instance: &Instance,
    options: &Options,
    rights: &Rights,
    report: &mut Report,
) {
    let bounds = Bounds::new(options.now(), None, &instance.settings);
    let queues = options.queues();
    let plan = Plan::new(queues, Depth::Reasons);
    let observers = spool.scan(&plan, options.readers(), options.deadline(), || {
        SpoolFindings::new(bounds)
    });
    let mut all = SpoolFindings::new(bounds);
    for observer in observers {
        all.take_in(observer);
    }
    let messages: u64 = all.messages.iter().sum();
    fold_gaps(&mut all.gaps, usize::MAX);
    if all.unreadable == 0 && !all.cut {
        report.good(format!(
            "every directory and every file can be read ({})",
            escape::counted(messages, "message")
        ));
    }
    for gap in all.gaps.iter().take(MAX_EXAMPLES) {
        let error = Error::from(gap);
        report.wrong(error.statement(), rights.remedy_for(&error));
    }
    let told = all.gaps.len().min(MAX_EXAMPLES) as u64;
    if all.unreadable > told {
        report.wrong(
            format!("{} more could not be read", all.unreadable - told),
            None,
        );
    }
    if all.cut {
        report.wrong(
            "the deadline passed before all was read",
            Some(format!("raise {}", option("timeout"))),
        );
    }
    all.altered.tell(report, "queue files with altered modes", |path, mode| {
        let line = format!("{path}: mode {mode:04o}: {}", meaning(*mode));
        let remedy = match mode {
            _ if mode & 0o100 == 0 => {
                "it is not a finished message: find what sets these bits as files are made (a default \
                 ACL, a umask); its own daemon removes or finishes it"
            }
            _ if mode & 0o070 == 0 => {
                "find what changed it (chmod -R, a backup, rsync); Postfix reads it as before"
            }
            _ => {
                "find what changed it (setfacl, chmod -R, a backup); to undo it, requeue the message: \
                 postsuper -r QUEUE_ID"
            }
        };
        (line, remedy.to_owned())
    });
    all.damaged.tell(report, "damaged queue files", |path, damage| {
        let remedy = format!(
            "look at it with postcat {path} and restore it from a backup; qmgr moves it to corrupt at \
             the next attempt; check the disk and the kernel log"
        );
        (format!("{path} is damaged: {damage}"), remedy)
    });
    all.misdated
        .tell(report, "messages from the future", |path, ()| {
            (
                format!("{path}: {}", Misdated::WHAT),
                Misdated::REMEDY.to_owned(),
            )
        });
    let mut misowned = spool.misowned(queues);
    misowned.append(&mut all.misowned);
    misowned.sort_by(|a, b| a.path.cmp(&b.path));
    for one in misowned.iter().take(MAX_EXAMPLES) {
        report.wrong(
            format!(
                "{}: {}: Postfix stops there",
                escape::path(&one.path),
                one.fault
            ),
            Some(Misowned::REMEDY.to_owned()),
        );
    }
    if misowned.len() > MAX_EXAMPLES {
        report.wrong("and more files and directories of the same kind", None);
    }
    all.misplaced
        .tell(report, "misplaced queue files", |path, ()| {
            (
                format!("{path} lies where Postfix does not look: it is never delivered"),
                "postsuper -s moves it to its hash directory".to_owned(),
            )
        });
    all.corrupt.tell(report, "files in corrupt", |path, ()| {
        let id = path.rsplit('/').next().unwrap_or_default();
        let remedy = format!(
            "Postfix set it aside and never looks there: read it with postcat {path}, tell its sender, \
             then remove it with postsuper -d {id} corrupt"
        );
        (format!("{path} is mail that nobody delivers"), remedy)
    });
}

/// Returns how Postfix understands the group bits of a queue file (mail_queue.h; postfix.md, "Group and other
/// mode bits are commands").
fn meaning(mode: u32) -> &'static str {
    match mode {
        _ if mode & 0o010 != 0 => "Postfix returns this mail to its sender at the next attempt",
        _ if mode & 0o040 != 0 => "Postfix retries this mail at once",
        _ if mode & 0o007 != 0 => "others may read or write mail",
        _ => "the group may write mail",
    }
}

fn acls(queue_directory: &Path, report: &mut Report) {
    let places = ["", "defer", "bounce"].into_iter();
    for place in places.chain(Queue::ALL.map(Queue::name)) {
        let path = match place {
            "" => queue_directory.to_owned(),
            place => queue_directory.join(place),
        };
        for (attribute, what) in ACLS {
            let mut value = [0_u8; 256];
            let has = match rustix::fs::lgetxattr(&path, attribute, &mut value[..]) {
                Ok(length) => length > 0,
                Err(errno) => errno == rustix::io::Errno::RANGE,
            };
            if has {
                report.wrong(
                    format!(
                        "{} has {what}: Postfix reads its mask as a command",
                        escape::path(&path)
                    ),
                    Some(format!("setfacl -b -k {}", escape::path(&path))),
                );
            }
        }
    }
}

fn disk(spool: &Spool, instance: &Instance, report: &mut Report) {
    let Some(disk) = spool.disk() else {
        return report.note("the file system does not report its free space");
    };
    let free = Unit::Bytes.show(disk.free_bytes as f64);
    let settings = &instance.settings;
    // smtpd(8) requires queue_minfree, or without it 1.5 times the largest message.
    let wanted = match settings.queue_minfree {
        0 => settings.message_size_limit.saturating_mul(3) / 2,
        minfree => minfree,
    };
    if disk.free_bytes <= wanted {
        report.wrong(
            format!(
                "{free} free: smtpd refuses mail below {}",
                Unit::Bytes.show(wanted as f64)
            ),
            Some("make room on the file system of the spool".to_owned()),
        );
    } else {
        report.good(format!("{free} free"));
    }
    if disk.free_inodes == Some(0) {
        report.wrong(
            "no inode is free: no mail can be queued",
            Some("remove files on the file system of the spool".to_owned()),
        );
    }
    if let Some(kind) = sys::network_file_system(&instance.queue_directory) {
        report.note(format!(
            "the spool is on {kind}: locks and changes of other hosts are not seen from here"
        ));
    }
}

/// Files with a fault: the first of them by path, and their number.
#[derive(Debug)]
struct Listed<T> {
    files: Vec<(PathBuf, T)>,
    count: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Listed {
            files: Vec::new(),
            count: 0,
        }
    }
}

impl<T> Listed<T> {
    fn add(&mut self, file: &Message<'_>, what: T) {
        self.count += 1;
        if self.files.len() < MAX_EXAMPLES {
            self.files.push((file.path(), what));
        }
    }

    fn take_in(&mut self, other: &mut Listed<T>) {
        self.count += other.count;
        self.files.append(&mut other.files);
    }

    /// Adds a line for each of the first, in the order of their paths, and the number of further ones, which
    /// are called `kind`.
    fn tell(
        mut self,
        report: &mut Report,
        kind: &str,
        line: impl Fn(&str, &T) -> (String, String),
    ) {
        self.files.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.files.truncate(MAX_EXAMPLES);
        for (path, what) in &self.files {
            let (text, remedy) = line(&escape::path(path), what);
            report.wrong(text, Some(remedy));
        }
        let more = self.count - self.files.len() as u64;
        if more > 0 {
            report.wrong(format!("and {more} more {kind}"), None);
        }
    }
}

/// The results of a full scan.
#[derive(Debug)]
struct SpoolFindings {
    bounds: Bounds,
    messages: [u64; Queue::ALL.len()],
    gaps: Vec<Gap>,
    unreadable: u64,
    altered: Listed<u32>,
    damaged: Listed<Damage>,
    corrupt: Listed<()>,
    misplaced: Listed<()>,
    misdated: Listed<()>,
    misowned: Vec<Misowned>,
    cut: bool,
}

impl SpoolFindings {
    fn new(bounds: Bounds) -> Self {
        SpoolFindings {
            bounds,
            messages: Default::default(),
            gaps: Vec::new(),
            unreadable: 0,
            altered: Listed::default(),
            damaged: Listed::default(),
            corrupt: Listed::default(),
            misplaced: Listed::default(),
            misdated: Listed::default(),
            misowned: Vec::new(),
            cut: false,
        }
    }

    fn take_in(&mut self, mut other: SpoolFindings) {
        for (sum, own) in self.messages.iter_mut().zip(other.messages) {
            *sum += own;
        }
        self.gaps.append(&mut other.gaps);
        self.unreadable += other.unreadable;
        self.altered.take_in(&mut other.altered);
        self.damaged.take_in(&mut other.damaged);
        self.corrupt.take_in(&mut other.corrupt);
        self.misplaced.take_in(&mut other.misplaced);
        self.misdated.take_in(&mut other.misdated);
        self.misowned.append(&mut other.misowned);
        self.cut |= other.cut;
    }

    /// Looks at the mode and the size of a file, ready or not.
    fn file(&mut self, file: &Message<'_>) {
        // Postfix gives no meaning to the modes of files that it never reads again.
        if file.queue == Queue::Corrupt {
            return self.corrupt.add(file, ());
        }
        if is_altered(file.queue, file.inode.mode) {
            self.altered.add(file, file.inode.mode);
        }
        if let Some(damage) = file.envelope.and_then(|envelope| envelope.damage) {
            self.damaged.add(file, damage);
        }
    }
}

impl Visitor for SpoolFindings {}

impl Observer for SpoolFindings {
    fn message(&mut self, message: &Message<'_>) {
        self.messages[message.queue.index()] += 1;
        self.file(message);
        if message.misplaced {
            self.misplaced.add(message, ());
        }
        let arrival = message.envelope.and_then(|envelope| envelope.arrival);
        if arrival.is_some_and(|arrival| self.bounds.is_misdated(arrival)) {
            self.misdated.add(message, ());
        }
        if let Some(fault) = message.fault {
            self.misowned(Misowned {
                queue: Some(message.queue),
                path: message.path(),
                fault,
            });
        }
    }

    fn misowned(&mut self, one: Misowned) {
        self.misowned.push(one);
        // Bounded: the first ones are enough.
        if self.misowned.len() >= 64 * MAX_EXAMPLES {
            self.misowned.sort_by(|a, b| a.path.cmp(&b.path));
            self.misowned.truncate(2 * MAX_EXAMPLES);
        }
    }

    fn not_ready(&mut self, file: &Message<'_>) {
        self.file(file);
    }

    fn name(&mut self, _queue: Queue) {}

    fn gap(&mut self, gap: Gap) {
        if is_repeated(&self.gaps, &gap) {
            return;
        }
        self.unreadable += 1;
        if self.gaps.len() < MAX_EXAMPLES {
            self.gaps.push(gap);
        }
    }

    fn cut(&mut self, _queue: Queue) {
        self.cut = true;
    }
}
