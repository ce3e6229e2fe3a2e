//! HTML elements of the report. Everything that came from outside passes through [`text`].

use std::fmt::Write as _;

use crate::escape::obeyed;

/// `text` for HTML: no character of it is markup, a control, changes the direction of the text, or is one that HTML forbids.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character if obeyed(character) || is_no_character(character) => {
                out.push('\u{fffd}');
            }
            character => out.push(character),
        }
    }
    out
}

/// One of the 66 noncharacters of Unicode: a document that has one is no valid HTML.
fn is_no_character(character: char) -> bool {
    let code = u32::from(character);
    matches!(code, 0xfdd0..=0xfdef) || code & 0xfffe == 0xfffe
}

/// A column of a table.
#[derive(Clone, Copy)]
pub(super) enum Column<'a> {
    Text(&'a str),
    /// Words that stay in one line: ours, and queue IDs.
    Word(&'a str),
    /// Sentences.
    Long(&'a str),
    Number(&'a str),
}

/// A cell: what is shown, safe HTML, and the number that it sorts by.
pub(super) struct Cell {
    html: String,
    key: Option<i64>,
    class: Option<String>,
}

impl Cell {
    /// Plain text from anywhere.
    pub(super) fn text(shown: &str) -> Cell {
        Cell {
            html: text(shown),
            key: None,
            class: None,
        }
    }

    /// HTML that is already safe.
    pub(super) fn html(html: String) -> Cell {
        Cell {
            html,
            key: None,
            class: None,
        }
    }

    pub(super) fn number(value: u64) -> Cell {
        Cell {
            html: value.to_string(),
            key: Some(value.min(i64::MAX as u64) as i64),
            class: None,
        }
    }

    /// `shown` sorts by `key`.
    pub(super) fn sorted(shown: &str, key: i64) -> Cell {
        Cell {
            key: Some(key),
            ..Cell::text(shown)
        }
    }

    /// What it sorts by, if that is a number.
    pub(super) fn key(&self) -> Option<i64> {
        self.key
    }

    pub(super) fn class(self, class: String) -> Cell {
        Cell {
            class: Some(class),
            ..self
        }
    }
}

/// A section with a heading that other pages can link to.
pub(super) fn section(out: &mut String, id: &str, heading: &str, body: &str) {
    let _ = writeln!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n{body}</section>",
        text(heading)
    );
}

/// A table whose first column names the row. It scrolls sideways on a narrow screen.
pub(super) fn table(caption: &str, columns: &[Column<'_>], rows: &[Vec<Cell>]) -> String {
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">\n\
         <table class=\"sortable\">\n<caption>{0}</caption>\n<thead><tr>",
        text(caption)
    );
    for column in columns {
        let _ = match column {
            Column::Text(name) | Column::Word(name) | Column::Long(name) => {
                write!(out, "<th scope=\"col\">{}</th>", text(name))
            }
            Column::Number(name) => {
                write!(out, "<th scope=\"col\" class=\"n\">{}</th>", text(name))
            }
        };
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (place, cell) in row.iter().enumerate() {
            let (element, scope) = match place {
                0 => ("th", " scope=\"row\""),
                _ => ("td", ""),
            };
            let mut class = cell.class.clone().unwrap_or_default();
            match columns.get(place) {
                Some(Column::Number(_)) => class.insert_str(0, "n "),
                Some(Column::Word(_)) => class.insert_str(0, "w "),
                Some(Column::Long(_)) => class.insert_str(0, "l "),
                _ => {}
            }
            let class = match class.trim() {
                "" => String::new(),
                class => format!(" class=\"{class}\""),
            };
            let key = cell
                .key
                .map_or(String::new(), |key| format!(" data-key=\"{key}\""));
            let _ = write!(
                out,
                "<{element}{scope}{class}{key}>{}</{element}>",
                cell.html
            );
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// A list of sentences; nothing if there is none.
pub(super) fn list(sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let items: Vec<String> = sentences
        .iter()
        .map(|one| format!("<li>{}</li>\n", text(one)))
        .collect();
    format!("<ul>\n{}</ul>\n", items.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(
            text("<img src=x onerror='a(\"b\")'>&\u{202e}\u{7}\n"),
            "&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;\u{fffd}\u{fffd}\u{fffd}"
        );
        assert_eq!(text("grüße@例え.jp"), "grüße@例え.jp");
        assert_eq!(
            text("\u{fdcf}\u{fdd0}\u{fdef}\u{fdf0}\u{fffd}\u{fffe}\u{1ffff}\u{10fffe}"),
            "\u{fdcf}\u{fffd}\u{fffd}\u{fdf0}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"
        );
        let rows = [vec![
            Cell::text("</table><script>"),
            Cell::sorted("<1d>", -5),
        ]];
        let table = table("a\"b", &[Column::Text("x<"), Column::Number("y")], &rows);
        assert!(!table.contains("<script"), "{table}");
        assert!(table.contains("data-key=\"-5\">&lt;1d&gt;</td>"), "{table}");
        assert!(table.contains("aria-label=\"a&quot;b\""), "{table}");
    }
}
