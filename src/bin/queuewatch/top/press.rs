//! What a key does to the model.

use queuewatch::escape::counted;
use queuewatch::listing::Sort;

use super::command::Commands;
use super::filter::Filter;
use super::keys::Key;
use super::messages::MessageLine;
use super::model::{Ask, Model, Order, Pane};
use super::page::{List, Page, Prompt, Table, Text};
use super::reader::MOST;

/// The longest filter that can be typed, in bytes.
const MAX_TYPED: usize = 1000;

/// What a command is for whose reach is not known.
const CHOSEN: &str = "what is chosen";

/// How much mail `list` has, once it is read.
fn of_list(list: &List) -> Option<String> {
    let Some(Ok(found)) = &list.found else {
        return None;
    };
    let count = found.lines.len() as u64;
    let bound = match count == MOST || found.unread > 0 || found.cut {
        true => "at least ",
        false => "",
    };
    Some(format!("{bound}{}", counted(count, "message")))
}

impl Model {
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
        self.pages.push(Page::List(List::new(filter.clone())));
        self.begin();
        Ask::List(filter, Sort::Arrival)
    }

    /// Notes that the topmost page is the one that is read from now on.
    fn begin(&mut self) {
        self.reached = 0;
        self.reads = self.pages.len().checked_sub(1);
    }

    /// Takes the topmost page away. If the page below waits for an answer that does not come any more, it is read
    /// again.
    fn close_page(&mut self) -> Option<Ask> {
        self.pages.pop();
        let below = self.pages.len().checked_sub(1);
        let was_read = self.reads.take_if(|place| Some(*place) > below).is_some();
        let waits = below.is_some() && self.is_reading() && self.reads != below;
        match waits {
            true => self.read_again(),
            false => was_read.then_some(Ask::Forget),
        }
    }

    fn press_on_page(&mut self, key: Key) -> Option<Ask> {
        match key {
            Key::Escape | Key::Backspace | Key::Left | Key::Char('h') => {
                return self.close_page();
            }
            Key::Char('r') => return self.read_again(),
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
                        let line = list.chosen()?;
                        let (title, message) = (line.queue_id().to_owned(), line.message());
                        let page = Text::new(title, Some(message.clone()), None);
                        self.pages.push(Page::Text(page));
                        self.begin();
                        Some(Ask::Show(message))
                    }
                    Key::Char('s') => {
                        list.sort = match list.sort {
                            Sort::Arrival => Sort::Size,
                            Sort::Size => Sort::Retry,
                            Sort::Retry => Sort::QueueId,
                            Sort::QueueId => Sort::Arrival,
                        };
                        self.read_again()
                    }
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

    /// Asks for what the topmost page shows once more.
    fn read_again(&mut self) -> Option<Ask> {
        let ask = match self.pages.last_mut()? {
            Page::List(list) => {
                list.found = None;
                list.table = Table::NEW;
                Ask::List(list.filter.clone(), list.sort)
            }
            Page::Text(text) => {
                let message = text.message.clone()?;
                text.lines = None;
                Ask::Show(message)
            }
        };
        self.begin();
        Some(ask)
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
        if self.sums.is_none() {
            "There is nothing to freeze before the first look.".clone_into(&mut self.notice);
            return;
        }
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
        let title = "What is wrong, and what to do".to_owned();
        let page = Text::new(title, None, Some(lines));
        self.pages.push(Page::Text(page));
    }

    /// Opens the window with the commands for what is chosen.
    fn open_commands(&mut self) {
        let commands = match self.pages.last() {
            None => self.filter().map(|filter| {
                let reach = self.reach().unwrap_or_else(|| CHOSEN.to_owned());
                self.place.of_list(&filter, Sort::Arrival, reach)
            }),
            Some(Page::List(list)) => {
                let reach = of_list(list).unwrap_or_else(|| CHOSEN.to_owned());
                let mut commands = self.place.of_list(&list.filter, list.sort, reach);
                let chosen = list.chosen().map(MessageLine::message);
                let hold = chosen.and_then(|message| self.place.of_hold(&message));
                commands.lines.extend(hold);
                Some(commands)
            }
            Some(Page::Text(text)) => {
                let message = text.message.as_ref();
                message.map(|message| self.place.of_message(message))
            }
        };
        match commands {
            Some(commands) => self.commands = Some(commands),
            None => "There is nothing here that a command is for.".clone_into(&mut self.notice),
        }
    }

    /// How much mail the row is that is chosen on the first screen.
    fn reach(&self) -> Option<String> {
        let row = self.panes[self.pane as usize].chosen;
        let tables = self.tables.as_ref();
        let of_recipients = |count| format!("the mail of {}", counted(count, "recipient"));
        Some(match self.pane {
            Pane::Queues => {
                let row = self.sums.as_ref()?.queues.get(row)?;
                let bound = match row.cells[0].ends_with('+') {
                    true => "at least ",
                    false => "",
                };
                format!("{bound}{}", counted(row.messages, "message"))
            }
            Pane::Domains => of_recipients(tables?.domains.get(row)?.cells[0]),
            Pane::Causes => of_recipients(tables?.causes.get(row)?.recipients),
            Pane::Origins => counted(tables?.origins.get(row)?.messages, "message"),
        })
    }

    /// A key while the window with commands is open: y copies the first, a digit any of them.
    fn press_in_commands(&mut self, key: Key) -> Option<Ask> {
        let Commands { lines, .. } = self.commands.take()?;
        let place = match key {
            Key::Char('y') => 0,
            Key::Char(digit @ '1'..='9') => digit as usize - '1' as usize,
            _ => return None,
        };
        let command = lines.get(place)?.clone();
        "Copied, if the terminal has a clipboard (OSC 52); printed when top ends."
            .clone_into(&mut self.notice);
        if !self.copied.contains(&command) {
            self.copied.push(command.clone());
        }
        Some(Ask::Copy(command))
    }
}
