//! What to do now about a breach, with the command to run next, filled in with real names and IDs, on the instance whose
//! figure breaks the rule.

use std::path::Path;

use super::place::Place;
use crate::cause::Cause;
use crate::escape;
use crate::measure::{Argument, Kind, Subject};
use crate::postfix::queue::{Queue, QueueSet};
use crate::rules::Finding;
use crate::snapshot::Snapshot;
use crate::snapshot::reasons::{Reason, Reasons};
use crate::snapshot::spread::promote;

/// Bytes of a name in a command.
const NAME: usize = 64;

/// One line for `finding`, a finding of `snapshot`.
pub(super) fn line(snapshot: &Snapshot, finding: &Finding) -> String {
    let place = Place::of(snapshot, finding);
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
    let on = |command: String| place.on(&command);
    let reasons_to = |domain: String| on(format!("queuewatch reasons --domain {domain}{of_queue}"));
    let mail_of = |sender: String| {
        on(format!(
            "queuewatch list --sender {sender} --limit 5{of_queue}"
        ))
    };
    let from_where = |filter: &str, name: String, by: &str| {
        let picked = format!("--{filter} {name}");
        let origins = on(format!("queuewatch origins {picked} --by {by}{of_queue}"));
        let list = on(format!("queuewatch list {picked} --limit 5{of_queue}"));
        format!("{origins}; {list}")
    };
    let oldest = || on(format!("queuewatch list --sort arrival --limit 5 {queue}"));
    let reasons = || on(format!("queuewatch reasons {queue}"));
    let status = || place.on("queuewatch status");
    let doctor = || place.on("queuewatch doctor");
    let step = match measure.kind {
        Kind::Cause => return cause_line(&place, snapshot, finding),
        Kind::TopDomain => reasons_to(detail()),
        Kind::Domain => reasons_to(name()),
        Kind::TopSender => mail_of(detail()),
        Kind::Sender => mail_of(name()),
        Kind::TopLogin => from_where("login", detail(), "client"),
        Kind::Login => from_where("login", name(), "client"),
        Kind::TopClient => from_where("client", detail(), "sender"),
        Kind::Client => from_where("client", name(), "sender"),
        Kind::Oldest if queue == "deferred" => format!("{}; {}", oldest(), reasons()),
        Kind::Oldest if matches!(queue, "incoming" | "maildrop") => {
            let master = place.postfix("postfix", "status");
            let master = master.map_or(String::new(), |command| command + "; ");
            format!(
                "{master}{}; the log of postfix/master, qmgr and pickup",
                status()
            )
        }
        Kind::Oldest | Kind::Older => oldest(),
        Kind::Reason | Kind::Domains => reasons(),
        Kind::Expiring => on(format!("queuewatch list --expiring 1d {queue}")),
        Kind::Running => {
            let words = ["status", "check", "start"];
            let commands = words.map(|word| place.postfix("postfix", word));
            match commands.into_iter().collect::<Option<Vec<_>>>() {
                Some(commands) => commands.join("; "),
                None => format!("{}; {}", status(), doctor()),
            }
        }
        Kind::FreeBytes | Kind::FreeInodes | Kind::FreeShare => {
            let directory = place.taken.map(|taken| &taken.instance.queue_directory);
            format!("df {}", directory.map_or(String::new(), |path| word(path)))
        }
        Kind::Fill => place.on("queuewatch shape active"),
        Kind::Unreadable | Kind::Altered | Kind::Damaged | Kind::Misowned | Kind::Misplaced => {
            doctor()
        }
        Kind::QmgrRunning => format!("{}; the log of postfix/qmgr and master", doctor()),
        _ if queue == "corrupt" => format!("{}; {}", place.on("queuewatch list corrupt"), doctor()),
        _ => format!("{}; {}", status(), on(format!("queuewatch shape {queue}"))),
    };
    let explained = quoted(&measure.to_string());
    format!("do: {measure}: {step}; queuewatch explain {explained}")
}

/// The line for a cause: who is asked, and one message to look at.
fn cause_line(place: &Place<'_>, snapshot: &Snapshot, finding: &Finding) -> String {
    let measure = &finding.rule.parts.first().measure;
    let Argument::Name(name) = &measure.argument else {
        return String::new();
    };
    let queues = QueueSet::from(Queue::Deferred);
    let mut reasons = Reasons::sampled(place.taken, queues, snapshot.now);
    // A cause may be spread over instances.
    let spreads = snapshot.sampled_reasons(queues).spreads;
    promote(&mut reasons.rows, &spreads);
    let choice = finding.rule.condition.choice();
    let counts = |row: &&Reason| match choice {
        Some(choice) => choice.takes(measure, row, &spreads),
        None => row.is_of_cause(name),
    };
    let Some(row) = reasons.rows.iter().find(counts) else {
        return format!("do: {measure}: {}", place.on("queuewatch reasons deferred"));
    };
    let hop = quoted(&escape::domain::printable(&row.next_hop, NAME));
    let domain = quoted(&escape::domain::printable(&row.domain, NAME));
    let cause = row.cause.name();
    let its_reasons = || place.on(&format!("queuewatch reasons --cause {cause}"));
    let step = match row.cause {
        Cause::Filter if row.next_hop.contains(&b'/') => format!("ls -l {hop}; start its service"),
        Cause::Filter => format!("ss -ltnp | grep -F {}; start its service", port(row)),
        Cause::Relay => {
            let relay = place.postconf("postconf", "relayhost");
            let relay = relay.map_or(String::new(), |command| command + "; ");
            format!("{relay}nc -vz {}", host_and_port(row))
        }
        Cause::Authentication => {
            let maps = place.postconf("postconf", "smtp_sasl_password_maps");
            let asked = place.postconf("postmap", &format!("-q {hop} TABLE"));
            match maps.zip(asked) {
                Some((maps, asked)) => format!("{maps}; {asked}"),
                None => its_reasons(),
            }
        }
        // The name of a next hop of ours, not that of the recipient's domain.
        Cause::Dns if row.own_hop => format!("dig {hop}; cat /etc/resolv.conf"),
        Cause::Dns => format!("dig MX {domain}; cat /etc/resolv.conf"),
        Cause::Network | Cause::Unreachable => format!("nc -vz {}; ip route", host_and_port(row)),
        Cause::Storage => "df; df -i".to_owned(),
        Cause::Configuration => {
            let check = place.postfix("postfix", "check");
            match check.zip(place.postconf("postconf", "-M")) {
                Some((check, services)) => format!("{check}; {services}"),
                None => its_reasons(),
            }
        }
        Cause::Blocked => format!("{}; tell {hop}", its_reasons()),
        _ => its_reasons(),
    };
    let example = place.taken.and_then(|taken| taken.example(row.cause));
    let example = example.map(|id| {
        let id = escape::printable(id, NAME);
        let show = || place.on(&format!("queuewatch show {id}"));
        let read = place.postfix("postcat", &format!("-q {id}"));
        format!("; {}", read.unwrap_or_else(show))
    });
    format!(
        "do: {measure}: {step}{}; queuewatch explain {cause}",
        example.unwrap_or_default(),
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

/// A path as one word of a shell.
pub(super) fn word(path: &Path) -> String {
    quoted(&escape::path(path))
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
