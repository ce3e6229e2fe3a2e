//! A real Postfix for one test: its own folder, its own port on loopback, gone when dropped.
//!
//! In: [`Options`], mail by SMTP or `sendmail(1)`, an operator's commands. Out: a spool as Postfix itself left it, and
//! what its own tools say about it. It knows nothing of queuewatch. It never uses the default instance: no Postfix has
//! to run or to be configured on the host, and `/etc/postfix` and `/var/spool/postfix` are left as they are.
//!
//! Needs root (Postfix does) and an installed Postfix of 3.5 or later. Without either it fails and says so.
//!
//! Where mail goes, by the recipient's domain:
//!
//! | domain | what becomes of it |
//! |---|---|
//! | [`DELIVERED`] | delivered at once (thrown away) |
//! | [`GREYLISTED`] | deferred, with the reason [`GREYLISTED_REASON`] |
//! | [`FULL`] | deferred, with the reason [`FULL_REASON`] |
//! | [`REJECTED`] | bounced to its sender |
//! | [`UNRESPONSIVE`] | stays in active: its server accepts the connection and never says a word |
//! | any other | deferred: connection refused |
//!
//! A `Subject:` that begins with [`HOLD_SUBJECT`] puts a message on hold as it arrives, and a header
//! `X-Redirect:` sends it to [`REDIRECT_TARGET`] instead of its recipients.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) use super::rights::{PublicProgram, as_nobody, with_read_capability};
use super::rights::{public_folder, set_mode};
use super::smtp::Smtp;

/// Whether the installed Postfix is older than `releases`, of which each is the first of its minor version that has
/// some change: `3.7.22 3.10.13`. A minor version that is not among them has the change if it is newer than the last.
pub(crate) fn is_older_than(releases: &str) -> bool {
    let numbers = |release: &str| -> Vec<u64> {
        let parts = release.split(|letter: char| !letter.is_ascii_digit());
        let mut numbers: Vec<u64> = parts.map_while(|part| part.parse().ok()).collect();
        numbers.resize(3, 0);
        numbers
    };
    let output = Command::new("postconf")
        .args(["-dh", "mail_version"])
        .output()
        .expect("postconf runs (Debian package postfix)");
    let installed = numbers(String::from_utf8_lossy(&output.stdout).trim());
    let changed: Vec<_> = releases.split_whitespace().map(numbers).collect();
    match changed
        .iter()
        .find(|release| release[..2] == installed[..2])
    {
        Some(release) => installed < *release,
        None => changed.iter().any(|release| installed < *release),
    }
}

/// Mail to this domain is delivered at once.
pub(crate) const DELIVERED: &str = "ok.example";
/// Mail to this domain is deferred with [`GREYLISTED_REASON`].
pub(crate) const GREYLISTED: &str = "greylist.example";
/// Why mail to [`GREYLISTED`] waits, after its status code 4.7.1.
pub(crate) const GREYLISTED_REASON: &str = "Greylisted, please try again in 300 seconds";
/// Mail to this domain is deferred with [`FULL_REASON`].
pub(crate) const FULL: &str = "full.example";
/// Why mail to [`FULL`] waits, after its status code 4.2.2: every character that JSON, HTML or perfdata must escape.
pub(crate) const FULL_REASON: &str = r#"mailbox "full" <over\quota> | more & more"#;
/// Mail to this domain is bounced.
pub(crate) const REJECTED: &str = "bad.example";
/// Mail to this domain stays in active.
pub(crate) const UNRESPONSIVE: &str = "stuck.example";
/// A subject that begins so puts the message on hold.
pub(crate) const HOLD_SUBJECT: &str = "HOLDME";
/// Where a message with a header `X-Redirect:` goes. Its domain refuses connections.
pub(crate) const REDIRECT_TARGET: &str = "redir@redirected.example";
/// The queues that `postqueue` lists, in the order in which a message passes through them.
pub(crate) const QUEUES: [&str; 5] = ["maildrop", "incoming", "active", "deferred", "hold"];

/// A machine under load needs this long for what takes milliseconds otherwise.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(25);
/// Nothing in transit and nothing moved for so long: qmgr and cleanup have no other work left.
const QUIET: Duration = Duration::from_millis(250);
const MAILLOG_TAIL: usize = 40;

