//! `queuewatch show` against the real postcat(1), `postcat -q`, on a Postfix that runs.

use std::process::Command;
use std::thread;

use queuewatch::sys::local_time;
use serde_json::Value;

use crate::support::postfix::{
    GREYLISTED, HOLD_SUBJECT, Options, Postfix, QueueIds, REJECTED, UNRESPONSIVE,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");

fn shown(postfix: &Postfix, words: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(PROGRAM)
        .args(["show", "--json", "-c"])
        .arg(postfix.config_directory())
        .args(words)
        .output()
        .expect("it runs");
    let told = serde_json::from_slice(&output.stdout);
    (output.status.code(), told.expect("a document"))
}

/// What `postcat -q` prints, by the names of its fields: all values of each, in their order.
fn fields(postfix: &Postfix, words: &[&str], queue_id: &str) -> Vec<(String, String)> {
    let output = Command::new("/usr/sbin/postcat")
        .arg("-c")
        .arg(postfix.config_directory())
        .args(words)
        .args(["-q", queue_id])
        .output()
        .expect("postcat runs (Debian package postfix)");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim_start().to_owned()))
        .collect()
}

/// Compares a message with what postcat prints of it.
fn assert_same(postfix: &Postfix, queue_id: &str) {
    let (code, told) = shown(postfix, &[queue_id, "--headers", "--body", "1000"]);
    assert_eq!(code, Some(0), "{queue_id}");
    let message = &told["messages"][0];
    let envelope = fields(postfix, &["-e"], queue_id);
    let of = |name: &str| -> Vec<&str> {
        let same = envelope.iter().filter(|(field, _)| field == name);
        same.map(|(_, value)| value.as_str()).collect()
    };
    let size: u64 = of("message_size")[0]
        .split_whitespace()
        .next()
        .and_then(|size| size.parse().ok())
        .expect("a size");
    assert_eq!(message["size"], size, "{queue_id}");
    assert_eq!(
        of("sender"),
        [message["sender"].as_str().expect("a sender")]
    );
    let addresses = |state: &str| -> Vec<&str> {
        let recipients = message["recipients"].as_array().expect("recipients");
        let same = recipients.iter().filter(|one| one["state"] == state);
        same.map(|one| one["address"].as_str().expect("an address"))
            .collect()
    };
    assert_eq!(of("recipient"), addresses("waiting"), "{queue_id}");
    let mut finished = [addresses("done"), addresses("bounced")].concat();
    finished.sort_unstable();
    let mut done = of("done_recipient");
    done.sort_unstable();
    assert_eq!(done, finished, "{queue_id}");
    let attribute = |name: &str| -> Option<&str> {
        let attributes = of("named_attribute").into_iter();
        let mut values = attributes.filter_map(|one| one.split_once('='));
        values
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value)
    };
    for (key, name) in [
        ("client", "log_client_address"),
        ("client_name", "log_client_name"),
        ("helo", "log_helo_name"),
        ("protocol", "log_protocol_name"),
    ] {
        assert_eq!(
            message["origin"][key].as_str(),
            attribute(name),
            "{queue_id} {key}"
        );
    }
    let time = |seconds: &Value| local_time(seconds.as_i64().expect("seconds"));
    assert_eq!(
        time(&message["arrival"]).as_deref(),
        Some(of("message_arrival_time")[0]),
        "{queue_id}"
    );
    if let Some(expires) = message["expires"].as_i64() {
        let created = local_time(expires - 5 * 86_400);
        assert_eq!(created.as_deref(), Some(of("create_time")[0]), "{queue_id}");
    }
    let headers = fields(postfix, &["-h"], queue_id);
    for header in message["headers"].as_array().expect("headers") {
        let (name, value) = (header["name"].as_str(), header["value"].as_str());
        let is_same = |(found, text): &(String, String)| {
            // postcat prints the first line of a folded header with its name.
            Some(found.as_str()) == name
                && value.is_some_and(|value| value.starts_with(text.trim_end()))
        };
        assert!(
            headers.iter().any(is_same),
            "{header} is not in {headers:?}"
        );
    }
    let output = Command::new("/usr/sbin/postcat")
        .arg("-c")
        .arg(postfix.config_directory())
        .args(["-b", "-q", queue_id])
        .output()
        .expect("postcat runs");
    let body = String::from_utf8_lossy(&output.stdout).into_owned();
    let body = body.strip_prefix('\n').unwrap_or(&body);
    assert_eq!(message["body"].as_str(), Some(body), "{queue_id}");
}

#[test]
fn it_says_what_postcat_says() {
    for (queue_ids, hash_queue_depth) in [(QueueIds::Short, 1), (QueueIds::Long, 3)] {
        let postfix = Postfix::start(&Options {
            queue_ids,
            hash_queue_depth,
            main_cf: vec!["hash_queue_names = deferred, defer, bounce, hold, active".to_owned()],
            ..Options::default()
        });
        let greylisted = format!("a@{GREYLISTED}");
        let rejected = format!("b@{REJECTED}");
        let stuck = format!("c@{UNRESPONSIVE}");
        let headers = "From: anna@send.example\nSubject: one\n two\nX-Other: z\n";
        let send = |sender: &str, recipients: &[&str], headers: &str| {
            postfix.send(sender, recipients, headers, "Hello\n\nsecond: line\n")
        };
        let deferred = send(
            "anna@send.example",
            &[&greylisted, &rejected, "d@alpha.example"],
            headers,
        );
        let active = send("anna@send.example", &[&stuck], headers);
        let held = send("", &[&greylisted], &format!("Subject: {HOLD_SUBJECT}\n"));
        postfix.wait_quiet_except(1);
        for (queue_id, queue, next) in [
            (&deferred, "deferred", "retry"),
            (&active, "active", "now"),
            (&held, "hold", "held"),
        ] {
            let (_, told) = shown(&postfix, &[queue_id]);
            assert_eq!(told["messages"][0]["queue"], queue, "{queue_id}");
            assert_eq!(told["messages"][0]["next"], next, "{queue_id}");
            assert_same(&postfix, queue_id);
        }
        let (_, told) = shown(&postfix, &[&deferred]);
        let message = &told["messages"][0];
        assert_eq!(message["recipients"][0]["code"], "4.7.1");
        assert_eq!(message["tries_at_least"], 1);
        let bounced = |one: &Value| one["state"] == "done" && one["address"] == rejected.as_str();
        assert!(
            message["recipients"]
                .as_array()
                .expect("recipients")
                .iter()
                .any(bounced),
            "{message}"
        );

        let (code, told) = shown(&postfix, &["0123456789ABC"]);
        assert_eq!(code, Some(1));
        assert_eq!(told["missing"][0], "0123456789ABC");
        postfix.delete(&held);
        assert_eq!(shown(&postfix, &[&held]).0, Some(1));
    }
}

/// A message that Postfix tries again and again is found each time.
#[test]
fn a_message_in_retries_is_always_found() {
    let postfix = Postfix::start(&Options::default());
    let id = postfix.send(
        "anna@send.example",
        &[format!("a@{GREYLISTED}")],
        "Subject: x\n",
        "Hello\n",
    );
    postfix.wait_quiet();
    thread::scope(|threads| {
        let flushes = threads.spawn(|| {
            for _ in 0..10 {
                postfix.flush();
                thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        let mut looks = 0;
        while !flushes.is_finished() {
            let (code, told) = shown(&postfix, &[&id]);
            assert_eq!(code, Some(0), "{told}");
            assert_eq!(told["messages"].as_array().map(Vec::len), Some(1), "{told}");
            looks += 1;
        }
        assert!(looks > 3, "{looks}");
    });
}
