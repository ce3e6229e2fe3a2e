//! Senders, recipients and server replies of generated mail.
//!
//! Every name ends in `.example` (RFC 2606) and every address is reserved for documentation (RFC 5737),
//! so that a Postfix that is started on a drill's spool sends no mail to a real host. A name depends only on its
//! rank.

use super::defer_log::Delay;
use super::random::Random;

/// The name of the host that owns the spool.
pub(super) const HOST: &str = "mail.drill.example";

/// The sender account that was compromised and that floods the queue.
const COMPROMISED: &str = "billing@smallshop.example";

/// The number of other senders.
const SENDERS: u64 = 120;

const GIANTS: [&str; 4] = [
    "bigmail.example",
    "webpost.example",
    "freebox.example",
    "telconet.example",
];

const FIRST_WORDS: [&str; 16] = [
    "north", "blue", "harbor", "alpine", "civic", "metro", "orchard", "quartz", "river", "summit",
    "velvet", "willow", "ember", "cobalt", "prairie", "lumen",
];

const SECOND_WORDS: [&str; 16] = [
    "bank", "works", "post", "media", "clinic", "foods", "travel", "labs", "academy", "motors",
    "energy", "press", "hotels", "legal", "textiles", "garden",
];

const FORENAMES: [&str; 16] = [
    "anna", "bob", "carla", "david", "elena", "farid", "grace", "hugo", "ines", "jan", "kim",
    "lena", "mario", "nadia", "omar", "petra",
];

const SURNAMES: [&str; 16] = [
    "meyer", "smith", "garcia", "rossi", "novak", "chen", "okafor", "silva", "dubois", "larsen",
    "kowalski", "tanaka", "haddad", "murphy", "popescu", "varga",
];

const ROLES: [&str; 8] = [
    "newsletter",
    "noreply",
    "orders",
    "alerts",
    "hr",
    "support",
    "invoices",
    "info",
];

/// The destination domain with this rank; 0 is the biggest.
pub(super) fn domain(rank: u64) -> String {
    let Some(rank) = rank.checked_sub(GIANTS.len() as u64) else {
        return GIANTS[rank as usize].to_owned();
    };
    // An odd factor permutes the 256 pairs of words, so that neighbours do not look alike.
    let pair = (rank.wrapping_mul(97) % 256) as usize;
    let (first, second) = (FIRST_WORDS[pair / 16], SECOND_WORDS[pair % 16]);
    let unit = if rank % 7 == 3 { "eu." } else { "" };
    match rank / 256 {
        0 => format!("{unit}{first}{second}.example"),
        series => format!("{unit}{first}{second}{series}.example"),
    }
}

/// How many of the biggest `domains` destinations have an outage.
pub(super) fn sick_domains(domains: u64) -> u64 {
    match domains {
        0..4 => 1,
        4..50 => 2,
        _ => 3,
    }
}

/// A random local part of a recipient address.
pub(super) fn local_part(random: &mut Random) -> String {
    if random.chance(15) {
        return random.choose(&ROLES).to_owned();
    }
    let (forename, surname) = (random.choose(&FORENAMES), random.choose(&SURNAMES));
    match random.below(4) {
        0 => format!("{forename}.{surname}"),
        1 => format!("{}.{surname}{}", &forename[..1], random.below(100)),
        _ => format!("{forename}{}", random.below(1000)),
    }
}

/// A random alias from which a recipient was expanded.
pub(super) fn alias(random: &mut Random) -> String {
    format!("{}@drill.example", random.choose(&ROLES))
}

