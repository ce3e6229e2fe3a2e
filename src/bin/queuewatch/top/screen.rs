//! Draws the model: the first screen, the last line, and which page lies over it.

use queuewatch::snapshot::ages;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Side, wrapped};
use super::history::{MINUTES, Point};
use super::model::{Model, Order, Page, Pane};
use super::pages;
use super::sight::{CauseRow, DomainRow, OriginRow, QueueRow, Tables};
use super::style::{Look, PLAIN, REVERSED, STRONG};

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
            Page::Text(text) => pages::text(text, look, &mut canvas.part(body)),
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
    if let Some(blind) = &sums.blind {
        verdict = format!("{verdict}, {blind}");
    }
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
        draw_pane(model, pane, look, &mut part);
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

fn draw_pane(model: &mut Model, pane: Pane, look: Look, canvas: &mut Canvas<'_>) {
    let in_focus = model.pane == pane;
    let place = pane as usize;
    let rows = model.rows(pane);
    // Under the head; of domains, also under the sums.
    let above = if pane == Pane::Domains { 2 } else { 1 };
    let height = canvas.height().saturating_sub(above);
    model.panes[place].fit(rows, height);
    let table = &model.panes[place];
    let chosen = in_focus.then_some(table.chosen);
    let order = model.orders[place];
    canvas.line(0, look.head(in_focus));
    let shown = table.first..(table.first + height).min(rows);
    match (pane, &model.sums, &model.tables) {
        (Pane::Queues, Some(sums), _) => {
            let rows = &sums.queues[shown.clone()];
            queues(rows, (chosen, shown.start), in_focus, look, canvas);
        }
        (Pane::Domains, _, Some(tables)) => {
            domains(
                tables,
                shown.clone(),
                chosen,
                (in_focus, order),
                look,
                canvas,
            );
        }
        (Pane::Causes, _, Some(tables)) => {
            let rows = &tables.causes[shown.clone()];
            causes(rows, (chosen, shown.start), (in_focus, order), look, canvas);
        }
        (Pane::Origins, _, Some(tables)) => {
            let rows = &tables.origins[shown.clone()];
            origins(rows, (chosen, shown.start), (in_focus, order), look, canvas);
        }
        _ => {}
    }
    if let (Some(tables), 1..) = (&model.tables, place) {
        let beyond = &tables.beyond[place - 1];
        let row = above + shown.len();
        let empty = match pane {
            Pane::Causes => "no delay reason on record",
            Pane::Origins => "no login and no client on record",
            _ => "no recipients",
        };
        let text = match (rows, beyond.as_str()) {
            (0, "") => empty,
            (_, beyond) => beyond,
        };
        if shown.end == rows {
            canvas.put(row, 2, canvas.width() - 2, text, look.faint());
        }
    }
}

/// The style of a row, and whether it is chosen.
fn row_style(canvas: &mut Canvas<'_>, row: usize, is_chosen: bool) {
    if is_chosen {
        canvas.line(row, REVERSED);
    }
}

fn marked(name: &str, order: Order, of: Order) -> String {
    match order == of && order != Order::Count {
        true => format!("{name}*"),
        false => name.to_owned(),
    }
}

/// The columns of the queues: name, messages, recipients, size, oldest; then bars.
const QUEUE_COLUMNS: [(usize, usize, Side); 5] = [
    (1, 9, Side::Left),
    (10, 9, Side::Right),
    (20, 10, Side::Right),
    (31, 10, Side::Right),
    (43, 8, Side::Left),
];
/// Where the bars begin.
const BARS: usize = 52;

