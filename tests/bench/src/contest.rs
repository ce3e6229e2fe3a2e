//! Who is measured, in which groups, and what is the right answer.

use std::fmt::Write as _;
use std::path::Path;

use queuewatch::postfix::queue::{Queue, QueueSet};

use crate::process::{Ended, Line};
use crate::spool::{self, Contents};
use crate::table::{self, Goal, Row};
use crate::{Options, Result, Source, depth, machine, rules};

/// How often a start is measured: it takes a millisecond.
const STARTS: usize = 201;
/// More messages than this, and qshape has one turn only: it takes a minute a million and more.
const FEW: u64 = 200_000;
const QSHAPE: &str = "/usr/sbin/qshape";
const CHECK_MAILQ: &str = "/usr/lib/nagios/plugins/check_mailq";
/// Ways to read a cold disk, of which the fastest is the reference.
const COLD_WAYS: [&[&str]; 8] = [
    &["threads=1"],
    &["threads=4"],
    &["threads=8"],
    &["threads=16"],
    &["threads=32"],
    &["threads=64"],
    &["threads=16", "by-inode"],
    &["threads=64", "by-inode"],
];
/// Messages from which on the ways to read are compared.
const WAYS_FROM: u64 = 100_000;
/// Other ways to read what the caches hold than to list, open, fstat, read 4096 and close.
const WARM_WAYS: [(&[&str], &str); 9] = [
    (&["no-fstat"], "no fstat"),
    (&["statx"], "statx of type, mode, size and mtime for fstat"),
    (&["ends"], "the last 4096 of longer files, too"),
    (&["bytes=2048"], "read 2048"),
    (&["bytes=1024"], "read 1024"),
    (&["atime"], "without O_NOATIME"),
    (&["by-inode"], "in the order of inodes"),
    (&["threads=16"], "on 16 threads"),
    (&["ring"], "open, read and close by io_uring"),
];
/// What many monitoring scripts do.
const WALK: &str = "\
import os, sys
files, oldest = 0, None
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        files += 1
        changed = os.stat(os.path.join(folder, name)).st_mtime
        oldest = changed if oldest is None else min(oldest, changed)
print(files)
";

type Maker = fn(&Path, &Path, u64) -> Result<Contents>;
type Verify = Box<dyn Fn(&Ended) -> std::result::Result<(), String>>;

/// One that is measured.
pub(crate) struct Contender {
    name: String,
    line: Line,
    verify: Verify,
    /// Rounds it takes part in, at most.
    rounds: usize,
    goals: Vec<Goal>,
    runs: Vec<Ended>,
    /// System calls for each message.
    calls: Option<f64>,
}

impl Contender {
    pub(crate) fn new(
        name: &str,
        line: Line,
        verify: impl Fn(&Ended) -> std::result::Result<(), String> + 'static,
    ) -> Contender {
        Contender {
            name: name.to_owned(),
            line,
            verify: Box::new(verify),
            rounds: usize::MAX,
            goals: Vec::new(),
            runs: Vec::new(),
            calls: None,
        }
    }

    /// Once, however many rounds there are: it takes long.
    fn once(mut self) -> Contender {
        self.rounds = 1;
        self
    }

    pub(crate) fn goals(mut self, goals: &[Goal]) -> Contender {
        self.goals = goals.to_vec();
        self
    }
}

/// Contenders with the same question; the others are compared with one of them.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    /// The reference is the fastest of this many, from the first on.
    references: usize,
    pub(crate) contenders: Vec<Contender>,
    /// Whether the kernel forgets the disk before each.
    pub(crate) cold: bool,
}

impl Group {
    pub(crate) fn new(title: &'static str, contenders: Vec<Contender>) -> Group {
        Group {
            title,
            references: 1,
            contenders,
            cold: false,
        }
    }

    /// The fastest of those that may be the reference.
    fn reference(&self) -> &Contender {
        let mut fastest = &self.contenders[0];
        for contender in &self.contenders[..self.references] {
            let time = |of: &Contender| table::median(of.runs.iter().map(|run| run.seconds));
            if time(contender) < time(fastest) {
                fastest = contender;
            }
        }
        fastest
    }
}

