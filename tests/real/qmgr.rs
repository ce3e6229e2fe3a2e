//! `qmgr.running` of a real Postfix: alive, stopped, killed, reloaded, replaced by a program that dies, and hidden.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use queuewatch::instance::QueueManager;
use queuewatch::measure::Measure;
use queuewatch::options::{Options as Asked, Purpose};
use queuewatch::rules::State;
use queuewatch::snapshot::{Snapshot, TableSet};
use queuewatch::watch::Watch;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::postfix::{Options, Postfix, PublicProgram, as_nobody};

/// master(8) starts again what has failed after 60 s.
const PATIENCE: Duration = Duration::from_secs(180);

const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const QUEUEWATCH: &str = env!("CARGO_BIN_EXE_queuewatch");

/// Standard output of `program` for the instance, whatever its exit code.
fn output(program: &str, postfix: &Postfix, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).arg("--config-directory");
    let output = command.arg(postfix.config_directory()).output();
    String::from_utf8(output.expect("it runs").stdout).expect("UTF-8")
}

/// The check by its defaults.
fn check(postfix: &Postfix) -> String {
    output(PLUGIN, postfix, &[])
}

fn asked(postfix: &Postfix) -> Asked {
    let mut options = Asked::default();
    let directory = postfix.config_directory();
    let directory = directory.to_str().expect("UTF-8");
    options
        .set("config-directory", directory.as_bytes())
        .expect("a directory");
    options
}

/// The value of `qmgr.running`, if it is known.
fn running(snapshot: &Snapshot) -> Option<f64> {
    let measure = Measure::parse("qmgr.running").expect("a measure");
    measure.evaluate(snapshot).known()
}

/// The process that is the queue manager.
fn qmgr(postfix: &Postfix) -> Option<Pid> {
    let snapshot = asked(postfix).scan(Purpose::Everything).expect("a scan");
    match &snapshot.instances[0].qmgr {
        QueueManager::Running(process) => Pid::from_raw(process.pid.try_into().expect("a PID")),
        _ => None,
    }
}

fn wait_for_qmgr(postfix: &Postfix) -> Pid {
    postfix.wait_until("qmgr runs", PATIENCE, |postfix| qmgr(postfix).is_some());
    qmgr(postfix).expect("it runs, as a moment ago")
}

/// Sends `signal`, and waits until the kernel shows what it does: on a busy machine that takes a moment.
fn signal(postfix: &Postfix, process: Pid, signal: Signal) {
    kill_process(process, signal).expect("root may");
    let stat = format!("/proc/{}/stat", process.as_raw_nonzero());
    postfix.wait_until("the signal arrives", PATIENCE, |_| {
        let state = fs::read_to_string(&stat).ok().and_then(|text| {
            let (_, rest) = text.rsplit_once(") ")?;
            rest.chars().next()
        });
        match signal {
            Signal::STOP => state == Some('T'),
            Signal::CONT => state != Some('T'),
            _ => matches!(state, None | Some('Z' | 'X')),
        }
    });
}

/// Kills the queue manager, and has master start another one.
fn restart_qmgr(postfix: &Postfix) {
    let before = wait_for_qmgr(postfix);
    signal(postfix, before, Signal::KILL);
    postfix.wait_until("another qmgr runs", PATIENCE, |postfix| {
        postfix.request_flush();
        qmgr(postfix).is_some_and(|now| now != before)
    });
}

