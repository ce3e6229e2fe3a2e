//! Generates messages one by one from a plan, without writing to disk.

use super::Plan;
use super::defer_log::Delay;
use super::people;
use super::queue_file::{QueueFile, RecipientState};
use super::random::Random;
use crate::postfix::queue::Queue;

/// `minimal_backoff_time`, seconds: the wait after a first failure (postfix.md, "Parameters that
/// shape the figures").
const MINIMAL_BACKOFF: i64 = 300;

/// `maximal_backoff_time`, seconds.
const MAXIMAL_BACKOFF: i64 = 4000;

/// The most recipients of one message.
const MOST_RECIPIENTS: u64 = 50;

/// A generated message that has not been written to disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its queue.
    pub queue: Queue,
    /// Arrival time, in seconds since the epoch.
    pub arrival: i64,
    /// The microseconds of the arrival time.
    pub(crate) arrival_usec: u32,
    /// The time of the last delivery attempt, in seconds since the epoch: the current attempt in active,
    /// the arrival time if there was no attempt.
    pub(crate) last_attempt: i64,
    /// The modification time of its file, in seconds since the epoch: the next retry, in the future, if
    /// it is in deferred; otherwise the last attempt.
    pub(crate) mtime: i64,
    /// The sender; empty for the null sender.
    pub sender: String,
    /// One or more recipients. At least one is not yet delivered.
    pub recipients: Vec<Recipient>,
    /// The subject, for people who look at the message.
    pub(crate) subject: &'static str,
    /// The length of the body without headers, in bytes.
    pub body_bytes: usize,
}

/// A recipient of a generated message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The address, in a form that needs no quoting.
    pub address: String,
    /// The alias from which this address was expanded.
    pub original: Option<String>,
    /// Whether the message was delivered to this recipient.
    pub done: bool,
    /// The delay reason. Set for every undelivered recipient in deferred.
    pub delay: Option<Delay>,
}

impl Message {
    /// The recipients that are not yet delivered.
    pub fn todo(&self) -> impl Iterator<Item = &Recipient> {
        self.recipients.iter().filter(|recipient| !recipient.done)
    }

    /// Builds the queue file of this message. Only the attribute `log_ident` contains the queue ID, so
    /// that the file size does not depend on the file system's inode numbers.
    pub fn queue_file(&self, queue_id: &str) -> QueueFile {
        let file = match self.queue {
            Queue::Maildrop => QueueFile::maildrop(self.arrival, self.arrival_usec)
                .record(b'F', b"root")
                .sender(self.sender.as_bytes()),
            _ => self.received(queue_id),
        };
        let mut file = self.recipients.iter().fold(file, |file, recipient| {
            let state = if recipient.done {
                RecipientState::Done
            } else {
                RecipientState::Todo
            };
            let address = recipient.address.as_bytes();
            let original = recipient
                .original
                .as_ref()
                .map_or(address, String::as_bytes);
            file.recipient(state, address, Some(original))
        });
        if self.queue == Queue::Corrupt {
            // Truncates the file, as a crash does: the most frequent kind of damage.
            file = file.without_end();
        }
        let from = match self.sender.as_str() {
            "" => "MAILER-DAEMON",
            sender => sender,
        };
        let head = format!(
            "From: {from}\nTo: undisclosed-recipients:;\nSubject: {}\n\
             Message-Id: <{}.{:06}@{}>\nX-Drill: made by queuewatch drill, not real mail\n\n",
            self.subject,
            self.arrival,
            self.arrival_usec,
            people::HOST
        );
        file.content(head.as_bytes()).filler(self.body_bytes)
    }

    /// The envelope up to the recipients, as for mail that smtpd received or bounce generated.
    fn received(&self, queue_id: &str) -> QueueFile {
        let file = QueueFile::cleanup(self.arrival, self.arrival_usec)
            .attribute("log_ident", queue_id)
            .attribute("rewrite_context", "local")
            .sender(self.sender.as_bytes());
        if self.sender.is_empty() {
            return file.attribute("log_message_origin", "local");
        }
        let address = format!("198.51.100.{}", 1 + self.sender.len() % 254);
        file.attribute("log_client_name", "client.drill.example")
            .attribute("log_client_address", &address)
            .attribute(
                "log_message_origin",
                &format!("client.drill.example[{address}]"),
            )
            .attribute("log_protocol_name", "ESMTPSA")
            .attribute("client_name", "client.drill.example")
            .attribute("client_address", &address)
            .attribute("sasl_method", "PLAIN")
            .attribute("sasl_username", &self.sender)
            .attribute("client_address_type", "2")
    }
}

