//! The recipients of one message: each with its state, and what its logs say of the last try.

use std::collections::{HashMap, HashSet};

use crate::cause::classify::Classifier;
use crate::cause::{Acts, Cause};
use crate::listing::recipients::in_order;
use crate::postfix::defer_log::Log;
use crate::scan::{FoundMessage, Logged, MAX_OTHERS};

/// How far a recipient is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// It is still to be delivered.
    Waiting,
    /// A REDIRECT action sends the message to another address in its place. It is not tried.
    Replaced,
    /// It was given up. The sender gets the bounce at the end of this attempt.
    Bounced,
    /// It is done: delivered, or given up with a bounce to the sender.
    Done,
    /// A milter deleted it.
    Deleted,
}

impl State {
    /// The word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Replaced => "replaced",
            State::Bounced => "bounced",
            State::Done => "done",
            State::Deleted => "deleted",
        }
    }
}

/// What a log says of the last try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which log.
    pub(crate) log: Log,
    /// The enhanced status code.
    pub(crate) code: Vec<u8>,
    /// The reason.
    pub reason: Vec<u8>,
    /// Its cause, if it is about a delay or a failure.
    pub(crate) cause: Option<(Cause, Acts)>,
    /// The next hop that it is about; empty if it names none.
    pub(crate) next_hop: Vec<u8>,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Its address: raw from the queue file, or as a log writes it where the file has none.
    pub address: Vec<u8>,
    /// The address before expansion, if that is another.
    pub original: Option<Vec<u8>>,
    /// Its state.
    pub(crate) state: State,
    /// The result of the last attempt, if a log has it.
    pub tried: Option<Tried>,
}

/// All recipients of `found` that are held: those that wait, replaced, given up, done with, deleted, each in
/// the order of the file. Of redirected mail the target waits, whether the log has it or not.
pub(super) fn of(found: &FoundMessage, classifier: &Classifier) -> Vec<Recipient> {
    let row = &found.row;
    let entries: Vec<Logged<'_>> = row.logged().collect();
    let mut all: Vec<Recipient> = Vec::new();
    let mut told = in_order(row, &entries, false);
    // An address that only the log has is where redirected mail goes: it comes last.
    told.sort_by_key(|one| one.record.unwrap_or(usize::MAX));
    for one in told {
        let entry = one.entry.map(|place| &entries[place]);
        let record = one.record.and_then(|place| row.recipient(place));
        let original = one.record.and_then(|place| row.original(place));
        let state = match record.is_some() && row.envelope.redirected {
            true => State::Replaced,
            false => State::Waiting,
        };
        all.push(recipient(
            record.or(entry.map(|entry| entry.address)),
            original,
            state,
            entry.map(|entry| tried(entry, classifier)),
        ));
    }
    if let (Some(target), false) = (&found.redirect, all.is_empty()) {
        if all.iter().all(|one| one.state == State::Replaced) {
            all.push(recipient(Some(target), None, State::Waiting, None));
        }
        all.sort_by_key(|recipient| recipient.state);
    }
    // The last entry of a record counts, as in the defer log.
    let ended = |entry: &&Logged<'_>| entry.log != Log::Defer;
    let by_offset: HashMap<u64, &Logged<'_>> = entries
        .iter()
        .filter(ended)
        .filter_map(|entry| Some((entry.offset?, entry)))
        .collect();
    let mut used: HashSet<u64> = HashSet::new();
    let mut finished = Vec::new();
    for other in &found.others {
        let state = match other.kind {
            b'D' => State::Done,
            b'/' => State::Deleted,
            _ => continue,
        };
        used.insert(other.offset);
        let entry = by_offset.get(&other.offset).copied();
        let state = match entry {
            Some(entry) if entry.log == Log::Bounce => State::Bounced,
            _ => state,
        };
        finished.push(recipient(
            Some(&other.data),
            other.original.as_deref(),
            state,
            entry.map(|entry| tried(entry, classifier)),
        ));
    }
    for entry in &entries {
        // Redirected mail bounces under an address that the file does not have.
        let is_told = entry.offset.is_some_and(|offset| used.contains(&offset));
        if entry.log == Log::Bounce && !is_told && found.others.len() < MAX_OTHERS {
            let address = Some(entry.address);
            let tried = Some(tried(entry, classifier));
            finished.push(recipient(address, None, State::Bounced, tried));
        }
    }
    finished.sort_by_key(|recipient| recipient.state);
    all.append(&mut finished);
    all
}

fn recipient(
    address: Option<&[u8]>,
    original: Option<&[u8]>,
    state: State,
    tried: Option<Tried>,
) -> Recipient {
    let address = address.unwrap_or_default().to_vec();
    let original = original.filter(|original| !original.is_empty() && *original != address);
    Recipient {
        original: original.map(<[u8]>::to_vec),
        address,
        state,
        tried,
    }
}

fn tried(entry: &Logged<'_>, classifier: &Classifier) -> Tried {
    let mut next_hop = Vec::new();
    let judged = (entry.log != Log::Trace).then(|| {
        let judgement = classifier.judge(entry.status, entry.reason);
        if let Some(hop) = &judgement.next_hop {
            hop.write(&mut next_hop);
        }
        (judgement.cause, judgement.acts)
    });
    Tried {
        log: entry.log,
        code: entry.status.to_vec(),
        reason: entry.reason.to_vec(),
        cause: judged,
        next_hop,
    }
}
