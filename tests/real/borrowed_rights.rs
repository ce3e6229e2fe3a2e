//! What a caller gets from a program with rights that the caller does not have: a file capability or sudo.
//!
//! Each test runs the programs as user 65534 in a mount namespace, whose /etc is made for it: the rules are about
//! /etc/postfix and /etc/queuewatch. It needs root, setpriv and unshare (util-linux), and strace.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::fs::{XattrFlags, setxattr};
use tempfile::TempDir;

use crate::support::rights::{public_folder, set_mode};
use crate::support::running::Running;
use crate::support::spool::Spool;

const NOBODY: u32 = 65_534;
/// What only root may read.
const SECRET: &str = "violet-otter";

/// An /etc, spools and programs, all below one folder.
struct Host {
    folder: TempDir,
}

/// How a program gets its rights.
#[derive(Clone, Copy)]
enum Loan {
    /// The programs have cap_dac_read_search as a file capability.
    Capability,
    /// sudo has started this command as root.
    Sudo(&'static str),
}

impl Host {
    fn new() -> Host {
        let host = Host {
            folder: public_folder("queuewatch-rights-"),
        };
        let etc = host.path("etc");
        fs::create_dir(&etc).expect("a folder");
        for name in ["passwd", "group", "ld.so.cache", "shells"] {
            fs::copy(Path::new("/etc").join(name), etc.join(name)).expect(name);
        }
        for spool in ["spool", "other-spool"] {
            host.make_spool(spool);
        }
        let spool = host.path("spool");
        host.configure(
            "etc/postfix",
            &format!("queue_directory = {}\n", spool.display()),
        );
        for program in [
            env!("CARGO_BIN_EXE_check_postfix_queue"),
            env!("CARGO_BIN_EXE_queuewatch"),
        ] {
            let name = Path::new(program).file_name().expect("a name");
            let copy = host.folder.path().join(name);
            fs::copy(program, &copy).expect("a copy of the program");
            set_mode(&copy, 0o755);
            lend_read_capability(&copy);
        }
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A spool of the corpus that only root can enter.
    fn make_spool(&self, name: &str) {
        let spool = Spool::of_corpus("short-mixed");
        let to = self.path(name);
        let status = Command::new("cp")
            .arg("-a")
            .args([&spool.path(), &to])
            .status();
        assert!(status.expect("cp runs").success());
        set_mode(&to, 0o700);
    }

    /// A configuration directory with this main.cf.
    fn configure(&self, name: &str, main_cf: &str) {
        let directory = self.path(name);
        fs::create_dir_all(&directory).expect("a folder");
        fs::write(directory.join("main.cf"), main_cf).expect("main.cf");
    }

    fn append(&self, file: &str, text: &str) {
        let path = self.path(file);
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, before + text).expect("written");
    }

    /// `program` with `arguments`, in the namespace.
    fn command(&self, loan: Loan, tracer: &[&str], program: &str, arguments: &[&str]) -> Command {
        let etc = self.path("etc");
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c"])
            .arg("mount --bind \"$0\" /etc && exec \"$@\"")
            .arg(&etc)
            .args(tracer);
        match loan {
            Loan::Capability if tracer.is_empty() => {
                command.args([
                    "setpriv",
                    "--reuid=65534",
                    "--regid=65534",
                    "--clear-groups",
                    "--",
                ]);
            }
            Loan::Capability => {}
            Loan::Sudo(started) => {
                command
                    .env("SUDO_UID", "65534")
                    .env("SUDO_GID", "65534")
                    .env("SUDO_USER", "nobody")
                    .env("SUDO_COMMAND", started);
            }
        }
        command
            .arg(self.path(program))
            .args(arguments)
            .env_remove("MAIL_CONFIG")
            .current_dir("/");
        command
    }

    fn run(&self, loan: Loan, program: &str, arguments: &[&str]) -> Output {
        let output = self.command(loan, &[], program, arguments).output();
        output.expect("unshare runs: package util-linux")
    }

