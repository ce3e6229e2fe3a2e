//! Evaluates each measure on a snapshot, and rates the quality of the figure.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::choice::Choice;
use super::host::{free_share, least, qmgr_running, running, shown_name};
use super::names::{from_sender, most, shown_address, shown_login, top, top_origin};
use super::{Argument, Figure, Kind, Measure, Quality, Subject};
use crate::cause::Cause;
use crate::clock::Age;
use crate::escape;
use crate::postfix::address;
use crate::postfix::origin::Network;
use crate::postfix::queue::{Queue, QueueSet};
use crate::postfix::status_code::has_code;
use crate::scan::Depth;
use crate::snapshot::Sample;
use crate::snapshot::name_counts::Count;
use crate::snapshot::origins;
use crate::snapshot::reasons::Reasons;
use crate::snapshot::sample::CausesKnown;
use crate::snapshot::{
    CauseCounts, Hidden, InstanceSnapshot, Previous, QueueTables, Snapshot, Tally,
};
use crate::spelling::{is_offered, option};

impl Measure {
    /// Evaluates this measure on `snapshot`.
    pub fn evaluate(&self, snapshot: &Snapshot) -> Figure {
        if let (Kind::Client, false) = (self.kind, snapshot.pinned.is_empty()) {
            let written = self.to_string();
            if let Some(one) = snapshot.pinned.iter().find(|one| one.measure == written) {
                return Figure::count(one.value as u64, one.whole);
            }
        }
        let instances: Vec<&InstanceSnapshot> = self.instances(snapshot).collect();
        if instances.is_empty() {
            return match (&self.instance, snapshot.broken.first()) {
                (_, Some(error)) => Figure::unknown(error.to_string()),
                (Some(name), None) => Figure::unknown(format!(
                    "no instance {} in this snapshot",
                    escape::printable(name.as_bytes(), 64)
                )),
                (None, None) => Figure::unknown("no instance in this snapshot"),
            };
        }
        let queues = self.queues();
        if let Subject::Queue(queue) = self.subject {
            if snapshot.excluded.contains(queue) {
                return Figure::unknown(format!("{queue} is excluded"));
            }
        }
        let queues = snapshot.excluded.iter().fold(queues, QueueSet::without);
        let mut part = false;
        for taken in &instances {
            if let (Kind::Cause, Some(sample)) = (self.kind, self.sample(taken)) {
                part |= sample.is_part();
            } else if let Some(why) = self.not_read(taken, queues) {
                return Figure::unknown(why);
            }
        }
        if self.kind == Kind::Growth {
            return match self.instance.is_none() && !snapshot.broken.is_empty() {
                true => Figure::unknown("not all instances could be scanned"),
                false => growth(snapshot, &instances, queues),
            };
        }
        let mut figure = self.over(&instances, queues, snapshot.now);
        let broken = self.instance.is_none() && !snapshot.broken.is_empty();
        let whole = !broken
            && instances.iter().all(|taken| {
                queues.iter().all(|queue| match self.kind {
                    // This measure counts the read failures themselves.
                    Kind::Unreadable => !taken.tally(queue).cut,
                    Kind::Reason | Kind::Cause if !taken.tally(queue).is_explained() => false,
                    _ => taken.tally(queue).is_whole() && self.hidden(taken.tally(queue)) == 0,
                })
            });
        if part {
            figure.sampled = true;
            figure.quality = Quality::AtLeast;
        }
        if !whole && figure.quality == Quality::Exact {
            figure.quality = match self.subject {
                Subject::Disk | Subject::Master | Subject::Qmgr if !broken => Quality::Exact,
                // A stopped daemon is certain, whatever the state of a broken instance.
                Subject::Master | Subject::Qmgr if figure.value == 0.0 => Quality::Exact,
                Subject::Disk | Subject::Master | Subject::Qmgr => Quality::Unknown,
                _ => Quality::AtLeast,
            };
            figure.damaged = self.damaged(&instances, queues);
        }
        figure
    }

