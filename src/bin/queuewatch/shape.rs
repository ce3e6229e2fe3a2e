//! `queuewatch shape`: prints qshape's table, with qshape's options.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use queuewatch::error::Result;
use queuewatch::options::{Options, ShapeTables, Takes};
use queuewatch::render::shape::{Layout, document, hidden, table};
use queuewatch::rights;
use queuewatch::shape::perl_number::{is_perl_number, perl_number, perl_text};
use queuewatch::shape::{Interim, Part, Shape};

use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{WHICH, of_library, print, print_bytes, tell_unread};

pub(crate) const HELP: &str = "\
Usage: queuewatch shape [OPTIONS] [QUEUE ...]

Prints recipients by destination domain and age in minutes, byte for byte as qshape prints them for
the same options. Rows of equal count and length are in byte order. QUEUE is a queue, another directory
below the queue directory, or an absolute path. Without QUEUE: incoming and active. Standard error names
what qshape leaves out.
";

#[rustfmt::skip]
const FLAGS: [Flag; 11] = [
    Flag { short: Some('s'), name: "senders", takes: Takes::Nothing,
        help: "messages by sender domain" },
    Flag { short: Some('p'), name: "parents", takes: Takes::Nothing,
        help: "parent domains, too, with a leading dot" },
    Flag { short: Some('m'), name: "min-subdomains", takes: Takes::One("N"),
        help: "with -p (without it: ignored, as in qshape), show parents of at least N subdomains (default 5)" },
    Flag { short: Some('b'), name: "bucket-count", takes: Takes::One("N"),
        help: "columns (default 10)" },
    Flag { short: Some('t'), name: "bucket-time", takes: Takes::One("MINUTES"),
        help: "minutes of the first column (default 5); each further one is twice as long" },
    Flag { short: Some('l'), name: "linear", takes: Takes::Nothing,
        help: "all columns are as long as the first" },
    Flag { short: Some('w'), name: "width", takes: Takes::One("N"),
        help: "width of the output, if more than 80" },
    Flag { short: Some('N'), name: "batch-messages", takes: Takes::One("N"),
        help: "on a terminal, an interim table every N messages (default 1000; 0: none)" },
    Flag { short: Some('n'), name: "batch-domains", takes: Takes::One("N"),
        help: "on a terminal, only the first N rows (default 20; 0: all)" },
    Flag { short: None, name: "all", takes: Takes::Nothing,
        help: "count what qshape leaves out, too" },
    Flag { short: None, name: "json", takes: Takes::Nothing,
        help: "print JSON" },
];
const COLOR: Flag = Flag {
    short: None,
    name: "color",
    takes: Takes::Nothing,
    help: "colour the cells by age (without it: on a terminal, unless NO_COLOR is set)",
};

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.push(COLOR);
    flags.extend(of_library(&WHICH));
    flags
}

/// The flags that are about the table as text.
const OF_TABLE: [&str; 4] = ["color", "width", "batch-messages", "batch-domains"];

/// Converts a figure as Perl does: text that is not a number counts as the number at its start.
fn figure(name: &str, value: &[u8]) -> f64 {
    if !is_perl_number(value) {
        eprintln!(
            "queuewatch: --{name} \"{}\" is not a number; {} is used, as in qshape",
            queuewatch::escape::shown(value, 64),
            perl_text(perl_number(value)),
        );
    }
    perl_number(value)
}

/// The parsed command line.
struct Arguments {
    options: Options,
    layout: Layout,
    least_subdomains: f64,
    parents: bool,
    /// The number of files between two interim tables; less than 1 for none.
    every: f64,
    all: bool,
    json: bool,
    /// The flag of the table that was given last.
    of_table: Option<&'static str>,
    names: Vec<OsString>,
}

impl Arguments {
    fn new(terminal: bool) -> Self {
        Arguments {
            options: Options::default(),
            layout: Layout {
                rows: if terminal { 20 } else { 0 },
                color: terminal && crate::allows_color(),
                harmless: terminal,
                ..Layout::default()
            },
            least_subdomains: 5.0,
            parents: false,
            every: if terminal { 1000.0 } else { 0.0 },
            all: false,
            json: false,
            of_table: None,
            names: Vec::new(),
        }
    }