pub(crate) struct Contest {
    heading: String,
    spool_groups: Vec<Group>,
    cold_groups: Vec<Group>,
    cold_rounds: usize,
    start: Group,
    /// What is not a matter of time.
    depth: String,
    /// Of how many messages system calls are counted.
    calls_of: Option<u64>,
    wrong: Vec<String>,
}

/// What came out.
pub(crate) struct Outcome {
    heading: String,
    pub(crate) groups: Vec<(&'static str, Vec<Row>)>,
    depth: String,
    /// Answers that were wrong.
    pub(crate) wrong: Vec<String>,
}

impl Contest {
    /// Makes the spools and names the contenders.
    pub(crate) fn prepare(options: &Options) -> Result<Contest> {
        let bench = std::env::current_exe()?;
        let spool = options.directory.join("spool");
        let empty = options.directory.join("empty");
        eprintln!("bench: making {} messages", options.messages);
        let (make, maker): (Maker, _) = match options.source {
            Source::Drill if options.messages >= spool::MANY => {
                (spool::make_apart, " to a tenth as many domains")
            }
            Source::Drill => (spool::make_apart, ""),
            Source::Postfix => (spool::fill_apart, " that a Postfix took and deferred"),
            Source::Links => (spool::link_apart, " that are hard links of 160 files"),
        };
        let contents = make(&bench, &spool, options.messages)?;
        let nothing = spool::make_apart(&bench, &empty, 0)?;
        let heading = format!(
            "{} messages{maker}, {} rounds after one that warms the caches; {}\n\
             Medians of time and of CPU time (user and system), peak of memory, median of what was\n\
             read from the disk, medians of the ratios of time within a round.",
            options.messages,
            options.rounds,
            machine::words(&options.directory)
        );
        let mut wrong = Vec::new();
        let depth = match options.calls && options.messages <= FEW {
            true => depth::report(options, &spool, &contents, &mut wrong)?,
            false => String::new(),
        };
        let program = &options.plugin;
        let mut spool_groups = match options.source {
            _ if options.rules => rules::warm(program, &spool, &contents),
            // Of ours alone: the others would take an hour.
            Source::Links => vec![
                own(envelopes(&bench, &options.plugin, &spool, &contents)),
                own(counts(&bench, options, &spool, &contents)?),
            ],
            _ => vec![
                envelopes(&bench, &options.plugin, &spool, &contents),
                lists(&bench, options, &spool, &contents)?,
                counts(&bench, options, &spool, &contents)?,
            ],
        };
        // Where time is that of the loop, and the caches hold all.
        if (WAYS_FROM..=FEW).contains(&options.messages) && !options.rules {
            spool_groups.push(ways(&bench, &spool, &contents));
            spool_groups.extend(rules::warm(program, &spool, &contents));
        }
        Ok(Contest {
            heading,
            depth,
            spool_groups,
            cold_rounds: options.cold_rounds,
            cold_groups: match options.cold {
                true if options.rules => vec![rules::cold(program, &spool, &contents)],
                true => cold(&bench, options, &spool, &contents)?,
                false => Vec::new(),
            },
            calls_of: options.calls.then_some(options.messages),
            start: start(options, &empty, &nothing),
            wrong,
        })
    }

