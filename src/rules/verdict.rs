//! Applies rules to a snapshot; findings are ordered worst first.

use super::defaults;
use super::rule::{Level, Rule};
use super::state::State;
use crate::measure::{Figure, Kind, Measure, Quality};
use crate::snapshot::{InstanceSnapshot, Snapshot};

/// The result of one rule, or of two rules on the same measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The service state.
    pub state: State,
    /// The rule; if a value breaches two, the more severe one.
    pub rule: Rule,
    /// The measured figure.
    pub figure: Figure,
}

impl Finding {
    /// The text in service output: `deferred.messages is 5200 (critical 2000)`.
    pub fn text(&self) -> String {
        let measure = &self.rule.measure;
        let unit = measure.unit();
        let detail = match (&self.figure.detail, self.figure.quality) {
            (Some(why), Quality::Unknown) => return format!("{measure} is unknown: {why}"),
            (Some(detail), _) => format!(" ({detail})"),
            (None, _) => String::new(),
        };
        let value = unit.show(self.figure.value);
        let damaged = self.figure.damaged.as_ref();
        let because = damaged.map_or(String::new(), |file| format!(": {file}"));
        match (self.state, self.figure.quality) {
            (State::Unknown, Quality::AtLeast) if self.figure.value > 0.0 => {
                format!("{measure} is unknown, at least {value}{detail}{because}")
            }
            (State::Unknown, _) => format!("{measure} is unknown{because}"),
            (_, quality) => {
                let bound = match quality {
                    Quality::Exact => "",
                    _ => "at least ",
                };
                format!(
                    "{measure} is {bound}{value}{detail} ({} {})",
                    self.rule.level.name(),
                    self.rule.range.spelling()
                )
            }
        }
    }
}

/// The judgement of a snapshot.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The worst state of all findings.
    pub state: State,
    /// All rules that were applied, in the given order.
    pub rules: Vec<Rule>,
    /// Findings that are not OK, worst first, otherwise in the given order. Only the worst of each
    /// measure is listed.
    pub findings: Vec<Finding>,
    /// Further sentences for the output.
    pub notes: Vec<String>,
}

impl Verdict {
    /// Applies `rules` to `snapshot`.
    ///
    /// A snapshot in which a queue was not read completely is never OK, whatever the rules.
    pub fn new(snapshot: &Snapshot, rules: &[Rule]) -> Self {
        let mut findings: Vec<Finding> = Vec::new();
        for rule in rules {
            let figure = defaults::figure(rule, snapshot);
            let Some(state) = judge(rule, &figure) else {
                continue;
            };
            let found = Finding {
                state,
                rule: rule.clone(),
                figure,
            };
            match findings
                .iter_mut()
                .find(|one| one.rule.measure == rule.measure)
            {
                Some(one) if one.state.worse(state) != one.state => *one = found,
                Some(_) => {}
                None => findings.push(found),
            }
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state.severity()));
        let start = match snapshot.is_counted() {
            true => State::Ok,
            false => State::Unknown,
        };
        let state = findings
            .iter()
            .fold(start, |state, finding| state.worse(finding.state));
        Verdict {
            state,
            rules: rules.to_vec(),
            findings,
            notes: Vec::new(),
        }
    }

    /// The state of the instance `taken` of `snapshot`: what the rules would find if it were the only
    /// instance.
    pub fn state_of(&self, snapshot: &Snapshot, taken: &InstanceSnapshot) -> State {
        let name = &taken.instance.name;
        let start = match taken.is_counted() {
            true => State::Ok,
            false => State::Unknown,
        };
        let of_others = |rule: &&Rule| {
            rule.measure
                .instance
                .as_ref()
                .is_some_and(|other| other != name)
        };
        // Ignores the daemon of an instance that is not expected to run, unless a rule names it.
        let idle = |rule: &&Rule| {
            let daemon = matches!(rule.measure.kind, Kind::Running | Kind::QmgrRunning);
            daemon && rule.measure.instance.is_none() && !taken.instance.expected
        };
        self.rules
            .iter()
            .filter(|rule| !of_others(rule) && !idle(rule))
            .filter_map(|rule| {
                let mut rule = rule.clone();
                rule.measure.instance = Some(name.clone());
                judge(&rule, &defaults::figure(&rule, snapshot))
            })
            .fold(start, State::worse)
    }

    /// Adds a note; `unknown` raises the state to UNKNOWN.
    pub fn note(&mut self, sentence: String, unknown: bool) {
        self.notes.push(sentence);
        if unknown {
            self.state = self.state.worse(State::Unknown);
        }
    }

    /// The range of the first rule for `measure` at `level`.
    pub fn range(&self, measure: &Measure, level: Level) -> Option<&super::range::Range> {
        self.rules
            .iter()
            .find(|rule| rule.level == level && rule.measure == *measure)
            .map(|rule| &rule.range)
    }
}

