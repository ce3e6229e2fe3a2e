//! A message as `postqueue -j` and `postqueue -p` print it (postfix.md, "postqueue"). Each recipient
//! record of the queue file appears once.
//!
//! Recipients in the defer log come first, in the order of the log and with their reasons; the others
//! follow. Two aliases that expand to one address are two recipients, and so are two addresses that
//! print alike: `listing::recipients` joins log and file by the offset of the recipient record.

use std::io::Write as _;

use crate::escape::{json_mailq_text, mailq_text};
use crate::listing::recipients::in_order;
use crate::postfix::defer_log::Log;
use crate::postfix::queue::Queue;
use crate::postfix::quote::quote_local;
use crate::scan::{Logged, MessageRow};
use crate::sys;

/// Which keys to print; they differ between releases of Postfix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Postfix 3.5 to 3.10.
    V3_5,
    /// Postfix 3.11 and later: adds original addresses and bounced recipients.
    V3_11,
}

/// What decides how addresses and recipients are printed.
#[derive(Clone, Copy, Debug)]
pub struct Style<'s> {
    /// `smtputf8_enable`.
    pub utf8: bool,
    /// The release whose form it is.
    pub keys: Keys,
    /// `empty_address_recipient`: what an empty address is printed as.
    pub empty_address: &'s [u8],
}

/// Appends the JSON object of `row` and a newline. `instance` is the name of its instance where several
/// are listed.
pub fn json_line(row: &MessageRow, style: Style<'_>, instance: Option<&str>, out: &mut Vec<u8>) {
    let mut text = Vec::new();
    out.extend_from_slice(b"{\"queue_name\": \"");
    out.extend_from_slice(row.queue.map_or("", Queue::name).as_bytes());
    out.extend_from_slice(b"\", \"queue_id\": \"");
    json_mailq_text(&row.queue_id, out);
    // Writing into a Vec cannot fail.
    let _ = write!(
        out,
        "\", \"arrival_time\": {}, \"message_size\": {}, \"forced_expire\": {}, \"sender\": \"",
        row.arrival(),
        row.size,
        has_expiry_bit(row)
    );
    json_mailq_text(printable(&row.sender, style, &mut text), out);
    out.extend_from_slice(b"\", \"recipients\": [");
    let mut first = true;
    each_recipient(row, style, &mut |recipient| {
        out.extend_from_slice(if first { b"{" } else { b", {" });
        first = false;
        if style.keys == Keys::V3_11 {
            out.extend_from_slice(b"\"orig_address\": \"");
            json_mailq_text(recipient.original, out);
            out.extend_from_slice(b"\", ");
        }
        out.extend_from_slice(b"\"address\": \"");
        json_mailq_text(recipient.address, out);
        out.push(b'"');
        if !recipient.reason.is_empty() {
            let key = match recipient.log {
                Log::Defer => "delay_reason",
                Log::Bounce => "bounce_reason",
                Log::Trace => "other_reason",
            };
            let _ = write!(out, ", \"{key}\": \"");
            json_mailq_text(recipient.reason, out);
            out.push(b'"');
        }
        out.push(b'}');
    });
    out.push(b']');
    if let Some(instance) = instance {
        out.extend_from_slice(b", \"instance\": \"");
        json_mailq_text(instance.as_bytes(), out);
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
}

/// The headings of the text form.
pub fn heading(long: bool) -> &'static str {
    if long {
        "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
    } else {
        "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n"
    }
}

/// The last lines of the text form.
pub fn summary(messages: u64, bytes: u64) -> String {
    if messages == 0 {
        return "Mail queue is empty\n".to_owned();
    }
    let plural = if messages == 1 { "" } else { "s" };
    format!(
        "\n-- {} Kbytes in {messages} Request{plural}.\n",
        bytes / 1024
    )
}