    /// Measures.
    pub(crate) fn run(mut self, rounds: usize) -> Result<Outcome> {
        for round in 0..=rounds {
            match round {
                0 => eprintln!("bench: warming up"),
                _ => eprintln!("bench: round {round} of {rounds}"),
            }
            for group in &mut self.spool_groups {
                turn(group, round, &mut self.wrong)?;
            }
        }
        if let Some(messages) = self.calls_of {
            eprintln!("bench: counting system calls");
            for group in &mut self.spool_groups {
                for contender in &mut group.contenders {
                    contender.calls = Some(contender.line.calls()? as f64 / messages as f64);
                }
            }
        }
        if !self.cold_groups.is_empty() {
            for round in 1..=self.cold_rounds {
                eprintln!("bench: cold, round {round} of {}", self.cold_rounds);
                for group in &mut self.cold_groups {
                    turn(group, round, &mut self.wrong)?;
                }
            }
        }
        eprintln!("bench: starting {STARTS} times");
        for round in 0..=STARTS {
            turn(&mut self.start, round, &mut self.wrong)?;
        }
        self.spool_groups.append(&mut self.cold_groups);
        self.spool_groups.push(self.start);
        let groups = self.spool_groups.iter().map(|group| {
            let reference = group.reference();
            let row = |contender: &Contender| Row {
                name: contender.name.clone(),
                runs: contender.runs.clone(),
                reference: reference.runs.clone(),
                goals: contender.goals.clone(),
                calls: contender.calls,
                cold: group.cold,
            };
            (group.title, group.contenders.iter().map(row).collect())
        });
        Ok(Outcome {
            heading: self.heading,
            groups: groups.collect(),
            depth: self.depth,
            wrong: self.wrong,
        })
    }
}

/// Each contender of the group once. Round 0 is verified and not counted.
fn turn(group: &mut Group, round: usize, wrong: &mut Vec<String>) -> Result<()> {
    for contender in &mut group.contenders {
        if round > contender.rounds || (round == 0 && contender.rounds != usize::MAX) {
            continue;
        }
        if group.cold {
            machine::forget_disk()?;
        }
        let mut ended = contender.line.run()?;
        if let Err(what) = (contender.verify)(&ended) {
            wrong.push(format!("{}: {what}", contender.name));
        }
        // What is kept makes this process, and so each that it starts, look larger.
        ended.output = String::new();
        if round > 0 {
            contender.runs.push(ended);
        }
    }
    Ok(())
}

impl Outcome {
    /// The name of the fastest bare loop of the group `title`: what its rows are compared with.
    pub(crate) fn fastest_of(&self, title: &str) -> Option<&str> {
        let (_, rows) = self.groups.iter().find(|group| group.0 == title)?;
        let seconds = |row: &Row| row.median(|run| run.seconds);
        let bare = rows
            .iter()
            .filter(|row| row.name.starts_with("bare, threads"));
        let fastest = bare.min_by(|a, b| seconds(a).total_cmp(&seconds(b)))?;
        Some(&fastest.name)
    }

