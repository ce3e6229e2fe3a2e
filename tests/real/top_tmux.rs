//! `queuewatch top` in the real tmux: what it draws there is what the golden screens of `tests/corpus/top` hold.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use queuewatch::drill::{Plan, make};

const PROGRAM: &str = env!("CARGO_BIN_EXE_queuewatch");
/// The second of the golden screens.
const NOW: i64 = 1_700_000_000;
/// How long something may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of tmux with one window, which ends with the test.
struct Tmux {
    folder: tempfile::TempDir,
}

impl Tmux {
    /// Starts a shell in a window of this size.
    fn start(columns: u16, rows: u16) -> Tmux {
        let tmux = Tmux {
            folder: tempfile::tempdir().unwrap(),
        };
        let settings = "set -g status off\nset -g default-terminal screen-256color\n";
        fs::write(tmux.folder.path().join("tmux.conf"), settings).unwrap();
        let size = [columns, rows].map(|side| side.to_string());
        let [columns, rows] = &size;
        tmux.run(&[
            "new-session",
            "-d",
            "-x",
            columns,
            "-y",
            rows,
            "env PS1='$ ' sh",
        ]);
        tmux
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-L", "queuewatch", "-f", "tmux.conf"])
            .args(words)
            .current_dir(self.folder())
            .env("TMUX_TMPDIR", self.folder())
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .env_remove("MAIL_CONFIG");
        command
    }

    fn run(&self, words: &[&str]) -> String {
        let output = self.command(words).output();
        let output = output.expect("tmux runs (Debian package tmux)");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn press(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Waits until the screen is as `is` says, and returns it.
    #[track_caller]
    fn until(&self, is: impl Fn(&str) -> bool, what: &str) -> String {
        let begun = Instant::now();
        loop {
            let shown = self.run(&["capture-pane", "-p"]);
            if is(&shown) {
                return shown;
            }
            assert!(begun.elapsed() < PATIENCE, "no {what} on:\n{shown}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn shows(&self, text: &str) -> String {
        self.until(|shown| shown.contains(text), text)
    }

    /// Waits for the golden screen `name`, which has `rows` rows. It has another spool and another time of day.
    #[track_caller]
    fn shows_golden(&self, name: &str, rows: usize) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/top");
        let golden = fs::read_to_string(path.join(name)).unwrap();
        let golden: Vec<&str> = golden.lines().skip(1).take(rows - 1).collect();
        let same = |shown: &str| shown.lines().skip(1).eq(golden.iter().copied());
        self.until(same, &format!("screen like {name}:\n{}", golden.join("\n")));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}

#[test]
fn the_screens_in_tmux_are_the_golden_ones() {
    let tmux = Tmux::start(80, 24);
    make(&tmux.folder().join("spool"), &Plan::at(NOW), &mut |_, _| {}).unwrap();
    let command = format!(
        "clear; {PROGRAM} top --queue-directory spool --now {NOW} \
         --critical 'deferred.older(4h)=10' --warning deferred.top_domain=99"
    );
    tmux.shows("$");
    tmux.press(&["-l", &command]);
    tmux.press(&["Enter"]);
    tmux.shows_golden("sick-80x24.txt", 24);
    // A relative path is shown from the root.
    let spool = fs::canonicalize(tmux.folder()).unwrap().join("spool");
    tmux.shows(&format!(" queuewatch top  {} ", spool.display()));
    // Down to the second domain and into its messages, and back.
    tmux.press(&["2", "Down", "Enter"]);
    let list = tmux.shows("191 by arrival");
    assert!(list.contains("--domain webpost.example"), "{list}");
    tmux.press(&["y"]);
    tmux.shows("The command for 191 messages");
    tmux.press(&["Escape"]);
    tmux.shows("1 of 191");
    tmux.press(&["Escape"]);
    tmux.shows("Destination");
    tmux.press(&["g", "1"]);
    tmux.shows_golden("sick-80x24.txt", 24);
    tmux.run(&["resize-window", "-x", "200", "-y", "60"]);
    tmux.shows_golden("sick-200x60.txt", 60);
    // What the shell had is there again.
    tmux.press(&["q"]);
    tmux.until(|shown| shown.lines().any(|line| line == "$"), "prompt");
    tmux.press(&["-l", "stty -a | grep -c ' icanon'"]);
    tmux.press(&["Enter"]);
    tmux.until(
        |shown| shown.lines().any(|line| line == "1"),
        "line of stty",
    );
}
