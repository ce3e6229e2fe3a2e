//! What lies over the first screen: lists of messages and lines of text; and the table that can be scrolled.

use queuewatch::listing::Sort;

use super::filter::Filter;
use super::keys::Key;
use super::messages::{Message, MessageLine, Messages};

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
    pub(super) const NEW: Table = Table {
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
    pub(super) fn moves(&mut self, key: Key, rows: usize) -> bool {
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
    pub(super) fn new(filter: Filter) -> List {
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

    pub(super) fn chosen(&self) -> Option<&MessageLine> {
        self.lines().get(self.table.chosen)
    }
}

/// Lines of text.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) title: String,
    /// The message, if the text is about one.
    pub(super) message: Option<Message>,
    /// `None` while they are read.
    pub(super) lines: Option<Vec<String>>,
    pub(super) first: usize,
    /// The lines on the screen, wrapped, and how many of them fit: as they were drawn last.
    pub(super) wrapped: usize,
    pub(super) height: usize,
}

impl Text {
    pub(super) fn new(title: String, message: Option<Message>, lines: Option<Vec<String>>) -> Text {
        Text {
            title,
            message,
            lines,
            first: 0,
            wrapped: 0,
            height: 1,
        }
    }
}

/// A line that is being typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompt {
    pub(super) text: String,
    /// What is wrong with it.
    pub(super) error: String,
}
