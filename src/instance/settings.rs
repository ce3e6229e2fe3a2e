//! The parameters of one instance that influence figures, with Postfix's defaults.
//!
//! A value that Postfix's daemons would reject, or that cannot be expanded here, becomes a warning and
//! the default applies: a spool must be watched even if its main.cf has a typing error. Overrides in
//! master.cf (`-o name=value`) are not read.

use crate::error::Result;
use crate::escape;
use crate::postfix::main_cf::MainCf;

/// The values of main.cf, or Postfix's defaults (mail_params.h; postfix.md, "Parameters that shape the
/// figures"). Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often qmgr scans deferred for mail to retry, in seconds; 300.
    pub queue_run_delay: i64,
    /// The minimum time between two attempts for a message, in seconds; 300.
    pub minimal_backoff_time: i64,
    /// The maximum time between two attempts for a message, in seconds; 4000.
    pub maximal_backoff_time: i64,
    /// The age at which deferred mail is bounced, in seconds; 5 days. 0: one attempt only.
    pub maximal_queue_lifetime: i64,
    /// The same for mail from the null sender, in seconds; 5 days. Never more than
    /// `maximal_queue_lifetime`: qmgr lowers it (qmgr.c).
    pub bounce_queue_lifetime: i64,
    /// The age at which the sender gets a delay warning, in seconds; 0 (never).
    pub delay_warning_time: i64,
    /// The maximum number of messages in active; 20000. At this limit incoming grows.
    pub qmgr_message_active_limit: u64,
    /// The maximum message size including the envelope, in bytes; 10240000. 0: no limit.
    pub message_size_limit: u64,
    /// The free space below which smtpd rejects mail, in bytes; 0 (no limit; smtpd still requires 1.5
    /// times `message_size_limit`).
    pub queue_minfree: u64,
    /// The queue directories with hash directories, in lower case because Postfix ignores case here;
    /// `deferred` and `defer`.
    pub hash_queue_names: Vec<String>,
    /// How many levels of hash directories; 1, and never 0.
    pub hash_queue_depth: usize,
    /// Whether new messages get long queue IDs; no. A spool may contain both kinds.
    pub enable_long_queue_ids: bool,
    /// Whether addresses may be UTF-8; no at `compatibility_level` 0, else yes (assumes a Postfix
    /// built with EAI).
    pub smtputf8_enable: bool,
    /// What postqueue prints for the null sender and for an empty recipient; `MAILER-DAEMON`.
    pub empty_address_recipient: String,
    /// The user that owns the spool; `postfix`.
    pub mail_owner: String,
    /// The group of maildrop and of the sockets of pickup, qmgr and showq; `postdrop`.
    pub setgid_group: String,
    /// The directory of the daemons' caches and locks; `/var/lib/postfix`.
    pub data_directory: String,
    /// The instance group that it belongs to; empty.
    pub multi_instance_group: String,
    /// Whether postmulti starts it; no. [`find`](super::find) reports yes for a default instance without
    /// others, as postmulti does.
    pub multi_instance_enable: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        // An empty main.cf has no values to reject, and the built-in defaults are valid.
        Settings::from_main_cf(&MainCf::default(), &mut Vec::new())
    }
}

impl Settings {
    /// The settings of `main_cf`. Each unusable value adds a sentence to `warnings`.
    pub fn from_main_cf(main_cf: &MainCf, warnings: &mut Vec<String>) -> Settings {
        // Used for values that are unusable; the defaults cannot fail.
        let defaults = MainCf::default();
        let mut reader = ValueReader {
            main_cf,
            defaults: &defaults,
            warnings,
        };
        let mut settings = Settings {
            queue_run_delay: reader.read("queue_run_delay", MainCf::seconds),
            minimal_backoff_time: reader.read("minimal_backoff_time", MainCf::seconds),
            maximal_backoff_time: reader.read("maximal_backoff_time", MainCf::seconds),
            maximal_queue_lifetime: reader.read("maximal_queue_lifetime", MainCf::seconds),
            bounce_queue_lifetime: reader.read("bounce_queue_lifetime", MainCf::seconds),
            delay_warning_time: reader.read("delay_warning_time", MainCf::seconds),
            qmgr_message_active_limit: reader.read("qmgr_message_active_limit", MainCf::integer),
            message_size_limit: reader.read("message_size_limit", MainCf::integer),
            queue_minfree: reader.read("queue_minfree", MainCf::integer),
            hash_queue_names: reader.read("hash_queue_names", names),
            hash_queue_depth: reader.read("hash_queue_depth", depth),
            enable_long_queue_ids: reader.read("enable_long_queue_ids", MainCf::boolean),
            smtputf8_enable: reader.read("smtputf8_enable", MainCf::boolean),
            empty_address_recipient: reader.read("empty_address_recipient", MainCf::text),
            mail_owner: reader.read("mail_owner", MainCf::text),
            setgid_group: reader.read("setgid_group", MainCf::text),
            data_directory: reader.read("data_directory", MainCf::text),
            multi_instance_group: reader.read("multi_instance_group", MainCf::text),
            multi_instance_enable: reader.read("multi_instance_enable", MainCf::boolean),
        };
        if settings.bounce_queue_lifetime > settings.maximal_queue_lifetime {
            settings.bounce_queue_lifetime = settings.maximal_queue_lifetime;
            warnings.push(
                "bounce_queue_lifetime is larger than maximal_queue_lifetime; as qmgr does, the \
                 smaller is used for both"
                    .into(),
            );
        }
        settings
    }

