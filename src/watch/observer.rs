//! Captures what is kept of one queue file: the observer of a watch.

use std::sync::Arc;

use crate::instance::{Instance, LeftOutCount};
use crate::postfix::address;
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::origin::Origin;
use crate::postfix::queue::Queue;
use crate::scan::{Gap, GapKind, Message, Observer, OwnerFault, Plan};
use crate::snapshot::TableSet;
use crate::snapshot::contribution::explains;
use crate::snapshot::destination::{Destination, DestinationReader, Lookup};
use crate::snapshot::origins::make_key;
use crate::sys::Inode;

/// How many destinations and reasons are kept of one message. The rest counts without a name.
const MAX_PARTS: usize = 1 << 16;

/// The recipients of one message that share domain, code and reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// The destination domain; `None` beyond [`MAX_PARTS`], or if no table needs it.
    pub(super) domain: Option<Vec<u8>>,
    /// Why they wait: the status code, and the key of the table of reasons.
    pub(super) why: Option<(Vec<u8>, Vec<u8>)>,
    /// The number of recipients.
    pub(super) recipients: u32,
}

impl Part {
    /// Makes a part of one recipient.
    fn of(one: &Destination<'_>) -> Part {
        Part {
            domain: Some(one.domain.to_vec()),
            why: one.why.map(|why| (why.code.to_vec(), why.reason.to_vec())),
            recipients: 1,
        }
    }

    /// Returns true if `one` belongs to this part.
    fn is(&self, one: &Destination<'_>) -> bool {
        let why = self.why.as_ref();
        let why = why.map(|(code, reason)| (&code[..], &reason[..]));
        self.domain.as_deref() == Some(one.domain)
            && why == one.why.map(|why| (why.code, why.reason))
    }
}

/// Merges equal parts.
fn join_parts(parts: &mut Vec<Part>) {
    parts.sort_unstable();
    parts.dedup_by(|later, kept| {
        let same = later.domain == kept.domain && later.why == kept.why;
        if same {
            kept.recipients = kept.recipients.saturating_add(later.recipients);
        }
        same
    });
}

/// Adds a recipient to the part without a name.
fn add_unnamed(parts: &mut Vec<Part>) {
    match parts.iter_mut().find(|part| part.domain.is_none()) {
        Some(part) => part.recipients = part.recipients.saturating_add(1),
        None => parts.push(Part {
            recipients: 1,
            ..Part::default()
        }),
    }
}

/// The result of reading a file.
#[derive(Debug)]
pub(super) enum Facts {
    /// A message, or a file that is not ready (`envelope` is then none).
    File(Box<File>),
    /// The file cannot be read.
    Gap(Gap),
}

impl Facts {
    /// Returns true if it is a file that is not a message, or not any more.
    pub(super) fn is_not_ready(&self) -> bool {
        matches!(self, Facts::File(file) if !file.ready)
    }
}

/// What is kept of a file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) inode: Inode,
    pub(super) ready: bool,
    pub(super) envelope: Option<Envelope>,
    /// The size that mailq prints, in bytes.
    pub(super) size: u64,
    /// The sender as the table of senders spells it, if that table is needed and there is a sender.
    pub(super) sender: Option<Vec<u8>>,
    /// The login or client as the table of origins spells it, if that table is needed and one is known.
    pub(super) origin: Option<Vec<u8>>,
    pub(super) parts: Vec<Part>,
    /// True if Postfix looks for it in another directory.
    pub(super) misplaced: bool,
    /// Why its owner stops Postfix, if it does.
    pub(super) fault: Option<OwnerFault>,
    /// Why its delay reasons cannot be read.
    pub(super) log_gap: Option<Gap>,
    /// True if the sums of messages leave it out.
    pub(super) left_out: bool,
}

/// Observes one file at a time.
#[derive(Debug)]
pub(super) struct FileCapture {
    plan: Plan,
    wanted: TableSet,
    queue: Queue,
    sender: Option<Vec<u8>>,
    origin: Origin,
    parts: Vec<Part>,
    destinations: DestinationReader,
    left_out: LeftOutCount,
    log_gap: Option<Gap>,
    found: Option<Facts>,
}

