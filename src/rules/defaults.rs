//! The rules of a check that was given none, each with its reason.
//!
//! They fit any host. Residue is quiet: mistyped domains, forged senders and full mailboxes of five days,
//! greylisting, a provider that limits a newsletter, mail on hold, a large mailing on its way. Trouble
//! of our own is loud within minutes. So rules look at causes, ages and states, not at counts of messages.

use std::collections::HashSet;

use once_cell::race::OnceBox;

use super::condition::Condition;
use super::joined::Joined;
use super::rule::{Level, Rule};
use crate::cause::Cause;
use crate::measure::{Figure, Kind, Measure, Quality, Subject};
use crate::postfix::queue::{Queue, QueueSet};
use crate::snapshot::Snapshot;
use crate::snapshot::delayed_mail::PATIENT;
use crate::snapshot::reasons::Reasons;
use crate::snapshot::spread::family;

/// One default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Default {
    /// Its level.
    pub(crate) level: Level,
    /// The rule, as it is written.
    pub(crate) rule: &'static str,
    /// What it leaves out, or what else must be so.
    pub(crate) condition: Condition,
    /// Why it is one.
    pub(crate) why: &'static str,
}

/// Causes that are about single recipients, or that end by waiting.
const OF_RECIPIENTS: &[Cause] = &[
    Cause::Throttled,
    Cause::Greylisted,
    Cause::Mailbox,
    Cause::Recipient,
];
/// Causes that have a rule of their own, or that one of two sides has.
const TOLD_APART: &[Cause] = &[
    Cause::Filter,
    Cause::Delivery,
    Cause::Configuration,
    Cause::Storage,
    Cause::Authentication,
    Cause::Relay,
    Cause::Blocked,
    Cause::Tls,
];
/// Above this share of `qmgr_message_active_limit`, in percent, new mail waits in incoming by design.
const ROOM: f64 = 90.0;

const fn critical(rule: &'static str, why: &'static str) -> Default {
    default(Level::Critical, rule, Condition::None, why)
}

const fn warning(rule: &'static str, why: &'static str) -> Default {
    default(Level::Warning, rule, Condition::None, why)
}

const fn default(
    level: Level,
    rule: &'static str,
    condition: Condition,
    why: &'static str,
) -> Default {
    Default {
        level,
        rule,
        condition,
        why,
    }
}

/// All defaults, in the order of the guide.
#[rustfmt::skip]
pub(crate) const DEFAULTS: &[Default] = &[
    critical("deferred.cause(filter)=0", "all mail passes the content filter or the LMTP server, and no destination can be the cause"),
    critical("deferred.cause(configuration)=0", "a transport that master.cf does not have keeps all of its mail, and only we can end that"),
    critical("deferred.cause(storage)=0", "mail cannot be written on this host"),
    critical("deferred.cause(authentication)=0", "the relay refuses our login, so nothing leaves through it"),
    default(Level::Critical, "deferred.cause(relay)=0", Condition::OrOwnNextHop,
        "the configured relay is the only way out; a next hop of ours whose name, route or certificate fails counts as well"),
    warning("deferred.cause(delivery)=4", "one user's mailbox or .forward is his own affair, several are ours"),
    default(Level::Warning, "deferred.cause(blocked)=2", Condition::Widespread,
        "one picky destination is residue, three or more are a reputation: from ten recipients on, or where they are half of all destinations"),
    default(Level::Critical, "deferred.cause(blocked)=99", Condition::Widespread,
        "a blocklist that many destinations ask has us"),
    default(Level::Warning, "deferred.cause(ours)=9", Condition::Without(TOLD_APART),
        "many unrelated destinations cannot be looked up or reached: the resolver, the route or port 25; causes with a rule of their own are left out"),
    default(Level::Critical, "deferred.cause(ours)=24", Condition::Without(TOLD_APART),
        "the same for more mail"),
    default(Level::Warning, "deferred.top_domain=99", Condition::Without(OF_RECIPIENTS),
        "one big destination is stuck; what it limits, greylists, or refuses for single recipients is left out"),
    default(Level::Warning, "deferred.top_login=499", Condition::Without(PATIENT),
        "one login has that much undelivered mail; throttled and greylisted mail and full mailboxes are left out, unless the login uses 10 senders or clients, which a stolen one does"),
    default(Level::Warning, "deferred.top_sender=499", Condition::Without(PATIENT),
        "one sender has that much undelivered mail, which a stolen account has and a newsletter has not; bounces, throttled and greylisted mail and full mailboxes are left out"),
    default(Level::Warning, "incoming.oldest=5m", Condition::ActiveHasRoom,
        "qmgr takes new mail within a second unless active is full, so it stands still"),
    default(Level::Critical, "incoming.oldest=15m", Condition::ActiveHasRoom,
        "nothing has left for a quarter of an hour"),
    warning("incoming.oldest=2h", "active has been full that long: slow destinations hold up all others"),
    warning("maildrop.oldest=5m", "pickup wakes at least each minute, so it stands still"),
    critical("maildrop.oldest=15m", "pickup does not run, or cleanup takes no mail"),
    critical("corrupt.messages=0", "Postfix has set mail aside that it could not read: somebody's mail"),
    warning("spool.damaged=0", "Postfix will set it aside when it reads it"),
    warning("spool.altered=0", "mail that Postfix will bounce or retry at once, by postsuper -e, postqueue -i, or by accident"),
    critical("spool.misowned=0", "qmgr dies again and again: a file or directory has another owner, or a mode that keeps the mail owner out"),
    warning("spool.misplaced=0", "mail that is never delivered: Postfix looks in another hash directory; left out where no main.cf says how deep they are"),
    warning("disk.free_bytes=512MiB:", "logs and mail fill the rest within hours"),
    critical("disk.free_bytes=64MiB:", "smtpd refuses mail when free space is near 1.5 times message_size_limit"),
    warning("disk.free_inodes=5000:", "each message takes one to three of them: mail fills the rest within hours"),
    critical("disk.free_inodes=500:", "a file system without free inodes takes no mail, however much space it has"),
    critical("master.running=1:", "nothing moves; left out of a spool that no main.cf names, which may be a copy"),
    critical("qmgr.running=1:", "master runs and its queue manager does not: mail arrives and is not delivered; left out of a spool that may be a copy"),
];

