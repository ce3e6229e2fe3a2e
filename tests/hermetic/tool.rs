//! The tool `queuewatch` as a person at a terminal or a script runs it: `shape`, `list` and `reasons`; words in,
//! text and exit code out. What the tables and lists hold is compared with Postfix's own tools elsewhere.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use crate::support::rights::{PublicProgram, as_nobody, with_read_capability};
use crate::support::spool::Spool;
use queuewatch::drill::{self, Plan, QueueFile};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;

fn command(spool: &Spool, words: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(words)
        .arg("--queue-directory")
        .arg(spool.path())
        .args(["--now", &NOW.to_string()]);
    command
}

/// Exit code, standard output, standard error.
fn told(command: &mut Command) -> (i32, String, String) {
    let output: Output = command.output().expect("it runs");
    (
        output.status.code().expect("no signal"),
        String::from_utf8(output.stdout).expect("UTF-8"),
        String::from_utf8(output.stderr).expect("UTF-8"),
    )
}

/// Puts a message with one recipient and its defer log into deferred.
fn deferred(spool: &Spool, id: &str, age: i64, recipient: &str, code: &str, reason: &str) {
    let file = QueueFile::cleanup(NOW - age, 0).sender(b"news@client.example");
    spool.defer(id, file, recipient, code, reason);
}

const REFUSED: &str = "connect to mx1.one.example[192.0.2.7]:25: Connection refused";

/// Two messages for one.example that nobody takes, one for two.example that was greylisted, one not tried.
fn sick() -> Spool {
    let spool = Spool::empty();
    deferred(&spool, "A00001X", 7200, "a@one.example", "4.4.1", REFUSED);
    deferred(&spool, "A00002X", 600, "b@one.example", "4.4.1", REFUSED);
    let greylisted = "host mx.two.example[192.0.2.9] said: 450 4.7.1 Greylisted for 300 seconds";
    deferred(&spool, "B00001X", 60, "c@two.example", "4.7.1", greylisted);
    deferred(&spool, "C00001X", 30, "d@three.example", "", "");
    spool
}

#[test]
fn reasons_are_counted_by_destination_and_code() {
    let spool = sick();
    let (code, text, error) = told(&mut command(&spool, &["reasons"]));
    assert_eq!((code, error.as_str()), (0, ""));
    let wanted = "\
recipients  oldest  cause        acts    domain       code   next hop         reason
         2  2h      unreachable  them    one.example  4.4.1  mx1.one.example  connect to HOST[IP]:25: Connection refused
         1  1m      greylisted   nobody  two.example  4.7.1  mx.two.example   host HOST[IP] said: 450 4.7.1 Greylisted for N seconds
         3  in all
         1  have no delay reason on record: not tried yet, being tried now, or on hold
";
    assert_eq!(text, wanted);
    let (code, text, _) = told(&mut command(&spool, &["reasons", "--json", "deferred"]));
    assert_eq!(code, 0);
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["schema"], "queuewatch/1");
    let first = &json["reasons"][0];
    assert_eq!(first["cause"], "unreachable");
    assert_eq!(first["acts"], "them");
    assert_eq!(first["next_hop"], "mx1.one.example");
    let (code, text, _) = told(&mut command(&spool, &["reasons", "hold"]));
    assert_eq!((code, text.as_str()), (0, "no mail waits\n"));
}

#[test]
fn reasons_are_grouped_limited_and_printed_raw() {
    let spool = sick();
    let json = |words: &[&str]| -> Value {
        let words = [&["reasons", "--json"], words].concat();
        let (code, text, error) = told(&mut command(&spool, &words));
        assert_eq!((code, error.as_str()), (0, ""));
        serde_json::from_str(&text).expect("JSON")
    };
    let by = json(&["--by", "cause"]);
    let causes: Vec<&str> = by["reasons"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["cause"].as_str().expect("a cause"))
        .collect();
    assert_eq!(causes, ["unreachable", "greylisted"]);
    let hops = json(&["--by", "next-hop", "--limit", "1"]);
    assert_eq!(hops["reasons"][0]["next_hop"], "mx1.one.example");
    assert_eq!(hops["reasons"].as_array().expect("rows").len(), 1);
    assert_eq!(hops["beyond_limit"], 1);
    let raw = json(&["--raw"]);
    assert_eq!(raw["reasons"][0]["reason"], REFUSED);
    assert_eq!(raw["without_reason"], 1);
    let table = spool.path().join("causes");
    std::fs::write(&table, "# ours\nrelay 4.4.1 connect to *\n").expect("a table");
    let table = table.to_str().expect("a name");
    let ours = json(&["--causes", table]);
    assert_eq!(ours["reasons"][0]["cause"], "relay");
    let (code, _, error) = told(&mut command(&spool, &["reasons", "--by", "size"]));
    assert_eq!(code, 2, "{error}");
}

