//! Several threads that share work from one stack, for one call.
//!
//! Whoever finds more work puts it up for the others and does it itself when enough is waiting, so
//! that memory does not grow with the spool. What the work is, is the [`Worker`]'s business.
//!
//! Threads are started only when there is work to share, and have ended when [`run`] returns: one for
//! each processor, and more while they wait for a disk, which is faster the more is asked of it at once. Where all is in memory, more threads than
//! processors are of no use: 16 on two took 7.4 ms for 1,000 messages, two 5.8 ms.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant};

use super::spawn::{Thread, spawn};
use super::throttle::Pace;
use crate::sys;

/// The name of its threads.
const NAME: &str = "queuewatch-scan";
/// The most threads of one pool.
pub const MAX_READERS: usize = 16;
/// After how long each thread but the second may get another one, if only a processor is free: some
/// times what a thread costs.
const APART: Duration = Duration::from_micros(250);
/// Steps between two looks at whether a thread had to wait.
const LOOK: u32 = 16;
/// Adds a thread when a disk holds up at least one step in this many.
const STEPS_A_WAIT: u64 = 4;
/// Pieces of work that may wait; beyond, whoever finds more does it at once.
const MAX_WAITING: usize = 64;

/// One thread's part of the work.
pub(crate) trait Worker: Send {
    /// A piece of work.
    type Job: Send;

    /// Does one piece; what it finds for others goes to `hands`.
    fn perform(&mut self, job: Self::Job, hands: &mut dyn Share<Self::Job>);
}

/// Where a worker puts up what it finds.
pub(crate) trait Share<J> {
    /// Puts `job` up for anyone.
    fn put(&mut self, job: J);

    /// Puts `job` up, or gives it back, to be done at once, when enough is waiting.
    fn offer(&mut self, job: J) -> Option<J>;

    /// Hears that the disk was asked: a file was read, or a buffer full of a directory was listed. If it
    /// lets this thread wait, another one will ask, too.
    fn asked(&mut self, of: Asked);
}

/// What a disk was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A file.
    File,
    /// Some of a directory.
    Names,
}

/// Who reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readers {
    /// The most threads at once.
    pub most: usize,
    /// Whether they step back for everything else on the host: at the lowest priority for a processor,
    /// with a rest whenever somebody else wants it, and for the disk only when nobody else does. The caller's thread, whose priority could not
    /// be given back, then waits and reads nothing itself.
    pub gentle: bool,
}

/// Works through `first` and all that is found on the way, with at most so many threads as `readers`
/// says, the caller's among them; `worker` makes one worker for each thread. Returns the workers.
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
        // Threads that this one starts inherit what it asks for.
        let thread = spawn(threads, NAME, || {
            sys::step_back();
            run_here(readers, take().unwrap_or_default(), &worker)
        });
        thread.and_then(Thread::join).unwrap_or_else(|| {
            // The system has no thread for it: better to answer than to be gentle.
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
        board: Mutex::new(Board {
            waiting: Vec::new(),
            idle: 0,
            done: false,
        }),
        news: Condvar::new(),
        started: AtomicUsize::new(1),
        finished: Mutex::new(Vec::new()),
        worker: &worker,
    };
    std::thread::scope(|threads| {
        let mut own = worker();
        let mut hands = Hands::new(&pool, threads);
        let leave = Leave(&pool);
        for job in first {
            own.perform(job, &mut hands);
        }
        pool.work(own, hands);
        drop(leave);
    });
    pool.finished
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Work that waits, and how many threads are idle.
struct Board<J> {
    waiting: Vec<J>,
    idle: usize,
    done: bool,
}

/// What the threads share.
struct Pool<'s, W: Worker, F> {
    readers: usize,
    processors: usize,
    begun: Instant,
    gentle: bool,
    board: Mutex<Board<W::Job>>,
    news: Condvar,
    started: AtomicUsize,
    finished: Mutex<Vec<W>>,
    worker: &'s F,
}

impl<W: Worker, F: Fn() -> W + Sync> Pool<'_, W, F> {
    fn board(&self) -> MutexGuard<'_, Board<W::Job>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a thread more than those `started` would have a processor, and enough to do.
    fn has_processor(&self, started: usize) -> bool {
        started < self.processors && self.begun.elapsed() >= APART * (started as u32 - 1)
    }

    /// Works until nobody has or finds any more, then hands in the worker.
    fn work<'s: 't, 't>(&'s self, mut worker: W, mut hands: Hands<'s, 't, '_, W, F>) {
        let leave = Leave(self);
        while let Some(job) = hands.next() {
            worker.perform(job, &mut hands);
            hands.pace.step();
        }
        drop(leave);
        for thread in hands.started.drain(..) {
            thread.join();
        }
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.push(worker);
    }

    /// The next piece of work; `None` once nobody has any.
    fn next(&self) -> Option<W::Job> {
        let mut board = self.board();
        loop {
            if let Some(job) = board.waiting.pop() {
                return Some(job);
            }
            if board.done {
                return None;
            }
            board.idle += 1;
            if board.idle == self.started.load(Ordering::Relaxed) {
                board.done = true;
                drop(board);
                self.news.notify_all();
                return None;
            }
            board = self
                .news
                .wait(board)
                .unwrap_or_else(PoisonError::into_inner);
            board.idle -= 1;
        }
    }
}

