//! Postfix instances: which exist, where their spools are, how they are configured, and whether
//! [`master()`] and its [`QueueManager`] run.
//!
//! [`find()`] resolves a [`Selection`] to [`Instance`]s. It reads and expands main.cf in process, runs
//! no program and writes nothing. A broken instance is an error in its position and does not hide
//! others. It finds only instances listed in
//! `multi_instance_directories`. (Root can start Postfix with any directory; select such an instance by
//! [`Selection::ConfigDirectory`].)

mod left_out;
mod master;
mod master_cf;
mod permitted;
mod processes;
mod qmgr;
mod settings;
mod starts;
mod users;

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cause::classify::Classifier;
use crate::cause::next_hop::{NextHops, PARAMETERS};
use crate::cause::user_table::UserTable;
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::postfix::main_cf::{MAX_BYTES, MainCf};
use crate::rights;
use crate::spelling::option;

pub use left_out::LeftOut;
pub(crate) use left_out::LeftOutCount;
pub use master::Master;
pub use master::master;
pub use processes::Process;
pub use qmgr::{Missing, QueueManager};
pub use settings::Settings;
pub use starts::Starts;
pub use users::keep_local_names;
pub(crate) use users::{local_group, local_user, numeric_field};

/// Postfix's compiled-in configuration directory (mail_params.h). FreeBSD's ports and NixOS use another
/// one: set `MAIL_CONFIG` or give the directory.
pub(crate) const DEFAULT_CONFIG_DIRECTORY: &str = "/etc/postfix";
/// The directories whose files say what the caller of a program with borrowed rights may name.
pub const PERMITTED_BY: [&str; 2] = [DEFAULT_CONFIG_DIRECTORY, "/etc/queuewatch"];
/// The name of an instance without `multi_instance_name`.
pub(crate) const DEFAULT_NAME: &str = "postfix";
/// The maximum number of instances in `multi_instance_directories`. Each costs one read of main.cf.
pub const MAX_INSTANCES: usize = 1_000;

/// One Postfix instance: a configuration directory, a spool, and the settings that influence figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `multi_instance_name`, or `DEFAULT_NAME` when that is empty. Invalid UTF-8 is shown as `?`.
    pub name: String,
    /// The directory of its main.cf, absolute; `None` if only a spool was given.
    pub config_directory: Option<PathBuf>,
    /// Its spool; absolute unless the caller gave a relative path.
    pub queue_directory: PathBuf,
    /// Whether the spool was named in place of the one in its main.cf, as that of a container is.
    pub relocated: bool,
    /// The settings of its main.cf, or Postfix's defaults.
    pub settings: Settings,
    /// Whether its daemons should run. False for an instance with `multi_instance_enable = no` that was
    /// found through `multi_instance_directories`, because `postfix start` skips it (postmulti(1)).
    pub expected: bool,
    /// What judges its delay reasons: it knows the next hops of its main.cf.
    pub classifier: Arc<Classifier>,
    /// Known trouble that sums leave out.
    pub left_out: Arc<LeftOut>,
    /// Problems that do not prevent a scan, one sentence each.
    pub warnings: Vec<String>,
}

/// Which instances to use (contract.md, "Which spool").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The default instance: `MAIL_CONFIG`, else `DEFAULT_CONFIG_DIRECTORY`.
    Default,
    /// The instance with this configuration directory; relative to the working directory.
    ConfigDirectory(PathBuf),
    /// This spool. Its settings are those of the configuration directory. Without one, main.cf is not
    /// read and the settings are Postfix's defaults.
    QueueDirectory {
        /// The spool.
        queue_directory: PathBuf,
        /// The directory of the main.cf with the settings.
        config_directory: Option<PathBuf>,
    },
    /// The default instance or the one with this configuration directory, then those in its
    /// `multi_instance_directories`, in that order.
    All(Option<PathBuf>),
    /// The instances of [`Selection::All`] with one of these names.
    Named(Option<PathBuf>, Vec<String>),
}