/// How queue files are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueueIds {
    /// `enable_long_queue_ids = no`: microseconds and inode in hexadecimal digits.
    Short,
    /// `enable_long_queue_ids = yes`.
    Long,
}

/// What a test may choose about its Postfix.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) queue_ids: QueueIds,
    pub(crate) hash_queue_depth: u32,
    /// Lines added at the end of main.cf: the last setting of a name wins.
    pub(crate) main_cf: Vec<String>,
    /// The queue directory is a tmpfs of this many KiB.
    pub(crate) tmpfs: Option<u32>,
    /// What Postfix sees as /etc/resolv.conf.
    pub(crate) resolv_conf: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            queue_ids: QueueIds::Short,
            hash_queue_depth: 1,
            main_cf: Vec::new(),
            tmpfs: None,
            resolv_conf: None,
        }
    }
}

/// A running Postfix of its own. Dropping it stops it and removes its folder.
pub(crate) struct Postfix {
    folder: Folder,
    /// Another one after a start for which the old one was taken.
    port: AtomicU16,
    /// The server of [`UNRESPONSIVE`]: the kernel accepts on its behalf, nobody answers.
    _unresponsive: TcpListener,
}

impl Postfix {
    /// Starts an instance, and returns when it takes mail.
    pub(crate) fn start(options: &Options) -> Self {
        let folder = Folder::new();
        if let Some(size) = options.tmpfs {
            mount_tmpfs(&folder.path.join("queue"), size);
        }
        if let Some(text) = &options.resolv_conf {
            fs::write(folder.path.join(RESOLV_CONF), text).expect("a file in our own folder");
        }
        let unresponsive = listen_on_loopback();
        write_main_cf(&folder, options, port_of(&unresponsive));
        let postfix = Postfix {
            folder,
            port: AtomicU16::new(0),
            _unresponsive: unresponsive,
        };
        // Between the choice of a free port and its use somebody else may take it; master(8) then refuses to start.
        let mut attempts = 5;
        loop {
            postfix.take_port();
            let starts = postfix.starts_on_record();
            match postfix.try_start() {
                Ok(()) if postfix.logs_its_start(starts) => break,
                // Seldom postlogd(8) takes nothing from its socket; then each daemon that logs waits forever.
                Ok(()) => {
                    attempts -= 1;
                    if attempts == 0 {
                        postfix.fail("master(8) runs and its log stays empty");
                    }
                    postfix.kill();
                }
                Err(said) => {
                    attempts -= 1;
                    let taken = postfix.maillog().contains("Address already in use");
                    if attempts == 0 || !taken {
                        postfix.fail(&format!("`postfix start` failed:\n{said}"));
                    }
                }
            }
        }
        postfix.wait_until("smtpd greets", PATIENCE, |postfix| {
            Smtp::connect(postfix.port()).is_ok()
        });
        postfix
    }

    /// The instance's `config_directory`, for `-c` and `--config-directory`.
    pub(crate) fn config_directory(&self) -> PathBuf {
        self.folder.path.join("config")
    }

    /// The instance's `queue_directory`.
    pub(crate) fn queue_directory(&self) -> PathBuf {
        self.folder.path.join("queue")
    }

