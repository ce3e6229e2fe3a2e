//! Against a real Postfix: the figures of `check_postfix_queue` are those that `postqueue -j` adds up to.
//!
//! Every test starts an instance of its own, so they run side by side. They need root and an installed Postfix, and
//! fail where either is missing.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, Output};
use std::time::SystemTime;

use crate::support::listed::{self, Counted, reported};
use crate::support::postfix::{
    self, DELIVERED, FULL, FULL_REASON, GREYLISTED, GREYLISTED_REASON, HOLD_SUBJECT, Options,
    Postfix, PublicProgram, QUEUES, QueueIds, REDIRECT_TARGET, REJECTED, UNRESPONSIVE, as_nobody,
    with_read_capability,
};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");

/// Nobody listens for these; one is spelled in capitals, for domains are compared without regard to case.
const REFUSED: [&str; 4] = [
    "alpha.example",
    "BETA.Example",
    "gamma.example",
    "sub.gamma.example",
];
const SENDERS: [&str; 3] = [
    "alice@send.example",
    "bob@send.example",
    "carol+news@other.example",
];
/// A bounce to it is delivered, and so leaves nothing in the spool.
const REACHABLE_SENDER: &str = "dora@ok.example";

#[test]
fn short_queue_ids() {
    every_kind_of_mail(&Options::default());
}

#[test]
fn long_queue_ids_in_two_levels_of_hashes() {
    every_kind_of_mail(&Options {
        queue_ids: QueueIds::Long,
        hash_queue_depth: 2,
        ..Options::default()
    });
}

#[test]
fn what_an_operator_does_shows_at_once() {
    let postfix = Postfix::start(&Options::default());
    let [deleted, requeued, expired, held] =
        ["deleted", "requeued", "expired", "held"].map(|name| {
            let recipients = [
                format!("{name}@{GREYLISTED}"),
                format!("{name}@alpha.example"),
            ];
            postfix.send(
                REACHABLE_SENDER,
                &recipients,
                "Subject: operator\n",
                "Hello\n",
            )
        });
    postfix.wait_quiet();
    assert_same_figures(&postfix);

    postfix.hold(&held);
    assert_eq!(postfix.queue_of(&held).as_deref(), Some("hold"));
    assert_same_figures(&postfix);

    postfix.delete(&deleted);
    assert_eq!(postfix.queue_of(&deleted), None);
    assert_same_figures(&postfix);

    // Group-execute marks it until the next attempt; it is mail all the same, though qshape leaves it out.
    postfix.expire(&expired);
    let listed = postfix.postqueue_j();
    let marked = listed
        .iter()
        .find(|message| message["queue_id"] == *expired)
        .expect("a message marked for expiry is listed");
    assert_eq!(marked["forced_expire"], true);
    assert_eq!(marked["queue_name"], "deferred");
    assert_same_figures(&postfix);

    postfix.release(&held);
    assert_eq!(postfix.queue_of(&held).as_deref(), Some("deferred"));
    assert_same_figures(&postfix);

    postfix.flush();
    postfix.wait_quiet();
    assert_eq!(postfix.queue_of(&expired), None, "{}", postfix.maillog());
    assert_same_figures(&postfix);

    // While stopped, nobody takes it out of maildrop.
    postfix.stop();
    postfix.requeue(&requeued);
    assert_eq!(postfix.queue_of(&requeued).as_deref(), Some("maildrop"));
    assert_same_figures(&postfix);

    postfix.start_again();
    postfix.wait_quiet();
    assert_eq!(
        postfix.queue_of(&requeued),
        None,
        "it has another queue ID now"
    );
    let counted = listed::count(&postfix.postqueue_j(), REDIRECT_TARGET);
    assert_eq!(counted["deferred"].messages, 2);
    assert_same_figures(&postfix);
}

#[test]
fn the_read_capability_gives_what_root_sees() {
    let postfix = Postfix::start(&Options::default());
    send_a_few(&postfix);
    let program = PublicProgram::copy(PROGRAM);
    let mut list = Command::new("ls");
    list.arg(postfix.queue_directory().join("deferred"));
    let listed = run(&mut with_read_capability(&list));
    assert!(
        listed.status.success(),
        "the tests themselves need CAP_DAC_READ_SEARCH (docker run --cap-add): {}",
        text(&listed.stderr)
    );

    let now = now();
    let as_root = json(program.command(), &postfix, now);
    let as_other = json(with_read_capability(&program.command()), &postfix, now);
    for queue in QUEUES {
        assert_eq!(
            reported(&as_other, queue),
            reported(&as_root, queue),
            "{queue}"
        );
    }
    let command = with_read_capability(&program.command());
    let unreadable = measured(command, &postfix, "spool.unreadable");
    assert_eq!(unreadable, Some(0));
}

