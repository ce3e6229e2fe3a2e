//! A message as `postqueue -j` and `postqueue -p` print it (postfix.md, "postqueue"), but each
//! recipient once.
//!
//! First come the recipients that the defer log names, with their reasons and in its order, then those
//! of the queue file that it does not name. Where the log names a recipient more than once, the last
//! entry counts.

use std::io::Write as _;

use crate::escape::{json_mailq_text, mailq_text};
use crate::postfix::address::MAILER_DAEMON;
use crate::postfix::defer_log::{Log, NO_ADDRESS};
use crate::postfix::queue::Queue;
use crate::postfix::quote::quote_local;
use crate::scan::MessageRow;
use crate::sys;

/// Which of the forms that releases of Postfix print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Postfix 3.5 to 3.10.
    V3_5,
    /// Postfix 3.11 and later: with original addresses, and with recipients that were given up.
    V3_11,
}

/// Appends the JSON object of `row` and a newline. `utf8` is `smtputf8_enable`; `instance` is the name
/// of its instance where several are listed.
pub fn json_line(
    row: &MessageRow,
    utf8: bool,
    keys: Keys,
    instance: Option<&str>,
    out: &mut Vec<u8>,
) {
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
    json_mailq_text(printable(&row.sender, utf8, &mut text), out);
    out.extend_from_slice(b"\", \"recipients\": [");
    let mut first = true;
    each_recipient(row, utf8, keys, &mut |recipient| {
        out.extend_from_slice(if first { b"{" } else { b", {" });
        first = false;
        if keys == Keys::V3_11 {
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

/// Appends the text form of `row`, after an empty line. `long` is `enable_long_queue_ids`; with
/// `harmless`, what a terminal could obey in UTF-8 becomes `?`.
pub fn text_block(row: &MessageRow, utf8: bool, long: bool, harmless: bool, out: &mut Vec<u8>) {
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
        // asctime's newline is the 25th character, or the 20th that the short form cuts out.
        Some(time) => format!("{time} "),
        None => "(null)".to_owned(),
    };
    let size = row.size;
    // Writing into a Vec cannot fail.
    let _ = match long {
        true => write!(out, "\n{id:<17} {size:>8} {time:>19.19} "),
        false => write!(out, "\n{id:<11} {size:>7} {time:>20.20} "),
    };
    shown(printable(&row.sender, utf8, &mut text), harmless, out);
    out.push(b'\n');
    let mut saved: Vec<u8> = Vec::new();
    each_recipient(row, utf8, Keys::V3_5, &mut |recipient| {
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

/// As showq has it, in every queue.
fn has_expiry_bit(row: &MessageRow) -> bool {
    row.inode.is_some_and(|inode| inode.mode & 0o010 != 0)
}

/// A raw address, quoted and made printable; the empty one is that of the mail system.
fn printable<'t>(address: &[u8], utf8: bool, text: &'t mut Vec<u8>) -> &'t [u8] {
    text.clear();
    let end = address.iter().position(|byte| *byte == 0);
    match &address[..end.unwrap_or(address.len())] {
        b"" => text.extend_from_slice(MAILER_DAEMON),
        address => quoted(address, utf8, text),
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

/// One recipient as it is printed.
struct Recipient<'r> {
    address: &'r [u8],
    original: &'r [u8],
    log: Log,
    reason: &'r [u8],
}

/// Recipients in the order of showq, each address once: what the defer log said of it last, else its
/// first record.
fn each_recipient(row: &MessageRow, utf8: bool, keys: Keys, each: &mut dyn FnMut(Recipient<'_>)) {
    // Most messages need no more memory than this.
    let some = || Vec::with_capacity(256);
    // All addresses as they are printed, one after the other.
    let mut text = some();
    let most = row.logged().len() + row.recipient_count();
    let mut items: Vec<Item> = Vec::with_capacity(most);
    for (place, entry) in row.logged().enumerate() {
        if keys == Keys::V3_11 || entry.log == Log::Defer {
            let start = text.len();
            mailq_text(entry.address, utf8, &mut text);
            items.push(Item {
                address: (start, text.len()),
                logged: true,
                place,
            });
        }
    }
    let mut address = some();
    for (place, recipient) in row.recipients().enumerate() {
        let start = text.len();
        text.extend_from_slice(printable(recipient, utf8, &mut address));
        items.push(Item {
            address: (start, text.len()),
            logged: false,
            place,
        });
    }
    let kept = kept(&items, &text);
    let mut entries = row.logged().enumerate();
    let (mut original, mut reason) = (Vec::new(), some());
    for (item, _) in items.iter().zip(kept).filter(|(_, kept)| *kept) {
        original.clear();
        reason.clear();
        let mut log = Log::Defer;
        if item.logged {
            if let Some((_, entry)) = entries.find(|(place, _)| *place == item.place) {
                if keys == Keys::V3_11 {
                    mailq_text(entry.original, utf8, &mut original);
                }
                mailq_text(entry.reason, utf8, &mut reason);
                log = entry.log;
            }
        } else if keys == Keys::V3_11 {
            match row.original(item.place) {
                Some(address) => quoted(address, utf8, &mut original),
                // The recipient as it is printed.
                None => original.extend_from_slice(&text[item.address.0..item.address.1]),
            }
        }
        each(Recipient {
            address: &text[item.address.0..item.address.1],
            original: &original,
            log,
            reason: &reason,
        });
    }
}

/// Recipients that are compared each with each.
const FEW: usize = 8;

/// A recipient that is to be printed, if no other entry speaks for its address.
struct Item {
    /// Where its address lies in the text.
    address: (usize, usize),
    /// Whether it is an entry of a log, or a record of the queue file.
    logged: bool,
    /// Its place among those.
    place: usize,
}

/// Which of `items` are printed: of those with one address the last of a log, else the first record.
fn kept(items: &[Item], text: &[u8]) -> Vec<bool> {
    let mut kept = vec![true; items.len()];
    let address = |item: usize| &text[items[item].address.0..items[item].address.1];
    // Entries without an address are of recipients that nobody can tell apart.
    let is_same = |a, b| address(a) == address(b) && address(a) != NO_ADDRESS;
    // Few: most messages have one recipient, named by the log and by the file.
    if items.len() <= FEW {
        for item in 0..items.len() {
            let same = |other: &usize| *other != item && is_same(*other, item);
            let others = || (0..items.len()).filter(same);
            kept[item] = match items[item].logged {
                true => !others().any(|other| other > item && items[other].logged),
                false => !others().any(|other| other < item || items[other].logged),
            };
        }
        return kept;
    }
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_unstable_by(|a, b| address(*a).cmp(address(*b)).then(a.cmp(b)));
    for same in order.chunk_by(|a, b| is_same(*a, *b)) {
        let last_logged = same.iter().rev().find(|item| items[**item].logged);
        let chosen = last_logged.or(same.first());
        for item in same {
            kept[*item] = Some(item) == chosen;
        }
    }
    kept
}