#[test]
fn reasons_of_the_messages_that_filters_pick() {
    let spool = sick();
    // The commands that an alert says to run next have these filters.
    let cases: [(&[&str], &[&str]); 5] = [
        (&["--domain", "two.example"], &["two.example"]),
        (&["--cause", "unreachable"], &["one.example"]),
        (&["--not", "--cause", "unreachable"], &["two.example"]),
        (&["--older", "1h", "deferred"], &["one.example"]),
        (&["--domain", "none.example"], &[]),
    ];
    for (words, expected) in cases {
        let words = [&["reasons", "--json"], words].concat();
        let (code, text, error) = told(&mut command(&spool, &words));
        assert_eq!((code, error.as_str()), (0, ""), "{words:?}");
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let rows = json["reasons"].as_array().expect("rows").iter();
        let domains: Vec<&str> = rows
            .map(|row| row["domain"].as_str().expect("a domain"))
            .collect();
        assert_eq!(domains, expected, "{words:?}");
    }
    let (code, _, error) = told(&mut command(&spool, &["reasons", "--not"]));
    assert_eq!(code, 2, "{error}");
}

#[test]
fn a_runbook_is_printed_without_a_spool() {
    let spool = Spool::empty();
    for name in [
        "filter",
        "deferred.cause(filter)",
        "deferred.cause(filter)=0",
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_queuewatch"));
        let (code, text, error) = told(command.args(["explain", name]).current_dir(spool.path()));
        assert_eq!((code, error.as_str()), (0, ""), "{name}");
        assert!(text.contains("* Never: "), "{text}");
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_queuewatch"));
    let (code, _, error) = told(command.args(["explain", "nothing"]));
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("greylisted"), "{error}");
}

#[test]
fn lists_are_picked_and_sorted() {
    let spool = sick();
    for (words, ids) in [
        (
            &["--sort", "arrival"][..],
            "A00001X A00002X B00001X C00001X",
        ),
        (
            &["--sort", "queue_id", "-j"],
            "A00001X A00002X B00001X C00001X",
        ),
        (
            &["--domain", "one.example", "--sort", "arrival"],
            "A00001X A00002X",
        ),
        (&["--domain", "ONE.Example", "--older", "1h"], "A00001X"),
        (&["--reason", "4.7"], "B00001X"),
        (&["--reason", "4.7.10"], ""),
        (
            &[
                "--sender",
                "client.example",
                "--older",
                "90s",
                "--sort",
                "queue_id",
            ],
            "A00001X A00002X",
        ),
        (
            &[
                "--sender",
                "news@client.example",
                "--reason",
                "4.4.1",
                "--older",
                "601",
            ],
            "A00001X",
        ),
        (&["--sender", "<>"], ""),
        (&["hold", "active"], ""),
    ] {
        let mut all = vec!["list"];
        all.extend(words);
        let (code, text, error) = told(&mut command(&spool, &all));
        assert_eq!((code, error.as_str()), (0, ""), "{words:?}");
        let listed: Vec<String> = text
            .lines()
            .map(|line| {
                let json: Value = serde_json::from_str(line).expect("JSON");
                json["queue_id"].as_str().expect("an ID").to_owned()
            })
            .collect();
        assert_eq!(listed.join(" "), ids, "{words:?}");
    }
    let (_, text, _) = told(&mut command(&spool, &["list", "-p", "hold"]));
    assert_eq!(text, "Mail queue is empty\n");
}

#[test]
fn wrong_usage_is_reported_with_exit_code_2() {
    let spool = sick();
    for (words, wanted) in [
        (&["lst"][..], "there is no command lst; "),
        (&["list", "--no-such"], "there is no option --no-such"),
        (&["list", "deffered"], "deffered"),
        (&["reasons", "backlogs"], "backlogs"),
        (&["list", "--keys", "3.7"], "--keys takes 3.5 or 3.11"),
        (
            &["list", "--sort", "age"],
            "--sort takes arrival, size, retry or queue_id",
        ),
        (&["list", "--older", "4x"], "--older \"4x\": character 2: "),
        (&["list", "--reason", "soft"], "soft"),
        (&["list", "--older"], "--older needs a value: AGE"),
        (
            &["shape", "--width", "1e9"],
            "--width: at most 10000 columns",
        ),
        (&["shape", "--bucket-count", "1000000"], "--bucket-count"),
        (
            &["list", "hold", "--exclude", "hold"],
            "--exclude leaves nothing to list",
        ),
    ] {
        // A value that is missing must be missing at the end.
        let mut program = Command::new(PROGRAM);
        program.arg(words[0]).arg("--queue-directory");
        program.arg(spool.path()).args(&words[1..]);
        let (code, text, error) = told(&mut program);
        assert_eq!((code, text.as_str()), (2, ""), "{words:?}: {error}");
        assert!(
            error.starts_with("queuewatch: ") && error.contains(wanted),
            "{words:?}: {error}"
        );
    }
    let (code, text, error) = told(&mut Command::new(PROGRAM));
    assert_eq!((code, text.as_str()), (2, ""));
    assert!(error.contains("the command is missing"), "{error}");
}

