//! Reads one queue file: opens it safely, and reports its inode and envelope to an observer.

use std::ffi::CStr;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::io::Errno;

use super::directory::Directory;
use super::expected::Expected;
use super::gap::{Gap, GapKind};
use super::log_dir::{LogReader, Logs};
use super::owner_fault::owner_fault;
use super::redirect::{Hold, Recipients, RecipientsOnly};
use super::{Depth, Message, Observer, skipped};
use crate::clock::Deadline;
use crate::postfix::envelope::{self, Envelope, Writer};
use crate::postfix::queue::Queue;
use crate::postfix::record::{Buffer, RecordReader};
use crate::postfix::showq;
use crate::source::Until;
use crate::sys::{self, Identity, Inode, Noatime, OpenFile};

/// What one reader keeps from file to file.
#[derive(Debug, Default)]
pub(crate) struct FileReader {
    buffer: Buffer,
    /// Whether access times stay unchanged.
    pub(super) noatime: Noatime,
    deadline: Deadline,
    logs_until: Deadline,
    logs: Arc<Vec<Logs>>,
    expected: Arc<Expected>,
    log_reader: LogReader,
    recipients: Recipients,
    as_showq: bool,
}

impl FileReader {
    /// Makes a reader that stops at `deadline`, even within a file, and reads delay reasons from `logs`.
    /// `as_showq` is that of [`Plan`](super::Plan).
    pub(super) fn new(
        logs: Arc<Vec<Logs>>,
        expected: Arc<Expected>,
        deadline: Deadline,
        as_showq: bool,
    ) -> Self {
        FileReader {
            deadline,
            logs_until: deadline,
            logs,
            expected,
            as_showq,
            ..FileReader::default()
        }
    }

    /// Makes another reader of the same files.
    pub(crate) fn another(&self) -> Self {
        FileReader::new(
            Arc::clone(&self.logs),
            Arc::clone(&self.expected),
            self.deadline,
            self.as_showq,
        )
        .logs_until(self.logs_until)
    }

    /// Reads no log after `deadline`.
    pub(super) fn logs_until(mut self, deadline: Deadline) -> Self {
        self.logs_until = deadline;
        self
    }

    /// Reads the file `name` of `directory` as deep as `depth` says. Reports to `observer` the message, the
    /// gap, or that it has vanished. A file that is not ready is not a message yet.
    pub(crate) fn read(
        &mut self,
        directory: &Directory,
        name: &CStr,
        depth: Depth,
        observer: &mut impl Observer,
    ) {
        match self.message(directory, name, depth, observer) {
            Ok(Some(message)) if is_ready(message.queue, message.inode) => {
                observer.message(&message);
            }
            Ok(Some(message)) => {
                skipped(directory, name, || {
                    format!("not ready, for its mode is {:04o}", message.inode.mode)
                });
                observer.not_ready(&message);
            }
            Ok(None) => skipped(directory, name, || "not a regular file".to_owned()),
            // Moved to another queue or delivered meanwhile. A link in its place is not mail.
            Err(Errno::NOENT | Errno::LOOP) => {
                skipped(directory, name, || {
                    "it vanished before it was read, or it is a link".to_owned()
                });
                observer.vanished(directory.queue);
            }
            // `deadline` was reached.
            Err(Errno::TIMEDOUT) => observer.cut(directory.queue),
            Err(errno) => observer.gap(Gap {
                queue: directory.queue,
                kind: GapKind::File,
                path: directory.path_of(name),
                errno: errno.raw_os_error(),
            }),
        }
    }

