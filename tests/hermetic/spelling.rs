//! The core names an option, and each face spells it as its users write it: C and Rust `"timeout"`, the programs
//! `--timeout`, Python `timeout=`, Perl `timeout =>`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use queuewatch::Options;
use queuewatch::error::{Error, Result};
use queuewatch::options::{OPTIONS, Purpose, Takes, is_filter};
use queuewatch::render::plugin;
use queuewatch::snapshot::TableSet;
use queuewatch::spelling::{self, Spelling};
use queuewatch::watch::Watch;

use crate::support::spool::Spool;

const FACES: [Spelling; 4] = [
    Spelling::Quotes,
    Spelling::Dashes,
    Spelling::Keyword,
    Spelling::Arrow,
];

/// The option `name` as users of that face write it.
fn written(face: Spelling, name: &str) -> String {
    let keyword = name.replace('-', "_");
    match face {
        Spelling::Quotes => ["\"", name, "\""].concat(),
        // The programs keep the state of the check before in a file.
        Spelling::Dashes if name == "previous" => "--state FILE".to_owned(),
        Spelling::Dashes => ["--", name].concat(),
        Spelling::Keyword => keyword + "=",
        Spelling::Arrow => keyword + " =>",
    }
}

/// `template` with each `{name}` as that face writes it.
fn filled(face: Spelling, template: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').expect("a bracket that ends");
        text.push_str(before);
        text.push_str(&written(face, name));
        rest = after;
    }
    text + rest
}

/// Options on an empty spool, with `settings` in addition.
fn options(spool: &Spool, settings: &[(&str, &str)]) -> Result<Options> {
    let mut options = Options::default();
    let directory = spool.path();
    options.set("queue-directory", directory.as_os_str().as_encoded_bytes())?;
    for (name, value) in settings {
        options.set(name, value.as_bytes())?;
    }
    Ok(options)
}

fn refused<T>(outcome: Result<T>) -> String {
    match outcome {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it was not refused"),
    }
}

fn checked(spool: &Spool, settings: &[(&str, &str)]) -> Result<String> {
    let options = options(spool, settings)?;
    let snapshot = options.scan(Purpose::Check(TableSet::NONE))?;
    let verdict = options.check(&snapshot)?;
    Ok(plugin::output(&snapshot, &verdict, 2, false))
}

/// What a text says, and the settings that bring it about.
type Row = (&'static str, &'static [(&'static str, &'static str)]);

/// Errors and remedies that name options.
const ERRORS: &[Row] = &[
    (
        "{queue-directory} is one spool: {all-instances} and {instance} exclude it",
        &[("all-instances", "")],
    ),
    (
        "name the configuration directory ({config-directory}) or the spool ({queue-directory})",
        &[("config-directory", "/nonexistent")],
    ),
    (
        "{exclude} leaves nothing to look at",
        &[
            ("exclude", "active"),
            ("exclude", "deferred"),
            ("exclude", "incoming"),
            ("exclude", "hold"),
            ("exclude", "maildrop"),
            ("exclude", "corrupt"),
        ],
    ),
    (
        "there is a rule on hold.messages, and {exclude} leaves it out",
        &[("exclude", "hold"), ("warning", "hold.messages=1")],
    ),
    (
        "{counts} reads no envelopes, which {exclude-domain} or {exclude-sender} needs",
        &[("counts", ""), ("exclude-domain", "a.example")],
    ),
    (
        "{counts} counts messages; a rule on hold.oldest needs more; leave out {counts} or that rule",
        &[("counts", ""), ("critical", "hold.oldest=1h")],
    ),
    (
        "{not} is given twice before one filter",
        &[("not", ""), ("not", "")],
    ),
    (
        "{not} is not followed by a filter; give the filter that it negates after it",
        &[("not", "")],
    ),
];

/// Texts of a check that name options.
const CHECKS: &[Row] = &[
    (
        "it needs an earlier check; give {previous}",
        &[("critical", "deferred.growth=1")],
    ),
    (
        "was read; raise {timeout} or use {counts}",
        &[("critical", "deferred.oldest=1h"), ("timeout", "0.000001")],
    ),
];

