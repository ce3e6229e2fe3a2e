//! What each command asks the kernel for: no other program, no network, and no change below a spool or a configuration
//! directory (threat-model.md, "The spool is never changed" and "Privilege"). strace(1) writes it down.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const PATIENCE: Duration = Duration::from_secs(60);

/// The calls that change something: with a path, or with a descriptor, whose path strace adds.
const CHANGES: &str = "creat,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,mknod,mknodat,link,linkat,\
                       symlink,symlinkat,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,truncate,ftruncate,fallocate,\
                       utime,utimes,futimesat,utimensat,setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,\
                       flock,copy_file_range,sendfile,splice";
/// Those that open, lock, write, begin a process or use a network.
const OTHERS: &str = "open,openat,openat2,open_by_handle_at,fcntl,write,pwrite64,writev,pwritev,execve,execveat,fork,vfork,\
                      clone,clone3,%network";

/// A spool, its configuration, and a folder for outputs.
struct Host {
    spool: Spool,
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host {
            spool: Spool::of_corpus("short-mixed"),
            folder: tempfile::tempdir().expect("a folder"),
        };
        for name in ["etc", "out"] {
            fs::create_dir(host.folder.path().join(name)).expect("a folder");
        }
        fs::write(host.folder.path().join("etc/main.cf"), host.spool.main_cf()).expect("main.cf");
        host
    }

    fn output(&self, name: &str) -> String {
        let path = self.folder.path().join("out").join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    /// `program` under strace.
    fn traced(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-y", "-s", "8", "-e"])
            .arg(format!("trace={CHANGES},{OTHERS}"))
            .arg("-o")
            .arg(self.trace())
            .arg(program)
            .args(arguments)
            .arg("--config-directory")
            .arg(self.folder.path().join("etc"))
            .env_remove("MAIL_CONFIG");
        command
    }

    /// Fails unless the trace has nothing but what is promised; the numbers of files opened and of changes, which are all
    /// of outputs.
    fn judge(&self, what: &str) -> (usize, usize) {
        let trace = fs::read_to_string(self.trace()).expect("a trace");
        let [outputs, etc] = ["out", "etc"].map(|name| self.folder.path().join(name));
        let spool = self.spool.path();
        let is_of_outputs = |rest: &str| {
            let [outputs, etc, spool] =
                [&outputs, &etc, &spool].map(|path| path.to_str().expect("UTF-8"));
            rest.contains(outputs) && !rest.contains(etc) && !rest.contains(spool)
        };
        let (mut programs, mut opened, mut changes) = (0, 0, 0);
        for line in trace.lines() {
            // Lines are `1234  openat(3</var/spool>, "active", O_RDONLY) = 4<...>`; those of a thread that waits go on later.
            let Some((name, rest)) = call(line) else {
                continue;
            };
            match name {
                "execve" | "execveat" => programs += 1,
                // A thread is one, a process is none.
                "clone" | "clone3" => {
                    assert!(rest.contains("CLONE_THREAD"), "{what}: {line}");
                }
                "fork" | "vfork" => panic!("{what}: {line}"),
                "open" | "openat" | "openat2" | "open_by_handle_at" => {
                    let reads = rest.contains("O_RDONLY") && !rest.contains("O_CREAT");
                    if !reads && !rest.contains("O_PATH") {
                        assert!(is_of_outputs(rest), "{what}: {line}");
                        changes += 1;
                    }
                    opened += 1;
                }
                "fcntl" => {
                    let locks = ["F_SETLK", "F_OFD_SETLK", "F_SETLEASE"];
                    assert!(
                        !locks.iter().any(|lock| rest.contains(lock)),
                        "{what}: {line}"
                    );
                }
                "write" | "pwrite64" | "writev" | "pwritev" => {
                    let place = rest.split_once('<').map_or("", |(_, place)| place);
                    let harmless = ["pipe:", "/dev/null", "anon_inode:"];
                    let harmless = harmless.iter().any(|kind| place.starts_with(kind));
                    assert!(harmless || is_of_outputs(rest), "{what}: {line}");
                }
                _ if CHANGES.split(',').any(|change| change.trim() == name) => {
                    assert!(is_of_outputs(rest), "{what}: {line}");
                    changes += 1;
                }
                // What is left is a call of the network.
                _ => panic!("{what}: {line}"),
            }
        }
        assert_eq!(programs, 1, "{what}: {trace}");
        (opened, changes)
    }
}

