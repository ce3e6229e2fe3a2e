//! The entries of one message's logs, packed, and found by recipient.

use crate::postfix::defer_log::{Entry, Log};

/// An entry about a recipient: see [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are those of Entry.
pub struct Logged<'r> {
    pub(crate) log: Log,
    pub(crate) offset: Option<u64>,
    pub(crate) address: &'r [u8],
    pub(crate) original: &'r [u8],
    pub status: &'r [u8],
    pub reason: &'r [u8],
}

/// The range of a text among all texts, which are far below 4 GiB.
type Range = (u32, u32);

#[derive(Clone, Copy, Debug)]
struct Span {
    log: Log,
    offset: Option<u64>,
    address: Range,
    original: Range,
    status: Range,
    reason: Range,
}

/// The entries of one message's logs, in their order.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogEntries {
    text: Vec<u8>,
    spans: Vec<Span>,
    /// The entries of the defer log, sorted by what identifies their recipient, then in their order.
    by_name: Vec<u32>,
    sealed: bool,
}

impl LogEntries {
    /// Removes all entries, and frees the memory of an unusual message.
    pub(crate) fn clear(&mut self) {
        if self.text.capacity() + self.spans.capacity() > (1 << 20) {
            *self = LogEntries::default();
        }
        self.text.clear();
        self.spans.clear();
        self.by_name.clear();
        self.sealed = false;
    }

    /// Adds an entry. A text that the previous entry has, too, is stored once.
    pub(crate) fn push(&mut self, log: Log, entry: &Entry) {
        let before = self.spans.last().copied();
        let mut add = |text: &[u8], before: Option<Range>| {
            if let Some((start, end)) = before {
                if self.text[start as usize..end as usize] == *text {
                    return (start, end);
                }
            }
            let start = self.text.len() as u32;
            self.text.extend_from_slice(text);
            (start, self.text.len() as u32)
        };
        let span = Span {
            log,
            offset: entry.offset,
            address: add(&entry.address, before.map(|span| span.address)),
            original: add(&entry.original, before.map(|span| span.original)),
            status: add(&entry.status, before.map(|span| span.status)),
            reason: add(&entry.reason, before.map(|span| span.reason)),
        };
        self.spans.push(span);
        self.sealed = false;
    }

    /// Returns the entries, in their order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = Logged<'_>> {
        self.spans.iter().map(|span| self.logged(span))
    }

    fn text(&self, (start, end): Range) -> &[u8] {
        &self.text[start as usize..end as usize]
    }

    fn logged(&self, span: &Span) -> Logged<'_> {
        Logged {
            log: span.log,
            offset: span.offset,
            address: self.text(span.address),
            original: self.text(span.original),
            status: self.text(span.status),
            reason: self.text(span.reason),
        }
    }

    /// Returns what identifies the recipient of an entry: the offset of its record; in logs without offsets its
    /// address.
    fn name_of(&self, entry: u32) -> (Option<u64>, &[u8]) {
        let span = &self.spans[entry as usize];
        match span.offset {
            Some(offset) => (Some(offset), b""),
            None => (None, self.text(span.address)),
        }
    }

    /// Prepares [`LogEntries::find`], once all entries are added.
    pub(crate) fn seal(&mut self) {
        if self.sealed {
            return;
        }
        let mut by_name: Vec<u32> = (0..self.spans.len() as u32)
            .filter(|entry| self.spans[*entry as usize].log == Log::Defer)
            .collect();
        by_name.sort_by(|a, b| self.name_of(*a).cmp(&self.name_of(*b)).then(a.cmp(b)));
        self.by_name = by_name;
        self.sealed = true;
    }

    /// Returns why the recipient waits whose record is at `offset`: the last entry of the defer log about it.
    /// Its quoted address, which `quoted` returns, counts only if the log has no offset.
    pub(crate) fn find(&self, offset: u64, quoted: impl FnOnce() -> Vec<u8>) -> Option<Logged<'_>> {
        let first = *self.by_name.first()?;
        let last_of = |name: (Option<u64>, &[u8])| {
            let behind = self
                .by_name
                .partition_point(|entry| self.name_of(*entry) <= name);
            let entry = *self.by_name.get(behind.checked_sub(1)?)?;
            (self.name_of(entry) == name).then_some(entry)
        };
        let entry = last_of((Some(offset), b"")).or_else(|| {
            // Entries without offset come first in that order.
            match self.name_of(first).0 {
                None => last_of((None, &quoted())),
                Some(_) => None,
            }
        })?;
        Some(self.logged(&self.spans[entry as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(address: &str, offset: Option<u64>, reason: &str) -> Entry {
        Entry {
            address: address.into(),
            offset,
            status: b"4.4.1".to_vec(),
            reason: reason.into(),
            ..Entry::default()
        }
    }

    #[test]
    fn the_last_entry_of_a_recipient_says_why_it_waits() {
        let mut entries = LogEntries::default();
        for (log, entry) in [
            (Log::Defer, entry("a@x", Some(10), "first")),
            (Log::Defer, entry("target@y", Some(20), "redirected")),
            (Log::Defer, entry("a@x", Some(10), "second")),
            (Log::Defer, entry("old@x", None, "third")),
            (Log::Bounce, entry("b@x", Some(30), "bounced")),
        ] {
            entries.push(log, &entry);
        }
        entries.seal();
        let why = |offset, quoted: &str| {
            let logged = entries.find(offset, || quoted.into())?;
            Some(String::from_utf8_lossy(logged.reason).into_owned())
        };
        assert_eq!(why(10, "a@x").as_deref(), Some("second"));
        assert_eq!(why(20, "orig@x").as_deref(), Some("redirected"));
        assert_eq!(why(40, "old@x").as_deref(), Some("third"));
        assert_eq!(why(30, "b@x"), None, "given up is not waiting");
        assert_eq!(why(50, "none@x"), None);
        assert_eq!(entries.iter().len(), 5);
        entries.clear();
        assert_eq!(entries.iter().len(), 0);
    }
}
