//! Filters of `queuewatch list`: each kind, any of one kind, all of several, `--not`, `--limit`, `--ids`.

use std::process::Command;

use queuewatch::drill::{self, Delay, QueueFile};

use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;

/// Messages by the letter of their queue ID.
pub(crate) fn mixed() -> Spool {
    let spool = Spool::empty();
    let put = |queue: &str, id: &str, file: QueueFile, delay: Option<(&str, &str)>| {
        let built = file.build();
        spool.write(&format!("{queue}/{id}"), &built.bytes, 0o700);
        if let Some((status, reason)) = delay {
            let delay = Delay {
                status: status.into(),
                reason: reason.into(),
                reply: None,
                server: None,
            };
            let mut log = Vec::new();
            let offset = built.recipient_offsets[0];
            drill::push_entry(&mut log, "one@a.example", None, offset, &delay);
            spool.write(&format!("defer/{}/{id}", &id[..1]), &log, 0o600);
        }
    };
    put(
        "deferred/A",
        "A000001",
        QueueFile::cleanup(NOW - 7200, 0)
            .attribute("log_client_address", "192.0.2.77")
            .attribute("client_address", "127.0.0.1")
            .attribute("sasl_username", "anna")
            .sender(b"Anna@send.example")
            .todo(b"one@a.example")
            .content(b"Subject: =?utf-8?Q?Caf=C3=A9_AU_lait?=\n\nHello\n"),
        Some((
            "4.7.1",
            "host mx.a.example[192.0.2.1] said: 450 4.7.1 Greylisted, try again later",
        )),
    );
    put(
        "deferred/B",
        "B000001",
        QueueFile::cleanup(NOW - 431_000, 0)
            .attribute("client_address", "2001:db8::7")
            .attribute("client_name", "host.client.example")
            .sender(b"")
            .todo(b"john doe@b.example")
            .content(b"From: x\nSubject: folded\n caf\xc3\xa9\n\nHello\n"),
        Some((
            "4.4.1",
            "connect to mx.b.example[192.0.2.2]:25: Connection refused",
        )),
    );
    put(
        "hold",
        "C000001",
        QueueFile::cleanup(NOW - 60, 0)
            .sender(b"bob@b\xc3\xbccher.example")
            .todo(b"two@a.example")
            .todo(b"three@xn--bcher-kva.example")
            .content(format!("No: subject\n\n{}", "Subject: caf\u{e9}\n".repeat(200)).as_bytes()),
        None,
    );
    spool
}

/// `list --ids` on this spool.
fn ids(spool: &Spool) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(["list", "--ids", "--queue-directory"])
        .arg(spool.path())
        .args(["--now", &NOW.to_string()]);
    command
}