/// The name of a call and what follows it.
fn call(line: &str) -> Option<(&str, &str)> {
    let (_, call) = line.split_once(' ')?;
    let call = call.trim_start();
    match call.starts_with(|first: char| first.is_ascii_lowercase()) {
        true => call.split_once('('),
        false => None,
    }
}

#[test]
fn commands_start_nothing_and_change_nothing() {
    let host = Host::new();
    let id = fs::read_dir(host.spool.path().join("hold"))
        .expect("a queue")
        .map(|entry| entry.expect("an entry").file_name())
        .min()
        .expect("a message");
    let id = id.to_str().expect("a queue ID");
    let commands: [(&str, &[&str]); 13] = [
        (PLUGIN, &["-v"]),
        (PLUGIN, &["--counts"]),
        (PLUGIN, &["--format", "json"]),
        (PLUGIN, &["--gentle", "-c", "deferred.messages=0"]),
        (PROGRAM, &["status"]),
        (PROGRAM, &["status", "--openmetrics"]),
        (PROGRAM, &["list"]),
        (PROGRAM, &["shape", "deferred"]),
        (PROGRAM, &["reasons"]),
        (PROGRAM, &["origins"]),
        (PROGRAM, &["report"]),
        (PROGRAM, &["show", "--headers", id]),
        (PROGRAM, &["doctor"]),
    ];
    for (program, arguments) in commands {
        let output = host
            .traced(program, arguments)
            .stdin(Stdio::null())
            .output()
            .expect("strace runs: package strace");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!said.is_empty(), "{arguments:?}: {output:?}");
        let (opened, changes) = host.judge(&arguments.join(" "));
        assert_eq!(changes, 0, "{arguments:?}");
        assert!(opened > 5, "{arguments:?}: {opened}");
    }
}

#[test]
fn outputs_are_all_that_is_written() {
    let host = Host::new();
    let (state, page) = (host.output("state.json"), host.output("metrics.prom"));
    let commands: [(&str, &[&str], &str); 2] = [
        (
            PLUGIN,
            &["--state", &state, "-c", "deferred.messages=0"],
            &state,
        ),
        (
            PROGRAM,
            &["status", "--openmetrics", "--output", &page],
            &page,
        ),
    ];
    for (program, arguments, written) in commands {
        let mut command = host.traced(program, arguments);
        command.output().expect("strace runs: package strace");
        let (_, changes) = host.judge(&arguments.join(" "));
        assert!(changes >= 2, "{arguments:?}: {changes}");
        assert!(Path::new(written).is_file(), "{arguments:?}");
    }
}

#[test]
fn a_watch_writes_its_outputs_and_no_more() {
    let host = Host::new();
    let (status, metrics) = (host.output("status.json"), host.output("metrics.prom"));
    let page = host.output("queue.html");
    let arguments = [
        "watch",
        "--status",
        &status,
        "--openmetrics",
        &metrics,
        "--report",
        &page,
    ];
    let mut child = host
        .traced(PROGRAM, &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace runs: package strace");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.next().expect("a line").is_ok());
    let begun = Instant::now();
    while !(Path::new(&status).exists() && Path::new(&page).exists()) {
        assert!(begun.elapsed() < PATIENCE, "no status or no page");
        std::thread::sleep(Duration::from_millis(50));
    }
    // It ends at the first line for which there is no reader.
    drop(lines);
    let hold = host.spool.path().join("hold");
    let mut messages = fs::read_dir(hold).expect("a queue");
    let begun = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        assert!(begun.elapsed() < PATIENCE, "it does not end");
        if let Some(entry) = messages.next() {
            let path = entry.expect("an entry").path();
            let to = host.spool.path().join("active");
            fs::rename(&path, to.join(path.file_name().expect("a name"))).expect("moved");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let (_, changes) = host.judge("watch");
    assert!(changes >= 6, "{changes}");
}
