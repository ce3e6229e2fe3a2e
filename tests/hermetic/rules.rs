//! Rules joined by `and`, and known trouble that is left out: by a check, by a watch, and from the library.

use std::process::Command;

use queuewatch::drill::{self, Delay, QueueFile};
use queuewatch::options::{Options, Purpose};
use queuewatch::rules::{State, Verdict};
use queuewatch::snapshot::{Snapshot, TableSet};
use queuewatch::watch::Watch;

use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const NOW: i64 = 1_795_461_304;
const HOUR: i64 = 3600;

fn deferred(spool: &Spool, id: &str, age: i64, sender: &str, recipients: &[&str]) {
    let mut file = QueueFile::cleanup(NOW - age, 0)
        .attribute("sasl_username", "anna")
        .sender(sender.as_bytes());
    for recipient in recipients {
        file = file.todo(recipient.as_bytes());
    }
    let built = file.content(b"Subject: x\n\nHello\n").build();
    spool.write(&format!("deferred/A/{id}"), &built.bytes, 0o700);
    let mut log = Vec::new();
    for (recipient, offset) in recipients.iter().zip(&built.recipient_offsets) {
        let delay = Delay {
            status: "4.4.1".to_owned(),
            reason: "connect to mx.dead.example[192.0.2.1]:25: Connection timed out".to_owned(),
            reply: None,
            server: None,
        };
        drill::push_entry(&mut log, recipient, None, *offset, &delay);
    }
    spool.write(&format!("defer/A/{id}"), &log, 0o600);
}

/// Four messages: to the dead domain, to it and another one, from the newsletter, and a bounce.
fn spool() -> Spool {
    let spool = Spool::empty();
    deferred(
        &spool,
        "A000001",
        50 * HOUR,
        "a@corp.example",
        &["x@dead.example", "y@Dead.Example"],
    );
    deferred(
        &spool,
        "A000002",
        2 * HOUR,
        "a@corp.example",
        &["x@dead.example", "z@good.example"],
    );
    deferred(
        &spool,
        "A000003",
        3 * HOUR,
        "news@shop.example",
        &["z@good.example"],
    );
    deferred(&spool, "A000004", 4 * HOUR, "", &["w@other.example"]);
    spool
}

fn options(spool: &Spool, set: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    let path = spool.path();
    let own = [
        ("queue-directory", path.to_str().expect("UTF-8")),
        ("now", "1795461304"),
    ];
    for (name, value) in own.iter().chain(set) {
        options.set(name, value.as_bytes()).expect(name);
    }
    options
}

/// The verdict of a check; a watch must give the same, however it was opened.
fn checked(spool: &Spool, set: &[(&str, &str)]) -> (Snapshot, Verdict) {
    let options = options(spool, set);
    let snapshot = options
        .scan(Purpose::Check(TableSet::default()))
        .expect("a snapshot");
    let verdict = options.check(&snapshot).expect("a verdict");
    let words = |verdict: &Verdict| {
        let texts = verdict
            .findings
            .iter()
            .map(queuewatch::rules::Finding::text);
        (
            verdict.state,
            texts.collect::<Vec<_>>(),
            verdict.notes.clone(),
        )
    };
    for purpose in [Purpose::Check(TableSet::default()), Purpose::Everything] {
        let mut watch = Watch::open(&options, purpose).expect("a watch");
        let (_, live) = watch.check(&options).expect("a verdict");
        assert_eq!(words(&live), words(&verdict), "{set:?}");
        let whole = watch.snapshot().expect("a snapshot");
        let live = options.check(&whole).expect("a verdict");
        assert_eq!(words(&live), words(&verdict), "{set:?}");
        let scanned = options.scan(purpose).expect("a snapshot");
        for (one, other) in whole.instances.iter().zip(&scanned.instances) {
            assert_eq!(one.tables, other.tables, "{set:?}");
            for queue in queuewatch::postfix::queue::Queue::ALL {
                assert_eq!(one.tally(queue), other.tally(queue), "{set:?}");
            }
        }
    }
    (snapshot, verdict)
}

#[test]
fn a_watch_samples_delay_reasons_beside_its_tables_and_never_with_counts() {
    let spool = spool();
    let taken = |set: &[(&str, &str)]| {
        let options = options(&spool, set);
        let purpose = Purpose::Check(TableSet::default());
        let mut watch = Watch::open(&options, purpose).expect("a watch");
        let (first, _) = watch.check(&options).expect("a verdict");
        let (again, verdict) = watch.check(&options).expect("a verdict");
        let (first, again) = (&first.instances[0], &again.instances[0]);
        // Two snapshots of a quiet watch share their tables, whatever was sampled.
        assert!(
            std::sync::Arc::ptr_eq(&first.tables, &again.tables),
            "{set:?}"
        );
        let sample = again.sample().map(|sample| (sample.messages, sample.of));
        (sample, verdict.state)
    };
    assert_eq!(taken(&[]).0, Some((4, 4)));
    let breach = ("critical", "deferred.messages=0");
    assert_eq!(taken(&[breach]), (Some((4, 4)), State::Critical));
    assert_eq!(taken(&[breach, ("counts", "")]), (None, State::Critical));
}

