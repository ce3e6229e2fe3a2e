//! Wraps every exported function: it checks pointers, catches panics, prints nothing, and turns errors into
//! objects.
//!
//! [`fallible`] and [`infallible`] are the bodies of all exported functions. They turn each argument into a
//! checked value by a function of `input`, under the header's rules for pointers, and run the rest as safe
//! code. So an exported function has no `unsafe` but theirs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use once_cell::race::OnceBool;

use super::failure::{qw_error, status_of};
use super::{handle, qw_status, records, thread};
use crate::error::{Error, ErrorKind, Result};
use crate::threads;

// A panic must unwind to here. With `panic = "abort"` it would end the host.
const _: () = assert!(cfg!(panic = "unwind"));

/// The body of a function that can fail: `fallible!(err, [KIND(ARGUMENT, ...), ...], { BODY })`. KIND is a
/// function of `input`. In BODY, whose value is a `Result<qw_status>`, the argument's name stands for the
/// checked value. Out parameters for handles are NULL after any failure.
macro_rules! fallible {
    ($err:ident, [$($kind:ident($name:ident $(, $extra:expr)*)),* $(,)?], $body:block) => {{
        let _outer = $crate::spelling::guard();
        $(
            // SAFETY: the caller keeps the header's rules for this pointer.
            let $name = unsafe { $crate::ffi::input::$kind($name $(, $extra)*) };
        )*
        // SAFETY: the caller keeps the header's rules for `err`.
        unsafe {
            $crate::ffi::guard::guard($err, || {
                $(
                    #[allow(unused_mut, reason = "only some are changed")]
                    let mut $name = $name?;
                )*
                $body
            })
        }
    }};
}

/// The body of a function that returns a value: `infallible!(FALLBACK, [KIND(ARGUMENT)], VALUE)`. It returns
/// FALLBACK if an argument is refused.
macro_rules! infallible {
    ($fallback:expr, [$($kind:ident($name:ident $(, $extra:expr)*)),* $(,)?], $value:expr) => {{
        let _outer = $crate::spelling::guard();
        $(
            // SAFETY: the caller keeps the header's rules for this pointer.
            let $name = unsafe { $crate::ffi::input::$kind($name $(, $extra)*) };
        )*
        $crate::ffi::guard::guard_value($fallback, || {
            $(let $name = $name?;)*
            Ok($value)
        })
    }};
}

/// The body of a function that frees a handle.
macro_rules! freed {
    ($name:ident) => {{
        // SAFETY: the caller keeps the header's rules for this pointer, and does not use it again.
        unsafe { $crate::ffi::handle::free($name) }
    }};
}

pub(super) use {fallible, freed, infallible};

/// Keeps the default panic hook from printing our panics. Panics of a Rust host go to its own hook.
///
/// It does not use std's Once, which blocks: a child forked during the call would wait forever.
fn silence() {
    static INSTALLED: OnceBool = OnceBool::new();
    INSTALLED.get_or_init(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !thread::is_inside() && !threads::is_ours() {
                before(panic);
            }
        }));
        true
    });
}

/// Runs `body` for a function that may fail.
///
/// # Safety
/// `err` is NULL or may be written during the call.
pub(super) unsafe fn guard(
    err: *mut *mut qw_error,
    body: impl FnOnce() -> Result<qw_status>,
) -> qw_status {
    // SAFETY: this function's contract.
    let mut err = unsafe { err.as_mut() };
    if let Some(err) = err.as_deref_mut() {
        *err = std::ptr::null_mut();
    }
    let outcome = if thread::is_delivering() {
        Err(
            Error::new(ErrorKind::State, "a log function called queuewatch")
                .with_remedy("keep what it needs, and call when it has returned"),
        )
    } else {
        silence();
        let outcome = thread::inside(|| catch_unwind(AssertUnwindSafe(body)));
        records::deliver();
        outcome.unwrap_or_else(|payload| Err(bug(&*payload)))
    };
    outcome.unwrap_or_else(|error| {
        if let Some(err) = err {
            *err = handle::give(qw_error::new(&error));
        }
        status_of(error.kind())
    })
}

/// Makes the error for a panic.
fn bug(payload: &(dyn std::any::Any + Send)) -> Error {
    let what = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    let what = crate::escape::printable(what.as_bytes(), 300);
    Error::new(ErrorKind::Internal, format!("internal error: {what}"))
        .with_remedy("please report it")
}

/// Runs `body` for a function that cannot fail. Returns `fallback` if it fails nevertheless.
pub(super) fn guard_value<T>(fallback: T, body: impl FnOnce() -> Result<T>) -> T {
    let mut value = None;
    // SAFETY: a null place for the error is allowed.
    unsafe {
        guard(std::ptr::null_mut(), || {
            value = Some(body()?);
            Ok(super::QW_OK)
        })
    };
    value.unwrap_or(fallback)
}

#[cfg(test)]
mod tests {
    use super::super::error::{qw_error_code, qw_error_free, qw_error_message};
    use super::super::{QW_ERR_INVALID, QW_ERR_PANIC};
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let mut err = std::ptr::null_mut();
        // SAFETY: `err` is a local.
        let status = unsafe { guard(&raw mut err, || panic!("a bug on purpose")) };
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
    }

    #[test]
    fn a_value_that_cannot_be_had_is_the_fallback() {
        assert_eq!(guard_value(7, || Ok(8)), 8);
        let refused = || Err(Error::new(ErrorKind::Invalid, "no"));
        assert_eq!(guard_value(7, refused), 7);
        assert_eq!(guard_value(7, || panic!("a bug on purpose")), 7);
        // SAFETY: a null place for the error is allowed.
        let status = unsafe { guard(std::ptr::null_mut(), || refused().map(|_: i32| 0)) };
        assert_eq!(status, QW_ERR_INVALID);
    }
}
