//! A queue directory that is absent is a gap in every face, and never an empty queue.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::spool::Spool;
use queuewatch::drill::QueueFile;
use queuewatch::options::{Options, Purpose};
use queuewatch::rules::State;
use queuewatch::watch::Watch;
use serde_json::Value;

const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const TOOL: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;

/// Exit code, standard output, standard error.
fn run(program: &str, first: &[&str], spool: &Path, more: &[&str]) -> (i32, String, String) {
    let output = Command::new(program)
        .args(first)
        .arg("--queue-directory")
        .arg(spool)
        .args(["--now", &NOW.to_string()])
        .args(more)
        .output()
        .expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code().expect("no signal"),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A queue file with one recipient.
fn message() -> Vec<u8> {
    let file = QueueFile::cleanup(NOW - 60, 0)
        .sender(b"a@client.example")
        .todo(b"b@one.example");
    file.content(b"Subject: x\n\nHello\n").build().bytes
}

/// A started spool with one message in active, and without deferred.
fn without_deferred() -> Spool {
    let spool = Spool::empty();
    spool.write("active/A00001", &message(), 0o700);
    fs::remove_dir(spool.path().join("deferred")).expect("an empty directory");
    spool
}

#[test]
fn the_plugin_is_unknown_unless_a_breach_is_proven_or_the_queue_is_excluded() {
    let spool = without_deferred();
    let path = spool.path();
    let (code, text, _) = run(PLUGIN, &[], &path, &[]);
    assert_eq!(code, 3, "{text}");
    let shown = format!(
        "cannot find {}: no such file or directory (ENOENT)",
        path.join("deferred").display()
    );
    assert!(text.contains(&shown), "{text}");
    assert!(text.contains("postfix check"), "the remedy: {text}");
    let (_, perfdata) = text.split_once('|').expect("performance data");
    for label in ["deferred=", "deferred_oldest=", "total="] {
        assert!(!perfdata.contains(label), "{label} is not known: {text}");
    }
    assert!(perfdata.contains("active=1"), "{text}");

    // A lower bound proves a breach; whatever else is well, the state is UNKNOWN.
    let (code, text, _) = run(PLUGIN, &[], &path, &["-c", "total.messages=0"]);
    assert_eq!(code, 2, "{text}");
    let (code, text, _) = run(PLUGIN, &[], &path, &["-c", "active.messages=5"]);
    assert_eq!(code, 3, "{text}");
    let (code, text, _) = run(PLUGIN, &[], &path, &["-w", "spool.unreadable=0"]);
    assert_eq!(code, 1, "{text}");

    let (code, text, _) = run(PLUGIN, &[], &path, &["--exclude", "deferred"]);
    assert_eq!(code, 0, "{text}");
    let (code, text, _) = run(PLUGIN, &[], &path, &["--counts"]);
    assert_eq!(code, 3, "{text}");
}

#[test]
fn a_dangling_link_is_reported_as_one() {
    let spool = without_deferred();
    let link = spool.path().join("deferred");
    std::os::unix::fs::symlink("/nowhere/deferred", &link).expect("a link");
    let (code, text, _) = run(PLUGIN, &[], &spool.path(), &["-v"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("the link leads nowhere"), "{text}");
}

#[test]
fn json_and_openmetrics_say_that_they_are_not_complete() {
    let spool = without_deferred();
    let (code, text, _) = run(TOOL, &["status"], &spool.path(), &["--json"]);
    assert_eq!(code, 4, "{text}");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let instance = &document["instances"][0];
    assert_eq!(instance["complete"], false);
    assert_eq!(instance["never_started"], false);
    assert_eq!(instance["queues"]["deferred"]["complete"], false);
    assert_eq!(instance["queues"]["active"]["complete"], true);
    assert_eq!(instance["gaps"][0]["kind"], "directory");
    assert_eq!(instance["gaps"][0]["queue"], "deferred");
    assert_eq!(instance["gaps"][0]["errno"], "ENOENT");
    let queues = &instance["queues"];
    for names in ["domains_complete", "senders_complete", "origins_complete"] {
        assert_eq!(queues["deferred"][names], false, "{names}");
        assert_eq!(queues["active"][names], true, "{names}");
    }
    let (_, text, _) = run(PLUGIN, &[], &spool.path(), &["--format", "openmetrics"]);
    let of_deferred = "queue=\"deferred\"";
    assert!(!text.contains(of_deferred), "{text}");
    let active = "postfix_spool_messages{postfix_instance=\"postfix\",queue=\"active\"} 1\n";
    assert!(text.contains(active), "{text}");
    let complete = text
        .lines()
        .find(|line| line.starts_with("postfix_spool_complete{"));
    assert!(complete.is_some_and(|line| line.ends_with(" 0")), "{text}");
}

#[test]
fn causes_are_left_out_of_openmetrics_with_their_queue() {
    let spool = without_deferred();
    for (is_there, families) in [(false, 0), (true, 3)] {
        if is_there {
            fs::create_dir(spool.path().join("deferred")).expect("a directory");
        }
        for (program, first, more) in [
            (PLUGIN, &[][..], &["--format", "openmetrics"][..]),
            (TOOL, &["status"], &["--openmetrics"]),
        ] {
            let (_, text, _) = run(program, first, &spool.path(), more);
            let names: BTreeSet<&str> = text
                .lines()
                .filter(|line| line.contains("queue=\"deferred\"") && line.contains("cause"))
                .filter_map(|line| Some(line.split_once('{')?.0))
                .collect();
            assert_eq!(names.len(), families, "{text}");
        }
    }
}

#[test]
fn status_says_how_full_active_is_only_if_it_is_there() {
    let spool = without_deferred();
    fs::create_dir(spool.path().join("deferred")).expect("a directory");
    let (_, text, _) = run(TOOL, &["status"], &spool.path(), &[]);
    assert!(text.contains("_active_limit 20000 (0.0% full),"), "{text}");
    fs::remove_dir_all(spool.path().join("active")).expect("a directory");
    for more in [&[][..], &["--exclude", "active"]] {
        let (_, text, _) = run(TOOL, &["status"], &spool.path(), more);
        assert!(text.contains("_active_limit 20000, maximal"), "{text}");
    }
}

#[test]
fn the_tool_prints_what_is_there_and_says_that_not_all_is() {
    let spool = without_deferred();
    let path = spool.path();
    let queues = ["active", "deferred"];
    let (code, table, error) = run(TOOL, &["shape"], &path, &queues);
    assert_eq!(code, 4, "{error}");
    assert!(error.contains("deferred"), "{error}");
    fs::create_dir(path.join("deferred")).expect("a directory");
    let (code, whole, error) = run(TOOL, &["shape"], &path, &queues);
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(table, whole, "the table is qshape's");
    fs::remove_dir(path.join("deferred")).expect("an empty directory");
    for command in ["list", "reasons"] {
        let (code, _, error) = run(TOOL, &[command], &path, &queues);
        assert_eq!(code, 4, "{command}: {error}");
        assert!(error.contains("deferred"), "{command}: {error}");
    }
    // The doctor says what is wrong, and that is exit code 1.
    let (code, text, _) = run(TOOL, &["doctor"], &path, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("cannot find") && text.contains("postfix check"),
        "{text}"
    );
}

/// A remedy names no option that the command lacks.
#[test]
fn only_a_command_that_can_exclude_a_queue_says_so() {
    let spool = without_deferred();
    let path = spool.path();
    let advice = "exclude that queue";
    for (command, queues, has) in [
        ("status", &[][..], true),
        ("list", &[], true),
        ("doctor", &[], true),
        ("shape", &["deferred"], false),
        ("reasons", &["deferred"], false),
        ("origins", &["deferred"], false),
        ("show", &["A00002"], false),
    ] {
        let (_, text, error) = run(TOOL, &[command], &path, queues);
        let told = format!("{text}{error}");
        assert!(told.contains("cannot find"), "{command}: {told}");
        // The table of status has causes without their remedies.
        if command != "status" {
            assert_eq!(told.contains(advice), has, "{command}: {told}");
        }
    }
    let (code, text, _) = run(TOOL, &["doctor"], &path, &["--exclude", "deferred"]);
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains("WRONG"), "{text}");
}

#[test]
fn a_watch_notices_a_queue_directory_that_goes_and_one_that_comes() {
    let spool = without_deferred();
    let deferred = spool.path().join("deferred");
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.as_os_str().as_bytes())
        .expect("a directory");
    options.set("now", NOW.to_string().as_bytes()).expect("now");
    for poll in [None, Some("1s")] {
        if let Some(poll) = poll {
            options.set("poll", poll.as_bytes()).expect("an interval");
        }
        let mut watch = Watch::open(&options, Purpose::Everything).expect("a watch");
        assert!(!watch.snapshot().expect("a snapshot").is_whole());
        for is_there in [true, false, true] {
            match is_there {
                true => fs::create_dir(&deferred).expect("a directory"),
                false => fs::remove_dir(&deferred).expect("an empty directory"),
            }
            let begun = Instant::now();
            while watch.snapshot().expect("a snapshot").is_whole() != is_there {
                assert!(begun.elapsed() < Duration::from_secs(120), "{is_there}");
                watch.wait(Some(Duration::from_millis(100))).expect("wait");
                watch.dispatch().expect("dispatch");
            }
            assert_eq!(
                watch.snapshot().expect("a snapshot").instances[0]
                    .gaps
                    .len(),
                usize::from(!is_there)
            );
        }
        fs::remove_dir(&deferred).expect("an empty directory");
    }
}

