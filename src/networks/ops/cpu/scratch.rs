//! Buffers that a thread keeps from call to call.
//!
//! A fresh buffer of a few MiB costs page faults and zeroing each time; in a step of a network there
//! are hundreds of them.

use std::cell::RefCell;

/// Buffers of one thread that nobody uses now.
const KEPT: usize = 6;

/// The longest buffer that is kept, values: one of a very large picture would take memory for nothing.
const LONGEST_KEPT: usize = 1 << 24;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of some length, with any values in it; goes back to its thread when dropped.
pub(in super::super) struct Scratch {
    buffer: Vec<f32>,
    len: usize,
}

impl Scratch {
    /// `len` values from earlier use, or zeros.
    pub(in super::super) fn new(len: usize) -> Self {
        let mut buffer = FREE.with_borrow_mut(|free| {
            // The shortest that is long enough; they lie sorted.
            let at = free.partition_point(|buffer| buffer.len() < len);
            if at < free.len() { free.remove(at) } else { free.pop().unwrap_or_default() }
        });
        if buffer.len() < len {
            // Not `resize`, which would copy what nobody needs.
            buffer = vec![0.0; len];
        }
        Self { buffer, len }
    }
}

impl std::ops::Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        FREE.with_borrow_mut(|free| {
            if free.len() < KEPT && self.buffer.len() <= LONGEST_KEPT {
                free.push(std::mem::take(&mut self.buffer));
                free.sort_unstable_by_key(Vec::len);
            }
        });
    }
}
