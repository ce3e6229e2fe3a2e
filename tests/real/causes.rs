//! The defaults on hosts that a real Postfix makes sick, and on hosts that are well: loud on the first, with
//! what is wrong, quiet on the second.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::postfix::{HOLD_SUBJECT, Options, Postfix, UNRESPONSIVE, processes_in};
use crate::support::smtp_server::{Replies, serve};

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
/// Nobody listens there.
const CLOSED: u16 = 1;

/// A Postfix with these lines at the end of its main.cf and `messages` messages to as many domains.
fn host(main_cf: &[String], messages: usize) -> Postfix {
    let postfix = Postfix::start(&Options {
        main_cf: main_cf.to_vec(),
        ..Options::default()
    });
    for number in 0..messages {
        let sender = format!("user{number}@send.example");
        let recipient = format!("to@dest{number}.example");
        postfix.send(&sender, &[recipient], "Subject: causes\n", "Hello\n");
    }
    postfix.wait_quiet();
    postfix
}

fn check(postfix: &Postfix) -> (i32, String) {
    check_later(postfix, 0)
}

/// Runs the check as of that many seconds from now.
fn check_later(postfix: &Postfix, seconds: u64) -> (i32, String) {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let output = Command::new(PROGRAM)
        .arg("--config-directory")
        .arg(postfix.config_directory())
        .args(["--now", &(now.as_secs() + seconds).to_string()])
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let words = text.split(" | ").next().unwrap_or_default().to_owned();
    (output.status.code().expect("no signal"), words)
}

/// The check alerts with `code`, and its first line says `part` and who acts: us.
fn is_sick(main_cf: &[String], messages: usize, code: i32, part: &str) {
    let postfix = host(main_cf, messages);
    let (found, words) = check(&postfix);
    assert_eq!(found, code, "{words}\n{:?}", postfix.postqueue_j());
    assert!(words.contains(part), "{part}\n{words}");
    assert!(words.contains("; ours: "), "{words}");
    assert!(words.len() <= 160, "{words}");
}

fn is_well(main_cf: &[String], messages: usize) {
    let postfix = host(main_cf, messages);
    assert!(!postfix.postqueue_j().is_empty(), "{}", postfix.maillog());
    let (code, words) = check(&postfix);
    assert_eq!(code, 0, "{words}\n{:?}", postfix.postqueue_j());
}

/// A relay that says this to each recipient.
fn relay(rcpt: &'static str) -> [String; 1] {
    let port = serve(Replies {
        rcpt,
        ..Replies::default()
    });
    [format!("relayhost = [127.0.0.1]:{port}")]
}

#[test]
fn a_content_filter_that_is_down() {
    let main_cf = [format!("content_filter = smtp:[127.0.0.1]:{CLOSED}")];
    let part = "deferred.cause(filter) is 3 (critical 0); ours: 127.0.0.1:1 refuses connections; 3 \
                deferred to 3 domains since ";
    // The filter wins where it is the only next hop.
    let main_cf = [&main_cf[..], &["relayhost =".to_owned()]].concat();
    is_sick(&main_cf, 3, 2, part);
}

#[test]
fn a_content_filter_that_fails() {
    let port = serve(Replies {
        data: "451 4.5.0 Error in processing, virus_scan FAILED",
        ..Replies::default()
    });
    let main_cf = [
        format!("content_filter = smtp:[127.0.0.1]:{port}"),
        "relayhost =".to_owned(),
    ];
    is_sick(&main_cf, 2, 2, "deferred.cause(filter) is 2 (critical 0)");
}

#[test]
fn an_lmtp_socket_that_is_gone() {
    let main_cf = ["default_transport = lmtp:unix:private/none".to_owned()];
    let part = "deferred.cause(filter) is 2 (critical 0); ours: private/none ";
    is_sick(&main_cf, 2, 2, part);
}

#[test]
fn a_transport_that_master_cf_does_not_have() {
    let main_cf = ["default_transport = nonesuch:".to_owned()];
    is_sick(
        &main_cf,
        2,
        2,
        "deferred.cause(configuration) is 2 (critical 0)",
    );
}

#[test]
fn a_relay_that_refuses_connections() {
    let main_cf = [format!("relayhost = [127.0.0.1]:{CLOSED}")];
    let part =
        "deferred.cause(relay) is 3 (critical 0); ours: relay 127.0.0.1:1 refuses connections";
    is_sick(&main_cf, 3, 2, part);
}

#[test]
fn a_relay_that_refuses_to_talk() {
    let port = serve(Replies {
        greeting: "421 4.3.2 Service not available",
        ..Replies::default()
    });
    let main_cf = [format!("relayhost = [127.0.0.1]:{port}")];
    is_sick(&main_cf, 2, 2, "deferred.cause(relay) is 2 (critical 0)");
}

