//! Normalisation.

use candle_core::{D, DType, Result, Tensor};

use super::cpu::norm::{group_norm, layer_norm};
use super::{channels_last, feature_map, is_fast, plain_values, with_values};

/// Group normalisation (Wu & He 2018).
pub struct GroupNorm {
    weight: Tensor,
    bias: Tensor,
    values: Option<[Vec<f32>; 2]>,
    groups: usize,
    eps: f64,
}

fn fast_values(weight: &Tensor, bias: &Tensor) -> Result<Option<[Vec<f32>; 2]>> {
    Ok(if is_fast(weight) { Some([plain_values(weight)?, plain_values(bias)?]) } else { None })
}

impl GroupNorm {
    /// `weight`, `bias`: `[C]`. `C` must be a multiple of `groups`.
    pub fn new(weight: &Tensor, bias: &Tensor, groups: usize, eps: f64) -> Result<Self> {
        let channels = weight.elem_count();
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(candle_core::Error::Msg(format!(
                "{channels} channels do not make {groups} norm groups"
            )));
        }
        let values = fast_values(weight, bias)?;
        Ok(Self { weight: weight.clone(), bias: bias.clone(), values, groups, eps })
    }

    /// `[B, C, H, W] → [B, C, H, W]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, false)
    }

    /// The norm, then SiLU.
    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        self.run(x, true)
    }

    fn run(&self, x: &Tensor, with_silu: bool) -> Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        if c != self.weight.elem_count() {
            let message = format!("a norm of {} channels got {c}", self.weight.elem_count());
            return Err(candle_core::Error::Msg(message));
        }
        if let (Some([weight, bias]), true) = (&self.values, is_fast(x)) {
            let out = with_values(&channels_last(x)?, |values| {
                group_norm(values, b, self.groups, self.eps, weight, bias, with_silu)
            })?;
            return feature_map(out, [b, c, h, w], x);
        }
        // Statistics in f32, whatever the weights' format.
        let grouped = x.contiguous()?.to_dtype(DType::F32)?.reshape((b, self.groups, ()))?;
        let centred = grouped.broadcast_sub(&grouped.mean_keepdim(2)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(2)? + self.eps)?.sqrt()?;
        let normed = centred.broadcast_div(&deviation)?.reshape((b, c, h, w))?.to_dtype(x.dtype())?;
        let channel = |t: &Tensor| t.reshape((1, c, 1, 1));
        let out = normed.broadcast_mul(&channel(&self.weight)?)?.broadcast_add(&channel(&self.bias)?)?;
        if with_silu { out.silu() } else { Ok(out) }
    }
}

/// Layer normalisation of the last dimension (Ba et al. 2016).
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    values: Option<[Vec<f32>; 2]>,
    eps: f64,
}

impl LayerNorm {
    /// `weight`, `bias`: `[C]`.
    pub fn new(weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Self> {
        let values = fast_values(weight, bias)?;
        Ok(Self { weight: weight.clone(), bias: bias.clone(), values, eps })
    }

    /// `[.., C] → [.., C]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.dim(D::Minus1)? != self.weight.elem_count() {
            let message = format!("a norm of {} channels got {:?}", self.weight.elem_count(), x.dims());
            return Err(candle_core::Error::Msg(message));
        }
        if let (Some([weight, bias]), true) = (&self.values, is_fast(x)) {
            let out = with_values(x, |values| layer_norm(values, self.eps, weight, bias))?;
            return Tensor::from_vec(out, x.dims(), x.device());
        }
        let wide = x.to_dtype(DType::F32)?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
        let normed = centred.broadcast_div(&deviation)?.to_dtype(x.dtype())?;
        normed.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}
