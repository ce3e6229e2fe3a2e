//! check_postfix_queue as a monitoring system runs it: words in, first line and exit code out.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use crate::support::rights::{PublicProgram, as_nobody, with_read_capability};
use crate::support::spool::Spool;
use queuewatch::drill::{self, Plan, QueueFile};

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const NOW: i64 = 1_795_461_304;

fn check(spool: &Spool, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(PROGRAM)
        .arg("--queue-directory")
        .arg(spool.path())
        .args(["--now", &NOW.to_string()])
        .args(arguments)
        .output()
        .unwrap();
    told(&output)
}

fn told(output: &Output) -> (i32, String) {
    assert!(
        output.stderr.is_empty(),
        "standard error is not collected: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    // JSON is read by programs, and says what it has to in UTF-8.
    assert!(
        text.starts_with('{')
            || text
                .bytes()
                .all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)),
        "{text:?}"
    );
    let code = output.status.code().expect("no signal");
    assert!((0..=3).contains(&code) && !text.is_empty());
    (code, text)
}

fn message(arrival: i64, sender: &str, recipients: &[&str]) -> Vec<u8> {
    let mut file = QueueFile::cleanup(arrival, 0).sender(sender.as_bytes());
    for recipient in recipients {
        file = file.todo(recipient.as_bytes());
    }
    file.content(b"Subject: test\n\nHello\n").build().bytes
}

/// Five deferred messages, the oldest of 6 h 2 min; one held; one in maildrop.
fn sick() -> Spool {
    let spool = Spool::empty();
    for (number, age) in [21_720, 7200, 600, 60, 1].into_iter().enumerate() {
        let bytes = message(
            NOW - age,
            "news@client.example",
            &["a@one.example", "b@Two.example", "c@two.example"],
        );
        spool.write(&format!("deferred/A/A0000{number}X"), &bytes, 0o700);
    }
    let held = message(NOW - 86_400, "", &["x@three.example"]);
    spool.write("hold/B00001", &held, 0o700);
    let dropped = QueueFile::maildrop(NOW - 5, 0)
        .sender(b"local")
        .todo(b"y@four.example")
        .content(b"Hello\n")
        .build();
    spool.write("maildrop/C00001", &dropped.bytes, 0o744);
    spool
}

#[test]
fn the_first_line_and_performance_data_are_those_of_the_contract() {
    let spool = sick();
    let rules = [
        "-w",
        "deferred.messages=1",
        "-c",
        "deferred.messages=2",
        "-w",
        "deferred.oldest=4h",
        "-w",
        "deferred.domain(two.example)=5",
    ];
    assert_eq!(
        check(&spool, &rules),
        (
            2,
            "POSTFIX QUEUE CRITICAL: deferred.messages is 5 (critical 2), deferred.oldest is 6h 2m \
             (warning 4h), deferred.domain(two.example) is 10 (warning 5) | active=0;;;0 \
             deferred=5;1;2;0 incoming=0;;;0 hold=1;;;0 maildrop=1;;;0 corrupt=0;;;0 total=7;;;0 \
             active_oldest=0s;;;0 deferred_oldest=21720s;14400;;0 incoming_oldest=0s;;;0 \
             hold_oldest=86400s;;;0 maildrop_oldest=5s;;;0 deferred_domain_two_example=10;5;;0\n"
                .to_owned()
        )
    );
}

