//! How the value of each option is read, and what is said of one that cannot be.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use super::Options;
use super::table::{OPTIONS, is_filter, turned_filter};
use crate::cause::user_table::{MAX_BYTES, UserTable};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::listing::pick::Grammar;
use crate::measure::{Measure, Unit, quantity, status_code};
use crate::postfix::queue::Queue;
use crate::rights;
use crate::rules::{Level, Rule};
use crate::snapshot::named_domains::{MAX_NAMED, MAX_TOP};
use crate::snapshot::{Earlier, Previous};
use crate::spelling::with_value;
use crate::sys;
use crate::threads::MAX_READERS;

impl Options {
    /// Sets the option `name`, the long name without dashes, to `value`. An option that takes nothing
    /// is switched on by an empty value, `yes`, `true` or `1` and off by `no`, `false` or `0`. A filter with
    /// `not-` before it is negated, whatever is set before and after.
    ///
    /// # Errors
    /// Of kind `NotFound` for an unknown name, `Syntax` for a value that does not parse.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<()> {
        match name {
            "config-directory" => self.config_directory = Some(directory(name, value)?),
            "queue-directory" => self.queue_directory = Some(directory(name, value)?),
            "all-instances" => self.all_instances = switch(name, value)?,
            "instance" => self.instances.push(text(name, value)?.to_owned()),
            "warning" => self.rule(Level::Warning, text(name, value)?)?,
            "critical" => self.rule(Level::Critical, text(name, value)?)?,
            "defaults" => self.keep_defaults = switch(name, value)?,
            "exclude" => {
                let queue = text(name, value)?;
                let queue = Queue::from_name(queue).ok_or_else(|| {
                    bad(
                        name,
                        value,
                        "no such queue; one of active, deferred, incoming, hold, maildrop, corrupt",
                    )
                })?;
                self.excluded = self.excluded.with(queue);
            }
            "exclude-domain" if !value.is_empty() => self.left_out.add_domain(value),
            "exclude-sender" if !value.is_empty() => self.left_out.add_sender(value),
            "exclude-domain" => return Err(bad(name, value, "name a destination domain")),
            "exclude-sender" => {
                return Err(bad(name, value, "name a sender address or domain, or <>"));
            }
            "causes" => self.causes = Some(causes(name, value)?),
            "counts" => self.counts = switch(name, value)?,
            "measure" => {
                let measure = Measure::parse(text(name, value)?)?;
                self.measures.push(measure);
            }
            "timeout" => self.timeout = Some(seconds(name, value, 0.0)?),
            "now" => self.now = Some(second(name, value)?),
            "previous" => {
                self.previous = match value {
                    b"" => Previous::None,
                    document => Previous::At(Earlier::parse(document)?),
                };
            }
            "readers" => {
                let readers = text(name, value)?.parse().ok();
                let readers = readers.filter(|readers| (1..=MAX_READERS).contains(readers));
                let what = "must be a number from 1 to 16";
                self.readers = Some(readers.ok_or_else(|| bad(name, value, what))?);
            }
            "gentle" => self.gentle = switch(name, value)?,
            "poll" => self.poll = Some(seconds(name, value, 1.0)?),
            "metrics-domain" => {
                let domain = text(name, value)?;
                if domain.trim_end_matches('.').is_empty() {
                    return Err(bad(name, value, "must be the name of a domain"));
                }
                if !self.named_domains.name(domain) {
                    let what = format!("there are {MAX_NAMED} domains already");
                    return Err(bad(name, value, &what));
                }
            }
            "metrics-top" => {
                let most = text(name, value)?.parse().ok();
                let most = most.filter(|most| *most <= MAX_TOP);
                let what = format!("must be a number from 0 to {MAX_TOP}");
                self.named_domains
                    .name_top(most.ok_or_else(|| bad(name, value, &what))?);
            }
            "bucket-count" => {
                let count = positive(name, value)?;
                self.buckets
                    .set_count(count)
                    .map_err(|error| bad(name, value, &error.to_string()))?;
            }
            "bucket-time" => self.buckets.set_tick(positive(name, value)?),
            "linear" => self.buckets.set_linear(switch(name, value)?),
            "not" => {
                if switch(name, value)? {
                    self.pick.not()?;
                }
            }
            _ if is_filter(name) => self.pick.set(name, value, &GRAMMAR)?,
            _ => {
                if let Some(filter) = turned_filter(name) {
                    return self.pick.set_not(filter, value, &GRAMMAR);
                }
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("there is no option {}", escape::shown(name.as_bytes(), 64)),
                )
                .with_remedy(format!(
                    "options are {}",
                    OPTIONS.map(|row| row.name).join(", ")
                )));
            }
        }
        Ok(())
    }

    fn rule(&mut self, level: Level, text: &str) -> Result<()> {
        self.rules.push(Rule::parse(level, text)?);
        Ok(())
    }
}

