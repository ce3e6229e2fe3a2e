//! Handles: how objects are given to the host, and how its pointers become references again.
//!
//! A handle that changes, or that holds file descriptors, has a [`Life`]. It is refused after a panic left it
//! half changed, and in another process than the one that made it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::spelling::{self, Spelling};

/// The type behind a handle.
pub(super) trait Opaque {
    /// Returns the state of its life; `None` if it is immutable and holds only memory.
    fn life(&self) -> Option<&Life> {
        None
    }

    /// Returns how its host spells options, if the host has set that.
    fn spelling(&self) -> Option<Spelling> {
        None
    }
}

/// Refuses a call on an unusable `handle`, and sets how texts spell options.
fn enter(handle: &impl Opaque) -> Result<()> {
    handle.life().map_or(Ok(()), Life::check)?;
    if let Some(spelling) = handle.spelling() {
        spelling::set(spelling);
    }
    Ok(())
}

/// The state that decides whether a handle can be used.
#[derive(Debug)]
pub(super) struct Life {
    /// True after a panic during a call on the handle.
    poisoned: AtomicBool,
    /// The process that owns its file descriptors; `None` if it holds none.
    process: Option<u32>,
}

impl Life {
    /// For a handle that is only memory: a forked child may use its copy.
    pub(super) fn of_memory() -> Self {
        Life {
            poisoned: AtomicBool::new(false),
            process: None,
        }
    }

    /// For a handle with file descriptors. A forked child shares their offsets and registrations with its
    /// parent (fork(2)).
    pub(super) fn of_descriptors() -> Self {
        Life {
            process: Some(std::process::id()),
            ..Life::of_memory()
        }
    }

    fn check(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(Error::new(
                ErrorKind::State,
                "an earlier call on this handle ended in a bug",
            )
            .with_remedy("free it and make a new one"));
        }
        if self
            .process
            .is_some_and(|process| process != std::process::id())
        {
            return Err(Error::new(
                ErrorKind::State,
                "this handle belongs to the process that made it, and this is a fork of that",
            )
            .with_remedy("open one in this process"));
        }
        Ok(())
    }
}

/// A handle in exclusive use. A panic during the call poisons it.
pub(super) struct InUse<'a, T: Opaque>(&'a mut T);

impl<T: Opaque> Deref for InUse<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.0
    }
}

impl<T: Opaque> DerefMut for InUse<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0
    }
}

impl<T: Opaque> Drop for InUse<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if let Some(life) = self.0.life() {
                life.poisoned.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn null<T>() -> Error {
    let name = std::any::type_name::<T>();
    let name = name.rsplit("::").next().unwrap_or(name);
    Error::new(ErrorKind::Invalid, format!("the {name} argument is NULL"))
}

/// Gives `value` to the caller.
pub(super) fn give<T: Opaque>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Checks an out parameter for a handle, and sets it to NULL.
///
/// # Safety
/// `out` is NULL or may be written during the call.
pub(super) unsafe fn out<'a, T: Opaque>(out: *mut *mut T) -> Result<&'a mut *mut T> {
    if out.is_null() {
        return Err(null::<T>().within("the place for the result"));
    }
    // SAFETY: not NULL, checked; writable by this function's contract.
    unsafe { *out = std::ptr::null_mut() };
    // SAFETY: the same.
    Ok(unsafe { &mut *out })
}

/// Borrows a handle that other threads may use at the same time.
///
/// # Safety
/// `handle` is NULL, or came from [`give`], was not freed, and is not used exclusively meanwhile.
pub(super) unsafe fn shared<'a, T: Opaque>(handle: *const T) -> Result<&'a T> {
    // SAFETY: not NULL is checked by as_ref; valid by this function's contract.
    let handle = unsafe { handle.as_ref() }.ok_or_else(null::<T>)?;
    enter(handle)?;
    Ok(handle)
}

/// As [`shared`], but NULL is allowed and means none.
///
/// # Safety
/// As for [`shared`].
pub(super) unsafe fn optional<'a, T: Opaque>(handle: *const T) -> Result<Option<&'a T>> {
    match handle.is_null() {
        true => Ok(None),
        // SAFETY: the same contract.
        false => unsafe { shared(handle) }.map(Some),
    }
}

/// Borrows a handle exclusively.
///
/// # Safety
/// `handle` is NULL, or came from [`give`], was not freed, and is not used by anyone else meanwhile.
pub(super) unsafe fn exclusive<'a, T: Opaque>(handle: *mut T) -> Result<InUse<'a, T>> {
    // SAFETY: not NULL is checked by as_mut; valid by this function's contract.
    let handle = unsafe { handle.as_mut() }.ok_or_else(null::<T>)?;
    enter(handle)?;
    Ok(InUse(handle))
}

/// Takes a handle back and drops it.
///
/// # Safety
/// `handle` is NULL, or came from [`give`] and was not freed; nobody uses it any more.
pub(super) unsafe fn free<T: Opaque>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: not NULL, checked; from `give` by this function's contract.
        let owned = unsafe { Box::from_raw(handle) };
        // A drop that panics must not unwind into the host.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(owned)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing(Life);

    impl Opaque for Thing {
        fn life(&self) -> Option<&Life> {
            Some(&self.0)
        }
    }

    fn used(thing: *mut Thing) -> Result<()> {
        // SAFETY: from `give`, not freed, and of this thread alone.
        unsafe { exclusive(thing) }.map(drop)
    }

    #[test]
    fn a_handle_of_descriptors_is_refused_in_another_process() {
        let elsewhere = Life {
            process: Some(std::process::id() + 1),
            ..Life::of_memory()
        };
        for (life, outcome) in [
            (Life::of_memory(), None),
            (Life::of_descriptors(), None),
            (elsewhere, Some(ErrorKind::State)),
        ] {
            let thing = give(Thing(life));
            assert_eq!(used(thing).err().map(|error| error.kind()), outcome);
            // SAFETY: from `give`, and not used any more.
            unsafe { free(thing) };
        }
    }

    #[test]
    fn a_panic_poisons_what_was_in_use() {
        let thing = give(Thing(Life::of_memory()));
        let fallen = std::panic::catch_unwind(|| {
            // SAFETY: from `give`, not freed, and of this thread alone.
            let _in_use = unsafe { exclusive(thing) };
            panic!("a bug on purpose");
        });
        assert!(fallen.is_err());
        assert_eq!(used(thing).unwrap_err().kind(), ErrorKind::State);
        // SAFETY: from `give`, and not used any more.
        unsafe { free(thing) };
    }
}