#[test]
fn an_error_and_its_remedy_spell_options_as_the_face_does() {
    let spool = Spool::empty();
    for face in FACES {
        spelling::set(face);
        for (template, settings) in ERRORS {
            let text = refused(checked(&spool, settings));
            let wanted = filled(face, template);
            assert!(text.contains(&wanted), "{face:?}: {text}\nnot {wanted}");
        }
        for (template, settings) in CHECKS {
            let text = checked(&spool, settings).expect("it is judged");
            // Service output has no brackets, which a web page would take for HTML.
            let wanted = filled(face, template).replace('>', "?");
            assert!(text.contains(&wanted), "{face:?}: {text}\nnot {wanted}");
        }
        let polled = options(&spool, &[("poll", "9")]).expect("options");
        let watch = Watch::open(&polled, Purpose::Check(TableSet::NONE)).expect("a watch");
        let wanted = written(face, "poll") + " turns them off";
        assert_eq!(watch.blind(), Some(&*wanted));
    }
    spelling::set(Spelling::default());
}

/// A value that the option refuses.
fn refused_value(name: &str, takes: Takes) -> &'static [u8] {
    match takes {
        Takes::Nothing => b"maybe",
        _ if is_filter(name) || name.starts_with("exclude-") => b"",
        _ if name.ends_with("directory") || name == "causes" => b"",
        _ => b"\xff",
    }
}

#[test]
fn every_option_with_a_bad_value_is_named_as_the_face_writes_it() {
    for face in FACES {
        spelling::set(face);
        for row in OPTIONS {
            // Their values are documents and names of their own, which the error is about.
            if matches!(row.name, "previous" | "measure") {
                continue;
            }
            let value = refused_value(row.name, row.takes);
            let error: Error = Options::default().set(row.name, value).unwrap_err();
            let blank = if face == Spelling::Keyword { "" } else { " " };
            let shown = match value {
                b"\xff" => "\u{fffd}",
                value => std::str::from_utf8(value).expect("text"),
            };
            let wanted = format!("{}{blank}\"{shown}\": ", written(face, row.name));
            let text = error.to_string();
            assert!(text.starts_with(&wanted), "{face:?}: {text}\nnot {wanted}");
        }
    }
    spelling::set(Spelling::default());
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("src/bin") {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The code of the library without its tests and comments, by file.
fn code() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let mut code = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        let text = text.split("\nmod tests").next().unwrap_or_default();
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        code.push((file, lines.collect::<Vec<_>>().join("\n")));
    }
    code
}

#[test]
fn every_option_that_a_text_names_is_one_of_the_library_and_of_the_programs() {
    let known = |name: &str| OPTIONS.iter().any(|row| row.name == name);
    let mut named: Vec<String> = Vec::new();
    for (file, text) in code() {
        if file.ends_with("src/spelling.rs") {
            continue;
        }
        for part in text.split("option(\"").skip(1) {
            let (name, _) = part.split_once('"').expect("a name that ends");
            assert!(known(name), "{}: no option {name}", file.display());
            named.push(name.to_owned());
        }
    }
    named.sort();
    named.dedup();
    assert!(named.len() > 10, "{named:?}");
    // Each is in the table above, except what only a caller without rights, or a scan of measures, is told.
    let rows = || ERRORS.iter().chain(CHECKS).map(|(template, _)| *template);
    for name in named
        .iter()
        .filter(|name| *name != "poll" && *name != "measure")
    {
        let part = ["{", name, "}"].concat();
        assert!(rows().any(|row| row.contains(&part)), "no row names {name}");
    }
    // The programs write each so, except those that only hosts of the library have.
    let help = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().expect("it runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let helps = help(env!("CARGO_BIN_EXE_check_postfix_queue"), &["--help"])
        + &help(env!("CARGO_BIN_EXE_queuewatch"), &["list", "--help"])
        + &help(env!("CARGO_BIN_EXE_queuewatch"), &["watch", "--help"]);
    for name in named.iter().filter(|name| *name != "measure") {
        let flag = written(Spelling::Dashes, name);
        assert!(helps.contains(&flag), "no program has {flag}");
    }
}

#[test]
fn no_text_of_the_library_writes_an_option_in_the_way_of_one_face() {
    for (file, text) in code() {
        if file.ends_with("src/spelling.rs") {
            continue;
        }
        for line in text.lines() {
            for part in line.split("--").skip(1) {
                let end = part.find(|letter: char| !letter.is_ascii_lowercase() && letter != '-');
                let name = &part[..end.unwrap_or(part.len())];
                // A whole command line is to be typed as it stands; the reasons of the default rules are a page of the
                // guide.
                let typed = line.contains("queuewatch ") || file.ends_with("rules/defaults.rs");
                assert!(
                    typed || OPTIONS.iter().all(|row| row.name != name),
                    "{}: {line}",
                    file.display()
                );
            }
        }
    }
}
