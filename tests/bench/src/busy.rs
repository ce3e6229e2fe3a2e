//! Kind to the host: how much mail a Postfix takes and delivers while its host is scanned without a
//! pause, by whom, and how long a scan then takes.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::contest::plugin;
use crate::process::Line;
use crate::spool::Contents;
use crate::table::{median, time};
use crate::{Options, Result, bare, machine, postfix};

/// Messages that Postfix takes each time.
const MESSAGES: u64 = 4000;
/// Turns of each.
const TURNS: usize = 3;

/// One that scans, or nobody.
struct Scanner {
    name: &'static str,
    line: Option<Line>,
    /// Messages a second that Postfix delivered, in each turn.
    rates: Vec<f64>,
    /// Seconds that scans took.
    scans: Vec<f64>,
}

/// Measures, with the spool at `spool`; with `cold` the kernel forgets the disk before each scan.
pub(crate) fn report(
    options: &Options,
    spool: &Path,
    contents: &Contents,
    cold: bool,
) -> Result<String> {
    let check = plugin(&options.plugin, spool, contents);
    let find = Line::new("sh").with("-c");
    let find = find.with("find \"$1\" -type f -exec cat {} + > /dev/null");
    let mut scanners = [
        ("nobody", None),
        ("check_postfix_queue", Some(check.clone())),
        ("check_postfix_queue --gentle", Some(check.with("--gentle"))),
        (
            "find -exec cat",
            Some(find.with("sh").with(spool.join("deferred"))),
        ),
    ]
    .map(|(name, line)| Scanner {
        name,
        line,
        rates: Vec::new(),
        scans: Vec::new(),
    });
    for turn in 1..=TURNS {
        eprintln!("bench: a busy Postfix, turn {turn} of {TURNS}");
        for scanner in &mut scanners {
            measure(scanner, cold)?;
        }
    }
    let mut text = format!(
        "\n{:<62} {:>13} {:>7} {:>9}\n",
        match cold {
            true => "A Postfix at work while somebody scans a cold spool",
            false => "A Postfix at work while somebody scans",
        },
        "delivered",
        "ratio",
        "a scan"
    );
    let alone = median(scanners[0].rates.iter().copied());
    for scanner in &scanners {
        let rate = median(scanner.rates.iter().copied());
        let scan = median(scanner.scans.iter().copied());
        writeln!(
            text,
            "  {:<60} {rate:>8.0} /s   {:>7.2} {:>9}",
            scanner.name,
            rate / alone,
            if scan.is_nan() {
                "-".to_owned()
            } else {
                time(scan)
            }
        )?;
    }
    Ok(text)
}

/// One turn.
fn measure(scanner: &mut Scanner, cold: bool) -> Result<()> {
    let postfix = postfix::Postfix::start(&postfix::Options::default());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let scans = scope.spawn(|| scan(scanner.line.as_ref(), cold, &over));
        let rate = deliver(&postfix);
        over.store(true, Ordering::Relaxed);
        let scans = scans.join().map_err(|_| "the scanner panicked")?;
        scanner
            .scans
            .append(&mut scans.map_err(|error| error.clone())?);
        scanner.rates.push(rate?);
        Ok(())
    })
}

/// Scans until it is over; tells how long each scan took that was not cut.
fn scan(
    line: Option<&Line>,
    cold: bool,
    over: &AtomicBool,
) -> std::result::Result<Vec<f64>, String> {
    let mut seconds = Vec::new();
    while let Some(line) = line.filter(|_| !over.load(Ordering::Relaxed)) {
        if cold {
            machine::forget_disk().map_err(|error| error.to_string())?;
        }
        let ended = line.run().map_err(|error| error.to_string())?;
        if !matches!(ended.code, Some(0..=2)) {
            return Err(format!("a scan ended with {:?}", ended.code));
        }
        seconds.push(ended.seconds);
    }
    Ok(seconds)
}

/// Messages a second, from the first that is sent to the last that has left the queue.
fn deliver(postfix: &postfix::Postfix) -> Result<f64> {
    let begun = Instant::now();
    let sent = Command::new("/usr/sbin/smtp-source")
        .args(["-s", "10", "-m", &MESSAGES.to_string(), "-N"])
        .args(["-f", "sender@ok.example", "-t"])
        .arg(format!("user@{}", postfix::DELIVERED))
        .arg(format!("127.0.0.1:{}", postfix.port()))
        .stdout(Stdio::null())
        .status()?;
    if !sent.success() {
        return Err("smtp-source failed".into());
    }
    while bare::count_names(&postfix.queue_directory())? > 0 {
        if begun.elapsed() > Duration::from_mins(5) {
            return Err("mail stays in the queue".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(MESSAGES as f64 / begun.elapsed().as_secs_f64())
}
