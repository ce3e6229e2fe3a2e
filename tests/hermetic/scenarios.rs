//! The defaults on hosts that are well and on hosts that are sick: quiet on the first, loud on the second,
//! each with the words that an administrator will read.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::spool::Spool;
use queuewatch::clock;
use queuewatch::drill::{self, Delay, QueueFile};
use queuewatch::options::{Options, Purpose};
use queuewatch::rules::{Finding, State, Verdict};
use queuewatch::snapshot::TableSet;
use queuewatch::sys::Disk;
use queuewatch::watch::Watch;
use rustix::fs::{FlockOperation, flock};

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const NOW: i64 = 1_795_461_304;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

/// A host: a spool, its main.cf, and a master that runs as long as the lock is held.
struct Host {
    spool: Spool,
    config: tempfile::TempDir,
    master: Option<File>,
    messages: u32,
}

impl Host {
    fn healthy(settings: &str) -> Host {
        let spool = Spool::empty();
        let config = tempfile::tempdir().expect("a folder");
        let main_cf = format!("{}{settings}", spool.main_cf());
        fs::write(config.path().join("main.cf"), main_cf).expect("a main.cf");
        let folder = spool.path().join("pid");
        fs::create_dir_all(&folder).expect("a folder");
        let master = File::create(folder.join("master.pid")).expect("a pid file");
        // As master(8) holds it.
        flock(&master, FlockOperation::NonBlockingLockExclusive).expect("a lock");
        Host {
            spool,
            config,
            master: Some(master),
            messages: 0,
        }
    }

    /// Adds `count` messages to `queue` that are `age` seconds old.
    fn mail(&mut self, queue: &str, count: u32, age: i64, sender: &str, domain: &str) {
        for _ in 0..count {
            let start = match queue {
                "maildrop" => QueueFile::maildrop(NOW - age, 0),
                _ => QueueFile::cleanup(NOW - age, 0),
            };
            let reason = format!("connect to mx.{domain}[192.0.2.1]:25: Connection timed out");
            self.message(queue, start, sender, domain, "4.4.1", &reason);
        }
    }

    /// Adds `count` messages of the SASL login `login` that a provider throttles. `{}` in the sender and the client
    /// is the number of the message.
    fn throttled(&mut self, count: u32, login: &str, sender: &str, client: &str) {
        for _ in 0..count {
            let number = (self.messages % 200).to_string();
            let start = QueueFile::cleanup(NOW - 10 * MINUTE, 0)
                .attribute("log_client_address", &client.replace("{}", &number))
                .attribute("sasl_username", login);
            let reason = "host mx.big.example[192.0.2.1] said: 421 4.7.28 unusual rate of mail, it is \
                          rate limited (in reply to MAIL FROM command)";
            self.message("deferred", start, sender, "big.example", "4.7.28", reason);
        }
    }

    /// Adds the message that begins with `start`; in deferred with a delay reason.
    fn message(
        &mut self,
        queue: &str,
        start: QueueFile,
        sender: &str,
        domain: &str,
        status: &str,
        reason: &str,
    ) {
        self.messages += 1;
        let id = format!("{:06X}7F", self.messages);
        let sender = sender.replace("{}", &self.messages.to_string());
        let recipient = format!("user{}@{domain}", self.messages);
        let file = start
            .sender(sender.as_bytes())
            .todo(recipient.as_bytes())
            .content(b"Subject: x\n\nHello\n")
            .build();
        let mode = if queue == "maildrop" { 0o744 } else { 0o700 };
        let hash = if queue == "deferred" { "0/" } else { "" };
        self.spool
            .write(&format!("{queue}/{hash}{id}"), &file.bytes, mode);
        if queue == "deferred" {
            let delay = Delay {
                status: status.to_owned(),
                reason: reason.to_owned(),
                reply: None,
                server: None,
            };
            let mut log = Vec::new();
            let offset = file.recipient_offsets[0];
            drill::push_entry(&mut log, &recipient, None, offset, &delay);
            self.spool.write(&format!("defer/0/{id}"), &log, 0o600);
        }
    }

