//! Manual pages and shell completions, made from the tables that parse the command lines.
//!
//! `queuewatch generate` is for packagers: it writes what a package installs, and lists the words that
//! a completion offers. A new flag, command or measure appears here by itself.

mod completion;
mod manual;
mod markdown;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::args::{self, Flag, Word};
use crate::plugin_flags;
use crate::{COMMANDS, COMMON, HELP, print};
use queuewatch::cause::Cause;
use queuewatch::error::{Error, Result};
use queuewatch::measure::CATALOGUE;
use queuewatch::options::Options;
use queuewatch::postfix::queue::Queue;

pub(crate) const USAGE: &str = "\
Usage: queuewatch generate man DIR
       queuewatch generate bash|zsh|fish
       queuewatch generate words queues|measures|causes|topics
       queuewatch generate words instances [CONFIG_DIRECTORY]

For packagers: writes the manual pages into DIR, prints the completions of a shell, or prints the words
that completions offer, one a line.
";

/// A program or command as its manual page and its completions describe it.
struct Described {
    /// The words that start it, such as `queuewatch list`.
    invocation: String,
    /// One line for the page's name section.
    summary: String,
    /// The text of `--help` before the flags.
    help: String,
    flags: Vec<Flag>,
}

impl Described {
    /// The name of the page, such as `queuewatch-list`.
    fn page(&self) -> String {
        self.invocation.replace(' ', "-")
    }

    /// The word of the command, if it is one.
    fn command(&self) -> Option<&str> {
        self.invocation.split_once(' ').map(|(_, command)| command)
    }

    /// What the words that are no flags stand for.
    fn operands(&self) -> Values {
        let usage = self.help.lines().next().unwrap_or_default();
        match usage {
            _ if usage.contains("QUEUE_ID") => Values::Free,
            _ if usage.contains("[QUEUE") => Values::Words("queues"),
            _ if usage.contains("DIR]") => Values::Directories,
            _ if usage.contains("NAME") => Values::Words("topics"),
            _ => Values::Free,
        }
    }
}

