//! Weights packed once with their bias, and the products with them.

use std::mem::MaybeUninit;

use super::super::KernelContext;
use super::super::scratch::written_vec;
use super::driver::{Epilogue, gemm_into};
use super::lhs::LhsView;
use super::operand_format::OperandFormat;
use super::packed_rhs::{MatrixLayout, PackedFormat, PackedRhs, WeightData, packed_columns};

/// The weights of an affine map, `[depth, columns]`, and its bias.
pub struct PackedWeights {
    rhs: PackedRhs,
    /// Empty, or one value for each packed column.
    bias: Vec<f32>,
}

impl PackedWeights {
    /// Packs weights `[depth, columns]` and a bias `[columns]` for products in the context's precision.
    ///
    /// # Panics
    /// If the layout leads outside the data.
    pub fn new(
        ctx: &KernelContext,
        size: [usize; 2],
        bias: Option<&[f32]>,
        data: WeightData<'_>,
        layout: &MatrixLayout<impl Fn(usize) -> usize + Sync>,
    ) -> Self {
        let format = match OperandFormat::for_depth(ctx.precision(), size[0]) {
            OperandFormat::F32 => PackedFormat::AsStored,
            OperandFormat::Bf16Pairs => PackedFormat::Bf16Pairs,
        };
        Self::with_format(ctx, size, bias, data, layout, format)
    }

    pub(in super::super) fn with_format(
        ctx: &KernelContext,
        size: [usize; 2],
        bias: Option<&[f32]>,
        data: WeightData<'_>,
        layout: &MatrixLayout<impl Fn(usize) -> usize + Sync>,
        format: PackedFormat,
    ) -> Self {
        let mut bias = bias.map_or_else(Vec::new, <[f32]>::to_vec);
        bias.resize(packed_columns(bias.len()), 0.0);
        Self { rhs: PackedRhs::new(ctx, size, data, layout, format), bias }
    }

    pub(in super::super) fn rhs(&self) -> &PackedRhs {
        &self.rhs
    }

    /// Empty, or one value for each packed column.
    pub(in super::super) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// `lhs · weights + bias (+ residual)`, `[rows, columns]` as `residual`.
    ///
    /// # Panics
    /// If sizes do not fit.
    pub fn multiply(&self, ctx: &KernelContext, lhs: LhsView<'_>, residual: Option<&[f32]>) -> Vec<f32> {
        let epilogue = Epilogue { accumulate: false, bias: &self.bias, residual };
        self.multiply_with(ctx, lhs, epilogue)
    }

    /// `lhs · weights` with another epilogue than the weights' bias.
    pub(in super::super) fn multiply_with(
        &self,
        ctx: &KernelContext,
        lhs: LhsView<'_>,
        epilogue: Epilogue<'_>,
    ) -> Vec<f32> {
        let columns = self.rhs.columns();
        let write = |out: &mut [MaybeUninit<f32>]| {
            let rhs = self.rhs.view();
            gemm_into(ctx, &lhs.pack(ctx, rhs.operand_format()), rhs, epilogue, out, columns);
        };
        // SAFETY: a GEMM that does not accumulate writes each of the `rows · columns` values.
        unsafe { written_vec(lhs.count() * columns, write) }
    }
}
