//! Snapshots: scan, measure, problems, JSON.

use std::ffi::c_char;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::{fallible, freed, infallible};
use super::handle::{self, Opaque};
use super::input::first_release_ends;
use super::options::qw_options;
use super::text::{self, qw_text};
use super::{
    QW_OK, QW_QUALITY_AT_LEAST, QW_QUALITY_EXACT, QW_QUALITY_UNKNOWN, QW_QUEUE_NONE, qw_quality,
    qw_queue, qw_status,
};
use crate::control::Control;
use crate::error::{Error, ErrorKind};
use crate::measure::{Measure, Quality};
use crate::options::{Options, Purpose};
use crate::render::{json, openmetrics};
use crate::snapshot::named_domains::NamedDomains;
use crate::snapshot::{Problem, ProblemKind, Snapshot};
use crate::spelling::Spelling;

/// The state of the queues at one moment. Immutable: any number of threads may use it.
pub struct qw_snapshot {
    pub(super) snapshot: Arc<Snapshot>,
    problems: Vec<Problem>,
    measures: Vec<Measure>,
    named_domains: NamedDomains,
    /// Stops its cursors; of a watch's snapshot nobody holds another end of it.
    pub(super) control: Arc<Control>,
    pub(super) spelling: Spelling,
}

impl Opaque for qw_snapshot {
    fn spelling(&self) -> Option<Spelling> {
        Some(self.spelling)
    }
}

/// Kind of a problem: a directory could not be listed.
pub const QW_PROBLEM_DIRECTORY: i32 = 0;
/// Kind of a problem: a file could not be read.
pub const QW_PROBLEM_FILE: i32 = 1;
/// Kind of a problem: a file that should be complete is damaged.
pub const QW_PROBLEM_DAMAGED: i32 = 2;
/// Kind of a problem: an instance could not be scanned at all.
pub const QW_PROBLEM_INSTANCE: i32 = 3;

/// Kind of a problem: the owner or mode of a file or directory stops Postfix.
pub const QW_PROBLEM_MISOWNED: i32 = 4;
/// Kind of a problem: a message lies where Postfix does not look for it.
pub const QW_PROBLEM_MISPLACED: i32 = 5;

/// A problem. The bytes live as long as the snapshot.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_problem {
    /// The raw path; absent if there is none.
    pub path: qw_bytes,
    /// The problem and its reason: printable ASCII.
    pub message: qw_bytes,
    /// The remedy: printable ASCII; absent if there is none.
    pub remedy: qw_bytes,
    /// QW_PROBLEM_.
    pub kind: i32,
    /// Its queue, or QW_QUEUE_NONE.
    pub queue: qw_queue,
    /// The errno of the system; 0 if it gave none.
    pub os_errno: i32,
    /// 0.
    pub reserved: i32,
}

first_release_ends!(qw_problem, reserved: i32);

pub(super) fn quality_of(quality: Quality) -> qw_quality {
    match quality {
        Quality::Exact => QW_QUALITY_EXACT,
        Quality::AtLeast => QW_QUALITY_AT_LEAST,
        Quality::Unknown => QW_QUALITY_UNKNOWN,
    }
}

/// Scans the instances in `options`. Without a `measure` option everything is read, so that any measure can be
/// taken later. What could not be read is not an error: see qw_snapshot_complete. A scan may take long: set
/// the option `timeout`. Its threads have ended when it returns.
/// Errors: QW_ERR_INVALID, QW_ERR_NOT_FOUND, QW_ERR_DENIED, QW_ERR_IO, QW_ERR_NOT_A_SPOOL,
/// QW_ERR_SYNTAX (main.cf), QW_ERR_UNSUPPORTED. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_scan(
    options: *const qw_options,
    out: *mut *mut qw_snapshot,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(options)], {
        let snapshot = options.controlled(|| options.options.scan(Purpose::Everything))?;
        *out = give_snapshot(
            snapshot,
            &options.options,
            Some(&options.control),
            options.spelling,
        );
        Ok(QW_OK)
    })
}

/// Gives `snapshot`, taken with `options`, to the caller. `control` is that of the options.
pub(super) fn give_snapshot(
    snapshot: Snapshot,
    options: &Options,
    control: Option<&Arc<Control>>,
    spelling: Spelling,
) -> *mut qw_snapshot {
    handle::give(qw_snapshot {
        problems: snapshot.problems(),
        measures: options.measures().to_vec(),
        named_domains: options.named_domains().clone(),
        snapshot: Arc::new(snapshot),
        control: control.cloned().unwrap_or_default(),
        spelling,
    })
}

/// Returns 1 if everything that the options ask for was read; 0 if not, or for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_complete(snapshot: *const qw_snapshot) -> i32 {
    infallible!(
        0,
        [shared(snapshot)],
        i32::from(snapshot.snapshot.is_whole())
    )
}

/// Returns the second of the epoch from which ages count; 0 for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_now(snapshot: *const qw_snapshot) -> i64 {
    infallible!(0, [shared(snapshot)], snapshot.snapshot.now)
}

/// Takes a measure, such as `deferred.oldest` or `postfix-out/deferred.older(4h)`, in its unit (seconds,
/// bytes, percent, or a plain number). `value` and `quality` are written on success; with QW_QUALITY_UNKNOWN
/// the value is 0 and has no meaning. Neither may be NULL. Errors: QW_ERR_INVALID, QW_ERR_SYNTAX. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_measure(
    snapshot: *const qw_snapshot,
    measure: *const c_char,
    measure_len: usize,
    value: *mut f64,
    quality: *mut qw_quality,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(
        err,
        [
            shared(snapshot),
            text(measure, measure_len, "the measure"),
            place(value, "the value"),
            place(quality, "the quality")
        ],
        {
            let figure = Measure::parse(measure)?.evaluate(&snapshot.snapshot);
            *value = figure.value;
            *quality = quality_of(figure.quality);
            Ok(QW_OK)
        }
    )
}

