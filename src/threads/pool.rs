//! A thread pool that shares one stack of work for the duration of one call.
//!
//! A [`Worker`] puts new jobs on the stack. If enough jobs are waiting it performs a new job itself, so
//! that memory does not grow with the spool.
//!
//! The pool starts threads only if there is work to share, and all have ended when [`run`] returns. It
//! starts one thread per processor, and more while threads wait for a disk, because a disk is faster
//! with more requests in flight. If everything is cached, extra threads do not help: with two
//! processors, 16 threads took 7.4 ms for 1,000 messages and two threads 5.8 ms.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::spawn::{Thread, spawn};
use super::throttle::Throttle;
use crate::sys;

/// The name of the pool's threads.
const NAME: &str = "queuewatch-scan";
/// The maximum number of threads in one pool.
pub(crate) const MAX_READERS: usize = 16;
/// The minimum time between two thread starts if only a processor is free: several times the cost of
/// starting a thread.
const START_INTERVAL: Duration = Duration::from_micros(250);
/// Steps between two checks whether the thread had to wait.
const CHECK_INTERVAL: u32 = 16;
/// Adds a thread if at least one step in this many waits for the disk.
const STEPS_PER_WAIT: u64 = 4;
/// The maximum number of waiting jobs. At this limit a worker performs new jobs itself.
const MAX_WAITING: usize = 64;

/// The work of one thread.
pub(crate) trait Worker: Send {
    /// A unit of work.
    type Job: Send;

    /// Performs one job and passes the jobs that it finds to `jobs`.
    fn perform(&mut self, job: Self::Job, jobs: &mut dyn JobSink<Self::Job>);
}

/// Accepts the jobs that a worker finds.
pub(crate) trait JobSink<J> {
    /// Adds `job` for any thread.
    fn push(&mut self, job: J);

    /// Adds `job`, or returns it if enough jobs are waiting; the caller then performs it at once.
    fn try_push(&mut self, job: J) -> Option<J>;

    /// Reports a disk read: a file was read, or one buffer of a directory was listed. If such reads
    /// block, the pool adds a thread.
    fn disk_read(&mut self, kind: DiskRead);
}

/// A kind of disk read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskRead {
    /// One file.
    File,
    /// One buffer of directory entries.
    Listing,
}

/// How many threads read, and with which priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// The maximum number of threads.
    pub(crate) most: usize,
    /// Whether to give way to other programs: the threads run at the lowest processor priority, rest
    /// when another program wants the processor, and use the disk only when it is idle. The caller's
    /// thread could not get its priority back, so it only waits.
    pub(crate) gentle: bool,
}

/// Performs the jobs in `first` and all jobs found on the way, with up to `readers.most` threads
/// including the caller's. `worker` creates one worker for each thread. Returns the workers.
pub(crate) fn run<W: Worker>(
    readers: Readers,
    first: Vec<W::Job>,
    worker: impl Fn() -> W + Sync,
) -> Vec<W> {
    if !readers.gentle {
        return run_here(readers, first, worker);
    }
    let first = Mutex::new(Some(first));
    let take = || first.lock().unwrap_or_else(PoisonError::into_inner).take();
    std::thread::scope(|threads| {
        // Threads started by this one inherit its priority.
        let thread = spawn(threads, NAME, || {
            sys::lower_priority();
            run_here(readers, take().unwrap_or_default(), &worker)
        });
        thread.and_then(Thread::join).unwrap_or_else(|| {
            // The system cannot start a thread: a scan at normal priority is better than none.
            let alone = Readers {
                most: 1,
                gentle: false,
            };
            run_here(alone, take().unwrap_or_default(), &worker)
        })
    })
}

fn run_here<W: Worker>(
    readers: Readers,
    first: Vec<W::Job>,
    worker: impl Fn() -> W + Sync,
) -> Vec<W> {
    let pool = Pool {
        readers: readers.most.clamp(1, MAX_READERS),
        processors: sys::processors(),
        begun: Instant::now(),
        gentle: readers.gentle,
        queue: Mutex::new(JobQueue {
            waiting: Vec::new(),
            idle: 0,
            done: false,
        }),
        changed: Condvar::new(),
        started: AtomicUsize::new(1),
        finished: Mutex::new(Vec::new()),
        worker: &worker,
    };
    std::thread::scope(|threads| {
        let mut own = worker();
        let mut thread = PoolThread::new(&pool, threads);
        let stop = StopOnDrop(&pool);
        for job in first {
            own.perform(job, &mut thread);
        }
        pool.work(own, thread);
        drop(stop);
    });
    pool.finished
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// The waiting jobs and the number of idle threads.
struct JobQueue<J> {
    waiting: Vec<J>,
    idle: usize,
    done: bool,
}

/// The state that all threads share.
struct Pool<'s, W: Worker, F> {
    readers: usize,
    processors: usize,
    begun: Instant,
    gentle: bool,
    queue: Mutex<JobQueue<W::Job>>,
    changed: Condvar,
    started: AtomicUsize,
    finished: Mutex<Vec<W>>,
    worker: &'s F,
}

