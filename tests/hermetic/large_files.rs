//! Files that are far from ordinary in size cost what their envelopes cost: a message of 5 GB, most of it a
//! hole, and a message of 1,000,000 recipients.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::support::spool::Spool;
use queuewatch::drill::{QueueFile, push_record};
use queuewatch::postfix::envelope::{self, Envelope, Writer};
use queuewatch::postfix::record::{Buffer, RecordReader};
use queuewatch::source::Source;

const NOW: i64 = 1_795_461_304;

/// A file, and how many of its bytes were read.
struct Counting<'f> {
    file: &'f File,
    bytes: &'f mut u64,
}

impl Source for Counting<'_> {
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(into, offset)?;
        *self.bytes += got as u64;
        Ok(got)
    }
}

/// The envelope of the file at `path`, and how many bytes it took to read it.
fn read(path: &Path) -> (Envelope, u64) {
    let file = File::open(path).expect("the file");
    let size = file.metadata().expect("its size").len();
    let (mut bytes, mut buffer) = (0, Buffer::default());
    let source = Counting {
        file: &file,
        bytes: &mut bytes,
    };
    let mut records = RecordReader::new(source, size, &mut buffer);
    let envelope = envelope::read(&mut records, Writer::Cleanup, &mut ()).expect("no read fails");
    (envelope, bytes)
}

/// What one of the programs prints of `spool`, with exit code 0 and nothing on standard error.
fn told(program: &str, spool: &Spool, words: &[&str]) -> String {
    let output = spool.run(program, NOW, words);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success(), "{words:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

const QUEUEWATCH: &str = env!("CARGO_BIN_EXE_queuewatch");

/// A file of cleanup's whose content is a hole of `length` bytes.
fn with_hole(spool: &Spool, length: u64) -> PathBuf {
    let built = QueueFile::cleanup(NOW - 60, 0)
        .sender(b"a@big.example")
        .todo(b"before@one.example")
        .content(b"x")
        .extracted()
        .todo(b"behind@two.example")
        .build();
    let mut head = built.bytes;
    // Message size, data offset, recipients, flags, content length, flags: fifteen columns each.
    let data_offset: usize = std::str::from_utf8(&head[18..33])
        .ok()
        .and_then(|field| field.trim().parse().ok())
        .expect("the data offset");
    let content_length = 3;
    let tail = head.split_off(data_offset + content_length);
    head.truncate(data_offset);
    let field = format!("{length:15}");
    for at in [2, 66] {
        head[at..at + 15].copy_from_slice(field.as_bytes());
    }
    let path = spool.path().join("deferred/4jYF00001z1SjH2");
    let file = File::create(&path).expect("a file");
    file.write_all_at(&head, 0).expect("written");
    file.write_all_at(&tail, data_offset as u64 + length)
        .expect("written");
    file.set_permissions(std::fs::Permissions::from_mode(0o700))
        .expect("a mode");
    path
}

#[test]
fn a_message_of_5_gb_costs_two_reads() {
    const LENGTH: u64 = 5_000_000_000;
    let spool = Spool::empty();
    let path = with_hole(&spool, LENGTH);
    let (envelope, bytes) = read(&path);
    assert_eq!(envelope.damage, None);
    assert_eq!(envelope.recipients, 2);
    assert_eq!(envelope.message_size, Some(LENGTH));
    assert!(bytes <= 2 * 4096, "{bytes} bytes were read");
    // And so for each face.
    let listed = told(QUEUEWATCH, &spool, &["list"]);
    assert!(
        listed.contains("\"message_size\": 5000000000, "),
        "{listed}"
    );
    assert!(listed.contains("behind@two.example"), "{listed}");
    let shape = told(QUEUEWATCH, &spool, &["shape", "deferred"]);
    assert!(shape.contains("TOTAL  2 "), "{shape}");
}

#[test]
fn a_million_recipients_are_counted_and_each_read_once() {
    const RECIPIENTS: u64 = 1_000_000;
    let spool = Spool::empty();
    let path = spool.path().join("deferred/4jYF00002z1SjH2");
    let file = File::create(&path).expect("a file");
    let head = QueueFile::cleanup(NOW - 60, 0)
        .sender(b"a@big.example")
        .content(b"x")
        .without_end()
        .build()
        .bytes;
    // Its recipients stand before the content, which takes seven bytes with its ends.
    let (envelope, content) = head.split_at(head.len() - 7);
    let mut out = BufWriter::new(&file);
    out.write_all(envelope).expect("written");
    let mut length = head.len() as u64;
    let mut record = Vec::new();
    for number in 0..RECIPIENTS {
        record.clear();
        let domain = number % 1000;
        push_record(
            &mut record,
            b'R',
            format!("user{number:07}@d{domain:03}.example").as_bytes(),
        );
        out.write_all(&record).expect("written");
        length += record.len() as u64;
    }
    out.write_all(content).expect("written");
    out.write_all(b"E\0").expect("written");
    out.flush().expect("written");
    drop(out);
    let moved = format!("{:15}", length - 5);
    let file = OpenOptions::new()
        .write(true)
        .open(&path)
        .expect("the file");
    file.write_all_at(moved.as_bytes(), 18).expect("written");
    file.set_permissions(std::fs::Permissions::from_mode(0o700))
        .expect("a mode");

    let (envelope, bytes) = read(&path);
    assert_eq!(envelope.damage, None);
    assert_eq!(envelope.recipients, RECIPIENTS);
    let size = file.metadata().expect("its size").len();
    assert!(
        bytes <= size + size / 100,
        "{bytes} bytes were read of a file of {size}"
    );
    let shape = told(QUEUEWATCH, &spool, &["shape", "deferred"]);
    assert!(shape.contains("TOTAL 1000000 1000000 "), "{shape}");
    assert!(shape.contains("d999.example    1000    1000 "), "{shape}");
    let listed = told(QUEUEWATCH, &spool, &["list"]);
    assert_eq!(listed.matches("{\"address\": \"").count(), 1_000_000);
    let reasons = told(QUEUEWATCH, &spool, &["reasons"]);
    assert_eq!(
        reasons,
        "   1000000  have no delay reason on record: not tried yet, being tried now, or on hold\n"
    );
}
