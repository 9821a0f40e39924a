//! Root-mean-square normalisation of the last dimension (Zhang & Sennrich 2019).

use super::super::Runtime;
use super::{Operation, is_native, plain_values, with_values};
use crate::kernels::norm::rms_norm;
use crate::networks::backend::{D, Error, Result, Tensor};

/// `x / √(mean(x²) + eps) · weight`.
pub struct RmsNorm {
    runtime: Runtime,
    weight: Tensor,
    /// The weight for the native backend.
    values: Option<Vec<f32>>,
    eps: f64,
}

impl RmsNorm {
    /// `weight`: `[C]`.
    ///
    /// # Errors
    /// The tensor library's.
    pub fn new(runtime: &Runtime, weight: &Tensor, eps: f64) -> Result<Self> {
        let values = is_native(runtime, weight).then(|| plain_values(weight)).transpose()?;
        Ok(Self { runtime: runtime.clone(), weight: weight.contiguous()?, values, eps })
    }

    /// `[.., n · C] → [.., n · C]`, normalised over each C values: the heads of a query or key, or whole rows.
    ///
    /// # Errors
    /// If the last dimension is not a multiple of C.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (width, channels) = (x.dim(D::Minus1)?, self.weight.elem_count());
        if channels == 0 || !width.is_multiple_of(channels) {
            return Err(Error::Msg(format!("a norm of {channels} channels got {:?}", x.dims())));
        }
        if let Some(weight) = self.values.as_ref().filter(|_| is_native(&self.runtime, x)) {
            let out = with_values(x, |x| rms_norm(self.runtime.kernels(), x, self.eps, weight))?;
            return Tensor::from_vec(out, x.dims(), x.device());
        }
        let rows = x.contiguous()?.reshape((x.elem_count() / channels, channels))?;
        let out = rows.rms_normed(&self.weight, self.eps)?.reshape(x.dims())?;
        self.runtime.computed(Operation::RmsNorm, out)
    }
}
