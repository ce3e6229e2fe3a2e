//! Putting text on a screen: cut to its place, wrapped, in columns.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A part of the screen.
pub(super) struct Canvas<'b> {
    pub(super) buffer: &'b mut Buffer,
    pub(super) area: Rect,
}

/// To which side of its column a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Canvas<'_> {
    /// A smaller part: `area` is within the screen.
    pub(super) fn part(&mut self, area: Rect) -> Canvas<'_> {
        Canvas {
            area: area.intersection(self.area),
            buffer: self.buffer,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.area.width.into()
    }

    pub(super) fn height(&self) -> usize {
        self.area.height.into()
    }

    /// Fills a line with `style`.
    pub(super) fn line(&mut self, row: usize, style: Style) {
        if row < self.height() {
            let area = Rect::new(self.area.x, self.area.y + row as u16, self.area.width, 1);
            self.buffer.set_style(area, style);
        }
    }

    /// Writes `text` at `column` of `row`, at most `width` wide. A text that is cut ends in `..`.
    pub(super) fn put(
        &mut self,
        row: usize,
        column: usize,
        width: usize,
        text: &str,
        style: Style,
    ) {
        let width = width.min(self.width().saturating_sub(column));
        if row >= self.height() || width == 0 {
            return;
        }
        let (x, y) = (self.area.x + column as u16, self.area.y + row as u16);
        // Where it is not cut, the number of characters is the width: texts are ASCII but for bars and arrows.
        let length = text.chars().count();
        if length <= width {
            self.buffer.set_stringn(x, y, text, width, style);
            return;
        }
        let dots = if width > 4 { ".." } else { "" };
        let kept: String = text.chars().take(width - dots.len()).collect();
        self.buffer.set_stringn(x, y, kept + dots, width, style);
    }

    /// The same with the text at one side of its column.
    pub(super) fn cell(
        &mut self,
        row: usize,
        (column, width, side): (usize, usize, Side),
        text: &str,
        style: Style,
    ) {
        let length = text.chars().count();
        let before = match side {
            Side::Right => width.saturating_sub(length),
            Side::Left => 0,
        };
        self.put(row, column + before, width - before, text, style);
    }
}

/// `text` in lines of at most `width` characters, broken between words where there are some. Lines after the first
/// have the indent of the first, and two more.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let indent = text
        .chars()
        .take_while(|c| *c == ' ')
        .count()
        .min(width / 2);
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    loop {
        let before = match lines.is_empty() {
            true => 0,
            false => indent + 2,
        };
        let room = width.saturating_sub(before).max(4);
        let line = |part: &[char]| {
            let part: String = part.iter().collect();
            format!("{:before$}{}", "", part.trim_end())
        };
        if rest.len() <= room {
            lines.push(line(&rest));
            return lines;
        }
        let space = rest[..=room].iter().rposition(|c| *c == ' ');
        // A word that fills more than half of the line is broken itself.
        let end = space.filter(|at| *at > room / 2).unwrap_or(room);
        lines.push(line(&rest[..end]));
        let next = rest[end..].iter().take_while(|c| **c == ' ').count();
        rest.drain(..end + next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 9), ["one two", "  three"]);
        assert_eq!(wrapped("  a bb ccccc", 10), ["  a bb", "    ccccc"]);
        assert_eq!(
            wrapped("0123456789abcdef", 8),
            ["01234567", "  89abcd", "  ef"]
        );
        assert_eq!(wrapped("", 10), [""]);
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 10, 2));
        let area = buffer.area;
        let mut canvas = Canvas {
            buffer: &mut buffer,
            area,
        };
        canvas.put(0, 2, 6, "abcdefgh", Style::new());
        canvas.cell(1, (0, 5, Side::Right), "12", Style::new());
        canvas.put(1, 8, 90, "xyz\u{1b}[2J", Style::new());
        canvas.put(7, 0, 5, "below", Style::new());
        let line = |row: u16| -> String {
            (0..10)
                .map(|x| buffer[(x, row)].symbol().to_owned())
                .collect()
        };
        assert_eq!(line(0), "  abcd..  ");
        assert_eq!(line(1), "   12   xy");
    }
}
