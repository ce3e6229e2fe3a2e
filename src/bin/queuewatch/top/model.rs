//! What the screen shows and what a key does to it: pure, without a terminal and without a spool.
//!
//! The first screen has four [`Pane`]s. Enter opens a [`Page`] over it; pages lie on each other, and Escape takes
//! the topmost away. A key either changes the model or returns an [`Ask`], which the program carries out; the
//! answer comes back by [`Model::look`], [`Model::listed`] and [`Model::lines`].

use queuewatch::listing::Sort;

use super::filter::{Filter, Where};
use super::keys::Key;
use super::messages::{MessageLine, Messages};
use super::sight::{Sums, Tables};

/// A pane of the first screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pane {
    Queues,
    Domains,
    Causes,
    Origins,
}

impl Pane {
    pub(super) const ALL: [Pane; 4] = [Pane::Queues, Pane::Domains, Pane::Causes, Pane::Origins];
}

/// The order of rows of a pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// The highest count first.
    Count,
    /// The oldest first.
    Age,
    Name,
}

/// A table that can be scrolled.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The row that is chosen.
    pub(super) chosen: usize,
    /// The first row that is shown.
    pub(super) first: usize,
    /// How many rows were shown last.
    pub(super) height: usize,
}

impl Table {
    const NEW: Table = Table {
        chosen: 0,
        first: 0,
        height: 1,
    };

    /// Makes the chosen row one of `rows`, and one of the `height` that are shown.
    pub(super) fn fit(&mut self, rows: usize, height: usize) {
        self.height = height.max(1);
        self.chosen = self.chosen.min(rows.saturating_sub(1));
        self.first = self.first.min(rows.saturating_sub(self.height));
        if self.chosen < self.first {
            self.first = self.chosen;
        } else if self.chosen >= self.first + self.height {
            self.first = self.chosen + 1 - self.height;
        }
    }

    /// Moves the choice among `rows`. Returns false if `key` is no movement.
    fn moves(&mut self, key: Key, rows: usize) -> bool {
        let last = rows.saturating_sub(1);
        self.chosen = match key {
            Key::Up | Key::Char('k') => self.chosen.saturating_sub(1),
            Key::Down | Key::Char('j') => self.chosen + 1,
            Key::PageUp => self.chosen.saturating_sub(self.height),
            Key::PageDown => self.chosen + self.height,
            Key::Home | Key::Char('g') => 0,
            Key::End | Key::Char('G') => last,
            _ => return false,
        }
        .min(last);
        true
    }
}

/// What lies over the first screen.
#[derive(Clone, Debug)]
pub(super) enum Page {
    /// Messages.
    List(List),
    /// Lines of text.
    Text(Text),
}

/// A list of messages.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) filter: Filter,
    pub(super) sort: Sort,
    /// What was listed; `None` while it is read.
    pub(super) found: Option<Result<Messages, String>>,
    pub(super) table: Table,
}

impl List {
    fn new(filter: Filter) -> List {
        List {
            filter,
            sort: Sort::Arrival,
            found: None,
            table: Table::NEW,
        }
    }

    pub(super) fn lines(&self) -> &[MessageLine] {
        match &self.found {
            Some(Ok(messages)) => &messages.lines,
            _ => &[],
        }
    }

    fn chosen(&self) -> Option<&MessageLine> {
        self.lines().get(self.table.chosen)
    }
}

/// Lines of text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) title: String,
    /// The queue ID, if the text is about a message.
    pub(super) message: Option<Vec<u8>>,
    /// `None` while they are read.
    pub(super) lines: Option<Vec<String>>,
    pub(super) first: usize,
    /// The lines on the screen, wrapped, and how many of them fit: as they were drawn last.
    pub(super) wrapped: usize,
    pub(super) height: usize,
}

/// A line that is being typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// What is wrong with it.
    pub(super) error: String,
}

