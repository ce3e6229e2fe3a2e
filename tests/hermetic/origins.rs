//! `queuewatch origins`: what mail is put together by, its sums, and that it agrees with the list and the filters.

use std::os::unix::fs::chown;

use queuewatch::drill::QueueFile;
use queuewatch::options::{OPTIONS, is_filter};
use queuewatch::origins::Grouping;
use serde_json::Value;

use crate::picks;
use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;

fn put(spool: &Spool, name: &str, file: QueueFile) {
    spool.write(name, &file.build().bytes, 0o700);
}

/// A login with many senders, a client that a content filter passed on, local users, and one of which nothing is known.
fn mixed() -> Spool {
    let spool = Spool::empty();
    for n in 0..4 {
        let file = QueueFile::cleanup(NOW - 100 * i64::from(n), 0)
            .attribute("sasl_username", "anna")
            .attribute("sasl_method", "PLAIN")
            .attribute("log_client_address", &format!("198.51.100.{n}"))
            .attribute("log_helo_name", "pc")
            .sender(format!("x{n}@spam.example").as_bytes())
            .todo(b"a@one.example")
            .todo(format!("b@two{n}.example").as_bytes())
            .content(b"Subject: =?utf-8?B?w4RiYw==?=\n\nHello\n");
        put(&spool, &format!("deferred/A/A00000{n}"), file);
    }
    let filtered = QueueFile::cleanup(NOW - 50, 0)
        .attribute("client_address", "127.0.0.1")
        .attribute("client_name", "localhost")
        .attribute("log_client_address", "2001:db8:1:2::77")
        .attribute("log_client_name", "unknown")
        .sender(b"")
        .todo(b"c@one.example")
        .content(b"Received: by evil (Postfix, from userid 0)\n\nHello\n");
    put(&spool, "active/B000001", filtered);
    let local = |user: &str| {
        QueueFile::cleanup(NOW - 10, 0)
            .sender(b"www@host.example")
            .todo(b"d@one.example")
            .content(
                format!(
                    "Received: by host.example (Postfix, from userid {user})\n\tid 1; now\n\
                     Received: by host.example (Postfix, from userid 7)\n\nHello\n"
                )
                .as_bytes(),
            )
    };
    put(&spool, "hold/C000001", local("33"));
    put(&spool, "hold/C000002", local("33"));
    put(&spool, "incoming/D000001", local("none"));
    spool
}

