//! What to do now about a breach, with the command to run next, filled in with real names and IDs.

use std::cell::OnceCell;

use crate::cause::Cause;
use crate::escape;
use crate::measure::{Argument, Kind, Subject};
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::Finding;
use crate::snapshot::Snapshot;
use crate::snapshot::reasons::{Reason, Reasons};

/// Bytes of a name in a command.
const NAME: usize = 64;

/// The next steps of the findings of one snapshot.
pub(super) struct NextSteps<'s> {
    snapshot: &'s Snapshot,
    /// Why deferred mail waits, put together once for all findings that need it.
    reasons: OnceCell<Reasons>,
}

impl<'s> NextSteps<'s> {
    pub(super) fn of(snapshot: &'s Snapshot) -> Self {
        NextSteps {
            snapshot,
            reasons: OnceCell::new(),
        }
    }

    /// One line for `finding`.
    pub(super) fn line(&self, finding: &Finding) -> String {
        line(self, finding)
    }

    fn reasons(&self) -> &Reasons {
        let queues = || QueueSet::from(Queue::Deferred);
        self.reasons
            .get_or_init(|| self.snapshot.sampled_reasons(queues()))
    }
}

fn line(steps: &NextSteps<'_>, finding: &Finding) -> String {
    let snapshot = steps.snapshot;
    let measure = &finding.rule.parts.first().measure;
    // The commands look at all queues if none is named.
    let (queue, of_queue) = match measure.subject {
        Subject::Queue(queue) => (queue.name(), format!(" {queue}")),
        Subject::Backlog | Subject::Total => ("deferred", String::new()),
        _ => ("deferred", " deferred".to_owned()),
    };
    let detail = || {
        let detail = finding
            .figures
            .first()
            .detail
            .as_deref()
            .unwrap_or_default();
        quoted(detail.split(',').next().unwrap_or_default())
    };
    let name = || quoted(&measure.shown_name());
    let step = match measure.kind {
        Kind::Cause => return cause_line(steps, measure),
        Kind::TopDomain => format!("queuewatch reasons --domain {}{of_queue}", detail()),
        Kind::Domain => format!("queuewatch reasons --domain {}{of_queue}", name()),
        Kind::TopSender => format!("queuewatch list --sender {} --limit 5{of_queue}", detail()),
        Kind::Sender => format!("queuewatch list --sender {} --limit 5{of_queue}", name()),
        Kind::TopLogin => from_where("login", &detail(), "client", &of_queue),
        Kind::Login => from_where("login", &name(), "client", &of_queue),
        Kind::TopClient => from_where("client", &detail(), "sender", &of_queue),
        Kind::Client => from_where("client", &name(), "sender", &of_queue),
        Kind::Oldest if queue == "deferred" => {
            format!("queuewatch list --sort arrival --limit 5 {queue}; queuewatch reasons {queue}")
        }
        Kind::Oldest if matches!(queue, "incoming" | "maildrop") => {
            "postfix status; queuewatch status; the log of postfix/master, qmgr and pickup"
                .to_owned()
        }
        Kind::Oldest | Kind::Older => {
            format!("queuewatch list --sort arrival --limit 5 {queue}")
        }
        Kind::Reason | Kind::Domains => format!("queuewatch reasons {queue}"),
        Kind::Expiring => format!("queuewatch list --expiring 1d {queue}"),
        Kind::Running => "postfix status; postfix check; postfix start".to_owned(),
        Kind::FreeBytes | Kind::FreeInodes => {
            let directory = snapshot.instances.first();
            let directory = directory.map(|taken| escape::path(&taken.instance.queue_directory));
            format!("df {}", directory.unwrap_or_default())
        }
        Kind::Fill => "queuewatch shape active".to_owned(),
        Kind::Unreadable | Kind::Altered | Kind::Damaged | Kind::Misowned | Kind::Misplaced => {
            "queuewatch doctor".to_owned()
        }
        Kind::QmgrRunning => "queuewatch doctor; the log of postfix/qmgr and master".to_owned(),
        _ if queue == "corrupt" => "queuewatch list corrupt; queuewatch doctor".to_owned(),
        _ => format!("queuewatch status; queuewatch shape {queue}"),
    };
    let explained = quoted(&measure.to_string());
    format!("do: {measure}: {step}; queuewatch explain {explained}")
}

