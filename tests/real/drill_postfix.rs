//! The real Postfix accepts every message that a drill makes, and reads in it what the plan says.
//!
//! Needs root and the programs of Debian's package `postfix` (3.7 was tried); no daemon is started.

use queuewatch::clock;
use queuewatch::drill::{GeneratedSpool, Message, Plan, make};
use queuewatch::postfix::queue::Queue;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The queues that postqueue lists and qshape can count. qshape takes no file of maildrop for valid
/// (postfix.md, "Traps"), postqueue does not list corrupt.
const LISTED: [Queue; 5] = [
    Queue::Maildrop,
    Queue::Active,
    Queue::Incoming,
    Queue::Deferred,
    Queue::Hold,
];

#[test]
fn postfix_accepts_a_spool_with_short_queue_ids() {
    Instance::with_drill(false, 1).is_accepted();
}

#[test]
fn postfix_accepts_a_spool_with_long_queue_ids() {
    Instance::with_drill(true, 2).is_accepted();
}

/// A Postfix instance of its own, not started, whose queue directory a drill has filled.
struct Instance {
    /// Keeps the directory until the end of the test.
    _home: tempfile::TempDir,
    config: PathBuf,
    plan: Plan,
    made: GeneratedSpool,
}

impl Instance {
    fn with_drill(long_ids: bool, hash_depth: usize) -> Instance {
        assert!(
            Path::new("/usr/sbin/postsuper").exists() && Path::new("/usr/sbin/qshape").exists(),
            "this test needs the real Postfix: apt-get install postfix (DEBIAN_FRONTEND=noninteractive)"
        );
        assert!(
            rustix::process::geteuid().is_root(),
            "this test needs root, as postsuper and postqueue without a daemon do"
        );
        let home = tempfile::tempdir().unwrap();
        // The mail owner must get through: showq gives up root before it reads.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (config, spool) = (home.path().join("etc"), home.path().join("spool"));
        let data = home.path().join("data");
        for directory in [&config, &data] {
            fs::create_dir(directory).unwrap();
        }
        std::os::unix::fs::chown(&data, Some(mail_owner()), None).unwrap();
        let main_cf = format!(
            "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\n\
             daemon_directory = /usr/lib/postfix/sbin\nmyhostname = mail.drill.example\n\
             enable_long_queue_ids = {}\nhash_queue_depth = {hash_depth}\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n",
            spool.display(),
            data.display(),
            if long_ids { "yes" } else { "no" },
        );
        fs::write(config.join("main.cf"), main_cf).unwrap();
        fs::copy("/etc/postfix/master.cf", config.join("master.cf")).unwrap();
        let plan = Plan {
            messages: 300,
            domains: 40,
            seed: 7,
            long_ids,
            hash_depth,
            shares: [40, 180, 20, 30, 25, 5],
            ..Plan::at(clock::now())
        };
        let made = make(&spool, &plan, &mut |_, _| {}).unwrap();
        Instance {
            _home: home,
            config,
            plan,
            made,
        }
    }

    fn is_accepted(&self) {
        self.made_adds_up();
        // First of all: what renames files would spoil the rest.
        self.postsuper_finds_nothing_to_do();
        self.postqueue_lists_the_plan();
        self.postcat_reads_the_plan();
        self.qshape_counts_the_plan();
    }

    /// What the plan says of every message, as one line each, sorted.
    fn planned(&self, queues: &[Queue], line: impl Fn(&Message) -> String) -> Vec<String> {
        let mail = self.plan.mail();
        sorted(
            mail.filter(|message| queues.contains(&message.queue))
                .map(|message| line(&message)),
        )
    }

