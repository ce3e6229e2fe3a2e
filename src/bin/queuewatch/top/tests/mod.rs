//! The model with keys, and the screens that it draws, of drills with a seed: `tests/corpus/top` has what they look
//! like. `QW_BLESS=1 cargo test --bin queuewatch top` writes those files; look at the difference.

mod picture;
mod reading;
mod screens;

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use queuewatch::control::{self, Control};
use queuewatch::drill::{Plan, make};
use queuewatch::options::{Options, Purpose};
use queuewatch::spelling::{self, Spelling};
use queuewatch::watch::Watch;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::command::{Postsuper, Target, Where};
use super::filter::Filter;
use super::history::History;
use super::keys::Key;
use super::messages::{MessageLine, Messages};
use super::model::{Ask, Model, Pane};
use super::page::Page;
use super::reader::{self, TABLES};
use super::screen::{self, LEAST};
use super::sight::{Sums, Tables};
use super::style::Look;

const NOW: i64 = 1_700_000_000;

const LOOK: Look = Look {
    color: false,
    utf8: true,
    clock: |_| "14:02:31".to_owned(),
};

/// A spool, its options, and what a look at it shows.
struct Seen {
    _folder: tempfile::TempDir,
    options: Options,
    sums: Sums,
    tables: Tables,
    /// What was listed, by the words and the order.
    listed: RefCell<HashMap<(String, &'static str), Messages>>,
}

impl Seen {
    fn of(plan: &Plan) -> Seen {
        // As main does.
        spelling::set(Spelling::Dashes);
        let folder = tempfile::tempdir().unwrap();
        let spool = folder.path().join("spool");
        make(&spool, plan, &mut |_, _| {}).unwrap();
        let mut options = Options::default();
        for (name, value) in [
            ("queue-directory", spool.as_os_str().as_bytes()),
            ("now", plan.now.to_string().as_bytes()),
            ("critical", b"deferred.older(4h)=10"),
            ("warning", b"deferred.top_domain=99"),
        ] {
            options.set(name, value).unwrap();
        }
        let control = Arc::new(Control::default());
        let open = || Watch::open(&options, Purpose::Check(TABLES)).unwrap();
        let mut watch = control::under(Some(Arc::clone(&control)), open);
        // Each file is reported as progress.
        assert_eq!(control.steps(), plan.messages);
        let snapshot = watch.snapshot().unwrap();
        let verdict = options.check(&snapshot).unwrap();
        let mut sums = Sums::of(&snapshot, &verdict, &mut History::default());
        sums.spool = "/var/spool/postfix".to_owned();
        let mut tables = Tables::of(&snapshot, &verdict);
        // The commands of a host need no directory.
        let place = format!(" --queue-directory {}", spool.display());
        for line in &mut tables.advice {
            *line = line.replace(&place, "");
        }
        Seen {
            sums,
            tables,
            options,
            listed: RefCell::default(),
            _folder: folder,
        }
    }

    /// Three destinations have an outage.
    fn sick() -> Seen {
        Seen::of(&Plan::at(NOW))
    }

    /// Mail comes and goes.
    fn healthy() -> Seen {
        Seen::of(&Plan {
            messages: 12,
            oldest: 400,
            shares: [30, 20, 40, 0, 10, 0],
            ..Plan::at(NOW)
        })
    }

    fn model(&self) -> Model {
        let mut model = Model::new(Where {
            instances: vec![Target {
                config: Some("/etc/postfix".into()),
                flags: Vec::new(),
                postsuper: Postsuper::Plain,
            }],
            ..Where::default()
        });
        model.look(self.sums.clone(), Some(self.tables.clone()));
        model
    }

    /// Presses keys, and answers what the model asks for, with queue IDs that are the same in every run.
    fn press(&self, model: &mut Model, keys: &[Key]) {
        for key in keys {
            match model.press(*key) {
                Some(Ask::List(filter, sort)) => {
                    let key = (filter.text(), sort.name());
                    let mut listed = self.listed.borrow_mut();
                    let found = listed.entry(key).or_insert_with(|| {
                        let mut found = reader::messages(&self.options, &filter, sort).unwrap();
                        for (place, line) in found.lines.iter_mut().enumerate() {
                            line.cells[0] = format!("4B{place:08X}");
                        }
                        found
                    });
                    model.listed(Ok(found.clone()));
                }
                Some(Ask::Show(message)) => {
                    let id = String::from_utf8(message.queue_id).unwrap();
                    model.lines(vec![
                        format!("{id} in deferred"),
                        "  sender  a@b".to_owned(),
                    ]);
                }
                _ => {}
            }
        }
    }
}

fn drawn(model: &mut Model, look: Look, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| screen::draw(model, look, frame.buffer_mut()))
        .unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer, of: impl Fn(&Cell) -> String) -> Vec<String> {
    let Rect { width, height, .. } = buffer.area;
    let line = |row: u16| {
        let line: String = (0..width)
            .map(|column| of(&buffer[(column, row)]))
            .collect();
        line.trim_end().to_owned()
    };
    (0..height).map(line).collect()
}

fn text(buffer: &Buffer) -> String {
    lines(buffer, |cell| cell.symbol().to_owned()).join("\n") + "\n"
}

/// The style of each cell as a letter: a colour, else bold, dim, underlined or reversed.
fn styles(buffer: &Buffer) -> String {
    let letter = |cell: &Cell| {
        let letter = match cell.fg {
            Color::Red => 'R',
            Color::LightRed => 'r',
            Color::Yellow => 'Y',
            Color::Green => 'G',
            Color::LightGreen => 'g',
            Color::Cyan => 'C',
            Color::Magenta => 'M',
            Color::DarkGray => 'x',
            _ if cell.modifier.contains(Modifier::REVERSED) => '#',
            _ if cell.modifier.contains(Modifier::BOLD) => '+',
            _ if cell.modifier.contains(Modifier::DIM) => '.',
            _ if cell.modifier.contains(Modifier::UNDERLINED) => '_',
            _ => ' ',
        };
        letter.to_string()
    };
    lines(buffer, letter).join("\n") + "\n"
}

#[track_caller]
fn compare(name: &str, shown: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/top");
    let path: PathBuf = folder.join(format!("{name}.txt"));
    if std::env::var_os("QW_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, shown).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == shown,
        "{} is another screen now:\n{shown}\nQW_BLESS=1 writes it, if it is right",
        path.display()
    );
}
