//! Comparisons with the real programs on this host: `cargo test --test real` as root, with the Debian packages that
//! `tests/run` installs.
//!
//! A test fails, and names the package, where a program is missing. What can be said without root and Postfix is said in
//! `tests/hermetic`.

#[path = "../support/mod.rs"]
mod support;

/// 100,000 messages on their way, which takes longer to write than a test of `tests/hermetic` may.
mod big_host;
/// Programs with rights that their caller does not have: a file capability, sudo.
mod borrowed_rights;
/// Every function of the C ABI under valgrind(1).
mod c_tools;
/// The default rules on hosts that a real Postfix makes sick, and on hosts that are well.
mod causes;
/// The plugin under the name `check_mailq`, beside the real `check_mailq` of the Monitoring Plugins.
mod check_mailq;
/// Postfix accepts every message that a drill makes.
mod drill_postfix;
/// The page of a watch on a file system that is full.
mod full_disk;
/// Instances as the real postmulti(1) lists them.
mod instances_postmulti;
/// `queuewatch list` against `postqueue -j` and `postqueue -p`, byte for byte.
mod list_postqueue;
/// Figures against the sums of `postqueue -j`, on a Postfix that runs.
mod live_postfix;
/// main.cf and the built-in parameters against the real postconf(1).
mod main_cf_postconf;
/// What `spool.misowned` counts stops a real Postfix.
mod misowned;
/// `queuewatch origins` of mail that a real Postfix took in by each way.
mod origins_postfix;
/// The guide's recipe to hold, look at and delete mail, with the real postsuper(1).
mod postsuper_recipe;
/// The queue manager of a Postfix that runs, and of one whose queue manager does not.
mod qmgr;
/// Mutants of queue files, as the real qshape(1) reads them.
mod shape_mutants;
/// `queuewatch shape` against the real qshape(1).
mod shape_qshape;
/// `queuewatch show` against the real postcat(1).
mod show_postcat;
/// Watches for an hour beside everything that goes wrong on a mail host.
mod soak;
/// What each command asks the kernel for. Needs strace.
mod system_calls;
/// `queuewatch top` in the real tmux, against the golden screens.
mod top_tmux;
/// A watch on a Postfix under load.
mod watch_postfix;
/// Kernels without Landlock. Needs strace.
mod without_landlock;