    /// Whether the scan of `taken` was to read the data for this measure, ignoring excluded queues.
    pub(crate) fn is_read(&self, taken: &InstanceSnapshot, snapshot: &Snapshot) -> bool {
        let queues = snapshot.excluded.iter();
        let queues = queues.fold(self.queues(), QueueSet::without);
        let excluded = matches!(self.subject, Subject::Queue(queue) if !queues.contains(queue));
        !excluded && self.not_read(taken, queues).is_none()
    }

    /// The number of messages that damage hides from this measure.
    fn hidden(&self, tally: &Tally) -> u64 {
        match self.kind {
            Kind::Oldest | Kind::Older | Kind::Expiring | Kind::Domains => tally.ageless,
            Kind::Recipients | Kind::TopDomain | Kind::Domain | Kind::Reason | Kind::Cause => {
                tally.torn
            }
            Kind::TopSender | Kind::Sender | Kind::TopLogin | Kind::Login => tally.senderless,
            Kind::TopClient | Kind::Client => tally.clientless,
            _ => 0,
        }
    }

    /// The instances of `snapshot` that it is taken over: all, or the one that it names.
    pub(crate) fn instances<'s>(
        &self,
        snapshot: &'s Snapshot,
    ) -> impl Iterator<Item = &'s InstanceSnapshot> {
        let is_named = |taken: &&InstanceSnapshot| {
            let name = self.instance.as_ref();
            name.is_none_or(|name| *name == taken.instance.name)
        };
        snapshot.instances.iter().filter(is_named)
    }

    /// Whether damage that hides `hidden` of a file hides a part of this measure.
    fn is_hidden_by(&self, hidden: Hidden) -> bool {
        match self.kind {
            Kind::Oldest | Kind::Older | Kind::Expiring | Kind::Domains => hidden.age,
            Kind::Recipients | Kind::TopDomain | Kind::Domain | Kind::Reason | Kind::Cause => {
                hidden.recipients
            }
            Kind::TopSender | Kind::Sender | Kind::TopLogin | Kind::Login => hidden.sender,
            Kind::TopClient | Kind::Client => hidden.client,
            _ => false,
        }
    }

    /// The first file that hides a part of this measure: damaged or, of ages, from the future.
    fn damaged(&self, instances: &[&InstanceSnapshot], queues: QueueSet) -> Option<String> {
        let from_future = Hidden {
            age: true,
            ..Hidden::default()
        };
        let mut texts = instances.iter().flat_map(|taken| {
            let damaged = taken
                .damaged
                .iter()
                .filter(|one| queues.contains(one.queue) && self.is_hidden_by(one.hidden))
                .map(ToString::to_string);
            let misdated = taken
                .misdated
                .iter()
                .filter(|one| queues.contains(one.queue) && self.is_hidden_by(from_future))
                .map(ToString::to_string);
            damaged.chain(misdated)
        });
        texts.next()
    }

    /// The sample that stands in for all delay reasons of deferred mail, if those were not read.
    fn sample(&self, taken: &InstanceSnapshot) -> Option<Sample> {
        let deferred = self.subject == Subject::Queue(Queue::Deferred);
        let known = CausesKnown::of(taken, Queue::Deferred);
        taken
            .sample()
            .filter(|_| deferred && known != Some(CausesKnown::All))
    }

    /// Evaluates this measure of deferred mail from the delay reasons that are known, all or a sample, of those
    /// that `choice` takes. Only for the kinds of measures that the defaults use.
    pub(crate) fn evaluate_rows(&self, snapshot: &Snapshot, choice: Choice) -> Figure {
        let queue = QueueSet::from(Queue::Deferred);
        if snapshot.excluded.contains(Queue::Deferred) {
            return Figure::unknown("deferred is excluded");
        }
        let instances = || self.instances(snapshot);
        let known = |taken: &InstanceSnapshot| {
            taken.reads_all_reasons()
                || taken.sample().is_some()
                || taken.tally(Queue::Deferred).messages == 0
        };
        if !instances().all(known) {
            return Figure::untold("no delay reasons were read");
        }
        let part = |taken: &InstanceSnapshot| taken.sample().is_some_and(Sample::is_part);
        let sampled = instances().any(part) || !snapshot.is_whole();
        let reasons = || Reasons::sampled(instances(), queue, snapshot.now);
        let mut figure = match self.kind {
            Kind::Cause => {
                let reasons = reasons();
                let rows = reasons.rows.iter();
                let rows = rows.filter(|row| choice.takes(self, row, &reasons.spreads));
                let count: u64 = rows.map(|row| row.recipients).sum();
                Figure::exact(count as f64)
            }
            Kind::TopDomain => {
                let reasons = reasons();
                let mut sums: HashMap<&[u8], u64> = HashMap::new();
                let rows = reasons.rows.iter();
                for row in rows.filter(|row| choice.takes(self, row, &reasons.spreads)) {
                    *sums.entry(&row.domain).or_default() += row.recipients;
                }
                most(sums, shown_address)
            }
            Kind::TopSender => {
                let mut sums: HashMap<&[u8], u64> = HashMap::new();
                for taken in instances() {
                    for (sender, count) in taken.delayed_mail().senders.iter() {
                        *sums.entry(sender).or_default() += count;
                    }
                }
                most(sums, shown_address)
            }
            Kind::TopLogin => {
                let mut sums: HashMap<&[u8], u64> = HashMap::new();
                for taken in instances() {
                    for (login, count) in taken.delayed_mail().logins.iter() {
                        *sums.entry(login).or_default() += count;
                    }
                }
                most(sums, shown_login)
            }
            _ => return Figure::untold("it has no delay reasons"),
        };
        if sampled {
            figure.sampled = true;
            figure.quality = Quality::AtLeast;
        }
        figure
    }

    /// Why the scan did not read the data for this measure.
    fn not_read(&self, taken: &InstanceSnapshot, queues: QueueSet) -> Option<String> {
        let row = self.row();
        // Counting needs modes only in queues where files are often not ready; a scan of names reads
        // those.
        let depth = match self.kind {
            Kind::Messages | Kind::Growth | Kind::Fill => Depth::Names,
            _ => row.depth,
        };
        let shallow = queues
            .iter()
            .any(|queue| taken.plan.depth(queue).is_none_or(|read| read < depth));
        // The rows of reasons are not asked for: a watch has them in whole snapshots alone.
        if shallow || row.wanted.or(taken.wanted) != taken.wanted {
            return Some("not read in this scan".to_owned());
        }
        None
    }

    /// A figure of logins or clients.
    fn by_origin(&self, tables: &[&QueueTables]) -> Figure {
        let complete = tables.iter().all(|table| table.origins.is_complete());
        let each = || tables.iter().copied();
        let sum = |of: &dyn Fn(&QueueTables) -> u64| Figure::count(each().map(of).sum(), complete);
        match self.kind {
            Kind::Login => sum(&|table| origins::of_login(table, self.name().as_bytes())),
            Kind::Client => {
                let Some(network) = Network::parse(self.name().as_bytes()) else {
                    return Figure::untold("a token stands for its client");
                };
                sum(&|table| origins::of_network(table, &network))
            }
            Kind::TopClient => top_origin(&origins::by_client(each()), complete),
            _ => top_origin(&origins::by_login(each()), complete),
        }
    }

    #[allow(clippy::too_many_lines)] // One arm for each kind.
    fn over(&self, instances: &[&InstanceSnapshot], queues: QueueSet, now: i64) -> Figure {
        let tallies = || {
            instances
                .iter()
                .flat_map(|taken| queues.iter().map(|queue| taken.tally(queue)))
        };
        let sum = |of: fn(&Tally) -> u64| Figure::exact(tallies().map(of).sum::<u64>() as f64);
        let tables = || {
            instances
                .iter()
                .flat_map(|taken| queues.iter().map(|queue| &taken.tables[queue]))
        };
        match self.kind {
            Kind::Messages => sum(|tally| tally.messages),
            Kind::Recipients => sum(|tally| tally.recipients),
            Kind::Bytes => sum(|tally| tally.bytes),
            Kind::Cause => {
                let each = instances.iter();
                let counts = each.flat_map(|taken| queues.iter().map(|queue| taken.causes(queue)));
                let count: u64 = match self.name() {
                    whose @ ("ours" | "theirs") => {
                        // Many destinations may have made a cause ours.
                        let reasons = Reasons::sampled(instances.iter().copied(), queues, now);
                        let spreads = reasons.spreads;
                        let of = |counts: &CauseCounts| counts.whose(whose == "ours", &spreads);
                        counts.map(of).sum()
                    }
                    name => match Cause::of_name(name.as_bytes()) {
                        Some(cause) => counts.map(|counts| counts.of(cause)).sum(),
                        None => 0,
                    },
                };
                Figure::exact(count as f64)
            }
            Kind::Domains => {
                let before = now.saturating_sub(self.seconds());
                // A domain may wait in several queues.
                let mut names = HashSet::new();
                for table in tables() {
                    let old = table.oldest.iter().filter(|(_, at)| at.0 < before);
                    names.extend(old.map(|(name, _)| name));
                }
                let complete = tables().all(|table| table.oldest.is_complete());
                Figure::count(names.len() as u64, complete)
            }
            Kind::Overdue => sum(|tally| tally.overdue),
            Kind::Unreadable => sum(|tally| tally.unreadable),
            Kind::Damaged => with_first_damaged(instances, sum(|tally| tally.damaged)),
            Kind::Altered => sum(|tally| tally.altered),
            Kind::Misplaced => misplaced(sum(|tally| tally.misplaced)),
            Kind::Misowned => misowned(instances, sum(|tally| tally.misowned)),
            Kind::Oldest => {
                let of = |taken: &InstanceSnapshot| {
                    let oldest = queues.iter().filter_map(|queue| taken.tally(queue).oldest);
                    oldest.min()
                };
                let found = instances
                    .iter()
                    .filter_map(|taken| Some((of(taken)?, taken)));
                let oldest = found.min_by_key(|(at, _)| *at);
                let age = |at: i64| now.saturating_sub(at).max(0) as f64;
                Figure {
                    // With several instances, names the one with the oldest message.
                    detail: oldest
                        .filter(|_| instances.len() > 1)
                        .map(|(_, taken)| shown_name(taken)),
                    ..Figure::exact(oldest.map_or(0.0, |(at, _)| age(at)))
                }
            }
            Kind::Older => {
                let before = now.saturating_sub(self.seconds());
                let count = tables().map(|table| table.arrivals.before(before)).sum();
                Figure::count(count, tables().all(|table| table.arrivals.others == 0))
            }
            Kind::Expiring => {
                let before = now.saturating_add(self.seconds()).saturating_add(1);
                let count = tables().map(|table| table.expiries.before(before)).sum();
                Figure::count(count, tables().all(|table| table.expiries.others == 0))
            }
            Kind::TopDomain => top(tables().map(|table| &table.domains)),
            Kind::TopSender => top(tables().map(|table| &table.senders)),
            Kind::Domain => {
                // Normalised like the addresses: without a trailing dot, in lower case.
                let mut name = Vec::new();
                address::destination_domain(self.name().as_bytes(), &mut name);
                if name.eq_ignore_ascii_case(address::MAILER_DAEMON) {
                    name = self.name().into();
                }
                let in_ascii = name.is_ascii() && memchr::memmem::find(&name, b"xn--").is_none();
                let of = |table: &QueueTables| {
                    if in_ascii {
                        return table.domains.get(&name).map_or(0, Count::total);
                    }
                    // Matches both spellings.
                    let domains = table.domains.iter();
                    let same = domains.filter(|(domain, _)| escape::domain::is_same(&name, domain));
                    same.map(|(_, count)| count.total()).sum()
                };
                let count = tables().map(of).sum();
                Figure::count(count, tables().all(|table| table.domains.is_complete()))
            }
            Kind::Sender => {
                let count = tables().map(|table| from_sender(table, self.name())).sum();
                Figure::count(count, tables().all(|table| table.senders.is_complete()))
            }
            Kind::TopLogin | Kind::Login | Kind::TopClient | Kind::Client => {
                self.by_origin(&tables().collect::<Vec<_>>())
            }
            Kind::Reason => {
                let code = self.name().as_bytes();
                let of_table = |table: &QueueTables| -> u64 {
                    let codes = table
                        .codes
                        .iter()
                        .filter(|(status, _)| has_code(status, code));
                    codes.map(|(_, count)| count).sum()
                };
                let count = tables().map(of_table).sum();
                Figure::count(count, tables().all(|table| table.codes.is_complete()))
            }
            // Needs two snapshots: see `growth`.
            Kind::Growth => Figure::unknown("it needs an earlier check"),
            Kind::Fill => fill(instances),
            Kind::FreeBytes => least(instances, |taken| Some(taken.disk?.free_bytes as f64)),
            Kind::FreeInodes => least(instances, |taken| Some(taken.disk?.free_inodes? as f64)),
            Kind::FreeShare => least(instances, |taken| free_share(taken.disk?)),
            Kind::Running => running(instances),
            Kind::QmgrRunning => qmgr_running(instances),
        }
    }

    fn seconds(&self) -> i64 {
        match self.argument {
            Argument::Age(seconds, _) => seconds,
            _ => 0,
        }
    }

    pub(crate) fn name(&self) -> &str {
        match &self.argument {
            Argument::Name(name) => name,
            _ => "",
        }
    }
}

