//! `queuewatch list` against `postqueue -j` and `postqueue -p`: the same objects and blocks, byte for byte.
//!
//! In: the saved listings of `tests/corpus`, and a real Postfix with mail of every kind, odd queue files made by hand
//! and random ones. Where ours differs on purpose, `list_differences.txt` says so; a difference that is not listed
//! fails, and so does a listed one that is none. The order within a queue is that of readdir, and not compared.
//!
//! The random files come from the seed in `LIST_SEED`, or else from a fixed one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::handmade::{self, Handmade};
use crate::support::joined::{Joined, joined};
use crate::support::postfix::{
    DELIVERED, FULL, GREYLISTED, HOLD_SUBJECT, Options, Postfix, QueueIds, REJECTED, UNRESPONSIVE,
    is_older_than,
};
use crate::support::spool::{Spool, saved, taken_at};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
/// The queues in the order of a listing.
const LISTING: [&str; 5] = ["maildrop", "active", "incoming", "deferred", "hold"];
/// More would bury the first one, which is the one to look at.
const DIFFERENCES_SHOWN: usize = 12;
const RANDOM_FILES: usize = 200;
const SEED: u64 = 20_261_124;
const REACHABLE_SENDER: &str = "dora@ok.example";

#[test]
fn the_corpus_with_short_queue_ids() {
    // Without main.cf the form of the text is the short one, which is what this spool's instance printed.
    let spool = Spool::of_corpus("short-mixed");
    let from = [
        "--queue-directory".into(),
        spool.path().display().to_string(),
    ];
    same_as_saved("short-mixed", &from);
}

#[test]
fn the_corpus_with_long_queue_ids() {
    let spool = Spool::of_corpus("long-live");
    let config = tempfile::tempdir().expect("a temporary folder");
    let settings = saved("long-live", "main.cf");
    let directory = spool.path();
    let main_cf = format!("{settings}\nqueue_directory = {}\n", directory.display());
    fs::write(config.path().join("main.cf"), main_cf).expect("a file in our own folder");
    let from = ["-c".into(), config.path().display().to_string()];
    same_as_saved("long-live", &from);
}

#[test]
fn live_with_short_queue_ids() {
    same_as_live(&Options::default());
}

#[test]
fn live_with_long_queue_ids_in_two_levels_of_hashes() {
    same_as_live(&Options {
        queue_ids: QueueIds::Long,
        hash_queue_depth: 2,
        ..Options::default()
    });
}

#[test]
fn live_without_utf8() {
    same_as_live(&Options {
        main_cf: vec!["smtputf8_enable = no".into()],
        ..Options::default()
    });
}

#[test]
fn odd_files_made_by_hand() {
    for utf8 in ["yes", "no"] {
        let made = handmade::odd_files();
        same_with_files(&format!("handmade-{utf8}"), utf8, &made, "made by hand");
    }
}

#[test]
fn an_empty_address_is_printed_as_the_settings_of_postfix_say() {
    let postfix = Postfix::start(&Options {
        main_cf: vec!["empty_address_recipient = nobody here".into()],
        ..Options::default()
    });
    let mut made = handmade::odd_files();
    made.retain(|file| file.name == "SENDER00");
    made[0].write(&postfix.queue_directory());
    let mut comparison = Comparison::new("empty", names_of(&made));
    compare(&postfix, &mut comparison, "UTC");
    comparison.finish("empty_address_recipient");
    let ours = text(&list(&of(&postfix), &["-j"]));
    assert_eq!(ours.matches("\\\"nobody here\\\"").count(), 2, "{ours}");
}

