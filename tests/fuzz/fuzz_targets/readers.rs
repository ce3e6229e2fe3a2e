//! A file made of records: what qmgr, showq and qshape take from it is the same, wherever qmgr finds nothing wrong with it.
//! Bytes at random are seldom such a file; `envelope`, `showq` and `qshape` take those.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::drill::push_record;
use queuewatch::postfix::damage::DamageKind;
use queuewatch::postfix::envelope::{self, Envelope, Visitor, Writer};
use queuewatch::postfix::qshape::{self, Addresses, Outcome};
use queuewatch::postfix::queue::Queue;
use queuewatch::postfix::record::{Buffer, RecordReader};
use queuewatch::postfix::showq;

/// What a reader says of a message.
#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    arrival: Option<i64>,
    sender: Option<Vec<u8>>,
    recipients: Vec<Vec<u8>>,
}

impl Visitor for Told {
    fn arrival(&mut self, seconds: i64) {
        self.arrival = Some(seconds);
    }
    fn sender(&mut self, address: &[u8]) {
        self.sender = Some(address.to_vec());
    }
    fn recipient(&mut self, address: &[u8], _offset: u64) {
        self.recipients.push(address.to_vec());
    }
}

/// Takes choices and bytes from the front of the input.
struct Choices<'i>(&'i [u8]);

impl<'i> Choices<'i> {
    fn next(&mut self) -> usize {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        usize::from(*first)
    }

    fn bytes(&mut self) -> &'i [u8] {
        let length = (self.next() % 24).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }
}

/// A queue file as cleanup writes it, with something odd in it now and then.
fn file(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..choices.next() % 4 {
        let kind = *b"NNL".get(choices.next() % 3).unwrap_or(&b'N');
        push_record(&mut content, kind, choices.bytes());
    }
    let mut file = Vec::new();
    let size = match choices.next() % 16 {
        0 => content.len() + choices.next(),
        _ => content.len(),
    };
    let fields = format!("{size:15} {:15} {:15} {:15} {:15}", 600, 1, 0, size);
    push_record(&mut file, b'C', fields.as_bytes());
    let time = 1_700_000_000 + choices.next() * 4_000;
    push_record(&mut file, b'T', format!("{time} 12345").as_bytes());
    envelope_records(choices, &mut file);
    push_record(&mut file, b'S', choices.bytes());
    envelope_records(choices, &mut file);
    push_record(&mut file, b'M', b"");
    file.extend_from_slice(&content);
    push_record(&mut file, b'X', b"");
    envelope_records(choices, &mut file);
    match choices.next() % 16 {
        0 => {}
        1 => file.truncate(file.len() - choices.next().min(file.len())),
        _ => push_record(&mut file, b'E', b""),
    }
    if choices.next() % 16 == 0 {
        file.extend_from_slice(choices.bytes());
    }
    file
}

fn envelope_records(choices: &mut Choices<'_>, file: &mut Vec<u8>) {
    for _ in 0..choices.next() % 6 {
        match choices.next() % 20 {
            0 => {
                // Forwards, over what a later version of the file does without.
                let skipped = choices.bytes();
                let target = file.len() + 17 + skipped.len();
                push_record(file, b'p', format!("{target:15}").as_bytes());
                file.extend_from_slice(skipped);
            }
            1 => push_record(file, b'p', format!("{:15}", 0).as_bytes()),
            2 => push_record(file, b'w', choices.bytes()),
            3 => push_record(file, b'S', choices.bytes()),
            4 => push_record(file, b'T', choices.bytes()),
            5 => push_record(file, b'D', choices.bytes()),
            6 => push_record(file, b'/', choices.bytes()),
            7 => push_record(file, b'>', choices.bytes()),
            8 | 9 => push_record(file, b'O', choices.bytes()),
            10 => push_record(file, b'A', choices.bytes()),
            11 => push_record(file, choices.next() as u8, choices.bytes()),
            _ => push_record(file, b'R', choices.bytes()),
        }
    }
}

fn as_qmgr(file: &[u8]) -> (Envelope, Told) {
    let (mut buffer, mut told) = (Buffer::default(), Told::default());
    let mut records = RecordReader::new(file, file.len() as u64, &mut buffer);
    let envelope = envelope::read(&mut records, Writer::Cleanup, &mut told);
    (envelope.expect("memory is readable"), told)
}

fn as_showq(file: &[u8]) -> (Envelope, Told) {
    let (mut buffer, mut told) = (Buffer::default(), Told::default());
    let mut records = RecordReader::new(file, file.len() as u64, &mut buffer);
    let envelope = showq::read(&mut records, Queue::Deferred, &mut told);
    (envelope.expect("memory is readable"), told)
}

/// `None` for a file that qshape does not count.
fn as_qshape(file: &[u8]) -> Option<Told> {
    let (mut buffer, mut addresses) = (qshape::Buffer::default(), Addresses::default());
    let outcome = qshape::read(file, file.len() as u64, 7, &mut buffer, &mut addresses);
    match outcome.expect("memory is readable") {
        Outcome::Accepted { time, .. } => Some(Told {
            arrival: Some(time as i64),
            sender: Some(addresses.sender.clone()),
            recipients: addresses.recipients().map(<[u8]>::to_vec).collect(),
        }),
        Outcome::Unrecognised | Outcome::Refused => None,
    }
}

fuzz_target!(|input: &[u8]| {
    let file = file(&mut Choices(input));
    let (envelope, qmgr) = as_qmgr(&file);
    let (listed, showq) = as_showq(&file);
    let shaped = as_qshape(&file);
    if envelope.damage.is_some() {
        return;
    }
    assert_eq!(envelope.recipients, qmgr.recipients.len() as u64);
    match listed.damage.map(|damage| damage.kind) {
        None => {
            assert_eq!(qmgr, showq, "qmgr and showq");
            assert_eq!((listed.recipients, listed.done), (envelope.recipients, envelope.done));
            assert_eq!(shaped, counted(&qmgr), "qmgr and qshape");
        }
        // showq stops at an original recipient that comes before the sender, so nobody says whether there are two senders.
        Some(DamageKind::RecipientBeforeSender) => {
            assert_eq!((showq.sender, showq.recipients.len()), (None, 0));
            assert_eq!(apart_from_sender(shaped, &qmgr), counted(&qmgr), "qmgr and qshape");
        }
        // showq stops at a second sender, which qmgr ignores and qshape takes.
        Some(DamageKind::Unexpected(b'S')) => {
            assert_eq!(qmgr.sender, showq.sender, "qmgr and showq");
            assert!(qmgr.recipients.starts_with(&showq.recipients), "{qmgr:?} {showq:?}");
            assert_eq!(apart_from_sender(shaped, &qmgr), counted(&qmgr), "qmgr and qshape");
        }
        Some(kind) => panic!("qmgr finds nothing wrong, and showq {kind:?}"),
    }
});

/// What qshape says, with the sender of qmgr: of several senders qmgr takes the first one, and qshape the last one.
fn apart_from_sender(shaped: Option<Told>, qmgr: &Told) -> Option<Told> {
    shaped.map(|shaped| Told { sender: qmgr.sender.clone(), ..shaped })
}

/// What qshape says of a message: it counts none without recipients.
fn counted(qmgr: &Told) -> Option<Told> {
    (!qmgr.recipients.is_empty()).then(|| qmgr.clone())
}
