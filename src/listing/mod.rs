//! The messages of some spools, one by one: those that somebody picks, in the order of the queues or
//! sorted.
//!
//! Unsorted, messages are formatted on several threads and told as they come, in memory for a few
//! pieces of output, whatever the length of the queue. Sorted, a first pass keeps a key and a place for
//! each message picked (some 100 bytes), and a second reads them again in that order. What the text of
//! a message is, is the caller's business.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::instance::{Instance, Settings};
use crate::postfix::delay_reason::has_code;
use crate::postfix::queue::{Queue, QueueSet};
use crate::postfix::queue_id::hash_path;
use crate::postfix::{address, defer_log};
use crate::scan::{Depth, Gap, GapKind, Logged, MessageRow, Plan, Reread, Rows, Spool, Tell};
use crate::threads::Readers;

/// The order of queues in showq(8).
pub const ORDER: [Queue; 6] = [
    Queue::Maildrop,
    Queue::Active,
    Queue::Incoming,
    Queue::Deferred,
    Queue::Hold,
    Queue::Corrupt,
];
/// Bytes of output that a thread gathers before it hands them over.
const PIECE: usize = 32_768;
/// What could not be read, of which the place is kept; all is counted.
const MAX_EXAMPLES: usize = 32;

/// Which messages; every condition that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    /// A recipient still to be delivered is of this destination domain (folded as qshape folds it), or
    /// the address that was tried for it: another where mail is redirected.
    pub domain: Option<Vec<u8>>,
    /// The sender is this address (with `@`), or of this domain; `MAILER-DAEMON` is the null sender.
    pub sender: Option<Vec<u8>>,
    /// A recipient waits for a reason with this enhanced status code or prefix of one.
    pub reason: Option<String>,
    /// It is older, in seconds.
    pub older: Option<i64>,
}

impl Pick {
    fn takes(&self, row: &MessageRow, now: i64, name: &mut Vec<u8>) -> bool {
        if let Some(age) = self.older {
            if now.saturating_sub(row.arrival()) <= age {
                return false;
            }
        }
        if let Some(sender) = &self.sender {
            if sender.contains(&b'@') {
                address::fold(&row.sender, name);
            } else {
                address::destination_domain(&row.sender, name);
            }
            if !name.eq_ignore_ascii_case(sender) {
                return false;
            }
        }
        if let Some(domain) = &self.domain {
            let mut is_of = |recipient: &[u8]| {
                address::destination_domain(recipient, name);
                name.eq_ignore_ascii_case(domain)
            };
            let redirected = |entry: &Logged<'_>| entry.log == defer_log::Log::Defer;
            if !row.recipients().any(&mut is_of)
                && !row
                    .logged()
                    .filter(redirected)
                    .any(|entry| is_of(entry.address))
            {
                return false;
            }
        }
        self.reason.as_ref().is_none_or(|code| {
            row.logged().any(|entry| {
                entry.log == defer_log::Log::Defer && has_code(entry.status, code.as_bytes())
            })
        })
    }
}

/// An order of messages; equal ones come by queue ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The oldest first.
    Arrival,
    /// The largest first.
    Size,
    /// The next to be retried first (by the time of the file's last change, which is the next retry in
    /// deferred).
    Retry,
    /// By queue ID.
    QueueId,
}

impl Sort {
    /// The order of that name: arrival, size, retry, queue_id.
    pub fn from_name(name: &str) -> Option<Sort> {
        Some(match name {
            "arrival" => Sort::Arrival,
            "size" => Sort::Size,
            "retry" => Sort::Retry,
            "queue_id" => Sort::QueueId,
            _ => return None,
        })
    }

    fn key(self, row: &MessageRow) -> i64 {
        match self {
            Sort::Arrival => row.arrival(),
            Sort::Size => i64::try_from(row.size).unwrap_or(i64::MAX).wrapping_neg(),
            Sort::Retry => row.inode.map_or(0, |inode| inode.mtime),
            Sort::QueueId => 0,
        }
    }
}

/// What to list.
#[derive(Clone, Debug)]
pub struct Request {
    /// The queues.
    pub queues: QueueSet,
    /// Which messages.
    pub pick: Pick,
    /// In which order; `None` is by queue, and as directories list them.
    pub sort: Option<Sort>,
    /// Whether to read delay reasons, and with `bounces` those of recipients given up.
    pub reasons: bool,
    /// See `reasons`.
    pub bounces: bool,
    /// The second of the epoch that ages count from.
    pub now: i64,
    /// How many threads may read at once.
    pub readers: Readers,
    /// When to stop.
    pub deadline: Deadline,
}

impl Request {
    fn plan(&self, queues: QueueSet) -> Plan {
        let depth = if self.reasons || self.pick.reason.is_some() {
            Depth::Reasons
        } else {
            Depth::Envelopes
        };
        let mut plan = Plan::new(queues, depth);
        plan.bounces = self.bounces;
        plan.as_showq = true;
        plan
    }
}

