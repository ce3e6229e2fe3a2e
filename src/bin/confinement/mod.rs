//! Confines a program to the files that it is for, with Landlock (landlock(7)).
//!
//! The programs may hold the right to read every file of the host. Once their options are known, the kernel
//! takes from them all that they do not need: they read the spools, the configuration directories and /proc,
//! write their own outputs, and open nothing else, whatever bytes a queue file has. This thread and those that
//! it starts later are confined, for good. A kernel without Landlock confines nothing; [`Outcome`] says so, and
//! `queuewatch doctor` prints it.
//!
//! Only the programs do this. The library never restricts its host.

mod obstacles;
mod outcome;

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope, make_bitflags,
};
use queuewatch::error::{Error, Result};
use queuewatch::instance::{self, Instance};
use queuewatch::options::{Options, Purpose};
use queuewatch::postfix::defer_log::Log;
use queuewatch::postfix::queue::Queue;
use queuewatch::rights;
use queuewatch::snapshot::Snapshot;
use queuewatch::sys;

use obstacles::{hides_processes, is_filtered};
pub(crate) use outcome::Outcome;
use outcome::outcome;

/// The version of Landlock whose restrictions are asked for: the first one that can deny all of the sort that
/// these programs do not need. A later one may deny what they do need, such as sockets with a name.
const VERSION: ABI = ABI::V6;
/// Reading files.
const READ: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile});
/// Reading directories and the files in them.
const LOOK: BitFlags<AccessFs> = make_bitflags!(AccessFs::{ReadFile | ReadDir});
/// Replacing a file by rename(2).
const REPLACE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{WriteFile | MakeReg | RemoveFile});

/// What a program may open.
#[derive(Default)]
#[must_use = "it confines when it is closed"]
pub(crate) struct Confinement {
    rules: Vec<(PathFd, BitFlags<AccessFs>)>,
    /// Whether a spool may be removed and made again meanwhile.
    live: bool,
}

impl Confinement {
    /// Nothing may be opened yet.
    pub(crate) fn new() -> Confinement {
        Confinement::default()
    }

    /// For a command that runs until it is ended: a spool may be removed and made again.
    #[allow(dead_code, reason = "the plugin has no such command")]
    pub(crate) fn live(mut self) -> Confinement {
        self.live = true;
        self
    }

    /// The files at `paths` may be replaced. Call it without borrowed rights: the caller names the files.
    pub(crate) fn replaces<P: AsRef<Path>>(
        self,
        paths: impl IntoIterator<Item = P>,
    ) -> Confinement {
        paths.into_iter().fold(self, |confinement, path| {
            confinement.allow(&directory_of(path.as_ref()), REPLACE)
        })
    }

    /// The named pipe at `path` may be written to, also after it is made again.
    #[allow(dead_code, reason = "the plugin has no such option")]
    pub(crate) fn writes_to(self, path: &Path) -> Confinement {
        let directory = directory_of(path);
        self.allow(&directory, make_bitflags!(AccessFs::{WriteFile}))
    }

    /// The directory `path` may be read with all below it.
    pub(crate) fn reads(self, path: &Path) -> Confinement {
        self.allow(path, LOOK)
    }

    /// A path that does not exist needs no rule.
    fn allow(mut self, path: &Path, access: BitFlags<AccessFs>) -> Confinement {
        if let Ok(place) = PathFd::new(path) {
            self.rules.push((place, access));
        }
        self
    }

    /// Finds the instances of `options` and confines the program to them. Call it before the first thread that
    /// reads a spool is started.
    pub(crate) fn instances(self, options: &Options) -> Result<Vec<Result<Instance>>> {
        let found = options.instances()?;
        self.close(&found);
        Ok(found)
    }

    /// Finds the instances of `options`, confines the program to them, and scans them.
    pub(crate) fn scan(self, options: &Options, purpose: Purpose) -> Result<Snapshot> {
        options.scan_with(|options| self.instances(options), purpose)
    }

    /// As [`Confinement::scan`], for what names the people of single messages: an instance whose messages the caller may
    /// not list is broken.
    #[allow(dead_code, reason = "the plugin prints no such thing")]
    pub(crate) fn scan_listable(self, options: &Options, purpose: Purpose) -> Result<Snapshot> {
        let find = |options: &Options| self.instances(options).map(instance::listable);
        options.scan_with(find, purpose)
    }

