//! The spool: made by the drill, or by a Postfix, in a process of its own, which tells what is in it on
//! standard output.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use queuewatch::drill::{Plan, Totals, make as drill};
use queuewatch::postfix::queue::Queue;

use crate::process::Line;
use crate::{Result, bare, postfix};

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

/// Makes it; the disk has it all before this ends. For [`make_apart`].
pub(crate) fn make(directory: &Path, messages: u64) -> Result<()> {
    let plan = Plan {
        messages,
        ..Plan::default()
    };
    let made = drill(directory, &plan, &mut |_, _| {})?;
    rustix::fs::sync();
    print(&made.queues, plan.now);
    Ok(())
}

/// Has a Postfix of its own take `messages` and defer them all, and moves its spool to `directory`.
/// What is in it is told as postqueue(1) tells it. For [`make_apart`].
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
            return Err("three figures are wanted".into());
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
