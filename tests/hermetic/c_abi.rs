//! The C ABI as C sees it: the header, the libraries, every function, and the example.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::c_program::{
    compile, libraries, must, private_libraries, root, run, sanitizer,
};
use crate::support::is_checkout;
use crate::support::spool::Spool;

#[test]
fn the_committed_header_is_the_generated_one() {
    let generated = concat!(env!("OUT_DIR"), "/queuewatch.h");
    let generated = fs::read_to_string(generated).unwrap();
    let committed = root("include/queuewatch.h");
    if std::env::var_os("QW_BLESS").is_some() {
        fs::write(&committed, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(committed).unwrap() == generated,
        "include/queuewatch.h is not what cbindgen makes of src/ffi: QW_BLESS=1 cargo test c_abi writes it"
    );
}

#[test]
fn the_header_is_clean_in_every_dialect() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("alone.c");
    fs::write(
        &source,
        "#include <queuewatch.h>\nint main(void) { return QW_OK; }\n",
    )
    .unwrap();
    for (compiler, dialect) in [
        ("gcc", "-std=c90"),
        ("gcc", "-std=c99"),
        ("gcc", "-std=c11"),
        ("gcc", "-std=c2x"),
        ("g++", "-std=c++11"),
        ("g++", "-std=c++20"),
    ] {
        let mut command = Command::new(compiler);
        if compiler == "g++" {
            command.args(["-x", "c++"]);
        }
        command
            .args([
                dialect,
                "-pedantic",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-fsyntax-only",
                "-I",
            ])
            .arg(root("include"))
            .arg(&source);
        must(&mut command, compiler);
    }
}

/// abidiff sees no constants. A number that a program was compiled with keeps its meaning: numbers are only added.
#[test]
fn numbers_keep_their_meaning() {
    let header = fs::read_to_string(root("include/queuewatch.h")).unwrap();
    let constants = header.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("#define ")?.split_once(' ')?;
        let is_number = value.parse::<i64>().is_ok();
        let is_version = name.starts_with("QW_VERSION");
        (is_number && !is_version).then(|| format!("{name} {value}"))
    });
    let causes = queuewatch::Cause::ALL.iter().enumerate();
    let causes = causes.map(|(number, cause)| format!("qw_cause_name {number} {}", cause.name()));
    let numbers: Vec<String> = constants.chain(causes).collect();
    let listed = fs::read_to_string(root("tests/ffi/numbers.txt")).unwrap();
    for line in listed.lines() {
        assert!(
            numbers.iter().any(|number| number == line),
            "{line} stands in tests/ffi/numbers.txt and means something else now: that breaks the ABI"
        );
    }
    for number in &numbers {
        assert!(
            listed.lines().any(|line| line == number),
            "add {number} to tests/ffi/numbers.txt"
        );
    }
}

/// The program in the header's first comment is one.
#[test]
fn the_program_in_the_header_compiles() {
    let header = fs::read_to_string(root("include/queuewatch.h")).unwrap();
    let program: String = header
        .lines()
        .skip_while(|line| !line.contains("#include <queuewatch.h>"))
        .take_while(|line| !line.starts_with(" * Ownership"))
        .map(|line| line.strip_prefix(" *").unwrap_or(line).to_owned() + "\n")
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.c");
    fs::write(&source, program).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args([
        "-std=c99",
        "-pedantic",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsyntax-only",
        "-I",
    ])
    .arg(root("include"))
    .arg(source);
    must(&mut gcc, "gcc");
}

#[test]
fn exports_are_the_listed_ones() {
    let library = libraries().join("libqueuewatch.so");
    let listed = fs::read_to_string(root("tests/ffi/exports.txt")).unwrap();
    let mut nm = Command::new("nm");
    nm.args(["-D", "--defined-only"]).arg(&library);
    let mut exported: Vec<String> = must(&mut nm, "binutils")
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2).map(str::to_owned))
        .collect();
    exported.sort();
    assert_eq!(exported, listed.lines().collect::<Vec<_>>());
    assert!(exported.iter().all(|name| name.starts_with("qw_")));

    let mut readelf = Command::new("readelf");
    readelf.arg("-d").arg(&library);
    let dynamic = must(&mut readelf, "binutils");
    assert!(
        dynamic.contains("soname: [libqueuewatch.so.1]"),
        "{dynamic}"
    );
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn every_export_stands_in_the_header() {
    let header = fs::read_to_string(root("include/queuewatch.h")).unwrap();
    for name in fs::read_to_string(root("tests/ffi/exports.txt"))
        .unwrap()
        .lines()
    {
        assert!(header.contains(&format!("{name}(")), "{name}");
    }
}

