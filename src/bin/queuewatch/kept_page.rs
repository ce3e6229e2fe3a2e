//! The page that `queuewatch watch --report` keeps for a web server: that of `queuewatch report`, of the queues as
//! the watch knows them.
//!
//! A page costs time in proportion to the number of messages, so it is made rarely: see [`KeptPage::is_due`].

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use queuewatch::anonymize::Anonymizer;
use queuewatch::error::Result;
use queuewatch::files::atomic;
use queuewatch::instance;
use queuewatch::options::{Options, Purpose};
use queuewatch::rights;
use queuewatch::snapshot::Previous;
use queuewatch::watch::Watch;

use crate::report::{MODE, oldest, page_of};

/// The least time between two pages, unless an option says another.
pub(crate) const PACE: Duration = Duration::from_secs(60);
/// How many times its cost the pause after a page is: pages take 1 per cent of a processor.
const REST: u32 = 100;

/// The file, and when it was written.
pub(crate) struct KeptPage {
    path: PathBuf,
    pace: Duration,
    /// The end of the last attempt, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl KeptPage {
    /// A page at `path`, at most one each `pace`.
    pub(crate) fn new(path: PathBuf, pace: Duration) -> KeptPage {
        KeptPage {
            path,
            pace,
            last: None,
        }
    }

    /// Where the page is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the next page may be made.
    pub(crate) fn is_due(&self) -> bool {
        self.last
            .is_none_or(|(end, cost)| end.elapsed() >= self.pace.max(cost * REST))
    }

    /// Makes the page of the present moment, and replaces the file by it.
    ///
    /// # Errors
    /// If the spool cannot be read or the file not be written. The old file stays, and the next attempt is as far
    /// off as the next page is.
    pub(crate) fn write(
        &mut self,
        options: &Options,
        watch: &mut Watch,
        anonymizer: Option<&Anonymizer>,
    ) -> Result<()> {
        let begun = Instant::now();
        let written = self.replace(options, watch, anonymizer);
        self.last = Some((Instant::now(), begun.elapsed()));
        written
    }

    fn replace(
        &self,
        options: &Options,
        watch: &mut Watch,
        anonymizer: Option<&Anonymizer>,
    ) -> Result<()> {
        let text = rights::raised(|| -> Result<String> {
            let mut snapshot = watch.snapshot()?;
            let mut verdict = options.check(&snapshot)?;
            watch.note_blindness(&mut verdict);
            // A watch knows no places of messages by their age.
            let listable = |options: &Options| options.instances().map(instance::listable);
            let places = options.scan_with(listable, Purpose::Oldest)?;
            let (oldest, _) = oldest(options, &places, anonymizer);
            // The watch compares with a minute ago; nobody asked for that.
            snapshot.previous = Previous::NotAsked;
            Ok(page_of(&mut snapshot, &mut verdict, &oldest, anonymizer))
        })?;
        atomic::replace(&self.path, text.as_bytes(), MODE)
    }
}
