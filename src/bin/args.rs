//! Parses command lines into options by name, for both programs.
//!
//! A program has one table of flags. Parsing and help come from that table.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::escape;
use queuewatch::measure::{Unit, quantity};
use queuewatch::options::Takes;

/// One flag of a program.
#[derive(Clone, Copy)]
pub(crate) struct Flag {
    /// The short form.
    pub(crate) short: Option<char>,
    /// The long form, without dashes.
    pub(crate) name: &'static str,
    /// The value that it takes.
    pub(crate) takes: Takes,
    /// The help text.
    pub(crate) help: &'static str,
}

/// One word or flag of a command line.
pub(crate) enum Word {
    /// A flag, by its long name, and its value.
    Flag(&'static str, Vec<u8>),
    /// A word that is not a flag.
    Plain(OsString),
}

/// Parses the whole command line (without the program's name) by `flags`.
pub(crate) fn parse(arguments: Vec<OsString>, flags: &[Flag]) -> Result<Vec<Word>> {
    use lexopt::Arg::{Long, Short, Value};
    use std::os::unix::ffi::OsStringExt;
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut words = Vec::new();
    while let Some(argument) = parser.next().map_err(|error| usage(&error.to_string()))? {
        let flag = match &argument {
            Long(name) => flags.iter().find(|flag| flag.name == *name),
            Short(short) => flags.iter().find(|flag| flag.short == Some(*short)),
            Value(word) => {
                words.push(Word::Plain(word.clone()));
                continue;
            }
        };
        let Some(flag) = flag else {
            let shown = match &argument {
                Long(name) => format!("--{name}"),
                Short(short) => format!("-{short}"),
                Value(word) => word.to_string_lossy().into_owned(),
            };
            return Err(usage(&format!("there is no option {shown}")));
        };
        let value = match flag.takes {
            Takes::Nothing => Vec::new(),
            Takes::One(what) | Takes::Many(what) => parser
                .value()
                .map_err(|_| usage(&format!("--{} needs a value: {what}", flag.name)))?
                .into_vec(),
        };
        words.push(Word::Flag(flag.name, value));
    }
    Ok(words)
}

/// Returns the path in the value of the flag `name`.
pub(crate) fn file(name: &str, value: Vec<u8>) -> Result<PathBuf> {
    use std::os::unix::ffi::OsStringExt;
    if value.is_empty() {
        return Err(usage(&format!("--{name} needs a value: FILE")));
    }
    Ok(PathBuf::from(OsString::from_vec(value)))
}

/// Returns the number above 0 in the value of the flag `name`.
#[allow(dead_code, reason = "the plugin has no such flag")]
pub(crate) fn positive<N: std::str::FromStr + Default + PartialOrd>(
    name: &str,
    value: &[u8],
) -> Result<N> {
    let number = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok());
    number
        .filter(|number| *number > N::default())
        .ok_or_else(|| usage(&format!("--{name} takes a number above 0")))
}

/// Returns the time in the value of the flag `name`, if `allowed` has its seconds.
pub(crate) fn time(name: &str, value: &[u8], allowed: RangeInclusive<f64>) -> Result<Duration> {
    let text = String::from_utf8_lossy(value);
    let seconds = quantity::parse(&text, Unit::Seconds).map_err(|(at, what)| {
        usage(&format!(
            "--{name} \"{text}\": character {}: {what}",
            at + 1
        ))
    })?;
    let (least, most) = (allowed.start(), allowed.end());
    let bounds = match most.is_finite() {
        true => format!("of {least} to {most} seconds"),
        false => format!("of at least {least} seconds"),
    };
    let time = Duration::try_from_secs_f64(seconds).ok();
    time.filter(|_| allowed.contains(&seconds)).ok_or_else(|| {
        usage(&format!(
            "--{name} takes a time {bounds}, such as 90, 5m or 1h"
        ))
    })
}

/// Other output has no such domains.
pub(crate) const METRICS_ALONE: &str =
    "--metrics-domain and --metrics-top are about OpenMetrics, which is not asked for";

/// Refuses options that would have no effect: the flag `name` `does` something, and the first of `others` that was
/// given does not go with it.
#[allow(dead_code, reason = "the plugin has no such flags")]
pub(crate) fn alone(name: &str, does: &str, others: &[(&str, bool)]) -> Result<()> {
    let Some((other, _)) = others.iter().find(|(_, given)| *given) else {
        return Ok(());
    };
    let text = format!("--{name} {does}, so it does not go with --{other}");
    Err(Error::new(ErrorKind::Syntax, text).with_remedy("leave one of them out"))
}

/// Makes the error for a mistake in the command line.
pub(crate) fn usage(message: &str) -> Error {
    Error::new(ErrorKind::Syntax, escape::shown(message.as_bytes(), 300)).with_remedy("see --help")
}

/// Returns the help lines of `flags`.
pub(crate) fn help(flags: &[Flag]) -> String {
    let mut text = String::new();
    for flag in flags {
        let short = match flag.short {
            Some(short) => format!("-{short}, "),
            None => "    ".to_owned(),
        };
        let value = match flag.takes {
            Takes::Nothing => String::new(),
            Takes::One(what) | Takes::Many(what) => format!(" {what}"),
        };
        let left = format!("  {short}--{}{value}", flag.name);
        let many = match flag.takes {
            Takes::Many(_) => " (may be repeated)",
            _ => "",
        };
        let _ = writeln!(text, "{left:<30} {}{many}", flag.help);
    }
    text
}
