//! Watches beside a Postfix under load, and what goes wrong on a mail host meanwhile. At rest the figures of each watch
//! are those of a scan, and its memory and descriptors stay as they were.
//!
//! The suite runs the first faults. `tests/real/soak` runs all of them for an hour, again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::postfix::{
    DELIVERED, FULL, GREYLISTED, Options, Postfix, REJECTED, processes_in,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
/// libfaketime of the Debian package faketime.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
/// How long a watch may take to say what a scan says: without events it looks every 30 seconds.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long Postfix may take to come to rest: on a busy machine a requeued message waits minutes for pickup(8).
const REST: Duration = Duration::from_secs(900);
/// The size of the file system of the spool, in KiB, and of those of the outputs.
const SPOOL: u32 = 600 << 10;
const OUTPUTS: &str = "8m";
/// Where the watches print.
const LINES: &str = "lines";
/// The watch that lives through everything, and the one in a namespace of its own.
const STEADY: &str = "steady";
const OTHER: &str = "other";
/// The file that comes seldom, and what the steady watch writes.
const PAGE: &str = "queue.html";
const OUTPUTS_OF_STEADY: [&str; 4] = ["status.json", "metrics.prom", PAGE, "standard output"];

fn seconds() -> u64 {
    let given = std::env::var("QUEUEWATCH_SOAK_SECONDS").ok();
    given.map_or(0, |text| text.parse().expect("QUEUEWATCH_SOAK_SECONDS"))
}