    /// Confines the program to the spools and the configuration of `instances` and to what was allowed before.
    pub(crate) fn close(mut self, instances: &[Result<Instance>]) -> Outcome {
        if hides_processes() {
            return Outcome::not(
                "the mount option hidepid of /proc would hide Postfix's processes then",
                None,
            );
        }
        if is_filtered() {
            return Outcome::not(
                "the filter of system calls of this unit or container forbids it",
                Some(
                    "add landlock_create_ruleset, landlock_add_rule and landlock_restrict_self to SystemCallFilter=",
                ),
            );
        }
        // Names of local users and the time zone are files outside. What is known by now is enough.
        instance::keep_local_names();
        let _ = sys::local_time(0);
        self = self.reads(Path::new("/proc"));
        if rights::are_borrowed() {
            // Each search for instances asks again what the caller may name.
            for directory in instance::PERMITTED_BY {
                self = self.configuration(Path::new(directory));
            }
        }
        for instance in instances {
            self = match instance {
                Ok(instance) => self.instance(instance),
                Err(error) => self.broken(error),
            };
        }
        match self.restrict() {
            Ok(status) => outcome(&status, VERSION),
            Err(error) => Outcome::not(error.to_string(), None),
        }
    }

    fn instance(mut self, instance: &Instance) -> Confinement {
        if let Some(directory) = &instance.config_directory {
            self = self.configuration(directory);
        }
        let spool = &instance.queue_directory;
        // Queues and logs may be links to another disk, as Postfix allows.
        let logs = [Log::Defer, Log::Bounce, Log::Trace].map(Log::directory);
        for name in Queue::ALL.map(Queue::name).into_iter().chain(logs) {
            let path = spool.join(name);
            if path.is_symlink() {
                self = self.reads(&path);
            }
        }
        if self.live {
            // The kernel finds the parent, also of a link. A spool that is not there yet is expected there, too.
            let parents = [spool.join(".."), directory_of(spool)];
            let parent = parents.iter().find_map(|path| PathFd::new(path).ok());
            if let Some(parent) = parent.filter(|parent| !is_root(parent)) {
                self.rules.push((parent, LOOK));
                return self;
            }
        }
        self.reads(spool)
    }

    /// An instance without a usable main.cf may be repaired while a command runs.
    fn broken(self, error: &Error) -> Confinement {
        match error.path().filter(|path| path.ends_with("main.cf")) {
            Some(path) => self.configuration(&directory_of(path)),
            None => self,
        }
    }

    /// main.cf and master.cf, which may be links, and which an editor replaces.
    fn configuration(mut self, directory: &Path) -> Confinement {
        self = self.allow(directory, READ);
        for name in ["main.cf", "master.cf"] {
            let path = directory.join(name);
            if path.is_symlink() && path.is_file() {
                self = self.allow(&path, READ);
            }
        }
        self
    }

    fn restrict(self) -> std::result::Result<RestrictionStatus, RulesetError> {
        let mut ruleset = all_denied()?.create()?;
        for (place, access) in self.rules {
            ruleset = ruleset.add_rule(PathBeneath::new(place, access))?;
        }
        ruleset.restrict_self()
    }
}

/// Confines this thread, which opens nothing.
#[allow(dead_code, reason = "the tool has no such thread")]
pub(crate) fn open_nothing() {
    // A program that cannot be confined runs without it, as everywhere here.
    if !is_filtered() {
        let _ = all_denied().and_then(|denied| denied.create()?.restrict_self());
    }
}

/// A ruleset that allows nothing.
fn all_denied() -> std::result::Result<Ruleset, RulesetError> {
    let denied = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .scope(Scope::Signal)?;
    match notifies_abstract_socket() {
        true => Ok(denied),
        false => denied.scope(Scope::AbstractUnixSocket),
    }
}

/// Returns true if the service manager listens at a socket without a file (sd_notify(3)).
fn notifies_abstract_socket() -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    std::env::var_os("NOTIFY_SOCKET").is_some_and(|name| name.as_bytes().starts_with(b"@"))
}

fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn is_root(place: &PathFd) -> bool {
    match (rustix::fs::fstat(place), rustix::fs::stat("/")) {
        (Ok(one), Ok(root)) => (one.st_dev, one.st_ino) == (root.st_dev, root.st_ino),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::ErrorKind::PermissionDenied;
    use std::os::unix::fs::symlink;

    /// Runs `work` on a thread, for nothing ends a confinement.
    fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        std::thread::spawn(work).join().expect("the thread ends")
    }

    /// A folder with a spool, a configuration directory, a folder for outputs and a file outside.
    fn host() -> (tempfile::TempDir, Instance) {
        let home = tempfile::tempdir().expect("a folder");
        let at = |name: &str| home.path().join(name);
        for folder in ["var/spool/deferred", "etc", "out", "disk"] {
            fs::create_dir_all(at(folder)).expect("a folder");
        }
        for file in [
            "var/spool/deferred/A",
            "etc/main.cf",
            "outside",
            "out/old",
            "disk/A",
        ] {
            fs::write(at(file), "x").expect("a file");
        }
        symlink(at("disk"), at("var/spool/hold")).expect("a link");
        let mut options = Options::default();
        let set = |options: &mut Options, name, path: PathBuf| {
            let path = path.to_str().expect("UTF-8").to_owned();
            options.set(name, path.as_bytes()).expect("a path");
        };
        fs::write(at("etc/main.cf"), "").expect("a file");
        set(&mut options, "queue-directory", at("var/spool"));
        set(&mut options, "config-directory", at("etc"));
        let mut found = options.instances().expect("instances");
        let instance = found.remove(0).expect("an instance");
        (home, instance)
    }

    #[test]
    fn what_is_said_to_be_in_force_is_what_the_kernel_does() {
        let (home, instance) = host();
        let at = |name: &str| home.path().join(name);
        let (inside, outside) = (at("var/spool/deferred/A"), at("outside"));
        let on_disk = at("var/spool/hold/A");
        let (main_cf, new, old) = (at("etc/main.cf"), at("out/new"), at("out/old"));
        let (said, opened, refused) = on_a_thread(move || {
            let confinement = Confinement::new().replaces([&new]);
            let said = confinement.close(&[Ok(instance)]);
            let written = fs::write(&new, "x").and_then(|()| fs::rename(&new, &old));
            let opened = [
                File::open(inside).map(drop),
                File::open(main_cf).map(drop),
                File::open(on_disk).map(drop),
                File::open("/proc/self/status").map(drop),
                written,
            ];
            let connected = std::net::TcpListener::bind("127.0.0.1:0").map(drop);
            let refused = [
                File::open(&outside).map(drop),
                File::open(&old).map(drop),
                fs::write(&outside, "y"),
                fs::remove_file(&outside),
                fs::read_dir("/").map(drop),
                connected,
            ];
            (said, opened, refused)
        });
        for (number, result) in opened.iter().enumerate() {
            assert!(result.is_ok(), "{number}: {result:?}");
        }
        let (files, tcp) = refused.split_at(5);
        let kind = |result: &std::io::Result<()>| result.as_ref().err().map(std::io::Error::kind);
        match said {
            Outcome::InForce {
                version,
                files_alone,
            } => {
                assert!(version > 0);
                for (number, result) in files.iter().enumerate() {
                    assert_eq!(kind(result), Some(PermissionDenied), "{number}");
                }
                if !files_alone {
                    assert_eq!(kind(&tcp[0]), Some(PermissionDenied));
                }
            }
            Outcome::Not { .. } => {
                for (number, result) in files.iter().enumerate() {
                    assert_eq!(kind(result), None, "{number}");
                }
                assert_eq!(kind(&tcp[0]), None);
            }
        }
    }

    #[test]
    fn a_command_that_goes_on_reads_a_spool_that_is_made_again() {
        use std::sync::mpsc::channel;
        for live in [true, false] {
            let (home, instance) = host();
            let spool = home.path().join("var/spool");
            let (closed, is_closed) = channel();
            let (made, is_made) = channel::<()>();
            let file = spool.join("A");
            let confined = std::thread::spawn(move || {
                let confinement = Confinement::new();
                let confinement = if live {
                    confinement.live()
                } else {
                    confinement
                };
                let said = confinement.close(&[Ok(instance)]);
                closed.send(()).expect("somebody waits");
                is_made.recv().expect("it is made");
                (said, File::open(file).map(drop))
            });
            is_closed.recv().expect("it is closed");
            fs::remove_dir_all(&spool).expect("removed");
            fs::create_dir(&spool).expect("made again");
            fs::write(spool.join("A"), "x").expect("a file");
            made.send(()).expect("it waits");
            let (said, opened) = confined.join().expect("the thread ends");
            let in_force = matches!(said, Outcome::InForce { .. });
            assert_eq!(
                opened.is_ok(),
                live || !in_force,
                "{live} {said}: {opened:?}"
            );
        }
    }

    /// threat-model.md, "Privilege" has the figure of this.
    #[test]
    fn its_cost_is_printed() {
        const TIMES: usize = 2000;
        let (_home, instance) = host();
        // A program reads these once for other reasons.
        instance::keep_local_names();
        let _ = sys::local_time(0);
        let once = |_| {
            let instance = instance.clone();
            on_a_thread(move || {
                let found = [Ok(instance)];
                let begun = std::time::Instant::now();
                let outcome = Confinement::new().close(&found);
                (begun.elapsed(), outcome.to_string())
            })
        };
        let mut costs: Vec<_> = (0..TIMES).map(once).collect();
        costs.sort();
        let (median, outcome) = &costs[TIMES / 2];
        println!("{outcome}: {median:?} (median of {TIMES})");
        assert!(costs.iter().all(|(_, each)| each == outcome));
    }

    #[test]
    fn a_thread_that_opens_nothing_cannot() {
        let (said, opened) = on_a_thread(|| {
            open_nothing();
            let opened = File::open("/proc/self/status").map(drop);
            (Confinement::new().close(&[]), opened)
        });
        let in_force = matches!(said, Outcome::InForce { .. });
        assert_eq!(opened.is_err(), in_force, "{said}: {opened:?}");
    }
}
