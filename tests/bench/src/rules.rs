//! What rules on causes, logins and clients cost, what the defaults cost that every check without rules has, and what a
//! look at headers costs.
//!
//! Each group compares with the check that reads as much and asks for less.

use std::path::Path;

use queuewatch::postfix::queue::{Queue, QueueSet};

use crate::contest::{Contender, Group, is_perfdata, plugin};
use crate::process::{Ended, Line};
use crate::spool::Contents;
use crate::table::Goal;

/// What causes may add to a scan that reads delay reasons.
const CAUSES: Goal = Goal::Ratio(1.05);
/// What the defaults may add to a check without them.
const DEFAULTS: Goal = Goal::Ratio(1.25);
/// What a table of logins may add to a check of ages.
const LOGINS: Goal = Goal::Ratio(1.05);

/// What a look at the subject or at the first Received header may add to a scan of envelopes.
const HEADERS: Goal = Goal::Ratio(1.3);

/// The groups for caches that hold the spool.
pub(crate) fn warm(program: &Path, spool: &Path, contents: &Contents) -> Vec<Group> {
    let check = |name: &str, rules: &[&str]| check(name, rules, program, spool, contents);
    let mut groups = vec![Group::new(
        "Rules on causes",
        vec![
            check("a rule on a status code", &["deferred.reason(4.4.1)"]),
            check(
                "the same and a rule on one cause",
                &["deferred.reason(4.4.1)", "deferred.cause(filter)"],
            )
            .goals(&[CAUSES]),
            check("a rule on one cause", &["deferred.cause(filter)"]).goals(&[CAUSES]),
            check("a rule on what is ours", &["deferred.cause(ours)"]),
        ],
    )];
    let mut of_ages = defaults(program, spool, contents);
    of_ages.contenders.extend([
        check("a rule on the login that has most", &["total.top_login"]).goals(&[LOGINS]),
        check("a rule on the client that has most", &["total.top_client"]),
        check("a rule on the sender that has most", &["total.top_sender"]),
    ]);
    groups.push(of_ages);
    groups.push(headers(program, spool, contents));
    groups
}

/// What asks for headers, against a list of the same messages that its envelopes pick.
fn headers(program: &Path, spool: &Path, contents: &Contents) -> Group {
    let queues = QueueSet::TOTAL.iter();
    let listed: u64 = queues.map(|queue| contents.of(queue).messages).sum();
    let ask = |words: &[&str], right: fn(&Ended) -> Option<u64>| {
        let line = Line::new(program.with_file_name("queuewatch"));
        let line = words.iter().fold(line, |line, word| line.with(*word));
        let line = line.with("--queue-directory").with(spool);
        let name = format!("queuewatch {}", words.join(" "));
        Contender::new(&name, line, move |ended| match (ended.code, right(ended)) {
            (Some(0), Some(found)) if found == listed => Ok(()),
            (code, found) => Err(format!("{found:?}, not {listed}, and exit code {code:?}")),
        })
    };
    let lines = |ended: &Ended| Some(ended.output.lines().count() as u64);
    let sum = |ended: &Ended| {
        let document: serde_json::Value = serde_json::from_str(&ended.output).ok()?;
        document["messages"].as_u64()
    };
    // The filters pick all: a filter that picks nothing would prove nothing.
    let not = |filter| ["list", "--ids", "--not", filter, "no@such.example"];
    Group::new(
        "Headers, if something asks for them",
        vec![
            ask(&not("--sender"), lines),
            ask(&not("--subject"), lines).goals(&[HEADERS]),
            ask(&["origins", "--json", "--by", "subject"], sum).goals(&[HEADERS]),
            ask(&["origins", "--json"], sum).goals(&[HEADERS]),
        ],
    )
}

/// The groups for when the kernel has to ask the disk.
pub(crate) fn cold(program: &Path, spool: &Path, contents: &Contents) -> Group {
    let mut group = defaults(program, spool, contents);
    group.title = "Cold: defaults";
    group.cold = true;
    group
}

/// The default check against one that reads the same envelopes.
fn defaults(program: &Path, spool: &Path, contents: &Contents) -> Group {
    Group::new(
        "Defaults, logins and clients",
        vec![
            check("a rule on ages", &["total.oldest"], program, spool, contents),
            check("the defaults", &[], program, spool, contents).goals(&[DEFAULTS]),
        ],
    )
}

/// A check with `rules` that alert at nothing, so that no breach adds the words that explain it.
fn check(
    name: &str,
    rules: &[&str],
    program: &Path,
    spool: &Path,
    contents: &Contents,
) -> Contender {
    let line = plugin(program, spool, contents);
    let line = rules.iter().fold(line, |line, rule| {
        line.with("-w").with(format!("{rule}=~:"))
    });
    let right = contents.clone();
    let name = format!("check_postfix_queue: {name}");
    // A spool without mail in deferred would measure nothing.
    let deferred = contents.of(Queue::Deferred).messages;
    Contender::new(&name, line, move |ended| match deferred {
        0 => Err("no mail is deferred".to_owned()),
        _ => is_perfdata(ended, &right, true),
    })
}