    pub(crate) fn report(&self) -> String {
        let mut report = table::print(&self.heading, &self.groups);
        report.push_str(&self.depth);
        match self.wrong.as_slice() {
            [] => report.push_str("\nEvery answer was right.\n"),
            wrong => {
                report.push_str("\nWRONG ANSWERS\n");
                for what in wrong.iter().take(20) {
                    let _ = writeln!(report, "  {what}");
                }
            }
        }
        report
    }
}

/// Bare loops and programs of ours.
fn own(mut group: Group) -> Group {
    let ours = ["bare", "check_postfix_queue", "queuewatch"];
    group
        .contenders
        .retain(|contender| ours.iter().any(|name| contender.name.starts_with(name)));
    group
}

/// The plugin asked about a spool, without a timeout that would cut it short.
pub(crate) fn plugin(plugin: &Path, spool: &Path, contents: &Contents) -> Line {
    Line::new(plugin)
        .with("--queue-directory")
        .with(spool)
        .with("--now")
        .with(contents.now.to_string())
        .with("--timeout")
        .with("3600")
}

/// Arrival, sender, recipients and size of every message.
fn envelopes(bench: &Path, program: &Path, spool: &Path, contents: &Contents) -> Group {
    let messages = contents.messages();
    let right = contents.clone();
    let mut contenders = vec![
        Contender::new(
            "bare list, open, fstat, read 4096, close on 2 threads",
            Line::new(bench).with("read").with(spool),
            move |ended| is_figure(ended, messages),
        ),
        Contender::new(
            "bare, the same, and the last 4096 of longer files",
            Line::new(bench).with("read").with(spool).with("ends"),
            move |ended| is_figure(ended, messages),
        ),
        Contender::new(
            "check_postfix_queue",
            plugin(program, spool, contents),
            move |ended| is_perfdata(ended, &right, true),
        )
        .goals(&[Goal::Ratio(1.5), Goal::Peak(32)]),
    ];
    // maildrop is not for qshape.
    let queues = QueueSet::TOTAL.without(Queue::Maildrop);
    let recipients: u64 = queues
        .iter()
        .map(|queue| contents.of(queue).recipients)
        .sum();
    let shape = Line::new(program.with_file_name("queuewatch"))
        .with("shape")
        .with("--queue-directory")
        .with(spool);
    let shape = queues
        .iter()
        .fold(shape, |line, queue| line.with(queue.name()));
    contenders.push(
        Contender::new("queuewatch shape", shape, move |ended| {
            is_shape(ended, recipients)
        })
        .goals(&[Goal::Ratio(1.2), Goal::Peak(64)]),
    );
    if Path::new(QSHAPE).exists() {
        let line = queues.iter().fold(Line::new(QSHAPE), |line, queue| {
            line.with(spool.join(queue.name()))
        });
        let mut qshape = Contender::new("qshape", line, move |ended| is_shape(ended, recipients));
        qshape.rounds = if messages > FEW { 1 } else { 3 };
        contenders.push(qshape);
    }
    Group::new(
        "Envelopes: how old, how many recipients, how large",
        contenders,
    )
}

/// Ways to read that were tried, and what each would gain or lose.
fn ways(bench: &Path, spool: &Path, contents: &Contents) -> Group {
    let messages = contents.messages();
    let read = |words: &[&str], name: &str| {
        let line = Line::new(bench).with("read").with(spool);
        let line = words.iter().fold(line, Line::with);
        Contender::new(name, line, move |ended| is_figure(ended, messages))
    };
    let usual = read(&[], "bare list, open, fstat, read 4096, close on 2 threads");
    let others = WARM_WAYS
        .iter()
        .map(|(words, name)| read(words, &format!("bare, {name}")));
    let contenders = std::iter::once(usual).chain(others).collect();
    Group::new("Ways to read, warm", contenders)
}

/// The same questions, when the kernel has to ask the disk.
fn cold(bench: &Path, options: &Options, spool: &Path, contents: &Contents) -> Result<Vec<Group>> {
    let messages = contents.messages();
    let read = |words: &[&str]| {
        let line = Line::new(bench).with("read").with(spool);
        let line = words.iter().fold(line, Line::with);
        let name = format!("bare, {}", words.join(" "));
        Contender::new(&name, line, move |ended| is_figure(ended, messages))
    };
    let mut ages = envelopes(bench, &options.plugin, spool, contents);
    ages.title = "Cold: envelopes";
    ages.contenders.drain(..2);
    ages.contenders.insert(0, read(&["ring", "threads=16"]));
    ages.contenders
        .splice(0..0, COLD_WAYS.iter().map(|words| read(words)));
    ages.references = COLD_WAYS.len();
    let mut lists = lists(bench, options, spool, contents)?;
    lists.title = "Cold: lists";
    lists.contenders[0] = Contender::new(
        "bare, threads=16, of defer logs, too",
        Line::new(bench)
            .with("read")
            .with(spool)
            .with("logs")
            .with("threads=16"),
        |ended| match ended.code {
            Some(0) => Ok(()),
            code => Err(format!("exit code {code:?}")),
        },
    );
    let deadline = Contender::new(
        "check_postfix_queue -t 1",
        Line::new(&options.plugin)
            .with("--queue-directory")
            .with(spool)
            .with("-t1")
            .with("-w")
            .with("total.messages=1"),
        |ended| {
            let cut = ended.output.contains("at least");
            match (ended.code, cut || ended.seconds < 1.0) {
                (Some(1), true) => Ok(()),
                _ => Err(ended.output.clone()),
            }
        },
    )
    .goals(&[Goal::Seconds(1.05)]);
    let deadline = Group::new("Cold: a deadline of one second", vec![deadline]);
    let defaults = rules::cold(&options.plugin, spool, contents);
    let mut groups = vec![ages, lists, deadline, defaults];
    for group in &mut groups {
        group.cold = true;
        for contender in &mut group.contenders {
            if contender.rounds != usize::MAX {
                contender.rounds = 1;
            }
        }
    }
    Ok(groups)
}

/// Every message with its recipients and delay reasons. Lists are counted by `wc -l`, which all pay.
fn lists(bench: &Path, options: &Options, spool: &Path, contents: &Contents) -> Result<Group> {
    let listed: u64 = QueueSet::TOTAL
        .iter()
        .map(|queue| contents.of(queue).messages)
        .sum();
    let lines = |words: &str| {
        Line::new("sh")
            .with("-c")
            .with(format!("{words} 2>/dev/null | wc -l"))
            .with("sh")
    };
    let ours = options.plugin.with_file_name("queuewatch");
    let right = contents.clone();
    let mut contenders = vec![
        Contender::new(
            "bare list, open, fstat, read 4096, close, of defer logs, too",
            Line::new(bench).with("read").with(spool).with("logs"),
            |ended| match ended.code {
                Some(0) => Ok(()),
                code => Err(format!("exit code {code:?}")),
            },
        ),
        Contender::new(
            "queuewatch list",
            lines("\"$1\" list --queue-directory \"$2\"")
                .with(ours)
                .with(spool),
            move |ended| is_figure(ended, listed),
        )
        .goals(&[Goal::Ratio(1.5), Goal::Peak(64)]),
        Contender::new(
            "check_postfix_queue -v",
            plugin(&options.plugin, spool, contents).with("-v"),
            move |ended| is_perfdata(ended, &right, true),
        )
        .goals(&[Goal::Peak(64)]),
    ];
    if Path::new("/usr/sbin/postqueue").exists() {
        let folder = configured(options, spool)?;
        let line = lines("postqueue -c \"$1\" -j").with(&folder);
        let mut postqueue = Contender::new("postqueue -j (master down)", line, move |ended| {
            is_figure(ended, listed)
        });
        postqueue.rounds = if listed > FEW { 1 } else { 3 };
        contenders.push(postqueue);
        let line = Line::new("sh")
            .with("-c")
            .with("postqueue -c \"$1\" -p 2>/dev/null | sed -n 's/^-- .* in \\([0-9]*\\) Requests*\\.$/\\1/p'")
            .with("sh")
            .with(&folder);
        let postqueue = Contender::new("postqueue -p (master down)", line, move |ended| {
            is_figure(ended, listed)
        });
        contenders.push(postqueue.once());
    }
    Ok(Group::new(
        "Lists: every message, for whom and why",
        contenders,
    ))
}

/// A configuration for the real tools, whose spool is `spool`.
fn configured(options: &Options, spool: &Path) -> Result<std::path::PathBuf> {
    let folder = options.directory.join("postfix");
    std::fs::create_dir_all(folder.join("data"))?;
    let main_cf = format!(
        "compatibility_level = 3.6\nqueue_directory = {}\ndata_directory = {}\n",
        spool.display(),
        folder.join("data").display()
    );
    let path = folder.join("main.cf");
    std::fs::write(&path, main_cf)?;
    // Postfix waits for a main.cf that somebody may still be writing.
    let before = std::time::SystemTime::now() - std::time::Duration::new(60, 0);
    std::fs::File::open(&path)?.set_modified(before)?;
    Ok(folder)
}

/// How many messages.
fn counts(bench: &Path, options: &Options, spool: &Path, contents: &Contents) -> Result<Group> {
    let messages = contents.messages();
    let deferred = contents.of(Queue::Deferred).messages;
    let right = contents.clone();
    // The folder is an argument, so that its name is never read as a command.
    let find = Line::new("sh")
        .with("-c")
        .with("find \"$1\" -type f | wc -l")
        .with("sh")
        .with(spool.join("deferred"));
    let mut contenders = vec![
        Contender::new(
            "bare getdents over all queues",
            Line::new(bench).with("names").with(spool),
            move |ended| is_figure(ended, messages),
        ),
        Contender::new(
            "check_postfix_queue --counts",
            plugin(&options.plugin, spool, contents).with("--counts"),
            move |ended| is_perfdata(ended, &right, false),
        )
        .goals(&[Goal::Ratio(1.3), Goal::Peak(32)]),
        Contender::new("find deferred -type f | wc -l", find, move |ended| {
            is_figure(ended, deferred)
        }),
        Contender::new(
            "Python: os.walk and os.stat over deferred",
            Line::new("python3")
                .with("-c")
                .with(WALK)
                .with(spool.join("deferred")),
            move |ended| is_figure(ended, deferred),
        ),
    ];
    if Path::new(CHECK_MAILQ).exists() && messages > 0 {
        let listed: u64 = QueueSet::TOTAL
            .iter()
            .map(|queue| contents.of(queue).messages)
            .sum();
        let mut directory = std::ffi::OsString::from("MAIL_CONFIG=");
        directory.push(configured(options, spool)?);
        let line = Line::new("env").with(directory).with(CHECK_MAILQ);
        let line = ["-M", "postfix", "-w", "1", "-c", "2", "-t", "600"]
            .into_iter()
            .fold(line, Line::with);
        let check =
            Contender::new(
                "check_mailq -M postfix (master down)",
                line,
                move |ended| match ended.output.contains(&format!("unsent={listed};")) {
                    true => Ok(()),
                    false => Err(ended.output.clone()),
                },
            );
        contenders.push(check.once());
    }
    Ok(Group::new("Counts: how many messages", contenders))
}

/// What it costs to be asked every minute.
fn start(options: &Options, empty: &Path, nothing: &Contents) -> Group {
    let program = |name: &str, program: &Path| {
        let right = nothing.clone();
        let line = plugin(program, empty, nothing);
        Contender::new(name, line, move |ended| is_perfdata(ended, &right, true))
            .goals(&[Goal::Cpu(0.005)])
    };
    let nothing_done = |ended: &Ended| match ended.code {
        Some(0) => Ok(()),
        code => Err(format!("exit code {code:?}")),
    };
    let mut contenders = vec![
        Contender::new("true", Line::new("true"), nothing_done),
        program("check_postfix_queue", &options.plugin),
    ];
    if let Some(linked) = &options.static_plugin {
        contenders.push(program("check_postfix_queue (linked statically)", linked));
    }
    Group::new("Start: an empty spool", contenders)
}

fn is_figure(ended: &Ended, right: u64) -> std::result::Result<(), String> {
    let output = ended.output.trim();
    match (ended.code, output.parse::<u64>()) {
        (Some(0), Ok(figure)) if right == figure => Ok(()),
        (code, _) => Err(format!("{output:?}, not {right}, and exit code {code:?}")),
    }
}

/// Whether each count, and each age of an oldest message, is in the performance data.
pub(crate) fn is_perfdata(
    ended: &Ended,
    right: &Contents,
    ages: bool,
) -> std::result::Result<(), String> {
    if !matches!(ended.code, Some(0..=2)) {
        return Err(format!(
            "exit code {:?}: {}",
            ended.code,
            ended.output.trim()
        ));
    }
    let perfdata = ended
        .output
        .lines()
        .next()
        .and_then(|line| line.split_once(" | "));
    let (_, perfdata) = perfdata.ok_or("no performance data")?;
    let total = QueueSet::TOTAL.iter().map(|queue| right.of(queue).messages);
    let mut wanted = vec![format!("total={};", total.sum::<u64>())];
    for queue in Queue::ALL {
        let totals = right.of(queue);
        wanted.push(format!("{}={};", queue.name(), totals.messages));
        if ages && queue != Queue::Corrupt {
            let age = totals.oldest.map_or(0, |oldest| right.now - oldest);
            wanted.push(format!("{}_oldest={age}s;", queue.name()));
        }
    }
    for item in wanted {
        if !perfdata.split(' ').any(|given| given.starts_with(&item)) {
            return Err(format!("{item} is not in {perfdata}"));
        }
    }
    Ok(())
}

/// Whether qshape's total is that of the recipients.
fn is_shape(ended: &Ended, right: u64) -> std::result::Result<(), String> {
    let total = ended.output.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("TOTAL")).then(|| words.next().map(str::to_owned))?
    });
    match total.as_deref().map(str::parse::<u64>) {
        Some(Ok(total)) if right == total => Ok(()),
        _ => Err(format!(
            "total {total:?}, not {right}, and exit code {:?}",
            ended.code
        )),
    }
}
