//! Reads main.cf: from the file's bytes to parameters with Postfix's defaults and limits.
//!
//! It follows Postfix (readlline.c, split_nameval.c, dict.c, mac_expand.c; postfix.md, "main.cf"), and
//! `tests/real/main_cf_postconf.rs` compares it with the real postconf. It does no I/O: the caller reads the
//! file and names its directory. Two things are not visible here: overrides (`-o name=value`) in master.cf,
//! and values that depend on the build, the host or the process, such as `$mail_version`. Such a value is an
//! [`ErrorKind::Unsupported`] that names the parameter, never a guess.

mod expand;
mod parameter;
mod value;

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use parameter::Kind;

/// The largest main.cf that is read, in bytes. Real ones have some kilobytes.
pub(crate) const MAX_BYTES: usize = 4 << 20;
/// How many warnings of one file are kept. One more says that there were others.
pub const MAX_WARNINGS: usize = 20;
/// The longest expanded value, in bytes: generous for a path or a list, and a bound on what `a = $b$b`,
/// `b = $c$c` and so on can produce.
pub const MAX_EXPANDED: usize = 64 << 10;
/// The deepest nesting of names in names. Postfix has the same limit (mac_expand.c).
pub(crate) const MAX_NESTING: usize = 100;
/// How many bytes of values one expansion may read. Nesting can make a short file expensive.
pub(crate) const MAX_WORK: usize = 1 << 20;

/// How many bytes of a value or a line an error shows.
const SHOWN: usize = 64;

/// The parameters that one main.cf sets.
#[derive(Clone, Debug, Default)]
pub struct MainCf {
    set: HashMap<Vec<u8>, Setting>,
    config_directory: Option<Vec<u8>>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug)]
struct Setting {
    line: usize,
    value: Vec<u8>,
}

