//! main.cf as this crate reads it against the real postconf(1): random files, the defaults, and the
//! values that Postfix's programs refuse. Needs Postfix's programs (Debian: `apt-get install -y
//! postfix`, any version from 3.6); no configured or running Postfix.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use queuewatch::error::ErrorKind;
use queuewatch::instance::Settings;
use queuewatch::postfix::main_cf::{MainCf, known_parameters};
use tempfile::TempDir;

/// Built-in string parameters that postconf prints whatever they hold: it knows a name of our own
/// only where one of these refers to it. None is of the few that it never expands (`luser_relay`).
const CARRIERS: [&str; 18] = [
    "default_transport",
    "error_notice_recipient",
    "fallback_transport",
    "lmtp_bind_address",
    "lmtp_sasl_mechanism_filter",
    "lmtp_sasl_path",
    "mailbox_transport",
    "masquerade_domains",
    "masquerade_exceptions",
    "myorigin",
    "relayhost",
    "smtp_bind_address",
    "smtp_helo_name",
    "smtp_sasl_mechanism_filter",
    "smtp_sasl_path",
    "smtpd_banner",
    "smtpd_client_restrictions",
    "smtpd_sasl_local_domain",
];

/// Names in random values: our own, undefined ones, and built-in ones with known defaults.
const NAMES: [&str; 16] = [
    "u0",
    "u1",
    "u2",
    "u3",
    "u4",
    "u5",
    "u6",
    "u7",
    "none",
    "Nope_2",
    "queue_directory",
    "config_directory",
    "syslog_name",
    "queue_run_delay",
    "multi_instance_name",
    "compatibility_level",
];
/// How many of [`NAMES`], from the first, a file may set.
const OWN: usize = 8;

const VALID_FILES: u64 = 400;
const WILD_FILES: u64 = 600;
/// How many at a time: Postfix's programs sleep for a second before they die.
const AT_ONCE: usize = 48;

#[test]
fn random_files_expand_as_postconf_expands_them() {
    let place = directory();
    for seed in 0..VALID_FILES {
        let text = Random(seed).file();
        let expected = postconf(&place, &text, &CARRIERS).unwrap_or_else(|error| {
            panic!("seed {seed}: postconf refuses a valid file: {error}\n{text}")
        });
        let main_cf = parse(&place, &text).unwrap();
        for (name, expected) in CARRIERS.iter().zip(expected) {
            let ours = main_cf
                .expand(name)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
            assert_eq!(
                collapse(&ours.unwrap_or_default()),
                expected,
                "seed {seed}: {name}\n{text}"
            );
        }
    }
}

#[test]
fn random_nonsense_is_refused_where_postconf_refuses_it() {
    let accepted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for first in (0..WILD_FILES).take(AT_ONCE) {
            let accepted = &accepted;
            scope.spawn(move || {
                let place = directory();
                for seed in (first..WILD_FILES).step_by(AT_ONCE) {
                    let count = u64::from(agree_on_nonsense(&place, seed));
                    accepted.fetch_add(count, Relaxed);
                }
            });
        }
    });
    let accepted = accepted.into_inner();
    let refused = WILD_FILES - accepted;
    assert!(
        accepted > 50 && refused > 50,
        "one-sided: {accepted} accepted, {refused} refused"
    );
}

/// Whether both accept, with the same value; that only one refuses is a failure.
fn agree_on_nonsense(place: &TempDir, seed: u64) -> bool {
    let text = Random(seed ^ 0x5eed_0000).nonsense();
    let theirs = postconf(place, &text, &["relayhost"]);
    let ours = parse(place, &text).and_then(|main_cf| main_cf.expand("relayhost"));
    match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => {
            let ours = collapse(&ours.unwrap_or_default());
            assert_eq!(ours, theirs[0], "seed {seed}\n{text}");
            true
        }
        (Err(_), Err(error)) => {
            assert_eq!(
                error.kind(),
                ErrorKind::Syntax,
                "seed {seed}: {error}\n{text}"
            );
            false
        }
        (theirs, ours) => panic!("seed {seed}: postconf has {theirs:?}, we {ours:?}\n{text}"),
    }
}

