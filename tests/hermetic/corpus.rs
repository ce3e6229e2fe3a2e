//! The corpus: real spools, and odd files made by hand, against what the real tools printed for them.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::listed;
use crate::support::spool::{Spool, saved, taken_at};
use queuewatch::escape::domain::to_ascii;
use queuewatch::instance::{Selection, find};
use queuewatch::measure::Measure;
use queuewatch::options::{Options, Purpose};
use queuewatch::postfix::damage::DamageKind;
use queuewatch::postfix::queue::QueueSet;
use queuewatch::scan::{MessageRow, Messages};
use queuewatch::snapshot::Snapshot;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
/// Where the corpus' redirected mail goes.
const REDIRECT: &str = "redir@redirected.example";

fn scan(spool: &Spool, now: i64) -> Snapshot {
    let mut options = Options::default();
    let path = spool.path();
    options
        .set("queue-directory", path.as_os_str().as_encoded_bytes())
        .unwrap();
    options.set("now", now.to_string().as_bytes()).unwrap();
    options.scan(Purpose::Everything).unwrap()
}

fn figure(snapshot: &Snapshot, measure: &str) -> u64 {
    let figure = Measure::parse(measure).unwrap().evaluate(snapshot);
    figure
        .known()
        .unwrap_or_else(|| panic!("{measure}: {figure:?}")) as u64
}

#[test]
fn every_queue_has_the_sums_of_postqueue() {
    for name in ["short-mixed", "long-live"] {
        let spool = Spool::of_corpus(name);
        let now = taken_at(name);
        let output = Command::new(PROGRAM)
            .arg("--queue-directory")
            .arg(spool.path())
            .args(["--format", "json", "--now", &now.to_string()])
            .output()
            .unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let lines = saved(name, "postqueue-j.out");
        let listing: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for (queue, counted) in listed::count(&listing, REDIRECT) {
            assert_eq!(
                listed::reported(&document, queue),
                counted.figures(now),
                "{name} {queue}"
            );
        }
    }
}

