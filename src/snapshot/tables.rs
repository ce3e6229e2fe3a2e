//! The tables of one queue: names and seconds, with what is counted for each.

use std::ops::{Index, IndexMut};

use super::ages::Ages;
use super::contribution::Sign;
use super::histogram::Seconds;
use super::name_counts::Names;
use super::reasons::Why;
use crate::postfix::queue::Queue;

/// Tables that somebody asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Recipients by destination domain and age.
    pub domains: bool,
    /// Messages by sender address.
    pub senders: bool,
    /// Messages by SASL login and client address.
    pub origins: bool,
    /// Messages by arrival second.
    pub arrivals: bool,
    /// Messages by the second in which they expire.
    pub expiries: bool,
    /// Recipients by the status code of their delay reason.
    pub codes: bool,
    /// Recipients by destination domain, status code and delay reason.
    pub reasons: bool,
}

impl Wanted {
    /// All tables.
    pub const ALL: Wanted = Wanted {
        domains: true,
        senders: true,
        origins: true,
        arrivals: true,
        expiries: true,
        codes: true,
        reasons: true,
    };

    /// The tables that a JSON document of a snapshot lists.
    pub const DOCUMENT: Wanted = Wanted {
        arrivals: false,
        expiries: false,
        ..Wanted::ALL
    };

    /// The tables of both.
    #[must_use]
    pub fn or(self, other: Wanted) -> Wanted {
        Wanted {
            domains: self.domains || other.domains,
            senders: self.senders || other.senders,
            origins: self.origins || other.origins,
            arrivals: self.arrivals || other.arrivals,
            expiries: self.expiries || other.expiries,
            codes: self.codes || other.codes,
            reasons: self.reasons || other.reasons,
        }
    }
}

/// The tables of one queue; those not wanted are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueTables {
    /// Recipients still to be delivered, by destination domain (as qshape cuts and folds it).
    pub domains: Names<Ages>,
    /// Messages by sender address, folded to lower case; `MAILER-DAEMON` is the null sender.
    pub senders: Names<u64>,
    /// Messages by SASL login and client address: see [`origins`](crate::snapshot::origins).
    pub origins: Names<u64>,
    /// Messages by arrival second.
    pub arrivals: Seconds,
    /// Messages by the second in which they reach their lifetime; none on hold.
    pub expiries: Seconds,
    /// Recipients by the enhanced status code of their last delay reason.
    pub codes: Names<u64>,
    /// Recipients by destination domain, status code and normalised reason: see [`Reason`](crate::snapshot::Reason).
    pub reasons: Names<Why>,
    /// Recipients without a delay reason on record: not tried yet, being tried now, or on hold.
    pub unexplained: u64,
}

impl QueueTables {
    /// Counts recipients by the status `code` of their delay reason; `None` if none is on record.
    pub(crate) fn change_codes(
        &mut self,
        code: Option<&[u8]>,
        recipients: u64,
        wanted: Wanted,
        sign: Sign,
    ) {
        match code {
            Some(code) if wanted.codes => self.codes.change(Some(code), &recipients, sign),
            Some(_) => {}
            None => {
                self.unexplained = match sign {
                    Sign::Add => self.unexplained.saturating_add(recipients),
                    Sign::Remove => self.unexplained.saturating_sub(recipients),
                }
            }
        }
    }
}

/// The tables of all queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables([QueueTables; Queue::ALL.len()]);

impl Tables {
    /// Moves all of `other` here.
    pub(super) fn take_in(&mut self, other: &mut Tables) {
        for (sum, own) in self.0.iter_mut().zip(&mut other.0) {
            sum.domains.merge(&own.domains);
            sum.senders.merge(&own.senders);
            sum.origins.merge(&own.origins);
            sum.arrivals.merge(&own.arrivals);
            sum.expiries.merge(&own.expiries);
            sum.codes.merge(&own.codes);
            sum.reasons.merge(&own.reasons);
            sum.unexplained += own.unexplained;
            // The memory goes too: sixteen threads would each keep room for what only one needs.
            *own = QueueTables::default();
        }
    }
}

impl Index<Queue> for Tables {
    type Output = QueueTables;
    fn index(&self, queue: Queue) -> &QueueTables {
        &self.0[queue.index()]
    }
}

impl IndexMut<Queue> for Tables {
    fn index_mut(&mut self, queue: Queue) -> &mut QueueTables {
        &mut self.0[queue.index()]
    }
}
