//! Threads end with the call that started them: a host may fork next.

use std::fs;
use std::process::Command;

use crate::support::spool::Spool;
use queuewatch::options::{Options, Purpose};

/// Set in the process that looks at its own threads.
const ALONE: &str = "QUEUEWATCH_TEST_ALONE";

/// Runs `body` in a process of its own, for other tests scan in this one.
fn alone(test: &str, body: fn()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("this program's path");
    let output = Command::new(program)
        .args([test, "--exact"])
        .env(ALONE, "1")
        .output()
        .expect("this program runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Threads of this process that a scan started.
fn readers() -> usize {
    fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.trim_end() == "queuewatch-scan")
        .count()
}

#[test]
fn every_reader_has_ended_when_a_scan_returns() {
    alone(
        "threads::every_reader_has_ended_when_a_scan_returns",
        scan_100_times,
    );
}

fn scan_100_times() {
    let spool = Spool::of_corpus("short-mixed");
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.as_os_str().as_encoded_bytes())
        .unwrap();
    let mut late = 0;
    for _ in 0..100 {
        assert!(options.scan(Purpose::Everything).unwrap().is_whole());
        late += usize::from(readers() > 0);
    }
    // The kernel lists a thread for some microseconds after it has told those that wait for its end:
    // one in some hundred. Not waited for, it is one in three.
    assert!(late < 13, "{late} of 100");
}