/// An option without an effect is a mistake, and the error names both.
#[test]
fn options_that_would_have_no_effect_are_refused() {
    let spool = sick();
    for (words, names) in [
        (&["list", "--ids", "-j"][..], ["--ids", "--json (-j)"]),
        (&["list", "-p", "--ids"], ["--ids", "--text (-p)"]),
        (&["list", "--ids", "--keys", "3.5"], ["--ids", "--keys"]),
        (&["list", "--anonymize", "--ids"], ["--ids", "--anonymize"]),
        (
            &["list", "--ids", "--anonymize-key", "/nowhere/key"],
            ["--ids", "--anonymize-key"],
        ),
        (&["list", "-j", "-p"], ["--json (-j)", "--text (-p)"]),
        (
            &["show", "A000001", "--body", "9", "--anonymize-key", "key"],
            ["--body", "--anonymize-key"],
        ),
        (&["shape", "--json", "--color"], ["--json", "--color"]),
        (&["shape", "--width", "90", "--json"], ["--json", "--width"]),
        (
            &["shape", "--json", "-n", "5"],
            ["--json", "--batch-domains"],
        ),
        (
            &["status", "--json", "--openmetrics"],
            ["--json", "--openmetrics"],
        ),
        (
            &["status", "--metrics-top", "3"],
            ["--metrics-top", "OpenMetrics"],
        ),
        (
            &["status", "--json", "--metrics-domain", "x.example"],
            ["--metrics-domain", "OpenMetrics"],
        ),
        (
            &["watch", "--metrics-top", "3"],
            ["--metrics-top", "OpenMetrics"],
        ),
        (
            &["watch", "--states", "--summary"],
            ["--states", "--summary"],
        ),
        (
            &["watch", "--report-interval", "5m"],
            ["--report-interval", "--report"],
        ),
        (
            &["watch", "--journal-socket", "socket"],
            ["--journal-socket", "--journal"],
        ),
        (&["watch", "--host", "mx1"], ["--host", "--nagios-command"]),
    ] {
        let (code, text, error) = told(&mut command(&spool, words));
        assert_eq!(code, 2, "{words:?}: {text}{error}");
        let in_json = words.iter().any(|word| ["-j", "--json"].contains(word));
        assert!(
            text.is_empty() || in_json && !words.contains(&"--ids") && text.starts_with('{'),
            "{words:?}: {text}"
        );
        for name in names {
            assert!(error.contains(name), "{words:?}: {error}");
        }
    }
    let mut plugin = Command::new(env!("CARGO_BIN_EXE_check_postfix_queue"));
    plugin.args(["--metrics-top", "3", "--queue-directory"]);
    let (code, text, _) = told(plugin.arg(spool.path()));
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("--metrics-top"), "{text}");
}

