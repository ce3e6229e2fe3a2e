//! What `postqueue -j` lists, added up: the other side of every comparison.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The queues that `postqueue` lists.
pub(crate) const LISTED: [&str; 5] = ["maildrop", "incoming", "active", "deferred", "hold"];

/// What `postqueue -j` lists of one queue, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) messages: u64,
    pub(crate) recipients: u64,
    pub(crate) bytes: u64,
    /// The arrival time of the oldest message.
    pub(crate) oldest: Option<i64>,
    /// Recipients by destination domain, in lower case.
    pub(crate) domains: BTreeMap<String, u64>,
    /// Messages by sender address; the null sender is `MAILER-DAEMON`.
    pub(crate) senders: BTreeMap<String, u64>,
}

/// Adds up a whole listing. `redirect` is the address that redirected mail goes to.
pub(crate) fn count(listed: &[Value], redirect: &str) -> BTreeMap<&'static str, Counted> {
    let mut queues = LISTED.map(|queue| (queue, Counted::default()));
    for message in listed {
        let (_, counted) = queues
            .iter_mut()
            .find(|(queue, _)| message["queue_name"] == *queue)
            .unwrap_or_else(|| panic!("a queue that postqueue should not list: {message}"));
        let arrival = message["arrival_time"].as_i64().expect("seconds");
        let recipients = recipients(message, redirect);
        counted.messages += 1;
        counted.recipients += recipients.len() as u64;
        counted.bytes += message["message_size"].as_u64().expect("bytes");
        counted.oldest = Some(counted.oldest.map_or(arrival, |oldest| oldest.min(arrival)));
        for recipient in recipients {
            let (_, domain) = recipient.rsplit_once('@').expect("a domain");
            *counted
                .domains
                .entry(domain.to_ascii_lowercase())
                .or_default() += 1;
        }
        let sender = message["sender"].as_str().expect("an address");
        *counted.senders.entry(sender.to_owned()).or_default() += 1;
    }
    BTreeMap::from(queues)
}

/// The recipients that a listed message still has, each once.
///
/// showq first prints the defer log and then the recipients of the queue file that it does not remember, and it
/// remembers no more than 1000: of 1500 deferred ones 500 come twice. From 3.11 on it also prints those that bounced.
/// Where a message is redirected, the log names the target, to which one delivery is made for all of them.
fn recipients<'m>(message: &'m Value, redirect: &str) -> BTreeSet<&'m str> {
    let listed: BTreeSet<&str> = message["recipients"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|recipient| recipient.get("bounce_reason").is_none())
        .map(|recipient| recipient["address"].as_str().expect("an address"))
        .collect();
    match listed.get(redirect) {
        Some(target) => BTreeSet::from([*target]),
        None => listed,
    }
}

/// The figures of one queue, as both sides give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) messages: u64,
    pub(crate) recipients: u64,
    pub(crate) bytes: u64,
    /// Age in seconds of the oldest message; 0 in an empty queue.
    pub(crate) oldest: i64,
}

impl Counted {
    pub(crate) fn figures(&self, now: i64) -> Figures {
        Figures {
            messages: self.messages,
            recipients: self.recipients,
            bytes: self.bytes,
            oldest: self.oldest.map_or(0, |arrival| now - arrival),
        }
    }
}

/// The figures of one queue in the program's JSON document. This is the one place that knows its shape.
pub(crate) fn reported(document: &Value, queue: &str) -> Figures {
    let figure = |name: &str| {
        let pointer = format!("/instances/0/queues/{queue}/{name}");
        document
            .pointer(&pointer)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("no whole number at {pointer} in {document:#}"))
    };
    Figures {
        messages: figure("messages"),
        recipients: figure("recipients"),
        bytes: figure("bytes"),
        oldest: figure("oldest") as i64,
    }
}
