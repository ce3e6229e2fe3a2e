//! Commands to run next act on the instance whose figure breaks a rule, and not on the default instance of the host.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use queuewatch::drill::QueueFile;

use crate::support::spool::Spool;

const QUEUEWATCH: &str = env!("CARGO_BIN_EXE_queuewatch");
const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const NOW: i64 = 1_795_461_304;

/// Instances `postfix-1`, `postfix-2` and so on, the configuration of each, and the folder of those.
struct Several {
    folder: tempfile::TempDir,
    spools: Vec<Spool>,
}

impl Several {
    /// As many as there are names of `domains`; each has ten messages more than the one before, to its domain.
    fn to(domains: &[&str]) -> Several {
        let folder = tempfile::tempdir().expect("a folder");
        let config = |number: usize| folder.path().join(format!("conf{number}"));
        let mut spools = Vec::new();
        for (place, domain) in domains.iter().enumerate() {
            let number = place + 1;
            let spool = Spool::empty();
            for message in 0..10 * number {
                let file = QueueFile::cleanup(NOW - 600, 0)
                    .attribute("sasl_username", "anna")
                    .sender(b"anna@send.example");
                let reason = format!("connect to mx.{domain}[192.0.2.1]:25: Connection timed out");
                let recipient = format!("u@{domain}");
                spool.defer(
                    &format!("A{message:05}X"),
                    file,
                    &recipient,
                    "4.4.1",
                    &reason,
                );
            }
            let mut text = spool.main_cf();
            let _ = write!(
                text,
                "multi_instance_name = postfix-{number}\nmulti_instance_enable = yes\n"
            );
            if number == 1 {
                let others = (2..=domains.len()).map(|other| config(other).display().to_string());
                let others: Vec<String> = others.collect();
                let others = others.join(" ");
                let _ = writeln!(text, "multi_instance_directories = {others}");
            }
            fs::create_dir(config(number)).expect("a folder");
            fs::write(config(number).join("main.cf"), text).expect("a main.cf");
            spools.push(spool);
        }
        Several { folder, spools }
    }

    fn config(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("conf{number}"))
    }

    /// The lines of the plugin that say what to do.
    fn steps(&self, words: &[&str]) -> Vec<String> {
        let first = self.config(1).display().to_string();
        steps(&[&["--all-instances", "-d", &first], words].concat())
    }
}

/// The lines that say what to do.
fn steps(words: &[&str]) -> Vec<String> {
    let mut command = Command::new(PLUGIN);
    command.args(["-v", "--now", &NOW.to_string()]).args(words);
    let output = command.output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().filter(|line| line.starts_with("do: "));
    lines.map(str::to_owned).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn commands_of_postfix_act_on_the_instance_that_is_down() {
    let several = Several::to(&["one.example", "two.example"]);
    let first = shown(&several.config(1));
    let (steps, wanted) = (
        several.steps(&["-c", "master.running=1:"]),
        format!(
            "do: master.running: postfix -c {first} status; postfix -c {first} check; \
             postfix -c {first} start; queuewatch explain master.running"
        ),
    );
    assert_eq!(steps, [wanted]);
    let second = shown(&several.config(2));
    let steps = several.steps(&["-c", "postfix-2/master.running=1:"]);
    assert!(
        steps[0].contains(&format!("; postfix -c {second} start; ")),
        "{steps:?}"
    );
}

#[test]
fn commands_of_queuewatch_act_on_the_instance_whose_figure_is_worst() {
    let several = Several::to(&["one.example", "two.example", "three.example"]);
    let third = shown(&several.config(3));
    for (rule, command) in [
        (
            "deferred.messages=25",
            format!("queuewatch status -c {third}; queuewatch shape deferred -c {third};"),
        ),
        // None breaks the rule by itself.
        (
            "deferred.messages=55",
            format!("queuewatch status -c {third}; queuewatch shape deferred -c {third};"),
        ),
        (
            "deferred.top_domain=5",
            format!("queuewatch reasons --domain three.example deferred -c {third};"),
        ),
        (
            "deferred.domain(two.example)=5",
            format!(
                "queuewatch reasons --domain two.example deferred -c {};",
                shown(&several.config(2))
            ),
        ),
        (
            "postfix-2/deferred.top_domain=5",
            format!(
                "queuewatch reasons --domain two.example deferred -c {};",
                shown(&several.config(2))
            ),
        ),
        (
            "deferred.top_login=5",
            format!(
                "queuewatch origins --login anna --by client deferred -c {third}; \
                 queuewatch list --login anna --limit 5 deferred -c {third};"
            ),
        ),
        (
            "deferred.cause(unreachable)=5",
            format!("nc -vz mx.three.example 25; ip route; postcat -c {third} -q A00000X;"),
        ),
    ] {
        let steps = several.steps(&["-w", rule]);
        assert!(
            steps.len() == 1 && steps[0].contains(&command),
            "{rule}: {steps:?}"
        );
    }
    // What is said can be done.
    let output = Command::new(QUEUEWATCH)
        .args(["shape", "deferred", "-c", &third])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("three.example"), "{text}");
    // The page has the same commands.
    let output = Command::new(QUEUEWATCH)
        .args([
            "report",
            "--all-instances",
            "-c",
            &shown(&several.config(1)),
        ])
        .args(["--now", &NOW.to_string()])
        .args(["--critical", "deferred.messages=25"])
        .output()
        .expect("it runs");
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(
        page.contains(&format!("<code>queuewatch status -c {third}; ")),
        "{page}"
    );
    assert_eq!(several.spools.len(), 3);
}