/// A spool with the directories of Debian's package.
fn new_spool() -> Spool {
    let spool = Spool::empty();
    fs::remove_dir(spool.path().join("hold")).expect("an empty directory");
    for name in ["bounce", "defer", "flush", "pid", "private", "public"] {
        fs::create_dir(spool.path().join(name)).expect("a directory");
    }
    spool
}

#[test]
fn a_spool_on_which_postfix_was_never_started_has_no_gap() {
    let spool = new_spool();
    let path = spool.path();
    let (code, text, _) = run(PLUGIN, &[], &path, &[]);
    assert_eq!(code, 0, "{text}");
    let (code, text, _) = run(TOOL, &["status"], &path, &["--json"]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &document["complete"]), (0, &Value::Bool(true)));
    assert_eq!(document["instances"][0]["never_started"], true);
    let (code, _, error) = run(TOOL, &["shape"], &path, &["hold"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let (_, text, _) = run(TOOL, &["doctor"], &path, &[]);
    assert!(text.contains("never started"), "{text}");

    // What only a start makes, and what a package always brings.
    fs::write(path.join("pid/master.pid"), "1\n").expect("a file");
    assert_eq!(run(PLUGIN, &[], &path, &[]).0, 3);
    fs::remove_file(path.join("pid/master.pid")).expect("a file");
    fs::create_dir(path.join("trace")).expect("a directory");
    assert_eq!(run(PLUGIN, &[], &path, &[]).0, 3);
    fs::remove_dir(path.join("trace")).expect("an empty directory");
    fs::remove_dir(path.join("corrupt")).expect("an empty directory");
    assert_eq!(run(PLUGIN, &[], &path, &[]).0, 3);
}

#[test]
fn a_directory_without_any_queue_and_an_absent_one_are_errors() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let absent = folder.path().join("absent");
    for path in [folder.path(), absent.as_path()] {
        let (code, text, _) = run(PLUGIN, &[], path, &[]);
        assert_eq!(code, 3, "{text}");
        assert!(text.contains("name the queue_directory"), "{text}");
        let (code, _, error) = run(TOOL, &["shape"], path, &["active"]);
        assert_eq!(code, 1, "{error}");
    }
}

