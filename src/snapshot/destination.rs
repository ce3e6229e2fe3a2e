//! What the tables hold of one recipient: its destination domain, and why it waits.
//!
//! The scan and the watch both name recipients here. A domain has one spelling, that of DNS: mail for
//! `bücher.example` and for `xn--bcher-kva.example` waits for one destination. qshape counts bytes.

use std::sync::Arc;

use super::reason_cache::ReasonCache;
use super::reason_key::{Mark, make_key};
use crate::cause::classify::Classifier;
use crate::postfix::address;
use crate::postfix::defer_log::{Entry, Log};
use crate::postfix::quote::quote_local;
use crate::scan::LogEntries;

/// One recipient as the tables spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination<'r> {
    /// The destination domain, as qshape cuts and folds it, with A-labels.
    pub(crate) domain: &'r [u8],
    /// Why it waits; `None` if no delay reason is on record.
    pub(crate) why: Option<WhyKey<'r>>,
}

/// A delay reason as the tables spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WhyKey<'r> {
    /// The enhanced status code.
    pub(crate) code: &'r [u8],
    /// What its cause is; `None` if only codes are counted.
    pub(crate) mark: Option<Mark>,
    /// The key of the table of reasons; empty if only codes or causes are counted.
    pub(crate) reason: &'r [u8],
}

/// How much of a recipient's delay reason is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// Nothing.
    Nothing,
    /// The status code.
    Code,
    /// The status code and the cause.
    Cause,
    /// The status code, the cause and the key of the table of reasons.
    Reason,
}

/// Names the recipients of one message after the other. Its memory is used again.
#[derive(Debug, Default)]
pub(crate) struct DestinationReader {
    classifier: Arc<Classifier>,
    judged: ReasonCache,
    logged: LogEntries,
    domain: Vec<u8>,
    reason: Vec<u8>,
}

impl DestinationReader {
    /// One that judges delay reasons with `classifier`.
    pub(crate) fn new(classifier: Arc<Classifier>) -> Self {
        DestinationReader {
            classifier,
            ..DestinationReader::default()
        }
    }

    /// Forgets the delay reasons of the message before.
    pub(crate) fn begin(&mut self) {
        self.logged.clear();
    }

    /// Takes in what a log says of one recipient of the message that is read next.
    pub(crate) fn logged(&mut self, log: Log, entry: &Entry) {
        self.logged.push(log, entry);
    }

    /// The recipient `address`, whose record stands at `offset`.
    pub(crate) fn read(&mut self, address: &[u8], offset: u64, lookup: Lookup) -> Destination<'_> {
        address::destination(address, &mut self.domain);
        let mut why = None;
        if lookup != Lookup::Nothing {
            self.logged.seal();
            let found = self.logged.find(offset, || {
                let mut quoted = Vec::new();
                quote_local(address, &mut quoted);
                quoted
            });
            if let Some(entry) = found {
                self.reason.clear();
                let classifier = &self.classifier;
                let mark = match lookup {
                    Lookup::Nothing | Lookup::Code => None,
                    Lookup::Cause => {
                        let judge = || Mark::of(&classifier.judge(entry.status, entry.reason));
                        Some(self.judged.mark(entry.status, entry.reason, judge))
                    }
                    Lookup::Reason => {
                        let judgement = classifier.judge(entry.status, entry.reason);
                        make_key(
                            &self.domain,
                            entry.status,
                            &judgement,
                            entry.reason,
                            &mut self.reason,
                        );
                        Some(Mark::of(&judgement))
                    }
                };
                why = Some(WhyKey {
                    code: entry.status,
                    mark,
                    reason: &self.reason,
                });
            }
        }
        Destination {
            domain: &self.domain,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Cause;

    #[test]
    fn a_recipient_has_the_domain_of_qshape_and_the_reason_of_its_log() {
        let mut reader = DestinationReader::default();
        let entry = Entry {
            offset: Some(40),
            status: b"4.4.1".to_vec(),
            reason: b"connect to mx.example[192.0.2.1]:25: timed out".to_vec(),
            ..Entry::default()
        };
        reader.logged(Log::Defer, &entry);
        let plain = reader.read(b"a@B.Example.", 40, Lookup::Nothing);
        assert_eq!((plain.domain, plain.why), (&b"b.example"[..], None));
        let why = reader.read(b"a@b.example", 40, Lookup::Code).why.unwrap();
        assert_eq!((why.code, why.reason), (&b"4.4.1"[..], &b""[..]));
        assert_eq!(why.mark, None);
        let why = reader.read(b"a@b.example", 40, Lookup::Cause).why.unwrap();
        assert_eq!(why.mark.unwrap().cause, Cause::Unreachable);
        assert_eq!(why.reason, b"");
        let why = reader.read(b"a@b.example", 40, Lookup::Reason).why.unwrap();
        assert!(why.reason.starts_with(b"4.4.1\0b.example\0"));
        assert_eq!(reader.read(b"a@b.example", 80, Lookup::Reason).why, None);
        reader.begin();
        assert_eq!(reader.read(b"a@b.example", 40, Lookup::Reason).why, None);
    }
}
