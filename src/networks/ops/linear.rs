//! Linear layers.

use super::super::Runtime;
use super::weights::{f32_values, matrix, packs, tensor, with_matrix};
use super::{Operation, with_values};
use crate::kernels::gemm::{LhsView, MatrixLayout, PackedWeights, WeightData};
use crate::networks::backend::{self, D, Matrix, Result, Tensor};
use crate::weights::StoredTensor;

enum Backend {
    Native(PackedWeights),
    Other { weight: Matrix, bias: Option<Tensor> },
}

/// A linear layer, `x·Wᵀ + b`, over the last dimension.
pub struct Linear {
    runtime: Runtime,
    backend: Backend,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// `weight`: `[O, I]`, `bias`: `[O]`. Block-quantised weights keep their format where the backend has kernels for it,
    /// as 16-bit ones do on the CPU, for products in f32.
    ///
    /// # Errors
    /// If the weight is not a matrix.
    pub fn new(runtime: &Runtime, weight: &StoredTensor, bias: Option<&StoredTensor>) -> Result<Self> {
        let &[outputs, inputs] = weight.shape() else {
            let found = weight.shape();
            return Err(backend::Error::Msg(format!(
                "a linear map's weight cannot have the shape {found:?}"
            )));
        };
        let backend = if packs(runtime) && inputs > 0 {
            let bias = bias.map(|bias| f32_values(bias.view()));
            let pack = |data: WeightData<'_>| {
                let layout = MatrixLayout { row: |k| k, column_stride: inputs };
                PackedWeights::new(runtime.kernels(), [inputs, outputs], bias.as_deref(), data, &layout)
            };
            Backend::Native(with_matrix(weight.view(), pack))
        } else {
            let bias = bias.map(|bias| tensor(runtime, bias)).transpose()?;
            Backend::Other { weight: matrix(runtime, weight)?, bias }
        };
        Ok(Self { runtime: runtime.clone(), backend, inputs, outputs })
    }

    /// `[.., I] → [.., O]`.
    ///
    /// # Errors
    /// If the last dimension is not I.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None)
    }

    /// The layer's output plus `residual`, `[.., O]`.
    ///
    /// # Errors
    /// If the last dimension is not I, or `residual` is not of the output's shape.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Some(residual))
    }

    /// Input width I.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output width O.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The packed weights of the native backend.
    pub(super) fn packed(&self) -> Option<&PackedWeights> {
        match &self.backend {
            Backend::Native(weights) => Some(weights),
            Backend::Other { .. } => None,
        }
    }

    fn run(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        if x.dim(D::Minus1)? != self.inputs {
            let found = x.dim(D::Minus1)?;
            return Err(backend::Error::Msg(format!("a linear map of {} inputs got {found}", self.inputs)));
        }
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.outputs;
        }
        if let Some(residual) = residual
            && residual.dims() != shape
        {
            let found = residual.dims();
            return Err(backend::Error::Msg(format!("a residual of {found:?} does not fit {shape:?}")));
        }
        match &self.backend {
            Backend::Native(weights) => {
                let out = with_values(x, |values| {
                    let lhs = LhsView::plain(values, values.len() / self.inputs, self.inputs);
                    let kernels = self.runtime.kernels();
                    match residual {
                        Some(residual) => with_values(residual, |r| weights.multiply(kernels, lhs, Some(r))),
                        None => Ok(weights.multiply(kernels, lhs, None)),
                    }
                })??;
                Tensor::from_vec(out, shape, x.device())
            }
            Backend::Other { weight, bias } => {
                let rows = x.elem_count() / self.inputs;
                let mut out = weight.multiply(&x.reshape((rows, self.inputs))?)?;
                if let Some(bias) = bias {
                    out = out.broadcast_add(bias)?;
                }
                let out = out.reshape(shape)?;
                let out = match residual {
                    Some(residual) => (out + residual)?,
                    None => out,
                };
                self.runtime.computed(Operation::Linear, out)
            }
        }
    }
}
