//! What `cargo test` runs: no root, no Postfix, no network; the corpus stands in for real spools.
//!
//! A test that needs root, Postfix or another program of the host goes to `tests/real`. A new file is a module here, with
//! one line that says what belongs there.

#[path = "../support/mod.rs"]
mod support;

/// Queue directories that are absent, in every face.
mod absent;
/// `--anonymize` in every command that prints mail.
mod anonymize;
/// The C ABI: header, libraries, every exported function, the C example. Needs gcc, g++, binutils and abidiff.
mod c_abi;
/// Causes of delay reasons, against lists that were written apart from the table.
mod causes;
/// Citations of the pages in `src/docs`, and links between the pages.
mod citations;
/// Programs open what they are for, and nothing else, where the kernel has Landlock.
mod confinement;
/// Saved spools and odd queue files against what the real tools printed for them.
mod corpus;
/// No figure is false or silently missing: OpenMetrics, labels of performance data, the doctor, which spool.
mod figures;
/// Growth between two checks: the state file, and the state that a host program keeps.
mod growth;
/// The files for Icinga: CheckCommand, Director basket and graphs agree with each other and with the plugin.
mod icinga;
/// Queue files of 5 GB and of 1,000,000 recipients.
mod large_files;
/// The order of the rooms in `src`, and that every test file is in a binary.
mod layers;
/// The recipients that a list prints are those that a check counts; the order of a list.
mod list_counts;
/// OpenMetrics that add up: ages, causes, what has most, named domains; the same from every face.
mod metrics;
/// What to do next acts on the instance whose figure breaks a rule.
mod next_steps;
/// Where mail comes from, as `queuewatch origins` prints it.
mod origins;
/// Filters of `queuewatch list`, and bare queue IDs.
mod picks;
/// The pictures of the documentation: what the programs print of a drill today.
mod pictures;
/// Files and directories where Postfix does not look, or that stop it.
mod placement;
/// `check_postfix_queue` as a monitoring system runs it: options, first line, exit code.
mod plugin;
/// README and the guide: tables as in the code, commands that run; figures as in the results of the benchmarks.
mod readme;
/// The HTML page.
mod report;
/// Joined rules, and known trouble that rules leave out.
mod rules;
/// The default rules on healthy and on sick hosts.
mod scenarios;
/// All about single messages, as `queuewatch show` prints it.
mod show;
/// How each face spells the options that a text of the core names.
mod spelling;
/// Threads end with the call that started them.
mod threads;
/// `queuewatch shape`, `list`, `reasons` and `doctor` as a person or a script runs them.
mod tool;
/// `queuewatch top` in a pseudo-terminal. Needs setsid.
mod tool_top;
/// `queuewatch watch` as systemd or a person runs it, and the plugin's `--status`.
mod tool_watch;
/// `queuewatch watch --anonymize`: every output of it.
mod watch_anonymize;
/// After any script of file operations a watch's snapshot equals a fresh scan.
mod watch_rescan;
