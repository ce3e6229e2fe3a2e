//! A row of the table of causes, and when it fits.

use super::Cause;
use super::parts::Said;
use crate::postfix::status_code::has_code;

/// Bytes after a phrase in which the phrase that must follow it has to begin. Such phrases are not longer.
const SOON: usize = 32;

/// One row of the table of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Who must have said it.
    pub(crate) said: Said,
    /// What the codes must be.
    pub(crate) when: When,
    /// The phrases, in lower case, separated by ` | `; an empty one fits all.
    pub(crate) words: &'static str,
    /// Phrases of which one must begin soon after, in the same sentence. Empty where the words are enough.
    pub(crate) then: &'static str,
    /// What they mean.
    pub(crate) cause: Cause,
    /// Where such texts come from.
    #[allow(
        dead_code,
        reason = "it is for readers of the table; a test demands one"
    )]
    pub(crate) source: &'static str,
}

/// What the codes of a reason must be so that a row fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Anything.
    Always,
    /// The enhanced status code is this one or begins with it, part by part.
    Status(&'static str),
    /// The reply code is this one, and the enhanced status code is absent, says nothing (`4.0.0`) or names a
    /// policy (`4.7.0`, `4.7.1`). Then a request to come again is greylisting.
    Later(&'static str),
    /// The reply code begins with this.
    Reply(&'static str),
    /// The reply code begins with this, and the enhanced status code is absent or says nothing. Then words
    /// decide that many texts have.
    Vague(&'static str),
}

/// The codes of a reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codes<'a> {
    /// The enhanced status code of the reply, else that of the log.
    pub(crate) status: &'a [u8],
    /// The reply code.
    pub(crate) reply: Option<&'a [u8]>,
}

impl Codes<'_> {
    fn is(&self, code: &str) -> bool {
        has_code(self.status, code.as_bytes())
    }

    /// Returns true if the enhanced status code is absent or says nothing.
    fn are_silent(&self) -> bool {
        self.status.is_empty() || self.is("4.0") || self.is("5.0")
    }

    /// Returns true if a server that wants a login answers with them: a permanent code, 454 of RFC 4954, or an
    /// enhanced status code about logins.
    pub(super) fn are_about_logins(&self) -> bool {
        const LOGINS: [&str; 4] = ["4.7.8", "4.7.9", "4.7.12", "4.7.57"];
        self.reply_begins("5")
            || self.reply_begins("454")
            || LOGINS.iter().any(|code| self.is(code))
    }

    /// Returns true if the enhanced status code refuses for good because of a policy.
    pub(super) fn are_a_refusal(&self) -> bool {
        self.is("5.7")
    }

    fn reply_begins(&self, code: &str) -> bool {
        self.reply
            .is_some_and(|reply| reply.starts_with(code.as_bytes()))
    }
}

impl Row {
    /// Its phrases, any of which fits.
    pub(crate) fn phrases(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.words.split(" | ")
    }

    /// Returns true if `codes` are as the row needs them.
    pub(crate) fn fits(&self, codes: &Codes<'_>) -> bool {
        match self.when {
            When::Always => true,
            When::Status(code) => codes.is(code),
            When::Later(reply) => {
                codes.reply_begins(reply)
                    && (codes.are_silent() || codes.is("4.7.0") || codes.is("4.7.1"))
            }
            When::Reply(reply) => codes.reply_begins(reply),
            When::Vague(reply) => codes.reply_begins(reply) && codes.are_silent(),
        }
    }

    /// Returns true if `rest`, the text after its words, has what must follow them.
    pub(crate) fn is_followed(&self, rest: &[u8]) -> bool {
        if self.then.is_empty() {
            return true;
        }
        let rest = rest.get(..2 * SOON).unwrap_or(rest);
        let end = memchr::memmem::find(rest, b". ").unwrap_or(rest.len());
        let begins = |phrase: &str| {
            let windows = rest.windows(phrase.len()).take(end.min(SOON));
            windows
                .into_iter()
                .any(|window| window.eq_ignore_ascii_case(phrase.as_bytes()))
        };
        self.then.split(" | ").any(begins)
    }

    /// Returns true if its words only ask to come again.
    pub(super) fn is_vague_about_time(&self) -> bool {
        matches!(self.when, When::Later(_))
    }

    /// Returns true if its words say what is the matter, whatever the codes are.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.when, When::Always | When::Status(_) | When::Reply(_))
    }
}