#[test]
fn a_directory_that_is_not_a_spool_is_a_failure_and_not_an_empty_table() {
    let nothing = tempfile::tempdir().expect("a folder");
    for name in ["shape", "list", "reasons"] {
        for place in [nothing.path().to_owned(), nothing.path().join("absent")] {
            let mut program = Command::new(PROGRAM);
            program.arg(name).arg("--queue-directory").arg(&place);
            let (code, text, error) = told(&mut program);
            assert!(code == 1 || code == 4, "{name}: {code}");
            assert!(!error.is_empty(), "{name} {text}");
            assert!(
                !text.contains("empty") && !text.contains("no mail"),
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn unreadable_parts_are_reported_with_exit_code_4() {
    let spool = sick();
    spool.reachable();
    let program = PublicProgram::copy(PROGRAM);
    for name in ["shape", "list", "reasons"] {
        let mut unprivileged = program.command();
        unprivileged
            .args([name, "--queue-directory"])
            .arg(spool.path());
        unprivileged.arg("deferred");
        let (code, text, error) = told(&mut as_nobody(&unprivileged));
        assert_eq!(code, 4, "{name}: {text}{error}");
        assert!(
            error.contains("permission denied (EACCES); run as root or "),
            "{name}: {error}"
        );
        assert!(
            !text.contains("empty") && !text.contains("no mail"),
            "{name}: {text}"
        );
    }
}

#[test]
fn a_log_that_is_a_link_is_reported_and_not_followed() {
    let spool = sick();
    let log = spool.path().join("defer/C/C00001X");
    std::fs::create_dir_all(log.parent().expect("a directory")).expect("a directory");
    symlink(spool.path().join("defer/A/A00001X"), &log).expect("a link");
    let (code, text, error) = told(&mut command(&spool, &["reasons"]));
    assert_eq!(code, 4, "{text}");
    assert!(
        error.contains("defer/C/C00001X") && error.contains("(ELOOP)"),
        "{error}"
    );
    assert!(
        text.contains("         2  2h      unreachable  them    one.example"),
        "{text}"
    );
    let (code, text, _) = told(&mut command(&spool, &["list", "--domain", "three.example"]));
    assert_eq!(code, 4);
    assert!(
        text.contains("\"address\": \"d@three.example\"}]"),
        "{text}"
    );
}

#[test]
fn a_reader_that_leaves_early_is_not_a_failure() {
    let spool = tempfile::tempdir().expect("a folder");
    let mut plan = Plan::at(NOW);
    plan.messages = 4000;
    drill::make(spool.path(), &plan, &mut |_, _| {}).expect("a drill");
    for name in ["list", "shape"] {
        let mut child = Command::new(PROGRAM)
            .args([name, "--queue-directory"])
            .arg(spool.path())
            .arg("deferred")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut line = String::new();
        let mut out = BufReader::with_capacity(64, child.stdout.take().expect("its output"));
        out.read_line(&mut line).expect("a line");
        drop(out);
        let mut error = String::new();
        let mut pipe = child.stderr.take().expect("its errors");
        pipe.read_to_string(&mut error).expect("text");
        let status = child.wait().expect("it ends");
        assert_eq!((status.code(), error.as_str()), (Some(0), ""), "{name}");
    }
}

/// What a program shows on a terminal of its own.
fn on_a_terminal(command: &Command, variable: Option<(&str, &str)>) -> String {
    // script(1) runs its command by a shell.
    let quoted = |word: &std::ffi::OsStr| format!("'{}'", word.to_string_lossy());
    let mut line = quoted(command.get_program());
    for word in command.get_args() {
        line.push(' ');
        line.push_str(&quoted(word));
    }
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    script.env_remove("NO_COLOR").envs(variable);
    let output = script
        .output()
        .expect("script runs (Debian package bsdutils)");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_terminal_gets_colours_and_a_short_table_and_no_controls_of_the_mail() {
    let spool = sick();
    let evil = "e@\u{9b}31m\u{202e}evil.example";
    deferred(
        &spool,
        "D00001X",
        90,
        evil,
        "4.4.1",
        "said \u{9b}31m\u{1b}]0;owned\u{7}",
    );
    let shape = command(&spool, &["shape", "deferred"]);
    let shown = on_a_terminal(&shape, None);
    assert!(shown.starts_with("\u{1b}[H\u{1b}[2J"), "{shown:?}");
    assert!(shown.contains("\u{1b}[3"), "{shown:?}");
    let plain = on_a_terminal(&shape, Some(("NO_COLOR", "1")));
    let table = plain.trim_start_matches("\u{1b}[H\u{1b}[2J\u{1b}[3J");
    assert!(
        !table.contains('\u{1b}') && !table.contains('\u{9b}'),
        "{table:?}"
    );
    assert!(!table.contains('\u{202e}'), "{table:?}");
    let rows = on_a_terminal(
        &command(&spool, &["shape", "-n", "2", "-N", "1", "deferred"]),
        Some(("NO_COLOR", "1")),
    );
    let last = rows.rsplit("\u{1b}[3J").next().expect("a table");
    assert_eq!(last.lines().count(), 3, "head, TOTAL and one row: {last:?}");
    // Elsewhere than on a terminal, colours come when asked for.
    let (_, piped, _) = told(&mut command(&spool, &["shape", "deferred"]));
    assert!(!piped.contains('\u{1b}'));
    let (_, piped, _) = told(&mut command(&spool, &["shape", "--color", "deferred"]));
    assert!(piped.contains("\u{1b}[3"), "{piped:?}");
    for words in [&["list", "-p"][..], &["list"], &["reasons"]] {
        let shown = on_a_terminal(&command(&spool, words), None);
        let harmful = |c: char| {
            ('\u{80}'..='\u{9f}').contains(&c) || matches!(c, '\u{1b}' | '\u{7}' | '\u{202e}')
        };
        assert!(!shown.contains(harmful), "{words:?}: {shown:?}");
    }
}

#[test]
fn shape_names_what_qshape_hides_and_counts_it_with_all() {
    let spool = sick();
    let expired = QueueFile::cleanup(NOW - 60, 0)
        .sender(b"x@client.example")
        .todo(b"y@four.example")
        .content(b"x")
        .build();
    spool.write("deferred/E/E00001X", &expired.bytes, 0o710);
    let (code, table, error) = told(&mut command(&spool, &["shape", "deferred"]));
    assert_eq!(code, 0);
    assert!(table.contains("TOTAL  4 "), "{table}");
    assert!(
        error.starts_with("queuewatch: ") && error.contains("marked for expiry"),
        "{error}"
    );
    let (_, table, _) = told(&mut command(&spool, &["shape", "--all", "deferred"]));
    assert!(table.contains("TOTAL  5 "), "{table}");
    let (_, json, _) = told(&mut command(
        &spool,
        &["shape", "--all", "--json", "deferred"],
    ));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["schema"], "queuewatch/1");
}

#[test]
fn logs_are_found_at_any_depth_without_a_main_cf() {
    let spool = sick();
    let logs = spool.path().join("defer");
    // Two levels, of which the first one listed may be empty; and one log at one level.
    for name in ["0", "1", "2", "A/0/", "Z"] {
        std::fs::create_dir_all(logs.join(name)).expect("a directory");
    }
    for (from, to) in [("A/A00001X", "A/0/A00001X"), ("A/A00002X", "A/0/A00002X")] {
        std::fs::rename(logs.join(from), logs.join(to)).expect("moved");
    }
    let (code, text, error) = told(&mut command(&spool, &["reasons"]));
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(
        text.contains("         2  2h      unreachable  them    one.example  4.4.1"),
        "{text}"
    );
    assert!(
        text.contains("         1  1m      greylisted   nobody  two.example  4.7.1"),
        "{text}"
    );
    // Links where the hash directories were: nothing is known, and the output says so.
    for name in ["0", "1", "2", "A", "B", "Z"] {
        std::fs::remove_dir_all(logs.join(name)).expect("removed");
        symlink("/tmp", logs.join(name)).expect("a link");
    }
    let (code, text, error) = told(&mut command(&spool, &["reasons"]));
    assert_eq!(code, 4, "{text}");
    let wanted = "/defer: not a directory (ENOTDIR); a link or file is in the place of a directory of Postfix";
    assert!(error.contains(wanted), "{error}");
    assert_eq!(error.lines().count(), 1, "told once: {error}");
}

#[test]
fn a_sorted_list_reports_what_it_could_not_read_and_finds_what_has_moved() {
    let spool = sick();
    let log = spool.path().join("defer/C/C00001X");
    std::fs::create_dir_all(log.parent().expect("a directory")).expect("a directory");
    symlink(spool.path().join("defer/A/A00001X"), &log).expect("a link");
    let (code, text, error) = told(&mut command(&spool, &["list", "--sort", "arrival"]));
    assert_eq!((code, text.lines().count()), (4, 4), "{error}");
    assert!(error.contains("defer/C/C00001X"), "{error}");
    let (code, text, _) = told(&mut command(
        &spool,
        &["list", "--sort", "arrival", "--timeout", "0.000001"],
    ));
    assert_eq!(
        (code, text.as_str()),
        (4, ""),
        "the time is up in either pass"
    );

    // Mail that a queue run takes up while the list is printed: the reader waits, then goes on.
    let spool = tempfile::tempdir().expect("a folder");
    let mut plan = Plan::at(NOW);
    plan.messages = 3000;
    drill::make(spool.path(), &plan, &mut |_, _| {}).expect("a drill");
    let mut child = Command::new(PROGRAM)
        .args(["list", "--sort", "queue_id", "--queue-directory"])
        .arg(spool.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::with_capacity(64, child.stdout.take().expect("its output")).lines();
    let mut ids = vec![id_of(&lines.next().expect("a line").expect("text"))];
    let deferred = spool.path().join("deferred");
    let mut moved = 0;
    for directory in std::fs::read_dir(&deferred).expect("hash directories") {
        for file in std::fs::read_dir(directory.expect("one").path()).expect("files") {
            let file = file.expect("one");
            let to = spool.path().join("active").join(file.file_name());
            std::fs::rename(file.path(), to).expect("moved");
            moved += 1;
        }
    }
    assert!(moved > 1000, "{moved}");
    ids.extend(lines.map(|line| id_of(&line.expect("text"))));
    let listed = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), listed, "each once");
    let mut error = String::new();
    let mut pipe = child.stderr.take().expect("its errors");
    pipe.read_to_string(&mut error).expect("text");
    assert_eq!(
        (child.wait().expect("it ends").code(), error.as_str()),
        (Some(0), "")
    );
    let (_, text, _) = told(
        Command::new(PROGRAM)
            .args(["list", "--queue-directory"])
            .arg(spool.path()),
    );
    assert_eq!(text.lines().count(), listed);
}

fn id_of(line: &str) -> String {
    let json: Value = serde_json::from_str(line).expect("JSON");
    json["queue_id"].as_str().expect("an ID").to_owned()
}

#[test]
fn broken_instances_have_no_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let main_cf = format!("queue_directory = {}/absent\n", folder.path().display());
    std::fs::write(folder.path().join("main.cf"), main_cf).expect("written");
    for words in [
        &["shape", "--all-instances"][..],
        &["shape"],
        &["list"],
        &["reasons"],
    ] {
        let (code, text, error) = told(
            Command::new(PROGRAM)
                .args(words)
                .env("MAIL_CONFIG", folder.path()),
        );
        assert_eq!((code, text.as_str()), (1, ""), "{words:?}: {error}");
        assert!(error.contains("absent"), "{error}");
    }
}

#[test]
fn status_shows_every_queue_and_what_is_wrong() {
    let spool = sick();
    let (code, text, error) = told(&mut command(&spool, &["status"]));
    assert_eq!((code, error.as_str()), (0, ""));
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let words: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
        words.join(" ")
    };
    assert!(row("deferred ").starts_with("deferred 4 4 "), "{text}");
    assert!(row("active ").starts_with("active 0 0 0 B -"), "{text}");
    assert!(row("total ").starts_with("total 4 4 "), "{text}");
    assert!(text.contains(" 2h\n"), "{text}");
    assert!(
        text.contains("qmgr_message_active_limit 20000 (0.0% full)"),
        "{text}"
    );
    assert!(text.contains("\nOK\n"), "{text}");
    let rules = ["status", "-w", "nothing"];
    let (code, _, _) = told(&mut command(&spool, &rules));
    assert_eq!(
        code, 2,
        "there is no -w here: rules are --warning and --critical"
    );
    let (code, text, _) = told(&mut command(
        &spool,
        &["status", "--critical", "deferred.older(1h)=0"],
    ));
    assert_eq!(code, 0, "the state of the mail is no failure");
    assert!(
        text.ends_with("CRITICAL\n  CRITICAL: deferred.older(1h) is 1 (critical 0)\n"),
        "{text}"
    );
    let (_, json, _) = told(&mut command(&spool, &["status", "--json"]));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["instances"][0]["queues"]["deferred"]["messages"], 4);
    assert_eq!(
        json["instances"][0]["settings"]["maximal_queue_lifetime"],
        432_000
    );
}

