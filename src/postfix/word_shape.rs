//! What a word of a delay reason is by its shape: a number, a time, an address of a host, an ID. It is a guess.

use super::status_code::is_status_code;

/// What comes before a word.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Before {
    Start,
    /// A closing bracket: a port may follow.
    Bracket,
    /// Another punctuation mark.
    Mark,
    Number,
    Word,
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte > 127
        || matches!(
            byte,
            b'.' | b'-'
                | b'_'
                | b'@'
                | b':'
                | b'='
                | b'/'
                | b'+'
                | b'%'
                | b'!'
                | b'?'
                | b'#'
                | b'~'
                | b'&'
                | b'*'
                | b'^'
                | b'$'
        )
}

pub(super) fn is_url(word: &[u8]) -> bool {
    [&b"http://"[..], b"https://"]
        .into_iter()
        .any(|scheme| word.len() > scheme.len() && word.starts_with(scheme))
}

/// Returns true for digits, with an optional sign and one optional decimal point.
pub(super) fn is_number(word: &[u8]) -> bool {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    let points = memchr::memchr_iter(b'.', digits).count();
    digits.first().is_some_and(u8::is_ascii_digit)
        && points <= 1
        && digits
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// Recognises an SMTP reply code: three digits at the start of a clause or before a status code. It also
/// recognises `550-5.7.1`, a code with its status code, from a reply of several lines.
pub(super) fn is_reply_code(word: &[u8], before: Before, after: &[u8]) -> bool {
    let three = |code: &[u8]| {
        code.len() == 3
            && matches!(code.first(), Some(b'2' | b'4' | b'5'))
            && code.iter().all(u8::is_ascii_digit)
    };
    if let Some((code, rest)) = word.split_at_checked(3) {
        if three(code) && rest.first() == Some(&b'-') {
            return is_status_code(rest.get(1..).unwrap_or_default());
        }
    }
    let next = after.trim_ascii_start();
    let end = next
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(next.len());
    three(word)
        && (matches!(before, Before::Start | Before::Mark)
            || is_status_code(next.get(..end).unwrap_or_default()))
}

/// Recognises `10:00`, `10:00:00.5`, `2026-11-23`, `23/11/2026`, and date and time joined as in ISO 8601.
pub(super) fn is_time(word: &[u8]) -> bool {
    let (date, time) = match word.get(10) {
        Some(b'T' | b't' | b'_') => (word.get(..10), word.get(11..).unwrap_or_default()),
        _ => (None, word),
    };
    let zone = time
        .iter()
        .position(|byte| matches!(byte, b'Z' | b'z' | b'+'));
    let zone = zone.or_else(|| date.and(time.iter().rposition(|byte| *byte == b'-')));
    let (time, zone) = time
        .split_at_checked(zone.unwrap_or(time.len()))
        .unwrap_or((time, b""));
    let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b':';
    if !zone.iter().skip(1).all(digits) {
        return false;
    }
    let (time, fraction) = match time.iter().position(|byte| *byte == b'.') {
        Some(point) => time.split_at_checked(point).unwrap_or((time, b"")),
        None => (time, &b""[..]),
    };
    let fraction = fraction.get(1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let clock = is_calendar_number(time, fraction.is_empty());
    date.map_or(clock, |date| clock && is_calendar_number(date, true))
}

/// Recognises numbers with marks between them, as in times and (with `dates`) dates.
pub(super) fn is_calendar_number(word: &[u8], dates: bool) -> bool {
    let parts_of = |mark: u8, lengths: &[std::ops::RangeInclusive<usize>]| {
        let mut parts = word.split(|byte| *byte == mark);
        let mut count = 0;
        let fit = parts.all(|part| {
            let wanted = lengths.get(count).cloned().unwrap_or(0..=0);
            count += 1;
            wanted.contains(&part.len()) && part.iter().all(u8::is_ascii_digit) && !part.is_empty()
        });
        fit && count > 1
    };
    parts_of(b':', &[1..=2, 2..=2, 2..=2])
        || dates && parts_of(b'-', &[4..=4, 2..=2, 2..=2]) && word.len() == 10
        || dates && parts_of(b'/', &[1..=4, 1..=2, 1..=4]) && word.len() >= 8
}

/// Recognises a weekday or a month next to a number.
pub(super) fn is_calendar(word: &[u8], before: Before, after: &[u8]) -> bool {
    const NAMES: &[u8] = b"MonTueWedThuFriSatSunJanFebMarAprMayJunJulAugSepOctNovDec";
    let named = word.len() == 3 && NAMES.chunks(3).any(|name| name == word);
    let next = after
        .iter()
        .find(|byte| !matches!(byte, b' ' | b','))
        .is_some_and(u8::is_ascii_digit);
    named && (before == Before::Number || next)
}

pub(super) fn is_ip(word: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(word) else {
        return false;
    };
    let bare = text.split_once('/').map_or(text, |(address, _)| address);
    // fe80::1%eth0
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    // 192.0.2.1:25
    matches!(bare.rsplit_once(':'), Some((address, port))
        if address.parse::<std::net::Ipv4Addr>().is_ok() && is_number(port.as_bytes()))
        || bare
            .get(..5)
            .is_some_and(|head| head.eq_ignore_ascii_case("ipv6:"))
            && bare
                .get(5..)
                .is_some_and(|rest| rest.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Recognises labels with dots between them, the last of letters only.
pub(crate) fn is_host(word: &[u8]) -> bool {
    let word = match word.iter().position(|byte| *byte == b':') {
        // host:port
        Some(colon) => match word.split_at_checked(colon) {
            Some((host, port)) if is_number(port.get(1..).unwrap_or_default()) => host,
            _ => return false,
        },
        None => word,
    };
    let label = |label: &[u8]| {
        !label.is_empty()
            && label.iter().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || *byte > 127
            })
    };
    let last = word.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let top =
        last.len() >= 2 && last.iter().all(u8::is_ascii_alphabetic) || last.starts_with(b"xn--");
    top && word.contains(&b'.') && word.split(|byte| *byte == b'.').all(label)
}

/// Recognises letters and digits mixed, as in queue IDs: at least six in upper-case hexadecimal, or at least
/// eight.
pub(super) fn is_id(word: &[u8]) -> bool {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = word
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let plain = word
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let short_id = word.len() >= 6
        && word
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'A'..=b'F'));
    digits > 0 && letters > 0 && (short_id || plain && word.len() >= 8 && digits >= 2)
}

