//! OpenMetrics that add up: ages, what has most, fill, expiry, causes and named domains, from every face.
// Samples are whole numbers, or fractions that are made in the same way.
#![allow(clippy::float_cmp)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::spool::Spool;
use queuewatch::drill::QueueFile;

const CHECK: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const TOOL: &str = env!("CARGO_BIN_EXE_queuewatch");
const NOW: i64 = 1_795_461_304;
const EDGES: [i64; 11] = [
    300, 600, 1200, 2400, 4800, 9600, 19_200, 38_400, 76_800, 172_800, 345_600,
];

/// Puts a message of that age, from `sender` to `recipients`, into a queue.
fn put(spool: &Spool, place: &str, age: i64, sender: &str, recipients: &[&str]) {
    let mut file = QueueFile::cleanup(NOW - age, 0).sender(sender.as_bytes());
    for recipient in recipients {
        file = file.todo(recipient.as_bytes());
    }
    let built = file.content(b"Subject: test\n\nHello\n").build();
    spool.write(place, &built.bytes, 0o700);
}

fn run(program: &str, spool: &Spool, words: &[&str]) -> (Option<i32>, String) {
    let output = spool.run(program, NOW, words);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8(text).expect("UTF-8"),
    )
}

/// The samples of a text by series, without the labels of the instance.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let series = series
            .replace("postfix_instance=\"postfix\",", "")
            .replace("{postfix_instance=\"postfix\"}", "")
            .replacen("postfix_spool_", "", 1);
        let value: f64 = value.parse().expect("a number");
        assert!(
            found.insert(series.clone(), value).is_none(),
            "{series} twice"
        );
    }
    found
}

fn metrics(spool: &Spool, words: &[&str]) -> BTreeMap<String, f64> {
    let (_, plugin) = run(
        CHECK,
        spool,
        &[words, &["--format", "openmetrics"]].concat(),
    );
    samples(&plugin)
}

/// One message at each edge of age, one a second older, and one that is new.
fn at_the_edges() -> Spool {
    let spool = Spool::empty();
    let mut number = 0;
    for age in EDGES.iter().flat_map(|edge| [*edge, edge + 1]).chain([0]) {
        number += 1;
        let place = format!("deferred/A/A{number:05}");
        put(&spool, &place, age, "a@client.example", &["u@one.example"]);
    }
    spool
}

#[test]
fn ages_are_cumulative_and_have_zeros() {
    let spool = at_the_edges();
    let seen = metrics(&spool, &[]);
    for (place, edge) in EDGES.iter().enumerate() {
        let of = |queue: &str| seen[&format!("messages_by_age{{queue=\"{queue}\",le=\"{edge}\"}}")];
        // The new one, two of each edge before, and the one at the edge itself.
        assert_eq!(of("deferred"), 2.0 * place as f64 + 2.0, "{edge}");
        assert_eq!(of("hold"), 0.0);
    }
    assert_eq!(
        seen["messages_by_age{queue=\"deferred\",le=\"+Inf\"}"],
        23.0
    );
    assert_eq!(seen["messages{queue=\"deferred\"}"], 23.0);
    // What is older than an edge is what a rule says.
    let (_, text) = run(CHECK, &spool, &["-w", "deferred.older(4800s)=0"]);
    let younger = seen["messages_by_age{queue=\"deferred\",le=\"4800\"}"];
    let older = format!("deferred.older(4800s) is {} (warning 0)", 23.0 - younger);
    assert!(text.contains(&older), "{older} in {text}");
}

/// A busy spool: two domains, one sender with most, mail that expires soon, and an active queue that fills.
fn busy() -> Spool {
    let spool = Spool::empty();
    let day = 86_400;
    put(
        &spool,
        "deferred/A/A00001",
        60,
        "a@client.example",
        &["u@one.example", "v@ONE.example"],
    );
    put(
        &spool,
        "deferred/A/A00002",
        5 * day - 1800,
        "a@client.example",
        &["u@two.example"],
    );
    put(
        &spool,
        "deferred/A/A00003",
        5 * day - 7200,
        "b@client.example",
        &["u@other", "u@a\"b.example"],
    );
    put(
        &spool,
        "active/B00001",
        700,
        "a@client.example",
        &["u@one.example", "u@three.example"],
    );
    spool
}