#[test]
fn status_keeps_a_file_for_others_to_collect_and_never_an_old_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let spool = sick();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("postfix.prom");
    let words = [
        "status",
        "--openmetrics",
        "--output",
        file.to_str().expect("UTF-8"),
    ];
    let (code, text, error) = told(&mut command(&spool, &words));
    assert_eq!((code, text.as_str(), error.as_str()), (0, "", ""));
    let metrics = std::fs::read_to_string(&file).expect("a file");
    let sample = "postfix_spool_messages{postfix_instance=\"postfix\",queue=\"deferred\"} 4\n";
    assert!(
        metrics.contains(sample) && metrics.ends_with("# EOF\n"),
        "{metrics}"
    );
    assert_eq!(
        file.metadata().expect("it is there").permissions().mode() & 0o777,
        0o644
    );
    // The spool is gone: the file must say so.
    std::fs::remove_dir_all(spool.path()).expect("removed");
    let (code, _, error) = told(&mut command(&spool, &words));
    assert_eq!(code, 1, "{error}");
    let metrics = std::fs::read_to_string(&file).expect("a file");
    assert!(
        metrics.contains("postfix_spool_broken_instances 1\n"),
        "{metrics}"
    );
    assert!(!metrics.contains("postfix_spool_messages{"), "{metrics}");
    // So must standard output, which a collector may read.
    let (code, text, _) = told(&mut command(&spool, &["status", "--openmetrics"]));
    assert_eq!((code, text), (1, metrics));
}

