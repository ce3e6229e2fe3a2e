//! Spools for tests: those of `tests/corpus`, unpacked in a folder that is removed at the end, and
//! ones made by hand.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use queuewatch::drill::{self, Delay, QueueFile};

/// A spool in a folder of its own.
pub(crate) struct Spool {
    folder: tempfile::TempDir,
}

impl Spool {
    /// The spool of `tests/corpus/NAME`, with its modes and times.
    pub(crate) fn of_corpus(name: &str) -> Spool {
        let spool = Spool {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        let archive = corpus(name).join("spool.tar.xz");
        let output = Command::new("tar")
            .args(["--no-same-owner", "-xpJf"])
            .arg(&archive)
            .arg("-C")
            .arg(spool.folder.path())
            .output()
            .expect("tar runs (Debian packages tar and xz-utils)");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        spool
    }

    /// A spool with all queues, and nothing in them.
    pub(crate) fn empty() -> Spool {
        let spool = Spool {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        for queue in [
            "active", "deferred", "incoming", "hold", "maildrop", "corrupt",
        ] {
            fs::create_dir_all(spool.path().join(queue)).expect("a queue directory");
        }
        let maildrop = spool.path().join("maildrop");
        fs::set_permissions(maildrop, fs::Permissions::from_mode(0o730)).expect("a mode");
        spool
    }

    /// The queue directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// Runs one of the programs on this spool, with ages as of `now`.
    pub(crate) fn run(&self, program: &str, now: i64, words: &[&str]) -> Output {
        Command::new(program)
            .args(words)
            .arg("--queue-directory")
            .arg(self.path())
            .args(["--now", &now.to_string()])
            .output()
            .expect("it runs")
    }

    /// A main.cf of the spool; it names who owns it: whoever runs the test.
    pub(crate) fn main_cf(&self) -> String {
        let folder = fs::metadata(self.path()).expect("the queue directory");
        let name = |file: &str, number: u32| {
            let text = fs::read_to_string(file).expect("a list of names");
            let line = text
                .lines()
                .find(|line| line.split(':').nth(2) == Some(&number.to_string()));
            let name = line.and_then(|line| line.split(':').next());
            name.expect("a local name").to_owned()
        };
        format!(
            "queue_directory = {}\nmail_owner = {}\nsetgid_group = {}\n",
            self.path().display(),
            name("/etc/passwd", folder.uid()),
            name("/etc/group", folder.gid())
        )
    }

    /// Writes `bytes` to `name` below the queue directory, with `mode`.
    pub(crate) fn write(&self, name: &str, bytes: &[u8], mode: u32) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(&path, bytes).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    /// Puts a message that begins with `file` and has one recipient into deferred, hashed by the first letter of `id`. With a
    /// `status` its defer log has that and `reason`.
    pub(crate) fn defer(
        &self,
        id: &str,
        file: QueueFile,
        recipient: &str,
        status: &str,
        reason: &str,
    ) {
        let file = file
            .todo(recipient.as_bytes())
            .content(b"Subject: x\n\nHello\n")
            .build();
        self.write(&format!("deferred/{}/{id}", &id[..1]), &file.bytes, 0o700);
        if !status.is_empty() {
            let delay = Delay {
                status: status.into(),
                reason: reason.into(),
                reply: None,
                server: None,
            };
            let mut log = Vec::new();
            let offset = file.recipient_offsets[0];
            drill::push_entry(&mut log, recipient, None, offset, &delay);
            self.write(&format!("defer/{}/{id}", &id[..1]), &log, 0o600);
        }
    }

    /// Lets other users reach the queue directory, which is then as closed as Postfix makes it.
    pub(crate) fn reachable(&self) {
        for path in [self.folder.path().to_owned(), self.path()] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
        }
        for queue in [
            "active", "deferred", "incoming", "hold", "maildrop", "corrupt",
        ] {
            let path = self.path().join(queue);
            if path.is_dir() {
                fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("a mode");
            }
        }
    }
}

/// `tests/corpus/NAME`.
pub(crate) fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(name)
}

/// A file of `tests/corpus/NAME` as text.
pub(crate) fn saved(name: &str, file: &str) -> String {
    let path = corpus(name).join(file);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The second at which qshape looked at `tests/corpus/NAME`.
pub(crate) fn taken_at(name: &str) -> i64 {
    saved(name, "now.txt").trim().parse().expect("seconds")
}
