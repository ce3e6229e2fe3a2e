//! Where the calling thread is: in one of our functions, or in the host's log function.

use std::cell::Cell;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static DELIVERING: Cell<bool> = const { Cell::new(false) };
}

/// Returns true if the calling thread is in one of our functions.
pub(super) fn is_inside() -> bool {
    INSIDE.get()
}

/// Runs `body` as a part of one of our functions.
pub(super) fn inside<T>(body: impl FnOnce() -> T) -> T {
    let outer = INSIDE.replace(true);
    let value = body();
    INSIDE.set(outer);
    value
}

/// Returns true if the calling thread is in the host's log function.
pub(super) fn is_delivering() -> bool {
    DELIVERING.get()
}

/// Runs `body`, which calls the host's log function.
pub(super) fn delivering(body: impl FnOnce()) {
    DELIVERING.set(true);
    body();
    DELIVERING.set(false);
}