/// Returns what a measure is about (the domain or sender that has most), or why it is unknown; an empty text
/// if neither applies. Printable ASCII. Errors: as qw_snapshot_measure. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_measure_detail(
    snapshot: *const qw_snapshot,
    measure: *const c_char,
    measure_len: usize,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(
        err,
        [
            out(out),
            shared(snapshot),
            text(measure, measure_len, "the measure")
        ],
        {
            let figure = Measure::parse(measure)?.evaluate(&snapshot.snapshot);
            Ok(text::give(out, figure.detail.unwrap_or_default()))
        }
    )
}

/// Returns the number of problems that the snapshot keeps: what could not be read, what is damaged, misowned or
/// misplaced, which instances could not be scanned. It keeps a limited number of each, the first ones; the measures
/// of `spool` count all. 0 for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_problem_count(snapshot: *const qw_snapshot) -> usize {
    infallible!(0, [shared(snapshot)], snapshot.problems.len())
}

/// Fills `row` with the problem at `index`, from 0. `row_size` is sizeof *row. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_problem(
    snapshot: *const qw_snapshot,
    index: usize,
    row: *mut qw_problem,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [shared(snapshot), row(row, row_size)], {
        let problem = snapshot
            .problems
            .get(index)
            .ok_or_else(|| Error::new(ErrorKind::Invalid, "there is no problem at this index"))?;
        let remedy = problem.remedy.as_ref().map(String::as_bytes);
        let filled = qw_problem {
            path: qw_bytes::of_option(problem.path.as_deref()),
            message: qw_bytes::of(problem.message.as_bytes()),
            remedy: qw_bytes::of_option(remedy),
            kind: match problem.kind {
                ProblemKind::Directory => QW_PROBLEM_DIRECTORY,
                ProblemKind::File => QW_PROBLEM_FILE,
                ProblemKind::Damaged => QW_PROBLEM_DAMAGED,
                ProblemKind::Instance => QW_PROBLEM_INSTANCE,
                ProblemKind::Misowned => QW_PROBLEM_MISOWNED,
                ProblemKind::Misplaced => QW_PROBLEM_MISPLACED,
            },
            queue: problem
                .queue
                .map_or(QW_QUEUE_NONE, |queue| queue as qw_queue),
            os_errno: problem.errno.unwrap_or(0),
            reserved: 0,
        };
        row.give(filled);
        Ok(QW_OK)
    })
}

/// An instance of Postfix that was scanned. The bytes live as long as the snapshot.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_instance {
    /// Its name; `NAME/MEASURE` is a measure of it alone.
    pub name: qw_bytes,
    /// The raw path of its configuration directory; absent if only its spool was given.
    pub config_directory: qw_bytes,
    /// The raw path of its spool.
    pub queue_directory: qw_bytes,
    /// 1 if everything that the options ask for was read of it.
    pub complete: i32,
    /// 0.
    pub reserved: i32,
}

first_release_ends!(qw_instance, reserved: i32);

/// Returns the number of scanned instances; those that could not be scanned are among the problems. 0 for
/// NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_instance_count(snapshot: *const qw_snapshot) -> usize {
    infallible!(0, [shared(snapshot)], snapshot.snapshot.instances.len())
}

/// Fills `row` with the instance at `index`, from 0. `row_size` is sizeof *row. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_instance(
    snapshot: *const qw_snapshot,
    index: usize,
    row: *mut qw_instance,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [shared(snapshot), row(row, row_size)], {
        let taken =
            snapshot.snapshot.instances.get(index).ok_or_else(|| {
                Error::new(ErrorKind::Invalid, "there is no instance at this index")
            })?;
        let instance = &taken.instance;
        let config = instance.config_directory.as_ref();
        row.give(qw_instance {
            name: qw_bytes::of(instance.name.as_bytes()),
            config_directory: qw_bytes::of_option(config.map(|path| path.as_os_str().as_bytes())),
            queue_directory: qw_bytes::of(instance.queue_directory.as_os_str().as_bytes()),
            complete: i32::from(taken.is_whole()),
            reserved: 0,
        });
        Ok(QW_OK)
    })
}

/// Returns the snapshot as a JSON document, schema queuewatch/1. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_json(
    snapshot: *const qw_snapshot,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(snapshot)], {
        Ok(text::give(
            out,
            json::document(&snapshot.snapshot, None, &snapshot.measures).to_string(),
        ))
    })
}

/// Returns the snapshot as OpenMetrics text, with the domains that the options `metrics-domain` and
/// `metrics-top` of the scan name. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_openmetrics(
    snapshot: *const qw_snapshot,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(snapshot)], {
        let metrics = openmetrics::exposition(&snapshot.snapshot, &snapshot.named_domains);
        Ok(text::give(out, metrics))
    })
}

/// Returns what a later scan needs to compute growth: a small JSON document. The host stores it and passes it
/// to that scan as the option `previous`. Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_state(
    snapshot: *const qw_snapshot,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(snapshot)], {
        Ok(text::give(out, snapshot.snapshot.state().to_string()))
    })
}

/// Frees a snapshot. Verdicts and cursors made from it stay valid. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_snapshot_free(snapshot: *mut qw_snapshot) {
    freed!(snapshot);
}
