//! Depth follows the question: which files a check opens for rules on counts, on ages and on reasons,
//! as strace(1) sees it. A file that is opened without need is a wrong answer.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use queuewatch::postfix::queue::Queue;

use crate::contest::plugin;
use crate::process::Line;
use crate::spool::Contents;
use crate::{Options, Result};

/// What was opened.
#[derive(Debug, Default, PartialEq)]
struct Opened {
    queue_files: u64,
    logs: u64,
}

/// A table of what is opened for three questions; what should not have been goes to `wrong`.
pub(crate) fn report(
    options: &Options,
    spool: &Path,
    contents: &Contents,
    wrong: &mut Vec<String>,
) -> Result<String> {
    let all = contents.messages();
    let mut text = format!(
        "\n{:<62} {:>11} {:>11}\n",
        "Depth: what one rule opens", "queue files", "defer logs"
    );
    for (words, queue_files, logs) in [
        (&["--counts", "-c", "deferred.messages=1"][..], 0, false),
        (&["-c", "deferred.oldest=1"], all, false),
        (&["-c", "deferred.reason(4)=1"], all, true),
    ] {
        let line = plugin(&options.plugin, spool, contents);
        let line = words.iter().fold(line, Line::with);
        let opened = opened(&line, options, spool)?;
        let words = words.join(" ");
        writeln!(
            text,
            "  {:<60} {:>11} {:>11}",
            format!("check_postfix_queue {words}"),
            opened.queue_files,
            opened.logs
        )?;
        if opened.queue_files != queue_files || (opened.logs > 0) != logs {
            wrong.push(format!(
                "{words}: {opened:?}, not {queue_files} queue files"
            ));
        }
    }
    Ok(text)
}

fn opened(line: &Line, options: &Options, spool: &Path) -> Result<Opened> {
    let trace = options.directory.join("trace");
    let traced = Line::new("strace").with("-f").with("-y").with("-qq");
    let traced = traced.with("-e").with("trace=openat,openat2");
    line.after(traced.with("-o").with(&trace)).run()?;
    let mut opened = Opened::default();
    for line in BufReader::new(File::open(&trace)?).lines() {
        let line = line?;
        // openat(5</spool/deferred/A>, "A1B2C3", ...) = 7</spool/deferred/A/A1B2C3>
        let result = line.rsplit_once(" = ").map(|(_, result)| result);
        let path = result.and_then(|result| result.split_once('<')?.1.strip_suffix('>'));
        let Some(path) = path.map(Path::new).filter(|path| !path.is_dir()) else {
            continue;
        };
        let Ok(below) = path.strip_prefix(spool) else {
            continue;
        };
        let first = below.iter().next().and_then(|first| first.to_str());
        if first == Some("defer") {
            opened.logs += 1;
        } else if Queue::ALL.iter().any(|queue| first == Some(queue.name())) {
            opened.queue_files += 1;
        }
    }
    std::fs::remove_file(trace)?;
    Ok(opened)
}
