//! What `queuewatch list` makes of what `postqueue` prints of one message: each recipient record once.
//!
//! In: a queue file, its defer log, and postqueue's recipients, of which the first are the entries of the log and in
//! their order. Out: the recipients that are to be listed. Too simple to be wrong: every record looks at every entry.

use queuewatch::escape::mailq_text;
use queuewatch::postfix::defer_log::{self, Log, LogBuffer};
use queuewatch::postfix::envelope::Visitor;
use queuewatch::postfix::queue::Queue;
use queuewatch::postfix::quote::quote_local;
use queuewatch::postfix::record::{Buffer, RecordReader};
use queuewatch::postfix::showq;

/// One recipient that is to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Joined {
    /// Its address as it is printed; `None` is that of the entry.
    pub(crate) address: Option<Vec<u8>>,
    /// The place of its entry among postqueue's recipients.
    pub(crate) entry: Option<usize>,
}

#[derive(Default)]
struct Records(Vec<(Vec<u8>, u64)>);

impl Visitor for Records {
    fn recipient(&mut self, address: &[u8], offset: u64) {
        self.0.push((address.to_vec(), offset));
    }
}

/// The recipients to be listed of a message with these bytes and this log.
pub(crate) fn joined(file: &[u8], log: Option<&[u8]>, utf8: bool) -> Vec<Joined> {
    let mut buffer = Buffer::default();
    let mut reader = RecordReader::new(file, file.len() as u64, &mut buffer);
    let mut records = Records::default();
    let envelope = showq::read(&mut reader, Queue::Deferred, &mut records);
    let redirected = envelope.expect("bytes in memory").redirected;
    let mut entries = Vec::new();
    let mut buffer = LogBuffer::default();
    let log = log.unwrap_or_default();
    defer_log::read(log, Log::Defer, &mut buffer, |entry| {
        entries.push(entry.clone());
    })
    .expect("bytes in memory");
    let written = |address: &[u8]| {
        let address = address.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut quoted = Vec::new();
        match address {
            b"" => quoted.extend_from_slice(b"(MAILER-DAEMON)"),
            _ => quote_local(address, &mut quoted),
        }
        quoted
    };
    let logged = |address: &[u8]| {
        let quoted = written(address);
        let plain = |byte: u8| if byte.is_ascii_control() { b'?' } else { byte };
        quoted.into_iter().map(plain).collect::<Vec<u8>>()
    };
    let is_of = |entry: &defer_log::Entry, (address, offset): &(Vec<u8>, u64)| {
        entry.offset == Some(*offset) && (!redirected || entry.address == logged(address))
    };
    let is_lost = |entry: &defer_log::Entry| !records.0.iter().any(|record| is_of(entry, record));
    let mut all = Vec::new();
    let mut used = vec![false; entries.len()];
    for record in &records.0 {
        let by_offset = entries.iter().rposition(|entry| is_of(entry, record));
        let by_address = entries
            .iter()
            .rposition(|entry| is_lost(entry) && entry.address == logged(&record.0));
        for (place, entry) in entries.iter().enumerate() {
            used[place] |= !is_lost(entry) || entry.address == logged(&record.0);
        }
        let mut address = Vec::new();
        match written(&record.0).as_slice() {
            b"(MAILER-DAEMON)" if record.0.first().is_none_or(|byte| *byte == 0) => {
                address.extend_from_slice(b"MAILER-DAEMON");
            }
            quoted => mailq_text(quoted, utf8, &mut address),
        }
        all.push(Joined {
            address: Some(address),
            entry: by_offset.or(by_address),
        });
    }
    if redirected {
        for (place, entry) in entries.iter().enumerate() {
            let same = |later: &defer_log::Entry| {
                (later.offset, &later.address) == (entry.offset, &entry.address)
            };
            if !used[place] && !entries[place + 1..].iter().any(same) {
                all.push(Joined {
                    address: None,
                    entry: Some(place),
                });
            }
        }
    }
    all.sort_by_key(|one| one.entry.unwrap_or(usize::MAX));
    all
}
