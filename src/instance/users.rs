//! Numbers of local users and groups, from the files that Postfix's package adds its own to.
//!
//! No directory service is asked: that loads foreign code into the host, and may wait for a network.

/// The number of the local user `name`.
pub(crate) fn local_user(name: &str) -> Option<u32> {
    numeric_field(&std::fs::read("/etc/passwd").ok()?, name, 2)
}

/// The number of the local group `name`.
pub(crate) fn local_group(name: &str) -> Option<u32> {
    numeric_field(&std::fs::read("/etc/group").ok()?, name, 2)
}

/// The number in a field, counted from 0, of the line that `name` has in a file like passwd(5).
pub(crate) fn numeric_field(file: &[u8], name: &str, field: usize) -> Option<u32> {
    file.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        if fields.next()? != name.as_bytes() {
            return None;
        }
        let text = fields.nth(field.checked_sub(1)?)?;
        std::str::from_utf8(text).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_from_the_line_of_the_name() {
        let file =
            b"root:x:0:0:root:/root:/bin/sh\npostfixer:x:7:8\npostfix:x:106:113::/:\nodd:x:y\n";
        assert_eq!(numeric_field(file, "postfix", 2), Some(106));
        assert_eq!(numeric_field(file, "postfix", 3), Some(113));
        for name in ["post", "odd", "x", ""] {
            assert_eq!(numeric_field(file, name, 2), None, "{name}");
        }
    }
}