#[test]
fn a_joined_rule_alerts_when_all_of_it_does() {
    let spool = spool();
    let text = |rule: &str| {
        let (_, verdict) = checked(&spool, &[("critical", rule)]);
        let findings = verdict.findings.iter();
        let texts: Vec<String> = findings.map(queuewatch::rules::Finding::text).collect();
        (verdict.state, texts.join("; "))
    };
    assert_eq!(
        text("deferred.oldest=2d and deferred.domains(1h)=2"),
        (
            State::Critical,
            "deferred.oldest is 2d 2h (critical 2d) and deferred.domains(1h) is 3 (critical 2)"
                .to_owned()
        )
    );
    assert_eq!(
        text("deferred.oldest=2d and deferred.domains(1h)=3").0,
        State::Ok
    );
    assert_eq!(
        text("deferred.oldest=3d and deferred.domains(1h)=2").0,
        State::Ok
    );
    let both = "deferred.messages=1 and deferred.cause(unreachable)=3 and deferred.login(anna)=3";
    assert_eq!(text(both).0, State::Critical);
}

#[test]
fn performance_data_of_a_joined_rule_has_no_threshold_and_json_has_its_parts() {
    let spool = spool();
    let output = |words: &[&str]| {
        let output = Command::new(PROGRAM)
            .arg("--queue-directory")
            .arg(spool.path())
            .args([
                "--now",
                "1795461304",
                "-w",
                "deferred.messages=1 and deferred.recipients=5",
            ])
            .args(words)
            .output()
            .expect("it runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let text = output(&[]);
    let first = "POSTFIX QUEUE WARNING: deferred.messages is 4 (warning 1) and deferred.recipients is 6 (warning 5)";
    assert!(text.starts_with(first), "{text}");
    assert!(
        text.contains(" deferred=4;;;0 ") && text.contains(" deferred_recipients=6;;;0"),
        "{text}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&output(&["--format", "json"])).expect("JSON");
    assert_eq!(json["findings"][0]["measure"], "deferred.messages");
    assert_eq!(
        json["findings"][0]["and"][0]["measure"],
        "deferred.recipients"
    );
    assert_eq!(json["findings"][0]["and"][0]["value"], 6);
    assert_eq!(json["findings"][0]["and"][0]["range"], "5");
}

#[test]
fn known_trouble_is_left_out_and_said() {
    let spool = spool();
    let count = |set: &[(&str, &str)], measure: &str| {
        let rule = format!("{measure}=0");
        let set = [set, &[("critical", rule.as_str())]].concat();
        let (_, verdict) = checked(&spool, &set);
        let value = verdict
            .findings
            .first()
            .map_or(0.0, |finding| finding.figures.first().value);
        (value as u64, verdict.notes.join("; "))
    };
    let domain = [("exclude-domain", "dead.example")];
    let note = |messages: u64, by: &str| match messages {
        1 => format!("1 message of {by} is left out"),
        _ => format!("{messages} messages of {by} are left out"),
    };
    let by_domain = note(1, "excluded domains");
    for (measure, all, left) in [
        ("deferred.messages", 4, 3),
        ("deferred.recipients", 6, 3),
        ("deferred.oldest", 50 * HOUR as u64, 4 * HOUR as u64),
        ("deferred.domain(dead.example)", 3, 0),
        ("deferred.top_domain", 3, 2),
        ("deferred.domains(1h)", 3, 2),
        ("deferred.cause(unreachable)", 6, 3),
        ("deferred.sender(a@corp.example)", 2, 1),
        ("deferred.login(anna)", 4, 3),
        ("deferred.older(1d)", 1, 0),
    ] {
        assert_eq!(count(&[], measure), (all, String::new()), "{measure}");
        assert_eq!(
            count(&domain, measure),
            (left, by_domain.clone()),
            "{measure}"
        );
    }
    let messages = |set: &[(&str, &str)]| count(set, "deferred.messages");
    let by_sender = "excluded senders";
    assert_eq!(
        messages(&[("exclude-sender", "NEWS@shop.example")]),
        (3, note(1, by_sender))
    );
    assert_eq!(
        messages(&[("exclude-sender", "corp.example")]),
        (2, note(2, by_sender))
    );
    assert_eq!(
        messages(&[("exclude-sender", "<>")]),
        (3, note(1, by_sender))
    );
    let both = [
        ("exclude-sender", "shop.example"),
        ("exclude-domain", "dead.example"),
        ("exclude-domain", "good.example"),
    ];
    assert_eq!(
        messages(&both),
        (1, note(3, "excluded domains and senders"))
    );
}

#[test]
fn defaults_leave_known_trouble_out_and_files_still_count() {
    let spool = Spool::empty();
    for number in 0..120 {
        let id = format!("A{number:05}F");
        deferred(&spool, &id, 600, "a@corp.example", &["x@dead.example"]);
    }
    let (_, verdict) = checked(&spool, &[]);
    assert_eq!(verdict.state, State::Warning);
    let (_, verdict) = checked(&spool, &[("exclude-domain", "dead.example")]);
    assert_eq!((verdict.state, &verdict.findings[..]), (State::Ok, &[][..]));
    // A mode that Postfix reads as a command is no trouble of the destination.
    let file = QueueFile::cleanup(NOW - 60, 0)
        .sender(b"a@corp.example")
        .todo(b"x@dead.example")
        .content(b"x")
        .build();
    spool.write("deferred/A/A00000F", &file.bytes, 0o770);
    let (_, verdict) = checked(&spool, &[("exclude-domain", "dead.example")]);
    assert_eq!(verdict.findings[0].text(), "spool.altered is 1 (warning 0)");
}

#[test]
fn what_cannot_be_left_out_is_refused() {
    let spool = Spool::empty();
    let options = options(&spool, &[("counts", ""), ("exclude-sender", "a@b")]);
    assert!(options.scan(Purpose::Everything).is_err());
    for name in ["exclude-domain", "exclude-sender"] {
        assert!(Options::default().set(name, b"").is_err());
    }
}