impl<W: Worker, F: Fn() -> W + Sync> Pool<'_, W, F> {
    fn queue(&self) -> MutexGuard<'_, JobQueue<W::Job>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a further thread, in addition to the `started` ones, would have a processor and enough work.
    fn has_processor(&self, started: usize) -> bool {
        started < self.processors && self.begun.elapsed() >= START_INTERVAL * (started as u32 - 1)
    }

    /// Performs jobs until no thread has or finds any more, then stores the worker.
    fn work<'s: 't, 't>(&'s self, mut worker: W, mut thread: PoolThread<'s, 't, '_, W, F>) {
        let stop = StopOnDrop(self);
        while let Some(job) = thread.next() {
            worker.perform(job, &mut thread);
            thread.throttle.step();
        }
        drop(stop);
        for child in thread.started.drain(..) {
            child.join();
        }
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.push(worker);
    }

    /// The next job; `None` once all threads are out of work.
    fn next(&self) -> Option<W::Job> {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.waiting.pop() {
                return Some(job);
            }
            if queue.done {
                return None;
            }
            queue.idle += 1;
            if queue.idle == self.started.load(Ordering::Relaxed) {
                queue.done = true;
                drop(queue);
                self.changed.notify_all();
                return None;
            }
            queue = self
                .changed
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

/// Ends the pool's work when one thread ends or panics, so that no thread waits for it forever.
struct StopOnDrop<'a, 's, W: Worker, F: Fn() -> W + Sync>(&'a Pool<'s, W, F>);

impl<W: Worker, F: Fn() -> W + Sync> Drop for StopOnDrop<'_, '_, W, F> {
    fn drop(&mut self) {
        self.0.queue().done = true;
        self.0.changed.notify_all();
    }
}

/// The pool as one of its threads uses it.
struct PoolThread<'s, 't, 'e, W: Worker, F> {
    pool: &'s Pool<'s, W, F>,
    threads: &'t Scope<'t, 'e>,
    throttle: Throttle,
    /// The threads that this one started.
    started: Vec<Thread<'t, ()>>,
    /// Steps since the last check for waits.
    steps: u32,
    /// How often this thread had waited at that check.
    waits: u64,
}

