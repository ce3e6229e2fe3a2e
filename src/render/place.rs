//! Where a command to run next acts: the options that name the instance whose figure breaks a rule.
//!
//! Without them a command acts on the default instance of the host, which may be another one.

use std::path::Path;

use super::next_step::word;
use crate::instance::DEFAULT_CONFIG_DIRECTORY;
use crate::measure::choice::Choice;
use crate::measure::{Argument, Kind, Measure};
use crate::rules::{Finding, Range};
use crate::snapshot::{InstanceSnapshot, Snapshot};

/// The option for a spool, as queuewatch takes it, whatever the caller's own spelling is.
const QUEUE_DIRECTORY: &str = concat!("--", "queue-directory");

/// The instance on which commands act.
pub(super) struct Place<'s> {
    /// Its part of the snapshot; `None` if no instance could be scanned.
    pub(super) taken: Option<&'s InstanceSnapshot>,
    /// The option that names its configuration, after a blank; empty for the default instance. `None` if no main.cf
    /// belongs to the spool.
    config: Option<String>,
    /// Its queue directory, if no main.cf names it or the spool may be a copy: then a command of Postfix would act on
    /// another spool.
    spool: Option<String>,
}

impl<'s> Place<'s> {
    /// The instance of `snapshot` whose figure breaks the rule of `finding`: the one that the rule names, else the one
    /// that is farthest beyond the range by itself.
    pub(super) fn of(snapshot: &'s Snapshot, finding: &Finding) -> Place<'s> {
        let part = finding.rule.parts.first();
        let figure = finding.figures.first();
        let taken = match &snapshot.instances[..] {
            [] => None,
            [taken] => Some(taken),
            several => {
                // Those of a name that has most count whatever their cause.
                let choice = finding.rule.condition.choice();
                let choice = choice.filter(|_| part.measure.kind == Kind::Cause);
                let measure = narrowed(&part.measure, figure.detail.as_deref());
                let its = several.iter().filter(|taken| {
                    let name = &taken.instance.name;
                    let daemon = matches!(measure.kind, Kind::Running | Kind::QmgrRunning);
                    match &measure.instance {
                        Some(named) => named == name,
                        None => !daemon || taken.instance.expected,
                    }
                });
                its.map(|taken| {
                    (
                        badness(&measure, &part.range, snapshot, taken, choice),
                        taken,
                    )
                })
                // The first of equal ones.
                .reduce(|worst, next| if next.0 > worst.0 { next } else { worst })
                .map(|(_, taken)| taken)
            }
        };
        Place::at(taken)
    }

    fn at(taken: Option<&'s InstanceSnapshot>) -> Place<'s> {
        let instance = taken.map(|taken| &taken.instance);
        let config = match instance.map(|instance| &instance.config_directory) {
            Some(None) => None,
            Some(Some(directory)) if directory != Path::new(DEFAULT_CONFIG_DIRECTORY) => {
                Some(format!(" -c {}", word(directory)))
            }
            _ => Some(String::new()),
        };
        let copy = instance.filter(|instance| instance.may_be_a_copy());
        Place {
            taken,
            config,
            spool: copy.map(|instance| word(&instance.queue_directory)),
        }
    }

    /// The `command` of queuewatch, with the options of the instance.
    pub(super) fn on(&self, command: &str) -> String {
        let config = self.config.as_deref().unwrap_or_default();
        match &self.spool {
            Some(spool) => format!("{command}{config} {QUEUE_DIRECTORY} {spool}"),
            None => format!("{command}{config}"),
        }
    }

    /// The command `program` of Postfix with `words`, if there is one that acts on this spool.
    pub(super) fn postfix(&self, program: &str, words: &str) -> Option<String> {
        let own = self.spool.is_none();
        own.then(|| self.postconf(program, words)).flatten()
    }

    /// The command `program`, which only reads the configuration, with `words`, if the spool has one.
    pub(super) fn postconf(&self, program: &str, words: &str) -> Option<String> {
        let config = self.config.as_ref()?;
        Some(format!("{program}{config} {words}"))
    }
}

/// The measure of the name that has most: another name may have most in a single instance.
fn narrowed(measure: &Measure, detail: Option<&str>) -> Measure {
    let kind = match measure.kind {
        Kind::TopDomain => Kind::Domain,
        Kind::TopSender => Kind::Sender,
        Kind::TopLogin => Kind::Login,
        Kind::TopClient => Kind::Client,
        _ => return measure.clone(),
    };
    Measure {
        kind,
        argument: Argument::Name(detail.unwrap_or_default().to_owned()),
        ..measure.clone()
    }
}

/// How bad `measure` is in `taken` alone: first whether it breaks the range, then how far.
fn badness(
    measure: &Measure,
    range: &Range,
    snapshot: &Snapshot,
    taken: &InstanceSnapshot,
    choice: Option<Choice>,
) -> (bool, f64) {
    let own = Measure {
        instance: Some(taken.instance.name.clone()),
        ..measure.clone()
    };
    let figure = match choice {
        Some(choice) => own.evaluate_rows(snapshot, choice),
        None => own.evaluate(snapshot),
    };
    let value = figure.value;
    let low_is_bad = !range.alerts(f64::INFINITY);
    let far = if low_is_bad { -value } else { value };
    (range.alerts(value), far)
}