impl MainCf {
    /// Reads the text of a main.cf.
    ///
    /// A line without `=` or without a name is a [`ErrorKind::Syntax`] with its number and offset:
    /// every Postfix program refuses such a file. What Postfix only warns of is in
    /// [`MainCf::warnings`]. Lines end in LF or CR LF; bytes need not be UTF-8.
    pub fn parse(bytes: &[u8]) -> Result<MainCf> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::new(
                ErrorKind::Syntax,
                format!("larger than {MAX_BYTES} bytes: no main.cf"),
            ));
        }
        let mut main_cf = MainCf::default();
        let mut logical: Option<LogicalLine> = None;
        let mut offset = 0;
        for (index, physical) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let start = offset;
            offset += physical.len() + 1;
            // Blank and comment lines vanish without ending the logical line around them.
            if matches!(trim(physical).first(), None | Some(b'#')) {
                continue;
            }
            match &mut logical {
                Some(line) if physical.first().is_some_and(|b| value::is_space(*b)) => {
                    line.text.extend_from_slice(physical);
                }
                _ => {
                    if let Some(line) = logical.take() {
                        main_cf.add(line)?;
                    }
                    logical = Some(LogicalLine {
                        number: index + 1,
                        offset: start,
                        text: physical.to_vec(),
                    });
                }
            }
        }
        if let Some(line) = logical {
            main_cf.add(line)?;
        }
        Ok(main_cf)
    }

    /// Sets the directory that the file was read from: the value of `$config_directory` unless the file sets
    /// it (mail_conf.c). Without this call, `$config_directory` cannot be expanded.
    #[must_use]
    pub fn with_config_directory(mut self, directory: &Path) -> MainCf {
        self.config_directory = Some(directory.as_os_str().as_bytes().to_vec());
        self
    }

    /// Returns what Postfix warns of when it reads this file: at most [`MAX_WARNINGS`] and one.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns the value of `name` in the file, before expansion; `None` if the file does not set it.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.set.get(name.as_bytes()).map(|set| &*set.value)
    }

    /// Returns Postfix's default of `name`, before expansion; empty if it is not known here.
    pub(crate) fn default_of(name: &str) -> &'static str {
        parameter::find(name).map_or("", |found| found.default)
    }

    /// Returns the value of `name`, from the file or Postfix's default, fully expanded, as `postconf -hx` prints
    /// it but with its blanks unchanged. `None` if Postfix does not have the parameter and the file does not set
    /// it.
    ///
    /// [`ErrorKind::Unsupported`] names a parameter whose value depends on the build, the host or the process.
    /// [`ErrorKind::Syntax`] is what Postfix refuses, too (a loop, a lone `$`, a missing brace), and what
    /// exceeds [`MAX_EXPANDED`] or [`MAX_WORK`].
    pub fn expand(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let expanded = match self.lookup(name) {
            Ok(None) => return Ok(None),
            Ok(Some(raw)) => expand::expand(self, raw),
            Err(error) => Err(error),
        };
        expanded.map(Some).map_err(|error| error.within(name))
    }

    /// Returns the expanded value of `name` as text. Bytes that are not UTF-8 are an error.
    pub fn text(&self, name: &str) -> Result<String> {
        let value = self.value(name)?;
        String::from_utf8(value).map_err(|error| bad(name, "UTF-8 text", error.as_bytes()))
    }

    /// Returns the expanded value of `name` as a path, which may be empty or relative.
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        self.value(name)
            .map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
    }

    /// Returns the expanded value of `name` as a list. Postfix separates by commas and white space.
    pub fn list(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        let value = self.value(name)?;
        Ok(value
            .split(|byte| matches!(byte, b',' | b' ' | b'\t' | b'\r' | b'\n'))
            .filter(|item| !item.is_empty())
            .map(<[u8]>::to_vec)
            .collect())
    }

    /// Returns the time `name` in seconds. Units are `s m h d w`; a number without a unit has the unit of the
    /// parameter's default (mail_conf_time.c). A value beyond the limits at which Postfix's daemons refuse to
    /// start is an error.
    pub fn seconds(&self, name: &str) -> Result<i64> {
        let (default, min, max) = match parameter::find(name) {
            Some(found) => match found.kind {
                Kind::Time { min, max } => (found.default, min, max),
                _ => return Err(wrong_kind(name, "time")),
            },
            None => return Err(wrong_kind(name, "time")),
        };
        let unit = default.bytes().find(u8::is_ascii_alphabetic);
        let bytes = self.value(name)?;
        match value::seconds(&bytes, unit.unwrap_or(b's')) {
            Some(seconds) => within_limits(name, seconds, min, max, " seconds"),
            None => Err(bad(name, "a time such as 300s, 5m, 4h, 5d or 2w", &bytes)),
        }
    }

    /// Returns the number `name`, within the limits at which Postfix's daemons refuse to start.
    pub fn integer(&self, name: &str) -> Result<u64> {
        let Some(Kind::Integer { min, max }) = parameter::find(name).map(|found| found.kind) else {
            return Err(wrong_kind(name, "number"));
        };
        let bytes = self.value(name)?;
        let number = value::integer(&bytes).ok_or_else(|| bad(name, "a number", &bytes))?;
        let number = within_limits(name, number, min, max, "")?;
        u64::try_from(number).map_err(|_| bad(name, "a number that is not negative", &bytes))
    }

    /// Returns true if `name` is `yes`, in any case. Anything but `yes` and `no` is an error.
    pub fn boolean(&self, name: &str) -> Result<bool> {
        let bytes = self.value(name)?;
        value::boolean(&bytes).ok_or_else(|| bad(name, "yes or no", &bytes))
    }

    /// Returns the expanded value of a parameter that must have one.
    fn value(&self, name: &str) -> Result<Vec<u8>> {
        self.expand(name)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("main.cf does not set {name}, and Postfix has no such parameter"),
            )
        })
    }

    /// Returns the value of `name` before expansion, from the file or the defaults. `None` means that Postfix
    /// calls it undefined; an error means that it has a value that is not known here.
    fn lookup(&self, name: &str) -> Result<Option<&[u8]>> {
        if let Some(set) = self.set.get(name.as_bytes()) {
            return Ok(Some(&set.value));
        }
        if name == "config_directory" {
            if let Some(directory) = &self.config_directory {
                return Ok(Some(directory));
            }
        }
        match parameter::find(name) {
            Some(found) => Ok(Some(found.default.as_bytes())),
            None if parameter::is_built_in(name) => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "cannot expand ${name}: main.cf does not set it, and its default depends on \
                     how Postfix was built, on this host or on the process"
                ),
            )
            .with_remedy(format!("set {name} in main.cf, or do without it there"))),
            None => Ok(None),
        }
    }

    /// Reads one logical line: `name = value`. The first `=` splits; blanks around both are dropped.
    fn add(&mut self, line: LogicalLine) -> Result<()> {
        let LogicalLine {
            number,
            offset,
            mut text,
        } = line;
        if let Some(end) = memchr::memchr(0, &text) {
            text.truncate(end);
            self.warn(format!("line {number}: text after a null byte is ignored"));
        }
        let shown = escape::configured(&text, SHOWN);
        if text.first().is_some_and(|byte| value::is_space(*byte)) {
            self.warn(format!(
                "line {number}: \"{shown}\" continues no line and is ignored"
            ));
            return Ok(());
        }
        let refused = |expected: &str| {
            Err(Error::new(
                ErrorKind::Syntax,
                format!("line {number}: expected {expected}, found \"{shown}\""),
            )
            .with_offset(offset)
            .with_remedy("Postfix refuses the whole file for this: correct the line"))
        };
        let Some(equals) = memchr::memchr(b'=', &text) else {
            return refused("name = value");
        };
        let (name, rest) = text.split_at(equals);
        let name = trim(name);
        if name.is_empty() {
            return refused("a name before =");
        }
        if name.iter().any(|byte| value::is_space(*byte)) {
            return refused("one name before =");
        }
        let setting = Setting {
            line: number,
            value: trim(rest.get(1..).unwrap_or_default()).to_vec(),
        };
        let name = name.to_vec();
        let shown = escape::configured(&name, SHOWN);
        if let Some(old) = self.set.insert(name, setting.clone()) {
            // Postfix is silent, too, if the value does not change.
            if old.value != setting.value {
                self.warn(format!(
                    "line {number}: {shown} overrides its value of line {}",
                    old.line
                ));
            }
        }
        Ok(())
    }

    fn warn(&mut self, text: String) {
        match self.warnings.len() {
            0..MAX_WARNINGS => self.warnings.push(text),
            MAX_WARNINGS => self.warnings.push("further warnings are left out".into()),
            _ => {}
        }
    }
}

