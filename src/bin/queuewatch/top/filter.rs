//! Which messages a list shows, in the words of `queuewatch list`, and the command that does the same.

use std::fmt::Write as _;

use queuewatch::error::Result;
use queuewatch::escape::obeyed;
use queuewatch::listing::Sort;
use queuewatch::options::{Options, Takes};
use queuewatch::postfix::queue::QueueSet;

use crate::args::{self, Word};
use crate::show::NOT_OF_SHOW;
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
            let name = word.strip_prefix("--").unwrap_or(&word);
            let name = name.split('=').next().unwrap_or(name);
            let flag = flags.iter().find(|flag| flag.name == name);
            let Some(flag) = flag.filter(|_| !is_value) else {
                is_value = false;
                words.push(word.into_bytes());
                continue;
            };
            let dashes = if word.starts_with("--") { "" } else { "--" };
            is_value = flag.takes != Takes::Nothing && !word.contains('=');
            words.push(format!("{dashes}{word}").into_bytes());
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

/// An option by name, with its value; empty if it takes none.
pub(super) type Given = (&'static str, Vec<u8>);

/// The options for one instance alone, and the configuration directory that postsuper needs unless it is the default.
pub(super) type Target = (Vec<Given>, Option<Vec<u8>>);

/// Which spools are shown, in the words of a command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Where {
    /// The options that say which, as they were given.
    pub(super) flags: Vec<Given>,
    /// The options that filters of a list depend on.
    pub(super) filters: Vec<Given>,
    /// Each instance.
    pub(super) instances: Vec<Target>,
}

/// The most instances that have a command of their own.
const MAX_INSTANCES: usize = 5;

/// Options as words, each with a space before it.
fn words(flags: &[Given]) -> String {
    let mut text = String::new();
    for (name, value) in flags {
        let _ = write!(text, " --{name}");
        if !value.is_empty() {
            let _ = write!(text, " {}", shell_word(value));
        }
    }
    text
}

fn postsuper(config_directory: Option<&[u8]>) -> String {
    match config_directory {
        Some(directory) => format!("postsuper -c {} -h", shell_word(directory)),
        None => "postsuper -h".to_owned(),
    }
}

impl Where {
    /// The commands for the messages of `filter`: on hold with them, one for each instance; and a list of them.
    pub(super) fn of_list(&self, filter: &Filter, sort: Sort) -> Vec<String> {
        let mut picked = filter.text();
        if !picked.is_empty() {
            picked.insert(0, ' ');
        }
        picked.insert_str(0, &words(&self.filters));
        let hold = |(flags, config): &Target| {
            let (flags, postsuper) = (words(flags), postsuper(config.as_deref()));
            format!("queuewatch list{flags}{picked} --ids | {postsuper} -")
        };
        let instances = self.instances.iter().take(MAX_INSTANCES);
        let mut commands: Vec<String> = instances.map(hold).collect();
        let (flags, sort) = (words(&self.flags), sort.name());
        commands.push(format!("queuewatch list{flags}{picked} --sort {sort} -p"));
        commands
    }

    /// The command that puts one message on hold, if there is one instance.
    pub(super) fn of_hold(&self, queue_id: &[u8]) -> Option<String> {
        match self.instances.as_slice() {
            [(_, config)] => {
                let postsuper = postsuper(config.as_deref());
                Some(format!("{postsuper} {}", shell_word(queue_id)))
            }
            _ => None,
        }
    }

    /// The commands for one message.
    pub(super) fn of_message(&self, queue_id: &[u8]) -> Vec<String> {
        let mut flags = self.flags.clone();
        flags.retain(|(name, _)| !NOT_OF_SHOW.contains(name));
        let (flags, id) = (words(&flags), shell_word(queue_id));
        let show = format!("queuewatch show{flags} {id}");
        self.of_hold(queue_id).into_iter().chain([show]).collect()
    }
}

/// Splits as a shell does, as far as spaces and quotes go.
fn split(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if let Some(quote) = quote {
        return Err(args::usage(&format!("the quote {quote} has no end")));
    }
    words.extend(word);
    Ok(words)
}

/// `word` as one word of a POSIX shell that means exactly these bytes. Strangers choose names, and an operator pastes
/// the command: what a terminal could interpret is spelt for printf(1).
pub(super) fn shell_word(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_@:/,+%=".contains(byte);
    // Some shells take a word that begins with = for a command.
    if !word.is_empty() && word.iter().all(plain) && word.first() != Some(&b'=') {
        return String::from_utf8_lossy(word).into_owned();
    }
    if let Ok(text) = std::str::from_utf8(word) {
        if !text.chars().any(obeyed) {
            return format!("'{}'", text.replace('\'', r"'\''"));
        }
    }
    let mut text = String::from("\"$(printf '");
    for byte in word {
        match byte {
            // A dash is left out: it would begin an option.
            b'.' | b'_' | b'@' | b':' | b'/' => text.push(*byte as char),
            byte if byte.is_ascii_alphanumeric() => text.push(*byte as char),
            byte => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text + "')\""
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
    fn commands_are_complete() {
        let directory = vec![("queue-directory", b"/srv/a b".to_vec())];
        let place = Where {
            flags: directory.clone(),
            filters: vec![("causes", b"ours".to_vec())],
            instances: vec![(directory, Some(b"/etc/postfix-out".to_vec()))],
        };
        let filter = Filter::of(&[b"--domain", b"x';reboot;'"]);
        assert_eq!(
            place.of_list(&filter, Sort::Size),
            [
                r"queuewatch list --queue-directory '/srv/a b' --causes ours --domain 'x'\'';reboot;'\''' --ids | postsuper -c /etc/postfix-out -h -",
                r"queuewatch list --queue-directory '/srv/a b' --causes ours --domain 'x'\'';reboot;'\''' --sort size -p",
            ]
        );
        let plain = Where {
            flags: Vec::new(),
            filters: Vec::new(),
            instances: vec![(Vec::new(), None)],
        };
        let all = plain.of_list(&Filter::default(), Sort::Arrival);
        assert_eq!(all[0], "queuewatch list --ids | postsuper -h -");
        assert_eq!(
            plain.of_message(b"4jYFx90B5Nz1SjH2"),
            [
                "postsuper -h 4jYFx90B5Nz1SjH2",
                "queuewatch show 4jYFx90B5Nz1SjH2"
            ]
        );
        // postsuper acts on one instance.
        let several = Where {
            flags: vec![("all-instances", Vec::new())],
            filters: Vec::new(),
            instances: ["a", "b"]
                .map(|name| {
                    let config = format!("/etc/{name}").into();
                    (vec![("instance", name.into())], Some(config))
                })
                .into(),
        };
        let all = several.of_list(&Filter::default(), Sort::Arrival);
        assert_eq!(
            all[1],
            "queuewatch list --instance b --ids | postsuper -c /etc/b -h -"
        );
        assert_eq!(
            several.of_message(b"A"),
            ["queuewatch show --all-instances A"]
        );
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_same_word(word in proptest::collection::vec(1u8..=255, 1..20)) {
            let shown = shell_word(&word);
            prop_assert!(!shown.chars().any(obeyed));
            // Command substitution drops newlines at the end.
            prop_assume!(word.last() != Some(&b'\n'));
            let script = format!("printf %s {shown} | od -An -v -tx1");
            let read = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
            let bytes: Vec<u8> = String::from_utf8_lossy(&read.stdout)
                .split_whitespace()
                .map(|hex| u8::from_str_radix(hex, 16).unwrap())
                .collect();
            prop_assert_eq!(bytes, word);
        }
    }
}