/// How a listing went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Messages told.
    pub messages: u64,
    /// The sum of the sizes that mailq prints, in bytes.
    pub bytes: u64,
    /// Messages without a sender, which postqueue does not list, nor we.
    pub senderless: u64,
    /// Messages that left the queues between the two passes of a sorted listing.
    pub vanished: u64,
    /// The first of what could not be read.
    pub gaps: Vec<Error>,
    /// Directories and files that could not be read.
    pub unreadable: u64,
    /// Whether the deadline came before the end.
    pub cut: bool,
}

impl Outcome {
    fn take_in(&mut self, gaps: Vec<Gap>, unreadable: u64, cut: bool) {
        self.unreadable += unreadable;
        self.cut |= cut;
        for gap in gaps {
            let error = Error::from(&gap);
            // The directory of the logs is told for each queue.
            let told = gap.kind == GapKind::LogDirectory
                && self.gaps.iter().any(|one| one.path() == error.path());
            if told {
                self.unreadable -= 1;
            } else if self.gaps.len() < MAX_EXAMPLES {
                self.gaps.push(error);
            }
        }
    }
}

/// Makes the text of a message; what it appends is handed to the output in one piece.
pub type Format<'f> = &'f (dyn Fn(&Instance, &MessageRow, &mut Vec<u8>) + Sync);

/// Where the text goes: whole messages, one after the other.
pub type Out<'o> = &'o mut (dyn FnMut(&[u8]) -> io::Result<()> + Send);

/// Lists the messages of `instances` as `request` says.
///
/// # Errors
/// Those of `out`, with the output so far told; the outer one if no spool can be entered. A broken
/// instance beside others is told in the outcome.
pub fn list(
    instances: Vec<Result<Instance>>,
    request: &Request,
    format: Format<'_>,
    out: Out<'_>,
) -> Result<io::Result<Outcome>> {
    let mut outcome = Outcome::default();
    let mut spools = Vec::new();
    for instance in instances {
        let opened = instance.and_then(|instance| Ok((Spool::of(&instance)?, instance)));
        match opened {
            Ok(opened) => spools.push(opened),
            Err(error) => {
                outcome.unreadable += 1;
                outcome.gaps.push(error);
            }
        }
    }
    if spools.is_empty() && !outcome.gaps.is_empty() {
        return Err(outcome.gaps.swap_remove(0));
    }
    Ok(match request.sort {
        None => in_order_of_queues(&spools, request, format, out, &mut outcome),
        Some(sort) => sorted(&spools, request, sort, format, out, &mut outcome),
    }
    .map(|()| outcome))
}

/// What the threads of a listing share.
struct Sink<'o> {
    out: Out<'o>,
    failed: Option<io::Error>,
}

/// One thread's output.
struct Piece<'l, 'o> {
    sink: &'l Mutex<Sink<'o>>,
    request: &'l Request,
    instance: &'l Instance,
    format: Format<'l>,
    text: Vec<u8>,
    name: Vec<u8>,
    messages: u64,
    bytes: u64,
    senderless: u64,
}

impl Piece<'_, '_> {
    /// Hands the text over; false once the output takes no more.
    fn hand_over(&mut self) -> bool {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if sink.failed.is_none() && !self.text.is_empty() {
            if let Err(error) = (sink.out)(&self.text) {
                sink.failed = Some(error);
            }
        }
        self.text.clear();
        sink.failed.is_none()
    }
}

impl Tell for Piece<'_, '_> {
    fn tell(&mut self, row: &MessageRow) -> bool {
        let request = self.request;
        if !request.pick.takes(row, request.now, &mut self.name) {
            return true;
        }
        if !row.envelope.has_sender {
            self.senderless += 1;
            return true;
        }
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(row.size);
        (self.format)(self.instance, row, &mut self.text);
        self.text.len() < PIECE || self.hand_over()
    }
}

