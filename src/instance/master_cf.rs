//! The one thing that is read of master.cf (master(5)): the program of the service `qmgr`.

use std::io::Read as _;
use std::path::Path;

use super::configuration::open_unseen;

/// Maximum bytes to read. The name is not searched in a longer file.
const MAX_BYTES: usize = 1 << 20;

/// The file name of the queue manager's program, if master.cf in `config_directory` can be read and has
/// such a service.
pub(super) fn queue_manager(config_directory: &Path) -> Option<Vec<u8>> {
    let file = open_unseen(&config_directory.join("master.cf")).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).ok()?;
    program_of(&bytes, b"qmgr")
}

/// The file name of the program of `service`. The last of two lines wins, as in master(8).
fn program_of(text: &[u8], service: &[u8]) -> Option<Vec<u8>> {
    let mut fields: Vec<&[u8]> = Vec::new();
    let mut program = None;
    let mut take = |fields: &[&[u8]]| {
        let socket = matches!(fields.get(1), Some(&(b"unix" | b"fifo")));
        if let (true, Some(&name), Some(command)) = (socket, fields.first(), fields.get(7)) {
            if name == service {
                let name = command.rsplit(|byte| *byte == b'/').next();
                program = name.map(<[u8]>::to_vec);
            }
        }
    };
    for line in text.split(|byte| *byte == b'\n') {
        let words = || {
            let words = line.split(u8::is_ascii_whitespace);
            words.filter(|word| !word.is_empty())
        };
        // A comment or an empty line does not end a logical line.
        let Some(first) = words().next().filter(|first| !first.starts_with(b"#")) else {
            continue;
        };
        if !line.first().is_some_and(u8::is_ascii_whitespace) {
            take(&fields);
            fields.clear();
        }
        fields.push(first);
        fields.extend(words().skip(1));
    }
    take(&fields);
    program.filter(|name: &Vec<u8>| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_service_is_found() {
        for (text, program) in [
            ("qmgr unix n - n 300 1 qmgr\n", Some("qmgr")),
            ("qmgr fifo n - - 300 1 oqmgr -v", Some("oqmgr")),
            (
                "#qmgr unix n - n 300 1 oqmgr\nqmgr unix n - n 300 1\n# c\n\n  /usr/lib/own-qmgr\n",
                Some("own-qmgr"),
            ),
            (
                "qmgr unix n - n 300 1 qmgr\nqmgr unix n - n 300 1 oqmgr\n",
                Some("oqmgr"),
            ),
            (
                "pickup unix n - n 60 1 pickup\n  qmgr unix n - n 300 1 no\n",
                None,
            ),
            ("qmgr inet n - n 300 1 qmgr\n", None),
            ("qmgr unix n - n 300 1\n", None),
            ("qmgr unix n - n 300 1 /\n", None),
            ("", None),
            ("\0\u{fffd}\n \n#", None),
        ] {
            let found = program_of(text.as_bytes(), b"qmgr");
            assert_eq!(found.as_deref(), program.map(str::as_bytes), "{text}");
        }
    }
}
