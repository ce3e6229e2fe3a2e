//! The watch: what it costs to keep the live state, of a spool that lies still and of a Postfix at work.
//!
//! Each is measured in a process of its own, which reports lines of text. What is right is verified: the
//! watch must know as many messages as the drill made, and at rest none that has been delivered.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use queuewatch::options::{Options, Purpose};
use queuewatch::postfix::queue::Queue;
use queuewatch::snapshot::{InstanceSnapshot, Snapshot, TableSet};
use queuewatch::watch::Watch;

use crate::process::Line;
use crate::table::{median, time};
use crate::{Result, machine, postfix, spool};

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// Verdicts that the median is taken of.
const VERDICTS: usize = 1001;
/// Messages that Postfix takes.
const AT_WORK: u64 = 5000;
/// Sessions that smtp-source holds open at a time.
const SESSIONS: &str = "10";

/// The purposes: what `queuewatch watch` reads by default, and all that there is.
fn purposes() -> [(&'static str, Purpose); 2] {
    [
        ("default rules", Purpose::Check(TableSet::default())),
        ("all tables and reasons", Purpose::Everything),
    ]
}

/// Measures both; `bench` is this program.
pub(crate) fn report(bench: &Path, options: &crate::Options) -> Result<String> {
    let spool = options.directory.join("spool");
    eprintln!("bench: making {} messages", options.messages);
    spool::make_apart(bench, &spool, options.messages)?;
    let mut report = machine::words(&options.directory);
    report.push('\n');
    report.push_str(&of_spool(bench, &spool, options.messages)?);
    report.push_str(&of_repeats(bench, &spool, options.messages)?);
    report.push_str(&of_postfix(bench)?);
    Ok(report)
}

/// What the watch costs of a made-up spool where nothing happens.
pub(crate) fn of_spool(bench: &Path, spool: &Path, messages: u64) -> Result<String> {
    eprintln!("bench: a watch of {messages} messages");
    let mut report = format!("\nA watch, while nothing happens to {messages} messages\n");
    let mut lines = Vec::new();
    for number in 0..purposes().len() {
        let line = Line::new(bench).with("still").with(spool);
        lines.push(line.with(messages.to_string()).with(number.to_string()));
    }
    for line in lines {
        report.push_str(&output(&line)?);
    }
    Ok(report)
}

/// What a host saves that keeps what it knows of unchanged files, where there is no inotify.
pub(crate) fn of_repeats(bench: &Path, spool: &Path, messages: u64) -> Result<String> {
    eprintln!("bench: {messages} messages again and again");
    let mut report = format!("\nWithout inotify, {messages} messages of which none changes\n");
    for number in 0..purposes().len() {
        let line = Line::new(bench).with("again").with(spool);
        let line = line.with(messages.to_string()).with(number.to_string());
        report.push_str(&output(&line)?);
    }
    Ok(report)
}

/// What it costs while a Postfix is at work.
pub(crate) fn of_postfix(bench: &Path) -> Result<String> {
    eprintln!("bench: a watch of a Postfix at work");
    let line = Line::new(bench).with("at-work").with(AT_WORK.to_string());
    Ok(format!("\n{}", output(&line)?))
}

fn output(line: &Line) -> Result<String> {
    let ended = line.run()?;
    match ended.code {
        Some(0) => Ok(ended.output),
        _ => Err("nothing could be measured".into()),
    }
}

/// A watch of a made-up spool where nothing happens; `number` of the purposes.
pub(crate) fn still(spool: &Path, messages: u64, number: usize) -> Result<String> {
    let mut report = String::new();
    if let Some((words, purpose)) = purposes().into_iter().nth(number) {
        let mut options = Options::default();
        options.set("queue-directory", spool.as_os_str().as_encoded_bytes())?;
        let before = memory()?;
        let begun = Instant::now();
        let mut watch = Watch::open(&options, purpose)?;
        let opened = begun.elapsed();
        if watch.files() as u64 != messages {
            return Err(format!("{} messages known, not {messages}", watch.files()).into());
        }
        let held = memory()?.saturating_sub(before);
        let mut seconds = Vec::with_capacity(VERDICTS);
        for _ in 0..VERDICTS {
            let begun = Instant::now();
            let (_, verdict) = watch.check(&options)?;
            seconds.push(begun.elapsed().as_secs_f64());
            std::hint::black_box(verdict);
        }
        let begun = Instant::now();
        std::hint::black_box(watch.snapshot()?);
        let whole = begun.elapsed();
        let before = processor_time();
        let begun = Instant::now();
        while let Some(left) = IDLE.checked_sub(begun.elapsed()) {
            if watch.wait(Some(left))? {
                watch.dispatch()?;
            }
        }
        let idle = processor_time() - before;
        writeln!(
            report,
            "  {words:<24} opened in {}; {:.1} bytes a message; verdict {}, whole snapshot {}; \
             {:.3} ms of processor time in {} s",
            time(opened.as_secs_f64()),
            held as f64 / messages as f64,
            time(median(seconds.into_iter())),
            time(whole.as_secs_f64()),
            idle * 1e3,
            IDLE.as_secs(),
        )?;
    }
    Ok(report)
}

/// Readings that the median is taken of.
const READINGS: usize = 5;

/// Looks at a made-up spool again and again; `number` of the purposes.
pub(crate) fn again(spool: &Path, messages: u64, number: usize) -> Result<String> {
    let mut report = String::new();
    if let Some((words, purpose)) = purposes().into_iter().nth(number) {
        let mut options = Options::default();
        options.set("queue-directory", spool.as_os_str().as_encoded_bytes())?;
        let mut scans = Vec::new();
        for _ in 0..=READINGS {
            let begun = Instant::now();
            let snapshot = options.scan(purpose)?;
            scans.push(begun.elapsed().as_secs_f64());
            let known = known(&snapshot);
            if known != messages {
                return Err(format!("{known} messages scanned, not {messages}").into());
            }
        }
        options.set("poll", b"1d")?;
        let before = memory()?;
        let mut watch = Watch::open(&options, purpose)?;
        // The second reading, a while after the first, proves that what was read stands.
        std::thread::sleep(Duration::from_secs(3));
        watch.read_again()?;
        let mut readings = Vec::new();
        for _ in 0..=READINGS {
            let begun = Instant::now();
            watch.read_again()?;
            readings.push(begun.elapsed().as_secs_f64());
            let (known, kept) = (known(&watch.snapshot()?), watch.unchanged());
            if known != messages || kept != messages {
                return Err(format!("{known} messages, {kept} kept, of {messages}").into());
            }
        }
        let held = memory()?.saturating_sub(before);
        // The first warm the caches.
        let scan = median(scans.into_iter().skip(1));
        let reading = median(readings.into_iter().skip(1));
        writeln!(
            report,
            "  {words:<24} a scan {}; looked at again {} ({:.2} of a scan); {:.1} bytes a message",
            time(scan),
            time(reading),
            reading / scan,
            held as f64 / messages as f64,
        )?;
    }
    Ok(report)
}

fn known(snapshot: &Snapshot) -> u64 {
    let instances = snapshot.instances.iter();
    let of_queue = |queue| move |taken: &InstanceSnapshot| taken.tally(queue).messages;
    let per_queue = Queue::ALL
        .into_iter()
        .map(|queue| instances.clone().map(of_queue(queue)).sum::<u64>());
    per_queue.sum()
}

/// A watch of a Postfix that takes and delivers mail as fast as it can.
pub(crate) fn at_work(messages: u64) -> Result<String> {
    let mut report = format!("A Postfix takes {messages} messages, and delivers or defers them\n");
    for (words, purpose) in purposes() {
        for (what, domain) in [
            ("delivered", postfix::DELIVERED),
            ("deferred", postfix::GREYLISTED),
        ] {
            let postfix = postfix::Postfix::start(&postfix::Options::default());
            let mut options = Options::default();
            let directory = postfix.queue_directory();
            options.set("queue-directory", directory.as_os_str().as_encoded_bytes())?;
            let mut watch = Watch::open(&options, purpose)?;
            let mut source = Command::new("/usr/sbin/smtp-source")
                .args(["-s", SESSIONS, "-m", &messages.to_string(), "-N"])
                .args(["-f", "sender@ok.example", "-t", &format!("user@{domain}")])
                .arg(format!("127.0.0.1:{}", postfix.port()))
                .stdout(Stdio::null())
                .spawn()?;
            let (begun, before) = (Instant::now(), processor_time());
            let mut events = 0_u64;
            let mut quiet = Instant::now();
            let mut sent = false;
            // Over when all were sent, and nothing has happened for a while.
            while !sent || quiet.elapsed() < Duration::from_secs(3) {
                if watch.wait(Some(Duration::from_millis(500)))? {
                    watch.dispatch()?;
                }
                while watch.next_event().is_some() {
                    events += 1;
                    quiet = Instant::now();
                }
                sent |= source.try_wait()?.is_some();
            }
            let used = processor_time() - before;
            let took = begun.elapsed().saturating_sub(Duration::from_secs(3));
            let known = watch.files() as u64;
            let right = if what == "deferred" { messages } else { 0 };
            if known != right {
                return Err(format!("{known} messages known at rest, not {right}").into());
            }
            writeln!(
                report,
                "  {words:<24} {what:<10} {:>6.1} us of processor time a message; {:.2} looks and {:.2} \
                 events each; {:.0} messages a second",
                used * 1e6 / messages as f64,
                watch.files_checked() as f64 / messages as f64,
                events as f64 / messages as f64,
                messages as f64 / took.as_secs_f64(),
            )?;
        }
    }
    Ok(report)
}

/// Bytes of memory that this process has, by /proc.
fn memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = text.split(' ').nth(1).ok_or("no figure")?.parse()?;
    Ok(pages * rustix::param::page_size() as u64)
}

/// Seconds of processor time of this process.
fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
