//! What a later check needs from a snapshot: its time, and the number of messages in each queue.
//!
//! [`Snapshot::state`] makes the document, and [`Earlier::parse`] reads it. A snapshot that was taken with an
//! earlier one knows its [`Change`]. The host stores the document; nothing here touches a file.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::sample::CausesKnown;
use super::{InstanceSnapshot, Snapshot};
use crate::cause::Cause;
use crate::clock::Age;
use crate::error::{Error, ErrorKind, Result};
use crate::escape::{json_text, printable};
use crate::instance::Starts;
use crate::postfix::queue::{Queue, QueueSet};
use crate::sys::SinceBoot;
use std::os::unix::ffi::OsStrExt;

/// The schema, the first member of each of our JSON documents.
pub const SCHEMA: &str = "queuewatch/1";
/// The kind of a state document.
const KIND: &str = "state";
/// The longest state that is read, in bytes. 1,000 instances with every cause need less.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The largest difference of the clocks, in seconds, with which arrival times can be compared.
const CLOCK_STEP: f64 = 5.0;

/// The shortest time, in seconds, between two checks that have a rate. Over less time, one message more or
/// less would become many per minute.
pub(crate) const MIN_RATE_SPAN: f64 = 30.0;

/// The check that a scan is compared with.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Previous {
    /// No comparison was requested.
    #[default]
    NotAsked,
    /// This is the first check, or the earlier one is unusable.
    None,
    /// The earlier check.
    At(Earlier),
}

impl Previous {
    /// Returns the earlier check, if there is one.
    pub fn earlier(&self) -> Option<&Earlier> {
        match self {
            Previous::At(earlier) => Some(earlier),
            Previous::NotAsked | Previous::None => None,
        }
    }
}

/// The figures of an earlier check.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// Its time, in seconds of the epoch.
    pub(crate) now: i64,
    since_boot: Option<SinceBoot>,
    /// The exit code of the state that the check had, if it stored that.
    state_code: Option<i64>,
    spools: Vec<EarlierSpool>,
}

#[derive(Clone, Debug, PartialEq)]
struct EarlierSpool {
    /// As in the JSON document.
    queue_directory: String,
    /// `None` for a figure that was not known.
    messages: [Option<u64>; Queue::ALL.len()],
    /// The queue managers that were seen until then, in seconds of that boot.
    qmgr_starts: Starts,
    causes: Option<EarlierCauses>,
}

/// Why the deferred mail of a spool waited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EarlierCauses {
    is_sample: bool,
    /// Recipients by the name of the cause.
    recipients: Vec<(String, u64)>,
}

impl EarlierCauses {
    /// Returns true if only a sample of the reasons was read, so that a rare cause may be missing.
    pub(crate) fn is_sample(&self) -> bool {
        self.is_sample
    }

    /// The recipients of the cause `name`.
    pub(crate) fn of(&self, name: &str) -> u64 {
        let found = self.recipients.iter().find(|(cause, _)| cause == name);
        found.map_or(0, |(_, recipients)| *recipients)
    }

    fn parse(value: &Value) -> Option<EarlierCauses> {
        let recipients = value.get("recipients")?.as_object()?;
        let recipients = recipients
            .iter()
            .filter_map(|(cause, count)| Some((cause.clone(), count.as_u64()?)));
        Some(EarlierCauses {
            is_sample: value["sampled"].as_bool().unwrap_or(true),
            recipients: recipients.collect(),
        })
    }
}