    fn made_adds_up(&self) {
        for queue in Queue::ALL {
            let of_queue = || self.plan.mail().filter(|message| message.queue == queue);
            let totals = self.made.queue(queue);
            assert_eq!(totals.messages, of_queue().count() as u64);
            let todo: usize = of_queue().map(|message| message.todo().count()).sum();
            assert_eq!(totals.recipients, todo as u64);
            let all: usize = of_queue().map(|message| message.recipients.len()).sum();
            assert_eq!(totals.done, (all - todo) as u64);
            let bytes: u64 = of_queue().map(|message| size(&message)).sum();
            assert_eq!(totals.bytes, bytes);
            assert_eq!(
                totals.oldest,
                of_queue().map(|message| message.arrival).min()
            );
        }
    }

    fn postsuper_finds_nothing_to_do(&self) {
        let before = self.files();
        let (output, complaints) = self.run("postsuper", &["-v", "-s"]);
        let said = output + &complaints;
        // With -v it tells each file it looks at; a message of another kind is a complaint.
        for word in ["warning", "error", "fatal", "bogus", "Renamed", "renamed"] {
            assert!(!said.contains(word), "postsuper said {word}:\n{said}");
        }
        let (quiet, complaints) = self.run("postsuper", &["-s"]);
        assert_eq!((quiet.as_str(), complaints.as_str()), ("", ""));
        let (quiet, complaints) = self.run("postsuper", &["-p"]);
        assert_eq!((quiet.as_str(), complaints.as_str()), ("", ""));
        assert_eq!(self.files(), before, "postsuper changed the spool");
    }

    fn postqueue_lists_the_plan(&self) {
        let (output, _) = self.run("postqueue", &["-j"]);
        let listed: Vec<Value> = output
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let found = sorted(listed.iter().map(|message| {
            let recipients = message["recipients"].as_array().unwrap().iter();
            let recipients = sorted(recipients.map(|recipient| {
                format!(
                    "{} {}",
                    text(&recipient["address"]),
                    text(&recipient["delay_reason"])
                )
            }));
            format!(
                "{} {} {} {} {:?}",
                text(&message["queue_name"]),
                message["arrival_time"],
                message["message_size"],
                text(&message["sender"]),
                recipients
            )
        }));
        let planned = self.planned(&LISTED, |message| {
            let recipients = sorted(message.todo().map(|recipient| {
                let reason = recipient.delay.as_ref().map_or("-", |delay| &delay.reason);
                format!("{} {reason}", recipient.address)
            }));
            format!(
                "{} {} {} {} {:?}",
                message.queue,
                message.arrival,
                size(message),
                shown(&message.sender),
                recipients
            )
        });
        assert_same(&found, &planned, "postqueue -j");
    }

    fn postcat_reads_the_plan(&self) {
        let found = sorted(self.files().into_iter().filter_map(|path| {
            let queue = queue_of(&path, &self.made.directory)?;
            // Cut off on purpose.
            if queue == Queue::Corrupt {
                return None;
            }
            let (output, complaints) = self.run("postcat", &[path.to_str().unwrap()]);
            assert_eq!(complaints, "", "postcat {}", path.display());
            let fields = |name: &str| -> Vec<String> {
                let prefix = format!("{name}: ");
                let lines = output.lines();
                lines
                    .filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
                    .collect()
            };
            let end = format!("*** MESSAGE FILE END {} ***", path.display());
            assert_eq!(output.lines().last(), Some(end.as_str()));
            let body = output
                .lines()
                .filter(|line| line.contains("brown fox"))
                .count();
            Some(format!(
                "{queue} {:?} {:?} {:?} {:?} {:?} {body}",
                fields("message_size")
                    .first()
                    .and_then(|size| size.split_whitespace().next().map(str::to_owned)),
                fields("sender"),
                fields("recipient"),
                fields("done_recipient"),
                fields("original_recipient"),
            ))
        }));
        let queues = LISTED;
        let planned = self.planned(&queues, |message| {
            let maildrop = message.queue == Queue::Maildrop;
            let of = |done: bool| -> Vec<&String> {
                let recipients = message.recipients.iter();
                recipients
                    .filter(|recipient| recipient.done == done)
                    .map(|recipient| &recipient.address)
                    .collect()
            };
            let originals: Vec<&String> = message
                .recipients
                .iter()
                .filter(|_| !maildrop)
                .map(|recipient| recipient.original.as_ref().unwrap_or(&recipient.address))
                .collect();
            format!(
                "{} {:?} {:?} {:?} {:?} {:?} {}",
                message.queue,
                (!maildrop).then(|| size(message).to_string()),
                [&message.sender],
                of(false),
                of(true),
                originals,
                message.body_bytes / 72 + usize::from(message.body_bytes % 72 > 19),
            )
        });
        assert_same(&found, &planned, "postcat");
    }