#[test]
fn the_doctor_finds_what_is_in_the_way_and_the_least_remedy() {
    let spool = sick();
    let (code, text, error) = told(&mut command(&spool, &["doctor"]));
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(text.contains("good   running as root (user 0)\n"), "{text}");
    assert!(
        text.contains("good   every directory and every file can be read (4 messages)\n"),
        "{text}"
    );
    assert!(text.ends_with("Nothing is in the way.\n"), "{text}");

    // A backup that "helped" itself to the queue.
    let file = spool.path().join("deferred/A/A00001X");
    let mut modes = std::fs::metadata(&file).expect("it is there").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut modes, 0o750);
    std::fs::set_permissions(&file, modes).expect("a mode");
    let (code, text, _) = told(&mut command(&spool, &["doctor"]));
    assert_eq!(code, 1, "something is wrong");
    let wanted = "A00001X: mode 0750: Postfix returns this mail to its sender at the next attempt";
    assert!(
        text.contains(wanted) && text.contains("postsuper -r QUEUE_ID"),
        "{text}"
    );
    assert!(text.ends_with("See the lines marked WRONG.\n"), "{text}");

    spool.reachable();
    let program = PublicProgram::copy(PROGRAM);
    let mut unprivileged = program.command();
    unprivileged
        .args(["doctor", "--queue-directory"])
        .arg(spool.path());
    let (code, text, _) = told(&mut as_nobody(&unprivileged));
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("note   running as user 65534, without CAP_DAC_READ_SEARCH"),
        "{text}"
    );
    assert!(
        text.contains("/deferred: permission denied (EACCES)\n"),
        "{text}"
    );
    let exact = format!(
        "remedy: setcap cap_dac_read_search+ep {}",
        program.command().get_program().to_string_lossy()
    );
    // Where the tests run may forbid that remedy; then the doctor names what helps there.
    let other = [
        "--cap-add=DAC_READ_SEARCH",
        "AmbientCapabilities",
        "mounted nosuid",
    ];
    assert!(
        text.contains(&exact) || other.iter().any(|other| text.contains(other)),
        "{text}"
    );
    let with = with_read_capability(&unprivileged);
    let (code, text, _) = told(&mut { with });
    assert_eq!(code, 1, "the altered file is still there: {text}");
    assert!(
        text.contains("good   running as user 65534, with CAP_DAC_READ_SEARCH"),
        "{text}"
    );
}

