//! Right-hand sides, packed once: panels of columns in the format that the weights are stored in.
//!
//! Weights of 16 bits and fewer stay so; a GEMM decodes the part of a panel that it is about to multiply. This is the one
//! place that knows stored formats.

mod blocks;

use std::ops::Range;

use self::blocks::{BlockPanels, PackedBlocks};
use super::super::KernelContext;
use super::super::dequantise::{bf16_bits, decode_bf16, decode_f16};
use super::super::isa::Isa;
use super::micro_kernel::HALF_PANEL;
use super::operand_format::{OperandFormat, PANEL, pair_rows};
use super::prefetch::Prefetch;
use crate::weights::BlockFormat;

/// Rows whose columns are copied together: a panel of them stays in the first-level cache.
const CHUNK_ROWS: usize = 256;
/// Smaller matrices are packed by one thread.
const PARALLEL_VALUES: usize = 1 << 18;

/// Columns of a packed matrix: full panels of [`PANEL`], the last of [`HALF_PANEL`] if that is enough. Those that packing
/// adds are zeros.
pub(in super::super) fn packed_columns(columns: usize) -> usize {
    let rest = columns % PANEL;
    columns - rest + if rest == 0 { 0 } else { rest.next_multiple_of(HALF_PANEL) }
}

/// Where a matrix `[depth, columns]` lies: element `(k, n)` is at `row(k) + n · column_stride`.
pub struct MatrixLayout<Row> {
    /// Where a row's first value is.
    pub row: Row,
    /// Values from column to column.
    pub column_stride: usize,
}

