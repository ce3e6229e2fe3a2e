//! Log records to a function of the host, on the thread that called us and never on another.
//!
//! Records of a call wait until its work is done, so that a function that throws (Perl's die is a
//! longjmp) does not leave work half done. The core logs on the caller's thread only.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use once_cell::race::OnceBool;

use super::bytes::qw_bytes;
use super::error::qw_error;
use super::guard::{guard, is_inside};
use super::{QW_OK, qw_status};
use crate::error::{Error, ErrorKind};

/// Records of one call that are kept for delivery.
const MAX_RECORDS: usize = 256;

/// Level of qw_log_set: errors.
pub const QW_LOG_ERROR: i32 = 1;
/// Level of qw_log_set: warnings, too.
pub const QW_LOG_WARN: i32 = 2;
/// Level of qw_log_set: what happens, too.
pub const QW_LOG_INFO: i32 = 3;
/// Level of qw_log_set: what could not be read, one by one, too.
pub const QW_LOG_DEBUG: i32 = 4;
/// Level of qw_log_set: everything.
pub const QW_LOG_TRACE: i32 = 5;

/// A log function: its `user` pointer, the level (QW_LOG_), the part of the library, the message. The
/// bytes live during the call. It is called on the thread that called the library, at the end of that
/// call. It must not unwind, and must not call the library: what can fail returns QW_ERR_STATE there, and
/// what cannot gives what it gives for NULL. It may free handles.
pub type qw_log_fn =
    Option<extern "C" fn(user: *mut c_void, level: i32, target: qw_bytes, message: qw_bytes)>;

struct Target {
    function: extern "C" fn(*mut c_void, i32, qw_bytes, qw_bytes),
    user: *mut c_void,
    /// The one made before it.
    before: *mut Target,
}

/// The present target.
static TARGET: AtomicPtr<Target> = AtomicPtr::new(std::ptr::null_mut());
/// The last of all targets ever made. None is freed, for another thread may just be using it; hosts
/// set one once or twice in their life.
static MADE: AtomicPtr<Target> = AtomicPtr::new(std::ptr::null_mut());

/// Makes a target that lives as long as the process.
fn make(
    function: extern "C" fn(*mut c_void, i32, qw_bytes, qw_bytes),
    user: *mut c_void,
) -> *mut Target {
    let mut before = MADE.load(Ordering::Acquire);
    let mut target = Box::new(Target {
        function,
        user,
        before,
    });
    loop {
        target.before = before;
        let made: *mut Target = &raw mut *target;
        match MADE.compare_exchange(before, made, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Box::into_raw(target),
            Err(newer) => before = newer,
        }
    }
}

thread_local! {
    static RECORDS: RefCell<Vec<(i32, String, String)>> = const { RefCell::new(Vec::new()) };
    /// Records beyond [`MAX_RECORDS`].
    static DROPPED: Cell<usize> = const { Cell::new(0) };
    static DELIVERING: Cell<bool> = const { Cell::new(false) };
}

struct Router;

impl Log for Router {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        is_inside() && !TARGET.load(Ordering::Acquire).is_null()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            RECORDS.with_borrow_mut(|records| {
                if records.len() == MAX_RECORDS {
                    DROPPED.set(DROPPED.get() + 1);
                } else {
                    let level = match record.level() {
                        Level::Error => QW_LOG_ERROR,
                        Level::Warn => QW_LOG_WARN,
                        Level::Info => QW_LOG_INFO,
                        Level::Debug => QW_LOG_DEBUG,
                        Level::Trace => QW_LOG_TRACE,
                    };
                    records.push((level, record.target().to_owned(), record.args().to_string()));
                }
            });
        }
    }

    fn flush(&self) {}
}

/// Whether the calling thread is in the host's log function.
pub(super) fn is_delivering() -> bool {
    DELIVERING.get()
}

/// Delivers what the call logged.
pub(super) fn deliver() {
    let target = TARGET.load(Ordering::Acquire);
    let mut records = RECORDS.take();
    let dropped = DROPPED.take();
    if dropped > 0 {
        let message = format!("{dropped} more log records of this call were dropped");
        records.push((QW_LOG_WARN, module_path!().to_owned(), message));
    }
    // SAFETY: a target is never freed once it was stored.
    let Some(target) = (unsafe { target.as_ref() }) else {
        return;
    };
    DELIVERING.set(true);
    for (level, from, message) in &records {
        (target.function)(
            target.user,
            *level,
            qw_bytes::of(from.as_bytes()),
            qw_bytes::of(message.as_bytes()),
        );
    }
    DELIVERING.set(false);
}

/// Makes the router the logger of the process, once; false if a Rust host has one already.
///
/// Not std's OnceLock: that blocks, and a child forked in the middle would wait for ever.
fn install() -> bool {
    static INSTALLED: OnceBool = OnceBool::new();
    static ROUTER: Router = Router;
    INSTALLED.get_or_init(|| log::set_logger(&ROUTER).is_ok())
}

/// Sets the log function of the process, for records up to `max_level` (QW_LOG_); a NULL function
/// removes it. By default nothing is logged. `user` is handed to it as it is and must stay valid.
/// Fails with QW_ERR_STATE if the library was linked into a Rust program that has a logger. Since 0.1.
///
/// # Safety
/// `log` may be called with `user` on any thread that calls the library, until it is removed and all
/// calls that were under way have ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_log_set(
    log: qw_log_fn,
    user: *mut c_void,
    max_level: i32,
    err: *mut *mut qw_error,
) -> qw_status {
    // SAFETY: the caller's promise.
    unsafe {
        guard(err, None, || {
            let level = match (log, max_level) {
                (None, _) => LevelFilter::Off,
                (_, QW_LOG_ERROR) => LevelFilter::Error,
                (_, QW_LOG_WARN) => LevelFilter::Warn,
                (_, QW_LOG_INFO) => LevelFilter::Info,
                (_, QW_LOG_DEBUG) => LevelFilter::Debug,
                (_, QW_LOG_TRACE) => LevelFilter::Trace,
                _ => {
                    return Err(Error::new(
                        ErrorKind::Invalid,
                        "there is no such log level: QW_LOG_ERROR to QW_LOG_TRACE",
                    ));
                }
            };
            if !install() {
                return Err(Error::new(
                    ErrorKind::State,
                    "this program has a logger of its own; the records go there",
                ));
            }
            let target = match log {
                Some(function) => make(function, user),
                None => std::ptr::null_mut(),
            };
            TARGET.store(target, Ordering::Release);
            ::log::set_max_level(level);
            Ok(QW_OK)
        })
    }
}