#[test]
fn a_spool_without_a_configuration_has_no_command_that_acts_on_another_one() {
    let several = Several::to(&["one.example"]);
    let spool = shown(&several.spools[0].path());
    let config = shown(&several.config(1));
    let other = tempfile::tempdir().expect("a folder");
    let elsewhere = shown(other.path());
    fs::write(
        other.path().join("main.cf"),
        format!("queue_directory = {elsewhere}\n"),
    )
    .expect("a main.cf");
    for (selection, options) in [
        (
            vec!["--queue-directory", &spool],
            format!(" --queue-directory {spool}"),
        ),
        // It may be a copy: what acts on the instance acts on another spool.
        (
            vec!["-d", &elsewhere, "--queue-directory", &spool],
            format!(" -c {elsewhere} --queue-directory {spool}"),
        ),
    ] {
        for (rule, command) in [
            (
                "master.running=1:",
                format!("queuewatch status{options}; queuewatch doctor{options};"),
            ),
            (
                "deferred.cause(unreachable)=5",
                format!("queuewatch show A00000X{options};"),
            ),
            (
                "deferred.oldest=60",
                format!("queuewatch reasons deferred{options};"),
            ),
        ] {
            let steps = steps(&[&selection[..], &["-w", rule]].concat());
            assert!(
                steps.len() == 1 && steps[0].contains(&command),
                "{rule}: {steps:?}"
            );
            for program in ["postfix ", "postsuper ", "postcat "] {
                assert!(!steps[0].contains(program), "{steps:?}");
            }
        }
    }
    let steps = steps(&["-d", &config, "-w", "deferred.cause(unreachable)=5"]);
    assert!(
        steps[0].contains(&format!("; postcat -c {config} -q A00000X;")),
        "{steps:?}"
    );
}

/// A folder relative to the working directory means nothing to somebody who copies the command elsewhere.
#[test]
fn a_relative_folder_is_named_from_the_root() {
    let several = Several::to(&["one.example"]);
    let spool = several.spools[0].path();
    let output = Command::new(PLUGIN)
        .current_dir(spool.parent().expect("a folder"))
        .args([
            "-v",
            "--queue-directory",
            "./spool/",
            "-w",
            "deferred.oldest=60",
        ])
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let command = format!("reasons deferred --queue-directory {};", shown(&spool));
    assert!(text.contains(&command), "{text}");
}