/// The sender of a message; empty (the null sender) for a bounce. In `flooded` queues most mail comes
/// from the compromised account.
pub(super) fn sender(random: &mut Random, flooded: bool) -> String {
    match random.below(100) {
        0..8 => String::new(),
        8..38 if flooded => COMPROMISED.to_owned(),
        _ => {
            let rank = random.ranked(SENDERS);
            let local = match rank % 3 {
                0 => ROLES[(rank / 3 % 8) as usize].to_owned(),
                1 => FORENAMES[(rank / 3 % 16) as usize].to_owned(),
                _ => format!(
                    "{}.{}",
                    FORENAMES[(rank / 3 % 16) as usize],
                    SURNAMES[(rank / 5 % 16) as usize]
                ),
            };
            format!("{local}@client{}.example", 1 + rank / 4)
        }
    }
}

pub(super) fn subject(random: &mut Random) -> &'static str {
    const SUBJECTS: [&str; 6] = [
        "Your invoice",
        "Minutes of the meeting",
        "Re: Re: offer",
        "Weekly newsletter",
        "Password reset",
        "[alert] disk almost full",
    ];
    SUBJECTS[random.below(SUBJECTS.len() as u64) as usize]
}

/// The delay reason for mail to `address` in the domain with this rank. Each domain has one kind of
/// failure; the first `sick` domains have the three kinds that fill queues.
pub(super) fn delay(rank: u64, sick: u64, domain: &str, address: &str) -> Delay {
    let trouble = if rank < sick {
        rank
    } else {
        rank.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
    };
    let server = format!("mx{}.{domain}", 1 + rank % 3);
    let shown = format!("{server}[192.0.2.{}]", 1 + rank % 254);
    let connect = |cause: &str| Delay {
        status: "4.4.1".to_owned(),
        reason: format!("connect to {shown}:25: {cause}"),
        reply: None,
        server: None,
    };
    let said = |status: &str, reply: String, command: &str| Delay {
        status: status.to_owned(),
        reason: format!("host {shown} said: {reply} (in reply to {command} command)"),
        reply: Some(reply),
        server: Some(server.clone()),
    };
    let local = |status: &str, reason: String| Delay {
        status: status.to_owned(),
        reason,
        reply: None,
        server: None,
    };
    match trouble % 9 {
        0 => said(
            "4.7.0",
            "421 4.7.0 [TSS04] Messages from 198.51.100.25 temporarily deferred due to unexpected \
             volume or user complaints"
                .to_owned(),
            "MAIL FROM",
        ),
        1 => connect("Connection timed out"),
        2 => said(
            "4.7.1",
            format!(
                "450 4.7.1 <{address}>: Recipient address rejected: Greylisted, please try again \
                 in 300 seconds"
            ),
            "RCPT TO",
        ),
        3 => connect("Connection refused"),
        4 => said(
            "4.2.2",
            format!("452 4.2.2 <{address}>: The email account is over quota"),
            "RCPT TO",
        ),
        5 => local(
            "4.4.3",
            format!(
                "Host or domain name not found. Name service error for name={domain} type=MX: \
                 Host not found, try again"
            ),
        ),
        6 => local(
            "4.4.2",
            format!("lost connection with {shown} while receiving the initial server greeting"),
        ),
        7 => said(
            "4.3.1",
            "452 4.3.1 Insufficient system storage".to_owned(),
            "MAIL FROM",
        ),
        _ => local("4.7.5", "Server certificate not verified".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_rank_has_a_domain_of_its_own() {
        let names: HashSet<String> = (0..5000).map(domain).collect();
        assert_eq!(names.len(), 5000);
        assert!(names.iter().all(|name| name.ends_with(".example")));
        assert!(domain(u64::MAX).ends_with(".example"));
    }

    #[test]
    fn each_domain_keeps_to_one_trouble() {
        let one = delay(0, 2, "bigmail.example", "a@bigmail.example");
        assert_eq!(one.status, "4.7.0");
        assert!(
            one.reason
                .starts_with("host mx1.bigmail.example[192.0.2.1] said: 421 4.7.0 ")
        );
        let troubles: HashSet<String> = (3..200)
            .map(|rank| delay(rank, 3, "d.example", "a@d.example").status)
            .collect();
        assert!(troubles.len() > 5, "{troubles:?}");
    }
}
