//! `--anonymize`: no original survives in any output of any command that prints mail, and tokens are stable.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use queuewatch::drill::{self, Delay, QueueFile, RecipientState};

use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
pub(crate) const NOW: i64 = 1_795_461_304;

/// Names of persons: each is in one field of the spool.
pub(crate) const MARKERS: [&str; 25] = [
    "zqxlogin",
    "203.0.113.71",
    "zqxclientname",
    "203.0.113.72",
    "zqxhelo",
    "zqxsender",
    "zqxrecipient",
    "zqxoriginal",
    "zqxdone",
    "zqxredirected",
    "zqxbare",
    "zqx reason",
    "203.0.113.73",
    "zqxpath",
    "zqxticket",
    "zqxname",
    "zqxfrom",
    "zqxto",
    "zqxsubject",
    "zqxmessageid",
    "203.0.113.74",
    "zqxscript",
    "zqxcustom",
    "zqxvalue",
    "zqxlist",
];

pub(crate) fn marked() -> Spool {
    let spool = Spool::empty();
    let content = b"Received: from zqxhelo (zqxclientname.example [203.0.113.71])\n\
        From: \"Zqxname Roe\" <zqxfrom@send.example>\n\
        To: zqxto@dest.example\n\
        Subject: =?utf-8?Q?zqx?= =?utf-8?Q?subject?=\n\
        Message-ID: <zqxmessageid@send.example>\n\
        Date: Mon, 23 Nov 2026 18:58:28 +0000\n\
        List-Id: zqxlist <zqxlist.send.example>\n\
        X-Originating-IP: [203.0.113.74]\n\
        X-PHP-Originating-Script: 1000:zqxscript.php\n\
        X-Zqxcustom: zqxvalue\n\
        \n\
        text\n";
    let built = QueueFile::cleanup(NOW - 7200, 0)
        .attribute("sasl_username", "zqxlogin")
        .attribute("sasl_method", "PLAIN")
        .attribute("log_client_address", "203.0.113.71")
        .attribute("log_client_name", "zqxclientname.example")
        .attribute("log_helo_name", "zqxhelo")
        .attribute("client_address", "203.0.113.72")
        .sender(b"zqxsender@send.example")
        .recipient(
            RecipientState::Todo,
            b"zqxrecipient@dest.example",
            Some(b"zqxoriginal@send.example"),
        )
        .recipient(RecipientState::Done, b"zqxdone@dest.example", None)
        .content(content)
        .build();
    spool.write("deferred/A/A000001", &built.bytes, 0o700);
    let delay = Delay {
        status: "4.2.2".into(),
        reason: "host zqxclientname.dest.example[203.0.113.73] said: 452 4.2.2 <zqxrecipient@dest.example> (Zqxbare): \
                 mailbox /home/zqxpath is full, zqx reason, see http://dest.example/zqxticket?to=zqxbare%40x for zqxbare"
            .into(),
        reply: None,
        server: None,
    };
    let mut log = Vec::new();
    let original = Some("zqxoriginal@send.example");
    drill::push_entry(
        &mut log,
        "zqxrecipient@dest.example",
        original,
        built.recipient_offsets[0],
        &delay,
    );
    spool.write("defer/A/A000001", &log, 0o600);
    // Without a login the client is the origin; redirected.
    let built = QueueFile::cleanup(NOW - 60, 0)
        .attribute("log_client_address", "203.0.113.72")
        .sender(b"zqxsender@send.example")
        .todo(b"zqxrecipient@dest.example")
        .content(b"Subject: zqxsubject\n\n")
        .extracted()
        .record(b'>', b"zqxredirected@dest.example")
        .build();
    spool.write("hold/B000001", &built.bytes, 0o700);
    spool
}

fn ran(spool: &Path, words: &[&str]) -> Output {
    let (command, words) = words.split_first().expect("a command");
    Command::new(PROGRAM)
        .args([command, "--queue-directory"])
        .arg(spool)
        .args(["--now", &NOW.to_string()])
        .args(words)
        .output()
        .expect("it runs")
}

/// All that the command prints, on both outputs.
fn printed(spool: &Path, words: &[&str]) -> String {
    let output = ran(spool, words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    let mut text = String::from_utf8(output.stdout).expect("UTF-8");
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text.to_lowercase()
}

/// Every command that prints mail, in each of its forms.
fn commands() -> Vec<Vec<&'static str>> {
    let mut commands: Vec<Vec<&str>> = [
        &["list"][..],
        &["list", "-p"],
        &["list", "--keys", "3.11"],
        &["list", "-p", "--keys", "3.11", "--sort", "size"],
        &["list", "--login", "zqxlogin"],
        &["show", "A000001", "B000001"],
        &["show", "A000001", "B000001", "--headers"],
        &["show", "A000001", "B000001", "--json"],
        &["show", "A000001", "B000001", "--json", "--headers"],
        &["origins"],
        &["origins", "--json"],
        &["reasons"],
        &["reasons", "--json"],
        &["reasons", "--raw"],
        &["reasons", "--raw", "--json"],
        &["reasons", "--by", "next-hop"],
        &["report"],
        // Findings name who they are about.
        &[
            "report",
            "--warning",
            "hold.top_sender=0",
            "--warning",
            "hold.top_client=0",
            "--warning",
            "deferred.top_login=0",
        ],
        &[
            "report",
            "--warning",
            "hold.sender(zqxsender@send.example)=0",
            "--warning",
            "deferred.login(zqxlogin)=0",
        ],
        &[
            "report",
            "--warning",
            "deferred.client(203.0.113.71)=0",
            "--warning",
            "deferred.top_domain=0",
        ],
    ]
    .map(<[&str]>::to_vec)
    .to_vec();
    for by in [
        "login",
        "client",
        "network",
        "user",
        "sender",
        "sender-domain",
        "helo",
        "subject",
    ] {
        commands.push(vec!["origins", "--by", by]);
        commands.push(vec!["origins", "--json", "--by", by]);
    }
    commands
}

