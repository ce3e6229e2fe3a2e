//! Growth between checks: the state file of the plugin, and the state that a host of the library keeps.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::rights::{PublicProgram, as_nobody};
use crate::support::spool::Spool;
use queuewatch::drill::QueueFile;
use queuewatch::measure::{Measure, Quality};
use queuewatch::options::{Options, Purpose};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const NOW: i64 = 1_795_461_304;

/// A spool and a folder for its state.
struct Host {
    spool: Spool,
    folder: tempfile::TempDir,
    messages: u64,
}

impl Host {
    fn new() -> Host {
        Host {
            spool: Spool::empty(),
            folder: tempfile::tempdir().expect("a folder"),
            messages: 0,
        }
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Adds `count` messages to deferred that arrived at `arrival`.
    fn arrive(&mut self, count: u64, arrival: i64) {
        for _ in 0..count {
            self.messages += 1;
            let file = QueueFile::cleanup(arrival, 0)
                .sender(b"a@client.example")
                .todo(b"b@one.example")
                .content(b"Hello\n")
                .build();
            let name = format!("deferred/A/A{:05}", self.messages);
            self.spool.write(&name, &file.bytes, 0o700);
        }
    }

    /// Takes the last `count` messages away.
    fn leave(&mut self, count: u64) {
        for _ in 0..count {
            let name = format!("deferred/A/A{:05}", self.messages);
            fs::remove_file(self.spool.path().join(name)).expect("it was there");
            self.messages -= 1;
        }
    }

    /// Exit code and first line of a check `seconds` after NOW.
    fn check(&self, seconds: i64, words: &[&str]) -> (i32, String) {
        let (code, text) = told(
            self.command(&self.state())
                .args(["--now", &(NOW + seconds).to_string()])
                .args(words),
        );
        (code, text.lines().next().unwrap_or_default().to_owned())
    }

    fn command(&self, state: &Path) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--queue-directory").arg(self.spool.path());
        command.arg("--state").arg(state);
        command
    }
}

fn told(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("it runs");
    assert!(output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code().expect("no signal"), text)
}

const RULES: [&str; 4] = ["-w", "deferred.growth=~:20", "-c", "deferred.growth=~:100"];

#[test]
fn growth_is_per_minute_from_the_second_check_on() {
    let mut host = Host::new();
    host.arrive(10, NOW - 3600);
    let (code, line) = host.check(0, &RULES);
    assert_eq!(
        code, 0,
        "the first check has nothing to compare with: {line}"
    );
    assert!(!line.contains("deferred_growth"), "{line}");

    host.arrive(30, NOW + 10);
    let (code, line) = host.check(60, &RULES);
    assert_eq!(code, 1, "{line}");
    let text =
        "POSTFIX QUEUE WARNING: deferred.growth is 30/min (10 to 40 in 1m) (warning ~:20) | ";
    assert!(line.starts_with(text), "{line}");
    assert!(line.contains(" deferred_growth=30;~:20;~:100;"), "{line}");

    host.arrive(120, NOW + 90);
    let (code, line) = host.check(120, &RULES);
    assert_eq!(code, 2, "{line}");
    assert!(line.contains("deferred.growth is 120/min (40 to 160 in 1m) (critical ~:100)"));

    // A falling queue has negative growth, and a range without a start does not alert on it.
    host.leave(80);
    let (code, line) = host.check(240, &RULES);
    assert_eq!(code, 0, "{line}");
    assert!(line.contains(" deferred_growth=-40;~:20;~:100;"), "{line}");
    let (_, line) = host.check(240 + 60, &["-c", "deferred.growth=-1:"]);
    assert!(line.contains("deferred_growth=0;"), "{line}");
}