fn queues(
    rows: &[QueueRow],
    (chosen, first): (Option<usize>, usize),
    in_focus: bool,
    look: Look,
    canvas: &mut Canvas<'_>,
) {
    let heads = ["Queue", "messages", "recipients", "size", "oldest"];
    for (column, head) in QUEUE_COLUMNS.into_iter().zip(heads) {
        canvas.cell(0, column, head, look.head(in_focus));
    }
    let room = canvas.width().saturating_sub(BARS + 1);
    let remarks = rows.iter().map(|row| row.remarks.len()).max().unwrap_or(0);
    // What is unusual is more important than the past.
    let bars = match remarks {
        0 => room.min(MINUTES),
        length => room
            .saturating_sub(length + 2)
            .clamp(room.min(12), MINUTES.min(room)),
    };
    canvas.put(0, BARS, bars, "messages, last hour", look.head(in_focus));
    for (place, row) in rows.iter().enumerate() {
        let line = place + 1;
        let style = match row.queue {
            None => STRONG,
            Some(_) if row.messages == 0 => look.faint(),
            Some(_) => PLAIN,
        };
        canvas.cell(line, QUEUE_COLUMNS[0], row.name(), style);
        for (column, cell) in QUEUE_COLUMNS.into_iter().skip(1).zip(&row.cells) {
            canvas.cell(line, column, cell, style);
        }
        let points = squeezed(&row.hour, bars);
        let most = points.iter().map(|point| point.messages).max().unwrap_or(0);
        for (column, point) in points.into_iter().enumerate() {
            let (bar, style) = look.bar(point, most);
            canvas.put(line, BARS + column, 1, &bar.to_string(), style);
        }
        canvas.put(line, BARS + bars + 2, room, &row.remarks, look.alarm());
        row_style(canvas, line, chosen == Some(first + place));
    }
}

/// The points of an hour in so many columns: of those that share one, the highest.
fn squeezed(hour: &[Point; MINUTES], columns: usize) -> Vec<Point> {
    let each = MINUTES.div_ceil(columns.max(1));
    // The newest point is at the right, and its column is a whole one.
    let chunks = hour.rchunks(each);
    let mut points: Vec<Point> = chunks
        .take(columns)
        .map(|chunk| Point {
            messages: chunk.iter().map(|point| point.messages).max().unwrap_or(0),
            seen: chunk.iter().all(|point| point.seen),
        })
        .collect();
    points.reverse();
    points
}

/// Recipients by destination domain and age, laid out as `queuewatch shape` does.
fn domains(
    tables: &Tables,
    shown: std::ops::Range<usize>,
    chosen: Option<usize>,
    (in_focus, order): (bool, Order),
    look: Look,
    canvas: &mut Canvas<'_>,
) {
    let mut heads = vec![String::from("T")];
    heads.extend(ages::heads());
    let widths: Vec<usize> = heads
        .iter()
        .zip(tables.all)
        .map(|(head, count)| head.len().max(count.to_string().len()).max(2) + 1)
        .collect();
    // Where not all columns fit, the youngest are left out.
    let mut skipped = 0;
    let needed =
        |skipped: usize| -> usize { widths[0] + widths.iter().skip(1 + skipped).sum::<usize>() };
    while skipped < ages::COLUMNS - 1 && needed(skipped) + 18 > canvas.width() {
        skipped += 1;
    }
    let name = (canvas.width() - needed(skipped)).min(60);
    let title = match order {
        Order::Count => "Destination, age in minutes",
        Order::Age => "Destination, age in minutes*",
        Order::Name => "Destination*, age in minutes",
    };
    canvas.put(0, 1, name, title, look.head(in_focus));
    let kept = |place: usize| place == 0 || place > skipped;
    let mut column = name;
    for (place, head) in heads.iter().enumerate().filter(|(place, _)| kept(*place)) {
        canvas.cell(
            0,
            (column, widths[place], Side::Right),
            head,
            look.head(in_focus),
        );
        column += widths[place];
    }
    let mut line = |row: usize, text: &str, cells: &[u64], is_total: bool, is_chosen: bool| {
        let style = if is_total { STRONG } else { PLAIN };
        // As in qshape, the end of a long name stays.
        let length = text.chars().count();
        let text = match length + 1 > name {
            true => format!(
                "+{}",
                text.chars().skip(length + 2 - name).collect::<String>()
            ),
            false => text.to_owned(),
        };
        canvas.cell(row, (1, name - 1, Side::Right), &text, style);
        let most = cells.iter().skip(1).max().copied().unwrap_or(0);
        let mut column = name;
        for (place, cell) in cells.iter().enumerate().filter(|(place, _)| kept(*place)) {
            let style = match place {
                0 => style,
                place => look.heat(place - 1, *cell, most),
            };
            let width = widths[place];
            canvas.cell(row, (column, width, Side::Right), &cell.to_string(), style);
            column += width;
        }
        row_style(canvas, row, is_chosen);
    };
    line(1, "TOTAL", &tables.all, true, false);
    let first = shown.start;
    let rows: &[DomainRow] = &tables.domains[shown];
    for (place, row) in rows.iter().enumerate() {
        line(
            place + 2,
            &row.text,
            &row.cells,
            false,
            chosen == Some(first + place),
        );
    }
}

