//! Left rows of products, converted by the thread that is about to multiply them.

use super::bf16::convert;
use super::gemm::Rows;
use super::pack::Form;
use super::scratch::Scratch;

/// Values between converted rows, so that rows of a power of two or so do not all begin in the same cache sets.
const SKEW: usize = 32;

/// Rows of values in the form they are multiplied in.
pub(super) struct Converted {
    values: Scratch,
    form: Form,
    /// Values from row to row.
    stride: usize,
}

impl Converted {
    /// Room for so many rows of so many values.
    pub(super) fn new(rows: usize, depth: usize, form: Form) -> Self {
        let stride = if form == Form::F32 { depth } else { depth + SKEW };
        let form = form.of(rows * stride);
        Self { values: Scratch::new(form.places(rows * stride)), form, stride }
    }

    /// Rows of values that lie one after another.
    pub(super) fn of(values: &[f32], depth: usize, form: Form) -> Self {
        let mut converted = Self::new(values.len() / depth, depth, form);
        for (row, values) in values.chunks_exact(depth).enumerate() {
            converted.set(row, 0, values);
        }
        converted
    }

    /// An even number of values of a row from an even one on.
    pub(super) fn set(&mut self, row: usize, first: usize, values: &[f32]) {
        convert(values, self.form, &mut self.values, (row * self.stride + first) / self.form.halves());
    }

    /// The first rows.
    pub(super) fn rows(&self, count: usize) -> Rows<'_> {
        Rows { form: self.form, ..Rows::plain(&self.values, count, self.stride / self.form.halves()) }
    }
}
