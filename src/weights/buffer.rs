//! Memory of tensors that were read, used again for the next ones.
//!
//! A network that is loaded reads each tensor, packs it and drops it. With fresh memory for each, the system clears
//! every page once more, which takes as long as reading it.

use std::sync::{Mutex, PoisonError};

/// Buffers that are kept; a transformer's weights have few sizes.
const MAX_SPARE: usize = 4;
/// Shorter ones come from the allocator at once, words.
const LEAST: usize = 1 << 17;

static SPARE: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());

/// Words that may be left from another tensor, at least as many as were asked for.
#[derive(Debug)]
pub(super) struct Buffer(Vec<u64>);

impl Buffer {
    /// Allocates at least `words` words, or takes a spare buffer of that size.
    pub(super) fn of(words: usize) -> Self {
        if words < LEAST {
            return Self(vec![0; words]);
        }
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        // A tensor that stays does not hold much more than it needs.
        let fits = |buffer: &Vec<u64>| (words..=2 * words).contains(&buffer.len());
        let best = (0..spare.len()).filter(|i| fits(&spare[*i])).min_by_key(|i| spare[*i].len());
        Self(best.map_or_else(|| vec![0; words], |best| spare.swap_remove(best)))
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.0
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = Self::of(self.0.len());
        copy.0[..self.0.len()].copy_from_slice(&self.0);
        copy
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.len() < LEAST {
            return;
        }
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() == MAX_SPARE {
            spare.remove(0);
        }
        spare.push(std::mem::take(&mut self.0));
    }
}

/// Frees the memory that is kept for further tensors: called once a network is loaded.
pub fn free_spare_buffers() {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_used_again_if_it_is_not_much_too_long() {
        // Other tests use the same memory, so that only sizes are certain.
        for words in [1, LEAST - 1, LEAST, LEAST + 1, 3 * LEAST] {
            let mut buffer = Buffer::of(words);
            buffer.words_mut().fill(7);
            drop(buffer);
            let next = Buffer::of(words);
            assert!((words..=2 * words).contains(&next.words().len()), "{words}");
            assert_eq!(next.clone().words()[..words], next.words()[..words]);
        }
        free_spare_buffers();
        assert!(Buffer::of(LEAST).words().len() >= LEAST);
    }
}
