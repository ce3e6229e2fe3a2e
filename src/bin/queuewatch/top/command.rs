//! The commands for what is chosen, in words that an operator pastes into a shell.
//!
//! Each acts on the spool that the screen shows, wherever it is pasted: a configuration directory that the environment
//! chose is named, and paths are absolute. Where postsuper would act on other mail it is left out.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use queuewatch::escape::{counted, obeyed};
use queuewatch::listing::Sort;
use queuewatch::options::Options;
use queuewatch::postfix::queue::{Queue, QueueSet};

use super::filter::Filter;
use super::messages::Message;
use crate::show::NOT_OF_SHOW;

/// An option by name, with its value; empty if it takes none.
pub(super) type Given = (&'static str, Vec<u8>);

/// One instance, in the words of a command line.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Its configuration directory, by which it is known: a name may be given twice.
    pub(super) config: Option<PathBuf>,
    /// The options for it alone.
    pub(super) flags: Vec<Given>,
    pub(super) postsuper: Postsuper,
}

/// How postsuper reaches a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Postsuper {
    /// As it is: the default instance.
    Plain,
    /// With the configuration directory of the instance.
    Config,
    /// Not at all: the spool was named, and no configuration has it for its own.
    Never,
}

/// Which spools are shown, in the words of a command line.
#[derive(Clone, Debug, Default)]
pub(super) struct Where {
    /// The options that say which.
    pub(super) flags: Vec<Given>,
    /// The options that filters of a list depend on.
    pub(super) filters: Vec<Given>,
    /// Each instance.
    pub(super) instances: Vec<Target>,
}

/// The window with commands.
#[derive(Clone, Debug, Default)]
pub(super) struct Commands {
    /// What they are for: `191 messages`.
    pub(super) reach: String,
    pub(super) lines: Vec<String>,
    /// What one must know before pasting one.
    pub(super) notes: Vec<String>,
}

/// The most instances that have a command of their own.
const MAX_INSTANCES: usize = 5;
/// The queues that postsuper looks into for -h, -H, -r and -d, unless others are named.
const LOOKED_INTO: QueueSet = QueueSet::NONE
    .with(Queue::Incoming)
    .with(Queue::Active)
    .with(Queue::Deferred)
    .with(Queue::Hold);

const ABOUT_POSTSUPER: [&str; 2] = [
    "postsuper -h puts on hold, -H releases, -r requeues, -d deletes; top itself changes nothing.",
    "It acts on the instance of its -c DIR, without one on the default instance. Run it as root.",
];
const NO_CONFIGURATION: &str = "Without postsuper: no configuration has this spool for its own, and on a copy of a live \
    spool the queue IDs are those of live mail.";

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

impl Target {
    /// The command that puts mail on hold.
    fn hold(&self) -> Option<String> {
        match (self.postsuper, &self.config) {
            (Postsuper::Never, _) => None,
            (Postsuper::Config, Some(directory)) => {
                let directory = shell_word(directory.as_os_str().as_bytes());
                Some(format!("postsuper -c {directory} -h"))
            }
            _ => Some("postsuper -h".to_owned()),
        }
    }
}

/// Why there is no command that puts mail of `queues` on hold, if so.
fn unreached(queues: QueueSet) -> Option<String> {
    queues.and(LOOKED_INTO).is_empty().then(|| {
        let names: Vec<&str> = queues.iter().map(Queue::name).collect();
        let names = names.join(" and ");
        format!("Without postsuper: it does not look into {names} unless that is named.")
    })
}

