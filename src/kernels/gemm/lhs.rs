//! Left-hand sides: where their rows lie, and how they are cut into those of register tiles.

use super::super::KernelContext;
use super::super::scratch::Scratch;
use super::micro_kernel::ROWS;
use super::operand_format::{OperandFormat, pair_neighbours};

/// Values packed by one thread at once.
const CHUNK: usize = 1 << 15;

/// Where rows lie: `images × lines × length` rows, each of `segments` runs of values. The rows of a convolution overlap.
#[derive(Clone, Copy, Debug)]
pub struct RowLayout {
    /// Images.
    pub images: usize,
    /// Values from image to image.
    pub image_stride: usize,
    /// Lines of an image.
    pub lines: usize,
    /// Values from line to line.
    pub line_stride: usize,
    /// Rows of a line.
    pub length: usize,
    /// Values from row to row.
    pub row_stride: usize,
    /// Runs of a row, all of one length.
    pub segments: usize,
    /// Values from run to run.
    pub segment_stride: usize,
}

impl RowLayout {
    /// `count` rows in one piece each, `stride` apart.
    pub fn plain(count: usize, stride: usize) -> Self {
        Self {
            images: 1,
            image_stride: 0,
            lines: 1,
            line_stride: 0,
            length: count,
            row_stride: stride,
            segments: 1,
            segment_stride: 0,
        }
    }

    /// Number of rows.
    pub(super) fn count(&self) -> usize {
        self.images * self.lines * self.length
    }

    /// One more than the last index read, for rows of `depth` values in all.
    pub(super) fn end(&self, depth: usize) -> usize {
        (self.images - 1) * self.image_stride
            + (self.lines - 1) * self.line_stride
            + (self.length - 1) * self.row_stride
            + (self.segments - 1) * self.segment_stride
            + depth / self.segments
    }

    fn strides(&mut self) -> [&mut usize; 4] {
        [&mut self.image_stride, &mut self.line_stride, &mut self.row_stride, &mut self.segment_stride]
    }

    /// The same rows as slots of two values each.
    ///
    /// # Panics
    /// If a row begins at an odd value.
    fn of_pairs(mut self) -> Self {
        for stride in self.strides() {
            assert!(stride.is_multiple_of(2), "rows of pairs begin at even values");
            *stride /= 2;
        }
        self
    }

    /// Register tiles of a line.
    fn strips_per_line(&self) -> usize {
        self.length.div_ceil(ROWS)
    }

    /// Register tiles of all rows; none goes from one line to the next.
    pub(super) fn strips(&self) -> usize {
        self.images * self.lines * self.strips_per_line()
    }

    /// The rows of one register tile.
    pub(super) fn strip(&self, number: usize) -> RowStrip {
        let per_line = self.strips_per_line();
        let (line, number) = (number / per_line, number % per_line);
        let [first, end] = [number, number + 1].map(|number| number * self.length / per_line);
        let offset = line / self.lines * self.image_stride
            + line % self.lines * self.line_stride
            + first * self.row_stride;
        RowStrip { offset, rows: end - first, first: line * self.length + first }
    }
}

/// The rows of one register tile: neighbours on a line.
#[derive(Clone, Copy)]
pub(super) struct RowStrip {
    /// Where the first row begins.
    pub(super) offset: usize,
    pub(super) rows: usize,
    /// The number of the first row.
    pub(super) first: usize,
}

/// f32 rows where they lie.
#[derive(Clone, Copy, Debug)]
pub struct LhsView<'a> {
    /// What the rows are parts of.
    pub values: &'a [f32],
    /// Where they are.
    pub layout: RowLayout,
}

impl<'a> LhsView<'a> {
    /// `count` rows, `stride` apart.
    pub fn plain(values: &'a [f32], count: usize, stride: usize) -> Self {
        Self { values, layout: RowLayout::plain(count, stride) }
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.layout.count()
    }

    /// Packs the rows. Those of pairs begin and end at even values.
    pub(in super::super) fn pack(self, ctx: &'a KernelContext, format: OperandFormat) -> PackedLhs<'a> {
        let Self { values, layout } = self;
        match format {
            OperandFormat::F32 => PackedLhs { slots: Slots::Borrowed(values), layout, format },
            OperandFormat::Bf16Pairs => {
                // All values together: the rows of convolutions overlap.
                let mut slots = ctx.scratch(values.len() / 2);
                let pieces = values.chunks(CHUNK).zip(slots.chunks_mut(CHUNK / 2));
                ctx.threads().for_each(values.len() >= 2 * CHUNK, pieces, |(values, slots)| {
                    pair_neighbours(ctx.isa(), values, slots);
                });
                PackedLhs { slots: Slots::Scratch(slots), layout: layout.of_pairs(), format }
            }
        }
    }
}

enum Slots<'a> {
    Borrowed(&'a [f32]),
    Scratch(Scratch<'a>),
}

/// Rows in an [`OperandFormat`].
pub(in super::super) struct PackedLhs<'a> {
    slots: Slots<'a>,
    /// In slots.
    pub(super) layout: RowLayout,
    pub(super) format: OperandFormat,
}

impl PackedLhs<'_> {
    pub(super) fn slots(&self) -> &[f32] {
        match &self.slots {
            Slots::Borrowed(values) => values,
            Slots::Scratch(values) => values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_are_all_rows_in_turn() {
        let layout = RowLayout {
            images: 2,
            image_stride: 1000,
            lines: 3,
            line_stride: 100,
            length: 17,
            row_stride: 4,
            segments: 1,
            segment_stride: 0,
        };
        let mut rows = Vec::new();
        for strip in (0..layout.strips()).map(|number| layout.strip(number)) {
            assert!((1..=ROWS).contains(&strip.rows));
            assert_eq!(strip.first, rows.len());
            rows.extend((0..strip.rows).map(|row| strip.offset + row * 4));
        }
        let line = |image: usize, line: usize| (0..17).map(move |x| image * 1000 + line * 100 + x * 4);
        let wanted: Vec<usize> = (0..2).flat_map(|i| (0..3).flat_map(move |l| line(i, l))).collect();
        assert_eq!(rows, wanted);
    }
}