impl Earlier {
    /// Parses the document of [`Snapshot::state`].
    ///
    /// # Errors
    /// Of kind `Syntax`, if it is not such a document.
    pub(crate) fn parse(document: &[u8]) -> Result<Earlier> {
        let refused = |what: &str| {
            Error::new(
                ErrorKind::Syntax,
                format!("not a state of queuewatch: {what}"),
            )
        };
        if document.len() > MAX_BYTES {
            return Err(refused("it is too long"));
        }
        let value: Value = serde_json::from_slice(document)
            .map_err(|cause| refused(&printable(cause.to_string().as_bytes(), 128)))?;
        if value["schema"] != SCHEMA || value["kind"] != KIND {
            return Err(refused("its schema is another"));
        }
        let now = value["now"].as_i64().ok_or_else(|| refused("no time"))?;
        let since_boot = value["boot"].as_object().and_then(|boot| {
            Some(SinceBoot {
                id: u128::from_str_radix(boot.get("id")?.as_str()?, 16).ok()?,
                seconds: boot.get("seconds")?.as_f64()?,
            })
        });
        let spools = value["instances"]
            .as_array()
            .ok_or_else(|| refused("no instances"))?
            .iter()
            .map(|spool| {
                let directory = spool["queue_directory"].as_str()?;
                Some(EarlierSpool {
                    queue_directory: directory.to_owned(),
                    messages: Queue::ALL.map(|queue| spool["messages"][queue.name()].as_u64()),
                    qmgr_starts: qmgr_starts(&spool["qmgr_starts"]),
                    causes: EarlierCauses::parse(&spool["causes"]),
                })
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| refused("an instance without queue_directory"))?;
        Ok(Earlier {
            now,
            since_boot,
            state_code: value["state_code"].as_i64(),
            spools,
        })
    }

    /// The exit code of the state that the check had; `None` if the host did not store it.
    pub(crate) fn state_code(&self) -> Option<i64> {
        self.state_code
    }

    /// Returns true if it has the spool of `taken`.
    pub(crate) fn knows(&self, taken: &InstanceSnapshot) -> bool {
        self.spool(taken).is_some()
    }

    /// Why the deferred mail of `taken` waited, if that was read.
    pub(crate) fn causes(&self, taken: &InstanceSnapshot) -> Option<&EarlierCauses> {
        self.spool(taken)?.causes.as_ref()
    }

    /// Returns true if it has one of the spools of `snapshot`.
    pub fn knows_any(&self, snapshot: &Snapshot) -> bool {
        snapshot.instances.iter().any(|taken| self.knows(taken))
    }

    /// Returns true if it has the spools of `snapshot` and is too recent for a rate. A check then keeps the
    /// stored state, so that it becomes old enough.
    pub(crate) fn is_too_young(&self, snapshot: &Snapshot) -> bool {
        let mut instances = snapshot.instances.iter();
        instances.all(|taken| self.spool(taken).is_some())
            && self.spools.len() == snapshot.instances.len()
            && matches!(self.seconds_to(snapshot), Ok(seconds) if seconds < MIN_RATE_SPAN)
    }

    fn spool(&self, taken: &InstanceSnapshot) -> Option<&EarlierSpool> {
        let directory = directory(&taken.instance.queue_directory);
        self.spools
            .iter()
            .find(|spool| spool.queue_directory == directory)
    }

    /// The queue managers of `taken` that were seen until then, if the host was not started since.
    pub(super) fn qmgr_starts(&self, taken: &InstanceSnapshot, now: SinceBoot) -> Option<Starts> {
        let same_boot = self.since_boot.is_some_and(|boot| boot.id == now.id);
        let spool = self.spool(taken).filter(|_| same_boot);
        spool.map(|spool| spool.qmgr_starts.clone())
    }

    /// Returns how many messages `queues` of `taken` had, if that was known.
    pub(crate) fn messages(&self, taken: &InstanceSnapshot, queues: QueueSet) -> Option<u64> {
        let spool = self.spool(taken)?;
        queues
            .iter()
            .map(|queue| spool.messages[queue.index()])
            .sum()
    }

    /// Returns the seconds from this check to `snapshot`.
    ///
    /// # Errors
    /// The reason why that is unknown. The next check will know.
    fn seconds_to(&self, snapshot: &Snapshot) -> Result<f64, String> {
        // The time since boot has no steps. The clock is for another boot and for `--now`.
        let seconds = match (self.since_boot, snapshot.since_boot) {
            (Some(before), Some(now)) if before.id == now.id => now.seconds - before.seconds,
            _ => (snapshot.now.saturating_sub(self.now)) as f64,
        };
        if seconds < 0.0 {
            return Err("the clock went back since the earlier check".to_owned());
        }
        Ok(seconds)
    }
}

/// The pairs of a document; what is odd is left out.
fn qmgr_starts(pairs: &Value) -> Starts {
    let pairs = pairs.as_array().into_iter().flatten();
    Starts::from_pairs(pairs.filter_map(|pair| Some((pair[0].as_f64()?, pair[1].as_u64()?))))
}

/// Why the deferred mail of `taken` waits, if that could be read.
fn causes(taken: &InstanceSnapshot) -> Option<Value> {
    if taken.lacks_reasons() {
        return None;
    }
    let known = CausesKnown::of(taken, Queue::Deferred)?;
    let counts = taken.causes(Queue::Deferred);
    let present = Cause::ALL.into_iter().filter(|cause| counts.of(*cause) > 0);
    let recipients: Map<String, Value> = present
        .map(|cause| (cause.name().to_owned(), counts.of(cause).into()))
        .collect();
    Some(json!({
        "sampled": matches!(known, CausesKnown::Sample(_)),
        "recipients": recipients,
    }))
}

fn directory(path: &Path) -> String {
    json_text(path.as_os_str().as_bytes()).into_owned()
}

/// The change of some queues since an earlier check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Change {
    /// The number of messages then.
    pub(crate) before: u64,
    /// The number of messages now.
    pub(crate) now: u64,
    /// The seconds between the two.
    pub(crate) seconds: f64,
}