#[test]
fn the_defaults_are_those_of_postconf() {
    let place = directory();
    let names: Vec<&str> = known_parameters().collect();
    let expected = postconf(&place, "", &names).unwrap();
    let main_cf = parse(&place, "").unwrap();
    for (name, expected) in names.iter().zip(&expected) {
        let ours = main_cf.expand(name).unwrap().unwrap();
        assert_eq!(&collapse(&ours), expected, "{name}");
    }

    let output = run("postconf", &["-dx"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let theirs = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once('='))
            .find(|(found, _)| found.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
            .unwrap()
    };
    let yes_no = |value| if value { "yes" } else { "no" };
    let seconds = |name: &str| {
        let value = theirs(name);
        let (number, unit) = value.split_at(value.len() - 1);
        let unit = match unit {
            "s" => 1,
            "h" => 3_600,
            "d" => 86_400,
            _ => panic!("{name} = {value}"),
        };
        number.parse::<i64>().unwrap() * unit
    };
    let ours = Settings::default();
    assert_eq!(ours.queue_run_delay, seconds("queue_run_delay"));
    assert_eq!(ours.minimal_backoff_time, seconds("minimal_backoff_time"));
    assert_eq!(ours.maximal_backoff_time, seconds("maximal_backoff_time"));
    assert_eq!(
        ours.maximal_queue_lifetime,
        seconds("maximal_queue_lifetime")
    );
    assert_eq!(ours.bounce_queue_lifetime, seconds("bounce_queue_lifetime"));
    assert_eq!(ours.delay_warning_time, seconds("delay_warning_time"));
    for (name, value) in [
        (
            "qmgr_message_active_limit",
            ours.qmgr_message_active_limit.to_string(),
        ),
        ("message_size_limit", ours.message_size_limit.to_string()),
        ("queue_minfree", ours.queue_minfree.to_string()),
        ("hash_queue_names", ours.hash_queue_names.join(", ")),
        ("hash_queue_depth", ours.hash_queue_depth.to_string()),
        (
            "enable_long_queue_ids",
            yes_no(ours.enable_long_queue_ids).into(),
        ),
        ("smtputf8_enable", yes_no(ours.smtputf8_enable).into()),
        ("mail_owner", ours.mail_owner),
        ("setgid_group", ours.setgid_group),
        ("data_directory", ours.data_directory),
        ("multi_instance_group", ours.multi_instance_group),
        (
            "multi_instance_enable",
            yes_no(ours.multi_instance_enable).into(),
        ),
    ] {
        assert_eq!(value, theirs(name), "{name}");
    }
}

/// Were a built-in name unknown here, `$name` would silently be empty. After a failure with a newer
/// Postfix, add the names to src/postfix/main_cf/builtin_names.txt.
#[test]
fn no_built_in_name_counts_as_undefined() {
    let output = run("postconf", &["-d"]);
    assert!(output.status.success(), "{output:?}");
    let main_cf = MainCf::parse(b"").unwrap();
    let mut unknown = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let name = line.split_once(" =").map_or(line, |(name, _)| name);
        if let Ok(None) = main_cf.expand(name) {
            unknown.push(name.to_owned());
        }
    }
    assert_eq!(unknown, [""; 0], "names that Postfix has and we lack");
}

/// postmap(1) reads these at its start, with the conversions that every Postfix program uses.
/// `ipc_timeout` is a time with the limits of `queue_run_delay`.
#[test]
fn postfix_programs_refuse_the_values_that_we_refuse() {
    let times = [
        "300",
        "5days",
        "h",
        "0",
        "",
        "x",
        "-1",
        "+7",
        "5 d",
        "5D",
        "5m",
        "2w",
        "2147483647",
        "2147483648",
        "24854d",
        "24855d",
        "3549w",
        "3550w",
        "1h30m",
        "0x10",
        "5.5",
    ];
    let numbers = [
        "0",
        "1",
        "17",
        "",
        "-5",
        "+5",
        "5k",
        "0x10",
        "1e3",
        "2147483647",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
    ];
    let booleans = ["yes", "no", "YES", "No", "y", "1", "", "true"];
    let mut rows: Vec<(&str, &str, &str)> = Vec::new();
    rows.extend(times.map(|value| ("ipc_timeout", "queue_run_delay", value)));
    rows.extend(numbers.map(|value| ("hash_queue_depth", "hash_queue_depth", value)));
    rows.extend(
        // Postfix takes a negative size, which means nothing; we do not.
        numbers
            .into_iter()
            .filter(|value| !value.starts_with('-'))
            .map(|value| ("message_size_limit", "message_size_limit", value)),
    );
    rows.extend(booleans.map(|value| ("enable_long_queue_ids", "enable_long_queue_ids", value)));

    std::thread::scope(|scope| {
        for (theirs, ours, value) in rows {
            scope.spawn(move || agree_on_value(theirs, ours, value));
        }
    });
}

