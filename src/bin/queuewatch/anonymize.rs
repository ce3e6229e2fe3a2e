//! The flags `--anonymize` and `--anonymize-key` of commands that print mail.

use std::path::PathBuf;

use queuewatch::anonymize::Anonymizer;
use queuewatch::error::Result;
use queuewatch::options::Takes;

use crate::args::{self, Flag};

#[rustfmt::skip]
pub(crate) const FLAGS: [Flag; 2] = [
    Flag { short: None, name: "anonymize", takes: Takes::Nothing,
        help: "replace local parts, logins, clients, headers and names in reasons by tokens, which differ from run to run" },
    Flag { short: None, name: "anonymize-key", takes: Takes::One("FILE"),
        help: "the same, with tokens that the key in FILE (16 to 4096 bytes, mode 0600) keeps the same" },
];

/// What the command line says.
#[derive(Default)]
pub(crate) struct Asked {
    asked: bool,
    key: Option<PathBuf>,
}

impl Asked {
    /// Takes in the flag `name`; false if it is another one.
    pub(crate) fn take(&mut self, name: &'static str, value: &[u8]) -> Result<bool> {
        match name {
            "anonymize" => self.asked = true,
            "anonymize-key" => self.key = Some(args::file(name, value.to_vec())?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The flags, and whether each was given.
    pub(crate) fn given(&self) -> [(&'static str, bool); 2] {
        [
            (FLAGS[0].name, self.asked),
            (FLAGS[1].name, self.key.is_some()),
        ]
    }

    /// What replaces names, if that was asked for.
    pub(crate) fn anonymizer(&self) -> Result<Option<Anonymizer>> {
        match &self.key {
            Some(path) => Anonymizer::of_file(path).map(Some),
            None if self.asked => match Anonymizer::random() {
                Ok(anonymizer) => Ok(Some(anonymizer)),
                Err(error) => Err(error.with_remedy("give a key with --anonymize-key FILE")),
            },
            None => Ok(None),
        }
    }
}