#[test]
fn quiet_when_all_is_well() {
    let spool = Spool::empty();
    let (code, text) = check(&spool, &["-c", "100"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with("POSTFIX QUEUE OK: no messages | active=0;;;0 deferred=0;"),
        "{text}"
    );
    assert!(text.contains(" total=0;;100;0 "), "{text}");

    let (code, text) = check(&sick(), &["-c", "100"]);
    assert_eq!(code, 0);
    assert!(
        text.starts_with(
            "POSTFIX QUEUE OK: 7 messages, 5 deferred, 1 hold, 1 maildrop, oldest 1d | "
        ),
        "{text}"
    );
}

#[test]
fn every_measure_can_be_ruled_on() {
    let spool = sick();
    for (rule, value) in [
        ("deferred.messages=0", "is 5 "),
        ("deferred.recipients=0", "is 15 "),
        ("backlog.recipients=0", "is 16 "),
        ("total.messages=0", "is 7 "),
        ("0", "total.messages is 7 "),
        ("deferred.bytes=0", "B (critical 0)"),
        ("total.oldest=1h", "total.oldest is 1d (critical 1h)"),
        ("deferred.older(1h)=0", "deferred.older(1h) is 2 "),
        ("deferred.older(6h)=0", "is 1 "),
        ("deferred.top_domain=0", "is 10 (two.example) "),
        ("deferred.domain(ONE.example)=0", "is 5 "),
        ("deferred.top_sender=0", "is 5 (news@client.example) "),
        ("deferred.sender(News@Client.example)=0", "is 5 "),
        ("total.sender(client.example)=0", "is 5 "),
        ("hold.sender(MAILER-DAEMON)=0", "is 1 "),
        ("deferred.expiring(5d)=0", "is 5 "),
        ("hold.expiring(5d)=1:", "is 0 "),
        ("active.fill=1:", "is 0% "),
        ("spool.unreadable=1:", "is 0 "),
        ("spool.damaged=1:", "is 0 "),
        ("spool.altered=1:", "is 0 "),
        ("disk.free_bytes=0", "disk.free_bytes is "),
        ("master.running=1:", "is 0 "),
    ] {
        let (code, text) = check(&spool, &["-c", rule]);
        assert_eq!(code, 2, "{rule}: {text}");
        assert!(text.contains(value), "{rule}: {text}");
    }
}

#[test]
fn overdue_follows_from_the_time_of_the_next_retry() {
    let spool = sick();
    for (name, next) in [
        ("A00000X", NOW - 301),
        ("A00001X", NOW - 300),
        ("A00002X", NOW + 900),
    ] {
        let file = fs::File::open(spool.path().join("deferred/A").join(name)).unwrap();
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(next as u64);
        file.set_modified(time).unwrap();
    }
    for name in ["A00003X", "A00004X"] {
        fs::remove_file(spool.path().join("deferred/A").join(name)).unwrap();
    }
    let (code, text) = check(&spool, &["-w", "deferred.overdue=0"]);
    assert_eq!(code, 1);
    assert!(text.contains("deferred.overdue is 1 (warning 0)"), "{text}");
}

#[test]
fn a_wrong_call_is_unknown_and_says_what_would_be_right() {
    let spool = Spool::empty();
    for (arguments, part) in [
        (
            &["-w", "deferred.messages=10:5"][..],
            "the start 10 is greater than the end 5",
        ),
        (&["-c", ""], "the range is empty"),
        (&["-c", "@"], "the range is empty"),
        (&["-c", "1e3"], "exponents"),
        (
            &["-c", "deferd.messages=1"],
            "no queue is called \"deferd\"",
        ),
        (&["-c", "deferred.oldest=1k"], "not a unit of age"),
        (&["-c"], "--critical needs a value: RULE"),
        (
            &["--frobnicate"],
            "there is no option --frobnicate; see --help",
        ),
        (&["-x"], "there is no option -x"),
        (&["stray"], "stray is not an option"),
        (&["--exclude", "bounce"], "no such queue"),
        (&["-t", "0"], "more than 0"),
        (&["-t", "soon"], "expected a number"),
        (&["--now", "today"], "a second of the epoch"),
        (&["--format", "xml"], "plugin, json, openmetrics or checkmk"),
        (
            &["--counts", "-w", "deferred.oldest=1h"],
            "--counts counts messages",
        ),
        (
            &["--exclude", "hold", "-w", "hold.messages=1"],
            "--exclude leaves it out",
        ),
        (&["--all-instances"], "--queue-directory is one spool"),
        (&["-c", "out/deferred.messages=1"], "no instance out"),
        (&["-c", "x|y\n<b>=1"], "x?y??b?"),
    ] {
        let (code, text) = check(&spool, arguments);
        assert_eq!(code, 3, "{arguments:?}: {text}");
        assert!(
            text.starts_with("POSTFIX QUEUE UNKNOWN: "),
            "{arguments:?}: {text}"
        );
        assert!(text.contains(part), "{arguments:?}: {text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_wrong_command_line_is_told_in_the_format_that_it_asks_for() {
    let spool = sick();
    let wrong = ["-w", "x=1"];
    for (format, begins, ends) in [
        (
            "checkmk",
            "3 \"Postfix queue\" - POSTFIX QUEUE UNKNOWN: ",
            "",
        ),
        (
            "openmetrics",
            "# TYPE postfix_spool_broken_instances gauge\n",
            "\npostfix_spool_broken_instances 1\n# EOF",
        ),
        ("json", "{", "}"),
        ("plugin", "POSTFIX QUEUE UNKNOWN: ", ""),
    ] {
        let joined = format!("--format={format}");
        for arguments in [
            [&["--format", format][..], &wrong].concat(),
            [&wrong[..], &["--format", format]].concat(),
            [&["--frobnicate"][..], &[&joined]].concat(),
            [&[&joined[..]][..], &["--format", "xml"]].concat(),
            [&["--format", "json"][..], &[&joined], &["stray"]].concat(),
            [&[&joined[..]][..], &["--exclude"]].concat(),
        ] {
            let (code, text) = check(&spool, &arguments);
            assert_eq!(code, 3, "{arguments:?}: {text}");
            assert!(text.starts_with(begins), "{arguments:?}: {text}");
            assert!(text.trim_end().ends_with(ends), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn checkmk_has_a_name_of_its_own_for_each_metric() {
    let spool = sick();
    let rules = ["a@b.x", "a.b.x", "a-b.x"].map(|name| format!("deferred.sender({name})=0"));
    let mut arguments = vec!["--format", "checkmk"];
    arguments.extend(rules.iter().flat_map(|rule| ["-w", rule]));
    let (_, line) = check(&spool, &arguments);
    let metrics = line.split(' ').nth(3).expect("metrics");
    let names: Vec<&str> = metrics
        .split('|')
        .map(|metric| metric.split_once('=').expect("a value").0)
        .collect();
    let senders = names.iter().filter(|name| name.contains("_sender_"));
    assert_eq!(senders.count(), 3, "{line}");
    for (place, name) in names.iter().enumerate() {
        assert!(!names[..place].contains(name), "{line}");
    }
}

#[test]
fn help_and_version_exit_with_three() {
    for (argument, part) in [
        ("-h", "deferred.overdue"),
        ("--help", "--queue-directory DIR"),
        (
            "-V",
            concat!("check_postfix_queue ", env!("CARGO_PKG_VERSION")),
        ),
        ("--version", "check_postfix_queue "),
    ] {
        let output = Command::new(PROGRAM).arg(argument).output().unwrap();
        let (code, text) = told(&output);
        assert_eq!(code, 3);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_directory_that_is_not_a_spool_is_an_error() {
    let run = |directory: &str| {
        let output = Command::new(PROGRAM)
            .args(["--queue-directory", directory])
            .output()
            .unwrap();
        told(&output)
    };
    let (code, text) = run("/nonexistent/spool");
    assert_eq!(code, 3);
    assert!(
        text.contains(
            "cannot open queue directory /nonexistent/spool: no such file or directory (ENOENT)"
        ),
        "{text}"
    );

    let other = tempfile::tempdir().unwrap();
    let (code, text) = run(other.path().to_str().unwrap());
    assert_eq!(code, 3);
    assert!(
        text.contains("is not a Postfix spool: it has none of the queues"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_read_is_never_zero() {
    let program = PublicProgram::copy(PROGRAM);
    let spool = sick();
    spool.reachable();
    let mut command = program.command();
    command.arg("--queue-directory").arg(spool.path()).args([
        "--now",
        &NOW.to_string(),
        "-c",
        "deferred.messages=100",
    ]);

    let (code, text) = told(&as_nobody(&command).output().unwrap());
    assert_eq!(code, 3, "{text}");
    for part in [
        "POSTFIX QUEUE UNKNOWN: cannot list ",
        "/active: permission denied (EACCES) and 5 more; ",
        "run as root or grant CAP_DAC_READ_SEARCH, see \"queuewatch doctor\"; never change modes or ACLs of queue files",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("=0"), "a false zero: {text}");

    let (code, text) = told(&with_read_capability(&command).output().unwrap());
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(" deferred=5;;100;0 "), "{text}");
}

#[test]
fn a_lower_bound_proves_a_breach_and_says_at_least() {
    let program = PublicProgram::copy(PROGRAM);
    let spool = sick();
    spool.reachable();
    // One hash directory is readable to all, the other to nobody.
    for directory in ["deferred", "deferred/A"] {
        fs::set_permissions(
            spool.path().join(directory),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    }
    for entry in fs::read_dir(spool.path().join("deferred/A")).unwrap() {
        fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o704)).unwrap();
    }
    fs::create_dir(spool.path().join("deferred/B")).unwrap();
    fs::set_permissions(
        spool.path().join("deferred/B"),
        fs::Permissions::from_mode(0o700),
    )
    .unwrap();
    let run = |rules: &[&str]| {
        let mut command = program.command();
        command
            .arg("--queue-directory")
            .arg(spool.path())
            .args(["--now", &NOW.to_string()])
            .args([
                "--exclude",
                "active",
                "--exclude",
                "incoming",
                "--exclude",
                "hold",
            ])
            .args(["--exclude", "maildrop", "--exclude", "corrupt"])
            .args(rules);
        told(&as_nobody(&command).output().unwrap())
    };
    let (code, text) = run(&["-w", "deferred.messages=3", "-c", "deferred.messages=100"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("deferred.messages is at least 5 (warning 3), cannot list "),
        "{text}"
    );
    assert!(
        !text.contains("deferred="),
        "not known, so left out: {text}"
    );

    let (code, text) = run(&["-c", "deferred.messages=100"]);
    assert_eq!(code, 3, "{text}");
    let (code, text) = run(&["-c", "deferred.messages=4:"]);
    assert_eq!(code, 3, "a floor is proven by no lower bound: {text}");
    let (code, _) = run(&["-c", "spool.unreadable=0"]);
    assert_eq!(code, 2);
}

#[test]
fn the_cheap_probe_reads_directories_and_two_queues_modes() {
    let spool = sick();
    spool.write("incoming/D00001", b"", 0o600);
    spool.write("incoming/D00002", b"not even a queue file", 0o700);
    spool.write("deferred/A/A00009X", b"", 0o600);
    spool.write("deferred/A/12345.678", b"", 0o700);
    let (code, text) = check(&spool, &["--counts", "-w", "deferred.messages=5"]);
    assert_eq!(
        (code, text.as_str()),
        (
            1,
            "POSTFIX QUEUE WARNING: deferred.messages is 6 (warning 5) | active=0;;;0 \
             deferred=6;5;;0 incoming=1;;;0 hold=1;;;0 maildrop=1;;;0 corrupt=0;;;0 total=9;;;0\n"
        )
    );
}

#[test]
fn other_names_and_files_that_are_not_ready_are_not_messages() {
    let spool = sick();
    spool.write("deferred/A/A-DASH", b"", 0o700);
    spool.write("deferred/A/12345.678", b"", 0o700);
    spool.write("deferred/A/A00009X", b"", 0o600);
    std::os::unix::fs::symlink("/etc/passwd", spool.path().join("deferred/A/LINK01")).unwrap();
    let fifo = spool.path().join("deferred/A/FIFO01");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let (code, text) = check(&spool, &["-c", "deferred.messages=5:5"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_queue_that_is_a_link_to_another_disk_is_read() {
    let spool = sick();
    let elsewhere = tempfile::tempdir().unwrap();
    let moved = elsewhere.path().join("deferred");
    fs::rename(spool.path().join("deferred"), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, spool.path().join("deferred")).unwrap();
    let (code, text) = check(&spool, &["-c", "deferred.messages=5:5"]);
    assert_eq!(code, 0, "{text}");
    // The daemons follow a link in the place of a hash directory; we do not, and say so.
    std::os::unix::fs::symlink(moved.join("A"), moved.join("B")).unwrap();
    let (code, text) = check(&spool, &["-c", "deferred.messages=100"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("move the mail back"), "{text}");
    fs::remove_file(moved.join("B")).unwrap();
    // One with another name is nobody's mail.
    std::os::unix::fs::symlink(moved.join("A"), moved.join("old")).unwrap();
    let (code, text) = check(&spool, &["-c", "deferred.messages=5:5"]);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_queue_whose_disk_is_not_mounted_is_not_empty() {
    let spool = sick();
    fs::remove_dir_all(spool.path().join("deferred")).unwrap();
    std::os::unix::fs::symlink("/nonexistent/disk", spool.path().join("deferred")).unwrap();
    let (code, text) = check(&spool, &["-c", "deferred.messages=100"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("mount the file system"), "{text}");
    assert!(!text.contains(" deferred="), "{text}");
}

#[test]
fn modes_are_reported_even_if_they_hide_the_file() {
    let spool = sick();
    for number in 0..5 {
        let file = spool.path().join(format!("deferred/A/A0000{number}X"));
        fs::set_permissions(file, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let (code, text) = check(&spool, &["-w", "spool.altered=0"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("spool.altered is 5 (warning 0)"), "{text}");
}

#[test]
fn mail_without_an_arrival_time_has_no_age_and_not_age_zero() {
    let spool = sick();
    let bytes = QueueFile::cleanup(-1, 0)
        .sender(b"s")
        .todo(b"r@x")
        .content(b"x")
        .build();
    spool.write("active/E00001", &bytes.bytes, 0o700);
    let future = message(NOW + 90_000, "s", &["r@x"]);
    spool.write("active/E00002", &future, 0o700);
    let (code, text) = check(&spool, &["-c", "active.oldest=4h"]);
    assert_eq!(code, 3, "{text}");
    assert!(!text.contains("active_oldest="), "{text}");
    let (code, _) = check(&spool, &["-c", "active.messages=2:2"]);
    assert_eq!(code, 0);
    // What others prove stands.
    let bytes = message(NOW - 20_000, "s", &["r@x"]);
    spool.write("active/E00003", &bytes, 0o700);
    let (code, text) = check(&spool, &["-c", "active.oldest=4h"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("active.oldest is at least 5h 33m"), "{text}");
}

#[test]
fn recipients_that_damage_hides_do_not_count_as_zero() {
    let spool = Spool::empty();
    let recipients: Vec<String> = (0..500)
        .map(|number| format!("r{number}@x.example"))
        .collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let bytes = message(NOW - 60, "s", &recipients);
    spool.write("deferred/A/A00001", &bytes[..300], 0o700);
    let (code, text) = check(&spool, &["-c", "deferred.recipients=400"]);
    assert_eq!(code, 3, "{text}");
    let (code, text) = check(&spool, &["-c", "deferred.recipients=1"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("is at least "), "{text}");
}

#[test]
fn a_file_as_long_as_a_disk_takes_no_time() {
    let spool = sick();
    spool.write("deferred/A/A00009X", b"", 0o700);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(spool.path().join("deferred/A/A00009X"))
        .unwrap();
    file.set_len(1 << 40).unwrap();
    let (code, text) = check(&spool, &["-c", "deferred.messages=5", "-t", "60"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("deferred.messages is 6"), "{text}");
}

#[test]
fn what_postfix_never_looks_at_is_not_a_gap() {
    let program = PublicProgram::copy(PROGRAM);
    let spool = sick();
    spool.reachable();
    let everyone = |name: &str, mode| {
        let path = spool.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for queue in [
        "active",
        "deferred",
        "incoming",
        "hold",
        "maildrop",
        "corrupt",
        "deferred/A",
    ] {
        everyone(queue, 0o755);
    }
    for number in 0..5 {
        everyone(&format!("deferred/A/A0000{number}X"), 0o744);
    }
    everyone("hold/B00001", 0o744);
    fs::create_dir(spool.path().join("deferred/lost+found")).unwrap();
    everyone("deferred/lost+found", 0o700);
    spool.write("deferred/A/notes", b"", 0o600);
    let mut command = program.command();
    command.arg("--queue-directory").arg(spool.path()).args([
        "--now",
        &NOW.to_string(),
        "-c",
        "deferred.messages=5:5",
    ]);
    let (code, text) = told(&as_nobody(&command).output().unwrap());
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_plugin_that_nobody_can_hear_is_not_ok() {
    let spool = Spool::empty();
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let status = Command::new(PROGRAM)
        .arg("--queue-directory")
        .arg(spool.path())
        .args(["-c", "100"])
        .stdout(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
}

#[test]
fn hostile_mail_writes_nothing_of_its_own() {
    let spool = Spool::empty();
    let evil = "x@\u{1b}[2J|<script>\nevil=1;.example";
    let bytes = message(NOW - 10, "$(reboot)|`id`\n@evil", &[evil]);
    spool.write("deferred/A/A00001", &bytes, 0o700);
    let (code, text) = check(
        &spool,
        &[
            "-v",
            "-v",
            "-c",
            "deferred.top_domain=0",
            "-c",
            "deferred.top_sender=0",
        ],
    );
    assert_eq!(code, 2);
    assert_eq!(
        text.lines().next().unwrap().matches('|').count(),
        1,
        "{text}"
    );
    assert!(!text.contains(['<', '>', '\u{1b}']), "{text}");
    assert_eq!(text.matches('|').count(), 1, "{text}");
}

#[test]
fn output_stays_within_its_limits() {
    let spool = Spool::empty();
    for number in 0..200 {
        let sender = format!("{number}-{}@sender.example", "s".repeat(200));
        let recipient = format!("r@{number}-{}.example", "d".repeat(200));
        let bytes = message(NOW - 999_999_999, &sender, &[recipient.as_str()]);
        spool.write(&format!("deferred/A/A{number:05}"), &bytes, 0o700);
        spool.write(&format!("deferred/B/B{number:05}"), b"", 0o700);
    }
    let mut rules = Vec::new();
    for number in 0..30 {
        let name = format!("{number}-{}.example", "d".repeat(200));
        rules.extend(["-c".to_owned(), format!("deferred.domain({name})=0")]);
    }
    let mut arguments: Vec<&str> = rules.iter().map(String::as_str).collect();
    arguments.extend(["-c", "deferred.messages=0", "-v", "-v", "-v"]);
    let (code, text) = check(&spool, &arguments);
    assert_eq!(code, 2);
    let first = text.lines().next().unwrap();
    assert!(first.len() < 1000, "{}", first.len());
    assert!(first.contains(" more"), "{first}");
    assert!(first.contains(" maildrop_oldest=0s;;;0"), "{first}");
    assert!(text.len() < 7000, "{}", text.len());
    assert!(text.ends_with("[output cut]\n"), "{text}");
}

#[test]
fn nothing_below_the_spool_changes() {
    let spool = sick();
    let output = Command::new("find").arg(spool.path()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    // Times of access count too: mail readers and backups go by them.
    let state = || -> Vec<_> {
        use std::os::unix::fs::MetadataExt as _;
        let of = |path: &str| {
            let inode = fs::symlink_metadata(path).unwrap();
            let times = (
                inode.atime(),
                inode.atime_nsec(),
                inode.mtime_nsec(),
                inode.ctime_nsec(),
            );
            (path.to_owned(), inode.mode(), times)
        };
        listed.lines().map(of).collect()
    };
    let before = state();
    assert!(before.len() > 10);
    for arguments in [&["-v"][..], &["--counts"], &["--format", "json"]] {
        check(&spool, arguments);
    }
    assert_eq!(state(), before);
}

#[test]
fn a_deadline_is_kept_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("spool");
    let plan = Plan {
        messages: 3000,
        ..Plan::at(NOW)
    };
    drill::make(&directory, &plan, &mut |_, _| {}).unwrap();
    let output = Command::new(PROGRAM)
        .arg("--queue-directory")
        .arg(&directory)
        // Passed before the first file is read.
        .args([
            "--now",
            &NOW.to_string(),
            "-t",
            "0.000001",
            "-c",
            "deferred.messages=1000000",
        ])
        .output()
        .unwrap();
    let (code, text) = told(&output);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("the deadline passed before all of "),
        "{text}"
    );
    assert!(text.contains("deferred"), "{text}");
    assert!(!text.contains("deferred=0"), "{text}");
}

#[test]
fn json_and_openmetrics_say_the_same() {
    let spool = sick();
    let (code, text) = check(&spool, &["--format", "json", "-w", "deferred.messages=4"]);
    assert_eq!(code, 1);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema"], "queuewatch/1");
    assert_eq!(document["state"], "WARNING");
    assert_eq!(document["complete"], true);
    assert_eq!(
        document["findings"][0]["text"],
        "deferred.messages is 5 (warning 4)"
    );
    let deferred = &document["instances"][0]["queues"]["deferred"];
    assert_eq!(deferred["oldest"], 21_720);
    assert_eq!(deferred["top_domains"][0]["domain"], "two.example");
    assert_eq!(deferred["top_domains"][0]["recipients"], 10);

    let (code, text) = check(&spool, &["--format", "openmetrics"]);
    assert_eq!(code, 0);
    for (cause, recipients) in [("filter", 0), ("unreachable", 0)] {
        let line = format!(
            "postfix_spool_recipients_by_cause{{postfix_instance=\"postfix\",queue=\"deferred\",\
             cause=\"{cause}\"}} {recipients}"
        );
        assert!(text.lines().any(|one| one == line), "{line} in {text}");
    }
    for line in [
        "postfix_spool_messages{postfix_instance=\"postfix\",queue=\"deferred\"} 5",
        "postfix_spool_recipients{postfix_instance=\"postfix\",queue=\"deferred\"} 15",
        "postfix_spool_oldest_message_age_seconds{postfix_instance=\"postfix\",queue=\"deferred\"} 21720",
        "postfix_spool_complete{postfix_instance=\"postfix\"} 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_scan_with_any_number_of_readers_is_the_same() {
    let spool = Spool::of_corpus("short-mixed");
    let with = |words: &[&str]| {
        // A gentle reader pauses; the default time limit could end it on a busy machine.
        let format = ["--format", "json", "-t", "600"];
        let (_, text) = check(&spool, &[&format, words].concat());
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        // The disk is everybody's.
        document["instances"][0]["disk"] = serde_json::Value::Null;
        for finding in document["findings"].as_array_mut().unwrap() {
            assert_ne!(finding["measure"], "disk.free_bytes", "a nearly full disk");
        }
        document
    };
    let one = with(&["--readers", "1"]);
    for readers in ["2", "3", "16"] {
        assert_eq!(with(&["--readers", readers]), one, "{readers} readers");
        let gentle = with(&["--gentle", "--readers", readers]);
        assert_eq!(gentle, one, "{readers} gentle readers");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_a_gap_and_moving_mail_is_not() {
    // While one thread moves files between queues, no scan reports a gap.
    let spool = sick();
    let path = spool.path();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for number in 0..5 {
                    let name = format!("A0000{number}X");
                    let deferred = path.join("deferred/A").join(&name);
                    let active = path.join("active").join(&name);
                    let _ = fs::rename(&deferred, &active);
                    let _ = fs::rename(&active, &deferred);
                }
            }
        });
        for _ in 0..50 {
            let (code, text) = check(
                &spool,
                &["-c", "spool.unreadable=0", "-c", "spool.damaged=0"],
            );
            assert_eq!(code, 0, "{text}");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn long_output_never_changes_the_state() {
    let spool = sick();
    // No reason can be read: its directory is a link to nowhere.
    let _ = fs::remove_dir_all(spool.path().join("defer"));
    std::os::unix::fs::symlink("nowhere", spool.path().join("defer")).unwrap();
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let (code, plain) = check(&spool, &["-w", "deferred.messages=100"]);
    assert_eq!(code, 0, "{plain}");
    let (long_code, long) = check(&spool, &["-w", "deferred.messages=100", "-v"]);
    assert_eq!((long_code, first(&long)), (code, first(&plain)));
    assert!(
        long.lines()
            .any(|line| line.contains("cannot list ") && line.contains("/defer")),
        "{long}"
    );
    let (code, json) = check(&spool, &["-w", "deferred.messages=100", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &json["state"], &json["complete"]),
        (0, &"OK".into(), &false.into())
    );
    assert_eq!(
        json["instances"][0]["queues"]["deferred"]["reasons_complete"],
        false
    );
    // A rule on reasons needs them.
    let (code, text) = check(&spool, &["-w", "deferred.reason(4)=0"]);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("cannot list ") && text.contains("(ENOENT)"),
        "{text}"
    );
}

#[test]
fn a_size_record_that_leads_beyond_every_disk_is_damage_and_no_gap() {
    let spool = Spool::empty();
    let mut file = b"C\x5f".to_vec();
    file.extend_from_slice(
        format!("{:15} {:15} {:15} {:15} {:15} {:15}", 1, 1, 1, 0, 1, 0).as_bytes(),
    );
    let number = format!("{:>31}", i64::MAX);
    file[2..33].copy_from_slice(number.as_bytes());
    let rest = message(NOW - 60, "a@b.example", &["c@d.example"]);
    file.extend_from_slice(&rest[97..]);
    spool.write("deferred/A/A00001X", &file, 0o700);
    let (code, text) = check(
        &spool,
        &["-c", "spool.unreadable=0", "-w", "spool.damaged=0"],
    );
    assert_eq!(code, 1, "{text}");
    let named = format!(
        "spool.damaged is 1 ({}: ",
        spool.path().join("deferred/A/A00001X").display()
    );
    assert!(text.contains(&named), "{text}");
}

#[test]
fn a_damaged_file_that_makes_a_measure_unknown_is_named_on_the_first_line() {
    let spool = Spool::empty();
    spool.write("deferred/A/A00002", b"", 0o700);
    spool.write("deferred/A/A00001", b"", 0o700);
    let file = spool.path().join("deferred/A/A00001");
    // Every measure that reads an envelope.
    for (measure, limit) in [
        ("deferred.oldest", "4h"),
        ("deferred.older(4h)", "4"),
        ("deferred.expiring(1h)", "4"),
        ("deferred.domains(1h)", "4"),
        ("total.recipients", "4"),
        ("deferred.top_domain", "4"),
        ("deferred.domain(one.example)", "4"),
        ("deferred.top_sender", "4"),
        ("deferred.sender(a@one.example)", "4"),
        ("deferred.top_login", "4"),
        ("deferred.login(alice)", "4"),
        ("deferred.top_client", "4"),
        ("deferred.client(192.0.2.0/24)", "4"),
        ("deferred.reason(4.4)", "4"),
        ("deferred.cause(dns)", "4"),
    ] {
        let (code, text) = check(&spool, &["-w", &format!("{measure}={limit}")]);
        assert_eq!(code, 3, "{text}");
        let first = text.lines().next().unwrap();
        let named = format!(
            "{measure} is unknown: {}: empty file at byte 0",
            file.display()
        );
        assert!(first.contains(&named), "{first}");
    }
    // A breach that is proven stands as before.
    let old = message(NOW - 86_400, "", &["x@three.example"]);
    spool.write("deferred/B/B00001", &old, 0o700);
    let (code, text) = check(&spool, &["-w", "deferred.oldest=4h"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("deferred.oldest is at least 1d (warning 4h)"),
        "{text}"
    );
}

/// A file hides what comes after its damage, and the first line names one that hides what was asked for.
#[test]
fn the_file_that_is_named_is_the_one_that_hides_the_figure() {
    let spool = Spool::empty();
    let whole = message(NOW - 60, "anna@client.example", &["x@three.example"]);
    let end = whole.windows(7).position(|bytes| bytes == b"x@three");
    let torn = &whole[..end.expect("a recipient") + 3];
    spool.write("deferred/A/A00001", torn, 0o700);
    spool.write("deferred/A/A00002", b"", 0o700);
    let (first, second) = ("deferred/A/A00001", "deferred/A/A00002");
    for (rule, name) in [
        ("deferred.recipients=4", first),
        ("deferred.top_client=4", first),
        ("deferred.oldest=4h", second),
        ("deferred.top_sender=4", second),
    ] {
        let (code, text) = check(&spool, &["-w", rule]);
        assert_eq!(code, 3, "{text}");
        let line = text.lines().next().expect("a line");
        let named = format!("{}: ", spool.path().join(name).display());
        assert!(line.contains(&named), "{rule}: {line}");
    }
}

/// The clock was set back: the mail that came before has no age until then.
#[test]
fn a_message_from_the_future_is_named_by_what_it_makes_unknown() {
    let spool = Spool::empty();
    let file = message(NOW + 7 * 86_400, "a@client.example", &["b@one.example"]);
    spool.write("incoming/A00001", &file, 0o700);
    let shown = format!(
        "{}: its arrival time is in the future",
        spool.path().join("incoming/A00001").display()
    );
    let (code, text) = check(&spool, &["-w", "incoming.oldest=5m"]);
    assert_eq!(code, 3, "{text}");
    let named = format!("incoming.oldest is unknown: {shown}");
    assert!(text.contains(&named), "{text}");
    let (code, text) = check(&spool, &["-w", "incoming.recipients=4", "-v"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(&format!("misdated: {shown}")), "{text}");
}

/// Damage behind the sender leaves what was read before it exact.
#[test]
fn damage_hides_only_what_may_stand_behind_it() {
    let spool = Spool::empty();
    let whole = message(NOW - 60, "anna@client.example", &["x@three.example"]);
    // It ends within the recipient.
    let end = whole.windows(7).position(|bytes| bytes == b"x@three");
    spool.write(
        "deferred/A/A00001",
        &whole[..end.expect("a recipient") + 3],
        0o700,
    );
    for (rule, code) in [
        ("deferred.sender(anna@client.example)=1", 0),
        ("deferred.top_sender=1", 0),
        ("deferred.top_login=1", 0),
        ("deferred.client(192.0.2.1)=1", 3),
        ("deferred.recipients=1", 3),
    ] {
        let (found, text) = check(&spool, &["-w", rule]);
        assert_eq!(found, code, "{rule}: {text}");
    }
}

/// A message that a REDIRECT action sends to `target`, with its defer log.
fn redirected(spool: &Spool, id: &str, originals: &[&str], target: &str) {
    let mut file = QueueFile::cleanup(NOW - 60, 0).sender(b"news@client.example");
    for original in originals {
        file = file.todo(original.as_bytes());
    }
    let mut built = file.content(b"Subject: test\n\nHello\n").build();
    // Behind the content: before the end record, which is 2 bytes.
    built.bytes.truncate(built.bytes.len() - 2);
    drill::push_record(&mut built.bytes, b'>', target.as_bytes());
    drill::push_record(&mut built.bytes, b'E', b"");
    let place = format!("{}/{id}", &id[..1]);
    spool.write(&format!("deferred/{place}"), &built.bytes, 0o700);
    let delay = drill::Delay {
        status: "4.4.1".into(),
        reason: "connect to redir.example[192.0.2.7]:25: Connection refused".into(),
        reply: None,
        server: None,
    };
    let mut log = Vec::new();
    let offset = built.recipient_offsets[0];
    drill::push_entry(&mut log, target, Some(originals[0]), offset, &delay);
    spool.write(&format!("defer/{place}"), &log, 0o600);
}

#[test]
fn a_redirected_message_is_one_delivery_to_its_target() {
    let spool = Spool::empty();
    redirected(
        &spool,
        "A00001",
        &["a@one.example", "b@two.example", "c@two.example"],
        "admin@redir.example",
    );
    for (rule, value) in [
        ("deferred.recipients=0", 1),
        ("deferred.domain(redir.example)=0", 1),
        ("deferred.domain(two.example)=@0:9", 0),
        ("deferred.domain(one.example)=@0:9", 0),
        ("deferred.top_domain=0", 1),
        ("deferred.reason(4.4.1)=0", 1),
    ] {
        let (code, text) = check(&spool, &["-w", rule]);
        assert_eq!(code, 1, "{text}");
        let measure = rule.split_once('=').unwrap().0;
        assert!(text.contains(&format!("{measure} is {value} ")), "{text}");
    }
}
