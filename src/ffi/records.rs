//! Keeps the log records of a call until its work is done.
//!
//! They reach the host's function on the thread that called us, at the end of that call. So a function that
//! throws (Perl's die is a longjmp) leaves no work half done. The core logs on the caller's thread only.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};

use log::{Level, Log, Metadata, Record};
use once_cell::race::OnceBool;

use super::bytes::qw_bytes;
use super::thread;

/// How many records of one call are kept for delivery.
const MAX_RECORDS: usize = 256;

/// Level of qw_log_set: errors.
pub const QW_LOG_ERROR: i32 = 1;
/// Level of qw_log_set: warnings, and all above.
pub const QW_LOG_WARN: i32 = 2;
/// Level of qw_log_set: events, and all above.
pub const QW_LOG_INFO: i32 = 3;
/// Level of qw_log_set: each thing that could not be read, and all above.
pub const QW_LOG_DEBUG: i32 = 4;
/// Level of qw_log_set: what is listed, which files are skipped and why, what a watch does, and all above.
pub const QW_LOG_TRACE: i32 = 5;

/// The host's function, as `qw_log_fn` describes it.
pub(super) type Function = extern "C" fn(*mut c_void, i32, qw_bytes, qw_bytes);

struct Target {
    function: Function,
    user: *mut c_void,
    /// The target that was made before this one.
    before: *mut Target,
}

/// The present target.
static TARGET: AtomicPtr<Target> = AtomicPtr::new(std::ptr::null_mut());
/// The last of all targets ever made. None is freed, because another thread may be using it. A host sets one
/// once or twice in its life.
static MADE: AtomicPtr<Target> = AtomicPtr::new(std::ptr::null_mut());

/// Makes a target that lives as long as the process.
fn make(function: Function, user: *mut c_void) -> *mut Target {
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

/// Sends records to `function` from now on, or to nobody.
pub(super) fn send_to(function: Option<Function>, user: *mut c_void) {
    let target = match function {
        Some(function) => make(function, user),
        None => std::ptr::null_mut(),
    };
    TARGET.store(target, Ordering::Release);
}

thread_local! {
    static RECORDS: RefCell<Vec<(i32, String, String)>> = const { RefCell::new(Vec::new()) };
    /// The number of records beyond [`MAX_RECORDS`].
    static DROPPED: Cell<usize> = const { Cell::new(0) };
}

struct Router;

impl Log for Router {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        thread::is_inside() && !TARGET.load(Ordering::Acquire).is_null()
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

/// Delivers the records of the call.
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
    thread::delivering(|| {
        for (level, from, message) in &records {
            (target.function)(
                target.user,
                *level,
                qw_bytes::of(from.as_bytes()),
                qw_bytes::of(message.as_bytes()),
            );
        }
    });
}

/// Makes the router the logger of the process, once. Returns false if a Rust host has a logger already.
///
/// It does not use std's OnceLock, which blocks: a child forked during the call would wait forever.
pub(super) fn install() -> bool {
    static INSTALLED: OnceBool = OnceBool::new();
    static ROUTER: Router = Router;
    INSTALLED.get_or_init(|| log::set_logger(&ROUTER).is_ok())
}