impl Change {
    /// Returns the growth in messages per minute, to two digits; negative if the queue shrinks.
    pub(crate) fn per_minute(&self) -> f64 {
        let change = self.now as f64 - self.before as f64;
        (change * 6000.0 / self.seconds).round() / 100.0
    }

    /// Returns the seconds until there are `target` messages at this rate; `None` if that never happens.
    pub(crate) fn seconds_to(&self, target: f64) -> Option<f64> {
        let rate = (self.now as f64 - self.before as f64) / self.seconds;
        let seconds = (target - self.now as f64) / rate;
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds)
    }
}

/// The messages that arrived and left since an earlier check, over all queues of the backlog and hold. A
/// message that did both between the checks is in neither, so each is a lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Messages that arrived since and are still here.
    pub(crate) arrived: u64,
    /// Messages that were here and have left.
    pub(crate) left: u64,
}

impl Snapshot {
    /// Returns the document with which a later scan of these spools computes changes: see the option
    /// `previous`. Figures that are not exact are left out.
    pub fn state(&self) -> Value {
        let instances: Vec<Value> = self
            .instances
            .iter()
            .map(|taken| {
                let known = taken.plan.queues().iter().filter(|queue| {
                    !self.excluded.contains(*queue) && taken.tally(*queue).is_whole()
                });
                let messages: Map<String, Value> = known
                    .map(|queue| (queue.name().to_owned(), taken.tally(queue).messages.into()))
                    .collect();
                let mut spool = json!({
                    "queue_directory": directory(&taken.instance.queue_directory),
                    "messages": messages,
                    "qmgr_starts": taken.qmgr_starts.pairs().collect::<Vec<_>>(),
                });
                if let Some(causes) = causes(taken) {
                    spool["causes"] = causes;
                }
                spool
            })
            .collect();
        let boot = self.since_boot.map(|boot| {
            json!({
                "id": format!("{:032x}", boot.id),
                "seconds": boot.seconds,
            })
        });
        json!({
            "schema": SCHEMA,
            "kind": KIND,
            "now": self.now,
            "boot": boot,
            "instances": instances,
        })
    }

    /// Returns how `queues` of `instances` changed since the earlier check.
    ///
    /// # Errors
    /// The reason why that is unknown, for example because the earlier check was less than `MIN_RATE_SPAN`
    /// ago.
    pub(crate) fn change(
        &self,
        instances: &[&InstanceSnapshot],
        queues: QueueSet,
    ) -> Result<Change, String> {
        let change = self.difference(instances, queues)?;
        if change.seconds < MIN_RATE_SPAN {
            return Err(format!(
                "the earlier check was {} ago; a rate needs {} or more",
                Age(change.seconds as i64),
                Age(MIN_RATE_SPAN as i64)
            ));
        }
        Ok(change)
    }

    /// As `change`, for any time between the checks.
    fn difference(
        &self,
        instances: &[&InstanceSnapshot],
        queues: QueueSet,
    ) -> Result<Change, String> {
        let Some(earlier) = self.previous.earlier() else {
            return Err("there is no earlier check yet".to_owned());
        };
        let seconds = earlier.seconds_to(self)?;
        let (mut before, mut now) = (0, 0);
        for taken in instances {
            let known = earlier.messages(taken, queues);
            before += known.ok_or("the earlier check did not know the figure")?;
            let tallies = queues.iter().map(|queue| taken.tally(queue).messages);
            now += tallies.sum::<u64>();
        }
        Ok(Change {
            before,
            now,
            seconds,
        })
    }

