//! The status file: written by `queuewatch watch`, read by `check_postfix_queue --status`.
//!
//! Only this module knows its format: schema `queuewatch/1`, kind `watch`.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::escape;
use crate::files::atomic;
use crate::rules::State;
use crate::snapshot::baseline::SCHEMA;

/// The kind of a status document.
const KIND: &str = "watch";
/// The maximum length of a status file, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// What a monitoring system discovers in a status file: lists of rows that each name their instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) instances: Vec<Value>,
    pub(crate) queues: Vec<Value>,
    pub(crate) causes: Vec<Value>,
}

/// The content of a status file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The time of the status, in seconds since the epoch.
    pub(crate) now: i64,
    /// Whether the whole spool was read.
    pub(crate) complete: bool,
    /// The service state.
    pub state: State,
    /// The complete output of the plugin.
    pub output: String,
    /// The same with long output.
    pub long_output: String,
    /// For other readers than the plugin.
    pub(crate) figures: Figures,
}

impl Status {
    /// The document of the file.
    pub fn document(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "kind": KIND,
            "now": self.now,
            "complete": self.complete,
            "state": self.state.to_string(),
            "state_code": self.state.code(),
            "output": self.output,
            "long_output": self.long_output,
            "instances": self.figures.instances,
            "queues": self.figures.queues,
            "causes": self.figures.causes,
        })
    }

    /// Parses a document.
    ///
    /// # Errors
    /// Of kind `Syntax` if it is not a status file.
    pub(crate) fn parse(document: &[u8]) -> Result<Status> {
        let refused = |what: &str| {
            Error::new(ErrorKind::Syntax, format!("not a status file: {what}"))
                .with_remedy("name the file that queuewatch watch --status keeps")
        };
        let value: Value = serde_json::from_slice(document)
            .map_err(|cause| refused(&escape::printable(cause.to_string().as_bytes(), 128)))?;
        if value["schema"] != SCHEMA || value["kind"] != KIND {
            return Err(refused("unexpected schema"));
        }
        let state = value["state_code"].as_i64().and_then(State::from_code);
        let text = |name: &str| {
            let text = value[name].as_str().map(str::to_owned);
            text.ok_or_else(|| refused(&format!("no {name}")))
        };
        // A file of an earlier version has no figures.
        let rows = |name: &str| value[name].as_array().cloned().unwrap_or_default();
        Ok(Status {
            now: value["now"].as_i64().ok_or_else(|| refused("no time"))?,
            complete: value["complete"].as_bool().unwrap_or(false),
            state: state.ok_or_else(|| refused("no state"))?,
            output: text("output")?,
            long_output: text("long_output")?,
            figures: Figures {
                instances: rows("instances"),
                queues: rows("queues"),
                causes: rows("causes"),
            },
        })
    }

    /// Reads the file at `path`. Rejects a status older than `max_age` seconds before `now`.
    ///
    /// # Errors
    /// If the file does not exist, is not a status file, is too old, or is from the future.
    pub fn read(path: &Path, now: i64, max_age: i64) -> Result<Status> {
        let document = atomic::read(path, MAX_BYTES)?;
        let document = document.ok_or_else(|| {
            let shown = escape::path(path);
            Error::new(ErrorKind::NotFound, format!("there is no {shown}"))
                .with_remedy("start queuewatch watch --status FILE")
        })?;
        Status::parse(&document)
            .and_then(|status| status.fresh(now, max_age))
            .map_err(|error| error.within(&escape::path(path)))
    }

    fn fresh(self, now: i64, max_age: i64) -> Result<Status> {
        let age = now.saturating_sub(self.now);
        if age <= max_age && age >= -max_age {
            return Ok(self);
        }
        let text = match age > 0 {
            true => format!("the status is {age} s old; the limit is {max_age} s"),
            false => format!(
                "the status is from {} s in the future",
                age.saturating_neg()
            ),
        };
        let error = Error::new(ErrorKind::Timeout, text);
        Err(error.with_remedy("check that queuewatch watch runs"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(now: i64) -> Status {
        Status {
            now,
            complete: true,
            state: State::Warning,
            output: "POSTFIX QUEUE WARNING: x | y=1\n".to_owned(),
            long_output: "long\n".to_owned(),
            figures: Figures {
                queues: vec![json!({"instance": "postfix", "queue": "hold", "messages": 1})],
                ..Figures::default()
            },
        }
    }

    #[test]
    fn a_document_reads_back() {
        let document = status(100).document().to_string();
        assert_eq!(Status::parse(document.as_bytes()).unwrap(), status(100));
    }

    #[test]
    fn a_document_of_an_earlier_version_has_no_figures() {
        let mut document = status(100).document();
        for name in ["instances", "queues", "causes"] {
            assert!(document.as_object_mut().unwrap().remove(name).is_some());
        }
        let read = Status::parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(read.figures, Figures::default());
        assert_eq!(read.output, status(100).output);
    }

    #[test]
    fn a_status_is_fresh_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        let document = status(100).document().to_string().into_bytes();
        std::fs::write(&path, &document).unwrap();
        assert_eq!(Status::read(&path, 160, 60).unwrap(), status(100));
        let mut stateless = status(100).document();
        stateless["state_code"] = 7.into();
        for (bytes, now, expected) in [
            (
                document.as_slice(),
                161,
                "the status is 61 s old; the limit is 60 s; check that queuewatch watch runs",
            ),
            (document.as_slice(), 39, "from 61 s in the future"),
            (b"{}", 0, "not a status file: unexpected schema"),
            (b"nonsense", 0, "not a status file: expected"),
            (b"", 0, "not a status file: EOF"),
            (
                stateless.to_string().as_bytes(),
                100,
                "not a status file: no state",
            ),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = Status::read(&path, now, 60).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("status.json"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        let error = Status::read(&path, 0, 60).unwrap_err().to_string();
        assert!(error.contains("start queuewatch watch"), "{error}");
    }
}
