//! queuewatch: an embedded watchdog for Postfix queues.
//!
//! It reads the spool itself (no program is spawned, no text of `mailq` is parsed) and says how much
//! mail is stuck, since when, for whom, and whether the figure can be trusted.
//!
//! # The way of the data
//!
//! ```text
//! disk bytes -> records -> envelope -> scan -> snapshot -> measures -> rules -> verdict -> renderings
//! ```
//!
//! # The types
//!
//! | type | what it is for |
//! |---|---|
//! | [`Options`] | what to look at and what to judge, by the long option names of the programs |
//! | [`Purpose`] | how much a scan reads |
//! | [`Snapshot`], [`InstanceSnapshot`] | what a scan found, of all instances and of one |
//! | [`Measure`], [`Figure`], [`Quality`] | one figure of a snapshot, and how far it can be trusted |
//! | [`Verdict`], [`Finding`], [`State`] | a snapshot judged by rules |
//! | [`Messages`], [`MessageRow`] | the messages of a queue, one by one |
//! | [`Watch`], [`Event`], [`EventKind`], [`About`] | the live state, kept by inotify |
//! | [`Instance`] | an instance of Postfix: its name and its directories |
//! | [`Queue`], [`QueueSet`] | Postfix's queues |
//! | [`Cause`], [`Acts`] | why mail waits, and who acts |
//! | [`Gap`], [`GapKind`] | what could not be read, and why |
//! | [`Error`], [`ErrorKind`], [`Result`] | what went wrong, where, and the remedy |
//!
//! These are the Rust API. The modules below are public because the two programs, the tests and the fuzz
//! targets are crates of their own; rustdoc hides them, and they may change in any release.
//!
//! The features `programs` and `header` are on by default and are of no use to a library: depend on it with
//! `default-features = false`.
//!
//! # Example
//!
//! ```
//! # use queuewatch::drill::{Plan, make};
//! use queuewatch::{Options, Purpose};
//!
//! # fn main() -> queuewatch::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("queuewatch-doc-{}", std::process::id()));
//! # let spool = folder.to_str().unwrap();
//! # make(&folder, &Plan { messages: 100, ..Plan::default() }, &mut |_, _| {})?;
//! let mut options = Options::default();
//! options.set("queue-directory", spool.as_bytes())?;
//! options.set("critical", b"deferred.older(4h)=10")?;
//! let snapshot = options.scan(Purpose::Everything)?;
//! let verdict = options.check(&snapshot)?;
//! for finding in &verdict.findings {
//!     println!("{}: {}", finding.state, finding.text());
//! }
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! One figure, by its name:
//!
//! ```
//! use queuewatch::{Measure, Options, Purpose};
//! # fn main() -> queuewatch::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("queuewatch-doc-figure-{}", std::process::id()));
//! # let plan = queuewatch::drill::Plan { messages: 100, ..Default::default() };
//! # queuewatch::drill::make(&folder, &plan, &mut |_, _| {})?;
//! # let spool = folder.to_str().unwrap();
//! let mut options = Options::default();
//! options.set("queue-directory", spool.as_bytes())?;
//! let snapshot = options.scan(Purpose::Everything)?;
//! let measure: Measure = "total.messages".parse()?;
//! assert_eq!(measure.evaluate(&snapshot).known(), Some(100.0));
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! The messages of a queue:
//!
//! ```
//! use queuewatch::{Options, Queue};
//! # fn main() -> queuewatch::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("queuewatch-doc-rows-{}", std::process::id()));
//! # let plan = queuewatch::drill::Plan { messages: 100, ..Default::default() };
//! # let made = queuewatch::drill::make(&folder, &plan, &mut |_, _| {})?;
//! # let spool = folder.to_str().unwrap();
//! let mut options = Options::default();
//! options.set("queue-directory", spool.as_bytes())?;
//! let deferred: Queue = "deferred".parse()?;
//! let mut recipients = 0;
//! for (instance, mut messages) in options.messages(deferred.into())? {
//!     while let Some(message) = messages.next_message() {
//!         recipients += message.recipient_count() as u64;
//!     }
//!     assert!(messages.gaps().is_empty(), "all of {} was read", instance.name);
//! }
//! # assert_eq!(recipients, made.queue(deferred).recipients);
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! The live state:
//!
//! ```
//! use queuewatch::{Options, Purpose, State, Watch};
//! # fn main() -> queuewatch::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("queuewatch-doc-watch-{}", std::process::id()));
//! # let plan = queuewatch::drill::Plan { messages: 100, ..Default::default() };
//! # queuewatch::drill::make(&folder, &plan, &mut |_, _| {})?;
//! # let spool = folder.to_str().unwrap();
//! let mut options = Options::default();
//! options.set("queue-directory", spool.as_bytes())?;
//! options.set("critical", b"deferred.messages=0")?;
//! let mut watch = Watch::open(&options, Purpose::Everything)?;
//! // A host waits for `watch.fd()` in its own loop, and calls `dispatch` when it is readable.
//! watch.dispatch()?;
//! while let Some(event) = watch.next_event() {
//!     println!("{} {}", event.kind.name(), event.queue_id.escape_ascii());
//! }
//! let (_, verdict) = watch.check(&options)?;
//! assert_eq!(verdict.state, State::Critical);
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! What could not be read:
//!
//! ```
//! use queuewatch::{GapKind, Options, Purpose};
//! # fn main() -> queuewatch::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("queuewatch-doc-gap-{}", std::process::id()));
//! # let plan = queuewatch::drill::Plan { messages: 100, ..Default::default() };
//! # queuewatch::drill::make(&folder, &plan, &mut |_, _| {})?;
//! # std::fs::remove_dir_all(folder.join("incoming")).unwrap();
//! # let spool = folder.to_str().unwrap();
//! let mut options = Options::default();
//! options.set("queue-directory", spool.as_bytes())?;
//! let snapshot = options.scan(Purpose::Everything)?;
//! assert!(!snapshot.is_whole());
//! for gap in &snapshot.instances[0].gaps {
//!     // cannot find /var/spool/postfix/incoming: no such file or directory (ENOENT)
//!     println!("{gap}");
//!     assert_eq!(gap.kind, GapKind::Absent);
//! }
//! # std::fs::remove_dir_all(&folder).unwrap();
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//!
//! * Nothing below a queue directory or a config directory is written: no file, no lock, no mode, no
//!   time stamp; nothing is spawned; no thread outlives the call that made it.
//! * No input, however hostile, panics or loops; memory has limits, named as constants.
//! * What could not be read is data ([`Gap`]) and makes figures lower bounds; a figure never
//!   looks exact when it is not.
#![deny(unsafe_code)]

