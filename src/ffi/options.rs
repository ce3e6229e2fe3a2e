//! Options, set by name.

use std::ffi::c_char;

use super::failure::qw_error;
use super::guard::{fallible, freed, infallible};
use super::handle::{self, Life, Opaque};
use super::{QW_OK, qw_status};
use std::sync::Arc;

use crate::control::{self, Control};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::spelling::{SAMPLES, Spelling};

/// What to look at and how to judge it. One thread at a time.
pub struct qw_options {
    pub(super) options: Options,
    pub(super) spelling: Spelling,
    pub(super) control: Arc<Control>,
    life: Life,
}

impl Opaque for qw_options {
    fn life(&self) -> Option<&Life> {
        Some(&self.life)
    }

    fn spelling(&self) -> Option<Spelling> {
        Some(self.spelling)
    }
}

/// Makes options: the default instance, everything read, no rules. Free them with qw_options_free.
/// Errors: QW_ERR_INVALID. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_new(
    out: *mut *mut qw_options,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(err, [out(out)], {
        *out = handle::give(qw_options {
            options: Options::default(),
            spelling: Spelling::default(),
            control: Arc::default(),
            life: Life::of_memory(),
        });
        Ok(QW_OK)
    })
}

/// Sets an option by its name. The options are:
///
/// @OPTIONS@
///
/// Options marked `...` may be set several times, and accumulate. An option without a value takes an empty
/// value, yes or no. `not-` before the name of a filter (`not-sender`) is `not` and that filter at once, for callers
/// whose options have no order. Both texts are copied.
/// Errors: QW_ERR_INVALID, QW_ERR_NOT_FOUND (no such option), QW_ERR_SYNTAX (with the offset). After an error
/// the options are unchanged. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
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

/// Sets how texts spell options. `sample` is the option queue-directory as users of the host write it:
/// `"queue-directory"` with the quotes (the default), `--queue-directory`, `queue_directory=` or
/// `queue_directory =>`. It holds for these options and for everything made with them.
/// Errors: QW_ERR_INVALID, QW_ERR_SYNTAX (another sample). Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_spell(
    options: *mut qw_options,
    sample: *const c_char,
    sample_len: usize,
    err: *mut *mut qw_error,
) -> qw_status {
    fallible!(
        err,
        [exclusive(options), text(sample, sample_len, "the sample")],
        {
            let known = SAMPLES.iter().find(|(spelled, _)| *spelled == sample);
            let Some((_, spelling)) = known else {
                let samples = SAMPLES.map(|(spelled, _)| spelled).join(", ");
                return Err(Error::new(
                    ErrorKind::Syntax,
                    "the sample is not a known spelling of queue-directory",
                )
                .with_remedy(format!("give one of {samples}")));
            };
            options.spelling = *spelling;
            Ok(QW_OK)
        }
    )
}

impl qw_options {
    /// Runs `work` so that qw_cancel and qw_progress reach it.
    pub(super) fn controlled<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        controlled(&self.control, work)
    }
}

/// Runs `work` so that qw_cancel and qw_progress of the options with `control` reach it.
pub(super) fn controlled<T>(control: &Arc<Control>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let outcome = control::under(Some(Arc::clone(control)), work);
    if control.is_stopped() {
        return Err(Error::new(
            ErrorKind::Cancelled,
            "qw_cancel stopped the call on these options",
        )
        .with_remedy("make new options for the next one"));
    }
    outcome
}

/// Stops qw_scan, qw_shape_scan and qw_watch_open with these options, and qw_messages_next on a snapshot of them,
/// the running call and later ones: they soon return QW_ERR_CANCELLED. A watch that is open goes on. Another thread
/// or a signal handler may call it; it only sets a flag. NULL is a no-op. The options must not be freed during the
/// call. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_cancel(options: *const qw_options) {
    // SAFETY: the caller keeps the header's rules for this pointer. Nothing here allocates or locks.
    if let Some(options) = unsafe { options.as_ref() } {
        options.control.stop();
    }
}

/// Returns how many queue files and other entries the calls that qw_cancel stops have reached so far; 0 for NULL. Another thread may call it to show progress. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_progress(options: *const qw_options) -> u64 {
    infallible!(0, [shared(options)], options.control.steps())
}

/// Frees options. NULL is a no-op. Since 0.1.
///
/// # Safety
/// The header's rules for pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qw_options_free(options: *mut qw_options) {
    freed!(options);
}
