//! README and the guide say what the programs do: their tables are compared with the tables of the code, and their
//! commands are run on a spool of made-up mail.

use crate::support::is_checkout;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use queuewatch::drill::{Plan, make};
use queuewatch::measure::{CATALOGUE, Unit};
use queuewatch::options::{HOST_OPTIONS, OPTIONS, OptionRow, SHAPE_OPTIONS, is_filter};
use queuewatch::rules::{Known, defaults};
use queuewatch::scan::Depth;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap()
}

fn guide() -> String {
    page("src/docs/guide.md")
}

/// The first cells of the rows of the table under `heading`.
fn first_cells(page: &str, heading: &str) -> Vec<String> {
    let section = page.split(heading).nth(1).expect(heading);
    section
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('`').nth(1).unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn every_measure_is_in_the_guide_with_its_unit_and_meaning() {
    let guide = guide();
    for row in &CATALOGUE {
        let unit = row.unit.uom();
        let unit = if unit.is_empty() {
            String::new()
        } else {
            format!("{unit} ")
        };
        let line = format!("| `{}` | {unit}| {} |", row.spelling, row.help);
        assert!(guide.contains(&line), "{line}");
    }
    assert_eq!(
        first_cells(&guide, "\n### Measures\n").len(),
        CATALOGUE.len()
    );
}

/// The sections of `metrics.md`, in order: heading and text.
fn sections(page: &str) -> Vec<(String, String)> {
    page.split("\n## ")
        .skip(1)
        .map(|section| {
            let (heading, text) = section.split_once('\n').unwrap();
            (heading.to_owned(), text.to_owned())
        })
        .collect()
}

#[test]
fn every_measure_has_a_section_of_its_own() {
    let page = page("src/docs/metrics.md");
    let sections = sections(&page);
    let headings: Vec<&str> = sections
        .iter()
        .map(|(heading, _)| heading.as_str())
        .collect();
    let spellings: Vec<&str> = CATALOGUE.iter().map(|row| row.spelling).collect();
    assert_eq!(headings, spellings, "in the order of the catalogue");

    for (row, (heading, text)) in CATALOGUE.iter().zip(&sections) {
        let points: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("* ")?.split_once(": "))
            .collect();
        for point in ["Unit", "Reads", "Unknown", "High", "Look"] {
            assert!(points.contains_key(point), "{heading} has no {point}");
        }
        let unit = match row.unit {
            Unit::Seconds => Some("seconds"),
            Unit::Bytes => Some("bytes"),
            Unit::Percent => Some("percent"),
            Unit::PerMinute => Some("messages a minute"),
            Unit::Count => None,
        };
        assert!(
            unit.is_none_or(|unit| points["Unit"] == unit),
            "{heading}: {}",
            points["Unit"]
        );
        let reads = match row.depth {
            Depth::Names => "",
            Depth::Inodes => "inodes",
            Depth::Envelopes => "queue files",
            Depth::Reasons => "delay logs",
        };
        assert!(
            points["Reads"].starts_with(reads),
            "{heading}: {}",
            points["Reads"]
        );
        assert!(
            !text.trim_start().starts_with('*'),
            "{heading} says nothing"
        );
    }
}

#[test]
fn every_default_is_in_the_guide_and_no_other() {
    let written: BTreeSet<String> = first_cells(&guide(), "\n### Without rules\n")
        .into_iter()
        .collect();
    let ours: BTreeSet<String> = defaults(Known::ALL)
        .iter()
        .map(|rule| format!("--{} {rule}", rule.level.name()))
        .collect();
    assert_eq!(written, ours);
}

fn options_of_the_plugin() -> impl Iterator<Item = &'static OptionRow> {
    let of_hosts =
        |name| HOST_OPTIONS.contains(&name) || SHAPE_OPTIONS.contains(&name) || is_filter(name);
    OPTIONS.iter().filter(move |row| !of_hosts(row.name))
}