/// An iterator over the messages of a plan, in the order in which they are written; see [`Plan::mail`].
#[derive(Debug)]
pub struct Mail {
    plan: Plan,
    random: Random,
    remaining: [u64; Queue::ALL.len()],
    /// The queue of the message whose age is exactly the plan's maximum, until that message is
    /// generated.
    oldest_in: Option<Queue>,
}

impl Mail {
    pub(super) fn new(plan: &Plan) -> Self {
        let remaining = plan.messages_per_queue();
        let by_age = [
            Queue::Deferred,
            Queue::Hold,
            Queue::Active,
            Queue::Corrupt,
            Queue::Incoming,
            Queue::Maildrop,
        ];
        Mail {
            plan: plan.clone(),
            random: Random::new(plan.seed),
            remaining,
            oldest_in: by_age
                .into_iter()
                .find(|queue| remaining[queue.index()] > 0),
        }
    }

    /// Draws a queue without replacement: queues are mixed as in a real spool, and their shares are
    /// exact.
    fn draw_queue(&mut self) -> Option<Queue> {
        let left: u64 = self.remaining.iter().sum();
        let mut drawn = self.random.below(left);
        for queue in Queue::ALL {
            let of_queue = &mut self.remaining[queue.index()];
            if drawn < *of_queue {
                *of_queue -= 1;
                return Some(queue);
            }
            drawn -= *of_queue;
        }
        None
    }

    /// The age in seconds of a message in `queue`.
    fn age(&mut self, queue: Queue) -> i64 {
        let oldest = self.plan.oldest;
        if self.oldest_in == Some(queue) {
            self.oldest_in = None;
            return oldest;
        }
        let at_most = match queue {
            Queue::Incoming => 20,
            Queue::Maildrop => 45,
            Queue::Active if self.random.chance(75) => 240,
            _ => oldest,
        };
        let at_most = at_most.min(oldest) as u64;
        let minutes = self.random.ranked(at_most / 60 + 1);
        let age = minutes * 60 + self.random.below(60);
        age.min(at_most) as i64
    }

    /// The rank of a recipient's domain. In deferred, most mail goes to destinations with an outage.
    fn draw_domain(&mut self, queue: Queue) -> u64 {
        let of_sick = match queue {
            Queue::Deferred => 60,
            Queue::Active => 40,
            _ => 0,
        };
        if self.random.chance(of_sick) {
            self.random.ranked(people::sick_domains(self.plan.domains))
        } else {
            self.random.ranked(self.plan.domains)
        }
    }

    fn recipients(&mut self, queue: Queue) -> Vec<Recipient> {
        let count = match self.random.below(100) {
            0..80 => 1,
            80..94 => 2 + self.random.below(4),
            _ => 2 + self.random.ranked(MOST_RECIPIENTS - 1),
        };
        let sick = people::sick_domains(self.plan.domains);
        let together = self.random.chance(50);
        let mut rank = self.draw_domain(queue);
        let original = self
            .random
            .chance(10)
            .then(|| people::alias(&mut self.random));
        let delivered = match queue {
            Queue::Active | Queue::Deferred if self.random.chance(40) => self.random.below(count),
            _ => 0,
        };
        let mut recipients: Vec<Recipient> = Vec::with_capacity(count as usize);
        for place in 0..count {
            if !together && place > 0 {
                rank = self.draw_domain(queue);
            }
            let domain = people::domain(rank);
            let local = people::local_part(&mut self.random);
            let mut address = format!("{local}@{domain}");
            if recipients.iter().any(|other| other.address == address) {
                // Adds the position to the address: cleanup drops duplicate recipients.
                address = format!("{local}+{place}@{domain}");
            }
            let done = place < delivered;
            recipients.push(Recipient {
                delay: (queue == Queue::Deferred && !done)
                    .then(|| people::delay(rank, sick, &domain, &address)),
                address,
                original: original.clone().filter(|_| queue != Queue::Maildrop),
                done,
            });
        }
        recipients
    }

    /// A body length in bytes: usually near the plan's, with a tail of up to sixteen times that length.
    fn body_bytes(&mut self) -> usize {
        let typical = u64::from(self.plan.body_bytes);
        let doublings = self.random.below(7).min(self.random.below(7));
        let least = (typical << doublings) / 4;
        (least + self.random.below(least + 1)) as usize
    }
}