#[test]
fn the_top_expiry_and_fill_are_exported_without_names() {
    let spool = busy();
    let seen = metrics(&spool, &[]);
    for (series, value) in [
        ("top_domain_recipients{queue=\"deferred\"}", 2.0),
        ("top_sender_messages{queue=\"deferred\"}", 2.0),
        ("top_sender_messages{queue=\"hold\"}", 0.0),
        ("expiring_messages{queue=\"deferred\",within=\"1h\"}", 1.0),
        ("expiring_messages{queue=\"deferred\",within=\"1d\"}", 2.0),
        ("expiring_messages{queue=\"active\",within=\"1d\"}", 0.0),
        ("active_fill_ratio", 1.0 / 20_000.0),
        ("complete", 1.0),
    ] {
        assert_eq!(seen.get(series), Some(&value), "{series}");
    }
    assert!(!seen.keys().any(|series| series.contains(".example")));

    let home = tempfile::tempdir().expect("a folder");
    let queue_directory = spool.path().display().to_string();
    let main_cf = format!("queue_directory = {queue_directory}\nqmgr_message_active_limit = 4\n");
    fs::write(home.path().join("main.cf"), main_cf).expect("a file");
    let with_settings = metrics(&spool, &["-d", home.path().to_str().expect("UTF-8")]);
    assert_eq!(with_settings["active_fill_ratio"], 0.25);
}

#[test]
fn domains_are_named_on_demand_and_the_rest_is_other() {
    let spool = busy();
    let named = |words: &[&str], domain: &str, queue: &str, le: &str| {
        let seen = metrics(&spool, words);
        let series =
            format!("recipients_by_age{{queue=\"{queue}\",domain=\"{domain}\",le=\"{le}\"}}");
        seen.get(&series).copied()
    };
    let words = [
        "--metrics-domain",
        "One.Example.",
        "--metrics-domain",
        "absent.example",
    ];
    for (domain, queue, le, value) in [
        ("one.example", "deferred", "300", 2.0),
        ("one.example", "active", "600", 0.0),
        ("one.example", "active", "1200", 1.0),
        ("absent.example", "deferred", "+Inf", 0.0),
        // A domain of that name is among the others.
        ("other", "deferred", "76800", 0.0),
        ("other", "deferred", "+Inf", 3.0),
        ("other", "active", "+Inf", 1.0),
    ] {
        assert_eq!(
            named(&words, domain, queue, le),
            Some(value),
            "{domain} {queue} {le}"
        );
    }
    assert_eq!(named(&[], "one.example", "deferred", "300"), None);
    // One in active, two in deferred: it has most.
    let top = ["--metrics-top", "1"];
    assert_eq!(named(&top, "one.example", "deferred", "+Inf"), Some(2.0));
    assert_eq!(named(&top, "two.example", "deferred", "+Inf"), None);
    let many = ["--metrics-top", "100"];
    assert_eq!(
        named(&many, "a\\\"b.example", "deferred", "+Inf"),
        Some(1.0)
    );
    assert_eq!(
        named(&many, "other", "deferred", "+Inf"),
        Some(1.0),
        "the one of that name"
    );

    // The rows of a queue are all its recipients.
    let seen = metrics(&spool, &many);
    let all = |series: &&String| {
        series.starts_with("recipients_by_age{queue=\"deferred\"") && series.contains("+Inf")
    };
    let sum: f64 = seen.keys().filter(all).map(|series| seen[series]).sum();
    assert_eq!(sum, seen["recipients{queue=\"deferred\"}"]);
}

#[test]
fn too_many_names_are_refused() {
    let spool = Spool::empty();
    for (words, wanted) in [
        (
            &["--metrics-top", "101"][..],
            "must be a number from 0 to 100",
        ),
        (&["--metrics-top", "-1"], "must be a number from 0 to 100"),
        (&["--metrics-domain", "."], "must be the name of a domain"),
    ] {
        let (code, text) = run(CHECK, &spool, words);
        assert_eq!(code, Some(3), "{words:?}");
        assert!(text.contains(wanted), "{text}");
    }
    let names: Vec<String> = (0..101)
        .map(|number| format!("d{number}.example"))
        .collect();
    let words: Vec<&str> = names
        .iter()
        .flat_map(|name| ["--metrics-domain", name])
        .collect();
    let (code, text) = run(CHECK, &spool, &words);
    assert_eq!(code, Some(3));
    assert!(text.contains("there are 100 domains already"), "{text}");
}

