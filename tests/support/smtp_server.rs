//! A server's half of SMTP that says what a test wants: the relay or the filter of a sick host.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// What the server says. Each reply is one line without its end.
#[derive(Clone, Debug)]
pub(crate) struct Replies {
    pub(crate) greeting: &'static str,
    /// After AUTH; with one the server offers PLAIN.
    pub(crate) auth: Option<&'static str>,
    pub(crate) rcpt: &'static str,
    /// After the message.
    pub(crate) data: &'static str,
}

impl Default for Replies {
    fn default() -> Self {
        Replies {
            greeting: "220 relay.example ESMTP",
            auth: None,
            rcpt: "250 2.1.5 ok",
            data: "250 2.0.0 ok",
        }
    }
}

/// Starts a server on loopback and returns its port. It serves until the test ends.
pub(crate) fn serve(replies: Replies) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let port = listener.local_addr().expect("an address").port();
    let replies = Arc::new(replies);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let replies = Arc::clone(&replies);
            thread::spawn(move || {
                // A client that goes away ends the session.
                let _ = session(&stream, &replies);
            });
        }
    });
    port
}

fn session(mut stream: &TcpStream, replies: &Replies) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes());
    say(replies.greeting)?;
    while let Some(line) = lines.next() {
        let line = line?.to_ascii_uppercase();
        match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" if replies.auth.is_some() => say("250-relay.example\r\n250 AUTH PLAIN")?,
            "EHLO" | "HELO" => say("250 relay.example")?,
            "AUTH" => say(replies.auth.unwrap_or("503 5.5.1 no"))?,
            "RCPT" => say(replies.rcpt)?,
            "DATA" if replies.rcpt.starts_with('2') => {
                say("354 go on")?;
                for line in lines.by_ref() {
                    if line? == "." {
                        break;
                    }
                }
                say(replies.data)?;
            }
            "DATA" => say("554 5.5.1 no valid recipients")?,
            "QUIT" => return say("221 2.0.0 bye"),
            _ => say("250 2.0.0 ok")?,
        }
    }
    Ok(())
}
