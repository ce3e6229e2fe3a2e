//! Files and directories where Postfix does not look, or that stop it: `spool.misplaced` and
//! `spool.misowned`. Owners change only as root.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::spool::Spool;
use queuewatch::drill::QueueFile;
use queuewatch::options::{Options, Purpose};
use queuewatch::postfix::queue::Queue;
use queuewatch::snapshot::{Problem, ProblemKind};
use queuewatch::watch::Watch;
use serde_json::Value;

const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const TOOL: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;

fn run(program: &str, first: &[&str], spool: &Spool, more: &[&str]) -> (i32, String) {
    let output = spool.run(program, NOW, &[first, more].concat());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code().expect("no signal"), text)
}

fn message() -> Vec<u8> {
    let file = QueueFile::cleanup(NOW - 60, 0).sender(b"a@client.example");
    let file = file
        .todo(b"b@one.example")
        .content(b"Subject: x\n\nHello\n");
    file.build().bytes
}

/// The problems of a scan, which are those of a watch too.
fn problems(spool: &Spool) -> Vec<Problem> {
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.as_os_str().as_bytes())
        .expect("a directory");
    let scanned = options
        .scan(Purpose::Everything)
        .expect("a scan")
        .problems();
    let mut watch = Watch::open(&options, Purpose::Everything).expect("a watch");
    assert_eq!(watch.snapshot().expect("a snapshot").problems(), scanned);
    scanned
}

/// The figure of `measure`, which must be exact.
fn figure(spool: &Spool, measure: &str) -> String {
    let (_, text) = run(PLUGIN, &[], spool, &["-w", &format!("{measure}=@0:999999")]);
    let (_, rest) = text.split_once(&format!("{measure} is ")).expect(&text);
    rest.split([' ', ',']).next().expect("a value").to_owned()
}

#[test]
fn a_message_is_misplaced_where_its_name_does_not_lead() {
    let spool = Spool::empty();
    for well in [
        "deferred/A/A00001",
        "active/B00002",
        "hold/C00003",
        "deferred/0/4jYFx90B5Nz1SjH2",
    ] {
        spool.write(well, &message(), 0o700);
    }
    spool.write("corrupt/D/E00004", &message(), 0o700);
    assert_eq!(figure(&spool, "spool.misplaced"), "0");
    for (count, badly) in [
        "deferred/D0D0D0D",
        "deferred/A/B00004",
        "deferred/A/0/A00005",
        "hold/C/C00006",
    ]
    .into_iter()
    .enumerate()
    {
        spool.write(badly, &message(), 0o700);
        assert_eq!(
            figure(&spool, "spool.misplaced"),
            (count + 1).to_string(),
            "{badly}"
        );
    }
    // It stays in the sums, and by default only an instance with a main.cf warns.
    assert_eq!(figure(&spool, "deferred.messages"), "5");
    let (_, text) = run(PLUGIN, &[], &spool, &[]);
    assert!(!text.contains("misplaced"), "{text}");
    let (_, text) = run(PLUGIN, &[], &spool, &["-w", "spool.misplaced=0"]);
    assert!(
        text.contains(
            "spool.misplaced is 4 (files where Postfix does not look; postsuper -s moves them)"
        ),
        "{text}"
    );
    let (code, text) = run(TOOL, &["doctor"], &spool, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("deferred/A/B00004 lies where Postfix does not look"),
        "{text}"
    );
    let problems = problems(&spool);
    let told: Vec<_> = problems.iter().map(|one| one.kind).collect();
    assert_eq!(told, [ProblemKind::Misplaced; 4]);
    let path = spool.path().join("deferred/A/0/A00005");
    assert_eq!(
        problems[0].path.as_deref(),
        Some(path.as_os_str().as_bytes())
    );
    assert_eq!(problems[0].queue, Some(Queue::Deferred));
    let (_, text) = run(PLUGIN, &[], &spool, &["-v"]);
    let line = format!(
        "\nmisplaced: {} lies where Postfix does not look\n",
        path.display()
    );
    assert!(text.contains(&line), "{text}");
    let (_, text) = run(TOOL, &["status"], &spool, &[]);
    assert!(text.contains(&line), "{text}");
    let (_, text) = run(PLUGIN, &[], &spool, &["--format", "json"]);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let paths = &document["instances"][0]["misplaced"];
    assert_eq!(paths[0]["path"], path.to_str().expect("UTF-8"));
    assert_eq!(paths.as_array().map(Vec::len), Some(4));
    assert_eq!(
        document["instances"][0]["queues"]["deferred"]["misplaced"],
        3
    );
    let (_, text) = run(PLUGIN, &[], &spool, &["--format", "openmetrics"]);
    let line = text
        .lines()
        .find(|line| line.starts_with("postfix_spool_misplaced{"));
    assert!(line.is_some_and(|line| line.ends_with(" 4")), "{text}");
}

