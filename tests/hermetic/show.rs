//! `queuewatch show`: found in every queue without a listing, all facts of a message, and files that are no whole ones.

use std::fs;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use inotify::{EventMask, Inotify, WatchMask};
use queuewatch::Options;
use queuewatch::drill::{self, Delay, QueueFile, RecipientState};
use queuewatch::listing::pick::is_address;
use queuewatch::show::{ShowRequest, Stories, tell};
use serde_json::{Value, json};

use crate::support::spool::{Spool, saved, taken_at};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;

fn ran(spool: &Path, words: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(["show", "--queue-directory"])
        .arg(spool)
        .args(["--now", &NOW.to_string()])
        .args(words)
        .output()
        .expect("it runs")
}

fn document(spool: &Path, words: &[&str]) -> Value {
    let output = ran(spool, &[&["--json"], words].concat());
    assert!(output.status.success(), "{words:?}: {output:?}");
    assert!(output.stderr.is_empty(), "{words:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("a document")
}

fn text(spool: &Path, words: &[&str]) -> String {
    let output = ran(spool, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A message with something of everything.
fn rich() -> Spool {
    let spool = Spool::empty();
    let built = QueueFile::cleanup(NOW - 7200, 0)
        .attribute("sasl_username", "anna")
        .attribute("sasl_method", "PLAIN")
        .attribute("log_client_address", "192.0.2.7")
        .attribute("log_client_name", "pc.client.example")
        .attribute("log_helo_name", "pc")
        .attribute("log_protocol_name", "ESMTPSA")
        .sender(b"anna@send.example")
        .recipient(
            RecipientState::Todo,
            b"bob@dest.example",
            Some(b"list@send.example"),
        )
        .recipient(
            RecipientState::Done,
            b"gone@dest.example",
            Some(b"gone@dest.example"),
        )
        .recipient(
            RecipientState::Done,
            b"bad@dest.example",
            Some(b"alias@send.example"),
        )
        .recipient(RecipientState::Canceled, b"cut@dest.example", None)
        .recipient(RecipientState::Todo, b"late@dest.example", None)
        .content(
            b"Received: from pc (pc.client.example [192.0.2.7])\n\tby mx; now\n\
              From: =?utf-8?Q?J=C3=BCrg?= <anna@send.example>\n\
              SUBJECT: =?utf-8?B?w4TDtg==?=\n =?iso-8859-1?q?_=FC?= \x1b[31m\n\
              X-PHP-Originating-Script: 33:mail.php\n\
              X-Other: z\n\
              \n\
              Hello \x07\n\
              second\n",
        )
        .build();
    spool.write("deferred/A/A000001", &built.bytes, 0o700);
    let mtime = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW as u64 + 600);
    let file = fs::File::options()
        .write(true)
        .open(spool.path().join("deferred/A/A000001"))
        .expect("the file");
    file.set_modified(mtime).expect("a time");
    let delay = Delay {
        status: "4.7.1".into(),
        reason: "host mx.dest.example[192.0.2.9] said: 450 4.7.1 Greylisted, come back".into(),
        reply: None,
        server: None,
    };
    let mut log = Vec::new();
    let original = Some("list@send.example");
    drill::push_entry(
        &mut log,
        "bob@dest.example",
        original,
        built.recipient_offsets[0],
        &delay,
    );
    spool.write("defer/A/A000001", &log, 0o600);
    let refused = Delay {
        status: "5.1.1".into(),
        reason: "host mx.dest.example[192.0.2.9] said: 550 5.1.1 User unknown".into(),
        ..delay
    };
    let mut log = Vec::new();
    drill::push_entry(
        &mut log,
        "bad@dest.example",
        None,
        built.recipient_offsets[2],
        &refused,
    );
    spool.write("bounce/A000001", &log, 0o600);
    spool
}

#[test]
fn everything_is_shown() {
    let spool = rich();
    let all = document(&spool.path(), &["A000001"]);
    assert_eq!(all["complete"], true);
    assert_eq!(all["missing"], json!([]));
    let told = &all["messages"][0];
    for (key, value) in [
        ("queue", json!("deferred")),
        ("queue_id", json!("A000001")),
        ("mode", json!("0700")),
        ("ready", json!(true)),
        ("forced_expire", json!(false)),
        ("misplaced", json!(false)),
        ("damage", json!(null)),
        ("arrival", json!(NOW - 7200)),
        ("age", json!(7200)),
        ("sender", json!("anna@send.example")),
        ("waiting", json!(2)),
        ("done", json!(2)),
        ("deleted", json!(1)),
        ("tries_at_least", json!(1)),
        ("next", json!("retry")),
        ("next_retry", json!(NOW + 600)),
        ("expires", json!(NOW - 7200 + 5 * 86400)),
        ("body", json!(null)),
        (
            "origin",
            json!({
                "by": "login", "login": "anna", "method": "PLAIN", "client": "192.0.2.7",
                "client_name": "pc.client.example", "helo": "pc", "protocol": "ESMTPSA", "user": null,
            }),
        ),
        (
            "headers",
            json!([
                {"name": "From", "value": "J\u{fc}rg <anna@send.example>"},
                {"name": "SUBJECT", "value": "\u{c4}\u{f6} \u{fc} \\x1b[31m"},
                {"name": "X-PHP-Originating-Script", "value": "33:mail.php"},
            ]),
        ),
    ] {
        assert_eq!(told[key], value, "{key}");
    }
    let waiting = json!({
        "address": "bob@dest.example", "original": "list@send.example", "state": "waiting", "log": "defer",
        "code": "4.7.1", "reason": "host mx.dest.example[192.0.2.9] said: 450 4.7.1 Greylisted, come back",
        "cause": "greylisted", "acts": "nobody", "next_hop": "mx.dest.example",
    });
    assert_eq!(told["recipients"][0], waiting);
    let states: Vec<String> = told["recipients"]
        .as_array()
        .expect("recipients")
        .iter()
        .map(|one| format!("{} {} {}", one["address"], one["state"], one["cause"]))
        .collect();
    assert_eq!(
        states,
        [
            r#""bob@dest.example" "waiting" "greylisted""#,
            r#""late@dest.example" "waiting" null"#,
            r#""bad@dest.example" "bounced" "recipient""#,
            r#""gone@dest.example" "done" null"#,
            r#""cut@dest.example" "deleted" null"#,
        ]
    );
    assert_eq!(told["recipients"][2]["original"], "alias@send.example");
    assert_eq!(told["recipients"][3]["original"], json!(null));
}

#[test]
fn the_screen_is_harmless_and_has_what_matters() {
    let spool = rich();
    let screen = text(&spool.path(), &["A000001", "--headers", "--body", "9"]);
    for part in [
        "A000001 in deferred\n",
        "login anna (PLAIN)\n",
        "client 192.0.2.7 (pc.client.example), HELO pc, ESMTPSA\n",
        "sender      anna@send.example\n",
        "recipients: 2 waiting, 2 done, 1 deleted\n",
        "bob@dest.example (sent to list@send.example): waiting\n",
        "greylisted, nobody needs to act, next hop mx.dest.example\n",
        "4.7.1 host mx.dest.example[192.0.2.9] said: 450 4.7.1 Greylisted, come back\n",
        "bad@dest.example (sent to alias@send.example): given up, the sender is not told yet\n",
        "From: J\u{fc}rg <anna@send.example>\n",
        "X-Other: z\n",
        "Hello ?\n",
        "and more\n",
        "(in 10m)",
    ] {
        assert!(screen.contains(part), "{part} is missing:\n{screen}");
    }
    assert!(!screen.contains("second"), "{screen}");
    assert!(screen.lines().count() < 40, "{screen}");
    let harmless = |letter: char| letter == '\n' || !letter.is_control();
    assert!(screen.chars().all(harmless), "{screen:?}");
}

/// A person's terminal shows what was written, but for what a terminal obeys.
#[test]
fn brackets_are_shown_as_they_are() {
    let spool = Spool::empty();
    let file = QueueFile::cleanup(NOW - 7200, 0)
        .attribute("sasl_username", "an<na>|$HOME`id`")
        .attribute("log_client_address", "192.0.2.7")
        .attribute("log_helo_name", "<helo>\u{1b}[2J")
        .sender(b"s<x>@send.example");
    spool.defer(
        "A000001",
        file,
        "b<o>b@dest.example",
        "4.7.1",
        "host mx.dest.example[192.0.2.9] said: 450 4.7.1 <b@dest.example>: wait | $5 \u{9b}2J\u{202e}x",
    );
    let screen = text(&spool.path(), &["A000001"]);
    for part in [
        "login an<na>|$HOME`id`\n",
        "HELO <helo>?[2J",
        "s<x>@send.example\n",
        "b<o>b@dest.example: waiting",
        "450 4.7.1 <b@dest.example>: wait | $5 ?2J?x\n",
    ] {
        assert!(screen.contains(part), "{part} is missing:\n{screen}");
    }
    let printed = |words: &[&str]| {
        let output = spool.run(PROGRAM, NOW, words);
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let reasons = printed(&["reasons", "--raw"]);
    assert!(
        reasons.contains("<b@dest.example>: wait | $5 ?2J?x"),
        "{reasons}"
    );
    let origins = printed(&["origins"]);
    assert!(origins.contains("login an<na>|$HOME`id`\n"), "{origins}");
    let origins = printed(&["origins", "--by", "helo"]);
    assert!(origins.contains("helo <helo>?[2J\n"), "{origins}");
}

#[test]
fn a_missing_message_is_reported() {
    let spool = rich();
    for (words, code, said) in [
        (&["A000002"][..], 1, "no message A000002"),
        (&["A000001", "A000002"], 1, "no message A000002"),
        (&["A000002", "--walk"], 1, "no message A000002"),
        (&["../A000001"], 2, "not a queue ID"),
        (&["A000001\n"], 2, "not a queue ID"),
        (&[""], 2, "not a queue ID"),
        (&[], 2, "the queue ID is missing"),
        (&["A000001", "--body", "0"], 2, "--body"),
        (&["A000001", "--body", "9999999"], 2, "--body"),
        (&["deferred"], 1, "no message deferred"),
    ] {
        let output = ran(&spool.path(), words);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
        let found = String::from_utf8_lossy(&output.stdout).contains("A000001 in deferred");
        assert_eq!(found, words == ["A000001", "A000002"], "{words:?}");
    }
    let output = ran(&spool.path(), &["--json", "A000002", "A000001"]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(told["missing"], json!(["A000002"]));
    assert_eq!(told["messages"].as_array().expect("messages").len(), 1);
}

#[test]
fn what_a_list_prints_of_saved_spools_is_shown() {
    let spool = Spool::of_corpus("short-mixed");
    let taken = taken_at("short-mixed");
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.to_str().expect("UTF-8").as_bytes())
        .expect("an option");
    let request = ShowRequest {
        now: taken,
        ..ShowRequest::default()
    };
    let mut seen = 0;
    for line in saved("short-mixed", "postqueue-j.out").lines() {
        let listed: Value = serde_json::from_str(line).expect("JSON");
        let id = listed["queue_id"].as_str().expect("a queue ID");
        let instances = options.instances().expect("the spool");
        let stories = tell(instances, &[id.as_bytes().to_vec()], &request).expect("it is read");
        assert_eq!(stories.outcome.unreadable, 0, "{id}");
        let in_queue = |story: &&queuewatch::show::Story| {
            story.queue.name() == listed["queue_name"].as_str().unwrap_or_default()
        };
        let story = stories.found.iter().find(in_queue);
        let story = story.unwrap_or_else(|| panic!("{id} is not found"));
        assert_eq!(json!(story.arrival), listed["arrival_time"], "{id}");
        assert_eq!(
            json!(story.is_forced_expire()),
            listed["forced_expire"],
            "{id}"
        );
        assert!(story.ready && !story.misplaced, "{id}");
        let sender = listed["sender"].as_str().expect("a sender");
        match story.sender.as_deref().expect("a sender") {
            b"" => assert_eq!(sender, "MAILER-DAEMON", "{id}"),
            raw => assert!(is_address(sender.as_bytes(), raw), "{id}: {sender}"),
        }
        for recipient in listed["recipients"].as_array().expect("recipients") {
            let address = recipient["address"].as_str().expect("an address");
            let Some(reason) = recipient.get("delay_reason").and_then(Value::as_str) else {
                continue;
            };
            let is_told = story.recipients.iter().any(|one| {
                let why = one.tried.as_ref();
                is_address(address.as_bytes(), &one.address)
                    && why.is_some_and(|tried| tried.reason == reason.as_bytes())
            });
            assert!(is_told, "{id}: {address}: {reason}");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

/// Everything in the spool that can be opened or read, watched.
fn watch(spool: &Path) -> Inotify {
    let inotify = Inotify::init().expect("inotify");
    let mut folders: Vec<PathBuf> = vec![spool.to_owned()];
    while let Some(folder) = folders.pop() {
        inotify
            .watches()
            .add(&folder, WatchMask::OPEN | WatchMask::ACCESS)
            .expect("a watch");
        for entry in fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                folders.push(entry.path());
            }
        }
    }
    // Listing them was an event, too: those are dropped.
    let mut inotify = inotify;
    drain(&mut inotify);
    inotify
}

/// What was opened, and how often a directory was listed.
fn drain(inotify: &mut Inotify) -> (usize, usize) {
    let mut buffer = vec![0; 1 << 16];
    let (mut opened, mut listed) = (0, 0);
    let _ = inotify.as_fd();
    while let Ok(events) = inotify.read_events(&mut buffer) {
        for event in events {
            if event.mask.contains(EventMask::OPEN) {
                opened += 1;
            }
            if event.mask.contains(EventMask::ACCESS | EventMask::ISDIR) {
                listed += 1;
            }
        }
    }
    (opened, listed)
}

#[test]
fn no_directory_is_listed_for_a_message() {
    let spool = rich();
    // A queue with mail around it, which nobody looks at.
    let built = QueueFile::cleanup(NOW, 0)
        .sender(b"a@x")
        .todo(b"b@x")
        .content(b"\n")
        .build();
    for n in 0..500 {
        spool.write(&format!("deferred/A/A0001{n:03}"), &built.bytes, 0o700);
        spool.write(&format!("hold/B0001{n:03}"), &built.bytes, 0o700);
    }
    let mut inotify = watch(&spool.path());
    assert!(text(&spool.path(), &["A000001"]).contains("in deferred"));
    let (opened, listed) = drain(&mut inotify);
    assert_eq!(listed, 0, "a directory was listed");
    // Six queues, three directories of logs, the file and its logs; inotify counts each opening of a file
    // for its directory, too.
    assert!((10..=24).contains(&opened), "{opened} were opened");
    assert_eq!(ran(&spool.path(), &["A00001"]).status.code(), Some(1));
    let (opened, listed) = drain(&mut inotify);
    assert_eq!(listed, 0, "a directory was listed");
    assert!(opened <= 18, "{opened} were opened");
    // The proof can fail: a walk lists them.
    assert_eq!(
        ran(&spool.path(), &["A00001", "--walk"]).status.code(),
        Some(1)
    );
    assert!(drain(&mut inotify).1 > 0);
}

#[test]
fn every_hash_depth_and_both_kinds_of_id_are_found() {
    let built = QueueFile::cleanup(NOW, 0)
        .sender(b"a@x")
        .todo(b"b@x")
        .content(b"\n")
        .build();
    let (short, long) = ("AB00001", "4jYFx90B5Nz1SjH2");
    for depth in 1..=4 {
        let spool = Spool::empty();
        let levels = |id: &str| -> String {
            let key = if id == long { "06AB8" } else { id };
            key.chars().take(depth).flat_map(|key| [key, '/']).collect()
        };
        for id in [short, long] {
            spool.write(&format!("hold/{}{id}", levels(id)), &built.bytes, 0o700);
            spool.write(&format!("active/{id}"), &built.bytes, 0o700);
        }
        let settings = format!(
            "{}hash_queue_names = HOLD, defer\nhash_queue_depth = {depth}\n",
            spool.main_cf()
        );
        let config = tempfile::tempdir().expect("a folder");
        fs::write(config.path().join("main.cf"), settings).expect("a main.cf");
        for id in [short, long] {
            let output = Command::new(PROGRAM)
                .args(["show", "--json", id, "-c"])
                .arg(config.path())
                .output()
                .expect("it runs");
            assert!(output.status.success(), "{output:?}");
            let told: Value = serde_json::from_slice(&output.stdout).expect("a document");
            let places: Vec<String> = told["messages"]
                .as_array()
                .expect("messages")
                .iter()
                .map(|one| format!("{} {}", one["queue"], one["misplaced"]))
                .collect();
            assert_eq!(
                places,
                ["\"active\" false", "\"hold\" false"],
                "{depth} {id}"
            );
        }
    }
}

#[test]
fn what_postfix_does_not_find_is_found() {
    let spool = Spool::empty();
    let built = QueueFile::cleanup(NOW, 0)
        .sender(b"a@x")
        .todo(b"b@x")
        .content(b"\n")
        .build();
    spool.write("deferred/A/B/ABC0001", &built.bytes, 0o700);
    let told = document(&spool.path(), &["ABC0001"]);
    assert_eq!(told["messages"][0]["misplaced"], true);
    assert!(text(&spool.path(), &["ABC0001"]).contains("postsuper -s"));
    spool.write("deferred/Q/DEF0001", &built.bytes, 0o700);
    assert_eq!(ran(&spool.path(), &["DEF0001"]).status.code(), Some(1));
    let told = document(&spool.path(), &["DEF0001", "--walk"]);
    assert_eq!(told["messages"][0]["misplaced"], true);
    spool.write("deferred/long/name/FED0001", &built.bytes, 0o700);
    let told = document(&spool.path(), &["FED0001", "--walk"]);
    assert_eq!(told["messages"][0]["misplaced"], true);
    // Only a file is mail.
    fs::create_dir_all(spool.path().join("active/D1AB000")).expect("a folder");
    std::os::unix::fs::symlink("/etc/passwd", spool.path().join("active/E1AB000")).expect("a link");
    for id in ["D1AB000", "E1AB000"] {
        assert_eq!(ran(&spool.path(), &[id]).status.code(), Some(1), "{id}");
    }
}

#[test]
fn the_target_of_redirected_mail_waits_in_place_of_its_recipients() {
    let spool = Spool::empty();
    let mut file = QueueFile::cleanup(NOW - 10, 0).sender(b"s@x.example");
    for original in ["a@y.example", "b@y.example", "c@z.example"] {
        file = file.todo(original.as_bytes());
    }
    let built = file
        .content(b"Subject: x\n\nHello\n")
        .extracted()
        .record(b'>', b"boss@target.example")
        .build();
    spool.write("deferred/A/A000001", &built.bytes, 0o700);
    let delay = Delay {
        status: "4.4.1".into(),
        reason: "connect to mx.target.example[192.0.2.7]:25: timed out".into(),
        reply: None,
        server: None,
    };
    for logged in [false, true] {
        if logged {
            let mut log = Vec::new();
            let offset = built.recipient_offsets[0];
            let original = Some("a@y.example");
            drill::push_entry(&mut log, "boss@target.example", original, offset, &delay);
            spool.write("defer/A/A000001", &log, 0o600);
        }
        let told = document(&spool.path(), &["A000001"]);
        let message = &told["messages"][0];
        assert_eq!(
            (&message["waiting"], &message["replaced"]),
            (&1.into(), &3.into())
        );
        let recipients = message["recipients"].as_array().expect("recipients");
        let states: Vec<&str> = recipients
            .iter()
            .filter_map(|one| one["state"].as_str())
            .collect();
        assert_eq!(states, ["waiting", "replaced", "replaced", "replaced"]);
        assert_eq!(recipients[0]["address"], "boss@target.example");
        assert_eq!(recipients[0]["code"].is_null(), !logged);
        let screen = text(&spool.path(), &["A000001"]);
        assert!(
            screen.contains("recipients: 1 waiting, 3 replaced"),
            "{screen}"
        );
    }
}

#[test]
fn mail_behind_a_linked_hash_directory_is_not_said_to_be_delivered() {
    let spool = rich();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let hash = spool.path().join("deferred/A");
    fs::rename(&hash, elsewhere.path().join("A")).expect("a hash directory");
    std::os::unix::fs::symlink(elsewhere.path().join("A"), &hash).expect("a link");
    let shown = hash.to_str().expect("UTF-8");
    for more in [&["A000001"][..], &["A000001", "--walk"]] {
        let output = ran(&spool.path(), more);
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(error.contains("in any queue that could be read"), "{error}");
        assert_eq!(error.matches(shown).count(), 1, "{error}");
        let output = ran(&spool.path(), &[&["--json"], more].concat());
        let told: Value = serde_json::from_slice(&output.stdout).expect("a document");
        assert_eq!(told["complete"], false);
    }
    // Another hash directory is not behind it.
    assert_eq!(ran(&spool.path(), &["B000001"]).status.code(), Some(1));
}

#[test]
fn a_file_that_is_cut_anywhere_is_shown_as_far_as_it_goes() {
    let spool = rich();
    let whole = fs::read(spool.path().join("deferred/A/A000001")).expect("the file");
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.to_str().expect("UTF-8").as_bytes())
        .expect("an option");
    let request = ShowRequest {
        now: NOW,
        body: Some(1000),
        all_headers: true,
        ..ShowRequest::default()
    };
    for length in 0..=whole.len() {
        spool.write("incoming/B000001", &whole[..length], 0o600);
        let instances = options.instances().expect("the spool");
        let stories = tell(instances, &[b"B000001".to_vec()], &request).expect("it is read");
        let story = &stories.found[0];
        assert!(!story.ready && story.damage.is_none(), "{length}");
        let screen = queuewatch::render::show::text(story, false);
        assert!(screen.contains("not complete yet"), "{length}: {screen}");
        queuewatch::render::show::json(&stories, NOW);
        spool.write("hold/C000001", &whole[..length], 0o700);
        let instances = options.instances().expect("the spool");
        let stories = tell(instances, &[b"C000001".to_vec()], &request).expect("it is read");
        assert_eq!(
            stories.found[0].damage.is_none(),
            length == whole.len(),
            "{length}"
        );
    }
}

/// Looks for one message while it goes through the queues, many times: it is always found, once.
#[test]
fn a_message_on_its_way_is_always_found() {
    let spool = rich();
    let place = |queue: &str| spool.path().join(queue).join("A000001");
    let places = ["incoming", "active", "deferred/A"].map(place);
    fs::rename(&places[2], &places[0]).expect("a start");
    let stop = AtomicBool::new(false);
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.to_str().expect("UTF-8").as_bytes())
        .expect("an option");
    std::thread::scope(|threads| {
        threads.spawn(|| {
            fs::rename(&places[0], &places[1]).expect("a rename");
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&places[1], &places[2]).expect("a rename");
                // A message rests in deferred, and is tried for a while.
                std::thread::sleep(std::time::Duration::from_millis(1));
                fs::rename(&places[2], &places[1]).expect("a rename");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let look = || -> queuewatch::Result<Stories> {
            let instances = options.instances()?;
            let request = ShowRequest {
                now: NOW,
                ..ShowRequest::default()
            };
            tell(instances, &[b"A000001".to_vec()], &request)
        };
        let outcomes: Vec<queuewatch::Result<Stories>> = (0..500).map(|_| look()).collect();
        stop.store(true, Ordering::Relaxed);
        for stories in outcomes {
            let stories = stories.expect("it is read");
            assert_eq!(stories.found.len(), 1);
            assert_eq!(stories.found[0].waiting, 2);
        }
    });
}
