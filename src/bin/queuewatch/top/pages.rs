//! Draws what lies over the first screen: lists of messages, lines of text, commands, and help.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Side, wrapped};
use super::command::Commands;
use super::messages::MessageLine;
use super::page::{List, Text};
use super::reader::MOST;
use super::style::{FAINT, Look, PLAIN, REVERSED, STRONG};

/// The widest column of an instance.
const MAX_LABEL: usize = 16;

/// A list of messages. `reached` says how many files were read, while it is read.
pub(super) fn list(list: &mut List, reached: u64, look: Look, canvas: &mut Canvas<'_>) {
    let (width, height) = (canvas.width(), canvas.height());
    let filter = match list.filter.text() {
        text if text.is_empty() => "all messages".to_owned(),
        text => text,
    };
    let sort = list.sort.name();
    let state = match &list.found {
        None => format!("reading: {reached} files so far"),
        Some(Err(_)) => "failed".to_owned(),
        Some(Ok(found)) => {
            let clock = look.clock;
            let count = found.lines.len() as u64;
            let of = if count == MOST { "the first " } else { "" };
            let cut = if found.cut { ", cut short" } else { "" };
            let unread = match found.unread {
                0 => String::new(),
                unread => format!(", {unread} unreadable"),
            };
            format!("{of}{count} by {sort}, {}{cut}{unread}", clock(found.at))
        }
    };
    let room = width.saturating_sub(state.len() + 3);
    canvas.put(0, 1, room, &filter, STRONG);
    canvas.cell(0, (0, width - 1, Side::Right), &state, PLAIN);
    if let Some(Err(error)) = &list.found {
        for (row, line) in wrapped(error, width - 4).iter().enumerate() {
            canvas.put(2 + row, 2, width - 4, line, look.alarm());
        }
        return;
    }
    canvas.line(1, look.head(true));
    // Under the filter and the head, above the two lines about the chosen message.
    let rows = list.lines().len();
    let shown = height.saturating_sub(5);
    list.table.fit(rows, shown);
    let first = list.table.first;
    let lines = list.lines();
    let part = &lines[first..(first + shown).min(rows)];
    // The instance stands before all others.
    let label = |line: &MessageLine| line.source.as_ref().map(|source| source.label.len());
    let labels = part.iter().filter_map(label).max();
    let instance = labels.map_or(0, |longest| longest.clamp(8, MAX_LABEL) + 2);
    let columns = columns(part, width - instance)
        .map(|(column, width, side)| (column + instance, width, side));
    if instance > 0 {
        canvas.put(1, 1, instance - 2, "instance", look.head(true));
    }
    let heads = [
        "queue ID",
        "queue",
        "age",
        "size",
        "sender",
        "recipient",
        "cause",
        "reason",
    ];
    for (column, head) in columns.into_iter().zip(heads) {
        canvas.cell(1, column, head, look.head(true));
    }
    for (place, line) in part.iter().enumerate() {
        let row = place + 2;
        if let Some(source) = &line.source {
            canvas.put(row, 1, instance - 2, &source.label, PLAIN);
        }
        for (column, cell) in columns.into_iter().zip(&line.cells) {
            canvas.cell(row, column, cell, PLAIN);
        }
        if first + place == list.table.chosen {
            canvas.line(row, REVERSED);
        }
    }
    if rows == 0 && list.found.is_some() {
        canvas.put(3, 2, width, "No message is picked.", PLAIN);
    }
    if let Some(line) = lines.get(list.table.chosen) {
        let [_, _, _, _, sender, recipient, cause, reason] = &line.cells;
        let who = format!("{sender} {} {recipient}", look.arrow());
        let place = format!("{} of {rows}", list.table.chosen + 1);
        let side = (0, width - 1, Side::Right);
        canvas.cell(height - 3, side, &place, FAINT);
        canvas.put(
            height - 3,
            1,
            width.saturating_sub(place.len() + 3),
            &who,
            STRONG,
        );
        let why = match reason.as_str() {
            "" => "no delay reason on record".to_owned(),
            reason => format!("{cause}: {reason}"),
        };
        for (row, line) in wrapped(&why, width - 2).iter().take(2).enumerate() {
            canvas.put(height - 2 + row, 1, width - 2, line, PLAIN);
        }
    }
}

/// The columns of a list: as wide as their texts, and addresses share what is left.
fn columns(lines: &[MessageLine], width: usize) -> [(usize, usize, Side); 8] {
    let longest = |place: usize, least: usize| {
        let lengths = lines.iter().map(|line| line.cells[place].len());
        lengths.max().unwrap_or(0).max(least)
    };
    let fixed = [
        longest(0, 8).min(20),
        longest(1, 5),
        longest(2, 3),
        longest(3, 4),
    ];
    let taken: usize = fixed.iter().map(|width| width + 2).sum();
    let rest = width.saturating_sub(taken + 2);
    let cause = longest(6, 5);
    // A reason has a column where addresses leave room for it.
    let (addresses, reason) = match rest > 110 {
        true => ((rest - cause - 6) / 2, (rest - cause - 6) / 2),
        false => (rest.saturating_sub(cause + 2), 0),
    };
    let sender = longest(4, 6).min(addresses / 2);
    let recipient = addresses.saturating_sub(sender + 2);
    let widths = [
        fixed[0], fixed[1], fixed[2], fixed[3], sender, recipient, cause, reason,
    ];
    let mut column = 1;
    let mut place = 0;
    widths.map(|width| {
        let side = if matches!(place, 2 | 3) {
            Side::Right
        } else {
            Side::Left
        };
        let one = (column, width, side);
        column += width + 2;
        place += 1;
        one
    })
}

