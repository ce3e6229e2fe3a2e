//! C programs against the library that these tests built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A path of the repository.
pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

pub(crate) fn run(command: &mut Command, package: &str) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error} (Debian package {package})"))
}

pub(crate) fn must(command: &mut Command, package: &str) -> String {
    let output = run(command, package);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}{complaint}",
        output.status
    );
    text
}

/// The directory with libqueuewatch.so and .a: cargo makes them together with the library that these tests link, and
/// lays them beside their program.
pub(crate) fn libraries() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        let directory = std::env::current_exe().unwrap();
        let directory = directory.parent().unwrap().to_owned();
        for name in ["libqueuewatch.so", "libqueuewatch.a"] {
            assert!(
                directory.join(name).exists(),
                "{}: no {name}",
                directory.display()
            );
        }
        directory
    })
}

/// What queuewatch.pc says to link after the static library.
pub(crate) fn private_libraries() -> Vec<String> {
    let text = fs::read_to_string(root("bindings/c/queuewatch.pc.in")).unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Libs.private: "));
    line.unwrap().split(' ').map(str::to_owned).collect()
}

/// What gcc must know of a library that was built with a sanitizer (`tests/sanitizers`).
pub(crate) fn sanitizer() -> Option<String> {
    let name = std::env::var("QUEUEWATCH_C_SANITIZER").ok()?;
    Some(format!("-fsanitize={name}"))
}

/// Compiles a C program against the shared or the static library.
pub(crate) fn compile(source: &str, folder: &Path, shared: bool) -> PathBuf {
    let libraries = libraries();
    let program = folder.join(Path::new(source).file_stem().unwrap());
    let mut gcc = Command::new("gcc");
    gcc.args([
        "-std=c99",
        "-g",
        "-pedantic",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pthread",
    ])
    .arg("-I")
    .arg(root("include"))
    .arg(root(source))
    .arg("-o")
    .arg(&program);
    gcc.args(sanitizer());
    if shared {
        let name = folder.join("libqueuewatch.so.1");
        if !name.exists() {
            std::os::unix::fs::symlink(libraries.join("libqueuewatch.so"), name).unwrap();
        }
        gcc.arg("-L")
            .arg(libraries)
            .args(["-lqueuewatch", "-Wl,-rpath,$ORIGIN"]);
    } else {
        gcc.arg(libraries.join("libqueuewatch.a"))
            .args(private_libraries());
    }
    must(&mut gcc, "gcc");
    program
}
