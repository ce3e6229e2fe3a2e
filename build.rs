//! Names the shared library and, with the feature `header`, writes the C header to OUT_DIR; a test compares
//! it with `include/queuewatch.h`. Nothing outside OUT_DIR is written.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/ffi/mod.rs");
    let abi = abi_version();
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libqueuewatch.so.{abi}");
    // Threads of the host may still be in the library when it calls dlclose.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    #[cfg(feature = "header")]
    header::write();
}

/// `QW_ABI_VERSION`, as the source has it.
fn abi_version() -> String {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let source =
        std::fs::read_to_string(format!("{root}/src/ffi/mod.rs")).expect("src/ffi is read");
    let (_, rest) = source
        .split_once("pub const QW_ABI_VERSION: u32 = ")
        .expect("src/ffi/mod.rs says QW_ABI_VERSION");
    rest.chars().take_while(char::is_ascii_digit).collect()
}

#[cfg(feature = "header")]
#[path = "src/options/table.rs"]
#[allow(dead_code, unreachable_pub, reason = "the header needs a part of it")]
mod options;

#[cfg(feature = "header")]
mod header {
    use std::env;
    use std::fmt::Write as _;
    use std::path::PathBuf;

    use super::options::{OPTIONS, Takes};

    /// Writes the header that the C ABI makes.
    pub(super) fn write() {
        println!("cargo::rerun-if-changed=src/ffi");
        println!("cargo::rerun-if-changed=src/options/table.rs");
        let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
        let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets it"));
        let config = cbindgen::Config::from_file(root.join("src/ffi/cbindgen.toml"))
            .expect("src/ffi/cbindgen.toml is read");
        // It follows the `mod` lines, and keeps to their order.
        let builder = cbindgen::Builder::new()
            .with_config(config)
            .with_src(root.join("src/ffi/mod.rs"));
        let mut header = Vec::new();
        builder
            .generate()
            .expect("cbindgen reads src/ffi")
            .write(&mut header);
        let header = String::from_utf8(header).expect("the header is text");
        let header = header
            .replace("@VERSION@", &version("CARGO_PKG_VERSION"))
            .replace("@MAJOR@", &version("CARGO_PKG_VERSION_MAJOR"))
            .replace("@MINOR@", &version("CARGO_PKG_VERSION_MINOR"))
            .replace("@PATCH@", &version("CARGO_PKG_VERSION_PATCH"));
        // C90 has no such comments.
        let header = header
            .replace("// __cplusplus", "/* __cplusplus */")
            .replace("// extern \"C\"", "/* extern \"C\" */");
        let header = with_options(&header);
        // What Rust asks of an unsafe function stands in each C comment in C's words already.
        let header = without_safety(&header);
        std::fs::write(out.join("queuewatch.h"), header).expect("OUT_DIR is writable");
    }

    /// Puts the table of options in the place of `@OPTIONS@`, a line for each.
    fn with_options(header: &str) -> String {
        let mut lines = String::new();
        for line in header.lines() {
            let Some((before, _)) = line.split_once("@OPTIONS@") else {
                lines.push_str(line);
                lines.push('\n');
                continue;
            };
            for option in &OPTIONS {
                let value = match option.takes {
                    Takes::Nothing => String::new(),
                    Takes::One(value) => format!(" {value}"),
                    Takes::Many(value) => format!(" {value} ..."),
                };
                let (name, help) = (option.name, option.help);
                let _ = writeln!(lines, "{before}  {name}{value}: {help}");
            }
        }
        lines
    }

    fn version(name: &str) -> String {
        env::var(name).expect("cargo sets it")
    }

    /// Drops the `# Safety` paragraphs, which end with their comment.
    fn without_safety(header: &str) -> String {
        let mut kept = String::new();
        let mut dropping = false;
        for line in header.lines() {
            if line.trim() == "* # Safety" {
                dropping = true;
                // The empty line before it.
                if let Some(end) = kept.trim_end().strip_suffix('*') {
                    kept.truncate(end.trim_end().len());
                    kept.push('\n');
                }
            }
            if line.trim() == "*/" {
                dropping = false;
            }
            if !dropping {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        kept
    }
}
