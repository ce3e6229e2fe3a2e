//! The log `defer/ID` in which Postfix stores the delay reason of each recipient, in the format of
//! bounce(8) (postfix.md, "Delay reasons", bounce_append_service.c of Postfix 3.10).

use std::io::Write as _;

/// The result of the last delivery attempt to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// The enhanced status code (RFC 3463), e.g. `4.7.1`.
    pub status: String,
    /// The delay reason that mailq prints.
    pub reason: String,
    /// The reply of the remote server, if it sent one.
    pub reply: Option<String>,
    /// The name of the remote server, if the attempt reached one.
    pub server: Option<String>,
}

/// Appends the entry of one recipient to the log `out`.
///
/// `address` and `original` (the address before alias expansion) must not be empty. They are written as
/// mailq prints them, quoted where RFC 5321 requires it. `offset` is the byte offset of the recipient
/// record in the queue file.
pub fn push_entry(
    out: &mut Vec<u8>,
    address: &str,
    original: Option<&str>,
    offset: u64,
    delay: &Delay,
) {
    let Delay { status, reason, .. } = delay;
    // Writing into a Vec cannot fail.
    let _ = write!(out, "\n<{address}>: {reason}\nrecipient={address}\n");
    let dsn_original = original.unwrap_or(address);
    if !dsn_original.eq_ignore_ascii_case(address) {
        let _ = writeln!(out, "original_recipient={dsn_original}");
    }
    let _ = write!(
        out,
        "offset={offset}\ndsn_orig_rcpt=rfc822;{dsn_original}\nstatus={status}\naction=delayed\n"
    );
    if let Some(reply) = &delay.reply {
        let _ = write!(out, "diag_type=smtp\ndiag_text={reply}\n");
    }
    if let Some(server) = &delay.server {
        let _ = write!(out, "mta_type=dns\nmta_mname={server}\n");
    }
    let _ = write!(out, "reason={reason}\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_that_of_postfix_byte_for_byte() {
        let mut log = Vec::new();
        let refused = Delay {
            status: "4.4.1".into(),
            reason: "connect to 127.0.0.1[127.0.0.1]:1: Connection refused".into(),
            reply: None,
            server: None,
        };
        push_entry(&mut log, "dest@utf8-sender.example", None, 689, &refused);
        // From the corpus: short-mixed, defer/3/3DF68994930.
        let expected = "\n\
            <dest@utf8-sender.example>: connect to 127.0.0.1[127.0.0.1]:1: Connection refused\n\
            recipient=dest@utf8-sender.example\n\
            offset=689\n\
            dsn_orig_rcpt=rfc822;dest@utf8-sender.example\n\
            status=4.4.1\n\
            action=delayed\n\
            reason=connect to 127.0.0.1[127.0.0.1]:1: Connection refused\n\n";
        assert_eq!(String::from_utf8_lossy(&log), expected);
    }

    #[test]
    fn an_entry_names_what_the_server_said_and_who_was_meant() {
        let mut log = Vec::new();
        let said = Delay {
            status: "4.2.2".into(),
            reason: "host mx.b.example[192.0.2.1] said: 452 4.2.2 full".into(),
            reply: Some("452 4.2.2 full".into()),
            server: Some("mx.b.example".into()),
        };
        push_entry(&mut log, "a@b.example", Some("list@c.example"), 700, &said);
        let expected = "\n<a@b.example>: host mx.b.example[192.0.2.1] said: 452 4.2.2 full\n\
            recipient=a@b.example\n\
            original_recipient=list@c.example\n\
            offset=700\n\
            dsn_orig_rcpt=rfc822;list@c.example\n\
            status=4.2.2\n\
            action=delayed\n\
            diag_type=smtp\n\
            diag_text=452 4.2.2 full\n\
            mta_type=dns\n\
            mta_mname=mx.b.example\n\
            reason=host mx.b.example[192.0.2.1] said: 452 4.2.2 full\n\n";
        assert_eq!(String::from_utf8_lossy(&log), expected);
    }
}
