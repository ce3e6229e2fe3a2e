//! The library's own files, state files and reports: checked reads and atomic replacement.
//!
//! A reader sees the complete old file or the complete new one. A link at the end of a path is not
//! followed, and nothing is written in a spool or a configuration directory.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::files::safe_path;
use crate::rights;
use crate::sys;

/// Reads the regular file at `path` with the rights of the caller; `None` if it does not exist. Reads at most `limit` + 1 bytes, so
/// that the caller can detect a longer file.
///
/// # Errors
/// If it is not a regular file (a link is rejected), or cannot be read.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>> {
    rights::as_caller(|| read_with_present_rights(path, limit))
}

fn read_with_present_rights(path: &Path, limit: usize) -> Result<Option<Vec<u8>>> {
    let file = match sys::open_regular(path, false) {
        Ok(Some(file)) => file,
        Ok(None) => return Err(no_file(path)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) if cause.raw_os_error() == Some(libc::ELOOP) => return Err(no_file(path)),
        Err(cause) => return Err(failed("open", path, &cause)),
    };
    let mut bytes = Vec::new();
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|cause| failed("read", path, &cause))?;
    Ok(Some(bytes))
}

/// Replaces the file at `path` by `bytes`, with the rights of the caller: writes a new file in the same directory and renames it. The
/// old owner (if we may set it) and the old mode are kept; a file that did not exist gets `mode`.
///
/// The file is not flushed to the disk: on a disk in trouble that can take a minute. After a crash of
/// the host the file is the old one, the new one, or empty; its readers accept all three.
///
/// # Errors
/// If the path is not a regular file, lies in a spool or a configuration directory, or the system
/// refuses.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    rights::as_caller(|| replace_with_present_rights(path, bytes, mode))
}

fn replace_with_present_rights(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let (Some(name), Some(directory)) = (path.file_name(), path.parent()) else {
        return Err(no_file(path));
    };
    let directory = match directory {
        here if here.as_os_str().is_empty() => Path::new("."),
        directory => directory,
    };
    refuse_near_mail(directory, path)?;
    let old = match path.symlink_metadata() {
        Ok(old) if old.is_file() => Some(old),
        Ok(_) => return Err(no_file(path)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
        Err(cause) => return Err(failed("stat", path, &cause)),
    };
    let mut beside = b".".to_vec();
    beside.extend_from_slice(name.as_bytes());
    // The process ID keeps two concurrent writers apart.
    beside.extend_from_slice(format!(".{}.new", std::process::id()).as_bytes());
    let beside = directory.join(std::ffi::OsStr::from_bytes(&beside));
    let written = fill(&beside, bytes, mode, old.as_ref())
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|cause| failed("write", path, &cause));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(path: &Path, bytes: &[u8], mode: u32, old: Option<&fs::Metadata>) -> io::Result<()> {
    let create = |path: &Path| {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
    };
    let mut file: File = match create(path) {
        // Left behind by a killed process with the same ID.
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create(path)?
        }
        created => created?,
    };
    if let Some(old) = old {
        // An administrator who runs a check as root must not take the file away from its user.
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
            let _ = std::os::unix::fs::fchown(&file, Some(old.uid()), Some(old.gid()));
        }
        file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
    }
    file.write_all(bytes)
}

/// Rejects a `directory` in which Postfix keeps mail or its configuration.
fn refuse_near_mail(directory: &Path, path: &Path) -> Result<()> {
    let place = safe_path::resolve(directory)?;
    let refused = |what: &str, found: PathBuf| {
        Error::new(
            ErrorKind::Invalid,
            format!(
                "{} is inside the {what} {}",
                escape::path(path),
                escape::path(&found)
            ),
        )
        .with_path(path)
        .with_remedy("give a file outside of Postfix's directories, such as below /var/lib")
    };
    if let Some(spool) = safe_path::queue_directory_of(&place) {
        return Err(refused("Postfix spool", spool));
    }
    match safe_path::config_directory_of(&place.join("file")) {
        Some(directory) => Err(refused("configuration directory", directory)),
        None => Ok(()),
    }
}

fn no_file(path: &Path) -> Error {
    let shown = escape::path(path);
    Error::new(
        ErrorKind::Invalid,
        format!("{shown} is not a regular file; links are not followed"),
    )
    .with_path(path)
}

/// A system error outside a spool, where the remedies for queue files do not apply.
fn failed(action: &str, path: &Path, cause: &io::Error) -> Error {
    let error = Error::io(action, path, cause);
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            error.with_remedy("give a file in a directory that this user may write to")
        }
        io::ErrorKind::NotFound => error.with_remedy("make its directory first"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_its_mode() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state");
        assert_eq!(read(&path, 10).unwrap(), None);
        replace(&path, b"one", 0o600).unwrap();
        assert_eq!(read(&path, 10).unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let inode = path.metadata().unwrap().ino();
        replace(&path, b"two two", 0o600).unwrap();
        assert_eq!(read(&path, 3).unwrap().as_deref(), Some(&b"two "[..]));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640);
        assert_ne!(path.metadata().unwrap().ino(), inode);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_neither_read_nor_written() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("target");
        fs::write(&target, b"mine").unwrap();
        let link = home.path().join("link");
        symlink(&target, &link).unwrap();
        for error in [
            read(&link, 10).unwrap_err(),
            replace(&link, b"yours", 0o600).unwrap_err(),
            read(home.path(), 10).unwrap_err(),
            replace(home.path(), b"x", 0o600).unwrap_err(),
        ] {
            assert!(
                error.to_string().contains("is not a regular file"),
                "{error}"
            );
        }
        assert_eq!(fs::read(&target).unwrap(), b"mine");
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn nothing_is_written_near_mail() {
        let home = tempfile::tempdir().unwrap();
        for name in ["spool/deferred/A", "spool/hold", "etc"] {
            fs::create_dir_all(home.path().join(name)).unwrap();
        }
        fs::write(home.path().join("etc/main.cf"), b"").unwrap();
        symlink(home.path().join("spool/deferred"), home.path().join("link")).unwrap();
        for (name, why) in [
            ("spool/state", "is inside the Postfix spool"),
            ("spool/deferred/A/state", "is inside the Postfix spool"),
            ("link/state", "is inside the Postfix spool"),
            ("etc/state", "is inside the configuration directory"),
            ("absent/state", "make its directory first"),
        ] {
            let error = replace(&home.path().join(name), b"x", 0o600).expect_err(name);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