fn output(spool: &Spool, words: &[&str]) -> String {
    let output = spool.run(PROGRAM, NOW, &[&["origins"], words].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && error.is_empty(),
        "{words:?}: {error}"
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The rows as `by name messages`, in their order.
fn rows(spool: &Spool, words: &[&str]) -> Vec<String> {
    let text = output(spool, &[&["--json"], words].concat());
    let document: Value = serde_json::from_str(&text).expect("a document");
    assert_eq!(document["complete"], true);
    let rows = document["origins"].as_array().expect("rows");
    let text = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
    rows.iter()
        .map(|row| {
            format!(
                "{} {} {}",
                text(row, "by"),
                text(row, "name"),
                row["messages"]
            )
        })
        .collect()
}

#[test]
fn the_best_that_is_known_stands_for_a_message() {
    let spool = mixed();
    assert_eq!(
        rows(&spool, &[]),
        [
            "login anna 4",
            "user 33 2",
            "client 2001:db8:1:2::77 1",
            "unknown  1"
        ]
    );
    let text = output(&spool, &["--json", "deferred"]);
    let document: Value = serde_json::from_str(&text).expect("a document");
    let wanted = serde_json::json!({
        "by": "login", "name": "anna", "messages": 4, "recipients": 8, "senders": 4, "domains": 5,
        "oldest": 300, "newest": 0, "queue_id": "A000003",
    });
    assert_eq!(document["origins"][0], wanted);
}

#[test]
fn mail_in_maildrop_is_of_who_submitted_it_also_after_a_requeue() {
    let spool = Spool::empty();
    let received = b"Received: by host.example (Postfix, from userid 33)\n\tid 1; now\n\nHello\n";
    let with = |start: QueueFile| {
        start
            .sender(b"www@host.example")
            .todo(b"d@one.example")
            .content(received)
            .build()
            .bytes
    };
    // postdrop(1) leaves the owner and no size record; a Received header is then the caller's own words.
    spool.write(
        "maildrop/A000001",
        &with(QueueFile::maildrop(NOW - 10, 0)),
        0o744,
    );
    let give =
        |name: &str, owner| chown(spool.path().join(name), Some(owner), None).expect("root may");
    give("maildrop/A000001", 1234);
    // postsuper -r moves a file of cleanup(8), which belongs to Postfix.
    spool.write(
        "maildrop/B000001",
        &with(QueueFile::cleanup(NOW - 10, 0)),
        0o744,
    );
    give("maildrop/B000001", 104);
    assert_eq!(rows(&spool, &["maildrop"]), ["user 1234 1", "user 33 1"]);
}

#[test]
fn redirected_mail_is_one_recipient_at_its_target() {
    let spool = Spool::empty();
    for (id, target) in [
        ("A000001", "boss@target.example"),
        ("A000002", "boss@target.example"),
    ] {
        let file = QueueFile::cleanup(NOW - 10, 0)
            .attribute("sasl_username", "anna")
            .sender(b"s@x.example")
            .todo(b"a@y.example")
            .todo(b"b@y.example")
            .todo(b"c@z.example")
            .content(b"Subject: x\n\nHello\n")
            .extracted()
            .record(b'>', target.as_bytes());
        put(&spool, &format!("deferred/A/{id}"), file);
    }
    let text = output(&spool, &["--json"]);
    let document: Value = serde_json::from_str(&text).expect("a document");
    let row = &document["origins"][0];
    assert_eq!(
        (&row["recipients"], &row["domains"]),
        (&2.into(), &1.into())
    );
    let status = spool.run(
        PROGRAM,
        NOW,
        &["status", "--warning", "deferred.domain(target.example)=1"],
    );
    let status = String::from_utf8(status.stdout).expect("UTF-8");
    assert!(
        status.contains("deferred.domain(target.example) is 2"),
        "{status}"
    );
    let listed = spool.run(PROGRAM, NOW, &["list", "--domain", "target.example"]);
    let listed = String::from_utf8(listed.stdout).expect("UTF-8");
    assert_eq!(listed.lines().count(), 2);
    // A list prints the recipients of the file, as postqueue does.
    assert!(listed.contains("a@y.example"), "{listed}");
}

/// A content filter that passes a client on writes an IPv6 address with a prefix (RFC 5321, 4.1.3).
#[test]
fn an_ipv6_client_before_a_filter_is_the_one_that_connects() {
    let spool = Spool::empty();
    let address = "2001:db8:1:2::77";
    for (id, client) in [("A000001", address), ("B000001", "IPv6:2001:db8:1:2::77")] {
        let file = QueueFile::cleanup(NOW - 50, 0)
            .attribute("log_client_address", client)
            .sender(b"s@x.example")
            .todo(b"a@y.example")
            .content(b"\n");
        put(&spool, &format!("hold/{id}"), file);
    }
    for (by, wanted) in [
        (&[][..], format!("client {address} 2")),
        (&["--by", "client"], format!("client {address} 2")),
        (
            &["--by", "network"],
            "network 2001:db8:1:2::/64 2".to_owned(),
        ),
    ] {
        assert_eq!(rows(&spool, by), [wanted], "{by:?}");
    }
    for client in [address, "IPv6:2001:db8:1:2::77", "2001:db8:1::/48"] {
        assert_eq!(rows(&spool, &["--client", client]).len(), 1, "{client}");
    }
    let rule = format!("hold.client({address})=1");
    for rule in ["hold.top_client=1", &rule] {
        let status = spool.run(PROGRAM, NOW, &["status", "--warning", rule]);
        let status = String::from_utf8(status.stdout).expect("UTF-8");
        assert!(status.contains(" is 2"), "{rule}: {status}");
    }
}

#[test]
fn mail_is_grouped_by_the_given_field() {
    let spool = mixed();
    let mut tested = Vec::new();
    for (by, wanted) in [
        ("login", &["login  4", "login anna 4"][..]),
        (
            "client",
            &[
                "client  3",
                "client 198.51.100.0 1",
                "client 198.51.100.1 1",
                "client 198.51.100.2 1",
                "client 198.51.100.3 1",
                "client 2001:db8:1:2::77 1",
            ],
        ),
        (
            "sender",
            &[
                "sender MAILER-DAEMON 1",
                "sender www@host.example 3",
                "sender x0@spam.example 1",
                "sender x1@spam.example 1",
                "sender x2@spam.example 1",
                "sender x3@spam.example 1",
            ],
        ),
        (
            "network",
            &[
                "network  3",
                "network 198.51.100.0/24 4",
                "network 2001:db8:1:2::/64 1",
            ],
        ),
        ("user", &["user  6", "user 33 2"]),
        (
            "sender-domain",
            &[
                "sender-domain MAILER-DAEMON 1",
                "sender-domain host.example 3",
                "sender-domain spam.example 4",
            ],
        ),
        ("helo", &["helo  4", "helo pc 4"]),
        ("subject", &["subject  4", "subject \u{c4}bc 4"]),
    ] {
        let mut found = rows(&spool, &["--by", by]);
        found.sort();
        assert_eq!(found, wanted, "{by}");
        tested.push(by);
    }
    // A new grouping gets a row here.
    tested.sort_unstable();
    let mut all = Grouping::NAMED.map(Grouping::name);
    all.sort_unstable();
    assert_eq!(tested, all);
}

/// Every filter, and that it picks the messages that it picks for a list.
#[test]
fn every_filter_picks_what_it_picks_for_a_list() {
    let spool = picks::mixed();
    let known = OPTIONS.iter().map(|row| row.name);
    let mut untested: Vec<&str> = known.filter(|name| is_filter(name)).collect();
    for (words, best) in [
        (&["--recipient", "one@a.example"][..], &["login anna 1"][..]),
        (&["--sender", "<>"], &["client 2001:db8::7 1"]),
        (&["--domain", "a.example"], &["login anna 1", "unknown  1"]),
        (&["--reason", "4.4"], &["client 2001:db8::7 1"]),
        (&["--cause", "greylisted"], &["login anna 1"]),
        (&["--next-hop", "mx.b.example"], &["client 2001:db8::7 1"]),
        (&["--login", "anna"], &["login anna 1"]),
        (&["--client", "2001:db8::/32"], &["client 2001:db8::7 1"]),
        (
            &["--subject", "caf\u{e9}"],
            &["client 2001:db8::7 1", "login anna 1"],
        ),
        (
            &["--older", "1h"],
            &["client 2001:db8::7 1", "login anna 1"],
        ),
        (&["--younger", "1h"], &["unknown  1"]),
        (&["--expiring", "1h"], &["client 2001:db8::7 1"]),
        (&["--larger", "2k"], &["unknown  1"]),
        (
            &["--not", "--login", "anna"],
            &["client 2001:db8::7 1", "unknown  1"],
        ),
        (&["--login", "nobody"], &[]),
    ] {
        let mut found = rows(&spool, words);
        found.sort();
        assert_eq!(found, best, "{words:?}");
        // The same messages, whatever they are put together by.
        let listed = picks::picked(&spool, words).len();
        assert_eq!(found.len(), listed, "{words:?}");
        for by in Grouping::NAMED {
            let sum: usize = rows(&spool, &[words, &["--by", by.name()]].concat())
                .iter()
                .map(|row| {
                    row.rsplit(' ')
                        .next()
                        .and_then(|n| n.parse().ok())
                        .unwrap_or(0)
                })
                .sum();
            assert_eq!(sum, listed, "{words:?} by {}", by.name());
        }
        untested.retain(|name| !words.contains(&format!("--{name}").as_str()));
    }
    assert_eq!(untested, [""; 0], "a filter without a row here");
}

#[test]
fn filters_and_limits_are_those_of_a_list() {
    let spool = mixed();
    assert_eq!(rows(&spool, &["--limit", "1"]), ["login anna 4"]);
    assert_eq!(
        rows(&spool, &["--domain", "two1.example"]),
        ["login anna 1"]
    );
    assert_eq!(
        rows(&spool, &["--not", "--login", "anna", "--older", "20s"]),
        ["client 2001:db8:1:2::77 1"]
    );
    assert_eq!(rows(&spool, &["hold"]), ["user 33 2"]);
    let text = output(&spool, &["--limit", "2"]);
    assert!(
        text.contains("login anna") && text.contains(" 50%  "),
        "{text}"
    );
    assert!(text.contains("and 2 more origins"), "{text}");
    assert_eq!(output(&Spool::empty(), &[]), "no mail\n");
}

#[test]
fn rules_name_the_login_and_the_client() {
    let spool = mixed();
    for (rule, wanted) in [
        (
            "deferred.top_login=3",
            "deferred.top_login is 4 (anna) (warning 3)",
        ),
        (
            "deferred.login(anna)=3",
            "deferred.login(anna) is 4 (warning 3)",
        ),
        ("deferred.login(nobody)=0", ""),
        (
            "active.top_client=0",
            "active.top_client is 1 (2001:db8:1:2::77) (warning 0)",
        ),
        (
            "total.client(198.51.100.0/24)=3",
            "total.client(198.51.100.0/24) is 4 (warning 3)",
        ),
        (
            "total.client(198.51.100.3)=0",
            "total.client(198.51.100.3) is 1 (warning 0)",
        ),
        ("total.client(127.0.0.1)=0", ""),
        ("hold.top_login=0", ""),
    ] {
        let output = spool.run(PROGRAM, NOW, &["status", "--warning", rule]);
        let text = String::from_utf8_lossy(&output.stdout);
        match wanted {
            "" => assert!(!text.contains("WARNING"), "{rule}: {text}"),
            wanted => assert!(
                text.contains("WARNING") && text.contains(wanted),
                "{rule}: {text}"
            ),
        }
    }
}

/// Long output has the few logins and clients with most messages, in text that is harmless to a monitoring system.
#[test]
fn long_output_names_the_logins_and_clients_with_most_messages() {
    let spool = mixed();
    for (id, login) in [
        ("E000001", "evil|<b>$HOST$`id`\n"),
        ("E000002", "bob@x.example"),
    ] {
        let file = QueueFile::cleanup(NOW - 10, 0)
            .attribute("sasl_username", login)
            .attribute("log_client_address", "203.0.113.5")
            .sender(b"s@x.example")
            .todo(b"a@one.example")
            .content(b"\n");
        put(&spool, &format!("hold/{id}"), file);
    }
    for (n, login) in ('a'..='f').enumerate() {
        let file = QueueFile::cleanup(NOW - 10, 0)
            .attribute("sasl_username", &format!("one-{login}"))
            .sender(b"s@x.example")
            .todo(b"a@one.example")
            .content(b"\n");
        put(&spool, &format!("hold/F00000{n}"), file);
    }
    let plugin = env!("CARGO_BIN_EXE_check_postfix_queue");
    let long = spool.run(plugin, NOW, &["-v"]);
    let long = String::from_utf8(long.stdout).expect("UTF-8");
    let after = |head: &str| -> Vec<&str> {
        let lines = long.lines().skip_while(|line| *line != head).skip(1);
        lines.take_while(|line| line.starts_with("  ")).collect()
    };
    assert_eq!(
        after("messages by login:"),
        [
            "       4 anna",
            "       1 bob@x.example",
            "       1 evil??b??HOST??id??",
            "       1 one-a",
            "       1 one-b",
        ],
        "{long}"
    );
    let clients = after("messages by client:");
    assert_eq!(clients.len(), 5, "{long}");
    assert_eq!(clients[0], "       2 203.0.113.5", "{long}");
    let short = spool.run(plugin, NOW, &[]);
    let short = String::from_utf8(short.stdout).expect("UTF-8");
    assert!(!short.contains("messages by"), "{short}");
}

#[test]
fn metrics_count_the_top_login_and_the_top_client_and_name_none() {
    let spool = mixed();
    let output = spool.run(PROGRAM, NOW, &["status", "--openmetrics"]);
    let text = String::from_utf8_lossy(&output.stdout);
    for wanted in [
        "postfix_spool_top_login_messages{postfix_instance=\"postfix\",queue=\"deferred\"} 4\n",
        "postfix_spool_top_client_messages{postfix_instance=\"postfix\",queue=\"active\"} 1\n",
        "postfix_spool_top_login_messages{postfix_instance=\"postfix\",queue=\"hold\"} 0\n",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing: {text}");
    }
    for name in ["anna", "2001:db8", "198.51.100"] {
        assert!(!text.contains(name), "{name}: {text}");
    }
}
