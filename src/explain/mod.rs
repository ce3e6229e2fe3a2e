//! The runbook, offline: what a measure, a cause or a rule means, how to confirm it, what to do, and what
//! never to do.
//!
//! The pages `metrics.md` and `causes.md` are the only source; a section of theirs is printed as it
//! stands.

use std::fmt::Write as _;

use crate::cause::Cause;
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::measure::{Argument, CATALOGUE, Kind, Measure};
use crate::rules::{Level, Part, Rule, defaults_with_rules};

const METRICS: &str = include_str!("../docs/metrics.md");
const CAUSES: &str = include_str!("../docs/causes.md");

/// The section of `page` under the heading `name`.
fn section<'p>(page: &'p str, name: &str) -> Option<&'p str> {
    page.split("\n## ")
        .skip(1)
        .find_map(|section| section.strip_prefix(name)?.strip_prefix('\n'))
        .map(str::trim)
}

/// The text of a cause: its name, what it means, who acts, and the steps.
pub(crate) fn cause(cause: Cause) -> String {
    let text = section(CAUSES, cause.name()).unwrap_or(cause.meaning());
    format!("cause {}\n\n{text}\n", cause.name())
}

/// The text of a measure; for one about a cause with that of the cause.
pub(crate) fn measure(measure: &Measure) -> String {
    let spelling = measure.row().spelling;
    let text = section(METRICS, spelling).unwrap_or(measure.row().help);
    let mut all = format!("{measure} ({spelling})\n\n{text}\n");
    if let (Kind::Cause, Argument::Name(name)) = (measure.kind, &measure.argument) {
        if let Some(one) = Cause::of_name(name.as_bytes()) {
            all.push('\n');
            all.push_str(&cause(one));
        }
    }
    all
}

/// The text of a part of a rule: what it says, why it is a default if it is one, and that of its measure.
fn part(part: &Part) -> String {
    let mut all = format!("rule {part}\n\nAlerts outside that range; inside it with @.\n");
    for (row, default) in defaults_with_rules() {
        if default.parts.only() == Some(part) {
            let level = row.level.name();
            let _ = writeln!(all, "It is a default at {level}, because {}.", row.why);
        }
    }
    all.push('\n');
    all.push_str(&measure(&part.measure));
    all
}

/// Explains `name`: a cause, a measure (as the catalogue spells it, or with its argument), or a rule. Rules
/// joined by `and` are explained one after the other.
///
/// # Errors
/// Of kind `NotFound`, with what there is.
pub fn explain(name: &str) -> Result<String> {
    let name = name.trim();
    if let Some(one) = Cause::of_name(name.as_bytes()) {
        return Ok(cause(one));
    }
    if let Some(row) = CATALOGUE.iter().find(|row| row.spelling == name) {
        let text = section(METRICS, row.spelling).unwrap_or(row.help);
        return Ok(format!("{}\n\n{text}\n", row.spelling));
    }
    if let Ok(one) = Measure::parse(name) {
        return Ok(measure(&one));
    }
    if !name.contains('=') {
        return Err(unknown(name));
    }
    let rule = Rule::parse(Level::Warning, name)?;
    let texts: Vec<String> = rule.parts.iter().map(part).collect();
    Ok(texts.join("\n"))
}

fn unknown(name: &str) -> Error {
    let causes: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
    let measures: Vec<&str> = CATALOGUE.iter().map(|row| row.spelling).collect();
    Error::new(
        ErrorKind::NotFound,
        format!(
            "{} is not a measure, a cause or a rule",
            escape::printable(name.as_bytes(), 64)
        ),
    )
    .with_remedy(format!(
        "causes are {}; measures are {}",
        causes.join(" "),
        measures.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::DEFAULTS;

    /// What a runbook must say.
    fn has_steps(text: &str, points: &[&str]) {
        for point in points {
            assert!(
                text.contains(&format!("\n* {point}: ")),
                "no {point} in {text}"
            );
        }
    }

    #[test]
    fn every_measure_has_a_runbook() {
        for row in &CATALOGUE {
            let text = explain(row.spelling).unwrap();
            has_steps(&text, &["Unit", "High", "Look", "Do", "Never"]);
        }
    }

    #[test]
    fn every_cause_has_a_runbook() {
        for one in Cause::ALL {
            let text = explain(one.name()).unwrap();
            has_steps(&text, &["Who acts", "Confirm", "Do", "Never"]);
            let acts = text.split("* Who acts: ").nth(1).unwrap();
            assert!(acts.starts_with(one.acts().name()), "{text}");
        }
    }

    #[test]
    fn every_default_says_why_it_is_one() {
        for row in DEFAULTS {
            let text = explain(row.rule).unwrap();
            assert!(text.contains(&format!("because {}", row.why)), "{text}");
            has_steps(&text, &["Do", "Never"]);
        }
    }

    #[test]
    fn a_measure_of_a_cause_brings_that_of_the_cause() {
        let text = explain("deferred.cause(filter)").unwrap();
        assert!(text.contains("cause filter"), "{text}");
        let both = explain("deferred.oldest=4h and deferred.messages=10").unwrap();
        assert!(both.contains("deferred.oldest=4h") && both.contains("deferred.messages=10"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = explain("frobnicate").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("greylisted"), "{error}");
        assert!(explain("deferred.oldest=x").is_err());
    }
}
