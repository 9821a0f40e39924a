//! Layer normalisation (Ba et al. 2016, <https://arxiv.org/abs/1607.06450>).

use super::super::isa::{Isa, multiversioned};
use super::super::{KernelContext, PARALLEL_VALUES};

multiversioned! {
    fn layer_norm_rows(isa: Isa, rows: &[f32], eps: f32, weight: &[f32], bias: &[f32], out: &mut [f32]) {
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

/// A sum in many lanes, several vectors of them so that none waits for itself; it loses less than one running sum.
#[inline(always)]
pub(super) fn lanes_sum(values: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; 64];
    let (chunks, rest) = values.as_chunks::<64>();
    for chunk in chunks {
        for l in 0..64 {
            lanes[l] += f(chunk[l]);
        }
    }
    for (lane, v) in lanes.iter_mut().zip(rest) {
        *lane += f(*v);
    }
    let mut half = 32;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// A norm over rows of channels.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// Added to the variance.
    pub eps: f64,
    /// `[C]`.
    pub weight: &'a [f32],
    /// `[C]`.
    pub bias: &'a [f32],
}

impl LayerNorm<'_> {
    /// Channels of a row.
    pub(in super::super) fn channels(self) -> usize {
        self.weight.len()
    }

    /// Norms `[n, C]` on this thread.
    pub(in super::super) fn apply(self, isa: Isa, rows: &[f32], out: &mut [f32]) {
        layer_norm_rows(isa, rows, self.eps as f32, self.weight, self.bias, out);
    }

    /// Norms `[N, C]`.
    pub fn norm(self, ctx: &KernelContext, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; x.len()];
        let at_once = PARALLEL_VALUES.div_ceil(self.channels().max(1)) * self.channels().max(1);
        let chunks = out.chunks_mut(at_once).zip(x.chunks(at_once));
        let share = x.len() >= PARALLEL_VALUES;
        ctx.threads().for_each(share, chunks, |(out, x)| self.apply(ctx.isa(), x, out));
        out
    }
}
