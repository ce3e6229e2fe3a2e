//! The terminal: what it is asked for, what it sends, and that it is left as it was found.
//!
//! [`Terminal::open`] takes the terminal over: raw mode, the alternate screen, no cursor. It is given back when
//! the value is dropped, when any thread panics, when a signal ends or stops the program, and when the line is
//! cut off. Signals arrive through a descriptor (signalfd(2)), so that no handler runs.
//!
//! Output never waits: the terminal is opened a second time for itself, without blocking, and a screen that a
//! slow line has not taken yet delays the next one. A cell is written only if it changed. [`encode`] is the one
//! door to the terminal: a character that a terminal could interpret is replaced there, whatever came before.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use queuewatch::error::{Error, ErrorKind, Result};
use queuewatch::escape::{obeyed, printable};
use queuewatch::sys;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use super::keys::{Key, Keys};
use crate::FAILED;

/// The alternate screen, no cursor, and a clean one.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[0m\x1b[2J";
/// The reverse of [`ENTER`].
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";
/// How long the end of an escape sequence may take on a slow line.
const SEQUENCE: Duration = Duration::from_millis(150);
/// How long the last bytes may take when the terminal is given back.
const LAST: Duration = Duration::from_millis(500);
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

/// The terminal device, and how it was found.
#[derive(Debug)]
struct Device {
    fd: OwnedFd,
    found: Termios,
    /// Whether it is taken over.
    taken: AtomicBool,
}

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
    /// Whether `unsent` does no more than clear the screen.
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

impl Device {
    /// Opens the terminal of standard output a second time: O_NONBLOCK belongs to the open file, which the
    /// shell shares.
    fn open() -> Result<Device> {
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

    fn take(&self) -> rustix::io::Result<()> {
        let mut raw = self.found.clone();
        raw.make_raw();
        tcsetattr(&self.fd, OptionalActions::Now, &raw)?;
        self.taken.store(true, Ordering::Release);
        self.write_all(ENTER)
    }

    /// Gives the terminal back, if it is taken. Errors are ignored: a line that was cut off has no modes.
    fn give_back(&self) {
        if self.taken.swap(false, Ordering::AcqRel) {
            let _ = self.write_all(LEAVE);
            let _ = tcsetattr(&self.fd, OptionalActions::Now, &self.found);
        }
    }

    /// Writes all of `bytes`, within [`LAST`].
    fn write_all(&self, mut bytes: &[u8]) -> rustix::io::Result<()> {
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

/// After a panic of any thread the terminal is given back, the words about it are printed (they may quote text of a
/// spool), and the program ends: the thread of the screen would wait for one that is gone.
fn give_back_after_a_panic(device: Arc<Device>) {
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

/// Appends what makes the terminal show `cells`, each at its column and row.
fn encode(cells: &[(u16, u16, &Cell)], utf8: bool, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let mut style = None;
    let mut next = None;
    for (column, row, cell) in cells {
        if next != Some((*column, *row)) {
            // Writing into a Vec cannot fail.
            let _ = write!(out, "\x1b[{};{}H", row + 1, column + 1);
        }
        let present = (cell.fg, cell.bg, cell.modifier);
        if style != Some(present) {
            style = Some(present);
            rendition(cell, out);
        }
        let symbol = cell.symbol();
        let harmless = |character: char| !obeyed(character) && (utf8 || character.is_ascii());
        let narrow = symbol.chars().count() == 1;
        match narrow && symbol.chars().all(harmless) {
            true => out.extend_from_slice(symbol.as_bytes()),
            false => out.push(b'?'),
        }
        next = Some((column + 1, *row));
    }
    if style.is_some() {
        out.extend_from_slice(b"\x1b[0m");
    }
}

/// Appends `bytes` in base64 (RFC 4648, section 4).
fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            match place <= chunk.len() {
                true => out.push(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]),
                false => out.push(b'='),
            }
        }
    }
}

/// Appends the graphic rendition of `cell` (ECMA-48, 8.3.117), from the 16 colours that every terminal has.
fn rendition(cell: &Cell, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[0");
    for (modifier, code) in [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
    ] {
        if cell.modifier.contains(modifier) {
            out.extend_from_slice(code.as_bytes());
        }
    }
    if let Some(color) = number(cell.fg) {
        let code = if color < 8 { 30 + color } else { 82 + color };
        out.extend_from_slice(format!(";{code}").as_bytes());
    }
    if let Some(color) = number(cell.bg) {
        let code = if color < 8 { 40 + color } else { 92 + color };
        out.extend_from_slice(format!(";{code}").as_bytes());
    }
    out.push(b'm');
}

/// The number of one of the 16 colours.
fn number(color: Color) -> Option<u8> {
    Some(match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Style;

    fn encoded(text: &str, style: Style, utf8: bool) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        for (place, character) in text.chars().enumerate() {
            // The buffer takes any symbol; the door must not.
            let mut symbol = [0; 4];
            let cell = &mut buffer[(2 + place as u16, 1)];
            cell.set_symbol(character.encode_utf8(&mut symbol));
            cell.set_style(style);
        }
        let mut out = Vec::new();
        encode(&Buffer::empty(buffer.area).diff(&buffer), utf8, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_changed_is_written_at_its_place() {
        let bold = Style::new().add_modifier(Modifier::BOLD).fg(Color::Red);
        assert_eq!(encoded("ab", bold, true), "\x1b[2;3H\x1b[0;1;31mab\x1b[0m");
        let bright = Style::new().fg(Color::LightGreen).bg(Color::DarkGray);
        assert_eq!(
            encoded("a", bright, true),
            "\x1b[2;3H\x1b[0;92;100ma\x1b[0m"
        );
        assert_eq!(encoded("", bold, true), "");
    }

    #[test]
    fn nothing_that_a_terminal_could_interpret_passes_the_door() {
        for hostile in ["\x1b", "\x07", "\u{9b}", "\u{202e}", "\r", "\u{85}", "\0"] {
            let plain = encoded(hostile, Style::new(), true);
            assert_eq!(plain, "\x1b[2;3H\x1b[0m?\x1b[0m", "{hostile:?}");
        }
        let bar = encoded("\u{2588}", Style::new(), true);
        assert_eq!(bar, "\x1b[2;3H\x1b[0m\u{2588}\x1b[0m");
        assert_eq!(
            encoded("\u{2588}", Style::new(), false),
            "\x1b[2;3H\x1b[0m?\x1b[0m"
        );
    }

    /// The test runs itself in a pseudo-terminal, where it panics.
    #[test]
    fn a_panic_gives_the_terminal_back_and_ends_the_program() {
        use crate::top::pseudo_terminal::PseudoTerminal;
        use rustix::termios::LocalModes;
        use std::process::{Command, Stdio};
        const MARK: &str = "QUEUEWATCH_TEST_PANICS";
        const NAME: &str =
            "top::terminal::tests::a_panic_gives_the_terminal_back_and_ends_the_program";
        if std::env::var_os(MARK).is_some() {
            let terminal = Terminal::open(true).unwrap();
            // Of a thread that nobody joins, and with words of a stranger.
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

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            base64(text.as_bytes(), &mut out);
            assert_eq!(out, coded.as_bytes());
        }
    }
}
