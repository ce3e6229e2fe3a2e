//! Any bytes as a queue file that showq reads: reading ends, interrupted or not, and a file in which qmgr
//! finds nothing wrong has the same recipients for both.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::postfix::envelope::{self, Envelope, Visitor, Writer};
use queuewatch::postfix::queue::Queue;
use queuewatch::postfix::record::{Buffer, RecordReader};
use queuewatch::postfix::showq;

/// The recipients, in order.
#[derive(Default, PartialEq, Debug)]
struct Recipients(Vec<(Vec<u8>, u64)>);

impl Visitor for Recipients {
    fn recipient(&mut self, address: &[u8], offset: u64) {
        self.0.push((address.to_vec(), offset));
    }
}

fn as_qmgr(file: &[u8]) -> (Envelope, Recipients) {
    let (mut buffer, mut recipients) = (Buffer::default(), Recipients::default());
    let mut records = RecordReader::new(file, file.len() as u64, &mut buffer);
    let read = envelope::read(&mut records, Writer::Cleanup, &mut recipients);
    (read.expect("memory is readable"), recipients)
}

fuzz_target!(|file: &[u8]| {
    let (mut buffer, mut recipients) = (Buffer::default(), Recipients::default());
    let mut records = RecordReader::new(file, file.len() as u64, &mut buffer);
    let read = showq::read(&mut records, Queue::Hold, &mut recipients).expect("memory is readable");
    assert!(recipients.0.len() as u64 <= read.recipients);
    assert!(!read.torn || read.damage.is_some());
    for (address, offset) in &recipients.0 {
        let at = usize::try_from(*offset).expect("in the file");
        assert_eq!(file[at], b'R');
        assert!(address.len() < file.len());
    }
    let (sound, told) = as_qmgr(file);
    let senders = file.iter().filter(|byte| **byte == b'S').count();
    let same_size = sound.message_size.is_some() && sound.message_size == read.message_size;
    // showq reads no further than a second sender, and takes its size from other records.
    if sound.damage.is_none() && senders == 1 && same_size {
        assert_eq!(recipients, told);
    }
});
