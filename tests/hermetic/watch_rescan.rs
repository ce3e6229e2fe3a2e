//! The best property of a watch: after any script of file operations its snapshot equals a fresh scan.
//!
//! Scripts are random sequences of what Postfix does and of what nobody should do, at full speed. The watch
//! processes events at random moments. `QUEUEWATCH_WATCH_SCRIPTS=1000` runs more rounds, and
//! `QUEUEWATCH_WATCH_SEED=7` starts from another seed.

#![allow(
    clippy::format_push_string,
    reason = "a report of differences, piece by piece"
)]

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::support::spool::Spool;
use queuewatch::options::{Options, Purpose};
use queuewatch::postfix::queue::Queue;
use queuewatch::snapshot::{InstanceSnapshot, Snapshot};
use queuewatch::watch::{Event, EventKind, Watch};
use rustix::event::{PollFd, PollFlags, poll};

const NOW: i64 = 1_795_461_304;
const QUEUES: [&str; 6] = [
    "active", "deferred", "incoming", "hold", "maildrop", "corrupt",
];

fn options(spool: &Path) -> Options {
    let mut options = Options::default();
    options
        .set("queue-directory", spool.as_os_str().as_bytes())
        .unwrap();
    options.set("now", NOW.to_string().as_bytes()).unwrap();
    options
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// Random figures, the same for a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end.max(1)
    }

    fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

/// What differs between two views of one instance; empty if nothing does.
fn difference(watched: &InstanceSnapshot, scanned: &InstanceSnapshot) -> String {
    let mut told = String::new();
    for queue in queuewatch::postfix::queue::Queue::ALL {
        let (mut ours, theirs) = (watched.tally(queue).clone(), scanned.tally(queue).clone());
        // A watch has an earlier moment to compare with, of its own.
        ours.arrived = 0;
        if ours != theirs {
            told += &format!("{queue}: {ours:?}\n  scan {theirs:?}\n");
        }
        let (ours, theirs) = (&watched.tables[queue], &scanned.tables[queue]);
        if ours == theirs {
            continue;
        }
        told += &format!("{queue}: tables\n");
        for (name, count) in ours.domains.iter() {
            if theirs.domains.get(name) != Some(count) {
                let name = name.escape_ascii();
                told += &format!("  domain {name}: {count:?}\n");
            }
        }
        for (name, count) in theirs.domains.iter() {
            if ours.domains.get(name) != Some(count) {
                let name = name.escape_ascii();
                told += &format!("  domain {name}: scan {count:?}\n");
            }
        }
        for (name, why) in ours.reasons.iter() {
            if theirs.reasons.get(name) != Some(why) {
                told += &format!("  reason {}: {why:?}\n", name.escape_ascii());
            }
        }
        for (name, why) in theirs.reasons.iter() {
            if ours.reasons.get(name) != Some(why) {
                told += &format!("  reason {}: scan {why:?}\n", name.escape_ascii());
            }
        }
        for (what, same) in [
            ("senders", ours.senders == theirs.senders),
            ("codes", ours.codes == theirs.codes),
            ("arrivals", ours.arrivals == theirs.arrivals),
            ("expiries", ours.expiries == theirs.expiries),
            ("unexplained", ours.unexplained == theirs.unexplained),
        ] {
            if !same {
                told += &format!("  {what} differ\n");
            }
        }
    }
    if watched.gaps != scanned.gaps {
        told += &format!("gaps: {:?}\n  scan {:?}\n", watched.gaps, scanned.gaps);
    }
    if watched.damaged != scanned.damaged {
        told += &format!(
            "damaged: {:?}\n  scan {:?}\n",
            watched.damaged, scanned.damaged
        );
    }
    told
}

fn compare(watched: &Snapshot, scanned: &Snapshot) -> String {
    assert_eq!(watched.instances.len(), scanned.instances.len());
    watched
        .instances
        .iter()
        .zip(&scanned.instances)
        .map(|(ours, theirs)| difference(ours, theirs))
        .collect()
}

