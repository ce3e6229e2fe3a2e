//! The catalogue of measures: spelling, unit, required reads and description of each.
//!
//! Rules, help texts, JSON, OpenMetrics and the guide's table are generated from [`CATALOGUE`]. A new
//! measure needs a row here, a [`Kind`], and its evaluation in `evaluate`.

use super::Subject;
use super::quantity::Unit;
use crate::scan::Depth;
use crate::snapshot::TableSet;

/// The quantity that a measure reports about its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The rows of CATALOGUE describe them.
pub enum Kind {
    Messages,
    Recipients,
    Bytes,
    Oldest,
    Older,
    TopDomain,
    Domain,
    TopSender,
    Sender,
    TopLogin,
    Login,
    TopClient,
    Client,
    Reason,
    Cause,
    Domains,
    Overdue,
    Expiring,
    Growth,
    Fill,
    Unreadable,
    Damaged,
    Altered,
    Misowned,
    Misplaced,
    FreeBytes,
    FreeInodes,
    FreeShare,
    Running,
    QmgrRunning,
}

/// The argument in the brackets of a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArgumentKind {
    /// No brackets.
    None,
    /// An age such as `4h`.
    Age,
    /// A domain or an address.
    Name,
    /// An enhanced status code or a prefix of one.
    Code,
    /// A cause, `ours` or `theirs`.
    Cause,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The spelling, with `QUEUE` for any queue, `backlog` or `total`.
    pub spelling: &'static str,
    /// The quantity.
    pub(crate) kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// The description for help and the guide.
    pub help: &'static str,
    /// How deep a scan must read its queues.
    pub depth: Depth,
    /// The tables that it needs.
    pub(crate) wanted: TableSet,
    /// The argument in its brackets.
    pub(crate) argument: ArgumentKind,
}

const DOMAINS: TableSet = TableSet {
    domains: true,
    ..TableSet::NONE
};
const SENDERS: TableSet = TableSet {
    senders: true,
    ..TableSet::NONE
};
const ORIGINS: TableSet = TableSet {
    origins: true,
    ..TableSet::NONE
};
const ARRIVALS: TableSet = TableSet {
    arrivals: true,
    ..TableSet::NONE
};
const EXPIRIES: TableSet = TableSet {
    expiries: true,
    ..TableSet::NONE
};
const CODES: TableSet = TableSet {
    codes: true,
    ..TableSet::NONE
};

/// The rows of reasons are missing: only `ours` and `theirs` need them ([`super::Measure::wanted`]).
const CAUSES: TableSet = TableSet {
    causes: true,
    ..TableSet::NONE
};
const OLDEST: TableSet = TableSet {
    oldest: true,
    ..TableSet::NONE
};

const fn row(
    spelling: &'static str,
    kind: Kind,
    unit: Unit,
    depth: Depth,
    wanted: TableSet,
    argument: ArgumentKind,
    help: &'static str,
) -> Row {
    Row {
        spelling,
        kind,
        unit,
        help,
        depth,
        wanted,
        argument,
    }
}

