//! The bytes that a terminal is sent: cells at their places, in the 16 colours that every terminal has.
//!
//! [`encode`] is the one door to the terminal: a character that a terminal could interpret is replaced there, whatever
//! came before.

use queuewatch::escape::obeyed;
use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier};

/// Appends what makes the terminal show `cells`, each at its column and row.
pub(super) fn encode(cells: &[(u16, u16, &Cell)], utf8: bool, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let mut style = None;
    let mut next = None;
    for (column, row, cell) in cells {
        if next != Some((*column, *row)) {
            // Writing into a Vec cannot fail.
            let _ = write!(out, "\x1b[{};{}H", row + 1, column + 1);
        }
        let present = (cell.fg, cell.bg, cell.modifier);
        if style != Some(present) {
            style = Some(present);
            rendition(cell, out);
        }
        let symbol = cell.symbol();
        let harmless = |character: char| !obeyed(character) && (utf8 || character.is_ascii());
        let narrow = symbol.chars().count() == 1;
        match narrow && symbol.chars().all(harmless) {
            true => out.extend_from_slice(symbol.as_bytes()),
            false => out.push(b'?'),
        }
        next = Some((column + 1, *row));
    }
    if style.is_some() {
        out.extend_from_slice(b"\x1b[0m");
    }
}

/// Appends `bytes` in base64 (RFC 4648, section 4).
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            match place <= chunk.len() {
                true => out.push(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]),
                false => out.push(b'='),
            }
        }
    }
}

/// Appends the graphic rendition of `cell` (ECMA-48, 8.3.117), from the 16 colours that every terminal has.
fn rendition(cell: &Cell, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\x1b[0");
    for (modifier, code) in [
        (Modifier::BOLD, ";1"),
        (Modifier::DIM, ";2"),
        (Modifier::UNDERLINED, ";4"),
        (Modifier::REVERSED, ";7"),
    ] {
        if cell.modifier.contains(modifier) {
            out.extend_from_slice(code.as_bytes());
        }
    }
    if let Some(color) = number(cell.fg) {
        let code = if color < 8 { 30 + color } else { 82 + color };
        out.extend_from_slice(format!(";{code}").as_bytes());
    }
    if let Some(color) = number(cell.bg) {
        let code = if color < 8 { 40 + color } else { 92 + color };
        out.extend_from_slice(format!(";{code}").as_bytes());
    }
    out.push(b'm');
}

/// The number of one of the 16 colours.
pub(super) fn number(color: Color) -> Option<u8> {
    Some(match color {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn encoded(text: &str, style: Style, utf8: bool) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        for (place, character) in text.chars().enumerate() {
            // The buffer takes any symbol; the door must not.
            let mut symbol = [0; 4];
            let cell = &mut buffer[(2 + place as u16, 1)];
            cell.set_symbol(character.encode_utf8(&mut symbol));
            cell.set_style(style);
        }
        let mut out = Vec::new();
        encode(&Buffer::empty(buffer.area).diff(&buffer), utf8, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_changed_is_written_at_its_place() {
        let bold = Style::new().add_modifier(Modifier::BOLD).fg(Color::Red);
        assert_eq!(encoded("ab", bold, true), "\x1b[2;3H\x1b[0;1;31mab\x1b[0m");
        let bright = Style::new().fg(Color::LightGreen).bg(Color::DarkGray);
        assert_eq!(
            encoded("a", bright, true),
            "\x1b[2;3H\x1b[0;92;100ma\x1b[0m"
        );
        assert_eq!(encoded("", bold, true), "");
    }

    #[test]
    fn nothing_that_a_terminal_could_interpret_passes_the_door() {
        for hostile in ["\x1b", "\x07", "\u{9b}", "\u{202e}", "\r", "\u{85}", "\0"] {
            let plain = encoded(hostile, Style::new(), true);
            assert_eq!(plain, "\x1b[2;3H\x1b[0m?\x1b[0m", "{hostile:?}");
        }
        let bar = encoded("\u{2588}", Style::new(), true);
        assert_eq!(bar, "\x1b[2;3H\x1b[0m\u{2588}\x1b[0m");
        assert_eq!(
            encoded("\u{2588}", Style::new(), false),
            "\x1b[2;3H\x1b[0m?\x1b[0m"
        );
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = Vec::new();
            base64(text.as_bytes(), &mut out);
            assert_eq!(out, coded.as_bytes());
        }
    }
}
