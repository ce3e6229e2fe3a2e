//! Draws a pane of the first screen: queues, destinations by age, causes, origins.

use queuewatch::snapshot::ages;
use ratatui::style::{Color, Modifier};

use super::canvas::{Canvas, Side};
use super::history::{MINUTES, Point};
use super::model::{Model, Order, Pane};
use super::sight::{CauseRow, DomainRow, OriginRow, QueueRow, Tables};
use super::style::{FAINT, Look, PLAIN, REVERSED, STRONG};

/// Draws `pane`. How many rows fit is noted in the model, for keys that move by screens.
pub(super) fn draw(model: &mut Model, pane: Pane, look: Look, canvas: &mut Canvas<'_>) {
    let in_focus = model.pane == pane;
    let place = pane as usize;
    let rows = model.rows(pane);
    // Under the head; of domains, also under the sums.
    let above = if pane == Pane::Domains { 2 } else { 1 };
    let mut height = canvas.height().saturating_sub(above);
    let beyond = beyond(model, pane);
    if !beyond.is_empty() && height > 1 {
        height -= 1;
    }
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
    let row = above + shown.len();
    canvas.put(row, 2, canvas.width() - 2, &beyond, FAINT);
}

/// What stands under the rows of `pane`: what is beyond them, or that there are none.
fn beyond(model: &Model, pane: Pane) -> String {
    let beyond = match (&model.tables, pane) {
        (None, _) | (_, Pane::Queues) => return String::new(),
        (Some(tables), pane) => &tables.beyond[pane as usize - 1],
    };
    let empty = match pane {
        Pane::Causes => "no delay reason on record",
        Pane::Origins => "no login and no client on record",
        _ => "no recipients",
    };
    match (model.rows(pane), beyond.as_str()) {
        (0, "") => empty.to_owned(),
        (_, beyond) => beyond.to_owned(),
    }
}

/// The style of a row, and whether it is chosen.
fn row_style(canvas: &mut Canvas<'_>, row: usize, is_chosen: bool) {
    if is_chosen {
        // Of several colours in one row, some could not be read on the others.
        let style = REVERSED.fg(Color::Reset).remove_modifier(Modifier::DIM);
        canvas.line(row, style);
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
            Some(_) if row.messages == 0 => FAINT,
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

/// The points of an hour in `columns` columns: of those that share one, the highest.
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
    let title = title(order, heads.get(skipped).filter(|_| skipped > 0), name);
    canvas.put(0, 1, name, &title, look.head(in_focus));
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

/// The head of the names: the longest that fits in `width`. It says of which ages there are columns, unless there are
/// all.
fn title(order: Order, above: Option<&String>, width: usize) -> String {
    let destination = |name: &str| marked(name, order, Order::Name);
    let age = |text: String| marked(&text, order, Order::Age);
    let Some(above) = above else {
        let name = destination("Destination");
        return format!("{name}, {}", age("age in minutes".to_owned()));
    };
    let long = format!(
        "{}, {}",
        destination("Destination"),
        age(format!("age over {above} minutes"))
    );
    let short = format!(
        "{}, {}",
        destination("Destination"),
        age(format!(">{above} min"))
    );
    let least = format!("{}, {}", destination("Dest."), age(format!(">{above} min")));
    let fits = |text: &String| text.len() <= width;
    [long, short].into_iter().find(fits).unwrap_or(least)
}

/// The narrowest column of a reason: less of it says nothing.
const LEAST_REASON: usize = 12;

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
    let mut columns: Vec<(usize, usize, Side)> = widths
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
    if let [.., hop, reason] = columns.as_mut_slice() {
        if reason.1 < LEAST_REASON {
            reason.1 = 0;
            hop.1 = width.saturating_sub(hop.0);
        }
    }
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