#[test]
fn every_function_keeps_its_promises() {
    let spool = Spool::of_corpus("short-mixed");
    for shared in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let program = compile("tests/ffi/conformance.c", folder.path(), shared);
        let output = run(Command::new(program).arg(spool.path()), "none");
        assert_eq!(
            output.status.code(),
            Some(0),
            "the exit code is the line of conformance.c, modulo 256"
        );
        assert!(
            output.stdout.is_empty() && output.stderr.is_empty(),
            "the library printed: {output:?}"
        );
    }
}

#[test]
fn a_program_without_shared_libraries_runs() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("static");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-static", "-pthread", "-I"])
        .arg(root("include"))
        .arg(root("examples/c/check_deferred.c"))
        .arg("-o")
        .arg(&program)
        .arg(libraries().join("libqueuewatch.a"))
        .args(private_libraries());
    must(&mut gcc, "gcc");
    let output = run(
        Command::new(program)
            .arg("-q")
            .arg(spool.path())
            .args(["-n", "1795461304", "-c", "100"]),
        "none",
    );
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn it_can_be_loaded_and_unloaded_by_a_thread_that_ends() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("loader");
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-pthread"])
        .args(sanitizer())
        .arg(root("tests/ffi/loader.c"))
        .arg("-o")
        .arg(&program)
        .arg("-ldl");
    must(&mut gcc, "gcc");
    must(
        Command::new(program).arg(libraries().join("libqueuewatch.so")),
        "none",
    );
}

#[test]
fn the_example_answers_as_the_plugin_does() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let example = compile("examples/c/check_deferred.c", folder.path(), true);
    let source = fs::read_to_string(root("examples/c/check_deferred.c")).unwrap();
    assert!(source.lines().count() < 100);
    for rules in [
        &["-c", "deferred.messages=10"][..],
        &["-w", "deferred.older(4h)=5", "-c", "active.fill=50%", "-v"],
        &["-c", "500"],
        &["-c", "nonsense"],
    ] {
        let run_it = |program: &Path, directory: &str, now: &str| {
            let mut command = Command::new(program);
            command
                .arg(directory)
                .arg(spool.path())
                .args([now, "1795461304"])
                .args(rules);
            let output = run(&mut command, "none");
            (
                output.status.code(),
                String::from_utf8_lossy(&output.stdout).into_owned(),
            )
        };
        let plugin = Path::new(env!("CARGO_BIN_EXE_check_postfix_queue"));
        assert_eq!(
            run_it(&example, "-q", "-n"),
            run_it(plugin, "--queue-directory", "--now"),
            "{rules:?}"
        );
    }
}

/// What C compiles against: the header's functions, each with an empty body.
fn library_of_the_header(folder: &Path) -> PathBuf {
    let header = fs::read_to_string(root("include/queuewatch.h")).unwrap();
    let (_, functions) = header.split_once("extern \"C\" {").unwrap();
    let (_, functions) = functions.split_once("#endif").unwrap();
    let (functions, _) = functions.split_once("#ifdef").unwrap();
    let mut source = String::from("#include <queuewatch.h>\n#include <stdlib.h>\n");
    let mut inside_comment = false;
    for line in functions.lines().skip(1) {
        inside_comment |= line.trim_start().starts_with("/*");
        if !inside_comment {
            source += &line.replace(';', " { abort(); }\n");
            source.push('\n');
        }
        inside_comment &= !line.trim_end().ends_with("*/");
    }
    let (file, library) = (folder.join("header.c"), folder.join("header.so"));
    fs::write(&file, source).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=c99", "-g", "-w", "-fPIC", "-shared"])
        .arg("-Wl,-soname,libqueuewatch.so.1")
        .arg("-I")
        .arg(root("include"))
        .arg(file)
        .arg("-o")
        .arg(&library);
    must(&mut gcc, "gcc");
    library
}

