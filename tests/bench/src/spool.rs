//! The spool: made by the drill, by a Postfix, or of links, in a process of its own, which tells what is in
//! it on standard output.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use queuewatch::drill::{Plan, Totals, make as drill};
use queuewatch::options::{Options, Purpose};
use queuewatch::postfix::queue::{Queue, QueueSet};

use crate::process::Line;
use crate::{Result, bare, postfix};

/// From this number of messages on there is a destination domain for every ten of them.
pub(crate) const MANY: u64 = 1_000_000;
/// Files that a spool of links has: each with fewer names than ext4 allows (65,000).
const LINKED: u64 = 160;

/// What is in the spool.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// In the order of [`Queue::ALL`].
    queues: [Totals; Queue::ALL.len()],
    /// The second that ages count from.
    pub(crate) now: i64,
}

impl Contents {
    pub(crate) fn of(&self, queue: Queue) -> &Totals {
        &self.queues[queue.index()]
    }

    pub(crate) fn messages(&self) -> u64 {
        self.queues.iter().map(|queue| queue.messages).sum()
    }
}

/// Makes it and waits until all of it is on the disk. For [`make_apart`].
pub(crate) fn make(directory: &Path, messages: u64) -> Result<()> {
    let usual = Plan::default();
    let plan = Plan {
        messages,
        domains: match messages {
            MANY.. => messages / 10,
            _ => usual.domains,
        },
        ..usual
    };
    let made = drill(directory, &plan, &mut |_, _| {})?;
    rustix::fs::sync();
    print(&made.queues, plan.now);
    Ok(())
}

/// Has a Postfix of its own take `messages` and defer them all, and moves its spool to `directory`.
/// Its content is listed as postqueue(1) lists it. For [`make_apart`].
pub(crate) fn fill(directory: &Path, messages: u64) -> Result<()> {
    let postfix = postfix::Postfix::start(&postfix::Options::default());
    let sent = Command::new("/usr/sbin/smtp-source")
        .args(["-s", "10", "-m", &messages.to_string(), "-l", "3000", "-N"])
        .args(["-f", "sender@ok.example", "-t"])
        .arg(format!("user@{}", postfix::GREYLISTED))
        .arg(format!("127.0.0.1:{}", postfix.port()))
        .stdout(Stdio::null())
        .status()?;
    if !sent.success() {
        return Err("smtp-source failed".into());
    }
    let begun = Instant::now();
    let spool = postfix.queue_directory();
    while bare::count_below(&spool.join("deferred"))? < messages {
        if begun.elapsed() > Duration::from_mins(10) {
            return Err("mail was not deferred".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut deferred = Totals::default();
    for listed in postfix.postqueue_j() {
        let arrival = listed["arrival_time"].as_i64().ok_or("no arrival time")?;
        let recipients = listed["recipients"].as_array().ok_or("no recipients")?;
        deferred.messages += 1;
        deferred.recipients += recipients.len() as u64;
        deferred.oldest = Some(
            deferred
                .oldest
                .map_or(arrival, |oldest| oldest.min(arrival)),
        );
    }
    postfix.stop();
    let moved = Command::new("mv").arg(&spool).arg(directory).status()?;
    if !moved.success() {
        return Err("the spool could not be moved".into());
    }
    rustix::fs::sync();
    let mut queues = [Totals::default(); Queue::ALL.len()];
    queues[Queue::Deferred.index()] = deferred;
    print(&queues, queuewatch::clock::now());
    Ok(())
}

/// Makes a deferred queue with `messages` names, which are hard links of some files of the drill: more
/// than a disk has room for. For [`link_apart`].
pub(crate) fn link(directory: &Path, messages: u64) -> Result<()> {
    let plan = Plan {
        messages: 2 * LINKED,
        ..Plan::default()
    };
    let drilled = directory.with_extension("drilled");
    drill(&drilled, &plan, &mut |_, _| {})?;
    let mut files = Vec::new();
    for hash in fs::read_dir(drilled.join("deferred"))? {
        for file in fs::read_dir(hash?.path())? {
            files.push(file?.path());
        }
    }
    files.sort();
    for surplus in files.drain(LINKED as usize..) {
        fs::remove_file(surplus)?;
    }
    let mut options = Options::default();
    options.set("queue-directory", drilled.as_os_str().as_encoded_bytes())?;
    options.set("measure", b"deferred.recipients")?;
    options.set("measure", b"deferred.oldest")?;
    let snapshot = options.scan(Purpose::Everything)?;
    let tally = snapshot.instances.first().ok_or("no snapshot")?;
    let tally = tally.tally(Queue::Deferred);
    for queue in QueueSet::ALL.iter() {
        fs::create_dir_all(directory.join(queue.name()))?;
    }
    for hash in 0..16 {
        fs::create_dir(directory.join(format!("deferred/{hash:X}")))?;
    }
    let each = messages.div_ceil(LINKED);
    for number in 0..messages {
        let microsecond = number.wrapping_mul(7919) % 1_000_000;
        let id = format!("{microsecond:05X}{number:06X}");
        let name = directory.join(format!("deferred/{}/{id}", &id[..1]));
        fs::hard_link(&files[(number / each) as usize], name)?;
    }
    rustix::fs::sync();
    if !messages.is_multiple_of(LINKED) {
        return Err(format!("{LINKED} files cannot have {messages} names alike").into());
    }
    let mut queues = [Totals::default(); Queue::ALL.len()];
    queues[Queue::Deferred.index()] = Totals {
        messages,
        recipients: tally.recipients * each,
        oldest: tally.oldest,
        ..Totals::default()
    };
    print(&queues, plan.now);
    Ok(())
}

/// Makes it in a process of its own.
pub(crate) fn link_apart(bench: &Path, directory: &Path, messages: u64) -> Result<Contents> {
    apart("link", bench, directory, messages)
}

fn print(queues: &[Totals], now: i64) {
    for totals in queues {
        let oldest = totals.oldest.unwrap_or(0);
        println!("{} {} {oldest}", totals.messages, totals.recipients);
    }
    println!("{now}");
}

/// Makes it in a process of its own.
pub(crate) fn make_apart(bench: &Path, directory: &Path, messages: u64) -> Result<Contents> {
    apart("make", bench, directory, messages)
}

/// Has a Postfix fill it, from a process of its own.
pub(crate) fn fill_apart(bench: &Path, directory: &Path, messages: u64) -> Result<Contents> {
    apart("fill", bench, directory, messages)
}

fn apart(way: &str, bench: &Path, directory: &Path, messages: u64) -> Result<Contents> {
    let line = Line::new(bench).with(way).with(directory);
    let made = line.with(messages.to_string()).run()?;
    if made.code != Some(0) {
        return Err("the spool was not made".into());
    }
    let mut queues = [Totals::default(); Queue::ALL.len()];
    let mut lines = made.output.lines();
    for (totals, line) in queues.iter_mut().zip(&mut lines) {
        let figures: Vec<i64> = line
            .split(' ')
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()?;
        let [messages, recipients, oldest] = figures[..] else {
            return Err("expected three figures".into());
        };
        totals.messages = messages.try_into()?;
        totals.recipients = recipients.try_into()?;
        totals.oldest = (messages > 0).then_some(oldest);
    }
    let now = lines.next().ok_or("no present second")?.parse()?;
    let contents = Contents { queues, now };
    match contents.messages() == messages {
        true => Ok(contents),
        false => Err("the drill made another number of messages".into()),
    }
}