    /// Everything that the instance logged.
    pub(crate) fn maillog(&self) -> String {
        let bytes = fs::read(self.folder.path.join("maillog")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends a message by SMTP and returns its queue ID.
    ///
    /// `headers` and `body` have lines that end in `\n`. An empty `sender` is the null sender.
    pub(crate) fn send<R: AsRef<str>>(
        &self,
        sender: &str,
        recipients: &[R],
        headers: &str,
        body: &str,
    ) -> String {
        Smtp::connect(self.port())
            .and_then(|smtp| smtp.send(sender, recipients, &format!("{headers}\n{body}")))
            .unwrap_or_else(|error| self.fail(&format!("SMTP on port {}: {error}", self.port())))
    }

    /// Sends a message by SMTP after `commands` with the codes of their replies, and returns its queue ID.
    pub(crate) fn send_after(
        &self,
        commands: &[(&str, &str)],
        sender: &str,
        recipients: &[&str],
        content: &str,
    ) -> String {
        Smtp::connect(self.port())
            .and_then(|smtp| smtp.send_after(commands, sender, recipients, content))
            .unwrap_or_else(|error| self.fail(&format!("SMTP on port {}: {error}", self.port())))
    }

    /// Submits a message with `sendmail(1)`, so that it passes through maildrop; it stays there while stopped.
    pub(crate) fn submit<R: AsRef<str>>(
        &self,
        sender: &str,
        recipients: &[R],
        headers: &str,
        body: &str,
    ) {
        let command = self.command("sendmail", "-C");
        self.submit_by(command, sender, recipients, headers, body);
    }

    /// [`Self::submit`] as the local user `user`, who has the group that may write into maildrop.
    ///
    /// Without root, Postfix takes a configuration only if the default one names it
    /// (`alternate_config_directories`), so this has a default configuration of its own, in a mount namespace.
    pub(crate) fn submit_as<R: AsRef<str>>(
        &self,
        user: u32,
        sender: &str,
        recipients: &[R],
        headers: &str,
        body: &str,
    ) {
        let maildrop = fs::metadata(self.queue_directory().join("maildrop")).expect("maildrop");
        let default = self.folder.path.join("default");
        fs::create_dir_all(&default).expect("a folder in our own folder");
        let config = self.config_directory();
        let named = format!("alternate_config_directories = {}\n", config.display());
        write_settled(&default.join("main.cf"), &named);
        let inside = "mount --bind \"$1\" /etc/postfix && shift && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", inside, "sh"]);
        command.arg(&default).args(["setpriv", "--clear-groups"]);
        command.arg(format!("--reuid={user}"));
        command.arg(format!("--regid={}", maildrop.gid()));
        command.arg("--").arg(postfix_program("sendmail"));
        command.arg("-C").arg(&config).current_dir("/");
        command.env_remove("MAIL_CONFIG").env("LC_ALL", "C");
        self.submit_by(command, sender, recipients, headers, body);
    }

    fn submit_by<R: AsRef<str>>(
        &self,
        mut command: Command,
        sender: &str,
        recipients: &[R],
        headers: &str,
        body: &str,
    ) {
        command.args(["-i", "-f", sender, "--"]);
        command.args(recipients.iter().map(AsRef::as_ref));
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn(&mut command);
        let mut input = child.stdin.take().expect("a pipe was asked for");
        // A sendmail that gave up explains itself below, better than the broken pipe does.
        let _ = input.write_all(format!("{headers}\n{body}").as_bytes());
        drop(input);
        let output = child.wait_with_output();
        self.succeeded(&command, output);
    }

    /// Sends a message that the destination greylists, waits until it is in deferred, and returns its queue ID.
    pub(crate) fn defer_one(&self) -> String {
        let to = [format!("user@{GREYLISTED}")];
        let id = self.send("a@send.example", &to, "Subject: x\n", "Hello\n");
        self.wait_quiet();
        id
    }

    /// `postsuper -h`: puts a message on hold.
    pub(crate) fn hold(&self, queue_id: &str) {
        self.postsuper("-h", queue_id);
    }

    /// `postsuper -H`: releases a message from hold, to deferred.
    pub(crate) fn release(&self, queue_id: &str) {
        self.postsuper("-H", queue_id);
    }

    /// `postsuper -r`: the message goes to maildrop, and from there is taken in under another queue ID.
    pub(crate) fn requeue(&self, queue_id: &str) {
        self.postsuper("-r", queue_id);
    }

    /// `postsuper -e`: the message bounces at its next delivery attempt.
    pub(crate) fn expire(&self, queue_id: &str) {
        self.postsuper("-e", queue_id);
    }

    /// `postsuper -d`: deletes a message.
    pub(crate) fn delete(&self, queue_id: &str) {
        self.postsuper("-d", queue_id);
    }

    /// `postqueue -f`, which starts a queue manager where none runs.
    ///
    /// Under load the socket of the queue manager has no place for one more trigger, and postqueue reports that
    /// the mail system is down. So it is asked again.
    pub(crate) fn request_flush(&self) {
        let mut command = self.command("postqueue", "-c");
        command.arg("-f");
        let begun = Instant::now();
        loop {
            let output = command.output();
            let refused = output.as_ref().is_ok_and(|output| {
                String::from_utf8_lossy(&output.stderr).contains("mail system is down")
            });
            if !refused || begun.elapsed() > PATIENCE {
                self.succeeded(&command, output);
                return;
            }
            thread::sleep(POLL);
        }
    }