/// Finds the instances of `selection`. `mail_config` is the value of the environment variable
/// `MAIL_CONFIG` (empty means unset).
///
/// The outer error means that no instance is left: the default instance's main.cf is unreadable or does
/// not parse, or no instance has the name. An inner error is one broken instance: its main.cf is
/// unreadable or does not parse, or its `queue_directory` cannot be expanded, is not absolute, or
/// belongs to another instance. Other bad values become [`Instance::warnings`].
///
/// With borrowed rights (see `rights`) a directory that the caller may not name is refused.
pub fn find(selection: &Selection, mail_config: Option<&OsStr>) -> Result<Vec<Result<Instance>>> {
    let default = || {
        let given = mail_config.filter(|directory| !directory.is_empty());
        PathBuf::from(given.unwrap_or(OsStr::new(DEFAULT_CONFIG_DIRECTORY)))
    };
    let first = |directory: &Option<PathBuf>| directory.clone().unwrap_or_else(default);
    if rights::are_borrowed() {
        permitted::check(selection, &default(), "MAIL_CONFIG")?;
    }
    match selection {
        Selection::QueueDirectory {
            queue_directory,
            config_directory: None,
        } => Ok(vec![Ok(Instance {
            name: DEFAULT_NAME.to_owned(),
            config_directory: None,
            queue_directory: queue_directory.clone(),
            relocated: false,
            settings: Settings::default(),
            expected: true,
            classifier: Arc::default(),
            left_out: Arc::default(),
            warnings: Vec::new(),
        })]),
        Selection::QueueDirectory {
            queue_directory,
            config_directory: Some(directory),
        } => {
            let found = Configuration::read(directory)?;
            Ok(vec![found.instance_on(Some(queue_directory))])
        }
        Selection::ConfigDirectory(directory) => {
            let found = Configuration::read(directory)?;
            Ok(vec![found.instance()])
        }
        Selection::Default => {
            let found = Configuration::read(&default())?;
            let mut instance = found.instance();
            enable_lone(&mut instance, &found);
            Ok(vec![instance])
        }
        Selection::All(directory) => {
            let all = all(&first(directory))?;
            Ok(all.into_iter().map(|(_, instance)| instance).collect())
        }
        Selection::Named(directory, names) => named(names, all(&first(directory))?),
    }
}

/// A parsed main.cf and its directory.
struct Configuration {
    directory: PathBuf,
    main_cf: MainCf,
    /// The caller cannot read it: no text quotes its content.
    private: bool,
}

impl Configuration {
    fn read(directory: &Path) -> Result<Configuration> {
        // `postconf -c .` sets $config_directory to a dot. An absolute path means the same and stays
        // valid when the working directory changes.
        let directory = std::path::absolute(directory)
            .map_err(|cause| Error::io("find the directory", directory, &cause))?;
        let path = directory.join("main.cf");
        let bytes = read_main_cf(&path)?;
        let private = rights::are_borrowed() && rights::as_caller(|| open_unseen(&path).is_err());
        let main_cf = MainCf::parse(&bytes)
            .map_err(|error| without_content(error, private))
            .map_err(|error| error.within(&escape::path(&path)).with_path(&path))?
            .with_config_directory(&directory);
        Ok(Configuration {
            directory,
            main_cf,
            private,
        })
    }

    /// `multi_instance_name`, or the default name. Fails if the name cannot be expanded.
    fn name(&self) -> Result<String> {
        let bytes = self.main_cf.path("multi_instance_name")?;
        let name = escape::printable(bytes.as_os_str().as_bytes(), escape::MAX_SHOWN);
        Ok(if name.is_empty() {
            DEFAULT_NAME.to_owned()
        } else {
            name
        })
    }

    /// What judges delay reasons. A parameter that cannot be expanded names no next hop.
    fn classifier(&self) -> Classifier {
        let mut next_hops = NextHops::default();
        for (name, _) in PARAMETERS {
            if let Ok(value) = self.main_cf.text(name) {
                next_hops.add(name, value.as_bytes());
            }
        }
        Classifier::new(next_hops, UserTable::default())
    }

    fn instance(&self) -> Result<Instance> {
        self.instance_on(None)
    }

    fn queue_directory(&self) -> Result<PathBuf> {
        let directory = self.main_cf.path("queue_directory")?;
        if directory.is_absolute() {
            return Ok(directory);
        }
        let shown = escape::path(&directory);
        Err(Error::new(
            ErrorKind::Syntax,
            format!("queue_directory: expected an absolute path, found \"{shown}\""),
        ))
    }