#[test]
fn domains_and_senders_have_the_counts_of_postqueue() {
    for name in ["short-mixed", "long-live"] {
        let spool = Spool::of_corpus(name);
        let snapshot = scan(&spool, taken_at(name));
        let lines = saved(name, "postqueue-j.out");
        let listing: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let mut compared = 0;
        for (queue, counted) in listed::count(&listing, REDIRECT) {
            // One domain, whether it is spelt in letters or as A-labels.
            let mut domains: BTreeMap<String, u64> = BTreeMap::new();
            for (domain, recipients) in &counted.domains {
                let ascii = to_ascii(domain.as_bytes());
                let ascii = String::from_utf8_lossy(&ascii).into_owned();
                *domains.entry(ascii).or_default() += recipients;
            }
            for (domain, recipients) in &domains {
                // Quoted and odd addresses are spelt otherwise on the two sides.
                if domain
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
                    && !domain.ends_with('.')
                    // The measure counts the UTF-8 spelling of the domain, too.
                    && !domain.starts_with("xn--")
                {
                    let measure = format!("{queue}.domain({domain})");
                    assert_eq!(figure(&snapshot, &measure), *recipients, "{name} {measure}");
                    compared += 1;
                }
            }
            for (sender, messages) in &counted.senders {
                if !sender.contains(['"', '?']) {
                    let measure = format!("{queue}.sender({sender})");
                    assert_eq!(figure(&snapshot, &measure), *messages, "{name} {measure}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 40, "{name}: only {compared} names compared");
    }
}

/// The table that qshape printed for its default options, column by column, from our own buckets.
/// It leaves out what is marked for expiry (postfix.md, "Which files qshape accepts").
#[test]
fn ages_fall_into_the_buckets_of_qshape() {
    let name = "long-live";
    let spool = Spool::of_corpus(name);
    let snapshot = scan(&spool, taken_at(name));
    let table = &snapshot.instances[0].tables;
    // qshape counts the originals of redirected mail, which is not delivered to them.
    let originals: String = saved(name, "postqueue-j.out")
        .lines()
        .filter(|line| line.contains(REDIRECT))
        .collect();
    // A domain with other letters is counted under its A-label, and qshape has a row for each spelling.
    let mut rows: BTreeMap<Vec<u8>, Vec<u64>> = BTreeMap::new();
    for line in saved(name, "qshape/deferred.out").lines().skip(2) {
        let mut cells = line.split_whitespace();
        let domain = cells.next().unwrap();
        // The first is cut to fit its column.
        if domain.starts_with('+') || originals.contains(&format!("@{domain}\"")) {
            continue;
        }
        let domain = queuewatch::escape::domain::canonical(domain.as_bytes()).into_owned();
        let numbers: Vec<u64> = cells.map(|cell| cell.parse().unwrap()).collect();
        let sums = rows.entry(domain).or_insert_with(|| vec![0; numbers.len()]);
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number;
        }
    }
    for (domain, numbers) in &rows {
        let ages = table[queuewatch::postfix::queue::Queue::Deferred]
            .domains
            .get(domain)
            .unwrap_or_else(|| panic!("{}", domain.escape_ascii()));
        let name = domain.escape_ascii();
        assert_eq!(ages.total, numbers[0], "{name}");
        assert_eq!(ages.columns.map(u64::from)[..], numbers[1..], "{name}");
    }
    assert!(rows.len() > 10);
}

fn rows(spool: &Spool) -> BTreeMap<String, MessageRow> {
    let instance = find(
        &Selection::QueueDirectory {
            queue_directory: spool.path(),
            config_directory: None,
        },
        None,
    )
    .unwrap()
    .remove(0)
    .unwrap();
    let open = queuewatch::scan::Spool::open(&instance.queue_directory).unwrap();
    let mut messages = Messages::new(&open, QueueSet::ALL, queuewatch::scan::Depth::Envelopes);
    let mut rows = BTreeMap::new();
    while let Some(row) = messages.next_message() {
        let name = String::from_utf8(row.queue_id.clone()).unwrap();
        rows.insert(name, row.clone());
    }
    assert_eq!(messages.unreadable(), 0);
    rows
}

/// What qshape printed for each odd file alone, without options: recipients, by file name.
fn accepted_by_qshape() -> BTreeMap<String, Option<u64>> {
    let mut accepted = BTreeMap::new();
    let mut name = None;
    for line in saved("odd", "per-file.txt").lines() {
        if let Some(head) = line.strip_prefix("== ") {
            let (file, option) = head.split_once(' ').unwrap_or((head, ""));
            name = option.trim().is_empty().then(|| file.to_owned());
            if let Some(name) = &name {
                accepted.insert(name.clone(), Some(0));
            }
        } else if let Some(name) = &name {
            let mut cells = line.split_whitespace();
            match (cells.next(), cells.next()) {
                (Some("TOTAL"), Some(total)) => {
                    accepted.insert(name.clone(), total.parse().ok());
                }
                // It never ended.
                (Some("rc=124"), _) => {
                    accepted.insert(name.clone(), None);
                }
                _ => {}
            }
        }
    }
    accepted
}

/// Each odd file: what is wrong with it, by what Postfix does to it (postfix.md, "Odd files"), and
/// how many recipients can still be read.
#[test]
fn each_odd_file_is_read_as_far_as_it_goes() {
    use DamageKind::{
        BadSize, BadTime, ContentSize, Empty, MissingEnd, PointerLoop, RecipientBeforeSender,
        RecordLength, Truncated, Unexpected,
    };
    let spool = Spool::of_corpus("odd");
    let rows = rows(&spool);
    for (name, damage, recipients) in [
        ("A00001GOOD", None, 1),
        ("A00002EMPTY", Some(Empty), 0),
        ("A00003BADFIRST", Some(Unexpected(b'Z')), 1),
        ("A00004TRUNCMID", Some(ContentSize), 1),
        ("A00005NOEND", Some(MissingEnd), 1),
        ("A00006ENOLEN", Some(Truncated), 1),
        ("A00007BIGREC", Some(RecordLength), 0),
        ("A00008DLENPAST", Some(ContentSize), 1),
        ("A00009C1FIELD", Some(BadSize), 1),
        ("A00010TSPACE", None, 1),
        ("A00011ALLDONE", None, 0),
        ("A00012MIXED", None, 1),
        ("A00013EXTRCPT", None, 1),
        ("A00014NULLSND", None, 1),
        ("A00015NOSND", Some(RecipientBeforeSender), 1),
        ("A00016TWOSND", None, 2),
        ("A00017TNEG", Some(BadTime), 1),
        ("A00018TTEXT", Some(BadTime), 1),
        ("A00019THUGE", Some(BadTime), 1),
        ("A00020TEMPTY", Some(BadTime), 1),
        ("A00021ZEROTYPE", Some(Unexpected(b'0')), 1),
        ("A00022ODDRCPT", None, 34),
        ("A00023PTRLOOP", Some(PointerLoop), 0),
        ("A00024PTRZERO", None, 1),
        ("A00025PTRFAR", Some(MissingEnd), 0),
        ("SHORT", None, 1),
        ("A_UNDER", None, 1),
        ("lower1", None, 1),
        ("DE0001DEEP", None, 1),
        ("T00001TOP", None, 1),
        ("LHARD001", None, 1),
        ("B0700MODE", None, 1),
        ("B0710MODE", None, 1),
        ("B0777MODE", None, 1),
        ("B4700MODE", None, 1),
    ] {
        let row = rows
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not a message"));
        assert_eq!(
            (
                row.envelope.damage.map(|damage| damage.kind),
                row.recipient_count()
            ),
            (damage, recipients),
            "{name}"
        );
    }
    for name in [
        "A-DASH1",
        "A.DOT01",
        "LFIFO001",
        "LSYM0001",
        "B0400MODE",
        "B0500MODE",
        "B0600MODE",
        "F00001",
    ] {
        assert!(!rows.contains_key(name), "{name} is a message");
    }
}

/// Where a file is good and its mode and name are to qshape's liking, both see the same recipients.
#[test]
fn good_odd_files_have_the_recipients_of_qshape() {
    let spool = Spool::of_corpus("odd");
    let rows = rows(&spool);
    let accepted = accepted_by_qshape();
    let mut compared = 0;
    for (name, row) in &rows {
        let mode = row.inode.unwrap().mode;
        let Some(Some(total)) = accepted.get(name) else {
            continue;
        };
        let hidden = mode & 0o733 != 0o700 || name.len() < 6 || name.contains('_');
        if row.envelope.damage.is_none() && !hidden {
            assert_eq!(row.recipient_count() as u64, *total, "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 15);
    assert_eq!(
        accepted["A00023PTRLOOP"], None,
        "the real qshape hangs there"
    );
}

#[test]
fn the_odd_spool_is_added_up_without_a_gap() {
    let spool = Spool::of_corpus("odd");
    let snapshot = scan(&spool, 1_795_461_304);
    assert!(snapshot.is_whole());
    for (measure, value) in [
        ("deferred.messages", 44),
        ("spool.damaged", 16),
        ("spool.altered", 9),
        ("spool.unreadable", 0),
    ] {
        assert_eq!(figure(&snapshot, measure), value, "{measure}");
    }
    assert_eq!(
        snapshot.instances[0]
            .tally(queuewatch::postfix::queue::Queue::Deferred)
            .strays,
        1,
        "foo/bar/F00001, which no daemon lists"
    );
}
