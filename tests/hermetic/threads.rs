//! Threads end with the call that started them: a host may fork next.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::spool::Spool;
use queuewatch::options::{Options, Purpose};

/// Set in the process that looks at its own threads.
const ALONE: &str = "QUEUEWATCH_TEST_ALONE";

/// Runs `body` in a process of its own, for other tests scan in this one.
fn alone(test: &str, config: Option<&Path>, body: fn()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new(program)
        .args([test, "--exact"])
        .env(ALONE, "1")
        .envs(config.map(|config| ("MAIL_CONFIG", config)))
        .output()
        .expect("this program runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Threads of this process: those that a scan started, by their names, and all.
fn threads() -> (usize, usize) {
    let names: Vec<String> = fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .collect();
    let ours = names.iter().filter(|name| name.starts_with("queuewatch-"));
    (ours.count(), names.len())
}

/// How many of `scans` scans leave a thread behind.
///
/// The kernel lists a thread for some microseconds after it has told those that wait for its end: one in
/// some hundred. Not waited for, it is one in three.
fn late(scans: usize, scan: impl Fn()) -> usize {
    let (_, before) = threads();
    (0..scans)
        .filter(|_| {
            scan();
            let (ours, all) = threads();
            ours > 0 || all > before
        })
        .count()
}

fn options_of(spool: &Spool) -> Options {
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.as_os_str().as_encoded_bytes())
        .unwrap();
    options
}

/// Makes Postfix's master look as if it had been started once, so that a scan asks whether it runs.
fn with_master(spool: &Spool) {
    fs::create_dir_all(spool.path().join("pid")).unwrap();
    fs::write(spool.path().join("pid/master.pid"), "1\n").unwrap();
}

#[test]
fn every_reader_has_ended_when_a_scan_returns() {
    alone(
        "threads::every_reader_has_ended_when_a_scan_returns",
        None,
        || {
            let spool = Spool::of_corpus("short-mixed");
            let options = options_of(&spool);
            let late = late(100, || {
                assert!(options.scan(Purpose::Everything).unwrap().is_whole());
            });
            assert!(late < 13, "{late} of 100");
        },
    );
}

#[test]
fn the_thread_that_asks_for_master_has_ended_too() {
    alone(
        "threads::the_thread_that_asks_for_master_has_ended_too",
        None,
        || {
            let spool = Spool::of_corpus("short-mixed");
            with_master(&spool);
            let mut options = options_of(&spool);
            options.set("measure", b"master.running").unwrap();
            options.set("measure", b"hold.messages").unwrap();
            let late = late(30, || {
                assert!(options.scan(Purpose::Everything).unwrap().is_whole());
            });
            assert!(late < 6, "{late} of 30");
        },
    );
}

#[test]
fn threads_of_several_instances_have_ended_too() {
    // The process that scans takes the instances from $MAIL_CONFIG; there these are not used.
    let root = tempfile::tempdir().unwrap();
    let spools: Vec<Spool> = (0..4).map(|_| Spool::of_corpus("short-mixed")).collect();
    let config = |number: usize| root.path().join(format!("config{number}"));
    let others: Vec<String> = (1..spools.len())
        .map(|number| config(number).to_str().unwrap().to_owned())
        .collect();
    for (number, spool) in spools.iter().enumerate() {
        fs::create_dir(config(number)).unwrap();
        let more = match number {
            0 => format!("multi_instance_directories = {}", others.join(" ")),
            _ => format!("multi_instance_name = postfix-{number}"),
        };
        let directory = spool.path();
        let text = format!(
            "queue_directory = {}\nmulti_instance_enable = yes\n{more}\n",
            directory.display()
        );
        fs::write(config(number).join("main.cf"), text).unwrap();
    }
    with_master(&spools[0]);
    alone(
        "threads::threads_of_several_instances_have_ended_too",
        Some(&config(0)),
        || {
            let mut options = Options::default();
            options.set("all-instances", b"").unwrap();
            options.set("measure", b"hold.messages").unwrap();
            let late = late(30, || {
                let snapshot = options.scan(Purpose::Everything).unwrap();
                assert!(snapshot.is_whole() && snapshot.instances.len() == 4);
            });
            assert!(late < 6, "{late} of 30");
        },
    );
}
