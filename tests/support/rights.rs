//! Running a program with fewer rights than root's, and folders that it can reach then.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A copy of a program where every user may run it: cargo's target directory often is below a closed one.
pub(crate) struct PublicProgram {
    path: PathBuf,
    _folder: TempDir,
}

impl PublicProgram {
    /// Copies `program` into a folder of its own.
    pub(crate) fn copy(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref();
        let folder = public_folder("queuewatch-program-");
        let path = folder
            .path()
            .join(program.file_name().expect("a program has a name"));
        // By another process: while this one had the copy open for writing, a child that another test starts would
        // hold it too until its exec, and to run the copy would fail as busy (ETXTBSY).
        let status = Command::new("install")
            .args(["-m", "755"])
            .args([program, &path])
            .status()
            .expect("install(1) runs");
        assert!(status.success(), "{}", program.display());
        PublicProgram {
            path,
            _folder: folder,
        }
    }

    /// The copy, as a command.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.path)
    }
}

/// The same command as user and group 65534, with no rights at all.
pub(crate) fn as_nobody(command: &Command) -> Command {
    setpriv(&[], command)
}

/// The same command as user and group 65534, with the capability to read every file and directory and nothing more.
pub(crate) fn with_read_capability(command: &Command) -> Command {
    setpriv(
        &[
            "--inh-caps=-all,+dac_read_search",
            "--ambient-caps=-all,+dac_read_search",
        ],
        command,
    )
}

fn setpriv(rights: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(rights)
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args())
        // Where the tests run, nobody may have no access; / is open to all.
        .current_dir(command.get_current_dir().unwrap_or(Path::new("/")));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// A temporary folder that user postfix can pass through.
pub(crate) fn public_folder(prefix: &str) -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir()
        .expect("a temporary folder");
    set_mode(folder.path(), 0o755);
    for ancestor in folder.path().ancestors() {
        let mode = fs::metadata(ancestor).map_or(0, |metadata| metadata.mode());
        assert!(
            mode & 0o001 != 0,
            "{}: other users cannot pass (mode {:o}): set TMPDIR to a directory that all may enter, such as /tmp",
            ancestor.display(),
            mode & 0o7777
        );
    }
    folder
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