#[test]
fn no_original_survives() {
    let spool = marked();
    let mut plain = String::new();
    for words in commands() {
        plain.push_str(&printed(&spool.path(), &words));
        let mut words = words;
        words.push("--anonymize");
        let text = printed(&spool.path(), &words);
        assert!(!text.trim().is_empty(), "{words:?}");
        for marker in MARKERS {
            assert!(!text.contains(marker), "{words:?}: {marker} in {text}");
        }
        assert!(
            !text.contains("zqx") && !text.contains("203.0.113"),
            "{words:?}: {text}"
        );
    }
    // Otherwise nothing would be shown.
    for marker in MARKERS {
        assert!(plain.contains(marker), "{marker} is in no output");
    }
}

#[test]
fn names_that_are_common_words_do_not_survive() {
    let spool = Spool::empty();
    let put = |id: &str, recipient: &str, reason: &str| {
        let file = QueueFile::cleanup(NOW - 7200, 0)
            .attribute("sasl_username", "full")
            .sender(b"");
        spool.defer(id, file, recipient, "4.2.2", reason);
    };
    put(
        "A000001",
        "jan@dest.example",
        "host mx.dest.example[192.0.2.1] said: 452 mailbox of jan has no space",
    );
    put("B000001", "zqxbare", "unknown user 198-51-100-7");
    put("C000001", "c@dest.example", "account full");
    for words in [
        &["list"][..],
        &["list", "-p"],
        &["show", "A000001", "B000001"],
        &["reasons"],
        &["reasons", "--raw", "--json"],
        &["report"],
    ] {
        let text = printed(&spool.path(), &[words, &["--anonymize"]].concat());
        for name in ["of jan", "zqxbare", "198-51-100-7"] {
            assert!(!text.contains(name), "{words:?}: {name} in {text}");
        }
        // Who the login is, a list does not print.
        assert!(
            words[0] != "list" || !text.contains("account full"),
            "{text}"
        );
    }
    let text = printed(&spool.path(), &["origins", "--by", "sender", "--anonymize"]);
    assert!(text.contains("sender mailer-daemon"), "{text}");
}

#[test]
fn what_helps_stays() {
    let spool = marked();
    let text = printed(&spool.path(), &["show", "A000001", "--anonymize"]);
    for part in [
        "a000001 in deferred",
        "@dest.example",
        "(plain)",
        "452 4.2.2",
        "mailbox, they must act",
        "date: mon, 23 nov 2026 18:58:28 +0000",
        "subject: subject-",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
}

/// The value of `key` in the first row of JSON.
fn first(text: &str, key: &str) -> String {
    let value = text
        .split(&format!("\"{key}\": \""))
        .nth(1)
        .expect("the key");
    value.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn tokens_are_stable_within_a_run_and_with_a_key() {
    let spool = marked();
    let of_run = |words: &[&str]| {
        first(
            &printed(&spool.path(), &[&["list"], words].concat()),
            "sender",
        )
    };
    assert_ne!(of_run(&["--anonymize"]), of_run(&["--anonymize"]));
    let both = printed(&spool.path(), &["list", "--anonymize"]);
    let lines: Vec<&str> = both.lines().collect();
    assert_eq!(first(lines[0], "sender"), first(lines[1], "sender"));

    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    fs::write(&key, "0123456789abcdef0123456789abcdef\n").expect("a key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
    let key = key.to_str().expect("UTF-8");
    let token = of_run(&["--anonymize-key", key]);
    assert_eq!(token, of_run(&["--anonymize-key", key]));
    let shown = printed(&spool.path(), &["show", "A000001", "--anonymize-key", key]);
    assert!(shown.contains(&token), "{token}: {shown}");
    let origins = printed(
        &spool.path(),
        &["origins", "--by", "sender", "--anonymize-key", key],
    );
    assert!(origins.contains(&token), "{token}: {origins}");
    // The key is opened before the program confines itself to the spool.
    let reasons = || printed(&spool.path(), &["reasons", "--anonymize-key", key]);
    assert_eq!(reasons(), reasons());
}

#[test]
fn what_cannot_be_anonymous_is_refused() {
    let spool = marked();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8], mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        path.to_str().expect("UTF-8").to_owned()
    };
    let (short, open) = (
        file("short", b"secret", 0o600),
        file("open", &[b'x'; 32], 0o644),
    );
    for (words, code, said) in [
        (
            &["show", "A000001", "--body", "9", "--anonymize"][..],
            2,
            "--body",
        ),
        (&["list", "--anonymize-key", &short], 2, "has 6 bytes"),
        (&["origins", "--anonymize-key", &open], 2, "mode 0644"),
        (&["list", "--anonymize-key", "/nowhere/key"], 1, "enoent"),
        (&["list", "--anonymize-key", ""], 2, "file"),
    ] {
        let output = ran(&spool.path(), words);
        let error = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
        assert!(output.stdout.is_empty(), "{words:?}");
    }
}
