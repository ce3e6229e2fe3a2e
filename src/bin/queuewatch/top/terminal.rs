//! The terminal: what it is asked for, what it sends, and that it is left as it was found.
//!
//! [`Terminal::open`] takes the terminal over: raw mode, the alternate screen, no cursor. It is given back when
//! the value is dropped, when any thread panics, when a signal ends or stops the program, and when the line is
//! cut off. Signals arrive through a descriptor (signalfd(2)), so that no handler runs.
//!
//! Output never waits: the terminal is opened a second time for itself, without blocking, and a screen that a
//! slow line has not taken yet delays the next one. A cell is written only if it changed.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::sys;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::io::Errno;
use rustix::termios::tcgetwinsize;

use super::device::{Device, give_back_after_a_panic};
use super::encode::{base64, encode};
use super::keys::{Key, Keys};

/// How long the end of an escape sequence may take on a slow line.
const SEQUENCE: Duration = Duration::from_millis(150);
/// The largest screen, in columns and in rows: a terminal that claims more gets this much.
const MAX_SIDE: u16 = 500;

/// The signals that end the program.
const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// Something that the terminal or the system did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happened {
    Key(Key),
    /// The size may be another, or the screen may have been overwritten.
    Resized,
    /// This signal asks for the end. A line that was cut off is SIGHUP, which may come or not.
    Signal(i32),
}

/// The line was cut off.
const HUNG_UP: Happened = Happened::Signal(libc::SIGHUP);

/// The terminal while it is ours.
#[derive(Debug)]
pub(super) struct Terminal {
    device: Arc<Device>,
    signals: OwnedFd,
    news: Arc<OwnedFd>,
    keys: Keys,
    /// What the terminal shows once [`Terminal::unsent`] is written.
    shown: Buffer,
    /// Bytes that the line has not taken yet.
    unsent: Vec<u8>,
    /// Whether `unsent` only clears the screen.
    forgotten: bool,
    /// Whether characters beyond ASCII can be shown.
    utf8: bool,
}

/// Wakes [`Terminal::wait`] from another thread.
#[derive(Clone, Debug)]
pub(super) struct Bell(Arc<OwnedFd>);

