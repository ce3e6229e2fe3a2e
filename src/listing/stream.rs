//! An unsorted listing: messages in the order of the directories, formatted on several threads.
//!
//! The threads take numbered bundles of files. The thread whose bundle is next writes to the output at once. The
//! text of a later bundle waits in memory; when too much waits, its thread waits, too. So the output is the
//! same in every run, and its memory is bounded.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::pick::Context;
use super::{Format, ListOutcome, ListRequest, ORDER, Out, PIECE, Senderless};
use crate::instance::Instance;
use crate::postfix::queue::Queue;
use crate::scan::{MessageRow, RowReceiver, Spool};

/// How many bytes of output one thread holds until its turn.
const HELD: usize = 1 << 20;
/// How many bytes of output of finished bundles wait for their turn.
const WAITING: usize = 8 << 20;

/// Text of whole messages.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    /// The end of each message in it, and its size.
    ends: Vec<(usize, u64)>,
}

/// What the threads of a listing share.
struct Sink<'o> {
    out: Out<'o>,
    failed: Option<io::Error>,
    /// The bundle that is written next.
    turn: u64,
    /// Finished bundles that wait for their turn.
    waiting: BTreeMap<u64, Text>,
    held: usize,
    /// How many more messages may be written.
    left: u64,
    messages: u64,
    bytes: u64,
}

impl Sink<'_> {
    fn is_full(&self) -> bool {
        self.left == 0 || self.failed.is_some()
    }

    /// Writes `text`, up to the limit of messages.
    fn write(&mut self, text: &mut Text) {
        let take = text
            .ends
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if let (Some((end, _)), None) = (text.ends[..take].last(), &self.failed) {
            match (self.out)(&text.bytes[..*end]) {
                Ok(()) => {
                    self.left -= take as u64;
                    self.messages += take as u64;
                    let sizes = text.ends[..take].iter().map(|(_, size)| size);
                    self.bytes = sizes.fold(self.bytes, |sum, size| sum.saturating_add(*size));
                }
                Err(error) => self.failed = Some(error),
            }
        }
        text.bytes.clear();
        text.ends.clear();
    }

    /// Ends the present turn, and writes the bundles that have waited for it.
    fn next_turn(&mut self) {
        self.turn += 1;
        while let Some(mut text) = self.waiting.remove(&self.turn) {
            self.held -= text.bytes.len();
            self.write(&mut text);
            self.turn += 1;
        }
    }
}

/// The output, and the signal that the turn has changed.
struct Output<'o> {
    sink: Mutex<Sink<'o>>,
    news: Condvar,
}

impl<'o> Output<'o> {
    fn sink(&self) -> MutexGuard<'_, Sink<'o>> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The output of one thread.
struct ThreadOutput<'l, 'o> {
    output: &'l Output<'o>,
    request: &'l ListRequest,
    instance: &'l Instance,
    context: &'l Context,
    format: Format<'l>,
    number: u64,
    text: Text,
    senderless: Senderless,
}

impl ThreadOutput<'_, '_> {
    /// Writes the text if it is its turn, or waits for the turn if the text is long. Returns false once the
    /// output takes no more.
    fn hand_over(&mut self) -> bool {
        let mut sink = self.output.sink();
        while sink.turn != self.number && !sink.is_full() {
            if self.text.bytes.len() < HELD {
                return true;
            }
            sink = self
                .output
                .news
                .wait(sink)
                .unwrap_or_else(PoisonError::into_inner);
        }
        sink.write(&mut self.text);
        !sink.is_full()
    }
}

impl RowReceiver for ThreadOutput<'_, '_> {
    fn begins(&mut self, piece: u64) {
        self.number = piece;
    }

    fn receive(&mut self, row: &MessageRow) -> bool {
        let request = self.request;
        if !request.pick.takes(row, self.context) {
            return true;
        }
        if !row.envelope.has_sender {
            self.senderless.add(row);
            return true;
        }
        (self.format)(self.instance, row, &mut self.text.bytes);
        self.text.ends.push((self.text.bytes.len(), row.size));
        self.text.bytes.len() < PIECE || self.hand_over()
    }

    fn ends(&mut self) {
        let mut sink = self.output.sink();
        while sink.turn != self.number {
            if sink.is_full() {
                self.text = Text::default();
            }
            if sink.held + self.text.bytes.len() <= WAITING {
                sink.held += self.text.bytes.len();
                let text = std::mem::take(&mut self.text);
                sink.waiting.insert(self.number, text);
                return;
            }
            sink = self
                .output
                .news
                .wait(sink)
                .unwrap_or_else(PoisonError::into_inner);
        }
        sink.write(&mut self.text);
        sink.next_turn();
        drop(sink);
        self.output.news.notify_all();
    }
}

impl Drop for ThreadOutput<'_, '_> {
    /// After a panic no thread may wait for this thread's turn.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.output.sink().left = 0;
            self.output.news.notify_all();
        }
    }
}

/// Lists `spools` one after the other, each queue by queue.
pub(super) fn in_order(
    spools: &[(Spool, Instance)],
    request: &ListRequest,
    format: Format<'_>,
    out: Out<'_>,
    outcome: &mut ListOutcome,
) -> io::Result<()> {
    let mut output = Output {
        sink: Mutex::new(Sink {
            out,
            failed: None,
            turn: 0,
            waiting: BTreeMap::new(),
            held: 0,
            left: request.limit.unwrap_or(u64::MAX),
            messages: 0,
            bytes: 0,
        }),
        news: Condvar::new(),
    };
    let queues: Vec<Queue> = ORDER
        .into_iter()
        .filter(|queue| request.queues.contains(*queue))
        .collect();
    let plan = request.plan(request.queues);
    for (spool, instance) in spools {
        if output.sink().is_full() {
            break;
        }
        let context = Context::of_list(instance, request.now);
        let piece = || ThreadOutput {
            output: &output,
            request,
            instance,
            context: &context,
            format,
            number: 0,
            text: Text::default(),
            senderless: Senderless::default(),
        };
        let (readers, deadline) = (request.readers, request.deadline);
        for rows in spool.scan_in_order(&plan, &queues, readers, deadline, piece) {
            let (gaps, unreadable, cut, mut piece) = rows.finish();
            outcome.take_in(gaps, unreadable, cut);
            outcome
                .senderless
                .take_in(std::mem::take(&mut piece.senderless));
        }
        output.sink().turn = 0;
    }
    let sink = output
        .sink
        .get_mut()
        .unwrap_or_else(PoisonError::into_inner);
    outcome.messages = sink.messages;
    outcome.bytes = sink.bytes;
    sink.failed.take().map_or(Ok(()), Err)
}
