//! Every citation `PAGE.md, "Heading"` in the sources, tests and pages leads to a heading of that page in
//! `src/docs`, and every link between the pages leads to a file.

use crate::support::is_checkout;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What git would not keep, and what other programs wrote.
const NOT_OURS: [&str; 8] = [
    "target",
    ".git",
    "corpus",
    "__pycache__",
    "blib",
    "build",
    "dist",
    "node_modules",
];

fn texts(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            if !NOT_OURS.contains(&name.as_str()) {
                texts(&path, found);
            }
        } else if kind.is_file() {
            // Anything that is not text cites nothing.
            if let Ok(text) = fs::read_to_string(&path) {
                found.push((path, text));
            }
        }
    }
}

fn project() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    texts(root(), &mut found);
    assert!(found.len() > 200, "only {} files found", found.len());
    found
}

/// The headings of every page, by the name of its file.
fn pages() -> BTreeMap<String, BTreeSet<String>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(root().join("src/docs")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|end| end == "md") {
            pages.insert(name, headings(&fs::read_to_string(&path).unwrap()));
        }
    }
    pages
}

fn headings(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_code = false;
    for line in page.lines() {
        in_code ^= line.starts_with("```");
        if let Some(heading) = line.trim_start_matches('#').strip_prefix(' ') {
            if line.starts_with('#') && !in_code {
                let plain = heading.replace('`', "");
                assert!(found.insert(plain), "the heading {heading} stands twice");
            }
        }
    }
    found
}

/// `text` on one line, without the marks of comments: a citation may go over a line's end.
fn joined(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.lines() {
        let line = line.trim();
        let line = ["//!", "///", "//", "#", "*"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark))
            .unwrap_or(line);
        joined.push_str(line.trim());
        joined.push(' ');
    }
    joined
}

/// The citations in `text`: a page in lower case and a heading.
fn citations(text: &str) -> Vec<(String, String)> {
    const BETWEEN: &str = ".md, \"";
    let text = joined(text);
    let mut found = Vec::new();
    for (at, _) in text.match_indices(BETWEEN) {
        let name = text[..at]
            .rsplit(|letter: char| !letter.is_ascii_lowercase() && letter != '-')
            .next()
            .unwrap_or_default();
        let rest = &text[at + BETWEEN.len()..];
        if let (false, Some(end)) = (name.is_empty(), rest.find('"')) {
            found.push((format!("{name}.md"), rest[..end].to_owned()));
        }
    }
    found
}

#[test]
fn every_citation_leads_to_a_heading() {
    let pages = pages();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (path, text) in project() {
        if path.ends_with("tests/hermetic/citations.rs") {
            continue;
        }
        for (page, heading) in citations(&text) {
            if page == "page.md" || heading == "Heading" {
                continue;
            }
            seen += 1;
            if !pages.get(&page).is_some_and(|page| page.contains(&heading)) {
                wrong.push(format!("{}: {page}, \"{heading}\"", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no such heading:\n{}", wrong.join("\n"));
    assert!(seen > 40, "only {seen} citations found");
}

/// Pages that this repository does not hold.
#[test]
fn no_text_cites_a_page_that_is_elsewhere() {
    // Put together here, so that this file does not cite them.
    let elsewhere = [
        "CONTRACT",
        "POSTFIX",
        "DESIGN",
        "MONITORING",
        "CABI",
        "STYLE",
        "AMENDMENTS",
    ]
    .map(|name| format!("{name}.md"));
    let mut wrong = Vec::new();
    for (path, text) in project() {
        for (number, line) in text.lines().enumerate() {
            if elsewhere.iter().any(|name| line.contains(name.as_str())) {
                wrong.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "cite src/docs instead:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_link_of_a_page_leads_to_a_file() {
    let mut seen = 0;
    let folder = root().join("src/docs");
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    pages.extend(
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file()),
    );
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let ours = headings(&text);
        for (at, _) in text.match_indices("](") {
            let rest = &text[at + 2..];
            let link = &rest[..rest.find(')').expect("a link that ends")];
            if link.contains("://") {
                continue;
            }
            // The benchmarks have a manifest of their own, so cargo packs them into no crate.
            if !is_checkout() && link.starts_with("tests/bench/") {
                continue;
            }
            seen += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = page.parent().unwrap().join(file);
            assert!(
                file.is_empty() || target.exists(),
                "{}: {link}",
                page.display()
            );
            let anchors = if file.is_empty() {
                ours.clone()
            } else if anchor.is_empty() {
                continue;
            } else {
                headings(&fs::read_to_string(target).unwrap())
            };
            assert!(
                anchors.iter().any(|heading| slug(heading) == anchor),
                "{}: no heading for {link}",
                page.display()
            );
        }
    }
    assert!(seen > 4, "only {seen} links found");
}

/// The anchor that web sites and rustdoc make of a heading.
fn slug(heading: &str) -> String {
    heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'))
        .map(|letter| match letter {
            ' ' => '-',
            letter => letter.to_ascii_lowercase(),
        })
        .collect()
}

#[test]
fn citations_are_found_across_lines_and_nothing_else_is() {
    let text = "//! As it does (guide.md, \"Which\n//! spool\"), see threat-model.md, \"What\"; README.md, \"x\".";
    let found = citations(text);
    let wanted = [("guide.md", "Which spool"), ("threat-model.md", "What")]
        .map(|(page, heading)| (page.to_owned(), heading.to_owned()));
    assert_eq!(found, wanted);
    assert_eq!(slug("Is it `main.cf`?"), "is-it-maincf");
}
