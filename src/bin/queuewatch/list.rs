//! `queuewatch list`: prints the messages as postqueue does.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::escape::{self, counted};
use queuewatch::instance::Instance;
use queuewatch::listing::{ListOutcome, ListRequest, Senderless, Sort, list};
use queuewatch::options::{Options, Takes};
use queuewatch::postfix::address::MAILER_DAEMON;
use queuewatch::postfix::queue::QueueSet;
use queuewatch::render::postqueue::{Keys, Style, heading, json_line, summary, text_block};
use queuewatch::rights;
use queuewatch::scan::MessageRow;
use queuewatch::sys;

use crate::anonymize;
use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{EXCLUDES, WHICH, filters, of_library, queues_named, tell_unread};

pub(crate) const HELP: &str = "\
Usage: queuewatch list [OPTIONS] [QUEUE ...]

Prints the messages of the queues with their delay reasons, in the form of postqueue -j (default) or -p.
It needs no daemon and prints each recipient once. Without QUEUE: maildrop, active, incoming, deferred,
hold.

Filters pick messages: a message must match one filter of each kind that is given. Those about a delivery
(--recipient, --domain, --reason, --cause, --next-hop) must hold for one and the same recipient. --not before
a filter inverts it: no recipient of the message may match.

Postfix 3.11 and later also list recipients that bounced while the bounce is not sent yet, and the original
address of each recipient in JSON. Programs that know the older form may not expect them. --keys 3.11
includes them, with -j and with -p.
";

#[rustfmt::skip]
const FLAGS: [Flag; 6] = [
    Flag { short: Some('j'), name: "json", takes: Takes::Nothing,
        help: "one JSON object a line (default)" },
    Flag { short: Some('p'), name: "text", takes: Takes::Nothing,
        help: "text, as mailq" },
    Flag { short: None, name: "keys", takes: Takes::One("VERSION"),
        help: "the form of that Postfix: 3.5 (default), or 3.11, which adds recipients that bounced and in JSON orig_address" },
    Flag { short: None, name: "sort", takes: Takes::One("ORDER"),
        help: "arrival (oldest first), size (largest first), retry (next first; what has none last) or queue_id" },
    Flag { short: None, name: "limit", takes: Takes::One("N"),
        help: "at most N messages" },
    Flag { short: None, name: "ids", takes: Takes::Nothing,
        help: "queue IDs alone, one a line, such as for postsuper -h -" },
];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(anonymize::FLAGS);
    flags.extend(of_library(&["causes"]));
    flags.extend(of_library(&EXCLUDES));
    flags.extend(filters());
    flags.extend(of_library(&WHICH));
    flags
}

fn utf8<'v>(name: &str, value: &'v [u8]) -> Result<&'v str> {
    std::str::from_utf8(value)
        .map_err(|_| args::usage(&format!("--{name}: the text is not valid UTF-8")))
}

/// The parsed command line.
struct Arguments {
    options: Options,
    sort: Option<Sort>,
    limit: Option<u64>,
    ids: bool,
    anonymize: anonymize::Asked,
    json: bool,
    text: bool,
    keys: Option<Keys>,
    queues: QueueSet,
}

impl Arguments {
    fn set(&mut self, name: &'static str, value: &[u8]) -> Result<()> {
        match name {
            "json" => self.json = true,
            "text" => self.text = true,
            "keys" => {
                self.keys = match value {
                    b"3.5" => Some(Keys::V3_5),
                    b"3.11" => Some(Keys::V3_11),
                    _ => return Err(args::usage("--keys takes 3.5 or 3.11")),
                };
            }
            "ids" => self.ids = true,
            "limit" => self.limit = Some(args::positive("limit", value)?),
            "sort" => {
                let order = Sort::from_name(utf8("sort", value)?);
                self.sort =
                    Some(order.ok_or_else(|| {
                        args::usage("--sort takes arrival, size, retry or queue_id")
                    })?);
            }
            _ if self.anonymize.take(name, value)? => {}
            _ => self.options.set(name, value)?,
        }
        Ok(())
    }

    /// Refuses options of which one would have no effect.
    fn check(&self) -> Result<()> {
        if self.ids {
            let [anonymize, key] = self.anonymize.given();
            let others = [
                ("json (-j)", self.json),
                ("text (-p)", self.text),
                ("keys", self.keys.is_some()),
                anonymize,
                key,
            ];
            args::alone("ids", "prints queue IDs alone", &others)?;
        }
        if self.json {
            // As postqueue, which refuses the two.
            let others = [("text (-p)", self.text)];
            args::alone("json (-j)", "prints JSON", &others)?;
        }
        Ok(())
    }
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut arguments = Arguments {
        options: Options::default(),
        sort: None,
        limit: None,
        ids: false,
        anonymize: anonymize::Asked::default(),
        json: false,
        text: false,
        keys: None,
        queues: QueueSet::NONE,
    };
    for word in words {
        match word {
            Word::Flag(name, value) => arguments.set(name, &value)?,
            Word::Plain(word) => {
                arguments.queues = arguments.queues.or(queues_named(&word)?);
            }
        }
    }
    arguments.check()?;
    if arguments.queues.is_empty() {
        arguments.queues = QueueSet::TOTAL;
    }
    if arguments.queues.and(arguments.options.queues()).is_empty() {
        // An empty list would look like empty queues.
        return Err(args::usage("--exclude leaves nothing to list"));
    }
    print(arguments)
}