#[test]
fn an_error_is_a_json_document_where_json_is_asked_for() {
    let spool = Spool::empty();
    for words in [
        &["status", "--json", "--readers", "0"][..],
        &["reasons", "-j", "--no-such-option"],
        &["list", "--json", "--older", "1x"],
        &["shape", "--json", "--readers", "99"],
    ] {
        let (code, text, error) = told(&mut command(&spool, words));
        assert!(code == 1 || code == 2, "{words:?}: {code}");
        assert!(error.starts_with("queuewatch: "), "{words:?}: {error}");
        let document: Value = serde_json::from_str(&text).expect("one document");
        assert_eq!(document["schema"], "queuewatch/1");
        assert_eq!(document["complete"], false);
        let message = document["broken"][0]["message"].as_str().expect("a text");
        assert!(error.contains(message), "{words:?}: {message}");
    }
    let plugin = Command::new(env!("CARGO_BIN_EXE_check_postfix_queue"))
        .args(["--format", "json", "-w", "deferred.messages=10:5"])
        .output()
        .expect("it runs");
    let document: Value = serde_json::from_slice(&plugin.stdout).expect("one document");
    assert_eq!(
        (plugin.status.code(), &document["state_code"]),
        (Some(3), &3.into())
    );
}

#[test]
fn an_error_repeats_the_word_as_it_was_typed() {
    let spool = Spool::empty();
    let (code, _, error) = told(&mut command(&spool, &["list", "--older", "<5>|b\u{fc}"]));
    assert_eq!(code, 2);
    assert!(error.contains("<5>|b\u{fc}"), "{error}");
}

#[test]
fn a_domain_is_shown_so_that_the_next_command_takes_it() {
    let spool = Spool::empty();
    deferred(
        &spool,
        "A00001X",
        60,
        "a@b\u{fc}cher.example",
        "4.4.1",
        REFUSED,
    );
    let (_, text, _) = told(&mut command(&spool, &["reasons"]));
    assert!(text.contains(" xn--bcher-kva.example "), "{text}");
    for domain in ["xn--bcher-kva.example", "b\u{fc}cher.example"] {
        let (_, text, _) = told(&mut command(&spool, &["list", "--domain", domain]));
        assert_eq!(text.lines().count(), 1, "{domain}");
        let rule = format!("deferred.domain({domain})=0");
        let (_, text, _) = told(&mut command(&spool, &["status", "--warning", &rule]));
        assert!(
            text.contains("deferred.domain(xn--bcher-kva.example) is 1"),
            "{text}"
        );
    }
}

