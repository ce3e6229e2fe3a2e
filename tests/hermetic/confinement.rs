//! What a program says about its confinement is what the kernel does: a watch that is led to a spool outside reads it
//! exactly if doctor says that nothing confines.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::running::{Running, wait_for};
use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");

/// How long it may take until the watch has looked.
const PATIENCE: Duration = Duration::from_secs(60);

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A configuration directory whose main.cf names the queue directory of `spool`.
fn configure(directory: &Path, spool: &Spool) {
    fs::create_dir_all(directory).expect("a folder");
    // Readers never see half of it.
    fs::write(directory.join("new"), spool.main_cf()).expect("a file");
    fs::rename(directory.join("new"), directory.join("main.cf")).expect("main.cf");
}

#[test]
fn a_watch_cannot_be_led_outside_if_the_doctor_says_so() {
    let (first, second) = (Spool::empty(), Spool::of_corpus("short-mixed"));
    let home = tempfile::tempdir().expect("a folder");
    let (config, status) = (home.path().join("etc"), home.path().join("status.json"));
    configure(&config, &first);
    let doctor = Command::new(PROGRAM)
        .args(["doctor", "--config-directory"])
        .arg(&config)
        .output()
        .expect("it runs");
    let doctor = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let says_confined = doctor.contains("confined by Landlock (version ");
    assert_ne!(
        says_confined,
        doctor.contains("not confined by Landlock: "),
        "{doctor}"
    );
    if let Some(line) = doctor.lines().find(|line| line.contains("not confined")) {
        println!("{line}");
    }

    let child = Command::new(PROGRAM)
        .args(["watch", "--states", "--critical", "deferred.messages=0"])
        .arg("--config-directory")
        .arg(&config)
        .arg("--status")
        .arg(&status)
        .stdout(Stdio::null())
        .stderr(fs::File::create(home.path().join("errors")).expect("a file"))
        .spawn()
        .expect("it runs");
    let _watch = Running(child);
    wait_for("first status", PATIENCE, || status.exists());
    assert!(text(&status).contains("deferred=0"), "{}", text(&status));
    // Now main.cf leads elsewhere, and the watch looks again because its spool is another one.
    configure(&config, &second);
    let away = first.path().with_file_name("away");
    fs::rename(first.path(), &away).expect("renamed");
    fs::create_dir(first.path()).expect("a folder");
    let answers = || text(&status) + &text(&home.path().join("errors"));
    wait_for("second look", PATIENCE, || {
        let answers = answers();
        answers.contains("EACCES") || answers.contains("deferred.messages is ")
    });
    assert_eq!(
        answers().contains("(EACCES)"),
        says_confined,
        "{doctor}\n{}",
        answers()
    );
}