    /// Returns what arrived and left since the earlier check. This needs the envelopes of all queues, and a
    /// clock that was not set.
    pub(crate) fn traffic(&self) -> Option<Traffic> {
        let earlier = self.previous.earlier()?;
        let instances: Vec<&InstanceSnapshot> = self.instances.iter().collect();
        let change = self.difference(&instances, QueueSet::TOTAL).ok()?;
        if change.seconds < 1.0 {
            return None;
        }
        let clock = self.now.saturating_sub(earlier.now) as f64;
        let read = |taken: &&InstanceSnapshot| {
            QueueSet::TOTAL.iter().all(|queue| {
                taken.plan.depth(queue) >= Some(crate::scan::Depth::Envelopes)
                    && taken.tally(queue).is_whole()
            })
        };
        if (clock - change.seconds).abs() > CLOCK_STEP || !instances.iter().all(read) {
            return None;
        }
        let arrived = instances
            .iter()
            .flat_map(|taken| {
                QueueSet::TOTAL
                    .iter()
                    .map(|queue| taken.tally(queue).arrived)
            })
            .sum::<u64>();
        let left = (change.before + arrived).saturating_sub(change.now);
        Some(Traffic { arrived, left })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_per_minute_and_continues() {
        let change = |before, now, seconds| Change {
            before,
            now,
            seconds,
        };
        for (change, rate, to_zero, to_1000) in [
            (change(100, 160, 60.0), 60.0, None, Some(840.0)),
            (change(160, 100, 30.0), -120.0, Some(50.0), None),
            (change(5, 5, 60.0), 0.0, None, None),
            (change(0, 1, 90.0), 0.67, None, Some(89_910.0)),
        ] {
            assert!((change.per_minute() - rate).abs() < 1e-9, "{change:?}");
            let whole = |seconds: Option<f64>| seconds.map(f64::round);
            assert_eq!(whole(change.seconds_to(0.0)), to_zero, "{change:?}");
            assert_eq!(whole(change.seconds_to(1000.0)), to_1000, "{change:?}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_state_is_refused_with_the_reason() {
        for (document, part) in [
            (&b""[..], "EOF"),
            (b"\x00\xff", "expected value"),
            (b"[]", "its schema is another"),
            (br#"{"schema": "queuewatch/1"}"#, "its schema is another"),
            (
                br#"{"schema": "queuewatch/2", "kind": "state"}"#,
                "its schema",
            ),
            (br#"{"schema": "queuewatch/1", "kind": "state"}"#, "no time"),
            (
                br#"{"schema": "queuewatch/1", "kind": "state", "now": 5}"#,
                "no instances",
            ),
            (
                br#"{"schema": "queuewatch/1", "kind": "state", "now": 5, "instances": [{}]}"#,
                "without queue_directory",
            ),
            (&vec![b' '; MAX_BYTES + 1], "too long"),
        ] {
            let error = Earlier::parse(document).expect_err("no state").to_string();
            assert!(error.starts_with("not a state of queuewatch: "), "{error}");
            assert!(error.contains(part), "{error}");
        }
        let odd = br#"{"schema": "queuewatch/1", "kind": "state", "now": 5, "boot": {"id": "x"},
            "instances": [{"queue_directory": "/a", "messages": {"deferred": -1, "hold": 7}}]}"#;
        let earlier = Earlier::parse(odd).expect("odd values are unknown");
        assert_eq!(earlier.since_boot, None);
        assert_eq!(earlier.spools[0].messages[Queue::Deferred.index()], None);
        assert_eq!(earlier.spools[0].messages[Queue::Hold.index()], Some(7));
        assert_eq!(
            (earlier.state_code, &earlier.spools[0].causes),
            (None, &None)
        );
        let full = br#"{"schema": "queuewatch/1", "kind": "state", "now": 5, "state_code": 2,
            "instances": [{"queue_directory": "/a", "messages": {},
            "causes": {"sampled": false, "recipients": {"filter": 7, "dns": "x"}}}]}"#;
        let earlier = Earlier::parse(full).expect("a state");
        let causes = earlier.spools[0].causes.as_ref().expect("causes");
        assert_eq!((earlier.state_code, causes.is_sample()), (Some(2), false));
        assert_eq!((causes.of("filter"), causes.of("dns")), (7, 0));
    }
}