#[test]
fn random_files() {
    let seed = std::env::var("LIST_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    let made = handmade::random_files(seed, RANDOM_FILES);
    same_with_files("random", "yes", &made, &format!("LIST_SEED={seed}"));
}

#[test]
fn an_empty_queue() {
    let postfix = Postfix::start(&Options::default());
    for form in ["-j", "-p"] {
        let theirs = postfix.postqueue(form, "UTC");
        assert_eq!(text(&list(&of(&postfix), &[form])), text(&theirs), "{form}");
    }
}

#[test]
fn filters_pick_what_a_filter_over_postqueue_would() {
    let spool = Spool::of_corpus("short-mixed");
    let filtered = Filtered::new(&spool, "short-mixed");
    filtered.by_domain();
    filtered.by_sender();
    filtered.by_reason(&spool);
    filtered.by_age();
    filtered.by_queue();
}

#[test]
fn listings_are_sorted() {
    let spool = Spool::of_corpus("short-mixed");
    let from = ["--queue-directory".into(), path_text(&spool.path())];
    let arrival = |line: &str| object(line)["arrival_time"].as_i64();
    assert_sorted(&from, "arrival", arrival);
    assert_sorted(&from, "size", |line| object(line)["message_size"].as_i64());
    assert_sorted(&from, "queue_id", |line| Some(key(line).1));
    let retries = modified(&spool.path().join("deferred"));
    assert_sorted(&from, "retry", |line| retries.get(&key(line).1).copied());
}

#[test]
fn a_second_copy_of_always_bcc_stays() {
    let postfix = Postfix::start(&Options {
        main_cf: vec!["always_bcc = archive@bcc.example".into()],
        ..Options::default()
    });
    let id = postfix.send(
        "bob@send.example",
        &["archive@bcc.example", "a@alpha.example"],
        "Subject: twice\n",
        "Hello\n",
    );
    postfix.wait_quiet();
    let names = BTreeMap::from([(id.clone(), "twice".to_owned())]);
    let mut comparison = Comparison::new("live", names);
    comparison.listed.clear();
    compare(&postfix, &mut comparison, "UTC");
    comparison.finish("always_bcc");
    let output = list(&of(&postfix), &["-j"]);
    let message = object(lines(&output).next().expect("one message"));
    let recipients = message["recipients"].as_array().expect("a list");
    assert_eq!(recipients.len(), 3, "{message:#}");
}

/// Compares with what was saved from a spool of the corpus.
fn same_as_saved(name: &str, from: &[String]) {
    let mut comparison = Comparison::new(name, BTreeMap::new());
    comparison.objects(
        saved(name, "postqueue-j.out").as_bytes(),
        &list(from, &["-j"]),
    );
    // -j is the default. The text was printed in UTC, as its dates and the seconds of -j agree.
    let sorted = |output: Vec<u8>| {
        let mut lines: Vec<String> = lines(&output).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(list(from, &[])), sorted(list(from, &["-j"])));
    comparison.blocks(
        saved(name, "postqueue-p.out").as_bytes(),
        &list(from, &["-p"]),
    );
    comparison.finish(name);
}

/// Sends every kind of mail to a Postfix, and compares while it runs and while it does not.
fn same_as_live(options: &Options) {
    let mut options = options.clone();
    options.main_cf.push(
        "virtual_alias_maps = inline:{ { list@alias.example = a@one.example, b@two.example, \"c c\"@three.example }, \
         { solo@alias.example = target@solo.example }, \
         { first@alias.example = one@target.example }, { second@alias.example = one@target.example } }"
            .into(),
    );
    let postfix = Postfix::start(&options);
    let mut kinds = send_every_kind(&postfix, options.main_cf.len() == 1);
    submit_odd_senders(&postfix);
    postfix.wait_quiet_except(1);
    operate(&postfix, &mut kinds);
    same_at_rest(&postfix, &kinds, "running");
    same_but_for_original_addresses(&postfix, &kinds["aliases"]);

    // What is submitted now stays in maildrop, and what we copy to incoming stays there.
    postfix.stop();
    postfix.submit(
        "late@send.example",
        &["late@alpha.example"],
        "Subject: late\n",
        "Hello\n",
    );
    postfix.submit(
        "",
        &["late@alpha.example", "x y@b"],
        "Subject: late\n",
        "Hello\n",
    );
    // It keeps its queue ID, and so its defer log.
    postfix.requeue(&kinds["requeued"]);
    let model = postfix.queue_file(&kinds["several-reasons"]);
    let copy = postfix.queue_directory().join("incoming/7A0F1C0FFEE");
    handmade::copy(&model, &copy);
    same_at_rest(&postfix, &kinds, "stopped");
}

/// Puts queue files into hold, where no daemon touches them, and compares.
fn same_with_files(place: &str, utf8: &str, made: &[Handmade], what: &str) {
    let postfix = Postfix::start(&Options {
        main_cf: vec![
            format!("smtputf8_enable = {utf8}"),
            // Old and new entries in one log, as the daemons of every release can leave them.
            "backwards_bounce_logfile_compatibility = yes".into(),
        ],
        ..Options::default()
    });
    for file in made {
        file.write(&postfix.queue_directory());
    }
    let mut comparison = Comparison::new(place, names_of(made));
    comparison.records = made
        .iter()
        .map(|file| {
            let log = file.log.as_deref();
            let joined = joined(&file.bytes, log, utf8 == "yes");
            (file.name.clone(), joined)
        })
        .collect();
    compare(&postfix, &mut comparison, "UTC");
    if !comparison.wrong.is_empty() {
        let all = made.iter().map(|file| (file.name.as_str(), file));
        comparison.add_sources(&all.collect());
    }
    comparison.finish(&format!("{what}, smtputf8_enable = {utf8}"));
}

fn names_of(made: &[Handmade]) -> BTreeMap<String, String> {
    made.iter()
        .map(|file| (file.name.clone(), file.name.clone()))
        .collect()
}

/// Compares both forms, and sees that ours left the spool as it was.
fn same_at_rest(postfix: &Postfix, kinds: &BTreeMap<&'static str, String>, what: &str) {
    let names = kinds
        .iter()
        .map(|(kind, id)| (id.clone(), (*kind).to_owned()));
    let place = if what == "stopped" { what } else { "live" };
    let mut comparison = Comparison::new(place, names.collect());
    let before = postfix.spool_state();
    compare(postfix, &mut comparison, "UTC");
    // Local time has other days and hours; this form of a zone needs no files.
    compare(postfix, &mut comparison, "<-0930>9:30");
    assert!(
        before == postfix.spool_state(),
        "{what}: the spool changed while it was listed"
    );
    comparison.finish(what);
}

/// Sees that `--keys 3.11` adds the original address before each address, and nothing else.
fn same_but_for_original_addresses(postfix: &Postfix, aliases: &str) {
    let from = of(postfix);
    let with = text(&list(&from, &["-j", "--keys", "3.11"]));
    let without = text(&list(&from, &["-j"]));
    let cut = with.lines().map(|line| {
        let mut pieces = line.split("{\"orig_address\": \"");
        let first = pieces.next().unwrap_or_default().to_owned();
        // No address of these instances has `", ` in it.
        pieces.fold(first, |kept, piece| {
            kept + "{" + piece.split_once("\", ").map_or("", |(_, rest)| rest)
        })
    });
    let cut = cut.collect::<BTreeSet<_>>();
    let without = without.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let differing = cut.symmetric_difference(&without).collect::<Vec<_>>();
    assert!(differing.is_empty(), "--keys 3.11: {differing:#?}");
    let message = with.lines().find(|line| key(line).1 == aliases);
    let message = object(message.expect("mail to aliases"));
    let recipients = message["recipients"].as_array().expect("a list");
    let original = |address: &str| {
        let recipient = recipients.iter().find(|one| one["address"] == address);
        recipient.and_then(|one| one["orig_address"].as_str())
    };
    assert_eq!(original("b@two.example"), Some("list@alias.example"));
    assert_eq!(original("target@solo.example"), Some("solo@alias.example"));
}

fn compare(postfix: &Postfix, comparison: &mut Comparison, zone: &str) {
    let from = of(postfix);
    comparison.objects(
        &postfix.postqueue("-j", zone),
        &list_in(zone, &from, &["-j"]),
    );
    comparison.blocks(
        &postfix.postqueue("-p", zone),
        &list_in(zone, &from, &["-p"]),
    );
}

/// Sends every kind of mail, and gives the queue ID of each.
fn send_every_kind(postfix: &Postfix, utf8: bool) -> BTreeMap<&'static str, String> {
    let send = |sender: &str, to: &[&str], headers: &str| {
        postfix.send(sender, to, &format!("Subject: {headers}\n"), "Hello\n")
    };
    let [ok, grey, full, bad] = [DELIVERED, GREYLISTED, FULL, REJECTED]
        .map(|domain| ["a", "b"].map(|name| format!("{name}@{domain}")));
    let several = [
        grey[0].as_str(),
        &full[0],
        "c@alpha.example",
        &full[1],
        "d@beta.example",
    ];
    let held = format!("{HOLD_SUBJECT} at once");
    let stuck = format!("user@{UNRESPONSIVE}");
    let mut kinds = BTreeMap::from([
        (
            "several-reasons",
            send("alice@send.example", &several, "several"),
        ),
        (
            "held",
            send("alice@send.example", &["a@alpha.example", &grey[1]], &held),
        ),
        (
            "held-later",
            send("bob@send.example", &several[..3], "later"),
        ),
        ("held-expired", send(REACHABLE_SENDER, &several, "both")),
        ("expired", send(REACHABLE_SENDER, &several[1..], "expired")),
        ("requeued", send("bob@send.example", &several, "requeued")),
        (
            "redirected",
            send("bob@send.example", &several[2..4], "r\nX-Redirect: yes"),
        ),
        (
            "partly",
            send(
                REACHABLE_SENDER,
                &[&ok[0], &grey[0], &bad[0], &full[0], &ok[1]],
                "partly",
            ),
        ),
        ("null-sender", send("", &["user@alpha.example"], "nobody")),
        (
            "aliases",
            send(
                "bob@send.example",
                &["list@alias.example", "solo@alias.example", &grey[0]],
                "aliases",
            ),
        ),
        (
            "two-aliases-of-one",
            send(
                "bob@send.example",
                &["first@alias.example", "second@alias.example"],
                "two aliases",
            ),
        ),
        (
            "two-aliases-of-one-held",
            send(
                "bob@send.example",
                &["second@alias.example", "first@alias.example"],
                &held,
            ),
        ),
        (
            "odd",
            send(
                r#""odd sender"@send.example"#,
                &handmade::ODD_RECIPIENTS,
                "odd",
            ),
        ),
        ("stuck", send("bob@send.example", &[&stuck], "stuck")),
    ]);
    if utf8 {
        let to = [
            "пользователь@пример.example",
            "jörg@alpha.example",
            "emoji😀@b.example",
        ];
        kinds.insert("utf8", send("jürgen@bücher.example", &to, "utf8"));
    }
    let many = (0..1500)
        .map(|n| format!("reader{n}@d{}.alpha.example", n % 7))
        .collect::<Vec<_>>();
    let id = postfix.send("news@send.example", &many, "Subject: news\n", "Hello\n");
    kinds.insert("many", id);
    kinds
}

