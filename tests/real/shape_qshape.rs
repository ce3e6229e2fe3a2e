//! `queuewatch shape` against the real qshape at the same second: every saved option set of the corpus,
//! each odd file, and spools of random and mutated queue files with random options.
//!
//! qshape's order of rows with equal count and length is that of a Perl hash, so lines are compared as
//! sets, and the order of ours is checked by itself. More rounds: `QUEUEWATCH_SHAPE_SPOOLS=1000`, from
//! another start: `QUEUEWATCH_SHAPE_SEED=7`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use queuewatch::drill::push_record;

use crate::support::spool::{self, Spool, saved, taken_at};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
const QSHAPE: &str = "/usr/sbin/qshape";
const NOW: i64 = 1_795_461_304;

fn ours(queue_directory: &Path, now: i64, arguments: &[OsString]) -> Vec<u8> {
    let output = Command::new(PROGRAM)
        .arg("shape")
        .arg("--queue-directory")
        .arg(queue_directory)
        .args(["--now", &now.to_string()])
        .args(arguments)
        .output()
        .expect("queuewatch runs");
    let code = output.status.code();
    assert!(
        matches!(code, Some(0 | 4)),
        "{code:?} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// The real qshape with another clock, and a postconf that knows one spool; `None` if it does not end.
fn qshape(tools: &Path, now: i64, arguments: &[OsString]) -> Option<Vec<u8>> {
    let program = "BEGIN { my $now = shift @ARGV; *CORE::GLOBAL::time = sub () { $now } } \
                   $0 = '/usr/sbin/qshape'; do $0; die $@ if $@";
    let path = format!("{}:/usr/bin:/bin", tools.display());
    let mut child = Command::new("/usr/bin/perl")
        .args(["-e", program, &now.to_string()])
        .args(arguments)
        .env("PATH", path)
        .current_dir(tools)
        .stdout(Stdio::from(
            std::fs::File::create(tools.join("out")).expect("a file"),
        ))
        .stderr(Stdio::null())
        .spawn()
        .expect("perl runs (Debian package perl)");
    let begun = Instant::now();
    loop {
        if child.try_wait().expect("a child").is_some() {
            return Some(std::fs::read(tools.join("out")).expect("its output"));
        }
        if begun.elapsed() > Duration::from_secs(5) {
            child.kill().expect("a child");
            child.wait().expect("a child");
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A folder with a `postconf` that prints the path of `queue_directory`.
fn tools(queue_directory: &Path) -> tempfile::TempDir {
    assert!(
        Path::new(QSHAPE).exists(),
        "qshape (Debian package postfix)"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let postconf = folder.path().join("postconf");
    let text = format!("#!/bin/sh\necho '{}'\n", queue_directory.display());
    std::fs::write(&postconf, text).expect("a script");
    std::fs::set_permissions(&postconf, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    folder
}

/// What is wrong with our output, if anything.
fn difference(real: &[u8], ours: &[u8]) -> Option<String> {
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        text.split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let (wanted, got) = (lines(real), lines(ours));
    if wanted.first() != got.first() {
        return Some("the heads differ".to_owned());
    }
    let sorted = |mut lines: Vec<Vec<u8>>| {
        lines.sort();
        lines
    };
    if sorted(wanted) != sorted(got) {
        return Some("the rows differ".to_owned());
    }
    None
}

fn words(text: &str) -> Vec<OsString> {
    text.split_whitespace().map(OsString::from).collect()
}

#[test]
fn every_saved_table_of_the_corpus_is_ours() {
    for name in ["short-mixed", "long-live"] {
        let spool = Spool::of_corpus(name);
        let mut compared = 0;
        for line in saved(name, "qshape/index").lines() {
            let (label, arguments) = line
                .split_once(": ")
                .unwrap_or((line.trim_end_matches(':'), ""));
            let path = spool::corpus(name)
                .join("qshape")
                .join(format!("{label}.out"));
            let real = std::fs::read(path).expect(label);
            let ours = ours(&spool.path(), taken_at(name), &words(arguments));
            assert_eq!(
                difference(&real, &ours),
                None,
                "{name} {label}: {arguments}"
            );
            compared += 1;
        }
        assert_eq!(compared, 27, "{name}");
    }
}

#[test]
fn each_odd_file_counts_as_in_qshape() {
    let spool = Spool::of_corpus("odd");
    let mut files: Vec<PathBuf> = Vec::new();
    let mut folders = vec![spool.path()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.symlink_metadata().expect("metadata").is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    let tools = tools(&spool.path());
    let mut compared = 0;
    for path in files {
        // The real one never ends there.
        let endless = path.ends_with("A00023PTRLOOP");
        for options in ["-b 3", "-b 3 -s"] {
            let mut arguments = words(options);
            arguments.push(path.clone().into());
            let ours = ours(&spool.path(), NOW, &arguments);
            if !endless {
                let real = qshape(tools.path(), NOW, &arguments).expect("qshape ends");
                assert_eq!(
                    difference(&real, &ours),
                    None,
                    "{} {options}",
                    path.display()
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 80, "{compared}");
}

/// The rows in the order that we promise: count descending, then length, then bytes.
#[test]
fn our_rows_are_in_order() {
    let spool = Spool::of_corpus("short-mixed");
    let text = ours(
        &spool.path(),
        NOW,
        &words("-w 200 -b 1 incoming active deferred hold"),
    );
    let rows: Vec<(std::cmp::Reverse<u64>, usize, String)> = String::from_utf8_lossy(&text)
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut cells = line.split_whitespace().rev();
            let count = cells.nth(1)?.parse().ok()?;
            let name = cells.next().unwrap_or_default().to_owned();
            Some((std::cmp::Reverse(count), name.len(), name))
        })
        .collect();
    assert!(rows.len() > 50);
    assert!(rows.is_sorted());
}

/// A small generator; the same seed makes the same spools.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("small")
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<'t, T: ?Sized>(&mut self, choices: &[&'t T]) -> &'t T {
        choices[self.below(choices.len())]
    }

    fn address(&mut self) -> Vec<u8> {
        let odd: [&[u8]; 24] = [
            b"",
            b"@",
            b"user@",
            b"@x.example",
            b"a@b@x.example",
            b"local",
            b"u@.",
            b"u@..",
            b"u@...b",
            b"u@b..c",
            b"u@b...c",
            b"u@b....c",
            b"u@.lead.example",
            b"u@trail.example.",
            b"u@[1.2.3.4]",
            b"u@[IPv6:::1]",
            b"U@UPPER.Example",
            b"u@b\xc3\xbccher.example",
            b"u@\xff\xfe.example",
            b"u@nl\nexample.org",
            b"a@b.c\nd@e.f.g",
            b"u@nl.example.\n",
            b"\n",
            b"u@x\r\t\x1b[31m.example",
        ];
        if self.chance(15) {
            return self.of(&odd).to_vec();
        }
        let mut domain = String::new();
        for _ in 0..=self.below(4) {
            let _ = write!(
                domain,
                "{}.",
                self.of(&["a", "b", "c", "sub", "mail", "x-1"])
            );
        }
        domain.push_str(self.of(&[
            "example",
            "org",
            "co.uk",
            "e",
            "long-domain-name-that-does-not-fit-in-a-row.example",
        ]));
        format!("user{}@{domain}", self.below(30)).into_bytes()
    }

    fn time(&mut self) -> Vec<u8> {
        if self.chance(15) {
            let odd: [&[u8]; 14] = [
                b"",
                b" ",
                b"   ",
                b"-5",
                b"text",
                b"99999999999999999999",
                b"1795461304.5 3",
                b"1.7e9",
                b"inf",
                b"-inf",
                b" 1795461304",
                b"+1795460000",
                b"1795461304x",
                b"\t5",
            ];
            return self.of(&odd).to_vec();
        }
        // Ages of all sizes, some from the future.
        let age = (1_i64 << self.below(24)) + self.next() as i64 % 1000 - 200;
        format!("{} {}", NOW - age, self.below(999_999)).into_bytes()
    }
}

fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    push_record(&mut bytes, kind, data);
    bytes
}

/// A queue file: sound, of any shape, with now and then something that has no place there.
pub(crate) fn file(random: &mut Random) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..random.below(4) {
        let length = [0, 5, 200, 20_000][random.below(4)];
        content.extend(record(*random.of(&[&b'N', &b'L']), &vec![b'x'; length]));
    }
    let mut bytes = Vec::new();
    let recipients = |random: &mut Random, bytes: &mut Vec<u8>, most: usize| {
        for _ in 0..random.below(most) {
            let address = random.address();
            if random.chance(20) {
                bytes.extend(record(b'O', &random.address()));
            }
            bytes.extend(record(
                *random.of(&[&b'R', &b'R', &b'R', &b'R', &b'D', &b'/']),
                &address,
            ));
        }
        if random.chance(15) {
            let targets: [&[u8]; 9] = [
                b"0",
                b"              0",
                b"-3",
                b"text",
                b"99999999",
                b"9223372036854775807",
                b"nan",
                b"",
                b" 1_000",
            ];
            let mut target = random.of(&targets).to_vec();
            if random.chance(3) {
                // Back, in most cases forever.
                target = random
                    .of(&["1e2", "             97", "0.4x"])
                    .as_bytes()
                    .to_vec();
            } else if random.chance(50) {
                // Forwards, so that it ends.
                target = format!("{:15}", bytes.len() + 17 + random.below(60)).into_bytes();
            }
            bytes.extend(record(b'p', &target));
        }
    };
    let start = random.below(20);
    match start {
        0 => bytes.extend(record(b'T', &random.time())),
        1 | 2 => {
            if start == 1 {
                bytes.extend(record(b'F', b"Full Name"));
            }
        }
        3 => bytes.extend(record(*random.of(&[&b'Z', &b'0', &b'E', &b'A']), b"odd")),
        _ => {
            let fields = match random.below(12) {
                0 => "1".to_owned(),
                1 => "99999999999999999999 1 1".to_owned(),
                2 => format!("{} x 1", content.len()),
                3 => String::new(),
                _ => format!(
                    "{:15} {:15} {:15} 0 {:15} 0",
                    content.len(),
                    600,
                    1,
                    content.len()
                ),
            };
            bytes.extend(record(b'C', fields.as_bytes()));
            if !random.chance(4) {
                bytes.extend(record(b'T', &random.time()));
            }
        }
    }
    bytes.extend(record(b'A', b"create_time=1795461305"));
    for _ in 0..[0, 1, 1, 1, 1, 1, 1, 2][random.below(8)] {
        bytes.extend(record(b'S', &random.address()));
    }
    recipients(random, &mut bytes, 5);
    if !random.chance(10) {
        bytes.extend(record(b'M', b""));
        bytes.extend(&content);
        bytes.extend(record(b'X', b""));
        recipients(random, &mut bytes, 3);
    }
    match random.below(20) {
        0 => {}
        1 => bytes.push(b'E'),
        2 => {
            bytes.extend(record(b'E', b""));
            bytes.extend(record(b'R', b"heap@x.example"));
        }
        _ => bytes.extend(record(b'E', b"")),
    }
    if random.chance(25) {
        mutate(random, &mut bytes);
    }
    bytes
}

pub(crate) fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            return;
        }
        let place = random.below(bytes.len());
        match random.below(5) {
            0 => bytes[place] ^= 1 << random.below(8),
            1 => {
                bytes.remove(place);
            }
            2 => bytes.insert(place, random.next() as u8),
            3 => bytes.truncate(place),
            _ => {
                let end = (place + random.below(30)).min(bytes.len());
                let again = bytes[place..end].to_vec();
                bytes.splice(place..place, again);
            }
        }
    }
}