fn agree_on_value(theirs: &str, ours: &str, value: &str) {
    let place = directory();
    write_main_cf(&place, &format!("{theirs} = {value}\n"));
    let directory = place.path().to_str().unwrap();
    let output = run("postmap", &["-c", directory, "-q", "x", "static:found"]);
    let main_cf = MainCf::parse(format!("{ours} = {value}\n").as_bytes()).unwrap();
    let accepted = match ours {
        "queue_run_delay" => main_cf.seconds(ours).is_ok(),
        "enable_long_queue_ids" => main_cf.boolean(ours).is_ok(),
        _ => main_cf.integer(ours).is_ok(),
    };
    assert_eq!(
        accepted,
        output.status.success(),
        "{theirs} = {value}: {output:?}"
    );
}

fn directory() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    // postconf looks for parameters of services in it.
    fs::write(place.path().join("master.cf"), "").unwrap();
    place
}

fn parse(place: &TempDir, text: &str) -> queuewatch::error::Result<MainCf> {
    MainCf::parse(text.as_bytes()).map(|main_cf| main_cf.with_config_directory(place.path()))
}

/// Postfix waits until a main.cf is older than a second (dict.c), so this one is born old.
fn write_main_cf(place: &TempDir, text: &str) {
    let path = place.path().join("main.cf");
    fs::write(&path, text).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(old).unwrap();
}

/// What `postconf -x` prints for `names`, in their order; else its complaint.
fn postconf(place: &TempDir, text: &str, names: &[&str]) -> Result<Vec<String>, String> {
    write_main_cf(place, text);
    let directory = place.path().to_str().unwrap();
    let mut arguments = vec!["-c", directory, "-x"];
    arguments.extend(names);
    let output = run("postconf", &arguments);
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let of_no_interest = [
            "overriding earlier",
            "undefined parameter",
            "unused parameter",
        ];
        let lines = complaint.lines();
        return Err(lines
            .filter(|line| !of_no_interest.iter().any(|text| line.contains(text)))
            .collect::<Vec<_>>()
            .join("\n"));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    names
        .iter()
        .map(|name| {
            printed
                .lines()
                .filter_map(|line| line.split_once('='))
                .find(|(found, _)| found.trim() == *name)
                .map(|(_, value)| collapse(value.as_bytes()))
                .ok_or_else(|| format!("no {name} in {printed}"))
        })
        .collect()
}

fn run(program: &str, arguments: &[&str]) -> Output {
    // A user's PATH often lacks the directory of Postfix's commands.
    let found = ["/usr/sbin", "/usr/local/sbin", "/sbin"]
        .map(|directory| Path::new(directory).join(program))
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or_else(|| program.into());
    Command::new(found)
        .args(arguments)
        .env_remove("MAIL_CONFIG")
        .env("LC_ALL", "C")
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "cannot run {program}: {error}; this test compares with the real Postfix: install \
                 it (Debian: DEBIAN_FRONTEND=noninteractive apt-get install -y postfix)"
            )
        })
}

/// postconf prints each run of blanks and line ends as one blank (postconf_print.c).
fn collapse(value: &[u8]) -> String {
    let words: Vec<&[u8]> = value
        .split(|byte| b" \t\r\n".contains(byte))
        .filter(|word| !word.is_empty())
        .collect();
    String::from_utf8_lossy(&words.join(&b' ')).into_owned()
}