/// Appends the text form of `row`, after an empty line. `long` is `enable_long_queue_ids`. With
/// `harmless`, UTF-8 sequences that a terminal could interpret become `?`.
pub fn text_block(
    row: &MessageRow,
    style: Style<'_>,
    long: bool,
    harmless: bool,
    out: &mut Vec<u8>,
) {
    let mut text = Vec::new();
    let mut id = String::from_utf8_lossy(&row.queue_id).into_owned();
    match row.queue {
        Some(Queue::Active) => id.push('*'),
        Some(Queue::Hold) => id.push('!'),
        _ => {}
    }
    if has_expiry_bit(row) {
        id.push('#');
    }
    let time = match sys::local_time(row.arrival()) {
        // asctime's newline is the 25th character, or the 20th that the short form removes.
        Some(time) => format!("{time} "),
        None => "(null)".to_owned(),
    };
    let size = row.size;
    // Writing into a Vec cannot fail.
    let _ = match long {
        true => write!(out, "\n{id:<17} {size:>8} {time:>19.19} "),
        false => write!(out, "\n{id:<11} {size:>7} {time:>20.20} "),
    };
    shown(printable(&row.sender, style, &mut text), harmless, out);
    out.push(b'\n');
    let mut saved: Vec<u8> = Vec::new();
    each_recipient(row, style, &mut |recipient| {
        if saved != recipient.reason {
            saved.clear();
            saved.extend_from_slice(recipient.reason);
            let reason = match saved.as_slice() {
                b"" => b"reason unavailable",
                reason => reason,
            };
            let padding = 76_usize.saturating_sub(reason.len());
            out.resize(out.len() + padding, b' ');
            out.push(b'(');
            shown(reason, harmless, out);
            out.extend_from_slice(b")\n");
        }
        let columns = if long {
            17 + 1 + 8 + 1 + 19 + 1
        } else {
            11 + 1 + 7 + 1 + 20 + 1
        };
        out.resize(out.len() + columns, b' ');
        shown(recipient.address, harmless, out);
        out.push(b'\n');
    });
}

fn shown(text: &[u8], harmless: bool, out: &mut Vec<u8>) {
    if !harmless {
        out.extend_from_slice(text);
        return;
    }
    for character in String::from_utf8_lossy(text).chars() {
        let character = if crate::escape::obeyed(character) {
            '?'
        } else {
            character
        };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Whether the file has the expiry bit. Like showq, tests it in every queue.
fn has_expiry_bit(row: &MessageRow) -> bool {
    row.inode.is_some_and(|inode| inode.mode & 0o010 != 0)
}

/// A raw address, quoted and made printable; the empty one is that of `empty_address_recipient`.
fn printable<'t>(address: &[u8], style: Style<'_>, text: &'t mut Vec<u8>) -> &'t [u8] {
    text.clear();
    match address {
        // As a C string it is empty, too.
        [] | [0, ..] => quoted(style.empty_address, style.utf8, text),
        address => quoted(address, style.utf8, text),
    }
    text
}

/// A raw address, quoted and made printable.
fn quoted(address: &[u8], utf8: bool, text: &mut Vec<u8>) {
    let end = address.iter().position(|byte| *byte == 0);
    let mut quoted = Vec::with_capacity(address.len() + 2);
    quote_local(&address[..end.unwrap_or(address.len())], &mut quoted);
    mailq_text(&quoted, utf8, text);
}

/// One recipient in its printed form.
struct Recipient<'r> {
    address: &'r [u8],
    original: &'r [u8],
    log: Log,
    reason: &'r [u8],
}

/// Calls `each` with the recipients in the order of showq; with [`Keys::V3_11`] also those that bounced.
fn each_recipient(row: &MessageRow, style: Style<'_>, each: &mut dyn FnMut(Recipient<'_>)) {
    let Style { utf8, keys, .. } = style;
    let entries: Vec<Logged<'_>> = row.logged().collect();
    let (mut address, mut original, mut reason) = (Vec::new(), Vec::new(), Vec::new());
    for listed in in_order(row, &entries, keys == Keys::V3_11) {
        original.clear();
        reason.clear();
        let entry = listed.entry.map(|place| &entries[place]);
        if let Some(recipient) = listed.record.and_then(|place| row.recipient(place)) {
            printable(recipient, style, &mut address);
        } else {
            address.clear();
            mailq_text(entry.map_or(b"", |entry| entry.address), utf8, &mut address);
        }
        if keys == Keys::V3_11 {
            match (entry, listed.record.and_then(|place| row.original(place))) {
                (Some(entry), _) => mailq_text(entry.original, utf8, &mut original),
                (None, Some(before)) => quoted(before, utf8, &mut original),
                // The printed recipient.
                (None, None) => original.extend_from_slice(&address),
            }
        }
        if let Some(entry) = entry {
            mailq_text(entry.reason, utf8, &mut reason);
        }
        each(Recipient {
            address: &address,
            original: &original,
            log: entry.map_or(Log::Defer, |entry| entry.log),
            reason: &reason,
        });
    }
}