impl Where {
    /// The commands for the messages of `filter`, which are `reach`: on hold with them, one for each instance; and a
    /// list of them.
    pub(super) fn of_list(&self, filter: &Filter, sort: Sort, reach: String) -> Commands {
        let mut picked = filter.text();
        if !picked.is_empty() {
            picked.insert(0, ' ');
        }
        picked.insert_str(0, &words(&self.filters));
        let mut commands = Commands {
            reach,
            ..Commands::default()
        };
        let queues = filter.apply(&Options::default());
        let unreached = queues.ok().and_then(|picked| unreached(picked.queues));
        if unreached.is_none() {
            for target in self.instances.iter().take(MAX_INSTANCES) {
                let flags = words(&target.flags);
                let ids = format!("queuewatch list{flags}{picked} --ids");
                commands.lines.push(match target.hold() {
                    Some(hold) => format!("{ids} | {hold} -"),
                    None => ids,
                });
            }
            let rest = self.instances.len().saturating_sub(MAX_INSTANCES) as u64;
            if rest > 0 {
                let rest = counted(rest, "more instance");
                commands.notes.push(format!(
                    "And {rest}: the same with the configuration directory of each."
                ));
            }
        }
        let (flags, sort) = (words(&self.flags), sort.name());
        commands
            .lines
            .push(format!("queuewatch list{flags}{picked} --sort {sort} -p"));
        commands.notes.extend(self.notes(unreached));
        commands
    }

    fn notes(&self, unreached: Option<String>) -> Vec<String> {
        let never = |target: &Target| target.postsuper == Postsuper::Never;
        match unreached {
            Some(why) => vec![why],
            None if self.instances.iter().all(never) => vec![NO_CONFIGURATION.to_owned()],
            None => ABOUT_POSTSUPER.map(str::to_owned).into(),
        }
    }

    /// The instance of `message`.
    fn target(&self, message: &Message) -> Option<&Target> {
        match self.instances.as_slice() {
            [one] => Some(one),
            several => several
                .iter()
                .find(|target| target.config == message.instance),
        }
    }

    /// The command that puts one message on hold, if there is one.
    pub(super) fn of_hold(&self, message: &Message) -> Option<String> {
        let hold = self.target(message)?.hold()?;
        let looked_into = |queue| LOOKED_INTO.contains(queue);
        let hold = Some(hold).filter(|_| message.queue.is_none_or(looked_into))?;
        Some(format!("{hold} {}", shell_word(&message.queue_id)))
    }

    /// The commands for one message.
    pub(super) fn of_message(&self, message: &Message) -> Commands {
        let target = self.target(message);
        let mut flags = target.map_or(&self.flags, |target| &target.flags).clone();
        flags.retain(|(name, _)| !NOT_OF_SHOW.contains(name));
        let show = format!(
            "queuewatch show{} {}",
            words(&flags),
            shell_word(&message.queue_id)
        );
        let unreached = message.queue.and_then(|queue| unreached(queue.into()));
        Commands {
            reach: "this message".to_owned(),
            lines: self.of_hold(message).into_iter().chain([show]).collect(),
            notes: self.notes(unreached),
        }
    }
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

    fn message(queue: Option<Queue>, instance: Option<&str>) -> Message {
        Message {
            queue_id: b"4jYFx90B5Nz1SjH2".to_vec(),
            queue,
            instance: instance.map(PathBuf::from),
        }
    }

    fn list(place: &Where, filter: &Filter, sort: Sort) -> Commands {
        place.of_list(filter, sort, "2 messages".to_owned())
    }

    /// Instances with these configuration directories.
    fn several(directories: &[&str]) -> Where {
        let target = |directory: &&str| Target {
            config: Some(directory.into()),
            flags: vec![("config-directory", directory.as_bytes().to_vec())],
            postsuper: Postsuper::Config,
        };
        Where {
            flags: vec![("all-instances", Vec::new())],
            filters: Vec::new(),
            instances: directories.iter().map(target).collect(),
        }
    }

