//! The manual pages: section 1 from the flag tables, section 7 from the catalogue of measures, the
//! causes and the guide, section 3 from the page of the library.

use roff::{Roff, bold, italic, roman};

use super::{Described, markdown};
use crate::args::Flag;
use queuewatch::cause::Cause;
use queuewatch::measure::CATALOGUE;
use queuewatch::options::Takes;
use queuewatch::rules::{Known, defaults};

/// The date of the release, in the heading of each page. A test compares it with `CHANGELOG.md`.
pub(super) const DATE: &str = "2026-11-27";
const PLUGIN: &str = "check_postfix_queue";
const SECTION_7: &str = "Mail Queue Monitoring";
const SEE_ALSO: [(&str, u8); 9] = [
    ("check_postfix_queue", 1),
    ("queuewatch", 1),
    ("queuewatch-doctor", 1),
    ("libqueuewatch", 3),
    ("queuewatch-measures", 7),
    ("queuewatch-rules", 7),
    ("postqueue", 1),
    ("postsuper", 1),
    ("qshape", 1),
];

/// File name and text of every page.
pub(super) fn pages(described: &[Described]) -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = described
        .iter()
        .map(|one| (format!("{}.1", one.page()), program(one, described)))
        .collect();
    pages.push(("queuewatch-measures.7".to_owned(), measures()));
    pages.push(("queuewatch-rules.7".to_owned(), rules()));
    pages.push(("libqueuewatch.3".to_owned(), library()));
    pages
}

fn begin(name: &str, section: u8, title: &str, summary: &str) -> Roff {
    let mut page = Roff::new();
    let version = format!("queuewatch {}", env!("CARGO_PKG_VERSION"));
    page.control("TH", [name, &section.to_string(), DATE, &version, title]);
    page.control("SH", ["NAME"]);
    page.text([roman(format!("{name} - {summary}"))]);
    page
}

fn see_also(page: &mut Roff, name: &str) {
    page.control("SH", ["SEE ALSO"]);
    let others: Vec<(&str, u8)> = SEE_ALSO
        .into_iter()
        .filter(|(other, _)| *other != name)
        .collect();
    let last = others.len() - 1;
    for (at, (other, section)) in others.into_iter().enumerate() {
        let end = if at == last { "" } else { "," };
        page.control("BR", [other, &format!("({section}){end}")]);
    }
}

/// The page of a program or a command.
fn program(one: &Described, all: &[Described]) -> String {
    let name = one.page();
    let mut page = begin(&name, 1, "User Commands", &one.summary);
    page.control("SH", ["SYNOPSIS"]);
    let (usage, text) = one.help.split_once("\n\n").unwrap_or((&one.help, ""));
    // The tool's help begins with what it is.
    let (usage, text) = match usage.contains("Usage: ") {
        true => (usage, text),
        false => text.split_once("\n\n").unwrap_or((text, "")),
    };
    for (at, line) in usage.lines().enumerate() {
        let line = line.trim_start_matches("Usage: ").trim();
        if at > 0 {
            page.control("br", []);
        }
        let rest = line.strip_prefix(one.invocation.as_str()).unwrap_or(line);
        page.text([bold(&one.invocation), roman(rest)]);
    }
    page.control("SH", ["DESCRIPTION"]);
    if name == "queuewatch" {
        page.text([roman(
            "queuewatch reads the queues of Postfix itself: it starts no program and needs no daemon. \
             Each command has a page of its own.",
        )]);
        page.control("SH", ["COMMANDS"]);
        for command in all.iter().filter(|other| other.command().is_some()) {
            page.control("TP", []);
            page.text([bold(command.command().unwrap_or_default())]);
            page.text([
                roman(format!("{}; see ", command.summary)),
                bold(command.page()),
                roman("(1)."),
            ]);
        }
    } else if name == PLUGIN {
        page.text([roman(
            "check_postfix_queue reads the queues of Postfix itself, judges them by rules, and prints the state, what is \
             wrong, and performance data, as the Monitoring Plugins do. It starts no program and changes nothing.",
        )]);
        page.control("PP", []);
        page.text([roman(
            "Without rules it has the defaults below, which fit any host. What it could not read is UNKNOWN or a lower \
             bound (\u{201c}at least\u{201d}), and never 0.",
        )]);
    } else {
        paragraphs(&mut page, text);
    }
    page.control("SH", ["OPTIONS"]);
    for flag in &one.flags {
        option(&mut page, flag);
    }
    if name == PLUGIN {
        page.control("SH", ["RULES"]);
        page.text([
            roman("RULE is MEASURE=RANGE; "),
            bold("queuewatch-rules"),
            roman("(7) explains them, "),
            bold("queuewatch-measures"),
            roman("(7) lists the measures. Without "),
            bold("--warning"),
            roman(" and "),
            bold("--critical"),
            roman(" these rules are in force:"),
        ]);
        page.control("PP", []);
        page.control("nf", []);
        for rule in defaults(Known::ALL) {
            page.text([roman(format!("--{} {rule}", rule.level.name()))]);
        }
        page.control("fi", []);
        page.control("SH", ["EXIT STATUS"]);
        page.text([roman("0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; no other.")]);
    } else {
        page.control("SH", ["EXIT STATUS"]);
        page.text([roman(
            "0 done; 1 failed (doctor: something is wrong; show: no such queue ID); 2 wrong usage; \
             4 done, but something could not be read, and standard error says what.",
        )]);
    }
    page.control("SH", ["ENVIRONMENT"]);
    page.control("TP", []);
    page.text([bold("MAIL_CONFIG")]);
    page.text([roman(
        "The configuration directory of the default instance, as Postfix's own programs take it.",
    )]);
    if ["queuewatch", "queuewatch-doctor", PLUGIN].contains(&name.as_str()) {
        files(&mut page);
    }
    see_also(&mut page, &name);
    page.to_roff()
}

