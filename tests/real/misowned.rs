//! What `spool.misowned` counts stops a real Postfix.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::process::Command;
use std::time::Duration;

use crate::support::postfix::{GREYLISTED, Options, Postfix};

/// master(8) waits before it starts again what has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the check says by its defaults.
fn check(postfix: &Postfix) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_check_postfix_queue"))
        .arg("--config-directory")
        .arg(postfix.config_directory())
        .output()
        .expect("it runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_queue_file_of_root_ends_qmgr() {
    let postfix = Postfix::start(&Options::default());
    let to = [format!("user@{GREYLISTED}")];
    let id = postfix.send("a@send.example", &to, "Subject: x\n", "Hello\n");
    postfix.wait_quiet();
    let text = check(&postfix);
    assert!(!text.contains("spool.misowned is"), "{text}");

    let file = postfix.queue_file(&id);
    let owner = fs::metadata(&file).expect("a queue file").uid();
    chown(&file, Some(0), None).expect("root may");
    let text = check(&postfix);
    assert!(text.starts_with("POSTFIX QUEUE CRITICAL"), "{text}");
    assert!(text.contains("spool.misowned is 1"), "{text}");
    postfix.request_flush();
    postfix.wait_until("qmgr ends at the file of root", PATIENCE, |postfix| {
        let log = postfix.maillog();
        log.contains("/qmgr[") && log.contains("fatal: ") && log.contains(&id)
    });
    chown(postfix.queue_file(&id), Some(owner), None).expect("root may");
}
