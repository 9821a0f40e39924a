//! Weights packed once, and the products with them: in which form, and who converts the left rows.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::super::threads;
use super::amx;
use super::bf16::{self, Precision, matrix_precision};
use super::converted::Converted;
use super::gemm::{Extra, Packed, Rows, Workers, product, product_into};
use super::pack::{Form, PackedMatrix, Place, Stored, packed_columns};
use super::scratch::written;

/// Products of fewer rows or less depth are not worth splitting their values for tile registers.
const SPLIT_ROWS: usize = 8;
const SPLIT_DEPTH: usize = 32;
/// Left rows converted and multiplied at once for tile registers: so many values, which a part of the second-level cache
/// holds, but enough rows that converting the weights each time is little beside the products.
const CONVERTED_VALUES: usize = 200_000;
const CONVERTED_ROWS: usize = 128;

/// Weights packed once, with their bias.
pub(in super::super) struct Weights {
    pub(super) matrix: PackedMatrix,
    /// Empty, or one value for each packed column.
    pub(super) bias: Vec<f32>,
}

impl Weights {
    /// Packs a matrix `[depth, columns]` and its bias `[columns]`, in the chosen [`Precision`] if all
    /// strides of the left rows will be even (`even_rows`).
    pub(in super::super) fn new(
        [depth, columns]: [usize; 2],
        bias: Option<&[f32]>,
        stored: Stored<'_>,
        place: &Place<impl Fn(usize) -> usize + Sync>,
        even_rows: bool,
    ) -> Self {
        let pairs = even_rows && depth.is_multiple_of(2) && matrix_precision() == Precision::Bf16;
        let matrix = PackedMatrix::new([depth, columns], stored, place, pairs);
        Self { matrix, bias: packed_bias(bias) }
    }

    /// In what form left rows are multiplied fastest now: so many of them, all their strides even or not. How far
    /// apart a split's parts are is left open.
    pub(super) fn form(&self, rows: usize, even: bool) -> Form {
        let depth = self.matrix.depth;
        if self.matrix.is_paired() {
            Form::Pairs
        } else if amx::is_in_use()
            && even
            && depth.is_multiple_of(2)
            && rows >= SPLIT_ROWS
            && depth >= SPLIT_DEPTH
        {
            Form::Split(0)
        } else {
            Form::F32
        }
    }

    /// The matrix as `[columns, depth]`, and the bias if there is one; nothing if it was rounded to pairs.
    pub(in super::super) fn unpacked(&self) -> Option<(Vec<f32>, Option<&[f32]>)> {
        let bias = (!self.bias.is_empty()).then(|| &self.bias[..self.matrix.columns]);
        (!self.matrix.is_paired()).then(|| (self.matrix.transposed(), bias))
    }

    /// For left rows of some form.
    pub(super) fn packed(&self, form: Form) -> Packed<'_> {
        let matrix = &self.matrix;
        Packed { panels: matrix.panels(), depth: matrix.depth / form.halves(), columns: matrix.columns }
    }

    /// Some whole panels of the columns (any, if they are the last), for left rows of some form.
    pub(super) fn product_of_columns(
        &self,
        columns: Range<usize>,
        rows: Rows<'_>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let matrix = &self.matrix;
        let packed = Packed {
            panels: matrix.panels().after(columns.start * matrix.depth),
            columns: columns.len(),
            ..self.packed(rows.form)
        };
        let bias = if self.bias.is_empty() {
            &[]
        } else {
            &self.bias[columns.start..][..packed_columns(columns.len())]
        };
        product(rows, packed, Extra { bias, ..Extra::default() }, out, out_stride, Workers::One(None));
    }

    /// `rows · weights + bias (+ residual)`: `[rows, columns]`, as `residual`. The rows are of f32 values.
    pub(in super::super) fn multiply(&self, rows: Rows<'_>, residual: Option<&[f32]>) -> Vec<f32> {
        #[expect(unsafe_code, reason = "see `written`")]
        // SAFETY: a product that does not accumulate writes each of the `rows · columns` values.
        unsafe {
            written(rows.count() * self.matrix.columns, |out| self.multiply_into(rows, residual, out))
        }
    }

    /// The same of rows in a form of [`Self::form`], by this thread.
    pub(super) fn multiply_converted(
        &self,
        rows: Rows<'_>,
        residual: Option<&[f32]>,
        out: &mut [MaybeUninit<f32>],
    ) {
        let extra = Extra { accumulate: false, bias: &self.bias, residual };
        product_into(rows, self.packed(rows.form), extra, out, self.matrix.columns, Workers::One(None));
    }

    fn multiply_into(&self, rows: Rows<'_>, residual: Option<&[f32]>, out: &mut [MaybeUninit<f32>]) {
        let Self { matrix, bias } = self;
        let (depth, columns, count) = (matrix.depth, matrix.columns, rows.count());
        let form = self.form(count, rows.are_even(depth));
        let packed = self.packed(form);
        if out.is_empty() {
            return;
        }
        let at_once = (CONVERTED_VALUES / depth).max(CONVERTED_ROWS).next_multiple_of(amx::ROWS);
        let blocks = count.div_ceil(at_once);
        if form == Form::F32 {
            let extra = Extra { accumulate: false, bias, residual };
            product_into(rows, packed, extra, out, columns, Workers::Pool);
        } else if amx::is_in_use() && rows.are_in_a_row(depth) && blocks >= 2 * threads::count() {
            // Rows converted by the thread that is about to multiply them are still in its second-level cache.
            let multiply = |(index, out): (usize, &mut [MaybeUninit<f32>])| {
                let values = &rows.values[index * at_once * depth..][..out.len() / columns * depth];
                let converted = Converted::of(values, depth, form);
                let rows = converted.rows(out.len() / columns);
                let residual = residual.map(|residual| &residual[index * at_once * columns..][..out.len()]);
                self.multiply_converted(rows, residual, out);
            };
            threads::for_each(true, out.chunks_mut(at_once * columns).enumerate(), multiply);
        } else {
            let (places, form) = bf16::converted(rows.values, form);
            let extra = Extra { accumulate: false, bias, residual };
            product_into(rows.halved(&places, form), packed, extra, out, columns, Workers::Pool);
        }
    }
}

/// A bias with zeros for the columns that packing adds; empty if there is none.
fn packed_bias(bias: Option<&[f32]>) -> Vec<f32> {
    let mut bias = bias.map_or_else(Vec::new, <[f32]>::to_vec);
    bias.resize(packed_columns(bias.len()), 0.0);
    bias
}