/// Recognises numbers with short units or marks between them: `10s`, `4m32s`, `5MB`, `97%`, `#12345`,
/// `15/hour`, `3/5`.
pub(super) fn is_numbered(word: &[u8]) -> bool {
    let number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    let (mark, rest) = match word.strip_prefix(b"#") {
        Some(rest) => (true, rest),
        None => (false, word),
    };
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    if let Some(slash) = rest.iter().position(|byte| *byte == b'/') {
        let (before, after) = rest.split_at_checked(slash).unwrap_or((rest, b""));
        let after = after.get(1..).unwrap_or_default();
        let letters = after.iter().all(u8::is_ascii_alphabetic);
        return is_number(before) && !after.is_empty() && (letters || is_number(after));
    }
    let units = rest.split(number).filter(|unit| !unit.is_empty());
    let plain = |unit: &[u8]| {
        unit.len() <= 2
            && unit
                .iter()
                .all(|byte| byte.is_ascii_alphabetic() || *byte == b'%')
    };
    let mut count = 0;
    let fit = units.inspect(|_| count += 1).all(plain);
    // An upper-case letter between digits belongs to an ID.
    let several = count > 1 && !rest.iter().any(u8::is_ascii_uppercase);
    fit && (mark || count == 1 && !rest.last().is_some_and(number) || several)
}
