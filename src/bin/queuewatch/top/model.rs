//! What the screen shows: pure, without a terminal and without a spool.
//!
//! The first screen has four [`Pane`]s. Enter opens a [`Page`] over it; pages lie on each other, and Escape takes
//! the topmost away. A key ([`Model::press`]) either changes the model or returns an [`Ask`], which the program
//! carries out; the answer comes back by [`Model::look`], [`Model::listed`] and [`Model::lines`].

use queuewatch::listing::Sort;

use super::command::{Commands, Where};
use super::filter::Filter;
use super::messages::{Message, Messages};
use super::page::{Page, Prompt, Table};
use super::sight::{Sums, Tables, older};

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

/// What the program is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Quit,
    /// Stop the program until it is continued.
    Suspend,
    /// Write the screen as a whole.
    Redraw,
    List(Filter, Sort),
    Show(Message),
    /// The answer is no longer needed.
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
    pub(super) waiting: (Option<Sums>, Option<Tables>),
    pub(super) frozen: bool,
    /// Why the last look failed.
    pub(super) trouble: Option<String>,
    pub(super) pane: Pane,
    pub(super) panes: [Table; 4],
    pub(super) orders: [Order; 4],
    /// Whether the pane fills the screen.
    pub(super) zoomed: bool,
    pub(super) pages: Vec<Page>,
    /// The page that is being read, by its place in `pages`: one at a time. Another page without an answer is
    /// read again when it is on top.
    pub(super) reads: Option<usize>,
    pub(super) prompt: Option<Prompt>,
    /// The commands of the window that is open.
    pub(super) commands: Option<Commands>,
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
            reads: None,
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
            // The chosen row is found by its name, at its new position.
            for (pane, name) in Pane::ALL.into_iter().zip(chosen) {
                let place = (0..self.rows(pane)).find(|row| self.name(pane, *row) == name);
                if let (Some(place), true) = (place, name.is_some()) {
                    self.panes[pane as usize].chosen = place;
                }
            }
        }
    }

    /// The page that the answer is for which has come.
    fn answered(&mut self) -> Option<&mut Page> {
        let place = self.reads.take()?;
        self.pages.get_mut(place)
    }

    /// Takes in the answer to [`Ask::List`].
    pub(super) fn listed(&mut self, found: Result<Messages, String>) {
        if let Some(Page::List(list)) = self.answered() {
            list.found = Some(found);
        }
    }

    /// Takes in the answer to [`Ask::Show`].
    pub(super) fn lines(&mut self, lines: Vec<String>) {
        if let Some(Page::Text(text)) = self.answered() {
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
    pub(super) fn arrange(&self, tables: &mut Tables) {
        let [_, domains, causes, origins] = self.orders;
        tables.domains.sort_by(|a, b| match domains {
            Order::Count => b.cells[0]
                .cmp(&a.cells[0])
                .then_with(|| a.name.cmp(&b.name)),
            Order::Age => older(&a.cells, &b.cells),
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
    pub(super) fn filter(&self) -> Option<Filter> {
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
                let hop = match row.next_hop.as_slice() {
                    b"" => &b"-"[..],
                    hop => hop,
                };
                let cause = row.cause.name().as_bytes();
                Filter::of(&[b"--cause", cause, b"--next-hop", hop])
            }
            Pane::Origins => {
                let row = tables?.origins.get(row)?;
                Filter::of(&[format!("--{}", row.filter).as_bytes(), &row.name])
            }
        })
    }
}