    fn check(&self, loan: Loan, arguments: &[&str]) -> String {
        text(&self.run(loan, "check_postfix_queue", arguments))
    }
}

fn text(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

/// As `setcap cap_dac_read_search+ep` (vfs_cap_data in linux/capability.h, revision 2, little endian).
fn lend_read_capability(program: &Path) {
    const REVISION_2_EFFECTIVE: u32 = 0x0200_0001;
    const CAP_DAC_READ_SEARCH: u32 = 1 << 2;
    let words = [REVISION_2_EFFECTIVE, CAP_DAC_READ_SEARCH, 0, 0, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    setxattr(program, "security.capability", &bytes, XattrFlags::empty())
        .expect("a file system with file capabilities: set TMPDIR to one");
}

/// Both ways to the same rights.
const LOANS: [Loan; 2] = [
    Loan::Capability,
    Loan::Sudo("/usr/lib/nagios/plugins/check_postfix_queue -v"),
];

#[test]
fn the_default_instance_is_read_with_the_borrowed_rights() {
    let host = Host::new();
    for loan in LOANS {
        let text = host.check(loan, &["-c", "deferred.messages=0"]);
        assert!(text.starts_with("POSTFIX QUEUE CRITICAL"), "{text}");
        assert!(text.contains("deferred.messages is "), "{text}");
    }
}

#[test]
fn a_directory_that_postfix_does_not_name_is_refused_whether_it_exists_or_not() {
    let host = Host::new();
    host.configure(
        "elsewhere",
        &format!(
            "{SECRET}\nqueue_directory = {}\n",
            host.path("other-spool").display()
        ),
    );
    set_mode(&host.path("elsewhere"), 0o700);
    let there = host.path("elsewhere");
    let spool = host.path("other-spool");
    for loan in LOANS {
        for option in ["--config-directory", "--queue-directory"] {
            let mut answers = Vec::new();
            for directory in [
                &there,
                &spool,
                &host.path("absent"),
                Path::new("/etc/postfix/../../root"),
            ] {
                let directory = directory.to_str().expect("UTF-8");
                let output = host.run(loan, "check_postfix_queue", &[option, directory]);
                assert_eq!(output.status.code(), Some(3), "{}", text(&output));
                let answer = text(&output);
                assert!(answer.contains(&format!("{option} names")), "{answer}");
                assert!(answer.contains("/etc/queuewatch/directories"), "{answer}");
                assert!(!answer.contains(SECRET), "{answer}");
                answers.push(answer.replace(directory, "DIRECTORY"));
            }
            answers.dedup();
            assert_eq!(answers.len(), 1, "{answers:?}");
        }
        let mut command = host.command(loan, &[], "queuewatch", &["list"]);
        let output = command
            .env("MAIL_CONFIG", &there)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output).contains("MAIL_CONFIG names"),
            "{}",
            text(&output)
        );
        assert!(!text(&output).contains(SECRET), "{}", text(&output));
    }
}

#[test]
fn what_main_cf_or_the_administrator_names_is_permitted() {
    let host = Host::new();
    let other = host.path("other-spool");
    let queue_directory = format!("queue_directory = {}\n", other.display());
    for name in ["alternate", "second", "listed"] {
        host.configure(name, &queue_directory);
    }
    let named = |name: &str| host.path(name).display().to_string();
    host.append(
        "etc/postfix/main.cf",
        &format!(
            "alternate_config_directories = {}\nmulti_instance_directories = {}\n",
            named("alternate"),
            named("second")
        ),
    );
    let listed = format!(
        "# spools of backups\n{}/\n{}\n",
        named("listed"),
        other.display()
    );
    let spool = named("spool");
    let other = named("other-spool");
    let cases: [(&[&str], bool); 5] = [
        (&["-d", &named("alternate")], false),
        (&["-d", &named("second")], false),
        (&["--queue-directory", &spool], false),
        (&["-d", &named("listed")], true),
        (&["--queue-directory", &other], true),
    ];
    let known = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["-c", "deferred.messages=0"]);
        let text = host.check(Loan::Capability, &all);
        assert!(
            text.contains("deferred.messages is ") || text.contains("/etc/queuewatch/directories"),
            "{text}"
        );
        text.contains("deferred.messages is ")
    };
    for (arguments, needs_list) in &cases {
        assert_eq!(
            known(arguments),
            !needs_list,
            "{arguments:?} without a list"
        );
    }
    host.append("etc/queuewatch/directories", &listed);
    for (arguments, _) in &cases {
        assert!(known(arguments), "{arguments:?} with a list");
    }
    // A list that others could have written is none.
    for (path, mode) in [
        ("etc/queuewatch/directories", 0o664),
        ("etc/queuewatch", 0o777),
    ] {
        let path = host.path(path);
        let before = fs::metadata(&path).expect("it is there").mode();
        set_mode(&path, mode);
        let text = host.check(Loan::Capability, &["-d", &named("listed")]);
        assert!(text.contains("is not used"), "{text}");
        set_mode(&path, before);
    }
    // Of a list that is too long, no part is used.
    let comments = "# a line of a comment\n".repeat(4000);
    host.append("etc/queuewatch/directories", &comments);
    let text = host.check(Loan::Capability, &["-d", &named("listed")]);
    assert!(text.contains("has more than 65536 bytes"), "{text}");
    fs::write(host.path("etc/queuewatch/directories"), &listed).expect("written");
    chown(host.path("etc/queuewatch/directories"), Some(NOBODY), None).expect("root may");
    let text = host.check(Loan::Capability, &["-d", &named("listed")]);
    assert!(text.contains("is not used"), "{text}");
}

