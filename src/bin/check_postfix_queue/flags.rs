//! The flags of check_postfix_queue: one table for its command line, its help, its manual page and its
//! completions.

use crate::args::Flag;
use queuewatch::options::{HOST_OPTIONS, OPTIONS, OptionRow, SHAPE_OPTIONS, Takes, is_filter};

/// The first line of the help.
pub(crate) const USAGE: &str = "Usage: check_postfix_queue [OPTIONS]\n";

/// Flags of the plugin in addition to the options of the library.
const OWN: [Flag; 7] = [
    Flag {
        short: None,
        name: "state",
        takes: Takes::One("FILE"),
        help: "keep in FILE what the next check needs to compute QUEUE.growth",
    },
    Flag {
        short: None,
        name: "status",
        takes: Takes::One("FILE"),
        help: "answer from FILE, which queuewatch watch keeps; needs no right on the spool",
    },
    Flag {
        short: None,
        name: "max-age",
        takes: Takes::One("TIME"),
        help: "how old that file may be, with s m h (default 60)",
    },
    Flag {
        short: None,
        name: "format",
        takes: Takes::One("FORMAT"),
        help: "plugin (default), json, openmetrics or checkmk (the line of a local check)",
    },
    Flag {
        short: Some('v'),
        name: "verbose",
        takes: Takes::Nothing,
        help: "long output: domains by age, senders, what could not be read; repeat for more",
    },
    Flag {
        short: Some('h'),
        name: "help",
        takes: Takes::Nothing,
        help: "print this and exit with 3",
    },
    Flag {
        short: Some('V'),
        name: "version",
        takes: Takes::Nothing,
        help: "print the version and exit with 3",
    },
];

fn short_of(row: &OptionRow) -> Option<char> {
    match row.name {
        "config-directory" => Some('d'),
        "warning" => Some('w'),
        "critical" => Some('c'),
        "timeout" => Some('t'),
        _ => None,
    }
}

pub(crate) fn flags() -> Vec<Flag> {
    // A plugin reads what its rules and performance data need, and keeps its own state.
    let of_library = OPTIONS
        .iter()
        .filter(|row| !HOST_OPTIONS.contains(&row.name) && !SHAPE_OPTIONS.contains(&row.name))
        .filter(|row| !is_filter(row.name));
    of_library
        .map(|row| Flag {
            short: short_of(row),
            name: row.name,
            takes: row.takes,
            help: row.help,
        })
        .chain(OWN)
        .collect()
}