/// The rules of [`DEFAULTS`], parsed once.
fn parsed() -> &'static [Rule] {
    static RULES: OnceBox<Vec<Rule>> = OnceBox::new();
    let rule = |row: &Default| {
        let rule = Rule::parse(row.level, row.rule).ok()?;
        Some(Rule {
            default: true,
            condition: row.condition,
            ..rule
        })
    };
    RULES.get_or_init(|| Box::new(DEFAULTS.iter().filter_map(rule).collect()))
}

/// Each default with its rule, in their order.
pub(crate) fn defaults_with_rules() -> impl Iterator<Item = (&'static Default, &'static Rule)> {
    DEFAULTS.iter().zip(parsed())
}

/// What is known of the instances that defaults judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Each has a main.cf, so that the depth of its hash directories is known.
    pub configured: bool,
    /// The daemons of one of them are expected to run.
    pub expected: bool,
}

impl Known {
    /// All, so that every default applies.
    pub const ALL: Known = Known {
        configured: true,
        expected: true,
    };
}

/// The defaults as rules, except those that need more than is `known`.
pub fn defaults(known: Known) -> Vec<Rule> {
    let applies = |measure: &Measure| match measure.kind {
        Kind::Misplaced => known.configured,
        Kind::Running | Kind::QmgrRunning => known.expected,
        _ => true,
    };
    parsed()
        .iter()
        .filter(|rule| rule.measures().all(applies))
        .cloned()
        .collect()
}

/// The figures that `rule` judges, one for each of its parts.
pub(crate) fn figures(rule: &Rule, snapshot: &Snapshot) -> Joined<Figure> {
    rule.parts
        .map(|part| figure(&part.measure, rule.condition, snapshot))
}

/// From this number of unrelated destinations on a cause is widespread.
const DESTINATIONS: usize = 3;
/// From this number of recipients on it is, whatever the share of the destinations.
const RECIPIENTS: u64 = 10;

/// Whether several unrelated destinations have the cause of `measure`, and many recipients or half of all destinations.
fn is_widespread(measure: &Measure, snapshot: &Snapshot) -> bool {
    let instances = measure.instances(snapshot);
    let reasons = Reasons::sampled(instances, QueueSet::from(Queue::Deferred), snapshot.now);
    let (mut all, mut own, mut about_us) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut recipients = 0;
    for row in &reasons.rows {
        let name = family(&row.domain);
        all.insert(name);
        if row.cause.name() == measure.name() {
            own.insert(name);
            recipients += row.recipients;
            // `4.1.7` and `4.1.8` are about a sender, who may be forged (RFC 3463).
            if !matches!(row.code.as_slice(), b"4.1.7" | b"4.1.8") {
                about_us.insert(name);
            }
        }
    }
    let is_most = about_us.len() >= DESTINATIONS && about_us.len() * 2 >= all.len();
    own.len() >= DESTINATIONS && (recipients >= RECIPIENTS || is_most)
}

/// The figure of `measure` with the condition of a default.
pub(crate) fn figure(measure: &Measure, condition: Condition, snapshot: &Snapshot) -> Figure {
    match condition {
        Condition::None => measure.evaluate(snapshot),
        Condition::Without(_) | Condition::OrOwnNextHop => match condition.choice() {
            Some(choice) => measure.evaluate_rows(snapshot, choice),
            None => measure.evaluate(snapshot),
        },
        Condition::Widespread => {
            let figure = measure.evaluate(snapshot);
            // A lower bound, too, says nothing of the number of destinations.
            let has_some = figure.quality != Quality::Unknown && figure.value > 0.0;
            match has_some && !is_widespread(measure, snapshot) {
                true => Figure::untold("few destinations have it"),
                false => figure,
            }
        }
        Condition::ActiveHasRoom => {
            let fill = Measure::new(Subject::Queue(Queue::Active), Kind::Fill).evaluate(snapshot);
            match fill.known() {
                Some(share) if share >= ROOM => Figure::untold("active is full"),
                _ => measure.evaluate(snapshot),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_rule() {
        assert_eq!(defaults(Known::ALL).len(), DEFAULTS.len());
        for (row, rule) in defaults_with_rules() {
            assert_eq!((row.level, row.rule), (rule.level, &*rule.to_string()));
        }
        let without = |configured, expected| {
            let known = Known {
                configured,
                expected,
            };
            DEFAULTS.len() - defaults(known).len()
        };
        assert_eq!(without(true, false), 2);
        assert_eq!(without(false, true), 1);
        assert_eq!(without(false, false), 3);
        assert!(defaults(Known::ALL).iter().all(|rule| rule.default));
    }
}
