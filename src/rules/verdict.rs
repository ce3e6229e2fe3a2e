//! Applies rules to a snapshot; findings are ordered worst first.

use super::defaults;
use super::joined::Joined;
use super::range::Range;
use super::rule::{Level, Part, Rule};
use super::state::State;
use crate::measure::{Figure, Kind, Measure, Quality};
use crate::snapshot::{InstanceSnapshot, Snapshot};

/// The result of one rule, or of two rules on the same measure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// The service state.
    pub state: State,
    /// The rule; if a value breaches two, the more severe one.
    #[doc(hidden)]
    pub rule: Rule,
    /// The measured figures, one for each part of the rule.
    #[doc(hidden)]
    pub figures: Joined<Figure>,
}

impl Finding {
    /// The text in service output: `deferred.messages is 5200 (critical 2000)`; the parts of a joined rule with
    /// `and` between them.
    pub fn text(&self) -> String {
        let texts: Vec<String> = self
            .parts()
            .map(|(part, figure)| self.part(part, figure))
            .collect();
        texts.join(" and ")
    }

    /// Returns the parts of the rule with their figures.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Part, &Figure)> {
        self.rule.parts.iter().zip(self.figures.iter())
    }

    fn part(&self, part: &Part, figure: &Figure) -> String {
        let Part { measure, range } = part;
        let unit = measure.unit();
        let detail = match (&figure.detail, figure.quality) {
            (Some(why), Quality::Unknown) => return format!("{measure} is unknown: {why}"),
            (Some(detail), _) => format!(" ({detail})"),
            (None, _) => String::new(),
        };
        let value = unit.show(figure.value);
        let damaged = figure.damaged.as_ref();
        let because = damaged.map_or(String::new(), |file| format!(": {file}"));
        // Another part may be what makes the whole unknown.
        let state = judge_part(&self.rule, range, figure).unwrap_or(self.state);
        match (state, figure.quality) {
            (State::Unknown, Quality::AtLeast) if figure.value > 0.0 => {
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
                    range.spelling()
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
    pub(crate) rules: Vec<Rule>,
    /// Findings that are not OK, worst first, otherwise in the given order. Only the worst of each
    /// measure is listed.
    pub findings: Vec<Finding>,
    /// Further sentences for the output.
    pub notes: Vec<String>,
}

impl Verdict {
    /// Applies `rules` to `snapshot`.
    ///
    /// A snapshot in which a queue was not read completely is never OK, whatever the rules. If a default
    /// judges delay reasons, neither is one in which those of deferred mail could not be read.
    pub(crate) fn new(snapshot: &Snapshot, rules: Vec<Rule>) -> Self {
        let mut findings: Vec<Finding> = Vec::new();
        let mut notes = Vec::new();
        for rule in &rules {
            let figures = defaults::figures(rule, snapshot);
            let Some(state) = judge(rule, &figures) else {
                notes.extend(not_judged(rule, &figures).filter(|note| !notes.contains(note)));
                continue;
            };
            let found = Finding {
                state,
                rule: rule.clone(),
                figures,
            };
            match findings
                .iter_mut()
                .find(|one| one.rule.is_about_the_same(rule))
            {
                Some(one) if one.state.worse(state) != one.state => *one = found,
                Some(_) => {}
                None => findings.push(found),
            }
        }
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state.severity()));
        let start =
            match snapshot.is_counted() && !(has_reasons(&rules) && snapshot.lacks_reasons()) {
                true => State::Ok,
                false => State::Unknown,
            };
        let state = findings
            .iter()
            .fold(start, |state, finding| state.worse(finding.state));
        Verdict {
            state,
            rules,
            findings,
            notes,
        }
    }

    /// The state of the instance `taken` of `snapshot`: what the rules would find if it were the only
    /// instance.
    pub(crate) fn state_of(&self, snapshot: &Snapshot, taken: &InstanceSnapshot) -> State {
        let name = &taken.instance.name;
        let start = match taken.is_counted() && !(has_reasons(&self.rules) && taken.lacks_reasons())
        {
            true => State::Ok,
            false => State::Unknown,
        };
        let of_another =
            |measure: &Measure| measure.instance.as_ref().is_some_and(|other| other != name);
        let of_others = |rule: &&Rule| rule.measures().any(of_another);
        // Ignores the daemon of an instance that is not expected to run, unless a rule names it.
        let is_idle = |measure: &Measure| {
            let daemon = matches!(measure.kind, Kind::Running | Kind::QmgrRunning);
            let alone = snapshot.instances.len() == 1;
            daemon && measure.instance.is_none() && !taken.instance.expected && !alone
        };
        let idle = |rule: &&Rule| rule.measures().any(is_idle);
        self.rules
            .iter()
            .filter(|rule| !of_others(rule) && !idle(rule))
            .filter_map(|rule| {
                let mut rule = rule.clone();
                for part in rule.parts.iter_mut() {
                    part.measure.instance = Some(name.clone());
                }
                judge(&rule, &defaults::figures(&rule, snapshot))
            })
            .fold(start, State::worse)
    }

    /// Returns true if a default judges delay reasons that `snapshot` could not read.
    pub(crate) fn lacks_reasons(&self, snapshot: &Snapshot) -> bool {
        has_reasons(&self.rules) && snapshot.lacks_reasons()
    }

    /// Adds a note; `unknown` raises the state to UNKNOWN.
    pub(crate) fn note(&mut self, sentence: String, unknown: bool) {
        self.notes.push(sentence);
        if unknown {
            self.state = self.state.worse(State::Unknown);
        }
    }

    /// The range of the first rule for `measure` alone at `level`.
    pub(crate) fn range(&self, measure: &Measure, level: Level) -> Option<&Range> {
        let mut parts = self
            .rules
            .iter()
            .filter(|rule| rule.level == level)
            .filter_map(|rule| rule.parts.only());
        let part = parts.find(|part| part.measure == *measure);
        part.map(|part| &part.range)
    }
}