fn name(random: &mut Random, number: usize) -> Vec<u8> {
    match random.below(40) {
        0 => format!("S{number:03}").into_bytes(),
        1 => format!("A_{number:05}").into_bytes(),
        2 => format!("NL{number:05}\n").into_bytes(),
        3 => format!("lower{number:04}").into_bytes(),
        4 => format!("A-{number:06}").into_bytes(),
        5 => [&b"\xc3\xbcA"[..], format!("{number:06}").as_bytes()].concat(),
        _ => format!("4jYF{number:05}z1SjH2").into_bytes(),
    }
}

/// Fills `queue_directory` with random files.
fn fill(random: &mut Random, queue_directory: &Path) {
    for number in 0..60 {
        let queue = random.of(&[
            "deferred",
            "deferred/A",
            "deferred/any name/B",
            "incoming",
            "active",
            "hold",
            "maildrop",
        ]);
        let folder = queue_directory.join(queue);
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(OsString::from_vec(name(random, number)));
        if random.chance(3) {
            std::os::unix::fs::symlink("/etc/hostname", &path).expect("a link");
            continue;
        }
        let bytes = file(random);
        std::fs::write(&path, bytes).expect("a file");
        let modes = [
            0o700, 0o700, 0o700, 0o700, 0o700, 0o740, 0o704, 0o744, 0o710, 0o750, 0o755, 0o600,
            0o400, 0o4700, 0o1700,
        ];
        let mode = modes[random.below(modes.len())];
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        let age = Duration::from_secs(random.next() % 400_000);
        let time = std::time::UNIX_EPOCH + Duration::from_secs(NOW as u64) - age;
        let file = std::fs::File::open(&path).expect("a file");
        file.set_modified(time).expect("a time");
        if random.chance(3) {
            let _ = std::fs::hard_link(&path, folder.join(format!("HARD{number:05}")));
        }
    }
}