/// Senders and recipients that no SMTP server would take.
fn submit_odd_senders(postfix: &Postfix) {
    let headers = "Subject: odd\n";
    for sender in [
        "tab\there@send.example",
        "bell\u{7}@send.example",
        "jörg@send.example",
        "user@",
        "@send.example",
        "no-domain",
        "a@b@send.example",
        "\"quo\\\"te\"@send.example",
        "back\\slash@send.example",
    ] {
        let to = ["plain@alpha.example", "jürgen@alpha.example", "user@"];
        postfix.submit(sender, &to, headers, "Hello\n");
    }
}

/// What an operator does to mail that waits.
fn operate(postfix: &Postfix, kinds: &mut BTreeMap<&'static str, String>) {
    postfix.hold(&kinds["held-later"]);
    postfix.hold(&kinds["held-expired"]);
    postfix.expire(&kinds["held-expired"]);
    postfix.expire(&kinds["expired"]);
}

/// One entry of `list_differences.txt`.
struct Difference {
    identifier: String,
    seen: bool,
}

/// A comparison of ours with postqueue's in one place, which tells all that is wrong at its end.
struct Comparison {
    place: String,
    /// By what a message is called in the list of differences: its kind, or else its queue ID.
    listed: BTreeMap<String, Difference>,
    /// What messages are called, by queue ID.
    names: BTreeMap<String, String>,
    /// The recipients of those whose bytes are known, by queue ID.
    records: BTreeMap<String, Vec<Joined>>,
    /// What is wrong, with the queue ID where there is one.
    wrong: Vec<(String, String)>,
}

