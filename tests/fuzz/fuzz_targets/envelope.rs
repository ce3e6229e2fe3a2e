//! Any bytes as a queue file: the reader agrees with the naive one, whatever it reads from and
//! whatever its buffer was used for before.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use std::io;

use libfuzzer_sys::fuzz_target;
use queuewatch::clock::Deadline;
use queuewatch::postfix::envelope::{self, Envelope, Visitor, Writer};
use queuewatch::postfix::record::{Buffer, RecordReader};
use queuewatch::source::{Source, Until};
use queuewatch_fuzz::naive::{self, Reported};

/// What the reader reported, in order.
#[derive(Default)]
struct Recorder(Vec<Reported>);

impl Visitor for Recorder {
    fn arrival(&mut self, seconds: i64) {
        self.0.push(Reported::Arrival(seconds));
    }
    fn sender(&mut self, address: &[u8]) {
        self.0.push(Reported::Sender(address.to_vec()));
    }
    fn original_recipient(&mut self, address: &[u8]) {
        self.0.push(Reported::OriginalRecipient(address.to_vec()));
    }
    fn recipient(&mut self, address: &[u8], _offset: u64) {
        self.0.push(Reported::Recipient(address.to_vec()));
    }
}

/// The same bytes, where every other call is interrupted by a signal.
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

/// A disk that fails behind `.1` bytes.
struct Failing<'f>(&'f [u8], u64);

impl Source for Failing<'_> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        if offset.saturating_add(into.len() as u64) > self.1 {
            return Err(io::ErrorKind::Other.into());
        }
        self.0.read_at(offset, into)
    }
}

fn read(
    source: impl Source,
    length: usize,
    buffer: &mut Buffer,
    writer: Writer,
) -> io::Result<(Envelope, Vec<Reported>)> {
    let mut recorder = Recorder::default();
    let mut records = RecordReader::new(source, length as u64, buffer);
    let envelope = envelope::read(&mut records, writer, &mut recorder)?;
    Ok((envelope, recorder.0))
}

fuzz_target!(|file: &[u8]| {
    for writer in [Writer::Cleanup, Writer::Postdrop] {
        let mut buffer = Buffer::default();
        let read_by_us = read(file, file.len(), &mut buffer, writer).expect("memory is readable");

        let by_naive = naive::read(file, writer);
        if let Some(by_naive) = &by_naive {
            assert_eq!(&read_by_us, by_naive, "{writer:?}");
        }

        let source = Until::new(Interrupted(file, false), Deadline::NEVER);
        let interrupted = read(source, file.len(), &mut buffer, writer).expect("EINTR is no error");
        assert_eq!(read_by_us, interrupted, "interrupted, in a used buffer");

        // A file that grew since it was opened; only pointers may need more than it was.
        if by_naive.is_some() && file.len() < 65_536 {
            let grown = read(file, 0, &mut Buffer::default(), writer).expect("memory is readable");
            assert_eq!(read_by_us, grown, "of unknown length");
        }

        if let Ok(failing) = read(Failing(file, 5000), file.len(), &mut buffer, writer) {
            assert_eq!(read_by_us, failing, "on a disk that fails elsewhere");
        }
    }
});
