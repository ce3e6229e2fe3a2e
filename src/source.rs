//! Positioned reads: the interface between the format readers, which make no system calls, and I/O.
//!
//! A reader of `postfix` takes a [`Source`]. [`Until`] handles signals and the deadline of an open file,
//! so that readers need not.

use std::io;

use crate::clock::Deadline;

/// A source that can be read at an offset, like pread(2); 0 bytes mean its end.
pub trait Source {
    /// Reads up to `into.len()` bytes at `offset` into `into` and returns their number.
    ///
    /// # Errors
    /// Those of the system. A reader returns them unchanged.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl Source for &[u8] {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset)
            .ok()
            .and_then(|offset| self.get(offset..))
            .unwrap_or_default();
        let length = rest.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        Ok(length)
    }
}

/// Retries a read that a signal interrupts, and starts none after the deadline: a file may be as large
/// as the disk.
#[derive(Debug)]
pub struct Until<S> {
    source: S,
    deadline: Deadline,
}

impl<S: Source> Until<S> {
    /// Reads `source` until `deadline`.
    pub fn new(source: S, deadline: Deadline) -> Self {
        Until { source, deadline }
    }
}

impl<S: Source> Source for Until<S> {
    /// # Errors
    /// Those of the source but `Interrupted`, and `TimedOut`, with its errno, after the deadline.
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.deadline.passed() {
                return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
            }
            match self.source.read_at(offset, into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Fails with each of these errors, the last first; then gives its bytes.
    struct Failing(Vec<io::ErrorKind>, &'static [u8]);

    impl Source for Failing {
        fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            match self.0.pop() {
                Some(kind) => Err(kind.into()),
                None => self.1.read_at(offset, into),
            }
        }
    }

    #[test]
    fn interrupted_reads_are_repeated_and_other_errors_returned() {
        use io::ErrorKind::{Interrupted, NotFound};
        let mut into = [0; 8];
        let mut until = |errors: &[io::ErrorKind], deadline| {
            let source = Failing(errors.to_vec(), b"bytes");
            Until::new(source, deadline).read_at(1, &mut into)
        };
        let never = Deadline::NEVER;
        assert_eq!(until(&[Interrupted, Interrupted], never).unwrap(), 4);
        let error = until(&[NotFound, Interrupted], never).unwrap_err();
        assert_eq!(error.kind(), NotFound);
        let error = until(&[], Deadline::after(Duration::ZERO)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ETIMEDOUT));
    }

    #[test]
    fn bytes_end_where_they_end() {
        let mut into = [0; 2];
        for (offset, got) in [(0, 2), (2, 1), (3, 0), (u64::MAX, 0)] {
            let mut bytes = &b"abc"[..];
            assert_eq!(bytes.read_at(offset, &mut into).unwrap(), got, "{offset}");
        }
    }
}
