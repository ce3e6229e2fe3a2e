//! Writes changes of the state, and of what is breached, to systemd-journald, with fields, by its native protocol.
//!
//! A datagram is a list of fields: `NAME=VALUE` and a newline, or, for a value with newlines, `NAME`, a newline, the length
//! as 64 bits little endian, the value and a newline (systemd, "Native Journal Protocol"). A field may stand several
//! times.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use queuewatch::error::{Error, Result};
use queuewatch::render::plugin;
use queuewatch::rules::{State, Verdict};
use queuewatch::snapshot::Snapshot;
use queuewatch::watch::HoldDown;

/// Where journald listens.
pub(crate) const SOCKET: &str = "/run/systemd/journal/socket";
/// Marks every entry: `journalctl MESSAGE_ID=...`.
pub(crate) const MESSAGE_ID: &str = "5d1f0b6c0c0e4a0db9b1f4f7a3c2e815";

/// The journal of this host.
pub(crate) struct Journal {
    path: PathBuf,
    /// Connected at the first change, and again after a failure: journald may restart.
    socket: Option<UnixDatagram>,
    /// The state of the last change; `None` before the first.
    state: Option<State>,
    /// What is breached, and how badly.
    breaches: HoldDown<BTreeSet<String>>,
}

impl Journal {
    /// The journal that listens at `path`. What is breached counts as changed after it has lasted.
    pub(crate) fn at(path: PathBuf, lasting: Duration) -> Journal {
        Journal {
            path,
            socket: None,
            state: None,
            breaches: HoldDown::new(lasting),
        }
    }

    /// Writes an entry if the state changes, as `change` says with the state before, or what is breached.
    pub(crate) fn follow(
        &mut self,
        change: Option<State>,
        snapshot: &Snapshot,
        verdict: &Verdict,
    ) -> Option<Result<()>> {
        let breaches = breaches(verdict);
        let before = match change {
            Some(before) => {
                self.breaches.settle(breaches);
                before
            }
            // A state that has not lasted yet is not reported with what is breached either.
            None if self.state != Some(verdict.state) => return None,
            None => {
                self.breaches.follow(breaches, Instant::now())?;
                verdict.state
            }
        };
        let first = self.state.replace(verdict.state).is_none();
        Some(self.write(&fields(before, first, snapshot, verdict)))
    }

    fn write(&mut self, datagram: &[u8]) -> Result<()> {
        let outcome = match &self.socket {
            Some(socket) => socket.send(datagram).map(drop),
            None => Err(io::Error::from(io::ErrorKind::NotConnected)),
        };
        if outcome.is_ok() {
            return Ok(());
        }
        self.socket = None;
        let sent = connect(&self.path).and_then(|socket| {
            socket.send(datagram)?;
            Ok(socket)
        });
        let explained = |cause: io::Error| {
            Error::io("write to", &self.path, &cause)
                .with_remedy("check that systemd-journald runs, or leave --journal out")
        };
        self.socket = Some(sent.map_err(explained)?);
        Ok(())
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A journal that does not read must not stop the watch.
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// The priority of a state: those of syslog(3).
fn priority(state: State) -> &'static str {
    match state {
        State::Critical => "2",
        State::Unknown => "3",
        State::Warning => "4",
        State::Ok => "6",
    }
}

/// The measures that are breached, each with its state.
fn breaches(verdict: &Verdict) -> BTreeSet<String> {
    let findings = verdict.findings.iter();
    findings
        .flat_map(|one| one.rule.measures().map(move |measure| (one.state, measure)))
        .map(|(state, measure)| format!("{state} {measure}"))
        .collect()
}

fn fields(before: State, first: bool, snapshot: &Snapshot, verdict: &Verdict) -> Vec<u8> {
    let mut datagram = Vec::new();
    let message = plugin::service_output(snapshot, verdict);
    push(&mut datagram, "MESSAGE", &message);
    push(&mut datagram, "MESSAGE_ID", MESSAGE_ID);
    push(&mut datagram, "PRIORITY", priority(verdict.state));
    push(&mut datagram, "SYSLOG_IDENTIFIER", "queuewatch");
    push(
        &mut datagram,
        "QUEUEWATCH_STATE",
        &verdict.state.to_string(),
    );
    push(&mut datagram, "QUEUEWATCH_BEFORE", &before.to_string());
    // A start is no change, and must not pass for one.
    push(
        &mut datagram,
        "QUEUEWATCH_FIRST",
        if first { "1" } else { "0" },
    );
    push(
        &mut datagram,
        "QUEUEWATCH_CHANGED",
        if before == verdict.state { "0" } else { "1" },
    );
    for measure in verdict.findings.iter().flat_map(|one| one.rule.measures()) {
        push(&mut datagram, "QUEUEWATCH_MEASURE", &measure.to_string());
    }
    datagram
}

/// Appends a field.
fn push(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_newlines_has_its_length_in_front() {
        let mut datagram = Vec::new();
        push(&mut datagram, "A", "b=c");
        push(&mut datagram, "B", "c\nd");
        assert_eq!(datagram, b"A=b=c\nB\n\x03\0\0\0\0\0\0\0c\nd\n");
    }
}