/// The commands that show mail of the login or client `name`: where it comes from by `by`, and some of it.
fn from_where(filter: &str, name: &str, by: &str, of_queue: &str) -> String {
    let picked = format!("--{filter} {name}");
    format!(
        "queuewatch origins {picked} --by {by}{of_queue}; queuewatch list {picked} --limit 5{of_queue}"
    )
}

/// The line for a cause: who is asked, and one message to look at.
fn cause_line(steps: &NextSteps<'_>, measure: &crate::measure::Measure) -> String {
    let reasons = steps.reasons();
    let Argument::Name(name) = &measure.argument else {
        return String::new();
    };
    let Some(row) = reasons.rows.iter().find(|row| row.is_of_cause(name)) else {
        return format!("do: {measure}: queuewatch reasons deferred");
    };
    let hop = quoted(&escape::domain::printable(&row.next_hop, NAME));
    let domain = quoted(&escape::domain::printable(&row.domain, NAME));
    let step = match row.cause {
        Cause::Filter if row.next_hop.contains(&b'/') => format!("ls -l {hop}; start its service"),
        Cause::Filter => format!("ss -ltnp | grep -F {}; start its service", port(row)),
        Cause::Relay => format!("postconf relayhost; nc -vz {}", host_and_port(row)),
        Cause::Authentication => {
            format!("postconf smtp_sasl_password_maps; postmap -q {hop} TABLE")
        }
        Cause::Dns => format!("dig MX {domain}; cat /etc/resolv.conf"),
        Cause::Network | Cause::Unreachable => format!("nc -vz {hop} 25; ip route"),
        Cause::Storage => "df; df -i".to_owned(),
        Cause::Configuration => "postfix check; postconf -M".to_owned(),
        Cause::Blocked => format!("queuewatch reasons --cause blocked; tell {hop}"),
        _ => format!("queuewatch reasons --cause {}", row.cause.name()),
    };
    let example = steps
        .snapshot
        .instances
        .iter()
        .find_map(|taken| taken.example(row.cause))
        .map(|id| format!("; postcat -q {}", escape::printable(id, NAME)));
    format!(
        "do: {measure}: {step}{}; queuewatch explain {}",
        example.unwrap_or_default(),
        row.cause.name()
    )
}

/// The port of a next hop for a search in a list of sockets.
fn port(row: &Reason) -> String {
    let name = escape::domain::printable(&row.next_hop, NAME);
    let port = name.rsplit_once(':').map_or("25", |(_, port)| port);
    quoted(&format!(":{port}"))
}

fn host_and_port(row: &Reason) -> String {
    let name = escape::domain::printable(&row.next_hop, NAME);
    match name.rsplit_once(':') {
        Some((host, port)) => format!("{} {}", quoted(host), quoted(port)),
        None => format!("{} 25", quoted(&name)),
    }
}

/// A name as one word of a shell. Strangers choose names, and an operator pastes the line.
fn quoted(name: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':' | '/');
    match !name.is_empty() && !name.starts_with('-') && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', "_")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_harmless_word() {
        for (name, wanted) in [
            ("a.example", "a.example"),
            ("127.0.0.1:10024", "127.0.0.1:10024"),
            ("", "''"),
            ("-rf", "'-rf'"),
            ("a b", "'a b'"),
            ("x';reboot;'", "'x_;reboot;_'"),
        ] {
            assert_eq!(quoted(name), wanted);
        }
    }
}
