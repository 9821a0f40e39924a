//! Panels of blocks: each byte of a column's beside those of its neighbours.

use std::ops::Range;

use super::super::super::KernelContext;
use super::super::super::dequantise::decode_panel;
use super::super::super::isa::{Isa, multiversioned};
use super::super::super::transpose::transpose_bytes;
use super::super::operand_format::{OperandFormat, PANEL, pair_rows};
use super::{MatrixLayout, PARALLEL_VALUES, packed_columns};
use crate::weights::BlockFormat;

/// Rows of shorter blocks that are decoded together: they are scaled, or paired, in the first-level cache.
const DECODED_ROWS: usize = 32;

/// A packed matrix of blocks.
pub(super) struct PackedBlocks {
    format: BlockFormat,
    /// What they are decoded to.
    operand: OperandFormat,
    /// `[bytes, width]` for each panel.
    bytes: Vec<u8>,
    /// Empty, or a factor for each packed column.
    scales: Vec<f32>,
}

impl PackedBlocks {
    /// Packs the blocks of a matrix `[depth, columns]` in `format`, and the factors of its columns.
    ///
    /// # Panics
    /// If the layout leads outside the bytes, the blocks of a column do not follow each other, or there is another number
    /// of factors.
    pub(super) fn new(
        ctx: &KernelContext,
        [depth, columns]: [usize; 2],
        (format, operand): (BlockFormat, OperandFormat),
        (bytes, scales): (&[u8], &[f32]),
        layout: &MatrixLayout<impl Fn(usize) -> usize + Sync>,
    ) -> Self {
        /// Columns, and bytes of each, that are turned at once.
        const EDGE: usize = 8;
        let begin = (layout.row)(0);
        assert!((0..depth).all(|k| (layout.row)(k) == begin + k), "blocks that follow each other");
        assert!(scales.is_empty() || scales.len() == columns, "a factor for each column");
        let [begin, stride, depth] =
            [begin, layout.column_stride, depth].map(|values| format.bytes_of(values));
        let mut packed = vec![0_u8; depth * packed_columns(columns)];
        let fill = |(panel, packed): (usize, &mut [u8])| {
            let (first, width) = (panel * PANEL, packed.len() / depth);
            // Few columns at a time: more would not be read ahead.
            for group in (0..width).step_by(EDGE) {
                for (number, packed) in packed.chunks_mut(EDGE * width).enumerate() {
                    let mut square = [[0; EDGE]; EDGE];
                    for (n, line) in square.iter_mut().enumerate() {
                        let column = first + group + n;
                        if column < columns {
                            let from = &bytes[begin + column * stride + number * EDGE..];
                            // What follows a column's last bytes is not packed.
                            match from.first_chunk() {
                                Some(chunk) => *line = *chunk,
                                None => line[..from.len()].copy_from_slice(from),
                            }
                        }
                    }
                    for (row, line) in packed.chunks_exact_mut(width).zip(transpose_bytes(square)) {
                        row[group..group + EDGE].copy_from_slice(&line);
                    }
                }
            }
        };
        let share = packed.len() >= PARALLEL_VALUES;
        ctx.threads().for_each(share, packed.chunks_mut((depth * PANEL).max(1)).enumerate(), fill);
        let mut scales = scales.to_vec();
        scales.resize(packed_columns(scales.len()), 0.0);
        Self { format, operand, bytes: packed, scales }
    }

    /// All panels.
    pub(super) fn view(&self) -> BlockPanels<'_> {
        let Self { format, operand, ref bytes, ref scales } = *self;
        BlockPanels { format, operand, bytes, scales }
    }
}

/// Panels of blocks.
#[derive(Clone, Copy)]
pub(in super::super::super) struct BlockPanels<'a> {
    format: BlockFormat,
    operand: OperandFormat,
    bytes: &'a [u8],
    /// Empty, or a factor for each packed column.
    scales: &'a [f32],
}

impl<'a> BlockPanels<'a> {
    /// What they are decoded to.
    pub(super) fn operand(self) -> OperandFormat {
        self.operand
    }

    /// Slots of a column's block.
    pub(super) fn block_slots(self) -> usize {
        self.operand.slots(self.format.values())
    }

    /// Bytes of a column's slots.
    pub(super) fn bytes_of(self, slots: usize) -> usize {
        self.format.bytes_of(match self.operand {
            OperandFormat::F32 => slots,
            OperandFormat::Bf16Pairs => 2 * slots,
        })
    }