/// Every regular file below the queues.
fn files(spool: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = QUEUES.iter().map(|queue| spool.join(queue)).collect();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// One random script on a spool.
struct Script {
    dice: Dice,
    spool: PathBuf,
    /// Real queue files to make new ones from.
    models: Vec<Vec<u8>>,
    made: usize,
    done: Vec<String>,
}

impl Script {
    fn name(&mut self) -> String {
        self.made += 1;
        match self.dice.below(20) {
            0 => format!("long{}", "x".repeat(30 + self.made % 60)),
            1 => format!("4Dr{:07}z{}", self.made, self.made % 50),
            _ => format!("{:05X}{:X}", self.dice.below(0xF_FFFF), 0x1000 + self.made),
        }
    }

    /// A directory in which a file of that name may lie in `queue`.
    fn directory(&mut self, queue: &str, name: &str) -> PathBuf {
        let mut directory = self.spool.join(queue);
        let levels = match queue {
            "deferred" => 1 + self.dice.below(2),
            _ => usize::from(self.dice.below(8) == 0),
        };
        for letter in name.chars().take(levels) {
            directory.push(letter.to_string());
        }
        let _ = fs::create_dir_all(&directory);
        directory
    }

    fn any_file(&mut self) -> Option<PathBuf> {
        let files = files(&self.spool);
        (!files.is_empty()).then(|| self.dice.one(&files).clone())
    }

    fn log_of(&mut self, name: &str) -> PathBuf {
        let mut directory = self.spool.join("defer");
        directory.extend(name.chars().next().map(|letter| letter.to_string()));
        let _ = fs::create_dir_all(&directory);
        directory.join(name)
    }

    /// Writes a new message as cleanup(8) does.
    fn arrive(&mut self) {
        let queue = *self
            .dice
            .one(&["incoming", "maildrop", "hold", "active", "deferred"]);
        let name = self.name();
        let directory = self.directory(queue, &name);
        let bytes = self.dice.one(&self.models).clone();
        let temporary = self.spool.join(queue).join(format!("{}.{}", self.made, 77));
        let path = directory.join(&name);
        let part = self.dice.below(bytes.len().max(1));
        let _ = fs::write(&temporary, &bytes[..part]);
        let _ = fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600));
        let _ = fs::rename(&temporary, &path);
        if let Ok(mut file) = OpenOptions::new().append(true).open(&path) {
            let _ = file.write_all(&bytes[part..]);
            if self.dice.below(10) > 0 {
                let _ = file.set_permissions(fs::Permissions::from_mode(0o700));
            }
        }
        self.done.push(format!("arrive {}", path.display()));
    }

    fn rename(&mut self) {
        let Some(from) = self.any_file() else { return };
        let queue = *self.dice.one(&QUEUES);
        let mut name = from.file_name().unwrap().to_string_lossy().into_owned();
        if self.dice.below(15) == 0 {
            name = self.name();
        }
        let to = self.directory(queue, &name).join(&name);
        if self.dice.below(3) == 0 {
            self.retry_at(&from);
        }
        let _ = fs::rename(&from, &to);
        self.done
            .push(format!("rename {} {}", from.display(), to.display()));
    }

    fn retry_at(&mut self, path: &Path) {
        let at = NOW - 5000 + self.dice.below(10_000) as i64;
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at as u64);
        if let Ok(file) = fs::File::open(path) {
            let _ = file.set_modified(at);
        }
        self.done.push(format!("utime {}", path.display()));
    }

    /// The offset and the address of one recipient still to be delivered, if `path` looks as if it had one.
    fn recipient(&mut self, path: &Path) -> Option<(usize, String)> {
        let bytes = fs::read(path).ok()?;
        let records: Vec<(usize, String)> = (0..bytes.len())
            .filter(|at| bytes[*at] == b'R')
            .filter_map(|at| {
                let length = usize::from(*bytes.get(at + 1)?);
                let address = String::from_utf8(bytes.get(at + 2..at + 2 + length)?.to_vec());
                Some((at, address.ok()?))
            })
            .filter(|(_, address)| address.starts_with(|first: char| first.is_alphanumeric()))
            .collect();
        (!records.is_empty()).then(|| self.dice.one(&records).clone())
    }

    /// Marks one recipient as done with, in place.
    fn deliver_one(&mut self) {
        let Some(path) = self.any_file() else { return };
        if let (Some((at, _)), Ok(file)) = (
            self.recipient(&path),
            OpenOptions::new().write(true).open(&path),
        ) {
            let _ = file.write_all_at(b"D", at as u64);
        }
        self.done.push(format!("deliver one of {}", path.display()));
    }

    fn defer_log(&mut self) {
        let Some(path) = self.any_file() else { return };
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let log = self.log_of(&name);
        if self.dice.below(4) == 0 {
            let _ = fs::remove_file(&log);
        } else {
            let any = (self.dice.below(400), "user@alpha.example".to_owned());
            let (offset, address) = match self.dice.below(8) {
                0 => any,
                _ => self.recipient(&path).unwrap_or(any),
            };
            let offset = match self.dice.below(8) {
                0 => String::new(),
                _ => format!("offset={offset}\n"),
            };
            let text = format!(
                "<{address}>: host {} said: 4.7.{} try later (in reply to RCPT)\n\
                     recipient={address}\n{offset}dsn_orig_rcpt=\nstatus=4.7.{}\n\
                     action=delayed\nreason=host said no {}\n\n",
                self.dice.below(9),
                self.dice.below(3),
                self.dice.below(3),
                self.dice.below(4),
            );
            if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(&log) {
                let _ = file.write_all(text.as_bytes());
            }
        }
        self.done.push(format!("log {}", log.display()));
    }

    /// What nobody should do.
    fn mischief(&mut self) {
        let queue = *self.dice.one(&QUEUES);
        let base = self.spool.join(queue);
        let letter = ["0", "A", "4", "z"][self.dice.below(4)];
        let what = self.dice.below(13);
        match what {
            0 => drop(fs::create_dir(base.join(letter))),
            1 => drop(fs::remove_dir(base.join(letter))),
            2 => drop(fs::rename(base.join(letter), base.join("Q"))),
            3 => drop(fs::rename(
                base.join(letter),
                self.spool.join(format!("away{}", self.made)),
            )),
            4 => drop(fs::create_dir(base.join("stray"))),
            5 => {
                let _ = fs::create_dir(base.join("stray"));
                let _ = fs::write(base.join("stray").join(self.name()), "x");
            }
            6 => drop(fs::remove_dir_all(base.join("stray"))),
            7 => drop(symlink("/etc/passwd", base.join(self.name()))),
            8 => {
                let name = CString::new(base.join(self.name()).as_os_str().as_bytes()).unwrap();
                let _ = rustix::fs::mknodat(
                    rustix::fs::CWD,
                    &name,
                    rustix::fs::FileType::Fifo,
                    rustix::fs::Mode::from_raw_mode(0o700),
                    0,
                );
            }
            9 => {
                if let Some(path) = self.any_file() {
                    let mode = *self
                        .dice
                        .one(&[0o700, 0o600, 0o400, 0o740, 0o710, 0o777, 0o0]);
                    let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
                }
            }
            10 => {
                if let Some(path) = self.any_file() {
                    let length = self.dice.below(300) as u64;
                    if let Ok(file) = OpenOptions::new().write(true).open(path) {
                        let _ = file.set_len(length);
                    }
                }
            }
            11 => {
                if let (Some(path), Some(other)) = (self.any_file(), self.any_file()) {
                    // The second name stays the only one: what is done by another name makes no event.
                    let name = self.name();
                    let _ = fs::hard_link(&path, other.with_file_name(name));
                    let _ = fs::remove_file(path);
                }
            }
            _ => {
                // A whole hash directory, filled before it is in its place.
                let aside = self.spool.join(format!("aside{}", self.made));
                let _ = fs::create_dir_all(aside.join("B"));
                for _ in 0..self.dice.below(5) {
                    let bytes = self.dice.one(&self.models).clone();
                    let path = aside.join("B").join(self.name());
                    let _ = fs::write(&path, bytes);
                    let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
                }
                let _ = fs::rename(aside, base.join("N"));
            }
        }
        self.done.push(format!("mischief {what} {queue} {letter}"));
    }

    /// What makes a watch rescan everything.
    fn upheaval(&mut self) {
        let queue = *self.dice.one(&["corrupt", "hold", "deferred"]);
        let base = self.spool.join(queue);
        match self.dice.below(4) {
            0 => {
                let _ = fs::rename(&base, self.spool.join(format!("old{}", self.made)));
                let _ = fs::create_dir(&base);
            }
            1 => drop(fs::remove_dir_all(&base)),
            2 => drop(fs::create_dir(&base)),
            _ => {
                let _ = fs::rename(
                    self.spool.join("defer"),
                    self.spool.join(format!("logs{}", self.made)),
                );
                let _ = fs::create_dir(self.spool.join("defer"));
            }
        }
        self.done.push(format!("upheaval {queue}"));
    }

    fn step(&mut self) {
        self.made += 1;
        match self.dice.below(100) {
            0..25 => self.arrive(),
            25..55 => self.rename(),
            55..65 => {
                if let Some(path) = self.any_file() {
                    self.done.push(format!("unlink {}", path.display()));
                    let _ = fs::remove_file(path);
                }
            }
            65..72 => self.deliver_one(),
            72..82 => self.defer_log(),
            82..86 => {
                if let Some(path) = self.any_file() {
                    self.retry_at(&path);
                }
            }
            86..99 => self.mischief(),
            _ => self.upheaval(),
        }
    }
}

