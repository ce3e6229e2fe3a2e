//! One process: started, listened to, waited for with what it used.

use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::mem::MaybeUninit;
use std::process::{Command, Stdio};
use std::time::Instant;

/// What a process used and said.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// Seconds from its start to its end.
    pub(crate) seconds: f64,
    /// Seconds of processor time, its own and the kernel's for it.
    pub(crate) cpu: f64,
    /// The most memory it had at once, in KiB. Never less than the measuring process has: until it
    /// becomes another program, a new process is a copy of that.
    pub(crate) peak_kib: u64,
    /// MiB that were read from a disk for it: 0 where the caches hold all.
    pub(crate) disk_mib: f64,
    /// Its exit code; `None` after a signal.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) output: String,
}

/// A command line.
#[derive(Clone, Debug)]
pub(crate) struct Line(Vec<std::ffi::OsString>);

impl Line {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Line {
        Line(vec![program.as_ref().to_owned()])
    }

    pub(crate) fn with(mut self, word: impl AsRef<OsStr>) -> Line {
        self.0.push(word.as_ref().to_owned());
        self
    }

    /// The same behind `before`, a program that starts it.
    pub(crate) fn after(&self, before: Line) -> Line {
        self.0.iter().fold(before, Line::with)
    }

    /// Runs it under strace(1), and tells how many system calls it and its children made.
    pub(crate) fn calls(&self) -> io::Result<u64> {
        let ended = Line::new("strace")
            .with("-f")
            .with("-c")
            .with("-o")
            .with("/dev/stdout");
        let ended = self.after(ended).run()?;
        // % time, seconds, usecs/call, calls, errors, total
        let total = ended
            .output
            .lines()
            .rev()
            .find(|line| line.ends_with(" total"));
        let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
        calls.ok_or_else(|| io::Error::other("strace counted nothing"))
    }

    /// Runs it.
    pub(crate) fn run(&self) -> io::Result<Ended> {
        let [program, words @ ..] = self.0.as_slice() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let start = Instant::now();
        let mut child = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = Vec::new();
        if let Some(stdout) = &mut child.stdout {
            stdout.read_to_end(&mut output)?;
        }
        let (status, usage) = wait(child.id())?;
        let seconds = start.elapsed().as_secs_f64();
        let time = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Ok(Ended {
            seconds,
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            peak_kib: usage.ru_maxrss as u64,
            // In units of 512 bytes, whatever the disk's are.
            disk_mib: usage.ru_inblock as f64 / 2048.0,
            code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
            output: String::from_utf8_lossy(&output).into_owned(),
        })
    }
}

/// Waits for a child that nobody else waits for.
fn wait(id: u32) -> io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: checked: both pointers are to memory of ours of the right type that outlives the
        // call. Assumed: the kernel writes no more than these types hold.
        let waited =
            unsafe { libc::wait4(id.cast_signed(), &raw mut status, 0, usage.as_mut_ptr()) };
        if waited == id.cast_signed() {
            // SAFETY: every bit pattern is an rusage, it was zeroed, and the kernel has filled it.
            return Ok((status, unsafe { usage.assume_init() }));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