    /// The bytes of a part.
    pub(super) fn bytes(self, range: Range<usize>) -> &'a [u8] {
        &self.bytes[range]
    }

    /// The panels from column `columns` on, whose blocks begin at byte `bytes`.
    pub(super) fn after(self, columns: usize, bytes: usize) -> Self {
        let scales = self.scales.get(columns..).unwrap_or_default();
        Self { bytes: &self.bytes[bytes..], scales, ..self }
    }

    /// Values of a column that are decoded together: whole blocks, and an even number.
    fn decoded_rows(self) -> usize {
        DECODED_ROWS.next_multiple_of(self.format.values())
    }

    /// Values of a buffer for [`Self::decode`] to `slots` rows of a panel.
    pub(super) fn decode_buffer(self, slots: usize) -> usize {
        match self.operand {
            OperandFormat::F32 => slots * PANEL,
            OperandFormat::Bf16Pairs => (slots + self.decoded_rows()) * PANEL,
        }
    }

    /// Some bytes of a panel, which has `width` columns from `column` on, as `len` slots.
    pub(super) fn decode(
        self,
        isa: Isa,
        range: Range<usize>,
        (column, width): (usize, usize),
        buffer: &mut [f32],
        len: usize,
    ) -> &[f32] {
        let scales = self.scales.get(column..column + width).unwrap_or_default();
        let decode = |bytes: &[u8], values: &mut [f32]| {
            decode_panel(isa, self.format, width, bytes, values);
            if !scales.is_empty() {
                scale_columns(isa, scales, values);
            }
        };
        let rows = self.decoded_rows();
        let parts = self.bytes[range].chunks(self.format.bytes_of(rows) * width);
        let (slots, values) = buffer.split_at_mut(len);
        match self.operand {
            OperandFormat::F32 => {
                for (bytes, slots) in parts.zip(slots.chunks_mut(rows * width)) {
                    decode(bytes, slots);
                }
            }
            OperandFormat::Bf16Pairs => {
                for (bytes, slots) in parts.zip(slots.chunks_mut(rows / 2 * width)) {
                    let values = &mut values[..2 * slots.len()];
                    decode(bytes, values);
                    pair_rows(isa, values, width, slots);
                }
            }
        }
        slots
    }
}

multiversioned! {
    /// Each row times the factors of its columns.
    fn scale_columns(isa: Isa, scales: &[f32], values: &mut [f32]) {
        for row in values.chunks_exact_mut(scales.len()) {
            for (value, scale) in row.iter_mut().zip(scales) {
                *value *= scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::super::super::super::Precision;
    use super::super::super::super::dequantise::decode_blocks;
    use super::super::{PackedFormat, PackedRhs, WeightData};
    use super::*;

    #[test]
    fn blocks_are_decoded_where_a_part_of_the_depth_begins() {
        let (depth, columns) = (768, 37);
        let ctx = KernelContext::new(Isa::widest(), Precision::Full, Some(2));
        let layout = MatrixLayout { row: |k| k, column_stride: depth };
        for format in BlockFormat::ALL {
            // Whatever they are, scales of these bytes are ordinary numbers.
            let bytes: Vec<u8> =
                (0..format.bytes_of(depth * columns)).map(|i| (i * 7 % 251) as u8 & 0x3f).collect();
            let mut wanted = vec![0.0; depth * columns];
            decode_blocks(format, &bytes, &mut wanted);
            let scales: Vec<f32> = (0..columns).map(|n| n as f32 / 8.0 - 1.0).collect();
            for (column, scale) in wanted.chunks_mut(depth).zip(&scales) {
                for value in column {
                    *value *= scale;
                }
            }
            for packed_as in [PackedFormat::AsStored, PackedFormat::Bf16Pairs] {
                let data = WeightData::Blocks { format, bytes: &bytes, scales: &scales };
                let packed = PackedRhs::new(&ctx, [depth, columns], data, &layout, packed_as);
                let rhs = packed.view();
                let pairs = rhs.operand_format() == OperandFormat::Bf16Pairs;
                assert_eq!(pairs, packed_as == PackedFormat::Bf16Pairs);
                assert_eq!(768 % rhs.slots_together(), 0);
                for (rhs, first) in [(rhs, 0), (rhs.narrow(PANEL..columns), PANEL)] {
                    // The second of three parts.
                    let (from, to) = (rhs.depth_slots() / 3, rhs.depth_slots() / 3 * 2);
                    let mut buffer = vec![f32::NAN; rhs.decode_buffer(to - from)];
                    let width = rhs.width(0);
                    let rows = rhs.rows(ctx.isa(), 0, from..to, &mut buffer);
                    assert_eq!(rows.len(), (to - from) * width);
                    for (k, n) in (256..512).flat_map(|k| (0..width).map(move |n| (k, n))) {
                        let wanted = wanted.get((first + n) * depth + k).copied().unwrap_or(0.0);
                        let (found, wanted) = if pairs {
                            let bits = rows[(k - 256) / 2 * width + n].to_bits() >> (k % 2 * 16) << 16;
                            (f32::from_bits(bits), bf16::from_f32(wanted).to_f32())
                        } else {
                            (rows[(k - 256) * width + n], wanted)
                        };
                        assert_eq!(found, wanted, "{format:?} {packed_as:?} ({k}, {n})");
                    }
                }
            }
        }
    }
}
