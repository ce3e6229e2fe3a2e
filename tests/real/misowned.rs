//! What `spool.misowned` counts stops a real Postfix.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::Command;
use std::time::Duration;

use crate::support::postfix::{Options, Postfix};

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
    let id = postfix.defer_one();
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

#[test]
fn a_queue_directory_that_its_mail_owner_cannot_search_ends_pickup() {
    let postfix = Postfix::start(&Options::default());
    let text = check(&postfix);
    assert!(!text.contains("spool.misowned is"), "{text}");
    let directory = postfix.queue_directory();
    let set = |mode| {
        fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).expect("root may");
    };
    set(0o700);
    let text = check(&postfix);
    assert!(text.starts_with("POSTFIX QUEUE CRITICAL"), "{text}");
    let told = format!(
        "spool.misowned is 1 ({}: its mode is 0700 and lacks 0001)",
        directory.display()
    );
    assert!(text.contains(&told), "{text}");
    let doctor = Command::new(env!("CARGO_BIN_EXE_queuewatch"))
        .args(["doctor", "--config-directory"])
        .arg(postfix.config_directory())
        .output()
        .expect("it runs");
    let text = String::from_utf8(doctor.stdout).expect("UTF-8");
    assert!(text.contains("its mode is 0700 and lacks 0001"), "{text}");
    // master(8) starts pickup once a minute.
    postfix.wait_until("pickup ends", PATIENCE, |postfix| {
        let log = postfix.maillog();
        log.contains("/pickup[") && log.contains("open directory maildrop: Permission denied")
    });
    set(0o755);
}

#[test]
fn a_hash_directory_of_defer_that_is_of_root_ends_qmgr() {
    let postfix = Postfix::start(&Options::default());
    let id = postfix.defer_one();
    let defer = postfix.queue_directory().join("defer");
    let below: Vec<_> = fs::read_dir(defer)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    let log = below.iter().find(|path| path.join(&id).exists());
    let directory = log.expect("the log of the message");
    let owner = fs::metadata(directory).expect("a directory").uid();
    let text = check(&postfix);
    assert!(!text.contains("spool.misowned is"), "{text}");
    chown(directory, Some(0), None).expect("root may");
    let text = check(&postfix);
    let told = format!("spool.misowned is 1 ({}: ", directory.display());
    assert!(text.contains(&told), "{text}");
    postfix.request_flush();
    let what = format!("remove defer {id}: Permission denied");
    postfix.wait_until("qmgr ends at the log", PATIENCE, |postfix| {
        let log = postfix.maillog();
        log.contains("/qmgr[") && log.contains(&what)
    });
    chown(directory, Some(owner), None).expect("root may");
}
