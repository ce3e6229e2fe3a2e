//! Free text without names: what stays is known to name nobody.
//!
//! A server may put anything into its reply: an address, a login, a path, a ticket number. So a word stays
//! only if it is one that Postfix and mail servers commonly say (`words.txt` and the phrases of the table of
//! causes), a status or reply code, a short number, a time, a port, or a loopback address. Anything else
//! becomes a token. So does a common word that is the name of somebody in the message itself.

use std::collections::HashSet;
use std::net::IpAddr;

use once_cell::race::OnceBox;

use super::Anonymizer;
use crate::cause::row::Row;
use crate::cause::table::BY_WORDS;
use crate::postfix::origin::address_of;
use crate::postfix::status_code::is_status_code;

/// Words that name nobody, in lower case.
fn words() -> &'static HashSet<&'static str> {
    static WORDS: OnceBox<HashSet<&'static str>> = OnceBox::new();
    WORDS.get_or_init(|| Box::new(common_words()))
}

fn common_words() -> HashSet<&'static str> {
    let listed = include_str!("words.txt").split_whitespace();
    let phrases = BY_WORDS.iter().flat_map(Row::phrases);
    let parts =
        phrases.flat_map(|phrase| phrase.split(|letter: char| !letter.is_ascii_alphabetic()));
    listed
        .chain(parts.filter(|part| !part.is_empty()))
        .collect()
}

/// Months and days that are names of persons, too. Each stays beside a number, as in a date.
const DATES: [&[u8]; 9] = [
    b"apr", b"april", b"august", b"jan", b"jun", b"june", b"mar", b"may", b"sun",
];
/// Other common words that are names of persons, too, with the words before which each stays.
const VERBS: &[&[u8]] = &[
    b"also",
    b"be",
    b"cause",
    b"contact",
    b"contain",
    b"continue",
    b"have",
    b"need",
    b"not",
    b"only",
    b"result",
    b"retry",
    b"still",
    b"take",
    b"try",
    b"use",
];
const MEASURED: &[&[u8]] = &[
    b"connections",
    b"hops",
    b"message",
    b"messages",
    b"number",
    b"rate",
    b"recipients",
    b"retries",
    b"size",
];
const AMBIGUOUS: [(&[u8], &[&[u8]]); 3] = [(b"max", MEASURED), (b"may", VERBS), (b"will", VERBS)];
/// Words after which a name may follow.
const BEFORE_NAMES: [&[u8]; 10] = [
    b"account",
    b"by",
    b"for",
    b"from",
    b"login",
    b"mailbox",
    b"of",
    b"recipient",
    b"to",
    b"user",
];

/// Returns true if `word`, which is common, is more likely the name of a person here: between the words `before`
/// and `after`.
fn is_name_here(before: &[u8], word: &[u8], after: &[u8]) -> bool {
    let is =
        |one: &[u8], words: &[&[u8]]| words.iter().any(|other| other.eq_ignore_ascii_case(one));
    let dated = is(word, &DATES);
    let ambiguous = AMBIGUOUS.iter().find(|(one, _)| is(word, &[*one]));
    if !dated && ambiguous.is_none() {
        return false;
    }
    if dated && (is_short_number(before) || is_short_number(after)) {
        return false;
    }
    let fits = ambiguous.is_some_and(|(_, words)| is(after, words));
    !fits || is(before, &BEFORE_NAMES)
}

/// The longest number that stays, in digits: seconds, ports, sizes.
const MAX_DIGITS: usize = 5;

/// Names of persons in a message, in lower case.
pub(super) type Names = HashSet<Vec<u8>>;
/// The shortest name that is replaced where it is a common word, too, in bytes.
pub(super) const SHORTEST_NAME: usize = 3;