    #[test]
    fn commands_are_complete() {
        let place = Where {
            filters: vec![("causes", b"/etc/ours".to_vec())],
            ..several(&["/etc/postfix a"])
        };
        let filter = Filter::of(&[b"--domain", b"x';reboot;'"]);
        assert_eq!(
            list(&place, &filter, Sort::Size).lines,
            [
                r"queuewatch list --config-directory '/etc/postfix a' --causes /etc/ours --domain 'x'\'';reboot;'\''' --ids | postsuper -c '/etc/postfix a' -h -",
                r"queuewatch list --all-instances --causes /etc/ours --domain 'x'\'';reboot;'\''' --sort size -p",
            ]
        );
        let plain = Where {
            flags: Vec::new(),
            filters: Vec::new(),
            instances: vec![Target {
                config: Some("/etc/postfix".into()),
                flags: Vec::new(),
                postsuper: Postsuper::Plain,
            }],
        };
        let all = list(&plain, &Filter::default(), Sort::Arrival);
        assert_eq!(all.lines[0], "queuewatch list --ids | postsuper -h -");
        assert_eq!(all.notes, ABOUT_POSTSUPER);
        assert_eq!(
            plain.of_message(&message(Some(Queue::Active), None)).lines,
            [
                "postsuper -h 4jYFx90B5Nz1SjH2",
                "queuewatch show 4jYFx90B5Nz1SjH2"
            ]
        );
    }

    /// postsuper acts on one instance.
    #[test]
    fn each_instance_has_its_own_command() {
        let place = several(&["/etc/a", "/etc/b"]);
        let all = list(&place, &Filter::default(), Sort::Arrival);
        assert_eq!(
            all.lines[1],
            "queuewatch list --config-directory /etc/b --ids | postsuper -c /etc/b -h -"
        );
        assert_eq!(
            place.of_message(&message(None, Some("/etc/b"))).lines,
            [
                "postsuper -c /etc/b -h 4jYFx90B5Nz1SjH2",
                "queuewatch show --config-directory /etc/b 4jYFx90B5Nz1SjH2"
            ]
        );
        let names = ["/1", "/2", "/3", "/4", "/5", "/6", "/7"];
        let all = list(&several(&names), &Filter::default(), Sort::Arrival);
        assert_eq!(all.lines.len(), MAX_INSTANCES + 1);
        assert!(all.notes[0].contains("2 more instances"), "{:?}", all.notes);
    }

    /// The queue IDs of a copy are those of live mail.
    #[test]
    fn a_spool_without_a_configuration_has_no_postsuper() {
        let flags = vec![("queue-directory", b"/srv/copy".to_vec())];
        let place = Where {
            flags: flags.clone(),
            filters: Vec::new(),
            instances: vec![Target {
                config: None,
                flags,
                postsuper: Postsuper::Never,
            }],
        };
        let all = list(&place, &Filter::of(&[b"deferred"]), Sort::Arrival);
        assert_eq!(
            all.lines[0],
            "queuewatch list --queue-directory /srv/copy deferred --ids"
        );
        assert_eq!(all.notes, [NO_CONFIGURATION]);
        let one = place.of_message(&message(Some(Queue::Deferred), None));
        assert_eq!(
            one.lines,
            ["queuewatch show --queue-directory /srv/copy 4jYFx90B5Nz1SjH2"]
        );
    }

    #[test]
    fn what_postsuper_does_not_look_into_is_not_piped_into_it() {
        let place = several(&["/etc/a"]);
        for queue in ["corrupt", "maildrop"] {
            let filter = Filter::of(&[queue.as_bytes()]);
            let all = list(&place, &filter, Sort::Arrival);
            let expected = format!("queuewatch list --all-instances {queue} --sort arrival -p");
            assert_eq!(all.lines, [expected]);
            assert!(all.notes[0].contains(queue), "{:?}", all.notes);
        }
        let one = message(Some(Queue::Corrupt), None);
        assert_eq!(place.of_hold(&one), None);
        assert!(place.of_message(&one).notes[0].contains("corrupt"));
        let both = Filter::of(&[b"corrupt", b"deferred"]);
        let all = list(&place, &both, Sort::Arrival);
        assert!(all.lines[0].ends_with("| postsuper -c /etc/a -h -"));
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
