//! Activations, cropping, concatenation, and conversion between feature maps and tokens.

use super::super::Runtime;
use super::{Operation, channels_last, feature_map, is_native, is_plain, with_values};
use crate::kernels::activation::{self, Activation};
use crate::networks::backend::{D, Error, Result, Tensor};

fn apply(runtime: &Runtime, x: &Tensor, kind: Activation) -> Result<Tensor> {
    let mut values = with_values(x, <[f32]>::to_vec)?;
    activation::apply(runtime.kernels(), kind, &mut values);
    Tensor::from_vec(values, x.dims(), x.device())
}

/// `x · sigmoid(x)`.
pub fn silu(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    if is_native(runtime, x) {
        return apply(runtime, x, Activation::Silu);
    }
    runtime.computed(Operation::Activation, x.silu()?)
}

/// `x · Φ(x)` with the exact normal distribution function, as PyTorch's default.
pub fn gelu(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    if is_native(runtime, x) {
        return apply(runtime, x, Activation::GeluErf);
    }
    runtime.computed(Operation::Activation, x.gelu_erf()?)
}

/// The approximation of [`gelu`] with tanh (`gelu_new` in transformers).
pub fn gelu_tanh(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    if is_native(runtime, x) {
        return apply(runtime, x, Activation::GeluTanh);
    }
    runtime.computed(Operation::Activation, x.gelu()?)
}

/// `x · sigmoid(1.702·x)` (OpenAI's CLIP).
pub fn quick_gelu(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    if is_native(runtime, x) {
        return apply(runtime, x, Activation::QuickGelu);
    }
    let denominator = ((x * -1.702)?.exp()? + 1.0)?;
    runtime.computed(Operation::Activation, (x / denominator)?)
}

/// `max(x, 0)` of a feature map `[B, C, H, W]`.
pub fn relu(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    if !is_native(runtime, x) {
        return runtime.computed(Operation::Activation, x.relu()?);
    }
    let (b, c, h, w) = x.dims4()?;
    let mut values = with_values(&channels_last(x)?, <[f32]>::to_vec)?;
    activation::apply(runtime.kernels(), Activation::Relu, &mut values);
    feature_map(values, [b, c, h, w], x)
}

/// GEGLU (Shazeer 2020): `value · gelu(gate)` with values and gates in the first and second half of `[.., 2C]`: `[..,
/// C]`.
pub fn geglu(runtime: &Runtime, x: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    if is_native(runtime, x) {
        let out = with_values(x, |values| activation::geglu(runtime.kernels(), values, half))?;
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = half;
        }
        return Tensor::from_vec(out, shape, x.device());
    }
    let out = (x.narrow(D::Minus1, 0, half)? * x.narrow(D::Minus1, half, half)?.gelu_erf()?)?;
    runtime.computed(Operation::Activation, out)
}

/// Crops `[B, C, H, W]` to the rows and columns `from..to`: a copy, or `x` itself if nothing is cropped.
pub fn crop(x: &Tensor, from: [usize; 2], to: [usize; 2]) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    if (from, to) == ([0, 0], [height, width]) {
        return Ok(x.clone());
    }
    let part = x.narrow(2, from[0], to[0] - from[0])?.narrow(3, from[1], to[1] - from[1])?;
    if is_plain(x) { channels_last(&part)?.permute([0, 3, 1, 2]) } else { part.contiguous() }
}

/// Repeats feature maps or tokens of a batch of 1 to `batch`; a batch of that size is returned as it is.
///
/// # Errors
/// If the batch is neither 1 nor `batch`.
pub fn expand_batch(x: &Tensor, batch: usize) -> Result<Tensor> {
    match x.dim(0)? {
        images if images == batch => Ok(x.clone()),
        1 if is_plain(x) && x.rank() == 4 => {
            Tensor::cat(&vec![channels_last(x)?; batch], 0)?.permute([0, 3, 1, 2])
        }
        1 => Tensor::cat(&vec![x; batch], 0),
        images => Err(Error::Msg(format!("a batch of {images} cannot stand for one of {batch}"))),
    }
}

/// Concatenates two feature maps by channel.
///
/// # Errors
/// If their other dimensions differ.
pub fn concat_channels(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !is_plain(a) {
        return Tensor::cat(&[a, b], 1);
    }
    let ((batch, ca, h, w), (_, cb, ..)) = (a.dims4()?, b.dims4()?);
    if b.dims() != [batch, cb, h, w] {
        return Err(Error::Msg(format!("cannot join {:?} and {:?}", a.dims(), b.dims())));
    }
    let mut out = Vec::with_capacity(batch * (ca + cb) * h * w);
    with_values(&channels_last(a)?, |a| {
        with_values(&channels_last(b)?, |b| {
            for (a, b) in a.chunks_exact(ca).zip(b.chunks_exact(cb)) {
                out.extend_from_slice(a);
                out.extend_from_slice(b);
            }
        })
    })??;
    feature_map(out, [batch, ca + cb, h, w], a)
}

/// `[B, C, H, W] → [B, H·W, C]`; no copy if the memory is channels-last.
pub fn to_tokens(x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    channels_last(x)?.reshape((b, h * w, c))
}

/// `[B, H·W, C] → [B, C, H, W]`.
pub fn from_tokens(tokens: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let (b, _, c) = tokens.dims3()?;
    tokens.reshape((b, height, width, c))?.permute([0, 3, 1, 2])
}