#[test]
fn without_rights_it_is_unknown_and_never_zero() {
    let postfix = Postfix::start(&Options::default());
    send_a_few(&postfix);
    let mut list = Command::new("ls");
    list.arg(postfix.queue_directory().join("deferred"));
    let listed = run(&mut as_nobody(&list));
    assert!(
        text(&listed.stderr).contains("Permission denied"),
        "{}",
        text(&listed.stderr)
    );

    let program = PublicProgram::copy(PROGRAM);
    let mut command = as_nobody(&program.command());
    command
        .arg("--config-directory")
        .arg(postfix.config_directory())
        .args(["-c", "deferred.messages=100"]);
    let output = run(&mut command);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("UNKNOWN"), "{said}");
    for queue in QUEUES {
        assert_eq!(
            perfdatum(&said, queue),
            None,
            "{queue} was not read: {said}"
        );
    }
}

#[test]
fn a_test_that_panics_leaves_no_process_and_no_folder() {
    let mut left = None;
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        let postfix = Postfix::start(&Options::default());
        // One delivery is under way: its process too has to end.
        let recipient = format!("someone@{UNRESPONSIVE}");
        postfix.send(SENDERS[0], &[recipient], "Subject: stuck\n", "Hello\n");
        postfix.wait_quiet_except(1);
        left = Some(postfix.queue_directory());
        assert!(!postfix::processes_in(&postfix.queue_directory()).is_empty());
        panic::resume_unwind(Box::new("as a failed assertion does, without its words"));
    }));
    let (Err(panic), Some(queue_directory)) = (outcome, left) else {
        panic!("Postfix did not start, see above");
    };
    assert!(panic.is::<&str>(), "another panic than ours, see above");
    let processes = postfix::processes_in(&queue_directory);
    assert!(processes.is_empty(), "{processes:?}");
    let folder = queue_directory.parent().expect("it is in a folder");
    assert!(!folder.exists(), "{}", folder.display());
}

/// Sends all kinds of mail, and compares what is left of it while Postfix runs and while it does not.
fn every_kind_of_mail(options: &Options) {
    let postfix = Postfix::start(options);
    let mut sent = Sent::default();
    send_every_kind(&postfix, &mut sent);
    postfix.wait_quiet_except(sent.active());
    for queue_id in &sent.refused[..2] {
        postfix.hold(queue_id);
    }
    for _ in 0..2 {
        sent.leaves("deferred", 2);
        sent.stays("hold", 2);
    }
    let name = &sent.refused[2];
    let path = postfix.queue_file(name);
    let below = path
        .strip_prefix(postfix.queue_directory())
        .expect("it is there");
    assert_eq!(
        below.components().count() as u32,
        2 + options.hash_queue_depth,
        "{}",
        below.display()
    );
    assert_eq!(
        name.contains('z'),
        options.queue_ids == QueueIds::Long,
        "{name}"
    );

    let counted = assert_same_figures(&postfix);
    sent.assert_is(&counted);
    assert_same_names(&postfix, &counted);
    assert_eq!(measured(program(), &postfix, "master.running"), Some(1));

    // What is under way stays in active, and what is submitted stays in maildrop.
    postfix.stop();
    for to in ["late@alpha.example", "late@ok.example"] {
        postfix.submit(SENDERS[0], &[to], "Subject: late\n", "Hello\n");
        sent.stays("maildrop", 1);
    }
    let counted = assert_same_figures(&postfix);
    sent.assert_is(&counted);
    assert_eq!(measured(program(), &postfix, "master.running"), Some(0));

    postfix.start_again();
    postfix.wait_quiet_except(sent.active());
    sent.leaves("maildrop", 1);
    sent.leaves("maildrop", 1);
    sent.stays("deferred", 1);
    sent.assert_is(&assert_same_figures(&postfix));
}

/// What was sent and is to stay: messages and recipients by queue.
#[derive(Default)]
struct Sent {
    by_queue: BTreeMap<&'static str, (u64, u64)>,
    refused: Vec<String>,
}

impl Sent {
    fn stays(&mut self, queue: &'static str, recipients: u64) {
        let (messages, all) = self.by_queue.entry(queue).or_default();
        *messages += 1;
        *all += recipients;
    }

    fn leaves(&mut self, queue: &'static str, recipients: u64) {
        let (messages, all) = self.by_queue.entry(queue).or_default();
        *messages -= 1;
        *all -= recipients;
    }