impl Comparison {
    fn new(place: &str, names: BTreeMap<String, String>) -> Self {
        Comparison {
            place: place.to_owned(),
            listed: differences(place),
            names,
            records: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// Compares the output of -j.
    fn objects(&mut self, theirs: &[u8], ours: &[u8]) {
        let order = escaped(ours)
            .lines()
            .filter_map(|line| LISTING.iter().position(|queue| *queue == key(line).0))
            .collect::<Vec<_>>();
        if !order.is_sorted() {
            self.fail("", "ours: the queues are out of order");
        }
        let theirs = self.by_key(theirs, "theirs", key);
        let ours = self.by_key(ours, "ours", key);
        self.pairs(theirs, &ours, |(_, id)| id.clone(), once_in_object);
    }

    /// Compares the output of -p.
    fn blocks(&mut self, theirs: &[u8], ours: &[u8]) {
        let (theirs, ours) = (Printed::of(theirs), Printed::of(ours));
        // The sums have the differences of their parts.
        let summed = ["size-record-in-maildrop", "not-listed"];
        let differs = |entry: &Difference| summed.contains(&entry.identifier.as_str());
        let end = |printed: &Printed| match self.listed.values().any(differs) {
            true => printed
                .end
                .replace(|letter: char| letter.is_ascii_digit(), ""),
            false => printed.end.clone(),
        };
        let heading = |printed: &Printed| printed.heading.clone();
        for (theirs, ours) in [
            (heading(&theirs), heading(&ours)),
            (end(&theirs), end(&ours)),
        ] {
            if theirs != ours {
                self.fail("", &unlike(&theirs, &ours));
            }
        }
        let block = |block: &&str| block_id(block);
        let theirs = self.by(theirs.blocks.iter().map(String::as_str), "theirs", block);
        let ours = self.by(ours.blocks.iter().map(String::as_str), "ours", block);
        let id = |marked: &String| marked.trim_end_matches(['*', '!', '#']).to_owned();
        self.pairs(theirs, &ours, id, once_in_block);
    }

    fn by_key<K: Ord + std::fmt::Debug>(
        &mut self,
        output: &[u8],
        whose: &str,
        key: impl Fn(&str) -> K,
    ) -> BTreeMap<K, String> {
        let output = escaped(output);
        self.by(output.split_terminator('\n'), whose, |line| key(line))
    }

    fn by<'o, K: Ord + std::fmt::Debug>(
        &mut self,
        items: impl Iterator<Item = &'o str>,
        whose: &str,
        key: impl Fn(&&str) -> K,
    ) -> BTreeMap<K, String> {
        let mut all = BTreeMap::new();
        for item in items {
            let key = key(&item);
            if all.contains_key(&key) {
                self.fail("", &format!("{whose}: listed twice: {key:?}"));
            }
            all.insert(key, item.to_owned());
        }
        all
    }

    fn pairs<K: Ord + std::fmt::Debug>(
        &mut self,
        theirs: BTreeMap<K, String>,
        ours: &BTreeMap<K, String>,
        id: impl Fn(&K) -> String,
        once: impl Fn(&str, Option<&[Joined]>) -> String,
    ) {
        for key in ours.keys().filter(|key| !theirs.contains_key(key)) {
            self.fail(&id(key), &format!("only ours: {key:?}"));
        }
        for (key, theirs) in theirs {
            let id = id(&key);
            match ours.get(&key) {
                Some(ours) => self.pair(&id, &theirs, ours, &once),
                None => match self.listed.get_mut(self.names.get(&id).unwrap_or(&id)) {
                    Some(listed) if listed.identifier == "not-listed" => listed.seen = true,
                    _ => self.fail(&id, &format!("only theirs: {theirs}")),
                },
            }
        }
    }

    fn pair(
        &mut self,
        id: &str,
        theirs: &str,
        ours: &str,
        once: impl Fn(&str, Option<&[Joined]>) -> String,
    ) {
        let name = self.names.get(id).map_or(id, String::as_str);
        let listed = match self.listed.contains_key(name) {
            true => self.listed.get_mut(name),
            false => self.listed.get_mut("*"),
        };
        let expected = match listed {
            Some(listed) if listed.identifier == "duplicate-recipients" => {
                let records = self.records.get(id).map(Vec::as_slice);
                let expected = once(theirs, records);
                listed.seen |= expected != theirs;
                expected
            }
            Some(listed) => {
                listed.seen |= theirs != ours;
                return;
            }
            None => theirs.to_owned(),
        };
        if expected != ours {
            self.fail(id, &unlike(&expected, ours));
        }
    }

    fn fail(&mut self, id: &str, what: &str) {
        let name = self.names.get(id).filter(|name| *name != id);
        let name = name.map_or(String::new(), |name| format!(" ({name})"));
        self.wrong
            .push((id.to_owned(), format!("{id}{name}: {what}")));
    }

    /// Adds to each message that is wrong the bytes that it was made of.
    fn add_sources(&mut self, made: &BTreeMap<&str, &Handmade>) {
        for (id, what) in self.wrong.iter_mut().take(DIFFERENCES_SHOWN) {
            if let Some(file) = made.get(id.as_str()) {
                let _ = write!(what, "\n  file: {}", file.bytes.escape_ascii());
                let log = file.log.as_deref().unwrap_or(b"(none)");
                let _ = write!(what, "\n  log:  {}", log.escape_ascii());
            }
        }
    }

    fn finish(mut self, what: &str) {
        let unused = self.listed.iter().filter(|(_, entry)| !entry.seen);
        let unused = unused
            .map(|(name, entry)| {
                format!("{name}: {} is listed, and there is none", entry.identifier)
            })
            .collect::<Vec<_>>();
        for what in unused {
            self.fail("", &what);
        }
        let shown = self.wrong.iter().take(DIFFERENCES_SHOWN);
        let shown = shown.map(|(_, what)| what.as_str()).collect::<Vec<_>>();
        assert!(
            self.wrong.is_empty(),
            "{}, {what}: {} differences, {} shown:\n{}",
            self.place,
            self.wrong.len(),
            shown.len(),
            shown.join("\n")
        );
    }
}

/// The listed differences of one place, by message.
fn differences(place: &str) -> BTreeMap<String, Difference> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/list_differences.txt");
    let list = fs::read_to_string(path).expect("the list of differences");
    list.lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .filter_map(|line| {
            let [message, identifier, reason] =
                line.split('|').map(str::trim).collect::<Vec<_>>()[..]
            else {
                panic!("tests/real/list_differences.txt: expected three columns: {line}");
            };
            assert!(
                !reason.is_empty(),
                "tests/real/list_differences.txt: no reason: {line}"
            );
            let (at, name) = message.split_once(' ').expect("PLACE MESSAGE");
            let (identifier, fixed) = match identifier.split_once(" before ") {
                Some((identifier, releases)) => (identifier, Some(releases)),
                None => (identifier, None),
            };
            if fixed.is_some_and(|releases| !is_older_than(releases)) {
                return None;
            }
            let identifier = identifier.to_owned();
            (at == place || (at == "live" && place == "stopped")).then(|| {
                (
                    name.to_owned(),
                    Difference {
                        identifier,
                        seen: false,
                    },
                )
            })
        })
        .collect()
}