/// Appends `text` without names to `out`.
pub(super) fn write(text: &[u8], anonymizer: &Anonymizer, names: &Names, out: &mut Vec<u8>) {
    let mut rest = text;
    let mut before: &[u8] = b"";
    while let Some(&first) = rest.first() {
        if !is_word(first) {
            out.push(first);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let length = rest.iter().take_while(|byte| is_word(**byte)).count();
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
        // A mark at the start or end of a word belongs to the sentence, and the colon of a port.
        let start = word.iter().take_while(|byte| is_mark(**byte)).count();
        let end = word.iter().rev().take_while(|byte| is_mark(**byte)).count();
        if start + end >= word.len() {
            out.extend_from_slice(word);
        } else {
            let core = word.get(start..word.len() - end).unwrap_or_default();
            out.extend_from_slice(word.get(..start).unwrap_or_default());
            match is_name_here(before, core, first_word(after)) {
                true => out.extend(anonymizer.token("word", &core.to_ascii_lowercase())),
                false => write_word(core, anonymizer, names, out),
            }
            before = core;
            out.extend_from_slice(word.get(word.len() - end..).unwrap_or_default());
        }
        rest = after;
    }
}

/// The first word of `text`, without marks.
fn first_word(text: &[u8]) -> &[u8] {
    let start = text
        .iter()
        .take_while(|byte| !is_word(**byte) || is_mark(**byte));
    let rest = text.get(start.count()..).unwrap_or_default();
    let end = rest
        .iter()
        .take_while(|byte| is_word(**byte) && !is_mark(**byte));
    rest.get(..end.count()).unwrap_or_default()
}

fn is_word(byte: u8) -> bool {
    !byte.is_ascii_whitespace()
        && !matches!(
            byte,
            b'(' | b')' | b'[' | b']' | b'<' | b'>' | b'"' | b',' | b';' | b'|' | b'{' | b'}'
        )
}

fn is_mark(byte: u8) -> bool {
    matches!(
        byte,
        b'.' | b':' | b'!' | b'?' | b'\'' | b'-' | b'=' | b'#' | b'*' | b'/'
    )
}

fn write_word(word: &[u8], anonymizer: &Anonymizer, names: &Names, out: &mut Vec<u8>) {
    let is_name = !names.is_empty() && names.contains(&word.to_ascii_lowercase());
    if !is_name && is_harmless(word) {
        out.extend_from_slice(word);
        return;
    }
    if let Some(address) = address_of(word) {
        out.extend_from_slice(&anonymizer.ip(address));
        return;
    }
    // name=dest.example
    if let Some(equal) = memchr::memchr(b'=', word) {
        let (name, value) = word.split_at_checked(equal).unwrap_or((word, b""));
        let value = value.get(1..).unwrap_or_default();
        if is_harmless(name) && !value.is_empty() {
            out.extend_from_slice(name);
            out.push(b'=');
            write_word(value, anonymizer, names, out);
            return;
        }
    }
    if memchr::memchr(b'@', word).is_some() {
        out.extend_from_slice(&anonymizer.user(word));
        return;
    }
    // host:25, mx.example:
    if let Some(colon) = memchr::memrchr(b':', word) {
        let (host, port) = word.split_at_checked(colon).unwrap_or((word, b""));
        if is_short_number(port.get(1..).unwrap_or_default()) && !host.contains(&b':') {
            write_word(host, anonymizer, names, out);
            out.extend_from_slice(port);
            return;
        }
    }
    let kind = match word {
        word if word.contains(&b'/') => "path",
        word if word.contains(&b'.') => "host",
        _ => "word",
    };
    out.extend_from_slice(&anonymizer.token(kind, &word.to_ascii_lowercase()));
}

/// Returns true if `word` is not a name.
fn is_harmless(word: &[u8]) -> bool {
    is_status_code(word)
        || is_short_number(word)
        || is_reply(word)
        || is_time(word)
        || is_loopback(word)
        || !is_like_an_address(word)
            && word
                .split(|byte| matches!(byte, b'-' | b'/' | b'_'))
                .all(is_known)
}

/// Returns true if `word` has four numbers, as a client's address in a host name (`192-0-2-7`).
fn is_like_an_address(word: &[u8]) -> bool {
    let parts = word.split(|byte| matches!(byte, b'-' | b'/' | b'_'));
    parts.filter(|part| is_short_number(part)).count() >= 4
}

fn is_known(word: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(word) else {
        return false;
    };
    is_short_number(word) || words().contains(text.to_ascii_lowercase().as_str())
}

fn is_short_number(word: &[u8]) -> bool {
    let digits = word
        .strip_prefix(b"+")
        .or(word.strip_prefix(b"-"))
        .unwrap_or(word);
    (1..=MAX_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
}

/// `550-5.7.1`, a reply code with its status code.
fn is_reply(word: &[u8]) -> bool {
    word.split_at_checked(3).is_some_and(|(code, rest)| {
        code.iter().all(u8::is_ascii_digit) && rest.strip_prefix(b"-").is_some_and(is_status_code)
    })
}

/// `18:58`, `18:58:28`.
fn is_time(word: &[u8]) -> bool {
    let mut parts = 0;
    let all = word.split(|byte| *byte == b':').all(|part| {
        parts += 1;
        (1..=2).contains(&part.len()) && part.iter().all(u8::is_ascii_digit)
    });
    all && (2..=3).contains(&parts)
}

fn is_loopback(word: &[u8]) -> bool {
    address_of(word).is_some_and(|address: IpAddr| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        let anonymizer = Anonymizer::of_bytes(&[7; 32]);
        let mut out = Vec::new();
        write(text.as_bytes(), &anonymizer, &Names::new(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn what_names_nobody_stays() {
        for text in [
            "connect to 127.0.0.1[127.0.0.1]:10024: Connection refused",
            "temporary failure. Command output: none",
            "450 4.7.1 Greylisted, please try again in 300 seconds",
            "550-5.7.1 service unavailable; client host blocked",
            "delivery temporarily suspended: lost connection while sending end of data",
            "host HOST[IP] said: 452 4.2.2 ADDRESS mailbox full (in reply to RCPT TO command)",
            "Mon, 23 Nov 2026 18:58:28 +0000 (UTC)",
            "",
            " .. : ",
            "28 Jan 2026: this message may be retried; it will not be bounced",
            "max size 10240, you may try again",
        ] {
            assert_eq!(written(text), text);
        }
    }

    #[test]
    fn names_become_tokens() {
        for (text, pattern) in [
            (
                "connect to mx.dest.example[192.0.2.9]:25: x",
                "connect to host-*[ip-*]:25: word-*",
            ),
            ("<bob@dest.example>: User unknown", "<user-*>: User unknown"),
            ("\"john doe\"@dest.example", "\"word-* word-*\"user-*"),
            ("mailbox of bob is full", "mailbox of word-* is full"),
            ("lock file /var/mail/bob.lock", "lock file /path-*"),
            (
                "service error for name=dest.example type=MX",
                "service error for name=host-* type=MX",
            ),
            (
                "from [IPv6:2001:db8::7] to dest.example:587",
                "from [ip-*] to host-*:587",
            ),
            ("ticket 20261123", "word-* word-*"),
            ("see https://dest.example/bob", "see path-*"),
            ("b\u{f6}b", "word-*"),
            ("mailbox of jan is full", "mailbox of word-* is full"),
            ("account will", "account word-*"),
            ("user may not", "user word-* not"),
            ("<max>", "<word-*>"),
            ("client 198-51-100-7 blocked", "client word-* blocked"),
        ] {
            let found = written(text);
            let mut shape = String::new();
            let mut rest = found.as_str();
            while let Some(at) = rest.find('-').filter(|at| rest.len() >= at + 13) {
                shape.push_str(&rest[..=at]);
                shape.push('*');
                rest = &rest[at + 13..];
            }
            shape.push_str(rest);
            assert_eq!(shape, pattern, "{found}");
        }
    }

    #[test]
    fn an_address_has_one_token_everywhere() {
        let one = written("192.0.2.9 bob@dest.example");
        assert_eq!(one, written("192.0.2.9 bob@DEST.example"));
        assert_ne!(one, written("192.0.2.9 rob@dest.example"));
    }

    proptest! {
        #[test]
        fn no_unknown_word_survives(text in "[ -~]{0,80}", word in "[a-z]{3}zqx[a-z]{3}") {
            for joined in [format!("{text}{word}"), format!("{word}{text}"), format!("{text}{word}{text}")] {
                prop_assert!(!written(&joined).contains(&word), "{}", joined);
            }
        }
    }
}
