//! Stopping a job from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const RUN: u8 = 0;
const FINISH: u8 = 1;
const STOP: u8 = 2;

/// A job's stop switch, shared by client and engine and looked at between network blocks.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicU8>);

impl CancelToken {
    /// A token nobody has pulled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stop now: no result.
    pub fn stop(&self) {
        self.0.store(STOP, Ordering::Relaxed);
    }

    /// Finish now: decode the present denoised latent. Does not undo [`Self::stop`].
    pub fn finish(&self) {
        // A failed exchange means the job was already told to finish or stop.
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
