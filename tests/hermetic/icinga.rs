//! The files for Icinga agree: CheckCommand, Director basket, graphs, and the options of the plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::spool::Spool;

const PLUGIN: &str = env!("CARGO_BIN_EXE_check_postfix_queue");

/// The options of the plugin that are no argument, because Icinga has no use for them.
const LEFT_OUT: [&str; 6] = [
    // Printed for a person.
    "--help",
    "--version",
    // Another second than now is for reproducing a report.
    "--now",
    // Icinga reads the plugin's own format, and these two are about OpenMetrics.
    "--format",
    "--metrics-domain",
    "--metrics-top",
];

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/icinga2");
    fs::read_to_string(path.join(name)).expect("the example")
}

/// The arguments of the CheckCommand: flag, and its settings as they are written.
fn arguments() -> BTreeMap<String, BTreeMap<String, Value>> {
    let text = example("postfix_queue.conf");
    let mut found: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    let mut flag: Option<String> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("    \"-") {
            let (name, _) = rest.split_once('"').expect("the end of the flag");
            flag = Some(format!("-{name}"));
            found.entry(format!("-{name}")).or_default();
        } else if line == "    }" {
            flag = None;
        } else if let (Some(flag), Some((name, value))) =
            (&flag, line.trim_start().split_once(" = "))
        {
            let value = serde_json::from_str(value).expect("a text or true");
            let settings = found.get_mut(flag).expect("it was found");
            settings.insert(name.to_owned(), value);
        }
    }
    found
}

#[test]
fn the_basket_of_the_director_has_the_arguments_of_the_check_command() {
    let basket: Value = serde_json::from_str(&example("director_basket.json")).expect("JSON");
    let command = &basket["Command"]["postfix_queue"];
    let theirs: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_value(command["arguments"].clone()).expect("arguments");
    let ours = arguments();
    assert!(ours.len() > 10, "{ours:?}");
    assert_eq!(theirs, ours);

    // A field for each variable, of the kind that the argument takes.
    let fields = command["fields"].as_array().expect("fields");
    let data = basket["Datafield"].as_object().expect("data fields");
    assert_eq!((fields.len(), data.len()), (ours.len(), ours.len()));
    for settings in ours.values() {
        let is_switch = settings.contains_key("set_if");
        let value = settings.get("value").or(settings.get("set_if"));
        let name = value
            .and_then(Value::as_str)
            .expect("a macro")
            .trim_matches('$');
        let kind = match settings.get("repeat_key") {
            Some(_) => "DataTypeArray",
            None if is_switch => "DataTypeBoolean",
            None => "DataTypeString",
        };
        let field = data
            .values()
            .find(|field| field["varname"] == name)
            .unwrap_or_else(|| panic!("no field for {name}"));
        assert!(
            field["datatype"].as_str().expect("a kind").ends_with(kind),
            "{name}"
        );
        assert_eq!(field["description"], settings["description"], "{name}");
    }
    let ids: BTreeSet<String> = fields
        .iter()
        .map(|field| field["datafield_id"].to_string())
        .collect();
    assert_eq!(ids, data.keys().cloned().collect());
}

#[test]
fn every_argument_is_an_option_and_every_option_an_argument() {
    let output = Command::new(PLUGIN)
        .arg("--help")
        .output()
        .expect("it runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let mut options = BTreeSet::new();
    for line in help.lines() {
        let Some(start) = line.find("--") else {
            continue;
        };
        let (short, option) = line.split_at(start);
        // The other lines with an option in them are rules and text.
        let short = match short {
            "      " => None,
            _ if short.starts_with("  -") => short.trim().strip_suffix(','),
            _ => continue,
        };
        let long = option.split(' ').next().expect("an option");
        options.insert((long.to_owned(), short.map(str::to_owned)));
    }
    assert!(options.len() > 20, "{options:?}");

    let arguments = arguments();
    let mut seen = BTreeSet::new();
    for (long, short) in &options {
        let names = [Some(long), short.as_ref()].into_iter().flatten();
        let flags: Vec<&String> = names.filter(|name| arguments.contains_key(*name)).collect();
        let expected = usize::from(!LEFT_OUT.contains(&long.as_str()));
        assert_eq!(flags.len(), expected, "{long}");
        seen.extend(flags);
    }
    let known: BTreeSet<&String> = arguments.keys().collect();
    assert_eq!(seen, known);
    for name in LEFT_OUT {
        assert!(options.iter().any(|(long, _)| long == name), "{name}");
    }
}

#[test]
fn each_graph_is_of_a_label_of_the_performance_data() {
    let spool = Spool::of_corpus("short-mixed");
    let output = Command::new(PLUGIN)
        .arg("--queue-directory")
        .arg(spool.path())
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let data = text.lines().next().and_then(|line| line.split_once(" | "));
    let labels: BTreeSet<&str> = data
        .expect("performance data")
        .1
        .split(' ')
        .filter_map(|item| item.split_once('='))
        .map(|(label, _)| label)
        .collect();
    let page = example("graphite_postfix_queue.ini");
    let mut seen = 0;
    for line in page.lines() {
        let Some((_, rest)) = line.split_once("\"$service_name_template$.perfdata.") else {
            continue;
        };
        let label = rest.split('.').next().expect("a label");
        assert!(labels.contains(label), "{label} in {labels:?}");
        seen += 1;
    }
    assert_eq!(seen, 11, "six queues, and five ages");
    assert_eq!(page.matches("check_command = \"postfix_queue\"").count(), 2);
}