/// Every deferred message has a log of delay reasons, and Postfix makes their directory.
#[test]
fn delay_reasons_are_not_none_where_their_directory_is_absent() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    let plan = queuewatch::drill::Plan {
        messages: 50,
        ..Default::default()
    };
    queuewatch::drill::make(&spool, &plan, &mut |_, _| {}).expect("a spool");
    fs::remove_dir_all(spool.join("defer")).expect("its logs");
    let shown = format!("cannot list {}", spool.join("defer").display());
    for rule in [
        "deferred.cause(unreachable)=100000",
        "deferred.reason(4)=100000",
    ] {
        let (code, text, _) = run(PLUGIN, &["-c", rule], &spool, &[]);
        assert_eq!(code, 3, "{text}");
        assert!(text.contains(&shown), "{text}");
    }
    for command in ["reasons", "list"] {
        let (code, _, error) = run(TOOL, &[command], &spool, &[]);
        assert_eq!(code, 4, "{command}: {error}");
        assert!(error.contains(&shown), "{command}: {error}");
    }
    let (code, text, _) = run(TOOL, &["doctor"], &spool, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(&format!("WRONG  {shown}")), "{text}");
    assert!(!text.contains("Nothing is in the way"), "{text}");
}

/// A spool of generated mail at [`NOW`], 50 messages, in `folder`.
fn drilled(folder: &Path) -> std::path::PathBuf {
    let spool = folder.join("spool");
    let plan = queuewatch::drill::Plan {
        messages: 50,
        ..queuewatch::drill::Plan::at(NOW)
    };
    queuewatch::drill::make(&spool, &plan, &mut |_, _| {}).expect("a spool");
    spool
}

