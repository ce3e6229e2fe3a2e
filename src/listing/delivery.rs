//! The deliveries of a message: each recipient with the reason for which it waits.
//!
//! Filters about a delivery must hold for one and the same recipient: an address and a reason of two different
//! recipients make no delivery. Redirected mail is one delivery to one address for all of its recipients.

use super::recipients::in_order;
use crate::postfix::defer_log::Log;
use crate::scan::{Logged, MessageRow};

/// Returns true if `row` has a recipient whose address is one that `goes` takes, and whose last delay reason is one that
/// `waits` takes; without `waits` it need have no reason.
pub(super) fn is_any(
    row: &MessageRow,
    mut goes: impl FnMut(&[u8]) -> bool,
    waits: Option<impl FnMut(&Logged<'_>) -> bool>,
) -> bool {
    let Some(mut waits) = waits else {
        return addressed(row).any(goes);
    };
    if row.envelope.redirected {
        return deferred(row).any(|entry| waits(&entry)) && addressed(row).any(goes);
    }
    let entries: Vec<Logged<'_>> = row.logged().collect();
    if entries.is_empty() {
        return false;
    }
    in_order(row, &entries, false).iter().any(|listed| {
        let address = listed.record.and_then(|place| row.recipient(place));
        let entry = listed.entry.and_then(|place| entries.get(place));
        address
            .zip(entry)
            .is_some_and(|(address, entry)| goes(address) && waits(entry))
    })
}

/// Returns the recipients still to be delivered and, if mail is redirected, where it goes.
fn addressed(row: &MessageRow) -> impl Iterator<Item = &[u8]> {
    let tried = deferred(row).filter(|_| row.envelope.redirected);
    row.recipients()
        .chain(row.target())
        .chain(tried.map(|entry| entry.address))
}

/// Returns the entries of the defer log.
fn deferred(row: &MessageRow) -> impl Iterator<Item = Logged<'_>> {
    row.logged().filter(|entry| entry.log == Log::Defer)
}