#[test]
fn a_shape_of_a_place_outside_the_permitted_spools_is_refused_whether_it_exists_or_not() {
    let host = Host::new();
    let named = |name: &str| host.path(name).display().to_string();
    let outside = [
        named("other-spool/deferred"),
        named("absent/deferred"),
        named("spool-two"),
        named("spool/../other-spool/deferred"),
        "/root".to_owned(),
        "../other-spool/deferred".to_owned(),
        "deferred/../../other-spool/deferred".to_owned(),
        "..".to_owned(),
    ];
    let inside = [named("spool/deferred"), "deferred".to_owned()];
    for loan in LOANS {
        let mut answers = Vec::new();
        for place in &outside {
            for others in [&[][..], &["deferred"]] {
                let mut arguments = vec!["shape", place];
                arguments.extend(others);
                let output = host.run(loan, "queuewatch", &arguments);
                assert_eq!(output.status.code(), Some(1), "{}", text(&output));
                let answer = text(&output);
                assert!(answer.contains("/etc/queuewatch/directories"), "{answer}");
                answers.push(answer.replace(place.as_str(), "PLACE"));
            }
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        for place in &inside {
            let output = host.run(loan, "queuewatch", &["shape", place]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
            assert!(text(&output).contains("TOTAL"), "{}", text(&output));
        }
    }
    host.append("etc/queuewatch/directories", &named("other-spool"));
    let output = host.run(Loan::Capability, "queuewatch", &["shape", &outside[0]]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn files_of_the_caller_are_opened_with_the_rights_of_the_caller() {
    let host = Host::new();
    let closed = host.path("closed.json");
    fs::write(&closed, format!("{{\"{SECRET}\": 1}}")).expect("written");
    set_mode(&closed, 0o600);
    let open = host.path("open");
    fs::create_dir(&open).expect("a folder");
    set_mode(&open, 0o777);
    let closed = closed.to_str().expect("UTF-8");
    for loan in LOANS {
        // A rule that holds leaves room on the first line.
        let quiet = ["--state", closed, "-c", "deferred.messages=1000000"];
        for arguments in [&quiet[..], &["--status", closed]] {
            let text = host.check(loan, arguments);
            assert!(text.contains("permission denied (EACCES)"), "{text}");
            assert!(!text.contains(SECRET), "{text}");
        }
        let of_tool: [&[&str]; 3] = [
            &["report", "--since", closed],
            &["list", "--anonymize-key", closed],
            &["reasons", "--causes", closed],
        ];
        for arguments in of_tool {
            let output = host.run(loan, "queuewatch", arguments);
            let answer = text(&output);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {answer}");
            assert!(answer.contains("permission denied (EACCES)"), "{answer}");
            assert!(!answer.contains(SECRET), "{answer}");
        }
        let state = open.join("state.json");
        let path = state.to_str().expect("UTF-8");
        let answer = host.check(loan, &["--state", path, "-c", "deferred.messages=0"]);
        assert!(answer.starts_with("POSTFIX QUEUE CRITICAL"), "{answer}");
        assert_eq!(fs::metadata(&state).expect("it was written").uid(), NOBODY);
        fs::remove_file(&state).expect("removed");
        let output = host.path("by-root.prom");
        let refused = host.run(
            loan,
            "queuewatch",
            &[
                "status",
                "--openmetrics",
                "--output",
                output.to_str().expect("UTF-8"),
            ],
        );
        assert!(
            text(&refused).contains("permission denied (EACCES)"),
            "{}",
            text(&refused)
        );
        assert!(!output.exists());
    }
}

/// Both are written while the watch goes on, when the rights are only lowered.
#[test]
fn a_watch_writes_its_files_with_the_rights_of_the_caller() {
    let host = Host::new();
    let open = host.path("open");
    fs::create_dir(&open).expect("a folder");
    set_mode(&open, 0o777);
    for loan in LOANS {
        let (metrics, page) = (open.join("metrics.prom"), open.join("page.html"));
        let refused = host.path("by-root.html");
        let argument = |path: &Path| path.to_str().expect("UTF-8").to_owned();
        let (of_metrics, of_page) = (argument(&metrics), argument(&page));
        let arguments = ["watch", "--openmetrics", &of_metrics, "--report", &of_page];
        let mut command = host.command(loan, &[], "queuewatch", &arguments);
        let child = command.stdout(Stdio::null()).spawn().expect("it runs");
        let running = Running(child);
        for file in [&metrics, &page] {
            for _ in 0..600 {
                if file.exists() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let metadata = fs::metadata(file).expect("it was written");
            assert_eq!(metadata.uid(), NOBODY, "{}", file.display());
        }
        drop(running);
        for file in [&metrics, &page] {
            fs::remove_file(file).expect("removed");
        }
        let arguments = ["watch", "--report", &argument(&refused)];
        let mut command = host.command(loan, &[], "queuewatch", &arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running(child.spawn().expect("it runs"));
        let complaints = running.0.stderr.take().expect("piped");
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(complaints));
        let line = lines.find(|line| {
            line.as_ref()
                .is_ok_and(|line| line.contains("by-root.html"))
        });
        let line = line.expect("a complaint").expect("a line");
        assert!(line.contains("permission denied (EACCES)"), "{line}");
        assert!(!refused.exists());
    }
}

#[test]
fn content_of_messages_is_refused() {
    let host = Host::new();
    let listed = host.run(LOANS[0], "queuewatch", &["list", "--ids", "--limit", "1"]);
    let queue_id = text(&listed).trim().to_owned();
    for loan in LOANS {
        let refused: [&[&str]; 6] = [
            &["show", &queue_id, "--body", "100"],
            &["show", &queue_id, "--headers"],
            &["list", "--subject", "e"],
            &["reasons", "--not", "--subject", "e"],
            &["origins", "--subject", "e"],
            &["origins", "--by", "subject"],
        ];
        for arguments in refused {
            let output = host.run(loan, "queuewatch", arguments);
            let answer = text(&output);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {answer}");
            assert!(answer.contains("is content of a message"), "{answer}");
            assert!(output.stdout.is_empty(), "{answer}");
        }
        for (arguments, mark) in [
            (&["show", &queue_id][..], "  headers\n"),
            (&["show", &queue_id, "--json"], "\"name\""),
        ] {
            let output = host.run(loan, "queuewatch", arguments);
            let answer = text(&output);
            assert_eq!(output.status.code(), Some(0), "{answer}");
            assert!(answer.contains(&queue_id), "{answer}");
            assert!(!answer.contains(mark), "{answer}");
            assert!(answer.contains("headers are content"), "{answer}");
        }
    }
}

#[test]
fn messages_are_listed_to_those_whom_postqueue_lists_them_to() {
    let host = Host::new();
    let listed = host.run(LOANS[0], "queuewatch", &["list", "--ids", "--limit", "1"]);
    let queue_id = text(&listed).trim().to_owned();
    let spool = host.path("spool").display().to_string();
    let naming: [&[&str]; 9] = [
        &["list"],
        &["list", "--queue-directory", &spool],
        &["show", &queue_id],
        &["reasons"],
        &["reasons", "--raw"],
        &["origins"],
        &["report"],
        &["watch"],
        &["watch", "--summary", "--report", "/nowhere/page.html"],
    ];
    for (users, permitted) in [
        ("", false),
        ("root", false),
        ("!nobody static:anyone", false),
        ("hash:/etc/postfix/users", false),
        ("root, nobody", true),
        ("static:anyone", true),
    ] {
        let main_cf = format!("queue_directory = {spool}\nauthorized_mailq_users = {users}\n");
        host.configure("etc/postfix", &main_cf);
        for loan in LOANS {
            for arguments in naming {
                if permitted && arguments[0] == "watch" {
                    continue;
                }
                let output = host.run(loan, "queuewatch", arguments);
                let answer = text(&output);
                let refused = answer.contains("authorized_mailq_users in ");
                assert_eq!(refused, !permitted, "{users}: {arguments:?}: {answer}");
                let code = i32::from(!permitted);
                assert_eq!(output.status.code(), Some(code), "{arguments:?}: {answer}");
                assert_eq!(output.stdout.is_empty(), refused, "{answer}");
            }
            // The figures are for everybody.
            let output = host.run(loan, "queuewatch", &["status"]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output));
            let answer = host.check(loan, &["-c", "deferred.messages=0"]);
            assert!(answer.starts_with("POSTFIX QUEUE CRITICAL"), "{answer}");
        }
    }
}

#[test]
fn no_error_quotes_a_main_cf_that_the_caller_cannot_read() {
    let host = Host::new();
    let spool = host.path("spool");
    let contents = [
        format!("{SECRET}\n"),
        format!("queue_directory = {SECRET}\n"),
        format!(
            "queue_directory = {}\nmulti_instance_directories = {SECRET}\n",
            spool.display()
        ),
        format!(
            "queue_directory = {}\nmaximal_queue_lifetime = {SECRET}\n",
            spool.display()
        ),
    ];
    for content in contents {
        fs::write(host.path("etc/postfix/main.cf"), &content).expect("written");
        for mode in [0o600, 0o644] {
            set_mode(&host.path("etc/postfix/main.cf"), mode);
            let mut answers = String::new();
            for arguments in [&["status", "--all-instances"][..], &["doctor"], &["status"]] {
                answers += &text(&host.run(Loan::Capability, "queuewatch", arguments));
            }
            answers += &host.check(Loan::Capability, &["-vvv", "--all-instances"]);
            assert_eq!(
                answers.contains(SECRET),
                mode == 0o644,
                "{content}{answers}"
            );
        }
    }
}

#[test]
fn a_root_shell_of_sudo_names_any_directory() {
    let host = Host::new();
    let other = host.path("other-spool");
    let arguments = [
        "--queue-directory",
        other.to_str().expect("UTF-8"),
        "-c",
        "deferred.messages=0",
    ];
    let shell = host.check(Loan::Sudo("/bin/bash"), &arguments);
    assert!(shell.contains("deferred.messages is "), "{shell}");
    let script = host.check(Loan::Sudo("/bin/bash /usr/local/bin/check"), &arguments);
    assert!(script.contains("--queue-directory names"), "{script}");
}

#[test]
fn sudo_gives_a_rehearsal_and_no_program() {
    let host = Host::new();
    let open = host.path("open");
    fs::create_dir(&open).expect("a folder");
    set_mode(&open, 0o777);
    let drill = open.join("drill");
    let output = host.run(
        LOANS[1],
        "queuewatch",
        &["drill", drill.to_str().expect("UTF-8"), "--messages", "20"],
    );
    assert!(text(&output).contains("POSTFIX QUEUE"), "{}", text(&output));
    assert_eq!(
        fs::metadata(&drill).expect("the drill's spool").uid(),
        NOBODY
    );
    let output = host.run(LOANS[1], "queuewatch", &["watch", "--exec", "/bin/id"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output).contains("--exec starts a program"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_watch_that_waits_has_no_rights_in_force_and_cannot_be_traced() {
    let host = Host::new();
    let child = host
        .command(Loan::Capability, &[], "queuewatch", &["watch"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut running = Running(child);
    // The first line tells that the spool was read.
    let mut line = String::new();
    let out = running.0.stdout.take().expect("piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("a line");
    std::thread::sleep(Duration::from_millis(300));
    let process = PathBuf::from(format!("/proc/{}", running.0.id()));
    let status = fs::read_to_string(process.join("status")).expect("it runs");
    let set = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .expect(name);
        u64::from_str_radix(line.split_whitespace().nth(1).expect("a set"), 16)
            .expect("hexadecimal")
    };
    assert_eq!((set("CapEff:"), set("CapPrm:")), (0, 4), "{line}{status}");
    // The kernel gives the files of a process that must not be traced to root (proc(5)).
    assert_eq!(
        fs::metadata(process.join("environ"))
            .expect("it runs")
            .uid(),
        0
    );
}

/// One line of a trace, with the rights of its thread at that moment.
struct Traced {
    line: String,
    /// Whether the capability is in force.
    in_force: bool,
    /// Whether it is lost for good.
    ended: bool,
}

/// Replays a trace of `strace -f`, thread by thread: a thread begins with the rights of the thread that starts it.
fn replay(trace: &str) -> Vec<Traced> {
    let thread_of = |line: &str| {
        line.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    // A call that another thread interrupts has two lines; the result is on the second.
    let started = |at: usize, thread: &str| {
        let mut rest = trace.lines().skip(at);
        let end = rest.find(|line| {
            thread_of(line) == thread && line.contains("clone") && line.contains(" = ")
        });
        end.and_then(|line| line.rsplit(" = ").next().map(|id| id.trim().to_owned()))
    };
    let mut rights = std::collections::HashMap::from([(
        thread_of(trace.lines().next().expect("a line")),
        (true, false),
    )]);
    let mut lines = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let thread = thread_of(line);
        let (mut in_force, mut ended) = *rights.get(&thread).expect("a thread that was started");
        if line.contains("clone") && !line.contains("resumed>") {
            if let Some(child) = started(at, &thread) {
                rights.insert(child, (in_force, ended));
            }
        }
        if line.contains("capset(") {
            in_force = !line.contains("effective=0,");
            ended |= line.contains("permitted=0,");
            rights.insert(thread, (in_force, ended));
        }
        lines.push(Traced {
            line: line.to_owned(),
            in_force,
            ended,
        });
    }
    lines
}

impl Host {
    /// Runs `program` with the capability under strace, and returns its output and its trace.
    fn traced(&self, program: &str, arguments: &[&str]) -> (Output, Vec<Traced>) {
        let trace = self.path("trace");
        let tracer = [
            "strace",
            "-u",
            "nobody",
            "-f",
            "-y",
            "-o",
            trace.to_str().expect("UTF-8"),
            "-e",
            "trace=openat,capset,write,rename,clone,clone3",
        ];
        let mut command = self.command(Loan::Capability, &tracer, program, arguments);
        let output = command.output().expect("strace runs: package strace");
        let trace = fs::read_to_string(trace).expect("a trace");
        (output, replay(&trace))
    }
}

#[test]
fn the_capability_is_in_force_while_the_spool_is_read_and_at_no_other_time() {
    let host = Host::new();
    let open = host.path("open");
    fs::create_dir(&open).expect("a folder");
    set_mode(&open, 0o777);
    let state = open.join("state.json");
    let arguments = [
        "--state",
        state.to_str().expect("UTF-8"),
        "-v",
        "-c",
        "deferred.messages=0",
    ];
    let (output, trace) = host.traced("check_postfix_queue", &arguments);
    assert!(
        text(&output).starts_with("POSTFIX QUEUE CRITICAL"),
        "{}",
        text(&output)
    );
    let (mut lowered, mut raised) = (0, 0);
    let (mut spool, mut own, mut printed) = (0, 0, 0);
    for Traced {
        line,
        in_force,
        ended,
    } in &trace
    {
        if line.contains("capset(") {
            match in_force {
                true => raised += 1,
                false => lowered += 1,
            }
        }
        if line.contains("openat(") && line.contains("deferred") {
            assert!(in_force, "{line}");
            spool += 1;
        }
        if line.contains("/open/") {
            assert!(!in_force, "{line}");
            own += 1;
        }
        if line.contains("POSTFIX QUEUE") {
            assert!(ended, "{line}");
            printed += 1;
        }
    }
    assert!(
        spool > 0 && own >= 2 && printed == 1 && raised >= 1 && lowered >= 2,
        "{spool} {own} {printed} {raised} {lowered}"
    );
}

#[test]
fn a_security_module_that_refuses_a_change_of_rights_is_an_error_and_ends_no_program_by_a_signal() {
    let host = Host::new();
    let call_tracer = |call: &str, user: &[&'static str]| {
        let mut tracer = vec!["strace".to_owned()];
        tracer.extend(user.iter().map(|word| (*word).to_owned()));
        for word in ["-f", "-o", "/dev/null", "-e"] {
            tracer.push(word.to_owned());
        }
        tracer.push(format!("trace={call}"));
        tracer.push("-e".to_owned());
        tracer.push(format!("inject={call}:error=EACCES"));
        tracer
    };
    for (loan, user) in [(LOANS[0], &["-u", "nobody"][..]), (LOANS[1], &[])] {
        for call in ["capset", "capget"] {
            let tracer = call_tracer(call, user);
            let tracer: Vec<&str> = tracer.iter().map(String::as_str).collect();
            for (program, code) in [("check_postfix_queue", 3), ("queuewatch", 1)] {
                let arguments: &[&str] = match program {
                    "queuewatch" => &["status"],
                    _ => &[],
                };
                let output = host.command(loan, &tracer, program, arguments).output();
                let output = output.expect("strace runs: package strace");
                let said = text(&output);
                assert_eq!(output.status.code(), Some(code), "{program} {call}: {said}");
                assert!(
                    said.contains("SELinux has to allow getcap and setcap"),
                    "{program} {call}: {said}"
                );
                assert!(!said.contains("deferred"), "{said}");
            }
        }
    }
}

/// What is written while the spool is read is written on any thread of the scan.
#[test]
fn the_tool_prints_with_the_capability_lowered_and_ends_it_before_the_last_word() {
    let host = Host::new();
    // Each prints on standard output, and complains on standard error of what is damaged.
    let damaged = host.path("spool/deferred/A/A0000000001");
    fs::create_dir_all(damaged.parent().expect("a folder")).expect("a folder");
    fs::write(&damaged, "no queue file").expect("written");
    set_mode(&damaged, 0o700);
    let commands: [&[&str]; 12] = [
        &["status"],
        &["status", "--json"],
        &["shape", "deferred"],
        &["shape", "--senders", "deferred"],
        &["list"],
        &["list", "-p", "--readers", "4"],
        &["list", "--sort", "size"],
        &["reasons"],
        &["reasons", "--raw"],
        &["origins"],
        &["report"],
        &["doctor"],
    ];
    for arguments in commands {
        let (output, trace) = host.traced("queuewatch", arguments);
        assert!(
            !output.stdout.is_empty(),
            "{arguments:?}: {}",
            text(&output)
        );
        let (mut printed, mut spool, mut last) = (0, 0, false);
        for traced in &trace {
            let line = &traced.line;
            if line.contains("openat(") && line.contains("/spool/deferred") {
                assert!(traced.in_force, "{arguments:?}: {line}");
                spool += 1;
            }
            if line.contains(" write(1<") || line.contains(" write(2<") {
                assert!(!traced.in_force, "{arguments:?}: {line}");
                printed += 1;
                last = traced.ended;
            }
        }
        assert!(printed > 0 && spool > 0, "{arguments:?}");
        // A list is written while it is read; nothing is read after anything else.
        let streams = arguments[0] == "list" && output.stderr.is_empty();
        assert!(last || streams, "{arguments:?} still has the capability");
    }
}
