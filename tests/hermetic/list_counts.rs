//! The recipients that `queuewatch list` prints are those that a check counts, on every spool.
//!
//! Of a file that is damaged so that a reader stops within it, or that postqueue reads in a way of its own, the figures
//! may differ: a list reads as postqueue does, and a check as the queue manager would. A redirected message has
//! one delivery and is listed as postqueue lists it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use queuewatch::drill::{self, Plan};
use queuewatch::postfix::queue::QueueSet;
use queuewatch::scan::{Depth, Messages, Spool};
use serde_json::Value;

use crate::support::{handmade, spool};

/// A file of the corpus at whose second sender postqueue reads no further.
const TWO_SENDERS: &str = "A00016TWOSND";
/// Files made by hand with size records by which postqueue skips another content than the queue manager.
const ODD: &str = "odd files";
const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");

/// What a check reads of a message.
struct Counted {
    queue: &'static str,
    recipients: u64,
    /// Whether both readers go through the whole file.
    whole: bool,
    redirected: bool,
}

fn counted(spool: &Path, size_matters: bool) -> BTreeMap<(String, String), Counted> {
    let spool = Spool::open(spool).expect("a spool");
    let mut messages = Messages::new(&spool, QueueSet::TOTAL, Depth::Envelopes);
    let mut all = BTreeMap::new();
    while let Some(row) = messages.next_message() {
        let queue = row.queue.expect("a queue").name();
        let id = String::from_utf8_lossy(&row.queue_id).into_owned();
        all.insert(
            (queue.to_owned(), id.clone()),
            Counted {
                queue,
                recipients: row.envelope.recipients,
                whole: !row.envelope.torn
                    && row.envelope.has_sender
                    && id != TWO_SENDERS
                    && !(size_matters && row.envelope.damage.is_some()),
                redirected: row.envelope.redirected,
            },
        );
    }
    all
}

fn listed(spool: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = Command::new(PROGRAM)
        .args(["list", "--queue-directory"])
        .arg(spool)
        .args(arguments)
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// Sees that each whole message has as many recipients in a list as in a check, and the sums of whole queues with it;
/// returns how many messages were compared.
fn same_recipients(spool: &Path, what: &str) -> usize {
    let counted = counted(spool, what == ODD);
    let listed = listed(spool, &[]);
    let mut compared = 0;
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for message in &listed {
        let name = |key: &str| message[key].as_str().expect("a name").to_owned();
        let recipients = message["recipients"].as_array().expect("a list").len() as u64;
        found.insert((name("queue_name"), name("queue_id")), recipients);
    }
    for (key, one) in &counted {
        if !one.whole || one.redirected {
            continue;
        }
        let recipients = found.get(key).copied();
        assert_eq!(recipients, Some(one.recipients), "{what}: {key:?}");
        let sum = sums.entry(one.queue).or_default();
        *sum = (sum.0 + one.recipients, sum.1 + recipients.unwrap_or(0));
        compared += 1;
    }
    for (queue, (counted, listed)) in sums {
        assert_eq!(counted, listed, "{what}: {queue}");
    }
    compared
}

#[test]
fn of_made_up_mail() {
    for seed in [1, 2, 3] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let spool = folder.path().join("spool");
        let plan = Plan {
            messages: 400,
            seed,
            ..Plan::default()
        };
        drill::make(&spool, &plan, &mut |_, _| {}).expect("a spool");
        let compared = same_recipients(&spool, &format!("seed {seed}"));
        assert!(compared >= 390, "{compared} of 400");
    }
}

#[test]
fn of_the_corpus() {
    for (name, least) in [("short-mixed", 180), ("long-live", 180), ("odd", 5)] {
        let spool = spool::Spool::of_corpus(name);
        let compared = same_recipients(&spool.path(), name);
        assert!(compared >= least, "{name}: {compared} are whole");
    }
}

#[test]
fn of_random_files_with_random_logs() {
    let mut compared = 0;
    for seed in 0..20 {
        let spool = spool::Spool::empty();
        std::fs::create_dir(spool.path().join("defer")).expect("a directory");
        for file in handmade::random_files(seed, 100) {
            file.write(&spool.path());
        }
        compared += same_recipients(&spool.path(), &format!("seed {seed}"));
    }
    assert!(compared > 200, "only {compared} files are whole");
    let spool = spool::Spool::empty();
    std::fs::create_dir(spool.path().join("defer")).expect("a directory");
    for file in handmade::odd_files() {
        file.write(&spool.path());
    }
    same_recipients(&spool.path(), ODD);
}

#[test]
fn the_order_of_a_list_is_equal_from_run_to_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let spool = folder.path().join("spool");
    let plan = Plan {
        messages: 2000,
        ..Plan::default()
    };
    drill::make(&spool, &plan, &mut |_, _| {}).expect("a spool");
    let first = listed(&spool, &["--readers", "1"]);
    assert!(first.len() > 1900);
    for readers in ["2", "7", "16"] {
        for _ in 0..3 {
            let again = listed(&spool, &["--readers", readers]);
            assert!(again == first, "{readers} readers: another order");
        }
    }
}

#[test]
fn what_has_no_next_retry_comes_last() {
    let spool = spool::Spool::of_corpus("short-mixed");
    let queues: Vec<bool> = listed(&spool.path(), &["--sort", "retry"])
        .iter()
        .map(|message| message["queue_name"] == "deferred")
        .collect();
    let deferred = queues.iter().filter(|deferred| **deferred).count();
    assert!(deferred > 50 && deferred < queues.len());
    assert!(queues[..deferred].iter().all(|deferred| *deferred));
}
