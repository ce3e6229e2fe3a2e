//! The terminal device: taken over, and given back as it was found, also after a panic.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::escape::printable;
use queuewatch::sys;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};

use crate::FAILED;

/// The alternate screen, no cursor, and a clean one.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[0m\x1b[2J";
/// The reverse of [`ENTER`].
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";
/// How long the last bytes may take when the terminal is given back.
const LAST: Duration = Duration::from_millis(500);

/// The terminal device, and how it was found.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) fd: OwnedFd,
    found: Termios,
    /// Whether it is taken over.
    taken: AtomicBool,
}

/// The error for whoever has no terminal.
fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("top needs a terminal: {why}")).with_remedy(
        "use queuewatch status for one look, or queuewatch watch for a stream of lines",
    )
}

/// Returns an error that names the remedy unless standard input and output are a terminal that can move its
/// cursor.
pub(super) fn check() -> Result<()> {
    for (fd, name) in [
        (io::stdin().as_fd(), "standard input"),
        (io::stdout().as_fd(), "standard output"),
    ] {
        if !isatty(fd) {
            return Err(refuse(&format!("{name} is none")));
        }
    }
    match std::env::var("TERM").as_deref() {
        Ok("") | Err(_) => Err(refuse("TERM is not set")),
        Ok("dumb") => Err(refuse("TERM is dumb")),
        Ok(_) => Ok(()),
    }
}

/// Whether the locale of this process is one of UTF-8 (locale(7): the first of these that is set counts).
pub(super) fn speaks_utf8() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Whether the terminal that TERM names has colours.
pub(super) fn has_colors() -> bool {
    std::env::var("TERM").is_ok_and(|term| colors(&term))
}

/// Whether a terminal of the type `term` has colours. A name that ends in -m is of one without (term(7)), and of DEC's
/// terminals the VT525 alone has some.
fn colors(term: &str) -> bool {
    let digits = term.strip_prefix("vt").unwrap_or_default();
    let is_plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && !digits.starts_with("525")
        && !term.contains("color");
    !is_plain && !term.ends_with("-m") && !term.ends_with("-mono")
}

impl Device {
    /// Opens the terminal of standard output a second time: O_NONBLOCK belongs to the open file, which the
    /// shell shares.
    pub(super) fn open() -> Result<Device> {
        let stdout = io::stdout();
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let open = |path: &std::ffi::CStr| rustix::fs::open(path, flags, Mode::empty());
        let by_name = rustix::termios::ttyname(&stdout, Vec::new());
        let fd = by_name
            .and_then(|name| open(&name))
            .or_else(|_| open(c"/dev/tty"))
            .map_err(|errno| refuse(&format!("cannot open it: {}", io::Error::from(errno))))?;
        let found = tcgetattr(&fd).map_err(|errno| {
            refuse(&format!(
                "cannot ask for its modes: {}",
                io::Error::from(errno)
            ))
        })?;
        Ok(Device {
            fd,
            found,
            taken: AtomicBool::new(false),
        })
    }

    pub(super) fn take(&self) -> rustix::io::Result<()> {
        let mut raw = self.found.clone();
        raw.make_raw();
        tcsetattr(&self.fd, OptionalActions::Now, &raw)?;
        self.taken.store(true, Ordering::Release);
        self.write_all(ENTER)
    }

    /// Gives the terminal back, if it is taken. Errors are ignored: a line that was cut off has no modes.
    pub(super) fn give_back(&self) {
        if self.taken.swap(false, Ordering::AcqRel) {
            let _ = self.write_all(LEAVE);
            let _ = tcsetattr(&self.fd, OptionalActions::Now, &self.found);
        }
    }

    /// Writes all of `bytes`, within [`LAST`].
    pub(super) fn write_all(&self, mut bytes: &[u8]) -> rustix::io::Result<()> {
        let until = Instant::now() + LAST;
        while !bytes.is_empty() {
            match rustix::io::write(&self.fd, bytes) {
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(Errno::AGAIN) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Errno::AGAIN);
                    }
                    let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
                    sys::wait_for(&mut fds, Some(left))?;
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// After a panic of any thread the terminal is given back, the words about it are printed (they may quote text of a
/// spool), and the program ends: the thread of the screen would wait for one that is gone.
pub(super) fn give_back_after_a_panic(device: Arc<Device>) {
    std::panic::set_hook(Box::new(move |panic| {
        device.give_back();
        let payload = panic.payload();
        let words = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no words");
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        eprintln!(
            "queuewatch: top failed at {place}: {}; please report this",
            printable(words.as_bytes(), 400)
        );
        std::process::exit(FAILED.into());
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::terminal::Terminal;

    #[test]
    fn terminals_without_colours_are_known_by_their_names() {
        for term in [
            "xterm",
            "xterm-256color",
            "linux",
            "vt525",
            "vte",
            "vte-256color",
            "vt100-color",
        ] {
            assert!(colors(term), "{term}");
        }
        for term in [
            "vt100",
            "vt220",
            "vt420",
            "xterm-m",
            "linux-m",
            "xterm-mono",
            "vt320-k3",
        ] {
            assert!(!colors(term), "{term}");
        }
    }

    /// The test runs itself in a pseudo-terminal, where it panics.
    #[test]
    fn a_panic_gives_the_terminal_back_and_ends_the_program() {
        use crate::top::pseudo_terminal::PseudoTerminal;
        use rustix::termios::LocalModes;
        use std::process::{Command, Stdio};
        const MARK: &str = "QUEUEWATCH_TEST_PANICS";
        const NAME: &str =
            "top::device::tests::a_panic_gives_the_terminal_back_and_ends_the_program";
        if std::env::var_os(MARK).is_some() {
            let terminal = Terminal::open(true).unwrap();
            // In a thread that is not joined, and with text from a spool.
            let fallen = std::thread::spawn(|| panic!("fell over \u{1b}[2J{}", "x".repeat(9)));
            std::thread::sleep(Duration::from_secs(600));
            drop((terminal, fallen));
        }
        let terminal = PseudoTerminal::open();
        let device = terminal.device();
        let output = Command::new("setsid")
            .arg("--ctty")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(MARK, "1")
            .env("TERM", "xterm")
            .stdin(Stdio::from(terminal.device()))
            .stdout(Stdio::from(terminal.device()))
            .stderr(Stdio::piped())
            .output()
            .expect("setsid runs (Debian package util-linux)");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("top failed at ") && said.contains("fell over ?[2Jxxx"),
            "{said}"
        );
        let place =
            |shown: &[u8], part: &[u8]| shown.windows(part.len()).position(|window| window == part);
        // The line hands over what was written in pieces, a moment later.
        let mut shown = Vec::new();
        while place(&shown, LEAVE).is_none() {
            let mut line = [PollFd::new(&terminal.line, PollFlags::IN)];
            sys::wait_for(&mut line, Some(Duration::from_secs(60))).unwrap();
            assert!(line[0].revents().contains(PollFlags::IN), "{shown:?}");
            let mut piece = [0; 4096];
            let length = rustix::io::read(&terminal.line, &mut piece).unwrap();
            shown.extend_from_slice(&piece[..length]);
        }
        assert!(place(&shown, ENTER).unwrap() < place(&shown, LEAVE).unwrap());
        let modes = tcgetattr(&device).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
    }
}
