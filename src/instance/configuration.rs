//! One main.cf: reads it, and makes an instance of it.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DEFAULT_NAME, Instance, Settings};
use crate::cause::classify::Classifier;
use crate::cause::next_hop::{NextHops, PARAMETERS};
use crate::cause::user_table::UserTable;
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::postfix::main_cf::{MAX_BYTES, MainCf};
use crate::rights;
use crate::spelling::option;

/// Tables that send mail to other hosts past `relayhost` (transport(5), postconf(5)).
const OTHER_WAYS: [&str; 3] = [
    "transport_maps",
    "sender_dependent_relayhost_maps",
    "sender_dependent_default_transport_maps",
];

/// A parsed main.cf and its directory.
pub(super) struct Configuration {
    pub(super) directory: PathBuf,
    pub(super) main_cf: MainCf,
    /// The caller cannot read it: no text quotes its content.
    pub(super) private: bool,
}

impl Configuration {
    pub(super) fn read(directory: &Path) -> Result<Configuration> {
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
    pub(super) fn name(&self) -> Result<String> {
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
        // Their defaults are empty.
        let is_empty = |name: &str| match self.main_cf.get(name) {
            Some(_) => self.main_cf.text(name).is_ok_and(|value| value.is_empty()),
            None => true,
        };
        if !is_empty("relayhost") && OTHER_WAYS.iter().all(|name| is_empty(name)) {
            next_hops.no_other_way();
        }
        Classifier::new(next_hops, UserTable::default())
    }

    pub(super) fn instance(&self) -> Result<Instance> {
        self.instance_on(None)
    }

    pub(super) fn queue_directory(&self) -> Result<PathBuf> {
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
    pub(super) fn instance_on(&self, given: Option<&PathBuf>) -> Result<Instance> {
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
            expected: !relocated,
            classifier: Arc::new(self.classifier()),
            left_out: Arc::default(),
            warnings,
        })
    }
}

/// `error` about a main.cf, without what it quotes of a file that the caller cannot read.
pub(super) fn without_content(error: Error, private: bool) -> Error {
    match private {
        false => error,
        true => Error::new(error.kind(), "an error that only root may read")
            .with_remedy("run the same command as root"),
    }
}

/// Whether both paths lead to the same directory: a link can make two instances share a spool.
pub(super) fn same_directory(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let inode = |path: &Path| {
        let metadata = path.metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    };
    one == other || inode(one).is_some_and(|found| Some(found) == inode(other))
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
pub(super) fn open_unseen(path: &Path) -> io::Result<std::fs::File> {
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
