//! The parameters that Postfix has built in: names, defaults and limits of those that this crate reads, and
//! the names of all others.
//!
//! Of parameters whose values depend on the build, the host or the process it knows only the names. So they
//! are refused and not mistaken for undefined names, which Postfix expands to nothing.

/// The type of a parameter's value, with the limits beyond which Postfix's daemons refuse to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// An int of seconds after its unit is applied. A number without a unit has the unit of the default.
    Time {
        min: i64,
        max: i64,
    },
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
}

/// A parameter whose default is the same in every unpatched build.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) kind: Kind,
}

/// Postfix keeps times and most integers in an `int`.
const INT_MAX: i64 = i32::MAX as i64;

const fn text(name: &'static str, default: &'static str) -> Parameter {
    Parameter {
        name,
        default,
        kind: Kind::Text,
    }
}

const fn time(name: &'static str, default: &'static str, min: i64, max: i64) -> Parameter {
    Parameter {
        name,
        default,
        kind: Kind::Time { min, max },
    }
}

const fn integer(name: &'static str, default: &'static str, min: i64, max: i64) -> Parameter {
    Parameter {
        name,
        default,
        kind: Kind::Integer { min, max },
    }
}

const fn boolean(name: &'static str, default: &'static str) -> Parameter {
    Parameter {
        name,
        default,
        kind: Kind::Boolean,
    }
}

/// Defaults from mail_params.h, limits from the tables of qmgr.c, bounce.c, smtpd.c and
/// mail_params.c (3.7 to 3.12); `tests/real/main_cf_postconf.rs` compares the defaults with postconf.
///
/// `daemon_directory`, `command_directory` and similar ones are left out: distributions differ.
pub(super) const PARAMETERS: &[Parameter] = &[
    time("bounce_queue_lifetime", "5d", 0, 8_640_000),
    text("compatibility_level", "0"),
    text("data_directory", "/var/lib/postfix"),
    text("default_privs", "nobody"),
    time("delay_warning_time", "0h", 0, INT_MAX),
    text("empty_address_recipient", "MAILER-DAEMON"),
    boolean("enable_long_queue_ids", "no"),
    // dir_forest() pads a short queue ID with `_`, so any depth is legal.
    integer("hash_queue_depth", "1", 1, INT_MAX),
    text("hash_queue_names", "deferred, defer"),
    text("mail_name", "Postfix"),
    text("mail_owner", "postfix"),
    time("maximal_backoff_time", "4000s", 1, INT_MAX),
    time("maximal_queue_lifetime", "5d", 0, 8_640_000),
    // A `long` without limits. A negative size is of no use to a monitor.
    integer("message_size_limit", "10240000", 0, i64::MAX),
    time("minimal_backoff_time", "300s", 1, INT_MAX),
    text("multi_instance_directories", ""),
    boolean("multi_instance_enable", "no"),
    text("multi_instance_group", ""),
    text("multi_instance_name", ""),
    text("process_id_directory", "pid"),
    integer("qmgr_message_active_limit", "20000", 1, INT_MAX),
    integer("qmgr_message_recipient_limit", "20000", 1, INT_MAX),
    text("queue_directory", "/var/spool/postfix"),
    integer("queue_minfree", "0", 0, i64::MAX),
    time("queue_run_delay", "300s", 1, INT_MAX),
    text("setgid_group", "postdrop"),
    // 3.5 and older spell it without `level`; a build without EAI has `no`.
    boolean(
        "smtputf8_enable",
        "${{$compatibility_level} <level {1} ? {no} : {yes}}",
    ),
    text(
        "syslog_name",
        "${multi_instance_name?{$multi_instance_name}:{postfix}}",
    ),
];

/// Every name that `postconf -d` of Postfix 3.7.11 (Debian) prints, and those that mail_params.h gained up to
/// 3.12-20260821, one a line, sorted.
const NAMES: &str = include_str!("builtin_names.txt");

/// Every service in master.cf gives such parameters to qmgr(8), pipe(8) and spawn(8).
const SERVICE_SUFFIXES: &[&str] = &[
    "_delivery_slot_cost",
    "_delivery_slot_discount",
    "_delivery_slot_loan",
    "_destination_concurrency_failed_cohort_limit",
    "_destination_concurrency_limit",
    "_destination_concurrency_negative_feedback",
    "_destination_concurrency_positive_feedback",
    "_destination_rate_delay",
    "_destination_recipient_limit",
    "_extra_recipient_limit",
    "_initial_destination_concurrency",
    "_minimum_delivery_slots",
    "_recipient_limit",
    "_recipient_refill_delay",
    "_recipient_refill_limit",
    "_time_limit",
    "_transport_rate_delay",
];

/// Returns the parameter of that name, if its default is known.
pub(super) fn find(name: &str) -> Option<&'static Parameter> {
    PARAMETERS.iter().find(|parameter| parameter.name == name)
}

/// Returns true if Postfix has a parameter of that name. It then has a value without main.cf.
pub(super) fn is_built_in(name: &str) -> bool {
    find(name).is_some()
        || NAMES.lines().any(|line| line == name)
        || SERVICE_SUFFIXES.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_listed_once_and_in_order() {
        let names: Vec<_> = NAMES.lines().collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert!(PARAMETERS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn built_in_names_are_known_and_others_are_not() {
        for (name, known) in [
            ("queue_directory", true),
            ("mail_version", true),
            ("config_directory", true),
            ("process_id", true),
            ("myhostname", true),
            ("slow_destination_rate_delay", true),
            ("spool_root", false),
            ("Queue_directory", false),
            ("", false),
        ] {
            assert_eq!(is_built_in(name), known, "{name}");
        }
    }
}
