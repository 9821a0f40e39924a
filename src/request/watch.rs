//! What a client wants to see of the inside of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What is computed besides a step, without a change to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// How strongly guidance pulls at each latent pixel.
    pub guidance: bool,
    /// Where each token of the prompt acts.
    pub words: bool,
}

impl Watched {
    /// Whether there is anything to compute.
    pub fn is_any(self) -> bool {
        self.guidance || self.words
    }
}

/// What is watched, shared by client and engine and read before each step.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<AtomicU8>);

const GUIDANCE: u8 = 1;
const WORDS: u8 = 2;

impl Watch {
    /// A watch that stays as it is.
    pub fn on(watched: Watched) -> Self {
        let watch = Self::default();
        watch.set(watched);
        watch
    }

    /// Changes what is watched from the next step on.
    pub fn set(&self, Watched { guidance, words }: Watched) {
        let bits = if guidance { GUIDANCE } else { 0 } | if words { WORDS } else { 0 };
        self.0.store(bits, Ordering::Relaxed);
    }

    /// What is watched.
    pub fn get(&self) -> Watched {
        let bits = self.0.load(Ordering::Relaxed);
        Watched { guidance: bits & GUIDANCE != 0, words: bits & WORDS != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_is_the_same_watch() {
        let watch = Watch::default();
        assert!(!watch.get().is_any());
        for (guidance, words) in [(true, false), (false, true), (true, true), (false, false)] {
            watch.clone().set(Watched { guidance, words });
            assert_eq!(watch.get(), Watched { guidance, words });
        }
    }
}
