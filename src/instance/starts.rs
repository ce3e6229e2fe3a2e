//! How often the queue manager of a spool was started lately: one that starts again and again does no work.

use super::Process;
use crate::clock::Age;

/// Starts within this many seconds belong to one restless queue manager.
const RESTLESS_SPAN: f64 = 600.0;

/// When different queue managers of one spool were seen, in seconds since boot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Starts(Vec<Start>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Start {
    /// When it was seen last.
    seen: f64,
    /// When it was started, in clock ticks since boot.
    started: u64,
}

impl Starts {
    /// From this number of different ones on, the queue manager is restless; a reload leaves two.
    const RESTLESS: usize = 3;

    /// The starts that [`Starts::pairs`] gave.
    pub(crate) fn from_pairs(pairs: impl Iterator<Item = (f64, u64)>) -> Starts {
        let starts = pairs.map(|(seen, started)| Start { seen, started });
        Starts(starts.take(Self::RESTLESS).collect())
    }

    /// When each was seen last, and when it was started.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        self.0.iter().map(|start| (start.seen, start.started))
    }

    /// Takes in that `process` is the queue manager at `now`.
    pub(crate) fn note(&mut self, now: f64, process: Process) {
        let started = process.started;
        let recent = |start: &Start| (0.0..=RESTLESS_SPAN).contains(&(now - start.seen));
        self.0
            .retain(|start| recent(start) && start.started != started);
        self.0.push(Start { seen: now, started });
        let surplus = self.0.len().saturating_sub(Self::RESTLESS);
        self.0.drain(..surplus);
    }

    /// Why the queue manager is restless, if [`Self::RESTLESS`] looks within [`RESTLESS_SPAN`] saw
    /// different ones.
    pub(crate) fn restless(&self) -> Option<String> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        let span = Age((last.seen - first.seen) as i64);
        (self.0.len() >= Self::RESTLESS).then(|| {
            format!(
                "{} looks within {span} saw a new process each time; the log says why it ends",
                Self::RESTLESS
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_different_ones_in_ten_minutes_are_restless() {
        let process = |started| Process { pid: 1, started };
        let mut starts = Starts::default();
        for (now, started, restless) in [
            (0.0, 1, false),
            (60.0, 2, false),
            (120.0, 2, false),
            (600.0, 3, true),
            (650.0, 3, false),
            // The second was seen last at 120.
            (730.0, 3, false),
            (760.0, 4, false),
            (800.0, 5, true),
            (1500.0, 5, false),
        ] {
            starts.note(now, process(started));
            assert_eq!(starts.restless().is_some(), restless, "{now} {starts:?}");
            let again = Starts::from_pairs(starts.pairs());
            assert_eq!(again, starts);
        }
    }
}