/// What the program is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Quit,
    /// Stop the program until it is continued.
    Suspend,
    /// Write the screen as a whole.
    Redraw,
    List(Filter, Sort),
    Show(Vec<u8>),
    /// Nobody waits for the answer any more.
    Forget,
    /// Put this into the clipboard of the terminal.
    Copy(String),
}

/// All of it.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) place: Where,
    /// What is shown.
    pub(super) sums: Option<Sums>,
    pub(super) tables: Option<Tables>,
    /// What came while the screen is frozen.
    waiting: (Option<Sums>, Option<Tables>),
    pub(super) frozen: bool,
    /// Why the last look failed.
    pub(super) trouble: Option<String>,
    pub(super) pane: Pane,
    pub(super) panes: [Table; 4],
    pub(super) orders: [Order; 4],
    /// Whether the pane fills the screen.
    pub(super) zoomed: bool,
    pub(super) pages: Vec<Page>,
    pub(super) prompt: Option<Prompt>,
    /// The commands of the window that is open.
    pub(super) commands: Option<Vec<String>>,
    /// The commands that were copied.
    pub(super) copied: Vec<String>,
    pub(super) help: bool,
    /// Files that the watch, or the list, has reached.
    pub(super) reached: u64,
    /// A word for the last line, until the next key.
    pub(super) notice: String,
}

impl Model {
    pub(super) fn new(place: Where) -> Model {
        Model {
            place,
            sums: None,
            tables: None,
            waiting: (None, None),
            frozen: false,
            trouble: None,
            pane: Pane::Queues,
            panes: [Table::NEW; 4],
            orders: [Order::Count; 4],
            zoomed: false,
            pages: Vec::new(),
            prompt: None,
            commands: None,
            copied: Vec::new(),
            help: false,
            reached: 0,
            notice: String::new(),
        }
    }

    /// Takes in a look.
    pub(super) fn look(&mut self, sums: Sums, tables: Option<Tables>) {
        self.trouble = None;
        if self.frozen {
            self.waiting.0 = Some(sums);
            if tables.is_some() {
                self.waiting.1 = tables;
            }
            return;
        }
        self.sums = Some(sums);
        if let Some(mut tables) = tables {
            self.arrange(&mut tables);
            let chosen = Pane::ALL.map(|pane| self.name(pane, self.panes[pane as usize].chosen));
            self.tables = Some(tables);
            // The choice stays with its name, wherever that is now.
            for (pane, name) in Pane::ALL.into_iter().zip(chosen) {
                let place = (0..self.rows(pane)).find(|row| self.name(pane, *row) == name);
                if let (Some(place), true) = (place, name.is_some()) {
                    self.panes[pane as usize].chosen = place;
                }
            }
        }
    }

    /// Takes in the answer to [`Ask::List`].
    pub(super) fn listed(&mut self, found: Result<Messages, String>) {
        let mut lists = self.pages.iter_mut().rev().filter_map(|page| match page {
            Page::List(list) if list.found.is_none() => Some(list),
            _ => None,
        });
        if let Some(list) = lists.next() {
            list.found = Some(found);
        }
    }

    /// Takes in the answer to [`Ask::Show`].
    pub(super) fn lines(&mut self, lines: Vec<String>) {
        let mut texts = self.pages.iter_mut().rev().filter_map(|page| match page {
            Page::Text(text) if text.lines.is_none() => Some(text),
            _ => None,
        });
        if let Some(text) = texts.next() {
            text.lines = Some(lines);
        }
    }

    /// Whether something is being read, so that its progress is shown.
    pub(super) fn is_reading(&self) -> bool {
        match self.pages.last() {
            Some(Page::List(list)) => list.found.is_none(),
            Some(Page::Text(text)) => text.lines.is_none(),
            None => self.sums.is_none(),
        }
    }