/// Weights in the format of their file.
#[derive(Clone, Copy)]
pub enum WeightData<'a> {
    /// f32 values.
    F32(&'a [f32]),
    /// The bits of f16 values.
    F16(&'a [u16]),
    /// The bits of bf16 values.
    Bf16(&'a [u16]),
    /// Blocks along the depth, those of a column one after another.
    Blocks {
        /// Of each block.
        format: BlockFormat,
        /// All blocks.
        bytes: &'a [u8],
        /// Empty, or what the values of each column are multiplied by.
        scales: &'a [f32],
    },
}

/// How weights are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum PackedFormat {
    /// As they are stored, for products in f32.
    AsStored,
    /// In at most two bytes each, for products in f32: f32 weights are rounded to bf16.
    TwoBytes,
    /// For a micro-kernel that multiplies pairs of bf16 values. The depth is even.
    Bf16Pairs,
}

/// A matrix `[depth, columns]` in panels.
pub(in super::super) struct PackedRhs {
    panels: PackedValues,
    depth: usize,
    columns: usize,
}

enum PackedValues {
    F32(Vec<f32>),
    F16(Vec<u16>),
    Bf16(Vec<u16>),
    /// [`OperandFormat::Bf16Pairs`].
    Bf16Pairs(Vec<f32>),
    Blocks(PackedBlocks),
}

/// Copies rows of the columns from `first` on into `packed`, `[rows, width]`, with zeros beyond the last of `columns`.
fn copy_rows<From: Copy, To: Copy + Default>(
    packed: &mut [To],
    (first, columns): (usize, usize),
    values: &[From],
    (rows, column_stride): (&[usize], usize),
    convert: impl Fn(From) -> To,
) {
    let width = packed.len() / rows.len();
    let inside = width.min(columns - first);
    // Column by column, along which the source usually lies.
    for n in 0..inside {
        let from = &values[(first + n) * column_stride..];
        for (k, row) in rows.iter().zip(packed.chunks_exact_mut(width)) {
            row[n] = convert(from[*k]);
        }
    }
    for row in packed.chunks_exact_mut(width) {
        row[inside..].fill(To::default());
    }
}

/// A matrix `[depth, columns]` as `[depth, width]` for each panel.
fn packed<From: Copy + Sync, To: Copy + Default + Send>(
    ctx: &KernelContext,
    [depth, columns]: [usize; 2],
    values: &[From],
    layout: &MatrixLayout<impl Fn(usize) -> usize + Sync>,
    convert: impl Fn(From) -> To + Sync,
) -> Vec<To> {
    let rows: Vec<usize> = (0..depth).map(&layout.row).collect();
    // Zeros from the system cost nothing before they are written.
    let mut packed = vec![To::default(); depth * packed_columns(columns)];
    let fill = |(panel, packed): (usize, &mut [To])| {
        let width = packed.len() / depth;
        for (rows, packed) in rows.chunks(CHUNK_ROWS).zip(packed.chunks_mut(CHUNK_ROWS * width)) {
            copy_rows(packed, (panel * PANEL, columns), values, (rows, layout.column_stride), &convert);
        }
    };
    let share = packed.len() >= PARALLEL_VALUES;
    ctx.threads().for_each(share, packed.chunks_mut((depth * PANEL).max(1)).enumerate(), fill);
    packed
}

/// A matrix `[depth, columns]` of an even depth as pairs, `[depth / 2, width]` for each panel. `decode` gives the f32
/// values of stored ones.
///
/// A chunk of rows becomes pairs in the cache: a whole panel in between would be written to memory and read again.
fn packed_pairs<From: Copy + Default + Sync>(
    ctx: &KernelContext,
    [depth, columns]: [usize; 2],
    values: &[From],
    layout: &MatrixLayout<impl Fn(usize) -> usize + Sync>,
    decode: impl Fn(&[From], &mut [f32]) + Sync,
) -> Vec<f32> {
    assert!(depth.is_multiple_of(2), "pairs of an even depth");
    let rows: Vec<usize> = (0..depth).map(&layout.row).collect();
    let mut pairs = vec![0.0; depth / 2 * packed_columns(columns)];
    let fill = |(panel, pairs): (usize, &mut [f32])| {
        let width = pairs.len() / (depth / 2);
        let mut stored = vec![From::default(); CHUNK_ROWS.min(depth) * width];
        let mut decoded = ctx.scratch(stored.len());
        for (rows, pairs) in rows.chunks(CHUNK_ROWS).zip(pairs.chunks_mut(CHUNK_ROWS / 2 * width)) {
            let (stored, decoded) = (&mut stored[..2 * pairs.len()], &mut decoded[..2 * pairs.len()]);
            copy_rows(stored, (panel * PANEL, columns), values, (rows, layout.column_stride), |value| value);
            decode(stored, decoded);
            pair_rows(ctx.isa(), decoded, width, pairs);
        }
    };
    let panels = pairs.chunks_mut((depth / 2 * PANEL).max(1)).enumerate();
    ctx.threads().for_each(depth * columns >= PARALLEL_VALUES, panels, fill);
    pairs
}

impl PackedRhs {
    /// Packs a matrix.
    ///
    /// # Panics
    /// If the layout leads outside the data, or blocks are not whole.
    pub(in super::super) fn new(
        ctx: &KernelContext,
        size: [usize; 2],
        data: WeightData<'_>,
        layout: &MatrixLayout<impl Fn(usize) -> usize + Sync>,
        format: PackedFormat,
    ) -> Self {
        let ([depth, columns], isa) = (size, ctx.isa());
        let bits_of = |bits| packed(ctx, size, bits, layout, |bits: u16| bits);
        let pairs = format == PackedFormat::Bf16Pairs;
        let panels = match data {
            WeightData::F32(values) if pairs => PackedValues::Bf16Pairs(packed_pairs(
                ctx,
                size,
                values,
                layout,
                |stored: &[f32], decoded: &mut [f32]| decoded.copy_from_slice(stored),
            )),
            WeightData::F16(bits) if pairs => {
                PackedValues::Bf16Pairs(packed_pairs(ctx, size, bits, layout, |stored, decoded| {
                    decode_f16(isa, stored, decoded)
                }))
            }
            WeightData::Bf16(bits) if pairs => {
                PackedValues::Bf16Pairs(packed_pairs(ctx, size, bits, layout, |stored, decoded| {
                    decode_bf16(isa, stored, decoded)
                }))
            }
            WeightData::F32(values) if format == PackedFormat::TwoBytes => {
                PackedValues::Bf16(packed(ctx, size, values, layout, |value| bf16_bits(value) as u16))
            }
            WeightData::F32(values) => PackedValues::F32(packed(ctx, size, values, layout, |value| value)),
            WeightData::F16(bits) => PackedValues::F16(bits_of(bits)),
            WeightData::Bf16(bits) => PackedValues::Bf16(bits_of(bits)),
            WeightData::Blocks { format: blocks, bytes, scales } => {
                let operand = if pairs { OperandFormat::Bf16Pairs } else { OperandFormat::F32 };
                PackedValues::Blocks(PackedBlocks::new(ctx, size, (blocks, operand), (bytes, scales), layout))
            }
        };
        Self { panels, depth, columns }
    }

    /// Rows: values along which products are summed.
    pub(in super::super) fn depth(&self) -> usize {
        self.depth
    }

    /// Columns, without those that packing adds.
    pub(in super::super) fn columns(&self) -> usize {
        self.columns
    }

    /// All of it.
    pub(in super::super) fn view(&self) -> RhsView<'_> {
        let panels = match &self.panels {
            PackedValues::F32(values) => Panels::F32(values),
            PackedValues::F16(bits) => Panels::F16(bits),
            PackedValues::Bf16(bits) => Panels::Bf16(bits),
            PackedValues::Bf16Pairs(pairs) => Panels::Bf16Pairs(pairs),
            PackedValues::Blocks(blocks) => Panels::Blocks(blocks.view()),
        };
        RhsView { panels, depth: self.depth, columns: self.columns }
    }
}

