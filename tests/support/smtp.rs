//! A client's half of SMTP, as much as a server that trusts it needs.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A machine under load needs this long for what takes milliseconds otherwise.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Replies to this many RCPT commands fit any socket buffer, so neither side waits for the other.
const PIPELINED_RECIPIENTS: usize = 200;

/// A connection to a server that has greeted.
pub(crate) struct Smtp {
    reader: BufReader<TcpStream>,
}

impl Smtp {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // Without it, Nagle and delayed acknowledgement make each message wait 40 ms.
        stream.set_nodelay(true)?;
        let mut smtp = Smtp {
            reader: BufReader::new(stream),
        };
        smtp.expect("the greeting", "220")?;
        Ok(smtp)
    }

    /// Sends one message and returns the queue ID that the server gave it.
    pub(crate) fn send<R: AsRef<str>>(
        self,
        sender: &str,
        recipients: &[R],
        content: &str,
    ) -> io::Result<String> {
        self.send_after(&[], sender, recipients, content)
    }

    /// The same, after `commands` that follow EHLO, each with the code of its reply.
    pub(crate) fn send_after<R: AsRef<str>>(
        mut self,
        commands: &[(&str, &str)],
        sender: &str,
        recipients: &[R],
        content: &str,
    ) -> io::Result<String> {
        self.command("EHLO client.queuewatch.test", "250")?;
        for (command, code) in commands {
            self.command(command, code)?;
        }
        let ascii = sender.is_ascii() && recipients.iter().all(|to| to.as_ref().is_ascii());
        let utf8 = if ascii { "" } else { " SMTPUTF8" };
        self.command(&format!("MAIL FROM:<{sender}>{utf8}"), "250")?;
        for some in recipients.chunks(PIPELINED_RECIPIENTS) {
            let mut commands = String::new();
            for to in some {
                commands.extend([
                    "RCPT TO:<",
                    to.as_ref(),
                    ">
",
                ]);
            }
            self.write(&commands)?;
            for to in some {
                self.expect(to.as_ref(), "250")?;
            }
        }
        self.command("DATA", "354")?;
        let mut data = String::with_capacity(content.len() * 2);
        for line in content.lines() {
            let stuffing = if line.starts_with('.') { "." } else { "" };
            data.extend([stuffing, line, "\r\n"]);
        }
        data.push_str(".\r\n");
        self.write(&data)?;
        let reply = self.expect("the message", "250")?;
        let (_, queue_id) = reply
            .trim_end()
            .rsplit_once("queued as ")
            .ok_or_else(|| io::Error::other(format!("no queue ID in {reply:?}")))?;
        let queue_id = queue_id.to_owned();
        self.command("QUIT", "221")?;
        Ok(queue_id)
    }

    fn command(&mut self, command: &str, code: &str) -> io::Result<String> {
        self.write(&format!("{command}\r\n"))?;
        self.expect(command, code)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.reader.get_mut().write_all(text.as_bytes())
    }

    /// The last line of the reply to `what`, which must have that code.
    fn expect(&mut self, what: &str, code: &str) -> io::Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(io::Error::other(format!("{what}: connection closed")));
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        if line.starts_with(code) {
            Ok(line)
        } else {
            let line = line.trim_end();
            Err(io::Error::other(format!(
                "{what}: expected {code}, got {line:?}"
            )))
        }
    }
}
