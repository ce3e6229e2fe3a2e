//! How messages spell an option, depending on the interface: `--state`, `"previous"`, `previous=`.
//!
//! A remedy such as "raise the timeout" names an option, and each interface writes options differently.
//! The library names an option by its long name; the caller sets the spelling for its thread. Messages
//! that are created on a thread of a scan name no option.

use std::cell::{Cell, RefCell};

/// How an interface writes options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spelling {
    /// `"queue-directory"`, for Rust and C.
    #[default]
    Quotes,
    /// `--queue-directory`, for the programs.
    Dashes,
    /// `queue_directory=`, for Python.
    Keyword,
    /// `queue_directory =>`, for Perl.
    Arrow,
}

/// Each spelling of the option `queue-directory`; a host passes one of them to select the spelling.
pub(crate) const SAMPLES: [(&str, Spelling); 4] = [
    ("\"queue-directory\"", Spelling::Quotes),
    ("--queue-directory", Spelling::Dashes),
    ("queue_directory=", Spelling::Keyword),
    ("queue_directory =>", Spelling::Arrow),
];

thread_local! {
    static CURRENT: Cell<Spelling> = const { Cell::new(Spelling::Quotes) };
    static LACKING: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Says that the interface on the calling thread has no options called `names`, so that no remedy gives them.
pub fn set_lacking(names: Vec<&'static str>) {
    LACKING.set(names);
}

/// Returns true if the interface on this thread has the option `name`.
pub(crate) fn is_offered(name: &str) -> bool {
    LACKING.with_borrow(|lacking| !lacking.contains(&name))
}

/// Spells options so on the calling thread, until [`set`] says otherwise or a scope that was kept ends.
pub fn set(spelling: Spelling) {
    CURRENT.set(spelling);
}

/// Brings back the present spelling when it is dropped.
#[derive(Debug)]
pub(crate) struct SpellingGuard(Spelling);

/// Keeps the present spelling for later.
#[must_use]
pub(crate) fn guard() -> SpellingGuard {
    SpellingGuard(CURRENT.get())
}

impl Drop for SpellingGuard {
    fn drop(&mut self) {
        set(self.0);
    }
}

/// The option with the long name `name`, as this thread spells it.
pub(crate) fn option(name: &str) -> String {
    match CURRENT.get() {
        Spelling::Quotes => format!("\"{name}\""),
        // The programs keep the earlier state themselves, in a file.
        Spelling::Dashes if name == "previous" => "--state FILE".to_owned(),
        Spelling::Dashes => format!("--{name}"),
        Spelling::Keyword => format!("{}=", name.replace('-', "_")),
        Spelling::Arrow => format!("{} =>", name.replace('-', "_")),
    }
}

/// The option with the value that was given, which is printable already.
pub(crate) fn with_value(name: &str, value: &str) -> String {
    let space = match CURRENT.get() {
        Spelling::Keyword => "",
        _ => " ",
    };
    format!("{}{space}\"{value}\"", option(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sample_is_how_its_spelling_writes_that_option() {
        let _before = guard();
        for (sample, spelling) in SAMPLES {
            set(spelling);
            assert_eq!(option("queue-directory"), sample);
        }
    }

    #[test]
    fn a_value_stands_as_the_face_would_give_it() {
        let _before = guard();
        for (spelling, text) in [
            (Spelling::Quotes, "\"timeout\" \"x\""),
            (Spelling::Dashes, "--timeout \"x\""),
            (Spelling::Keyword, "timeout=\"x\""),
            (Spelling::Arrow, "timeout => \"x\""),
        ] {
            set(spelling);
            assert_eq!(with_value("timeout", "x"), text);
        }
    }

    #[test]
    fn the_spelling_before_comes_back() {
        let before = option("now");
        {
            let _before = guard();
            set(Spelling::Dashes);
            assert_eq!(option("previous"), "--state FILE");
        }
        assert_eq!(option("now"), before);
    }
}