#[test]
fn the_abi_is_the_committed_one() {
    let folder = tempfile::tempdir().unwrap();
    let library = library_of_the_header(folder.path());
    let committed = root("tests/ffi/queuewatch.abi");
    if std::env::var_os("QW_BLESS").is_some() {
        let mut abidw = Command::new("abidw");
        abidw
            .args(["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"])
            .args(["--short-locs", "--out-file"])
            .arg(&committed)
            .arg(&library);
        must(&mut abidw, "abigail-tools");
    }
    let mut abidiff = Command::new("abidiff");
    abidiff.arg(&committed).arg(&library);
    let output = run(&mut abidiff, "abigail-tools");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "the ABI has changed; if that is meant, tell it in CHANGELOG.md under \"ABI\", and \
         QW_BLESS=1 cargo test c_abi writes the new dump:\n{report}"
    );
    let dump = fs::read_to_string(committed).unwrap();
    for name in fs::read_to_string(root("tests/ffi/exports.txt"))
        .unwrap()
        .lines()
    {
        let symbol = format!("elf-symbol name='{name}' type='func-type'");
        assert!(dump.contains(&symbol), "{name} is not in the dump");
    }
}

/// One version, wherever it stands.
#[test]
fn the_versions_are_in_step() {
    let version = env!("CARGO_PKG_VERSION");
    let parts: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    let (major, minor, patch) = (parts[0], parts[1], parts[2]);
    let read = |path: &str| fs::read_to_string(root(path)).unwrap();
    let says = |path: &str, text: &str| {
        assert!(read(path).contains(text), "{path} does not say {text}");
    };
    let header = "include/queuewatch.h";
    says(header, &format!("#define QW_VERSION \"{version}\""));
    says(header, &format!("#define QW_VERSION_MAJOR {major}\n"));
    says(header, &format!("#define QW_VERSION_MINOR {minor}\n"));
    says(header, &format!("#define QW_VERSION_PATCH {patch}\n"));
    if is_checkout() {
        the_bindings_are_in_step(version);
    }
    says("CHANGELOG.md", &format!("\n## {version}"));
    // That of the ABI stands by itself.
    let abi = queuewatch::ffi::QW_ABI_VERSION;
    says(header, &format!("#define QW_ABI_VERSION {abi}\n"));
    assert_eq!(
        Command::new(env!("CARGO_BIN_EXE_queuewatch"))
            .arg("--version")
            .output()
            .unwrap()
            .stdout,
        format!("queuewatch {version}\n").into_bytes()
    );
}

/// The versions that the bindings name: the library's, and that of the ABI.
fn the_bindings_are_in_step(version: &str) {
    let parts: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect();
    let (major, minor, patch) = (parts[0], parts[1], parts[2]);
    let says = |path: &str, text: &str| {
        let page = fs::read_to_string(root(path)).unwrap();
        assert!(page.contains(text), "{path} does not say {text}");
    };
    let python = format!("QW_VERSION = \"{version}\"");
    says("bindings/python/src/queuewatch/_abi.py", &python);
    says(
        "bindings/python/pyproject.toml",
        &format!("version = \"{version}\""),
    );
    let perl = format!("our $VERSION = '{major}.{minor:03}{patch:03}';");
    let mut modules = vec![root("bindings/perl/lib/Postfix/QueueWatch.pm")];
    modules.extend(
        fs::read_dir(root("bindings/perl/lib/Postfix/QueueWatch"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    assert!(modules.len() > 5);
    for module in modules {
        let text = fs::read_to_string(&module).unwrap();
        assert!(
            text.contains(&perl),
            "{} does not say {perl}",
            module.display()
        );
    }
    says(
        "bindings/perl/Changes",
        &format!("\n{major}.{minor:03}{patch:03}"),
    );
    let abi = queuewatch::ffi::QW_ABI_VERSION;
    let bindings = "bindings/python/src/queuewatch";
    says(
        &format!("{bindings}/_abi.py"),
        &format!("QW_ABI_VERSION = {abi}\n"),
    );
    says(
        &format!("{bindings}/_library.py"),
        &format!("libqueuewatch.so.{abi}"),
    );
}
