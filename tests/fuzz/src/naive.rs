//! A reader of queue files that has the whole file in memory and takes no short cut.
//!
//! It lists the records first and answers each question by a look at the list; so it has no state to
//! get wrong. It knows no pointer records and no padding, and gives up where it meets one.

use queuewatch::postfix::envelope::{Envelope, Writer};
use queuewatch::postfix::damage::{Damage, DamageKind};
use queuewatch::postfix::record::MAX_RECORD;

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The type byte.
    pub kind: u8,
    /// The data.
    pub data: &'a [u8],
    /// Where it begins.
    pub offset: u64,
    /// Where the next one begins.
    pub end: u64,
    /// Whether it stands in the content, where it does not belong.
    pub stray: bool,
}

/// The record at `offset`; `None` at or beyond the end of the file.
///
/// # Errors
/// What is wrong with it.
pub fn record(file: &[u8], offset: u64) -> Result<Option<Record<'_>>, DamageKind> {
    let Some(rest) = usize::try_from(offset).ok().and_then(|at| file.get(at..)) else {
        return Ok(None);
    };
    let Some((&kind, rest)) = rest.split_first() else {
        return Ok(None);
    };
    let groups: Vec<u8> = rest.iter().copied().take(4).collect();
    let Some(last) = groups.iter().position(|group| *group < 0x80) else {
        return Err(match groups.len() {
            4 => DamageKind::RecordLength,
            _ => DamageKind::Truncated,
        });
    };
    let length = groups[..=last]
        .iter()
        .rev()
        .fold(0u64, |length, group| length * 128 + u64::from(group % 128));
    if length > u64::from(MAX_RECORD) {
        return Err(DamageKind::RecordLength);
    }
    let length = usize::try_from(length).expect("checked");
    let Some(data) = rest.get(last + 1..last + 1 + length) else {
        return Err(DamageKind::Truncated);
    };
    let end = offset + 2 + (last + length) as u64;
    Ok(Some(Record {
        kind,
        data,
        offset,
        end,
        stray: false,
    }))
}

/// What a reader reports to the visitor of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The names are the visitor's.
pub enum Reported {
    Arrival(i64),
    Sender(Vec<u8>),
    OriginalRecipient(Vec<u8>),
    Recipient(Vec<u8>),
}

/// The envelope of `file` and its reports, in order; `None` if a pointer record or padding is
/// in the way.
pub fn read(file: &[u8], writer: Writer) -> Option<(Envelope, Vec<Reported>)> {
    let mut records = Vec::new();
    let end = list(file, &mut records)?;
    let of = |kind| {
        let records = records.iter();
        records.filter(move |record| record.kind == kind && !record.stray)
    };
    let first = |kind| of(kind).next();
    let count = |kind| of(kind).count() as u64;

    let time = of(b'T').find(|record| is_time(record)).or(first(b'T'));
    let sender = first(b'S');
    let size = first(b'C');
    let arrival = time
        .and_then(|time| number(time.data))
        .filter(|&time| time > 0);
    let envelope = Envelope {
        arrival,
        created: of(b'A')
            .filter_map(|record| record.data.strip_prefix(b"create_time="))
            .next_back()
            .and_then(number),
        message_size: size.and_then(|size| message_size(size.data)),
        has_size_record: size.is_some(),
        has_sender: sender.is_some(),
        null_sender: sender.is_some_and(|sender| sender.data.is_empty()),
        recipients: count(b'R'),
        redirected: first(b'>').is_some(),
        done: count(b'D'),
        canceled: count(b'/'),
        damage: damage(&records, &end, writer),
        torn: matches!(end, End::Damaged(_)),
    };
    let envelope_records = records.iter().filter(|record| !record.stray);
    let told = envelope_records.filter_map(|record| match record.kind {
        b'T' if record.offset == time?.offset => arrival.map(Reported::Arrival),
        b'S' if record.offset == sender?.offset => Some(Reported::Sender(record.data.into())),
        b'O' => Some(Reported::OriginalRecipient(record.data.into())),
        b'R' => Some(Reported::Recipient(record.data.into())),
        _ => None,
    });
    Some((envelope, told.collect()))
}

/// How the list of records ends.
enum End {
    /// After an end record.
    Sound(u64),
    /// With this.
    Damaged(Damage),
}

