//! Options, set by name.

use std::ffi::c_char;

use super::failure::qw_error;
use super::guard::{fallible, freed};
use super::handle::{self, Life, Opaque};
use super::{QW_OK, qw_status};
use crate::options::Options;

/// What to look at and how to judge it. One thread at a time.
pub struct qw_options {
    pub(super) options: Options,
    life: Life,
}

impl Opaque for qw_options {
    fn life(&self) -> Option<&Life> {
        Some(&self.life)
    }
}

/// Makes options: the default instance, everything read, no rules. Free them with qw_options_free.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_new(
    out: *mut *mut qw_options,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out)], {
        *out = handle::give(qw_options {
            options: Options::default(),
            life: Life::of_memory(),
        });
        Ok(QW_OK)
    })
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
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_set(
    options: *mut qw_options,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(
        err,
        [
            exclusive(options),
            text(name, name_len, "the option's name"),
            bytes(value, value_len, "the option's value")
        ],
        {
            options.options.set(name, value)?;
            Ok(QW_OK)
        }
    )
}

/// Frees options. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_free(options: *mut qw_options) {
    freed!(options);
}
