//! Where a drill may write: to a new or empty directory outside every real spool.

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::files::safe_path;
use std::fs;
use std::io;
use std::path::Path;

const REMEDY: &str = "give an empty or new directory outside of every Postfix spool";

/// Rejects `directory` unless it is absent or empty, and outside every real queue directory.
pub(super) fn check(directory: &Path) -> Result<()> {
    let place =
        safe_path::resolve(directory).map_err(|error| error.within("drill").with_remedy(REMEDY))?;
    check_outside(&place, directory)?;
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(Ok(_)) => Err(refused(directory, "is not empty")),
            Some(Err(cause)) => Err(Error::io("list", directory, &cause)),
        },
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => {
            Err(refused(directory, "is not a directory"))
        }
        Err(cause) => Err(Error::io("list", directory, &cause)),
    }
}

fn check_outside(place: &Path, directory: &Path) -> Result<()> {
    match safe_path::queue_directory_of(place) {
        Some(spool) if spool == place => Err(refused(directory, "is a Postfix spool already")),
        Some(spool) => {
            let why = format!("is inside the Postfix spool {}", escape::path(&spool));
            Err(refused(directory, &why))
        }
        None => Ok(()),
    }
}

fn refused(directory: &Path, why: &str) -> Error {
    let message = format!("drill: {} {why}", escape::path(directory));
    Error::new(ErrorKind::Invalid, message)
        .with_path(directory)
        .with_remedy(REMEDY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_or_empty_directory_is_taken() {
        let home = tempfile::tempdir().unwrap();
        check(home.path()).expect("an empty directory");
        check(&home.path().join("a/b/c")).expect("a new directory");
        // A single queue name does not make a directory a spool.
        fs::create_dir(home.path().join("active")).unwrap();
        check(&home.path().join("active/x")).expect("a directory called active");
    }

    #[test]
    fn nothing_near_real_mail_is_taken() {
        let home = tempfile::tempdir().unwrap();
        let spool = home.path().join("spool");
        for name in ["deferred", "maildrop", "deferred/0"] {
            fs::create_dir_all(spool.join(name)).unwrap();
        }
        fs::write(home.path().join("file"), b"").unwrap();
        std::os::unix::fs::symlink(spool.join("deferred"), home.path().join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", home.path().join("dangling")).unwrap();
        for (directory, why) in [
            ("spool", "is a Postfix spool already"),
            ("spool/deferred", "is inside the Postfix spool"),
            ("spool/deferred/0", "is inside the Postfix spool"),
            ("spool/new/er", "is inside the Postfix spool"),
            ("link", "is inside the Postfix spool"),
            ("link/new", "is inside the Postfix spool"),
            ("spool/../link/0", "is inside the Postfix spool"),
            ("", "is not empty"),
            ("file", "is not a directory"),
            ("file/x", "leads through a file"),
            ("new/../spool/x", "leads through .."),
            ("dangling", "cannot resolve"),
            ("dangling/x", "cannot resolve"),
        ] {
            let directory = home.path().join(directory);
            let error = check(&directory).expect_err(why);
            assert!(error.to_string().contains(why), "{error}");
        }
        for directory in ["/var/spool/postfix", "/var/spool/postfix/deferred/x"] {
            let error = check(Path::new(directory)).expect_err(directory);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().ends_with(REMEDY), "{error}");
        }
    }
}
