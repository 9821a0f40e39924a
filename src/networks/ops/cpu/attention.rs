//! Attention in tiles of queries, so that the scores stay in cache.

use rayon::prelude::*;

use super::gemm::{Matrix, product};
use super::simd::{exp, multiversioned};

/// Queries of one tile.
const QUERIES: usize = 64;

/// Sizes of one attention call.
#[derive(Clone, Copy)]
pub(in super::super) struct AttentionShape {
    pub(in super::super) batch: usize,
    pub(in super::super) queries: usize,
    pub(in super::super) keys: usize,
    pub(in super::super) heads: usize,
    pub(in super::super) head_width: usize,
    pub(in super::super) causal: bool,
}

multiversioned! {
    /// Turns a row of scores into weights `exp(scale · (s − max))` and gives one over their sum.
    fn softmax_row(scores: &mut [f32], scale: f32) -> f32 {
        const LANES: usize = 16;
        let mut maxima = [f32::NEG_INFINITY; LANES];
        let (main, tail) = scores.split_at_mut(scores.len() / LANES * LANES);
        for chunk in main.chunks_exact(LANES) {
            for (max, s) in maxima.iter_mut().zip(chunk) {
                *max = if *s > *max { *s } else { *max };
            }
        }
        let max = maxima.iter().chain(tail.iter()).copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sums = [0.0_f32; LANES];
        for chunk in main.chunks_exact_mut(LANES) {
            for (sum, s) in sums.iter_mut().zip(chunk) {
                *s = exp((*s - max) * scale);
                *sum += *s;
            }
        }
        let mut sum: f32 = sums.iter().sum();
        for s in tail {
            *s = exp((*s - max) * scale);
            sum += *s;
        }
        1.0 / sum
    }
}

/// `softmax(q·kᵀ / √D)·v` for each head. `q`: `[B, N, H·D]`, `k`, `v`: `[B, M, H·D]` → `[B, N, H·D]`.
pub(in super::super) fn attention(q: &[f32], k: &[f32], v: &[f32], shape: AttentionShape) -> Vec<f32> {
    let AttentionShape { batch, queries, keys, heads, head_width: d, causal } = shape;
    let width = heads * d;
    let scale = 1.0 / (d as f32).sqrt();
    let tiles_of_head = queries.div_ceil(QUERIES);
    let tile = |index: usize| -> (usize, usize, usize, usize) {
        let (rest, tile) = (index / tiles_of_head, index % tiles_of_head);
        let first = tile * QUERIES;
        (rest / heads, rest % heads, first, QUERIES.min(queries - first))
    };
    let compute = |index: usize| -> Vec<f32> {
        let (b, head, first, rows) = tile(index);
        // A later query sees more keys: the tile's last query bounds what the tile needs.
        let seen = if causal { (first + rows).min(keys) } else { keys };
        let q = &q[(b * queries + first) * width + head * d..];
        let k = &k[b * keys * width + head * d..];
        let v = &v[b * keys * width + head * d..];
        let mut scores = vec![0.0_f32; rows * seen];
        let (lhs, rhs) = (Matrix::rows(q, width), Matrix::transposed(k, width));
        product([rows, seen, d], lhs, rhs, &mut scores, seen, false, false);
        let mut inverses = Vec::with_capacity(rows);
        for (row, scores) in scores.chunks_exact_mut(seen).enumerate() {
            let visible = if causal { (first + row + 1).min(seen) } else { seen };
            inverses.push(softmax_row(&mut scores[..visible], scale));
            scores[visible..].fill(0.0);
        }
        let mut out = vec![0.0_f32; rows * d];
        product(
            [rows, d, seen],
            Matrix::rows(&scores, seen),
            Matrix::rows(v, width),
            &mut out,
            d,
            false,
            false,
        );
        for (out, inverse) in out.chunks_exact_mut(d).zip(inverses) {
            for o in out {
                *o *= inverse;
            }
        }
        out
    };
    let count = batch * heads * tiles_of_head;
    let small = batch * heads * queries * keys * d < 1 << 18;
    let tiles: Vec<Vec<f32>> = if small {
        (0..count).map(compute).collect()
    } else {
        (0..count).into_par_iter().map(compute).collect()
    };
    let mut out = vec![0.0; batch * queries * width];
    for (index, values) in tiles.iter().enumerate() {
        let (b, head, first, _) = tile(index);
        for (row, values) in values.chunks_exact(d).enumerate() {
            out[(b * queries + first + row) * width + head * d..][..d].copy_from_slice(values);
        }
    }
    out
}
