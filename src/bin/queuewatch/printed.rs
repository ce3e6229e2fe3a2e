//! Standard output of a command that goes on: a line at a time, also when the disk of it is full for a while.
//!
//! The command ends when the reader has gone. Any other failure costs lines and no more: the files that the command
//! keeps are what others rely on.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use queuewatch::error::Error;

/// What became of a line.
#[derive(Debug)]
pub(crate) enum Printed {
    /// It is written.
    Whole,
    /// The reader of a pipe has gone.
    NoReader,
    /// It is lost, at least in part.
    Lost(Error),
}

/// Lines to one output.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// Whether the output ends within a line.
    torn: bool,
}

impl Lines {
    /// Prints `line` on standard output.
    pub(crate) fn print(&mut self, line: &str) -> Printed {
        self.write(&mut Unbuffered, line)
    }

    fn write(&mut self, out: &mut impl Write, line: &str) -> Printed {
        // Half a line stays one: what comes next begins another.
        let text = format!("{}{line}\n", if self.torn { "\n" } else { "" });
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match out.write(rest) {
                Ok(0) => return lost(&ErrorKind::WriteZero.into()),
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = !text.as_bytes()[..text.len() - rest.len()].ends_with(b"\n");
                }
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return lost(&cause),
            }
        }
        Printed::Whole
    }
}

/// Standard output without the buffer of the standard library, which keeps what did not fit.
struct Unbuffered;

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(io::stdout(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lost(cause: &io::Error) -> Printed {
    match cause.kind() {
        ErrorKind::BrokenPipe => Printed::NoReader,
        _ => Printed::Lost(
            Error::io("write to", Path::new("standard output"), cause)
                .with_remedy("lines are lost until it can be written again"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file on a disk with room for so many bytes, which tells how much of a write fits.
    struct Disk {
        room: usize,
        file: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let fits = bytes.len().min(self.room);
            if fits == 0 {
                return Err(io::Error::from_raw_os_error(libc::ENOSPC));
            }
            self.file.extend_from_slice(&bytes[..fits]);
            self.room -= fits;
            Ok(fits)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_after_half_a_line_begins_a_line() {
        let mut lines = Lines::default();
        let mut disk = Disk {
            room: 9,
            file: Vec::new(),
        };
        assert!(matches!(lines.write(&mut disk, "first"), Printed::Whole));
        for _ in 0..2 {
            let Printed::Lost(error) = lines.write(&mut disk, "second") else {
                panic!("there is no room");
            };
            assert!(error.to_string().contains("ENOSPC"), "{error}");
        }
        disk.room = 100;
        assert!(matches!(lines.write(&mut disk, "third"), Printed::Whole));
        assert!(matches!(lines.write(&mut disk, "fourth"), Printed::Whole));
        assert_eq!(disk.file, b"first\nsec\nthird\nfourth\n");
    }

    #[test]
    fn a_line_of_which_nothing_was_written_leaves_nothing() {
        let mut lines = Lines::default();
        let mut disk = Disk {
            room: 6,
            file: Vec::new(),
        };
        assert!(matches!(lines.write(&mut disk, "first"), Printed::Whole));
        assert!(matches!(lines.write(&mut disk, "second"), Printed::Lost(_)));
        disk.room = 100;
        assert!(matches!(lines.write(&mut disk, "third"), Printed::Whole));
        assert_eq!(disk.file, b"first\nthird\n");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_trouble() {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        drop(reader);
        let printed = Lines::default().write(&mut std::fs::File::from(writer), "line");
        assert!(matches!(printed, Printed::NoReader), "{printed:?}");
    }
}
