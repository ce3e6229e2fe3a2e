//! `queuewatch report`: one HTML page about the queues, to look at or to send.

use std::path::PathBuf;
use std::process::ExitCode;

use queuewatch::anonymize::Anonymizer;
use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::escape;
use queuewatch::files::atomic;
use queuewatch::files::state::StateFile;
use queuewatch::listing::ListOutcome;
use queuewatch::options::{Options, Purpose, Takes};
use queuewatch::render::report::{OldMessage, anonymized, oldest_message, page};
use queuewatch::rights;
use queuewatch::rules::Verdict;
use queuewatch::snapshot::Snapshot;

use crate::anonymize;
use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{VERDICT, WHICH, of_library, print, tell_unread, tell_unread_of};

pub(crate) const HELP: &str = "\
Usage: queuewatch report [OPTIONS]

Prints one HTML page that needs nothing else: the verdict by the rules given, else by the defaults of
check_postfix_queue, and what to do; queues, destinations by age, causes by next hop, origins, retries and
expiries to come, the oldest messages, settings, and what could not be read. It loads nothing.
";

/// Mode of a page that names people: for its owner alone.
pub(crate) const MODE: u32 = 0o600;

#[rustfmt::skip]
const FLAGS: [Flag; 2] = [
    Flag { short: Some('o'), name: "output", takes: Takes::One("FILE"),
        help: "replace FILE by the page (default: print it)" },
    Flag { short: None, name: "since", takes: Takes::One("STATE"),
        help: "say what changed since STATE, the file of check_postfix_queue --state or a copy of it" },
];

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(anonymize::FLAGS);
    flags.extend(of_library(&VERDICT));
    flags.extend(of_library(&["causes"]));
    flags.extend(of_library(&WHICH));
    flags
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut output: Option<PathBuf> = None;
    let mut since: Option<PathBuf> = None;
    let mut anonymize = anonymize::Asked::default();
    for word in words {
        match word {
            Word::Flag("output", value) => output = Some(args::file("output", value)?),
            Word::Flag("since", value) => since = Some(args::file("since", value)?),
            Word::Flag(name, value) if anonymize.take(name, &value)? => {}
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => {
                let text = format!("{} is not an option of report", word.to_string_lossy());
                return Err(args::usage(&text));
            }
        }
    }
    if let Some(path) = &since {
        StateFile::compare(path, &mut options).map_err(|error| error.within("--since"))?;
    }
    let anonymizer = anonymize.anonymizer()?;
    let confinement = Confinement::new().replaces(&output);
    let read: Result<_> = rights::raised(|| {
        let snapshot = confinement.scan_listable(&options, Purpose::Report)?;
        let verdict = options.check(&snapshot)?;
        let oldest = oldest(&options, &snapshot, anonymizer.as_ref());
        Ok((snapshot, verdict, oldest))
    });
    rights::give_up();
    let (mut snapshot, mut verdict, (oldest, outcome)) = read?;
    if let (Some(path), Some(earlier)) = (&since, snapshot.previous.earlier()) {
        if !earlier.knows_any(&snapshot) {
            let text = format!("--since {} belongs to other spools", escape::path(path));
            let error = Error::new(ErrorKind::Invalid, text);
            return Err(error.with_remedy("name the state of a check of this spool"));
        }
    }
    let text = page_of(&mut snapshot, &mut verdict, &oldest, anonymizer.as_ref());
    match output {
        Some(path) => atomic::replace(&path, text.as_bytes(), MODE)?,
        None => {
            print(&text)?;
        }
    }
    let code = tell_unread_of(&snapshot);
    match code == ExitCode::SUCCESS {
        true => Ok(tell_unread(
            outcome.gaps.iter(),
            outcome.unreadable,
            outcome.cut,
        )),
        false => Ok(code),
    }
}

/// The page, without names of persons if there is an `anonymizer`. The `oldest` messages have none already.
pub(crate) fn page_of(
    snapshot: &mut Snapshot,
    verdict: &mut Verdict,
    oldest: &[OldMessage],
    anonymizer: Option<&Anonymizer>,
) -> String {
    let host = match anonymizer {
        Some(anonymizer) => {
            anonymized(anonymizer, snapshot, verdict);
            THIS_HOST.to_owned()
        }
        None => host(),
    };
    page(snapshot, verdict, oldest, &host)
}

/// The name of a host that has none.
const THIS_HOST: &str = "this host";

/// The name of this host.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    name.map_or(THIS_HOST.to_owned(), |name| name.trim().to_owned())
}

/// The oldest messages of `snapshot`, with their delay reasons.
pub(crate) fn oldest(
    options: &Options,
    snapshot: &Snapshot,
    anonymizer: Option<&Anonymizer>,
) -> (Vec<OldMessage>, ListOutcome) {
    let mut found = Vec::new();
    let outcome = snapshot.oldest(options.deadline(), |taken, row| {
        found.push(oldest_message(&taken.instance, row, anonymizer));
    });
    (found, outcome)
}
