//! Draws the model: the first screen, the last line, and which page lies over it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::canvas::{Canvas, wrapped};
use super::model::{Model, Pane};
use super::page::Page;
use super::style::{Look, PLAIN, REVERSED, STRONG};
use super::{pages, panes};

/// The smallest screen, in columns and rows.
pub(super) const LEAST: (u16, u16) = (60, 16);
/// The width from which there are two columns of panes.
const WIDE: usize = 140;

/// Draws `model` on the whole of `buffer`. How much fits is noted in the model, for keys that move by screens.
pub(super) fn draw(model: &mut Model, look: Look, buffer: &mut Buffer) {
    let area = buffer.area;
    let mut canvas = Canvas { buffer, area };
    let (columns, rows) = LEAST;
    if area.width < columns || area.height < rows {
        let text = format!(
            "The terminal has {} columns and {} rows; top needs {columns} and {rows}.",
            area.width, area.height
        );
        for (row, line) in wrapped(&text, area.width.into()).iter().enumerate() {
            canvas.put(row, 0, area.width.into(), line, PLAIN);
        }
        return;
    }
    title(model, look, &mut canvas);
    let body = Rect::new(area.x, area.y + 1, area.width, area.height - 2);
    if model.help {
        pages::help(look, &mut canvas.part(body));
    } else if let Some(page) = model.pages.last_mut() {
        let reached = model.reached;
        match page {
            Page::List(list) => pages::list(list, reached, look, &mut canvas.part(body)),
            Page::Text(text) => pages::text(text, &mut canvas.part(body)),
        }
    } else {
        first(model, look, &mut canvas.part(body));
    }
    if let Some(commands) = &model.commands {
        pages::commands(commands, look, &mut canvas.part(body));
    }
    let below = Rect::new(area.x, area.y + area.height - 1, area.width, 1);
    last_line(model, look, &mut canvas.part(below));
}

fn title(model: &Model, look: Look, canvas: &mut Canvas<'_>) {
    let width = canvas.width();
    canvas.line(0, REVERSED);
    let mut right = String::new();
    let mut spool = "";
    if let Some(sums) = &model.sums {
        spool = &sums.spool;
        let clock = look.clock;
        right = clock(sums.at);
        if let Some(tables) = model
            .tables
            .as_ref()
            .filter(|tables| sums.at - tables.at > 30)
        {
            right = format!("{right}, names of {}", clock(tables.at));
        }
        if model.frozen {
            right = format!("FROZEN at {right}");
        }
    }
    right.push(' ');
    let left = width.saturating_sub(right.len());
    canvas.put(0, 0, left, &format!(" queuewatch top  {spool}"), REVERSED);
    canvas.put(0, left, right.len(), &right, REVERSED);
}

/// The last line: what is typed, a notice, or the keys.
fn last_line(model: &Model, look: Look, canvas: &mut Canvas<'_>) {
    let width = canvas.width();
    if let Some(prompt) = &model.prompt {
        if !prompt.error.is_empty() {
            canvas.put(0, 1, width, &prompt.error, look.alarm());
            return;
        }
        let head = " list ";
        canvas.put(0, 0, head.len(), head, look.key());
        let room = width - head.len() - 1;
        // The end of a long line is what is being typed.
        let skipped = prompt.text.chars().count().saturating_sub(room);
        let text: String = prompt.text.chars().skip(skipped).collect();
        canvas.put(0, head.len(), room, &text, PLAIN);
        let cursor = head.len() + text.chars().count();
        canvas.put(0, cursor, 1, " ", REVERSED);
        return;
    }
    if !model.notice.is_empty() {
        canvas.put(0, 1, width, &model.notice, STRONG);
        return;
    }
    let keys: &[(&str, &str)] = if model.help {
        &[("any key", "back")]
    } else if model.commands.is_some() {
        &[
            ("y", "copy the first"),
            ("1-9", "copy that one"),
            ("Esc", "close"),
        ]
    } else {
        match model.pages.last() {
            Some(Page::List(_)) => &[
                ("q", "quit"),
                ("?", "help"),
                ("Esc", "back"),
                ("Enter", "message"),
                ("/", "filter"),
                ("y", "command"),
                ("s", "sort"),
                ("r", "read again"),
            ],
            Some(Page::Text(_)) => &[
                ("q", "quit"),
                ("?", "help"),
                ("Esc", "back"),
                ("arrows", "scroll"),
                ("y", "command"),
            ],
            None => &[
                ("q", "quit"),
                ("?", "help"),
                ("Tab", "pane"),
                ("Enter", "open"),
                ("w", "why"),
                ("/", "filter"),
                ("y", "command"),
                ("s", "sort"),
                ("f", "freeze"),
                ("z", "zoom"),
            ],
        }
    };
    let mut column = 1;
    for (key, what) in keys {
        let length = key.len() + 1 + what.len();
        if column + length > width {
            break;
        }
        canvas.put(0, column, key.len(), key, look.key());
        canvas.put(0, column + key.len() + 1, what.len(), what, PLAIN);
        column += length + 2;
    }
}

