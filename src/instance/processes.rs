//! What /proc says of processes: their state, their parent and their children, and why that is hidden.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::Error;
use crate::escape;

/// Maximum bytes of a list of children or of a stat file: some 8,000 processes.
const MAX_BYTES: usize = 64 << 10;
/// Maximum entries of /proc to look at.
const MAX_ENTRIES: usize = 200_000;

/// A process, and when it was started: a PID alone may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its PID.
    pub pid: u32,
    /// When it was started, in clock ticks since boot.
    pub(crate) started: u64,
}

/// What /proc/PID/stat says (proc_pid_stat(5)).
#[derive(Debug)]
pub(super) struct Status {
    pub(super) process: Process,
    pub(super) parent: u32,
    pub(super) state: u8,
    pub(super) command: Vec<u8>,
}

impl Status {
    /// Returns true if it can work: it is not dead and not stopped by a signal. A process that a debugger holds
    /// for a moment counts as alive.
    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x' | b'T')
    }
}

pub(super) fn status(proc: &Path, pid: u32) -> io::Result<Status> {
    let text = read(&proc.join(pid.to_string()).join("stat"))?;
    parse_status(&text).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// `812 (master) S 1 ...`: the command may hold brackets and blanks; field 22 is the time of the start.
fn parse_status(text: &[u8]) -> Option<Status> {
    let opens = memchr::memchr(b'(', text)?;
    let closes = memchr::memrchr(b')', text)?;
    let command = text.get(opens + 1..closes)?.to_vec();
    let pid = std::str::from_utf8(text.get(..opens)?).ok()?;
    let rest = std::str::from_utf8(text.get(closes + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Status {
        process: Process {
            pid: pid.trim().parse().ok()?,
            started,
        },
        parent,
        state,
        command,
    })
}

/// The children of `pid`, if the kernel lists them (CONFIG_PROC_CHILDREN).
pub(super) fn children(proc: &Path, pid: u32) -> io::Result<Vec<u32>> {
    let pid = pid.to_string();
    let text = read(&proc.join(&pid).join("task").join(&pid).join("children"))?;
    let text = String::from_utf8_lossy(&text);
    let pids = text.split_ascii_whitespace();
    Ok(pids.filter_map(|pid| pid.parse().ok()).collect())
}

/// All processes that `proc` lists.
pub(super) fn processes(proc: &Path) -> Result<Vec<u32>, String> {
    let unread = |cause: io::Error| why(proc, &cause);
    let mut pids = Vec::new();
    for (count, entry) in fs::read_dir(proc).map_err(unread)?.enumerate() {
        if count >= MAX_ENTRIES {
            return Err(format!("more than {MAX_ENTRIES} entries in /proc"));
        }
        let name = entry.map_err(unread)?.file_name();
        pids.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(pids)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a process has ended: its files go, or reading them fails.
pub(super) fn is_gone(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound || cause.raw_os_error() == Some(libc::ESRCH)
}

/// Why nothing is known where the entry of a process cannot be read.
pub(super) fn hidden(proc: &Path, pid: u32, cause: &io::Error) -> String {
    let path = proc.join(pid.to_string());
    match is_gone(cause) {
        true => format!(
            "{} is not shown to this user (hidepid, ProtectProc, a container) or has just ended",
            escape::path(&path)
        ),
        false => why(&path.join("stat"), cause),
    }
}

fn why(path: &Path, cause: &io::Error) -> String {
    Error::io("read", path, cause).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_stat_files_are_refused() {
        for text in [
            "",
            "1",
            "1 (",
            "1 )(",
            "1 (a) S",
            "x (a) S 1",
            "1 (a) S 1 2 3",
        ] {
            assert!(parse_status(text.as_bytes()).is_none(), "{text}");
        }
        assert!(parse_status(b"\xff(\xff)\xff").is_none());
    }
}
