//! Figures are never false and never silently missing, in the plugin, in OpenMetrics, in JSON and in the doctor.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::spool::Spool;
use queuewatch::drill::QueueFile;

const CHECK: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const TOOL: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;

fn message(arrival: i64, sender: &str, recipient: &str) -> Vec<u8> {
    QueueFile::cleanup(arrival, 0)
        .sender(sender.as_bytes())
        .todo(recipient.as_bytes())
        .content(b"Subject: test\n\nHello\n")
        .build()
        .bytes
}

/// One deferred message of five hours.
fn waiting() -> Spool {
    let spool = Spool::empty();
    let file = message(NOW - 5 * 3600, "a@client.example", "u@one.example");
    spool.write("deferred/A/A00001", &file, 0o700);
    spool
}

/// Exit code and standard output.
fn told(program: &str, words: &[&str]) -> (i32, String) {
    let output = Command::new(program)
        .args(words)
        .args(["--now", &NOW.to_string()])
        .output()
        .expect("it runs");
    (
        output.status.code().expect("no signal"),
        String::from_utf8(output.stdout).expect("UTF-8"),
    )
}

fn on(program: &str, spool: &Spool, words: &[&str]) -> (i32, String) {
    let path = spool.path();
    let at = ["--queue-directory", path.to_str().expect("UTF-8")];
    told(program, &[words, &at].concat())
}

/// The value of the sample that begins so.
fn sample(text: &str, head: &str) -> Option<String> {
    text.lines()
        .find(|line| line.starts_with(head) && !line.starts_with('#'))
        .map(|line| line.rsplit(' ').next().expect("a value").to_owned())
}

#[test]
fn a_lower_bound_is_exported_and_makes_the_metrics_incomplete() {
    let oldest =
        "postfix_spool_oldest_message_age_seconds{postfix_instance=\"postfix\",queue=\"deferred\"}";
    let recipients = "postfix_spool_recipients{postfix_instance=\"postfix\",queue=\"deferred\"}";
    let complete = "postfix_spool_complete{";
    let spool = waiting();
    for (program, words) in [
        (CHECK, &["--format", "openmetrics"][..]),
        (TOOL, &["status", "--openmetrics"]),
    ] {
        let (_, text) = on(program, &spool, words);
        assert_eq!(sample(&text, oldest).as_deref(), Some("18000"), "{text}");
        assert_eq!(sample(&text, complete).as_deref(), Some("1"), "{text}");
    }

    // An empty file: no arrival time, no recipients.
    spool.write("deferred/A/A00002", b"", 0o700);
    for (program, words) in [
        (CHECK, &["--format", "openmetrics"][..]),
        (TOOL, &["status", "--openmetrics"]),
    ] {
        let (_, text) = on(program, &spool, words);
        assert_eq!(sample(&text, oldest).as_deref(), Some("18000"), "{text}");
        assert_eq!(sample(&text, recipients).as_deref(), Some("1"), "{text}");
        assert_eq!(sample(&text, complete).as_deref(), Some("0"), "{text}");
    }

    // Alone it has no age at all: 0 would be a false one.
    fs::remove_file(spool.path().join("deferred/A/A00001")).expect("it was there");
    let (_, text) = on(CHECK, &spool, &["--format", "openmetrics"]);
    assert_eq!(sample(&text, oldest), None, "{text}");
    assert_eq!(sample(&text, complete).as_deref(), Some("0"), "{text}");
}

#[test]
fn what_the_caller_left_out_is_not_missing() {
    let spool = waiting();
    let (_, text) = on(CHECK, &spool, &["--format", "openmetrics", "--counts"]);
    assert_eq!(
        sample(&text, "postfix_spool_complete{").as_deref(),
        Some("1"),
        "{text}"
    );
    assert_eq!(sample(&text, "postfix_spool_recipients{"), None, "{text}");
    let words = ["--format", "openmetrics", "--exclude", "deferred"];
    let (_, text) = on(CHECK, &spool, &words);
    assert_eq!(
        sample(&text, "postfix_spool_complete{").as_deref(),
        Some("1"),
        "{text}"
    );
}

