//! The line of a Checkmk local check: state, service, metrics, text.
//!
//! Checkmk, "Writing local checks": `STATE "SERVICE" NAME=VALUE;WARN;CRIT;MIN;MAX|... TEXT`, with `-` for no metrics. Names of
//! metrics are letters, digits and `_`, values have no unit, and a level is one number. `\n` in the text begins the
//! details.

use std::fmt::Write as _;

use super::{perfdata, plugin};
use crate::error::Error;
use crate::rules::{State, Verdict};
use crate::snapshot::Snapshot;

/// The name of the service.
const SERVICE: &str = "Postfix queue";

/// The line of a check, ending in a newline; with `verbosity` its details follow in the same line.
pub fn line(snapshot: &Snapshot, verdict: &Verdict, verbosity: u8, counts_only: bool) -> String {
    let metrics: Vec<String> = perfdata::items(snapshot, verdict, counts_only)
        .iter()
        .filter_map(|item| metric(item))
        .collect();
    let metrics = match metrics.is_empty() {
        true => "-".to_owned(),
        false => metrics.join("|"),
    };
    let mut line = head(verdict.state);
    let text = plugin::service_output(snapshot, verdict);
    let _ = write!(line, "{metrics} {text}");
    if verbosity > 0 {
        let long = plugin::output(snapshot, verdict, verbosity, counts_only);
        for detail in long.lines().skip(1) {
            line.push_str("\\n");
            line.push_str(&one_line(detail));
        }
    }
    line.push('\n');
    line
}

/// The line of a check that failed before it read a spool.
pub fn failure(error: &Error) -> String {
    let text = plugin::failure(error);
    let parts: Vec<String> = text.lines().map(one_line).collect();
    format!("{}- {}\n", head(State::Unknown), parts.join("\\n"))
}

fn head(state: State) -> String {
    format!("{} \"{SERVICE}\" ", state.code())
}

/// A backslash of the text would begin a line of details.
fn one_line(text: &str) -> String {
    text.replace('\\', "/")
}

/// An item of performance data as a metric; `None` if it is none.
fn metric(item: &str) -> Option<String> {
    let (label, fields) = item.rsplit_once('=')?;
    let name = name(label.trim_matches('\''));
    let mut fields = fields.split(';');
    let unit = |letter: char| letter.is_ascii_alphabetic() || letter == '%';
    let value = fields.next()?.trim_end_matches(unit);
    let levels: Vec<&str> = fields
        .map(|level| match level.parse::<f64>() {
            Ok(_) => level,
            // A range with a lower end, or no level.
            Err(_) => "",
        })
        .collect();
    let metric = format!("{name}={value};{}", levels.join(";"));
    Some(metric.trim_end_matches(';').to_owned())
}

/// The name of the metric with the unique `label`. A hash follows if another label could give the same name: a
/// character was replaced. The instance names of Postfix, `postfix` and `postfix-NAME`, give names that no
/// other label has, since every other one without a hash begins with what its measure is about.
fn name(label: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut name = label.replace(|letter| !is_plain(letter), "_");
    let instance = label.split_once('.').filter(|(instance, rest)| {
        let own = match instance.strip_prefix("postfix") {
            Some("") => Some("postfix"),
            rest => rest.and_then(|rest| rest.strip_prefix('-')),
        };
        let is_own =
            |own: &str| !own.is_empty() && own.bytes().all(|one| one.is_ascii_alphanumeric());
        own.is_some_and(is_own) && rest.chars().all(is_plain)
    });
    if name != label && instance.is_none() {
        let _ = write!(name, "_{:08x}", perfdata::hash(label.as_bytes()));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_a_name_of_letters_no_unit_and_single_levels() {
        for (item, wanted) in [
            ("deferred=5;500;2000;0", "deferred=5;500;2000;0"),
            (
                "deferred_oldest=21720s;14400;;0",
                "deferred_oldest=21720;14400;;0",
            ),
            ("'postfix.deferred'=5;;;0", "postfix_deferred=5;;;0"),
            ("'postfix-out.deferred'=5;;;0", "postfix_out_deferred=5;;;0"),
            ("disk_free_bytes=5B;512:;64:;0", "disk_free_bytes=5;;;0"),
            ("active_fill=0.5%;~:80;@5:6", "active_fill=0.5"),
        ] {
            assert_eq!(metric(item).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn labels_that_differ_have_names_that_differ() {
        let names: Vec<String> = [
            "deferred",
            "deferred_sender_a@b_x",
            "deferred_sender_a_b_x",
            "deferred_sender_a-b_x",
            "deferred_sender_a+b_x",
            "deferred.top_sender",
            "deferred_top_sender",
            "postfix.deferred",
            "postfix-out.deferred",
            "postfix_out.deferred",
            "postfix.out.deferred",
            "postfix-.deferred",
            "postfix-out-2.deferred",
            "postfix-out_2.deferred",
            "postfix-out.deferred_sender_a@b_x",
            "postfix-out.deferred_sender_a_b_x",
            "out.deferred",
            "out-deferred.deferred",
        ]
        .map(name)
        .to_vec();
        for (place, name) in names.iter().enumerate() {
            assert!(!names[..place].contains(name), "{names:?}");
            let plain = |one: u8| one.is_ascii_alphanumeric() || one == b'_';
            assert!(name.bytes().all(plain), "{name}");
        }
        assert_eq!(names[2], "deferred_sender_a_b_x");
        // A name must be the same on every host and in every release.
        assert_eq!(names[1], "deferred_sender_a_b_x_5e50b365");
    }

    #[test]
    fn a_failure_is_a_service_that_is_unknown() {
        let error = Error::new(crate::error::ErrorKind::Denied, "no\\way");
        let line = failure(&error);
        assert!(
            line.starts_with("3 \"Postfix queue\" - POSTFIX QUEUE UNKNOWN: no/way"),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1);
    }
}