#[test]
fn a_relay_that_refuses_the_login() {
    let port = serve(Replies {
        auth: Some("535 5.7.8 Error: authentication failed"),
        ..Replies::default()
    });
    let main_cf = [
        format!("relayhost = [127.0.0.1]:{port}"),
        "smtp_sasl_auth_enable = yes".to_owned(),
        "smtp_sasl_security_options =".to_owned(),
        format!("smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{port} = user:secret }} }}"),
    ];
    is_sick(
        &main_cf,
        2,
        2,
        "deferred.cause(authentication) is 2 (critical 0)",
    );
}

#[test]
fn a_blocklist_that_has_us() {
    let said = "450 4.7.1 Client host [198.51.100.7] blocked using zen.dnsbl.example";
    is_sick(
        &relay(said),
        12,
        1,
        "deferred.cause(blocked) is 12 (warning 2)",
    );
}

#[test]
fn greylisting_is_quiet() {
    is_well(
        &relay("450 4.7.1 Greylisted, see http://postgrey.example/help"),
        20,
    );
}

#[test]
fn a_provider_that_throttles_is_quiet() {
    is_well(
        &relay("450 4.7.28 unusual rate of mail, it is rate limited"),
        20,
    );
}

#[test]
fn full_mailboxes_are_quiet() {
    is_well(&relay("452 4.2.2 The mailbox is over its quota"), 20);
}

#[test]
fn recipients_that_are_not_verified_are_quiet() {
    let said = "450 4.1.1 Recipient address rejected: unverified address";
    is_well(&relay(said), 20);
}

#[test]
fn a_quarantine_is_quiet() {
    let postfix = host(&relay("250 2.1.5 ok"), 0);
    for number in 0..12 {
        let recipient = format!("to@dest{number}.example");
        let headers = format!("Subject: {HOLD_SUBJECT} {number}\n");
        postfix.send("a@send.example", &[recipient], &headers, "Hello\n");
    }
    postfix.wait_quiet();
    assert_eq!(postfix.postqueue_j().len(), 12);
    let (code, words) = check(&postfix);
    assert_eq!(code, 0, "{words}");
}

/// All mail is deferred with this status code and reason, as if a server elsewhere had been asked.
fn deferred_with(reason: &str) -> [String; 2] {
    [
        format!("default_transport = retry:{reason}"),
        "relayhost =".to_owned(),
    ]
}

const NO_NAME: &str = "4.4.3 Host or domain name not found. Name service error for name=dest.example type=MX: Host not found, try again";
const NO_ANSWER: &str = "4.4.1 connect to mx.dest.example[192.0.2.5]:25: Connection timed out";

/// A resolver on loopback that takes questions and answers none.
#[test]
fn a_resolver_that_answers_nothing() {
    let address = Ipv4Addr::new(127, 53, 15, 1);
    let _silent = UdpSocket::bind((address, 53)).expect("port 53 of a loopback address");
    let postfix = Postfix::start(&Options {
        main_cf: [
            "relayhost =",
            "default_transport = smtp:",
            "disable_dns_lookups = no",
            "smtp_host_lookup = dns",
            "smtp_dns_support_level = enabled",
            "ignore_mx_lookup_error = no",
        ]
        .map(str::to_owned)
        .to_vec(),
        resolv_conf: Some(format!(
            "nameserver {address}\noptions timeout:1 attempts:1\n"
        )),
        ..Options::default()
    });
    for number in 0..12 {
        let sender = format!("user{number}@send.example");
        let recipient = format!("to@dest{number}.example");
        postfix.send(&sender, &[recipient], "Subject: causes\n", "Hello\n");
    }
    postfix.wait_quiet();
    let (code, words) = check(&postfix);
    assert_eq!(code, 1, "{words}\n{:?}", postfix.postqueue_j());
    let part = "deferred.cause(ours) is 12 (warning 9)";
    assert!(words.contains(part), "{words}");
    assert!(
        words.contains("ours: the names of 12 unrelated domains"),
        "{words}"
    );
}

#[test]
fn a_file_system_that_is_full() {
    let postfix = Postfix::start(&Options {
        main_cf: relay("450 4.7.1 Greylisted").to_vec(),
        // smtpd refuses mail below 1.5 times message_size_limit: 31 MB.
        tmpfs: Some(48 * 1024),
        ..Options::default()
    });
    postfix.send(
        "a@send.example",
        &["b@dest.example"],
        "Subject: x\n",
        "Hello\n",
    );
    postfix.wait_quiet();
    let (code, words) = check(&postfix);
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("disk.free_bytes is "), "{words}");
    // The rest of it: now Postfix itself complains.
    let fill = postfix.queue_directory().join("fill");
    let _ = fs::write(&fill, vec![0; 64 << 20]);
    let (code, words) = check(&postfix);
    assert_eq!(code, 2, "{words}");
    assert!(words.contains("disk.free_bytes is 0 B"), "{words}");
}

