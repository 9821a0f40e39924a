//! Affine maps of the last dimension.

use candle_core::{D, Result, Tensor};

use super::cpu::activation::add_assign;
use super::cpu::gemm::{Matrix, product};
use super::{is_fast, plain_values, with_values};

enum Weight {
    /// `[O, I]`, row by row.
    Fast(Vec<f32>),
    Plain(Tensor),
}

/// `x·Wᵀ + b`.
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
    bias_values: Vec<f32>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// `weight`: `[O, I]`, `bias`: `[O]`.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        let fast = is_fast(weight);
        let bias_values = match bias {
            Some(bias) if fast => plain_values(bias)?,
            _ => Vec::new(),
        };
        let weight = if fast { Weight::Fast(plain_values(weight)?) } else { Weight::Plain(weight.clone()) };
        Ok(Self { weight, bias: bias.cloned(), bias_values, inputs, outputs })
    }

    /// `[.., I] → [.., O]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, None)
    }

    /// The map plus `residual` of its shape.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        self.run(x, Some(residual))
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
        match &self.weight {
            Weight::Fast(weight) => {
                let mut out = match residual {
                    Some(residual) => with_values(residual, <[f32]>::to_vec)?,
                    None => vec![0.0; shape.iter().product()],
                };
                if !self.bias_values.is_empty() {
                    for row in out.chunks_exact_mut(self.outputs) {
                        add_assign(row, &self.bias_values);
                    }
                }
                with_values(x, |values| {
                    let sizes = [values.len() / self.inputs, self.outputs, self.inputs];
                    let (lhs, rhs) =
                        (Matrix::rows(values, self.inputs), Matrix::transposed(weight, self.inputs));
                    product(sizes, lhs, rhs, &mut out, self.outputs, true, true);
                })?;
                Tensor::from_vec(out, shape, x.device())
            }
            Weight::Plain(weight) => {
                let rows = x.elem_count() / self.inputs;
                let mut out = x.reshape((rows, self.inputs))?.matmul(&weight.t()?)?;
                if let Some(bias) = &self.bias {
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
