//! The picture of the screen in the documentation. `tests/pictures` writes it.

use super::*;
use crate::top::terminal_svg::{self, picture};

/// The number that terminals give to one of the 16 colours.
fn number(color: Color) -> Option<u8> {
    crate::top::encode::number(color)
}

#[test]
fn the_first_screen() {
    let look = Look {
        color: true,
        ..LOOK
    };
    let mut model = Seen::sick().model();
    let screen = drawn(&mut model, look, 100, 30);
    let cell = |cell: &Cell| {
        let look = terminal_svg::Look {
            foreground: number(cell.fg),
            background: number(cell.bg),
            bold: cell.modifier.contains(Modifier::BOLD),
            dim: cell.modifier.contains(Modifier::DIM),
            underlined: cell.modifier.contains(Modifier::UNDERLINED),
            reversed: cell.modifier.contains(Modifier::REVERSED),
        };
        (cell.symbol().chars().next().unwrap_or(' '), look)
    };
    let rows: Vec<Vec<terminal_svg::Cell>> = screen
        .content
        .chunks(screen.area.width.into())
        .map(|row| row.iter().map(cell).collect())
        .collect();
    let title = "queuewatch top on a queue of a drill: the state, queues, destinations by age, causes, origins";
    terminal_svg::compare("top.svg", &picture(title, &rows));
}
