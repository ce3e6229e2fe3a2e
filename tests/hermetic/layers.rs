//! The data flows one way: a room uses only rooms before it, and `lib.rs` names them in that order. No test file is
//! left out of the two test binaries.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a text uses, by `crate::ROOM`. What stands behind `mod tests` may use any.
fn used(text: &str) -> Vec<String> {
    let code = text.split("\nmod tests").next().unwrap_or(text);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

/// The rooms that `lib.rs` names, in its order.
fn rooms(src: &Path) -> Vec<String> {
    let library = fs::read_to_string(src.join("lib.rs")).unwrap();
    let named = library
        .lines()
        .filter_map(|line| line.split_once("mod ")?.1.strip_suffix(';'));
    let order: Vec<String> = named.map(str::to_owned).collect();
    assert!(order.len() > 10, "{order:?}");
    order
}

#[test]
fn the_page_of_the_design_lists_all_rooms_in_their_order() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let design = fs::read_to_string(src.join("docs/design.md")).unwrap();
    let (_, table) = design.split_once("\n## Rooms\n").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let listed: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(listed, rooms(&src), "add a row to design.md, \"Rooms\"");
}

#[test]
fn a_room_has_one_file_or_a_folder_with_mod_rs() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    for file in files {
        assert!(
            !file.with_extension("").is_dir(),
            "{} has a folder beside it: move it there as mod.rs",
            file.display()
        );
    }
}

#[test]
fn a_room_uses_only_rooms_before_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let order = rooms(&src);

    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut uses = 0;
    for file in files {
        let below = file.strip_prefix(&src).unwrap();
        let first = below.iter().next().unwrap().to_str().unwrap();
        let room = first.strip_suffix(".rs").unwrap_or(first);
        if matches!(room, "lib" | "bin") || below.ends_with("tests.rs") {
            continue;
        }
        let place = order
            .iter()
            .position(|one| *one == room)
            .unwrap_or_else(|| panic!("{} is in no room of lib.rs", below.display()));
        for other in used(&fs::read_to_string(&file).unwrap()) {
            let Some(wanted) = order.iter().position(|one| *one == other) else {
                panic!("{} uses crate::{other}, which is no room", below.display());
            };
            assert!(
                wanted <= place,
                "{} uses {other}, which comes later",
                below.display()
            );
            uses += 1;
        }
    }
    assert!(uses > 50, "only {uses} uses found");
}

#[test]
fn the_finder_of_uses_finds_them() {
    let text = "use crate::scan::{A, B};\n// crate::no\nlet x = crate::escape::path(y) + crate::clock::now();\nmod tests {\nuse crate::late;";
    assert_eq!(used(text), ["scan", "escape", "clock"]);
}

#[test]
fn every_test_file_is_a_module_of_a_binary() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let rust_files = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter_map(|name| Some(name.strip_suffix(".rs")?.to_owned()))
            .collect()
    };
    let stray = rust_files(&tests);
    assert!(
        stray.is_empty(),
        "cargo runs no file of tests/ itself: move {stray:?} to tests/hermetic or tests/real"
    );
    for (folder, root) in [("hermetic", "main"), ("real", "main"), ("support", "mod")] {
        let folder = tests.join(folder);
        let modules = fs::read_to_string(folder.join(format!("{root}.rs"))).unwrap();
        for name in rust_files(&folder) {
            assert!(
                name == root || modules.contains(&format!("mod {name};")),
                "{}/{name}.rs is no module of {root}.rs",
                folder.display()
            );
        }
    }
}

/// A child that was forked while another thread filled such a static would wait for it forever.
#[test]
fn no_static_makes_a_thread_wait_for_another() {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    let waits = ["Lazy", "OnceLock", "OnceCell", "Once<", "Mutex", "RwLock"];
    let mut statics = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("\nmod tests").next().unwrap_or(&text);
        for line in code.lines().map(str::trim_start) {
            let line = line.strip_prefix("pub ").unwrap_or(line);
            if !line.starts_with("static ") {
                continue;
            }
            statics += 1;
            let kind = line.split('=').next().unwrap_or(line);
            let blocking = waits.iter().find(|name| kind.contains(*name));
            assert_eq!(blocking, None, "{}: {line}", file.display());
        }
    }
    assert!(statics > 5, "{statics} statics");
}
