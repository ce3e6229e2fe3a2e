//! Where mail comes from: logins, clients and envelope senders.

use super::html::{self, Cell, Column};
use super::{ROWS, cut};
use crate::escape;
use crate::escape::counted;
use crate::snapshot::{Snapshot, origins};

pub(super) fn from(snapshot: &Snapshot) -> String {
    use Column::{Number, Text};
    let tables = || snapshot.tables_of_total(|wanted| wanted.origins);
    let senders = snapshot.messages_by_sender();
    let mut out = String::new();
    for (caption, head, sums) in [
        (
            "Messages by SASL login",
            "Login",
            origins::by_login(tables()),
        ),
        (
            "Messages by client address",
            "Client",
            origins::by_client(tables()),
        ),
    ] {
        let rows: Vec<Vec<Cell>> = origins::top(sums, ROWS)
            .iter()
            .map(|(name, count)| {
                vec![
                    Cell::text(&cut(&escape::json_text(name))),
                    Cell::number(*count),
                ]
            })
            .collect();
        if !rows.is_empty() {
            out.push_str(&html::table(
                caption,
                &[Text(head), Number("Messages")],
                &rows,
            ));
        }
    }
    out.push_str(&neither(snapshot));
    let rows: Vec<Vec<Cell>> = senders
        .top(ROWS)
        .into_iter()
        .map(|(name, count)| {
            vec![
                Cell::text(&cut(&escape::json_text(name))),
                Cell::number(*count),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => out.push_str("<p>No messages.</p>\n"),
        false => out.push_str(&html::table(
            "Messages by envelope sender",
            &[Text("Sender"), Number("Messages")],
            &rows,
        )),
    }
    out
}

/// How much mail has neither a login nor a client, as that of a web form of this host has. A scan reads no headers,
/// and only headers name the local user.
fn neither(snapshot: &Snapshot) -> String {
    match snapshot.without_origin() {
        0 => String::new(),
        count => format!(
            "<p>{} neither login nor client, such as mail of users and web forms of this host. \
             <code>queuewatch origins --by user</code> reads their headers and names the local users.</p>\n",
            match count {
                1 => "1 message has".to_owned(),
                count => format!("{} have", counted(count, "message")),
            }
        ),
    }
}
