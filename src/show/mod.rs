//! All about single messages: where each is, who sent it, what was tried for each recipient, and what
//! happens to it next.
//!
//! In go queue IDs and spools; out come [`Story`]s, plain values that a rendering prints. Judgements of
//! causes are the instance's own.

mod fate;
mod recipients;

use std::path::PathBuf;

use crate::clock::Deadline;
use crate::error::Result;
use crate::instance::{self, Instance};
use crate::listing::pick::Context;
use crate::listing::{ListOutcome, opened};
use crate::postfix::body::Body;
use crate::postfix::damage::Damage;
use crate::postfix::header;
use crate::postfix::origin::Origin;
use crate::postfix::queue::Queue;
use crate::rights;
use crate::scan::{Finder, FoundMessage, MAX_OTHERS, OwnerFault};
use crate::sys::Inode;

pub(crate) use fate::{Fate, Next};
pub(crate) use recipients::{Recipient, State, Tried};

/// The headers that are shown unless the request has `all_headers`.
pub(crate) const HEADERS: [&str; 8] = [
    "From",
    "To",
    "Subject",
    "Message-ID",
    "Date",
    "List-Id",
    "X-Originating-IP",
    "X-PHP-Originating-Script",
];

/// What to tell of a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShowRequest {
    /// All headers, not only `HEADERS`.
    pub all_headers: bool,
    /// Bytes of its text.
    pub body: Option<usize>,
    /// Whether to list every directory for a message that is not where Postfix looks for it.
    pub walk: bool,
    /// The second of the epoch that ages count from.
    pub now: i64,
    /// When to stop.
    pub deadline: Deadline,
}

/// A header, its value decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its name as the message spells it.
    pub(crate) name: Vec<u8>,
    /// Its value, unfolded, with encoded words decoded.
    pub(crate) value: Vec<u8>,
}

/// All about one message. Texts are raw bytes: they are escaped where they are printed.
#[derive(Clone, Debug)]
pub struct Story {
    /// The name of its instance.
    pub(crate) instance: String,
    /// Its queue.
    pub queue: Queue,
    /// The path of its queue file.
    pub(crate) path: PathBuf,
    /// Its queue ID.
    pub(crate) queue_id: Vec<u8>,
    /// What its inode says.
    pub(crate) inode: Inode,
    /// Whether it is complete: Postfix may still be writing it.
    pub ready: bool,
    /// Whether Postfix looks for it in another directory.
    pub misplaced: bool,
    /// Why its owner stops Postfix, if it does.
    pub(crate) fault: Option<OwnerFault>,
    /// What is wrong with the queue file, if anything.
    pub damage: Option<Damage>,
    /// When it arrived, in seconds of the epoch.
    pub arrival: i64,
    /// The size that mailq prints, in bytes.
    pub(crate) size: u64,
    /// The envelope sender; empty for the null sender, `None` if the file has none.
    pub sender: Option<Vec<u8>>,
    /// Where it came from.
    pub(crate) origin: Origin,
    /// The address that a REDIRECT action sends it to.
    pub(crate) redirect: Option<Vec<u8>>,
    /// The content filter that a FILTER action or `content_filter` chose for it.
    pub(crate) filter: Option<Vec<u8>>,
    /// Its recipients: those that wait, then those given up, done with and deleted.
    pub recipients: Vec<Recipient>,
    /// How many wait: of redirected mail its target alone.
    pub waiting: u64,
    /// How many are not tried, because the message is redirected.
    pub(crate) replaced: u64,
    /// How many are done with: delivered or given up.
    pub(crate) done: u64,
    /// How many a milter deleted.
    pub(crate) deleted: u64,
    /// Headers, in the order of the message. None with borrowed rights: they are content.
    pub(crate) headers: Vec<Header>,
    /// Whether there are more headers than are told.
    pub(crate) headers_cut: bool,
    /// A piece of its text.
    pub(crate) body: Option<Body>,
    /// What becomes of it.
    pub(crate) fate: Fate,
}

/// What was found of the queue IDs that were asked for.
#[derive(Debug, Default)]
pub struct Stories {
    /// The messages, in the order of the queue IDs, then of instances.
    pub found: Vec<Story>,
    /// Queue IDs of no message.
    pub missing: Vec<Vec<u8>>,
    /// What could not be looked at.
    pub outcome: ListOutcome,
}

