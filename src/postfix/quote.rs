//! Quotes addresses as mailq prints them: it quotes the local part where RFC 5321 requires that
//! (quote_822_local.c; postfix.md, "How addresses are printed"). Queue files hold addresses unquoted.

/// Appends `address` to `quoted`, with its local part in quotes unless it is a dot-atom. A source route
/// before it stays unchanged. Bytes above 127 need no quotes.
pub fn quote_local(address: &[u8], quoted: &mut Vec<u8>) {
    let start = match address.first() {
        Some(b'@') => memchr::memchr(b':', address).map_or(0, |colon| colon + 1),
        _ => 0,
    };
    let (route, rest) = address.split_at_checked(start).unwrap_or((address, b""));
    let at = memchr::memrchr(b'@', rest).unwrap_or(rest.len());
    let (local, domain) = rest.split_at_checked(at).unwrap_or((rest, b""));
    quoted.extend_from_slice(route);
    if is_dot_atom(local) {
        quoted.extend_from_slice(local);
    } else {
        quoted.push(b'"');
        for &byte in local {
            if matches!(byte, b'"' | b'\\' | b'\r') {
                quoted.push(b'\\');
            }
            quoted.push(byte);
        }
        quoted.push(b'"');
    }
    quoted.extend_from_slice(domain);
}

fn is_dot_atom(local: &[u8]) -> bool {
    let special = |byte: &u8| {
        matches!(
            byte,
            0..=b' '
                | 0x7f
                | b'('
                | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'['
                | b']'
        )
    };
    !local.is_empty()
        && local.first() != Some(&b'.')
        && local.last() != Some(&b'.')
        && memchr::memmem::find(local, b"..").is_none()
        && !local.iter().any(special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_parts_are_quoted_as_postfix_quotes_them() {
        for (address, quoted) in [
            (&b"user@example.com"[..], "user@example.com"),
            (b"a.b+c=d@x", "a.b+c=d@x"),
            (b"a@b@x", "\"a@b\"@x"),
            (b"@x", "\"\"@x"),
            (b"user@", "user@"),
            (b"user", "user"),
            (b"two words@x", "\"two words\"@x"),
            (b".a@x", "\".a\"@x"),
            (b"a.@x", "\"a.\"@x"),
            (b"a..b@x", "\"a..b\"@x"),
            (b"q\"s\\@x", "\"q\\\"s\\\\\"@x"),
            (b"cr\r@x", "\"cr\\\r\"@x"),
            (b"\xc3\xbc@x", "\u{fc}@x"),
            (b"@a,@b:u@c", "@a,@b:u@c"),
            (b"@a:u v@c", "@a:\"u v\"@c"),
            (b"u@[1.2.3.4]", "u@[1.2.3.4]"),
        ] {
            let mut out = Vec::new();
            quote_local(address, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), quoted);
        }
    }
}
