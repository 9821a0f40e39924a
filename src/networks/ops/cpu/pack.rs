//! Right sides of matrix products, in panels: weights packed once, keys and values once a call.
//!
//! Weights stored in 16 bits stay in 16 bits, which f32 holds exactly: the product widens the part of a
//! panel that it is about to use.

use half::slice::HalfFloatSliceExt as _;
use half::{bf16, f16};
use rayon::prelude::*;

use super::super::threads;
use super::bf16::{pair_rows, split_rows};
use super::kernel::{HALF_PANEL, PANEL};
use super::prefetch::Ahead;
use super::scratch::Scratch;
use super::transpose::transpose;
use super::widen::{widen_bf16, widen_f16};

/// Rows whose columns are copied together: a panel of them stays in the first-level cache.
const ROWS_AT_ONCE: usize = 256;
/// Smaller matrices are packed by one thread.
const PARALLEL_VALUES: usize = 1 << 18;

/// How a `[k, n]` matrix lies in panels: full ones of [`PANEL`] columns, the last of [`HALF_PANEL`] if
/// that is enough. Missing columns are zeros.
pub(super) fn packed_columns(columns: usize) -> usize {
    let rest = columns % PANEL;
    columns - rest + if rest == 0 { 0 } else { rest.next_multiple_of(HALF_PANEL) }
}

/// Where a matrix `[depth, columns]` lies: element `(k, n)` is at `row(k) + n · column_stride`.
pub(in super::super) struct Place<Row> {
    pub(in super::super) row: Row,
    pub(in super::super) column_stride: usize,
}

/// Packs a matrix into `packed` (`depth · packed_columns`; what it has room for below the last row becomes zeros).
pub(super) fn pack_into<T: Copy + Default + Send + Sync>(
    packed: &mut [T],
    [depth, columns]: [usize; 2],
    values: &[T],
    place: &Place<impl Fn(usize) -> usize + Sync>,
) {
    let rows: Vec<usize> = (0..depth).map(&place.row).collect();
    let filled_depth = packed.len() / packed_columns(columns).max(1);
    let fill = |(panel, packed): (usize, &mut [T])| {
        let first = panel * PANEL;
        let width = packed.len() / filled_depth;
        let inside = width.min(columns - first);
        let (packed, below) = packed.split_at_mut(depth * width);
        below.fill(T::default());
        for (rows, packed) in rows.chunks(ROWS_AT_ONCE).zip(packed.chunks_mut(ROWS_AT_ONCE * width)) {
            if place.column_stride == 1 {
                for (from, row) in rows.iter().zip(packed.chunks_exact_mut(width)) {
                    row[..inside].copy_from_slice(&values[from + first..][..inside]);
                }
            } else {
                // Column by column, along which the source usually lies.
                for n in 0..inside {
                    let from = &values[(first + n) * place.column_stride..];
                    for (k, row) in rows.iter().zip(packed.chunks_exact_mut(width)) {
                        row[n] = from[*k];
                    }
                }
            }
            for row in packed.chunks_exact_mut(width) {
                row[inside..].fill(T::default());
            }
        }
    };
    assert_eq!(packed.len(), filled_depth * packed_columns(columns), "room for the packed matrix");
    assert!(filled_depth >= depth, "room for the packed matrix");
    if packed.len() >= PARALLEL_VALUES && threads::count() > 1 {
        packed.par_chunks_mut(filled_depth * PANEL).enumerate().for_each(fill);
    } else {
        packed.chunks_mut(filled_depth * PANEL).enumerate().for_each(fill);
    }
}

/// A packed matrix of even depth as pairs of bf16 values, which take half the room.
pub(super) fn paired_into(values: &[f32], [depth, columns]: [usize; 2], pairs: &mut [f32]) {
    assert_eq!(pairs.len(), depth / 2 * packed_columns(columns), "room for the packed matrix");
    for (values, pairs) in values.chunks(depth * PANEL).zip(pairs.chunks_mut(depth / 2 * PANEL)) {
        pair_panel(values, values.len() / depth, pairs);
    }
}

