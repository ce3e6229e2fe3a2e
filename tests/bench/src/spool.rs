//! The spool: made by the drill in a process of its own, which tells what is in it on standard output.

use std::path::Path;

use queuewatch::drill::{Plan, Totals, make as drill};
use queuewatch::postfix::queue::Queue;

use crate::Result;
use crate::process::Line;

/// What is in the spool.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// In the order of [`Queue::ALL`].
    queues: [Totals; Queue::ALL.len()],
}

impl Contents {
    pub(crate) fn of(&self, queue: Queue) -> &Totals {
        &self.queues[queue.index()]
    }

    pub(crate) fn messages(&self) -> u64 {
        self.queues.iter().map(|queue| queue.messages).sum()
    }
}

/// The second that ages count from.
pub(crate) fn now() -> i64 {
    Plan::default().now
}

/// Makes it; the disk has it all before this ends. For [`make_apart`].
pub(crate) fn make(directory: &Path, messages: u64) -> Result<()> {
    let plan = Plan {
        messages,
        ..Plan::default()
    };
    let made = drill(directory, &plan, &mut |_, _| {})?;
    rustix::fs::sync();
    for totals in &made.queues {
        let oldest = totals.oldest.unwrap_or(0);
        println!("{} {} {oldest}", totals.messages, totals.recipients);
    }
    Ok(())
}

/// Makes it in a process of its own.
pub(crate) fn make_apart(bench: &Path, directory: &Path, messages: u64) -> Result<Contents> {
    let line = Line::new(bench).with("make").with(directory);
    let made = line.with(messages.to_string()).run()?;
    if made.code != Some(0) {
        return Err("the spool was not made".into());
    }
    let mut queues = [Totals::default(); Queue::ALL.len()];
    for (totals, line) in queues.iter_mut().zip(made.output.lines()) {
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
    let contents = Contents { queues };
    match contents.messages() == messages {
        true => Ok(contents),
        false => Err("the drill made another number of messages".into()),
    }
}
