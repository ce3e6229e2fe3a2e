//! `queuewatch origins` names who submitted mail, on queue files that a real Postfix wrote: after XFORWARD and XCLIENT, by a
//! login, and by a local user, in maildrop and after pickup.

use std::process::Command;

use serde_json::Value;

use crate::support::postfix::{Options, Postfix};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
/// A local user without rights.
const NOBODY: u32 = 65_534;

/// The rows as `by name messages`, sorted.
fn rows(postfix: &Postfix, words: &[&str]) -> Vec<String> {
    let output = Command::new(PROGRAM)
        .args(["origins", "--json", "-c"])
        .arg(postfix.config_directory())
        .args(words)
        .output()
        .expect("it runs");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{words:?}: {output:?}"
    );
    let document: Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(document["complete"], true, "{words:?}");
    let text = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
    let found = document["origins"].as_array().expect("rows").iter();
    let mut rows: Vec<String> = found
        .map(|row| {
            let (by, name) = (text(row, "by"), text(row, "name"));
            format!("{by} {name} {}", row["messages"])
        })
        .collect();
    rows.sort();
    rows
}

/// What a client may say of another one.
fn trusting() -> Postfix {
    Postfix::start(&Options {
        main_cf: vec![
            "smtpd_authorized_xforward_hosts = 127.0.0.0/8".to_owned(),
            "smtpd_authorized_xclient_hosts = 127.0.0.0/8".to_owned(),
            // Else smtpd takes no IPv6 address from XFORWARD.
            "inet_protocols = all".to_owned(),
            "mynetworks = 127.0.0.0/8 198.51.100.0/24".to_owned(),
        ],
        ..Options::default()
    })
}

const CONTENT: &str = "Subject: x\n\nHello\n";
const TO: [&str; 1] = ["a@alpha.example"];

#[test]
fn the_client_before_a_filter_and_a_login_are_named() {
    let postfix = trusting();
    // A content filter gives mail back, and says where it came from.
    let forwarded = [
        (
            "XFORWARD NAME=pc.client.example ADDR=203.0.113.7 PROTO=ESMTP",
            "250",
        ),
        ("XFORWARD HELO=pc.lan SOURCE=REMOTE", "250"),
    ];
    postfix.send_after(&forwarded, "filtered@send.example", &TO, CONTENT);
    let forwarded = [(
        "XFORWARD NAME=[UNAVAILABLE] ADDR=IPv6:2001:db8:1:2::77",
        "250",
    )];
    postfix.send_after(&forwarded, "six@send.example", &TO, CONTENT);
    // A proxy authenticated a user.
    let login = [
        (
            "XCLIENT NAME=home.example ADDR=198.51.100.9 LOGIN=anna HELO=laptop",
            "220",
        ),
        ("EHLO laptop", "250"),
    ];
    postfix.send_after(&login, "anna@send.example", &TO, CONTENT);
    postfix.send_after(&login, "spam@send.example", &TO, CONTENT);
    // And one did not.
    let client = [("XCLIENT ADDR=198.51.100.10", "220"), ("EHLO other", "250")];
    postfix.send_after(&client, "other@send.example", &TO, CONTENT);
    postfix.send("direct@send.example", &TO, "Subject: x\n", "Hello\n");
    postfix.wait_quiet();
    for (words, wanted) in [
        (
            &[][..],
            &[
                "client 127.0.0.1 1",
                "client 198.51.100.10 1",
                "client 2001:db8:1:2::77 1",
                "client 203.0.113.7 1",
                "login anna 2",
            ][..],
        ),
        (&["--by", "login"], &["login  4", "login anna 2"]),
        (
            &["--by", "client"],
            &[
                "client 127.0.0.1 1",
                "client 198.51.100.10 1",
                "client 198.51.100.9 2",
                "client 2001:db8:1:2::77 1",
                "client 203.0.113.7 1",
            ],
        ),
        (
            &["--by", "network"],
            &[
                "network 127.0.0.0/24 1",
                "network 198.51.100.0/24 3",
                "network 2001:db8:1:2::/64 1",
                "network 203.0.113.0/24 1",
            ],
        ),
        (
            &["--by", "helo", "--client", "203.0.113.0/24"],
            &["helo pc.lan 1"],
        ),
        (
            &["--login", "anna", "--by", "sender"],
            &["sender anna@send.example 1", "sender spam@send.example 1"],
        ),
        (
            &["--client", "pc.client.example"],
            &["client 203.0.113.7 1"],
        ),
    ] {
        assert_eq!(rows(&postfix, words), wanted, "{words:?}");
    }
}

#[test]
fn a_local_user_is_named_in_maildrop_and_after_it() {
    let postfix = trusting();
    // Pickup does not run: the file's owner says whose it is.
    postfix.stop();
    postfix.submit_as(NOBODY, "www@send.example", &TO, "Subject: x\n", "Hello\n");
    postfix.submit("root@send.example", &TO, "Subject: x\n", "Hello\n");
    let users = ["user 0 1", "user 65534 1"];
    assert_eq!(rows(&postfix, &["maildrop"]), users);
    // Then only the Received header does, which pickup wrote.
    postfix.start_again();
    postfix.wait_quiet();
    assert_eq!(rows(&postfix, &["maildrop"]), [""; 0]);
    assert_eq!(rows(&postfix, &[]), users);
    assert_eq!(rows(&postfix, &["--by", "user"]), users);
    // postsuper -r moves it back to maildrop, where it belongs to Postfix.
    postfix.stop();
    let sender = ["--sender", "www@send.example"];
    let output = Command::new(PROGRAM)
        .args(["list", "--ids", "-c"])
        .arg(postfix.config_directory())
        .args(sender)
        .output()
        .expect("it runs");
    let id = String::from_utf8(output.stdout).expect("UTF-8");
    postfix.requeue(id.trim());
    assert_eq!(rows(&postfix, &["maildrop"]), ["user 65534 1"]);
}