/// Lines of text.
pub(super) fn text(text: &mut Text, canvas: &mut Canvas<'_>) {
    let (width, height) = (canvas.width(), canvas.height());
    canvas.put(0, 1, width - 2, &text.title, STRONG);
    let Some(lines) = &text.lines else {
        canvas.put(2, 2, width, "reading the message", PLAIN);
        return;
    };
    let lines: Vec<String> = lines
        .iter()
        .flat_map(|line| wrapped(line, width - 2))
        .collect();
    let shown = height.saturating_sub(2);
    (text.wrapped, text.height) = (lines.len(), shown);
    text.first = text.first.min(lines.len().saturating_sub(shown));
    for (row, line) in lines.iter().skip(text.first).take(shown).enumerate() {
        canvas.put(row + 2, 1, width - 1, line, PLAIN);
    }
    if lines.len() > shown {
        let last = (text.first + shown).min(lines.len());
        let place = format!("lines {} to {last} of {}", text.first + 1, lines.len());
        canvas.cell(0, (0, width - 1, Side::Right), &place, FAINT);
    }
}

/// The window with commands.
pub(super) fn commands(commands: &Commands, look: Look, canvas: &mut Canvas<'_>) {
    let width = canvas.width();
    let mut lines: Vec<(String, bool)> = Vec::new();
    for (place, command) in commands.lines.iter().enumerate() {
        for (row, line) in broken(command, width - 6).into_iter().enumerate() {
            let number = if row == 0 {
                format!("{} ", place + 1)
            } else {
                "  ".to_owned()
            };
            lines.push((format!("{number}{line}"), true));
        }
    }
    lines.push((String::new(), false));
    for note in &commands.notes {
        lines.extend(
            wrapped(note, width - 4)
                .into_iter()
                .map(|line| (line, false)),
        );
    }
    let rows = (lines.len() + 2).min(canvas.height());
    // Under the head.
    if lines.len() > rows - 1 {
        lines.truncate(rows - 2);
        lines.push(("(a larger terminal shows the rest)".to_owned(), false));
    }
    let area = Rect {
        y: canvas.area.y + canvas.area.height - rows as u16,
        height: rows as u16,
        ..canvas.area
    };
    let mut window = canvas.part(area);
    for row in 0..rows {
        window.put(row, 0, width, &" ".repeat(width), PLAIN);
        window.line(row, ratatui::style::Style::reset());
    }
    window.line(0, look.head(true));
    let head = format!("The command for {}", commands.reach);
    window.put(0, 1, width, &head, look.head(true));
    for (row, (line, is_command)) in lines.iter().enumerate() {
        let style = if *is_command { STRONG } else { PLAIN };
        window.put(row + 1, 2, width - 3, line, style);
    }
}

/// A command in pieces: it may have no spaces where a line ends, and none is lost.
fn broken(command: &str, width: usize) -> Vec<String> {
    let characters: Vec<char> = command.chars().collect();
    characters
        .chunks(width.max(1))
        .map(|chunk| chunk.iter().collect())
        .collect()
}

/// The keys. Texts fit a screen of 80 columns.
const KEYS: [(&str, &str); 17] = [
    (
        "arrows, h j k l",
        "move: between rows, between panes, back from a page",
    ),
    (
        "PgUp PgDn g G",
        "a screen up or down, to the first, to the last",
    ),
    (
        "Tab, Shift-Tab, 1-4",
        "the next pane, the one before, that one",
    ),
    ("Enter", "messages of a queue, domain, cause or origin;"),
    ("", "from a message: all about it"),
    ("Esc, Backspace", "back"),
    ("/", "list messages by the filters of queuewatch list:"),
    ("", "domain a.example older 2h not sender '<>' deferred"),
    ("s", "sort by the next order"),
    ("r", "read again: a list or a message stays as it was read"),
    ("w", "what is wrong, and what to do"),
    ("y", "the exact command for what is chosen; y copies it"),
    ("f", "freeze the screen, and let it go on"),
    ("z", "let the pane fill the screen, or no longer"),
    ("Ctrl-L", "draw the screen again"),
    ("Ctrl-Z", "stop; fg goes on"),
    ("q, Ctrl-C", "quit"),
];

/// The help page.
pub(super) fn help(look: Look, canvas: &mut Canvas<'_>) {
    let width = canvas.width();
    canvas.put(0, 1, width, "Keys", STRONG);
    let room = canvas.height();
    let tight = room < KEYS.len() + 6;
    let mut row = if tight { 1 } else { 2 };
    for (key, what) in KEYS {
        canvas.put(row, 2, 19, key, look.key());
        canvas.put(row, 22, width.saturating_sub(23), what, PLAIN);
        row += 1;
    }
    if !tight {
        row += 1;
    }
    let notes = [
        "Faint bars: before the start, from mail that is still there. 5+: at least 5.",
        "Bold causes are ours to end. queuewatch top changes nothing.",
    ];
    for note in notes {
        for line in wrapped(note, width - 4) {
            canvas.put(row, 2, width - 3, &line, FAINT);
            row += 1;
        }
    }
}
