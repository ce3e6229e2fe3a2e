//! A pseudo-terminal for a program of a test. It needs nothing but rustix, so the unit tests of `queuewatch top` use it too.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// The end of the test. What the program writes is read here; dropping it cuts the line off.
pub(crate) struct PseudoTerminal {
    pub(crate) line: OwnedFd,
    name: CString,
}

impl PseudoTerminal {
    pub(crate) fn open() -> PseudoTerminal {
        let line = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&line).unwrap();
        unlockpt(&line).unwrap();
        let name = ptsname(&line, Vec::new()).unwrap();
        PseudoTerminal { line, name }
    }

    /// The end of the program, once more at each call.
    pub(crate) fn device(&self) -> OwnedFd {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        rustix::fs::open(&self.name, flags, Mode::empty()).unwrap()
    }
}