/// Puts a directory in the place of each log of `spool`.
fn close_each_log(spool: &Path) {
    for hash in fs::read_dir(spool.join("defer")).expect("the logs") {
        for log in fs::read_dir(hash.expect("an entry").path()).expect("a hash directory") {
            let log = log.expect("an entry").path();
            fs::remove_file(&log).expect("a log");
            fs::create_dir(&log).expect("a directory");
        }
    }
}

type Breaks = fn(&Path);

/// Defaults on causes read a sample of the logs. What of it cannot be read is a gap, as of all logs.
#[test]
fn a_sample_of_delay_reasons_that_cannot_be_read_is_a_gap() {
    let breaks: [(&str, Breaks); 4] = [
        ("cannot list", |spool| {
            fs::remove_dir_all(spool.join("defer")).expect("its logs");
        }),
        ("cannot list", |spool| {
            fs::remove_dir_all(spool.join("defer")).expect("its logs");
            std::os::unix::fs::symlink("/nowhere", spool.join("defer")).expect("a link");
        }),
        ("cannot list", |spool| {
            fs::remove_dir_all(spool.join("defer")).expect("its logs");
            fs::write(spool.join("defer"), "").expect("a file");
        }),
        ("cannot read", close_each_log),
    ];
    for (action, break_it) in breaks {
        let folder = tempfile::tempdir().expect("a folder");
        let spool = drilled(folder.path());
        break_it(&spool);
        let shown = format!("{action} {}", spool.join("defer").display());
        for more in [&[][..], &["-w", "deferred.messages=100000", "--defaults"]] {
            let (code, text, _) = run(PLUGIN, &[], &spool, more);
            assert_eq!(code, 3, "{text}");
            let (line, perfdata) = text.split_once('|').expect("performance data");
            assert!(line.contains(&shown), "{text}");
            for label in ["deferred_cause_", "deferred_top_"] {
                assert!(!perfdata.contains(label), "{label} is not known: {text}");
            }
            assert!(perfdata.contains(" deferred="), "{text}");
        }
        // Rules that judge no delay reasons are not concerned.
        let (code, text, _) = run(PLUGIN, &[], &spool, &["-w", "deferred.messages=100000"]);
        assert_eq!(code, 0, "{text}");

        let (code, text, _) = run(TOOL, &["status"], &spool, &["--json"]);
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((code, &document["complete"]), (4, &Value::Bool(false)));
        assert_eq!(document["state"], "UNKNOWN", "{text}");
        for (program, first, more) in [
            (PLUGIN, &[][..], &["--format", "openmetrics"][..]),
            (TOOL, &["status"], &["--openmetrics"]),
        ] {
            let (_, text, _) = run(program, first, &spool, more);
            let complete = "postfix_spool_complete{postfix_instance=\"postfix\"} 0\n";
            assert!(text.contains(complete), "{text}");
            assert!(!text.contains("cause=\"filter\"} 0"), "{text}");
            let sampled = "postfix_spool_cause_messages_sampled{postfix_instance=\"postfix\",\
                           queue=\"deferred\"} 0\n";
            assert!(text.contains(sampled) || action != "cannot list", "{text}");
        }

        let mut options = Options::default();
        for (name, value) in [
            ("queue-directory", spool.as_os_str().as_bytes()),
            ("now", NOW.to_string().as_bytes()),
        ] {
            options.set(name, value).expect("an option");
        }
        let tables = queuewatch::snapshot::TableSet::LIVE_METRICS;
        let mut watch = Watch::open(&options, Purpose::Check(tables)).expect("a watch");
        let (snapshot, verdict) = watch.check(&options).expect("a verdict");
        assert_eq!(verdict.state, State::Unknown);
        assert!(!snapshot.is_whole());
    }
}

