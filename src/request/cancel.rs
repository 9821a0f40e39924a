//! Stopping a job from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const RUN: u8 = 0;
const FINISH: u8 = 1;
const STOP: u8 = 2;

/// The cancel token of a job, shared by client and engine and checked between network blocks.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicU8>);

impl CancelToken {
    /// A token that lets its job run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the job without a result.
    pub fn stop(&self) {
        self.0.store(STOP, Ordering::Relaxed);
    }

    /// Ends sampling early: the current denoised latent is decoded. Does not undo [`Self::stop`].
    pub fn finish(&self) {
        // The exchange fails if the job was already finished or stopped.
        let _ = self.0.compare_exchange(RUN, FINISH, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Whether the job must stop without a result.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed) == STOP
    }

    /// Whether sampling must end, with or without a result.
    pub fn ends_sampling(&self) -> bool {
        self.0.load(Ordering::Relaxed) != RUN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finishing_does_not_undo_a_stop() {
        let token = CancelToken::new();
        token.stop();
        token.finish();
        assert!(token.is_stopped());
    }

    #[test]
    fn a_clone_is_the_same_switch() {
        let token = CancelToken::new();
        token.clone().finish();
        assert!(token.ends_sampling() && !token.is_stopped());
    }
}
