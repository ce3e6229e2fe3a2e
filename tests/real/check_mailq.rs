//! The plugin under the name check_mailq: its own table, and the real check_mailq beside it on one queue.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::rights::{PublicProgram, as_nobody};
use crate::support::spool::Spool;
use queuewatch::drill::QueueFile;

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const REAL: &str = "/usr/lib/nagios/plugins/check_mailq";

/// A queue with a main.cf, and the plugin under its other name.
struct Host {
    spool: Spool,
    folder: tempfile::TempDir,
}

impl Host {
    /// `messages` for one.example and one held message for two recipients at two.example.
    fn with(messages: u32) -> Host {
        let spool = Spool::empty();
        let folder = tempfile::tempdir().expect("a folder");
        symlink(PROGRAM, folder.path().join("check_mailq")).expect("a link");
        fs::create_dir(folder.path().join("data")).expect("a folder");
        let main_cf = format!(
            "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\n",
            spool.path().display(),
            folder.path().join("data").display()
        );
        let path = folder.path().join("main.cf");
        fs::write(&path, main_cf).expect("a main.cf");
        // Postfix waits for a main.cf that somebody may still be writing.
        let before = SystemTime::now() - Duration::from_secs(60);
        let file = fs::File::open(&path).expect("a file");
        file.set_modified(before).expect("a time");
        for number in 0..messages {
            let (queue, to) = match number {
                0 => ("hold/", vec!["a@two.example", "b@two.example"]),
                number if number % 3 == 0 => ("active/", vec!["a@one.example"]),
                _ => ("deferred/0/", vec!["a@one.example"]),
            };
            let mut file = QueueFile::cleanup(1_795_461_000, 0).sender(b"a@client.example");
            for recipient in to {
                file = file.todo(recipient.as_bytes());
            }
            let bytes = file.content(b"Hello\n").build().bytes;
            spool.write(&format!("{queue}0{number:05X}AB"), &bytes, 0o700);
        }
        // showq, which mailq asks, reads as the mail owner.
        spool.reachable();
        let owner = Command::new("chown")
            .args(["-R", "postfix"])
            .arg(spool.path())
            .status();
        assert!(owner.expect("chown runs").success());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        Host { spool, folder }
    }

    fn run(&self, program: &Path, words: &[&str]) -> (i32, String) {
        let output = Command::new(program)
            .args(words)
            .args(["-M", "postfix", "-d"])
            .arg(self.folder.path())
            .output()
            .expect("it runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code().expect("no signal"), text)
    }

    fn ours(&self, words: &[&str]) -> (i32, String) {
        self.run(&self.folder.path().join("check_mailq"), words)
    }
}

#[test]
fn it_says_what_the_real_check_mailq_says() {
    for messages in [0, 1, 7, 20] {
        let host = Host::with(messages);
        for (warning, critical) in [
            (1, 2),
            (5, 10),
            (7, 8),
            (6, 7),
            (20, 21),
            (19, 20),
            (0, 1),
            (0, 100),
        ] {
            let (warning, critical) = (warning.to_string(), critical.to_string());
            let words = ["-w", &warning, "-c", &critical];
            let real = host.run(Path::new(REAL), &words);
            assert!(real.1.contains("unsent="), "{}", real.1);
            // The real one says of an empty queue that it is empty, whatever the thresholds.
            assert_eq!(host.ours(&words), real, "{messages} messages, {words:?}");
        }
    }
}

#[test]
fn wrong_usage_is_unknown_as_with_the_real_one() {
    let host = Host::with(1);
    for (words, part) in [
        (&["-w", "5"][..], "both -w and -c are required"),
        (&["-c", "5"], "both -w and -c are required"),
        (&["-w", "5", "-c", "5"], "-w must be smaller than -c"),
        (&["-w", "6", "-c", "5"], "-w must be smaller than -c"),
        (
            &["-w", "5", "-c", "6", "-W", "3"],
            "both -W and -C are required",
        ),
        (
            &["-w", "5", "-c", "6", "-W", "3", "-C", "3"],
            "-W must be smaller than -C",
        ),
        (
            &["-w", "x", "-c", "6"],
            "--warning: must be a number of messages",
        ),
        (
            &["-w", "-1", "-c", "6"],
            "--warning: must be a number of messages",
        ),
        (&["-w", "1", "-c", "6", "-x"], "there is no option -x"),
    ] {
        let (code, text) = host.ours(words);
        assert_eq!(code, 3, "{words:?}: {text}");
        assert!(text.contains(part), "{words:?}: {text}");
        // That one takes numbers below 0, unknown options, and -W and -C as they come.
        if part.contains("-w ") {
            assert_eq!(host.run(Path::new(REAL), words).0, 3, "{words:?}");
        }
    }
    let (code, text) = host.ours(&["-w", "1", "-c", "2", "-M", "exim"]);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.contains("-M: this check_mailq reads the queues of postfix alone"),
        "{text}"
    );
    for word in ["-h", "--help", "-V", "--version"] {
        let (code, text) = host.ours(&[word]);
        assert!(
            code == 3 && text.starts_with("check_mailq (check_postfix_queue "),
            "{text}"
        );
    }
}

