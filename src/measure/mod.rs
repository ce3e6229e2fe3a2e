//! Measures: named quantities of a snapshot, and the figures that they give.
//!
//! The spelling is `[INSTANCE/]SUBJECT.NAME[(ARGUMENT)]` (contract.md, "Measures"). The requested
//! measures determine how deep a scan reads.
//!
//! Every [`Figure`] has a [`Quality`]: a read failure makes it a lower bound or unknown, never a smaller
//! number that looks exact.

mod catalogue;
pub(crate) mod choice;
mod evaluate;
mod figure;
mod host;
mod names;
pub mod quantity;
mod spelling;
mod subject;

use crate::postfix::queue::QueueSet;
use crate::snapshot::TableSet;

pub(crate) use catalogue::Row;
pub use catalogue::{CATALOGUE, Kind};
pub use figure::{Figure, Quality};
pub use quantity::Unit;
pub(crate) use spelling::status_code;
pub use subject::Subject;

/// The argument of a measure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// None.
    None,
    /// Seconds, and the spelling of the user.
    Age(i64, String),
    /// A domain or address, in the spelling of the user.
    Name(String),
}

/// One measure, over all instances or limited to one. `metrics.md` lists them.
///
/// ```
/// use queuewatch::{ErrorKind, Measure};
///
/// let measure: Measure = "deferred.older(4h)".parse()?;
/// assert_eq!(measure.to_string(), "deferred.older(4h)");
/// let error = "deferred.elder(4h)".parse::<Measure>().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Syntax);
/// # Ok::<(), queuewatch::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Measure {
    /// The instance that it is limited to.
    pub instance: Option<String>,
    /// What it is about.
    #[doc(hidden)]
    pub subject: Subject,
    /// The quantity.
    #[doc(hidden)]
    pub kind: Kind,
    /// The argument in its brackets.
    #[doc(hidden)]
    pub argument: Argument,
}

impl Measure {
    /// Returns true if it is taken from rows of single domains and reasons, not from sums.
    pub(crate) fn needs_rows(&self) -> bool {
        match (self.kind, &self.argument) {
            (Kind::Domains, _) => true,
            (Kind::Cause, Argument::Name(name)) => matches!(name.as_str(), "ours" | "theirs"),
            _ => false,
        }
    }

    /// A measure without argument, over all instances.
    pub fn new(subject: Subject, kind: Kind) -> Self {
        Measure {
            instance: None,
            subject,
            kind,
            argument: Argument::None,
        }
    }

    /// Its row of the catalogue.
    pub fn row(&self) -> &'static Row {
        CATALOGUE
            .iter()
            .find(|row| row.kind == self.kind)
            .unwrap_or(&CATALOGUE[0])
    }

    /// The tables that a scan makes for it: those of its row, and for what is `ours` or `theirs` the rows of
    /// reasons, which show how far a cause is spread.
    pub(crate) fn wanted(&self) -> TableSet {
        let mut wanted = self.row().wanted;
        wanted.reasons |= self.kind == Kind::Cause && self.needs_rows();
        wanted
    }

    /// Its unit.
    pub fn unit(&self) -> Unit {
        self.row().unit
    }

    /// The queues that a scan must read for it.
    pub fn queues(&self) -> QueueSet {
        self.subject.queues()
    }
}