#[test]
fn names_that_many_servers_do_not_find() {
    let part = "deferred.cause(ours) is 30 (critical 24)";
    let postfix = host(&deferred_with(NO_NAME), 30);
    let (code, words) = check(&postfix);
    assert_eq!(code, 2, "{words}");
    assert!(words.contains(part), "{words}");
    assert!(
        words.contains("ours: the names of 30 unrelated domains"),
        "{words}"
    );
}

#[test]
fn a_line_that_lets_nothing_out_at_port_25() {
    let postfix = host(&deferred_with(NO_ANSWER), 12);
    let (code, words) = check(&postfix);
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("deferred.cause(ours) is 12 "), "{words}");
    assert!(
        words.contains("no server of 12 unrelated domains"),
        "{words}"
    );
}

#[test]
fn a_big_destination_that_is_stuck() {
    let postfix = host(&deferred_with(NO_ANSWER), 0);
    for number in 0..105 {
        let sender = format!("user{number}@send.example");
        postfix.send(&sender, &["to@big.example"], "Subject: causes\n", "Hello\n");
    }
    postfix.wait_quiet();
    let (code, words) = check(&postfix);
    assert_eq!(code, 1, "{words}");
    let part = "deferred.top_domain is 105 (big.example) (warning 99); theirs: 105 to big.example";
    assert!(words.contains(part), "{words}");
}

/// Stops the daemon called `name` as a bug would, runs `test`, and lets it go on.
fn stalled(postfix: &Postfix, name: &str, test: impl FnOnce()) {
    let pids: Vec<Pid> = processes_in(&postfix.queue_directory())
        .into_iter()
        .filter(|pid| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            comm.trim() == name
        })
        .collect();
    assert!(!pids.is_empty(), "no {name} runs");
    for pid in &pids {
        kill_process(*pid, Signal::STOP).expect("it is ours");
    }
    test();
    for pid in &pids {
        kill_process(*pid, Signal::CONT).expect("it is ours");
    }
}

#[test]
fn a_queue_manager_that_stands_still() {
    let postfix = host(&relay("450 4.7.1 Greylisted"), 1);
    stalled(&postfix, "qmgr", || {
        postfix.send(
            "a@send.example",
            &["b@dest.example"],
            "Subject: x\n",
            "Hello\n",
        );
        let (code, words) = check(&postfix);
        assert_eq!(code, 2, "{words}");
        assert!(words.contains("qmgr.running is 0"), "{words}");
        let (code, words) = check_later(&postfix, 600);
        assert_eq!(code, 2, "{words}");
        assert!(words.contains("incoming.oldest is 10m"), "{words}");
    });
}

#[test]
fn a_pickup_that_stands_still() {
    let postfix = host(&relay("450 4.7.1 Greylisted"), 1);
    stalled(&postfix, "pickup", || {
        postfix.submit(
            "a@send.example",
            &["b@dest.example"],
            "Subject: x\n",
            "Hello\n",
        );
        let (code, words) = check_later(&postfix, 600);
        assert_eq!(code, 1, "{words}");
        assert!(words.contains("maildrop.oldest is 10m"), "{words}");
    });
}

#[test]
fn a_mistyped_domain_or_two_are_quiet() {
    is_well(&deferred_with(NO_NAME), 6);
}

#[test]
fn dead_servers_of_a_few_destinations_are_quiet() {
    is_well(&deferred_with(NO_ANSWER), 8);
}

#[test]
fn forged_senders_that_are_refused_are_quiet() {
    let said = "4.1.8 host mx.dest.example[192.0.2.5] said: 450 4.1.8 <s@forged.example>: Sender address rejected: Domain not found (in reply to RCPT TO command)";
    is_well(&deferred_with(said), 5);
}

#[test]
fn busy_servers_are_quiet() {
    let said = "4.3.2 host mx.dest.example[192.0.2.5] refused to talk to me: 421 4.3.2 Service not available";
    is_well(&deferred_with(said), 20);
}

#[test]
fn a_destination_without_ipv4_is_quiet() {
    let said = "4.4.1 connect to mx.dest.example[2001:db8::1]:25: Network is unreachable";
    is_well(&deferred_with(said), 3);
}

#[test]
fn a_destination_that_cannot_encrypt_is_quiet() {
    let said = "4.7.4 TLS is required, but was not offered by host mx.dest.example[192.0.2.5]";
    is_well(&deferred_with(said), 5);
}

#[test]
fn mail_on_its_way_is_quiet() {
    let postfix = host(&[], 0);
    for number in 0..5 {
        let recipient = format!("to{number}@{UNRESPONSIVE}");
        postfix.send("a@send.example", &[recipient], "Subject: x\n", "Hello\n");
    }
    postfix.wait_quiet_except(5);
    let (code, words) = check(&postfix);
    assert_eq!(code, 0, "{words}");
}
