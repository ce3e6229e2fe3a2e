//! Every function of the C ABI under valgrind(1), which takes longer than a test of `tests/hermetic` may.

use std::process::Command;

use crate::support::c_program::{compile, run};
use crate::support::spool::Spool;

#[test]
fn nothing_leaks_and_nothing_is_touched_that_is_not_ours() {
    let spool = Spool::of_corpus("short-mixed");
    let folder = tempfile::tempdir().unwrap();
    let program = compile("tests/ffi/conformance.c", folder.path(), true);
    let mut valgrind = Command::new("valgrind");
    // Rust's own handle of a foreign thread is kept until that thread ends, and is "possibly lost".
    valgrind
        .args([
            "--leak-check=full",
            "--errors-for-leak-kinds=definite",
            "--error-exitcode=99",
        ])
        .arg(program)
        .arg(spool.path());
    let output = run(&mut valgrind, "valgrind");
    let report = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(report.contains("ERROR SUMMARY: 0 errors"), "{report}");
    assert!(report.contains("definitely lost: 0 bytes"), "{report}");
}
