//! A scan on several threads in the order of the directories.
//!
//! One [`SerialWalk`] goes through the queues one by one, each depth first as the daemons of Postfix do. The
//! threads of a [`Spool::scan_in_order`] take one bundle of file names at a time from it. So bundles have
//! numbers, and a printer can put the output of several threads in order. On an unchanged spool the order is
//! the same in every run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::cursor::{RowObserver, RowReceiver};
use super::walker::{SerialWalk, Work};
use super::{Depth, FileReader, Observer, Plan, Spool};
use crate::clock::Deadline;
use crate::postfix::queue::Queue;
use crate::sys::Noatime;
use crate::threads::Readers;
use crate::threads::pool::{self, DiskRead, JobSink, Worker};

/// What the threads share.
struct Shared<'s> {
    names: Mutex<(SerialWalk<()>, u64)>,
    plan: &'s Plan,
    deadline: Deadline,
    late: AtomicBool,
}

/// The part of one thread.
struct OrderedReader<'s, T> {
    shared: &'s Shared<'s>,
    rows: RowObserver<T>,
    files: FileReader,
}

/// The piece of work: take the next bundle.
struct NextBundle;

impl<T: RowReceiver> OrderedReader<'_, T> {
    fn is_late(&self) -> bool {
        let shared = self.shared;
        let late = shared.late.load(Ordering::Relaxed)
            || shared.deadline.passed()
            || self.rows.has_enough();
        if late {
            shared.late.store(true, Ordering::Relaxed);
        }
        late
    }
}

impl<T: RowReceiver> Worker for OrderedReader<'_, T> {
    type Job = NextBundle;

    fn perform(&mut self, _: NextBundle, jobs: &mut dyn JobSink<NextBundle>) {
        let shared = self.shared;
        let taken = {
            let mut names = shared.names.lock().unwrap_or_else(PoisonError::into_inner);
            let (names, number) = &mut *names;
            let late = self.is_late();
            if late && !names.is_done() {
                self.rows.cut(Queue::Active);
            }
            let next = match late {
                true => None,
                false => names.next_files(&mut self.rows.builder),
            };
            *number += 1;
            next.map(|next| (next, *number - 1))
        };
        let Some(((directory, (), bundle), number)) = taken else {
            return;
        };
        jobs.push(NextBundle);
        self.rows.to.begins(number);
        let depth = shared.plan.depth(directory.queue);
        let depth = depth.unwrap_or(Depth::Envelopes).max(Depth::Envelopes);
        for index in 0..bundle.len() {
            if self.is_late() {
                self.rows.cut(directory.queue);
                break;
            }
            if let Some(name) = bundle.name(index) {
                self.files.read(&directory, name, depth, &mut self.rows);
                jobs.disk_read(DiskRead::File);
            }
        }
        self.rows.to.ends();
    }
}

impl Spool {
    /// Scans as `plan` says, but the queues in the order of `queues` and each in the order of its directories.
    /// `receiver` makes one receiver for each thread, which gets the number of each bundle of files before its
    /// messages. Returns the receivers.
    pub(crate) fn scan_in_order<T: RowReceiver>(
        &self,
        plan: &Plan,
        queues: &[Queue],
        readers: Readers,
        deadline: Deadline,
        receiver: impl Fn() -> T + Sync,
    ) -> Vec<RowObserver<T>> {
        let mut gaps = Vec::new();
        let mut noatime = Noatime::default();
        let mut open = Vec::new();
        for queue in queues {
            let one = self.queue_directories((*queue).into(), &mut noatime, |gap| gaps.push(gap));
            open.extend(one);
        }
        // The walk takes the last item first.
        let first = open.into_iter().rev().map(|queue| Work::List(queue, ()));
        let walk = SerialWalk::new(first.collect());
        let logs = self.logs(*plan, &mut noatime, |gap| gaps.push(gap));
        let shared = Shared {
            names: Mutex::new((walk, 0)),
            plan,
            deadline,
            late: AtomicBool::new(false),
        };
        let reader = || OrderedReader {
            shared: &shared,
            rows: RowObserver::new(receiver()).with_plan(plan),
            files: FileReader::new(
                Arc::clone(&logs),
                Arc::clone(&self.expected),
                deadline,
                plan.as_showq,
            ),
        };
        let readers = pool::run(readers, vec![NextBundle], reader);
        let mut all: Vec<RowObserver<T>> = readers.into_iter().map(|reader| reader.rows).collect();
        if let Some(rows) = all.first_mut() {
            for gap in gaps {
                rows.gap(gap);
            }
        }
        all
    }
}
