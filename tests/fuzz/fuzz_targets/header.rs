//! Any bytes as the content of a message: headers are unfolded and decoded within their limits, and the text behind
//! them begins where the first empty line says.
#![no_main]
#![allow(missing_docs)] // Of what the macro makes.

use libfuzzer_sys::fuzz_target;
use queuewatch::drill::QueueFile;
use queuewatch::postfix::body;
use queuewatch::postfix::envelope::{self, Visitor, Writer};
use queuewatch::postfix::header::{MAX_HEADER, MAX_HEADERS, Unfold, decoded, value};
use queuewatch::postfix::record::{Buffer, RecordReader};

#[derive(Default)]
struct Headers {
    unfold: Unfold,
    told: Vec<Vec<u8>>,
    read: usize,
}

impl Visitor for Headers {
    fn wants_headers(&self) -> bool {
        true
    }

    fn header(&mut self, line: &[u8], begins: bool) {
        self.read += line.len();
        let told = &mut self.told;
        self.unfold
            .line(line, begins, |header| told.push(header.to_vec()));
    }
}

fn read(file: &[u8], writer: Writer) {
    let (mut buffer, mut headers) = (Buffer::default(), Headers::default());
    let mut records = RecordReader::new(file, file.len() as u64, &mut buffer);
    envelope::read(&mut records, writer, &mut headers).expect("memory is readable");
    let Headers {
        mut unfold,
        mut told,
        read,
    } = headers;
    unfold.end(|header| told.push(header.to_vec()));
    // The last line may be as long as a record.
    assert!(read <= MAX_HEADERS.max(2 * file.len()));
    for header in &told {
        assert!(header.len() <= MAX_HEADER);
        assert!(decoded(header).len() <= 3 * header.len());
        let _ = (value(header, "subject"), value(header, "from"));
    }
    for limit in [0, 1, 100, 1 << 20] {
        let mut records = RecordReader::new(file, file.len() as u64, &mut buffer);
        let text = body::read(&mut records, limit).expect("memory is readable");
        assert!(text.text.len() <= limit);
    }
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes, Writer::Postdrop);
    let file = QueueFile::cleanup(1_795_461_304, 0)
        .sender(b"a@x.example")
        .todo(b"b@x.example")
        .content(bytes)
        .build();
    read(&file.bytes, Writer::Cleanup);
    assert!(decoded(bytes).len() <= 3 * bytes.len());
});