/// Every measure, in the order of contract.md, "Measures".
#[rustfmt::skip]
pub const CATALOGUE: [Row; 30] = [
    row("QUEUE.messages", Kind::Messages, Unit::Count, Depth::Inodes, TableSet::NONE, ArgumentKind::None,
        "messages"),
    row("QUEUE.recipients", Kind::Recipients, Unit::Count, Depth::Envelopes, TableSet::NONE, ArgumentKind::None,
        "recipients still to be delivered"),
    row("QUEUE.bytes", Kind::Bytes, Unit::Bytes, Depth::Envelopes, TableSet::NONE, ArgumentKind::None,
        "sum of the message sizes that mailq prints"),
    row("QUEUE.oldest", Kind::Oldest, Unit::Seconds, Depth::Envelopes, TableSet::NONE, ArgumentKind::None,
        "age of the oldest message since it arrived; 0 for an empty queue"),
    row("QUEUE.older(AGE)", Kind::Older, Unit::Count, Depth::Envelopes, ARRIVALS, ArgumentKind::Age,
        "messages older than AGE"),
    row("QUEUE.top_domain", Kind::TopDomain, Unit::Count, Depth::Envelopes, DOMAINS, ArgumentKind::None,
        "recipients of the destination domain that has most"),
    row("QUEUE.domain(NAME)", Kind::Domain, Unit::Count, Depth::Envelopes, DOMAINS, ArgumentKind::Name,
        "recipients of that destination domain"),
    row("QUEUE.top_sender", Kind::TopSender, Unit::Count, Depth::Envelopes, SENDERS, ArgumentKind::None,
        "messages of the sender address that has most"),
    row("QUEUE.sender(NAME)", Kind::Sender, Unit::Count, Depth::Envelopes, SENDERS, ArgumentKind::Name,
        "messages of that sender address (with @) or sender domain (without)"),
    row("QUEUE.top_login", Kind::TopLogin, Unit::Count, Depth::Envelopes, ORIGINS, ArgumentKind::None,
        "messages of the SASL login that has most"),
    row("QUEUE.login(NAME)", Kind::Login, Unit::Count, Depth::Envelopes, ORIGINS, ArgumentKind::Name,
        "messages that this SASL login submitted"),
    row("QUEUE.top_client", Kind::TopClient, Unit::Count, Depth::Envelopes, ORIGINS, ArgumentKind::None,
        "messages from the client address that has most"),
    row("QUEUE.client(ADDRESS)", Kind::Client, Unit::Count, Depth::Envelopes, ORIGINS, ArgumentKind::Name,
        "messages from that client address or network NET/BITS"),
    row("QUEUE.reason(CODE)", Kind::Reason, Unit::Count, Depth::Reasons, CODES, ArgumentKind::Code,
        "recipients whose last delay reason has that enhanced status code or prefix"),
    row("QUEUE.cause(NAME)", Kind::Cause, Unit::Count, Depth::Reasons, CAUSES, ArgumentKind::Cause,
        "recipients whose last delay reason has that cause, or a cause that is ours or theirs"),
    row("QUEUE.domains(AGE)", Kind::Domains, Unit::Count, Depth::Envelopes, OLDEST, ArgumentKind::Age,
        "destination domains with a recipient older than AGE"),
    row("deferred.overdue", Kind::Overdue, Unit::Count, Depth::Inodes, TableSet::NONE, ArgumentKind::None,
        "messages whose next retry is longer past than one queue_run_delay"),
    row("QUEUE.expiring(AGE)", Kind::Expiring, Unit::Count, Depth::Envelopes, EXPIRIES, ArgumentKind::Age,
        "messages that reach maximal_queue_lifetime (bounce_queue_lifetime for the null sender) within AGE"),
    row("QUEUE.growth", Kind::Growth, Unit::PerMinute, Depth::Inodes, TableSet::NONE, ArgumentKind::None,
        "change of messages a minute since the last check that used the same state file, if that was 30 s ago or more"),
    row("active.fill", Kind::Fill, Unit::Percent, Depth::Inodes, TableSet::NONE, ArgumentKind::None,
        "messages in active against qmgr_message_active_limit"),
    row("spool.unreadable", Kind::Unreadable, Unit::Count, Depth::Envelopes, TableSet::NONE, ArgumentKind::None,
        "directories and files that could not be read, except those that vanished meanwhile"),
    row("spool.damaged", Kind::Damaged, Unit::Count, Depth::Envelopes, TableSet::NONE, ArgumentKind::None,
        "ready files in a live queue that are not valid queue files"),
    row("spool.altered", Kind::Altered, Unit::Count, Depth::Inodes, TableSet::NONE, ArgumentKind::None,
        "queue files whose group or other mode bits are set: Postfix reads them as commands"),
    row("spool.misowned", Kind::Misowned, Unit::Count, Depth::Inodes, TableSet::NONE, ArgumentKind::None,
        "queue files and directories whose owner or mode stops Postfix"),
    row("spool.misplaced", Kind::Misplaced, Unit::Count, Depth::Inodes, TableSet::NONE, ArgumentKind::None,
        "messages in a hash directory where Postfix does not look for them"),
    row("disk.free_share", Kind::FreeShare, Unit::Percent, Depth::Names, TableSet::NONE, ArgumentKind::None,
        "free bytes against the size of the file system that holds the spool"),
    row("disk.free_bytes", Kind::FreeBytes, Unit::Bytes, Depth::Names, TableSet::NONE, ArgumentKind::None,
        "free bytes of the file system that holds the spool"),
    row("disk.free_inodes", Kind::FreeInodes, Unit::Count, Depth::Names, TableSet::NONE, ArgumentKind::None,
        "free inodes of the file system that holds the spool"),
    row("master.running", Kind::Running, Unit::Count, Depth::Names, TableSet::NONE, ArgumentKind::None,
        "1 if the master daemon runs, 0 if not"),
    row("qmgr.running", Kind::QmgrRunning, Unit::Count, Depth::Names, TableSet::NONE, ArgumentKind::None,
        "1 if the queue manager lives, 0 if it is gone, stopped or starts again and again"),
];

/// The row for the measure `name` of `subject`.
pub(super) fn find(subject: Subject, name: &str) -> Option<&'static Row> {
    rows_of(subject).find(|row| {
        let (_, spelt) = row.spelling.split_once('.').unwrap_or_default();
        spelt.split_once('(').map_or(spelt, |(spelt, _)| spelt) == name
    })
}

/// The rows of a subject.
pub(crate) fn rows_of(subject: Subject) -> impl Iterator<Item = &'static Row> {
    CATALOGUE.iter().filter(move |row| {
        let (owner, _) = row.spelling.split_once('.').unwrap_or_default();
        owner == subject.name()
            || owner == "QUEUE"
                && matches!(
                    subject,
                    Subject::Queue(_) | Subject::Backlog | Subject::Total
                )
    })
}
