//! A program that runs while a test looks at it.

use std::process::Child;
use std::time::{Duration, Instant};

/// A process that is killed with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `holds`, at most `within`; fails with `what` then.
pub(crate) fn wait_for(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < within, "no {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