/// Returns the names of all parameters whose defaults are known here, sorted.
pub fn known_parameters() -> impl Iterator<Item = &'static str> {
    parameter::PARAMETERS.iter().map(|found| found.name)
}

struct LogicalLine {
    /// The number of its first physical line, from 1.
    number: usize,
    /// The offset of its first byte in the file, from 0.
    offset: usize,
    text: Vec<u8>,
}

/// Returns `bytes` without the white space around it. CR is white space, so CR LF files read alike.
fn trim(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        if !value::is_space(*first) {
            break;
        }
        rest = tail;
    }
    while let [head @ .., last] = rest {
        if !value::is_space(*last) {
            break;
        }
        rest = head;
    }
    rest
}

fn bad(name: &str, expected: &str, found: &[u8]) -> Error {
    let found = escape::configured(found, SHOWN);
    Error::new(
        ErrorKind::Syntax,
        format!("{name}: expected {expected}, found \"{found}\""),
    )
}

fn within_limits(name: &str, value: i64, min: i64, max: i64, unit: &str) -> Result<i64> {
    let (relation, limit) = if value < min {
        ("less", min)
    } else if value > max {
        ("more", max)
    } else {
        return Ok(value);
    };
    Err(Error::new(
        ErrorKind::Syntax,
        format!("{name}: {value}{unit} is {relation} than {limit}, which Postfix refuses"),
    ))
}

fn wrong_kind(name: &str, kind: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        format!("{name} is not known to be a {kind}"),
    )
}

#[cfg(test)]
mod tests;
