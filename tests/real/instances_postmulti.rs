//! Which instances there are: as the real postmulti(1) lists them, on made-up configurations.
//!
//! postmulti takes no other primary than /etc/postfix, so both programs run in a root directory of their
//! own, with what they need copied there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::Value;

const POSTMULTI: &str = "/usr/sbin/postmulti";
const QUEUEWATCH: &str = env!("CARGO_BIN_EXE_queuewatch");

/// A root directory with both programs, and the socket at which postmulti complains.
struct Root(tempfile::TempDir, UnixDatagram);

impl Root {
    fn new() -> Root {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("dev")).expect("a folder");
        let log = UnixDatagram::bind(folder.path().join("dev/log")).expect("a socket");
        log.set_nonblocking(true).expect("a socket");
        let root = Root(folder, log);
        let mut needed = BTreeSet::new();
        // postmulti asks postconf for the parameters of the others.
        for program in [POSTMULTI, "/usr/sbin/postconf", QUEUEWATCH] {
            needed.insert(PathBuf::from(program));
            needed.extend(libraries(program));
        }
        for path in needed {
            root.copy(&path);
        }
        // What the name service asks for, and the user that a main.cf names by default.
        root.write(
            "etc/passwd",
            "root:x:0:0::/:\npostfix:x:101:101::/:\nnobody:x:65534:65534::/:\n",
        );
        root.write(
            "etc/group",
            "root:x:0:\npostfix:x:101:\npostdrop:x:102:\nnogroup:x:65534:\n",
        );
        root.write(
            "etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files\n",
        );
        root.write("etc/hosts", "127.0.0.1 localhost host.example\n");
        // postmulti looks whether the programs of a Postfix would be there.
        fs::create_dir_all(root.path("usr/lib/postfix/sbin")).expect("a folder");
        root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name.trim_start_matches('/'))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        // Programs of Postfix wait for a main.cf that somebody may still be writing.
        let before = SystemTime::now() - Duration::from_secs(60);
        let file = fs::File::open(&path).expect("a file");
        file.set_modified(before).expect("a time");
    }

    fn copy(&self, path: &Path) {
        let to = self.path(path.to_str().expect("UTF-8"));
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(path, to).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    fn run(&self, program: &str, words: &[&str]) -> Output {
        Command::new("/usr/sbin/chroot")
            .arg(self.0.path())
            .arg(program)
            .args(words)
            .env_clear()
            .output()
            .expect("chroot runs (Debian package coreutils)")
    }
}

/// The shared libraries of `program`, and its loader.
fn libraries(program: &str) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("ldd runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    paths.map(PathBuf::from).collect()
}

/// One instance as postmulti lists it: name, group, whether it is enabled, configuration directory.
type Row = (String, String, bool, String);

fn theirs(root: &Root) -> Vec<Row> {
    let output = root.run(POSTMULTI, &["-l"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    if !output.status.success() {
        let mut complaint = [0; 1024];
        let mut all = String::new();
        while let Ok(length) = root.1.recv(&mut complaint) {
            all.push_str(&String::from_utf8_lossy(&complaint[..length]));
        }
        panic!("{all}");
    }
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [name, group, enabled, directory] = words[..] else {
                panic!("postmulti printed {line}");
            };
            let or = |text: &str, none: &str| {
                if text == "-" {
                    none.to_owned()
                } else {
                    text.to_owned()
                }
            };
            (
                or(name, "postfix"),
                or(group, ""),
                enabled == "y",
                directory.to_owned(),
            )
        })
        .collect()
}

fn ours(root: &Root) -> Vec<Row> {
    let output = root.run(QUEUEWATCH, &["status", "--all-instances", "--json"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    });
    assert_eq!(json["broken"], Value::Array(Vec::new()));
    let instances = json["instances"].as_array().expect("instances");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    instances
        .iter()
        .map(|one| {
            let enabled = one["settings"]["multi_instance_enable"]
                .as_bool()
                .expect("yes or no");
            (
                text(&one["name"]),
                text(&one["group"]),
                enabled,
                text(&one["config_directory"]),
            )
        })
        .collect()
}

/// A sequence that looks random and is always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len() as u64) as usize]
    }
}

/// Makes a configuration with `others` instances beside the default one.
fn configure(root: &Root, random: &mut Random, others: u64) {
    let mut main_cf = String::new();
    let mut directories = String::new();
    for number in 0..=others {
        let directory = match number {
            0 => "/etc/postfix".to_owned(),
            _ => format!("/etc/postfix-{number}"),
        };
        let mut text = format!(
            "compatibility_level = 3.6\nmyhostname = host.example\nqueue_directory = /spool/{number}\n\
             data_directory = /data/{number}\n"
        );
        let name = random.of(&[
            "",
            "multi_instance_name = postfix-N\n",
            "multi_instance_name = postfix-$suffix\nsuffix=N\n",
            "multi_instance_name = ${suffix?postfix-$suffix}\nsuffix = sN\n",
        ]);
        if number > 0 {
            text.push_str(&name.replace('N', &number.to_string()));
        }
        text.push_str(random.of(&[
            "",
            "multi_instance_group = mta\n",
            "multi_instance_group =\n  out\n",
        ]));
        text.push_str(random.of(&[
            "",
            "multi_instance_enable = yes\n",
            "multi_instance_enable=YES\n",
            "multi_instance_enable = no\n",
            "multi_instance_enable = ${multi_instance_group?yes}${multi_instance_group:no}\n",
        ]));
        fs::create_dir_all(root.path(&format!("/spool/{number}/deferred"))).expect("a spool");
        if number == 0 {
            main_cf = text;
        } else {
            root.write(&format!("{directory}/main.cf"), &text);
            let separator = random.of(&[" ", ", ", ",", "\n  ", ",\n# a comment\n\t"]);
            if !directories.is_empty() {
                directories.push_str(separator);
            }
            directories.push_str(&directory);
        }
    }
    if !directories.is_empty() {
        let _ = match random.below(2) {
            0 => writeln!(main_cf, "multi_instance_directories = {directories}"),
            _ => writeln!(
                main_cf,
                "others = {directories}\nmulti_instance_directories = $others"
            ),
        };
    }
    root.write("/etc/postfix/main.cf", &main_cf);
}

#[test]
fn instances_are_those_of_postmulti() {
    let root = Root::new();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut listed = 0;
    for round in 0..30 {
        configure(&root, &mut random, round % 5);
        let theirs = theirs(&root);
        // postmulti knows no name of ours for those without one, and two of one name are two.
        let nameless = theirs.iter().filter(|row| row.0 == "postfix").count();
        let mut ours = ours(&root);
        if nameless > 1 {
            for row in &mut ours {
                if row.0 == row.3 {
                    "postfix".clone_into(&mut row.0);
                }
            }
        }
        let main_cf = fs::read_to_string(root.path("/etc/postfix/main.cf")).expect("a main.cf");
        assert_eq!(ours, theirs, "{main_cf}");
        listed += theirs.len();
    }
    assert!(listed > 60, "{listed}");
}
