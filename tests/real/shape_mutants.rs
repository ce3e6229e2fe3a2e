//! Mutants of queue files: what the real qshape(1) takes from each is what our reader takes.
//!
//! Perl runs the two functions of the installed qshape that read a file, `rec_get` and `qenv`, as they stand in it. So one
//! process reads many thousand files in a second, and each file is compared by itself. Tables are compared in
//! `shape_qshape.rs`. More mutants: `QUEUEWATCH_MUTANTS=1000000`, from another start: `QUEUEWATCH_SHAPE_SEED=7`.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;

use queuewatch::postfix::qshape::{self, Addresses, Outcome};

use crate::shape_qshape::{Random, file, mutate, setting};
use crate::support::spool::Spool;

/// The time of the last change of each file.
const MTIME: i64 = 7;
/// How many mutants Perl may be behind.
const AHEAD: usize = 1000;

/// Reads mutants from standard input, each after its length, and prints what qshape takes from it. A file that leads qshape
/// in circles is given up after more seeks than it has bytes.
const READER: &str = r#"
use strict;
use IO::File;
my $left;
BEGIN {
    *CORE::GLOBAL::seek = sub (*$$) {
        die "endless\n" if --$left < 0;
        return CORE::seek($_[0], $_[1], $_[2]);
    };
}
my ($qshape, $file) = @ARGV;
open(my $in, "<", $qshape) or die "$qshape: $!";
my $text = do { local $/; <$in> };
$text =~ /^(sub rec_get \{.*?^\}\n).*?^(sub qenv \{.*?^\}\n)/ms or die "$qshape: not the functions that are known";
eval "$1$2; 1" or die $@;
binmode STDIN;
$| = 1;
while (read(STDIN, my $length, 4) == 4) {
    $length = unpack("N", $length);
    my $bytes = "";
    read(STDIN, $bytes, $length) == $length or die "too short";
    open(my $out, ">:raw", $file) or die "$file: $!";
    print $out $bytes;
    close($out) or die "$file: $!";
    chmod(0700, $file) == 1 && utime(7, 7, $file) == 1 or die "$file: $!";
    $left = 200 + $length;
    my @taken = eval { qenv($file) };
    my $told;
    if ($@) { $@ eq "endless\n" or die $@; $told = "endless" }
    elsif (!@taken) { $told = "refused" }
    elsif (@taken == 1) { $told = "unrecognised" }
    else {
        my ($time, @addresses) = @taken;
        $told = join(" ", sprintf("%.17g", $time), map { "<" . unpack("H*", $_) . ">" } @addresses);
    }
    print "$told\n";
}
"#;

/// What our reader takes, in the same words.
fn ours(bytes: &[u8], buffer: &mut qshape::Buffer, addresses: &mut Addresses) -> String {
    let length = bytes.len() as u64;
    let outcome = qshape::read(bytes, length, MTIME, buffer, addresses).expect("memory");
    match outcome {
        Outcome::Unrecognised => "unrecognised".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::Accepted { time, spilt } => {
            assert!(!spilt, "a mutant of {length} bytes");
            let mut told = format!("{time:?}");
            let taken = std::iter::once(&addresses.sender[..]).chain(addresses.recipients());
            for address in taken {
                told.push_str(" <");
                for byte in address {
                    let _ = write!(told, "{byte:02x}");
                }
                told.push('>');
            }
            told
        }
    }
}

/// Perl and Rust write the same number in different ways.
fn same(real: &str, ours: &str) -> bool {
    let parts = |told: &str| {
        let (time, rest) = told.split_once(' ')?;
        Some((time.parse::<f64>().ok()?, rest.to_owned()))
    };
    match (parts(real), parts(ours)) {
        (Some((real_time, real)), Some((time, ours))) => {
            // The sign of a zero does not count: all that qshape does with a time is to subtract it from another.
            let numbers = real_time.total_cmp(&time).is_eq()
                || real_time == 0.0 && time == 0.0
                || real_time.is_nan() && time.is_nan();
            real == ours && numbers
        }
        (None, None) => real == ours || (real, ours) == ("endless", "refused"),
        _ => false,
    }
}

/// The queue files of the corpus, the odd ones among them.
fn saved_files() -> Vec<Vec<u8>> {
    let spools = ["short-mixed", "odd"].map(Spool::of_corpus);
    let mut folders = spools.each_ref().map(Spool::path).to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let metadata = path.symlink_metadata().expect("metadata");
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_file() && metadata.len() < 20_000 {
                let bytes = fs::read(path).expect("a file");
                // Not the logs beside them.
                files.extend(matches!(bytes.first(), Some(b'C' | b'S' | b'F')).then_some(bytes));
            }
        }
    }
    assert!(files.len() > 100, "{}", files.len());
    files.sort();
    files
}

#[test]
fn mutants_are_read_as_qshape_reads_them() {
    let mutants = setting("QUEUEWATCH_MUTANTS", 4000);
    let first = setting("QUEUEWATCH_SHAPE_SEED", 1);
    let folder = tempfile::tempdir().expect("a folder");
    let mut perl = Command::new("/usr/bin/perl")
        .args(["-e", READER, "/usr/sbin/qshape"])
        .arg(folder.path().join("MUTANT"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("perl runs (Debian package perl)");
    let mut to_perl = perl.stdin.take().expect("piped");
    let from_perl = BufReader::new(perl.stdout.take().expect("piped"));
    let (send, receive) = sync_channel::<Vec<u8>>(AHEAD);
    let saved = saved_files();
    let making = std::thread::spawn(move || {
        for number in first..first.saturating_add(mutants) {
            let mut random = Random::new(number);
            let mut bytes = match random.chance(50) {
                true => file(&mut random),
                false => saved[random.below(saved.len())].clone(),
            };
            mutate(&mut random, &mut bytes);
            let length = u32::try_from(bytes.len()).expect("small").to_be_bytes();
            let given = to_perl
                .write_all(&length)
                .and_then(|()| to_perl.write_all(&bytes));
            if given.is_err() || send.send(bytes).is_err() {
                // The other thread says what is wrong.
                return;
            }
        }
    });
    let (mut buffer, mut addresses) = (qshape::Buffer::default(), Addresses::default());
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    let mut compared = 0;
    for (number, line) in from_perl.lines().enumerate() {
        let real = line.expect("text");
        let bytes = receive.recv().expect("a mutant for each answer");
        let ours = ours(&bytes, &mut buffer, &mut addresses);
        assert!(
            same(&real, &ours),
            "mutant {}: {}\nqshape: {real}\nours: {ours}",
            first + number as u64,
            bytes.escape_ascii()
        );
        let kind = match real.as_str() {
            "endless" => "endless",
            "refused" => "refused",
            "unrecognised" => "unrecognised",
            _ => "accepted",
        };
        *counts.entry(kind).or_default() += 1;
        compared += 1;
    }
    making.join().expect("it makes mutants");
    assert!(perl.wait().expect("a child").success());
    println!("{compared} mutants: {counts:?}");
    assert_eq!(compared, mutants);
    // Those that count are many, and so are the others.
    for kind in ["accepted", "refused"] {
        let count = counts.get(kind).copied().unwrap_or_default();
        assert!(count > mutants / 20, "{counts:?}");
    }
}
