//! Bars along time as inline SVG. The figures are text in the picture, so that it needs no colour and no script.

use std::fmt::Write as _;

use super::html::text;

/// The height of the bars, in units of the picture.
const HEIGHT: f64 = 120.0;
/// The width of a bar with its gap.
const STEP: f64 = 62.0;

/// A bar for each part: its label and its count. Empty if all counts are 0.
pub(super) fn bars(title: &str, parts: &[(String, u64)]) -> String {
    let most = parts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let width = STEP * parts.len() as f64;
    let sentence: Vec<String> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(label, count)| format!("{count} {label}"))
        .collect();
    let mut out = format!(
        "<figure><svg viewBox=\"0 0 {width} {0}\" width=\"{width}\" height=\"{0}\" role=\"img\" aria-label=\"{1}\">\n",
        HEIGHT + 44.0,
        text(&format!("{title}: {}", sentence.join(", ")))
    );
    for (place, (label, count)) in parts.iter().enumerate() {
        let left = STEP * place as f64;
        let middle = left + STEP / 2.0;
        // A part that is not empty is visible, however small it is.
        let height = match count {
            0 => 0.0,
            count => (*count as f64 / most as f64 * HEIGHT).max(2.0),
        };
        let top = HEIGHT + 18.0 - height;
        let _ = writeln!(
            out,
            "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>\
             <text x=\"{middle:.1}\" y=\"{:.1}\">{count}</text>\
             <text x=\"{middle:.1}\" y=\"{:.1}\" class=\"label\">{}</text>",
            left + 6.0,
            STEP - 12.0,
            top - 5.0,
            HEIGHT + 36.0,
            text(label)
        );
    }
    let _ = writeln!(
        out,
        "</svg><figcaption>{}</figcaption></figure>",
        text(title)
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_is_full_and_the_smallest_is_seen() {
        assert_eq!(bars("x", &[("a".into(), 0)]), "");
        let parts = [
            ("due".into(), 100_000),
            ("<1h".into(), 1),
            ("later".into(), 0),
        ];
        let svg = bars("Next retries", &parts);
        assert!(svg.contains("height=\"120.0\""), "{svg}");
        assert!(svg.contains("height=\"2.0\""), "{svg}");
        assert!(
            svg.contains("aria-label=\"Next retries: 100000 due, 1 &lt;1h\""),
            "{svg}"
        );
        assert!(!svg.contains("<1h"), "{svg}");
    }
}
