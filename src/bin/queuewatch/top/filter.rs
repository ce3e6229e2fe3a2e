//! Which messages a list shows, in the words of `queuewatch list`.

use queuewatch::error::Result;
use queuewatch::options::{Options, Takes};
use queuewatch::postfix::queue::QueueSet;

use super::command::shell_word;
use crate::args::{self, Word};
use crate::{filters, queues_named};

/// The words of a command line that pick messages: filters, and names of queues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    words: Vec<Vec<u8>>,
}

/// What a filter asks for.
#[derive(Debug)]
pub(super) struct Picked {
    pub(super) options: Options,
    pub(super) queues: QueueSet,
}

impl Filter {
    /// The filter of one option, or of a queue.
    pub(super) fn of(words: &[&[u8]]) -> Filter {
        Filter {
            words: words.iter().map(|word| word.to_vec()).collect(),
        }
    }

    /// Reads what a person typed: words as in a shell, and filters also without their dashes.
    ///
    /// # Errors
    /// If a quote has no end, or `queuewatch list` would refuse the words.
    pub(super) fn parse(text: &str) -> Result<Filter> {
        let flags = filters();
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut is_value = false;
        for word in split(text)? {
            let name = word.strip_prefix(b"--").unwrap_or(&word);
            let name = name.split(|byte| *byte == b'=').next().unwrap_or(name);
            let flag = flags.iter().find(|flag| flag.name.as_bytes() == name);
            let Some(flag) = flag.filter(|_| !is_value) else {
                is_value = false;
                words.push(word);
                continue;
            };
            let dashes = match word.starts_with(b"--") {
                true => &b""[..],
                false => b"--",
            };
            is_value = flag.takes != Takes::Nothing && !word.contains(&b'=');
            words.push([dashes, &word].concat());
        }
        let filter = Filter { words };
        filter.apply(&Options::default())?;
        Ok(filter)
    }

    /// Adds the filter to `options`, which say which spool.
    ///
    /// # Errors
    /// As `queuewatch list` reports them.
    pub(super) fn apply(&self, options: &Options) -> Result<Picked> {
        use std::os::unix::ffi::OsStringExt as _;
        let words = self.words.iter().cloned();
        let words = words.map(std::ffi::OsString::from_vec).collect();
        let mut picked = Picked {
            options: options.clone(),
            queues: QueueSet::NONE,
        };
        for word in args::parse(words, &filters())? {
            match word {
                Word::Flag(name, value) => picked.options.set(name, &value)?,
                Word::Plain(word) => picked.queues = picked.queues.or(queues_named(&word)?),
            }
        }
        if picked.queues.is_empty() {
            picked.queues = QueueSet::TOTAL;
        }
        picked.options.pick()?;
        Ok(picked)
    }

    /// The words as one types them again.
    pub(super) fn text(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| shell_word(word)).collect();
        words.join(" ")
    }
}

/// How [`shell_word`] begins a word that it spells for printf(1), and how it ends.
const SPELT: [&str; 2] = ["\"$(printf '", "')\""];

/// Splits as a shell does, as far as spaces, quotes, backslashes and the words of [`shell_word`] go.
fn split(text: &str) -> Result<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut rest = text;
    let mut buffer = [0; 4];
    loop {
        if let Some(spelt) = rest.strip_prefix(SPELT[0]) {
            rest = unspelt(spelt, word.get_or_insert_default())?;
            continue;
        }
        let mut characters = rest.chars();
        let Some(character) = characters.next() else {
            break;
        };
        rest = characters.as_str();
        match character {
            ' ' => words.extend(word.take()),
            '\'' | '"' => rest = unquoted(character, rest, word.get_or_insert_default())?,
            '\\' => {
                let next = characters.next().ok_or_else(|| {
                    args::usage("the backslash at the end has no character after it")
                })?;
                rest = characters.as_str();
                let next = next.encode_utf8(&mut buffer).as_bytes();
                word.get_or_insert_default().extend_from_slice(next);
            }
            character => {
                let character = character.encode_utf8(&mut buffer).as_bytes();
                word.get_or_insert_default().extend_from_slice(character);
            }
        }
    }
    words.extend(word);
    Ok(words)
}

