//! How the screen looks: colours of the 16 that every terminal has, or none, and characters beyond ASCII or none.
//!
//! Nothing is said by colour alone: without it the same is bold, dim, underlined or reversed.

use queuewatch::rules::State;
use queuewatch::snapshot::ages::COLUMNS;
use ratatui::style::{Color, Modifier, Style};

use super::history::Point;

/// Text.
pub(super) const PLAIN: Style = Style::new();
/// What is less important. No colour says it: the bright black of some themes is their background.
pub(super) const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
/// What is more important.
pub(super) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// The first line, and the row that is chosen.
pub(super) const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// How a screen is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) color: bool,
    pub(super) utf8: bool,
    /// The time of day of a second of the epoch.
    pub(super) clock: fn(i64) -> String,
}

impl Look {
    fn with(self, color: Color, style: Style) -> Style {
        match self.color {
            true => style.fg(color),
            false => style,
        }
    }

    /// The head of a table.
    pub(super) fn head(self, in_focus: bool) -> Style {
        let style = match in_focus {
            true => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
            false => Style::new().add_modifier(Modifier::UNDERLINED),
        };
        self.with(Color::Cyan, style)
    }

    pub(super) fn state(self, state: State) -> Style {
        let color = match state {
            State::Ok => Color::Green,
            State::Warning => Color::Yellow,
            State::Critical => Color::Red,
            State::Unknown => Color::Magenta,
        };
        let style = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        self.with(color, style)
    }

    /// What is wrong.
    pub(super) fn alarm(self) -> Style {
        self.with(Color::Red, STRONG)
    }

    /// A key among the words about it.
    pub(super) fn key(self) -> Style {
        self.with(Color::Cyan, STRONG)
    }

    /// A cell of ages: from green (young) to red (old), as `queuewatch shape` has them; the largest of a row is
    /// bold.
    pub(super) fn heat(self, column: usize, count: u64, most: u64) -> Style {
        const SCALE: [Color; 5] = [
            Color::Green,
            Color::LightGreen,
            Color::Yellow,
            Color::LightRed,
            Color::Red,
        ];
        if count == 0 {
            return FAINT;
        }
        let style = match count == most {
            true => STRONG,
            false => PLAIN,
        };
        let step = column * (SCALE.len() - 1) / (COLUMNS - 1);
        self.with(SCALE[step.min(SCALE.len() - 1)], style)
    }

    /// A bar of `point`, where `most` is the highest; what was not seen is faint.
    pub(super) fn bar(self, point: Point, most: u64) -> (char, Style) {
        const BLOCKS: [char; 8] = [
            '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}',
            '\u{2588}',
        ];
        const ASCII: [char; 8] = ['.', ':', '-', '=', '+', '*', '%', '#'];
        let bars = if self.utf8 { BLOCKS } else { ASCII };
        let style = match point.seen {
            true => self.with(Color::Cyan, PLAIN),
            false => FAINT,
        };
        if point.messages == 0 || most == 0 {
            return (' ', style);
        }
        let share = point.messages as f64 / most as f64;
        let step = (share * bars.len() as f64).ceil() as usize;
        (bars[step.clamp(1, bars.len()) - 1], style)
    }

    /// Between a sender and a recipient.
    pub(super) fn arrow(self) -> &'static str {
        if self.utf8 { "\u{2192}" } else { ">" }
    }
}
