//! The model with keys, and the screens that it draws, of drills with a seed: `tests/corpus/top` has what they look
//! like. `QW_BLESS=1 cargo test --bin queuewatch top` writes those files; look at the difference.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use queuewatch::control::{self, Control};
use queuewatch::drill::{Plan, make};
use queuewatch::options::{Options, Purpose};
use queuewatch::watch::Watch;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::filter::{Filter, Where};
use super::history::History;
use super::keys::Key;
use super::messages::{MessageLine, Messages};
use super::model::{Ask, Model, Page, Pane};
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
        // Progress is told of each file.
        assert_eq!(control.steps(), plan.messages);
        let snapshot = watch.snapshot().unwrap();
        let verdict = options.check(&snapshot).unwrap();
        let mut sums = Sums::of(&snapshot, &verdict, None, &mut History::default());
        sums.spool = "/var/spool/postfix".to_owned();
        Seen {
            sums,
            tables: Tables::of(&snapshot, &verdict),
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
        let directory = vec![("queue-directory", b"/var/spool/postfix".to_vec())];
        let mut model = Model::new(Where {
            flags: directory.clone(),
            filters: Vec::new(),
            instances: vec![(directory, None)],
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
                Some(Ask::Show(id)) => {
                    let id = String::from_utf8(id).unwrap();
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

#[test]
fn the_first_screen_of_a_sick_and_of_a_healthy_queue() {
    let color = Look {
        color: true,
        ..LOOK
    };
    for (state, seen) in [("sick", Seen::sick()), ("healthy", Seen::healthy())] {
        let mut model = seen.model();
        for (width, height) in [(80, 24), (200, 60)] {
            let plain = drawn(&mut model, LOOK, width, height);
            let name = format!("{state}-{width}x{height}");
            compare(&name, &(text(&plain) + &styles(&plain)));
            let colored = drawn(&mut model, color, width, height);
            assert_eq!(text(&plain), text(&colored), "a colour changes no text");
            compare(&format!("{name}-color"), &styles(&colored));
        }
        let ascii = Look {
            utf8: false,
            ..LOOK
        };
        let shown = text(&drawn(&mut model, ascii, 80, 24));
        assert!(shown.is_ascii(), "{shown}");
    }
}

#[test]
fn pages_lie_over_the_first_screen() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let screen = |model: &mut Model| text(&drawn(model, LOOK, 80, 24));
    let first = screen(&mut model);
    seen.press(&mut model, &[Key::Tab, Key::Down, Key::Enter]);
    compare("list-80x24", &screen(&mut model));
    compare("list-200x60", &text(&drawn(&mut model, LOOK, 200, 60)));
    seen.press(&mut model, &[Key::Char('y')]);
    compare("commands-80x24", &screen(&mut model));
    seen.press(&mut model, &[Key::Escape, Key::Enter]);
    assert!(screen(&mut model).contains("4B00000000 in deferred"));
    seen.press(
        &mut model,
        &[Key::Escape, Key::Backspace, Key::Up, Key::BackTab],
    );
    assert_eq!(screen(&mut model), first);
    seen.press(&mut model, &[Key::Char('?')]);
    compare("help-80x24", &screen(&mut model));
    seen.press(&mut model, &[Key::Escape, Key::Char('w')]);
    compare("why-80x24", &screen(&mut model));
    seen.press(&mut model, &[Key::Escape]);
    assert_eq!(screen(&mut model), first);
}

#[test]
fn before_the_first_look_progress_is_shown() {
    let mut model = Model::new(Where::default());
    assert!(model.is_reading());
    model.reached = 12_345;
    let shown = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(
        shown.contains("reading the queues: 12345 files so far"),
        "{shown}"
    );
    // There is nothing to open, and nothing breaks.
    for key in "\tsyzfw/"
        .chars()
        .map(Key::Char)
        .chain([Key::Enter, Key::Tab])
    {
        model.press(key);
        drawn(&mut model, LOOK, 80, 24);
    }
}

#[test]
fn a_row_opens_its_messages_with_the_words_of_list() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let opens = |model: &mut Model, keys: &[Key]| {
        seen.press(model, keys);
        let asked = model.press(Key::Enter);
        model.press(Key::Escape);
        match asked {
            Some(Ask::List(filter, _)) => filter.text(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(opens(&mut model, &[]), seen.sums.queues[0].name());
    assert_eq!(opens(&mut model, &[Key::End]), "");
    assert_eq!(
        opens(&mut model, &[Key::Char('2')]),
        format!("--domain {}", seen.tables.domains[0].text)
    );
    assert_eq!(
        opens(&mut model, &[Key::Char('3'), Key::Down]),
        format!("--cause {}", seen.tables.causes[1].cause.name())
    );
    let origin = &seen.tables.origins[0];
    assert_eq!(
        opens(&mut model, &[Key::Char('4')]),
        format!("--{} {}", origin.filter, origin.text)
    );
}

/// What a filter of the first screen lists is what the row counts.
#[test]
fn a_list_has_the_messages_that_the_row_counts() {
    let seen = Seen::sick();
    for (place, row) in seen.sums.queues.iter().enumerate().take(3) {
        let filter = Filter::of(&[row.name().as_bytes()]);
        let sort = queuewatch::listing::Sort::Arrival;
        let found = reader::messages(&seen.options, &filter, sort).unwrap();
        let listed = found.lines.len() as u64;
        assert_eq!(listed, row.messages, "row {place}");
        let ids: std::collections::HashSet<_> =
            found.lines.iter().map(MessageLine::queue_id).collect();
        assert_eq!(ids.len() as u64, listed);
    }
    let id = reader::messages(
        &seen.options,
        &Filter::parse("deferred").unwrap(),
        queuewatch::listing::Sort::Size,
    )
    .unwrap();
    let id = id.lines[0].queue_id().to_owned();
    let story = reader::story(&seen.options, id.as_bytes()).unwrap();
    assert_eq!(story[0], format!("{id} in deferred"));
    let gone = reader::story(&seen.options, b"0000000000").unwrap();
    assert!(gone[0].contains("in no queue any more"), "{gone:?}");
}

#[test]
fn the_choice_stays_with_its_name_and_a_frozen_screen_stays() {
    let seen = Seen::sick();
    let mut model = seen.model();
    seen.press(&mut model, &[Key::Tab, Key::Down, Key::Down]);
    let chosen = seen.tables.domains[2].clone();
    let mut grown = seen.tables.clone();
    grown.domains[2].cells[0] = 1_000_000;
    model.look(seen.sums.clone(), Some(grown.clone()));
    assert_eq!(model.panes[Pane::Domains as usize].chosen, 0);
    assert_eq!(model.tables.as_ref().unwrap().domains[0].name, chosen.name);

    let before = text(&drawn(&mut model, LOOK, 80, 24));
    model.press(Key::Char('f'));
    let mut sums = seen.sums.clone();
    sums.queues[0].cells[0] = "98765".to_owned();
    sums.reason = "something else".to_owned();
    model.look(sums, Some(seen.tables.clone()));
    let frozen = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(frozen.contains("FROZEN at 14:02:31"), "{frozen}");
    let below = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(below(&frozen), below(&before));
    model.press(Key::Char('f'));
    let thawed = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(
        thawed.contains("98765") && thawed.contains("something else"),
        "{thawed}"
    );
}

#[test]
fn rows_are_sorted_by_count_age_or_name() {
    let seen = Seen::sick();
    let mut model = seen.model();
    model.press(Key::Tab);
    let names = |model: &Model| -> Vec<String> {
        let tables = model.tables.as_ref().unwrap();
        tables.domains.iter().map(|row| row.text.clone()).collect()
    };
    let by_count = names(&model);
    model.press(Key::Char('s'));
    let tables = model.tables.as_ref().unwrap();
    let oldest = |place: usize| tables.domains[place].cells[10];
    assert!((1..tables.domains.len()).all(|place| oldest(place - 1) >= oldest(place)));
    model.press(Key::Char('s'));
    let mut sorted = by_count.clone();
    sorted.sort();
    assert_eq!(names(&model), sorted);
    model.press(Key::Char('s'));
    assert_eq!(names(&model), by_count);
}

#[test]
fn a_filter_is_typed_corrected_and_refused_with_the_words_of_list() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let typed = |text: &str| text.chars().map(Key::Char).collect::<Vec<_>>();
    seen.press(&mut model, &[Key::Char('/')]);
    seen.press(&mut model, &typed("older soon"));
    assert_eq!(model.press(Key::Enter), None);
    let shown = text(&drawn(&mut model, LOOK, 80, 24));
    assert!(shown.contains("--older \"soon\""), "{shown}");
    seen.press(&mut model, &[Key::Control('w')]);
    seen.press(&mut model, &typed("1d q"));
    seen.press(&mut model, &[Key::Backspace, Key::Enter]);
    let Some(Page::List(list)) = model.pages.last() else {
        panic!("no list");
    };
    assert_eq!(list.filter.text(), "--older 1d");
    assert!(!list.lines().is_empty());
    // On a list the filter is edited, and Escape leaves it as it was.
    assert_eq!(model.press(Key::Char('/')), None);
    assert_eq!(model.prompt.as_ref().unwrap().text, "--older 1d");
    assert_eq!(model.press(Key::Escape), None);
    assert_eq!(model.pages.len(), 1);
    // While it is typed, q is a letter, and Ctrl-C still quits.
    seen.press(&mut model, &[Key::Char('/')]);
    assert_eq!(model.press(Key::Char('q')), None);
    assert_eq!(model.press(Key::Control('c')), Some(Ask::Quit));
}

#[test]
fn commands_are_copied_and_kept() {
    let seen = Seen::sick();
    let mut model = seen.model();
    seen.press(&mut model, &[Key::Char('2'), Key::Char('y')]);
    let domain = &seen.tables.domains[0].text;
    let expected = format!(
        "queuewatch list --queue-directory /var/spool/postfix --domain {domain} --ids | postsuper -h -"
    );
    assert_eq!(
        model.press(Key::Char('y')),
        Some(Ask::Copy(expected.clone()))
    );
    assert_eq!(model.copied, [expected]);
    assert!(model.commands.is_none());
    seen.press(&mut model, &[Key::Char('y')]);
    assert_eq!(model.press(Key::Char('9')), None);
    assert_eq!(model.copied.len(), 1);
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let seen = Seen::sick();
    let mut model = seen.model();
    assert!(matches!(model.press(Key::Enter), Some(Ask::List(..))));
    assert!(model.is_reading());
    assert_eq!(model.press(Key::Escape), Some(Ask::Forget));
    model.listed(Ok(Messages::default()));
    model.lines(vec!["x".to_owned()]);
    assert!(model.pages.is_empty());
}

#[test]
fn a_small_terminal_is_told_so() {
    let seen = Seen::sick();
    let mut model = seen.model();
    let (width, height) = LEAST;
    for (columns, rows) in [(width - 1, height), (width, height - 1), (20, 5)] {
        let shown = text(&drawn(&mut model, LOOK, columns, rows));
        let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        let size = format!("The terminal has {columns} columns and {rows} rows;");
        assert!(shown.starts_with(&size), "{shown}");
    }
    let shown = text(&drawn(&mut model, LOOK, width, height));
    assert!(
        shown.contains("CRITICAL") && shown.contains("Destination"),
        "{shown}"
    );
    for pane in ["Queue", "Destination", "Cause", "Origin"] {
        assert!(shown.contains(pane), "{pane}: {shown}");
    }
}

fn a_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        8 => prop::sample::select("jkhlgGszfwyr/?1234 x9".chars().map(Key::Char).collect::<Vec<_>>()),
        8 => prop::sample::select(vec![
            Key::Enter, Key::Escape, Key::Backspace, Key::Tab, Key::BackTab, Key::Up, Key::Down,
            Key::Left, Key::Right, Key::PageUp, Key::PageDown, Key::Home, Key::End, Key::Delete,
        ]),
        1 => any::<char>().prop_map(Key::Char),
        1 => prop::sample::select(vec![Key::Control('u'), Key::Control('w'), Key::Control('l')]),
    ]
}

#[test]
fn no_key_and_no_size_breaks_it() {
    let seen = Seen::of(&Plan {
        messages: 60,
        ..Plan::at(NOW)
    });
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(24));
    let steps = prop::collection::vec((a_key(), 1_u16..170, 1_u16..45), 1..30);
    runner
        .run(&steps, |steps| {
            let mut model = seen.model();
            for (key, width, height) in steps {
                seen.press(&mut model, &[key]);
                let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
                screen::draw(&mut model, LOOK, &mut buffer);
                let mut symbols = buffer.content.iter().map(Cell::symbol);
                let is_plain = |symbol: &str| !symbol.contains(char::is_control);
                prop_assert!(symbols.all(is_plain));
            }
            Ok(())
        })
        .unwrap();
}