/// Lists the records of the envelope, and those of the content that do not belong there.
fn list<'f>(file: &'f [u8], records: &mut Vec<Record<'f>>) -> Option<End> {
    let damaged = |kind, offset| Some(End::Damaged(Damage { kind, offset }));
    let mut at = 0;
    let mut content = false;
    let mut unexpected = 0;
    loop {
        let record = match record(file, at) {
            Ok(Some(record)) => record,
            Ok(None) if at == 0 => return damaged(DamageKind::Empty, at),
            Ok(None) => return damaged(DamageKind::MissingEnd, at),
            Err(kind) => return damaged(kind, at),
        };
        at = record.end;
        let known = b"RD/OSTCMEpw".contains(&record.kind) || ATTRIBUTES.contains(&record.kind);
        let expected = match content {
            true => b"XNLpw".contains(&record.kind),
            false => known,
        };
        unexpected += u32::from(!expected);
        match (record.kind, content) {
            (b'p' | b'w', _) => return None,
            (b'E', false) => return Some(End::Sound(at)),
            (b'M', false) => {
                let size = records
                    .iter()
                    .find(|record| record.kind == b'C' && !record.stray);
                let Some(size) = size.and_then(|size| message_size(size.data)) else {
                    content = true;
                    continue;
                };
                // The size says where the content ends: there must be its last record.
                match self::record(file, at.saturating_add(size)) {
                    Ok(Some(last)) if last.kind == b'X' => at = last.end,
                    Ok(Some(last)) if matches!(last.kind, b'p' | b'w') => return None,
                    Ok(_) => return damaged(DamageKind::ContentSize, at),
                    Err(kind) => return damaged(kind, at.saturating_add(size)),
                }
            }
            (b'X', true) => content = false,
            (b'N' | b'L', true) => {}
            (_, true) => records.push(Record {
                stray: true,
                ..record
            }),
            (_, false) => records.push(record),
        }
        if unexpected > MAX_UNEXPECTED {
            return damaged(DamageKind::Unexpected(record.kind), record.offset);
        }
    }
}

/// What needs no look.
const ATTRIBUTES: &[u8] = b"ALFI>WKVrePcion<B";
/// How many records without a place are skipped.
const MAX_UNEXPECTED: u32 = 16;

/// The first thing wrong.
fn damage(records: &[Record<'_>], end: &End, writer: Writer) -> Option<Damage> {
    let place = |kind| {
        let mut records = records.iter();
        records.position(|record| record.kind == kind && !record.stray)
    };
    let time = records
        .iter()
        .position(|record| record.kind == b'T' && !record.stray && is_time(record));
    let of_records = records.iter().enumerate().filter_map(|(index, record)| {
        let kind = match record.kind {
            other if record.stray => DamageKind::Unexpected(other),
            b'R' if place(b'S').is_none_or(|sender| sender > index) => {
                DamageKind::RecipientBeforeSender
            }
            b'T' if time.is_none_or(|time| index <= time)
                && number(record.data).is_none_or(|time| time <= 0) =>
            {
                DamageKind::BadTime
            }
            b'C' if place(b'C') == Some(index)
                && writer == Writer::Cleanup
                && !is_sound_size(record.data) =>
            {
                DamageKind::BadSize
            }
            b'R' | b'D' | b'/' | b'O' | b'S' | b'T' | b'C' => return None,
            kind if ATTRIBUTES.contains(&kind) => return None,
            other => DamageKind::Unexpected(other),
        };
        Some(Damage {
            kind,
            offset: record.offset,
        })
    });
    let at_end = match end {
        End::Damaged(damage) => Some(*damage),
        End::Sound(_) if place(b'C').is_none() && writer == Writer::Cleanup => Some(Damage {
            kind: DamageKind::BadSize,
            offset: 0,
        }),
        End::Sound(end) if place(b'T').is_none() => Some(Damage {
            kind: DamageKind::BadTime,
            offset: *end,
        }),
        End::Sound(end) if place(b'S').is_none() => Some(Damage {
            kind: DamageKind::MissingSender,
            offset: *end,
        }),
        End::Sound(_) => None,
    };
    of_records.chain(at_end).next()
}

/// Whether a time record counts, and those behind it do not.
fn is_time(record: &Record<'_>) -> bool {
    number(record.data).is_some_and(|time| time != 0)
}

/// What mailq takes from a size record: field 1, if there are digits and blanks only.
fn message_size(data: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(data).ok()?;
    if !text.chars().all(|c| c == ' ' || c.is_ascii_digit()) {
        return None;
    }
    let size: i64 = text.split_whitespace().next()?.parse().ok()?;
    u64::try_from(size).ok()
}

/// What qmgr wants of it: three fields, the first two above 0.
fn is_sound_size(data: &[u8]) -> bool {
    let fields: Vec<&[u8]> = data
        .split(|byte| *byte == b' ')
        .filter(|field| !field.is_empty())
        .collect();
    let above_zero = |field: &[u8]| number(field).is_some_and(|number| number > 0);
    matches!(fields[..], [size, offset, _, ..] if above_zero(size) && above_zero(offset))
}

/// The number that `data` starts with: blanks, perhaps a sign, digits, whatever.
fn number(data: &[u8]) -> Option<i64> {
    let text: String = data.iter().map(|&byte| char::from(byte)).collect();
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let digits = &digits[..digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len())];
    let value: i64 = digits.parse().ok()?;
    Some(if text.starts_with('-') { -value } else { value })
}