fn options(random: &mut Random) -> Vec<OsString> {
    let mut options: Vec<String> = Vec::new();
    if random.chance(40) {
        options.push(
            random
                .of(&["-s", "-p", "-l", "-sp", "-lp", "-slp"])
                .to_owned(),
        );
    }
    if random.chance(40) {
        let values = [
            "1", "2", "3", "5", "20", "30", "2.5", "0.5", "3x", "abc", "0", "-1", "70",
        ];
        options.push(format!("-b{}", random.of(&values)));
    }
    if random.chance(40) {
        let values = [
            "0.1", "0.3", "1", "60", "1e3", "7.25", "x", "0", "10000", "5e-7", "1e17",
        ];
        options.extend(["-t".to_owned(), random.of(&values).to_owned()]);
    }
    if random.chance(30) {
        options.extend([
            "-m".to_owned(),
            random.of(&["1", "2", "8", "1.5", "0"]).to_owned(),
        ]);
    }
    if random.chance(40) {
        options.extend([
            "-w".to_owned(),
            random.of(&["1", "81", "100.5", "200", "90.25"]).to_owned(),
        ]);
    }
    for _ in 0..random.below(4) {
        options.push(
            random
                .of(&[
                    "deferred",
                    "incoming",
                    "active",
                    "hold",
                    "maildrop",
                    "deferred/A",
                    "corrupt",
                ])
                .to_owned(),
        );
    }
    options.into_iter().map(OsString::from).collect()
}

pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}

#[test]
fn random_spools_look_as_in_qshape() {
    let first = setting("QUEUEWATCH_SHAPE_SEED", 1);
    let spools = setting("QUEUEWATCH_SHAPE_SPOOLS", 30);
    let mut endless = 0;
    for seed in first..first + spools {
        let mut random = Random::new(seed);
        let spool = Spool::empty();
        fill(&mut random, &spool.path());
        let tools = tools(&spool.path());
        for _ in 0..4 {
            let arguments = options(&mut random);
            let ours = ours(&spool.path(), NOW, &arguments);
            let Some(real) = qshape(tools.path(), NOW, &arguments) else {
                endless += 1;
                break;
            };
            if let Some(what) = difference(&real, &ours) {
                let culprit = culprit(&spool.path(), tools.path(), &arguments);
                panic!(
                    "seed {seed} {arguments:?}: {what}; first in {culprit}\nqshape:\n{}ours:\n{}",
                    String::from_utf8_lossy(&real),
                    String::from_utf8_lossy(&ours)
                );
            }
        }
    }
    // Pointers in which qshape runs in circles: made up or mutated.
    assert!(
        endless <= spools / 4 + 1,
        "{endless} of {spools} never ended"
    );
}

/// The first file on which both disagree when it is looked at alone, and its bytes.
fn culprit(queue_directory: &Path, tools: &Path, arguments: &[OsString]) -> String {
    let is_queue = |argument: &OsString| {
        !argument.as_bytes().starts_with(b"-") && argument.as_bytes().is_ascii()
    };
    let options: Vec<OsString> = arguments
        .iter()
        .filter(|argument| !is_queue(argument) || argument.as_bytes()[0].is_ascii_digit())
        .cloned()
        .collect();
    let mut folders = vec![queue_directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.symlink_metadata().expect("metadata").is_dir() {
                folders.push(path);
                continue;
            }
            let mut one = options.clone();
            one.push(path.as_os_str().to_owned());
            let differs = qshape(tools, NOW, &one)
                .is_some_and(|real| difference(&real, &ours(queue_directory, NOW, &one)).is_some());
            if differs {
                let bytes = std::fs::read(&path).unwrap_or_default();
                let shown: String = bytes
                    .escape_ascii()
                    .to_string()
                    .chars()
                    .take(1500)
                    .collect();
                return format!("{} {one:?}: {shown}", path.display());
            }
        }
    }
    "no file alone".to_owned()
}
