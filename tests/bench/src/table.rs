//! The report: medians, ratios, targets.

use std::fmt::Write as _;

use crate::process::Ended;

/// MiB that may come from a disk although the caches are warm: a program's own first page, say.
const MOST_FROM_DISK: f64 = 1.0;

/// A target.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At most this many times the reference's time.
    Ratio(f64),
    /// Less than these seconds, in every run.
    Seconds(f64),
    /// Less than these seconds of processor time.
    Cpu(f64),
    /// Less than this many MiB at once, in every run.
    Peak(u64),
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) runs: Vec<Ended>,
    pub(crate) reference: Vec<Ended>,
    pub(crate) goals: Vec<Goal>,
    /// System calls for each message, where they were counted.
    pub(crate) calls: Option<f64>,
    /// Whether the disk was asked on purpose.
    pub(crate) cold: bool,
}

impl Row {
    pub(crate) fn median(&self, of: impl Fn(&Ended) -> f64) -> f64 {
        median(self.runs.iter().map(of))
    }

    /// Of the time to that of the reference in the same round.
    pub(crate) fn ratio(&self) -> f64 {
        let pairs = self.runs.iter().zip(&self.reference);
        median(pairs.map(|(run, reference)| run.seconds / reference.seconds))
    }

    pub(crate) fn peak_mib(&self) -> f64 {
        let peak = self.runs.iter().map(|run| run.peak_kib).max();
        peak.unwrap_or(0) as f64 / 1024.0
    }

    /// Whether a disk was waited for in most rounds, here or by the reference: then the ratio is that
    /// of the disk's luck and of the number of threads.
    fn is_from_disk(&self) -> bool {
        [&self.runs, &self.reference]
            .iter()
            .any(|runs| median(runs.iter().map(|run| run.disk_mib)) > MOST_FROM_DISK)
    }

    /// A target in words, and whether it was met.
    fn judge(&self, goal: Goal) -> String {
        let (words, met) = match goal {
            Goal::Ratio(most) if !self.cold && self.is_from_disk() => {
                return format!("ratio <= {most}: not judged, the caches do not hold the spool");
            }
            Goal::Ratio(most) => (format!("ratio <= {most}"), self.ratio() <= most),
            Goal::Cpu(most) => (
                format!("CPU < {:.0} ms", most * 1e3),
                self.median(|run| run.cpu) < most,
            ),
            Goal::Seconds(most) => (
                format!("time < {most:.2} s"),
                self.runs.iter().all(|run| run.seconds < most),
            ),
            Goal::Peak(most) => (format!("peak < {most} MiB"), self.peak_mib() < most as f64),
        };
        format!("{words}: {}", if met { "met" } else { "MISSED" })
    }
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => figures[odd / 2],
        even => f64::midpoint(figures[even / 2 - 1], figures[even / 2]),
    }
}

/// Seconds, in a unit that leaves three figures or so.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        tiny if tiny < 0.001 => format!("{:.1} us", tiny * 1e6),
        short if short < 0.1 => format!("{:.2} ms", short * 1e3),
        middle if middle < 1.0 => format!("{:.0} ms", middle * 1e3),
        long => format!("{long:.2} s"),
    }
}

/// The whole report.
pub(crate) fn print(heading: &str, groups: &[(&str, Vec<Row>)]) -> String {
    let mut text = format!("{heading}\n");
    for (title, rows) in groups {
        let _ = writeln!(
            text,
            "\n{title:<62} {:>9} {:>9} {:>9} {:>7} {:>9} {:>9} {:>6}  targets",
            "time", "fastest", "CPU", "ratio", "peak", "disk", "calls"
        );
        for row in rows {
            let fastest = row.runs.iter().map(|run| run.seconds);
            let goals: Vec<String> = row.goals.iter().map(|goal| row.judge(*goal)).collect();
            let name = match row.runs.len() {
                all if all == row.reference.len() => row.name.clone(),
                fewer => format!("{} ({fewer} of the rounds)", row.name),
            };
            let line = format!(
                "  {name:<60} {:>9} {:>9} {:>9} {:>7.2} {:>5.1} MiB {:>5.0} MiB {:>6}  {}",
                time(row.median(|run| run.seconds)),
                time(fastest.fold(f64::INFINITY, f64::min)),
                time(row.median(|run| run.cpu)),
                row.ratio(),
                row.peak_mib(),
                row.median(|run| run.disk_mib),
                row.calls
                    .map_or(String::new(), |calls| format!("{calls:.2}")),
                goals.join(", ")
            );
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}
