//! The table of options: parsing, help texts and the header of the C library are made from it.

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is on or off.
    Nothing,
    /// One value, of this kind in help texts; the last one given counts.
    One(&'static str),
    /// A value each time it is given; they accumulate.
    Many(&'static str),
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    /// The long name, without dashes.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it does.
    pub help: &'static str,
}

/// Every option that [`Options::set`](super::Options::set) knows, in the order of help texts.
pub const OPTIONS: [OptionRow; OWN.len() + 1 + FILTERS.len()] = {
    let mut all = [NOT; OWN.len() + 1 + FILTERS.len()];
    let mut place = 0;
    while place < OWN.len() {
        all[place] = OWN[place];
        place += 1;
    }
    // `not` comes before the filters.
    let mut filter = 0;
    while filter < FILTERS.len() {
        all[place + 1 + filter] = FILTERS[filter];
        filter += 1;
    }
    all
};

/// Negates the filter after it.
const NOT: OptionRow = OptionRow {
    name: "not",
    takes: Takes::Nothing,
    help: "negates the filter after it: messages for which it holds are left out",
};

/// Those that pick messages.
#[rustfmt::skip]
const FILTERS: [OptionRow; 13] = [
    OptionRow { name: "recipient", takes: Takes::Many("ADDRESS"),
        help: "only messages to that recipient, in any quoting that a list prints" },
    OptionRow { name: "sender", takes: Takes::Many("NAME"),
        help: "only messages of that sender address or domain; <> is the null sender" },
    OptionRow { name: "domain", takes: Takes::Many("NAME"),
        help: "only messages with a recipient of that destination domain" },
    OptionRow { name: "reason", takes: Takes::Many("CODE"),
        help: "only messages with a delay reason of that status code or prefix, such as 4.7" },
    OptionRow { name: "cause", takes: Takes::Many("CAUSE"),
        help: "only messages with a delay reason of that cause, or ours or theirs" },
    OptionRow { name: "next-hop", takes: Takes::Many("NAME"),
        help: "only messages with a delay reason about that server, socket or name, as reasons prints it; - is none" },
    OptionRow { name: "login", takes: Takes::Many("NAME"),
        help: "only messages that this SASL login submitted" },
    OptionRow { name: "client", takes: Takes::Many("ADDRESS"),
        help: "only messages from that client: an address, NET/BITS or a name" },
    OptionRow { name: "subject", takes: Takes::Many("TEXT"),
        help: "only messages with TEXT in their decoded subject, in any case" },
    OptionRow { name: "older", takes: Takes::Many("AGE"),
        help: "only messages older than AGE, with s m h d w" },
    OptionRow { name: "younger", takes: Takes::Many("AGE"),
        help: "only messages younger than AGE" },
    OptionRow { name: "expiring", takes: Takes::Many("AGE"),
        help: "only messages that reach the end of their lifetime within AGE" },
    OptionRow { name: "larger", takes: Takes::Many("SIZE"),
        help: "only messages larger than SIZE, with k M G KiB MiB GiB kB MB GB" },
];

/// Whether `name` is that of an option that picks messages: of lists and cursors, not of sums.
pub fn is_filter(name: &str) -> bool {
    name == NOT.name || FILTERS.iter().any(|filter| filter.name == name)
}

/// Returns the filter that `name` turns: `not-sender` is `not` and `sender` at once.
pub(super) fn turned_filter(name: &str) -> Option<&str> {
    let filter = name.strip_prefix(NOT.name)?.strip_prefix('-')?;
    FILTERS
        .iter()
        .any(|row| row.name == filter)
        .then_some(filter)
}

/// Those that are not about single messages.
#[rustfmt::skip]
const OWN: [OptionRow; 24] = [
    OptionRow { name: "config-directory", takes: Takes::One("DIR"),
        help: "the instance whose main.cf is in DIR (default: $MAIL_CONFIG, else /etc/postfix)" },
    OptionRow { name: "queue-directory", takes: Takes::One("DIR"),
        help: "the spool in DIR; its settings are those of the configuration directory, if one is given, else Postfix's defaults" },
    OptionRow { name: "all-instances", takes: Takes::Nothing,
        help: "the default instance (or that of the given configuration directory) and all of its multi_instance_directories" },
    OptionRow { name: "instance", takes: Takes::Many("NAME"),
        help: "of those, the one whose multi_instance_name is NAME" },
    OptionRow { name: "warning", takes: Takes::Many("RULE"),
        help: "WARNING when RULE alerts: MEASURE=RANGE, RANGE for total.messages, or several joined by \" and \"" },
    OptionRow { name: "critical", takes: Takes::Many("RULE"),
        help: "CRITICAL when RULE alerts" },
    OptionRow { name: "defaults", takes: Takes::Nothing,
        help: "keep the default rules in addition to those given; one for the same measure and level replaces its default" },
    OptionRow { name: "exclude", takes: Takes::Many("QUEUE"),
        help: "leave QUEUE out of everything" },
    OptionRow { name: "exclude-domain", takes: Takes::Many("NAME"),
        help: "leave recipients of that destination domain out of rules and figures, and mail that is only for them" },
    OptionRow { name: "exclude-sender", takes: Takes::Many("NAME"),
        help: "leave mail of that sender address or domain out of rules and figures; <> is the null sender" },
    OptionRow { name: "causes", takes: Takes::One("FILE"),
        help: "a table of causes that is asked first: lines of CAUSE [CODE] PATTERN" },
    OptionRow { name: "counts", takes: Takes::Nothing,
        help: "count by names alone: the cheap probe for a queue of millions" },
    OptionRow { name: "measure", takes: Takes::Many("MEASURE"),
        help: "read only what these measures and the rules need" },
    OptionRow { name: "timeout", takes: Takes::One("SECONDS"),
        help: "stop then, and report what is known as at least" },
    OptionRow { name: "now", takes: Takes::One("EPOCH"),
        help: "ages as of that second" },
    OptionRow { name: "previous", takes: Takes::One("STATE"),
        help: "the state of an earlier snapshot to compare with (empty: there is none yet)" },
    OptionRow { name: "readers", takes: Takes::One("N"),
        help: "at most N threads read at once (1 to 16, default 16; 2 if gentle)" },
    OptionRow { name: "gentle", takes: Takes::Nothing,
        help: "read at the lowest priority, and rest while others want the processor" },
    OptionRow { name: "poll", takes: Takes::One("SECONDS"),
        help: "without inotify: look every SECONDS (1 to 86400) which files have changed, and read those" },
    OptionRow { name: "metrics-domain", takes: Takes::Many("NAME"),
        help: "OpenMetrics: recipients by age of that destination domain (at most 100 of them)" },
    OptionRow { name: "metrics-top", takes: Takes::One("N"),
        help: "OpenMetrics: recipients by age of the N domains that have most (0 to 100), the rest as other" },
    OptionRow { name: "bucket-count", takes: Takes::One("N"),
        help: "columns of a shape (default 10)" },
    OptionRow { name: "bucket-time", takes: Takes::One("MINUTES"),
        help: "minutes of a shape's first column (default 5); each further one is twice as long" },
    OptionRow { name: "linear", takes: Takes::Nothing,
        help: "all columns of a shape are as long as the first" },
];

/// The options that a single check does not have: what a host asks for, keeps between two snapshots, or watches.
pub const HOST_OPTIONS: [&str; 3] = ["measure", "previous", "poll"];

/// The options that are about shapes alone.
pub const SHAPE_OPTIONS: [&str; 3] = ["bucket-count", "bucket-time", "linear"];
