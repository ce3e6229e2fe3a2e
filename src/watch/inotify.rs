//! Reads inotify events.

use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use inotify::{EventMask, Inotify, WatchDescriptor};

/// The size of the buffer for one read, in bytes. It holds some hundreds of events.
const EVENT_BYTES: usize = 65_536;

/// One inotify event.
#[derive(Debug)]
pub(super) struct KernelEvent {
    pub(super) watch: WatchDescriptor,
    pub(super) mask: EventMask,
    /// The cookie that both halves of a rename share.
    pub(super) cookie: u32,
    /// The name in the watched directory; `None` if the event is about the directory itself.
    pub(super) name: Option<Box<[u8]>>,
}

/// The result of one read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// No event was pending.
    Empty,
    /// Events were read.
    Read,
    /// An event had an unknown kind; its content is lost.
    Unknown,
}

/// Reads events into a buffer that it reuses.
#[derive(Debug)]
pub(super) struct EventReader {
    memory: Vec<u8>,
    read: Vec<KernelEvent>,
}

impl EventReader {
    /// Makes a reader with an empty buffer.
    pub(super) fn new() -> Self {
        EventReader {
            memory: vec![0; EVENT_BYTES],
            read: Vec::new(),
        }
    }

    /// Reads some of the pending events. [`EventReader::drain`] returns them.
    pub(super) fn read(&mut self, inotify: &mut Inotify) -> Batch {
        let EventReader { memory, read } = self;
        let Ok(events) = inotify.read_events(memory) else {
            return Batch::Empty;
        };
        // The crate panics on an event flag that it does not know. A newer kernel may set one.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for event in events {
                read.push(KernelEvent {
                    watch: event.wd,
                    mask: event.mask,
                    cookie: event.cookie,
                    name: event.name.map(|name| Box::from(name.as_bytes())),
                });
            }
        }));
        match outcome {
            Err(_) => {
                read.clear();
                Batch::Unknown
            }
            Ok(()) if read.is_empty() => Batch::Empty,
            Ok(()) => Batch::Read,
        }
    }

    /// Returns the events that were read, in their order.
    pub(super) fn drain(&mut self) -> std::vec::Drain<'_, KernelEvent> {
        self.read.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inotify::WatchMask;

    #[test]
    fn a_rename_has_two_halves_of_one_cookie() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("old"), "").unwrap();
        let mut inotify = Inotify::init().unwrap();
        let mask = WatchMask::MOVE;
        let watch = inotify.watches().add(folder.path(), mask).unwrap();
        let mut reader = EventReader::new();
        assert_eq!(reader.read(&mut inotify), Batch::Empty);
        std::fs::rename(folder.path().join("old"), folder.path().join("new")).unwrap();
        assert_eq!(reader.read(&mut inotify), Batch::Read);
        let events: Vec<KernelEvent> = reader.drain().collect();
        let names: Vec<&[u8]> = events
            .iter()
            .filter_map(|one| one.name.as_deref())
            .collect();
        assert_eq!(names, [&b"old"[..], b"new"]);
        assert_eq!(events[0].cookie, events[1].cookie);
        assert!(events[0].mask.contains(EventMask::MOVED_FROM));
        assert!(events.iter().all(|one| one.watch == watch));
        assert_eq!(reader.read(&mut inotify), Batch::Empty);
    }
}
