//! The listed recipients of a message, each with the log entry that says why it waits.
//!
//! A recipient is a record of the queue file. An entry of the defer log refers to its record by the offset.
//! Entries of old logs, which have no offset, and entries whose offset matches no record, refer to it by the
//! quoted address, as postqueue(1) takes them. Of several entries for one record the last counts. Postfix writes no
//! entry without a record, with one exception: redirected mail is delivered once, to an address that is only in the
//! redirect record of the file, and showq(8) lists that address as well.

use std::collections::HashMap;

use crate::postfix::defer_log::Log;
use crate::postfix::quote::quote_local;
use crate::scan::{Logged, MessageRow};

/// A listed recipient: a record of the queue file, an entry of a log, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListedRecipient {
    /// The index of its record among the recipients of the row.
    pub(crate) record: Option<usize>,
    /// The index of its entry in the logs of the row.
    pub(crate) entry: Option<usize>,
}

/// Returns the recipients of `row` in the order of showq(8): those in a log, in the order of `entries` (the logs
/// of the row), then the others in the order of the file. With `given_up`, it includes recipients in the bounce
/// log.
pub(crate) fn in_order(
    row: &MessageRow,
    entries: &[Logged<'_>],
    given_up: bool,
) -> Vec<ListedRecipient> {
    let records = row.recipient_count();
    if entries.is_empty() {
        let record = |place| ListedRecipient {
            record: Some(place),
            entry: None,
        };
        return (0..records).map(record).collect();
    }
    let (chosen, left) = reasons_of(row, entries);
    let mut listed: Vec<ListedRecipient> = (0..records)
        .map(|place| ListedRecipient {
            record: Some(place),
            entry: chosen[place],
        })
        .collect();
    let alone = |entry| ListedRecipient {
        record: None,
        entry: Some(entry),
    };
    if row.envelope.redirected {
        listed.extend(last_of_each(entries, &left).map(alone));
    }
    if given_up {
        let bounced: Vec<usize> = (0..entries.len())
            .filter(|place| entries[*place].log == Log::Bounce)
            .collect();
        listed.extend(last_of_each(entries, &bounced).map(alone));
    }
    listed.sort_by_key(|one| (one.entry.unwrap_or(usize::MAX), one.record));
    listed
}

/// Returns for each record the entry of the defer log that says why it waits, and the entries of that log
/// without a record.
fn reasons_of(row: &MessageRow, entries: &[Logged<'_>]) -> (Vec<Option<usize>>, Vec<usize>) {
    let mut by_offset: Vec<(u64, usize)> = (0..row.recipient_count())
        .filter_map(|place| Some((row.offset(place)?, place)))
        .collect();
    by_offset.sort_unstable();
    let mut chosen = vec![None; row.recipient_count()];
    let mut left = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        if entry.log != Log::Defer {
            continue;
        }
        let offset = entry.offset.unwrap_or(0);
        let first = by_offset.partition_point(|(other, _)| *other < offset);
        let named = by_offset[first..]
            .iter()
            .take_while(|(other, _)| *other == offset);
        let mut found = false;
        for (_, record) in named {
            // The offset of the first original recipient comes with the address that the mail is redirected to.
            if !row.envelope.redirected || quoted(row, *record) == entry.address {
                chosen[*record] = Some(place);
                found = true;
            }
        }
        if !found {
            left.push(place);
        }
    }
    if left.is_empty() {
        return (chosen, left);
    }
    let mut last: HashMap<&[u8], usize> = HashMap::new();
    for place in &left {
        last.insert(entries[*place].address, *place);
    }
    let mut used: Vec<&[u8]> = Vec::new();
    for (record, chosen) in chosen.iter_mut().enumerate() {
        if let Some((address, place)) = last.get_key_value(quoted(row, record).as_slice()) {
            chosen.get_or_insert(*place);
            used.push(*address);
        }
    }
    for address in used {
        last.remove(address);
    }
    left.retain(|place| last.contains_key(entries[*place].address));
    (chosen, left)
}

/// Returns those of `places` that are the last for their record, or without an offset for their address.
fn last_of_each<'e>(entries: &'e [Logged<'_>], places: &[usize]) -> impl Iterator<Item = usize> {
    let mut last: HashMap<(Option<u64>, &'e [u8]), usize> = HashMap::new();
    for place in places {
        let entry = &entries[*place];
        last.insert((entry.offset, entry.address), *place);
    }
    last.into_values()
}

/// Returns the address of a record as logs write it.
fn quoted(row: &MessageRow, record: usize) -> Vec<u8> {
    let address = row.recipient(record).unwrap_or_default();
    // Postfix writes a C string.
    let end = memchr::memchr(0, address).unwrap_or(address.len());
    let address = &address[..end];
    let mut quoted = Vec::with_capacity(address.len() + 2);
    match address {
        b"" => quoted.extend_from_slice(b"(MAILER-DAEMON)"),
        address => quote_local(address, &mut quoted),
    }
    // As the reader of logs does with every line.
    for byte in &mut quoted {
        if byte.is_ascii_control() {
            *byte = b'?';
        }
    }
    quoted
}