fn models() -> Vec<Vec<u8>> {
    let bank = Spool::of_corpus("short-mixed");
    let odd = Spool::of_corpus("odd");
    let mut models: Vec<Vec<u8>> = [bank.path(), odd.path()]
        .iter()
        .flat_map(|spool| files(spool))
        .filter_map(|path| fs::read(path).ok())
        .filter(|bytes| bytes.len() < 20_000)
        .collect();
    models.sort();
    models
}

#[test]
fn after_any_script_the_watch_says_what_a_scan_says() {
    let (first, scripts) = (
        setting("QUEUEWATCH_WATCH_SEED", 1),
        setting("QUEUEWATCH_WATCH_SCRIPTS", 8),
    );
    let models = models();
    assert!(models.len() > 100);
    let mut carried = 0;
    for seed in first..first + scripts {
        let spool = match seed % 3 {
            0 => Spool::empty(),
            _ => Spool::of_corpus("short-mixed"),
        };
        let options = options(&spool.path());
        let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
        assert_eq!(watch.blind(), None);
        let mut script = Script {
            dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            spool: spool.path(),
            models: models.clone(),
            made: 0,
            done: Vec::new(),
        };
        for _ in 0..12 {
            for _ in 0..=script.dice.below(40) {
                script.step();
                match script.dice.below(6) {
                    0 => watch.dispatch().unwrap(),
                    1 => drop(watch.snapshot().unwrap()),
                    _ => {}
                }
                while let Some(event) = watch.next_event() {
                    carried += usize::from(event.kind == EventKind::Moved);
                }
            }
            let watched = watch.snapshot().unwrap();
            let scanned = options.scan(Purpose::Everything).unwrap();
            let difference = compare(&watched, &scanned);
            assert!(
                difference.is_empty(),
                "seed {seed}, after:\n{}\n{difference}",
                script.done[script.done.len().saturating_sub(60)..].join("\n")
            );
        }
    }
    assert!(carried > 20, "{carried} renames were carried along");
}