/// Messages where Postfix does not look, with what helps.
fn misplaced(figure: Figure) -> Figure {
    let helps = match figure.value {
        1.0 => "a file where Postfix does not look; postsuper -s moves it",
        _ => "files where Postfix does not look; postsuper -s moves them",
    };
    Figure {
        detail: (figure.value > 0.0).then(|| helps.to_owned()),
        ..figure
    }
}

/// Damaged files, with the first of them.
fn with_first_damaged(instances: &[&InstanceSnapshot], figure: Figure) -> Figure {
    let first = instances.iter().find_map(|taken| taken.damaged.first());
    Figure {
        detail: first.map(ToString::to_string),
        ..figure
    }
}

/// Files and directories whose owner or mode stops Postfix, with the first of them; `figure` counts those of
/// queues, except the queue directories themselves.
fn misowned(instances: &[&InstanceSnapshot], figure: Figure) -> Figure {
    let directories = instances.iter().map(|taken| taken.misowned_directories);
    let first = instances.iter().find_map(|taken| taken.misowned.first());
    Figure {
        value: figure.value + directories.sum::<u64>() as f64,
        detail: first.map(|one| format!("{}: {}", escape::path(&one.path), one.fault)),
        ..figure
    }
}

/// The growth of `queues` since the previous check.
fn growth(snapshot: &Snapshot, instances: &[&InstanceSnapshot], queues: QueueSet) -> Figure {
    if snapshot.previous == Previous::NotAsked {
        return Figure::unknown(match is_offered("previous") {
            true => format!("it needs an earlier check; give {}", option("previous")),
            false => "it needs an earlier check, which check_postfix_queue --state FILE and \
                      queuewatch watch have"
                .to_owned(),
        });
    }
    let whole =
        |taken: &&InstanceSnapshot| queues.iter().all(|queue| taken.tally(queue).is_whole());
    if !instances.iter().all(whole) {
        return Figure::unknown("not all messages could be counted");
    }
    match snapshot.change(instances, queues) {
        Ok(change) => {
            let mut text = format!(
                "{} to {} in {}",
                change.before,
                change.now,
                Age(change.seconds.round() as i64)
            );
            if let (true, Some(seconds)) = (change.now > 0, change.seconds_to(0.0)) {
                let _ = write!(text, ", empty in {}", Age(seconds as i64));
            }
            Figure {
                detail: Some(text),
                ..Figure::exact(change.per_minute())
            }
        }
        Err(why) => Figure {
            pending: true,
            ..Figure::unknown(why)
        },
    }
}

fn fill(instances: &[&InstanceSnapshot]) -> Figure {
    let share = |taken: &&InstanceSnapshot| {
        let limit = taken.instance.settings.qmgr_message_active_limit.max(1);
        taken.tally(Queue::Active).messages as f64 * 100.0 / limit as f64
    };
    let fullest = instances.iter().map(share).fold(0.0, f64::max);
    Figure::exact((fullest * 10.0).round() / 10.0)
}
