//! The machine in words, without its name.

use std::fs;
use std::path::Path;

use crate::{Result, bare};

/// Refuses a directory that no disk holds: there, opening a file costs something else.
pub(crate) fn refuse_memory(directory: &Path) -> Result<()> {
    match bare::file_system(directory)? {
        (name, true) => Err(format!("{name} is no disk; give --directory DIR").into()),
        _ => Ok(()),
    }
}

/// Has the kernel forget what it has read of all disks.
pub(crate) fn forget_disk() -> Result<()> {
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "3")
        .map_err(|error| format!("--cold: the caches cannot be dropped: {error}").into())
}

/// Cores, memory, kernel and the file system of `directory`.
pub(crate) fn words(directory: &Path) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What a builder added behind the figures may be a name.
    let figures = kernel.find(|c: char| !c.is_ascii_digit() && c != '.');
    let kernel = &kernel[..figures.unwrap_or(kernel.len())];
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0);
    let file_system = bare::file_system(directory).map_or("unknown", |(name, _)| name);
    let gib: f64 = kib / 1_048_576.0;
    format!("{cores} cores, {gib:.0} GiB of memory, Linux {kernel}, {file_system}")
}