/// Exit code, standard output, standard error.
fn told(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// The letters of the messages that `words` pick, in the order of the list.
pub(crate) fn picked(spool: &Spool, words: &[&str]) -> String {
    let (code, text, error) = told(ids(spool).args(words));
    assert!(code == Some(0) && error.is_empty(), "{words:?}: {error}");
    let mut letters: Vec<&str> = text
        .lines()
        .map(|line| {
            let letter = line.strip_suffix("000001");
            letter.unwrap_or_else(|| panic!("no bare queue ID: {line}"))
        })
        .collect();
    // Without it the order is the directory's.
    if !words.contains(&"--sort") {
        letters.sort_unstable();
    }
    letters.concat()
}

#[test]
fn each_kind_picks() {
    let spool = mixed();
    for (words, letters) in [
        (&[][..], "ABC"),
        (&["--recipient", "one@a.example"], "A"),
        (&["--recipient", "ONE@A.example"], "A"),
        (&["--recipient", "\"john doe\"@b.example"], "B"),
        (&["--recipient", "john doe@b.example"], "B"),
        (&["--sender", "anna@send.example"], "A"),
        (&["--sender", "send.example"], "A"),
        (&["--sender", "<>"], "B"),
        (&["--sender", "MAILER-DAEMON"], "B"),
        (&["--sender", "xn--bcher-kva.example"], "C"),
        (&["--recipient", "one@A.EXAMPLE"], "A"),
        (&["--domain", "a.example"], "AC"),
        (&["--domain", "b\u{fc}cher.example"], "C"),
        (&["--reason", "4.7"], "A"),
        (&["--reason", "4"], "AB"),
        (&["--cause", "greylisted"], "A"),
        (&["--cause", "unreachable"], "B"),
        (&["--cause", "theirs"], "AB"),
        (&["--cause", "ours"], ""),
        (&["--next-hop", "mx.a.example"], "A"),
        (&["--next-hop", "MX.b.example"], "B"),
        (&["--next-hop", "192.0.2.2"], ""),
        (&["--next-hop", "-"], ""),
        (&["--login", "anna"], "A"),
        // Another login, whose mail nobody may delete by mistake.
        (&["--login", "Anna"], ""),
        (&["--client", "192.0.2.77"], "A"),
        (&["--client", "192.0.2.0/24"], "A"),
        (&["--client", "127.0.0.1"], ""),
        (&["--client", "2001:db8::/32"], "B"),
        (&["--client", "host.client.example"], "B"),
        (&["--subject", "CAF\u{c9} au"], "A"),
        (&["--subject", "caf\u{e9}"], "AB"),
        (&["--older", "1h"], "AB"),
        (&["--younger", "1h"], "C"),
        (&["--expiring", "1h"], "B"),
        (&["--larger", "2k"], "C"),
    ] {
        assert_eq!(picked(&spool, words), letters, "{words:?}");
    }
}

/// The empty address has a name of its own in a list, and the filters take that name.
#[test]
fn the_empty_address_as_the_list_prints_it() {
    let spool = Spool::empty();
    for (id, sender, recipient) in [
        ("A000001", &b"anna@send.example"[..], &b""[..]),
        ("B000001", b"", b"two@b.example"),
        ("C000001", b"mailer-daemon", b"nobody.here@c.example"),
    ] {
        let file = QueueFile::cleanup(NOW - 60, 0)
            .sender(sender)
            .todo(recipient);
        let file = file.content(b"Subject: test\n\nHello\n").build();
        spool.write(&format!("hold/{id}"), &file.bytes, 0o700);
    }
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(
        home.path().join("main.cf"),
        "empty_address_recipient = no one@here.example\n",
    )
    .expect("a main.cf");
    let config = ["--config-directory", home.path().to_str().expect("UTF-8")];
    for (words, letters, configured) in [
        (["--recipient", "<>"], "A", "A"),
        (["--recipient", "MAILER-DAEMON"], "A", "A"),
        (["--recipient", "no one@here.example"], "", "A"),
        (["--recipient", "\"no one\"@here.example"], "", "A"),
        (["--sender", "<>"], "B", "B"),
        (["--sender", "MAILER-DAEMON"], "BC", "BC"),
        (["--sender", "\"no one\"@here.example"], "", "B"),
    ] {
        assert_eq!(picked(&spool, &words), letters, "{words:?}");
        let words = [&config[..], &words].concat();
        assert_eq!(picked(&spool, &words), configured, "{words:?}");
    }
}

#[test]
fn filters_combine() {
    let spool = mixed();
    for (words, letters) in [
        (&["--login", "anna", "--login", "nobody"][..], "A"),
        (
            &[
                "--recipient",
                "two@a.example",
                "--recipient",
                "one@a.example",
            ],
            "AC",
        ),
        (&["--domain", "a.example", "--older", "1h"], "A"),
        (&["--cause", "ours", "--cause", "greylisted"], "A"),
        (&["--not", "--domain", "a.example"], "B"),
        (&["--domain", "a.example", "--not", "--login", "anna"], "C"),
        (
            &["--not", "--login", "anna", "--not", "--sender", "<>"],
            "C",
        ),
        (&["--not", "--subject", "caf\u{e9}"], "C"),
        (&["--limit", "2", "--sort", "queue_id"], "AB"),
        (&["--limit", "1", "--domain", "a.example", "hold"], "C"),
        (&["--limit", "2", "--sort", "arrival"], "BA"),
        (&["--sort", "size", "--limit", "1"], "C"),
        (&["--sort", "retry"], "ABC"),
    ] {
        assert_eq!(picked(&spool, words), letters, "{words:?}");
    }
}

/// Messages with two recipients, each of which waits for its own reason. Only of B one recipient has both.
pub(crate) fn two_recipients() -> Spool {
    let throttled = (
        "4.7.28",
        "host mx.a.example[192.0.2.1] said: 421 4.7.28 Too many messages",
    );
    let unreachable = |hop: &str| {
        let reason = format!("connect to {hop}[192.0.2.2]:25: Connection timed out");
        ("4.4.1", reason)
    };
    let spool = Spool::empty();
    for (id, [first, second]) in [
        (
            "A000001",
            [
                (throttled.0, throttled.1.to_owned()),
                unreachable("mx.b.example"),
            ],
        ),
        (
            "B000001",
            [unreachable("mx.a.example"), unreachable("mx.b.example")],
        ),
    ] {
        let file = QueueFile::cleanup(NOW - 7200, 0)
            .sender(b"anna@send.example")
            .todo(b"one@a.example")
            .todo(b"two@b.example")
            .todo(b"three@c.example")
            .content(b"Subject: test\n\nHello\n")
            .build();
        spool.write(&format!("deferred/{}/{id}", &id[..1]), &file.bytes, 0o700);
        let mut log = Vec::new();
        for (place, (address, (status, reason))) in
            [("one@a.example", first), ("two@b.example", second)]
                .into_iter()
                .enumerate()
        {
            let delay = Delay {
                status: status.into(),
                reason,
                reply: None,
                server: None,
            };
            let offset = file.recipient_offsets[place];
            drill::push_entry(&mut log, address, None, offset, &delay);
        }
        spool.write(&format!("defer/{}/{id}", &id[..1]), &log, 0o600);
    }
    spool
}

/// Filters about a delivery hold for one recipient. Else mail that one server slows down is deleted because another
/// server is down.
#[test]
fn filters_about_a_delivery_hold_for_one_recipient() {
    let spool = two_recipients();
    for (words, letters) in [
        (
            &["--cause", "unreachable", "--next-hop", "mx.a.example"][..],
            "B",
        ),
        (
            &["--cause", "unreachable", "--next-hop", "mx.b.example"],
            "AB",
        ),
        (&["--cause", "throttled", "--next-hop", "mx.b.example"], ""),
        (&["--cause", "throttled", "--reason", "4.4.1"], ""),
        (&["--cause", "theirs", "--domain", "c.example"], ""),
        (&["--cause", "unreachable", "--domain", "a.example"], "B"),
        (&["--reason", "4.4.1", "--recipient", "one@a.example"], "B"),
        (&["--next-hop", "mx.b.example", "--domain", "a.example"], ""),
        (&["--cause", "unreachable", "--domain", "c.example"], ""),
        // Alternatives of one kind may hold for different recipients of different messages.
        (
            &[
                "--cause",
                "unreachable",
                "--cause",
                "throttled",
                "--next-hop",
                "mx.a.example",
            ],
            "AB",
        ),
        (
            &["--recipient", "one@a.example", "--domain", "b.example"],
            "",
        ),
        (
            &["--recipient", "one@a.example", "--domain", "a.example"],
            "AB",
        ),
        // Filters on the message are no part of a delivery.
        (
            &[
                "--sender",
                "send.example",
                "--next-hop",
                "mx.a.example",
                "--cause",
                "unreachable",
            ],
            "B",
        ),
        // A negated filter is about the whole message, each on its own.
        (
            &["--cause", "unreachable", "--not", "--cause", "throttled"],
            "B",
        ),
        (
            &[
                "--domain",
                "a.example",
                "--not",
                "--next-hop",
                "mx.b.example",
            ],
            "",
        ),
        (
            &[
                "--not",
                "--cause",
                "throttled",
                "--not",
                "--domain",
                "x.example",
            ],
            "B",
        ),
    ] {
        assert_eq!(picked(&spool, words), letters, "{words:?}");
    }
}

/// What rules and figures leave out is left out of a list in the same words, so that a list has the messages that a
/// figure counts.
#[test]
fn what_rules_leave_out_is_left_out() {
    let spool = mixed();
    for (words, letters) in [
        (&["--exclude", "hold"][..], "AB"),
        (&["--exclude", "hold", "hold", "deferred"], "AB"),
        (&["--exclude-sender", "<>"], "AC"),
        (&["--exclude-sender", "send.example"], "BC"),
        // C waits for somebody else, too.
        (&["--exclude-domain", "a.example"], "BC"),
        (
            &[
                "--exclude-domain",
                "a.example",
                "--exclude-domain",
                "b\u{fc}cher.example",
            ],
            "B",
        ),
        (
            &["--exclude-domain", "b.example", "--domain", "b.example"],
            "",
        ),
        (
            &["--exclude-sender", "send.example", "--sort", "arrival"],
            "BC",
        ),
    ] {
        assert_eq!(picked(&spool, words), letters, "{words:?}");
    }
}

#[test]
fn what_picks_nothing_sensible_is_refused() {
    let spool = mixed();
    for (words, part) in [
        (&["--not"][..], "--not is not followed by a filter"),
        (&["--not", "--not", "--login", "a"], "--not is given twice"),
        (
            &["--cause", "evil"],
            "--cause \"evil\": a cause is one of filter, delivery",
        ),
        (
            &["--client", "192.0.2.0/33"],
            "--client \"192.0.2.0/33\": a network is",
        ),
        (&["--older", "-5"], "--older \"-5\""),
        (&["--older", "4q"], "--older \"4q\": character 2"),
        (&["--larger", "1h"], "--larger \"1h\""),
        (&["--reason", "9.9"], "not an enhanced status code"),
        (&["--login", ""], "a value is missing"),
        (&["--limit", "0"], "--limit takes a number above 0"),
    ] {
        let output = Command::new(PROGRAM)
            .args(["list", "--queue-directory"])
            .arg(spool.path())
            .args(words)
            .output()
            .expect("it runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(part), "{words:?}: {error}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}

#[test]
fn bare_queue_ids_of_several_instances_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [first, second] = ["first", "second"].map(|name| {
        let spool = mixed();
        let config = folder.path().join(name);
        std::fs::create_dir(&config).expect("a directory");
        let name_of = match name {
            "first" => format!(
                "multi_instance_directories = {}\n",
                folder.path().join("second").display()
            ),
            _ => "multi_instance_name = postfix-second\nmulti_instance_enable = yes\n".to_owned(),
        };
        let main_cf = format!("queue_directory = {}\n{name_of}", spool.path().display());
        std::fs::write(config.join("main.cf"), main_cf).expect("a file");
        (config, spool)
    });
    let run = |words: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(["list", "--ids"]).args(words);
        told(command.env("MAIL_CONFIG", &first.0))
    };
    let (code, text, error) = run(&["--instance", "postfix-second"]);
    assert_eq!((code, text.lines().count()), (Some(0), 3), "{error}");
    let (code, text, error) = run(&["--instance", "postfix-second", "--instance", "postfix"]);
    assert_eq!((code, text.as_str()), (Some(2), ""), "{error}");
    assert!(error.contains("--ids is for postsuper"), "{error}");
    // --all-instances is refused unless one is picked.
    let (code, text, error) = run(&["--all-instances"]);
    assert_eq!((code, text.as_str()), (Some(2), ""), "{error}");
    for part in ["--ids", "--instance NAME", "-c DIR"] {
        assert!(error.contains(part), "{error}");
    }
    let (code, text, error) = run(&["--all-instances", "--instance", "postfix-second"]);
    assert_eq!((code, text.lines().count()), (Some(0), 3), "{error}");
    drop(second);
}