fn in_order_of_queues(
    spools: &[(Spool, Instance)],
    request: &Request,
    format: Format<'_>,
    out: Out<'_>,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let sink = Mutex::new(Sink { out, failed: None });
    for (spool, instance) in spools {
        for queue in ORDER {
            if !request.queues.contains(queue) {
                continue;
            }
            let piece = || {
                Rows::new(Piece {
                    sink: &sink,
                    request,
                    instance,
                    format,
                    text: Vec::new(),
                    name: Vec::new(),
                    messages: 0,
                    bytes: 0,
                    senderless: 0,
                })
            };
            let plan = request.plan(queue.into());
            for rows in spool.scan(&plan, request.readers, request.deadline, piece) {
                let (gaps, unreadable, cut, mut piece) = rows.finish();
                piece.hand_over();
                outcome.take_in(gaps, unreadable, cut);
                outcome.messages += piece.messages;
                outcome.bytes = outcome.bytes.saturating_add(piece.bytes);
                outcome.senderless += piece.senderless;
            }
            let failed = sink
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .failed
                .take();
            if let Some(error) = failed {
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Where a message is, and where it belongs in the order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    key: i64,
    queue_id: Box<[u8]>,
    /// Which of the directories seen.
    directory: u32,
}

/// A directory that holds messages: of which spool, of which queue, and where below it.
type Seen = (usize, Queue, PathBuf);

/// One thread's finds.
struct Finds<'l> {
    request: &'l Request,
    sort: Sort,
    directories: &'l Mutex<HashMap<Seen, u32>>,
    spool: usize,
    root: &'l Path,
    /// The directory of the last message, and its number.
    last: Option<(PathBuf, u32)>,
    found: Vec<Found>,
    name: Vec<u8>,
    senderless: u64,
}

impl Finds<'_> {
    fn number_of(&mut self, row: &MessageRow) -> u32 {
        if let Some((directory, number)) = &self.last {
            if *directory == row.directory {
                return *number;
            }
        }
        let queue = row.queue.unwrap_or(Queue::Active);
        let top = self.root.join(queue.name());
        let levels = row.directory.strip_prefix(top).unwrap_or(Path::new(""));
        let place = (self.spool, queue, levels.to_owned());
        let mut all = self
            .directories
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let next = all.len() as u32;
        let number = *all.entry(place).or_insert(next);
        self.last = Some((row.directory.clone(), number));
        number
    }
}

impl Tell for Finds<'_> {
    fn tell(&mut self, row: &MessageRow) -> bool {
        if self
            .request
            .pick
            .takes(row, self.request.now, &mut self.name)
        {
            if row.envelope.has_sender {
                let directory = self.number_of(row);
                self.found.push(Found {
                    key: self.sort.key(row),
                    queue_id: row.queue_id.as_slice().into(),
                    directory,
                });
            } else {
                self.senderless += 1;
            }
        }
        true
    }
}

fn sorted(
    spools: &[(Spool, Instance)],
    request: &Request,
    sort: Sort,
    format: Format<'_>,
    out: Out<'_>,
    outcome: &mut Outcome,
) -> io::Result<()> {
    let directories = Mutex::new(HashMap::new());
    let mut found = Vec::new();
    // Reasons are read for those that are picked, once they are told.
    let mut first_pass = request.clone();
    first_pass.reasons = false;
    first_pass.bounces = false;
    for (number, (spool, _)) in spools.iter().enumerate() {
        let finds = || {
            Rows::new(Finds {
                request,
                sort,
                directories: &directories,
                spool: number,
                root: spool.path(),
                last: None,
                found: Vec::new(),
                name: Vec::new(),
                senderless: 0,
            })
        };
        let plan = first_pass.plan(request.queues);
        for rows in spool.scan(&plan, request.readers, request.deadline, finds) {
            let (gaps, unreadable, cut, mut finds) = rows.finish();
            outcome.take_in(gaps, unreadable, cut);
            outcome.senderless += finds.senderless;
            found.append(&mut finds.found);
        }
    }
    found.sort_unstable();
    let seen = directories
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let mut directories: Vec<(u32, Seen)> = seen
        .into_iter()
        .map(|(place, number)| (number, place))
        .collect();
    directories.sort_unstable();
    let plan = request.plan(request.queues);
    let mut rereads: Vec<Reread<'_>> = spools
        .iter()
        .map(|(spool, _)| Reread::new(spool, &plan, request.deadline))
        .collect();
    let mut text = Vec::new();
    for one in found {
        if request.deadline.passed() {
            outcome.cut = true;
            break;
        }
        let (_, (number, queue, levels)) = &directories[one.directory as usize];
        let reread = &mut rereads[*number];
        let unreadable = reread.unreadable();
        let settings = &spools[*number].1.settings;
        let here = reread.message(*queue, levels, &one.queue_id).is_some();
        let found = here || elsewhere(reread, request, settings, levels, &one.queue_id);
        if !found {
            if reread.unreadable() == unreadable {
                outcome.vanished += 1;
            }
            continue;
        }
        let row = reread.row();
        outcome.messages += 1;
        outcome.bytes = outcome.bytes.saturating_add(row.size);
        format(&spools[*number].1, row, &mut text);
        if text.len() >= PIECE {
            out(&text)?;
            text.clear();
        }
    }
    for reread in rereads {
        let (gaps, unreadable, cut) = reread.finish();
        outcome.take_in(gaps, unreadable, cut);
    }
    out(&text)
}

/// Looks for a message that is no longer where it was in the other queues, into which mail moves while
/// a list is printed.
fn elsewhere(
    reread: &mut Reread<'_>,
    request: &Request,
    settings: &Settings,
    levels: &Path,
    queue_id: &[u8],
) -> bool {
    let seen = levels.components().count();
    let mut queues = request.queues.and(QueueSet::TOTAL).iter();
    queues.any(|queue| {
        let depth = match settings.is_hashed(queue.name()) {
            true => settings.hash_queue_depth,
            false => 0,
        };
        // Of a spool given by itself the settings are guessed.
        let mut depths = [depth, seen, 0].into_iter();
        depths.any(|depth| {
            let path = hash_path(queue_id, depth);
            let found = reread.message(queue, Path::new(&path), queue_id);
            found.is_some()
        })
    })
}
