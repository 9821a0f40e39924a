//! Adaptive layer norm and gated residuals (adaLN; Peebles & Xie 2023, <https://arxiv.org/abs/2212.09748>).

use super::super::Runtime;
use super::{LayerNorm, Operation, is_native, plain_values, with_values};
use crate::kernels::activation::scaled_sum;
use crate::networks::backend::{D, DType, Error, Result, Tensor};

/// Modulation vectors (shift, scale, gate) of C values each, which a network computes from the timestep and the prompt.
pub struct Modulation {
    runtime: Runtime,
    row: Tensor,
    width: usize,
}

impl Modulation {
    /// `row`: `[1, n · C]` for vectors of `width` C.
    ///
    /// # Errors
    /// If the row's length is not a multiple of C.
    pub fn new(runtime: &Runtime, row: &Tensor, width: usize) -> Result<Self> {
        if width == 0 || !row.elem_count().is_multiple_of(width) {
            let message = format!("{:?} are no vectors of {width} values", row.dims());
            return Err(Error::Msg(message));
        }
        Ok(Self { runtime: runtime.clone(), row: row.flatten_all()?, width })
    }

    /// The vector with this index, `[C]`.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn vector(&self, index: usize) -> Result<Tensor> {
        self.row.narrow(0, index * self.width, self.width)
    }

    /// The adaptive layer norm `LN(x) · (1 + scale) + shift`. `shift` and `scale`: indices of two of the vectors.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn norm(&self, shift: usize, scale: usize, eps: f64) -> Result<LayerNorm> {
        LayerNorm::new(&self.runtime, &(self.vector(scale)? + 1.0)?, &self.vector(shift)?, eps)
    }
}

/// The gated residual `x + factors · y`: `x`, `y`: `[.., C]`, `factors`: `[C]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn add_scaled(runtime: &Runtime, x: &Tensor, factors: &Tensor, y: &Tensor) -> Result<Tensor> {
    if x.dims() != y.dims() || x.dim(D::Minus1)? != factors.elem_count() {
        let shapes = format!("{:?} times {:?} does not add to {:?}", factors.dims(), y.dims(), x.dims());
        return Err(Error::Msg(shapes));
    }
    if is_native(runtime, x) && is_native(runtime, y) && factors.dtype() == DType::F32 {
        let factors = plain_values(factors)?;
        let sum = |x: &[f32]| with_values(y, |y| scaled_sum(runtime.kernels(), x, &factors, y));
        return Tensor::from_vec(with_values(x, sum)??, x.dims(), x.device());
    }
    runtime.computed(Operation::ScaledSum, (x + y.broadcast_mul(factors)?)?)
}
