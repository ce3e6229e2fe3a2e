//! Any bytes as records: reading ends, in the memory that is promised, and every record told is
//! really there.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use std::io;

use libfuzzer_sys::fuzz_target;
use queuewatch::postfix::record::{Buffer, MAX_RECORD, RecordReader};
use queuewatch::source::Source;
use queuewatch_fuzz::heap;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// The longest header of a record, and the longest step in which a file is read.
const STEP: usize = 6 + 65_536;
/// A buffer holds one record and one step; a vector that grows doubles, and is for a moment there
/// twice.
const MOST: usize = 4 * (MAX_RECORD as usize + STEP);

/// Bytes that notice who asks for too many of them.
struct Watched<'f>(&'f [u8]);

impl Source for Watched<'_> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        assert!(into.len() <= MAX_RECORD as usize + STEP);
        self.0.read_at(offset, into)
    }
}

/// Reads to the end, going on after each record as `skip` says.
fn read(file: &[u8], skip: impl Fn(u8) -> u64) {
    let mut buffer = Buffer::default();
    let mut reader = RecordReader::new(Watched(file), file.len() as u64, &mut buffer);
    let mut budget = file.len() * 2 + 65_536;
    let pointers = file.contains(&b'p');
    let mut least = 0;
    while let Ok(Some(record)) = reader.next_record() {
        let (kind, offset, data) = (record.kind, record.offset, record.data.to_vec());
        let end = reader.position();
        let at = usize::try_from(offset).expect("in the file");
        let end_at = usize::try_from(end).expect("in the file");
        assert!(kind != b'p' && kind != b'w');
        assert_eq!(file[at], kind);
        assert_eq!(&file[end_at - data.len()..end_at], data);
        assert!((2..=6).contains(&(end_at - data.len() - at)), "the header");
        assert!(pointers || offset >= least, "it went back");
        least = end;
        budget = budget.checked_sub(end_at - at).expect("within the budget");
        match skip(kind) {
            0 => {}
            count => {
                reader.skip(count);
                least = end.saturating_add(count);
            }
        }
    }
    // What has ended or failed can be asked again.
    let _ = reader.next_record();
    reader.skip(u64::MAX);
    assert!(matches!(reader.next_record(), Ok(None)));
}

fuzz_target!(|file: &[u8]| {
    for skip in [
        |_| 0,
        |kind| u64::from(kind % 8),
        |kind| match kind {
            0 => u64::MAX,
            kind => 1 << (kind % 64),
        },
    ] {
        let ((), peak) = heap::peak_of(|| read(file, skip));
        // The copy of the data above is one more.
        assert!(peak <= MOST + MAX_RECORD as usize, "{peak} bytes of memory");
    }
});