fn pair_panel(values: &[f32], width: usize, pairs: &mut [f32]) {
    for (values, pairs) in values.chunks_exact(2 * width).zip(pairs.chunks_exact_mut(width)) {
        let (even, odd) = values.split_at(width);
        pair_rows(even, odd, pairs);
    }
}

/// Weights in the format of their file.
#[derive(Clone, Copy)]
pub(in super::super) enum Stored<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
}

/// Splits a packed matrix of even depth: pairs of high parts, then of low ones.
pub(super) fn split_into(values: &[f32], [depth, columns]: [usize; 2], parts: &mut [f32]) {
    assert_eq!(parts.len(), depth * packed_columns(columns), "room for the packed matrix");
    let (high, low) = parts.split_at_mut(parts.len() / 2);
    let at_once = depth / 2 * PANEL;
    let parts = high.chunks_mut(at_once).zip(low.chunks_mut(at_once));
    for (values, (high, low)) in values.chunks(depth * PANEL).zip(parts) {
        split_rows(values, values.len() / depth, high, low);
    }
}

/// How the numbers of a product's left rows are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    F32,
    /// Pairs of bf16 values ([`super::bf16`]).
    Pairs,
    /// Pairs of high parts, and as far from them as this, of low ones.
    Split(usize),
}

impl Form {
    /// How many values lie in one place.
    pub(super) fn halves(self) -> usize {
        if self == Self::F32 { 1 } else { 2 }
    }

    /// The form of so many values: a split's low parts follow its high ones.
    pub(super) fn of(self, values: usize) -> Self {
        if let Self::Split(_) = self { Self::Split(values / 2) } else { self }
    }

    /// How many places so many values take.
    pub(super) fn places(self, values: usize) -> usize {
        if self == Self::Pairs { values / 2 } else { values }
    }

    /// How far low parts are from high ones; zero if there are none.
    pub(super) fn low(self) -> usize {
        if let Self::Split(distance) = self { distance } else { 0 }
    }
}

