//! Shapes: age by domain, as in qshape.

use std::ffi::c_char;

use super::bytes::qw_bytes;
use super::failure::qw_error;
use super::guard::{fallible, freed, infallible};
use super::handle::{self, Life, Opaque};
use super::input::first_release_ends;
use super::options::qw_options;
use super::text::{self, qw_text};
use super::{QW_END, QW_OK, qw_status};
use crate::error::{Error, ErrorKind, Result};
use crate::options::ShapeTables;
use crate::postfix::queue::QueueSet;
use crate::render::shape::{Layout, document, table};
use crate::shape::{Part, Shape};

/// Recipients or senders by domain and age, of every queue. Immutable: any number of threads may use it.
pub struct qw_shape {
    shape: Shape,
    /// The queues that were not excluded.
    queues: QueueSet,
}

impl Opaque for qw_shape {}

/// The rows of a shape, one by one. One thread at a time.
pub struct qw_shape_rows {
    rows: Vec<(Vec<u8>, Vec<u64>)>,
    next: usize,
    life: Life,
}

impl Opaque for qw_shape_rows {
    fn life(&self) -> Option<&Life> {
        Some(&self.life)
    }
}

/// Flag of qw_shape_scan: count what qshape leaves out, too.
pub const QW_SHAPE_ALL: u32 = 1;
/// Flag: count messages by sender domain instead of recipients by destination domain.
pub const QW_SHAPE_SENDERS: u32 = 2;
/// Flag: add rows for parent domains, with a leading dot.
pub const QW_SHAPE_PARENTS: u32 = 4;

/// A row of a shape. The bytes and counts live until the cursor moves or is freed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct qw_shape_row {
    /// The domain, raw; `TOTAL` for the sum of all; a parent domain has a leading dot.
    pub domain: qw_bytes,
    /// The number of recipients (or messages) of each age, by column.
    pub counts: *const u64,
    /// The number of columns.
    pub columns: usize,
    /// The sum of the columns.
    pub total: u64,
}

first_release_ends!(qw_shape_row, total: u64);

/// Reads the queues of the instances in `options`, senders and recipients in one pass. The options
/// bucket-count, bucket-time and linear define the columns. `flags` is 0 or QW_SHAPE_ALL. Free it with
/// qw_shape_free. Errors: as qw_scan. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_scan(
    options: *const qw_options,
    flags: u32,
    out: *mut *mut qw_shape,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(options)], {
        known(flags, QW_SHAPE_ALL)?;
        let shape = options.controlled(|| {
            options.options.shape(ShapeTables {
                recipients: true,
                senders: true,
                all: flags & QW_SHAPE_ALL != 0,
            })
        })?;
        *out = handle::give(qw_shape {
            shape,
            queues: options.options.queues(),
        });
        Ok(QW_OK)
    })
}

fn known(flags: u32, all: u32) -> Result<()> {
    if flags & !all == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Invalid, "there is no such flag"))
}

/// Reads how the caller wants the rows. 0 stands for qshape's default.
fn layout(flags: u32, min_subdomains: f64, width: f64) -> Result<Layout> {
    known(flags, QW_SHAPE_SENDERS | QW_SHAPE_PARENTS)?;
    let or = |value: f64, default: f64| if value > 0.0 { value } else { default };
    if width > 10_000.0 {
        return Err(Error::new(
            ErrorKind::Invalid,
            "the width is at most 10000 columns",
        ));
    }
    Ok(Layout {
        senders: flags & QW_SHAPE_SENDERS != 0,
        parents: (flags & QW_SHAPE_PARENTS != 0).then(|| or(min_subdomains, 5.0)),
        width: or(width, 80.0).max(80.0),
        ..Layout::default()
    })
}