/// The first screen: state, queues, and the three tables by name.
fn first(model: &mut Model, look: Look, canvas: &mut Canvas<'_>) {
    let Some(sums) = &model.sums else {
        return waits(model, canvas);
    };
    let width = canvas.width();
    let most = if canvas.height() >= 36 { 3 } else { 2 };
    let mut verdict = sums.reason.clone();
    if let Some(trouble) = &model.trouble {
        verdict = format!("{trouble}; before: {verdict}");
    }
    let state = format!(" {} ", sums.state);
    canvas.put(0, 1, state.len(), &state, look.state(sums.state));
    let indent = state.len() + 2;
    let mut lines = wrapped(&verdict, width - indent - 1);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            let kept: String = last.chars().take(width - indent - 6).collect();
            *last = format!("{} ...", kept.trim_end());
        }
    }
    let said = lines.len();
    for (row, line) in lines.iter().enumerate() {
        canvas.put(row, indent, width, line.trim_start(), PLAIN);
    }
    let body = Rect {
        y: canvas.area.y + said as u16,
        height: canvas.area.height - said as u16,
        ..canvas.area
    };
    for (pane, area) in layout(body, model.rows(Pane::Queues), model.zoomed, model.pane) {
        let mut part = canvas.part(area);
        panes::draw(model, pane, look, &mut part);
    }
}

/// What is shown until the watch has begun.
fn waits(model: &Model, canvas: &mut Canvas<'_>) {
    let width = canvas.width();
    let text = match &model.trouble {
        Some(trouble) => trouble.clone(),
        None => format!("reading the queues: {} files so far", model.reached),
    };
    for (row, line) in wrapped(&text, width - 4).iter().enumerate() {
        canvas.put(1 + row, 2, width - 4, line, STRONG);
    }
}

/// Where each pane is.
fn layout(body: Rect, queues: usize, zoomed: bool, pane: Pane) -> Vec<(Pane, Rect)> {
    if zoomed {
        return vec![(pane, body)];
    }
    let split = |area: Rect, rows: u16| {
        let rows = rows.min(area.height);
        (
            Rect {
                height: rows,
                ..area
            },
            Rect {
                y: area.y + rows,
                height: area.height - rows,
                ..area
            },
        )
    };
    // A head, and as many rows as leave the others at least a head and two rows each.
    let of_queues = (queues as u16 + 1)
        .min(body.height.saturating_sub(6))
        .max(3);
    if usize::from(body.width) >= WIDE {
        let left = Rect {
            width: body.width.div_ceil(2) - 1,
            ..body
        };
        let right = Rect {
            x: body.x + left.width + 2,
            width: body.width - left.width - 2,
            ..body
        };
        let (queues, domains) = split(left, of_queues + 1);
        let (causes, origins) = split(right, body.height.div_ceil(2));
        let shorter = |area: Rect| Rect {
            height: area.height.saturating_sub(1),
            ..area
        };
        return vec![
            (Pane::Queues, shorter(queues)),
            (Pane::Domains, domains),
            (Pane::Causes, shorter(causes)),
            (Pane::Origins, origins),
        ];
    }
    let (queues, rest) = split(body, of_queues);
    let (domains, rest) = split(rest, rest.height.div_ceil(2));
    let left = Rect {
        width: rest.width * 3 / 5,
        ..rest
    };
    let right = Rect {
        x: rest.x + left.width + 1,
        width: rest.width - left.width - 1,
        ..rest
    };
    vec![
        (Pane::Queues, queues),
        (Pane::Domains, domains),
        (Pane::Causes, left),
        (Pane::Origins, right),
    ]
}
