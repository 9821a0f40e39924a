//! A result that several threads write, each its own places.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Values borrowed as a whole, to be written in parts.
pub(super) struct Shared<'a> {
    first: *mut MaybeUninit<f32>,
    len: usize,
    borrowed: PhantomData<&'a mut [MaybeUninit<f32>]>,
}

#[expect(unsafe_code, reason = "threads share one result, part by part")]
// SAFETY: whoever writes promises that nobody else writes there.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(super) fn new(values: &'a mut [MaybeUninit<f32>]) -> Self {
        Self { first: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// For whoever checks places by itself.
    pub(super) fn at(&self, place: usize) -> *mut f32 {
        self.first.wrapping_add(place).cast()
    }

    /// Runs of `len` values, `size` of them in two directions, `apart` from one to the next.
    ///
    /// # Safety
    /// Nobody else may use any of their values while they are used.
    #[expect(unsafe_code, reason = "no borrow shows that the runs of several threads are apart")]
    pub(super) unsafe fn runs(
        &'a self,
        first: usize,
        apart: [usize; 2],
        size: [usize; 2],
        len: usize,
    ) -> Runs<'a> {
        Runs { shared: self, first, apart, size, len }
    }
}

/// Values of one writer: what a tile of some channels is in a picture.
pub(super) struct Runs<'a> {
    shared: &'a Shared<'a>,
    first: usize,
    apart: [usize; 2],
    pub(super) size: [usize; 2],
    pub(super) len: usize,
}

impl Runs<'_> {
    /// Where a run begins.
    #[inline(always)]
    pub(super) fn place(&self, [y, x]: [usize; 2]) -> usize {
        self.first + y * self.apart[0] + x * self.apart[1]
    }

    /// A part of a run.
    #[inline(always)]
    #[expect(unsafe_code, reason = "see `Shared::runs`")]
    pub(super) fn part(&mut self, [y, x]: [usize; 2], range: Range<usize>) -> &mut [MaybeUninit<f32>] {
        let first = self.place([y, x]) + range.start;
        assert!(y < self.size[0] && x < self.size[1] && range.end <= self.len, "a part outside its run");
        assert!(first + range.len() <= self.shared.len, "a run outside its result");
        // SAFETY: inside, as asserted; nobody else uses it, as was promised when these runs were made.
        unsafe { std::slice::from_raw_parts_mut(self.shared.first.add(first), range.len()) }
    }
}