impl Bell {
    pub(super) fn ring(&self) {
        // It cannot fail but by counting beyond 2^64.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

fn failed(action: &str, cause: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot {action}: {cause}"))
}

impl Terminal {
    /// Takes over the terminal that [`check`] has accepted, in a locale of UTF-8 or not. Call it before any other
    /// thread is started, for threads inherit which signals have handlers.
    pub(super) fn open(utf8: bool) -> Result<Terminal> {
        let device = Arc::new(Device::open()?);
        let mut signals = ENDING.to_vec();
        signals.extend([libc::SIGWINCH, libc::SIGCONT, libc::SIGTSTP]);
        let signals =
            sys::take_signals(&signals).map_err(|cause| failed("take signals", &cause))?;
        let news = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| failed("make an eventfd", &errno.into()))?;
        give_back_after_a_panic(Arc::clone(&device));
        device
            .take()
            .map_err(|errno| failed("set the terminal", &errno.into()))?;
        let mut terminal = Terminal {
            device,
            signals,
            news: Arc::new(news),
            keys: Keys::default(),
            shown: Buffer::default(),
            unsent: Vec::new(),
            forgotten: false,
            utf8,
        };
        terminal.forget();
        Ok(terminal)
    }

    /// What wakes [`Terminal::wait`].
    pub(super) fn bell(&self) -> Bell {
        Bell(Arc::clone(&self.news))
    }

    /// Forgets what the terminal shows: the next screen is written as a whole, in the present size.
    pub(super) fn forget(&mut self) {
        self.shown = Buffer::empty(self.area());
        self.unsent.clear();
        self.unsent.extend_from_slice(b"\x1b[0m\x1b[2J");
        self.forgotten = true;
    }

    /// Gives the terminal back, and writes `text` after the screen as far as the line takes it: who ended us by a signal
    /// does not wait for a reader.
    pub(super) fn leave(self, text: &str) {
        self.device.give_back();
        let _ = self.device.write_all(text.as_bytes());
    }

    fn area(&self) -> Rect {
        let (columns, rows) = match tcgetwinsize(&self.device.fd) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col, size.ws_row),
            // A serial line does not know: tty_ioctl(4) gives 0.
            _ => (80, 24),
        };
        Rect::new(0, 0, columns.min(MAX_SIDE), rows.min(MAX_SIDE))
    }

    /// Whether a screen may be drawn: a slow line has taken the one before.
    pub(super) fn is_ready(&self) -> bool {
        self.unsent.is_empty() || self.forgotten
    }

    /// Draws a screen: `draw` fills the buffer, and what differs is sent.
    pub(super) fn show(&mut self, draw: impl FnOnce(&mut Buffer)) -> Result<()> {
        let mut next = Buffer::empty(self.shown.area);
        draw(&mut next);
        encode(&self.shown.diff(&next), self.utf8, &mut self.unsent);
        self.shown = next;
        self.forgotten = false;
        self.send()
    }

    /// Puts `text` into the clipboard of the terminal, if it has one (xterm's OSC 52).
    pub(super) fn copy(&mut self, text: &str) -> Result<()> {
        self.unsent.extend_from_slice(b"\x1b]52;c;");
        base64(text.as_bytes(), &mut self.unsent);
        self.unsent.push(0x07);
        self.send()
    }

    /// Writes as much as the line takes now.
    fn send(&mut self) -> Result<()> {
        while !self.unsent.is_empty() {
            match rustix::io::write(&self.device.fd, &self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                // Whoever waits learns that the line was cut off.
                Err(Errno::IO) => self.unsent.clear(),
                Err(errno) => return Err(failed("write to the terminal", &errno.into())),
            }
        }
        Ok(())
    }

    /// Waits until something happens, at most `within`, and returns all of it.
    pub(super) fn wait(&mut self, within: Duration) -> Result<Vec<Happened>> {
        let mut happened = Vec::new();
        let within = match self.keys.waits() {
            true => within.min(SEQUENCE),
            false => within,
        };
        let (input, signals, news) = {
            let mut interest = PollFlags::IN;
            if !self.unsent.is_empty() {
                interest |= PollFlags::OUT;
            }
            let mut fds = [
                PollFd::from_borrowed_fd(self.device.fd.as_fd(), interest),
                PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(self.news.as_fd(), PollFlags::IN),
            ];
            sys::wait_for(&mut fds, Some(within)).map_err(|errno| failed("wait", &errno.into()))?;
            (
                fds[0].revents(),
                !fds[1].revents().is_empty(),
                !fds[2].revents().is_empty(),
            )
        };
        if signals {
            while let Some(signal) = sys::next_signal(&self.signals) {
                happened.push(self.take_signal(signal)?);
            }
        }
        if input.contains(PollFlags::IN) {
            self.read(&mut happened);
        } else if input.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            happened.push(HUNG_UP);
        } else if let (true, Some(key)) = (self.keys.waits(), self.keys.timed_out()) {
            happened.push(Happened::Key(key));
        }
        if input.contains(PollFlags::OUT) {
            self.send()?;
        }
        if news {
            let mut count = [0; 8];
            let _ = rustix::io::read(&*self.news, &mut count);
        }
        Ok(happened)
    }

    fn read(&mut self, happened: &mut Vec<Happened>) {
        let mut bytes = [0; 1024];
        match rustix::io::read(&self.device.fd, &mut bytes) {
            Ok(0) => happened.push(HUNG_UP),
            Ok(length) => {
                let keys = self.keys.read(bytes.get(..length).unwrap_or_default());
                happened.extend(keys.into_iter().map(Happened::Key));
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => happened.push(HUNG_UP),
        }
    }

    fn take_signal(&mut self, signal: i32) -> Result<Happened> {
        match signal {
            libc::SIGTSTP => self.stop(),
            libc::SIGCONT => self.again(),
            libc::SIGWINCH => {
                self.forget();
                Ok(Happened::Resized)
            }
            signal => Ok(Happened::Signal(signal)),
        }
    }

    /// Stops the program, as Ctrl-Z does elsewhere, with the terminal given back until it continues.
    pub(super) fn stop(&mut self) -> Result<Happened> {
        self.device.give_back();
        // It returns when somebody continues the program.
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        self.again()
    }

    /// Takes the terminal again, as far as somebody else has set it meanwhile. A line that was cut off continues
    /// whoever was stopped, too (SIGCONT after SIGHUP).
    fn again(&mut self) -> Result<Happened> {
        match self.device.take() {
            Ok(()) => {
                self.forget();
                Ok(Happened::Resized)
            }
            Err(Errno::IO) => Ok(HUNG_UP),
            Err(errno) => Err(failed("set the terminal", &errno.into())),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.device.give_back();
    }
}
