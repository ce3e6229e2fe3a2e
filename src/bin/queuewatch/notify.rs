//! Word to systemd that we are there (sd_notify(3)): by the socket that it names, if it does.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Who started us, and wants to hear from us.
pub(crate) struct Supervisor(Option<(UnixDatagram, SocketAddr)>);

impl Supervisor {
    /// The one that `NOTIFY_SOCKET` names.
    pub(crate) fn from_environment() -> Supervisor {
        Supervisor(std::env::var_os("NOTIFY_SOCKET").and_then(|name| reach(&name)))
    }

    /// All is well; `begun` if that is so for the first time. A supervisor that has gone is no trouble
    /// of ours.
    pub(crate) fn alive(&self, begun: bool) {
        let Some((socket, to)) = &self.0 else {
            return;
        };
        let text: &[u8] = match begun {
            true => b"READY=1\nWATCHDOG=1",
            false => b"WATCHDOG=1",
        };
        let _ = socket.send_to_addr(text, to);
    }
}

fn reach(name: &OsString) -> Option<(UnixDatagram, SocketAddr)> {
    let to = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok()?,
        [b'/', ..] => SocketAddr::from_pathname(name).ok()?,
        _ => return None,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, to))
}
