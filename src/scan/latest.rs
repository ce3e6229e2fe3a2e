//! The messages of a queue that were tried last, and another look at them.
//!
//! Trouble of now shows in what was tried last. qmgr(8) sets the times of a deferred file after each try,
//! which changes its inode: the latest change of the inode (ctime) is the last try. So a check can
//! prove trouble from a bounded number of logs.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::Directory;
use super::{Depth, FileReader, Message, Observer, Plan, Spool};
use crate::clock::Deadline;
use crate::postfix::queue::Queue;
use crate::sys::Noatime;

/// The messages whose files changed last, a bounded number.
#[derive(Clone, Debug)]
pub(crate) struct Latest {
    most: usize,
    /// The one that changed first is on top.
    heap: BinaryHeap<Reverse<Tried>>,
    /// Directories, by number.
    directories: Vec<PathBuf>,
    numbers: HashMap<PathBuf, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tried {
    changed: i64,
    queue_id: Box<[u8]>,
    directory: usize,
}

impl Latest {
    /// Keeps at most `most`.
    pub(crate) fn new(most: usize) -> Self {
        Latest {
            most,
            heap: BinaryHeap::new(),
            directories: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// Takes in `message` if it is among the last.
    pub(crate) fn see(&mut self, message: &Message<'_>) {
        self.add(message.inode.changed, message.queue_id, message.directory);
    }

    /// Takes in the message `queue_id` of `directory` whose file changed at `changed`, if it is among the last.
    pub(crate) fn add(&mut self, changed: i64, queue_id: &[u8], directory: &Path) {
        let full = self.heap.len() >= self.most;
        let is_late = self
            .heap
            .peek()
            .is_none_or(|first| changed > first.0.changed);
        if self.most == 0 || full && !is_late {
            return;
        }
        let directory = self.number(directory);
        self.put(Tried {
            changed,
            queue_id: queue_id.into(),
            directory,
        });
    }

    fn number(&mut self, directory: &Path) -> usize {
        if let Some(number) = self.numbers.get(directory) {
            return *number;
        }
        let number = self.directories.len();
        self.directories.push(directory.to_owned());
        self.numbers.insert(directory.to_owned(), number);
        number
    }

    fn put(&mut self, tried: Tried) {
        self.heap.push(Reverse(tried));
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }

    /// Takes in all of `other`.
    pub(crate) fn merge(&mut self, other: Latest) {
        for Reverse(mut tried) in other.heap {
            tried.directory = self.number(&other.directories[tried.directory]);
            self.put(tried);
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Reads them again with their delay reasons and passes them to `observer`, directory by directory, until
    /// `deadline`. The observer receives files that are gone as vanished.
    pub(crate) fn read<O: Observer>(
        &self,
        spool: &Spool,
        queue: Queue,
        deadline: Deadline,
        observer: &mut O,
    ) {
        let mut noatime = Noatime::default();
        let plan = Plan::new(queue.into(), Depth::Reasons);
        let logs = spool.logs(plan, &mut noatime, |gap| observer.gap(gap));
        let mut files = FileReader::new(logs, Arc::clone(&spool.expected), deadline, false);
        let mut order: Vec<&Tried> = self.heap.iter().map(|tried| &tried.0).collect();
        order.sort_by(|a, b| (a.directory, &a.queue_id).cmp(&(b.directory, &b.queue_id)));
        let mut open: Option<(usize, Option<Arc<Directory>>)> = None;
        for tried in order {
            if deadline.passed() {
                observer.cut(queue);
                return;
            }
            if open
                .as_ref()
                .is_none_or(|(number, _)| *number != tried.directory)
            {
                let path = &self.directories[tried.directory];
                let directory = directory(spool, queue, path, &mut files.noatime, observer);
                open = Some((tried.directory, directory));
            }
            let Some((_, Some(directory))) = &open else {
                continue;
            };
            // A name from a directory has no NUL.
            if let Ok(name) = CString::new(&*tried.queue_id) {
                files.read(directory, &name, Depth::Reasons, observer);
            }
        }
    }
}

/// The directory of `queue` at `path`, opened level by level.
fn directory<O: Observer>(
    spool: &Spool,
    queue: Queue,
    path: &Path,
    noatime: &mut Noatime,
    observer: &mut O,
) -> Option<Arc<Directory>> {
    let levels = path.strip_prefix(spool.path().join(queue.name())).ok()?;
    let mut found = Directory::of_queue(spool.fd(), spool.path(), queue, noatime);
    for level in levels {
        let name = CString::new(level.as_bytes()).ok()?;
        found = match found {
            Ok(directory) => match directory.open(&name, noatime) {
                Ok(Some(directory)) => Ok(directory),
                // It has gone, and its messages with it.
                Ok(None) => return None,
                Err(gap) => Err(gap),
            },
            other => other,
        };
    }
    match found {
        Ok(found) => Some(found),
        Err(gap) => {
            observer.gap(gap);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Inode;

    fn see(latest: &mut Latest, directory: &str, id: &str, changed: i64) {
        latest.see(&Message {
            queue: Queue::Deferred,
            directory: Path::new(directory),
            queue_id: id.as_bytes(),
            inode: Inode {
                number: 1,
                mode: 0o700,
                owner: 0,
                group: 0,
                regular: true,
                size: 1,
                mtime: 0,
                changed,
            },
            envelope: None,
            fault: None,
            misplaced: false,
        });
    }

    fn ids(latest: &Latest) -> Vec<String> {
        let mut ids: Vec<String> = latest
            .heap
            .iter()
            .map(|tried| {
                let directory = &latest.directories[tried.0.directory];
                let id = String::from_utf8_lossy(&tried.0.queue_id);
                format!("{}/{id}", directory.display())
            })
            .collect();
        ids.sort();
        ids
    }

    #[test]
    fn the_last_are_kept_whatever_the_order() {
        let (mut one, mut two) = (Latest::new(3), Latest::new(3));
        for (directory, id, changed) in [("0", "A", 5), ("1", "B", 1), ("0", "C", 9), ("2", "D", 7)]
        {
            see(&mut one, directory, id, changed);
        }
        see(&mut two, "1", "E", 8);
        see(&mut two, "0", "F", 2);
        assert_eq!(ids(&one), ["0/A", "0/C", "2/D"]);
        one.merge(two);
        assert_eq!(ids(&one), ["0/C", "1/E", "2/D"]);
        assert_eq!(one.len(), 3);
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing() {
        let mut none = Latest::new(0);
        see(&mut none, "0", "A", 5);
        assert_eq!(none.len(), 0);
    }
}
