//! `queuewatch watch` as systemd, a monitoring system or a person runs it, and the plugin's `--status`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use queuewatch::drill::{self, Delay, QueueFile};

use crate::support::rights::{PublicProgram, as_nobody};
use crate::support::running::wait_for;
use crate::support::spool::Spool;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
/// How long a file may take that a watch is to write.
const PATIENCE: Duration = Duration::from_secs(20);

/// A watch that runs, and is killed with the test.
pub(crate) struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn on(spool: &Spool, words: &[&str]) -> Running {
        Running::with(Command::new(PROGRAM), spool, words)
    }

    fn with(mut command: Command, spool: &Spool, words: &[&str]) -> Running {
        let mut child = command
            .args(["watch", "--queue-directory"])
            .arg(spool.path())
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    /// The next line, without its time.
    fn told(&mut self) -> String {
        let line = self.line();
        line.get(16..).unwrap_or(&line).trim_end().to_owned()
    }

    pub(crate) fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut complaints = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut complaints).unwrap();
        complaints
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Moves a message from hold to active; its queue ID.
fn move_one(spool: &Spool) -> String {
    let hold = spool.path().join("hold");
    let mut names: Vec<PathBuf> = fs::read_dir(hold)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    names.sort();
    let name = names[0].file_name().unwrap().to_owned();
    fs::rename(&names[0], spool.path().join("active").join(&name)).unwrap();
    name.into_string().unwrap()
}

