//! A host that carries much mail and is well: the defaults stay quiet. It needs no Postfix, but time.

use std::fs::{self, File};
use std::process::Command;

use queuewatch::drill::{self, Plan};
use queuewatch::postfix::queue::Queue;
use rustix::fs::{FlockOperation, flock};

const PROGRAM: &str = env!("CARGO_BIN_EXE_check_postfix_queue");
const NOW: i64 = 1_795_461_304;
const MINUTE: i64 = 60;

#[test]
fn a_big_host_with_100000_messages_on_their_way_is_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let queues = Queue::ALL.map(|queue| match queue {
        Queue::Active => 84,
        Queue::Incoming => 10,
        Queue::Hold | Queue::Maildrop => 3,
        // A drill defers mail for the reasons of a sick host.
        Queue::Deferred | Queue::Corrupt => 0,
    });
    let plan = Plan {
        messages: 100_000,
        domains: 3000,
        oldest: 10 * MINUTE,
        shares: queues,
        ..Plan::at(NOW)
    };
    let spool = folder.path().join("spool");
    drill::make(&spool, &plan, &mut |_, _| {}).expect("a drill");
    // This host has room for that much mail in active.
    let config = folder.path().join("etc");
    fs::create_dir(&config).expect("a folder");
    let main_cf = format!(
        "queue_directory = {}\nqmgr_message_active_limit = 400000\n",
        spool.display()
    );
    fs::write(config.join("main.cf"), main_cf).expect("a main.cf");
    fs::create_dir_all(spool.join("pid")).expect("a folder");
    let master = File::create(spool.join("pid/master.pid")).expect("a pid file");
    flock(&master, FlockOperation::NonBlockingLockExclusive).expect("a lock");
    let output = Command::new(PROGRAM)
        .arg("--config-directory")
        .arg(&config)
        .args(["--now", &NOW.to_string(), "-t", "600"])
        .output()
        .expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        text.starts_with("POSTFIX QUEUE OK: 100000 messages, "),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(0), "{text}");
}