/// A packed matrix's values.
#[derive(Clone, Copy)]
pub(super) enum Panels<'a> {
    F32(&'a [f32]),
    /// Pairs of bf16 values ([`super::bf16`]): half as many as the depth says.
    Pairs(&'a [f32]),
    /// Pairs of high parts, then as many of low ones.
    Split(&'a [f32]),
    /// The bits of f16 values.
    F16(&'a [u16]),
    /// The bits of bf16 values.
    Bf16(&'a [u16]),
}

/// Part of a panel as a product takes it.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) values: &'a [f32],
    /// Where low parts begin; zero if there are none.
    pub(super) low: usize,
}

impl<'a> Panels<'a> {
    /// How many numbers there are.
    pub(super) fn len(self) -> usize {
        match self {
            Self::F32(values) | Self::Split(values) => values.len(),
            Self::Pairs(values) => 2 * values.len(),
            Self::F16(bits) | Self::Bf16(bits) => bits.len(),
        }
    }

    /// Part of a panel of this width, as a product of left rows of this form takes it: as it lies, or widened or split
    /// in `room`. The range: of f32 values, or of pairs.
    pub(super) fn part<'b>(
        self,
        range: std::ops::Range<usize>,
        width: usize,
        form: Form,
        room: &'b mut [f32],
    ) -> Part<'b>
    where
        'a: 'b,
    {
        match (self, form) {
            (Self::F32(values), Form::F32) | (Self::Pairs(values), _) => {
                Part { values: &values[range], low: 0 }
            }
            (Self::Split(values), _) => Part { values: &values[range.start..], low: values.len() / 2 },
            (_, Form::F32 | Form::Pairs) => {
                let room = &mut room[..range.len()];
                self.widen(range, room);
                Part { values: room, low: 0 }
            }
            (_, Form::Split(_)) => {
                let (len, range) = (range.len(), 2 * range.start..2 * range.end);
                let (parts, wide) = room.split_at_mut(2 * len);
                let (high, low) = parts.split_at_mut(len);
                let values = if let Self::F32(values) = self {
                    &values[range]
                } else {
                    self.widen(range, &mut wide[..2 * len]);
                    &wide[..2 * len]
                };
                split_rows(values, width, high, low);
                // Of bf16 values nothing is left.
                Part { values: parts, low: if matches!(self, Self::Bf16(_)) { 0 } else { len } }
            }
        }
    }

    /// Some of the numbers in f32.
    pub(super) fn widen(self, range: std::ops::Range<usize>, out: &mut [f32]) {
        match self {
            Self::F32(values) | Self::Pairs(values) | Self::Split(values) => {
                out.copy_from_slice(&values[range])
            }
            Self::F16(bits) => widen_f16(&bits[range], out),
            Self::Bf16(bits) => widen_bf16(&bits[range], out),
        }
    }

    /// What follows so many numbers, which are whole panels. Not for split ones, whose parts lie apart.
    pub(super) fn after(self, numbers: usize) -> Self {
        match self {
            Self::F32(values) => Self::F32(&values[numbers..]),
            Self::Pairs(values) => Self::Pairs(&values[numbers / 2..]),
            Self::F16(bits) => Self::F16(&bits[numbers..]),
            Self::Bf16(bits) => Self::Bf16(&bits[numbers..]),
            Self::Split(_) => unreachable!("weights are not stored split"),
        }
    }

    /// Part of the panels (the range: of f32 values, or of pairs), to be fetched before it is read.
    pub(super) fn ahead(self, range: std::ops::Range<usize>, form: Form) -> Ahead {
        let numbers = form.halves() * range.start..form.halves() * range.end;
        match self {
            Self::F32(values) => Ahead::new(&values[numbers]),
            Self::Pairs(values) | Self::Split(values) => Ahead::new(&values[range]),
            Self::F16(bits) | Self::Bf16(bits) => Ahead::new(&bits[numbers]),
        }
    }

    /// How much room [`Self::part`] needs for so many f32 values or pairs.
    pub(super) fn room(self, values: usize, form: Form) -> usize {
        match (self, form) {
            (Self::F32(_), Form::F32) | (Self::Pairs(_) | Self::Split(_), _) => 0,
            (_, Form::F32 | Form::Pairs) => values,
            (_, Form::Split(_)) => 4 * values,
        }
    }
}

/// A matrix `[depth, columns]` that was packed in the smallest format that holds it.
pub(super) struct PackedMatrix {
    values: Values,
    pub(super) depth: usize,
    pub(super) columns: usize,
}

enum Values {
    F32(Vec<f32>),
    Pairs(Vec<f32>),
    F16(Vec<u16>),
    Bf16(Vec<u16>),
}

impl PackedMatrix {
    /// Packs it as it is stored, or as pairs of bf16 values if `pairs` (the depth is even then).
    pub(super) fn new(
        [depth, columns]: [usize; 2],
        stored: Stored<'_>,
        place: &Place<impl Fn(usize) -> usize + Sync>,
        pairs: bool,
    ) -> Self {
        let size = [depth, columns];
        // From the system, zeros cost nothing before they are written: of u16 too, of `f16` not.
        let len = depth * packed_columns(columns);
        let bits_of = |bits: &[u16]| {
            let mut packed = vec![0_u16; len];
            pack_into(&mut packed, size, bits, place);
            packed
        };
        let values = match stored {
            Stored::F32(values) => {
                let mut packed = vec![0.0_f32; len];
                pack_into(&mut packed, size, values, place);
                Values::F32(packed)
            }
            Stored::F16(values) => Values::F16(bits_of(values.reinterpret_cast())),
            Stored::Bf16(values) => Values::Bf16(bits_of(values.reinterpret_cast())),
        };
        let mut matrix = Self { values, depth, columns };
        if pairs {
            matrix.values = Values::Pairs(matrix.as_pairs());
        }
        matrix
    }

    pub(super) fn panels(&self) -> Panels<'_> {
        match &self.values {
            Values::F32(values) => Panels::F32(values),
            Values::Pairs(values) => Panels::Pairs(values),
            Values::F16(bits) => Panels::F16(bits),
            Values::Bf16(bits) => Panels::Bf16(bits),
        }
    }

    pub(super) fn is_paired(&self) -> bool {
        matches!(self.values, Values::Pairs(_))
    }

    fn as_pairs(&self) -> Vec<f32> {
        let mut pairs = vec![0.0; self.depth / 2 * packed_columns(self.columns)];
        pairs.par_chunks_mut(self.depth / 2 * PANEL).enumerate().for_each(|(panel, pairs)| {
            let width = self.width(panel);
            let mut room = Scratch::new(self.depth * width);
            let from = panel * PANEL * self.depth;
            self.panels().widen(from..from + self.depth * width, &mut room);
            pair_panel(&room, width, pairs);
        });
        pairs
    }

    /// `[columns, depth]`; not of pairs.
    pub(super) fn transposed(&self) -> Vec<f32> {
        let mut columns = vec![0.0; self.columns * self.depth];
        columns.par_chunks_mut((PANEL * self.depth).max(1)).enumerate().for_each(|(panel, columns)| {
            let width = self.width(panel);
            let mut room = Scratch::new(self.depth * width);
            let from = panel * PANEL * self.depth;
            self.panels().widen(from..from + self.depth * width, &mut room);
            transpose(&room, width, [self.depth, columns.len() / self.depth], columns, self.depth);
        });
        columns
    }

    /// Columns of a panel, those that packing adds included.
    pub(super) fn width(&self, panel: usize) -> usize {
        PANEL.min(packed_columns(self.columns) - panel * PANEL)
    }

    /// Rows of a panel, to be fetched before they are read. With pairs, rows begin and end at even ones.
    pub(super) fn ahead(&self, panel: usize, rows: std::ops::Range<usize>) -> Ahead {
        let (width, first) = (self.width(panel), panel * PANEL * self.depth);
        let numbers = first + rows.start * width..first + rows.end * width;
        match &self.values {
            Values::F32(values) => Ahead::new(&values[numbers]),
            Values::F16(bits) | Values::Bf16(bits) => Ahead::new(&bits[numbers]),
            Values::Pairs(pairs) => Ahead::new(&pairs[numbers.start / 2..numbers.end / 2]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bf16::unpaired;
    use super::*;

    #[test]
    fn every_stored_form_is_packed_alike() {
        let (depth, columns) = (6, 37);
        let wanted: Vec<f32> = (0..depth * columns).map(|i| (i % 200) as f32 / 8.0 - 12.0).collect();
        let halves: Vec<f16> = wanted.iter().map(|v| f16::from_f32(*v)).collect();
        let brains: Vec<bf16> = wanted.iter().map(|v| bf16::from_f32(*v)).collect();
        let place = Place { row: |k| k, column_stride: depth };
        for pairs in [false, true] {
            for stored in [Stored::F32(&wanted), Stored::F16(&halves), Stored::Bf16(&brains)] {
                let packed = PackedMatrix::new([depth, columns], stored, &place, pairs);
                assert!(pairs || packed.transposed() == wanted);
                for panel in 0..columns.div_ceil(PANEL) {
                    let width = packed.width(panel);
                    let rows = match packed.panels().after(panel * PANEL * depth) {
                        Panels::Pairs(pairs) => {
                            let rows = pairs.chunks(width).flat_map(|pairs| {
                                [0, 1].map(|half| pairs.iter().map(move |pair| unpaired(*pair)[half]))
                            });
                            rows.flatten().collect()
                        }
                        panel => {
                            let mut rows = vec![f32::NAN; depth * width];
                            panel.widen(0..depth * width, &mut rows);
                            rows
                        }
                    };
                    assert!(rows.len() >= depth * width);
                    for (k, row) in (0..depth).zip(rows.chunks(width)) {
                        for (n, value) in row.iter().enumerate() {
                            let n = panel * PANEL + n;
                            let wanted = if n < columns { wanted[n * depth + k] } else { 0.0 };
                            assert_eq!(*value, wanted, "({k}, {n}) pairs {pairs}");
                        }
                    }
                }
            }
        }
    }
}