fn plugin(words: &[&str]) -> (i32, String) {
    let output = Command::new(PLUGIN).args(words).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn a_person_sees_what_comes_and_goes_and_each_change_of_the_state() {
    let spool = Spool::of_corpus("short-mixed");
    let mut running = Running::on(&spool, &["--critical", "hold.messages=6"]);
    let first = running.told();
    assert!(
        first
            .starts_with("state CRITICAL: POSTFIX QUEUE CRITICAL: hold.messages is 7 (critical 6)"),
        "{first}"
    );
    let id = move_one(&spool);
    let moved = running.told();
    assert!(
        moved.starts_with(&format!("moved postfix/{id} hold to active, ")),
        "{moved}"
    );
    let well = running.told();
    assert!(
        well.starts_with("state CRITICAL to OK: POSTFIX QUEUE OK: "),
        "{well}"
    );
    fs::remove_file(spool.path().join("active").join(&id)).unwrap();
    let left = running.told();
    assert!(
        left.starts_with(&format!("left postfix/{id} active, ")),
        "{left}"
    );
    assert_eq!(running.end(), "");
}

#[test]
fn a_program_gets_an_event_a_line() {
    let spool = Spool::of_corpus("short-mixed");
    let mut running = Running::on(&spool, &["--json", "--critical", "hold.messages=6"]);
    let state: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(state["event"], "state");
    assert_eq!(state["state_code"], 2);
    let id = move_one(&spool);
    let moved: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(moved["schema"], "queuewatch/1");
    assert_eq!(
        (
            &moved["event"],
            &moved["from"],
            &moved["queue"],
            &moved["queue_id"]
        ),
        (
            &"moved".into(),
            &"hold".into(),
            &"active".into(),
            &id.into()
        )
    );
    assert!(moved["recipients"].as_u64().unwrap() > 0);
}

/// A spool with one message that waits in deferred.
fn waiting() -> Spool {
    let spool = Spool::empty();
    let built = QueueFile::cleanup(1_795_461_304, 0)
        .attribute("sasl_username", "anna")
        .attribute("log_client_address", "192.0.2.7")
        .sender(b"anna@send.example")
        .todo(b"bob@dest.example")
        .todo(b"carol@dest.example")
        .content(b"Subject: x\n\n")
        .build();
    spool.write("deferred/A/A000001", &built.bytes, 0o700);
    let delay = Delay {
        status: "4.7.1".into(),
        reason: "host mx.dest.example[192.0.2.9] said: 450 4.7.1 Greylisted".into(),
        reply: None,
        server: None,
    };
    let mut log = Vec::new();
    drill::push_entry(
        &mut log,
        "bob@dest.example",
        None,
        built.recipient_offsets[0],
        &delay,
    );
    spool.write("defer/A/A000001", &log, 0o600);
    spool
}

#[test]
fn an_event_says_from_whom_to_whom_and_why() {
    let spool = waiting();
    let (deferred, active) = (
        spool.path().join("deferred/A/A000001"),
        spool.path().join("active/A000001"),
    );
    let mut running = Running::on(&spool, &["--exclude", "corrupt"]);
    let state = running.told();
    assert!(state.starts_with("state "), "{state}");
    let who = "from anna@send.example to bob@dest.example, login anna";
    fs::rename(&deferred, &active).unwrap();
    let moved = running.told();
    assert!(moved.ends_with(&format!(" bytes, {who}")), "{moved}");
    fs::rename(&active, &deferred).unwrap();
    let moved = running.told();
    assert!(
        moved.ends_with(&format!(" bytes, {who}, greylisted")),
        "{moved}"
    );
    // Its file is gone, so the line has what was read before.
    fs::remove_file(&deferred).unwrap();
    let left = running.told();
    assert!(left.starts_with("left ") && left.contains(who), "{left}");
    drop(running);

    let spool = waiting();
    let mut running = Running::on(&spool, &["--json", "--exclude", "corrupt"]);
    running.line();
    let place = |queue: &str| spool.path().join(queue).join("A000001");
    fs::rename(place("deferred/A"), place("active")).unwrap();
    let moved: Value = serde_json::from_str(&running.line()).unwrap();
    assert_eq!(moved["sender"], "anna@send.example");
    assert_eq!(moved["recipient"], "bob@dest.example");
    assert_eq!(moved["recipients"], 2);
    assert_eq!(
        moved["origin"],
        serde_json::json!({"by": "login", "name": "anna"})
    );
    assert_eq!(moved["cause"], Value::Null);
}

#[test]
fn a_flush_is_some_lines_and_not_thousands() {
    let spool = Spool::empty();
    let built = QueueFile::cleanup(1_795_461_304, 0)
        .sender(b"a@x.example")
        .todo(b"b@x.example")
        .content(b"\n")
        .build();
    let all = 2000;
    for number in 0..all {
        spool.write(&format!("hold/A{number:06}"), &built.bytes, 0o700);
    }
    let words = ["--json", "--summary", "--exclude", "corrupt"];
    let mut running = Running::on(&spool, &words);
    running.line();
    for number in 0..all {
        let place = |queue: &str| spool.path().join(format!("{queue}/A{number:06}"));
        fs::rename(place("hold"), place("active")).unwrap();
    }
    let (mut lines, mut moved) = (0, 0);
    while moved < all {
        let line: Value = serde_json::from_str(&running.line()).unwrap();
        if line["event"] != "summary" {
            assert_eq!(line["event"], "state", "{line}");
            continue;
        }
        lines += 1;
        for way in line["moved"].as_array().unwrap() {
            assert_eq!(
                (&way["from"], &way["to"]),
                (&"hold".into(), &"active".into())
            );
            moved += way["messages"].as_u64().unwrap();
        }
    }
    assert_eq!(moved, all);
    assert!(lines < 200, "{lines} lines");
    drop(running);

    let spool = waiting();
    let mut running = Running::on(&spool, &["--summary", "--exclude", "corrupt"]);
    running.told();
    fs::remove_file(spool.path().join("deferred/A/A000001")).unwrap();
    assert_eq!(running.told(), "summary: 1 left");
}

#[test]
fn a_change_counts_once_it_has_lasted() {
    let spool = Spool::of_corpus("short-mixed");
    let words = ["--states", "--for", "3", "--critical", "hold.messages=6"];
    let mut running = Running::on(&spool, &words);
    assert!(running.told().starts_with("state CRITICAL: "));
    move_one(&spool);
    let begun = Instant::now();
    let line = running.told();
    assert!(line.starts_with("state CRITICAL to OK: "), "{line}");
    // Nothing else happens; and ten seconds later all would be looked at anyhow.
    assert!((3..10).contains(&begun.elapsed().as_secs()));
}

/// The fields of a datagram to the journal.
fn fields(datagram: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(datagram).expect("no field here has newlines");
    text.lines()
        .map(|line| line.split_once('=').expect("NAME=VALUE"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn the_journal_is_told_of_each_change_with_fields() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let bound = || {
        let journal = UnixDatagram::bind(&path).unwrap();
        let patience = Some(Duration::from_secs(60));
        journal.set_read_timeout(patience).unwrap();
        journal
    };
    let received = |journal: &UnixDatagram| {
        let mut buffer = vec![0; 65_536];
        let length = journal.recv(&mut buffer).expect("a datagram");
        fields(&buffer[..length])
    };
    let of = |told: &[(String, String)], name: &str| -> Vec<String> {
        let own = told.iter().filter(|(field, _)| field == name);
        own.map(|(_, value)| value.clone()).collect()
    };
    let journal = bound();
    let socket = path.to_str().unwrap();
    let rules = [
        "--critical",
        "hold.messages=6",
        "--warning",
        "deferred.messages=1",
    ];
    let words = [&["--journal", "--journal-socket", socket], &rules[..]].concat();
    let mut running = Running::on(&spool, &words);
    running.told();
    let first = received(&journal);
    for (name, value) in [
        ("PRIORITY", "2"),
        ("SYSLOG_IDENTIFIER", "queuewatch"),
        ("MESSAGE_ID", "5d1f0b6c0c0e4a0db9b1f4f7a3c2e815"),
        ("QUEUEWATCH_STATE", "CRITICAL"),
        ("QUEUEWATCH_FIRST", "1"),
    ] {
        assert_eq!(of(&first, name), [value], "{first:?}");
    }
    let measures = ["hold.messages", "deferred.messages"];
    assert_eq!(of(&first, "QUEUEWATCH_MEASURE"), measures);
    let message = of(&first, "MESSAGE").concat();
    let begins = "POSTFIX QUEUE CRITICAL: hold.messages is 7 (critical 6)";
    assert!(message.starts_with(begins), "{message}");

    // journald was started again meanwhile: its socket is another one.
    drop(journal);
    fs::remove_file(&path).unwrap();
    let journal = bound();
    move_one(&spool);
    let second = received(&journal);
    assert_eq!(of(&second, "QUEUEWATCH_BEFORE"), ["CRITICAL"]);
    assert_eq!(of(&second, "QUEUEWATCH_STATE"), ["WARNING"]);
    assert_eq!(of(&second, "PRIORITY"), ["4"]);
    assert_eq!(of(&second, "QUEUEWATCH_MEASURE"), ["deferred.messages"]);
    assert_eq!(of(&second, "QUEUEWATCH_FIRST"), ["0"]);
    let states = [&second].map(|one| (of(one, "QUEUEWATCH_BEFORE"), of(one, "QUEUEWATCH_STATE")));
    let changed = if states[0].0 == states[0].1 { "0" } else { "1" };
    assert_eq!(of(&second, "QUEUEWATCH_CHANGED"), [changed]);
}

#[test]
fn the_journal_is_told_of_what_else_is_breached_in_the_same_state() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let journal = UnixDatagram::bind(&path).unwrap();
    journal.set_read_timeout(Some(PATIENCE)).unwrap();
    let socket = path.to_str().unwrap();
    let files = |queue: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(spool.path().join(queue)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.is_file()).collect()
    };
    let corrupt = format!("corrupt.messages={}", files("corrupt").len());
    let words = [
        "--states",
        "--journal",
        "--journal-socket",
        socket,
        "--warning",
        "hold.messages=3",
        "--warning",
        &corrupt,
    ];
    let running = Running::on(&spool, &words);
    let measures = || -> Vec<String> {
        let mut buffer = vec![0; 65_536];
        let length = journal.recv(&mut buffer).expect("a datagram");
        let told = fields(&buffer[..length]);
        let states = told.iter().filter(|(name, _)| name == "QUEUEWATCH_STATE");
        assert!(
            states.clone().all(|(_, state)| state == "WARNING"),
            "{told:?}"
        );
        let measures = told.iter().filter(|(name, _)| name == "QUEUEWATCH_MEASURE");
        measures.map(|(_, measure)| measure.clone()).collect()
    };
    assert_eq!(measures(), ["hold.messages"]);
    let held = files("hold").remove(0);
    let moved = spool.path().join("corrupt").join(held.file_name().unwrap());
    fs::rename(&held, &moved).unwrap();
    let mut both = measures();
    both.sort();
    assert_eq!(both, ["corrupt.messages", "hold.messages"]);
    fs::remove_file(&moved).unwrap();
    assert_eq!(measures(), ["hold.messages"]);
    assert_eq!(running.end(), "");
}

#[test]
fn a_journal_that_is_absent_is_reported_and_stops_nothing() {
    let spool = Spool::of_corpus("short-mixed");
    let words = [
        "--journal",
        "--journal-socket",
        "/absent/journal",
        "--critical",
        "hold.messages=6",
    ];
    let mut running = Running::on(&spool, &words);
    assert!(running.told().starts_with("state CRITICAL: "));
    move_one(&spool);
    assert!(running.told().starts_with("moved "));
    let complaints = running.end();
    assert!(complaints.contains("/absent/journal"), "{complaints}");
    assert!(complaints.contains("systemd-journald"), "{complaints}");
}

#[test]
fn the_plugin_answers_from_the_status_file_without_a_right_on_the_spool() {
    let spool = Spool::of_corpus("short-mixed");
    spool.reachable();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = folder.path().join("status.json");
    let (file, metrics) = (file.to_str().unwrap(), folder.path().join("queue.prom"));
    let words = [
        "--status",
        file,
        "--openmetrics",
        metrics.to_str().unwrap(),
        "--critical",
        "hold.messages=6",
    ];
    let mut running = Running::on(&spool, &words);
    running.told();
    wait_for("status file", PATIENCE, || Path::new(file).exists());
    let public = PublicProgram::copy(PLUGIN);
    let mut command = public.command();
    command.args(["--status", file]);
    let output = as_nobody(&command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.starts_with("POSTFIX QUEUE CRITICAL: hold.messages is 7 (critical 6) | "),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
    let (_, text) = plugin(&["--status", file, "-v"]);
    assert!(text.lines().count() > 1, "{text}");
    // The watch judges without ages by domain, and shows no table of zeros.
    assert!(!text.contains("age in minutes"), "{text}");
    let text = fs::read_to_string(&metrics).unwrap();
    assert!(text.contains("queue=\"hold\"} 7"), "{text}");
    move_one(&spool);
    wait_for("change", PATIENCE, || plugin(&["--status", file]).0 == 0);

    // Nobody keeps it any more: killed at any moment, it is stale and not false.
    drop(running);
    assert_eq!(plugin(&["--status", file]).0, 0);
    std::thread::sleep(Duration::from_millis(2100));
    let (code, text) = plugin(&["--status", file, "--max-age", "1"]);
    assert_eq!(code, 3);
    assert!(
        text.contains(
            "s old; the limit is 1 s; check that queuewatch watch runs, or raise --max-age"
        ),
        "{text}"
    );
    // Begun again, it knows all.
    let mut again = Running::on(&spool, &words);
    assert!(again.told().starts_with("state OK: "));
    wait_for("fresh status", PATIENCE, || {
        plugin(&["--status", file, "--max-age", "1"]).0 == 0
    });

    for (words, told) in [
        (
            &["--status", "/nonexistent/x"][..],
            "there is no /nonexistent/x",
        ),
        (&["--status", "/etc/passwd"], "not a status file"),
        (
            &["--status", file, "-c", "5"],
            "rules and instances are given there",
        ),
        (
            &["--status", file, "--format", "json"],
            "rules and instances are given there",
        ),
        (
            &["--status", file, "--max-age", "0"],
            "--max-age takes a time of 1 to 86400 seconds",
        ),
    ] {
        let (code, text) = plugin(words);
        assert_eq!(code, 3, "{words:?}");
        assert!(text.contains(told), "{words:?}: {text}");
    }
}

#[test]
fn the_status_file_has_exact_figures_of_each_instance_queue_and_cause_and_no_other() {
    let spool = Spool::of_corpus("short-mixed");
    fs::remove_dir_all(spool.path().join("incoming")).unwrap();
    fs::write(spool.path().join("incoming"), "").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("status.json");
    let metrics = folder.path().join("metrics.prom");
    let words = [
        "--states",
        "--status",
        file.to_str().unwrap(),
        // For the causes of all mail.
        "--openmetrics",
        metrics.to_str().unwrap(),
    ];
    let mut running = Running::on(&spool, &words);
    assert!(running.told().starts_with("state "));
    wait_for("status file", PATIENCE, || file.exists());
    let status: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let rows = |list: &str| status[list].as_array().unwrap().clone();

    let [instance] = &rows("instances")[..] else {
        panic!("{status}");
    };
    let name = &instance["instance"];
    assert_eq!(instance["complete"], false);
    // There is mail in corrupt.
    assert_eq!(instance["state"], "CRITICAL");
    assert_eq!(instance["state_code"], 2);
    assert_eq!(instance["unreadable"], 1);
    // With a queue that cannot be read these are lower bounds.
    for absent in ["damaged", "altered", "misowned"] {
        assert_eq!(instance.get(absent), None, "{instance}");
    }

    let queues = rows("queues");
    assert_eq!(queues.len(), 6, "{queues:?}");
    for row in &queues {
        assert_eq!(&row["instance"], name);
        for figure in ["messages", "recipients", "bytes", "oldest"] {
            let known = row.get(figure).is_some_and(Value::is_u64);
            // A damaged file in corrupt hides recipients.
            let hidden = row["queue"] == "corrupt" && figure == "recipients";
            assert_eq!(known, row["queue"] != "incoming" && !hidden, "{row}");
        }
    }
    let hold = queues.iter().find(|row| row["queue"] == "hold").unwrap();
    assert_eq!(hold["messages"], 7);

    let causes = rows("causes");
    assert_eq!(causes.len(), 17, "{causes:?}");
    let waiting: u64 = causes
        .iter()
        .filter_map(|row| row["recipients"].as_u64())
        .sum();
    let deferred = queues
        .iter()
        .find(|row| row["queue"] == "deferred")
        .unwrap();
    assert!((1..=deferred["recipients"].as_u64().unwrap()).contains(&waiting));
}

#[test]
fn nagios_a_program_and_systemd_hear_of_it() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        place("nagios.cmd"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    // Nagios holds it open for reading and writing.
    let pipe = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(place("nagios.cmd"))
        .unwrap();
    let script = format!(
        "#!/bin/sh\nprintf '%s|%s|%s|%s\\n' \"$1\" \"$2\" \"$3\" \"$QUEUEWATCH_STATE\" >> {}\n",
        place("heard").display()
    );
    fs::write(place("script"), script).unwrap();
    fs::set_permissions(place("script"), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = UnixDatagram::bind(place("notify")).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();

    let (command, exec) = (place("nagios.cmd"), place("script"));
    let words = [
        "--nagios-command",
        command.to_str().unwrap(),
        "--host",
        "mx1",
        "--service",
        "Postfix queue",
        "--exec",
        exec.to_str().unwrap(),
        "--critical",
        "hold.messages=6",
    ];
    let mut program = Command::new(PROGRAM);
    program.env("NOTIFY_SOCKET", place("notify"));
    let mut running = Running::with(program, &spool, &words);
    running.told();
    let mut word = [0; 100];
    let length = socket.recv(&mut word).unwrap();
    assert_eq!(&word[..length], b"READY=1\nWATCHDOG=1");
    let mut passive = String::new();
    wait_for("passive result", PATIENCE, || {
        let mut bytes = [0; 8192];
        if let Ok(length) = (&pipe).read(&mut bytes) {
            passive.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        passive.ends_with('\n')
    });
    let (head, rest) = passive.split_once("] ").unwrap();
    assert!(
        head[1..].parse::<i64>().unwrap() > 1_700_000_000,
        "{passive}"
    );
    assert!(
        rest.starts_with(
            "PROCESS_SERVICE_CHECK_RESULT;mx1;Postfix queue;2;POSTFIX QUEUE CRITICAL: hold.messages is 7 (critical 6) | active="
        ),
        "{passive}"
    );
    let all_heard = || fs::read_to_string(place("heard")).unwrap_or_default();
    wait_for("program", PATIENCE, || all_heard().lines().count() == 1);
    move_one(&spool);
    wait_for("second run", PATIENCE, || all_heard().lines().count() == 2);
    let text = all_heard();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("CRITICAL|CRITICAL|POSTFIX QUEUE CRITICAL: "),
        "{text}"
    );
    assert!(
        lines[1].starts_with("OK|CRITICAL|POSTFIX QUEUE OK: "),
        "{text}"
    );
    assert!(lines[1].ends_with("|OK"), "{text}");
    assert_eq!(running.end(), "");
}

/// In a user namespace with few watches: it says so, and what helps, and still knows what is there.
/// A library that stands before the C library's inotify, whose limit `name` is `value`.
fn exhausted(folder: &Path, name: &str, value: &str) -> PathBuf {
    let source = folder.join("exhausted.c");
    let function = if name == "max_inotify_instances" {
        "int inotify_init1(int flags) { (void)flags; errno = EMFILE; return -1; }".to_owned()
    } else {
        format!(
            "int inotify_add_watch(int fd, const char *path, uint32_t mask) {{\n\
             static int watches;\n\
             if (watches == {value}) {{ errno = ENOSPC; return -1; }}\n\
             watches += 1;\n\
             return (int)syscall(SYS_inotify_add_watch, fd, path, mask);\n}}"
        )
    };
    let head = "#define _GNU_SOURCE\n#include <errno.h>\n#include <stdint.h>\n\
                #include <sys/syscall.h>\n#include <unistd.h>\n";
    fs::write(&source, format!("{head}{function}\n")).unwrap();
    let library = folder.join("exhausted.so");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .expect("cc runs (Debian package gcc)");
    assert!(compiled.success());
    library
}

#[test]
fn exhausted_watches_are_reported_and_everything_is_rescanned_at_intervals() {
    let spool = Spool::of_corpus("short-mixed");
    // The namespace maps root alone.
    let mut chown = Command::new("chown");
    let owned = chown
        .args(["-R", "0:0"])
        .arg(spool.path())
        .status()
        .unwrap();
    assert!(owned.success());
    for (limit, told) in [
        (
            "max_inotify_watches=3",
            "cannot add inotify watches: user.max_inotify_watches is 3, and ",
        ),
        (
            "max_inotify_instances=0",
            "cannot create an inotify instance: user.max_inotify_instances is 0",
        ),
    ] {
        let (name, value) = limit.split_once('=').unwrap();
        let script = format!("echo {value} > /proc/sys/user/{name}; exec \"$@\"");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &script, "sh"]);
        command.arg(PROGRAM);
        // In a chroot, and where an administrator forbids them, there are no user namespaces. A library then plays a
        // kernel that has reached its limit, and the reported number is that of the host.
        let folder = tempfile::tempdir().unwrap();
        let namespaces = Command::new("unshare")
            .args(["--user", "--map-root-user", "true"])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let told = if namespaces.success() {
            told
        } else {
            command = Command::new(PROGRAM);
            command.env("LD_PRELOAD", exhausted(folder.path(), name, value));
            told.split("user.").next().unwrap()
        };
        let mut running = Running::with(command, &spool, &["--critical", "hold.messages=6"]);
        let blind = running.told();
        assert!(blind.starts_with(&format!("blind: {told}")), "{blind}");
        let state = running.told();
        assert!(
            state.contains("hold.messages is 7 (critical 6), looked at every 30 s: cannot "),
            "{state}"
        );
    }
}

#[test]
fn a_page_for_a_web_server_is_kept() {
    let spool = waiting();
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("queue.html");
    let name = page.to_str().unwrap();
    let words = ["--report", name, "--report-interval", "1", "--states"];
    let running = Running::on(&spool, &words);
    let shows = |text: &str| fs::read_to_string(&page).is_ok_and(|page| page.contains(text));
    wait_for("page", PATIENCE, || {
        shows(">deferred</th><td class=\"n\" data-key=\"1\">1</td>")
    });
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
    // The oldest messages are there, and nothing about a check that nobody named.
    assert!(text.contains("anna@send.example") && !text.contains("id=\"since\""));
    let metadata = fs::metadata(&page).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    // Who serves the page gets the right to read it once.
    fs::set_permissions(&page, fs::Permissions::from_mode(0o640)).unwrap();
    fs::remove_file(spool.path().join("deferred/A/A000001")).unwrap();
    wait_for("new page", PATIENCE, || {
        shows(">deferred</th><td class=\"n\" data-key=\"0\">0</td>")
    });
    let metadata = fs::metadata(&page).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o640);
    assert_eq!(running.end(), "");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    for words in [
        &["--report-interval", "5m"][..],
        &["--report", name, "--report-interval", "0.5"],
        &["--report", name, "--report-interval", "2d"],
    ] {
        let output = Command::new(PROGRAM)
            .arg("watch")
            .args(words)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

/// A limit of the size of files stands for a disk that is full: the kernel refuses the rest of the page.
#[test]
fn a_page_that_cannot_be_written_is_reported_and_stops_nothing() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("queue.html");
    let name = page.to_str().unwrap();
    let mut limited = Command::new("sh");
    limited.args([
        "-c",
        "trap '' XFSZ; ulimit -f 8; exec \"$@\"",
        "sh",
        PROGRAM,
    ]);
    fs::write(&page, "the old page").unwrap();
    let words = ["--report", name, "--report-interval", "1"];
    let mut running = Running::with(limited, &spool, &words);
    assert!(running.told().starts_with("state "));
    for _ in 0..2 {
        let id = move_one(&spool);
        assert!(running.told().starts_with(&format!("moved postfix/{id} ")));
    }
    let said = running.end();
    let lines: Vec<&str> = said.lines().collect();
    let expected = format!("queuewatch: --report: cannot write {name}: ");
    assert!(
        matches!(lines[..], [line] if line.starts_with(&expected)),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&page).unwrap(), "the old page");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// /dev/full stands for a disk that is full (full(4)).
#[test]
fn lines_that_cannot_be_written_are_reported_once_and_stop_nothing() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let status = folder.path().join("status.json");
    let mut options = fs::OpenOptions::new();
    let full = options.write(true).open("/dev/full").unwrap();
    let child = Command::new(PROGRAM)
        .args(["watch", "--critical", "hold.messages=6"])
        .arg("--queue-directory")
        .arg(spool.path())
        .arg("--status")
        .arg(&status)
        .stdout(full)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = crate::support::running::Running(child);
    let says = |state: &str| {
        let text = fs::read_to_string(&status).unwrap_or_default();
        text.contains(&format!("POSTFIX QUEUE {state}"))
    };
    wait_for("first status", PATIENCE, || says("CRITICAL"));
    move_one(&spool);
    move_one(&spool);
    wait_for("later status", PATIENCE, || says("OK"));
    running.0.kill().unwrap();
    let mut said = String::new();
    let mut stderr = running.0.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(
        said,
        "queuewatch: cannot write to standard output: no space left on device (ENOSPC); lines are lost until it can \
         be written again\n"
    );
}