/// A small generator (splitmix64): the same files on every run and machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % limit
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    /// A file that Postfix reads: own names refer to earlier ones only, carriers to all.
    fn file(&mut self) -> String {
        let end = self.pick(&["\n", "\n", "\r\n"]);
        let mut lines: Vec<String> = Vec::new();
        let level = self.pick(&["0", "1", "2", "3.6", "3.10"]);
        lines.push(format!("compatibility_level = {level}"));
        for (index, name) in NAMES[..OWN].iter().enumerate() {
            // Some stay undefined, some are set twice.
            for _ in 0..self.below(3) {
                let names: Vec<&str> = [&NAMES[..index], &NAMES[OWN..]].concat();
                let value = self.value(&names, 3);
                lines.push(self.assign(name, &value));
            }
        }
        for name in CARRIERS {
            let value = self.value(&NAMES, 3);
            lines.push(self.assign(name, &value));
        }
        let mut text = String::new();
        for line in lines {
            if self.below(4) == 0 {
                let odd = self.pick(&["", "  ", "# relayhost = no", "  # no", "\t", "#"]);
                text += odd;
                text += end;
            }
            text += &line.replace('\n', end);
            text += end;
        }
        text
    }

    /// `name = value`, its blanks varied, and broken into continuation lines at blanks.
    fn assign(&mut self, name: &str, value: &str) -> String {
        let equals = self.pick(&[" = ", "=", "  =\t", "= ", " =\n  "]);
        let mut line = format!("{name}{equals}");
        for character in value.chars() {
            if character == ' ' && self.below(3) == 0 {
                line += self.pick(&[
                    "\n ",
                    "\n\t",
                    " \n# comment\n ",
                    "\n\n  ",
                    "\n   # x = y\n ",
                ]);
            } else {
                line.push(character);
            }
        }
        line
    }

    fn value(&mut self, names: &[&str], depth: usize) -> String {
        let mut value = String::new();
        for _ in 0..=self.below(3) {
            let piece = self.piece(names, depth);
            value += &piece;
            value += self.pick(&["", "", " ", "-", "/", "  "]);
        }
        value
    }

    fn piece(&mut self, names: &[&str], depth: usize) -> String {
        let name = self.pick(names);
        let blank = self.pick(&["", "", " "]);
        if depth == 0 {
            return self
                .pick(&["x", "10", "9", "007", "a b", "c#", "=", ""])
                .to_owned();
        }
        // In braces a value must balance, and every piece made here does.
        let inner = |random: &mut Random| random.value(names, depth - 1);
        match self.below(14) {
            0 => format!("${name}"),
            1 => format!("${{{name}}}"),
            2 => format!("$({name})"),
            3 => "$$".to_owned(),
            4 => format!("$$$${name}$${{{name}}}"),
            5 => format!("${{{blank}{name}{blank}}}"),
            // Bare text must not begin with a brace, as a piece may.
            6 | 7 => {
                let (operator, start) = (self.pick(&["?", ":"]), self.pick(&[" x", ":", "?", ","]));
                format!("${{{name}{blank}{operator}{start}{}}}", inner(self))
            }
            8 => format!(
                "${{{name}?{blank}{{{}}}{blank}:{blank}{{{}}}{blank}}}",
                inner(self),
                inner(self)
            ),
            9 => format!("${{{name}?{{{}}}}}", inner(self)),
            10 => {
                let (left, right) = (inner(self), inner(self));
                let operator = self.pick(&["==", "!=", "<", "<=", ">=", ">"]);
                let mut text = format!("${{{blank}{{{left}}}{blank}{operator}{blank}{{{right}}}");
                if self.below(3) > 0 {
                    let (yes, no) = (inner(self), inner(self));
                    write!(text, "{blank}?{blank}{{{yes}}}{blank}:{blank}{{{no}}}").unwrap();
                }
                text + blank + "}"
            }
            11 => {
                let operator = self.pick(&["==", "!=", "<", "<=", ">=", ">"]);
                let level = self.pick(&["0", "1", "3.6", "3.6.1", "3.11"]);
                format!(
                    "${{{{$compatibility_level}} {operator}level {{{level}}} ? {{{}}} : {{{}}}}}",
                    inner(self),
                    inner(self)
                )
            }
            _ => self
                .pick(&[
                    "text",
                    "10",
                    "9",
                    "1.5",
                    "a,b",
                    "/var/spool",
                    "x y",
                    "{z}",
                    "?:",
                    "(p)",
                ])
                .to_owned(),
        }
    }

    /// Tokens in any order: mostly refused, sometimes with a meaning that nobody intended.
    fn nonsense(&mut self) -> String {
        let mut value = String::new();
        for _ in 0..=self.below(7) {
            value += self.pick(&[
                "$",
                "$$",
                "${",
                "${u0",
                "${u1",
                "$u0",
                "${none",
                "}",
                "}",
                "{",
                "{a}",
                "(",
                ")",
                "$(u0",
                "?",
                ":",
                "==",
                "<",
                " ",
                "x",
                "-",
                "1",
                "${{a} == {a}",
                "? {y}",
                ": {n}",
                "${u0?{",
                "}}",
                "=level",
                "{3}",
                "relayhost",
                "\n",
                "\n ",
                "\n=",
            ]);
        }
        let own = self.pick(&["", "1", "$u1", "a b", "$relayhost"]);
        format!("u0 = {own}\nu1 = $$v\nrelayhost = {value}\n")
    }
}
