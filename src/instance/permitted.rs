//! Which directories a caller may name who borrows the program's rights (see `rights`).
//!
//! The rule is that of Postfix's set-gid programs (mail_conf.c, `mail_conf_checkdir`): the default
//! configuration directory, and those that its main.cf names in `alternate_config_directories` and
//! `multi_instance_directories`. An administrator permits others, and spools, in [`LIST`].

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::configuration::{Configuration, open_unseen};
use super::{DEFAULT_CONFIG_DIRECTORY, Selection};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::rights;
use crate::spelling::option;

/// The administrator's list: an absolute path on each line; `#` begins a comment.
pub(super) const LIST: &str = "/etc/queuewatch/directories";
/// The largest list that is read, in bytes.
const MAX_LIST_BYTES: usize = 64 * 1024;

/// Refuses `selection` if it names a directory that the caller may not name. `default` is the
/// configuration directory that holds when none is named, and `named_by` what has named it.
pub(super) fn check(selection: &Selection, default: &Path, named_by: &str) -> Result<()> {
    let config_option = option("config-directory");
    let configured = |given: &Option<PathBuf>| match given {
        Some(directory) => config(directory, &config_option),
        None => config(default, named_by),
    };
    match selection {
        Selection::Default => config(default, named_by),
        Selection::ConfigDirectory(directory) => config(directory, &config_option),
        Selection::All(given) | Selection::Named(given, _) => configured(given),
        Selection::QueueDirectory {
            queue_directory,
            config_directory,
        } => {
            if let Some(directory) = config_directory {
                config(directory, &config_option)?;
            }
            spool(queue_directory, config_directory.as_deref())
        }
    }
}

fn config(directory: &Path, named_by: &str) -> Result<()> {
    if directory == Path::new(DEFAULT_CONFIG_DIRECTORY)
        || plain(directory) && (named_by_postfix(directory) || listed(directory)?)
    {
        return Ok(());
    }
    Err(refusal(directory, named_by))
}

/// A spool is permitted if it is in the list, or if it is that of a permitted main.cf.
fn spool(directory: &Path, config_directory: Option<&Path>) -> Result<()> {
    let own = own_spool(config_directory);
    if plain(directory) && (own.as_deref() == Some(directory) || listed(directory)?) {
        return Ok(());
    }
    Err(refusal(directory, &option("queue-directory")))
}

/// The spool of the main.cf in `config_directory`, which is permitted.
fn own_spool(config_directory: Option<&Path>) -> Option<PathBuf> {
    let main_cf = config_directory.unwrap_or(Path::new(DEFAULT_CONFIG_DIRECTORY));
    Configuration::read(main_cf).ok()?.queue_directory().ok()
}

/// Refuses `places`, directories that the caller names beside an instance, unless each is a permitted spool or
/// below one. A relative one is below the spool of its instance. Without borrowed rights, any is permitted.
pub(crate) fn check_places<'p>(
    places: impl IntoIterator<Item = &'p Path>,
    config_directory: Option<&Path>,
) -> Result<()> {
    if !rights::are_borrowed() {
        return Ok(());
    }
    if let Some(directory) = config_directory {
        config(directory, &option("config-directory"))?;
    }
    let own = own_spool(config_directory);
    let permitted = |place: &Path| -> Result<bool> {
        if climbs(place) || !place.is_absolute() {
            return Ok(!climbs(place));
        }
        for directory in place.ancestors() {
            if own.as_deref() == Some(directory) || listed(directory)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    for place in places {
        if !permitted(place)? {
            return Err(refusal(place, "the command line"));
        }
    }
    Ok(())
}

/// Absolute and without `..`, which would lead elsewhere than the comparison sees.
fn plain(directory: &Path) -> bool {
    directory.is_absolute() && !climbs(directory)
}

/// Whether `path` has `..`.
fn climbs(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

fn named_by_postfix(directory: &Path) -> bool {
    let Ok(found) = Configuration::read(Path::new(DEFAULT_CONFIG_DIRECTORY)) else {
        return false;
    };
    ["alternate_config_directories", "multi_instance_directories"]
        .iter()
        .filter_map(|parameter| found.main_cf.list(parameter).ok())
        .flatten()
        .any(|named| Path::new(OsStr::from_bytes(&named)) == directory)
}

/// Whether the administrator's list has `directory`.
///
/// # Errors
/// If there is a list that others than root could have written.
fn listed(directory: &Path) -> Result<bool> {
    let list = Path::new(LIST);
    let Ok(file) = open_unseen(list) else {
        return Ok(false);
    };
    let unsafe_list = || {
        Error::new(
            ErrorKind::Denied,
            format!("{LIST} is not used: it and its directory must belong to root and be writable by nobody else"),
        )
        .with_path(list)
        .with_remedy("chown root, chmod go-w")
    };
    let ours = |metadata: &std::fs::Metadata| metadata.uid() == 0 && metadata.mode() & 0o022 == 0;
    let parent = list
        .parent()
        .and_then(|parent| parent.symlink_metadata().ok());
    let metadata = file.metadata().map_err(|_| unsafe_list())?;
    if !metadata.is_file()
        || !ours(&metadata)
        || !parent.is_some_and(|parent| parent.is_dir() && ours(&parent))
    {
        return Err(unsafe_list());
    }
    let mut text = Vec::new();
    let limit = MAX_LIST_BYTES as u64 + 1;
    if file.take(limit).read_to_end(&mut text).is_err() {
        return Ok(false);
    }
    // Half of a list is none: its last line might be cut.
    if text.len() > MAX_LIST_BYTES {
        return Err(Error::new(
            ErrorKind::Denied,
            format!("{LIST} is not used: it has more than {MAX_LIST_BYTES} bytes"),
        )
        .with_path(list)
        .with_remedy("leave out comments and directories that are gone"));
    }
    Ok(has_line(&text, directory))
}

fn has_line(text: &[u8], directory: &Path) -> bool {
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| line.starts_with(b"/"))
        .any(|line| Path::new(OsStr::from_bytes(line)) == directory)
}

fn refusal(directory: &Path, named_by: &str) -> Error {
    Error::new(
        ErrorKind::Denied,
        format!(
            "{named_by} names {}: with rights that you do not have this program reads only {DEFAULT_CONFIG_DIRECTORY} \
             and what its main.cf names",
            escape::path(directory)
        ),
    )
    .with_remedy(format!(
        "add it to alternate_config_directories in {DEFAULT_CONFIG_DIRECTORY}/main.cf, or as a line to {LIST}; \
         root needs neither"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_absolute_paths() {
        let text = b"# spools\n/var/spool/postfix-out/ \nrelative\n\n/srv/mail\n";
        let table = [
            ("/var/spool/postfix-out", true),
            ("/srv/mail/", true),
            ("/srv", false),
            ("relative", false),
            ("/srv/mail/..", false),
            ("", false),
        ];
        for (directory, expected) in table {
            assert_eq!(
                has_line(text, Path::new(directory)),
                expected,
                "{directory}"
            );
        }
    }

    #[test]
    fn a_path_with_dots_is_not_plain() {
        assert!(plain(Path::new("/etc/postfix")));
        assert!(!plain(Path::new("/etc/postfix/../shadow")));
        assert!(!plain(Path::new("etc/postfix")));
    }
}