    /// Exit code and output of the check without rules.
    fn check(&self, words: &[&str]) -> (i32, String) {
        let output = Command::new(PROGRAM)
            .arg("--config-directory")
            .arg(self.config.path())
            .args(["--now", &NOW.to_string()])
            .args(words)
            .output()
            .expect("it runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code().expect("no signal"), text)
    }

    /// The options of a command to run next.
    fn place(&self) -> String {
        format!(" -c {}", self.config.path().display())
    }

    /// A watch of the spool at rest finds what a check finds: for the rules of `queuewatch watch`, and for a
    /// host that reads everything through the library.
    fn watch_agrees(&self) {
        let mut options = Options::default();
        let config = self.config.path().as_os_str().as_encoded_bytes();
        options
            .set("config-directory", config)
            .expect("a directory");
        options
            .set("now", NOW.to_string().as_bytes())
            .expect("a time");
        let words = |verdict: &Verdict| -> Vec<String> {
            let findings = verdict.findings.iter();
            findings.map(Finding::text).collect()
        };
        let scanned = options
            .scan(Purpose::Check(TableSet::default()))
            .and_then(|snapshot| options.check(&snapshot))
            .expect("a verdict");
        for purpose in [Purpose::Check(TableSet::default()), Purpose::Everything] {
            let mut watch = Watch::open(&options, purpose).expect("a watch");
            let (_, live) = watch.check(&options).expect("a verdict");
            assert_eq!(words(&live), words(&scanned), "{purpose:?}");
            assert_eq!(live.state, scanned.state);
            let snapshot = watch.snapshot().expect("a snapshot");
            let whole = options.check(&snapshot).expect("a verdict");
            assert_eq!(words(&whole), words(&scanned), "{purpose:?}");
        }
    }

    fn is_quiet(&self) {
        self.watch_agrees();
        let (code, text) = self.check(&[]);
        assert!(
            code == 0 && text.starts_with("POSTFIX QUEUE OK: "),
            "{text}"
        );
    }

    fn tells(&self, state: State, part: &str) {
        self.watch_agrees();
        let (code, text) = self.check(&[]);
        let first = text.lines().next().unwrap_or_default();
        let words = first.split(" | ").next().unwrap_or_default();
        assert!(words.contains(part), "{part}\n{first}");
        assert_eq!(code, state.code(), "{first}");
    }
}

#[test]
fn an_empty_host_is_well() {
    Host::healthy("").is_quiet();
}

#[test]
fn a_small_host_with_some_mail_on_its_way_is_well() {
    let mut host = Host::healthy("");
    host.mail("active", 3, 2, "a@client.example", "one.example");
    host.mail("incoming", 2, 1, "b@client.example", "two.example");
    host.mail("maildrop", 1, 5, "root", "local.example");
    host.mail(
        "deferred",
        3,
        HOUR,
        "c@client.example",
        "greylisting.example",
    );
    host.mail(
        "hold",
        1,
        40 * 24 * HOUR,
        "d@client.example",
        "held.example",
    );
    host.is_quiet();
}

#[test]
fn a_dead_destination_is_reported_and_long_output_says_which_and_why() {
    let mut host = Host::healthy("");
    host.mail(
        "deferred",
        140,
        5 * HOUR,
        "user{}@client.example",
        "dead.example",
    );
    host.mail("active", 3, 2, "a@client.example", "one.example");
    host.tells(
        State::Warning,
        "deferred.top_domain is 140 (dead.example) (warning 99); theirs: 140 to dead.example \
         unreachable (4.4.1); oldest 5h",
    );
    let (_, text) = host.check(&["-v"]);
    let why = "dead.example 4.4.1 connect to HOST[IP]:25: Connection timed out";
    let found = text.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.join(" ").ends_with(why) && words[0] == "140"
    });
    assert!(found, "{text}");
    let step = "do: deferred.top_domain: queuewatch reasons --domain dead.example deferred";
    assert!(text.contains(step), "{text}");
}

#[test]
fn a_stalled_queue_manager_is_reported() {
    let mut host = Host::healthy("");
    host.mail(
        "incoming",
        20,
        6 * MINUTE,
        "user{}@client.example",
        "one.example",
    );
    host.tells(State::Warning, "incoming.oldest is 6m (warning 5m)");
    host.mail("incoming", 1, HOUR, "z@client.example", "one.example");
    host.tells(State::Critical, "incoming.oldest is 1h (critical 15m)");
}

#[test]
fn a_pickup_that_is_down_is_reported() {
    let mut host = Host::healthy("");
    host.mail("maildrop", 5, 6 * MINUTE, "www-data", "one.example");
    host.tells(State::Warning, "maildrop.oldest is 6m (warning 5m)");
}

