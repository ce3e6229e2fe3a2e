//! Log records of all threads of a call, for a developer.
//!
//! A host's logger is called only on threads of the host. So a thread that [`spawn`](super::spawn()) starts keeps its
//! records, and who joins it takes them over: at the end they reach the logger on the thread that called the library.
//! Without a logger, a record costs one comparison, and its text is not made.

use std::cell::RefCell;

use log::{Level, LevelFilter};

/// How many records one thread keeps. A scan at trace level has one for each directory.
const MOST: usize = 1024;

/// What a thread of ours keeps.
#[derive(Debug)]
pub(super) struct Kept {
    /// The most detailed level that a logger asks for.
    asked: LevelFilter,
    records: Vec<(Level, &'static str, String)>,
    dropped: usize,
}

thread_local! {
    /// `None` on a thread of the host.
    static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) };
}

/// Makes a record. `target` is the room that speaks.
pub(crate) fn record(level: Level, target: &'static str, text: impl FnOnce() -> String) {
    if level > log::max_level() {
        return;
    }
    let ours = KEPT.with_borrow_mut(|kept| {
        let Some(kept) = kept else { return Err(text) };
        if level <= kept.asked {
            kept.add(level, target, text());
        }
        Ok(())
    });
    if let Err(text) = ours {
        // The logger may be one that wants nothing of this: then the text is not made either.
        if log::log_enabled!(target: target, level) {
            log::log!(target: target, level, "{}", text());
        }
    }
}

/// The most detailed level that is asked for on this thread.
pub(super) fn asked() -> LevelFilter {
    if log::max_level() == LevelFilter::Off {
        return LevelFilter::Off;
    }
    KEPT.with_borrow(|kept| match kept {
        Some(kept) => kept.asked,
        None => Level::iter()
            .filter(|level| log::log_enabled!(*level))
            .max()
            .map_or(LevelFilter::Off, |level| level.to_level_filter()),
    })
}

/// Runs `work` on a thread of ours, and returns what it has kept as well.
pub(super) fn keeping<T>(asked: LevelFilter, work: impl FnOnce() -> T) -> (T, Kept) {
    KEPT.set(Some(Kept::new(asked)));
    let value = work();
    let kept = KEPT.take().unwrap_or_else(|| Kept::new(asked));
    (value, kept)
}

impl Kept {
    fn new(asked: LevelFilter) -> Kept {
        Kept {
            asked,
            records: Vec::new(),
            dropped: 0,
        }
    }

    fn add(&mut self, level: Level, target: &'static str, text: String) {
        match self.records.len() < MOST {
            true => self.records.push((level, target, text)),
            false => self.dropped += 1,
        }
    }

    /// Takes the records of a thread that has ended over to this thread.
    pub(super) fn take_over(self) {
        for (level, target, text) in self.records {
            record(level, target, || text);
        }
        if self.dropped > 0 {
            record(Level::Debug, module_path!(), || {
                format!("{} more records of a thread were dropped", self.dropped)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_what_was_asked_for_and_no_more() {
        let thread = std::thread::spawn(|| {
            keeping(LevelFilter::Debug, || {
                log::set_max_level(LevelFilter::Trace);
                for number in 0..=MOST {
                    record(Level::Debug, "a", || number.to_string());
                    record(Level::Trace, "b", || panic!("nobody asks"));
                }
                asked()
            })
        });
        let (asked, kept) = thread.join().unwrap();
        assert_eq!(asked, LevelFilter::Debug);
        assert_eq!((kept.records.len(), kept.dropped), (MOST, 1));
        // Nobody asks for them on the thread that takes them over.
        let thread = std::thread::spawn(|| keeping(LevelFilter::Info, || kept.take_over()));
        let ((), above) = thread.join().unwrap();
        assert_eq!((above.records.len(), above.dropped), (0, 0));
    }
}