/// The state that `rule` gives to `figure`; `None` if it gives none.
fn judge(rule: &Rule, figure: &Figure) -> Option<State> {
    match figure.quality {
        Quality::Exact => rule.range.alerts(figure.value).then(|| rule.level.state()),
        Quality::AtLeast if rule.range.alerts_from(figure.value) => Some(rule.level.state()),
        // A default on causes, or on a name that has most, is silent if a lower bound does not prove it: a
        // sample is no gap, too many names are none, and damage has a default of its own. Read failures make
        // the check UNKNOWN separately.
        Quality::AtLeast if rule.default && (figure.sampled || rule.is_about_reasons()) => None,
        Quality::AtLeast => Some(State::Unknown),
        Quality::Unknown => (!rule.default && !figure.pending).then_some(State::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Quality::{AtLeast, Exact, Unknown};

    #[test]
    fn a_figure_is_judged_by_what_it_proves() {
        let rule = |level, text| Rule::parse(level, text).unwrap();
        let figure = |value, quality| Figure {
            value,
            quality,
            detail: None,
            damaged: None,
            pending: false,
            sampled: false,
        };
        let critical = rule(Level::Critical, "deferred.messages=10");
        for (value, quality, state) in [
            (10.0, Quality::Exact, None),
            (11.0, Quality::Exact, Some(State::Critical)),
            (11.0, Quality::AtLeast, Some(State::Critical)),
            (10.0, Quality::AtLeast, Some(State::Unknown)),
            (0.0, Quality::Unknown, Some(State::Unknown)),
        ] {
            assert_eq!(judge(&critical, &figure(value, quality)), state);
        }
        let floor = rule(Level::Warning, "deferred.messages=10:");
        assert_eq!(
            judge(&floor, &figure(5.0, Quality::AtLeast)),
            Some(State::Unknown)
        );
    }

    #[test]
    fn a_finding_says_figure_and_threshold() {
        let finding = |text, state, value, quality, detail: Option<&str>| {
            Finding {
                state,
                rule: Rule::parse(Level::Critical, text).unwrap(),
                figure: Figure {
                    value,
                    quality,
                    detail: detail.map(str::to_owned),
                    damaged: None,
                    pending: false,
                    sampled: false,
                },
            }
            .text()
        };
        for (text, wanted) in [
            (
                finding(
                    "deferred.messages=2000",
                    State::Critical,
                    5200.0,
                    Exact,
                    None,
                ),
                "deferred.messages is 5200 (critical 2000)",
            ),
            (
                finding(
                    "deferred.oldest=4h",
                    State::Critical,
                    21720.0,
                    AtLeast,
                    None,
                ),
                "deferred.oldest is at least 6h 2m (critical 4h)",
            ),
            (
                finding(
                    "deferred.top_domain=5",
                    State::Critical,
                    9.0,
                    Exact,
                    Some("a.example"),
                ),
                "deferred.top_domain is 9 (a.example) (critical 5)",
            ),
            (
                finding("deferred.messages=5", State::Unknown, 3.0, AtLeast, None),
                "deferred.messages is unknown, at least 3",
            ),
            (
                finding("deferred.messages=5", State::Unknown, 0.0, AtLeast, None),
                "deferred.messages is unknown",
            ),
            (
                finding(
                    "master.running=1:",
                    State::Unknown,
                    0.0,
                    Unknown,
                    Some("no /proc"),
                ),
                "master.running is unknown: no /proc",
            ),
        ] {
            assert_eq!(text, wanted);
        }
    }
}
