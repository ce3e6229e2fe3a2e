//! What stands between this process and a true figure: who it is, what it may read, what is wrong with
//! the spools, and the least that mends it.
//!
//! It looks and changes nothing. A [`Report`] is lines in the order of the way to a figure: rights, then
//! each instance; how they look is the program's affair.

mod rights;
mod spool;

use crate::error::{Error, Result};
use crate::options::Options;
use rights::Rights;

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// As it should be.
    Good,
    /// To be known.
    Note,
    /// In the way of a true figure, or of the mail.
    Wrong,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it is meant.
    pub weight: Weight,
    /// What was found: one line, harmless to print.
    pub text: String,
    /// What mends it, if it needs mending and we know.
    pub remedy: Option<String>,
}

/// All that was looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// In order.
    pub lines: Vec<Line>,
}

impl Report {
    fn good(&mut self, text: impl Into<String>) {
        self.add(Weight::Good, text.into(), None);
    }

    fn note(&mut self, text: impl Into<String>) {
        self.add(Weight::Note, text.into(), None);
    }

    fn wrong(&mut self, text: impl Into<String>, remedy: Option<String>) {
        self.add(Weight::Wrong, text.into(), remedy);
    }

    fn add(&mut self, weight: Weight, text: String, remedy: Option<String>) {
        self.lines.push(Line {
            weight,
            text,
            remedy,
        });
    }

    /// An error; what keeps only some users from reading gets `rights` as its remedy.
    fn error(&mut self, error: &Error, rights: &Rights) {
        let remedy = rights.remedy_for(error);
        self.wrong(error.statement(), remedy);
    }

    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.lines.iter().all(|line| line.weight != Weight::Wrong)
    }
}

/// Examines this process and the instances of `options`.
///
/// # Errors
/// If the options contradict each other. What cannot be read is in the report.
pub fn examine(options: &Options) -> Result<Report> {
    let mut report = Report::default();
    let rights = Rights::of_this_process();
    rights.tell(&mut report);
    let instances = match options.instances() {
        Ok(instances) => instances,
        Err(error) if error.kind() == crate::error::ErrorKind::Invalid => return Err(error),
        Err(error) => vec![Err(error)],
    };
    for instance in instances {
        match instance {
            Ok(instance) => spool::examine(&instance, options, &rights, &mut report),
            Err(error) => report.error(&error, &rights),
        }
    }
    Ok(report)
}
