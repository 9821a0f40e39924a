//! Buffers that are kept from call to call.
//!
//! A fresh buffer of a few MiB costs page faults and zeroing each time; in a step of a network there are hundreds.

use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// f32 values of a cache line.
const LINE: usize = 16;

/// The most buffers that are kept while unused.
const KEPT: usize = 64;

/// The longest buffer that is kept, values: one of a very large picture would hold memory for nothing.
const LONGEST_KEPT: usize = 1 << 24;

/// The unused buffers of a context.
#[derive(Default)]
pub(super) struct ScratchPool {
    /// Sorted by their lengths.
    free: Mutex<Vec<Vec<f32>>>,
}

impl ScratchPool {
    fn free(&self) -> MutexGuard<'_, Vec<Vec<f32>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees all unused buffers.
    pub(super) fn release(&self) {
        let buffers = std::mem::take(&mut *self.free());
        drop(buffers);
    }

    /// `len` values from earlier use, or zeros, on a cache line: vectors that lie across two lines take twice as long.
    pub(super) fn take(&self, len: usize) -> Scratch<'_> {
        if len == 0 {
            return Scratch { pool: self, buffer: Vec::new(), skipped: 0, len };
        }
        let needed = len + LINE;
        let mut buffer = {
            let mut free = self.free();
            // The shortest that is long enough.
            let at = free.partition_point(|buffer| buffer.len() < needed);
            if at < free.len() { free.remove(at) } else { free.pop().unwrap_or_default() }
        };
        if buffer.len() < needed {
            // Not `resize`, which would copy stale values.
            buffer = vec![0.0; needed];
        }
        let skipped = buffer.as_ptr().align_offset(size_of::<f32>() * LINE).min(LINE);
        Scratch { pool: self, buffer, skipped, len }
    }
}

/// A buffer that goes back to its pool when dropped.
pub(super) struct Scratch<'a> {
    pool: &'a ScratchPool,
    buffer: Vec<f32>,
    /// Values before the first cache line.
    skipped: usize,
    len: usize,
}

impl std::ops::Deref for Scratch<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.skipped..][..self.len]
    }
}

impl std::ops::DerefMut for Scratch<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.skipped..][..self.len]
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        let len = self.buffer.len();
        if len == 0 || len > LONGEST_KEPT {
            return;
        }
        let mut free = self.pool.free();
        if free.len() < KEPT {
            let at = free.partition_point(|buffer| buffer.len() < len);
            free.insert(at, std::mem::take(&mut self.buffer));
        }
    }
}

/// A vector of `len` values that `write` writes: zeros that are overwritten cost up to a tenth of an operation.
///
/// # Safety
/// `write` must initialise every value.
pub(super) unsafe fn written_vec(len: usize, write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::with_capacity(len);
    write(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is at least `len`, and the caller promises that `write` initialised the values.
    unsafe {
        values.set_len(len);
    }
    values
}

/// The same for several vectors.
///
/// # Safety
/// `write` must initialise every value of each.
pub(super) unsafe fn written_vecs(
    lens: &[usize],
    write: impl FnOnce(Vec<&mut [MaybeUninit<f32>]>),
) -> Vec<Vec<f32>> {
    let mut all: Vec<Vec<f32>> = lens.iter().map(|len| Vec::with_capacity(*len)).collect();
    write(all.iter_mut().zip(lens).map(|(values, len)| &mut values.spare_capacity_mut()[..*len]).collect());
    for (values, len) in all.iter_mut().zip(lens) {
        // SAFETY: the capacity is at least `len`, and the caller promises that `write` initialised the values.
        unsafe {
            values.set_len(*len);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_until_it_is_released() {
        let pool = ScratchPool::default();
        let mut first = pool.take(100);
        first.fill(3.0);
        drop(first);
        assert_eq!(pool.take(90)[..4], [3.0; 4]);
        pool.release();
        assert_eq!(pool.take(100)[..4], [0.0; 4]);
    }

    #[test]
    fn every_buffer_begins_with_a_cache_line() {
        let pool = ScratchPool::default();
        let buffers: Vec<_> = [1, 7, 16, 1000].map(|len| pool.take(len)).into_iter().collect();
        assert!(buffers.iter().all(|buffer| (buffer.as_ptr() as usize).is_multiple_of(64)));
    }
}
