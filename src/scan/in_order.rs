//! A scan on several threads in the order of the directories.
//!
//! One [`SerialWalk`] goes through the queues one by one, each depth first as the daemons of Postfix do. The
//! threads of a [`Spool::scan_in_order`] take one bundle of file names at a time from it. So bundles have
//! numbers, and a printer can put the output of several threads in order. On an unchanged spool the order is
//! the same in every run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::cursor::{Rows, Tell};
use super::walker::{SerialWalk, Work};
use super::{Depth, FileReader, Observer, Plan, Spool};
use crate::clock::Deadline;
use crate::postfix::queue::Queue;
use crate::sys::Noatime;
use crate::threads::Readers;
use crate::threads::pool::{self, DiskRead, JobSink, Worker};

/// What the threads share.
struct Common<'s> {
    names: Mutex<(SerialWalk<()>, u64)>,
    plan: &'s Plan,
    deadline: Deadline,
    late: AtomicBool,
}

/// The part of one thread.
struct Reader<'s, T> {
    common: &'s Common<'s>,
    rows: Rows<T>,
    files: FileReader,
}

/// The piece of work: take the next bundle.
struct Next;

impl<T: Tell> Reader<'_, T> {
    fn is_late(&self) -> bool {
        let common = self.common;
        let late = common.late.load(Ordering::Relaxed)
            || common.deadline.passed()
            || self.rows.has_enough();
        if late {
            common.late.store(true, Ordering::Relaxed);
        }
        late
    }
}

impl<T: Tell> Worker for Reader<'_, T> {
    type Job = Next;

    fn perform(&mut self, _: Next, jobs: &mut dyn JobSink<Next>) {
        let common = self.common;
        let taken = {
            let mut names = common.names.lock().unwrap_or_else(PoisonError::into_inner);
            let (names, number) = &mut *names;
            let late = self.is_late();
            if late && !names.is_done() {
                self.rows.cut(Queue::Active);
            }
            let next = match late {
                true => None,
                false => names.next_files(&mut self.rows.heard),
            };
            *number += 1;
            next.map(|next| (next, *number - 1))
        };
        let Some(((directory, (), bundle), number)) = taken else {
            return;
        };
        jobs.push(Next);
        self.rows.to.begins(number);
        let depth = common.plan.depth(directory.queue);
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
    /// `tell` makes one receiver for each thread, which gets the number of each bundle of files before its
    /// messages. Returns the receivers.
    pub fn scan_in_order<T: Tell>(
        &self,
        plan: &Plan,
        queues: &[Queue],
        readers: Readers,
        deadline: Deadline,
        tell: impl Fn() -> T + Sync,
    ) -> Vec<Rows<T>> {
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
        let common = Common {
            names: Mutex::new((walk, 0)),
            plan,
            deadline,
            late: AtomicBool::new(false),
        };
        let reader = || Reader {
            common: &common,
            rows: Rows::new(tell()).with_headers(plan.headers),
            files: FileReader::new(
                Arc::clone(&logs),
                Arc::clone(&self.expected),
                deadline,
                plan.as_showq,
            ),
        };
        let readers = pool::run(readers, vec![Next], reader);
        let mut all: Vec<Rows<T>> = readers.into_iter().map(|reader| reader.rows).collect();
        if let Some(rows) = all.first_mut() {
            for gap in gaps {
                rows.gap(gap);
            }
        }
        all
    }
}