/// The panels of an RHS in their stored format.
#[derive(Clone, Copy)]
pub(in super::super) enum Panels<'a> {
    F32(&'a [f32]),
    F16(&'a [u16]),
    Bf16(&'a [u16]),
    Bf16Pairs(&'a [f32]),
    Blocks(BlockPanels<'a>),
}

/// Some whole panels of an RHS.
#[derive(Clone, Copy)]
pub(in super::super) struct RhsView<'a> {
    panels: Panels<'a>,
    depth: usize,
    columns: usize,
}

impl<'a> RhsView<'a> {
    /// The format in which a micro-kernel takes it and its LHS.
    pub(in super::super) fn operand_format(self) -> OperandFormat {
        match self.panels {
            Panels::F32(_) | Panels::F16(_) | Panels::Bf16(_) => OperandFormat::F32,
            Panels::Bf16Pairs(_) => OperandFormat::Bf16Pairs,
            Panels::Blocks(blocks) => blocks.operand(),
        }
    }

    /// Slots of a column that parts of the depth begin at multiples of, so that blocks are whole.
    pub(super) fn slots_together(self) -> usize {
        match self.panels {
            Panels::Blocks(blocks) => blocks.block_slots(),
            _ => 1,
        }
    }

    /// What a column's slots take as they are stored: values, pairs or bytes.
    fn stored_len(self, slots: usize) -> usize {
        match self.panels {
            Panels::Blocks(blocks) => blocks.bytes_of(slots),
            _ => slots,
        }
    }

    /// Slots along which products are summed.
    pub(super) fn depth_slots(self) -> usize {
        self.operand_format().slots(self.depth)
    }

    pub(in super::super) fn columns(self) -> usize {
        self.columns
    }

    /// Some columns: whole panels, or up to the last column.
    pub(in super::super) fn narrow(self, columns: Range<usize>) -> Self {
        assert!(
            columns.start.is_multiple_of(PANEL) && columns.end <= self.columns,
            "columns of whole panels"
        );
        let first = columns.start * self.stored_len(self.depth_slots());
        let panels = match self.panels {
            Panels::F32(values) => Panels::F32(&values[first..]),
            Panels::F16(bits) => Panels::F16(&bits[first..]),
            Panels::Bf16(bits) => Panels::Bf16(&bits[first..]),
            Panels::Bf16Pairs(pairs) => Panels::Bf16Pairs(&pairs[first..]),
            Panels::Blocks(blocks) => Panels::Blocks(blocks.after(columns.start, first)),
        };
        Self { panels, columns: columns.len(), ..self }
    }

    /// Columns of a panel, those that packing adds included.
    pub(in super::super) fn width(self, panel: usize) -> usize {
        PANEL.min(packed_columns(self.columns) - panel * PANEL)
    }

    /// Where rows of slots of a panel are stored.
    fn range(self, panel: usize, rows: Range<usize>) -> Range<usize> {
        let (first, width) = (panel * PANEL * self.stored_len(self.depth_slots()), self.width(panel));
        first + self.stored_len(rows.start) * width..first + self.stored_len(rows.end) * width
    }

    /// One panel in its stored format.
    pub(in super::super) fn stored_panel(self, panel: usize) -> Panels<'a> {
        let range = self.range(panel, 0..self.depth_slots());
        match self.panels {
            Panels::F32(values) => Panels::F32(&values[range]),
            Panels::F16(bits) => Panels::F16(&bits[range]),
            Panels::Bf16(bits) => Panels::Bf16(&bits[range]),
            Panels::Bf16Pairs(pairs) => Panels::Bf16Pairs(&pairs[range]),
            Panels::Blocks(_) => unreachable!("the blocks of a convolution are decoded when it is packed"),
        }
    }

    /// Values of a buffer for [`Self::rows`] of `rows` rows; none if they are multiplied as they are stored.
    pub(super) fn decode_buffer(self, rows: usize) -> usize {
        match self.panels {
            Panels::F32(_) | Panels::Bf16Pairs(_) => 0,
            Panels::F16(_) | Panels::Bf16(_) => rows * PANEL,
            Panels::Blocks(blocks) => blocks.decode_buffer(rows),
        }
    }

    /// Rows of slots of a panel for the micro-kernel, `[rows, width]`: as they are stored, or decoded into `buffer`.
    pub(super) fn rows<'b>(
        self,
        isa: Isa,
        panel: usize,
        rows: Range<usize>,
        buffer: &'b mut [f32],
    ) -> &'b [f32]
    where
        'a: 'b,
    {
        let (range, len) = (self.range(panel, rows.clone()), rows.len() * self.width(panel));
        match self.panels {
            Panels::F32(slots) | Panels::Bf16Pairs(slots) => &slots[range],
            Panels::F16(bits) => {
                let buffer = &mut buffer[..len];
                decode_f16(isa, &bits[range], buffer);
                buffer
            }
            Panels::Bf16(bits) => {
                let buffer = &mut buffer[..len];
                decode_bf16(isa, &bits[range], buffer);
                buffer
            }
            Panels::Blocks(blocks) => {
                blocks.decode(isa, range, (panel * PANEL, self.width(panel)), buffer, len)
            }
        }
    }

    /// Rows of a panel, to be fetched before they are read.
    pub(in super::super) fn prefetch(self, panel: usize, rows: Range<usize>) -> Prefetch {
        let range = self.range(panel, rows);
        match self.panels {
            Panels::F32(slots) | Panels::Bf16Pairs(slots) => Prefetch::new(&slots[range]),
            Panels::F16(bits) | Panels::Bf16(bits) => Prefetch::new(&bits[range]),
            Panels::Blocks(blocks) => Prefetch::new(blocks.bytes(range)),
        }
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::super::super::Precision;
    use super::*;

    #[test]
    fn every_stored_format_is_packed_and_decoded_alike() {
        let (depth, columns) = (6, 37);
        let wanted: Vec<f32> = (0..depth * columns).map(|i| (i % 200) as f32 / 8.0 - 12.0).collect();
        let f16_bits: Vec<u16> = wanted.iter().map(|v| f16::from_f32(*v).to_bits()).collect();
        let bf16_bits: Vec<u16> = wanted.iter().map(|v| bf16::from_f32(*v).to_bits()).collect();
        let layout = MatrixLayout { row: |k| k, column_stride: depth };
        let ctx = KernelContext::new(Isa::widest(), Precision::Full, Some(2));
        for format in [PackedFormat::AsStored, PackedFormat::TwoBytes, PackedFormat::Bf16Pairs] {
            for data in [WeightData::F32(&wanted), WeightData::F16(&f16_bits), WeightData::Bf16(&bf16_bits)] {
                let packed = PackedRhs::new(&ctx, [depth, columns], data, &layout, format);
                let rhs = packed.view();
                let pairs = rhs.operand_format() == OperandFormat::Bf16Pairs;
                assert_eq!(pairs, format == PackedFormat::Bf16Pairs);
                let second = rhs.narrow(PANEL..columns);
                for (rhs, first) in [(rhs, 0), (second, PANEL)] {
                    let mut buffer = vec![f32::NAN; depth * PANEL];
                    let width = rhs.width(0);
                    let rows = rhs.rows(ctx.isa(), 0, 0..rhs.depth_slots(), &mut buffer);
                    for (k, n) in (0..depth).flat_map(|k| (0..width).map(move |n| (k, n))) {
                        let found = if pairs {
                            f32::from_bits(rows[k / 2 * width + n].to_bits() >> (k % 2 * 16) << 16)
                        } else {
                            rows[k * width + n]
                        };
                        let wanted = wanted.get((first + n) * depth + k).copied().unwrap_or(0.0);
                        assert_eq!(found, wanted, "{format:?} ({k}, {n})");
                    }
                }
            }
        }
    }
}