/// Ends the work for all when one thread ends or panics: none may be left waiting for it.
struct Leave<'a, 's, W: Worker, F: Fn() -> W + Sync>(&'a Pool<'s, W, F>);

impl<W: Worker, F: Fn() -> W + Sync> Drop for Leave<'_, '_, W, F> {
    fn drop(&mut self) {
        self.0.board().done = true;
        self.0.news.notify_all();
    }
}

/// What one thread holds of the pool.
struct Hands<'s, 't, 'e, W: Worker, F> {
    pool: &'s Pool<'s, W, F>,
    threads: &'t Scope<'t, 'e>,
    pace: Pace,
    /// The threads that this one started.
    started: Vec<Thread<'t, ()>>,
    /// Steps since the last look at the waits.
    steps: u32,
    /// How often this thread had waited by then.
    waits: u64,
}

impl<'s: 't, 't, 'e, W: Worker, F: Fn() -> W + Sync> Hands<'s, 't, 'e, W, F> {
    /// Those of the calling thread.
    fn new(pool: &'s Pool<'s, W, F>, threads: &'t Scope<'t, 'e>) -> Self {
        Hands {
            pool,
            threads,
            pace: Pace::new(pool.gentle),
            started: Vec::new(),
            steps: 0,
            waits: sys::waits(),
        }
    }

    /// As [`Pool::next`]. To wait for work is not to wait for a disk.
    fn next(&mut self) -> Option<W::Job> {
        let before = sys::waits();
        let job = self.pool.next();
        self.waits += sys::waits().saturating_sub(before);
        job
    }

    /// Puts `job` up and starts another thread if all are busy and there is a processor for it.
    fn share(&mut self, mut board: MutexGuard<'_, Board<W::Job>>, job: W::Job) {
        board.waiting.push(job);
        if board.waiting.len() > 1 {
            self.start_if(board, false);
        } else {
            drop(board);
        }
        self.pool.news.notify_one();
    }

    /// Starts another thread if all are busy and more are allowed, be it that `waits` are to be used, or
    /// that there is a processor for it.
    fn start_if(&mut self, board: MutexGuard<'_, Board<W::Job>>, waits: bool) {
        let pool = self.pool;
        let started = pool.started.load(Ordering::Relaxed);
        let busy = board.idle == 0 && !board.waiting.is_empty();
        if !busy || started >= pool.readers || !(waits || pool.has_processor(started)) {
            return;
        }
        pool.started.store(started + 1, Ordering::Relaxed);
        drop(board);
        let threads = self.threads;
        let spawned = spawn(threads, NAME, move || {
            pool.work((pool.worker)(), Hands::new(pool, threads));
        });
        if let Some(thread) = spawned {
            self.started.push(thread);
        } else {
            // No thread to be had: those that run do the work.
            let _board = pool.board();
            pool.started.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<'s: 't, 't, W: Worker, F: Fn() -> W + Sync> Share<W::Job> for Hands<'s, 't, '_, W, F> {
    fn put(&mut self, job: W::Job) {
        let board = self.pool.board();
        self.share(board, job);
    }

    fn offer(&mut self, job: W::Job) -> Option<W::Job> {
        let board = self.pool.board();
        if board.waiting.len() >= MAX_WAITING {
            drop(board);
            // Between the piece that was done at once before and this one.
            self.pace.step();
            return Some(job);
        }
        self.share(board, job);
        None
    }

    fn asked(&mut self, of: Asked) {
        self.steps += match of {
            Asked::File => 1,
            Asked::Names => STEPS_A_WAIT as u32,
        };
        if self.steps < LOOK || self.pool.started.load(Ordering::Relaxed) >= self.pool.readers {
            return;
        }
        let waits = sys::waits();
        let waited = waits.saturating_sub(self.waits);
        let often = waited * STEPS_A_WAIT >= u64::from(self.steps);
        (self.steps, self.waits) = (0, waits);
        self.start_if(self.pool.board(), often);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts down, each job putting up two smaller ones.
    struct Count(u64);

    impl Worker for Count {
        type Job = u32;
        fn perform(&mut self, job: u32, hands: &mut dyn Share<u32>) {
            self.0 += 1;
            if job == 0 {
                return;
            }
            hands.put(job - 1);
            if let Some(back) = hands.offer(job - 1) {
                self.perform(back, hands);
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

    /// As many pieces of work as there are, put up at once; in each the disk is asked so often.
    struct Ask(fn());

    impl Worker for Ask {
        type Job = u32;
        fn perform(&mut self, job: u32, hands: &mut dyn Share<u32>) {
            for _ in 0..job {
                hands.put(0);
            }
            for _ in 0..LOOK {
                (self.0)();
                hands.asked(Asked::File);
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn who_waits_for_a_disk_gets_more_threads_than_there_are_processors() {
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
    fn only_threads_of_a_gentle_crew_step_back() {
        struct Priority(Vec<i32>);
        impl Worker for Priority {
            type Job = u32;
            fn perform(&mut self, job: u32, hands: &mut dyn Share<u32>) {
                self.0
                    .push(rustix::process::getpriority_process(None).unwrap());
                if job > 0 {
                    hands.put(job - 1);
                    hands.put(job - 1);
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
            fn perform(&mut self, job: u32, hands: &mut dyn Share<u32>) {
                assert!(job != 3, "fell");
                if job < 3 {
                    for next in 1..=3 {
                        hands.put(job + next);
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
