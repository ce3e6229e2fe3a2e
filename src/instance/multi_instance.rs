//! The instances that a main.cf lists in `multi_instance_directories` (postmulti(1)): all of them, and those with a name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::configuration::{Configuration, same_directory, without_content};
use super::{Instance, MAX_INSTANCES};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;

/// postmulti considers a default instance without others enabled (postmulti.c).
pub(super) fn enable_lone(instance: &mut Result<Instance>, found: &Configuration) {
    if let (Ok(instance), Ok(others)) = (instance, found.main_cf.list("multi_instance_directories"))
    {
        if others.is_empty() {
            instance.settings.multi_instance_enable = true;
        }
    }
}

/// An instance, with its name if at least that is known.
pub(super) type Listed = (Option<String>, Result<Instance>);

/// The instance of the main.cf in `default` and those that it lists.
pub(super) fn all(default: &Path) -> Result<Vec<Listed>> {
    let found = Configuration::read(default)?;
    let mut first = found.instance();
    enable_lone(&mut first, &found);
    let mut list = vec![(found.name().ok(), first)];

    let path = found.directory.join("main.cf");
    let mut directories = match found.main_cf.list("multi_instance_directories") {
        Ok(directories) => directories,
        Err(error) => {
            let error = without_content(error, found.private);
            list.push((None, Err(error.within(&escape::path(&path)))));
            return Ok(list);
        }
    };
    if directories.len() > MAX_INSTANCES {
        directories.truncate(MAX_INSTANCES);
        list.push((
            None,
            Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{}: multi_instance_directories names more than {MAX_INSTANCES}; the rest is \
                     left out",
                    escape::path(&path)
                ),
            )),
        ));
    }
    for bytes in directories {
        let directory = Path::new(OsStr::from_bytes(&bytes));
        if !directory.is_absolute() {
            let shown = escape::path(directory);
            let error = Error::new(
                ErrorKind::Syntax,
                format!("multi_instance_directories: expected absolute paths, found \"{shown}\""),
            );
            let error = without_content(error, found.private);
            list.push((None, Err(error.within(&escape::path(&path)))));
            continue;
        }
        list.push(match Configuration::read(directory) {
            Ok(found) => (found.name().ok(), found.instance()),
            Err(error) => (None, Err(error)),
        });
    }
    for (_, instance) in &mut list {
        if let Ok(instance) = instance {
            instance.expected = instance.settings.multi_instance_enable;
        }
    }
    refuse_shared_spools(&mut list);
    Ok(list)
}

/// A spool that two instances claim is counted once, for the first; the second is an error.
fn refuse_shared_spools(list: &mut [Listed]) {
    for at in 1..list.len() {
        let (before, rest) = list.split_at_mut(at);
        let Some((_, later)) = rest.first_mut() else {
            return;
        };
        let Ok(instance) = later else { continue };
        let others = before.iter().filter_map(|(_, other)| other.as_ref().ok());
        let place = |instance: &Instance| {
            let directory = instance.config_directory.as_deref();
            escape::path(
                &directory
                    .unwrap_or(&instance.queue_directory)
                    .join("main.cf"),
            )
        };
        for other in others {
            if same_directory(&other.queue_directory, &instance.queue_directory) {
                *later = Err(Error::new(
                    ErrorKind::Syntax,
                    format!(
                        "{}: queue_directory {} is already that of {}",
                        place(instance),
                        escape::path(&instance.queue_directory),
                        place(other)
                    ),
                )
                .with_path(&instance.queue_directory)
                .with_remedy("give each instance its own queue_directory"));
                break;
            }
            if other.name == instance.name {
                let text = format!(
                    "{}: its name {} is also that of {}; set multi_instance_name",
                    place(instance),
                    instance.name,
                    place(other)
                );
                instance.warnings.push(text);
                // Rejects a duplicate name: its figures would be ambiguous.
                let directory = instance.config_directory.as_deref();
                instance.name = directory.map_or_else(|| "?".to_owned(), escape::path);
            }
        }
    }
}

/// Those of `list` with one of `names`.
///
/// # Errors
/// If there are no names, or no instance has one of them.
pub(super) fn named(names: &[String], list: Vec<Listed>) -> Result<Vec<Result<Instance>>> {
    if names.is_empty() {
        return Err(Error::new(
            ErrorKind::Invalid,
            "no instance is named: at least one is needed",
        ));
    }
    let has = |name: &String| list.iter().any(|(known, _)| known.as_ref() == Some(name));
    if let Some(unknown) = names.iter().find(|name| !has(name)) {
        let mut known: Vec<&str> = Vec::new();
        for name in list.iter().filter_map(|(name, _)| name.as_deref()) {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        let shown = escape::printable(unknown.as_bytes(), escape::MAX_SHOWN);
        let mut text = format!(
            "no instance is named {shown}: known are {}",
            known.join(", ")
        );
        // A broken instance without a known name may be the requested one.
        let broken = list.iter().find(|(name, _)| name.is_none());
        if let Some((_, Err(error))) = broken {
            text = format!("{text}; one more could not be read: {error}");
        }
        return Err(Error::new(ErrorKind::NotFound, text));
    }
    Ok(list
        .into_iter()
        .filter(|(known, _)| known.as_ref().is_some_and(|known| names.contains(known)))
        .map(|(_, instance)| instance)
        .collect())
}