/// Tells all about the messages called `queue_ids` in `instances`.
///
/// # Errors
/// If no spool can be entered, or the request has content of messages that the caller may not read. A broken instance beside others is in the outcome.
pub fn tell(
    instances: Vec<Result<Instance>>,
    queue_ids: &[Vec<u8>],
    request: &ShowRequest,
) -> Result<Stories> {
    if request.all_headers || request.body.is_some() {
        instance::refuse_content("what --headers and --body print")?;
    }
    let mut stories = Stories::default();
    let spools = opened(instances, &mut stories.outcome)?;
    let mut finders: Vec<(Finder<'_>, Context, &Instance)> = spools
        .iter()
        .map(|(spool, instance)| {
            let finder = Finder::new(spool, request.body, request.deadline);
            (finder, Context::of(instance, request.now), instance)
        })
        .collect();
    for queue_id in queue_ids {
        let before = stories.found.len();
        for (finder, context, instance) in &mut finders {
            for found in finder.find(queue_id, request.walk) {
                let story = Story::of(&found, instance, context, request.all_headers);
                stories.found.push(story);
            }
        }
        if stories.found.len() == before {
            stories.missing.push(queue_id.clone());
        }
    }
    for (finder, ..) in finders {
        let (gaps, cut) = finder.finish();
        let unreadable = gaps.len() as u64;
        stories.outcome.take_in(gaps, unreadable, cut);
    }
    Ok(stories)
}

impl Story {
    fn of(
        found: &FoundMessage,
        instance: &Instance,
        context: &Context,
        all_headers: bool,
    ) -> Story {
        let row = &found.row;
        let envelope = &row.envelope;
        let name = std::ffi::OsStr::new(std::str::from_utf8(&row.queue_id).unwrap_or_default());
        let filter = found.others.iter().rfind(|other| other.kind == b'L');
        Story {
            instance: instance.name.clone(),
            queue: row.queue.unwrap_or(Queue::Deferred),
            path: row.directory.join(name),
            queue_id: row.queue_id.clone(),
            inode: row.inode.unwrap_or(Inode::NONE),
            ready: found.ready,
            misplaced: found.misplaced,
            fault: found.fault,
            // What is still being written ends somewhere.
            damage: envelope.damage.filter(|_| found.ready),
            arrival: row.arrival(),
            size: row.size,
            sender: envelope.has_sender.then(|| row.sender.clone()),
            origin: row.origin.clone(),
            redirect: found.redirect.clone(),
            filter: filter.map(|filter| filter.data.clone()),
            recipients: recipients::of(found, &context.classifier),
            waiting: match envelope.redirected {
                true => envelope.recipients.min(1),
                false => envelope.recipients,
            },
            replaced: match envelope.redirected {
                true => envelope.recipients,
                false => 0,
            },
            done: envelope.done,
            deleted: envelope.canceled,
            headers: headers(found, all_headers),
            headers_cut: found.headers_cut || rights::are_borrowed(),
            body: found.body.clone(),
            fate: Fate::of(found, context),
        }
    }

    /// Whether Postfix returns it at its next attempt (`postsuper -e`).
    pub fn is_forced_expire(&self) -> bool {
        self.queue != Queue::Maildrop && self.inode.mode & 0o010 != 0
    }

    /// Whether its mode has bits that Postfix takes for a command, or that only an administrator sets.
    pub(crate) fn is_altered(&self) -> bool {
        self.queue != Queue::Maildrop && self.inode.mode & 0o077 != 0
    }

    /// How many recipients are not among [`Story::recipients`].
    pub(crate) fn unlisted(&self) -> u64 {
        let all = self.waiting + self.replaced + self.done + self.deleted;
        match self.done + self.deleted > MAX_OTHERS as u64 {
            true => all.saturating_sub(self.recipients.len() as u64),
            false => 0,
        }
    }
}

fn headers(found: &FoundMessage, all: bool) -> Vec<Header> {
    if rights::are_borrowed() {
        return Vec::new();
    }
    let lines = found.row.headers();
    let split = lines.filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at(colon);
        Some(Header {
            name: name.trim_ascii().to_vec(),
            value: header::decoded(value.get(1..).unwrap_or_default().trim_ascii()),
        })
    });
    let wanted = |header: &Header| {
        all || HEADERS
            .iter()
            .any(|name| header.name.eq_ignore_ascii_case(name.as_bytes()))
    };
    split.filter(wanted).collect()
}