#[test]
fn a_backlog_while_postfix_is_down_is_reported() {
    let mut host = Host::healthy("");
    host.mail("active", 5, 10, "a@client.example", "one.example");
    host.master = None;
    host.tells(State::Critical, "master.running is 0 (critical 1:)");
}

#[test]
fn a_hacked_account_is_reported_by_name() {
    let mut host = Host::healthy("qmgr_message_active_limit = 1000\n");
    host.mail(
        "deferred",
        60,
        10 * MINUTE,
        "user{}@client.example",
        "one.example",
    );
    host.mail(
        "deferred",
        600,
        10 * MINUTE,
        "hacked@client.example",
        "victims.example",
    );
    host.tells(
        State::Warning,
        "deferred.top_sender is 600 (hacked@client.example) (warning 499)",
    );
}

#[test]
fn each_default_on_causes_alerts() {
    let relay = "host smtp.relay.example[192.0.2.1] said: 530 5.7.0 Authentication required";
    let refused = "host mx.d.example[192.0.2.1] refused to talk to me: 554 poor reputation";
    #[rustfmt::skip]
    let rows = [
        (1, State::Critical, "4.4.1", "connect to 127.0.0.1[127.0.0.1]:10024: Connection refused", "deferred.cause(filter) is 1 (critical 0)"),
        (1, State::Critical, "4.3.0", "unknown mail transport error", "deferred.cause(configuration) is 1 (critical 0)"),
        (1, State::Critical, "4.3.0", "queue file write error", "deferred.cause(storage) is 1 (critical 0)"),
        (1, State::Critical, "4.7.0", relay, "deferred.cause(authentication) is 1 (critical 0)"),
        (1, State::Critical, "4.4.1", "connect to smtp.relay.example[192.0.2.1]:587: Connection timed out", "deferred.cause(relay) is 1 (critical 0)"),
        (5, State::Warning, "4.3.0", "alias database unavailable", "deferred.cause(delivery) is 5 (warning 4)"),
        (10, State::Warning, "4.0.0", refused, "deferred.cause(blocked) is 10 (warning 2)"),
        (100, State::Critical, "4.0.0", refused, "deferred.cause(blocked) is 100 (critical 99)"),
    ];
    for (count, state, status, reason, part) in rows {
        let mut host = Host::healthy("");
        for number in 0..count {
            let start = QueueFile::cleanup(NOW - 10 * MINUTE, 0);
            let domain = format!("d{number}.example");
            host.message(
                "deferred",
                start,
                "u{}@client.example",
                &domain,
                status,
                reason,
            );
        }
        host.tells(state, part);
    }
}

/// A sample gives a lower bound of recipients, which proves nothing of the number of destinations.
#[test]
fn one_picky_destination_is_residue_in_a_sample_too() {
    let mut host = Host::healthy("");
    let greylisted = "host mx.grey.example[192.0.2.1] said: 450 4.2.0 Greylisted for 300 seconds";
    let refused = "host mx.d.example[192.0.2.1] refused to talk to me: 554 poor reputation";
    for (count, domain, status, reason) in [
        (2_000, "grey.example", "4.2.0", greylisted),
        (90, "d.example", "4.0.0", refused),
    ] {
        for _ in 0..count {
            let start = QueueFile::cleanup(NOW - 10 * MINUTE, 0);
            let sender = "u{}@client.example";
            host.message("deferred", start, sender, domain, status, reason);
        }
    }
    host.is_quiet();
}