#[test]
fn long_output_and_json_say_what_came_and_went_and_when_a_threshold_is_reached() {
    let mut host = Host::new();
    host.arrive(100, NOW - 3600);
    host.check(0, &[]);
    host.leave(10);
    host.arrive(40, NOW + 30);
    let state = host.state();
    fs::copy(&state, host.folder.path().join("again")).expect("a copy");
    let now = (NOW + 60).to_string();
    let words = ["--now", &now, "-v", "-c", "deferred.messages=280"];
    let (_, text) = told(host.command(&state).args(words));
    for line in [
        "since the last check at least 40 messages arrived and 10 left",
        "deferred grows by 30/min (100 to 130 in 1m), critical 280 in 5m",
        "total grows by 30/min (100 to 130 in 1m)",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    let again = host.folder.path().join("again");
    let (_, text) = told(
        host.command(&again)
            .args(["--now", &now, "--format", "json"]),
    );
    let json: Value = serde_json::from_str(&text).expect("JSON");
    let growth = &json["growth"];
    assert_eq!(growth["since"], NOW);
    assert_eq!(growth["deferred"]["per_minute"], 30);
    assert_eq!(growth["deferred"]["empty_in"], Value::Null);
    assert_eq!(growth["arrived_at_least"], 40);
    assert_eq!(growth["left_at_least"], 10);
    // A queue that empties.
    host.leave(65);
    let (_, text) = told(
        host.command(&state)
            .args(["--now", &(NOW + 120).to_string(), "-v"]),
    );
    let line = "deferred grows by -65/min (130 to 65 in 1m, empty in 1m)";
    assert!(text.lines().any(|one| one == line), "{text}");
}

#[test]
fn no_rate_covers_less_than_half_a_minute_and_the_state_becomes_old_enough() {
    let mut host = Host::new();
    host.arrive(10, NOW - 3600);
    host.check(0, &[]);
    let before = fs::read(host.state()).expect("a state");
    host.arrive(20, NOW + 3);
    for seconds in [6, 29] {
        let words = ["-v", RULES[0], RULES[1], RULES[2], RULES[3]];
        let mut command = host.command(&host.state());
        command.args(["--now", &(NOW + seconds).to_string()]);
        let (code, text) = told(command.args(words));
        assert_eq!(code, 0, "{text}");
        let line = format!(
            "growth is unknown: the earlier check was {seconds}s ago; a rate needs 30s or more"
        );
        assert!(text.lines().any(|one| one == line), "{text}");
        // A rule that waits for its figure says so on the first line.
        let note = format!(
            ", deferred.growth is not judged yet: the earlier check was {seconds}s ago; a rate needs 30s or more | "
        );
        let first = text.lines().next().expect("a line");
        assert_eq!(first.matches(&note).count(), 1, "{first}");
        let came = "since the last check at least 20 messages arrived and 0 left";
        assert!(text.lines().any(|one| one == came), "{text}");
        assert_eq!(fs::read(host.state()).expect("a state"), before);
    }
    let again = host.folder.path().join("again");
    fs::copy(host.state(), &again).expect("a copy");
    let (_, text) =
        told(
            host.command(&again)
                .args(["--now", &(NOW + 6).to_string(), "--format", "json"]),
        );
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert!(json["growth"]["total"].is_null(), "{text}");
    let why = "the earlier check was 6s ago; a rate needs 30s or more";
    assert_eq!(json["growth"]["why_unknown"], why);
    let (code, line) = host.check(30, &RULES);
    assert_eq!(code, 1, "{line}");
    assert!(
        line.contains("deferred.growth is 40/min (10 to 30 in 30s)"),
        "{line}"
    );
    assert_ne!(fs::read(host.state()).expect("a state"), before);
}

#[test]
fn a_rule_on_growth_without_a_state_is_unknown() {
    let host = Host::new();
    let mut command = Command::new(PROGRAM);
    command
        .arg("--queue-directory")
        .arg(host.spool.path())
        .args(RULES);
    let (code, text) = told(&mut command);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("deferred.growth is unknown: it needs an earlier check; give --state FILE"),
        "{text}"
    );
    // The tool has no such option, and says which face has.
    let mut command = Command::new(env!("CARGO_BIN_EXE_queuewatch"));
    command
        .args(["status", "--warning", RULES[1], "--queue-directory"])
        .arg(host.spool.path());
    let (_, text) = told(&mut command);
    assert!(
        text.contains("it needs an earlier check, which check_postfix_queue --state FILE"),
        "{text}"
    );
}

#[test]
fn a_state_that_is_damaged_foreign_or_of_another_spool_is_reported_and_started_again() {
    let mut host = Host::new();
    host.arrive(3, NOW - 60);
    host.check(0, &[]);
    let good = fs::read(host.state()).expect("a state");
    let mut torn = good.clone();
    torn.truncate(good.len() / 2);
    for (bytes, why) in [
        (&b""[..], "not a state of queuewatch"),
        (b"\0\0\0\0", "not a state of queuewatch"),
        (&torn, "not a state of queuewatch: EOF"),
        (b"total 5\n", "not a state of queuewatch"),
        (b"{\"schema\":\"other/1\"}", "its schema is another"),
        (
            br#"{"schema":"queuewatch/1","kind":"state","now":1,"instances":[{"queue_directory":"/b"}]}"#,
            "it belongs to other spools",
        ),
    ] {
        fs::write(host.state(), bytes).expect("written");
        let (code, line) = host.check(60, &RULES);
        assert_eq!(code, 0, "{line}");
        assert!(line.contains(why) && line.contains("; started again"), "{line}");
        // And the next one is as any other.
        let (code, line) = host.check(120, &RULES);
        assert!(code == 0 && !line.contains("state file"), "{line}");
        assert!(line.contains("deferred_growth=0;"), "{line}");
    }
}

#[test]
fn a_clock_that_went_back_is_survived() {
    let mut host = Host::new();
    host.arrive(3, NOW - 60);
    host.check(3600, &RULES);
    host.arrive(500, NOW);
    let (code, line) = host.check(0, &RULES);
    assert_eq!(code, 0, "{line}");
    assert!(!line.contains("deferred_growth"), "{line}");
    let (_, line) = host.check(60, &RULES);
    assert!(line.contains("deferred_growth=0;"), "{line}");
}

