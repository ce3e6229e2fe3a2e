//! Why mail waits: recipients by destination domain, status code and reason.
//!
//! The table of a queue is keyed by those three in one name; here they are put together and taken
//! apart. Reasons are normalised, so that what changes from message to message makes no new row.

use std::ops::AddAssign;

use super::name_counts::{Count, Names};
use super::{InstanceSnapshot, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::postfix::delay_reason::normalise;
use crate::postfix::queue::{Queue, QueueSet};

/// Bytes of a domain in a key; with a code and a reason it stays below the limit of a name.
const MAX_DOMAIN: usize = 512;
/// Bytes of a status code; RFC 3463 needs 9.
const MAX_CODE: usize = 16;

/// How many wait for one reason, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Why {
    /// Recipients.
    pub recipients: u64,
    /// The earliest arrival among their messages, in seconds of the epoch; `i64::MAX` if none is known.
    pub oldest: i64,
}

impl Default for Why {
    fn default() -> Self {
        Why {
            recipients: 0,
            oldest: i64::MAX,
        }
    }
}

impl AddAssign<&Why> for Why {
    fn add_assign(&mut self, other: &Why) {
        self.recipients += other.recipients;
        self.oldest = self.oldest.min(other.oldest);
    }
}

impl Count for Why {
    fn total(&self) -> u64 {
        self.recipients
    }
}

/// Puts the key of `domain`, `code` and `reason` (raw) together in `key`, which is cleared first.
pub(crate) fn make_key(domain: &[u8], code: &[u8], reason: &[u8], key: &mut Vec<u8>) {
    normalise(reason, key);
    let mut head = Vec::with_capacity(code.len() + domain.len() + 2);
    head.extend(code.iter().take(MAX_CODE).filter(|byte| **byte != 0));
    head.push(0);
    head.extend(domain.iter().take(MAX_DOMAIN).filter(|byte| **byte != 0));
    head.push(0);
    key.splice(..0, head);
}

/// One row of why mail waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The destination domain, as qshape cuts and folds it.
    pub domain: Vec<u8>,
    /// The enhanced status code that the log gives, such as `4.4.1`.
    pub code: Vec<u8>,
    /// The reason, with its changing parts replaced (see [`crate::postfix::delay_reason`]).
    pub reason: Vec<u8>,
    /// Recipients that wait for it.
    pub recipients: u64,
    /// The earliest arrival among their messages, in seconds of the epoch, if any is known.
    pub oldest: Option<i64>,
}

impl Reason {
    /// The row of a key of [`super::QueueTables::reasons`].
    pub fn of(key: &[u8], why: &Why) -> Reason {
        let mut parts = key.splitn(3, |byte| *byte == 0);
        let mut part = || parts.next().unwrap_or_default().to_vec();
        let (code, domain, reason) = (part(), part(), part());
        Reason {
            domain,
            code,
            reason,
            recipients: why.recipients,
            oldest: (why.oldest != i64::MAX).then_some(why.oldest),
        }
    }
}

/// Why mail of some queues waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasons {
    /// The rows, most recipients first, then by domain, code and reason.
    pub rows: Vec<Reason>,
    /// Recipients that wait for reasons that did not fit in the table.
    pub unlisted: u64,
    /// Recipients without a reason on record.
    pub unexplained: u64,
}

impl Snapshot {
    /// [`Snapshot::reasons`], for a caller that did not make the scan.
    ///
    /// # Errors
    /// If this snapshot was limited to measures and no reasons were read.
    pub fn known_reasons(&self, queues: QueueSet) -> Result<Reasons> {
        let read = |taken: &InstanceSnapshot| queues.iter().any(|queue| is_read(taken, queue));
        if self.instances.iter().any(read) {
            return Ok(self.reasons(queues));
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "delay reasons were not read in this scan",
        )
        .with_remedy("leave out the options measure and counts"))
    }

    /// Why the mail of `queues` waits, over all instances that read it.
    pub fn reasons(&self, queues: QueueSet) -> Reasons {
        let mut all = Names::<Why>::default();
        let mut reasons = Reasons::default();
        for taken in &self.instances {
            for queue in queues.iter().filter(|queue| is_read(taken, *queue)) {
                let table = &taken.tables[queue];
                all.merge(&table.reasons);
                reasons.unexplained += table.unexplained;
            }
        }
        reasons.unlisted = all.others.recipients;
        reasons.rows = all.iter().map(|(key, why)| Reason::of(key, why)).collect();
        reasons.rows.sort_by(|a, b| {
            let name = |row: &Reason| (row.domain.clone(), row.code.clone(), row.reason.clone());
            b.recipients
                .cmp(&a.recipients)
                .then_with(|| name(a).cmp(&name(b)))
        });
        reasons
    }
}

fn is_read(taken: &InstanceSnapshot, queue: Queue) -> bool {
    taken.wanted.reasons && taken.plan.depth(queue) == Some(crate::scan::Depth::Reasons)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_apart_as_it_was_put_together() {
        let mut key = Vec::new();
        make_key(b"x.example", b"4.2.2", b"<a@x.example>: full", &mut key);
        let why = Why {
            recipients: 3,
            oldest: 7,
        };
        let reason = Reason::of(&key, &why);
        assert_eq!(reason.domain, b"x.example");
        assert_eq!(reason.code, b"4.2.2");
        assert_eq!(reason.reason, b"ADDRESS: full");
        assert_eq!((reason.recipients, reason.oldest), (3, Some(7)));
    }

    #[test]
    fn a_hostile_name_cannot_shift_the_parts() {
        let mut key = Vec::new();
        make_key(&[b'd'; 5000], b"4\x00.4", &[0; 9000], &mut key);
        assert!(key.len() <= crate::snapshot::name_counts::MAX_NAME);
        let reason = Reason::of(&key, &Why::default());
        assert_eq!(reason.code, b"4.4");
        assert_eq!(reason.domain, [b'd'; MAX_DOMAIN]);
        assert_eq!(reason.oldest, None);
    }
}