#[test]
fn domains_have_thresholds_of_their_own() {
    let host = Host::with(7);
    let all = ["-w", "100", "-c", "200"];
    for (domain, code, text) in [
        (
            ["-W", "7", "-C", "8"],
            0,
            "OK: postfix mailq (7) is below threshold (100/200)|unsent=7;100;200;0\n",
        ),
        (
            ["-W", "6", "-C", "8"],
            1,
            "WARNING: postfix mailq (7) is below threshold (100/200), 6 recipients of one.example \
             (threshold W = 6)|unsent=7;100;200;0\n",
        ),
        (
            ["-W", "1", "-C", "6"],
            2,
            "CRITICAL: postfix mailq (7) is below threshold (100/200), 6 recipients of one.example \
             (threshold C = 6)|unsent=7;100;200;0\n",
        ),
    ] {
        let words = [&all[..], &domain].concat();
        assert_eq!(host.ours(&words), (code, text.to_owned()));
    }
    let (code, text) = host.ours(&[
        "-w", "7", "-c", "9", "-W", "1", "-C", "2", "-s", "-v", "-t", "5",
    ]);
    assert_eq!(code, 2);
    let first = "CRITICAL: postfix mailq is 7 (threshold w = 7), 6 recipients of one.example (threshold C = 2)|";
    assert!(text.starts_with(first), "{text}");
    assert!(
        text.lines().count() > 3 && text.contains("two.example"),
        "long output: {text}"
    );
}

#[test]
fn a_main_cf_will_do_for_its_directory() {
    let host = Host::with(3);
    let main_cf = host.folder.path().join("main.cf");
    let words = ["-w", "5", "-c", "9", "-d", main_cf.to_str().expect("UTF-8")];
    let (code, text) = host.ours(&words);
    assert_eq!(code, 0, "{text}");
}

#[test]
fn what_cannot_be_read_is_never_zero() {
    let host = Host::with(7);
    // As a link or a broken disk would have it.
    fs::remove_dir_all(host.spool.path().join("deferred")).expect("removed");
    fs::write(host.spool.path().join("deferred"), "").expect("a file");
    let (code, text) = host.ours(&["-w", "10", "-c", "20"]);
    assert_eq!(code, 3, "{text}");
    assert!(
        text.starts_with("UNKNOWN: postfix mailq is at least 3, cannot list ")
            && !text.contains("unsent"),
        "{text}"
    );
    let (code, text) = host.ours(&["-w", "2", "-c", "20"]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.starts_with("WARNING: postfix mailq is at least 3 (threshold w = 2), cannot list "),
        "{text}"
    );
    // Without any right; the real one says CRITICAL or matches nothing.
    host.spool.reachable();
    let program = PublicProgram::copy(PROGRAM);
    let renamed = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .expect("a folder");
    let name = renamed.path().join("check_mailq");
    symlink(program.command().get_program(), &name).expect("a link");
    let mut command = Command::new(&name);
    let etc = renamed.path().join("etc");
    fs::create_dir(&etc).expect("a folder");
    let main_cf = format!("queue_directory = {}\n", host.spool.path().display());
    fs::write(etc.join("main.cf"), main_cf).expect("a main.cf");
    command.args(["-w", "1", "-c", "2", "-d"]).arg(&etc);
    let output = as_nobody(&command).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("permission denied (EACCES)"), "{text}");
}

#[test]
fn every_rule_of_the_guide_for_movers_is_one() {
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/guide.md"))
        .expect("the guide");
    let (_, table) = guide
        .split_once("## Moving from check_mailq")
        .expect("the section");
    let host = Host::with(1);
    let mut commands = 0;
    for row in table
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
    {
        let Some(last) = row
            .trim_end_matches('|')
            .rsplit('|')
            .next()
            .filter(|_| row.starts_with('|'))
        else {
            break;
        };
        let command = last.trim().trim_matches('`');
        if command.is_empty() {
            continue;
        }
        let directory = host.folder.path().to_str().expect("UTF-8");
        let words = command
            .replace("SECONDS", "9")
            .replace("DIR", directory)
            .replace("@N:", "@5:");
        let mut words: Vec<&str> = words.split(' ').collect();
        if words[0] != "-d" {
            words.extend(["-d", directory]);
        }
        let output = Command::new(PROGRAM)
            .args(&words)
            .args(["--now", "1795461060"])
            .output();
        let text = String::from_utf8(output.expect("it runs").stdout).expect("UTF-8");
        assert!(
            !text.contains("see --help") && text.contains(" total=1;"),
            "{words:?}: {text}"
        );
        commands += 1;
    }
    assert_eq!(commands, 7);
}
