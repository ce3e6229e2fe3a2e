//! Walks a spool and reads its queue files, on several threads, up to a deadline.
//!
//! A scan reports what it finds to observers, one per thread, and keeps no sums itself. A `pool` spreads the
//! work: the thread that lists a directory offers bundles of files to the others.
//!
//! With a warm cache, one thread per processor is enough. On a cold disk, many reads in flight are several
//! times faster than one (design.md, "Threads"), and more threads cost little. So a scan may use up to
//! `MAX_READERS`.
//!
//! Guarantees: a scan writes, locks and waits for nothing below the spool. It opens directories and files
//! relative to open directories. A file that vanishes is mail that moved on. Anything else that cannot be read
//! is reported as a [`Gap`]. No thread outlives the scan.

mod cursor;
pub(crate) mod directory;
mod expected;
mod find;
mod found_message;
pub(crate) mod gap;
mod in_order;
pub(crate) mod latest;
mod log_dir;
mod log_entries;
mod observer;
pub(crate) mod oldest;
mod owner_fault;
mod plan;
mod queue_file;
mod redirect;
mod row;
mod spool;
pub(crate) mod walker;

pub use cursor::Messages;
pub(crate) use cursor::{Reread, RowObserver, RowReceiver};
pub(crate) use directory::{Bundle, Directory, Policy};
pub(crate) use expected::Expected;
pub(crate) use find::Finder;
pub(crate) use found_message::{FoundMessage, MAX_OTHERS};
pub use gap::{Gap, GapKind};
pub(crate) use gap::{fold_gaps, is_repeated};
pub(crate) use log_entries::{LogEntries, Logged};
pub(crate) use observer::{Message, Observer};
pub(crate) use owner_fault::{Misowned, OwnerFault};
pub use plan::Depth;
pub(crate) use plan::{Headers, Plan};
pub(crate) use queue_file::{FileReader, Identities, is_ready};
pub use row::MessageRow;
pub(crate) use row::Rewrite;
pub use spool::Spool;
pub(crate) use walker::Work;

use std::ffi::CStr;

use log::Level;

use crate::threads::record;

/// Who speaks in log records.
const TARGET: &str = "queuewatch::scan";

/// Records why the file `name` is no message.
fn skipped(directory: &Directory, name: &CStr, why: impl FnOnce() -> String) {
    record(Level::Trace, TARGET, || {
        let path = crate::escape::path(&directory.path_of(name));
        format!("{path}: skipped: {}", why())
    });
}
