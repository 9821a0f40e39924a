//! Affine maps of the last dimension.

use candle_core::{D, Device, Result, Tensor};

use super::cpu::gemm::Rows;
use super::cpu::pack::{Place, Stored};
use super::cpu::weights::Weights;
use super::weights::{is_packable, with_weight};
use super::{plain_values, with_values};

enum Kernel {
    Fast(Weights),
    Plain { weight: Tensor, bias: Option<Tensor> },
}

/// `x·Wᵀ + b`.
pub struct Linear {
    kernel: Kernel,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// `weight`: `[O, I]`, `bias`: `[O]`. On a CPU 16-bit weights are kept so, for products in f32.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        let kernel = if is_packable(weight) && inputs > 0 {
            let bias = bias.map(plain_values).transpose()?;
            let pack = |stored: Stored<'_>| {
                let place = Place { row: |k| k, column_stride: inputs };
                Weights::new([inputs, outputs], bias.as_deref(), stored, &place, true)
            };
            Kernel::Fast(with_weight(weight, pack)?)
        } else {
            Kernel::Plain { weight: weight.clone(), bias: bias.cloned() }
        };
        Ok(Self { kernel, inputs, outputs })
    }

    /// `[.., I] → [.., O]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None)
    }

    /// The map plus `residual` of its shape.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Some(residual))
    }

    /// Width of what it takes.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Width of what it gives.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Its weight `[O, I]` and bias `[O]`, where products with it are those of our kernels in f32.
    ///
    /// # Errors
    /// Those of making tensors.
    pub fn unpacked(&self) -> Result<Option<(Tensor, Option<Tensor>)>> {
        let Some((weight, bias)) = self.packed().and_then(Weights::unpacked) else { return Ok(None) };
        let weight = Tensor::from_vec(weight, (self.outputs, self.inputs), &Device::Cpu)?;
        Ok(Some((weight, bias.map(|bias| Tensor::new(bias, &Device::Cpu)).transpose()?)))
    }

    /// Its weights, where our kernels have them.
    pub(super) fn packed(&self) -> Option<&Weights> {
        match &self.kernel {
            Kernel::Fast(weights) => Some(weights),
            Kernel::Plain { .. } => None,
        }
    }

    fn run(&self, x: &Tensor, residual: Option<&Tensor>) -> Result<Tensor> {
        if x.dim(D::Minus1)? != self.inputs {
            let found = x.dim(D::Minus1)?;
            return Err(candle_core::Error::Msg(format!(
                "a linear map of {} inputs got {found}",
                self.inputs
            )));
        }
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.outputs;
        }
        if let Some(residual) = residual
            && residual.dims() != shape
        {
            let found = residual.dims();
            return Err(candle_core::Error::Msg(format!("a residual of {found:?} does not fit {shape:?}")));
        }
        match &self.kernel {
            Kernel::Fast(weights) => {
                let out = with_values(x, |values| {
                    let rows = Rows::plain(values, values.len() / self.inputs, self.inputs);
                    match residual {
                        Some(residual) => with_values(residual, |r| weights.multiply(rows, Some(r))),
                        None => Ok(weights.multiply(rows, None)),
                    }
                })??;
                Tensor::from_vec(out, shape, x.device())
            }
            Kernel::Plain { weight, bias } => {
                let rows = x.elem_count() / self.inputs;
                let mut out = x.reshape((rows, self.inputs))?.matmul(&weight.t()?)?;
                if let Some(bias) = bias {
                    out = out.broadcast_add(bias)?;
                }
                let out = out.reshape(shape)?;
                match residual {
                    Some(residual) => out + residual,
                    None => Ok(out),
                }
            }
        }
    }
}
