//! `queuewatch doctor`: what prevents a true figure, and the remedy.

use std::fmt::Write as _;
use std::process::ExitCode;

use queuewatch::doctor::{Line, Severity, examine};
use queuewatch::error::Result;
use queuewatch::options::Options;
use queuewatch::rights;

use crate::args::{self, Flag, Word};
use crate::confinement::{Confinement, Outcome};
use crate::{WHICH, of_library, print};

pub(crate) const HELP: &str = "\
Usage: queuewatch doctor [OPTIONS]

Says as which user it runs, what it may read, what is missing, and the smallest change that helps. It lists
damaged queue files, mail in corrupt, and files whose mode bits or ACLs Postfix reads as commands. It
reads everything and changes nothing. It exits with 1 if a line is marked WRONG. Run it as the user of the
check: sudo -u nagios queuewatch doctor
";

/// The exit code if something is wrong.
const WRONG: u8 = 1;

pub(crate) fn flags() -> Vec<Flag> {
    let mut flags = of_library(&["exclude"]);
    flags.extend(of_library(&WHICH));
    flags
}

pub(crate) fn run(words: Vec<Word>) -> Result<ExitCode> {
    let mut options = Options::default();
    for word in words {
        match word {
            Word::Flag(name, value) => options.set(name, &value)?,
            Word::Plain(word) => {
                let text = format!("{} is not an option of doctor", word.to_string_lossy());
                return Err(args::usage(&text));
            }
        }
    }
    let report = rights::raised(|| {
        examine(&options, |instances| {
            line(&Confinement::new().close(instances))
        })
    });
    rights::give_up();
    let report = report?;
    let mut text = String::new();
    for line in &report.lines {
        let mark = match line.severity {
            Severity::Good => "good ",
            Severity::Note => "note ",
            Severity::Wrong => "WRONG",
        };
        let _ = writeln!(text, "{mark}  {}", line.text);
        if let Some(remedy) = &line.remedy {
            let _ = writeln!(text, "         remedy: {remedy}");
        }
    }
    let _ = writeln!(
        text,
        "{}",
        match report.is_good() {
            true => "Nothing is in the way.",
            false => "See the lines marked WRONG.",
        }
    );
    print(&text)?;
    Ok(match report.is_good() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(WRONG),
    })
}

/// What confines this command, and the others as well.
fn line(outcome: &Outcome) -> Line {
    let (severity, remedy) = match outcome {
        Outcome::InForce { .. } => (Severity::Good, None),
        Outcome::Not { remedy, .. } => (Severity::Note, remedy.clone()),
    };
    Line {
        severity,
        text: outcome.to_string(),
        remedy,
    }
}
