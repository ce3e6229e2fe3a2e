//! The pictures in `src/docs/pictures` are what the programs print of a drill with a seed today. `tests/pictures` makes
//! them; the one of `queuewatch top` is made by the tests of that program.

use std::fs;
use std::path::Path;
use std::process::Command;

use queuewatch::drill::{Plan, make};

use crate::support::terminal_svg::{Cell, Look, compare, picture, printed};

/// The width of the terminal.
const COLUMNS: usize = 100;
/// The largest picture, in bytes: what somebody loads who reads the documentation.
const MAX_BYTES: u64 = 150_000;

/// What `program` prints of a drill with the default seed, on a host in UTC.
fn says(program: &str, words: &[&str]) -> String {
    let plan = Plan::default();
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    make(&spool, &plan, &mut |_, _| {}).unwrap();
    let output = Command::new(program)
        .args(words)
        .arg("--queue-directory")
        .arg(&spool)
        .args(["--now", &plan.now.to_string()])
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // A host needs no directory in the commands to run next.
    text.replace(&format!(" --queue-directory {}", spool.display()), "")
}

/// A command as somebody types it, over `rows`.
fn after_prompt(command: &str, rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let prompt = Look {
        foreground: Some(2),
        bold: true,
        ..Look::default()
    };
    let typed = Look {
        bold: true,
        ..Look::default()
    };
    let line = [("$ ", prompt), (command, typed)];
    let line = line
        .iter()
        .flat_map(|(text, look)| text.chars().map(|symbol| (symbol, *look)));
    [vec![line.collect()], rows].concat()
}

#[test]
fn an_alert() {
    let text = says(env!("CARGO_BIN_EXE_check_postfix_queue"), &["-v"]);
    let (first, rest) = text.split_once('\n').unwrap();
    // Performance data is for graphs; the picture says that it is cut.
    let (alert, data) = first.split_once(" | ").unwrap();
    let data: Vec<&str> = data.split(' ').take(3).collect();
    let mut lines = vec![format!("{alert} | {} ...", data.join(" "))];
    lines.extend(rest.lines().take(16).map(str::to_owned));
    let rows = printed(&lines.join("\n"), COLUMNS);
    let title = format!("check_postfix_queue -v on a queue of a drill: {alert}");
    compare(
        "alert.svg",
        &picture(&title, &after_prompt("check_postfix_queue -v", rows)),
    );
}

#[test]
fn ages() {
    let program = env!("CARGO_BIN_EXE_queuewatch");
    let text = says(program, &["shape", "--color", "deferred"]);
    let lines: Vec<&str> = text.lines().take(18).collect();
    assert!(lines.len() == 18 && text.contains("\u{1b}["), "{text}");
    let rows = printed(&lines.join("\n"), COLUMNS);
    let title = "queuewatch shape deferred: recipients by destination domain and age, coloured from green to red";
    let command = "queuewatch shape --color deferred | head -n 18";
    compare("ages.svg", &picture(title, &after_prompt(command, rows)));
}

#[test]
fn every_picture_is_small_and_is_shown_by_a_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages: String = ["README.md", "src/docs/guide.md"]
        .map(|page| fs::read_to_string(root.join(page)).unwrap())
        .concat();
    let mut pictures = 0;
    for entry in fs::read_dir(root.join("src/docs/pictures")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        assert!(
            entry.metadata().unwrap().len() < MAX_BYTES,
            "{name} is large"
        );
        assert!(
            pages.contains(&format!("pictures/{name})")),
            "no page shows {name}"
        );
        pictures += 1;
    }
    assert!(pictures >= 3, "{pictures}");
}
