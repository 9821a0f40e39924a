//! Root-mean-square normalisation (Zhang & Sennrich 2019, <https://arxiv.org/abs/1910.07467>).

use super::super::isa::multiversioned;
use super::super::{KernelContext, PARALLEL_VALUES};
use super::layer::lanes_sum;

multiversioned! {
    fn rms_norm_rows(isa: Isa, rows: &[f32], eps: f32, weight: &[f32], out: &mut [f32]) {
        let channels = weight.len();
        let count = channels as f32;
        for (row, out) in rows.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            let inverse = 1.0 / (lanes_sum(row, |v| v * v) / count + eps).sqrt();
            for (out, (v, weight)) in out.iter_mut().zip(row.iter().zip(weight)) {
                *out = v * inverse * weight;
            }
        }
    }
}

/// `x / √(mean(x²) + eps) · weight` of each row of `[N, C]`; `weight`: `[C]`.
pub fn rms_norm(ctx: &KernelContext, x: &[f32], eps: f64, weight: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let at_once = PARALLEL_VALUES.div_ceil(weight.len().max(1)) * weight.len().max(1);
    let chunks = out.chunks_mut(at_once).zip(x.chunks(at_once));
    let share = x.len() >= PARALLEL_VALUES;
    ctx.threads().for_each(share, chunks, |(out, x)| rms_norm_rows(ctx.isa(), x, eps as f32, weight, out));
    out
}
