//! The watch on a real Postfix under load: whatever happens to the mail, at rest it says what a scan says.
//!
//! smtp-source sends as fast as it can to destinations that deliver, defer and refuse; meanwhile mail is held,
//! released, requeued, flushed and deleted, and Postfix reloaded. Longer: `QUEUEWATCH_WATCH_SECONDS=300`.

use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::postfix::{DELIVERED, FULL, GREYLISTED, Options, Postfix, QueueIds, REJECTED};
use queuewatch::options::{self, Purpose};
use queuewatch::postfix::queue::Queue;
use queuewatch::watch::{EventKind, Watch};

fn seconds() -> u64 {
    std::env::var("QUEUEWATCH_WATCH_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(8)
}

#[test]
fn short_queue_ids() {
    under_load(&Options::default());
}

#[test]
fn long_queue_ids_in_two_levels_of_hashes() {
    under_load(&Options {
        queue_ids: QueueIds::Long,
        hash_queue_depth: 2,
        ..Options::default()
    });
}

fn under_load(how: &Options) {
    let postfix = Postfix::start(how);
    let mut options = options::Options::default();
    let directory = postfix.config_directory();
    options
        .set("config-directory", directory.as_os_str().as_bytes())
        .unwrap();
    let mut watch = Watch::open(&options, Purpose::Everything).unwrap();
    assert_eq!(watch.blind(), None);

    let over = AtomicBool::new(false);
    let mut seen = [0_usize; 7];
    let mut used = 0.0;
    std::thread::scope(|scope| {
        let (postfix, over) = (&postfix, &over);
        for (part, domain) in [DELIVERED, GREYLISTED, FULL, REJECTED, "alpha.example"]
            .into_iter()
            .enumerate()
        {
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let _ = Command::new("/usr/sbin/smtp-source")
                        .args(["-s", "2", "-m", "20", "-r", "2", "-N"])
                        .args(["-f", &format!("sender{part}@ok.example")])
                        .args(["-t", &format!("user@{domain}")])
                        .arg(format!("127.0.0.1:{}", postfix.port()))
                        .stdout(Stdio::null())
                        .stderr(Stdio::null())
                        .status();
                }
            });
        }
        scope.spawn(move || {
            let operations = [
                ("-h", "ALL"),
                ("-H", "ALL"),
                ("flush", ""),
                ("-r", "ALL"),
                ("reload", ""),
                ("-h", "ALL"),
                ("-d", "ALL"),
            ];
            for (action, queue_id) in operations.into_iter().cycle() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                match action {
                    "flush" => postfix.flush(),
                    "reload" => postfix.reload(),
                    _ => postfix.operate(action, queue_id),
                }
                std::thread::sleep(Duration::from_millis(400));
            }
        });
        let begun = Instant::now();
        used = processor_time();
        while begun.elapsed() < Duration::from_secs(seconds()) {
            watch.wait(Some(Duration::from_millis(100))).unwrap();
            watch.dispatch().unwrap();
            while let Some(event) = watch.next_event() {
                seen[event.kind as usize] += 1;
            }
        }
        used = processor_time() - used;
        over.store(true, Ordering::Relaxed);
    });
    let messages = postfix.maillog().matches(": removed").count();
    postfix.operate("-H", "ALL");
    // Requeued mail waits for pickup.
    postfix.flush();
    postfix.wait_quiet();
    assert_same(&options, &mut watch);
    let [arrived, moved, left, ..] = seen;
    assert!(arrived > 50 && moved > 20 && left > 20, "{seen:?}");
    println!(
        "arrived, moved, left, changed, rescanned, blind, dropped: {seen:?}; {messages} messages went \
         all their way, {:.1} microseconds of processor time for each",
        used * 1e6 / messages as f64
    );

    // A watch that begins now has nothing that the other lacks.
    let mut fresh = Watch::open(&options, Purpose::Everything).unwrap();
    assert_same(&options, &mut fresh);
    assert!(
        watch
            .next_event()
            .is_none_or(|event| event.kind != EventKind::Blind)
    );
}

/// Seconds of processor time of this thread.
fn processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn assert_same(options: &options::Options, watch: &mut Watch) {
    // The clock goes on between the two: what depends on the second is compared at one of them.
    for attempt in 0.. {
        let watched = watch.snapshot().unwrap();
        let scanned = options.scan(Purpose::Everything).unwrap();
        let (ours, theirs) = (&watched.instances[0], &scanned.instances[0]);
        let same = watched.now == scanned.now
            && Queue::ALL.into_iter().all(|queue| {
                let mut tally = ours.tally(queue).clone();
                tally.arrived = 0;
                tally == *theirs.tally(queue) && ours.tables[queue] == theirs.tables[queue]
            })
            && ours.gaps == theirs.gaps
            && ours.damaged == theirs.damaged;
        if same {
            return;
        }
        assert!(
            attempt < 5,
            "{:?}\n\n{:?}",
            Queue::ALL.map(|queue| ours.tally(queue)),
            Queue::ALL.map(|queue| theirs.tally(queue))
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
