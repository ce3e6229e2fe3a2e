//! No thread outlives the call that made it: a host may fork next.

#[path = "support/spool.rs"]
mod spool;

use std::fs;

use queuewatch::options::{Options, Purpose};
use spool::Spool;

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
    let spool = Spool::of_corpus("short-mixed");
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.as_os_str().as_encoded_bytes())
        .unwrap();
    let mut late = 0;
    for _ in 0..300 {
        assert!(options.scan(Purpose::Everything).unwrap().is_whole());
        late += usize::from(readers() > 0);
    }
    // The kernel lists a thread for some microseconds after it has told those that wait for its end:
    // one in some hundred. Not waited for, it is one in three.
    assert!(late < 40, "{late} of 300");
}
