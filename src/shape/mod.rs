//! Age by domain, as qshape(1) shows it, to the byte: which files it accepts, how it cuts domains out
//! of addresses, into which column an age falls, which rows it prints in which order (postfix.md,
//! "qshape").
//!
//! This reads directories of any name at any depth, as qshape does, and no main.cf and no modes
//! matter but as they matter to qshape. What it hides (mail marked for expiry, all of maildrop, damaged
//! files) is counted beside the tables, or in them where [`Request::all`] asks for it. Recipients and
//! senders are counted in one pass, each [`Place`] for itself or several as one. How a table looks is
//! `render::shape`'s business.

mod buckets;
mod table;
mod walk;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

pub use crate::postfix::perl_number;
pub use buckets::{Buckets, MAX_COLUMNS};
pub use table::{MAX_CELLS, MAX_NAME_BYTES, MAX_ROWS, Row, Table};

use crate::clock::Deadline;
use crate::error::Error;
use crate::postfix::queue::Queue;
use crate::scan::{Work, walker};
use crate::threads::pool::Readers;
use walk::Reader;

/// What could not be read, of which a shape keeps the place; all is counted.
pub const MAX_EXAMPLES: usize = 32;

/// A directory (or one file) to be looked through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its path, absolute.
    pub path: PathBuf,
    /// Which queue it is, if it is one: an absent queue is empty.
    pub queue: Option<Queue>,
    /// Which of the shape's [`Part`]s it is counted in.
    pub part: usize,
}

/// What to take a shape of.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Where to look; a place given twice counts twice, as in qshape.
    pub places: Vec<Place>,
    /// How many parts there are at least, be there places for them or not.
    pub parts: usize,
    /// The columns.
    pub buckets: Buckets,
    /// The second of the epoch that ages count from.
    pub now: i64,
    /// Whether to count recipients by destination domain.
    pub recipients: bool,
    /// Whether to count messages by sender domain.
    pub senders: bool,
    /// Whether to take in what qshape hides.
    pub all: bool,
    /// How many threads may read at once, the caller's among them.
    pub readers: Readers,
    /// When to stop.
    pub deadline: Deadline,
}

/// What qshape leaves out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its mode: marked for expiry, or with other bits that qshape does not expect.
    Mode,
    /// Its name is a queue ID to Postfix and none to qshape: shorter than 6, or with `_`.
    Name,
    /// It is in maildrop, whose files qshape cannot read.
    Maildrop,
    /// It is damaged; what can be read of it is counted.
    Damaged,
}

impl Cause {
    /// All, in the order in which they are told.
    pub const ALL: [Cause; 4] = [Cause::Mode, Cause::Name, Cause::Maildrop, Cause::Damaged];

    /// In words, after `3 messages with 5 recipients`.
    pub const fn words(self) -> &'static str {
        match self {
            Cause::Mode => "marked for expiry, or with another unexpected mode",
            Cause::Name => "with an unusual queue ID",
            Cause::Maildrop => "in maildrop",
            Cause::Damaged => "in damaged files",
        }
    }
}

/// Mail that qshape leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Messages.
    pub messages: u64,
    /// Recipients still to be delivered, as far as they can be read.
    pub recipients: u64,
}

/// The counts of one or several places.
#[derive(Clone, Debug)]
pub struct Part {
    /// Files that qshape accepts, and with [`Request::all`] the others.
    pub files: u64,
    /// Recipients by destination domain; empty unless asked for.
    pub recipients: Table,
    /// Messages by sender domain; empty unless asked for.
    pub senders: Table,
    hidden: [Hidden; Cause::ALL.len()],
}

impl Part {
    fn new(width: usize) -> Self {
        Part {
            files: 0,
            recipients: Table::new(width),
            senders: Table::new(width),
            hidden: Default::default(),
        }
    }

    /// What qshape leaves out for `cause`; counted in the tables where [`Request::all`] was set.
    pub fn hidden(&self, cause: Cause) -> Hidden {
        self.hidden[cause as usize]
    }

    /// Moves all of `other` here.
    fn take_in(&mut self, other: &mut Part) {
        self.files += std::mem::take(&mut other.files);
        self.recipients.merge(&other.recipients);
        self.senders.merge(&other.senders);
        other.recipients.clear();
        other.senders.clear();
        for (sum, own) in self.hidden.iter_mut().zip(&mut other.hidden) {
            sum.messages += own.messages;
            sum.recipients += own.recipients;
            *own = Hidden::default();
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Part) {
        self.take_in(&mut other.clone());
    }
}

/// Age by domain, of each part.
#[derive(Debug)]
pub struct Shape {
    /// The second of the epoch that ages count from.
    pub now: i64,
    /// The columns.
    pub buckets: Buckets,
    /// The counts.
    pub parts: Vec<Part>,
    /// The first [`MAX_EXAMPLES`] of what could not be read.
    pub gaps: Vec<Error>,
    /// Directories and files that could not be read.
    pub unreadable: u64,
    /// Whether the deadline came before the end.
    pub cut: bool,
}

/// What hears of a shape that is not finished: the parts so far, whenever `every` more files have been
/// accepted. It is called on the reading threads, one at a time.
#[derive(Clone, Copy)]
pub struct Interim<'i> {
    /// How many files lie between two calls.
    pub every: u64,
    /// Gets the shape so far, in parts.
    pub show: &'i (dyn Fn(&[Part]) + Sync),
}

impl Shape {
    /// Looks through all places of `request`.
    pub fn take(request: &Request, interim: Option<Interim<'_>>) -> Shape {
        let width = request.buckets.cells();
        let parts = request.places.iter().map(|place| place.part + 1).max();
        let parts = parts.unwrap_or(1).max(request.parts);
        let common = Common {
            request,
            interim,
            late: AtomicBool::new(false),
            parts: Mutex::new((0..parts).map(|_| Part::new(width)).collect()),
        };
        let first = (0..request.places.len()).map(Work::Root).collect();
        let readers = walker::walk(request.readers, first, || Reader::new(&common));
        let mut shape = Shape {
            now: request.now,
            buckets: request.buckets,
            parts: Vec::new(),
            gaps: Vec::new(),
            unreadable: 0,
            cut: false,
        };
        for mut reader in readers {
            reader.hand_over();
            shape.gaps.append(&mut reader.gaps);
            shape.unreadable += reader.unreadable;
            shape.cut |= reader.cut;
        }
        shape.gaps.sort_by(|a, b| a.path().cmp(&b.path()));
        shape.gaps.truncate(MAX_EXAMPLES);
        shape.parts = common
            .parts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        shape
    }

    /// Whether all that was to be read was.
    pub fn is_whole(&self) -> bool {
        self.unreadable == 0 && !self.cut
    }
}

/// What the readers share.
struct Common<'r> {
    request: &'r Request,
    interim: Option<Interim<'r>>,
    late: AtomicBool,
    parts: Mutex<Vec<Part>>,
}
