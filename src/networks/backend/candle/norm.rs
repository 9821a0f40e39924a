//! Norms: of groups of channels, with SiLU after it, and of rows.

use candle_core::{D, DType, Result, Tensor};

/// Mean and variance of each group of each image, `[B, G, 1]` each, f32.
pub(in crate::networks::backend) fn moments(x: &Tensor, groups: usize) -> Result<[Tensor; 2]> {
    of_rows(&x.contiguous()?.to_dtype(DType::F32)?.reshape((x.dim(0)?, groups, ()))?)
}

/// Mean and variance of each row of `[B, G, N]`, each `[B, G, 1]`.
fn of_rows(grouped: &Tensor) -> Result<[Tensor; 2]> {
    let mean = grouped.mean_keepdim(2)?;
    let variance = grouped.broadcast_sub(&mean)?.sqr()?.mean_keepdim(2)?;
    Ok([mean, variance])
}

/// The norm of `[B, C, H, W]` in `groups` groups, by the moments given or its own, times `weight` `[C]` plus `bias`
/// `[C]`, and SiLU of it if wanted.
///
/// All of it is in f32 and rounded once. Norm, weight and bias are one factor and one term for each channel, so that
/// the map itself is read for a product and a sum only.
pub(in crate::networks::backend) fn group_norm(
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    groups: usize,
    eps: f64,
    given: Option<[&Tensor; 2]>,
    with_silu: bool,
) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let grouped = x.contiguous()?.to_dtype(DType::F32)?.reshape((batch, groups, ()))?;
    let [mean, variance] = match given {
        Some([mean, variance]) => [mean.clone(), variance.clone()],
        None => of_rows(&grouped)?,
    };
    let of_channels = |t: &Tensor| t.to_dtype(DType::F32)?.reshape((1, groups, channels / groups));
    let deviation = (variance + eps)?.sqrt()?;
    let factor = of_channels(weight)?.broadcast_div(&deviation)?;
    let term = of_channels(bias)?.broadcast_sub(&factor.broadcast_mul(&mean)?)?;
    let each = |t: &Tensor| t.reshape((batch, channels, 1));
    let map = grouped.reshape((batch, channels, height * width))?;
    let out = map.broadcast_mul(&each(&factor)?)?.broadcast_add(&each(&term)?)?;
    let out = if with_silu { out.silu()? } else { out };
    out.to_dtype(x.dtype())?.reshape((batch, channels, height, width))
}

/// The norm of rows `[.., C]` with `weight` and `bias` `[C]`.
pub(in crate::networks::backend) fn layer_norm(
    x: &Tensor,
    [weight, bias]: [&Tensor; 2],
    eps: f64,
) -> Result<Tensor> {
    let is_half = matches!(x.dtype(), DType::F16 | DType::BF16);
    if is_half && weight.dtype() == x.dtype() && bias.dtype() == x.dtype() {
        // One kernel. It takes the variance from the mean of squares, which costs bits that f32 has to spare for values
        // of 16 bits, and has not for its own.
        let [weight, bias] = [weight.contiguous()?, bias.contiguous()?];
        return candle_nn::ops::layer_norm(&x.contiguous()?, &weight, &bias, eps as f32);
    }
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + eps)?.sqrt()?;
    let normed = centred.broadcast_div(&deviation)?.to_dtype(x.dtype())?;
    normed.broadcast_mul(weight)?.broadcast_add(bias)
}
