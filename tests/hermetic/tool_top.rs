//! `queuewatch top` in a pseudo-terminal: what it refuses, what keys do, and how it ends. Needs setsid (Debian package
//! util-linux).

use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use queuewatch::drill::{self, Delay, Plan, QueueFile};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::support::pseudo_terminal::PseudoTerminal;
use crate::support::spool::Spool;

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
/// How long something may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The screen of a terminal that knows what top sends, and nothing else: any other byte fails the test.
struct Screen {
    cells: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Whether the alternate screen is shown, and whether the cursor is.
    alternate: bool,
    cursor: bool,
    kept: Vec<u8>,
    /// What was put into the clipboard, in base64.
    clipboard: Vec<u8>,
}

impl Screen {
    fn new(columns: usize, rows: usize) -> Screen {
        Screen {
            cells: vec![vec![' '; columns]; rows],
            row: 0,
            column: 0,
            alternate: false,
            cursor: true,
            kept: Vec::new(),
            clipboard: Vec::new(),
        }
    }

    fn text(&self) -> String {
        let line = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        self.cells.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        loop {
            let kept = std::mem::take(&mut self.kept);
            let used = self.step(&kept);
            self.kept = kept[used..].to_vec();
            if used == 0 {
                return;
            }
        }
    }

    /// Takes in the start of `bytes`; how many, or 0 if the end is missing.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match bytes {
            [] | [0x1b] => 0,
            // A screen that is forgotten may end in the first byte of a sequence, and the next one begins again.
            [0x1b, 0x1b, ..] => 1,
            [0x1b, b'[', rest @ ..] => {
                let ends = |byte: &u8| byte.is_ascii_alphabetic() || *byte == 0x1b;
                let Some(end) = rest.iter().position(ends) else {
                    return 0;
                };
                // A screen that is forgotten may end in a sequence; the next one ends that, as in any terminal.
                if rest[end] == 0x1b {
                    return end + 2;
                }
                self.control(&rest[..end], rest[end]);
                end + 3
            }
            [0x1b, b']', rest @ ..] => {
                let Some(end) = rest.iter().position(|byte| *byte == 7) else {
                    return 0;
                };
                self.clipboard = rest[..end].strip_prefix(b"52;c;").expect("OSC 52").to_vec();
                end + 3
            }
            // After the screen, lines may stand. One that is too long goes on in the next.
            [end @ (b'\r' | b'\n'), ..] if !self.alternate => {
                self.column = 0;
                self.row += usize::from(*end == b'\n');
                1
            }
            bytes => {
                let chunk = bytes.utf8_chunks().next().unwrap();
                let Some(character) = chunk.valid().chars().next() else {
                    assert!(bytes.len() < 4, "no UTF-8: {}", bytes.escape_ascii());
                    return 0;
                };
                let dangerous = queuewatch::escape::obeyed(character);
                assert!(!dangerous, "{character:?} in {}", bytes.escape_ascii());
                if self.column >= self.cells[0].len() && !self.alternate {
                    (self.row, self.column) = (self.row + 1, 0);
                }
                if let Some(cell) = self
                    .cells
                    .get_mut(self.row)
                    .and_then(|line| line.get_mut(self.column))
                {
                    *cell = character;
                }
                self.column += 1;
                character.len_utf8()
            }
        }
    }

    fn clear(&mut self) {
        for line in &mut self.cells {
            line.fill(' ');
        }
    }

    fn control(&mut self, parameters: &[u8], last: u8) {
        let text = std::str::from_utf8(parameters).unwrap();
        match (text, last) {
            ("?1049", b'h' | b'l') => {
                self.alternate = last == b'h';
                (self.row, self.column) = (0, 0);
                self.clear();
            }
            ("?25", b'h' | b'l') => self.cursor = last == b'h',
            ("2", b'J') => self.clear(),
            (place, b'H') => {
                let (row, column) = place.split_once(';').unwrap();
                self.row = row.parse::<usize>().unwrap() - 1;
                self.column = column.parse::<usize>().unwrap() - 1;
            }
            (rendition, b'm') => {
                for code in rendition.split(';') {
                    let code: u8 = code.parse().unwrap();
                    assert!(
                        matches!(code, 0..=7 | 30..=37 | 40..=47 | 90..=107),
                        "{code}"
                    );
                }
            }
            other => panic!("unknown sequence {other:?}"),
        }
    }
}