#[test]
fn the_place_follows_the_settings_of_the_instance() {
    let spool = Spool::empty();
    spool.write("deferred/A/0/A00001", &message(), 0o700);
    spool.write("hold/C/0/C00003", &message(), 0o700);
    let config = tempfile::tempdir().expect("a temporary folder");
    let check = |more: &str| {
        let text = format!("{}hash_queue_depth = 2\n{more}\n", spool.main_cf());
        fs::write(config.path().join("main.cf"), text).expect("a file");
        let output = Command::new(PLUGIN)
            .arg("--config-directory")
            .arg(config.path())
            .args(["--now", &NOW.to_string()])
            .output()
            .expect("it runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let text = check("");
    assert!(text.contains("spool.misplaced is 1 "), "by default: {text}");
    let text = check("hash_queue_names = deferred, HOLD");
    assert!(!text.contains("spool.misplaced is"), "{text}");
}

#[test]
fn a_directory_without_its_owner_bits_is_critical() {
    let spool = Spool::empty();
    spool.write("deferred/A/A00001", &message(), 0o700);
    let set = |name: &str, mode| {
        let path = spool.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    assert_eq!(figure(&spool, "spool.misowned"), "0");
    for (name, mode) in [
        ("active", 0o500),
        ("deferred/A", 0o500),
        ("maildrop", 0o500),
    ] {
        set(name, mode);
        let (code, text) = run(PLUGIN, &[], &spool, &[]);
        assert_eq!(code, 2, "{name}: {text}");
        let told = format!(
            "{}: its mode is 0500 and lacks 0200",
            spool.path().join(name).display()
        );
        assert!(
            text.contains(&format!("spool.misowned is 1 ({told})")),
            "{text}"
        );
        let problems = told_by_doctor(&spool, &told);
        assert_eq!(problems[0].kind, ProblemKind::Misowned);
        assert_eq!(problems[0].message, told);
        assert!(problems[0].remedy.is_some());
        for (program, first, more) in [(PLUGIN, &[][..], &["-v"][..]), (TOOL, &["status"], &[])] {
            let (_, text) = run(program, first, &spool, more);
            assert!(text.contains(&format!("\nmisowned: {told}\n")), "{text}");
        }
        set(name, 0o700);
    }
}

#[test]
fn what_another_user_owns_is_critical_and_a_watch_sees_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let spool = Spool::empty();
    for file in ["deferred/A/A00001", "active/B00002", "maildrop/C00003"] {
        spool.write(file, &message(), 0o700);
    }
    let path = spool.path();
    let give = |name: &str, owner| chown(path.join(name), Some(owner), None).expect("root may");
    let mut options = Options::default();
    options
        .set("queue-directory", path.as_os_str().as_bytes())
        .expect("a directory");
    options.set("now", NOW.to_string().as_bytes()).expect("now");
    let mut watch = Watch::open(&options, Purpose::Everything).expect("a watch");
    let mut wait_for = |paths: &[&str]| {
        let begun = Instant::now();
        loop {
            let snapshot = watch.snapshot().expect("a snapshot");
            let taken = &snapshot.instances[0];
            let seen: Vec<_> = taken.misowned.iter().map(|one| one.path.clone()).collect();
            let wanted: Vec<_> = paths.iter().map(|name| path.join(name)).collect();
            if seen == wanted {
                break;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(120),
                "{seen:?} {wanted:?}"
            );
            watch.wait(Some(Duration::from_millis(100))).expect("wait");
            watch.dispatch().expect("dispatch");
        }
    };
    wait_for(&[]);
    for name in [
        "deferred/A/A00001",
        "active/B00002",
        "deferred/A",
        "active",
        "deferred",
    ] {
        give(name, 12_345);
        let (code, text) = run(PLUGIN, &[], &spool, &[]);
        assert_eq!(code, 2, "{name}: {text}");
        assert!(
            text.contains("its owner is user 12345, not the mail owner 0"),
            "{text}"
        );
        wait_for(&[name]);
        give(name, 0);
        wait_for(&[]);
    }
    // Files in maildrop belong to their senders.
    give("maildrop/C00003", 12_345);
    assert_eq!(figure(&spool, "spool.misowned"), "0");
}

/// A container's spool in a volume: the configuration names a mail owner who has another number there.
#[test]
fn a_spool_of_a_container_has_the_owner_of_its_directories() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let spool = Spool::empty();
    spool.write("deferred/A/A00001", &message(), 0o700);
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(spool.path(), open).expect("a mode");
    let all = ["deferred/A/A00001", "deferred/A"];
    let top = fs::read_dir(spool.path()).expect("a spool");
    let top: Vec<_> = top.map(|entry| entry.expect("an entry").path()).collect();
    let give_all = |owner| {
        let below = all.iter().map(|name| spool.path().join(name));
        for path in below.chain(top.iter().cloned()) {
            chown(path, Some(owner), None).expect("root may");
        }
    };
    let config = tempfile::tempdir().expect("a temporary folder");
    let settings = |queue_directory: &str| {
        // The mail owner here is root; in the container it is 12345.
        let text = format!("queue_directory = {queue_directory}\nmail_owner = root\n");
        fs::write(config.path().join("main.cf"), text).expect("a file");
    };
    let check = |more: &[&str]| {
        let output = Command::new(PLUGIN)
            .arg("--config-directory")
            .arg(config.path())
            .args(more)
            .args(["--now", &NOW.to_string(), "-c", "spool.misowned=0"])
            .output()
            .expect("it runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let path = spool.path();
    let named = path.to_str().expect("UTF-8");
    let volume = ["--queue-directory", named];
    settings("/var/spool/elsewhere");
    give_all(12_345);
    let text = check(&volume);
    assert!(text.starts_with("POSTFIX QUEUE OK"), "{text}");
    // One file of root stops that container's Postfix.
    chown(spool.path().join(all[0]), Some(0), None).expect("root may");
    let text = check(&volume);
    assert!(
        text.contains("its owner is user 0, not the mail owner 12345"),
        "{text}"
    );
    // Where the numbers are alike, the configuration counts: a directory of another user is wrong.
    give_all(0);
    chown(spool.path().join("active"), Some(12_345), None).expect("root may");
    let text = check(&volume);
    assert!(
        text.contains("its owner is user 12345, not the mail owner 0"),
        "{text}"
    );
    // The spool of the configuration itself has its mail owner, independent of the owner of its files.
    settings(named);
    give_all(12_345);
    for more in [&[][..], &volume] {
        let text = check(more);
        assert!(
            text.contains("its owner is user 12345, not the mail owner 0"),
            "{text}"
        );
    }
}

/// The one problem that doctor finds, which its text names as `told`, with the remedy.
fn told_by_doctor(spool: &Spool, told: &str) -> Vec<Problem> {
    let (code, text) = run(TOOL, &["doctor"], spool, &[]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains(told) && text.contains("postfix set-permissions"),
        "{text}"
    );
    let problems = problems(spool);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems
}

/// Gives the spool to the mail owner as Postfix does: all but the queue directory, which stays root's.
fn give_below(spool: &Spool, owner: u32) {
    fn give(path: &Path, owner: u32) {
        chown(path, Some(owner), None).expect("root may");
        if path.is_dir() {
            for entry in fs::read_dir(path).expect("a directory") {
                give(&entry.expect("an entry").path(), owner);
            }
        }
    }
    give(&spool.path(), owner);
    chown(spool.path(), Some(0), None).expect("root may");
}

/// What a check of `spool` with a main.cf says of `spool.misowned`; "" if it is 0.
fn of_configured(spool: &Spool, settings: &str) -> String {
    let config = tempfile::tempdir().expect("a temporary folder");
    let path = spool.path();
    let text = format!(
        "queue_directory = {}\nsetgid_group = root\n{settings}",
        path.display()
    );
    fs::write(config.path().join("main.cf"), text).expect("a file");
    let output = Command::new(PLUGIN)
        .arg("--config-directory")
        .arg(config.path())
        .args(["--now", &NOW.to_string(), "-c", "spool.misowned=0"])
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let told = text.split_once("spool.misowned is ");
    assert_eq!(told.is_some(), output.status.code() == Some(2), "{text}");
    told.map_or(String::new(), |(_, told)| told.to_owned())
}

#[test]
fn a_queue_directory_that_its_mail_owner_cannot_search_is_critical() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let spool = Spool::empty();
    let path = spool.path();
    spool.write("deferred/A/A00001", &message(), 0o700);
    give_below(&spool, 65_534);
    let set = |mode| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    for mode in [0o755, 0o711, 0o701] {
        set(mode);
        assert_eq!(figure(&spool, "spool.misowned"), "0", "{mode:o}");
    }
    set(0o700);
    let told = format!("{}: its mode is 0700 and lacks 0001", path.display());
    let (code, text) = run(PLUGIN, &[], &spool, &[]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains(&format!("spool.misowned is 1 ({told})")),
        "{text}"
    );
    let problems = told_by_doctor(&spool, &told);
    assert_eq!(problems[0].message, told);

    // nobody's group has this number, too; it counts for a directory of that group, and only there.
    let settings = "mail_owner = nobody\n";
    for (mode, group, lacks) in [
        (0o710, 65_534, ""),
        (0o701, 65_534, "0010"),
        (0o710, 0, "0001"),
        (0o755, 0, ""),
    ] {
        chown(&path, None, Some(group)).expect("root may");
        set(mode);
        let told = of_configured(&spool, settings);
        match lacks {
            "" => assert_eq!(told, "", "{mode:o}"),
            lacks => assert!(told.contains(&format!("lacks {lacks}")), "{told}"),
        }
    }
    // Its owner has the bits of an owner.
    chown(&path, Some(65_534), Some(0)).expect("root may");
    set(0o677);
    let told = of_configured(&spool, settings);
    assert!(told.contains("lacks 0100"), "{told}");
}

#[test]
fn hash_directories_of_logs_count_as_deep_as_the_settings_make_them() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let spool = Spool::empty();
    let path = spool.path();
    for name in ["defer/D/1", "bounce/D", "trace/D"] {
        fs::create_dir_all(path.join(name)).expect("a directory");
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(path.join(name), mode).expect("a mode");
    }
    give_below(&spool, 65_534);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    let all = "hash_queue_names = deferred, defer, bounce, trace\n";
    let two = "hash_queue_depth = 2\n";
    for (name, by_default, settings) in [
        ("defer/D", true, ""),
        ("defer/D/1", false, two),
        ("bounce/D", false, all),
        ("trace/D", false, all),
    ] {
        let of =
            |settings: &str| of_configured(&spool, &format!("mail_owner = nobody\n{settings}"));
        assert_eq!(of(settings), "", "{name}");
        chown(path.join(name), Some(0), None).expect("root may");
        let told = format!(
            "1 ({}: its owner is user 0, not the mail owner 65534)",
            path.join(name).display()
        );
        assert!(of(settings).starts_with(&told), "{name}: {}", of(settings));
        assert_eq!(!of("").is_empty(), by_default, "{name}");
        if by_default {
            let (code, text) = run(TOOL, &["doctor"], &spool, &[]);
            assert_eq!(code, 1, "{text}");
            assert!(text.contains(&told[3..told.len() - 1]), "{text}");
            let problems = problems(&spool);
            assert_eq!(problems.len(), 1, "{problems:?}");
        }
        chown(path.join(name), Some(65_534), None).expect("root may");
    }
    let mode = fs::Permissions::from_mode(0o500);
    fs::set_permissions(path.join("defer/D"), mode).expect("a mode");
    let (_, text) = run(PLUGIN, &[], &spool, &[]);
    assert!(text.contains("its mode is 0500 and lacks 0200"), "{text}");
}