/// What goes wrong, and how.
type Fault = (&'static str, fn(&mut Soak));

/// The faults that every host can have.
const FAULTS: [Fault; 3] = [
    ("daemons are killed", daemons_are_killed),
    ("an output is full", outputs_are_full),
    ("a watch is killed", a_watch_is_killed),
];

/// Those that take minutes, a user namespace or a false clock.
const FURTHER: [Fault; 9] = [
    ("master is killed", master_is_killed),
    ("a watch stands still", a_watch_stands_still),
    ("outputs are read-only", outputs_are_read_only),
    ("the queues are removed and come back", queues_are_removed),
    ("the spool is mounted again", spool_is_mounted_again),
    ("the spool is read-only", spool_is_read_only),
    ("inotify is exhausted", inotify_is_exhausted),
    ("inotify is there again", inotify_is_there_again),
    ("the clock jumps", clock_jumps),
];

#[test]
fn at_rest_the_figures_of_a_watch_are_those_of_a_scan() {
    let long = seconds() > 0;
    let mut soak = Soak::start(long);
    let end = Instant::now() + Duration::from_secs(seconds());
    let faults: Vec<Fault> = match long {
        true => FAULTS.into_iter().chain(FURTHER).collect(),
        false => FAULTS.to_vec(),
    };
    let mut rounds: BTreeMap<&str, u32> = BTreeMap::new();
    for (number, (name, fault)) in faults.iter().cycle().enumerate() {
        if number >= faults.len() && Instant::now() > end {
            break;
        }
        soak.round(name, *fault);
        *rounds.entry(name).or_default() += 1;
        if number % 4 == 3 || !long {
            soak.empty();
        }
    }
    soak.assert_flat();
    if long {
        soak.assert_reported();
    }
    println!("| fault | rounds |\n|---|---|");
    for (name, count) in &rounds {
        println!("| {name} | {count} |");
    }
    let delivered = soak.postfix.maillog().matches(": removed").count();
    println!(
        "{} comparisons, {delivered} messages went all their way",
        soak.compared
    );
    for watch in [&soak.steady, &soak.other] {
        println!("complaints of the {} watch:", watch.name);
        for line in watch.complaints() {
            println!("  {line}");
        }
    }
}

/// A file system in memory, unmounted at the end.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    pub(crate) fn tmpfs(on: &Path, size: &str) -> Mounted {
        let option = format!("mode=755,size={size}");
        run("mount", &["-t", "tmpfs", "-o", &option, "tmpfs", path(on)]);
        Mounted(on.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A watch as a program, ended with this value.
struct Running {
    name: &'static str,
    child: Child,
    folder: PathBuf,
}

impl Running {
    fn start(name: &'static str, postfix: &Postfix, outputs: &Path, apart: bool) -> Running {
        let folder = outputs.join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let logs = outputs.parent().expect("a folder");
        let log = |file: &str| {
            let mut options = fs::OpenOptions::new();
            let path = logs.join(file);
            options.create(true).append(true).open(path).expect("a log")
        };
        let mut command = Command::new("sh");
        let mut program = vec![PROGRAM.to_owned()];
        if apart {
            command = Command::new("unshare");
            command.args(["--user", "sh"]);
            // What sets the clock is beside the spool, where the watch may read.
            let clock = postfix.queue_directory().with_file_name("clock");
            fs::write(&clock, "+0").expect("a file");
            program = [
                "env",
                &format!("LD_PRELOAD={FAKETIME}"),
                &format!("FAKETIME_TIMESTAMP_FILE={}", path(&clock)),
                "FAKETIME_NO_CACHE=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
                "NO_FAKE_STAT=1",
                PROGRAM,
            ]
            .map(str::to_owned)
            .to_vec();
        }
        // In a user namespace it waits until its users have numbers.
        let wait = "until [ \"$(id -u)\" = 0 ]; do sleep 0.05; done; exec \"$@\"";
        command.args(["-c", wait, "sh"]).args(program);
        // The steady one has a line to print in each second in which something happens.
        let printed: &[&str] = match name {
            STEADY => &["--summary", "--json"],
            _ => &["--states"],
        };
        command
            .arg("watch")
            .args(printed)
            .arg("--config-directory")
            .arg(postfix.config_directory())
            .args(["--report-interval", "5s", "--report"])
            .arg(folder.join("queue.html"))
            .arg("--status")
            .arg(folder.join("status.json"))
            .arg("--openmetrics")
            .arg(folder.join("metrics.prom"))
            .env_remove("MAIL_CONFIG")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(log(&format!("{LINES}/{name}")))
            .stderr(log(&format!("{name}.errors")));
        let child = command.spawn().expect("unshare(1) and sh run");
        let running = Running {
            name,
            child,
            folder,
        };
        if apart {
            running.give_numbers();
        }
        running
    }

    /// Gives the users of its namespace the numbers that they have outside.
    fn give_numbers(&self) {
        for file in ["uid_map", "gid_map"] {
            let file = PathBuf::from(format!("/proc/{}/{file}", self.child.id()));
            // Until it has a namespace of its own this is refused.
            let begun = Instant::now();
            while let Err(error) = fs::write(&file, "0 0 65536") {
                assert!(begun.elapsed() < PATIENCE, "{}: {error}", file.display());
                sleep(Duration::from_millis(20));
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process");
        kill_process(pid, signal).expect("it runs");
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Resident memory in KiB, and open descriptors.
    fn used(&self) -> (u64, usize) {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(proc.join("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        let descriptors = fs::read_dir(proc.join("fd")).expect("it runs").count();
        (resident.expect("a number"), descriptors)
    }

    fn metrics(&self) -> String {
        fs::read_to_string(self.folder.join("metrics.prom")).unwrap_or_default()
    }

    /// The kinds of lines on standard error, and how many of each.
    fn complaints(&self) -> Vec<String> {
        let logs = self
            .folder
            .parent()
            .and_then(Path::parent)
            .expect("a folder");
        let text = fs::read(logs.join(format!("{}.errors", self.name))).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
        for line in text.lines() {
            *kinds.entry(line.chars().take(160).collect()).or_default() += 1;
        }
        let lines = kinds
            .into_iter()
            .map(|(line, count)| format!("{count} x {line}"));
        lines.collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

struct Soak {
    long: bool,
    // Dropped before the file systems that they use.
    steady: Running,
    other: Running,
    postfix: Postfix,
    outputs: Mounted,
    /// What the watches print. It is apart, because a file system with a file that is open for writing cannot become
    /// read-only.
    lines: Mounted,
    _folder: tempfile::TempDir,
    compared: u32,
    /// What the steady watch used whenever the queues were empty.
    used: Vec<(u64, usize)>,
}

impl Soak {
    fn start(long: bool) -> Soak {
        let postfix = Postfix::start(&Options {
            tmpfs: Some(SPOOL),
            ..Options::default()
        });
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = |name: &str| {
            let place = folder.path().join(name);
            fs::create_dir(&place).expect("a folder");
            Mounted::tmpfs(&place, OUTPUTS)
        };
        let (outputs, lines) = (mounted("outputs"), mounted(LINES));
        Soak {
            long,
            steady: Running::start(STEADY, &postfix, &outputs.0, false),
            other: Running::start(OTHER, &postfix, &outputs.0, long),
            postfix,
            outputs,
            lines,
            _folder: folder,
            compared: 0,
            used: Vec::new(),
        }
    }

    /// Load with a fault in the middle, then rest and a comparison.
    fn round(&mut self, name: &str, fault: fn(&mut Soak)) {
        let begun = Instant::now();
        let load = Load::start(&self.postfix);
        self.pause(6);
        fault(self);
        self.pause(6);
        drop(load);
        self.rest();
        let state = self.compare();
        let (resident, descriptors) = self.steady.used();
        println!(
            "{:4} s  {name}: {state}; steady watch: {resident} KiB, {descriptors} descriptors",
            begun.elapsed().as_secs()
        );
    }

    /// Waits, while the load goes on.
    fn pause(&self, seconds: u64) {
        let seconds = if self.long { seconds } else { seconds / 3 };
        sleep(Duration::from_secs(seconds));
    }

    /// Waits until nothing moves. A killed daemon may leave a file in incoming forever.
    fn rest(&self) {
        self.postfix.operate("-H", "ALL");
        self.postfix.request_flush();
        let begun = Instant::now();
        let mut seen = BTreeMap::new();
        let mut same = 0;
        while same < 3 {
            assert!(begun.elapsed() < REST, "no rest: {seen:?}");
            sleep(Duration::from_secs(1));
            let now = self.postfix.spool_state();
            same = if now == seen { same + 1 } else { 0 };
            seen = now;
        }
    }

    /// Deletes all mail, and notes what the steady watch uses then.
    fn empty(&mut self) {
        self.postfix.operate("-d", "ALL");
        self.rest();
        self.compare();
        self.used.push(self.steady.used());
    }

    /// The figures of a scan.
    fn scan(&self) -> String {
        let output = Command::new(PROGRAM)
            .args(["status", "--openmetrics", "--config-directory"])
            .arg(self.postfix.config_directory())
            .env_remove("MAIL_CONFIG")
            .output()
            .expect("queuewatch runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Fails unless each watch says what a scan says; says how many messages there are.
    fn compare(&mut self) -> String {
        for watch in [&self.steady, &self.other] {
            let begun = Instant::now();
            let (mut before, mut since) = (BTreeSet::new(), begun);
            loop {
                let (theirs, ours) = (figures(&self.scan()), figures(&watch.metrics()));
                assert!(theirs.len() > 20, "{theirs:?}");
                if theirs == ours {
                    break;
                }
                // Mail that still moves is no fault of the watch.
                if theirs != before && begun.elapsed() < REST {
                    (before, since) = (theirs.clone(), Instant::now());
                }
                assert!(
                    since.elapsed() < PATIENCE,
                    "{} watch\nscan alone: {:#?}\nwatch alone: {:#?}\ncomplaints: {:#?}",
                    watch.name,
                    theirs.difference(&ours).collect::<Vec<_>>(),
                    ours.difference(&theirs).collect::<Vec<_>>(),
                    watch.complaints()
                );
                sleep(Duration::from_secs(1));
            }
        }
        self.compared += 2;
        let scan = self.scan();
        let messages = scan
            .lines()
            .filter(|line| line.starts_with("postfix_spool_messages{"));
        let counts = messages.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        format!("{} messages", counts.sum::<f64>())
    }

    /// Fails if the steady watch uses more and more.
    fn assert_flat(&self) {
        let (first, last) = self.used.split_at(self.used.len().div_ceil(2));
        println!(
            "memory and descriptors whenever the queues were empty: {:?}",
            self.used
        );
        let Some(most) = last.iter().map(|(_, descriptors)| descriptors).max() else {
            return;
        };
        let before = first.iter().map(|(_, descriptors)| descriptors).max();
        assert!(Some(most) <= before, "descriptors: {:?}", self.used);
        let resident = |used: &[(u64, usize)]| used.iter().map(|(resident, _)| *resident).max();
        let (before, after) = (resident(first).unwrap_or(0), resident(last).unwrap_or(0));
        assert!(
            after <= before + before / 4 + 4096,
            "memory: {:?}",
            self.used
        );
    }

    /// The outputs of the steady watch that it has not reported as full.
    fn unreported(&self, outputs: [&'static str; 4]) -> Vec<&'static str> {
        let complaints = self.steady.complaints();
        let reported = |output: &str| {
            let of = |line: &String| line.contains(output) && line.contains("(ENOSPC)");
            complaints.iter().any(of)
        };
        outputs
            .into_iter()
            .filter(|output| !reported(output))
            .collect()
    }

    /// Fails unless the steady watch reported that its outputs are full, and prints lines again.
    fn assert_reported(&self) {
        let mut unreported = self.unreported(OUTPUTS_OF_STEADY);
        // On a machine that is slow enough, no page is due while the disk is full.
        unreported.retain(|output| *output != PAGE);
        assert!(unreported.is_empty(), "{unreported:?}");
        let lines = fs::read_to_string(self.lines.0.join(STEADY)).expect("lines");
        assert!(lines.ends_with('\n'));
        println!("the steady watch printed {} lines", lines.lines().count());
    }

    fn start_postfix(&self) {
        self.postfix.start_again();
    }
}

/// What does not depend on the second: no ages, no free space, no time of the look itself.
fn figures(text: &str) -> BTreeSet<String> {
    let moving = [
        "_age_seconds",
        "_disk_free_",
        "_time_seconds",
        "_by_age",
        "_expiring_",
    ];
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter(|line| !moving.iter().any(|part| line.contains(part)))
        // A sample of causes is as large as there is time for; a watch knows all. A watch remembers, too, how often the
        // queue manager was started, and three times in ten minutes are too many.
        .filter(|line| !line.contains("cause") && !line.contains("_qmgr_running"))
        .map(str::to_owned)
        .collect()
}

/// Mail that comes and operators who act, until the end.
struct Load {
    over: std::sync::Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Load {
    fn start(postfix: &Postfix) -> Load {
        let over = std::sync::Arc::new(AtomicBool::new(false));
        let (port, config) = (postfix.port(), postfix.config_directory());
        let mut threads = Vec::new();
        let domains = [DELIVERED, GREYLISTED, FULL, REJECTED, "alpha.example"];
        for (part, domain) in domains.into_iter().enumerate() {
            let over = std::sync::Arc::clone(&over);
            threads.push(std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let mut sending = Command::new("timeout");
                    sending
                        .args([
                            "10",
                            "/usr/sbin/smtp-source",
                            "-s",
                            "2",
                            "-m",
                            "10",
                            "-r",
                            "2",
                            "-N",
                        ])
                        .args(["-f", &format!("sender{part}@ok.example")])
                        .args([
                            "-t",
                            &format!("user@{domain}"),
                            &format!("127.0.0.1:{port}"),
                        ]);
                    quietly(&mut sending);
                    sleep(Duration::from_millis(400));
                }
            }));
        }
        let until = std::sync::Arc::clone(&over);
        threads.push(std::thread::spawn(move || {
            let actions = [
                ("postsuper", "-h ALL"),
                ("postsuper", "-H ALL"),
                ("postqueue", "-f"),
                ("postsuper", "-r ALL"),
                ("postfix", "reload"),
                ("postqueue", "-f"),
            ];
            for (program, words) in actions.into_iter().cycle() {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                let mut acting = Command::new("timeout");
                acting
                    .args(["10", &format!("/usr/sbin/{program}"), "-c"])
                    .arg(&config);
                quietly(acting.args(words.split(' ')));
                sleep(Duration::from_millis(700));
            }
        }));
        Load { over, threads }
    }
}

/// Runs a command, whatever it says: Postfix may be down.
fn quietly(command: &mut Command) {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null());
    let _ = silent.stderr(Stdio::null()).status();
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn daemons_are_killed(soak: &mut Soak) {
    let queue_directory = soak.postfix.queue_directory();
    for name in ["qmgr\n", "cleanup\n", "smtp\n", "pickup\n", "smtpd\n"] {
        for process in processes_in(&queue_directory) {
            let comm = format!("/proc/{}/comm", process.as_raw_nonzero());
            if fs::read_to_string(comm).is_ok_and(|comm| comm == name) {
                let _ = kill_process(process, Signal::KILL);
            }
        }
        soak.pause(3);
    }
}

fn master_is_killed(soak: &mut Soak) {
    let queue_directory = soak.postfix.queue_directory();
    let begun = Instant::now();
    loop {
        let left = processes_in(&queue_directory);
        if left.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{left:?}");
        for process in left {
            let _ = kill_process(process, Signal::KILL);
        }
    }
    soak.pause(15);
    soak.start_postfix();
}

fn a_watch_is_killed(soak: &mut Soak) {
    soak.other.kill();
    let apart = soak.long;
    soak.other = Running::start(OTHER, &soak.postfix, &soak.outputs.0, apart);
}

/// So long that the kernel has to drop events.
fn a_watch_stands_still(soak: &mut Soak) {
    soak.other.signal(Signal::STOP);
    soak.pause(30);
    soak.other.signal(Signal::CONT);
}

fn outputs_are_full(soak: &mut Soak) {
    let fillers = [&soak.outputs, &soak.lines].map(|place| place.0.join("filler"));
    for filler in &fillers {
        let full = fs::write(filler, vec![b'x'; 16 << 20]);
        assert!(full.is_err(), "the file system is larger than thought");
    }
    soak.pause(15);
    // Lines fit into the last block of their file for a while, and a page comes seldom.
    let begun = Instant::now();
    while soak.long && begun.elapsed() < PATIENCE && !soak.unreported(OUTPUTS_OF_STEADY).is_empty()
    {
        soak.pause(1);
    }
    for filler in &fillers {
        fs::remove_file(filler).expect("it is there");
    }
}

/// A program of an operator may have a file open for writing for a moment.
fn remount(place: &Path, how: &str) {
    let begun = Instant::now();
    let option = format!("remount,{how}");
    let mut mount = Command::new("mount");
    mount.args(["-o", &option]).arg(place);
    while !mount.output().expect("mount(8) runs").status.success() {
        assert!(begun.elapsed() < PATIENCE, "{} is busy", place.display());
        sleep(Duration::from_millis(200));
    }
}

fn outputs_are_read_only(soak: &mut Soak) {
    remount(&soak.outputs.0, "ro");
    soak.pause(15);
    remount(&soak.outputs.0, "rw");
}

const DIRECTORIES: &str = "cd \"$1\" && for name in active bounce corrupt defer deferred flush hold incoming maildrop trace; do \
                           mv \"$name\" \"$2/$name\" || exit 1; done";

fn queues_are_removed(soak: &mut Soak) {
    let spool = soak.postfix.queue_directory();
    soak.postfix.stop();
    let away = spool.join("away");
    fs::create_dir(&away).expect("a folder");
    run("sh", &["-c", DIRECTORIES, "sh", path(&spool), path(&away)]);
    soak.pause(15);
    run("sh", &["-c", DIRECTORIES, "sh", path(&away), path(&spool)]);
    fs::remove_dir(&away).expect("it is empty");
    soak.start_postfix();
}

fn spool_is_mounted_again(soak: &mut Soak) {
    let spool = soak.postfix.queue_directory();
    soak.postfix.stop();
    let copy = spool.with_file_name("copy");
    fs::create_dir(&copy).expect("a folder");
    let all = "cp -a \"$1/.\" \"$2\"";
    run("sh", &["-c", all, "sh", path(&spool), path(&copy)]);
    // The watches hold it open.
    run("umount", &["-l", path(&spool)]);
    soak.pause(15);
    let size = format!("mode=755,size={SPOOL}k");
    run(
        "mount",
        &["-t", "tmpfs", "-o", &size, "tmpfs", path(&spool)],
    );
    run("sh", &["-c", all, "sh", path(&copy), path(&spool)]);
    fs::remove_dir_all(&copy).expect("it is there");
    // A queue file's name has its inode number.
    soak.postfix.operate("-s", "");
    soak.start_postfix();
}

fn spool_is_read_only(soak: &mut Soak) {
    let spool = soak.postfix.queue_directory();
    soak.postfix.stop();
    remount(&spool, "ro");
    soak.pause(15);
    remount(&spool, "rw");
    soak.start_postfix();
}

/// The limit of the namespace of the other watch alone.
fn limit_watches(soak: &Soak, limit: u32) {
    let pid = soak.other.child.id().to_string();
    let set = format!("echo {limit} >/proc/sys/user/max_inotify_watches");
    run("nsenter", &["--user", "--target", &pid, "sh", "-c", &set]);
}

fn inotify_is_exhausted(soak: &mut Soak) {
    limit_watches(soak, 3);
    // It watches all directories again, and cannot. Until the next round it looks at all files from time to time.
    queues_are_removed(soak);
}

fn inotify_is_there_again(soak: &mut Soak) {
    limit_watches(soak, 100_000);
}

fn clock_jumps(soak: &mut Soak) {
    let clock = soak.postfix.queue_directory().with_file_name("clock");
    for ahead in ["+7200", "-3600", "+864000", "+0"] {
        fs::write(&clock, ahead).expect("a file");
        soak.pause(15);
    }
}