#[test]
fn real_time_is_taken_from_the_clock_that_nobody_sets() {
    let mut host = Host::new();
    host.arrive(1, NOW);
    let state = host.state();
    told(&mut host.command(&state));
    let mut json: Value =
        serde_json::from_slice(&fs::read(&state).expect("a state")).expect("JSON");
    // As if that check had been 60 seconds ago, and the clock been set back by an hour since.
    let seconds = json["boot"]["seconds"]
        .as_f64()
        .expect("seconds since boot");
    json["boot"]["seconds"] = (seconds - 60.0).into();
    json["now"] = (json["now"].as_i64().expect("a time") + 3600).into();
    fs::write(&state, json.to_string()).expect("written");
    host.arrive(60, NOW);
    let (_, text) = told(
        host.command(&state)
            .args(["-v", "-c", "deferred.growth=~:30"]),
    );
    let rate = text.split("deferred.growth is ").nth(1).expect("a finding");
    let rate: f64 = rate
        .split('/')
        .next()
        .expect("a rate")
        .parse()
        .expect("a number");
    assert!((50.0..=60.0).contains(&rate), "{text}");
    assert!(
        !text.contains("since the last check"),
        "arrival times say nothing: {text}"
    );
}

#[test]
fn what_cannot_be_kept_is_unknown_and_no_link_is_followed() {
    let mut host = Host::new();
    host.arrive(3, NOW);
    let target = host.folder.path().join("target");
    fs::write(&target, "mine").expect("written");
    let link = host.folder.path().join("link");
    symlink(&target, &link).expect("a link");
    for (state, why) in [
        (link, "is not a regular file; links are not followed"),
        (host.folder.path().to_owned(), "is not a regular file"),
        (
            host.folder.path().join("no/state"),
            "make its directory first",
        ),
        (
            host.spool.path().join("state"),
            "is inside the Postfix spool",
        ),
        (
            host.spool.path().join("deferred/state"),
            "is inside the Postfix spool",
        ),
    ] {
        let (code, text) = told(host.command(&state).args(["--now", &NOW.to_string()]));
        assert_eq!(code, 3, "{text}");
        assert!(text.contains(why), "{text}");
    }
    assert_eq!(fs::read(&target).expect("it stays"), b"mine");
    assert!(!host.spool.path().join("state").exists());
    // A user who may read nothing and write nowhere.
    host.spool.reachable();
    let program = PublicProgram::copy(PROGRAM);
    let mut command = program.command();
    command.arg("--queue-directory").arg(host.spool.path());
    command.args(["--state", "/proc/state"]);
    let (code, text) = told(&mut as_nobody(&command));
    assert_eq!(code, 3, "{text}");
}

#[test]
fn a_check_by_root_leaves_the_state_to_its_user() {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let host = Host::new();
    host.check(0, &[]);
    let state = host.state();
    assert_eq!(state.metadata().expect("it is there").mode() & 0o777, 0o600);
    chown(&state, Some(65534), Some(65534)).expect("root may");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o640)).expect("a mode");
    host.check(60, &[]);
    let metadata = state.metadata().expect("it is there");
    assert_eq!((metadata.uid(), metadata.gid()), (65534, 65534));
    assert_eq!(metadata.mode() & 0o777, 0o640);
}

#[test]
fn a_host_keeps_its_own_state() {
    let mut host = Host::new();
    host.arrive(10, NOW - 60);
    let scan = |state: &[u8], now: i64| {
        let mut options = Options::default();
        let directory = host.spool.path().into_os_string().into_encoded_bytes();
        options
            .set("queue-directory", &directory)
            .expect("a directory");
        options
            .set("now", now.to_string().as_bytes())
            .expect("a time");
        options.set("previous", state).expect("a state");
        options.scan(Purpose::Everything).expect("a snapshot")
    };
    let growth = Measure::parse("backlog.growth").expect("a measure");
    let first = scan(b"", NOW);
    let figure = growth.evaluate(&first);
    assert_eq!((figure.quality, figure.pending), (Quality::Unknown, true));
    let state = first.state().to_string();
    let second = scan(state.as_bytes(), NOW + 30);
    let figure = growth.evaluate(&second);
    assert_eq!((figure.quality, figure.value), (Quality::Exact, 0.0));
}

#[test]
fn a_spool_that_could_not_be_read_has_no_growth() {
    let mut host = Host::new();
    host.arrive(10, NOW - 60);
    host.check(0, &[]);
    // Root may read everything but a directory that is none.
    let queue = host.spool.path().join("deferred");
    fs::rename(&queue, host.spool.path().join("away")).expect("moved");
    fs::write(&queue, "").expect("written");
    let (code, line) = host.check(60, &RULES);
    assert_eq!(code, 3, "{line}");
    assert!(
        line.contains("deferred.growth is unknown: not all messages could be counted"),
        "{line}"
    );
    fs::remove_file(&queue).expect("removed");
    fs::rename(host.spool.path().join("away"), &queue).expect("moved");
    // What was not known then cannot be compared with now.
    let (code, line) = host.check(120, &RULES);
    assert_eq!(code, 0, "{line}");
    assert!(!line.contains("deferred_growth"), "{line}");
}
