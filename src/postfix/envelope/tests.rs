//! Envelopes of good and damaged files, and what the reader reports of them.

use super::super::record::Buffer;
use super::*;
use proptest::prelude::*;

#[derive(Default)]
struct Recorder(Vec<String>);

impl Visitor for Recorder {
    fn sender(&mut self, address: &[u8]) {
        self.0.push(format!("S{}", address.escape_ascii()));
    }
    fn original_recipient(&mut self, address: &[u8]) {
        self.0.push(format!("O{}", address.escape_ascii()));
    }
    fn recipient(&mut self, address: &[u8], _offset: u64) {
        self.0.push(format!("R{}", address.escape_ascii()));
    }
}

fn read_bytes(bytes: &[u8], writer: Writer) -> (Envelope, String) {
    let mut buffer = Buffer::default();
    let mut recorder = Recorder::default();
    let mut records = RecordReader::new(bytes, bytes.len() as u64, &mut buffer);
    let envelope = read(&mut records, writer, &mut recorder).unwrap();
    (envelope, recorder.0.join(" "))
}

/// Encodes short records in the notation of the test tables: type byte, then the data.
pub(in crate::postfix) fn file(records: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        let (kind, data) = record.split_at(1);
        bytes.extend_from_slice(kind.as_bytes());
        bytes.push(u8::try_from(data.len()).unwrap());
        bytes.extend_from_slice(data.as_bytes());
    }
    bytes
}

const GOOD: [&str; 10] = [
    "C              7              1              1              0",
    "T1795461304 123",
    "Acreate_time=1795461305",
    "Sa@send.example",
    "Oalias@dom.example",
    "Rb@dom.example",
    "M",
    "Nhello",
    "X",
    "E",
];

#[test]
fn a_good_file_gives_all() {
    let (envelope, recorder) = read_bytes(&file(&GOOD), Writer::Cleanup);
    assert_eq!(
        envelope,
        Envelope {
            arrival: Some(1_795_461_304),
            created: Some(1_795_461_305),
            message_size: Some(7),
            has_size_record: true,
            has_sender: true,
            null_sender: false,
            recipients: 1,
            redirected: false,
            done: 0,
            canceled: 0,
            damage: None,
            torn: false,
        }
    );
    assert_eq!(
        recorder,
        "Sa@send.example Oalias@dom.example Rb@dom.example"
    );
}

#[test]
fn maildrop_files_are_walked_line_by_line() {
    let bytes = file(&[
        "T1795461304",
        "Ssender",
        "M",
        "Nline",
        "Lpart",
        "Nend",
        "X",
        "Rc@x",
        "E",
    ]);
    let (envelope, recorder) = read_bytes(&bytes, Writer::Postdrop);
    assert_eq!(recorder, "Ssender Rc@x");
    assert_eq!((envelope.message_size, envelope.damage), (None, None));
    // In another queue, the same file lacks its size record.
    let (envelope, _) = read_bytes(&bytes, Writer::Cleanup);
    assert_eq!(envelope.damage.unwrap().kind, DamageKind::BadSize);
}

#[test]
fn a_size_record_of_postdrop_says_nothing() {
    let bytes = file(&[
        "T1795461304",
        "C -1 -1 -1 -1 -1 1",
        "S",
        "Ra@x",
        "M",
        "N1",
        "X",
        "E",
    ]);
    let (envelope, _) = read_bytes(&bytes, Writer::Postdrop);
    assert_eq!(envelope.message_size, None);
    assert!(envelope.null_sender && envelope.damage.is_none());
}

#[test]
fn recipients_are_reported_by_their_state() {
    let mut records = GOOD.to_vec();
    records.splice(5..6, ["Dx@y", "Rb@dom.example", "/q@y", "Dz@y"]);
    records.insert(12, "Rlate@after.example");
    let (envelope, recorder) = read_bytes(&file(&records), Writer::Cleanup);
    assert_eq!(
        (envelope.recipients, envelope.done, envelope.canceled),
        (2, 2, 1)
    );
    assert!(
        recorder.ends_with("Rb@dom.example Rlate@after.example"),
        "{recorder}"
    );
    assert_eq!(envelope.damage, None);
}

#[test]
fn each_damage_has_its_name_and_the_rest_is_still_reported() {
    let without = |index: usize| {
        let mut records = GOOD.to_vec();
        records.remove(index);
        file(&records)
    };
    let with = |index: usize, record: &'static str| {
        let mut records = GOOD.to_vec();
        records[index] = record;
        file(&records)
    };
    let good = file(&GOOD);
    for (bytes, damage, recipients) in [
        (Vec::new(), DamageKind::Empty, 0),
        (good[..good.len() - 2].to_vec(), DamageKind::MissingEnd, 1),
        (good[..good.len() - 1].to_vec(), DamageKind::Truncated, 1),
        (without(0), DamageKind::BadSize, 1),
        (without(1), DamageKind::BadTime, 1),
        (without(3), DamageKind::RecipientBeforeSender, 1),
        (with(0, "C     7"), DamageKind::BadSize, 1),
        (with(0, "C 70000 1 1"), DamageKind::ContentSize, 1),
        (with(0, "C x 1 1"), DamageKind::BadSize, 1),
        (with(1, "T0"), DamageKind::BadTime, 1),
        (with(1, "T-5"), DamageKind::BadTime, 1),
        (with(1, "Tabc"), DamageKind::BadTime, 1),
        (with(1, "T99999999999999999999"), DamageKind::BadTime, 1),
        (with(2, "#what"), DamageKind::Unexpected(b'#'), 1),
    ] {
        let (envelope, _) = read_bytes(&bytes, Writer::Cleanup);
        assert_eq!(
            (
                envelope.damage.map(|damage| damage.kind),
                envelope.recipients
            ),
            (Some(damage), recipients),
            "{}",
            bytes.escape_ascii()
        );
    }
    let (envelope, _) = read_bytes(
        &file(&["C 7 1 1", "T1795461304", "M", "Nhello", "X", "E"]),
        Writer::Cleanup,
    );
    assert_eq!(envelope.damage.unwrap().kind, DamageKind::MissingSender);
}

#[test]
fn the_first_of_several_times_and_senders_counts() {
    let mut records = GOOD.to_vec();
    records.splice(4..4, ["T5", "Ssecond@x"]);
    let (envelope, recorder) = read_bytes(&file(&records), Writer::Cleanup);
    assert_eq!(envelope.arrival, Some(1_795_461_304));
    assert!(recorder.starts_with("Sa@send.example O"), "{recorder}");
    assert_eq!(envelope.damage, None);
}

proptest! {
    #[test]
    fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..1000)) {
        read_bytes(&bytes, Writer::Cleanup);
        read_bytes(&bytes, Writer::Postdrop);
    }

    #[test]
    fn any_change_of_a_good_file_ends(at in 0usize..190, byte: u8) {
        let mut bytes = file(&GOOD);
        let at = at % bytes.len();
        bytes[at] = byte;
        read_bytes(&bytes, Writer::Cleanup);
    }
}
