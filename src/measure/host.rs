//! Figures of the host of a spool: free space, and whether its daemons run.

use super::Figure;
use crate::escape;
use crate::instance::{Master, QueueManager};
use crate::snapshot::InstanceSnapshot;
use crate::sys::Disk;

/// The minimum over `instances`, which may be on several file systems.
pub(super) fn least(
    instances: &[&InstanceSnapshot],
    of: impl Fn(&InstanceSnapshot) -> Option<f64>,
) -> Figure {
    let values: Option<Vec<f64>> = instances.iter().map(|taken| of(taken)).collect();
    match values.and_then(|values| values.into_iter().reduce(f64::min)) {
        Some(value) => Figure::exact(value),
        None => Figure::unknown("the file system does not report it"),
    }
}

/// The free part of the file system in percent, rounded down to a tenth, so that a rule with a lower
/// limit never sees too high a value. `None` if the file system reports no size.
pub(super) fn free_share(disk: Disk) -> Option<f64> {
    if disk.size_bytes == 0 {
        return None;
    }
    let share = disk.free_bytes as f64 * 100.0 / disk.size_bytes as f64;
    Some((share * 10.0).floor() / 10.0)
}

/// Whether master runs in every instance where it should. For a single instance, or one that a rule
/// names: whether it runs.
pub(super) fn running(instances: &[&InstanceSnapshot]) -> Figure {
    let mut figure = Figure::exact(1.0);
    if expected(instances).next().is_none() {
        return Figure::unknown(
            "no instance is expected to run: multi_instance_enable is no, or the spool may be a copy",
        );
    }
    for taken in expected(instances) {
        match &taken.master {
            Master::Running { .. } => {}
            Master::Stopped => {
                let name = (instances.len() > 1).then(|| shown_name(taken));
                let detail = match (name, taken.never_started) {
                    (Some(name), true) => Some(format!("{name}, which was never started")),
                    (None, true) => Some("Postfix was never started here".to_owned()),
                    (name, false) => name,
                };
                return Figure {
                    detail,
                    ..Figure::exact(0.0)
                };
            }
            Master::Unknown(why) => figure = Figure::unknown(why.clone()),
        }
    }
    figure
}

/// Whether the queue manager lives in every instance where it should, as [`running`] does for master.
pub(super) fn qmgr_running(instances: &[&InstanceSnapshot]) -> Figure {
    let mut figure = Figure::exact(1.0);
    if expected(instances).next().is_none() {
        return Figure::unknown(
            "no instance is expected to run: multi_instance_enable is no, or the spool may be a copy",
        );
    }
    for taken in expected(instances) {
        let gone = match &taken.qmgr {
            QueueManager::Running(_) => taken.qmgr_starts.restless(),
            QueueManager::Gone(why) => Some(why.clone()),
            QueueManager::Missing(_) => {
                figure = Figure::unknown("one look did not find it, and a second one decides");
                None
            }
            QueueManager::Unknown(why) => {
                figure = Figure::unknown(why.clone());
                None
            }
        };
        if let Some(why) = gone {
            let detail = match instances.len() {
                1 => why,
                _ => format!("{}: {why}", shown_name(taken)),
            };
            return Figure {
                detail: Some(detail),
                ..Figure::exact(0.0)
            };
        }
    }
    figure
}

/// If there are several instances, those that should run.
fn expected<'s>(
    instances: &'s [&'s InstanceSnapshot],
) -> impl Iterator<Item = &'s InstanceSnapshot> {
    let alone = instances.len() == 1;
    let expected = move |taken: &&&InstanceSnapshot| alone || taken.instance.expected;
    instances.iter().filter(expected).copied()
}

/// The name of an instance, safe to print.
pub(super) fn shown_name(taken: &InstanceSnapshot) -> String {
    escape::printable(taken.instance.name.as_bytes(), 64)
}
