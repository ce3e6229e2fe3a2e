//! What is kept of one queue file: the observer that hears of it.

use crate::postfix::address;
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::envelope::{Envelope, Visitor};
use crate::postfix::queue::Queue;
use crate::postfix::quote::quote_local;
use crate::scan::{Depth, Gap, GapKind, LogEntries, Message, Observer, Plan};
use crate::snapshot::Wanted;
use crate::snapshot::reasons::make_key;
use crate::sys::Inode;

/// Different destinations and reasons that are kept of one message; the rest counts without a name.
const MAX_PARTS: usize = 1 << 16;

/// Recipients of one message that have domain, code and reason in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    /// The destination domain; `None` beyond [`MAX_PARTS`], or if no table asks for it.
    pub(super) domain: Option<Vec<u8>>,
    /// Why they wait: the status code, and the key of the table of reasons.
    pub(super) why: Option<(Vec<u8>, Vec<u8>)>,
    /// How many.
    pub(super) recipients: u32,
}

/// What a file turned out to be.
#[derive(Debug)]
pub(super) enum Facts {
    /// A message, or not ready to be one (`envelope` is then none).
    File(Box<File>),
    /// It cannot be read.
    Gap(Gap),
}

/// What is kept of a file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) inode: Inode,
    pub(super) ready: bool,
    pub(super) envelope: Option<Envelope>,
    /// The size that mailq prints, in bytes.
    pub(super) size: u64,
    /// The sender as the table of senders spells it, if that is wanted and there is one.
    pub(super) sender: Option<Vec<u8>>,
    pub(super) parts: Vec<Part>,
    /// What stands in the way of its delay reasons.
    pub(super) log_gap: Option<Gap>,
}

/// Hears of one file at a time.
#[derive(Debug)]
pub(super) struct Capture {
    plan: Plan,
    wanted: Wanted,
    queue: Queue,
    sender: Option<Vec<u8>>,
    parts: Vec<Part>,
    logged: LogEntries,
    log_gap: Option<Gap>,
    found: Option<Facts>,
    name: Vec<u8>,
    key: Vec<u8>,
}

impl Capture {
    pub(super) fn new(plan: Plan, wanted: Wanted) -> Self {
        Capture {
            plan,
            wanted,
            queue: Queue::Active,
            sender: None,
            parts: Vec::new(),
            logged: LogEntries::default(),
            log_gap: None,
            found: None,
            name: Vec::new(),
            key: Vec::new(),
        }
    }

    /// What was heard since the last time; `None` if the file is gone or no file.
    pub(super) fn take(&mut self) -> Option<Facts> {
        let found = self.found.take();
        self.forget();
        found
    }

    fn forget(&mut self) {
        self.sender = None;
        self.parts.clear();
        self.logged.clear();
        self.log_gap = None;
    }

    fn explains(&self) -> bool {
        (self.wanted.codes || self.wanted.reasons)
            && self.plan.depth(self.queue) == Some(Depth::Reasons)
    }

    fn add(&mut self, part: Part) {
        // Recipients of one domain usually stand together.
        if let Some(last) = self.parts.last_mut() {
            if last.domain == part.domain && last.why == part.why {
                last.recipients = last.recipients.saturating_add(part.recipients);
                return;
            }
        }
        if self.parts.len() >= MAX_PARTS {
            self.join_parts();
        }
        match self.parts.len() >= MAX_PARTS {
            true => self.add_unnamed(part.recipients),
            false => self.parts.push(part),
        }
    }

    fn add_unnamed(&mut self, recipients: u32) {
        match self.parts.iter_mut().find(|part| part.domain.is_none()) {
            Some(part) => part.recipients = part.recipients.saturating_add(recipients),
            None => self.parts.push(Part {
                recipients,
                ..Part::default()
            }),
        }
    }

    /// Puts equal parts together.
    fn join_parts(&mut self) {
        self.parts.sort_unstable();
        self.parts.dedup_by(|later, kept| {
            let same = later.domain == kept.domain && later.why == kept.why;
            if same {
                kept.recipients = kept.recipients.saturating_add(later.recipients);
            }
            same
        });
    }

    fn file(&mut self, message: &Message<'_>, ready: bool) {
        if self.parts.len() > 1 {
            self.join_parts();
        }
        self.found = Some(Facts::File(Box::new(File {
            inode: message.inode,
            ready,
            envelope: message.envelope,
            size: message.size(),
            sender: self.sender.take(),
            parts: std::mem::take(&mut self.parts),
            log_gap: self.log_gap.take(),
        })));
    }
}

impl Visitor for Capture {
    fn sender(&mut self, address: &[u8]) {
        if self.wanted.senders {
            let mut folded = Vec::with_capacity(address.len());
            address::fold(address, &mut folded);
            self.sender = Some(folded);
        }
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        let explains = self.explains();
        if !explains && !self.wanted.domains {
            return;
        }
        address::destination_domain(address, &mut self.name);
        let mut why = None;
        if explains {
            self.logged.seal();
            let found = self.logged.find(offset, || {
                let mut quoted = Vec::new();
                quote_local(address, &mut quoted);
                quoted
            });
            if let Some(entry) = found {
                make_key(&self.name, entry.status, entry.reason, &mut self.key);
                why = Some((entry.status.to_vec(), self.key.clone()));
            }
        }
        self.add(Part {
            domain: Some(self.name.clone()),
            why,
            recipients: 1,
        });
    }
}

impl Observer for Capture {
    fn envelope_begins(&mut self, queue: Queue) {
        self.forget();
        self.queue = queue;
    }

    fn logged(&mut self, log: Log, entry: &Entry) {
        self.logged.push(log, entry);
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
            GapKind::File | GapKind::Directory => self.found = Some(Facts::Gap(gap)),
        }
    }

    fn cut(&mut self, _queue: Queue) {}
}
