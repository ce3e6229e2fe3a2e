//! What both test binaries share. Neither knows the other; each uses its own part.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses its own part"
)]

/// C programs against the library that the tests built.
pub(crate) mod c_program;
/// Queue files and defer logs that no Postfix would write, and that its showq(8) lists all the same.
pub(crate) mod handmade;
/// What a list makes of what postqueue prints: each recipient record once.
pub(crate) mod joined;
/// What `postqueue -j` lists, added up.
pub(crate) mod listed;
/// A real Postfix for one test, in a folder and on a port of its own.
pub(crate) mod postfix;
/// A pseudo-terminal for a program.
pub(crate) mod pseudo_terminal;
/// Programs that run with fewer rights than root's, and folders that they can reach.
pub(crate) mod rights;
/// A program that runs while a test looks at it.
pub(crate) mod running;
/// The client's half of SMTP.
pub(crate) mod smtp;
/// The server's half of SMTP, which says what a test wants.
pub(crate) mod smtp_server;
/// Spools: those of the corpus, and ones made by hand.
pub(crate) mod spool;
/// Pictures of a terminal.
pub(crate) mod terminal_svg;

/// Whether the tests run in a checkout. The crate that cargo packs, for which it writes Cargo.toml.orig, has neither the
/// bindings nor the benchmarks: a test that compares one of them with the library has only its other half there.
pub(crate) fn is_checkout() -> bool {
    !std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("Cargo.toml.orig")
        .exists()
}
