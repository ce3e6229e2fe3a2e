//! `queuewatch show`: all about single messages.

use std::process::ExitCode;

use queuewatch::error::Result;
use queuewatch::escape::shown;
use queuewatch::options::{Options, Takes};
use queuewatch::postfix::queue_id;
use queuewatch::render::show::{json, text};
use queuewatch::rights;
use queuewatch::show::{ShowRequest, tell};

use crate::anonymize;
use crate::args::{self, Flag, Word};
use crate::confinement::Confinement;
use crate::{FAILED, WHICH, of_library, print, tell_unread};

pub(crate) const HELP: &str = "\
Usage: queuewatch show [OPTIONS] QUEUE_ID ...

Prints everything about each message: where it is, when it arrived and from whom, its recipients with the
last attempt, the cause and who acts, the next attempt, when it expires, and its headers. It finds a message
in any queue by the path that Postfix computes from the queue ID, and lists no directory.

The exit code is 1 if a message does not exist.
";

#[rustfmt::skip]
const FLAGS: [Flag; 4] = [
    Flag { short: Some('j'), name: "json", takes: Takes::Nothing,
        help: "print JSON" },
    Flag { short: None, name: "headers", takes: Takes::Nothing,
        help: "print all headers" },
    Flag { short: None, name: "body", takes: Takes::One("BYTES"),
        help: "print at most BYTES of the text after the headers (1 to 1048576), as it is in the queue file" },
    Flag { short: None, name: "walk", takes: Takes::Nothing,
        help: "list every directory for a message that is not where Postfix looks for it" },
];

/// The options of [`WHICH`] that this command does not have: one thread reads one message.
pub(crate) const NOT_OF_SHOW: [&str; 2] = ["readers", "gentle"];
/// The most bytes of text.
const MAX_BODY: usize = 1 << 20;

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = FLAGS.to_vec();
    flags.extend(anonymize::FLAGS);
    let which = of_library(&WHICH).into_iter();
    flags.extend(which.filter(|flag| !NOT_OF_SHOW.contains(&flag.name)));
    flags
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    let mut request = ShowRequest::default();
    let mut as_json = false;
    let mut queue_ids = Vec::new();
    let mut anonymize = anonymize::Asked::default();
    for word in words {
        match word {
            Word::Flag("json", _) => as_json = true,
            Word::Flag("headers", _) => request.all_headers = true,
            Word::Flag("walk", _) => request.walk = true,
            Word::Flag("body", value) => {
                let bytes = args::positive("body", &value)?;
                if bytes > MAX_BODY {
                    let most = format!("--body takes at most {MAX_BODY} bytes");
                    return Err(args::usage(&most));
                }
                request.body = Some(bytes);
            }
            Word::Flag(name, value) if anonymize.take(name, &value)? => {}
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => {
                use std::os::unix::ffi::OsStringExt as _;
                let queue_id = word.into_vec();
                if !queue_id::is_valid(&queue_id) {
                    return Err(args::usage(&format!(
                        "\"{}\" is not a queue ID, which has 1 to {} letters, digits and underscores",
                        shown(&queue_id, 64),
                        queue_id::MAX_LENGTH
                    )));
                }
                if !queue_ids.contains(&queue_id) {
                    queue_ids.push(queue_id);
                }
            }
        }
    }
    if queue_ids.is_empty() {
        return Err(args::usage("the queue ID is missing"));
    }
    if request.body.is_some() {
        args::alone("body", "prints the text as it is", &anonymize.given())?;
    }
    let anonymizer = anonymize.anonymizer()?;
    request.now = options.now();
    request.deadline = options.deadline();
    let withheld = rights::are_borrowed();
    let instances = rights::raised(|| Confinement::new().instances(&options))?;
    let several = instances.len() > 1;
    let stories = rights::raised(|| tell(instances, &queue_ids, &request));
    rights::give_up();
    let mut stories = stories?;
    if let Some(anonymizer) = &anonymizer {
        for story in &mut stories.found {
            anonymizer.story(story);
        }
    }
    if as_json {
        print(&format!("{}\n", json(&stories, request.now)))?;
    } else {
        let screens: Vec<String> = stories
            .found
            .iter()
            .map(|story| text(story, several))
            .collect();
        print(&screens.join("\n"))?;
    }
    if withheld && !stories.found.is_empty() {
        eprintln!(
            "queuewatch: headers are content of the message, and are not shown with rights that you do not have"
        );
    }
    let outcome = &stories.outcome;
    let whole = outcome.unreadable == 0 && !outcome.cut;
    for queue_id in &stories.missing {
        let (queues, hint) = match (whole, request.walk) {
            (false, _) => ("any queue that could be read", ""),
            (true, true) => ("any queue", ""),
            (true, false) => (
                "any queue",
                "; it may be delivered; --walk looks in every directory",
            ),
        };
        eprintln!(
            "queuewatch: there is no message {} in {queues}{hint}",
            shown(queue_id, 255)
        );
    }
    let unread = tell_unread(outcome.gaps.iter(), outcome.unreadable, outcome.cut);
    // Where not all could be looked at, it may still be there.
    match stories.missing.is_empty() || unread != ExitCode::SUCCESS {
        true => Ok(unread),
        false => Ok(ExitCode::from(FAILED)),
    }
}