#[test]
fn a_failure_is_reported_once() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    let words = [
        "--nagios-command",
        plain.to_str().unwrap(),
        "--host",
        "h",
        "--service",
        "s",
        "--status",
        "/nonexistent/place/status",
        "--exec",
        "/nonexistent/program",
        "--critical",
        "hold.messages=6",
    ];
    let mut running = Running::on(&spool, &words);
    running.told();
    move_one(&spool);
    running.told();
    running.told();
    std::thread::sleep(Duration::from_millis(500));
    let complaints = running.end();
    for told in [
        "plain is not a named pipe; name the command_file",
        "/nonexistent/place",
        "cannot run /nonexistent/program: no such file or directory (ENOENT); give --exec",
    ] {
        assert_eq!(complaints.matches(told).count(), 1, "{told}: {complaints}");
    }
    assert_eq!(fs::read_to_string(plain).unwrap(), "x");

    for (words, told) in [
        (&["watch", "--host", "h"][..], "go together"),
        (&["watch", "--for", "soon"], "--for \"soon\": character 1: "),
        (&["watch", "--timeout", "5"], "there is no option --timeout"),
        (&["watch", "deferred"], "deferred is not an option of watch"),
        (
            &["watch", "--queue-directory", "/nonexistent"],
            "cannot open queue directory",
        ),
    ] {
        let output = Command::new(PROGRAM).args(words).output().unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{words:?}");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(told), "{words:?}: {text}");
    }
}
