//! The threads the operations share.
//!
//! A pool of our own, so that the window's thread keeps its share and the number can be chosen.

use std::cell::Cell;
use std::sync::{Arc, LazyLock, RwLock};

use rayon::ThreadPool;
use rayon::prelude::*;

/// Runs of chunks for each thread.
const RUNS: usize = 4;

static POOL: LazyLock<RwLock<Option<Arc<ThreadPool>>>> =
    LazyLock::new(|| RwLock::new(build(default_count())));

/// One thread for each processor the program may use.
pub fn default_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn build(count: usize) -> Option<Arc<ThreadPool>> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(count.max(1))
        .thread_name(|i| format!("safelight-ops-{i}"))
        .build()
        .inspect_err(|error| {
            log::error!("no threads of our own for the networks, using the caller's: {error}");
        })
        .ok()
        .map(Arc::new)
}

/// Chooses how many threads the operations use from now on; `None` is one for each processor.
pub fn set_count(count: Option<usize>) {
    let count = count.unwrap_or_else(default_count);
    if self::count() != count {
        *POOL.write().unwrap_or_else(std::sync::PoisonError::into_inner) = build(count);
    }
}

thread_local! {
    /// Whether this thread is at a piece of work of which the others have theirs.
    static HAS_A_PIECE: Cell<bool> = const { Cell::new(false) };
}

/// Held while a thread is at its piece; given up when that panics too, or the thread would share nothing ever after.
struct AtAPiece;

impl AtAPiece {
    fn new() -> Self {
        HAS_A_PIECE.set(true);
        Self
    }
}

impl Drop for AtAPiece {
    fn drop(&mut self) {
        HAS_A_PIECE.set(false);
    }
}

/// How many threads the operations use; one inside a piece of work that is shared already.
pub fn count() -> usize {
    if HAS_A_PIECE.get() { 1 } else { pool().map_or(1, |pool| pool.current_num_threads()) }
}

fn pool() -> Option<Arc<ThreadPool>> {
    POOL.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

/// Does `work` with each piece, several at once if there are several threads and `share`.
///
/// A thread takes the next piece when it is done with one, so that those of a thread that is late are done by the others.
pub(super) fn for_each<T: Send>(
    share: bool,
    pieces: impl Iterator<Item = T> + Send,
    work: impl Fn(T) + Sync + Send,
) {
    for_each_with(share, pieces, || (), |(), piece| work(piece));
}

/// The same with a state for each thread.
pub(super) fn for_each_with<T: Send, S>(
    share: bool,
    pieces: impl Iterator<Item = T> + Send,
    state: impl Fn() -> S + Sync + Send,
    work: impl Fn(&mut S, T) + Sync + Send,
) {
    if share && count() > 1 {
        pieces.par_bridge().for_each_init(state, |state, piece| {
            let _at_it = AtAPiece::new();
            work(state, piece);
        });
    } else {
        let mut state = state();
        pieces.for_each(|piece| work(&mut state, piece));
    }
}

/// `work` with each numbered chunk of `len` values, chunks that lie together on one thread: two threads in turn would
/// have each other's lines of the cache.
pub(super) fn for_each_chunk(
    share: bool,
    values: &mut [f32],
    len: usize,
    work: impl Fn(usize, &mut [f32]) + Sync + Send,
) {
    let run = (values.len() / len).div_ceil(RUNS * count()).max(1);
    for_each(share, values.chunks_mut(run * len).enumerate(), |(first, chunks)| {
        for (number, chunk) in chunks.chunks_exact_mut(len).enumerate() {
            work(first * run + number, chunk);
        }
    });
}

/// Runs `work` on the pool. Wrap a whole network call, so that its operations need not cross threads.
pub fn run<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match pool() {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_whose_piece_panicked_shares_work_again() {
        set_count(Some(2));
        let pieces = || for_each(true, 0..8, |_| assert_ne!(count(), 1, "a piece shares nothing"));
        assert!(std::panic::catch_unwind(|| run(pieces)).is_err());
        // Not their number, which another test may change meanwhile.
        let at_it = pool().unwrap().broadcast(|_| HAS_A_PIECE.get());
        set_count(None);
        assert!(at_it.iter().all(|at_it| !at_it), "{at_it:?}");
    }

    #[test]
    fn every_chunk_is_done_once_with_its_number() {
        for threads in [1, 3] {
            for (chunks, len) in [(0, 4), (1, 3), (11, 2), (100, 1)] {
                set_count(Some(threads));
                let mut values = vec![0.5; chunks * len];
                run(|| {
                    for_each_chunk(true, &mut values, len, |number, chunk| {
                        for value in chunk {
                            *value += number as f32;
                        }
                    });
                });
                set_count(None);
                let wanted: Vec<f32> = (0..chunks * len).map(|at| (at / len) as f32 + 0.5).collect();
                assert_eq!(values, wanted, "{chunks} chunks of {len} with {threads} threads");
            }
        }
    }
}