/// What the programs and the packages read on a host, and how the plugin gets its right.
fn files(page: &mut Roff) {
    page.control("SH", ["FILES"]);
    let table = [
        (
            "/etc/postfix/main.cf",
            "Where the spool is, and the settings that matter.",
        ),
        (
            "/etc/queuewatch/directories",
            "Further directories, one a line, that a program with a file capability or under sudo may be told to read. \
             Without it that is those that Postfix's own configuration names.",
        ),
        (
            "/etc/queuewatch/setcap",
            "Names the group that may run the plugin. If it is there, each installation of the package sets owner \
             root:GROUP, mode 0750 and the capability below on the plugin, so that upgrades keep the right to read.",
        ),
    ];
    for (file, text) in table {
        page.control("TP", []);
        page.text([bold(file)]);
        page.text([roman(text)]);
    }
    page.control("PP", []);
    page.text([
        roman("Postfix's queues are closed to other users. By hand the right is given by "),
        bold("setcap cap_dac_read_search=ep"),
        roman(" on the plugin, which only the group of the monitoring may run; an upgrade drops that. "),
        bold("queuewatch doctor"),
        roman(" says what is missing. Never change modes or owners below the queue directory."),
    ]);
}

/// Plain text with empty lines between its paragraphs; lines that are indented stand as they are.
fn paragraphs(page: &mut Roff, text: &str) {
    for (at, paragraph) in text.trim().split("\n\n").enumerate() {
        if at > 0 {
            page.control("PP", []);
        }
        if paragraph.starts_with("  ") {
            page.control("nf", []);
            for line in paragraph.lines() {
                page.text([roman(line)]);
            }
            page.control("fi", []);
        } else {
            page.text([roman(paragraph.replace('\n', " "))]);
        }
    }
}

fn option(page: &mut Roff, flag: &Flag) {
    page.control("TP", []);
    let mut head = Vec::new();
    if let Some(short) = flag.short {
        head.push(bold(format!("-{short}")));
        head.push(roman(", "));
    }
    head.push(bold(format!("--{}", flag.name)));
    if let Takes::One(what) | Takes::Many(what) = flag.takes {
        head.push(roman(" "));
        head.push(italic(what));
    }
    page.text(head);
    let many = match flag.takes {
        Takes::Many(_) => " May be repeated.",
        _ => "",
    };
    page.text([roman(sentence(flag.help) + many)]);
}

/// A help text as a sentence.
fn sentence(help: &str) -> String {
    let mut letters = help.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let mut text = first.unwrap_or_default() + letters.as_str();
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}

fn measures() -> String {
    let name = "queuewatch-measures";
    let mut page = begin(name, 7, SECTION_7, "what queuewatch measures");
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("A rule names a measure; "),
        bold("QUEUE"),
        roman(
            " is maildrop, incoming, active, deferred, hold, corrupt, backlog (maildrop, incoming, \
             active and deferred) or total (backlog and hold). With several instances a measure is \
             taken over all of them, and ",
        ),
        bold("NAME/MEASURE"),
        roman(" is that of one."),
    ]);
    page.control("SH", ["MEASURES"]);
    for row in &CATALOGUE {
        page.control("TP", []);
        page.text([bold(row.spelling)]);
        page.text([roman(sentence(row.help))]);
    }
    page.control("SH", ["CAUSES"]);
    page.text([
        roman("Why mail waits, for "),
        bold("cause(NAME)"),
        roman(" and "),
        bold("--cause"),
        roman(". The word "),
        bold("ours"),
        roman(" is each cause that somebody here can end, "),
        bold("theirs"),
        roman(" each that waits for the other side."),
    ]);
    for cause in Cause::ALL {
        page.control("TP", []);
        page.text([bold(cause.name())]);
        page.text([roman(format!(
            "{} Who acts: {}.",
            sentence(cause.meaning()),
            cause.acts().name()
        ))]);
    }
    page.control("PP", []);
    page.text([
        bold("queuewatch explain"),
        roman(" NAME says how to confirm a cause and what to do."),
    ]);
    see_also(&mut page, name);
    page.to_roff()
}

fn rules() -> String {
    let name = "queuewatch-rules";
    let page = begin(name, 7, SECTION_7, "when queuewatch warns");
    let guide = include_str!("../../../docs/guide.md");
    let mut end = Roff::new();
    see_also(&mut end, name);
    page.to_roff() + &markdown::section(guide, "Rules") + &end.to_roff()
}

fn library() -> String {
    let name = "libqueuewatch";
    let page = begin(
        name,
        3,
        "Library Functions",
        "read and judge Postfix queues",
    );
    let text = page.to_roff() + &markdown::whole(include_str!("../../../docs/library.md"));
    let mut end = Roff::new();
    see_also(&mut end, name);
    text + &end.to_roff()
}