    fn active(&self) -> usize {
        self.by_queue
            .get("active")
            .map_or(0, |(messages, _)| *messages as usize)
    }

    fn assert_is(&self, counted: &BTreeMap<&str, Counted>) {
        for (queue, counted) in counted {
            let expected = self.by_queue.get(queue).copied().unwrap_or_default();
            assert_eq!((counted.messages, counted.recipients), expected, "{queue}");
        }
    }
}

fn send_every_kind(postfix: &Postfix, sent: &mut Sent) {
    let sender = |n: usize| SENDERS[n % SENDERS.len()];
    for n in 0..18 {
        let domain = REFUSED[n % REFUSED.len()];
        // A quoted local part with an @ in it: the domain is what follows the last one.
        let to = [format!("user{n}@{domain}"), format!(r#""o@ther"@{domain}"#)];
        let body = ".a line of the body\n".repeat(1 + n * n);
        let queue_id = postfix.send(sender(n), &to, "Subject: refused\n", &body);
        sent.refused.push(queue_id);
        sent.stays("deferred", 2);
    }
    for n in 0..8 {
        let to = [format!("user{n}@{GREYLISTED}")];
        postfix.send(sender(n), &to, "Subject: greylisted\n", "Hello\n");
        sent.stays("deferred", 1);
    }
    for n in 0..4 {
        let to = [format!("user{n}@{FULL}")];
        postfix.send(sender(n), &to, "Subject: full\n", "Hello\n");
        sent.stays("deferred", 1);
    }
    for n in 0..6 {
        let to = [format!("user{n}@{DELIVERED}")];
        postfix.send(sender(n), &to, "Subject: delivered\n", "Hello\n");
    }
    for n in 0..3 {
        let to = [format!("user{n}@{REJECTED}")];
        postfix.send(REACHABLE_SENDER, &to, "Subject: bounced\n", "Hello\n");
    }
    for n in 0..2 {
        let to = [format!("user{n}@{REJECTED}")];
        postfix.send(sender(n), &to, "Subject: bounced\n", "Hello\n");
        // Not this message but its bounce, from the null sender to a domain that refuses.
        sent.stays("deferred", 1);
    }
    for n in 0..4 {
        let to = [format!("user{n}@alpha.example"), format!("user{n}@{FULL}")];
        let headers = format!("Subject: {HOLD_SUBJECT} {n}\n");
        postfix.send(sender(n), &to, &headers, "Hello\n");
        sent.stays("hold", 2);
    }
    for n in 0..6 {
        let to = [DELIVERED, GREYLISTED, REJECTED, FULL].map(|domain| format!("user{n}@{domain}"));
        postfix.send(REACHABLE_SENDER, &to, "Subject: partly\n", "Hello\n");
        sent.stays("deferred", 2);
    }
    for _ in 0..2 {
        let to = ["first@alpha.example", "second@gamma.example"];
        let headers = "Subject: redirected\nX-Redirect: yes\n";
        postfix.send(SENDERS[0], &to, headers, "Hello\n");
        // One delivery, to the target.
        sent.stays("deferred", 1);
    }
    for domain in &REFUSED[..2] {
        let to = [format!("user@{domain}")];
        postfix.send("", &to, "Subject: from nobody\n", "Hello\n");
        sent.stays("deferred", 1);
    }
    for n in 0..3 {
        let to = [format!("user{n}@{UNRESPONSIVE}")];
        postfix.send(sender(n), &to, "Subject: stuck\n", "Hello\n");
        sent.stays("active", 1);
    }
    for n in 0..5 {
        let to = [format!("local{n}@{}", REFUSED[n % REFUSED.len()])];
        postfix.submit(sender(n), &to, "Subject: submitted\n", "Hello\n");
        sent.stays("deferred", 1);
    }
    let large = "Seventy-nine bytes and the end of the line, to fill a message of some size.....\n";
    let to = ["large@alpha.example"];
    postfix.send(SENDERS[0], &to, "Subject: large\n", &large.repeat(4000));
    sent.stays("deferred", 1);

    let many = (0..1500)
        .map(|n| format!("reader{n}@{GREYLISTED}"))
        .collect::<Vec<_>>();
    postfix.send(SENDERS[2], &many, "Subject: news\n", "Hello\n");
    sent.stays("deferred", 1500);
    let mixed = (0..1500)
        .map(|n| format!("reader{n}@{}", [DELIVERED, "alpha.example", FULL][n % 3]))
        .collect::<Vec<_>>();
    postfix.send(SENDERS[2], &mixed, "Subject: news\n", "Hello\n");
    sent.stays("deferred", 1000);
}

/// Enough that a zero would be wrong for deferred and for hold.
fn send_a_few(postfix: &Postfix) {
    for sender in SENDERS {
        let to = [format!("user@{GREYLISTED}")];
        postfix.send(sender, &to, "Subject: few\n", "Hello\n");
    }
    let headers = format!("Subject: {HOLD_SUBJECT}\n");
    postfix.send(SENDERS[0], &["user@alpha.example"], &headers, "Hello\n");
    postfix.wait_quiet();
}

/// Compares the program with `postqueue -j` on a spool where nothing moves, and sees that the program changed nothing.
fn assert_same_figures(postfix: &Postfix) -> BTreeMap<&'static str, Counted> {
    let before = postfix.spool_state();
    let now = now();
    let document = json(program(), postfix, now);
    let after = postfix.spool_state();
    let changed = before
        .iter()
        .filter(|(path, state)| after.get(*path) != Some(state))
        .chain(after.iter().filter(|(path, _)| !before.contains_key(*path)))
        .collect::<Vec<_>>();
    assert!(
        changed.is_empty(),
        "the program changed the spool: {changed:#?}"
    );
    let listed = postfix.postqueue_j();
    let counted = listed::count(&listed, REDIRECT_TARGET);
    assert_reasons(&listed);
    for (queue, counted) in &counted {
        assert_eq!(
            reported(&document, queue),
            counted.figures(now),
            "{queue}: ours, postqueue's"
        );
    }
    counted
}

/// Compares recipients by domain and messages by sender, of which perfdata speaks when a rule names them.
fn assert_same_names(postfix: &Postfix, counted: &BTreeMap<&str, Counted>) {
    for queue in ["deferred", "hold"] {
        let Counted {
            domains, senders, ..
        } = &counted[queue];
        let by_domain = domains
            .iter()
            .map(|(name, n)| (format!("domain({name})"), n));
        let by_sender = senders
            .iter()
            .filter(|(name, _)| name.contains('@'))
            .map(|(name, n)| (format!("sender({name})"), n));
        for (measure, n) in by_domain.chain(by_sender) {
            let measure = format!("{queue}.{measure}");
            assert_eq!(
                measured(program(), postfix, &measure),
                Some(*n),
                "{measure}"
            );
        }
    }
}

/// Sees that the instance defers for the reasons that it is set up for, wherever it gives one.
fn assert_reasons(listed: &[Value]) {
    let recipients = listed
        .iter()
        .filter_map(|message| message["recipients"].as_array())
        .flatten();
    for recipient in recipients {
        let Some(reason) = recipient["delay_reason"].as_str() else {
            continue;
        };
        let address = recipient["address"].as_str().expect("an address");
        let (_, domain) = address.rsplit_once('@').expect("a domain");
        match domain {
            GREYLISTED => assert_eq!(reason, GREYLISTED_REASON),
            FULL => assert_eq!(reason, FULL_REASON),
            _ => assert!(
                reason.ends_with("Connection refused"),
                "{address}: {reason}"
            ),
        }
    }
}

fn program() -> Command {
    Command::new(PROGRAM)
}

/// The program's JSON document, with ages as of `now`.
fn json(mut program: Command, postfix: &Postfix, now: i64) -> Value {
    let command = program
        .arg("--config-directory")
        .arg(postfix.config_directory())
        .args(["--format", "json", "--now", &now.to_string()]);
    let output = run(command);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{command:?} printed no JSON ({error}), {}: {}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        )
    })
}

/// One measure, from the perfdata of a run whose only rule names it.
fn measured(mut program: Command, postfix: &Postfix, measure: &str) -> Option<u64> {
    let command = program
        .arg("--config-directory")
        .arg(postfix.config_directory())
        .args(["-w", &format!("{measure}=0:")]);
    let output = run(command);
    let label = measure.replace(['.', '('], "_").replace(')', "");
    perfdatum(&text(&output.stdout), &label)
}

/// The value of one label in plugin output: whole, without its unit.
fn perfdatum(output: &str, label: &str) -> Option<u64> {
    let (_, perfdata) = output.split_once('|')?;
    let (_, value) = perfdata
        .split_whitespace()
        .filter_map(|datum| datum.split_once('='))
        .find(|(name, _)| name.trim_matches('\'') == label)?;
    let digits = value
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(value.len());
    value[..digits].parse().ok()
}

fn run(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as i64)
}
