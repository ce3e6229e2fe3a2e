//! Any bytes as a defer log: reading ends, entries are what the lines say, in any size of reads.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use std::io;

use libfuzzer_sys::fuzz_target;
use queuewatch::clock::Deadline;
use queuewatch::postfix::defer_log::{Entry, Log, LogBuffer, read};
use queuewatch::source::{Source, Until};

/// A source that fails now and then, as a signal makes a read fail.
struct Interrupted<'f>(&'f [u8], bool);

impl Source for Interrupted<'_> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.0.read_at(offset, into)
    }
}

fn entries(source: impl Source) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut buffer = LogBuffer::default();
    let source = Until::new(source, Deadline::NEVER);
    read(source, Log::Defer, &mut buffer, |entry| {
        entries.push(entry.clone());
    })
    .expect("bytes can be read");
    entries
}

fuzz_target!(|bytes: &[u8]| {
    let told = entries(bytes);
    assert_eq!(told, entries(Interrupted(bytes, false)));
    // Each entry ends with a line that is blank or begins with a NUL.
    let ends = bytes
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| matches!(line.first(), Some(b'\n' | 0)) && line.ends_with(b"\n"))
        .count();
    assert!(told.len() <= ends);
    for entry in told {
        assert!(!entry.address.is_empty() && !entry.status.is_empty() && !entry.reason.is_empty());
        for text in [
            &entry.address,
            &entry.original,
            &entry.status,
            &entry.reason,
        ] {
            assert!(!text.iter().any(u8::is_ascii_control));
            assert!(text.len() <= bytes.len().max(40));
        }
        assert_ne!(entry.offset, Some(0));
    }
});
