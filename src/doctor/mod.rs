//! Examines what keeps this process from a true figure: who it is, what it may read, what is wrong with the
//! spools, and the smallest remedy.
//!
//! It changes nothing. A [`Report`] is a list of lines: first the rights, then each instance. The program
//! decides how they look.

mod rights;
mod spool;

use crate::error::{Error, Result};
use crate::instance::Instance;
use crate::options::Options;
use rights::Rights;

/// How serious a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Good,
    /// A note.
    Note,
    /// It prevents a true figure, or stops mail.
    Wrong,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its severity.
    pub severity: Severity,
    /// The result: one line, safe to print.
    pub text: String,
    /// The remedy, if one is necessary and known.
    pub remedy: Option<String>,
}

/// All results.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The lines, in order.
    pub lines: Vec<Line>,
}

impl Report {
    fn good(&mut self, text: impl Into<String>) {
        self.add(Severity::Good, text.into(), None);
    }

    fn note(&mut self, text: impl Into<String>) {
        self.add(Severity::Note, text.into(), None);
    }

    fn wrong(&mut self, text: impl Into<String>, remedy: Option<String>) {
        self.add(Severity::Wrong, text.into(), remedy);
    }

    fn add(&mut self, severity: Severity, text: String, remedy: Option<String>) {
        self.lines.push(Line {
            severity,
            text,
            remedy,
        });
    }

    /// Adds an error. If only some users lack the right to read, the remedy comes from `rights`.
    fn error(&mut self, error: &Error, rights: &Rights) {
        let remedy = rights.remedy_for(error);
        self.wrong(error.statement(), remedy);
    }

    /// Returns true if nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.lines
            .iter()
            .all(|line| line.severity != Severity::Wrong)
    }
}

/// Examines this process and the instances of `options`. `confine` confines the program to the instances, after its
/// rights are read and before a spool is, and says what is in force.
///
/// # Errors
/// If the options contradict each other. What cannot be read is in the report.
pub fn examine(
    options: &Options,
    confine: impl FnOnce(&[Result<Instance>]) -> Line,
) -> Result<Report> {
    let mut report = Report::default();
    let rights = Rights::of_this_process();
    rights.tell(&mut report);
    let instances = match options.instances() {
        Ok(instances) => instances,
        Err(error) if error.kind() == crate::error::ErrorKind::Invalid => return Err(error),
        Err(error) => vec![Err(error)],
    };
    report.lines.push(confine(&instances));
    for instance in instances {
        match instance {
            Ok(instance) => spool::examine(&instance, options, &rights, &mut report),
            Err(error) => report.error(&error, &rights),
        }
    }
    Ok(report)
}