/// How values of filters are read.
const GRAMMAR: Grammar = Grammar {
    age: |text| quantity_of(text, Unit::Seconds).map(|age| age as i64),
    size: |text| quantity_of(text, Unit::Bytes).map(|size| size as u64),
    code: status_code,
};

/// A quantity that is not negative.
fn quantity_of(text: &str, unit: Unit) -> std::result::Result<f64, String> {
    match quantity::parse(text, unit) {
        Ok(number) if number >= 0.0 => Ok(number),
        Ok(_) => Err("the number must be 0 or more".to_owned()),
        Err((at, what)) => Err(format!("character {}: {what}", at + 1)),
    }
}

fn bad(name: &str, value: &[u8], what: &str) -> Error {
    Error::new(
        ErrorKind::Syntax,
        format!("{}: {what}", with_value(name, &escape::shown(value, 64))),
    )
}

fn text<'v>(name: &str, value: &'v [u8]) -> Result<&'v str> {
    std::str::from_utf8(value).map_err(|_| bad(name, value, "the text is not valid UTF-8"))
}

fn directory(name: &str, value: &[u8]) -> Result<PathBuf> {
    if value.is_empty() || value.contains(&0) {
        return Err(bad(name, value, "must be the path of a directory"));
    }
    Ok(PathBuf::from(OsStr::from_bytes(value)))
}

/// The user's table of causes in the file that `value` names.
fn causes(name: &str, value: &[u8]) -> Result<UserTable> {
    let path = directory(name, value).map_err(|_| bad(name, value, "name a file"))?;
    let place = |error: Error| error.within(&escape::path(&path)).with_path(&path);
    let opened = rights::as_caller(|| sys::open_regular(&path, true));
    let opened = opened.map_err(|cause| {
        let error = Error::io("open", &path, &cause);
        match cause.kind() {
            io::ErrorKind::PermissionDenied => {
                error.with_remedy("let the user who runs this read the file")
            }
            _ => error,
        }
    })?;
    let file = opened.ok_or_else(|| bad(name, value, "must be a regular file"))?;
    let mut bytes = Vec::new();
    // One byte more than the parser takes, so that it can tell.
    let limit = MAX_BYTES as u64 + 1;
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|cause| Error::io("read", &path, &cause))?;
    UserTable::parse(&bytes).map_err(place)
}

fn switch(name: &str, value: &[u8]) -> Result<bool> {
    match value {
        b"" | b"yes" | b"true" | b"1" => Ok(true),
        b"no" | b"false" | b"0" => Ok(false),
        _ => Err(bad(name, value, "must be yes or no")),
    }
}

/// A second of the epoch. A fraction, as most languages' clocks have, is left out.
fn second(name: &str, value: &[u8]) -> Result<i64> {
    let text = text(name, value)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let second = whole.parse().ok().filter(|_| digits);
    second.ok_or_else(|| bad(name, value, "must be a second of the epoch"))
}

fn positive(name: &str, value: &[u8]) -> Result<f64> {
    let number = text(name, value)?.trim().parse::<f64>().ok();
    number
        .filter(|number| number.is_finite() && *number > 0.0)
        .ok_or_else(|| bad(name, value, "must be a number above 0"))
}