#[test]
fn causes_are_exported_for_any_rules() {
    let spool = Spool::of_corpus("short-mixed");
    let of_causes = |words: &[&str]| -> Vec<(String, f64)> {
        let seen = metrics(&spool, words);
        let of_causes = |(series, _): &(String, f64)| {
            series.starts_with("recipients_by_cause{queue=\"deferred\"")
        };
        seen.into_iter().filter(of_causes).collect()
    };
    let all = of_causes(&[]);
    assert_eq!(all.len(), queuewatch::cause::CAUSES, "with zeros");
    assert!(all.iter().any(|(_, recipients)| *recipients > 0.0));
    assert_eq!(of_causes(&["-w", "deferred.messages=4"]), all);
    assert_eq!(of_causes(&["-w", "deferred.cause(filter)=4"]), all);
}

#[test]
fn ages_that_are_not_all_known_are_a_lower_bound_or_left_out() {
    let spool = at_the_edges();
    // An empty file has no arrival time.
    spool.write("deferred/A/A00099", b"", 0o700);
    spool.write("hold/C00001", b"", 0o700);
    let seen = metrics(&spool, &["--metrics-top", "1"]);
    assert_eq!(seen["complete"], 0.0);
    assert_eq!(seen["messages{queue=\"deferred\"}"], 24.0);
    assert_eq!(
        seen["messages_by_age{queue=\"deferred\",le=\"+Inf\"}"],
        23.0
    );
    // Of hold nothing is known: zeros would be false.
    let of_hold = |series: &&String| series.contains("_by_age{queue=\"hold\"");
    assert_eq!(seen.keys().find(of_hold), None);
}

/// What a watch keeps in its file.
fn watched(spool: &Spool, folder: &Path, words: &[&str]) -> String {
    let file = folder.join("queue.prom");
    let mut child = Command::new(TOOL)
        .args([
            "watch",
            "--states",
            "--now",
            &NOW.to_string(),
            "--queue-directory",
        ])
        .arg(spool.path())
        .arg("--openmetrics")
        .arg(&file)
        .args(words)
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let begun = Instant::now();
    while !file.exists() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
    fs::read_to_string(&file).expect("a file")
}

/// The families that another scan or the disk changes are left out.
fn lasting(text: &str) -> Vec<&str> {
    let changes = [
        "postfix_spool_disk_free_",
        "postfix_spool_recipients_by_cause",
        "postfix_spool_cause_",
    ];
    let of_change = |line: &&str| changes.iter().any(|name| line.starts_with(name));
    text.lines().filter(|line| !of_change(line)).collect()
}

#[test]
fn every_interface_exports_the_same() {
    let spool = busy();
    let words = ["--metrics-domain", "two.example", "--metrics-top", "2"];
    let (_, plugin) = run(
        CHECK,
        &spool,
        &[&words[..], &["--format", "openmetrics"]].concat(),
    );
    let (_, status) = run(
        TOOL,
        &spool,
        &[&["status", "--openmetrics"], &words[..]].concat(),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let watch = watched(&spool, folder.path(), &words);
    assert_eq!(lasting(&plugin), lasting(&status));
    assert_eq!(lasting(&plugin), lasting(&watch));
    let deferred = |text: &str| -> Vec<String> {
        let of_deferred = |line: &&str| line.contains("by_cause{") && line.contains("\"deferred\"");
        text.lines()
            .filter(of_deferred)
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(deferred(&plugin), deferred(&watch));
}

#[test]
fn the_page_states_every_family_and_the_number_of_series() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/metrics.md");
    let page = fs::read_to_string(path).expect("the page");
    let spool = busy();
    let named = ["--metrics-top", "2"];
    let (_, text) = run(
        TOOL,
        &spool,
        &[&["status", "--openmetrics"], &named[..]].concat(),
    );
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let family = rest.split(' ').next().expect("a name");
            let stated = ["`", "{"].map(|end| page.contains(&format!("`{family}{end}")));
            assert!(stated.contains(&true), "{family}");
        }
    }
    // Those of the text, and not of an instance: the time of the scan, and how many instances are broken.
    let of_instance = |text: &str| samples(text).len() - 2;
    let (_, plain) = run(TOOL, &spool, &["status", "--openmetrics"]);
    let folder = tempfile::tempdir().expect("a folder");
    let watch = watched(&spool, folder.path(), &[]);
    let row = |what: &str, series: usize| format!("| {what} | {series} |");
    for row in [
        row("a scan", of_instance(&plain)),
        row("a watch", of_instance(&watch)),
        row(
            "each named domain, and `other`",
            (of_instance(&text) - of_instance(&plain)) / 3,
        ),
    ] {
        assert!(page.contains(&row), "{row}");
    }
}
