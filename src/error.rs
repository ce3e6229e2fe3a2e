//! The one error of the project: what failed, where, the errno, and what to do about it.
//!
//! An [`Error`] is read by an administrator at night who did not write this code. Its form is `what:
//! cause (ERRNO); remedy`. The type is opaque and pointer-sized; callers use its [`ErrorKind`] and
//! accessors. Files and directories that a scan could not read are data and not errors: see `scan::Gap`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The kinds of failure that a caller may want to distinguish. Each has one status code in the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An invalid argument: a null pointer, a wrong handle, contradictory options.
    Invalid,
    /// A text that does not parse: a rule, a range, an option, a line of main.cf.
    Syntax,
    /// A file, directory, instance or measure that does not exist.
    NotFound,
    /// The system refused access.
    Denied,
    /// Any other failure of the system.
    Io,
    /// The directory exists but holds no Postfix queues.
    NotASpool,
    /// The deadline passed.
    Timeout,
    /// The caller stopped the call.
    Cancelled,
    /// A call in the wrong order, or a handle that a caught panic has poisoned.
    State,
    /// Not available in this build, on this system or in this snapshot.
    Unsupported,
    /// A bug in queuewatch.
    Internal,
}

/// A failure: what, where, why, and the remedy.
///
/// ```
/// use queuewatch::{ErrorKind, Options};
///
/// let error = Options::default().set("timeout", b"soon").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Syntax);
/// assert!(error.to_string().starts_with("\"timeout\" \"soon\": "), "{error}");
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    errno: Option<i32>,
    path: Option<PathBuf>,
    offset: Option<usize>,
    remedy: Option<String>,
}

impl Error {
    /// A failure whose `message` names thing and cause, without a full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            errno: None,
            path: None,
            offset: None,
            remedy: None,
        }))
    }

    /// The failed system call `action` (for example `list`, `open`, `read`) on `path`.
    pub fn system(action: &str, path: &Path, errno: i32) -> Self {
        let kind = match errno {
            libc::EACCES | libc::EPERM => ErrorKind::Denied,
            libc::ENOENT | libc::ENOTDIR => ErrorKind::NotFound,
            _ => ErrorKind::Io,
        };
        let shown = crate::escape::path(path);
        let error = Error::new(kind, format!("cannot {action} {shown}"))
            .with_path(path)
            .with_errno(errno);
        match remedy_for(errno) {
            Some(remedy) => error.with_remedy(remedy),
            None => error,
        }
    }

    /// As [`Error::system`], for an error of the standard library.
    pub fn io(action: &str, path: &Path, cause: &io::Error) -> Self {
        match cause.raw_os_error() {
            Some(errno) => Error::system(action, path, errno),
            None => Error::new(
                ErrorKind::Io,
                format!("cannot {action} {}: {cause}", crate::escape::path(path)),
            )
            .with_path(path),
        }
    }

    /// Adds the path that the failure is about.
    #[must_use]
    pub(crate) fn with_path(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        self
    }

    /// Adds the errno.
    #[must_use]
    pub(crate) fn with_errno(mut self, errno: i32) -> Self {
        self.0.errno = Some(errno);
        self
    }

    /// Adds the byte offset in the input, counted from 0.
    #[must_use]
    pub(crate) fn with_offset(mut self, offset: usize) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// Adds the remedy.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Puts `place: ` before the message, for a caller that knows more about the location.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.0.message = format!("{place}: {}", self.0.message);
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The errno, if a system call failed.
    pub fn errno(&self) -> Option<i32> {
        self.0.errno
    }

    /// The file or directory that it is about.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte offset in the input, counted from 0, if an input did not parse.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// What failed and why, without the remedy.
    pub(crate) fn statement(&self) -> String {
        match self.0.errno {
            Some(errno) => format!(
                "{}: {} ({})",
                self.0.message,
                errno_text(errno),
                errno_name(errno)
            ),
            None => self.0.message.clone(),
        }
    }

    /// The remedy, if there is a known one.
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }
}

/// The remedy for `errno` below a queue directory.
///
/// Never advise chmod, chgrp or ACLs there: Postfix interprets group bits on a queue file as commands
/// (postfix.md, "Group and other mode bits are commands").
pub(crate) fn remedy_for(errno: i32) -> Option<&'static str> {
    match errno {
        libc::EACCES | libc::EPERM => Some(
            "run as root or grant CAP_DAC_READ_SEARCH, see \"queuewatch doctor\"; never change modes or \
             ACLs of queue files",
        ),
        libc::EMFILE | libc::ENFILE => Some("raise the limit of open files (ulimit -n)"),
        libc::EIO => Some("check the disk and the kernel log"),
        libc::ESTALE => Some("the spool is on a network file system whose server lost it: remount"),
        _ => None,
    }
}

/// The symbolic name of `errno`, as in errno(3); `errno N` for unknown numbers.
pub(crate) fn errno_name(errno: i32) -> String {
    let name = match errno {
        libc::EACCES => "EACCES",
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ENOTDIR => "ENOTDIR",
        libc::EISDIR => "EISDIR",
        libc::EIO => "EIO",
        libc::ELOOP => "ELOOP",
        libc::EMFILE => "EMFILE",
        libc::ENFILE => "ENFILE",
        libc::ENOMEM => "ENOMEM",
        libc::ENOSPC => "ENOSPC",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::ESTALE => "ESTALE",
        libc::EEXIST => "EEXIST",
        libc::EROFS => "EROFS",
        libc::EBUSY => "EBUSY",
        libc::ENOTCONN => "ENOTCONN",
        libc::EOVERFLOW => "EOVERFLOW",
        libc::EDQUOT => "EDQUOT",
        libc::EFBIG => "EFBIG",
        libc::EINVAL => "EINVAL",
        libc::EBADF => "EBADF",
        libc::ENXIO => "ENXIO",
        libc::ENODEV => "ENODEV",
        libc::ENOTEMPTY => "ENOTEMPTY",
        _ => return format!("errno {errno}"),
    };
    name.to_owned()
}

/// The text of `errno` from strerror(3) in the C locale, in lower case.
pub(crate) fn errno_text(errno: i32) -> String {
    let mut text = io::Error::from_raw_os_error(errno).to_string();
    if let Some(end) = text.rfind(" (os error") {
        text.truncate(end);
    }
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.statement())?;
        if let Some(remedy) = &self.0.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}: {self})", self.0.kind)
    }
}

impl std::error::Error for Error {}

/// The result of every fallible function in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_directory_names_thing_cause_and_remedy() {
        let error = Error::system(
            "list",
            Path::new("/var/spool/postfix/deferred"),
            libc::EACCES,
        );
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert_eq!(
            error.to_string(),
            "cannot list /var/spool/postfix/deferred: permission denied (EACCES); run as root or \
             grant CAP_DAC_READ_SEARCH, see \"queuewatch doctor\"; never change modes or ACLs of queue files"
        );
    }

    #[test]
    fn a_hostile_path_cannot_write_on_a_terminal() {
        let error = Error::system("open", Path::new("/spool/a\u{1b}[2J\n|b"), libc::EIO);
        assert!(
            error
                .to_string()
                .starts_with("cannot open /spool/a?[2J??b: ")
        );
    }

    #[test]
    fn an_error_is_one_pointer() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
