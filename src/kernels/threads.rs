//! The threads that kernels share their work among.
//!
//! A pool of its own for each context, so that other threads keep their share of the machine and the number can be chosen.

use std::cell::Cell;

use rayon::ThreadPool;
use rayon::prelude::*;

/// Runs of chunks for each thread.
const RUNS: usize = 4;

/// The number of processors that the program may use.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A pool, or the caller's thread alone.
pub(super) struct Threads {
    pool: Option<ThreadPool>,
}

thread_local! {
    /// Whether this thread works on a piece of something that is shared already.
    static IS_NESTED: Cell<bool> = const { Cell::new(false) };
}

/// Held while a thread works on a piece; a destructor, because a panic must end it too, or the thread would never share
/// work again.
struct NestedParallelGuard;

impl NestedParallelGuard {
    fn new() -> Self {
        IS_NESTED.set(true);
        Self
    }
}

impl Drop for NestedParallelGuard {
    fn drop(&mut self) {
        IS_NESTED.set(false);
    }
}

impl Threads {
    /// `None` is one for each processor that the program may use.
    pub(super) fn new(count: Option<usize>) -> Self {
        let count = count.unwrap_or_else(available_threads);
        if count <= 1 {
            return Self { pool: None };
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(count)
            .thread_name(|i| format!("safelight-kernels-{i}"))
            .build()
            .inspect_err(|error| log::error!("no threads for the kernels, using the caller's: {error}"));
        Self { pool: pool.ok() }
    }

    /// The number of threads; 1 inside a piece of work that is shared already.
    pub(super) fn count(&self) -> usize {
        if IS_NESTED.get() { 1 } else { self.pool.as_ref().map_or(1, ThreadPool::current_num_threads) }
    }

    /// Runs `work` on one of the threads.
    pub(super) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    /// Does `work` once on each of the threads.
    pub(super) fn on_each(&self, work: impl Fn() + Sync) {
        match &self.pool {
            Some(pool) => {
                pool.broadcast(|_| work());
            }
            None => work(),
        }
    }

    /// Does `work` with each piece, several at once if there are several threads and `share`.
    ///
    /// A thread takes the next piece when it is done with one, so that a late thread's pieces are done by the others.
    pub(super) fn for_each<T: Send>(
        &self,
        share: bool,
        pieces: impl Iterator<Item = T> + Send,
        work: impl Fn(T) + Sync + Send,
    ) {
        self.for_each_with(share, pieces, || (), |(), piece| work(piece));
    }

    /// The same with a state for each thread.
    pub(super) fn for_each_with<T: Send, S>(
        &self,
        share: bool,
        pieces: impl Iterator<Item = T> + Send,
        state: impl Fn() -> S + Sync + Send,
        work: impl Fn(&mut S, T) + Sync + Send,
    ) {
        if share && self.count() > 1 {
            self.run(|| {
                pieces.par_bridge().for_each_init(state, |state, piece| {
                    let _guard = NestedParallelGuard::new();
                    work(state, piece);
                });
            });
        } else {
            let mut state = state();
            pieces.for_each(|piece| work(&mut state, piece));
        }
    }

    /// `work` with each numbered chunk of `len` values; neighbouring chunks on one thread, because two threads in turn
    /// would take each other's cache lines.
    pub(super) fn for_each_chunk(
        &self,
        share: bool,
        values: &mut [f32],
        len: usize,
        work: impl Fn(usize, &mut [f32]) + Sync + Send,
    ) {
        let run = (values.len() / len).div_ceil(RUNS * self.count()).max(1);
        self.for_each(share, values.chunks_mut(run * len).enumerate(), |(first, chunks)| {
            for (number, chunk) in chunks.chunks_exact_mut(len).enumerate() {
                work(first * run + number, chunk);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_whose_piece_panicked_shares_work_again() {
        let threads = Threads::new(Some(2));
        let pieces =
            || threads.for_each(true, 0..8, |_| assert_ne!(threads.count(), 1, "a piece shares nothing"));
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| threads.run(pieces)));
        assert!(failed.is_err());
        let counts = threads.pool.as_ref().unwrap().broadcast(|_| threads.count());
        assert_eq!(counts, [2, 2]);
    }

    #[test]
    fn every_chunk_is_done_once_with_its_number() {
        for count in [1, 3] {
            let threads = Threads::new(Some(count));
            for (chunks, len) in [(0, 4), (1, 3), (11, 2), (100, 1)] {
                let mut values = vec![0.5; chunks * len];
                threads.for_each_chunk(true, &mut values, len, |number, chunk| {
                    for value in chunk {
                        *value += number as f32;
                    }
                });
                let wanted: Vec<f32> = (0..chunks * len).map(|at| (at / len) as f32 + 0.5).collect();
                assert_eq!(values, wanted, "{chunks} chunks of {len} with {count} threads");
            }
        }
    }
}
