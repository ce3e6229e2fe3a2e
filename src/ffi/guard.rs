//! What stands around every function: no panic unwinds into the host, nothing is printed, errors
//! become objects, and a handle that a panic left half changed is not used again.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use once_cell::race::OnceBool;

use super::error::{qw_error, status_of};
use super::handle;
use super::log;
use super::{QW_ERR_STATE, qw_status};
use crate::error::{Error, ErrorKind, Result};

// A panic must be able to unwind to here: with `panic = "abort"` it would take the host down.
const _: () = assert!(cfg!(panic = "unwind"));

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is in one of our functions.
pub(super) fn is_inside() -> bool {
    INSIDE.get()
}

/// Keeps the default panic hook from printing for panics of ours; a Rust host's own go where they
/// went.
///
/// Not std's Once: that blocks, and a child forked in the middle would wait for ever.
fn silence() {
    static INSTALLED: OnceBool = OnceBool::new();
    INSTALLED.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let scanner = std::thread::current().name() == Some("queuewatch-scan");
            if !INSIDE.get() && !scanner {
                before(panic);
            }
        }));
        true
    });
}

/// Runs `body` for a function that may fail; `poisoned` is the mark of the handle that it works on.
///
/// # Safety
/// `err` is NULL or may be written during the call.
pub(super) unsafe fn guard(
    err: *mut *mut qw_error,
    poisoned: Option<&AtomicBool>,
    body: impl FnOnce() -> Result<qw_status>,
) -> qw_status {
    // SAFETY: this function's contract.
    let err = unsafe { err.as_mut() };
    let failed = |error: Error, err: Option<&mut *mut qw_error>| {
        let status = status_of(error.kind());
        if let Some(err) = err {
            *err = handle::give(qw_error::new(&error));
        }
        status
    };
    let mut err = err;
    if let Some(err) = err.as_deref_mut() {
        *err = std::ptr::null_mut();
    }
    if log::is_delivering() {
        let error = Error::new(ErrorKind::State, "a log function may not call queuewatch");
        return failed(error, err);
    }
    if poisoned.is_some_and(|mark| mark.load(Ordering::Relaxed)) {
        let error = Error::new(
            ErrorKind::State,
            "an earlier call on this handle ended in a bug; free it and make a new one",
        );
        return failed(error, err);
    }
    silence();
    let outer = INSIDE.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outer);
    log::deliver();
    match outcome {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => failed(error, err),
        Err(payload) => {
            if let Some(mark) = poisoned {
                mark.store(true, Ordering::Relaxed);
            }
            let what = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("no text");
            let what = crate::escape::printable(what.as_bytes(), 300);
            let error = Error::new(
                ErrorKind::Panic,
                format!("internal error, please report it: {what}"),
            );
            failed(error, err)
        }
    }
}

/// Runs `body` for a function that cannot fail; `fallback` if it does all the same.
pub(super) fn guard_value<T>(fallback: T, body: impl FnOnce() -> Result<T>) -> T {
    let mut value = None;
    // SAFETY: a null place for the error is allowed.
    let status = unsafe {
        guard(std::ptr::null_mut(), None, || {
            value = Some(body()?);
            Ok(super::QW_OK)
        })
    };
    debug_assert!(
        status == super::QW_OK || status >= super::QW_ERR_INVALID || status == QW_ERR_STATE
    );
    value.unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use super::super::error::{qw_error_code, qw_error_free, qw_error_message};
    use super::super::{QW_ERR_PANIC, QW_OK};
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_poisons_the_handle() {
        let mark = AtomicBool::new(false);
        let mut err = std::ptr::null_mut();
        // SAFETY: `err` is a local.
        let status = unsafe { guard(&raw mut err, Some(&mark), || panic!("a bug on purpose")) };
        assert_eq!(status, QW_ERR_PANIC);
        // SAFETY: `err` was made by guard.
        assert_eq!(unsafe { qw_error_code(err) }, QW_ERR_PANIC);
        // SAFETY: the same.
        let message = unsafe { qw_error_message(err) };
        // SAFETY: a message is NUL-terminated and lives as long as its error.
        let message = unsafe { std::ffi::CStr::from_ptr(message) };
        assert!(message.to_str().unwrap().contains("a bug on purpose"));
        // SAFETY: the same; not used any more.
        unsafe { qw_error_free(err) };
        // SAFETY: a null place is allowed.
        let status = unsafe { guard(std::ptr::null_mut(), Some(&mark), || Ok(QW_OK)) };
        assert_eq!(status, QW_ERR_STATE);
    }
}