/// Without events what is known of unchanged files is kept from one reading to the next; and still the watch
/// says what a scan says.
#[test]
fn without_events_the_watch_says_what_a_scan_says() {
    let kept: u64 = std::thread::scope(|scope| {
        let scripts: Vec<_> = (1..=8)
            .map(|seed| scope.spawn(move || blind(seed)))
            .collect();
        let kept = scripts.into_iter().map(|script| script.join().unwrap());
        kept.sum()
    });
    assert!(kept > 1000, "{kept} were kept");
}

/// One script; returns how many files were kept in all its readings.
fn blind(seed: u64) -> u64 {
    let spool = Spool::empty();
    let options = polling(&spool.path(), "1d");
    let mut script = Script {
        dice: Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
        spool: spool.path(),
        models: models(),
        made: 0,
        done: Vec::new(),
    };
    for _ in 0..150 {
        script.arrive();
        script.defer_log();
    }
    let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
    assert!(
        watch
            .blind()
            .is_some_and(|why| why.contains("turns them off"))
    );
    let mut kept = 0;
    for round in 0..12 {
        // What changed a moment ago may change again at the same tick of the clock: it is read again.
        if round % 3 == 1 {
            std::thread::sleep(Duration::from_millis(2100));
        }
        for _ in 0..script.dice.below(20) {
            script.step();
        }
        watch.read_again().unwrap();
        kept += watch.unchanged();
        let watched = watch.snapshot().unwrap();
        let scanned = options.scan(Purpose::Everything).unwrap();
        let difference = compare(&watched, &scanned);
        assert!(
            difference.is_empty(),
            "seed {seed}, after:\n{}\n{difference}",
            script.done[script.done.len().saturating_sub(60)..].join("\n")
        );
    }
    kept
}

fn polling(spool: &Path, often: &str) -> Options {
    let mut options = options(spool);
    options.set("poll", often.as_bytes()).unwrap();
    options
}