#[test]
fn every_face_says_whether_it_lives() {
    let postfix = Postfix::start(&Options::default());
    let process = wait_for_qmgr(&postfix);
    let text = check(&postfix);
    assert!(!text.contains("qmgr.running is"), "{text}");
    assert!(text.contains(" qmgr_running=1;;1:;0"), "{text}");
    let json = ["status", "--json"];
    let document: Value = serde_json::from_str(&output(QUEUEWATCH, &postfix, &json)).expect("JSON");
    let of_qmgr = &document["instances"][0]["qmgr"];
    assert_eq!(of_qmgr["pid"], process.as_raw_nonzero().get());
    assert_eq!(of_qmgr["running"], true);

    signal(&postfix, process, Signal::STOP);
    let text = check(&postfix);
    assert!(text.starts_with("POSTFIX QUEUE CRITICAL"), "{text}");
    let stopped = format!("kill -CONT {}", process.as_raw_nonzero());
    assert!(text.contains("qmgr.running is 0 (process "), "{text}");
    assert!(text.contains(&stopped), "{text}");
    signal(&postfix, process, Signal::CONT);
    assert_eq!(wait_for_qmgr(&postfix), process);

    signal(&postfix, process, Signal::KILL);
    let text = check(&postfix);
    assert!(text.starts_with("POSTFIX QUEUE CRITICAL"), "{text}");
    assert!(
        text.contains("qmgr.running is 0 (no child of master, process "),
        "{text}"
    );
    let document: Value = serde_json::from_str(&output(QUEUEWATCH, &postfix, &json)).expect("JSON");
    assert_eq!(document["instances"][0]["qmgr"]["running"], false);
    assert_eq!(document["instances"][0]["master"]["running"], true);
    let metrics = output(QUEUEWATCH, &postfix, &["status", "--openmetrics"]);
    let sample = "postfix_spool_qmgr_running{postfix_instance=\"postfix-queuewatch\"} 0\n";
    assert!(metrics.contains(sample), "{metrics}");
    let status = output(QUEUEWATCH, &postfix, &["status"]);
    assert!(status.contains("qmgr does not run"), "{status}");
    let doctor = output(QUEUEWATCH, &postfix, &["doctor"]);
    assert!(
        doctor.contains("the queue manager does not run, so no mail is delivered"),
        "{doctor}"
    );
    assert!(doctor.contains(" reload"), "{doctor}");

    // A deadline that leaves no second decides nothing: a default is silent then, a given rule is not.
    let hurried = ["--timeout", "0.5", "--critical", "qmgr.running=1:"];
    let text = output(PLUGIN, &postfix, &hurried);
    assert!(text.starts_with("POSTFIX QUEUE UNKNOWN"), "{text}");
    assert!(text.contains("qmgr.running is unknown: one look"), "{text}");

    // A copy of a spool has no queue manager, and no default asks for one.
    let spool = Command::new(PLUGIN)
        .arg("--queue-directory")
        .arg(postfix.queue_directory())
        .output()
        .expect("it runs");
    let text = String::from_utf8(spool.stdout).expect("UTF-8");
    assert!(!text.contains("qmgr"), "{text}");

    postfix.stop();
    let text = check(&postfix);
    assert!(text.contains("master.running is 0"), "{text}");
    assert!(!text.contains("qmgr.running is"), "{text}");
}

#[test]
fn a_reload_never_alerts() {
    let postfix = Postfix::start(&Options::default());
    wait_for_qmgr(&postfix);
    let options = asked(&postfix);
    let purpose = Purpose::Check(TableSet::default());
    let mut watch = Watch::open(&options, purpose).expect("a watch");
    for _ in 0..4 {
        postfix.reload();
        for _ in 0..6 {
            let snapshot = options.scan(Purpose::Everything).expect("a scan");
            assert_ne!(
                running(&snapshot),
                Some(0.0),
                "{:?}",
                snapshot.instances[0].qmgr
            );
        }
    }
    // One reload between two looks of a watch.
    let (snapshot, _) = watch.check(&options).expect("a verdict");
    assert_ne!(running(&snapshot), Some(0.0));
    wait_for_qmgr(&postfix);
}

#[test]
fn one_that_starts_again_and_again_is_reported() {
    let postfix = Postfix::start(&Options::default());
    wait_for_qmgr(&postfix);
    let mut options = asked(&postfix);
    let purpose = Purpose::Check(TableSet::default());
    let mut watch = Watch::open(&options, purpose).expect("a watch");
    for look in 1..=3 {
        let snapshot = options.scan(Purpose::Everything).expect("a scan");
        let (watched, verdict) = watch.check(&asked(&postfix)).expect("a verdict");
        let restless = look == 3;
        for snapshot in [&snapshot, &watched] {
            let expected = if restless { 0.0 } else { 1.0 };
            assert_eq!(running(snapshot), Some(expected), "look {look}");
        }
        let told = verdict.findings.iter().map(queuewatch::Finding::text);
        let told: Vec<_> = told.filter(|text| text.contains("qmgr")).collect();
        assert_eq!(told.len(), usize::from(restless), "{told:?}");
        if restless {
            assert_eq!(verdict.state, State::Critical);
            assert!(told[0].contains("3 looks within"), "{told:?}");
            break;
        }
        let state = snapshot.state().to_string();
        options.set("previous", state.as_bytes()).expect("a state");
        restart_qmgr(&postfix);
    }
}