    /// The instance, with `given` as its spool instead of the one in its main.cf.
    fn instance_on(&self, given: Option<&PathBuf>) -> Result<Instance> {
        let path = self.directory.join("main.cf");
        let place = |error: Error| {
            without_content(error, self.private)
                .within(&escape::path(&path))
                .with_path(&path)
                .with_remedy(format!(
                    "correct main.cf, or name the spool itself ({})",
                    option("queue-directory")
                ))
        };
        let name = self.name().map_err(place)?;
        let (queue_directory, relocated) = match given {
            Some(given) => {
                let own = self.queue_directory();
                let own = own.is_ok_and(|own| same_directory(&own, given));
                (given.clone(), !own)
            }
            None => (self.queue_directory().map_err(place)?, false),
        };
        let mut warnings = self.main_cf.warnings().to_vec();
        let settings = Settings::from_main_cf(&self.main_cf, &mut warnings);
        if self.private && !warnings.is_empty() {
            warnings = vec!["root sees warnings about it that you may not read".to_owned()];
        }
        let shown = escape::path(&path);
        for warning in &mut warnings {
            warning.insert_str(0, &format!("{shown}: "));
        }
        Ok(Instance {
            name,
            config_directory: Some(self.directory.clone()),
            queue_directory,
            relocated,
            settings,
            expected: true,
            classifier: Arc::new(self.classifier()),
            left_out: Arc::default(),
            warnings,
        })
    }
}

/// `error` about a main.cf, without what it quotes of a file that the caller cannot read.
fn without_content(error: Error, private: bool) -> Error {
    match private {
        false => error,
        true => Error::new(error.kind(), "an error that only root may read")
            .with_remedy("run the same command as root"),
    }
}

/// postmulti considers a default instance without others enabled (postmulti.c).
fn enable_lone(instance: &mut Result<Instance>, found: &Configuration) {
    if let (Ok(instance), Ok(others)) = (instance, found.main_cf.list("multi_instance_directories"))
    {
        if others.is_empty() {
            instance.settings.multi_instance_enable = true;
        }
    }
}

/// An instance, with its name if at least that is known.
type Listed = (Option<String>, Result<Instance>);

fn all(default: &Path) -> Result<Vec<Listed>> {
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

/// Whether both paths lead to the same directory: a link can make two instances share a spool.
fn same_directory(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |path: &Path| {
        let metadata = path.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    one == other || inode(one).is_some_and(|found| Some(found) == inode(other))
}

fn named(names: &[String], list: Vec<Listed>) -> Result<Vec<Result<Instance>>> {
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

/// The bytes of a main.cf: a regular file (or a link to one), at most [`MAX_BYTES`] + 1 bytes.
fn read_main_cf(path: &Path) -> Result<Vec<u8>> {
    let refused = |action: &str, cause: &io::Error| {
        let error = Error::io(action, path, cause);
        match error.kind() {
            ErrorKind::NotFound => error.with_remedy(format!(
                "name the configuration directory ({}) or the spool ({})",
                option("config-directory"),
                option("queue-directory")
            )),
            _ => error,
        }
    };
    let file = open_unseen(path).map_err(|cause| refused("open", &cause))?;
    let metadata = file.metadata().map_err(|cause| refused("stat", &cause))?;
    if !metadata.is_file() {
        let shown = escape::path(path);
        return Err(
            Error::new(ErrorKind::Io, format!("{shown} is not a regular file")).with_path(path),
        );
    }
    let mut bytes = Vec::new();
    // One byte above the limit, so that the parser can detect an oversized file.
    let limit = u64::try_from(MAX_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|cause| refused("read", &cause))?;
    Ok(bytes)
}

/// Opens for reading. Leaves the access time unchanged if this is allowed (owner and root only), and
/// does not block on a named pipe.
fn open_unseen(path: &Path) -> io::Result<std::fs::File> {
    let open = |flags| {
        OpenOptions::new()
            .read(true)
            .custom_flags(flags | libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
    };
    match open(libc::O_NOATIME) {
        Err(cause) if cause.raw_os_error() == Some(libc::EPERM) => open(0),
        result => result,
    }
}

#[cfg(test)]
mod tests;
