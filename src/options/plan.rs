//! What is read for the rules and measures that were asked for, and which rules judge it.

use super::Options;
use crate::error::{Error, ErrorKind, Result};
use crate::measure::{Kind, Measure};
use crate::postfix::queue::QueueSet;
use crate::rules::{Known, Rule, defaults, has_reasons};
use crate::scan::{Depth, Plan};
use crate::snapshot::oldest::OLDEST;
use crate::snapshot::{Sampling, ScanRequest, Snapshot, TableSet};
use crate::spelling::option;
use crate::sys;

/// How much a scan is to read when no measure was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Everything: for a host that asks later.
    Everything,
    /// Everything, and the oldest messages: see [`Snapshot::oldest`].
    Report,
    /// The oldest messages alone.
    Oldest,
    /// What the rules and the performance data of a check need, and these tables.
    Check(TableSet),
}

impl Options {
    /// What was given as rules, checked against the other options.
    ///
    /// # Errors
    /// If a rule is about a queue that is left out, or about more than counts where only those are
    /// read.
    pub(super) fn given_rules(&self) -> Result<&[Rule]> {
        if QueueSet::ALL
            .iter()
            .all(|queue| self.excluded.contains(queue))
        {
            return Err(Error::new(
                ErrorKind::Invalid,
                format!("{} leaves nothing to look at", option("exclude")),
            ));
        }
        if self.counts && !self.left_out.is_empty() {
            let names = format!(
                "{} or {}",
                option("exclude-domain"),
                option("exclude-sender")
            );
            return Err(Error::new(
                ErrorKind::Invalid,
                format!(
                    "{} reads no envelopes, which {names} needs",
                    option("counts")
                ),
            ));
        }
        for rule in &self.rules {
            for measure in rule.measures() {
                let queues = measure.queues();
                if !queues.is_empty() && queues.iter().all(|queue| self.excluded.contains(queue)) {
                    return Err(Error::new(
                        ErrorKind::Invalid,
                        format!(
                            "there is a rule on {measure}, and {} leaves it out",
                            option("exclude")
                        ),
                    ));
                }
                if self.counts && measure.kind != Kind::Messages {
                    return Err(Error::new(
                        ErrorKind::Invalid,
                        format!(
                            "{} counts messages; a rule on {measure} needs more",
                            option("counts")
                        ),
                    )
                    .with_remedy(format!("leave out {} or that rule", option("counts"))));
                }
            }
        }
        Ok(&self.rules)
    }

    /// Returns true if a rule needs rows that a watch counts of a whole snapshot alone.
    pub(crate) fn rules_ask_for_rows(&self) -> bool {
        let mut measures = self.rules.iter().flat_map(Rule::measures);
        measures.any(Measure::needs_rows)
    }

    /// Returns true if a default among `rules` judges delay reasons, so that it needs a sample of them.
    pub(crate) fn judge_reasons(&self, rules: &[Rule]) -> bool {
        !self.counts && has_reasons(rules)
    }

    /// The rules of a check of `snapshot`: those given, else the defaults.
    ///
    /// # Errors
    /// If a rule contradicts another option.
    pub(crate) fn rules(&self, snapshot: &Snapshot) -> Result<Vec<Rule>> {
        let given = self.given_rules()?;
        if !given.is_empty() && !self.keep_defaults {
            return Ok(given.to_vec());
        }
        let instances = || snapshot.instances.iter().map(|taken| &taken.instance);
        let known = Known {
            configured: instances().all(|instance| instance.config_directory.is_some()),
            expected: instances().any(|instance| instance.expected),
        };
        let mut rules = given.to_vec();
        rules.extend(self.defaults(known));
        Ok(rules)
    }

    /// The defaults, but for what is excluded and what a given rule of the same measure and level
    /// replaces.
    fn defaults(&self, known: Known) -> Vec<Rule> {
        let mut rules = defaults(known);
        rules.retain(|rule| {
            let told = !self.counts || rule.measures().all(|one| one.kind == Kind::Messages);
            let is_in = |measure: &Measure| {
                let queues = measure.queues();
                queues.is_empty() || queues.iter().any(|queue| !self.excluded.contains(queue))
            };
            let replaced = self
                .rules
                .iter()
                .any(|given| given.level == rule.level && given.is_about_the_same(rule));
            told && !replaced && rule.measures().all(is_in)
        });
        rules
    }