#[test]
fn every_option_of_the_plugin_is_in_the_guide() {
    let guide = guide();
    for row in options_of_the_plugin() {
        let short = match row.name {
            "warning" => "`-w RULE`",
            "critical" => "`-c RULE`",
            "timeout" => "`-t SECONDS`",
            name => &format!("--{name}"),
        };
        assert!(guide.contains(short), "{short}");
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
    for rule in defaults(Known::ALL) {
        assert!(help.contains(&rule.to_string()));
    }
}

/// The figures of README's summary: a number, its unit, and ratios in brackets.
#[test]
fn every_figure_about_speed_is_in_the_results() {
    if !is_checkout() {
        return;
    }
    let results = page("tests/bench/results.md");
    let readme = page("README.md");
    let (_, summary) = readme.split_once("\n## Speed\n").unwrap();
    let (summary, _) = summary.split_once("\n## ").unwrap();
    let mut seen = 0;
    for line in summary.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.windows(2) {
            let unit = pair[1].trim_end_matches([',', '.', ';']);
            if matches!(unit, "ms" | "s") {
                let figure = format!("{} {unit}", pair[0]);
                assert!(results.contains(&figure), "{figure} was not measured");
                seen += 1;
            }
        }
    }
    assert!(seen > 7, "only {seen} figures found");
}

/// The commands of our programs in the shell blocks of a page.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_shell = false;
    for line in page.lines() {
        match line {
            "```sh" => in_shell = true,
            "```" => in_shell = false,
            line if in_shell => {
                let command = line.split(" #").next().unwrap_or_default().trim();
                let command = command.strip_prefix("sudo -u nagios ").unwrap_or(command);
                let ours = ["queuewatch", "check_postfix_queue"];
                if ours.contains(&command.split(' ').next().unwrap_or_default()) {
                    found.push(command.to_owned());
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn every_command_of_readme_and_guide_runs() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let plan = Plan {
        messages: 50,
        ..Plan::default()
    };
    make(&spool, &plan, &mut |_, _| {}).unwrap();
    let etc = folder.path().join("etc");
    fs::create_dir(&etc).unwrap();
    let main_cf = format!("queue_directory = {}\n", spool.display());
    fs::write(etc.join("main.cf"), main_cf).unwrap();

    let mut mail = fs::read_dir(spool.join("active")).unwrap();
    let queue_id = mail.next().expect("mail").unwrap().file_name();
    let queue_id = queue_id.into_string().unwrap();

    let mut seen = BTreeSet::new();
    for line in commands(&(page("README.md") + &guide())) {
        let name = line.split(' ').next().unwrap().to_owned();
        let program = match name.as_str() {
            "queuewatch" => env!("CARGO_BIN_EXE_queuewatch"),
            _ => env!("CARGO_BIN_EXE_check_postfix_queue"),
        };
        let what = line.split(' ').nth(1).unwrap_or_default().to_owned();
        if name == "queuewatch" && matches!(what.as_str(), "watch" | "top") {
            // They run until they are stopped; tests of their own do that.
            continue;
        }
        // Files that a page names under /var are made here.
        let places = ["/var/lib/nagios/", "/var/lib/prometheus/node-exporter/"];
        let inside = format!("{}/", folder.path().display());
        let command = places
            .iter()
            .fold(line.clone(), |line, place| line.replace(place, &inside))
            .replace("QUEUE_ID", &queue_id)
            .replacen(&name, program, 1);
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(folder.path())
            .env("MAIL_CONFIG", &etc)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        match name.as_str() {
            // 1 is doctor's, on a host whose spool is made up; 4 says that something could not be read.
            "queuewatch" => assert!(
                matches!(output.status.code(), Some(0 | 4))
                    || (what == "doctor" && output.status.code() == Some(1)),
                "{line}: {text}"
            ),
            _ => assert!(
                text.starts_with("POSTFIX QUEUE") && !text.contains("see --help"),
                "{line}: {text}"
            ),
        }
        seen.insert(format!("{name} {what}"));
    }
    for wanted in [
        "status", "doctor", "shape", "list", "reasons", "show", "drill",
    ] {
        assert!(seen.contains(&format!("queuewatch {wanted}")), "{seen:?}");
    }
    assert!(seen.len() > 8, "{seen:?}");
}