    fn qshape_counts_the_plan(&self) {
        for queue in LISTED.into_iter().filter(|&queue| queue != Queue::Maildrop) {
            let mut domains: BTreeMap<String, u64> = BTreeMap::new();
            let mut senders = domains.clone();
            for message in self.plan.mail().filter(|message| message.queue == queue) {
                *senders.entry(domain(&message.sender)).or_default() += 1;
                for recipient in message.todo() {
                    *domains.entry(domain(&recipient.address)).or_default() += 1;
                }
            }
            domains.insert("TOTAL".into(), self.made.queue(queue).recipients);
            senders.insert("TOTAL".into(), self.made.queue(queue).messages);
            for (options, expected) in [(&["-b1"][..], domains), (&["-b1", "-s"], senders)] {
                let mut arguments = vec!["-w200"];
                arguments.extend(options);
                arguments.push(queue.name());
                let (output, complaints) = self.run("qshape", &arguments);
                assert_eq!(complaints, "", "qshape {queue}");
                let rows = output.lines().skip(1).map(|row| {
                    let mut cells = row.split_whitespace();
                    let name = cells.next().unwrap().to_owned();
                    (name, cells.next().unwrap().parse().unwrap())
                });
                let rows: BTreeMap<String, u64> = rows.collect();
                assert_eq!(rows, expected, "qshape {options:?} {queue}");
            }
        }
    }

    /// All files of the spool, sorted.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut directories = vec![self.made.directory.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    /// Standard output and standard error of one of Postfix's programs, which must succeed.
    fn run(&self, program: &str, arguments: &[&str]) -> (String, String) {
        let output = Command::new(format!("/usr/sbin/{program}"))
            .arg("-c")
            .arg(&self.config)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (output, complaints, status) =
            (text(output.stdout), text(output.stderr), output.status);
        assert!(
            status.success(),
            "{program} {arguments:?}: {status}\n{complaints}"
        );
        (output, complaints)
    }
}

/// The size that mailq prints; it does not depend on the queue ID.
fn size(message: &Message) -> u64 {
    message.queue_file("ANYID").build().size
}

fn domain(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((_, domain)) => domain.to_owned(),
        None => shown(address),
    }
}

/// The null sender has a name in all of Postfix's tools.
fn shown(address: &str) -> String {
    match address {
        "" => "MAILER-DAEMON".to_owned(),
        address => address.to_owned(),
    }
}

fn queue_of(path: &Path, spool: &Path) -> Option<Queue> {
    let below = path.strip_prefix(spool).ok()?;
    Queue::from_name(below.components().next()?.as_os_str().to_str()?)
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    lines
}

/// As assert_eq, but shows the first difference instead of 300 lines.
fn assert_same(found: &[String], planned: &[String], tool: &str) {
    for (found, planned) in found.iter().zip(planned) {
        assert_eq!(found, planned, "{tool}");
    }
    assert_eq!(found.len(), planned.len(), "{tool}: messages");
}

/// The user postfix, to whom the data directory belongs.
fn mail_owner() -> u32 {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = users.lines().find(|line| line.starts_with("postfix:"));
    let number = user.and_then(|line| line.split(':').nth(2));
    number
        .and_then(|number| number.parse().ok())
        .expect("a user postfix")
}
