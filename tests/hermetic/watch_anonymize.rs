//! `queuewatch watch --anonymize`: no original survives in anything that it writes, and tokens are those of the other
//! commands with the same key.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use queuewatch::drill::QueueFile;

use crate::anonymize::{NOW, marked};
use crate::support::running::wait_for;
use crate::support::spool::Spool;
use crate::tool_watch::Running;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const PATIENCE: Duration = Duration::from_secs(20);

/// Rules whose findings name who they are about.
const RULES: [&str; 14] = [
    "--critical",
    "deferred.top_login=0",
    "--critical",
    "hold.top_sender=0",
    "--critical",
    "hold.top_client=0",
    "--critical",
    "deferred.top_domain=0",
    "--critical",
    "deferred.login(zqxlogin)=0",
    "--critical",
    "hold.sender(zqxsender@send.example)=0",
    "--critical",
    "hold.client(203.0.113.72)=0",
];

/// The marked spool with a recipient that has no domain, so the name of a person is a destination.
fn named() -> Spool {
    let spool = marked();
    let built = QueueFile::cleanup(NOW - 60, 0)
        .sender(b"zqxsender@send.example")
        .todo(b"zqxdestination")
        .content(b"Subject: zqxsubject\n\n")
        .build();
    spool.write("hold/C000001", &built.bytes, 0o700);
    spool
}

/// One output and its text.
type Written = (&'static str, String);

/// Moves a message and removes it, with `more` on the command line; the lines of it.
fn lines(more: &[&str]) -> String {
    let spool = named();
    let place = |name: &str| spool.path().join(name);
    let mut running = Running::on(&spool, &[&RULES[..], more].concat());
    let mut all = running.line();
    fs::rename(place("deferred/A/A000001"), place("active/A000001")).expect("a move");
    let mut until = |what: &str| {
        while !all.lines().any(|line| line.contains(what)) {
            let line = running.line();
            assert!(!line.is_empty(), "it ended: {all}");
            all.push_str(&line);
        }
    };
    let summary = more.contains(&"--summary");
    until(if summary { "summary" } else { "moved" });
    fs::rename(place("hold/B000001"), place("deferred/B000001")).expect("a move");
    fs::remove_file(place("active/A000001")).expect("a removal");
    until(if summary { "summary" } else { "left" });
    assert_eq!(running.end(), "");
    all
}

/// Every output of a watch, by its name.
fn outputs(more: &[&str]) -> Vec<Written> {
    let mut all = vec![
        ("lines", lines(more)),
        ("json", lines(&[&["--json"], more].concat())),
        ("summary", lines(&[&["--summary"], more].concat())),
        (
            "summary json",
            lines(&[&["--summary", "--json"], more].concat()),
        ),
    ];
    all.extend(kept(more));
    all
}

/// What it keeps and sends.
fn kept(more: &[&str]) -> Vec<Written> {
    let spool = named();
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let journal = UnixDatagram::bind(place("journal")).expect("a socket");
    journal.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let (command, owner) = (place("command"), rustix::fs::Mode::from_raw_mode(0o600));
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &command, fifo, owner, 0).expect("a pipe");
    let pipe = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&command)
        .expect("a pipe");
    let script = format!(
        "#!/bin/sh\nprintf '%s|%s\\n' \"$3\" \"$QUEUEWATCH_OUTPUT\" > {0}.new\nmv {0}.new {0}\n",
        place("heard")
    );
    fs::write(place("script"), script).expect("a program");
    fs::set_permissions(place("script"), fs::Permissions::from_mode(0o755)).expect("a mode");
    let files = ["status", "report", "openmetrics", "heard"];
    let words: Vec<String> = [
        ["--status".to_owned(), place("status")],
        ["--report".to_owned(), place("report")],
        ["--openmetrics".to_owned(), place("openmetrics")],
        ["--journal-socket".to_owned(), place("journal")],
        ["--nagios-command".to_owned(), command],
        ["--exec".to_owned(), place("script")],
    ]
    .concat();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let fixed = [
        "--journal",
        "--host",
        "mx1",
        "--service",
        "queue",
        "--metrics-domain",
        "zqxdestination",
        "--metrics-top",
        "9",
    ];
    let running = Running::on(&spool, &[&RULES[..], &fixed, &words, more].concat());
    for file in files {
        wait_for(file, PATIENCE, || Path::new(&place(file)).exists());
    }
    let mut passive = String::new();
    wait_for("passive result", PATIENCE, || {
        let mut bytes = [0; 8192];
        if let Ok(length) = (&pipe).read(&mut bytes) {
            passive.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
        passive.ends_with('\n')
    });
    let mut datagram = vec![0; 1 << 16];
    let length = journal.recv(&mut datagram).expect("a datagram");
    let mut all = vec![
        ("passive result", passive),
        (
            "journal",
            String::from_utf8_lossy(&datagram[..length]).into_owned(),
        ),
    ];
    for file in files {
        all.push((file, fs::read_to_string(place(file)).expect("a file")));
    }
    assert_eq!(running.end(), "");
    all
}

#[test]
fn no_original_survives_in_any_output_of_a_watch() {
    for (what, text) in outputs(&[]) {
        // Otherwise nothing would be shown.
        assert!(text.contains("zqx"), "no name in {what}: {text}");
    }
    for (what, text) in outputs(&["--anonymize"]) {
        let text = text.to_lowercase();
        assert!(!text.trim().is_empty(), "{what} is empty");
        assert!(
            !text.contains("zqx") && !text.contains("203.0.113"),
            "{what}: {text}"
        );
    }
}

#[test]
fn tokens_of_a_watch_are_those_of_a_list_with_the_same_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    fs::write(&key, "0123456789abcdef0123456789abcdef\n").expect("a key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    let key = key.to_str().expect("UTF-8");
    let told = lines(&["--anonymize-key", key]);
    let spool = named();
    let printed = |words: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(words)
            .args(["--anonymize-key", key, "--queue-directory"])
            .arg(spool.path())
            .output()
            .expect("it runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let list = printed(&["list", "deferred"]);
    let list: serde_json::Value = serde_json::from_str(list.trim()).expect("one message");
    let origins = printed(&["origins", "--json", "--by", "login", "deferred"]);
    let origins: serde_json::Value = serde_json::from_str(&origins).expect("JSON");
    for name in [
        &list["sender"],
        &list["recipients"][0]["address"],
        &origins["origins"][0]["name"],
    ] {
        let name = name.as_str().expect("a name");
        assert!(told.contains(name), "{name} is not in {told}");
    }
}

/// A key that cannot be used stops a watch before it writes anything.
#[test]
fn a_key_that_cannot_be_used_is_refused() {
    let spool = named();
    let output = Command::new(PROGRAM)
        .args([
            "watch",
            "--anonymize-key",
            "/nowhere/key",
            "--queue-directory",
        ])
        .arg(spool.path())
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}
