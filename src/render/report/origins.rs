//! Where mail comes from: logins, clients and envelope senders.

use super::html::{self, Cell, Column};
use super::{ROWS, cut};
use crate::escape;
use crate::postfix::queue::QueueSet;
use crate::snapshot::{Snapshot, origins};

pub(super) fn from(snapshot: &Snapshot) -> String {
    use Column::{Number, Text};
    let tables = || {
        snapshot.instances.iter().flat_map(|taken| {
            QueueSet::TOTAL
                .iter()
                .map(move |queue| &taken.tables[queue])
        })
    };
    let senders = snapshot.messages_by_sender();
    let mut out = String::new();
    let mut logins: Vec<_> = origins::by_login(tables()).into_iter().collect();
    let mut clients: Vec<_> = origins::by_client(tables()).into_iter().collect();
    for (caption, head, rows) in [
        ("Messages by SASL login", "Login", &mut logins),
        ("Messages by client address", "Client", &mut clients),
    ] {
        rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        rows.truncate(ROWS);
        let rows: Vec<Vec<Cell>> = rows
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
