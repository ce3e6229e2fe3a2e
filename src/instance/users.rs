//! Numbers of local users and groups, from the files that Postfix's package adds its own to.
//!
//! No directory service is asked: that loads foreign code into the host, and may wait for a network.

use once_cell::race::OnceBox;

/// The files of a program that cannot open them any more.
static KEPT: OnceBox<Kept> = OnceBox::new();

struct Kept {
    users: Option<Vec<u8>>,
    groups: Option<Vec<u8>>,
}

const USERS: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

/// Reads the files for the whole life of this program, which is about to lose the right to open them. A user or group
/// that is added later is not known. Only a program calls it, never a library's host.
pub fn keep_local_names() {
    KEPT.get_or_init(|| {
        Box::new(Kept {
            users: std::fs::read(USERS).ok(),
            groups: std::fs::read(GROUPS).ok(),
        })
    });
}

/// The number of the local user `name`.
pub(crate) fn local_user(name: &str) -> Option<u32> {
    number(USERS, |kept| &kept.users, name, 2)
}

/// The name of the local user with this number.
pub(super) fn local_user_name(user: u32) -> Option<Vec<u8>> {
    match KEPT.get() {
        Some(kept) => name_of(kept.users.as_ref()?, user),
        None => name_of(&std::fs::read(USERS).ok()?, user),
    }
}

/// The first name with this number in a file like passwd(5).
fn name_of(file: &[u8], number: u32) -> Option<Vec<u8>> {
    file.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next()?;
        let text = std::str::from_utf8(fields.nth(1)?).ok()?;
        (text.parse() == Ok(number)).then(|| name.to_vec())
    })
}

/// The number of the primary group of the local user `name`.
pub(crate) fn local_user_group(name: &str) -> Option<u32> {
    number(USERS, |kept| &kept.users, name, 3)
}

/// The number of the local group `name`.
pub(crate) fn local_group(name: &str) -> Option<u32> {
    number(GROUPS, |kept| &kept.groups, name, 2)
}

/// The number in `field` of the line of `name` in `file`, as it was kept or as it is now.
fn number(
    file: &str,
    of_kept: fn(&Kept) -> &Option<Vec<u8>>,
    name: &str,
    field: usize,
) -> Option<u32> {
    match KEPT.get() {
        Some(kept) => numeric_field(of_kept(kept).as_ref()?, name, field),
        None => numeric_field(&std::fs::read(file).ok()?, name, field),
    }
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
        assert_eq!(name_of(file, 7).as_deref(), Some(&b"postfixer"[..]));
        assert_eq!(name_of(file, 8), None);
    }
}
