//! Pictures of a terminal: text in the colours of a terminal, as SVG that every browser shows alike.
//!
//! Each piece of text says how long it is, so that columns stand under each other whatever the font is. Bars are
//! drawn, because fonts differ in them.

use std::fmt::Write as _;

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// One of the 256 colours of xterm.
    pub(crate) foreground: Option<u8>,
    /// One of the 256 colours of xterm.
    pub(crate) background: Option<u8>,
    pub(crate) bold: bool,
    pub(crate) dim: bool,
    pub(crate) underlined: bool,
    pub(crate) reversed: bool,
}

/// One place of a terminal.
pub(crate) type Cell = (char, Look);

/// The width of a cell, in units of the picture.
const WIDE: f64 = 8.0;
/// The height of a line.
const HIGH: f64 = 17.0;
/// Around the text.
const MARGIN: f64 = 12.0;
/// Where letters stand, below the upper edge of their line.
const BASE: f64 = 13.0;

/// The terminal's own colours: background and foreground.
const PAPER: &str = "#16191d";
const INK: &str = "#d7dce2";
/// The first 16 colours: legible on that background.
const COLORS: [&str; 16] = [
    "#7a828c", "#ff7b72", "#4ac26b", "#d9a521", "#6cb6ff", "#dcbdfb", "#56d4dd", "#d7dce2",
    "#8b949e", "#ffa198", "#8ddb8c", "#f2cc60", "#96d0ff", "#eedcff", "#b3f0ff", "#ffffff",
];

/// One of the 256 colours: 16 by name, a cube of 6 steps each of red, green and blue, and 24 greys.
fn color(number: u8) -> String {
    let step = |part: u8| if part == 0 { 0 } else { 55 + 40 * part };
    match number {
        0..=15 => COLORS[usize::from(number)].to_owned(),
        16..=231 => {
            let cube = number - 16;
            let [red, green, blue] = [cube / 36, cube / 6 % 6, cube % 6].map(step);
            format!("#{red:02x}{green:02x}{blue:02x}")
        }
        grey => {
            let grey = 8 + 10 * (grey - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

/// The colours of `look`: of the letters, and behind them if that is not the terminal's own.
fn colors(look: Look) -> (String, Option<String>) {
    let foreground = match (look.foreground, look.dim) {
        (Some(number), _) => color(number),
        (None, true) => COLORS[8].to_owned(),
        (None, false) => INK.to_owned(),
    };
    let background = look.background.map(color);
    match look.reversed {
        true => (background.unwrap_or(PAPER.to_owned()), Some(foreground)),
        false => (foreground, background),
    }
}

/// A picture of `rows`, which `title` describes for who does not see it.
pub(crate) fn picture(title: &str, rows: &[Vec<Cell>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let (width, height) = (
        columns as f64 * WIDE + 2.0 * MARGIN,
        rows.len() as f64 * HIGH + 2.0 * MARGIN,
    );
    let title = escaped(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" role=\"img\" \
         aria-label=\"{title}\">\n<title>{title}</title>\n\
         <style>text{{font:13px ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',Consolas,monospace;white-space:pre}}\
         .b{{font-weight:bold}}.u{{text-decoration:underline}}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{PAPER}\"/>\n"
    );
    for (place, row) in rows.iter().enumerate() {
        let top = MARGIN + place as f64 * HIGH;
        let mut column = 0;
        for run in row.chunk_by(|a, b| a.1 == b.1) {
            draw(run, MARGIN + column as f64 * WIDE, top, &mut out);
            column += run.len();
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Draws cells that look alike.
fn draw(run: &[Cell], left: f64, top: f64, out: &mut String) {
    let Some((_, look)) = run.first() else { return };
    let (ink, paper) = colors(*look);
    if let Some(paper) = paper {
        let width = run.len() as f64 * WIDE;
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{HIGH}\" fill=\"{paper}\"/>"
        );
    }
    let text: String = run.iter().map(|(symbol, _)| *symbol).collect();
    let is_bar = |symbol: char| ('\u{2581}'..='\u{2588}').contains(&symbol);
    for (place, symbol) in text
        .chars()
        .enumerate()
        .filter(|(_, symbol)| is_bar(*symbol))
    {
        let high = f64::from(symbol as u32 - 0x2580) / 8.0 * (HIGH - 2.0);
        let (x, y) = (left + place as f64 * WIDE, top + HIGH - 1.0 - high);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{y:.1}\" width=\"{}\" height=\"{high:.1}\" fill=\"{ink}\"/>",
            WIDE - 1.0
        );
    }
    let text: String = text
        .chars()
        .map(|symbol| if is_bar(symbol) { ' ' } else { symbol })
        .collect();
    let before = text.chars().take_while(|symbol| *symbol == ' ').count();
    let text = text.trim_matches(' ');
    if text.is_empty() {
        return;
    }
    let classes = match (look.bold, look.underlined) {
        (false, false) => "",
        (true, false) => " class=\"b\"",
        (false, true) => " class=\"u\"",
        (true, true) => " class=\"b u\"",
    };
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" textLength=\"{}\" fill=\"{ink}\"{classes}>{}</text>",
        left + before as f64 * WIDE,
        top + BASE,
        text.chars().count() as f64 * WIDE,
        escaped(text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The cells of `text`, which a program printed for a terminal of `columns`: its graphic renditions (ECMA-48, 8.3.117)
/// become looks, and long lines go on in the next.
pub(crate) fn printed(text: &str, columns: usize) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut look = Look::default();
    for line in text.lines() {
        let mut row: Vec<Cell> = Vec::new();
        let mut rest = line;
        while let Some(symbol) = rest.chars().next() {
            if let Some((codes, after)) = rest
                .strip_prefix("\u{1b}[")
                .and_then(|rest| rest.split_once('m'))
            {
                match codes.strip_prefix("38;5;") {
                    Some(number) => look.foreground = Some(number.parse().expect("a colour")),
                    None => codes.split(';').for_each(|code| rendition(code, &mut look)),
                }
                rest = after;
                continue;
            }
            if row.len() == columns {
                rows.push(std::mem::take(&mut row));
            }
            row.push((symbol, look));
            rest = &rest[symbol.len_utf8()..];
        }
        rows.push(row);
    }
    rows
}

/// Changes `look` as the code of a graphic rendition says.
fn rendition(code: &str, look: &mut Look) {
    let code: u8 = if code.is_empty() {
        0
    } else {
        code.parse().expect("a code of a rendition")
    };
    match code {
        0 => *look = Look::default(),
        1 => look.bold = true,
        2 => look.dim = true,
        4 => look.underlined = true,
        7 => look.reversed = true,
        22 => (look.bold, look.dim) = (false, false),
        39 => look.foreground = None,
        49 => look.background = None,
        30..=37 => look.foreground = Some(code - 30),
        40..=47 => look.background = Some(code - 40),
        90..=97 => look.foreground = Some(code - 82),
        100..=107 => look.background = Some(code - 92),
        other => panic!("no rendition {other} is drawn"),
    }
}

/// Compares `shown` with the picture `name` of the documentation. With QW_BLESS in the environment it is written.
#[track_caller]
pub(crate) fn compare(name: &str, shown: &str) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/docs/pictures");
    let path = folder.join(name);
    if std::env::var_os("QW_BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&path, shown).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    // The whole picture would be pages of text.
    let differs = kept
        .lines()
        .zip(shown.lines())
        .find(|(kept, shown)| kept != shown);
    assert!(
        kept == shown,
        "{} shows another screen than the program: {differs:?}; run tests/pictures, and look at the picture",
        path.display()
    );
}