    /// Whether the queue directory `name` has hash directories.
    pub(crate) fn is_hashed(&self, name: &str) -> bool {
        self.hash_queue_names
            .iter()
            .any(|hashed| hashed.eq_ignore_ascii_case(name))
    }
}

struct ValueReader<'a> {
    main_cf: &'a MainCf,
    defaults: &'a MainCf,
    warnings: &'a mut Vec<String>,
}

impl ValueReader<'_> {
    fn read<T: Default>(&mut self, name: &str, convert: fn(&MainCf, &str) -> Result<T>) -> T {
        convert(self.main_cf, name).unwrap_or_else(|error| {
            let default = MainCf::default_of(name);
            self.warnings
                .push(format!("{error}; Postfix's default {default} is assumed"));
            convert(self.defaults, name).unwrap_or_default()
        })
    }
}

fn names(main_cf: &MainCf, name: &str) -> Result<Vec<String>> {
    let list = main_cf.list(name)?;
    // A name with non-ASCII bytes matches no queue; its escaped form matches none either.
    Ok(list
        .iter()
        .map(|item| escape::printable(item, escape::MAX_SHOWN).to_ascii_lowercase())
        .collect())
}

fn depth(main_cf: &MainCf, name: &str) -> Result<usize> {
    main_cf
        .integer(name)
        .map(|depth| usize::try_from(depth).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> (Settings, Vec<String>) {
        let mut warnings = Vec::new();
        let main_cf = MainCf::parse(text.as_bytes()).unwrap();
        let settings = Settings::from_main_cf(&main_cf, &mut warnings);
        (settings, warnings)
    }

    #[test]
    fn an_empty_main_cf_gives_postfix_defaults_without_a_warning() {
        let (settings, warnings) = settings("");
        assert_eq!(settings, Settings::default());
        assert_eq!(warnings, [""; 0]);
        assert_eq!(settings.queue_run_delay, 300);
        assert_eq!(settings.minimal_backoff_time, 300);
        assert_eq!(settings.maximal_backoff_time, 4_000);
        assert_eq!(settings.maximal_queue_lifetime, 432_000);
        assert_eq!(settings.bounce_queue_lifetime, 432_000);
        assert_eq!(settings.delay_warning_time, 0);
        assert_eq!(settings.qmgr_message_active_limit, 20_000);
        assert_eq!(settings.message_size_limit, 10_240_000);
        assert_eq!(settings.queue_minfree, 0);
        assert_eq!(settings.hash_queue_names, ["deferred", "defer"]);
        assert_eq!(settings.hash_queue_depth, 1);
        assert!(!settings.enable_long_queue_ids);
        assert!(!settings.smtputf8_enable);
        assert_eq!(settings.mail_owner, "postfix");
        assert_eq!(settings.setgid_group, "postdrop");
        assert_eq!(settings.data_directory, "/var/lib/postfix");
        assert_eq!(settings.multi_instance_group, "");
        assert!(!settings.multi_instance_enable);
    }

    #[test]
    fn what_main_cf_sets_is_taken() {
        let (settings, warnings) = settings(
            "compatibility_level = 3.6\nqueue_run_delay = 1h\nhash_queue_names = Deferred hold\n\
             hash_queue_depth = 2\nenable_long_queue_ids = yes\nmail_owner = vmail\n",
        );
        assert_eq!(warnings, [""; 0]);
        assert_eq!(settings.queue_run_delay, 3_600);
        assert_eq!(settings.hash_queue_depth, 2);
        assert!(settings.is_hashed("deferred") && settings.is_hashed("hold"));
        assert!(!settings.is_hashed("defer"));
        assert!(settings.enable_long_queue_ids);
        assert!(settings.smtputf8_enable);
        assert_eq!(settings.mail_owner, "vmail");
    }

    #[test]
    fn a_bad_value_is_reported_and_replaced_by_the_default() {
        for (text, warning) in [
            (
                "queue_run_delay = 5 minutes\n",
                "queue_run_delay: expected a time such as 300s, 5m, 4h, 5d or 2w, found \"5 \
                 minutes\"; Postfix's default 300s is assumed",
            ),
            (
                "hash_queue_depth = 0\n",
                "hash_queue_depth: 0 is less than 1, which Postfix refuses; Postfix's default 1 is \
                 assumed",
            ),
            (
                "enable_long_queue_ids = true\n",
                "enable_long_queue_ids: expected yes or no, found \"true\"; Postfix's default no \
                 is assumed",
            ),
            (
                "mail_owner = $process_id\n",
                "mail_owner: cannot expand $process_id: main.cf does not set it, and its default \
                 depends on how Postfix was built, on this host or on the process; set process_id \
                 in main.cf, or do without it there; Postfix's default postfix is assumed",
            ),
        ] {
            let (settings, warnings) = settings(text);
            assert_eq!(warnings, [warning]);
            assert_eq!(settings, Settings::default(), "{text}");
        }
    }

    #[test]
    fn the_lifetime_of_bounces_is_never_the_longer() {
        let (settings, warnings) = settings("maximal_queue_lifetime = 1d\n");
        assert_eq!(settings.bounce_queue_lifetime, 86_400);
        assert_eq!(warnings.len(), 1);
    }
}
