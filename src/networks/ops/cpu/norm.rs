//! GroupNorm (with SiLU) and LayerNorm.

use rayon::prelude::*;

use super::PARALLEL_VALUES;
use super::simd::{multiversioned, silu};

/// Rows summed in f32 before they join the f64 sums.
const ROWS_IN_F32: usize = 64;

multiversioned! {
    /// Sums and sums of squares of each channel over rows of channels.
    fn channel_sums(rows: &[f32], channels: usize, sums: &mut [f64], squares: &mut [f64]) {
        let mut sum = vec![0.0_f32; channels];
        let mut square = vec![0.0_f32; channels];
        for block in rows.chunks(channels * ROWS_IN_F32) {
            sum.fill(0.0);
            square.fill(0.0);
            for row in block.chunks_exact(channels) {
                for ((sum, square), v) in sum.iter_mut().zip(&mut square).zip(row) {
                    *sum += v;
                    *square += v * v;
                }
            }
            for (total, part) in sums.iter_mut().zip(&sum) {
                *total += f64::from(*part);
            }
            for (total, part) in squares.iter_mut().zip(&square) {
                *total += f64::from(*part);
            }
        }
    }
}

multiversioned! {
    fn scale_and_shift<const FMA: bool>(rows: &[f32], scale: &[f32], shift: &[f32], with_silu: bool, out: &mut [f32]) {
        let channels = scale.len();
        for (row, out) in rows.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            let inputs = row.iter().zip(scale).zip(shift);
            if with_silu {
                for (out, ((v, scale), shift)) in out.iter_mut().zip(inputs) {
                    *out = silu::<FMA>(v * scale + shift);
                }
            } else {
                for (out, ((v, scale), shift)) in out.iter_mut().zip(inputs) {
                    *out = v * scale + shift;
                }
            }
        }
    }
}

/// GroupNorm over `[B, H·W, C]`, `batch` pictures, then SiLU if asked (Wu & He 2018).
pub(in super::super) fn group_norm(
    x: &[f32],
    batch: usize,
    groups: usize,
    eps: f64,
    weight: &[f32],
    bias: &[f32],
    with_silu: bool,
) -> Vec<f32> {
    let channels = weight.len();
    let mut out = vec![0.0; x.len()];
    if x.is_empty() {
        return out;
    }
    let picture = x.len() / batch;
    let rows_at_once = PARALLEL_VALUES.div_ceil(channels) * channels;
    for (x, out) in x.chunks_exact(picture).zip(out.chunks_exact_mut(picture)) {
        let zeros = || (vec![0.0_f64; channels], vec![0.0_f64; channels]);
        let sums_of = |rows: &[f32]| {
            let (mut sums, mut squares) = zeros();
            channel_sums(rows, channels, &mut sums, &mut squares);
            (sums, squares)
        };
        let (sums, squares) = if picture <= rows_at_once {
            sums_of(x)
        } else {
            // Collected in order, so that the result does not depend on the threads.
            let parts: Vec<_> = x.par_chunks(rows_at_once).map(sums_of).collect();
            parts.into_iter().fold(zeros(), |(mut a, mut b), (c, d)| {
                a.iter_mut().zip(c).for_each(|(a, c)| *a += c);
                b.iter_mut().zip(d).for_each(|(b, d)| *b += d);
                (a, b)
            })
        };
        let (scale, shift) = affine(&sums, &squares, picture / channels, groups, eps, weight, bias);
        if picture <= rows_at_once {
            scale_and_shift(x, &scale, &shift, with_silu, out);
        } else {
            out.par_chunks_mut(rows_at_once)
                .zip(x.par_chunks(rows_at_once))
                .for_each(|(out, x)| scale_and_shift(x, &scale, &shift, with_silu, out));
        }
    }
    out
}

/// Per channel, the factor and the summand that normalise its group.
fn affine(
    sums: &[f64],
    squares: &[f64],
    pixels: usize,
    groups: usize,
    eps: f64,
    weight: &[f32],
    bias: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let channels = weight.len();
    let in_group = channels / groups;
    let count = (pixels * in_group) as f64;
    let mut scale = Vec::with_capacity(channels);
    let mut shift = Vec::with_capacity(channels);
    for group in 0..groups {
        let range = group * in_group..(group + 1) * in_group;
        let mean = sums[range.clone()].iter().sum::<f64>() / count;
        let variance = (squares[range.clone()].iter().sum::<f64>() / count - mean * mean).max(0.0);
        let inverse = 1.0 / (variance + eps).sqrt();
        for c in range {
            scale.push((f64::from(weight[c]) * inverse) as f32);
            shift.push((f64::from(bias[c]) - mean * inverse * f64::from(weight[c])) as f32);
        }
    }
    (scale, shift)
}

multiversioned! {
    fn layer_norm_rows(rows: &[f32], eps: f32, weight: &[f32], bias: &[f32], out: &mut [f32]) {
        let channels = weight.len();
        let count = channels as f32;
        for (row, out) in rows.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            let mean = lanes_sum(row, |v| v) / count;
            let variance = lanes_sum(row, |v| (v - mean) * (v - mean)) / count;
            let inverse = 1.0 / (variance + eps).sqrt();
            for (out, ((v, weight), bias)) in out.iter_mut().zip(row.iter().zip(weight).zip(bias)) {
                *out = (v - mean) * inverse * weight + bias;
            }
        }
    }
}

/// A sum in sixteen lanes, which vectorises and loses less than one running sum.
#[inline(always)]
fn lanes_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let chunks = values.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().map(|v| f(*v)).sum();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += f(*v);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// LayerNorm over the last dimension: `[N, C]` (Ba et al. 2016).
pub(in super::super) fn layer_norm(x: &[f32], eps: f64, weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let eps = eps as f32;
    if x.len() < PARALLEL_VALUES {
        layer_norm_rows(x, eps, weight, bias, &mut out);
    } else {
        let at_once = (PARALLEL_VALUES / 2).div_ceil(weight.len()) * weight.len();
        out.par_chunks_mut(at_once)
            .zip(x.par_chunks(at_once))
            .for_each(|(out, x)| layer_norm_rows(x, eps, weight, bias, out));
    }
    out
}
