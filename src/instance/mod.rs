//! Postfix instances: which exist, where their spools are, how they are configured, and whether
//! `master` and its [`QueueManager`] run.
//!
//! [`find()`] resolves a [`Selection`] to [`Instance`]s. It reads and expands main.cf in process, runs
//! no program and writes nothing. A broken instance is an error in its position and does not hide
//! others. It finds only instances listed in
//! `multi_instance_directories`. (Root can start Postfix with any directory; select such an instance by
//! [`Selection::ConfigDirectory`].)

mod configuration;
mod disclosure;
mod left_out;
mod master;
mod master_cf;
mod multi_instance;
mod permitted;
mod processes;
mod qmgr;
mod settings;
mod starts;
mod users;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cause::classify::Classifier;
use crate::error::Result;
use crate::rights;

use configuration::Configuration;
pub use disclosure::{check_listable, listable, refuse_content};
pub(crate) use left_out::{LeftOut, LeftOutCount};
pub(crate) use master::{Master, master};
use multi_instance::{all, enable_lone, named};
pub(crate) use permitted::check_places;
pub(crate) use processes::Process;
pub(crate) use qmgr::Missing;
pub use qmgr::QueueManager;
pub use settings::Settings;
pub(crate) use starts::Starts;
pub use users::keep_local_names;
pub(crate) use users::{local_group, local_user, local_user_group, numeric_field};

/// Postfix's compiled-in configuration directory (mail_params.h). FreeBSD's ports and NixOS use another
/// one: set `MAIL_CONFIG` or give the directory.
pub const DEFAULT_CONFIG_DIRECTORY: &str = "/etc/postfix";
/// The directories whose files say what the caller of a program with borrowed rights may name.
pub const PERMITTED_BY: [&str; 2] = [DEFAULT_CONFIG_DIRECTORY, "/etc/queuewatch"];
/// The name of an instance without `multi_instance_name`.
pub(crate) const DEFAULT_NAME: &str = "postfix";
/// The maximum number of instances in `multi_instance_directories`. Each costs one read of main.cf.
pub(crate) const MAX_INSTANCES: usize = 1_000;

/// One Postfix instance: a configuration directory, a spool, and the settings that influence figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// `multi_instance_name`, or `DEFAULT_NAME` when that is empty. Invalid UTF-8 is shown as `?`.
    pub name: String,
    /// The directory of its main.cf, absolute; `None` if only a spool was given.
    pub config_directory: Option<PathBuf>,
    /// Its spool, absolute: state files and commands to run name it.
    pub queue_directory: PathBuf,
    /// Whether the spool was named in place of the one in its main.cf, as that of a container is.
    pub(crate) relocated: bool,
    /// The settings of its main.cf, or Postfix's defaults.
    #[doc(hidden)]
    pub settings: Settings,
    /// Whether its daemons should run. False for an instance with `multi_instance_enable = no` that was
    /// found through `multi_instance_directories`, because `postfix start` skips it (postmulti(1)); and
    /// for a spool that the caller named and no main.cf, because it may be a copy.
    pub expected: bool,
    /// What judges its delay reasons: it knows the next hops of its main.cf.
    #[doc(hidden)]
    pub classifier: Arc<Classifier>,
    /// Known trouble that sums leave out.
    pub(crate) left_out: Arc<LeftOut>,
    /// Problems that do not prevent a scan, one sentence each.
    pub warnings: Vec<String>,
}

impl Instance {
    /// Whether the caller named the spool and no main.cf did, so that it may be a copy.
    pub fn may_be_a_copy(&self) -> bool {
        self.relocated || self.config_directory.is_none()
    }
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
            queue_directory: absolute(queue_directory),
            relocated: false,
            settings: Settings::default(),
            expected: false,
            classifier: Arc::default(),
            left_out: Arc::default(),
            warnings: Vec::new(),
        })]),
        Selection::QueueDirectory {
            queue_directory,
            config_directory: Some(directory),
        } => {
            let found = Configuration::read(directory)?;
            Ok(vec![found.instance_on(Some(&absolute(queue_directory)))])
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

/// `path` from the root, without a slash at its end. Returned unchanged if the working directory cannot be read.
fn absolute(path: &Path) -> PathBuf {
    match std::path::absolute(path) {
        Ok(path) => path.components().collect(),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