/// Adds to `word` what stands in `text` before the next `quote`, and returns what stands after it.
fn unquoted<'t>(quote: char, text: &'t str, word: &mut Vec<u8>) -> Result<&'t str> {
    let mut characters = text.chars();
    let mut buffer = [0; 4];
    while let Some(mut character) = characters.next() {
        if character == quote {
            return Ok(characters.as_str());
        }
        if (quote, character) == ('"', '\\') {
            // Between these quotes a backslash stands for itself before all others.
            let next = characters.as_str().chars().next();
            if let Some(next) = next.filter(|next| "\"\\$`".contains(*next)) {
                characters.next();
                character = next;
            }
        }
        word.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
    Err(args::usage(&format!("the quote {quote} has no end")))
}

/// Adds to `word` the bytes that `text` spells for printf(1), and returns what stands after them.
fn unspelt<'t>(text: &'t str, word: &mut Vec<u8>) -> Result<&'t str> {
    let [begin, end] = SPELT;
    let Some((spelt, rest)) = text.split_once(end) else {
        return Err(args::usage(&format!("{begin} has no end, which is {end}")));
    };
    let mut bytes = spelt.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            word.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next(), bytes.next()];
        let value = digits.into_iter().try_fold(0, |value, digit| match digit {
            Some(digit @ b'0'..=b'7') => Some(value * 8 + u32::from(digit - b'0')),
            _ => None,
        });
        let value = value.and_then(|value| u8::try_from(value).ok());
        word.push(value.ok_or_else(|| {
            args::usage("in a word for printf three octal digits follow each backslash")
        })?);
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_those_of_list_with_or_without_dashes() {
        for (text, read) in [
            ("", ""),
            ("deferred", "deferred"),
            ("domain a.example older 2h", "--domain a.example --older 2h"),
            ("--domain=a.example hold", "--domain=a.example hold"),
            ("not sender '<>' active", "--not --sender '<>' active"),
            ("subject \"two words\"", "--subject 'two words'"),
            // A value that is the name of a filter stays a value.
            ("login domain", "--login domain"),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.text(), read, "{text}");
            assert_eq!(Filter::parse(read).unwrap(), filter, "{text}");
        }
        for text in [
            "domain",
            "older soon",
            "inbox",
            "--sort size",
            "not",
            "sender 'x",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_domains_of_a_filter_are_those_that_it_picks() {
        for (text, domains) in [
            ("domain a.example", &["a.example"][..]),
            (
                "--domain=a.example domain b.example",
                &["a.example", "b.example"],
            ),
            ("not domain a.example domain b.example", &["b.example"]),
            ("login --domain", &[]),
            ("older 1h", &[]),
        ] {
            let picked = Filter::parse(text).unwrap().apply(&Options::default());
            let options = picked.unwrap().options;
            let pick = options.pick().unwrap();
            for name in ["a.example", "b.example", "--domain", "1h"] {
                let expected = domains.is_empty() || domains.contains(&name);
                let found = pick.is_about_domain(name.as_bytes());
                assert_eq!(found, expected, "{text}: {name}");
            }
        }
    }

    #[test]
    fn words_are_split_as_by_a_shell() {
        for (text, words) in [
            (r"a\ b 'c d'\''e'", &[&b"a b"[..], b"c d'e"][..]),
            (r#""a\"b\\c\d" ''"#, &[br#"a"b\c\d"#, b""]),
            (r#"x"$(printf '\377a\047')"y z"#, &[b"x\xffa'y", b"z"]),
        ] {
            assert_eq!(split(text).unwrap(), words, "{text}");
        }
        for (text, why) in [
            (r"a 'b", "the quote ' has no end"),
            (r#""a\""#, "the quote \" has no end"),
            (r"a\", "the backslash at the end"),
            (r#""$(printf '\377"#, "has no end"),
            (r#""$(printf '\9')""#, "three octal digits"),
            (r#""$(printf '\777')""#, "three octal digits"),
        ] {
            let error = split(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        /// What the prompt begins with is read as the filter that it was.
        #[test]
        fn a_filter_is_typed_again_as_it_is_shown(
            name in proptest::collection::vec(
                prop_oneof![1u8..=255, Just(b'\''), Just(b'\\')],
                1..20,
            )
        ) {
            let filter = Filter::of(&[b"--login", &name]);
            prop_assert_eq!(Filter::parse(&filter.text()).unwrap(), filter);
        }
    }
}