#[test]
fn a_poll_comes_at_its_interval_and_reports_what_has_happened() {
    let spool = Spool::of_corpus("short-mixed");
    let files = |queue: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(spool.path().join(queue)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.metadata().unwrap().permissions().mode() & 0o777 == 0o700);
        files.sort();
        files
    };
    let id = |path: &Path| path.file_name().unwrap().as_bytes().to_vec();
    let mut watch = Watch::open(&polling(&spool.path(), "1"), Purpose::Everything).unwrap();
    // The caller asked for a watch without events, so nothing reports that.
    assert_eq!(watch.next_event(), None);
    let (held, active) = (files("hold"), files("active"));
    fs::remove_file(&held[0]).unwrap();
    fs::rename(
        &held[1],
        spool
            .path()
            .join("active")
            .join(held[1].file_name().unwrap()),
    )
    .unwrap();
    fs::set_permissions(&active[0], fs::Permissions::from_mode(0o710)).unwrap();
    fs::copy(&active[1], spool.path().join("incoming/ABCDEF0")).unwrap();
    let begun = Instant::now();
    let mut told = Vec::new();
    while told.len() < 4 && begun.elapsed() < Duration::from_secs(30) {
        watch.wait(Some(Duration::from_secs(5))).unwrap();
        watch.dispatch().unwrap();
        while let Some(event) = watch.next_event() {
            told.push((event.kind.name(), event.from, event.queue, event.queue_id));
        }
    }
    told.sort();
    assert_eq!(
        told,
        [
            ("arrived", None, Some(Queue::Incoming), b"ABCDEF0".to_vec()),
            ("changed", None, Some(Queue::Active), id(&active[0])),
            ("left", None, Some(Queue::Hold), id(&held[0])),
            (
                "moved",
                Some(Queue::Hold),
                Some(Queue::Active),
                id(&held[1])
            ),
        ]
    );
    watch.read_again().unwrap();
    assert_eq!(watch.next_event(), None);
    // What is not ready any more has left, and comes back.
    for (mode, kind) in [(0o600, "left"), (0o700, "arrived")] {
        fs::set_permissions(&active[1], fs::Permissions::from_mode(mode)).unwrap();
        watch.read_again().unwrap();
        let event = watch.next_event().expect("an event");
        assert_eq!((event.kind.name(), event.queue_id), (kind, id(&active[1])));
        assert_eq!(watch.next_event(), None);
    }
}

/// What cannot be listed any more has not left, whatever else a snapshot says of it.
#[test]
fn a_poll_takes_no_mail_for_gone_that_it_cannot_see() {
    let spool = Spool::of_corpus("short-mixed");
    let mut watch = Watch::open(&polling(&spool.path(), "1d"), Purpose::Everything).unwrap();
    let hash = fs::read_dir(spool.path().join("deferred")).unwrap();
    let hash = hash
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let elsewhere = spool.path().join("elsewhere");
    fs::rename(&hash, &elsewhere).unwrap();
    symlink(&elsewhere, &hash).unwrap();
    watch.read_again().unwrap();
    assert_eq!(watch.next_event(), None);
    assert!(watch.snapshot().unwrap().instances[0].unreadable() > 0);
    fs::remove_file(&hash).unwrap();
    fs::rename(&elsewhere, &hash).unwrap();
    watch.read_again().unwrap();
    let kinds: Vec<&str> = std::iter::from_fn(|| watch.next_event())
        .map(|event| event.kind.name())
        .collect();
    assert!(
        !kinds.is_empty() && kinds.iter().all(|kind| *kind == "arrived"),
        "{kinds:?}"
    );
}

#[test]
fn a_poll_holds_nothing_of_directories_that_have_gone() {
    let spool = Spool::of_corpus("short-mixed");
    let open = || {
        let all = fs::read_dir("/proc/self/fd").unwrap();
        all.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter(|path| path.starts_with(spool.path()))
            .count()
    };
    let mut watch = Watch::open(&polling(&spool.path(), "1d"), Purpose::Everything).unwrap();
    let before = open();
    for _ in 0..5 {
        let come = spool.path().join("deferred/Z");
        fs::create_dir(&come).unwrap();
        watch.read_again().unwrap();
        assert_eq!(open(), before + 1);
        fs::remove_dir(&come).unwrap();
        watch.read_again().unwrap();
        assert_eq!(open(), before);
    }
}