    /// [`Self::request_flush`], and waits until qmgr has taken up every message that was in deferred.
    pub(crate) fn flush(&self) {
        let before = self.files("deferred");
        self.request_flush();
        // A retry renames the queue file, which sets its ctime even where it comes back under the same name.
        self.wait_until("every deferred message is retried", PATIENCE, |postfix| {
            let now = postfix.files("deferred");
            before.iter().all(|(path, was)| now.get(path) != Some(was))
        });
    }

    /// Stops the instance. Its folder stays; [`Self::start_again`] goes on with it.
    pub(crate) fn stop(&self) {
        let mut command = self.command("postfix", "-c");
        self.run(command.arg("stop"));
        // Its children may outlive master by a moment, and one of them could still move a message.
        self.wait_until("no process is left", PATIENCE, |postfix| {
            processes_in(&postfix.queue_directory()).is_empty()
        });
    }

    /// Starts a stopped instance, on another port if somebody took the old one meanwhile.
    pub(crate) fn start_again(&self) {
        let mut attempts = 5;
        while let Err(said) = self.try_start() {
            attempts -= 1;
            if attempts == 0 || !self.maillog().contains("Address already in use") {
                self.fail(&format!("`postfix start` failed:\n{said}"));
            }
            self.take_port();
        }
    }

    /// Chooses a port that is free at this moment.
    fn take_port(&self) {
        let port = port_of(&listen_on_loopback());
        self.port.store(port, Ordering::Relaxed);
        self.write_master_cf();
    }

    /// The port of its SMTP server on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// Runs `postsuper ACTION QUEUE_ID`, whatever it says: mail may move meanwhile.
    pub(crate) fn operate(&self, action: &str, queue_id: &str) {
        let _ = self
            .command("postsuper", "-c")
            .args([action, queue_id])
            .output();
    }

    /// Restarts the daemons of master(8).
    pub(crate) fn reload(&self) {
        let _ = self.command("postfix", "-c").arg("reload").output();
    }