/// Returns true if a default among `rules` judges delay reasons.
pub(crate) fn has_reasons(rules: &[Rule]) -> bool {
    rules
        .iter()
        .any(|rule| rule.default && rule.is_about_reasons())
}

/// Why a given rule is silent, if a figure of it is not known yet.
fn not_judged(rule: &Rule, figures: &Joined<Figure>) -> Option<String> {
    let parts = || rule.parts.iter().zip(figures.iter());
    let (part, figure) = parts().find(|(_, figure)| figure.pending && !rule.default)?;
    let mut others = parts().filter(|(_, figure)| !figure.pending);
    if others.any(|(part, figure)| judge_part(rule, &part.range, figure).is_none()) {
        // It would not alert whatever that figure is.
        return None;
    }
    let why = figure.detail.as_deref().unwrap_or_default();
    Some(format!("{} is not judged yet: {why}", part.measure))
}

/// The state that `rule` gives to its figures; `None` if it gives none. A part that surely does not alert
/// silences the rule, whatever is unknown of the others.
fn judge(rule: &Rule, figures: &Joined<Figure>) -> Option<State> {
    let mut state = rule.level.state();
    for (part, figure) in rule.parts.iter().zip(figures.iter()) {
        // What is not known of one part is not known of the whole.
        if judge_part(rule, &part.range, figure)? == State::Unknown {
            state = State::Unknown;
        }
    }
    Some(state)
}

/// The state that `figure` has by `range`, a part of `rule`.
fn judge_part(rule: &Rule, range: &Range, figure: &Figure) -> Option<State> {
    match figure.quality {
        Quality::Exact => range.alerts(figure.value).then(|| rule.level.state()),
        Quality::AtLeast if range.alerts_from(figure.value) => Some(rule.level.state()),
        // A default on causes, or on a name that has most, is silent if a lower bound does not prove it: a
        // sample is no gap, too many names are none, and damage has a default of its own. Read failures, also
        // of delay reasons, make the check UNKNOWN separately.
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
            assert_eq!(
                judge(&critical, &Joined::new(figure(value, quality))),
                state
            );
        }
        let floor = rule(Level::Warning, "deferred.messages=10:");
        assert_eq!(
            judge(&floor, &Joined::new(figure(5.0, Quality::AtLeast))),
            Some(State::Unknown)
        );
        let joined = rule(Level::Critical, "deferred.messages=10 and hold.messages=3");
        for (one, two, state) in [
            (
                (11.0, Quality::Exact),
                (4.0, Quality::Exact),
                Some(State::Critical),
            ),
            ((11.0, Quality::Exact), (3.0, Quality::Exact), None),
            ((10.0, Quality::Exact), (4.0, Quality::Exact), None),
            (
                (11.0, Quality::AtLeast),
                (4.0, Quality::AtLeast),
                Some(State::Critical),
            ),
            (
                (11.0, Quality::Exact),
                (3.0, Quality::AtLeast),
                Some(State::Unknown),
            ),
            (
                (9.0, Quality::AtLeast),
                (4.0, Quality::Exact),
                Some(State::Unknown),
            ),
            (
                (0.0, Quality::Unknown),
                (4.0, Quality::Exact),
                Some(State::Unknown),
            ),
            // One part is enough to be silent.
            ((0.0, Quality::Unknown), (3.0, Quality::Exact), None),
        ] {
            let mut figures = Joined::new(figure(one.0, one.1));
            figures.push(figure(two.0, two.1));
            assert_eq!(judge(&joined, &figures), state);
        }
    }

    #[test]
    fn a_finding_says_figure_and_threshold() {
        let finding = |text, state, value, quality, detail: Option<&str>| {
            Finding {
                state,
                rule: Rule::parse(Level::Critical, text).unwrap(),
                figures: Joined::new(Figure {
                    value,
                    quality,
                    detail: detail.map(str::to_owned),
                    damaged: None,
                    pending: false,
                    sampled: false,
                }),
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
