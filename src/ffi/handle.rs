//! Handles: the only place where a caller's pointer becomes a reference.

use std::mem::size_of;

use crate::error::{Error, ErrorKind, Result};

fn null<T>() -> Error {
    let name = std::any::type_name::<T>();
    let name = name.rsplit("::").next().unwrap_or(name);
    Error::new(ErrorKind::Invalid, format!("the {name} argument is NULL"))
}

/// Where a new handle goes: not NULL, and NULL in it first.
///
/// # Safety
/// `out` is NULL or may be written during the call.
pub(super) unsafe fn out<'a, T>(out: *mut *mut T) -> Result<&'a mut *mut T> {
    if out.is_null() {
        return Err(null::<T>().within("the place for the result"));
    }
    // SAFETY: not NULL, checked; writable by this function's contract.
    unsafe { *out = std::ptr::null_mut() };
    // SAFETY: the same.
    Ok(unsafe { &mut *out })
}

/// Where a plain value goes.
///
/// # Safety
/// `place` is NULL or may be written during the call.
pub(super) unsafe fn place<'a, T>(what: &str, place: *mut T) -> Result<&'a mut T> {
    // SAFETY: not NULL is checked by as_mut; writable by this function's contract.
    unsafe { place.as_mut() }
        .ok_or_else(|| Error::new(ErrorKind::Invalid, format!("{what} is NULL")))
}

/// Hands `value` to the caller.
pub(super) fn give<T>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// A handle that others may use at the same time.
///
/// # Safety
/// `handle` is NULL, or came from [`give`], was not freed, and is not used exclusively meanwhile.
pub(super) unsafe fn shared<'a, T>(handle: *const T) -> Result<&'a T> {
    // SAFETY: not NULL is checked by as_ref; valid by this function's contract.
    unsafe { handle.as_ref() }.ok_or_else(null::<T>)
}

/// A handle that nobody else uses.
///
/// # Safety
/// `handle` is NULL, or came from [`give`], was not freed, and is not used by anyone else meanwhile.
pub(super) unsafe fn exclusive<'a, T>(handle: *mut T) -> Result<&'a mut T> {
    // SAFETY: not NULL is checked by as_mut; valid by this function's contract.
    unsafe { handle.as_mut() }.ok_or_else(null::<T>)
}

/// Takes a handle back and drops it.
///
/// # Safety
/// `handle` is NULL, or came from [`give`] and was not freed; nobody uses it any more.
pub(super) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: not NULL, checked; from `give` by this function's contract.
        let owned = unsafe { Box::from_raw(handle) };
        // A drop that panics must not unwind into the host.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(owned)));
    }
}

/// Writes `row` to the caller's, of whose size it told: as much as fits, and zeroes behind what we
/// know.
///
/// # Safety
/// `to` is NULL or points to `size` writable bytes.
pub(super) unsafe fn give_row<T: Copy>(to: *mut T, size: usize, row: T) -> Result<()> {
    if to.is_null() {
        return Err(Error::new(ErrorKind::Invalid, "the row argument is NULL"));
    }
    if size == 0 || size > 65_536 {
        return Err(Error::new(
            ErrorKind::Invalid,
            "the size of the row is not that of a row: pass sizeof *row",
        ));
    }
    let known = size_of::<T>().min(size);
    let to = to.cast::<u8>();
    // SAFETY: `known` bytes are readable in `row` and, by this function's contract, writable at `to`;
    // a local and the caller's memory do not overlap.
    unsafe { std::ptr::copy_nonoverlapping((&raw const row).cast::<u8>(), to, known) };
    // SAFETY: `known` is at most `size`.
    let rest = unsafe { to.add(known) };
    // SAFETY: the rest of `size` bytes is writable by this function's contract.
    unsafe { std::ptr::write_bytes(rest, 0, size - known) };
    Ok(())
}
