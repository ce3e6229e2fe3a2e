//! A sorted listing. A first pass keeps a key and a place for each picked message, some 100 bytes; a second
//! pass reads the messages again in that order.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::pick::Context;
use super::{Format, ListOutcome, ListRequest, Out, PIECE, Senderless};
use crate::instance::{Instance, Settings};
use crate::postfix::queue::{Queue, QueueSet};
use crate::postfix::queue_id::hash_path;
use crate::scan::{MessageRow, Reread, RowObserver, RowReceiver, Spool};

/// An order of messages. Equal ones come by queue ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The oldest first.
    Arrival,
    /// The largest first.
    Size,
    /// The next retry first: in deferred, the modification time of the file is its next retry. Mail of other
    /// queues has none and comes last.
    Retry,
    /// By queue ID.
    QueueId,
}

impl Sort {
    /// Returns the order of that name: arrival, size, retry, queue_id.
    pub fn from_name(name: &str) -> Option<Sort> {
        Some(match name {
            "arrival" => Sort::Arrival,
            "size" => Sort::Size,
            "retry" => Sort::Retry,
            "queue_id" => Sort::QueueId,
            _ => return None,
        })
    }

    /// The name of the order, as [`Sort::from_name`] takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Sort::Arrival => "arrival",
            Sort::Size => "size",
            Sort::Retry => "retry",
            Sort::QueueId => "queue_id",
        }
    }

    fn key(self, row: &MessageRow) -> i64 {
        match self {
            Sort::Arrival => row.arrival(),
            Sort::Size => i64::try_from(row.size).unwrap_or(i64::MAX).wrapping_neg(),
            Sort::Retry => match (row.queue, row.inode) {
                (Some(Queue::Deferred), Some(inode)) => inode.mtime,
                _ => i64::MAX,
            },
            Sort::QueueId => 0,
        }
    }
}

/// The place of a message, and its key in the order.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SortEntry {
    key: i64,
    queue_id: Box<[u8]>,
    /// The index of its directory.
    directory: u32,
}

/// A directory that holds messages: the spool, the queue, and the path below it.
type SeenDirectory = (usize, Queue, PathBuf);

/// What one thread finds.
struct EntryCollector<'l> {
    request: &'l ListRequest,
    context: &'l Context,
    sort: Sort,
    directories: &'l Mutex<HashMap<SeenDirectory, u32>>,
    spool: usize,
    root: &'l Path,
    /// The directory of the last message, and its number.
    last: Option<(PathBuf, u32)>,
    found: Vec<SortEntry>,
    senderless: Senderless,
}

impl EntryCollector<'_> {
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

impl RowReceiver for EntryCollector<'_> {
    fn receive(&mut self, row: &MessageRow) -> bool {
        if self.request.pick.takes(row, self.context) {
            if row.envelope.has_sender {
                let directory = self.number_of(row);
                self.found.push(SortEntry {
                    key: self.sort.key(row),
                    queue_id: row.queue_id.as_slice().into(),
                    directory,
                });
            } else {
                self.senderless.add(row);
            }
        }
        true
    }
}

pub(super) fn sorted(
    spools: &[(Spool, Instance)],
    request: &ListRequest,
    sort: Sort,
    format: Format<'_>,
    out: Out<'_>,
    outcome: &mut ListOutcome,
) -> io::Result<()> {
    let directories = Mutex::new(HashMap::new());
    let mut found = Vec::new();
    // The first pass reads no reasons. The second reads those of picked messages.
    let mut first_pass = request.clone();
    first_pass.reasons = false;
    first_pass.bounces = false;
    let plan = first_pass.plan(request.queues);
    for (number, (spool, instance)) in spools.iter().enumerate() {
        let context = Context::of_list(instance, request.now);
        let finds = || {
            RowObserver::new(EntryCollector {
                request,
                context: &context,
                sort,
                directories: &directories,
                spool: number,
                root: spool.path(),
                last: None,
                found: Vec::new(),
                senderless: Senderless::default(),
            })
            .with_plan(&plan)
        };
        for rows in spool.scan(&plan, request.readers, request.deadline, finds) {
            let (gaps, unreadable, cut, mut finds) = rows.finish();
            outcome.take_in(gaps, unreadable, cut);
            outcome.senderless.take_in(finds.senderless);
            found.append(&mut finds.found);
        }
    }
    found.sort_unstable();
    let seen = directories
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    let mut directories: Vec<(u32, SeenDirectory)> = seen
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
        if outcome.messages >= request.limit.unwrap_or(u64::MAX) {
            break;
        }
        if request.deadline.passed() {
            outcome.cut = true;
            break;
        }
        let (_, (number, queue, levels)) = &directories[one.directory as usize];
        let reread = &mut rereads[*number];
        let unreadable = reread.unreadable();
        let settings = &spools[*number].1.settings;
        let here = reread.message(*queue, levels, &one.queue_id).is_some();
        let found = here || elsewhere(reread, request.queues, settings, levels, &one.queue_id);
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

/// Looks for a message that has left its place in the others of `queues`: mail moves while a list is printed.
pub(crate) fn elsewhere(
    reread: &mut Reread<'_>,
    queues: QueueSet,
    settings: &Settings,
    levels: &Path,
    queue_id: &[u8],
) -> bool {
    let seen = levels.components().count();
    let mut queues = queues.and(QueueSet::TOTAL).iter();
    queues.any(|queue| {
        let depth = match settings.is_hashed(queue.name()) {
            true => settings.hash_queue_depth,
            false => 0,
        };
        // If only the spool was given, its settings are a guess.
        let mut depths = [depth, seen, 0].into_iter();
        depths.any(|depth| {
            let path = hash_path(queue_id, depth);
            let found = reread.message(queue, Path::new(&path), queue_id);
            found.is_some()
        })
    })
}
