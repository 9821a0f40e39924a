//! Buffers that are kept from call to call.
//!
//! A fresh buffer of a few MiB costs page faults and zeroing each time; in a step of a network there
//! are hundreds of them.

use std::mem::MaybeUninit;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::prefetch::LINE;

/// Buffers that nobody uses now.
const KEPT: usize = 64;

/// The longest buffer that is kept, values: one of a very large picture would take memory for nothing.
const LONGEST_KEPT: usize = 1 << 24;

/// Sorted by their lengths.
static FREE: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

fn free() -> MutexGuard<'static, Vec<Vec<f32>>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets all kept buffers go.
pub fn release_buffers() {
    let buffers = std::mem::take(&mut *free());
    drop(buffers);
}

/// A buffer of some length that begins with a line of the cache, with any values in it; kept for later when dropped.
/// Vectors and tiles that lie across two lines take twice as long.
pub(in super::super) struct Scratch {
    buffer: Vec<f32>,
    /// Values before the first.
    skipped: usize,
    len: usize,
}

impl Scratch {
    /// `len` values from earlier use, or zeros.
    pub(in super::super) fn new(len: usize) -> Self {
        if len == 0 {
            return Self { buffer: Vec::new(), skipped: 0, len };
        }
        let room = len + LINE;
        let mut buffer = {
            let mut free = free();
            // The shortest that is long enough.
            let at = free.partition_point(|buffer| buffer.len() < room);
            if at < free.len() { free.remove(at) } else { free.pop().unwrap_or_default() }
        };
        if buffer.len() < room {
            // Not `resize`, which would copy what nobody needs.
            buffer = vec![0.0; room];
        }
        let skipped = buffer.as_ptr().align_offset(size_of::<f32>() * LINE).min(LINE);
        Self { buffer, skipped, len }
    }
}

/// A vector of `len` values, each written by `write`: zeros that are overwritten cost up to a tenth of an operation.
///
/// # Safety
/// `write` must write every value.
#[expect(unsafe_code, reason = "the vector's values are not there before they are written")]
pub(in super::super) unsafe fn written(len: usize, write: impl FnOnce(&mut [MaybeUninit<f32>])) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::with_capacity(len);
    write(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the caller's promise.
    unsafe {
        values.set_len(len);
    }
    values
}

/// The same of several vectors.
///
/// # Safety
/// `write` must write every value of each.
#[expect(unsafe_code, reason = "see `written`")]
pub(super) unsafe fn all_written(
    lens: impl Iterator<Item = usize>,
    write: impl FnOnce(Vec<&mut [MaybeUninit<f32>]>),
) -> Vec<Vec<f32>> {
    let lens: Vec<usize> = lens.collect();
    let mut all: Vec<Vec<f32>> = lens.iter().map(|len| Vec::with_capacity(*len)).collect();
    write(all.iter_mut().zip(&lens).map(|(values, len)| &mut values.spare_capacity_mut()[..*len]).collect());
    for (values, len) in all.iter_mut().zip(lens) {
        // SAFETY: the caller's promise.
        unsafe {
            values.set_len(len);
        }
    }
    all
}

impl std::ops::Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.buffer[self.skipped..][..self.len]
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[self.skipped..][..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let len = self.buffer.len();
        if len == 0 || len > LONGEST_KEPT {
            return;
        }
        let mut free = free();
        if free.len() < KEPT {
            let at = free.partition_point(|buffer| buffer.len() < len);
            free.insert(at, std::mem::take(&mut self.buffer));
        }
    }
}
