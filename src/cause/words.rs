//! The words of the table, all found in one pass over a reason: the time does not grow with the table.

use std::cell::Cell;

use aho_corasick::{AhoCorasick, MatchKind};
use once_cell::race::OnceBox;

use super::names::is_in_name;
use super::parts::Said;
use super::row::{Codes, Row};
use super::table::BY_WORDS;

/// How often what follows a phrase is looked at in one reason.
const MAX_FOLLOWED: u32 = 64;

/// The first row of the table that fits a `text` that `said` says. What Postfix itself says may be an
/// administrator's `retry:` text or the output of a command, so the rows of replies fit it after its own.
pub(super) fn first_row(text: &[u8], said: Said, codes: &Codes<'_>) -> Option<&'static Row> {
    let (mut own, mut borrowed) = (usize::MAX, usize::MAX);
    let mut see = |place: usize, counts: &dyn Fn(&Row) -> bool| {
        let Some(row) = BY_WORDS.get(place) else {
            return;
        };
        let first = match (said, row.said) {
            (said, of) if said == of => &mut own,
            (Said::Postfix, Said::Reply) => &mut borrowed,
            _ => return,
        };
        if place < *first && row.fits(codes) && counts(row) {
            *first = place;
        }
    };
    let words = Words::get();
    // A reply may repeat a phrase hundreds of times.
    let looked = Cell::new(0_u32);
    for found in words.finder.find_overlapping_iter(text) {
        if let Some(place) = words.rows.get(found.pattern().as_usize()) {
            let (start, end) = (found.start(), found.end());
            see(*place, &|row| {
                let phrase = text.get(start..end).unwrap_or_default();
                let follows = row.then.is_empty() || {
                    looked.set(looked.get() + 1);
                    looked.get() <= MAX_FOLLOWED
                        && row.is_followed(text.get(end..).unwrap_or_default())
                };
                follows && (is_name(phrase) || !is_in_name(text, start, end))
            });
        }
    }
    for place in &words.wordless {
        see(*place, &|_| true);
    }
    BY_WORDS.get(own).or_else(|| BY_WORDS.get(borrowed))
}

/// Returns true if a phrase is itself a name, such as `proofpoint.com`. It counts in longer names, too.
fn is_name(phrase: &[u8]) -> bool {
    let is_mark = |byte: &u8| matches!(byte, b'.' | b'@');
    phrase.iter().any(is_mark) && !phrase.contains(&b' ')
}

/// The phrases of the table, ready to be found.
struct Words {
    finder: AhoCorasick,
    /// The row of each phrase.
    rows: Vec<usize>,
    /// The rows that need no words.
    wordless: Vec<usize>,
}

impl Words {
    /// Those of the table, built once. No thread waits for another that builds them: a child forked
    /// meanwhile would wait forever.
    fn get() -> &'static Words {
        static WORDS: OnceBox<Words> = OnceBox::new();
        WORDS.get_or_init(|| Box::new(Words::of_table()))
    }

    fn of_table() -> Words {
        let mut phrases = Vec::new();
        let mut rows = Vec::new();
        let mut wordless = Vec::new();
        for (place, row) in BY_WORDS.iter().enumerate() {
            for phrase in row.phrases() {
                if phrase.is_empty() {
                    wordless.push(place);
                } else {
                    phrases.push(phrase);
                    rows.push(place);
                }
            }
        }
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(phrases);
        // The table is fixed and far below the limits of the builder; a test builds it.
        let finder = finder.unwrap_or_else(|error| unreachable!("the table of causes: {error}"));
        Words {
            finder,
            rows,
            wordless,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;

    fn cause(said: Said, status: &str, reply: Option<&str>, text: &str) -> Option<Cause> {
        let codes = Codes {
            status: status.as_bytes(),
            reply: reply.map(str::as_bytes),
        };
        first_row(text.as_bytes(), said, &codes).map(|row| row.cause)
    }

    #[test]
    fn the_first_row_decides_whatever_comes_first_in_the_text() {
        let text = "temporary failure: you are GREYLISTED";
        let found = cause(Said::Reply, "4.3.0", Some("451"), text);
        assert_eq!(found, Some(Cause::Greylisted));
        assert_eq!(cause(Said::Reply, "4.3.0", Some("451"), "zzz"), None);
    }

    #[test]
    fn words_of_many_texts_decide_only_where_the_code_says_little() {
        let later = |status, reply| cause(Said::Reply, status, reply, "try again");
        for status in ["", "4.0.0", "4.7.0", "4.7.1"] {
            assert_eq!(later(status, Some("451")), Some(Cause::Greylisted));
        }
        assert_eq!(later("4.3.0", Some("451")), None);
        assert_eq!(later("4.0.0", Some("452")), None);
        assert_eq!(later("4.0.0", None), None);
    }

    #[test]
    fn words_in_an_address_do_not_count() {
        let found = |text| cause(Said::Reply, "4.1.1", Some("450"), text);
        let text = "<abuse@spam.example>: Recipient address rejected: User unknown in table";
        assert_eq!(found(text), Some(Cause::Recipient));
        assert_eq!(found("<x> abuse detected"), Some(Cause::Blocked));
        assert_eq!(found("a < b: abuse"), Some(Cause::Blocked));
        assert_eq!(found("<abuse"), Some(Cause::Blocked));
        let host = "mx.antispam.example Service not available";
        assert_eq!(found(host), Some(Cause::Busy));
        let page = "busy, see http://www.example/spam_16.htm";
        assert_eq!(found(page), Some(Cause::Busy));
        // A phrase that is a name counts in names.
        let list = "see http://www.spamhaus.org/query";
        assert_eq!(found(list), Some(Cause::Blocked));
    }

    #[test]
    fn words_that_others_must_follow_decide_only_with_them() {
        let found = |reply, text| cause(Said::Reply, "", Some(reply), text);
        for (reply, text, right) in [
            ("451", "spam filter temporarily unavailable", Cause::Busy),
            ("451", "Cannot connect to the spam scanner", Cause::Busy),
            ("451", "this is spam, filter is on", Cause::Blocked),
            (
                "451",
                "spam filter says no. Service unavailable",
                Cause::Blocked,
            ),
            ("554", "spam filter temporarily unavailable", Cause::Blocked),
        ] {
            assert_eq!(found(reply, text), Some(right), "{text}");
        }
    }

    #[test]
    fn texts_of_postfix_are_asked_for_before_those_of_replies() {
        let said = |text| cause(Said::Postfix, "4.7.1", None, text);
        assert_eq!(said("greylisted: come back later"), Some(Cause::Greylisted));
        assert_eq!(
            said("greylisted: no space left on device"),
            Some(Cause::Storage)
        );
        assert_eq!(
            cause(Said::Connect, "4.4.1", None, "greylisted"),
            Some(Cause::Unreachable)
        );
    }
}
