//! Why the mail waits that filters pick, message by message: for `queuewatch reasons` with filters, or with
//! the reasons as they are.

use std::sync::{Mutex, PoisonError};

use super::lifetime::tried_at;
use super::name_counts::Names;
use super::reason_key::{Spelling, make_key_as};
use super::reasons::{Reasons, Why};
use crate::error::Result;
use crate::instance::Instance;
use crate::listing::recipients::in_order;
use crate::listing::{ListOutcome, ListRequest, list};
use crate::postfix::address::destination;
use crate::scan::{Logged, MessageRow};

/// Why the messages that `request` picks wait, and how the reading went; a row for each next hop. With `raw`
/// reasons keep what changes from message to message. `renamed` makes the message whose texts are shown, if names are
/// replaced; the reason is judged as it was written.
///
/// # Errors
/// If no spool can be entered.
pub fn filtered_reasons(
    instances: Vec<Result<Instance>>,
    request: &ListRequest,
    raw: bool,
    renamed: Option<&(dyn Fn(&MessageRow) -> MessageRow + Sync)>,
) -> Result<(Reasons, ListOutcome)> {
    let spelling = match raw {
        true => Spelling::Raw,
        false => Spelling::Normal,
    };
    let sums = Mutex::new((Names::<Why>::default(), 0_u64));
    let count = |instance: &Instance, row: &MessageRow, _: &mut Vec<u8>| {
        let arrival = Some(row.arrival()).filter(|at| *at > 0);
        let next = row.inode.map_or(i64::MIN, |inode| inode.mtime);
        let tried = row
            .queue
            .and_then(|queue| tried_at(queue, next, arrival, &instance.settings));
        let (mut domain, mut key) = (Vec::new(), Vec::new());
        let entries: Vec<Logged<'_>> = row.logged().collect();
        let shown = renamed.map(|renamed| renamed(row));
        let shown = shown.as_ref().unwrap_or(row);
        let texts: Vec<Logged<'_>> = shown.logged().collect();
        for listed in in_order(row, &entries, false) {
            let Some(recipient) = listed.record.and_then(|place| row.recipient(place)) else {
                continue;
            };
            let delay = listed
                .entry
                .and_then(|place| entries.get(place).zip(texts.get(place)));
            let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
            let Some((entry, text)) = delay else {
                sums.1 += 1;
                continue;
            };
            destination(recipient, &mut domain);
            let judgement = instance.classifier.judge(entry.status, entry.reason);
            make_key_as(
                spelling,
                &domain,
                entry.status,
                &judgement,
                text.reason,
                &mut key,
            );
            let null_sender = row.envelope.null_sender;
            sums.0.add(&key, &Why::of(1, arrival, null_sender, tried));
        }
    };
    let outcome = list(instances, request, &count, &mut |_: &[u8]| Ok(()))?;
    let outcome = outcome.map_err(|error| {
        crate::error::Error::new(crate::error::ErrorKind::Io, error.to_string())
    })?;
    let (names, unexplained) = sums.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok((Reasons::of(&names, unexplained, request.now), outcome))
}
