//! Age by domain, exactly as qshape(1) counts it: which files it accepts, how it finds domains in
//! addresses, which column an age belongs to, and which rows it prints in which order (postfix.md,
//! "qshape").
//!
//! Like qshape, this reads directories of any name at any depth and ignores main.cf. Mail that qshape
//! hides (marked for expiry, in maildrop, or damaged) is counted separately, or in the tables if
//! `ShapeRequest::all` is set. One pass counts both recipients and senders. Each [`ShapeRoot`] can have its own
//! part, or several can share one. `render::shape` defines the layout of the table.

mod buckets;
mod table;
mod walk;

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

pub use crate::postfix::perl_number;
pub(crate) use buckets::Buckets;
pub(crate) use table::{Row, Table};

use crate::clock::Deadline;
use crate::error::Error;
use crate::postfix::queue::Queue;
use crate::scan::{Work, walker};
use crate::threads::pool::Readers;
use walk::ShapeReader;

/// The maximum number of read failures that a shape stores; all are counted.
pub(crate) const MAX_EXAMPLES: usize = 32;

/// A directory (or one file) to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeRoot {
    /// Its path, absolute.
    pub path: PathBuf,
    /// Its queue, if it is one; an absent queue is empty.
    pub(crate) queue: Option<Queue>,
    /// The index of the [`Part`] that counts it.
    pub(crate) part: usize,
}

/// What to count.
#[derive(Clone, Debug, Default)]
pub struct ShapeRequest {
    /// Where to read; a place that is given twice counts twice, as in qshape.
    pub places: Vec<ShapeRoot>,
    /// The minimum number of parts, including parts without a place.
    pub(crate) parts: usize,
    /// The columns.
    pub buckets: Buckets,
    /// The time from which ages are counted, in seconds since the epoch.
    pub(crate) now: i64,
    /// Whether to count recipients by destination domain.
    pub(crate) recipients: bool,
    /// Whether to count messages by sender domain.
    pub(crate) senders: bool,
    /// Whether to include mail that qshape hides.
    pub(crate) all: bool,
    /// How many threads may read, including the caller's.
    pub(crate) readers: Readers,
    /// When to stop.
    pub(crate) deadline: Deadline,
}

/// Why qshape omits a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its mode: marked for expiry, or other bits that qshape does not expect.
    Mode,
    /// Its name is a queue ID for Postfix but not for qshape: shorter than 6 characters, or with `_`.
    Name,
    /// It is in maildrop; qshape cannot read these files.
    Maildrop,
    /// It is damaged; the readable part is counted.
    Damaged,
}

impl Cause {
    /// All causes, in the order of the output.
    pub(crate) const ALL: [Cause; 4] = [Cause::Mode, Cause::Name, Cause::Maildrop, Cause::Damaged];

    /// The text after `3 messages with 5 recipients`.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Cause::Mode => "marked for expiry, or with another unexpected mode",
            Cause::Name => "with an unusual queue ID",
            Cause::Maildrop => "in maildrop",
            Cause::Damaged => "in damaged files",
        }
    }
}

/// Mail that qshape omits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Omitted {
    /// Messages.
    pub(crate) messages: u64,
    /// Recipients that are not yet delivered, as far as they are readable.
    pub(crate) recipients: u64,
}

/// The counts of one or several places.
#[derive(Clone, Debug)]
pub struct Part {
    /// Files that qshape accepts; with [`ShapeRequest::all`] also the others.
    pub(crate) files: u64,
    /// Recipients by destination domain; empty unless requested.
    pub recipients: Table,
    /// Messages by sender domain; empty unless requested.
    pub senders: Table,
    hidden: [Omitted; Cause::ALL.len()],
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

    /// The mail that qshape omits for `cause`; the tables include it if [`ShapeRequest::all`] was set.
    pub(crate) fn hidden(&self, cause: Cause) -> Omitted {
        self.hidden[cause as usize]
    }

    /// Adds the counts of `other` and empties it.
    fn take_in(&mut self, other: &mut Part) {
        self.files += std::mem::take(&mut other.files);
        self.recipients.merge(&other.recipients);
        self.senders.merge(&other.senders);
        other.recipients.clear();
        other.senders.clear();
        for (sum, own) in self.hidden.iter_mut().zip(&mut other.hidden) {
            sum.messages += own.messages;
            sum.recipients += own.recipients;
            *own = Omitted::default();
        }
    }

    /// Adds the counts of `other`.
    pub(crate) fn merge(&mut self, other: &Part) {
        self.take_in(&mut other.clone());
    }
}

/// Age by domain, of each part.
#[derive(Debug)]
pub struct Shape {
    /// The time from which ages are counted, in seconds since the epoch.
    pub(crate) now: i64,
    /// The columns.
    pub buckets: Buckets,
    /// The counts.
    pub parts: Vec<Part>,
    /// The first `MAX_EXAMPLES` read failures.
    pub gaps: Vec<Error>,
    /// Directories and files that could not be read.
    pub unreadable: u64,
    /// Whether the deadline ended the scan early.
    pub cut: bool,
}

/// Receives intermediate results: the parts so far, after every `every` accepted files. `show` runs on
/// the reading threads, one call at a time.
#[derive(Clone, Copy)]
pub struct Interim<'i> {
    /// The number of files between two calls.
    pub every: u64,
    /// Receives the parts so far.
    pub show: &'i (dyn Fn(&[Part]) + Sync),
}

impl Shape {
    /// Reads all places of `request` and returns their counts.
    pub fn take(request: &ShapeRequest, interim: Option<Interim<'_>>) -> Shape {
        let width = request.buckets.cells();
        let parts = request.places.iter().map(|place| place.part + 1).max();
        let parts = parts.unwrap_or(1).max(request.parts);
        let shared = Shared {
            request,
            interim,
            late: AtomicBool::new(false),
            parts: Mutex::new((0..parts).map(|_| Part::new(width)).collect()),
        };
        let first = (0..request.places.len()).map(Work::Root).collect();
        let readers = walker::walk(request.readers, first, || ShapeReader::new(&shared));
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
        shape.parts = shared
            .parts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        shape
    }

    /// Whether everything was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.unreadable == 0 && !self.cut
    }
}

/// The state that the readers share.
struct Shared<'r> {
    request: &'r ShapeRequest,
    interim: Option<Interim<'r>>,
    late: AtomicBool,
    parts: Mutex<Vec<Part>>,
}
