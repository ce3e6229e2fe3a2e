//! The system calls of a scan as safe functions: the only room beside `ffi` with `unsafe` code, which rustix has
//! no call for.
//!
//! All files are opened read-only, close-on-exec, without locks, and without changing access times if the kernel
//! allows it (`files`).

mod files;
mod host;
mod privilege;
mod signals;
mod thread;

pub(crate) use files::{
    EntryKind, Identity, Inode, Noatime, OpenFile, exists_at, has_acl, identity_at, inode,
    inode_at, kind_at, list, open_base, open_regular, target_inode_at,
};
pub use host::{Disk, local_time};
pub(crate) use host::{SinceBoot, disk, network_file_system, since_boot};
pub(crate) use privilege::at_secure;
pub use privilege::has_system_call_filter;
#[cfg(target_os = "linux")]
pub use privilege::may_ask_for_landlock;
pub(crate) use signals::timespec;
pub use signals::{next_signal, take_signals, wait_for, widen_pipe};
pub use thread::block_signals;
pub(crate) use thread::{lower_priority, preemptions, processors, voluntary_switches};