impl FileCapture {
    pub(super) fn new(plan: Plan, wanted: TableSet, instance: &Instance) -> Self {
        FileCapture {
            plan,
            wanted,
            queue: Queue::Active,
            sender: None,
            origin: Origin::default(),
            parts: Vec::new(),
            destinations: DestinationReader::new(Arc::clone(&instance.classifier)),
            left_out: LeftOutCount::new(Arc::clone(&instance.left_out)),
            log_gap: None,
            found: None,
        }
    }

    /// Takes what was observed since the last call. `None` if the file is gone or is not a file.
    pub(super) fn take(&mut self) -> Option<Facts> {
        let found = self.found.take();
        self.forget();
        found
    }

    fn forget(&mut self) {
        self.sender = None;
        self.origin.clear();
        self.parts.clear();
        self.destinations.begin();
        self.left_out.begin();
        self.log_gap = None;
    }

    fn file(&mut self, message: &Message<'_>, ready: bool) {
        if self.parts.len() > 1 {
            join_parts(&mut self.parts);
        }
        let mut envelope = message.envelope;
        let recipients = envelope.map_or(0, |envelope| envelope.recipients);
        let left_out = self.left_out.is_message(recipients);
        if let Some(envelope) = &mut envelope {
            envelope.recipients = self.left_out.remaining(recipients);
        }
        if left_out {
            self.sender = None;
            self.origin.clear();
            self.parts.clear();
        }
        let mut key = Vec::new();
        let origin = make_key(&self.origin, &mut key).then_some(key);
        self.found = Some(Facts::File(Box::new(File {
            inode: message.inode,
            ready,
            envelope,
            size: message.size(),
            sender: self.sender.take(),
            origin,
            parts: std::mem::take(&mut self.parts),
            misplaced: message.misplaced,
            fault: message.fault,
            log_gap: self.log_gap.take(),
            left_out,
        })));
    }
}

impl Visitor for FileCapture {
    fn attribute(&mut self, record: &[u8]) {
        if self.wanted.origins {
            self.origin.attribute(record);
        }
    }

    fn sender(&mut self, address: &[u8]) {
        self.left_out.sender(address);
        if self.wanted.senders {
            let mut folded = Vec::with_capacity(address.len());
            address::fold(address, &mut folded);
            self.sender = Some(folded);
        }
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        if self.left_out.recipient(address) {
            return;
        }
        let lookup = match explains(&self.plan, self.wanted, self.queue) {
            true => Lookup::Reason,
            false => Lookup::Nothing,
        };
        let wanted = self.wanted;
        if lookup == Lookup::Nothing && !wanted.domains && !wanted.oldest {
            return;
        }
        let one = self.destinations.read(address, offset, lookup);
        // Recipients of one domain are usually next to each other.
        if let Some(last) = self.parts.last_mut().filter(|last| last.is(&one)) {
            last.recipients = last.recipients.saturating_add(1);
            return;
        }
        if self.parts.len() >= MAX_PARTS {
            join_parts(&mut self.parts);
        }
        match self.parts.len() >= MAX_PARTS {
            true => add_unnamed(&mut self.parts),
            false => self.parts.push(Part::of(&one)),
        }
    }
}

impl Observer for FileCapture {
    fn envelope_begins(&mut self, queue: Queue, _inode: &Inode) {
        self.forget();
        self.queue = queue;
    }

    fn logged(&mut self, log: Log, entry: &Entry) {
        self.destinations.logged(log, entry);
    }

    fn message(&mut self, message: &Message<'_>) {
        self.file(message, true);
    }

    fn not_ready(&mut self, file: &Message<'_>) {
        self.forget();
        self.file(file, false);
    }

    fn name(&mut self, _queue: Queue) {}

    fn gap(&mut self, gap: Gap) {
        match gap.kind {
            GapKind::Log | GapKind::LogDirectory => self.log_gap = Some(gap),
            GapKind::File | GapKind::Directory | GapKind::Absent => {
                self.found = Some(Facts::Gap(gap));
            }
        }
    }

    fn cut(&mut self, _queue: Queue) {}
}