/// A configuration that cannot be read for a moment is an error each time, and no empty queue.
#[test]
fn without_its_configuration_a_watch_says_so_until_it_is_back() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let (main_cf, away) = (folder.path().join("main.cf"), folder.path().join("away"));
    fs::write(
        &main_cf,
        format!("queue_directory = {}\n", spool.path().display()),
    )
    .unwrap();
    let mut options = Options::default();
    options
        .set("config-directory", folder.path().as_os_str().as_bytes())
        .unwrap();
    options.set("poll", b"1d").unwrap();
    let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
    let messages = |watch: &mut Watch| {
        let snapshot = watch.snapshot()?;
        Ok::<u64, queuewatch::error::Error>(snapshot.instances[0].tally(Queue::Deferred).messages)
    };
    let before = messages(&mut watch).unwrap();
    assert!(before > 100);
    fs::rename(&main_cf, &away).unwrap();
    for _ in 0..3 {
        let error = watch.read_again().unwrap_err();
        assert!(error.to_string().contains("main.cf"), "{error}");
        assert!(messages(&mut watch).is_err());
    }
    fs::rename(&away, &main_cf).unwrap();
    assert_eq!(messages(&mut watch).unwrap(), before);
}

/// Without events the state is as old as the last look.
#[test]
fn a_snapshot_without_events_is_of_the_last_look() {
    let spool = Spool::of_corpus("short-mixed");
    let mut options = Options::default();
    options
        .set("queue-directory", spool.path().as_os_str().as_bytes())
        .unwrap();
    options.set("poll", b"1d").unwrap();
    let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
    let first = watch.snapshot().unwrap().now;
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(watch.snapshot().unwrap().now, first);
    watch.read_again().unwrap();
    assert!(watch.snapshot().unwrap().now > first);
}

/// More than the kernel keeps events of, while nobody takes them in.
#[test]
fn an_overflow_is_reported_and_repaired_by_a_rescan() {
    let limit: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let spool = Spool::of_corpus("short-mixed");
    let options = options(&spool.path());
    let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
    let model = models().swap_remove(3);
    let hold = spool.path().join("hold");
    for number in 0..=limit / 2 {
        let path = hold.join(format!("F{number:08X}"));
        fs::File::create(&path).unwrap();
        fs::remove_file(&path).unwrap();
    }
    fs::write(hold.join("ABCDEF1"), &model).unwrap();
    fs::set_permissions(hold.join("ABCDEF1"), fs::Permissions::from_mode(0o700)).unwrap();
    let watched = watch.snapshot().unwrap();
    let told: Vec<Event> = std::iter::from_fn(|| watch.next_event()).collect();
    assert!(
        told.iter().any(|event| event.kind == EventKind::Rescanned
            && event
                .reason
                .contains("the event queue of the kernel overflowed")),
        "{told:?}"
    );
    let scanned = options.scan(Purpose::Everything).unwrap();
    assert_eq!(compare(&watched, &scanned), "");
}

fn is_readable(watch: &Watch, within: Duration) -> bool {
    let fd = watch.fd();
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    let timeout = rustix::event::Timespec {
        tv_sec: within.as_secs() as _,
        tv_nsec: within.subsec_nanos().into(),
    };
    poll(&mut fds, Some(&timeout)).unwrap() > 0
}

/// The descriptor is readable when there is something to do, and quiet when there is not.
#[test]
fn one_descriptor_says_when_to_look() {
    let spool = Spool::of_corpus("short-mixed");
    let options = options(&spool.path());
    let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
    let short = Duration::from_millis(200);
    assert!(!is_readable(&watch, short), "nothing happened");
    let hold = spool.path().join("hold");
    let first = fs::read_dir(&hold).unwrap().next().unwrap().unwrap().path();
    fs::rename(
        &first,
        spool.path().join("active").join(first.file_name().unwrap()),
    )
    .unwrap();
    assert!(is_readable(&watch, short), "a message moved");
    let begun = Instant::now();
    let mut events = Vec::new();
    while is_readable(&watch, short) {
        watch.dispatch().unwrap();
        events.extend(std::iter::from_fn(|| watch.next_event()));
        assert!(begun.elapsed() < Duration::from_secs(5), "never quiet");
    }
    let [moved] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(moved.kind, EventKind::Moved);
    assert_eq!(
        moved.from.map(queuewatch::postfix::queue::Queue::name),
        Some("hold")
    );
    assert_eq!(
        moved.queue.map(queuewatch::postfix::queue::Queue::name),
        Some("active")
    );
    assert_eq!(moved.queue_id, first.file_name().unwrap().as_bytes());
    let before = watch.files_checked();
    watch.dispatch().unwrap();
    watch.dispatch().unwrap();
    assert_eq!(watch.files_checked(), before, "spurious calls do nothing");
}

