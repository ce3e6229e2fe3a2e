//! Normalises delay reasons: it replaces their changing parts, so that a thousand of them become one line.
//!
//! `host mx1.example.com[192.0.2.7] said: 452 4.2.2 <joe@example.com> full` and similar texts become
//! `host HOST[IP] said: 452 4.2.2 ADDRESS full`. Placeholders are words in capitals: `ADDRESS`, `HOST`, `IP`,
//! `URL`, `ID` (queue IDs and the IDs of servers), `TIME`, `N`. The parts that distinguish causes stay: SMTP
//! reply codes, enhanced status codes, ports, words. The normal form is a guess by the shape of words. It is
//! for display and never for a decision; the status code comes from the log itself (see
//! [`super::defer_log`]).

use super::status_code::is_status_code;
use super::word_shape::{
    Before, is_calendar, is_host, is_id, is_ip, is_number, is_numbered, is_reply_code, is_time,
    is_url, is_word,
};

/// The longest normalised reason, in bytes. A longer one is cut.
pub const MAX_NORMALISED: usize = 240;

/// Writes the normal form of `reason` to `out`, which is cleared first.
pub fn normalise(reason: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let mut rest = reason.trim_ascii();
    let mut before = Before::Start;
    while let Some(&first) = rest.first() {
        if out.len() >= MAX_NORMALISED {
            break;
        }
        // They carry no meaning around a placeholder for an address.
        if matches!(first, b'<' | b'>') {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        // "joe smith"@example.com
        if let Some(length) = quoted_address(rest) {
            out.extend_from_slice(b"ADDRESS");
            rest = rest.get(length..).unwrap_or_default();
            before = Before::Word;
            continue;
        }
        if !is_word(first) {
            let blank = first == b' ' || first.is_ascii_control();
            if !(blank && out.last() == Some(&b' ')) {
                out.push(if blank { b' ' } else { first });
            }
            before = match (first, before) {
                (b' ', before) => before,
                (b']', _) => Before::Bracket,
                _ => Before::Mark,
            };
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let length = rest.iter().take_while(|byte| is_word(**byte)).count();
        let (word, after) = rest.split_at_checked(length).unwrap_or((rest, b""));
        // A full stop or colon at the end of a word belongs to the sentence.
        let bare = word.trim_ascii_end();
        let kept = bare
            .iter()
            .rposition(|byte| !matches!(byte, b'.' | b':' | b'!' | b'?'))
            .map_or(0, |last| last + 1);
        let (core, tail) = word.split_at_checked(kept).unwrap_or((word, b""));
        let ends_clause = tail.contains(&b':');
        push_word(core, before, after, tail, out);
        out.extend_from_slice(tail);
        before = match (core, ends_clause) {
            (_, true) => Before::Mark,
            (core, false) if is_number(core) => Before::Number,
            _ => Before::Word,
        };
        rest = after;
    }
    out.truncate(MAX_NORMALISED);
}

/// Returns the length of the address that begins here with a quoted local part, if there is one.
fn quoted_address(rest: &[u8]) -> Option<usize> {
    /// The longest local part, in bytes. RFC 5321 allows 64.
    const LONGEST: usize = 256;
    let inside = rest.strip_prefix(b"\"")?;
    let end = memchr::memmem::find(inside.get(..LONGEST).unwrap_or(inside), b"\"@")?;
    let domain = inside.get(end + 2..)?;
    let length = domain.iter().take_while(|byte| is_word(**byte)).count();
    let domain = domain.get(..length)?;
    let sentence = |byte: &&u8| matches!(byte, b'.' | b':' | b'!' | b'?');
    let tail = domain.iter().rev().take_while(sentence).count();
    Some(end + 3 + length - tail)
}

fn push_word(mut word: &[u8], mut before: Before, after: &[u8], tail: &[u8], out: &mut Vec<u8>) {
    // `]:25` is a port.
    if before == Before::Bracket {
        if let Some(port) = word.strip_prefix(b":") {
            if is_number(port) {
                out.extend_from_slice(word);
                return;
            }
        }
    }
    if is_url(word) {
        out.extend_from_slice(b"URL");
        return;
    }
    // name=value, as in `name=example.com type=MX`.
    while let Some(equal) = word.iter().position(|byte| *byte == b'=') {
        let (name, value) = word.split_at_checked(equal + 1).unwrap_or((word, b""));
        let is_pair = !value.is_empty() && name.len() > 1 && !name.contains(&b'@');
        if !is_pair || out.len() >= MAX_NORMALISED {
            break;
        }
        out.extend_from_slice(name);
        (word, before) = (value, Before::Mark);
    }
    let placeholder: &[u8] = if word.contains(&b'@') || memchr::memmem::find(word, b"%40").is_some()
    {
        b"ADDRESS"
    } else if is_status_code(word) || is_reply_code(word, before, after) {
        word
    } else if is_time(word) || is_calendar(word, before, after) {
        b"TIME"
    } else if is_ip(word) {
        b"IP"
    } else if is_number(word) {
        b"N"
    } else if is_host(word) || after.first() == Some(&b'[') && tail.is_empty() {
        b"HOST"
    } else if is_id(word) {
        b"ID"
    } else if is_numbered(word) {
        return push_without_numbers(word, out);
    } else {
        word
    };
    out.extend_from_slice(placeholder);
}

/// Writes `word` with `N` for each number in it.
fn push_without_numbers(word: &[u8], out: &mut Vec<u8>) {
    let mut in_number = false;
    for byte in word {
        let number = byte.is_ascii_digit() || in_number && *byte == b'.';
        match (number, in_number) {
            (true, false) => out.push(b'N'),
            (true, true) => {}
            (false, _) => out.push(*byte),
        }
        in_number = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal(reason: &[u8]) -> String {
        let mut out = b"left over".to_vec();
        normalise(reason, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_reason_of_equals_signs_takes_no_stack() {
        let mut reason = b"a=".repeat(1_000_000);
        reason.push(b'b');
        assert!(normal(&reason).len() <= MAX_NORMALISED);
    }

    /// Texts of Postfix's own delivery agents and of large providers.
    #[test]
    fn variable_parts_become_placeholders_and_the_rest_stays() {
        for (reason, normalised) in [
            (
                "connect to mx.example.com[192.0.2.1]:25: Connection refused",
                "connect to HOST[IP]:25: Connection refused",
            ),
            (
                "451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (S77714) [AM0EUR02FT012.eop-EUR02.prod.protection.outlook.com 2024-03-01T10:12:13.123Z 08DC39A1B2C3D4E5]",
                "451 4.7.500 Server busy. Please try again later from [IP]. (S77714) [HOST TIME ID]",
            ),
            (
                "greylisted, retry in 4m32s (2024-03-01 10:12:13.123, 10/03/2024)",
                "greylisted, retry in NmNs (TIME TIME, TIME)",
            ),
            (
                "Ticket #12345: rate 15/hour for user=joe%40b.example at 2024-03-01T10:12:13+01:00",
                "Ticket #N: rate N/hour for user=ADDRESS at TIME",
            ),
            (
                "<\"joe smith\"@x.example>: from fe80::1%eth0 part 3/5",
                "ADDRESS: from IP part N/N",
            ),
            (
                "connect to mailhost[2001:db8::1]:25: No route to host",
                "connect to HOST[IP]:25: No route to host",
            ),
            (
                "host mx1.b.example[192.0.2.7] said: 452 4.2.2 <joe@b.example>: Mailbox full (in reply to RCPT TO command)",
                "host HOST[IP] said: 452 4.2.2 ADDRESS: Mailbox full (in reply to RCPT TO command)",
            ),
            (
                "Host or domain name not found. Name service error for name=gone.example type=MX: Host not found, try again",
                "Host or domain name not found. Name service error for name=HOST type=MX: Host not found, try again",
            ),
            (
                "delivery temporarily suspended: connect to 10.0.0.1[10.0.0.1]:24: Connection timed out",
                "delivery temporarily suspended: connect to IP[IP]:24: Connection timed out",
            ),
            (
                "conversation with mx.x.example[192.0.2.9] timed out while receiving the initial server greeting",
                "conversation with HOST[IP] timed out while receiving the initial server greeting",
            ),
            (
                "host mx.g.example[192.0.2.9] said: 421-4.7.28 Our system has detected 421 4.7.28 an unusual rate a640c23a62f3a-b72fd2d6si123.45 - gsmtp",
                "host HOST[IP] said: 421-4.7.28 Our system has detected 421 4.7.28 an unusual rate ID - gsmtp",
            ),
            (
                "450 4.7.1 Greylisted, try again in 300 seconds, see https://x.example/?ip=192.0.2.1",
                "450 4.7.1 Greylisted, try again in N seconds, see URL",
            ),
            (
                "temporary failure. Command output: lock of 4F2C1A0B3D since Sat, 21 Nov 2026 10:00:00 +0000 97% 12s",
                "temporary failure. Command output: lock of ID since TIME, N TIME N TIME N N% Ns",
            ),
            ("mail transport unavailable", "mail transport unavailable"),
            ("  two  blanks\tand a tab ", "two blanks and a tab"),
            (
                "TLS is required, but was not offered by host mx.a.example[::1]",
                "TLS is required, but was not offered by host HOST[IP]",
            ),
            ("", ""),
        ] {
            assert_eq!(normal(reason.as_bytes()), normalised);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_short_normal_form(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut out = Vec::new();
            normalise(&bytes, &mut out);
            prop_assert!(out.len() <= MAX_NORMALISED);
        }

        #[test]
        fn the_same_cause_has_the_same_normal_form(
            host in "[a-z]{1,9}[0-9]{0,2}\\.[a-z-]{0,5}[a-z]\\.(com|example|org)",
            ip in proptest::array::uniform4(any::<u8>()),
            user in "[a-z.+]{1,12}",
            id in "[0-9A-F]{2}[0-9][A-F][0-9A-F]{4,8}",
            seconds in 0u32..100_000,
        ) {
            let [a, b, c, d] = ip;
            let text = format!(
                "host {host}[{a}.{b}.{c}.{d}] said: 450 4.2.0 <{user}@{host}> {id} wait {seconds} s (in reply to DATA)"
            );
            prop_assert_eq!(
                normal(text.as_bytes()),
                "host HOST[IP] said: 450 4.2.0 ADDRESS ID wait N s (in reply to DATA)"
            );
        }
    }
}
