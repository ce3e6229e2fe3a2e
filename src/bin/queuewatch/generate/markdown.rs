//! From the Markdown of `src/docs` to roff, for the parts of manual pages that are prose.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use roff::{Inline, Roff, bold, italic, roman};

/// The whole of `text` but its title, as roff.
pub(super) fn whole(text: &str) -> String {
    convert(text, false)
}

/// The section of `text` under the second-level heading `title`, as roff; it becomes the description.
pub(super) fn section(text: &str, title: &str) -> String {
    let head = format!("## {title}\n");
    let start = match text.strip_prefix(&head) {
        Some(_) => head.len(),
        None => match text.find(&format!("\n{head}")) {
            Some(at) => at + 1 + head.len(),
            None => return String::new(),
        },
    };
    let rest = &text[start..];
    let end = rest.find("\n## ").map_or(rest.len(), |at| at + 1);
    let mut page = Roff::new();
    page.control("SH", ["DESCRIPTION"]);
    page.to_roff() + &convert(&rest[..end], true)
}

/// What is collected while events come.
#[derive(Default)]
struct Page {
    roff: Roff,
    line: Vec<Inline>,
    emphasis: bool,
    strong: bool,
    /// The text of a heading or of a cell, where one is open.
    plain: Option<String>,
    /// Whether the next paragraph begins a list item, and needs no break of its own.
    in_item: bool,
    /// Whether the last output was a heading.
    after_heading: bool,
    skipping_title: bool,
    code: bool,
    cells: Vec<String>,
    heads: Vec<String>,
}

impl Page {
    fn push(&mut self, text: &str) {
        if let Some(plain) = &mut self.plain {
            plain.push_str(text);
        } else if self.strong {
            self.line.push(bold(text));
        } else if self.emphasis {
            self.line.push(italic(text));
        } else {
            self.line.push(roman(text));
        }
    }

    fn flush(&mut self) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.roff.text(line);
        }
    }

    /// A break, which roff wants nowhere right after a heading.
    fn new_paragraph(&mut self) {
        if !std::mem::take(&mut self.after_heading) {
            self.roff.control("PP", []);
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.plain = Some(String::new());
                self.skipping_title = *level == HeadingLevel::H1;
            }
            Tag::Paragraph if self.in_item => self.in_item = false,
            Tag::Paragraph => self.new_paragraph(),
            Tag::Item => {
                self.after_heading = false;
                self.roff.control("IP", ["\\(bu", "2"]);
                self.in_item = true;
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.new_paragraph();
                self.roff.control("nf", []);
                self.code = true;
            }
            Tag::Emphasis => self.emphasis = true,
            Tag::Strong => self.strong = true,
            Tag::TableHead | Tag::TableRow => self.cells.clear(),
            Tag::TableCell => self.plain = Some(String::new()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(level) => {
                let text = self.plain.take().unwrap_or_default();
                self.after_heading = !self.skipping_title;
                if self.skipping_title {
                    self.skipping_title = false;
                } else if level == HeadingLevel::H2 {
                    self.roff.control("SH", [text.to_uppercase().as_str()]);
                } else {
                    self.roff.control("SS", [text.as_str()]);
                }
            }
            TagEnd::Paragraph => self.flush(),
            TagEnd::Item => {
                self.flush();
                self.in_item = false;
            }
            TagEnd::CodeBlock => {
                self.code = false;
                self.roff.control("fi", []);
            }
            TagEnd::Emphasis => self.emphasis = false,
            TagEnd::Strong => self.strong = false,
            TagEnd::TableCell => {
                let cell = self.plain.take().unwrap_or_default();
                self.cells.push(cell);
            }
            TagEnd::TableHead => self.heads = std::mem::take(&mut self.cells),
            // The first cell names the row; the rest says what it is.
            TagEnd::TableRow => {
                let mut cells = std::mem::take(&mut self.cells).into_iter();
                self.after_heading = false;
                self.roff.control("TP", []);
                let first = cells.next().filter(|cell| !cell.is_empty());
                self.roff.text([bold(first.as_deref().unwrap_or("-"))]);
                let rest: Vec<String> = cells.filter(|cell| !cell.is_empty()).collect();
                self.roff.text([roman(rest.join("; "))]);
            }
            _ => {}
        }
    }
}

fn convert(text: &str, after_heading: bool) -> String {
    let mut page = Page {
        after_heading,
        ..Page::default()
    };
    // A manual page has no pictures; the text describes what they show.
    let is_prose = |line: &&str| !line.starts_with("![");
    let text: Vec<&str> = text.lines().filter(is_prose).collect();
    for event in Parser::new_ext(&text.join("\n"), Options::ENABLE_TABLES) {
        match event {
            Event::Start(tag) => page.start(&tag),
            Event::End(tag) => page.end(tag),
            Event::Text(text) if page.code => {
                for line in text.lines() {
                    page.roff.text([roman(line)]);
                }
            }
            Event::Text(text) => page.push(&text),
            Event::Code(text) => {
                let strong = std::mem::replace(&mut page.strong, true);
                page.push(&text);
                page.strong = strong;
            }
            Event::SoftBreak | Event::HardBreak => page.push(" "),
            _ => {}
        }
    }
    page.flush();
    page.roff.to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let text =
            "# T\n\n## A\n\none `two`\n\n## Rules\n\nthree *four*\n\n- five\n\n## B\n\nsix\n";
        let roff = section(text, "Rules");
        assert!(roff.contains("three") && roff.contains("five"), "{roff}");
        assert!(!roff.contains("one") && !roff.contains("six"), "{roff}");
        assert_eq!(section(text, "C"), "");
    }

    #[test]
    fn a_picture_is_left_out() {
        let roff = whole("# T\n\n## S\n\none\n\n![a picture](x.svg)\n\ntwo\n");
        assert_eq!(roff, whole("# T\n\n## S\n\none\n\ntwo\n"));
    }

    #[test]
    fn code_tables_and_leading_dots_stand_as_they_are() {
        let roff = whole("# T\n\n## S\n\n```sh\n.x -y\n```\n\n| a | b |\n|---|---|\n| `c` | d |\n");
        assert!(roff.contains("\\&.x \\-y"), "{roff}");
        assert!(roff.contains(".SH S"), "{roff}");
        assert!(roff.contains(".TP\n\\fBc\\fR\nd"), "{roff}");
    }
}
