//! What an event says of its message beyond figures: sender, first recipient, origin, cause.
//!
//! It is read from the queue file when the event is pulled: to keep it of every message would cost a watch of a
//! million some hundred megabytes. A message that has left has no file any more, so what was read last is
//! kept of the messages of the latest events, and most messages move to active before they leave.

use std::collections::{HashMap, VecDeque};

use crate::anonymize::Anonymizer;
use crate::cause::Cause;
use crate::cause::classify::Classifier;
use crate::origins::Grouping;
use crate::postfix::origin::Kind;
use crate::postfix::queue::Queue;
use crate::scan::MessageRow;

/// How many messages of the latest events are known after they have left.
const MAX_KEPT: usize = 1 << 13;
/// The largest number of bytes of one text here.
const MAX_TEXT: usize = 512;

/// What an event says of its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// The envelope sender; empty for the null sender.
    pub sender: Vec<u8>,
    /// The first recipient that waits; `None` if none does.
    pub recipient: Option<Vec<u8>>,
    /// What its origin is known by: `login`, `client`, `user` or `unknown`.
    pub origin_by: &'static str,
    /// That login, client or user; empty if nothing is on record.
    pub origin: Vec<u8>,
    /// Why its first recipient waits, if it is deferred and the log says so.
    pub cause: Option<Cause>,
}

impl About {
    /// Returns what `row` says.
    pub(super) fn of(row: &MessageRow, classifier: &Classifier) -> About {
        let bounded = |text: &[u8]| text.get(..MAX_TEXT).unwrap_or(text).to_vec();
        let kind = row.origin.kind();
        let mut origin = Vec::new();
        row.origin.name(kind, &mut origin);
        let delay = (0..row.recipient_count().min(MAX_TEXT)).find_map(|index| row.delay(index));
        let delay = delay.filter(|_| matches!(row.queue, Some(Queue::Deferred | Queue::Hold)));
        About {
            sender: bounded(&row.sender),
            recipient: row.recipient(0).map(bounded),
            origin_by: kind.name(),
            origin: bounded(&origin),
            cause: delay.map(|delay| classifier.judge(delay.status, delay.reason).cause),
        }
    }
}

impl About {
    /// Replaces every name of a person by a token.
    pub fn anonymize(&mut self, anonymizer: &Anonymizer) {
        self.sender = anonymizer.address(&self.sender);
        self.recipient = self
            .recipient
            .as_ref()
            .map(|recipient| anonymizer.address(recipient));
        let kind = Kind::from_name(self.origin_by);
        self.origin = anonymizer.origin(Grouping::Best, kind as u8, &self.origin);
    }
}

/// Instance and queue ID.
type Key = (String, Vec<u8>);

/// What was read last, of the messages of the latest events.
#[derive(Debug, Default)]
pub(super) struct Abouts {
    kept: HashMap<Key, About>,
    order: VecDeque<Key>,
}

impl Abouts {
    /// Keeps `about`, and forgets the oldest if there are too many.
    pub(super) fn keep(&mut self, instance: &str, queue_id: &[u8], about: About) {
        let key = (instance.to_owned(), queue_id.to_vec());
        if self.kept.insert(key.clone(), about).is_none() {
            self.order.push_back(key);
        }
        // Keys of messages that have left are in the order, too.
        while self.order.len() > MAX_KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.kept.remove(&oldest);
            }
        }
    }

    /// Returns what is known of a message that has left, and forgets it.
    pub(super) fn take(&mut self, instance: &str, queue_id: &[u8]) -> Option<About> {
        self.kept.remove(&(instance.to_owned(), queue_id.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_are_kept() {
        let mut abouts = Abouts::default();
        for number in 0..MAX_KEPT + 10 {
            let id = number.to_string().into_bytes();
            let about = About {
                sender: id.clone(),
                ..About::default()
            };
            abouts.keep("i", &id, about.clone());
            abouts.keep("i", &id, about);
        }
        assert_eq!(abouts.kept.len(), MAX_KEPT);
        assert_eq!(abouts.take("i", b"9"), None);
        assert_eq!(abouts.take("other", b"10"), None);
        assert_eq!(
            abouts.take("i", b"10").map(|about| about.sender),
            Some(b"10".to_vec())
        );
        assert_eq!(abouts.take("i", b"10"), None);
        assert!(abouts.order.len() <= MAX_KEPT);
    }
}
