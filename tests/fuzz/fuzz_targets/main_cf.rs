//! Any bytes as a main.cf: parsed or refused in words that may be shown, every value expanded within
//! its limits, and comments change nothing.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use std::collections::BTreeSet;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use queuewatch::error::Result;
use queuewatch::instance::Settings;
use queuewatch::postfix::main_cf::{MAX_EXPANDED, MAX_WARNINGS, MainCf, known_parameters};
use queuewatch_fuzz::assert_harmless;

/// Names of a file that are asked for, at most: expansions may be long.
const MOST_NAMES: usize = 16;

fn parse(bytes: &[u8]) -> Result<MainCf> {
    let parsed = MainCf::parse(bytes);
    Ok(parsed?.with_config_directory(Path::new("/etc/postfix")))
}

/// Each text on the left of an equals sign, if it may stand in a message: who asks for a name is to
/// have one.
fn names(bytes: &[u8]) -> BTreeSet<String> {
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b'=').next())
        .filter_map(|name| std::str::from_utf8(name.trim_ascii()).ok())
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| matches!(byte, b' '..=b'~')))
        .map(str::to_owned)
        .take(MOST_NAMES)
        .collect()
}

/// The value of `name`, as text.
fn told(main_cf: &MainCf, name: &str) -> String {
    match main_cf.expand(name) {
        Ok(None) => "none".to_owned(),
        Ok(Some(value)) => {
            assert!(value.len() <= MAX_EXPANDED);
            if let Some(raw) = main_cf.get(name) {
                assert!(raw.contains(&b'$') || raw == value, "{name}");
            }
            format!("[{}]", value.escape_ascii())
        }
        Err(error) => {
            assert_harmless(&error.to_string());
            error.to_string()
        }
    }
}

fn convert(main_cf: &MainCf, name: &str) {
    let errors = [
        main_cf.text(name).err(),
        main_cf.path(name).err(),
        main_cf.list(name).err(),
        main_cf.seconds(name).err(),
        main_cf.integer(name).err(),
        main_cf.boolean(name).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert_harmless(&error.to_string());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let main_cf = match parse(bytes) {
        Ok(main_cf) => main_cf,
        Err(error) => {
            assert_harmless(&error.to_string());
            return;
        }
    };
    assert!(main_cf.warnings().len() <= MAX_WARNINGS + 1);

    let mut warnings = Vec::new();
    let settings = Settings::from_main_cf(&main_cf, &mut warnings);
    for text in main_cf.warnings().iter().chain(&warnings) {
        assert_harmless(text);
    }
    assert!(settings.bounce_queue_lifetime <= settings.maximal_queue_lifetime);

    let commented = bytes
        .split(|byte| *byte == b'\n')
        .collect::<Vec<_>>()
        .join(&b"\n# a comment\n \n"[..]);
    let commented = parse(&commented).expect("comments change nothing");
    for name in names(bytes) {
        assert_eq!(main_cf.get(&name), commented.get(&name), "{name}");
        assert_eq!(told(&main_cf, &name), told(&commented, &name), "{name}");
        convert(&main_cf, &name);
    }
    for name in known_parameters().step_by(7) {
        told(&main_cf, name);
    }
});
