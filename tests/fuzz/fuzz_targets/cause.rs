//! Any bytes as a status code and a delay reason, and as a user's table: a judgement always comes out, and
//! a suspended reason is judged as the bare one.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::cause::classify::{Classifier, MAX_REASON};
use queuewatch::cause::next_hop::NextHops;
use queuewatch::cause::user_table::UserTable;

fuzz_target!(|input: (&[u8], &[u8], &[u8], &[u8])| {
    let (status, reason, table, hop) = input;
    let mut hops = NextHops::default();
    hops.add("relayhost", hop);
    hops.add("content_filter", hop);
    let user = UserTable::parse(table).unwrap_or_default();
    let classifier = Classifier::new(hops, user);
    let bare = classifier.judge(status, reason);
    let mut shown = Vec::new();
    if let Some(hop) = bare.next_hop {
        hop.write(&mut shown);
    }
    assert!(shown.len() <= MAX_REASON);
    let twin = [b"delivery temporarily suspended: ", reason].concat();
    if twin.len() <= MAX_REASON {
        assert_eq!(classifier.judge(status, &twin), bare);
    }
});
