//! A file read at offsets, through one reused buffer: what record readers stand on.
//!
//! A [`Window`] holds a piece of a [`Source`] and moves over it, forwards by reading on and anywhere
//! by seeking; it reads as much as the file gives, never as much as a record claims to have.
#![deny(clippy::arithmetic_side_effects)]

use std::io;

use crate::source::Source;

/// The first read of a file, in bytes: most envelopes fit, and one page is one page.
const FIRST_READ: usize = 4096;
/// The longest read once a file turns out to be long, in bytes.
const LONGEST_READ: usize = 65_536;

/// Memory that readers use one after the other.
#[derive(Debug, Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Gives back what one unusual file made it grow to.
    fn rest(&mut self) {
        if self.0.len() > LONGEST_READ {
            self.0 = Vec::new();
        }
    }
}

/// The piece of a source that lies in the buffer, and the place in it.
#[derive(Debug)]
pub(super) struct Window<'b, S> {
    source: S,
    buffer: &'b mut Vec<u8>,
    /// Offset in the file of the buffer's first byte.
    base: u64,
    /// Bytes of the buffer that hold the file's.
    filled: usize,
    /// Place in the buffer of the next record.
    at: usize,
    /// Bytes to ask for next.
    read: usize,
    /// The source has said that it ends at `base + filled`.
    ended: bool,
}

impl<'b, S: Source> Window<'b, S> {
    /// At the first byte of `source`.
    pub(super) fn new(source: S, buffer: &'b mut Buffer) -> Self {
        buffer.rest();
        Window {
            source,
            buffer: &mut buffer.0,
            base: 0,
            filled: 0,
            at: 0,
            read: FIRST_READ,
            ended: false,
        }
    }

    /// The offset of the present place, in bytes from the start of the file.
    pub(super) fn position(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// Goes to `target`, reading nothing.
    pub(super) fn seek(&mut self, target: u64) {
        let end = self.base.saturating_add(self.filled as u64);
        match target.checked_sub(self.base) {
            Some(inside) if target <= end => {
                self.at = usize::try_from(inside).unwrap_or(self.filled);
            }
            _ => {
                self.base = target;
                self.filled = 0;
                self.at = 0;
                self.ended = false;
                self.read = FIRST_READ;
            }
        }
    }

    /// Makes `wanted` bytes from the present place lie in the buffer; false if the file ends before.
    #[inline]
    pub(super) fn load(&mut self, wanted: usize) -> io::Result<bool> {
        if self.filled.saturating_sub(self.at) >= wanted {
            return Ok(true);
        }
        self.fill(wanted)
    }

    /// Reads on until `wanted` bytes lie there.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        while self.filled.saturating_sub(self.at) < wanted {
            if self.ended {
                return Ok(false);
            }
            if self.at > 0 {
                self.buffer.copy_within(self.at..self.filled, 0);
                self.base = self.position();
                self.filled = self.filled.saturating_sub(self.at);
                self.at = 0;
            }
            // As much as the file gives, not as much as a record claims to have.
            let end = self.filled.saturating_add(self.read);
            if self.buffer.len() < end {
                self.buffer.resize(end, 0);
            }
            let into = self.buffer.get_mut(self.filled..end).unwrap_or_default();
            let asked = into.len();
            let offset = self.base.saturating_add(self.filled as u64);
            // No file is that long: a record that leads there leads behind its end.
            if i64::try_from(offset).is_err() {
                self.ended = true;
                return Ok(false);
            }
            let got = self.source.read_at(offset, into)?.min(asked);
            // A regular file gives less than was asked for only at its end.
            self.ended = got < asked;
            self.filled = self.filled.saturating_add(got);
            self.read = self.read.saturating_mul(4).min(LONGEST_READ);
        }
        Ok(true)
    }

    /// What is loaded from the present place on.
    #[inline]
    pub(super) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.at..self.filled).unwrap_or_default()
    }

    /// The byte `ahead` of the present place; 0 if it is not loaded.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.buffer
            .get(self.at.saturating_add(ahead))
            .copied()
            .unwrap_or_default()
    }

    /// Goes over a record of `whole` bytes, its `header` included, which are loaded. Returns where its
    /// data begins and ends, for [`Window::bytes`] until the window moves.
    #[inline]
    pub(super) fn pass(&mut self, header: usize, whole: usize) -> (usize, usize) {
        let start = self.at.saturating_add(header);
        let end = self.at.saturating_add(whole).min(self.filled);
        self.at = end;
        (start, end)
    }

    /// What lies between two places that [`Window::pass`] returned.
    pub(super) fn bytes(&self, start: usize, end: usize) -> &[u8] {
        self.buffer.get(start..end).unwrap_or_default()
    }
}