    /// How many rows `pane` has.
    pub(super) fn rows(&self, pane: Pane) -> usize {
        let tables = self.tables.as_ref();
        match pane {
            Pane::Queues => self.sums.as_ref().map_or(0, |sums| sums.queues.len()),
            Pane::Domains => tables.map_or(0, |tables| tables.domains.len()),
            Pane::Causes => tables.map_or(0, |tables| tables.causes.len()),
            Pane::Origins => tables.map_or(0, |tables| tables.origins.len()),
        }
    }

    /// What identifies a row of `pane`.
    fn name(&self, pane: Pane, row: usize) -> Option<Vec<u8>> {
        let tables = self.tables.as_ref()?;
        match pane {
            Pane::Queues => None,
            Pane::Domains => Some(tables.domains.get(row)?.name.clone()),
            Pane::Causes => {
                let row = tables.causes.get(row)?;
                Some(format!("{} {}", row.cause.name(), row.hop).into_bytes())
            }
            Pane::Origins => {
                let row = tables.origins.get(row)?;
                Some([row.filter.as_bytes(), b" ", &row.name].concat())
            }
        }
    }

    /// Sorts the rows of each pane.
    fn arrange(&self, tables: &mut Tables) {
        let [_, domains, causes, origins] = self.orders;
        tables.domains.sort_by(|a, b| match domains {
            Order::Count => b.cells[0]
                .cmp(&a.cells[0])
                .then_with(|| a.name.cmp(&b.name)),
            // From the oldest column on.
            Order::Age => b.cells.iter().rev().cmp(a.cells.iter().rev()),
            Order::Name => a.text.cmp(&b.text),
        });
        tables.causes.sort_by(|a, b| match causes {
            Order::Count => b.recipients.cmp(&a.recipients),
            Order::Age => a
                .oldest
                .unwrap_or(i64::MAX)
                .cmp(&b.oldest.unwrap_or(i64::MAX)),
            Order::Name => (a.cause.name(), &a.hop).cmp(&(b.cause.name(), &b.hop)),
        });
        tables.origins.sort_by(|a, b| match origins {
            Order::Name => a.text.cmp(&b.text),
            _ => b
                .messages
                .cmp(&a.messages)
                .then_with(|| a.text.cmp(&b.text)),
        });
    }

    /// The filter of the row that is chosen on the first screen.
    fn filter(&self) -> Option<Filter> {
        let row = self.panes[self.pane as usize].chosen;
        let tables = self.tables.as_ref();
        Some(match self.pane {
            Pane::Queues => match self.sums.as_ref()?.queues.get(row)?.queue {
                Some(queue) => Filter::of(&[queue.name().as_bytes()]),
                None => Filter::default(),
            },
            Pane::Domains => {
                let row = tables?.domains.get(row)?;
                Filter::of(&[b"--domain", &row.name])
            }
            Pane::Causes => {
                let row = tables?.causes.get(row)?;
                Filter::of(&[b"--cause", row.cause.name().as_bytes()])
            }
            Pane::Origins => {
                let row = tables?.origins.get(row)?;
                Filter::of(&[format!("--{}", row.filter).as_bytes(), &row.name])
            }
        })
    }

    /// Does what `key` asks for.
    pub(super) fn press(&mut self, key: Key) -> Option<Ask> {
        self.notice.clear();
        match key {
            Key::Control('c') => return Some(Ask::Quit),
            Key::Control('z') => return Some(Ask::Suspend),
            Key::Control('l') => return Some(Ask::Redraw),
            _ => {}
        }
        if self.prompt.is_some() {
            return self.type_in(key);
        }
        if self.help {
            // Any key takes it away; q does not quit from it, as in less.
            self.help = false;
            return None;
        }
        if self.commands.is_some() {
            return self.press_in_commands(key);
        }
        match key {
            Key::Char('q') => return Some(Ask::Quit),
            Key::Char('?') => self.help = true,
            Key::Char('f') => self.freeze(),
            Key::Char('w') => self.advise(),
            Key::Char('y') => self.open_commands(),
            Key::Char('/') => {
                let text = match self.pages.last() {
                    Some(Page::List(list)) => list.filter.text(),
                    _ => String::new(),
                };
                self.prompt = Some(Prompt {
                    text,
                    error: String::new(),
                });
            }
            _ if !self.pages.is_empty() => return self.press_on_page(key),
            _ => return self.press_on_first(key),
        }
        None
    }