impl<'s: 't, 't, 'e, W: Worker, F: Fn() -> W + Sync> PoolThread<'s, 't, 'e, W, F> {
    /// The state for the calling thread.
    fn new(pool: &'s Pool<'s, W, F>, threads: &'t Scope<'t, 'e>) -> Self {
        PoolThread {
            pool,
            threads,
            throttle: Throttle::new(pool.gentle),
            started: Vec::new(),
            steps: 0,
            waits: sys::voluntary_switches(),
        }
    }

    /// As [`Pool::next`]. Does not count waiting for work as waiting for a disk.
    fn next(&mut self) -> Option<W::Job> {
        let before = sys::voluntary_switches();
        let job = self.pool.next();
        self.waits += sys::voluntary_switches().saturating_sub(before);
        job
    }

    /// Adds `job`, and starts another thread if all are busy and a processor is free.
    fn share(&mut self, mut queue: MutexGuard<'_, JobQueue<W::Job>>, job: W::Job) {
        queue.waiting.push(job);
        if queue.waiting.len() > 1 {
            self.start_if(queue, false);
        } else {
            drop(queue);
        }
        self.pool.changed.notify_one();
    }

    /// Starts another thread if all are busy and the limit allows it. It needs a free processor unless
    /// `waits` says that threads wait for the disk.
    fn start_if(&mut self, queue: MutexGuard<'_, JobQueue<W::Job>>, waits: bool) {
        let pool = self.pool;
        let started = pool.started.load(Ordering::Relaxed);
        let busy = queue.idle == 0 && !queue.waiting.is_empty();
        if !busy || started >= pool.readers || !(waits || pool.has_processor(started)) {
            return;
        }
        pool.started.store(started + 1, Ordering::Relaxed);
        drop(queue);
        let threads = self.threads;
        let spawned = spawn(threads, NAME, move || {
            pool.work((pool.worker)(), PoolThread::new(pool, threads));
        });
        if let Some(thread) = spawned {
            self.started.push(thread);
        } else {
            // The system has no more threads: the running ones do the work.
            let _queue = pool.queue();
            pool.started.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<'s: 't, 't, W: Worker, F: Fn() -> W + Sync> JobSink<W::Job> for PoolThread<'s, 't, '_, W, F> {
    fn push(&mut self, job: W::Job) {
        let queue = self.pool.queue();
        self.share(queue, job);
    }

    fn try_push(&mut self, job: W::Job) -> Option<W::Job> {
        let queue = self.pool.queue();
        if queue.waiting.len() >= MAX_WAITING {
            drop(queue);
            // The caller has just finished one job and performs this one next.
            self.throttle.step();
            return Some(job);
        }
        self.share(queue, job);
        None
    }

    fn disk_read(&mut self, kind: DiskRead) {
        self.steps += match kind {
            DiskRead::File => 1,
            DiskRead::Listing => STEPS_PER_WAIT as u32,
        };
        if self.steps < CHECK_INTERVAL
            || self.pool.started.load(Ordering::Relaxed) >= self.pool.readers
        {
            return;
        }
        let waits = sys::voluntary_switches();
        let waited = waits.saturating_sub(self.waits);
        let often = waited * STEPS_PER_WAIT >= u64::from(self.steps);
        (self.steps, self.waits) = (0, waits);
        self.start_if(self.pool.queue(), often);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts jobs; each job adds two smaller ones.
    struct Count(u64);

    impl Worker for Count {
        type Job = u32;
        fn perform(&mut self, job: u32, jobs: &mut dyn JobSink<u32>) {
            self.0 += 1;
            if job == 0 {
                return;
            }
            jobs.push(job - 1);
            if let Some(back) = jobs.try_push(job - 1) {
                self.perform(back, jobs);
            }
        }
    }

    #[test]
    fn all_work_is_done_once_by_any_number_of_threads() {
        for readers in [0, 1, 2, 5, 100] {
            for gentle in [false, true] {
                let readers = Readers {
                    most: readers,
                    gentle,
                };
                let workers = run(readers, vec![12, 12], || Count(0));
                assert!(workers.len() <= readers.most.clamp(1, MAX_READERS));
                let done: u64 = workers.iter().map(|worker| worker.0).sum();
                assert_eq!(done, 2 * (2_u64.pow(13) - 1), "{readers:?}");
            }
        }
    }

    /// Adds jobs; in each, reports `CHECK_INTERVAL` disk reads.
    struct Ask(fn());

    impl Worker for Ask {
        type Job = u32;
        fn perform(&mut self, job: u32, jobs: &mut dyn JobSink<u32>) {
            for _ in 0..job {
                jobs.push(0);
            }
            for _ in 0..CHECK_INTERVAL {
                (self.0)();
                jobs.disk_read(DiskRead::File);
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_slow_disk_gets_more_threads_than_there_are_processors() {
        let readers = Readers {
            most: MAX_READERS,
            gentle: false,
        };
        let wait = || std::thread::sleep(Duration::from_micros(500));
        let waiting = run(readers, vec![200], || Ask(wait)).len();
        assert!(
            waiting > sys::processors().min(MAX_READERS - 1),
            "{waiting}"
        );
        let work = || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(50) {}
        };
        let working = run(readers, vec![200], || Ask(work)).len();
        assert!(working <= sys::processors(), "{working}");
        let alone = Readers { most: 1, ..readers };
        assert_eq!(run(alone, vec![200], || Ask(wait)).len(), 1);
    }

    #[test]
    fn only_gentle_threads_lower_their_priority() {
        struct Priority(Vec<i32>);
        impl Worker for Priority {
            type Job = u32;
            fn perform(&mut self, job: u32, jobs: &mut dyn JobSink<u32>) {
                self.0
                    .push(rustix::process::getpriority_process(None).unwrap());
                if job > 0 {
                    jobs.push(job - 1);
                    jobs.push(job - 1);
                }
            }
        }
        let own = rustix::process::getpriority_process(None).unwrap();
        for (gentle, wanted) in [(true, 19), (false, own)] {
            let readers = Readers { most: 3, gentle };
            let workers = run(readers, vec![6], || Priority(Vec::new()));
            assert!(
                workers
                    .iter()
                    .flat_map(|worker| &worker.0)
                    .all(|priority| *priority == wanted)
            );
            assert_eq!(rustix::process::getpriority_process(None), Ok(own));
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_nobody_waiting() {
        struct Fall;
        impl Worker for Fall {
            type Job = u32;
            fn perform(&mut self, job: u32, jobs: &mut dyn JobSink<u32>) {
                assert!(job != 3, "fell");
                if job < 3 {
                    for next in 1..=3 {
                        jobs.push(job + next);
                    }
                }
            }
        }
        for gentle in [false, true] {
            let readers = Readers { most: 4, gentle };
            let fallen = std::panic::catch_unwind(|| run(readers, vec![0], || Fall).len());
            assert!(fallen.is_err());
        }
    }
}