/// The way of a message: its events, and their order.
#[test]
fn events_follow_the_path_of_a_message() {
    let spool = Spool::empty();
    let options = options(&spool.path());
    let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
    let bank = Spool::of_corpus("short-mixed");
    let model = fs::read(
        files(&bank.path())
            .into_iter()
            .find(|path| path.starts_with(bank.path().join("deferred")))
            .unwrap(),
    )
    .unwrap();
    let told = |watch: &mut Watch| -> Vec<String> {
        watch.snapshot().unwrap();
        std::iter::from_fn(|| watch.next_event())
            .map(|event| {
                let queue = |queue: Option<queuewatch::postfix::queue::Queue>| {
                    queue.map_or("", queuewatch::postfix::queue::Queue::name)
                };
                format!(
                    "{} {} {}",
                    event.kind.name(),
                    queue(event.from),
                    queue(event.queue)
                )
            })
            .collect()
    };
    let at = |place: &str| spool.path().join(place);
    let mode = |place: &str, mode| {
        fs::set_permissions(at(place), fs::Permissions::from_mode(mode)).unwrap();
    };
    fs::create_dir(at("defer")).unwrap();
    assert_eq!(
        told(&mut watch),
        ["rescanned  "],
        "a directory of logs has come"
    );
    fs::write(at("incoming/12345.678"), &model).unwrap();
    mode("incoming/12345.678", 0o600);
    fs::rename(at("incoming/12345.678"), at("incoming/ABCDEF")).unwrap();
    assert_eq!(told(&mut watch), [""; 0], "not ready");
    mode("incoming/ABCDEF", 0o700);
    assert_eq!(told(&mut watch), ["arrived  incoming"]);
    fs::rename(at("incoming/ABCDEF"), at("active/ABCDEF")).unwrap();
    assert_eq!(told(&mut watch), ["moved incoming active"]);
    // A mode that says that it is not ready takes it away, and back.
    mode("active/ABCDEF", 0o600);
    assert_eq!(told(&mut watch), ["left  active"]);
    mode("active/ABCDEF", 0o700);
    assert_eq!(told(&mut watch), ["arrived  active"]);
    fs::create_dir_all(at("deferred/A")).unwrap();
    fs::create_dir_all(at("defer/A")).unwrap();
    fs::write(
        at("defer/A/ABCDEF"),
        "recipient=x@y\nstatus=4.4.1\nreason=no\n\n",
    )
    .unwrap();
    filetime(&at("active/ABCDEF"), NOW + 300);
    fs::rename(at("active/ABCDEF"), at("deferred/A/ABCDEF")).unwrap();
    assert_eq!(told(&mut watch), ["moved active deferred"]);
    fs::rename(at("deferred/A/ABCDEF"), at("incoming/ABCDEF")).unwrap();
    fs::rename(at("incoming/ABCDEF"), at("active/ABCDEF")).unwrap();
    fs::remove_file(at("active/ABCDEF")).unwrap();
    let last = told(&mut watch);
    assert_eq!(
        last.last().map(String::as_str),
        Some("left  active"),
        "{last:?}"
    );
    let snapshot = watch.snapshot().unwrap();
    let messages: u64 = queuewatch::postfix::queue::Queue::ALL
        .into_iter()
        .map(|queue| snapshot.instances[0].tally(queue).messages)
        .sum();
    assert_eq!(messages, 0);
}

fn filetime(path: &Path, at: i64) {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(at as u64);
    fs::File::open(path).unwrap().set_modified(at).unwrap();
}

