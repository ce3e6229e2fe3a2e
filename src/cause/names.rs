//! Names in a reply: mail addresses, host names and addresses of pages. Their owners chose the words in
//! them, so these words do not say what is the matter: `421 mx.antispam.example Service not available`.

use crate::postfix::word_shape;

/// Bytes to each side of a phrase in which its name is searched. A host name has at most 253.
const REACH: usize = 256;

/// Returns true if the phrase at `start` to `end` of `text` is a part of a name.
///
/// A reply may repeat one phrase hundreds of times without a space, so the word
/// around a phrase is searched within [`REACH`]. Brackets are searched many bytes at a time.
pub(super) fn is_in_name(text: &[u8], start: usize, end: usize) -> bool {
    is_in_brackets(text, start) || is_in_word_that_names(text, start, end)
}

/// Returns true if an address or a host in angle brackets begins before `place` and has not ended there:
/// `<abuse@dest.example>` does not speak of abuse.
fn is_in_brackets(text: &[u8], place: usize) -> bool {
    let (before, after) = text.split_at(place.min(text.len()));
    let bracket = memchr::memrchr2(b'<', b'>', before);
    let Some(open) = bracket.filter(|at| before.get(*at) == Some(&b'<')) else {
        return false;
    };
    let word = before.get(open..).unwrap_or_default();
    let has_space = memchr::memchr3(b' ', b'\t', b'\n', word).is_some()
        || memchr::memchr2(b'\r', b'\x0c', word).is_some();
    !has_space && memchr::memchr(b'>', after).is_some()
}

/// Returns true if the word around a phrase is a host name, an address or a URL.
fn is_in_word_that_names(text: &[u8], start: usize, end: usize) -> bool {
    let near = text.get(start.saturating_sub(REACH)..start);
    let before = near.unwrap_or_default();
    let rest = text.get(end..).unwrap_or_default();
    let after = rest.get(..REACH).unwrap_or(rest);
    let first = before
        .iter()
        .rposition(|byte| ends_word(*byte))
        .map_or(0, |at| at + 1);
    let word = before.get(first..).unwrap_or_default();
    if memchr::memmem::find(word, b"://").is_some() {
        return true;
    }
    // `help.dest.example/spam/16.htm`: the path belongs to the host before it.
    if let Some(slash) = memchr::memchr(b'/', word) {
        if is_host(word.get(..slash).unwrap_or_default()) {
            return true;
        }
    }
    let back = word.iter().rev().take_while(|byte| is_of_name(**byte));
    let ahead = after.iter().take_while(|byte| is_of_name(**byte));
    let name = text.get(start - back.count()..end + ahead.count());
    name.is_some_and(|name| name.iter().copied().all(is_of_name) && is_host(name))
}

/// Returns true if a word cannot have this byte.
fn ends_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"<>()[]{}\"',;|".contains(&byte)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-_@+".contains(&byte)
}

/// Returns true if `name` is a host name with a dot, or an address at such a host. `blocked.Please` is the end
/// of a sentence without a blank after it.
fn is_host(name: &[u8]) -> bool {
    let name =
        memchr::memrchr(b'@', name).map_or(name, |at| name.get(at + 1..).unwrap_or_default());
    let name = name.strip_suffix(b".").unwrap_or(name);
    let last =
        memchr::memrchr(b'.', name).map_or(name, |dot| name.get(dot + 1..).unwrap_or_default());
    let is_sentence = matches!(last, [first, second, ..]
        if first.is_ascii_uppercase() && second.is_ascii_lowercase());
    word_shape::is_host(name) && !is_sentence
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_in_names_are_told_from_words() {
        for (text, phrase, is_name) in [
            ("421 mx1.antispameurope.example Service", "spam", true),
            ("421 spam.dest.example: Service", "spam", true),
            (
                "451 Internal server error (mx.spamexperts.example)",
                "spam",
                true,
            ),
            ("see http://help.example/spam_16.htm", "spam", true),
            ("see https://help.example/x?ip=1&why=spam", "spam", true),
            ("see help.example/spam", "spam", true),
            ("write to spam@dest.example.", "spam", true),
            ("write to u@spam.example, please", "spam", true),
            ("<abuse@dest.example>: no", "abuse", true),
            ("this is spam", "spam", false),
            ("spam.Please go", "spam", false),
            ("spam...", "spam", false),
            ("anti-spam engine", "spam", false),
            ("spam/virus filter", "virus", false),
            ("spam from 192.0.2.1", "spam", false),
            ("[spam] from mx.example", "spam", false),
            ("spam.", "spam", false),
        ] {
            let start = memchr::memmem::find(text.as_bytes(), phrase.as_bytes()).unwrap();
            let found = is_in_name(text.as_bytes(), start, start + phrase.len());
            assert_eq!(found, is_name, "{text}");
        }
    }

    proptest! {
        #[test]
        fn brackets_end_at_a_bracket_or_a_space(text in "[<> \\t\\n\\r\\x0ca@]{0,12}", place in 0_usize..14) {
            let text = text.as_bytes();
            let before = text.get(..place).unwrap_or(text);
            let is_end = |byte: &u8| matches!(byte, b'<' | b'>') || byte.is_ascii_whitespace();
            let expected = before.iter().rfind(|byte| is_end(byte)) == Some(&b'<')
                && text.iter().skip(place).any(|byte| *byte == b'>');
            prop_assert_eq!(is_in_brackets(text, place), expected);
        }

        #[test]
        fn any_place_of_any_text_is_judged(text in "[a.@/:<> -]{0,24}", start in 0_usize..30, length in 0_usize..8) {
            is_in_name(text.as_bytes(), start, start + length);
        }
    }
}
