//! The recipe of the guide, "Hold, look, delete", with the real postsuper(1) on a real queue.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::postfix::{Options, Postfix, QueueIds};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");

fn ids(postfix: &Postfix, words: &[&str]) -> Vec<u8> {
    let output = Command::new(PROGRAM)
        .args(["list", "--ids", "-c"])
        .arg(postfix.config_directory())
        .args(words)
        .output()
        .expect("it runs");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    output.stdout
}

fn postsuper(postfix: &Postfix, words: &[&str], ids: &[u8]) {
    let mut child = Command::new("/usr/sbin/postsuper")
        .arg("-c")
        .arg(postfix.config_directory())
        .args(words)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("postsuper runs (Debian package postfix)");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(ids).expect("it reads");
    drop(input);
    assert!(child.wait().expect("it ends").success(), "{words:?}");
}

#[test]
fn only_the_mail_that_was_held_is_deleted() {
    for queue_ids in [QueueIds::Short, QueueIds::Long] {
        let postfix = Postfix::start(&Options {
            queue_ids,
            ..Options::default()
        });
        let send =
            |sender: &str| postfix.send(sender, &["a@alpha.example"], "Subject: x\n", "Hello\n");
        let wanted = [send("news@shop.example"), send("news@shop.example")];
        let other = send("alice@send.example");
        // On hold for another reason, before.
        let earlier = send("news@shop.example");
        postfix.wait_quiet();
        postfix.hold(&earlier);
        let words = [
            "--sender",
            "news@shop.example",
            "incoming",
            "active",
            "deferred",
        ];
        let held = ids(&postfix, &words);
        let mut lines: Vec<String> = String::from_utf8_lossy(&held)
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        let mut expected = wanted.to_vec();
        expected.sort();
        assert_eq!(lines, expected);
        postsuper(&postfix, &["-h", "-"], &held);
        // What comes meanwhile was not looked at.
        let later = send("news@shop.example");
        postfix.wait_quiet();
        let looked = ids(&postfix, &["--sender", "news@shop.example", "hold"]);
        assert_eq!(String::from_utf8_lossy(&looked).lines().count(), 3);
        // One is released after all: the word hold keeps it from being deleted.
        postfix.release(&wanted[0]);
        postsuper(&postfix, &["-d", "-", "hold"], &held);
        let left = ids(&postfix, &[]);
        let left = String::from_utf8_lossy(&left).into_owned();
        for id in [&wanted[0], &other, &earlier, &later] {
            assert!(left.lines().any(|line| line == id), "{id} is gone: {left}");
        }
        assert!(!left.contains(&wanted[1]), "{left}");
    }
}