    /// What to take a snapshot of.
    ///
    /// # Errors
    /// If a rule contradicts another option.
    pub(crate) fn request(&self, purpose: Purpose) -> Result<ScanRequest> {
        let queues = self.queues();
        let given = self.given_rules()?;
        let (plan, wanted) = if self.counts {
            (Plan::new(queues, Depth::Names), TableSet::default())
        } else {
            match purpose {
                Purpose::Oldest => (Plan::new(queues, Depth::Envelopes), TableSet::default()),
                Purpose::Everything | Purpose::Report if self.measures.is_empty() => {
                    (Plan::new(queues, Depth::Reasons), TableSet::ALL)
                }
                Purpose::Everything | Purpose::Report => {
                    let measures = self.measures.iter();
                    let measures = measures.chain(given.iter().flat_map(Rule::measures));
                    plan_for(measures, queues)
                }
                Purpose::Check(tables) => {
                    let defaults = match given {
                        [_, ..] if !self.keep_defaults => Vec::new(),
                        _ => self.defaults(Known::ALL),
                    };
                    // Defaults on causes look at a sample.
                    let defaults = defaults.iter().filter(|rule| !rule.is_about_reasons());
                    let rules = given.iter().chain(defaults).flat_map(Rule::measures);
                    let (mut plan, wanted) = plan_for(rules, queues);
                    // Performance data always has the ages of all queues.
                    let depth = match tables.reasons || tables.causes {
                        true => Depth::Reasons,
                        false => Depth::Envelopes,
                    };
                    // Unless a rule asks for them, they are for display alone.
                    plan.reasons_last = !wanted.codes;
                    for queue in queues.iter() {
                        plan.deepen(queue, depth);
                    }
                    (plan, wanted.or(tables))
                }
            }
        };
        let mut plan = plan;
        if !self.left_out.is_empty() {
            // Only an envelope says whose a message is.
            for queue in plan.queues().iter() {
                plan.deepen(queue, Depth::Envelopes);
            }
        }
        let sample = match purpose {
            // OpenMetrics tell the causes whatever the rules are.
            Purpose::Check(TableSet::METRICS) if !self.counts => Sampling::Always,
            Purpose::Check(_) if !self.counts => match given {
                [_, ..] if !self.keep_defaults => Sampling::OnBreach,
                _ => Sampling::Always,
            },
            _ => Sampling::Never,
        };
        // A made-up present has no place in the time since boot.
        let since_boot = match self.now {
            None => sys::since_boot(),
            Some(_) => None,
        };
        Ok(ScanRequest {
            now: self.now(),
            since_boot,
            since: self.previous.earlier().map(|earlier| earlier.now),
            // It is asked of /proc/locks, for which the kernel takes longer than for many names.
            master: !self.counts && purpose != Purpose::Oldest,
            plan,
            wanted,
            oldest: match purpose {
                Purpose::Report | Purpose::Oldest => OLDEST,
                _ => 0,
            },
            sample,
            readers: self.readers(),
            deadline: self.deadline(),
        })
    }
}

/// The least that must be read for `measures`.
fn plan_for<'a>(
    measures: impl Iterator<Item = &'a Measure>,
    allowed: QueueSet,
) -> (Plan, TableSet) {
    let mut plan = Plan::new(QueueSet::NONE, Depth::Names);
    let mut wanted = TableSet::default();
    for measure in measures {
        let row = measure.row();
        wanted = wanted.or(measure.wanted());
        for queue in measure.queues().and(allowed).iter() {
            plan.deepen(queue, row.depth);
        }
    }
    (plan, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postfix::queue::Queue;

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        let mut options = Options::default();
        options.set("queue-directory", b"/a").unwrap();
        options.set("instance", b"out").unwrap();
        assert_eq!(options.instances().unwrap_err().kind(), ErrorKind::Invalid);

        let mut options = Options::default();
        options.set("counts", b"").unwrap();
        options.set("warning", b"deferred.oldest=4h").unwrap();
        assert!(options.scan(Purpose::Everything).is_err());

        let mut options = Options::default();
        options.set("exclude", b"hold").unwrap();
        options.set("warning", b"hold.messages=4").unwrap();
        assert!(options.scan(Purpose::Everything).is_err());
    }

    #[test]
    fn a_rule_takes_the_place_of_the_defaults_or_of_its_own_default() {
        let levels = |set: &[(&str, &str)]| -> Vec<String> {
            let mut options = Options::default();
            for (name, value) in set {
                options.set(name, value.as_bytes()).unwrap();
            }
            let snapshot = Snapshot::take(
                Vec::new(),
                QueueSet::NONE,
                crate::snapshot::Previous::NotAsked,
                &options
                    .request(Purpose::Check(TableSet::default()))
                    .unwrap(),
            );
            let rules = options.rules(&snapshot).unwrap();
            let of_disk = rules
                .iter()
                .filter_map(|rule| Some((rule.level, rule.parts.only()?)))
                .filter(|(_, part)| part.measure.to_string() == "disk.free_bytes");
            of_disk
                .map(|(level, part)| format!("{}={}", level.name(), part.range.spelling()))
                .collect()
        };
        let warning = ("warning", "disk.free_bytes=1GiB:");
        assert_eq!(levels(&[]), ["warning=512MiB:", "critical=64MiB:"]);
        assert_eq!(levels(&[warning]), ["warning=1GiB:"]);
        let both = ["warning=1GiB:", "critical=64MiB:"];
        assert_eq!(levels(&[warning, ("defaults", "")]), both);
        let other = levels(&[("warning", "deferred.messages=5"), ("defaults", "")]);
        assert_eq!(other, ["warning=512MiB:", "critical=64MiB:"]);
    }

    #[test]
    fn nothing_is_read_that_nobody_asked_for() {
        let plan = |set: &[(&str, &str)], purpose| {
            let mut options = Options::default();
            for (name, value) in set {
                options.set(name, value.as_bytes()).unwrap();
            }
            options.request(purpose).unwrap()
        };
        let one = plan(&[("measure", "deferred.messages")], Purpose::Everything);
        assert_eq!(one.plan.queues(), Queue::Deferred.into());
        assert_eq!(one.plan.depth(Queue::Deferred), Some(Depth::Inodes));
        assert_eq!(one.wanted, TableSet::default());
        let check = plan(
            &[("warning", "deferred.older(4h)=5")],
            Purpose::Check(TableSet::default()),
        );
        assert_eq!(check.plan.queues(), QueueSet::ALL);
        assert!(check.wanted.arrivals && !check.wanted.domains);
        let counts = plan(&[("counts", "")], Purpose::Check(TableSet::ALL));
        assert_eq!(counts.plan, Plan::new(QueueSet::ALL, Depth::Names));
    }
}