impl Iterator for Mail {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let queue = self.draw_queue()?;
        let age = self.age(queue);
        let arrival = self.plan.now - age;
        let (last, next) = match queue {
            Queue::Active | Queue::Deferred => retries(age),
            _ => (0, 0),
        };
        let flooded = matches!(queue, Queue::Active | Queue::Deferred);
        Some(Message {
            queue,
            arrival,
            arrival_usec: self.random.below(1_000_000) as u32,
            last_attempt: arrival + last,
            mtime: arrival
                + match queue {
                    Queue::Deferred => next,
                    _ => last,
                },
            sender: people::sender(&mut self.random, flooded),
            recipients: self.recipients(queue),
            subject: people::subject(&mut self.random),
            body_bytes: self.body_bytes(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.remaining.iter().sum::<u64>() as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Mail {}

/// The last and the next retry of a message with this age, in seconds after arrival.
///
/// Postfix waits as long as the message is old, limited by the two backoff times
/// (qmgr_active.c:559-571): 300, 600, 1200, 2400, 4800, then 4000 each time.
fn retries(age: i64) -> (i64, i64) {
    let (mut last, mut next) = (0, MINIMAL_BACKOFF);
    while next <= age && next < MAXIMAL_BACKOFF {
        (last, next) = (next, 2 * next);
    }
    if next <= age {
        last = next + (age - next) / MAXIMAL_BACKOFF * MAXIMAL_BACKOFF;
        next = last + MAXIMAL_BACKOFF;
    }
    (last, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_back_off_as_postfix_does() {
        for (age, expected) in [
            (0, (0, 300)),
            (299, (0, 300)),
            (300, (300, 600)),
            (2399, (1200, 2400)),
            (2400, (2400, 4800)),
            (4800, (4800, 8800)),
            (8799, (4800, 8800)),
            (8800, (8800, 12800)),
            (432_000, (428_800, 432_800)),
        ] {
            assert_eq!(retries(age), expected, "{age}");
        }
        // Applies Postfix's rule attempt by attempt.
        let mut at = 0i64;
        while at < 100_000 {
            let next = at + at.clamp(MINIMAL_BACKOFF, MAXIMAL_BACKOFF);
            assert_eq!(retries(at), (at, next));
            assert_eq!(retries(next - 1), (at, next));
            at = next;
        }
    }

    #[test]
    fn the_same_plan_makes_the_same_mail() {
        let plan = Plan::default();
        assert!(plan.mail().eq(plan.mail()));
        let other = Plan {
            seed: plan.seed + 1,
            ..plan.clone()
        };
        assert!(!plan.mail().eq(other.mail()));
    }

    #[test]
    fn the_mail_of_a_plan_is_that_of_every_version() {
        // FNV-1a over the content of all messages: benchmarks of later versions must measure the same
        // mail.
        let fingerprint = |plan: Plan| {
            plan.mail()
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, message| {
                    let reasons: Vec<String> = message
                        .recipients
                        .iter()
                        .filter_map(|recipient| recipient.delay.as_ref())
                        .map(|delay| format!("{} {}", delay.status, delay.reason))
                        .collect();
                    let text = format!(
                        "{} {} {reasons:?} {}",
                        message.queue,
                        message.mtime,
                        message.queue_file("A").build().bytes.escape_ascii()
                    );
                    text.bytes().fold(hash, |hash, byte| {
                        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
                    })
                })
        };
        assert_eq!(fingerprint(Plan::default()), 7_824_556_404_638_525_812);
    }

    #[test]
    fn a_plan_is_kept() {
        let plan = Plan::default();
        let mail: Vec<Message> = plan.mail().collect();
        assert_eq!(mail.len(), 1000);
        assert_eq!(plan.mail().len(), 1000);
        let oldest = mail.iter().map(|message| message.arrival).min();
        assert_eq!(oldest, Some(plan.now - plan.oldest));
        for message in &mail {
            assert!(message.arrival <= plan.now);
            assert!(message.todo().count() > 0, "{message:?}");
            assert_eq!(message.queue == Queue::Deferred, message.mtime > plan.now);
            assert!(
                message
                    .todo()
                    .all(|r| r.delay.is_some() == (message.queue == Queue::Deferred))
            );
            assert!(message.queue_file("A").build().size > message.body_bytes as u64);
        }
        let count = |test: &dyn Fn(&&Message) -> bool| mail.iter().filter(test).count();
        assert!(count(&|message| message.sender.is_empty()) > 40);
        assert!(count(&|message| message.recipients.len() > 1) > 100);
        assert!(count(&|message| message.recipients.iter().any(|r| r.done)) > 20);
        assert!(count(&|message| message.recipients.iter().any(|r| r.original.is_some())) > 50);
        let giant =
            |message: &&Message| message.recipients[0].address.ends_with("@bigmail.example");
        assert!(count(&giant) > 200);
    }

    #[test]
    fn the_smallest_plans_work() {
        for (messages, domains, oldest, body_bytes) in [(0, 1, 0, 0), (1, 1, 0, 0), (7, 2, 59, 1)] {
            let plan = Plan {
                messages,
                domains,
                oldest,
                body_bytes,
                ..Plan::default()
            };
            assert_eq!(plan.mail().count() as u64, messages);
        }
    }
}
