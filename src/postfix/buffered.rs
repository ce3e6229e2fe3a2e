//! Reads a file at offsets through one reused buffer. The readers of records use it.
//!
//! A [`Window`] holds a piece of a [`Source`]. It moves forwards by reading on, and to any offset by seeking.
//! It reads as much as the file gives, never as much as a record claims to have.
#![deny(clippy::arithmetic_side_effects)]

use std::io;

use crate::source::Source;

/// The size of the first read of a file, in bytes. Most envelopes fit into one page.
const FIRST_READ: usize = 4096;
/// The size of the longest read, in bytes, once a file turns out to be long.
const LONGEST_READ: usize = 65_536;

/// A buffer that readers use one after the other.
#[derive(Debug, Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Returns the memory that one unusual file made the buffer grow to.
    fn rest(&mut self) {
        if self.0.len() > LONGEST_READ {
            self.0 = Vec::new();
        }
    }
}

/// The piece of a source that the buffer holds, and the present position in it.
#[derive(Debug)]
pub(super) struct Window<'b, S> {
    source: S,
    buffer: &'b mut Vec<u8>,
    /// The offset in the file of the buffer's first byte.
    base: u64,
    /// How many bytes of the buffer are filled.
    filled: usize,
    /// The position of the next record in the buffer.
    at: usize,
    /// How many bytes to read next.
    read: usize,
    /// True once the source ended, at `base + filled`.
    ended: bool,
}

impl<'b, S: Source> Window<'b, S> {
    /// Starts at the first byte of `source`.
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

    /// Returns the offset of the present position, in bytes from the start of the file.
    pub(super) fn position(&self) -> u64 {
        self.base.saturating_add(self.at as u64)
    }

    /// Moves to `target` without reading.
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

    /// Loads `wanted` bytes from the present position on. Returns false if the file ends before.
    #[inline]
    pub(super) fn load(&mut self, wanted: usize) -> io::Result<bool> {
        if self.filled.saturating_sub(self.at) >= wanted {
            return Ok(true);
        }
        self.fill(wanted)
    }

    /// Reads on until the buffer holds `wanted` bytes.
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
            // Reads as much as the file gives, not as much as a record claims to have.
            let end = self.filled.saturating_add(self.read);
            if self.buffer.len() < end {
                self.buffer.resize(end, 0);
            }
            let into = self.buffer.get_mut(self.filled..end).unwrap_or_default();
            let asked = into.len();
            let offset = self.base.saturating_add(self.filled as u64);
            // No file is that long: such an offset lies behind its end.
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

    /// Returns the loaded bytes from the present position on.
    #[inline]
    pub(super) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.at..self.filled).unwrap_or_default()
    }

    /// Returns the byte `ahead` bytes after the present position; 0 if it is not loaded.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.buffer
            .get(self.at.saturating_add(ahead))
            .copied()
            .unwrap_or_default()
    }

    /// Passes a loaded record of `whole` bytes, its `header` included. Returns where its data begins and ends,
    /// for [`Window::bytes`] until the window moves.
    #[inline]
    pub(super) fn pass(&mut self, header: usize, whole: usize) -> (usize, usize) {
        let start = self.at.saturating_add(header);
        let end = self.at.saturating_add(whole).min(self.filled);
        self.at = end;
        (start, end)
    }

    /// Returns the bytes between two positions that [`Window::pass`] returned.
    pub(super) fn bytes(&self, start: usize, end: usize) -> &[u8] {
        self.buffer.get(start..end).unwrap_or_default()
    }
}