/// A time of at least `least` seconds, above 0 and at most a day: no check takes longer.
fn seconds(name: &str, value: &[u8], least: f64) -> Result<Duration> {
    let seconds = quantity::parse(text(name, value)?, Unit::Seconds)
        .map_err(|(_, what)| bad(name, value, &what))?;
    if !(least..=86_400.0).contains(&seconds) || seconds == 0.0 {
        let what = match least {
            0.0 => "expected more than 0 and at most 86400 seconds".to_owned(),
            least => format!("expected {least} to 86400 seconds"),
        };
        return Err(bad(name, value, &what));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_of_the_table_can_be_set() {
        let causes = tempfile::NamedTempFile::new().unwrap();
        for row in &OPTIONS {
            let value = match row.name {
                "warning" | "critical" => "10",
                "exclude" => "hold",
                "measure" => "deferred.messages",
                "timeout" | "now" | "readers" | "poll" | "bucket-count" | "bucket-time"
                | "metrics-top" => "5",
                "causes" => causes.path().to_str().unwrap(),
                "all-instances" | "counts" | "defaults" | "gentle" | "linear" | "previous"
                | "not" => "",
                "reason" => "4.7",
                "cause" => "ours",
                "client" => "192.0.2.0/24",
                "older" | "younger" | "expiring" => "4h",
                "larger" => "1M",
                _ => "/somewhere",
            };
            Options::default()
                .set(row.name, value.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}", row.name));
        }
    }

    #[test]
    fn a_table_of_causes_is_a_regular_file_or_a_link_to_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("file"), "busy 4.7.1 slow down\n").unwrap();
        std::os::unix::fs::symlink("file", place("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, place("fifo"), 0o600.into()).unwrap();
        let set =
            |path: &std::path::Path| Options::default().set("causes", path.as_os_str().as_bytes());
        assert!(set(&place("file")).is_ok() && set(&place("link")).is_ok());
        // Opening a FIFO to read waits for a writer, for ever.
        for odd in [
            &place("fifo"),
            folder.path(),
            std::path::Path::new("/dev/zero"),
        ] {
            let error = set(odd).expect_err("it is refused").to_string();
            assert!(error.ends_with("must be a regular file"), "{error}");
        }
    }

    #[test]
    fn a_filter_is_negated_by_name_or_by_the_option_before_it() {
        let set = |words: &[(&str, &str)]| {
            let mut options = Options::default();
            for (name, value) in words {
                options.set(name, value.as_bytes()).unwrap();
            }
            options.pick
        };
        let by_order = set(&[("not", ""), ("sender", "a@b"), ("domain", "c")]);
        assert_eq!(set(&[("not-sender", "a@b"), ("domain", "c")]), by_order);
        assert!(by_order.checked().is_ok());

        let mut options = Options::default();
        let error = options.set("not-older", b"soon").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Syntax);
        let said = error.to_string();
        assert!(said.starts_with("\"not-older\" \"soon\": "), "{said}");
        assert_eq!(options.pick, set(&[]), "nothing has changed");
        for name in ["not-not", "not-counts", "not-", "notsender"] {
            let error = options.set(name, b"x").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{name}");
        }
        options.set("not", b"").unwrap();
        assert!(
            options.set("not-sender", b"x").is_err(),
            "it is negated twice"
        );
    }

    #[test]
    fn the_present_second_may_have_a_fraction() {
        for (value, second) in [
            ("1795461304", Some(1_795_461_304)),
            ("1795461304.999", Some(1_795_461_304)),
            ("-5", Some(-5)),
            ("1795461304.", None),
            (".5", None),
            ("1.5e9", None),
            ("1.-5", None),
        ] {
            let mut options = Options::default();
            let outcome = options.set("now", value.as_bytes());
            assert_eq!(outcome.is_ok(), second.is_some(), "{value}");
            assert_eq!(options.now, second, "{value}");
        }
    }

    #[test]
    fn a_bad_value_names_option_value_and_the_valid_ones() {
        for (name, value, message) in [
            (
                "exclude",
                "held",
                "\"exclude\" \"held\": no such queue; one of active, deferred, incoming, hold, maildrop, corrupt",
            ),
            (
                "timeout",
                "0",
                "\"timeout\" \"0\": expected more than 0 and at most 86400 seconds",
            ),
            (
                "poll",
                "0.5",
                "\"poll\" \"0.5\": expected 1 to 86400 seconds",
            ),
            (
                "timeout",
                "x",
                "\"timeout\" \"x\": expected a number, not \"x\"",
            ),
            (
                "now",
                "today",
                "\"now\" \"today\": must be a second of the epoch",
            ),
            (
                "readers",
                "17",
                "\"readers\" \"17\": must be a number from 1 to 16",
            ),
            ("counts", "maybe", "\"counts\" \"maybe\": must be yes or no"),
            (
                "queue-directory",
                "",
                "\"queue-directory\" \"\": must be the path of a directory",
            ),
            (
                "warning",
                "x=",
                "\"warning\" \"x=\": measure \"x\": character 1: a measure is QUEUE.NAME, for example deferred.messages",
            ),
        ] {
            let error = Options::default()
                .set(name, value.as_bytes())
                .expect_err(name);
            assert_eq!(error.to_string(), message);
        }
        let error = Options::default().set("colour", b"").expect_err("unknown");
        assert!(
            error
                .to_string()
                .starts_with("there is no option colour; options are config-directory, ")
        );
    }
}