/// What may stand as the value of a flag, as far as a completion can know.
enum Values {
    /// Anything.
    Free,
    Files,
    Directories,
    /// What `queuewatch generate words` prints for this word.
    Words(&'static str),
    /// One of these.
    One(Vec<&'static str>),
}

/// The values of `flag`: its metavariable says which. One with `|` lists them.
fn values_of(flag: &Flag) -> Option<Values> {
    use queuewatch::options::Takes;
    let (Takes::One(what) | Takes::Many(what)) = flag.takes else {
        return None;
    };
    Some(match what {
        "FILE" => Values::Files,
        "DIR" => Values::Directories,
        "QUEUE" => Values::Words("queues"),
        "RULE" | "MEASURE" => Values::Words("measures"),
        "CAUSE" => Values::Words("causes"),
        "NAME" if flag.name == "instance" => Values::Words("instances"),
        what if what.contains('|') => Values::One(what.split('|').collect()),
        "FORMAT" | "ORDER" | "WHAT" => Values::One(words_in_help(flag)),
        _ => Values::Free,
    })
}

/// Words that `--format`, `--sort` and `--by` take; each help text names those of its flag.
const CHOICES: [&str; 19] = [
    "plugin",
    "json",
    "openmetrics",
    "checkmk",
    "arrival",
    "size",
    "retry",
    "queue_id",
    "domain",
    "next-hop",
    "cause",
    "login",
    "client",
    "network",
    "user",
    "sender",
    "sender-domain",
    "helo",
    "subject",
];

fn words_in_help(flag: &Flag) -> Vec<&'static str> {
    let is_end = |letter: char| !letter.is_ascii_lowercase() && !"-_".contains(letter);
    let named: Vec<&str> = flag.help.split(is_end).collect();
    let choices = CHOICES.into_iter();
    choices.filter(|choice| named.contains(choice)).collect()
}

/// The tool, its commands and the plugin.
fn all() -> Vec<Described> {
    let summary_of = |name: &str| {
        let lines = HELP.lines().map(str::trim_start);
        let line = lines
            .filter_map(|line| line.strip_prefix(name))
            .find(|rest| rest.starts_with("  "));
        line.unwrap_or_default().trim().to_owned()
    };
    let tool = Described {
        invocation: "queuewatch".to_owned(),
        summary: "what is in a Postfix queue".to_owned(),
        help: HELP.to_owned(),
        flags: COMMON.to_vec(),
    };
    let commands = COMMANDS.iter().map(|command| Described {
        invocation: format!("queuewatch {}", command.name),
        summary: summary_of(command.name),
        help: command.help.to_owned(),
        flags: (command.flags)().into_iter().chain(COMMON).collect(),
    });
    let plugin = Described {
        invocation: "check_postfix_queue".to_owned(),
        summary: "monitoring plugin: is mail stuck in a Postfix queue?".to_owned(),
        help: plugin_flags::USAGE.to_owned(),
        flags: plugin_flags::flags(),
    };
    std::iter::once(tool)
        .chain(commands)
        .chain([plugin])
        .collect()
}

/// Runs `queuewatch generate` with the words behind it.
pub(crate) fn run(words: Vec<OsString>) -> Result<ExitCode> {
    let flags = COMMON.to_vec();
    let mut plain = Vec::new();
    for word in args::parse(words, &flags)? {
        match word {
            Word::Plain(word) => plain.push(word),
            Word::Flag(..) => return print(USAGE),
        }
    }
    let texts: Vec<_> = plain.iter().map(|word| word.to_string_lossy()).collect();
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    match texts.as_slice() {
        ["man", _] => write_pages(Path::new(&plain[1])),
        ["bash"] => print(&completion::bash(&all())),
        ["zsh"] => print(&completion::zsh(&all())),
        ["fish"] => print(&completion::fish(&all())),
        ["words", "instances", _] => instances(Some(plain[2].as_encoded_bytes())),
        ["words", "instances"] => instances(None),
        ["words", kind] => words_of(kind),
        _ => Err(args::usage(
            "generate takes man DIR, bash, zsh, fish, or words queues|measures|causes|topics|instances",
        )),
    }
}

fn write_pages(directory: &Path) -> Result<ExitCode> {
    fs::create_dir_all(directory)
        .map_err(|cause| Error::io("make the directory", directory, &cause))?;
    for (name, text) in manual::pages(&all()) {
        let path: PathBuf = directory.join(&name);
        fs::write(&path, text).map_err(|cause| Error::io("write", &path, &cause))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn words_of(kind: &str) -> Result<ExitCode> {
    let words = fixed(kind).ok_or_else(|| {
        args::usage("generate words takes queues, measures, causes, topics or instances")
    })?;
    print(&(words.join("\n") + "\n"))
}

/// The names of the instances that `--all-instances` finds, from `configuration_directory` if one is given.
fn instances(configuration_directory: Option<&[u8]>) -> Result<ExitCode> {
    let mut options = Options::default();
    if let Some(directory) = configuration_directory {
        options.set("config-directory", directory)?;
    }
    options.set("all-instances", b"")?;
    let names = options
        .instances()?
        .into_iter()
        .filter_map(|one| Some(one.ok()?.name));
    let names: Vec<String> = names.collect();
    print(&(names.join("\n") + "\n"))
}

/// The kinds of words that are the same on each host.
const FIXED: [&str; 4] = ["queues", "measures", "causes", "topics"];

/// The words of one of these kinds.
fn fixed(kind: &str) -> Option<Vec<String>> {
    let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
    match kind {
        "queues" => Some(owned(queues())),
        "measures" => Some(measures()),
        // What `--cause` and the measure `cause(NAME)` take.
        "causes" => Some(owned(causes().chain(["ours", "theirs"]).collect())),
        // What `queuewatch explain` takes, apart from whole rules.
        "topics" => Some(causes().map(str::to_owned).chain(measures()).collect()),
        _ => None,
    }
}

fn causes() -> impl Iterator<Item = &'static str> {
    Cause::ALL.into_iter().map(Cause::name)
}

/// Every word that stands for queues.
fn queues() -> Vec<&'static str> {
    let queues = Queue::ALL.into_iter().map(Queue::name);
    queues.chain(["backlog", "total"]).collect()
}

/// Every measure, with each queue that it can be of; an argument is left to the user.
fn measures() -> Vec<String> {
    let mut all = Vec::new();
    for row in &CATALOGUE {
        let plain = row.spelling.split('(').next().unwrap_or_default();
        let end = if row.spelling.contains('(') { "(" } else { "" };
        match plain.strip_prefix("QUEUE") {
            Some(rest) => all.extend(queues().iter().map(|queue| format!("{queue}{rest}{end}"))),
            None => all.push(format!("{plain}{end}")),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_summary() {
        for described in all() {
            assert!(!described.summary.is_empty(), "{}", described.invocation);
        }
    }

    #[test]
    fn every_flag_is_on_its_page_and_in_each_completion() {
        let described = all();
        let pages: Vec<(String, String)> = manual::pages(&described);
        let scripts = [
            completion::bash(&described),
            completion::zsh(&described),
            completion::fish(&described),
        ];
        let mut flags = 0;
        for one in &described {
            let page = format!("{}.1", one.page());
            let (_, text) = pages
                .iter()
                .find(|(name, _)| *name == page)
                .expect("each has a page");
            let offered = [
                bash_words(&scripts[0], one),
                zsh_words(&scripts[1], one),
                fish_words(&scripts[2], one),
            ];
            for flag in &one.flags {
                // At the head of its paragraph, and not only in the text of another flag.
                let head = format!("\\fB\\-\\-{}\\fR", flag.name.replace('-', "\\-"));
                assert!(text.contains(&head), "{page}: --{}", flag.name);
                // The tool offers its commands, and before them only what ends at once.
                if one.invocation != "queuewatch" {
                    for (words, shell) in offered.iter().zip(["bash", "zsh", "fish"]) {
                        let word = format!("--{}", flag.name);
                        assert!(words.contains(&word), "{shell}, {}: {word}", one.invocation);
                    }
                }
                flags += 1;
            }
        }
        assert!(flags > 60, "{flags}");
    }

    /// What is between `begin` and `end`.
    fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
        let (_, rest) = text.split_once(begin).expect(begin);
        rest.split_once(end).map_or(rest, |(part, _)| part)
    }

    /// The long flags in a part of a script that is only about `one`.
    fn long_flags(part: &str) -> Vec<String> {
        let is_end = |letter: char| !letter.is_ascii_lowercase() && letter != '-';
        let words = part.split(is_end).filter(|word| word.starts_with("--"));
        words.map(str::to_owned).collect()
    }

    fn bash_words(script: &str, one: &Described) -> Vec<String> {
        let (function, end) = match one.command() {
            Some(_) => ("\n_queuewatch() {", "\n        ;;\n"),
            None => ("\n_check_postfix_queue() {", "\n}\n"),
        };
        let script = between(script, function, "\n}\n");
        let begin = one.command().map(|name| format!("\n    {name})\n"));
        long_flags(between(script, &begin.unwrap_or_default(), end))
    }

    fn zsh_words(script: &str, one: &Described) -> Vec<String> {
        let function = match one.command() {
            Some(_) => "\n_queuewatch_command() {",
            None => "\n_check_postfix_queue() {",
        };
        let script = between(script, function, "\n}\n");
        let begin = one.command().map(|name| format!("\n    {name})\n"));
        let part = between(script, &begin.unwrap_or_default(), "\n        ;;\n");
        // The word before its help, not one in the help of another.
        let heads = part
            .lines()
            .map(|line| line.split('[').next().unwrap_or_default());
        long_flags(&heads.collect::<Vec<_>>().join("\n"))
    }

    fn fish_words(script: &str, one: &Described) -> Vec<String> {
        let begin = match one.command() {
            Some(name) => {
                format!("complete -c queuewatch -n '__fish_seen_subcommand_from {name}'")
            }
            None => "complete -c check_postfix_queue".to_owned(),
        };
        let lines = script.lines().filter(|line| line.starts_with(&begin));
        let words = lines.filter_map(|line| line.split_once(" -l ")?.1.split(' ').next());
        words.map(|word| format!("--{word}")).collect()
    }

    #[test]
    fn flags_with_a_choice_offer_what_the_programs_take() {
        let described = all();
        let choices = |invocation: &str, name: &str| {
            let one = described.iter().find(|one| one.invocation == invocation);
            let flags = &one.expect("it is there").flags;
            let flag = flags.iter().find(|flag| flag.name == name);
            match values_of(flag.expect("it is there")) {
                Some(Values::One(words)) => words,
                _ => Vec::new(),
            }
        };
        assert_eq!(
            choices("check_postfix_queue", "format"),
            ["plugin", "json", "openmetrics", "checkmk"]
        );
        assert_eq!(
            choices("queuewatch list", "sort"),
            ["arrival", "size", "retry", "queue_id"]
        );
        assert_eq!(
            choices("queuewatch reasons", "by"),
            ["domain", "next-hop", "cause"]
        );
        assert_eq!(choices("queuewatch origins", "by"), CHOICES[11..]);
    }

    #[test]
    fn the_page_of_the_plugin_has_a_description_and_the_default_rules() {
        let described = all();
        let pages = manual::pages(&described);
        for one in &described {
            let name = format!("{}.1", one.page());
            let (_, text) = pages
                .iter()
                .find(|(page, _)| *page == name)
                .expect("it is there");
            let (_, rest) = text.split_once(".SH DESCRIPTION\n").expect("it has one");
            assert!(!rest.starts_with(".SH"), "{name} has an empty description");
        }
        let (_, plugin) = pages
            .iter()
            .find(|(name, _)| name == "check_postfix_queue.1")
            .expect("it is there");
        for rule in queuewatch::rules::defaults(queuewatch::rules::Known::ALL) {
            let shown = format!("\\-\\-{} {}", rule.level.name(), rule);
            let shown = shown.replace("\\-", "-").replace('-', "\\-");
            assert!(plugin.contains(&shown), "{shown}");
        }
        for page in ["check_postfix_queue.1", "queuewatch-doctor.1"] {
            let (_, text) = pages.iter().find(|(name, _)| name == page).expect(page);
            for word in [
                "/etc/queuewatch/directories",
                "/etc/queuewatch/setcap",
                "setcap cap_dac_read_search",
            ] {
                assert!(text.contains(word), "{page}: {word}");
            }
        }
    }

    #[test]
    fn the_date_of_the_pages_is_that_of_the_release() {
        let log = include_str!("../../../../CHANGELOG.md");
        let heading = log
            .lines()
            .find(|line| line.starts_with("## "))
            .expect("it has one");
        let day = between(heading, "(", ")");
        assert!(
            day == "unreleased" || day == manual::DATE,
            "{day}: set DATE in manual.rs"
        );
    }

    #[test]
    fn every_measure_and_every_cause_has_a_paragraph_in_the_page_of_measures() {
        let pages = manual::pages(&all());
        let (_, text) = pages
            .iter()
            .find(|(name, _)| name == "queuewatch-measures.7")
            .expect("there is one");
        for name in CATALOGUE.iter().map(|row| row.spelling).chain(causes()) {
            let head = format!(".TP\n\\fB{}\\fR\n", name.replace('-', "\\-"));
            assert!(text.contains(&head), "{name}");
        }
    }

    #[test]
    fn words_are_those_of_rules() {
        let words = measures();
        assert!(words.contains(&"deferred.oldest".to_owned()));
        assert!(words.contains(&"total.older(".to_owned()));
        assert!(words.contains(&"master.running".to_owned()));
        for word in words.iter().filter(|word| !word.ends_with('(')) {
            assert!(queuewatch::measure::Measure::parse(word).is_ok(), "{word}");
        }
        for cause in fixed("causes").expect("they are fixed") {
            let measure = format!("deferred.cause({cause})");
            assert!(
                queuewatch::measure::Measure::parse(&measure).is_ok(),
                "{measure}"
            );
        }
        for topic in fixed("topics").expect("they are fixed") {
            if !topic.ends_with('(') {
                assert!(queuewatch::explain::explain(&topic).is_ok(), "{topic}");
            }
        }
    }

    #[test]
    fn a_completion_has_the_words_of_each_kind_that_a_flag_asks_for() {
        let described = all();
        let flags = described.iter().flat_map(|one| &one.flags);
        let operands = described.iter().map(Described::operands);
        for values in flags.filter_map(values_of).chain(operands) {
            if let Values::Words(kind) = values {
                assert!(FIXED.contains(&kind) || kind == "instances", "{kind}");
                let bash = completion::bash(&described);
                assert!(bash.contains(&format!("_queuewatch_words {kind}")));
                let zsh = completion::zsh(&described);
                assert!(zsh.contains(&format!("\n_queuewatch_{kind}() {{")));
            }
        }
    }
}