/// The project's pages, for people and for citations in the code.
#[cfg(any(doc, doctest))]
pub mod docs {
    #[doc = include_str!("docs/postfix.md")]
    pub mod postfix {}

    #[doc = include_str!("docs/contract.md")]
    pub mod contract {}

    #[doc = include_str!("docs/design.md")]
    pub mod design {}

    #[doc = include_str!("docs/install.md")]
    pub mod install {}

    #[doc = include_str!("docs/guide.md")]
    pub mod guide {}

    #[doc = include_str!("docs/causes.md")]
    pub mod causes {}

    #[doc = include_str!("docs/metrics.md")]
    pub mod metrics {}

    #[doc = include_str!("docs/faq.md")]
    pub mod faq {}

    #[doc = include_str!("docs/threat-model.md")]
    pub mod threat_model {}

    #[doc = include_str!("docs/migration.md")]
    pub mod migration {}

    #[doc = include_str!("docs/contributing.md")]
    pub mod contributing {}

    #[doc = include_str!("docs/library.md")]
    pub mod library {}
}

pub use cause::{Acts, Cause};
pub use error::{Error, ErrorKind, Result};
pub use instance::Instance;
pub use measure::{Figure, Measure, Quality};
pub use options::{Options, Purpose};
pub use postfix::queue::{Queue, QueueSet};
pub use rules::{Finding, State, Verdict};
pub use scan::{Gap, GapKind, MessageRow, Messages};
pub use snapshot::{InstanceSnapshot, Snapshot};
pub use watch::{About, Event, EventKind, Watch};

// A room uses only rooms before it (`tests/hermetic/layers.rs`); this is their order.

#[doc(hidden)]
pub mod escape;

#[doc(hidden)]
pub mod spelling;

#[doc(hidden)]
pub mod control;

#[doc(hidden)]
pub mod error;

#[doc(hidden)]
pub mod clock;

#[doc(hidden)]
pub mod source;

#[doc(hidden)]
pub mod postfix;

#[doc(hidden)]
pub mod cause;

#[doc(hidden)]
pub mod sys;

#[doc(hidden)]
pub mod rights;

pub(crate) mod threads;

#[doc(hidden)]
pub mod instance;

#[doc(hidden)]
pub mod scan;

#[doc(hidden)]
pub mod shape;

#[doc(hidden)]
pub mod listing;

#[doc(hidden)]
pub mod origins;

#[doc(hidden)]
pub mod show;

#[doc(hidden)]
pub mod anonymize;

#[doc(hidden)]
pub mod snapshot;

#[doc(hidden)]
pub mod measure;

#[doc(hidden)]
pub mod rules;

#[doc(hidden)]
pub mod options;

#[doc(hidden)]
pub mod watch;

#[doc(hidden)]
pub mod files;

#[doc(hidden)]
pub mod doctor;

#[doc(hidden)]
pub mod explain;

#[doc(hidden)]
pub mod render;

#[doc(hidden)]
pub mod drill;

#[doc(hidden)]
pub mod ffi;
