//! Any bytes as a queue file that qshape reads: reading ends, and both ways to the recipients agree.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::postfix::qshape::{Buffer, Addresses, Outcome, each_recipient, read};

fuzz_target!(|bytes: &[u8]| {
    let mut addresses = Addresses::default();
    let mut buffer = Buffer::default();
    let length = bytes.len() as u64;
    let outcome = read(bytes, length, 7, &mut buffer, &mut addresses).expect("bytes can be read");
    let Outcome::Accepted { spilt, .. } = outcome else {
        return;
    };
    let mut again = Vec::new();
    each_recipient(bytes, length, &mut buffer, |address| {
        again.push(address.to_vec());
    })
    .expect("bytes can be read");
    assert!(!again.is_empty());
    if !spilt {
        assert!(addresses.recipients().eq(again.iter().map(Vec::as_slice)));
    }
});