/// Returns the counts of `queues` together. Excluded queues have none.
fn part(shape: &qw_shape, queues: QueueSet) -> Result<Part> {
    let mut parts = shape.queues.and(queues);
    let Some(first) = parts.iter().next() else {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this queue was excluded from the shape",
        ));
    };
    parts = parts.without(first);
    let mut sum = shape.shape.parts[first.index()].clone();
    for queue in parts.iter() {
        sum.merge(&shape.shape.parts[queue.index()]);
    }
    Ok(sum)
}

/// Returns 1 if everything was read; 0 if not, or for NULL. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_complete(shape: *const qw_shape) -> i32 {
    infallible!(0, [shared(shape)], i32::from(shape.shape.is_whole()))
}

/// Returns the table of `queue` (a queue's name, backlog or total; NULL: all six), byte for byte as qshape
/// prints it: domains are raw bytes. `flags` are QW_SHAPE_SENDERS and QW_SHAPE_PARENTS; `min_subdomains`
/// (0: 5) and `width` (0: 80) are qshape's -m and -w. Errors: QW_ERR_INVALID, QW_ERR_NOT_FOUND (no such
/// queue), QW_ERR_UNSUPPORTED (the queue was excluded).
/// Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_text(
    shape: *const qw_shape,
    queue: *const c_char,
    queue_len: usize,
    flags: u32,
    min_subdomains: f64,
    width: f64,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(shape), queues(queue, queue_len)], {
        let layout = layout(flags, min_subdomains, width)?;
        Ok(text::give(
            out,
            table(&shape.shape.buckets, &part(shape, queue)?, &layout),
        ))
    })
}

/// Returns the same as a JSON document, schema queuewatch/1. Errors: as qw_shape_text. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_json(
    shape: *const qw_shape,
    queue: *const c_char,
    queue_len: usize,
    flags: u32,
    min_subdomains: f64,
    out: *mut *mut qw_text,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(shape), queues(queue, queue_len)], {
        let layout = layout(flags, min_subdomains, 0.0)?;
        let part = part(shape, queue)?;
        Ok(text::give(
            out,
            document(&shape.shape, &part, &layout).to_string(),
        ))
    })
}

/// Opens a cursor over the rows of that table, in its order, TOTAL included. Free it with
/// qw_shape_rows_free. Errors: as qw_shape_text. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_rows_open(
    shape: *const qw_shape,
    queue: *const c_char,
    queue_len: usize,
    flags: u32,
    min_subdomains: f64,
    out: *mut *mut qw_shape_rows,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out), shared(shape), queues(queue, queue_len)], {
        let layout = layout(flags, min_subdomains, 0.0)?;
        let part = part(shape, queue)?;
        let counts = match layout.senders {
            true => &part.senders,
            false => &part.recipients,
        };
        let mut rows = Vec::new();
        counts.each_printed(layout.parents, |row| {
            rows.push((row.name.to_vec(), row.cells.to_vec()));
        });
        *out = handle::give(qw_shape_rows {
            rows,
            next: 0,
            life: Life::of_memory(),
        });
        Ok(QW_OK)
    })
}

/// Moves to the next row and fills `row`; QW_END after the last. `row_size` is sizeof *row.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_rows_next(
    rows: *mut qw_shape_rows,
    row: *mut qw_shape_row,
    row_size: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [exclusive(rows), row(row, row_size)], {
        let Some((domain, cells)) = rows.rows.get(rows.next) else {
            return Ok(QW_END);
        };
        let columns = cells.get(1..).unwrap_or_default();
        row.give(qw_shape_row {
            domain: qw_bytes::of(domain),
            counts: columns.as_ptr(),
            columns: columns.len(),
            total: cells.first().copied().unwrap_or(0),
        });
        rows.next += 1;
        Ok(QW_OK)
    })
}

/// Frees a cursor over rows. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_rows_free(rows: *mut qw_shape_rows) {
    freed!(rows);
}

/// Frees a shape; cursors made from it live on. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_shape_free(shape: *mut qw_shape) {
    freed!(shape);
}
