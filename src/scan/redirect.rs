//! The recipients of a message that a REDIRECT action (access(5), header_checks(5)) sends elsewhere: qmgr(8)
//! tries one delivery, to the target, whatever the number of original recipients.
//!
//! The record of the target follows the content, after the recipients. So the recipients are held until it is
//! known, up to [`MAX_HELD`] bytes; a message with more is read twice. In the defer log the delivery has the
//! offset of the first original recipient's record, and that recipient's address as the original one (tested
//! with Postfix 3.7).

use crate::postfix::envelope::Visitor;

/// How many bytes of recipients of one message are held: some 30,000 recipients.
const MAX_HELD: usize = 1 << 20;

/// The recipients of one message.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    text: Vec<u8>,
    held: Vec<Recipient>,
    /// True if there were more than can be held.
    overflow: bool,
    target: Option<Vec<u8>>,
}

/// The end of a recipient's address in the text, and of its original address, which comes before it.
#[derive(Clone, Copy, Debug)]
struct Recipient {
    original_end: Option<usize>,
    end: usize,
    offset: u64,
}

impl Recipients {
    /// Removes those of the previous message.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.held.clear();
        self.overflow = false;
        self.target = None;
    }

    /// Returns true if they did not fit and must be read again.
    pub(super) fn must_be_read_again(&self) -> bool {
        self.overflow && self.target.is_none()
    }

    /// Reports to `visitor` the recipients, or the one delivery that replaces them if the message is
    /// redirected. Returns true if it is.
    pub(super) fn report_to(&self, visitor: &mut impl Visitor) -> bool {
        let mut start = 0;
        for one in &self.held {
            let original = one.original_end.map(|end| (start..end, end));
            let address_start = original.as_ref().map_or(start, |(_, end)| *end);
            let address = &self.text[address_start..one.end];
            let original = original.map(|(range, _)| &self.text[range]);
            start = one.end;
            if let Some(target) = &self.target {
                visitor.original_recipient(original.unwrap_or(address));
                visitor.recipient(target, one.offset);
                return true;
            }
            if let Some(original) = original {
                visitor.original_recipient(original);
            }
            visitor.recipient(address, one.offset);
        }
        false
    }
}

/// Passes on an envelope and holds its recipients.
pub(super) struct Hold<'h, V> {
    recipients: &'h mut Recipients,
    /// The end of the original address of the next recipient.
    original_end: Option<usize>,
    visitor: &'h mut V,
}

impl<'h, V: Visitor> Hold<'h, V> {
    pub(super) fn new(recipients: &'h mut Recipients, visitor: &'h mut V) -> Self {
        recipients.clear();
        Hold {
            recipients,
            original_end: None,
            visitor,
        }
    }
}

impl<V: Visitor> Visitor for Hold<'_, V> {
    fn arrival(&mut self, seconds: i64) {
        self.visitor.arrival(seconds);
    }

    fn sender(&mut self, address: &[u8]) {
        self.visitor.sender(address);
    }

    fn original_recipient(&mut self, address: &[u8]) {
        let held = &mut *self.recipients;
        if !held.overflow {
            held.text
                .truncate(held.held.last().map_or(0, |last| last.end));
            held.text.extend_from_slice(address);
            self.original_end = Some(held.text.len());
        }
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        let held = &mut *self.recipients;
        if held.overflow {
            return;
        }
        held.text.extend_from_slice(address);
        held.held.push(Recipient {
            original_end: self.original_end.take(),
            end: held.text.len(),
            offset,
        });
        // For a redirection the first is enough.
        held.overflow = held.text.len() + 24 * held.held.len() > MAX_HELD;
        if held.overflow {
            let first = held.held[0].end;
            held.text.truncate(first);
            held.held.truncate(1);
        }
    }

    fn redirect(&mut self, address: &[u8]) {
        self.recipients.target = Some(address.to_vec());
    }

    fn attribute(&mut self, record: &[u8]) {
        self.visitor.attribute(record);
    }

    fn wants_headers(&self) -> bool {
        self.visitor.wants_headers()
    }

    fn header(&mut self, line: &[u8], begins: bool) {
        self.visitor.header(line, begins);
    }
}

/// Passes on only the recipients of a message whose other parts are already reported.
pub(super) struct RecipientsOnly<'v, V>(pub(super) &'v mut V);

impl<V: Visitor> Visitor for RecipientsOnly<'_, V> {
    fn original_recipient(&mut self, address: &[u8]) {
        self.0.original_recipient(address);
    }

    fn recipient(&mut self, address: &[u8], offset: u64) {
        self.0.recipient(address, offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Recorder(Vec<String>);

    impl Visitor for Recorder {
        fn original_recipient(&mut self, address: &[u8]) {
            self.0.push(format!("O{}", address.escape_ascii()));
        }
        fn recipient(&mut self, address: &[u8], offset: u64) {
            self.0.push(format!("R{}@{offset}", address.escape_ascii()));
        }
    }

    fn reported(report: impl Fn(&mut Hold<'_, Recorder>)) -> (Vec<String>, bool, bool) {
        let (mut recipients, mut recorder) = (Recipients::default(), Recorder::default());
        report(&mut Hold::new(&mut recipients, &mut recorder));
        assert!(recorder.0.is_empty());
        let redirected = recipients.report_to(&mut recorder);
        (recorder.0, redirected, recipients.must_be_read_again())
    }

    #[test]
    fn recipients_come_back_unchanged() {
        let (recorder, redirected, again) = reported(|hold| {
            hold.recipient(b"a", 1);
            hold.original_recipient(b"lost");
            hold.original_recipient(b"o");
            hold.recipient(b"b", 2);
            hold.recipient(b"", 3);
        });
        assert_eq!(recorder, ["Ra@1", "Oo", "Rb@2", "R@3"]);
        assert!(!redirected && !again);
    }

    #[test]
    fn a_redirection_is_one_delivery_with_the_offset_of_the_first_original() {
        let (recorder, redirected, _) = reported(|hold| {
            hold.original_recipient(b"alias");
            hold.recipient(b"a", 10);
            hold.recipient(b"b", 20);
            hold.redirect(b"target");
        });
        assert_eq!(recorder, ["Oalias", "Rtarget@10"]);
        assert!(redirected);
        let (recorder, redirected, _) = reported(|hold| {
            hold.recipient(b"a", 10);
            hold.redirect(b"target");
        });
        assert_eq!(recorder, ["Oa", "Rtarget@10"]);
        assert!(redirected);
        let (recorder, redirected, _) = reported(|hold| hold.redirect(b"target"));
        assert!(recorder.is_empty() && !redirected);
    }

    #[test]
    fn more_than_are_held_are_read_again_unless_redirected() {
        let many = |hold: &mut Hold<'_, Recorder>| {
            for offset in 0..100_000 {
                hold.recipient(b"somebody@somewhere.example", offset);
            }
        };
        let (_, redirected, again) = reported(many);
        assert!(!redirected && again);
        let (recorder, redirected, again) = reported(|hold| {
            many(hold);
            hold.redirect(b"t");
        });
        assert_eq!(recorder, ["Osomebody@somewhere.example", "Rt@0"]);
        assert!(redirected && !again);
    }
}