fn several_instances() -> Error {
    Error::new(
        ErrorKind::Invalid,
        "--ids is for postsuper, which acts on one instance; here are several",
    )
    .with_remedy("pick one with --instance NAME or -c DIR, and give postsuper the same -c DIR")
}

/// Prints the list, and reports what could not be read.
fn print(arguments: Arguments) -> Result<ExitCode> {
    let Arguments {
        options,
        sort,
        limit,
        ids,
        anonymize,
        text,
        keys,
        queues,
        ..
    } = arguments;
    let keys = keys.unwrap_or(Keys::V3_5);
    let anonymizer = anonymize.anonymizer()?;
    let instances = rights::raised(|| Confinement::new().instances(&options))?;
    let several = instances.len() > 1;
    if ids && several {
        return Err(several_instances());
    }
    let pick = options.pick()?.clone();
    // Only what is printed is read.
    let long = instances
        .iter()
        .flatten()
        .any(|instance| instance.settings.enable_long_queue_ids);
    let request = ListRequest {
        queues: queues.and(options.queues()),
        pick,
        sort,
        limit,
        reasons: !ids,
        origins: anonymizer.is_some(),
        bounces: !ids && keys == Keys::V3_11,
        now: options.now(),
        readers: options.readers(),
        deadline: options.deadline(),
    };
    let harmless = io::stdout().is_terminal();
    let format = |instance: &Instance, row: &MessageRow, out: &mut Vec<u8>| {
        // Without a main.cf, assume the default of every Postfix since 3.0.
        let utf8 = instance.settings.smtputf8_enable || instance.config_directory.is_none();
        let empty_address = match instance.settings.empty_address_recipient.as_bytes() {
            b"" => MAILER_DAEMON,
            given => given,
        };
        let anonymous = anonymizer.as_ref().map(|anonymizer| anonymizer.row(row));
        let row = anonymous.as_ref().unwrap_or(row);
        let style = Style {
            utf8,
            keys,
            empty_address,
        };
        if ids {
            out.extend_from_slice(&row.queue_id);
            out.push(b'\n');
        } else if text {
            text_block(row, style, long, harmless, out);
        } else {
            let name = several.then_some(instance.name.as_str());
            json_line(row, style, name, out);
        }
    };
    let mut out = io::stdout();
    sys::widen_pipe(&out);
    let mut begun = false;
    // Any thread of the scan may print, while the spool is read.
    let mut print = |piece: &[u8]| {
        rights::as_caller(|| {
            if text && !begun && !piece.is_empty() {
                begun = true;
                out.write_all(heading(long).as_bytes())?;
                // An empty line separates blocks.
                return out.write_all(piece.get(1..).unwrap_or_default());
            }
            out.write_all(piece)
        })
    };
    let listed = rights::raised(|| list(instances, &request, &format, &mut print));
    rights::give_up();
    let listed = listed?.and_then(|outcome| {
        let mut out = io::stdout();
        // What could not be read may hold mail.
        let silent = outcome.messages == 0 && (outcome.unreadable > 0 || outcome.cut);
        if text && !silent {
            out.write_all(summary(outcome.messages, outcome.bytes).as_bytes())?;
        }
        out.flush()?;
        Ok(outcome)
    });
    let outcome = match listed {
        Ok(outcome) => outcome,
        // The reader has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
        Err(error) => return Err(Error::io("write to", Path::new("standard output"), &error)),
    };
    tell_unlisted(&outcome);
    Ok(tell_unread(
        outcome.gaps.iter(),
        outcome.unreadable,
        outcome.cut,
    ))
}

/// Prints on standard error which messages the list does not have.
fn tell_unlisted(outcome: &ListOutcome) {
    if outcome.senderless.count > 0 {
        eprintln!(
            "queuewatch: {} without a sender where postqueue looks for it, not listed: {}; \
             queuewatch show QUEUE_ID tells what is wrong",
            counted(outcome.senderless.count, "message"),
            named(&outcome.senderless)
        );
    }
    if outcome.vanished > 0 {
        eprintln!(
            "queuewatch: {} moved on while the list was sorted",
            counted(outcome.vanished, "message")
        );
    }
}

/// How many messages without a sender are named.
const NAMED: usize = 3;

/// The first messages without a sender.
fn named(senderless: &Senderless) -> String {
    let first = senderless.first.iter().take(NAMED);
    let paths: Vec<String> = first.map(|path| escape::path(path)).collect();
    let paths = paths.join(", ");
    match senderless.count.saturating_sub(NAMED as u64) {
        0 => paths,
        more => format!("{paths} and {more} more"),
    }
}