#[test]
fn macros_of_a_monitoring_system_are_never_in_its_texts_and_stay_in_json() {
    let spool = Spool::empty();
    let hostile = "$HOSTNAME$`id`@x.example";
    for number in 0..3 {
        let file = message(NOW - 60, hostile, "u@$USER1$.example");
        spool.write(&format!("deferred/A/A0000{number}"), &file, 0o700);
    }
    let rules = [
        "-w",
        "deferred.top_sender=0",
        "-w",
        "deferred.top_domain=0",
        "-w",
        "deferred.sender($HOSTNAME$`id`@x.example)=0",
        "-vv",
    ];
    let (code, text) = on(CHECK, &spool, &rules);
    assert_eq!(code, 1, "{text}");
    assert!(!text.contains('$') && !text.contains('`'), "{text}");
    assert!(text.contains("?HOSTNAME??id?@x.example"), "{text}");
    let (_, text) = on(CHECK, &spool, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let deferred = &json["instances"][0]["queues"]["deferred"];
    assert_eq!(deferred["top_senders"][0]["sender"], hostile.to_lowercase());
    assert_eq!(deferred["top_domains"][0]["domain"], "$user1$.example");
}

#[test]
fn performance_data_has_a_label_of_its_own_for_each_name() {
    let spool = waiting();
    let rules = [
        "-w",
        "deferred.sender(a.b@x)=5",
        "-w",
        "deferred.sender(a_b@x)=5",
        "-c",
        "deferred.domain(b\u{fc}cher.example)=5",
        "-c",
        "deferred.domain(b\u{f6}cher.example)=5",
    ];
    let (_, text) = on(CHECK, &spool, &rules);
    let data = text.split(" | ").nth(1).expect("performance data");
    let labels: Vec<&str> = data
        .split(' ')
        .map(|item| item.split('=').next().expect("a label"))
        .collect();
    for (place, label) in labels.iter().enumerate() {
        assert!(!labels[..place].contains(label), "{label} twice in {text}");
    }
    // The label of a rule is the same without the other rules.
    for rule in ["deferred.sender(a.b@x)=5", "deferred.sender(a_b@x)=5"] {
        let (_, text) = on(CHECK, &spool, &["-w", rule]);
        let label = text.split(' ').next_back().expect("an item");
        let label = label.split('=').next().expect("a label");
        assert!(labels.contains(&label), "{label} is not in {labels:?}");
    }
}

#[test]
fn the_share_of_free_space_is_a_figure_everywhere() {
    let spool = waiting();
    let (code, text) = on(CHECK, &spool, &["-c", "disk.free_share=101%:"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("disk.free_share is "), "{text}");
    assert!(text.contains(" disk_free_share="), "{text}");
    let (_, text) = on(CHECK, &spool, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let disk = &json["instances"][0]["disk"];
    assert!(
        disk["size_bytes"].as_u64() >= disk["free_bytes"].as_u64(),
        "{disk}"
    );
    let (_, text) = on(CHECK, &spool, &["--format", "openmetrics"]);
    assert!(
        sample(&text, "postfix_spool_disk_size_bytes{").is_some(),
        "{text}"
    );
}

/// Writes DIR/main.cf.
fn main_cf(directory: &Path, text: &str) {
    fs::create_dir_all(directory).expect("a folder");
    fs::write(directory.join("main.cf"), text).expect("a main.cf");
}

#[test]
fn a_configuration_here_and_a_spool_in_a_volume_there() {
    let spool = waiting();
    let home = tempfile::tempdir().expect("a folder");
    // Its own queue_directory is that of the container, and is not there.
    main_cf(
        home.path(),
        "multi_instance_name = boxed\nqueue_directory = /nonexistent/spool\nqueue_run_delay = 77s\n",
    );
    let config = home.path().to_str().expect("UTF-8");
    let (code, text) = on(CHECK, &spool, &["-d", config, "--format", "json"]);
    assert_eq!(code, 0, "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let instance = &json["instances"][0];
    assert_eq!(instance["name"], "boxed");
    // It may be a copy: nobody says that a master runs on it, and a rule can ask for one.
    assert_eq!(instance["expected"], false);
    assert_eq!(instance["master"]["running"], false);
    let (code, text) = on(CHECK, &spool, &["-d", config, "-c", "master.running=1:"]);
    assert_eq!(code, 2, "{text}");
    let (code, text) = on(TOOL, &spool, &["doctor", "-c", config]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("note   no master runs on this spool: it may be a copy"),
        "{text}"
    );
    let (code, text) = on(CHECK, &spool, &["-d", config, "--format", "openmetrics"]);
    assert_eq!(code, 0, "{text}");
    let expected = sample(
        &text,
        "postfix_spool_expected_running{postfix_instance=\"boxed\"}",
    );
    assert_eq!(expected.as_deref(), Some("0"), "{text}");
    assert_eq!(
        instance["queue_directory"],
        spool.path().to_str().expect("UTF-8")
    );
    assert_eq!(instance["settings"]["queue_run_delay"], 77);
    assert_eq!(instance["queues"]["deferred"]["messages"], 1);
    let (code, text) = on(TOOL, &spool, &["status", "-c", config]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("instance boxed"), "{text}");
    let copy = "no master runs on this spool, which may be a copy\n";
    assert!(text.contains(copy), "{text}");
    // The spool that main.cf names is that of the instance, named twice or not.
    let named = format!("queue_directory = {}\n", spool.path().display());
    main_cf(home.path(), &named);
    let (code, text) = on(CHECK, &spool, &["-d", config]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("master.running is 0"), "{text}");
    let (code, text) = on(CHECK, &spool, &["-d", config, "--all-instances"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("--queue-directory is one spool"), "{text}");
}

#[test]
fn all_instances_of_another_configuration() {
    let (one, other) = (waiting(), waiting());
    let home = tempfile::tempdir().expect("a folder");
    let second = home.path().join("second");
    main_cf(
        &home.path().join("first"),
        &format!(
            "queue_directory = {}\nmulti_instance_enable = yes\nmulti_instance_directories = {}\n",
            one.path().display(),
            second.display()
        ),
    );
    main_cf(
        &second,
        &format!(
            "queue_directory = {}\nmulti_instance_name = out\n",
            other.path().display()
        ),
    );
    let first = home.path().join("first");
    let config = ["-d", first.to_str().expect("UTF-8")];
    let names = |words: &[&str]| -> Vec<String> {
        let (_, text) = told(CHECK, &[&config, words, &["--format", "json"]].concat());
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let instances = json["instances"].as_array().expect("instances");
        instances
            .iter()
            .map(|one| one["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&["--all-instances"]), ["postfix", "out"]);
    assert_eq!(names(&["--instance", "out"]), ["out"]);
    assert_eq!(names(&[]), ["postfix"]);
    // The one that is not enabled is scanned and not expected to run.
    let (_, text) = told(
        CHECK,
        &[&config[..], &["--all-instances", "--format", "openmetrics"]].concat(),
    );
    let expected = |name: &str| {
        sample(
            &text,
            &format!("postfix_spool_expected_running{{postfix_instance=\"{name}\"}}"),
        )
    };
    assert_eq!(expected("postfix").as_deref(), Some("1"), "{text}");
    assert_eq!(expected("out").as_deref(), Some("0"), "{text}");

    // Its main.cf says how deep its hash directories are, so a file in a wrong one is a warning.
    let alone = [&config[..], &["--all-instances", "--instance", "out", "-v"]].concat();
    let (_, text) = told(CHECK, &alone);
    assert!(!text.contains("spool.misplaced is"), "{text}");
    let file = message(NOW - 60, "a@client.example", "u@one.example");
    other.write("deferred/A/B00004", &file, 0o700);
    let (_, text) = told(CHECK, &alone);
    assert!(text.contains("spool.misplaced is 1"), "{text}");
    assert!(!text.contains("master.running is"), "{text}");
}

#[test]
fn the_doctor_lists_what_is_wrong_with_path_and_remedy() {
    let spool = waiting();
    let (code, text) = on(TOOL, &spool, &["doctor"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("Nothing is in the way.\n"), "{text}");

    spool.write("deferred/B/B00001", b"", 0o700);
    let (code, text) = on(TOOL, &spool, &["doctor"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("deferred/B/B00001 is damaged: "), "{text}");
    assert!(text.ends_with("See the lines marked WRONG.\n"), "{text}");
    fs::remove_file(spool.path().join("deferred/B/B00001")).expect("it was there");

    let file = message(NOW, "a@client.example", "u@one.example");
    spool.write("corrupt/C00001", &file, 0o740);
    let (code, text) = on(TOOL, &spool, &["doctor"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("corrupt/C00001 is mail that nobody delivers"),
        "{text}"
    );
    assert!(text.contains("postsuper -d C00001 corrupt"), "{text}");
    assert!(
        !text.contains("requeue"),
        "Postfix never looks in corrupt: {text}"
    );
    fs::remove_file(spool.path().join("corrupt/C00001")).expect("it was there");

    // It is being written, and yet others may read it.
    spool.write("incoming/D00001", &file, 0o640);
    let (code, text) = on(TOOL, &spool, &["doctor"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("incoming/D00001: mode 0640: "), "{text}");
    fs::remove_file(spool.path().join("incoming/D00001")).expect("it was there");

    for number in 0..30 {
        spool.write(&format!("hold/E000{number:02}"), b"", 0o700);
    }
    let (code, text) = on(TOOL, &spool, &["doctor"]);
    assert_eq!(code, 1, "{text}");
    assert_eq!(text.matches(" is damaged: ").count(), 20, "{text}");
    assert!(text.contains("10 more damaged queue files"), "{text}");
    for number in 0..30 {
        fs::remove_file(spool.path().join(format!("hold/E000{number:02}"))).expect("it was there");
    }

    let file = message(NOW + 7 * 86_400, "a@client.example", "u@one.example");
    spool.write("incoming/F00001", &file, 0o700);
    let (code, text) = on(TOOL, &spool, &["doctor"]);
    assert_eq!(code, 1, "{text}");
    let shown = "incoming/F00001: its arrival time is in the future";
    assert!(text.contains(shown), "{text}");
    let (_, text) = on(TOOL, &spool, &["status"]);
    assert!(text.contains(shown), "{text}");
}

/// However mail writes it, a destination is one.
#[test]
fn an_international_domain_is_one_destination_in_any_spelling() {
    let spool = Spool::empty();
    for (number, domain) in [
        "b\u{fc}cher.example",
        "B\u{dc}CHER.example",
        "xn--bcher-kva.example",
        "other.example",
    ]
    .into_iter()
    .enumerate()
    {
        for copy in 0..4 {
            let file = message(NOW - 60, "a@client.example", &format!("u@{domain}"));
            spool.write(&format!("deferred/A/A000{number}{copy}"), &file, 0o700);
        }
    }
    for rule in [
        "deferred.top_domain=@12:12",
        "deferred.domain(xn--bcher-kva.example)=@12:12",
        "deferred.domain(b\u{fc}cher.example)=@12:12",
        "deferred.domains(1s)=@2:2",
    ] {
        let (code, text) = on(CHECK, &spool, &["-w", rule]);
        assert_eq!(code, 1, "{rule}: {text}");
    }
    let (_, text) = on(TOOL, &spool, &["status", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["instances"][0]["queues"]["deferred"]["domains"], 2);
    // qshape counts bytes, and so does shape.
    let (_, text) = on(TOOL, &spool, &["shape", "deferred", "--json"]);
    assert!(text.matches("\"domain\"").count() > 2, "{text}");
}

#[test]
fn the_doctor_finds_a_stopped_master() {
    let spool = waiting();
    let home = tempfile::tempdir().expect("a folder");
    main_cf(
        home.path(),
        &format!("queue_directory = {}\n", spool.path().display()),
    );
    let config = home.path().to_str().expect("UTF-8");
    let (code, text) = told(TOOL, &["doctor", "-c", config]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("WRONG  master does not run: nothing moves"),
        "{text}"
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(home.path(), mode).expect("a mode");
}
