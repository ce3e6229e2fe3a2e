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
//! A room uses only rooms before it; `tests/hermetic/layers.rs` checks that. In the order of that way:
//!
//! | room | what lives there |
//! |---|---|
//! | [`escape`], [`error`], [`clock`] | the one door through which bytes become text; the one error; time, passed in |
//! | [`postfix`] | what Postfix writes: queue IDs, records, envelopes, addresses, main.cf; pure |
//! | [`cause`] | from a delay reason to its cause, the next hop, and who acts; pure |
//! | [`sys`] | the system calls, as safe functions that never touch the spool |
//! | [`threads`] | the threads of one call |
//! | [`instance`] | which spools, with which settings; whether master runs |
//! | [`scan`] | walks and reads a spool on several threads, and tells observers |
//! | [`shape`] | age by domain, as qshape reads and counts |
//! | [`listing`] | the messages that somebody picks, in an order |
//! | [`snapshot`] | what the observers add up |
//! | [`measure`] | the catalogue: every figure, its unit, its quality |
//! | [`rules`] | ranges, rules, the verdict |
//! | [`options`] | all of the above by option name, for every face |
//! | [`watch`] | the same snapshot, kept by inotify |
//! | [`files`] | our own files: where they may lie, replaced as a whole, the state of a check |
//! | [`doctor`] | what stands in the way of a true figure, and what mends it |
//! | [`render`] | service output and performance data, JSON, OpenMetrics |
//! | [`drill`] | spools of made-up mail |
//! | [`ffi`] | the C ABI, and the only `unsafe` beside a few calls in [`sys`] |
//!
//! # Example
//!
//! ```
//! use queuewatch::drill::{Plan, make};
//! use queuewatch::options::{Options, Purpose};
//!
//! # fn main() -> queuewatch::error::Result<()> {
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
//! # Promises
//!
//! * Nothing below a queue directory or a config directory is written: no file, no lock, no mode, no
//!   time stamp; nothing is spawned; no thread outlives the call that made it.
//! * No input, however hostile, panics or loops; memory has limits, named as constants.
//! * What could not be read is data ([`scan::Gap`]) and makes figures lower bounds; a figure never
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

    #[doc = include_str!("docs/guide.md")]
    pub mod guide {}

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

pub mod escape;

pub mod error;

pub mod clock;

pub mod source;

pub mod postfix;

pub mod cause;

pub mod sys;

pub mod threads;

pub mod instance;

pub mod scan;

pub mod shape;

pub mod listing;

pub mod snapshot;

pub mod measure;

pub mod rules;

pub mod options;

pub mod watch;

pub mod files;

pub mod doctor;

pub mod render;

pub mod drill;

pub mod ffi;