#[test]
fn a_watch_hears_of_a_cause_and_of_its_end() {
    let mut host = Host::healthy("");
    let mut options = Options::default();
    let config = host.config.path().as_os_str().as_encoded_bytes();
    options
        .set("config-directory", config)
        .expect("a directory");
    let mut watch = Watch::open(&options, Purpose::Check(TableSet::default())).expect("a watch");
    let mut becomes = |state: State| {
        let begin = Instant::now();
        loop {
            let (_, verdict) = watch.check(&options).expect("a verdict");
            if verdict.state == state {
                return verdict;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{verdict:?}");
            watch
                .wait(Some(Duration::from_millis(100)))
                .expect("a wait");
            watch.dispatch().expect("no trouble");
        }
    };
    becomes(State::Ok);
    let start = QueueFile::cleanup(clock::now() - MINUTE, 0);
    let reason = "connect to 127.0.0.1[127.0.0.1]:10024: Connection refused";
    host.message(
        "deferred",
        start,
        "a@client.example",
        "d.example",
        "4.4.1",
        reason,
    );
    let verdict = becomes(State::Critical);
    let found = verdict.findings[0].text();
    assert_eq!(found, "deferred.cause(filter) is 1 (critical 0)");
    let id = format!("{:06X}7F", host.messages);
    fs::remove_file(host.spool.path().join(format!("deferred/0/{id}"))).expect("a file");
    fs::remove_file(host.spool.path().join(format!("defer/0/{id}"))).expect("a log");
    becomes(State::Ok);
}

#[test]
fn many_destinations_that_cannot_be_reached_are_reported() {
    for (count, state, level) in [
        (10, State::Warning, "warning 9"),
        (25, State::Critical, "critical 24"),
    ] {
        let mut host = Host::healthy("");
        for number in 0..count {
            let domain = format!("d{number}.example");
            host.mail("deferred", 1, 10 * MINUTE, "u{}@client.example", &domain);
        }
        host.tells(state, &format!("deferred.cause(ours) is {count} ({level})"));
    }
}

#[test]
fn a_newsletter_that_is_throttled_is_quiet() {
    let mut host = Host::healthy("");
    host.throttled(600, "news", "news+{}=to@shop.example", "198.51.100.7");
    host.throttled(600, "shop", "orders@shop.example", "198.51.100.7");
    host.is_quiet();
}

#[test]
fn a_stolen_login_is_reported_although_providers_throttle_it() {
    let part = "deferred.top_login is 600 (anna) (warning 499)";
    let mut host = Host::healthy("");
    host.throttled(600, "anna", "forged{}@client.example", "198.51.100.7");
    host.tells(State::Warning, part);
    let (_, text) = host.check(&["-v"]);
    let place = host.place();
    let step = format!(
        "do: deferred.top_login: queuewatch origins --login anna --by client deferred{place}; \
         queuewatch list --login anna --limit 5 deferred{place}; queuewatch explain deferred.top_login"
    );
    assert!(text.contains(&step), "{text}");
    let (_, text) = host.check(&["-v", "-c", "total.client(198.51.100.0/24)=5"]);
    let step = format!(
        "queuewatch list --client 198.51.100.0/24 --limit 5{place}; \
         queuewatch explain 'total.client(198.51.100.0/24)'"
    );
    assert!(text.contains(&step), "{text}");
    let mut host = Host::healthy("");
    host.throttled(600, "anna", "anna@client.example", "198.51.100.{}");
    host.tells(State::Warning, part);
}

#[test]
fn an_acl_on_queue_files_is_reported() {
    let mut host = Host::healthy("");
    host.mail(
        "deferred",
        2,
        10 * MINUTE,
        "a@client.example",
        "one.example",
    );
    let file = QueueFile::cleanup(NOW - MINUTE, 0)
        .sender(b"a@client.example")
        .todo(b"b@one.example")
        .content(b"x")
        .build();
    host.spool.write("deferred/A/ACAC01", &file.bytes, 0o770);
    host.tells(State::Warning, "spool.altered is 1 (warning 0)");
}

#[test]
fn corrupt_and_damaged_mail_is_reported() {
    let mut host = Host::healthy("");
    host.mail("corrupt", 1, HOUR, "a@client.example", "one.example");
    host.tells(State::Critical, "corrupt.messages is 1 (critical 0)");
    let host = Host::healthy("");
    host.spool
        .write("deferred/D/DADA01", b"no queue file", 0o700);
    host.tells(State::Warning, "spool.damaged is 1 (");
    host.tells(State::Warning, "deferred/D/DADA01: ");
}

#[test]
fn a_full_active_queue_is_reported_if_it_lasts() {
    let mut host = Host::healthy("qmgr_message_active_limit = 100\n");
    host.mail("active", 98, 30, "user{}@client.example", "one.example");
    host.mail("incoming", 50, HOUR, "user{}@client.example", "one.example");
    // A large mailing on its way.
    host.is_quiet();
    host.mail(
        "incoming",
        1,
        3 * HOUR,
        "user{}@client.example",
        "one.example",
    );
    host.tells(State::Warning, "incoming.oldest is 3h (warning 2h)");
}

#[test]
fn a_disk_that_is_nearly_full_is_reported() {
    let host = Host::healthy("");
    let mut options = Options::default();
    let config = host.config.path().as_os_str().as_encoded_bytes();
    options
        .set("config-directory", config)
        .expect("a directory");
    let mut snapshot = options
        .scan(Purpose::Check(TableSet::default()))
        .expect("a snapshot");
    for (free_bytes, state) in [
        (1 << 30, State::Ok),
        (500 << 20, State::Warning),
        (60 << 20, State::Critical),
        (0, State::Critical),
    ] {
        snapshot.instances[0].disk = Some(Disk {
            size_bytes: 1 << 40,
            free_bytes,
            free_inodes: Some(1_000_000),
        });
        let verdict = options.check(&snapshot).expect("a verdict");
        assert_eq!(verdict.state, state, "{free_bytes}: {:?}", verdict.findings);
    }
}

#[test]
fn what_cannot_be_read_is_never_well() {
    let host = Host::healthy("");
    let queue = host.spool.path().join("deferred");
    fs::remove_dir(&queue).expect("it was empty");
    fs::write(&queue, "").expect("a file in its place");
    host.tells(State::Unknown, "cannot list ");
    assert!(Path::new(&queue).is_file());
}

#[test]
fn of_several_instances_each_has_its_state_and_a_finding_says_whose_it_is() {
    let well = Host::healthy("");
    let mut sick =
        Host::healthy("multi_instance_name = postfix-out\nmulti_instance_enable = yes\n");
    sick.mail("incoming", 3, 6 * MINUTE, "a@client.example", "one.example");
    let mut idle = Host::healthy("multi_instance_name = postfix-idle\n");
    idle.master = None;
    let main_cf = well.config.path().join("main.cf");
    let mut text = fs::read_to_string(&main_cf).expect("a main.cf");
    text.push_str("multi_instance_enable = yes\nmulti_instance_directories =");
    for other in [&sick, &idle] {
        write!(text, " {}", other.config.path().display()).expect("a String takes all");
    }
    fs::write(&main_cf, text + "\n").expect("written");
    let check = |words: &[&str]| {
        let output = Command::new(PROGRAM)
            .args(["--all-instances", "--now", &NOW.to_string()])
            .args(words)
            .env("MAIL_CONFIG", well.config.path())
            .output()
            .expect("it runs");
        (
            output.status.code().expect("no signal"),
            String::from_utf8(output.stdout).expect("UTF-8"),
        )
    };
    let (code, text) = check(&[]);
    assert_eq!(code, 1, "{text}");
    let first = "POSTFIX QUEUE WARNING: incoming.oldest is 6m (postfix-out) (warning 5m) | ";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains(" 'postfix-out.incoming'=3;"), "{text}");
    let (_, text) = check(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let states: Vec<&str> = json["instances"]
        .as_array()
        .expect("instances")
        .iter()
        .map(|one| one["state"].as_str().expect("a state"))
        .collect();
    assert_eq!(states, ["OK", "WARNING", "OK"]);
    // A default that leaves causes out judges the mail of that instance alone.
    sick.mail(
        "deferred",
        140,
        2 * HOUR,
        "a@client.example",
        "dead.example",
    );
    let (_, text) = check(&["--format", "json", "--exclude", "incoming"]);
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        json["findings"][0]["measure"], "deferred.top_domain",
        "{text}"
    );
    for (place, state) in ["OK", "WARNING", "OK"].into_iter().enumerate() {
        assert_eq!(json["instances"][place]["state"], state, "{place}");
    }
    // Mail waits where nobody is to run: its age alerts, and the stopped master does not.
    idle.mail("incoming", 1, 2 * HOUR, "a@client.example", "one.example");
    let (code, text) = check(&[]);
    assert_eq!(code, 2, "{text}");
    let first = "POSTFIX QUEUE CRITICAL: incoming.oldest is 2h (postfix-idle) (critical 15m)";
    assert!(text.starts_with(first), "{text}");
    assert!(!text.contains("master.running"), "{text}");
    // Neither as the only one that is named, nor by a rule on all; but by one that names it.
    let (code, text) = check(&["--instance", "postfix-idle", "--exclude", "incoming"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = check(&["-c", "master.running=1:"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = check(&["-c", "postfix-idle/master.running=1:"]);
    assert_eq!(code, 2, "{text}");
}
