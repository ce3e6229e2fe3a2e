//! What a caller may learn of single messages who borrows the program's rights (see `rights`).
//!
//! Postfix's own set-gid programs set the measure. postqueue(1) lists senders, recipients and delay reasons to the users of
//! `authorized_mailq_users`, by default to anybody, so the same is listed here. No program of Postfix shows the
//! content of a message to them, so nothing here does.

use std::path::Path;

use super::configuration::Configuration;
use super::{DEFAULT_CONFIG_DIRECTORY, Instance, users};
use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::rights;

/// The users that may list the queue, in addition to root and `mail_owner` (postqueue.c).
const LIST_USERS: &str = "authorized_mailq_users";

/// `instances`, with an error in place of each whose messages the caller may not list.
pub fn listable(instances: Vec<Result<Instance>>) -> Vec<Result<Instance>> {
    let Some(caller) = rights::caller() else {
        return instances;
    };
    let judged = |instance: Instance| match check(&instance, caller) {
        Ok(()) => Ok(instance),
        Err(error) => Err(error),
    };
    let instances = instances.into_iter();
    instances
        .map(|instance| instance.and_then(judged))
        .collect()
}

/// Refuses to name the people of `instances`, if the caller may not list the messages of one. One that is broken is
/// left to who reads it.
///
/// # Errors
/// As [`listable`] has them.
pub fn check_listable(instances: &[Result<Instance>]) -> Result<()> {
    match rights::caller() {
        None => Ok(()),
        Some(caller) => instances
            .iter()
            .flatten()
            .try_for_each(|instance| check(instance, caller)),
    }
}

/// Refuses `what`, which is out of a message and not of its envelope.
///
/// # Errors
/// If the rights are borrowed.
pub fn refuse_content(what: &str) -> Result<()> {
    match rights::are_borrowed() {
        false => Ok(()),
        true => Err(Error::new(
            ErrorKind::Denied,
            format!("{what} is content of a message: not with rights that you do not have"),
        )
        .with_remedy("run it as root, as postcat and postsuper ask for as well")),
    }
}

fn check(instance: &Instance, caller: u32) -> Result<()> {
    // A spool that is named without a configuration is still one of this host.
    let directory = instance.config_directory.as_deref();
    let directory = directory.unwrap_or(Path::new(DEFAULT_CONFIG_DIRECTORY));
    let refused = |why: &str| {
        Error::new(
            ErrorKind::Denied,
            format!(
                "{LIST_USERS} in {}/main.cf {why}",
                escape::path(directory)
            ),
        )
        .with_remedy(format!(
            "ask for an entry there; the figures are not limited: queuewatch status. {LIST_USERS} holds for postqueue as well"
        ))
    };
    let found = match Configuration::read(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if found.main_cf.get(LIST_USERS).is_none() {
        // Postfix's default is static:anyone.
        return Ok(());
    }
    let Ok(list) = found.main_cf.list(LIST_USERS) else {
        return Err(refused("cannot be expanded"));
    };
    let owner = users::local_user(&instance.settings.mail_owner);
    if caller == 0 || owner == Some(caller) {
        return Ok(());
    }
    let name = users::local_user_name(caller);
    match judge(&list, name.as_deref()) {
        Judged::Permitted => Ok(()),
        Judged::Refused => Err(refused("does not permit you to list messages")),
        Judged::Unknown => Err(refused(
            "needs a table, a file or a directory of users, which is not read here, so you may not list messages",
        )),
    }
}

/// What a list of users says of one.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    Permitted,
    Refused,
    /// It depends on a table, on a file, or on the name of a user who is not in /etc/passwd.
    Unknown,
}

/// Looks for `name` in `list` (postfix.md, "postqueue"): the first item that matches decides, and `!` turns it.
fn judge(list: &[Vec<u8>], name: Option<&[u8]>) -> Judged {
    for item in list {
        let (turned, pattern) = match item.strip_prefix(b"!") {
            Some(rest) => (true, rest),
            None => (false, &item[..]),
        };
        let is_table = pattern.starts_with(b"/") || pattern.contains(&b':');
        let matches = match name {
            _ if pattern.starts_with(b"static:") => true,
            Some(name) if !is_table => pattern.eq_ignore_ascii_case(name),
            _ => return Judged::Unknown,
        };
        match (matches, turned) {
            (true, false) => return Judged::Permitted,
            (true, true) => return Judged::Refused,
            (false, _) => {}
        }
    }
    Judged::Refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_item_that_matches_decides() {
        use Judged::{Permitted, Refused, Unknown};
        for (list, expected) in [
            ("static:anyone", Permitted),
            ("", Refused),
            ("root", Refused),
            ("root nagios", Permitted),
            ("root NAGIOS", Permitted),
            ("!nagios static:anyone", Refused),
            ("!root static:anyone", Permitted),
            ("nagios !static:all", Permitted),
            ("!static:all", Refused),
            ("hash:/etc/postfix/users nagios", Unknown),
            ("nagios hash:/etc/postfix/users", Permitted),
            ("/etc/postfix/users", Unknown),
            ("!/etc/postfix/users nagios", Unknown),
        ] {
            let items: Vec<Vec<u8>> = list
                .split_ascii_whitespace()
                .map(|item| item.as_bytes().to_vec())
                .collect();
            assert_eq!(judge(&items, Some(b"nagios")), expected, "{list}");
            let without_name = judge(&items, None);
            match list.split(' ').next() {
                Some("static:anyone") => assert_eq!(without_name, Permitted),
                Some("" | "!static:all") => assert_eq!(without_name, Refused, "{list}"),
                _ => assert_eq!(without_name, Unknown, "{list}"),
            }
        }
    }
}