fn causes(
    rows: &[CauseRow],
    (chosen, first): (Option<usize>, usize),
    (in_focus, order): (bool, Order),
    look: Look,
    canvas: &mut Canvas<'_>,
) {
    let width = canvas.width();
    let longest = |text: fn(&CauseRow) -> usize, least: usize| {
        rows.iter().map(text).max().unwrap_or(0).max(least)
    };
    let cause = longest(|row| row.cause.name().len(), 7);
    let recipients = longest(|row| row.recipients.to_string().len(), 5);
    let hop = longest(|row| row.hop.len(), 8);
    // Who acts and the reason have columns where the next hop leaves room for them.
    let acts = if width > 70 { 7 } else { 0 };
    let widths = [cause, recipients, 7, acts, hop.min(40), width];
    let mut next = 1;
    let columns: Vec<(usize, usize, Side)> = widths
        .into_iter()
        .enumerate()
        .map(|(place, wide)| {
            let side = if place == 1 { Side::Right } else { Side::Left };
            let column = (next, wide.min(width.saturating_sub(next)), side);
            next += if wide == 0 {
                0
            } else {
                wide + 1 + usize::from(place > 1)
            };
            column
        })
        .collect();
    let heads = [
        &*marked("Cause", order, Order::Name),
        "rcpts",
        &marked("oldest", order, Order::Age),
        "acts",
        "next hop",
        "reason",
    ];
    for (column, head) in columns.iter().zip(heads) {
        canvas.cell(0, *column, head, look.head(in_focus));
    }
    for (place, row) in rows.iter().enumerate() {
        let line = place + 1;
        let recipients = row.recipients.to_string();
        let style = match row.acts.is_ours() {
            true => STRONG,
            false => PLAIN,
        };
        let cells = [
            row.cause.name(),
            &recipients,
            &row.age,
            row.acts.name(),
            &row.hop,
            &row.reason,
        ];
        for (column, cell) in columns.iter().zip(cells) {
            canvas.cell(line, *column, cell, style);
        }
        row_style(canvas, line, chosen == Some(first + place));
    }
}

fn origins(
    rows: &[OriginRow],
    (chosen, first): (Option<usize>, usize),
    (in_focus, order): (bool, Order),
    look: Look,
    canvas: &mut Canvas<'_>,
) {
    let columns = [
        (1, 8, Side::Right),
        (10, 6, Side::Left),
        (17, canvas.width().saturating_sub(17), Side::Left),
    ];
    let head = marked("Origin", order, Order::Name);
    canvas.cell(0, columns[0], "messages", look.head(in_focus));
    canvas.put(0, columns[1].0, canvas.width(), &head, look.head(in_focus));
    for (place, row) in rows.iter().enumerate() {
        let line = place + 1;
        let messages = row.messages.to_string();
        let cells = [messages.as_str(), row.filter, &row.text];
        for (column, cell) in columns.into_iter().zip(cells) {
            canvas.cell(line, column, cell, PLAIN);
        }
        row_style(canvas, line, chosen == Some(first + place));
    }
}