    fn message<'m>(
        &mut self,
        directory: &'m Directory,
        name: &'m CStr,
        depth: Depth,
        observer: &mut impl Observer,
    ) -> Result<Option<Message<'m>>, Errno> {
        let queue = directory.queue;
        let misplaced = self.expected.is_misplaced(directory, name.to_bytes());
        let owner = self.expected.owner_of_files(queue);
        let without_envelope = |inode: Inode| {
            inode.regular.then_some(Message {
                queue,
                directory: &directory.path,
                queue_id: name.to_bytes(),
                inode,
                envelope: None,
                misplaced,
                fault: owner_fault(owner, inode),
            })
        };
        if depth < Depth::Envelopes {
            let inode = sys::inode_at(directory.fd(), name)?;
            return Ok(without_envelope(inode));
        }
        let file = match self.noatime.open_file(directory.fd(), name) {
            Ok(file) => file,
            Err(refused) => {
                // Without the right to read it, its mode may still show that it is not a message.
                return match sys::inode_at(directory.fd(), name) {
                    Ok(inode) if !is_ready(queue, inode) => Ok(without_envelope(inode)),
                    _ => Err(refused),
                };
            }
        };
        let inode = sys::inode(file.as_fd())?;
        if !is_ready(queue, inode) {
            return Ok(without_envelope(inode));
        }
        observer.envelope_begins(queue, &inode);
        if depth == Depth::Reasons && queue != Queue::Corrupt {
            let logs = Arc::clone(&self.logs);
            for logs in logs.iter() {
                self.read_log(logs, queue, name, observer);
            }
        }
        let source = Until::new(OpenFile(file.as_fd()), self.deadline);
        let mut records = RecordReader::new(source, inode.size, &mut self.buffer);
        let writer = Writer::of(queue);
        let envelope = if self.as_showq {
            showq::read(&mut records, queue, observer)
        } else {
            let recipients = &mut self.recipients;
            let read = envelope::read(&mut records, writer, &mut Hold::new(recipients, observer));
            match read {
                Ok(envelope) if recipients.must_be_read_again() => {
                    let source = Until::new(OpenFile(file.as_fd()), self.deadline);
                    let mut records = RecordReader::new(source, inode.size, &mut self.buffer);
                    // As many as were reported, even if the file changes meanwhile.
                    envelope::read(&mut records, writer, &mut RecipientsOnly(observer)).map(
                        |again| Envelope {
                            recipients: again.recipients,
                            ..envelope
                        },
                    )
                }
                Ok(envelope) if recipients.report_to(observer) => Ok(Envelope {
                    recipients: 1,
                    ..envelope
                }),
                read => read,
            }
        };
        let envelope =
            envelope.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        Ok(Some(Message {
            queue,
            directory: &directory.path,
            queue_id: name.to_bytes(),
            inode,
            envelope: Some(envelope),
            misplaced,
            fault: owner_fault(owner, inode),
        }))
    }
}

/// Identities that show whether a queue file and its log of delay reasons have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identities {
    /// The identity of the queue file.
    pub(crate) file: Identity,
    /// The identity of its log; [`Identity::NONE`] if there is none, or it is not read.
    pub(crate) log: Identity,
}

impl FileReader {
    /// Returns the identities of the file `name` of `directory` and of what else `depth` reads of it, before
    /// they are read. `None` if the system does not say.
    pub(crate) fn identities(
        &mut self,
        directory: &Directory,
        name: &CStr,
        depth: Depth,
    ) -> Option<Identities> {
        let file = sys::identity_at(directory.fd(), name).ok()?;
        let mut log = Identity::NONE;
        if depth == Depth::Reasons && directory.queue != Queue::Corrupt {
            match self.logs.as_slice() {
                [] => {}
                [logs] => {
                    let found = logs.identity(name.to_bytes(), &mut self.log_reader);
                    log = found.ok()?;
                }
                _ => return None,
            }
        }
        Some(Identities { file, log })
    }

    fn read_log(&mut self, logs: &Logs, queue: Queue, name: &CStr, observer: &mut impl Observer) {
        let (reader, noatime) = (&mut self.log_reader, &mut self.noatime);
        let each = |log, entry: &_| observer.logged(log, entry);
        match logs.read(
            queue,
            name.to_bytes(),
            reader,
            noatime,
            self.logs_until,
            each,
        ) {
            Ok(()) => {}
            Err(gap) if gap.errno == libc::ETIMEDOUT => observer.logs_cut(queue),
            Err(gap) => observer.gap(gap),
        }
    }
}

/// Returns true if the file is a message: regular, and all owner bits set (postfix.md, "Ready files"). In
/// corrupt every file is one: a delivery agent marks a damaged file with mode 0400, and qmgr moves it there
/// unchanged.
pub(crate) fn is_ready(queue: Queue, inode: Inode) -> bool {
    inode.regular && (inode.mode & 0o700 == 0o700 || queue == Queue::Corrupt)
}
