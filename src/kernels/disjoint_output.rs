//! A result that several threads write, each its own part.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Values borrowed as a whole, to be written in parts.
pub(super) struct DisjointOutput<'a> {
    first: *mut MaybeUninit<f32>,
    len: usize,
    borrowed: PhantomData<&'a mut [MaybeUninit<f32>]>,
}

// SAFETY: values are reached only through `OutputTile`s and pointers whose makers promise that nobody else uses theirs.
unsafe impl Sync for DisjointOutput<'_> {}

impl<'a> DisjointOutput<'a> {
    pub(super) fn new(values: &'a mut [MaybeUninit<f32>]) -> Self {
        Self { first: values.as_mut_ptr(), len: values.len(), borrowed: PhantomData }
    }

    /// For code that checks its indices and keeps its parts apart by itself.
    pub(super) fn at(&self, index: usize) -> *mut f32 {
        self.first.wrapping_add(index).cast()
    }

    /// A tile of `size[0]` rows of `size[1]` runs of `len` values; rows and runs are `strides` apart.
    ///
    /// # Safety
    /// Nobody else may use any of the tile's values while it lives.
    pub(super) unsafe fn tile(
        &'a self,
        first: usize,
        strides: [usize; 2],
        size: [usize; 2],
        len: usize,
    ) -> OutputTile<'a> {
        OutputTile { output: self, first, strides, size, len }
    }
}

/// The part of one writer.
pub(super) struct OutputTile<'a> {
    output: &'a DisjointOutput<'a>,
    first: usize,
    strides: [usize; 2],
    pub(super) size: [usize; 2],
    pub(super) len: usize,
}

impl OutputTile<'_> {
    /// The index of a run's first value.
    #[inline(always)]
    pub(super) fn index(&self, [y, x]: [usize; 2]) -> usize {
        self.first + y * self.strides[0] + x * self.strides[1]
    }

    /// A part of a run.
    #[inline(always)]
    pub(super) fn part(&mut self, [y, x]: [usize; 2], range: Range<usize>) -> &mut [MaybeUninit<f32>] {
        let first = self.index([y, x]) + range.start;
        assert!(y < self.size[0] && x < self.size[1] && range.end <= self.len, "a part outside its run");
        assert!(first + range.len() <= self.output.len, "a run outside its output");
        // SAFETY: inside the output, as asserted; nobody else uses it, as the tile's maker promised, and the borrow of
        // the tile keeps its own parts from living at once.
        unsafe { std::slice::from_raw_parts_mut(self.output.first.add(first), range.len()) }
    }
}
