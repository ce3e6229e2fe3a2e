//! Both programs on a kernel that has no Landlock: they go on, and the doctor says why nothing confines.
//!
//! strace(1) gives the answers of such a kernel to landlock_create_ruleset(2).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const NOW: &str = "1795461304";

/// A configuration directory and a spool.
struct Host {
    spool: Spool,
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host {
            spool: Spool::of_corpus("short-mixed"),
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::write(host.folder.path().join("main.cf"), host.spool.main_cf()).expect("main.cf");
        host
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("trace")
    }

    /// `program`, for which landlock_create_ruleset(2) fails with `errno`, if one is given.
    fn run(&self, errno: Option<&str>, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        if let Some(errno) = errno {
            command = Command::new("strace");
            command
                .args(["-f", "-e", "trace=landlock_create_ruleset", "-e"])
                .arg(format!("inject=landlock_create_ruleset:error={errno}"))
                .arg("-o")
                .arg(self.trace())
                .arg(program);
        }
        command
            .args(arguments)
            .arg("--config-directory")
            .arg(self.folder.path())
            .env_remove("MAIL_CONFIG")
            .output()
            .expect("strace runs: package strace")
    }
}

/// How many calls were answered by strace, and how many by the kernel.
fn answered(trace: &Path) -> (usize, usize) {
    let trace = fs::read_to_string(trace).expect("a trace");
    let calls = trace
        .lines()
        // Of a call that another thread interrupts, strace writes the answer in a line of its own.
        .filter(|line| line.contains("landlock_create_ruleset") && line.contains(" = "));
    let (injected, others): (Vec<&str>, Vec<&str>) =
        calls.partition(|line| line.contains("(INJECTED)"));
    (injected.len(), others.len())
}

#[test]
fn programs_go_on_and_the_doctor_says_why_nothing_confines() {
    let host = Host::new();
    let commands: [(&str, &[&str]); 3] = [
        (PLUGIN, &["-c", "deferred.messages=0", "--now", NOW]),
        (PROGRAM, &["list"]),
        (PROGRAM, &["shape", "--now", NOW, "deferred"]),
    ];
    for (errno, why) in [
        ("ENOSYS", "this kernel or container has none"),
        ("EOPNOTSUPP", "it is switched off in this kernel"),
    ] {
        let doctor = host.run(Some(errno), PROGRAM, &["doctor"]);
        let text = String::from_utf8_lossy(&doctor.stdout).into_owned();
        let expected = format!("not confined by Landlock: {why}");
        assert!(text.contains(&expected), "{errno}: {text}");
        assert!(!text.contains("confined by Landlock (version"), "{text}");
        let code = host.run(None, PROGRAM, &["doctor"]).status.code();
        assert_eq!(doctor.status.code(), code, "{text}");
        for (program, arguments) in commands {
            let confined = host.run(None, program, arguments);
            let without = host.run(Some(errno), program, arguments);
            for (without, confined) in [
                (&without.stdout, &confined.stdout),
                (&without.stderr, &confined.stderr),
            ] {
                assert_eq!(
                    String::from_utf8_lossy(without),
                    String::from_utf8_lossy(confined),
                    "{errno} {arguments:?}"
                );
            }
            assert!(!without.stdout.is_empty());
            assert_eq!(without.status.code(), confined.status.code());
            let (injected, others) = answered(&host.trace());
            assert!(injected > 0 && others == 0, "{injected} {others}");
        }
    }
}
