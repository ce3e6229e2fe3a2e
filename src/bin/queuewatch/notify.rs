//! Notifies systemd that the process is alive (sd_notify(3)), through the socket in `NOTIFY_SOCKET`.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The supervisor of this process, if it has one.
pub(crate) struct Supervisor(Option<(UnixDatagram, SocketAddr)>);

impl Supervisor {
    /// Returns the supervisor in `NOTIFY_SOCKET`.
    pub(crate) fn from_environment() -> Supervisor {
        Supervisor(std::env::var_os("NOTIFY_SOCKET").and_then(|name| reach(&name)))
    }

    /// Reports that all is well; `begun` for the first time. A supervisor that has gone is ignored.
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
