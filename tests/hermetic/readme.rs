//! README says what the programs do: its tables are compared with the tables of the code.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use queuewatch::measure::CATALOGUE;
use queuewatch::options::{HOST_OPTIONS, OPTIONS, OptionRow, SHAPE_OPTIONS};
use queuewatch::rules::defaults;

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    fs::read_to_string(path).unwrap()
}

/// The first cells of the rows of the table under `heading`.
fn first_cells(readme: &str, heading: &str) -> Vec<String> {
    let section = readme.split(heading).nth(1).expect(heading);
    section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('`').nth(1).unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_measure_stands_there_with_its_unit_and_meaning() {
    let readme = readme();
    for row in &CATALOGUE {
        let unit = row.unit.uom();
        let unit = if unit.is_empty() {
            String::new()
        } else {
            format!("{unit} ")
        };
        let line = format!("| `{}` | {unit}| {} |", row.spelling, row.help);
        assert!(readme.contains(&line), "{line}");
    }
    assert_eq!(first_cells(&readme, "### Measures").len(), CATALOGUE.len());
}

#[test]
fn every_default_stands_there_and_no_other() {
    let written: BTreeSet<String> = first_cells(&readme(), "### Without rules")
        .into_iter()
        .collect();
    let ours: BTreeSet<String> = defaults(true, 20_000)
        .iter()
        .map(|rule| {
            let (level, range) = (rule.level.name(), rule.range.spelling());
            format!("--{level} {}={range}", rule.measure)
        })
        .collect();
    assert_eq!(written, ours);
}

fn options_of_the_plugin() -> impl Iterator<Item = &'static OptionRow> {
    let of_hosts = |name| HOST_OPTIONS.contains(&name) || SHAPE_OPTIONS.contains(&name);
    OPTIONS.iter().filter(move |row| !of_hosts(row.name))
}

#[test]
fn every_option_of_the_plugin_stands_there() {
    let readme = readme();
    for row in options_of_the_plugin() {
        let short = match row.name {
            "warning" => "`-w RULE`",
            "critical" => "`-c RULE`",
            "timeout" => "`-t SECONDS`",
            name => &format!("--{name}"),
        };
        assert!(readme.contains(short), "{short}");
    }
}

#[test]
fn help_names_every_option_measure_and_default() {
    let output = Command::new(env!("CARGO_BIN_EXE_check_postfix_queue"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for row in options_of_the_plugin() {
        assert!(help.contains(&format!("--{}", row.name)), "{}", row.name);
    }
    for row in &CATALOGUE {
        assert!(help.contains(row.spelling), "{}", row.spelling);
    }
    for rule in defaults(true, 20_000) {
        assert!(help.contains(&format!("{}={}", rule.measure, rule.range.spelling())));
    }
}

#[test]
fn the_table_of_benchmarks_is_that_of_the_results() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/results.md");
    let results = fs::read_to_string(path).unwrap();
    let readme = readme();
    let (_, rest) = readme.split_once("run --suite: begin -->\n").unwrap();
    let (table, _) = rest.split_once("<!-- ").unwrap();
    assert!(table.lines().count() > 10, "{table}");
    assert!(
        results.contains(table),
        "made by tests/bench/run --suite, and not by hand:\n{table}"
    );
}