/// A top that runs in a pseudo-terminal, and is killed with the test.
struct Top {
    child: Child,
    line: Option<OwnedFd>,
    /// The other end, which shows the modes that are set.
    device: OwnedFd,
    screen: Screen,
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl Top {
    /// On this spool, as a copy that no configuration has for its own.
    fn on(spool: &Path, size: (u16, u16), change: impl FnOnce(&mut Command)) -> Top {
        Top::start(size, |command| {
            command.arg("--queue-directory").arg(spool);
            change(command);
        })
    }

    fn start((columns, rows): (u16, u16), change: impl FnOnce(&mut Command)) -> Top {
        let terminal = PseudoTerminal::open();
        let device = terminal.device();
        tcsetwinsize(&device, size(columns, rows)).unwrap();
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", PROGRAM, "top", "--interval", "0.1"])
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8")
            .env_remove("NO_COLOR")
            .env_remove("MAIL_CONFIG")
            .stdin(Stdio::from(terminal.device()))
            .stdout(Stdio::from(terminal.device()))
            .stderr(Stdio::piped());
        change(&mut command);
        Top {
            child: command
                .spawn()
                .expect("setsid runs (Debian package util-linux)"),
            line: Some(terminal.line),
            device,
            screen: Screen::new(columns.into(), rows.into()),
        }
    }

    fn send(&mut self, keys: &str) {
        let line = self.line.as_ref().unwrap();
        rustix::io::write(line, keys.as_bytes()).unwrap();
    }

    /// Takes in what comes, until `is` holds.
    #[track_caller]
    fn until(&mut self, is: impl Fn(&Screen) -> bool, what: &str) {
        let begun = Instant::now();
        while !is(&self.screen) {
            assert!(
                begun.elapsed() < PATIENCE,
                "no {what} on:\n{}",
                self.screen.text()
            );
            let line = self.line.as_ref().unwrap();
            let mut fds = [PollFd::new(line, PollFlags::IN)];
            let timeout = rustix::event::Timespec {
                tv_sec: 0,
                tv_nsec: 100_000_000,
            };
            if poll(&mut fds, Some(&timeout)).unwrap() == 0 {
                continue;
            }
            let mut bytes = [0; 8192];
            let length = rustix::io::read(line, &mut bytes).unwrap_or(0);
            self.screen.take(&bytes[..length]);
        }
    }

    #[track_caller]
    fn shows(&mut self, text: &str) {
        self.until(|screen| screen.text().contains(text), text);
    }

    /// Presses `keys`, and waits for `text`.
    #[track_caller]
    fn press(&mut self, keys: &str, text: &str) {
        self.send(keys);
        self.shows(text);
    }

    /// Whether the terminal echoes and gathers lines, as a shell left it.
    fn is_as_found(&self) -> bool {
        let modes = tcgetattr(&self.device).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; the status, and what stood on standard error.
    #[track_caller]
    fn ended(&mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        (status, said)
    }

    /// Takes in what was written at the end, and checks that the terminal is as it was found.
    #[track_caller]
    fn is_given_back(&mut self) {
        self.until(
            |screen| !screen.alternate && screen.cursor,
            "end of the screen",
        );
        let begun = Instant::now();
        while !self.is_as_found() {
            assert!(begun.elapsed() < PATIENCE, "the modes stay");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn drilled() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let plan = Plan {
        messages: 200,
        ..Plan::at(queuewatch::clock::now())
    };
    drill::make(&spool, &plan, &mut |_, _| {}).unwrap();
    (folder, spool)
}

#[test]
fn without_a_terminal_it_refuses_and_names_the_other_commands() {
    let (_folder, spool) = drilled();
    let output = Command::new(PROGRAM)
        .args(["top", "--queue-directory"])
        .arg(&spool)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.contains("top needs a terminal"), "{said}");
    assert!(
        said.contains("queuewatch status") && said.contains("queuewatch watch"),
        "{said}"
    );

    for value in ["dumb", ""] {
        let mut top = Top::on(&spool, (80, 24), |command| {
            command.env("TERM", value);
        });
        let (status, said) = top.ended();
        assert_eq!(status.code(), Some(2), "{said}");
        assert!(
            said.contains("TERM") && said.contains("queuewatch status"),
            "{said}"
        );
        assert!(top.is_as_found());
    }
    let mut top = Top::on(&spool, (80, 24), |command| {
        command.args(["--interval", "soon"]);
    });
    assert_eq!(top.ended().0.code(), Some(2));
    let mut top = Top::on(&spool.join("nowhere"), (80, 24), |_| {});
    let (status, said) = top.ended();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("nowhere"), "{said}");
    assert!(top.is_as_found());
}

#[test]
fn from_the_first_screen_to_a_message_and_back() {
    let (_folder, spool) = drilled();
    let mut top = Top::on(&spool, (80, 24), |_| {});
    top.shows("q quit");
    top.shows("Destination");
    assert!(top.screen.alternate && !top.screen.cursor && !top.is_as_found());
    for part in [
        "deferred",
        "total",
        "TOTAL",
        "Cause",
        "Origin",
        "bigmail.example",
    ] {
        top.shows(part);
    }
    // Down to deferred, and into the first message.
    top.press("j\r", "by arrival");
    top.shows("deferred  ");
    top.press("s", "by size");
    top.press("\r", "in deferred");
    top.shows("sender");
    top.press("y", "queuewatch show ");
    top.send("y");
    top.until(|screen| !screen.clipboard.is_empty(), "clipboard");
    top.press("\x1b", "by size");
    top.press("\x7f", "Destination");
    // A filter in the words of list, refused and taken.
    top.press("/older soon\r", "--older");
    top.press("\x15domain bigmail.example\r", "--domain bigmail.example");
    top.shows("by arrival");
    top.press("\x1b[D", "Destination");
    top.press("?", "Keys");
    top.press("?", "Destination");
    tcsetwinsize(&top.device, size(200, 60)).unwrap();
    top.screen = Screen::new(200, 60);
    top.until(|screen| screen.text().contains("reason"), "wide screen");
    tcsetwinsize(&top.device, size(40, 10)).unwrap();
    top.screen = Screen::new(40, 10);
    top.shows("The terminal has 40 columns");
    top.send("q");
    let (status, said) = top.ended();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    top.screen.alternate = true;
    top.screen.cursor = false;
    top.is_given_back();
    let joined = |screen: &Screen| screen.text().replace('\n', "");
    top.until(
        |screen| joined(screen).contains("queuewatch show "),
        "command",
    );
}

/// Two instances without names: a configuration directory alone says which is meant.
struct Instances {
    _folder: tempfile::TempDir,
    config: [PathBuf; 2],
}

impl Instances {
    /// Both have messages with the same queue IDs, and no login or client.
    fn new() -> Instances {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let config = [root.join("etc-1"), root.join("etc-2")];
        let now = queuewatch::clock::now();
        for (place, directory) in config.iter().enumerate() {
            let spool = root.join(format!("spool-{place}"));
            for queue in [
                "active", "deferred", "incoming", "hold", "maildrop", "corrupt", "defer",
            ] {
                fs::create_dir_all(spool.join(queue)).unwrap();
            }
            for number in 0..3 {
                let file = QueueFile::cleanup(now - 7200, 0)
                    .sender(format!("from-{place}@send.example").as_bytes())
                    .todo(b"to@dest.example")
                    .content(b"Subject: x\n\nx\n")
                    .build();
                let path = spool.join(format!("active/4B{number:08X}"));
                fs::write(&path, &file.bytes).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
            }
            let others = match place {
                0 => format!("multi_instance_directories = {}\n", config[1].display()),
                _ => String::new(),
            };
            let main_cf = format!("queue_directory = {}\n{others}", spool.display());
            fs::create_dir_all(directory).unwrap();
            fs::write(directory.join("main.cf"), main_cf).unwrap();
        }
        Instances {
            _folder: folder,
            config,
        }
    }
}

/// The command is pasted where MAIL_CONFIG is another one.
#[test]
fn a_command_names_the_instance_that_the_environment_chose() {
    let instances = Instances::new();
    let config = &instances.config[1];
    let mut top = Top::start((200, 40), |command| {
        command.env("MAIL_CONFIG", config);
    });
    top.shows("3 without login or client: queuewatch origins names local users");
    let shown = config.display();
    top.press("y", &format!("| postsuper -c {shown} -h -"));
    top.shows(&format!(
        "queuewatch list --config-directory {shown} active --ids"
    ));
    top.shows("The command for 3 messages");
    // What the notice promises holds also when a signal ends it.
    top.press("y", "Copied");
    top.signal(Signal::TERM);
    top.is_given_back();
    top.shows(&format!("| postsuper -c {shown} -h -"));
    assert_eq!(top.ended().0.code(), Some(128 + 15));
}

/// A path is relative to where top was started.
#[test]
fn a_command_has_no_relative_path_and_no_postsuper_for_a_copy() {
    let (folder, _spool) = drilled();
    let mut top = Top::start((200, 40), |command| {
        command
            .args(["--queue-directory", "spool"])
            .current_dir(&folder);
    });
    top.shows("Destination");
    let spool = folder.path().join("spool");
    top.press(
        "y",
        &format!("queuewatch list --queue-directory {} ", spool.display()),
    );
    top.shows("Without postsuper: no configuration has this spool for its own");
    assert!(!top.screen.text().contains("| postsuper"));
}

#[test]
fn of_several_instances_each_message_is_of_its_own() {
    let instances = Instances::new();
    let [first, second] = &instances.config;
    let mut top = Top::start((200, 40), |command| {
        command.arg("-c").arg(first).arg("--all-instances");
    });
    top.shows("2 instances");
    top.shows("6 without login or client");
    top.press("y", &format!("| postsuper -c {} -h -", second.display()));
    assert!(!top.screen.text().contains("--instance"));
    let list = format!("--config-directory {} active --ids", second.display());
    top.shows(&list);
    // An Escape would take the next key for the rest of a sequence.
    top.press("x", "q quit");
    top.press("\r", "by arrival");
    top.shows(" instance ");
    // Whatever comes first, the same queue ID is there for the other instance.
    top.press("\x1b[F\r", " in active");
    let shown = top.screen.text();
    let place = usize::from(shown.contains("from-1@send.example"));
    assert!(!shown.contains(&format!("from-{}@send.example", 1 - place)));
    let own = instances.config[place].display();
    top.press("y", &format!("postsuper -c {own} -h 4B0000000"));
    top.shows(&format!(
        "queuewatch show --config-directory {own} 4B0000000"
    ));
}

#[test]
fn what_happens_in_the_spool_is_on_the_screen() {
    let (_folder, spool) = drilled();
    let mut top = Top::on(&spool, (80, 24), |_| {});
    top.shows("hold             8 ");
    for entry in fs::read_dir(spool.join("hold")).unwrap().take(3) {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    top.shows("hold             5 ");
    top.press("f", "FROZEN");
    for entry in fs::read_dir(spool.join("hold")).unwrap().take(3) {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    top.press("?", "Keys");
    top.press("?", "hold             5 ");
    top.press("f", "hold             2 ");
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_given_back() {
    let (_folder, spool) = drilled();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let mut top = Top::on(&spool, (80, 24), |_| {});
        top.shows("Destination");
        top.signal(signal);
        top.is_given_back();
        let (status, said) = top.ended();
        assert_eq!(status.signal(), None);
        assert_eq!(
            (status.code(), said.as_str()),
            (Some(128 + signal.as_raw()), "")
        );
    }
}

#[test]
fn ctrl_z_stops_it_and_the_terminal_is_given_back_meanwhile() {
    let (_folder, spool) = drilled();
    let mut top = Top::on(&spool, (80, 24), |_| {});
    top.shows("Destination");
    top.send("\x1a");
    top.is_given_back();
    top.signal(Signal::CONT);
    top.until(|screen| screen.alternate, "screen again");
    top.shows("Destination");
    assert!(!top.is_as_found());
    top.send("\x03");
    assert_eq!(top.ended().0.code(), Some(0));
    top.is_given_back();
}

#[test]
fn a_line_that_is_cut_off_ends_it() {
    let (_folder, spool) = drilled();
    let mut top = Top::on(&spool, (80, 24), |_| {});
    top.shows("Destination");
    drop(top.line.take());
    let (status, said) = top.ended();
    assert_eq!(status.signal(), None);
    assert_eq!((status.code(), said.as_str()), (Some(128 + 1), ""));
}

/// The pseudo-terminal takes some kilobytes, and then nobody reads: signals are still heard.
#[test]
fn a_line_that_takes_nothing_does_not_keep_it() {
    let (_folder, spool) = drilled();
    let mut top = Top::on(&spool, (500, 200), |_| {});
    top.until(|screen| screen.alternate, "begin");
    for _ in 0..200 {
        top.send("\x0c\t");
    }
    top.signal(Signal::TERM);
    let (status, _) = top.ended();
    assert_eq!(status.code(), Some(128 + 15));
    assert!(top.is_as_found());
}

/// Every text that a stranger chooses, with what a terminal would obey.
#[test]
fn nothing_hostile_reaches_the_terminal() {
    const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\u{202e}$(id)";
    let spool = Spool::empty();
    let now = queuewatch::clock::now();
    let evil = |text: &str| format!("{text}{HOSTILE}");
    for number in 0..30 {
        let id = format!("4B{number:08X}");
        let file = QueueFile::cleanup(now - 7200, 0)
            .attribute("sasl_username", &evil("login"))
            .attribute("client_address", &evil("client"))
            .attribute("client_name", &evil("name"))
            .sender(evil("sender").as_bytes())
            .todo(evil("to@domain").as_bytes())
            .content(format!("Subject: {HOSTILE}\n\nx\n").as_bytes())
            .build();
        spool.write(&format!("deferred/4/{id}"), &file.bytes, 0o700);
        let delay = Delay {
            status: "4.4.1".to_owned(),
            reason: evil("connect to host: "),
            reply: None,
            server: None,
        };
        let mut log = Vec::new();
        let offset = file.recipient_offsets[0];
        drill::push_entry(&mut log, &evil("to@domain"), None, offset, &delay);
        spool.write(&format!("defer/4/{id}"), &log, 0o600);
    }
    let folder = spool.path();
    let name = std::ffi::OsString::from_vec(evil("odd").into_bytes());
    fs::write(folder.join("hold").join(name), b"x").unwrap();
    let mut top = Top::on(&folder, (160, 50), |_| {});
    top.shows("Destination");
    top.shows("domain?]0;owned");
    for pane in ["2", "3", "4", "1\x1b[F"] {
        top.send(pane);
        top.press("y", "The command for ");
        top.press("y", "Copied");
        top.press("\r", "by arrival");
        top.press("\x1b", "Destination");
    }
    top.press("1\x1b[F\r", "by arrival");
    top.press("\r", "  sender ");
    top.press("\x1b", "by arrival");
    top.press("\x1b", "Destination");
    top.press("w", "What is wrong");
    top.send("q");
    // What is printed after the end passes the same checks.
    top.is_given_back();
    top.shows("--ids");
    let (status, _) = top.ended();
    assert!(matches!(status.code(), Some(0 | 4)), "{status:?}");
}

/// Without a colour the same words are there; without UTF-8 nothing beyond ASCII is.
#[test]
fn colours_and_characters_are_those_that_the_environment_allows() {
    let (_folder, spool) = drilled();
    // The second terminal has no colours, whatever the environment says.
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "vt220")] {
        let mut plain = Top::on(&spool, (80, 24), |command| {
            command.env(name, value).env("LC_ALL", "C");
        });
        let line = plain.line.take().unwrap();
        let mut bytes = Vec::new();
        let begun = Instant::now();
        while !bytes.windows(6).any(|part| part == b"Origin") && begun.elapsed() < PATIENCE {
            let mut piece = [0; 4096];
            let length = rustix::io::read(&line, &mut piece).unwrap();
            bytes.extend_from_slice(&piece[..length]);
        }
        assert!(bytes.is_ascii());
        let text = String::from_utf8(bytes).unwrap();
        for rendition in text.split("\x1b[0").skip(1) {
            let codes = rendition.split('m').next().unwrap();
            assert!(
                codes
                    .split(';')
                    .all(|code| matches!(code, "" | "1" | "2" | "4" | "7")),
                "{codes}"
            );
        }
    }
}
