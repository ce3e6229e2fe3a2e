//! The key of tokens: random for one run, or out of a file that keeps tokens the same from run to run.
//!
//! A person who has the key can try names until a token comes out. A key file that others may read is refused.

use std::hash::Hasher as _;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::rights;
use crate::sys;

/// Bytes that a key file must have: as many as the key.
const LEAST: usize = 16;
/// Bytes that a key file may have.
const MOST: usize = 4096;

/// A key of 128 bits.
#[derive(Clone, Copy)]
pub(super) struct Key([u8; 16]);

impl Key {
    /// A key that nobody knows, for one run.
    pub(super) fn random() -> Result<Key> {
        let mut key = [0; 16];
        let mut filled = 0;
        while filled < key.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            match rustix::rand::getrandom(&mut key[filled..], flags) {
                Ok(bytes) => filled += bytes,
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => {
                    let text = "getrandom(2) gives no random bytes";
                    return Err(Error::new(ErrorKind::Io, text).with_errno(errno.raw_os_error()));
                }
            }
        }
        Ok(Key(key))
    }

    /// The key in the file at `path`.
    pub(super) fn of_file(path: &Path) -> Result<Key> {
        let refused = |why: &str, remedy: &str| {
            let text = format!("the key file {} {why}", escape::path(path));
            Error::new(ErrorKind::Invalid, text)
                .with_path(path)
                .with_remedy(remedy)
        };
        // The file is the caller's, whatever rights this program has beyond.
        let opened = rights::as_caller(|| sys::open_regular(path, false));
        let file = opened.map_err(|cause| match cause.raw_os_error() {
            Some(libc::ELOOP) => refused("is a link", "name the file itself"),
            _ if cause.kind() == io::ErrorKind::PermissionDenied => {
                Error::io("open the key file", path, &cause).with_remedy("use a key of your own")
            }
            _ => Error::io("open the key file", path, &cause),
        })?;
        let Some(file) = file else {
            return Err(refused(
                "is not a regular file",
                "make one: head -c 32 /dev/urandom >FILE",
            ));
        };
        let metadata = file
            .metadata()
            .map_err(|cause| Error::io("stat the key file", path, &cause))?;
        if metadata.mode() & 0o077 != 0 {
            let why = format!(
                "may be used by others (mode {:04o})",
                metadata.mode() & 0o7777
            );
            return Err(refused(
                &why,
                "chmod 600 it; if others have read it, make a new key",
            ));
        }
        let user = rights::as_caller(|| rustix::process::geteuid().as_raw());
        if metadata.uid() != user && metadata.uid() != 0 {
            let why = format!("belongs to user {}, not to {user} or root", metadata.uid());
            return Err(refused(&why, "chown it, or use a key of your own"));
        }
        let mut bytes = Vec::new();
        file.take(MOST as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|cause| Error::io("read the key file", path, &cause))?;
        if bytes.len() < LEAST {
            let why = format!("has {} bytes; a key has {LEAST} or more", bytes.len());
            return Err(refused(&why, "make one: head -c 32 /dev/urandom >FILE"));
        }
        if bytes.len() > MOST {
            let why = format!("has more than {MOST} bytes");
            return Err(refused(&why, "make one: head -c 32 /dev/urandom >FILE"));
        }
        // A text such as base64 has its randomness spread over all bytes.
        let mut hasher = SipHasher24::new();
        hasher.write(&bytes);
        Ok(Key(hasher.finish128().as_bytes()))
    }

    /// The first bits of the keyed hash of `text`, which is of this `kind`.
    pub(super) fn hash(self, kind: &str, text: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(kind.as_bytes());
        // No kind has a NUL.
        hasher.write(&[0]);
        hasher.write(text);
        hasher.finish128().h1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn refusal(bytes: &[u8], mode: u32) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Key::of_file(&path).err().map(|error| error.to_string())
    }

    #[test]
    fn a_key_file_is_private_and_long_enough() {
        assert_eq!(refusal(&[7; 16], 0o600), None);
        assert_eq!(refusal(&[7; 4096], 0o400), None);
        for (bytes, mode, why) in [
            (&[7; 15][..], 0o600, "has 15 bytes"),
            (&[], 0o600, "has 0 bytes"),
            (&[7; 4097], 0o600, "more than 4096"),
            (&[7; 16], 0o640, "mode 0640"),
            (&[7; 16], 0o604, "mode 0604"),
        ] {
            let error = refusal(bytes, mode).expect("it is refused");
            assert!(error.contains(why), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        for (path, why) in [
            (link.as_path(), "is a link"),
            (folder.path(), "not a regular file"),
            (&folder.path().join("none"), "ENOENT"),
        ] {
            let error = Key::of_file(path).err().expect("it is refused").to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn hashes_depend_on_key_kind_and_text() {
        let (one, other) = (Key([1; 16]), Key([2; 16]));
        assert_eq!(one.hash("user", b"a"), one.hash("user", b"a"));
        assert_ne!(one.hash("user", b"a"), one.hash("user", b"b"));
        assert_ne!(one.hash("user", b"a"), one.hash("login", b"a"));
        assert_ne!(one.hash("user", b"a"), other.hash("user", b"a"));
        let (random, again) = (Key::random().unwrap(), Key::random().unwrap());
        assert_ne!(random.hash("user", b"a"), again.hash("user", b"a"));
    }
}