#[test]
fn a_program_that_dies_in_its_place_is_not_a_queue_manager() {
    let postfix = Postfix::start(&Options::default());
    wait_for_qmgr(&postfix);
    let master_cf = postfix.config_directory().join("master.cf");
    let services = fs::read_to_string(&master_cf).expect("master.cf");
    let with = |program: &str| {
        let line = format!("qmgr unix n - n 300 1 {program}\n");
        let text = services.replace("qmgr unix n - n 300 1 qmgr\n", &line);
        fs::write(&master_cf, text).expect("master.cf");
        postfix.reload();
    };
    // Its path is below daemon_directory.
    with("../../../../../../../../usr/bin/false");
    postfix.wait_until("it is gone", PATIENCE, |postfix| {
        check(postfix).contains("qmgr.running is 0 (no child of master, process ")
    });
    // The watch needs a second look, and does not wait for it.
    let options = asked(&postfix);
    let purpose = Purpose::Check(TableSet::default());
    let mut watch = Watch::open(&options, purpose).expect("a watch");
    postfix.wait_until("the watch has looked twice", PATIENCE, |_| {
        let (snapshot, _) = watch.check(&options).expect("a verdict");
        running(&snapshot) == Some(0.0)
    });
    with("oqmgr");
    wait_for_qmgr(&postfix);
    let text = check(&postfix);
    assert!(!text.contains("qmgr.running is"), "{text}");
}

#[test]
fn one_that_dies_of_a_file_of_root_is_reported() {
    let postfix = Postfix::start(&Options::default());
    let id = postfix.defer_one();
    let file = postfix.queue_file(&id);
    chown(&file, Some(0), None).expect("root may");
    postfix.request_flush();
    postfix.wait_until("qmgr is gone", PATIENCE, |postfix| {
        let text = check(postfix);
        text.contains("qmgr.running is 0") && text.contains("spool.misowned is 1")
    });
}

/// What `queuewatch status --json` says of the queue manager, run by `wrapped`.
fn seen(command: &mut Command) -> Value {
    let output = command
        .output()
        .expect("unshare runs (Debian package util-linux)");
    let text = String::from_utf8_lossy(&output.stdout);
    let document: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    document["instances"][0]["qmgr"].clone()
}

#[test]
fn whoever_is_not_shown_it_says_unknown() {
    let postfix = Postfix::start(&Options::default());
    wait_for_qmgr(&postfix);
    let program = PublicProgram::copy(QUEUEWATCH);
    let mut status = program.command();
    status.args(["status", "--json", "--config-directory"]);
    status.arg(postfix.config_directory());
    // Any user sees it, as the units of examples/systemd do.
    assert_eq!(seen(&mut as_nobody(&status))["running"], true);

    let hidden = as_nobody(&status);
    let mut inside = Command::new("unshare");
    inside
        .args(["--mount", "--propagation", "private", "sh", "-c"])
        .arg("mount -t proc -o hidepid=2 proc /proc && exec \"$@\"")
        .args(["sh".as_ref(), hidden.get_program()])
        .args(hidden.get_args())
        .current_dir(Path::new("/"));
    let found = seen(&mut inside);
    assert_eq!(found["running"], Value::Null, "{found}");
    let why = found["why"].as_str().expect("a reason");
    assert!(why.contains("hidepid"), "{why}");

    let mut inside = Command::new("unshare");
    inside
        .args(["--pid", "--fork", "--mount-proc"])
        .arg(status.get_program())
        .args(status.get_args());
    let found = seen(&mut inside);
    assert_eq!(found["running"], Value::Null, "{found}");
}