    fn set(&mut self, name: &'static str, value: &[u8], terminal: bool) -> Result<()> {
        if OF_TABLE.contains(&name) {
            self.of_table = Some(name);
        }
        match name {
            "senders" => self.layout.senders = true,
            "parents" => self.parents = true,
            "all" => self.all = true,
            "json" => self.json = true,
            "color" => self.layout.color = true,
            "bucket-count" | "bucket-time" => {
                let figure = figure(name, value);
                // A number that is not above 0 is ignored.
                if figure > 0.0 {
                    self.options.set(name, format!("{figure}").as_bytes())?;
                }
            }
            "min-subdomains" => {
                let figure = figure(name, value);
                if figure > 0.0 {
                    self.least_subdomains = figure;
                }
            }
            "width" => {
                let figure = figure(name, value);
                if figure > 10_000.0 {
                    return Err(args::usage("--width: at most 10000 columns"));
                }
                self.layout.width = figure.max(80.0);
            }
            "batch-messages" if terminal => self.every = figure(name, value),
            "batch-domains" if terminal => self.layout.rows = figure(name, value).max(0.0) as u64,
            // Only a terminal shows batches, as in qshape.
            "batch-messages" | "batch-domains" => {}
            _ => self.options.set(name, value)?,
        }
        Ok(())
    }
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let terminal = std::io::stdout().is_terminal();
    let mut arguments = Arguments::new(terminal);
    for word in words {
        match word {
            Word::Flag(name, value) => arguments.set(name, &value, terminal)?,
            Word::Plain(word) => arguments.names.push(word),
        }
    }
    if let (true, Some(name)) = (arguments.json, arguments.of_table) {
        args::alone("json", "prints no table", &[(name, true)])?;
    }
    let Arguments {
        options,
        mut layout,
        every,
        all,
        json,
        mut names,
        ..
    } = arguments;
    if json {
        layout.rows = 0;
    }
    layout.parents = arguments.parents.then_some(arguments.least_subdomains);
    if names.is_empty() {
        names = vec!["incoming".into(), "active".into()];
    }
    let tables = ShapeTables {
        recipients: !layout.senders,
        senders: layout.senders,
        all,
    };
    let (request, broken) = rights::raised(|| options.shape_of(&names, tables))?;
    rights::raised(|| {
        let places = request.places.iter();
        let confinement = places.fold(Confinement::new(), |confinement, place| {
            confinement.reads(&place.path)
        });
        confinement.close(&[])
    });
    let last = Mutex::new(Instant::now());
    let show = |parts: &[Part]| {
        let mut last = last
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        // Nobody can read more tables a second.
        if last.elapsed() < Duration::from_millis(100) {
            return;
        }
        *last = Instant::now();
        if let Some(part) = parts.first() {
            let mut text = CLEAR.to_vec();
            text.extend(table(&request.buckets, part, &layout));
            let mut out = std::io::stdout().lock();
            let _ = rights::as_caller(|| out.write_all(&text).and_then(|()| out.flush()));
        }
    };
    let interim = (!json && every >= 1.0).then_some(Interim {
        every: every as u64,
        show: &show,
    });
    let shape = rights::raised(|| Shape::take(&request, interim));
    rights::give_up();
    let Some(part) = shape.parts.first() else {
        return Ok(ExitCode::SUCCESS);
    };
    if json {
        print(&format!("{}\n", document(&shape, part, &layout)))?;
    } else {
        let mut text = Vec::new();
        if interim.is_some() {
            text.extend_from_slice(CLEAR);
        }
        text.extend(table(&shape.buckets, part, &layout));
        print_bytes(&text)?;
    }
    for sentence in hidden(part, all) {
        eprintln!("queuewatch: {sentence}");
    }
    let unlisted = part.recipients.unlisted + part.senders.unlisted;
    if unlisted > 0 {
        let addresses = match unlisted {
            1 => "1 address is of a domain".to_owned(),
            _ => format!("{unlisted} addresses are of domains"),
        };
        eprintln!("queuewatch: {addresses} beyond the limit of the table, and in TOTAL alone");
    }
    let unread = shape.unreadable + broken.len() as u64;
    Ok(tell_unread(
        broken.iter().chain(&shape.gaps),
        unread,
        shape.cut,
    ))
}

/// Clears the screen, as clear(1) does.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J\x1b[3J";