/// Output of -p in its parts.
struct Printed {
    heading: String,
    blocks: Vec<String>,
    end: String,
}

impl Printed {
    fn of(output: &[u8]) -> Printed {
        let output = escaped(output);
        let (body, end) = output.split_at(output.rfind("\n-- ").map_or(0, |at| at + 1));
        let (heading, body) = body.split_once('\n').unwrap_or((body, ""));
        // A blank line separates blocks, and an empty piece can only come from one too many.
        let blocks = body.strip_suffix('\n').unwrap_or(body).split("\n\n");
        Printed {
            heading: heading.to_owned(),
            blocks: blocks
                .map(|block| block.trim_end_matches('\n').to_owned())
                .collect(),
            end: end.to_owned(),
        }
    }
}

/// The first column of a block: the queue ID with its marks.
fn block_id(block: &str) -> String {
    block.split(' ').next().unwrap_or_default().to_owned()
}

/// Which of postqueue's recipients ours lists, in our order, and under which address if not postqueue's: as `records`
/// says, or without the bytes of a message by addresses, of which every such message has each once.
fn listed<'t>(
    theirs: &[(&'t str, bool)],
    records: Option<&[Joined]>,
    line: impl Fn(&[u8]) -> String,
) -> Vec<(String, Option<usize>)> {
    let Some(records) = records else {
        let mut explained: BTreeSet<&'t str> = BTreeSet::new();
        explained.extend(theirs.iter().filter(|one| one.1).map(|one| one.0));
        return theirs
            .iter()
            .enumerate()
            .filter(|(_, (address, has_reason))| *has_reason || !explained.contains(address))
            .map(|(place, (address, has_reason))| {
                ((*address).to_owned(), has_reason.then_some(place))
            })
            .collect();
    };
    records
        .iter()
        .map(|one| {
            let address = match &one.address {
                Some(address) => line(address),
                None => theirs[one.entry.expect("an entry of the log")].0.to_owned(),
            };
            (address, one.entry)
        })
        .collect()
}

/// An object of postqueue as ours: each recipient record once.
fn once_in_object(line: &str, records: Option<&[Joined]>) -> String {
    const REASON: &str = ", \"delay_reason\"";
    let (head, recipients) = line
        .split_once("\"recipients\": [")
        .expect("a list of recipients");
    let recipients = recipients.strip_suffix("]}").expect("the end of an object");
    let all: Vec<(&str, &str)> = recipients
        .split_inclusive("}, ")
        .map(|recipient| recipient.trim_end_matches("}, ").trim_end_matches('}'))
        .map(|recipient| recipient.split_at(recipient.find(REASON).unwrap_or(recipient.len())))
        .collect();
    let theirs: Vec<(&str, bool)> = all
        .iter()
        .map(|(address, reason)| (*address, !reason.is_empty()))
        .collect();
    let printed = |address: &[u8]| {
        let mut inside = Vec::new();
        queuewatch::escape::json_mailq_text(address, &mut inside);
        format!("{{\"address\": \"{}\"", escaped(&inside))
    };
    let kept: Vec<String> = listed(&theirs, records, printed)
        .into_iter()
        .map(|(address, entry)| {
            let reason = entry.map_or("", |place| all[place].1);
            format!("{address}{reason}}}")
        })
        .collect();
    format!("{head}\"recipients\": [{}]}}", kept.join(", "))
}

/// Whether a line of a block is a reason: in brackets, and so far right that it ends in column 78.
fn is_reason(line: &str) -> bool {
    let text = line.trim_start_matches(' ');
    text.starts_with('(')
        && text.ends_with(')')
        && line.len() - text.len() == 78_usize.saturating_sub(text.len())
}

/// A block of postqueue as ours: each recipient record once.
fn once_in_block(block: &str, records: Option<&[Joined]>) -> String {
    const NONE: &str = "(reason unavailable)";
    let mut lines = block.lines();
    let mut out = vec![lines.next().unwrap_or_default().to_owned()];
    let mut reason = "";
    let mut all: Vec<(&str, &str)> = Vec::new();
    for line in lines {
        if is_reason(line) {
            reason = line;
        } else {
            all.push((line, reason));
        }
    }
    let theirs: Vec<(&str, bool)> = all
        .iter()
        .map(|(address, reason)| (*address, !["", NONE].contains(&reason.trim_start())))
        .collect();
    // Behind the three columns of the short form: those are of made files, which have short queue IDs.
    let printed = |address: &[u8]| format!("{:41}{}", "", escaped(address));
    let mut saved = "";
    for (address, entry) in listed(&theirs, records, printed) {
        let reason = entry.map_or("", |place| all[place].1);
        if reason != saved {
            saved = reason;
            out.push(match saved {
                "" => format!("{NONE:>78}"),
                _ => saved.to_owned(),
            });
        }
        out.push(address);
    }
    out.join("\n")
}

/// Both sides from shortly before where they part: lines of 2 MB are no help.
fn unlike(theirs: &str, ours: &str) -> String {
    let same = theirs
        .bytes()
        .zip(ours.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let from = same.saturating_sub(60);
    let piece = |text: &str| {
        let bytes = text.as_bytes();
        let to = bytes.len().min(same + 200);
        String::from_utf8_lossy(&bytes[from.min(to)..to]).into_owned()
    };
    format!(
        "they part at byte {same}\n  theirs: ..{}\n  ours:   ..{}",
        piece(theirs),
        piece(ours)
    )
}

/// The listing of a spool of the corpus, whole and as filters pick it.
struct Filtered {
    from: [String; 2],
    now: i64,
    ours: Vec<String>,
    theirs: Vec<Value>,
}

impl Filtered {
    fn new(spool: &Spool, name: &str) -> Self {
        let from = ["--queue-directory".to_owned(), path_text(&spool.path())];
        let whole = list(&from, &["-j"]);
        let saved = saved(name, "postqueue-j.out");
        Filtered {
            ours: lines(&whole).map(str::to_owned).collect(),
            theirs: saved.lines().map(object).collect(),
            now: taken_at(name),
            from,
        }
    }

    /// Sees that `arguments` leave those lines of the whole listing that `wanted` picks of postqueue's, unchanged.
    fn picks(&self, arguments: &[&str], wanted: impl Fn(&Value) -> bool) {
        let keys = self.theirs.iter().filter(|message| wanted(message));
        let keys = keys.map(key_of).collect::<BTreeSet<_>>();
        assert!(
            keys.len() < self.theirs.len(),
            "{arguments:?} is no test: all are picked"
        );
        let expected = self.ours.iter().map(String::as_str);
        let expected = expected
            .filter(|line| keys.contains(&key(line)))
            .collect::<BTreeSet<_>>();
        let output = list(&self.from, arguments);
        let picked = lines(&output).collect::<BTreeSet<_>>();
        let differing = expected.symmetric_difference(&picked);
        let differing = differing.map(|line| key(line)).collect::<Vec<_>>();
        assert!(
            differing.is_empty(),
            "{arguments:?}: {} wanted, {} picked: {differing:?}",
            expected.len(),
            picked.len()
        );
    }

    fn by_domain(&self) {
        for domain in [
            "alpha.example",
            "ALPHA.example",
            "upper.example",
            "redirected.example",
            "d3.bulk.example",
            "bücher.example",
            "xn--bcher-kva.example",
            "none.example",
        ] {
            let domain_of = |address: &str| {
                let (_, domain) = address.rsplit_once('@').unwrap_or(("", address));
                // Either spelling of a domain picks both.
                domain.to_lowercase().replace("xn--bcher-kva", "bücher")
            };
            let wanted = domain.to_ascii_lowercase();
            self.picks(&["--domain", domain], |message| {
                let recipients = message["recipients"].as_array().expect("a list");
                let address = |one: &Value| one["address"].as_str().map(str::to_ascii_lowercase);
                recipients
                    .iter()
                    .filter_map(address)
                    .any(|address| domain_of(&address) == domain_of(&wanted))
            });
        }
    }

    fn by_sender(&self) {
        let senders = self
            .theirs
            .iter()
            .filter_map(|message| message["sender"].as_str());
        // In the listing they are quoted, and what the operator types may not be.
        let senders = senders.filter(|sender| !sender.contains('"'));
        let mut senders = senders.collect::<BTreeSet<_>>();
        senders.insert("nobody@none.example");
        for sender in senders {
            self.picks(&["--sender", sender], |message| {
                message["sender"]
                    .as_str()
                    .is_some_and(|other| other.eq_ignore_ascii_case(sender))
            });
        }
    }

    fn by_reason(&self, spool: &Spool) {
        let statuses = statuses(&spool.path().join("defer"));
        assert!(statuses.len() > 100, "the corpus has logs");
        for code in [
            "4.4", "4.4.1", "4.7", "4.7.1", "4.2.2", "4.2", "5", "4.4.10",
        ] {
            self.picks(&["--reason", code], |message| {
                let id = message["queue_id"].as_str().expect("a queue ID");
                let of_message = statuses.get(id).map_or(&[][..], Vec::as_slice);
                let dotted = format!("{code}.");
                of_message
                    .iter()
                    .any(|status| *status == code || status.starts_with(&dotted))
            });
        }
    }

    fn by_age(&self) {
        let arrivals = self
            .theirs
            .iter()
            .filter_map(|message| message["arrival_time"].as_i64());
        let arrivals = arrivals.collect::<BTreeSet<_>>();
        let now = self.now.to_string();
        for arrival in &arrivals {
            // Not at the very second of any arrival: whether that is older is a matter of taste.
            let limit = arrival + 1;
            // An arrival in the future has no age.
            if arrivals.contains(&limit) || Some(arrival) == arrivals.last() || limit > self.now {
                continue;
            }
            let age = format!("{}s", self.now - limit);
            self.picks(&["--older", &age, "--now", &now], |message| {
                message["arrival_time"]
                    .as_i64()
                    .is_some_and(|arrival| arrival < limit)
            });
        }
    }

    fn by_queue(&self) {
        for queues in [
            &["deferred"][..],
            &["hold", "maildrop"],
            &["incoming", "active"],
        ] {
            self.picks(queues, |message| {
                queues.iter().any(|queue| message["queue_name"] == *queue)
            });
        }
    }
}

/// The status of every recipient in the logs below `directory`, by queue ID.
fn statuses(directory: &Path) -> BTreeMap<String, Vec<String>> {
    files_below(directory)
        .into_iter()
        .map(|path| {
            let log = fs::read(&path).expect("a log of our own");
            let log = text(&log);
            let statuses = log.lines().filter_map(|line| line.strip_prefix("status="));
            (name_of(&path), statuses.map(str::to_owned).collect())
        })
        .collect()
}

/// When the files below `directory` were modified, in seconds, by name.
fn modified(directory: &Path) -> BTreeMap<String, i64> {
    files_below(directory)
        .into_iter()
        .map(|path| {
            (
                name_of(&path),
                fs::metadata(&path).expect("it is ours").mtime(),
            )
        })
        .collect()
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of our own") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().expect("a file has a name");
    name.to_string_lossy().into_owned()
}

/// Sees that `--sort name` puts one queue in the order of `value`, and lists what is listed without it.
///
/// Which end comes first is the program's choice; that there is an order is what is tested.
fn assert_sorted<V: Ord>(from: &[String], name: &str, value: impl Fn(&str) -> V) {
    let sorted = list(from, &["--sort", name, "deferred"]);
    let unsorted = list(from, &["deferred"]);
    let values = lines(&sorted).map(value).collect::<Vec<_>>();
    let rising = values.is_sorted();
    let falling = values.iter().rev().is_sorted();
    assert!(
        rising != falling,
        "--sort {name}: rising {rising}, falling {falling}"
    );
    let all = |output| lines(output).collect::<BTreeSet<_>>();
    assert!(
        all(&sorted) == all(&unsorted),
        "--sort {name} changes what is listed"
    );
}

/// The queue and the queue ID of a line of -j.
fn key(line: &str) -> (String, String) {
    let mut quoted = line.split('"');
    let mut after = |name| {
        quoted
            .find(|piece| *piece == name)
            .unwrap_or_else(|| panic!("no {name}: {line}"));
        quoted.nth(1).unwrap_or_default().to_owned()
    };
    let queue = after("queue_name");
    (queue, after("queue_id"))
}

fn key_of(message: &Value) -> (String, String) {
    let string = |name| {
        message[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {message}"))
    };
    (string("queue_name").into(), string("queue_id").into())
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
}

fn of(postfix: &Postfix) -> [String; 2] {
    ["-c".into(), path_text(&postfix.config_directory())]
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

/// What `queuewatch list` prints.
fn list(from: &[String], arguments: &[&str]) -> Vec<u8> {
    list_in("UTC", from, arguments)
}

fn list_in(zone: &str, from: &[String], arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(PROGRAM);
    command
        .arg("list")
        .args(from)
        .args(arguments)
        .env("TZ", zone);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}: {}",
        output.status,
        text(&output.stderr)
    );
    output.stdout
}

fn lines(output: &[u8]) -> impl Iterator<Item = &str> {
    let output = std::str::from_utf8(output).expect("what is listed is UTF-8");
    output.lines()
}

/// Output as text, in which bytes that are not UTF-8 stay apart from each other.
fn escaped(output: &[u8]) -> String {
    let mut text = String::with_capacity(output.len());
    for chunk in output.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("{{{byte:02x}}}")));
    }
    text
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