/// A verdict of the live state, by rules on everything, equals that of a scan.
#[test]
fn a_verdict_of_the_live_state_is_that_of_a_scan() {
    let spool = Spool::of_corpus("short-mixed");
    let mut options = options(&spool.path());
    for rule in [
        "deferred.messages=1000",
        "deferred.oldest=4h",
        "deferred.older(4h)=10",
        "deferred.top_domain=5",
        "deferred.domain(alpha.example)=1",
        "deferred.top_sender=1",
        "hold.sender(sender.example)=0",
        "deferred.reason(4.7)=10",
        "deferred.overdue=1",
        "total.expiring(10d)=1",
        "active.fill=10%",
        "total.recipients=1",
        "total.bytes=1k",
        "spool.damaged=0",
        "spool.altered=0",
        "corrupt.messages=0",
    ] {
        options.set("warning", rule.as_bytes()).unwrap();
    }
    let everything = Purpose::Check(queuewatch::snapshot::TableSet::default());
    let mut watch = Watch::open(&options, everything).unwrap();
    let mut rounds: HashMap<String, u32> = HashMap::new();
    for _ in 0..5 {
        let (_, verdict) = watch.check(&options).unwrap();
        let scanned = options.check(&options.scan(everything).unwrap()).unwrap();
        let text = |verdict: &queuewatch::rules::Verdict| {
            let lines = verdict
                .findings
                .iter()
                .map(queuewatch::rules::Finding::text);
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(text(&verdict), text(&scanned));
        assert!(verdict.findings.len() > 8, "{}", text(&verdict));
        *rounds.entry(text(&verdict)).or_default() += 1;
        let victim = files(&spool.path()).swap_remove(17);
        fs::remove_file(victim).unwrap();
    }
    assert!(rounds.len() > 2, "the figures change");
}

/// Runs `work` with the rights of user 65534, who then owns all of `spool`. A user who is not root runs it
/// with their own rights.
fn without_rights(spool: &Spool, work: impl FnOnce() + Send) {
    fn give(path: &Path, to: u32) {
        std::os::unix::fs::lchown(path, Some(to), Some(to)).unwrap();
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                give(&entry.unwrap().path(), to);
            }
        }
    }
    let nobody = 65534;
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        spool.reachable();
        give(&spool.path(), nobody);
    }
    std::thread::scope(|threads| {
        let working = threads.spawn(|| {
            if is_root {
                // Rights are a thread's own in the kernel. Its capabilities go with user 0.
                let (user, group) = (
                    rustix::fs::Uid::from_raw(nobody),
                    rustix::fs::Gid::from_raw(nobody),
                );
                rustix::thread::set_thread_groups(&[]).unwrap();
                rustix::thread::set_thread_res_gid(group, group, group).unwrap();
                rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            }
            work();
        });
        working.join().unwrap();
    });
}

#[test]
fn a_directory_that_gets_other_attributes_is_looked_at_alone() {
    let spool = Spool::empty();
    let files = models();
    let file = files.iter().find(|file| file.len() > 500).unwrap();
    for hash in ["deferred/A", "deferred/B", "defer/A"] {
        fs::create_dir_all(spool.path().join(hash)).unwrap();
    }
    for name in [
        "deferred/A/A1",
        "deferred/A/A2",
        "deferred/B/B1",
        "active/C1",
    ] {
        spool.write(name, file, 0o700);
    }
    without_rights(&spool, || {
        let path = spool.path();
        let mode = |name: &str, mode: u32| {
            fs::set_permissions(path.join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        let options = options(&path);
        let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
        assert_eq!(watch.blind(), None);
        let mut same = |looked: Option<u64>, what: &str| {
            let before = watch.files_checked();
            let ours = watch.snapshot().unwrap();
            let scan = options.scan(Purpose::Everything).unwrap();
            assert_eq!(compare(&ours, &scan), "", "{what}");
            let mut rescans = 0;
            while let Some(event) = watch.next_event() {
                rescans += u32::from(event.kind == EventKind::Rescanned);
            }
            if let Some(looked) = looked {
                assert_eq!(
                    (watch.files_checked() - before, rescans),
                    (looked, 0),
                    "{what}"
                );
            }
        };
        // All of it can be read as before, so nothing is read again.
        for round in 0..20 {
            for name in ["deferred/A", "deferred", "active", "defer/A", "defer"] {
                mode(name, if round % 2 == 0 { 0o750 } else { 0o700 });
            }
            same(Some(0), "readable as before");
        }
        // Its files alone are looked at.
        for closed in [0o000, 0o600, 0o300] {
            mode("deferred/A", closed);
            same(Some(if closed == 0o600 { 2 } else { 0 }), "closed");
            mode("deferred/A", 0o700);
            same(Some(2), "open again");
            mode("deferred/A", 0o750);
            same(Some(0), "readable as before");
        }
        // A file in it became unreadable while it was closed.
        mode("deferred/A", 0o600);
        same(None, "closed");
        mode("deferred/A", 0o700);
        mode("deferred/A/A1", 0o000);
        same(None, "one file is closed");
        mode("deferred/A/A1", 0o700);
        same(None, "all are open");
        for name in ["deferred", "active", "defer", "defer/A"] {
            for closed in [0o000, 0o600] {
                mode(name, closed);
                same(None, name);
                mode(name, 0o700);
                same(None, name);
            }
        }
    });
}
