//! Options, set by name.

use std::ffi::c_char;
use std::sync::atomic::AtomicBool;

use super::bytes::{input, input_text};
use super::error::qw_error;
use super::guard::guard;
use super::{QW_OK, handle, qw_status};
use crate::options::Options;

/// What to look at and how to judge it. One thread at a time.
pub struct qw_options {
    pub(super) options: Options,
    pub(super) poisoned: AtomicBool,
}

/// Makes options: the default instance, everything read, no rules. Free them with qw_options_free.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// `out` and `err` are NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_new(
    out: *mut *mut qw_options,
    err: *mut *mut qw_error,
) -> qw_status {
    // SAFETY: the caller's promise.
    let out = unsafe { handle::out(out) };
    // SAFETY: the caller's promise.
    unsafe {
        guard(err, None, || {
            // The place first: what is made and finds none would be lost.
            let out = out?;
            *out = handle::give(qw_options {
                options: Options::default(),
                poisoned: AtomicBool::new(false),
            });
            Ok(QW_OK)
        })
    }
}

/// Sets an option: `name` is a long option of check_postfix_queue without dashes (queue-directory,
/// config-directory, all-instances, instance, warning, critical, exclude, counts, timeout, now, readers,
/// gentle), or `measure`, which limits a scan to what that measure needs, or `poll`, which has a watch look
/// for changes itself, so many seconds apart, instead of by inotify. Those that may be repeated accumulate.
/// One that takes nothing is switched by an empty value, yes or no. Both texts are copied.
/// Errors: QW_ERR_INVALID, QW_ERR_NOT_FOUND (no such option), QW_ERR_SYNTAX (with the offset). After an
/// error the options are as before. Since 0.1.
///
/// # Safety
/// `options` is NULL or from qw_options_new; `name` and `value` are NULL or have their lengths; `err` is
/// NULL or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_set(
    options: *mut qw_options,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    // SAFETY: the caller's promise.
    let options = unsafe { handle::exclusive(options) };
    // SAFETY: the caller's promise.
    let name = unsafe { input_text("the option's name", name, name_len) };
    // SAFETY: the caller's promise.
    let value = unsafe { input("the option's value", value, value_len) };
    let (options, poisoned) = match options {
        Ok(qw_options { options, poisoned }) => (Ok(options), Some(&*poisoned)),
        Err(error) => (Err(error), None),
    };
    // SAFETY: the caller's promise.
    unsafe {
        guard(err, poisoned, || {
            options?.set(name?, value?)?;
            Ok(QW_OK)
        })
    }
}

/// Frees options. NULL is a no-op. Since 0.1.
///
/// # Safety
/// `options` is NULL or from qw_options_new and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_free(options: *mut qw_options) {
    // SAFETY: the caller's promise.
    unsafe { handle::free(options) }
}