    fn press_on_first(&mut self, key: Key) -> Option<Ask> {
        let place = self.pane as usize;
        if self.panes[place].moves(key, self.rows(self.pane)) {
            return None;
        }
        match key {
            Key::Tab | Key::Right | Key::Char('l') => self.pane = Pane::ALL[(place + 1) % 4],
            Key::BackTab | Key::Left | Key::Char('h') => self.pane = Pane::ALL[(place + 3) % 4],
            Key::Char(digit @ '1'..='4') => self.pane = Pane::ALL[digit as usize - '1' as usize],
            Key::Char('z') => self.zoomed = !self.zoomed,
            Key::Escape | Key::Backspace => self.zoomed = false,
            Key::Char('s') => self.sort(),
            Key::Enter => match self.filter() {
                Some(filter) => return Some(self.open_list(filter)),
                None => "There is no row to open.".clone_into(&mut self.notice),
            },
            _ => {}
        }
        None
    }

    /// The next order of the pane.
    fn sort(&mut self) {
        let order = &mut self.orders[self.pane as usize];
        *order = match (self.pane, *order) {
            (Pane::Queues, _) => {
                "Queues come in Postfix's order.".clone_into(&mut self.notice);
                return;
            }
            (Pane::Origins, Order::Count) | (_, Order::Age) => Order::Name,
            (_, Order::Count) => Order::Age,
            (_, Order::Name) => Order::Count,
        };
        if let Some(mut tables) = self.tables.take() {
            self.arrange(&mut tables);
            self.tables = Some(tables);
        }
        self.panes[self.pane as usize].chosen = 0;
    }

    fn open_list(&mut self, filter: Filter) -> Ask {
        let list = List::new(filter.clone());
        let sort = list.sort;
        self.reached = 0;
        self.pages.push(Page::List(list));
        Ask::List(filter, sort)
    }

    fn press_on_page(&mut self, key: Key) -> Option<Ask> {
        match key {
            Key::Escape | Key::Backspace | Key::Left | Key::Char('h') => {
                let was_reading = self.is_reading();
                self.pages.pop();
                return was_reading.then_some(Ask::Forget);
            }
            _ => {}
        }
        match self.pages.last_mut()? {
            Page::List(list) => {
                let rows = list.lines().len();
                if list.table.moves(key, rows) {
                    return None;
                }
                match key {
                    Key::Enter | Key::Right | Key::Char('l') => {
                        let id = list.chosen()?.queue_id().as_bytes().to_vec();
                        self.reached = 0;
                        self.pages.push(Page::Text(Text {
                            title: String::from_utf8_lossy(&id).into_owned(),
                            message: Some(id.clone()),
                            lines: None,
                            first: 0,
                            wrapped: 0,
                            height: 1,
                        }));
                        Some(Ask::Show(id))
                    }
                    Key::Char('s') => {
                        list.sort = match list.sort {
                            Sort::Arrival => Sort::Size,
                            Sort::Size => Sort::Retry,
                            Sort::Retry => Sort::QueueId,
                            Sort::QueueId => Sort::Arrival,
                        };
                        Some(self.read_again()?)
                    }
                    Key::Char('r') => Some(self.read_again()?),
                    _ => None,
                }
            }
            Page::Text(text) => {
                let last = text.wrapped.saturating_sub(text.height);
                text.first = match key {
                    Key::Up | Key::Char('k') => text.first.saturating_sub(1),
                    Key::Down | Key::Char('j') => text.first + 1,
                    Key::PageUp => text.first.saturating_sub(text.height),
                    Key::PageDown | Key::Char(' ') => text.first + text.height,
                    Key::Home | Key::Char('g') => 0,
                    Key::End | Key::Char('G') => last,
                    _ => text.first,
                }
                .min(last);
                None
            }
        }
    }