pub(super) const fn postfix(words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Postfix, When::Always, words, cause, source)
}

pub(super) const fn connect(words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Connect, When::Always, words, cause, source)
}

pub(super) const fn session(words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Session, When::Always, words, cause, source)
}

pub(super) const fn reply(words: &'static str, cause: Cause, source: &'static str) -> Row {
    row(Said::Reply, When::Always, words, cause, source)
}

pub(super) const fn coded(
    code: &'static str,
    words: &'static str,
    cause: Cause,
    source: &'static str,
) -> Row {
    row(Said::Reply, When::Status(code), words, cause, source)
}

pub(super) const fn later(
    code: &'static str,
    words: &'static str,
    cause: Cause,
    source: &'static str,
) -> Row {
    row(Said::Reply, When::Later(code), words, cause, source)
}

pub(super) const fn vague(
    code: &'static str,
    words: &'static str,
    cause: Cause,
    source: &'static str,
) -> Row {
    row(Said::Reply, When::Vague(code), words, cause, source)
}

pub(super) const fn row(
    said: Said,
    when: When,
    words: &'static str,
    cause: Cause,
    source: &'static str,
) -> Row {
    Row {
        said,
        when,
        words,
        then: "",
        cause,
        source,
    }
}

/// A row for replies in which a phrase of `then` follows one of `words`.
pub(super) const fn followed(
    words: &'static str,
    then: &'static str,
    cause: Cause,
    source: &'static str,
) -> Row {
    Row {
        then,
        ..reply(words, cause, source)
    }
}

/// A row for a server whose own filter fails: temporary replies in which a phrase of `then` follows.
pub(super) const fn fails(words: &'static str, then: &'static str, source: &'static str) -> Row {
    Row {
        when: When::Reply("4"),
        ..followed(words, then, Cause::Busy, source)
    }
}

/// One row of the table of codes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CodeRow {
    /// Who must have said it.
    pub(crate) said: Said,
    /// The enhanced status code or the beginning of it (`4.7.28`), or a reply code (`421`).
    pub(crate) code: &'static str,
    /// What it means.
    pub(crate) cause: Cause,
    /// What the registry or the RFC calls it.
    #[allow(
        dead_code,
        reason = "it is for readers of the table; a test demands one"
    )]
    pub(crate) source: &'static str,
}

impl CodeRow {
    /// Returns true if it is about `codes`.
    pub(crate) fn fits(&self, codes: &Codes<'_>) -> bool {
        codes.is(self.code) || codes.reply == Some(self.code.as_bytes())
    }
}

pub(super) const fn by(
    said: Said,
    code: &'static str,
    cause: Cause,
    source: &'static str,
) -> CodeRow {
    CodeRow {
        said,
        code,
        cause,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::table::{BY_CODE, BY_WORDS};

    #[test]
    fn rows_are_well_formed_and_can_be_reached() {
        for (place, row) in BY_WORDS.iter().enumerate() {
            assert_eq!(row.words, row.words.to_ascii_lowercase());
            assert_eq!(row.then, row.then.to_ascii_lowercase());
            assert!(row.then.split(" | ").all(|phrase| phrase.len() <= SOON));
            assert_ne!(row.source, "", "{}", row.words);
            for phrase in row.phrases() {
                let before = BY_WORDS[..place].iter();
                let hides = |before: &&Row| {
                    before.said == row.said
                        && before.when == When::Always
                        && before.then.is_empty()
                        && before.phrases().any(|earlier| phrase.contains(earlier))
                };
                let hidden = before.clone().find(hides);
                assert!(hidden.is_none(), "{hidden:?} hides {phrase:?}");
            }
        }
        for (place, row) in BY_CODE.iter().enumerate() {
            let hides = |before: &&CodeRow| {
                before.said == row.said && has_code(row.code.as_bytes(), before.code.as_bytes())
            };
            assert!(
                BY_CODE[..place].iter().find(hides).is_none(),
                "{}",
                row.code
            );
        }
    }
}