#[test]
fn an_alert_names_such_a_domain_so_that_its_next_step_takes_it() {
    let spool = Spool::empty();
    for number in 0..100 {
        let id = format!("A{number:05}X");
        let recipient = format!("u{number}@m\u{fc}ller.example");
        let reason = "connect to mx.m\u{fc}ller.example[192.0.2.1]:25: Connection timed out";
        deferred(&spool, &id, 60, &recipient, "4.4.1", reason);
    }
    let output = spool.run(env!("CARGO_BIN_EXE_check_postfix_queue"), NOW, &["-v"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let name = "xn--mller-kva.example";
    let line = format!("deferred.top_domain is 100 ({name}) (warning 99); theirs: 100 to {name}");
    assert!(text.contains(&line), "{text}");
    let step = format!("do: deferred.top_domain: queuewatch reasons --domain {name} deferred");
    assert!(text.contains(&step), "{text}");
    assert!(!text.contains("??"), "{text}");
    let (_, text, _) = told(&mut command(&spool, &["reasons"]));
    assert!(text.contains(&format!(" mx.{name}")), "{text}");
    let recipient = format!("u7@{name}");
    let (_, text, _) = told(&mut command(&spool, &["list", "--recipient", &recipient]));
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_queue_that_is_a_link_is_reported_beside_the_table_of_qshape() {
    let spool = Spool::empty();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    std::fs::remove_dir(spool.path().join("active")).expect("ours");
    symlink(elsewhere.path(), spool.path().join("active")).expect("a link");
    let (code, text, error) = told(&mut command(&spool, &["shape"]));
    assert_eq!(code, 4);
    assert!(text.contains("TOTAL"), "{text}");
    assert!(
        error.contains("active") && error.contains("symbolic link"),
        "{error}"
    );
}

/// qshape shows nothing of them, so the table is the same; that not all was read is said.
#[test]
fn mail_behind_a_link_is_missed_aloud_in_a_shape() {
    let spool = sick();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let hash = spool.path().join("deferred/A");
    std::fs::rename(&hash, elsewhere.path().join("A")).expect("a hash directory");
    symlink(elsewhere.path().join("A"), &hash).expect("a link");
    let queue = elsewhere.path().join("queue");
    symlink(spool.path().join("deferred"), &queue).expect("a link");
    // A name that no daemon enters hides no mail.
    symlink("/tmp", spool.path().join("deferred/old")).expect("a link");
    for (place, link) in [
        ("deferred", &hash),
        (queue.to_str().expect("UTF-8"), &queue),
    ] {
        let (code, text, error) = told(&mut command(&spool, &["shape", place]));
        assert_eq!(code, 4, "{place}: {error}");
        assert!(text.contains("TOTAL"), "{text}");
        let shown = link.to_str().expect("UTF-8");
        assert!(error.contains(shown), "{place}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        let (_, text, _) = told(&mut command(&spool, &["shape", place, "--json"]));
        let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(document["complete"], false, "{text}");
    }
}

#[test]
fn recipients_that_bounced_are_listed_in_the_form_of_3_11() {
    let spool = Spool::empty();
    let file = QueueFile::cleanup(NOW - 60, 0)
        .sender(b"a@b.example")
        .todo(b"left@b.example")
        .content(b"x")
        .build();
    spool.write("deferred/4/4B00000001", &file.bytes, 0o700);
    let log = "<gone@b.example>: user unknown\nrecipient=gone@b.example\noffset=1\nstatus=5.1.1\n\
               action=failed\nreason=user unknown\n\n";
    spool.write("bounce/4B00000001", log.as_bytes(), 0o600);
    let listed = |words: &[&str]| {
        let words = [&["list"], words].concat();
        let (code, text, error) = told(&mut command(&spool, &words));
        assert_eq!((code, error.as_str()), (0, ""), "{text}");
        text
    };
    for form in ["-j", "-p"] {
        assert!(!listed(&[form]).contains("gone@b.example"));
        let newest = listed(&[form, "--keys", "3.11"]);
        for part in ["gone@b.example", "user unknown", "left@b.example"] {
            assert!(newest.contains(part), "{form}: {newest}");
        }
    }
}

#[test]
fn a_message_without_a_sender_where_postqueue_looks_is_named() {
    let spool = Spool::empty();
    let mut file = Vec::new();
    for (kind, data) in [
        (b'T', &b"1795461244 0"[..]),
        (b'O', b"list@a.example"),
        (b'S', b"anna@send.example"),
        (b'R', b"one@a.example"),
        (b'E', b""),
    ] {
        drill::push_record(&mut file, kind, data);
    }
    for id in ["A000001", "A000002", "A000003", "A000004"] {
        spool.write(&format!("hold/{id}"), &file, 0o700);
    }
    for words in [&["list"][..], &["list", "--sort", "arrival"]] {
        let (code, text, error) = told(&mut command(&spool, words));
        assert_eq!((code, text.as_str()), (0, ""), "{error}");
        let path = |id| spool.path().join("hold").join(id).display().to_string();
        let named = ["A000001", "A000002", "A000003"].map(path).join(", ");
        assert!(
            error.contains(&format!(
                "4 messages without a sender where postqueue looks for it, not listed: {named} and 1 more; "
            )),
            "{error}"
        );
    }
    // What it sends the reader to.
    let (code, text, error) = told(&mut command(&spool, &["show", "A000004"]));
    assert_eq!(code, 0, "{error}");
    assert!(text.contains("anna@send.example"), "{text}");
}

#[test]
fn nothing_is_empty_or_delivered_where_a_queue_is_absent() {
    let spool = Spool::empty();
    std::fs::remove_dir_all(spool.path().join("deferred")).expect("it was there");
    let (code, text, error) = told(&mut command(&spool, &["list", "-p", "deferred"]));
    assert_eq!((code, text.as_str()), (4, ""), "{error}");
    assert!(error.contains("cannot find "), "{error}");
    let (code, text, error) = told(&mut command(&spool, &["show", "A000001"]));
    assert_eq!((code, text.as_str()), (4, ""), "{error}");
    let missing = "there is no message A000001 in any queue that could be read\n";
    assert!(error.contains(missing), "{error}");
}

#[test]
fn a_drill_shows_what_a_check_of_its_spool_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    let (code, text, _) = told(Command::new(PROGRAM).arg("drill").arg(&spool).args([
        "--messages",
        "200",
        "--now",
        &NOW.to_string(),
    ]));
    let line = text.lines().find(|line| line.starts_with("POSTFIX QUEUE "));
    let labels = |line: &str| -> Vec<String> {
        let data = line.split_once(" | ").expect("performance data").1;
        data.split(' ')
            .map(|item| item.split('=').next().unwrap_or_default().to_owned())
            .collect()
    };
    let (checked, said, _) = told(
        Command::new(env!("CARGO_BIN_EXE_check_postfix_queue"))
            .args(["--now", &NOW.to_string(), "--queue-directory"])
            .arg(&spool),
    );
    let line = line.unwrap_or_else(|| panic!("{code}: {text}"));
    assert_eq!(labels(line), labels(&said), "{code} {checked}");
}