/// A watch that has a sample notices that the logs cannot be read any more, and that they can again.
#[test]
fn a_watch_with_a_sample_notices_that_the_logs_go_and_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = drilled(folder.path());
    let mut options = Options::default();
    for (name, value) in [
        ("queue-directory", spool.as_os_str().as_bytes()),
        ("now", NOW.to_string().as_bytes()),
    ] {
        options.set(name, value).expect("an option");
    }
    let tables = queuewatch::snapshot::TableSet::default();
    let mut watch = Watch::open(&options, Purpose::Check(tables)).expect("a watch");
    let mut state = || watch.check(&options).expect("a verdict").1.state;
    let before = state();
    assert_ne!(before, State::Unknown);
    let (logs, away) = (spool.join("defer"), spool.join("away"));
    fs::rename(&logs, &away).expect("the logs");
    assert_eq!(state(), State::Unknown);
    fs::rename(&away, &logs).expect("the logs");
    assert_eq!(state(), before);
}

/// qmgr(8) removes a log when it tries the message again, and a new spool has no logs.
#[test]
fn a_log_that_is_not_there_is_no_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = drilled(folder.path());
    let hash = fs::read_dir(spool.join("defer"))
        .expect("the logs")
        .find_map(|hash| fs::read_dir(hash.ok()?.path()).ok()?.next()?.ok())
        .expect("a log");
    fs::remove_file(hash.path()).expect("a log");
    let (_, text, _) = run(PLUGIN, &[], &spool, &[]);
    assert!(!text.contains("cannot "), "{text}");
    assert!(text.contains("deferred_cause_filter=0"), "{text}");
    let (_, text, _) = run(PLUGIN, &[], &spool, &["--format", "openmetrics"]);
    assert!(
        text.contains("postfix_spool_complete{postfix_instance=\"postfix\"} 1\n"),
        "{text}"
    );

    // Without deferred mail no reason is missing.
    for queue in ["deferred", "defer"] {
        fs::remove_dir_all(spool.join(queue)).expect("a queue");
    }
    fs::create_dir(spool.join("deferred")).expect("a queue");
    let (code, text, _) = run(
        PLUGIN,
        &[],
        &spool,
        &["-c", "deferred.messages=5", "--defaults"],
    );
    assert_ne!(code, 3, "{text}");
}

#[test]
fn a_spool_whose_mail_was_tried_has_been_started() {
    let spool = Spool::empty();
    fs::remove_dir(spool.path().join("hold")).expect("an empty directory");
    let (code, text, _) = run(TOOL, &["doctor"], &spool.path(), &[]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("Postfix was never started on this spool"),
        "{text}"
    );
    spool.write("deferred/A/A00001", &message(), 0o700);
    let (code, text, _) = run(TOOL, &["doctor"], &spool.path(), &[]);
    assert_eq!(code, 1, "{text}");
    let (code, text, _) = run(PLUGIN, &["-c", "hold.messages=0"], &spool.path(), &[]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("cannot find "), "{text}");
}

#[test]
fn shape_says_that_a_queue_is_a_file() {
    let spool = Spool::empty();
    fs::remove_dir(spool.path().join("hold")).expect("an empty directory");
    fs::write(spool.path().join("hold"), "").expect("a file");
    let (code, text, error) = run(TOOL, &["shape", "hold"], &spool.path(), &[]);
    assert_eq!(code, 4, "{text}{error}");
    assert!(error.contains("ENOTDIR"), "{error}");
}