    /// Asks for the topmost list once more.
    fn read_again(&mut self) -> Option<Ask> {
        let Some(Page::List(list)) = self.pages.last_mut() else {
            return None;
        };
        list.found = None;
        list.table = Table::NEW;
        self.reached = 0;
        Some(Ask::List(list.filter.clone(), list.sort))
    }

    /// A key while a filter is typed.
    fn type_in(&mut self, key: Key) -> Option<Ask> {
        let prompt = self.prompt.as_mut()?;
        match key {
            Key::Escape => self.prompt = None,
            // Where nothing is left, it leaves.
            Key::Backspace | Key::Delete if prompt.text.is_empty() => self.prompt = None,
            Key::Backspace | Key::Delete => drop(prompt.text.pop()),
            Key::Control('u') => prompt.text.clear(),
            Key::Control('w') => {
                let kept = prompt.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
                prompt.text.truncate(kept);
            }
            Key::Char(character) if prompt.text.len() < MAX_TYPED => {
                prompt.text.push(character);
                prompt.error.clear();
            }
            Key::Enter => match Filter::parse(&prompt.text) {
                Ok(filter) => {
                    self.prompt = None;
                    if let Some(Page::List(list)) = self.pages.last_mut() {
                        list.filter = filter;
                        return self.read_again();
                    }
                    return Some(self.open_list(filter));
                }
                Err(error) => prompt.error = error.to_string(),
            },
            _ => {}
        }
        None
    }

    fn freeze(&mut self) {
        self.frozen = !self.frozen;
        if !self.frozen {
            let (sums, tables) = std::mem::take(&mut self.waiting);
            if let Some(sums) = sums {
                self.look(sums, tables);
            }
        }
    }

    /// Opens the page that says what is wrong and what to do.
    fn advise(&mut self) {
        let Some(sums) = &self.sums else { return };
        let mut lines = vec![format!("{}: {}", sums.state, sums.reason)];
        if let Some(tables) = &self.tables {
            lines.push(String::new());
            lines.extend(tables.advice.iter().cloned());
        }
        self.pages.push(Page::Text(Text {
            title: "What is wrong, and what to do".to_owned(),
            message: None,
            lines: Some(lines),
            first: 0,
            wrapped: 0,
            height: 1,
        }));
    }

    /// Opens the window with the commands for what is chosen.
    fn open_commands(&mut self) {
        let commands = match self.pages.last() {
            None => self
                .filter()
                .map(|filter| self.place.of_list(&filter, Sort::Arrival)),
            Some(Page::List(list)) => {
                let mut commands = self.place.of_list(&list.filter, list.sort);
                let chosen = list.chosen().map(|line| line.queue_id().as_bytes());
                commands.extend(chosen.and_then(|id| self.place.of_hold(id)));
                Some(commands)
            }
            Some(Page::Text(text)) => text.message.as_ref().map(|id| self.place.of_message(id)),
        };
        match commands {
            Some(commands) => self.commands = Some(commands),
            None => "There is nothing here that a command is for.".clone_into(&mut self.notice),
        }
    }

    /// A key while the window with commands is open: y copies the first, a digit any of them.
    fn press_in_commands(&mut self, key: Key) -> Option<Ask> {
        let commands = self.commands.take()?;
        let place = match key {
            Key::Char('y') => 0,
            Key::Char(digit @ '1'..='9') => digit as usize - '1' as usize,
            _ => return None,
        };
        let command = commands.get(place)?.clone();
        "Copied, if the terminal has a clipboard (OSC 52); printed when top ends."
            .clone_into(&mut self.notice);
        if !self.copied.contains(&command) {
            self.copied.push(command.clone());
        }
        Some(Ask::Copy(command))
    }
}

/// The longest filter that can be typed, in bytes.
const MAX_TYPED: usize = 1000;
