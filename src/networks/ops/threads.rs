//! The threads the operations share.
//!
//! A pool of our own, so that the window's thread keeps its share and the number can be chosen.

use std::cell::Cell;
use std::sync::{Arc, LazyLock, RwLock};

use rayon::ThreadPool;
use rayon::prelude::*;

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

/// Does `work` with each piece, several at once if there are several threads.
pub(super) fn for_each<T: Send>(pieces: Vec<T>, work: impl Fn(T) + Sync + Send) {
    if count() > 1 {
        pieces.into_par_iter().for_each(|piece| {
            let _at_it = AtAPiece::new();
            work(piece);
        });
    } else {
        pieces.into_iter().for_each(work);
    }
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
        let pieces = || for_each(vec![(); 8], |()| assert_ne!(count(), 1, "a piece shares nothing"));
        assert!(std::panic::catch_unwind(|| run(pieces)).is_err());
        let counts = pool().unwrap().broadcast(|_| count());
        set_count(None);
        assert!(counts.iter().all(|count| *count > 1), "{counts:?}");
    }
}