    /// What `postqueue -j` prints: one object per message, in its order. In maildrop a message has the size of its file, as
    /// current releases print it; 3.7.16, 3.8.11, 3.9.5, 3.10.4 and older print a size record where there is one.
    pub(crate) fn postqueue_j(&self) -> Vec<Value> {
        let mut command = self.command("postqueue", "-c");
        let output = self.run(command.arg("-j"));
        output
            .stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                let mut message: Value = serde_json::from_slice(line).unwrap_or_else(|error| {
                    let line = String::from_utf8_lossy(line);
                    self.fail(&format!("postqueue -j printed no JSON ({error}): {line}"))
                });
                if message["queue_name"] == "maildrop" {
                    let name = message["queue_id"].as_str().expect("a queue ID");
                    let file = self.queue_directory().join("maildrop").join(name);
                    // Whoever has just taken it knows its size no better.
                    if let Ok(metadata) = fs::metadata(file) {
                        message["message_size"] = metadata.len().into();
                    }
                }
                message
            })
            .collect()
    }

    /// What `postqueue` prints, byte for byte, where the local time is that of `zone`.
    pub(crate) fn postqueue(&self, form: &str, zone: &str) -> Vec<u8> {
        let mut command = self.command("postqueue", "-c");
        self.run(command.arg(form).env("TZ", zone)).stdout
    }

    /// The queue of each message, by queue ID, as `postqueue -j` says.
    pub(crate) fn queue_of(&self, queue_id: &str) -> Option<String> {
        self.postqueue_j()
            .into_iter()
            .find(|message| message["queue_id"] == queue_id)
            .map(|message| {
                message["queue_name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            })
    }

    /// The path of a message's queue file, wherever it is.
    pub(crate) fn queue_file(&self, queue_id: &str) -> PathBuf {
        QUEUES
            .iter()
            .flat_map(|queue| self.files(queue).into_keys())
            .find(|path| path.file_name() == Some(OsStr::new(queue_id)))
            .unwrap_or_else(|| self.fail(&format!("{queue_id}: no such queue file")))
    }

    /// Waits until `predicate` holds; fails with `what` and the maillog when it does not in `timeout`.
    pub(crate) fn wait_until(
        &self,
        what: &str,
        timeout: Duration,
        mut predicate: impl FnMut(&Self) -> bool,
    ) {
        let start = Instant::now();
        while !predicate(self) {
            if start.elapsed() > timeout {
                self.fail(&format!("waited {timeout:?} in vain until {what}"));
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until no message is in transit and nothing moves.
    pub(crate) fn wait_quiet(&self) {
        self.wait_quiet_except(0);
    }

    /// As [`Self::wait_quiet`], with that many messages to [`UNRESPONSIVE`] in active.
    pub(crate) fn wait_quiet_except(&self, active: usize) {
        let mut seen = None;
        let mut since = Instant::now();
        let what = format!("maildrop and incoming are empty, active holds {active}, nothing moves");
        self.wait_until(&what, PATIENCE, |postfix| {
            // In the way of the mail: a message that goes on while we look is seen twice rather than never.
            let now = [&QUEUES[..], &["defer", "bounce"]]
                .concat()
                .into_iter()
                .map(|queue| postfix.files(queue))
                .collect::<Vec<_>>();
            let settled = now[0].is_empty() && now[1].is_empty() && now[2].len() == active;
            if !settled || seen.as_ref() != Some(&now) {
                since = Instant::now();
            }
            seen = Some(now);
            since.elapsed() >= QUIET
        });
    }

    /// Every queue file and directory of the spool with what changes when somebody writes to it: equal before and
    /// after means that nothing was created, renamed, touched or removed in between.
    pub(crate) fn spool_state(&self) -> BTreeMap<PathBuf, FileState> {
        [&QUEUES[..], &["corrupt", "defer", "bounce"]]
            .concat()
            .into_iter()
            .flat_map(|queue| self.walk(queue))
            .map(|(path, metadata)| (path, FileState::of(&metadata)))
            .collect()
    }

    /// The files below one directory of the queue directory.
    fn files(&self, queue: &str) -> BTreeMap<PathBuf, FileState> {
        self.walk(queue)
            .into_iter()
            .filter(|(_, metadata)| !metadata.is_dir())
            .map(|(path, metadata)| (path, FileState::of(&metadata)))
            .collect()
    }

    fn walk(&self, queue: &str) -> Vec<(PathBuf, fs::Metadata)> {
        let mut found = Vec::new();
        let mut paths = vec![self.queue_directory().join(queue)];
        while let Some(path) = paths.pop() {
            // What vanishes while we look has moved on.
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                paths.extend(entries.map(|entry| entry.path()));
            }
            found.push((path, metadata));
        }
        found
    }

    fn postsuper(&self, action: &str, queue_id: &str) {
        let mut command = self.command("postsuper", "-c");
        let output = self.run(command.args([action, queue_id]));
        // postsuper does not report an unknown queue ID as an error; its count is 0.
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !said.contains(": 1 message") {
            self.fail(&format!(
                "postsuper {action} {queue_id}: not one message: {said}"
            ));
        }
    }

    /// One of Postfix's programs for this instance; `option` is its option for the configuration directory.
    fn command(&self, program: &str, option: &str) -> Command {
        let mut command = Command::new(postfix_program(program));
        // From the host's environment only what cannot lead it to another instance.
        command.env_remove("MAIL_CONFIG").env("LC_ALL", "C");
        command.arg(option).arg(self.config_directory());
        command.stdin(Stdio::null());
        command
    }

    fn spawn(&self, command: &mut Command) -> Child {
        let child = command.spawn();
        child.unwrap_or_else(|error| self.fail(&format!("{command:?}: {error}")))
    }

    fn run(&self, command: &mut Command) -> Output {
        let output = command.output();
        self.succeeded(command, output)
    }

    fn succeeded(&self, command: &Command, output: io::Result<Output>) -> Output {
        match output {
            Ok(output) if output.status.success() => output,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                self.fail(&format!("{command:?}: {}: {said}", output.status))
            }
            Err(error) => self.fail(&format!("{command:?}: {error}")),
        }
    }

    fn try_start(&self) -> Result<(), String> {
        // To a file: a daemon that kept a pipe open would keep us waiting for its end.
        let path = self.folder.path.join("start.out");
        let out = fs::File::create(&path).expect("a file in our own folder");
        let err = out.try_clone().expect("a second handle on our own file");
        let mut command = self.command("postfix", "-c");
        let resolv_conf = self.folder.path.join(RESOLV_CONF);
        if resolv_conf.exists() {
            // A mount namespace of its own, which ends with its last daemon.
            let inside = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
            command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", inside, "sh"]);
            command.arg(&resolv_conf);
            command.arg(postfix_program("postfix")).arg("-c");
            command.arg(self.config_directory());
            command.env_remove("MAIL_CONFIG").env("LC_ALL", "C");
            command.stdin(Stdio::null());
        }
        command.arg("start").stdout(out).stderr(err);
        let status = self.spawn(&mut command).wait();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!(
                "{status}: {}",
                fs::read_to_string(&path).unwrap_or_default()
            )),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Kills every process of the instance: `postfix abort` would log, too.
    fn kill(&self) {
        self.wait_until("no process is left", PATIENCE, |postfix| {
            let left = processes_in(&postfix.queue_directory());
            for process in &left {
                let _ = kill_process(*process, Signal::KILL);
            }
            left.is_empty()
        });
    }

    /// How often master(8) has logged that it runs.
    fn starts_on_record(&self) -> usize {
        self.maillog().matches("daemon started").count()
    }

    /// Whether master(8) logs one start more than `before` within ten seconds.
    fn logs_its_start(&self, before: usize) -> bool {
        let start = Instant::now();
        while self.starts_on_record() == before {
            if start.elapsed() > Duration::from_secs(10) {
                return false;
            }
            thread::sleep(POLL);
        }
        true
    }

    fn write_master_cf(&self) {
        let mut services = format!("127.0.0.1:{} inet n - n - - smtpd\n", self.port());
        services.push_str(SERVICES);
        write_settled(&self.config_directory().join("master.cf"), &services);
    }

    /// Panics with what Postfix logged last: the reason is usually there and nowhere else.
    fn fail(&self, what: &str) -> ! {
        let maillog = self.maillog();
        let lines = maillog.lines().collect::<Vec<_>>();
        let tail = &lines[lines.len().saturating_sub(MAILLOG_TAIL)..];
        panic!(
            "{what}\n--- {} of {} lines of maillog ---\n{}\n---",
            tail.len(),
            lines.len(),
            tail.join("\n")
        );
    }
}

/// What tells that Postfix touched a file: its inode, mode, and times with nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    inode: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileState {
    fn of(metadata: &fs::Metadata) -> Self {
        FileState {
            inode: metadata.ino(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The folder of one instance, and the process that clears it away.
///
/// That process and not we: it sees the end of ours however it comes, a kill included, where no destructor runs.
struct Folder {
    path: PathBuf,
    keeper: Child,
}

/// The file in the folder of an instance that is its resolv.conf.
const RESOLV_CONF: &str = "resolv.conf";

fn mount_tmpfs(directory: &Path, kibibytes: u32) {
    let status = Command::new("mount")
        .args([
            "-t",
            "tmpfs",
            "-o",
            &format!("mode=755,size={kibibytes}k"),
            "tmpfs",
        ])
        .arg(directory)
        .status()
        .expect("mount(8) runs");
    assert!(status.success(), "mount(8): {status}");
}

/// Reads until our end of the pipe closes, stops what runs in `$1`, and removes `$1`. `postfix stop` itself kills
/// what has not ended in five seconds; children that end a moment after master may still make files.
const KEEPER: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
cd /
if [ -s "$1/queue/pid/master.pid" ]; then
    timeout -k 5 20 "$2" -c "$1/config" stop >/dev/null 2>&1
fi
if mountpoint -q "$1/queue"; then
    umount "$1/queue" || umount -l "$1/queue"
fi
for wait in 0.1 0.2 0.4 0.8 1.6 0; do
    rm -rf "$1" 2>/dev/null && exit 0
    sleep "$wait"
done
echo "$1: cannot be removed" >&2
"#;

impl Folder {
    fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "a real Postfix can only be started by root: run these tests as root, in a container or a virtual machine"
        );
        let postfix = postfix_program("postfix");
        let folder = public_folder("queuewatch-postfix-");
        for directory in ["config", "queue"] {
            let path = folder.path().join(directory);
            fs::create_dir(&path).expect("a directory in our own folder");
            set_mode(&path, 0o755);
        }
        // While postlogd does not run, postsuper opens the maillog itself, as user postfix, and fails where it may not.
        let maillog = folder.path().join("maillog");
        fs::write(&maillog, "").expect("a file in our own folder");
        set_mode(&maillog, 0o666);
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", KEEPER, "keeper"])
            .arg(folder.path())
            .arg(postfix)
            .env_remove("MAIL_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            // Out of the terminal's reach: Ctrl-C ends the tests, and then it has work to do.
            .process_group(0);
        let keeper = command.spawn().expect("/bin/sh starts");
        Folder {
            path: folder.keep(),
            keeper,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Waited for, so that a test that has ended leaves nothing behind, not even for a moment.
        let _ = self.keeper.wait();
    }
}

/// Where one of Postfix's programs is. Root's PATH often lacks the sbin directories when cargo was started by sudo or cron.
fn postfix_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/lib"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!("{name}: not found: these tests need a real Postfix (apt-get install postfix)")
        })
}

fn listen_on_loopback() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1")
}

fn port_of(listener: &TcpListener) -> u16 {
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

/// The processes whose working directory is `directory`: every daemon of Postfix works in its queue directory.
pub(crate) fn processes_in(directory: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries
        .flatten()
        .filter(|entry| {
            fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(directory))
        })
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn write_main_cf(folder: &Folder, options: &Options, unresponsive_port: u16) {
    let root = folder.path.display();
    let long_ids = match options.queue_ids {
        QueueIds::Short => "no",
        QueueIds::Long => "yes",
    };
    let depth = options.hash_queue_depth;
    let mut text = format!(
        "queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
enable_long_queue_ids = {long_ids}
hash_queue_depth = {depth}
transport_maps = inline:{{
    {{ {DELIVERED} = discard: }},
    {{ {GREYLISTED} = retry:4.7.1 {GREYLISTED_REASON} }},
    {{ {FULL} = retry:4.2.2 {FULL_REASON} }},
    {{ {REJECTED} = error:5.1.1 user unknown }},
    {{ {UNRESPONSIVE} = smtp:[127.0.0.1]:{unresponsive_port} }} }}
header_checks = regexp:{{
    {{/^Subject: {HOLD_SUBJECT}/ HOLD per subject}},
    {{/^X-Redirect:/ REDIRECT {REDIRECT_TARGET}}} }}
"
    );
    text.push_str(SETTINGS);
    for line in &options.main_cf {
        writeln!(text, "{line}").expect("a String takes all");
    }
    write_settled(&folder.path.join("config/main.cf"), &text);
}

/// Writes a file of settings as if an hour ago: every Postfix program that reads one of the last two seconds waits
/// until it is older, in case somebody still writes it.
fn write_settled(path: &Path, text: &str) {
    let mut file = fs::File::create(path).expect("a file in our own folder");
    file.write_all(text.as_bytes())
        .expect("room for a small file");
    file.set_modified(SystemTime::now() - Duration::from_secs(3600))
        .expect("a time stamp of our own file");
}

/// Nothing here needs DNS, another host, or a user but Postfix's own; what waits is not retried while a test runs.
/// `smtpd_reject_unlisted_recipient`: else smtpd itself refuses, at RCPT, what `retry:` and `error:` are to defer and bounce.
const SETTINGS: &str = "compatibility_level = 2
myhostname = mail.queuewatch.test
mydomain = queuewatch.test
myorigin = $myhostname
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_limit = 20000
smtpd_reject_unlisted_recipient = no
smtpd_client_restrictions =
smtpd_tls_security_level = none
smtp_tls_security_level =
local_recipient_maps =
alias_maps =
alias_database =
local_transport = error:local mail disabled
relayhost = [127.0.0.1]:1
disable_dns_lookups = yes
smtp_host_lookup = native
hash_queue_names = deferred, defer
queue_run_delay = 300s
minimal_backoff_time = 300s
maximal_backoff_time = 4000s
message_size_limit = 20480000
mailbox_size_limit = 0
notify_classes =
in_flow_delay = 0
anvil_status_update_time = 600s
multi_instance_name = postfix-queuewatch
";

/// As Postfix ships it, without chroot.
const SERVICES: &str = "pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
